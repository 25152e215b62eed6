// Package sync stands in for the standard library's package sync, so that a test
// can explore the schedules of code at its own locks:
//
//	import "github.com/backend-kata/dojo/pkg/interleave/sync" // in place of "sync"
//
// Outside an exploration of package interleave everything here is the standard
// thing, at the price of one atomic load: a Lock and an Unlock take 0.2 ns more.
// Inside one, each of these is a point, where another actor may go first: Lock,
// RLock, TryLock, TryRLock, Wait, Do, and the methods of Map. Unlock,
// RUnlock, Done, Add, Signal and Broadcast are none: whatever another actor could
// do there it can do at its own next point, and the schedules would be hundreds
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
// through [Locker], which both satisfy. Under an exploration an RWMutex lets
// readers in while a writer waits; the standard one does not.
package sync

import (
	"sync"

	"github.com/backend-kata/dojo/pkg/interleave/internal/hook"
)

// A Locker can be locked and unlocked. It is the standard one.
type Locker = sync.Locker

// A Mutex is [sync.Mutex] with a point before each Lock and TryLock. The zero
// value is unlocked.
type Mutex struct{ mu sync.Mutex }

// Lock locks m. Under an exploration it is a point.
func (m *Mutex) Lock() {
	if !hook.Active() || !acquire("Lock", m.mu.TryLock, m.mu.Unlock) {
		m.mu.Lock()
	}
}

// TryLock locks m if it is free, and reports whether it did. Under an exploration
// it is a point.
func (m *Mutex) TryLock() bool {
	point("TryLock")
	return m.mu.TryLock()
}

// Unlock unlocks m.
func (m *Mutex) Unlock() { m.mu.Unlock() }

// acquire is a point until the lock is free, and takes it. It reports false where
// there is no exploration for the caller.
func acquire(what string, try func() bool, release func()) bool {
	free := func() bool {
		if !try() {
			return false
		}
		release()
		return true
	}
	for hook.Park(what, free) {
		if try() {
			return true
		}
	}
	return false
}

// An RWMutex is [sync.RWMutex] with a point before each Lock, RLock, TryLock and
// TryRLock. The zero value is unlocked.
type RWMutex struct{ mu sync.RWMutex }

// Lock locks rw for writing. Under an exploration it is a point.
func (rw *RWMutex) Lock() {
	if !hook.Active() || !acquire("Lock", rw.mu.TryLock, rw.mu.Unlock) {
		rw.mu.Lock()
	}
}

// TryLock locks rw for writing if it is free, and reports whether it did. Under
// an exploration it is a point.
func (rw *RWMutex) TryLock() bool {
	point("TryLock")
	return rw.mu.TryLock()
}

// Unlock undoes a Lock.
func (rw *RWMutex) Unlock() { rw.mu.Unlock() }

// RLock locks rw for reading. Under an exploration it is a point.
func (rw *RWMutex) RLock() {
	if !hook.Active() || !acquire("RLock", rw.mu.TryRLock, rw.mu.RUnlock) {
		rw.mu.RLock()
	}
}

// TryRLock locks rw for reading if it can at once, and reports whether it did.
// Under an exploration it is a point.
func (rw *RWMutex) TryRLock() bool {
	point("TryRLock")
	return rw.mu.TryRLock()
}

// RUnlock undoes an RLock.
func (rw *RWMutex) RUnlock() { rw.mu.RUnlock() }

// RLocker returns a Locker whose methods call rw.RLock and rw.RUnlock.
func (rw *RWMutex) RLocker() Locker { return reader{rw} }

type reader struct{ rw *RWMutex }

func (r reader) Lock()   { r.rw.RLock() }
func (r reader) Unlock() { r.rw.RUnlock() }

// point is a point where one is wanted.
func point(what string) {
	if hook.Active() {
		hook.Park(what, nil)
	}
}

// A Map is [sync.Map] with a point before each method.
type Map struct{ m sync.Map }

// Load is a point, then [sync.Map.Load].
func (m *Map) Load(key any) (value any, ok bool) {
	point("Map.Load")
	return m.m.Load(key)
}

// Store is a point, then [sync.Map.Store].
func (m *Map) Store(key, value any) {
	point("Map.Store")
	m.m.Store(key, value)
}

// LoadOrStore is a point, then [sync.Map.LoadOrStore].
func (m *Map) LoadOrStore(key, value any) (actual any, loaded bool) {
	point("Map.LoadOrStore")
	return m.m.LoadOrStore(key, value)
}

// LoadAndDelete is a point, then [sync.Map.LoadAndDelete].
func (m *Map) LoadAndDelete(key any) (value any, loaded bool) {
	point("Map.LoadAndDelete")
	return m.m.LoadAndDelete(key)
}

// Delete is a point, then [sync.Map.Delete].
func (m *Map) Delete(key any) {
	point("Map.Delete")
	m.m.Delete(key)
}

// Swap is a point, then [sync.Map.Swap].
func (m *Map) Swap(key, value any) (previous any, loaded bool) {
	point("Map.Swap")
	return m.m.Swap(key, value)
}

// CompareAndSwap is a point, then [sync.Map.CompareAndSwap].
func (m *Map) CompareAndSwap(key, old, next any) bool {
	point("Map.CompareAndSwap")
	return m.m.CompareAndSwap(key, old, next)
}

// CompareAndDelete is a point, then [sync.Map.CompareAndDelete].
func (m *Map) CompareAndDelete(key, old any) bool {
	point("Map.CompareAndDelete")
	return m.m.CompareAndDelete(key, old)
}

// Range is a point, then [sync.Map.Range].
func (m *Map) Range(f func(key, value any) bool) {
	point("Map.Range")
	m.m.Range(f)
}

// Clear is a point, then [sync.Map.Clear].
func (m *Map) Clear() {
	point("Map.Clear")
	m.m.Clear()
}

// A Pool is the standard one, without points: what it returns is nobody else's.
type Pool = sync.Pool
