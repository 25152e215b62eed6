//go:build !solutions

// Package isolation is the kata "What is isolation level?". README.md in this folder is the contract.
package isolation

import (
	"context"
	"errors"

	// The standard library's sync, with points at which the steps let another caller go first. Plain "sync" is as right.
	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// The errors of a transaction.
var (
	ErrConflict = errors.New("another transaction came first")
	ErrDeadlock = errors.New("the transactions wait for each other")
	ErrDone     = errors.New("the transaction has ended")
)

// A Level says what a transaction is kept from seeing.
type Level int

// The levels, the weakest first.
const (
	ReadCommitted Level = iota
	Snapshot
	Serializable
)

// A Row is a key and its value.
type Row struct{ Key, Value string }

// A Store holds rows in memory.
type Store struct {
	mu sync.Mutex // yours to use or to replace
}

// New returns a Store without rows.
func New() *Store { return &Store{} }

// Begin opens a transaction.
func (s *Store) Begin(ctx context.Context, level Level) *Tx { return &Tx{} }

// A Tx is a transaction.
type Tx struct{}

// Get returns the value of a row, and whether there is one.
func (tx *Tx) Get(key string) (value string, found bool, err error) { return "", false, nil }

// Scan returns the rows with from <= key < to, in the order of their keys. If to is empty, the range has no end.
func (tx *Tx) Scan(from, to string) ([]Row, error) { return nil, nil }

// Put makes a row, or replaces its value.
func (tx *Tx) Put(key, value string) error { return nil }

// Append makes a row, or adds to the end of its value.
func (tx *Tx) Append(key, text string) error { return nil }

// Commit ends the transaction, and keeps its changes.
func (tx *Tx) Commit() error { return nil }

// Rollback ends the transaction, and drops its changes.
func (tx *Tx) Rollback() error { return nil }
