package loadgen

import (
	"context"
	"errors"
	"time"
)

// Retry makes users of requests: they do not wait for ever, and they try again.
// Each attempt has a context that ends after timeout, and then the user turns away
// from it, although the attempt itself may go on. The next one starts as long
// after that, or after an error, as a [*RefusedError] asks for, or else at
// once, until one succeeds or all attempts are used up. The result is that of the
// last one. Each attempt at a request has the request's number.
//
// Such users turn a short overload into a lasting one: what was given up is
// still worked on, and is asked for again (Bronson, Aghayev, Charapko and Zhu,
// Metastable Failures in Distributed Systems, HotOS 2021).
func Retry(send Send, timeout time.Duration, attempts int) Send {
	return func(ctx context.Context, n int) (err error) {
		for attempt := range attempts {
			if attempt > 0 && !pause(ctx, err) {
				break
			}
			if err = try(ctx, send, timeout, n); err == nil {
				break
			}
		}
		return err
	}
}

func pause(ctx context.Context, err error) bool {
	refused, ok := errors.AsType[*RefusedError](err)
	if !ok || refused.After == 0 {
		return ctx.Err() == nil
	}
	select {
	case <-time.After(refused.After):
		return true
	case <-ctx.Done():
		return false
	}
}

func try(ctx context.Context, send Send, timeout time.Duration, n int) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answer := make(chan error, 1)
	go func() { answer <- send(ctx, n) }()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
