//go:build solutions

package percentiles

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"slices"
	"sort"
	"time"

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

// Quantile returns the q-quantile of the values by nearest rank. They may be in any order and are not changed.
func Quantile(values []time.Duration, q float64) (time.Duration, error) {
	r, err := rank(q, len(values))
	if err != nil {
		return 0, err
	}
	return slices.Sorted(slices.Values(values))[r-1], nil
}

// rank returns the smallest r with a share r/n of at least q. It does not round q*n up: 0.07*100 is a little more than 7.
func rank(q float64, n int) (int, error) {
	switch {
	case !(q >= 0 && q <= 1): // NaN too
		return 0, ErrQuantile
	case n == 0:
		return 0, ErrEmpty
	}
	return 1 + sort.Search(n-1, func(i int) bool { return float64(i+1)/float64(n) >= q }), nil
}

const (
	subBuckets = 64                        // in each power of two, so half a bucket is at most 1/128 of a value in it
	buckets    = (63 - 7 + 2) * subBuckets // up to the longest Duration
	maxCount   = 1 << 53                   // as far as float64(count) is exact
)

// bucketOf returns the bucket of a latency: its seven highest bits, and how many bits follow them.
func bucketOf(d time.Duration) int {
	shift := max(0, bits.Len64(uint64(d))-7)
	return shift*subBuckets + int(d>>shift)
}

// middle returns the latency that stands for a bucket.
func middle(bucket int) time.Duration {
	shift := max(0, bucket/subBuckets-1)
	return time.Duration(bucket-shift*subBuckets)<<shift + (1<<shift)/2
}

// A Histogram counts latencies in bounded memory and tells their quantiles. It is safe for concurrent use.
type Histogram struct {
	mu    sync.Mutex // guards state
	state state
}

// state is what a histogram knows. Its zero value is empty, and it is copied as a value.
type state struct {
	counts   [buckets]uint64
	count    uint64
	min, max time.Duration
}

// NewHistogram returns an empty histogram.
func NewHistogram() *Histogram { return new(Histogram) }

// Record counts one latency: no other was due meanwhile.
func (h *Histogram) Record(d time.Duration) error { return h.RecordCorrected(d, math.MaxInt64) }

// RecordSeconds counts one latency in seconds. What is too long for a Duration counts as the longest one.
func (h *Histogram) RecordSeconds(s float64) error {
	switch ns := math.Round(s * 1e9); {
	case !(s >= 0): // NaN too, for which every comparison is false
		return ErrValue
	case ns >= math.MaxInt64: // Go does not say what converting it would give
		return h.Record(math.MaxInt64)
	default:
		return h.Record(time.Duration(ns))
	}
}

// RecordCorrected counts d, d-interval, d-2*interval and so on, down to the last that is at least the interval.
func (h *Histogram) RecordCorrected(d, interval time.Duration) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state.record(d, interval)
}

func (s *state) record(d, interval time.Duration) error {
	switch {
	case d < 0:
		return ErrValue
	case interval <= 0 || d/interval > 1_000_000:
		return ErrInterval
	}
	n := max(1, uint64(d/interval))
	if s.count+n > maxCount {
		return ErrOverflow
	}
	for range n {
		if s.count == 0 || d < s.min {
			s.min = d
		}
		s.max = max(s.max, d)
		s.counts[bucketOf(d)]++
		s.count++
		d -= interval
	}
	return nil
}

// Quantile returns the q-quantile of the values recorded so far. For 0 and 1 it is exact.
func (h *Histogram) Quantile(q float64) (time.Duration, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := &h.state
	r, err := rank(q, int(s.count))
	switch {
	case err != nil:
		return 0, err
	case q == 0:
		return s.min, nil
	case q == 1:
		return s.max, nil
	}
	bucket := 0
	for left := uint64(r); left > s.counts[bucket]; bucket++ {
		left -= s.counts[bucket]
	}
	return min(max(middle(bucket), s.min), s.max), nil
}

// Count returns how many values there are.
func (h *Histogram) Count() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state.count
}

// Min returns the smallest value exactly, or 0 if there is none.
func (h *Histogram) Min() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state.min
}

