//go:build solutions

package groupcommit

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/backend-kata/dojo/pkg/interleave/sync"
	"github.com/backend-kata/dojo/pkg/simdisk"
)

// The errors of a log: of an Append after Close, of damage, and of everything since a sync has failed.
var (
	ErrClosed  = errors.New("groupcommit: the log is closed")
	ErrCorrupt = errors.New("groupcommit: the log is damaged")
	ErrFailed  = errors.New("groupcommit: the log has failed")
)

// Options are the limits of a log. The zero value is ready for use.
type Options struct {
	MaxGroup    int   // how many bytes of records may share a sync, 1 MiB if it is 0; a larger record goes alone
	SegmentSize int64 // how large a file may grow before the next one begins, without a limit if it is 0
}

// A Record is what was appended, and its place in the log: 1, 2, 3 and so on.
type Record struct {
	Index uint64
	Data  []byte
}

// A Log is an append-only list of records that survive a crash. It is safe for concurrent use.
type Log struct {
	fsys   simdisk.FS
	dir    string
	opts   Options
	disk   chan struct{} // full while somebody works on the disk, to whom alone file and end belong
	file   simdisk.File  // the last one
	end    int64         // of what is acknowledged in it
	mu     sync.Mutex    // guards what follows, and is never held while the disk works
	firsts []uint64      // of each file, the index of its first record
	next   uint64        // the index of the next record; it, firsts and failed are only written with the disk, too
	failed error
	queue  []*group // wait for the disk; the last one takes in more records
	closed bool
	groups sync.WaitGroup // that have no answer yet
}

// A group is the records that share a sync, and the answer to all of them.
type group struct {
	frame        []byte        // room for a header, and the records, each after its length
	size         int           // of the records alone
	done         chan struct{} // closed when the rest is known
	first, count uint64        // the index of the first record, and how many there are
	err          error
}

// Open opens the log in dir, and makes dir if it is not there.
func Open(fsys simdisk.FS, dir string, opts Options) (*Log, error) {
	opts.MaxGroup = cmp.Or(opts.MaxGroup, 1<<20)
	l := &Log{fsys: fsys, dir: dir, opts: opts, next: 1, disk: make(chan struct{}, 1)}
	if err := l.recover(); err != nil {
		if l.file != nil {
			_ = l.file.Close()
		}
		return nil, err
	}
	return l, nil
}

