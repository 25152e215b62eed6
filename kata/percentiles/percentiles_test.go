package percentiles_test

import (
	"errors"
	"math"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/percentiles"
	"github.com/backend-kata/dojo/pkg/apart"
	"github.com/backend-kata/dojo/pkg/interleave"
)

// noShares are no quantiles.
var noShares = []float64{math.NaN(), -0.01, math.Nextafter(0, -1), 1.01, 99, math.Inf(1), math.Inf(-1), math.Nextafter(1, 2)}

// A quantile of a few values is one of them, found by nearest rank.
func TestExactQuantile(t *testing.T) {
	step.Outside(t, func(t *step.T) {
		is := func(want time.Duration, values []time.Duration, q float64, why string) {
			t.Helper()
			before := slices.Clone(values)
			got, err := percentiles.Quantile(values, q)
			step.NoError(t, err, "The quantile %v of %d values exists.", q, len(values))
			step.Equal(t, want, got, "The quantile %v of %d values: %s.", q, len(values), why)
			step.Expect(t, slices.Equal(before, values), "Quantile should leave the slice %v as it was. It is now %v.", before, values)
		}
		three, hundred := []time.Duration{30 * ms, 10 * ms, 20 * ms}, make([]time.Duration, 100)
		for i := range hundred {
			hundred[(37*i)%100] = time.Duration(i+1) * ms // 1 to 100 ms, in no order
		}
		is(20*ms, three, 0.5, "2 of 3 values are at or below 20ms, which is the first share of at least a half")
		is(10*ms, three, 0, "the quantile 0 is the smallest value")
		is(10*ms, three, math.SmallestNonzeroFloat64, "even the smallest value is a share of a third")
		is(10*ms, three[1:], 0.5, "1 of 2 values is at or below 10ms, and that is a half: a quantile is one of the values")
		is(5*ms, []time.Duration{5 * ms, 90 * ms, 5 * ms, 5 * ms}, 0.75, "3 of 4 values are at or below 5ms")
		is(90*ms, []time.Duration{5 * ms, 90 * ms, 5 * ms, 5 * ms}, 0.76, "3 of 4 values are less than 0.76")
		is(7*ms, hundred, 0.07, "7.0/100.0 is the same float64 as 0.07, although 0.07*100 is more than 7")
		is(29*ms, hundred, 0.29, "29.0/100.0 is the same float64 as 0.29, although 0.29*100 is less than 29")
		for _, n := range []int{1, 2, 3, 5, 7, 10, 11, 20, 49, 64, 93, 99, 100, 101, 187, 300} {
			values := make([]time.Duration, n)
			for i := range values {
				values[i] = time.Duration(i + 1)
			}
			for r := 1; r <= n; r++ {
				q := float64(r) / float64(n)
				is(time.Duration(r), values, q, "it is just the share of the values up to this one")
				if r < n {
					is(time.Duration(r+1), values, math.Nextafter(q, 2), "the share of the values up to the one before is less by a hair")
				}
			}
		}
		is(-2*ms, []time.Duration{-ms, -3 * ms, -2 * ms}, 0.5, "2 of 3 differences are at or below -2ms")
		_, err := percentiles.Quantile(nil, 0.5)
		step.Equal(t, percentiles.ErrEmpty, err, "There are no values, and so no median.")
		for _, q := range noShares {
			_, err := percentiles.Quantile(hundred, q)
			step.Equal(t, percentiles.ErrQuantile, err, "A quantile is a number from 0 to 1, and %v is none.", q)
		}
	})
}

