package backpressure_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/backend-kata/dojo/kata/backpressure"
)

// A job takes a while of virtual time.
type job struct {
	id    int
	takes time.Duration
}

// A shop handles jobs and keeps a record of what happened when.
type shop struct {
	opened time.Time

	mu        sync.Mutex
	log       []string
	started   []int
	handled   map[int]int // how often, by id
	cancelled []int       // whose context ended first
	running   int
	peak      int
}

func (s *shop) handle(ctx context.Context, j job) {
	s.note(func() {
		s.started = append(s.started, j.id)
		s.running++
		s.peak = max(s.peak, s.running)
	}, "job %d starts", j.id)
	select {
	case <-time.After(j.takes):
		s.note(func() { s.running--; s.handled[j.id]++ }, "job %d is handled", j.id)
	case <-ctx.Done():
		s.note(func() { s.running--; s.cancelled = append(s.cancelled, j.id) }, "job %d is cancelled", j.id)
	}
}

func (s *shop) note(change func(), format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	s.log = append(s.log, fmt.Sprintf("%6v  ", time.Since(s.opened))+fmt.Sprintf(format, args...))
}

// story is the timeline of a failure.
func (s *shop) story() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.log) == 0 {
		return "\n\nwhat happened: no job ever started"
	}
	shown := s.log[max(0, len(s.log)-12):]
	return "\n\nwhat happened last:\n  " + strings.Join(shown, "\n  ")
}

// open makes a queue and the shop behind it.
func open(t *testing.T, workers, capacity int) (*backpressure.Queue[job], *shop) {
	t.Helper()
	s := &shop{opened: time.Now(), handled: map[int]int{}}
	q, err := backpressure.New(backpressure.Config[job]{Workers: workers, Capacity: capacity, Handle: s.handle})
	require.NoError(t, err, "%d workers and a capacity of %d are a right configuration", workers, capacity)
	synctest.Wait() // workers may have to come to work first
	return q, s
}

// fill submits jobs from first on, one after the other, until workers and
// capacity are used up.
func fill(t *testing.T, q *backpressure.Queue[job], s *shop, first, n int, takes time.Duration) {
	t.Helper()
	for id := first; id < first+n; id++ {
		err := q.TrySubmit(job{id, takes})
		require.NoError(t, err, "job %d was expected to be accepted, since there is room for %d%s", id, n, s.story())
		synctest.Wait() // an idle worker takes it now
	}
}

// expectFull says that there is no room, and that to hear so takes no time.
func expectFull(t *testing.T, q *backpressure.Queue[job], s *shop, why string) {
	t.Helper()
	start := time.Now()
	err := q.TrySubmit(job{-1, 0})
	require.ErrorIs(t, err, backpressure.ErrFull, "TrySubmit was expected to say ErrFull, since %s%s", why, s.story())
	require.Zero(t, time.Since(start), "TrySubmit was expected to say full at once, and waited %v", time.Since(start))
}

// A call is a Submit or Close under way.
type call struct {
	ended chan struct{}
	err   error
}

func start(f func() error) *call {
	c := &call{ended: make(chan struct{})}
	go func() {
		c.err = f()
		close(c.ended)
	}()
	synctest.Wait()
	return c
}

func submit(q *backpressure.Queue[job], ctx context.Context, j job) *call {
	return start(func() error { return q.Submit(ctx, j) })
}

// waits reports whether the call is still under way, once all is quiet.
func (c *call) waits() bool {
	synctest.Wait()
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

// closes ends a step: nothing may be left over, and every accepted job was
// handled once.
func closes(t *testing.T, q *backpressure.Queue[job], s *shop, jobs ...int) {
	t.Helper()
	require.NoError(t, q.Close(t.Context()), "Close was expected to wait for every job and to succeed%s", s.story())
	for _, id := range jobs {
		require.Equal(t, 1, s.handled[id], "job %d was accepted, and was expected to be handled once; it was handled %d times%s", id, s.handled[id], s.story())
	}
}

func span(first, last int) []int {
	var ids []int
	for id := first; id <= last; id++ {
		ids = append(ids, id)
	}
	return ids
}

// unfinished returns the error of a Close that ran out of time.
func unfinished(t *testing.T, err error, s *shop) *backpressure.UnfinishedError {
	t.Helper()
	var u *backpressure.UnfinishedError
	require.ErrorAs(t, err, &u, "Close ran out of time, and was expected to return an *UnfinishedError; got %v%s", err, s.story())
	return u
}
