package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
	"github.com/backend-kata/dojo/cmd/dojo/internal/teamclient"
	"github.com/backend-kata/dojo/cmd/dojo/internal/terminal"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// A membership is what a loop has to do with a team's session: it reports the verdicts, and shows in one line
// how things stand. It does nothing in a clone that has joined none. The loop's goroutine owns it.
type membership struct {
	folder *teamclient.Folder
	member *teamclient.Member
	status teamclient.Status
	report *report           // of the verdict to come
	expect team.Light        // of the next save
	saved  team.Light        // what was expected of the save that is being judged
	said   string            // what became of that
	notice string            // what the session said last
	until  time.Time         // how long that stands
	failed string            // why a verdict is not reported
	page   *revealedPage     // to open
	forAll func(*desk) error // what the facilitator showed last
	fresh  time.Time         // how long that stands, whatever is saved
}

type revealedPage struct {
	title string
	kata  workbook.Kata
}

// teamMessage tells the loop of a change.
type teamMessage struct {
	status teamclient.Status
	event  *team.Event
}

// noticed is how long what the session says stands.
const noticed = 2 * time.Minute

func newMembership(d *desk, post func(any)) *membership {
	m := &membership{folder: d.seats()}
	m.member = teamclient.NewMember(m.folder, func(now teamclient.Status, e *team.Event) { post(teamMessage{now, e}) })
	return m
}

// joined reports whether there is a session to report to.
func (m *membership) joined() bool { return m.status.Seat != nil }

// began takes in that a judge begins on the code as it is now.
func (m *membership) began(k workbook.Kata, bySave bool) {
	if m.report == nil {
		m.saved = ""
	} // else a save came before the verdict on the one before it, and what was expected holds for both
	if bySave {
		m.said = ""
		if m.expect != "" {
			m.saved, m.expect = m.expect, ""
		}
	}
	var err error
	m.report, err = beginReport(m.folder, k)
	m.failed = ""
	if err != nil {
		m.failed = err.Error()
	}
}

// judged reports a verdict that is sure, once.
func (m *membership) judged(n news, bySave bool) {
	r := m.report
	if r == nil || n.err != nil || r.kata.Name() != n.kata.Name() {
		return
	}
	m.report = nil
	light := lightOf(n.kata, n.verdict)
	if m.saved != "" {
		m.said = fmt.Sprintf("you expected %s: right", m.saved)
		if m.saved != light.Light {
			m.said = fmt.Sprintf("you expected %s, and it is %s", m.saved, light.Light)
		}
	}
	changed, err := r.changed()
	if err == nil && !changed && (bySave || !r.folder.IsLast(light.Kata, light.Light, r.files)) {
		light.Predicted = m.saved
		err = r.queue(light) // else somebody went back to a kata, judged again or started watch again
		m.member.Wake()
	}
	if err != nil {
		m.failed = err.Error()
	}
}

// heard takes in a change, and returns what there is to show of an event.
func (m *membership) heard(d *desk, message teamMessage) func(*desk) error {
	m.status = message.status
	if message.event == nil {
		return nil
	}
	switch e := *message.event; e.Kind {
	case team.Turn:
		m.notes(fmt.Sprintf("turn %d: the driver changes; to another laptop: go tool dojo take", e.N))
	case team.Phase:
		m.notice = ""
	case team.HintAll:
		m.notes("the facilitator shows a hint")
		m.forAll, m.fresh = hintForAll(d, e), time.Now().Add(noticed)
		return m.forAll
	case team.Reveal:
		m.notes("the facilitator reveals the reference of " + e.Kata)
		k, err := d.kataOfTeam(e.Kata)
		if err != nil {
			return func(*desk) error { return err }
		}
		m.page = &revealedPage{"The reference of " + k.Name() + ", as the facilitator reveals it", k}
	}
	return nil
}

func (m *membership) notes(text string) { m.notice, m.until = text, time.Now().Add(noticed) }

// standing is what the facilitator has just shown to all, if that is to be seen beside what is saved meanwhile.
func (m *membership) standing() func(*desk) error {
	if time.Now().After(m.fresh) {
		return nil
	}
	return m.forAll
}