// A histogram reports each quantile with an error of at most 1 %, from 1 µs to 1 h, in bounded memory.
func TestBoundedError(t *testing.T) {
	step.Outside(t, func(t *step.T) {
		r := random(2)
		bimodal := append(normal(r, 9_500, 2*ms, 300*time.Microsecond), normal(r, 500, 900*ms, 50*ms)...)
		tells := func(what string, values ...time.Duration) { holds(t, what, of(t, values...), values) }
		tells("A single value", 1234567)
		tells("Ten thousand values that are all the same", slices.Repeat([]time.Duration{77777777}, 10_000)...)
		tells("Values around 20 ms", normal(r, 10_000, 20*ms, 4*ms)...)
		tells("A cache that hits in 2 ms and misses in 900 ms", bimodal...)
		tells("Values spread evenly over 1 µs to 1 h", logUniform(r, 10_000, time.Microsecond, time.Hour)...)
		var far []time.Duration // each a quarter more than the one before
		for v := 1e3; v < 3.6e12; v *= 1.25 {
			far = append(far, time.Duration(v))
		}
		for _, values := range [][]time.Duration{edges(), far} {
			h, last := of(t, values...), time.Duration(0)
			for i := range values {
				q := float64(i+1) / float64(len(values))
				got := quantile(t, "Values in order", h, q)
				near(t, "Values in order", q, values[i], got)
				step.Expect(t, got >= last, "The quantile %v of values in order is %v, less than a smaller one's %v.", q, got, last)
				last = got
				if q = math.Nextafter(q, 2); q < 1 && len(values) == len(far) {
					near(t, "Values in order", q, values[i+1], quantile(t, "Values in order", h, q))
				}
			}
		}
		size := heapOf(func() any {
			h := of(t, logUniform(r, 30_000, 1, longest/2)...)
			for range 20 {
				merge(t, h, of(t, logUniform(r, 100, 1, longest/2)...))
			}
			return h
		})
		step.Expect(t, size <= 128*kib, "A histogram of 32000 values, some merged, may take up 128 KiB. It takes up %d.", size/kib)
	})
}

// Sixteen servers' histograms merged are one histogram of all their values.
// The mean of the servers' p99s is not the p99 of all.
func TestMerge(t *testing.T) {
	step.Outside(t, func(t *step.T) {
		r, all, one := random(3), of(t), of(t)
		parts, values, meanOfP99s := []*percentiles.Histogram(nil), []time.Duration(nil), time.Duration(0)
		for i := range 16 { // servers
			served := normal(r, 1_000, 10*ms, ms)
			if i == 5 { // one that has just started, with a cold cache
				served = normal(r, 300, 800*ms, 60*ms)
			}
			part := of(t, served...)
			record(t, one, served...)
			parts, values = append(parts, part), append(values, served...)
			meanOfP99s += quantile(t, "The histogram of a server", part, 0.99) / 16
		}
		for _, part := range parts {
			before := look(part)
			merge(t, all, part)
			same(t, before, look(part), "Merge leaves the histogram that it takes values from as it was.")
		}
		want := look(one)
		same(t, want, look(all), "Merged, they are one histogram of all values. (The servers' p99s have a mean of %v.)", meanOfP99s)
		holds(t, "The merged histogram", all, values)
		empty := of(t)
		merge(t, empty, of(t))
		same(t, picture{}, look(empty), "Two empty histograms merged are an empty one.")
		merge(t, all, empty)
		same(t, want, look(all), "Merging an empty histogram adds nothing.")
		merge(t, empty, all)
		same(t, want, look(empty), "Merged into an empty histogram, one is what it was.")
		record(t, all, time.Hour)
		same(t, want, look(empty), "What is recorded after a merge in the one histogram is not in the other.")
		want = look(all)
		record(t, empty, 0)
		same(t, want, look(all), "What is recorded after a merge in the other histogram is not in the one.")
		merge(t, empty, all)
		step.Equal(t, 0, empty.Min(), "0 is the minimum, and stays so when longer latencies are merged.")
	})
}

// looks are what a reader may ask a histogram, one after the other.
var looks = []call{
	{"Count", func(p trio) any { return p.h.Count() }},
	{"merged into an empty one", func(p trio) any { _ = p.empty.Merge(p.h); return p.empty }},
	{"Quantile(0.9)", func(p trio) any { q, _ := p.h.Quantile(0.9); return q }},
	{"Max", func(p trio) any { return p.h.Max() }},
	{"Min", func(p trio) any { return p.h.Min() }},
	{"Count again", func(p trio) any { return p.h.Count() }},
}

// What a writer may do.
var (
	recordLow  = call{"Record(1ms)", func(p trio) any { return p.h.Record(ms) }}
	recordHigh = call{"Record(1s)", func(p trio) any { return p.h.Record(time.Second) }}
	mergeOther = call{"Merge(other)", func(p trio) any { return p.h.Merge(p.other) }}
	recordBack = call{"other.Record(1s)", func(p trio) any { return p.other.Record(time.Second) }}
	mergeBack  = call{"other.Merge(it)", func(p trio) any { return p.other.Merge(p.h) }}
	mergeSelf  = call{"Merge(itself)", func(p trio) any { return p.h.Merge(p.h) }}
	correct    = call{"RecordCorrected(35ms, 10ms)", func(p trio) any { return p.h.RecordCorrected(35*ms, 10*ms) }}
)

