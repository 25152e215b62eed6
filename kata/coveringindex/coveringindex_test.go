package coveringindex_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/pkg/sqlprobe"
)

// No query reads a table from end to end, nor an index that has an entry for every row.
func TestNoFullScan(t *testing.T) {
	inShop(t, func(t *step.T, s *shop) {
		for _, name := range []string{"history", "year", "team", "queue", "large", "ranking"} {
			for _, r := range s.ask(t, name) {
				r.noFullScan(t)
			}
		}
	})
}

// Equality before range: the work follows the rows of the answer, not those that only some of the conditions let through.
func TestColumnOrder(t *testing.T) {
	inShop(t, func(t *step.T, s *shop) {
		for _, name := range []string{"year", "team", "large"} {
			for _, r := range s.ask(t, name) {
				r.withinWork(t)
			}
		}
	})
}

// Nothing is sorted: the first twenty rows come out of an index in the requested order, and the others are not read.
func TestNoSort(t *testing.T) {
	inShop(t, func(t *step.T, s *shop) {
		for _, name := range []string{"history", "queue", "ranking"} {
			for _, r := range s.ask(t, name) {
				r.noSort(t)
				r.withinWork(t)
			}
		}
	})
}

// The indexes hold all that these queries need of an order, so the table is never touched.
func TestCovering(t *testing.T) {
	inShop(t, func(t *step.T, s *shop) {
		for _, name := range []string{"history", "year", "team", "queue"} {
			for _, r := range s.ask(t, name) {
				r.covered(t)
			}
		}
	})
}

// An address is found whatever its case, and the index that serves the queue holds only open orders.
// An index may be on what a function returns, and may be for some of the rows.
func TestPartialAndExpression(t *testing.T) {
	inShop(t, func(t *step.T, s *shop) {
		for _, r := range s.ask(t, "login") {
			r.noFullScan(t)
			r.withinWork(t)
		}
		open := s.count(t, "SELECT count(*) FROM orders WHERE status = 'open'")
		for _, r := range s.ask(t, "queue") {
			for _, a := range r.plan.Accesses {
				ix, made := s.indexes[a.Index]
				step.Expect(t, made, "queue should read an index of its own: %s%s", a, r.story())
				step.Expect(t, ix.entries <= open, "%d orders are open, and the index that queue uses should have at most as many entries: %s has %d%s",
					open, a.Index, ix.entries, r.story())
			}
		}
	})
}

// count returns the one number that a query asks for.
func (s *shop) count(t *step.T, query string) (n int) {
	t.Helper()
	require.NoError(t, s.db.QueryRowContext(t.Context(), query).Scan(&n))
	return n
}

// The query that no index can help is rewritten: the same rows for every customer, and the work follows the twenty that are shown.
func TestRewrite(t *testing.T) {
	inShop(t, func(t *step.T, s *shop) {
		for _, r := range s.askAnew(t) {
			r.withinWork(t)
		}
	})
}

// All of this takes at most six indexes, and an hour of the shop writes at most 400 entries to them.
func TestBudget(t *testing.T) {
	const most = 6
	inShop(t, func(t *step.T, s *shop) {
		n := len(s.indexes)
		step.Expect(t, n > 0, "At most %d indexes should serve the queries, and at least one; there is none.", most)
		step.Expect(t, n <= most, "At most %d indexes should serve the queries; there are %d\n\n%s", most, n, s.list())
		s.writesAtMost(t, 400)
	})
}

// The audit, the ranking and the query that you wrote do not touch the table either, with the same six indexes.
func TestFurtherAllCovered(t *testing.T) {
	inShop(t, func(t *step.T, s *shop) {
		for _, name := range []string{"large", "ranking"} {
			for _, r := range s.ask(t, name) {
				r.covered(t)
			}
		}
		for _, r := range s.askAnew(t) {
			r.covered(t)
		}
	})
}

// No entry is written that no query looks for, such as those for NULL: at most 330 in the hour.
func TestFurtherNoNulls(t *testing.T) {
	inShop(t, func(t *step.T, s *shop) {
		step.Expect(t, len(s.indexes) > 0, "The queries should be served with few entries, and not without indexes; there is none.")
		s.writesAtMost(t, 330)
	})
}

