package percentiles_test

import (
	"errors"
	"math"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/percentiles"
	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/interleave"
)

// A quantile of a few values is one of them, found by nearest rank.
// It is right at the ends, for a single value, and where floating point is not.
func TestExactQuantile(t *testing.T) {
	const ms = time.Millisecond
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[(37*i)%100] = time.Duration(i+1) * ms // 1 to 100 ms, in no order
	}
	for _, tt := range []struct {
		values []time.Duration
		q      float64
		want   time.Duration
		why    string
	}{
		{[]time.Duration{30 * ms, 10 * ms, 20 * ms}, 0.5, 20 * ms, "2 of 3 values are at or below 20ms, which is the first share of at least a half"},
		{[]time.Duration{30 * ms, 10 * ms, 20 * ms}, 1, 30 * ms, "the quantile 1 is the largest value"},
		{[]time.Duration{30 * ms, 10 * ms, 20 * ms}, 0, 10 * ms, "the quantile 0 is the smallest value"},
		{[]time.Duration{20 * ms, 10 * ms}, 0.5, 10 * ms, "1 of 2 values is at or below 10ms, and that is a half: a quantile is one of the values"},
		{[]time.Duration{20 * ms, 10 * ms}, 0.51, 20 * ms, "1 of 2 values is less than 0.51"},
		{[]time.Duration{7 * ms}, 0.01, 7 * ms, "there is only one value"},
		{[]time.Duration{7 * ms}, 0, 7 * ms, "there is only one value"},
		{[]time.Duration{7 * ms}, 1, 7 * ms, "there is only one value"},
		{[]time.Duration{5 * ms, 5 * ms, 5 * ms, 90 * ms}, 0.75, 5 * ms, "3 of 4 values are at or below 5ms"},
		{[]time.Duration{5 * ms, 5 * ms, 5 * ms, 90 * ms}, 0.76, 90 * ms, "3 of 4 values are less than 0.76"},
		{hundred, 0.99, 99 * ms, "99 of 100 values are at or below 99ms"},
		{hundred, 0.991, 100 * ms, "99 of 100 values are less than 0.991"},
		{hundred, 0.07, 7 * ms, "7.0/100.0 is the same float64 as 0.07, although 0.07*100 is more than 7"},
		{hundred, 0.29, 29 * ms, "29.0/100.0 is the same float64 as 0.29, although 0.29*100 is less than 29"},
		{hundred, 0.001, 1 * ms, "even the smallest value is a share of 0.01"},
	} {
		before := slices.Clone(tt.values)
		got, err := percentiles.Quantile(tt.values, tt.q)
		if err != nil {
			t.Fatalf("The quantile %v of %d values failed (%v), and is %v: %s.", tt.q, len(tt.values), err, tt.want, tt.why)
		}
		if got != tt.want {
			t.Fatalf("The quantile %v of %d values is given as %v, and is %v: %s.", tt.q, len(tt.values), got, tt.want, tt.why)
		}
		if !slices.Equal(before, tt.values) {
			t.Fatalf("Quantile changed the slice of its caller: it was %v and is now %v.", before, tt.values)
		}
	}

	for _, n := range []int{1, 2, 3, 5, 7, 10, 11, 20, 49, 64, 93, 99, 100, 101, 187, 300} {
		values := make([]time.Duration, n)
		for i := range values {
			values[i] = time.Duration(i + 1)
		}
		for r := 1; r <= n; r++ {
			q := float64(r) / float64(n)
			if got, err := percentiles.Quantile(values, q); err != nil || got != time.Duration(r) {
				t.Fatalf("The quantile %d/%d of the values 1ns to %dns is given as %v, %v, and is %dns: exactly %d of %d values are at or below it.",
					r, n, n, got, err, r, r, n)
			}
			above := math.Nextafter(q, 2)
			if got, err := percentiles.Quantile(values, above); r < n && (err != nil || got != time.Duration(r+1)) {
				t.Fatalf("The quantile %v of the values 1ns to %dns is given as %v, %v, and is %dns: the share %d/%d is less by a hair.",
					above, n, got, err, r+1, r, n)
			}
		}
	}

	for _, q := range []float64{0, 0.5, 1} {
		if _, err := percentiles.Quantile(nil, q); !errors.Is(err, percentiles.ErrEmpty) {
			t.Fatalf("The quantile %v of no values at all returned the error %v, and there is none to return: ErrEmpty.", q, err)
		}
	}
	for _, q := range []float64{math.NaN(), -0.01, 1.01, 99, math.Inf(1), math.Inf(-1), math.Nextafter(1, 2)} {
		if _, err := percentiles.Quantile(hundred, q); !errors.Is(err, percentiles.ErrQuantile) {
			t.Fatalf("The quantile %v returned the error %v, and a quantile is a number from 0 to 1: ErrQuantile.", q, err)
		}
	}
}