// few makes a histogram of one value, another of two, and an empty one.
func few(t testing.TB) trio {
	p := three()
	record(t, p.h, 9*ms)
	record(t, p.other, ms, 30*ms)
	return p
}

// almostFull makes histograms that have room for so many values, and others of one value.
func almostFull(t testing.TB, room uint64) func(t testing.TB) trio {
	almost := full(t, room)
	return func(t testing.TB) trio {
		p := three()
		merge(t, p.h, almost)
		record(t, p.other, ms)
		return p
	}
}

// Goroutines that record, read and merge at the same time lose nothing and see no state that never existed.
func TestConcurrentUse(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		p := few(t)
		merge(t, p.h, p.other)
		merge(t, p.h, p.h)
		holds(t, "A histogram, merged with another and with itself", p.h, slices.Repeat([]time.Duration{ms, 9 * ms, 30 * ms}, 2))
	})
	atOnce(t, few, []call{recordLow}, looks)
	atOnce(t, few, []call{recordHigh}, looks)
	atOnce(t, few, []call{mergeOther}, looks[:3])
	atOnce(t, few, []call{recordLow, recordHigh}, looks[1:2])
	for _, second := range []call{recordHigh, mergeOther, recordBack, mergeBack} {
		atOnce(t, few, []call{mergeOther}, []call{second})
	}
	atOnce(t, few, []call{recordLow}, []call{recordHigh})
	atOnce(t, few, []call{mergeSelf}, []call{recordHigh})
	step.Bubble(t, func(t *step.T) {
		type call = apart.Call[trio]
		apart.Pairs(t, func() trio { return few(t) },
			call{Name: "Record", Do: func(p trio) { _ = p.h.Record(ms); _ = p.h.Record(time.Second) }},
			call{Name: "RecordSeconds", Do: func(p trio) { _ = p.h.RecordSeconds(1) }},
			call{Name: "RecordCorrected", Do: func(p trio) { _ = p.h.RecordCorrected(35*ms, 10*ms) }},
			call{Name: "Quantile", Do: func(p trio) { look(p.h) }},
			call{Name: "Count", Do: func(p trio) { p.h.Count() }},
			call{Name: "Min", Do: func(p trio) { p.h.Min() }},
			call{Name: "Max", Do: func(p trio) { p.h.Max() }},
			call{Name: "Merge", Do: func(p trio) { _ = p.h.Merge(p.other) }},
			call{Name: "Merge into another", Do: func(p trio) { _ = p.other.Merge(p.h) }},
			call{Name: "MarshalBinary", Do: func(p trio) { _, _ = p.h.MarshalBinary() }},
			call{Name: "UnmarshalBinary", Do: func(p trio) { b, _ := p.other.MarshalBinary(); _ = p.h.UnmarshalBinary(b) }},
		)
	})
}

