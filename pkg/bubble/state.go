package bubble

import (
	"context"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/backend-kata/dojo/pkg/internal/race"
)

// What a bubble leaves in package-level variables meets the next one, and a
// channel or timer of one bubble ends the test binary when another uses it:
//
//   - Package net makes the channels that limit its look-ups once, in the first
//     look-up. So one is made before the first bubble.
//   - A sync.Pool keeps timers (go-redis, nats.go) or channels (HTTP/2). Two
//     garbage collections empty every pool, so Run has them made when a bubble has
//     ended.

// warm makes package net's channels outside of any bubble, without a look-up:
// the context has ended. Go's own resolver has one, the limit on look-ups that
// use the C library or Windows another.
var warm = sync.OnceFunc(func() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	goes := net.Resolver{PreferGo: true}
	_, _ = goes.LookupHost(ctx, "bubble.invalid")
	_, _ = net.DefaultResolver.LookupPort(ctx, "tcp", "http")
	emptyPools() // of timers from outside bubbles
})

func emptyPools() {
	runtime.GC() // what is in the pools moves to where it is kept for one more collection
	runtime.GC()
}

// pools decides after which bubbles to empty the pools. That takes 0.5 ms in a small
// test binary and 3 ms in a large one, and an exploration of schedules runs
// thousands of bubbles of 20 µs, nearly always without a timer in a pool. So it is
// done
//
//   - after the first two bubbles of each test, and with -race the first ten, since
//     a pool throws one thing in four away then;
//   - after every bubble, once one was seen to leave something in a pool;
//   - after others as long as that takes a twentieth of the time at most.
var pools struct {
	mu    sync.Mutex // guards what follows
	test  *testing.T // the one that ran the last bubble
	runs  int        // how many of its bubbles have ended
	dirty bool       // a bubble has left something in a pool
	last  time.Time  // when the pools were emptied last
	took  time.Duration
}

const shareOfTime = 20

func firstBubbles() int {
	if race.Enabled {
		return 10
	}
	return 2
}

// leave is called outside the bubble when all of it has ended.
func leave(t *testing.T, left weak.Pointer[remains]) {
	p := &pools
	p.mu.Lock()
	defer p.mu.Unlock()
	if t != p.test {
		p.test, p.runs = t, 0
	}
	p.runs++
	if p.runs > firstBubbles() && !p.dirty && time.Since(p.last) < shareOfTime*p.took {
		return
	}
	start := time.Now()
	runtime.GC()
	kept := alive(left)
	runtime.GC()
	p.dirty = p.dirty || kept && !alive(left)
	p.last = time.Now()
	p.took = p.last.Sub(start)
}

// remains is held by a timer of the bubble, that of its limit. A bubble holds its
// timers, and its timers and channels hold the bubble (not those of numbers and
// empty structs), so while remains is there something outside the bubble holds
// one. What the second collection frees was in a pool.
type remains struct{ r *run }

// alive reports whether what left points to is there. Inlined, it would leave a
// pointer on the caller's stack that keeps it there.
//
//go:noinline
func alive(left weak.Pointer[remains]) bool { return left.Value() != nil }