// hintForAll shows a hint of this clone's own.
func hintForAll(d *desk, e team.Event) func(*desk) error {
	return func(screen *desk) error {
		k, err := d.kataOfTeam(e.Kata)
		if err != nil {
			return err
		}
		steps, err := k.Steps()
		if err != nil {
			return err
		}
		if e.Step < 1 || e.Step > len(steps) {
			return fmt.Errorf("the facilitator shows a hint for step %d of %s, which this clone does not have", e.Step, k.Name())
		}
		screen.say("From the facilitator, for all:")
		return screen.showHint(k, steps[e.Step-1], e.N, "")
	}
}

// showReference prints this clone's own reference.
func (d *desk) showReference(k workbook.Kata) error {
	text, err := os.ReadFile(k.Reference())
	if err != nil {
		return fmt.Errorf("the reference of %s cannot be read: %w", k.Name(), err)
	}
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\t", "    ")) {
		d.say(strings.TrimRight(line, "\r\n"))
	}
	return nil
}

// line says how things stand, or nothing where the clone is in no session.
func (m *membership) line() string {
	s := m.status
	switch {
	case s.Seat == nil && s.Left != "":
		return "team: you are no longer in the session: " + s.Left
	case s.Seat == nil && s.Problem != "":
		return "team: " + s.Problem
	case s.Seat == nil:
		return ""
	}
	parts := []string{"team: " + pairOf(s.Seat)}
	switch {
	case !s.Online && s.Problem == "":
		parts = append(parts, "looking for the server")
	case !s.Online:
		parts = append(parts, "the server is not heard")
	default:
		parts = append(parts, s.Phase)
	}
	if s.Waiting > 0 && (!s.Online || s.Problem != "") {
		parts = append(parts, fmt.Sprintf("%d wait to be sent", s.Waiting))
	}
	if left := time.Until(s.Turn); !s.Turn.IsZero() && left > 0 {
		parts = append(parts, "next driver in "+clock(left))
	}
	if m.notice != "" && time.Now().Before(m.until) {
		parts = append(parts, m.notice)
	}
	if m.expect != "" {
		parts = append(parts, fmt.Sprintf("you expect %s", m.expect))
	} else if m.said != "" {
		parts = append(parts, m.said)
	}
	switch {
	case m.failed != "":
		parts = append(parts, m.failed)
	case s.Online && s.Problem != "":
		parts = append(parts, s.Problem)
	}
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), " · ")
}

// clock is a short time as a countdown shows it.
func clock(left time.Duration) string {
	seconds := int(left.Round(time.Second).Seconds())
	return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
}

// expects goes through what the pair may expect of the next save.
func (m *membership) expects() {
	switch m.expect {
	case "":
		m.expect = team.Green
	case team.Green:
		m.expect = team.Red
	default:
		m.expect = ""
	}
}

// marks keeps this moment for the retrospective.
func (m *membership) marks() error {
	if err := m.folder.QueueMoment(m.status.Seat, ""); err != nil {
		return err
	}
	m.member.Wake()
	return nil
}

// logTeam prints in a log what changed: a line when that is another one, and what an event shows.
func (l *loop) logTeam(message teamMessage) {
	before := l.team.status
	shows := l.team.heard(l.desk, message)
	now := l.team.status
	changed := before.Online != now.Online || before.Phase != now.Phase || (before.Seat == nil) != (now.Seat == nil) || message.event != nil
	if line := l.team.line(); line != "" && changed {
		l.say(l.inLines(terminal.Quiet, "", line)...)
	}
	if l.team.page != nil {
		page := l.team.page
		l.team.page = nil
		shows = func(d *desk) error {
			d.say(page.title, "")
			return d.showReference(page.kata)
		}
	}
	if shows == nil {
		return
	}
	if err := shows(l.desk); err != nil {
		l.say(l.inLines(terminal.Bad, "", err.Error())...)
	}
}

// runTeam keeps the session in view until ctx ends.
func (l *loop) runTeam(ctx context.Context) { go l.team.member.Run(ctx) }
