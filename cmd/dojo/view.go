package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/backend-kata/dojo/cmd/dojo/internal/terminal"
	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// A view shows a loop on a terminal, and obeys single keys.
type view struct {
	*loop
	ctx     context.Context   //nolint:containedctx // the methods that bubbletea calls are given none
	hint    int               // hints shown of the step in view
	panel   func(*desk) error // what was asked for last: it stays until the next save, and a hint for all for longer
	page    *pager            // what fills the screen in the verdict's place
	asking  bool              // whether to reset
	visited []workbook.Kata   // before the one in view
	next    workbook.Kata     // what comes next, once the kata in view is green
	hasNext bool
}

// Messages beside news and progress.
type (
	saveMessage string // the folder in which a file was saved
	tick        time.Time
	nextMessage struct {
		after, kata workbook.Kata
		found, move bool
		err         error
	}
	pageMessage struct {
		page  *pager
		lines []string
	}
	editedMessage struct{ err error }
	slowMessage   struct{}
)

// watchInView shows the loop until q is pressed, and leaves the last verdict
// on the terminal.
func (d *desk) watchInView(ctx context.Context, k workbook.Kata, saves <-chan string) error {
	v := &view{ctx: ctx}
	program := tea.NewProgram(v, tea.WithContext(ctx), tea.WithoutSignalHandler())
	v.loop = newLoop(d, k, func(m any) { program.Send(m) })
	d.tools.Slow = func() { program.Send(slowMessage{}) }
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	v.runTeam(ctx)
	go func() {
		for dir := range saves {
			program.Send(saveMessage(dir))
		}
	}()
	_, err := program.Run()
	v.cancel()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		err = nil
	}
	if err == nil && v.latest.round > 0 && v.latest.err == nil {
		d.showVerdict(v.latest, false)
	}
	return err
}

// Init judges for the first time.
func (v *view) Init() tea.Cmd {
	v.judge(v.ctx)
	return ticking()
}

func ticking() tea.Cmd {
	return tea.Tick(time.Second, func(t time.Time) tea.Msg { return tick(t) })
}

// Update takes in a message.
func (v *view) Update(message tea.Msg) (tea.Model, tea.Cmd) {
	switch m := message.(type) {
	case tea.WindowSizeMsg:
		v.screen.Width, v.screen.Height = m.Width, m.Height
		if v.page != nil {
			return v, v.page.lay(v.desk)
		}
	case saveMessage:
		if k, err := v.book.Kata(filepath.Base(string(m))); err == nil {
			v.page = nil // which would hide the verdict
			v.enter(k)
			v.saved(v.ctx, k)
		}
	case news:
		return v, v.take(m)
	case progress:
		v.progressed(m)
		v.slow = v.slow && !m.Started
	case slowMessage:
		v.slow = true
	case teamMessage:
		return v, v.hears(m)
	case nextMessage:
		v.follow(m)
	case pageMessage:
		if m.page == v.page && v.page != nil {
			v.page.lines = m.lines
		}
	case editedMessage:
		if m.err != nil {
			v.panel = func(*desk) error { return fmt.Errorf("the editor did not start: %w", m.err) }
		}
	case tick:
		return v, ticking()
	case tea.KeyPressMsg:
		return v, v.press(m.String())
	}
	return v, nil
}

// enter makes k the kata in view. What was asked for is answered no longer.
func (v *view) enter(k workbook.Kata) {
	if k.Name() != v.kata.Name() {
		v.visited = append(v.visited, v.kata)
	}
	v.clear(k)
}

func (v *view) clear(k workbook.Kata) {
	if k.Name() != v.kata.Name() {
		v.kata, v.hint = k, 0
	}
	v.panel, v.asking, v.hasNext = v.team.standing(), false, false
}

// take takes a verdict in. Hints begin anew where the step is another.
func (v *view) take(n news) tea.Cmd {
	before := v.latest
	if !v.judged(n) {
		return nil
	}
	if n.kata.Name() != before.kata.Name() || n.verdict.FirstRed() != before.verdict.FirstRed() {
		v.hint = 0
	}
	if n.sure && n.verdict.Green() {
		return v.findNext(false)
	}
	return nil
}

// findNext looks for the kata after the one in view, and moves on to it if that
// was asked for.
func (v *view) findNext(move bool) tea.Cmd {
	d, k := *v.desk, v.kata
	return func() tea.Msg {
		next, found, err := d.next(v.ctx, k)
		return nextMessage{k, next, found, move, err}
	}
}

func (v *view) follow(m nextMessage) {
	switch {
	case m.after.Name() != v.kata.Name():
	case m.err != nil:
		v.panel = func(*desk) error { return m.err }
	case m.move && m.found:
		v.enter(m.kata)
		v.judge(v.ctx)
	case m.move:
		v.panel = func(d *desk) error { d.say("Every other kata here is green."); return nil }
	default:
		v.next, v.hasNext = m.kata, m.found
	}
}

// open fills the screen with a text.
func (v *view) open(title string, what func(*desk) error) tea.Cmd {
	v.page = &pager{title: title, what: what}
	return v.page.lay(v.desk)
}

// View lays out the screen.
func (v *view) View() tea.View {
	var lines []string
	switch {
	case v.screen.Height == 0: // the size is not known yet
	case v.page != nil:
		lines = v.page.view(v.desk)
	default:
		lines = v.lines()
	}
	for i := range lines {
		lines[i] = ansi.Truncate(lines[i], v.screen.Width, "…")
	}
	out := tea.NewView(strings.Join(lines, "\n"))
	out.AltScreen = true
	out.WindowTitle = "dojo · " + v.kata.Name()
	return out
}

