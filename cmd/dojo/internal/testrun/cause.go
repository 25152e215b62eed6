package testrun

import "strings"

// A Cause is why a red step did not come to its own verdict; most do, and have none.
type Cause string

// The causes.
const (
	Blocked  Cause = "blocked"       // all wait, and nothing wakes them
	NoEnd    Cause = "no end"        // it runs on
	NoMemory Cause = "out of memory" //
)

// Cause reads off what Explain says of a red step.
func (s StepVerdict) Cause() Cause {
	if !s.Ran() || !s.Red() || len(s.Explanation.Lines) == 0 {
		return ""
	}
	says := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(s.Explanation.Lines[0], w) {
				return true
			}
		}
		return false
	}
	switch {
	case says("MiB of memory, the most", "asked for more memory than there is"):
		return NoMemory
	case says("deadlock: ", "blocked: ", "the clock stands still: ", "are asleep - deadlock", "None of its goroutines was running"):
		return Blocked
	case s.Overdue, says("still runs, and a running goroutine", "too long: ", "did not end within", "calls itself without end"):
		return NoEnd
	}
	return ""
}
