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

// errFound ends a piece of work whose finding has been written down.
var errFound = errors.New("found wanting")

// cpus are the values of GOMAXPROCS that a verdict must not depend on.
var cpus = []string{"1", "2", "4"}

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

// runs builds and runs the stub, the reference and every mistake.
func (p *proof) runs(ctx context.Context) error {
	failures := make([]string, len(p.mistakes)) // what each mistake's step said
	var stub []testrun.Result
	var group errgroup.Group
	group.Go(func() (err error) {
		stub, err = p.stub(ctx)
		return err
	})
	group.Go(func() error { return p.reference(ctx) })
	group.Go(func() error { return p.figures(ctx) })
	for i, m := range p.mistakes {
		group.Go(func() (err error) {
			failures[i], err = p.mistake(ctx, m)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	p.checkSymptoms(stub, failures)
	return nil
}

// work takes a slot, and adds what f took to the kata's account.
func (p *proof) work(f func() error) error {
	p.slots <- struct{}{}
	start := time.Now()
	err := f()
	if errors.Is(err, errFound) {
		err = nil
	}
	p.mu.Lock()
	p.report.Work += time.Since(start)
	p.mu.Unlock()
	<-p.slots
	return err
}

// build builds the steps on the files as shipped, whatever the learner wrote.
// What the compiler refuses is a finding, and gives no binary.
func (p *proof) build(ctx context.Context, what string, f testrun.Flavour) (*testrun.Binary, error) {
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
	if compile, ok := errors.AsType[*testrun.CompileError](err); ok {
		p.find("%s does not compile: %s", what, compile.Output)
		return nil, errFound
	}
	return binary, err
}

func (p *proof) names() []string {
	var names []string
	for _, s := range p.steps {
		names = append(names, s.Name)
	}
	return names
}

// stub checks that the stub as shipped fails at every step, in words.
func (p *proof) stub(ctx context.Context) (results []testrun.Result, err error) {
	err = p.work(func() error {
		binary, err := p.build(ctx, "the stub as shipped", testrun.Flavour{Race: p.Options.Race})
		if err != nil {
			return err
		}
		defer binary.Close()
		results, err = binary.Run(ctx, testrun.Options{Steps: p.names(), Limit: stepLimit})
		return err
	})
	for _, r := range results {
		switch e := testrun.Explain(p.kata, r); {
		case r.Passed:
			p.find("the stub passes %s: begin with a claim that it cannot meet", r.Step)
		case r.Died || strings.Contains(r.Output, "\npanic: "):
			p.find("the stub takes the process with it at %s: %s", r.Step, e.Lines[0])
		case strings.Contains(r.Output, "WARNING: DATA RACE"):
			p.find("the stub has a data race at %s", r.Step)
		case len(strings.Fields(e.Lines[0])) < 4:
			p.find("the stub's failure at %s is not in words: %q", r.Step, e.Lines[0])
		}
	}
	return results, err
}

// reference checks that the reference passes, shuffled, on one, two and four
// processors.
func (p *proof) reference(ctx context.Context) error {
	return p.work(func() error {
		binary, err := p.build(ctx, "the reference", testrun.Flavour{Solutions: true, Race: p.Options.Race})
		if err != nil {
			return err
		}
		defer binary.Close()
		results, err := binary.Run(ctx, testrun.Options{Steps: p.names(), Limit: stepLimit, Args: []string{
			fmt.Sprintf("-test.count=%d", p.Options.Runs), "-test.shuffle=on", "-test.cpu=" + strings.Join(cpus, ","),
		}})
		passed := map[string]int{}
		for _, r := range results {
			if !r.Passed {
				e := testrun.Explain(p.kata, r)
				p.find("the reference fails %s: %s (%s)", r.Step, strings.Join(e.Lines, " "), e.Place)
			}
			passed[r.Step]++
		}
		for _, name := range p.names() {
			if want := p.Options.Runs * len(cpus); err == nil && passed[name] != want && !slices.ContainsFunc(results, func(r testrun.Result) bool { return !r.Passed }) {
				p.find("the reference ran %s %d times, want %d", name, passed[name], want)
			}
		}
		return err
	})
}

// mistake checks that the step it names is the first to go red, every time,
// and returns what that step said.
func (p *proof) mistake(ctx context.Context, m workbook.Mistake) (failure string, err error) {
	err = p.work(func() error {
		path, remove, err := p.apply(m)
		if err != nil {
			return err
		}
		defer remove()
		var finding string
		for _, race := range p.flavours() {
			failure, finding, err = p.try(ctx, m, testrun.Flavour{
				Solutions: true, Race: race, Replace: map[string]string{p.kata.Reference(): path},
			})
			if err != nil || finding == "" {
				return err
			}
		}
		p.find("%s: %s", p.kata.Rel(m.Path), finding)
		return nil
	})
	return failure, err
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

// try runs the steps on a mistake, and returns what the last of them said and
// what is wrong with that.
func (p *proof) try(ctx context.Context, m workbook.Mistake, f testrun.Flavour) (failure, finding string, err error) {
	binary, err := p.build(ctx, p.kata.Rel(m.Path), f)
	if err != nil {
		return "", "", err
	}
	defer binary.Close()
	for run := range p.Options.Runs {
		results, err := binary.Run(ctx, testrun.Options{
			Steps: p.names(), Limit: stepLimit, FailFast: true, Args: []string{"-test.cpu=" + cpus[run%len(cpus)]},
		})
		if err != nil {
			return "", "", err
		}
		last := results[len(results)-1]
		failure = last.Output
		if finding := p.uncaught(m, last); finding != "" {
			return failure, finding, nil
		}
	}
	return failure, "", nil
}

// uncaught says what is wrong with the first red step, if something is.
func (p *proof) uncaught(m workbook.Mistake, last testrun.Result) string {
	switch {
	case last.Passed:
		return "no step catches it"
	case last.Step != m.CaughtBy:
		return fmt.Sprintf("%s goes red first, want %s: %s", last.Step, m.CaughtBy, testrun.Explain(p.kata, last).Lines[0])
	case !strings.Contains(last.Output, m.Symptom):
		return fmt.Sprintf("the failure does not say %q: %s", m.Symptom, strings.Join(testrun.Explain(p.kata, last).Lines, " "))
	}
	return ""
}

// apply writes the reference with a mistake in it to a temporary file.
func (p *proof) apply(m workbook.Mistake) (path string, remove func(), err error) {
	reference, err := os.ReadFile(p.kata.Reference())
	if err != nil {
		return "", nil, fmt.Errorf("reading the reference: %w", err)
	}
	text, err := patch.Apply(string(reference), m.Patch)
	if err != nil {
		p.find("%s: %v", p.kata.Rel(m.Path), err)
		return "", nil, errFound
	}
	dir, err := os.MkdirTemp("", "dojo-mistake-")
	if err != nil {
		return "", nil, fmt.Errorf("making a temporary folder: %w", err)
	}
	remove = func() { os.RemoveAll(dir) }
	path = filepath.Join(dir, "mistake.go")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		remove()
		return "", nil, fmt.Errorf("writing a mistake: %w", err)
	}
	return path, remove, nil
}

// checkSymptoms checks that a symptom tells its mistake from the stub and from
// the others that the same step catches.
func (p *proof) checkSymptoms(stub []testrun.Result, failures []string) {
	for i, m := range p.mistakes {
		for _, r := range stub {
			if r.Step == m.CaughtBy && strings.Contains(r.Output, m.Symptom) {
				p.find("%s: the stub's failure says %q too, so it tells nothing", p.kata.Rel(m.Path), m.Symptom)
			}
		}
		for j, other := range p.mistakes {
			if i != j && other.CaughtBy == m.CaughtBy && strings.Contains(failures[j], m.Symptom) {
				p.find("%s: the failure of %s says %q too, so it does not tell them apart", p.kata.Rel(m.Path), other.Slug, m.Symptom)
			}
		}
	}
}
