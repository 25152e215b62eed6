package loadgen_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/loadgen"
)

func TestStation(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		start, s := time.Now(), loadgen.NewStation(2)
		ended := make(chan string, 10)
		enter := func(n int) {
			go func() {
				s.Do(time.Second)
				ended <- fmt.Sprintf("%d:%v", n, time.Since(start))
			}()
			time.Sleep(time.Millisecond) // so that the order is certain
		}
		expect := func(why string, want ...string) {
			t.Helper()
			synctest.Wait()
			var got []string
			for len(ended) > 0 {
				got = append(got, <-ended)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: ended %v, want %v", why, got, want)
			}
		}
		for n := range 5 {
			enter(n)
		}
		if n := s.Waiting(); n != 3 {
			t.Errorf("%d wait, want 3 behind two workers", n)
		}
		time.Sleep(2 * time.Second)
		expect("in order, two at a time", "0:1s", "1:1.001s", "2:2s", "3:2.001s")
		s.Add(-1) // 4 goes on, and the one idle worker goes
		enter(5)
		time.Sleep(3 * time.Second)
		expect("one worker left", "4:3s", "5:4s")
		s.Add(2)
		for n := range 4 {
			enter(n)
		}
		s.Add(1) // the one who waits is served
		time.Sleep(2 * time.Second)
		expect("four workers", "0:6.006s", "1:6.007s", "2:6.008s", "3:6.01s")
	})
}

func TestRetry(t *testing.T) {
	busy := &loadgen.RefusedError{Status: http.StatusServiceUnavailable, After: 3 * time.Second}
	broken := errors.New("broken")
	tests := []struct {
		name    string
		answers []error // of the attempts; nil after the last
		takes   time.Duration
		want    error
		tries   int
		lasts   time.Duration
		why     string
	}{
		{"served", nil, time.Second, nil, 1, time.Second, "one attempt is enough"},
		{"told to wait", []error{busy, busy}, 0, nil, 3, 6 * time.Second, "Retry-After is obeyed"},
		{"broken", []error{broken, broken}, time.Second, nil, 3, 3 * time.Second, "nothing says to wait"},
		{"refused for good", []error{busy, busy, busy, busy}, 0, loadgen.ErrRefused, 3, 6 * time.Second, "three attempts, two waits"},
		{"too slow", nil, time.Minute, context.DeadlineExceeded, 3, 6 * time.Second, "2 s each, whatever the server does"},
	}
	for _, tt := range tests {
		bubble.Run(t, func(t *testing.T) {
			var tried atomic.Int64
			start := time.Now()
			err := loadgen.Retry(func(_ context.Context, n int) error {
				k := int(tried.Add(1))
				time.Sleep(tt.takes)
				if n != 7 {
					t.Errorf("%s: an attempt has the number %d, want 7", tt.name, n)
				}
				if k <= len(tt.answers) {
					return tt.answers[k-1]
				}
				return nil
			}, 2*time.Second, 3)(t.Context(), 7)
			tries := int(tried.Load())
			if !errors.Is(err, tt.want) || tries != tt.tries || time.Since(start) != tt.lasts {
				t.Errorf("%s: got %v after %d attempts and %v, want %v, %d and %v: %s", tt.name, err, tries, time.Since(start), tt.want, tt.tries, tt.lasts, tt.why)
			}
			time.Sleep(time.Hour) // attempts that were given up end too
		})
	}
	bubble.Run(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var tried atomic.Int64
		start := time.Now()
		err := loadgen.Retry(func(context.Context, int) error { tried.Add(1); return busy }, 2*time.Second, 3)(ctx, 0)
		tries := tried.Load()
		if !errors.Is(err, loadgen.ErrRefused) || tries != 1 || time.Since(start) != time.Second {
			t.Errorf("the run ended: got %v after %d attempts and %v, want a refusal, 1 and 1s", err, tries, time.Since(start))
		}
	})
}

func TestAnswer(t *testing.T) {
	for _, tt := range []struct {
		retryAfter string
		want       time.Duration
		why        string
	}{
		{"", 0, "none was given"}, {"7", 7 * time.Second, "seconds"}, {"-7", 0, "nonsense"}, {"Wed, 21 Oct 2026 07:28:00 GMT", 0, "a date"},
	} {
		err := loadgen.Answer(http.StatusServiceUnavailable, http.Header{"Retry-After": {tt.retryAfter}})
		refused, ok := errors.AsType[*loadgen.RefusedError](err)
		if !ok || refused.After != tt.want || !errors.Is(err, loadgen.ErrRefused) || !strings.Contains(err.Error(), "status 503: refused") {
			t.Errorf("%q: got %v, want to come back after %v: %s", tt.retryAfter, err, tt.want, tt.why)
		}
	}
}
