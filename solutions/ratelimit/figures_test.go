//go:build solutions

package ratelimit_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/solutions/internal/figure"
	"github.com/backend-kata/dojo/solutions/ratelimit"
)

// The figure and the numbers of docs/ratelimit.md come from here. With -v the tests print the numbers; make figures draws.

// An algorithm decides about one request. Time is in nanoseconds since a full minute.
type algorithm struct {
	name  string
	state string // for a key
	role  figure.Role
	label figure.Place
	allow func() func(now int64) bool
}

const minute = int64(time.Minute)

// The limit is 100 a minute everywhere.
var algorithms = []algorithm{
	{"fixed window", "a counter, and which window", figure.Wrong, figure.Place{X: 8, Y: 208}, func() func(now int64) bool {
		window, count := int64(-1), 0
		return func(now int64) bool {
			if now/minute != window {
				window, count = now/minute, 0
			}
			count++
			return count <= 100
		}
	}},
	{"token bucket, burst 100", "a time", figure.Right, figure.Place{X: 3, Y: 168}, bucket100(100)},
	{"sliding log", "100 times", figure.Halfway, figure.Place{X: 3, Y: 84}, func() func(now int64) bool {
		var log []int64
		return func(now int64) bool {
			for len(log) > 0 && log[0] <= now-minute {
				log = log[1:]
			}
			if len(log) == 100 {
				return false
			}
			log = append(log, now)
			return true
		}
	}},
	{"sliding window counter", "two counters, and which window", figure.Halfway, figure.Place{}, func() func(now int64) bool {
		window, before, count := int64(-1), int64(0), int64(0)
		return func(now int64) bool {
			switch now / minute {
			case window:
			case window + 1:
				window, before, count = window+1, count, 0
			default:
				window, before, count = now/minute, 0, 0
			}
			if before*(minute-now%minute)/minute+count >= 100 { // those of the last window that are still in the last minute, on average
				return false
			}
			count++
			return true
		}
	}},
	{"token bucket, burst 10", "a time", figure.Right, figure.Place{X: 59, Y: 42, End: true}, bucket100(10)},
}

// bucket100 is the reference.
func bucket100(burst int) func() func(now int64) bool {
	return func() func(now int64) bool {
		var now int64
		l := ratelimit.New(ratelimit.Config{
			Limits:  []ratelimit.Limit{{Name: "minute", N: 100, Per: time.Minute, Burst: burst}},
			MaxKeys: 1,
			Now:     func() time.Time { return time.Unix(0, now) },
		})
		return func(at int64) bool {
			now = at
			wait, err := l.Allow("client", 1)
			return err == nil && wait == 0
		}
	}
}

// flood asks a thousand times a second from half a second before a full minute on, and returns when it passed.
func flood(allow func(now int64) bool) (passed []int64) {
	for now := minute - int64(500*time.Millisecond); now < 10*minute; now += int64(time.Millisecond) {
		if allow(now) {
			passed = append(passed, now)
		}
	}
	return passed
}

// most returns how many pass at most in a window of a length, which begins with one that passes.
func most(passed []int64, length time.Duration) (n int) {
	first := 0
	for i, at := range passed {
		for at-passed[first] > int64(length) {
			first++
		}
		n = max(n, i-first+1)
	}
	return n
}

func TestFigureBorder(t *testing.T) {
	lengths := []time.Duration{0}
	for l := 100 * time.Millisecond; l <= 2*time.Second; l += 100 * time.Millisecond {
		lengths = append(lengths, l)
	}
	for l := 3 * time.Second; l <= time.Minute; l += time.Second {
		lengths = append(lengths, l)
	}
	head, rows := []string{"window_s"}, make([][]string, len(lengths))
	chart := figure.Chart{
		Title:  "At the border of two windows, twice the limit passes at once",
		Assume: "100 a minute. A client floods from half a second before a full minute on.",
		Alt: "The most requests that pass in any window of time, by its length. A fixed window lets 200 pass within a second. A token bucket with a burst of " +
			"100 lets 100 pass at once and 200 within a minute, one with a burst of 10 at most 110. A sliding log keeps to 100.",
		X: figure.Axis{Label: "length of the window in seconds", Scale: figure.Linear(0, 60), Ticks: figure.Even(0, 60, 10, "%.0f")},
		Y: figure.Axis{Label: "most requests that pass in it", Scale: figure.Linear(0, 220), Ticks: figure.Even(0, 200, 50, "%.0f")},
	}
	for i, l := range lengths {
		rows[i] = []string{fmt.Sprint(l.Seconds())}
	}
	for _, a := range algorithms {
		passed := flood(a.allow())
		head = append(head, strings.ReplaceAll(strings.ReplaceAll(a.name, ",", ""), " ", "_"))
		line := figure.Line{Name: a.name, Role: a.role, Label: a.label}
		for i, l := range lengths {
			n := most(passed, l)
			rows[i] = append(rows[i], fmt.Sprint(n))
			line.Points = append(line.Points, [2]float64{l.Seconds(), float64(n)})
		}
		if a.label != (figure.Place{}) { // the sliding window counter lies on the first token bucket
			chart.Lines = append(chart.Lines, line)
		}
	}
	figure.Current(t, "ratelimit-border", append([][]string{head}, rows...), chart)
}

func TestBorder(t *testing.T) {
	within := func(i int) int { return most(flood(algorithms[i].allow()), time.Second) }
	t.Logf("with a limit of 100 a minute, a fixed window lets %d pass within one second, a token bucket %d", within(0), within(1))
}

func TestAlgorithms(t *testing.T) {
	table := "| 100 a minute | most within 1 s | most within 60 s | in 9 min of flood | what a key takes |\n|---|---|---|---|---|\n"
	for _, a := range algorithms {
		passed := flood(a.allow())
		table += fmt.Sprintf("| %s | %d | %d | %d | %s |\n", a.name, most(passed, time.Second), most(passed, time.Minute-1), len(passed), a.state)
	}
	t.Log("\n" + table)
}
