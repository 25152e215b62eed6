package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/terminal"
	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/watch"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

type watchCommand struct {
	Kata string `arg:"" optional:"" help:"The kata; without it, the one you are on."`
}

// Run judges a kata now and at every save, and obeys single keys. A save in
// another kata's folder moves on to that one.
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
	saved, err := watch.Folders(ctx, dirs)
	if err != nil {
		return err
	}
	var keys <-chan byte
	if d.screen.Interactive {
		var restore func()
		if keys, restore, err = terminal.Keys(os.Stdin); err != nil {
			return err
		}
		defer restore()
		d.screen.Writer = terminal.Raw{File: os.Stdout}
	}
	l := &loop{desk: d, kata: k, news: make(chan news), keyed: keys != nil}
	return l.run(ctx, saved, keys)
}

// A loop is one call of watch. One goroutine owns it; judges run beside it and
// send it news.
type loop struct {
	*desk
	kata   workbook.Kata
	keyed  bool // single keys work
	news   chan news
	cancel context.CancelFunc // of the judge under way
	round  int                // counts judges, so that old news is known
	latest news               // what the screen shows
	hint   int                // hints shown for the step
}

// news is a verdict on its way to the screen.
type news struct {
	round   int
	kata    workbook.Kata
	verdict testrun.Verdict
	took    time.Duration
	final   bool // the race detector has looked too, or cannot
	err     error
}

func (l *loop) run(ctx context.Context, saved <-chan string, keys <-chan byte) error {
	l.judge(ctx)
	defer func() { l.cancel() }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case dir, ok := <-saved:
			if !ok {
				return nil
			}
			l.move(filepath.Base(dir))
			l.judge(ctx)
		case n := <-l.news:
			if n.round == l.round {
				l.show(n)
			}
		case key, ok := <-keys:
			if !ok {
				keys = nil // the terminal went away; saves still count
				continue
			}
			if l.press(ctx, key) {
				return nil
			}
		}
	}
}

// move makes the kata of that name the one in view.
func (l *loop) move(name string) {
	if k, err := l.book.Kata(name); err == nil {
		l.kata = k
	}
}

// judge starts over on the code as it is now.
func (l *loop) judge(ctx context.Context) {
	if l.cancel != nil {
		l.cancel()
	}
	ctx, l.cancel = context.WithCancel(ctx)
	l.round++
	round, k := l.round, l.kata
	go l.judgeTwice(ctx, k, func(n news) {
		n.round, n.kata = round, k
		select {
		case l.news <- n:
		case <-ctx.Done():
		}
	})
}

// judgeTwice judges without the race detector for a first verdict, while the
// binary with it is being built for the second.
func (d *desk) judgeTwice(ctx context.Context, k workbook.Kata, send func(news)) {
	start := time.Now()
	if !d.race() {
		v, err := d.tools.Judge(ctx, k, testrun.Judgement{})
		send(news{verdict: v, took: time.Since(start), final: true, err: err})
		return
	}
	if v, ok := d.tools.Recall(k, true); ok {
		send(news{verdict: v, took: time.Since(start), final: true})
		return
	}
	first := make(chan struct{})
	go func() {
		defer close(first)
		v, err := d.tools.Judge(ctx, k, testrun.Judgement{})
		if err == nil {
			send(news{verdict: v, took: time.Since(start), final: v.Broken != nil})
		}
	}()
	v, err := d.tools.Judge(ctx, k, testrun.Judgement{Race: true})
	<-first
	send(news{verdict: v, took: time.Since(start), final: true, err: err})
	d.tools.LearnRecipe(ctx, k, false) // the next save is quicker for it
	d.tools.LearnRecipe(ctx, k, true)
}

// show draws a verdict. Where the output is no terminal a second verdict that
// says the same is left out.
func (l *loop) show(n news) {
	if errors.Is(n.err, context.Canceled) {
		return
	}
	before := l.latest
	l.latest = n
	if n.kata.Name() != before.kata.Name() || n.verdict.FirstRed() != before.verdict.FirstRed() {
		l.hint = 0
	}
	if !l.screen.Interactive && n.final && before.round == n.round && !before.final && sameSteps(n.verdict, before.verdict) && !n.verdict.Green() {
		l.say(fmt.Sprintf("  the same with -race after %.1f s", n.took.Seconds()))
		return
	}
	l.draw()
}

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

func (l *loop) draw() {
	if l.screen.Interactive {
		fmt.Fprint(l.screen, "\x1b[H\x1b[2J\x1b[3J")
	} else {
		l.say("")
	}
	n := l.latest
	if n.err != nil {
		l.say(l.screen.In(terminal.Bad, "  ! ")+n.err.Error(), "")
		l.help()
		return
	}
	l.showVerdict(n.kata, n.verdict, n.took)
	if !n.final {
		l.say("", l.screen.In(terminal.Quiet, "  the race detector is still looking"))
	} else if n.verdict.Broken == nil && n.verdict.Green() {
		l.showAfter(n.kata, n.verdict)
		l.showFollowing()
	}
	l.help()
}

// showFollowing names the kata after this one.
func (l *loop) showFollowing() {
	if next, ok := l.following(); ok {
		l.say("", fmt.Sprintf("  next is %s: save %s, or press n", next.Name(), next.Rel(next.Stub())))
	}
}

// following returns the first kata of the path, after the one in view, that
// is not known to be green.
func (l *loop) following() (workbook.Kata, bool) {
	path := l.book.Path()
	at := 0
	for i, k := range path {
		if k.Name() == l.kata.Name() {
			at = i
		}
	}
	for i := range path {
		k := path[(at+1+i)%len(path)]
		if k.Name() == l.kata.Name() {
			continue
		}
		v, known := l.tools.Recall(k, l.race())
		if !known || v.Broken != nil || !v.Done() {
			return k, true
		}
	}
	return workbook.Kata{}, false
}

func (l *loop) help() {
	if l.keyed {
		l.say("", l.screen.In(terminal.Quiet, "  h hint · m which mistake? · d diff · t tag · n next · l list · q quit"))
	}
}

// press obeys a key and reports whether it was the last.
func (l *loop) press(ctx context.Context, key byte) (quit bool) {
	n := l.latest
	if n.round == 0 && key != 'q' && key != terminal.CtrlC {
		return false // there is nothing to speak of yet
	}
	var err error
	l.say("")
	switch key {
	case 'q', terminal.CtrlC:
		return true
	case 'h':
		if at := n.verdict.FirstRed(); at < len(n.verdict.Steps) {
			l.hint++
			err = l.showHint(n.kata, n.verdict.Steps[at].Step, l.hint)
		}
	case 'm':
		err = l.showMistake(n.kata, n.verdict)
	case 'd':
		if n.verdict.Broken != nil || !n.verdict.Green() {
			err = fmt.Errorf("not green yet: go tool dojo diff -f %s shows the reference all the same", n.kata.Name())
		} else {
			err = l.showDiff(n.kata)
		}
	case 't':
		err = tagCommand{Kata: n.kata.Name()}.Run(ctx, l.desk)
	case 'n':
		if next, ok := l.following(); ok {
			l.kata = next
			l.say("Now " + next.Name() + ": edit " + next.Rel(next.Stub()))
			l.judge(ctx)
		}
	case 'l':
		err = boardCommand{}.Run(ctx, l.desk)
	default:
		l.draw()
	}
	if err != nil {
		l.say("  " + err.Error())
	}
	return false
}
