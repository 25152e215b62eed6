// Package interleave finds the races of concurrent code by trying its
// schedules, one after the other, instead of hoping for the bad one.
//
// A test that starts two goroutines sees a few of the orders in which they can
// run, and mostly the same ones. A race whose window is short passes a thousand
// runs and fails in production. The race detector sees a forgotten lock only if
// nothing else happens to order the two accesses, and it does not help where every
// access is locked and only the order is wrong: look whether a key is there,
// unlock, lock, store it.
//
// Here a test names a few actors, and the fakes that they call have points:
//
//	func TestPayOnce(t *testing.T) {
//		interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
//			store := newStore(s.Point) // calls it before each operation
//			var paid atomic.Int32
//			for _, name := range []string{"client A", "client B"} {
//				s.Go(name, func() { pay(store, "k1", &paid) })
//			}
//			s.Run()
//			if paid.Load() != 1 {
//				t.Errorf("the card was charged %d times, want once", paid.Load())
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
// # Data races
//
// In a test binary built with -race an explored schedule shows data races as well. The
// race detector takes no notice of how the explorer hands over from one actor to the
// next, so it reports what two actors both touch unless the code itself orders it, by a
// lock, a channel or an atomic, of the standard library or of the packages below this
// one. That takes no luck: in each of 5 runs each of 59 lost and misplaced locks was
// found, and nothing in 19 right programs (TestRaces). The test then fails with the
// detector's report, the schedule, and the command that replays it:
//
//	two actors touched the same memory with nothing to order them; the race detector's report is above
//
// What a test notes for itself is memory, too. Give each actor a variable of its own,
// which the body may read after Run, or use an atomic. An atomic or a lock of the test's
// orders the actors as one of the code's would, and may so hide a race; [Schedule.Note]
// and [Schedule.Tick] do not.
//
// The detector reports races with the same stacks once a process. Where a binary runs a
// test again, as with -count=2, set GORACE=suppress_equal_stacks=0.
//
// # Points
//
// Points inside the code under test come from the packages sync and sync/atomic
// below this one, which stand in for the standard ones. Their lines in a story say on
// what and where, as the source has it at the call:
//
//	   from a to b               from b to a
//	1  Lock first at bank.go:31
//	2                            Lock first at bank.go:31
//
// An exploration in which fewer than two actors come to a point tries nothing. It fails,
// since mostly an import was forgotten, unless the body calls [Schedule.AllowNoPoints]. A
// point of the test's own counts, too, and one actor that may crash is enough.
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
// actors takes 34 to 48 µs, and 100 to 135 µs with -race; at locks it is a tenth more
// (BenchmarkSchedules).
//
// Explore ends after [Budget] schedules or [TimeLimit], says how far it came, and lets the
// test pass. How much a schedule costs depends on what the code under test does between two
// points, and right code that does much is not wrong.
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
// If that does not help for a day of virtual time, it is a deadlock. The failure says what
// each actor waits for, who has it and since where, and shows the calls that led there:
//
//	from a to b waits at Lock second at bank.go:33, held by from b to a since Lock first at bank.go:31
//	    bank.go:33       bank.lockBoth
//	    bank_test.go:12  bank_test.TestBothWays.func1.1
//
// # Limits
//
// The code must be deterministic but for the schedule: no random choice, no map
// order, no select with several cases ready. If the same choices lead elsewhere,
// Explore goes on with the usual ones, so that what the code does wrong is told first.
// If nothing else fails, it says so and fails.
//
// What happens between two points is one step. Two accesses of memory without a
// point between them are never separated. Up to its first point each actor runs
// alone, in the order of Go; begin with a point where that matters.
//
// A data race is seen if, in one of the schedules, nothing orders the two accesses. What
// both actors touch between two critical sections of one lock is in order unless one of
// them can be stopped right before it locks again: that takes the points of package sync
// below this one. Whatever both actors go through on the way orders them as well, such
// as a [sync.Pool], of which fmt and encoding/json have several. So does a text of
// [Schedule.Point] or [Schedule.Note] with other arguments than numbers, strings, bools and
// durations, which fmt writes at once. Package apart needs no points at all, for calls that
// do not wait for each other.
//
// Actors that share nothing are tried in all orders as well. That one takes a lock of
// its own does not tell what else it does before its next point, so no schedule is left
// out: two actors with 6 locks each have 924, three have 17 million. Then the budget
// ends the search, with all schedules of up to 2 preemptions among those tried.
//
// The name of a lock is read from its source when a story is told. It is missing where
// the source is not there, as with -trimpath, or where one line has two such calls.
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
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/interleave/internal/hook"
	"github.com/backend-kata/dojo/pkg/internal/race"
	"github.com/backend-kata/dojo/pkg/internal/rerun"
)

