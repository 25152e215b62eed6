package loadshed_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/loadgen"
)

// Below capacity nothing is refused.
// A request that panics on the server leaves no trace.
func TestBelowCapacity(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		s := open()
		require.NoError(t, s.ask(newRequest(t.Context())).err(), "a request to an idle server was expected to be served by the server")
		for n := range 200 {
			value, a := s.panics(t.Context())
			require.Equal(t, http.ErrAbortHandler, value, "a panic of the server was expected to go on to the caller, and to leave the place free; request %d that panics gets %v in place of it", n+1, a)
		}
		r := s.alone(t.Context(), clients{pattern: loadgen.Steady(0.8*capacity, 30*time.Second), seed: 1})
		honest(t, r)
		require.Zero(t, r.Refused, "at 0.8 of the capacity no request was expected to be refused; %d of %d were%s", r.Refused, r.Sent, story(r))
		require.Equal(t, r.Sent, r.Good, "at 0.8 of the capacity all %d requests were expected to be served within %v; %d were%s", r.Sent, objective, r.Good, story(r))
		unserved := rush(t.Context(), workers, 100)
		require.Zero(t, unserved, "%d clients send one request after the other to %d workers, and none was expected to be refused; %d of %d were", workers, workers, unserved, 100*workers)
		rush(t.Context(), 20*workers, 10) // for -race
	})
}

// At twice the capacity those who are served are served within the objective.
// The server is kept busy, and the rest is refused.
func TestTwiceTheCapacity(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		overload(t, 2)
	})
}

// At ten times the capacity goodput stays high.
func TestTenTimesTheCapacity(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		overload(t, 10)
	})
}

// Critical traffic is served first, and takes no more than it needs.
func TestCriticalFirst(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		reports := open().run(t.Context(),
			clients{pattern: loadgen.Steady(0.5*capacity, 20*time.Second), seed: 1, critical: true},
			clients{pattern: loadgen.Steady(2.5*capacity, 20*time.Second), seed: 2})
		critical, others := reports[0], reports[1]
		honest(t, critical)
		honest(t, others)
		got := critical.Between(settling, critical.To)
		require.GreaterOrEqual(t, got.Share(), 0.98, "critical requests come at half the capacity, and 98 %% of them were expected to have a good answer whatever else comes; %.1f %% had%s", 100*got.Share(), story(critical))
		rest := others.Between(settling, others.To)
		require.GreaterOrEqual(t, got.Goodput()+rest.Goodput(), enough, "at three times the capacity, critical requests and others were expected to have %v good answers a second together; they had %.1f and %.1f%s", enough, got.Goodput(), rest.Goodput(), story(others))
	})
}

// A request whose deadline has passed costs nothing.
// It does not reach the server, whether it came too late or waited too long, and it takes nobody's place.
func TestDeadlines(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		s := open()
		require.NoError(t, s.ask(newRequest(t.Context())).err(), "the first request was expected to be served by the server")
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for range 500 {
			s.ask(newRequest(gone))
		}
		require.EqualValues(t, 1, s.reached.Load(), "500 requests came whose client had gone away, and none of them was expected to reach the server; %d did", s.reached.Load()-1)
		require.NoError(t, s.ask(newRequest(t.Context())).err(), "after 500 requests without a client, the next one with a client was expected to be served")
	})
	bubble.Run(t, func(t *testing.T) {
		s := open()
		s.station.Add(-workers) // nothing is finished until the workers come back
		patience, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		var mu sync.Mutex
		returned := 0
		for range 500 {
			go func() {
				s.ask(newRequest(patience))
				mu.Lock()
				defer mu.Unlock()
				returned++
			}()
		}
		time.Sleep(time.Second)
		synctest.Wait()
		inside := int(s.reached.Load())
		mu.Lock()
		left := 500 - returned
		mu.Unlock()
		s.station.Add(workers)
		time.Sleep(time.Minute)
		require.Positive(t, inside, "the server stands still, and of 500 requests some were expected to reach it")
		require.Equal(t, inside, left, "of 500 requests %d reached the server, which stands still; the clients of the rest have gone away, and their calls were expected to have returned; %d calls are under way", inside, left)
		require.Zero(t, s.dead.Load(), "the server is back, and of the requests that waited in front of it none whose client has gone away was expected to reach it; %d did", s.dead.Load())
	})
}

