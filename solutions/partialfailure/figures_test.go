//go:build solutions && !race

package partialfailure_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/simnet"
	"github.com/backend-kata/dojo/solutions/internal/figure"
	"github.com/backend-kata/dojo/solutions/internal/numbers"
	"github.com/backend-kata/dojo/solutions/partialfailure"
)

// Requests in each second, before, in and after the outage of TestOutage.
func TestFigureOutage(t *testing.T) {
	none, unlimited, budgeted := policies()
	without, storm, with := outage(t, none), outage(t, unlimited), outage(t, budgeted)
	rows := [][]string{{"second", "no_retries_requests", "three_attempts_requests", "three_attempts_with_budget_requests"}}
	var offered, wrong, right [][2]float64
	for i := range without {
		rows = append(rows, []string{strconv.Itoa(i), strconv.Itoa(without[i]), strconv.Itoa(storm[i]), strconv.Itoa(with[i])})
		offered = append(offered, [2]float64{float64(i), float64(without[i])})
		wrong = append(wrong, [2]float64{float64(i), float64(storm[i])})
		right = append(right, [2]float64{float64(i), float64(with[i])})
	}
	total := func(perSecond [100]int) string { n, _ := inTheOutage(perSecond); return numbers.Thousands(n) }
	figure.Current(t, "partialfailure-outage", rows, figure.Chart{
		Title:  "Three attempts triple the load; a retry budget caps it",
		Assume: "50 calls a second. Budget for the retries of a second: one, and a tenth of its first attempts.",
		Alt: "Requests per second before, in and after an outage of a minute. Without retries they stay at 50. With three attempts they jump to 150 for the " +
			"whole outage. With a retry budget they rise to 56.",
		X: figure.Axis{Label: "seconds", Scale: figure.Linear(0, 100), Ticks: figure.Even(0, 100, 20, "%g")},
		Y: figure.Axis{Label: "requests that reach the service, per second", Scale: figure.Linear(0, 180), Ticks: figure.Even(0, 150, 50, "%g")},
		Lines: []figure.Line{
			{Name: "3 attempts: " + total(storm), Role: figure.Wrong, Points: wrong, Label: figure.Place{X: 22, Y: 156}},
			{Name: "3 attempts, budget: " + total(with), Role: figure.Right, Points: right, Label: figure.Place{X: 23, Y: 64}},
			{Name: "no retries: " + total(without), Role: figure.Offered, Points: offered, Label: figure.Place{X: 23, Y: 34}},
		},
		Spans: []figure.Span{{Name: "a minute of 503", From: outageFrom.Seconds(), To: outageTo.Seconds()}},
	})
}

// A chain of services, each of which tells the next one how much time is left.
func TestFigureDeadline(t *testing.T) {
	told := map[string]int64{} // milliseconds left, by service
	var took time.Duration
	bubble.Run(t, func(t *testing.T) {
		network := &simnet.Network{Default: simnet.Link{Latency: ms}}
		// ask calls a service, if somebody waits for it, and tells it for how long.
		ask := func(ctx context.Context, from, to string) (status int) {
			deadline, _ := ctx.Deadline()
			told[to] = time.Until(deadline).Milliseconds()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+to, http.NoBody)
			if err != nil {
				return 0
			}
			req.Header.Set(partialfailure.TimeoutHeader, strconv.FormatInt(told[to], 10))
			client := network.Host(from).Client()
			defer client.CloseIdleConnections()
			resp, err := client.Do(req)
			if err != nil {
				return 0
			}
			defer resp.Body.Close()
			_, _ = io.Copy(io.Discard, resp.Body)
			return resp.StatusCode
		}
		serve := func(name string, work time.Duration, next string) {
			simnet.NewTestServer(t, network.Host(name), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				left, err := strconv.Atoi(r.Header.Get(partialfailure.TimeoutHeader))
				if err != nil || time.Duration(left)*ms < work {
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				ctx, cancel := context.WithTimeout(r.Context(), time.Duration(left)*ms)
				defer cancel()
				time.Sleep(work)
				if next != "" {
					ask(ctx, name, next) // it can do without
				}
			}))
		}
		serve("page", 100*ms, "reviews")
		serve("reviews", 150*ms, "ratings")
		serve("ratings", 400*ms, "")
		ctx, cancel := context.WithTimeout(t.Context(), 500*ms)
		defer cancel()
		start := time.Now()
		if status := ask(ctx, "browser", "page"); status != http.StatusOK {
			t.Errorf("the page answers %d, want 200 without the ratings", status)
		}
		took = time.Since(start)
	})
	left := func(service string) string { return fmt.Sprintf("%d ms left", told[service]) }
	figure.Drawn(t, "partialfailure-deadline", figure.Lanes{
		Title:  "Each hop passes on what is left",
		Assume: "1 ms each way; every connection is new.",
		Alt: fmt.Sprintf("A browser gives a page %s. The page works for 100 ms and gives reviews %s. These work for 150 ms and give ratings %s. Ratings need 400 ms and "+
			"decline at once, so the page is there after %d ms, without ratings.", left("page"), left("reviews"), left("ratings"), took.Milliseconds()),
		Parties: []string{"browser", "page", "reviews", "ratings"},
		Steps: []figure.Step{
			{From: "browser", To: "page", Words: left("page")},
			{From: "page", Words: "100 ms"},
			{From: "page", To: "reviews", Words: left("reviews")},
			{From: "reviews", Words: "150 ms"},
			{From: "reviews", To: "ratings", Words: left("ratings")},
			{From: "ratings", Words: "needs 400 ms", Role: figure.Wrong},
			{From: "ratings", To: "reviews", Words: "503, at once", Role: figure.Right},
			{From: "reviews", To: "page", Words: "200, no ratings", Role: figure.Right},
			{From: "page", To: "browser", Words: fmt.Sprintf("200 after %d ms", took.Milliseconds()), Role: figure.Right},
		},
	})
}
