package prove

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/deck"
	"github.com/backend-kata/dojo/cmd/dojo/internal/page"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
	"github.com/backend-kata/dojo/kata"
)

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
			return fmt.Sprintf("| %d | %s | | %d |\n", k.Number, k.Text, k.Level)
		}
		answer, err := page.Read(k.Answer())
		if err != nil {
			return fmt.Sprintf("| %d | %s | %v | %d |\n", k.Number, k.Text, err, k.Level)
		}
		return fmt.Sprintf("| %d | [%s](%s.md) | %s | %d |\n", k.Number, k.Text, k.Name(), answer.Number(), k.Level)
	}, "| # | question | the number worth remembering | level |\n|---|---|---|---|\n")
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

// Clone checks the documents that speak of all katas.
func Clone(book workbook.Book, fix bool) ([]Finding, error) {
	files := []generated{
		{filepath.Join(book.Root, "README.md"), func(old string) (string, error) {
			return between(old, "questions", questionList(book))
		}},
		{filepath.Join(book.Root, "docs", "README.md"), func(old string) (string, error) {
			return between(old, "answers", answerList(book))
		}},
		{filepath.Join(book.Root, "docs", "links.txt"), func(old string) (string, error) { return sortedLinks(old), nil }},
		{book.Deck(), func(string) (string, error) { return deck.TSV(book) }},
	}
	findings, err := mendAll(book.Root, files, fix)
	return append(findings, outward(book)...), err
}

// hints finds the steps without hints, and hints without a step.
func hints(k workbook.Kata, steps []workbook.Step) []Finding {
	all, err := k.Hints()
	if err != nil {
		return []Finding{found(k, k.HintsFile(), "%v", err)}
	}
	var findings []Finding
	find := func(format string, args ...any) {
		findings = append(findings, found(k, k.HintsFile(), format, args...))
	}
	for _, s := range steps {
		if len(all[s.Name]) == 0 {
			find("there are no hints for step %d: ## %s, then ### 1 and so on", s.Number, s.Name)
		}
		if slices.Contains(all[s.Name], "") {
			find("there is an empty hint for %s", s.Name)
		}
		delete(all, s.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		find("there are hints for %s, which is no step", name)
	}
	return findings
}

// checkAPI finds what a stub and the reference do not both export.
func checkAPI(k workbook.Kata, stub string) []Finding {
	var apis []map[string]string
	for _, path := range []string{stub, k.Reference()} {
		text, err := os.ReadFile(path)
		if err != nil {
			return []Finding{found(k, path, "it cannot be read: %v", err)}
		}
		api, err := workbook.API(path, text)
		if err != nil {
			return []Finding{found(k, path, "it %v", err)}
		}
		apis = append(apis, api)
	}
	differences := workbook.Differences(apis[0], apis[1])
	if len(differences) == 0 {
		return nil
	}
	f := found(k, stub, "it and %s export different things; from the one to the other:", k.Rel(k.Reference()))
	f.Output = differences
	return []Finding{f}
}
