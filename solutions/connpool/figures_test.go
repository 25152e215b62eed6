//go:build solutions && !race

package connpool_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/solutions/connpool"
	"github.com/backend-kata/dojo/solutions/internal/figure"
	"github.com/backend-kata/dojo/solutions/internal/numbers"
)

// The figure and the numbers of docs/connpool.md come from here. With -v the tests print the numbers; make figures draws.

// A link is a connection to a database that is a model.
type link struct{ *database }

func (*link) Reset() error { return nil }
func (*link) Close() error { return nil }

// A database has cores. Queries beyond them wait, and each of those slows all down.
type database struct {
	cores chan struct{}
	dial  time.Duration

	mu     sync.Mutex // guards the rest
	active int
	dials  int
}

const (
	coreCount = 8
	work      = 5 * time.Millisecond  // of a core, for a request
	travel    = 10 * time.Millisecond // on the network and in the application, while the connection is lent out
	slower    = 0.01                  // by each query that runs or waits in the database beyond the cores: assumed
)

func newDatabase(dial time.Duration) *database {
	return &database{cores: make(chan struct{}, coreCount), dial: dial}
}

func (d *database) connect(context.Context) (connpool.Conn, error) {
	time.Sleep(d.dial)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dials++
	return &link{d}, nil
}

func (d *database) query() {
	time.Sleep(travel / 2)
	d.mu.Lock()
	d.active++
	d.mu.Unlock()
	d.cores <- struct{}{}
	d.mu.Lock()
	beyond := max(0, d.active-coreCount)
	d.mu.Unlock()
	time.Sleep(time.Duration(float64(work) * (1 + slower*float64(beyond))))
	<-d.cores
	d.mu.Lock()
	d.active--
	d.mu.Unlock()
	time.Sleep(travel / 2)
}

// A load is what came of 200 clients, each of which always has a request under way.
type load struct {
	perSecond float64
	waits     []time.Duration // for a connection
	query     []time.Duration // with one
}

func offer(t *testing.T, connections int) load {
	var l load
	bubble.Run(t, func(t *testing.T) {
		db := newDatabase(0)
		pool := connpool.New(connpool.Config{Dial: db.connect, Max: connections, MaxIdle: connections, Random: func() float64 { return 0 }})
		const warm, end = time.Second, 4 * time.Second
		start := time.Now()
		var mu sync.Mutex
		var all sync.WaitGroup
		for client := range 200 {
			all.Go(func() {
				time.Sleep(time.Duration(client) * 71_993) // apart, so that each run is the same
				for time.Since(start) < end {
					began := time.Now()
					_ = pool.Do(t.Context(), func(context.Context, connpool.Conn) error {
						lent := time.Now()
						db.query()
						if at := time.Since(start); at > warm && at <= end {
							mu.Lock()
							defer mu.Unlock()
							l.waits = append(l.waits, lent.Sub(began))
							l.query = append(l.query, time.Since(lent))
						}
						return nil
					})
				}
			})
		}
		all.Wait()
		l.perSecond = float64(len(l.waits)) / (end - warm).Seconds()
		if err := pool.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return l
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

func TestFigureSizes(t *testing.T) {
	var points [][2]float64
	rows := [][]string{{"connections", "per_second"}}
	for _, n := range []int{1, 8, 16, 24, 32, 50, 75, 100, 150, 200} {
		done := offer(t, n).perSecond
		points = append(points, [2]float64{float64(n), done})
		rows = append(rows, []string{strconv.Itoa(n), strconv.FormatFloat(done, 'f', 0, 64)})
	}
	figure.Current(t, "connpool-sizes", rows, figure.Chart{
		Title:  "Past the knee, more connections do less",
		Assume: "200 busy clients, 8 cores, 5 ms of a core and 10 ms of network each. Assumed: a query beyond 8 slows all by 1 %.",
		Alt: "Requests a second by size of the pool, with 200 busy clients and 8 cores. They rise in a straight line to about 1,540 with 24 connections, the knee, and fall " +
			"to about 550 with 200.",
		X:     figure.Axis{Label: "connections in the pool", Scale: figure.Linear(0, 205), Ticks: figure.Even(0, 200, 50, "%g")},
		Y:     figure.Axis{Label: "requests a second", Scale: figure.Linear(0, 1900), Ticks: figure.Even(0, 1500, 500, "%g")},
		Lines: []figure.Line{{Name: "answered", Role: figure.Right, Points: points, Label: figure.Place{X: 110, Y: 1150}, Dots: true}},
		Marks: []figure.Mark{{X: points[3][0], Y: points[3][1], Name: "24: the knee", Role: figure.Right, Label: figure.Place{X: 30, Y: 1650}}},
	})
}

func TestSizes(t *testing.T) {
	rows := [][]string{{"connections", "answered, per s", "median wait for a connection", "median time with it"}}
	for _, n := range []int{8, 16, 24, 50, 100, 200} {
		l := offer(t, n)
		rows = append(rows, []string{
			strconv.Itoa(n), numbers.Thousands(int64(math.Round(l.perSecond))),
			fmt.Sprintf("%d ms", median(l.waits).Milliseconds()), fmt.Sprintf("%d ms", median(l.query).Milliseconds()),
		})
	}
	t.Log("\n" + numbers.Table(rows))
}

// bursts sends a hundred bursts of ten queries of 2 ms, one every 50 ms, through a pool of ten. It returns the dials, of
// 20 ms each, and the mean time of a request.
func bursts(t *testing.T, idle int) (dials int, mean time.Duration) {
	bubble.Run(t, func(t *testing.T) {
		db := newDatabase(20 * time.Millisecond)
		pool := connpool.New(connpool.Config{Dial: db.connect, Max: 10, MaxIdle: idle, Random: func() float64 { return 0 }})
		var mu sync.Mutex
		var total time.Duration
		var all sync.WaitGroup
		for range 100 {
			for range 10 {
				all.Go(func() {
					began := time.Now()
					_ = pool.Do(t.Context(), func(context.Context, connpool.Conn) error { time.Sleep(2 * time.Millisecond); return nil })
					mu.Lock()
					defer mu.Unlock()
					total += time.Since(began)
				})
			}
			time.Sleep(50 * time.Millisecond)
		}
		all.Wait()
		dials, mean = db.dials, total/1000
		if err := pool.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return dials, mean
}

func TestNumber(t *testing.T) {
	two, slow := bursts(t, 2)
	ten, fast := bursts(t, 10)
	if two <= ten || slow <= fast {
		t.Errorf("a pool that keeps two idle dials %d times and takes %v, one that keeps ten %d times and %v", two, slow, ten, fast)
	}
	t.Logf("1,000 requests in bursts of ten, through a pool of ten: %d dials and %.1f ms each if it keeps two idle, %d dials and %.1f ms if ten",
		two, slow.Seconds()*1000, ten, fast.Seconds()*1000)
}
