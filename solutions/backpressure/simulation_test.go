//go:build solutions

package backpressure_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/solutions/backpressure"
	"github.com/backend-kata/dojo/solutions/internal/figure"
	"github.com/backend-kata/dojo/solutions/internal/numbers"
)

// The figure and the numbers of docs/backpressure.md come from here. With -v the
// tests print the numbers; make figures draws.

// One worker does 10 jobs a second, and 11 a second come in, for an hour.
const (
	service  = 100 * time.Millisecond
	patience = 30 * time.Second // a client that waits longer has given up
)

var hours = []struct {
	capacity int
	name     string
	want     outcome
}{
	{1 << 30, "without a bound", outcome{accepted: 39_601, refused: 0, left: 3601, longest: 360 * time.Second, inTime: 3300}},
	{1000, "1,000", outcome{accepted: 37_000, refused: 2601, left: 1000, longest: 100 * time.Second, inTime: 3300}},
	{20, "20", outcome{accepted: 36_020, refused: 3581, left: 20, longest: 2 * time.Second, inTime: 36_000}},
}

type outcome struct {
	accepted, refused int
	left              int           // jobs accepted and not handled when the hour is over
	longest           time.Duration // that a job waited, in whole tenths of a second
	inTime            int           // jobs that began within the hour, and before their client gave up
}

// hour also returns how long those jobs waited that came at each minute.
func hour(t *testing.T, capacity int) (o outcome, waits []time.Duration) {
	t.Helper()
	bubble.Run(t, func(t *testing.T) {
		var last time.Duration
		start := time.Now()
		q, err := backpressure.New(backpressure.Config[time.Time]{Workers: 1, Capacity: capacity, Handle: func(_ context.Context, came time.Time) {
			last = time.Since(came)
			o.longest = max(o.longest, last.Round(service))
			if int(came.Sub(start).Minutes()) == len(waits) {
				waits = append(waits, last)
			}
			if last <= patience && time.Since(start) < time.Hour {
				o.inTime++
			}
			time.Sleep(service)
		}})
		if err != nil {
			t.Fatal(err)
		}
		for time.Since(start) < time.Hour {
			if q.TrySubmit(time.Now()) == nil {
				o.accepted++
			} else {
				o.refused++
			}
			time.Sleep(time.Second / 11)
		}
		o.left = o.accepted - int(time.Hour/service) // what came, less what one busy worker handles
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		waits = append(waits, last) // of the job that came at the end
	})
	return o, waits
}

func TestAnHourAtElevenTenths(t *testing.T) {
	table := "| capacity | refused | left after the hour | longest wait | begun within 30 s |\n|---|---|---|---|---|\n"
	for _, h := range hours {
		got, _ := hour(t, h.capacity)
		if got != h.want {
			t.Errorf("a capacity of %d: got %+v, want %+v", h.capacity, got, h.want)
		}
		table += fmt.Sprintf("| %s | %s | %s | %.0f s | %s |\n",
			h.name, numbers.Thousands(got.refused), numbers.Thousands(got.left), got.longest.Seconds(), numbers.Thousands(got.inTime))
	}
	t.Log("\n" + table)
	t.Logf("%.0f s without a bound, %.0f s with 20 places", hours[0].want.longest.Seconds(), hours[2].want.longest.Seconds())
	t.Log(numbers.Thousands(hours[0].want.inTime))
}

