package prove

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Work is the processor time that a proof took, by what it went into. Work that
// waits, for a step's limit or for its turn, takes none.
type Work map[string]time.Duration

// Total returns all of it.
func (w Work) Total() time.Duration {
	var sum time.Duration
	for _, d := range w {
		sum += d
	}
	return sum
}

// Add adds the work of another proof.
func (w Work) Add(other Work) {
	for kind, d := range other {
		w[kind] += d
	}
}

// String says where the time went, most first.
func (w Work) String() string {
	kinds := slices.SortedFunc(maps.Keys(w), func(x, y string) int {
		return cmp.Or(cmp.Compare(w[y], w[x]), strings.Compare(x, y))
	})
	var parts []string
	for _, kind := range kinds {
		parts = append(parts, fmt.Sprintf("%s %.1f", kind, w[kind].Seconds()))
	}
	return fmt.Sprintf("%.1f s of work: %s", w.Total().Seconds(), strings.Join(parts, ", "))
}

// spend returns a function that adds to one kind of the kata's work.
func (p *proof) spend(kind string) func(time.Duration) {
	return func(d time.Duration) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.report.Work[kind] += d
	}
}
