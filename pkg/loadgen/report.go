package loadgen

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A Report is what came of a run. It does not change any more.
type Report struct {
	Interval // all of it

	// Intervals are the run cut into equal parts, up to the last in which a
	// request was due.
	Intervals []Interval

	// Objective is that of the load.
	Objective time.Duration

	// Lag is how late the generator itself was at worst. In virtual time it
	// is 0.
	Lag time.Duration

	// Errors are the first different errors of refused and failed requests, the
	// most frequent first. There are at most MaxErrors; requests that ended in
	// others are counted by OtherErrors. What [Answer] makes of a status is told
	// apart by the status.
	Errors      []ErrorCount
	OtherErrors int

	how    string
	served *hdrhistogram.Histogram // latencies in ns
	worst  time.Duration           // the largest of them
}

// An Interval is the requests that were due in a while.
type Interval struct {
	From, To time.Duration // since the start of the run; To is not included

	Sent    int           // all of the following together
	Good    int           // served within the objective
	Late    int           // served, but later
	Refused int           // turned away with ErrRefused
	Failed  int           // ended in another error
	Worst   time.Duration // the longest until an answer of any kind
}

// Goodput returns good answers a second.
func (i Interval) Goodput() float64 { return i.perSecond(i.Good) }

// Share returns the share of requests with a good answer, 0 if there were no
// requests.
func (i Interval) Share() float64 { return float64(i.Good) / float64(max(i.Sent, 1)) }

func (i Interval) perSecond(n int) float64 {
	if i.To <= i.From {
		return 0
	}
	return float64(n) / (i.To - i.From).Seconds()
}

// Between returns the requests that were due from one time to another, both
// rounded down to whole intervals. What lies beyond the run is left out.
func (r *Report) Between(from, to time.Duration) Interval {
	var sum Interval
	for _, i := range r.Intervals {
		if i.To <= from || i.To > to {
			continue
		}
		if sum.To == 0 {
			sum.From = i.From
		}
		sum = sum.and(i)
	}
	return sum
}

// and joins an interval with the one after it.
func (i Interval) and(next Interval) Interval {
	return Interval{
		From: i.From, To: next.To,
		Sent: i.Sent + next.Sent,
		Good: i.Good + next.Good, Late: i.Late + next.Late,
		Refused: i.Refused + next.Refused, Failed: i.Failed + next.Failed,
		Worst: max(i.Worst, next.Worst),
	}
}

// Quantile returns the latency that a share q of the served requests did not
// exceed, to 1 %; q is from 0 to 1. Quantile(1) is exact. It is 0 if none was
// served.
func (r *Report) Quantile(q float64) time.Duration {
	n := float64(r.served.TotalCount())
	// The histogram rounds q×n to the nearest rank, which may be below the share.
	rank := math.Ceil(q * n)
	if (rank-1)/n >= q {
		rank-- // q×n was a whole number, and its product a little more
	}
	return min(time.Duration(r.served.ValueAtPercentile(100*rank/n)), r.worst)
}

// Rows returns the run over time, for a figure or a CSV file: a header, and a
// row for each interval. Counts are by the second.
func (r *Report) Rows() [][]string {
	rows := [][]string{{"from_s", "sent_per_s", "good_per_s", "late_per_s", "refused_per_s", "failed_per_s", "worst_ms"}}
	for _, i := range r.Intervals {
		row := []string{fmt.Sprintf("%g", i.From.Seconds())}
		for _, n := range []int{i.Sent, i.Good, i.Late, i.Refused, i.Failed} {
			row = append(row, fmt.Sprintf("%.1f", i.perSecond(n)))
		}
		rows = append(rows, append(row, fmt.Sprintf("%.1f", 1000*i.Worst.Seconds())))
	}
	return rows
}

