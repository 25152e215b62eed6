// Package patch applies the mistakes of a kata to its reference, and makes
// them from an edited one.
package patch

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	udiff "github.com/aymanbagabas/go-udiff"
	"github.com/bluekeyes/go-gitdiff/gitdiff"
)

// Make returns the unified diff that turns the reference at path into another
// text.
func Make(path, reference, mistake string) string {
	return Between("a/"+path, "b/"+path, reference, mistake)
}

// Between returns a unified diff of two texts.
func Between(oldName, newName, from, to string) string {
	return renumber(udiff.Unified(oldName, newName, from, to))
}

var hunkHead = regexp.MustCompile(`(?m)^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@$`)

// renumber mends the line numbers of the new text, which go-udiff 0.4.1 gets wrong in all
// hunks after one that begins with a deletion.
func renumber(diff string) string {
	more := 0 // lines that the new text has, up to here
	return hunkHead.ReplaceAllStringFunc(diff, func(head string) string {
		m := hunkHead.FindStringSubmatch(head)
		number := func(text string) int {
			if text == "" {
				return 1
			}
			n, _ := strconv.Atoi(text) // digits, as the pattern has it
			return n
		}
		from, removed, added := number(m[1]), number(m[2]), number(m[4])
		to := from + more
		switch { // a side without lines is counted from the line before
		case removed == 0 && added > 0:
			to++
		case added == 0 && removed > 0:
			to--
		}
		more += added - removed
		return strings.Replace(head, "+"+m[3], "+"+strconv.Itoa(to), 1)
	})
}

// Apply applies a unified diff of one file. A hunk may have moved, but its
// lines must all be there.
func Apply(reference, diff string) (string, error) { return apply(reference, diff, 0) }

// Rebase applies a diff whose outer context lines were changed since: it
// ignores as few of them as it can.
func Rebase(reference, diff string) (string, error) {
	var err error
	for loose := range 3 {
		var text string
		if text, err = apply(reference, diff, loose); err == nil {
			return text, nil
		}
	}
	return "", err
}

func apply(reference, diff string, loose int) (string, error) {
	files, _, err := gitdiff.Parse(strings.NewReader(diff))
	if err != nil {
		return "", fmt.Errorf("the patch does not parse: %w", err)
	}
	if len(files) != 1 || len(files[0].TextFragments) == 0 {
		return "", fmt.Errorf("a mistake is a patch of one file, the reference; this one has %d", len(files))
	}
	lines := slices.Collect(strings.Lines(reference))
	var out []string
	done := 0
	for i, hunk := range files[0].TextFragments {
		before, after := sides(hunk, loose)
		at := find(lines, before, done, int(hunk.OldPosition)-1)
		if at < 0 {
			return "", fmt.Errorf("hunk %d does not fit the reference: %q is not there as the patch has it", i+1, firstMissing(lines[done:], before))
		}
		out = append(append(out, lines[done:at]...), after...)
		done = at + len(before)
	}
	return strings.Join(append(out, lines[done:]...), ""), nil
}

// sides returns a hunk's lines before and after, with up to loose lines of
// context taken off each end.
func sides(hunk *gitdiff.TextFragment, loose int) (before, after []string) {
	lines := hunk.Lines
	for range min(loose, int(hunk.LeadingContext)) {
		lines = lines[1:]
	}
	for range min(loose, int(hunk.TrailingContext)) {
		lines = lines[:len(lines)-1]
	}
	for _, line := range lines {
		if line.Old() {
			before = append(before, line.Line)
		}
		if line.New() {
			after = append(after, line.Line)
		}
	}
	return before, after
}

// find returns where want stands in lines from start on, the place nearest to
// the expected one, or -1.
func find(lines, want []string, start, expected int) int {
	best := -1
	for at := start; at+len(want) <= len(lines); at++ {
		if slices.Equal(lines[at:at+len(want)], want) && (best < 0 || distance(at, expected) < distance(best, expected)) {
			best = at
		}
	}
	return best
}

func distance(x, y int) int { return max(x-y, y-x) }

func firstMissing(lines, want []string) string {
	for _, line := range want {
		if !slices.Contains(lines, line) {
			return strings.TrimSpace(line)
		}
	}
	return strings.TrimSpace(strings.Join(want, ""))
}
