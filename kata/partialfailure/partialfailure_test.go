package partialfailure_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/backend-kata/dojo/kata/partialfailure"
	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/simnet"
)

// The parts are fetched side by side: a page takes as long as its slowest part, not as long as all of them.
func TestSideBySide(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		for i, name := range names {
			s.answers(name, always(reply{takes: time.Duration(i+1) * 100 * ms}))
		}
		c := partialfailure.New(s.config())
		got := s.call(t, c, productPage())
		require.NotEmpty(t, got.page.Parts, "all services answer, and the page was expected to have parts%s", s.story())
		require.Less(t, got.took, 450*ms, "the parts take 100 to 400 ms, and the page was expected to take as long as the slowest%s", s.story())
		s.whole(t, got, productPage(), "all services answer")

		s.answers("reviews", always(reply{status: http.StatusCreated, body: "five stars"}))
		got = s.call(t, c, []partialfailure.Part{{Name: "opinions", Method: http.MethodPost, URL: "http://reviews/search", Body: []byte("about=7")}})
		require.NoError(t, got.err, "a part that is fetched by POST and answered 201 was expected to be here%s", s.story())
		require.Equal(t, "five stars", string(got.page.Parts["opinions"]), "a part was expected to go by its own name%s", s.story())
		require.Equal(t, []string{"about=7"}, s.bodies("reviews"), "the service was expected to get the body of the request")
		s.closes(t)
	})

	// All parts arrive in the same instant, on all processors at once.
	for range 20 {
		bubble.Run(t, func(t *testing.T) {
			s := open(t)
			s.whole(t, s.call(t, partialfailure.New(s.config()), productPage()), productPage(), "all services answer")
			s.closes(t)
		})
	}
}

// A required part that fails fails the page at once; an optional one is left out, and named.
// What is still under way then is given up.
func TestRequiredAndOptional(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		c := partialfailure.New(s.config())
		s.answers("reviews", always(reply{status: http.StatusNotFound}))
		s.services["stock"].server.Close()
		got := s.call(t, c, productPage())
		require.Equal(t, "product/7 price/7", fmt.Sprintf("%s %s", got.page.Parts["product"], got.page.Parts["price"]), "the page was expected to have the parts that are to be had%s", s.story())
		failed := s.missing(t, got, "reviews", "the service answered 404")
		require.Equal(t, "404 after 1", fmt.Sprintf("%d after %d", failed.Status, failed.Attempts), "the *PartError was expected to have the status and the number of attempts")
		require.NoError(t, failed.Err, "there was an answer, and Err was expected to be nil")
		failed = s.missing(t, got, "stock", "nobody listens there")
		require.ErrorIs(t, failed, syscall.ECONNREFUSED, "the *PartError was expected to wrap the error of the client")
		require.Zero(t, failed.Status, "there was no answer, and so no status")
		s.closes(t)
	})
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		c := partialfailure.New(s.config())
		s.answers("price", always(reply{status: http.StatusInternalServerError, takes: 50 * ms}))
		s.answers("stock", always(reply{hangs: true}))
		got := s.call(t, c, productPage())
		require.Error(t, got.err, "the price is required, and the page was expected to fail without it%s", s.story())
		failed := s.partError(t, got.err, "price", "the service answered 500")
		require.Equal(t, http.StatusInternalServerError, failed.Status, "the *PartError was expected to have the status of the answer%s", s.story())
		require.Less(t, got.took, 100*ms, "the price failed after 50 ms, and the page was expected to fail at once, not to wait for the rest%s", s.story())
		require.Empty(t, got.page.Parts, "a page that failed was expected to be empty")
		require.Zero(t, s.busy("stock"), "the page has failed, and the request for the stock was expected to be given up%s", s.story())
		s.closes(t)
	})
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		c := partialfailure.New(s.config())
		s.answers("reviews", always(reply{hangs: true}))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*ms, cancel)
		got := s.callWith(ctx, t, c, productPage())
		require.ErrorIs(t, got.err, context.Canceled, "the caller is gone, and Page was expected to say so, not to return half a page%s", s.story())
		require.Equal(t, 100*ms, got.took, "the caller was gone after 100 ms, and Page was expected to return at once%s", s.story())
		require.Zero(t, s.busy("reviews"), "the request for the reviews was expected to be given up%s", s.story())
		s.closes(t)
	})
}

