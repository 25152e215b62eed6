//go:build !solutions

// Package apiauth is the kata "How do you secure APIs?". README.md in this folder is the contract.
package apiauth

import (
	"context"
	"crypto"
	"net/http"
	"time"

	// The standard library's sync, with points at which the steps let another goroutine go first. Keep it, and the steps
	// find every race at your locks; with plain "sync" the same code is right, and the steps see less.
	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// MaxToken is the length of the longest token that is looked at, in bytes.
const MaxToken = 4096

// A Config says which tokens are good, and what they may do.
type Config struct {
	Issuer   string
	Audience string        // this API
	Leeway   time.Duration // how far clocks may be apart

	// Keys asks the issuer for its public keys, by their ids. The map is yours. It is slow, and returns at once when ctx is done.
	Keys     func(ctx context.Context) (map[string]crypto.PublicKey, error)
	Timeout  time.Duration // of a fetch
	MaxAge   time.Duration // of fetched keys
	Grace    time.Duration // what they have on top while the issuer is down
	Interval time.Duration // the least time between two fetches; less than MaxAge

	Routes map[string][]string // the scopes that a request needs, by a pattern of http.ServeMux
}

// Claims are what the handler is told about a good token.
type Claims struct {
	Subject string   // sub
	Client  string   // client_id
	Token   string   // jti
	Session string   // sid, or empty
	Scopes  []string // scope, or none
}

// FromContext returns the claims of the request's token. ok is false if the request did not come through a Gate.
func FromContext(ctx context.Context) (c Claims, ok bool) {
	return Claims{}, false
}

// A Revocation names tokens that are good no longer. Empty fields name nothing.
type Revocation struct {
	Token   string    // the one with this jti
	Session string    // those with this sid
	User    string    // those with this sub whose iat is before Before
	Before  time.Time // for User
}

// A Gate stands in front of an API. It is safe for concurrent use.
type Gate struct {
	mu sync.Mutex // yours to use or to replace
}

// New returns a Gate. It fetches nothing yet.
func New(cfg Config) *Gate { return &Gate{} }

// Handler lets requests with a good token through to next.
func (g *Gate) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
}

// Revoke makes tokens bad, for good.
func (g *Gate) Revoke(r Revocation) {}
