// Package sync stands in for the standard library's package sync, so that a test
// can explore the schedules of code at its own locks:
//
//	import "github.com/backend-kata/dojo/pkg/interleave/sync" // in place of "sync"
//
// Outside an exploration of package interleave everything here is the standard
// thing, at the price of an atomic load: a Lock and an Unlock take 1 ns more.
// Inside one, each of these is a point, where another actor may go first: Lock,
// RLock, TryLock, TryRLock, Wait, Do, the methods of Map, and an Add to a counter that
// is zero. Unlock, RUnlock, Done, Signal and Broadcast are none: whatever another actor
// could do there it can do at its own next point, and the schedules would be hundreds
// of times as many.
//
// In the race detector's eyes each of them orders what the standard one does, and no
// more. A point orders nothing.
//
// The idea is that of loom, which does this for Rust.
//
// # Limits
//
// A type here is not the type of the same name in the standard library: code that
// hands its lock to other code, as sync.Cond and sync.Locker users may, does so
// through [Locker], which both satisfy.
//
// A Pool is the standard one: it orders those who use it in the race detector's eyes, and
// it keeps objects from one schedule to the next, which must not hold channels or timers.
// The order of Map's Range is random, as that of any map.
package sync

import (
	"sync"
	"sync/atomic"

	"github.com/backend-kata/dojo/pkg/interleave/internal/hook"
	"github.com/backend-kata/dojo/pkg/internal/race"
)

// A Locker can be locked and unlocked. It is the standard one.
type Locker = sync.Locker

// A Mutex is [sync.Mutex] with a point before each Lock and TryLock. The zero
// value is unlocked.
type Mutex struct{ mu sync.Mutex }

// Lock locks m. Under an exploration it is a point.
func (m *Mutex) Lock() {
	if !hook.Active() || !acquire("Lock", m, m.mu.TryLock, m.mu.Unlock) {
		m.mu.Lock()
	}
}

// TryLock locks m if it is free, and reports whether it did. Under an exploration
// it is a point.
func (m *Mutex) TryLock() bool { return attempt("TryLock", m, m.mu.TryLock) }

// Unlock unlocks m. If m is not locked, the program ends.
func (m *Mutex) Unlock() {
	if hook.Gave(m) {
		m.mu.Unlock()
	}
}

// An RWMutex is [sync.RWMutex] with a point before each Lock, RLock, TryLock and
// TryRLock. The zero value is unlocked.
type RWMutex struct {
	mu sync.RWMutex

	// pending is set while a writer of an exploration waits for the readers that are in.
	// It lets no other in, as that of the standard RWMutex does.
	pending atomic.Bool
}

// Lock locks rw for writing. It keeps new readers out while it waits for those that are
// in, so a reader that locks again deadlocks. Under an exploration it is a point, and
// another one where it waits.
func (rw *RWMutex) Lock() {
	if !hook.Active() || !rw.acquire() {
		rw.mu.Lock()
	}
}

// acquire is Lock under an exploration. It reports false where there is none for the
// caller.
func (rw *RWMutex) acquire() bool {
	noWriter := func() bool { return free(rw.tryRLock, rw.mu.RUnlock) }
	if !hook.Park("Lock", rw, noWriter) {
		return false
	}
	if rw.tryLock() {
		hook.Took(rw)
		return true
	}
	rw.setPending(true)
	defer rw.setPending(false)
	return acquire(hook.Pending, rw, rw.mu.TryLock, rw.mu.Unlock)
}

// TryLock locks rw for writing if it is free, and reports whether it did. Under
// an exploration it is a point.
func (rw *RWMutex) TryLock() bool { return attempt("TryLock", rw, rw.tryLock) }

// Unlock undoes a Lock. If rw is not locked for writing, the program ends.
func (rw *RWMutex) Unlock() {
	if hook.Gave(rw) {
		rw.mu.Unlock()
	}
}

// RLock locks rw for reading. Under an exploration it is a point.
func (rw *RWMutex) RLock() {
	if !hook.Active() || !acquire("RLock", rw, rw.tryRLock, rw.mu.RUnlock) {
		rw.mu.RLock()
	}
}

