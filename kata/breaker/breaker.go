//go:build !solutions

// Package breaker is the kata "What is circuit breaker?". README.md in this folder is the contract.
package breaker

import (
	"context"
	"time"

	// The standard library's sync, with points at which the steps let another caller go first. Plain "sync" is as right.
	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// A State is what a Breaker does with calls.
type State string

// The states. README.md says what each does.
const (
	Closed   State = "closed"
	Open     State = "open"
	HalfOpen State = "half-open"
)

// Config says when a Breaker opens and closes. Its numbers are positive, its functions do not panic, and they are safe
// for concurrent use.
type Config struct {
	Window  time.Duration // for how long a call is counted; whole milliseconds
	Minimum int           // with fewer calls counted it never opens
	Rate    float64       // the share of failures at which it opens; at most 1

	Pause    time.Duration // how long it is open at first
	MaxPause time.Duration // no pause is longer but for its jitter; at least Pause
	Probes   int           // calls that must succeed before it closes
	Limit    time.Duration // how long a probe keeps its place without an answer

	Failed func(err error) bool // whether an error is the service's failure; nil: every error is
	Random func() float64       // from 0 to 1, 1 not included; nil: use math/rand/v2

	Slow    time.Duration        // for the further step; 0: no call is slow
	Changed func(from, to State) // for the further step; nil: nobody is told
}

// An OpenError says that a call was refused.
type OpenError struct {
	For time.Duration // how long no call will pass; 0 if that is not known
}

func (e *OpenError) Error() string { return "the circuit breaker is open for " + e.For.String() }

// A Breaker stands in front of one service.
type Breaker struct {
	mu sync.Mutex // yours to use or to replace
}

// New returns a Breaker that is closed.
func New(c Config) *Breaker {
	return &Breaker{}
}

// Do calls the service, or refuses the call.
func (b *Breaker) Do(ctx context.Context, f func(ctx context.Context) error) error {
	return nil
}
