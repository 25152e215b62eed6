package simdisk

import (
	"fmt"
	"slices"
	"strings"
)

// String tells the story of the crash: the operations before it with what became
// of each, the crash, and the files that were left.
func (c *Crash) String() string {
	what := map[int]string{}
	for op, atoms := range c.byOp() {
		what[op] = c.became(atoms)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Crash %d came after operation %d, and of what was not certain this survived:\n\n", c.Number, c.point.op)
	b.WriteString(table(c.before, what))
	b.WriteString("       ---- crash ----\n\nThis was left:\n\n")
	b.WriteString(c.left())
	return b.String()
}

// Fate returns what became of an operation, by its number in [Disk.Ops], from 1 on:
// "certain", "survived", "lost", or what of it survived. It is "" if the operation
// changed nothing that may still matter.
func (c *Crash) Fate(op int) string {
	fates := c.byOp()[op]
	if len(fates) == 0 {
		return ""
	}
	return c.became(fates)
}

// byOp returns the atoms that may matter, by their operation.
func (c *Crash) byOp() map[int][]fate {
	ops := map[int][]fate{}
	for _, fates := range c.point.fates {
		for _, f := range fates {
			ops[f.op] = append(ops[f.op], f)
		}
	}
	return ops
}

// became says what became of one operation's atoms.
func (c *Crash) became(fates []fate) string {
	slices.SortFunc(fates, func(a, b fate) int { return a.seq - b.seq })
	kept, full, certain := 0, 0, true
	for _, f := range fates {
		kept, full, certain = kept+f.kept(c.choice), full+f.full(), certain && f.doubt < 0
	}
	switch {
	case certain:
		return "certain"
	case kept == full:
		return "survived"
	case kept == 0:
		return "lost"
	}
	words := append(c.bytes(fates), c.size(fates)...)
	return strings.Join(append(words, c.names(fates)...), ", ")
}

// bytes, size and names say what became of an operation of which some survived.
func (c *Crash) bytes(fates []fate) []string {
	var ranges []string
	all, none := true, true
	for _, f := range fates {
		if f.part != bytesOf {
			continue
		}
		kept := f.kept(c.choice)
		all, none = all && kept == f.full(), none && kept == 0
		if kept > 0 {
			ranges = append(ranges, fmt.Sprintf("%d-%d", f.off, f.off+kept-1))
		}
	}
	switch {
	case all && none: // there are no bytes
		return nil
	case all:
		return []string{"bytes survived"}
	case none:
		return []string{"bytes lost"}
	default:
		return []string{"torn: bytes " + strings.Join(ranges, ", ") + " survived"}
	}
}

func (c *Crash) size(fates []fate) []string {
	words := ""
	for _, f := range fates {
		kept := f.kept(c.choice)
		switch {
		case f.part != sizeOf:
		case kept > 0:
			words = fmt.Sprintf("size %d survived", f.sizeAt(kept))
		case words == "":
			words = "size lost"
		}
	}
	if words == "" {
		return nil
	}
	return []string{words}
}

func (c *Crash) names(fates []fate) []string {
	var words []string
	for _, f := range fates {
		switch kept := f.kept(c.choice) > 0; {
		case f.part != namesOf:
		case f.add != "" && kept:
			words = append(words, "new name there")
		case f.add != "":
			words = append(words, "new name lost")
		case kept:
			words = append(words, "old name gone")
		default:
			words = append(words, "old name still there")
		}
	}
	return words
}

// list is the operations without what became of them.
func list(ops []Op) string { return table(ops, nil) }

// table lists the last operations, and of those before only that they were.
func table(ops []Op, what map[int]string) string {
	const most = 40
	skip := max(0, len(ops)-most)
	width := 0
	for _, op := range ops[skip:] {
		width = max(width, len(op.String()))
	}
	var b strings.Builder
	if skip > 0 {
		fmt.Fprintf(&b, "       %d operations before these\n", skip)
	}
	for i, op := range ops[skip:] {
		line := fmt.Sprintf("%5d  %-*s  %s", skip+i+1, width, op, what[skip+i+1])
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// left lists the files that were left, with their sizes.
func (c *Crash) left() string {
	var lines []string
	var walk func(name string, n *inode)
	walk = func(name string, n *inode) {
		switch {
		case !n.isDir():
			lines = append(lines, fmt.Sprintf("       %s, %d bytes\n", name, len(n.data)))
		case len(n.entries) == 0 && name != "":
			lines = append(lines, fmt.Sprintf("       %s/\n", name))
		}
		for _, child := range n.names() {
			walk(strings.TrimPrefix(name+"/"+child, "/"), n.entries[child])
		}
	}
	walk("", c.point.tree(c.choice))
	if len(lines) == 0 {
		return "       nothing\n"
	}
	return strings.Join(lines, "")
}
