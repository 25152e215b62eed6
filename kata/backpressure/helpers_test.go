package backpressure_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/kata/backpressure"
	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/pkg/interleave"
)

// A job takes a while of virtual time.
type job struct {
	id       int
	takes    time.Duration
	gated    bool // it takes until the shop's gate is closed
	stubborn bool // it does not heed its context
}

func jobs(first, last int, takes time.Duration) (all []job) {
	for _, id := range span(first, last) {
		all = append(all, job{id: id, takes: takes})
	}
	return all
}

func span(first, last int) (ids []int) {
	for id := first; id <= last; id++ {
		ids = append(ids, id)
	}
	return ids
}

// extra is the job that no queue should take.
const extra = 999

// A shop has a queue, and handles its jobs. It is safe for concurrent use.
type shop struct {
	queue *backpressure.Queue[job]
	gate  chan struct{}
	t     *step.T
	mu    sync.Mutex
	so    record // guarded by mu
}

// A record is what has happened so far.
type record struct {
	started   []int       // ids, in order
	handled   map[int]int // how often, by id
	cancelled []int       // ids of those whose context ended first
	running   int
	peak      int // the most that ever ran at once
}

// open makes a shop with an idle queue.
func open(t *step.T, workers, capacity int) *shop {
	t.Helper()
	s := &shop{t: t, gate: make(chan struct{}), so: record{handled: map[int]int{}}}
	s.queue = queue(t, backpressure.Config[job]{Workers: workers, Capacity: capacity, Handle: s.handle})
	return s
}

// queue makes a queue, and lets its workers come to work.
func queue[T any](t *step.T, cfg backpressure.Config[T]) *backpressure.Queue[T] {
	t.Helper()
	q, err := backpressure.New(cfg)
	step.NoError(t, err, "New should take %d workers and a capacity of %d.", cfg.Workers, cfg.Capacity)
	step.Expect(t, q != nil, "New returned no error, so it should return a queue; it returned nil.")
	synctest.Wait()
	return q
}

func (s *shop) handle(ctx context.Context, j job) {
	s.now(func(so *record) {
		so.started = append(so.started, j.id)
		so.running++
		so.peak = max(so.peak, so.running)
	}, "job %d starts", j.id)
	if s.wait(ctx, j) {
		s.now(func(so *record) { so.running--; so.handled[j.id]++ }, "job %d ends", j.id)
	} else {
		s.now(func(so *record) { so.running--; so.cancelled = append(so.cancelled, j.id) }, "job %d is cancelled", j.id)
	}
}

// wait reports whether the job comes to its end before its context does.
func (s *shop) wait(ctx context.Context, j job) bool {
	if !j.gated && j.takes == 0 {
		return true
	}
	over, ended := s.gate, ctx.Done()
	if !j.gated {
		over = make(chan struct{})
		time.AfterFunc(j.takes, func() { close(over) })
	}
	if j.stubborn {
		ended = nil
	}
	select {
	case <-over:
		return true
	case <-ended:
		return false
	}
}

func (s *shop) now(change func(so *record), format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.so)
	s.t.Tell(format, args...)
}

// record returns what has happened so far.
func (s *shop) record() record {
	s.mu.Lock()
	defer s.mu.Unlock()
	so := s.so
	so.handled = maps.Clone(so.handled)
	return so
}

// try is TrySubmit.
func (s *shop) try(j job) error {
	err := s.queue.TrySubmit(j)
	s.t.Tell("TrySubmit of job %d returns %v", j.id, err)
	return err
}

// submit is Submit.
func (s *shop) submit(ctx context.Context, j job) error {
	s.t.Tell("Submit of job %d is called", j.id)
	err := s.queue.Submit(ctx, j)
	s.t.Tell("Submit of job %d returns %v", j.id, err)
	return err
}

func (s *shop) close(ctx context.Context) error {
	s.t.Tell("Close is called")
	err := s.queue.Close(ctx)
	s.t.Tell("Close returns %v", err)
	return err
}

// begin calls Submit beside the step.
func (s *shop) begin(ctx context.Context, j job) *step.Call[error] {
	return step.Start(s.t, func() error { return s.submit(ctx, j) })
}

// fill submits jobs for which there is room, and lets an idle worker take each.
func (s *shop) fill(all ...job) {
	s.t.Helper()
	for _, j := range all {
		step.NoError(s.t, s.try(j), "There is room, so TrySubmit should accept job %d.", j.id)
		synctest.Wait()
	}
}

// isFull checks that there is no room, and that to hear so takes no time.
func (s *shop) isFull(why string) {
	s.t.Helper()
	start := time.Now()
	step.Equal(s.t, backpressure.ErrFull, s.try(job{id: extra}), "TrySubmit while %s.", why)
	step.Equal(s.t, 0, time.Since(start), "TrySubmit should answer at once. It took:")
}

// isClosed checks that neither TrySubmit nor Submit takes a job any more.
func (s *shop) isClosed(since string) {
	s.t.Helper()
	step.Equal(s.t, backpressure.ErrClosed, s.try(job{id: extra}), "TrySubmit after %s.", since)
	call := s.begin(s.t.Context(), job{id: extra})
	step.Expect(s.t, !call.Waits(), "Submit after %s should return at once, and it waits.", since)
	step.Equal(s.t, backpressure.ErrClosed, call.Result(), "Submit after %s.", since)
}