// A histogram tells each quantile with an error of at most 1 %, from 1 µs to 1 h, in bounded memory.
// Minimum and maximum are exact.
func TestBoundedError(t *testing.T) {
	r := random(2)
	bimodal := append(normal(r, 9_500, 2*time.Millisecond, 300*time.Microsecond), normal(r, 500, 900*time.Millisecond, 50*time.Millisecond)...)
	for _, tt := range []struct {
		what   string
		values []time.Duration
	}{
		{"A single value", []time.Duration{1234567}},
		{"Two values", []time.Duration{time.Microsecond, time.Hour}},
		{"Ten thousand values that are all the same", slices.Repeat([]time.Duration{77777777}, 10_000)},
		{"Values around 20 ms", normal(r, 10_000, 20*time.Millisecond, 4*time.Millisecond)},
		{"A cache that hits in 2 ms and misses in 900 ms", bimodal},
		{"Values spread evenly over 1 µs to 1 h", logUniform(r, 20_000, time.Microsecond, time.Hour)},
	} {
		h := percentiles.NewHistogram()
		record(t, h, tt.values...)
		holds(t, tt.what, h, tt.values)
	}

	values := edges()
	h := percentiles.NewHistogram()
	record(t, h, values...)
	for i, right := range values {
		q := float64(i+1) / float64(len(values))
		got := quantile(t, "Values where buckets begin and end", h, q)
		if least, most := allowed(right); got < least || got > most {
			t.Fatalf("The value of rank %d of %d is %v (%d ns), and Quantile gives it as %v. That is %s off, and at most 1 %% is allowed.",
				i+1, len(values), right, right, got, errorOf(got, right))
		}
	}

	const many, each = 2, 60_000
	spread := logUniform(r, each, 1, longest/2)
	before := heap()
	var kept [many]*percentiles.Histogram
	for i := range kept {
		kept[i] = percentiles.NewHistogram()
		record(t, kept[i], spread...)
	}
	size := (int64(heap()) - int64(before)) / many
	runtime.KeepAlive(kept)
	if size > 128*kib {
		t.Fatalf("A histogram takes up %d KiB after %d values between 1 ns and 146 years. Whatever is recorded, 128 KiB are allowed.", size/kib, each)
	}
	runtime.KeepAlive(spread)
}

// Sixteen servers' histograms merged are one histogram of all their values.
// The mean of the servers' p99s is not the p99 of all.
func TestMerge(t *testing.T) {
	r := random(3)
	all, reversed, one := percentiles.NewHistogram(), percentiles.NewHistogram(), percentiles.NewHistogram()
	var parts []*percentiles.Histogram
	var values []time.Duration
	var meanOfP99s time.Duration
	const servers = 16
	for i := range servers {
		served := normal(r, 2_000, 10*time.Millisecond, time.Millisecond)
		if i == 5 { // one that has just started, with a cold cache
			served = normal(r, 600, 800*time.Millisecond, 60*time.Millisecond)
		}
		part := percentiles.NewHistogram()
		record(t, part, served...)
		record(t, one, served...)
		holds(t, "The histogram of a server", part, served)
		parts = append(parts, part)
		values = append(values, served...)
		meanOfP99s += quantile(t, "The histogram of a server", part, 0.99) / servers
	}

	for i, part := range parts {
		before := look(part)
		for _, merge := range []struct{ to, from *percentiles.Histogram }{{all, part}, {reversed, parts[servers-1-i]}} {
			if err := merge.to.Merge(merge.from); err != nil {
				t.Fatalf("Merge failed, although all values together are few: %v", err)
			}
		}
		if d := look(part).difference(before); d != "" {
			t.Fatalf("Merge changed the histogram that it took the values from: %s.", d)
		}
	}
	want := look(one)
	p99 := want.quantiles[396]
	t.Logf("the p99 of all requests is %v, the mean of the servers' p99s is %v", p99, meanOfP99s)
	for _, merged := range []*percentiles.Histogram{all, reversed} {
		if d := look(merged).difference(want); d != "" {
			t.Fatalf("Merging %d histograms does not give what one histogram of all the values gives: %s.\n"+
				"(The p99 of all is %v. The mean of the servers' p99s, %v, says nothing about it.)", servers, d, p99, meanOfP99s)
		}
	}
	holds(t, "The merged histogram", all, values)

	empty := percentiles.NewHistogram()
	if err := all.Merge(empty); err != nil {
		t.Fatalf("Merging an empty histogram failed: %v", err)
	}
	if d := look(all).difference(want); d != "" {
		t.Fatalf("Merging an empty histogram changed something: %s.", d)
	}
	if err := empty.Merge(all); err != nil {
		t.Fatalf("Merging into an empty histogram failed: %v", err)
	}
	if d := look(empty).difference(want); d != "" {
		t.Fatalf("Merging into an empty histogram does not give the same histogram: %s.", d)
	}
	record(t, all, time.Hour)
	if d := look(empty).difference(want); d != "" {
		t.Fatalf("After a merge the two histograms are still one: a value recorded in the first changed the second: %s.", d)
	}
}

