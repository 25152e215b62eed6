package partialfailure_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/backend-kata/dojo/kata/partialfailure"
	"github.com/backend-kata/dojo/pkg/simnet"
)

const (
	ms      = time.Millisecond
	latency = ms // of every link, one way
)

// A reply is how a service answers one request.
type reply struct {
	status     int // zero means 200
	takes      time.Duration
	hangs      bool // no answer until the caller gives up
	endless    bool // the header comes, and the body does not end
	retryAfter string
	body       string // empty means the service's name and the path
}

// A service is a fake behind one host.
type service struct {
	server *simnet.Server
	answer func(n int, r *http.Request) reply // n counts the requests, from 1

	mu       sync.Mutex
	bodies   []string // of the requests
	underWay int
	peak     int
}

// A shop is four services, and a client of theirs that keeps a record.
type shop struct {
	network  *simnet.Network
	client   *http.Client
	services map[string]*service
	start    time.Time

	mu   sync.Mutex
	sent []*request
}

// A request is what the client sent, and how it ended for the client.
type request struct {
	host, path, method string
	left               string // the header
	sent               time.Duration
	ended              time.Duration // when the answer's header came, or the error
	outcome            string
	answered           bool
	whole, closed      bool // the body of the answer was read to its end, and closed
}

var names = []string{"product", "price", "stock", "reviews"}

// open starts the services, which answer at once until told otherwise.
func open(t *testing.T) *shop {
	t.Helper()
	s := &shop{
		network:  &simnet.Network{Default: simnet.Link{Latency: latency}},
		services: map[string]*service{},
		start:    time.Now(),
	}
	s.client = &http.Client{Transport: &recorder{s.network.Host("page").Transport(), s}}
	for _, name := range names {
		sv := &service{answer: func(int, *http.Request) reply { return reply{} }}
		sv.server = simnet.NewTestServer(t, s.network.Host(name), sv)
		s.services[name] = sv
	}
	return s
}

// answers sets how a service answers. Requests are counted anew.
func (s *shop) answers(name string, answer func(n int, r *http.Request) reply) {
	sv := s.services[name]
	sv.mu.Lock()
	defer sv.mu.Unlock()
	sv.answer, sv.bodies = answer, nil
}

// always is an answer that is the same each time.
func always(r reply) func(int, *http.Request) reply {
	return func(int, *http.Request) reply { return r }
}

// inTurn gives the replies one after the other, and then good ones.
func inTurn(replies ...reply) func(int, *http.Request) reply {
	return func(n int, _ *http.Request) reply {
		if n <= len(replies) {
			return replies[n-1]
		}
		return reply{}
	}
}

