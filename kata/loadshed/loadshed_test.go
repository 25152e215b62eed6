package loadshed_test

import (
	"context"
	"io"
	"math"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/loadshed"
	"github.com/backend-kata/dojo/pkg/apart"
	"github.com/backend-kata/dojo/pkg/interleave"
	"github.com/backend-kata/dojo/pkg/loadgen"
)

// Below capacity nothing is refused.
// A request that panics on the server leaves no trace, and any number of clients may come at the same time.
func TestBelowCapacity(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		s := open()
		r := newRequest(t.Context())
		r.Header.Set("Number", "1")
		before := r.Header.Clone()
		first := s.ask(r)
		step.NoError(t, first.err(), "The server is idle, so a request should be served by it.")
		step.Expect(t, s.last == r, "The server should get the request as it came, and got another one.")
		step.Expect(t, s.writer == http.ResponseWriter(first),
			"The server should get the ResponseWriter that came. It got one of the handler's own.")
		step.Equal(t, before, r.Header, "The server should get the request as it came. Its header fields:")
		step.Equal(t, int64(1), s.reached.Load(), "The handler calls the server for one request:")
		value, a := try(bare(workers, s.serve), newRequest(t.Context()))
		step.Expect(t, value == nil, "With neither Critical nor Tenant nor Random a request should be served like any other. "+
			"The handler panicked: %v", value)
		step.NoError(t, a.err(), "With neither Critical nor Tenant nor Random a request should be served like any other.")
		answers(t)

		for n := range 200 {
			value, a := s.panics(t.Context())
			step.Expect(t, value == any(http.ErrAbortHandler), "A panic of the server should go on to the caller and leave the place free. "+
				"Request %d that panics got %v in place of it.", n+1, a)
		}
		for n := range 200 {
			call := step.Start(t, func() *answer { return s.exits(t.Context()) })
			step.Expect(t, call.Result() == nil, "runtime.Goexit on the server should go on to the caller and leave the place free. "+
				"Request %d that ended so got %v in place of it.", n+1, call.Result())
		}
	})
	step.Bubble(t, func(t *step.T) {
		goroutines := inBubble()
		first, full, other, later := newHall(nil, workers), newHall(nil, workers), newHall(nil, workers), newHall(nil, workers)
		for range 1000 {
			full.come(t.Context(), t, "one")
		}
		step.Expect(t, other.come(t.Context(), t, "one"), "One server stands still and has all that it can do. "+
			"Another one has a handler of its own and is idle, and a request to that should be let in. It was not.")
		want := first.fill(t.Context(), t)
		first.open()
		full.open()
		other.open()
		step.Equal(t, goroutines, inBubble(), "All calls of three handlers have just returned. Goroutines:")
		for range 2 { // one that has seen slow answers, then one that has seen quick ones as well
			step.Equal(t, want, later.fill(t.Context(), t), "Of requests to a server that stands still a handler that is new let in %d. "+
				"Other handlers have been at work since, and the next new one shares nothing with them. It lets in:", want)
			time.Sleep(10 * objective)
			later.open()
			for range 1000 {
				later.quick(t.Context(), "one")
			}
			later = newHall(nil, workers)
		}
	})
	step.Bubble(t, func(t *step.T) {
		for _, workers := range []int{1, workers, 100} {
			for _, takes := range []time.Duration{time.Millisecond, 3 * objective} {
				for _, tenants := range []string{"one tenant", "two tenants"} {
					step.Equal(t, 0, rush(t, workers, takes, tenants == "two tenants"),
						"Requests not served at %d workers that take %v for one, of clients of %s, as many as there are workers:",
						workers, takes, tenants)
				}
			}
		}
		all := open().alone(t, clients{pattern: loadgen.Steady(0.8*capacity, 30*time.Second), seed: 1})
		step.Equal(t, 0, all.Refused, "Requests refused of %d, at 0.8 of the capacity:", all.Sent)
		step.Equal(t, all.Sent, all.Good, "Requests served within %v, at 0.8 of the capacity:", objective)
	})
	step.Bubble(t, func(t *step.T) {
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		apart.Pairs(t.T, newNest,
			apart.Call[*nest]{Name: "a request that is served", Do: func(n *nest) { n.ask(t.Context(), 0) }},
			apart.Call[*nest]{Name: "a request whose client has gone", Do: func(n *nest) { n.ask(gone, 0) }},
			apart.Call[*nest]{Name: "requests until one is refused", Do: func(n *nest) { n.ask(t.Context(), 100) }},
		)
	})
}

