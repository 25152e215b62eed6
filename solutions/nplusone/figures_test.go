//go:build solutions

package nplusone_test

import (
	"fmt"
	"testing"

	"github.com/backend-kata/dojo/solutions/internal/figure"
)

// What is drawn is what TestThePage counts.
func TestFigureWaterfall(t *testing.T) {
	drawn := func(name string, role figure.Role, w way) figure.Way {
		var calls [][2]float64
		for i := range w.measure(t).statements {
			calls = append(calls, [2]float64{float64(i), float64(i) + 1})
		}
		return figure.Way{Name: fmt.Sprintf("%s: %d × 1 ms", name, len(calls)), Role: role, Calls: calls}
	}
	figure.Drawn(t, "nplusone-waterfall", figure.Waterfall{
		Title:  "The network makes N+1 slow, not the database",
		Assume: "20 orders, their 200 lines and the products. A round trip takes 1 ms; the work of the queries is not counted.",
		Alt: "Round trips on an axis of time. A query in each loop makes 221 of them, one after the other, and takes 221 ms. " +
			"One query per table takes 3 ms, and one join 1 ms.",
		X: figure.Axis{Label: "ms on the network", Scale: figure.Linear(0, 225), Ticks: figure.Even(0, 200, 50, "%g")},
		Ways: []figure.Way{
			drawn("a query in each loop", figure.Wrong, wayInLoops),
			drawn("one query per table, by keys", figure.Right, wayByKeys),
			drawn("one join", figure.Right, wayJoined),
		},
	})
}
