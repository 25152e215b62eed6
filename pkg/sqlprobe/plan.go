package sqlprobe

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// A Plan is how a database means to answer a query, in a form that SQLite's and
// PostgreSQL's EXPLAIN have in common.
type Plan struct {
	// Accesses are the tables that are read, in the plan's order. Subqueries and
	// functions that return rows are left out; the tables that they read are not.
	Accesses []Access

	// Sorts says for what rows are sorted once they are read, such as "ORDER BY". An
	// index that has them in order already saves it.
	Sorts []string

	// Measured reports that the query was run. Rows, Buffers and HeapFetches are known
	// then, and only PostgreSQL tells them.
	Measured bool

	Rows        int64 // read from tables and indexes, those that a filter removed included
	Buffers     int64 // pages, whether found in memory or not
	HeapFetches int64 // rows for which an index-only scan had to look at the table

	// Text is the plan as the database writes it.
	Text string
}

// An Access is one way to the rows of a table.
type Access struct {
	// Table is its name, or its alias if the query gives it one and the database tells
	// only that, as SQLite does.
	Table string

	// Index is the index used, "PRIMARY KEY" if the table is searched by SQLite's rowid
	// or the key that it is stored by, "AUTOMATIC" for one that SQLite makes for this query
	// and throws away, or "" if there is none.
	Index string

	// Covering says that the index has all that is asked for, so that the table itself
	// is not read.
	Covering bool

	// FullScan says that nothing narrows down what is read: all of the table, or all of
	// an index, unless a LIMIT is reached before. An index for the order is no help in that.
	FullScan bool
}

func (a Access) String() string {
	how := "search of "
	if a.FullScan {
		how = "full scan of "
	}
	switch {
	case a.Index == "":
		return how + a.Table
	case a.Covering:
		return how + a.Table + " by covering index " + a.Index
	case a.Index == primaryKey:
		return how + a.Table + " by its primary key"
	}
	return how + a.Table + " by index " + a.Index
}

const (
	primaryKey = "PRIMARY KEY"
	automatic  = "AUTOMATIC"
)

// A Querier is a [sql.DB], a [sql.Conn] or a [sql.Tx]. On a database that is opened
// through a probe an EXPLAIN is a statement like any other: keep it out of recordings.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// CheckNoFullScan returns an error if a table or an index is read from end to end.
func (p Plan) CheckNoFullScan() error {
	for _, a := range p.Accesses {
		if a.FullScan {
			return p.failure("%s, and none was expected", a)
		}
	}
	return p.readsAny()
}

// CheckNoSort returns an error if rows are sorted after they are read.
func (p Plan) CheckNoSort() error {
	if len(p.Sorts) > 0 {
		return p.failure("rows are sorted for %s, and were expected to come in order from an index", strings.Join(p.Sorts, " and "))
	}
	return p.readsAny()
}

// CheckCovering returns an error if a table itself is read, rather than an index that has all.
func (p Plan) CheckCovering() error {
	for _, a := range p.Accesses {
		if !a.Covering {
			return p.failure("%s, and a covering index was expected", a)
		}
	}
	if p.HeapFetches > 0 {
		return p.failure("an index-only scan looked at the table for %s; VACUUM marks pages as visible to all", count(int(p.HeapFetches), "row", "rows"))
	}
	return p.readsAny()
}

// CheckUses returns an error unless the index is used.
func (p Plan) CheckUses(index string) error {
	if slices.ContainsFunc(p.Accesses, func(a Access) bool { return a.Index == index }) {
		return nil
	}
	return p.failure("index %s is not used, and was expected to be", index)
}

// readsAny returns an error if a check would hold only because no table is read.
func (p Plan) readsAny() error {
	if len(p.Accesses) == 0 {
		return p.failure("the plan reads no table")
	}
	return nil
}

func (p Plan) failure(format string, args ...any) error {
	text := strings.TrimRight(p.Text, "\n")
	return fmt.Errorf("%s\n\n  %s", fmt.Sprintf(format, args...), strings.ReplaceAll(text, "\n", "\n  "))
}
