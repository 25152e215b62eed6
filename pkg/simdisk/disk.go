package simdisk

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/backend-kata/dojo/pkg/internal/lives"
)

// A Disk is a file system in memory that remembers what was synced, so that
// [Crashes] can tell what a crash may leave of it. The zero value is an empty
// disk without faults, limits or latency, ready for use. The exported fields are
// set before the first use.
//
// A Disk is safe for concurrent use, and so are its files. No lock is held while
// an operation waits. It must not be copied.
type Disk struct {
	// SectorSize is how many bytes the disk writes as one piece, at an offset
	// that is a multiple of it: 512 if it is 0.
	SectorSize int

	// Capacity is how many bytes all files together may have, holes included.
	// More is answered by syscall.ENOSPC, after as much as fits. 0 means no limit.
	Capacity int64

	// Fault is asked before each operation, and makes it fail by an error. It
	// may be called by several goroutines at once. An operation that fails
	// changes nothing, but a write may be [Short], and a sync that fails leaves
	// what it should have written in doubt for ever.
	Fault func(Op) error

	// Latency says how long an operation takes. The disk serves one operation
	// after another, in the order in which they came, and those that take no
	// time do not wait for it: they are served by the page cache. In a bubble of
	// testing/synctest the time is virtual, elsewhere it is real. A bubble's clock stands
	// still while a goroutine waits for a lock: code that holds one over an operation that
	// takes time, as many logs do over a sync, hangs there as soon as another wants the
	// lock. Nil means that nothing takes time.
	Latency func(Op) time.Duration

	// Done is told of each operation that is kept in the record, as [Disk.Ops] has it,
	// right after it was done and before whoever asked for it hears of it. It may be
	// called by several goroutines at once.
	Done func(Op)

	mu    sync.Mutex // guards all below, and all inodes and handles
	root  *inode
	used  int64
	busy  time.Time   // when the disk will have served all that came
	ops   []Op        // what was done since the start
	atoms []*atom     // and what it changed
	told  int         // so many of ops were told to Done
	dead  *lives.Dead // not nil once the power is gone
}

const defaultSector = 512

func (d *Disk) sector() int {
	if d.SectorSize > 0 {
		return d.SectorSize
	}
	return defaultSector
}

// lock locks the disk, and makes a zero one ready.
func (d *Disk) lock() {
	d.mu.Lock()
	if d.root == nil {
		d.root = newFolder(0o777)
		d.root.links = 1
		d.root.started()
	}
}

// unlock ends an operation, and tells Done what was kept.
func (d *Disk) unlock() {
	kept := d.ops[d.told:]
	d.told = len(d.ops)
	dead := d.dead != nil
	d.mu.Unlock()
	if d.Done == nil || dead {
		return
	}
	for _, op := range kept {
		d.Done(op)
	}
}

// begin lets an operation fail and take its time. No lock is held.
func (d *Disk) begin(op Op) error {
	if err := d.power(); err != nil {
		return err
	}
	var err error
	if d.Fault != nil {
		err = d.Fault(op)
	}
	if d.Latency != nil {
		d.take(d.Latency(op))
	}
	return cmp.Or(d.power(), err)
}

// take waits until the disk has served what came before, and then for as long
// as this takes. It sets a time and holds no lock: a goroutine that waits for a
// lock would stop a bubble's clock.
func (d *Disk) take(latency time.Duration) {
	if latency <= 0 {
		return
	}
	d.mu.Lock()
	now := time.Now()
	if d.busy.Before(now) {
		d.busy = now
	}
	d.busy = d.busy.Add(latency)
	wait := d.busy.Sub(now)
	d.mu.Unlock()
	time.Sleep(wait)
}

// keep keeps an operation in the record. Whoever calls it holds the lock.
func (d *Disk) keep(op Op, err error) {
	op.Err = err
	d.ops = append(d.ops, op)
}

// Ops returns what was done to the disk since it was started, in order, failures
// included. Opening and reading are not kept.
func (d *Disk) Ops() []Op {
	d.lock()
	defer d.mu.Unlock()
	return slices.Clone(d.ops)
}

// Count returns how many operations of a kind are in [Disk.Ops].
func (d *Disk) Count(kind Kind) int {
	n := 0
	for _, op := range d.Ops() {
		if op.Kind == kind {
			n++
		}
	}
	return n
}

// Note keeps a remark of the workload's in the record, such as "record 3 was
// acknowledged". After a crash, [Crash.Notes] has those that were made before it.
func (d *Disk) Note(format string, args ...any) {
	d.lock()
	defer d.unlock()
	d.keep(Op{Kind: OpNote, Name: fmt.Sprintf(format, args...)}, nil)
}

// FlipBit turns over the lowest bit of the byte at off in a file, as a disk does
// that rots: it is so for reads, and after every crash. It returns an error
// where there is no such byte.
func (d *Disk) FlipBit(name string, off int64) error {
	d.lock()
	defer d.unlock()
	name = clean(name)
	n, err := d.root.find(name)
	switch {
	case err != nil:
		return &fs.PathError{Op: "flip a bit of", Path: name, Err: err}
	case n.isDir() || off < 0 || off >= int64(len(n.data)):
		return &fs.PathError{Op: "flip a bit of", Path: name, Err: fmt.Errorf("there is no byte %d", off)}
	}
	n.data[off] ^= 1
	d.keep(Op{Kind: OpRot, Name: name, Off: off}, nil)
	a := &atom{on: n, part: bytesOf, off: int(off), data: []byte{n.data[off]}}
	d.add(a)
	n.waiting = n.waiting[:len(n.waiting)-1]
	a.certain = a.op
	return nil
}