// What is not a latency is refused and changes nothing, and what is out of range is clamped.
func TestOddValues(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		h := of(t)
		same(t, picture{}, look(h), "An empty histogram counts nothing, and all that it tells is 0.")
		for _, q := range shares {
			_, err := h.Quantile(q)
			step.Equal(t, percentiles.ErrEmpty, err, "An empty histogram has no quantile %v.", q)
		}
		record(t, h, 3*ms, 5*ms, 8*ms)
		before := look(h)
		for _, d := range []time.Duration{-1, -time.Hour, math.MinInt64} {
			step.Equal(t, percentiles.ErrValue, h.Record(d), "Record(%v): no latency is negative.", d)
		}
		for _, s := range []float64{math.NaN(), math.Inf(-1), -0.25, -1e-12, -math.SmallestNonzeroFloat64, -1e300} {
			step.Equal(t, percentiles.ErrValue, h.RecordSeconds(s), "RecordSeconds(%v): a latency is a number, and not negative.", s)
		}
		for _, q := range noShares {
			_, err := h.Quantile(q)
			step.Equal(t, percentiles.ErrQuantile, err, "A quantile is a number from 0 to 1, and %v is none.", q)
		}
		same(t, before, look(h), "What is refused changes nothing.")
		counts := func(seconds float64, want time.Duration, why string) {
			t.Helper()
			h := of(t)
			step.NoError(t, h.RecordSeconds(seconds), "RecordSeconds(%v) should count %v: %s.", seconds, want, why)
			step.Equal(t, 1, h.Count(), "RecordSeconds(%v) counts one value.", seconds)
			off := min(max(1, want-time.Hour), time.Microsecond) // it may round as it likes
			if got := h.Max(); want == longest || max(got-want, want-got) > off {
				step.Equal(t, want, got, "RecordSeconds(%v) counts another value: %s.", seconds, why)
			}
		}
		for _, s := range []float64{0.25, 0.0000017, 3599.123456789, 9.2e9, 4000.0005, 1e9 + 1.0/3, 9e9 + 0.7} {
			whole, part := math.Modf(s)
			want := time.Duration(whole)*time.Second + time.Duration(math.Round(part*1e9))
			counts(s, want, "up to an hour it is rounded to a nanosecond, and to a microsecond above")
		}
		counts(0, 0, "a latency may be 0")
		counts(math.Copysign(0, -1), 0, "-0.0 is not less than 0")
		counts(1e-300, 0, "it is less than a nanosecond")
		counts(1e10, longest, "292 years are the longest Duration, and what is longer counts as that")
		counts(float64(longest)/1e9, longest, "as a float64 it is one nanosecond more than a Duration holds")
		counts(math.MaxFloat64, longest, "in nanoseconds it is more than a float64 holds")
		counts(math.Inf(1), longest, "+Inf is longer than any Duration")
		values := []time.Duration{0, 1, 500, 999, time.Microsecond, time.Hour, time.Hour + 1, longest / 2, longest - 1, longest}
		holds(t, "A histogram of values from 0 to 292 years", of(t, values...), values)
		h = full(t, 0)
		before = look(h)
		merge(t, h, of(t)) // nothing more
		step.Equal(t, percentiles.ErrOverflow, h.Record(ms), "Record on a histogram of 2^53 values, which is full.")
		step.Equal(t, percentiles.ErrOverflow, h.RecordSeconds(0.001), "RecordSeconds on a histogram of 2^53 values, which is full.")
		step.Equal(t, percentiles.ErrOverflow, h.Merge(of(t, ms)), "Merge into a histogram of 2^53 values, which is full.")
		step.Equal(t, percentiles.ErrOverflow, h.Merge(h), "A histogram of 2^53 values, merged with itself, would count more.")
		same(t, before, look(h), "What a full histogram refuses changes nothing.")
		h = full(t, 2)
		before = look(h)
		step.Equal(t, percentiles.ErrOverflow, h.Merge(of(t, 0, ms, longest)), "There is room for two values, and three are merged.")
		same(t, before, look(h), "What has no room changes nothing.")
		merge(t, h, of(t, time.Microsecond))
		record(t, h, time.Hour)
		step.Equal(t, 1<<53, h.Count(), "The last two values have room.")
		for i, q := range []float64{2.0 / (1 << 53), 0.5, math.Nextafter(0.5, 1), math.Nextafter(1, 0)} {
			near(t, "2^53 values", q, []time.Duration{ms, ms, time.Second, time.Second}[i], quantile(t, "2^53 values", h, q))
		}
	})
	for _, two := range [][2]call{{recordLow, recordHigh}, {recordLow, mergeOther}, {mergeOther, mergeOther}} {
		atOnce(t, almostFull(t, 1), two[:1], two[1:])
	}
}

