package sync

import (
	"sync"
	"sync/atomic"

	"github.com/backend-kata/dojo/pkg/interleave/internal/hook"
	"github.com/backend-kata/dojo/pkg/internal/race"
)

// A WaitGroup is [sync.WaitGroup] with a point before each Wait, and before each Add and
// Go that finds the counter at zero: a Wait that does not come after it may be over by
// then. The zero value has nothing to wait for.
type WaitGroup struct {
	wg    sync.WaitGroup
	count atomic.Int64 // as in wg, which does not tell
	zeros atomic.Int64 // how often the count came down to zero
}

// Add adds delta, which may be negative, to the counter. It panics if the counter
// becomes negative. Under an exploration it is a point if it adds to zero.
func (wg *WaitGroup) Add(delta int) {
	if delta > 0 && hook.Active() && wg.isZero() {
		hook.Park("Add", nil, nil)
	}
	wg.wg.Add(delta)
	wg.counted(delta)
}

// counted keeps the count, of which the race detector takes no notice: who calls Done
// is not in order with who called it before.
func (wg *WaitGroup) counted(delta int) {
	race.Disable()
	defer race.Enable()
	if wg.count.Add(int64(delta)) == 0 && delta < 0 {
		wg.zeros.Add(1)
	}
}

// isZero looks at the count in the same way.
func (wg *WaitGroup) isZero() bool {
	race.Disable()
	defer race.Enable()
	return wg.count.Load() == 0
}

// released counts the zeros in the same way.
func (wg *WaitGroup) released() int64 {
	race.Disable()
	defer race.Enable()
	return wg.zeros.Load()
}

// Done takes one from the counter.
func (wg *WaitGroup) Done() { wg.Add(-1) }

// Wait waits until the counter is zero. It panics if another Add comes between that and
// its return. Under an exploration it is a point.
func (wg *WaitGroup) Wait() {
	if hook.Active() {
		waits, before := !wg.isZero(), wg.released()
		hook.Park("Wait", nil, func() bool { return wg.isZero() || wg.released() > before })
		if waits && wg.released() > before && !wg.isZero() {
			panic("sync: WaitGroup is reused before previous Wait has returned")
		}
	}
	wg.wg.Wait()
}

// Go calls f in a new goroutine that the WaitGroup counts. A panic in f ends the program,
// and Wait does not return first. Under an exploration it is a point as Add is.
func (wg *WaitGroup) Go(f func()) {
	wg.Add(1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				panic(v)
			}
			wg.Done()
		}()
		f()
	}()
}
