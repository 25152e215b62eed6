package interleave

import (
	"runtime"
	"slices"
	"time"

	"github.com/backend-kata/dojo/pkg/interleave/internal/hook"
	"github.com/backend-kata/dojo/pkg/internal/race"
	"github.com/backend-kata/dojo/pkg/internal/stack"
)

// A stage is where the explorer and the actors meet: all that both of them touch.
//
// The explorer lets one actor go on after another, which no code under test may
// rely on. The race detector would take each hand-off for an order, and then see no
// data race in what is really the test's doing. So nothing here is an order to it:
//
//   - What waits or wakes is hidden from it, and nothing else is: what fmt and
//     testing do while it looks away would be reported later.
//   - What an actor calls is marked go:norace, since what the explorer wrote before
//     is not in order with it. The explorer's side needs no mark: an access that was
//     not recorded races with none.
//   - No map, no append and no generic function is on the actors' side. They report
//     to the detector themselves, whatever the mark says.
//
// The one real order is seen: all that actors did up to their last point comes before
// what the body does after Run.
type stage struct {
	wake chan struct{} // has a token when somebody came to a point or ended
	seen race.Edge
	last race.Edge // all of the schedule comes before those who end when it is over

	root   stack.Header // of the body
	mu     race.Mutex
	state  state // and what follows is guarded by mu
	trace  []choice
	births births
	alone  bool // the actors are all the goroutines that were born in the bubble
	going  int  // the actor that was let go last
	actors []*actor
	new    *parking // of goroutines that are no actors yet; the latest first
	holds  *hold    // the latest first
	events []event
	moved  bool // somebody came to a point or ended since the last choice
	ticks  int64
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
	id      int    // of the goroutine
	parked  *parking
	at      *parking // where it was let go last
	came    bool     // to a point
	started bool
	done    bool
	crashed bool
}

// A parking is a goroutine that waits at a point.
type parking struct {
	id    int
	what  text
	calls *calls // of a point in package sync; nil for one of the test's
	lock  any    // what comes next takes it; nil for none
	ready func() bool
	pass  time.Duration
	gate  chan bool // true to go on, false to end
	next  *parking  // in stage.new
}

// isReady asks for the explorer, to whom a lock that is free must tell nothing.
func (p *parking) isReady() bool {
	if p.ready == nil {
		return true
	}
	race.Disable()
	defer race.Enable()
	return p.ready()
}

// An event is one line of the story.
type event struct {
	actor int
	at    *parking
	crash bool
	notes *note // the latest first
}

// A note is what came of an event.
type note struct {
	text text
	next *note
}

// What follows is the explorer's side.

// begin is called in the bubble, by the body's goroutine.
func (s *stage) begin() {
	s.root, s.wake = stack.Self(), make(chan struct{}, 1)
	s.births, s.alone = newBirths(), true
}

// end lets whoever still is at a point end there, so that the bubble can end.
func (s *stage) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = over
	s.last.Release()
	for _, a := range s.actors {
		if a.parked != nil {
			race.Send(a.parked.gate, false)
		}
	}
	for p := s.new; p != nil; p = p.next {
		race.Send(p.gate, false)
	}
}

func (s *stage) enterState(now state) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = now
}

// cast adds an actor.
func (s *stage) cast(a *actor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.actors = append(s.actors, a)
}

// record adds a choice.
func (s *stage) record(c choice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace = append(s.trace, c)
}

// choices returns those made so far. It takes the lock, since the story of a
// bubble that was given up is told while its goroutines still are.
func (s *stage) choices() []choice {
	s.seen.Acquire()
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clip(s.trace)
}

// tell adds a move to the story, and crashes the actor if it is such a one.
func (s *stage) tell(m move) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.actors[m.actor]
	a.crashed = a.crashed || m.crash
	s.events = append(s.events, event{actor: m.actor, at: a.parked, crash: m.crash})
}

// whoCame returns the actors that came to a point.
func (s *stage) whoCame() []*actor {
	s.mu.Lock()
	defer s.mu.Unlock()
	var came []*actor
	for _, a := range s.actors {
		if a.came {
			came = append(came, a)
		}
	}
	return came
}

// newcomers returns who came to a first point, in the order of their birth.
func (s *stage) newcomers() []*parking {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moved = false
	var all []*parking
	for ; s.new != nil; s.new = s.new.next {
		all = append(all, s.new)
	}
	slices.SortFunc(all, func(a, b *parking) int { return a.id - b.id })
	return all
}

