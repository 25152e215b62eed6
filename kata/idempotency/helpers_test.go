package idempotency_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/backend-kata/dojo/kata/idempotency"
)

const (
	lease = time.Minute
	keep  = 24 * time.Hour
)

// A memory is the store that all servers share.
type memory struct {
	mu      sync.Mutex
	entries map[string]entry
	version int64
	writes  int
	failing error // what every operation returns, if it is set
}

type entry struct {
	value   []byte
	version int64
	until   time.Time
}

// A seam is where a step sees what a server does.
type seam struct {
	before func(what string) error // called before each operation, and may fail it
	after  func(outcome string)
}

// calm is a seam where nothing happens.
var calm = seam{before: func(string) error { return nil }, after: func(string) {}}

// A connection is the store as one server sees it.
type connection struct {
	*memory

	seam seam
}

// do runs one operation, which is atomic and says what came of it.
func (c connection) do(ctx context.Context, what string, operation func() (string, error)) error {
	if err := c.seam.before(what); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	outcome, err := c.locked(operation)
	switch {
	case errors.Is(err, idempotency.ErrChanged):
		outcome = "changed"
	case err != nil:
		outcome = "an error"
	}
	c.seam.after(outcome)
	return err
}

func (c connection) locked(operation func() (string, error)) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failing != nil {
		return "", c.failing
	}
	return operation()
}

func (c connection) Get(ctx context.Context, key string) (value []byte, version int64, err error) {
	err = c.do(ctx, "Get", func() (string, error) {
		e := c.look(key)
		value, version = bytes.Clone(e.value), e.version
		if version == 0 {
			return "none", nil
		}
		return fmt.Sprintf("v%d", version), nil
	})
	return value, version, err
}

func (c connection) Put(ctx context.Context, key string, value []byte, ttl time.Duration) (version int64, err error) {
	err = c.do(ctx, "Put", func() (string, error) {
		version = c.write(key, value, ttl)
		return fmt.Sprintf("v%d", version), nil
	})
	return version, err
}

func (c connection) PutIf(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) (now int64, err error) {
	err = c.do(ctx, fmt.Sprintf("PutIf v%d", version), func() (string, error) {
		if c.look(key).version != version {
			return "", idempotency.ErrChanged
		}
		now = c.write(key, value, ttl)
		return fmt.Sprintf("v%d", now), nil
	})
	return now, err
}

func (c connection) DeleteIf(ctx context.Context, key string, version int64) error {
	return c.do(ctx, fmt.Sprintf("DeleteIf v%d", version), func() (string, error) {
		if c.look(key).version != version {
			return "", idempotency.ErrChanged
		}
		c.writes++
		delete(c.entries, key)
		return "done", nil
	})
}

// look returns the entry of a key, or none if it is gone. It is called with mu held.
func (m *memory) look(key string) entry {
	e := m.entries[key]
	if e.version != 0 && !time.Now().Before(e.until) {
		delete(m.entries, key)
		return entry{}
	}
	return e
}

// write stores a value. It is called with mu held.
func (m *memory) write(key string, value []byte, ttl time.Duration) int64 {
	m.version++
	m.writes++
	m.entries[key] = entry{value: bytes.Clone(value), version: m.version, until: time.Now().Add(ttl)}
	return m.version
}

// size returns how many keys are in the store, and how often it was written to.
func (m *memory) size() (keys, writes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key := range m.entries {
		if m.look(key).version != 0 {
			keys++
		}
	}
	return keys, m.writes
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failing = err
}

// A provider charges cards, once for each string that it is given.
type provider struct {
	mu     sync.Mutex
	tokens []string
	runs   int
}

// charge returns the number of the charge, which is the old one for a token that it has seen.
func (p *provider) charge(token string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.runs++
	if i := slices.Index(p.tokens, token); i >= 0 && token != "" {
		return i + 1
	}
	p.tokens = append(p.tokens, token)
	return len(p.tokens)
}

// forget empties the books.
func (p *provider) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens = nil
}