// Goroutines that record, read and merge at the same time lose nothing and see nothing that never was.
// No order of merges blocks.
func TestConcurrentUse(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		const writers, each = 8, 1_000
		const least, most = 2 * time.Millisecond, 9 * time.Millisecond
		h, local, sum := percentiles.NewHistogram(), percentiles.NewHistogram(), percentiles.NewHistogram()
		record(t, h, least, most)
		record(t, local, least)
		if h.Count() != 2 {
			t.Fatalf("A histogram has counted %d values, and was to count 2.", h.Count())
		}

		// The goroutines share nothing but the histograms, so that no lock of the test orders what yours should.
		var wg sync.WaitGroup
		var refused [writers]error
		for w := range writers {
			wg.Add(1)
			bubble.Go(t, func() {
				defer wg.Done()
				for i := range each {
					refused[w] = errors.Join(refused[w], h.Record(least+time.Duration(w*each+i)*(most-least)/(writers*each)))
				}
				refused[w] = errors.Join(refused[w], sum.Merge(local))
			})
		}
		var seen string
		wg.Add(1)
		bubble.Go(t, func() {
			defer wg.Done()
			seen = watch(h, least, most)
		})
		wg.Wait()
		if err := errors.Join(refused[:]...); err != nil {
			t.Fatalf("Recording and merging in %d goroutines failed: %v", writers, err)
		}
		if seen != "" {
			t.Fatalf("Somebody who read while others recorded saw what never was: %s.", seen)
		}
		if got, want := h.Count(), uint64(2+writers*each); got != want {
			t.Fatalf("%d of %d values are lost, which %d goroutines recorded at the same time.", int64(want)-int64(got), want, writers)
		}
		if got := sum.Count(); got != writers {
			t.Fatalf("%d goroutines merged one value each into a histogram, and it has counted %d.", writers, got)
		}

		for range 20 {
			a, b := percentiles.NewHistogram(), percentiles.NewHistogram()
			record(t, a, least)
			record(t, b, most)
			merge := func(to, from *percentiles.Histogram) {
				for range 10 {
					if err := to.Merge(from); err != nil {
						t.Errorf("Merge failed: %v", err)
					}
				}
			}
			wg.Add(2)
			bubble.Go(t, func() { defer wg.Done(); merge(a, b) })
			bubble.Go(t, func() { defer wg.Done(); merge(b, a) })
			wg.Wait()
			inOrder(t, "A histogram merged with another one that was merged with it", a)
		}

		count := h.Count()
		if err := h.Merge(h); err != nil {
			t.Fatalf("Merging a histogram with itself failed: %v", err)
		}
		if h.Count() != 2*count {
			t.Fatalf("A histogram of %d values merged with itself has counted %d, and was to count each value twice.", count, h.Count())
		}
	})

	// In every order of the locks: a reader sees all of a merge or nothing.
	interleave.Explore(t, func(t *testing.T, x *interleave.Schedule) {
		h, other := percentiles.NewHistogram(), percentiles.NewHistogram()
		record(t, h, 5*time.Millisecond)
		record(t, other, time.Millisecond, 9*time.Millisecond)
		var counts [2]uint64
		x.Go("Merge", func() {
			if err := h.Merge(other); err != nil {
				t.Errorf("Merge failed: %v", err)
			}
		})
		x.Go("Record", func() { record(t, other, time.Second) })
		x.Go("Count", func() {
			for i := range counts {
				counts[i] = h.Count()
				x.Note("%d", counts[i])
			}
		})
		x.Run()
		merged := h.Count() - 1
		for _, n := range counts {
			if n != 1 && n != 1+merged {
				t.Fatalf("Two or three values were merged into a histogram of one, and a reader saw a merge by half: a count of %d, before it was %d.", n, 1+merged)
			}
		}
		if counts[0] > counts[1] {
			t.Fatalf("A reader saw a count of %d, and after it one of %d.", counts[0], counts[1])
		}
	})
}

// watch reads a histogram while others record in it, and says what was wrong with what it saw.
func watch(h *percentiles.Histogram, least, most time.Duration) string {
	copied := percentiles.NewHistogram()
	var last uint64
	for range 100 {
		before := h.Count()
		snapshot := percentiles.NewHistogram()
		err := snapshot.Merge(h)
		after := h.Count()
		median, failed := h.Quantile(0.5)
		lowest, highest := h.Min(), h.Max()
		switch got := snapshot.Count(); {
		case err != nil || failed != nil:
			return errors.Join(err, failed).Error()
		case before < last:
			return "the count went down"
		case got < before || got > after:
			return "a merge took fewer values than there were before it or more than there were after it"
		case median < least-least/100 || median > most+most/100:
			return "the median was " + median.String() + ", and all values are from " + least.String() + " to " + most.String()
		case lowest != least || highest != most:
			return "the extremes were " + lowest.String() + " and " + highest.String()
		}
		last = after
		copied = snapshot
	}
	if p99, err := copied.Quantile(0.99); err != nil || p99 > most+most/100 {
		return "the p99 of a copy was " + p99.String()
	}
	return ""
}

