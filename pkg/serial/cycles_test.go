package serial

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// The search finds a shortest cycle of each class of edges, and none where there is none. That is
// held against a walk over all cycles of small graphs.
func TestShortest(t *testing.T) {
	read := &access{}
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 3))
		n := 2 + r.IntN(5)
		var edges []arrow
		for range r.IntN(3 * n) {
			if from, to := r.IntN(n), r.IntN(n); from != to {
				edges = append(edges, arrow{from: from, to: to, kind: []int{ww, wr, rw}[r.IntN(3)], read: read})
			}
		}
		want := map[Kind]int{} // the length of the shortest
		var walk func(path []arrow)
		walk = func(path []arrow) {
			last := path[len(path)-1]
			if last.to == path[0].from {
				kind := kindOf(path)
				if old, ok := want[kind]; !ok || len(path) < old {
					want[kind] = len(path)
				}
				return
			}
			for _, e := range edges {
				if e.from == last.to && !slices.ContainsFunc(path, func(p arrow) bool { return p.from == e.to && p.from != path[0].from || p.from == e.from }) {
					walk(append(slices.Clone(path), e))
				}
			}
		}
		for _, e := range edges {
			walk([]arrow{e})
		}
		a := &analysis{h: make(History, n), found: map[Kind]Anomaly{}, keys: []key{{}}}
		got := map[Kind]int{}
		for kind, cycle := range a.shortestCycles(slices.Values(edges)) {
			got[kind] = len(cycle)
			if kindOf(cycle) != kind {
				t.Fatalf("seed %d: %v is told as %s", seed, cycle, kind)
			}
		}
		for kind, length := range want {
			// Milder classes are exact only where there is no worse one.
			exact := kind <= GSingle || len(want) == 1
			if exact && got[kind] != length {
				t.Fatalf("seed %d: the shortest %s has %d edges, and %d were found among %v", seed, kind, length, got[kind], edges)
			}
		}
		for kind, length := range got {
			if want[kind] == 0 || length < want[kind] {
				t.Fatalf("seed %d: %s with %d edges was found, want %d: %v", seed, kind, length, want[kind], edges)
			}
		}
		worst, found := slices.Min(append(keysOf(want), Backwards)), slices.Min(append(keysOf(got), Backwards))
		if worst != found {
			t.Fatalf("seed %d: the worst is %s, and %s was found", seed, worst, found)
		}
	}
}

func keysOf(m map[Kind]int) []Kind {
	var all []Kind
	for k := range m {
		all = append(all, k)
	}
	return all
}

// kindOf names a cycle by its edges.
func kindOf(cycle []arrow) Kind {
	count, together := map[int]int{}, false
	for i, e := range cycle {
		count[e.kind]++
		together = together || e.kind == rw && cycle[(i+1)%len(cycle)].kind == rw
	}
	switch {
	case count[rw] == 0 && count[wr] == 0:
		return G0
	case count[rw] == 0:
		return G1c
	case count[rw] == 1:
		return GSingle
	case together:
		return G2Item
	default:
		return LongFork
	}
}
