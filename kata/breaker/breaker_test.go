package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/breaker"
	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/pkg/apart"
	"github.com/backend-kata/dojo/pkg/interleave"
)

// It opens at the failure rate, and not below the minimum of calls. What has left the window no longer counts.
func TestOpensAtTheRate(t *testing.T) {
	with(t, usual(), func(d *desk) { d.trips() })
	all := usual()
	all.Rate = 1
	with(t, all, func(d *desk) {
		d.passes(4, errSick, "Fewer than four calls are counted")
		d.refused(whatever, "All calls have failed, and the rate is 1")
	})
	with(t, usual(), func(d *desk) {
		d.passes(2, nil, "The breaker is closed and new")
		d.passes(1, errSick, "Nothing has failed")
		d.passes(1, errSick, "One of three calls has failed")
		d.refused(whatever, "Two of four calls have failed, which is half")
	})
	with(t, usual(), func(d *desk) {
		d.passes(3, errSick, "Fewer than three calls are counted, and the minimum is four")
		d.passes(1, nil, "Three calls have failed, and the minimum is four")
		d.refused(whatever, "Three of four calls have failed, and the last one that makes up the minimum succeeded")
	})
	with(t, usual(), func(d *desk) {
		d.passes(6, nil, "All calls succeed")
		d.passes(6, errSick, "Five of eleven calls at most have failed, which is less than half")
		d.refused(whatever, "Six of twelve calls have failed")
	})
	seven := usual()
	seven.Minimum, seven.Rate = 100, 0.07
	with(t, seven, func(d *desk) {
		d.passes(93, nil, "All calls succeed")
		d.passes(7, errSick, "Fewer than 100 calls are counted")
		d.refused(whatever, "Seven of a hundred calls have failed, and the rate is 0.07")
	})
	with(t, all, func(d *desk) {
		d.passes(1, nil, "The breaker is closed")
		d.passes(20, errSick, "One call succeeded, and the rate is 1")
	})
	with(t, usual(), func(d *desk) {
		d.passes(100, nil, "All calls succeed")
		time.Sleep(time.Hour)
		d.passes(4, errSick, "Calls of an hour ago count no more")
		d.refused(whatever, "A hundred calls succeeded an hour ago, and four have failed just now")
	})
	for _, window := range []time.Duration{10 * time.Second, time.Millisecond, time.Hour} {
		c := usual()
		c.Window = window
		for _, offset := range []time.Duration{window / 10 * 8, 0, 1, window/10 - 1, window / 20 * 3} {
			for _, age := range []time.Duration{window / 2, window - 1} {
				with(t, c, func(d *desk) {
					time.Sleep(offset)
					d.passes(3, errSick, "Fewer than four calls are counted")
					time.Sleep(age)
					d.passes(1, errSick, "Three calls are counted")
					d.refused(whatever, fmt.Sprintf("Three calls failed %v ago, the window is %v, and one failed just now", age, window))
				})
			}
			with(t, c, func(d *desk) {
				time.Sleep(offset)
				d.passes(3, errSick, "Fewer than four calls are counted")
				time.Sleep(window/10*11 + 1)
				d.passes(3, errSick, fmt.Sprintf("Three calls failed %v and a tenth of that ago, the window is %[1]v, and fewer just now", window))
				d.passes(1, errSick, "Three calls are counted")
				d.refused(whatever, "Four calls have failed just now, and older ones have left the window")
			})
		}
	}
	with(t, usual(), func(d *desk) { // the window slides: it neither begins anew nor is it prolonged
		for range 100 {
			d.passes(1, errSick, "A call fails every 4s, so no more than three are in the window")
			time.Sleep(4 * time.Second)
		}
	})
	with(t, usual(), func(d *desk) {
		c := d.probe("The breaker is closed")
		time.Sleep(time.Minute)
		d.ends(c, errSick)
		time.Sleep(9 * time.Second)
		d.passes(3, errSick, "Fewer than four calls are counted")
		d.refused(whatever, "A call that took a minute ended 9s ago and failed, as three did just now")
	})
}

