//go:build solutions

package loadshed

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// Config says what is known of the server and of its requests.
type Config struct {
	// Objective is the latency up to which an answer is worth something, from the request's arrival. It is positive.
	Objective time.Duration

	// Workers is how many requests the server works on at once, as far as is known. It is at least 1. The server may turn
	// out to have more or fewer, and the number may change.
	Workers int

	// Critical says which requests are served before all others. If it is nil, none is critical.
	Critical func(r *http.Request) bool

	// Tenant says whose request it is. If it is nil, all are of one tenant.
	Tenant func(r *http.Request) string

	// Random returns numbers from 0 to 1, 1 not included, to spread Retry-After with. If it is nil, use math/rand/v2.
	Random func() float64
}

// New returns a handler that stands before next, lets in what next can serve within the objective, and refuses the rest
// with 503 and Retry-After.
func New(cfg Config, next http.Handler) http.Handler {
	if cfg.Critical == nil {
		cfg.Critical = func(*http.Request) bool { return false }
	}
	if cfg.Tenant == nil {
		cfg.Tenant = func(*http.Request) string { return "" }
	}
	if cfg.Random == nil {
		cfg.Random = rand.Float64
	}
	s := &shedder{cfg: cfg, next: next, gate: newGate(cfg.Workers, cfg.Objective/2)}
	return http.HandlerFunc(s.serve)
}

type shedder struct {
	cfg  Config
	next http.Handler
	gate *gate
}

// serve lets the request in, or refuses it without a look at its body.
func (s *shedder) serve(w http.ResponseWriter, r *http.Request) {
	tenant := s.cfg.Tenant(r)
	if r.Context().Err() != nil || !s.gate.enter(tenant, s.cfg.Critical(r)) {
		s.refuse(w)
		return
	}
	arrived := time.Now()
	// A panic gives its place back too. A client that has gone away does not: the server is still at work.
	defer func() { s.gate.leave(tenant, arrived) }()
	s.next.ServeHTTP(w, r)
}

// refuse says when to come back: some second of the next five, so that those who are refused together do not come back
// together.
func (s *shedder) refuse(w http.ResponseWriter) {
	w.Header().Set("Retry-After", strconv.Itoa(1+int(5*s.cfg.Random())))
	http.Error(w, "the server has all the work that it can do", http.StatusServiceUnavailable)
}

// A gate limits how many requests are inside. It finds the limit by itself: those that let a request take as long as
// the target, no longer. By Little's law the number inside is the throughput times the time inside; so the limit
// follows the server's capacity, without knowing it.
type gate struct {
	target time.Duration

	mu      sync.Mutex // guards what follows
	limit   float64
	inside  int
	tenants map[string]int // how many of them are inside, by tenant
	lowered time.Time      // when limit was lowered last
}

func newGate(workers int, target time.Duration) *gate {
	// At first there is room for more than will prove right, since the measured latency lowers the limit at once, and
	// raises it slowly.
	return &gate{target: target, limit: 10 * float64(workers), tenants: map[string]int{}}
}

// enter takes a place, if there is one for such a request.
func (g *gate) enter(tenant string, critical bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	room := g.limit
	if !critical {
		room *= 0.75 // the rest is kept for those that are
	}
	if float64(g.inside) >= room {
		return false
	}
	if float64(g.inside) >= room/2 && float64(g.tenants[tenant]) >= max(1, room/g.sharers(tenant)) {
		return false // it gets crowded, and this tenant has its share
	}
	g.inside++
	g.tenants[tenant]++
	return true
}

// sharers counts the tenants with a request inside, and this one. Callers hold mu.
func (g *gate) sharers(tenant string) float64 {
	n := len(g.tenants)
	if g.tenants[tenant] == 0 {
		n++
	}
	return float64(n)
}

// leave gives the place back and learns from how long it was taken.
func (g *gate) leave(tenant string, arrived time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	took := now.Sub(arrived)
	switch {
	case took <= g.target:
		if float64(g.inside) >= g.limit/2 { // a limit that nobody reaches has proved nothing
			g.limit += 1 / g.limit
		}
	case arrived.After(g.lowered): // else the request came in under an older limit, which is lowered already
		g.limit = max(1, g.limit*max(0.5, float64(g.target)/float64(took)))
		g.lowered = now
	}
	g.inside--
	g.tenants[tenant]--
	if g.tenants[tenant] == 0 {
		delete(g.tenants, tenant)
	}
}
