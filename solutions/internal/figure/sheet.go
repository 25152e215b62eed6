package figure

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// A Role gives what is drawn its colour. Without one it is Plain.
type Role string

// What goes wrong, what helps some of the way, what is right, what is neither,
// and the load that is offered, thin and dashed.
const (
	Wrong   Role = "wrong"
	Halfway Role = "halfway"
	Right   Role = "right"
	Plain   Role = "plain"
	Offered Role = "offered"
)

const (
	width  = 400 // of every picture, in units
	margin = 12
	pitch  = 15 // from one line of text to the next
)

const style = `<style>
text{font:13px system-ui,-apple-system,sans-serif;fill:#57606a}.title{font-size:15px;font-weight:600;fill:#1f2328}
.assumptions,.label,.cell{font-size:12px}.cell{fill:#1f2328}.paper{fill:#fff}.grid{stroke:#d8dee4}.span{fill:#eaeef2}
.name{font-weight:600}.name,.label{paint-order:stroke;stroke:#fff;stroke-width:4px;stroke-linejoin:round}
path,.box,.slot{fill:none;stroke:#57606a;stroke-width:2;stroke-linejoin:round}.curve{stroke-width:2.5}
.box{fill:#fff}.slot{fill:#57606a;fill-opacity:.2;stroke-width:1.5}.pale{fill:none;stroke:#b6bec7;stroke-width:1}.ink{fill:#57606a;stroke:none}
path.halfway,.box.halfway{stroke-dasharray:7 4}path.offered{stroke-width:1.5;stroke-dasharray:3 3}
text.plain{fill:#1f2328}
path.wrong,rect.wrong{stroke:#d55e00}.ink.wrong,.slot.wrong{fill:#d55e00}text.wrong{fill:#b04a00}
path.halfway,rect.halfway{stroke:#009e73}.ink.halfway,.slot.halfway{fill:#009e73}text.halfway{fill:#00704f}
path.right,rect.right{stroke:#0072b2}.ink.right,.slot.right{fill:#0072b2}text.right{fill:#0068a3}
.ink.ink{stroke:none}
@media(prefers-color-scheme:dark){
text{fill:#9198a1}.title,.cell,text.plain{fill:#f0f6fc}.paper,.box{fill:#0d1117}.grid{stroke:#30363d}.span{fill:#1f2630}
path,.box,.slot{stroke:#9198a1}.slot,.ink{fill:#9198a1}.pale{fill:none;stroke:#4a525c}.name,.label{stroke:#0d1117}
path.wrong,rect.wrong{stroke:#e69f00}.ink.wrong,.slot.wrong,text.wrong{fill:#e69f00}
path.halfway,rect.halfway{stroke:#2fc79a}.ink.halfway,.slot.halfway,text.halfway{fill:#2fc79a}
path.right,rect.right{stroke:#56b4e9}.ink.right,.slot.right,text.right{fill:#56b4e9}
}
</style>
`

// The kinds of text, as the style sheet names them.
const (
	title       = "title"
	assumptions = "assumptions"
	name        = "name"
	label       = "label"
	cell        = "cell" // a label on colour
	tick        = ""
)

// A sheet is a picture in the making. Texts lie above all shapes.
type sheet struct {
	alt           string
	height        float64
	shapes, words strings.Builder
	texts         []area
	boxes         []area
	wrong         []string // what the caller asked for and cannot have
}

// An area is what a text or a box takes up.
type area struct {
	words                    string
	left, top, right, bottom float64
}

// newSheet writes the heading. The height is then that of the heading.
func newSheet(heading, assume, alt string) *sheet {
	s := &sheet{alt: alt, height: 4}
	for _, line := range wrap(title, heading, width-2*margin) {
		s.height += 18
		s.text("", title, "start", margin, s.height, line)
	}
	if assume != "" {
		s.height += 2
		lines := fill(assumptions, assume, width-2*margin)
		if len(lines) > 2 {
			s.fail("the assumptions take %d lines, and two are room for them", len(lines))
		}
		for _, line := range lines {
			s.height += pitch
			s.text("", assumptions, "start", margin, s.height, line)
		}
	}
	s.height += 8
	return s
}