// While it is open it refuses calls at once and says for how long, and the service sees nothing.
func TestOpenRefuses(t *testing.T) {
	with(t, usual(), func(d *desk) {
		d.trips()
		d.refused(time.Minute, "The breaker has just opened for the first time")
		time.Sleep(50 * time.Second)
		d.refused(10*time.Second, "Ten seconds of the pause of a minute are left")
		for left := 10 * time.Second; left > 0; left -= 3 * time.Second {
			for range 10 {
				d.refused(left, "The breaker is open, and many calls come")
			}
			time.Sleep(min(3*time.Second, left-1))
		}
		d.refused(1, "A nanosecond of the pause is left")
		time.Sleep(time.Nanosecond)
		d.passes(1, nil, "The pause is over to the nanosecond")
	})
	with(t, patient(), func(d *desk) {
		gone, leave := context.WithCancelCause(d.Context())
		leave(errOther)
		over, cancel := context.WithTimeout(d.Context(), 0)
		defer cancel()
		d.ended("closed", gone, over)
		d.trips()
		d.ended("open", gone, over)
		time.Sleep(time.Minute)
		d.ended("open, and its pause is over", gone, over)
		d.passes(1, nil, "The pause is over, and callers whose context had ended came before")
		d.ended("half-open", gone, over)
		d.passes(1, nil, "Callers whose context had ended came before, and took no place")
		d.passes(3, errSick, "Callers whose context had ended count for nothing")
	})
}

// When the pause is over, exactly as many probes reach the service as there are places, in every order, and all must succeed.
func TestProbes(t *testing.T) {
	with(t, usual(), func(d *desk) {
		d.halfOpens()
		d.passes(1, nil, "The pause is over")
		d.passes(1, errSick, "One of two probes has succeeded, and the other place is free")
		d.refused(whatever, "One of two probes has succeeded, and one has failed")
		time.Sleep(2 * time.Minute)
		d.passes(1, nil, "The second pause is over")
		d.passes(1, errSick, "One probe has succeeded since the second pause, and one before it")
		d.refused(whatever, "One probe has succeeded since the second pause, one before it, and one has failed")
	})
	with(t, usual(), func(d *desk) {
		d.trips()
		time.Sleep(time.Hour)
		first := d.probe("The pause is over")
		second := d.probe("One of two places is free")
		d.refused(0, "Two probes are under way for two places")
		d.ends(first, nil)
		d.refused(0, "One probe has succeeded and keeps its place, and one is under way")
		d.ends(second, nil)
		d.passes(3, errSick, "Both probes have succeeded, so the breaker is closed")
	})
	with(t, usual(), func(d *desk) {
		d.halfOpens()
		lost, other := d.probe("The pause is over"), d.probe("One of two places is free")
		time.Sleep(time.Hour)
		d.passes(1, nil, "Two probes have not returned for an hour")
		d.ends(lost, errSick)
		d.refused(whatever, "A probe has failed, though after its limit")
		d.ends(other, nil)
	})
	with(t, usual(), func(d *desk) {
		d.halfOpens()
		lost := d.probe("The pause is over")
		time.Sleep(time.Second)
		late := d.probe("One of two places is free")
		time.Sleep(9*time.Second - 1)
		d.refused(0, "A probe keeps its place for almost 10s, which is the limit")
		time.Sleep(2 * time.Nanosecond)
		next := d.probe("A probe has not returned within its limit")
		d.refused(0, "Only one of two probes has not returned within its limit")
		d.ends(lost, nil)
		d.refused(0, "A probe succeeded after its limit, which frees no other place")
		d.ends(next, nil)
		d.refused(0, "A probe that succeeded after its limit does not count, so one of two has succeeded and one is under way")
		time.Sleep(time.Second)
		d.ends(late, nil)
		last := d.probe("A probe succeeded just after its limit, so its place is free")
		d.refused(0, "A probe that succeeded just after its limit does not count")
		d.ends(last, nil)
		d.passes(4, nil, "Two probes have succeeded within their limit")
	})
	with(t, usual(), func(d *desk) {
		d.halfOpens()
		d.passes(1, nil, "The pause is over")
		time.Sleep(11 * time.Second)
		last := d.probe("One of two probes has succeeded")
		d.refused(0, "A probe that has succeeded keeps its place, though it began longer ago than the limit")
		d.ends(last, nil)
		d.passes(3, errSick, "Two probes have succeeded")
	})
	for probes := 1; probes <= 2; probes++ {
		together(t, probes, nil, func(d *desk, n int) {
			step.Equal(d, probes, n, "The pause is over, and %d callers come at the same time. Probes that reach the service:", probes+1)
			d.passes(3, errSick, "All probes that came at the same time have succeeded, so the breaker is closed")
		})
	}
}