// What is no latency is refused and changes nothing, and what is out of range is clamped.
// Neither a long latency nor a great many corrupt the histogram.
func TestOddValues(t *testing.T) {
	h := percentiles.NewHistogram()
	for _, q := range shares {
		if _, err := h.Quantile(q); !errors.Is(err, percentiles.ErrEmpty) {
			t.Fatalf("Quantile(%v) of an empty histogram returned the error %v, and there is no value to return: ErrEmpty.", q, err)
		}
	}
	if h.Count() != 0 || h.Min() != 0 || h.Max() != 0 {
		t.Fatalf("An empty histogram has count %d, minimum %v and maximum %v, and all are 0.", h.Count(), h.Min(), h.Max())
	}
	values := []time.Duration{3 * time.Millisecond, 5 * time.Millisecond, 8 * time.Millisecond}
	record(t, h, values...)
	holds(t, "A histogram of three values", h, values)
	before := look(h)
	for _, tt := range []struct {
		what string
		err  error
		want error
		why  string
	}{
		{"Record(-1ns)", h.Record(-1), percentiles.ErrValue, "no latency is negative; a clock has been set back"},
		{"Record of the most negative Duration", h.Record(math.MinInt64), percentiles.ErrValue, "no latency is negative"},
		{"RecordSeconds(NaN)", h.RecordSeconds(math.NaN()), percentiles.ErrValue, "NaN is no number, and every comparison with it is false"},
		{"RecordSeconds(-Inf)", h.RecordSeconds(math.Inf(-1)), percentiles.ErrValue, "no latency is negative"},
		{"RecordSeconds(-0.25)", h.RecordSeconds(-0.25), percentiles.ErrValue, "no latency is negative"},
		{"RecordSeconds(-1e-12)", h.RecordSeconds(-1e-12), percentiles.ErrValue, "no latency is negative, however small"},
		{"RecordSeconds(-1e300)", h.RecordSeconds(-1e300), percentiles.ErrValue, "no latency is negative"},
	} {
		if !errors.Is(tt.err, tt.want) {
			t.Fatalf("%s returned the error %v. Expected %q: %s.", tt.what, tt.err, tt.want, tt.why)
		}
	}
	for _, q := range []float64{math.NaN(), -0.01, math.Nextafter(0, -1), 1.01, 99, math.Inf(1), math.Inf(-1), math.Nextafter(1, 2)} {
		if got, err := h.Quantile(q); !errors.Is(err, percentiles.ErrQuantile) {
			t.Fatalf("Quantile(%v) returned %v and the error %v, and a quantile is a number from 0 to 1: ErrQuantile.", q, got, err)
		}
	}
	if d := look(h).difference(before); d != "" {
		t.Fatalf("What was refused changed the histogram all the same: %s.", d)
	}

	for _, tt := range []struct {
		seconds float64
		want    time.Duration
		why     string
	}{
		{0.25, 250 * time.Millisecond, "it is a plain latency"},
		{3600, time.Hour, "it is a plain latency"},
		{0.0000017, 1700, "1.7 µs are 1700 ns"},
		{0, 0, "a latency may be 0"},
		{math.Copysign(0, -1), 0, "-0.0 is not less than 0"},
		{1e-300, 0, "it is less than a nanosecond"},
		{1e10, longest, "292 years are the longest Duration, and what is longer is clamped"},
		{float64(longest) / 1e9, longest, "a float64 rounds it to one nanosecond more than a Duration holds"},
		{1e300, longest, "292 years are the longest Duration, and what is longer is clamped"},
		{math.MaxFloat64, longest, "in nanoseconds it is more than a float64 holds"},
		{math.Inf(1), longest, "+Inf is clamped"},
	} {
		h := percentiles.NewHistogram()
		if err := h.RecordSeconds(tt.seconds); err != nil {
			t.Fatalf("RecordSeconds(%v) was refused (%v), and counts as %v: %s.", tt.seconds, err, tt.want, tt.why)
		}
		if got := h.Max(); max(got-tt.want, tt.want-got) > 1 || tt.want == longest && got != longest || h.Count() != 1 {
			t.Fatalf("RecordSeconds(%v) counted %v (%d values), and was to count %v: %s.", tt.seconds, got, h.Count(), tt.want, tt.why)
		}
	}

	long := []time.Duration{0, 1, 500, 999, time.Microsecond, time.Hour, time.Hour + 1, 5 * time.Hour, 24 * 365 * time.Hour, longest - 1, longest}
	h = percentiles.NewHistogram()
	record(t, h, long...)
	holds(t, "A histogram of values from 0 to 292 years", h, long)

	h = percentiles.NewHistogram()
	record(t, h, 5*time.Millisecond)
	for range 53 { // doubles the count each time
		if err := h.Merge(h); err != nil {
			t.Fatalf("A histogram of %d values refused to be merged with itself (%v), and it counts up to 2^53.", h.Count(), err)
		}
	}
	full := look(h)
	if full.count != 1<<53 {
		t.Fatalf("After 53 merges with itself a histogram of one value has counted %d, and was to count 2^53.", full.count)
	}
	other := percentiles.NewHistogram()
	record(t, other, time.Millisecond)
	for _, tt := range []struct {
		what string
		err  error
	}{
		{"Record", h.Record(time.Millisecond)},
		{"RecordSeconds", h.RecordSeconds(0.001)},
		{"RecordCorrected", h.RecordCorrected(time.Second, time.Millisecond)},
		{"Merge", h.Merge(other)},
		{"Merge with itself", h.Merge(h)},
	} {
		if !errors.Is(tt.err, percentiles.ErrOverflow) {
			t.Fatalf("%s on a histogram of 2^53 values returned the error %v, and it is full: ErrOverflow.", tt.what, tt.err)
		}
	}
	if d := look(h).difference(full); d != "" {
		t.Fatalf("What a full histogram refused changed it all the same: %s.", d)
	}
}

