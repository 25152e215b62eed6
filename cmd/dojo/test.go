package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/terminal"
	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

type testCommand struct {
	Kata string `arg:"" optional:"" help:"The kata; without it, the one you are on."`
	All  bool   `help:"Print all of the failure, however long."`
	JSON bool   `help:"Print the verdict for programs." name:"json"`
}

// Run judges one kata and prints its verdict. It fails where that is red.
func (c testCommand) Run(ctx context.Context, d *desk) error {
	k, err := d.kata(ctx, c.Kata)
	if err != nil {
		return err
	}
	report, reportErr := beginReport(d.seats(), k)
	start := time.Now()
	v, err := d.tools.Judge(ctx, k, testrun.Judgement{Race: d.race(), Fresh: true})
	if err != nil {
		return err
	}
	if c.JSON {
		err = d.printJSON(k, v)
	} else {
		if os.Getenv("GOFLAGS") != "" {
			v.Notes = append(v.Notes, "GOFLAGS is set, and left out of this run.")
		}
		d.showVerdict(news{kata: k, verdict: v, took: time.Since(start), sure: true}, c.All)
		d.showAfter(k, v)
	}
	told := d.reports(ctx, report, v)
	if reportErr != nil {
		told = reportErr.Error()
	}
	if told != "" && !c.JSON {
		d.say("")
		d.say(d.inLines(terminal.Quiet, "  ", told)...)
	}
	if err == nil && !v.Green() {
		err = errRed
	}
	return err
}

// showAfter says what to read once a kata is green.
func (d *desk) showAfter(k workbook.Kata, v testrun.Verdict) {
	if !v.Green() {
		return
	}
	d.say("",
		"  read the answer      "+k.Rel(k.Answer()),
		"  read the reference   go tool dojo solution "+k.Name(),
		"  compare yours        go tool dojo diff "+k.Name())
}

// printJSON prints a verdict with names that will not change.
func (d *desk) printJSON(k workbook.Kata, v testrun.Verdict) error {
	type step struct {
		Name    string   `json:"name"`
		Number  int      `json:"number"`
		Title   string   `json:"title"`
		Further bool     `json:"further"`
		Passed  bool     `json:"passed"`
		Skipped bool     `json:"skipped,omitempty"`
		Failure []string `json:"failure,omitempty"`
		Place   string   `json:"place,omitempty"`
		Yours   string   `json:"yours,omitempty"`
		Output  string   `json:"output,omitempty"`
	}
	out := struct {
		Kata     string   `json:"kata"`
		Green    bool     `json:"green"`
		Complete bool     `json:"complete"`
		Race     bool     `json:"race"`
		Broken   []string `json:"broken,omitempty"`
		Altered  []string `json:"altered,omitempty"`
		Notes    []string `json:"notes,omitempty"`
		Steps    []step   `json:"steps"`
	}{k.Name(), v.Green(), v.Complete(), v.Race, v.Broken, v.Altered, v.Notes, []step{}}
	for _, s := range v.Steps {
		out.Steps = append(out.Steps, step{
			s.Name, s.Number, s.Title, s.Further, s.Passed, s.Skipped,
			s.Explanation.Lines, s.Explanation.Place, s.Explanation.Yours, s.Output,
		})
	}
	encoder := json.NewEncoder(d.screen)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(out); err != nil {
		return fmt.Errorf("printing the verdict: %w", err)
	}
	return nil
}
