package testrun

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// A Verdict is what the steps say of the learner's code.
type Verdict struct {
	Steps   []StepVerdict
	Broken  []string // why there is no binary to run, in lines; the first is a sentence
	Altered []string // step files that are not as shipped, so that nothing is judged
	Notes   []string // what the learner should know beside the verdict
	Race    bool     // whether the race detector looked too
	Guessed bool     `json:"-"` // taken from an earlier run of the same files
}

// A StepVerdict is a step and what became of it.
type StepVerdict struct {
	workbook.Step
	Result
	Explanation Explanation // of a red step, or of one that could not judge all; of others, what they printed
}

// Ran reports whether the step ran at all.
func (s StepVerdict) Ran() bool { return s.Result.Step != "" }

// FirstRed returns the index of the step the learner is on: the first one that
// failed or has not run, or the number of steps.
func (v *Verdict) FirstRed() int {
	for i, s := range v.Steps {
		if s.Red() {
			return i
		}
	}
	return len(v.Steps)
}

// Count returns how many steps there are and how many are green, those beyond
// a green kata counted apart. Steps that somebody changed are never green.
func (v *Verdict) Count() (green, steps, greenFurther, further int) {
	for _, s := range v.Steps {
		one := 0
		if s.Passed && len(v.Altered) == 0 {
			one = 1
		}
		if s.Further {
			further, greenFurther = further+1, greenFurther+one
		} else {
			steps, green = steps+1, green+one
		}
	}
	return green, steps, greenFurther, further
}

// Green reports whether the code builds and every step passes that a green kata
// needs.
func (v *Verdict) Green() bool {
	green, steps, _, _ := v.Count()
	return v.Broken == nil && steps > 0 && green == steps
}

// Complete reports whether the code builds and every step passes.
func (v *Verdict) Complete() bool {
	_, _, greenFurther, further := v.Count()
	return v.Green() && greenFurther == further
}

// Done reports whether there is nothing left to do for a green kata: no step
// that it needs is red.
func (v *Verdict) Done() bool {
	at := v.FirstRed()
	return v.Broken == nil && len(v.Altered) == 0 && len(v.Steps) > 0 && (at == len(v.Steps) || v.Steps[at].Further)
}

// A Judgement is how a kata is judged.
type Judgement struct {
	Race  bool           // with the race detector
	Fresh bool           // even if the same files were judged before
	Waits bool           // what a time limit decided before is judged again
	Doing func(Progress) // called as the work goes on; may be nil
}

// Progress is what a judgement is busy with. Its zero value is that it builds.
type Progress struct {
	Started bool // the program runs
	Step    int  // the number of the step that runs, or 0 if none has begun
}

// Judge builds and runs the steps of k on the learner's code. What is wrong
// with the code is in the verdict; an error is for all else.
func (t *Toolchain) Judge(ctx context.Context, k workbook.Kata, j Judgement) (Verdict, error) {
	v := Verdict{Race: j.Race}
	steps, err := k.Steps()
	if err != nil {
		return v, err
	}
	if len(steps) == 0 {
		return v, fmt.Errorf("%s has no steps", k.Rel(k.Tests()))
	}
	for _, s := range steps {
		v.Steps = append(v.Steps, StepVerdict{Step: s})
	}
	var gone []string
	if gone, v.Altered, err = k.Changed(); err != nil {
		return v, err
	}
	if v.Notes, err = notes(k, v.Altered); err != nil {
		return v, err
	}
	if v.Broken = broken(k, gone); v.Broken != nil {
		return v, nil
	}
	key := t.key(k, j.Race)
	if !j.Fresh && t.recall(key, &v, !j.Waits) {
		return v, nil
	}
	doing := j.Doing
	if doing == nil {
		doing = func(Progress) {}
	}
	doing(Progress{})
	binary, err := t.Build(ctx, k, Flavour{Race: j.Race})
	if compile, ok := errors.AsType[*CompileError](err); ok {
		v.Broken = explainCompile(k, compile)
		t.keep(key, v)
		return v, nil
	}
	if err != nil {
		return v, err
	}
	defer binary.Close()
	if err := v.run(ctx, binary, t.Limit, doing); err != nil {
		return v, err
	}
	t.keep(key, v)
	return v, nil
}

