package figure

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func chart() Chart {
	return Chart{
		Title: "Wages & work", Assume: "in one country", Alt: `both "rise"`,
		X:     Axis{"years", Linear(0, 10), Even(0, 10, 5, "%g")},
		Y:     Axis{"share", Linear(0, 1), Even(0, 1, 0.5, "%.1f")},
		Lines: []Line{{Name: "a < b", Role: Right, Points: [][2]float64{{0, 0}, {10, 1}}, Label: Place{10, 0.5, true}}},
		Marks: []Mark{{X: 2, Y: 0.2, Name: "0.2 in year 2"}},
		Spans: []Span{{"boom", 2, 4}},
	}
}

func TestDrawn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wages.svg")
	expect := func(what, want string) {
		t.Helper()
		err := drawn(path, chart(), false)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", what, err, want)
		}
	}
	expect("nothing there", "a part of a figure is missing (make figures writes it)")
	if err := drawn(path, chart(), true); err != nil {
		t.Fatal(err)
	}
	expect("as written", "")
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rewrite := func(old, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(have), old, text)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	rewrite("\n", "\r\n")
	expect("as Git writes it on Windows", "")
	rewrite("Wages", "Wage")
	expect("another drawing", `wages.svg is not current (make figures writes it): line`)
	rewrite("</svg>\n", "</svg>\n\n")
	expect("a line more", `is "", and now it would be ""`)
}

// A table is kept as a picture is.
func TestKeep(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wages.csv")
	if err := keep(path, "year,share\n0,0.0\n10,1.0\n", true); err != nil {
		t.Fatal(err)
	}
	want := `wages.csv is not current (make figures writes it): line 3 is "10,1.0", and now it would be "10,0.9"`
	if err := keep(path, "year,share\n0,0.0\n10,0.9\n", false); err == nil || err.Error() != want {
		t.Errorf("another number: got %v, want %q", err, want)
	}
}

func TestSVGIsWellFormed(t *testing.T) {
	svg := chart().draw().svg()
	d := xml.NewDecoder(strings.NewReader(svg))
	var words []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		if text, ok := token.(xml.CharData); ok && strings.TrimSpace(string(text)) != "" {
			words = append(words, string(text))
		}
	}
	all := strings.Join(words, "|")
	for _, want := range []string{"Wages & work", "in one country", "a < b", "years", "share", "boom", "0.5", "0.2 in year 2"} {
		if !strings.Contains(all, want) {
			t.Errorf("the picture does not say %q: %s", want, all)
		}
	}
	if want := "M40 283L386 71"; !strings.Contains(svg, want) {
		t.Errorf("the line does not run from corner to corner, %s:\n%s", want, svg)
	}
	for _, want := range []string{`role="img" aria-label="both &#34;rise&#34;"`, `<text class="assumptions"`} {
		if !strings.Contains(svg, want) {
			t.Errorf("there is no %s in\n%s", want, svg)
		}
	}
}

