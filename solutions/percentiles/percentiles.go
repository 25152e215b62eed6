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

// Quantile returns the q-quantile of the values by nearest rank: the smallest of them that has a share of at least q of
// all values at or below it. The values may be in any order and are not changed.
func Quantile(values []time.Duration, q float64) (time.Duration, error) {
	if err := checkQuantile(q, len(values)); err != nil {
		return 0, err
	}
	return slices.Sorted(slices.Values(values))[rank(q, len(values))-1], nil
}

func checkQuantile(q float64, n int) error {
	switch {
	case !(q >= 0 && q <= 1): // NaN too
		return ErrQuantile
	case n == 0:
		return ErrEmpty
	}
	return nil
}

// rank returns the smallest rank r, counted from 1, that has a share r/n of at least q. It compares shares and does not
// round q*n up: 0.07*100 is a little more than 7 in a float64, while 7/100 is the very number that 0.07 is.
func rank(q float64, n int) int {
	return 1 + sort.Search(n-1, func(i int) bool { return float64(i+1)/float64(n) >= q })
}

const (
	subBuckets = 64                        // in each power of two, so half a bucket is at most 1/128 of a value in it
	buckets    = (63 - 7 + 2) * subBuckets // up to the longest Duration
	maxCount   = 1 << 53                   // as far as float64(count) is exact
	maxMissed  = 1_000_000                 // that RecordCorrected adds
)

// bucketOf returns the bucket of a latency: its seven highest bits and how many bits follow them. Below 128 ns each
// value has its own.
func bucketOf(d time.Duration) int {
	shift := max(0, bits.Len64(uint64(d))-7)
	return shift*subBuckets + int(d>>shift)
}

// middle returns the latency that stands for a bucket.
func middle(bucket int) time.Duration {
	shift := max(0, bucket/subBuckets-1)
	lower := time.Duration(bucket-shift*subBuckets) << shift
	return lower + (1<<shift)/2
}

// A Histogram counts latencies in bounded memory and tells their quantiles with an error of at most 1 % from 1 µs to
// 1 h. It is safe for concurrent use.
type Histogram struct {
	mu    sync.Mutex // guards state
	state state
}

// state is what a histogram knows. It is copied as a value.
type state struct {
	counts   [buckets]uint64
	count    uint64
	min, max time.Duration
}

// NewHistogram returns an empty histogram.
func NewHistogram() *Histogram {
	return new(Histogram)
}

// Record counts one latency. A negative one is refused with ErrValue.
func (h *Histogram) Record(d time.Duration) error {
	return h.RecordCorrected(d, math.MaxInt64) // an interval in which nothing is missed
}

// RecordSeconds counts one latency in seconds. NaN and what is negative are refused with ErrValue; what is too long for
// a Duration counts as the longest Duration.
func (h *Histogram) RecordSeconds(s float64) error {
	ns := math.Round(s * 1e9)
	switch {
	case !(s >= 0): // NaN too, for which every comparison is false
		return ErrValue
	case ns >= math.MaxInt64: // Go does not say what converting it would give
		return h.Record(math.MaxInt64)
	}
	return h.Record(time.Duration(ns))
}