// Budget is how many schedules [Explore] tries at most. Most races show in the first
// hundred, and what they cost grows with the work that the code under test does.
const Budget = 2_000

// TimeLimit is the real time after which an exploration tries no further schedule. Right
// code is not to fail because it is slow, or the machine is.
const TimeLimit = 5 * time.Second

// A Report says what an exploration has seen. If it is not Exhausted and not OutOfTime,
// it ended at the budget.
type Report struct {
	Schedules   int  // tried
	Exhausted   bool // there are no others
	OutOfTime   bool // there are others, and TimeLimit was over
	Preemptions int  // all schedules with so many or fewer were tried; -1 if not even those with none
}

// Explore calls body once for each schedule, each time in a bubble of its own,
// until one fails, all have been tried, [Budget] have, or [TimeLimit] is over. The
// first schedule is always tried. In the last two cases it logs how far it came, and
// the test passes.
//
// The body makes everything anew, starts the actors with [Schedule.Go], calls
// [Schedule.Run] once, and checks what came of it. If it fails, Explore prints
// the schedule and stops the test, as t.FailNow does. In a test binary that was built
// with -race, a data race between two actors fails it as well.
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
	search, where := newSearch(only), placeOfTest()
	var s *Schedule
	start := time.Now()
	late := false
	for search.next() {
		search.tried++
		s = newSchedule(search.prefix, isOnly)
		runOne(t, where, s, func(t *testing.T) { body(t, s) }, func(raced bool) string {
			return search.describe(s, isOnly) + s.replay(t, number, raced, search.strayed || s.strayed)
		})
		search.add(s)
		late = time.Since(start) >= limit
		if search.tried >= budget || late {
			break
		}
	}
	if search.strayed {
		t.Fatal(ledElsewhere + ". What was tried passed, but other orders may have been missed")
	}
	report := search.progress()
	if came := s.stage.whoCame(); len(came) < 2 && report.Schedules == 1 && report.Exhausted && !isOnly && !s.noneMay {
		t.Fatal(nothingToTry(came) + "\n\nagain: " + rerun.Command(t.Name()))
	}
	report.OutOfTime = late && !report.Exhausted
	if !report.Exhausted && !isOnly {
		t.Log(report)
	}
	return report
}

// nothingToTry says that there was one schedule, and what to do.
func nothingToTry(came []*actor) string {
	who := "no actor came"
	if len(came) == 1 {
		who = "only " + came[0].name + " came"
	}
	return "nothing was explored: " + who + " to a point, so there is one order, which was run once\n\n" +
		"Points are at the locks and atomics of code that imports\n" +
		"    " + ownPackage + "/sync\n" +
		"    " + ownPackage + "/sync/atomic\n" +
		"in place of sync and sync/atomic, and where a fake or the test calls Point.\n" +
		"If the code needs none, say so in the body: s.AllowNoPoints()"
}

// limit is TimeLimit, but for this package's tests.
var limit = TimeLimit

// String says how far an exploration came.
func (r Report) String() string {
	tried := plural(r.Schedules, "schedule") + " were tried"
	if r.Schedules == 1 {
		tried = "1 schedule was tried"
	}
	switch {
	case r.Exhausted:
		return tried + ", and there are no more"
	case r.OutOfTime:
		tried += fmt.Sprintf(" in %v", limit)
	default:
		tried += ", as many as the budget allows"
	}
	switch {
	case r.Preemptions < 0:
		return tried + ", and there are more, also without preemption"
	case r.Preemptions == 0:
		return tried + ", and there are more; all without preemption were among them"
	}
	return fmt.Sprintf("%s, and there are more; all with up to %s were among them", tried, plural(r.Preemptions, "preemption"))
}

// exploring is held by the one exploration under way.
var exploring sync.Mutex

// runOne runs one schedule in a bubble, and prints the story if it fails, as of the
// place where the test explores.
func runOne(t *testing.T, where string, s *Schedule, body func(*testing.T), story func(raced bool) string) {
	t.Helper()
	failedBefore, racesBefore := t.Failed(), race.Errors()
	defer hook.Set(nil)
	defer func() {
		raced := race.Errors() > racesBefore
		if raced {
			say(t, where, "two actors touched the same memory with nothing to order them; the race detector's report is above")
			t.Fail()
		}
		if !failedBefore && t.Failed() {
			say(t, where, story(raced))
		}
	}()
	bubble.Run(t, func(t *testing.T) {
		s.begin(t)
		defer s.stage.end()
		body(t)
		if !s.ran && !t.Failed() {
			t.Error("the body of an exploration returned without a call of Run: start the actors with Go, then call Run, then check")
		}
	})
	if t.Failed() {
		t.FailNow()
	}
}
