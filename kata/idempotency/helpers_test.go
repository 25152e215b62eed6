package idempotency_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/idempotency"
	"github.com/backend-kata/dojo/kata/internal/step"
)

// A memory is the store that all servers share.
type memory struct {
	mu      sync.Mutex
	entries map[string]entry
	version int64
}

type entry struct {
	Value   string
	Version int64
	Until   time.Time
}

// contents returns what is not gone, when all is quiet.
func (m *memory) contents() map[string]entry {
	all := maps.Clone(m.entries)
	maps.DeleteFunc(all, func(_ string, e entry) bool { return !time.Now().Before(e.Until) })
	return all
}

// A wire brings an operation to the store, or fails. The outcome is for the story.
type wire func(what string, operation func() (outcome string)) error

// A connection is the store as one server sees it.
type connection struct {
	of   func(key string) *memory
	wire wire
}

// do is one operation. It stores the value, or without a ttl deletes the key unless the value is nil. Version -1 is any.
func (c connection) do(ctx context.Context, what, key string, has int64, value []byte, ttl time.Duration) (_ []byte, _ int64, err error) {
	var e entry
	failed := c.wire(what, func() string {
		m := c.of(key)
		m.mu.Lock()
		defer m.mu.Unlock()
		if e = m.entries[key]; !time.Now().Before(e.Until) {
			e = entry{}
		}
		switch {
		case ctx.Err() != nil:
			e, err = entry{}, ctx.Err()
			return err.Error()
		case has != -1 && has != e.Version:
			e, err = entry{}, idempotency.ErrChanged
			return "changed"
		case ttl > 0:
			m.version++
			e = entry{string(value), m.version, time.Now().Add(ttl)}
			m.entries[key] = e
		case value != nil:
			e = entry{}
			delete(m.entries, key)
		}
		return fmt.Sprintf("v%d", e.Version)
	})
	return []byte(e.Value), e.Version, cmp.Or(failed, err)
}

func (c connection) Get(ctx context.Context, key string) ([]byte, int64, error) {
	return c.do(ctx, "Get", key, -1, nil, 0)
}

func (c connection) Put(ctx context.Context, key string, value []byte, ttl time.Duration) (int64, error) {
	_, version, err := c.do(ctx, "Put", key, -1, value, ttl)
	return version, err
}

func (c connection) PutIf(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) (int64, error) {
	_, now, err := c.do(ctx, fmt.Sprintf("PutIf v%d", version), key, version, value, ttl)
	return now, err
}

func (c connection) DeleteIf(ctx context.Context, key string, version int64) error {
	_, _, err := c.do(ctx, fmt.Sprintf("DeleteIf v%d", version), key, version, []byte{}, 0)
	return err
}

// A world is what all servers share: the store, and a payment provider, which charges a card once for each string.
type world struct {
	memory
	tokens []string
	runs   int
}

// charge returns the number of the charge, which is the old one for a string that is known.
func (w *world) charge(token string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs++
	if i := slices.Index(w.tokens, token); i >= 0 && token != "" {
		return i + 1
	}
	w.tokens = append(w.tokens, token)
	return len(w.tokens)
}

func (w *world) begun() int { w.mu.Lock(); defer w.mu.Unlock(); return w.runs }

// A server has your middleware in front of a handler.
type server struct {
	*step.T
	*world
	http.Handler
}

// serve runs the body in a bubble, with a server whose handler charges the card for each request that reaches it.
func serve(t *testing.T, body func(s *server)) {
	step.Bubble(t, func(t *step.T) { body(open(t)) })
}

func open(t *step.T) *server {
	s := &server{T: t, world: &world{memory: memory{entries: map[string]entry{}}}}
	return s.beside(s.pay)
}

// beside starts another server, with a handler of its own.
func (s *server) beside(handler http.HandlerFunc) *server { return s.with(usual, s.told, handler) }

func (s *server) with(c idempotency.Config, w wire, handler http.HandlerFunc) *server {
	c.Store = connection{func(string) *memory { return &s.memory }, w}
	return &server{s.T, s.world, idempotency.New(handler, c)}
}

// told is a wire of which the story tells.
func (s *server) told(what string, operation func() string) error {
	s.Tell("    %s → %s", what, operation())
	return nil
}

const lease, nothing = 30 * time.Second, "says that nothing happened"

var usual = idempotency.Config{
	Client: func(r *http.Request) string { return r.Header.Get("Authorization") }, Lease: lease, Keep: 9 * time.Hour, MaxBody: 999,
}

func (s *server) pay(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	n := s.charge(idempotency.Key(r.Context()))
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Location", fmt.Sprintf("/payments/%d", n))
	w.WriteHeader(http.StatusCreated)
	_, _ = fmt.Fprintf(w, "payment %d of %s", n, body)
}

type request struct {
	method, target, kind, body, client string
	keys                               []string // lines of the header; nil for none
}

func payment(key string) request {
	return request{http.MethodPost, "/payments", "text/plain", "5.00 EUR", "ann", []string{strconv.Quote(key)}}
}

