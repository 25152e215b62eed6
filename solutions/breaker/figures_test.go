//go:build solutions && !race

package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/loadgen"
	"github.com/backend-kata/dojo/solutions/breaker"
	"github.com/backend-kata/dojo/solutions/internal/figure"
	"github.com/backend-kata/dojo/solutions/internal/numbers"
)

// The figure and the numbers of docs/breaker.md come from here. With -v the tests print the numbers; make figures draws.

// Users ask a shop for pages, and the shop asks a second service, reviews, for a part that it can do without. For a minute
// reviews accepts every call and answers none.
const (
	rate       = 100 // pages a second
	workers    = 50  // of the shop
	patience   = time.Second
	objective  = 500 * time.Millisecond
	ownWork    = 10 * time.Millisecond // of the shop for a page
	healthy    = 20 * time.Millisecond // what reviews takes when it is well
	outageFrom = 20 * time.Second
	outageTo   = 80 * time.Second
	end        = 120 * time.Second
)

var errRefused = errors.New("refused")

// A guard stands between the shop and reviews.
type guard func(ctx context.Context, call func(ctx context.Context) error) error

func direct(ctx context.Context, call func(ctx context.Context) error) error { return call(ctx) }

// within gives each call a time limit of its own.
func within(limit time.Duration, g guard) guard {
	return func(ctx context.Context, call func(ctx context.Context) error) error {
		return g(ctx, func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			return call(ctx)
		})
	}
}

// bulkhead lets so many calls run at a time and refuses the rest.
func bulkhead(most int) guard {
	places := make(chan struct{}, most)
	return func(ctx context.Context, call func(ctx context.Context) error) error {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
			return call(ctx)
		default:
			return errRefused
		}
	}
}

// guarded is the reference.
func guarded() guard {
	random := rand.New(rand.NewPCG(1, 2))
	return breaker.New(breaker.Config{
		Window: 5 * time.Second, Minimum: 20, Rate: 0.5,
		Pause: 5 * time.Second, MaxPause: 10 * time.Second, Probes: 3, Limit: 2 * time.Second,
		Random: random.Float64,
	}).Do
}

// blind is the reference behind a wrapper that takes every ended context for a caller who has left.
func blind() guard {
	g := guarded()
	return func(ctx context.Context, call func(ctx context.Context) error) error {
		left, leave := context.WithCancel(context.WithoutCancel(ctx))
		defer leave()
		return g(left, func(context.Context) error {
			err := call(ctx)
			if ctx.Err() != nil {
				leave()
				return left.Err()
			}
			return err
		})
	}
}

var ways = []struct {
	name string
	make func() guard
}{
	{"nothing but the deadline of 1 s", func() guard { return direct }},
	{"breaker that ignores every ended context", blind},
	{"breaker", guarded},
	{"timeout of 200 ms", func() guard { return within(200*time.Millisecond, direct) }},
	{"bulkhead: 10 calls at a time", func() guard { return bulkhead(10) }},
	{"breaker and timeout of 200 ms", func() guard { return within(200*time.Millisecond, guarded()) }},
}

// A run is what came of an outage.
type run struct {
	report *loadgen.Report

	mu    sync.Mutex      // guards the rest
	calls int             // that reached reviews in the outage
	took  []time.Duration // for pages that were due in it
	lacks time.Duration   // when the last page without reviews was due
}

