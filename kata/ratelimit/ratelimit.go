//go:build !solutions

// Package ratelimit is the kata "What is rate limiting?". README.md in this folder is the contract.
package ratelimit

import (
	"errors"
	"net/http"
	"net/netip"
	"time"

	// The standard library's sync, with points at which the steps let another caller go first. Plain "sync" is as right.
	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// ErrSize says that a call asks for less than 1, or for more than can ever pass at once.
var ErrSize = errors.New("so many can never pass at once")

// A Limit is a rate and a burst. Its numbers are positive, and an empty limit takes less than 100 years to fill up.
type Limit struct {
	Name  string        // letters and digits, for the header fields; no other limit has it
	N     int           // this many
	Per   time.Duration // in this time, and
	Burst int           // this many at once after a rest
}

// Config says what a Limiter lets through.
type Config struct {
	Limits  []Limit          // at least one
	MaxKeys int              // how many keys it may remember; positive
	Now     func() time.Time // the clock; nil stands for time.Now
}

// A Limiter limits by key.
type Limiter struct {
	mu sync.Mutex // yours to use or to replace
}

// New returns a Limiter that has let nothing through yet.
func New(c Config) *Limiter {
	return &Limiter{}
}

// Allow lets n through or none, and returns how long to wait for n, which is 0 if they passed.
func (l *Limiter) Allow(key string, n int) (wait time.Duration, err error) {
	return 0, nil
}

// HTTP says how requests are counted.
type HTTP struct {
	Hops   int                       // how many trusted proxies a request comes through
	Weight func(r *http.Request) int // what a request counts; nil: each counts 1
}

// Handler limits the requests that reach next, by client.
func (l *Limiter) Handler(c HTTP, next http.Handler) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
}

// Client returns whose request it is: an IPv4 address as a /32, an IPv6 address as its /64, or the zero Prefix if there is none.
func Client(r *http.Request, hops int) netip.Prefix {
	return netip.Prefix{}
}

// A Store holds texts for all servers. Each call is atomic and safe for concurrent use.
type Store interface {
	// Load returns the text of a key, at first "".
	Load(key string) string
	// CompareAndSwap replaces a text that is old by next, and reports whether it did.
	CompareAndSwap(key, old, next string) bool
}

// Shared limits by key for all servers that share its Store, and remembers nothing itself. Its fields are set.
type Shared struct {
	Limits []Limit
	Store  Store
	Now    func() time.Time
}

// Allow is what it is for a Limiter that has room for every key.
func (s Shared) Allow(key string, n int) (wait time.Duration, err error) {
	return 0, nil
}
