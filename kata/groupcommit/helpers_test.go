package groupcommit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/backend-kata/dojo/kata/groupcommit"
	"github.com/backend-kata/dojo/pkg/simdisk"
)

// The log is in this folder of each disk.
const dir = "log"

// record is what is appended as number n, and tells which it is.
func record(n, size int) []byte {
	text := fmt.Sprintf("record %d, ", n)
	return []byte(strings.Repeat(text, size/len(text)+1)[:size])
}

// short puts a record into few words.
func short(r []byte) string {
	if len(r) <= 24 {
		return fmt.Sprintf("%q", r)
	}
	return fmt.Sprintf("%q... (%d bytes)", r[:16], len(r))
}

func open(t *testing.T, fsys simdisk.FS, opts groupcommit.Options) *groupcommit.Log {
	t.Helper()
	l, err := groupcommit.Open(fsys, dir, opts)
	require.NoError(t, err, "Open was expected to succeed")
	return l
}

// add appends and expects an index.
func add(t *testing.T, l *groupcommit.Log, r []byte, want int) {
	t.Helper()
	index, err := l.Append(t.Context(), r)
	require.NoError(t, err, "Append of record %d was expected to succeed", want)
	require.Equal(t, uint64(want), index, "record %d was appended, and Append was expected to return the index %d; it returned %d", want, want, index)
}

// read returns all records from an index on, and the error at the end. Their indexes must follow each other.
func read(l *groupcommit.Log, from uint64) (records [][]byte, err error) {
	next := from
	for r, err := range l.Records(from) {
		if err != nil {
			return records, err
		}
		if r.Index != next && (len(records) > 0 || r.Index < from) {
			return records, fmt.Errorf("Records yielded the index %d where %d was expected", r.Index, next)
		}
		next = r.Index + 1
		records = append(records, bytes.Clone(r.Data))
	}
	return records, nil
}

// differ says where the records of a log are not those that were appended, as far as there are any.
func differ(got, appended [][]byte) error {
	for i, r := range got {
		if i >= len(appended) {
			return fmt.Errorf("the log has a record %d, %s, that nobody appended", i+1, short(r))
		}
		if !bytes.Equal(r, appended[i]) {
			return fmt.Errorf("the log has %s as record %d, and %s was appended", short(r), i+1, short(appended[i]))
		}
	}
	return nil
}

// has expects exactly these records from index 1 on.
func has(t *testing.T, l *groupcommit.Log, want [][]byte, when string) {
	t.Helper()
	got, err := read(l, 1)
	require.NoError(t, err, "Records was expected to yield all records, %s", when)
	require.NoError(t, differ(got, want), "%s", when)
	counts(t, got, len(want), "the log was expected to have %d records, %s; it has %d", len(want), when, len(got))
}

// counts expects a number of records, and prints no bytes if there is another.
func counts(t *testing.T, got [][]byte, want int, format string, args ...any) {
	t.Helper()
	if len(got) != want {
		t.Fatalf(format, args...)
	}
}

// closes expects that Close succeeds.
func closes(t *testing.T, l *groupcommit.Log) {
	t.Helper()
	require.NoError(t, l.Close(), "Close was expected to succeed")
}

// acknowledged notes for the check after a crash that a record was.
func acknowledged(d *simdisk.Disk, n int) { d.Note("record %d is acknowledged", n) }

func countAcknowledged(c *simdisk.Crash) int {
	n := 0
	for _, note := range c.Notes {
		if strings.HasSuffix(note, "is acknowledged") {
			n++
		}
	}
	return n
}

// recovered opens the log after a crash, and expects what was acknowledged, and nothing that was not appended.
func recovered(d *simdisk.Disk, opts groupcommit.Options, appended [][]byte, acked int) (*groupcommit.Log, [][]byte, error) {
	l, err := groupcommit.Open(d, dir, opts)
	if err != nil {
		return nil, nil, fmt.Errorf("Open was expected to succeed after a crash; it said: %w", err)
	}
	got, err := read(l, 1)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("Records was expected to succeed after a crash; it said: %w", err), l.Close())
	}
	if err := differ(got, appended); err != nil {
		return nil, nil, errors.Join(err, l.Close())
	}
	if len(got) < acked {
		return nil, nil, errors.Join(fmt.Errorf("%d records were acknowledged before the crash, and the log has %d after it: record %d is lost", acked, len(got), len(got)+1), l.Close())
	}
	return l, got, nil
}

