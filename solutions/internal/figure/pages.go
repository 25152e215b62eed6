package figure

import (
	"fmt"
	"strings"
)

// Pages is lookups through an index, one below the other: its entries in their
// order on the left, the table's pages on the right, and what leads from one to
// the other.
type Pages struct {
	Title, Assume, Alt string
	Lookups            []Lookup
}

// A Lookup is one way to read the index.
type Lookup struct {
	Name    string
	Role    Role // of the entries that are read, and of the rows that they lead to
	Index   string
	Table   string
	Entries []Entry
	Pages   int    // of the table
	Words   string // what it comes to
}

// An Entry of the index. One that is read and has no page holds all that is asked for.
type Entry struct {
	Key       string
	Read      bool
	Page, Row int // the row that is fetched, both from 1
}

func (d Pages) draw() *sheet {
	s := newSheet(d.Title, d.Assume, d.Alt)
	for _, l := range d.Lookups {
		l.draw(s)
	}
	s.height += 6
	return s
}

func (l Lookup) draw(s *sheet) {
	const high, between, rows, wideRow = 22.0, 32.0, 4, 24.0
	wide := 0.0
	for _, e := range l.Entries {
		wide = max(wide, textWidth(cell, e.Key)+14)
	}
	s.height += 18
	s.text(l.Role, name, "start", margin, s.height, l.Name)
	table := width - margin - rows*wideRow
	s.text("", tick, "start", margin, s.height+20, l.Index)
	s.text("", tick, "end", width-margin, s.height+20, l.Table)
	top := s.height + 28
	var read []area // drawn above the pale ones
	inner := max(float64(len(l.Entries))*high, float64(l.Pages)*between-between+high)
	page := func(i int) float64 { // the pages are spread along the entries
		return top + (float64(i)-0.5)*inner/float64(l.Pages)
	}
	for i, e := range l.Entries {
		y := top + inner/2 + high*(float64(i)-float64(len(l.Entries))/2)
		s.box("pale", margin, y, wide, high, 0)
		if e.Read {
			read = append(read, area{left: margin, top: y, right: margin + wide, bottom: y + high})
		}
		s.text("", cell, "start", margin+7, y+high/2+4.5, e.Key)
		if e.Page == 0 {
			continue
		}
		if e.Page < 0 || e.Page > l.Pages || e.Row < 1 || e.Row > rows {
			s.fail("entry %q leads to row %d of page %d, and there are %d pages of %d rows", e.Key, e.Row, e.Page, l.Pages, rows)
			return
		}
		x := table + float64(e.Row-1)*wideRow
		read = append(read, area{left: x, top: page(e.Page) - high/2 + 2, right: x + wideRow, bottom: page(e.Page) + high/2 - 2})
		s.arrow(l.Role, point{margin + wide, y + high/2}, point{table - 3, page(e.Page)})
	}
	for p := 1; p <= l.Pages; p++ {
		for r := 1; r <= rows; r++ {
			s.rect("slot pale", "", table+float64(r-1)*wideRow, page(p)-high/2+2, wideRow, high-4, 0)
		}
	}
	for _, r := range read {
		s.rect("slot", l.Role, r.left, r.top, r.right-r.left, r.bottom-r.top, 0)
	}
	lines := wrap(label, l.Words, width-2*margin)
	s.height = top + inner + 6 + pitch*float64(len(lines))
	s.block(l.Role, label, "start", margin, s.height-pitch*float64(len(lines))/2, lines)
	s.height += 4
}

// Waterfall is calls on an axis of time, one way of making them below the other.
type Waterfall struct {
	Title, Assume, Alt string
	X                  Axis
	Ways               []Way
}

// A Way is calls, each from a time to another.
type Way struct {
	Name  string
	Role  Role
	Calls [][2]float64
}

func (d Waterfall) draw() *sheet {
	s := newSheet(d.Title, d.Assume, d.Alt)
	top := s.height
	x := func(v float64) float64 { return margin + inside(d.X.Scale(v))*(width-2*margin-14) }
	var bars strings.Builder
	for _, w := range d.Ways {
		s.height += 20
		s.text(w.Role, name, "start", margin+4, s.height, w.Name)
		s.height += 8
		high := min(max(110/float64(len(w.Calls)), 0.7), 12)
		for _, c := range w.Calls {
			fmt.Fprintf(&bars, "<rect class=\"ink %s\" x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\"/>\n",
				w.Role, num(x(c[0])), num(s.height), num(max(x(c[1])-x(c[0]), 1)), num(max(high-1, 0.7)))
			s.height += high
		}
		s.height += 4
	}
	for _, t := range d.X.Ticks {
		s.grid(x(t.At), top, x(t.At), s.height)
		s.text("", tick, "middle", min(max(x(t.At), 4+textWidth(tick, t.Name)/2), width-4-textWidth(tick, t.Name)/2), s.height+18, t.Name)
	}
	s.shapes.WriteString(bars.String()) // above the grid
	s.text("", tick, "middle", width/2, s.height+40, d.X.Label)
	s.height += 50
	return s
}
