package sqlprobe_test

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/pkg/sqlprobe"
)

var errDisk = errors.New("disk full")

func TestFaultByPatternAndCount(t *testing.T) {
	s := newShop(t, 3)
	i := s.probe.Inject(sqlprobe.Fault{Pattern: "from lines where order_id = ", Skip: 1, Times: 2, Err: errDisk})
	var got []error
	for id := range 5 {
		got = append(got, ask(s, "SELECT sku FROM lines WHERE order_id = ?", id))
		fine(t, ask(s, "SELECT id FROM orders WHERE id = ?", id))
	}
	for n, err := range got {
		if want := n == 1 || n == 2; errors.Is(err, errDisk) != want {
			t.Errorf("query %d: got %v; the second and third were expected to fail", n+1, err)
		}
	}
	if i.Fired() != 2 {
		t.Errorf("fired %d times, want 2", i.Fired())
	}
	all := s.probe.Inject(sqlprobe.Fault{Err: errDisk})
	for range 3 {
		if err := ask(s, "SELECT 1"); !errors.Is(err, errDisk) {
			t.Errorf("every statement was expected to fail, got %v", err)
		}
	}
	r := s.probe.Record(func() {
		if _, err := s.Exec("DELETE FROM lines"); !errors.Is(err, errDisk) {
			t.Errorf("an exec was expected to fail, got %v", err)
		}
	})
	says(t, r.CheckCount(0), `
1 statement ran, and 0 were expected

  1  fault_test.go:N  0 rows  work N  DELETE FROM lines
  failed: 1, first with: disk full`)
	all.Remove()
	all.Remove()
	fine(t, ask(s, "SELECT 1"))
	if n := s.count(t, "lines"); n != 9 {
		t.Errorf("a statement that failed was expected to change nothing; %d of 9 lines are left", n)
	}
}

// A statement that the driver wants prepared first meets its fault once.
func TestFaultOfSkippedStatement(t *testing.T) {
	l := &log{}
	probe := sqlprobe.New(newConnector{l}, nil)
	db := sql.OpenDB(probe)
	defer db.Close()
	i := probe.Inject(sqlprobe.Fault{Pattern: "^skip", Times: 1, Latency: 1})
	_, err := db.Exec("skip")
	fine(t, err)
	if i.Fired() != 1 {
		t.Errorf("fired %d times, want once", i.Fired())
	}
	lost := probe.Inject(sqlprobe.Fault{Pattern: "^skip", Times: 1, Err: sqlprobe.ErrAnswerLost})
	if _, err := db.Exec("skip"); !errors.Is(err, sqlprobe.ErrAnswerLost) || lost.Fired() != 1 {
		t.Errorf("got %v and fired %d times, want the answer to be lost once", err, lost.Fired())
	}
}

// What comes before a statement may look at the database, which the statement has not changed yet.
func TestBefore(t *testing.T) {
	s := newShop(t, 2)
	var got []string
	gate := s.probe.Inject(sqlprobe.Fault{Pattern: "^(BEGIN|COMMIT|DELETE)", Before: func(shape string) {
		if shape != "BEGIN" && shape != "COMMIT" {
			shape += fmt.Sprintf(" of %d lines", s.count(t, "lines"))
		}
		got = append(got, shape)
	}})
	_, err := s.Exec("DELETE FROM lines WHERE order_id = 1")
	fine(t, err)
	tx, err := s.Begin()
	fine(t, err)
	fine(t, ask(tx, "SELECT 1"))
	fine(t, tx.Commit())
	if want := []string{"DELETE FROM lines WHERE order_id = ? of 6 lines", "BEGIN", "COMMIT"}; !slices.Equal(got, want) {
		t.Errorf("called before %q, want %q", got, want)
	}
	if gate.Fired() != 3 || s.count(t, "lines") != 3 {
		t.Errorf("fired %d times and left %d lines, want 3 and 3", gate.Fired(), s.count(t, "lines"))
	}
}