// Only the service's failures count: a caller who goes away does not, but a deadline does, and so does a panic.
func TestWhatCounts(t *testing.T) {
	type how struct {
		what string
		ends end
		want string // failed, succeeded or neither
	}
	wrapped := fmt.Errorf("asking the service: %w", context.DeadlineExceeded)
	for _, h := range []how{
		{"the service succeeds", at(nil), "succeeded"},
		{"the service fails", at(errSick), "failed"},
		{"Failed says that this error is no failure", at(errOther), "succeeded"},
		{"the service reports a timeout", at(context.DeadlineExceeded), "failed"},
		{"the service wraps a timeout", at(wrapped), "failed"},
		{"the caller's deadline passes", late(context.DeadlineExceeded), "failed"},
		{"the caller's deadline passes, and the error says something else", late(errOther), "failed"},
		{"the caller's deadline passes, and the service succeeds all the same", late(nil), "succeeded"},
		{"the service reports a timeout, and then the caller goes away", gone(wrapped), "failed"},
		{"the caller goes away", gone(context.Canceled), "neither"},
		{"the caller goes away, and the error says something else", gone(errSick), "neither"},
		{"the caller goes away, and the service succeeds all the same", gone(nil), "succeeded"},
		{"the service has cancelled something, and the caller is there", at(context.Canceled), "failed"},
		{"the service panics", panics, "failed"},
		{"the service ends the goroutine", exits, "failed"},
		{"the caller goes away, and then the service panics", after(panics), "failed"},
		{"the caller goes away, and then the service ends the goroutine", after(exits), "failed"},
	} {
		c := patient()
		c.Failed = func(err error) bool { return !errors.Is(err, errOther) && !errors.Is(err, context.DeadlineExceeded) }
		with(t, c, func(d *desk) { // closed
			d.passes(1, errSick, "The breaker is closed")
			d.passes(2, nil, "The breaker is closed")
			d.comes(h.what, h.ends)
			switch h.want {
			case "failed":
				d.refused(whatever, "The breaker is closed, and it is a failure that "+h.what)
			case "succeeded":
				d.passes(1, errSick, "The breaker is closed, and it is no failure that "+h.what)
				d.passes(1, errSick, "The breaker is closed, and it is a success that "+h.what)
				d.refused(whatever, "The breaker is closed, and it counts that "+h.what)
			default:
				d.passes(1, nil, "The breaker is closed, and it does not count that "+h.what)
				d.passes(1, errSick, "The breaker is closed, and it does not count that "+h.what)
				d.passes(1, errSick, "The breaker is closed, and it should not count as a failure that "+h.what)
				d.refused(whatever, "The breaker is closed, and it should not count as a success that "+h.what)
			}
		})
		with(t, c, func(d *desk) { // half-open
			d.halfOpens()
			d.comes(h.what, h.ends)
			switch h.want {
			case "failed":
				d.refused(whatever, "The breaker is half-open, and it is a failure that "+h.what)
			case "succeeded":
				last := d.probe("The breaker is half-open, and it is no failure that " + h.what)
				d.refused(0, "The breaker is half-open, and the probe keeps its place, since it is a success that "+h.what)
				d.ends(last, nil)
				d.passes(3, errSick, "The breaker is half-open, and it is a success that "+h.what)
			default:
				first := d.probe("The breaker is half-open, and it does not count that " + h.what)
				last := d.probe("The breaker is half-open, and a probe gives its place back if " + h.what)
				d.ends(first, nil)
				d.ends(last, nil)
				d.passes(3, errSick, "Two probes have succeeded, and it does not count that "+h.what)
			}
		})
	}
	with(t, usual(), func(d *desk) {
		d.halfOpens()
		lost := d.probe("The pause is over")
		time.Sleep(11 * time.Second)
		first, second := d.probe("A probe has not returned within its limit"), d.probe("A probe has not returned within its limit")
		d.lets(lost, "since its caller goes away", gone(context.Canceled))
		d.refused(0, "A probe gave its place back at its limit, and has no other to give when its caller goes away")
		d.ends(first, nil)
		d.ends(second, nil)
	})
	few := usual()
	few.Minimum, few.Rate = 2, 0.6
	with(t, few, func(d *desk) {
		d.passes(2, nil, "The breaker is closed")
		time.Sleep(7 * time.Second)
		d.passes(2, errSick, "At most two of four calls have failed, and the rate is 0.6")
		time.Sleep(5 * time.Second)
		c := d.probe("Two calls that succeeded have left the window, and none has ended since")
		d.lets(c, "since its caller goes away", gone(context.Canceled))
		d.passes(1, nil, "Two calls that succeeded have left the window, and none has succeeded or failed since")
		d.refused(whatever, "Two of three calls in the window have failed, and the last one has just succeeded")
	})
	none := usual()
	none.Failed = nil
	with(t, none, func(d *desk) {
		d.passes(4, errOther, "Failed is nil, and fewer than four calls are counted")
		d.refused(whatever, "Failed is nil, so every error is a failure")
	})
}

