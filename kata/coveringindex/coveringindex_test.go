package coveringindex_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// No query reads a table from end to end, nor an index that has an entry for every row.
func TestNoFullScan(t *testing.T) {
	s := open(t)
	for _, name := range []string{"history", "year", "team", "queue", "large", "ranking"} {
		for _, r := range s.ask(t, name) {
			r.noFullScan(t)
		}
	}
}

// Equality before range: the work follows the rows of the answer, not those that only some of the conditions let through.
func TestColumnOrder(t *testing.T) {
	s := open(t)
	for _, name := range []string{"year", "team", "large"} {
		for _, r := range s.ask(t, name) {
			r.withinWork(t)
		}
	}
}

// Nothing is sorted: the first twenty rows come out of an index in the order that is asked for, and the others are not read.
func TestNoSort(t *testing.T) {
	s := open(t)
	for _, name := range []string{"history", "queue", "ranking"} {
		for _, r := range s.ask(t, name) {
			r.noSort(t)
			r.withinWork(t)
		}
	}
}

// The indexes have all that these queries need of an order, so that the table is never touched.
func TestCovering(t *testing.T) {
	s := open(t)
	for _, name := range []string{"history", "year", "team", "queue"} {
		for _, r := range s.ask(t, name) {
			r.covered(t)
		}
	}
}

// An address is found in whatever case, and the index that serves the queue knows of open orders alone.
// An index may be on what a function returns, and may be for some of the rows.
func TestPartialAndExpression(t *testing.T) {
	s := open(t)
	for _, r := range s.ask(t, "login") {
		r.noFullScan(t)
		r.withinWork(t)
	}
	open := s.count(t, "SELECT count(*) FROM orders WHERE status = 'open'")
	for _, r := range s.ask(t, "queue") {
		for _, a := range r.plan.Accesses {
			switch ix, made := s.indexes[a.Index]; {
			case !made:
				require.FailNow(t, fmt.Sprintf("queue was expected to read an index of its own: %s%s", a, r.story()))
			case ix.entries > open:
				require.FailNow(t, fmt.Sprintf("%d orders are open, and the index that queue uses was expected to have at most as many entries: %s has %d%s", open, a.Index, ix.entries, r.story()))
			}
		}
	}
}

// The query that no index helps is written anew: the same rows for every customer, and the work follows the twenty that are shown.
func TestRewrite(t *testing.T) {
	s := open(t)
	for _, r := range s.askAnew(t) {
		r.withinWork(t)
	}
}

// All of this takes at most six indexes, and an hour of the shop writes at most 400 entries to them.
func TestBudget(t *testing.T) {
	const most = 6
	s := open(t)
	if len(s.indexes) == 0 {
		require.FailNow(t, fmt.Sprintf("at most %d indexes were expected to serve the queries, and at least one; there is none", most))
	}
	if n := len(s.indexes); n > most {
		require.FailNow(t, fmt.Sprintf("at most %d indexes were expected; there are %d\n\n%s", most, n, s.list()))
	}
	s.writesAtMost(t, 400)
}

// The audit, the ranking and the query that you wrote do not touch the table either, with the same six indexes.
func TestFurtherAllCovered(t *testing.T) {
	s := open(t)
	for _, name := range []string{"large", "ranking"} {
		for _, r := range s.ask(t, name) {
			r.covered(t)
		}
	}
	for _, r := range s.askAnew(t) {
		r.covered(t)
	}
}

// No entry is for NULL where no query looks for it: the hour writes at most 330 entries.
func TestFurtherNoNulls(t *testing.T) {
	s := open(t)
	if len(s.indexes) == 0 {
		require.FailNow(t, "the queries were expected to be served with few entries, and not without indexes; there is none")
	}
	s.writesAtMost(t, 330)
}
