package serial

import (
	"fmt"
	"slices"
)

// What a history shows in every way it can have happened: each choice of the unknown transactions
// and each order of versions that fit. It is found by trying them all, and shares no code with the
// package.
type facts struct {
	fits                       bool // in one way at least
	g0, g1a, g1b, dependency   bool // the last: a cycle of ww and wr edges
	lost, single, apart, cycle bool // cycles with one rw edge at most, with none that are neighbours, any
	stale, backwards           bool
	open                       bool      // two transactions wrote to a list what no read shows
	branch                     bool      // two values were put over the same one
	register                   bool      // there is one
	edges                      [][3]bool // from one transaction to another: ww, wr, rw
	ways                       int
}

func (f *facts) String() string {
	return fmt.Sprintf("fits %t, G0 %t, G1a %t, G1b %t, ww and wr %t, lost update %t, single %t, apart %t, cycle %t, stale %t, backwards %t (%d ways)",
		f.fits, f.g0, f.g1a, f.g1b, f.dependency, f.lost, f.single, f.apart, f.cycle, f.stale, f.backwards, f.ways)
}

// A look is what one transaction saw of one key, and when.
type look struct {
	txn, op int
	key     string
	shown   []string
}

type bruteforce struct {
	h      History
	writer map[[2]string]int // by key and value
	ops    map[[2]string]int
	list   map[string]bool
	keys   []string
}

func newBruteforce(h History) *bruteforce {
	b := &bruteforce{h: h, writer: map[[2]string]int{}, ops: map[[2]string]int{}, list: map[string]bool{}}
	for t, txn := range h {
		for o, op := range txn.Ops {
			if op.Kind == Append || op.Kind == Put {
				at := [2]string{op.Key, op.Values[0]}
				b.writer[at], b.ops[at] = t, o
				b.list[op.Key] = op.Kind == Append
				if !slices.Contains(b.keys, op.Key) {
					b.keys = append(b.keys, op.Key)
				}
			}
		}
	}
	return b
}

// looks are all reads of those who happened; a scan looks at each key of its range.
func (b *bruteforce) looks(happened []bool) []look {
	var all []look
	for t, txn := range b.h {
		for o, op := range txn.Ops {
			switch {
			case !happened[t]:
			case op.Kind == Read:
				all = append(all, look{t, o, op.Key, op.Values})
			case op.Kind == Scan:
				for _, k := range b.keys {
					if k < op.Key || op.To != "" && k >= op.To {
						continue
					}
					l := look{t, o, k, nil}
					for _, row := range op.Rows {
						if row.Key == k {
							l.shown = row.Values
						}
					}
					all = append(all, l)
				}
			}
		}
	}
	return all
}

// tryAll goes through all choices of unknown transactions.
func (b *bruteforce) tryAll() *facts {
	f := &facts{g0: true, dependency: true, lost: true, single: true, apart: true, cycle: true, stale: true, backwards: true, g1a: true, g1b: true}
	for choice := range 1 << len(b.h) {
		happened := make([]bool, len(b.h))
		wanted := true
		for t, txn := range b.h {
			happened[t] = choice>>t&1 == 1
			wanted = wanted && (txn.Outcome == Unknown || happened[t] == (txn.Outcome == Committed))
		}
		if !wanted {
			continue
		}
		looks := b.looks(happened)
		for _, l := range looks {
			for _, v := range l.shown {
				if w, ok := b.writer[[2]string{l.key, v}]; ok && b.h[w].Outcome == Unknown && !happened[w] {
					wanted = false
				}
			}
		}
		if wanted {
			b.tryOrders(f, happened, looks)
		}
	}
	if f.ways == 0 {
		return &facts{}
	}
	f.fits = true
	return f
}

// tryOrders goes through all orders of versions of all keys.
func (b *bruteforce) tryOrders(f *facts, happened []bool, looks []look) {
	for _, l := range looks {
		if !b.possible(l) {
			return
		}
	}
	fitting := make([][][]string, len(b.keys))
	for i, k := range b.keys {
		var values []string
		for _, txn := range b.h {
			for _, op := range txn.Ops {
				if (op.Kind == Append || op.Kind == Put) && op.Key == k && happened[b.writer[[2]string{k, op.Values[0]}]] {
					values = append(values, op.Values[0])
				}
			}
		}
		for _, order := range permutations(values) {
			if b.fits(k, order, happened, looks) {
				fitting[i] = append(fitting[i], order)
			}
		}
	}
	orders := map[string][]string{}
	var choose func(i int)
	choose = func(i int) {
		if i == len(b.keys) {
			b.judge(f, happened, looks, orders)
			return
		}
		for _, order := range fitting[i] {
			orders[b.keys[i]] = order
			choose(i + 1)
		}
	}
	choose(0)
}

