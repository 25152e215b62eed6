package testrun

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// logged opens what a test says through t.Log, t.Error and their like.
var logged = regexp.MustCompile(`^ {4,8}(\S+\.go):(\d+): ?(.*)$`)

// parseFailures reads what a failing test said, in order. Testify's frame is
// taken off: its message comes first, then what it compared.
func parseFailures(text string) []Explanation {
	var all []Explanation
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if m := logged.FindStringSubmatch(line); m != nil {
			all = append(all, Explanation{Place: m[1] + ":" + m[2], Lines: []string{m[3]}})
			continue
		}
		if len(all) == 0 {
			continue
		}
		if !strings.HasPrefix(line, "        ") && !strings.HasPrefix(line, "    \t") && line != "" {
			continue // the program's own output, or the runtime's
		}
		last := &all[len(all)-1]
		last.Lines = append(last.Lines, strings.TrimPrefix(line, "        "))
	}
	kept := all[:0]
	for _, e := range all {
		e = unwrapTestify(e)
		e.Lines = trimBlank(e.Lines)
		if len(e.Lines) > 0 && !strings.HasPrefix(e.Lines[0], "race detected during execution") {
			kept = append(kept, e)
		}
	}
	return kept
}

// Labels of testify's failure frame, and where their text goes.
var label = regexp.MustCompile(`^\s*\t(Error Trace|Error|Test|Messages):\s*\t?(.*)$`)

func unwrapTestify(e Explanation) Explanation {
	parts := map[string][]string{}
	section := ""
	for _, line := range e.Lines {
		if m := label.FindStringSubmatch(line); m != nil {
			section = m[1]
			parts[section] = append(parts[section], m[2])
			continue
		}
		if section != "" {
			line = strings.TrimPrefix(strings.TrimPrefix(line, "\t"), "            \t")
			parts[section] = append(parts[section], line)
		}
	}
	if section == "" {
		return e
	}
	for _, trace := range parts["Error Trace"] {
		if strings.TrimSpace(trace) != "" {
			e.Place = strings.TrimSpace(trace)
		}
		if strings.HasSuffix(strings.SplitN(filepath.Base(e.Place), ":", 2)[0], "_test.go") && !strings.Contains(e.Place, "helpers_test.go") {
			break
		}
	}
	compared := trimBlank(dropDiff(parts["Error"]))
	message := trimBlank(parts["Messages"])
	if len(message) > 0 && len(compared) == 1 && strings.HasPrefix(compared[0], "Should ") {
		compared = nil // "Should be true" beside a sentence says nothing
	}
	e.Lines = slices.Concat(message, compared)
	return e
}

// dropDiff leaves out testify's diff where both values are short enough to be
// read side by side.
func dropDiff(lines []string) []string {
	for i, line := range lines {
		if strings.TrimSpace(line) == "Diff:" && i <= 6 {
			return lines[:i]
		}
	}
	return lines
}

func trimBlank(lines []string) []string {
	for len(lines) > 0 && strings.TrimSpace(lines[0]) == "" {
		lines = lines[1:]
	}
	for len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}
