package loadshed_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/loadshed"
	"github.com/backend-kata/dojo/pkg/interleave"
	"github.com/backend-kata/dojo/pkg/loadgen"
)

// The shop's server: ten workers, 100 ms a request on average, so 100 requests a second.
const (
	workers   = 10
	capacity  = 100.0
	objective = time.Second
	settling  = 5 * time.Second // that a change of load or capacity may take
	enough    = 88.0            // good answers a second under overload, see README.md
)

// A shop is the handler and the simulated server behind it.
type shop struct {
	front   http.Handler
	station *loadgen.Station
	reached atomic.Int64 // requests that reached the server
	dead    atomic.Int64 // those of them whose client had gone away before
	drawn   atomic.Int64 // random numbers
	slow    atomic.Int64 // times that a request takes as long as usual, or 0

	mu     sync.Mutex // guards what follows
	random *rand.Rand
	last   *http.Request // that the server got
	writer http.ResponseWriter
}

func open() *shop { return openWith(func(*loadshed.Config) {}) }

func openWith(change func(*loadshed.Config)) *shop {
	s := &shop{station: loadgen.NewStation(workers), random: rand.New(rand.NewPCG(24, 24))}
	cfg := loadshed.Config{
		Objective: objective,
		Workers:   workers,
		Critical:  func(r *http.Request) bool { return r.Header.Get("Critical") != "" },
		Tenant:    func(r *http.Request) string { return r.Header.Get("Tenant") },
		Random: func() float64 {
			s.drawn.Add(1)
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.random.Float64()
		},
	}
	change(&cfg)
	s.front = loadshed.New(cfg, http.HandlerFunc(s.serve))
	return s
}

// serve is the server. What a request costs is known by its number.
func (s *shop) serve(w http.ResponseWriter, r *http.Request) {
	s.reached.Add(1)
	s.mu.Lock()
	s.last, s.writer = r, w
	s.mu.Unlock()
	if r.Context().Err() != nil {
		s.dead.Add(1)
	}
	switch r.Header.Get("End") {
	case "panic":
		panic(http.ErrAbortHandler)
	case "exit":
		runtime.Goexit()
	}
	seed, _ := strconv.Atoi(r.Header.Get("Seed"))
	number, _ := strconv.Atoi(r.Header.Get("Number"))
	s.station.Do(service(seed, number) * time.Duration(max(1, s.slow.Load())))
	w.Header().Set("Served", "yes")
}

// service is 50 ms at least and 100 ms on average.
func service(seed, number int) time.Duration {
	r := rand.New(rand.NewPCG(uint64(seed), uint64(number)))
	return time.Duration((1 + r.ExpFloat64()) * float64(50*time.Millisecond))
}

// Clients are those who send requests, all of one kind.
type clients struct {
	pattern  loadgen.Pattern
	seed     int
	critical bool
	tenant   string
	attempts int // if more than 1, they give up after 2 s and try again

	objective time.Duration // if it is another one
}

// within is the objective of these.
func (c clients) within() time.Duration { return cmp.Or(c.objective, objective) }

// run lets all of these send at once, and returns a report for each when the
// server has nothing left to do. What was not refused was served by the server.
func (s *shop) run(t *step.T, all ...clients) []*loadgen.Report {
	t.Helper()
	reports := make([]*loadgen.Report, len(all))
	var under sync.WaitGroup
	for i, c := range all {
		under.Go(func() {
			send := s.send(c)
			if c.attempts > 1 {
				send = loadgen.Retry(send, 2*time.Second, c.attempts)
			}
			reports[i] = loadgen.Open{Arrivals: c.pattern.Poisson(uint64(c.seed)), Objective: c.within()}.Run(t.Context(), send)
		})
	}
	under.Wait()
	time.Sleep(10 * time.Minute) // what clients gave up is still worked on, and ends before the verdict
	for i, r := range reports {
		t.Tell("clients %d are done:\n\n%v\n%s", i+1, r, r.Timeline())
	}
	for _, r := range reports {
		step.Equal(t, 0, r.Failed, "Requests of %d that were neither served by the server nor refused with 503:", r.Sent)
	}
	return reports
}

// alone is run for one kind.
func (s *shop) alone(t *step.T, c clients) *loadgen.Report {
	t.Helper()
	return s.run(t, c)[0]
}

