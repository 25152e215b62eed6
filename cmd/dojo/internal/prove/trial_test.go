package prove

import (
	"strings"
	"testing"
)

func TestPhrases(t *testing.T) {
	for line, want := range map[string]string{
		"It has 1.":                     "It has 1.|It has 1.",
		"A has 3. It has 1 more: 0xc00": "",
		"  A added 1; it has 2 now":     "A added 1;|it has 2|has 2 now|it has 2 now|A added 1; it has 2 now",
		"DATA RACE":                     "DATA RACE",
	} {
		if got := phrases(line); strings.Join(got, "|") != want {
			t.Errorf("%q has the phrases %q, want %q", line, got, want)
		}
	}
}
