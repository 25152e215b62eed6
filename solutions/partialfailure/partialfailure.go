//go:build solutions

package partialfailure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// TimeoutHeader tells a service for how many more milliseconds the caller waits.
const TimeoutHeader = "Request-Timeout-Ms"

// ErrBusy is why a part failed whose service has as many requests under way as Config.MaxPerHost allows.
var ErrBusy = errors.New("partialfailure: the service is busy")

// Config says how pages are put together. The steps set every field, but for those of the further steps.
type Config struct {
	// Client sends every request.
	Client *http.Client

	// Timeout is the time for a page. A deadline of Page's context that comes sooner counts instead.
	Timeout time.Duration

	// AttemptTimeout is the time for one request, until its answer has been read to the end.
	AttemptTimeout time.Duration

	// MaxAttempts is how often the request for a part is sent at most, at least 1.
	MaxAttempts int

	// The pause before a retry is random, below a bound that starts at BackoffBase and doubles up to BackoffCap.
	BackoffBase, BackoffCap time.Duration

	// Rand returns a number from 0 to below 1. It is called once for each pause, and is safe for concurrent use.
	Rand func() float64

	// In any RetryWindow there are at most RetryFloor retries to a host, and one more for every ten first attempts.
	RetryFloor  int
	RetryWindow time.Duration

	// HedgeAfter is after what time without an answer a second request is sent. Zero means never.
	HedgeAfter time.Duration

	// MaxPerHost is how many requests may be under way to a host. Zero means no limit.
	MaxPerHost int
}

// A Part is one piece of a page, and the request that gets it.
type Part struct {
	Name     string // of its own in the page
	Method   string // empty means GET
	URL      string
	Body     []byte // of the request; nil means none
	Required bool   // without it there is no page
}

// A Page is what the services answered.
type Page struct {
	Parts   map[string][]byte // the bodies of the answers, by the names of the parts
	Missing map[string]error  // why optional parts are left out: an *PartError each, by their names
}

// A PartError says why a part could not be had.
type PartError struct {
	Part     string // its name
	Attempts int    // how many there were, hedges not counted
	Status   int    // of the last answer; zero if the last attempt got none
	Err      error  // why the last attempt got no answer; nil if it got one
}

// Error names the part and says what happened.
func (e *PartError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("partialfailure: no %s after %d attempts: %v", e.Part, e.Attempts, e.Err)
	}
	return fmt.Sprintf("partialfailure: no %s after %d attempts: the service answered %d", e.Part, e.Attempts, e.Status)
}

// Unwrap returns Err.
func (e *PartError) Unwrap() error { return e.Err }

// A Composer puts pages together. It remembers the retries of all its pages. It is safe for concurrent use.
type Composer struct {
	cfg Config

	mu    sync.Mutex // guards the map
	hosts map[string]*host
}

// New returns a Composer.
func New(cfg Config) *Composer { return &Composer{cfg: cfg, hosts: map[string]*host{}} }

// Page gets all parts, side by side, and returns by its deadline, whatever the services do. If a required part fails
// it returns the *PartError of that part at once, and gives up the others. If ctx is cancelled it returns an error in
// which errors.Is finds context.Canceled.
func (c *Composer) Page(ctx context.Context, parts []Part) (Page, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel() // gives up what is still under way
	type result struct {
		part Part
		body []byte
		err  error
	}
	results := make(chan result, len(parts)) // nobody waits to hand over a part that is not wanted any more
	for _, p := range parts {
		go func() {
			body, err := c.part(ctx, p)
			results <- result{p, body, err}
		}()
	}
	page := Page{Parts: map[string][]byte{}, Missing: map[string]error{}}
	for range parts {
		switch r := <-results; {
		case r.err == nil:
			page.Parts[r.part.Name] = r.body
		case errors.Is(ctx.Err(), context.Canceled):
			return Page{}, ctx.Err()
		case r.part.Required:
			return Page{}, r.err
		default:
			page.Missing[r.part.Name] = r.err
		}
	}
	return page, nil
}

// part gets a part, in as many attempts as make sense.
func (c *Composer) part(ctx context.Context, p Part) ([]byte, error) {
	h, err := c.host(p.URL)
	if err != nil {
		return nil, &PartError{Part: p.Name, Err: err}
	}
	for n := 1; ; n++ {
		o := c.attempt(ctx, h, p, n)
		if o.good() {
			return o.body, nil
		}
		if n >= c.cfg.MaxAttempts || !repeatable(p.Method, o) ||
			!wait(ctx, max(c.backoff(n), o.retryAfter)) || !h.mayRetry(c.cfg) {
			return nil, &PartError{Part: p.Name, Attempts: n, Status: o.status, Err: o.err}
		}
	}
}

