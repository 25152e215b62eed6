package prove

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// A Finding is one thing that is wanting.
type Finding struct {
	File   string   // in which it is to be mended, seen from the clone's root
	Text   string   // what is wrong, in a sentence
	Output []string // what a step or the compiler said
}

// found makes a finding of a file of the kata's.
func found(k workbook.Kata, path, format string, args ...any) Finding {
	return Finding{File: k.Rel(path), Text: fmt.Sprintf(format, args...)}
}

// with adds what a red step said first, without its story.
func (f Finding) with(e testrun.Explanation) Finding {
	for _, line := range e.Lines {
		if line == "" || len(f.Output) == 8 {
			break
		}
		f.Output = append(f.Output, line)
	}
	if e.Place != "" {
		f.Output = append(f.Output, "at "+e.Place)
	}
	return f
}

// byFile puts findings of one file together, those of code first, in the order
// in which CONTRIBUTING.md has a kata made.
func byFile(k workbook.Kata, findings []Finding) []Finding {
	slices.SortStableFunc(findings, func(x, y Finding) int {
		return cmp.Or(turn(k, x.File)-turn(k, y.File), strings.Compare(x.File, y.File))
	})
	return findings
}

func turn(k workbook.Kata, file string) int {
	paper := filepath.Ext(file) == ".md"
	switch {
	case file == k.Rel(k.ShippedStub()), file == k.Rel(k.Stub()):
		return 0
	case strings.HasPrefix(file, "kata/") && !paper:
		return 1
	case file == k.Rel(k.Reference()):
		return 2
	case !paper:
		return 3
	case file == k.Rel(k.Readme()):
		return 4
	case file == k.Rel(k.HintsFile()):
		return 5
	}
	return 6
}
