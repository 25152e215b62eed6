package serial

import (
	"iter"
	"slices"
)

// A class of cycles begins with an edge of one kind and goes on with edges of others.
type class struct {
	kind        Kind
	first, rest int
	apart       bool // no two rw edges follow one another
	two         bool // there are two rw edges at least
}

// The classes from the worst to the mildest.
var classes = []class{
	{kind: G0, first: ww, rest: ww},
	{kind: G1c, first: wr, rest: ww | wr},
	{kind: GSingle, first: rw, rest: ww | wr},
	{kind: LongFork, first: rw, rest: any3, apart: true, two: true},
	{kind: G2Item, first: rw, rest: any3, two: true},
}

// mostSteps is after how many edges of one class the search among transactions that all depend on
// one another ends, if it has found a cycle there, or a worse one before: then it may miss a
// shorter cycle, or a milder class, but no level that is ruled out.
const mostSteps = 5_000_000

// cycles reports the shortest cycle of each class. A cycle is within a set of transactions that
// all depend on one another. A way back from an rw edge may have no other, or several next to one
// another: then the cycle is of another class, and one of this class through the same edge may be
// missed. If the set has none of a worse class, the shortest of all ways back is of this one.
func (a *analysis) cycles() {
	for kind, cycle := range a.shortestCycles(a.edges) {
		a.report(a.sayCycle(kind, a.drawTogether(kind, cycle)))
	}
}

func (a *analysis) shortestCycles(all iter.Seq[arrow]) map[Kind][]arrow {
	best := map[Kind][]arrow{}
	g := newGraph(len(a.h), all)
	for _, part := range g.parts() {
		sub, names := g.within(part)
		_, found := a.found[LostUpdate] // is one worse than what is left to decide
		for _, c := range classes {
			cycle := sub.shortest(c, found)
			if cycle == nil {
				continue
			}
			found = true
			kind := c.kind
			if kind == G2Item && slices.ContainsFunc(cycle, func(e arrow) bool { return e.kind == rw && e.read.missed }) {
				kind = G2
			}
			if old, ok := best[kind]; !ok || len(cycle) < len(old) {
				for i := range cycle {
					cycle[i].from, cycle[i].to = names[cycle[i].from], names[cycle[i].to]
				}
				best[kind] = cycle
			}
		}
	}
	return best
}

// A graph has its edges by the node from which they go. A search goes through states: a node, and
// whether an rw edge led to it, as 2n or 2n+1. The latter matters only where rw edges are apart.
type graph struct {
	out   [][]arrow
	steps int     // of the search for one class
	round int     // of the searches for a way back
	seen  []int   // by state, which round came here last
	by    []arrow // by state, the edge that came here
	via   []int   // by state, the state from which it came
}

// newGraph goes through the edges twice, so that it needs no more memory than they do.
func newGraph(nodes int, edges iter.Seq[arrow]) *graph {
	g := &graph{out: make([][]arrow, nodes)}
	count := make([]int, nodes)
	for e := range edges {
		count[e.from]++
	}
	for n := range g.out {
		g.out[n] = make([]arrow, 0, count[n])
	}
	for e := range edges {
		g.out[e.from] = append(g.out[e.from], e)
	}
	return g
}

// parts are the strongly connected components of more than one node.
func (g *graph) parts() [][]int {
	of, count := g.components(any3, false)
	all := make([][]int, count)
	for n := range g.out {
		all[of[2*n]] = append(all[of[2*n]], n)
	}
	return slices.DeleteFunc(all, func(part []int) bool { return len(part) < 2 })
}

// within is the graph of some nodes alone, numbered anew, and their old numbers.
func (g *graph) within(nodes []int) (*graph, []int) {
	number := make(map[int]int, len(nodes))
	for n, node := range nodes {
		number[node] = n
	}
	var edges []arrow
	for n, node := range nodes {
		for _, e := range g.out[node] {
			if to, ok := number[e.to]; ok {
				e.from, e.to = n, to
				edges = append(edges, e)
			}
		}
	}
	sub := newGraph(len(nodes), slices.Values(edges))
	sub.seen, sub.by, sub.via = make([]int, 2*len(nodes)), make([]arrow, 2*len(nodes)), make([]int, 2*len(nodes))
	return sub, nodes
}

func (e arrow) target(apart bool) int {
	if apart && e.kind == rw {
		return 2*e.to + 1
	}
	return 2 * e.to
}

func (e arrow) leaves(state, kinds int, apart bool) bool {
	return e.kind&kinds != 0 && (!apart || e.kind != rw || state%2 == 0)
}

// components numbers the strongly connected components of the states, by Tarjan's algorithm: an
// edge never leads to a component of a higher number.
func (g *graph) components(kinds int, apart bool) (of []int, count int) {
	states := 2 * len(g.out)
	t := tarjan{graph: g, kinds: kinds, apart: apart, index: make([]int, states), low: make([]int, states), of: make([]int, states)}
	for root := range states {
		if t.index[root] != 0 {
			continue
		}
		t.enter(root)
		for len(t.path) > 0 {
			if next, ok := t.next(); ok {
				t.enter(next)
			} else {
				t.leave()
			}
		}
	}
	return t.of, t.count
}

