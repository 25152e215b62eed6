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

// Quantile returns the q-quantile of the values by nearest rank: the smallest of them that has a share of at least q of
// all values at or below it. The values may be in any order and are not changed.
func Quantile(values []time.Duration, q float64) (time.Duration, error) {
	return 0, nil
}

// A Histogram counts latencies in bounded memory and tells their quantiles with an error of at most 1 % from 1 µs to
// 1 h. It is safe for concurrent use, and keeps nothing running.
type Histogram struct {
	mu sync.Mutex // yours to use or to replace
}

// NewHistogram returns an empty histogram.
func NewHistogram() *Histogram {
	return &Histogram{}
}

// Record counts one latency. A negative one is refused with ErrValue.
func (h *Histogram) Record(d time.Duration) error {
	return nil
}

// RecordSeconds counts one latency in seconds. NaN and what is negative are refused with ErrValue; what is too long for
// a Duration counts as the longest Duration.
func (h *Histogram) RecordSeconds(s float64) error {
	return nil
}

// RecordCorrected counts one latency d as a client measures it that means to send a request every interval, but waits
// for each answer before it sends the next. For the requests that it should have sent meanwhile it also counts
// d-interval, d-2*interval and so on, down to the last that is not shorter than the interval: all of them, or none.
func (h *Histogram) RecordCorrected(d, interval time.Duration) error {
	return nil
}

// Quantile returns the q-quantile of the values recorded so far. For 0 and 1 it is exact.
func (h *Histogram) Quantile(q float64) (time.Duration, error) {
	return 0, nil
}

// Count returns how many values there are.
func (h *Histogram) Count() uint64 {
	return 0
}

// Min returns the smallest value exactly, or 0 if there is none.
func (h *Histogram) Min() time.Duration {
	return 0
}

// Max returns the largest value exactly, or 0 if there is none.
func (h *Histogram) Max() time.Duration {
	return 0
}

// Merge adds all values of other, which stays as it is and may be h itself.
func (h *Histogram) Merge(other *Histogram) error {
	return nil
}

// MarshalBinary returns the histogram as bytes for UnmarshalBinary, which are the caller's.
func (h *Histogram) MarshalBinary() ([]byte, error) {
	return nil, nil
}

// UnmarshalBinary makes h the histogram that MarshalBinary wrote. Other bytes are refused with ErrFormat, and h stays
// as it was. It does not keep the bytes.
func (h *Histogram) UnmarshalBinary(data []byte) error {
	return nil
}

// A Window keeps the latencies of the last while. It is safe for concurrent use, goes by [time.Now], and keeps nothing
// running.
type Window struct {
	_ struct{} // the fields are yours
}

// NewWindow returns a window on the last span, which moves on in steps of span/steps.
func NewWindow(span time.Duration, steps int) *Window {
	return &Window{}
}

// Record counts one latency now, as [Histogram.Record] does.
func (w *Window) Record(d time.Duration) error {
	return nil
}

// Snapshot returns a histogram of its own with the values that are now in the window.
func (w *Window) Snapshot() *Histogram {
	return NewHistogram()
}

// Pace makes n calls, one after the other. The first is due at once and each further one an interval after the one
// before was due. A call begins when it is due, or as soon as the one before has returned if that is later. Once a call
// has returned, Pace records how long ago it was due, and ends at the first error of h.
func Pace(h *Histogram, n int, interval time.Duration, call func()) error {
	return nil
}

// SlowChance returns how likely it is that at least one of so many independent calls takes longer than the q-quantile
// of one call.
func SlowChance(q float64, calls int) float64 {
	return 0
}
