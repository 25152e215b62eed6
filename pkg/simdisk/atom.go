package simdisk

import (
	"math"
	"slices"
)

// A part says what an atom changes.
type part int

const (
	bytesOf part = iota // bytes of a file, within one sector
	sizeOf              // the size of a file
	namesOf             // names in a folder
)

// An atom is a change that the disk makes durable by itself, in no fixed order
// with others. Each operation is one atom or several.
type atom struct {
	seq     int // its place in the order in which they were made
	op      int // the number of the operation that made it
	certain int // the number of the sync that made it certain, 0 if none has
	on      *inode
	part    part

	off  int // of bytes
	data []byte

	size int // of a size: it is set, up or down
	grow int // and the last bytes of a size that a write has set, which may be torn

	del, add string // of names: one goes, if not "", and then one comes, if not ""
	child    *inode // what has the name that comes
}

// full is the largest number that says how much of an atom survives. What can be
// torn counts bytes, and the others are one thing.
func (a *atom) full() int {
	switch {
	case a.part == bytesOf:
		return len(a.data)
	case a.part == sizeOf && a.grow > 0:
		return a.grow
	default:
		return 1
	}
}

// sizeAt is the size that is set if so much survives, and that is not nothing.
func (a *atom) sizeAt(kept int) int { return a.size - a.full() + kept }

// put writes to a file in the page cache, as atoms that end at the sectors' bounds.
// The lock is held, here and below.
func (d *Disk) put(n *inode, off int, p []byte) {
	for len(p) > 0 {
		k := min(len(p), d.sector()-off%d.sector())
		if more := off + k - len(n.data); more > 0 {
			d.resize(n, off+k, min(more, k))
		}
		copy(n.data[off:], p[:k])
		d.add(&atom{on: n, part: bytesOf, off: off, data: slices.Clone(p[:k])})
		off, p = off+k, p[k:]
	}
}

// resize sets the size of a file, as one atom. The last grow bytes of it may be
// torn.
func (d *Disk) resize(n *inode, size, grow int) {
	d.used += int64(size - len(n.data))
	if size < len(n.data) {
		n.data = n.data[:size:size] // so that bytes beyond do not come back
	} else {
		n.data = append(n.data, make([]byte, size-len(n.data))...)
	}
	d.add(&atom{on: n, part: sizeOf, size: size, grow: grow})
}

// room is how many bytes the disk can take.
func (d *Disk) room() int64 {
	if d.Capacity <= 0 {
		return math.MaxInt64
	}
	return max(d.Capacity-d.used, 0)
}

// add notes an atom of the operation that was kept last.
func (d *Disk) add(a *atom) {
	a.seq, a.op = len(d.atoms), len(d.ops)
	d.atoms = append(d.atoms, a)
	a.on.waiting = append(a.on.waiting, a)
}
