package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/patch"
	"github.com/backend-kata/dojo/cmd/dojo/internal/prove"
	"github.com/backend-kata/dojo/cmd/dojo/internal/terminal"
	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

type editCommand struct {
	Kata string `arg:"" help:"The kata."`
	Slug string `arg:"" help:"The mistake's file name without its ending; a new one is made."`
	From string `help:"Go on from a file that was kept when an edit could not be saved." placeholder:"FILE"`
}

// Run opens an editor on the preface and the reference with the mistake applied,
// tries what was edited, and saves it as a patch. What cannot be saved is kept.
func (c editCommand) Run(ctx context.Context, d *desk) error {
	k, err := d.book.Kata(c.Kata)
	if err != nil {
		return err
	}
	c.Slug = strings.TrimSuffix(c.Slug, ".patch")
	if c.Slug == "" || strings.ContainsAny(c.Slug, `/\ `) {
		return fmt.Errorf("%q is no file name for a mistake: take a few small words with hyphens between them", c.Slug)
	}
	editor := cmp.Or(os.Getenv("VISUAL"), os.Getenv("EDITOR"))
	if editor == "" && c.From == "" {
		return errors.New("which editor? Set EDITOR, as in EDITOR=vi")
	}
	path, before := c.From, ""
	if path == "" {
		if path, before, err = c.buffer(k); err != nil {
			return err
		}
	}
	if editor != "" {
		err = runEditor(editor, path)
	}
	edited, readErr := os.ReadFile(path)
	if err == nil && readErr != nil {
		err = fmt.Errorf("what you edited cannot be read: %w", readErr)
	}
	if c.From == "" && (readErr != nil || string(edited) == before) {
		err = errors.Join(err, os.RemoveAll(filepath.Dir(path)))
		if err == nil {
			err = errors.New(`the editor saved no change, so nothing was done; one that returns at once needs a flag, as in EDITOR="code --wait"`)
		}
		return err
	}
	if err == nil {
		err = d.saveMistake(ctx, k, c.Slug, path, string(edited))
	}
	if err != nil {
		again := fmt.Sprintf("  go tool dojo mistake edit --from %s %s %s", shellWord(path), k.Name(), c.Slug)
		d.say("", "What you edited is kept. To go on from it:", again, "")
		return err
	}
	if c.From == "" {
		return os.RemoveAll(filepath.Dir(path))
	}
	return nil
}

// buffer writes the file to edit, in a folder of its own.
func (c editCommand) buffer(k workbook.Kata) (path, text string, err error) {
	reference, err := os.ReadFile(k.Reference())
	if err != nil {
		return "", "", fmt.Errorf("the reference of %s cannot be read: %w", k.Name(), err)
	}
	program := string(reference)
	m, err := k.Mistake(c.Slug)
	switch {
	case errors.Is(err, os.ErrNotExist):
		m = workbook.Mistake{}
	case err != nil:
		return "", "", err
	default:
		if program, err = patch.Rebase(program, m.Patch); err != nil {
			return "", "", fmt.Errorf("%s: %w", k.Rel(m.Path), err)
		}
	}
	text = bufferOf(m, program)
	dir, err := os.MkdirTemp("", "dojo-mistake-")
	if err != nil {
		return "", "", fmt.Errorf("making a temporary folder: %w", err)
	}
	path = filepath.Join(dir, c.Slug+".go")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return "", "", errors.Join(fmt.Errorf("writing the file to edit: %w", err), os.RemoveAll(dir))
	}
	return path, text, nil
}

