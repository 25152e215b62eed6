//go:build solutions

package partialfailure

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// TimeoutHeader says how many milliseconds are left for a request.
const TimeoutHeader = "Request-Timeout-Ms"

// ErrBusy is why a part failed whose host has MaxPerHost requests under way.
var ErrBusy = errors.New("partialfailure: the service is busy")

var errNoBudget = errors.New("partialfailure: there is no budget for a retry")

// A Config says how pages are assembled. The steps set all fields but the last two.
type Config struct {
	Client         *http.Client
	Timeout        time.Duration
	AttemptTimeout time.Duration // at least a millisecond
	MaxAttempts    int           // for a part; at least 1

	BackoffBase, BackoffCap time.Duration
	Rand                    func() float64 // from 0 to below 1; safe for concurrent use

	RetryFloor  int
	RetryWindow time.Duration
	HedgeAfter  time.Duration // zero: no hedges
	MaxPerHost  int           // zero: no limit
}

// A Part is one piece of a page, and the request that gets it.
type Part struct {
	Name     string
	Method   string
	URL      string
	Body     []byte
	Required bool
}

// A Page has the bodies of its parts, and the errors of those left out, by name.
type Page struct {
	Parts   map[string][]byte
	Missing map[string]error
}

// A PartError says why a part is missing.
type PartError struct {
	Part     string
	Attempts int // hedges not counted
	Status   int
	Err      error
}

// Error names the part, and says what happened.
func (e *PartError) Error() string {
	why := cmp.Or(e.Err, fmt.Errorf("the service answered %d", e.Status))
	return fmt.Sprintf("partialfailure: no %s after %d attempts: %v", e.Part, e.Attempts, why)
}

// Unwrap returns Err.
func (e *PartError) Unwrap() error { return e.Err }

// A Composer assembles pages, and keeps one retry budget for all of them.
type Composer struct {
	cfg   Config
	mu    sync.Mutex       // guards the map and all that is in it
	hosts map[string]*host // by the Host of a URL
}

// New returns a Composer.
func New(cfg Config) *Composer { return &Composer{cfg: cfg, hosts: map[string]*host{}} }

// Page fetches all parts, in parallel.
func (c *Composer) Page(ctx context.Context, parts []Part) (Page, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	group, whole := errgroup.WithContext(ctx) // whole ends when a required part fails
	bodies, failed := make([][]byte, len(parts)), make([]error, len(parts))
	for i, p := range parts {
		group.Go(func() error {
			bodies[i], failed[i] = c.part(whole, p)
			if p.Required {
				return failed[i]
			}
			return nil
		})
	}
	switch err := group.Wait(); {
	case errors.Is(ctx.Err(), context.Canceled):
		return Page{}, ctx.Err()
	case err != nil:
		return Page{}, err
	}
	page := Page{Parts: map[string][]byte{}, Missing: map[string]error{}}
	for i, p := range parts {
		if failed[i] != nil {
			page.Missing[p.Name] = failed[i]
		} else {
			page.Parts[p.Name] = bodies[i]
		}
	}
	return page, nil
}

// part gets a part, in as many attempts as make sense.
func (c *Composer) part(ctx context.Context, p Part) ([]byte, error) {
	req, err := http.NewRequest(p.Method, p.URL, bytes.NewReader(p.Body))
	if err != nil {
		return nil, &PartError{Part: p.Name, Err: err}
	}
	var before outcome
	for n := 1; ; n++ {
		o := c.attempt(ctx, req, n == 1)
		switch {
		case o.good():
			return o.body, nil
		case errors.Is(o.err, errNoBudget):
			return nil, &PartError{Part: p.Name, Attempts: n - 1, Status: before.status, Err: before.err}
		case n >= c.cfg.MaxAttempts || !repeatable(req.Method, o) || !wait(ctx, max(c.backoff(n), o.retryAfter)):
			return nil, &PartError{Part: p.Name, Attempts: n, Status: o.status, Err: o.err}
		}
		before = o
	}
}

// backoff is exponential with full jitter.
func (c *Composer) backoff(n int) time.Duration {
	bound := min(c.cfg.BackoffBase, c.cfg.BackoffCap)
	for range n - 1 {
		bound += min(bound, c.cfg.BackoffCap-bound) // doubles, and never wraps
	}
	return time.Duration(c.cfg.Rand() * float64(bound))
}

