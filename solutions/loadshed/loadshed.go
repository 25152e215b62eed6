//go:build solutions

package loadshed

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// Config says what is known of the server and of its requests. Its numbers are positive, Workers is at most 1,000, and
// its functions are safe for concurrent use.
type Config struct {
	// Objective is the time from a request's arrival up to which its answer is good.
	Objective time.Duration

	// Workers is how many requests the server works on at once, as far as is known. It may be wrong, or become so.
	Workers int

	// Critical says which requests are served first. If it is nil, none is critical.
	Critical func(r *http.Request) bool

	// Tenant says whose request it is. If it is nil, all are of one tenant.
	Tenant func(r *http.Request) string

	// Random returns numbers from 0 to 1, 1 not included. If it is nil, use math/rand/v2.
	Random func() float64
}

// New returns a handler that lets in what next can serve within the objective, and refuses the rest.
func New(cfg Config, next http.Handler) http.Handler {
	if cfg.Random == nil {
		cfg.Random = rand.Float64
	}
	s := &shedder{cfg: cfg, next: next, gate: newGate(cfg.Workers, cfg.Objective)}
	return http.HandlerFunc(s.serve)
}

type shedder struct {
	cfg  Config
	next http.Handler
	gate *gate
}

// serve lets the request in, or refuses it without a look at its body.
func (s *shedder) serve(w http.ResponseWriter, r *http.Request) {
	tenant := ""
	if s.cfg.Tenant != nil {
		tenant = s.cfg.Tenant(r)
	}
	critical := s.cfg.Critical != nil && s.cfg.Critical(r)
	if r.Context().Err() != nil || !s.gate.enter(tenant, critical) {
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

// What the gate is tuned by.
const (
	aim     = 0.5  // of the objective that an answer should take, since some take longer
	first   = 10   // places for a worker at first: too many, since the limit falls at once and rises slowly
	open    = 0.75 // of the limit to all; the rest is kept for critical requests
	crowded = 0.5  // of the room taken, from which on a tenant has no more than its share
	used    = 0.5  // of the limit taken, from which on a quick answer says that there is room for more
	cut     = 0.5  // of the limit left at least when it is lowered
	most    = 1000 // places that there may ever be
)

// A gate limits how many requests are inside. It finds the limit by itself: those that let a request take as long as
// the target, no longer. By Little's law the number inside is the throughput times the time inside; so the limit
// follows the server's capacity, without knowing it.
type gate struct {
	target  float64 // seconds
	workers float64 // places that there are at least, to all requests

	mu      sync.Mutex // guards what follows
	limit   float64
	inside  int
	tenants map[string]int // how many of them are inside, by tenant
	lowered time.Time      // when limit was lowered last
}

func newGate(workers int, objective time.Duration) *gate {
	w := float64(workers)
	return &gate{target: aim * objective.Seconds(), workers: w, limit: min(most, first*w), tenants: map[string]int{}}
}

// enter takes a place, if there is one for such a request.
func (g *gate) enter(tenant string, critical bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	room := g.limit
	if !critical {
		room = max(g.workers, open*room)
	}
	if float64(g.inside) >= room {
		return false
	}
	if float64(g.inside) >= max(g.workers, crowded*room) && float64(g.tenants[tenant]) >= room/float64(len(g.tenants)) {
		return false // this tenant has its share; one with nothing inside has a place
	}
	g.inside++
	g.tenants[tenant]++
	return true
}

// leave gives the place back and learns from how long it was taken.
func (g *gate) leave(tenant string, arrived time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	took := time.Since(arrived).Seconds()
	switch {
	case took <= g.target:
		if float64(g.inside) >= used*g.limit { // a limit that nobody reaches has proved nothing
			g.limit = min(most, g.limit+1/g.limit)
		}
	case arrived.After(g.lowered): // else the request came in under an older limit, which is lowered already
		g.limit = max(g.workers, g.limit*max(cut, g.target/took))
		g.lowered = time.Now()
	}
	g.inside--
	g.tenants[tenant]--
	if g.tenants[tenant] == 0 {
		delete(g.tenants, tenant)
	}
}
