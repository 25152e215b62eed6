package interleave

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/backend-kata/dojo/pkg/internal/rerun"
)

const (
	maxColumns = 3  // up to so many actors have a column each
	maxWidth   = 92 // if they fit
	maxLines   = 40 // of a story; the first and the last are shown
)

// replay is the story of a schedule and the command that tries just it again, if
// there was a choice in it.
func (s *Schedule) replay(t *testing.T, number string, raced, strayed bool) string {
	command := rerun.Command(t.Name())
	if raced {
		command = rerun.WithRace(t.Name())
	}
	schedule := s.String()
	switch {
	case schedule == "" && raced:
		return "no actor came to a point\n\nagain: " + command
	case schedule == "":
		return "no actor came to a point"
	case strayed: // the same choices need not lead there again
		return s.stage.story() + "\nagain: " + command
	case number != "1":
		schedule = number + ":" + schedule
	}
	return s.stage.story() + "\nagain: DOJO_SCHEDULE=" + schedule + " " + command
}

// story writes what happened, one line a step.
func (s *stage) story() string {
	s.seen.Acquire()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.events) == 0 {
		return ""
	}
	texts := make([]string, len(s.events))
	for n, e := range s.events {
		texts[n] = e.String()
	}
	var b strings.Builder
	line := s.columns(&b, texts)
	for n := range s.events {
		switch left := len(s.events) - maxLines; {
		case left <= 0 || n < maxLines/2 || n >= maxLines/2+left:
			line(n)
		case n == maxLines/2:
			fmt.Fprintf(&b, "%5s  and %d more\n", "", left)
		}
	}
	return b.String()
}

// String is the line of an event.
func (e event) String() string {
	line := e.at.String()
	if e.crash {
		line = "crashes before " + line
	}
	var notes string
	for n := e.notes; n != nil; n = n.next {
		notes = " → " + n.text.String() + notes
	}
	return line + notes
}

// columns writes the head of a story, and returns what writes a line of it.
func (s *stage) columns(b *strings.Builder, texts []string) (line func(n int)) {
	width := 0
	for _, a := range s.actors {
		width = max(width, utf8.RuneCountInString(a.name))
	}
	for _, text := range texts {
		width = max(width, utf8.RuneCountInString(text))
	}
	if len(s.actors) > maxColumns || 5+len(s.actors)*(2+width) > maxWidth {
		return func(n int) { fmt.Fprintf(b, "%5d  %s: %s\n", n+1, s.actors[s.events[n].actor].name, texts[n]) }
	}
	row := func(number string, cells func(actor int) string) {
		var line strings.Builder
		fmt.Fprintf(&line, "%5s", number)
		for i := range s.actors {
			fmt.Fprintf(&line, "  %-*s", width, cells(i))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	row("", func(i int) string { return s.actors[i].name })
	return func(n int) {
		row(fmt.Sprint(n+1), func(i int) string {
			if i == s.events[n].actor {
				return texts[n]
			}
			return ""
		})
	}
}

var explorations = struct {
	sync.Mutex
	of map[*testing.T]int
}{of: map[*testing.T]int{}}

// count numbers the explorations of a test, from 1.
func count(t *testing.T) string {
	explorations.Lock()
	defer explorations.Unlock()
	if explorations.of[t] == 0 {
		t.Cleanup(func() {
			explorations.Lock()
			defer explorations.Unlock()
			delete(explorations.of, t)
		})
	}
	explorations.of[t]++
	return fmt.Sprint(explorations.of[t])
}

// String returns the choices made so far, as DOJO_SCHEDULE takes them.
func (s *Schedule) String() string { return formatMoves(s.stage.taken()) }
