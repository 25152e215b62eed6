package interleave_test

import (
	"fmt"
	stdsync "sync"
	"testing"

	"github.com/backend-kata/dojo/pkg/interleave"
	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// BenchmarkSchedules is the time of one schedule, with four points of the test's for
// each actor and with four at locks. Explore takes a *testing.T, so a test of its own
// lends one.
func BenchmarkSchedules(b *testing.B) {
	for _, actors := range []int{2, 3} {
		b.Run(fmt.Sprintf("%d actors of 4 points", actors), func(b *testing.B) {
			schedules(b, actors, func(s *interleave.Schedule) { s.Point("go on") })
		})
		b.Run(fmt.Sprintf("%d actors of 4 locks", actors), func(b *testing.B) {
			var mu sync.Mutex
			schedules(b, actors, func(*interleave.Schedule) {
				mu.Lock()
				mu.Unlock() //nolint:staticcheck // an empty section is what is measured
			})
		})
	}
}

func schedules(b *testing.B, actors int, do func(s *interleave.Schedule)) {
	lend := func(t *testing.T) {
		for tried := 0; tried < b.N; {
			tried += interleave.ExploreWithin(t, b.N-tried, func(_ *testing.T, s *interleave.Schedule) {
				for a := range actors {
					s.Go(fmt.Sprint(a), func() {
						for range 4 {
							do(s)
						}
					})
				}
				s.Run()
			}).Schedules
		}
	}
	if !testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: b.Name(), F: lend}}) {
		b.Fatal("an exploration failed")
	}
}

// BenchmarkFreeRuns says how often a lost update happens where nobody steers: two
// goroutines read a number under a lock and write it under the lock. An
// exploration finds it in its third schedule.
func BenchmarkFreeRuns(b *testing.B) {
	lost := 0
	for b.Loop() {
		var (
			mu stdsync.Mutex
			n  int
			wg stdsync.WaitGroup
		)
		for range 2 {
			wg.Go(func() {
				mu.Lock()
				was := n
				mu.Unlock()
				mu.Lock()
				n = was + 1
				mu.Unlock()
			})
		}
		wg.Wait()
		if n != 2 {
			lost++
		}
	}
	b.ReportMetric(float64(b.N)/float64(max(lost, 1)), "runs/lost-update")
}
