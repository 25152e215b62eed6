// Package bubble runs a test in virtual time and turns each way in which
// concurrent code hangs into one plain sentence.
//
// Package [testing/synctest] gives a test a clock of its own, but it is hard on
// a test that fails. A deadlock or a goroutine left over ends the whole test
// binary, with every goroutine's stack. A goroutine that waits for a
// [sync.Mutex], and a loop that never waits, hang until the test binary's
// time-out. [Run] is [synctest.Test] with a verdict:
//
//	func TestRetry(t *testing.T) {
//		bubble.Run(t, func(t *testing.T) {
//			...
//		})
//	}
//
//	retry_test.go:12: deadlock: every goroutine of the bubble waits, and nothing is left that could wake one
//
//	    the body waits to receive from a channel
//	        retry.go:31       retry.(*Queue).Pop
//	        retry_test.go:17  retry_test.TestRetry.func1
//
// These fail the test, and the tests after it go on:
//
//   - a deadlock on channels, WaitGroups and Conds;
//   - a deadlock on locks, or a lock held by a goroutine that sleeps;
//   - a goroutine left over when the body has returned (an http.Server, a
//     sql.DB and idle client connections are called by their names);
//   - a panic in the body, or in a goroutine started by [Go];
//   - a wake-up that was lost while a ticker goes on;
//   - more virtual time than a year, or than [RunWithin] allows;
//   - a wait for a real socket or in a system call while nothing else moves.
//
// What runs on and on fails the test and then ends the test binary; see Limits.
//
// The nearest peers are testing/synctest itself, which this package stands on,
// and go.uber.org/goleak, which finds leaked goroutines outside of bubbles.
//
// # How it is decided
//
// Deadlocks and leaks on channels are synctest's own verdict, made at once. For
// the rest the goroutine that called Run looks at the stacks of all goroutines
// every 250 ms of real time. No verdict rests on elapsed time alone:
//
//   - Blocked: every goroutine of the bubble waits, one of them for something
//     that virtual time does not pass over (a lock, a listener, a WaitGroup from
//     outside the bubble), and the next look finds the same. If a goroutine
//     outside any bubble could still help, or the wait is for an open connection,
//     for a channel from outside or in a system call, it takes 40 looks in a row
//     that find the same, so at least 10 s, and the verdict says so.
//
//   - Busy, which is slow or in a loop without end: in 40 looks in a row the same
//     goroutines ran, nothing else in the bubble changed and the clock was not seen to
//     move, and meanwhile the process used 10 s of processor time. Or: while the process
//     used 60 s of it, every look found something running, but the body at the same
//     place. The verdict says how long that was and where they are, not which it is.
//
//   - Stuck: the body waits at one place, and in 40 looks no goroutine came or went, none
//     was seen to wait at two places, and the clock moved: by a thousand hours, or
//     while the process used 10 s of processor time. No verdict is made if the body
//     sleeps, or a goroutine sleeps for longer than that, or waits in a statement whose
//     source names time.After or a timer's C.
//
// A process that is stopped, in a debugger for example, makes no looks.
//
// # Between bubbles
//
// A channel or timer of one bubble ends the test binary when another bubble, or code
// outside, uses it. Run takes away most ways in which that happens without a fault of
// the test. Before the first bubble it makes the channels of package net's resolver.
// After a bubble it empties every [sync.Pool] by two garbage collections: always
// after the first bubble of a test, and after the others of a loop as long as that
// takes a twentieth of the time, or each time once a bubble has left a timer or
// channel in a pool. While a bubble runs, and for 5 ms after it, no finalizer and no
// function given to [runtime.AddCleanup] starts, and none ever starts again after a
// bubble whose goroutines stay.
//
// # Limits
//
// A goroutine that runs cannot be stopped. Going on would let the code of a failed test
// race, fail and allocate in the middle of a later one, and slow it down by the
// processor it holds, so the test binary ends after the verdict. A computation of
// more than 10 s of processor time on one goroutine is given up, even if it sleeps now
// and then, since a clock that moves between two looks is not seen; make it outside the
// bubble.
//
// A panic in a goroutine that the code under test starts by itself, or in a
// function given to [testing.T.Cleanup], ends the test binary, as in any test.
// Start goroutines of the test with [Go].
//
// "fatal error: select on synctest channel from outside bubble", or send, receive or
// close instead of select, "reset of synctest timer from outside bubble" and "synctest
// timer accessed from outside bubble" end the test binary, with plain synctest too.
// They say that something of one bubble lives on in a package-level variable: a
// sync.Once that made a channel in the first bubble, a semaphore, a shared client with
// its connections (http.DefaultClient), a goroutine that a library starts once and
// that has now ended, or not. The stack below the error names the package. Make such
// state before the first bubble, in TestMain, if a bubble only uses its channels and
// not its timers; else make it in each bubble. What Run does about pools
// does not help parallel tests, whose bubbles use the same pool at the same time, nor
// a loop of tiny bubbles of which a later one is the first to use a pool, nor
// finalizers that touch a channel of a bubble that passed. A timer that plain code
// has put into a pool runs in real time in a bubble.
//
// A body that waits for a finalizer waits for ever, and so does any test after a bubble whose
// goroutines stay. Until the 5 ms are over go.uber.org/goleak sees a goroutine of
// runFinalizers, and looks again.
//
// Whether a wait on a channel is for a timer cannot be seen. A body that waits on
// a channel for what a timer in a struct, a context's deadline or time.AfterFunc
// brings after a thousand hours, beside a ticker, is taken for stuck: take a slower
// ticker, or stop it.
//
// Goroutines of a bubble that failed stay where they wait, with all that they
// hold, until the test binary ends. Cleanup functions registered inside such a
// bubble do not run.
//
// What [synctest.Test] forbids stays forbidden inside: t.Run, t.Parallel,
// t.Deadline, a bubble in a bubble. A wait that only a lock's holder can end
// stops the clock even if the holder only sleeps; that is told, not cured.
//
// With -race and more than one processor, Go 1.26.8 itself can crash in a bubble
// that makes timers of no length, such as time.After(0), while others fire. Sleep
// for a nanosecond instead.
//
// The verdicts read the text of [runtime.Stack] as of Go 1.26. Should a later
// version change it, deadlocks and leaks are still found, with less to say.
package bubble

