package groupcommit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/backend-kata/dojo/kata/groupcommit"
	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/pkg/simdisk"
)

const dir = "data/log" // where the log is on each disk

type (
	options = groupcommit.Options
	log     = groupcommit.Log
)

// newDisk returns a disk with the files in the log's folder. The folder that this is in is there for certain.
func newDisk(files map[string][]byte) *simdisk.Disk {
	d := &simdisk.Disk{}
	_, _ = d.MkdirAll(path.Dir(dir), 0o777), simdisk.SyncDir(d, ".") // nothing fails here
	for name, data := range files {
		_ = d.MkdirAll(dir, 0o777)
		write(d, name, data)
	}
	return d
}

func write(d *simdisk.Disk, name string, data []byte) {
	f, _ := d.OpenFile(path.Join(dir, name), os.O_WRONLY|os.O_CREATE, 0o666)
	_, _ = f.Write(data)
	_ = f.Close()
}

func files(t *step.T, d *simdisk.Disk) map[string][]byte {
	entries, err := d.ReadDir(dir)
	found := map[string][]byte{}
	for _, e := range entries {
		data, readErr := simdisk.ReadFile(d, path.Join(dir, e.Name()))
		found[e.Name()], err = data, errors.Join(err, readErr)
	}
	step.NoError(t, err, "The log's folder and the files in it should be there.")
	return found
}

func record(n, size int) []byte {
	text := fmt.Sprintf("record %d, ", n)
	return []byte(strings.Repeat(text, size/len(text)+1)[:size])
}

// A ledger is a log, and what it has acknowledged.
type ledger struct {
	*log
	*program
	t       *step.T
	opts    options
	records [][]byte
}

// open opens a log, and appends n records of 40 bytes.
func open(t *step.T, d *simdisk.Disk, opts options, n int) *ledger {
	t.Helper()
	p := newProgram(d, math.MaxInt64)
	opened, err := groupcommit.Open(p, dir, opts)
	step.NoError(t, err, "Open should succeed.")
	l := &ledger{opened, p, t, opts, nil}
	for i := range n {
		l.take(record(i+1, 40))
	}
	return l
}

func (l *ledger) add(r []byte) {
	l.t.Helper()
	n := len(l.records) + 1
	step.Equal(l.t, uint64(n), l.take(r), "The index that Append returns for record %d:", n)
}

// take adds a record whose index is not what a step is about.
func (l *ledger) take(r []byte) uint64 {
	l.t.Helper()
	index, err := l.Append(l.t.Context(), r)
	step.NoError(l.t, err, "Append of record %d should succeed.", len(l.records)+1)
	l.acknowledged(r)
	return index
}

// acknowledged keeps a record, and notes for the check after a crash that it was acknowledged.
func (l *ledger) acknowledged(r []byte) {
	l.records = append(l.records, bytes.Clone(r))
	note(l.Disk, len(l.records))
}

func (l *ledger) start(ctx context.Context, r []byte) *step.Call[answer] {
	return step.Start(l.t, func() answer {
		l.t.Tell("Append(%.25q)", r)
		a := answerOf(l.Append(ctx, r))
		l.t.Tell("Append(%.25q) returns %v", r, a)
		return a
	})
}

// has expects exactly the records from an index on.
func (l *ledger) has(from uint64, when string) {
	l.t.Helper()
	got, err := read(l.log, 0)
	step.NoError(l.t, err, "Records should yield all records %s.", when)
	step.NoError(l.t, differ(got, l.records), "The records %s should be those that were appended.", when)
	step.Expect(l.t, len(got) == len(l.records)-int(from)+1 && (len(got) == 0 || got[0].Index == from),
		"The log should have %d records %s, from number %d on. Records yields %d.", len(l.records)-int(from)+1, when, from, len(got))
}

func (l *ledger) close() {
	l.t.Helper()
	step.NoError(l.t, l.Close(), "Close should succeed.")
	step.Equal(l.t, 0, l.open.Load(), "How many files are open after Close:")
}

// reopen closes the log and opens it again.
func (l *ledger) reopen() {
	l.t.Helper()
	l.close()
	again := open(l.t, l.Disk, l.opts, 0)
	l.log, l.program = again.log, again.program
}

var errOrder = errors.New("one record should follow the other")

// read returns the records from an index on, up to an error.
func read(l *log, from uint64) (records []groupcommit.Record, err error) {
	for r, err := range l.Records(from) {
		if n := len(records); err == nil && (r.Index < from || n > 0 && r.Index != records[n-1].Index+1) {
			err = fmt.Errorf("%w: Records(%d) yields record %d after %d others", errOrder, from, r.Index, n)
		}
		if err != nil {
			return records, err
		}
		records = append(records, groupcommit.Record{Index: r.Index, Data: bytes.Clone(r.Data)})
	}
	return records, nil
}