// A window holds the latencies of the last minute: none is dropped early, none is kept too long.
func TestWindow(t *testing.T) {
	const span, steps = time.Minute, 6
	step.Bubble(t, func(t *step.T) {
		ages(t, span, steps)
		ages(t, 10*time.Second, 1)
		ages(t, 7, 7)
	})
	size := heapOf(func() (kept any) {
		step.Bubble(t, func(t *step.T) {
			w := percentiles.NewWindow(span, steps)
			step.Equal(t, 0, w.Snapshot().Count(), "Nothing was recorded yet, so a snapshot is empty.")
			for range 10 * steps {
				step.NoError(t, w.Record(ms), "A window should count 1ms.")
				time.Sleep(span / steps)
			}
			time.Sleep(2 * span)
			for i := 1; i <= 150; i++ { // the window holds those of the last 60 to 70 seconds
				record(t, w, slices.Repeat([]time.Duration{time.Duration(i) * ms}, 1_200)...)
				time.Sleep(time.Second)
				got := w.Snapshot()
				oldest, least, most := int(got.Min()/ms), max(1, i-68), max(1, i-59)
				ok := oldest >= least && oldest <= most
				step.Expect(t, ok, "In second %d the oldest value is of second %d, and should be of %d to %d.", i, oldest, least, most)
				step.Equal(t, uint64(i-oldest+1)*1_200, got.Count(), "All values from second %d to %d are there, once.", oldest, i)
			}
			kept = w
		})
		return kept
	})
	step.Expect(t, size <= (steps+2)*128*kib, "A window of 6 steps may take up 1024 KiB. It takes up %d.", size/kib)
	step.Bubble(t, func(t *step.T) {
		w := percentiles.NewWindow(span, steps)
		step.NoError(t, w.Record(ms), "A window should count 1ms.")
		snapshot := w.Snapshot()
		record(t, snapshot, time.Hour)
		holds(t, "A window of one value, after its snapshot was changed", w.Snapshot(), []time.Duration{ms})
		step.Equal(t, percentiles.ErrValue, w.Record(-1), "Record(-1ns) in a window: no latency is negative.")
		step.NoError(t, w.Record(2*ms), "A window should count 2ms.")
		holds(t, "A window of two values, after one more was refused", w.Snapshot(), []time.Duration{ms, 2 * ms})
		holds(t, "A snapshot, after the window has changed", snapshot, []time.Duration{ms, time.Hour})
		time.Sleep(2 * span)
		step.NoError(t, w.Record(ms), "A window should count 1ms.")
		holds(t, "A window in which nothing was recorded for two minutes, then one value", w.Snapshot(), []time.Duration{ms})
	})
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		w, seen := percentiles.NewWindow(span, steps), of(t)
		x.Go("A", func() { x.Point("Record"); _ = w.Record(2 * ms); x.Point("Snapshot"); seen = w.Snapshot() })
		x.Go("B", func() { _ = w.Record(ms); x.Pass(span / steps); _, _ = w.Record(time.Second), w.Snapshot() })
		x.Run()
		step.Equal(t, 3, w.Snapshot().Count(), "Two callers record while the window moves on. All values stay.")
		ok := seen.Count() > 0 && (seen.Max() < time.Second || seen.Min() == ms)
		step.Expect(t, ok, "A snapshot should hold what was recorded before it, and 1s only with the 1ms before. It holds %s.", tell(seen))
	})
	step.Bubble(t, func(t *step.T) {
		type call = apart.Call[*percentiles.Window]
		apart.Pairs(t, func() *percentiles.Window {
			w := percentiles.NewWindow(span, steps)
			_ = w.Record(ms)
			time.Sleep(15 * time.Second) // so that it has to move on
			return w
		},
			call{Name: "Record", Do: func(w *percentiles.Window) { _ = w.Record(time.Second) }},
			call{Name: "Snapshot", Do: func(w *percentiles.Window) { w.Snapshot() }},
		)
	})
}

// ages records single values, and expects each in a window until it is as old as the span, and no more one step after that.
func ages(t *step.T, span time.Duration, steps int) {
	t.Helper()
	w, each := percentiles.NewWindow(span, steps), span/time.Duration(steps)
	for _, offset := range []time.Duration{0, 1, each / 3, each - 1, each, span - 1, 100*span + each/2} {
		time.Sleep(2*span + offset) // so that steps begin at any point of what follows
		step.NoError(t, w.Record(ms), "A window should count 1ms.")
		recorded := time.Now()
		for _, age := range []time.Duration{0, each - 1, each, span / 2, span - 1, span} {
			time.Sleep(age - time.Since(recorded))
			step.Equal(t, 1, w.Snapshot().Count(), "A value of age %v should be in a window of %v with %d steps.", age, span, steps)
		}
		time.Sleep(each)
		step.Equal(t, 0, w.Snapshot().Count(), "A value of age %v is too old for a window of %v and %d steps.", span+each, span, steps)
	}
}

