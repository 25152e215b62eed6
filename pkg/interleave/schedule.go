package interleave

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/interleave/internal/hook"
	"github.com/backend-kata/dojo/pkg/internal/race"
)

const (
	maxActors  = 26    // there is a letter for each
	maxChoices = 1_000 // more in one schedule is an actor that never ends
	stamina    = 50    // so often in a row an actor goes on while others could, at first
	patience   = 24 * time.Hour
)

const ledElsewhere = "the same choices led elsewhere. The code depends on something else than the schedule: " +
	"a random number, the order of a map, a select with several cases ready, or a timer of its own"

// A Schedule is one order in which the actors run. It is made by [Explore], and
// good for one call of the body.
type Schedule struct {
	stage stage

	// The rest is the explorer's own: it runs on the body's goroutine.

	t       *testing.T
	prefix  []move // the choices that are given
	isOnly  bool   // they are those of DOJO_SCHEDULE
	strayed bool   // one of them could not be made
	ran     bool
	noneMay bool // come to a point
	lock    bool // somebody was seen to wait for a lock, so synctest.Wait would not return
	last    int  // the actor that was chosen last; -1 for none
	inRow   int  // how often in a row it was
	gaveWay int  // how often one gave way
}

func newSchedule(prefix []move, isOnly bool) *Schedule {
	return &Schedule{prefix: prefix, isOnly: isOnly, last: -1}
}

// begin is called in the bubble.
func (s *Schedule) begin(t *testing.T) {
	s.t = t
	s.stage.begin()
	hook.Set(&s.stage)
}

// Go adds an actor, which runs f when Run is called. The name heads its column
// in the story of a failure. At most 26 actors take part, those included that
// are goroutines of the code under test. Go is called by the body before Run.
//
// A panic in f fails the test. It does not end the test binary.
func (s *Schedule) Go(name string, f func()) { s.add(&actor{name: name, run: f}) }

// GoMortal is Go for an actor that may also crash at each of its points: it goes
// no further, as if its process had died. No other actor of a schedule crashes
// then. Deferred functions of its goroutine run only after the body has returned.
func (s *Schedule) GoMortal(name string, f func()) { s.add(&actor{name: name, run: f, mortal: true}) }

func (s *Schedule) add(a *actor) {
	if s.ran && a.run != nil {
		panic("interleave: Go was called after Run")
	}
	if len(s.stage.actors) == maxActors {
		panic(fmt.Sprintf("interleave: more than %d actors", maxActors))
	}
	s.stage.cast(a)
}

// Point is where the calling actor stops until it is its turn. The text says
// what it does next, formatted as by [fmt.Sprintf]. A goroutine of the bubble
// that is no actor yet becomes one, except for the body's own; where Run is not
// under way, or s is nil, Point returns at once, so that a fake may be used freely
// too. It is safe for concurrent use.
func (s *Schedule) Point(format string, args ...any) {
	if s == nil {
		return
	}
	s.stage.point(newText(format, args), 0)
}

// Pass is a point at which virtual time passes: when it is the calling actor's
// turn, the clock moves by d while all others stay where they are, except for
// those who wait for a timer. Nothing is as good at finding what happens when a
// lease runs out.
func (s *Schedule) Pass(d time.Duration) {
	s.stage.point(newText("%v pass", []any{d}), d)
}

// Note adds what came of the calling actor's last point to the story: the value
// that was read, for example. With a nil s it does nothing. It is safe for
// concurrent use.
func (s *Schedule) Note(format string, args ...any) {
	if s == nil {
		return
	}
	s.stage.note(newText(format, args))
}

// Tick returns 1, 2, 3 and so on: a clock that tells which of two calls came first, where
// the virtual one stands still. Unlike a counter of the test's own it puts nothing in
// order in the race detector's eyes. It is safe for concurrent use.
func (s *Schedule) Tick() int64 { return s.stage.tick() }

// AllowNoPoints says that the code under test may come to no point, as code may that
// has channels where other code has locks. Without it [Explore] fails if fewer than two
// actors come to a point, since then it tries nothing: mostly an import of the packages
// below this one was forgotten. It is called by the body.
func (s *Schedule) AllowNoPoints() { s.noneMay = true }

// Run lets the actors run to their ends, in this schedule. It is called once, by
// the body. It stops the test, as t.FailNow does, if an actor failed it, if all
// wait for each other, or if an actor never ends.
func (s *Schedule) Run() {
	s.t.Helper()
	if s.ran {
		s.t.Fatal("interleave: Run was called twice in one schedule")
	}
	s.ran = true
	defer s.stage.seen.Acquire()
	s.stage.enterState(during)
	s.start()
	for {
		could, open := s.moves()
		switch {
		case len(could) > 0:
			s.do(s.choose(could))
			s.settle()
		case !open:
			s.finish()
			return
		case !s.timePasses():
			s.deadlock()
		}
	}
}

// start lets each actor run to its first point. All are born before the first one
// runs: what it does would else be in order before those after it.
func (s *Schedule) start() {
	s.stage.alone = s.stage.births.since() == 0 // a goroutine of the body's counts, too
	for _, a := range s.stage.actors {
		p := &parking{gate: make(chan bool, 1)}
		a.parked, a.started = p, true
		bubble.Go(s.t, func() { // which a report does not show as a place
			s.stage.enterActor(a, p)
			defer s.stage.leaveActor(a)
			defer func() {
				if v := recover(); v != nil {
					reportPanic(s.t, a.name, v)
				}
			}()
			a.run()
		})
	}
	for i := range s.stage.actors {
		s.stage.let(i)
		s.settle()
	}
}