// noFullScan expects that no table is read from end to end, nor an index that has an entry for each of its rows.
func (r run) noFullScan(t *step.T) {
	t.Helper()
	step.Expect(t, len(r.plan.Accesses) > 0, "%s should read a table, and reads none%s", r.what, r.story())
	for _, a := range r.plan.Accesses {
		ix, made := r.indexes[a.Index]
		step.Expect(t, !a.FullScan || made && ix.entries < r.rows[ix.table], "%s should read nothing from end to end: %s%s", r.what, a, r.story())
	}
}

// noSort expects that no rows are sorted.
func (r run) noSort(t *step.T) {
	t.Helper()
	step.Expect(t, len(r.plan.Sorts) == 0, "%s should get its rows in order from an index, and sorts them for %s%s",
		r.what, strings.Join(r.plan.Sorts, " and "), r.story())
}

// withinWork expects that the work follows the rows that count.
func (r run) withinWork(t *step.T) {
	t.Helper()
	most := int64(100 + 100*r.counts)
	step.Expect(t, r.work <= most, "%s should take at most %d steps of work, for %d rows that count, and takes %d%s",
		r.what, most, r.counts, r.work, r.story())
}

// covered expects that the table of orders is not touched.
func (r run) covered(t *step.T) {
	t.Helper()
	opened := r.opened(t)
	step.Expect(t, len(opened) > 0, "%s should read an index, and reads none%s", r.what, r.story())
	why := "no index is used"
	fetches := func(a sqlprobe.Access) bool { return !a.Covering && r.indexes[a.Index].table == "orders" }
	switch i := slices.IndexFunc(r.plan.Accesses, fetches); {
	case strings.Contains(r.plan.Text, "MULTI-INDEX OR"):
		why = "an OR of two indexes fetches each row that one of them finds"
	case i >= 0:
		why = "an index does not have all that is needed: " + r.plan.Accesses[i].Index
	case slices.ContainsFunc(r.plan.Accesses, func(a sqlprobe.Access) bool { return a.Covering }):
		why = "some of its rows come from no covering index"
	}
	step.Expect(t, !slices.Contains(opened, "'orders'"), "%s should never touch the table orders, and %s%s", r.what, why, r.story())
}

// opened names the tables and indexes that the query opens. The plan has them by the names that the query gives to them,
// and the program that SQLite makes of it by their pages.
func (r run) opened(t *step.T) []string {
	t.Helper()
	program, _, err := r.read(t.Context(), "EXPLAIN "+r.text, r.args)
	require.NoError(t, err)
	var names []string
	for _, instruction := range program {
		var at, cursor, page int
		if n, _ := fmt.Sscanf(instruction, "%d 'OpenRead' %d %d", &at, &cursor, &page); n == 3 {
			name, _, err := r.read(t.Context(), "SELECT name FROM sqlite_schema WHERE rootpage = ?", []any{page})
			require.NoError(t, err)
			names = append(names, name...)
		}
	}
	return names
}

func with(args []any) string {
	if len(args) == 0 {
		return ""
	}
	return " with (" + shown(args, ", ") + ")"
}

// shown writes values so that those of different types differ.
func shown(values []any, between string) string {
	texts := make([]string, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case nil:
			texts[i] = "NULL"
		case string:
			texts[i] = "'" + v + "'"
		case float64:
			texts[i] = fmt.Sprintf("%g as REAL", v)
		default:
			texts[i] = fmt.Sprint(v)
		}
	}
	return strings.Join(texts, between)
}

// holds expects the rows that are wanted.
func (r run) holds(t *step.T, want, got []string, unordered bool) {
	t.Helper()
	if unordered {
		want, got = slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))
	}
	step.Expect(t, slices.Equal(want, got), "%s should return the %d rows that it has without indexes, and returned %d: %s",
		r.what, len(want), len(got), difference(want, got))
}

