package sqlprobe_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/backend-kata/dojo/pkg/sqlprobe"
)

func TestStatementsAreKnown(t *testing.T) {
	s := newShop(t, 4)
	_, _, line, _ := runtime.Caller(0) //nolint:dogsled // the line is what matters
	r := s.probe.Record(func() {
		fine(t, ask(s, "SELECT id FROM orders WHERE id > ? AND customer <> 'x'", 2))
		_, err := s.Exec("UPDATE orders SET customer = :c WHERE id = 1", sql.Named("c", []byte("new")))
		fine(t, err)
		tx, err := s.Begin()
		fine(t, err)
		if ask(tx, "SELECT 1 FROM nowhere WHERE a = 5") == nil {
			t.Error("there is no such table")
		}
		_, err = tx.Exec("DELETE FROM lines")
		fine(t, err)
		fine(t, tx.Rollback())
	})
	type brief struct {
		Query, Shape, Args, Caller string
		Rows                       int64
		Tx                         int
		Worked                     bool
	}
	var got []brief
	for _, st := range r.Statements {
		args := []string{}
		for _, a := range st.Args {
			args = append(args, fmt.Sprintf("%d %s %v", a.Ordinal, a.Name, a.Value))
		}
		got = append(got, brief{st.Query, st.Shape, strings.Join(args, ","), st.Caller[strings.LastIndex(st.Caller, "/")+1:], st.Rows, st.Tx, st.Work > 0 && st.WorkKnown})
	}
	at := func(after int) string { return fmt.Sprintf("sqlprobe_test.go:%d", line+after) }
	want := []brief{
		{"SELECT id FROM orders WHERE id > ? AND customer <> 'x'", "SELECT id FROM orders WHERE id > ? AND customer <> ?", "1  2", "helpers_test.go:44", 2, 0, true},
		{"UPDATE orders SET customer = :c WHERE id = 1", "UPDATE orders SET customer = ? WHERE id = ?", "1 c [110 101 119]", at(3), 0, 0, true},
		{"DELETE FROM lines", "DELETE FROM lines", "", at(10), 0, 1, true},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("a statement that cannot be prepared never ran; of the others (-want +got):\n%s", d)
	}
	fine(t, r.CheckNoneRepeated())
	fine(t, r.CheckRowsClosed())
	fine(t, r.CheckConnsReturned())
}

