package loadgen

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/internal/rerun"
)

// A Want is what a run is held to. What is 0 is not asked for.
type Want struct {
	From, To time.Duration // of which requests; a To of 0 is the end

	Goodput float64 // good answers a second, at least
	Share   float64 // of requests with a good answer, at least

	P50, P99 time.Duration // at most; always of the whole run
}

// Check returns an error that says what was expected, what happened, and how
// the run went over time, or nil if it was as wanted. A run in which no request
// was due at the time in question is an error.
func (r *Report) Check(w Want) error {
	to := w.To
	if to == 0 {
		to = r.To
	}
	part := r.Between(w.From, to)
	var lacks []string
	lack := func(format string, args ...any) { lacks = append(lacks, fmt.Sprintf(format, args...)) }
	if part.Sent == 0 {
		lack("requests were expected from %v to %v, and none was due", w.From, to)
	} else {
		part.check(w, r.Objective, lack)
	}
	for _, q := range []struct {
		name string
		q    float64
		most time.Duration
	}{{"p50", 0.5, w.P50}, {"p99", 0.99, w.P99}} {
		if got := r.Quantile(q.q); q.most > 0 && got > q.most {
			lack("a %s of at most %v was expected, and it is %s", q.name, q.most, short(got))
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	return fmt.Errorf("%s\n\n%s\n%s", strings.Join(lacks, "\n"), r, r.Timeline())
}

func (i Interval) check(w Want, objective time.Duration, lack func(string, ...any)) {
	within := ""
	if objective > 0 {
		within = fmt.Sprintf(" within %v", objective)
	}
	if got := i.Goodput(); got < w.Goodput {
		lack("at least %.1f good answers a second%s were expected from %v to %v, and there were %.1f", w.Goodput, within, i.From, i.To, got)
	}
	if got := i.Share(); got < w.Share {
		lack("a good answer%s was expected to at least %.1f %% of requests from %v to %v, and %.1f %% had one", within, 100*w.Share, i.From, i.To, 100*got)
	}
}

// Expect fails the test if the run was not as wanted, and says how to run the
// test again.
func Expect(t testing.TB, r *Report, w Want) {
	t.Helper()
	if err := r.Check(w); err != nil {
		t.Fatalf("%v\nagain: %s", err, rerun.Command(t.Name()))
	}
}
