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
	mu sync.Mutex // yours to use or to replace
}

// New returns an open queue.
func New[T any](cfg Config[T]) (*Queue[T], error) {
	return &Queue[T]{}, nil
}

// Submit hands the job over, and waits for room until ctx ends or the queue is closed.
func (q *Queue[T]) Submit(ctx context.Context, job T) error {
	return nil
}

// TrySubmit hands the job over without waiting.
func (q *Queue[T]) TrySubmit(job T) error {
	return nil
}

// Close refuses new jobs, and waits for those that were accepted until ctx ends.
func (q *Queue[T]) Close(ctx context.Context) error {
	return nil
}

// UnfinishedError says what a Close that gave up left undone.
type UnfinishedError struct {
	Waiting int   // jobs that were dropped
	Running int   // jobs that still ran
	Err     error // ctx.Err() of Close
}

func (e *UnfinishedError) Error() string { return "" }

func (e *UnfinishedError) Unwrap() error { return nil }

// Handler puts HTTP in front of a queue.
func Handler[T any](q *Queue[T], retryAfter time.Duration, job func(*http.Request) (T, error)) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
}