// One deadline holds for the whole page: it is never exceeded, and every request says how much of it remains.
func TestDeadline(t *testing.T) {
	for _, tt := range []struct {
		hangs reply
		why   string
	}{
		{reply{hangs: true}, "the service does not answer"},
		{reply{endless: true}, "the header came, and the body does not end"},
	} {
		bubble.Run(t, func(t *testing.T) {
			s := open(t)
			c := partialfailure.New(s.config())
			s.answers("reviews", always(tt.hangs))
			got := s.call(t, c, productPage())
			require.LessOrEqual(t, got.took, time.Second, "%s, and the page was expected after its Timeout of 1 s%s", tt.why, s.story())
			failed := s.missing(t, got, "reviews", tt.why)
			require.ErrorIs(t, failed, context.DeadlineExceeded, "the time was over, and the *PartError was expected to say so%s", s.story())
			require.Len(t, got.page.Parts, 3, "the three other parts were expected to be here%s", s.story())
			for _, q := range s.requests("product") {
				require.Equal(t, "1000", q.left, "the request was expected to say how many milliseconds the caller waits%s", s.story())
			}
			require.Zero(t, s.busy("reviews"), "the request for the reviews was expected to be given up%s", s.story())
			s.closes(t)
		})
	}
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		cfg := s.config()
		cfg.MaxAttempts, cfg.AttemptTimeout, cfg.BackoffBase = 5, 400*ms, 2*time.Microsecond // next to no pause
		s.answers("price", always(reply{hangs: true}))
		got := s.call(t, partialfailure.New(cfg), productPage())
		require.LessOrEqual(t, got.took, time.Second, "the price is not to be had, and the page was expected to fail after its Timeout of 1 s, with all attempts together%s", s.story())
		var left []string
		for _, q := range s.requests("price") {
			left = append(left, q.left)
		}
		require.Equal(t, []string{"400", "400", "199"}, left, "an attempt may take 400 ms, and the page 1 s: each request was expected to say what remains for it%s", s.story())
		failed := s.partError(t, got.err, "price", "the service does not answer")
		require.ErrorIs(t, failed, context.DeadlineExceeded, "the time was over, and the *PartError was expected to say so%s", s.story())
		s.closes(t)
	})
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		ctx, cancel := context.WithTimeout(t.Context(), 300*ms+900*time.Microsecond)
		defer cancel()
		s.answers("reviews", always(reply{hangs: true}))
		got := s.callWith(ctx, t, partialfailure.New(s.config()), productPage())
		require.LessOrEqual(t, got.took, 301*ms, "the caller waits for 300.9 ms, and the page was expected by then%s", s.story())
		s.missing(t, got, "reviews", "the service does not answer")
		require.Equal(t, "300", s.requests("reviews")[0].left, "the caller's deadline is sooner than Timeout, and the request was expected to say so, rounded down%s", s.story())
		s.closes(t)
	})
}

