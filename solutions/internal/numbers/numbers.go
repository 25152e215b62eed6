// Package numbers writes what tests log for the answer pages: tables, and numbers
// that people can read.
package numbers

import (
	"strconv"
	"strings"
)

// Thousands writes a count, which is not negative, with a comma before each three
// digits from the right: 1,234,567.
func Thousands[T ~int | ~int64 | ~uint64](n T) string {
	text := strconv.FormatUint(uint64(n), 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Table writes rows as a Markdown table, of which the first one is the head.
func Table(rows [][]string) string {
	var out strings.Builder
	for i, row := range rows {
		out.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			out.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
	return strings.TrimSuffix(out.String(), "\n")
}
