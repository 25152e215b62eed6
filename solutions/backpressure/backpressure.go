//go:build solutions

package backpressure

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// ErrFull is TrySubmit's answer where there is no room.
var ErrFull = errors.New("backpressure: the queue is full")

// ErrClosed is the answer to work that comes after Close.
var ErrClosed = errors.New("backpressure: the queue is closed")

// Config says how much a queue takes on.
type Config[T any] struct {
	// Workers is how many jobs run at once, at least 1.
	Workers int

	// Capacity is how many accepted jobs may wait for a worker, at least 0.
	Capacity int

	// Handle does one job. Its context ends when a Close gives up.
	Handle func(ctx context.Context, job T)

	// Panicked is told when Handle panics. If it is nil, the panic's value is logged with slog.
	Panicked func(job T, value any)
}

// A Queue hands jobs to a fixed number of workers, and slows down or refuses those who bring more than they can do.
// Its methods are safe for concurrent use.
type Queue[T any] struct {
	cfg     Config[T]
	jobs    context.Context //nolint:containedctx // of every job: it ends when a Close runs out of time
	cancel  context.CancelFunc
	drained chan struct{} // closed when the queue is closed and nothing is left

	// One lock guards the whole state, so that to see room and to take it are one thing.
	mu      sync.Mutex
	waiting []T          // accepted, in the order in which they will run
	running int          // as many workers are busy
	callers []*caller[T] // in Submit, first come, first served
	closed  bool
}

// A caller waits in Submit.
type caller[T any] struct {
	job    T
	answer chan error // buffered, so that whoever answers never waits for the caller
}

// New returns an open queue, or an error that names the field that is wrong.
func New[T any](cfg Config[T]) (*Queue[T], error) {
	switch {
	case cfg.Workers < 1:
		return nil, fmt.Errorf("backpressure: Workers is %d, and at least 1 is needed", cfg.Workers)
	case cfg.Capacity < 0:
		return nil, fmt.Errorf("backpressure: Capacity is %d, and it cannot be negative", cfg.Capacity)
	case cfg.Handle == nil:
		return nil, errors.New("backpressure: Handle is nil")
	}
	q := &Queue[T]{cfg: cfg, drained: make(chan struct{})}
	q.jobs, q.cancel = context.WithCancel(context.Background()) //nolint:gosec // called when the queue is drained, or gives up
	return q, nil
}

// Submit waits until there is room for the job and hands it over, first come, first served. It returns nil if the job
// was accepted. If ctx ends first it returns ctx.Err(), and ErrClosed if the queue is closed first; the job never runs
// then. A context that has ended already is never accepted, room or not.
func (q *Queue[T]) Submit(ctx context.Context, job T) error {
	if err := ctx.Err(); err != nil { // a select would take either, by chance
		return err
	}
	c, err := q.line(job)
	if c == nil {
		return err
	}
	select {
	case err := <-c.answer:
		return err
	case <-ctx.Done():
		if q.leave(c) {
			return ctx.Err()
		}
		return <-c.answer // it came just before
	}
}

// line accepts the job, refuses it, or puts the caller in the line.
func (q *Queue[T]) line(job T) (*caller[T], error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.try(job); !errors.Is(err, ErrFull) {
		return nil, err
	}
	c := &caller[T]{job: job, answer: make(chan error, 1)}
	q.callers = append(q.callers, c)
	return c, nil
}

// leave takes a caller that gives up out of the line, and reports whether it was still there.
func (q *Queue[T]) leave(c *caller[T]) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.callers, c)
	if i < 0 {
		return false
	}
	q.callers = slices.Delete(q.callers, i, i+1)
	return true
}

// TrySubmit hands the job over if there is room and nobody waits for it, and otherwise returns ErrFull, at once. It
// returns ErrClosed if the queue is closed.
func (q *Queue[T]) TrySubmit(job T) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.try(job)
}

func (q *Queue[T]) try(job T) error {
	switch {
	case q.closed:
		return ErrClosed
	case len(q.callers) > 0 || !q.room():
		return ErrFull
	}
	q.accept(job)
	return nil
}