// Tried again is only what is safe to repeat and worth repeating.
func TestWhatIsTriedAgain(t *testing.T) {
	tests := []struct {
		method string
		first  reply
		fault  simnet.Fault
		want   int
		why    string
	}{
		{"", reply{status: 503}, 0, 2, "503 says that the service may be back soon, and GET is safe"},
		{"GET", reply{status: 429}, 0, 2, "429 asks for fewer requests, and a later one may be welcome"},
		{"GET", reply{status: 502}, 0, 2, "502 is a gateway that got a bad answer"},
		{"GET", reply{status: 504}, 0, 2, "504 is a gateway that got no answer in time"},
		{"PUT", reply{status: 503}, 0, 2, "PUT is idempotent"},
		{"DELETE", reply{status: 503}, 0, 2, "DELETE is idempotent"},
		{"GET", reply{status: 500}, 0, 1, "500 is an error in the service, which will make it again"},
		{"GET", reply{status: 404}, 0, 1, "404 is an answer"},
		{"GET", reply{status: 400}, 0, 1, "400 says that the request is wrong, and it stays so"},
		{"POST", reply{status: 503}, 0, 1, "POST is not idempotent, and nobody knows what the service did"},
		{"PATCH", reply{status: 502}, 0, 1, "PATCH is not idempotent"},
		{"GET", reply{hangs: true}, 0, 2, "the attempt ran out of time, and GET is safe"},
		{"GET", reply{endless: true}, 0, 2, "the answer did not end in time, and GET is safe"},
		{"POST", reply{hangs: true}, 0, 1, "the attempt ran out of time, and the service may have done it"},
		{"GET", reply{}, simnet.Reset, 2, "the connection was reset, and GET is safe"},
		{"POST", reply{}, simnet.Reset, 1, "the connection was reset after the request was sent"},
		{"GET", reply{}, simnet.Refuse, 2, "the connection was refused"},
		{"POST", reply{}, simnet.Refuse, 2, "the connection was refused, so nothing was sent and nothing done"},
	}
	for _, tt := range tests {
		bubble.Run(t, func(t *testing.T) {
			s := open(t)
			cfg := s.config()
			cfg.MaxAttempts, cfg.AttemptTimeout = 3, 200*ms
			s.answers("stock", inTurn(tt.first))
			s.network.Fail("page", "stock", tt.fault)
			time.AfterFunc(20*ms, func() { s.network.Heal("page", "stock") })
			parts := []partialfailure.Part{{Name: "stock", Method: tt.method, URL: "http://stock/7", Body: []byte("the whole body")}}
			got := s.call(t, partialfailure.New(cfg), parts)
			require.Equal(t, tt.want, s.toStock(), "expected %d attempts, since %s%s", tt.want, tt.why, s.story())
			if tt.want > 1 {
				s.whole(t, got, parts, "the second attempt went well")
			} else {
				failed := s.missing(t, got, "stock", tt.why)
				require.Equal(t, 1, failed.Attempts, "the *PartError was expected to have the number of attempts%s", s.story())
				require.Equal(t, tt.first.status, failed.Status, "the *PartError was expected to have the status of the answer, or none%s", s.story())
			}
			for _, body := range s.bodies("stock") {
				require.Equal(t, "the whole body", body, "each attempt was expected to send the whole body%s", s.story())
			}
			s.closes(t)
		})
	}
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		cfg := s.config()
		cfg.MaxAttempts = 3
		s.answers("stock", always(reply{status: 503}))
		failed := s.missing(t, s.call(t, partialfailure.New(cfg), part("stock")), "stock", "the service answers 503 each time")
		require.Equal(t, 3, s.toStock(), "no more than MaxAttempts, 3, were expected%s", s.story())
		require.Equal(t, "503 after 3", fmt.Sprintf("%d after %d", failed.Status, failed.Attempts), "the *PartError was expected to have the last status and the number of attempts")
		s.closes(t)
	})
}

