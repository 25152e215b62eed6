package percentiles_test

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/percentiles"
	"github.com/backend-kata/dojo/pkg/interleave"
)

const (
	ms      = time.Millisecond
	longest = time.Duration(math.MaxInt64)
	kib     = 1 << 10
)

// shares are the quantiles that most steps ask for.
var shares = []float64{0, 0.001, 0.01, 0.05, 0.07, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1}

// near expects a quantile that is as close to the right one as the contract promises.
func near(t testing.TB, what string, q float64, right, got time.Duration) {
	t.Helper()
	least, most := right-right/100-1, right+right/100+1
	switch {
	case right < time.Microsecond:
		least, most = 0, 1010*time.Nanosecond
	case right > time.Hour:
		least, most = time.Hour-time.Hour/100, longest
	}
	step.Expect(t, got >= least && got <= most, "%s: the quantile %v is %v by nearest rank, and %v to %v is allowed. It gives %v, "+
		"which is too %s.", what, q, right, least, most, got, map[bool]string{true: "much", false: "little"}[got > most])
}

// of returns a histogram of these values.
func of(t testing.TB, values ...time.Duration) *percentiles.Histogram {
	t.Helper()
	h := percentiles.NewHistogram()
	record(t, h, values...)
	return h
}

func record(t testing.TB, h interface{ Record(d time.Duration) error }, values ...time.Duration) {
	t.Helper()
	for _, v := range values {
		step.NoError(t, h.Record(v), "Record(%v) should count it, since it is not negative.", v)
	}
}

func merge(t testing.TB, to, from *percentiles.Histogram) {
	t.Helper()
	step.NoError(t, to.Merge(from), "Merging %d values into %d should succeed: 2^53 fit.", from.Count(), to.Count())
}

// full returns a histogram that can count so many values more, and no further one. Half of its values are 1 ms, half 1 s.
func full(t testing.TB, butFor uint64) *percentiles.Histogram {
	t.Helper()
	h, digit := percentiles.NewHistogram(), of(t, ms, time.Second)
	for left := (1<<53 - butFor) / 2; left > 0; left /= 2 { // its binary digits
		if left%2 == 1 {
			merge(t, h, digit)
		}
		if left > 1 {
			merge(t, digit, digit)
		}
	}
	if butFor%2 == 1 {
		record(t, h, ms)
	}
	return h
}

// quantile asks a histogram that is not empty for a quantile.
func quantile(t testing.TB, what string, h *percentiles.Histogram, q float64) time.Duration {
	t.Helper()
	got, err := h.Quantile(q)
	step.NoError(t, err, "%s: Quantile(%v) should succeed, since there are %d values.", what, q, h.Count())
	return got
}

// holds expects that a histogram holds just these values, as closely as the contract promises.
func holds(t testing.TB, what string, h *percentiles.Histogram, values []time.Duration) {
	t.Helper()
	step.Equal(t, uint64(len(values)), h.Count(), "%s: it should count each value that was recorded.", what)
	sorted := slices.Sorted(slices.Values(values))
	step.Equal(t, sorted[0], h.Min(), "%s: the minimum is exactly the smallest value.", what)
	step.Equal(t, sorted[len(sorted)-1], h.Max(), "%s: the maximum is exactly the largest value.", what)
	for _, q := range shares {
		rank := sort.Search(len(sorted)-1, func(i int) bool { return float64(i+1)/float64(len(sorted)) >= q })
		near(t, what, q, sorted[rank], quantile(t, what, h, q))
	}
	inOrder(t, what, h)
}

// inOrder expects what is true of the quantiles of any histogram with values in it.
func inOrder(t testing.TB, what string, h *percentiles.Histogram) {
	t.Helper()
	step.Equal(t, h.Min(), quantile(t, what, h, 0), "%s: the quantile 0 is exactly the minimum.", what)
	step.Equal(t, h.Max(), quantile(t, what, h, 1), "%s: the quantile 1 is exactly the maximum.", what)
	last := h.Min()
	for _, q := range shares {
		got := quantile(t, what, h, q)
		step.Expect(t, got >= last && got <= h.Max(), "%s: the quantile %v should be at least %v, as a smaller one is, and at most "+
			"the maximum %v. It is %v.", what, q, last, h.Max(), got)
		last = got
	}
}

// A picture is all that can be seen of a histogram.
type picture struct {
	count     uint64
	min, max  time.Duration
	quantiles [101]time.Duration
}

func look(h *percentiles.Histogram) picture {
	p := picture{count: h.Count(), min: h.Min(), max: h.Max()}
	for i := range p.quantiles {
		p.quantiles[i], _ = h.Quantile(float64(i) / 100)
	}
	return p
}

