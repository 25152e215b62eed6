package coveringindex_test

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/backend-kata/dojo/kata/coveringindex"
	"github.com/backend-kata/dojo/pkg/sqlprobe"
	"github.com/backend-kata/dojo/pkg/sqlprobe/sqlite"
)

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
// and two that differ in nothing but their id.
const rows = `
	WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 500)
	INSERT INTO customers SELECT i, 'Person ' || i, 'Person.' || i || '@Example.com',
		CASE WHEN i % 2 = 0 THEN 'Company ' || (i/2 % 50) END FROM n;

	WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 4000)
	INSERT INTO orders SELECT i,
		CASE WHEN i % 12 < 2 THEN 1
			WHEN i % 12 = 2 THEN CASE WHEN i < 1600 OR i % 600 = 2 THEN 2 ELSE 3 + i/12 % 4 END
			WHEN i % 10 = 3 THEN NULL
			ELSE i*37 % 494 + 7 END,
		CASE WHEN i % 60 = 0 OR i % 40 = 23 OR i % 40 = 24 THEN 1 
			WHEN i > 3600 AND i % 10 = 4 THEN 8
			WHEN i % 10 = 4 OR i % 20 = 3 THEN i/10 * 37 % 500 + 1 END,
		CASE WHEN i % 100 < 70 THEN 'DE' WHEN i % 100 < 95 THEN 'FR' WHEN i % 100 < 99 THEN 'NL' ELSE 'LU' END,
		CASE WHEN i % 100 = 7 THEN 'open' WHEN i % 100 < 9 THEN 'paid' WHEN i % 100 = 10 THEN 'cancelled' ELSE 'shipped' END,
		1700000000 + i/2 * 21600,
		CASE WHEN i % 1000 = 72 THEN 94 WHEN i % 120 < 2 THEN 42
			WHEN i % 100 BETWEEN 70 AND 94 THEN (i/100 * 31 + i*i) % 49
			ELSE (i/100 * 31 + i*i) % 97 END * 1000 + 999,
		1700000000 + i/2 * 21600 + i % 50 * 3600,
		'Note ' || i || ': ' || printf('%.*c', 90 + i % 100, '.') FROM n;`

