package figure

import "fmt"

// Queues is one queue or more, each in front of its workers, one below the
// other.
type Queues struct {
	Title, Assume, Alt string
	Queues             []Queue
}

// A Queue is jobs that wait for workers.
type Queue struct {
	Name     string
	Role     Role
	Arrivals string // what comes, such as "12 jobs/s"
	Waiting  int    // jobs, twelve at most; say how many they stand for
	Bound    int    // room for so many, twelve at most; 0 for a queue without a bound
	Words    string // of the queue
	Refused  string // what becomes of jobs that find no room
	Workers  string // in a box, such as "10 workers\n10 jobs/s"
}

func (d Queues) draw() *sheet {
	s := newSheet(d.Title, d.Assume, d.Alt)
	for _, q := range d.Queues {
		q.draw(s)
	}
	s.height += 6
	return s
}

const slots = 12 // of a queue, at most

func (q Queue) draw(s *sheet) {
	const first, wide, high = 104.0, 14.0, 26.0
	last := first + slots*wide
	if q.Waiting > slots || q.Bound > slots || q.Bound > 0 && q.Waiting > q.Bound {
		s.fail("%d jobs in a queue with room for %d cannot be drawn: twelve slots are the most, and jobs have to fit in", q.Waiting, q.Bound)
		return
	}
	s.height += 18
	s.text(q.Role, name, "start", margin, s.height, q.Name)
	come := wrap(label, q.Arrivals, first-margin-8)
	y := s.height + 10 + max(high/2, pitch*float64(len(come)))
	s.block("", label, "middle", (margin+first)/2-2, y-5-pitch*float64(len(come))/2, come)

	front := first // where the queue begins
	if q.Bound > 0 {
		front = last - float64(q.Bound)*wide
	}
	s.arrow(Plain, point{margin, y}, point{front - 4, y})
	for i := range slots {
		x := last - float64(i+1)*wide
		switch {
		case i < q.Waiting:
			s.rect("slot", q.Role, x+1, y-high/2+2, wide-2, high-4, 2)
		case i < q.Bound:
			s.rect("slot pale", "", x+1, y-high/2+2, wide-2, high-4, 2)
		}
	}
	open := "M%s %sL%s %sL%s %sL%s %s" // without a bound, the queue is open at its end
	if q.Bound > 0 {
		open += "Z"
	}
	s.path("", q.Role, fmt.Sprintf(open, num(front), num(y-high/2), num(last), num(y-high/2), num(last), num(y+high/2), num(front), num(y+high/2)))

	work := wrap(label, q.Workers, 84)
	half := max(high/2, 5+pitch*float64(len(work))/2)
	s.arrow(Plain, point{last + 1, y}, point{last + 21, y})
	s.box(Plain, last+22, y-half, width-margin-last-22, half*2, 5)
	s.block("", label, "middle", (last+22+width-margin)/2, y, work)

	below := y + high/2
	words := wrap(label, q.Words, last-first)
	s.block(q.Role, label, "middle", (first+last)/2, below+6+pitch*float64(len(words))/2, words)
	lines := len(words)
	if q.Refused != "" {
		refused := wrap(label, q.Refused, first-margin-22)
		lines = max(lines, len(refused)+1)
		s.arrow(Wrong, point{first - 14, y}, point{first - 14, below + 8 + pitch*float64(len(refused))})
		s.block(Wrong, label, "end", first-22, below+6+pitch*float64(len(refused))/2, refused)
	}
	s.height = max(below+12+pitch*float64(lines), y+half+10)
}