// room reports whether one more job can be accepted. Callers hold mu, here and below.
func (q *Queue[T]) room() bool {
	return q.running < q.cfg.Workers || len(q.waiting) < q.cfg.Capacity
}

// accept takes a job for which there is room.
func (q *Queue[T]) accept(job T) {
	if q.running == q.cfg.Workers {
		q.waiting = append(q.waiting, job)
		return
	}
	q.running++
	go q.work(job)
}

// work handles a job, and then whatever comes next. Each job has a goroutine of its own, so that one that ends its
// goroutine (runtime.Goexit, which t.FailNow calls) does not take a worker with it.
func (q *Queue[T]) work(job T) {
	defer func() {
		if next, more := q.next(); more {
			go q.work(next)
		}
	}()
	q.handle(job)
}

func (q *Queue[T]) handle(job T) {
	defer func() {
		value := recover()
		switch {
		case value == nil:
		case q.cfg.Panicked != nil:
			q.cfg.Panicked(job, value)
		default:
			slog.Error("backpressure: a job panicked", "panic", value, "stack", string(debug.Stack()))
		}
	}()
	q.cfg.Handle(q.jobs, job)
}

// next gives a worker its next job, and the room that this makes to whoever waits longest.
func (q *Queue[T]) next() (job T, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if more = len(q.waiting) > 0; more {
		job = q.waiting[0]
		q.waiting = slices.Delete(q.waiting, 0, 1)
	} else {
		q.running--
	}
	for len(q.callers) > 0 && q.room() {
		c := q.callers[0]
		q.callers = slices.Delete(q.callers, 0, 1)
		q.accept(c.job)
		c.answer <- nil
	}
	q.checkDrained()
	return job, more
}

func (q *Queue[T]) checkDrained() {
	if q.closed && q.running == 0 {
		q.cancel()
		close(q.drained)
	}
}

// Close refuses new work, also that of calls to Submit that are waiting, and returns nil when every accepted job has
// been handled. If ctx ends first it gives up: jobs that wait are dropped, the context of those that run ends, and
// the answer is an *UnfinishedError. It may be called more than once, also at the same time.
func (q *Queue[T]) Close(ctx context.Context) error {
	q.refuse()
	select {
	case <-q.drained:
		return nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.running == 0 {
		return nil
	}
	err := &UnfinishedError{Waiting: len(q.waiting), Running: q.running, Err: ctx.Err()}
	q.waiting = nil
	q.cancel()
	return err
}

// refuse closes the queue to new work, the first time it is called.
func (q *Queue[T]) refuse() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.closed = true
	for _, c := range q.callers {
		c.answer <- ErrClosed
	}
	q.callers = nil
	q.checkDrained()
}

// UnfinishedError says what a Close that gave up left undone.
type UnfinishedError struct {
	Waiting int   // jobs that were accepted and dropped
	Running int   // jobs whose context was cancelled
	Err     error // ctx.Err() of the context given to Close
}

// Error has both numbers.
func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("backpressure: closed with %d jobs waiting and %d running: %v", e.Waiting, e.Running, e.Err)
}

// Unwrap returns Err.
func (e *UnfinishedError) Unwrap() error { return e.Err }

// Handler makes a job of each request and submits it without waiting. It answers 202 if the job was accepted, 503 with
// Retry-After if the queue is full, 503 without it if the queue is closed, and 400 if job returns an error.
func Handler[T any](q *Queue[T], retryAfter time.Duration, job func(*http.Request) (T, error)) http.Handler {
	seconds := strconv.Itoa(int((max(retryAfter, 1)-1)/time.Second) + 1) // rounded up; adding first could overflow
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		work, err := job(r)
		if err != nil {
			http.Error(w, "the request is no job: "+err.Error(), http.StatusBadRequest)
			return
		}
		switch err := q.TrySubmit(work); {
		case errors.Is(err, ErrFull):
			w.Header().Set("Retry-After", seconds)
			http.Error(w, "the server has all the work that it can do", http.StatusServiceUnavailable)
		case err != nil:
			http.Error(w, "the server is going away", http.StatusServiceUnavailable)
		default:
			w.WriteHeader(http.StatusAccepted)
		}
	})
}
