//go:build solutions && !race

package partialfailure_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/simnet"
	"github.com/backend-kata/dojo/solutions/internal/numbers"
	"github.com/backend-kata/dojo/solutions/partialfailure"
)

// The numbers that docs/partialfailure.md quotes. With -v the tests print them.
// With the race detector they take minutes, and it has seen all this code in the steps.

// A run is what came of many pages with one part.
type run struct {
	arrivals []time.Duration // of requests at the service
	whole    int
	p50, p99 time.Duration // of the time that a page took
}

// A policy makes what gets the part of one page.
type policy func(client *http.Client) func(ctx context.Context) error

// composer is the reference.
func composer(cfg partialfailure.Config) policy {
	return func(client *http.Client) func(context.Context) error {
		cfg.Client = client
		c := partialfailure.New(cfg)
		return func(ctx context.Context) error {
			page, err := c.Page(ctx, []partialfailure.Part{{Name: "stock", URL: "http://stock/7"}})
			return errors.Join(err, page.Missing["stock"])
		}
	}
}

// bucket makes three attempts, with the budget of the example.
func bucket(client *http.Client) func(context.Context) error {
	s, b := &shop{client}, &budget{tokens: 10}
	return func(ctx context.Context) (err error) {
		b.firstAttempt()
		for n := range 3 {
			if n > 0 {
				if !b.mayRetry() {
					return err
				}
				time.Sleep(50 * ms << (n - 1)) // no jitter, as with the others
			}
			if _, err = s.get(ctx, "http://stock/7"); err == nil {
				return nil
			}
		}
		return err
	}
}

// pages asks for pages at a steady rate, and lets the service answer each request as told, by its number and its time. The
// network takes 1 ms each way.
func pages(t *testing.T, p policy, n int, every time.Duration, answer func(n int, at time.Duration) (status int, takes time.Duration)) (r run) {
	bubble.Run(t, func(t *testing.T) {
		network := &simnet.Network{Default: simnet.Link{Latency: ms}}
		begun := time.Now()
		var mu sync.Mutex
		simnet.NewTestServer(t, network.Host("stock"), http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			mu.Lock()
			at := time.Since(begun)
			r.arrivals = append(r.arrivals, at)
			status, takes := answer(len(r.arrivals), at)
			mu.Unlock()
			select {
			case <-time.After(takes):
				w.WriteHeader(status)
			case <-req.Context().Done():
			}
		}))
		client := network.Host("page").Client()
		defer client.CloseIdleConnections()
		get := p(client)
		took, whole := make([]time.Duration, n), make([]bool, n)
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				start := time.Now()
				whole[i] = get(t.Context()) == nil
				took[i] = time.Since(start)
			})
			time.Sleep(every)
		}
		all.Wait()
		for _, w := range whole {
			if w {
				r.whole++
			}
		}
		slices.Sort(took)
		r.p50, r.p99 = took[n/2-1], took[n*99/100-1]
	})
	return r
}

func config() partialfailure.Config {
	return partialfailure.Config{
		Timeout: 2 * time.Second, AttemptTimeout: time.Second, MaxAttempts: 3,
		BackoffBase: 100 * ms, BackoffCap: time.Second,
		Rand:       func() float64 { return 0.5 }, // so that the order of those who ask cannot matter
		RetryFloor: 10, RetryWindow: 10 * time.Second,
	}
}

// The policies that are compared in an outage.
func policies() (none, unlimited, budgeted policy) {
	once, free, short := config(), config(), config()
	once.MaxAttempts = 1
	free.RetryFloor = 1 << 30
	short.RetryFloor, short.RetryWindow = 1, time.Second
	return composer(once), composer(free), composer(short)
}

const outageFrom, outageTo = 20 * time.Second, 80 * time.Second

// outage asks for 50 pages a second while the service is up, then down for a minute, then up. It returns how many requests
// arrive in each second.
func outage(t *testing.T, p policy) (perSecond [100]int) {
	r := pages(t, p, 50*len(perSecond), 20*ms, func(_ int, at time.Duration) (int, time.Duration) {
		if at >= outageFrom && at < outageTo {
			return http.StatusServiceUnavailable, ms
		}
		return http.StatusOK, ms
	})
	for _, at := range r.arrivals {
		if second := int(at / time.Second); second < len(perSecond) {
			perSecond[second]++
		}
	}
	return perSecond
}

