package main

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"github.com/backend-kata/dojo/cmd/dojo/internal/terminal"
)

// A pager shows a text that is longer than the screen.
type pager struct {
	title string
	what  func(*desk) error // prints the text
	lines []string
	top   int // the first line in view
}

// lay prints the text anew for the screen as it is now, beside the loop: a board
// judges katas.
func (p *pager) lay(d *desk) tea.Cmd {
	text := d.capturing(p.what)
	return func() tea.Msg { return pageMessage{p, text()} }
}

func (p *pager) view(d *desk) []string {
	room := p.room(d)
	p.top = max(0, min(p.top, len(p.lines)-room))
	lines := []string{d.screen.In(terminal.Loud, p.title), ""}
	shown := p.lines[p.top:min(len(p.lines), p.top+room)]
	if p.lines == nil { // a board takes its time
		shown = []string{"…"}
	}
	lines = append(lines, shown...)
	for len(lines) < d.screen.Height-1 {
		lines = append(lines, "")
	}
	keys := "esc back · q quit"
	if len(p.lines) > room {
		keys = fmt.Sprintf("↑ ↓ space · esc back · q quit · %d%%", 100*min(len(p.lines), p.top+room)/len(p.lines))
	}
	return append(lines, d.screen.In(terminal.Quiet, keys))
}

func (p *pager) room(d *desk) int { return max(1, d.screen.Height-3) }

// press scrolls. It reports false for a key that leaves the page.
func (p *pager) press(d *desk, key string) bool {
	room := p.room(d)
	switch key {
	case "down", "j":
		p.top++
	case "up", "k":
		p.top--
	case "space", "pgdown", "f":
		p.top += room
	case "pgup", "b":
		p.top -= room
	case "home", "g":
		p.top = 0
	case "end", "G":
		p.top = len(p.lines)
	default:
		return false
	}
	p.top = max(0, min(p.top, len(p.lines)-room))
	return true
}
