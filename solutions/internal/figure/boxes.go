package figure

import (
	"fmt"
	"math"
)

// Boxes is services and the calls between them, or whatever else boxes and
// arrows can say. Rows stand one below the other. An arrow joins boxes of one row,
// or of two. One over more rows than that runs beside them: on the right if
// it goes down, on the left if it goes up.
type Boxes struct {
	Title, Assume, Alt string
	Rows               [][]Box
	Arrows             []Arrow
}

// States is the life of one thing: its states one below the other, in their
// usual order, and what leads from one to another or back to itself.
type States struct {
	Title, Assume, Alt string
	States             []Box
	Arrows             []Arrow
}

// A Box is a name with a note below it.
type Box struct {
	Name, Note string
	Role       Role
}

// An Arrow leads from a box to another, which are named, or to itself.
type Arrow struct {
	From, To string
	Words    string
	Role     Role
}

func (d States) draw() *sheet {
	var rows [][]Box
	for _, state := range d.States {
		rows = append(rows, []Box{state})
	}
	return drawBoxes(newSheet(d.Title, d.Assume, d.Alt), rows, d.Arrows, 13)
}

func (d Boxes) draw() *sheet {
	return drawBoxes(newSheet(d.Title, d.Assume, d.Alt), d.Rows, d.Arrows, 5)
}

const beside = 130 // room for what an arrow says

// A placed box is one with its middle and half of its size.
type placed struct {
	Box
	note         []string
	row          int
	x, y, dx, dy float64
	loops        int
}

type graph struct {
	*sheet
	boxes       map[string]*placed
	arrows      []Arrow
	inset       float64 // of the outermost boxes
	left, right int     // arrows that run beside the rows
}

func drawBoxes(s *sheet, rows [][]Box, arrows []Arrow, round float64) *sheet {
	g := &graph{sheet: s, boxes: map[string]*placed{}, arrows: arrows, inset: margin}
	for i, row := range rows {
		for _, b := range row {
			if g.boxes[b.Name] != nil {
				s.fail("two boxes are called %q", b.Name)
			}
			g.boxes[b.Name] = &placed{Box: b, row: i}
		}
	}
	for _, a := range arrows {
		if from, to := g.boxes[a.From], g.boxes[a.To]; from == nil || to == nil {
			s.fail("an arrow is from %q to %q, and there is no such box", a.From, a.To)
			return s
		} else if abs(float64(from.row-to.row)) > 1 {
			g.inset += 16
		}
	}
	for i, row := range rows {
		if i > 0 {
			s.height += g.gap(i)
		}
		g.row(row)
	}
	s.height += margin
	for _, row := range rows {
		for _, b := range row {
			p := g.boxes[b.Name]
			s.box(b.Role, p.x-p.dx, p.y-p.dy, 2*p.dx, 2*p.dy, round)
			s.block(b.Role, name, "middle", p.x, p.y-pitch*float64(len(p.note))/2, []string{b.Name})
			s.block("", label, "middle", p.x, p.y+pitch/2, p.note)
		}
	}
	for _, a := range arrows {
		g.draw(a, g.boxes[a.From], g.boxes[a.To])
	}
	return s
}

// gap is the room above a row: that of the longest text there.
func (g *graph) gap(row int) float64 {
	lines := 1
	for _, a := range g.arrows {
		if rows := g.boxes[a.From].row + g.boxes[a.To].row; rows == 2*row-1 {
			lines = max(lines, len(wrap(label, a.Words, beside)))
		}
	}
	return 26 + pitch*float64(lines)
}

// row places the boxes of a row side by side.
func (g *graph) row(row []Box) {
	count := float64(len(row))
	used, high := 0.0, 0.0
	for _, b := range row {
		p := g.boxes[b.Name]
		p.note = wrap(label, b.Note, min((width-2*g.inset-40*(count-1))/count-20, 190))
		p.dx = max(textWidth(name, b.Name), widest(label, p.note))/2 + 10
		used, high = used+2*p.dx, max(high, 26+pitch*float64(len(p.note)))
	}
	x, between := (width-used)/2, 0.0
	if count > 1 {
		x, between = g.inset, (width-2*g.inset-used)/(count-1)
	}
	for _, b := range row {
		p := g.boxes[b.Name]
		p.x, p.y, p.dy = x+p.dx, g.height+high/2, high/2
		x += 2*p.dx + between
	}
	g.height += high
}

