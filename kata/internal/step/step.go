// Package step is what the katas' steps are written in: where a step runs, what
// happened in it, calls that run beside it, and what it expects.
//
// A step runs in a bubble of virtual time ([Bubble]), in every order of a few
// actors ([Explore]), or, where it needs neither, outside ([Outside]). What fails
// it is told in one way: a sentence in the words of the problem, the difference,
// what happened until then, and how to run it again.
//
//	func TestJobsRunOnce(t *testing.T) {
//		step.Bubble(t, func(t *step.T) {
//			q := open(t, 1, 1)                  // its jobs Tell when they start
//			submit := step.Start(t, func() error { return q.Submit(t.Context(), job) })
//			step.Expect(t, submit.Waits(), "Submit should wait, since the queue is full.")
//			step.NoError(t, submit.Result(), "There is room now, so Submit should succeed.")
//			step.Equal(t, 3, handled, "Jobs handled:")
//		})
//	}
//
// In a bubble nobody may wait for a plain lock while its holder waits for time to
// pass: the clock stands still while a goroutine waits for a sync.Mutex. Such a
// step is told as a deadlock.
package step

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/interleave"
)

// A T is a step's test, and the story of what happened in it. Its methods are safe
// for concurrent use.
type T struct {
	*testing.T

	began time.Time

	mu    sync.Mutex
	story []string
}

// Bubble runs the body in a bubble of virtual time, as [bubble.Run] does. A
// deadlock, a panic or a goroutine left over fails the step.
func Bubble(t *testing.T, body func(t *T)) {
	t.Helper()
	told := &T{}
	defer func() { told.tellAll(t, "again: "+command(t.Name())) }()
	bubble.Run(t, func(t *testing.T) {
		told.enter(t)
		body(told)
	})
}

// Explore runs the body in every order of its actors, each time in a bubble of its
// own, as [interleave.Explore] does. Where the actors come to no point of a fake's,
// the step gives them some: one before each call.
func Explore(t *testing.T, body func(t *T, x *interleave.Schedule)) interleave.Report {
	t.Helper()
	return ExploreWithin(t, interleave.Budget, body)
}

// ExploreWithin is [Explore] with at most so many schedules. What an exploration
// costs grows with the operations of the learner's design, and a right one may
// have twice as many as the reference.
func ExploreWithin(t *testing.T, budget int, body func(t *T, x *interleave.Schedule)) interleave.Report {
	t.Helper()
	return interleave.ExploreWithin(t, budget, func(t *testing.T, x *interleave.Schedule) {
		told := &T{}
		told.enter(t)
		x.AllowNoPoints()                      // a learner may have channels and standard locks
		defer func() { told.tellAll(t, "") }() // the schedule says how to run it again
		body(told, x)
	})
}

// Outside runs the body in real time, for a step that waits for nothing. A
// goroutine left over fails the step.
func Outside(t *testing.T, body func(t *T)) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	told := &T{}
	told.enter(t)
	defer func() { told.tellAll(t, "again: "+command(t.Name())) }()
	body(told)
	if err := goleak.Find(before); err != nil {
		t.Errorf("The step is over, and a goroutine that it started is not.\n%v", err)
	}
}

// enter begins the story on the clock of t.
func (t *T) enter(inner *testing.T) { t.T, t.began = inner, time.Now() }

// Tell adds a line to the story, with the time since the step began. A failure
// prints the last lines. Its lock puts those who call it in order, which may hide a
// data race of the code under test: an actor of [Explore] and a caller of [AtOnce] do
// not call it. An actor has [interleave.Schedule.Note].
func (t *T) Tell(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	since := time.Since(t.began)
	if since >= time.Second {
		since = since.Round(time.Millisecond)
	}
	t.story = append(t.story, fmt.Sprintf("%8v  ", since)+fmt.Sprintf(format, args...))
}

// shown is how many lines of a story a failure prints.
const shown = 16

// tellAll prints the story of a step that failed, and how to run it again.
func (t *T) tellAll(outer *testing.T, again string) {
	if !outer.Failed() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	story := folded(t.story)
	if left := len(story) - shown; left > 0 {
		fmt.Fprintf(&b, "\nWhat happened, without the first %d lines:\n", left)
		story = story[left:]
	} else if len(story) > 0 {
		b.WriteString("\nWhat happened:\n")
	}
	for _, line := range story {
		b.WriteString(line + "\n")
	}
	if again != "" {
		b.WriteString("\n" + again + "\n")
	}
	fmt.Fprint(outer.Output(), b.String())
}

// folded says what comes several times in a row once, and how often.
func folded(story []string) []string {
	var lines []string
	for len(story) > 0 {
		n := 1
		for n < len(story) && story[n] == story[0] {
			n++
		}
		line := story[0]
		if n > 1 {
			line += fmt.Sprintf(" (%d times)", n)
		}
		lines, story = append(lines, line), story[n:]
	}
	return lines
}

// command runs one step again, from the clone's root.
func command(name string) string {
	return fmt.Sprintf("go test -run '^%s$' ./kata/%s", name, folder)
}

// folder is where the steps are, seen from the folder kata. go test starts them there.
var folder = func() string {
	here, err := os.Getwd()
	if err != nil {
		return "..."
	}
	_, below, _ := strings.Cut(filepath.ToSlash(here), "/kata/")
	return below
}()

// AtOnce runs f for n callers of the bubble at the same time, freely, and waits until
// all have returned: a run for the race detector. Nothing here orders them, so nothing that
// f touches of the step's own may be shared. A panic in f fails the step.
func AtOnce(t *T, n int, f func(caller int)) {
	t.Helper()
	var all sync.WaitGroup
	for caller := range n {
		all.Add(1)
		bubble.Go(t.T, func() {
			defer all.Done()
			f(caller)
		})
	}
	all.Wait()
	synctest.Wait() // a panic is reported by then
}

// A Call runs beside the step, in its bubble.
type Call[R any] struct {
	began time.Time
	ended chan struct{}

	result R // and what follows is written before ended is closed
	took   time.Duration
}

// Start calls f on a goroutine of its own, and returns when all is quiet: f has
// returned, or waits. A panic in f fails the step.
func Start[R any](t *T, f func() R) *Call[R] {
	c := &Call[R]{began: time.Now(), ended: make(chan struct{})}
	bubble.Go(t.T, func() {
		defer close(c.ended)
		c.result = f()
		c.took = time.Since(c.began)
	})
	synctest.Wait()
	return c
}

// Waits reports whether the call is still under way once all is quiet.
func (c *Call[R]) Waits() bool {
	synctest.Wait()
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

// Result returns what the call returned. It waits for that, and virtual time
// passes. It is the zero value if the call panicked.
func (c *Call[R]) Result() R {
	<-c.ended
	synctest.Wait() // a panic is reported by then
	return c.result
}

// Took returns how long the call took, in virtual time. It waits as [Call.Result]
// does.
func (c *Call[R]) Took() time.Duration {
	<-c.ended
	return c.took
}
