//go:build !solutions

// Package cacheaside is the kata "What happens when cache and DB are inconsistent?". README.md in this folder is the contract.
package cacheaside

import (
	"context"
	"errors"
	"time"

	// The standard library's sync, with points at which the steps let another caller go first. Plain "sync" is as right.
	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// ErrNotFound is the error for a key that the database does not have.
var ErrNotFound = errors.New("the key is not found")

// A DB is the database. It is safe for concurrent use, and does not panic.
type DB interface {
	// Load returns the value that is committed.
	Load(ctx context.Context, key string) (string, error)
	// Write sets the value in a transaction, and commits it.
	Write(ctx context.Context, key, value string) error
}

// A Cache is the cache that all servers share. It is safe for concurrent use, does not panic, and returns as soon as its context
// ends. What a failed call was to do may have been done. A ttl is more than 0; once it has passed, the key is gone.
type Cache interface {
	Get(ctx context.Context, key string) (value string, found bool, err error)
	Set(ctx context.Context, key, value string, ttl time.Duration) error
	// Add sets the value only if the key is absent, and says whether it did.
	Add(ctx context.Context, key, value string, ttl time.Duration) (bool, error)
	// Replace sets the value only if the key has the value old, and says whether it did.
	Replace(ctx context.Context, key, old, value string, ttl time.Duration) (bool, error)
	Delete(ctx context.Context, key string) error
}

// Config says what a Store works with. All numbers are more than 0.
type Config struct {
	DB    DB
	Cache Cache

	TTL          time.Duration // how long a value is kept
	NotFoundTTL  time.Duration // how long it is kept that a key is not found
	Lease        time.Duration // how long the other servers wait for a load that does not end
	CacheTimeout time.Duration // for each call of the cache
	MaxLoads     int           // loads at once, at one server

	Random func() float64 // from 0 to 1, 1 not included; safe for concurrent use
}

// A Store reads and writes the database, and keeps what it reads in the cache.
type Store struct {
	mu sync.Mutex // yours to use or to replace
}

// New returns a Store.
func New(c Config) *Store { return &Store{} }

// Get returns the value of a key.
func (s *Store) Get(ctx context.Context, key string) (string, error) { return "", nil }

// Write sets the value of a key.
func (s *Store) Write(ctx context.Context, key, value string) error { return nil }
