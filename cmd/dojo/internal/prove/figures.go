package prove

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
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
	if _, err := os.Stat(path); err != nil {
		return nil, nil // a kata need not have figures
	}
	args := []string{"test", "-vet=off", "-tags=solutions", "-run=^TestFigure", "./solutions/" + k.Name()}
	if p.Options.Fix {
		args = append(args, "-args", "-update")
	}
	defer p.work()()
	cmd := p.Tools.Command(ctx, args...)
	out, err := cmd.CombinedOutput()
	p.spend("figures")(testrun.Used(cmd))
	if err == nil || ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var findings []Finding
	for line := range strings.Lines(string(out)) {
		if m := testLine.FindStringSubmatch(line); m != nil {
			findings = append(findings, found(k, path, "%s", m[1]))
		}
	}
	if len(findings) == 0 {
		f := found(k, path, "the figures cannot be made")
		f.Output = strings.Split(strings.TrimSpace(string(out)), "\n")
		findings = append(findings, f)
	}
	return findings, nil
}