// A nest is a handler before a server that asks it again, so that all these
// requests are inside at a time, on one goroutine.
type nest struct{ front http.Handler }

func newNest() *nest {
	n := &nest{}
	n.front = bare(1, func(_ http.ResponseWriter, r *http.Request) {
		if deeper, _ := strconv.Atoi(r.Header.Get("Deeper")); deeper > 0 {
			n.ask(r.Context(), deeper-1)
		}
	})
	return n
}

// ask sends a request that asks again so many times, each within the one before.
func (n *nest) ask(ctx context.Context, deeper int) {
	r := newRequest(ctx)
	r.Header.Set("Deeper", strconv.Itoa(deeper))
	ask(n.front, r)
}

// inBubble returns how many goroutines are in the bubble that runs.
func inBubble() int {
	stacks := make([]byte, 4<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), ", synctest bubble ")
}

// rush sends as many requests at a time as there are workers, 50 times, and if
// there are two tenants, one of them of the other. It returns how many were not served.
func rush(t *step.T, workers int, takes time.Duration, two bool) int {
	front := loadshed.New(loadshed.Config{
		Objective: objective,
		Workers:   workers,
		Tenant:    func(r *http.Request) string { return r.Header.Get("Tenant") },
	}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(takes) // all at once
		w.Header().Set("Served", "yes")
	}))
	var unserved atomic.Int64
	step.AtOnce(t, workers, func(client int) {
		for range 50 {
			r := newRequest(t.Context())
			if two && client == 0 {
				r.Header.Set("Tenant", "small")
			}
			if ask(front, r).err() != nil {
				unserved.Add(1)
			}
		}
	})
	return int(unserved.Load())
}

// answers looks at answers of an idle server, quick and slow.
func answers(t *step.T) {
	t.Helper()
	for _, status := range []int{http.StatusOK, http.StatusNotFound, http.StatusInternalServerError, http.StatusServiceUnavailable} {
		front := bare(workers, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Served", "yes")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "from the server")
		})
		want := &answer{header: http.Header{"Served": {"yes"}}, status: status, body: "from the server"}
		step.Equal(t, want.String(), ask(front, newRequest(t.Context())).String(), "What the server answers should go to the client as it is.")
	}
	opens := make(chan struct{})
	front := bare(workers, func(w http.ResponseWriter, _ *http.Request) { <-opens; w.Header().Set("Served", "late") })
	call := step.Start(t, func() *answer { return ask(front, newRequest(t.Context())) })
	time.Sleep(10 * objective)
	waits := call.Waits()
	close(opens)
	step.Expect(t, waits, "A request is with the server for %v. The call should return when the server does, and returned before that: %v",
		10*objective, call.Result())
	step.NoError(t, call.Result().err(), "A request is with the server for %v, and should have the server's answer.", 10*objective)
}

// At twice the capacity those who are served are served within the objective.
// The server is kept busy, and the rest is refused.
func TestTwiceTheCapacity(t *testing.T) {
	for _, within := range []time.Duration{objective, objective / 2} {
		c := clients{pattern: loadgen.Steady(2*capacity, 10*time.Second), seed: 1, objective: within}
		step.Bubble(t, func(t *step.T) { overload(t, c) })
	}
}

// overload sends more than the server can do, for long enough to settle.
func overload(t *step.T, c clients) {
	t.Helper()
	r := openWith(func(cfg *loadshed.Config) { cfg.Objective = c.within() }).alone(t, c)
	part := r.Between(settling, r.To)
	step.Expect(t, 100*part.Late <= part.Good+part.Late,
		"Of those who are served 99 %% should have their answer within %v. %d of %d had to wait longer.",
		c.within(), part.Late, part.Good+part.Late)
	step.Expect(t, part.Goodput() >= enough,
		"With more work than the server can do, there should be %v good answers a second from %v on. There were %.1f.",
		enough, settling, part.Goodput())
}