func (s *shop) send(c clients) loadgen.Send {
	return func(ctx context.Context, n int) error {
		r := newRequest(ctx)
		r.Header = http.Header{"Seed": {strconv.Itoa(c.seed)}, "Number": {strconv.Itoa(n)}}
		if c.critical {
			r.Header.Set("Critical", "yes")
		}
		if c.tenant != "" {
			r.Header.Set("Tenant", c.tenant)
		}
		return s.ask(r).err()
	}
}

func newRequest(ctx context.Context) *http.Request {
	return httptest.NewRequestWithContext(ctx, http.MethodPost, "http://shop.test/order", http.NoBody)
}

// ask sends one request through the front.
func (s *shop) ask(r *http.Request) *answer { return ask(s.front, r) }

func ask(front http.Handler, r *http.Request) *answer {
	a := &answer{header: http.Header{}}
	front.ServeHTTP(a, r)
	a.WriteHeader(http.StatusOK)
	return a
}

// try is ask, and returns what came through of a panic, or the answer if there was none.
func try(front http.Handler, r *http.Request) (value any, a *answer) {
	defer func() { value = recover() }()
	return nil, ask(front, r)
}

// An answer is what a client gets.
type answer struct {
	header http.Header
	status int
	body   string
}

func (a *answer) String() string {
	return fmt.Sprintf("the status %d, %v, %q", a.status, a.header, a.body)
}
func (a *answer) Header() http.Header { return a.header }
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.body += string(p)
	return len(p), nil
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

var errMadeUp = errors.New("an answer that is neither the server's nor a refusal")

// err is nil if the server answered.
func (a *answer) err() error {
	err := loadgen.Answer(a.status, a.header)
	if a.header.Get("Served") != "" || a.status == http.StatusServiceUnavailable {
		return err
	}
	return errMadeUp
}

// panics sends a request that panics on the server.
func (s *shop) panics(ctx context.Context) (value any, a *answer) {
	r := newRequest(ctx)
	r.Header.Set("End", "panic")
	return try(s.front, r)
}

// exits sends a request with which the server ends the goroutine.
func (s *shop) exits(ctx context.Context) *answer {
	r := newRequest(ctx)
	r.Header.Set("End", "exit")
	return s.ask(r)
}

// bare is a handler that is given no more than it must have.
func bare(workers int, server http.HandlerFunc) http.Handler {
	return loadshed.New(loadshed.Config{Objective: objective, Workers: workers}, server)
}

// A hall is a handler and a server that stands still until it opens. A quick
// request does not wait for that.
type hall struct {
	front        http.Handler
	opens        chan struct{}
	inside, most atomic.Int64
	dead         atomic.Int64 // requests whose context had ended when they were let in
	calls        atomic.Int64 // of come that have not returned
	after        func()       // at the end of each of them
}

func newHall(x *interleave.Schedule, workers int) *hall {
	h := &hall{opens: make(chan struct{}), after: func() {}}
	h.front = loadshed.New(loadshed.Config{
		Objective: objective,
		Workers:   workers,
		Tenant:    func(r *http.Request) string { return r.Header.Get("Tenant") },
	}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		h.most.Store(max(h.most.Load(), h.inside.Add(1)))
		defer h.inside.Add(-1)
		if r.Context().Err() != nil {
			h.dead.Add(1)
		}
		if r.Header.Get("Quick") != "" {
			if x != nil {
				x.Point("is with the server")
			}
			return
		}
		<-h.opens
	}))
	return h
}

// open lets all go, and time go on no longer than until all calls have returned.
func (h *hall) open() {
	close(h.opens)
	for synctest.Wait(); h.calls.Load() > 0; synctest.Wait() {
		time.Sleep(time.Millisecond)
	}
	h.opens = make(chan struct{})
}

// come sends a request that stays, and reports whether it was let in.
func (h *hall) come(ctx context.Context, t *step.T, tenant string) bool {
	before := h.inside.Load()
	r := newRequest(ctx)
	r.Header.Set("Tenant", tenant)
	h.calls.Add(1)
	step.Start(t, func() *answer {
		defer func() { h.after(); h.calls.Add(-1) }()
		return ask(h.front, r)
	})
	return h.inside.Load() > before
}

// fill lets requests come until one is not let in, and returns how many are.
func (h *hall) fill(ctx context.Context, t *step.T) (n int) {
	for n <= 1000 && h.come(ctx, t, "one") {
		n++
	}
	return n
}

// quick sends a request that does not stay.
func (h *hall) quick(ctx context.Context, tenant string) {
	r := newRequest(ctx)
	r.Header = http.Header{"Tenant": {tenant}, "Quick": {"yes"}}
	ask(h.front, r)
}
