//go:build !solutions

// Package nplusone is the kata "What is N+1 query problem?". README.md in this folder is the contract.
package nplusone

import (
	"context"
	"database/sql"
	"errors"
	"time"

	// The standard library's sync, with points at which a step lets another goroutine go first. Keep it, and that step
	// finds every race at your locks; with plain "sync" the same code is right, and the step sees less.
	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// An Order is a row of orders, with what belongs to it if that was asked for.
type Order struct {
	ID       int64
	Customer string
	Lines    []Line    // by position
	Payments []Payment // by position
}

// A Line is a row of lines.
type Line struct {
	Position  int64
	ProductID int64
	Quantity  int64
	Product   *Product // nil if it was not asked for, or there is no such product
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

// With says what to load along with the orders.
type With struct {
	Lines    bool
	Products bool // of the lines; never true without Lines
	Payments bool
}

// A Store reads orders from a database.
type Store struct {
	DB *sql.DB

	// MaxParameters is how many parameters a statement may have in this database, at least 1.
	MaxParameters int
}

// Orders returns an entry for each id, in the order of ids: the order of that id, or nil if there is none. For each
// table that it needs it runs at most one statement for every MaxParameters different keys, or part of that.
func (s Store) Orders(ctx context.Context, ids []int64, with With) ([]*Order, error) {
	return nil, nil
}

// ErrNotFound is the answer to a Load whose key Fetch knows nothing of.
var ErrNotFound = errors.New("nplusone: not found")

// LoaderConfig says how a Loader makes batches.
type LoaderConfig[K comparable, V any] struct {
	// Window is how long a batch waits for more keys after its first, more than 0.
	Window time.Duration

	// MaxBatch is how many different keys a batch has at most, at least 1.
	MaxBatch int

	// Fetch gets the values of all keys of a batch at once. A key that it knows nothing of is not in the map. It is
	// safe for concurrent use.
	Fetch func(ctx context.Context, keys []K) (map[K]V, error)
}

// A Loader makes one Fetch of the loads that come within a window. It is safe for concurrent use.
type Loader[K comparable, V any] struct {
	mu sync.Mutex // yours to use or to replace
}

// NewLoader returns a Loader. It has nothing that must be closed.
func NewLoader[K comparable, V any](cfg LoaderConfig[K, V]) *Loader[K, V] {
	return &Loader[K, V]{}
}

// Load waits for the batch that the key is put into, and returns the key's value, ErrNotFound, or the error of Fetch.
// If ctx ends first, it returns the error of ctx at once, and the other loads of the batch go on.
func (l *Loader[K, V]) Load(ctx context.Context, key K) (V, error) {
	var zero V
	return zero, nil
}