// same expects that nothing tells two histograms apart. The sentence says why.
func same(t testing.TB, want, got picture, sentence string, args ...any) {
	t.Helper()
	why := fmt.Sprintf(sentence, args...)
	step.Equal(t, want.count, got.count, "%s The count:", why)
	step.Equal(t, want.min, got.min, "%s The minimum:", why)
	step.Equal(t, want.max, got.max, "%s The maximum:", why)
	for i := range want.quantiles {
		if want.quantiles[i] != got.quantiles[i] {
			step.Equal(t, want.quantiles[i], got.quantiles[i], "%s The quantile %v, to the nanosecond:", why, float64(i)/100)
		}
	}
}

// A trio is what calls at the same time are made on.
type trio struct{ h, other, empty *percentiles.Histogram }

// three makes histograms in the order of their addresses, in which right code may lock them, so that it is the same each time.
func three() trio {
	made := []*percentiles.Histogram{percentiles.NewHistogram(), percentiles.NewHistogram(), percentiles.NewHistogram()}
	slices.SortFunc(made, func(a, b *percentiles.Histogram) int {
		return cmp.Compare(reflect.ValueOf(a).Pointer(), reflect.ValueOf(b).Pointer())
	})
	return trio{made[0], made[1], made[2]}
}

// A call is made by an actor. What it returns is what it got: an error, a number, or a histogram or its bytes.
type call struct {
	name string
	do   func(p trio) any
}

// atOnce lets two actors make their calls on the same histograms, in every order of their locks. Each call should get what it
// gets in some order of the calls, one after the other, and the histograms should end so. It relies on no lock of its own.
func atOnce(t *testing.T, fresh func(t testing.TB) trio, a, b []call) {
	t.Helper()
	calls := slices.Concat(a, b)
	var right [][]string // what the calls get, order by order
	step.Bubble(t, func(t *step.T) {
		for _, order := range orders(len(a), len(b)) {
			p, got := fresh(t), make([]any, len(calls))
			for _, i := range order {
				got[i] = calls[i].do(p)
			}
			right = append(right, outcome(calls, got, p))
		}
	})
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		p, got := fresh(t), make([]any, len(calls))
		act := func(from, to int) {
			for i := from; i < to; i++ {
				x.Point("%s", calls[i].name)
				got[i] = calls[i].do(p)
			}
		}
		x.Go("A", func() { act(0, len(a)) })
		x.Go("B", func() { act(len(a), len(calls)) })
		x.Run()
		now := outcome(calls, got, p)
		for i := range now {
			var could []string // in the orders that give the same up to here
			for _, order := range right {
				if slices.Equal(order[:i], now[:i]) {
					could = append(could, order[i])
				}
			}
			step.Expect(t, slices.Contains(could, now[i]), "Two callers at the same time get\n  %s\nwhich no order of their calls gives. "+
				"The last would be\n  %s", strings.Join(now[:i+1], "\n  "), strings.Join(slices.Compact(could), "\n  or "))
		}
	})
}

// orders returns the orders in which the calls 0 to a-1 and the calls a to a+b-1 can come, both in their own order.
func orders(a, b int) [][]int {
	var all [][]int
	for set := range uint(1) << (a + b) { // of the places that the first ones take
		if bits.OnesCount(set) != a {
			continue
		}
		order, next := []int(nil), [2]int{a, 0}
		for place := range a + b {
			order = append(order, next[set>>place&1])
			next[set>>place&1]++
		}
		all = append(all, order)
	}
	return all
}

// outcome tells what the calls got, and how the histogram is in the end.
func outcome(calls []call, got []any, p trio) []string {
	var told []string
	for i, c := range calls {
		told = append(told, c.name+" → "+tell(got[i]))
	}
	return append(told, "in the end "+tell(p.h))
}

func tell(v any) string {
	switch v := v.(type) {
	case []byte:
		h := percentiles.NewHistogram()
		if err := h.UnmarshalBinary(v); err != nil {
			return fmt.Sprintf("bytes that UnmarshalBinary refuses (%v)", err)
		}
		return "bytes: " + tell(h)
	case *percentiles.Histogram:
		p90, _ := v.Quantile(0.9)
		return fmt.Sprintf("count %d, from %v to %v, p90 %v", v.Count(), v.Min(), v.Max(), p90)
	}
	return fmt.Sprint(v)
}

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

// edges returns values from 1 µs to 1 h at which buckets like to begin or end.
func edges() []time.Duration {
	var values []time.Duration
	for _, scale := range [][2]float64{{1 << 10, 2}, {3 << 9, 2}, {1e4, 10}, {1e3 + 1, 1.01 / 0.99}, {3.6e12, 2}} {
		for v := scale[0]; v <= 3.6e12; v *= scale[1] {
			for d := range time.Duration(3) {
				values = append(values, time.Duration(v)+d-1)
			}
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(values)))
}

// heapOf returns how many bytes are in use for what build returns, once what nobody needs is gone.
func heapOf(build func() any) int64 {
	var before, after runtime.MemStats
	clean := func() { runtime.GC(); runtime.GC() } // the second for what finalizers kept
	clean()
	runtime.ReadMemStats(&before)
	kept := build()
	clean()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