// What cannot be drawn so that it can be read is an error that names the text.
func TestFaults(t *testing.T) {
	changed := func(change func(c *Chart)) Chart {
		c := chart()
		change(&c)
		return c
	}
	pair := []string{"client", "server"}
	box := [][]Box{{{Name: "client"}, {Name: "server"}}}
	for _, tt := range []struct {
		what string
		d    Drawing
		want string
	}{
		{"a name beyond the paper", changed(func(c *Chart) { c.Marks[0].X = 9.9 }), `"0.2 in year 2" leaves the paper`},
		{"a name in the heading's place", changed(func(c *Chart) { c.Y.Label = strings.Repeat("share ", 12) }), `leaves the paper`},
		{"a name on another", changed(func(c *Chart) { c.Marks[0].Label = Place{9.8, 0.5, true} }), `"a < b" and "0.2 in year 2" overlap`},
		{
			"three lines of assumptions", changed(func(c *Chart) { c.Assume = strings.Repeat("assumed ", 20) }),
			"the assumptions take 4 lines, and two are room for them",
		},
		{"no words for those who cannot see", changed(func(c *Chart) { c.Alt = "" }), "it has no Alt"},
		{"a lane alone", Lanes{Alt: "a", Parties: pair[:1]}, "there are 1 parties, and two to four can be drawn"},
		{"a party unknown", Lanes{Alt: "a", Parties: pair, Steps: []Step{{From: "client", To: "sever"}}}, `step 1 is from "client" to "sever"`},
		{"an arrow to itself", Lanes{Alt: "a", Parties: pair, Steps: []Step{{From: "client", To: "client"}}}, "a note has no To"},
		{
			"a word too long for a lane",
			Lanes{Alt: "a", Parties: pair, Steps: []Step{{From: "client", Words: strings.Repeat("x", 40)}}},
			`"` + strings.Repeat("x", 40) + `" leaves the paper`,
		},
		{"a note without an end", Lanes{Alt: "a", Parties: pair, Steps: []Step{{From: "client", Words: "waits", Over: 2}}}, "holds for more steps than there are"},
		{"a box unknown", Boxes{Alt: "a", Rows: box, Arrows: []Arrow{{From: "client", To: "sever"}}}, `an arrow is from "client" to "sever"`},
		{"a box twice", Boxes{Alt: "a", Rows: [][]Box{box[0][:1], box[0]}}, `two boxes are called "client"`},
		{
			"a long word between near boxes",
			Boxes{Alt: "a", Rows: [][]Box{{{Name: strings.Repeat("c", 16)}, {Name: strings.Repeat("s", 16)}}}, Arrows: []Arrow{
				{From: strings.Repeat("c", 16), To: strings.Repeat("s", 16), Words: "authentication"},
			}},
			`"authentication" runs over the edge of a box`,
		},
		{"too many jobs", Queues{Alt: "a", Queues: []Queue{{Waiting: 5, Bound: 4}}}, "5 jobs in a queue with room for 4 cannot be drawn"},
		{
			"a page unknown",
			Pages{Alt: "a", Lookups: []Lookup{{Pages: 2, Entries: []Entry{{Key: "7", Page: 3, Row: 1}}}}},
			`entry "7" leads to row 1 of page 3, and there are 2 pages of 4 rows`,
		},
	} {
		path := filepath.Join(t.TempDir(), "wages.svg")
		err := drawn(path, tt.d, true)
		if err == nil || !strings.HasPrefix(err.Error(), "wages.svg cannot stay as it is drawn: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.what, err, tt.want)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s: the picture is not there to be looked at: %v", tt.what, err)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, tt := range []struct {
		words string
		room  float64
		want  string
	}{
		{"", 100, ""},
		{"one word", 100, "one word"},
		{"the last one waits 0.6 s", 130, "the last one|waits 0.6 s"},
		{"incomprehensibilities are", 50, "incomprehensibilities|are"},
		{"two workers\n10 jobs/s", 300, "two workers|10 jobs/s"},
	} {
		if got := strings.Join(wrap(label, tt.words, tt.room), "|"); got != tt.want {
			t.Errorf("%q in %v units: got %q, want %q", tt.words, tt.room, got, tt.want)
		}
	}
}

// A length is written the same on machines whose arithmetic differs in its last bits.
func TestNum(t *testing.T) {
	for _, v := range []float64{220.25, 220.25 - 1e-12, 220.25 + 1e-12} {
		if got := num(v); got != "220.3" {
			t.Errorf("%v is written %s, want 220.3", v, got)
		}
	}
}

func TestScales(t *testing.T) {
	for _, tt := range []struct {
		name    string
		scale   Scale
		v, want float64
	}{
		{"linear", Linear(10, 30), 20, 0.5},
		{"log", Log(1, 100), 10, 0.5},
		{"nines", Nines(4), 0.99, 0.5},
	} {
		if got := tt.scale(tt.v); got < tt.want-1e-9 || got > tt.want+1e-9 {
			t.Errorf("%s of %v is %v, want %v", tt.name, tt.v, got, tt.want)
		}
	}
}

func TestTens(t *testing.T) {
	var names []string
	for _, tick := range Tens(1, 10_000_000) {
		names = append(names, tick.Name)
	}
	if got, want := strings.Join(names, " "), "1 10 100 1k 10k 100k 1000k 10000k"; got != want {
		t.Errorf("the ticks are %s, want %s", got, want)
	}
}
