package sync

import (
	"sync"

	"github.com/backend-kata/dojo/pkg/internal/race"
)

// A Cond is [sync.Cond] with a point before each Wait, where it holds the lock and
// another may signal too early. When it has been woken it locks L again, and with a
// [Mutex] or an [RWMutex] of this package that is a point, too.
type Cond struct {
	// L is held while the condition is looked at or changed.
	L Locker

	once sync.Once
	cond sync.Cond
}

// NewCond returns a Cond with the lock l.
func NewCond(l Locker) *Cond { return &Cond{L: l} }

// Wait unlocks L, waits for Signal or Broadcast, and locks L again. Under an
// exploration it is a point.
func (c *Cond) Wait() {
	point("Wait")
	race.Disable() // a Once orders those who wait, and the standard Cond does not
	c.once.Do(c.setLock)
	race.Enable()
	c.cond.Wait()
}

//go:norace
func (c *Cond) setLock() { c.cond.L = c.L }

// Signal wakes the goroutine that waits longest, if there is one.
func (c *Cond) Signal() { c.cond.Signal() }

// Broadcast wakes all that wait.
func (c *Cond) Broadcast() { c.cond.Broadcast() }
