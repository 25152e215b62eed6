//go:build !solutions

// Package idempotency is the kata "How do you prevent duplicate requests?". README.md in this folder is the contract.
package idempotency

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// ErrChanged is returned by a Store for a key whose version is no longer the one that was named.
var ErrChanged = errors.New("the key has another version")

// A Store keeps values for all servers, as a database or Redis does. Each call is atomic, and a Store is safe for
// concurrent use. A key is gone once its ttl has passed.
type Store interface {
	// Get returns the value of a key and its version. The version is 0 if the key is not there.
	Get(ctx context.Context, key string) (value []byte, version int64, err error)
	// Put stores a value, whatever was there before, and returns its version. No two versions are ever the same.
	Put(ctx context.Context, key string, value []byte, ttl time.Duration) (version int64, err error)
	// PutIf is Put if the key still has the given version, or for version 0 if the key is not there. Otherwise it
	// changes nothing and returns ErrChanged.
	PutIf(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) (now int64, err error)
	// DeleteIf removes a key if it still has the given version. Otherwise it changes nothing and returns ErrChanged.
	DeleteIf(ctx context.Context, key string, version int64) error
}

// Config says how keys are handled. Durations of zero and sizes of zero stand for the values in brackets.
type Config struct {
	Store   Store                      // shared by all servers
	Client  func(*http.Request) string // who sends the request, as the server knows it; nil if there is one client only
	Lease   time.Duration              // how long a request may take before a retry may run (1 minute)
	Keep    time.Duration              // how long an answer is kept for retries (24 hours)
	MaxBody int64                      // the largest body of a request, in bytes (1 MiB)
}

// New puts the middleware for the Idempotency-Key header in front of a handler. What it returns is safe for concurrent
// use, also with further servers on the same Store.
func New(next http.Handler, c Config) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
}

// Key returns what the handler passes on to a service that is keyed too, such as a payment provider: the same string for
// each run of the same request, and another one for another client, method, path or key. Without a key it returns "".
func Key(ctx context.Context) string {
	return ""
}

// NothingHappened is called by a handler that has changed nothing and never will for this request. Its answer is sent,
// and the key is free again. Without a key it does nothing.
func NothingHappened(ctx context.Context) {
}