// A stall counts for every request that it holds up, not only for the one that was under way.
func TestHonestMeasurement(t *testing.T) {
	const n, interval, every = 2_000, 10 * ms, 10*ms + 7
	const from, until = 5 * time.Second, 6 * time.Second // the server stands still
	begins, truth, free := []time.Duration{}, []time.Duration{}, time.Duration(0)
	serve := func(began time.Duration) (ends time.Duration) {
		if began >= from {
			began = max(began, until)
		}
		return began + ms
	}
	for i := range n { // each call begins when it is due, or when the one before has returned
		due := time.Duration(i) * every
		begins = append(begins, max(due, free))
		free = serve(max(due, free))
		truth = append(truth, free-due)
	}
	step.Bubble(t, func(t *step.T) {
		start, h, calls := time.Now(), of(t), 0
		step.NoError(t, percentiles.Pace(h, n, every, func() {
			step.Expect(t, calls < n, "Pace should make %d calls. It makes one more.", n)
			at := time.Since(start)
			step.Equal(t, begins[calls], at, "Call %d begins when it is due, or else when the one before has returned.", calls)
			step.Equal(t, uint64(calls), h.Count(), "Pace records each call before the next one begins.")
			calls++
			time.Sleep(serve(at) - at)
		}), "Pace should succeed.")
		step.Equal(t, n, calls, "Pace should make all of the calls that it is asked for.")
		holds(t, "Pace, while the server stood still for 1s of 20s and 100 requests were due", h, truth)
		h = of(t)
		step.NoError(t, percentiles.Pace(h, 0, interval, func() { t.Error("Pace should make no call.") }), "Nothing is to be done.")
		step.NoError(t, percentiles.Pace(h, 3, 0, func() { time.Sleep(time.Hour) }), "Three calls are due at once.")
		holds(t, "Three calls of 1h each, all due at once", h, []time.Duration{time.Hour, 2 * time.Hour, 3 * time.Hour})
		h, calls = full(t, 1), 0
		pace := step.Start(t, func() error { return percentiles.Pace(h, 4, interval, func() { calls++ }) })
		step.Equal(t, 1<<53, h.Count(), "The first call has returned, and the second is not due yet. The first is recorded already:")
		step.Equal(t, percentiles.ErrOverflow, pace.Result(), "Pace on a histogram that has room for one value.")
		step.Equal(t, 2, calls, "The histogram refuses the second value, so Pace makes no third call.")
		step.Equal(t, interval, pace.Took(), "Pace returns as soon as the histogram refuses the second value, after so long:")
		here, there := func() string { return strings.Fields(string(debug.Stack()))[1] }, "" // the goroutine's number
		_ = percentiles.Pace(h, 1, interval, func() { there = here() })
		step.Expect(t, here() == there, "A call runs on the goroutine of Pace's caller. This one ran on another.")
	})
	step.Bubble(t, func(t *step.T) {
		h := of(t)
		step.NoError(t, h.RecordCorrected(35*ms, interval), "RecordCorrected(35ms, 10ms) should succeed.")
		holds(t, "RecordCorrected(35ms, 10ms)", h, []time.Duration{35 * ms, 25 * ms, 15 * ms})
		counts := func(want uint64, d, interval time.Duration, why string) {
			t.Helper()
			h := of(t)
			step.NoError(t, h.RecordCorrected(d, interval), "RecordCorrected(%v, %v) should succeed: %s.", d, interval, why)
			step.Equal(t, want, h.Count(), "RecordCorrected(%v, %v) counts so many values: %s.", d, interval, why)
			step.Equal(t, d, h.Max(), "RecordCorrected(%v, %v), the largest value:", d, interval)
			step.Equal(t, d-time.Duration(want-1)*interval, h.Min(), "RecordCorrected(%v, %v), the smallest value:", d, interval)
		}
		counts(1, interval, interval, "the next request was due just when the answer came")
		counts(1, 0, interval, "nothing was missed")
		counts(1, 2*interval-1, interval, "what is left is shorter than the interval")
		counts(2, 2*interval, interval, "what is left is just the interval")
		counts(100_000, 100_000, 1, "every nanosecond a request was due")
		counts(2, longest, longest/2, "longest/2 + 1ns is left, and then 1ns")
		before := look(h)
		refuses := func(d, interval time.Duration, why string, with ...error) {
			t.Helper()
			err := h.RecordCorrected(d, interval)
			ok := errors.Is(err, with[0]) || errors.Is(err, with[len(with)-1])
			step.Expect(t, ok, "RecordCorrected(%v, %v): %s. The error should be one of %q. It is: %v", d, interval, why, with, err)
		}
		refuses(time.Second, 0, "no client sends requests without end at once", percentiles.ErrInterval)
		refuses(time.Second, -1, "no interval is negative", percentiles.ErrInterval)
		refuses(-1, time.Second, "no latency is negative", percentiles.ErrValue)
		refuses(-1, 0, "neither is right", percentiles.ErrValue, percentiles.ErrInterval)
		refuses(1_000_001, 1, "it would count 1,000,001 values", percentiles.ErrInterval)
		refuses(longest, 1, "it would count 2^63 - 1 values", percentiles.ErrInterval)
		same(t, before, look(h), "What RecordCorrected refuses changes nothing.")
		h = full(t, 2)
		before = look(h)
		step.Equal(t, percentiles.ErrOverflow, h.RecordCorrected(35*ms, interval), "There is room for two values, and these are three.")
		same(t, before, look(h), "All of the values are counted or none is.")
		step.NoError(t, h.RecordCorrected(25*ms, interval), "There is room for two values.")
	})
	atOnce(t, few, []call{correct}, looks)
	atOnce(t, few, []call{correct}, []call{correct})
	atOnce(t, almostFull(t, 3), []call{correct}, []call{recordHigh})
}

