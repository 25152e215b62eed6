package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/sync/errgroup"

	"github.com/backend-kata/dojo/cmd/dojo/internal/terminal"
	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
	"github.com/backend-kata/dojo/kata"
)

// boardRows is how many katas the board shows on a screen of 24 rows.
const boardRows = 14

type boardCommand struct {
	All bool `help:"All 43 questions by track, with those that are planned."`
}

// A row is one kata on the board.
type row struct {
	kata    workbook.Kata
	verdict testrun.Verdict
	err     error
}

// Run prints each kata's line as soon as its verdict and those above it are
// in.
func (c boardCommand) Run(ctx context.Context, d *desk) error {
	d.tools.Tidy()
	shown, here := d.shown(c.All), d.book.Here()
	result := d.judgeAll(ctx, slices.Concat(shown, here))
	all := len(d.book.Katas())
	d.say(fmt.Sprintf("%d questions · %d katas here", all, len(here)), "")
	track := kata.Track("")
	for _, k := range shown {
		if c.All && k.Track != track {
			track = k.Track
			d.say(d.screen.In(terminal.Loud, string(track)))
		}
		d.say(d.rowText(result(k)))
	}
	var done sums
	for _, k := range here {
		done.add(result(k))
	}
	if left := all - len(shown); left > 0 {
		d.say(d.screen.In(terminal.Quiet, fmt.Sprintf("  · %d more: go tool dojo list --all", left)))
	}
	d.say("", fmt.Sprintf("%d of %d katas green · %d of %d steps", done.green, done.katas, done.greenSteps, done.steps))
	d.showToday(result)
	return d.showNext(ctx)
}

// judgeAll begins to judge the katas that are here, in that order, and returns a
// function that waits for one.
func (d *desk) judgeAll(ctx context.Context, katas []workbook.Kata) (result func(workbook.Kata) row) {
	rows := map[string]func() row{}
	var order []func() row
	for _, k := range katas {
		if k.Exists() && rows[k.Name()] == nil {
			judged := sync.OnceValue(func() row {
				v, err := d.verdict(ctx, k)
				return row{k, v, err}
			})
			rows[k.Name()] = judged
			order = append(order, judged)
		}
	}
	go func() {
		var judges errgroup.Group
		judges.SetLimit(2) // a build has two busy processes of its own
		for _, judged := range order {
			judges.Go(func() error { judged(); return nil })
		}
	}()
	return func(k workbook.Kata) row {
		if judged := rows[k.Name()]; judged != nil {
			return judged()
		}
		return row{kata: k}
	}
}

// shown returns the katas that the board lists: all by track, or those that are
// here in the order of the path. Where these are too many it is what the learner
// began, the last first, and then what comes next.
func (d *desk) shown(all bool) []workbook.Kata {
	if all {
		katas := d.book.Katas()
		slices.SortStableFunc(katas, func(x, y workbook.Kata) int {
			return slices.Index(kata.Tracks(), x.Track) - slices.Index(kata.Tracks(), y.Track)
		})
		return katas
	}
	path := d.book.Path()
	if len(path) <= boardRows {
		return path
	}
	started := d.started()
	others := slices.DeleteFunc(path, func(k workbook.Kata) bool { return k.Started() })
	return slices.Concat(started, others)[:boardRows]
}

func (d *desk) rowText(r row) string {
	green, steps, greenFurther, further := r.verdict.Count()
	symbol, style, state := "·", terminal.Quiet, "planned"
	switch v := r.verdict; {
	case !r.kata.Exists():
	case r.err != nil:
		symbol, style, state = "!", terminal.Bad, "see below"
	case !r.kata.Started():
		symbol, style, state = "○", terminal.Quiet, "not started"
	case v.Broken != nil:
		symbol, style, state = "◐", terminal.Bad, "does not build"
	case len(v.Altered) > 0:
		symbol, style, state = "!", terminal.Doing, "steps edited"
	case v.Complete():
		symbol, style, state = "●", terminal.Good, fmt.Sprintf("%d/%d  +%d complete", green, steps, further)
	case v.Green():
		symbol, style, state = "●", terminal.Good, fmt.Sprintf("%d/%d  +%d of %d", green, steps, greenFurther, further)
	case v.Done():
		symbol, style, state = "◐", terminal.Doing, fmt.Sprintf("%d/%d, needs -race", green, steps)
	default:
		symbol, style, state = "◐", terminal.Doing, fmt.Sprintf("step %d of %d", v.FirstRed()+1, steps)
	}
	width := 15
	if d.screen.Width < 60 { // the symbol says it, where the question would have no room
		width, state = 0, ""
	}
	text := fmt.Sprintf("  %s %-15s %-*s ", d.screen.In(style, symbol), r.kata.Name(), width, state)
	text += d.screen.In(terminal.Quiet, fmt.Sprintf("%d ", r.kata.Level)) + r.kata.Text
	text = ansi.Truncate(text, min(d.screen.Width, 100), "…")
	if r.err != nil {
		text += "\n" + d.screen.Wrap("      ", r.err.Error())
	}
	return text
}

// showToday says what the learner worked on since midnight.
func (d *desk) showToday(result func(workbook.Kata) row) {
	year, month, day := time.Now().Date()
	midnight := time.Date(year, month, day, 0, 0, 0, 0, time.Local)
	var today []string
	for _, k := range d.started() {
		if k.Edited().Before(midnight) {
			break
		}
		v := result(k).verdict
		green, steps, _, _ := v.Count()
		state := fmt.Sprintf("%d of %d steps", green, steps)
		if v.Green() {
			state = "green"
		}
		today = append(today, k.Name()+", "+state)
	}
	if len(today) > 0 {
		d.say(d.screen.Lines("Today: ", "       ", strings.Join(today, "; "))...)
	}
}

// sums adds up the board.
type sums struct{ katas, green, steps, greenSteps int }

func (s *sums) add(r row) {
	green, steps, _, _ := r.verdict.Count()
	s.katas++
	s.steps += steps
	s.greenSteps += green
	if r.verdict.Green() {
		s.green++
	}
}

// showNext prints the one thing to do next.
func (d *desk) showNext(ctx context.Context) error {
	k, v, err := d.current(ctx)
	if err != nil {
		return err
	}
	d.say("")
	switch {
	case v == nil && k.Started():
		d.say(d.screen.In(terminal.Good, "Every kata here is complete."), "Compare yours with the reference: go tool dojo diff "+k.Name())
		return nil
	case v == nil:
		d.say(
			fmt.Sprintf("Next is %s: %s", d.screen.In(terminal.Loud, k.Name()), k.Text),
			"  read  "+k.Rel(k.Readme()),
			"  edit  "+k.Rel(k.Stub()))
	case v.Broken != nil:
		d.say(fmt.Sprintf("You are on %s. %s", d.screen.In(terminal.Loud, k.Name()), v.Broken[0]))
	case v.FirstRed() == len(v.Steps):
		d.say("You are on " + d.screen.In(terminal.Loud, k.Name()) + ".")
	default:
		s := v.Steps[v.FirstRed()]
		d.say(d.screen.Lines(fmt.Sprintf("You are on %s, step %d: ", d.screen.In(terminal.Loud, k.Name()), s.Number), "  ", s.Title)...)
	}
	d.say("  go tool dojo watch " + k.Name())
	return nil
}

type nextCommand struct{}

// Run says what to do next.
func (nextCommand) Run(ctx context.Context, d *desk) error { return d.showNext(ctx) }
