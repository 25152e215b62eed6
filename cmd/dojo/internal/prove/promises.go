package prove

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// A Held is a promise and what holds it: mistakes that break it and are caught, or
// the reason why there is none.
type Held struct {
	workbook.Promise

	Mistakes []string // by slug
	Reason   string
}

// Contract returns the promises of a kata with what holds each. It also returns
// what is wrong with quotes, and which promises nothing holds.
func Contract(k workbook.Kata, mistakes []workbook.Mistake) ([]Held, []Finding, error) {
	promises, err := k.Contract()
	if err != nil {
		return nil, nil, err
	}
	held := make([]Held, len(promises))
	for i, p := range promises {
		held[i].Promise = p
	}
	quote := workbook.NewQuote(promises)
	findings, err := quoted(k, mistakes, quote, held)
	if err != nil {
		return held, findings, err
	}
	unheld, err := k.Unheld()
	if err != nil {
		return held, append(findings, found(k, k.UnheldPath(), "%v", err)), nil
	}
	findings = append(findings, excused(k, unheld, quote, held)...)
	for _, h := range held {
		if len(h.Mistakes) == 0 && h.Reason == "" {
			findings = append(findings, Finding{File: h.File, Text: fmt.Sprintf(
				"no mistake breaks line %d, %q: write one, give the reason in unheld.txt, or take the promise back", h.Line, short(h.Text),
			)})
		}
	}
	return held, findings, nil
}

// quoted notes which promises mistakes break. What holds in every kata may be quoted
// too.
func quoted(k workbook.Kata, mistakes []workbook.Mistake, quote workbook.Quote, held []Held) ([]Finding, error) {
	everywhere, err := os.ReadFile(filepath.Join(k.Root, "kata", "README.md"))
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("reading what holds in every kata: %w", err)
	}
	common := workbook.Plain(string(everywhere))
	var findings []Finding
	for _, m := range mistakes {
		for _, words := range m.Breaks {
			numbers := quote.Find(words)
			for _, n := range numbers {
				held[n].Mistakes = append(held[n].Mistakes, m.Slug)
			}
			if len(numbers) == 0 && !strings.Contains(common, workbook.Plain(words)) {
				findings = append(findings, found(k, m.Path, "it breaks %q, which the contract does not say, or no longer", short(words)))
			}
		}
	}
	return findings, nil
}

// excused notes which promises have a reason to be unheld.
func excused(k workbook.Kata, unheld []workbook.Unheld, quote workbook.Quote, held []Held) []Finding {
	var findings []Finding
	for _, u := range unheld {
		find := func(format string, args ...any) {
			findings = append(findings, found(k, k.UnheldPath(), "line %d: %s", u.Line, fmt.Sprintf(format, args...)))
		}
		numbers := quote.Find(u.Words)
		broken := 0
		for _, n := range numbers {
			held[n].Reason = u.Reason
			if len(held[n].Mistakes) > 0 {
				broken++
			}
		}
		switch {
		case u.Reason == "":
			find("there is no reason below %q", short(u.Words))
		case len(numbers) == 0:
			find("the contract does not say %q, or no longer", short(u.Words))
		case broken == len(numbers):
			find("%q is held after all, by %s", short(u.Words), held[numbers[0]].Mistakes[0])
		}
	}
	return findings
}

// short is a text of which the first words are enough.
func short(text string) string {
	const most = 100
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}
