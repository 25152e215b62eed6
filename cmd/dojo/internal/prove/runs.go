package prove

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/backend-kata/dojo/cmd/dojo/internal/patch"
	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// stepLimit is longer than a learner's: several runs share the machine.
const stepLimit = 60 * time.Second

// cpus are the values of GOMAXPROCS that a verdict must not depend on.
var cpus = []string{"1", "2", "4"}

// runs builds and runs the stub and the reference, and where that is green, every
// right program and every mistake.
func (p *proof) runs(ctx context.Context) ([]Finding, error) {
	var stub, reference, figures []Finding
	var stubSays []testrun.Result
	var first errgroup.Group
	first.Go(func() (err error) { stub, stubSays, err = p.stub(ctx); return err })
	first.Go(func() (err error) { reference, err = p.reference(ctx); return err })
	first.Go(func() (err error) { figures, err = p.figures(ctx); return err })
	if err := first.Wait(); err != nil {
		return nil, err
	}
	findings := slices.Concat(stub, reference, figures)
	if len(reference) > 0 {
		return findings, nil // what is built on it would be red for its faults
	}
	others := make([][]Finding, len(p.mistakes)+len(p.right))
	failures := make([]string, len(p.mistakes)) // what each mistake's step said
	var second errgroup.Group
	for i, m := range p.mistakes {
		second.Go(func() (err error) { others[i], failures[i], err = p.mistake(ctx, m); return err })
	}
	for i, r := range p.right {
		second.Go(func() (err error) { others[len(p.mistakes)+i], err = p.rightProgram(ctx, r); return err })
	}
	err := second.Wait()
	findings = append(findings, slices.Concat(others...)...)
	return append(findings, p.checkSymptoms(stubSays, failures)...), err
}

// work takes a slot. What it returns gives it back.
func (p *proof) work() (done func()) {
	p.slots <- struct{}{}
	return func() { <-p.slots }
}

// build builds the steps on the files as shipped, whatever the learner wrote.
func (p *proof) build(ctx context.Context, f testrun.Flavour) (*testrun.Binary, error) {
	further, err := p.kata.Further()
	if err != nil {
		return nil, err
	}
	replace := map[string]string{p.kata.Stub(): p.kata.ShippedStub()}
	for _, path := range further {
		replace[path] = ""
	}
	maps.Copy(replace, f.Replace)
	f.Replace = replace
	binary, err := p.Tools.Build(ctx, p.kata, f)
	if err == nil {
		p.spend("building")(binary.Built)
	}
	return binary, err
}

// blamed turns what the compiler refuses into a finding of that file.
func (p *proof) blamed(path string, err error) ([]Finding, error) {
	compile, ok := errors.AsType[*testrun.CompileError](err)
	if !ok {
		return nil, err
	}
	f := found(p.kata, path, "it does not compile")
	f.Output = strings.Split(compile.Output, "\n")
	return []Finding{f}, nil
}

func (p *proof) names() []string {
	var names []string
	for _, s := range p.steps {
		names = append(names, s.Name)
	}
	return names
}

// stub checks that the stub as shipped fails at every step, in words.
func (p *proof) stub(ctx context.Context) (findings []Finding, results []testrun.Result, err error) {
	defer p.work()()
	path := p.kata.ShippedStub()
	binary, err := p.build(ctx, testrun.Flavour{Race: p.Options.Race})
	if err != nil {
		findings, err = p.blamed(path, err)
		return findings, nil, err
	}
	defer binary.Close()
	results, err = binary.Run(ctx, testrun.Options{Steps: p.names(), Limit: stepLimit, Used: p.spend("stub")})
	findings = p.stubFindings(path, results)
	return findings, results, err
}

// reference checks that the reference passes, shuffled, on one, two and four
// processors.
func (p *proof) reference(ctx context.Context) ([]Finding, error) {
	return p.green(ctx, "reference", p.kata.Reference(), nil, cpus)
}

// rightProgram checks that no step refuses a right program of another design.
func (p *proof) rightProgram(ctx context.Context, r workbook.Right) ([]Finding, error) {
	return p.green(ctx, "right programs", r.Path, map[string]string{p.kata.Reference(): r.Path}, cpus[1:2])
}

// green checks that a program passes every step each time that it runs.
func (p *proof) green(ctx context.Context, kind, path string, replace map[string]string, cpus []string) ([]Finding, error) {
	defer p.work()()
	binary, err := p.build(ctx, testrun.Flavour{Solutions: true, Race: p.Options.Race, Replace: replace})
	if err != nil {
		return p.blamed(path, err)
	}
	defer binary.Close()
	results, err := binary.Run(ctx, testrun.Options{Steps: p.names(), Limit: stepLimit, Used: p.spend(kind), Args: []string{
		fmt.Sprintf("-test.count=%d", p.Options.Runs), "-test.shuffle=on", "-test.cpu=" + strings.Join(cpus, ","),
	}})
	var findings []Finding
	ran := map[string]int{}
	for _, r := range results {
		ran[r.Step]++
		if r.Red() || r.Skipped && p.Options.Race {
			findings = append(findings, found(p.kata, path, "it fails %s", r.Step).with(testrun.Explain(p.kata, r)))
		}
	}
	for _, name := range p.names() {
		if want := p.Options.Runs * len(cpus); err == nil && len(findings) == 0 && ran[name] != want {
			findings = append(findings, found(p.kata, path, "%s ran %d times, want %d", name, ran[name], want))
		}
	}
	return findings, err
}

