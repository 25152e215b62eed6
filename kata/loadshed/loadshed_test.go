package loadshed_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/internal/step"
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
		step.NoError(t, s.ask(r).err(), "The server is idle, so a request should be served by it.")
		step.Expect(t, s.last == r, "The server should get the request as it came, and got another one.")
		step.Equal(t, int64(1), s.reached.Load(), "The handler calls the server for one request:")

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

		all := s.alone(t, clients{pattern: loadgen.Steady(0.8*capacity, 30*time.Second), seed: 1})
		step.Equal(t, 0, all.Refused, "Requests refused of %d, at 0.8 of the capacity:", all.Sent)
		step.Equal(t, all.Sent, all.Good, "Requests served within %v, at 0.8 of the capacity:", objective)
		step.Equal(t, 0, rush(t, workers, 100),
			"Requests not served, of %d clients with 100 each, one after the other, at %d workers:", workers, workers)
	})
	step.Bubble(t, func(t *step.T) {
		apart.Pairs(t.T, func() *nest { return newNest(t.Context()) },
			apart.Call[*nest]{Name: "a request that is served", Do: func(n *nest) { n.ask(0) }},
			apart.Call[*nest]{Name: "a request whose client has gone", Do: (*nest).askInVain},
			apart.Call[*nest]{Name: "requests until one is refused", Do: func(n *nest) { n.ask(100) }},
		)
	})
}

// At twice the capacity those who are served are served within the objective.
// The server is kept busy, and the rest is refused.
func TestTwiceTheCapacity(t *testing.T) {
	step.Bubble(t, func(t *step.T) { overload(t, clients{pattern: loadgen.Steady(2*capacity, 10*time.Second), seed: 1}) })
}

// overload sends more than the server can do, for long enough to settle.
func overload(t *step.T, c clients) {
	t.Helper()
	r := open().alone(t, c)
	part := r.Between(settling, r.To)
	step.Expect(t, 100*part.Late <= part.Good+part.Late,
		"Of those who are served 99 %% should have their answer within %v. %d of %d had to wait longer.",
		objective, part.Late, part.Good+part.Late)
	step.Expect(t, part.Goodput() >= enough,
		"With more work than the server can do, there should be %v good answers a second from %v on. There were %.1f.",
		enough, settling, part.Goodput())
}

