//go:build !solutions

// Package partialfailure is the kata "How do you handle partial failure in microservices?". README.md in this folder
// is the contract.
package partialfailure

import (
	"context"
	"errors"
	"net/http"
	"time"

	// The standard library's sync, with points at which the steps let another goroutine go first. Keep it, and the steps
	// find every race at your locks; with plain "sync" the same code is right, and the steps see less.
	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// TimeoutHeader tells a service for how many more milliseconds the caller waits.
const TimeoutHeader = "Request-Timeout-Ms"

// ErrBusy is why a part failed whose service has as many requests under way as Config.MaxPerHost allows.
var ErrBusy = errors.New("partialfailure: the service is busy")

// Config says how pages are put together. The steps set every field, but for those of the further steps.
type Config struct {
	Client         *http.Client  // sends every request
	Timeout        time.Duration // for a page; a deadline of Page's context that comes sooner counts instead
	AttemptTimeout time.Duration // for a request, until its answer has been read to the end; at least a millisecond
	MaxAttempts    int           // for a part, hedges not counted; at least 1

	// The pause before a retry is random, below a bound that starts at BackoffBase and doubles up to BackoffCap.
	BackoffBase, BackoffCap time.Duration
	Rand                    func() float64 // from 0 to below 1; called once for each pause; safe for concurrent use

	// In any RetryWindow there are at most RetryFloor retries to a host, and one more for every ten first attempts.
	RetryFloor  int
	RetryWindow time.Duration
	HedgeAfter  time.Duration // without a whole answer for so long, a second request is sent; zero means never
	MaxPerHost  int           // how many requests may be under way to a host; zero means no limit
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
	Missing map[string]error  // why optional parts are left out: a *PartError each, by their names
}

// A PartError says why a part could not be had.
type PartError struct {
	Part     string // its name
	Attempts int    // how many there were, hedges not counted
	Status   int    // of the last answer; zero if the last attempt got none
	Err      error  // why the last attempt got no answer; nil if it got one
}

// Error names the part and says what happened.
func (e *PartError) Error() string { return "" }

// Unwrap returns Err.
func (e *PartError) Unwrap() error { return nil }

// A Composer puts pages together. It remembers the retries of all its pages. It is safe for concurrent use.
type Composer struct {
	mu sync.Mutex // yours to use or to replace
}

// New returns a Composer.
func New(cfg Config) *Composer { return &Composer{} }

// Page gets all parts, side by side, and returns by its deadline, whatever the services do. If a required part fails
// it returns the *PartError of that part at once, and gives up the others. If ctx is cancelled it returns an error in
// which errors.Is finds context.Canceled.
func (c *Composer) Page(ctx context.Context, parts []Part) (Page, error) {
	return Page{}, nil
}
