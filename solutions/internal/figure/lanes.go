package figure

import "slices"

// Lanes is what two to four parties send to one another, the earliest at the
// top.
type Lanes struct {
	Title, Assume, Alt string
	Parties            []string // from left to right
	Steps              []Step   // in order of time
}

// A Step is an arrow from one party to another, or a note on From if there is
// no To.
type Step struct {
	From, To string
	Words    string
	Role     Role
	Lost     bool // the arrow does not arrive
	Over     int  // the note holds for so many steps more: a lock, a pause, a wait
}

// A holding is a note that holds for some steps.
type holding struct {
	role        Role
	x           float64
	from, to    float64
	first, last int // step
}

type lanes struct {
	*sheet
	Lanes
	room float64 // beside the first lane
	held []holding
}

func (d Lanes) draw() *sheet {
	s := newSheet(d.Title, d.Assume, d.Alt)
	l := &lanes{sheet: s, Lanes: d, room: []float64{90, 90, 90, 66, 52}[min(len(d.Parties), 4)]}
	if len(d.Parties) < 2 || len(d.Parties) > 4 {
		s.fail("there are %d parties, and two to four can be drawn", len(d.Parties))
		return s
	}
	head := 0.0
	for _, p := range d.Parties {
		head = max(head, 10+pitch*float64(len(wrap(name, p, 2*l.room-34))))
	}
	top := s.height + head
	y := top + 12
	for i, step := range d.Steps {
		if l.x(step.From) < 0 || step.To != "" && l.x(step.To) < 0 {
			s.fail("step %d is from %q to %q, and there is no such party", i+1, step.From, step.To)
			return s
		}
		if step.Over > 0 {
			l.held = append(l.held, holding{role: step.Role, x: l.x(step.From), from: y, first: i, last: i + step.Over})
		}
		y += l.high(step)
		for k, h := range l.held {
			if h.last == i {
				l.held[k].to = y - 4
			}
		}
	}
	s.height = y + 6
	for i, p := range d.Parties { // from here on all is drawn, what lies below first
		s.grid(l.at(i), top, l.at(i), s.height-4)
		lines := wrap(name, p, 2*l.room-34)
		w := widest(name, lines) + 20
		s.box("", l.at(i)-w/2, top-head, w, head, 5)
		s.block("", name, "middle", l.at(i), top-head/2, lines)
	}
	for _, h := range l.held {
		if h.to == 0 {
			s.fail("a note holds for more steps than there are")
		}
		s.rect("paper", "", h.x-5, h.from, 10, max(h.to-h.from, 0), 3)
		s.rect("slot", h.role, h.x-5, h.from, 10, max(h.to-h.from, 0), 3)
	}
	y = top + 12
	for i, step := range d.Steps {
		l.step(i, step, y)
		y += l.high(step)
	}
	return s
}

// at is where a lane is, and x that of a party, or -1.
func (l *lanes) at(i int) float64 {
	return l.room + float64(i)*(width-2*l.room)/float64(len(l.Parties)-1)
}

func (l *lanes) x(party string) float64 {
	if i := slices.Index(l.Parties, party); i >= 0 {
		return l.at(i)
	}
	return -1
}

// lines is a step's text, and high the height that it takes.
func (l *lanes) lines(step Step) []string {
	if step.To == "" {
		return wrap(label, step.Words, 2*l.room-20)
	}
	return wrap(label, step.Words, max(abs(l.x(step.From)-l.x(step.To))-26, 40))
}

func (l *lanes) high(step Step) float64 {
	return pitch*float64(len(l.lines(step))) + 22
}

func (l *lanes) step(i int, step Step, y float64) {
	lines, from, to := l.lines(step), l.x(step.From), l.x(step.To)
	high := pitch * float64(len(lines))
	if step.To == "" {
		w := widest(label, lines) + 12
		l.box(step.Role, from-w/2, y, w, high+8, 4)
		l.block(step.Role, label, "middle", from, y+4+high/2, lines)
		return
	}
	if from == to {
		l.fail("step %d is from %q to itself: a note has no To", i+1, step.From)
		return
	}
	l.block(step.Role, label, "middle", (from+to)/2, y+high/2, lines)
	way := (to - from) / abs(to-from)
	from, to = from+way*l.beside(from, i), to-way*l.beside(to, i)
	y += high + 8
	if !step.Lost {
		l.arrow(step.Role, point{from, y}, point{to, y})
		return
	}
	end := from + 0.7*(to-from)
	l.line("", step.Role, point{from, y}, point{end - way*6, y})
	l.line("", step.Role, point{end - 4, y - 4}, point{end + 4, y + 4})
	l.line("", step.Role, point{end - 4, y + 4}, point{end + 4, y - 4})
}

// beside is how far from a lane an arrow ends.
func (l *lanes) beside(x float64, i int) float64 {
	for _, h := range l.held {
		if h.x == x && h.first < i && i <= h.last {
			return 6
		}
	}
	return 1
}

func abs(v float64) float64 { return max(v, -v) }