// TryRLock locks rw for reading if it can at once, and reports whether it did.
// Under an exploration it is a point.
func (rw *RWMutex) TryRLock() bool { return attempt("TryRLock", rw, rw.tryRLock) }

// RUnlock undoes an RLock. If rw is not locked for reading, the program ends.
func (rw *RWMutex) RUnlock() {
	if hook.Gave(rw) {
		rw.mu.RUnlock()
	}
}

// RLocker returns a Locker whose methods call rw.RLock and rw.RUnlock.
func (rw *RWMutex) RLocker() Locker { return reader{rw} }

type reader struct{ rw *RWMutex }

func (r reader) Lock()   { r.rw.RLock() }
func (r reader) Unlock() { r.rw.RUnlock() }

func (rw *RWMutex) tryLock() bool  { return !rw.isPending() && rw.mu.TryLock() }
func (rw *RWMutex) tryRLock() bool { return !rw.isPending() && rw.mu.TryRLock() }

// The race detector takes no notice of pending: who waits passes nothing on.

func (rw *RWMutex) isPending() bool {
	race.Disable()
	defer race.Enable()
	return rw.pending.Load()
}

func (rw *RWMutex) setPending(is bool) {
	race.Disable()
	defer race.Enable()
	rw.pending.Store(is)
}

// acquire is a point until the lock is free, and takes it. It reports false where
// there is no exploration for the caller.
func acquire(what string, lock any, try func() bool, release func()) bool {
	for hook.Park(what, lock, func() bool { return free(try, release) }) {
		if try() {
			hook.Took(lock)
			return true
		}
	}
	return false
}

// attempt is a point, and takes the lock if it can.
func attempt(what string, lock any, try func() bool) bool {
	explored := hook.Active() && hook.Park(what, nil, nil)
	took := try()
	if took && explored {
		hook.Took(lock)
	}
	return took
}

// free reports whether a lock could be taken.
func free(try func() bool, release func()) bool {
	if !try() {
		return false
	}
	release()
	return true
}

// point is a point where one is wanted.
func point(what string) {
	if hook.Active() {
		hook.Park(what, nil, nil)
	}
}

// A Map is [sync.Map] with a point before each method.
type Map struct{ m sync.Map }

// Load is a point, then [sync.Map.Load].
func (m *Map) Load(key any) (value any, ok bool) {
	point("Load")
	return m.m.Load(key)
}

// Store is a point, then [sync.Map.Store].
func (m *Map) Store(key, value any) {
	point("Store")
	m.m.Store(key, value)
}

// LoadOrStore is a point, then [sync.Map.LoadOrStore].
func (m *Map) LoadOrStore(key, value any) (actual any, loaded bool) {
	point("LoadOrStore")
	return m.m.LoadOrStore(key, value)
}

// LoadAndDelete is a point, then [sync.Map.LoadAndDelete].
func (m *Map) LoadAndDelete(key any) (value any, loaded bool) {
	point("LoadAndDelete")
	return m.m.LoadAndDelete(key)
}

// Delete is a point, then [sync.Map.Delete].
func (m *Map) Delete(key any) {
	point("Delete")
	m.m.Delete(key)
}

// Swap is a point, then [sync.Map.Swap].
func (m *Map) Swap(key, value any) (previous any, loaded bool) {
	point("Swap")
	return m.m.Swap(key, value)
}

// CompareAndSwap is a point, then [sync.Map.CompareAndSwap].
func (m *Map) CompareAndSwap(key, old, next any) bool {
	point("CompareAndSwap")
	return m.m.CompareAndSwap(key, old, next)
}

// CompareAndDelete is a point, then [sync.Map.CompareAndDelete].
func (m *Map) CompareAndDelete(key, old any) bool {
	point("CompareAndDelete")
	return m.m.CompareAndDelete(key, old)
}

// Range is a point, then [sync.Map.Range].
func (m *Map) Range(f func(key, value any) bool) {
	point("Range")
	m.m.Range(f)
}

// Clear is a point, then [sync.Map.Clear].
func (m *Map) Clear() {
	point("Clear")
	m.m.Clear()
}

// A Pool is the standard one, without points: what it returns is nobody else's.
// See Limits.
type Pool = sync.Pool
