package workbook

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// HintsFile returns the path of the kata's hints.
func (k Kata) HintsFile() string { return filepath.Join(k.Solutions(), "hints.md") }

// Hints reads the hints of each step, by the name of its test, in order.
func (k Kata) Hints() (map[string][]string, error) {
	text, err := os.ReadFile(k.HintsFile())
	if err != nil {
		return nil, fmt.Errorf("the hints of %s cannot be read: %w", k.Folder, err)
	}
	hints := map[string][]string{}
	step := ""
	for line := range strings.Lines(string(unixLines(text))) {
		switch {
		case strings.HasPrefix(line, "## "):
			step = strings.TrimSpace(strings.TrimPrefix(line, "## "))
		case step == "":
		case strings.HasPrefix(line, "### "):
			hints[step] = append(hints[step], "")
		case len(hints[step]) > 0:
			hints[step][len(hints[step])-1] += line
		}
	}
	for _, texts := range hints {
		for i := range texts {
			texts[i] = strings.TrimSpace(texts[i])
		}
	}
	return hints, nil
}
