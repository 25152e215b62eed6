package main

import (
	"fmt"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/prove"
	"github.com/backend-kata/dojo/cmd/dojo/internal/terminal"
)

type contractCommand struct {
	Kata string `arg:"" help:"The kata."`
	Open bool   `help:"Only the promises that nothing holds."`
}

// Run lists the sentences of a kata's contract with what holds each.
func (c contractCommand) Run(d *desk) error {
	k, mistakes, err := d.mistakes(c.Kata)
	if err != nil {
		return err
	}
	held, findings, err := prove.Contract(k, mistakes)
	if err != nil {
		return err
	}
	counts := map[string]int{}
	file := ""
	for _, h := range held {
		mark, by := d.screen.In(terminal.Bad, "○"), ""
		switch {
		case len(h.Mistakes) > 0:
			mark, by = d.screen.In(terminal.Good, "✓"), strings.Join(h.Mistakes, ", ")
		case h.Reason != "":
			mark, by = "·", h.Reason
		}
		counts[mark]++
		if c.Open && by != "" {
			continue
		}
		if h.File != file {
			file = h.File
			d.say("", file)
		}
		d.say(fmt.Sprintf("%5d %s %s", h.Line, mark, h.Text))
		if by != "" {
			d.say("        " + by)
		}
	}
	d.say("", fmt.Sprintf("%d promises: %d are held by mistakes, %d have a reason not to be, %d have neither",
		len(held), counts[d.screen.In(terminal.Good, "✓")], counts["·"], counts[d.screen.In(terminal.Bad, "○")]))
	for _, f := range findings {
		d.say(f.File + ": " + f.Text)
	}
	return nil
}
