package prove

import (
	"bytes"
	"context"
	"os"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// Stub finds what keeps the stub of today from being shipped: that it does not
// compile, that it exports other things than the reference, or that a step does
// not fail on it in words.
func (p *Prover) Stub(ctx context.Context, k workbook.Kata) ([]Finding, error) {
	steps, err := k.Steps()
	if err != nil {
		return []Finding{found(k, k.Tests(), "%v", err)}, nil
	}
	findings := append(checkBuildLine(k, k.Stub(), workbook.BuildLine), checkAPI(k, k.Stub())...)
	trial := &proof{Prover: p, kata: k, steps: steps, report: Report{Work: Work{}}}
	binary, err := trial.build(ctx, testrun.Flavour{Race: p.Options.Race, Replace: map[string]string{k.Stub(): k.Stub()}})
	if err != nil {
		broken, err := trial.blamed(k.Stub(), err)
		return append(broken, findings...), err
	}
	defer binary.Close()
	results, err := binary.Run(ctx, testrun.Options{Steps: trial.names(), Limit: p.Tools.Limit})
	return append(findings, trial.stubFindings(k.Stub(), results)...), err
}

// stubFindings finds the steps that do not fail on a stub in words.
func (p *proof) stubFindings(path string, results []testrun.Result) []Finding {
	var findings []Finding
	for _, r := range results {
		find := func(format string, args ...any) {
			findings = append(findings, found(p.kata, path, format, args...).with(testrun.Explain(p.kata, r)))
		}
		switch {
		case !r.Red():
			findings = append(findings, found(p.kata, path, "it passes %s: begin with a claim that it cannot meet", r.Step))
		case r.Died || strings.Contains(r.Output, "\npanic: "):
			find("it takes the process with it at %s", r.Step)
		case strings.Contains(r.Output, "WARNING: DATA RACE"):
			find("it has a data race at %s", r.Step)
		case len(strings.Fields(testrun.Explain(p.kata, r).Lines[0])) < 4:
			find("its failure at %s is not in words", r.Step)
		}
	}
	return findings
}

// anotherStub says, where the shipped stub is found wanting, that it is not the
// one of today.
func (p *proof) anotherStub(findings []Finding) []Finding {
	k := p.kata
	shipped := k.Rel(k.ShippedStub())
	for _, f := range findings {
		if f.File != shipped {
			continue
		}
		today, err := os.ReadFile(k.Stub())
		was, shippedErr := os.ReadFile(k.ShippedStub())
		if err != nil || shippedErr != nil || bytes.Equal(today, was) {
			break
		}
		return append(findings, found(k, k.ShippedStub(), "%s is another one by now: go tool dojo ship %s ships it", k.Rel(k.Stub()), k.Name()))
	}
	return findings
}
