// Package prove checks that a kata is whole: that its stub is red at every
// step, that its reference is green however it is run, and so is every right
// program of another design, that each mistake is caught by the step that it
// names, and that its documents agree with them.
package prove

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// Options of a proof.
type Options struct {
	Fresh    bool // run what was proved before, too
	Fix      bool // write what can be generated before looking
	Runs     int  // how often the reference and each right program run
	Race     bool
	Thorough bool // with Race: mistakes too always run under the race detector
}

// mistakeRuns is how often each mistake runs: a kata has so many that a tenth of
// the reference's runs are several hundred.
func (o Options) mistakeRuns() int { return min(o.Runs, max(3, o.Runs/10)) }

// A Report is what was found wanting in a kata.
type Report struct {
	Kata     workbook.Kata
	Steps    int
	Further  int
	Mistakes int
	Right    int       // programs of other designs
	Promises int       // sentences of the contract
	Held     int       // of them: those that a mistake breaks, or that have a reason not to be
	Findings []Finding // none for a kata that is whole
	Work     Work
	Kept     *Kept // the proof of before that stands for this one, if one does
	Soak     Soak  // the last one here
}

// A Prover proves katas, some at a time.
type Prover struct {
	Tools   *testrun.Toolchain
	Options Options
	slots   chan struct{} // one for each build or run under way
	outside outside
}

// New returns a prover that does at most parallel things at a time.
func New(tools *testrun.Toolchain, o Options, parallel int) *Prover {
	return &Prover{Tools: tools, Options: o, slots: make(chan struct{}, parallel)}
}

// Kata proves one kata. What its papers lack keeps no code from being run. The
// error is for what is no fault of the kata's.
func (p *Prover) Kata(ctx context.Context, k workbook.Kata) (Report, error) {
	proof := &proof{Prover: p, kata: k, report: Report{Kata: k, Work: Work{}, Soak: p.lastSoak(k)}}
	findings, err := proof.all(ctx)
	proof.report.Findings = byFile(k, proof.anotherStub(findings))
	return proof.report, err
}

// A proof is the work on one kata.
type proof struct {
	*Prover
	kata     workbook.Kata
	steps    []workbook.Step
	mistakes []workbook.Mistake
	right    []workbook.Right
	mixtures []workbook.Mixed

	mu     sync.Mutex // guards report.Work
	report Report
}

func (p *proof) all(ctx context.Context) ([]Finding, error) {
	if err := p.ship(); err != nil {
		return nil, err
	}
	var findings []Finding
	for _, path := range []string{p.kata.ShippedStub(), p.kata.Reference(), p.kata.Tests(), filepath.Join(p.kata.Solutions(), "doc.go")} {
		if _, err := os.Stat(path); err != nil {
			findings = append(findings, found(p.kata, path, "it is missing"))
		}
	}
	if len(findings) > 0 {
		return findings, nil // there is nothing to build
	}
	var err error
	if p.steps, err = p.kata.Steps(); err != nil {
		return []Finding{found(p.kata, p.kata.Tests(), "%v", err)}, nil
	}
	start := time.Now()
	papers, err := p.papers()
	p.spend("papers")(time.Since(start))
	if err != nil {
		return papers, err
	}
	runs, err := p.runsOrKept(ctx)
	return append(runs, papers...), err
}

// ship makes the stub of today the one that is shipped, for a kata that has
// shipped none yet.
func (p *proof) ship() error {
	if _, err := os.Stat(p.kata.ShippedStub()); err == nil || !p.Options.Fix {
		return nil
	}
	text, err := os.ReadFile(p.kata.Stub())
	if os.IsNotExist(err) {
		return nil // that none was shipped is said later
	}
	if err != nil {
		return fmt.Errorf("reading the stub: %w", err)
	}
	return workbook.Replace(p.kata.ShippedStub(), text)
}

