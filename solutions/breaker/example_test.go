//go:build solutions

package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
)

var errOpen = errors.New("circuit breaker is open")

// A tally is the rest of the example's breaker: it opens after five failures in a row. It is here to show what counts, and
// is for one goroutine.
type tally struct{ failures int }

func (b *tally) open() bool { return b.failures >= 5 }

func (b *tally) count(failed bool) {
	b.failures++
	if !failed {
		b.failures = 0
	}
}

type wrong struct{ tally }

// example: wrong
func (b *wrong) do(ctx context.Context, f func() error) error {
	if b.open() {
		return errOpen
	}
	err := f()
	if err == nil || ctx.Err() == nil { // otherwise the caller has left
		b.count(err != nil)
	}
	return err
}

// end

type right struct{ tally }

// example: right
func (b *right) do(ctx context.Context, f func() error) error {
	if b.open() {
		return errOpen
	}
	err := f()
	cancelled := errors.Is(ctx.Err(), context.Canceled) &&
		!errors.Is(err, context.DeadlineExceeded)
	if err == nil || !cancelled { // a deadline counts, whoever set it
		b.count(err != nil)
	}
	return err
}

// end

// The example of docs/breaker.md: callers of a service that hangs wait for a second, or leave.
func TestExample(t *testing.T) {
	hangs := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	waits := func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, time.Second)
	}
	leaves := func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		time.AfterFunc(time.Second, cancel)
		return ctx, cancel
	}
	type breaker interface {
		do(ctx context.Context, f func() error) error
	}
	// twenty makes so many calls, one after the other, and returns how long they take.
	twenty := func(b breaker, caller func(context.Context) (context.Context, context.CancelFunc)) (took time.Duration) {
		bubble.Run(t, func(t *testing.T) {
			start := time.Now()
			for range 20 {
				ctx, cancel := caller(t.Context())
				if err := b.do(ctx, func() error { return hangs(ctx) }); err == nil {
					t.Error("A call to a service that hangs should fail.")
				}
				cancel()
			}
			took = time.Since(start)
		})
		return took
	}
	took := [2][2]time.Duration{
		{twenty(new(wrong), waits), twenty(new(right), waits)},
		{twenty(new(wrong), leaves), twenty(new(right), leaves)},
	}
	t.Log("\n" + fmt.Sprintf("%-34s %6s %6s\n", "20 calls to a service that hangs", "wrong", "right") +
		fmt.Sprintf("%-34s %6v %6v\n", "each has a deadline of 1 s", took[0][0], took[0][1]) +
		fmt.Sprintf("%-34s %6v %6v\n", "each is cancelled after 1 s", took[1][0], took[1][1]))
	if want := [2][2]time.Duration{{20 * time.Second, 5 * time.Second}, {20 * time.Second, 20 * time.Second}}; took != want {
		t.Errorf("Only the right breaker should open, after five deadlines and after no cancellation. The calls take %v, want %v.", took, want)
	}
}