// fail notes what is wrong with what the caller wants drawn.
func (s *sheet) fail(format string, args ...any) {
	s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
}

// svg is the picture.
func (s *sheet) svg() string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %.0f" width="%d" height="%.0f" role="img" aria-label="%s">`+"\n",
		width, s.height, width*7/5, s.height*7/5, html.EscapeString(s.alt)) + style +
		fmt.Sprintf("<rect class=\"paper\" width=\"%d\" height=\"%.0f\"/>\n", width, s.height) +
		s.shapes.String() + s.words.String() + "</svg>\n"
}

// faults says what makes the picture hard to read.
func (s *sheet) faults() []string {
	faults := s.wrong
	if s.alt == "" {
		faults = append(faults, "it has no Alt, the figure in words")
	}
	for i, a := range s.texts {
		if a.left < 1 || a.right > width-1 || a.top < 1 || a.bottom > s.height-1 {
			faults = append(faults, fmt.Sprintf("%q leaves the paper", a.words))
		}
		for _, b := range s.texts[:i] {
			if a.meets(b) {
				faults = append(faults, fmt.Sprintf("%q and %q overlap", b.words, a.words))
			}
		}
		for _, b := range s.boxes {
			inside := a.left >= b.left && a.right <= b.right && a.top >= b.top && a.bottom <= b.bottom
			if a.meets(b) && !inside {
				faults = append(faults, fmt.Sprintf("%q runs over the edge of a box", a.words))
			}
		}
	}
	return faults
}

func (a area) meets(b area) bool {
	return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
}

// text writes a line, whose base is at y.
func (s *sheet) text(role Role, kind, anchor string, x, y float64, words string) {
	w, size := textWidth(kind, words), fontSize(kind)
	if role == "" && (kind == name || kind == label) {
		role = Plain
	}
	left := x
	switch anchor {
	case "middle":
		left -= w / 2
	case "end":
		left -= w
	}
	s.texts = append(s.texts, area{words, left, y - 0.74*size, left + w, y + 0.2*size})
	class := ""
	if c := strings.TrimSpace(kind + " " + string(role)); c != "" {
		class = fmt.Sprintf(" class=%q", c)
	}
	fmt.Fprintf(&s.words, "<text%s x=\"%s\" y=\"%s\" text-anchor=%q>%s</text>\n", class, num(x), num(y), anchor, html.EscapeString(words))
}

// block writes lines around a height.
func (s *sheet) block(role Role, kind, anchor string, x, middle float64, lines []string) {
	for i, line := range lines {
		s.text(role, kind, anchor, x, middle+4.5+pitch*(float64(i)-float64(len(lines)-1)/2), line)
	}
}

// box draws a rectangle whose edge no text may cross.
func (s *sheet) box(role Role, x, y, w, h, round float64) {
	s.boxes = append(s.boxes, area{"", x, y, x + w, y + h})
	s.rect("box", role, x, y, w, h, round)
}

func (s *sheet) rect(class string, role Role, x, y, w, h, round float64) {
	fmt.Fprintf(&s.shapes, "<rect class=%q x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\" rx=\"%s\"/>\n",
		strings.TrimSpace(class+" "+string(role)), num(x), num(y), num(w), num(h), num(round))
}

// grid draws a thin line.
func (s *sheet) grid(x1, y1, x2, y2 float64) {
	fmt.Fprintf(&s.shapes, "<line class=\"grid\" x1=\"%s\" y1=\"%s\" x2=\"%s\" y2=\"%s\"/>\n", num(x1), num(y1), num(x2), num(y2))
}

