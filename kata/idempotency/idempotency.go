//go:build !solutions

// Package idempotency is the kata "How do you prevent duplicate requests?". README.md in this folder is the contract.
package idempotency

import (
	"context"
	"errors"
	"net/http"
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
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
}

// Key returns what to hand on to a service that is keyed too, such as a payment provider. Without a key it returns "".
func Key(ctx context.Context) string {
	return ""
}

// NothingHappened says that the handler changed nothing, and never will for this request. Without a key it does nothing.
func NothingHappened(ctx context.Context) {
}