// recover reads the last file, which alone can be torn, and puts a copy in its place: a process may have been killed before
// its sync, and what a sync that failed has left in doubt, bytes or a name, no later one makes certain.
func (l *Log) recover() error {
	made := l.fsys.MkdirAll(l.dir, 0o777)
	files, err := l.fsys.ReadDir(l.dir)
	if len(files) == 0 { // make it anew, so that its name is, too
		made = errors.Join(made, l.fsys.Remove(l.dir), l.fsys.MkdirAll(l.dir, 0o777))
	}
	if err = errors.Join(made, err, simdisk.SyncDir(l.fsys, filepath.Dir(l.dir))); err != nil {
		return err
	}
	for _, f := range files { // they are in order
		if _, err := fmt.Sscanf(f.Name(), "%x.log", &l.next); err == nil { // not a copy
			l.firsts = append(l.firsts, l.next)
		}
	}
	l.firsts = slices.Compact(append(l.firsts, l.next)) // the last one again, or the first
	name := l.path(l.next)
	data, err := simdisk.ReadFile(l.fsys, name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	records, end := decode(data, l.next)
	l.next, l.end = l.next+uint64(len(records)), end
	// If a later group follows what is not whole, that was certain once: each group is synced before the next one is written.
	// Otherwise a crash may have torn it. A copy of the log, in a record for instance, has no later group.
	for at := end + 1; at < int64(len(data)); at++ {
		if first, _, ok := unseal(data[at:]); ok && first > l.next {
			return fmt.Errorf("%w: %s, byte %d", ErrCorrupt, name, end)
		}
	}
	if l.file, err = simdisk.Create(l.fsys, filepath.Join(l.dir, "new")); err != nil {
		return err
	}
	_, err = l.file.Write(data[:end])
	if err = cmp.Or(err, l.file.Sync()); err != nil {
		return err
	}
	return errors.Join(l.fsys.Rename(l.file.Name(), name), simdisk.SyncDir(l.fsys, l.dir))
}

func (l *Log) path(first uint64) string { return filepath.Join(l.dir, fmt.Sprintf("%016x.log", first)) }

// Append returns the record's index when the record is certain to survive a crash.
func (l *Log) Append(ctx context.Context, record []byte) (uint64, error) {
	if err := ctx.Err(); err != nil { // a select would take either case, by chance
		return 0, err
	}
	g, place, err := l.join(record)
	if err != nil {
		return 0, err
	}
	select {
	case <-g.done:
		return g.first + place, g.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// join copies a record into the last group of the queue, or into a new one if that is full.
func (l *Log) join(record []byte) (g *group, place uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.failed != nil {
		return nil, 0, cmp.Or(l.failed, ErrClosed)
	}
	if len(l.queue) > 0 {
		g = l.queue[len(l.queue)-1]
	}
	if g == nil || g.size+len(record) > l.opts.MaxGroup {
		g = &group{frame: make([]byte, headerSize), done: make(chan struct{})}
		l.queue = append(l.queue, g)
		l.groups.Go(l.serve)
	}
	g.frame = append(binary.AppendUvarint(g.frame, uint64(len(record))), record...)
	g.size += len(record)
	g.count++
	return g, g.count - 1, nil
}

// serve answers the first group of the queue. While it waits for the disk the group grows: that is all there is to it.
func (l *Log) serve() {
	l.disk <- struct{}{}
	defer func() { <-l.disk }()
	l.mu.Lock()
	g := l.queue[0]
	l.queue, g.first, g.err = l.queue[1:], l.next, l.failed
	l.mu.Unlock()
	if g.err == nil {
		g.err = l.commit(g)
	}
	close(g.done)
}

// commit writes a group and makes it certain. What a write that fails has left behind the end is written over.
func (l *Log) commit(g *group) error {
	if l.opts.SegmentSize > 0 && l.end >= l.opts.SegmentSize { // begin a file, with a name that is certain
		f, err := l.fsys.OpenFile(l.path(g.first), os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return err
		}
		if err := simdisk.SyncDir(l.fsys, l.dir); err != nil {
			return l.fail(errors.Join(err, f.Close()))
		}
		_ = l.file.Close() // all of it is synced
		l.file, l.end = f, 0
		l.mu.Lock()
		l.firsts = append(l.firsts, g.first)
		l.mu.Unlock()
	}
	order.PutUint64(g.frame[4:], g.first)
	order.PutUint64(g.frame[12:], uint64(len(g.frame)-headerSize))
	order.PutUint32(g.frame, crc32.Checksum(g.frame[4:], table))
	if _, err := l.file.WriteAt(g.frame, l.end); err != nil {
		return err
	}
	if err := l.file.Sync(); err != nil {
		return l.fail(err) // to try again would succeed, and write nothing
	}
	l.end += int64(len(g.frame))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next += g.count
	return nil
}

// fail puts the log out of use.
func (l *Log) fail(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = fmt.Errorf("%w: %w", ErrFailed, err)
	return l.failed
}

// Close lets the appends under way come to their end, and closes the log.
func (l *Log) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.groups.Wait() // nobody else needs the file
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.file.Close(); !errors.Is(err, os.ErrClosed) { // or another Close was first
		return errors.Join(l.failed, err)
	}
	return l.failed
}

// DropBefore removes the files before an index one by one: of two removals in doubt the first could come back alone.
func (l *Log) DropBefore(index uint64) error {
	l.disk <- struct{}{}
	defer func() { <-l.disk }()
	for l.failed == nil && len(l.firsts) > 1 && l.firsts[1] <= index {
		if err := l.fsys.Remove(l.path(l.firsts[0])); err != nil {
			return err
		}
		if err := simdisk.SyncDir(l.fsys, l.dir); err != nil {
			return l.fail(err)
		}
		l.mu.Lock()
		l.firsts = l.firsts[1:]
		l.mu.Unlock()
		<-l.disk // appends may go first
		l.disk <- struct{}{}
	}
	return l.failed
}

// Records yields the acknowledged records from an index on, in order. Where it finds damage it yields an error and ends.
func (l *Log) Records(from uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		l.mu.Lock()
		bounds := append(slices.Clone(l.firsts), l.next)
		l.mu.Unlock()
		for i, next := range bounds[1:] {
			if next <= from {
				continue
			}
			data, err := simdisk.ReadFile(l.fsys, l.path(bounds[i]))
			records, end := decode(data, bounds[i])
			for _, r := range records {
				if from <= r.Index && r.Index < next && !yield(r, nil) {
					return
				}
			}
			if err != nil || bounds[i]+uint64(len(records)) < next {
				yield(Record{}, cmp.Or(err, fmt.Errorf("%w: %s, byte %d", ErrCorrupt, l.path(bounds[i]), end)))
				return
			}
		}
	}
}

// A group in a file is a header and the records. All of it is under a sum, so a group is there or not as a whole.
const headerSize = 4 + 8 + 8 // the sum of the rest, the first record's index, the length of the records
var order, table = binary.LittleEndian, crc32.MakeTable(crc32.Castagnoli)

// unseal returns the first index and the records of the group that data begins with, if there is one and it is whole.
func unseal(data []byte) (first uint64, payload []byte, ok bool) {
	if len(data) < headerSize || order.Uint64(data[12:]) > uint64(len(data)-headerSize) {
		return 0, nil, false
	}
	frame := data[:headerSize+order.Uint64(data[12:])]
	return order.Uint64(frame[4:]), frame[headerSize:], order.Uint32(frame) == crc32.Checksum(frame[4:], table)
}

// decode returns the records of the groups that are whole and follow each other from the start on, and their end.
func decode(data []byte, next uint64) (records []Record, end int64) {
	for {
		first, payload, ok := unseal(data[end:])
		if !ok || first != next {
			return records, end
		}
		end += headerSize + int64(len(payload))
		for ; len(payload) > 0; next++ {
			size, n := binary.Uvarint(payload)
			records = append(records, Record{next, payload[n:][:size:size]})
			payload = payload[n+int(size):]
		}
	}
}
