package interleave

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/interleave/internal/hook"
	"github.com/backend-kata/dojo/pkg/internal/stack"
)

const (
	maxActors  = 26    // there is a letter for each
	maxChoices = 1_000 // more in one schedule is an actor that never ends
	stamina    = 50    // so often in a row an actor goes on while others could, at first
	patience   = 24 * time.Hour
)

// A Schedule is one order in which the actors run. It is made by [Explore], and
// good for one call of the body.
type Schedule struct {
	prefix []move // the choices that are given

	t       *testing.T
	wake    chan struct{} // has a token when somebody came to a point or ended
	ran     bool
	lock    bool // somebody was seen to wait for a lock, so synctest.Wait would not return
	last    int  // the actor that was chosen last; -1 for none
	inRow   int  // how often in a row it was
	gaveWay int  // how often one gave way

	root   stack.Header // of the body
	mu     sync.Mutex
	state  state // and what follows is guarded by mu
	trace  []choice
	births births
	alone  bool // the actors are all the goroutines that were born in the bubble
	going  int  // the actor that was let go last, or started
	actors []*actor
	byID   map[int]*actor
	new    []*parking // of goroutines that are no actors yet
	events []event
	moved  bool // somebody came to a point or ended since the last choice
}

type state int

const (
	before state = iota // the body sets up: points are passed
	during              // Run steers
	after               // the body checks: points are passed
	over                // whoever comes to a point ends there
)

// An actor is a goroutine that comes to points.
type actor struct {
	name    string
	mortal  bool
	run     func() // nil for a goroutine that the code under test started
	parked  *parking
	started bool
	done    bool
	crashed bool
}

// A parking is a goroutine that waits at a point.
type parking struct {
	id    int
	what  string
	ready func() bool
	pass  time.Duration
	gate  chan bool // true to go on, false to end
}

// An event is one line of the story.
type event struct {
	actor int
	text  string
}

func newSchedule(prefix []move) *Schedule {
	return &Schedule{prefix: prefix, last: -1, byID: map[int]*actor{}}
}

// begin is called in the bubble.
func (s *Schedule) begin(t *testing.T) {
	s.t, s.root, s.wake = t, stack.Self(), make(chan struct{}, 1)
	s.births, s.alone = newBirths(), true
	hook.Set(s)
}

// end lets whoever still is at a point end there, so that the bubble can end.
func (s *Schedule) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = over
	for _, a := range s.actors {
		if a.parked != nil {
			a.parked.gate <- false
		}
	}
	for _, p := range s.new {
		p.gate <- false
	}
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == over || a.run != nil && s.state != before {
		panic("interleave: Go was called after Run")
	}
	if len(s.actors) == maxActors {
		panic(fmt.Sprintf("interleave: more than %d actors", maxActors))
	}
	s.actors = append(s.actors, a)
}

// Point is where the calling actor stops until it is its turn. The text says
// what it does next, formatted as by [fmt.Sprintf]. A goroutine of the bubble
// that is no actor yet becomes one, except for the body's own; where Run is not
// under way, Point returns at once. It is safe for concurrent use.
func (s *Schedule) Point(format string, args ...any) {
	s.Park(fmt.Sprintf(format, args...), nil)
}

// Pass is a point at which virtual time passes: when it is the calling actor's
// turn, the clock moves by d while all others stay where they are, except for
// those who wait for a timer. Nothing is as good at finding what happens when a
// lease runs out.
func (s *Schedule) Pass(d time.Duration) {
	s.park(&parking{what: fmt.Sprintf("%v pass", d), pass: d})
}

// Note adds what came of the calling actor's last point to the story: the value
// that was read, for example. It is safe for concurrent use.
func (s *Schedule) Note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.running()
	if a == nil {
		a = s.byID[stack.Self().ID]
	}
	for i, e := range slices.Backward(s.events) {
		if a != nil && s.actors[e.actor] == a {
			s.events[i].text += " → " + fmt.Sprintf(format, args...)
			return
		}
	}
}

// Park is for the packages sync and sync/atomic below this one.
func (s *Schedule) Park(what string, ready func() bool) bool {
	return s.park(&parking{what: what, ready: ready})
}

func (s *Schedule) park(p *parking) bool {
	p.gate = make(chan bool, 1)
	if !s.enter(p) {
		return false
	}
	if !<-p.gate {
		runtime.Goexit()
	}
	return true
}

// enter puts the calling goroutine at a point. It reports false where points are
// passed.
func (s *Schedule) enter(p *parking) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == before || s.state == after {
		return false
	}
	a := s.running()
	if a == nil {
		g := stack.Self()
		if g.Bubble != s.root.Bubble || g.ID == s.root.ID {
			return false
		}
		p.id, a = g.ID, s.byID[g.ID]
	}
	switch {
	case s.state == over:
		p.gate <- false
		return true
	case a != nil:
		a.parked = p
	default:
		s.new = append(s.new, p)
	}
	s.stir()
	return true
}

// running returns the actor that was let go last, if nobody else can be the
// caller: all other actors are at points, and they are all the goroutines that the
// bubble has. To ask the runtime who calls takes longer than all else that a point
// does. It is called with mu held.
func (s *Schedule) running() *actor {
	if s.state != during || !s.alone {
		return nil
	}
	for i, a := range s.actors {
		if (i == s.going) != (a.started && a.parked == nil && !a.done) {
			return nil
		}
	}
	if !s.onlyActors() {
		return nil
	}
	return s.actors[s.going]
}