func permutations(values []string) [][]string {
	if len(values) == 0 {
		return [][]string{nil}
	}
	var all [][]string
	for i := range values {
		for _, rest := range permutations(slices.Delete(slices.Clone(values), i, i+1)) {
			all = append(all, append([]string{values[i]}, rest...))
		}
	}
	return all
}

// own are the values that the reader had written to the key before it looked.
func (b *bruteforce) own(l look) []string {
	var own []string
	for _, op := range b.h[l.txn].Ops[:l.op] {
		if (op.Kind == Append || op.Kind == Put) && op.Key == l.key {
			own = append(own, op.Values[0])
		}
	}
	return own
}

// possible says whether a look agrees with what its transaction wrote itself.
func (b *bruteforce) possible(l look) bool {
	var mine []string
	for i, v := range l.shown {
		w, ok := b.writer[[2]string{l.key, v}]
		if !ok || slices.Contains(l.shown[:i], v) {
			return false
		}
		if w == l.txn {
			mine = append(mine, v)
		}
	}
	own := b.own(l)
	if !b.list[l.key] && len(own) > 0 {
		own = own[len(own)-1:]
	}
	return slices.Equal(mine, own)
}

// base is what a look says of others: a beginning of the list, or the value of a register; told
// is false if it says nothing.
func (b *bruteforce) base(l look, happened []bool) (values []string, told bool) {
	for _, v := range l.shown {
		if happened[b.writer[[2]string{l.key, v}]] {
			values = append(values, v)
		}
	}
	if !b.list[l.key] {
		return values, len(b.own(l)) == 0 && len(values) == len(l.shown)
	}
	for len(values) > 0 && b.writer[[2]string{l.key, values[len(values)-1]}] == l.txn {
		values = values[:len(values)-1]
	}
	return values, true
}

func (b *bruteforce) fits(k string, order []string, happened []bool, looks []look) bool {
	place := func(v string) int { return slices.Index(order, v) }
	for t, txn := range b.h {
		last := -1
		for o, op := range txn.Ops {
			if !happened[t] {
				break
			}
			for _, l := range looks {
				if l.txn != t || l.op != o || l.key != k {
					continue
				}
				values, told := b.base(l, happened)
				if told && b.list[k] && (len(values) > len(order) || !slices.Equal(values, order[:len(values)])) {
					return false
				}
				if told && !b.list[k] {
					last = -1
					if len(values) > 0 {
						last = place(values[0])
					}
				}
			}
			if (op.Kind == Append || op.Kind == Put) && op.Key == k {
				if place(op.Values[0]) < last {
					return false
				}
				last = place(op.Values[0])
			}
		}
	}
	return true
}

