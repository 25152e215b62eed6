//go:build solutions && !race

package loadshed_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/loadgen"
	"github.com/backend-kata/dojo/solutions/internal/figure"
	"github.com/backend-kata/dojo/solutions/loadshed"
)

// The figures and numbers of docs/loadshed.md come from here. With -v the
// tests print the numbers; make figures draws.

const (
	workers   = 10
	capacity  = 100.0 // requests a second: each takes a worker 100 ms on average
	objective = time.Second
)

// The three servers that are compared.
var designs = []struct {
	name  string
	role  figure.Role
	front func(next http.Handler) http.Handler
}{
	{"no protection", figure.Wrong, func(next http.Handler) http.Handler { return next }},
	{"fixed limit, too high", figure.Halfway, fixedLimit},
	{"adaptive limit", figure.Right, reference},
}

func reference(next http.Handler) http.Handler {
	return loadshed.New(loadshed.Config{
		Objective: objective,
		Workers:   workers,
		Random:    seeded(),
	}, next)
}

// fixedLimit lets in 100 at a time, which was right when there were twice as
// many workers: 20 of them took half a second to see to 100 requests.
func fixedLimit(next http.Handler) http.Handler {
	var inside atomic.Int64
	random := seeded()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer inside.Add(-1)
		if inside.Add(1) > 100 {
			w.Header().Set("Retry-After", strconv.Itoa(1+int(5*random())))
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// seeded returns a source of random numbers for many at a time.
func seeded() func() float64 {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(24, 24))
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return r.Float64()
	}
}

// shop is the simulated server behind one of the designs, asked by number.
func shop(front func(http.Handler) http.Handler) loadgen.Send {
	station := loadgen.NewStation(workers)
	return loadgen.Handler(front(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.Header.Get("Number"))
		takes := 1 + rand.New(rand.NewPCG(1, uint64(n))).ExpFloat64()
		station.Do(time.Duration(takes * float64(50*time.Millisecond)))
	})), func(ctx context.Context, n int) *http.Request {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://shop.test/order", http.NoBody)
		if err != nil {
			panic(err)
		}
		r.Header.Set("Number", strconv.Itoa(n))
		return r
	})
}

// 20 s at each load, of which the last 10 count. None is at the capacity itself: there a queue grows without a limit too, but
// not in 20 s.
func TestFigureLoad(t *testing.T) {
	loads := []float64{0.5, 0.8, 0.9, 1.1, 1.2, 1.5, 2, 3, 5, 10}
	rows := [][]string{{"offered_load_of_capacity", "no_protection_good_per_s", "fixed_limit_good_per_s", "adaptive_limit_good_per_s"}}
	points := make([][][2]float64, len(designs))
	for _, load := range loads {
		row := []string{fmt.Sprint(load)}
		for i, d := range designs {
			bubble.Run(t, func(t *testing.T) {
				r := loadgen.Open{Arrivals: loadgen.Steady(load*capacity, 20*time.Second).Poisson(1), Objective: objective}.Run(t.Context(), shop(d.front))
				goodput := r.Between(10*time.Second, r.To).Goodput()
				row = append(row, fmt.Sprintf("%.1f", goodput))
				points[i] = append(points[i], [2]float64{load, goodput})
			})
		}
		t.Log(row)
		rows = append(rows, row)
	}
	labels := []figure.Place{{X: 1.2, Y: 6}, {X: 2.1, Y: 74}, {X: 3, Y: 106}}
	var offered [][2]float64
	for load := 0.5; load < 1.26; load += 0.05 {
		offered = append(offered, [2]float64{load, load * capacity})
	}
	figure.Current(t, "loadshed-load", rows, figure.Chart{
		Title:  "Full goodput at ten times the capacity",
		Assume: "Arrivals and work are random; capacity is 100 a second on average. Runs of 20 s, of which the last 10 s count.",
		Alt: "Goodput by offered load. All three servers keep up below the capacity. Beyond it, goodput without protection falls to nothing. With a fixed " +
			"limit that is too high it falls to a third at ten times the capacity. With a limit that adapts to latency it stays at the capacity.",
		X: figure.Axis{Label: "offered load, × capacity", Scale: figure.Log(0.5, 10), Ticks: []figure.Tick{
			{At: 0.5, Name: "0.5"}, {At: 1, Name: "1"}, {At: 2, Name: "2"}, {At: 5, Name: "5"}, {At: 10, Name: "10"},
		}},
		Y:     figure.Axis{Label: "answers within 1 s, per second", Scale: figure.Linear(0, 125), Ticks: figure.Even(0, 125, 25, "%g")},
		Lines: append(lines(points, labels, true), figure.Line{Name: "offered", Role: figure.Offered, Points: offered, Label: figure.Place{X: 1.13, Y: 116, End: true}}),
	})
}