// mistake checks that the step it names is the first to go red, every time,
// and returns what that step said.
func (p *proof) mistake(ctx context.Context, m workbook.Mistake) (findings []Finding, failure string, err error) {
	defer p.work()()
	reference, err := os.ReadFile(p.kata.Reference())
	if err != nil {
		return nil, "", fmt.Errorf("reading the reference: %w", err)
	}
	text, err := patch.Apply(string(reference), m.Patch)
	if err != nil {
		return []Finding{found(p.kata, m.Path, "%v", err)}, "", nil
	}
	dir, err := os.MkdirTemp("", "dojo-mistake-")
	if err != nil {
		return nil, "", fmt.Errorf("making a temporary folder: %w", err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "mistake.go")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return nil, "", fmt.Errorf("writing a mistake: %w", err)
	}
	for _, race := range p.flavours() {
		findings, failure, err = p.try(ctx, m, testrun.Flavour{
			Solutions: true, Race: race, Replace: map[string]string{p.kata.Reference(): path},
		})
		if err != nil || len(findings) == 0 {
			break
		}
	}
	return findings, failure, err
}

// flavours are the builds to try a mistake in, until it is caught. A plain one
// takes a third of the time, and most mistakes need no more. A thorough proof
// has them all caught under the race detector.
func (p *proof) flavours() []bool {
	if p.Options.Race && !p.Options.Thorough {
		return []bool{false, true}
	}
	return []bool{p.Options.Race}
}

// try runs the steps on a mistake, and returns what is wrong with the verdicts,
// and what the first red step of the last run said.
func (p *proof) try(ctx context.Context, m workbook.Mistake, f testrun.Flavour) (findings []Finding, failure string, err error) {
	binary, err := p.build(ctx, f)
	if err != nil {
		findings, err = p.blamed(m.Path, err)
		return findings, "", err
	}
	defer binary.Close()
	for run := range p.Options.Runs {
		results, err := binary.Run(ctx, testrun.Options{
			Steps: p.names(), Limit: stepLimit, FailFast: true, Used: p.spend("mistakes"), Args: []string{"-test.cpu=" + cpus[run%len(cpus)]},
		})
		if err != nil {
			return nil, "", err
		}
		last := results[len(results)-1]
		failure = last.Output
		if findings = p.uncaught(m, last); findings != nil {
			break
		}
	}
	return findings, failure, nil
}

// uncaught says what is wrong with the first red step, if something is.
func (p *proof) uncaught(m workbook.Mistake, last testrun.Result) []Finding {
	switch {
	case !last.Red():
		return []Finding{found(p.kata, m.Path, "no step catches it")}
	case last.Step != m.CaughtBy:
		return []Finding{found(p.kata, m.Path, "%s goes red first, want %s", last.Step, m.CaughtBy).with(testrun.Explain(p.kata, last))}
	case p.Options.Thorough && strings.Contains(last.Output, "WARNING: DATA RACE"):
		return nil // the detector may see it before its other symptom shows, which the plain proof looks for
	case !strings.Contains(last.Output, m.Symptom):
		return []Finding{found(p.kata, m.Path, "the failure does not say %q", m.Symptom).with(testrun.Explain(p.kata, last))}
	}
	return nil
}

// checkSymptoms checks that a symptom tells its mistake from the stub and from
// the others that the same step catches.
func (p *proof) checkSymptoms(stub []testrun.Result, failures []string) []Finding {
	var findings []Finding
	for i, m := range p.mistakes {
		if failures[i] == "" {
			continue // it did not run, which was found already
		}
		for _, r := range stub {
			if r.Step == m.CaughtBy && strings.Contains(r.Output, m.Symptom) {
				findings = append(findings, found(p.kata, m.Path, "the stub's failure says %q too, so it tells nothing", m.Symptom))
			}
		}
		for j, other := range p.mistakes {
			if i != j && other.CaughtBy == m.CaughtBy && strings.Contains(failures[j], m.Symptom) {
				findings = append(findings, found(p.kata, m.Path, "the failure of %s says %q too, so it does not tell them apart", other.Slug, m.Symptom))
			}
		}
	}
	return findings
}

// rebase rewrites a mistake's patch so that it fits the reference of today.
func (p *proof) rebase(m workbook.Mistake) (workbook.Mistake, error) {
	reference, err := os.ReadFile(p.kata.Reference())
	if err != nil {
		return m, fmt.Errorf("reading the reference: %w", err)
	}
	text, err := patch.Rebase(string(reference), m.Patch)
	fresh := patch.Make(p.kata.Rel(p.kata.Reference()), string(reference), text)
	if err == nil && fresh != m.Patch {
		m.Patch = fresh
		return m, workbook.Replace(m.Path, []byte(m.Text()))
	}
	return m, nil // where it does not fit, the run will say so
}