// difference says what is wrong with the first row that is not as it should be.
func difference(want, got []string) string {
	for i := range max(len(want), len(got)) {
		switch {
		case i < len(want) && i < len(got) && want[i] == got[i]:
		case i < len(got) && slices.Contains(got[:i], got[i]):
			return fmt.Sprintf("row %d (%s) comes twice", i+1, got[i])
		case i < len(want) && !slices.Contains(got, want[i]):
			return fmt.Sprintf("row %d (%s) is missing%s", i+1, want[i], instead(got, i))
		case i < len(got) && !slices.Contains(want, got[i]):
			return fmt.Sprintf("row %d (%s) is none of them", i+1, got[i])
		default:
			return fmt.Sprintf("row %d (%s) is in the wrong place, where (%s) should be", i+1, got[i], want[i])
		}
	}
	return "they are the same"
}

// instead names the row that stands where another was expected.
func instead(got []string, i int) string {
	if i < len(got) {
		return fmt.Sprintf(", and (%s) is in its place", got[i])
	}
	return ""
}

// writesAtMost expects that the hour writes no more entries, and says which write has written which.
func (s *shop) writesAtMost(t *step.T, most int) {
	t.Helper()
	sum, list := 0, ""
	for i, written := range s.entriesWritten(t) {
		part := ""
		for _, name := range s.names() {
			if n := written[name]; n > 0 {
				sum += n
				columns, _ := parts(s.indexes[name].statement)
				part += fmt.Sprintf("\n    %5d  (%s) in %s", n, strings.Join(strings.Fields(columns), " "), name)
			}
		}
		if part != "" {
			list += "\n  " + hour[i].what + part
		}
	}
	step.Expect(t, sum <= most, "An hour of the shop should write at most %d entries to the indexes, and writes %d:%s\n\n%s",
		most, sum, list, s.list())
}

// entriesWritten runs the hour, and returns for each of its writes how many entries each index has got by it. It leaves
// everything as it was.
func (s *shop) entriesWritten(t *step.T) []map[string]int {
	t.Helper()
	s.readOnly(t.Context(), false)
	defer s.readOnly(context.WithoutCancel(t.Context()), true)
	tx, err := s.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback()) }()
	var written []map[string]int
	for _, w := range hour {
		_, err := tx.ExecContext(t.Context(), "CREATE TEMP TABLE before AS SELECT * FROM "+w.table+" WHERE "+w.rows)
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), w.sql)
		step.Expect(t, err == nil, "%s: the write should go through, and was refused: %v\n\n%s", w.what, err, s.list())
		got := map[string]int{}
		for name, ix := range s.indexes {
			if ix.table == w.table {
				var n int
				require.NoError(t, tx.QueryRowContext(t.Context(), newEntries(w, ix)).Scan(&n))
				got[name] = n
			}
		}
		written = append(written, got)
		_, err = tx.ExecContext(t.Context(), "DROP TABLE before")
		require.NoError(t, err)
	}
	return written
}

// newEntries is a query for how many entries an index has after a write that it did not have before. The list of columns
// is read as a list to order by, which SQL writes in the same way: rows that are level there, and have one id, are one entry.
func newEntries(w write, ix index) string {
	columns, where := parts(ix.statement)
	return fmt.Sprintf(`
		WITH states AS (
			SELECT 0 AS is_after, * FROM before %[3]s
			UNION ALL
			SELECT 1, * FROM (SELECT * FROM %[1]s WHERE %[2]s) %[3]s),
		entries AS (SELECT id AS row_id, is_after, dense_rank() OVER (ORDER BY %[4]s) AS entry FROM states)
		SELECT count(*) FROM (SELECT 1 FROM entries GROUP BY row_id, entry HAVING min(is_after) = 1)`,
		w.table, w.rows, where+"\n", columns+"\n")
}

// The shop of the README: its tables, what is in them, its queries, and what an hour of it writes.

