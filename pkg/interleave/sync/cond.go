package sync

import "sync"

// A Cond is the standard one. Its Wait locks L again when it has been woken, and
// with a [Mutex] or an [RWMutex] of this package that is a point.
type Cond = sync.Cond

// NewCond returns a Cond with the lock l.
func NewCond(l Locker) *Cond { return sync.NewCond(l) }
