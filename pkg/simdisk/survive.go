package simdisk

import (
	"hash/maphash"
	"maps"
	"slices"
)

// A choice says of each atom in doubt how much of it survives, from 0 to full.
type choice []int

// A fate is an atom that may matter at a point.
type fate struct {
	*atom
	doubt int // its place in a choice, -1 if it is certain
}

func (f fate) kept(c choice) int {
	if f.doubt < 0 {
		return f.full()
	}
	return c[f.doubt]
}

// A point is a moment at which a crash may come: right after an operation, or
// before the first, which has the number 0.
type point struct {
	op    int
	root  *inode
	doubt []*atom           // in the order in which they were made
	fates map[*inode][]fate // of what may still be there, likewise
	open  map[*inode][]fate // of files: those from the first that is in doubt on
	base  map[*inode][]byte // and the content before it
}

// pointAfter finds out what is in doubt after an operation. The atoms are in the
// order in which they were made, those of later operations included.
func pointAfter(op int, root *inode, atoms []*atom) *point {
	p := &point{op: op, root: root, fates: map[*inode][]fate{}, open: map[*inode][]fate{}, base: map[*inode][]byte{}}
	made := map[*inode][]*atom{}
	for _, a := range atoms {
		if a.op > op {
			break
		}
		made[a.on] = append(made[a.on], a)
	}
	p.visit(root, made)
	slices.SortFunc(p.doubt, func(a, b *atom) int { return a.seq - b.seq })
	place := map[*atom]int{}
	for i, a := range p.doubt {
		place[a] = i
	}
	for n, fates := range p.fates {
		for i := range fates {
			if fates[i].doubt >= 0 {
				fates[i].doubt = place[fates[i].atom]
			}
		}
		if !n.isDir() {
			p.fold(n)
		}
	}
	return p
}

// visit notes the fates of an inode and of all that may be below it.
func (p *point) visit(n *inode, atoms map[*inode][]*atom) {
	if _, seen := p.fates[n]; seen {
		return
	}
	fates := make([]fate, len(atoms[n]))
	for i, a := range atoms[n] {
		fates[i].atom = a
		if a.certain != 0 && a.certain <= p.op {
			fates[i].doubt = -1
		} else {
			p.doubt = append(p.doubt, a)
		}
	}
	p.fates[n] = fates
	if n.isDir() {
		for _, child := range p.children(n) {
			p.visit(child, atoms)
		}
	}
}

// fold does once for all choices what they have in common.
func (p *point) fold(n *inode) {
	fates := p.fates[n]
	certain := slices.IndexFunc(fates, func(f fate) bool { return f.doubt >= 0 })
	if certain < 0 {
		certain = len(fates)
	}
	p.base[n], p.open[n] = content(n.startData, fates[:certain], nil), fates[certain:]
}

// children returns what may be in a folder after the crash, in a fixed order.
func (p *point) children(folder *inode) []*inode {
	may := map[string][]*inode{}
	for name, child := range folder.startEntries {
		may[name] = []*inode{child}
	}
	for _, f := range p.fates[folder] {
		if f.doubt < 0 {
			delete(may, f.del)
			delete(may, f.add)
		}
		if f.add != "" {
			may[f.add] = append(may[f.add], f.child)
		}
	}
	var children []*inode
	for _, name := range slices.Sorted(maps.Keys(may)) {
		children = append(children, may[name]...)
	}
	return children
}

// tree returns what is on the disk after the crash, as a tree of new inodes.
func (p *point) tree(c choice) *inode {
	return (&restart{point: p, choice: c, made: map[*inode]*inode{}}).inode(p.root)
}

type restart struct {
	*point
	choice choice
	made   map[*inode]*inode
}

func (r *restart) inode(old *inode) *inode {
	n := &inode{perm: old.perm, modTime: old.modTime, links: 1}
	r.made[old] = n
	if !old.isDir() {
		n.data = content(r.base[old], r.open[old], r.choice)
	} else {
		n.entries = map[string]*inode{}
		r.fill(n, old)
	}
	n.started()
	return n
}

// fill fills a folder. A file may have survived under two names. A folder cannot:
// the first one found has it, as a repair of the file system would have it.
func (r *restart) fill(n, old *inode) {
	entries := names(old.startEntries, r.fates[old], r.choice)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		child, seen := r.made[entries[name]]
		switch {
		case !seen:
			child = r.inode(entries[name])
		case child.isDir():
			continue
		default:
			child.links++
		}
		n.entries[name] = child
	}
}

// content is what a file holds that had base, once the fates of the choice have
// been met. Bytes beyond the size that survives are not seen.
func content(base []byte, fates []fate, c choice) []byte {
	data, size := slices.Clone(base), len(base)
	for _, f := range fates {
		kept := f.kept(c)
		switch {
		case kept == 0:
		case f.part == bytesOf:
			data = atLeast(data, f.off+kept)
			copy(data[f.off:], f.data[:kept])
		default:
			size = f.sizeAt(kept)
			data = data[:min(size, len(data))]
		}
	}
	return atLeast(data, size)[:size]
}

// atLeast puts zeros behind data, up to a size.
func atLeast(data []byte, size int) []byte {
	if size <= len(data) {
		return data
	}
	return append(data, make([]byte, size-len(data))...)
}

// names is what a folder holds that had start.
func names(start map[string]*inode, fates []fate, c choice) map[string]*inode {
	entries := maps.Clone(start)
	if entries == nil {
		entries = map[string]*inode{}
	}
	for _, f := range fates {
		if f.kept(c) == 0 {
			continue
		}
		delete(entries, f.del)
		if f.add != "" {
			entries[f.add] = f.child
		}
	}
	return entries
}

// seed is that of all digests of this process.
var seed = maphash.MakeSeed()

// digestOf tells trees apart, and what was noted before. Of two thousand disks two
// that differ have one digest once in 10¹³ explorations.
func digestOf(root *inode, notes int) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	writeNumber(&h, notes)
	describe(&h, root)
	return h.Sum64()
}

// describe writes a form of a tree that no other tree has.
func describe(h *maphash.Hash, n *inode) {
	if !n.isDir() {
		writeNumber(h, -1)
		writeNumber(h, len(n.data))
		_, _ = h.Write(n.data) // never fails
		return
	}
	writeNumber(h, len(n.entries))
	for _, name := range n.names() {
		writeNumber(h, len(name))
		_, _ = h.WriteString(name) // likewise
		describe(h, n.entries[name])
	}
}

func writeNumber(h *maphash.Hash, n int) { maphash.WriteComparable(h, n) }

// size is how many bytes the files of a tree have.
func size(n *inode, seen map[*inode]bool) int64 {
	if seen[n] {
		return 0
	}
	seen[n] = true
	total := int64(len(n.data))
	for _, child := range n.entries {
		total += size(child, seen)
	}
	return total
}
