//go:build !solutions

// Package nplusone is the kata "What is N+1 query problem?". README.md in this folder is the contract.
package nplusone

import (
	"context"
	"database/sql"
	"errors"
	"time"

	// In place of sync, so that a step can try every order of your locks.
	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// An Order is a row of orders, with what was asked for along with it.
type Order struct {
	ID       int64
	Customer string
	Lines    []Line
	Payments []Payment
}

// A Line is a row of lines.
type Line struct {
	Position  int64
	ProductID int64
	Quantity  int64
	Product   *Product
}

// A Product is a row of products.
type Product struct {
	ID    int64
	Name  string
	Cents int64
}

// A Payment is a row of payments.
type Payment struct {
	Position int64
	Cents    int64
}

// With says what to read along with the orders.
type With struct {
	Lines    bool
	Products bool // of the lines
	Payments bool
}

// A Store reads orders from a database.
type Store struct {
	DB *sql.DB

	// MaxParameters is how many parameters a statement may have, at least 1.
	MaxParameters int
}

// Orders returns the orders with those ids, in few statements.
func (s Store) Orders(ctx context.Context, ids []int64, with With) ([]*Order, error) {
	return nil, nil
}

// ErrNotFound says that Fetch does not know a key.
var ErrNotFound = errors.New("nplusone: not found")

// LoaderConfig says how a Loader makes batches.
type LoaderConfig[K comparable, V any] struct {
	// Window is how long a batch waits for more keys, more than 0.
	Window time.Duration

	// MaxBatch is how many different keys a batch has at most, at least 1.
	MaxBatch int

	// Fetch returns the values of those keys that it knows. It is safe for concurrent use.
	Fetch func(ctx context.Context, keys []K) (map[K]V, error)
}

// A Loader turns many calls of Load into one call of Fetch. All its methods are safe for concurrent use.
type Loader[K comparable, V any] struct {
	mu sync.Mutex // yours to use or to replace
}

// NewLoader returns a Loader, which need not be closed.
func NewLoader[K comparable, V any](cfg LoaderConfig[K, V]) *Loader[K, V] {
	return &Loader[K, V]{}
}

// Load returns the value of a key once its batch is fetched, unless ctx ends first.
func (l *Loader[K, V]) Load(ctx context.Context, key K) (V, error) {
	var zero V
	return zero, nil
}
