package simnode

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/backend-kata/dojo/pkg/simnet"
)

// An event is a line of the story.
type event struct {
	at     time.Duration
	column int // 0 is the test's, and the nodes' follow
	text   string
	life   *life // whose disk did it, or nil
	op     int   // its number in the record of that disk, from 1 on
}

const (
	maxLines = 60  // of a story; what is before is left out
	maxWidth = 130 // of a line
	minCell  = 20  // of a column; where there is no room for it each line has the name in front
)

// Story tells what happened until now, on all nodes side by side: what the disks
// did and what crashes left of it, what was sent, and what the test noted. The hosts of
// the test share a column with it. The time is that since the start, and what happens in
// one instant is in the order of the columns. Only the last 60 lines are told.
func (c *Cluster) Story() string {
	events, names := c.all()
	skipped := max(0, len(events)-maxLines)
	events = events[skipped:]
	stamp, parts := 0, ""
	for i := range events {
		e := &events[i]
		switch fate := e.fate(); fate {
		case "", "certain", "survived":
		case "lost":
			e.text = "lost: " + e.text
		default:
			parts += fmt.Sprintf("what is left of %s's %s: %s\n", names[e.column], e.text, fate)
			e.text = "torn: " + e.text
		}
		stamp = max(stamp, len(events[i].at.String()))
	}
	var b strings.Builder
	line := columns(&b, names, events, stamp)
	if skipped > 0 {
		fmt.Fprintf(&b, "%*s  and %d lines before these\n", stamp, "", skipped)
	}
	for _, e := range events {
		line(e)
	}
	if parts != "" {
		b.WriteString("\n" + parts)
	}
	return b.String()
}

// columns writes the head of a story, and returns what writes its lines.
func columns(b *strings.Builder, names []string, events []event, stamp int) func(e event) {
	most := (maxWidth-stamp)/len(names) - 2
	if most < minCell {
		width := utf8.RuneCountInString(slices.MaxFunc(names, func(a, b string) int { return cmp.Compare(len(a), len(b)) }))
		return func(e event) { fmt.Fprintf(b, "%*v  %-*s  %s\n", stamp, e.at, width, names[e.column], e.text) }
	}
	widths := make([]int, len(names))
	for i, name := range names {
		widths[i] = utf8.RuneCountInString(name)
	}
	for _, e := range events {
		widths[e.column] = min(most, max(widths[e.column], utf8.RuneCountInString(e.text)))
	}
	row := func(at string, cell func(column int) string) {
		var line strings.Builder
		fmt.Fprintf(&line, "%*s", stamp, at)
		for i, width := range widths {
			fmt.Fprintf(&line, "  %-*s", width, shorten(cell(i), width))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	row("", func(i int) string { return names[i] })
	return func(e event) {
		row(e.at.String(), func(i int) string {
			if i == e.column {
				return e.text
			}
			return ""
		})
	}
}

// all returns the events in order, with those of the network, and the columns'
// names.
func (c *Cluster) all() ([]event, []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	names, columns := []string{"test"}, map[string]int{}
	for i, n := range c.nodes {
		names = append(names, n.name)
		columns[n.name] = i + 1
	}
	events := slices.Clone(c.events)
	clients := map[string]bool{}
	sent := c.Network.Events()
	for _, e := range sent {
		if columns[e.Host] == 0 {
			clients[e.Host] = e.Host != ""
		}
	}
	for _, e := range sent {
		if text, ok := told(e); ok {
			if columns[e.Host] == 0 && len(clients) > 2 { // the network's own events are of nobody
				text = e.Host + " " + text
			}
			events = append(events, event{at: e.At.Sub(c.start), column: columns[e.Host], text: text})
		}
	}
	if c.failed > 0 {
		events = slices.DeleteFunc(events, func(e event) bool { return e.at >= c.failed })
	}
	// What happens in one instant on two nodes has no order, and comes in another in each run.
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.column, b.column)) })
	return events, names
}

// told returns what the story tells of an event of the network: what was sent, and how
// connections break. How they are made and closed takes more lines than it is worth.
func told(e simnet.Event) (string, bool) {
	breaks := slices.ContainsFunc([]string{"resets", "gives up", "the dial fails"}, func(how string) bool { return strings.HasPrefix(e.Text, how) })
	if e.Host == "" || !e.Data && !breaks || strings.HasSuffix(e.Text, context.Canceled.Error()) {
		return "", false
	}
	text, _, _ := strings.Cut(e.Text, ", arrives ")
	text = strings.Replace(text, " HTTP/1.1", "", 1)
	text = strings.Replace(text, "HTTP/1.1 ", "", 1)
	text, _, _ = strings.Cut(text, ": ")
	if head, size, ok := strings.Cut(text, " · "); ok && strings.HasSuffix(size, " B") {
		text = head
	}
	return "→ " + e.Peer + " " + text, true
}

// fate says what became of an operation by the crash that ended its life.
func (e *event) fate() string {
	if e.life == nil || e.life.crash == nil {
		return ""
	}
	return e.life.crash.Fate(e.op)
}

func shorten(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
