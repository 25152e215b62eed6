package main

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/backend-kata/dojo/cmd/dojo/internal/terminal"
	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
)

// A binding is a key, and what it does now.
type binding struct {
	key, does string
	help      string // in the list of all keys
	works     func(*view) bool
	do        func(*view) tea.Cmd
}

// bindings are the keys of the view of a verdict, by how much they are needed.
func bindings() []binding {
	always := func(*view) bool { return true }
	return []binding{
		{"a", "answer", "read the answer, once the kata is green", (*view).isGreen, (*view).showsAnswer},
		{"d", "diff", "your code beside the reference, once the kata is green", (*view).isGreen, (*view).showsDiff},
		{"h", "hint", "a hint for the step you are on, and at the next press the next one", (*view).isRed, (*view).showsHint},
		{"m", "mistake?", "which known mistake the failure looks like", (*view).isRed, (*view).showsMistake},
		{"v", "all of it", "all of the failure, of the hint, and of what the steps printed", (*view).hasMore, (*view).showsAll},
		{"o", "open", "open your code at the place, in $VISUAL, $EDITOR or Visual Studio Code", always, (*view).opensEditor},
		{"t", "tag", "put the build line on your files that lack it", (*view).lacksTag, (*view).tags},
		{"n", "next", "go on to the next kata", always, func(v *view) tea.Cmd { return v.findNext(true) }},
		{"p", "back", "back to the kata before", func(v *view) bool { return len(v.visited) > 0 }, (*view).goesBack},
		{"e", "expect", "in a team: say what you expect of the next save: green (the whole kata), red or nothing", (*view).inTeam, (*view).expects},
		{"b", "mark", "in a team: mark this moment for the retrospective", (*view).inTeam, (*view).marksMoment},
		{"l", "list", "the katas, and where you are", always, (*view).showsList},
		{"r", "again", "judge once more", always, (*view).judgesAgain},
		{"x", "reset", "start the kata again; what you have is kept aside", func(v *view) bool { return v.kata.Started() }, (*view).asksReset},
		{"?", "keys", "this list", always, (*view).showsKeys},
		{"q", "quit", "end watch", always, func(*view) tea.Cmd { return tea.Quit }},
	}
}

// keys is the last line, or on a narrow screen the last three: the keys that work now.
func (v *view) keys() []string {
	var all []string
	for _, b := range bindings() {
		if b.works(v) && (b.key != "r" && b.key != "x" || v.screen.Width >= 100) { // the list of keys has them
			all = append(all, b.key+" "+b.does)
		}
	}
	for i, one := range all {
		all[i] = strings.ReplaceAll(one, " ", "_") // a line breaks between two keys
	}
	lines := v.inLines(terminal.Quiet, "", strings.Join(all, " · "))
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], "_", " ")
	}
	return lines[:min(3, len(lines))]
}

// press obeys a key.
func (v *view) press(key string) tea.Cmd {
	if key == "ctrl+c" {
		return tea.Quit
	}
	if v.page != nil {
		if !v.page.press(v.desk, key) {
			v.page = nil
			if key == "q" {
				return tea.Quit
			}
		}
		return nil
	}
	if v.asking {
		v.asking = false
		if key == "y" {
			v.panel = v.once(func(d *desk) error { return d.reset(v.kata) })
		}
		return nil
	}
	for _, b := range bindings() {
		if b.key == key && b.works(v) {
			return b.do(v)
		}
	}
	return nil
}

// inView reports whether the verdict is of the kata in view.
func (v *view) inView() bool {
	return v.latest.round > 0 && v.latest.err == nil && v.latest.kata.Name() == v.kata.Name()
}

func (v *view) isGreen() bool { return v.inView() && v.latest.sure && v.latest.verdict.Green() }

func (v *view) isRed() bool {
	_, red := v.step()
	return red
}

// hasMore reports whether there is more to see than the verdict has room for.
func (v *view) hasMore() bool {
	return v.isRed() || v.inView() && slices.ContainsFunc(v.latest.verdict.Steps, hasPrinted)
}

func (v *view) lacksTag() bool {
	untagged, err := v.kata.Untagged()
	return err == nil && len(untagged) > 0
}

// step returns the red step in view.
func (v *view) step() (testrun.StepVerdict, bool) {
	if !v.inView() || v.latest.verdict.Broken != nil {
		return testrun.StepVerdict{}, false
	}
	at := v.latest.verdict.FirstRed()
	if at == len(v.latest.verdict.Steps) {
		return testrun.StepVerdict{}, false
	}
	return v.latest.verdict.Steps[at], true
}

