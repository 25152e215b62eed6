package partialfailure_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/partialfailure"
	"github.com/backend-kata/dojo/pkg/interleave"
	"github.com/backend-kata/dojo/pkg/simnet"
)

// The parts are fetched in parallel: a page takes as long as its slowest part, not as all of them together.
func TestSideBySide(t *testing.T) {
	inShop(t, func(t *step.T, s *shop) {
		for i, p := range productPage {
			s.answers(p.Name, reply{takes: time.Duration(i+1) * 50 * ms})
		}
		got := s.whole(productPage, "All services answer")
		step.Expect(t, got.took < 210*ms, "The parts take 50 to 200 ms, so the page should take as long as the slowest. It took %v.", got.took)
		step.Equal(t, 4, len(s.sent), "All services answer, so one request for each part is enough. Requests:")
	})
	inShop(t, func(t *step.T, s *shop) {
		s.answers("reviews", reply{status: http.StatusCreated, body: "five stars"})
		s.answers("stock", reply{status: http.StatusNoContent})
		offer := strings.Repeat("a lot of small print, ", 10_000)
		s.answers("price", reply{status: 299, body: offer})
		got := s.get([]partialfailure.Part{
			{Name: "opinions", Method: "POST", URL: "http://reviews/search?about=7&first=10", Body: []byte("stars=5")},
			{Name: "hold", Method: "PUT", URL: "http://stock/7", Body: []byte("one")},
			{Name: "offer", URL: "http://price/7", Required: true},
		})
		step.NoError(t, got.err, "The services answer with 201, 204 and 299, so Page should succeed.")
		step.Equal(t, len(offer), len(got.parts["offer"]), "The price answers with small print. Bytes of it in the page:")
		step.Equal(t, map[string]string{"opinions": "five stars", "hold": "", "offer": offer}, got.parts,
			"The services answer with 201, 204 and 299. The bodies, by the names of the parts:")
		for host, want := range map[string]string{"reviews": "POST /search?about=7&first=10 stars=5", "stock": "PUT /7 one", "price": "GET /7"} {
			step.Equal(t, want, s.requests(host)[0].what, "The %s should get the part's own method, URL and body.", host)
		}
	})
	inShop(t, func(t *step.T, s *shop) { // nothing here orders the parts, so -race sees what they share
		s.Client = &http.Client{Transport: direct(func(r *http.Request) int { pause(r, 100*ms); return 200 })}
		var parts []partialfailure.Part
		for i := range 20 {
			parts = append(parts, partialfailure.Part{Name: fmt.Sprint("part ", i), URL: fmt.Sprint("http://stock/", i)})
		}
		got := s.whole(parts, "The service answers")
		step.Equal(t, 100*ms, got.took, "A request takes 100 ms, and all are sent at once, also to one host. Page takes:")
	})
}

// A required part that fails fails the page at once; an optional one is left out, and named.
// What is still under way then is given up.
func TestRequiredAndOptional(t *testing.T) {
	inShop(t, func(t *step.T, s *shop) {
		s.answers("reviews", reply{status: http.StatusMultipleChoices})
		s.network.Fail("page", "stock", simnet.Refuse)
		got := s.get(productPage)
		step.NoError(t, got.err, "Only optional parts failed, so Page should succeed.")
		step.Equal(t, map[string]string{"product": "product/7", "price": "price/7"}, got.parts, "The parts that can be had:")
		failed := s.missing(got, "reviews", "300 is no success")
		step.Equal(t, http.StatusMultipleChoices, failed.Status, "Status is that of the answer.")
		step.Equal(t, 1, failed.Attempts, "Attempts is how many there were.")
		step.Equal(t, nil, failed.Err, "There was an answer, so Err is nil.")
		step.Equal(t, error(syscall.ECONNREFUSED), error(s.missing(got, "stock", "none listens")), "A *PartError should wrap the client's error.")
	})
	step.Bubble(t, func(t *step.T) { // nothing here orders the parts, so -race sees what they share
		cfg := config()
		cfg.Client = &http.Client{Transport: direct(func(*http.Request) int { return 404 })}
		page, err := partialfailure.New(cfg).Page(foreign{t.Context()}, productPage[2:])
		step.NoError(t, err, "All parts are optional, so Page should succeed without any.")
		step.Equal(t, 2, len(page.Missing), "The services answer both requests with 404. Missing parts:")
	})
	inShop(t, func(t *step.T, s *shop) {
		s.answers("reviews", reply{status: http.StatusNotFound})
		s.answers("price", reply{status: http.StatusInternalServerError, takes: 50 * ms})
		s.answers("stock", hangs)
		got := s.get(productPage)
		step.Equal(t, 500, s.partError(got.err, "price", "the service answered 500").Status, "Status is that of the answer.")
		step.Equal(t, 50*ms+4*latency, got.took, "The price is required, so Page should return as soon as it has failed, after:")
		step.Equal(t, 0, len(got.parts)+len(got.missing), "A page that failed is empty. Parts and errors in it:")
		s.givenUp("stock", "The page has failed")
	})
	for _, after := range []time.Duration{0, 100 * ms} {
		inShop(t, func(t *step.T, s *shop) {
			s.answers("reviews", hangs)
			ctx, cancel := context.WithCancelCause(t.Context())
			gone := errors.New("the browser was closed")
			time.AfterFunc(max(after, 1), func() { cancel(gone) })
			if after == 0 {
				cancel(gone)
			}
			got := s.getFor(ctx, productPage)
			step.Equal(t, context.Canceled, got.err, "The caller is gone after %v, so Page should say so.", after)
			step.Equal(t, after, got.took, "The caller is gone after %v, so Page should return at once, after:", after)
			step.Equal(t, 0, len(got.parts)+len(got.missing), "The caller is gone. Parts and errors in the page:")
			step.Equal(t, after > 0, len(s.sent) > 0, "The caller is gone after %v. Requests are sent:", after)
			s.givenUp("reviews", "The caller is gone")
		})
	}
}

