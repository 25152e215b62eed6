// Package interleave finds the races of concurrent code by trying its
// schedules, one after the other, instead of hoping for the bad one.
//
// A test that starts two goroutines sees a few of the orders in which they can
// run, and mostly the same ones. A race whose window is short passes a thousand
// runs and fails in production. The race detector does not help where every
// access is locked and only the order is wrong: look whether a key is there,
// unlock, lock, store it.
//
// Here a test names a few actors, and the fakes that they call have points:
//
//	func TestPayOnce(t *testing.T) {
//		interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
//			store := newStore(s.Point) // calls it before each operation
//			paid := 0
//			for _, name := range []string{"client A", "client B"} {
//				s.Go(name, func() { pay(store, "k1", &paid) })
//			}
//			s.Run()
//			if paid != 1 {
//				t.Errorf("the card was charged %d times, want once", paid)
//			}
//		})
//	}
//
// Explore runs the body once for each schedule: one actor runs from its point to
// the next, then the same one or another, until all have ended. When a schedule
// fails, the test stops and prints it:
//
//	schedule 3 fails; it has 1 preemption, and none with fewer fails
//
//	       client A       client B
//	    1  Get k1 → none
//	    2                 Get k1 → none
//	    3                 Put k1
//	    4  Put k1
//
//	again: DOJO_SCHEDULE=ABBA go test -run '^TestPayOnce$' ./pay
//
// Each schedule has a bubble of package bubble for itself, so time is virtual,
// and a deadlock, a panic in the body or a goroutine left over is a failure.
//
// Points inside the code under test come from the packages sync and sync/atomic
// below this one, which stand in for the standard ones.
//
// # Order of the search
//
// A preemption is a switch away from an actor that could have gone on. Schedules
// with fewer preemptions come first, as in Musuvathi and Qadeer, Iterative
// Context Bounding for Systematic Testing of Multithreaded Programs, PLDI 2007
// (the search of CHESS, OSDI 2008): most bugs need one or two, and what is found
// first is easiest to read. Within a number of preemptions, those that deviate
// earlier from an earlier schedule come first. No schedule is run twice, and the
// order is the same in every run. A switch where the actor is blocked or done
// costs nothing. An actor that has come to 50 points in a row gives way if another
// can go on, which costs nothing either: it may be in a loop that looks whether the
// other is done, as in Musuvathi and Qadeer, Fair Stateless Model Checking, PLDI
// 2008. There are 6 schedules of two actors with 2 points each, 90 of
// three, 70 of two with 4 points, and 34,650 of three with 4. A schedule of such
// actors takes 40 µs, and 120 to 180 µs with -race (BenchmarkSchedules).
//
// The schedule that fails is therefore one with the fewest preemptions. It need not
// be the one with the fewest points among those: a test that has failed cannot go
// on to look for another.
//
// # What counts as blocked
//
// After each step the explorer waits until every goroutine of the bubble waits
// for something. An actor that is then not at a point is blocked: on a channel,
// a lock, a timer. If no actor is at a point, virtual time passes until one is.
// If that does not help for a day of virtual time, it is a deadlock.
//
// # Limits
//
// The code must be deterministic but for the schedule: no random choice, no map
// order, no select with several cases ready. If the same choices lead elsewhere,
// Explore says so and fails.
//
// Under an exploration one goroutine runs at a time, and each hand-off is a
// happens-before edge. The race detector therefore sees nothing there. Run the
// same code freely too.
//
// What happens between two points is one step. Two accesses of memory without a
// point between them are never separated. Up to its first point each actor runs
// alone, in the order of Go; begin with a point where that matters.
//
// Deferred functions of actors that are given up run when the schedule is over,
// not when they would. One exploration runs at a time, on one processor; parallel
// tests that explore wait for each other, and others must not use the packages
// below this one meanwhile.
//
// The nearest peers are CHESS for .NET, loom for Rust and tmc/fuzztape for Go,
// which draws schedules by fuzzing.
package interleave

import (
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/interleave/internal/hook"
)

// Budget is how many schedules Explore tries at most.
const Budget = 20_000

// A Report says what an exploration has seen.
type Report struct {
	Schedules   int  // tried
	Exhausted   bool // there are no others
	Preemptions int  // all schedules with so many or fewer were tried; -1 if not even those with none
}

// Explore calls body once for each schedule, each time in a bubble of its own,
// until one fails, all have been tried, or [Budget] have. If it stops at the
// budget, it logs so.
//
// The body makes everything anew, starts the actors with [Schedule.Go], calls
// [Schedule.Run] once, and checks what came of it. If it fails, Explore prints
// the schedule and stops the test, as t.FailNow does.
//
// If the environment variable DOJO_SCHEDULE is set, Explore tries just that
// schedule, as a failure prints it. A test with several explorations numbers
// them: 2:ABAB is for the second, and the others are skipped.
func Explore(t *testing.T, body func(t *testing.T, s *Schedule)) Report {
	t.Helper()
	return ExploreWithin(t, Budget, body)
}

// ExploreWithin is [Explore] with another budget.
func ExploreWithin(t *testing.T, budget int, body func(t *testing.T, s *Schedule)) Report {
	t.Helper()
	number := count(t)
	only, isOnly := os.LookupEnv("DOJO_SCHEDULE")
	if isOnly {
		of, choices, ok := strings.Cut(only, ":")
		if !ok {
			of, choices = "1", only
		}
		if of != number {
			return Report{Preemptions: -1}
		}
		only, budget = choices, 1
	}

	exploring.Lock()
	defer exploring.Unlock()
	// One goroutine runs at a time anyway, and to hand over on one processor takes a fifth of the time.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	search := newSearch(only)
	for search.tried < budget && search.next() {
		search.tried++
		s := newSchedule(search.prefix)
		runOne(t, s, func(t *testing.T) { body(t, s) }, func() string { return search.describe(s, isOnly) + s.replay(t, number) })
		search.add(s.choices())
	}
	report := search.report()
	if !report.Exhausted && !isOnly {
		t.Logf("%d schedules were tried, and there are more: the budget is over. All with up to %d preemptions were among them.", report.Schedules, report.Preemptions)
	}
	return report
}

// exploring is held by the one exploration under way.
var exploring sync.Mutex

// runOne runs one schedule in a bubble, and prints the story if it fails.
func runOne(t *testing.T, s *Schedule, body func(*testing.T), story func() string) {
	t.Helper()
	failedBefore := t.Failed()
	defer hook.Set(nil)
	defer func() {
		if !failedBefore && t.Failed() {
			t.Log(story())
		}
	}()
	bubble.Run(t, func(t *testing.T) {
		s.begin(t)
		defer s.end()
		body(t)
		if !s.ran && !t.Failed() {
			t.Error("the body of an exploration returned without a call of Run: start the actors with Go, then call Run, then check")
		}
	})
	if t.Failed() {
		t.FailNow()
	}
}