// run runs the steps and fills in the verdicts. The further ones run once the
// kata is green: before that they would only hold up the verdict.
func (v *Verdict) run(ctx context.Context, binary *Binary, limit time.Duration, doing func(Progress)) error {
	index := map[string]int{}
	var names, further []string
	for i, s := range v.Steps {
		index[s.Name] = i
		if s.Further {
			further = append(further, s.Name)
		} else {
			names = append(names, s.Name)
		}
	}
	fill := func(r Result) {
		s := &v.Steps[index[r.Step]]
		s.Result = r
		if r.Passed {
			s.Explanation = Explanation{Printed: printed(r.Output)}
		} else {
			s.Explanation = Explain(binary.Kata, r)
		}
	}
	if binary.Race {
		limit *= 2
	}
	for _, part := range [][]string{names, further} {
		results, err := binary.Run(ctx, Options{
			Steps: part, Limit: limit, Each: fill,
			Began: func(step string) { doing(v.runs(step)) },
		})
		if err != nil {
			return err
		}
		for _, r := range results {
			if s := v.Steps[index[r.Step]]; !s.Red() && r.Red() {
				fill(r) // green, until the process ended badly after it
			}
		}
		if !v.Done() {
			break
		}
	}
	return nil
}

// runs is the progress once a step has begun, or with none the program.
func (v *Verdict) runs(step string) Progress {
	at := slices.IndexFunc(v.Steps, func(s StepVerdict) bool { return s.Name == step })
	return Progress{Started: true, Step: at + 1}
}

// broken says what keeps the kata from being built, before the compiler does.
func broken(k workbook.Kata, gone []string) []string {
	if _, err := os.Stat(k.Stub()); errors.Is(err, os.ErrNotExist) {
		return []string{
			fmt.Sprintf("%s is gone, the file you edit.", k.Rel(k.Stub())),
			"Bring back the one that was shipped: go tool dojo reset " + k.Name(),
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return []string{
		strings.Join(gone, " and ") + " is gone, and steps need it.",
		"Bring it back: git checkout -- " + gone[0],
	}
}

// steering are the settings with which a step is run again in one way. One that
// was left behind changes every verdict.
var steering = []string{"DOJO_SCHEDULE", "DOJO_CRASH"}

// notes says what the learner should know, whatever the steps say.
func notes(k workbook.Kata, altered []string) ([]string, error) {
	var all []string
	for _, name := range altered {
		all = append(all, fmt.Sprintf("%s is not as shipped, so this verdict means nothing. Bring it back: git checkout -- %[1]s", name))
	}
	for _, name := range steering {
		if value, ok := os.LookupEnv(name); ok {
			all = append(all, fmt.Sprintf("%s=%s is set, and leaves out all other runs. Take it out again: unset %[1]s", name, value))
		}
	}
	untagged, err := k.Untagged()
	if err != nil {
		return nil, err
	}
	for _, path := range untagged {
		all = append(all, fmt.Sprintf("%s lacks the line %s, so the reference does not build beside it. Add it: go tool dojo tag %s", k.Rel(path), workbook.BuildLine, k.Name()))
	}
	return all, nil
}

// explainCompile puts the compiler's own message first. Where it blames the
// tests, the exported API changed, and that is said too.
func explainCompile(k workbook.Kata, e *CompileError) []string {
	lines := strings.Split(e.Output, "\n")
	sentence := "It does not compile:"
	var changed []string
	tests := k.Rel(k.Dir()) + "/"
	for _, line := range lines {
		file, _, _ := strings.Cut(strings.TrimPrefix(filepath.ToSlash(line), tests), ":")
		if strings.HasSuffix(file, "_test.go") {
			changed = changedAPI(k)
			break
		}
	}
	if len(changed) > 0 {
		sentence = "What the kata exports is not as the steps need it:"
	}
	if len(lines) > 6 {
		lines = append(lines[:6], fmt.Sprintf("and %d lines more", len(lines)-6))
	}
	return slices.Concat([]string{sentence}, changed[:min(2, len(changed))], lines)
}

func changedAPI(k workbook.Kata) []string {
	shipped, err := os.ReadFile(k.ShippedStub())
	if err != nil {
		return nil
	}
	want, err := workbook.API(k.ShippedStub(), shipped)
	if err != nil {
		return nil
	}
	got := map[string]string{}
	further, _ := k.Further() // the stub alone is better than nothing
	for _, path := range append(further, k.Stub()) {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		api, err := workbook.API(path, text)
		if err != nil {
			return nil
		}
		for name, decl := range api {
			if want[name] != "" {
				got[name] = decl // what is new cannot be what the steps miss
			}
		}
	}
	return workbook.Differences(want, got)
}
