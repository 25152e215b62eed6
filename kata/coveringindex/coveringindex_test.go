package coveringindex_test

import (
	"fmt"
	"strings"
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

// The work follows the rows of the answer, not those that only some of its conditions let through: what is compared by =
// comes first in an index, then the range.
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

// An index may be on what a function returns, and may be for some of the rows: an address is found in whatever case, and
// the queue's index knows of open orders alone.
func TestPartialAndExpression(t *testing.T) {
	s := open(t)
	for _, r := range s.ask(t, "login") {
		r.noFullScan(t)
		r.withinWork(t)
	}
	open := s.count(t, "SELECT count(*) FROM orders WHERE status = 'open'")
	for _, r := range s.ask(t, "queue") {
		for _, a := range r.plan.Accesses {
			ix, made := s.indexes[a.Index]
			require.True(t, made, "queue was expected to read an index of its own: %s%s", a, r.story())
			require.LessOrEqual(t, ix.entries, open, "%d orders are open, and the index that queue uses was expected to have at most as many entries: %s has %d%s", open, a.Index, ix.entries, r.story())
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
	const mostIndexes, mostEntries = 6, 400
	s := open(t)
	require.NotEmpty(t, s.indexes, "at most %d indexes were expected to serve the queries, and at least one; there is none", mostIndexes)
	require.LessOrEqual(t, len(s.indexes), mostIndexes, "at most %d indexes were expected; there are %d, %s", mostIndexes, len(s.indexes), s.list())
	sum, list := 0, ""
	for i, written := range s.entriesWritten(t) {
		list += "\n" + hour[i].what + ":"
		for _, name := range s.names() {
			if n, ok := written[name]; ok {
				sum += n
				list += fmt.Sprintf("\n  %5d  %s", n, name)
			}
		}
	}
	require.LessOrEqual(t, sum, mostEntries, "an hour of the shop was expected to write at most %d entries to the indexes, and writes %d:%s\n\n%s", mostEntries, sum, strings.TrimRight(list, ":"), s.list())
}

// The audit, the ranking and the query that you wrote do not touch the table either, for the same six indexes.
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
