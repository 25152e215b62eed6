package sync

import (
	"sync"
	"sync/atomic"

	"github.com/backend-kata/dojo/pkg/interleave/internal/hook"
	"github.com/backend-kata/dojo/pkg/internal/race"
)

// A WaitGroup is [sync.WaitGroup] with a point before each Wait. The zero value
// has nothing to wait for.
type WaitGroup struct {
	wg    sync.WaitGroup
	count atomic.Int64 // as in wg, which does not tell
}

// Add adds delta, which may be negative, to the counter.
func (wg *WaitGroup) Add(delta int) {
	wg.counted(delta)
	wg.wg.Add(delta)
}

// counted keeps the count, of which the race detector takes no notice: who calls Done
// is not in order with who called it before.
func (wg *WaitGroup) counted(delta int) {
	race.Disable()
	defer race.Enable()
	wg.count.Add(int64(delta))
}

// Done takes one from the counter.
func (wg *WaitGroup) Done() { wg.Add(-1) }

// Wait waits until the counter is zero. Under an exploration it is a point.
func (wg *WaitGroup) Wait() {
	if hook.Active() {
		hook.Park("Wait", func() bool { return wg.count.Load() == 0 })
	}
	wg.wg.Wait()
}

// Go calls f in a new goroutine that the WaitGroup counts.
func (wg *WaitGroup) Go(f func()) {
	wg.Add(1)
	go func() {
		defer wg.Done()
		f()
	}()
}