// counts returns how often it was asked and how often it charged.
func (p *provider) counts() (runs, charges int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.runs, len(p.tokens)
}

// A shop is a payment service with your middleware in front, and all that stands behind it.
type shop struct {
	t     *testing.T
	store *memory
	card  *provider
	h     http.Handler
}

// open starts a shop whose handler charges the card for each request that reaches it.
func open(t *testing.T) *shop {
	s := &shop{t: t, store: &memory{entries: map[string]entry{}}, card: &provider{}}
	s.h = s.server(s.pay, calm)
	return s
}

// server starts a server on the shop's store, with a handler of its own.
func (s *shop) server(handler http.HandlerFunc, at seam) http.Handler {
	return serve(handler, connection{s.store, at})
}

func serve(handler http.HandlerFunc, store idempotency.Store) http.Handler {
	return idempotency.New(handler, idempotency.Config{
		Store: store, Lease: lease, Keep: keep, MaxBody: 1000,
		Client: func(r *http.Request) string { return r.Header.Get("Authorization") },
	})
}

// pay charges the card and says so.
func (s *shop) pay(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	n := s.card.charge(idempotency.Key(r.Context()))
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Location", fmt.Sprintf("/payments/%d", n))
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, "payment %d of %s", n, body)
}

// comesBackLate pauses a server in the handler, so that a retry takes over when the lease is out. The server comes back
// at the given time, and must not touch what the retry left.
func (s *shop) comesBackLate(wakes time.Duration, nothing bool) {
	s.t.Helper()
	slow := s.server(func(w http.ResponseWriter, r *http.Request) {
		s.card.charge(idempotency.Key(r.Context()))
		time.Sleep(wakes)
		if nothing {
			idempotency.NothingHappened(r.Context())
		}
		_, _ = io.WriteString(w, "the late answer")
	}, calm)
	fresh := s.server(func(w http.ResponseWriter, r *http.Request) {
		s.pay(w, r)
		time.Sleep(30 * time.Second)
	}, calm)

	first := startAt(slow, payment("k1"))
	s.expectRetryAfter(sendTo(fresh, payment("k1")), 60)
	time.Sleep(lease - 1500*time.Millisecond)
	s.expectRetryAfter(sendTo(fresh, payment("k1")), 2)
	time.Sleep(1500*time.Millisecond - 1)
	s.expectRetryAfter(sendTo(fresh, payment("k1")), 1)
	s.expectRuns(1, 1, "the lease of the first request is not over")

	time.Sleep(time.Nanosecond)
	retry := startAt(fresh, payment("k1"))
	s.expectRuns(2, 1, "the lease of the first request is over, so a retry runs, and gives the provider the same string")
	time.Sleep(20 * time.Second)
	s.expectRetryAfter(sendTo(fresh, payment("k1")), 40)
	answered := retry.wait()
	s.expectStatus(answered, http.StatusCreated, "the lease of the first request is over")
	s.expectRepeat(sendTo(slow, payment("k1")), answered, "the retry has an answer")
	first.wait()
	s.expectRepeat(sendTo(slow, payment("k1")), answered, "a server that came back after its lease leaves the answer of the retry alone")
	s.expectRuns(2, 1, "the first request and one retry ran")
}

// expectRetryAfter fails the step unless the answer is 409 with a Retry-After of 1 to that many seconds.
func (s *shop) expectRetryAfter(a answer, most int) {
	s.t.Helper()
	s.expectProblem(a, http.StatusConflict, "another request with this key is under way, and its lease is not over")
	field := a.header.Get("Retry-After")
	if n, err := strconv.Atoi(field); err != nil || n < 1 || n > most {
		s.t.Fatalf("%v\nwas told 409, and a Retry-After of 1 to %d seconds was expected, since the lease ends then; it is %q.", a.of, most, field)
	}
}