func (g *graph) draw(a Arrow, from, to *placed) {
	switch rows := to.row - from.row; {
	case from == to:
		g.loop(a, from)
	case rows == 0:
		g.across(a, from, to)
	case rows == 1 || rows == -1:
		g.next(a, from, to, float64(rows))
	default:
		g.around(a, from, to, rows > 0)
	}
}

// loop leads from a box to itself, on its right; a second one on its left.
func (g *graph) loop(a Arrow, b *placed) {
	side, anchor := 1.0, "start"
	if b.loops++; b.loops == 2 {
		side, anchor = -1, "end"
	}
	x := b.x + side*b.dx
	g.path("", a.Role, fmt.Sprintf("M%s %sC%s %s %s %s %s %s", num(x), num(b.y-8), num(x+side*30), num(b.y-16), num(x+side*30), num(b.y+16), num(x+side*6), num(b.y+8)))
	g.head(a.Role, point{x + side, b.y + 7}, -side*0.95, -0.3)
	out := x + side*28
	room := width - margin/2 - out
	if side < 0 {
		room = out - margin/2
	}
	g.block(a.Role, label, anchor, out, b.y, wrap(label, a.Words, room))
}

// across joins boxes of one row. The way back lies below.
func (g *graph) across(a Arrow, from, to *placed) {
	side, off := 1.0, 0.0
	if to.x < from.x {
		side = -1
	}
	back := g.hasBack(a)
	if back {
		off = -6 * side
	}
	start, end := point{from.x + side*from.dx, from.y + off}, point{to.x - side*(to.dx+1), to.y + off}
	g.arrow(a.Role, start, end)
	lines := wrap(label, a.Words, abs(end.x-start.x)-8)
	y := start.y - 5 - pitch*float64(len(lines))/2
	if back && side < 0 {
		y = start.y + 7 + pitch*float64(len(lines))/2
	}
	g.block(a.Role, label, "middle", (start.x+end.x)/2, y, lines)
}

// next joins boxes of rows that follow. What it says stands on the right of an
// arrow that goes down, on the left of one that goes up, and on the outer side
// of a slanted one.
func (g *graph) next(a Arrow, from, to *placed, down float64) {
	start, end := point{from.x, from.y + down*from.dy}, point{to.x, to.y - down*(to.dy+1)}
	if g.hasBack(a) {
		start.x += 9 * down
		end.x += 9 * down
	}
	g.arrow(a.Role, start, end)
	x, y, side := (start.x+end.x)/2, (start.y+end.y)/2, down
	if slant := (end.x - start.x) * down; abs(slant) > 12 {
		side = slant / abs(slant)
		y -= 6
	}
	anchor := "start"
	if side < 0 {
		anchor = "end"
	}
	g.block(a.Role, label, anchor, x+8*side, y, wrap(label, a.Words, beside))
}

// around leads past the rows between. What it says stands beside the row after the first.
func (g *graph) around(a Arrow, from, to *placed, down bool) {
	side, x, anchor := -1.0, float64(8+16*g.left), "start"
	if down {
		side, x, anchor = 1, float64(width-8-16*g.right), "end"
		g.right++
	} else {
		g.left++
	}
	g.arrow(a.Role, point{from.x + side*from.dx, from.y}, point{x, from.y}, point{x, to.y}, point{to.x + side*(to.dx+1), to.y})
	edge, middle := math.Inf(1), 0.0 // how near a box between comes
	for _, b := range g.boxes {
		if (b.row-from.row)*(b.row-to.row) < 0 {
			edge = min(edge, abs(b.x+side*b.dx-x))
		}
		if b.row == (from.row+to.row)/2 {
			middle = b.y
		}
	}
	g.block(a.Role, label, anchor, x-side*7, middle, wrap(label, a.Words, edge-12))
}

func (g *graph) hasBack(a Arrow) bool {
	for _, b := range g.arrows {
		if b.From == a.To && b.To == a.From {
			return true
		}
	}
	return false
}
