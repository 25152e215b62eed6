//go:build solutions

package pagination_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/backend-kata/dojo/solutions/internal/figure"
)

// The figure of docs/pagination.md comes from here. With -v the test prints the numbers; make figures draws. Work is in steps of SQLite's virtual machine.

const (
	perPage = 2
	deepest = 10_000
)

// What a page of two items costs, by its number, with OFFSET and with a cursor.
func TestFigureDepth(t *testing.T) {
	s := open(t, perPage*deepest)
	rows := [][]string{{"page", "offset_steps", "keyset_steps"}}
	var offset, keyset [][2]float64
	at, target := 1, fmt.Sprintf("/items?limit=%d", perPage) // the page that the target leads to
	for _, n := range []int{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000} {
		skipped := s.work(func() {
			s.query("SELECT id, name, category, price, created FROM items WHERE removed IS NULL ORDER BY created DESC, id DESC LIMIT ? OFFSET ?", perPage+1, perPage*(n-1))
		})
		if n > at {
			_, target = s.get(withLimit(target, perPage*(n-at)))
			at, target = n, withLimit(target, perPage)
		}
		found := s.work(func() { s.get(target) })
		rows = append(rows, []string{fmt.Sprint(n), fmt.Sprint(skipped), fmt.Sprint(found)})
		offset = append(offset, [2]float64{float64(n), float64(skipped)})
		keyset = append(keyset, [2]float64{float64(n), float64(found)})
		t.Logf("page %5d: offset %6d, keyset %6d", n, skipped, found)
	}
	figure.Current(t, "pagination-depth", rows, figure.Chart{
		Title:  "OFFSET pays for every page that it skips",
		Assume: "20,000 items, two a page. Each keyset request also looks for a previous and a next page.",
		Alt: "Work by page number, both on logarithmic axes. With OFFSET it grows with the page number, to 100,000 instructions at page 10,000; " +
			"with a cursor it stays near 100.",
		X: figure.Axis{Label: "page number", Scale: figure.Log(1, deepest), Ticks: figure.Tens(1, deepest)},
		Y: figure.Axis{Label: "instructions of SQLite's virtual machine", Scale: figure.Log(10, 200_000), Ticks: figure.Tens(10, 100_000)},
		Lines: []figure.Line{
			{Name: "OFFSET", Role: figure.Wrong, Points: offset, Dots: true, Label: figure.Place{X: 800, Y: 14_000, End: true}},
			{Name: "keyset", Role: figure.Right, Points: keyset, Dots: true, Label: figure.Place{X: 100, Y: 55, End: true}},
		},
		Marks: []figure.Mark{
			{X: deepest, Y: offset[len(offset)-1][1], Name: fmt.Sprintf("%.0f,000", offset[len(offset)-1][1]/1000), Role: figure.Wrong, Label: figure.Place{X: 5500, Y: 110_000, End: true}},
			{X: deepest, Y: keyset[len(keyset)-1][1], Name: fmt.Sprintf("%.0f: no next page", keyset[len(keyset)-1][1]), Role: figure.Right, Label: figure.Place{X: deepest, Y: 36, End: true}},
		},
	})
}

// withLimit is the target with another limit.
func withLimit(target string, limit int) string {
	return anyLimit.ReplaceAllString(target, fmt.Sprintf("limit=%d", limit))
}

var anyLimit = regexp.MustCompile(`limit=\d+`)
