package loadgen_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/internal/golden"
	"github.com/backend-kata/dojo/pkg/loadgen"
)

const ms = time.Millisecond

func TestEven(t *testing.T) {
	tests := []struct {
		name    string
		pattern loadgen.Pattern
		want    []time.Duration
		why     string
	}{
		{"none", nil, nil, "no phase, no request"},
		{"rate of 0", loadgen.Steady(0, time.Hour), nil, "nobody comes"},
		{"steady", loadgen.Steady(4, time.Second), []time.Duration{0, 250 * ms, 500 * ms, 750 * ms}, "the end is not included"},
		{"no time", loadgen.Steady(4, 0), nil, "a phase of no length has no request"},
		{"slow", loadgen.Steady(0.5, 5*time.Second), []time.Duration{0, 2 * time.Second, 4 * time.Second}, "less than one a second is a rate too"},
		{"ramp", loadgen.Ramp(0, 8, time.Second), []time.Duration{0, 500 * ms, 707106781, 866025403}, "4t² requests have come at t"},
		{"ramp down", loadgen.Ramp(8, 0, time.Second), []time.Duration{0, 133974596, 292893218, 500 * ms}, "the mirror image"},
		{"spike", loadgen.Spike(1, 4, 2*time.Second, 500*ms, 2*time.Second), []time.Duration{0, 1000 * ms, 2000 * ms, 2250 * ms, 2500 * ms, 3500 * ms}, "the rate jumps, and the gaps with it"},
		{"half a gap", slices.Concat(loadgen.Steady(1, 1500*ms), loadgen.Steady(2, 1000*ms)), []time.Duration{0, 1000 * ms, 1750 * ms, 2250 * ms}, "half a request is carried into the next phase"},
		{"pause", loadgen.Spike(2, 0, 500*ms, time.Second, time.Second), []time.Duration{0, 1500 * ms, 2000 * ms}, "a gap spans a pause"},
	}
	for _, tt := range tests {
		if got := slices.Collect(tt.pattern.Even()); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v, since %s", tt.name, got, tt.want, tt.why)
		}
	}
}

func TestPoisson(t *testing.T) {
	pattern := slices.Concat(loadgen.Steady(1000, 100*time.Second), loadgen.Ramp(1000, 3000, 100*time.Second))
	arrivals := pattern.Poisson(1)
	all := slices.Collect(arrivals)
	if !slices.Equal(all, slices.Collect(arrivals)) {
		t.Error("ranging again gave other arrivals")
	}
	if slices.Equal(all, slices.Collect(pattern.Poisson(2))) {
		t.Error("another seed gave the same arrivals")
	}
	if !slices.IsSorted(all) || all[len(all)-1] >= pattern.Length() {
		t.Error("the arrivals are not in order, or not in time")
	}
	// 300,000 arrivals have a standard deviation of 548.
	if n := len(all); math.Abs(float64(n)-300_000) > 4*548 {
		t.Errorf("%d arrivals, want about 300,000", n)
	}
	// The counts of a Poisson process have a variance equal to their mean.
	var counts [100]float64
	for _, at := range all {
		if second := int(at / time.Second); second < len(counts) {
			counts[second]++
		}
	}
	variance := 0.0
	for _, n := range counts {
		variance += (n - 1000) * (n - 1000) / float64(len(counts))
	}
	if variance < 600 || variance > 1500 {
		t.Errorf("counts by the second have a variance of %.0f, want about 1000", variance)
	}
	rising := 0 // the ramp's second half holds 1.25 times its mean rate
	for _, at := range all {
		if at >= 150*time.Second {
			rising++
		}
	}
	if math.Abs(float64(rising)-125_000) > 4*354 {
		t.Errorf("%d arrivals in the last 50 s, want about 125,000", rising)
	}
}

func TestPatternPanics(t *testing.T) {
	tests := []struct {
		pattern loadgen.Pattern
		want    string
	}{
		{loadgen.Steady(-1, time.Second), "loadgen: phase 1 of the pattern has the rate -1; want a finite one that is not negative"},
		{loadgen.Ramp(1, math.NaN(), time.Second), "loadgen: phase 1 of the pattern has the rate NaN; want a finite one that is not negative"},
		{loadgen.Spike(1, math.Inf(1), 1, 1, 1), "loadgen: phase 2 of the pattern has the rate +Inf; want a finite one that is not negative"},
		{loadgen.Steady(1, -time.Second), "loadgen: phase 1 of the pattern lasts -1s"},
	}
	for _, tt := range tests {
		for name, arrivals := range map[string]func(){"Even": func() { tt.pattern.Even() }, "Poisson": func() { tt.pattern.Poisson(1) }} {
			func() {
				defer func() {
					if got := fmt.Sprint(recover()); got != tt.want {
						t.Errorf("%s of %v panicked with %q, want %q", name, tt.pattern, got, tt.want)
					}
				}()
				arrivals()
			}()
		}
	}
}

