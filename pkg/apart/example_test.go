package apart_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/backend-kata/dojo/pkg/apart"
)

// A Gauge keeps a level and the highest one so far.
type Gauge struct {
	mu         sync.Mutex
	level, top int
}

func NewGauge() *Gauge { return new(Gauge) }

func (g *Gauge) Set(level int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.level, g.top = level, max(g.top, level)
}

func (g *Gauge) Level() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.level
}

// Would Level not lock, the test would say
//
//	Set and Level touched the same memory with nothing to order them: data race (the detector's report is above)
//
// Without -race it is skipped. Pairs takes a testing.TB, so this example is a test.
func TestGaugeIsSafe(t *testing.T) {
	apart.Pairs(t, NewGauge,
		apart.Call[*Gauge]{Name: "Set", Do: func(g *Gauge) { g.Set(3) }},
		apart.Call[*Gauge]{Name: "Level", Do: func(g *Gauge) { g.Level() }},
	)
}

func ExampleRun() {
	g := NewGauge()
	apart.Run(
		func() { g.Set(3) },
		func() { g.Set(2) },
	)
	fmt.Println(g.Level(), g.top)
	// Output: 2 3
}
