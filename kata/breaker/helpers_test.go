package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/breaker"
	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/pkg/interleave"
)

var (
	errSick  = errors.New("the service answers 503")
	errOther = errors.New("the service answers 404")
)

// usual opens at 4 calls of which half have failed, and closes after 2 probes.
func usual() breaker.Config {
	return breaker.Config{
		Window: 10 * time.Second, Minimum: 4, Rate: 0.5,
		Pause: time.Minute, MaxPause: 5 * time.Minute, Probes: 2, Limit: 10 * time.Second,
		Failed: func(err error) bool { return !errors.Is(err, errOther) },
		Random: func() float64 { return 0 },
	}
}

// patient is usual, and its probes may take long.
func patient() breaker.Config {
	c := usual()
	c.Limit = time.Hour
	return c
}

// A desk makes calls through a breaker.
type desk struct {
	*step.T

	b *breaker.Breaker
}

// with runs a body in a bubble with a breaker.
func with(t *testing.T, c breaker.Config, body func(d *desk)) {
	t.Helper()
	step.Bubble(t, func(t *step.T) { body(open(t, c)) })
}

func open(t *step.T, c breaker.Config) *desk { return &desk{t, breaker.New(c)} }

// do makes a call of which this comes, and reports whether it reached the service.
func (d *desk) do(err error) (reached int, got error) {
	own := true
	got = d.b.Do(d.Context(), func(ctx context.Context) error {
		reached++
		own = ctx == d.Context()
		return err
	})
	step.Expect(d, own, "The service should get the caller's context, in every state. It got another one.")
	d.Tell("a call that ends with %v: reached the service %d times, and Do returned %v", err, reached, got)
	return reached, got
}

// passes makes n calls of which this comes, none of which may be refused.
func (d *desk) passes(n int, err error, why string) {
	d.Helper()
	for range n {
		reached, got := d.do(err)
		step.Expect(d, reached == 1, "%s: a call should reach the service once. It did %d times, and Do returned: %v", why, reached, got)
		same := got == err //nolint:errorlint // the very one
		step.Expect(d, same, "%s: Do should return what the service answered, %v. It returned: %v", why, err, got)
	}
}

// whatever is a time that a refusal may say.
const whatever = -1

// refused makes a call that may not pass, and looks for how long.
func (d *desk) refused(left time.Duration, why string) {
	d.Helper()
	began := time.Now()
	reached, err := d.do(nil)
	step.Expect(d, reached == 0, "%s: a call should be refused. It reached the service.", why)
	step.Expect(d, time.Since(began) == 0, "%s: a call should be refused at once. That took %v.", why, time.Since(began))
	d.isOpen(err, left, why)
}

func (d *desk) isOpen(err error, left time.Duration, why string) {
	d.Helper()
	var refusal *breaker.OpenError
	step.Expect(d, errors.As(err, &refusal), "%s: a call should be refused with an *OpenError. Do returned: %v", why, err)
	ok := left == whatever || (refusal.For-left).Abs() <= time.Microsecond
	step.Expect(d, ok, "%s: a refusal should say how long no call will pass, %v. It says %v.", why, left, refusal.For)
}

// trips opens a usual breaker that has counted nothing.
func (d *desk) trips() {
	d.Helper()
	d.passes(4, errSick, "The breaker is closed and has counted fewer than four calls")
	d.refused(whatever, "Four of four calls have failed")
}

// halfOpens is trips, and waits until the pause is over.
func (d *desk) halfOpens() {
	d.Helper()
	d.trips()
	time.Sleep(time.Minute)
}

// A held call is with the service until it is let go.
type held struct {
	*step.Call[error]

	reached bool
	answer  chan end
}

// hold starts a call that stays with the service. A panic goes no further.
func (d *desk) hold(ctx context.Context) *held {
	ctx, goAway := context.WithCancel(ctx)
	h := &held{answer: make(chan end)}
	h.Call = step.Start(d.T, func() error {
		defer goAway()
		defer func() { _ = recover() }()
		return d.b.Do(ctx, func(ctx context.Context) error {
			h.reached = true
			return (<-h.answer)(ctx, goAway)
		})
	})
	d.Tell("a call begins; reached the service: %v", h.reached)
	return h
}

// probe starts a call that should reach the service, and stays there.
func (d *desk) probe(why string) *held {
	d.Helper()
	h := d.hold(d.Context())
	step.Expect(d, h.reached, "%s: a call should reach the service. It did not.", why)
	return h
}

