package loadshed_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/backend-kata/dojo/kata/loadshed"
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

// A shop is the handler under test and the simulated server behind it.
type shop struct {
	front   http.Handler
	station *loadgen.Station
	reached atomic.Int64 // requests that reached the server
	dead    atomic.Int64 // those of them whose client had gone away before

	mu     sync.Mutex // guards random
	random *rand.Rand
}

func open() *shop {
	s := &shop{station: loadgen.NewStation(workers), random: rand.New(rand.NewPCG(24, 24))}
	s.front = loadshed.New(loadshed.Config{
		Objective: objective,
		Workers:   workers,
		Critical:  func(r *http.Request) bool { return r.Header.Get("Critical") != "" },
		Tenant:    func(r *http.Request) string { return r.Header.Get("Tenant") },
		Random: func() float64 {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.random.Float64()
		},
	}, http.HandlerFunc(s.serve))
	return s
}

// serve is the server. What a request costs is known by its number.
func (s *shop) serve(w http.ResponseWriter, r *http.Request) {
	s.reached.Add(1)
	if r.Context().Err() != nil {
		s.dead.Add(1)
	}
	if r.Header.Get("Panic") != "" {
		panic(http.ErrAbortHandler)
	}
	seed, _ := strconv.Atoi(r.Header.Get("Seed"))
	number, _ := strconv.Atoi(r.Header.Get("Number"))
	s.station.Do(service(seed, number))
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
}

// run lets all of these send at once, and returns a report for each when the
// server has nothing left to do.
func (s *shop) run(ctx context.Context, all ...clients) []*loadgen.Report {
	reports := make([]*loadgen.Report, len(all))
	var under sync.WaitGroup
	for i, c := range all {
		under.Go(func() {
			send := s.send(c)
			if c.attempts > 1 {
				send = loadgen.Retry(send, 2*time.Second, c.attempts)
			}
			reports[i] = loadgen.Open{Arrivals: c.pattern.Poisson(uint64(c.seed)), Objective: objective}.Run(ctx, send)
		})
	}
	under.Wait()
	time.Sleep(10 * time.Minute) // what clients gave up is still worked on, and ends before the verdict
	return reports
}

// alone is run for one kind.
func (s *shop) alone(ctx context.Context, c clients) *loadgen.Report { return s.run(ctx, c)[0] }

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
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://shop.test/order", http.NoBody)
	if err != nil {
		panic(err)
	}
	return r
}

// ask sends one request through the front.
func (s *shop) ask(r *http.Request) *answer {
	a := &answer{header: http.Header{}}
	s.front.ServeHTTP(a, r)
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a
}

// An answer is what a client gets.
type answer struct {
	header http.Header
	status int
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) Write(p []byte) (int, error) { a.WriteHeader(http.StatusOK); return len(p), nil }
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

var errMadeUp = errors.New("an answer that is not the server's")

func (a *answer) err() error {
	err := loadgen.Answer(a.status, a.header)
	if err == nil && a.header.Get("Served") == "" {
		return errMadeUp
	}
	return err
}

// panics sends a request that panics on the server. It returns what came
// through of the panic, and the answer if there was none.
func (s *shop) panics(ctx context.Context) (value any, a *answer) {
	r := newRequest(ctx)
	r.Header.Set("Panic", "yes")
	defer func() { value = recover() }()
	return nil, s.ask(r)
}

// rush sends as many requests at a time as there are clients, again and again,
// to a server that takes no work. It shares no lock between the clients, which
// would hide a data race from -race. It returns how many were not served.
func rush(ctx context.Context, clients, each int) int64 {
	front := loadshed.New(loadshed.Config{Objective: objective, Workers: workers}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(time.Millisecond) // all at once
		w.Header().Set("Served", "yes")
	}))
	var unserved atomic.Int64
	var under sync.WaitGroup
	for range clients {
		under.Go(func() {
			for range each {
				a := &answer{header: http.Header{}}
				front.ServeHTTP(a, newRequest(ctx))
				if a.header.Get("Served") == "" {
					unserved.Add(1)
				}
			}
		})
	}
	under.Wait()
	return unserved.Load()
}

// A timed answer.
type timed struct {
	*answer
	took time.Duration
}

// crowd sends n requests at once to a server that stands still until all who
// are refused know it, and then works again.
func (s *shop) crowd(ctx context.Context, n int, body *unread) []timed {
	answers := make([]timed, n)
	var under sync.WaitGroup
	for i := range answers {
		under.Go(func() {
			start := time.Now()
			r := newRequest(ctx)
			r.Header.Set("Number", strconv.Itoa(i))
			r.Body = body
			answers[i].answer = s.ask(r)
			answers[i].took = time.Since(start)
		})
	}
	time.Sleep(2 * objective)
	s.station.Add(workers)
	under.Wait()
	return answers
}

// An unread body counts how often it is read.
type unread struct{ reads atomic.Int64 }

func (u *unread) Read([]byte) (int, error) { u.reads.Add(1); return 0, io.EOF }
func (u *unread) Close() error             { return nil }

// overload sends a multiple of the capacity for 10 s.
func overload(t *testing.T, times float64) {
	t.Helper()
	r := open().alone(t.Context(), clients{pattern: loadgen.Steady(times*capacity, 10*time.Second), seed: 1})
	honest(t, r)
	inTime(t, r)
	got := r.Between(settling, r.To)
	require.GreaterOrEqual(t, got.Goodput(), enough, "at %v times the capacity, %v good answers a second were expected from %v on; there were %.1f%s", times, enough, settling, got.Goodput(), story(r))
}

// honest says that what was not refused was served by the server.
func honest(t *testing.T, r *loadgen.Report) {
	t.Helper()
	require.Zero(t, r.Failed, "a request was expected to be served by the server or to be refused with 503; %d of %d got another answer, without the server\n\n%v", r.Failed, r.Sent, r)
}

// inTime says that of what was served after the settling time, hardly anything was late.
func inTime(t *testing.T, r *loadgen.Report) {
	t.Helper()
	part := r.Between(settling, r.To)
	require.LessOrEqual(t, 100*part.Late, part.Good+part.Late, "those who are served were expected to have their answer within %v, 99 of 100 of them; %d of %d had to wait longer\n\n%v\n%s",
		objective, part.Late, part.Good+part.Late, r, r.Timeline())
}

// story is how a run went, for a failure.
func story(r *loadgen.Report) string { return fmt.Sprintf("\n\n%v\n%s", r, r.Timeline()) }
