package loadgen_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/loadgen"
)

// A pool of connections is a queue with several servers. How long do queries wait
// for a connection when there are four, each query takes 20 ms on average, and
// traffic grows? The pool is simulated in virtual time, three minutes for each
// load.
func TestExamplePool(t *testing.T) {
	for _, tt := range []struct {
		load     float64 // of what four connections can do, which is 200 queries a second
		atMost99 time.Duration
	}{
		{0.5, 120 * time.Millisecond},
		{0.8, 200 * time.Millisecond},
		{0.95, 600 * time.Millisecond},
	} {
		bubble.Run(t, func(t *testing.T) {
			pool := loadgen.NewStation(4)
			query := func(_ context.Context, n int) error {
				takes := 20 * rand.New(rand.NewPCG(uint64(n), 20)).ExpFloat64()
				pool.Do(time.Duration(takes * float64(time.Millisecond)))
				return nil
			}
			report := loadgen.Open{Arrivals: loadgen.Steady(200*tt.load, 3*time.Minute).Poisson(4)}.Run(t.Context(), query)
			loadgen.Expect(t, report, loadgen.Want{Share: 1, P99: tt.atMost99})
		})
	}
}

func ExamplePattern_Even() {
	lunch := loadgen.Spike(1, 4, 2*time.Second, time.Second, 2*time.Second)
	for due := range lunch.Even() {
		fmt.Print(due, " ")
	}
	// Output: 0s 1s 2s 2.25s 2.5s 2.75s 3s 4s
}

// In real time, through a real client to a real server. Without an objective
// every answer is good, so that the numbers do not depend on the machine.
func ExampleOpen() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("n") == "3" {
			http.Error(w, "come back later", http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()

	get := func(_ context.Context, n int) error {
		answer, err := server.Client().Get(fmt.Sprintf("%s/?n=%d", server.URL, n))
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			return err
		}
		return loadgen.Answer(answer.StatusCode, answer.Header)
	}
	report := loadgen.Open{Arrivals: loadgen.Steady(1000, 10*time.Millisecond).Even()}.Run(context.Background(), get)
	fmt.Println(report.Sent, "sent,", report.Good, "good,", report.Refused, "refused")
	for _, e := range report.Errors {
		fmt.Println(e.Count, "×", e.Text)
	}
	// Output:
	// 10 sent, 9 good, 1 refused
	// 1 × status 503: refused
}