func TestCount(t *testing.T) {
	small, large := newShop(t, 2), newShop(t, 5)
	few := small.probe.Record(func() { small.oneByOne(t) })
	many := large.probe.Record(func() { large.oneByOne(t) })
	none := small.probe.Record(func() {})

	fine(t, few.CheckCount(3))
	fine(t, few.CheckAtMost(3))
	fine(t, none.CheckCount(0))
	fine(t, sqlprobe.CheckSameCount(few, few))
	says(t, many.CheckCount(1), `
6 statements ran, and 1 was expected

  1  helpers_test.go:N  5 rows  work N  SELECT id FROM orders ORDER BY id
  5×  helpers_test.go:N  15 rows  work N  SELECT sku FROM lines WHERE order_id = ?
  with (1), (2), (3), … (5)`)
	says(t, few.CheckAtMost(2), `
3 statements ran, and at most 2 were expected

  1  helpers_test.go:N  2 rows  work N  SELECT id FROM orders ORDER BY id
  2×  helpers_test.go:N  6 rows  work N  SELECT sku FROM lines WHERE order_id = ?
  with (1), (2)`)
	says(t, many.CheckNoneRepeated(), `
one statement ran 5 times, and none was expected to be repeated

  1  helpers_test.go:N  5 rows  work N  SELECT id FROM orders ORDER BY id
  5×  helpers_test.go:N  15 rows  work N  SELECT sku FROM lines WHERE order_id = ?
  with (1), (2), (3), … (5)`)
	says(t, sqlprobe.CheckSameCount(few, many), `
6 statements ran for much data and 3 for little, and the same number was expected

little data:
  1  helpers_test.go:N  2 rows  work N  SELECT id FROM orders ORDER BY id
  2×  helpers_test.go:N  6 rows  work N  SELECT sku FROM lines WHERE order_id = ?
  with (1), (2)

much data:
  1  helpers_test.go:N  5 rows  work N  SELECT id FROM orders ORDER BY id
  5×  helpers_test.go:N  15 rows  work N  SELECT sku FROM lines WHERE order_id = ?
  with (1), (2), (3), … (5)`)
	says(t, few.CheckWork(2), `
the work was N, and at most 2 was expected

  1  helpers_test.go:N  2 rows  work N  SELECT id FROM orders ORDER BY id
  2×  helpers_test.go:N  6 rows  work N  SELECT sku FROM lines WHERE order_id = ?
  with (1), (2)`)
	work, err := few.Work()
	fine(t, err)
	fine(t, few.CheckWork(work))
	if few.CheckWork(work-1) == nil {
		t.Error("one less than the work was expected to be refused")
	}
	fine(t, sqlprobe.CheckWorkGrowth(few, many, 2.6))
	says(t, sqlprobe.CheckWorkGrowth(few, many, 1.1), `
the work grew from N to N, N times, and at most 1.1 times was expected

first:
  1  helpers_test.go:N  2 rows  work N  SELECT id FROM orders ORDER BY id
  2×  helpers_test.go:N  6 rows  work N  SELECT sku FROM lines WHERE order_id = ?
  with (1), (2)

then:
  1  helpers_test.go:N  5 rows  work N  SELECT id FROM orders ORDER BY id
  5×  helpers_test.go:N  15 rows  work N  SELECT sku FROM lines WHERE order_id = ?
  with (1), (2), (3), … (5)`)

	const nothing = "no statement ran; does the code use the database of this probe?"
	for _, err := range []error{none.CheckAtMost(1), none.CheckNoneRepeated(), none.CheckRowsClosed(), none.CheckWork(1), sqlprobe.CheckSameCount(none, none), sqlprobe.CheckWorkGrowth(few, none, 1)} {
		says(t, err, nothing)
	}
	says(t, none.CheckCount(2), "no statement ran, and 2 were expected\n\n  no statement ran")
	says(t, none.CheckConnsReturned(), "no connection was taken, so whether they are returned is not known; does the code use the database of this probe?")
	says(t, none.CheckNoTxAcrossCalls(), "no call was noted, so whether a transaction was held across one is not known; does the fake call Probe.Call?")
}

func TestWorkIsRefusedWhereItIsNotKnown(t *testing.T) {
	s := newShop(t, 2)
	open := s.probe.Record(func() { leaveOpen(t, s, "SELECT 1") })
	several := s.probe.Record(func() {
		_, err := s.Exec("DELETE FROM lines; DELETE FROM orders")
		fine(t, err)
	})
	says(t, several.CheckWork(1<<40), `
the work is not known: the probe has no meter for the statement from sqlprobe_test.go:N

  1  sqlprobe_test.go:N  0 rows  DELETE FROM lines; DELETE FROM orders`)
	says(t, open.CheckWork(1<<40), `
the work is not known: the rows of the query from helpers_test.go:N are not closed

  1  helpers_test.go:N  1 row  SELECT ?
  rows not closed: 1`)
}

func TestWhatIsLeftOpen(t *testing.T) {
	s := newShop(t, 2)
	rowsOpen := s.probe.Record(func() { leaveOpen(t, s, "SELECT id FROM orders") })
	says(t, rowsOpen.CheckRowsClosed(), `
the rows of 1 query were not closed, the last from helpers_test.go:N

  1  helpers_test.go:N  1 row  SELECT id FROM orders
  rows not closed: 1`)
	says(t, rowsOpen.CheckConnsReturned(), `
1 connection was not returned to the pool: connection 1, last used at helpers_test.go:N

  1  helpers_test.go:N  1 row  SELECT id FROM orders
  rows not closed: 1`)

	txOpen := s.probe.Record(func() {
		tx, err := s.Begin()
		fine(t, err)
		_, err = tx.Exec("UPDATE orders SET customer = ?", nil)
		fine(t, err)
		t.Cleanup(func() { tx.Rollback() })
	})
	fine(t, txOpen.CheckRowsClosed())
	says(t, txOpen.CheckConnsReturned(), `
1 connection was not returned to the pool: connection 2, transaction 1, begun at sqlprobe_test.go:N, was not ended

  1  sqlprobe_test.go:N  0 rows  work N  UPDATE orders SET customer = ?
  with (NULL)
  in transaction 1`)

	connOpen := s.probe.Record(func() {
		c, err := s.Conn(context.Background())
		fine(t, err)
		t.Cleanup(func() { c.Close() })
	})
	says(t, connOpen.CheckConnsReturned(), "1 connection was not returned to the pool: connection 3, no statement ran on it\n\n  no statement ran")

	// What was open before is not this region's fault.
	after := s.probe.Record(func() { fine(t, ask(s, "SELECT 1")) })
	fine(t, after.CheckConnsReturned())
}

