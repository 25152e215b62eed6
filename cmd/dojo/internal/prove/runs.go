package prove

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// stepLimit is longer than a learner's: several runs share the machine.
const stepLimit = 60 * time.Second

// cpus are the values of GOMAXPROCS that a verdict must not depend on.
var cpus = []string{"1", "2", "4"}

// batch is how often one process runs the steps. With -race it keeps some 15 MB a run
// until it ends, so that a hundred runs on three numbers of processors took 8 GB.
const batch = 10

// runs builds and runs the stub and the reference, and where that is green, every
// right program and every mistake.
func (p *proof) runs(ctx context.Context) ([]Finding, error) {
	var stub, reference, figures, logs []Finding
	var stubSays []testrun.Result
	var first errgroup.Group
	first.Go(func() (err error) { stub, stubSays, err = p.stub(ctx); return err })
	first.Go(func() (err error) { reference, err = p.reference(ctx); return err })
	first.Go(func() (err error) { figures, err = p.figures(ctx); return err })
	first.Go(func() (err error) { logs, err = p.logs(ctx); return err })
	if err := first.Wait(); err != nil {
		return nil, err
	}
	findings := slices.Concat(stub, reference, figures, logs)
	if len(reference) > 0 {
		return findings, nil // what is built on it would be red for its faults
	}
	tried := make([]suspect, len(p.mistakes))
	right := make([][]Finding, len(p.right))
	var mixed []Finding
	var second errgroup.Group
	second.Go(func() (err error) { mixed, err = p.mixed(ctx); return err })
	second.Go(func() error { return p.try(ctx, tried) })
	for i, r := range p.right {
		second.Go(func() (err error) { right[i], err = p.rightProgram(ctx, r); return err })
	}
	err := second.Wait()
	for _, t := range tried {
		findings = append(findings, t.findings...)
	}
	findings = append(findings, slices.Concat(right...)...)
	findings = append(findings, mixed...)
	return append(findings, p.checkSymptoms(stubSays, tried)...), err
}

// work takes a slot. What it returns gives it back; a second call does nothing.
func (p *proof) work() (done func()) {
	p.slots <- struct{}{}
	return sync.OnceFunc(func() { <-p.slots })
}

// build builds the steps on the files as shipped, whatever the learner wrote.
func (p *proof) build(ctx context.Context, f testrun.Flavour) (*testrun.Binary, error) {
	return p.built(p.Tools.BuildShipped(ctx, p.kata, f))
}

// built adds the time of a build to the kata's account.
func (p *proof) built(binary *testrun.Binary, err error) (*testrun.Binary, error) {
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
	var results []testrun.Result
	for left := p.Options.Runs; left > 0 && err == nil; left -= batch {
		var some []testrun.Result
		some, err = binary.Run(ctx, testrun.Options{Steps: p.names(), Limit: stepLimit, Used: p.spend(kind), Args: []string{
			fmt.Sprintf("-test.count=%d", min(batch, left)), "-test.shuffle=on", "-test.cpu=" + strings.Join(cpus, ","),
		}})
		results = append(results, some...)
	}
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
