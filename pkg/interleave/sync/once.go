package sync

import (
	"sync"
	"sync/atomic"

	"github.com/backend-kata/dojo/pkg/interleave/internal/hook"
)

// A Once is like [sync.Once], with a point before each Do. The zero value has not
// run.
type Once struct {
	done atomic.Bool
	mu   sync.Mutex
}

// Do calls f if it is the first call of Do, and returns when f has returned, also
// for the calls that come meanwhile. Under an exploration it is a point.
func (o *Once) Do(f func()) {
	explored := hook.Active() && hook.Park("Do", o, func() bool { return o.done.Load() || free(o.mu.TryLock, o.mu.Unlock) })
	if o.done.Load() {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if explored {
		hook.Took(o)
		defer hook.Gave(o)
	}
	if !o.done.Load() {
		defer o.done.Store(true)
		f()
	}
}

// OnceFunc returns a function that calls f once, however often it is called. If f
// panics, so does each call, with the same value.
func OnceFunc(f func()) func() {
	g := OnceValue(func() struct{} { f(); return struct{}{} })
	return func() { g() }
}

// OnceValue is [OnceFunc] for a function that returns a value.
func OnceValue[T any](f func() T) func() T {
	g := OnceValues(func() (T, struct{}) { return f(), struct{}{} })
	return func() T { v, _ := g(); return v }
}

// OnceValues is [OnceFunc] for a function that returns two values.
func OnceValues[T1, T2 any](f func() (T1, T2)) func() (T1, T2) {
	var (
		once     Once
		first    T1
		second   T2
		finished bool
		panicked any
	)
	return func() (T1, T2) {
		once.Do(func() {
			defer func() {
				if !finished {
					panicked = recover()
					panic(panicked)
				}
			}()
			first, second = f()
			finished = true
		})
		if !finished {
			panic(panicked)
		}
		return first, second
	}
}
