package bubble_test

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
)

// These are programs of TestPrograms in which one bubble meets what another left.

// timers are kept by the package, as go-redis and nats.go keep theirs.
var timers = sync.Pool{New: func() any { return time.NewTimer(time.Hour) }}

func waitWithPool() {
	timer := timers.Get().(*time.Timer)
	timer.Reset(time.Second)
	<-timer.C
	timers.Put(timer)
}

func poolOfTimers(t *testing.T) {
	for range 3 {
		t.Run("bubble", func(t *testing.T) {
			bubble.Run(t, func(*testing.T) { waitWithPool() })
		})
	}
	// Outside a bubble it would be "reset of synctest timer from outside bubble".
	timer := timers.Get().(*time.Timer)
	timer.Reset(time.Hour)
	timer.Stop()
}

func poolOfTimersInLoop(t *testing.T) {
	for range 50 {
		bubble.Run(t, func(*testing.T) { waitWithPool() })
	}
}

var signals = sync.Pool{New: func() any { return make(chan struct{}, 1) }}

func poolOfChannels(t *testing.T) {
	for range 3 {
		t.Run("bubble", func(t *testing.T) {
			bubble.Run(t, func(*testing.T) {
				signal := signals.Get().(chan struct{})
				signal <- struct{}{}
				<-signal
				signals.Put(signal)
			})
		})
	}
}

func lookUp(t *testing.T) {
	for range 3 {
		bubble.Run(t, func(*testing.T) {
			_, _ = net.LookupHost("localhost")
			_, _ = net.LookupPort("tcp", "http")
		})
	}
}

// A cache has a goroutine that ends when the cache is garbage, as in
// patrickmn/go-cache.
type cache struct {
	stop chan bool
	_    [64]byte
}

func leaveCaches() {
	for range 20 {
		byFinalizer := &cache{stop: make(chan bool)}
		go janitor(byFinalizer.stop)
		runtime.SetFinalizer(byFinalizer, func(c *cache) { c.stop <- true })
		byCleanup := &cache{stop: make(chan bool)}
		go janitor(byCleanup.stop)
		runtime.AddCleanup(byCleanup, func(stop chan bool) { close(stop) }, byCleanup.stop)
	}
}

func janitor(stop chan bool) { <-stop }

func collect() {
	for range 5 {
		runtime.GC()
		runtime.Gosched()
	}
}

func finalizersAfterLeak(t *testing.T) {
	t.Run("leak", func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			leaveCaches()
			collect()
		})
	})
	t.Run("innocent", func(*testing.T) { collect() })
}

func finalizersAfterDeadlock(t *testing.T) {
	t.Run("deadlock", func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			leaveCaches()
			<-make(chan int)
		})
	})
	t.Run("innocent", func(*testing.T) { collect() })
}

// After bubbles that passed, finalizers and cleanups run as ever.
func finalizersGoOn(t *testing.T) {
	bubble.Run(t, func(*testing.T) {})
	var ran atomic.Int64
	runtime.SetFinalizer(new(cache), func(*cache) { ran.Add(1) })
	runtime.AddCleanup(new(cache), func(int) { ran.Add(1) }, 0)
	for ran.Load() < 2 {
		collect()
	}
}