// At ten times the capacity goodput stays high.
// However many come at the same time, no more are let in than if they came one after the other.
func TestTenTimesTheCapacity(t *testing.T) {
	step.Bubble(t, func(t *step.T) { overload(t, clients{pattern: loadgen.Steady(10*capacity, 10*time.Second), seed: 1}) })

	same := func(int) string { return "one" }
	for _, c := range []struct {
		who    string
		others int // requests of another tenant, which come first
		tenant func(n int) string
	}{{"of one tenant", 0, same}, {"of one tenant, after 3 of another", 3, same}, {"of a tenant each", 0, strconv.Itoa}} {
		limit := 0 // how many more are let in, one after the other
		step.Bubble(t, func(t *step.T) {
			h := newHall(nil, workers)
			for range c.others {
				h.come(t.Context(), t, "other")
			}
			for limit <= 1000 && h.come(t.Context(), t, c.tenant(limit)) {
				limit++
			}
			h.open()
			step.Expect(t, 0 < limit && limit <= 1000, "The server stands still, and requests %s come one after the other. "+
				"At least one of them should be let in, and at most 1,000; %d are.", c.who, limit)
		})
		step.Explore(t, func(t *step.T, x *interleave.Schedule) {
			h := newHall(x, workers)
			for range c.others {
				h.come(t.Context(), t, "other")
			}
			for n := range limit - 1 {
				h.come(t.Context(), t, c.tenant(n))
			}
			for n, name := range []string{"A", "B"} {
				x.Go("request "+name, func() {
					x.Point("comes")
					h.quick(t.Context(), c.tenant(limit+n))
				})
			}
			x.Run()
			h.open()
			step.Expect(t, h.most.Load() <= int64(c.others+limit),
				"The server stands still. If requests %s come one after the other, %d are let in, and no more. "+
					"When two come at the same time for the last place, %d are inside.", c.who, c.others+limit, h.most.Load())
		})
	}
	for _, workers := range []int{workers, 1000} {
		step.Bubble(t, func(t *step.T) {
			most := mostWith(t, workers)
			step.Expect(t, most <= 1000, "A server of %d workers is quick for a while, and then it stands still. "+
				"There should never be more than 1,000 requests with it. There are %d.", workers, most)
		})
	}
}

// mostWith returns how many requests are with a server that is quick while more and more
// critical requests come at the same time, and then stands still.
func mostWith(t *step.T, workers int) int64 {
	var inside atomic.Int64
	var stands atomic.Bool
	opens := make(chan struct{})
	front := loadshed.New(loadshed.Config{
		Objective: objective,
		Workers:   workers,
		Critical:  func(*http.Request) bool { return true },
	}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		inside.Add(1)
		defer inside.Add(-1)
		if stands.Load() {
			<-opens
		}
		time.Sleep(10 * time.Millisecond)
	}))
	most := int64(0)
	for round := 1; !stands.Load(); round++ {
		stands.Store(round == 25 || most >= 1000 && round > 3)
		for range 50 + 2*min(most, 1000) {
			go ask(front, newRequest(t.Context()))
		}
		time.Sleep(5 * time.Millisecond)
		most = max(most, inside.Load())
		time.Sleep(objective)
		most = max(most, inside.Load())
	}
	close(opens)
	time.Sleep(time.Minute)
	return most
}

// Critical traffic is served first, and takes no more than it needs.
// A spike of critical requests is refused, like any other.
func TestCriticalFirst(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		reports := open().run(t,
			clients{pattern: loadgen.Steady(0.5*capacity, 20*time.Second), seed: 1, critical: true},
			clients{pattern: loadgen.Steady(2.5*capacity, 20*time.Second), seed: 2})
		critical, others := reports[0], reports[1]
		got := critical.Between(settling, critical.To)
		step.Expect(t, got.Share() >= 0.98,
			"Critical requests come at half the capacity, and 98 %% of them should have a good answer whatever else comes. "+
				"%.1f %% had.", 100*got.Share())
		rest := others.Between(settling, others.To)
		step.Expect(t, got.Goodput()+rest.Goodput() >= enough, "At three times the capacity there should be %v good answers a second. "+
			"There were %.1f to critical requests and %.1f to others.", enough, got.Goodput(), rest.Goodput())
	})
	spike := clients{pattern: loadgen.Steady(3*capacity, 10*time.Second), seed: 1, critical: true}
	step.Bubble(t, func(t *step.T) { overload(t, spike) })
}