// One deadline holds for the whole page: it is never exceeded, and every request says how much of it remains.
func TestDeadline(t *testing.T) {
	for _, tt := range []struct {
		reviews         reply
		attempt, caller time.Duration // AttemptTimeout, and what the caller has; zero means an hour
		took            time.Duration // at most
		left            []string
		why             string
	}{
		{hangs, time.Second, 0, time.Second, []string{"1000"}, "The reviews hang, and Timeout is 1 s"},
		{endless, time.Second, 0, time.Second, []string{"1000"}, "The reviews' answer does not end, and Timeout is 1 s"},
		{hangs, time.Minute, time.Hour, time.Second, []string{"1000"}, "The caller has an hour, but Timeout is 1 s"},
		{hangs, time.Second, 300900 * us, 300900 * us, []string{"300"}, "The caller has 300.9 ms"},
		{hangs, 250900 * us, 0, 250900 * us, []string{"250"}, "AttemptTimeout is 250.9 ms, and there is one attempt"},
		{reply{takes: 397 * ms}, 400 * ms, 0, 400 * ms, []string{"400"}, "AttemptTimeout is 400 ms, and the answer takes 401"},
		{reply{bodyTakes: 397 * ms}, 400 * ms, 0, 400 * ms, []string{"400"}, "AttemptTimeout is 400 ms, and the body comes after 401"},
		{hangs, time.Second, ms, ms, []string{"1"}, "The caller has 1 ms"},
		{hangs, time.Second, ms - 1, ms, nil, "The caller has less than 1 ms, for which no request is sent"},
		{hangs, time.Second, -ms, 0, nil, "The caller's deadline has passed, so no request is sent"},
	} {
		for range 1 + 11*min(1, max(0, tt.caller)) { // which of two timers net/http hears first differs
			inShop(t, func(t *step.T, s *shop) {
				s.AttemptTimeout = tt.attempt
				s.answers("reviews", tt.reviews)
				ctx, cancel := context.WithTimeoutCause(t.Context(), cmp.Or(tt.caller, time.Hour), errors.New("the browser waits no longer"))
				defer cancel()
				got := s.getFor(ctx, productPage[2:])
				step.Expect(t, got.took <= tt.took, "%s. The page should be there after %v. It took %v.", tt.why, tt.took, got.took)
				failed := s.missing(got, "reviews", "time was over")
				step.Equal(t, context.DeadlineExceeded, error(failed), "%s. The *PartError should say that time was over.", tt.why)
				lefts, _ := s.record("reviews")
				step.Equal(t, tt.left, lefts, "%s. Request-Timeout-Ms of each request to the reviews:", tt.why)
				s.givenUp("reviews", tt.why)
			})
		}
	}
	inShop(t, func(t *step.T, s *shop) {
		s.MaxAttempts, s.AttemptTimeout, s.BackoffBase = 5, 400*ms, 2*us // next to no pause
		s.answers("price", hangs)
		page := step.Start(t, func() result { return s.get(productPage) })
		time.Sleep(900 * ms)
		step.Equal(t, 1, s.services["price"].underWay.Load(), "Two attempts ran out of time, so they are given up. Still under way:")
		got := page.Result()
		step.Equal(t, time.Second, got.took, "Timeout holds for all attempts together. Page takes:")
		lefts, _ := s.record("price")
		step.Equal(t, []string{"400", "400", "199"}, lefts, "An attempt may take 400 ms, and the page 1 s. Request-Timeout-Ms:")
		step.Equal(t, context.DeadlineExceeded, error(s.partError(got.err, "price", "it hangs")), "The *PartError should say that time was over.")
		s.answers("stock", reply{takes: 200 * ms, bodyTakes: 195 * ms})
		s.whole(part("stock"), "AttemptTimeout is 400 ms, and the answer takes 399")
	})
}

