package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/mutate"
	"github.com/backend-kata/dojo/cmd/dojo/internal/prove"
	"github.com/backend-kata/dojo/cmd/dojo/internal/terminal"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

type proveCommand struct {
	Katas []string `arg:"" optional:"" help:"The katas; without any, all that are here."`
	Fresh bool     `help:"Run what was proved before, too."`
	Fix   bool     `help:"Write what can be generated, and make patches fit the reference of today."`
	Runs  int      `default:"1" help:"How often the reference runs on each number of processors, and each right program at all. A mistake runs as often up to 3, and a tenth as often from 30 on. With more than 3, mistakes too always run with -race; else only those that a plain run does not catch."`
}

// Run proves katas and prints what each lacks.
func (c proveCommand) Run(ctx context.Context, d *desk) error {
	if c.Runs < 1 {
		return fmt.Errorf("--runs is %d, and a proof takes one run at least", c.Runs)
	}
	katas, err := d.katas(c.Katas)
	if err != nil {
		return err
	}
	if why := d.noRace(); why != "" {
		d.say(why)
	}
	d.tools.Tidy()
	findings, err := prove.Clone(d.book, c.Fix)
	if err != nil {
		return err
	}
	if len(c.Katas) == 0 || len(findings) > 0 {
		d.showFindings("documents", findings)
	}
	o := prove.Options{Fresh: c.Fresh, Fix: c.Fix, Runs: c.Runs, Race: d.race(), Thorough: c.Runs > 3}
	whole, err := d.proveAll(ctx, katas, o)
	if err != nil {
		return err
	}
	if !whole || len(findings) > 0 {
		return errRed
	}
	return nil
}

// proveAll proves katas side by side and reports them in order, and then where
// the time went.
func (d *desk) proveAll(ctx context.Context, katas []workbook.Kata, o prove.Options) (whole bool, err error) {
	start := time.Now()
	prover := prove.New(d.tools, o, runtime.NumCPU())
	reports := make([]chan prove.Report, len(katas))
	atOnce := make(chan struct{}, 2)
	for i, k := range katas {
		reports[i] = make(chan prove.Report, 1)
		go func() {
			atOnce <- struct{}{}
			defer func() { <-atOnce }()
			report, err := prover.Kata(ctx, k)
			if err != nil {
				report.Findings = append(report.Findings, prove.Finding{File: k.Rel(k.Dir()), Text: err.Error()})
			}
			reports[i] <- report
		}()
	}
	whole = true
	kept, work := 0, prove.Work{}
	for _, ready := range reports {
		r := <-ready
		d.showFindings(proofText(r), r.Findings)
		if mutate.Stale(r.Kata) {
			d.say("  its score in docs/README.md is stale: go tool dojo mutate --write " + r.Kata.Name())
		}
		whole = whole && len(r.Findings) == 0
		work.Add(r.Work)
		if r.Kept != nil {
			kept++
		}
	}
	d.say(fmt.Sprintf("%d katas proved in %.1f s, %d of them before; %v", len(katas), time.Since(start).Seconds(), kept, work))
	return whole, ctx.Err()
}

// proofText is a kata's line.
func proofText(r prove.Report) string {
	work, when := r.Work, ""
	if r.Kept != nil {
		work, when = r.Kept.Work, ", proved before, "+ago(time.Since(r.Kept.At))
	}
	soaked := "never soaked here"
	switch {
	case r.Soak.Same:
		soaked = fmt.Sprintf("soaked %d times %s", r.Soak.Runs, ago(time.Since(r.Soak.At)))
	case r.Soak.Runs > 0:
		soaked = "changed since it was soaked, " + ago(time.Since(r.Soak.At))
	}
	return fmt.Sprintf("%-16s %d steps +%d, %d mistakes, %d right designs, %d of %d promises held, %.1f s of work%s; %s",
		r.Kata.Name(), r.Steps, r.Further, r.Mistakes, r.Right, r.Held, r.Promises, work.Total().Seconds(), when, soaked)
}

// ago says how long ago something was.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

// showFindings prints findings, those of one file below its name.
func (d *desk) showFindings(what string, findings []prove.Finding) {
	if len(findings) == 0 {
		d.say(d.screen.In(terminal.Good, "✓ ") + what)
		return
	}
	d.say(d.screen.In(terminal.Bad, "✗ ") + what)
	file := ""
	for _, f := range findings {
		if f.File != file {
			file = f.File
			d.say("  " + file)
		}
		d.say("    " + f.Text)
		for _, line := range f.Output {
			d.say("      " + line)
		}
	}
}
