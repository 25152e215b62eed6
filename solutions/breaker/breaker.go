//go:build solutions

package breaker

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// A State is what a Breaker does with calls.
type State string

// The states. README.md says what each does.
const (
	Closed   State = "closed"
	Open     State = "open"
	HalfOpen State = "half-open"
)

// Config says when a Breaker opens and closes. Its numbers are positive, its functions do not panic, and they are safe
// for concurrent use.
type Config struct {
	Window  time.Duration // for how long a call is counted; whole milliseconds
	Minimum int           // with fewer calls counted it never opens
	Rate    float64       // the share of failures at which it opens; at most 1

	Pause    time.Duration // how long it is open at first
	MaxPause time.Duration // no pause is longer but for its jitter; at least Pause
	Probes   int           // calls that must succeed before it closes
	Limit    time.Duration // how long a probe keeps its place without an answer

	Failed func(err error) bool // whether an error is the service's failure; nil: every error is
	Random func() float64       // from 0 to 1, 1 not included; nil: use math/rand/v2

	Slow    time.Duration        // for the further step; 0: no call is slow
	Changed func(from, to State) // for the further step; nil: nobody is told
}

// An OpenError says that a call was refused.
type OpenError struct {
	For time.Duration // how long no call will pass; 0 if that is not known
}

func (e *OpenError) Error() string { return "the circuit breaker is open for " + e.For.String() }

// A Breaker stands in front of one service.
type Breaker struct {
	c Config

	mu      sync.Mutex // guards what follows
	state   State
	period  int           // how many changes there were: a call counts in the period that it began in
	window  window        // while it is closed
	pause   time.Duration // the one that it is open for, or was last
	until   time.Time     // when it is no longer open
	probes  []*call       // those that have a place and have not returned
	passed  int           // probes that have succeeded
	untold  []change
	telling bool // somebody tells of changes
}

// A call is one that was let through.
type call struct {
	began  time.Time
	period int
}

type change struct{ from, to State }

// An outcome is what came of a call.
type outcome int

const (
	failure outcome = iota
	success
	neither
)

// New returns a Breaker that is closed.
func New(c Config) *Breaker {
	if c.Failed == nil {
		c.Failed = func(error) bool { return true }
	}
	if c.Random == nil {
		c.Random = rand.Float64
	}
	return &Breaker{c: c, state: Closed, window: newWindow(c.Window)}
}

// Do calls the service, or refuses the call.
func (b *Breaker) Do(ctx context.Context, f func(ctx context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c, err := b.begin()
	if err != nil {
		return err
	}
	result := failure // unless f returns
	defer func() { b.end(c, result) }()
	err = f(ctx)
	result = b.judge(ctx, err)
	return err
}

// judge says what came of a call that returned.
func (b *Breaker) judge(ctx context.Context, err error) outcome {
	switch {
	case err == nil:
		return success
	case errors.Is(err, context.DeadlineExceeded), errors.Is(ctx.Err(), context.DeadlineExceeded):
		return failure // a service that hangs is sick, even if it was the caller who lost patience
	case ctx.Err() != nil:
		return neither
	case b.c.Failed(err):
		return failure
	}
	return success
}

// begin lets a call through, or refuses it.
func (b *Breaker) begin() (*call, error) {
	defer b.tell()
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.state == Open {
		if left := b.until.Sub(now); left > 0 {
			return nil, &OpenError{For: left}
		}
		b.probes, b.passed = nil, 0
		b.change(HalfOpen)
	}
	c := &call{began: now, period: b.period}
	if b.state == HalfOpen {
		b.probes = slices.DeleteFunc(b.probes, func(p *call) bool { return now.Sub(p.began) >= b.c.Limit })
		if len(b.probes)+b.passed >= b.c.Probes {
			return nil, &OpenError{}
		}
		b.probes = append(b.probes, c)
	}
	return c, nil
}

// end counts what came of a call.
func (b *Breaker) end(c *call, result outcome) {
	defer b.tell()
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.period != b.period {
		return
	}
	now := time.Now()
	if b.c.Slow > 0 && now.Sub(c.began) > b.c.Slow {
		result = failure
	}
	if b.state == Closed {
		if result == neither {
			return
		}
		calls, failed := b.window.add(now, result == failure)
		if calls >= b.c.Minimum && float64(failed)/float64(calls) >= b.c.Rate {
			b.open(now, b.c.Pause)
		}
		return
	}
	b.probes = slices.DeleteFunc(b.probes, func(p *call) bool { return p == c })
	switch {
	case result == failure:
		b.open(now, min(b.pause, b.c.MaxPause-b.pause)+b.pause)
	case result == success && now.Sub(c.began) < b.c.Limit:
		b.passed++
		if b.passed == b.c.Probes {
			b.window = newWindow(b.c.Window)
			b.change(Closed)
		}
	}
}

// open opens for a pause, and a random part of it, so that those who protect
// themselves from the same service do not all come back at the same time.
func (b *Breaker) open(now time.Time, pause time.Duration) {
	b.pause = pause
	b.until = now.Add(pause + time.Duration(b.c.Random()*float64(pause)/10))
	b.change(Open)
}

func (b *Breaker) change(to State) {
	if b.c.Changed != nil {
		b.untold = append(b.untold, change{b.state, to})
	}
	b.state = to
	b.period++
}

// tell tells of the changes, unless somebody does so already.
func (b *Breaker) tell() {
	if b.c.Changed == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.telling {
		return
	}
	b.telling = true
	for len(b.untold) > 0 {
		next := b.untold[0]
		b.untold = b.untold[1:]
		b.mu.Unlock() // the listener may call Do
		b.c.Changed(next.from, next.to)
		b.mu.Lock()
	}
	b.telling = false
}

// slots is how many parts of time a window has: ten make up its length, and the
// eleventh is the one that runs.
const slots = 11

// A window counts calls by the part of time that they ended in.
type window struct {
	began time.Time
	grain time.Duration
	parts [slots]part
}

type part struct {
	number        int64 // of the part of time, from the beginning
	calls, failed int
}

func newWindow(length time.Duration) window {
	return window{began: time.Now(), grain: length / (slots - 1)}
}

// add counts a call that ends now, and returns how many are counted.
func (w *window) add(now time.Time, failed bool) (calls, failures int) {
	number := int64(now.Sub(w.began) / w.grain)
	p := &w.parts[number%slots]
	if p.number != number {
		*p = part{number: number}
	}
	p.calls++
	if failed {
		p.failed++
	}
	for _, p := range w.parts {
		if p.number > number-slots {
			calls += p.calls
			failures += p.failed
		}
	}
	return calls, failures
}
