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
	DB           *sql.DB // has the tables items and sequence
	Keys         []Key   // at least one; no two have the same ID or Secret, and the first has no Until
	DefaultLimit int     // of a request that has none, from 1 to MaxLimit
	MaxLimit     int     // the largest that a request may ask for, from 1 to 1,000,000
	CountUpTo    int     // how far items are counted for count=true, from 1 to 1,000,000
}

// A Key signs cursors.
type Key struct {
	ID     string    // ASCII letters, digits and hyphens, at least one
	Secret []byte    // at least 32 bytes, the last not zero
	Until  time.Time // from this instant on its cursors are bad; zero is never
}

// New returns the handler of GET /items. Nobody asks it for another path.
func New(cfg Config) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
}
