package ratelimit_test

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/ratelimit"
	"github.com/backend-kata/dojo/pkg/interleave"
)

// A clock shows what the step says. To ask it is a point, and so is to have the answer.
type clock struct {
	x     *interleave.Schedule
	shows atomic.Int64 // nanoseconds since noon
	asked int          // where nobody explores
}

var noon = time.Date(2027, time.March, 5, 12, 0, 0, 0, time.UTC)

const tick = 500 * time.Millisecond // that the clock moves among calls at the same time

func (c *clock) now() time.Time {
	if c.x == nil {
		c.asked++
	}
	c.x.Point("asks the clock")
	shows := time.Duration(c.shows.Load())
	c.x.Point("is told %v", shows)
	return noon.Add(shows)
}

type pass struct{ at, n int64 } // n that have passed

// fits returns when n more fit every window of a limit, from now on. It is the contract's own sentence.
func fits(passed []pass, l ratelimit.Limit, now int64, n int) int64 {
	within, at := n, now
	for _, p := range slices.Backward(passed) { // the windows that begin with it
		if within += int(p.n); within > l.Burst {
			high, low := bits.Mul64(uint64(within-l.Burst), uint64(l.Per))
			length, rest := bits.Div64(high, low, uint64(l.N))
			at = max(at, p.at+int64(length)+min(int64(rest), 1))
		}
	}
	return at
}

// A world is what has passed, by key.
type world struct {
	limits  rule
	maxKeys int
	keys    map[string][]pass
}

// busy returns until when a key is busy, or now.
func (w world) busy(key string, now int64) int64 {
	at := now
	for _, l := range w.limits {
		at = max(at, fits(w.keys[key], l, now, l.Burst))
	}
	return at
}

// place returns when there is one for a key.
func (w world) place(key string, now int64) int64 {
	others, free := 0, int64(math.MaxInt64)
	for k := range w.keys {
		if at := w.busy(k, now); k != key && at > now {
			others, free = others+1, min(free, at)
		}
	}
	if others < w.maxKeys || w.busy(key, now) > now {
		return now
	}
	return free
}

// turn returns when n can pass.
func (w world) turn(key string, now int64, n int) int64 {
	at := w.place(key, now)
	for _, l := range w.limits {
		at = max(at, fits(w.keys[key], l, now, n))
	}
	return at
}

func (w world) pass(key string, now int64, n int) {
	var before []pass
	if w.busy(key, now) > now {
		before = slices.Clone(w.keys[key])
	}
	w.keys[key] = append(before, pass{now, int64(n)})
}

// A desk is a limiter, its clock, and what has passed.
type desk struct {
	*step.T
	world
	*ratelimit.Limiter

	clock  *clock
	latest int64 // that the clock has shown to a call
	allow  func(key string, n int) (time.Duration, error)
	store  *store // for servers that share one
	exact  bool   // the waits are looked at, too
}

func limit(n int, per time.Duration, burst int) ratelimit.Limit {
	return ratelimit.Limit{Name: fmt.Sprintf("%dper%dburst%d", n, per, burst), N: n, Per: per, Burst: burst}
}

func named(name string, l ratelimit.Limit) ratelimit.Limit { l.Name = name; return l }

func open(t *step.T, room int, limits ...ratelimit.Limit) *desk {
	d := &desk{T: t, world: world{limits, room, map[string][]pass{}}, clock: &clock{}, store: &store{texts: map[string]string{}}, exact: true}
	d.Limiter = ratelimit.New(ratelimit.Config{Limits: limits, MaxKeys: room, Now: d.clock.now})
	d.allow = d.Allow
	return d
}

// share opens one of the servers that share a store.
func share(t *step.T, limits ...ratelimit.Limit) *desk {
	d := open(t, 100, limits...)
	d.allow = ratelimit.Shared{Limits: limits, Store: d.store, Now: d.clock.now}.Allow
	return d
}

func (d *desk) sleep(how time.Duration) { d.clock.shows.Add(int64(how)) }

// ask asks for n, and expects what the contract says.
func (d *desk) ask(key string, n int, why string) {
	d.Helper()
	shows := d.clock.shows.Load()
	d.latest = max(d.latest, shows)
	turn := d.turn(key, d.latest, n)
	wait, err := d.allow(key, n)
	d.Tell("at %v: %d for %.20q → %v", time.Duration(shows), n, key, answer{wait, err})
	step.NoError(d, err, "%s. Allow(%.20q, %d) should decide.", why, key, n)
	passes := turn == d.latest
	step.Expect(d, !passes || wait == 0, "%s. A call for %d should pass. It has to wait %v.", why, n, wait)
	step.Expect(d, passes || wait != 0, "%s. A call for %d should have to wait %v. It passed.",
		why, n, time.Duration(turn-d.latest))
	if passes {
		d.pass(key, d.latest, n)
	} else if d.exact {
		step.Equal(d, time.Duration(turn-shows), wait, "%s. The wait for %d:", why, n)
	}
}

