package loadgen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// MaxErrors is how many different errors a [Report] tells apart.
const MaxErrors = 8

// An ErrorCount is how many requests ended in one error.
type ErrorCount struct {
	Text  string // what the error says, in one line of at most 200 characters
	Count int
}

// countError counts an error by its text, which is all that most errors share.
func (r *Report) countError(text string) {
	i := slices.IndexFunc(r.Errors, func(e ErrorCount) bool { return e.Text == text })
	switch {
	case i >= 0:
		r.Errors[i].Count++
	case len(r.Errors) < MaxErrors:
		r.Errors = append(r.Errors, ErrorCount{Text: text, Count: 1})
	default:
		r.OtherErrors++
	}
}

func errorText(err error) string {
	const most = 200
	text := strings.Join(strings.Fields(err.Error()), " ")
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most-1]) + "…"
	}
	return text
}

// sortErrors puts the most frequent first: which came first at one instant of
// virtual time is open.
func (r *Report) sortErrors() {
	slices.SortFunc(r.Errors, func(a, b ErrorCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Text, b.Text))
	})
}

// writeErrors writes a line for each error, or nothing.
func (r *Report) writeErrors(out *strings.Builder) {
	if len(r.Errors) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%-24s %9s\n", "errors", "requests")
	for _, e := range r.Errors {
		fmt.Fprintf(out, "%-24s %9d  %s\n", "", e.Count, e.Text)
	}
	if r.OtherErrors > 0 {
		fmt.Fprintf(out, "%-24s %9d  others, met after the first %d kinds\n", "", r.OtherErrors, MaxErrors)
	}
}
