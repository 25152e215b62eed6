package testrun

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
	"github.com/backend-kata/dojo/kata"
)

func TestExplain(t *testing.T) {
	k := workbook.Kata{Question: kata.Question{Folder: "breaker"}, Root: t.TempDir()}
	for path, text := range map[string]string{
		k.Stub():        "package breaker\n",
		k.ShippedStub(): "package breaker\n\nimport \"errors\"\n\nvar ErrOpen = errors.New(\"the circuit is open\")\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		why, output string
		want        Explanation
	}{
		{
			"an error of the kata is called by its name",
			"    breaker_test.go:7: It opens. Expected the error \"the circuit is open\", got nil.\n",
			Explanation{Lines: []string{`It opens. Expected ErrOpen ("the circuit is open"), got nil.`}, Place: "kata/breaker/breaker_test.go:7"},
		},
		{
			"the learner's own line is named where the failure has it",
			"    breaker_test.go:7: deadlock\n        \n            breaker.go:31  breaker.(*Breaker).Do\n            breaker_test.go:9  breaker_test.TestDo\n",
			Explanation{
				Lines: []string{"deadlock", "", "    breaker.go:31  breaker.(*Breaker).Do", "    breaker_test.go:9  breaker_test.TestDo"},
				Place: "kata/breaker/breaker_test.go:7", Yours: "kata/breaker/breaker.go:31",
			},
		},
		{
			"what testify prints around a sentence goes",
			"    breaker_test.go:7: \n        \tError Trace:\t/clone/kata/breaker/breaker_test.go:7\n        \tError:      \tReceived unexpected error:\n        \t            \tno room\n        \tTest:       \tTestDo\n        \tMessages:   \tthe set-up is fine\n",
			Explanation{Lines: []string{"the set-up is fine", "Received unexpected error:", "no room"}, Place: "kata/breaker/breaker_test.go:7"},
		},
		{
			"a race that a step found says where it is, and not that a report is above",
			"==================\nWARNING: DATA RACE\nRead at 0x00c000012345 by goroutine 8:\n  breaker.(*Breaker).Do()\n      " + k.Stub() + ":12 +0x1\n\nPrevious write at 0x00c000012345 by goroutine 9:\n  breaker.(*Breaker).Do()\n      " + k.Stub() + ":13 +0x1\n==================\n" +
				"    breaker_test.go:7: two actors touched the same memory with nothing to order them; the race detector's report is above\n        \n        schedule 1 fails\n",
			Explanation{
				Lines: []string{"two actors touched the same memory with nothing to order them:", "read at kata/breaker/breaker.go:12", "write at kata/breaker/breaker.go:13", "", "schedule 1 fails"},
				Place: "kata/breaker/breaker_test.go:7", Yours: "kata/breaker/breaker.go:12",
			},
		},
		{
			"the last lines that the program printed are shown apart",
			"one\ntwo\nthree\n    breaker_test.go:7: It is shut.\nfour\n\x16--- FAIL: TestDo (0.00s)\n\x16FAIL\n",
			Explanation{Lines: []string{"It is shut."}, Place: "kata/breaker/breaker_test.go:7", Printed: []string{"two", "three", "four"}},
		},
	}
	busy := Explain(k, Result{
		Step: "TestDo", Died: true, Limit: 10 * time.Second,
		Output: "panic: bubble: TestDo still runs, and a running goroutine cannot be stopped; the test binary ends here\n\ngoroutine 7 [running]:\nbreaker.(*Breaker).Do()\n\t" + k.Stub() + ":12 +0x1\n",
	})
	if !strings.HasPrefix(busy.Lines[0], "The step did not end within 10s") || busy.Yours != "kata/breaker/breaker.go:12" {
		t.Errorf("a bubble that gave up on a loop without end was expected to be told as one: %+v", busy)
	}
	const report = "busy: goroutine 7 did not end in 10s of processor time, in which nothing else in the bubble moved; it is running at breaker.go:12"
	busy = Explain(k, Result{
		Step: "TestDo", Died: true, Limit: 20 * time.Second,
		Output: "    breaker_test.go:7: " + report + "\n--- FAIL: TestDo (10.0s)\npanic: bubble: TestDo still runs, and a running goroutine cannot be stopped; the test binary ends here\n",
	})
	if !strings.HasPrefix(busy.Lines[0], report) || busy.Yours != "kata/breaker/breaker.go:12" {
		t.Errorf("what the bubble reported before it gave up was expected: %+v", busy)
	}
	for _, tt := range tests {
		got := Explain(k, Result{Step: "TestDo", Output: tt.output})
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: want (-), got (+):\n%s", tt.why, diff)
		}
	}
}