// Before it is tried again there is a pause, exponential with full jitter, and never shorter than the service asked for.
// A pause for which there is no time is not begun.
func TestWhenItIsTriedAgain(t *testing.T) {
	busy := func(retryAfter string) reply { return reply{status: 503, retryAfter: retryAfter} }
	tests := []struct {
		rand    []float64
		replies []reply
		timeout time.Duration
		want    []time.Duration
		why     string
	}{
		{
			[]float64{0.5, 0.5, 0.5, 0.5},
			[]reply{busy(""), busy(""), busy(""), busy("")},
			time.Minute,
			[]time.Duration{50 * ms, 100 * ms, 150 * ms, 150 * ms},
			"the bound is 100 ms, doubles, and stays at 300 ms, and Rand says half of it",
		},
		{
			[]float64{0.01, 0.25, 0.75, 0.02},
			[]reply{busy(""), busy(""), busy(""), busy("")},
			time.Minute,
			[]time.Duration{ms, 50 * ms, 225 * ms, 6 * ms},
			"full jitter takes any part of the bound, next to none included",
		},
		{
			[]float64{0.5, 0.5},
			[]reply{busy("2"), busy("")},
			time.Minute,
			[]time.Duration{2 * time.Second, 100 * ms},
			"the service asked for 2 s, and then for nothing",
		},
		{
			[]float64{0.5, 0.5},
			[]reply{busy("0"), busy("soon")},
			time.Minute,
			[]time.Duration{50 * ms, 100 * ms},
			"the service asked for 0 s, which the pause is longer than, and then for nothing that can be read",
		},
		{
			[]float64{0.5},
			[]reply{{status: 429, retryAfter: "3"}},
			time.Minute,
			[]time.Duration{3 * time.Second},
			"429 may ask for a pause too",
		},
		{
			[]float64{0.5},
			[]reply{busy("5")},
			5 * time.Second,
			nil,
			"the service asked for 5 s, and the page has less",
		},
		{
			[]float64{0.5},
			[]reply{busy("5")},
			5*time.Second + 4*latency,
			nil,
			"the service asked for 5 s, which is all that the page has left",
		},
		{
			[]float64{0.5, 0.5, 0.5},
			[]reply{busy(""), busy(""), busy("")},
			200 * ms,
			[]time.Duration{50 * ms, 100 * ms},
			"the third pause of 150 ms would end after the page's 200 ms",
		},
	}
	for _, tt := range tests {
		bubble.Run(t, func(t *testing.T) {
			s := open(t)
			s.answers("stock", inTurn(tt.replies...))
			got := s.call(t, partialfailure.New(s.pausing(tt.timeout, tt.rand)), part("stock"))
			pauses, ended := s.pauses("stock")
			require.Positive(t, s.toStock(), "the page asks for the stock, and a request to its service was expected; there was none%s", s.story())
			require.Equal(t, tt.want, pauses, "the pauses were expected to be %v, since %s%s", tt.want, tt.why, s.story())
			if len(pauses) < len(tt.replies) {
				s.missing(t, got, "stock", tt.why)
				require.Equal(t, ended, got.took, "no pause is left for which there is time, and the part was expected to fail at once%s", s.story())
			} else {
				s.whole(t, got, part("stock"), "the last attempt went well")
			}
			s.closes(t)
		})
	}
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		until := s.start.Add(4 * time.Second).UTC().Truncate(time.Second)
		s.answers("stock", inTurn(busy(until.Format(http.TimeFormat))))
		s.whole(t, s.call(t, partialfailure.New(s.pausing(time.Minute, []float64{0.5})), part("stock")), part("stock"), "the second attempt went well")
		require.Equal(t, until.Sub(s.start), s.requests("stock")[1].sent, "the service gave a date as Retry-After, and the second attempt was expected then%s", s.story())
		s.closes(t)
	})
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		s.answers("stock", inTurn(busy("30")))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Second, cancel)
		got := s.callWith(ctx, t, partialfailure.New(s.pausing(time.Minute, []float64{0.5})), part("stock"))
		require.ErrorIs(t, got.err, context.Canceled, "the caller is gone, and Page was expected to say so%s", s.story())
		require.Equal(t, 10*time.Second, got.took, "the caller was gone in the middle of a pause, and Page was expected to return at once%s", s.story())
		s.closes(t)
		require.Equal(t, 1, s.toStock(), "Page has returned, and no request of it was expected after that%s", s.story())
	})
}