// A success closes it with an empty window and the first pause again; a failure opens it for twice as long, up to a limit, with jitter.
func TestPauses(t *testing.T) {
	for _, random := range []float64{0, 0.25, 0.5, 0.999} {
		c := usual()
		c.Random = func() float64 { return random }
		with(t, c, func(d *desk) {
			why := fmt.Sprintf("Random returns %v, ", random)
			part := func(pause time.Duration) time.Duration { return pause + time.Duration(random*float64(pause/10)) }
			for range 2 {
				d.passes(4, errSick, why+"and the breaker is closed with an empty window")
				d.refused(part(time.Minute), why+"and the first pause since it was closed begins")
				time.Sleep(part(time.Minute) + time.Microsecond)
				for n, pause := range []time.Duration{2 * time.Minute, 4 * time.Minute, 5 * time.Minute, 5 * time.Minute} {
					d.passes(1, errSick, why+"and a pause is over")
					d.refused(part(pause), why+fmt.Sprintf("and probe %d in a row has failed: each pause is twice as long, but 5m at most", n+1))
					time.Sleep(part(pause) + time.Microsecond)
				}
				d.passes(2, nil, why+"and a pause is over")
			}
		})
	}
	quick := usual()
	quick.Pause, quick.MaxPause = time.Second, time.Second
	with(t, quick, func(d *desk) {
		d.passes(4, errSick, "The breaker is closed")
		d.refused(time.Second, "Four calls have failed, and the pause is 1s")
		time.Sleep(time.Second)
		d.passes(1, errSick, "The pause is over")
		d.refused(time.Second, "A probe has failed, and no pause is longer than 1s")
		time.Sleep(time.Second)
		d.passes(2, nil, "The pause is over")
		d.passes(3, errSick, "Two probes have succeeded, and failures from before the pause are still less than 10s old")
		d.passes(1, nil, "Three calls have failed since the breaker closed")
		d.refused(time.Second, "Three of four calls have failed since the breaker closed, and probes count for nothing")
	})
	free := usual()
	free.Random = nil
	step.Bubble(t, func(t *step.T) {
		told := map[time.Duration]bool{}
		for range 50 {
			d := open(t, free)
			d.passes(4, errSick, "Random is nil, and the breaker is closed")
			_, err := d.do(nil)
			var refusal *breaker.OpenError
			step.Expect(t, errors.As(err, &refusal), "Random is nil, and four calls have failed. Do returned: %v", err)
			ok := refusal.For >= time.Minute && refusal.For <= 66*time.Second
			step.Expect(t, ok, "Random is nil: a pause of 1m is up to a tenth longer. It is %v.", refusal.For)
			told[refusal.For] = true
		}
		step.Expect(t, len(told) > 25, "Random is nil: pauses of 50 breakers should differ. There are %d different ones.", len(told))
	})
}

