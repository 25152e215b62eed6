//go:build solutions

package percentiles_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/solutions/internal/figure"
	"github.com/backend-kata/dojo/solutions/percentiles"
)

// The figures and numbers of docs/percentiles.md come from here. With -v the
// tests print the numbers; make figures draws.

// A stall of 5 s in 100 s at 100 requests a second is measured in three ways.
func TestFigureStall(t *testing.T) {
	sent, corrected, due := stall(t)
	rows := [][]string{{"quantile", "from_the_send_ms", "corrected_ms", "from_when_due_ms"}}
	for i := range 161 {
		q := 1 - math.Pow(10, -float64(i)/40) // four nines, forty points for each
		row := []string{fmt.Sprintf("%.6f", q)}
		for _, h := range []*percentiles.Histogram{sent, corrected, due} {
			row = append(row, fmt.Sprintf("%.3f", milliseconds(h, q)))
		}
		rows = append(rows, row)
	}
	for _, q := range []float64{0.5, 0.9, 0.95, 0.99, 0.999, 1} {
		t.Logf("quantile %-5v  from the send %8.1f ms   corrected %8.1f ms   from when due %8.1f ms", q,
			milliseconds(sent, q), milliseconds(corrected, q), milliseconds(due, q))
	}
	t.Logf("values: from the send %d, corrected %d, from when due %d", sent.Count(), corrected.Count(), due.Count())
	figure.Current(t, "percentiles-stall", rows, figure.Chart{
		Title:  "Timed from the send, the stall disappears",
		Assume: "100 requests a second for 100 s, about 1 ms each. The server stalls for 5 s.",
		Alt: "Latency by percentile. Measured from the send, p99 is below 2 ms, and only the maximum shows the stall. Corrected afterwards, p95 is 11 ms. " +
			"Measured from when the request was due, p95 is 518 ms and p99 is 4 s.",
		X: figure.Axis{Label: "percentile", Scale: figure.Nines(4), Ticks: []figure.Tick{
			{At: 0, Name: "p0"}, {At: 0.9, Name: "p90"}, {At: 0.99, Name: "p99"}, {At: 0.999, Name: "p99.9"}, {At: 0.9999, Name: "p99.99"},
		}},
		Y: figure.Axis{Label: "latency", Scale: figure.Log(0.5, 30_000), Ticks: []figure.Tick{
			{At: 1, Name: "1 ms"}, {At: 10, Name: "10 ms"}, {At: 100, Name: "100 ms"}, {At: 1000, Name: "1 s"}, {At: 10_000, Name: "10 s"},
		}},
		Lines: []figure.Line{
			{Name: "from the send", Role: figure.Wrong, Points: spectrum(sent), Label: figure.Place{X: 0.9985, Y: 0.75, End: true}},
			{Name: "from when it was due", Role: figure.Right, Points: spectrum(due), Label: figure.Place{X: 0.9998, Y: 8500, End: true}},
			{Name: "from the send, corrected", Role: figure.Halfway, Points: spectrum(corrected), Label: figure.Place{X: 0.9998, Y: 400, End: true}},
		},
		Marks: []figure.Mark{
			{
				X: 0.95, Y: milliseconds(due, 0.95), Name: fmt.Sprintf("p95: %.0f ms", milliseconds(due, 0.95)), Role: figure.Right,
				Label: figure.Place{X: 0.938, Y: 470, End: true},
			},
			{X: 0.95, Y: milliseconds(corrected, 0.95), Name: fmt.Sprintf("p95: %.0f ms", milliseconds(corrected, 0.95)), Role: figure.Halfway},
			{
				X: 1 - 1/float64(sent.Count()), Y: 50, Name: "the one request that saw it", Role: figure.Wrong,
				Label: figure.Place{X: 0.99985, Y: 42, End: true},
			},
		},
	})
}

// stall measures a stall of 5 s in 100 s at 100 requests a second, in three ways.
func stall(t *testing.T) (sent, corrected, due *percentiles.Histogram) {
	t.Helper()
	const n, interval = 10_000, 10 * time.Millisecond
	sent, corrected, due = percentiles.NewHistogram(), percentiles.NewHistogram(), percentiles.NewHistogram()
	bubble.Run(t, func(t *testing.T) {
		call, began := stallingServer(), time.Now()
		for time.Since(began) < n*interval {
			start := time.Now()
			call()
			took := time.Since(start)
			must(t, sent.Record(took))
			must(t, corrected.RecordCorrected(took, interval))
			time.Sleep(interval - time.Since(began)%interval)
		}
	})
	bubble.Run(t, func(t *testing.T) {
		must(t, percentiles.Pace(due, n, interval, stallingServer()))
	})
	return sent, corrected, due
}