// pausing is a configuration with these random numbers in a row.
func (s *shop) pausing(timeout time.Duration, numbers []float64) partialfailure.Config {
	cfg := s.config()
	cfg.Timeout, cfg.MaxAttempts, cfg.BackoffCap = timeout, 10, 300*ms
	var mu sync.Mutex
	cfg.Rand = func() float64 {
		mu.Lock()
		defer mu.Unlock()
		if len(numbers) == 0 {
			return 0.99 // more than were to be asked for
		}
		n := numbers[0]
		numbers = numbers[1:]
		return n
	}
	return cfg
}

// pauses returns how long after the end of each attempt the next one came, and
// when the last ended.
func (s *shop) pauses(host string) (pauses []time.Duration, ended time.Duration) {
	for i, q := range s.requests(host) {
		if i > 0 {
			pauses = append(pauses, q.sent-ended)
		}
		ended = q.ended
	}
	return pauses, ended
}

// A total outage raises the load by a tenth at most, after a floor: there is a budget for retries.
// It is each host's own, and whole again when the host has been quiet.
func TestRetryBudget(t *testing.T) {
	const floor, window = 5, 10 * time.Second
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		cfg := s.config()
		cfg.MaxAttempts, cfg.RetryFloor, cfg.RetryWindow = 3, floor, window
		cfg.BackoffBase = 2 * time.Microsecond // so that it hardly matters whether a retry counts before its pause or after
		c := partialfailure.New(cfg)
		hiccups := func(host, why string) {
			t.Helper()
			s.answers(host, func(n int, _ *http.Request) reply {
				if n%2 == 1 {
					return reply{status: 503}
				}
				return reply{}
			})
			for range floor {
				s.whole(t, s.call(t, c, part(host)), part(host), "the first attempt failed, and there is budget for a retry: "+why)
			}
		}
		s.answers("stock", always(reply{status: 503, retryAfter: "60"}))
		for range 2 * floor {
			s.missing(t, s.call(t, c, part("stock")), "stock", "the service asked for a longer pause than there is time")
		}
		hiccups("stock", "five are always allowed, and none has been made yet")
		time.Sleep(2 * window)

		s.answers("stock", always(reply{status: 503}))
		before := s.toStock()
		var pages sync.WaitGroup
		for i := range 600 {
			pages.Go(func() {
				_, _ = c.Page(t.Context(), []partialfailure.Part{{Name: fmt.Sprint("part ", i), URL: fmt.Sprintf("http://stock/%d", i)}})
			})
			if i == 300 {
				hiccups("price", "the outage of the stock is not the price's")
			}
			time.Sleep(50 * ms)
		}
		pages.Wait()
		outage := s.requests("stock")[before:]
		require.GreaterOrEqual(t, len(outage), 600+floor, "in an outage of 30 s with 600 pages, at least the floor of %d retries was expected; there were %d requests%s", floor, len(outage), s.story())
		s.withinBudget(t, outage, floor, window)

		time.Sleep(2 * window)
		hiccups("stock", "the outage is over, and for two windows there was no retry")
		s.closes(t)
	})
}

// withinBudget looks at every window that ends with a retry.
func (s *shop) withinBudget(t *testing.T, all []request, floor int, window time.Duration) {
	t.Helper()
	seen := map[string]bool{}
	retry := make([]bool, len(all))
	for i, q := range all {
		retry[i], seen[q.path] = seen[q.path], true
	}
	for i, last := range all {
		if !retry[i] {
			continue
		}
		firsts, retries := 0, 0
		for k, q := range all {
			switch {
			case q.sent <= last.sent-window || q.sent > last.sent:
			case retry[k]:
				retries++
			default:
				firsts++
			}
		}
		require.LessOrEqual(t, retries, floor+firsts/10, "in the %v until %v there were %d first attempts to the stock: with the floor of %d at most %d second ones were expected beside them, and there were %d%s",
			window, last.sent, firsts, floor, floor+firsts/10, retries, s.story())
	}
}

