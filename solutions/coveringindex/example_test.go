//go:build solutions

package coveringindex_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
)

// The example of docs/coveringindex.md: one query, and an index without and with the column that it only shows.

// example: finds
const finds = `
    CREATE INDEX history ON orders (customer_id, created, id)`

func latest(db *sql.DB, customer int64) (*sql.Rows, error) {
	return db.Query(`
        SELECT id, created, total -- total is not in the index
        FROM orders WHERE customer_id = ?
        ORDER BY created DESC, id DESC LIMIT 20`, customer)
}

// end

// example: covers
const covers = `
    CREATE INDEX history ON orders (customer_id, created, id, total)`

// end

// planned makes an index, and returns SQLite's plan for the query and the pages that the query takes.
func planned(t *testing.T, index string) (plan string, pages int64) {
	t.Helper()
	s := open(t)
	s.exec(t, index)
	s.exec(t, "ANALYZE")
	before := s.pages(t)
	rec := s.probe.Record(func() { drain(t, func() (*sql.Rows, error) { return latest(s.db, 7) }) })
	pages = s.pages(t) - before
	query := rec.Statements[0].Query
	var id, parent, unused int
	if err := s.db.QueryRow("EXPLAIN QUERY PLAN "+query, 7).Scan(&id, &parent, &unused, &plan); err != nil {
		t.Fatal(err)
	}
	return plan, pages
}

// TestExample runs the query with each index.
func TestExample(t *testing.T) {
	var out strings.Builder
	for _, way := range []struct {
		index string
		want  string // how the plan says that the index is used
		pages int64
	}{
		{finds, "USING INDEX history", 24},
		{covers, "USING COVERING INDEX history", 4},
	} {
		plan, pages := planned(t, way.index)
		_, columns, _ := strings.Cut(way.index, "ON orders ")
		fmt.Fprintf(&out, "%-36s%3d pages\n  %s\n", columns, pages, plan)
		if !strings.Contains(plan, way.want) || pages != way.pages {
			t.Errorf("%s: the plan is %q and takes %d pages, want %q and %d", columns, plan, pages, way.want, way.pages)
		}
	}
	t.Log("\n" + out.String())
}

// TestPlan logs the covering index and its plan, for whoever reads no further.
func TestPlan(t *testing.T) {
	plan, _ := planned(t, covers)
	t.Logf("\n%s;\n%s\n%s", strings.TrimSpace(covers), `EXPLAIN QUERY PLAN
SELECT id, created, total FROM orders WHERE customer_id = 7
ORDER BY created DESC, id DESC LIMIT 20;`, "-- "+plan)
}

// TestNumber logs the number worth remembering.
func TestNumber(t *testing.T) {
	_, without := planned(t, finds)
	_, with := planned(t, covers)
	t.Logf("%d page reads with an index that finds them in order, %d with one that covers", without, with)
}