func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, 1)
		s.probe.Inject(sqlprobe.Fault{Pattern: "FROM orders", Latency: time.Second})
		s.probe.Inject(sqlprobe.Fault{Pattern: "^COMMIT", Latency: time.Minute})
		start := time.Now()
		fine(t, ask(s, "SELECT id FROM orders"))
		if took := time.Since(start); took != time.Second {
			t.Errorf("the query took %v, want 1s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		start = time.Now()
		_, err := s.ExecContext(ctx, "DELETE FROM orders")
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != 300*time.Millisecond {
			t.Errorf("got %v after %v, want the context to end the wait after 300ms", err, took)
		}
		if n := s.count(t, "orders"); n != 1 {
			t.Error("a statement whose context ended before it ran was expected to change nothing")
		}
		start = time.Now()
		tx, err := s.Begin()
		fine(t, err)
		fine(t, tx.Commit())
		if took := time.Since(start); took != time.Minute {
			t.Errorf("the commit took %v, want 1m", took)
		}
	})
}

func TestConnectionLost(t *testing.T) {
	tests := []struct {
		why     string
		pattern string
		err     error
		left    int // of 9 lines
	}{
		{"before the statement runs", "^DELETE", sqlprobe.ErrConnectionLost, 9},
		{"after it has run, but not the commit", "^DELETE", sqlprobe.ErrAnswerLost, 9},
		{"before the commit", "^COMMIT", sqlprobe.ErrConnectionLost, 9},
		{"after the commit", "^COMMIT", sqlprobe.ErrAnswerLost, 0},
		{"before the transaction begins", "^BEGIN", sqlprobe.ErrConnectionLost, 9},
		{"after it has begun", "^BEGIN", sqlprobe.ErrAnswerLost, 9},
	}
	for n, test := range tests {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s := newShop(t, 3)
			keep, err := s.Conn(context.Background()) // or the database in memory is gone with its last connection
			fine(t, err)
			defer keep.Close()
			i := s.probe.Inject(sqlprobe.Fault{Pattern: test.pattern, Times: 1, Err: test.err})
			if err := deleteAll(s); !errors.Is(err, test.err) {
				t.Errorf("%s: got %v, want %v", test.why, err, test.err)
			}
			if got := s.count(t, "lines"); got != test.left {
				t.Errorf("%s: %d lines are left, want %d", test.why, got, test.left)
			}
			if i.Fired() != 1 {
				t.Errorf("%s: fired %d times, want once", test.why, i.Fired())
			}
			fine(t, deleteAll(s)) // on another connection
			if got := s.count(t, "lines"); got != 0 {
				t.Errorf("%s: the second try was expected to work; %d lines are left", test.why, got)
			}
		})
	}
}

func deleteAll(s shop) error {
	tx, err := s.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.Exec("DELETE FROM lines"); err != nil {
		return err
	}
	return tx.Commit()
}

// A connection that is lost outside of a transaction takes its rows with it.
func TestConnectionLostWithRowsOpen(t *testing.T) {
	s := newShop(t, 3)
	tx, err := s.Begin()
	fine(t, err)
	rows := leaveOpen(t, tx, "SELECT id FROM orders")
	s.probe.Inject(sqlprobe.Fault{Pattern: "FROM lines", Times: 1, Err: sqlprobe.ErrAnswerLost})
	if err := ask(tx, "SELECT sku FROM lines"); !errors.Is(err, sqlprobe.ErrAnswerLost) {
		t.Errorf("got %v, want the answer to be lost", err)
	}
	if rows.Next() || !errors.Is(rows.Err(), sqlprobe.ErrConnectionLost) {
		t.Errorf("the rows were expected to end with the connection, got %v", rows.Err())
	}
	if err := tx.Commit(); err == nil {
		t.Error("a commit on a lost connection was expected to fail")
	}
}

