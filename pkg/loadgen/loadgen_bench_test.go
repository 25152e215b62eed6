package loadgen_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/pkg/loadgen"
)

// BenchmarkOpen is the cost of a request that takes 100 ms of virtual time, at
// 1000 a second. It also gives how many times faster than real time that is.
func BenchmarkOpen(b *testing.B) {
	wait := func(context.Context, int) error {
		time.Sleep(100 * time.Millisecond)
		return nil
	}
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(100 * time.Millisecond) })
	request, err := http.NewRequest(http.MethodGet, "/", nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("none", func(b *testing.B) { // the same requests without loadgen
		benchmark(b, func(ctx context.Context, length time.Duration) {
			start := time.Now()
			var requests sync.WaitGroup
			for due := range loadgen.Steady(1000, length).Poisson(1) {
				time.Sleep(due - time.Since(start))
				requests.Go(func() { _ = wait(ctx, 0) })
			}
			requests.Wait()
		})
	})
	b.Run("function", func(b *testing.B) { benchmarkOpen(b, wait) })
	b.Run("handler", func(b *testing.B) {
		benchmarkOpen(b, loadgen.Handler(handler, func(ctx context.Context, _ int) *http.Request { return request.WithContext(ctx) }))
	})
}

func benchmarkOpen(b *testing.B, send loadgen.Send) {
	benchmark(b, func(ctx context.Context, length time.Duration) {
		loadgen.Open{Arrivals: loadgen.Steady(1000, length).Poisson(1)}.Run(ctx, send)
	})
}

// benchmark runs load of so many requests as b asks for, in a bubble.
func benchmark(b *testing.B, run func(ctx context.Context, length time.Duration)) {
	b.ReportAllocs()
	n := b.N
	length := time.Duration(n) * time.Millisecond
	lend := func(t *testing.T) {
		if n > 0 { // RunTests obeys -count too
			synctest.Test(t, func(t *testing.T) { run(t.Context(), length) })
		}
		n = 0
	}
	// synctest takes no *testing.B, so a test of its own lends its *testing.T.
	if !testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: b.Name(), F: lend}}) {
		b.Fatal("the bubble failed")
	}
	b.ReportMetric(length.Seconds()/b.Elapsed().Seconds(), "virtual/real")
}
