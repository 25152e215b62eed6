//go:build solutions

// The circuit breaker of the kata breaker beside two well-kept libraries:
//
//	make bench
//
// or, in this folder, GOWORK=off go test -v -tags solutions -run Breaker -bench Breaker -benchmem . which also tells in
// which steps they differ.
package bench_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/sony/gobreaker/v2"

	"github.com/backend-kata/dojo/solutions/breaker"
)

const (
	breakerWindow  = 10 * time.Second
	breakerMinimum = 20
	breakerPause   = 30 * time.Second
	breakerProbes  = 3
)

// A breakerCall goes through a circuit breaker.
type breakerCall func(ctx context.Context, f func(ctx context.Context) error) error

// The three are set up as alike as they can be: half of at least twenty calls within ten seconds, a pause of thirty
// seconds, three probes.
var breakers = []struct {
	name string
	make func() breakerCall
}{
	{"dojo", func() breakerCall {
		return breaker.New(breaker.Config{
			Window: breakerWindow, Minimum: breakerMinimum, Rate: 0.5,
			Pause: breakerPause, MaxPause: breakerPause, Probes: breakerProbes, Limit: time.Minute,
			Random: func() float64 { return 0 },
		}).Do
	}},
	{"gobreaker", func() breakerCall {
		b := gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
			MaxRequests: breakerProbes, Interval: breakerWindow, BucketPeriod: breakerWindow / 10, Timeout: breakerPause,
			ReadyToTrip: func(c gobreaker.Counts) bool {
				ended := c.TotalSuccesses + c.TotalFailures
				return ended >= breakerMinimum && c.TotalFailures*2 >= ended
			},
		})
		return func(ctx context.Context, f func(ctx context.Context) error) error {
			_, err := b.Execute(func() (struct{}, error) { return struct{}{}, f(ctx) })
			return err
		}
	}},
	{"failsafe-go", func() breakerCall {
		b := circuitbreaker.NewBuilder[struct{}]().
			WithFailureRateThreshold(0.5, breakerMinimum, breakerWindow).
			WithDelay(breakerPause).
			WithSuccessThreshold(breakerProbes).
			Build()
		e := failsafe.With(b)
		return func(ctx context.Context, f func(ctx context.Context) error) error {
			return e.Run(func() error { return f(ctx) })
		}
	}},
}

var errSick = errors.New("sick")

// A breakerTrial is a sequence of calls to a breaker in virtual time.
type breakerTrial struct {
	t       *testing.T
	call    breakerCall
	started int // calls that reached the service
}

func (b *breakerTrial) do(ctx context.Context, takes time.Duration, err error) error {
	return b.call(ctx, func(context.Context) error {
		b.started++
		time.Sleep(takes)
		return err
	})
}

// begin starts a call that goes on for a while.
func (b *breakerTrial) begin(takes time.Duration, err error) {
	go func() { _ = b.do(b.t.Context(), takes, err) }()
	synctest.Wait()
}

// open makes calls that fail at once until one is refused.
func (b *breakerTrial) open() {
	for range breakerMinimum {
		_ = b.do(b.t.Context(), 0, errSick)
	}
	before := b.started
	if err := b.do(b.t.Context(), 0, nil); err == nil || b.started != before {
		b.t.Error("it is not open")
	}
}

// ask says whether a call that is made now reaches the service, and succeeds.
func (b *breakerTrial) ask() bool { return b.do(b.t.Context(), 0, nil) == nil }

