package workbook

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// An Unheld is words of the contract that no mistake breaks, and why.
type Unheld struct {
	Line   int
	Words  string
	Reason string
}

// UnheldPath returns the path of the file that lists what no mistake breaks.
func (k Kata) UnheldPath() string { return filepath.Join(k.Solutions(), "unheld.txt") }

// Unheld reads that file: words of the contract, and below them, indented, the
// reason. Lines that start with # are remarks. There need be no such file.
func (k Kata) Unheld() (all []Unheld, err error) {
	text, err := os.ReadFile(k.UnheldPath())
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading what is not held: %w", err)
	}
	number := 0
	for line := range strings.Lines(string(unixLines(text))) {
		number++
		words := strings.TrimSpace(line)
		indented := words != "" && (line[0] == ' ' || line[0] == '\t')
		switch {
		case words == "" || strings.HasPrefix(line, "#"):
		case indented && len(all) == 0:
			return nil, fmt.Errorf("line %d is a reason, and there are no words of the contract above it", number)
		case indented:
			u := &all[len(all)-1]
			u.Reason = strings.TrimSpace(u.Reason + " " + words)
		default:
			all = append(all, Unheld{Line: number, Words: words})
		}
	}
	return all, nil
}