// A late result of an earlier state changes nothing, in every order.
func TestLateResults(t *testing.T) {
	for _, late := range lates {
		with(t, usual(), func(d *desk) {
			why := "A call that began when the breaker was closed ends " + late.how + ", "
			calls := make([]*held, 0, 18)
			for range 18 {
				calls = append(calls, d.probe("The breaker is closed"))
			}
			next := func(n int) {
				for range n {
					d.lets(calls[0], late.how, late.ends)
					calls = calls[1:]
				}
			}
			d.trips()
			time.Sleep(30 * time.Second)
			next(4)
			d.refused(30*time.Second, why+"and the breaker is open")
			time.Sleep(30 * time.Second)
			next(1)
			probe := d.probe(why + "and the pause is over")
			next(4)
			last := d.probe(why + "and the breaker is half-open with a place free")
			next(2)
			d.refused(0, why+"and the breaker is half-open with no place free")
			d.ends(probe, nil)
			next(2)
			d.refused(0, why+"and the breaker is half-open with one success of two")
			d.ends(last, nil)
			next(5)
			d.passes(3, errSick, why+"and the breaker has closed anew")
			d.passes(1, errSick, why+"and three calls have failed since the breaker closed")
			d.refused(time.Minute, why+"and four calls have failed since the breaker closed")
		})
		with(t, patient(), func(d *desk) {
			why := "A probe of an earlier half-open state ends " + late.how + ", "
			d.halfOpens()
			old := d.probe("The pause is over")
			d.passes(1, errSick, "One place is free")
			d.refused(2*time.Minute, "A probe has failed, and another is under way")
			time.Sleep(2 * time.Minute)
			first := d.probe("The second pause is over, and a probe of an earlier one takes no place")
			second := d.probe("The second pause is over, and a probe of an earlier one takes no place now")
			d.lets(old, late.how, late.ends)
			d.refused(0, why+"and two probes are under way")
			d.ends(first, nil)
			d.refused(0, why+"and one of two new ones has succeeded")
			d.ends(second, nil)
			d.passes(3, errSick, why+"and two new ones have succeeded")
		})
		with(t, usual(), func(d *desk) {
			why := "A probe whose place was given to another ends " + late.how + " "
			d.halfOpens()
			old := d.probe("The pause is over")
			time.Sleep(10 * time.Second)
			d.passes(2, nil, "The place of a probe is free after its limit")
			d.passes(2, errSick, "Two probes have succeeded, so the breaker is closed")
			d.lets(old, late.how, late.ends)
			d.passes(1, errSick, why+"when the breaker is closed again")
			d.passes(1, errSick, why+"when the breaker is closed again, and has counted three")
			d.refused(time.Minute, why+"when the breaker is closed again, and four have failed")
		})
	}
	for _, old := range []error{nil, errSick} {
		step.ExploreWithin(t, 400, func(t *step.T, x *interleave.Schedule) {
			d := open(t, usual())
			d.passes(3, errSick, "The breaker is closed")
			begun := make(chan struct{})
			x.Go("early", func() {
				_ = d.b.Do(t.Context(), func(context.Context) error {
					close(begun)
					x.Point("the early call ends")
					return old
				})
			})
			x.Go("others", func() {
				<-begun
				_ = d.b.Do(t.Context(), func(context.Context) error { return errSick })
				x.Pass(time.Minute)
				for range 2 {
					_ = d.b.Do(t.Context(), func(context.Context) error { x.Point("a probe succeeds"); return nil })
				}
			})
			x.Run()
			why := fmt.Sprintf("A call from before an outage ended at some time with %v, two probes have succeeded", old)
			d.passes(3, errSick, why)
			d.passes(1, nil, why+", and three calls have failed")
			d.refused(time.Minute, why+", and three of four calls have failed")
		})
	}
	for probes := 1; probes <= 2; probes++ {
		together(t, probes, errSick, func(d *desk, n int) {
			step.Expect(d, n <= probes, "Probes fail while others come. Of %d callers %d have reached the service.", probes+1, n)
			d.refused(2*time.Minute, "Probes failed at the same time, and only the first one doubles the pause")
		})
	}
	step.Bubble(t, func(t *step.T) {
		do := func(b *breaker.Breaker, err error) {
			_ = b.Do(context.Background(), func(context.Context) error { return err })
		}
		quick := usual()
		quick.Minimum, quick.Pause, quick.MaxPause, quick.Probes = 1, 1, 1, 1
		apart.Pairs(t.T, func() *breaker.Breaker { return breaker.New(quick) },
			apart.Call[*breaker.Breaker]{Name: "Do that succeeds", Do: func(b *breaker.Breaker) { do(b, nil) }},
			apart.Call[*breaker.Breaker]{Name: "Do that fails", Do: func(b *breaker.Breaker) { do(b, errSick) }},
			apart.Call[*breaker.Breaker]{Name: "Do that fails, and a probe", Do: func(b *breaker.Breaker) {
				do(b, errSick)
				time.Sleep(time.Second)
				do(b, nil)
			}},
		)
	})
}

