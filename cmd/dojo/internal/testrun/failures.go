package testrun

import (
	"regexp"
	"strings"
)

// logged opens what a test says through t.Log, t.Error and their like.
var logged = regexp.MustCompile(`^ {4,8}(\S+\.go):(\d+): ?(.*)$`)

// written opens what a step writes to t.Output, with nothing said of the place: its story, and how to run it again.
var written = regexp.MustCompile(`^ {4}(What happened|again: )`)

// parseFailures reads what a failing test said, in order.
func parseFailures(text string) []Explanation {
	var all []Explanation
	indent := "        "
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if m := logged.FindStringSubmatch(line); m != nil {
			indent = "        "
			all = append(all, Explanation{Place: m[1] + ":" + m[2], Lines: []string{m[3]}})
			continue
		}
		if len(all) == 0 {
			continue
		}
		last := &all[len(all)-1]
		switch {
		case written.MatchString(line) && indent != "    ":
			all = append(all, Explanation{Place: last.Place, Lines: []string{strings.TrimPrefix(line, "    ")}})
			indent = "    "
		case strings.HasPrefix(line, indent), strings.HasPrefix(line, "    \t"), line == "":
			last.Lines = append(last.Lines, strings.TrimPrefix(line, indent))
		}
		// All else is the program's own output, or the runtime's.
	}
	kept := all[:0]
	for _, e := range all {
		e.Lines = tidy(trimBlank(e.Lines))
		if len(e.Lines) > 0 && !strings.HasPrefix(e.Lines[0], "race detected during execution") {
			kept = append(kept, e)
		}
	}
	return kept
}

var label = regexp.MustCompile(`^\s*(Error Trace|Error|Test|Messages):\s*(.*)$`)

// tidy takes from what testify prints the sentence and the error.
func tidy(lines []string) []string {
	said := map[string][]string{}
	last := ""
	for _, line := range lines {
		if m := label.FindStringSubmatch(line); m != nil {
			last = m[1]
			line = m[2]
		}
		said[last] = append(said[last], strings.TrimSpace(line))
	}
	if said["Error Trace"] == nil {
		return lines
	}
	return trimBlank(append(said["Messages"], said["Error"]...))
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
