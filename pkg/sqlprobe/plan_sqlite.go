package sqlprobe

import (
	"context"
	"errors"
	"regexp"
	"strings"
)

// ExplainSQLite asks SQLite for the plan of a query. The query is not run.
func ExplainSQLite(ctx context.Context, db Querier, query string, args ...any) (p Plan, err error) {
	rows, err := db.QueryContext(ctx, "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		return Plan{}, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var lines []planLine
	for rows.Next() {
		var l planLine
		var unused int
		if err := rows.Scan(&l.id, &l.parent, &unused, &l.detail); err != nil {
			return Plan{}, err
		}
		lines = append(lines, l)
	}
	return readSQLite(lines), rows.Err()
}

// A planLine is a row of EXPLAIN QUERY PLAN.
type planLine struct {
	id, parent int
	detail     string
}

var (
	accessLine = regexp.MustCompile(`^(SCAN|SEARCH) (\S+)(.*)$`)
	usingIndex = regexp.MustCompile(`USING (AUTOMATIC )?(?:PARTIAL )?(COVERING )?INDEX (\S*)`)
	rowsOf     = regexp.MustCompile(`^(?:CO-ROUTINE|MATERIALIZE) (\S+)`)
	noTable    = regexp.MustCompile(`^SCAN (?:\(|.*(?:CONSTANT ROWS?|VALUES CLAUSE)$)|VIRTUAL TABLE INDEX`)
	tempSort   = regexp.MustCompile(`^USE TEMP B-TREE FOR (.+)$`)
)

// readSQLite reads the lines that https://sqlite.org/eqp.html describes. SQLite does not
// promise to keep them; the tests hold this against the version in go.mod.
func readSQLite(lines []planLine) Plan {
	var p Plan
	depth := map[int]int{}
	made := map[string]bool{} // by the query itself: subqueries and common table expressions
	for _, l := range lines {
		d := 0
		if l.parent != 0 {
			d = depth[l.parent] + 1
		}
		depth[l.id] = d
		p.Text += strings.Repeat("  ", d) + l.detail + "\n"
		if m := rowsOf.FindStringSubmatch(l.detail); m != nil {
			made[m[1]] = true
		}
	}
	for _, l := range lines {
		if m := tempSort.FindStringSubmatch(l.detail); m != nil {
			p.Sorts = append(p.Sorts, m[1])
		}
		m := accessLine.FindStringSubmatch(l.detail)
		if m == nil || made[m[2]] || noTable.MatchString(l.detail) {
			continue
		}
		p.Accesses = append(p.Accesses, sqliteAccess(m[1], m[2], m[3]))
	}
	return p
}

func sqliteAccess(verb, table, rest string) Access {
	a := Access{Table: table, FullScan: verb == "SCAN"}
	switch m := usingIndex.FindStringSubmatch(rest); {
	case m != nil && m[1] != "":
		// The table is read from end to end to make the index.
		a.Index, a.FullScan = automatic, true
	case m != nil:
		a.Index, a.Covering = m[3], m[2] != ""
	case strings.Contains(rest, "PRIMARY KEY"):
		a.Index = primaryKey
	}
	return a
}