// A histogram comes back from bytes as it was, and goes on from there.
func TestFurtherBytes(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		huge := of(t, 0)
		for v := 1.0; v < float64(longest); v = max(v+1, v*1.001) { // no bucket stays empty
			record(t, huge, time.Duration(v))
		}
		for range 37 {
			merge(t, huge, huge)
		}
		comesBack := func(what string, h *percentiles.Histogram) {
			t.Helper()
			before := look(h)
			bytes, err := h.MarshalBinary()
			step.NoError(t, err, "MarshalBinary should write %s.", what)
			ok := len(bytes) > 0 && len(bytes) <= 128*kib
			step.Expect(t, ok, "MarshalBinary should make 1 byte to 128 KiB of %s. It makes %d bytes.", what, len(bytes))
			back := of(t, 7*time.Hour) // which is not to stay
			step.NoError(t, back.UnmarshalBinary(bytes), "UnmarshalBinary should accept what MarshalBinary wrote for %s.", what)
			clear(bytes) // they are the caller's again
			same(t, before, look(back), "A histogram of %s comes back from bytes as it was.", what)
			earlier, _ := h.MarshalBinary()
			step.NoError(t, of(t).UnmarshalBinary(earlier), "The caller has cleared bytes of %s. MarshalBinary should make others.", what)
			for _, h := range []*percentiles.Histogram{h, back} {
				record(t, h, 3*time.Second)
				merge(t, h, of(t, ms))
			}
			same(t, look(h), look(back), "A histogram of %s, back from bytes, goes on as the first one does.", what)
			_, _ = h.MarshalBinary()
			step.NoError(t, back.UnmarshalBinary(earlier), "UnmarshalBinary should accept earlier bytes of %s.", what)
			same(t, before, look(back), "A histogram of %s was written again since. The earlier bytes are the caller's, and stay.", what)
		}
		comesBack("one value", of(t, 1234567))
		comesBack("no values", of(t))
		comesBack("the extremes", of(t, 0, longest))
		comesBack("values around 20 ms", of(t, normal(random(8), 5_000, 20*ms, 4*ms)...))
		comesBack("5*10^15 values from 0 to 292 years", huge)
	})
	marshalling := call{"MarshalBinary", func(p trio) any { bytes, _ := p.h.MarshalBinary(); return bytes }}
	replace := call{"UnmarshalBinary", func(p trio) any { bytes, _ := p.other.MarshalBinary(); return p.h.UnmarshalBinary(bytes) }}
	for _, change := range []call{recordLow, recordHigh, mergeOther, correct, replace} {
		atOnce(t, few, []call{change}, []call{marshalling})
	}
	atOnce(t, few, []call{replace}, looks[:3])
	atOnce(t, few, []call{replace}, []call{recordLow})
}