const tables = `
	CREATE TABLE customers (
		id           INTEGER PRIMARY KEY,
		name         TEXT NOT NULL,
		email        TEXT NOT NULL,
		company      TEXT
	);
	CREATE TABLE orders (
		id           INTEGER PRIMARY KEY,
		customer_id  INTEGER,
		recipient_id INTEGER,
		country      TEXT NOT NULL,
		status       TEXT NOT NULL,
		created      INTEGER NOT NULL,
		total        INTEGER NOT NULL,
		updated      INTEGER NOT NULL,
		note         TEXT NOT NULL
	);`

// rows fills the tables so that one condition alone is of little use: customer 2 has ordered a lot, but not lately, and
// France buys a lot, but seldom for much. Among the latest orders of customer 1 are gifts, some by guests and some for the buyer,
// and two that differ in nothing but their id. Customer 8 was given two of one second, of which the limit shows one.
// Customer 1 pays for one and is given the other in the seconds of 3983 and 3982, of 3945 and 3944, and of 3913 and 3912,
// between which the limit cuts; so does customer 2 in that of 1419 and 1418, where it cuts too. The gift has the lower id in
// two of the four. Customer 501 was deleted. Some orders have an earlier time than those before them.
const rows = `
	WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 500)
	INSERT INTO customers SELECT i, 'Person ' || i, 'Person.' || i || '@Example.com',
		CASE WHEN i % 2 = 0 THEN 'Company ' || (i/2 % 50) END FROM n;

	WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 4000)
	INSERT INTO orders SELECT i,
		CASE WHEN i = 3912 THEN 3
			WHEN i = 3027 THEN 501
			WHEN i % 12 < 2 OR i IN (3945, 3982) THEN 1
			WHEN i % 12 = 2 THEN CASE WHEN i < 1600 OR i % 600 = 2 THEN 2 ELSE 3 + i/12 % 4 END
			WHEN i % 10 = 3 THEN NULL
			ELSE i*37 % 494 + 7 END,
		CASE WHEN i = 1419 THEN 2
			WHEN i = 3044 THEN 501
			WHEN i % 60 = 0 OR i % 40 = 23 OR i % 40 = 24 OR i = 3912 THEN 1
			WHEN i > 3600 AND i % 10 = 4 THEN 8
			WHEN i % 10 = 4 OR i % 20 = 3 THEN i/10 * 37 % 500 + 1 END,
		CASE WHEN i % 100 < 70 THEN 'DE' WHEN i % 100 < 95 THEN 'FR' WHEN i % 100 < 99 THEN 'NL' ELSE 'LU' END,
		CASE WHEN i % 100 = 7 THEN 'open' WHEN i % 100 < 9 THEN 'paid' WHEN i % 100 = 10 THEN 'cancelled' ELSE 'shipped' END,
		1700000000 + (i - CASE i % 25 WHEN 9 THEN 10 ELSE 0 END)/2 * 21600,
		CASE WHEN i % 1000 = 72 THEN 94 WHEN i % 120 < 2 THEN 42
			WHEN i % 100 BETWEEN 70 AND 94 THEN (i/100 * 31 + i*i) % 49
			ELSE (i/100 * 31 + i*i) % 97 END * 1000 + 999,
		1700000000 + i/2 * 21600 + i % 50 * 3600,
		printf('Note %04d: %.*c', i, 90 + i % 100, '.') FROM n;`

// A query is one of the product's, with arguments to try it with.
type query struct {
	sql  string
	args [][]any

	// counts asks for the rows that count for its work, where these are not those that it returns.
	counts string

	// unordered says that no order of its rows is asked for.
	unordered bool
}