func TestTransactionAcrossACall(t *testing.T) {
	s := newShop(t, 2)
	held := s.probe.Record(func() {
		tx, err := s.Begin()
		fine(t, err)
		_, err = tx.Exec("UPDATE orders SET customer = 'x' WHERE id = 1")
		fine(t, err)
		s.probe.Call("charge the card")
		fine(t, tx.Commit())
	})
	says(t, held.CheckNoTxAcrossCalls(), `
transaction 1, begun at sqlprobe_test.go:N, was held across a call: charge the card, at sqlprobe_test.go:N

  1  sqlprobe_test.go:N  0 rows  work N  UPDATE orders SET customer = ? WHERE id = ?
  in transaction 1`)
	after := s.probe.Record(func() {
		tx, err := s.Begin()
		fine(t, err)
		fine(t, tx.Commit())
		s.probe.Call("charge the card")
	})
	fine(t, after.CheckNoTxAcrossCalls())
}

func TestListIsBounded(t *testing.T) {
	s := newShop(t, 1)
	r := s.probe.Record(func() {
		for i := range 25 {
			fine(t, ask(s, fmt.Sprintf("SELECT 1 AS a%d", i)))
		}
		fine(t, ask(s, "SELECT ?, ?, ?, ?, ?", 1, strings.Repeat("x", 50), []byte("abc"), nil, 5))
	})
	text := r.String()
	if !strings.HasSuffix(text, "\n  and 6 others") || strings.Count(text, "\n") != 20 {
		t.Errorf("20 groups and a note were expected:\n%s", text)
	}
	args := s.probe.Record(func() {
		fine(t, ask(s, "SELECT ?, ?, ?, ?, ?", "a", strings.Repeat("x", 50), []byte("abc"), nil, 5))
		fine(t, ask(s, "SELECT :n", sql.Named("n", 7)))
	})
	for _, want := range []string{`with ("a", "` + strings.Repeat("x", 40) + `…", 3 bytes, … 5 in all)`, "with (n=7)"} {
		if !strings.Contains(args.String(), want) {
			t.Errorf("%s was expected in:\n%s", want, args)
		}
	}
}

func TestRequire(t *testing.T) {
	fake := &fakeTB{TB: t}
	sqlprobe.Require(fake, nil)
	if fake.failure != "" {
		t.Errorf("no error was expected to pass, got %q", fake.failure)
	}
	sqlprobe.Require(fake, errors.New("2 statements ran"))
	if want := "2 statements ran\n\nagain: go test -run '^TestOrders$/^twice$' ./pkg/sqlprobe"; fake.failure != want {
		t.Errorf("got %q, want %q", fake.failure, want)
	}
}

type fakeTB struct {
	testing.TB

	failure string
}

func (f *fakeTB) Helper()                           {}
func (f *fakeTB) Name() string                      { return "TestOrders/twice" }
func (f *fakeTB) Fatalf(format string, args ...any) { f.failure = fmt.Sprintf(format, args...) }

// Recordings may overlap, and several goroutines may ask.
func TestAtOnce(t *testing.T) {
	s := newShop(t, 3)
	var inner *sqlprobe.Recording
	outer := s.probe.Record(func() {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 10 {
					fine(t, ask(s, "SELECT id FROM orders"))
				}
			})
		}
		all.Wait()
		inner = s.probe.Record(func() { fine(t, ask(s, "SELECT 1")) })
	})
	fine(t, outer.CheckCount(41))
	fine(t, outer.CheckConnsReturned())
	fine(t, inner.CheckCount(1))
}
