package bubble

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/backend-kata/dojo/pkg/internal/stack"
)

const year = 365 * 24 * time.Hour

// Run runs body in a bubble of virtual time, as [synctest.Test] does, and waits
// until every goroutine of the bubble has ended. If one cannot end, or the bubble
// takes more than a year of its own time, the test fails with the reason and the
// stacks of the goroutines involved.
//
// The clock stops when the body and its cleanup functions have returned, as in
// synctest.Test. A goroutine that sleeps at that moment, if only for a millisecond, or
// waits for a timer, never wakes: it is left over, and the test fails. Let the body wait
// for it, by a WaitGroup for example.
//
// Like [synctest.Test], Run stops the test, as t.FailNow does, if the body
// failed. Unlike it, Run also stops the test if the body was skipped.
//
// Run must be called on the test's own goroutine and outside any bubble.
// Parallel tests may each call it. It costs 15 µs beside what synctest.Test costs. After
// the first bubbles of a test two garbage collections come on top, 0.6 ms in a small
// test binary on an idle machine and some milliseconds in a large one or on a busy
// machine (BenchmarkEmpty, BenchmarkFirst).
func Run(t *testing.T, body func(t *testing.T)) {
	t.Helper()
	RunWithin(t, year, body)
}

// RunWithin is [Run] with another limit on virtual time: the body, with all that
// it waits for, must be over when limit has passed on the bubble's clock. A limit of
// more than 100 years, such as the largest [time.Duration], is one of 100 years: the
// clock runs over after 262.
func RunWithin(t *testing.T, limit time.Duration, body func(t *testing.T)) {
	t.Helper()
	if inBubble() {
		t.Error("bubble.Run was called inside a bubble, and bubbles do not nest")
		t.FailNow()
	}
	failedBefore := t.Failed()
	warm()
	holdFinalizers()
	r := &run{limit: min(limit, endOfTime), done: make(chan struct{}), late: make(chan ending, 1), never: make(chan struct{})}
	go r.bubble(t, body)
	report, busy := r.watch()
	if r.over() {
		leave(t, r.remains)
		releaseFinalizers()
	}
	if report != "" {
		if !failedBefore && t.Failed() {
			report = after(report)
		}
		t.Error(report)
	}
	if busy {
		endProcess(t)
	}
	switch {
	case report != "", !r.passed && (!r.spared || t.Failed()):
		t.FailNow()
	case r.skipped.Load():
		t.SkipNow()
	}
}

const endedEarly = ", since the body ended early"

// after puts a report in its place behind a failure. What is left over because of the
// failure is no second fault.
func after(report string) string {
	if left, ok := strings.CutSuffix(report, endedEarly); ok {
		return "the failure above ended the body early, so " + left
	}
	return "after the failure above: " + report
}

// inBubble reports whether the caller is in a bubble, where no time has a
// monotonic reading.
func inBubble() bool {
	now := time.Now()
	return now == now.Round(0) //nolint:staticcheck // Equal looks at the instant alone
}

// Go runs f on a new goroutine. If f panics, the test fails with the place of
// the panic, and the test binary goes on. In a bubble, t is the body's own.
func Go(t *testing.T, f func()) {
	go func() {
		defer func() {
			if v := recover(); v != nil {
				reportHere(t, "a goroutine started by bubble.Go panicked: "+panicText(v))
			}
		}()
		f()
	}()
}

// A run is one bubble, seen by three goroutines: the caller of Run, which
// watches; the one that synctest.Test is called on; and the body's.
type run struct {
	limit time.Duration

	// Written by the goroutine of synctest.Test before done is closed.
	done   chan struct{}
	passed bool
	crash  any    // what synctest.Test panicked with
	dump   string // the stacks at that moment

	spared bool // what was left belongs to programs that were cut off; written by the watcher

	// Written inside the bubble, and read when it has ended.
	remains weak.Pointer[remains]

	// Written inside the bubble. Atomic, since a goroutine that ends in a
	// bubble need not happen before synctest.Test's panic.
	id       atomic.Int64
	returned atomic.Bool // the body has ended by return
	skipped  atomic.Bool
	overtime atomic.Pointer[string] // the stacks when the limit passed
	late     chan ending            // once the bubble's clock is stopped

	begun time.Time    // on the bubble's clock; used inside alone
	clock atomic.Int64 // virtual time that has passed, as of the last mark
	looks atomic.Int64 // of the watcher since that mark

	halt  atomic.Bool   // asks for the clock to be stopped
	gone  atomic.Bool   // the watcher has given up on the bubble
	never chan struct{} // never closed; a wait for it stops the clock
}

// bubble calls synctest.Test on a goroutine of its own, so that the watcher
// can fail the test when synctest.Test never returns.
func (r *run) bubble(t *testing.T, body func(*testing.T)) {
	defer close(r.done)
	defer func() {
		if r.crash = recover(); r.crash != nil {
			r.dump = lastDump()
		}
	}()
	synctest.Test(t, func(t *testing.T) { r.body(t, body) })
	r.passed = true
}

// over reports whether no goroutine of the bubble is left.
func (r *run) over() bool { return isClosed(r.done) && r.crash == nil }

// body runs on the bubble's first goroutine.
func (r *run) body(t *testing.T, body func(*testing.T)) {
	r.id.Store(int64(stack.Self().Bubble))
	// What happens at the limit exactly is still in time.
	rest := &remains{r}
	r.remains = weak.Make(rest)
	time.AfterFunc(max(r.limit, 0)+1, rest.pastLimit)
	r.begun = time.Now()
	r.mark(time.Minute)
	defer func() {
		v := recover()
		if r.gone.Load() {
			select {} // the test is over: nothing may be reported to it
		}
		r.skipped.Store(t.Skipped())
		switch {
		case r.returned.Load():
		case v != nil:
			reportHere(t, "the body panicked: "+panicText(v))
		default:
			endEarly(t)
		}
	}()
	body(t)
	r.returned.Store(true)
}

// endEarly makes package testing accept that the body ended by runtime.Goexit,
// which it takes for a bug that is worth a crash unless t was told.
func endEarly(t *testing.T) {
	switch {
	case t.Failed():
		t.FailNow()
	case t.Skipped():
		t.SkipNow()
	default:
		reportHere(t, "the body ended by runtime.Goexit, or by FailNow or SkipNow of another t than its own")
		t.FailNow()
	}
}