// ends lets the call go.
func (d *desk) ends(h *held, err error) {
	d.Helper()
	got := d.lets(h, fmt.Sprintf("with %v", err), at(err))
	same := got == err //nolint:errorlint // the very one
	step.Expect(d, same, "Do should return what the service answered, %v, after however long. It returned: %v", err, got)
}

// lets the call end in any way.
func (d *desk) lets(h *held, how string, e end) error {
	d.Helper()
	h.answer <- e
	err := h.Result()
	d.Tell("a call that began before ends %s", how)
	return err
}

// ended makes calls by callers whose contexts have ended.
func (d *desk) ended(state string, contexts ...context.Context) {
	d.Helper()
	for _, ctx := range append(contexts, contexts...) {
		reached := false
		err := d.b.Do(ctx, func(context.Context) error { reached = true; return nil })
		step.Expect(d, !reached, "The context has ended and the breaker is %s: the service should not be called. It was.", state)
		step.Equal(d, ctx.Err(), err, "The context has ended and the breaker is %s: Do should return the context's error.", state)
	}
}

// comes makes a call that comes to an end, by a caller who has a second.
func (d *desk) comes(what string, e end) {
	d.Helper()
	ctx, cancel := context.WithDeadlineCause(d.Context(), time.Now().Add(time.Second), errOther)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	reached, returned := false, false
	var sent, got error
	value := step.Start(d.T, func() (value any) {
		defer func() { value = recover() }()
		got = d.b.Do(ctx, func(ctx context.Context) error {
			reached = true
			sent = e(ctx, func() { stop(errOther) })
			return sent
		})
		returned = true
		return nil
	}).Result()
	step.Expect(d, reached, "A call should reach the service, and did not. It is the one of which comes that %s.", what)
	step.Expect(d, !strings.HasSuffix(what, "panics") || value == any(errOther), "A panic should go on to the caller. It got: %v", value)
	same := !returned || got == sent //nolint:errorlint // the very one
	step.Expect(d, same, "It comes of a call that %s. Do should return what the service answered, %v. It returned: %v", what, sent, got)
}

// An end is what the service does at the end of a call.
type end func(ctx context.Context, goAway context.CancelFunc) error

// at ends at once.
func at(err error) end { return func(context.Context, context.CancelFunc) error { return err } }

// late ends when the caller's deadline is over.
func late(err error) end {
	return func(ctx context.Context, _ context.CancelFunc) error { <-ctx.Done(); return err }
}

// gone ends when the caller has gone away.
func gone(err error) end {
	return func(_ context.Context, goAway context.CancelFunc) error { goAway(); return err }
}

// Two ends without an answer.
func panics(context.Context, context.CancelFunc) error { panic(errOther) }

func exits(context.Context, context.CancelFunc) error { runtime.Goexit(); return nil }

// after ends in a way when the caller has gone away.
func after(e end) end {
	return func(ctx context.Context, goAway context.CancelFunc) error { goAway(); return e(ctx, goAway) }
}

// lates are how a call can end late.
var lates = []struct {
	how  string
	ends end
}{
	{"well", at(nil)},
	{"with a failure", at(errSick)},
	{"with a panic", panics},
	{"with runtime.Goexit", exits},
	{"since its caller goes away", gone(context.Canceled)},
}

// together lets one caller more than there are places come at the same time when the pause is over, in every order. It
// then says how many have reached the service. Probes that succeed wait for all to have come; those that fail do not.
func together(t *testing.T, probes int, answer error, then func(d *desk, reached int)) {
	t.Helper()
	step.ExploreWithin(t, 400, func(t *step.T, x *interleave.Schedule) {
		c := usual()
		c.Probes = probes
		d := open(t, c)
		d.halfOpens()
		reached, errs := make([]bool, probes+1), make([]error, probes+1)
		all := make(chan struct{})
		for i := range reached {
			x.Go(string(rune('A'+i)), func() {
				x.Point("calls")
				errs[i] = d.b.Do(t.Context(), func(context.Context) error {
					reached[i] = true
					if answer == nil {
						<-all
					}
					return answer
				})
			})
		}
		if answer == nil {
			x.Go("service", func() { time.Sleep(time.Second); close(all) }) // time passes when nobody can go on
		}
		x.Run()
		n := 0
		for i, r := range reached {
			if r {
				n++
			} else {
				d.isOpen(errs[i], whatever, "The pause is over, and more callers come at the same time than there are places")
			}
		}
		then(d, n)
	})
}
