package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/backend-kata/dojo/cmd/dojo/internal/terminal"
	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/watch"
)

type watchCommand struct {
	Kata string `arg:"" optional:"" help:"The kata; without it, the one you are on."`
}

// Run judges a kata now and at every save. A save in another kata's folder moves
// on to that one. A terminal shows one view and obeys single keys; all else gets
// a log.
func (c watchCommand) Run(ctx context.Context, d *desk) error {
	k, err := d.kata(ctx, c.Kata)
	if err != nil {
		return err
	}
	var dirs []string
	for _, here := range d.book.Here() {
		dirs = append(dirs, here.Dir())
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	saves, err := watch.Folders(ctx, dirs)
	if err != nil {
		return err
	}
	if d.screen.Interactive && os.Getenv("TERM") != "dumb" && terminal.IsTerminal(os.Stdin) {
		return d.watchInView(ctx, k, saves)
	}
	messages := make(chan any)
	l := newLoop(d, k, func(m any) {
		select {
		case messages <- m:
		case <-ctx.Done():
		}
	})
	return l.log(ctx, saves, messages)
}

// log prints a line as a judge begins and each verdict.
func (l *loop) log(ctx context.Context, saves <-chan string, messages <-chan any) error {
	if l.screen.Interactive {
		l.say("A log, without keys, for this terminal: Ctrl-C ends it.")
	}
	l.runTeam(ctx)
	l.judge(ctx)
	l.say(l.busy())
	defer func() { l.cancel() }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case dir, ok := <-saves:
			if !ok {
				return nil
			}
			if k, err := l.book.Kata(filepath.Base(dir)); err == nil {
				l.saved(ctx, k)
				l.say("", l.busy())
			}
		case m := <-messages:
			if m, ok := m.(teamMessage); ok {
				l.logTeam(m)
				continue
			}
			before := l.latest
			if n, ok := m.(news); ok && l.judged(n) {
				l.logVerdict(before, n)
			}
		}
	}
}

// logVerdict prints a verdict. A second one that says the same is left out.
func (l *loop) logVerdict(before, n news) {
	if n.err != nil {
		l.say(l.screen.In(terminal.Bad, "  ! ") + n.err.Error())
		return
	}
	if n.sure && before.round == n.round && sameSteps(n.verdict, before.verdict) && !n.verdict.Green() {
		l.say(fmt.Sprintf("  the same with -race after %.1f s", n.took.Seconds()))
		return
	}
	l.say("")
	l.showVerdict(n, false)
	if !n.sure {
		l.say("", l.screen.In(terminal.Quiet, "  the race detector is still looking"))
		return
	}
	if again := l.session(n.kata).regressions(); again != "" {
		l.say("", "  "+again)
	}
	l.showAfter(n.kata, n.verdict)
}

// sameSteps reports whether two verdicts say the same of each step.
func sameSteps(x, y testrun.Verdict) bool {
	if len(x.Steps) != len(y.Steps) || len(x.Broken) != len(y.Broken) {
		return false
	}
	for i := range x.Steps {
		if x.Steps[i].Passed != y.Steps[i].Passed || x.Steps[i].Skipped != y.Steps[i].Skipped {
			return false
		}
	}
	return true
}
