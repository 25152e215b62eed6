package prove

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/backend-kata/dojo/cmd/dojo/internal/patch"
	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// named is the share of the mistakes in right programs that their symptoms are to
// name: a learner's program is not the reference with one change.
const named = 0.8

// mixed checks that known mistakes in right programs are caught, and that most are
// told by their symptoms.
func (p *proof) mixed(ctx context.Context) ([]Finding, error) {
	findings := make([][]Finding, len(p.mixtures))
	says := make([]string, len(p.mixtures)) // why a mistake is not named
	var work errgroup.Group
	for i, m := range p.mixtures {
		work.Go(func() (err error) {
			findings[i], says[i], err = p.mix(ctx, m)
			return err
		})
	}
	if err := work.Wait(); err != nil {
		return nil, err
	}
	all := slices.Concat(findings...)
	says = slices.DeleteFunc(says, func(why string) bool { return why == "" })
	if float64(len(says)) > (1-named)*float64(len(p.mixtures))+1e-9 {
		f := found(p.kata, filepath.Join(p.kata.Solutions(), "right"), "symptoms name %d of %d known mistakes in right programs, want four of five", len(p.mixtures)-len(says), len(p.mixtures))
		f.Output = says
		all = append(all, f)
	}
	return all, nil
}

// mix runs one. Why is empty where the mistake is named.
func (p *proof) mix(ctx context.Context, m workbook.Mixed) (findings []Finding, why string, err error) {
	right := slices.IndexFunc(p.right, func(r workbook.Right) bool { return r.Slug == m.Right })
	if right < 0 {
		return []Finding{found(p.kata, m.Path, "there is no right program %s.go.txt", m.Right)}, "", nil
	}
	if !slices.ContainsFunc(p.mistakes, func(known workbook.Mistake) bool { return known.Slug == m.Mistake }) {
		return []Finding{found(p.kata, m.Path, "there is no mistake %s.patch", m.Mistake)}, "", nil
	}
	program, err := os.ReadFile(p.right[right].Path)
	if err != nil {
		return nil, "", fmt.Errorf("reading a right program: %w", err)
	}
	text, err := patch.Apply(string(program), m.Patch)
	if err != nil {
		return []Finding{found(p.kata, m.Path, "%v", err)}, "", nil
	}
	o := testrun.Options{Steps: p.names(), Limit: stepLimit, Used: p.spend("mistakes")}
	red, err := p.firstRed(ctx, o, func(race bool) (*testrun.Binary, error) { return p.buildText(ctx, text, race) })
	if errors.Is(err, ErrUncaught) {
		return []Finding{found(p.kata, m.Path, "%v", err)}, "", nil
	}
	if err != nil {
		findings, err = p.blamed(m.Path, err)
		return findings, "", err
	}
	for _, likely := range workbook.Likely(p.mistakes, red.Step, red.Output) {
		if likely.Slug == m.Mistake {
			return nil, "", nil
		}
	}
	return nil, fmt.Sprintf("%s+%s: %s says: %s", m.Right, m.Mistake, red.Step, strings.Join(testrun.Explain(p.kata, red).Lines, " ")), nil
}