type tarjan struct {
	*graph

	kinds int
	apart bool

	clock, count int
	index, low   []int // from 1, in the order in which the states were entered; 0 before
	of           []int // -1 while it is not known
	open         []int // the states of which it is not
	path         []step
}

// A step of a path is a state, and how many of its edges have been looked at.
type step struct{ state, edges int }

func (t *tarjan) enter(s int) {
	t.clock++
	t.index[s], t.low[s], t.of[s] = t.clock, t.clock, -1
	t.open = append(t.open, s)
	t.path = append(t.path, step{state: s})
}

// next returns a new state to which an edge of the last one on the path leads.
func (t *tarjan) next() (state int, ok bool) {
	last := &t.path[len(t.path)-1]
	s, out := last.state, t.out[last.state/2]
	for last.edges < len(out) {
		e := out[last.edges]
		last.edges++
		to := e.target(t.apart)
		switch {
		case !e.leaves(s, t.kinds, t.apart):
		case t.index[to] == 0:
			return to, true
		case t.of[to] == -1:
			t.low[s] = min(t.low[s], t.index[to])
		}
	}
	return 0, false
}

// leave goes back on the path. What was opened after a state that leads to none before it is one
// component with it.
func (t *tarjan) leave() {
	s := t.path[len(t.path)-1].state
	if t.path = t.path[:len(t.path)-1]; len(t.path) > 0 {
		up := t.path[len(t.path)-1].state
		t.low[up] = min(t.low[up], t.low[s])
	}
	if t.low[s] < t.index[s] {
		return
	}
	for t.of[s] == -1 {
		t.of[t.open[len(t.open)-1]] = t.count
		t.open = t.open[:len(t.open)-1]
	}
	t.count++
}

// shortest returns the shortest cycle of a class, or nil. Ties go to the transactions that began
// first. If one of a worse class was found before, it may give up.
func (g *graph) shortest(c class, worse bool) []arrow {
	g.steps = 0
	reach := g.reach(c)
	var best []arrow
	for n := range g.out {
		for _, e := range g.out[n] {
			if e.kind != c.first || e.kind == rw && e.read.lost || !reach(e.target(c.apart), 2*n) {
				continue
			}
			cycle := g.back(e, c, len(best), reach)
			if cycle != nil && c.has(cycle) {
				best = cycle
			}
			if len(best) == 2 || g.steps > mostSteps && (worse || best != nil) {
				return best
			}
		}
	}
	return best
}

// has says whether a cycle is of the class: it passes each transaction once, and has as many rw
// edges as it should, next to one another or not.
func (c class) has(cycle []arrow) bool {
	if !c.two {
		return true
	}
	passed := map[int]bool{}
	count, together := 0, false
	last := cycle[len(cycle)-1]
	for _, e := range cycle {
		if passed[e.from] {
			return false
		}
		passed[e.from] = true
		if e.kind == rw {
			count++
			together = together || last.kind == rw
		}
		last = e
	}
	return count >= 2 && together != c.apart
}

// reach tells of most pairs of states at once that no way of the class leads from the one to the
// other: to each component of states leads a longest way, and edges lead to longer ones.
func (g *graph) reach(c class) func(from, to int) bool {
	of, count := g.components(c.rest, c.apart)
	depth := make([]int, count) // of the longest way to a component
	byComponent := make([][]int, count)
	for s := range of {
		byComponent[of[s]] = append(byComponent[of[s]], s)
	}
	for k := count - 1; k >= 0; k-- {
		for _, s := range byComponent[k] {
			for _, e := range g.out[s/2] {
				if to := of[e.target(c.apart)]; e.leaves(s, c.rest, c.apart) && to != k {
					depth[to] = max(depth[to], depth[k]+1)
				}
			}
		}
	}
	return func(from, to int) bool {
		return of[from] == of[to] || depth[of[from]] < depth[of[to]]
	}
}

// back searches breadth first for the way back of an edge, and returns the cycle if it is
// shorter than most, or if most is 0.
func (g *graph) back(e arrow, c class, most int, reach func(from, to int) bool) []arrow {
	g.round++
	start, end := e.target(c.apart), 2*e.from
	g.seen[start] = g.round
	level := []int{start}
	for length := 2; len(level) > 0 && (most == 0 || length < most); length++ {
		var next []int
		for _, s := range level {
			for _, f := range g.out[s/2] {
				g.steps++
				to := f.target(c.apart)
				if !f.leaves(s, c.rest, c.apart) || g.seen[to] == g.round || !reach(to, end) {
					continue
				}
				g.seen[to], g.by[to], g.via[to] = g.round, f, s
				if to == end {
					return g.cycle(e, start, end)
				}
				next = append(next, to)
			}
		}
		level = next
	}
	return nil
}

// cycle goes back from a state to the start of a search, where its edge leads.
func (g *graph) cycle(e arrow, start, state int) []arrow {
	var way []arrow
	for ; state != start; state = g.via[state] {
		way = append(way, g.by[state])
	}
	way = append(way, e)
	slices.Reverse(way)
	return way
}