func (v *view) showsHint() tea.Cmd {
	s, _ := v.step()
	k := v.kata
	hints, err := k.Hints()
	if err == nil && v.hint < len(hints[s.Name]) {
		v.hint++
	}
	n := max(1, v.hint)
	v.panel = func(d *desk) error { return d.showHint(k, s.Step, n, "h") }
	return nil
}

func (v *view) showsMistake() tea.Cmd {
	n := v.latest
	v.panel = func(d *desk) error { return d.showMistake(n.kata, n.verdict) }
	return nil
}

func (v *view) showsAll() tea.Cmd {
	n, panel := v.latest, v.panel
	red, _ := v.step()
	return v.open(n.kata.Name(), func(d *desk) error {
		d.showVerdict(n, true)
		if panel != nil {
			d.say("")
			if err := panel(d); err != nil {
				return err
			}
		}
		for _, s := range n.verdict.Steps {
			if s.Name != red.Name && !hasPrinted(s) || s.Output == "" {
				continue
			}
			d.say("", d.screen.In(terminal.Loud, fmt.Sprintf("All that step %d printed", s.Number)), "")
			for line := range strings.Lines(s.Output) {
				d.say(d.broken(strings.TrimRight(line, "\r\n"), "")...)
			}
		}
		return nil
	})
}

// hasPrinted reports whether the learner's program printed something in a step.
func hasPrinted(s testrun.StepVerdict) bool { return len(s.Explanation.Printed) > 0 }

func (v *view) showsAnswer() tea.Cmd {
	k := v.kata
	return v.open(k.Rel(k.Answer()), func(d *desk) error { return d.showAnswer(k) })
}

func (v *view) showsDiff() tea.Cmd {
	k := v.kata
	return v.open("Yours (-) and the reference (+)", func(d *desk) error { return d.showDiff(k) })
}

func (v *view) showsList() tea.Cmd {
	return v.open("Katas", func(d *desk) error { return boardCommand{}.Run(v.ctx, d) })
}

func (v *view) showsKeys() tea.Cmd {
	return v.open("Keys", func(d *desk) error {
		for _, b := range bindings() {
			d.say(d.screen.Lines(fmt.Sprintf("  %s  ", b.key), "     ", b.help)...)
		}
		d.say("")
		d.say(d.screen.Lines("  ", "  ", "A save in a kata's folder judges that kata. At the top right, one mark a save: ● green, ○ red, × does not build. Below it, ✓ and ✗ are steps, and ·+7 are seven that have not run.")...)
		return nil
	})
}

func (v *view) goesBack() tea.Cmd {
	last := len(v.visited) - 1
	v.clear(v.visited[last])
	v.visited = v.visited[:last]
	v.judge(v.ctx)
	return nil
}

// judgesAgain judges although nothing was saved.
func (v *view) judgesAgain() tea.Cmd {
	v.tools.Forget(v.kata)
	v.judge(v.ctx)
	return nil
}

func (v *view) inTeam() bool { return v.team.joined() }

func (v *view) expects() tea.Cmd {
	v.team.expects()
	return nil
}

func (v *view) marksMoment() tea.Cmd {
	v.panel = v.once(func(d *desk) error {
		d.say("This moment is marked for the retrospective. With words: go tool dojo moment what happened")
		return v.team.marks()
	})
	return nil
}

// hears takes in what the team's session says. What the facilitator shows to all stands as what was asked for does.
func (v *view) hears(m teamMessage) tea.Cmd {
	if shows := v.team.heard(v.desk, m); shows != nil {
		v.panel = shows
	}
	page := v.team.page
	if page == nil {
		return nil
	}
	v.team.page = nil
	return v.open(page.title, func(d *desk) error { return d.showReference(page.kata) })
}

func (v *view) asksReset() tea.Cmd {
	v.asking = true
	return nil
}

func (v *view) tags() tea.Cmd {
	k := v.kata
	v.panel = v.once(func(d *desk) error { return tagCommand{Kata: k.Name()}.Run(v.ctx, d) })
	return nil
}

// once does what changes something, and keeps what it says.
func (v *view) once(what func(*desk) error) func(*desk) error {
	lines := v.capture(what)
	return func(d *desk) error { d.say(lines...); return nil }
}
