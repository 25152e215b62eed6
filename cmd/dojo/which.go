package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// kata returns the kata that a command is about: the one named, else the one of
// the folder the learner stands in, else the one they are on.
func (d *desk) kata(ctx context.Context, name string) (workbook.Kata, error) {
	if name != "" {
		return d.book.Kata(name)
	}
	if k, ok := d.book.Holding(d.here); ok {
		return k, nil
	}
	k, _, err := d.current(ctx)
	return k, err
}

// Reveal is what the commands take that show a reference or an answer, which gives
// the kata away.
type Reveal struct {
	Kata  string `arg:"" optional:"" help:"The kata; without it, the green one that you edited last."`
	Force bool   `short:"f" help:"Even before the kata is green."`
}

// kata returns the kata that is to be shown: the one named, else the one of the
// folder, else the green one edited last. It must be green, or the learner insists.
func (r Reveal) kata(ctx context.Context, d *desk, command string) (workbook.Kata, error) {
	_, standsInOne := d.book.Holding(d.here)
	if r.Kata != "" || standsInOne || r.Force {
		k, err := d.kata(ctx, r.Kata)
		if err != nil || r.Force {
			return k, err
		}
		if v, err := d.verdict(ctx, k); err != nil || v.Green() {
			return k, err
		}
		return k, fmt.Errorf("%s is not green yet, and that gives it away: go tool dojo %s -f %[1]s shows it all the same", k.Name(), command)
	}
	for _, k := range d.started() {
		if v, err := d.verdict(ctx, k); err != nil || v.Green() {
			return k, err
		}
	}
	return workbook.Kata{}, fmt.Errorf("no kata is green yet, and that gives one away: go tool dojo %s -f <kata> shows it all the same", command)
}

// current returns the kata the learner is on: the one edited last until it is
// complete, and then the one that comes next. Its verdict is nil where it was
// never started, and so never judged.
func (d *desk) current(ctx context.Context) (workbook.Kata, *testrun.Verdict, error) {
	path := d.book.Path()
	if len(path) == 0 {
		return workbook.Kata{}, nil, fmt.Errorf("there are no katas in %s", d.book.Root)
	}
	started := d.started()
	if len(started) == 0 {
		return path[0], nil, nil
	}
	k := started[0]
	if v, err := d.verdict(ctx, k); err != nil || !v.Complete() {
		return k, &v, err
	}
	next, ok, err := d.next(ctx, k)
	if err != nil || !ok {
		return k, nil, err // all are green
	}
	if !next.Started() {
		return next, nil, nil
	}
	v, err := d.verdict(ctx, next)
	return next, &v, err
}

// next returns the kata after k: the first on the path that is not green, and
// after the last of the path the first.
func (d *desk) next(ctx context.Context, k workbook.Kata) (workbook.Kata, bool, error) {
	path := d.book.Path()
	at := slices.IndexFunc(path, func(other workbook.Kata) bool { return other.Name() == k.Name() })
	for i := range path {
		other := path[(at+1+i)%len(path)]
		if other.Name() == k.Name() {
			continue
		}
		v, err := d.verdict(ctx, other)
		if err != nil || !v.Green() {
			return other, true, err
		}
	}
	return workbook.Kata{}, false, nil
}

// started returns the katas that the learner has begun, the one edited last
// first.
func (d *desk) started() []workbook.Kata {
	started := slices.DeleteFunc(d.book.Path(), func(k workbook.Kata) bool { return !k.Started() })
	slices.SortStableFunc(started, func(x, y workbook.Kata) int { return y.Edited().Compare(x.Edited()) })
	return started
}

// verdict judges a kata. One as shipped is red, which needs no run.
func (d *desk) verdict(ctx context.Context, k workbook.Kata) (testrun.Verdict, error) {
	if k.Started() {
		return d.tools.Judge(ctx, k, testrun.Judgement{Race: d.race()})
	}
	var v testrun.Verdict
	steps, err := k.Steps()
	for _, s := range steps {
		v.Steps = append(v.Steps, testrun.StepVerdict{Step: s})
	}
	return v, err
}
