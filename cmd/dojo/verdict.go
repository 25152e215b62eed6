package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/terminal"
	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// How many lines of a failure are shown. One that carries a timeline may be
// long; a crash may not.
const (
	failureLines = 24
	crashLines   = 6
)

// showVerdict prints a kata's verdict: its steps, the first red one's failure,
// and what to type next.
func (d *desk) showVerdict(k workbook.Kata, v testrun.Verdict, took time.Duration) {
	d.showHead(k, v, took)
	if v.Broken != nil {
		d.showBroken(v.Broken)
	} else {
		d.showSteps(v)
		d.showFailure(k, v)
	}
	for _, note := range v.Notes {
		d.say("", d.screen.In(terminal.Doing, d.screen.Wrap("  ", "Note: "+note)))
	}
	if why := d.noRace(); why != "" {
		d.say("", d.screen.In(terminal.Quiet, d.screen.Wrap("  ", why)))
	}
}

func (d *desk) showHead(k workbook.Kata, v testrun.Verdict, took time.Duration) {
	left := d.screen.In(terminal.Loud, k.Name())
	width := len(k.Name())
	if where := position(v); where != "" {
		left += where
		width += len([]rune(where))
	}
	word, style := "red", terminal.Bad
	switch {
	case v.Broken != nil:
	case v.Complete():
		word, style = "complete", terminal.Good
	case v.Green():
		word, style = "green so far", terminal.Good
	case v.Done():
		word, style = "not judged whole", terminal.Doing
	}
	if took > 0 {
		word += fmt.Sprintf(" in %.1f s", took.Seconds())
	}
	gap := max(2, min(d.screen.Width, 80)-width-len(word))
	d.say(left + strings.Repeat(" ", gap) + d.screen.In(style, word))
}

// position says where in the kata the first red step stands.
func position(v testrun.Verdict) string {
	at := v.FirstRed()
	if at == len(v.Steps) || v.Broken != nil {
		return ""
	}
	_, steps, _, further := v.Count()
	if at < steps {
		return fmt.Sprintf(" · step %d of %d", at+1, steps)
	}
	return fmt.Sprintf(" · further step %d of %d", at+1-steps, further)
}

func (d *desk) showBroken(lines []string) {
	d.say(d.screen.In(terminal.Bad, "  ✗ ") + lines[0])
	for _, line := range lines[1:] {
		d.say("    " + line)
	}
}

// showSteps lists the steps. Those that are red too after the first take up
// one line, and those that have not run none.
func (d *desk) showSteps(v testrun.Verdict) {
	var later []string
	first := v.FirstRed()
	for i, s := range v.Steps {
		number := fmt.Sprint(s.Number)
		title := s.Title
		if s.Further {
			title = "Further: " + title
		}
		switch {
		case s.Passed:
			d.say(d.screen.In(terminal.Good, "  ✓ ") + d.screen.In(terminal.Quiet, fmt.Sprintf("%2s  %s", number, strings.TrimSpace(d.screen.Wrap("        ", title)))))
		case s.Skipped:
			d.say(d.screen.In(terminal.Doing, "  ○ ") + fmt.Sprintf("%2s  %s", number, strings.TrimSpace(d.screen.Wrap("        ", title))))
			if len(s.Explanation.Lines) > 0 {
				d.say(d.screen.In(terminal.Quiet, d.screen.Wrap("        ", s.Explanation.Lines[0])))
			}
		case i == first:
			d.say(d.screen.In(terminal.Bad, "  ✗ ") + fmt.Sprintf("%2s  %s", number, strings.TrimSpace(d.screen.Wrap("        ", title))))
			if rest := strings.TrimSpace(strings.TrimPrefix(s.Doc, s.Title)); rest != "" {
				d.say(d.screen.In(terminal.Quiet, d.screen.Wrap("        ", rest)))
			}
		case s.Ran():
			later = append(later, number)
		}
	}
	if len(later) > 0 {
		d.say(d.screen.In(terminal.Quiet, "  red too: "+strings.Join(later, " ")))
	}
}

func (d *desk) showFailure(k workbook.Kata, v testrun.Verdict) {
	at := v.FirstRed()
	if at == len(v.Steps) {
		return
	}
	s := v.Steps[at]
	d.say("")
	lines, limit := s.Explanation.Lines, failureLines
	if s.Died {
		limit = crashLines
	}
	for i, line := range lines[:min(limit, len(lines))] {
		line = d.fit(line)
		if i == 0 {
			line = d.screen.In(terminal.Loud, line)
		}
		d.say(line)
	}
	if more := len(lines) - limit; more > 0 {
		d.say(d.screen.In(terminal.Quiet, fmt.Sprintf("  and %d lines more: the command below prints them", more)))
	}
	d.say("")
	if s.Explanation.Place != "" {
		d.say(d.screen.In(terminal.Quiet, "  at:    ") + s.Explanation.Place)
	}
	if mib := s.Printed >> 20; mib > 0 {
		d.say(d.screen.In(terminal.Quiet, fmt.Sprintf("  it printed %d MiB, most of it left out", mib)))
	}
	d.say(d.screen.In(terminal.Quiet, "  again: ") + again(k, s, v.Race))
	d.say(d.screen.In(terminal.Quiet, "  hint:  ") + "go tool dojo hint " + k.Name())
}

// fit indents a line of a failure, and breaks it where it is too long: at a
// word, since a terminal would break it anywhere.
func (d *desk) fit(line string) string {
	text := strings.TrimLeft(line, " ")
	indent := "  " + line[:len(line)-len(text)]
	if len([]rune(indent+text)) <= d.screen.Width {
		return strings.TrimRight(indent+text, " ")
	}
	return d.screen.Wrap(indent, text)
}

// again is the command that runs one step by itself.
func again(k workbook.Kata, s testrun.StepVerdict, race bool) string {
	if s.Explanation.Again != "" {
		return s.Explanation.Again
	}
	flag := ""
	if race {
		flag = " -race"
	}
	return fmt.Sprintf("go test%s -run '^%s$' ./kata/%s", flag, s.Name, k.Name())
}
