package figure

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// A Chart is lines over two axes.
type Chart struct {
	Title string // what the reader is to see
	Y     Axis   // its label stands below the title
	X     Axis
	Alt   string // the figure in words, for those who cannot see it
	Lines []Line
	Spans []Span
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
	Name   string
	Role   Role
	Points [][2]float64
	Label  Place
}

// A Place is where a line's name stands, in the values of the axes: the left
// end of the name, or the right end.
type Place struct {
	X, Y float64
	End  bool
}

// A Span is a part of the x axis with a name, such as that of a spike. The name
// stands at its upper right.
type Span struct {
	Name     string
	From, To float64
}

// A Role gives a line its colour.
type Role string

// What goes wrong, what helps some of the way, and what is right.
const (
	Wrong   Role = "wrong"
	Halfway Role = "halfway"
	Right   Role = "right"
)

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

const (
	width, height            = 400, 320
	left, right, top, bottom = 54, 14, 58, 50
)

const style = `<style>
text{font:13px system-ui,-apple-system,sans-serif;fill:#57606a}.title{font-size:15px;font-weight:600;fill:#1f2328}
.paper{fill:#fff}.grid{stroke:#d8dee4}.span{fill:#eaeef2}
path{fill:none;stroke-width:2.5;stroke-linejoin:round}
.name{font-weight:600;paint-order:stroke;stroke:#fff;stroke-width:4px;stroke-linejoin:round}
.wrong path{stroke:#d55e00}.wrong text{fill:#b04a00}
.halfway path{stroke:#009e73;stroke-dasharray:7 4}.halfway text{fill:#00704f}
.right path{stroke:#0072b2}.right text{fill:#0068a3}
@media(prefers-color-scheme:dark){text{fill:#9198a1}.title{fill:#f0f6fc}.paper{fill:#0d1117}.grid{stroke:#30363d}.span{fill:#1f2630}
.name{stroke:#0d1117}.wrong path{stroke:#e69f00}.wrong text{fill:#e69f00}.halfway path{stroke:#2fc79a}.halfway text{fill:#2fc79a}
.right path{stroke:#56b4e9}.right text{fill:#56b4e9}}
</style>
`

// svg draws the chart. The note is a comment in the file.
func (c Chart) svg(note string) string {
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n",
		width, height, width*7/5, height*7/5, html.EscapeString(c.Alt))
	out.WriteString(note + "\n" + style)
	fmt.Fprintf(&out, "<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n", width, height)
	for _, s := range c.Spans {
		from, to := c.x(s.From), c.x(s.To)
		fmt.Fprintf(&out, "<rect class=\"span\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n", from, top, to-from, height-top-bottom)
		text(&out, "", "start", to+4, top+13, s.Name)
	}
	text(&out, "title", "start", 12, 22, c.Title)
	text(&out, "", "start", 12, 43, c.Y.Label)
	text(&out, "", "middle", (left+width-right)/2, height-10, c.X.Label)
	c.ticks(&out)
	for _, l := range c.Lines {
		fmt.Fprintf(&out, "<g class=\"%s\"><path d=\"", l.Role)
		for i, p := range l.Points {
			fmt.Fprintf(&out, "%c%.1f %.1f", "ML"[min(i, 1)], c.x(p[0]), c.y(p[1]))
		}
		out.WriteString("\"/></g>\n")
	}
	for _, l := range c.Lines { // names above all lines
		anchor := "start"
		if l.Label.End {
			anchor = "end"
		}
		fmt.Fprintf(&out, "<g class=\"%s\">", l.Role)
		text(&out, "name", anchor, c.x(l.Label.X), c.y(l.Label.Y), l.Name)
		out.WriteString("</g>\n")
	}
	return out.String() + "</svg>\n"
}

func (c Chart) ticks(out *strings.Builder) {
	for _, tick := range c.X.Ticks {
		x := c.x(tick.At)
		fmt.Fprintf(out, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>\n", x, x, top, height-bottom)
		anchor := "middle"
		if x > width-right-15 { // the name would not fit
			anchor, x = "end", width-right+10
		}
		text(out, "", anchor, x, height-bottom+18, tick.Name)
	}
	for _, tick := range c.Y.Ticks {
		y := c.y(tick.At)
		fmt.Fprintf(out, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>\n", left, width-right, y, y)
		text(out, "", "end", left-7, y+4.5, tick.Name)
	}
}

func text(out *strings.Builder, class, anchor string, x, y float64, s string) {
	if class != "" {
		class = fmt.Sprintf(" class=%q", class)
	}
	fmt.Fprintf(out, "<text%s x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>", class, x, y, anchor, html.EscapeString(s))
	if class != " class=\"name\"" {
		out.WriteString("\n")
	}
}

// x and y map values to the paper. What lies outside the axes is drawn at
// their edge.
func (c Chart) x(v float64) float64 {
	return left + inside(c.X.Scale(v))*(width-left-right)
}

func (c Chart) y(v float64) float64 {
	return height - bottom - inside(c.Y.Scale(v))*(height-top-bottom)
}

func inside(v float64) float64 { return min(max(v, 0), 1) }
