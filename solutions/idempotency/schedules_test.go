//go:build solutions

package idempotency_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/interleave"
	"github.com/backend-kata/dojo/solutions/idempotency"
)

// The answer page says how many schedules there are. This counts them.
func TestSchedules(t *testing.T) {
	for clients, want := range map[int]int{2: 30, 3: 2016} {
		r := interleave.ExploreWithin(t, want, func(t *testing.T, s *interleave.Schedule) {
			var runs atomic.Int32
			h := idempotency.New(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				s.Point("charge")
				runs.Add(1)
			}), idempotency.Config{Store: &store{point: s.Point, values: map[string]value{}}})
			for c := range clients {
				s.Go(fmt.Sprint(c), func() {
					r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/payments", strings.NewReader("5.00 EUR"))
					r.Header.Set("Idempotency-Key", `"k1"`)
					h.ServeHTTP(httptest.NewRecorder(), r)
				})
			}
			s.Run()
			if runs.Load() != 1 {
				t.Errorf("the handler ran %d times, want once", runs.Load())
			}
		})
		if r.Schedules != want || !r.Exhausted {
			t.Errorf("%d clients: %+v, and docs/idempotency.md says %d schedules, all of them", clients, r, want)
		}
	}
}

// A store keeps everything, and has a point before each operation.
type store struct {
	point  func(format string, args ...any)
	mu     sync.Mutex // guards the rest
	values map[string]value
	last   int64
}

type value struct {
	bytes   []byte
	version int64
}

func (s *store) Get(_ context.Context, key string) ([]byte, int64, error) {
	s.point("Get")
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[key].bytes, s.values[key].version, nil
}

func (s *store) Put(_ context.Context, key string, bytes []byte, _ time.Duration) (int64, error) {
	s.point("Put")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	s.values[key] = value{bytes, s.last}
	return s.last, nil
}

func (s *store) PutIf(_ context.Context, key string, version int64, bytes []byte, _ time.Duration) (int64, error) {
	s.point("PutIf")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.values[key].version != version {
		return 0, idempotency.ErrChanged
	}
	s.last++
	s.values[key] = value{bytes, s.last}
	return s.last, nil
}

func (s *store) DeleteIf(_ context.Context, key string, version int64) error {
	s.point("DeleteIf")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.values[key].version != version {
		return idempotency.ErrChanged
	}
	delete(s.values, key)
	return nil
}
