package partialfailure_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/partialfailure"
	"github.com/backend-kata/dojo/pkg/apart"
	"github.com/backend-kata/dojo/pkg/simnet"
)

const us, ms, latency = time.Microsecond, time.Millisecond, time.Millisecond // latency is that of every link, one way

// A reply is how a service answers one request.
type reply struct {
	status     int // zero means 200
	takes      time.Duration
	bodyTakes  time.Duration // when the header has come
	breaks     bool          // the connection is closed in the middle of the body
	retryAfter string
	body       string // without a status it is the host and the path
}

var hangs, endless = reply{takes: time.Hour}, reply{bodyTakes: time.Hour} // nobody waits for these

// A service is a fake behind one host.
type service struct {
	underWay atomic.Int32
	mu       sync.Mutex
	replies  []reply // the last one for ever
}

func (sv *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sv.underWay.Add(1)
	defer sv.underWay.Add(-1)
	_, _ = io.Copy(io.Discard, r.Body)
	sv.mu.Lock()
	reply := sv.replies[0]
	sv.replies = sv.replies[min(1, len(sv.replies)-1):]
	sv.mu.Unlock()
	pause(r, reply.takes)
	w.Header().Set("Retry-After", reply.retryAfter) // an empty one is as none
	if reply.status == 0 {
		reply.status, reply.body = 200, r.Host+r.URL.Path
	}
	w.WriteHeader(reply.status)
	_, _ = io.WriteString(w, reply.body)
	if reply.bodyTakes > 0 || reply.breaks {
		_ = http.NewResponseController(w).Flush()
	}
	pause(r, reply.bodyTakes)
	if reply.breaks {
		panic(http.ErrAbortHandler)
	}
}

// pause waits, unless the caller gives up.
func pause(r *http.Request, takes time.Duration) {
	if takes > 0 { // a timer of no length can crash a bubble of Go 1.26 with -race
		select {
		case <-time.After(takes):
		case <-r.Context().Done():
		}
	}
}

// A shop is four services, and a Composer whose client keeps a record.
type shop struct {
	partialfailure.Config // of the Composer, until the first page
	composer              *partialfailure.Composer
	t                     *step.T
	network               *simnet.Network
	services              map[string]*service
	start                 time.Time
	mu                    sync.Mutex
	sent                  []*request
}

// A request is what the client sent, and when its answer's header came or it failed.
type request struct {
	host, path, what, left string // what is method, path with query, and body; left is the header
	again                  bool   // there was one to this host and path before
	sent, ended            time.Duration
}

// inShop runs the body in a bubble, with services that answer at once. In the end nothing may be left open.
func inShop(t *testing.T, body func(t *step.T, s *shop)) {
	t.Helper()
	step.Bubble(t, func(t *step.T) {
		s := &shop{
			Config: config(), t: t, start: time.Now(),
			network: &simnet.Network{Default: simnet.Link{Latency: latency}}, services: map[string]*service{},
		}
		s.Client = &http.Client{Transport: recorder{s.network.Host("page").Transport(), s}}
		for _, name := range []string{"product", "price", "stock", "reviews"} {
			s.services[name] = &service{replies: []reply{{}}}
			simnet.NewTestServer(t, s.network.Host(name), s.services[name])
		}
		body(t, s)
		time.Sleep(time.Minute) // dials that nobody waits for give up after 30 s
		s.Client.CloseIdleConnections()
		time.Sleep(time.Minute)
		step.Equal(t, 0, len(s.network.OpenConns()), "The network saw\n%s\nConnections that are left open:", s.network.Trace())
	})
}

func config() partialfailure.Config {
	return partialfailure.Config{
		Timeout: time.Second, AttemptTimeout: time.Second, MaxAttempts: 1,
		BackoffBase: 100 * ms, BackoffCap: time.Second, Rand: func() float64 { return 0.5 }, // half of the bound
		RetryFloor: 100, RetryWindow: 10 * time.Second,
	}
}

// answers gives the replies of a service in a row, and the last one for ever.
func (s *shop) answers(name string, replies ...reply) {
	sv := s.services[name]
	sv.mu.Lock()
	defer sv.mu.Unlock()
	sv.replies = replies
}

// givenUp expects that a service has nothing to do any more.
func (s *shop) givenUp(name, why string) {
	s.t.Helper()
	time.Sleep(2 * latency) // it is heard of a little later
	step.Equal(s.t, 0, s.services[name].underWay.Load(), "%s, so requests to %s should be given up. Still under way there:", why, name)
}

// A recorder notes what passes the client.
type recorder struct {
	*http.Transport
	*shop
}