// Slow calls count as failures, however they ended.
func TestFurtherSlowCalls(t *testing.T) {
	c := usual()
	c.Slow = time.Second
	for _, tt := range []struct {
		what  string
		takes time.Duration
		err   error
		slow  bool
	}{
		{"a call takes just 1s, and succeeds", time.Second, nil, false},
		{"a call takes more than 1s, and succeeds", time.Second + 1, nil, true},
		{"a call takes more than 1s, and ends with an error that is no failure", time.Second + 1, errOther, true},
		{"a call takes more than 1s, and then its caller goes away", time.Second + 1, context.Canceled, true},
		{"a call takes less than 1s, and then its caller goes away", time.Second - 1, context.Canceled, false},
	} {
		with(t, c, func(d *desk) {
			d.passes(2, nil, "The breaker is closed")
			d.passes(1, errSick, "The breaker is closed")
			h, e := d.hold(d.Context()), at(tt.err)
			if errors.Is(tt.err, context.Canceled) {
				e = gone(tt.err)
			}
			time.Sleep(tt.takes)
			d.lets(h, tt.what, e)
			switch {
			case tt.slow:
				d.refused(time.Minute, "A call is slow if it takes more than 1s, which is a failure. One of three failed, and then "+tt.what)
			case tt.err == nil:
				d.passes(2, errSick, "A call is slow if it takes more than 1s. One of three failed, and then "+tt.what)
			default:
				d.passes(1, errSick, "A call is slow if it takes more than 1s, and does not count if "+tt.what)
				d.refused(time.Minute, "Two of four calls failed, and it does not count that "+tt.what)
			}
		})
	}
	with(t, c, func(d *desk) {
		d.halfOpens()
		h := d.probe("The pause is over")
		time.Sleep(2 * time.Second)
		d.ends(h, nil)
		d.refused(2*time.Minute, "A probe was slow, which is a failure")
	})
	with(t, usual(), func(d *desk) {
		for range 5 {
			h := d.probe("Slow is 0, so no call is slow")
			time.Sleep(2 * time.Second)
			d.ends(h, nil)
		}
	})
}

