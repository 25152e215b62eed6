package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/mutate"
	"github.com/backend-kata/dojo/cmd/dojo/internal/terminal"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

type mutateCommand struct {
	Katas  []string `arg:"" optional:"" help:"The katas; without any, all that are here."`
	Sample int      `help:"Judge only so many mutants of each kata, drawn at random, the same ones each time."`
	Only   string   `enum:"concurrency,all" default:"all" help:"Judge only the mutants of concurrency: --only concurrency."`
	Write  bool     `help:"Write the scores into the table of docs/README.md."`
}

// Run changes the references in small ways, and prints what the steps do not notice.
func (c mutateCommand) Run(ctx context.Context, d *desk) error {
	if c.Write && (c.Sample > 0 || c.Only != "all") {
		return errors.New("the table has scores of all mutants: --write goes with neither --sample nor --only")
	}
	katas, err := d.katas(c.Katas)
	if err != nil {
		return err
	}
	if why := d.noRace(); why != "" {
		d.say(why)
	}
	whole := true
	for _, k := range katas {
		green, err := c.kata(ctx, d, k)
		if err != nil {
			return err
		}
		whole = whole && green
	}
	if !whole {
		return errRed
	}
	return nil
}

// kata reports whether no mutant of concurrency survives that the list does not have.
func (c mutateCommand) kata(ctx context.Context, d *desk, k workbook.Kata) (green bool, err error) {
	start := time.Now()
	spared, err := mutate.ReadSpared(k)
	if err != nil {
		return false, err
	}
	judge := mutate.Judge{Tools: d.tools, Kata: k, Race: d.race(), Progress: func(done, known int) {
		if d.screen.Interactive {
			fmt.Fprintf(d.screen, "\r%s: %d of %d ", k.Name(), done, known)
		}
	}}
	known, err := judge.Mutants(ctx)
	if err != nil {
		return false, fmt.Errorf("%s: %w", k.Name(), err)
	}
	mutants := known
	if c.Only == "concurrency" {
		mutants = nil
		for _, m := range known {
			if m.Concurrency {
				mutants = append(mutants, m)
			}
		}
	}
	if c.Sample > 0 {
		mutants = mutate.Sample(mutants, c.Sample)
	}
	err = judge.Judge(ctx, mutants)
	if d.screen.Interactive {
		fmt.Fprint(d.screen, "\r\x1b[K")
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", k.Name(), err)
	}
	score := mutate.Count(mutants, known, spared)
	d.showScore(k, score, time.Since(start))
	if c.Write {
		err = recordScore(k, score)
	}
	return len(score.Unlisted) == 0, err
}

func (d *desk) showScore(k workbook.Kata, s mutate.Score, took time.Duration) {
	mark := d.screen.In(terminal.Good, "✓ ")
	if len(s.Unlisted) > 0 {
		mark = d.screen.In(terminal.Bad, "✗ ")
	}
	d.say(fmt.Sprintf("%s%-16s %d mutants of concurrency: %d killed, %d equivalent, %d open; of %d others %d killed, %s; %.0f s",
		mark, k.Name(), s.Mutants, s.Killed, s.Equivalent, s.Open, s.Others, s.OthersKilled, s.Raw(), took.Seconds()))
	list := func(title string, mutants []*mutate.Mutant) {
		if len(mutants) > 0 {
			d.say("  " + title)
		}
		for _, m := range mutants {
			sometimes := ""
			if m.Sometimes() {
				sometimes = "  (killed sometimes)"
			}
			d.say(fmt.Sprintf("    %s:%d  %s%s", k.Rel(k.Reference()), m.Line, m.Name, sometimes))
		}
	}
	list("of concurrency, not killed each time, and not in "+k.Rel(mutate.SparedFile(k))+":", s.Unlisted)
	list("others that no step notices:", s.Survivors)
	for _, name := range s.KilledSpared {
		d.say("  " + k.Rel(mutate.SparedFile(k)) + " spares what is killed: " + name)
	}
	for _, name := range s.GoneSpared {
		d.say("  " + k.Rel(mutate.SparedFile(k)) + " spares what is no mutant: " + name)
	}
}

func recordScore(k workbook.Kata, s mutate.Score) error {
	page, err := os.ReadFile(mutate.Table(k))
	if err != nil {
		return fmt.Errorf("reading the page of scores: %w", err)
	}
	hash, err := mutate.Hash(k)
	if err != nil {
		return err
	}
	text, err := mutate.Record(string(page), k, s, hash)
	if err != nil {
		return fmt.Errorf("%s: %w", k.Rel(mutate.Table(k)), err)
	}
	return workbook.Replace(mutate.Table(k), []byte(text))
}
