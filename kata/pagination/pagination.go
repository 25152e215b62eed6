//go:build !solutions

// Package pagination is the kata "How do you design pagination at scale?" README.md in
// this folder is the contract.
package pagination

import (
	"database/sql"
	"net/http"
	"time"
)

// Config says what a handler lists, and how.
type Config struct {
	// DB has the tables items and sequence.
	DB *sql.DB

	// Keys sign cursors. The first signs, and each is accepted until its Until. There is
	// at least one, no two have the same ID or the same Secret, and the first has no Until.
	Keys []Key

	// DefaultLimit is the limit of a request that has none, from 1 to MaxLimit.
	DefaultLimit int

	// MaxLimit is the largest limit that a request may ask for, from 1 to 1,000,000.
	MaxLimit int

	// CountUpTo is how far items are counted for count=true, from 1 to 1,000,000.
	CountUpTo int
}

// A Key signs cursors.
type Key struct {
	ID     string    // letters, digits and hyphens, at least one
	Secret []byte    // at least 32 bytes
	Until  time.Time // from this instant on its cursors are bad; zero is never
}

// New returns the handler of GET /items, which lists items page by page. It is safe for
// concurrent use, changes nothing in the database, and keeps nothing between two requests.
func New(cfg Config) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
}
