//go:build solutions

package groupcommit

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/backend-kata/dojo/pkg/simdisk"
)

// ErrClosed is the answer to an Append that comes after Close.
var ErrClosed = errors.New("groupcommit: the log is closed")

// ErrCorrupt is in every error that says that acknowledged records are damaged.
var ErrCorrupt = errors.New("groupcommit: the log is damaged")

// ErrFailed is in every error of a log that is out of use since a sync has failed.
var ErrFailed = errors.New("groupcommit: the log has failed")

// Options are the limits of a log. The zero value is ready for use.
type Options struct {
	// MaxGroup is how many bytes of records may be written between two syncs, 1 MiB if it is 0. A larger record
	// goes alone.
	MaxGroup int

	// SegmentSize is how large a file may grow before the next one is begun, without a limit if it is 0.
	SegmentSize int64
}

// A Record is what was appended, and its place in the log: 1, 2, 3 and so on.
type Record struct {
	Index uint64
	Data  []byte
}

// A Log is an append-only file of records that survive a crash. It is safe for concurrent use.
type Log struct {
	fsys simdisk.FS
	dir  string
	opts Options

	// Of the one goroutine that writes, while there is something to write.
	file simdisk.File // the last segment

	dropping sync.Mutex // one DropBefore after the other

	mu       sync.Mutex    // guards what follows; nobody writes or syncs with it
	segments []segment     // the last one is being written
	next     uint64        // the index of the next record to be acknowledged
	waiting  []*entry      // not written yet
	idle     chan struct{} // closed when nobody writes
	closed   bool
	failed   error
}

// A segment is a file of groups.
type segment struct {
	first uint64 // the index of its first record
	end   int64  // of what is acknowledged in it
}

// An entry is an Append under way.
type entry struct {
	data  []byte
	index uint64
	err   error
	done  chan struct{}
}

// Open opens the log in dir, and makes dir if it is not there.
func Open(fsys simdisk.FS, dir string, opts Options) (*Log, error) {
	if opts.MaxGroup == 0 {
		opts.MaxGroup = 1 << 20
	}
	l := &Log{fsys: fsys, dir: dir, opts: opts, next: 1, idle: make(chan struct{})}
	close(l.idle)
	if err := l.recover(); err != nil {
		return nil, err
	}
	return l, nil
}

// Append returns the record's index when it is certain to survive a crash.
func (l *Log) Append(ctx context.Context, record []byte) (uint64, error) {
	if err := ctx.Err(); err != nil { // a select would take either, by chance
		return 0, err
	}
	e := &entry{data: record, done: make(chan struct{})}
	if err := l.join(e); err != nil {
		return 0, err
	}
	select {
	case <-e.done:
		return e.index, e.err
	case <-ctx.Done():
		l.leave(e)
		return 0, ctx.Err()
	}
}

// join puts an entry in the line, and somebody to work if nobody is.
func (l *Log) join(e *entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.state(); err != nil {
		return err
	}
	l.waiting = append(l.waiting, e)
	select {
	case <-l.idle:
		l.idle = make(chan struct{})
		go l.work()
	default:
	}
	return nil
}

// leave takes an entry out of the line, if it is still there. The caller may do with its record what it likes then.
func (l *Log) leave(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.waiting, e); i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
	}
}

// state returns why nothing can be appended. The lock is held.
func (l *Log) state() error {
	if l.closed {
		return ErrClosed
	}
	return l.failed
}

// work commits group after group, until nobody waits. While one group is synced the next one gathers: that is all there
// is to it.
func (l *Log) work() {
	for {
		entries, payload := l.gather()
		if len(entries) == 0 {
			return
		}
		first, err := l.commit(payload, len(entries))
		for i, e := range entries {
			e.index, e.err = first+uint64(i), err
			close(e.done)
		}
	}
}

// gather takes the next group out of the line, and a copy of its records, since a caller may give up.
func (l *Log) gather() (entries []*entry, payload []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	size := 0
	for _, e := range l.waiting {
		if size += len(e.data); size > l.opts.MaxGroup && len(entries) > 0 {
			break
		}
		entries = append(entries, e)
		payload = append(binary.AppendUvarint(payload, uint64(len(e.data))), e.data...)
	}
	l.waiting = slices.Delete(l.waiting, 0, len(entries))
	if len(entries) == 0 {
		close(l.idle)
	}
	return entries, payload
}

