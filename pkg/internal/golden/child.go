package golden

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
)

var (
	elapsed  = regexp.MustCompile(`\(\d+\.\d+s\)`)
	coverage = regexp.MustCompile(`(?m)^(coverage: .*|warning: GOCOVERDIR .*)\n`)
)

// Child runs the test binary again, for a program that fails on purpose, with these settings of the environment and
// these flags. It returns what that prints, without the times that tests took and what -cover adds.
func Child(settings []string, flags ...string) string {
	cmd := exec.Command(os.Args[0], append(flags, "-test.paniconexit0")...)
	cmd.Env = append(append(os.Environ(), "GORACE=atexit_sleep_ms=0 suppress_equal_stacks=0"), settings...)
	out, _ := cmd.CombinedOutput() // a failure is what the text says
	text := strings.ReplaceAll(string(out), "\r\n", "\n")
	return coverage.ReplaceAllString(elapsed.ReplaceAllString(text, "(time)"), "")
}
