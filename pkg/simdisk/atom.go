package simdisk

import "math"

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
	op      int // the number of the operation that made it
	certain int // the number of the sync that made it certain, 0 if none has
	on      *inode
	part    part

	off  int // of bytes
	data []byte

	size int // of a size: it is set, up or down

	del, add string // of names: one goes, if not "", and then one comes, if not ""
	child    *inode // what has the name that comes
}

// full is the largest number that says how much of an atom survives: bytes may
// be torn, so each counts, and the others are one thing.
func (a *atom) full() int {
	if a.part == bytesOf {
		return len(a.data)
	}
	return 1
}

func (a *atom) certainAt(op int) bool { return a.certain != 0 && a.certain <= op }

// wrote notes bytes as atoms, cut at the sectors' bounds.
func (d *Disk) wrote(n *inode, off int, p []byte) {
	for len(p) > 0 {
		k := min(len(p), d.sector()-off%d.sector())
		d.add(&atom{on: n, part: bytesOf, off: off, data: append([]byte(nil), p[:k]...)})
		off, p = off+k, p[k:]
	}
}

// resize sets the size of a file, as one atom. The lock is held.
func (d *Disk) resize(n *inode, size int) {
	d.used += int64(size - len(n.data))
	if size < len(n.data) {
		n.data = n.data[:size:size] // so that bytes beyond do not come back
	} else {
		n.data = append(n.data, make([]byte, size-len(n.data))...)
	}
	d.add(&atom{on: n, part: sizeOf, size: size})
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
	a.op = len(d.ops)
	d.atoms = append(d.atoms, a)
	a.on.waiting = append(a.on.waiting, a)
}
