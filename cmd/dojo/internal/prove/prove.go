// Package prove checks that a kata is whole: that its stub is red at every
// step, that its reference is green however it is run, that each mistake is
// caught by the step that it names, and that its documents agree with them.
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
	Fix      bool // write what can be generated before looking
	Runs     int  // how often the reference and each mistake run
	Race     bool
	Thorough bool // with Race: mistakes too always run under the race detector
}

// A Report is what was found wanting in a kata.
type Report struct {
	Kata     workbook.Kata
	Steps    int
	Further  int
	Mistakes int
	Findings []string      // none for a kata that is whole
	Work     time.Duration // building and running, all told
}

// A Prover proves katas, some at a time.
type Prover struct {
	Tools   *testrun.Toolchain
	Options Options
	slots   chan struct{} // one for each build or run under way
}

// New returns a prover that does at most parallel things at a time.
func New(tools *testrun.Toolchain, o Options, parallel int) *Prover {
	return &Prover{Tools: tools, Options: o, slots: make(chan struct{}, parallel)}
}

// Kata proves one kata. Its error is for what is no fault of the kata's.
func (p *Prover) Kata(ctx context.Context, k workbook.Kata) (Report, error) {
	proof := &proof{Prover: p, kata: k, report: Report{Kata: k}}
	if err := proof.papers(); err != nil || len(proof.report.Findings) > 0 {
		return proof.report, err
	}
	err := proof.runs(ctx)
	slices.Sort(proof.report.Findings)
	return proof.report, err
}

// A proof is the work on one kata.
type proof struct {
	*Prover
	kata     workbook.Kata
	steps    []workbook.Step
	mistakes []workbook.Mistake

	mu     sync.Mutex // guards report
	report Report
}

func (p *proof) find(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.report.Findings = append(p.report.Findings, fmt.Sprintf(format, args...))
}

// papers checks what can be checked without running anything.
func (p *proof) papers() error {
	k := p.kata
	for _, path := range []string{k.ShippedStub(), k.Reference(), k.Tests(), k.Readme(), filepath.Join(k.Solutions(), "doc.go")} {
		if _, err := os.Stat(path); err == nil {
			continue
		}
		if path == k.ShippedStub() && p.Options.Fix {
			if text, err := os.ReadFile(k.Stub()); err == nil {
				if err := workbook.Replace(path, text); err != nil {
					return err
				}
				continue
			}
		}
		p.find("%s is missing", k.Rel(path))
	}
	if len(p.report.Findings) > 0 {
		return nil
	}
	var err error
	if p.steps, err = k.Steps(); err != nil {
		p.find("%v", err)
		return nil
	}
	if err := p.generated(); err != nil {
		return err
	}
	p.checkSteps()
	p.checkAPI()
	p.report.Findings = append(p.report.Findings, hints(k, p.steps)...)
	p.report.Findings = append(p.report.Findings, answerPage(k)...)
	return p.checkMistakes()
}

// generated checks, or writes, the files that are made from others.
func (p *proof) generated() error {
	k := p.kata
	findings, err := mendAll(k.Root, []generated{
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
	p.report.Findings = append(p.report.Findings, findings...)
	return err
}

// testSums lists the checksums of the test files. Those that a learner added
// are not among them.
func testSums(k workbook.Kata) (string, error) {
	further, err := k.Further()
	if err != nil {
		return "", err
	}
	paths, err := filepath.Glob(filepath.Join(k.Dir(), "*_test.go"))
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, path := range paths {
		if slices.Contains(further, path) {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "%s  %s\n", workbook.Sum(text), filepath.Base(path))
	}
	return out.String(), nil
}

func (p *proof) checkSteps() {
	for _, s := range p.steps {
		if s.Further {
			p.report.Further++
		} else {
			p.report.Steps++
			if p.report.Further > 0 {
				p.find("%s stands after a TestFurther, and steps come first", s.Name)
			}
		}
		if s.Title == "" {
			p.find("%s has no comment: its first sentence is the step's title", s.Name)
		}
		if strings.HasPrefix(s.Title, s.Name) {
			p.find("the comment of %s starts with its name; it is to say what the system does", s.Name)
		}
	}
	if n := p.report.Steps; n < 5 || n > 7 {
		p.find("there are %d steps, want 5 to 7", n)
	}
	if n := p.report.Further; n > 4 {
		p.find("there are %d further steps, want 4 at most", n)
	}
}

func (p *proof) checkAPI() {
	var apis []map[string]string
	for _, path := range []string{p.kata.ShippedStub(), p.kata.Reference()} {
		text, err := os.ReadFile(path)
		if err != nil {
			p.find("%v", err)
			return
		}
		api, err := workbook.API(path, text)
		if err != nil {
			p.find("%s %v", p.kata.Rel(path), err)
			return
		}
		apis = append(apis, api)
	}
	for _, difference := range workbook.Differences(apis[0], apis[1]) {
		p.find("stub and reference export different things: %s", difference)
	}
}

func (p *proof) checkMistakes() error {
	k := p.kata
	mistakes, err := k.Mistakes()
	if err != nil {
		p.find("%v", err)
		return nil
	}
	if len(mistakes) < 3 {
		p.find("there are %d mistakes, want 3 at least", len(mistakes))
	}
	p.report.Mistakes = len(mistakes)
	for i, m := range mistakes {
		if !slices.ContainsFunc(p.steps, func(s workbook.Step) bool { return s.Name == m.CaughtBy }) {
			p.find("%s: Caught-by names %s, which is no step", k.Rel(m.Path), m.CaughtBy)
		}
		if p.Options.Fix {
			if mistakes[i], err = p.rebase(m); err != nil {
				return err
			}
		}
	}
	p.mistakes = mistakes
	return nil
}