// papers checks what can be checked without running anything, and reads what
// will be run.
func (p *proof) papers() ([]Finding, error) {
	k := p.kata
	findings, err := p.generated()
	if err != nil {
		return findings, err
	}
	if p.right, err = k.Right(); err != nil {
		return findings, err
	}
	if p.mixtures, err = k.Mixed(); err != nil {
		return findings, err
	}
	p.report.Right = len(p.right)
	findings = slices.Concat(findings, p.checkSteps(), checkStepCode(k), checkBuildLines(k, p.right), checkSizes(k),
		checkAPI(k, k.ShippedStub()), hints(k, p.steps), checkAnswer(k, p.Options.Fix))
	readable, mistakes, err := p.checkMistakes()
	findings = append(findings, mistakes...)
	if err != nil {
		return findings, err
	}
	held, quotes, err := Contract(k, readable)
	p.report.Promises = len(held)
	for _, h := range held {
		if len(h.Mistakes) > 0 || h.Reason != "" {
			p.report.Held++
		}
	}
	return append(findings, quotes...), err
}

// generated checks, or writes, the files that are made from others.
func (p *proof) generated() ([]Finding, error) {
	k := p.kata
	return mendAll(k.Root, []generated{
		{k.Forwarder(), func(string) (string, error) {
			reference, err := os.ReadFile(k.Reference())
			if err != nil {
				return "", err
			}
			text, err := forwarder(k, reference)
			return string(text), err
		}},
		{k.Sums(), func(string) (string, error) { return testSums(k) }},
		{k.Readme(), func(old string) (string, error) { return between(old, "steps", stepList(p.steps)) }},
	}, p.Options.Fix)
}

// checkMistakes reads the mistakes. What cannot be read is a finding, and no
// mistake; what names no step is not run.
func (p *proof) checkMistakes() (readable []workbook.Mistake, findings []Finding, err error) {
	k := p.kata
	paths, err := k.MistakePaths()
	if err != nil {
		return nil, nil, err
	}
	if len(paths) < 3 {
		findings = append(findings, found(k, k.MistakesDir(), "mistakes: there are %d, want 3 at least", len(paths)))
	}
	p.report.Mistakes = len(paths)
	for _, path := range paths {
		m, err := k.ReadMistake(path)
		if err != nil {
			findings = append(findings, found(k, path, "%v", err))
			continue
		}
		if p.Options.Fix {
			if m, err = p.rebase(m); err != nil {
				return readable, findings, err
			}
		}
		readable = append(readable, m)
		if len(m.Breaks) > 2 {
			findings = append(findings, found(k, path, "it breaks %d sentences of the contract, want 2 at most: make two of it", len(m.Breaks)))
		}
		if !slices.ContainsFunc(p.steps, func(s workbook.Step) bool { return s.Name == m.CaughtBy }) {
			findings = append(findings, found(k, path, "Caught-by names %s, which is no step", m.CaughtBy))
			continue
		}
		p.mistakes = append(p.mistakes, m)
	}
	return readable, findings, nil
}

func (p *proof) checkSteps() []Finding {
	var findings []Finding
	find := func(format string, args ...any) {
		findings = append(findings, found(p.kata, p.kata.Tests(), format, args...))
	}
	for _, s := range p.steps {
		if s.Further {
			p.report.Further++
		} else {
			p.report.Steps++
			if p.report.Further > 0 {
				find("%s stands after a TestFurther, and steps come first", s.Name)
			}
		}
		if strings.Contains(s.Name, "_") {
			find("%s has an underscore: steps are named TestWhatHappens", s.Name)
		}
		if s.Title == "" {
			find("%s has no comment: its first sentence is the step's title", s.Name)
		}
		if strings.HasPrefix(s.Title, s.Name) {
			find("the comment of %s starts with its name; it is to say what the system does", s.Name)
		}
	}
	if n := p.report.Steps; n < 5 || n > 7 {
		find("steps: there are %d, want 5 to 7", n)
	}
	if n := p.report.Further; n > 4 {
		find("further steps: there are %d, want 4 at most", n)
	}
	return findings
}
