//go:build !solutions

// Package backpressure is the kata "What is backpressure?". README.md in this folder is the contract.
package backpressure

import (
	"context"
	"errors"
	"net/http"
	"time"

	// The standard library's sync, with points at which a step lets another goroutine go first. With plain "sync" the same
	// code is right, and the step sees less.
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
	mu sync.Mutex // yours to use or to replace
}

// New returns an open queue, or an error that names the field that is wrong.
func New[T any](cfg Config[T]) (*Queue[T], error) {
	return &Queue[T]{}, nil
}

// Submit waits until there is room for the job and hands it over, first come, first served. It returns nil if the job
// was accepted. If ctx ends first it returns ctx.Err(), and ErrClosed if the queue is closed first; the job never runs
// then. A context that has ended already is never accepted, room or not.
func (q *Queue[T]) Submit(ctx context.Context, job T) error {
	return nil
}

// TrySubmit hands the job over if there is room and nobody waits for it, and otherwise returns ErrFull, at once. It
// returns ErrClosed if the queue is closed.
func (q *Queue[T]) TrySubmit(job T) error {
	return nil
}

// Close refuses new work, also that of calls to Submit that are waiting, and returns nil when every accepted job has
// been handled. If ctx ends first it gives up: jobs that wait are dropped, the context of those that run ends, and
// the answer is an *UnfinishedError. It may be called more than once, also at the same time.
func (q *Queue[T]) Close(ctx context.Context) error {
	return nil
}

// UnfinishedError says what a Close that gave up left undone.
type UnfinishedError struct {
	Waiting int   // jobs that were accepted and dropped
	Running int   // jobs whose context was cancelled
	Err     error // ctx.Err() of the context given to Close
}

// Error has both numbers.
func (e *UnfinishedError) Error() string { return "" }

// Unwrap returns Err.
func (e *UnfinishedError) Unwrap() error { return nil }

// Handler makes a job of each request and submits it without waiting. It answers 202 if the job was accepted, 503 with
// Retry-After if the queue is full, 503 without it if the queue is closed, and 400 if job returns an error.
func Handler[T any](q *Queue[T], retryAfter time.Duration, job func(*http.Request) (T, error)) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
}
