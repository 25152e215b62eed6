package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/backend-kata/dojo/cmd/dojo/internal/patch"
	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

type mistakeCommand struct {
	Which whichCommand `cmd:"" default:"withargs" hidden:""`
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
	}
	mistakes, err := k.Mistakes()
	if err != nil {
		return err
	}
	s := v.Steps[v.FirstRed()]
	for _, m := range mistakes {
		if m.CaughtBy == s.Name && strings.Contains(s.Output, m.Symptom) {
			d.say(fmt.Sprintf("Step %d fails as it does for those who %s.", s.Number, lowerFirst(strings.TrimSuffix(m.Title, "."))), "", d.screen.Wrap("  ", m.Why))
			return d.showPromises(k, m)
		}
	}
	d.say(fmt.Sprintf("Step %d fails in a way that none of the %d known mistakes of %s does: this one is new.", s.Number, len(mistakes), k.Name()))
	return nil
}

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

type editCommand struct {
	Kata string `arg:"" help:"The kata."`
	Slug string `arg:"" help:"The mistake's file name without its ending; a new one is made."`
}

// Run opens $EDITOR on the reference with the mistake applied, in a temporary
// folder, and saves the difference.
func (c editCommand) Run(ctx context.Context, d *desk) error {
	k, err := d.book.Kata(c.Kata)
	if err != nil {
		return err
	}
	editor := os.Getenv("EDITOR")
	if editor == "" {
		return errors.New("which editor? Set EDITOR, as in EDITOR=vi")
	}
	reference, err := os.ReadFile(k.Reference())
	if err != nil {
		return fmt.Errorf("the reference of %s cannot be read: %w", k.Name(), err)
	}
	m, err := k.Mistake(c.Slug)
	if errors.Is(err, os.ErrNotExist) {
		m = workbook.Mistake{
			Path: filepath.Join(k.MistakesDir(), c.Slug+".patch"), Slug: c.Slug,
			Title: "what was done", Why: "why it tempts, and what happens then.", CaughtBy: "TestTheStep", Symptom: "words of the failure",
		}
	} else if err != nil {
		return err
	}
	text := string(reference)
	if m.Patch != "" {
		if text, err = patch.Rebase(text, m.Patch); err != nil {
			return fmt.Errorf("%s: %w", k.Rel(m.Path), err)
		}
	}
	edited, err := editText(ctx, editor, k.Name()+".go", text)
	if err != nil {
		return err
	}
	m.Patch = patch.Make(k.Rel(k.Reference()), string(reference), edited)
	if m.Patch == "" {
		return errors.New("the edited file is the reference itself, so nothing was saved")
	}
	if err := os.MkdirAll(k.MistakesDir(), 0o755); err != nil {
		return fmt.Errorf("making the folder of mistakes: %w", err)
	}
	if err := workbook.Replace(m.Path, []byte(m.Text())); err != nil {
		return err
	}
	d.say("Saved "+k.Rel(m.Path)+".", "Mind its preface, then: go tool dojo prove "+k.Name())
	return nil
}

// editText lets an editor change a text.
func editText(ctx context.Context, editor, name, text string) (string, error) {
	dir, err := os.MkdirTemp("", "dojo-mistake-")
	if err != nil {
		return "", fmt.Errorf("making a temporary folder: %w", err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return "", fmt.Errorf("writing the file to edit: %w", err)
	}
	words := strings.Fields(editor)
	cmd := exec.CommandContext(ctx, words[0], append(words[1:], path)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("the editor %q failed, and nothing was saved: %w", editor, err)
	}
	edited, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading what you edited: %w", err)
	}
	return string(edited), nil
}