// A query that breaks half-way looks like one that is at its end, but for Rows.Err.
func TestFaultAfterRows(t *testing.T) {
	s := newShop(t, 3)
	for _, test := range []struct {
		after, want int64
		err         error
	}{{sqlprobe.BeforeFirstRow, 0, errDisk}, {1, 1, errDisk}, {3, 3, errDisk}, {4, 3, nil}, {2, 2, sqlprobe.ErrConnectionLost}} {
		i := s.probe.Inject(sqlprobe.Fault{Pattern: "FROM orders", Times: 1, Err: cmp.Or(test.err, errDisk), AfterRows: test.after})
		var err error
		r := s.probe.Record(func() {
			keep, _ := s.Conn(context.Background())
			defer keep.Close()
			err = ask(s, "SELECT id FROM orders")
		})
		if !errors.Is(err, test.err) || r.Statements[0].Rows != test.want || i.Fired() != 1 {
			t.Errorf("after %d rows: got %v and %d rows, want %v and %d", test.after, err, r.Statements[0].Rows, test.err, test.want)
		}
		fine(t, r.CheckRowsClosed())
	}
	slow := s.probe.Inject(sqlprobe.Fault{Pattern: "FROM orders", AfterRows: 1})
	if r := s.probe.Record(func() { fine(t, ask(s, "SELECT id FROM orders")) }); r.Statements[0].Rows != 3 {
		t.Errorf("a fault without an error was expected to let all 3 rows through, got %d", r.Statements[0].Rows)
	}
	slow.Remove()
	for _, after := range []int64{1, sqlprobe.BeforeFirstRow} {
		i := s.probe.Inject(sqlprobe.Fault{Pattern: "^DELETE", Err: errDisk, AfterRows: after})
		_, err := s.Exec("DELETE FROM lines")
		fine(t, err)
		i.Remove()
	}
}

func TestSerializationFailure(t *testing.T) {
	state := func(err error) string {
		var s interface{ SQLState() string }
		if errors.As(err, &s) {
			return s.SQLState()
		}
		return fmt.Sprint(err)
	}
	s := newShop(t, 3)
	s.probe.Inject(sqlprobe.Fault{Pattern: "^UPDATE", Times: 1, Err: sqlprobe.ErrSerialization})
	tx, err := s.Begin()
	fine(t, err)
	_, err = tx.Exec("DELETE FROM lines")
	fine(t, err)
	_, err = tx.Exec("UPDATE orders SET customer = 'x'")
	if got := state(err); got != "40001" {
		t.Errorf("the update was expected to fail with SQLSTATE 40001, got %s", got)
	}
	if got := state(ask(tx, "SELECT 1")); got != "25P02" {
		t.Errorf("the transaction was expected to be aborted, with SQLSTATE 25P02; got %s", got)
	}
	if got, want := state(tx.Commit()), "sqlprobe: commit unexpectedly resulted in rollback"; got != want {
		t.Errorf("the commit was expected to roll back and to say so; got %s", got)
	}
	if n := s.count(t, "lines"); n != 9 {
		t.Errorf("the transaction was expected to be rolled back; %d of 9 lines are left", n)
	}

	// At the commit, where PostgreSQL often finds out.
	s.probe.Inject(sqlprobe.Fault{Pattern: "^COMMIT", Times: 1, Err: sqlprobe.ErrSerialization})
	if got := state(deleteAll(s)); got != "40001" {
		t.Errorf("the commit was expected to fail with SQLSTATE 40001, got %s", got)
	}
	if n := s.count(t, "lines"); n != 9 {
		t.Errorf("a commit that failed was expected to roll back; %d of 9 lines are left", n)
	}
	fine(t, deleteAll(s))

	// A rollback can fail, and rolls back all the same.
	s.probe.Inject(sqlprobe.Fault{Pattern: "^ROLLBACK", Times: 1, Err: errDisk})
	tx, err = s.Begin()
	fine(t, err)
	if err := tx.Rollback(); !errors.Is(err, errDisk) {
		t.Errorf("the rollback was expected to fail, got %v", err)
	}
	fine(t, deleteAll(s))
	if got, want := sqlprobe.ErrSerialization.Error(), "sqlprobe: could not serialize access due to concurrent update (SQLSTATE 40001)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func (s shop) count(t *testing.T, table string) (n int) {
	t.Helper()
	fine(t, s.QueryRow("SELECT count(*) FROM "+table).Scan(&n))
	return n
}
