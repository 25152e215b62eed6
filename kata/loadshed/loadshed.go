//go:build !solutions

// Package loadshed is the kata "How do you handle high traffic spikes?". README.md in this folder is the contract.
package loadshed

import (
	"net/http"
	"time"
)

// Config says what is known of the server and of its requests. Its numbers are positive, Workers is at most 1,000, and
// its functions are safe for concurrent use.
type Config struct {
	// Objective is the time from a request's arrival up to which its answer is good.
	Objective time.Duration

	// Workers is how many requests the server works on at once, as far as is known. It may be wrong, or become so.
	Workers int

	// Critical says which requests are served first. If it is nil, none is critical.
	Critical func(r *http.Request) bool

	// Tenant says whose request it is. If it is nil, all are of one tenant.
	Tenant func(r *http.Request) string

	// Random returns numbers from 0 to 1, 1 not included. If it is nil, use math/rand/v2.
	Random func() float64
}

// New returns a handler that lets in what next can serve within the objective, and refuses the rest.
func New(cfg Config, next http.Handler) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
}