// When the network is cut the page is there in time without the parts behind the cut, and whole again when it has healed.
// Nothing is left open: no answer, no goroutine, no connection.
func TestPartitionAndHeal(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		cfg := s.config()
		cfg.MaxAttempts, cfg.AttemptTimeout = 3, 300*ms
		c := partialfailure.New(cfg)
		s.whole(t, s.call(t, c, productPage()), productPage(), "all services answer")

		s.network.Partition("page", "stock")
		s.network.Fail("reviews", "page", simnet.BlackHole) // requests arrive, and answers do not
		for range 20 {
			got := s.call(t, c, productPage())
			for _, name := range []string{"stock", "reviews"} {
				failed := s.missing(t, got, name, "the network is cut")
				require.ErrorIs(t, failed, context.DeadlineExceeded, "nothing came back, and the *PartError was expected to say that time was over%s", s.story())
			}
			require.Len(t, got.page.Parts, 2, "the parts on this side of the cut were expected to be here%s", s.story())
			require.LessOrEqual(t, got.took, time.Second, "the page was expected within its Timeout%s", s.story())
			time.Sleep(time.Second)
		}
		s.network.Heal("page", "stock")
		s.network.Heal("page", "reviews")
		time.Sleep(time.Second)
		s.whole(t, s.call(t, c, productPage()), productPage(), "the network has healed")
		for _, name := range names {
			require.Zero(t, s.busy(name), "no request was expected to be left at the service %s%s", name, s.story())
		}
		s.closes(t)
	})

	// Answers that are not used are read to their end, so one connection serves for all.
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		cfg := s.config()
		cfg.MaxAttempts = 3
		c := partialfailure.New(cfg)
		s.answers("stock", func(n int, _ *http.Request) reply {
			if n%3 == 0 {
				return reply{}
			}
			return reply{status: 503, body: strings.Repeat("sorry ", 10_000)}
		})
		for range 5 {
			s.whole(t, s.call(t, c, part("stock")), part("stock"), "the third attempt went well")
		}
		dials := strings.Count(s.network.Trace(), "dials")
		require.Equal(t, 1, dials, "15 requests, one after the other, were expected to need one connection, since each answer was read to its end; there were %d%s", dials, s.story())
		s.closes(t)
	})
}