// At ten times the capacity goodput stays high.
// However many come at the same time, no more are let in than if they came one after the other.
func TestTenTimesTheCapacity(t *testing.T) {
	step.Bubble(t, func(t *step.T) { overload(t, clients{pattern: loadgen.Steady(10*capacity, 10*time.Second), seed: 1}) })

	for _, others := range []int{0, 3} { // requests of another tenant, which come first
		limit := 0 // how many more are let in, one after the other
		step.Bubble(t, func(t *step.T) {
			h := newHall(nil)
			for range others {
				h.come(t, "other")
			}
			for limit < 1000 && h.come(t, "one") {
				limit++
			}
			close(h.opens)
			step.Expect(t, 0 < limit && limit < 1000,
				"The server stands still, and 1,000 requests come one after the other. "+
					"Some should be let in, and some refused; %d are let in.", limit)
		})
		step.Explore(t, func(t *step.T, x *interleave.Schedule) {
			h := newHall(x)
			for range others {
				h.come(t, "other")
			}
			for range limit - 1 {
				h.come(t, "one")
			}
			for _, name := range []string{"A", "B"} {
				x.Go("request "+name, func() {
					x.Point("comes")
					h.quick(t.Context(), "one")
				})
			}
			x.Run()
			close(h.opens)
			step.Expect(t, h.most.Load() <= int64(others+limit),
				"The server stands still. If requests come one after the other, %d are let in, and no more. "+
					"When two come at the same time for the last place, %d are inside.", others+limit, h.most.Load())
		})
	}
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
	step.Bubble(t, func(t *step.T) {
		r := open().alone(t, clients{pattern: loadgen.Steady(3*capacity, 10*time.Second), seed: 1, critical: true})
		step.Expect(t, r.Refused > 0,
			"Critical requests alone come at three times the capacity, so some should be refused. All %d were let in.", r.Sent)
	})
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
		patience, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		var calls []*step.Call[*answer]
		for range 500 {
			calls = append(calls, step.Start(t, func() *answer { return s.ask(newRequest(patience)) }))
		}
		time.Sleep(time.Second)
		inside, left := int(s.reached.Load()), 0
		for _, c := range calls {
			if c.Waits() {
				left++
			}
		}
		s.station.Add(workers)
		time.Sleep(time.Minute)
		step.Expect(t, inside > 0, "The server stands still, and of 500 requests some should reach it.")
		step.Equal(t, inside, left,
			"Of 500 requests %d reached the server, which stands still. "+
				"The clients of the others have gone away, so their calls should have returned. "+
				"Calls under way:", inside)
		step.Equal(t, int64(0), s.dead.Load(),
			"The server is back. Requests that reach it although their client went away while they waited in front of it:")
	})
	step.Bubble(t, func(t *step.T) {
		s := open()
		s.station.Add(-workers)
		for range 20 { // waves of clients who give up soon
			soon, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			for range 100 {
				go s.ask(newRequest(soon))
			}
			time.Sleep(20 * time.Millisecond)
			cancel()
		}
		inside := s.reached.Load()
		s.station.Add(workers)
		time.Sleep(time.Hour)
		step.Expect(t, inside <= 1000, "The server stands still, so what is with it keeps its place, although the clients go away. "+
			"2,000 requests came in waves of 100, and %d of them were let in. Half of them at least should be refused.", inside)
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
	for _, random := range []bool{true, false} {
		step.Bubble(t, func(t *step.T) {
			s := open()
			if !random { // and nothing else is given
				s.front = bare(workers, s.serve)
			}
			s.station.Add(-workers)
			body := &unread{}
			refused := refusals(t, s.crowd(t, 2000, body))
			step.Expect(t, refused >= 1000,
				"2,000 requests come at once, for which the server takes 20 s. "+
					"1,000 of them at least should be refused; %d were.", refused)
			step.Equal(t, 2000-refused, int(s.reached.Load()),
				"%d of 2,000 requests were refused, and the others alone should reach the server.", refused)
			step.Equal(t, int64(0), body.reads.Load(),
				"Reads of the bodies of requests, of which those that are refused should have none:")
			step.Expect(t, !random || s.drawn.Load() > 0, "There is a Random, and Retry-After should be chosen with it; nobody called it.")
		})
	}
}

// crowd sends n requests at once to a server that stands still until all who
// are refused know it, and then works again.
func (s *shop) crowd(t *step.T, n int, body io.ReadCloser) []*step.Call[*answer] {
	calls := make([]*step.Call[*answer], n)
	for i := range calls {
		r := newRequest(t.Context())
		r.Body = body
		calls[i] = step.Start(t, func() *answer { return s.ask(r) })
	}
	time.Sleep(2 * objective)
	s.station.Add(workers)
	return calls
}

// refusals counts the answers that refuse, and looks at each.
func refusals(t *step.T, calls []*step.Call[*answer]) int {
	t.Helper()
	refused, counts := 0, map[string]int{}
	for _, c := range calls {
		a := c.Result()
		if a.err() == nil {
			continue
		}
		step.Equal(t, http.StatusServiceUnavailable, a.status, "A request that is not served by the server is refused.")
		step.Expect(t, c.Took() <= objective, "A refusal should come within %v; one took %v.", objective, c.Took())
		refused++
		counts[a.header.Get("Retry-After")]++
	}
	for value, n := range counts {
		step.Expect(t, slices.Contains([]string{"1", "2", "3", "4", "5"}, value),
			"Retry-After should be a number of seconds from 1 to 5. %d refusals say %q.", n, value)
		step.Expect(t, 100*n <= 40*refused,
			"No more than 40 %% of those who were refused at the same time should come back at the same time. %d of %d are told %s s.",
			n, refused, value)
	}
	return refused
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
}