// A request whose deadline has passed costs nothing.
// It does not reach the server, whether it came too late or waited too long, and it takes nobody's place.
func TestDeadlines(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		s := open()
		step.NoError(t, s.ask(newRequest(t.Context())).err(), "The first request should be served by the server.")
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for range 500 {
			s.ask(newRequest(gone))
		}
		step.Equal(t, int64(0), s.reached.Load()-1, "500 requests came whose client had gone away. They reach the server:")
		step.NoError(t, s.ask(newRequest(t.Context())).err(),
			"500 requests came without a client, and the next one, with a client, should be served.")
	})
	step.Bubble(t, func(t *step.T) {
		s := open()
		s.station.Add(-workers) // nothing is finished until the workers come back
		patience, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		var calls []*step.Call[*answer]
		for range 500 {
			calls = append(calls, step.Start(t, func() *answer { return s.ask(newRequest(patience)) }))
		}
		time.Sleep(51 * time.Millisecond)
		inside, left := int(s.reached.Load()), 0
		for _, c := range calls {
			if c.Waits() {
				left++
			}
		}
		s.station.Add(workers)
		time.Sleep(time.Minute)
		step.Expect(t, inside > 0, "The server stands still, and of 500 requests some should reach it.")
		step.Equal(t, int64(0), s.dead.Load(),
			"The server is back. Requests that reach it although their client went away while they waited in front of it:")
		step.Equal(t, inside, left,
			"Of 500 requests %d reached the server, which stands still. "+
				"The clients of the others have gone away, so their calls should have returned. "+
				"Calls under way:", inside)
	})
	step.Bubble(t, func(t *step.T) {
		h := newHall(nil, workers)
		gone, cancel := context.WithCancel(t.Context())
		inside := h.fill(gone, t)
		cancel()
		time.Sleep(time.Millisecond)
		more := 0
		for range 100 {
			if h.come(t.Context(), t, "one") {
				more++
			}
		}
		h.open()
		step.Equal(t, 0, more, "The server stands still with the %d requests that were let in. Their clients go away, and the server is "+
			"still at work on them, so they keep their places. Of 100 further requests are let in:", inside)
		step.Expect(t, h.come(t.Context(), t, "one"), "The clients who gave up are gone, the server is idle again, and the next request "+
			"should be let in. It was not.")
		h.open()
	})
	step.Bubble(t, func(t *step.T) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // who is woken goes on only when the one who woke it waits
		h := newHall(nil, 1)
		for round := range 100 {
			gone, cancel := context.WithCancel(t.Context())
			inside := h.fill(gone, t)
			step.Expect(t, inside > 0, "A place came free in the very instant in which the context of a request that waited for it ended, "+
				"%d times. All calls have returned since, so the next request should be let in. It was not.", round)
			waits := h.calls.Load() > int64(inside)
			if round%2 == 0 {
				cancel()
			} else {
				h.after = cancel
			}
			h.opens <- struct{}{} // one of those inside is done
			time.Sleep(2 * objective)
			cancel()
			h.open()
			h.after = func() {}
			step.Equal(t, int64(0), h.dead.Load(),
				"A place comes free, and the context of a request that waits for it ends before it is let in. So are let in:")
			if !waits {
				break
			}
		}
	})
}

