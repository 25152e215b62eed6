package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/backend-kata/dojo/cmd/dojo/internal/terminal"
	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// verdictLines is how long a verdict may be, once its lines are broken: a
// screen of the smallest usual size.
const verdictLines = 24

// A sheet is a verdict in parts, in lines that fit the screen.
type sheet struct {
	head    string   // kata, step, what it is
	strip   []string // the steps, in a line
	title   []string // of the red step
	more    []string // what the step's comment says after its title
	failure []string // all of it
	places  []string // where to look, and how to run it again
	notes   []string // what else the learner should know
}

// showVerdict prints a verdict, in a screen's length unless all is asked for.
func (d *desk) showVerdict(n news, all bool) {
	s := d.sheet(n)
	height := verdictLines
	if all {
		height = len(s.failure) + 10*verdictLines
	}
	d.say(s.fit(height, d.screen.In(terminal.Quiet, "  … %d more lines: go tool dojo test --all "+n.kata.Name()))...)
}

// sheet lays a verdict out. One that is not sure yet calls nothing green.
func (d *desk) sheet(n news) sheet {
	k, v := n.kata, n.verdict
	s := sheet{head: d.head(n)}
	if v.Broken != nil {
		s.title = d.screen.Lines(d.screen.In(terminal.Bad, "  ✗ "), "    ", v.Broken[0])
		for _, line := range v.Broken[1:] {
			s.failure = append(s.failure, d.broken(line, "    ")...)
		}
	} else {
		s.strip = d.strip(v, n.sure)
		d.failure(&s, k, v)
	}
	s.notes = append(s.notes, d.printedByOthers(v)...)
	for _, note := range v.Notes {
		s.notes = append(s.notes, d.inLines(terminal.Doing, "  ", "Note: "+note)...)
	}
	if why := d.noRace(); why != "" {
		s.notes = append(s.notes, d.inLines(terminal.Quiet, "  ", why)...)
	}
	if len(v.Steps) > 0 && v.Broken == nil && !k.Started() {
		s.notes = append(s.notes, d.inLines(terminal.Doing, "  ", "Red is where everybody starts. Read "+k.Rel(k.Readme())+", edit "+k.Rel(k.Stub())+", save.")...)
	}
	return s
}

const (
	enough = 4 // lines of a failure, for which what the step's comment says further gives way
	least  = 2 // lines of a failure: its first, and how to see the rest
)

// fit joins the parts. Where they are longer than the screen, the failure gives
// way first, and then what stands around it. More says how to see what is cut.
func (s sheet) fit(height int, more string) []string {
	rest := len(s.with(nil))
	if len(s.failure) > 0 {
		rest++ // the empty line before it
	}
	if rest+min(enough, len(s.failure)) > height {
		rest -= len(s.more)
		s.more = nil
	}
	room := max(least, height-rest)
	failure := s.failure
	if cut := len(failure) - room; cut > 0 && len(failure) > least {
		failure = append(slices.Clone(failure[:room-1]), fmt.Sprintf(more, cut+1))
	}
	lines := s.with(failure)
	if height > 0 && len(lines) > height { // too small a screen for the rest of it
		lines = s.with(s.failure)
		lines = append(lines[:height-1], fmt.Sprintf(more, len(lines)-height+1))
	}
	return lines
}

// with is the sheet with so much of the failure.
func (s sheet) with(failure []string) []string {
	lines := slices.Concat([]string{s.head}, s.strip, s.title, s.more)
	for _, part := range [][]string{failure, s.places, s.notes} {
		if len(part) > 0 {
			lines = append(append(lines, ""), part...)
		}
	}
	return lines
}

// head is the first line: where the learner is, and the verdict in a word.
func (d *desk) head(n news) string {
	v := n.verdict
	word, style := "red", terminal.Bad
	switch {
	case v.Broken != nil:
	case len(v.Altered) > 0:
		word, style = "steps not as shipped", terminal.Doing
	case v.Done() && !n.sure:
		word, style = "○ so far", terminal.Doing
	case v.Complete():
		word, style = "complete", terminal.Good
	case v.Green():
		word, style = "green so far", terminal.Good
	case v.Done():
		word, style = "not judged whole", terminal.Doing
	}
	if n.took > 0 {
		word += fmt.Sprintf(" in %.1f s", n.took.Seconds())
	}
	return d.ends(d.screen.In(terminal.Loud, n.kata.Name())+position(v), d.screen.In(style, word))
}