// isTrue checks that a job runs once if it was accepted, and else never.
func (s *shop) isTrue(id int, err error) {
	s.t.Helper()
	so := s.record()
	if err == nil {
		step.Equal(s.t, 1, so.handled[id], "Job %d was accepted, so it should be handled once. Times handled:", id)
		return
	}
	step.Expect(s.t, !slices.Contains(so.started, id), "Job %d should never run, since its caller was told %q. It ran.", id, err)
}

// closes ends a story: what was accepted is handled once, and nothing that was refused ran.
func (s *shop) closes(accepted ...int) {
	s.t.Helper()
	step.NoError(s.t, s.close(s.t.Context()), "Close has enough time, so it should succeed.")
	for _, id := range accepted {
		s.isTrue(id, nil)
	}
	s.isTrue(extra, errors.New("full or closed"))
}

type left struct{ Waiting, Running int }

// givesUp calls Close, which should give up as soon as its context ends.
func (s *shop) givesUp(ctx context.Context, want left) {
	s.t.Helper()
	call := step.Start(s.t, func() error { return s.close(ctx) })
	<-ctx.Done()
	step.Expect(s.t, !call.Waits(), "The context of Close has ended, so Close should give up at once. It still waits.")
	s.gaveUp(ctx, call.Result(), want)
}

// gaveUp checks the error of a Close that ran out of time and left so much, or so much.
func (s *shop) gaveUp(ctx context.Context, err error, want ...left) {
	s.t.Helper()
	u, ok := errors.AsType[*backpressure.UnfinishedError](err)
	step.Expect(s.t, ok && u != nil, "Close ran out of time, so it should return an *UnfinishedError. It returned %v.", err)
	got, text := left{u.Waiting, u.Running}, u.Error()
	step.Expect(s.t, slices.Contains(want, got), "Close gave up with %+v, and should say so. It said %+v.", want[0], got)
	wraps := errors.Is(u.Err, ctx.Err()) && errors.Is(err, ctx.Err())
	step.Expect(s.t, wraps, "It should wrap %q, the error of Close's context. Its Err is %v.", ctx.Err(), u.Err)
	both := strings.Contains(text, fmt.Sprint(got.Waiting)) && strings.Contains(text, fmt.Sprint(got.Running))
	step.Expect(s.t, both, "The text of the error should have both numbers. It is %q, of %+v.", text, got)
}

// acts is an actor that does one thing.
func acts(x *interleave.Schedule, who, what string, do func()) {
	x.Go(who, func() {
		x.Point(what)
		do()
	})
}

// comes is an actor that submits a job. It returns where the answer will be.
func (s *shop) comes(x *interleave.Schedule, how string, j job) *error {
	err := new(error)
	acts(x, fmt.Sprintf("%s %d", how, j.id), "call", func() {
		if how == "TrySubmit" {
			*err = s.queue.TrySubmit(j)
		} else {
			ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
			s.t.Cleanup(cancel)
			*err = s.queue.Submit(ctx, j)
		}
		x.Note("%v", *err)
	})
	return err
}

// A closer is an actor that calls Close, and then looks around.
type closer struct {
	s     *shop
	name  string
	err   error
	after record
}

func (s *shop) closer(ctx context.Context, x *interleave.Schedule, name string) *closer {
	c := &closer{s: s, name: name}
	acts(x, name, "call", func() {
		c.err = s.queue.Close(ctx)
		c.after = s.record()
		x.Note("%v", c.err)
	})
	return c
}

// waited checks that Close returned nil, and not before all was handled.
func (c *closer) waited() {
	c.s.t.Helper()
	step.NoError(c.s.t, c.err, "%s has enough time, so it should succeed.", c.name)
	step.Equal(c.s.t, 0, c.after.running, "%s should return nil when nothing runs any more. Jobs that ran:", c.name)
	step.Equal(c.s.t, c.s.record().started, c.after.started, "After %s returned nil no job should start. Jobs started:", c.name)
}

// A rush is a queue with one of two workers busy. A job that ended by itself might order two calls.
type rush struct {
	*backpressure.Queue[int]
	ends    chan struct{}
	patient context.Context //nolint:containedctx // of callers that wait until the rush is over
}

func newRush(t *step.T) *rush {
	r := &rush{ends: make(chan struct{}, 10), patient: t.Context()}
	r.Queue = queue(t, backpressure.Config[int]{Workers: 2, Capacity: 1, Handle: func(context.Context, int) { <-r.ends }})
	t.Cleanup(func() { close(r.ends); _ = r.Close(context.Background()) })
	step.NoError(t, r.TrySubmit(0), "Two workers are idle, so TrySubmit should accept a job.")
	synctest.Wait()
	return r
}

// soon makes a call whose context ends after a moment.
func (r *rush) soon(call func(ctx context.Context) error) {
	ctx, cancel := context.WithTimeout(r.patient, time.Millisecond)
	defer cancel()
	_ = call(ctx)
}
