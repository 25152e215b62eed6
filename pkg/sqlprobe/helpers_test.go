package sqlprobe_test

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/pkg/sqlprobe"
	"github.com/backend-kata/dojo/pkg/sqlprobe/sqlite"
)

// A shop is a database of orders with three lines each, behind a probe.
type shop struct {
	*sql.DB

	probe *sqlprobe.Probe
}

func newShop(t testing.TB, orders int) shop {
	t.Helper()
	probe, err := sqlite.New("file:/" + strings.ReplaceAll(t.Name(), "/", "-") + fmt.Sprint(orders) + "?vfs=memdb")
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(probe)
	t.Cleanup(func() { db.Close() })
	_, err = db.ExecContext(context.Background(), `
		CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT);
		CREATE TABLE lines (order_id INTEGER, sku TEXT, quantity INTEGER);
		CREATE INDEX lines_order ON lines(order_id);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT `+fmt.Sprint(orders)+`) INSERT INTO orders SELECT i, 'c' || i FROM n;
		INSERT INTO lines SELECT o.id, 's' || v.value, 1 FROM orders AS o, json_each('[1,2,3]') AS v;`)
	if err != nil {
		t.Fatal(err)
	}
	return shop{db, probe}
}

// ask runs a query and reads all of it.
func ask(q sqlprobe.Querier, query string, args ...any) error {
	rows, err := q.QueryContext(context.Background(), query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

// leaveOpen runs a query, reads one row of it and closes it when the test ends.
func leaveOpen(t *testing.T, q sqlprobe.Querier, query string) interface {
	Next() bool
	Err() error
} {
	t.Helper()
	rows, err := q.QueryContext(context.Background(), query)
	fine(t, err)
	rows.Next()
	t.Cleanup(func() {
		fine(t, rows.Close())
		_ = rows.Err()
	})
	return rows
}

// oneByOne is the code that this package is against.
func (s shop) oneByOne(t testing.TB) {
	t.Helper()
	rows, err := s.Query("SELECT id FROM orders ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var ids []int
	for rows.Next() {
		var id int
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	fine(t, rows.Err())
	for _, id := range ids {
		if err := ask(s, "SELECT sku FROM lines WHERE order_id = ?", id); err != nil {
			t.Fatal(err)
		}
	}
}

var (
	lineNumber = regexp.MustCompile(`_test\.go:\d+`)
	steps      = regexp.MustCompile(`work \d+  |work was \d+|from \d+ to \d+, [0-9.]+ times`)
	figure     = regexp.MustCompile(`[0-9.]+`)
	manySpaces = regexp.MustCompile(`  +`)
)

// says compares an error's text with what is wanted, but for line numbers and the width
// of columns.
func says(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want %q", want)
		return
	}
	got := lineNumber.ReplaceAllString(err.Error(), "_test.go:N")
	got = steps.ReplaceAllStringFunc(got, func(s string) string { return figure.ReplaceAllString(s, "N") }) // SQLite's version decides
	got = manySpaces.ReplaceAllString(got, "  ")
	want = strings.ReplaceAll(strings.TrimSpace(want), "\n\t\t", "\n")
	if strings.TrimSpace(got) != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func fine(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("want no error, got: %v", err)
	}
}