// goesOn is recovered, and expects of the log that it takes a record more and has it when it is opened again.
func goesOn(d *simdisk.Disk, appended [][]byte, acked int) error {
	opts := groupcommit.Options{}
	l, got, err := recovered(d, opts, appended, acked)
	if err != nil {
		return err
	}
	more := []byte("appended after the crash")
	index, err := l.Append(context.Background(), more)
	if err := errors.Join(err, l.Close()); err != nil {
		return fmt.Errorf("after the crash Append and Close were expected to succeed: %w", err)
	}
	if index != uint64(len(got)+1) {
		return fmt.Errorf("after the crash the log had %d records, and the next was expected to have the index %d; it has %d", len(got), len(got)+1, index)
	}
	l, _, err = recovered(d, opts, append(slices.Clip(got), more), len(got)+1)
	if err != nil {
		return fmt.Errorf("with the record that was appended after the crash: %w", err)
	}
	return l.Close()
}

// survivesAgain is a crash while the log is opened after a crash, and while it takes its first record.
func survivesAgain(d *simdisk.Disk, appended [][]byte, acked int) error {
	opts := groupcommit.Options{}
	var after [][]byte
	d.Latency = slow
	_, err := simdisk.Crashes{
		Disk:   d,
		Budget: 25,
		Workload: func(d *simdisk.Disk) error {
			l, got, err := recovered(d, opts, appended, acked)
			if err != nil {
				return err
			}
			after = append(slices.Clip(got), []byte("appended after the crash"))
			d.Note("the log is open")
			for i := range got {
				acknowledged(d, i+1)
			}
			if _, err = l.Append(context.Background(), after[len(got)]); err == nil {
				acknowledged(d, len(after))
			}
			return errors.Join(err, l.Close())
		},
		Check: func(c *simdisk.Crash) error {
			expected := appended
			if len(c.Notes) > 0 {
				expected = after
			}
			l, _, err := recovered(c.Disk, opts, expected, max(acked, countAcknowledged(c)))
			if err != nil {
				return err
			}
			return l.Close()
		},
	}.Explore()
	if err != nil {
		return fmt.Errorf("a second crash, while the log was opened after the first one or just after that: %w", err)
	}
	return nil
}

// syncs makes each sync of a file take a while.
func syncs(takes time.Duration) func(simdisk.Op) time.Duration {
	return func(op simdisk.Op) time.Duration {
		if op.Kind == simdisk.OpSync {
			return takes
		}
		return 0
	}
}

// slow makes each sync take a while, so that what does not wait for it comes first.
func slow(op simdisk.Op) time.Duration {
	if op.Kind == simdisk.OpSync || op.Kind == simdisk.OpSyncDir {
		return time.Millisecond
	}
	return 0
}

// A call is an Append or Close under way.
type call struct {
	ended chan struct{}
	index uint64
	err   error
	took  time.Duration
}

func start(f func() (uint64, error)) *call {
	c := &call{ended: make(chan struct{})}
	began := time.Now()
	go func() {
		c.index, c.err = f()
		c.took = time.Since(began)
		close(c.ended)
	}()
	synctest.Wait()
	return c
}

func appending(ctx context.Context, l *groupcommit.Log, r []byte) *call {
	return start(func() (uint64, error) { return l.Append(ctx, r) })
}

// An unhurried context lets others go first when it is asked whether it has ended.
type unhurried struct{ context.Context } //nolint:containedctx // it is one

func (c unhurried) Done() <-chan struct{} {
	for range 20 {
		runtime.Gosched()
	}
	return c.Context.Done()
}

func closing(l *groupcommit.Log) *call {
	return start(func() (uint64, error) { return 0, l.Close() })
}