// onTime asks for n one nanosecond before they fit, and when they do.
func (d *desk) onTime(n int, why string) {
	d.Helper()
	if turn := d.turn("ann", d.clock.shows.Load(), n); turn > d.clock.shows.Load() {
		d.clock.shows.Store(turn - 1)
		d.ask("ann", n, why+", and is a nanosecond early")
		d.clock.shows.Store(turn)
	}
	d.ask("ann", n, why)
}

// An answer is what Allow returns.
type answer struct {
	wait time.Duration
	err  error
}

func (a answer) String() string {
	switch {
	case a.err != nil:
		return fmt.Sprintf("the error %q", a.err)
	case a.wait == 0:
		return "pass"
	}
	return fmt.Sprintf("wait %v", a.wait)
}

// A call is one of Allow that was made among others.
type call struct {
	answer

	key          string
	n            int
	began, ended int64 // in the order of all calls
	from, to     int64 // what the clock showed
}

func ask(key string, n int) *call { return &call{key: key, n: n} }

func (c *call) String() string { return fmt.Sprintf("%d of %s: %v", c.n, c.key, c.answer) }

// explained reports whether the calls could have been made one after the other, at times that never go back.
func explained(w world, since int64, calls []*call) bool {
	for i, c := range calls {
		if slices.ContainsFunc(calls, func(other *call) bool { return other.ended < c.began }) {
			continue
		}
		rest, before := slices.Delete(slices.Clone(calls), i, i+1), w.keys[c.key]
		for now := max(since, c.from); now <= c.to && c.err == nil; now += int64(tick) {
			turn := w.turn(c.key, now, c.n)
			if asked := turn - int64(c.wait); (turn == now) != (c.wait == 0) || c.wait != 0 && (asked < c.from || asked > now) {
				continue // the wait was counted from no time of the call until then
			}
			if turn == now {
				w.pass(c.key, now, c.n)
			}
			right := explained(w, now, rest)
			if w.keys[c.key] = before; right {
				return true
			}
		}
	}
	return len(calls) == 0
}

// A meeting is callers who come at the same time, after ann has had some, while the clock goes on by so many ticks.
type meeting struct {
	why                   string
	places, before, ticks int
	limits                rule
	callers               calls
}

type (
	calls [][]*call         // by caller
	rule  []ratelimit.Limit // that hold together
)

// explore has meetings in every order, and expects that the callers are told what the contract says.
func explore(t *testing.T, budget int, open func(t *step.T, m meeting) *desk, meetings ...meeting) {
	t.Helper()
	for _, m := range meetings {
		step.ExploreWithin(t, budget, func(t *step.T, x *interleave.Schedule) {
			d := open(t, m)
			if m.before > 0 {
				d.ask("ann", m.before, "There is nobody else")
			}
			d.clock.x, d.store.x = x, x
			for i, calls := range m.callers {
				x.Go(string(rune('A'+i)), func() {
					for _, c := range calls {
						x.Point("asks for %d of %s", c.n, c.key)
						c.from, c.began = d.clock.shows.Load(), x.Tick()
						c.wait, c.err = d.allow(c.key, c.n)
						c.to, c.ended = d.clock.shows.Load(), x.Tick()
						x.Note("%s", c.answer.String())
					}
				})
			}
			x.Go("time", func() {
				for range m.ticks {
					x.Point("%v go by", tick)
					d.clock.shows.Add(int64(tick))
				}
			})
			x.Run()
			step.Expect(t, explained(d.world, 0, slices.Concat(m.callers...)), "%s. They should be told what they would be "+
				"one after the other, in some order. By caller they were told: %v", m.why, m.callers)
		})
	}
}

// A store is what servers share. Each of its calls is a point.
type store struct {
	x      *interleave.Schedule
	mu     sync.Mutex // guards what follows
	texts  map[string]string
	swaps  int
	sooner int    // how often another server is quicker than the next swaps
	other  func() // what it does then
}

func (s *store) Load(key string) string {
	s.x.Point("Load %s", key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.texts[key]
}

func (s *store) CompareAndSwap(key, old, next string) bool {
	s.x.Point("CompareAndSwap %s", key)
	if more := s.sooner - 1; more >= 0 {
		s.sooner = 0
		s.other()
		s.sooner = more
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.swaps++
	if s.texts[key] != old {
		return false
	}
	s.texts[key] = next
	return true
}
