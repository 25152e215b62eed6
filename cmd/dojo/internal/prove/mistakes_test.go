package prove

import (
	"testing"
	"time"
)

func TestMistakesRunLessOftenInASoak(t *testing.T) {
	for runs, want := range map[int]int{1: 1, 2: 2, 3: 3, 20: 3, 39: 3, 40: 4, 100: 10} {
		if got := (Options{Runs: runs}).mistakeRuns(); got != want {
			t.Errorf("with --runs %d a mistake runs %d times, want %d", runs, got, want)
		}
	}
}

func TestASlowSuiteIsWaitedForLonger(t *testing.T) {
	for _, c := range []struct {
		runs            int
		reference, want time.Duration
	}{
		{1, 0, 4 * time.Second},
		{0, 0, 4 * time.Second}, // a mistake that is tried alone
		{1, 3 * time.Second, 4 * time.Second},
		{1, 30 * time.Second, 30 * time.Second},
		{10, 300 * time.Second, 30 * time.Second},
	} {
		p := &proof{Prover: &Prover{Options: Options{Runs: c.runs}}, report: Report{Work: Work{"reference": c.reference}}}
		if got := p.patience(); got != c.want {
			t.Errorf("the reference took %v for %d runs on each of three numbers of processors: a run keeps its slot for %v, want %v",
				c.reference, c.runs, got, c.want)
		}
	}
}
