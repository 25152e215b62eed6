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

// ErrFull says that there is no room.
var ErrFull = errors.New("backpressure: the queue is full")

// ErrClosed says that the queue takes no more jobs.
var ErrClosed = errors.New("backpressure: the queue is closed")

// Config says how much a queue takes on.
type Config[T any] struct {
	Workers  int                              // how many jobs run at once, at most
	Capacity int                              // how many more may wait; 0 is none
	Handle   func(ctx context.Context, job T) // does a job
	Panicked func(job T, value any)           // is told when Handle panics; may be nil
}

// A Queue hands jobs to workers, and slows down or refuses those who bring more than they can do.
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

// New returns an open queue.
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

// Submit hands the job over, and waits for room until ctx ends or the queue is closed.
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

// TrySubmit hands the job over without waiting.
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

// Close refuses new jobs, and waits for those that were accepted until ctx ends.
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
	Waiting int   // jobs that were dropped
	Running int   // jobs that still ran
	Err     error // ctx.Err() of Close
}

func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("backpressure: closed with %d jobs waiting and %d running: %v", e.Waiting, e.Running, e.Err)
}

func (e *UnfinishedError) Unwrap() error { return e.Err }

// Handler puts HTTP in front of a queue.
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