// dies lets a server die before the given call to the store or the provider, counted from 1, and reports whether the
// request was done before it came to that.
func (s *shop) dies(at int) (done bool) {
	s.t.Helper()
	calls, last := 0, ""
	verdict := make(chan struct{}) // closed when the step has seen enough
	call := func(what string) error {
		if calls++; calls < at {
			return nil
		}
		if calls == at {
			last = what
		}
		<-verdict
		return errDown
	}
	doomed := s.server(func(w http.ResponseWriter, r *http.Request) {
		if call("charge") == nil {
			s.pay(w, r)
		}
	}, seam{before: call, after: calm.after})

	first := startAt(doomed, payment("k1"))
	if first.isDone() {
		if calls < 3 {
			s.t.Fatalf("A request was done after %d calls to the store and the provider. The key was expected to be taken before the charge, and the answer to be stored after it.", calls)
		}
		return true
	}
	why := fmt.Sprintf("the server died at its call %d, before %q", at, last)
	if a := s.send(payment("k1")); a.status != http.StatusCreated {
		s.expectProblem(a, http.StatusConflict, why+", and its lease is not over")
	}
	time.Sleep(lease)
	retry := s.send(payment("k1"))
	s.expectStatus(retry, http.StatusCreated, why+", and its lease is over")
	if _, charges := s.card.counts(); charges != 1 {
		s.t.Fatalf("The card was charged %s, and was expected to be charged once: %s, and the retry is the same request.", times(charges), why)
	}
	s.expectRepeat(s.send(payment("k1")), retry, "the retry has an answer")
	close(verdict)
	first.wait()
	return false
}

// A request is what a client sends. Empty fields have usual values.
type request struct {
	method, target, kind, body, client string
	keys                               []string // lines of the header; nil for none
}

func payment(key string) request { return request{keys: []string{strconv.Quote(key)}} }

func (q request) with(change func(*request)) request {
	change(&q)
	return q
}

func (q request) filled() request {
	or := func(s *string, usual string) {
		if *s == "" {
			*s = usual
		}
	}
	or(&q.method, http.MethodPost)
	or(&q.target, "/payments")
	or(&q.kind, "text/plain")
	or(&q.body, "5.00 EUR")
	or(&q.client, "ann")
	return q
}

func (q request) String() string {
	q = q.filled()
	key := "without Idempotency-Key"
	if q.keys != nil {
		key = "with Idempotency-Key: " + strings.Join(q.keys, " and ")
	}
	return fmt.Sprintf("%s %s from %s %s", q.method, q.target, q.client, key)
}

func (q request) http(ctx context.Context) *http.Request {
	q = q.filled()
	r := httptest.NewRequestWithContext(ctx, q.method, q.target, strings.NewReader(q.body))
	r.Header.Set("Content-Type", q.kind)
	r.Header.Set("Authorization", q.client)
	for _, line := range q.keys {
		r.Header.Add("Idempotency-Key", line)
	}
	return r
}

// An answer is what came back.
type answer struct {
	of     request
	status int
	header http.Header
	body   string
}

// send sends a request to the shop.
func (s *shop) send(q request) answer { return sendTo(s.h, q) }

func sendTo(h http.Handler, q request) answer {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, q.http(context.Background()))
	return received(q, w)
}

// An exchange is a request under way.
type exchange struct {
	q     request
	ended chan struct{}
	w     *httptest.ResponseRecorder
}

// start sends a request and lets it come as far as it can.
func (s *shop) start(q request) *exchange { return startAt(s.h, q) }

func startAt(h http.Handler, q request) *exchange {
	e := &exchange{q: q, ended: make(chan struct{}), w: httptest.NewRecorder()}
	go func() {
		defer close(e.ended)
		h.ServeHTTP(e.w, q.http(context.Background()))
	}()
	synctest.Wait()
	return e
}

func (e *exchange) wait() answer {
	<-e.ended
	return received(e.q, e.w)
}

func (e *exchange) isDone() bool {
	select {
	case <-e.ended:
		return true
	default:
		return false
	}
}

