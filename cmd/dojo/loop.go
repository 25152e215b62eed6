package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/terminal"
	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// A loop is what watch knows, whatever shows it: the kata in view, its verdict,
// and what a judge is busy with. One goroutine owns it. Judges run beside it and
// post what they find.
type loop struct {
	*desk
	kata    workbook.Kata
	post    func(any) // hands a message to the owner; safe for concurrent use
	cancel  context.CancelFunc
	bySave  bool                // the judge was called by a save
	round   int                 // counts judges, so that old news is known
	latest  news                // the verdict in view
	doing   *progress           // what the judge is busy with, nil where it has ended
	begun   time.Time           // when it began
	slow    bool                // a build takes its time, as the first one does
	history map[string]*session // by the kata's name
	team    *membership
}

// A session is what happened to a kata since watch was called.
type session struct {
	firstSave time.Time
	marks     []terminal.Style // of the verdicts, in order
	last      *testrun.Verdict // the last sure one
	again     []string         // steps that the last save turned red again
}

// news is a verdict on its way to the screen.
type news struct {
	round   int
	kata    workbook.Kata
	verdict testrun.Verdict
	took    time.Duration
	sure    bool // the race detector has looked too, or cannot
	err     error
}

// progress is what the judge of a round is busy with.
type progress struct {
	round int
	race  bool
	testrun.Progress
}

func newLoop(d *desk, k workbook.Kata, post func(any)) *loop {
	return &loop{desk: d, kata: k, post: post, cancel: func() {}, history: map[string]*session{}, team: newMembership(d, post)}
}

// saved judges the kata in which a file was saved, and makes it the one in view.
func (l *loop) saved(ctx context.Context, k workbook.Kata) {
	l.kata = k
	if s := l.session(k); s.firstSave.IsZero() {
		s.firstSave = time.Now()
	}
	l.judgeSave(ctx, true)
}

func (l *loop) session(k workbook.Kata) *session {
	if l.history[k.Name()] == nil {
		l.history[k.Name()] = &session{}
	}
	return l.history[k.Name()]
}

// judge starts over on the code as it is now.
func (l *loop) judge(ctx context.Context) { l.judgeSave(ctx, false) }

func (l *loop) judgeSave(ctx context.Context, bySave bool) {
	l.cancel()
	ctx, l.cancel = context.WithCancel(ctx)
	l.round++
	l.bySave = bySave
	l.team.began(l.kata, bySave)
	l.begun = time.Now()
	l.doing = &progress{round: l.round}
	round, k := l.round, l.kata
	go l.judgeTwice(ctx, k, func(message any) {
		switch m := message.(type) {
		case news:
			m.round, m.kata = round, k
			message = m
		case progress:
			m.round = round
			message = m
		}
		if ctx.Err() == nil {
			l.post(message)
		}
	})
}

// judgeTwice judges without the race detector for a first verdict, while the
// binary with it is being built for the second. It sends news, and progress.
func (d *desk) judgeTwice(ctx context.Context, k workbook.Kata, send func(any)) {
	start := time.Now()
	doing := func(race bool) func(testrun.Progress) {
		return func(p testrun.Progress) { send(progress{race: race, Progress: p}) }
	}
	if !d.race() {
		v, err := d.tools.Judge(ctx, k, testrun.Judgement{Waits: true, Doing: doing(false)})
		send(news{verdict: v, took: time.Since(start), sure: true, err: err})
		return
	}
	if v, ok := d.tools.Recall(k, true); ok {
		send(news{verdict: v, sure: true})
		return
	}
	first, broken := make(chan struct{}), false
	go func() {
		defer close(first)
		v, err := d.tools.Judge(ctx, k, testrun.Judgement{Waits: true, Doing: doing(false)})
		if err == nil {
			broken = v.Broken != nil
			send(news{verdict: v, took: time.Since(start), sure: broken})
		}
	}()
	v, err := d.tools.Judge(ctx, k, testrun.Judgement{Race: true, Waits: true, Doing: doing(true)})
	<-first
	if broken && err == nil && v.Broken != nil {
		return // it was said: what does not build has one verdict
	}
	send(news{verdict: v, took: time.Since(start), sure: true, err: err})
	d.tools.LearnRecipe(ctx, k, false) // the next save is quicker for it
	d.tools.LearnRecipe(ctx, k, true)
}

// judged takes a verdict in. It reports whether there is anything to show.
func (l *loop) judged(n news) bool {
	if n.round != l.round || errors.Is(n.err, context.Canceled) {
		return false
	}
	l.latest = n
	if !n.sure {
		return true
	}
	l.doing = nil
	l.team.judged(n, l.bySave)
	s := l.session(n.kata)
	s.again = nil
	if n.err != nil {
		return true
	}
	if l.bySave || len(s.marks) == 0 {
		s.marks = append(s.marks, markOf(n.verdict))
	}
	if n.verdict.Broken == nil {
		s.again = turnedRed(s.last, n.verdict)
		s.last = &n.verdict
	}
	return true
}

// progressed takes in what the judge is busy with: the run without the race
// detector, and that with it once the other has ended.
func (l *loop) progressed(p progress) {
	if p.round == l.round && l.doing != nil && (!p.race || l.latest.round == l.round) {
		l.doing = &p
	}
}

func markOf(v testrun.Verdict) terminal.Style {
	switch {
	case v.Green():
		return terminal.Good
	case v.Broken != nil:
		return terminal.Doing
	default:
		return terminal.Bad
	}
}

// turnedRed returns the numbers of the steps that passed before and do not now.
func turnedRed(before *testrun.Verdict, now testrun.Verdict) []string {
	if before == nil || len(before.Steps) != len(now.Steps) {
		return nil
	}
	var again []string
	for i, s := range now.Steps {
		if before.Steps[i].Passed && s.Ran() && s.Red() {
			again = append(again, fmt.Sprint(s.Number))
		}
	}
	return again
}

// busy says what the judge is busy with, and for how long if that is long.
func (l *loop) busy() string {
	if l.doing == nil {
		return ""
	}
	long := time.Since(l.begun).Truncate(time.Second)
	text := "building the steps"
	if l.slow {
		text = "building what the steps stand on, which takes a minute the first time"
	}
	switch p := l.doing; {
	case p.Step > 0:
		text = fmt.Sprintf("step %d runs", p.Step)
	case p.Started && long > 2*time.Second:
		text = "the program has started and no step has begun: does an init function, or a variable's value, never end?"
	case p.Started:
		text = "the steps begin"
	}
	if l.doing.race {
		text += ", with -race"
	}
	if long > 0 {
		text += fmt.Sprintf(", for %d s", int(long.Seconds()))
	}
	return "judging " + l.kata.Name() + ": " + text
}

// regressions says which steps the last save turned red again.
func (s *session) regressions() string {
	if len(s.again) == 0 {
		return ""
	}
	last := len(s.again) - 1
	steps := strings.Join(s.again[:last], ", ")
	if last > 0 {
		steps += " and "
	}
	return "This save turned " + steps + s.again[last] + " red again."
}
