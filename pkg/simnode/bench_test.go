package simnode_test

import (
	"testing"

	"github.com/backend-kata/dojo/pkg/simnode"
)

// What a run costs: three nodes with an HTTP server each, three requests to two of
// them, six to count, and a crash. Explore takes a *testing.T, so a test of its own lends one.
func BenchmarkRun(b *testing.B) {
	lend := func(t *testing.T) {
		for made := 0; made < b.N; {
			r := simnode.ExploreWithin(t, b.N-made, func(t *testing.T, c *simnode.Cluster) { countsOnce(t, c, flaws{}) })
			made += 1 + r.Single + r.Double
		}
	}
	if !testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: b.Name(), F: lend}}) {
		b.Fatal("an exploration failed")
	}
}
