//go:build solutions && !race

package loadshed_test

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/loadgen"
)

// The numbers that docs/loadshed.md quotes. The server is that of the figures.

func noProtection(next http.Handler) http.Handler { return next }

// atMost is the limit of the example.
func atMost(n int) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler { return limit(n, next) }
}

// steady is the second half of 20 s at a load, in times of the capacity.
func steady(t *testing.T, load float64, front func(http.Handler) http.Handler) (half loadgen.Interval) {
	bubble.Run(t, func(t *testing.T) {
		r := loadgen.Open{Arrivals: loadgen.Steady(load*capacity, 20*time.Second).Poisson(1), Objective: objective}.Run(t.Context(), shop(front))
		half = r.Between(10*time.Second, r.To)
	})
	return half
}

func TestTenTimes(t *testing.T) {
	without, with := steady(t, 10, noProtection).Goodput(), steady(t, 10, reference).Goodput()
	// To the nearest ten: what ten seconds of random requests need differs by a few from the average.
	t.Logf("%.0f good answers a second without protection, about %.0f with an adaptive limit", without, 10*math.Round(with/10))
	if without > 1 || with < 0.95*capacity {
		t.Errorf("At ten times the capacity goodput is %.1f without protection and %.1f with an adaptive limit; want none, and the capacity", without, with)
	}
}

// What a fixed limit does that is too low, right, and too high.
func TestLimits(t *testing.T) {
	var table strings.Builder
	table.WriteString("| limit | time inside when full | refused at 0.8 × capacity | good/s at 2 × | good/s at 10 × |\n|---|---|---|---|---|\n")
	row := func(name, inside string, front func(http.Handler) http.Handler) {
		low := steady(t, 0.8, front)
		fmt.Fprintf(&table, "| %s | %s | %.0f %% | %.0f | %.0f |\n", name, inside, 100*float64(low.Refused)/float64(low.Sent),
			steady(t, 2, front).Goodput(), steady(t, 10, front).Goodput())
	}
	for _, n := range []int{10, 20, 50, 100, 200} {
		row(fmt.Sprint(n), fmt.Sprintf("%.1f s", float64(n)/capacity), atMost(n))
	}
	row("none", "grows", noProtection)
	row("adaptive", "0.5 s", reference)
	t.Log("\n" + table.String())
}

// A spike of 4 s from clients that give up after 2 s and make three attempts, as in the figure.
func TestSpike(t *testing.T) {
	const before, spike, after = 10 * time.Second, 4 * time.Second, 46 * time.Second
	run := func(front func(http.Handler) http.Handler) (r *loadgen.Report) {
		bubble.Run(t, func(t *testing.T) {
			r = loadgen.Open{Arrivals: loadgen.Spike(0.6*capacity, 4*capacity, before, spike, after).Poisson(1), Objective: objective}.
				Run(t.Context(), loadgen.Retry(shop(front), 2*time.Second, 3))
			time.Sleep(time.Hour) // what was given up is still worked on
		})
		return r
	}
	without, with := run(noProtection), run(reference)
	end := without.Between(without.To-10*time.Second, without.To)
	normal := before + spike
	for _, second := range with.Intervals {
		if second.From >= normal && second.Share() < 0.98 {
			normal = second.To
		}
	}
	t.Logf("%.0f %% of new clients get a good answer %.0f s after the spike; with the adaptive limit at least 98 %% do from %.0f s on",
		100*end.Share(), after.Seconds(), (normal - before - spike).Seconds())
	if end.Good > 0 || normal > before+spike+20*time.Second {
		t.Errorf("Without protection %d answers are good at the end, and with the adaptive limit service is normal from %v on; want none, and 20 s after the spike", end.Good, normal)
	}
}
