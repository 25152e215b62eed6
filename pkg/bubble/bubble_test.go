package bubble_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/internal/golden"
)

// programVar names the program that a child process runs.
const programVar = "BUBBLE_TEST_PROGRAM"

// usualPace are the programs whose verdict needs the watcher to take its time.
var usualPace = []string{"helped-from-outside", "helped-by-real-timer", "computes", "polls-for-ever", "slow-tickers"}

// TestMain sets the pace at which a child process looks at its bubbles.
func TestMain(m *testing.M) {
	switch name := os.Getenv(programVar); {
	case name == "" || slices.Contains(usualPace, name):
	case strings.HasSuffix(name, "-beside-ticker"):
		bubble.HurryWithClock()
	default:
		bubble.Hurry()
	}
	os.Exit(m.Run())
}

// TestProgram is the test that fails, in a child process.
func TestProgram(t *testing.T) {
	if run := programs[os.Getenv(programVar)]; run != nil {
		run(t)
	}
}

// TestAfter stands for the rest of a suite in a child process.
func TestAfter(t *testing.T) {
	bubble.Run(t, func(t *testing.T) { t.Log("the next test runs") })
}

func TestPrograms(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(programs)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := golden.Child([]string{programVar + "=" + name, "GOTRACEBACK="}, "-test.v", "-test.timeout=20s", "-test.run=^(TestProgram|TestAfter)$")
			golden.Check(t, name, neutral(name, out))
		})
	}
}

var neutralities = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`(?s)\ngoroutine \d+ \[running\]:.*`), ""}, // after a panic that ends the process
	{regexp.MustCompile(`goroutine \d+`), "goroutine N"},
	// What -trimpath and -cover add, and the width of a column that depends on it.
	{regexp.MustCompile(`github\.com/backend-kata/dojo/pkg/bubble/`), ""},
	{regexp.MustCompile(`(?m)^( +[\w/]+\.go:\d+) +`), "$1  "},
	{regexp.MustCompile(`:\d+  bubble_test\.spin`), ":N  bubble_test.spin"}, // anywhere in its loop
	{regexp.MustCompile(`(?m)( +\w+\.go):\d+  bubble_test\.poll$`), "$1:N  bubble_test.poll"},
	{regexp.MustCompile(`in (\d+h|\d+ days) of virtual time`), "in Nh of virtual time"},
	{regexp.MustCompile(`running at programs_test\.go:\d+`), "running at programs_test.go:N"},
	// Places in the standard library, and in other packages, differ from one version to the next.
	{regexp.MustCompile(`(?m)^( +(\w+|\.\.)/[\w/]+\.go):\d+ +`), "$1:N  "},
}

// neutral takes out of a program's output what differs from run to run.
func neutral(name, s string) string {
	for _, n := range neutralities {
		s = n.pattern.ReplaceAllString(s, n.with)
	}
	switch {
	case strings.HasPrefix(name, "parallel"): // the blocks come in any order
		lines := slices.DeleteFunc(strings.Split(s, "\n"), func(line string) bool { return strings.HasPrefix(line, "=== ") })
		slices.Sort(lines)
		s = strings.Join(lines, "\n")
	case name == "endless" || name == "livelock":
		// Which of the two rules for busy is met first differs, and where the
		// goroutines are; TestJudge tells the rules apart.
		s = regexp.MustCompile(`busy: (?s).*\n--- FAIL`).ReplaceAllString(s, "busy: ...\n--- FAIL")
	}
	return s
}