// When the spike ends, service is normal within 20 s, even though clients try again.
// All of this traffic is critical, clients wait for 2 s at most, and each makes three attempts.
func TestAfterTheSpike(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		const before, spike, after, recovery = 5 * time.Second, 4 * time.Second, 25 * time.Second, 20 * time.Second
		r := open().alone(t.Context(), clients{
			pattern:  loadgen.Spike(0.6*capacity, 4*capacity, before, spike, after),
			seed:     1,
			critical: true,
			attempts: 3,
		})
		early := r.Between(0, before)
		require.GreaterOrEqual(t, early.Share(), 0.98, "before the spike, 98 %% of clients were expected to be served at their first attempt; %.1f %% were%s", 100*early.Share(), story(r))
		normal := r.Between(before+spike+recovery, r.To)
		require.GreaterOrEqual(t, normal.Share(), 0.98, "the spike ended at %v, and from %v on 98 %% of clients were expected to be served at their first attempt again; %.1f %% were%s", before+spike, before+spike+recovery, 100*normal.Share(), story(r))
	})
}

// A refusal is cheap: 503, no work for the server, and a Retry-After that differs from client to client.
func TestRefusals(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		s := open()
		s.station.Add(-workers)
		body := &unread{}
		answers := s.crowd(t.Context(), 2000, body)
		refused, counts := 0, map[string]int{}
		for _, a := range answers {
			switch {
			case a.err() == nil:
				continue
			case a.status == http.StatusServiceUnavailable:
				refused++
				counts[a.header.Get("Retry-After")]++
				require.LessOrEqual(t, a.took, objective, "a refusal was expected within %v, and took %v", objective, a.took)
			default:
				require.NoError(t, a.err(), "a request was expected to be served by the server or to be refused with 503; one got status %d, without the server", a.status)
			}
		}
		require.GreaterOrEqual(t, refused, 1000, "2000 requests come at once, for which the server takes 20 s, and 1000 of them at least were expected to be refused; %d were", refused)
		require.EqualValues(t, 2000-refused, s.reached.Load(), "%d of 2000 requests were refused, and the others alone were expected to reach the server; %d did", refused, s.reached.Load())
		require.Zero(t, body.reads.Load(), "nobody was expected to read the body of a request that is refused; there were %d reads", body.reads.Load())
		for value, n := range counts {
			require.Contains(t, []string{"1", "2", "3", "4", "5"}, value, "Retry-After was expected to be a number of seconds from 1 to 5; %d refusals say %q", n, value)
			require.LessOrEqual(t, 100*n, 40*refused, "no more than 40 %% of those who were refused at the same time were expected to come back at the same time; %d of %d are told %s s", n, refused, value)
		}
	})
}

// Capacity that halves or doubles is followed.
func TestFurtherCapacityChanges(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		s := open()
		go func() {
			time.Sleep(10 * time.Second)
			s.station.Add(-workers / 2)
			time.Sleep(10 * time.Second)
			s.station.Add(workers / 2 * 3)
		}()
		r := s.alone(t.Context(), clients{pattern: loadgen.Steady(2.5*capacity, 35*time.Second), seed: 1})
		honest(t, r)
		for _, part := range []struct {
			workers  int
			from, to time.Duration
		}{{workers, settling, 10 * time.Second}, {workers / 2, 15 * time.Second, 20 * time.Second}, {2 * workers, 25 * time.Second, r.To}} {
			want := enough * float64(part.workers) / workers
			got := r.Between(part.from, part.to)
			require.GreaterOrEqual(t, got.Goodput(), want, "from %v to %v the server has %d workers, and %.0f good answers a second were expected; there were %.1f%s", part.from, part.to, part.workers, want, got.Goodput(), story(r))
		}
	})
}

// One tenant's spike does not starve the others.
func TestFurtherTenants(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		reports := open().run(t.Context(),
			clients{pattern: loadgen.Steady(0.2*capacity, 12*time.Second), seed: 1, tenant: "small"},
			clients{pattern: loadgen.Steady(0.2*capacity, 12*time.Second), seed: 2, tenant: "other"},
			clients{pattern: loadgen.Steady(10*capacity, 12*time.Second), seed: 3, tenant: "large"})
		all := 0.0
		for _, r := range reports {
			honest(t, r)
			all += r.Between(settling, r.To).Goodput()
		}
		for i, name := range []string{"small", "other"} {
			got := reports[i].Between(settling, reports[i].To)
			require.GreaterOrEqual(t, got.Share(), 0.9, "another tenant sends ten times the capacity; 90 %% of the requests of tenant %q, who sends a fifth of it, were expected to have a good answer, and %.1f %% had%s", name, 100*got.Share(), story(reports[i]))
		}
		require.GreaterOrEqual(t, all, enough, "all tenants together were expected to have %v good answers a second; they had %.1f%s", enough, all, story(reports[2]))
	})
}
