package main

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/backend-kata/dojo/cmd/dojo/internal/terminal"
	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
	"github.com/backend-kata/dojo/kata"
)

type boardCommand struct{}

// A row is one kata on the board.
type row struct {
	kata    workbook.Kata
	started bool
	verdict testrun.Verdict
	err     error
}

// Run prints each kata's line as soon as its verdict and those above it are
// in.
func (boardCommand) Run(ctx context.Context, d *desk) error {
	d.tools.Tidy()
	katas := d.book.Katas()
	rows := map[string]chan row{}
	var judges errgroup.Group
	judges.SetLimit(2) // a build has two busy processes of its own
	for _, k := range katas {
		rows[k.Name()] = make(chan row, 1)
	}
	go func() {
		for _, track := range kata.Tracks() {
			for _, k := range ofTrack(katas, track) {
				judges.Go(func() error { rows[k.Name()] <- d.judgeRow(ctx, k); return nil })
			}
		}
	}()
	d.say(fmt.Sprintf("%d questions · %d katas here", len(katas), len(d.book.Here())))
	var done sums
	for _, track := range kata.Tracks() {
		d.say("", d.screen.In(terminal.Loud, string(track)))
		for _, k := range ofTrack(katas, track) {
			r := <-rows[k.Name()]
			done.add(r)
			d.say(d.rowText(r))
		}
	}
	d.say("", fmt.Sprintf("%d of %d katas green · %d of %d steps", done.green, done.katas, done.greenSteps, done.steps), "")
	return d.showNext(ctx)
}

func ofTrack(katas []workbook.Kata, track kata.Track) []workbook.Kata {
	var some []workbook.Kata
	for _, k := range katas {
		if k.Track == track {
			some = append(some, k)
		}
	}
	return some
}

// judgeRow judges a kata that the learner started. One as shipped is red at
// its first step, which needs no run.
func (d *desk) judgeRow(ctx context.Context, k workbook.Kata) row {
	r := row{kata: k}
	if !k.Exists() {
		return r
	}
	if r.started = k.Started(); r.started {
		r.verdict, r.err = d.tools.Judge(ctx, k, testrun.Judgement{Race: d.race()})
		return r
	}
	steps, err := k.Steps()
	for _, s := range steps {
		r.verdict.Steps = append(r.verdict.Steps, testrun.StepVerdict{Step: s})
	}
	r.err = err
	return r
}

func (d *desk) rowText(r row) string {
	green, steps, greenFurther, further := r.verdict.Count()
	symbol, style, state := "·", terminal.Quiet, "not here yet"
	switch {
	case !r.kata.Exists():
	case r.err != nil:
		symbol, style, state = "!", terminal.Bad, "see below"
	case !r.started:
		symbol, style, state = "○", terminal.Quiet, "not started"
	case r.verdict.Broken != nil:
		symbol, style, state = "◐", terminal.Bad, "does not build"
	case r.verdict.Complete():
		symbol, style, state = "●", terminal.Good, fmt.Sprintf("%d/%d  +%d complete", green, steps, further)
	case r.verdict.Green():
		symbol, style, state = "●", terminal.Good, fmt.Sprintf("%d/%d  +%d of %d", green, steps, greenFurther, further)
	case r.verdict.Done():
		symbol, style, state = "◐", terminal.Doing, fmt.Sprintf("%d/%d, needs -race", green, steps)
	default:
		symbol, style, state = "◐", terminal.Doing, fmt.Sprintf("step %d of %d", r.verdict.FirstRed()+1, steps)
	}
	text := fmt.Sprintf("  %s %-16s %-15s ", d.screen.In(style, symbol), r.kata.Name(), state)
	text += d.screen.In(terminal.Quiet, fmt.Sprintf("%d  ", r.kata.Level)) + shorten(r.kata.Text, min(d.screen.Width, 100)-40)
	if r.err != nil {
		text += "\n" + d.screen.Wrap("      ", r.err.Error())
	}
	return text
}

// shorten cuts a text that would not fit its line.
func shorten(text string, room int) string {
	if runes := []rune(text); len(runes) > room {
		return strings.TrimRight(string(runes[:room-1]), " ") + "…"
	}
	return text
}

// sums adds up the board.
type sums struct{ katas, green, steps, greenSteps int }

func (s *sums) add(r row) {
	if !r.kata.Exists() {
		return
	}
	green, steps, _, _ := r.verdict.Count()
	s.katas++
	s.steps += steps
	s.greenSteps += green
	if r.started && r.verdict.Broken == nil && r.verdict.Green() {
		s.green++
	}
}

// showNext prints the one thing to do next, and the red verdict of the kata
// the learner is on.
func (d *desk) showNext(ctx context.Context) error {
	k, v, err := d.current(ctx)
	if err != nil {
		return err
	}
	switch {
	case v != nil:
		d.showVerdict(k, *v, 0)
		d.say("", "Next: go tool dojo watch "+k.Name())
	case !k.Started():
		d.say(
			fmt.Sprintf("Next is %s: %s", d.screen.In(terminal.Loud, k.Name()), k.Text),
			"  read   "+k.Rel(k.Readme()),
			"  edit   "+k.Rel(k.Stub()),
			"  and    go tool dojo watch "+k.Name())
	default:
		d.say(d.screen.In(terminal.Good, "Every kata here is green."), "Compare yours with the reference: go tool dojo diff "+k.Name())
	}
	return nil
}