// wait returns false, at once, if there is no time for a request after the pause, and as soon as ctx ends.
func wait(ctx context.Context, pause time.Duration) bool {
	if deadline, _ := ctx.Deadline(); pause > time.Until(deadline)-time.Millisecond {
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

// idempotent are the methods of RFC 9110 §9.2.2.
var idempotent = []string{"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"}

// repeatable reports whether another attempt is safe and may help.
func repeatable(method string, o outcome) bool {
	if op, ok := errors.AsType[*net.OpError](o.err); ok && op.Op == "dial" {
		return true // nothing was sent, so nothing can be done twice
	}
	passes := slices.Contains([]int{0, 429, 502, 503, 504}, o.status) // 0 is no answer
	return passes && slices.Contains(idempotent, method) && !errors.Is(o.err, ErrBusy)
}

// attempt sends the request once, or twice if it is hedged.
func (c *Composer) attempt(ctx context.Context, req *http.Request, first bool) outcome {
	left, err := c.enter(ctx, req.URL.Host, first)
	if err != nil {
		return outcome{err: err}
	}
	if !first || c.cfg.HedgeAfter <= 0 || !slices.Contains(idempotent, req.Method) {
		return c.send(ctx, req, left)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // gives up the one that lost
	outcomes := make(chan outcome, 2)
	go func() { outcomes <- c.send(ctx, req, left) }()
	hedge := time.After(c.cfg.HedgeAfter)
	for underWay := 1; ; {
		select {
		case <-hedge:
			if left, err := c.enter(ctx, req.URL.Host, false); err == nil {
				underWay++
				go func() { outcomes <- c.send(ctx, req, left) }()
			}
		case o := <-outcomes:
			if underWay--; o.good() || underWay == 0 {
				return o
			}
		}
	}
}

// send sends a request that was let in, and reads the answer to its end, so that the connection serves again.
func (c *Composer) send(ctx context.Context, req *http.Request, left time.Duration) outcome {
	defer c.leave(req.URL.Host)
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	req = req.Clone(ctx)
	req.Body, _ = req.GetBody()                                               // the whole of it each time
	req.Header.Set(TimeoutHeader, strconv.FormatInt(left.Milliseconds(), 10)) // rounded down: never more than there is
	resp, err := c.cfg.Client.Do(req)
	if err != nil {
		return outcome{err: cmp.Or(ctx.Err(), err)} // time is over, whatever cause the caller gave its context
	}
	defer resp.Body.Close() //nolint:errcheck // it was read, or has failed before
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return outcome{err: cmp.Or(ctx.Err(), err)}
	}
	return outcome{status: resp.StatusCode, body: body, retryAfter: retryAfter(resp.Header.Get("Retry-After"))}
}

// retryAfter reads the header in both of its forms (RFC 9110 §10.2.3).
func retryAfter(value string) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, math.MaxInt64/uint64(time.Second))) * time.Second // never wraps
	}
	if date, err := http.ParseTime(value); err == nil {
		return time.Until(date)
	}
	return 0
}

// A host is what the Composer remembers of a service.
type host struct {
	firsts   []time.Time // first attempts within the last window
	retries  []time.Time // retries and hedges, likewise
	underWay int
}

// enter takes a place among the requests that are under way to a host, and a retry out of the budget unless it is a first
// attempt. It says how long the request may take. What is not sent takes nothing, so all is decided in one critical section.
func (c *Composer) enter(ctx context.Context, name string, first bool) (left time.Duration, err error) {
	deadline, _ := ctx.Deadline()
	left = min(c.cfg.AttemptTimeout, time.Until(deadline))
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.hosts[name]
	if h == nil {
		h = &host{}
		c.hosts[name] = h
	}
	h.firsts, h.retries = within(h.firsts, c.cfg.RetryWindow), within(h.retries, c.cfg.RetryWindow)
	switch {
	case ctx.Err() != nil || left < time.Millisecond:
		return 0, cmp.Or(ctx.Err(), context.DeadlineExceeded)
	case c.cfg.MaxPerHost > 0 && h.underWay >= c.cfg.MaxPerHost:
		return 0, ErrBusy
	case first:
		h.firsts = append(h.firsts, time.Now())
	case len(h.retries)-len(h.firsts)/10 >= c.cfg.RetryFloor:
		return 0, errNoBudget
	default:
		h.retries = append(h.retries, time.Now())
	}
	h.underWay++
	return left, nil
}

// leave gives the place back.
func (c *Composer) leave(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hosts[name].underWay--
}

// within drops what happened before the window that ends now.
func within(times []time.Time, window time.Duration) []time.Time {
	for len(times) > 0 && time.Since(times[0]) >= window {
		times = times[1:]
	}
	return times
}