// Only what is safe to repeat and worth repeating is retried.
func TestWhatIsTriedAgain(t *testing.T) {
	type row struct {
		method string
		reply  reply // of the first attempt; the second goes well
		fault  simnet.Fault
		want   int // attempts
		why    string
	}
	rows := []row{
		{"", reply{status: 503}, 0, 2, "503 says that the service may be back soon, and GET is safe"},
		{"POST", reply{status: 503}, 0, 1, "POST is not idempotent, and nobody knows what the service did"},
		{"PATCH", reply{status: 502}, 0, 1, "PATCH is not idempotent"},
		{"GET", hangs, 0, 2, "the attempt ran out of time, and GET is safe"},
		{"GET", reply{status: 404, breaks: true}, 0, 2, "the answer broke off, and GET is safe"},
		{"POST", hangs, 0, 1, "the attempt ran out of time, and the service may have done it"},
		{"POST", reply{breaks: true}, 0, 1, "the answer broke off, and the service has done it"},
		{"GET", reply{}, simnet.Reset, 2, "the connection was reset, and GET is safe"},
		{"POST", reply{}, simnet.Reset, 1, "the connection was reset after the request was sent"},
		{"GET", reply{}, simnet.Refuse, 2, "the connection was refused"},
		{"POST", reply{}, simnet.Refuse, 2, "the connection was refused, so nothing was sent and nothing done"},
		{"POST", reply{}, simnet.BlackHole, 1, "the attempt ran out of time, and no *net.OpError says that nothing was sent"},
	}
	for i, method := range []string{"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"} {
		rows = append(rows, row{method, reply{status: 503}, 0, 2, method + " is idempotent"},
			row{"GET", reply{status: []int{429, 502, 504}[i%3]}, 0, 2, fmt.Sprint([]int{429, 502, 504}[i%3], " may pass, and GET is safe")})
	}
	for _, status := range []int{300, 304, 400, 404, 408, 409, 425, 499, 500, 501, 505, 507, 599} {
		rows = append(rows, row{"GET", reply{status: status}, 0, 1, fmt.Sprint(status, " is an answer that stays the same")})
	}
	for _, tt := range rows {
		inShop(t, func(t *step.T, s *shop) {
			s.MaxAttempts, s.AttemptTimeout = 3, 200*ms
			s.answers("stock", tt.reply, reply{})
			s.network.Fail("page", "stock", tt.fault)
			time.AfterFunc(20*ms, func() { s.network.Heal("page", "stock") })
			got := s.get([]partialfailure.Part{{Name: "stock", Method: tt.method, URL: "http://stock/7", Body: []byte("the whole body")}})
			step.Equal(t, tt.want, len(s.sent), "The first attempt failed, and %s. Attempts:", tt.why)
			for _, q := range s.sent {
				step.Equal(t, cmp.Or(tt.method, "GET")+" /7 the whole body", q.what, "Each attempt should send the whole request.")
			}
			if _, here := got.parts["stock"]; tt.want > 1 {
				step.Expect(t, here, "The second attempt went well, so the part should be here. Got: %v, %v", got.parts, got.err)
				return
			}
			step.Equal(t, tt.reply.status, s.missing(got, "stock", tt.why).Status, "Status is that of the answer, zero without one (%s).", tt.why)
		})
	}
	for _, replies := range [][]reply{
		{{status: 503}, {status: 502}, {status: 429}, {}}, // and MaxAttempts is 3
		{{status: 404, breaks: true}, {status: 404}, {}},
		{{status: 503}, {status: 502}, {breaks: true}, {}},
	} {
		inShop(t, func(t *step.T, s *shop) {
			s.MaxAttempts = 3
			s.answers("stock", replies...)
			failed, n := s.missing(s.get(part("stock")), "stock", "no attempt went well"), len(replies)-1
			step.Equal(t, n, len(s.sent), "MaxAttempts is 3, and the replies are %+v. Requests:", replies)
			step.Equal(t, n, failed.Attempts, "Attempts is how many there were.")
			step.Equal(t, replies[n-1].status, failed.Status, "Status is of the last attempt. The replies were %+v.", replies[:n])
			step.Equal(t, replies[n-1].breaks, failed.Err != nil, "Err, which is %v, is of the last attempt. There is one:", failed.Err)
		})
	}
}