func (sv *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reply := sv.begin(r)
	defer sv.end()
	if !sleep(r.Context(), reply) {
		return
	}
	if reply.retryAfter != "" {
		w.Header().Set("Retry-After", reply.retryAfter)
	}
	if reply.status != 0 {
		w.WriteHeader(reply.status)
	}
	if reply.body == "" {
		reply.body = r.Host + r.URL.Path
	}
	_, _ = io.WriteString(w, reply.body)
	if reply.endless {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

// sleep returns false if the caller gives up meanwhile. It makes no timer of
// zero length, which with -race can crash a bubble of Go 1.26.
func sleep(ctx context.Context, reply reply) bool {
	if !reply.hangs && reply.takes == 0 {
		return true
	}
	var over <-chan time.Time // nil, so never, if the service hangs
	if !reply.hangs {
		over = time.After(reply.takes)
	}
	select {
	case <-over:
		return true
	case <-ctx.Done():
		return false
	}
}

func (sv *service) begin(r *http.Request) reply {
	body, _ := io.ReadAll(r.Body)
	sv.mu.Lock()
	defer sv.mu.Unlock()
	sv.bodies = append(sv.bodies, string(body))
	sv.underWay++
	sv.peak = max(sv.peak, sv.underWay)
	return sv.answer(len(sv.bodies), r)
}

func (sv *service) end() {
	sv.mu.Lock()
	defer sv.mu.Unlock()
	sv.underWay--
}

// busy returns how many requests the service is working on, once all is quiet.
func (s *shop) busy(name string) int {
	time.Sleep(2 * latency) // a caller that gives up is heard of a little later
	synctest.Wait()
	sv := s.services[name]
	sv.mu.Lock()
	defer sv.mu.Unlock()
	return sv.underWay
}

// bodies returns what the service was sent since it was told how to answer.
func (s *shop) bodies(name string) []string {
	sv := s.services[name]
	sv.mu.Lock()
	defer sv.mu.Unlock()
	return slices.Clone(sv.bodies)
}

// peak returns how many requests the service had to work on at once.
func (s *shop) peak(name string) int {
	sv := s.services[name]
	sv.mu.Lock()
	defer sv.mu.Unlock()
	return sv.peak
}

// A recorder notes what passes the client.
type recorder struct {
	*http.Transport

	shop *shop
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	s := r.shop
	q := &request{host: req.URL.Host, path: req.URL.Path, method: req.Method, left: req.Header.Get(partialfailure.TimeoutHeader), sent: time.Since(s.start)}
	s.mu.Lock()
	s.sent = append(s.sent, q)
	s.mu.Unlock()
	resp, err := r.Transport.RoundTrip(req)
	s.mu.Lock()
	defer s.mu.Unlock()
	q.ended = time.Since(s.start)
	if err != nil {
		q.outcome = err.Error()
		return nil, err
	}
	q.outcome, q.answered = resp.Status, true
	resp.Body = &answer{resp.Body, q, s}
	return resp, nil
}

// An answer notes that it was read to its end, and closed.
type answer struct {
	io.ReadCloser

	request *request
	shop    *shop
}

func (a *answer) Read(b []byte) (int, error) {
	n, err := a.ReadCloser.Read(b)
	if errors.Is(err, io.EOF) {
		a.shop.mu.Lock()
		defer a.shop.mu.Unlock()
		a.request.whole = true
	}
	return n, err
}

func (a *answer) Close() error {
	a.shop.mu.Lock()
	defer a.shop.mu.Unlock()
	a.request.closed = true
	return a.ReadCloser.Close()
}

// requests returns what was sent to a host.
func (s *shop) requests(host string) []request {
	return s.find(func(q *request) bool { return q.host == host })
}

// toStock returns how many requests were sent to the service of the stock.
func (s *shop) toStock() int { return len(s.requests("stock")) }

// answered returns the requests for which an answer came.
func (s *shop) answered() []request {
	return s.find(func(q *request) bool { return q.answered })
}

func (s *shop) find(want func(*request) bool) []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []request
	for _, q := range s.sent {
		if want(q) {
			found = append(found, *q)
		}
	}
	return found
}

// story is the timeline of a failure.
func (s *shop) story() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sent) == 0 {
		return "\n\nwhat happened: no request was sent"
	}
	const most = 15
	from := max(0, len(s.sent)-most)
	lines := []string{"", "", "the requests that were sent:"}
	if from > 0 {
		lines[2] = fmt.Sprintf("the last %d of %d requests that were sent:", most, len(s.sent))
	}
	for _, q := range s.sent[from:] {
		left := q.left + " ms left"
		if q.left == "" {
			left = "no " + partialfailure.TimeoutHeader
		}
		line := fmt.Sprintf("  %8v  %s %s%s (%s)", q.sent, q.method, q.host, q.path, left)
		if q.outcome == "" {
			line += " is under way"
		} else {
			line += fmt.Sprintf(" → %s, after %v", q.outcome, q.ended-q.sent)
		}
		if q.answered && !q.whole {
			line += ", its body not read to the end"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// config is a Composer's configuration that leaves nothing to chance: the pause
// is half of its bound.
func (s *shop) config() partialfailure.Config {
	return partialfailure.Config{
		Client:         s.client,
		Timeout:        time.Second,
		AttemptTimeout: time.Second,
		MaxAttempts:    1,
		BackoffBase:    100 * ms,
		BackoffCap:     time.Second,
		Rand:           func() float64 { return 0.5 },
		RetryFloor:     100,
		RetryWindow:    10 * time.Second,
	}
}

// productPage is the usual page: without product and price there is none.
func productPage() []partialfailure.Part {
	return []partialfailure.Part{
		{Name: "product", URL: "http://product/7", Required: true},
		{Name: "price", URL: "http://price/7", Required: true},
		{Name: "stock", URL: "http://stock/7"},
		{Name: "reviews", URL: "http://reviews/7"},
	}
}

func part(name string) []partialfailure.Part {
	return []partialfailure.Part{{Name: name, URL: "http://" + name + "/7"}}
}

// A call is a Page that was called on another goroutine.
type call struct {
	page  partialfailure.Page
	err   error
	took  time.Duration
	ended bool
}

// call calls Page, waits until all is over or a minute has passed, and returns
// what there is then.
func (s *shop) call(t *testing.T, c *partialfailure.Composer, parts []partialfailure.Part) *call {
	t.Helper()
	return s.callWith(t.Context(), t, c, parts)
}

func (s *shop) callWith(ctx context.Context, t *testing.T, c *partialfailure.Composer, parts []partialfailure.Part) *call {
	t.Helper()
	start := time.Now()
	done := make(chan call, 1)
	go func() {
		page, err := c.Page(ctx, parts)
		done <- call{page, err, time.Since(start), true}
	}()
	select {
	case got := <-done:
		return &got
	case <-time.After(time.Minute):
		require.Fail(t, "Page was expected to return", "a minute has passed, and it has not%s", s.story())
		return nil
	}
}

// whole expects a page with every part.
func (s *shop) whole(t *testing.T, got *call, parts []partialfailure.Part, why string) {
	t.Helper()
	require.NoError(t, got.err, "the page was expected to be whole, since %s%s", why, s.story())
	for _, p := range parts {
		host := strings.TrimSuffix(strings.TrimPrefix(p.URL, "http://"), "/7")
		require.Equal(t, host+"/7", string(got.page.Parts[p.Name]), "the page was expected to have the %s, since %s%s", p.Name, why, s.story())
	}
	require.Empty(t, got.page.Missing, "the page was expected to be whole, since %s%s", why, s.story())
}

// missing expects an optional part to be left out and named.
func (s *shop) missing(t *testing.T, got *call, name, why string) *partialfailure.PartError {
	t.Helper()
	require.NoError(t, got.err, "%s is optional, and the page was expected to do without it, since %s%s", name, why, s.story())
	require.NotContains(t, got.page.Parts, name, "the page was expected to have no %s, since %s%s", name, why, s.story())
	return s.partError(t, got.page.Missing[name], name, why)
}

// partError expects the error of a part.
func (s *shop) partError(t *testing.T, err error, name, why string) *partialfailure.PartError {
	t.Helper()
	var failed *partialfailure.PartError
	require.ErrorAs(t, err, &failed, "a *PartError was expected to name %s, since %s; got %v%s", name, why, err, s.story())
	require.Equal(t, name, failed.Part, "the *PartError was expected to have the name of the part%s", s.story())
	require.Contains(t, failed.Error(), name, "the text of the *PartError was expected to have the name of the part")
	return failed
}

// closes ends a step: nothing may be left open once idle connections are closed.
func (s *shop) closes(t *testing.T) {
	t.Helper()
	time.Sleep(time.Minute) // dials that nobody waits for give up after 30 s
	s.client.CloseIdleConnections()
	time.Sleep(time.Minute)
	for _, q := range s.answered() {
		require.True(t, q.closed, "every answer was expected to be closed; that to %s %s%s, sent after %v, was not%s", q.method, q.host, q.path, q.sent, s.story())
	}
	require.Empty(t, s.network.OpenConns(), "no connection was expected to be left open; the network saw\n%s", s.network.Trace())
}
