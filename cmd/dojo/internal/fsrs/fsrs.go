// Package fsrs says when a card is to be seen again, so that it is still known
// nine times out of ten. It is FSRS-6 (Free Spaced Repetition Scheduler) with the
// parameters that its authors publish as defaults, from the review histories of
// some 10,000 users; nothing is fitted to this learner.
//
// Sources: J. Ye, J. Su and Y. Cao, A Stochastic Shortest Path Algorithm for Optimizing
// Spaced Repetition Scheduling, KDD 2022; the formulas and parameters of version 6,
// open-spaced-repetition/fsrs4anki, wiki page The Algorithm. The tests hold it against
// the intervals that its authors publish.
package fsrs

import (
	"math"
	"time"
)

// A Rating is how well a card was known.
type Rating int

// The ratings.
const (
	Again Rating = iota + 1 // forgotten
	Hard
	Good
	Easy
)

// A Memory is what is known of a learner and a card. The zero Memory is of a card
// that was never seen.
type Memory struct {
	Stability  float64   `json:"stability"`  // days in which the chance to know it falls from 1 to 0.9
	Difficulty float64   `json:"difficulty"` // from 1 to 10
	Seen       time.Time `json:"seen"`
	Due        time.Time `json:"due"`
}

// w are the parameters, numbered as the formulas have them.
var w = [21]float64{
	0.212, 1.2931, 2.3065, 8.2956, 6.4133, 0.8334, 3.0194, 0.001, 1.8722, 0.1666, 0.796,
	1.4835, 0.0614, 0.2629, 1.6483, 0.6014, 1.8729, 0.5425, 0.0912, 0.0658, 0.1542,
}

const (
	retention = 0.9
	day       = 24 * time.Hour
	soon      = 10 * time.Minute // what was forgotten comes back in the same sitting
	longest   = 36_500           // days
)

// New reports whether the card was never seen.
func (m Memory) New() bool { return m.Seen.IsZero() }

// Recall is the chance that the card is known now.
func (m Memory) Recall(now time.Time) float64 {
	if m.New() {
		return 0
	}
	return math.Pow(1+factor()*days(now.Sub(m.Seen))/m.Stability, -w[20])
}

// factor makes the chance 0.9 when as many days have passed as the stability has.
func factor() float64 { return math.Pow(0.9, -1/w[20]) - 1 }

// days counts whole days; a clock that was set back counts as none.
func days(d time.Duration) float64 { return max(0, math.Floor(d.Hours()/24)) }

// Review returns the memory after the card was seen and rated.
func (m Memory) Review(r Rating, now time.Time) Memory {
	next := Memory{Seen: now}
	switch {
	case m.New():
		next.Stability, next.Difficulty = w[r-1], difficult(firstDifficulty(r))
	case days(now.Sub(m.Seen)) < 1:
		next.Stability, next.Difficulty = m.sameDay(r), m.nextDifficulty(r)
	case r == Again:
		next.Stability, next.Difficulty = m.forgotten(m.Recall(now)), m.nextDifficulty(r)
	default:
		next.Stability, next.Difficulty = m.recalled(r, m.Recall(now)), m.nextDifficulty(r)
	}
	next.Stability = max(next.Stability, 0.001)
	next.Due = now.Add(next.interval(r))
	return next
}

func (m Memory) interval(r Rating) time.Duration {
	if r == Again {
		return soon
	}
	n := math.Round(m.Stability / factor() * (math.Pow(retention, -1/w[20]) - 1))
	return time.Duration(min(max(n, 1), longest)) * day
}

func difficult(d float64) float64 { return min(max(d, 1), 10) }

func firstDifficulty(r Rating) float64 { return w[4] - math.Exp(w[5]*float64(r-1)) + 1 }

// nextDifficulty moves towards what the rating says, the less the nearer it is to
// 10, and a little back to that of an easy card.
func (m Memory) nextDifficulty(r Rating) float64 {
	d := m.Difficulty - w[6]*float64(r-Good)*(10-m.Difficulty)/9
	return difficult(w[7]*firstDifficulty(Easy) + (1-w[7])*d)
}

func (m Memory) sameDay(r Rating) float64 {
	growth := math.Exp(w[17]*(float64(r-Good)+w[18])) * math.Pow(m.Stability, -w[19])
	if r >= Good {
		growth = max(growth, 1)
	}
	return m.Stability * growth
}

func (m Memory) recalled(r Rating, recall float64) float64 {
	growth := math.Exp(w[8]) * (11 - m.Difficulty) * math.Pow(m.Stability, -w[9]) * math.Expm1(w[10]*(1-recall))
	switch r {
	case Hard:
		growth *= w[15]
	case Easy:
		growth *= w[16]
	case Again, Good:
	}
	return m.Stability * (1 + growth)
}

func (m Memory) forgotten(recall float64) float64 {
	long := w[11] * math.Pow(m.Difficulty, -w[12]) * (math.Pow(m.Stability+1, w[13]) - 1) * math.Exp(w[14]*(1-recall))
	return min(long, m.Stability/math.Exp(w[17]*w[18]))
}
