package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// current returns the kata the learner is on: the red one edited last, else
// the first of the path that is not green. Its verdict is nil where it was
// never started, and so never judged.
func (d *desk) current(ctx context.Context) (workbook.Kata, *testrun.Verdict, error) {
	path := d.book.Path()
	if len(path) == 0 {
		return workbook.Kata{}, nil, fmt.Errorf("there are no katas in %s", d.book.Root)
	}
	var started []workbook.Kata
	for _, k := range path {
		if k.Started() {
			started = append(started, k)
		}
	}
	slices.SortStableFunc(started, func(x, y workbook.Kata) int { return y.Edited().Compare(x.Edited()) })
	for _, k := range started {
		v, err := d.tools.Judge(ctx, k, testrun.Judgement{Race: d.race()})
		if err != nil {
			return k, nil, err
		}
		if v.Broken != nil || !v.Done() {
			return k, &v, nil
		}
	}
	for _, k := range path {
		if !k.Started() {
			return k, nil, nil
		}
	}
	return path[len(path)-1], nil, nil // all are green
}