// String returns the report as tables, with the errors and without the intervals.
func (r *Report) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%d requests in %v, %s\n\n", r.Sent, r.To-r.From, r.how)
	good := "good"
	if r.Objective > 0 {
		good = fmt.Sprintf("good, within %v", r.Objective)
	}
	fmt.Fprintf(&out, "%-24s %9s %10s %8s\n", "", "requests", "a second", "share")
	for _, row := range []struct {
		name string
		n    int
	}{{good, r.Good}, {"late", r.Late}, {"refused", r.Refused}, {"failed", r.Failed}} {
		fmt.Fprintf(&out, "%-24s %9d %10.1f %6.1f %%\n", row.name, row.n, r.perSecond(row.n), 100*float64(row.n)/float64(max(r.Sent, 1)))
	}
	r.writeErrors(&out)
	fmt.Fprintf(&out, "\n%-24s", "latency of the served")
	for _, column := range []string{"p50", "p90", "p99", "p99.9", "max"} {
		fmt.Fprintf(&out, " %9s", column)
	}
	fmt.Fprintf(&out, "\n%-24s", "")
	for _, q := range []float64{0.5, 0.9, 0.99, 0.999, 1} {
		fmt.Fprintf(&out, " %9s", short(r.Quantile(q)))
	}
	out.WriteString("\n")
	if r.Lag > 0 {
		fmt.Fprintf(&out, "\nthe generator itself was up to %s late\n", short(r.Lag))
	}
	return out.String()
}

// Timeline returns the intervals as a table, for a failure message. More than
// 30 are joined, two or more to a row.
func (r *Report) Timeline() string {
	var out strings.Builder
	out.WriteString("requests a second, by when they were due, and the longest wait for an answer\n\n")
	fmt.Fprintf(&out, "%10s %8s %8s %8s %8s %8s %10s\n", "from", "sent", "good", "late", "refused", "failed", "longest")
	step := (len(r.Intervals) + 29) / 30
	for part := range slices.Chunk(r.Intervals, max(step, 1)) {
		sum := part[0]
		for _, i := range part[1:] {
			sum = sum.and(i)
		}
		fmt.Fprintf(&out, "%10v", sum.From)
		for _, n := range []int{sum.Sent, sum.Good, sum.Late, sum.Refused, sum.Failed} {
			fmt.Fprintf(&out, " %8.1f", sum.perSecond(n))
		}
		fmt.Fprintf(&out, " %10s\n", short(sum.Worst))
	}
	return out.String()
}

// short rounds a duration to three digits.
func short(d time.Duration) string {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}

// A recorder makes a report. All of its methods may be called at once.
type recorder struct {
	start time.Time
	every time.Duration

	mu  sync.Mutex // guards out
	out *Report
}

func newRecorder(how string, objective, every time.Duration) *recorder {
	if every <= 0 {
		every = time.Second
	}
	return &recorder{start: time.Now(), every: every, out: &Report{
		Objective: objective, how: how, served: hdrhistogram.New(1, math.MaxInt64, 2), // two digits: 1 %
	}}
}

// sent notes a request that is sent now.
func (r *recorder) sent(due time.Duration) {
	lag := time.Since(r.start) - due
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out.Lag = max(r.out.Lag, lag)
	r.in(due).Sent++
}

// answered notes the answer of a request, which comes now.
func (r *recorder) answered(due time.Duration, err error) {
	latency := time.Since(r.start) - due
	text := ""
	if err != nil {
		text = errorText(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.out.countError(text)
	}
	i := r.in(due)
	i.Worst = max(i.Worst, latency)
	switch {
	case errors.Is(err, ErrRefused):
		i.Refused++
		return
	case err != nil:
		i.Failed++
		return
	case r.out.Objective > 0 && latency > r.out.Objective:
		i.Late++
	default:
		i.Good++
	}
	r.out.worst = max(r.out.worst, latency)
	if err := r.out.served.RecordValue(int64(latency)); err != nil {
		panic(err) // the histogram takes every latency, and none is negative
	}
}

// in returns the interval of a time. Callers hold mu.
func (r *recorder) in(due time.Duration) *Interval {
	k := int(max(due, 0) / r.every)
	for n := len(r.out.Intervals); n <= k; n++ {
		from := time.Duration(n) * r.every
		r.out.Intervals = append(r.out.Intervals, Interval{From: from, To: from + r.every})
	}
	return &r.out.Intervals[k]
}

func (r *recorder) done() *Report {
	for _, i := range r.out.Intervals {
		r.out.Interval = r.out.and(i)
	}
	r.out.sortErrors()
	return r.out
}