// stalls takes 1 ms for each request, but 5 s once.
func stalls(n int) time.Duration {
	if n == 500 {
		return 5 * time.Second
	}
	return ms
}

// inTurn serves one request after the other.
func inTurn(takes func(n int) time.Duration) loadgen.Send {
	server := loadgen.NewStation(1)
	return func(_ context.Context, n int) error {
		server.Do(takes(n))
		return nil
	}
}

// The closed loop overlooks the stall, and the open one does not.
func TestCoordinatedOmission(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		open := loadgen.Open{Arrivals: loadgen.Steady(100, 100*time.Second).Even(), Objective: 50 * ms}.Run(t.Context(), inTurn(stalls))
		closed := loadgen.Closed{Clients: 1, Think: 9 * ms, For: 100 * time.Second, Objective: 50 * ms}.Run(t.Context(), inTurn(stalls))
		if got := closed.Quantile(0.99); got.Round(ms) != ms {
			t.Errorf("the closed loop's p99 is %v, want 1 ms", got)
		}
		if got := open.Quantile(0.99); got < 4*time.Second || got > 5*time.Second {
			t.Errorf("the open loop's p99 is %v, want 4 to 5 s", got)
		}
		if got := open.Quantile(1); got != 5*time.Second {
			t.Errorf("the open loop's worst is %v, want 5 s exactly", got)
		}
		if open.Sent != 10_000 || open.Late < 500 || open.Late > 560 || closed.Late != 1 {
			t.Errorf("the open loop has %d of %d late, want a few more than 500 of 10,000; the closed one %d, want 1", open.Late, open.Sent, closed.Late)
		}
		if open.Lag != 0 {
			t.Errorf("in virtual time the generator was late by %v", open.Lag)
		}
	})
}

// The clients of a closed loop slow down with the server, and number their
// requests in turn.
func TestClosed(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		var mu sync.Mutex
		var numbers []int
		r := loadgen.Closed{Clients: 3, For: 10 * time.Second}.Run(t.Context(), func(_ context.Context, n int) error {
			time.Sleep(time.Second)
			mu.Lock()
			defer mu.Unlock()
			numbers = append(numbers, n)
			return nil
		})
		slices.Sort(numbers)
		if r.Sent != 30 || r.Good != 30 || numbers[0] != 0 || numbers[29] != 29 || len(slices.Compact(numbers)) != 30 {
			t.Errorf("sent %d, good %d, numbers %v; want 30, 30, and each of 0 to 29 once", r.Sent, r.Good, numbers)
		}
	})
}

func TestOutcomes(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		r := mixed(t)
		want := []loadgen.Interval{
			{From: 0, To: time.Second, Sent: 4, Good: 1, Late: 1, Refused: 1, Failed: 1, Worst: 400 * ms},
			{From: time.Second, To: 2 * time.Second, Sent: 4, Good: 1, Late: 1, Refused: 1, Failed: 1, Worst: 400 * ms},
			{From: 2 * time.Second, To: 3 * time.Second, Sent: 2, Good: 1, Late: 1, Worst: 200 * ms},
		}
		if diff := cmp.Diff(want, r.Intervals); diff != "" {
			t.Errorf("intervals (-want +got):\n%s", diff)
		}
		all := loadgen.Interval{To: 3 * time.Second, Sent: 10, Good: 3, Late: 3, Refused: 2, Failed: 2, Worst: 400 * ms}
		if diff := cmp.Diff(all, r.Interval); diff != "" {
			t.Errorf("all (-want +got):\n%s", diff)
		}
		if got := r.Between(1500*ms, 2*time.Second); got != want[1] {
			t.Errorf("from 1.5 s to 2 s, in whole intervals: %+v, want %+v", got, want[1])
		}
		if got := r.Between(time.Second, time.Hour); got.From != time.Second || got.To != 3*time.Second || got.Good != 2 {
			t.Errorf("from 1 s on: %+v, want both intervals", got)
		}
		if got := r.Between(time.Hour, 2*time.Hour); got != (loadgen.Interval{}) {
			t.Errorf("beyond the end: %+v, want nothing", got)
		}
		if r.Goodput() != 1 || r.Share() != 0.3 {
			t.Errorf("goodput %v and share %v, want 1 and 0.3", r.Goodput(), r.Share())
		}
		golden.Check(t, "report", r.String()+"\n"+r.Timeline())
		var rows strings.Builder
		for _, row := range r.Rows() {
			fmt.Fprintln(&rows, strings.Join(row, ","))
		}
		golden.Check(t, "rows", rows.String())
	})
}

