package interleave

import (
	"fmt"
	"strings"
)

// A choice is which actor went on at one place of a schedule, and which could
// have.
type choice struct {
	took      move
	could     []move // in the order of the actors
	last      int    // the actor that went before; -1 for none
	preempted bool   // last could have gone on, so that to take another is a preemption
}

// A move lets an actor go on to its next point, or crashes it where it is.
type move struct {
	actor int
	crash bool
}

// cost is what a move adds to the number of preemptions. A crash counts as one,
// so that schedules without come first.
func (c choice) cost(m move) int {
	if m.crash || c.preempted && m.actor != c.last {
		return 1
	}
	return 0
}

// A search hands out the schedules to try, as prefixes of choices: those with
// fewer preemptions first. What follows a prefix is decided by [Schedule.choose].
type search struct {
	prefix []move     // of the schedule to try now
	queue  [][][]move // by number of preemptions, in order of discovery
	bound  int        // the preemptions of prefix
	tried  int

	strayed bool // in a schedule before, a choice could not be made
}

// newSearch starts with the schedule that has no choices made, or with one that
// is given as text.
func newSearch(only string) *search {
	return &search{queue: [][][]move{{parseMoves(only)}}}
}

// next takes the next prefix, and reports whether there is one.
func (q *search) next() bool {
	for ; q.bound < len(q.queue); q.bound++ {
		if level := q.queue[q.bound]; len(level) > 0 {
			q.prefix, q.queue[q.bound] = level[0], level[1:]
			return true
		}
	}
	return false
}

// add queues what could have been done otherwise after the prefix. What comes
// before it was queued by others. Of a schedule that strayed from its prefix
// nothing is queued.
func (q *search) add(s *Schedule) {
	if s.strayed {
		q.strayed = true
		return
	}
	var done []move
	preemptions := 0
	for i, c := range s.stage.choices() {
		for _, m := range c.could {
			if i >= len(q.prefix) && m != c.took {
				level := preemptions + c.cost(m)
				for len(q.queue) <= level {
					q.queue = append(q.queue, nil)
				}
				alternative := append(append(make([]move, 0, len(done)+1), done...), m)
				q.queue[level] = append(q.queue[level], alternative)
			}
		}
		preemptions += c.cost(c.took)
		done = append(done, c.took)
	}
}

// progress says how far the search has come: no further than the first level on
// which something is left to try.
func (q *search) progress() Report {
	for level, left := range q.queue {
		if len(left) > 0 {
			return Report{Schedules: q.tried, Preemptions: level - 1}
		}
	}
	return Report{Schedules: q.tried, Exhausted: true, Preemptions: len(q.queue) - 1}
}

// describe says which schedule of the search failed.
func (q *search) describe(s *Schedule, isOnly bool) string {
	preemptions := 0
	for _, c := range s.stage.choices() {
		preemptions += c.cost(c.took)
	}
	switch {
	case isOnly:
		return "the schedule of DOJO_SCHEDULE fails\n\n"
	case q.strayed || s.strayed:
		return "a schedule fails, and may not come again, since " + ledElsewhere + "\n\n"
	case preemptions == 0:
		return fmt.Sprintf("schedule %s fails; it has no preemption\n\n", number(q.tried))
	}
	return fmt.Sprintf("schedule %s fails; it has %s, and none with fewer fails\n\n", number(q.tried), plural(preemptions, "preemption"))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return number(n) + " " + what + "s"
}

// number writes n with a comma at each thousand.
func number(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", number(n/1000), n%1000)
}

// moves as text: a letter for each actor in the order of Go, a small one for a
// crash.
func formatMoves(moves []move) string {
	var b strings.Builder
	for _, m := range moves {
		letter := byte('A' + m.actor)
		if m.crash {
			letter += 'a' - 'A'
		}
		b.WriteByte(letter)
	}
	return b.String()
}

func parseMoves(text string) []move {
	var moves []move
	for _, letter := range text {
		m := move{actor: int(letter - 'A')}
		if letter >= 'a' {
			m = move{actor: int(letter - 'a'), crash: true}
		}
		moves = append(moves, m)
	}
	return moves
}