// A window tells the latencies of the last minute: none of them early gone, none kept too long.
func TestWindow(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		const span, steps = time.Minute, 6
		const step = span / steps
		w := percentiles.NewWindow(span, steps)
		recordIn(t, w, 42*time.Millisecond)
		holds(t, "A window just after a value was recorded", w.Snapshot(), []time.Duration{42 * time.Millisecond})

		for _, offset := range []time.Duration{0, 1, 3 * time.Second, step - 1, step, 59 * time.Second} {
			time.Sleep(2*span + offset) // so that steps begin at any point of what follows
			recordIn(t, w, time.Second)
			recorded := time.Now()
			for _, age := range []time.Duration{0, step - 1, step, 2 * step, span / 2, span - 1, span} {
				time.Sleep(age - time.Since(recorded))
				if got := w.Snapshot().Count(); got != 1 {
					t.Fatalf("A snapshot has a value of age %v %d times; up to and including the age of %v it is to be there once.", age, got, span)
				}
			}
			time.Sleep(step)
			if got := w.Snapshot().Count(); got != 0 {
				t.Fatalf("A value that is %v old is still in the window, and from that age on it is gone.", span+step)
			}
		}

		// A value a second: the window holds those of the last 60 to 70 seconds.
		began := time.Now()
		for i := range 300 {
			recordIn(t, w, time.Duration(i+1)*time.Millisecond)
			time.Sleep(time.Second)
			s := w.Snapshot()
			oldest, newest := s.Min(), s.Max()
			from := max(1, i+2-int((span+step)/time.Second)) // younger than this nothing may be gone
			until := max(1, i+2-int(span/time.Second))
			if newest != time.Duration(i+1)*time.Millisecond || oldest < time.Duration(from)*time.Millisecond || oldest > time.Duration(until)*time.Millisecond {
				t.Fatalf("With one value each second, the oldest in the window after %v is no. %d and the newest no. %d. "+
					"The newest is no. %d, and the oldest no. %d to %d.",
					time.Since(began), oldest/time.Millisecond, newest/time.Millisecond, i+1, from, until)
			}
			if got, want := s.Count(), uint64((newest-oldest)/time.Millisecond)+1; got != want {
				t.Fatalf("The window has %d values, and from no. %d to no. %d there are %d.", got, oldest/time.Millisecond, newest/time.Millisecond, want)
			}
		}

		kept := w.Snapshot()
		before := look(kept)
		for _, pause := range []time.Duration{span + step, 10 * span, 24 * time.Hour, 1000*time.Hour + step/2} {
			recordIn(t, w, time.Hour)
			time.Sleep(pause)
			recordIn(t, w, time.Millisecond)
			holds(t, "A window in which nothing was recorded for "+pause.String()+", then one value", w.Snapshot(), []time.Duration{time.Millisecond})
		}
		if d := look(kept).difference(before); d != "" {
			t.Fatalf("A snapshot changed after it was taken: %s.", d)
		}
		if err := w.Record(-1); !errors.Is(err, percentiles.ErrValue) {
			t.Fatalf("Record(-1ns) in a window returned the error %v, and no latency is negative: ErrValue.", err)
		}
		time.Sleep(2 * span)
		if got := w.Snapshot().Count(); got != 0 {
			t.Fatalf("The window has %d values, although none was recorded for %v.", got, 2*span)
		}

		var wg sync.WaitGroup
		for range 4 {
			wg.Add(1)
			bubble.Go(t, func() {
				defer wg.Done()
				for range 100 {
					_ = w.Record(time.Millisecond)
					w.Snapshot()
				}
			})
		}
		wg.Wait()
		if got := w.Snapshot().Count(); got != 400 {
			t.Fatalf("4 goroutines recorded 400 values in a window, and it has %d.", got)
		}
	})
}