// Before a retry there is a pause: exponential, with full jitter, and never shorter than the service asked for.
// A pause for which there is no time is not begun.
func TestWhenItIsTriedAgain(t *testing.T) {
	four := []time.Duration{50 * ms, 100 * ms, 150 * ms, 150 * ms}
	forever := slices.Concat(four, slices.Repeat(four[2:3], 40))
	half, mixed := []float64{0.5}, []float64{0.01, 0.25, 0.75, 0.02}
	for _, tt := range []struct {
		rand     []float64 // in a row, and then the last one
		limit    time.Duration
		attempts int
		timeout  time.Duration
		want     []time.Duration
		took     time.Duration // zero means as long as you like
		why      string
	}{
		{half, 300 * ms, 5, time.Minute, four, 0, "the bound is 100 ms, doubles, and stays at 300 ms; Rand says half"},
		{mixed, 300 * ms, 5, time.Minute, []time.Duration{ms, 50 * ms, 225 * ms, 6 * ms}, 0, "full jitter takes any part of the bound"},
		{half, 60 * ms, 3, time.Minute, []time.Duration{30 * ms, 30 * ms}, 0, "no bound is above BackoffCap, also the first"},
		{half, 300 * ms, 45, time.Minute, forever, 0, "the bound stays at 300 ms, however often it would double"},
		{half, math.MaxInt64, 4, time.Minute, []time.Duration{50 * ms, 100 * ms, 200 * ms}, 0, "BackoffCap is far away"},
		{half, 300 * ms, 9, 157 * ms, []time.Duration{50 * ms, 100 * ms}, 157 * ms, "the second pause ends 1 ms before the deadline"},
		{half, 300 * ms, 9, 157*ms - 1, []time.Duration{50 * ms}, 0, "the second pause would end less than 1 ms before the deadline"},
		{half, 300 * ms, 9, 156 * ms, []time.Duration{50 * ms}, 56 * ms, "the second pause would end at the deadline"},
		{half, 300 * ms, 9, 140 * ms, []time.Duration{50 * ms}, 56 * ms, "the second pause would end after the deadline"},
	} {
		inShop(t, func(t *step.T, s *shop) {
			s.Timeout, s.MaxAttempts, s.BackoffCap = tt.timeout, tt.attempts, tt.limit
			n := -1
			s.Rand = func() float64 { n++; return tt.rand[min(n, len(tt.rand)-1)] }
			s.answers("stock", reply{status: 503})
			got := s.get(part("stock"))
			_, pauses := s.record("stock")
			step.Equal(t, tt.want, pauses, "The service answers 503, and %s. Pauses:", tt.why)
			s.missing(got, "stock", "the service answers 503")
			if tt.took > 0 {
				step.Equal(t, tt.took, got.took, "A pause for which there is no time is not begun, and %s. Page takes:", tt.why)
			}
		})
	}
	const own, rfc850 = 1200 * ms, "Monday, 02-Jan-06 15:04:05 GMT" // own is what Rand says
	date := time.Date(2000, 1, 1, 0, 0, 4, 0, time.UTC)             // four seconds after a bubble begins
	for _, tt := range []struct {
		retryAfter  []string
		least, most time.Duration // of the pause; zero if there is no time for one
	}{
		{[]string{"2", "2", "2", "2"}, 2 * time.Second, 4200 * ms},
		{[]string{date.Format(http.TimeFormat), date.Format(time.ANSIC), date.Format(rfc850)}, 3996 * ms, 6200 * ms},
		{[]string{"1"}, own, 3200 * ms},
		{[]string{"0", date.Add(-time.Hour).Format(http.TimeFormat)}, own, 2200 * ms},
		{[]string{"20", "10"}, 0, 0}, // the page has just 10 s left
		// As many seconds as a Duration holds, one more, more than an integer holds, and a date as far away:
		{[]string{"9223372036", "9223372037", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"}, 0, 0},
		{[]string{"soon", "-5", "+5", "1.5", "0x5"}, own, own}, // neither a number nor a date, so it is ignored
	} {
		for i, retryAfter := range tt.retryAfter {
			status := []int{503, 429, 502, 504}[i%4]
			inShop(t, func(t *step.T, s *shop) {
				s.Timeout, s.MaxAttempts = 10*time.Second+4*latency, 3 // a first answer takes 4 latencies
				s.BackoffBase, s.BackoffCap = 2*own, time.Minute
				s.answers("stock", reply{status: status, retryAfter: retryAfter}, reply{status: 503}, reply{})
				got := s.get(part("stock"))
				_, pauses := s.record("stock")
				if tt.least == 0 {
					step.Equal(t, 0, len(pauses), "Retry-After is %q, and the page has no time for it. Further attempts:", retryAfter)
					step.Equal(t, 1, s.missing(got, "stock", fmt.Sprint("the service answered ", status)).Attempts, "Attempts is how many there were.")
					step.Equal(t, 4*latency, got.took, "Retry-After is %q, so the part should fail at once. Page takes:", retryAfter)
					return
				}
				step.Expect(t, len(pauses) > 0, "An answer of %d may be better next time, so another attempt should follow.", status)
				step.Expect(t, pauses[0] >= tt.least, "Retry-After is %q. The pause should be %v at least. It was %v.", retryAfter, tt.least, pauses[0])
				step.Expect(t, pauses[0] == own || tt.most > own, "Retry-After is %q, and is to be ignored. The pause was %v.", retryAfter, pauses[0])
				step.Expect(t, pauses[0] <= tt.most, "Retry-After is %q. The pause is too long: %v, not %v at most.", retryAfter, pauses[0], tt.most)
				step.Equal(t, []time.Duration{2 * own}, pauses[1:], "The second answer asks for nothing. The pauses after it:")
			})
		}
	}
	inShop(t, func(t *step.T, s *shop) {
		s.Timeout, s.MaxAttempts, s.RetryFloor = time.Minute, 2, 1
		s.answers("stock", reply{status: 503, retryAfter: "30"}, reply{status: 503}, reply{})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Second, cancel)
		got := s.getFor(ctx, part("stock"))
		step.Equal(t, context.Canceled, got.err, "The caller is gone in the middle of a pause, so Page should say so.")
		step.Equal(t, 10*time.Second, got.took, "The caller is gone in the middle of a pause, so Page should return at once, after:")
		s.whole(part("stock"), "RetryFloor is 1, and the retry that the caller did not wait for does not count")
		time.Sleep(time.Minute)
		step.Equal(t, 1+2, len(s.sent), "The page of the caller that is gone has returned, so nothing of it goes on. Requests:")
	})
}

// A total outage raises the load by a tenth at most, after a floor: there is a budget for retries.
// It is each host's own, and whole again when the host has been quiet.
func TestRetryBudget(t *testing.T) {
	const floor, window = 5, 10 * time.Second // the window is that of config
	hiccups := func(t *step.T, s *shop, host, why string) {
		t.Helper()
		s.answers(strings.TrimSuffix(host, ":80"), slices.Repeat([]reply{{status: 503}, {}}, floor)...)
		for range floor {
			s.whole(part(host), "The first attempt failed, and there is budget for a second, since "+why)
		}
	}
	inShop(t, func(t *step.T, s *shop) {
		s.MaxAttempts, s.RetryFloor, s.BackoffBase = 3, floor, 2*us
		s.answers("stock", append(slices.Repeat([]reply{{status: 503, retryAfter: "60"}}, floor), reply{status: 503, takes: 997500 * us})...)
		for range 2 * floor { // later it is half a millisecond before the deadline
			s.missing(s.get(part("stock")), "stock", "there is no time for a second attempt")
		}
		hiccups(t, s, "stock", "five retries are always allowed, and none has been made yet")
		hiccups(t, s, "price", "the retries to the stock are not the price's")
		hiccups(t, s, "stock:80", "stock:80 is another Host than stock, and none has been made to it")
	})
	inShop(t, func(t *step.T, s *shop) {
		s.MaxAttempts, s.RetryFloor = 2, 0
		s.answers("stock", reply{status: 503})
		late, cancel := context.WithTimeout(t.Context(), 0)
		defer cancel()
		for i := range 9 {
			s.getFor(late, part("stock")) // which is not sent, and does not count
			failed := s.missing(s.get(part("stock")), "stock", "the service answers 503")
			step.Equal(t, 1, failed.Attempts, "RetryFloor is 0, and a tenth of %d first attempts is none. Attempts:", i+1)
			step.Equal(t, 503, failed.Status, "There is no budget, so the part has failed with what the attempt before got. Status:")
		}
	})
	for _, outage := range []struct {
		pages   int
		does    string // the stock
		fault   simnet.Fault
		replies []reply
	}{
		{600, "answers well for a while, and then 503", 0, append(slices.Repeat([]reply{{}}, 350), reply{status: 503})},
		{150, "answers 503, and the next time well", 0, slices.Repeat([]reply{{status: 503}, {}}, 150)},
		{150, "breaks its answers off", 0, []reply{{breaks: true}}},
		{150, "does not answer", 0, []reply{hangs}},
		{150, "resets connections", simnet.Reset, []reply{{}}},
		{150, "refuses connections", simnet.Refuse, []reply{{}}},
	} {
		inShop(t, func(t *step.T, s *shop) {
			s.MaxAttempts, s.RetryFloor, s.BackoffBase, s.AttemptTimeout = 3, floor, 2*us, 20*ms
			s.composer = partialfailure.New(s.Config)
			s.answers("stock", outage.replies...)
			s.network.Fail("page", "stock", outage.fault)
			var pages sync.WaitGroup
			for i := range outage.pages {
				pages.Go(func() { _, _ = s.composer.Page(t.Context(), part(fmt.Sprint("stock/", i))) })
				time.Sleep(50 * ms)
			}
			pages.Wait()
			over, worst, sent, n, old := 0, "", s.requests("stock"), map[bool]int{}, 0 // n: first attempts and retries in the window
			for _, last := range sent {
				for n[last.again]++; sent[old].sent <= last.sent-window; old++ {
					n[sent[old].again]--
				}
				if most := floor + n[false]/10; last.again && n[true]-most > over {
					over = n[true] - most
					much := []string{"far more than", "up to twice", "a tenth more than"}[min(1, most/over)+min(1, n[true]/10/over)]
					worst = fmt.Sprintf("%s what is allowed: %d first attempts allow %d, and there were %d", much, n[false], most, n[true])
				}
			}
			step.Expect(t, over == 0, "The stock %s. The retries in 10 s are %s.", outage.does, worst)
			s.network.Heal("page", "stock")
			time.Sleep(2 * window)
			hiccups(t, s, "stock", "the outage is over, and for two windows there was no retry")
		})
	}
	// Two pages look at the last retry in the budget, in every order.
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		requests, cfg := atomic.Int32{}, config()
		count := direct(func(*http.Request) int { requests.Add(1); return 503 })
		cfg.MaxAttempts, cfg.RetryFloor, cfg.Client = 2, 1, &http.Client{Transport: count}
		c := partialfailure.New(cfg)
		x.Go("page A", func() { _, _ = c.Page(context.Background(), part("stock")) })
		x.Go("page B", func() { _, _ = c.Page(context.Background(), part("stock")) })
		x.Run()
		step.Equal(t, 2+1, requests.Load(), "Two pages ask a service that answers 503, and RetryFloor is 1. Requests:")
	})
	pairs(t, func(cfg *partialfailure.Config) { cfg.MaxAttempts = 2 })
}

