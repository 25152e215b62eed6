//go:build !solutions

// Package loadshed is the kata "How do you handle high traffic spikes?". README.md in this folder is the contract.
package loadshed

import (
	"net/http"
	"time"
)

// Config says what is known of the server and of its requests.
type Config struct {
	// Objective is the latency up to which an answer is worth something, from the request's arrival. It is positive.
	Objective time.Duration

	// Workers is how many requests the server works on at once, as far as is known. It is at least 1. The server may turn
	// out to have more or fewer, and the number may change.
	Workers int

	// Critical says which requests are served before all others. If it is nil, none is critical.
	Critical func(r *http.Request) bool

	// Tenant says whose request it is. If it is nil, all are of one tenant.
	Tenant func(r *http.Request) string

	// Random returns numbers from 0 to 1, 1 not included, to spread Retry-After with. If it is nil, use math/rand/v2.
	Random func() float64
}

// New returns a handler that stands before next, lets in what next can serve within the objective, and refuses the rest
// with 503 and Retry-After.
func New(cfg Config, next http.Handler) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
}