// mixed is a run in which request n ends well, late, refused or failed, in turn.
func mixed(t *testing.T) *loadgen.Report {
	return loadgen.Open{Arrivals: loadgen.Steady(4, 2500*ms).Even(), Objective: 100 * ms}.Run(t.Context(), func(_ context.Context, n int) error {
		time.Sleep([]time.Duration{100 * ms, 200 * ms, ms, 400 * ms}[n%4])
		return []error{nil, nil, fmt.Errorf("full: %w", loadgen.ErrRefused), errors.New("broken")}[n%4]
	})
}

func TestNothingSent(t *testing.T) {
	send := func(context.Context, int) error { panic("sent") }
	for name, r := range map[string]*loadgen.Report{
		"open":   loadgen.Open{}.Run(t.Context(), send),
		"closed": loadgen.Closed{}.Run(t.Context(), send),
	} {
		if r.Sent != 0 || r.Goodput() != 0 || r.Share() != 0 || r.Quantile(0.5) != 0 || len(r.Intervals) != 0 {
			t.Errorf("%s: %+v, want nothing", name, r)
		}
		if !strings.Contains(r.String(), "0 requests") || r.Timeline() == "" {
			t.Errorf("%s: an empty report does not print", name)
		}
	}
}

// When the context ends, nothing further is sent, and what is under way is
// waited for.
func TestContext(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 4500*ms)
		defer cancel()
		send := func(context.Context, int) error {
			time.Sleep(10 * time.Second)
			return nil
		}
		start := time.Now()
		r := loadgen.Open{Arrivals: loadgen.Steady(1, time.Hour).Even()}.Run(ctx, send)
		if r.Good != 5 || time.Since(start) != 14*time.Second {
			t.Errorf("%d were answered after %v, want 5 after 14 s", r.Good, time.Since(start))
		}
		if r := (loadgen.Open{Arrivals: loadgen.Steady(1, time.Hour).Even()}).Run(ctx, send); r.Sent != 0 {
			t.Errorf("a context that had ended: %d were sent", r.Sent)
		}
		if r := (loadgen.Closed{Clients: 2, For: time.Hour}).Run(ctx, send); r.Sent != 0 {
			t.Errorf("a context that had ended: %d were sent by the closed loop", r.Sent)
		}
		ctx, cancel = context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		if r := (loadgen.Closed{Clients: 2, Think: time.Hour, For: 24 * time.Hour}).Run(ctx, send); r.Good != 2 {
			t.Errorf("a context that ends while clients think: %d were answered, want 2", r.Good)
		}
	})
}

// In real time the report owns up to the generator's own delay.
func TestLag(t *testing.T) {
	late := func(yield func(time.Duration) bool) {
		if yield(0) {
			time.Sleep(2 * ms) // so the next comes at least 2 ms late
			yield(0)
		}
	}
	r := loadgen.Open{Arrivals: late}.Run(t.Context(), func(context.Context, int) error { return nil })
	if r.Lag < 2*ms || r.Quantile(1) < 2*ms {
		t.Errorf("the generator was at least 2 ms late, the report says %v, and its worst latency is %v", r.Lag, r.Quantile(1))
	}
	if want := "the generator itself was up to"; !strings.Contains(r.String(), want) {
		t.Errorf("the report does not say %q:\n%s", want, r)
	}
}

func TestQuantileIsRightToOnePercent(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		r := loadgen.Open{Arrivals: loadgen.Steady(1000, time.Second).Even()}.Run(t.Context(), func(_ context.Context, n int) error {
			time.Sleep(time.Duration(n+1) * 1003 * time.Microsecond)
			return nil
		})
		for _, per := range []int{1, 10, 500, 900, 990, 999, 1000} {
			want := time.Duration(per) * 1003 * time.Microsecond
			if got := r.Quantile(float64(per) / 1000); math.Abs(float64(got-want)) > float64(want)/100 {
				t.Errorf("the quantile %v is %v, want %v within 1 %%", float64(per)/1000, got, want)
			}
		}
	})
}