// judge finds what one way of having happened shows, and keeps what all have shown so far.
func (b *bruteforce) judge(f *facts, happened []bool, looks []look, orders map[string][]string) {
	f.ways++
	n := len(b.h)
	edges := make([][3]bool, n*n) // ww, wr, rw
	edge := func(from, to, kind int) {
		if from != to {
			edges[from*n+to][kind] = true
		}
	}
	writers := func(k string) []int {
		var all []int
		for _, v := range orders[k] {
			all = append(all, b.writer[[2]string{k, v}])
		}
		return all
	}
	for _, k := range b.keys {
		all := writers(k)
		for i := range all {
			for j := range i {
				edge(all[j], all[i], 0)
			}
		}
	}
	var aborted, partial bool
	place := make([]int, len(looks)) // of the version that was read, -1 for the initial one, -2 for nothing told
	for i, l := range looks {
		for _, v := range l.shown {
			w := b.writer[[2]string{l.key, v}]
			aborted = aborted || !happened[w]
			if w == l.txn || !happened[w] {
				continue
			}
			for _, op := range b.h[w].Ops[b.ops[[2]string{l.key, v}]+1:] {
				partial = partial || (op.Kind == Append || op.Kind == Put) && op.Key == l.key && !slices.Contains(l.shown, op.Values[0])
			}
		}
		values, told := b.base(l, happened)
		if place[i] = -2; !told {
			continue
		}
		place[i] = -1
		if len(values) > 0 {
			place[i] = slices.Index(orders[l.key], values[len(values)-1])
		}
		for j, w := range writers(l.key) {
			switch {
			case j > place[i]:
				edge(l.txn, w, 2)
			case b.list[l.key] || j == place[i]:
				edge(w, l.txn, 1)
			}
		}
	}
	if f.edges == nil {
		f.edges = slices.Clone(edges)
	}
	for i := range edges {
		for kind := range 3 {
			f.edges[i][kind] = f.edges[i][kind] && edges[i][kind]
		}
	}
	f.g1a = f.g1a && aborted
	f.g1b = f.g1b && partial

	// All cycles that pass no transaction twice.
	var g0, dependency, single, apart, cycle bool
	var walk func(path []int, kinds []int)
	walk = func(path []int, kinds []int) {
		last := path[len(path)-1]
		for next := path[0]; next < n; next++ {
			for kind := range 3 {
				if !edges[last*n+next][kind] || next != path[0] && slices.Contains(path, next) {
					continue
				}
				kinds := append(slices.Clone(kinds), kind)
				if next != path[0] {
					walk(append(slices.Clone(path), next), kinds)
					continue
				}
				cycle = true
				rws, neighbours := 0, false
				for i, kind := range kinds {
					if kind == 2 {
						rws++
						neighbours = neighbours || kinds[(i+1)%len(kinds)] == 2
					}
				}
				g0 = g0 || !slices.ContainsFunc(kinds, func(kind int) bool { return kind != 0 })
				dependency = dependency || rws == 0
				single = single || rws <= 1
				apart = apart || !neighbours
			}
		}
	}
	for t := range n {
		walk([]int{t}, nil)
	}
	f.g0 = f.g0 && g0
	f.dependency = f.dependency && dependency
	f.single = f.single && single
	f.apart = f.apart && apart
	f.cycle = f.cycle && cycle

	f.lost = f.lost && b.lostUpdate(looks, place, orders)
	var stale, backwards bool
	for i, l := range looks {
		session := b.h[l.txn].Session
		if session == 0 || b.h[l.txn].Outcome != Committed || place[i] == -2 {
			continue
		}
		for j, w := range writers(l.key) {
			stale = stale || w < l.txn && b.h[w].Session == session && b.h[w].Outcome == Committed && j > place[i]
		}
		for j, m := range looks {
			backwards = backwards || j < i && m.key == l.key && b.h[m.txn].Session == session && b.h[m.txn].Outcome == Committed && place[j] > place[i]
		}
	}
	f.stale = f.stale && stale
	f.backwards = f.backwards && backwards

	f.notice(b, happened, looks)
}

// lostUpdate says whether a transaction read a version, and wrote one later with one of another
// transaction in between.
func (b *bruteforce) lostUpdate(looks []look, place []int, orders map[string][]string) bool {
	for _, k := range b.keys {
		for t, txn := range b.h {
			read := -2
			for o, op := range txn.Ops {
				for i, l := range looks {
					if l.txn == t && l.op == o && l.key == k && place[i] != -2 {
						read = place[i]
					}
				}
				if (op.Kind == Append || op.Kind == Put) && op.Key == k {
					write := slices.Index(orders[k], op.Values[0])
					if read != -2 && write > read+1 {
						return true
					}
					break
				}
			}
		}
	}
	return false
}

// notice keeps where the package promises less: two transactions that wrote to a list what no
// read of another shows in its place, or that put two values over one.
func (f *facts) notice(b *bruteforce, happened []bool, looks []look) {
	for _, k := range b.keys {
		f.register = f.register || !b.list[k]
		writers := map[int]bool{}
		over := map[string]int{}
		for t, txn := range b.h {
			last := ""
			for o, op := range txn.Ops {
				for _, l := range looks {
					if l.txn == t && l.op == o && l.key == k {
						if values, told := b.base(l, happened); told && !b.list[k] {
							last = fmt.Sprint(values)
						}
					}
				}
				if op.Kind != Append && op.Kind != Put || op.Key != k || !happened[t] {
					continue
				}
				v := op.Values[0]
				if !b.list[k] {
					over[last]++
					f.branch = f.branch || over[last] > 1
					last = fmt.Sprint([]string{v})
				}
				if b.list[k] && !slices.ContainsFunc(looks, func(l look) bool {
					values, _ := b.base(l, happened)
					return l.key == k && slices.Contains(values, v)
				}) {
					writers[t] = true
				}
			}
		}
		f.open = f.open || len(writers) > 1
	}
}
