package prove

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
)

var testLine = regexp.MustCompile(`^\s+\w+_test\.go:\d+: (.*)`)

// figures checks that the numbers of the kata's figures are what its
// simulations give today, or writes them. The work is done by the tests whose
// names start with TestFigure, in figures_test.go beside the reference.
func (p *proof) figures(ctx context.Context) ([]Finding, error) {
	k := p.kata
	path := filepath.Join(k.Solutions(), "figures_test.go")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a kata need not have figures
	}
	args := []string{"-run=^TestFigure"}
	if p.Options.Fix {
		args = append(args, "-args", "-update")
	}
	out, ok, err := p.goTest(ctx, "figures", k.Solutions(), args...)
	if err != nil || ok {
		return nil, err
	}
	var findings []Finding
	for line := range strings.Lines(out) {
		if m := testLine.FindStringSubmatch(line); m != nil {
			findings = append(findings, found(k, path, "%s", m[1]))
		}
	}
	if len(findings) == 0 {
		findings = append(findings, p.said(path, "the figures cannot be made", out))
	}
	return findings, nil
}

// goTest runs tests of the reference's or of the kata's folder, with the reference, and
// reports whether they pass.
func (p *proof) goTest(ctx context.Context, kind, dir string, args ...string) (out string, ok bool, err error) {
	defer p.work()()
	cmd := p.Tools.Command(ctx, slices.Concat([]string{"test", "-vet=off", "-tags=solutions", "./" + p.kata.Rel(dir)}, args)...)
	text, err := cmd.CombinedOutput()
	p.spend(kind)(testrun.Used(cmd))
	if ctx.Err() != nil {
		return "", false, context.Cause(ctx)
	}
	return string(text), err == nil, nil
}

// said is a finding with all that a command printed.
func (p *proof) said(path, text, out string) Finding {
	f := found(p.kata, path, "%s", text)
	f.Output = strings.Split(strings.TrimSpace(out), "\n")
	return f
}