// RecordCorrected counts one latency d as a client measures it that means to send a request every interval, but waits
// for each answer before it sends the next. For the requests that it should have sent meanwhile it also counts
// d-interval, d-2*interval and so on, down to the last that is not shorter than the interval.
func (h *Histogram) RecordCorrected(d, interval time.Duration) error {
	switch {
	case d < 0:
		return ErrValue
	case interval <= 0 || d/interval > maxMissed:
		return ErrInterval
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.state.count+max(1, uint64(d/interval)) > maxCount {
		return ErrOverflow
	}
	h.state.add(d)
	for missed := d - interval; missed >= interval; missed -= interval {
		h.state.add(missed)
	}
	return nil
}

func (s *state) add(d time.Duration) {
	if s.count == 0 {
		s.min, s.max = d, d
	}
	s.min, s.max = min(s.min, d), max(s.max, d)
	s.counts[bucketOf(d)]++
	s.count++
}

// Quantile returns the q-quantile of the values recorded so far. For 0 and 1 it is exact.
func (h *Histogram) Quantile(q float64) (time.Duration, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := &h.state
	if err := checkQuantile(q, int(s.count)); err != nil {
		return 0, err
	}
	switch q {
	case 0:
		return s.min, nil
	case 1:
		return s.max, nil
	}
	left, bucket := uint64(rank(q, int(s.count))), 0
	for left > s.counts[bucket] {
		left -= s.counts[bucket]
		bucket++
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
	return h.state.merge(o)
}

func (h *Histogram) copy() *state {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.state
	return &s
}

func (s *state) merge(o *state) error {
	switch {
	case o.count == 0: // has no min and max
		return nil
	case s.count+o.count > maxCount:
		return ErrOverflow
	case s.count == 0:
		*s = *o
		return nil
	}
	for i, n := range o.counts {
		s.counts[i] += n
	}
	s.count += o.count
	s.min, s.max = min(s.min, o.min), max(s.max, o.max)
	return nil
}

// MarshalBinary returns the histogram as bytes for UnmarshalBinary: min, max and the count of every bucket as varints, so
// that no length is in it and an empty bucket takes one byte.
func (h *Histogram) MarshalBinary() ([]byte, error) {
	s := h.copy()
	out := binary.AppendUvarint(nil, uint64(s.min))
	out = binary.AppendUvarint(out, uint64(s.max))
	for _, n := range s.counts {
		out = binary.AppendUvarint(out, n)
	}
	return out, nil
}

// UnmarshalBinary makes h the histogram that MarshalBinary wrote. Other bytes are refused with ErrFormat, and h stays
// as it was.
func (h *Histogram) UnmarshalBinary(data []byte) error {
	next := func() uint64 {
		n, size := binary.Uvarint(data)
		if size <= 0 { // they end here or are no number, and so for whoever asks next
			data = nil
			return math.MaxUint64
		}
		data = data[size:]
		return n
	}
	s := &state{min: time.Duration(next()), max: time.Duration(next())}
	first, last := 0, 0
	for i := range s.counts {
		n := next()
		if n > maxCount-s.count {
			return ErrFormat
		}
		if n > 0 {
			if s.count == 0 {
				first = i
			}
			last = i
		}
		s.counts[i] = n
		s.count += n
	}
	if len(data) > 0 || s.min < 0 || s.min > s.max || bucketOf(s.min) != first || bucketOf(s.max) != last {
		return ErrFormat
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state = *s
	return nil
}

// A Window keeps the latencies of the last while. It is safe for concurrent use, goes by [time.Now], and keeps nothing
// running.
type Window struct {
	start time.Time
	step  time.Duration

	mu      sync.Mutex   // guards what follows
	parts   []*Histogram // one for each step of the span, and one that is being filled
	current int          // the number of the step since start that the part at current%len(parts) is for
}

// NewWindow returns a window on the last span, which moves on in steps of span/steps.
func NewWindow(span time.Duration, steps int) *Window {
	w := &Window{start: time.Now(), step: span / time.Duration(steps), parts: make([]*Histogram, steps+1)}
	for i := range w.parts {
		w.parts[i] = NewHistogram()
	}
	return w
}

// Record counts one latency now, as [Histogram.Record] does.
func (w *Window) Record(d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rotate()
	return w.parts[w.current%len(w.parts)].Record(d)
}

// Snapshot returns a histogram of its own with the values that are now in the window.
func (w *Window) Snapshot() *Histogram {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rotate()
	all := NewHistogram()
	for _, part := range w.parts {
		_ = all.Merge(part) // no one records 2^53 values
	}
	return all
}

// rotate empties the parts whose time has passed, all of them after a long pause. It is called with mu held.
func (w *Window) rotate() {
	now := int(time.Since(w.start) / w.step)
	for i := range min(now-w.current, len(w.parts)) {
		w.parts[(now-i)%len(w.parts)] = NewHistogram()
	}
	w.current = now
}

// Pace makes n calls, one after the other. The first is due at once and each further one an interval after the one
// before was due. A call begins when it is due, or as soon as the one before has returned if that is later. Pace records
// how long after it was due each call returned.
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

// SlowChance returns how likely it is that at least one of so many independent calls takes longer than the q-quantile
// of one call.
func SlowChance(q float64, calls int) float64 {
	return 1 - math.Pow(q, float64(calls))
}
