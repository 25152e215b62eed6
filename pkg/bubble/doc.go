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
//   - a goroutine left over when the body has returned and the clock has stopped (an
//     http.Server, a sql.DB, idle client connections and an HTTP request under way are
//     called by their names);
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
// Leaks on channels are synctest's own verdict, made at once. A deadlock on channels is
// found at the limit on virtual time, which comes at once too, as nothing is left to
// wait for before it. For the rest the goroutine that called Run looks at the stacks of
// all goroutines every 250 ms of real time. No verdict rests on elapsed time alone:
//
//   - Deadlock or too long: if no goroutine sleeps at the limit, the clock goes on, to
//     half of the years that it can still show. If the stacks change meanwhile, or the
//     runtime counts more goroutines woken in long steps of the clock than in short
//     ones, there are timers and it took too long. Else it is a deadlock.
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
// after the first two bubbles of a test (ten with -race), and after further ones as
// long as that takes a twentieth of the time, or each time once a bubble was seen to
// leave a timer or channel in a pool. While a bubble runs, and for 5 ms after it, no finalizer and no
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
// These end the test binary, with plain synctest too:
//
//	fatal error: select on synctest channel from outside bubble (or send on, receive on, close of)
//	fatal error: reset of synctest timer from outside bubble (or stop of)
//	fatal error: synctest timer accessed from outside bubble
//
// Something of one bubble lives on in a package-level variable and meets another: a
// channel made under a sync.Once, a semaphore, a shared client with its connections
// (http.DefaultClient), a goroutine that a library starts once. The stack below the
// error names the package. If it only needs its channels, let it make them before the first
// bubble, in TestMain; if it also needs its timers or goroutines, give each bubble an
// instance of its own. Emptying the pools does not help in three cases: parallel
// tests whose bubbles share a pool; a loop of tiny bubbles in one test of which a later
// one is the first to use a pool, or which keeps channels of numbers or of empty structs in
// it; and a timer that plain code has put into a pool, which runs in real time in a
// bubble. Nor is there a cure for a finalizer that touches a channel of a bubble that
// passed.
//
// A body that waits for a finalizer waits forever, as does any test after a bubble
// whose goroutines stay. For the 5 ms after a bubble the stack of
// runtime.runFinalizers shows up in a goroutine profile; go.uber.org/goleak looks for
// longer than that before it complains.
//
// A deadlock beside a ticker of more than two years is called a deadlock. One beside a
// faster ticker is called stuck or too long, depending on what comes first.
//
// Whether a wait on a channel is for a timer cannot be seen. If the body depends on a
// timer in a struct, a context's deadline or a time.AfterFunc more than a thousand
// hours away, or 10 s of processor time away, and a ticker runs meanwhile, it is taken
// for stuck. Stop the ticker, or sleep.
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
