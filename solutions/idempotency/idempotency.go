//go:build solutions

package idempotency

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ErrChanged is what a Store returns if a key no longer has the version that was named.
var ErrChanged = errors.New("the key has another version")

// A Store keeps values for all servers, as a database or Redis does. Each call is atomic and safe for concurrent use.
type Store interface {
	// Get returns a value and its version, which is 0 if the key is not there or its ttl has passed.
	Get(ctx context.Context, key string) (value []byte, version int64, err error)
	// Put stores a value, whatever was there, and returns a version that no value had before.
	Put(ctx context.Context, key string, value []byte, ttl time.Duration) (version int64, err error)
	// PutIf is Put if the key has that version, or for 0 is not there. Otherwise it only returns ErrChanged.
	PutIf(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) (now int64, err error)
	// DeleteIf removes a key if it has that version. Otherwise it only returns ErrChanged.
	DeleteIf(ctx context.Context, key string, version int64) error
}

// Config says how keys are handled. Zero stands for the value in brackets.
type Config struct {
	Store   Store                      // shared by all servers
	Client  func(*http.Request) string // who sent the request; nil if there is one client only
	Lease   time.Duration              // how long a request may take before a retry runs (1 minute)
	Keep    time.Duration              // how long an answer is repeated (24 hours)
	MaxBody int64                      // the largest body, in bytes (1 MiB)
}

// New puts the middleware for the Idempotency-Key header in front of a handler. It is safe for concurrent use.
func New(next http.Handler, c Config) http.Handler {
	c.Lease = cmp.Or(c.Lease, time.Minute)
	c.Keep = cmp.Or(c.Keep, 24*time.Hour)
	c.MaxBody = cmp.Or(c.MaxBody, 1<<20)
	if c.Client == nil {
		c.Client = func(*http.Request) string { return "" }
	}
	return &middleware{next: next, Config: c}
}

type middleware struct {
	next http.Handler
	Config
}

func (m *middleware) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost && r.Method != http.MethodPatch {
		m.next.ServeHTTP(w, r) // safe or idempotent by definition
		return
	}
	k, refused := m.read(w, r)
	if refused == nil {
		var answer *answer
		if answer, refused = m.answer(r, k); answer != nil {
			answer.send(w)
			return
		}
	}
	refused.send(w)
}

// A keyed request is known by its id, and by its fingerprint from another one under the same id.
type keyed struct {
	id    string
	print string
}

// read checks the request and leaves a copy of the body in its place. Nothing is stored yet, so that a refusal leaves
// nothing behind.
func (m *middleware) read(w http.ResponseWriter, r *http.Request) (keyed, *problem) {
	key, ok := parseKey(r.Header.Values("Idempotency-Key"))
	if !ok {
		return keyed{}, refuse(http.StatusBadRequest, "Idempotency-Key must be one string in double quotes, of 1 to 255 characters")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, m.MaxBody))
	switch {
	case err == nil:
	case errors.As(err, new(*http.MaxBytesError)):
		return keyed{}, refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes", m.MaxBody))
	default:
		return keyed{}, refuse(http.StatusBadRequest, "the body ended early")
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return keyed{
		id:    digest(m.Client(r), r.Method, r.URL.EscapedPath(), key),
		print: digest(r.URL.RawQuery, r.Header.Get("Content-Type"), string(body)),
	}, nil
}

// answer runs the handler or finds the answer that an earlier run left.
func (m *middleware) answer(r *http.Request, k keyed) (*answer, *problem) {
	// The client may go away; what has begun is finished all the same.
	ctx := context.WithoutCancel(r.Context())
	for {
		value, version, err := m.Store.Get(ctx, k.id)
		if err != nil {
			return nil, refuse(http.StatusServiceUnavailable, "the store of keys does not answer")
		}
		if version != 0 {
			return found(value, k)
		}
		until := time.Now().Add(m.Lease)
		version, err = m.Store.PutIf(ctx, k.id, 0, record{Print: k.print, Until: until}.bytes(), m.Lease)
		switch {
		case err == nil:
			return m.run(r.WithContext(ctx), k, version), nil
		case !errors.Is(err, ErrChanged):
			return nil, refuse(http.StatusServiceUnavailable, "the store of keys does not answer")
		}
		// Another request was first: look again at what it left.
	}
}