func (r recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	u, left := req.URL, req.Header.Get("Request-Timeout-Ms")
	q := &request{host: u.Host, path: u.Path, what: req.Method + " " + u.RequestURI(), left: left, sent: time.Since(r.start)}
	if req.Body != nil && req.Body != http.NoBody {
		body, _ := io.ReadAll(req.Body)
		q.what += " " + string(body)
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	r.t.Tell("%s%s: %s is sent, with %s ms left", q.host, q.path, req.Method, cmp.Or(left, "no word of how many"))
	r.mu.Lock()
	r.sent = append(r.sent, q)
	r.mu.Unlock()
	resp, err := r.Transport.RoundTrip(req)
	r.mu.Lock()
	defer r.mu.Unlock()
	q.ended = time.Since(r.start)
	if err != nil {
		r.t.Tell("%s%s, after %v: %v", q.host, q.path, q.ended-q.sent, err)
		return nil, fmt.Errorf("recorded: %w", err)
	}
	r.t.Tell("%s%s, after %v: %s, to the end of the header", q.host, q.path, q.ended-q.sent, resp.Status)
	return resp, nil
}

// requests returns what was sent to a host.
func (s *shop) requests(host string) (all []request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.sent {
		if q.host == host {
			q.again = slices.ContainsFunc(all, func(e request) bool { return e.path == q.path })
			all = append(all, *q)
		}
	}
	return all
}

// record returns what each request to a host said of the time, and how long after the end of one the next was sent.
func (s *shop) record(host string) (lefts []string, pauses []time.Duration) {
	requests := s.requests(host)
	for i, q := range requests {
		lefts = append(lefts, q.left)
		if i > 0 {
			pauses = append(pauses, q.sent-requests[i-1].ended)
		}
	}
	return lefts, pauses
}

// productPage is the usual page: without product and price there is none.
var productPage = []partialfailure.Part{
	{Name: "product", URL: "http://product/7", Required: true},
	{Name: "price", URL: "http://price/7", Required: true},
	{Name: "stock", URL: "http://stock/7"},
	{Name: "reviews", URL: "http://reviews/7"},
}

func part(name string) []partialfailure.Part {
	return []partialfailure.Part{{Name: name, URL: "http://" + name + "/7"}}
}

// A result is what a call of Page came to.
type result struct {
	parts   map[string]string // the bodies
	missing map[string]error
	err     error
	took    time.Duration
}

// get gets a page of these parts.
func (s *shop) get(parts []partialfailure.Part) result { return s.getFor(s.t.Context(), parts) }

func (s *shop) getFor(ctx context.Context, parts []partialfailure.Part) result {
	if s.composer == nil {
		s.composer = partialfailure.New(s.Config)
	}
	start := time.Now()
	page, err := s.composer.Page(ctx, parts)
	r := result{map[string]string{}, page.Missing, err, time.Since(start)}
	for name, body := range page.Parts {
		r.parts[name] = string(body)
	}
	return r
}

// whole gets a page, and expects that it has every part.
func (s *shop) whole(parts []partialfailure.Part, why string) result {
	s.t.Helper()
	got := s.get(parts)
	step.NoError(s.t, got.err, "%s, so Page should succeed.", why)
	for _, p := range parts {
		step.Equal(s.t, strings.TrimPrefix(p.URL, "http://"), got.parts[p.Name], "%s, so the page should have %s.", why, p.Name)
	}
	step.Equal(s.t, 0, len(got.missing), "%s, so no part should be missing, and %v are. How many:", why, got.missing)
	return got
}

// missing expects that an optional part is left out and named.
func (s *shop) missing(got result, name, why string) *partialfailure.PartError {
	s.t.Helper()
	step.NoError(s.t, got.err, "The part %s is optional (%s), so Page should do without it.", name, why)
	step.Equal(s.t, "", got.parts[name], "The page should have no part %s (%s). Its body in Page.Parts:", name, why)
	return s.partError(got.missing[name], name, why)
}

// partError expects the error of a part.
func (s *shop) partError(err error, name, why string) *partialfailure.PartError {
	s.t.Helper()
	failed, ok := errors.AsType[*partialfailure.PartError](err)
	step.Expect(s.t, ok, "A *PartError should say why the part %s is missing (%s). Got: %v", name, why, err)
	step.Equal(s.t, name, failed.Part, "A *PartError has the name of its part.")
	step.Expect(s.t, strings.Contains(failed.Error(), name), "A *PartError's text should have the name %s. Got: %v", name, failed)
	return failed
}

// direct answers requests with a status, without a network and without a lock that would order them.
type direct func(r *http.Request) (status int)

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	body := io.NopCloser(strings.NewReader(r.URL.Host + r.URL.Path))
	return &http.Response{StatusCode: d(r), Header: http.Header{}, Body: body}, nil
}

// A foreign context is not of package context, which starts a goroutine for each one that is made of it and not cancelled.
type foreign struct{ context.Context } //nolint:containedctx // it is one

func (foreign) Done() <-chan struct{} { return make(chan struct{}) }

// pairs calls Page twice, so that the race detector sees what the two share. It ends its step.
func pairs(t *testing.T, configure func(cfg *partialfailure.Config)) {
	cfg := config()
	configure(&cfg)
	cfg.Client = &http.Client{Transport: direct(func(r *http.Request) int {
		pause(r, 100*ms) // slow enough for a hedge
		return cmp.Or(map[string]int{"/busy": 503}[r.URL.Path], 200)
	})}
	page := func(path string) apart.Call[*partialfailure.Composer] {
		return apart.Call[*partialfailure.Composer]{Name: "Page of " + path, Do: func(c *partialfailure.Composer) {
			parts := []partialfailure.Part{{Name: "part", URL: "http://" + path}}
			_, _ = c.Page(context.Background(), parts) // t.Context() has a lock, which would order the calls
		}}
	}
	step.Bubble(t, func(t *step.T) {
		fresh := func() *partialfailure.Composer {
			c := partialfailure.New(cfg)
			page("stock/busy").Do(c)
			time.Sleep(2 * cfg.RetryWindow) // so that there is something to forget
			return c
		}
		apart.Pairs(t, fresh, page("stock/good"), page("stock/busy"), page("price/good"))
	})
}
