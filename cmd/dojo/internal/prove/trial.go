package prove

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/patch"
	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// ErrUncaught says that every step passes on a program that is meant to be wrong.
var ErrUncaught = errors.New("no step catches it")

// A Trial is what the steps say of a program that is meant to be wrong.
type Trial struct {
	*proof

	Caught testrun.Result // the first step that is red
	Others []Other        // what that step says of other programs
}

// An Other is a program that the same step catches: another mistake, or the stub,
// which has no slug.
type Other struct {
	workbook.Mistake

	Output string
}

// Try runs the steps on the program at path, plain, and with -race where they are
// green. Its error is a *testrun.CompileError where the program is to blame, and
// ErrUncaught where no step is red.
func (p *Prover) Try(ctx context.Context, k workbook.Kata, path string) (*Trial, error) {
	steps, err := k.Steps()
	if err != nil {
		return nil, err
	}
	t := &Trial{proof: &proof{Prover: p, kata: k, steps: steps, report: Report{Work: Work{}}}}
	t.Caught, err = t.firstRed(ctx, t.options(t.names()), t.flavour(ctx, testrun.Flavour{Solutions: true, Replace: map[string]string{k.Reference(): path}}))
	return t, err
}

// options are those of a learner's run.
func (t *Trial) options(steps []string) testrun.Options {
	return testrun.Options{Steps: steps, Limit: t.Tools.Limit}
}

// flavour returns what builds a flavour, with -race or without.
func (p *proof) flavour(ctx context.Context, f testrun.Flavour) func(race bool) (*testrun.Binary, error) {
	return func(race bool) (*testrun.Binary, error) {
		f.Race = race
		return p.build(ctx, f)
	}
}

// firstRed runs steps until one is red, plain and then with -race.
func (p *proof) firstRed(ctx context.Context, o testrun.Options, build func(race bool) (*testrun.Binary, error)) (testrun.Result, error) {
	o.FailFast = true
	for _, race := range p.flavours() {
		binary, err := build(race)
		if err != nil {
			return testrun.Result{}, err
		}
		results, err := p.patiently(ctx, binary, o)
		if err := errors.Join(err, binary.Close()); err != nil {
			return testrun.Result{}, err
		}
		if last := results[len(results)-1]; last.Red() {
			return last, nil
		}
	}
	return testrun.Result{}, ErrUncaught
}

// Compare asks what the step that caught the program says of the stub, and of the
// kata's other mistakes that it catches. Those that cannot be run are left out: a
// proof says why.
func (t *Trial) Compare(ctx context.Context, slug string) error {
	if err := t.ask(ctx, workbook.Mistake{}, testrun.Flavour{}); err != nil {
		return err
	}
	reference, err := os.ReadFile(t.kata.Reference())
	if err != nil {
		return fmt.Errorf("reading the reference: %w", err)
	}
	paths, err := t.kata.MistakePaths()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "dojo-others-")
	if err != nil {
		return fmt.Errorf("making a temporary folder: %w", err)
	}
	defer os.RemoveAll(dir)
	for _, path := range paths {
		m, err := t.kata.ReadMistake(path)
		if err != nil || m.Slug == slug || m.CaughtBy != t.Caught.Step {
			continue
		}
		text, err := patch.Apply(string(reference), m.Patch)
		if err != nil {
			continue
		}
		program := filepath.Join(dir, m.Slug+".go")
		if err := os.WriteFile(program, []byte(text), 0o644); err != nil {
			return fmt.Errorf("writing a mistake: %w", err)
		}
		if err := t.ask(ctx, m, testrun.Flavour{Solutions: true, Replace: map[string]string{t.kata.Reference(): program}}); err != nil {
			return err
		}
	}
	return nil
}

func (t *Trial) ask(ctx context.Context, m workbook.Mistake, f testrun.Flavour) error {
	r, err := t.firstRed(ctx, t.options([]string{t.Caught.Step}), t.flavour(ctx, f))
	if _, ok := errors.AsType[*testrun.CompileError](err); ok || errors.Is(err, ErrUncaught) {
		return nil
	}
	if err == nil {
		t.Others = append(t.Others, Other{m, r.Output})
	}
	return err
}

// Symptom returns words of the failure that none of the others says: those that
// are given if they are good, or else the first few that are.
func (t *Trial) Symptom(given string) string {
	good := func(words string) bool {
		return words != "" && strings.Contains(t.Caught.Output, words) &&
			!slices.ContainsFunc(t.Others, func(o Other) bool { return strings.Contains(o.Output, words) })
	}
	if good(given) {
		return given
	}
	for _, line := range append(t.Why().Lines, "DATA RACE") {
		for _, words := range phrases(line) {
			if good(words) {
				return words
			}
		}
	}
	return ""
}

// Clashes returns the other mistakes whose symptom this failure says too.
func (t *Trial) Clashes() []workbook.Mistake {
	var all []workbook.Mistake
	for _, o := range t.Others {
		if o.Symptom != "" && strings.Contains(t.Caught.Output, o.Symptom) {
			all = append(all, o.Mistake)
		}
	}
	return all
}

var (
	sentence = regexp.MustCompile(`\S.*?([.:;](\s|$)|$)`)
	word     = regexp.MustCompile(`\S+`)
	unstable = regexp.MustCompile(`0x[0-9a-f]+|\.go:\d+|goroutine \d+`) // differs from run to run, or with any line that is added
)

// phrases returns runs of three words and more of the sentences of a line, short
// ones first, and then the line.
func phrases(line string) []string {
	if unstable.MatchString(line) {
		return nil
	}
	var all []string
	for _, text := range sentence.FindAllString(line, -1) {
		words := word.FindAllStringIndex(text, -1)
		for n := 3; n <= len(words); n++ {
			for first := range len(words) - n + 1 {
				all = append(all, text[words[first][0]:words[first+n-1][1]])
			}
		}
	}
	slices.SortStableFunc(all, func(x, y string) int { return len(strings.Fields(x)) - len(strings.Fields(y)) })
	return append(all, strings.TrimSpace(line))
}

// Why says in words why the program is red.
func (t *Trial) Why() testrun.Explanation { return testrun.Explain(t.kata, t.Caught) }

// Step is the step that caught the program.
func (t *Trial) Step() workbook.Step {
	return t.steps[slices.IndexFunc(t.steps, func(s workbook.Step) bool { return s.Name == t.Caught.Step })]
}
