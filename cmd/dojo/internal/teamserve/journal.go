package teamserve

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

// A journal is the session's file: JSON lines that are only appended, each on the disk before anybody is told of it.
//
// Where the disk refuses (it is full, or it fails), what follows is kept in memory, and every later line tries the disk
// again with all that it lacks. Append is called by one goroutine at a time, load and trouble by any.
type journal struct {
	file disk

	mu    sync.RWMutex // guards what follows; not held while the disk works
	end   int64        // of what is on the disk for certain
	size  int64        // with what is in memory
	wants []byte       // lines that the disk has refused
	fault error        // why
}

// A disk is what the journal needs of a file. Tests have one that fills up.
type disk interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Close() error
}

// maxWants bounds what is kept in memory while the disk refuses.
const maxWants = 64 << 20

var (
	errBudget = errors.New("this session's file is as large as it may get")
	errDisk   = errors.New("the server's disk is full, and so is the memory that stands in for it")
)

// openJournal opens or makes the file, and hands what it holds to each, in order. A last line that was cut off when
// the server was killed was never acknowledged: it is removed.
func openJournal(path string, each func(record, span) error) (*journal, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("the session's folder cannot be made: %w", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the session's file cannot be opened: %w", err)
	}
	j := &journal{file: file}
	if err := j.read(io.NewSectionReader(file, 0, 1<<62), each); err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := file.Truncate(j.end); err != nil {
		file.Close()
		return nil, fmt.Errorf("the session's file cannot be written: %w", err)
	}
	syncFolder(filepath.Dir(path))
	return j, nil
}

// A span is where a line stands in the file.
type span struct{ at, length int64 }

func (j *journal) read(file io.Reader, each func(record, span) error) error {
	lines := bufio.NewReaderSize(file, 1<<20)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the session's file: %w", err)
		}
		var r record
		if err = json.Unmarshal(line, &r); err == nil {
			err = each(r, span{j.end, int64(len(line))})
		}
		if err != nil {
			return fmt.Errorf("line %d of the session's file is damaged, and it was left alone; --new begins another session: %w", n, err)
		}
		j.end += int64(len(line))
		j.size = j.end
	}
}

// append writes a line and syncs it. It returns an error only if the line is nowhere: neither on the disk nor in memory.
func (j *journal) append(r record) (span, error) {
	line, err := json.Marshal(r)
	if err != nil {
		return span{}, fmt.Errorf("a record cannot be written down: %w", err)
	}
	line = append(line, '\n')
	if j.size+int64(len(line)) > team.MaxSession {
		return span{}, errBudget
	}
	at := span{j.size, int64(len(line))}
	wants := append(bytes.Clone(j.wants), line...)
	fault := j.write(wants)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.fault = fault
	switch {
	case fault == nil:
		j.wants, j.end = nil, at.at+at.length
	case len(wants) > maxWants:
		return span{}, errDisk
	default:
		j.wants = wants
	}
	j.size = at.at + at.length
	return at, nil
}

// trouble says why the disk refuses; nil if it does not.
func (j *journal) trouble() error {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.fault
}

// write puts lines behind what is on the disk. After a failed sync the disk may hold any part of them, and pages that
// look clean and are not: so they are cut off, to be written afresh.
func (j *journal) write(lines []byte) error {
	_, err := j.file.WriteAt(lines, j.end)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		_ = j.file.Truncate(j.end) // if that fails too, the next write goes over it
	}
	return err
}

// load reads a line again.
func (j *journal) load(at span) (record, error) {
	line := make([]byte, at.length)
	j.mu.RLock()
	inMemory := at.at >= j.end
	if inMemory {
		copy(line, j.wants[at.at-j.end:])
	}
	j.mu.RUnlock()
	if !inMemory {
		if _, err := j.file.ReadAt(line, at.at); err != nil {
			return record{}, fmt.Errorf("reading the session's file: %w", err)
		}
	}
	var r record
	if err := json.Unmarshal(line, &r); err != nil {
		return record{}, fmt.Errorf("the session's file is damaged: %w", err)
	}
	return r, nil
}

// syncFolder makes the file's name last. Windows cannot, and need not.
func syncFolder(path string) {
	if folder, err := os.Open(path); err == nil {
		_ = folder.Sync()
		folder.Close()
	}
}