// commit writes a group and makes it certain. It returns the index of the first record.
func (l *Log) commit(payload []byte, n int) (uint64, error) {
	first, at, err := l.place()
	if err != nil {
		return 0, err
	}
	frame := encode(first, at, payload)
	if _, err := l.file.WriteAt(frame, at); err != nil {
		if cut := l.file.Truncate(at); cut != nil {
			return 0, l.fail(cut)
		}
		return 0, err
	}
	if err := l.file.Sync(); err != nil {
		return 0, l.fail(err) // to try again would succeed, and write nothing
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next += uint64(n)
	l.segments[len(l.segments)-1].end += int64(len(frame))
	return first, nil
}

// place says where the next group goes, and begins a segment for it if need be.
func (l *Log) place() (first uint64, at int64, err error) {
	l.mu.Lock()
	next, last, err := l.next, l.segments[len(l.segments)-1], l.failed
	l.mu.Unlock()
	if err != nil || l.opts.SegmentSize == 0 || last.end < l.opts.SegmentSize {
		return next, last.end, err
	}
	return next, 0, l.begin(next)
}

// begin begins a segment, with a name that is certain.
func (l *Log) begin(first uint64) error {
	f, err := l.fsys.OpenFile(l.path(first), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	if err := simdisk.SyncDir(l.fsys, l.dir); err != nil {
		return l.fail(errors.Join(err, f.Close()))
	}
	if l.file != nil {
		_ = l.file.Close() // all of it is synced
	}
	l.file = f
	l.mu.Lock()
	defer l.mu.Unlock()
	l.segments = append(l.segments, segment{first: first})
	return nil
}

func (l *Log) path(first uint64) string { return filepath.Join(l.dir, fmt.Sprintf("%016x.log", first)) }

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
	again, idle := l.closed, l.idle
	l.closed = true
	l.mu.Unlock()
	<-idle // nobody writes from here on
	l.mu.Lock()
	defer l.mu.Unlock()
	if again {
		return l.failed
	}
	return errors.Join(l.failed, l.file.Close())
}

// Records yields the acknowledged records from an index on, in order. Where it finds damage it yields an error and ends.
func (l *Log) Records(from uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		l.mu.Lock()
		segments := slices.Clone(l.segments)
		l.mu.Unlock()
		for len(segments) > 1 && segments[1].first <= from {
			segments = segments[1:]
		}
		for _, s := range segments {
			records, err := l.read(s)
			for _, r := range records {
				if r.Index >= from && !yield(r, nil) {
					return
				}
			}
			if err != nil {
				yield(Record{}, err)
				return
			}
		}
	}
}

// read returns the acknowledged records of a segment, and an error if these are not all.
func (l *Log) read(s segment) ([]Record, error) {
	data, err := simdisk.ReadFile(l.fsys, l.path(s.first))
	if err != nil {
		return nil, err
	}
	records, end := decodeAll(data[:min(s.end, int64(len(data)))], s.first)
	if end < s.end {
		err = l.damage(s.first, end)
	}
	return records, err
}

// DropBefore removes the segments that have only records before an index. One after the other: of two removals in doubt
// the first could come back alone, and leave a gap.
func (l *Log) DropBefore(index uint64) error {
	l.dropping.Lock()
	defer l.dropping.Unlock()
	for {
		l.mu.Lock()
		segments, err := l.segments, l.failed
		l.mu.Unlock()
		if err != nil || len(segments) < 2 || segments[1].first > index {
			return err
		}
		if err := l.fsys.Remove(l.path(segments[0].first)); err != nil {
			return err
		}
		if err := simdisk.SyncDir(l.fsys, l.dir); err != nil {
			return l.fail(err)
		}
		l.mu.Lock()
		l.segments = slices.Clone(l.segments[1:])
		l.mu.Unlock()
	}
}

