//go:build !solutions

// Package apiversion is the kata "What is API versioning?". README.md in this folder is the contract.
package apiversion

import (
	"context"
	"net/http"
	"time"
)

// A Change is one change of the API. Its functions get a decoded JSON value (map[string]any, []any, string, json.Number,
// bool or nil), which they may modify, and return what it becomes. A nil function changes nothing.
type Change struct {
	Since string             // the version that has it first, a date such as 2024-02-15
	Up    func(body any) any // from the version before
	Down  func(body any) any // to the version before
}

// An End says when a version ends.
type End struct {
	Deprecated, Sunset time.Time
	Link               string // what to read about it
}

// Pins keep the version of each account, for all servers. They are safe for concurrent use.
type Pins interface {
	// Get returns the version of an account, or "" if it has none.
	Get(ctx context.Context, account string) (version string, err error)
	// Add stores a version if there is none, and reports whether it did.
	Add(ctx context.Context, account, version string) (added bool, err error)
}

// Config says which versions there are.
type Config struct {
	First   string                     // the oldest version
	Changes []Change                   // by Since, oldest first; several may have the same
	Account func(*http.Request) string // who sent the request, "" for nobody
	Field   string                     // the field that names the account, such as Authorization
	Pins    Pins
	Ends    map[string]End   // by version
	Now     func() time.Time // the clock
}

// An API serves all versions of a handler. It is safe for concurrent use.
type API struct{}

// New puts all versions in front of a handler, which knows the newest.
func New(next http.Handler, c Config) *API { return &API{} }

// ServeHTTP answers a request in the version of its account.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {}
