package prove

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
	"github.com/backend-kata/dojo/kata"
)

// between replaces what stands between <!-- name --> and <!-- /name -->.
func between(text, name, inner string) (string, error) {
	open, end := "<!-- "+name+" -->", "<!-- /"+name+" -->"
	before, rest, ok := strings.Cut(text, open)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", fmt.Errorf("the marks %s and %s are not there", open, end)
	}
	return before + open + "\n" + inner + end + after, nil
}

// stepList is the list of steps in a kata's README.
func stepList(steps []workbook.Step) string {
	var out strings.Builder
	for _, s := range steps {
		if s.Further {
			fmt.Fprintf(&out, "- Further: %s\n", s.Title)
		} else {
			fmt.Fprintf(&out, "%d. %s\n", s.Number, s.Title)
		}
	}
	return out.String()
}

// questionList is the list of the 43 questions in the README, by track, with
// a link where the kata is here.
func questionList(book workbook.Book) string {
	return byTrack(book, func(k workbook.Kata) string {
		if !k.Exists() {
			return fmt.Sprintf("| %d | %s | | %d | %s |\n", k.Number, k.Text, k.Level, k.Exercise)
		}
		return fmt.Sprintf("| %d | %s | [%s](kata/%[3]s) | %d | %s |\n", k.Number, k.Text, k.Name(), k.Level, k.Exercise)
	}, "| # | question | kata | level | what you build |\n|---|---|---|---|---|\n")
}

// answerList is the index of the answer pages.
func answerList(book workbook.Book) string {
	return byTrack(book, func(k workbook.Kata) string {
		if _, err := os.Stat(k.Answer()); err != nil {
			return fmt.Sprintf("| %d | %s | not written yet |\n", k.Number, k.Text)
		}
		return fmt.Sprintf("| %d | [%s](%s.md) | [exercise](../kata/%[3]s) |\n", k.Number, k.Text, k.Name())
	}, "| # | question | kata |\n|---|---|---|\n")
}

func byTrack(book workbook.Book, row func(workbook.Kata) string, head string) string {
	var out strings.Builder
	for i, track := range kata.Tracks() {
		if i > 0 {
			out.WriteString("\n")
		}
		fmt.Fprintf(&out, "### %s\n\n%s", track, head)
		for _, k := range book.Katas() {
			if k.Track == track {
				out.WriteString(row(k))
			}
		}
	}
	return out.String()
}

// generated is a file of which all or part is made by prove --fix.
type generated struct {
	path string
	make func(old string) (string, error)
}

// mend compares a generated file with what it should be, and writes it where
// fix is set.
func (g generated) mend(root string, fix bool) (string, error) {
	rel := filepath.ToSlash(strings.TrimPrefix(g.path, root+string(filepath.Separator)))
	old, err := os.ReadFile(g.path)
	if err != nil && !os.IsNotExist(err) {
		return "", fmt.Errorf("reading %s: %w", rel, err)
	}
	want, err := g.make(string(old))
	switch {
	case err != nil:
		return fmt.Sprintf("%s cannot be generated: %v", rel, err), nil
	case want == string(old):
		return "", nil
	case !fix:
		return rel + " is not current: go tool dojo prove --fix writes it", nil
	}
	return "", workbook.Replace(g.path, []byte(want))
}

// Clone checks the documents that speak of all katas.
func Clone(book workbook.Book, fix bool) ([]string, error) {
	files := []generated{
		{filepath.Join(book.Root, "README.md"), func(old string) (string, error) {
			return between(old, "questions", questionList(book))
		}},
		{filepath.Join(book.Root, "docs", "README.md"), func(old string) (string, error) {
			return between(old, "answers", answerList(book))
		}},
	}
	return mendAll(book.Root, files, fix)
}

func mendAll(root string, files []generated, fix bool) ([]string, error) {
	var findings []string
	for _, g := range files {
		finding, err := g.mend(root, fix)
		if err != nil {
			return findings, err
		}
		if finding != "" {
			findings = append(findings, finding)
		}
	}
	return findings, nil
}

// The sections of an answer page, in order, after the question as its title.
var sections = []string{"In one breath", "How it works", "What goes wrong", "Trade-offs", "In production", "Follow-up questions", "Sources"}

// answerPage finds what an answer page lacks.
func answerPage(k workbook.Kata) []string {
	text, err := os.ReadFile(k.Answer())
	if err != nil {
		return []string{k.Rel(k.Answer()) + " is missing: the answer to the question"}
	}
	var findings []string
	lines := strings.Split(string(text), "\n")
	if lines[0] != "# "+k.Text {
		findings = append(findings, fmt.Sprintf("%s does not start with the question as asked: # %s", k.Rel(k.Answer()), k.Text))
	}
	var have []string
	for _, line := range lines {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			have = append(have, title)
		}
	}
	if !slices.Equal(have, sections) {
		findings = append(findings, fmt.Sprintf("%s has the sections %q, want %q", k.Rel(k.Answer()), have, sections))
	}
	for _, title := range have {
		if bare(section(string(text), title)) {
			findings = append(findings, fmt.Sprintf("%s says nothing under %q", k.Rel(k.Answer()), title))
		}
	}
	findings = append(findings, deadLinks(k, string(text))...)
	if n := len(lines) - 1; n < 80 || n > 200 {
		findings = append(findings, fmt.Sprintf("%s has %d lines, want 80 to 200", k.Rel(k.Answer()), n))
	}
	return findings
}

// section returns what stands under a title of a page.
func section(text, title string) string {
	_, rest, _ := strings.Cut(text, "\n## "+title+"\n")
	inner, _, _ := strings.Cut(rest, "\n## ")
	return inner
}

// bare reports whether a section has too little to be one: not two lines that
// differ.
func bare(inner string) bool {
	lines := map[string]bool{}
	for line := range strings.Lines(inner) {
		if line = strings.TrimSpace(line); line != "" {
			lines[line] = true
		}
	}
	return len(lines) < 2
}

var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// deadLinks finds links of an answer page, figures among them, that lead to no
// file of the clone.
func deadLinks(k workbook.Kata, text string) []string {
	var findings []string
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join(filepath.Dir(k.Answer()), filepath.FromSlash(m[1]))); err != nil {
			findings = append(findings, fmt.Sprintf("%s links to %s, which is not there", k.Rel(k.Answer()), m[1]))
		}
	}
	return findings
}

// hints finds the steps without hints, and hints without a step.
func hints(k workbook.Kata, steps []workbook.Step) []string {
	all, err := k.Hints()
	if err != nil {
		return []string{err.Error()}
	}
	var findings []string
	for _, s := range steps {
		if len(all[s.Name]) == 0 {
			findings = append(findings, fmt.Sprintf("%s has no hints for step %d: ## %s, then ### 1 and so on", k.Rel(k.HintsFile()), s.Number, s.Name))
		}
		if slices.Contains(all[s.Name], "") {
			findings = append(findings, fmt.Sprintf("%s has an empty hint for %s", k.Rel(k.HintsFile()), s.Name))
		}
		delete(all, s.Name)
	}
	for name := range all {
		findings = append(findings, fmt.Sprintf("%s has hints for %s, which is no step", k.Rel(k.HintsFile()), name))
	}
	return findings
}