// When the network is cut, the page is there in time without the parts behind the cut; once healed, it is whole again.
// Nothing is left open: no answer, no goroutine, no connection.
func TestPartitionAndHeal(t *testing.T) {
	inShop(t, func(t *step.T, s *shop) {
		s.MaxAttempts, s.AttemptTimeout = 3, 300*ms
		s.whole(productPage, "All services answer")
		s.network.Partition("page", "stock")
		s.network.Fail("reviews", "page", simnet.BlackHole) // requests arrive, and answers do not
		for range 20 {
			got := s.get(productPage)
			for _, name := range []string{"stock", "reviews"} {
				failed := s.missing(got, name, "the network is cut")
				step.Equal(t, context.DeadlineExceeded, error(failed), "Nothing came back, so the *PartError should say that time was over.")
			}
			step.Equal(t, map[string]string{"product": "product/7", "price": "price/7"}, got.parts, "The parts on this side of the cut:")
			step.Expect(t, got.took <= time.Second, "The page should be there within its Timeout of 1 s. It took %v.", got.took)
			time.Sleep(time.Second)
		}
		s.network.Heal("page", "stock")
		s.network.Heal("page", "reviews")
		time.Sleep(time.Second)
		s.whole(productPage, "The network has healed")
	})
	inShop(t, func(t *step.T, s *shop) {
		s.MaxAttempts = 3
		long := strings.Repeat("sorry ", 10_000)
		busy, none := reply{status: 503, body: long}, reply{status: 404, body: long}
		s.answers("stock", slices.Repeat([]reply{busy, busy, {}, none}, 5)...)
		for range 5 {
			s.whole(part("stock"), "The third attempt goes well")
			s.missing(s.get(part("stock")), "stock", "the service answered 404")
		}
		step.Equal(t, 1, strings.Count(s.network.Trace(), "dials"),
			"20 requests, one after the other, need one connection if each answer is read to its end. Connections:")
	})
}