// backoff is exponential with full jitter.
func (c *Composer) backoff(n int) time.Duration {
	bound := c.cfg.BackoffBase
	for i := 1; i < n && bound < c.cfg.BackoffCap; i++ {
		bound *= 2
	}
	return time.Duration(c.cfg.Rand() * float64(min(bound, c.cfg.BackoffCap)))
}

// wait returns false, at once, if ctx ends before the pause is over.
func wait(ctx context.Context, pause time.Duration) bool {
	if deadline, _ := ctx.Deadline(); ctx.Err() != nil || time.Until(deadline) <= pause {
		return false
	}
	select {
	case <-time.After(pause):
		return true
	case <-ctx.Done():
		return false
	}
}

// An outcome is how an attempt ended.
type outcome struct {
	status     int
	body       []byte
	retryAfter time.Duration
	err        error // why there is no answer
}

func (o outcome) good() bool { return o.err == nil && o.status >= 200 && o.status < 300 }

// repeatable reports whether another attempt is safe and may help.
func repeatable(method string, o outcome) bool {
	if errors.Is(o.err, ErrBusy) {
		return false
	}
	if op, ok := errors.AsType[*net.OpError](o.err); ok && op.Op == "dial" {
		return true // nothing was sent, so nothing can be done twice
	}
	if !idempotent(method) {
		return false
	}
	switch o.status {
	case 0, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// idempotent follows RFC 9110 §9.2.2.
func idempotent(method string) bool {
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// attempt sends the request once, or twice if it is hedged.
func (c *Composer) attempt(ctx context.Context, h *host, p Part, n int) outcome {
	if n > 1 || c.cfg.HedgeAfter <= 0 || !idempotent(p.Method) {
		return c.send(ctx, h, p, n == 1)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // gives up the one that lost
	outcomes := make(chan outcome, 2)
	try := func(first bool) { outcomes <- c.send(ctx, h, p, first) }
	go try(true)
	hedge := time.After(c.cfg.HedgeAfter)
	for underWay := 1; ; {
		select {
		case <-hedge:
			if h.mayRetry(c.cfg) {
				underWay++
				go try(false)
			}
		case o := <-outcomes:
			if underWay--; o.good() || underWay == 0 {
				return o
			}
		}
	}
}

// send sends one request and reads the answer to its end, so that the connection serves again.
func (c *Composer) send(ctx context.Context, h *host, p Part, first bool) outcome {
	if !h.enter(c.cfg, first) {
		return outcome{err: ErrBusy}
	}
	defer h.leave()
	ctx, cancel := context.WithTimeout(ctx, c.cfg.AttemptTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, p.Method, p.URL, bytes.NewReader(p.Body))
	if err != nil {
		return outcome{err: err}
	}
	deadline, _ := ctx.Deadline()
	left := time.Until(deadline).Milliseconds() // rounded down: the service is never told more than there is
	if left < 1 {
		return outcome{err: context.DeadlineExceeded}
	}
	req.Header.Set(TimeoutHeader, strconv.FormatInt(left, 10))
	resp, err := c.cfg.Client.Do(req)
	if err != nil {
		return outcome{err: err}
	}
	defer resp.Body.Close() //nolint:errcheck // it was read, or has failed before
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return outcome{err: err}
	}
	return outcome{status: resp.StatusCode, body: body, retryAfter: retryAfter(resp.Header)}
}

// retryAfter reads the header in both of its forms (RFC 9110 §10.2.3).
func retryAfter(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return time.Until(date)
	}
	return 0
}

// A host is what the Composer remembers of a service.
type host struct {
	mu       sync.Mutex  // guards the rest
	firsts   []time.Time // first attempts within the last window
	retries  []time.Time // retries and hedges, likewise
	underWay int
}

// host returns the host of a URL.
func (c *Composer) host(rawURL string) (*host, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hosts[u.Host] == nil {
		c.hosts[u.Host] = &host{}
	}
	return c.hosts[u.Host], nil
}

// mayRetry reports whether the budget has a retry left, and takes it.
func (h *host) mayRetry(cfg Config) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.firsts, h.retries = within(h.firsts, cfg.RetryWindow), within(h.retries, cfg.RetryWindow)
	if len(h.retries) >= cfg.RetryFloor+len(h.firsts)/10 {
		return false
	}
	h.retries = append(h.retries, time.Now())
	return true
}

// within drops what happened before the window that ends now.
func within(times []time.Time, window time.Duration) []time.Time {
	for len(times) > 0 && time.Since(times[0]) >= window {
		times = times[1:]
	}
	return times
}

// enter takes a place among the requests that are under way, if one is free. A first attempt earns a tenth of a retry.
func (h *host) enter(cfg Config, first bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if cfg.MaxPerHost > 0 && h.underWay >= cfg.MaxPerHost {
		return false
	}
	h.underWay++
	if first {
		h.firsts = append(within(h.firsts, cfg.RetryWindow), time.Now())
	}
	return true
}

func (h *host) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.underWay--
}
