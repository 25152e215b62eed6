//go:build solutions && unix

package bench_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/pkg/sqlprobe"
	"github.com/backend-kata/dojo/solutions/coveringindex"
)

// orders makes the tables of coveringindex in a schema of their own, with 40,000 orders of 200 customers. An order is some
// 300 bytes long, so that no page has two orders of one customer. Nobody but the test vacuums the tables.
func orders(t *testing.T) *sql.DB {
	t.Helper()
	db, _ := connect(t)
	run(t, db, `
		DROP SCHEMA IF EXISTS coveringindex CASCADE;
		CREATE SCHEMA coveringindex;
		SET search_path = coveringindex;
		CREATE TABLE customers (
			id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, company TEXT
		) WITH (autovacuum_enabled = off);
		CREATE TABLE orders (
			id INTEGER PRIMARY KEY, customer_id INTEGER, recipient_id INTEGER, country TEXT NOT NULL, status TEXT NOT NULL,
			created INTEGER NOT NULL, total INTEGER NOT NULL, updated INTEGER NOT NULL, note TEXT NOT NULL
		) WITH (autovacuum_enabled = off);
		INSERT INTO customers SELECT i, 'Person ' || i, 'Person.' || i || '@Example.com', 'Company ' || i % 2000
			FROM generate_series(1, 10000) AS i;
		INSERT INTO orders SELECT i, i % 200 + 1, CASE WHEN i % 10 = 4 THEN i / 10 % 200 + 1 END,
			CASE WHEN i % 100 = 0 THEN 'LU' ELSE 'DE' END, CASE WHEN i % 100 = 7 THEN 'open' ELSE 'shipped' END,
			i / 2 * 60, i * 31 % 97 * 1000 + 999, i / 2 * 60, repeat('.', 270) FROM generate_series(1, 40000) AS i;
		ANALYZE customers, orders;`)
	t.Cleanup(func() {
		if _, err := db.ExecContext(context.WithoutCancel(t.Context()), "DROP SCHEMA coveringindex CASCADE"); err != nil {
			t.Error(err)
		}
	})
	return db
}