// In which steps of the kata the libraries differ. Each answer is that of the reference, of gobreaker and of failsafe-go.
var breakerTrials = []struct {
	name string
	want [3]string
	run  func(b *breakerTrial) string
}{
	// No bug: by default every error is a failure. IsExcluded of gobreaker can leave cancellations out. HandleIf of
	// failsafe-go can, too, but then they are successes.
	{"cancelled calls open it", [3]string{"no", "yes", "yes"}, func(b *breakerTrial) string {
		for range breakerMinimum {
			ctx, cancel := context.WithCancel(b.t.Context())
			_ = b.call(ctx, func(ctx context.Context) error {
				cancel()
				return ctx.Err()
			})
		}
		return yes(!b.ask())
	}},
	// No bug: gobreaker counts a call in the part of the window that it began in, and says so at Counts. The interval has to
	// be longer than any timeout.
	{"failures that take longer than the window open it", [3]string{"yes", "no", "yes"}, func(b *breakerTrial) string {
		for range breakerMinimum {
			b.begin(2*breakerWindow, errSick)
		}
		time.Sleep(2*breakerWindow + time.Millisecond)
		return yes(!b.ask())
	}},
	// No bug: failsafe-go limits how many probes run at a time, since it may have to see five successes among ten.
	{"calls let through when one of three probes has succeeded", [3]string{"3", "3", "4"}, func(b *breakerTrial) string {
		b.open()
		time.Sleep(breakerPause + time.Millisecond)
		b.started = 0
		b.begin(time.Second, nil)
		b.begin(time.Minute/2, nil)
		b.begin(time.Minute/2, nil)
		time.Sleep(2 * time.Second)
		b.begin(time.Minute/2, nil)
		n := b.started
		time.Sleep(time.Minute)
		return strconv.Itoa(n)
	}},
	// A gap: failsafe-go does not know in which state a call began.
	{"late successes of the closed state close it", [3]string{"no", "no", "yes"}, func(b *breakerTrial) string {
		for range breakerProbes {
			b.begin(breakerPause+time.Second, nil)
		}
		b.open()
		time.Sleep(breakerPause + time.Second/2)
		b.started = 0
		b.begin(time.Minute/2, nil) // a probe, so it is half-open
		time.Sleep(time.Second)
		for range 10 {
			b.begin(time.Minute/2, nil)
		}
		n := b.started
		time.Sleep(time.Minute)
		return yes(n > breakerProbes)
	}},
	// No bug where every call has a timeout, as it should: neither library gives up a probe.
	{"three probes hang: a call passes after an hour", [3]string{"yes", "no", "no"}, func(b *breakerTrial) string {
		b.open()
		time.Sleep(breakerPause + time.Millisecond)
		for range breakerProbes {
			b.begin(2*time.Hour, nil)
		}
		time.Sleep(time.Hour)
		ok := b.ask()
		time.Sleep(2 * time.Hour)
		return yes(ok)
	}},
	// A gap: failsafe-go counts nothing when the call panics, so the place is lost.
	{"three probes panic: a call passes after an hour", [3]string{"yes", "yes", "no"}, func(b *breakerTrial) string {
		b.open()
		time.Sleep(breakerPause + time.Millisecond)
		for range breakerProbes {
			func() {
				defer func() { _ = recover() }()
				_ = b.call(b.t.Context(), func(context.Context) error { panic("a bug") })
			}()
		}
		time.Sleep(time.Hour)
		return yes(b.ask())
	}},
	// A small gap: outside of tests hardly anything calls runtime.Goexit.
	{"three probes call runtime.Goexit: a call passes after an hour", [3]string{"yes", "no", "no"}, func(b *breakerTrial) string {
		b.open()
		time.Sleep(breakerPause + time.Millisecond)
		for range breakerProbes {
			done := make(chan struct{})
			go func() {
				defer close(done)
				_ = b.call(b.t.Context(), func(context.Context) error { runtime.Goexit(); return nil })
			}()
			<-done
		}
		time.Sleep(time.Hour)
		return yes(b.ask())
	}},
}

func yes(ok bool) string {
	if ok {
		return "yes"
	}
	return "no"
}

// TestBreakerPeers tells where libraries decide otherwise than the kata asks.
func TestBreakerPeers(t *testing.T) {
	table := fmt.Sprintf("%-62s", "")
	for _, b := range breakers {
		table += fmt.Sprintf("%13s", b.name)
	}
	for _, trial := range breakerTrials {
		var got [3]string
		for i, b := range breakers {
			synctest.Test(t, func(t *testing.T) {
				got[i] = trial.run(&breakerTrial{t: t, call: b.make()})
			})
		}
		table += fmt.Sprintf("\n%-62s%13s%13s%13s", trial.name, got[0], got[1], got[2])
		if got != trial.want {
			t.Errorf("%s: %q, want %q", trial.name, got, trial.want)
		}
	}
	t.Log("\n" + table)
}

// A call that succeeds, and one that is refused, alone and from as many goroutines as there are processors.
func BenchmarkBreaker(b *testing.B) {
	ctx := context.Background()
	well := func(context.Context) error { return nil }
	sick := func(context.Context) error { return errSick }
	for _, lib := range breakers {
		closed := lib.make
		opened := func() breakerCall {
			call := lib.make()
			for range breakerMinimum {
				_ = call(ctx, sick)
			}
			return call
		}
		for _, state := range []struct {
			name   string
			make   func() breakerCall
			refuse bool
		}{{"pass", closed, false}, {"refuse", opened, true}} {
			b.Run(state.name+"/alone/"+lib.name, func(b *testing.B) {
				call := state.make()
				for b.Loop() {
					if err := call(ctx, well); (err != nil) != state.refuse {
						b.Fatal(err)
					}
				}
			})
			b.Run(state.name+"/contended/"+lib.name, func(b *testing.B) {
				call := state.make()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := call(ctx, well); (err != nil) != state.refuse {
							b.Error(err)
							return
						}
					}
				})
			})
		}
	}
}
