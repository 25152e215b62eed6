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
	Which whichCommand `cmd:"" default:"withargs" hidden:""`
	List  listCommand  `cmd:"" help:"List the known mistakes of a kata: those that tempt first."`
	Edit  editCommand  `cmd:"" help:"Open the reference with a mistake applied, and save what you change as its patch."`
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
	known := len(mistakes)
	fit := likely(mistakes, s)
	switch len(fit) {
	case 0:
		d.say(d.screen.Lines("", "", fmt.Sprintf("Step %d fails in a way that none of the %d known mistakes of %s does: this one is new.", s.Number, known, k.Name()))...)
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

// likely returns the mistakes that fail as the step did, with the symptom's words.
func likely(mistakes []workbook.Mistake, s testrun.StepVerdict) []workbook.Mistake {
	output := oneSpace(s.Output)
	return slices.DeleteFunc(mistakes, func(m workbook.Mistake) bool {
		return m.CaughtBy != s.Name || !strings.Contains(output, oneSpace(m.Symptom))
	})
}

// oneSpace makes all white space alike: a table's columns are as wide as what
// stands in them.
func oneSpace(text string) string { return strings.Join(strings.Fields(text), " ") }

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