// When the spike ends, service is normal within 20 s, even though clients try again.
// All of this traffic is critical, clients wait for 2 s at most, and each makes three attempts.
func TestAfterTheSpike(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		const before, spike, after, recovery = 5 * time.Second, 4 * time.Second, 25 * time.Second, 20 * time.Second
		r := open().alone(t, clients{
			pattern:  loadgen.Spike(0.6*capacity, 4*capacity, before, spike, after),
			seed:     1,
			critical: true,
			attempts: 3,
		})
		early := r.Between(0, before)
		step.Expect(t, early.Share() >= 0.98,
			"Before the spike, 98 %% of clients should be served at their first attempt. %.1f %% were.", 100*early.Share())
		normal := r.Between(before+spike+recovery, r.To)
		step.Expect(t, normal.Share() >= 0.98,
			"The spike ended at %v, and from %v on 98 %% of clients should be served at their first attempt again. %.1f %% were.",
			before+spike, before+spike+recovery, 100*normal.Share())
	})
}

// A refusal is cheap: 503, no work for the server, and a Retry-After that differs from client to client.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		why       string
		change    func(*loadshed.Config)
		objective time.Duration
		random    bool // as Random should be
	}{
		{"all is given", func(*loadshed.Config) {}, objective, true},
		{"no Random, Critical and Tenant, an objective of 100 ms", func(c *loadshed.Config) {
			*c = loadshed.Config{Objective: 100 * time.Millisecond, Workers: workers}
		}, 100 * time.Millisecond, true},
		{"the least Random", func(c *loadshed.Config) { c.Random = func() float64 { return 0 } }, objective, false},
		{"the greatest Random", func(c *loadshed.Config) { c.Random = func() float64 { return math.Nextafter(1, 0) } }, objective, false},
	} {
		step.Bubble(t, func(t *step.T) {
			t.Tell("%s", c.why)
			s := openWith(c.change)
			s.station.Add(-workers)
			body := &unread{}
			counts := refusals(t, s.crowd(t, 2000, body), c.why, c.objective)
			refused := 0
			for _, n := range counts {
				refused += n
			}
			step.Expect(t, refused >= 1000, "2,000 requests come at once, for which the server takes 20 s. "+
				"1,000 of them at least should be refused; %d were.", refused)
			step.Equal(t, 2000-refused, int(s.reached.Load()),
				"%d of 2,000 requests were refused, and the others alone should reach the server.", refused)
			step.Equal(t, int64(0), body.reads.Load(),
				"Reads of the bodies of requests, of which those that are refused should have none:")
			if !c.random {
				return
			}
			for value, n := range counts {
				step.Expect(t, 100*n <= 40*refused,
					"No more than 40 %% of those who were refused at the same time should come back at the same time. "+
						"%d of %d are told %s s.", n, refused, value)
			}
			step.Expect(t, c.why != "all is given" || s.drawn.Load() > 0,
				"There is a Random, and Retry-After should be chosen with it; nobody called it.")
		})
	}
}

// An unread body counts how often it is read.
type unread struct{ reads atomic.Int64 }

func (u *unread) Read([]byte) (int, error) { u.reads.Add(1); return 0, io.EOF }
func (u *unread) Close() error             { return nil }

// crowd sends n requests of three tenants at once, every other one critical, to a server that
// stands still until all who are refused know it, and then works again.
func (s *shop) crowd(t *step.T, n int, body io.ReadCloser) []*step.Call[*answer] {
	calls := make([]*step.Call[*answer], n)
	for i := range calls {
		r := newRequest(t.Context())
		r.Body = body
		r.Header.Set("Tenant", strconv.Itoa(i%3))
		if i%2 == 1 {
			r.Header.Set("Critical", "yes")
		}
		calls[i] = step.Start(t, func() *answer { return s.ask(r) })
	}
	time.Sleep(2 * objective)
	s.station.Add(workers)
	return calls
}

// refusals looks at each answer that refuses, and counts them by Retry-After.
func refusals(t *step.T, calls []*step.Call[*answer], why string, within time.Duration) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, c := range calls {
		a := c.Result()
		if a.err() == nil {
			continue
		}
		step.Equal(t, http.StatusServiceUnavailable, a.status, "A request that is not served by the server is refused.")
		step.Expect(t, c.Took() <= within, "A refusal should come within %v; one took %v.", within, c.Took())
		counts[a.header.Get("Retry-After")]++
	}
	for value, n := range counts {
		step.Expect(t, slices.Contains([]string{"1", "2", "3", "4", "5"}, value),
			"Retry-After should be a number of seconds from 1 to 5. %d refusals say %q (%s).", n, value, why)
	}
	return counts
}