// Max returns the largest value exactly, or 0 if there is none.
func (h *Histogram) Max() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state.max
}

// Merge adds all values of other, which stays as it is and may be h itself.
func (h *Histogram) Merge(other *Histogram) error {
	// Only one lock is held at a time, so that a.Merge(b), b.Merge(a) and a.Merge(a) cannot wait for each other.
	o := other.copy()
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state.merge(&o)
}

func (h *Histogram) copy() state {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state
}

func (s *state) merge(o *state) error {
	switch {
	case o.count == 0: // has no min
		return nil
	case s.count+o.count > maxCount:
		return ErrOverflow
	case s.count == 0:
		s.min = o.min
	}
	for i := range s.counts {
		s.counts[i] += o.counts[i]
	}
	s.count += o.count
	s.min, s.max = min(s.min, o.min), max(s.max, o.max)
	return nil
}

// MarshalBinary writes min, max and the count of every bucket as varints: there is no length that could be wrong.
func (h *Histogram) MarshalBinary() ([]byte, error) {
	s := h.copy()
	out := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(s.min)), uint64(s.max))
	for _, n := range s.counts {
		out = binary.AppendUvarint(out, n)
	}
	return out, nil
}

// UnmarshalBinary makes h the histogram that MarshalBinary wrote. If it fails, h stays as it was.
func (h *Histogram) UnmarshalBinary(data []byte) error {
	var fields [2 + buckets]uint64
	for i := range fields {
		n, size := binary.Uvarint(data)
		if size <= 0 { // they end here, or this is no number
			return ErrFormat
		}
		fields[i], data = n, data[size:]
	}
	s := &state{min: time.Duration(fields[0]), max: time.Duration(fields[1])}
	first, last := buckets, 0 // in use
	for i, n := range fields[2:] {
		if n > maxCount-s.count {
			return ErrFormat
		}
		if n > 0 {
			first, last = min(first, i), i
		}
		s.counts[i], s.count = n, s.count+n
	}
	if len(data) > 0 || s.min < 0 || s.min > s.max || s.count == 1 && s.min != s.max ||
		bucketOf(s.min) != min(first, last) || bucketOf(s.max) != last { // if all are empty, that of 0
		return ErrFormat
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state = *s
	return nil
}

// A Window keeps the latencies of the last while. It is safe for concurrent use, and keeps no goroutine running.
type Window struct {
	start time.Time
	step  time.Duration

	mu      sync.Mutex // guards what follows
	parts   []state    // one for each step of the span, and one that is being filled
	current int        // the number of the step since start that the part at current%len(parts) is for
}

// NewWindow returns a window on the last span, which moves on in steps of span/steps.
func NewWindow(span time.Duration, steps int) *Window {
	return &Window{start: time.Now(), step: span / time.Duration(steps), parts: make([]state, steps+1)}
}

// Record counts one latency now, as [Histogram.Record] does.
func (w *Window) Record(d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rotate()
	return w.parts[w.current%len(w.parts)].record(d, math.MaxInt64)
}

// Snapshot returns a histogram of its own with the values that are now in the window.
func (w *Window) Snapshot() *Histogram {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rotate()
	all := NewHistogram()
	for i := range w.parts {
		_ = all.state.merge(&w.parts[i]) // nobody records 2^53 values
	}
	return all
}

// rotate empties the parts whose time has passed. It reads the clock with mu held: one read before may be behind current.
func (w *Window) rotate() {
	now := int(time.Since(w.start) / w.step)
	for i := range min(now-w.current, len(w.parts)) {
		w.parts[(now-i)%len(w.parts)] = state{}
	}
	w.current = now
}

// Pace makes n calls, of which one is due every interval, and records how long after it was due each of them returned.
func Pace(h *Histogram, n int, interval time.Duration, call func()) error {
	due := time.Now()
	for range n {
		time.Sleep(time.Until(due)) // not at all if it is late
		call()
		if err := h.Record(time.Since(due)); err != nil {
			return err
		}
		due = due.Add(interval)
	}
	return nil
}

// SlowChance returns how likely it is that at least one of so many independent calls is beyond the q-quantile of one.
func SlowChance(q float64, calls int) float64 { return 1 - math.Pow(q, float64(calls)) }
