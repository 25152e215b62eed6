package prove

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/backend-kata/dojo/cmd/dojo/internal/patch"
	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/variants"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// A suspect is a mistake and what became of it.
type suspect struct {
	workbook.Mistake

	text     string // the reference with the mistake
	findings []Finding
	failure  string // what the first red step said
}

// caught reports whether it was tried, and nothing found wanting.
func (t *suspect) caught() bool { return t == nil || t.findings == nil && t.failure != "" }

// try checks of each mistake that the step it names is the first to go red,
// every time. Those that can be are built into one binary; what is found wanting
// there is built alone, so that nothing is found that merging did.
func (p *proof) try(ctx context.Context, tried []suspect) error {
	var left []*suspect
	var texts []string
	reference, err := os.ReadFile(p.kata.Reference())
	if err != nil {
		return fmt.Errorf("reading the reference: %w", err)
	}
	for i, m := range p.mistakes {
		t := &tried[i]
		t.Mistake = m
		if t.text, err = patch.Apply(string(reference), m.Patch); err != nil {
			t.findings = []Finding{found(p.kata, m.Path, "%v", err)}
			continue
		}
		left, texts = append(left, t), append(texts, t.text)
	}
	merged, err := p.merge(ctx, texts)
	if err != nil {
		return err
	}
	var work errgroup.Group
	var together []*suspect
	for i, t := range left {
		if merged.In[i] {
			together = append(together, t)
			continue
		}
		together = append(together, nil)
		work.Go(func() error { return p.alone(ctx, t) })
	}
	err = p.together(ctx, merged.Source, together)
	for _, t := range together {
		if err == nil && !t.caught() {
			work.Go(func() error { return p.alone(ctx, t) })
		}
	}
	return errors.Join(err, work.Wait())
}

func (p *proof) merge(ctx context.Context, texts []string) (variants.Merged, error) {
	defer p.work()()
	program, err := variants.Load(ctx, p.Tools, p.kata)
	if err != nil {
		return variants.Merged{}, err
	}
	return program.Merge(texts), nil
}

// together tries mistakes in one binary, in which each has its index; some are
// nil. It leaves findings with those that are to be tried alone.
func (p *proof) together(ctx context.Context, text string, suspects []*suspect) error {
	for _, race := range p.flavours() {
		var left []int
		for i, t := range suspects {
			if !t.caught() {
				left = append(left, i)
			}
		}
		if len(left) == 0 {
			return nil
		}
		binary, err := p.buildText(ctx, text, race)
		if _, ok := errors.AsType[*testrun.CompileError](err); ok {
			return nil // which of them it is, shows alone
		}
		if err != nil {
			return err
		}
		var runs errgroup.Group
		for _, i := range left {
			runs.Go(func() error { return p.run(ctx, binary, suspects[i], variants.Setting(i)) })
		}
		err = runs.Wait()
		binary.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// alone tries a mistake in a binary of its own.
func (p *proof) alone(ctx context.Context, t *suspect) error {
	for _, race := range p.flavours() {
		binary, err := p.buildText(ctx, t.text, race)
		if err != nil {
			t.findings, err = p.blamed(t.Path, err)
			return err
		}
		err = p.run(ctx, binary, t, nil)
		binary.Close()
		if err != nil || t.findings == nil {
			return err
		}
	}
	return nil
}

func (p *proof) buildText(ctx context.Context, text string, race bool) (*testrun.Binary, error) {
	defer p.work()()
	return p.built(p.Tools.BuildText(ctx, p.kata, text, race))
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

// run runs the steps on a mistake, and notes what is wrong with the verdicts and
// what the first red step of the last run said.
func (p *proof) run(ctx context.Context, binary *testrun.Binary, t *suspect, env []string) error {
	t.findings = nil
	for run := range p.Options.mistakeRuns() {
		results, err := p.patiently(ctx, binary, testrun.Options{
			Steps: p.names(), Limit: stepLimit, FailFast: true, Args: []string{"-test.cpu=" + cpus[run%len(cpus)]}, Env: env,
			Used: p.spend("mistakes"),
		})
		if err != nil {
			return err
		}
		last := results[len(results)-1]
		t.failure = last.Output
		if t.findings = p.uncaught(t.Mistake, last); t.findings != nil {
			break
		}
	}
	return nil
}

// patience is how long a run that is at work takes at most. One that takes longer
// hangs until a watchdog sees it, and gives its slot to others. A slow suite has
// more, or the machine would be given away to ever more runs of it.
func (p *proof) patience() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	suite := p.report.Work["reference"] / time.Duration(len(cpus)*max(1, p.Options.Runs))
	return max(4*time.Second, 3*suite)
}

func (p *proof) patiently(ctx context.Context, binary *testrun.Binary, o testrun.Options) ([]testrun.Result, error) {
	done := p.work()
	defer done()
	defer time.AfterFunc(p.patience(), done).Stop()
	return binary.Run(ctx, o)
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
	case !m.Shows(last.Output):
		return []Finding{found(p.kata, m.Path, "the failure does not say %q", m.Symptom).with(testrun.Explain(p.kata, last))}
	}
	return nil
}

// checkSymptoms checks that a symptom tells its mistake from the stub and from
// the others that the same step catches.
func (p *proof) checkSymptoms(stub []testrun.Result, tried []suspect) []Finding {
	var findings []Finding
	for i, m := range tried {
		if m.failure == "" {
			continue // it did not run, which was found already
		}
		for _, r := range stub {
			if r.Step == m.CaughtBy && m.Shows(r.Output) {
				findings = append(findings, found(p.kata, m.Path, "the stub's failure says %q too, so it tells nothing", m.Symptom))
			}
		}
		for j, other := range tried {
			if i != j && other.CaughtBy == m.CaughtBy && m.Shows(other.failure) {
				findings = append(findings, found(p.kata, m.Path,
					"the failure of %s says %q too, so it does not tell them apart", other.Slug, m.Symptom))
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
