package serial

import "slices"

// The kinds of edges, as bits: a cycle is told by those it has.
const (
	ww   = 1 << iota // the second wrote a version after one of the first
	wr               // the second read a version of the first
	rw               // the first read a version before one of the second
	any3 = ww | wr | rw
)

// An arrow is an edge of the graph, and what proves it.
type arrow struct {
	from, to int
	kind     int
	read     *access // of wr and rw
	version  int     // what the second wrote, or of wr, what the first wrote and the second read
	over     int     // of ww, what the first wrote
}

// edges are those that every order of versions has, if only as a path: a version comes after its
// parent, a reader after the writer, and a reader of the parent before the writer of the child.
func (a *analysis) edges(yield func(arrow) bool) {
	var edges []arrow
	for t := range a.accesses {
		edges = a.appendEdges(edges[:0], t)
		for _, e := range edges {
			if e.from != e.to && !yield(e) {
				return
			}
		}
	}
}

// appendEdges appends those that the accesses of one transaction prove.
func (a *analysis) appendEdges(all []arrow, t int) []arrow {
	for _, x := range a.accesses[t] {
		if x.write && a.versions[x.version].parent != initial {
			parent := a.versions[x.version].parent
			all = append(all, arrow{from: a.versions[parent].writer, to: t, kind: ww, version: x.version, over: parent})
		}
	}
	for i := range a.accesses[t] {
		x := &a.accesses[t][i]
		if x.write {
			continue
		}
		if x.version != initial {
			all = append(all, arrow{from: a.versions[x.version].writer, to: t, kind: wr, read: x, version: x.version})
		}
		for _, v := range *a.children(x.key, x.version) {
			all = append(all, arrow{from: t, to: a.versions[v].writer, kind: rw, read: x, version: v})
		}
	}
	return all
}

// drawTogether leaves out transactions of a cycle between two versions of one key: who has not seen
// the older has not seen the newer either, and who saw the newer element of a list saw the older.
func (a *analysis) drawTogether(kind Kind, cycle []arrow) []arrow {
	for i := 0; i < len(cycle) && len(cycle) > 2; {
		next, after := (i+1)%len(cycle), cycle[(i+2)%len(cycle)]
		e, ok := a.join(cycle[i], cycle[next])
		if !ok || kind == LongFork && e.kind == rw && after.kind == rw { // what keeps them apart is the point
			i++
			continue
		}
		cycle[i] = e
		cycle, i = slices.Delete(cycle, next, next+1), 0
	}
	return cycle
}

// join makes one edge of two, if they are about versions of one key.
func (a *analysis) join(e, f arrow) (joined arrow, ok bool) {
	switch {
	case e.kind != wr && f.kind == ww && a.before(e.version, f.version):
		e.to, e.version = f.to, f.version
		return e, true
	case e.kind == ww && f.kind == wr && a.keys[a.versions[e.over].key].list && a.before(e.over, f.version):
		return arrow{from: e.from, to: f.to, kind: wr, read: f.read, version: e.over}, true
	default:
		return e, false
	}
}
