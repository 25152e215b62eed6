package prove

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var testLine = regexp.MustCompile(`^\s+\w+_test\.go:\d+: (.*)`)

// figures checks that the numbers of the kata's figures are what its
// simulations give today, or writes them. The work is done by the tests whose
// names start with TestFigure, in figures_test.go beside the reference.
func (p *proof) figures(ctx context.Context) error {
	k := p.kata
	if _, err := os.Stat(filepath.Join(k.Solutions(), "figures_test.go")); err != nil {
		return nil //nolint:nilerr // a kata need not have figures
	}
	return p.work(func() error {
		args := []string{"test", "-vet=off", "-tags=solutions", "-run=^TestFigure", "./solutions/" + k.Name()}
		if p.Options.Fix {
			args = append(args, "-args", "-update")
		}
		out, err := p.Tools.Command(ctx, args...).CombinedOutput()
		if err == nil || ctx.Err() != nil {
			return context.Cause(ctx)
		}
		said := false
		for line := range strings.Lines(string(out)) {
			if m := testLine.FindStringSubmatch(line); m != nil {
				p.find("%s", m[1])
				said = true
			}
		}
		if !said {
			p.find("the figures cannot be made: %s", strings.TrimSpace(string(out)))
		}
		return nil
	})
}
