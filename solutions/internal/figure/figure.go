// Package figure draws the figures of the answer pages and keeps them current.
// A figure is a test tagged solutions whose name starts with TestFigure. Where
// there are numbers, it runs a simulation and hands rows and a [Chart] to
// [Current]; where there are none, it hands a diagram to [Drawn]:
//
//   - [Lanes]: who sends what to whom, and who holds what meanwhile
//   - [States]: the life of one thing
//   - [Boxes]: services and the calls between them
//   - [Queues]: jobs that wait in front of workers
//   - [Pages]: entries of an index, and the rows that they lead to
//   - [Waterfall]: calls on an axis of time
//
// The drawing is plain SVG, 400 units wide, that can be read at the width of a
// phone. The title is the finding, and the assumptions stand below it. Names
// stand beside what they name, in place of a legend. Colours go by [Role], the
// same in every figure. They follow Okabe and Ito (Color Universal Design,
// 2008), so that readers without full colour vision tell them apart; what helps
// halfway is dashed too. A reader's dark mode turns the picture dark.
//
// Places are computed from the texts, whose widths are those of a wide font
// (DejaVu Sans). A text that leaves the paper, overlaps another or runs over the
// edge of a box is an error: say it shorter, or place it elsewhere.
package figure

import (
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/figures")

// A Drawing is a [Chart] or one of the diagrams.
type Drawing interface {
	draw() *sheet
}

// Current checks that docs/figures/<name>.csv holds these rows, the first of
// them a header, and that <name>.svg is what is drawn. With -update it writes
// both. It is called from a package two folders below the root.
func Current(t testing.TB, name string, rows [][]string, d Drawing) {
	t.Helper()
	var table strings.Builder
	err := csv.NewWriter(&table).WriteAll(rows)
	if err == nil {
		err = keep(folder(name+".csv"), table.String(), *update)
	}
	if err != nil {
		t.Error(err)
	}
	Drawn(t, name, d)
}

// Drawn checks that docs/figures/<name>.svg is what is drawn. With -update it
// writes the file, even if a text is in the way of another, so that you can see it.
func Drawn(t testing.TB, name string, d Drawing) {
	t.Helper()
	if err := drawn(folder(name+".svg"), d, *update); err != nil {
		t.Error(err)
	}
}

func folder(name string) string {
	return filepath.Join("..", "..", "docs", "figures", name)
}

func drawn(path string, d Drawing, write bool) error {
	s := d.draw()
	if err := keep(path, s.svg(), write); err != nil {
		return err
	}
	if faults := s.faults(); len(faults) > 0 {
		return fmt.Errorf("%s cannot stay as it is drawn: %s", filepath.Base(path), strings.Join(faults, "; "))
	}
	return nil
}

// keep checks that a file holds the text, or writes it.
func keep(path, want string, write bool) error {
	if write {
		return os.WriteFile(path, []byte(want), 0o644)
	}
	have, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("a part of a figure is missing (make figures writes it): %w", err)
	}
	if line, have, want := difference(string(have), want); line > 0 {
		return fmt.Errorf("%s is not current (make figures writes it): line %d is %q, and now it would be %q", filepath.Base(path), line, have, want)
	}
	return nil
}

// difference finds the first line in which two texts differ, or 0.
func difference(a, b string) (line int, inA, inB string) {
	as, bs := strings.Split(strings.ReplaceAll(a, "\r\n", "\n"), "\n"), strings.Split(b, "\n")
	for i := range max(len(as), len(bs)) {
		inA, inB = "", ""
		if i < len(as) {
			inA = as[i]
		}
		if i < len(bs) {
			inB = bs[i]
		}
		if inA != inB || i >= len(as) || i >= len(bs) {
			return i + 1, inA, inB
		}
	}
	return 0, "", ""
}