// A hedge cuts the tail: when the first request is slow a second one is sent, the first good answer wins, and the other request is given up.
// Hedges come out of the retry budget.
func TestFurtherHedging(t *testing.T) {
	tests := []struct {
		method  string
		replies []reply
		want    int
		took    time.Duration // without the network
		why     string
	}{
		{"GET", []reply{{takes: 40 * ms}}, 1, 40 * ms, "the answer came within the 50 ms"},
		{"GET", []reply{{hangs: true}, {}}, 2, 50 * ms, "the second request was answered at once"},
		{"GET", []reply{{takes: 200 * ms}, {hangs: true}}, 2, 200 * ms, "the second request hangs, and the first was answered"},
		{"GET", []reply{{takes: 200 * ms}, {status: 500}}, 2, 200 * ms, "the second request failed, and the first was answered"},
		{"GET", []reply{{takes: 100 * ms, status: 500}, {takes: 100 * ms}}, 2, 150 * ms, "the first request failed, and the second was answered"},
		{"POST", []reply{{takes: 200 * ms}, {}}, 1, 200 * ms, "POST is not idempotent, and must not be sent twice"},
	}
	for _, tt := range tests {
		bubble.Run(t, func(t *testing.T) {
			s := open(t)
			cfg := s.config()
			cfg.HedgeAfter = 50 * ms
			s.answers("stock", inTurn(tt.replies...))
			parts := []partialfailure.Part{{Name: "stock", Method: tt.method, URL: "http://stock/7"}}
			got := s.call(t, partialfailure.New(cfg), parts)
			require.Equal(t, tt.want, s.toStock(), "with a hedge after 50 ms %d requests were expected, since %s%s", tt.want, tt.why, s.story())
			s.whole(t, got, parts, tt.why)
			require.InDelta(t, tt.took.Seconds(), got.took.Seconds(), 0.01, "the page was expected after %v and a little for the network, since %s%s", tt.took, tt.why, s.story())
			require.Zero(t, s.busy("stock"), "one answer is here, and the other request was expected to be given up%s", s.story())
			s.closes(t)
		})
	}
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		cfg := s.config()
		cfg.HedgeAfter = 50 * ms
		s.answers("stock", inTurn(reply{hangs: true}))
		s.answers("reviews", always(reply{takes: 500 * ms}))
		over := make(chan struct{})
		go func() {
			defer close(over)
			_, _ = partialfailure.New(cfg).Page(t.Context(), productPage())
		}()
		time.Sleep(100 * ms)
		require.Equal(t, 2, s.toStock(), "the stock hangs, and a hedge was expected after 50 ms%s", s.story())
		require.Zero(t, s.busy("stock"), "the stock is here, and its other request was expected to be given up at once, although the page still waits for the reviews%s", s.story())
		<-over
		s.closes(t)
	})
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		cfg := s.config()
		cfg.HedgeAfter, cfg.RetryFloor = 50*ms, 5
		s.answers("stock", always(reply{takes: 200 * ms}))
		c := partialfailure.New(cfg)
		var pages sync.WaitGroup
		for i := range 200 {
			pages.Go(func() {
				_, _ = c.Page(t.Context(), []partialfailure.Part{{Name: "stock", URL: fmt.Sprintf("http://stock/%d", i)}})
			})
			time.Sleep(20 * ms)
		}
		pages.Wait()
		require.Greater(t, s.toStock(), 200, "the service is slow, and hedges were expected%s", s.story())
		s.withinBudget(t, s.requests("stock"), 5, cfg.RetryWindow)
		s.closes(t)
	})
}

// Bulkheads: a service that hangs cannot take more than its share of connections, and the rest of every page comes as ever.
// A request has its place until its answer is read to the end.
func TestFurtherBulkheads(t *testing.T) {
	for _, tt := range []struct {
		stuck reply
		why   string
	}{
		{reply{hangs: true}, "the reviews hang"},
		{reply{endless: true}, "the reviews' answers do not end"},
	} {
		bubble.Run(t, func(t *testing.T) {
			s := open(t)
			cfg := s.config()
			cfg.MaxAttempts, cfg.MaxPerHost = 2, 3
			c := partialfailure.New(cfg)
			s.answers("reviews", always(tt.stuck))
			var pages sync.WaitGroup
			for range 3 {
				pages.Go(func() { _, _ = c.Page(t.Context(), productPage()) })
			}
			time.Sleep(10 * ms)
			require.Equal(t, 3, s.busy("reviews"), "%s, and three pages were expected to wait for them%s", tt.why, s.story())
			for range 17 {
				got := s.call(t, c, productPage())
				failed := s.missing(t, got, "reviews", tt.why)
				require.ErrorIs(t, failed, partialfailure.ErrBusy, "three requests to the reviews are under way, which is MaxPerHost, and the *PartError was expected to say so (%s)%s", tt.why, s.story())
				require.Less(t, got.took, 10*ms, "a request that would be too many was expected not to wait%s", s.story())
				require.Len(t, got.page.Parts, 3, "the other parts were expected to be here%s", s.story())
			}
			require.Equal(t, 3, s.peak("reviews"), "no more than MaxPerHost, 3, were expected to be at the reviews at once%s", s.story())
			pages.Wait()
			s.answers("reviews", always(reply{}))
			s.whole(t, s.call(t, c, productPage()), productPage(), "the requests that were stuck have been given up, and their places are free")
			s.closes(t)
		})
	}
}
