package figure

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Chart is lines over two axes.
type Chart struct {
	Title  string // the finding
	Assume string // what it was found under, below the title
	Y      Axis   // its label stands above the axis
	X      Axis
	Alt    string // the figure in words, for those who cannot see it
	Lines  []Line
	Marks  []Mark
	Spans  []Span
}

// An Axis maps values to places.
type Axis struct {
	Label string // with the unit
	Scale Scale
	Ticks []Tick
}

// A Scale maps the values that are shown to 0 to 1.
type Scale func(v float64) float64

// A Tick is a value that the axis names.
type Tick struct {
	At   float64
	Name string
}

// A Line is one of the things compared.
type Line struct {
	Name   string // none for a second piece of a line
	Role   Role
	Points [][2]float64
	Label  Place
	Dots   bool // the points were measured one by one, and are to be seen
}

// A Mark is a dot with a name, for a value that the page speaks of. The name
// stands to its right, unless it has a place.
type Mark struct {
	X, Y  float64
	Name  string
	Role  Role
	Label Place
}

// A Place is where a name stands, in the values of the axes: the left
// end of the name, or the right end.
type Place struct {
	X, Y float64
	End  bool
}

// A Span is a part of the x axis with a name, such as that of a spike. The name
// stands at its upper right, within it where there is no room beside it.
type Span struct {
	Name     string
	From, To float64
}

// Linear is a scale on which equal steps are equally long.
func Linear(from, to float64) Scale {
	return func(v float64) float64 { return (v - from) / (to - from) }
}

// Log is a scale on which equal factors are equally long.
func Log(from, to float64) Scale {
	return func(v float64) float64 { return math.Log(v/from) / math.Log(to/from) }
}

// Nines is a scale for quantiles: 0.9, 0.99 and so on are equally far apart.
func Nines(count float64) Scale {
	return func(q float64) float64 { return -math.Log10(1-q) / count }
}

// Even returns a tick at every step from one value to another, each named by
// the format.
func Even(from, to, step float64, format string) []Tick {
	var ticks []Tick
	for i := range int(math.Round((to-from)/step)) + 1 {
		at := from + float64(i)*step
		ticks = append(ticks, Tick{at, fmt.Sprintf(format, at)})
	}
	return ticks
}

// Tens returns a tick at every power of ten from one to another, for a Log scale.
func Tens(from, to float64) []Tick {
	var ticks []Tick
	for at := from; at <= to; at *= 10 {
		name := strconv.FormatFloat(at, 'f', -1, 64)
		if thousands, ok := strings.CutSuffix(name, "000"); ok {
			name = thousands + "k"
		}
		ticks = append(ticks, Tick{at, name})
	}
	return ticks
}

// A plot is where the axes of a chart lie on its sheet.
type plot struct {
	*sheet
	x, y                     Scale
	left, top, right, bottom float64
}

func (c Chart) draw() *sheet {
	s := newSheet(c.Title, c.Assume, c.Alt)
	p := plot{sheet: s, x: c.X.Scale, y: c.Y.Scale, left: 40, top: s.height + 24, right: width - 14, bottom: s.height + 236}
	for _, t := range c.Y.Ticks {
		p.left = max(p.left, textWidth(tick, t.Name)+13)
	}
	s.text("", tick, "start", margin, s.height+12, c.Y.Label)
	s.height = p.bottom + 46
	s.text("", tick, "middle", (p.left+p.right)/2, s.height-10, c.X.Label)
	for _, span := range c.Spans {
		from, to := p.at(span.From, 0).x, p.at(span.To, 0).x
		s.rect("span", "", from, p.top, to-from, p.bottom-p.top, 0)
		if textWidth(tick, span.Name) < p.right-to {
			s.text("", tick, "start", to+4, p.top+13, span.Name)
		} else {
			s.text("", tick, "end", to-4, p.top+13, span.Name)
		}
	}
	p.ticks(c)
	for _, l := range c.Lines {
		p.curve(l)
	}
	for _, m := range c.Marks {
		at := p.at(m.X, m.Y)
		s.dot(m.Role, at.x, at.y, 4.5)
		if m.Label == (Place{}) {
			s.text(m.Role, name, "start", at.x+8, at.y+4.5, m.Name)
		} else {
			p.name(m.Role, m.Label, m.Name)
		}
	}
	return s
}

func (p plot) curve(l Line) {
	points := make([]point, len(l.Points))
	for i, v := range l.Points {
		points[i] = p.at(v[0], v[1])
		if l.Dots {
			p.dot(l.Role, points[i].x, points[i].y, 3)
		}
	}
	p.line("curve", l.Role, points...)
	if l.Name != "" {
		p.name(l.Role, l.Label, l.Name)
	}
}

func (p plot) name(role Role, at Place, words string) {
	anchor, place := "start", p.at(at.X, at.Y)
	if at.End {
		anchor = "end"
	}
	p.text(role, name, anchor, place.x, place.y, words)
}

func (p plot) ticks(c Chart) {
	for _, t := range c.X.Ticks {
		x := p.at(t.At, 0).x
		p.grid(x, p.top, x, p.bottom)
		p.text("", tick, "middle", min(x, width-4-textWidth(tick, t.Name)/2), p.bottom+18, t.Name)
	}
	for _, t := range c.Y.Ticks {
		y := p.at(0, t.At).y
		p.grid(p.left, y, p.right, y)
		p.text("", tick, "end", p.left-7, y+4.5, t.Name)
	}
}

// at maps values to the paper. What lies outside the axes is drawn at their edge.
func (p plot) at(x, y float64) point {
	return point{p.left + inside(p.x(x))*(p.right-p.left), p.bottom - inside(p.y(y))*(p.bottom-p.top)}
}

func inside(v float64) float64 { return min(max(v, 0), 1) }
