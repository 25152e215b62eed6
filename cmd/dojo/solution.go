package main

import (
	"context"
	"fmt"
	"os"
	"strings"

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
		if d.screen.Height > 0 { // a view drops tabs
			line = strings.ReplaceAll(line, "\t", "    ")
		}
		switch {
		case strings.HasPrefix(line, "+"):
			line = d.screen.In(terminal.Good, line)
		case strings.HasPrefix(line, "-"):
			line = d.screen.In(terminal.Bad, line)
		case strings.HasPrefix(line, "@@"):
			line = d.screen.In(terminal.Quiet, line)
		}
		d.say(line)
	}
}
