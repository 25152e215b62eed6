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

// TimeoutHeader says how many milliseconds are left for a request.
const TimeoutHeader = "Request-Timeout-Ms"

// ErrBusy is why a part failed whose host has MaxPerHost requests under way.
var ErrBusy = errors.New("partialfailure: the service is busy")

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

// Error names the part.
func (e *PartError) Error() string { return "" }

// Unwrap returns Err.
func (e *PartError) Unwrap() error { return nil }

// A Composer assembles pages, and keeps one retry budget for all of them.
type Composer struct {
	mu sync.Mutex // yours to use or to replace
}

// New returns a Composer.
func New(cfg Config) *Composer { return &Composer{} }

// Page fetches all parts, in parallel.
func (c *Composer) Page(ctx context.Context, parts []Part) (Page, error) {
	return Page{}, nil
}