// stallingServer answers in 1 ms to a few, and stands still from second 30 to second 35.
func stallingServer() func() {
	r, began := rand.New(rand.NewPCG(1, 35)), time.Now()
	return func() {
		if at := time.Since(began); at >= 30*time.Second && at < 35*time.Second {
			time.Sleep(35*time.Second - at)
		}
		time.Sleep(time.Duration(float64(time.Millisecond) * math.Exp(0.25*r.NormFloat64())))
	}
}

// How likely a page meets a slow call, by how many calls it makes.
func TestFigureFanOut(t *testing.T) {
	rows := [][]string{{"calls", "p99", "p999"}}
	for calls := 1; calls <= 200; calls++ {
		rows = append(rows, []string{
			fmt.Sprint(calls),
			fmt.Sprintf("%.4f", percentiles.SlowChance(0.99, calls)),
			fmt.Sprintf("%.4f", percentiles.SlowChance(0.999, calls)),
		})
	}
	t.Logf("a page of 100 calls meets a p99 in %.1f %%, a p99.9 in %.1f %% of all cases",
		100*percentiles.SlowChance(0.99, 100), 100*percentiles.SlowChance(0.999, 100))
	figure.Current(t, "percentiles-fanout", rows, figure.Chart{
		Title:  "At 69 calls a page, the p99 hits every other page",
		Assume: "Each call is slow by chance, independently of the others.",
		Alt: "Share of pages with at least one slow call, by number of calls. Slower than the p99: half of the pages at 69 calls, 63 percent at 100. " +
			"Slower than the p99.9: 9.5 percent at 100 calls.",
		X: figure.Axis{Label: "calls per page", Scale: figure.Linear(0, 200), Ticks: figure.Even(0, 200, 50, "%g")},
		Y: figure.Axis{Label: "pages with at least one call that slow", Scale: figure.Linear(0, 100), Ticks: figure.Even(0, 100, 25, "%g %%")},
		Lines: []figure.Line{
			{Name: "slower than the p99", Role: figure.Wrong, Points: slowPages(0.99), Label: figure.Place{X: 122, Y: 80, End: true}},
			{Name: "slower than the p99.9", Role: figure.Right, Points: slowPages(0.999), Label: figure.Place{X: 196, Y: 22, End: true}},
		},
		Marks: []figure.Mark{
			slowMark(0.99, 69, "69 calls: %.0f %%", figure.Wrong), slowMark(0.99, 100, "100 calls: %.0f %%", figure.Wrong),
			slowMark(0.999, 100, "100 calls: %.1f %%", figure.Right),
		},
	})
}

// spectrum is a histogram as a line: latency in milliseconds by quantile.
func spectrum(h *percentiles.Histogram) [][2]float64 {
	var points [][2]float64
	for i := range 401 {
		q := 1 - math.Pow(10, -float64(i)/100)
		points = append(points, [2]float64{q, milliseconds(h, q)})
	}
	return points
}

// slowMark marks the share of pages of so many calls.
func slowMark(q float64, calls int, format string, role figure.Role) figure.Mark {
	x, y := float64(calls), 100*percentiles.SlowChance(q, calls)
	return figure.Mark{X: x, Y: y, Name: fmt.Sprintf(format, y), Role: role, Label: figure.Place{X: x + 4, Y: y - 6}}
}

// slowPages is the share of pages, in percent, by calls of the page.
func slowPages(q float64) [][2]float64 {
	var points [][2]float64
	for calls := 0; calls <= 200; calls += 2 {
		points = append(points, [2]float64{float64(calls), 100 * percentiles.SlowChance(q, calls)})
	}
	return points
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func milliseconds(h *percentiles.Histogram, q float64) float64 {
	d, err := h.Quantile(q)
	if err != nil {
		panic(err)
	}
	return d.Seconds() * 1000
}
