//go:build solutions

package loadshed_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/loadgen"
)

// example: unlimited
// order needs a database connection for 100 ms.
func order(connections chan struct{}) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		connections <- struct{}{} // waits for as long as it takes
		time.Sleep(100 * time.Millisecond)
		<-connections
		fmt.Fprintln(w, "ordered")
	})
}

// end

// example: limited
func limit(n int, next http.Handler) http.Handler {
	slots := make(chan struct{}, n)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }() // even if next panics
			next.ServeHTTP(w, r)
		default:
			w.Header().Set("Retry-After", strconv.Itoa(1+rand.IntN(5)))
			http.Error(w, "overloaded", http.StatusServiceUnavailable)
		}
	})
}

// end

// The example of docs/loadshed.md at twice the capacity, with and without a limit.
func TestExample(t *testing.T) {
	all := twiceTheCapacity(t, func() http.Handler { return order(make(chan struct{}, 10)) })
	limited := twiceTheCapacity(t, func() http.Handler { return limit(30, order(make(chan struct{}, 10))) })
	line := func(name string, r *loadgen.Report) string {
		return fmt.Sprintf("%-18s %6d %12d %10d %6d\n", name, r.Sent, r.Good, r.Late, r.Refused)
	}
	t.Log("\n" + fmt.Sprintf("%-18s %6s %12s %10s %6s\n", "handler", "sent", "200 in 1 s", "200 later", "503") +
		line("order", all) + line("limit(30, order)", limited))
	if 10*all.Good > all.Sent || all.Refused > 0 {
		t.Errorf("Without a limit %d of %d answers come in time and %d requests are refused. Nearly all should come late.", all.Good, all.Sent, all.Refused)
	}
	if limited.Late > 0 || limited.Good < 1900 {
		t.Errorf("With a limit %d answers come in time and %d late. The server should do its full work, and all of it in time.", limited.Good, limited.Late)
	}
}

// twiceTheCapacity sends 200 requests a second for 20 s.
func twiceTheCapacity(t *testing.T, open func() http.Handler) (r *loadgen.Report) {
	bubble.Run(t, func(t *testing.T) {
		send := loadgen.Handler(open(), func(ctx context.Context, _ int) *http.Request {
			return httptest.NewRequestWithContext(ctx, http.MethodPost, "http://shop.test/order", http.NoBody)
		})
		r = loadgen.Open{Arrivals: loadgen.Steady(200, 20*time.Second).Poisson(1), Objective: time.Second}.Run(t.Context(), send)
	})
	return r
}