// ends puts two texts at both ends of a line.
func (d *desk) ends(left, right string) string {
	gap := max(2, min(d.screen.Width, 80)-ansi.StringWidth(left)-ansi.StringWidth(right))
	return left + strings.Repeat(" ", gap) + right
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

// strip is each step's mark and number: passed, red, not judged whole or not
// run.
func (d *desk) strip(v testrun.Verdict, sure bool) []string {
	var marks []string
	for _, s := range v.Steps {
		mark, style := "·", terminal.Quiet
		switch {
		case s.Passed && sure && len(v.Altered) == 0:
			mark, style = "✓", terminal.Good
		case s.Passed, s.Skipped:
			mark, style = "○", terminal.Doing
		case s.Ran():
			mark, style = "✗", terminal.Bad
		}
		further := ""
		if s.Further {
			further = "+"
		}
		marks = append(marks, d.screen.In(style, fmt.Sprintf("%s%s%d", mark, further, s.Number)))
	}
	lines := d.screen.Lines("  ", "  ", strings.Join(marks, " "))
	for _, s := range v.Steps {
		if s.Skipped && len(s.Explanation.Lines) > 0 {
			lines = append(lines, d.screen.Lines(d.screen.In(terminal.Doing, fmt.Sprintf("  ○ %2d  ", s.Number)), "        ", s.Explanation.Lines[0])...)
		}
	}
	return lines
}

// failure fills in what is known of the first red step.
func (d *desk) failure(out *sheet, k workbook.Kata, v testrun.Verdict) {
	at := v.FirstRed()
	if at == len(v.Steps) || !v.Steps[at].Ran() {
		return
	}
	s := v.Steps[at]
	title := s.Title
	if s.Further {
		title = "Further: " + title
	}
	out.title = d.screen.Lines(d.screen.In(terminal.Bad, fmt.Sprintf("  ✗ %2d  ", s.Number)), "        ", title)
	if rest := strings.TrimSpace(strings.TrimPrefix(s.Doc, s.Title)); rest != "" {
		out.more = d.inLines(terminal.Quiet, "        ", rest)
	}
	for i, line := range s.Explanation.Lines {
		lines := d.broken(line, "  ")
		if i == 0 {
			d.style(terminal.Loud, lines)
		}
		out.failure = append(out.failure, lines...)
	}
	out.places = d.places(k, s, v.Race)
}

// places says where to look, what the program printed, and what to type.
func (d *desk) places(k workbook.Kata, s testrun.StepVerdict, race bool) []string {
	var lines []string
	labelled := func(label string) string { return d.screen.In(terminal.Quiet, fmt.Sprintf("  %-9s", label)) }
	add := func(label, text string) {
		lines = append(lines, d.screen.Lines(labelled(label), strings.Repeat(" ", 11), text)...)
	}
	for i, line := range s.Explanation.Printed {
		label := "printed:"
		if i > 0 {
			label = ""
		}
		lines = append(lines, ansi.Truncate(labelled(label)+line, d.screen.Width, "…"))
	}
	if mib := s.Printed >> 20; mib > 0 {
		add("printed:", fmt.Sprintf("%d MiB, most of it left out", mib))
	}
	edit := cmp.Or(s.Explanation.Yours, k.Rel(k.Stub()))
	file, _, _ := strings.Cut(edit, ":")
	lines = append(lines, labelled("edit:")+d.screen.Link(filepath.Join(k.Root, filepath.FromSlash(file)), edit))
	if s.Explanation.Place != "" {
		add("step:", s.Explanation.Place)
	}
	add("again:", again(k, s, race))
	return lines
}

// printedByOthers is the last line that a step printed which is not the red one, for those
// who look into their program with a Println, unless the red one printed something too.
func (d *desk) printedByOthers(v testrun.Verdict) []string {
	line := ""
	for i, s := range v.Steps {
		own := s.Explanation.Printed
		if len(own) == 0 {
			continue
		}
		if i == v.FirstRed() {
			return nil
		}
		line = fmt.Sprintf("  printed in step %d: %s", s.Number, own[len(own)-1])
	}
	if line == "" {
		return nil
	}
	return []string{ansi.Truncate(d.screen.In(terminal.Quiet, line), d.screen.Width, "…")}
}

// inLines breaks text into lines in one style.
func (d *desk) inLines(style terminal.Style, indent, text string) []string {
	lines := d.screen.Lines(indent, indent, text)
	d.style(style, lines)
	return lines
}

// style gives each line a style.
func (d *desk) style(style terminal.Style, lines []string) {
	for i := range lines {
		lines[i] = d.screen.In(style, lines[i])
	}
}

// broken indents a line of a failure and breaks it where it is too long: at a
// word, since a terminal would break it anywhere.
func (d *desk) broken(line, indent string) []string {
	line = strings.TrimRight(strings.ReplaceAll(line, "\t", "    "), " ")
	text := strings.TrimLeft(line, " ")
	indent += line[:len(line)-len(text)]
	if ansi.StringWidth(indent+text) <= d.screen.Width {
		return []string{indent + text}
	}
	return d.screen.Lines(indent, indent, text)
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
