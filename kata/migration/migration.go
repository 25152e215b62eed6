//go:build !solutions

// Package migration is the kata "What is schema migration strategy?". README.md in this folder is the contract.
package migration

import (
	"context"
	"database/sql"
	"errors"
)

// Why a migration is refused.
var (
	ErrDoubled    = errors.New("it is twice in the list")
	ErrMissing    = errors.New("it is applied, and not in the list")
	ErrEdited     = errors.New("it was edited after it was applied")
	ErrOutOfOrder = errors.New("it stands before one that is applied")
	ErrMarked     = errors.New("it has begun, and did not end")
)

// A Refusal says which migration is refused, and why.
type Refusal struct { //nolint:errname // the contract's word
	Name string
	Err  error // one of those above
}

func (r *Refusal) Error() string { return r.Name + ": " + r.Err.Error() }

// Unwrap returns why.
func (r *Refusal) Unwrap() error { return r.Err }

// A Migration is one change of the schema or of the data, in one statement or several.
type Migration struct{ Name, SQL string }

// Migrate runs the migrations that are not applied.
func Migrate(ctx context.Context, db *sql.DB, list []Migration) error { return nil }

// Applied returns the names of the migrations that are applied.
func Applied(ctx context.Context, db *sql.DB) (names []string, err error) { return nil, nil }

// Mend makes a marked migration count as applied.
func Mend(ctx context.Context, db *sql.DB, name string) error { return nil }

// A Version is one of the new program's.
type Version int

// The versions, in the order in which they are deployed.
const (
	Both Version = iota + 1
	Switched
	Contracted
)

// A Person has a name in two parts.
type Person struct {
	ID          int64
	First, Last string
}

// Expand returns the migrations that come before the new program.
func Expand() []Migration { return nil }

// Contract returns the migrations that come after the last program that needs the old column.
func Contract() []Migration { return nil }

// Save adds or replaces a person.
func Save(ctx context.Context, db *sql.DB, v Version, p Person) (err error) { return nil }

// Load returns a person, if there is one.
func Load(ctx context.Context, db *sql.DB, v Version, id int64) (p Person, found bool, err error) {
	return Person{}, false, nil
}

// Backfill fills in the new columns of the next rows, and says whether all are done.
func Backfill(ctx context.Context, db *sql.DB, limit int) (done bool, err error) { return false, nil }
