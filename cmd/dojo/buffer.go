package main

import (
	"errors"
	"regexp"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// An author edits a mistake as one Go file: its preface as comments on top, as
// git commit shows what it will do with a message, and the program below.

// scissors end the preface.
const scissors = "// ------------------------ >8 ------------------------"

const bufferHelp = `// # This is the preface of the mistake. Title: what was done, in a few words. Why: why
// # it tempts, and what then happens; one that is there for its sentence alone has none.
// # Breaks: a sentence of the contract, as it stands in the README or the stub; two such
// # lines at most. Caught-by and Symptom are filled in by a run of the steps: leave them.
// # The reference with the mistake applied is below the next line. Save and leave.
`

// bufferOf returns what an author edits.
func bufferOf(m workbook.Mistake, program string) string {
	if m.Title == "" {
		m.Breaks = []string{""}
	}
	preface := m.Preface()
	if m.Why == "" {
		preface = strings.Replace(preface, "\n", "\nWhy:\n", 1)
	}
	var out strings.Builder
	for line := range strings.Lines(preface) {
		out.WriteString("// " + strings.TrimSpace(line) + "\n")
	}
	return out.String() + bufferHelp + scissors + "\n\n" + program
}

var field = regexp.MustCompile(`^[A-Z][a-z-]*:`)

// readBuffer takes apart what an author edited.
func readBuffer(text string) (m workbook.Mistake, program string, err error) {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	above, below, ok := strings.Cut(text, scissors+"\n")
	if !ok {
		return m, "", errors.New("the line with >8 is gone, which parts the preface from the program")
	}
	var preface strings.Builder
	for line := range strings.Lines(above) {
		line = strings.TrimSpace(strings.TrimPrefix(line, "//"))
		switch {
		case strings.HasPrefix(line, "#"):
		case field.MatchString(line):
			preface.WriteString(line + "\n")
		default:
			preface.WriteString(" " + line + "\n") // an editor broke the line before
		}
	}
	m, err = workbook.ParsePreface(preface.String())
	return m, strings.TrimLeft(below, "\n"), err
}