// found says what a stored record means for a further request under its key.
func found(value []byte, k keyed) (*answer, *problem) {
	var rec record
	if err := gob.NewDecoder(bytes.NewReader(value)).Decode(&rec); err != nil {
		return nil, refuse(http.StatusServiceUnavailable, "the store of keys holds what this server cannot read")
	}
	switch {
	case rec.Print != k.print:
		return nil, refuse(http.StatusUnprocessableEntity, "this Idempotency-Key was used for another request")
	case rec.Answer == nil:
		p := refuse(http.StatusConflict, "the first request with this Idempotency-Key is still under way")
		p.retryAfter = max(1, int(math.Ceil(time.Until(rec.Until).Seconds())))
		return nil, p
	}
	rec.Answer.Header.Set("Idempotent-Replayed", "true")
	return rec.Answer, nil
}

// run calls the handler, with the key taken at that version. A panic passes through and leaves the key taken: nobody
// knows what happened, until the lease is over and a retry asks again.
func (m *middleware) run(r *http.Request, k keyed, version int64) *answer {
	call := &call{key: k.id}
	rec := &recorder{header: http.Header{}}
	m.next.ServeHTTP(rec, r.WithContext(context.WithValue(r.Context(), callKey{}, call)))
	a := rec.answer()
	// Stored before it is sent: what a client has seen, its retry sees too. An error means that the lease is over and a
	// retry owns the key, or that the store is down; the handler is done, and its client is told so either way.
	if call.nothing {
		_ = m.Store.DeleteIf(r.Context(), k.id, version)
	} else {
		_, _ = m.Store.PutIf(r.Context(), k.id, version, record{Print: k.print, Answer: a}.bytes(), m.Keep)
	}
	return a
}

// A record is what is stored under a key.
type record struct {
	Print  string
	Until  time.Time // the end of the lease, as long as there is no answer
	Answer *answer   // nil while the handler runs
}

// bytes does not use JSON, which would lose what is not UTF-8 in a header field.
func (r record) bytes() []byte {
	var b bytes.Buffer
	_ = gob.NewEncoder(&b).Encode(r) // strings, bytes and times can always be encoded
	return b.Bytes()
}

// parseKey reads an Item that is a String without parameters (RFC 9651 §3.3.3).
func parseKey(lines []string) (string, bool) {
	if len(lines) != 1 {
		return "", false
	}
	s := strings.Trim(lines[0], " ")
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", false
	}
	s = s[1 : len(s)-1]
	var key strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
			c = s[i]
		case c < ' ' || c > '~' || c == '"' || c == '\\':
			return "", false
		}
		key.WriteByte(c)
	}
	return key.String(), key.Len() >= 1 && key.Len() <= 255
}

// digest is one string for several. Each is written with its length, since "a", "bc" and "ab", "c" are not the same.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// A call is what the handler can say about its request.
type call struct {
	key     string
	nothing bool // written by the handler, read when it has returned
}

type callKey struct{}

// Key returns what to hand on to a service that is keyed too, such as a payment provider. Without a key it returns "".
func Key(ctx context.Context) string {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c.key
	}
	return ""
}

// NothingHappened says that the handler changed nothing, and never will for this request. Without a key it does nothing.
func NothingHappened(ctx context.Context) {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		c.nothing = true
	}
}

// An answer is a response, whole.
type answer struct {
	Status int
	Header http.Header
	Body   []byte
}

func (a *answer) send(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.Header)
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // a client that is gone will ask again
}

// A recorder is the ResponseWriter of the handler. It keeps everything until the handler is done.
type recorder struct {
	header http.Header
	sent   http.Header // as it was when the status was written
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK { // 1xx may come before it
		r.status, r.sent = status, r.header.Clone()
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

// Flush does nothing: the answer is stored before any of it is sent.
func (r *recorder) Flush() { r.WriteHeader(http.StatusOK) }

func (r *recorder) answer() *answer {
	r.WriteHeader(http.StatusOK)
	return &answer{Status: r.status, Header: r.sent, Body: r.body.Bytes()}
}

// A problem is a refusal, as problem details (RFC 9457).
type problem struct {
	Title      string `json:"title"`
	Status     int    `json:"status"`
	Detail     string `json:"detail"`
	retryAfter int    // seconds
}

func refuse(status int, detail string) *problem {
	return &problem{Title: http.StatusText(status), Status: status, Detail: detail}
}

func (p *problem) send(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/problem+json")
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) //nolint:errchkjson // a client that is gone, as in answer.send
}