// differ says where the records of a log are not those that were appended.
func differ(got []groupcommit.Record, appended [][]byte) error {
	for _, r := range got {
		if r.Index < 1 || r.Index > uint64(len(appended)) {
			return fmt.Errorf("the log has a record %d, %.25q, that nobody appended", r.Index, r.Data)
		}
		if want := appended[r.Index-1]; !bytes.Equal(r.Data, want) {
			return fmt.Errorf("record %d is %.25q (%d bytes), and %.25q was appended (%d)", r.Index, r.Data, len(r.Data), want, len(want))
		}
	}
	return nil
}

func note(d *simdisk.Disk, n int) { d.Note("record %d is acknowledged", n) }

// acknowledged returns how many records were, before a crash.
func acknowledged(c *simdisk.Crash) (most int) {
	for _, text := range c.Notes {
		n := 0
		_, _ = fmt.Sscanf(text, "record %d is acknowledged", &n)
		most = max(most, n)
	}
	return most
}

// recovered expects all acknowledged records from the oldest on in the log after a crash. It calls then with their number.
func recovered(d *simdisk.Disk, opts options, appended [][]byte, oldest, acked int, then func(*log, int) error) error {
	l, err := groupcommit.Open(d, dir, opts)
	if err != nil {
		return fmt.Errorf("Open should succeed after a crash, and returns: %w", err)
	}
	got, err := read(l, 0)
	err = errors.Join(err, differ(got, appended))
	switch n := len(got); {
	case err != nil:
		err = fmt.Errorf("the log after a crash: %w", err)
	case n == 0 && acked > 0, n > 0 && (int(got[0].Index) > oldest || int(got[n-1].Index) < acked):
		err = fmt.Errorf("records %d to %d should be in the log after the crash, and it has %d", oldest, acked, n)
	case then != nil:
		err = then(l, n)
	}
	return errors.Join(err, l.Close())
}

// takesOne appends to the log after a crash, right in the place of what is lost, and returns what the log should have then.
func takesOne(d *simdisk.Disk, appended [][]byte, acked int) (all [][]byte, err error) {
	err = recovered(d, options{}, appended, 1, acked, func(l *log, n int) error {
		note(d, n) // that Open has found it is as good
		all = append(slices.Clip(appended[:n]), bytes.Repeat([]byte("x"), max(24, len(append(slices.Clip(appended), nil)[n]))))
		index, err := l.Append(context.Background(), all[n])
		note(d, int(index))
		if err == nil && index != uint64(n+1) {
			err = fmt.Errorf("after the crash the log had %d records, and gives the next one the index %d", n, index)
		}
		return err
	})
	return all, err
}

// goesOn is a check after a crash: the log has what it should, takes one more record, and has that when it is opened anew.
func goesOn(d *simdisk.Disk, appended [][]byte, acked int) error {
	all, err := takesOne(d, appended, acked)
	if err == nil {
		err = recovered(d, options{}, all, 1, len(all), nil)
	}
	return err
}

// takes makes operations of these kinds take a while.
func takes(long time.Duration, kinds ...simdisk.Kind) func(simdisk.Op) time.Duration {
	return func(op simdisk.Op) time.Duration {
		if slices.Contains(kinds, op.Kind) {
			return long
		}
		return 0
	}
}

func changes(op simdisk.Op) bool {
	return !slices.Contains([]simdisk.Kind{"open", "read", "read dir", "stat", "note"}, op.Kind)
}

// A program is what a program sees of a disk: it counts its open files, and is killed after so many changes to the disk.
type program struct {
	*simdisk.Disk
	left, open atomic.Int64
}

func newProgram(d *simdisk.Disk, changes int64) *program {
	p := &program{Disk: d}
	p.left.Store(changes)
	return p
}

func (p *program) OpenFile(name string, flag int, perm fs.FileMode) (simdisk.File, error) {
	f, err := p.Disk.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	p.open.Add(1)
	return &programFile{f, p}, nil
}

func (p *program) kill(op simdisk.Op) error {
	if changes(op) && p.left.Add(-1) < 0 {
		return syscall.EIO
	}
	return nil
}

type programFile struct {
	simdisk.File
	p *program
}

// Sync of a dead program does not reach the disk: it is not a sync that fails.
func (f *programFile) Sync() error {
	if f.p.left.Load() <= 0 {
		return syscall.EIO
	}
	return f.File.Sync()
}

func (f *programFile) Close() error {
	err := f.File.Close()
	if err == nil {
		f.p.open.Add(-1)
	}
	return err
}

type answer struct {
	index uint64
	err   error
}

func answerOf(index uint64, err error) answer { return answer{index, err} }
func (a answer) String() string               { return fmt.Sprintf("%d, %v", a.index, a.err) }

// calls are what may be done to a log at the same time.
var calls = map[string]func(l *log) answer{
	"Append":     func(l *log) answer { return answerOf(l.Append(context.Background(), []byte("at the same time"))) },
	"Records":    func(l *log) answer { got, err := read(l, 0); return answer{uint64(len(got)), err} },
	"DropBefore": func(l *log) answer { return answer{0, l.DropBefore(3)} },
	"Close":      func(l *log) answer { return answer{0, l.Close()} },
}