// saveMistake tries what was edited, and writes the patch if a step catches it.
func (d *desk) saveMistake(ctx context.Context, k workbook.Kata, slug, path, edited string) error {
	m, program, err := readBuffer(edited)
	if err != nil {
		return err
	}
	reference, err := os.ReadFile(k.Reference())
	if err != nil {
		return fmt.Errorf("the reference of %s cannot be read: %w", k.Name(), err)
	}
	m.Path, m.Slug = filepath.Join(k.MistakesDir(), slug+".patch"), slug
	m.Patch = patch.Make(k.Rel(k.Reference()), string(reference), program)
	if m.Patch == "" {
		return errors.New("the program is the reference itself, so there is no mistake in it")
	}
	if m, err = d.tryMistake(ctx, k, m, path); err != nil {
		return err
	}
	if _, err := workbook.ParseMistake(m.Text()); err != nil {
		return err
	}
	if err := os.MkdirAll(k.MistakesDir(), 0o755); err != nil {
		return fmt.Errorf("making the folder of mistakes: %w", err)
	}
	if err := workbook.Replace(m.Path, []byte(m.Text())); err != nil {
		return err
	}
	d.say("", "Saved "+k.Rel(m.Path)+".")
	_, findings, err := prove.Contract(k, []workbook.Mistake{m})
	for _, f := range findings {
		if f.File == k.Rel(m.Path) {
			d.say("But " + f.Text + ".")
		}
	}
	return err
}

// tryMistake runs the steps on the edited file, shows what they say, and fills in
// Caught-by and Symptom. The file itself is built, its preface a comment, so that
// the compiler's lines are the editor's.
func (d *desk) tryMistake(ctx context.Context, k workbook.Kata, m workbook.Mistake, path string) (workbook.Mistake, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return m, fmt.Errorf("where is %s: %w", path, err)
	}
	trial, err := prove.New(d.tools, prove.Options{Race: d.race()}, 1).Try(ctx, k, path)
	if compile, ok := errors.AsType[*testrun.CompileError](err); ok {
		d.say(strings.ReplaceAll(compile.Output, k.Rel(path)+":", path+":")) // the go command makes paths short
		return m, errors.New("the program does not compile, so nothing was saved")
	}
	if errors.Is(err, prove.ErrUncaught) {
		return m, errors.New("no step catches it, so nothing was saved: make a step look, or change what is wrong")
	}
	if err != nil {
		return m, err
	}
	step, why := trial.Step(), trial.Why()
	d.say(fmt.Sprintf("Step %d catches it: %s", step.Number, d.screen.In(terminal.Quiet, step.Title)), "")
	for _, line := range append(why.Lines, "", why.Place) {
		d.say("  " + strings.ReplaceAll(line, k.Rel(k.Reference())+":", path+":"))
	}
	d.say("")
	if m.CaughtBy != "" && m.CaughtBy != step.Name {
		d.say(fmt.Sprintf("Caught-by was %s, and %s goes red first.", m.CaughtBy, step.Name))
	}
	m.CaughtBy = step.Name
	if err := trial.Compare(ctx, m.Slug); err != nil {
		return m, err
	}
	symptom := trial.Symptom(m.Symptom)
	if symptom == "" {
		return m, fmt.Errorf("the failure has no words that the stub's has not, nor another mistake's of %s, so nothing was saved: "+
			"let the step say more, or the stub fail otherwise", step.Name)
	}
	if m.Symptom != "" && m.Symptom != symptom {
		d.say(fmt.Sprintf("Symptom was %q, which is not in this failure, or in another one too.", m.Symptom))
	}
	m.Symptom = symptom
	d.say("Caught-by: "+m.CaughtBy, "Symptom: "+m.Symptom)
	for _, other := range trial.Clashes() {
		d.say(fmt.Sprintf("This failure has the symptom of %s too (%q): give that mistake another one.", other.Slug, other.Symptom))
	}
	return m, nil
}

// runEditor opens a file in an editor, which is a command with arguments, as git
// takes it. An interrupt is the editor's own affair: it is not killed.
func runEditor(editor, path string) error {
	words := append(strings.Fields(editor), path)
	if sh, err := exec.LookPath("sh"); err == nil {
		words = []string{sh, "-c", editor + ` "$@"`, editor, path}
	}
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the editor %q failed, so nothing was saved: %w", editor, err)
	}
	return nil
}

// shellWord quotes a word for a shell, where it needs that.
func shellWord(word string) string {
	if strings.ContainsAny(word, " $`\"'") {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return word
}
