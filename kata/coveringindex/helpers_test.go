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
	rows   []string
	counts int // the rows that count for its work
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
			rows, err := s.read(ctx, q.sql, args)
			must(err)
			a := answer{rows, len(rows)}
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
	_, err = statement.ExecContext(ctx)
	return err
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
func (s *shop) read(ctx context.Context, query string, args []any) ([]string, error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values := make([]any, len(columns))
	dest := make([]any, len(columns))
	for i := range values {
		dest[i] = &values[i]
	}
	all := []string{}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return nil, err
		}
		all = append(all, fmt.Sprint(values...))
	}
	return all, rows.Err()
}

// A run is a query that was asked with the learner's indexes.
type run struct {
	*shop

	what   string // the query with its arguments
	plan   sqlprobe.Plan
	work   int64
	counts int
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
		r := run{shop: s, what: name + with(args), counts: s.answers[name][i].counts}
		var rows []string
		var err error
		rec := s.probe.Record(func() { rows, err = s.read(t.Context(), text, args) })
		if err != nil {
			require.FailNow(t, fmt.Sprintf("%s was expected to run, and was refused: %v\n\n  %s", r.what, err, text))
		}
		r.plan, err = sqlprobe.ExplainSQLite(t.Context(), s.db, text, args...)
		require.NoError(t, err)
		r.work, err = rec.Work()
		require.NoError(t, err)
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
			return fmt.Sprintf("row %d (%s) is missing", i+1, want[i])
		case i < len(got) && !slices.Contains(want, got[i]):
			return fmt.Sprintf("row %d (%s) is none of them", i+1, got[i])
		default:
			return fmt.Sprintf("row %d (%s) is at the wrong place", i+1, got[i])
		}
	}
	return "they are the same"
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
		customers := a.Table == "c" // in team
		if !a.Covering && !customers {
			require.FailNow(t, fmt.Sprintf("%s was expected never to touch the table orders: %s, which does not have all that is needed%s", r.what, a, r.story()))
		}
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