import (
	"math"
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
// Like [synctest.Test], Run stops the test, as t.FailNow does, if the body
// failed. Unlike it, Run also stops the test if the body was skipped.
//
// Run must be called on the test's own goroutine and outside any bubble.
// Parallel tests may each call it. It costs 15 µs beside what synctest.Test costs,
// and once in a test two garbage collections: together 0.6 ms in a small test
// binary, and up to 4 ms in a large one (BenchmarkEmpty, BenchmarkFirst).
func Run(t *testing.T, body func(t *testing.T)) {
	t.Helper()
	RunWithin(t, year, body)
}

// RunWithin is [Run] with another limit on virtual time: the body, with all that
// it waits for, must be over when limit has passed on the bubble's clock. The
// largest [time.Duration] means no limit.
func RunWithin(t *testing.T, limit time.Duration, body func(t *testing.T)) {
	t.Helper()
	if inBubble() {
		t.Error("bubble.Run was called inside a bubble, and bubbles do not nest")
		t.FailNow()
	}
	failedBefore := t.Failed()
	warm()
	holdFinalizers()
	r := &run{limit: limit, done: make(chan struct{}), late: make(chan string, 1), never: make(chan struct{})}
	go r.bubble(t, body)
	report, busy := r.watch()
	if r.over() {
		leave(t, r.remains)
		releaseFinalizers()
	}
	if report != "" {
		if !failedBefore && t.Failed() {
			report = "after the failure above: " + report
		}
		t.Error(report)
	}
	if busy {
		endProcess(t)
	}
	switch {
	case report != "" || !r.passed:
		t.FailNow()
	case r.skipped.Load():
		t.SkipNow()
	}
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

	// Written inside the bubble, and read when it has ended.
	remains weak.Pointer[remains]

	// Written inside the bubble. Atomic, since a goroutine that ends in a
	// bubble need not happen before synctest.Test's panic.
	id       atomic.Int64
	returned atomic.Bool // the body has ended by return
	skipped  atomic.Bool
	overtime atomic.Pointer[string] // the stacks when the limit passed
	late     chan string            // the same, once the bubble's clock is stopped

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
			dump, _ := dumpAll(nil)
			r.dump = string(dump)
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
	if r.limit < math.MaxInt64 {
		// What happens at the limit exactly is still in time.
		rest := &remains{r}
		r.remains = weak.Make(rest)
		time.AfterFunc(max(r.limit, 0)+1, rest.pastLimit)
		r.begun = time.Now()
		r.mark(time.Minute)
	}
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
