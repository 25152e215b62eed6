package percentiles_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/percentiles"
)

const (
	longest = time.Duration(math.MaxInt64)
	kib     = 1 << 10
)

// shares are the quantiles that most steps ask for.
var shares = []float64{0, 0.001, 0.01, 0.05, 0.07, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1}

// exact returns the q-quantile of sorted values by nearest rank, as the contract defines it.
func exact(sorted []time.Duration, q float64) time.Duration {
	n := len(sorted)
	return sorted[sort.Search(n-1, func(i int) bool { return float64(i+1)/float64(n) >= q })]
}

// allowed returns what a histogram may answer where right is the value by nearest rank.
func allowed(right time.Duration) (least, most time.Duration) {
	switch {
	case right < time.Microsecond:
		return 0, time.Microsecond
	case right > time.Hour:
		return time.Hour, longest
	}
	return right - right/100 - 1, right + right/100 + 1
}

// errorOf gives in percent how far got is from right.
func errorOf(got, right time.Duration) string {
	return fmt.Sprintf("%.2f %%", 100*math.Abs(float64(got-right))/float64(right))
}

// record counts values of which none may be refused.
func record(t *testing.T, h *percentiles.Histogram, values ...time.Duration) {
	t.Helper()
	for _, v := range values {
		if err := h.Record(v); err != nil {
			t.Fatalf("Record(%v) was refused, and every latency that is not negative is counted: %v", v, err)
		}
	}
}

// quantile asks a histogram that is not empty for a quantile.
func quantile(t *testing.T, what string, h *percentiles.Histogram, q float64) time.Duration {
	t.Helper()
	got, err := h.Quantile(q)
	if err != nil {
		t.Fatalf("%s: Quantile(%v) failed, although it holds %d values: %v", what, q, h.Count(), err)
	}
	return got
}

// holds checks that a histogram holds just these values, as closely as it promises.
func holds(t *testing.T, what string, h *percentiles.Histogram, values []time.Duration) {
	t.Helper()
	if got := h.Count(); got != uint64(len(values)) {
		t.Fatalf("%s has counted %d values, and was to count %d.", what, got, len(values))
	}
	sorted := slices.Sorted(slices.Values(values))
	if got, want := h.Min(), sorted[0]; got != want {
		t.Fatalf("%s: the minimum is %v, and the smallest value is exactly %v.", what, got, want)
	}
	if got, want := h.Max(), sorted[len(sorted)-1]; got != want {
		t.Fatalf("%s: the maximum is %v, and the largest value is exactly %v.", what, got, want)
	}
	for _, q := range shares {
		right, got := exact(sorted, q), quantile(t, what, h, q)
		least, most := allowed(right)
		if (q == 0 || q == 1) && got != right {
			t.Fatalf("%s: Quantile(%v) is %v, and the extremes are exact: it is %v.", what, q, got, right)
		}
		if got < least || got > most {
			t.Fatalf("%s: the quantile %v is given as %v, and by nearest rank it is %v. That is %s off; from %v to %v is allowed.",
				what, q, got, right, errorOf(got, right), least, most)
		}
	}
	inOrder(t, what, h)
}

// inOrder checks what is true of the quantiles of any histogram with values in it.
func inOrder(t *testing.T, what string, h *percentiles.Histogram) {
	t.Helper()
	last := h.Min()
	for _, q := range shares {
		got := quantile(t, what, h, q)
		if got < last || got > h.Max() {
			t.Fatalf("%s: Quantile(%v) is %v. Quantiles never fall and stay within the extremes, so it is at least %v and at most %v.",
				what, q, got, last, h.Max())
		}
		last = got
	}
}

// A picture is all that can be seen of a histogram.
type picture struct {
	count     uint64
	min, max  time.Duration
	quantiles [401]time.Duration
}

func look(h *percentiles.Histogram) picture {
	p := picture{count: h.Count(), min: h.Min(), max: h.Max()}
	for i := range p.quantiles {
		p.quantiles[i], _ = h.Quantile(float64(i) / 400)
	}
	return p
}

// difference says what two histograms do not have in common, or nothing.
func (p picture) difference(want picture) string {
	switch {
	case p.count != want.count:
		return fmt.Sprintf("the count is %d, and should be %d", p.count, want.count)
	case p.min != want.min:
		return fmt.Sprintf("the minimum is %v, and should be %v", p.min, want.min)
	case p.max != want.max:
		return fmt.Sprintf("the maximum is %v, and should be %v", p.max, want.max)
	}
	for i := range p.quantiles {
		if p.quantiles[i] != want.quantiles[i] {
			return fmt.Sprintf("the quantile %v is %v, and should be %v to the nanosecond", float64(i)/400, p.quantiles[i], want.quantiles[i])
		}
	}
	return ""
}

// random returns a source of numbers that is the same in every run.
func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 35)) }

// logUniform returns n values that are spread evenly over the orders of magnitude.
func logUniform(r *rand.Rand, n int, from, to time.Duration) []time.Duration {
	values := make([]time.Duration, n)
	for i := range values {
		values[i] = time.Duration(float64(from) * math.Pow(float64(to)/float64(from), r.Float64()))
	}
	return values
}

// normal returns n values around a middle one.
func normal(r *rand.Rand, n int, middle, spread time.Duration) []time.Duration {
	values := make([]time.Duration, n)
	for i := range values {
		values[i] = max(1, middle+time.Duration(r.NormFloat64()*float64(spread)))
	}
	return values
}

// edges returns values from 1 µs to 1 h at which buckets like to begin or end: around each power of two and of ten, and
// the steps of a scale that grows by a constant factor.
func edges() []time.Duration {
	var values []time.Duration
	around := func(v float64) {
		for d := range time.Duration(3) {
			if at := time.Duration(v) + d - 1; at >= time.Microsecond && at <= time.Hour {
				values = append(values, at)
			}
		}
	}
	for v := 1.0; v <= float64(time.Hour); v *= 2 {
		around(v)
		around(v * 1.5)
	}
	for v := 1.0; v <= float64(time.Hour); v *= 10 {
		around(v)
	}
	for _, factor := range []float64{1.01, 1.02, 1.01 / 0.99} {
		for v := 1.0; v <= float64(time.Hour); v *= factor {
			around(v)
		}
	}
	around(float64(time.Hour))
	slices.Sort(values)
	return slices.Compact(values)
}

// heap returns how many bytes are in use once what nobody needs is gone.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // what the first one made free for finalizers
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A stalling server answers in a millisecond, but stands still for a while.
type stallingServer struct {
	began time.Time
	from  time.Duration // after it began
	until time.Duration
}

const service = time.Millisecond

func (s stallingServer) call() {
	if now := time.Since(s.began); now >= s.from && now < s.until {
		time.Sleep(s.until - now)
	}
	time.Sleep(service)
}