// A hedge cuts the tail: when the first request is slow, a second one is sent, the first good answer wins, and the other
// request is given up. Hedges come out of the retry budget.
func TestFurtherHedging(t *testing.T) {
	slow, none, bad := reply{takes: 200 * ms}, reply{takes: 200 * ms, status: 404}, reply{takes: 60 * ms, status: 503}
	for _, tt := range []struct {
		method  string
		replies []reply
		want    int           // requests
		took    time.Duration // without the network
		status  int           // of the part that is missing; zero if it is here
		why     string
	}{
		{"GET", []reply{{takes: 40 * ms}}, 1, 40 * ms, 0, "the answer comes within the 50 ms"},
		{"GET", []reply{hangs, {}}, 2, 50 * ms, 0, "the second request is answered at once"},
		{"PUT", []reply{endless, {}}, 2, 50 * ms, 0, "the first answer does not end, and the second is there at once"},
		{"DELETE", []reply{slow, hangs}, 2, 200 * ms, 0, "the second request hangs, and the first is answered"},
		{"OPTIONS", []reply{slow, {status: 500}}, 2, 200 * ms, 0, "the second request fails, and the first is answered"},
		{"TRACE", []reply{bad, slow}, 2, 250 * ms, 0, "the first request fails, and the second is answered"},
		{"GET", []reply{hangs, {takes: 280 * ms}}, 2, 330 * ms, 0, "the second request has an AttemptTimeout of its own"},
		{"GET", []reply{none, {status: 503}}, 2, 200 * ms, 404, "both fail, the later one with a 404, which is final"},
		{"GET", []reply{bad, none}, 2, 250 * ms, 404, "both fail, the later one, which is the hedge, with a 404"},
		{"GET", []reply{{status: 503}, slow}, 2, 250 * ms, 0, "the first attempt fails, and the second one is not hedged"},
		{"GET", []reply{bad, bad, slow}, 3, 360 * ms, 0, "both requests fail, and the second attempt is not hedged"},
		{"POST", []reply{slow, {}}, 1, 200 * ms, 0, "POST is not idempotent, so it is not sent twice"},
	} {
		inShop(t, func(t *step.T, s *shop) {
			s.HedgeAfter, s.MaxAttempts, s.AttemptTimeout = 50*ms, 2, 300*ms
			s.answers("stock", tt.replies...)
			got := s.get([]partialfailure.Part{{Name: "stock", Method: tt.method, URL: "http://stock/7", Body: []byte("body")}})
			if tt.status > 0 {
				failed := s.missing(got, "stock", tt.why)
				step.Equal(t, tt.status, failed.Status, "Status is that of the later answer.")
				step.Equal(t, 1, failed.Attempts, "A hedge is no attempt of its own, and %s. Attempts:", tt.why)
			} else {
				step.Equal(t, "stock/7", got.parts["stock"], "The part should be here, since %s. Its body:", tt.why)
			}
			lefts, _ := s.record("stock")
			step.Equal(t, slices.Repeat([]string{"300"}, tt.want), lefts, "A hedge is sent after 50 ms, and %s. Request-Timeout-Ms:", tt.why)
			step.Expect(t, tt.took <= got.took && got.took <= tt.took+10*ms,
				"The page should take %v and a little for the network, since %s. It took %v.", tt.took, tt.why, got.took)
			for _, q := range s.sent {
				step.Equal(t, tt.method+" /7 body", q.what, "Both requests are the same.")
			}
			s.givenUp("stock", "The page is over")
		})
	}
	inShop(t, func(t *step.T, s *shop) {
		s.HedgeAfter, s.AttemptTimeout, s.RetryFloor, s.MaxPerHost = 50*ms, time.Minute, 2, 2
		s.answers("price", hangs)
		step.Equal(t, time.Second, s.get(part("price")).took, "Both requests hang, and Timeout is 1 s. Page takes:")
		lefts, _ := s.record("price")
		step.Equal(t, []string{"1000", "950"}, lefts, "Each request says what remains for it. Request-Timeout-Ms:")
		soon, cancel := context.WithTimeout(t.Context(), 50*ms+500*us)
		defer cancel()
		s.answers("product", hangs)
		s.getFor(soon, part("product"))
		step.Equal(t, 1, len(s.requests("product")), "Half a millisecond would be left for a hedge. Requests to the product:")
		s.answers("stock", hangs, reply{})
		s.answers("reviews", slow)
		page := step.Start(t, func() error { return s.get(productPage[2:]).err })
		time.Sleep(100 * ms)
		step.Equal(t, 2, len(s.requests("stock")), "The stock hangs, so a hedge should be sent after 50 ms. Requests to the stock:")
		s.givenUp("stock", "The stock is here, although the page still waits for the reviews")
		step.NoError(t, page.Result(), "All parts are optional, so Page should succeed.")
		for range 2 {
			s.whole(part("reviews"), "The first request is answered after 200 ms")
		}
		step.Equal(t, 3+2, len(s.requests("reviews")), "Three slow pages, and RetryFloor is 2. Requests to the reviews:")
	})
	pairs(t, func(cfg *partialfailure.Config) { cfg.HedgeAfter = 50 * ms })
}

