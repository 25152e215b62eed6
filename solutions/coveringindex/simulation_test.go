//go:build solutions

package coveringindex_test

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ncruces/go-sqlite3"
	sqlite3driver "github.com/ncruces/go-sqlite3/driver"

	"github.com/backend-kata/dojo/pkg/sqlprobe"
	"github.com/backend-kata/dojo/pkg/sqlprobe/sqlite"
	"github.com/backend-kata/dojo/solutions/coveringindex"
	"github.com/backend-kata/dojo/solutions/internal/numbers"
)

// TestTheHistory logs what a customer's latest 20 orders of 100 take, in a table of 20,000.
func TestTheHistory(t *testing.T) {
	const history = "SELECT id, created, total FROM orders WHERE customer_id = ? ORDER BY created DESC, id DESC LIMIT 20"
	rows := [][]string{{"index", "pages", "steps", "what happens"}}
	for _, test := range []struct {
		index, why string
		want       outcome
	}{
		{"", "scans and sorts all", outcome{6105, 955, false, true}},
		{"created, id", "reads others' orders, too", outcome{1609, 4004, false, false}},
		{"customer_id", "fetches 100 rows, sorts", outcome{135, 104, false, true}},
		{"customer_id, created, id", "fetches 20 rows", outcome{17, 24, false, false}},
		{"customer_id, created, total", "covers, sorts ties", outcome{50, 3, true, true}},
		{"customer_id, created, id, total", "covers", outcome{15, 4, true, false}},
	} {
		s := open(t, test.index)
		got := s.ask(t, history, 7)
		if got != test.want {
			t.Errorf("an index on (%s): got %+v, want %+v", test.index, got, test.want)
		}
		rows = append(rows, []string{columns(test.index), numbers.Thousands(got.pages), numbers.Thousands(10 * got.work), test.why})
	}
	t.Log("\n" + numbers.Table(rows))
}

// TestTheColumnOrder logs what 100 orders take that are open and of the period: one order in a hundred is open, and half
// of all orders are of the period.
func TestTheColumnOrder(t *testing.T) {
	const period = "SELECT id, created FROM orders WHERE status = ? AND created >= ?"
	var steps []string
	for _, test := range []struct {
		index string
		want  int64
	}{
		{"created, status", 3031},
		{"status", 131},
		{"status, created", 51},
	} {
		s := open(t, test.index)
		got := s.ask(t, period, "open", 5000).work
		if got != test.want {
			t.Errorf("an index on (%s): got %d, want %d", test.index, got, test.want)
		}
		steps = append(steps, numbers.Thousands(10*got))
	}
	t.Logf("%s steps with the range first, %s with the range last", steps[0], steps[2])
}

// TestTheRewrite logs what the latest 20 orders take that a customer pays for or gets as a gift. The reseller has 4,000, a
// customer 100.
func TestTheRewrite(t *testing.T) {
	const or = "SELECT id, created, total FROM orders WHERE customer_id = ?1 OR recipient_id = ?1 ORDER BY created DESC, id DESC LIMIT 20"
	s := open(t, "customer_id, created, id, total", "recipient_id, created, id, total")
	var reseller []string
	for _, test := range []struct {
		what, query string
		want        [2]int64
	}{
		{"OR", or, [2]int64{6806, 176}},
		{"two halves", coveringindex.Rewrite(), [2]int64{36, 36}},
	} {
		got := [2]int64{s.ask(t, test.query, 1).work, s.ask(t, test.query, 7).work}
		if got != test.want {
			t.Errorf("%s: got %v, want %v", test.what, got, test.want)
		}
		reseller = append(reseller, numbers.Thousands(10*got[0]))
	}
	t.Logf("%s steps with OR, %s with UNION", reseller[0], reseller[1])
}

