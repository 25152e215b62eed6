// Package hook is how the packages sync and sync/atomic of interleave find the
// exploration that is under way, without depending on package testing.
package hook

import "sync/atomic"

// An Explorer decides which goroutine goes on.
type Explorer interface {
	// Park stops the calling goroutine at a point until it is its turn and ready
	// reports true; a nil ready is always true. What names the operation that
	// follows, and lock is what it takes, if anything. Park reports false, at once,
	// for a goroutine that is none of the exploration's.
	Park(what string, lock any, ready func() bool) bool

	// Took says that the goroutine that has just come back from Park holds the lock.
	Took(lock any)

	// Gave says that a lock is held once less, whoever held it. It reports false if there is nothing to give
	// back: the schedule is over, and the calling goroutine ends at a place where it does not hold the lock.
	Gave(lock any) bool
}

// Pending is the operation of a writer that waits for the readers that are in, and keeps
// others out meanwhile.
const Pending = "go on with Lock"

var current atomic.Pointer[Explorer]

// Set makes e the explorer of all points from now on; nil ends that.
func Set(e Explorer) {
	if e == nil {
		current.Store(nil)
		return
	}
	current.Store(&e)
}

// Active reports whether an exploration is under way somewhere. It costs one
// atomic load, which is all that a point costs otherwise.
func Active() bool { return current.Load() != nil }

// Park stops the calling goroutine at a point of the exploration under way. It
// reports false, at once, if there is none for this goroutine.
func Park(what string, lock any, ready func() bool) bool {
	e := current.Load()
	return e != nil && (*e).Park(what, lock, ready)
}

// Took is called by a goroutine that Park has let go on, once it holds the lock.
func Took(lock any) {
	if e := current.Load(); e != nil {
		(*e).Took(lock)
	}
}

// Gave is called before a lock is given back. It reports false if the lock is not to be given back.
func Gave(lock any) bool {
	e := current.Load()
	return e == nil || (*e).Gave(lock)
}