func outage(t *testing.T, guarding func() guard) *run {
	r := new(run)
	bubble.Run(t, func(t *testing.T) {
		ask, start := guarding(), time.Now()
		reviews := func(ctx context.Context) error {
			takes := healthy
			if at := time.Since(start); at >= outageFrom && at < outageTo {
				takes = time.Hour
				r.mu.Lock()
				r.calls++
				r.mu.Unlock()
			}
			select {
			case <-time.After(takes):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		busy := make(chan struct{}, workers)
		page := func(ctx context.Context) (whole bool) {
			select {
			case busy <- struct{}{}:
				defer func() { <-busy }()
				time.Sleep(ownWork)
				return ask(ctx, reviews) == nil
			case <-ctx.Done():
				return false
			}
		}
		r.report = loadgen.Open{Arrivals: loadgen.Steady(rate, end).Poisson(1), Objective: objective}.Run(t.Context(), func(ctx context.Context, _ int) error {
			due := time.Since(start)
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			whole := page(ctx)
			r.mu.Lock()
			defer r.mu.Unlock()
			if !whole {
				r.lacks = max(r.lacks, due)
			}
			if due >= outageFrom && due < outageTo {
				r.took = append(r.took, time.Since(start)-due)
			}
			return ctx.Err() // the page is there in time, with reviews or without
		})
	})
	return r
}

// goodput is how many pages a second users got within the objective in the outage.
func (r *run) goodput() float64 { return r.report.Between(outageFrom, outageTo).Goodput() }

// median is how long half of the pages took in the outage.
func (r *run) median() time.Duration {
	slices.Sort(r.took)
	return r.took[len(r.took)/2]
}

// after is for how long pages still had no reviews after the outage.
func (r *run) after() time.Duration { return max(0, r.lacks-outageTo) }

func TestOutage(t *testing.T) {
	rows := [][]string{{"what guards the calls", "pages in time, per s", "median page", "calls to reviews", "reviews missing afterwards"}}
	for _, w := range ways {
		r := outage(t, w.make)
		rows = append(rows, []string{
			w.name, fmt.Sprintf("%.0f", r.goodput()), fmt.Sprintf("%d ms", r.median().Milliseconds()),
			numbers.Thousands(r.calls), fmt.Sprintf("%.0f s", r.after().Seconds()),
		})
	}
	t.Log("\n" + numbers.Table(rows))
}

func TestNumber(t *testing.T) {
	without, with := outage(t, ways[0].make), outage(t, ways[2].make)
	t.Logf("in a minute's outage, %.0f of %d pages a second arrives in time without a breaker and %.0f with one, which sends %s calls instead of %s",
		without.goodput(), rate, with.goodput(), numbers.Thousands(with.calls), numbers.Thousands(without.calls))
}

// What users get in each second before, in and after the outage.
func TestFigureOutage(t *testing.T) {
	without, with := outage(t, ways[0].make), outage(t, ways[2].make)
	rows := [][]string{{"second", "no_breaker_percent_in_time", "breaker_percent_in_time"}}
	var wrong, right [][2]float64
	for i, w := range without.report.Intervals {
		second, none, some := float64(i)+0.5, 100*w.Share(), 100*with.report.Intervals[i].Share()
		rows = append(rows, []string{fmt.Sprint(i), fmt.Sprintf("%.1f", none), fmt.Sprintf("%.1f", some)})
		wrong = append(wrong, [2]float64{second, none})
		right = append(right, [2]float64{second, some})
	}
	figure.Current(t, "breaker-outage", rows, figure.Chart{
		Title:  "A breaker turns an outage into a dip of three seconds",
		Assume: "100 pages a second, 50 workers, a deadline of 1 s. Every page asks for reviews, and can do without.",
		Alt: "The share of pages that users get within half a second, before, in and after an outage of a minute. Without a breaker it falls to 0 % for the whole " +
			"minute. With one it falls to 0 % for three seconds, and is then 97 to 100 %.",
		X: figure.Axis{Label: "seconds", Scale: figure.Linear(0, 110), Ticks: figure.Even(0, 100, 20, "%g")},
		Y: figure.Axis{Label: "% of the pages within 500 ms", Scale: figure.Linear(0, 125), Ticks: figure.Even(0, 100, 50, "%g")},
		Lines: []figure.Line{
			{Name: "no breaker: " + numbers.Thousands(without.calls) + " calls", Role: figure.Wrong, Points: wrong[:110], Label: figure.Place{X: 26, Y: 9}},
			{Name: "breaker: " + numbers.Thousands(with.calls) + " calls to reviews", Role: figure.Right, Points: right[:110], Label: figure.Place{X: 26, Y: 52}},
		},
		Marks: []figure.Mark{
			{X: right[23][0], Y: right[23][1], Name: "opens", Role: figure.Right, Label: figure.Place{X: 25, Y: 82}},
			{X: right[51][0], Y: right[51][1], Name: "probes", Role: figure.Right, Label: figure.Place{X: 50, Y: 82}},
		},
		Spans: []figure.Span{{Name: "reviews hangs", From: outageFrom.Seconds(), To: outageTo.Seconds()}},
	})
}