func recordIn(t *testing.T, w *percentiles.Window, d time.Duration) {
	t.Helper()
	if err := w.Record(d); err != nil {
		t.Fatalf("Record(%v) in a window was refused: %v", d, err)
	}
}

// A stall counts for every request that it held up, and not only for the one that was under way.
func TestHonestMeasurement(t *testing.T) {
	const n, interval = 2_000, 10 * time.Millisecond
	const from, until = 5 * time.Second, 6 * time.Second // of 20 s

	// The truth, request by request: each begins when it is due, when the stall is over, or after the one before.
	var truth []time.Duration
	var free time.Duration
	for i := range n {
		due := time.Duration(i) * interval
		begin := max(due, free)
		if begin >= from && begin < until {
			begin = until
		}
		free = begin + service
		truth = append(truth, free-due)
	}

	bubble.Run(t, func(t *testing.T) {
		h := percentiles.NewHistogram()
		server := stallingServer{began: time.Now(), from: from, until: until}
		var began []time.Duration
		err := percentiles.Pace(h, n, interval, func() {
			began = append(began, time.Since(server.began))
			server.call()
		})
		if err != nil {
			t.Fatalf("Pace failed: %v", err)
		}
		if len(began) != n {
			t.Fatalf("Pace made %d calls, and was to make %d.", len(began), n)
		}
		for i, at := range began {
			if want := time.Duration(i)*interval + truth[i] - service; at != want && (at != from || want != until) {
				t.Fatalf("Call %d began after %v. It was due after %v, and the one before had returned after %v.",
					i, at, time.Duration(i)*interval, time.Duration(max(0, i-1))*interval+truth[max(0, i-1)])
			}
		}
		got, want := quantile(t, "Pace", h, 0.99), exact(slices.Sorted(slices.Values(truth)), 0.99)
		if least, most := allowed(want); got < least || got > most {
			t.Fatalf("The server stood still for %v of %v, and %d requests were due meanwhile. Pace measured a p99 of %v; from when "+
				"the requests were due it is %v.", until-from, n*interval, (until-from)/interval, got, want)
		}
		holds(t, "Pace on a server that stalls", h, truth)
		if err := percentiles.Pace(h, 0, interval, func() { t.Error("Pace was to make no calls, and made one.") }); err != nil {
			t.Fatalf("Pace with no calls to make failed: %v", err)
		}
	})

	h := percentiles.NewHistogram()
	if err := h.RecordCorrected(35*time.Millisecond, interval); err != nil {
		t.Fatalf("RecordCorrected(35ms, 10ms) failed: %v", err)
	}
	holds(t, "RecordCorrected(35ms, 10ms)", h, []time.Duration{35 * time.Millisecond, 25 * time.Millisecond, 15 * time.Millisecond})
	for _, tt := range []struct {
		d, interval time.Duration
		want        int
		why         string
	}{
		{10 * time.Millisecond, interval, 1, "the next request was due just when the answer came"},
		{0, interval, 1, "nothing was missed"},
		{20*time.Millisecond - 1, interval, 1, "what is left is shorter than the interval"},
		{20 * time.Millisecond, interval, 2, "what is left is just the interval"},
		{100_000, 1, 100_000, "every nanosecond a request was due"},
		{longest, longest, 1, "292 years are still only one interval"},
		{longest, longest / 2, 2, "longest/2 is left, and then 1ns"},
	} {
		h := percentiles.NewHistogram()
		if err := h.RecordCorrected(tt.d, tt.interval); err != nil || h.Count() != uint64(tt.want) {
			t.Fatalf("RecordCorrected(%v, %v) counted %d values (error %v), and was to count %d: %s.", tt.d, tt.interval, h.Count(), err, tt.want, tt.why)
		}
	}
	before := look(h)
	for _, tt := range []struct {
		d, interval time.Duration
		want        error
		why         string
	}{
		{time.Second, 0, percentiles.ErrInterval, "no client sends requests without end at once"},
		{time.Second, -1, percentiles.ErrInterval, "no interval is negative"},
		{-1, time.Second, percentiles.ErrValue, "no latency is negative"},
		{longest, 1, percentiles.ErrInterval, "it would count 2^63 values"},
		{time.Hour, time.Microsecond, percentiles.ErrInterval, "it would count 3,600,000,000 values"},
	} {
		if err := h.RecordCorrected(tt.d, tt.interval); !errors.Is(err, tt.want) {
			t.Fatalf("RecordCorrected(%v, %v) returned the error %v. Expected %q: %s.", tt.d, tt.interval, err, tt.want, tt.why)
		}
	}
	if d := look(h).difference(before); d != "" {
		t.Fatalf("What RecordCorrected refused changed the histogram all the same: %s.", d)
	}

	// A client that waits for each answer, and sends the next request when one is due again.
	bubble.Run(t, func(t *testing.T) {
		naive, corrected := percentiles.NewHistogram(), percentiles.NewHistogram()
		server := stallingServer{began: time.Now(), from: from, until: until}
		for time.Since(server.began) < n*interval {
			sent := time.Now()
			server.call()
			took := time.Since(sent)
			record(t, naive, took)
			if err := corrected.RecordCorrected(took, interval); err != nil {
				t.Fatalf("RecordCorrected(%v, %v) failed: %v", took, interval, err)
			}
			time.Sleep(interval - time.Since(server.began)%interval)
		}
		want := exact(slices.Sorted(slices.Values(truth)), 0.99)
		got, uncorrected := quantile(t, "RecordCorrected", corrected, 0.99), quantile(t, "Record", naive, 0.99)
		if got < want-want/20 || got > want+want/20 {
			t.Fatalf("The server stood still for %v of %v. RecordCorrected gives a p99 of %v; from when the requests were due it is %v "+
				"(and %v uncorrected). At most 5 %% apart are expected here.", until-from, n*interval, got, want, uncorrected)
		}
	})
}