// recover finds out what there is and makes it certain: a process may have been killed between a write and its sync.
func (l *Log) recover() error {
	err := l.fsys.MkdirAll(l.dir, 0o777)
	if err == nil {
		err = errors.Join(simdisk.SyncDir(l.fsys, filepath.Dir(l.dir)), simdisk.SyncDir(l.fsys, l.dir))
	}
	if err != nil {
		return err
	}
	firsts, err := l.list()
	if err != nil {
		return err
	}
	if len(firsts) == 0 {
		return l.begin(1)
	}
	l.next = firsts[0] // what was before it was dropped
	for i, first := range firsts {
		if err := l.recoverSegment(first, i == len(firsts)-1); err != nil {
			return err
		}
	}
	return nil
}

// list returns the first index of each segment, in order.
func (l *Log) list() ([]uint64, error) {
	var firsts []uint64
	entries, err := l.fsys.ReadDir(l.dir)
	for _, e := range entries {
		if first, err := strconv.ParseUint(strings.TrimSuffix(e.Name(), ".log"), 16, 64); err == nil {
			firsts = append(firsts, first)
		}
	}
	return firsts, err
}

// recoverSegment reads a segment. Only the last one can have a torn tail, since each was synced before the next began.
func (l *Log) recoverSegment(first uint64, last bool) error {
	data, err := simdisk.ReadFile(l.fsys, l.path(first))
	if err != nil {
		return err
	}
	records, end := decodeAll(data, first)
	torn := end < int64(len(data))
	if first != l.next || torn && (!last || goesOn(data, end)) {
		return l.damage(first, end)
	}
	l.next += uint64(len(records))
	l.segments = append(l.segments, segment{first, end})
	if !last {
		return nil
	}
	if l.file, err = l.fsys.OpenFile(l.path(first), os.O_RDWR, 0); err != nil {
		return err
	}
	if torn {
		err = l.file.Truncate(end)
	}
	if err = errors.Join(err, l.file.Sync()); err != nil {
		return errors.Join(err, l.file.Close())
	}
	return nil
}

func (l *Log) damage(first uint64, at int64) error {
	return fmt.Errorf("%w: %s, byte %d", ErrCorrupt, l.path(first), at)
}

// A group in a file is a header and the records, each after its length. All of it is under a sum, so a group is there or
// not as a whole. The header's sum covers its place in the file too: a copy, in a record for instance, is no header.
const headerSize = 8 + 8 + 4 + 4 // the first record's index, the length and sum of the records, the sum of the header

var (
	order = binary.LittleEndian
	table = crc32.MakeTable(crc32.Castagnoli)
)

func encode(first uint64, at int64, payload []byte) []byte {
	group := order.AppendUint64(nil, first)
	group = order.AppendUint64(group, uint64(len(payload)))
	group = order.AppendUint32(group, crc32.Checksum(payload, table))
	group = order.AppendUint32(group, headerSum(group, at))
	return append(group, payload...)
}

func headerSum(header []byte, at int64) uint32 {
	place := order.AppendUint64(nil, uint64(at))
	return crc32.Update(crc32.Checksum(place, table), table, header)
}

func isHeader(data []byte, at int64) bool {
	if at+headerSize > int64(len(data)) {
		return false
	}
	sum := at + headerSize - 4
	return order.Uint32(data[sum:]) == headerSum(data[at:sum], at)
}

// decodeAll returns the records of the groups that are whole and follow each other from the start on, and their end.
func decodeAll(data []byte, first uint64) (records []Record, end int64) {
	for isHeader(data, end) && order.Uint64(data[end:]) == first+uint64(len(records)) {
		length, payload := order.Uint64(data[end+8:]), data[end+headerSize:]
		if length > uint64(len(payload)) || crc32.Checksum(payload[:length], table) != order.Uint32(data[end+16:]) {
			break
		}
		for rest := payload[:length]; len(rest) > 0; {
			size, n := binary.Uvarint(rest)
			records = append(records, Record{first + uint64(len(records)), rest[n : n+int(size)]})
			rest = rest[n+int(size):]
		}
		end += headerSize + int64(length)
	}
	return records, end
}

// goesOn reports whether a group follows where one is damaged. Then the damaged one was certain once, since no group is
// written before the one before it is synced. Where none follows, a crash may have torn it.
func goesOn(data []byte, end int64) bool {
	for end++; end < int64(len(data)); end++ {
		if isHeader(data, end) {
			return true
		}
	}
	return false
}
