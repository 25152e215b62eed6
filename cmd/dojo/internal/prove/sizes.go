package prove

import (
	"bytes"
	"os"
	"unicode/utf8"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// A learner reads the steps when they fail, and the reference in the end. Both
// are to be read in one sitting.
const (
	mostSteps     = 600 // lines
	mostHelpers   = 300
	mostReference = 300
	mostColumns   = 140
)

// checkSizes finds files that are too long to be read, and lines too long to be
// seen.
func checkSizes(k workbook.Kata) []Finding {
	var findings []Finding
	for _, file := range []struct {
		path string
		most int
	}{
		{k.Tests(), mostSteps},
		{helpersFile(k), mostHelpers},
		{k.Reference(), mostReference},
	} {
		text, err := os.ReadFile(file.path)
		if err != nil {
			continue // that it is missing is said elsewhere
		}
		lines := bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
		if len(lines) > file.most {
			findings = append(findings, found(k, file.path, "it has %d lines, want %d at most", len(lines), file.most))
		}
		for i, line := range lines {
			if n := utf8.RuneCount(line); n > mostColumns {
				findings = append(findings, found(k, file.path, "line %d has %d columns, want %d at most", i+1, n, mostColumns))
			}
		}
	}
	return findings
}
