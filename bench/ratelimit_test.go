//go:build solutions

// The limiter of the kata ratelimit beside two well-kept libraries:
//
//	make bench
//
// or, in this folder, GOWORK=off go test -tags solutions -run '^$' -bench RateLimit -benchmem .
package bench_test

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"
	"golang.org/x/time/rate"

	"github.com/backend-kata/dojo/solutions/ratelimit"
)

// A limiter lets one through for a key, or not.
type limiter func(key string) bool

const (
	limitedKeys  = 10_000
	limitedBurst = 10
)

var limiters = []struct {
	name string
	make func() limiter
}{
	{"dojo", func() limiter {
		l := ratelimit.New(ratelimit.Config{
			Limits:  []ratelimit.Limit{{Name: "day", N: 1000, Per: 24 * time.Hour, Burst: limitedBurst}},
			MaxKeys: limitedKeys,
		})
		return func(key string) bool {
			wait, err := l.Allow(key, 1)
			check(err)
			return wait == 0
		}
	}},
	{"x-time-rate", func() limiter { // one limiter for each key, in a map that nobody bounds
		var mu sync.Mutex
		keys := map[string]*rate.Limiter{}
		return func(key string) bool {
			mu.Lock()
			l := keys[key]
			if l == nil {
				l = rate.NewLimiter(rate.Every(24*time.Hour/1000), limitedBurst)
				keys[key] = l
			}
			mu.Unlock()
			return l.Allow()
		}
	}},
	{"throttled-gcra", func() limiter {
		store, err := memstore.NewCtx(limitedKeys) // an LRU cache
		check(err)
		l, err := throttled.NewGCRARateLimiterCtx(store, throttled.RateQuota{MaxRate: throttled.PerDay(1000), MaxBurst: limitedBurst - 1})
		check(err)
		ctx := context.Background()
		return func(key string) bool {
			limited, _, err := l.RateLimitCtx(ctx, key, 1)
			check(err)
			return !limited
		}
	}},
}

// Of ten thousand keys each asks in turn. The first ten calls of a key pass, and later ones are refused.
func BenchmarkRateLimit(b *testing.B) {
	names := make([]string, limitedKeys)
	for i := range names {
		names[i] = "client " + strconv.Itoa(i)
	}
	for _, l := range limiters {
		b.Run("pass/"+l.name, func(b *testing.B) {
			var allow limiter
			for i := range b.N {
				if i%(limitedKeys*limitedBurst) == 0 {
					b.StopTimer()
					allow = l.make()
					for _, name := range names { // makes the entries, which is not what is measured
						allow(name)
					}
					b.StartTimer()
				}
				if at := i % (limitedKeys * limitedBurst); at < limitedKeys*(limitedBurst-1) && !allow(names[i%limitedKeys]) {
					b.Fatal("refused")
				}
			}
		})
		b.Run("refuse/"+l.name, func(b *testing.B) {
			allow := l.make()
			for range limitedBurst {
				for _, name := range names {
					allow(name)
				}
			}
			b.ResetTimer()
			for i := range b.N {
				if allow(names[i%limitedKeys]) {
					b.Fatal("passed")
				}
			}
		})
		b.Run("bytes/"+l.name, func(b *testing.B) {
			for range b.N {
				before := heapInUse()
				allow := l.make()
				for _, name := range names {
					allow(name)
				}
				b.ReportMetric(float64(heapInUse()-before)/limitedKeys, "B/key")
				runtime.KeepAlive(allow)
			}
		})
	}
}

func heapInUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