// someoneMoved reports whether somebody came to a point or ended since the last
// choice.
func (s *stage) someoneMoved() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.moved
}

// rest waits until somebody comes to a point or ends, or for the limit. It reports
// false for the latter.
func (s *stage) rest(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	race.Disable()
	defer race.Enable()
	select {
	case <-s.wake:
		return true
	case <-timer.C:
		return false
	}
}

// forget takes an old token back.
func (s *stage) forget() {
	race.Disable()
	defer race.Enable()
	select {
	case <-s.wake:
	default:
	}
}

// let lets an actor go on from its point.
func (s *stage) let(i int) {
	s.mu.Lock()
	p := s.actors[i].parked
	s.actors[i].parked, s.actors[i].at, s.going = nil, p, i
	s.mu.Unlock()
	if p.pass > 0 {
		sleep(p.pass)
	}
	race.Send(p.gate, true)
}

func sleep(d time.Duration) {
	race.Disable()
	defer race.Enable()
	time.Sleep(d)
}

// What follows is the actors' side, which the explorer may call as well.

var _ hook.Explorer = (*stage)(nil)

// Park is for the packages sync and sync/atomic below this one.
//
//go:norace
func (s *stage) Park(what string, lock any, ready func() bool) bool {
	return s.park(&parking{what: text{format: what}, calls: newCalls(), lock: lock, ready: ready})
}

// point is park for a point of the test's.
//
//go:norace
func (s *stage) point(what text, pass time.Duration) { s.park(&parking{what: what, pass: pass}) }

// park stops the calling goroutine at a point until the explorer lets it go. It
// reports false where points are passed.
//
//go:norace
func (s *stage) park(p *parking) bool {
	s.seen.Release()
	p.gate = make(chan bool, 1)
	if !s.enter(p) {
		return false
	}
	s.await(p)
	return true
}

// await waits at a point. If the schedule is over it does not return.
//
//go:norace
func (s *stage) await(p *parking) {
	if !race.Receive(p.gate) {
		s.last.Acquire()
		runtime.Goexit()
	}
}

// enter puts the calling goroutine at a point. It reports false where points are
// passed.
//
//go:norace
func (s *stage) enter(p *parking) bool {
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
		p.id, a = g.ID, s.find(g.ID)
	}
	switch {
	case s.state == over:
		race.Send(p.gate, false)
		return true
	case a != nil:
		a.parked, a.came = p, true
	default:
		p.next, s.new = s.new, p
	}
	s.stir()
	return true
}

// running returns the actor that was let go last, if nobody else can be the
// caller: all other actors are at points, and they are all the goroutines that the
// bubble has. To ask the runtime who calls takes longer than all else that a point
// does. It is called with mu held.
//
//go:norace
func (s *stage) running() *actor {
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
//
//go:norace
func (s *stage) onlyActors() bool {
	started := 0
	for _, a := range s.actors {
		if a.started {
			started++
		}
	}
	s.alone = s.alone && s.births.since() == started
	return s.alone
}

// find returns the actor of a goroutine, or nil. It is called with mu held.
//
//go:norace
func (s *stage) find(id int) *actor {
	for _, a := range s.actors {
		if a.id == id {
			return a
		}
	}
	return nil
}

// stir says that somebody came to a point or ended. It is called with mu held.
//
//go:norace
func (s *stage) stir() {
	s.moved = true
	race.Disable()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	race.Enable()
}

// enterActor is the first that an actor of the test does.
//
//go:norace
func (s *stage) enterActor(a *actor, p *parking) {
	a.id = stack.Self().ID
	s.await(p)
}

// leaveActor is the last.
//
//go:norace
func (s *stage) leaveActor(a *actor) {
	s.seen.Release()
	s.mu.Lock()
	defer s.mu.Unlock()
	a.done = true
	s.stir()
}

// note adds to what the caller's last point says in the story.
//
//go:norace
func (s *stage) note(t text) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.running()
	if a == nil {
		a = s.find(stack.Self().ID)
	}
	for i := len(s.events) - 1; a != nil && i >= 0; i-- {
		if e := &s.events[i]; s.actors[e.actor] == a {
			e.notes = &note{t, e.notes}
			return
		}
	}
}

// tick counts.
//
//go:norace
func (s *stage) tick() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ticks++
	return s.ticks
}

// taken returns the moves made so far.
//
//go:norace
func (s *stage) taken() []move {
	s.mu.Lock()
	defer s.mu.Unlock()
	moves := make([]move, len(s.trace))
	for i := range s.trace {
		moves[i] = s.trace[i].took
	}
	return moves
}