// A histogram comes back from bytes as it was, and goes on from there.
func TestFurtherBytes(t *testing.T) {
	r := random(8)
	for _, tt := range []struct {
		what   string
		values []time.Duration
	}{
		{"one value", []time.Duration{1234567}},
		{"no values", nil},
		{"the extremes", []time.Duration{0, longest}},
		{"values between 1 ns and 146 years", logUniform(r, 5_000, 1, longest/2)},
		{"values around 20 ms", normal(r, 5_000, 20*time.Millisecond, 4*time.Millisecond)},
	} {
		h := percentiles.NewHistogram()
		record(t, h, tt.values...)
		bytes := marshal(t, h)
		if len(bytes) == 0 || len(bytes) > 128*kib {
			t.Fatalf("MarshalBinary returned %d bytes for a histogram of %s, and 1 byte to 128 KiB are expected.", len(bytes), tt.what)
		}
		back := percentiles.NewHistogram()
		record(t, back, 7*time.Hour) // which is not to stay
		if err := back.UnmarshalBinary(bytes); err != nil {
			t.Fatalf("UnmarshalBinary refused what MarshalBinary wrote for %s: %v", tt.what, err)
		}
		clear(bytes) // they are the caller's again
		if d := look(back).difference(look(h)); d != "" {
			t.Fatalf("A histogram of %s came back from bytes as another one: %s.", tt.what, d)
		}
		both, bothBack := percentiles.NewHistogram(), percentiles.NewHistogram()
		for _, x := range []struct{ h, sum *percentiles.Histogram }{{h, both}, {back, bothBack}} {
			record(t, x.h, 3*time.Second)
			record(t, x.sum, time.Second)
			if err := x.sum.Merge(x.h); err != nil {
				t.Fatalf("Merging a histogram of %s failed: %v", tt.what, err)
			}
		}
		if d := look(bothBack).difference(look(both)); d != "" {
			t.Fatalf("A histogram of %s that came back from bytes records and merges otherwise than before: %s.", tt.what, d)
		}
	}
}

func marshal(t *testing.T, h *percentiles.Histogram) []byte {
	t.Helper()
	bytes, err := h.MarshalBinary()
	if err != nil {
		t.Fatalf("MarshalBinary failed: %v", err)
	}
	return bytes
}

