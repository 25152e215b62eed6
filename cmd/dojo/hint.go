package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

type hintCommand struct {
	Kata string `arg:"" optional:"" help:"The kata; without it, the one you are on."`
	N    int    `arg:"" optional:"" help:"Which hint, from 1."`
}

// Run prints a hint for the step the learner is on.
func (c hintCommand) Run(ctx context.Context, d *desk) error {
	if n, err := strconv.Atoi(c.Kata); err == nil && c.N == 0 {
		c.Kata, c.N = "", n // as in "hint 2"
	}
	k, err := d.kata(ctx, c.Kata)
	if err != nil {
		return err
	}
	s, err := d.stepOf(ctx, k)
	if err != nil {
		return err
	}
	if s == nil {
		d.say(k.Name() + " is complete: there is nothing to hint at.")
		return nil
	}
	return d.showHint(k, s.Step, max(1, c.N), "")
}

// stepOf returns the step the learner is on in k, or nil when all pass.
func (d *desk) stepOf(ctx context.Context, k workbook.Kata) (*testrun.StepVerdict, error) {
	steps, err := k.Steps()
	if err != nil {
		return nil, err
	}
	if !k.Started() {
		return &testrun.StepVerdict{Step: steps[0]}, nil
	}
	v, err := d.tools.Judge(ctx, k, testrun.Judgement{Race: d.race()})
	if err != nil || v.Broken == nil && v.Complete() {
		return nil, err
	}
	return &v.Steps[v.FirstRed()], nil
}

// showHint prints a hint, and how to get the next one: by a key, or by a command
// where there is none.
func (d *desk) showHint(k workbook.Kata, s workbook.Step, n int, key string) error {
	all, err := k.Hints()
	if err != nil {
		return err
	}
	hints := all[s.Name]
	if len(hints) == 0 {
		return fmt.Errorf("step %d of %s has no hints", s.Number, k.Name())
	}
	if n > len(hints) {
		return fmt.Errorf("step %d of %s has %d hints, and you asked for number %d", s.Number, k.Name(), len(hints), n)
	}
	head := fmt.Sprintf("%s · step %d · hint %d of %d", k.Name(), s.Number, n, len(hints))
	if n < len(hints) && key != "" {
		head += ": " + key + " for the next"
	}
	d.say(head, "")
	d.say(d.screen.Markdown(hints[n-1])...)
	if n < len(hints) && key == "" {
		d.say("", fmt.Sprintf("The next one: go tool dojo hint %s %d", k.Name(), n+1))
	}
	return nil
}
