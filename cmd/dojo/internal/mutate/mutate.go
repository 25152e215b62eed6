// Package mutate asks how strong a kata's steps are: it changes the reference in
// one small way at a time, and runs the steps on each change. What no step
// notices is a wrong program that they accept, or the same program in other
// words. Many mutants share a binary (see variants), so that each costs a run.
//
// The operators are those of the literature, and some for concurrency: a lock
// less, a critical section in two pieces, a select that never waits.
package mutate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/variants"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// A Mutant is the reference with one small change.
type Mutant struct {
	Name        string // function, operator and change
	Line        int
	Concurrency bool
	Runs, Kills int
	Late        bool // killed by a limit

	source string
}

// Killed reports whether the steps noticed each time.
func (m *Mutant) Killed() bool { return m.Runs > 0 && m.Kills == m.Runs }

// Sometimes reports whether the steps noticed, and not each time.
func (m *Mutant) Sometimes() bool { return !m.Killed() && m.Kills > 0 }

// runs is how often a mutant of concurrency has to be killed.
const runs = 3

// perBinary is how many mutants share a binary at most: the linker and whoever
// reads a stack are to cope with it.
const perBinary = 150

// A Judge has the steps of a kata judge mutants.
type Judge struct {
	Tools    *testrun.Toolchain
	Kata     workbook.Kata
	Race     bool                  // what survives plain runs also runs with -race
	Progress func(done, known int) // may be called from several goroutines

	program *variants.Program
	steps   []string
	done    atomic.Int64
	known   int
}

// Mutants finds the mutants of the kata.
func (j *Judge) Mutants(ctx context.Context) ([]*Mutant, error) {
	steps, err := j.Kata.Steps()
	if err != nil {
		return nil, err
	}
	for _, s := range steps {
		j.steps = append(j.steps, s.Name)
	}
	j.program, err = variants.Load(ctx, j.Tools, j.Kata)
	if err != nil {
		return nil, err
	}
	return Find(j.program), nil
}

// Sample draws n mutants, the same ones each time.
func Sample(mutants []*Mutant, n int) []*Mutant {
	drawn := slices.Clone(mutants)
	random := rand.New(rand.NewPCG(1, 0))
	random.Shuffle(len(drawn), func(i, j int) { drawn[i], drawn[j] = drawn[j], drawn[i] })
	drawn = drawn[:min(n, len(drawn))]
	return slices.DeleteFunc(slices.Clone(mutants), func(m *Mutant) bool { return !slices.Contains(drawn, m) })
}

// Judge judges mutants that Mutants found.
func (j *Judge) Judge(ctx context.Context, mutants []*Mutant) error {
	j.known = len(mutants)
	if err := j.all(ctx, mutants, false); err != nil || !j.Race {
		return err
	}
	var left []*Mutant
	for _, m := range mutants {
		if !m.Killed() {
			left = append(left, m)
		}
	}
	j.known += len(left)
	return j.all(ctx, left, true)
}

func (j *Judge) all(ctx context.Context, mutants []*Mutant, race bool) error {
	for some := range slices.Chunk(mutants, perBinary) {
		if err := j.together(ctx, some, race); err != nil {
			return err
		}
	}
	return nil
}

// together judges mutants that share a binary, and those that cannot be in it.
func (j *Judge) together(ctx context.Context, mutants []*Mutant, race bool) error {
	var sources []string
	for _, m := range mutants {
		sources = append(sources, m.source)
	}
	merged := j.program.Merge(sources)
	binary, err := j.Tools.BuildText(ctx, j.Kata, merged.Source, race)
	if err != nil {
		return fmt.Errorf("the mutants cannot be built: %w", err)
	}
	defer binary.Close()
	limit, err := j.limit(ctx, binary)
	if err != nil {
		return err
	}
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(runtime.NumCPU())
	for i, m := range mutants {
		work.Go(func() error {
			defer func() { j.Progress(int(j.done.Add(1)), j.known) }()
			if merged.In[i] {
				return j.run(ctx, binary, m, variants.Setting(i), limit)
			}
			alone, err := j.Tools.BuildText(ctx, j.Kata, m.source, race)
			if err != nil {
				return fmt.Errorf("%s:%d: %s: %w", j.Kata.Rel(j.Kata.Reference()), m.Line, m.Name, err)
			}
			defer alone.Close()
			return j.run(ctx, alone, m, nil, limit)
		})
	}
	return work.Wait()
}

// limit runs the reference, which must be green, and returns how long a step of a
// mutant may take: five times what all of them take there, two seconds at least.
func (j *Judge) limit(ctx context.Context, binary *testrun.Binary) (time.Duration, error) {
	start := time.Now()
	results, err := binary.Run(ctx, testrun.Options{Steps: j.steps, Limit: time.Minute, FailFast: true, Env: variants.Setting(-1)})
	if err != nil {
		return 0, err
	}
	if last := results[len(results)-1]; last.Red() {
		return 0, fmt.Errorf("the reference of %s fails %s, so its mutants tell nothing: go tool dojo prove %[1]s", j.Kata.Name(), last.Step)
	}
	return max(5*time.Since(start), 2*time.Second), nil
}

// run runs the steps on a mutant, until they do not notice. One that runs into a
// limit is not run again.
func (j *Judge) run(ctx context.Context, binary *testrun.Binary, m *Mutant, env []string, limit time.Duration) error {
	most := 1
	if m.Concurrency {
		most = runs
	}
	for m.Runs, m.Kills = 0, 0; m.Runs < most && m.Kills == m.Runs && !m.Late; {
		results, err := binary.Run(ctx, testrun.Options{Steps: j.steps, Limit: limit, FailFast: true, Env: env})
		if err != nil {
			return err
		}
		m.Runs++
		if last := results[len(results)-1]; last.Red() {
			m.Kills++
			m.Late = last.Died && (strings.Contains(last.Output, "dojo guard:") || strings.HasPrefix(last.Exit, "signal:"))
		}
	}
	return nil
}
