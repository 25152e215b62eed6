package bubble

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A finalizer, or a function given to runtime.AddCleanup, runs on a goroutine
// outside of any bubble. If it stops a goroutine of the bubble by a channel, as
// that of patrickmn/go-cache does, it ends the test binary: "send on synctest
// channel from outside bubble". It does so whenever the garbage is collected, most
// likely in a later test. So none runs while there is a bubble, nor after one whose
// goroutines stay.
//
// The runtime has one goroutine for all finalizers and a few for all cleanups. A
// finalizer and cleanups of our own keep those busy until the gate is opened.
// Getting there takes a garbage collection, 0.25 ms, so the gate stays shut
// between bubbles that follow each other at once.

// linger is how long the gate stays shut after a bubble. A goroutine that waits
// at the gate is seen by goleak, which looks for 0.4 s before it complains.
const linger = 5 * time.Millisecond

var gate struct {
	mu      sync.Mutex    // guards what follows
	bubbles int           // that are under way, or stuck for good
	shut    chan struct{} // closed to open the gate; nil while it is open
	opener  *time.Timer
}

// holdFinalizers lets no finalizer or cleanup start until it is released by as
// many calls of releaseFinalizers. Those that run already are not waited for.
func holdFinalizers() {
	gate.mu.Lock()
	defer gate.mu.Unlock()
	gate.bubbles++
	if gate.opener != nil {
		gate.opener.Stop()
	}
	if gate.shut == nil {
		gate.shut = make(chan struct{})
		shutGate(gate.shut)
	}
}

func releaseFinalizers() {
	gate.mu.Lock()
	defer gate.mu.Unlock()
	gate.bubbles--
	if gate.bubbles > 0 {
		return
	}
	if gate.opener == nil {
		gate.opener = time.AfterFunc(linger, openGate)
	} else {
		gate.opener.Reset(linger)
	}
}

func openGate() {
	gate.mu.Lock()
	defer gate.mu.Unlock()
	if gate.bubbles == 0 && gate.shut != nil {
		close(gate.shut)
		gate.shut = nil
	}
}

// A plug is garbage. It is larger than what the allocator puts together with
// other objects, so that it can be collected by itself.
type plug [64]byte

// shutGate returns when the runtime's goroutines wait for open. If one is busy
// with a finalizer of somebody else, it gives up after a while.
func shutGate(open chan struct{}) {
	// As the runtime limits it, and with as many cleanups as fit into the blocks
	// in which it hands them out.
	const block = 20
	cleaners := max(runtime.GOMAXPROCS(0)/4, 1)
	var waiting atomic.Int64
	here := make(chan struct{}, 1+cleaners)
	wait := func() {
		if waiting.Add(1) <= int64(1+cleaners) {
			here <- struct{}{}
		}
		<-open
	}
	runtime.SetFinalizer(new(plug), func(*plug) { wait() })
	for range 2 * block * cleaners {
		runtime.AddCleanup(new(plug), func(struct{}) { wait() }, struct{}{})
	}
	runtime.GC()
	giveUp := time.NewTimer(100 * time.Millisecond)
	defer giveUp.Stop()
	for range 1 + cleaners {
		select {
		case <-here:
		case <-giveUp.C:
			return
		}
	}
}
