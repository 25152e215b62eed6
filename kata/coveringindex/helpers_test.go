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
	"github.com/backend-kata/dojo/kata/internal/step"
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
	rows    []string
	columns []string
	counts  int // the rows that count for its work
}

// An index is one that the learner has made.
type index struct {
	table     string
	entries   int
	statement string
}

// inShop runs a step in the shop with the learner's indexes. To load it and to index it takes longer than all the steps,
// so that it is done once; a step that writes does so in a transaction, and rolls it back.
func inShop(t *testing.T, body func(t *step.T, s *shop)) {
	t.Helper()
	s, refusal := opened() // outside the step, since the database stays open
	step.Outside(t, func(t *step.T) {
		t.Helper()
		step.Expect(t, refusal == "", "%s", refusal)
		body(t, s)
	})
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
	aQuery      = regexp.MustCompile(comments + `(SELECT|WITH)\b`)
)

var plainName = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

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
			return fmt.Sprintf("Statement %d of Indexes should make an index on orders or customers, and was refused: %v\n\n  %s", i+1, err, text)
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
	const latest = "SELECT name FROM sqlite_schema WHERE type = 'index' ORDER BY rowid LIMIT 1 OFFSET ?"
	err = s.db.QueryRowContext(ctx, latest, len(s.indexes)).Scan(&name)
	if errors.Is(err, sql.ErrNoRows) {
		return errors.New("it made no index, since there is one of that name")
	}
	must(err)
	if !plainName.MatchString(name) {
		return fmt.Errorf("the name of the index, %q, has characters other than letters, digits and _", name)
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

// read returns the rows of a query as text.
func (s *shop) read(ctx context.Context, query string, args []any) (all, columns []string, err error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, nil, err
	}
	values := make([]any, len(names))
	dest := make([]any, len(names))
	for i := range values {
		dest[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return nil, nil, err
		}
		all = append(all, shown(values, " "))
	}
	return all, names, rows.Err()
}

// A run is a query that was asked with the learner's indexes.
type run struct {
	*shop

	what   string // the query with its arguments, for a failure
	text   string
	args   []any
	plan   sqlprobe.Plan
	work   int64
	counts int
}

// ask runs one of the product's queries with all its arguments.
func (s *shop) ask(t *step.T, name string) []run {
	t.Helper()
	return s.askAs(t, name, queries[name].sql)
}

// askAnew runs what the learner has made of the query mine.
func (s *shop) askAnew(t *step.T) []run {
	t.Helper()
	text := coveringindex.Rewrite()
	step.Expect(t, aQuery.MatchString(text), "Rewrite should return one query, which begins with SELECT or WITH, and returned:\n\n  %s", text)
	return s.askAs(t, "mine", text)
}

// askAs runs a query, whatever its text is now, and holds its rows against those without an index.
func (s *shop) askAs(t *step.T, name, text string) []run {
	t.Helper()
	q := queries[name]
	var runs []run
	for i, args := range q.args {
		r := run{shop: s, what: name + with(args), text: text, args: args, counts: s.answers[name][i].counts}
		var rows []string
		var columns []string
		var err error
		rec := s.probe.Record(func() { rows, columns, err = s.read(t.Context(), text, args) })
		step.Expect(t, err == nil, "%s should run, and was refused: %v\n\n  %s", r.what, err, text)
		r.plan, err = sqlprobe.ExplainSQLite(t.Context(), s.db, text, args...)
		require.NoError(t, err)
		r.work, err = rec.Work()
		require.NoError(t, err)
		step.Equal(t, s.answers[name][i].columns, columns, "%s returns the same columns, whatever its text.", r.what)
		r.holds(t, s.answers[name][i].rows, rows, q.unordered)
		runs = append(runs, r)
	}
	return runs
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
