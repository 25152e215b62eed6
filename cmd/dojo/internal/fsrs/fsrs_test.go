package fsrs

import (
	"math"
	"slices"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 27, 20, 0, 0, 0, time.UTC)

// The states after the four first ratings, and after a history of six reviews, are
// those that the authors of FSRS-6 publish with their implementations.
func TestPublishedStates(t *testing.T) {
	for r, want := range map[Rating]Memory{
		Again: {Stability: 0.212, Difficulty: 6.4133},
		Hard:  {Stability: 1.2931, Difficulty: 5.1121707},
		Good:  {Stability: 2.3065, Difficulty: 2.118104},
		Easy:  {Stability: 8.2956, Difficulty: 1},
	} {
		near(t, Memory{}.Review(r, start), want.Stability, want.Difficulty)
	}
	m, now := Memory{}, start
	for i, r := range []Rating{Again, Good, Good, Good, Good, Good} {
		now = now.Add(time.Duration([]int{0, 0, 1, 3, 8, 21}[i]) * day)
		m = m.Review(r, now)
	}
	near(t, m, 53.62691, 6.3574867)
}

func near(t *testing.T, m Memory, stability, difficulty float64) {
	t.Helper()
	if math.Abs(m.Stability-stability) > 1e-4 || math.Abs(m.Difficulty-difficulty) > 1e-4 {
		t.Errorf("stability %v and difficulty %v, want %v and %v", m.Stability, m.Difficulty, stability, difficulty)
	}
}

// The intervals that they publish, in days. The first 0 is a step of ten minutes that a
// new card takes there, and not here, so the test takes it.
func TestPublishedIntervals(t *testing.T) {
	m, now := Memory{}.Review(Good, start), start.Add(soon)
	var got []float64
	for _, r := range []Rating{Good, Good, Good, Good, Good, Again, Again, Good, Good, Good, Good, Good} {
		m = m.Review(r, now)
		got = append(got, days(m.Due.Sub(now)))
		if r == Again && m.Due.Sub(now) != 10*time.Minute {
			t.Errorf("what was forgotten comes back after %v, want 10 minutes", m.Due.Sub(now))
		}
		now = m.Due
	}
	if want := []float64{2, 11, 46, 163, 498, 0, 0, 2, 4, 7, 12, 21}; !slices.Equal(got, want) {
		t.Fatalf("the intervals are %v days, want %v", got, want)
	}
}

func TestRecall(t *testing.T) {
	m := Memory{Stability: 10, Difficulty: 5, Seen: start}
	for after, want := range map[int]float64{0: 1, 10: 0.9, -3: 1} {
		if got := m.Recall(start.Add(time.Duration(after) * day)); math.Abs(got-want) > 1e-9 {
			t.Errorf("after %d days of a stability of 10 the chance is %v, want %v", after, got, want)
		}
	}
	if got := (Memory{}).Recall(start); got != 0 {
		t.Errorf("a card that was never seen is known with a chance of %v", got)
	}
}

func TestBounds(t *testing.T) {
	m, now := Memory{}, start
	for range 200 {
		m = m.Review(Easy, now)
		now = m.Due
	}
	if m.Difficulty != 1 || m.Due.Sub(m.Seen) != 36_500*day {
		t.Errorf("after 200 easy reviews: difficulty %v, interval %v", m.Difficulty, m.Due.Sub(m.Seen))
	}
	for range 200 {
		m = m.Review(Again, now)
		now = now.Add(day)
	}
	if m.Difficulty > 10 || m.Stability < 0.001 {
		t.Errorf("after 200 failures: %+v", m)
	}
	if next := m.Review(Hard, now); next.Due.Sub(now) < day {
		t.Errorf("what is known, if barely, comes back after %v, want a day at least", next.Due.Sub(now))
	}
}
