//go:build solutions

package percentiles_test

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/solutions/internal/numbers"
	"github.com/backend-kata/dojo/solutions/percentiles"
)

// The examples and the numbers of docs/percentiles.md, beside its figures.

// percentile returns the smallest latency that p % of all of them do not exceed.
func percentile(latencies []time.Duration, p int) time.Duration {
	// example: percentile
	sorted := slices.Sorted(slices.Values(latencies))
	rank := (p*len(sorted) + 99) / 100 // p % of them, rounded up
	return sorted[rank-1]
	// end
}

// timedFromSend loses what a stall does to everyone but one.
func timedFromSend(client *http.Client, url string) (latencies []time.Duration) {
	// example: from-send
	ticker := time.NewTicker(10 * time.Millisecond) // 100 requests a second
	defer ticker.Stop()
	for range 10_000 {
		<-ticker.C // the ticks of a stall are dropped
		start := time.Now()
		fetch(client, url)
		latencies = append(latencies, time.Since(start))
	}
	// end
	return latencies
}

// timedFromDue counts the wait of every request that a stall holds up.
func timedFromDue(client *http.Client, url string) (latencies []time.Duration) {
	// example: from-due
	due := time.Now()
	for range 10_000 {
		time.Sleep(time.Until(due)) // returns at once if the request is late
		fetch(client, url)
		latencies = append(latencies, time.Since(due)) // with the time it waited
		due = due.Add(10 * time.Millisecond)
	}
	// end
	return latencies
}

// fetch makes a request and reads the answer to its end.
func fetch(client *http.Client, url string) {
	response, err := client.Get(url)
	if err != nil {
		panic(err)
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		panic(err)
	}
	if err := response.Body.Close(); err != nil {
		panic(err)
	}
}

// inProcess serves requests without a network, so that they take virtual time alone.
type inProcess struct{ http.Handler }

func (s inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result(), nil
}

// TestExample measures one stalling server in both ways.
func TestExample(t *testing.T) {
	measure := func(client func(*http.Client, string) []time.Duration) (latencies []time.Duration) {
		bubble.Run(t, func(*testing.T) {
			serve := stallingServer()
			handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { serve() })
			latencies = client(&http.Client{Transport: inProcess{handler}}, "http://shop.test/")
		})
		return latencies
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%-20s %8s %8s %8s %8s %8s %8s", "the clock starts", "requests", "over 1 s", "p50", "p95", "p99", "max")
	ways := map[string][]time.Duration{"at the send": measure(timedFromSend), "when it was due": measure(timedFromDue)}
	for _, name := range []string{"at the send", "when it was due"} {
		ls := ways[name]
		fmt.Fprintf(&out, "\n%-20s %8s %8d %8s %8s %8s %8s", name, numbers.Thousands(uint64(len(ls))), slow(ls),
			short(percentile(ls, 50)), short(percentile(ls, 95)), short(percentile(ls, 99)), short(percentile(ls, 100)))
	}
	t.Log("\n" + out.String())
	wrong, right := ways["at the send"], ways["when it was due"]
	if n := slow(wrong); n != 1 {
		t.Errorf("timed from the send, %d requests take over 1 s, want the one that was under way", n)
	}
	if n := slow(right); n < 400 {
		t.Errorf("timed from when due, %d requests take over 1 s, want those of 4 s", n)
	}
	if p99 := percentile(wrong, 99); p99 > 2*time.Millisecond {
		t.Errorf("timed from the send, the p99 is %v, want none of the stall in it", p99)
	}
	if p99 := percentile(right, 99); p99 < 4*time.Second {
		t.Errorf("timed from when due, the p99 is %v, want the stall in it", p99)
	}
}

// TestPercentile compares the example with the reference.
func TestPercentile(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 35))
	for n := 1; n <= 120; n++ {
		values := normal(r, n, 10*time.Millisecond, time.Millisecond)
		for p := 1; p <= 100; p++ {
			want, err := percentiles.Quantile(values, float64(p)/100)
			must(t, err)
			if got := percentile(values, p); got != want {
				t.Fatalf("the p%d of %d values is %v, want %v", p, n, got, want)
			}
		}
	}
}

// TestStall logs the percentiles of one stall, measured in three ways.
func TestStall(t *testing.T) {
	sent, corrected, due := stall(t)
	rows := [][]string{{"percentile", "from the send", "corrected", "from when due"}}
	for _, p := range []struct {
		name string
		q    float64
	}{{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}, {"maximum", 1}} {
		rows = append(rows, []string{p.name, short(at(t, sent, p.q)), short(at(t, corrected, p.q)), short(at(t, due, p.q))})
	}
	rows = append(rows, []string{"requests counted", numbers.Thousands(sent.Count()), numbers.Thousands(corrected.Count()), numbers.Thousands(due.Count())})
	t.Log("\n" + numbers.Table(rows))
}

// TestStallNumber logs the number worth remembering.
func TestStallNumber(t *testing.T) {
	sent, _, due := stall(t)
	t.Logf("%s timed from the send, %s timed from when each request was due", short(at(t, sent, 0.99)), short(at(t, due, 0.99)))
}