// Of a few latencies each one is a rank of its own, and a share that falls between
// two of them is exceeded by the lower one.
func TestQuantileOfFew(t *testing.T) {
	tests := []struct {
		n    int // of latencies: 1 ms, 2 ms and so on
		q    float64
		want time.Duration
		why  string
	}{
		{0, 0.5, 0, "none was served"},
		{1, 0.5, 1 * ms, "the only one"},
		{3, 0, 1 * ms, "the lowest, which no share is too small for"},
		{3, 0.3, 1 * ms, "a third is at least 0.3"},
		{3, 0.34, 2 * ms, "a third is less than 0.34"},
		{3, 0.75, 3 * ms, "two thirds are less than 0.75"},
		{4, 0.75, 3 * ms, "three of four are 0.75"},
		{100, 0.07, 7 * ms, "0.07 times 100 is a little more than 7 in floating point"},
		{100, 0.99, 99 * ms, "99 of 100"},
		{100, 0.991, 100 * ms, "99 of 100 are less than 0.991"},
		{100, 1, 100 * ms, "the highest"},
	}
	for _, tt := range tests {
		bubble.Run(t, func(t *testing.T) {
			load := loadgen.Open{Arrivals: loadgen.Steady(float64(tt.n), time.Second).Even()}
			r := load.Run(t.Context(), func(_ context.Context, n int) error {
				time.Sleep(time.Duration(n+1) * ms)
				return nil
			})
			if got := r.Quantile(tt.q); math.Abs(float64(got-tt.want)) > float64(tt.want)/100 {
				t.Errorf("of %d latencies from 1 ms on the quantile %v is %v, want %v within 1 %%: %s", tt.n, tt.q, got, tt.want, tt.why)
			}
		})
	}
}

// The same load gives the same report.
func TestDeterministic(t *testing.T) {
	var reports []string
	for range 3 {
		bubble.Run(t, func(t *testing.T) {
			r := loadgen.Open{Arrivals: loadgen.Ramp(10, 500, 10*time.Second).Poisson(7)}.Run(t.Context(), inTurn(func(int) time.Duration { return 3 * ms }))
			reports = append(reports, r.String()+r.Timeline())
		})
	}
	if reports[0] != reports[1] || reports[0] != reports[2] {
		t.Errorf("three runs gave different reports:\n%s\n%s\n%s", reports[0], reports[1], reports[2])
	}
}

func TestCheck(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		r := mixed(t)
		fine := loadgen.Want{Goodput: 1, Share: 0.3, P50: 200 * ms, P99: 202 * ms}
		if err := r.Check(fine); err != nil {
			t.Errorf("everything was as wanted, and Check said: %v", err)
		}
		if err := r.Check(loadgen.Want{From: 2 * time.Second, Share: 0.5}); err != nil {
			t.Errorf("the last second was as wanted, and Check said: %v", err)
		}
		tests := []struct {
			want loadgen.Want
			says string
		}{
			{loadgen.Want{Goodput: 1.5}, "at least 1.5 good answers a second within 100ms were expected from 0s to 3s, and there were 1.0"},
			{loadgen.Want{From: 2 * time.Second, To: 3 * time.Second, Goodput: 2}, "from 2s to 3s, and there were 1.0"},
			{loadgen.Want{Share: 0.31}, "a good answer within 100ms was expected to at least 31.0 % of requests from 0s to 3s, and 30.0 % had one"},
			{loadgen.Want{P50: 50 * ms}, "a p50 of at most 50ms was expected, and it is 100ms"},
			{loadgen.Want{P99: 150 * ms}, "a p99 of at most 150ms was expected, and it is 200ms"},
			{loadgen.Want{From: time.Hour, To: 2 * time.Hour}, "requests were expected from 1h0m0s to 2h0m0s, and none was due"},
		}
		for _, tt := range tests {
			err := r.Check(tt.want)
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%+v: got %v, want it to say %q", tt.want, err, tt.says)
				continue
			}
			if !strings.Contains(err.Error(), r.String()) || !strings.Contains(err.Error(), r.Timeline()) {
				t.Errorf("%+v: the failure does not tell how the run went: %v", tt.want, err)
			}
		}
	})
}

// A failedT stands in for the test that fails.
type failedT struct {
	testing.TB
	text string
}

func (f *failedT) Helper()                           {}
func (f *failedT) Name() string                      { return "TestShop/at noon" }
func (f *failedT) Fatalf(format string, args ...any) { f.text = fmt.Sprintf(format, args...) }

func TestExpect(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		f := &failedT{}
		loadgen.Expect(f, mixed(t), loadgen.Want{Goodput: 1})
		if f.text != "" {
			t.Errorf("Expect failed a run that was as wanted: %s", f.text)
		}
		loadgen.Expect(f, mixed(t), loadgen.Want{Goodput: 2, P99: 150 * ms})
		golden.Check(t, "expect", f.text+"\n")
	})
}

// A long run is told in 30 rows at most.
func TestTimelineOfALongRun(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		r := loadgen.Open{Arrivals: loadgen.Steady(1, 100*time.Second).Even()}.Run(t.Context(), func(context.Context, int) error { return nil })
		if rows := strings.Count(r.Timeline(), "\n") - 3; rows != 25 {
			t.Errorf("100 intervals are told in %d rows, want 25 of 4 each:\n%s", rows, r.Timeline())
		}
	})
}