// Untrusted bytes are refused or make a consistent histogram.
func TestFurtherHostileBytes(t *testing.T) {
	step.Outside(t, func(t *step.T) {
		r, fresh := random(9), func() *percentiles.Histogram { return of(t, 5*ms, ms, time.Second) }
		h, before := fresh(), look(fresh())
		accepts := func(what string, bytes []byte) bool {
			t.Helper()
			var err error
			used := allocated(func() { err = h.UnmarshalBinary(bytes) })
			step.Expect(t, used <= 1024*kib, "UnmarshalBinary may allocate 1024 KiB. For %s it allocates %d.", what, used/kib)
			if err == nil {
				again := of(t)
				_ = again.UnmarshalBinary(bytes)
				step.Equal(t, tell(h), tell(again), "UnmarshalBinary accepts %s, and what is left depends on what there was.", what)
				sound(t, "A histogram made from "+what, h)
				h = fresh()
				return true
			}
			step.Equal(t, percentiles.ErrFormat, err, "UnmarshalBinary refuses %s.", what)
			now := picture{h.Count(), h.Min(), h.Max(), before.quantiles}
			now.quantiles[50], _ = h.Quantile(0.5)
			same(t, before, now, "What UnmarshalBinary refuses changes nothing.")
			return false
		}
		step.Expect(t, !accepts("no bytes", nil), "UnmarshalBinary should refuse no bytes at all.")
		for _, from := range []*percentiles.Histogram{of(t, edges()...), of(t, ms), of(t, ms+64, ms+65), full(t, 0)} {
			good, _ := from.MarshalBinary()
			step.Expect(t, accepts("bytes as they were written", good), "UnmarshalBinary should accept %d values.", from.Count())
			for cut := 1; cut < len(good); cut++ {
				if cut > 16 && cut < len(good)-48 {
					cut = min(cut+len(good)/30, len(good)-48) // at the ends, formats keep what matters
				}
				short := good[:len(good)-cut]
				step.Expect(t, !accepts("bytes cut short", short), "UnmarshalBinary should refuse %d bytes less %d.", len(good), cut)
			}
			for _, more := range [][]byte{{0}, good, make([]byte, 2_000_000)} {
				ok := !accepts("bytes with more at the end", slices.Concat(good, more))
				step.Expect(t, ok, "UnmarshalBinary should refuse %d bytes that are followed by %d more.", len(good), len(more))
			}
			for i := range 60 {
				at := (i + i/30*r.IntN(len(good))) % len(good) // the first 30, where formats keep what matters, then any
				bytes := slices.Clone(good)
				for _, flip := range []byte{1, 2, 0x80, 0xff} {
					bytes[at] = good[at] ^ flip
					accepts("bytes of which one was changed", bytes)
				}
				copy(bytes[at:], slices.Repeat([]byte{0xff}, 9)) // a length, if there is one here, that is far too large
				accepts("bytes of which nine were set to 0xff", bytes)
				for i := range bytes[at:] {
					bytes[at+i] = byte(r.Uint32())
				}
				accepts("bytes that begin well and go on at random", bytes)
			}
		}
	})
}

// sound expects that a histogram made from changed bytes is right in itself.
func sound(t testing.TB, what string, h *percentiles.Histogram) {
	t.Helper()
	count, least, most := h.Count(), h.Min(), h.Max()
	if count == 0 {
		same(t, picture{}, look(h), "%s counts nothing.", what)
		return
	}
	step.Expect(t, count <= 1<<53, "%s should count at most 2^53 values. It counts %d.", what, count)
	step.Expect(t, least >= 0 && (count > 1 || least == most), "%s cannot count %d values from %v to %v.", what, count, least, most)
	inOrder(t, what, h)
	near(t, what, 5e-324, least, quantile(t, what, h, 5e-324)) // the first value and the last, as the buckets have them
	near(t, what, math.Nextafter(1, 0), most, quantile(t, what, h, math.Nextafter(1, 0)))
	if count < 1<<53 {
		record(t, h, ms)
		step.Equal(t, count+1, h.Count(), "%s counts a value more.", what)
	}
}

// Most pages of a hundred calls meet one slower than the p99.
func TestFurtherFanOut(t *testing.T) {
	step.Outside(t, func(t *step.T) {
		is := func(want, q float64, calls int, why string) {
			t.Helper()
			got := percentiles.SlowChance(q, calls)
			step.Expect(t, math.Abs(got-want) <= 1e-9, "SlowChance(%v, %d) should be %v: %s. It is %v.", q, calls, want, why, got)
		}
		is(0.6339676587267709, 0.99, 100, "1 - 0.99^100, nearly two pages of three")
		is(0.6321207427893355, 0.999999, 1_000_000, "a million chances of one in a million")
		is(0, 0, 0, "no call, no slow one")
		is(0, 1, 1000, "all calls are fast")
		is(1, 0, 3, "no call is fast")
	})
}