func TestFigureHour(t *testing.T) {
	rows := [][]string{{"minute", "without_a_bound_wait_s", "capacity_1000_wait_s", "capacity_20_wait_s"}}
	points := make([][][2]float64, len(hours))
	for i, h := range hours {
		_, waits := hour(t, h.capacity)
		for minute, wait := range waits {
			if i == 0 {
				rows = append(rows, []string{fmt.Sprint(minute)})
			}
			rows[minute+1] = append(rows[minute+1], fmt.Sprintf("%.1f", wait.Seconds()))
			points[i] = append(points[i], [2]float64{float64(minute), wait.Seconds()})
		}
	}
	figure.Current(t, "backpressure-hour", rows, figure.Chart{
		Title:  "A queue adds waiting time, not capacity",
		Assume: "One worker does 10 jobs a second; 11 come in. All three handle 36,000 in the hour. The full queue refuses.",
		Alt: "The wait over an hour with a tenth too much load. Without a bound it grows to 360 seconds, and passes the 30 seconds after which clients give up in " +
			"minute 5. With a capacity of 1,000 it stays at 100 seconds from minute 17 on. With a capacity of 20 it stays at 2 seconds.",
		X: figure.Axis{Label: "minutes of overload", Scale: figure.Linear(0, 60), Ticks: figure.Even(0, 60, 10, "%g")},
		Y: figure.Axis{Label: "wait in the queue, in seconds (jobs in the queue ÷ 10)", Scale: figure.Linear(0, 400), Ticks: figure.Even(0, 400, 100, "%g")},
		Lines: []figure.Line{
			{Name: "clients give up: 30 s", Role: figure.Offered, Points: [][2]float64{{0, 30}, {60, 30}}, Label: figure.Place{X: 59.5, Y: 39, End: true}},
			{Name: "no bound", Role: figure.Wrong, Points: points[0], Label: figure.Place{X: 38, Y: 275, End: true}},
			{Name: "capacity 1,000", Role: figure.Halfway, Points: points[1], Label: figure.Place{X: 59.5, Y: 112, End: true}},
			{Name: "capacity 20: 2 s", Role: figure.Right, Points: points[2], Label: figure.Place{X: 59.5, Y: 9, End: true}},
		},
		Marks: []figure.Mark{{X: 5, Y: 30, Name: "minute 5", Label: figure.Place{X: 7, Y: 9}}},
	})
}

// A worker that random jobs keep busy for a share of the time: arrivals are
// Poisson, and work is exponential.
func TestBusyIsSlow(t *testing.T) {
	const places = 20
	table := "| load, of capacity | mean wait, no bound | mean wait, 20 places | refused, 20 places |\n|---|---|---|---|\n"
	for _, load := range []float64{0.5, 0.8, 0.9, 0.95, 1} {
		unbounded, bounded, refused := waits(load, places)
		grows := load >= 1
		text := fmt.Sprintf("%.3g", unbounded)
		if grows {
			text = "no limit"
		}
		table += fmt.Sprintf("| %.0f %% | %s | %.2g | %s |\n", 100*load, text, bounded, percent(refused))
		simulated, simulatedRefused := simulate(load, places, 400_000)
		if math.Abs(simulated-bounded) > 0.05*bounded || math.Abs(simulatedRefused-refused) > 0.003 {
			t.Errorf("at a load of %g: computed a wait of %.3f, and %.4f refused; simulated %.3f and %.4f", load, bounded, refused, simulated, simulatedRefused)
		}
		if load <= 0.9 {
			if simulated, _ := simulate(load, 1<<30, 3_000_000); math.Abs(simulated-unbounded) > 0.05*unbounded {
				t.Errorf("at a load of %g without a bound: computed a wait of %.3f, and simulated %.3f", load, unbounded, simulated)
			}
		}
	}
	t.Log("\n" + table)
}

func percent(share float64) string {
	if share < 0.0005 {
		return "0 %"
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", 100*share), ".0") + " %"
}

// waits returns the mean wait of those who are let in, in mean service times,
// without a bound (M/M/1) and with one (M/M/1/K), and the share that is refused.
func waits(load float64, places int) (unbounded, bounded, refused float64) {
	probability, sum, inside := 1.0, 0.0, 0.0
	for n := range places + 2 { // n jobs are inside: one runs, the others wait
		sum += probability
		inside += float64(max(0, n-1)) * probability
		refused = probability
		probability *= load
	}
	refused /= sum
	return load / (1 - load), inside / sum / (load * (1 - refused)), refused // Little's law
}

// simulate returns the same of a run with so many jobs.
func simulate(load float64, places, jobs int) (wait, refused float64) {
	random := rand.New(rand.NewPCG(23, 23))
	var ends []float64 // of the jobs inside
	now, free, accepted := 0.0, 0.0, 0
	for range jobs {
		now += random.ExpFloat64() / load
		for len(ends) > 0 && ends[0] <= now {
			ends = ends[1:]
		}
		if len(ends) > places {
			continue
		}
		accepted++
		begins := max(now, free)
		wait += begins - now
		free = begins + random.ExpFloat64()
		ends = append(ends, free)
	}
	return wait / float64(accepted), 1 - float64(accepted)/float64(jobs)
}
