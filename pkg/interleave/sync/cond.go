package sync

import (
	"slices"
	"sync"
)

// A Cond is like [sync.Cond], with a point where a Wait has been woken and locks
// again. Make one with [NewCond].
type Cond struct {
	L Locker // held while the condition is looked at or changed

	mu      sync.Mutex // guards waiting
	waiting []chan struct{}
}

// NewCond returns a Cond with the lock l.
func NewCond(l Locker) *Cond { return &Cond{L: l} }

// Wait unlocks c.L, waits for Signal or Broadcast, and locks c.L again.
func (c *Cond) Wait() {
	woken := make(chan struct{})
	c.mu.Lock()
	c.waiting = append(c.waiting, woken)
	c.mu.Unlock()
	c.L.Unlock()
	<-woken
	c.L.Lock()
}

// Signal wakes the one that has waited longest, if there is one.
func (c *Cond) Signal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) > 0 {
		close(c.waiting[0])
		c.waiting = slices.Delete(c.waiting, 0, 1)
	}
}

// Broadcast wakes all that wait.
func (c *Cond) Broadcast() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, woken := range c.waiting {
		close(woken)
	}
	c.waiting = nil
}
