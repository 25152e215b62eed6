package simdisk

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
)

// A family is a list of choices that have something in common.
type family struct {
	size int
	at   func(i int) choice
}

// inTurns yields the first family whole, and then one choice of each other, then the
// next of each, and so on.
func inTurns(families []family) iter.Seq[choice] {
	return func(yield func(choice) bool) {
		for i := range families[0].size {
			if !yield(families[0].at(i)) {
				return
			}
		}
		for i, more := 0, true; more; i++ {
			more = false
			for _, f := range families[1:] {
				if i < f.size {
					more = true
					if !yield(f.at(i)) {
						return
					}
				}
			}
		}
	}
}

// distinct leaves out choices that were there before: to compare numbers is cheaper
// than to build what they leave.
func distinct(choices iter.Seq[choice]) iter.Seq[choice] {
	return func(yield func(choice) bool) {
		seen := map[string]bool{}
		for c := range choices {
			if text := fmt.Sprint(c); !seen[text] {
				seen[text] = true
				if !yield(c) {
					return
				}
			}
		}
	}
}

// families returns the choices worth trying, the plain ones in front. The last
// family has every choice if there are at most limit, and all is true then;
// otherwise it has limit of them, drawn by a fixed seed.
func (p *point) families(limit int) (list []family, all bool) {
	m := len(p.doubt)
	list = []family{
		{2, func(i int) choice { return p.choose(func(int) bool { return i == 1 }) }}, // nothing, everything
		{m - 1, func(i int) choice { return p.choose(func(k int) bool { return k <= i }) }},
		{m, func(i int) choice { return p.choose(func(k int) bool { return k != i }) }},
		{m, func(i int) choice { return p.choose(func(k int) bool { return k == i }) }},
		p.tears(),
		p.parts(),
		p.inodes(),
	}
	if n, ok := p.count(limit); ok {
		return append(list, family{n, p.nth}), true
	}
	return append(list, family{limit, p.drawn}), false
}

// choose makes a choice of whole atoms.
func (p *point) choose(kept func(i int) bool) choice {
	c := make(choice, len(p.doubt))
	for i, a := range p.doubt {
		if kept(i) {
			c[i] = a.full()
		}
	}
	return c
}

// tears has one atom torn, in as many ways as cuts finds: what came before it has
// survived, and what came after it has not, or all has.
func (p *point) tears() family {
	type tear struct{ atom, at int }
	var tears []tear
	for i, a := range p.doubt {
		for _, at := range cuts(a.full()) {
			tears = append(tears, tear{i, at})
		}
	}
	return family{2 * len(tears), func(i int) choice {
		t := tears[i/2]
		c := p.choose(func(k int) bool { return i%2 == 1 || p.doubt[k].op <= p.doubt[t.atom].op })
		c[t.atom] = t.at
		return c
	}}
}

// cuts returns where a piece of some length is torn: in the middle, near the
// ends, and then everywhere if it is short.
func cuts(length int) []int {
	var at []int
	for _, k := range []int{length / 2, 1, length - 1, length / 4, 3 * length / 4} {
		if 0 < k && k < length && !slices.Contains(at, k) {
			at = append(at, k)
		}
	}
	const short = 64
	for k := 1; k < length && length <= short; k++ {
		if !slices.Contains(at, k) {
			at = append(at, k)
		}
	}
	return at
}

// parts keeps all bytes, or sizes, or names, or two of the three.
func (p *point) parts() family {
	return family{6, func(i int) choice {
		return p.choose(func(k int) bool { return (i+1)&(1<<p.doubt[k].part) != 0 })
	}}
}

// inodes keeps what is on one file or folder, or on all but one.
func (p *point) inodes() family {
	var on []*inode
	for _, a := range p.doubt {
		if !slices.Contains(on, a.on) {
			on = append(on, a.on)
		}
	}
	return family{2 * len(on), func(i int) choice {
		return p.choose(func(k int) bool { return (p.doubt[k].on == on[i/2]) == (i%2 == 0) })
	}}
}

// count returns how many choices there are, if not more than limit.
func (p *point) count(limit int) (int, bool) {
	n := 1
	for _, a := range p.doubt {
		if n *= a.full() + 1; n > limit {
			return 0, false
		}
	}
	return n, true
}

// nth returns one of all choices.
func (p *point) nth(i int) choice {
	c := make(choice, len(p.doubt))
	for k, a := range p.doubt {
		c[k] = i % (a.full() + 1)
		i /= a.full() + 1
	}
	return c
}

// drawn returns a choice by lot, the same in every run: of five atoms, two are
// lost, two are whole, and one is torn where it can be.
func (p *point) drawn(i int) choice {
	lot := rand.New(rand.NewPCG(uint64(p.op), uint64(i)))
	c := make(choice, len(p.doubt))
	for k, a := range p.doubt {
		switch lot.IntN(5) {
		case 0, 1:
		case 2, 3:
			c[k] = a.full()
		default:
			c[k] = lot.IntN(a.full() + 1)
		}
	}
	return c
}