// finish ends the exploration of a schedule in which nobody has anything to do. What
// goroutines without points did comes before what the body does next, as well.
func (s *Schedule) finish() {
	s.stage.enterState(after)
	if race.Enabled && !s.lock {
		synctest.Wait()
	}
}

// settle waits until nobody can go on without a choice, and takes in who came to
// a first point.
func (s *Schedule) settle() {
	s.quiet()
	for _, p := range s.stage.newcomers() {
		s.add(&actor{name: fmt.Sprintf("goroutine %d", s.strangers()+1), id: p.id, parked: p, came: true, started: true})
	}
	s.stage.seen.Release()
	if s.t.Failed() {
		s.t.FailNow()
	}
}

// strangers is how many actors are goroutines of the code under test.
func (s *Schedule) strangers() int {
	n := 0
	for _, a := range s.stage.actors {
		if a.run == nil {
			n++
		}
	}
	return n
}

// quiet waits until every other goroutine of the bubble waits. Where one waits
// for a lock, synctest.Wait would not return, so the stacks are read first unless
// somebody is known to have come to a point.
func (s *Schedule) quiet() {
	if s.lock || !s.someoneMoved() {
		for still := 0; still < 2; still++ {
			busy, lock := look(s.stage.root)
			s.lock = lock
			if !busy && !lock {
				break // all wait for what others in the bubble do, so nothing changes by itself
			}
			if busy {
				still = -1
			}
			runtime.Gosched() // and look at a lock twice: the runtime has some of its own, held for a moment
		}
	}
	if !s.lock {
		wait()
	}
}

// wait is synctest.Wait, of which the race detector takes no notice.
func wait() {
	race.Disable()
	defer race.Enable()
	synctest.Wait()
}

// someoneMoved gives the actor that was let go some time to come to its next
// point. With one processor nearly all do before it is the explorer's turn again.
func (s *Schedule) someoneMoved() bool {
	for range 10 {
		if s.stage.someoneMoved() {
			return true
		}
		runtime.Gosched()
	}
	return false
}

// moves lists what can be done next. It reports whether somebody has yet to end.
func (s *Schedule) moves() (could []move, open bool) {
	s.stage.mu.Lock()
	defer s.stage.mu.Unlock()
	crashed := slices.ContainsFunc(s.stage.actors, func(a *actor) bool { return a.crashed })
	var crashes []move
	for i, a := range s.stage.actors {
		if a.crashed || a.done {
			continue
		}
		open = open || a.run != nil || a.parked != nil
		if a.parked == nil || !a.parked.isReady() {
			continue
		}
		could = append(could, move{actor: i})
		if a.mortal && !crashed {
			crashes = append(crashes, move{actor: i, crash: true})
		}
	}
	return append(could, crashes...), open
}

// choose makes the next choice: the one that is given or else the usual one,
// which is to go on with the same actor.
func (s *Schedule) choose(could []move) move {
	could = s.fair(could)
	c := choice{could: could, took: could[0], last: s.last, preempted: slices.Contains(could, move{actor: s.last})}
	n := len(s.stage.trace)
	switch {
	case n == maxChoices:
		s.t.Helper()
		s.t.Fatalf("%s is at the schedule's point number %s, and more are not followed: it does too much between Go and its end, or never ends", s.stage.actors[s.last].name, number(n))
	case n < len(s.prefix) && !slices.Contains(could, s.prefix[n]):
		if s.isOnly {
			s.t.Helper()
			s.t.Fatalf("choice %d of %d of DOJO_SCHEDULE cannot be made: it is of another version of the code, or "+ledElsewhere, n+1, len(s.prefix))
		}
		s.strayed, s.prefix = true, nil // one that was not planned may fail as well as any other
		if c.preempted {
			c.took = move{actor: s.last}
		}
	case n < len(s.prefix):
		c.took = s.prefix[n]
	case c.preempted:
		c.took = move{actor: s.last}
	}
	s.stage.record(c)
	if s.last != c.took.actor {
		s.last, s.inRow = c.took.actor, 0
	}
	s.inRow++
	return c.took
}

// fair leaves out an actor that seems to look again and again for something that
// another has yet to do, if another can go on. Without that, right code with a
// TryLock in a loop would never end. The next one in turn comes first, so that all
// have one. Each time it takes one point more, or two such loops could for ever give
// way in the middle, each with what the other wants.
func (s *Schedule) fair(could []move) []move {
	if s.inRow < stamina+s.gaveWay {
		return could
	}
	var later, earlier []move
	for _, m := range could {
		switch {
		case m.actor > s.last:
			later = append(later, m)
		case m.actor < s.last:
			earlier = append(earlier, m)
		}
	}
	if len(later)+len(earlier) == 0 {
		return could
	}
	s.gaveWay++
	return append(later, earlier...)
}

// do lets an actor go on, or crashes it.
func (s *Schedule) do(m move) {
	s.stage.tell(m)
	if !m.crash {
		s.stage.let(m.actor)
	}
}

// timePasses waits until a timer brings somebody to a point or to an end, and
// reports whether one did.
func (s *Schedule) timePasses() bool {
	s.stage.forget()
	if !s.stage.someoneMoved() && !s.stage.rest(patience) {
		return false
	}
	s.settle()
	return true
}

// deadlock fails the test: nobody can go on.
func (s *Schedule) deadlock() {
	s.t.Helper()
	s.t.Fatal("deadlock: nobody can go on, and time does not help\n\n" + s.stage.waits(stacks(s.stage.root)))
}