// A query is one of the product's, with arguments to try it with.
type query struct {
	sql  string
	args [][]any

	// counts asks for the rows that count for its work, where these are not those that it returns.
	counts string

	// unordered says that no order of its rows is asked for.
	unordered bool

	// customers is what it calls the table of that name, if it reads it.
	customers string
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
		customers: "c",
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
			{2},    // many orders, and no gift
			{8},    // more gifts lately than the limit
			{81},   // fewer than the limit on both sides
			{77},   // a few orders, and no gift
			{9999}, // no such customer
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
			CASE WHEN i % 10 = 0 THEN NULL WHEN i < 3 THEN 7 ELSE i*37 % 500 + 1 END,
			CASE WHEN i % 10 = 5 THEN i END,
			CASE WHEN i % 10 < 7 THEN 'DE' ELSE 'FR' END,
			'open', 1743300000 + i/3*60, 1999, 1743300000 + i/3*60, 'Note' FROM n`,
		"orders", "id > 4000",
	},
	{
		"these 100 are paid", `UPDATE orders SET status = 'paid', updated = updated + 60 WHERE id > 4000`,
		"orders", "id > 4000",
	},
	{
		"100 old orders get another note", `UPDATE orders SET note = note || ' Called back.', updated = updated + 60
		WHERE id BETWEEN 2011 AND 2120 AND status = 'shipped'`,
		"orders", "id BETWEEN 2011 AND 2120 AND status = 'shipped'",
	},
	{
		"20 people become customers", `
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 20)
		INSERT INTO customers SELECT 500 + i, 'Person ' || (500 + i),
			CASE WHEN i < 3 THEN 'PERSON.' || (16 + i) || '@example.com' ELSE 'Person.' || (500 + i) || '@Example.com' END,
			CASE WHEN i % 2 = 0 THEN 'Company 1' END FROM n`,
		"customers", "id > 500",
	},
}

// A shop is the database with the learner's indexes, and what is known of it.
type shop struct {
	db    *sql.DB
	probe *sqlprobe.Probe

	answers map[string][]answer // without any index, by name of the query
	rows    map[string]int      // by table
	indexes map[string]index    // by name
}

// An answer is what a query returned with some arguments.
type answer struct {
	rows    []string
	columns int
	counts  int // the rows that count for its work
}

// An index is one that the learner has made.
type index struct {
	table     string
	entries   int
	statement string
}

// open returns the shop with the learner's indexes. To load it and to index it takes longer than all the steps, so that
// it is done once; a step that writes does so in a transaction, and rolls it back.
func open(t *testing.T) *shop {
	t.Helper()
	s, refusal := opened()
	if refusal != "" {
		require.FailNow(t, refusal)
	}
	return s
}

var opened = sync.OnceValues(func() (*shop, string) {
	ctx := context.Background()
	s := &shop{answers: map[string][]answer{}, rows: map[string]int{}, indexes: map[string]index{}}
	var err error
	s.probe, err = sqlite.New("file:/coveringindex?vfs=memdb")
	must(err)
	s.db = sql.OpenDB(s.probe)
	s.db.SetMaxOpenConns(1) // the database lives while this connection does
	_, err = s.db.ExecContext(ctx, tables+rows)
	must(err)
	s.learnAnswers(ctx)
	if refusal := s.makeIndexes(ctx, coveringindex.Indexes()); refusal != "" {
		return nil, refusal
	}
	_, err = s.db.ExecContext(ctx, "ANALYZE")
	must(err)
	s.learnIndexes(ctx)
	s.readOnly(ctx, true)
	return s, ""
})

// must is for what the learner has no part in.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// readOnly refuses whatever would change the database, or no longer does.
func (s *shop) readOnly(ctx context.Context, on bool) {
	_, err := s.db.ExecContext(ctx, fmt.Sprintf("PRAGMA query_only = %t", on))
	must(err)
}

// learnAnswers runs all queries while there are no indexes.
func (s *shop) learnAnswers(ctx context.Context) {
	for name, q := range queries {
		for _, args := range q.args {
			rows, columns, err := s.read(ctx, q.sql, args)
			must(err)
			a := answer{rows, columns, len(rows)}
			if q.counts != "" {
				must(s.db.QueryRowContext(ctx, q.counts, args...).Scan(&a.counts))
			}
			s.answers[name] = append(s.answers[name], a)
		}
	}
}

// What a statement begins with, comments apart.
var (
	createIndex = regexp.MustCompile(comments + `CREATE\s+(UNIQUE\s+)?INDEX\s`)
	aQuery      = regexp.MustCompile(comments + `(SELECT|WITH|VALUES)\b`)
)

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

const comments = `(?i)^(\s|--.*\n|/\*(?s:.*?)\*/)*`

// makeIndexes runs the learner's statements, and returns in words which one is refused, and why.
func (s *shop) makeIndexes(ctx context.Context, statements []string) (refusal string) {
	for i, text := range statements {
		var err error
		if !createIndex.MatchString(text) {
			err = errors.New("it does not begin with CREATE INDEX or CREATE UNIQUE INDEX")
		} else {
			err = s.makeIndex(ctx, text)
		}
		if err != nil {
			return fmt.Sprintf("statement %d of Indexes was expected to make an index on orders or customers, and was refused: %v\n\n  %s", i+1, err, text)
		}
	}
	return ""
}

// makeIndex prepares the statement first, since that refuses a text of several.
func (s *shop) makeIndex(ctx context.Context, text string) error {
	statement, err := s.db.PrepareContext(ctx, text)
	if err != nil {
		return err
	}
	defer statement.Close()
	if _, err := statement.ExecContext(ctx); err != nil {
		return err
	}
	var name string
	err = s.db.QueryRowContext(ctx, "SELECT name FROM sqlite_schema WHERE type = 'index' ORDER BY rowid LIMIT 1 OFFSET ?", len(s.indexes)).Scan(&name)
	if errors.Is(err, sql.ErrNoRows) {
		return errors.New("it made no index, since there is one of that name")
	}
	must(err)
	if !plainName.MatchString(name) {
		return fmt.Errorf("the name of the index, %q, has other characters than letters, digits and _", name)
	}
	s.indexes[name] = index{}
	return nil
}

// learnIndexes asks which indexes there are, and how many entries ANALYZE has found in each.
func (s *shop) learnIndexes(ctx context.Context) {
	for _, table := range []string{"orders", "customers"} {
		var n int
		must(s.db.QueryRowContext(ctx, "SELECT count(*) FROM "+table).Scan(&n))
		s.rows[table] = n
	}
	rows, err := s.db.QueryContext(ctx, `
		SELECT name, tbl_name, coalesce(CAST(stat AS INTEGER), 0), sql FROM sqlite_schema
		LEFT JOIN sqlite_stat1 ON idx = name WHERE type = 'index'`)
	must(err)
	defer rows.Close()
	for rows.Next() {
		var name string
		var ix index
		must(rows.Scan(&name, &ix.table, &ix.entries, &ix.statement))
		s.indexes[name] = ix
	}
	must(rows.Err())
}

// count returns the one number that a query asks for.
func (s *shop) count(t *testing.T, query string) (n int) {
	t.Helper()
	require.NoError(t, s.db.QueryRowContext(t.Context(), query).Scan(&n))
	return n
}

// read returns the rows of a query as text.
func (s *shop) read(ctx context.Context, query string, args []any) (all []string, columns int, err error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, 0, err
	}
	values := make([]any, len(names))
	dest := make([]any, len(names))
	for i := range values {
		dest[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return nil, 0, err
		}
		all = append(all, strings.TrimSuffix(fmt.Sprintln(values...), "\n"))
	}
	return all, len(names), rows.Err()
}

// A run is a query that was asked with the learner's indexes.
type run struct {
	*shop

	what   string // the query with its arguments
	plan   sqlprobe.Plan
	work   int64
	counts int

	customers string // what the query calls that table
}

// ask runs one of the product's queries with all its arguments.
func (s *shop) ask(t *testing.T, name string) []run {
	t.Helper()
	return s.askAs(t, name, queries[name].sql)
}

// askAnew runs what the learner has made of the query mine.
func (s *shop) askAnew(t *testing.T) []run {
	t.Helper()
	text := coveringindex.Rewrite()
	if !aQuery.MatchString(text) {
		require.FailNow(t, "Rewrite was expected to return one query, which begins with SELECT or WITH, and returned:\n\n  "+text)
	}
	return s.askAs(t, "mine", text)
}

// askAs runs a query, whatever its text is now, and holds its rows against those without an index.
func (s *shop) askAs(t *testing.T, name, text string) []run {
	t.Helper()
	q := queries[name]
	var runs []run
	for i, args := range q.args {
		r := run{shop: s, what: name + with(args), counts: s.answers[name][i].counts, customers: q.customers}
		var rows []string
		var columns int
		var err error
		rec := s.probe.Record(func() { rows, columns, err = s.read(t.Context(), text, args) })
		if err != nil {
			require.FailNow(t, fmt.Sprintf("%s was expected to run, and was refused: %v\n\n  %s", r.what, err, text))
		}
		r.plan, err = sqlprobe.ExplainSQLite(t.Context(), s.db, text, args...)
		require.NoError(t, err)
		r.work, err = rec.Work()
		require.NoError(t, err)
		if want := s.answers[name][i].columns; columns != want {
			require.FailNow(t, fmt.Sprintf("%s was expected to return rows of %d columns, and returned rows of %d", r.what, want, columns))
		}
		r.holds(t, s.answers[name][i].rows, rows, q.unordered)
		runs = append(runs, r)
	}
	return runs
}

// holds says no if the rows are not those that are wanted.
func (r run) holds(t *testing.T, want, got []string, unordered bool) {
	t.Helper()
	if unordered {
		want, got = slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))
	}
	if slices.Equal(want, got) {
		return
	}
	require.FailNow(t, fmt.Sprintf("%s was expected to return the %d rows that it has without indexes, and returned %d: %s", r.what, len(want), len(got), difference(want, got)))
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
			return fmt.Sprintf("row %d (%s) is at the wrong place, which is that of (%s)", i+1, got[i], want[i])
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

// noFullScan says no if a table is read from end to end, or an index that has an entry for each of its rows.
func (r run) noFullScan(t *testing.T) {
	t.Helper()
	require.NotEmpty(t, r.plan.Accesses, "%s was expected to read a table, and reads none%s", r.what, r.story())
	for _, a := range r.plan.Accesses {
		ix, made := r.indexes[a.Index]
		if a.FullScan && (!made || ix.entries == r.rows[ix.table]) {
			require.FailNow(t, fmt.Sprintf("%s was expected to read nothing from end to end: %s%s", r.what, a, r.story()))
		}
	}
}

// noSort says no if rows are sorted.
func (r run) noSort(t *testing.T) {
	t.Helper()
	if len(r.plan.Sorts) > 0 {
		require.FailNow(t, fmt.Sprintf("%s was expected to get its rows in order from an index, and sorts them for %s%s", r.what, strings.Join(r.plan.Sorts, " and "), r.story()))
	}
}

// withinWork says no if the work does not follow the rows that count.
func (r run) withinWork(t *testing.T) {
	t.Helper()
	most := int64(100 + 100*r.counts)
	if r.work > most {
		require.FailNow(t, fmt.Sprintf("%s was expected to take at most %d steps of work, for %d rows that count, and takes %d%s", r.what, most, r.counts, r.work, r.story()))
	}
}

// covered says no if the table of orders is touched.
func (r run) covered(t *testing.T) {
	t.Helper()
	require.NotEmpty(t, r.plan.Accesses, "%s was expected to read an index, and reads none%s", r.what, r.story())
	for _, a := range r.plan.Accesses {
		if a.Covering || a.Table == r.customers {
			continue
		}
		why := "no index is used"
		switch {
		case strings.Contains(r.plan.Text, "MULTI-INDEX OR"):
			why = "an OR of two indexes fetches each row that one of them finds"
		case a.Index != "":
			why = a.Index + " does not have all that is needed"
		}
		require.FailNow(t, fmt.Sprintf("%s was expected never to touch the table orders, and %s%s", r.what, why, r.story()))
	}
}

// story is the plan and the indexes, for a failure.
func (r run) story() string {
	return "\n\nthe plan:\n  " + strings.ReplaceAll(strings.TrimSpace(r.plan.Text), "\n", "\n  ") + "\n\n" + r.list()
}

// list names the learner's indexes, as SQLite has them.
func (s *shop) list() string {
	if len(s.indexes) == 0 {
		return "there are no indexes"
	}
	text := "the indexes, and their entries:"
	for _, name := range s.names() {
		ix := s.indexes[name]
		text += fmt.Sprintf("\n  %5d  %s", ix.entries, ix.statement)
	}
	return text
}

// names are those of the indexes, by table.
func (s *shop) names() []string {
	return slices.SortedFunc(maps.Keys(s.indexes), func(a, b string) int {
		return cmp.Or(strings.Compare(s.indexes[a].table, s.indexes[b].table), strings.Compare(a, b))
	})
}

func with(args []any) string {
	if len(args) == 0 {
		return ""
	}
	var texts []string
	for _, a := range args {
		texts = append(texts, strings.Replace(fmt.Sprint(a), "<nil>", "NULL", 1))
	}
	return " with (" + strings.Join(texts, ", ") + ")"
}

// writesAtMost says no if the hour writes more entries, and which write has written them to which index.
func (s *shop) writesAtMost(t *testing.T, most int) {
	t.Helper()
	sum, list := 0, ""
	for i, written := range s.entriesWritten(t) {
		part := ""
		for _, name := range s.names() {
			if n := written[name]; n > 0 {
				sum += n
				part += fmt.Sprintf("\n    %5d  %s", n, name)
			}
		}
		if part != "" {
			list += "\n  " + hour[i].what + part
		}
	}
	if sum > most {
		require.FailNow(t, fmt.Sprintf("an hour of the shop was expected to write at most %d entries to the indexes, and writes %d:%s\n\n%s", most, sum, list, s.list()))
	}
}

// entriesWritten runs the hour, and returns for each of its writes how many entries each index has got by it. It leaves
// everything as it was.
func (s *shop) entriesWritten(t *testing.T) []map[string]int {
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
		if err != nil {
			require.FailNow(t, fmt.Sprintf("%s: the write was expected to go through, and was refused: %v\n\n%s", w.what, err, s.list()))
		}
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

var quotedOrBracket = regexp.MustCompile("(?s)'[^']*'|\"[^\"]*\"|`[^`]*`|\\[[^]]*]|--[^\n]*|/\\*.*?\\*/|[()]")

// parts takes from a CREATE INDEX what is within its outer parentheses, and what follows: WHERE and a condition, or nothing.
func parts(statement string) (columns, where string) {
	depth, start := 0, 0
	for _, at := range quotedOrBracket.FindAllStringIndex(statement, -1) {
		switch statement[at[0]:at[1]] {
		case "(":
			if depth == 0 {
				start = at[1]
			}
			depth++
		case ")":
			depth--
			if depth == 0 {
				return statement[start:at[0]], statement[at[1]:]
			}
		}
	}
	return "", ""
}