// Bytes from strangers are refused or make a histogram that is right in itself.
// They cost no more memory than is fair.
func TestFurtherHostileBytes(t *testing.T) {
	r := random(9)
	from := percentiles.NewHistogram()
	record(t, from, logUniform(r, 300, time.Microsecond, time.Hour)...)
	good := marshal(t, from)
	if len(good) == 0 {
		t.Fatal("MarshalBinary returned no bytes for a histogram of 300 values.")
	}
	fresh := func() *percentiles.Histogram {
		h := percentiles.NewHistogram()
		record(t, h, 5*time.Millisecond)
		return h
	}
	h, before := fresh(), look(fresh())
	var start, end runtime.MemStats
	try := func(what string, bytes []byte, mustFail, measure bool) {
		t.Helper()
		if measure {
			runtime.ReadMemStats(&start)
		}
		err := h.UnmarshalBinary(bytes)
		if measure {
			runtime.ReadMemStats(&end)
			if used := end.TotalAlloc - start.TotalAlloc; used > 1024*kib {
				t.Fatalf("UnmarshalBinary allocated %d KiB for %s, %d of them. At most 1024 KiB are allowed.", used/kib, what, len(bytes))
			}
		}
		switch {
		case err == nil && mustFail:
			t.Fatalf("UnmarshalBinary accepted %s, and was to refuse them: ErrFormat.", what)
		case err == nil:
			soundAfter(t, what, h)
			h = fresh()
		case !errors.Is(err, percentiles.ErrFormat):
			t.Fatalf("UnmarshalBinary refused %s with the error %v, and was to do so with ErrFormat.", what, err)
		case h.Count() != before.count || h.Min() != before.min || h.Max() != before.max:
			t.Fatalf("UnmarshalBinary refused %s and changed the histogram all the same: %s.", what, look(h).difference(before))
		}
	}

	for end := 0; end < len(good); end += 1 + len(good)/200 {
		try("bytes that were cut short", good[:end], true, false)
	}
	try("bytes that were cut short by one", good[:len(good)-1], true, false)
	try("bytes with one more at the end", append(slices.Clone(good), 0), true, false)
	try("bytes that come twice", slices.Concat(good, good), true, false)
	for i := range 300 {
		at := i // each byte of the beginning, where formats keep what matters, then any
		if i >= min(100, len(good)) {
			at = r.IntN(len(good))
		}
		for _, flip := range []byte{1, 0x80, 0xff} {
			bytes := slices.Clone(good)
			bytes[at] ^= flip
			try("bytes of which one was changed", bytes, false, i < 20)
		}
		bytes := slices.Clone(good)
		for i := range min(9, len(bytes)-at) {
			bytes[at+i] = 0xff // a length, if there is one here, that is far too large
		}
		try("bytes of which nine were set to 0xff", bytes, false, i < 40)
		for i := range bytes {
			bytes[i] = byte(r.Uint32())
		}
		bytes = bytes[:r.IntN(len(bytes))]
		try("bytes at random", bytes, false, false)
		copy(bytes, good[:min(16, len(good))])
		try("bytes that begin well and go on at random", bytes, false, false)
	}
}

// soundAfter checks that a histogram made from changed bytes is right in itself.
func soundAfter(t *testing.T, what string, h *percentiles.Histogram) {
	t.Helper()
	switch least, most := h.Min(), h.Max(); {
	case h.Count() > 1<<53:
		t.Fatalf("UnmarshalBinary accepted %s that count %d values, and at most 2^53 are counted.", what, h.Count())
	case h.Count() == 0 && (least != 0 || most != 0):
		t.Fatalf("UnmarshalBinary accepted %s that make an empty histogram with the extremes %v and %v.", what, least, most)
	case h.Count() == 0:
		return
	case least < 0 || least > most:
		t.Fatalf("UnmarshalBinary accepted %s that make a minimum of %v and a maximum of %v.", what, least, most)
	case quantile(t, what, h, 0) != least || quantile(t, what, h, 1) != most:
		t.Fatalf("UnmarshalBinary accepted %s that make a histogram whose quantiles 0 and 1 are not its extremes.", what)
	}
	inOrder(t, "A histogram that UnmarshalBinary made from "+what, h)
	if err := h.Merge(h); err != nil && !errors.Is(err, percentiles.ErrOverflow) {
		t.Fatalf("A histogram made from %s cannot be merged: %v", what, err)
	}
}

// Most pages of a hundred calls meet the p99 of one.
func TestFurtherFanOut(t *testing.T) {
	for _, tt := range []struct {
		q     float64
		calls int
		want  float64
		why   string
	}{
		{0.99, 100, 0.6339676587267709, "1 - 0.99^100: nearly two pages of three"},
		{0.99, 1, 0.01, "one call in a hundred is beyond the p99"},
		{0.5, 2, 0.75, "only a quarter of pages has two fast calls"},
		{0.999, 100, 0.09520785288375544, "1 - 0.999^100: still one page of ten"},
		{0.9999, 5, 0.000499900009999, "five chances of one in ten thousand"},
		{0.99, 0, 0, "no call, no slow one"},
		{1, 1000, 0, "all calls are fast"},
		{0, 3, 1, "no call is fast"},
	} {
		if got := percentiles.SlowChance(tt.q, tt.calls); math.IsNaN(got) || math.Abs(got-tt.want) > 1e-9 {
			t.Fatalf("SlowChance(%v, %d) is %v, and was to be %v: %s.", tt.q, tt.calls, got, tt.want, tt.why)
		}
	}

	// The same by trial: 20,000 pages of 100 calls with latencies as they fall.
	r := random(10)
	calls := logUniform(r, 100_000, time.Millisecond, time.Second)
	h := percentiles.NewHistogram()
	record(t, h, calls...)
	p99 := quantile(t, "A histogram of 100,000 calls", h, 0.99)
	slow := 0
	for range 20_000 {
		for range 100 {
			if calls[r.IntN(len(calls))] > p99 {
				slow++
				break
			}
		}
	}
	got, want := float64(slow)/20_000, percentiles.SlowChance(0.99, 100)
	t.Logf("%.1f %% of 20,000 pages met a call beyond the p99 of %v", 100*got, p99)
	if math.Abs(got-want) > 0.05 {
		t.Fatalf("SlowChance(0.99, 100) is %.3f, and of 20,000 pages of 100 calls a share of %.3f met one beyond the p99 of %v.", want, got, p99)
	}
}
