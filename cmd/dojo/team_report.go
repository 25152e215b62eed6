package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
	"github.com/backend-kata/dojo/cmd/dojo/internal/teamclient"
	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// promptly is how long a command waits for the team's server. What is not sent by then is sent later.
const promptly = 3 * time.Second

// seats returns where this clone's place in a team's session is kept.
func (d *desk) seats() *teamclient.Folder { return teamclient.At(d.tools.Cache, d.book.Root) }

// A report is a verdict's way to the team: begun with the code as the judge finds it, and queued with the verdict.
type report struct {
	folder *teamclient.Folder
	seat   *teamclient.Seat
	kata   workbook.Kata
	files  []team.File
	left   []string // files that are not sent
}

// beginReport reads the code that is about to be judged. It returns nil where the clone is in no session.
func beginReport(f *teamclient.Folder, k workbook.Kata) (*report, error) {
	seat, err := f.Seat()
	if err != nil || seat == nil {
		return nil, err
	}
	r := &report{folder: f, seat: seat, kata: k}
	r.files, r.left, err = teamclient.Snapshot(k)
	return r, err
}

// changed reports whether the code is another one than when the judge began: then nobody knows which of it the
// verdict is of, and the next save has one.
func (r *report) changed() (bool, error) {
	now, _, err := teamclient.Snapshot(r.kata)
	return !slices.Equal(now, r.files), err
}

// queue keeps the verdict until it is sent, with its code.
func (r *report) queue(light team.Verdict) error {
	light.Files = r.files
	if len(r.left) > 0 {
		light.Failure += "\n\nNot sent, since it is a link, no regular file or too long: " + strings.Join(r.left, ", ")
	}
	return r.folder.QueueVerdict(r.seat, light)
}

// reports sends the verdict of the test command, and says what became of it.
func (d *desk) reports(ctx context.Context, r *report, v testrun.Verdict) string {
	if r == nil {
		return ""
	}
	changed, err := r.changed()
	if err == nil && changed {
		return "The code changed while it was judged, so the team does not get this verdict."
	}
	if err == nil {
		err = r.queue(lightOf(r.kata, v))
	}
	if err != nil {
		return err.Error()
	}
	ctx, cancel := context.WithTimeout(ctx, promptly)
	defer cancel()
	if err := r.folder.Send(ctx, r.seat); err != nil {
		if waits := r.folder.Waiting(); waits > 0 {
			return fmt.Sprintf("%s; %s", err, waitsFor(waits))
		}
		return err.Error()
	}
	return "Reported to the team as " + pairOf(r.seat) + "."
}

func waitsFor(n int) string {
	if n == 1 {
		return "a message waits, and is sent later"
	}
	return fmt.Sprintf("%d messages wait, and are sent later", n)
}

// pairOf is a pair as the board shows it.
func pairOf(s *teamclient.Seat) string {
	return strings.Join(strings.Fields(s.Colour.Name+" "+s.Colour.Shape+" "+s.Name), " ")
}

// lightOf is what the team's board shows of a verdict, without the code.
func lightOf(k workbook.Kata, v testrun.Verdict) team.Verdict {
	light := team.Verdict{Kata: k.Name(), Light: team.Red, Race: v.Race, Altered: len(v.Altered) > 0}
	for _, s := range v.Steps {
		if s.Further {
			continue
		}
		light.Steps++
		if s.Passed {
			light.Passed++
		}
	}
	at := v.FirstRed()
	switch {
	case v.Broken != nil:
		light.Light, light.Reason, light.Failure = team.Amber, team.NotBuilt, strings.Join(v.Broken, "\n")
		light.Passed = 0
	case at == len(v.Steps) || v.Steps[at].Further: // steps that only the race detector can judge may be left out
		light.Light = team.Green
	default:
		s := v.Steps[at]
		light.Step, light.Title = s.Number, team.Short(team.Clean(s.Title), team.MaxText)
		light.Failure = strings.Join(s.Explanation.Lines, "\n")
		if cause := s.Cause(); cause != "" {
			light.Light, light.Reason = team.Amber, reasons[cause]
		}
		if k.Started() {
			light.Mistake = knownMistake(k, s)
		}
	}
	light.Failure = cutBytes(team.CleanLines(light.Failure), team.MaxFailure-500)
	return light
}

var reasons = map[testrun.Cause]team.Reason{
	testrun.Blocked: team.Blocked, testrun.NoEnd: team.NoEnd, testrun.NoMemory: team.NoMemory,
}

// knownMistake is the title of the one mistake that a step fails as, if it is one.
func knownMistake(k workbook.Kata, s testrun.StepVerdict) string {
	mistakes, err := k.Mistakes()
	if err != nil {
		return ""
	}
	if fit := workbook.Likely(mistakes, s.Name, s.Output); len(fit) == 1 {
		return team.Short(team.Clean(fit[0].Title), team.MaxText)
	}
	return ""
}

// cutBytes cuts a text at the end of a line, so that it is no longer than that.
func cutBytes(text string, most int) string {
	if len(text) <= most {
		return text
	}
	at := cmp.Or(max(0, strings.LastIndexByte(text[:most], '\n')), most)
	return strings.ToValidUTF8(text[:at], "") + "\n…"
}
