// Package figure draws the figures of the answer pages and keeps their numbers
// current. A figure is a test tagged solutions whose name starts with
// TestFigure: it runs a simulation, and hands rows and a chart to [Current].
//
// The drawing is plain SVG for lines over two axes, which is all that the pages
// need: a picture of 400 by 320 units that can be read at the width of a phone,
// names beside the lines in place of a legend, and colours by role, the same in
// every figure. They follow Okabe and Ito (Color Universal Design, 2008), so that readers
// without full colour vision tell them apart; dashes differ too. A reader's dark mode
// turns the picture dark.
package figure

import (
	"crypto/sha256"
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/figures")

// Current checks that docs/figures/<name>.csv holds these rows, the first of
// them a header, and that <name>.svg was drawn from them. With -update it
// writes both. It is called from a package two folders below the root.
func Current(t testing.TB, name string, rows [][]string, c Chart) {
	t.Helper()
	if err := current(filepath.Join("..", "..", "docs", "figures"), name, rows, c, *update); err != nil {
		t.Error(err)
	}
}

func current(dir, name string, rows [][]string, c Chart, write bool) error {
	var table strings.Builder
	if err := csv.NewWriter(&table).WriteAll(rows); err != nil {
		return err
	}
	sum := fmt.Sprintf("<!-- drawn from %s.csv, sha256 %x -->", name, sha256.Sum256([]byte(table.String())))
	numbers, picture := filepath.Join(dir, name+".csv"), filepath.Join(dir, name+".svg")
	if write {
		if err := os.WriteFile(numbers, []byte(table.String()), 0o644); err != nil {
			return err
		}
		return os.WriteFile(picture, []byte(c.svg(sum)), 0o644)
	}
	got, err := os.ReadFile(numbers)
	if err != nil {
		return fmt.Errorf("the numbers of a figure are missing (make figures writes them): %w", err)
	}
	if line, have, want := difference(string(got), table.String()); line > 0 {
		return fmt.Errorf("docs/figures/%s.csv is not current (make figures writes it): line %d is %q, and the simulation gives %q", name, line, have, want)
	}
	drawn, err := os.ReadFile(picture)
	if err != nil {
		return fmt.Errorf("a figure is missing (make figures draws it): %w", err)
	}
	if !strings.Contains(string(drawn), sum) {
		return fmt.Errorf("docs/figures/%s.svg was drawn from other numbers than %s.csv holds: make figures draws it again", name, name)
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
