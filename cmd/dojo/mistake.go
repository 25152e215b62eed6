package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

type mistakeCommand struct {
	Which whichCommand `cmd:"" default:"withargs" group:"learn" help:"Say which known mistake your failure looks like."`
	List  listCommand  `cmd:"" group:"write" help:"List the known mistakes of a kata: those that tempt first."`
	Edit  editCommand  `cmd:"" group:"write" help:"Open the reference with a mistake applied, and save what you change as its patch."`
}

type whichCommand struct {
	Kata string `arg:"" optional:"" help:"The kata; without it, the one you are on."`
}

// Run says which known mistake the failure looks like.
func (c whichCommand) Run(ctx context.Context, d *desk) error {
	k, err := d.kata(ctx, c.Kata)
	if err != nil {
		return err
	}
	v, err := d.tools.Judge(ctx, k, testrun.Judgement{Race: d.race()})
	if err != nil {
		return err
	}
	return d.showMistake(k, v)
}

func (d *desk) showMistake(k workbook.Kata, v testrun.Verdict) error {
	switch {
	case v.Broken != nil:
		d.say(k.Name() + " does not build, so its mistake has not shown yet.")
		return nil
	case v.Complete():
		d.say(k.Name() + " is complete: there is no mistake to name.")
		return nil
	case !k.Started():
		d.say(k.Name() + " is as shipped: no step is begun, and no mistake is made yet.")
		return nil
	case v.FirstRed() == len(v.Steps):
		d.say("No step of " + k.Name() + " is red: there is no mistake to name.")
		return nil
	}
	mistakes, err := k.Mistakes()
	if err != nil {
		return err
	}
	s := v.Steps[v.FirstRed()]
	fit := workbook.Likely(mistakes, s.Name, s.Output)
	switch len(fit) {
	case 0:
		if s.Died {
			d.say(d.screen.Lines("", "", fmt.Sprintf("Step %d ended the program or did not end itself, and so did not fail as a known mistake does: the failure says where.", s.Number))...)
			return nil
		}
		d.say(d.screen.Lines("", "", fmt.Sprintf("Step %d fails in a way that none of the %d known mistakes of %s does: this one is new.", s.Number, len(mistakes), k.Name()))...)
		return nil
	case 1:
		m := fit[0]
		d.say(d.screen.Lines("", "", fmt.Sprintf("Step %d fails as it does for those who %s.", s.Number, saying(m)))...)
		if m.Why != "" {
			d.say("")
			d.say(d.screen.Lines("  ", "  ", m.Why)...)
		}
		return d.showPromises(k, m)
	}
	d.say(d.screen.Lines("", "", fmt.Sprintf("Step %d fails as it does for those who make one of these mistakes:", s.Number))...)
	for _, m := range fit[:min(3, len(fit))] {
		d.say(d.screen.Lines("  - ", "    ", saying(m))...)
	}
	return nil
}

// saying makes a title part of a sentence.
func saying(m workbook.Mistake) string { return lowerFirst(strings.TrimSuffix(m.Title, ".")) }

// showPromises prints the sentences of the contract that a mistake breaks.
func (d *desk) showPromises(k workbook.Kata, m workbook.Mistake) error {
	promises, err := k.Contract()
	if err != nil {
		return err
	}
	quote := workbook.NewQuote(promises)
	for _, words := range m.Breaks {
		for _, n := range quote.Find(words) {
			p := promises[n]
			d.say("", d.screen.Wrap("  ", fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)))
		}
	}
	return nil
}

// lowerFirst makes a title part of a sentence. One that starts with a name, such
// as an abbreviation in capitals, stays as it is.
func lowerFirst(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	second, _ := utf8.DecodeRuneInString(text[size:])
	if unicode.IsUpper(second) {
		return text
	}
	return string(unicode.ToLower(first)) + text[size:]
}

// mistakes returns the kata of that name, with its mistakes.
func (d *desk) mistakes(name string) (workbook.Kata, []workbook.Mistake, error) {
	k, err := d.book.Kata(name)
	if err != nil {
		return workbook.Kata{}, nil, err
	}
	mistakes, err := k.Mistakes()
	return k, mistakes, err
}

type listCommand struct {
	Kata string `arg:"" help:"The kata."`
}

// Run lists the mistakes of a kata, those that tempt first.
func (c listCommand) Run(d *desk) error {
	k, mistakes, err := d.mistakes(c.Kata)
	if err != nil {
		return err
	}
	steps, err := k.Steps()
	if err != nil {
		return err
	}
	width := 0
	for _, m := range mistakes {
		width = max(width, len(m.Slug))
	}
	heading := ""
	for _, m := range mistakes {
		under := "They tempt:"
		if m.Why == "" {
			under = "They are there for their sentence alone:"
		}
		if under != heading {
			heading = under
			d.say(heading)
		}
		number := 1 + slices.IndexFunc(steps, func(s workbook.Step) bool { return s.Name == m.CaughtBy })
		d.say(fmt.Sprintf("  %-*s  step %d  %s", width, m.Slug, number, m.Title))
	}
	d.say(fmt.Sprintf("%d in all", len(mistakes)))
	return nil
}
