//go:build solutions

package coveringindex_test

import (
	"testing"

	"github.com/backend-kata/dojo/solutions/internal/figure"
)

// TestFigurePages draws what is read of an index and of its table. The third
// lookup is PostgreSQL's, which reads a page that may hold rows not yet visible.
func TestFigurePages(t *testing.T) {
	const index, table = "leaf entries of the index", "pages of the table"
	figure.Drawn(t, "coveringindex-pages", figure.Pages{
		Title:  "A covering index skips the table",
		Assume: "SELECT created, total FROM orders WHERE customer_id = 7; a page of the table holds four rows.",
		Alt: "Leaf entries of an index and pages of the table. Without total in the index, each of three entries leads to another page of the table. " +
			"With total in it, none does. In PostgreSQL, one entry leads to a page that has changed since VACUUM.",
		Lookups: []figure.Lookup{
			{
				Name: "(customer_id, created)", Role: figure.Wrong, Index: index, Table: table, Pages: 4,
				Entries: []figure.Entry{
					{Key: "6 · May 9"},
					{Key: "7 · May 2", Read: true, Page: 3, Row: 1},
					{Key: "7 · May 5", Read: true, Page: 1, Row: 4},
					{Key: "7 · May 8", Read: true, Page: 4, Row: 2},
					{Key: "8 · May 1"},
				},
				Words: "USING INDEX: 3 pages of the table for 3 rows",
			},
			{
				Name: "(customer_id, created, total)", Role: figure.Right, Index: index, Table: table, Pages: 4,
				Entries: []figure.Entry{
					{Key: "6 · May 9 · 12.00"},
					{Key: "7 · May 2 · 80.00", Read: true},
					{Key: "7 · May 5 · 15.50", Read: true},
					{Key: "7 · May 8 · 9.99", Read: true},
					{Key: "8 · May 1 · 3.20"},
				},
				Words: "USING COVERING INDEX: no page of the table",
			},
			{
				Name: "PostgreSQL, one page changed since VACUUM", Role: figure.Halfway, Index: index, Table: table, Pages: 4,
				Entries: []figure.Entry{
					{Key: "6 · May 9 · 12.00"},
					{Key: "7 · May 2 · 80.00", Read: true},
					{Key: "7 · May 5 · 15.50", Read: true, Page: 1, Row: 4},
					{Key: "7 · May 8 · 9.99", Read: true},
					{Key: "8 · May 1 · 3.20"},
				},
				Words: "Index Only Scan, Heap Fetches: 1",
			},
		},
	})
}