// lines is the verdict, what was asked for, what the judge is busy with, and the
// keys that work now.
func (v *view) lines() []string {
	var below []string
	if v.panel != nil {
		text := v.capture(v.panel)
		if room := max(6, v.screen.Height/2-2); len(text) > room {
			text = append(text[:room-1], v.screen.In(terminal.Quiet, fmt.Sprintf("… %d more lines: v", len(text)-room+1)))
		}
		below = append([]string{""}, text...)
	}
	if v.asking {
		below = append(below, "")
		below = append(below, v.screen.Lines("", "", "Reset "+v.kata.Name()+" to the stub as shipped? What you have is kept aside. y yes · any other key no")...)
	}
	if line := v.team.line(); line != "" {
		below = append(below, "")
		below = append(below, v.inLines(terminal.Quiet, "", line)...)
	}
	if busy := v.busy(); busy != "" {
		below = append(below, "")
		below = append(below, v.inLines(terminal.Doing, "", busy)...)
	}
	keys := v.keys()
	room := v.screen.Height - len(below) - len(keys) - 1
	body := v.body(room)
	if len(body) > room {
		body = body[:max(0, room)]
	}
	if v.doing != nil && v.latest.round != v.round { // what stands there is of the save before
		for i, line := range body {
			body[i] = v.screen.In(terminal.Quiet, ansi.Strip(line))
		}
	}
	body = append(body, below...)
	for len(body) < v.screen.Height-len(keys) {
		body = append(body, "")
	}
	return append(body, keys...)
}

// body is the verdict in the rows that there are.
func (v *view) body(room int) []string {
	n := v.latest
	switch {
	case n.round == 0 || n.kata.Name() != v.kata.Name():
		return []string{v.screen.In(terminal.Loud, v.kata.Name()), "", "  " + v.kata.Text}
	case n.err != nil:
		return append([]string{v.screen.In(terminal.Loud, n.kata.Name()), ""}, v.inLines(terminal.Bad, "  ", n.err.Error())...)
	}
	s := v.sheet(n)
	history := v.session(n.kata)
	if marks := v.marks(history); marks != "" {
		s.strip = append([]string{"  " + marks}, s.strip...)
	}
	if again := history.regressions(); again != "" {
		s.notes = append(s.notes, v.inLines(terminal.Bad, "  ", again)...)
	}
	if !n.sure && v.doing != nil && n.verdict.Done() {
		s.notes = append(s.notes, v.inLines(terminal.Quiet, "  ", "The race detector has not looked yet.")...)
	}
	if n.sure && n.verdict.Green() {
		if n.verdict.Complete() {
			s.more = append([]string{""}, v.held(n.verdict)...)
		}
		s.notes = append(s.notes, v.green(n, history)...)
	}
	return s.fit(room, v.screen.In(terminal.Quiet, "  … %d more lines: v"))
}

// marks is a dot for each of the last verdicts.
func (v *view) marks(s *session) string {
	if len(s.marks) < 2 {
		return ""
	}
	var dots []string
	for _, style := range s.marks[max(0, len(s.marks)-20):] {
		dots = append(dots, v.screen.In(style, dotOf[style]))
	}
	return strings.Join(dots, "")
}

// dotOf tells green, red and what did not build apart without colours too.
var dotOf = map[terminal.Style]string{terminal.Good: "●", terminal.Bad: "○", terminal.Doing: "×"}

// held is each step with its title: what the learner's code holds now.
func (v *view) held(verdict testrun.Verdict) []string {
	var lines []string
	for _, s := range verdict.Steps {
		lines = append(lines, v.screen.Lines(v.screen.In(terminal.Good, fmt.Sprintf("  ✓ %2d  ", s.Number)), "        ", s.Title)...)
	}
	return lines
}

// green is what a kata ends with: how long it took, and what to do now.
func (v *view) green(n news, s *session) []string {
	green, steps, greenFurther, further := n.verdict.Count()
	word := fmt.Sprintf("Green: %d of %d steps", green, steps)
	if further > 0 {
		word += fmt.Sprintf(", %d of %d further ones", greenFurther, further)
	}
	if count := len(s.marks); count > 1 && !s.firstSave.IsZero() {
		word += fmt.Sprintf(", after %d verdicts and %s", count, inWords(time.Since(s.firstSave)))
	}
	lines := v.inLines(terminal.Good, "  ", word+".")
	lines = append(lines, "")
	lines = append(lines, v.screen.Lines("  a  ", "     ", "read the answer: "+n.kata.Text)...)
	lines = append(lines, v.screen.Lines("  d  ", "     ", "see your code beside the reference")...)
	if v.hasNext {
		lines = append(lines, v.screen.Lines("  n  ", "     ", "go on with "+v.next.Name()+": "+v.next.Text)...)
	}
	return lines
}

// inWords rounds a time to what a person would say.
func inWords(d time.Duration) string {
	switch minutes := int(d.Round(time.Minute).Minutes()); {
	case minutes < 1:
		return "less than a minute"
	case minutes == 1:
		return "a minute"
	case minutes < 120:
		return fmt.Sprintf("%d minutes", minutes)
	default:
		return fmt.Sprintf("%d hours", (minutes+30)/60)
	}
}

// capture returns what a command would print, in lines that fit the screen.
func (d *desk) capture(what func(*desk) error) []string { return d.capturing(what)() }

// capturing returns a function that does what capture does, for the screen as it is
// now. Another goroutine may call it.
func (d *desk) capturing(what func(*desk) error) func() []string {
	var out bytes.Buffer
	copied, screen := *d, *d.screen
	copied.screen, screen.Writer = &screen, &out
	return func() []string {
		if err := what(&copied); err != nil {
			copied.say(screen.Lines("", "", err.Error())...)
		}
		return strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	}
}
