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
		Title: "Wages & work", Alt: `both "rise"`,
		X:     Axis{"years", Linear(0, 10), Even(0, 10, 5, "%g")},
		Y:     Axis{"share", Linear(0, 1), Even(0, 1, 0.5, "%.1f")},
		Lines: []Line{{"a < b", Right, [][2]float64{{0, 0}, {10, 1}}, Place{10, 0.5, true}}},
		Spans: []Span{{"boom", 2, 4}},
	}
}

var rows = [][]string{{"year", "share"}, {"0", "0.0"}, {"10", "1.0"}}

func TestCurrent(t *testing.T) {
	dir := t.TempDir()
	expect := func(what, want string, rows [][]string) {
		t.Helper()
		err := current(dir, "wages", rows, chart(), false)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", what, err, want)
		}
	}
	expect("nothing there", "the numbers of a figure are missing (make figures writes them)", rows)
	if err := current(dir, "wages", rows, chart(), true); err != nil {
		t.Fatal(err)
	}
	expect("as written", "", rows)
	expect("another number", `docs/figures/wages.csv is not current (make figures writes it): line 3 is "10,1.0", and the simulation gives "10,0.9"`,
		[][]string{rows[0], rows[1], {"10", "0.9"}})
	expect("a row more", `line 4 is "", and the simulation gives "20,1.0"`, append(rows[:3:3], []string{"20", "1.0"}))

	picture := filepath.Join(dir, "wages.svg")
	drawn, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	rewrite := func(old, text string) {
		if err := os.WriteFile(picture, []byte(strings.Replace(string(drawn), old, text, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	rewrite("sha256 ", "sha256 0")
	expect("an old picture", "docs/figures/wages.svg was drawn from other numbers than wages.csv holds", rows)
	rewrite("Wages", "Wage")
	expect("another drawing of the same numbers", "", rows)
	if err := os.Remove(picture); err != nil {
		t.Fatal(err)
	}
	expect("no picture", "a figure is missing (make figures draws it)", rows)
}

func TestSVGIsWellFormed(t *testing.T) {
	svg := chart().svg("<!-- note -->")
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
	for _, want := range []string{"Wages & work", "a < b", "years", "share", "boom", "0.5"} {
		if !strings.Contains(all, want) {
			t.Errorf("the picture does not say %q: %s", want, all)
		}
	}
	if want := "M54.0 270.0L386.0 58.0"; !strings.Contains(svg, want) {
		t.Errorf("the line does not run from corner to corner, %s:\n%s", want, svg)
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