func received(q request, w *httptest.ResponseRecorder) answer {
	result := w.Result()
	return answer{of: q, status: result.StatusCode, header: result.Header, body: w.Body.String()}
}

// expectStatus fails the step unless the answer has that status.
func (s *shop) expectStatus(a answer, want int, why string) {
	s.t.Helper()
	if a.status != want {
		s.t.Fatalf("%v\nwas expected to be answered %d %s, since %s; got %d %s: %.200s",
			a.of, want, http.StatusText(want), why, a.status, http.StatusText(a.status), a.body)
	}
}

// expectProblem fails the step unless the answer is a refusal in problem details.
func (s *shop) expectProblem(a answer, want int, why string) {
	s.t.Helper()
	s.expectStatus(a, want, why)
	if kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type")); err != nil || kind != "application/problem+json" {
		s.t.Fatalf("%v\nwas refused with %d, and the refusal was expected to be application/problem+json; its Content-Type is %q", a.of, a.status, a.header.Get("Content-Type"))
	}
	var p struct {
		Title, Detail *string
		Status        int
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || p.Status != want || p.Title == nil || p.Detail == nil {
		s.t.Fatalf("%v\nwas refused with %d, and the refusal was expected to be an object with title, status and detail (RFC 9457); it is %.200s", a.of, a.status, a.body)
	}
}

// expectRepeat fails the step unless the answer is the same as the first one.
func (s *shop) expectRepeat(a, first answer, why string) {
	s.t.Helper()
	s.expectStatus(a, first.status, why)
	if a.body != first.body {
		s.t.Fatalf("%v\nwas expected to get the first answer again, since %s. Its body was %q, and now it is %q.", a.of, why, first.body, a.body)
	}
	was, is := first.header.Clone(), a.header.Clone()
	was.Del("Idempotent-Replayed")
	is.Del("Idempotent-Replayed")
	if diff := cmp.Diff(was, is); diff != "" {
		s.t.Fatalf("%v\nwas expected to get the first answer again, since %s. Its header fields differ (- first, + now):\n%s", a.of, why, diff)
	}
}

// expectRuns fails the step unless the handler ran that often and the card was charged that often.
func (s *shop) expectRuns(runs, charges int, why string) {
	s.t.Helper()
	gotRuns, gotCharges := s.card.counts()
	if gotCharges != charges {
		s.t.Fatalf("The card was charged %s, and was expected to be charged %s: %s.", times(gotCharges), times(charges), why)
	}
	if gotRuns != runs {
		s.t.Fatalf("The handler ran %s, and was expected to run %s: %s.", times(gotRuns), times(runs), why)
	}
}

// expectUntouched fails the step if the store was written to more often than that.
func (s *shop) expectUntouched(writes int, what string) {
	s.t.Helper()
	if _, now := s.store.size(); now != writes {
		s.t.Fatalf("%s wrote to the store, and was expected to leave no trace.", what)
	}
}

func times(n int) string {
	switch n {
	case 0:
		return "not at all"
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}

var errDown = errors.New("the store is down")

// A meter counts what is read of a body without end.
type meter struct{ n int }

func (m *meter) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	m.n += len(b)
	return len(b), nil
}

// heap returns how much memory is in use.
func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// shards is a store in parts, so that clients with different keys share no lock: a lock that they share would hide a data
// race of theirs from the race detector.
type shards [64]*memory

func (s *shards) of(key string) connection {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	return connection{s[h.Sum32()%uint32(len(s))], calm}
}

func (s *shards) Get(ctx context.Context, key string) ([]byte, int64, error) {
	return s.of(key).Get(ctx, key)
}

func (s *shards) Put(ctx context.Context, key string, value []byte, ttl time.Duration) (int64, error) {
	return s.of(key).Put(ctx, key, value, ttl)
}

func (s *shards) PutIf(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) (int64, error) {
	return s.of(key).PutIf(ctx, key, version, value, ttl)
}

func (s *shards) DeleteIf(ctx context.Context, key string, version int64) error {
	return s.of(key).DeleteIf(ctx, key, version)
}
