package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/backend-kata/dojo/cmd/dojo/internal/patch"
	"github.com/backend-kata/dojo/cmd/dojo/internal/terminal"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

type solutionCommand struct{ Reveal }

// Run prints the reference, once the kata is green.
func (c solutionCommand) Run(ctx context.Context, d *desk) error {
	k, err := c.kata(ctx, d, "solution")
	if err != nil {
		return err
	}
	text, err := os.ReadFile(k.Reference())
	if err != nil {
		return fmt.Errorf("the reference of %s cannot be read: %w", k.Name(), err)
	}
	_, err = d.screen.Write(text)
	return err
}

type diffCommand struct{ Reveal }

// Run compares the learner's code with the reference, once it is green.
func (c diffCommand) Run(ctx context.Context, d *desk) error {
	k, err := c.kata(ctx, d, "diff")
	if err != nil {
		return err
	}
	return d.showDiff(k)
}

func (d *desk) showDiff(k workbook.Kata) error {
	mine, err := os.ReadFile(k.Stub())
	if err != nil {
		return fmt.Errorf("your code cannot be read: %w", err)
	}
	reference, err := os.ReadFile(k.Reference())
	if err != nil {
		return fmt.Errorf("the reference of %s cannot be read: %w", k.Name(), err)
	}
	d.sayDiff(patch.Between(k.Rel(k.Stub()), k.Rel(k.Reference()), string(mine), string(reference)))
	further, err := k.Further()
	for _, path := range further {
		d.say("", "You also have "+k.Rel(path)+", which the reference does without.")
	}
	return err
}

// sayDiff prints a unified diff in its colours.
func (d *desk) sayDiff(diff string) {
	for line := range strings.Lines(diff) {
		line = strings.TrimRight(line, "\n")
		lines := []string{line}
		if d.screen.Height > 0 { // a view drops tabs, and cuts what is too long
			lines = d.folded(strings.ReplaceAll(line, "\t", "    "))
		}
		switch {
		case strings.HasPrefix(line, "+"):
			d.style(terminal.Good, lines)
		case strings.HasPrefix(line, "-"):
			d.style(terminal.Bad, lines)
		case strings.HasPrefix(line, "@@"):
			d.style(terminal.Quiet, lines)
		}
		d.say(lines...)
	}
}

// folded breaks a line of a diff where the screen ends. What follows stands behind the
// same sign and the same indent.
func (d *desk) folded(line string) []string {
	if ansi.StringWidth(line) <= d.screen.Width || line == "" {
		return []string{line}
	}
	sign, text := line[:1], strings.TrimLeft(line[1:], " ")
	indent := sign + strings.Repeat(" ", len(line)-1-len(text))
	parts := strings.Split(ansi.Hardwrap(text, max(8, d.screen.Width-len(indent)-4), true), "\n")
	for i := range parts {
		if parts[i] = indent + parts[i]; i > 0 {
			parts[i] = indent + "    " + strings.TrimPrefix(parts[i], indent)
		}
	}
	return parts
}