// Changes are told in order and with no lock held, so that the listener may call the breaker.
func TestFurtherChanges(t *testing.T) {
	for _, late := range lates[1:4] { // all but those that are no failure
		step.Bubble(t, func(t *step.T) {
			c, told := usual(), []string(nil)
			c.Minimum, c.Changed = 1, func(from, to breaker.State) { told = append(told, fmt.Sprintf("%s to %s", from, to)) }
			d := open(t, c)
			d.lets(d.probe("The breaker is closed"), late.how, late.ends)
			step.Equal(t, []string{"closed to open"}, told, "A call ends %s, which opens the breaker. When Do has ended, it was told:", late.how)
			time.Sleep(time.Hour)
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			_ = d.b.Do(ended, func(context.Context) error { return nil })
			step.Equal(t, 1, len(told), "The pause is over, and nobody has come whose context has not ended. Changes that were told:")
		})
	}
	step.Bubble(t, func(t *step.T) {
		var told []string
		var d *desk
		c := usual()
		calls, inside := 0, 0
		c.Changed = func(from, to breaker.State) {
			if inside++; inside > 1 {
				told = append(told, "two at a time")
			}
			told = append(told, fmt.Sprintf("%s to %s", from, to))
			t.Tell("told: %s to %s", from, to)
			if calls++; calls <= 2 {
				time.Sleep(time.Minute)
				_, _ = d.do(errSick)
			}
			inside--
		}
		d = open(t, c)
		began := time.Now()
		d.passes(4, errSick, "The breaker is closed")
		took := time.Since(began)
		step.Expect(t, took == 2*time.Minute, "The listener takes 2m in all, and Do should return when it has been told. That took %v.", took)
		want := []string{"closed to open", "open to half-open", "half-open to open"}
		step.Equal(t, want, told, "The listener calls the breaker a minute after it opened, and the probe fails. It should be told, in order:")
		time.Sleep(time.Hour)
		d.passes(2, nil, "The second pause is over")
		want = append(want, "open to half-open", "half-open to closed")
		step.Equal(t, want, told, "The breaker opened twice, and two probes succeeded. The listener should be told of each change, in order:")
	})
	step.ExploreWithin(t, 200, func(t *step.T, x *interleave.Schedule) {
		c := usual()
		c.Minimum, c.Pause, c.Probes = 1, time.Second, 1
		told := make(chan string, 100)
		var inside atomic.Int32
		c.Changed = func(_, to breaker.State) {
			if inside.Add(1) > 1 {
				told <- "two at a time"
			}
			x.Point("the listener notes that it is %s", string(to))
			told <- string(to)
			inside.Add(-1)
		}
		b := breaker.New(c)
		failed := make(chan struct{})
		x.Go("A", func() {
			_ = b.Do(t.Context(), func(context.Context) error { close(failed); return errSick })
		})
		x.Go("B", func() {
			<-failed
			x.Pass(time.Second)
			_ = b.Do(t.Context(), func(context.Context) error { x.Point("the probe succeeds"); return nil })
		})
		x.Run()
		close(told)
		var all []string
		for to := range told {
			all = append(all, to)
		}
		step.Expect(t, len(all) > 0, "A call failed, so the breaker opened. The listener should be told, and was not.")
		want := []string{"open", "half-open", "closed"}
		if len(all) == 1 { // B came before A failed
			want = want[:1]
		}
		step.Equal(t, want, all, "Two callers change the state. The listener should be told of each change, in order, one at a time:")
	})
}