var queries = map[string]query{
	"history": {
		sql: "SELECT id, created, total FROM orders WHERE customer_id = ? ORDER BY created DESC, id DESC LIMIT 20",
		args: [][]any{
			{1},  // the reseller, of whose orders few are shown
			{77}, // fewer orders than the limit
		},
	},
	"year": {
		sql: "SELECT count(*), sum(total) FROM orders WHERE customer_id = ? AND created >= ? AND created < ?",
		args: [][]any{
			{1, 1730000000, 1730200000},  // many orders, a short period
			{2, 1722000000, 1800000000},  // many orders, a long period, and hardly any that are both
			{77, 1700000000, 1800000000}, // few orders, all of the time
		},
		counts: "SELECT count(*) FROM orders WHERE customer_id = ? AND created >= ? AND created < ?",
	},
	"team": {
		sql: `SELECT c.id, c.name, sum(o.total) FROM customers AS c JOIN orders AS o ON o.customer_id = c.id
			WHERE c.company = ? AND o.created >= ? GROUP BY c.id`,
		args: [][]any{
			{"Company 1", 1720000000}, // customer 2 is one of them
			{"Company 7", 1700000000}, // all of the time
		},
		counts:    "SELECT count(*) FROM customers AS c JOIN orders AS o ON o.customer_id = c.id WHERE c.company = ? AND o.created >= ?",
		unordered: true,
	},
	"queue": {
		sql:  "SELECT id, customer_id, created FROM orders WHERE status = 'open' ORDER BY created, id LIMIT 20",
		args: [][]any{{}},
	},
	"large": {
		sql: "SELECT id, customer_id, total FROM orders WHERE country = ? AND total >= ? ORDER BY created, id",
		args: [][]any{
			{"LU", 70000}, // a rare country
			{"DE", 95999}, // the country of most, and a rare sum
			{"FR", 90000}, // neither is rare, and both together are
		},
	},
	"ranking": {
		sql: "SELECT id, created, total FROM orders WHERE country = ? ORDER BY total DESC, created, id LIMIT 10",
		args: [][]any{
			{"DE"}, // the first ten in order of the total are soon found
			{"LU"}, // and these are not
		},
	},
	"login": {
		sql: "SELECT id, name FROM customers WHERE lower(email) = ?",
		args: [][]any{
			{"person.17@example.com"},
			{"nobody@example.com"},
		},
		unordered: true,
	},
	"mine": {
		sql: "SELECT id, created, total FROM orders WHERE customer_id = ?1 OR recipient_id = ?1 ORDER BY created DESC, id DESC LIMIT 20",
		args: [][]any{
			{1},    // much on both sides: gifts by guests, and gifts to oneself
			{2},    // many orders, and one gift
			{8},    // more gifts lately than the limit
			{81},   // fewer than the limit on both sides
			{77},   // a few orders, and no gift
			{501},  // was deleted, and two orders are left
			{9999}, // never was
			{nil},  // who is no guest, and not everybody without a gift
		},
	},
}

// A write is a part of the hour that the budget is for.
type write struct {
	what  string
	sql   string
	table string
	rows  string // the rows that it writes, before and after
}

var hour = []write{
	{
		"100 orders come in", `
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 100)
		INSERT INTO orders SELECT 4000 + i,
			CASE WHEN i % 10 = 0 THEN NULL ELSE i*37 % 500 + 1 END,
			CASE WHEN i % 10 = 5 THEN i END,
			CASE WHEN i % 10 < 7 THEN 'DE' ELSE 'FR' END,
			'open', 1743300000 + i/3*60, 1999, 1743300000 + i/3*60, printf('Note %.*c', 95 + i, '.') FROM n`,
		"orders", "id > 4000",
	},
	{
		"these 100 are paid", `UPDATE orders SET status = 'paid', updated = updated + 60 WHERE id > 4000`,
		"orders", "id > 4000",
	},
	{
		"100 old orders get another note", `
		UPDATE orders SET note = printf('Called back%.*c', length(note) - 12, '!'), updated = 1743303000 + id % 50
		WHERE id BETWEEN 2011 AND 2120 AND status = 'shipped'`,
		"orders", "id BETWEEN 2011 AND 2120 AND status = 'shipped'",
	},
	{
		"20 people become customers", `
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 20)
		INSERT INTO customers SELECT 501 + i, 'Person ' || (501 + i),
			CASE WHEN i < 3 THEN 'PERSON.' || (16 + i) || '@example.com' ELSE 'Person.' || (501 + i) || '@Example.com' END,
			CASE WHEN i % 2 = 0 THEN 'Company 1' END FROM n`,
		"customers", "id > 500",
	},
}