func explain(t *testing.T, db *sql.DB, query string, args ...any) sqlprobe.Plan {
	t.Helper()
	p, err := sqlprobe.ExplainPostgres(t.Context(), db, query, args...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The answer page's query, the latest 20 of a customer's 200 orders, while more and more is done for it. What is logged is
// the page's table and its plan.
func TestPostgresCoveringIndex(t *testing.T) {
	db := orders(t)
	const history = "SELECT id, created, total FROM orders WHERE customer_id = 7 ORDER BY created DESC, id DESC LIMIT 20"
	table, shown := "| state | plan | heap fetches | pages |\n|---|---|---|---|", ""
	for _, state := range []struct {
		what, do    string
		covering    bool
		heapFetches int64
		pages       int64 // one more or less, by how the index is built
	}{
		{"`(customer_id, created, id)`", "CREATE INDEX history ON orders(customer_id, created, id); VACUUM orders", false, 0, 22},
		{"`INCLUDE (total)`, not yet vacuumed", "DROP INDEX history; UPDATE orders SET note = upper(note); CREATE INDEX history ON orders(customer_id, created, id) INCLUDE (total)", true, 20, 23},
		{"after `VACUUM`", "VACUUM orders", true, 0, 3},
		{
			"another customer's order updated on 10 pages", `UPDATE orders SET note = lower(note) WHERE id IN (
				SELECT (SELECT id FROM orders WHERE (ctid::text::point)[0] = (o.ctid::text::point)[0] AND customer_id <> 7 LIMIT 1)
				FROM orders AS o WHERE customer_id = 7 ORDER BY created DESC, id DESC LIMIT 10)`,
			true, 10, 13,
		},
		// With dead rows on less than 2 % of the pages VACUUM leaves the indexes alone, and those pages are not visible to all.
		{"after `VACUUM`", "VACUUM orders", true, 10, 13},
		{"after `VACUUM (INDEX_CLEANUP ON)`", "VACUUM (INDEX_CLEANUP ON) orders", true, 0, 3},
	} {
		for statement := range strings.SplitSeq(state.do, ";") { // VACUUM is no part of a transaction, as several at once are
			run(t, db, statement)
		}
		p := explain(t, db, history)
		covering := len(p.Accesses) == 1 && p.Accesses[0].Covering
		if covering != state.covering || len(p.Sorts) > 0 || p.Rows != 20 || p.HeapFetches != state.heapFetches || p.Buffers < state.pages-1 || p.Buffers > state.pages+1 {
			t.Errorf("%s: want covering %t, 20 rows in order, %d heap fetches, some %d buffers; PostgreSQL has covering %t, %d, %d and %d\n%s",
				state.what, state.covering, state.heapFetches, state.pages, covering, p.Rows, p.HeapFetches, p.Buffers, p.Text)
		}
		plan, fetches := "Index Scan", ""
		if covering {
			plan, fetches = "Index Only Scan", fmt.Sprint(p.HeapFetches)
			shown = planText(t, db, history)
		}
		table += fmt.Sprintf("\n| %s | %s | %s | %d |", state.what, plan, fetches, p.Buffers)
	}
	t.Log("\n" + table)
	t.Log("\n" + shown)
}

// planText is the plan of a query that is run, without what differs from run to run.
func planText(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) "+query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// Without an order, 150 of the customer's 200 orders are summed up by a bitmap scan as long as no page is known to be visible
// to all: the index that covers is dearer then, as the planner sees it.
func TestPostgresCoveringIndexIgnored(t *testing.T) {
	db := orders(t)
	const year = "SELECT count(*), sum(total) FROM orders WHERE customer_id = 7 AND created >= 300000"
	run(t, db, "CREATE INDEX covering ON orders(customer_id, created) INCLUDE (total)")
	if p := explain(t, db, year); p.CheckCovering() == nil || p.Rows != 150 || p.Buffers < 150 {
		t.Errorf("never vacuumed: a bitmap scan of 150 rows was expected\n%s", p.Text)
	}
	run(t, db, "VACUUM orders")
	if p := explain(t, db, year); p.CheckCovering() != nil || p.HeapFetches != 0 || p.Buffers > 8 {
		t.Errorf("vacuumed: an index-only scan without heap fetches was expected\n%s", p.Text)
	}
}

// The statements of the reference are PostgreSQL's SQL too, and serve the same queries there.
func TestPostgresCoveringIndexReference(t *testing.T) {
	db := orders(t)
	for _, index := range coveringindex.Indexes() {
		run(t, db, index)
	}
	run(t, db, "CREATE INDEX customers_name ON customers(upper(name)) INCLUDE (name)")
	run(t, db, "VACUUM ANALYZE orders, customers")
	for _, q := range []struct {
		name, sql string
		args      []any
		covered   bool
		sorted    bool
		rows      int64
	}{
		{"history", "SELECT id, created, total FROM orders WHERE customer_id = $1 ORDER BY created DESC, id DESC LIMIT 20", []any{8}, true, false, 20},
		{"year", "SELECT count(*), sum(total) FROM orders WHERE customer_id = $1 AND created >= $2 AND created < $3", []any{8, 300000, 600000}, true, false, 50},
		{"queue", "SELECT id, customer_id, created FROM orders WHERE status = 'open' ORDER BY created, id LIMIT 20", nil, true, false, 20},
		{"ranking", "SELECT id, created, total FROM orders WHERE country = $1 ORDER BY total DESC, created, id LIMIT 10", []any{"DE"}, true, false, 10},
		// An index on an expression does not cover: PostgreSQL asks for the column within, which INCLUDE can give.
		{"login", "SELECT lower(email) FROM customers WHERE lower(email) = $1", []any{"person.17@example.com"}, false, false, 1},
		{"expression and column", "SELECT upper(name) FROM customers WHERE upper(name) = $1", []any{"PERSON 17"}, true, false, 1},
		// The kata's rewrite is covered, and reads both halves to the end: UNION does not stop at the limit.
		{"mine", strings.ReplaceAll(coveringindex.Rewrite(), "?1", "$1"), []any{8}, true, true, 220},
		{"mine with limits", `
			SELECT * FROM (
				(SELECT id, created, total FROM orders WHERE customer_id = $1 ORDER BY created DESC, id DESC LIMIT 20)
				UNION
				(SELECT id, created, total FROM orders WHERE recipient_id = $1 ORDER BY created DESC, id DESC LIMIT 20)
			) AS halves ORDER BY created DESC, id DESC LIMIT 20`, []any{8}, true, true, 40},
	} {
		p := explain(t, db, q.sql, q.args...)
		if err := p.CheckNoFullScan(); err != nil && q.name != "queue" { // the partial index is read from its begin
			t.Errorf("%s: %v", q.name, err)
		}
		if err := p.CheckCovering(); (err == nil) != q.covered || (len(p.Sorts) > 0) != q.sorted || p.Rows != q.rows {
			t.Errorf("%s: covered %t, sorted %t and %d rows were expected; PostgreSQL has %d rows, and: %v\n%s", q.name, q.covered, q.sorted, q.rows, p.Rows, err, p.Text)
		}
	}
}
