// Package apart finds the data races between the calls of a type, in every run.
//
// A type that promises to be safe for concurrent use is tested by starting a few goroutines and hoping. The race
// detector reports two accesses of memory only if nothing happens to order them, and something mostly does: a goroutine
// runs to its end before the next one starts, and the locks that the code does take put the two in order. A method whose
// lock was forgotten is reported in one run of five, or in none.
//
// Here calls run one after the other, which makes them easy to follow, while the race detector is told to take no
// notice of it. What two calls both touch is then reported unless the code itself orders it: by a lock, a channel, an
// atomic. No luck is needed, and no clever order.
//
//	func TestHistogramIsSafe(t *testing.T) {
//		apart.Pairs(t, NewHistogram,
//			apart.Call[*Histogram]{Name: "Record", Do: func(h *Histogram) { h.Record(time.Second) }},
//			apart.Call[*Histogram]{Name: "Min", Do: func(h *Histogram) { h.Min() }},
//			apart.Call[*Histogram]{Name: "Merge", Do: func(h *Histogram) { h.Merge(NewHistogram()) }},
//		)
//	}
//
//	Min and Record touched the same memory with nothing to order them: data race (the detector's report is above)
//	again: go test -race -run '^TestHistogramIsSafe$' ./histogram
//
// It works in a bubble of package bubble or of [testing/synctest], and outside.
//
// # Without -race
//
// Only the race detector sees a data race, and only a test binary built with -race has one. In another, [Pairs] makes
// the calls, so that a panic shows, and then skips the test: what was not judged has not passed. A runner of tests knows
// it by the action skip of go test -json, and by the text of [ErrNotJudged] in the test's last line of output. Pairs
// belongs at the end of its test, therefore. In a bubble of package bubble the test that called bubble.Run is skipped; in
// one of testing/synctest the text is printed, and the test itself passes, as after any t.Skip there.
//
// # Limits
//
// What a call touches between two critical sections is not found: the first call unlocks after its access, the second one
// locks before its own, and so they are in order. It takes a switch in between to see that. Explore such a type at its
// locks with package interleave: of ten runs each, that found such a race in all, and this package in none.
//
// Before, after or without a lock is enough for this package, since each pair of calls runs in both orders. Anything
// else that two calls both go through orders them as a lock does: a channel, an atomic, a logger, methods of the
// same [testing.T], or one context that can end: code that derives a context from it takes its lock. Give each call a
// context of its own.
//
// A [sync.Pool], which fmt and encoding/json have several of, orders whoever takes a thing after whoever gave it
// back. So that this hides nothing, pools are emptied between two calls, by two garbage collections. They are most of
// the 1 to 2 ms that a pair takes with -race, and grow with the heap (BenchmarkPair).
//
// The race detector reports races with the same stacks once a process. A test that runs again in the same process, as
// with -count=2, passes the second time unless the environment has GORACE=suppress_equal_stacks=0. What other tests
// race for meanwhile is taken for a pair's: do not run it in parallel with them.
//
// Neither order nor results are checked. That is what package interleave is for.
//
// The nearest peer is github.com/trailofbits/on-edge, which hides a hand-off from the race detector in the same way: to
// hold a function that recovers from a panic against a second run of itself, where a race is what the panic left behind.
package apart
