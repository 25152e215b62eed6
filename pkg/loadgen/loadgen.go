// Package loadgen sends load to code under test and measures what users would
// see of it.
//
// A client that waits for each answer before it sends the next request sends
// none while the server stands still. It measures one slow request where a
// steady stream of users would have met hundreds, and it slows down together
// with the server, so that an overload never shows. Both are corrected here:
// requests come when a pattern says, whether or not those before are answered,
// and latency counts from the moment at which a request was due.
//
// In a bubble of virtual time an hour of load takes as long as its requests
// take to compute, and gives the same numbers in every run:
//
//	func TestCheckoutAtTwiceTheLoad(t *testing.T) {
//		bubble.Run(t, func(t *testing.T) {
//			report := loadgen.Open{
//				Arrivals:  loadgen.Steady(200, time.Minute).Poisson(1),
//				Objective: 300 * time.Millisecond,
//			}.Run(t.Context(), loadgen.Handler(checkout, request))
//			loadgen.Expect(t, report, loadgen.Want{Goodput: 90, P99: 500 * time.Millisecond})
//		})
//	}
//
// Outside a bubble the same code runs in real time, against a handler or
// through a client. What stands before a server can be tried without one: a
// [Station] simulates a fixed number of workers, and [Retry] makes users who
// give up and come back.
//
// The nearest peers are github.com/tsenart/vegeta and k6 with its arrival-rate
// executors, open loops too, which send over a real network in real time.
// "Coordinated omission" is Gil Tene's name for the fault of the closed loop
// (How NOT to Measure Latency). Schroeder, Wierman and Harchol-Balter compared
// the two loops (Open Versus Closed: A Cautionary Tale, NSDI 2006).
//
// # How it is decided
//
// A request counts in the interval in which it was due, whenever its answer
// comes. An answer without error is good if its latency is within the
// objective, and late otherwise. An error that wraps [ErrRefused] is a refusal,
// any other a failure, a panic of a handler among them. The first [MaxErrors]
// different errors are told with their counts. Goodput is good answers a second. Percentiles are of what
// was served, good and late together: a quick refusal would flatter them.
//
// Latencies are kept in an HDR histogram of 57 KiB with an error of at most
// 1 %; its library has no dependencies. The largest latency is exact.
//
// # Limits
//
// A request costs about 1 µs in a bubble, and 4 µs with the race detector, beside the
// 2.7 µs and 9 µs that a goroutine and its two waits cost without this package, and
// twice to three times as much through [Handler] (BenchmarkOpen).
//
// A status below 500 other than 429 is no error, so a run in which every answer is a
// 404 is a good one. Let the function that sends return an error for what the test
// does not expect.
//
// Every answer passes through one lock, which orders requests and so hides data
// races of the code under test from the race detector. Look for those in a test
// of their own, without a report.
//
// An open loop has no bound: each request that is not answered yet is a
// goroutine. Give requests a time limit, as users have one.
//
// Two things that happen in the same instant of virtual time happen in any
// order. Poisson arrivals hardly ever tie with anything. Even ones do: if a
// request comes every 10 ms and takes 10 ms, whether the worker is free when the
// next one comes is open.
//
// In real time the generator shares the machine with what it measures, and
// [Report.Lag] says how late it was itself.
package loadgen

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"
)

// ErrRefused is to be wrapped by the error of a request that the server turned
// away on purpose.
var ErrRefused = errors.New("refused")

// Send makes request number n, counted from 0, and returns when it is
// answered. It is called on a goroutine of its own for each request, many at a
// time. The context is that of Run. A panic fails the request alone.
type Send func(ctx context.Context, n int) error

// Open is load that does not wait for answers. The zero value sends nothing.
type Open struct {
	// Arrivals are when requests are due, from the start of the run, in
	// ascending order. A [Pattern] makes them; so does slices.Values from a
	// recorded trace.
	Arrivals iter.Seq[time.Duration]

	// Objective is the latency up to which an answer is good. With 0 every
	// answer is.
	Objective time.Duration

	// Every is the length of the report's intervals, 1 s if it is 0.
	Every time.Duration
}

// Run calls send for each arrival when it is due, and returns when the last
// request is answered. When ctx ends, it starts no further ones. In a bubble,
// ctx must be of the bubble, or without an end.
func (o Open) Run(ctx context.Context, send Send) *Report {
	r := newRecorder("open loop, latency from when a request was due", o.Objective, o.Every)
	if o.Arrivals == nil {
		return r.done()
	}
	var requests sync.WaitGroup
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	<-alarm.C
	n := 0
	for due := range o.Arrivals {
		if !sleep(ctx, alarm, due-time.Since(r.start)) {
			break
		}
		number := n
		n++
		r.sent(due)
		requests.Go(func() { r.answered(due, attempt(ctx, send, number)) })
	}
	requests.Wait()
	return r.done()
}

// Closed is load from clients that wait: each sends a request, waits for its
// answer, thinks, and sends the next. It is here for contrast, and for systems
// whose users are few and known. The zero value sends nothing.
type Closed struct {
	Clients   int
	Think     time.Duration
	For       time.Duration // no request is sent from then on
	Objective time.Duration // as in Open
	Every     time.Duration // as in Open
}

// Run is as [Open.Run], but latency counts from when a request was sent, as
// such a client measures it. Client c of k sends the requests c, c+k, c+2k and
// so on.
func (c Closed) Run(ctx context.Context, send Send) *Report {
	r := newRecorder("closed loop, latency from when a request was sent", c.Objective, c.Every)
	var clients sync.WaitGroup
	for first := range c.Clients {
		clients.Go(func() {
			alarm := time.NewTimer(0)
			defer alarm.Stop()
			<-alarm.C
			for n := first; ctx.Err() == nil; n += c.Clients {
				at := time.Since(r.start)
				if at >= c.For {
					return
				}
				r.sent(at)
				r.answered(at, attempt(ctx, send, n))
				if c.Think > 0 && !sleep(ctx, alarm, c.Think) {
					return
				}
			}
		})
	}
	clients.Wait()
	return r.done()
}

// attempt calls send and turns a panic into an error.
func attempt(ctx context.Context, send Send, n int) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("send panicked: %v%s", v, panicPlace())
		}
	}()
	return send(ctx, n)
}

// sleep waits and reports whether ctx is still alive. The alarm's channel is
// empty before and after.
func sleep(ctx context.Context, alarm *time.Timer, d time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	if d <= 0 {
		return true
	}
	alarm.Reset(d)
	select {
	case <-alarm.C:
		return true
	case <-ctx.Done():
		alarm.Stop()
		return false
	}
}