// inTheOutage sums up the minute of the outage.
func inTheOutage(perSecond [100]int) (requests, busiest int) {
	for _, n := range perSecond[outageFrom/time.Second : outageTo/time.Second] {
		requests += n
		busiest = max(busiest, n)
	}
	return requests, busiest
}

func TestOutage(t *testing.T) {
	none, unlimited, budgeted := policies()
	one := func(p policy) int { n, _ := inTheOutage(outage(t, p)); return n }
	without, storm, with := one(none), one(unlimited), one(budgeted)
	t.Logf("%s requests in a minute of outage instead of %s; with a retry budget, %s", numbers.Thousands(storm), numbers.Thousands(without), numbers.Thousands(with))
	if storm < 3*without-10 || with > without*113/100 {
		t.Errorf("In the outage %d requests arrive without retries, %d with three attempts and %d with a budget", without, storm, with)
	}
}

// What retries are good for, and what they cost.
func TestPolicies(t *testing.T) {
	none, unlimited, budgeted := policies()
	var table strings.Builder
	table.WriteString("| policy | pages lost to 1 % errors, of 3,000 | requests in a minute of outage | in its busiest second |\n|---|---|---|---|\n")
	for _, p := range []struct {
		name string
		policy
	}{
		{"no retries", none},
		{"3 attempts", unlimited},
		{"+ budget over 10 s", composer(config())},
		{"+ budget over 1 s", budgeted},
		{"+ token bucket", bucket},
	} {
		good := pages(t, p.policy, 3000, 20*ms, func(n int, _ time.Duration) (int, time.Duration) {
			if n%100 == 0 {
				return http.StatusServiceUnavailable, ms
			}
			return http.StatusOK, ms
		})
		requests, busiest := inTheOutage(outage(t, p.policy))
		fmt.Fprintf(&table, "| %s | %d | %s | %d |\n", p.name, 3000-good.whole, numbers.Thousands(requests), busiest)
	}
	t.Log("\n" + table.String())
}

// Every fiftieth answer takes 900 ms, the others 10 ms.
func TestHedge(t *testing.T) {
	after := func(hedge time.Duration) run {
		cfg := config()
		cfg.HedgeAfter = hedge
		return pages(t, composer(cfg), 5000, 10*ms, func(n int, _ time.Duration) (int, time.Duration) {
			if n%50 == 0 {
				return http.StatusOK, 900 * ms
			}
			return http.StatusOK, 10 * ms
		})
	}
	none, late, early := after(0), after(31*ms), after(6*ms)
	more := func(r run) float64 { return 100 * float64(len(r.arrivals)-5000) / 5000 }
	t.Logf("p99 falls from %d ms to %d ms for %.0f %% more requests; after 6 ms, below the median, it stays at %d ms for %.0f %% more",
		none.p99.Milliseconds(), late.p99.Milliseconds(), more(late), early.p99.Milliseconds(), more(early))
	if late.p99 > none.p99/10 || early.p99 < none.p99 || more(late) > 3 {
		t.Errorf("p99 is %v without hedges, %v with hedges after 31 ms and %v after 6 ms", none.p99, late.p99, early.p99)
	}
}

// Every fifth request hangs.
func TestAttemptTimeout(t *testing.T) {
	within := func(limit time.Duration) run {
		cfg := config()
		cfg.AttemptTimeout, cfg.RetryFloor = limit, 1000
		return pages(t, composer(cfg), 1000, 20*ms, func(n int, _ time.Duration) (int, time.Duration) {
			if n%5 == 0 {
				return http.StatusOK, time.Hour
			}
			return http.StatusOK, 10 * ms
		})
	}
	whole, short := within(2*time.Second), within(300*ms)
	t.Logf("%d of 1,000 pages are complete if an attempt may take all of it, and %s if it may take 300 ms", whole.whole, numbers.Thousands(short.whole))
	if whole.whole >= 1000 || short.whole != 1000 {
		t.Errorf("%d pages are whole with attempts of 2 s, and %d with attempts of 300 ms", whole.whole, short.whole)
	}
}
