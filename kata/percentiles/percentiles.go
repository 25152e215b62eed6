//go:build !solutions

// Package percentiles is the kata "What are latency percentiles (p50, p95, p99)?". README.md in this folder is the
// contract.
package percentiles

import (
	"errors"
	"time"

	// The standard library's sync, with points at which a step lets another goroutine go first. With plain "sync" the same
	// code is as right, and the steps see less.
	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// The errors of this package, to be found with [errors.Is].
var (
	ErrEmpty    = errors.New("there are no values")
	ErrQuantile = errors.New("a quantile is a number from 0 to 1")
	ErrValue    = errors.New("a latency is a number and not negative")
	ErrInterval = errors.New("the interval is not positive, or too short for the value")
	ErrOverflow = errors.New("a histogram counts at most 2^53 values")
	ErrFormat   = errors.New("these bytes are no histogram")
)

// Quantile returns the q-quantile of the values by nearest rank.
func Quantile(values []time.Duration, q float64) (time.Duration, error) {
	return 0, nil
}

// A Histogram counts latencies in bounded memory and reports their quantiles.
type Histogram struct {
	mu sync.Mutex // yours to use or to replace
}

// NewHistogram returns an empty histogram.
func NewHistogram() *Histogram {
	return &Histogram{}
}

// Record counts one latency.
func (h *Histogram) Record(d time.Duration) error {
	return nil
}

// RecordSeconds counts one latency in seconds.
func (h *Histogram) RecordSeconds(s float64) error {
	return nil
}

// RecordCorrected counts a latency, and those of the requests that were due every interval and not sent meanwhile.
func (h *Histogram) RecordCorrected(d, interval time.Duration) error {
	return nil
}

// Quantile returns the q-quantile of the values recorded so far.
func (h *Histogram) Quantile(q float64) (time.Duration, error) {
	return 0, nil
}

// Count returns how many values there are.
func (h *Histogram) Count() uint64 {
	return 0
}

// Min returns the smallest value.
func (h *Histogram) Min() time.Duration {
	return 0
}

// Max returns the largest value.
func (h *Histogram) Max() time.Duration {
	return 0
}

// Merge adds all values of other.
func (h *Histogram) Merge(other *Histogram) error {
	return nil
}

// MarshalBinary returns the histogram as bytes.
func (h *Histogram) MarshalBinary() ([]byte, error) {
	return nil, nil
}

// UnmarshalBinary makes h the histogram that MarshalBinary wrote.
func (h *Histogram) UnmarshalBinary(data []byte) error {
	return nil
}

// A Window keeps the most recent latencies.
type Window struct {
	_ struct{} // the fields are yours
}

// NewWindow returns a window on the last span, which moves on in steps of span/steps.
func NewWindow(span time.Duration, steps int) *Window {
	return &Window{}
}

// Record counts one latency now.
func (w *Window) Record(d time.Duration) error {
	return nil
}

// Snapshot returns the values that are now in the window.
func (w *Window) Snapshot() *Histogram {
	return NewHistogram()
}

// Pace makes n calls, one due every interval, and records how long after it was due each of them returned.
func Pace(h *Histogram, n int, interval time.Duration, call func()) error {
	return nil
}

// SlowChance returns the probability that at least one of so many calls is slow, where a share q is fast.
func SlowChance(q float64, calls int) float64 {
	return 0
}