// waits reports whether the call is under way once all is quiet.
func (c *call) waits() bool {
	synctest.Wait()
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

// files returns what is in the log's folder.
func files(t *testing.T, d *simdisk.Disk) map[string][]byte {
	t.Helper()
	entries, err := d.ReadDir(dir)
	require.NoError(t, err, "the log's folder was expected to be there")
	found := map[string][]byte{}
	for _, e := range entries {
		data, err := simdisk.ReadFile(d, path.Join(dir, e.Name()))
		require.NoError(t, err, "%s was expected to be a file", e.Name())
		found[e.Name()] = data
	}
	return found
}

// diskWith returns a disk that has these files in the log's folder.
func diskWith(t *testing.T, files map[string][]byte) *simdisk.Disk {
	t.Helper()
	d := &simdisk.Disk{}
	require.NoError(t, d.MkdirAll(dir, 0o777))
	for name, data := range files {
		f, err := simdisk.Create(d, path.Join(dir, name))
		require.NoError(t, err)
		_, err = f.Write(data)
		require.NoError(t, errors.Join(err, f.Sync(), f.Close()))
	}
	require.NoError(t, errors.Join(simdisk.SyncDir(d, dir), simdisk.SyncDir(d, ".")))
	return d
}

var errKilled = errors.New("the program was killed")

// A mortal file system is that of a program that is killed after so many changes: from then on nothing it does happens.
type mortal struct {
	simdisk.FS
	left atomic.Int64
}

func (m *mortal) die() error {
	if m.left.Add(-1) < 0 {
		return errKilled
	}
	return nil
}

func (m *mortal) OpenFile(name string, flag int, perm fs.FileMode) (simdisk.File, error) {
	if err := m.die(); err != nil {
		return nil, err
	}
	f, err := m.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &mortalFile{f, m}, nil
}

func (m *mortal) MkdirAll(name string, perm fs.FileMode) error {
	if err := m.die(); err != nil {
		return err
	}
	return m.FS.MkdirAll(name, perm)
}

func (m *mortal) Rename(oldname, newname string) error {
	if err := m.die(); err != nil {
		return err
	}
	return m.FS.Rename(oldname, newname)
}

func (m *mortal) Remove(name string) error {
	if err := m.die(); err != nil {
		return err
	}
	return m.FS.Remove(name)
}

type mortalFile struct {
	simdisk.File
	m *mortal
}

func (f *mortalFile) Write(p []byte) (int, error) {
	if err := f.m.die(); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

func (f *mortalFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.m.die(); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, off)
}

func (f *mortalFile) Truncate(size int64) error {
	if err := f.m.die(); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *mortalFile) Sync() error {
	if err := f.m.die(); err != nil {
		return err
	}
	return f.File.Sync()
}

// The void takes everything and keeps nothing. It has no lock, so nothing but the log orders the goroutines that write
// to it.
type void struct{}

func (void) OpenFile(name string, _ int, _ fs.FileMode) (simdisk.File, error) {
	return voidFile{name: name}, nil
}
func (void) MkdirAll(string, fs.FileMode) error    { return nil }
func (void) Rename(_, _ string) error              { return nil }
func (void) Remove(string) error                   { return nil }
func (void) ReadDir(string) ([]fs.DirEntry, error) { return nil, nil }
func (void) Stat(string) (fs.FileInfo, error)      { return nil, fs.ErrNotExist }

type voidFile struct{ name string }

func (f voidFile) Name() string                         { return f.name }
func (voidFile) Write(p []byte) (int, error)            { return len(p), nil }
func (voidFile) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (voidFile) Read([]byte) (int, error)               { return 0, io.EOF }
func (voidFile) ReadAt([]byte, int64) (int, error)      { return 0, io.EOF }
func (voidFile) Seek(off int64, _ int) (int64, error)   { return off, nil }
func (voidFile) Truncate(int64) error                   { return nil }
func (voidFile) Sync() error                            { return nil }
func (voidFile) Close() error                           { return nil }
func (f voidFile) Stat() (fs.FileInfo, error)           { return emptyFile(f), nil }

type emptyFile struct{ name string }

func (f emptyFile) Name() string     { return path.Base(f.name) }
func (emptyFile) Size() int64        { return 0 }
func (emptyFile) Mode() fs.FileMode  { return 0o666 }
func (emptyFile) ModTime() time.Time { return time.Time{} }
func (emptyFile) IsDir() bool        { return false }
func (emptyFile) Sys() any           { return nil }
