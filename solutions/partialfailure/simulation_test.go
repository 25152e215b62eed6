//go:build solutions

package partialfailure_test

import (
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/simnet"
	"github.com/backend-kata/dojo/solutions/partialfailure"
)

const ms = time.Millisecond

// A run is what came of many pages with one part.
type run struct {
	requests int64 // that arrived at the service
	whole    int
	p50, p99 time.Duration // of the time that a page took
}

// pages asks for pages at a steady rate, and lets the service answer each request
// as told. The network takes 1 ms each way.
func pages(t *testing.T, cfg partialfailure.Config, n int, every time.Duration, answer func(n int64) (status int, takes time.Duration)) (r run) {
	bubble.Run(t, func(t *testing.T) {
		network := &simnet.Network{Default: simnet.Link{Latency: ms}}
		var requests atomic.Int64
		simnet.NewTestServer(t, network.Host("stock"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			status, takes := answer(requests.Add(1))
			select {
			case <-time.After(takes):
				w.WriteHeader(status)
			case <-r.Context().Done():
			}
		}))
		cfg.Client = network.Host("page").Client()
		defer cfg.Client.CloseIdleConnections()
		c := partialfailure.New(cfg)
		took, whole := make([]time.Duration, n), make([]bool, n)
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				start := time.Now()
				page, err := c.Page(t.Context(), []partialfailure.Part{{Name: "stock", URL: "http://stock/7"}})
				took[i], whole[i] = time.Since(start), err == nil && len(page.Missing) == 0
			})
			time.Sleep(every)
		}
		all.Wait()
		r.requests = requests.Load()
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

// The answer page's first table: the service is down for a minute, and 50 pages
// a second are asked for.
func TestLoadOfAnOutage(t *testing.T) {
	down := func(int64) (int, time.Duration) { return http.StatusServiceUnavailable, ms }
	for _, test := range []struct {
		name     string
		attempts int
		floor    int
		want     int64
	}{
		{"no retries", 1, 0, 3000},
		{"three attempts, no budget", 3, 1 << 30, 9000},
		{"three attempts, with the budget", 3, 10, 3361},
	} {
		cfg := config()
		cfg.MaxAttempts, cfg.RetryFloor = test.attempts, test.floor
		if got := pages(t, cfg, 3000, 20*ms, down); got.requests != test.want {
			t.Errorf("%s: %d requests arrived, and docs/partialfailure.md says %d", test.name, got.requests, test.want)
		}
	}
}

// Its second table: every fiftieth answer takes 900 ms, the others 10 ms.
func TestTail(t *testing.T) {
	for _, test := range []struct {
		name  string
		hedge time.Duration
		want  run
	}{
		{"no hedges", 0, run{requests: 5000, whole: 5000, p50: 12 * ms, p99: 902 * ms}},
		{"a hedge after 31 ms", 31 * ms, run{requests: 5102, whole: 5000, p50: 12 * ms, p99: 44 * ms}},
		{"a hedge after 6 ms", 6 * ms, run{requests: 5550, whole: 5000, p50: 12 * ms, p99: 902 * ms}},
	} {
		cfg := config()
		cfg.HedgeAfter = test.hedge
		got := pages(t, cfg, 5000, 10*ms, func(n int64) (int, time.Duration) {
			if n%50 == 0 {
				return http.StatusOK, 900 * ms
			}
			return http.StatusOK, 10 * ms
		})
		if got != test.want {
			t.Errorf("%s: got %+v, and docs/partialfailure.md says %+v", test.name, got, test.want)
		}
	}
}

// And what a time for each attempt is good for: every fifth request hangs.
func TestAttemptTimeout(t *testing.T) {
	for _, test := range []struct {
		limit time.Duration
		want  run
	}{
		{2 * time.Second, run{requests: 1000, whole: 800, p50: 12 * ms, p99: 2 * time.Second}},
		{300 * ms, run{requests: 1249, whole: 1000, p50: 12 * ms, p99: 364 * ms}},
	} {
		cfg := config()
		cfg.AttemptTimeout, cfg.RetryFloor = test.limit, 1000
		got := pages(t, cfg, 1000, 20*ms, func(n int64) (int, time.Duration) {
			if n%5 == 0 {
				return http.StatusOK, time.Hour
			}
			return http.StatusOK, 10 * ms
		})
		if got != test.want {
			t.Errorf("attempts of %v: got %+v, and docs/partialfailure.md says %+v", test.limit, got, test.want)
		}
	}
}