// TestTheWrites logs the entries that are written when 100 orders come in, when they are paid, and when 100 get a note.
func TestTheWrites(t *testing.T) {
	rows := [][]string{{"entries written", "100 new", "100 paid", "100 notes"}}
	for _, test := range []struct {
		columns, where string
		want           [3]int
	}{
		{"customer_id, created, id, total", "", [3]int{100, 0, 0}},
		{"customer_id, created, id, total, status, note", "", [3]int{100, 100, 100}},
		{"created, id, customer_id", "status = 'open'", [3]int{100, 0, 0}},
	} {
		s := open(t)
		// An entry is the columns and the id, of the rows that the index has.
		entries := fmt.Sprintf("SELECT id, %s FROM orders WHERE %s", test.columns, cmp.Or(test.where, "true"))
		var got [3]int
		for i, write := range []string{
			"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 100) INSERT INTO orders SELECT 20000+i, i, iif(i % 10, NULL, i), 'DE', 'open', 20000+i, i, 20000+i, 'Note' FROM n",
			"UPDATE orders SET status = 'paid', updated = updated + 1 WHERE id > 20000",
			"UPDATE orders SET note = 'Called back', updated = updated + 1 WHERE id <= 100",
		} {
			s.exec(t, "CREATE TEMP TABLE before AS "+strings.Replace(entries, "id, ", "id AS row, ", 1))
			s.exec(t, write)
			if err := s.db.QueryRow("SELECT count(*) FROM (" + entries + " EXCEPT SELECT * FROM before)").Scan(&got[i]); err != nil {
				t.Fatal(err)
			}
			s.exec(t, "DROP TABLE before")
		}
		if got != test.want {
			t.Errorf("(%s) WHERE %s: got %v, want %v", test.columns, test.where, got, test.want)
		}
		index := columns(test.columns)
		if test.where != "" {
			index += " `WHERE " + test.where + "`"
		}
		rows = append(rows, []string{index, fmt.Sprint(got[0]), fmt.Sprint(got[1]), fmt.Sprint(got[2])})
	}
	t.Log("\n" + numbers.Table(rows))
}

// columns is how the page writes an index.
func columns(list string) string {
	if list == "" {
		return "none"
	}
	return "(" + list + ")"
}

// An outcome is what a query took.
type outcome struct {
	work     int64 // in tens of steps
	pages    int64 // that SQLite asked its cache for
	covering bool
	sorted   bool
}

type shop struct {
	db    *sql.DB
	probe *sqlprobe.Probe
}

var shops atomic.Int64 // so that each has a database of its own

func (s shop) exec(t *testing.T, statement string) {
	t.Helper()
	if _, err := s.db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

// open makes a shop with indexes on the columns given. Every fifth order is of customer 1; the others are of 160 customers,
// 100 for each. There are some twenty orders to a page.
func open(t *testing.T, indexes ...string) shop {
	t.Helper()
	probe, err := sqlite.New(fmt.Sprintf("file:/coveringindex-simulation-%d?vfs=memdb", shops.Add(1)))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(probe)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	script := `
		CREATE TABLE orders (
			id INTEGER PRIMARY KEY, customer_id INTEGER, recipient_id INTEGER, country TEXT NOT NULL, status TEXT NOT NULL,
			created INTEGER NOT NULL, total INTEGER NOT NULL, updated INTEGER NOT NULL, note TEXT NOT NULL);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 20000)
		INSERT INTO orders SELECT i, CASE WHEN i % 5 = 0 THEN 1 ELSE i / 5 * 4 % 160 + i % 5 + 1 END, CASE WHEN i % 10 = 4 THEN i % 150 + 1 END,
			CASE WHEN i % 100 < 70 THEN 'DE' ELSE 'FR' END, CASE WHEN i % 100 = 7 THEN 'open' ELSE 'shipped' END,
			i / 2, i * 31 % 97, i / 2, printf('%.*c', 350, '.') FROM n;`
	for i, columns := range indexes {
		if columns == "" {
			continue
		}
		script += fmt.Sprintf("CREATE INDEX i%d ON orders(%s);", i, columns)
	}
	if _, err := db.Exec(script + "ANALYZE"); err != nil {
		t.Fatal(err)
	}
	return shop{db, probe}
}

// ask runs a query.
func (s shop) ask(t *testing.T, query string, args ...any) outcome {
	t.Helper()
	plan, err := sqlprobe.ExplainSQLite(t.Context(), s.db, query, args...)
	if err != nil {
		t.Fatal(err)
	}
	before := s.pages(t)
	rec := s.probe.Record(func() { drain(t, func() (*sql.Rows, error) { return s.db.Query(query, args...) }) })
	return outcome{rounded(t, rec), s.pages(t) - before, plan.CheckCovering() == nil, len(plan.Sorts) > 0}
}

// drain reads the rows of a query to their end.
func drain(t *testing.T, query func() (*sql.Rows, error)) {
	t.Helper()
	rows, err := query()
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// pages is how often SQLite asked its cache for a page so far.
func (s shop) pages(t *testing.T) (n int64) {
	t.Helper()
	c, err := s.db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = c.Raw(func(x any) error {
		for _, op := range []sqlite3.DBStatus{sqlite3.DBSTATUS_CACHE_HIT, sqlite3.DBSTATUS_CACHE_MISS} {
			current, _, err := sqlprobe.Unwrap(x).(sqlite3driver.Conn).Raw().Status(op, false)
			if err != nil {
				return err
			}
			n += current
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func rounded(t *testing.T, rec *sqlprobe.Recording) int64 {
	t.Helper()
	work, err := rec.Work()
	if err != nil {
		t.Fatal(err)
	}
	return (work + 5) / 10
}