// Bulkheads: a service that hangs cannot take more than its share of connections, and the rest of every page arrives as usual.
// A request has its place until its answer is read to the end.
func TestFurtherBulkheads(t *testing.T) {
	for i, stuck := range []reply{hangs, endless} {
		why := []string{"the reviews hang", "the reviews' answers do not end"}[i]
		inShop(t, func(t *step.T, s *shop) {
			s.MaxAttempts, s.MaxPerHost = 2, 3
			s.composer = partialfailure.New(s.Config)
			s.answers("reviews", stuck)
			var pages sync.WaitGroup
			for range 3 {
				pages.Go(func() { _, _ = s.composer.Page(t.Context(), productPage) })
			}
			time.Sleep(10 * ms)
			for range 17 {
				got := s.get(productPage)
				step.Equal(t, partialfailure.ErrBusy, error(s.missing(got, "reviews", why)), "MaxPerHost is 3, and three are under way: %s.", why)
				step.Expect(t, got.took < 10*ms, "A request that would be too many does not wait (%s). Page took %v.", why, got.took)
				step.Equal(t, 3, len(got.parts), "The parts from the other services should be here (%s). Parts:", why)
			}
			step.Equal(t, 3, len(s.requests("reviews")), "MaxPerHost is 3, and %s. Requests to the reviews:", why)
			pages.Wait()
			s.answers("reviews", reply{})
			s.whole(productPage, "The requests that were stuck have been given up, so their places are free")
		})
	}
	inShop(t, func(t *step.T, s *shop) {
		s.MaxPerHost, s.MaxAttempts, s.RetryFloor, s.HedgeAfter = 1, 2, 2, 500*ms
		s.answers("price", reply{status: 503}, reply{takes: 300 * ms}, reply{})
		first := step.Start(t, func() result { return s.get(part("price")) }) // fails at once, and pauses for 50 ms
		time.Sleep(20 * ms)
		s.whole(part("price"), "A page that pauses has no place")
		failed := s.missing(first.Result(), "price", "there is no place for its second attempt")
		step.Equal(t, partialfailure.ErrBusy, error(failed), "MaxPerHost is 1, so a retry that would be too many is not sent.")
		step.Equal(t, 2, len(s.sent), "MaxPerHost is 1, for retries too. Requests:")
		s.answers("price", reply{takes: 700 * ms})
		s.whole(part("price"), "A hedge would be too many, so the first request is waited for")
		step.Equal(t, 3, len(s.sent), "MaxPerHost is 1, for hedges too. Requests:")
		for range 2 {
			s.answers("price", reply{status: 503}, reply{})
			s.whole(part("price"), "RetryFloor is 2, and what was not sent does not count")
		}
		s.network.Fail("page", "reviews", simnet.Refuse)
		for range 3 {
			failed := s.missing(s.get(part("reviews")), "reviews", "nobody listens there")
			step.Equal(t, error(syscall.ECONNREFUSED), error(failed), "A request that has failed is no longer under way.")
		}
		s.answers("stock", append(slices.Repeat([]reply{{status: 503}}, 4), hangs)...)
		s.get(part("stock"))
		s.get(part("stock")) // RetryFloor is used up
		stuck := step.Start(t, func() result { return s.get(part("stock")) })
		for range 20 {
			s.missing(s.get(part("stock")), "stock", "MaxPerHost is 1, and the stock hangs")
		}
		s.answers("stock", reply{status: 503})
		failed = s.missing(s.get(part("stock:80")), "stock:80", "the service answered 503")
		step.Equal(t, 503, failed.Status, "stock:80 is another Host than stock, with places of its own. Status:")
		stuck.Result()
		s.get(part("stock"))
		step.Equal(t, 4+1+1, len(s.requests("stock")), "RetryFloor is used up, and what is not sent allows no retries. Requests to the stock:")
	})
	// Two pages look at the last place, in every order.
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		var underWay, most atomic.Int32
		cfg := config()
		cfg.MaxPerHost = 1
		cfg.Client = &http.Client{Transport: direct(func(*http.Request) int {
			most.Store(max(most.Load(), underWay.Add(1)))
			x.Point("the service answers")
			underWay.Add(-1)
			return 200
		})}
		c := partialfailure.New(cfg)
		for _, name := range []string{"page A", "page B"} {
			x.Go(name, func() { _, _ = c.Page(context.Background(), part("stock")) })
		}
		x.Run()
		step.Equal(t, 1, most.Load(), "MaxPerHost is 1, and two pages ask at the same time. Requests that were under way at once:")
		page, err := c.Page(t.Context(), part("stock"))
		step.Expect(t, page.Parts["stock"] != nil, "Two pages are over, so the place is free for a third. Got: %+v, %v", page, err)
	})
	pairs(t, func(cfg *partialfailure.Config) { cfg.MaxPerHost, cfg.MaxAttempts = 3, 2 })
}