// onlyActors reports whether no goroutine was born besides the actors. It is
// called with mu held.
func (s *Schedule) onlyActors() bool {
	started := 0
	for _, a := range s.actors {
		if a.started {
			started++
		}
	}
	s.alone = s.alone && s.births.since() == started
	return s.alone
}

// stir says that somebody came to a point or ended. It is called with mu held.
func (s *Schedule) stir() {
	s.moved = true
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run lets the actors run to their ends, in this schedule. It is called once, by
// the body. It stops the test, as t.FailNow does, if an actor failed it, if all
// wait for each other, or if an actor never ends.
func (s *Schedule) Run() {
	s.t.Helper()
	if s.ran {
		s.t.Fatal("interleave: Run was called twice in one schedule")
	}
	s.ran = true
	s.enterState(during)
	for i := range s.actors {
		s.start(i)
		s.settle()
	}
	for {
		could, open := s.moves()
		switch {
		case len(could) > 0:
			s.do(s.choose(could))
			s.settle()
		case !open:
			s.enterState(after)
			return
		case !s.timePasses():
			s.deadlock()
		}
	}
}

func (s *Schedule) enterState(now state) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = now
}

func (s *Schedule) start(i int) {
	s.mu.Lock()
	s.onlyActors() // a goroutine of the body's counts, too
	a := s.actors[i]
	a.started, s.going = true, i
	s.mu.Unlock()
	bubble.Go(s.t, func() {
		id := stack.Self().ID
		s.mu.Lock()
		s.byID[id] = a
		s.mu.Unlock()
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			a.done = true
			s.stir()
		}()
		a.run()
	})
}

// settle waits until nobody can go on without a choice, and takes in who came to
// a first point.
func (s *Schedule) settle() {
	s.quiet()
	s.mu.Lock()
	s.moved = false
	slices.SortFunc(s.new, func(a, b *parking) int { return a.id - b.id })
	strangers := s.new
	s.new = nil
	s.mu.Unlock()
	for _, p := range strangers {
		a := &actor{name: fmt.Sprintf("goroutine %d", s.strangers()+1), parked: p, started: true}
		s.add(a)
		s.mu.Lock()
		s.byID[p.id] = a
		s.mu.Unlock()
	}
	if s.t.Failed() {
		s.t.FailNow()
	}
}

func (s *Schedule) strangers() int {
	n := 0
	for _, a := range s.actors {
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
			busy, lock := look(s.root)
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
		synctest.Wait()
	}
}

// someoneMoved gives the actor that was let go some time to come to its next
// point. With one processor nearly all do before it is the explorer's turn again.
func (s *Schedule) someoneMoved() bool {
	for range 10 {
		s.mu.Lock()
		moved := s.moved
		s.mu.Unlock()
		if moved {
			return true
		}
		runtime.Gosched()
	}
	return false
}

// moves lists what can be done next. It reports whether somebody has yet to end.
func (s *Schedule) moves() (could []move, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	crashed := slices.ContainsFunc(s.actors, func(a *actor) bool { return a.crashed })
	var crashes []move
	for i, a := range s.actors {
		if a.crashed || a.done {
			continue
		}
		open = open || a.run != nil || a.parked != nil
		if a.parked == nil || a.parked.ready != nil && !a.parked.ready() {
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
	n := len(s.trace)
	switch {
	case n == maxChoices:
		s.t.Helper()
		s.t.Fatalf("%s has come to %d points: it seems never to end", s.actors[s.last].name, n)
	case n < len(s.prefix) && !slices.Contains(could, s.prefix[n]):
		s.t.Helper()
		s.t.Fatalf("the same choices led elsewhere: choice %d of %d cannot be made. The code depends on something else than the schedule "+
			"(a random number, the order of a map, a select with several cases ready), or the schedule is of another version of it",
			n+1, len(s.prefix))
	case n < len(s.prefix):
		c.took = s.prefix[n]
	case c.preempted:
		c.took = move{actor: s.last}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace = append(s.trace, c)
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
	a := s.actors[m.actor]
	s.mu.Lock()
	p := a.parked
	text := p.what
	if m.crash {
		a.crashed = true
		text = "crashes before " + text
	} else {
		a.parked, s.going = nil, m.actor
	}
	s.events = append(s.events, event{m.actor, text})
	s.mu.Unlock()
	if m.crash {
		return
	}
	time.Sleep(p.pass)
	p.gate <- true
}

// timePasses waits until a timer brings somebody to a point or to an end, and
// reports whether one did.
func (s *Schedule) timePasses() bool {
	select {
	case <-s.wake: // an old token
	default:
	}
	s.mu.Lock()
	moved := s.moved
	s.mu.Unlock()
	if !moved {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-s.wake:
		case <-timer.C:
			return false
		}
	}
	s.settle()
	return true
}

// deadlock fails the test: nobody can go on.
func (s *Schedule) deadlock() {
	s.t.Helper()
	var waits []string
	s.mu.Lock()
	for _, a := range s.actors {
		switch {
		case a.done || a.crashed:
		case a.parked != nil:
			waits = append(waits, fmt.Sprintf("%s waits at %s", a.name, a.parked.what))
		default:
			waits = append(waits, a.name+" waits, and not at a point")
		}
	}
	s.mu.Unlock()
	s.t.Fatalf("deadlock: nobody can go on, and time does not help\n  %s", strings.Join(waits, "\n  "))
}