// TestStallCorrected logs how far off the correction is at the p95.
func TestStallCorrected(t *testing.T) {
	_, corrected, due := stall(t)
	t.Logf("%.0f times", float64(at(t, due, 0.95))/float64(at(t, corrected, 0.95)))
}

// TestAveragedPercentiles logs what the p99s of sixteen servers have to do with the p99 of all.
func TestAveragedPercentiles(t *testing.T) {
	rows := [][]string{{"the slow server serves"}, {"a fast server's p99"}, {"the slow server's p99"}, {"mean of the p99s"}, {"maximum of the p99s"}, {"p99 of all requests"}}
	for _, n := range []int{300, 15} { // requests to the slow server
		r := rand.New(rand.NewPCG(16, 35))
		all, mean, most, least := percentiles.NewHistogram(), time.Duration(0), time.Duration(0), time.Hour
		for i := range 16 {
			served := normal(r, 1_000, 10*time.Millisecond, time.Millisecond)
			if i == 5 { // has just started, with a cold cache
				served = normal(r, n, 800*time.Millisecond, 60*time.Millisecond)
			}
			server := percentiles.NewHistogram()
			for _, d := range served {
				must(t, server.Record(d))
			}
			must(t, all.Merge(server))
			p99 := at(t, server, 0.99)
			mean, most, least = mean+p99/16, max(most, p99), min(least, p99)
		}
		for i, cell := range []string{
			fmt.Sprintf("%.1f %% of requests", 100*float64(n)/float64(all.Count())), short(least), short(most), short(mean), short(most), short(at(t, all, 0.99)),
		} {
			rows[i] = append(rows[i], cell)
		}
	}
	t.Log("\n" + numbers.Table(rows))
}

// TestFanOut logs how many of 100 pages meet a slow call.
func TestFanOut(t *testing.T) {
	t.Logf("%.0f of 100", 100*percentiles.SlowChance(0.99, 100))
	t.Logf("%.1f of 100", 100*percentiles.SlowChance(0.999, 100))
	calls := 1
	for percentiles.SlowChance(0.99, calls) < 0.5 {
		calls++
	}
	t.Logf("%d calls", calls)
}

// TestObjective works out an objective from the promise to the alert.
func TestObjective(t *testing.T) {
	const promised, views, calls, burn, hours = 0.99, 10_000_000, 20, 14.4, 30 * 24
	t.Log("\n" + numbers.Table([][]string{
		{"objective", "99 % of views within 1 s, over 30 days"},
		{"budget of 10 million views", numbers.Thousands(uint64(math.Round((1-promised)*views))) + " slow views"},
		{"each of 20 calls per view", fmt.Sprintf("within 1 s in %.2f %%", 100*math.Pow(promised, 1.0/calls))},
		{"alert at burn rate 14.4", fmt.Sprintf("%.1f %% of the last hour's views are slow", 100*burn*(1-promised))},
		{"budget spent in that hour", fmt.Sprintf("%.0f %%", 100*burn/hours)},
	}))
}

// TestHistogramSize logs what the reference keeps, and how far off it is.
func TestHistogramSize(t *testing.T) {
	r, h, worst := rand.New(rand.NewPCG(35, 35)), percentiles.NewHistogram(), 0.0
	values := make([]time.Duration, 1<<16)
	for i := range values { // evenly over the orders of magnitude from 1 µs to 1 h
		values[i] = time.Duration(float64(time.Microsecond) * math.Pow(3.6e9, r.Float64()))
		must(t, h.Record(values[i]))
	}
	slices.Sort(values)
	for i := 1; i <= 1000; i++ {
		right := values[(i*len(values)+999)/1000-1]
		worst = max(worst, math.Abs(float64(at(t, h, float64(i)/1000)-right))/float64(right))
	}
	if worst > 1.0/128 {
		t.Errorf("the error is up to %v, want half a bucket at most", worst)
	}
	t.Logf("%d KiB", reflect.TypeFor[percentiles.Histogram]().Size()>>10)
	t.Logf("%.2f %%", 100*worst)
}

// TestFixedBuckets logs what linear interpolation makes of a p99 of 1.3 s between the bounds 1 s and 3 s.
func TestFixedBuckets(t *testing.T) {
	const below, q = 0.95, 0.99 // 95 % of the requests take less than 1 s, the others 1.3 s
	t.Logf("%.1f s", 1+(3-1)*(q-below)/(1-below))
}

// normal returns latencies around a mean.
func normal(r *rand.Rand, n int, mean, deviation time.Duration) []time.Duration {
	values := make([]time.Duration, n)
	for i := range values {
		values[i] = max(0, mean+time.Duration(r.NormFloat64()*float64(deviation)))
	}
	return values
}

// slow is how many latencies are longer than a second.
func slow(latencies []time.Duration) (n int) {
	for _, d := range latencies {
		if d > time.Second {
			n++
		}
	}
	return n
}

// at is a quantile of a histogram that is not empty.
func at(t *testing.T, h *percentiles.Histogram, q float64) time.Duration {
	t.Helper()
	d, err := h.Quantile(q)
	must(t, err)
	return d
}

// short is a latency in two digits, or in three as whole milliseconds.
func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1000)
	default:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	}
}
