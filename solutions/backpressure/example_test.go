//go:build solutions

package backpressure_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
)

// The examples of docs/backpressure.md: a handler takes orders, and a worker
// prints 10 of them a second.

type order struct{ came time.Time }

func orderOf(*http.Request) order { return order{time.Now()} }

// takeAll accepts whatever comes. The printer is a channel of one place.
func takeAll(printer chan struct{}, process func(order)) http.HandlerFunc {
	// example: a-goroutine-for-each
	return func(w http.ResponseWriter, r *http.Request) {
		o := orderOf(r)
		go func() {
			printer <- struct{}{} // one at a time; any number waits here
			process(o)
			<-printer
		}()
		w.WriteHeader(http.StatusAccepted)
	}
	// end
}

// takeWhatFits has a queue, which a goroutine empties.
func takeWhatFits(queue chan<- order) http.HandlerFunc {
	// example: a-bounded-queue
	// queue := make(chan order, 20): 2 s of work, at 10 a second
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case queue <- orderOf(r):
			w.WriteHeader(http.StatusAccepted)
		default: // full
			w.Header().Set("Retry-After", "2")
			http.Error(w, "try again later", http.StatusServiceUnavailable)
		}
	}
	// end
}

// send is for a producer that can wait.
func send(ctx context.Context, queue chan<- order, o order) error {
	// example: wait-for-room
	if err := ctx.Err(); err != nil {
		return err // the select might send all the same
	}
	select {
	case queue <- o: // waits while the queue is full
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	// end
}

// Fifteen orders a second, for a minute.
func TestExample(t *testing.T) {
	const orders, perSecond = 900, 15
	type result struct{ accepted, refused, waiting, longest int }
	run := func(t *testing.T, front func(process func(order)) (http.HandlerFunc, func())) (got result) {
		t.Helper()
		bubble.Run(t, func(t *testing.T) {
			var mu sync.Mutex // guards what follows: virtual time orders nothing in the detector's eyes
			var longest time.Duration
			begun := 0
			handler, stop := front(func(o order) {
				mu.Lock()
				begun++
				longest = max(longest, time.Since(o.came))
				mu.Unlock()
				time.Sleep(100 * time.Millisecond)
			})
			for range orders {
				w := httptest.NewRecorder()
				handler(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/orders", nil))
				switch w.Code {
				case http.StatusAccepted:
					got.accepted++
				case http.StatusServiceUnavailable:
					got.refused++
				}
				time.Sleep(time.Second / perSecond)
			}
			mu.Lock()
			got.waiting = got.accepted - begun
			mu.Unlock()
			stop()
			time.Sleep(time.Hour) // what was accepted is printed
			mu.Lock()
			defer mu.Unlock()
			if begun != got.accepted {
				t.Errorf("accepted %d, printed %d", got.accepted, begun)
			}
			got.longest = int(longest.Round(time.Second).Seconds())
		})
		return got
	}
	all := run(t, func(process func(order)) (http.HandlerFunc, func()) {
		return takeAll(make(chan struct{}, 1), process), func() {}
	})
	fits := run(t, func(process func(order)) (http.HandlerFunc, func()) {
		queue := make(chan order, 20)
		go func() {
			for o := range queue {
				process(o)
			}
		}()
		return takeWhatFits(queue), func() { close(queue) }
	})
	if all.refused != 0 || all.waiting < 290 || all.longest < 29 {
		t.Errorf("a goroutine for each: %+v", all)
	}
	if fits.refused < 250 || fits.waiting > 20 || fits.longest != 2 {
		t.Errorf("a bounded queue: %+v", fits)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%-22s%4s%6s%22s%15s\n", "an order goes to", "202", "503", "waiting at the end", "longest wait")
	for _, row := range []struct {
		name string
		result
	}{{"a goroutine for each", all}, {"a queue of 20", fits}} {
		fmt.Fprintf(&text, "%-22s%4d%6d%22d%13d s\n", row.name, row.accepted, row.refused, row.waiting, row.longest)
	}
	t.Log("\n" + text.String())
}

func TestWaitingProducer(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		queue := make(chan order, 1)
		if err := send(t.Context(), queue, order{}); err != nil {
			t.Errorf("there is room: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := send(ctx, queue, order{}); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("the queue is full for longer than the context lasts: %v after %v", err, time.Since(start))
		}
		<-queue
		for range 200 { // a select takes either, by chance
			if send(ctx, queue, order{}) == nil {
				t.Fatal("there is room, but the context has ended")
			}
		}
	})
}