// A spike of 4 s, from clients who give up after 2 s and make three attempts.
// An answer counts if it comes within a second of its attempt, and in the two seconds in which it comes.
func TestFigureSpike(t *testing.T) {
	const before, spike, after = 10 * time.Second, 4 * time.Second, 46 * time.Second
	pattern := loadgen.Spike(0.6*capacity, 4*capacity, before, spike, after)
	const bin = 2 * time.Second
	bins := int(pattern.Length() / bin)
	rows := [][]string{{"from_s", "no_protection_good_per_s", "fixed_limit_good_per_s", "adaptive_limit_good_per_s"}}
	good := make([][]atomic.Int64, len(designs))
	points := make([][][2]float64, len(designs))
	for i, d := range designs {
		good[i] = make([]atomic.Int64, bins+60)
		bubble.Run(t, func(t *testing.T) {
			begun, ask := time.Now(), shop(d.front)
			counted := func(ctx context.Context, n int) error {
				at := time.Since(begun)
				err := ask(ctx, n)
				if now := time.Since(begun); err == nil && now-at <= objective {
					good[i][now/bin].Add(1)
				}
				return err
			}
			loadgen.Open{Arrivals: pattern.Poisson(1), Objective: objective}.Run(t.Context(), loadgen.Retry(counted, 2*time.Second, 3))
			time.Sleep(time.Hour) // what was given up is still worked on
		})
	}
	for k := range bins {
		from := float64(k) * bin.Seconds()
		row := []string{fmt.Sprint(from)}
		for i := range designs {
			perSecond := float64(good[i][k].Load()) / bin.Seconds()
			row = append(row, fmt.Sprintf("%.1f", perSecond))
			points[i] = append(points[i], [2]float64{from + bin.Seconds()/2, perSecond})
		}
		rows = append(rows, row)
	}
	for _, row := range rows {
		t.Log(row)
	}
	labels := []figure.Place{{X: 22, Y: 5}, {X: 25.5, Y: 36}, {X: 17, Y: 110}}
	offered := [][][2]float64{ // the spike leaves the picture
		{{0, 60}, {10, 60}, {10, 400}}, {{14, 400}, {14, 60}, {60, 60}},
	}
	figure.Current(t, "loadshed-spike", rows, figure.Chart{
		Title:  "The spike ends; without protection, the outage does not",
		Assume: "Capacity is 100 a second on average; work is random. Three attempts of 2 s each; counted when answered.",
		Alt: "Goodput over a minute with a spike of four seconds, from 60 requests a second to 400 and back. Without protection it falls to nothing and never " +
			"recovers. With a fixed limit that is too high it drops and recovers. With a limit that adapts to latency it stays at the capacity until the retries are done.",
		X: figure.Axis{Label: "seconds", Scale: figure.Linear(0, 60), Ticks: figure.Even(0, 60, 10, "%g")},
		Y: figure.Axis{Label: "answers within 1 s of their attempt, per second", Scale: figure.Linear(0, 140), Ticks: figure.Even(0, 125, 25, "%g")},
		Lines: append([]figure.Line{
			{Role: figure.Offered, Points: offered[0]},
			{Name: "offered: 60", Role: figure.Offered, Points: offered[1], Label: figure.Place{X: 59, Y: 75, End: true}},
		}, lines(points, labels, false)...),
		Spans: []figure.Span{{Name: "spike: 400 requests a second", From: before.Seconds(), To: (before + spike).Seconds()}},
	})
}

// lines has the dashed line last: it may lie on another.
func lines(points [][][2]float64, labels []figure.Place, dots bool) []figure.Line {
	var all []figure.Line
	for _, i := range []int{0, 2, 1} {
		all = append(all, figure.Line{Name: designs[i].name, Role: designs[i].role, Points: points[i], Label: labels[i], Dots: dots})
	}
	return all
}
