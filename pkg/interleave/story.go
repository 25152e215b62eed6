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
	maxWidth   = 76 // if they fit
	maxLines   = 40 // of a story; the first and the last are shown
)

// replay is the story of a schedule and the command that tries just it again, if
// there was a choice in it.
func (s *Schedule) replay(t *testing.T, number string, raced bool) string {
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
	var b strings.Builder
	line := s.columns(&b)
	for n, e := range s.events {
		switch left := len(s.events) - maxLines; {
		case left <= 0 || n < maxLines/2 || n >= maxLines/2+left:
			line(n+1, e)
		case n == maxLines/2:
			fmt.Fprintf(&b, "%5s  and %d more\n", "", left)
		}
	}
	return b.String()
}

// columns writes the head of a story, and returns what writes its lines.
func (s *stage) columns(b *strings.Builder) (line func(number int, e event)) {
	width := 0
	for _, a := range s.actors {
		width = max(width, utf8.RuneCountInString(a.name))
	}
	for _, e := range s.events {
		width = max(width, utf8.RuneCountInString(e.text))
	}
	if len(s.actors) > maxColumns || 5+len(s.actors)*(2+width) > maxWidth {
		return func(number int, e event) { fmt.Fprintf(b, "%5d  %s: %s\n", number, s.actors[e.actor].name, e.text) }
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
	return func(number int, e event) {
		row(fmt.Sprint(number), func(i int) string {
			if i == e.actor {
				return e.text
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