// Capacity that halves or doubles is followed.
func TestFurtherCapacityChanges(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		s := open()
		go func() {
			time.Sleep(10 * time.Second)
			s.station.Add(-workers / 2)
			time.Sleep(10 * time.Second)
			s.station.Add(workers / 2 * 3)
		}()
		r := s.alone(t, clients{pattern: loadgen.Steady(2.5*capacity, 35*time.Second), seed: 1})
		for _, part := range []struct {
			workers  int
			from, to time.Duration
		}{{workers, settling, 10 * time.Second}, {workers / 2, 15 * time.Second, 20 * time.Second}, {2 * workers, 25 * time.Second, r.To}} {
			want := enough * float64(part.workers) / workers
			got := r.Between(part.from, part.to).Goodput()
			step.Expect(t, got >= want,
				"From %v to %v the server has %d workers, and there should be %.0f good answers a second. There were %.1f.",
				part.from, part.to, part.workers, want, got)
		}
	})
	step.Bubble(t, func(t *step.T) {
		s := open()
		s.slow.Store(30) // times
		go func() {
			time.Sleep(5 * time.Minute)
			s.slow.Store(1)
		}()
		pattern := slices.Concat(loadgen.Steady(0.1*capacity, 5*time.Minute), loadgen.Steady(2.5*capacity, 10*time.Second))
		r := s.alone(t, clients{pattern: pattern, seed: 1})
		got := r.Between(5*time.Minute+settling, r.To).Goodput()
		step.Expect(t, got >= enough, "For five minutes a request took 3 s, and now it takes 100 ms again. "+
			"From 5 s after that on there should be %.0f good answers a second. There were %.1f.", enough, got)
	})
}

// One tenant's spike does not starve the others.
func TestFurtherTenants(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		reports := open().run(t,
			clients{pattern: loadgen.Steady(0.2*capacity, 12*time.Second), seed: 1, tenant: "small"},
			clients{pattern: loadgen.Steady(0.2*capacity, 12*time.Second), seed: 2, tenant: "other"},
			clients{pattern: loadgen.Steady(10*capacity, 12*time.Second), seed: 3, tenant: "large"})
		all := 0.0
		for _, r := range reports {
			all += r.Between(settling, r.To).Goodput()
		}
		for i, name := range []string{"small", "other"} {
			got := reports[i].Between(settling, reports[i].To)
			step.Expect(t, got.Share() >= 0.9,
				"Another tenant sends ten times the capacity. "+
					"Tenant %q sends a fifth of it, and 90 %% of its requests should have a good answer. "+
					"%.1f %% had.", name, 100*got.Share())
		}
		step.Expect(t, all >= enough, "All tenants together should have %v good answers a second. They had %.1f.", enough, all)
	})
	step.Bubble(t, func(t *step.T) {
		const tenants, size = 200, 256 << 10
		before := inUse()
		h := newHall(nil, workers)
		letIn := 0
		for n := range tenants {
			if h.come(t.Context(), t, strings.Repeat("x", size)+strconv.Itoa(n)) {
				letIn++
			}
		}
		step.Expect(t, letIn > 0, "The server stands still, and of %d requests of a tenant each some should be let in.", tenants)
		time.Sleep(time.Minute)
		h.open()
		time.Sleep(61 * time.Minute)
		kept := inUse() - before
		h.quick(t.Context(), "the next")
		long, who := "for good", ""
		if inUse()-before < kept/2 {
			long = "until the next request comes"
		}
		if kept > int64(letIn+25)*size {
			who = " and of those that were refused too"
		}
		step.Expect(t, kept < size*40, "%d tenants with names of 256 KiB sent a request each, more than an hour ago. %d were let in. "+
			"Nothing should be kept of them. %d KiB are, %s%s.", tenants, letIn, kept>>10, long, who)
		h.open()
	})
}

// inUse is the memory that is in use.
func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