func (s *sheet) dot(role Role, x, y, radius float64) {
	fmt.Fprintf(&s.shapes, "<circle class=\"ink %s\" cx=\"%s\" cy=\"%s\" r=\"%s\"/>\n", role, num(x), num(y), num(radius))
}

// A point is a place on the paper.
type point struct{ x, y float64 }

// line joins points.
func (s *sheet) line(class string, role Role, points ...point) {
	var d strings.Builder
	for i, p := range points {
		fmt.Fprintf(&d, "%c%s %s", "ML"[min(i, 1)], num(p.x), num(p.y))
	}
	s.path(class, role, d.String())
}

func (s *sheet) path(class string, role Role, d string) {
	fmt.Fprintf(&s.shapes, "<path class=%q d=%q/>\n", strings.TrimSpace(class+" "+string(role)), d)
}

// arrow joins points, and has a head at the last.
func (s *sheet) arrow(role Role, points ...point) {
	last, before := points[len(points)-1], points[len(points)-2]
	short := math.Hypot(last.x-before.x, last.y-before.y)
	ux, uy := (last.x-before.x)/short, (last.y-before.y)/short
	s.line("", role, append(points[:len(points)-1:len(points)-1], point{last.x - 6*ux, last.y - 6*uy})...)
	s.head(role, last, ux, uy)
}

// head draws the head of an arrow that points along the unit vector.
func (s *sheet) head(role Role, at point, ux, uy float64) {
	fmt.Fprintf(&s.shapes, "<path class=\"ink %s\" d=\"M%s %sL%s %sL%s %sZ\"/>\n", role, num(at.x), num(at.y),
		num(at.x-9*ux-4.5*uy), num(at.y-9*uy+4.5*ux), num(at.x-9*ux+4.5*uy), num(at.y-9*uy-4.5*ux))
}

// num writes a length. What lies between two digits goes up on every machine,
// though the last bits of a sum differ from one to another.
func num(v float64) string {
	return strconv.FormatFloat(math.Floor(v*10+0.5+1e-6)/10, 'f', -1, 64)
}

func fontSize(kind string) float64 {
	switch kind {
	case title:
		return 15
	case assumptions, label, cell:
		return 12
	default:
		return 13
	}
}

// textWidth is how wide a text is in a wide font.
func textWidth(kind, words string) float64 {
	ems := 0.0
	for _, r := range words {
		switch {
		case strings.ContainsRune("ijlI.,:;'|! ", r):
			ems += 0.33
		case strings.ContainsRune("frt-()[]/\"", r):
			ems += 0.41
		case strings.ContainsRune("mwMW%@—→←×=+<>≤≥…", r):
			ems += 0.95
		case unicode.IsUpper(r):
			ems += 0.72
		default:
			ems += 0.62
		}
	}
	if kind == title || kind == name {
		ems *= 1.12
	}
	return ems * fontSize(kind)
}

// wrap breaks a text at its spaces into lines that are no wider than room, as
// far as its words let it, and about equally long. A line feed breaks it too.
func wrap(kind, words string, room float64) []string {
	var lines []string
	for part := range strings.SplitSeq(words, "\n") {
		few := fill(kind, part, room)
		for narrow := room; narrow > 0 && len(few) > 1; narrow -= 4 {
			narrower := fill(kind, part, narrow)
			if len(narrower) > len(few) {
				break
			}
			few = narrower
		}
		lines = append(lines, few...)
	}
	return lines
}

// fill breaks a text at its spaces only, as late as it can.
func fill(kind, words string, room float64) []string {
	var lines []string
	for word := range strings.FieldsSeq(words) {
		if last := len(lines) - 1; last >= 0 && textWidth(kind, lines[last]+" "+word) <= room {
			lines[last] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

// widest is the width of the widest line.
func widest(kind string, lines []string) float64 {
	w := 0.0
	for _, line := range lines {
		w = max(w, textWidth(kind, line))
	}
	return w
}