func (q request) but(change func(*request)) request { change(&q); return q }

func (q request) String() string {
	return fmt.Sprintf("%s %s from %s, keys %.30s", q.method, q.target, strings.Trim(strconv.QuoteToASCII(q.client), `"`), q.keys)
}

func (q request) http(ctx context.Context) *http.Request {
	r := httptest.NewRequestWithContext(ctx, q.method, q.target, strings.NewReader(q.body))
	r.Header = http.Header{"Content-Type": {q.kind}, "Authorization": {q.client}}
	if q.keys != nil {
		r.Header["Idempotency-Key"] = q.keys
	}
	return r
}

type answer struct {
	Status status
	Header http.Header
	Body   string
}

type status int

func (s status) String() string { return fmt.Sprintf("%d %s", int(s), http.StatusText(int(s))) }

// A socket is the client's end of a connection.
type socket struct {
	answer

	header http.Header
	first  func() // called before the first byte
}

func plug() *socket                   { return &socket{header: http.Header{}, first: func() {}} }
func (w *socket) Header() http.Header { return w.header }
func (w *socket) Flush()              { w.WriteHeader(http.StatusOK) }

func (w *socket) WriteHeader(code int) {
	if code < 100 { // as net/http does
		panic(fmt.Sprintf("invalid WriteHeader code %d", code))
	}
	if w.Status == 0 && code >= http.StatusOK { // else it is too late, or it is information ahead of the answer
		w.Status, w.answer.Header = status(code), w.header.Clone()
		w.first()
	}
}

func (w *socket) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.Body += string(b)
	return len(b), nil
}

// send sends a request, and returns what comes back, without the mark of a repetition.
func send(h http.Handler, r *http.Request) answer {
	w := plug()
	h.ServeHTTP(w, r)
	if w.WriteHeader(http.StatusOK); w.answer.Header.Get("Idempotent-Replayed") == "true" {
		w.answer.Header.Del("Idempotent-Replayed")
	}
	return w.answer
}

// start sends a request, and lets it come as far as it can.
func (s *server) start(q request) *step.Call[answer] {
	return step.Start(s.T, func() answer {
		s.Tell("%v", q)
		a := send(s, q.http(context.Background()))
		s.Tell("  → %v: %.50q", a.Status, a.Body)
		return a
	})
}

// answers sends a request, expects a status at once, and returns the answer.
func (s *server) answers(q request, want status, why string) answer {
	s.Helper()
	runs, call := s.begun(), s.start(q)
	does := map[bool]string{true: "the handler runs", false: "waits"}[s.runs > runs]
	step.Expect(s, !call.Waits(), "%v: %s. It should be answered at once, and %s.", q, why, does)
	step.Equal(s, want, call.Result().Status, "%v: %s. The answer:", q, why)
	return call.Result()
}

// refuses sends a request, and expects a refusal in problem details that changes nothing.
func (s *server) refuses(q request, want status, why string) answer {
	s.Helper()
	before := s.contents()
	a := s.answers(q, want, why)
	step.Equal(s, before, s.contents(), "%v is refused. What is in the store does not change.", q)
	s.isProblem(a)
	return a
}

// isProblem expects that a refusal is in problem details.
func (s *server) isProblem(a answer) {
	kind, _, _ := strings.Cut(a.Header.Get("Content-Type"), ";")
	step.Equal(s, "application/problem+json", kind, "A refusal is in problem details (RFC 9457). Its Content-Type:")
	var p map[string]any
	_ = json.Unmarshal([]byte(a.Body), &p) // an error leaves it empty
	step.Expect(s, fmt.Sprintf("%T %T %#v", p["title"], p["detail"], p["status"]) == fmt.Sprintf("string string %d", a.Status),
		"A refusal with %v should be an object with title, status (a number) and detail (RFC 9457). It is %.200s", a.Status, a.Body)
}

// isUnderWay sends a request, and expects 409 and a Retry-After of 1 to that many seconds.
func (s *server) isUnderWay(q request, most int, why string) {
	s.Helper()
	field := s.refuses(q, http.StatusConflict, why).Header.Get("Retry-After")
	n, err := strconv.Atoi(field)
	step.Expect(s, err == nil && 1 <= n && n <= most,
		"%v is told 409, and Retry-After should be 1 to %d seconds: that is what is left of the lease. It is %q.", q, most, field)
}

// repeats sends a request, and expects the first answer again.
func (s *server) repeats(q request, first answer, why string) {
	s.Helper()
	step.Equal(s, first, s.answers(q, first.Status, why), "%v: %s. The repeated answer:", q, why)
}

// ran expects that the handlers ran and the card was charged that often.
func (s *server) ran(runs, charges int, why string) {
	s.Helper()
	step.Equal(s, charges, len(s.tokens), "%s. Charges of the card:", why)
	step.Equal(s, runs, s.runs, "%s. Runs of the handler:", why)
}
