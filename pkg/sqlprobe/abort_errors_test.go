package sqlprobe_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/pkg/sqlprobe"
)

// getError and fieldError tell their SQLSTATE as drivers without SQLState do.
type (
	getError   struct{ code string }
	fieldError struct{ code string }
)

func (e getError) Error() string   { return "get" }
func (e fieldError) Error() string { return "field" }

func (e getError) Get(k byte) string     { return map[byte]string{'C': e.code}[k] }
func (e fieldError) Field(k byte) string { return map[byte]string{'C': e.code}[k] }

// What aborts a transaction, and what does not.
func TestWhatAborts(t *testing.T) {
	for _, test := range []struct {
		why  string
		err  error
		want string // of the statement after
	}{
		{"has SQLState", &pgError{"23505"}, "25P02"},
		{"is wrapped", fmt.Errorf("insert: %w", &pgError{"23505"}), "25P02"},
		{"is one of two", errors.Join(errDisk, &pgError{"23505"}), "25P02"},
		{"has Get", getError{"23505"}, "25P02"},
		{"has Field", fieldError{"23505"}, "25P02"},
		{"has an empty SQLSTATE", &pgError{""}, "ok"},
		{"has none", errDisk, "ok"},
		{"is a context's", context.DeadlineExceeded, "ok"},
		{"ends the connection", driver.ErrBadConn, driver.ErrBadConn.Error()},
		{"ends the connection and has one", errors.Join(sqlprobe.ErrConnectionLost, &pgError{"57P01"}), driver.ErrBadConn.Error()},
	} {
		s := newShop(t, 3)
		s.probe.Inject(sqlprobe.Fault{Pattern: "^UPDATE", Times: 1, Err: test.err})
		tx, err := s.Begin()
		fine(t, err)
		if _, err := tx.Exec("UPDATE orders SET id = 1"); !errors.Is(err, test.err) {
			t.Errorf("an error that %s: got %v, want it", test.why, err)
		}
		if got := outcome(ask(tx, "SELECT 1")); got != test.want {
			t.Errorf("an error that %s: the next statement gets %s, want %s", test.why, got, test.want)
		}
		_ = tx.Rollback() // the connection may be lost
		s.Close()
	}
}

// While a transaction is aborted, its statements are recorded, and no fault meets them.
func TestNoFaultMeetsAnAbortedTransaction(t *testing.T) {
	s := newShop(t, 3)
	s.probe.Inject(sqlprobe.Fault{Pattern: "^UPDATE", Times: 1, Err: &pgError{"40P01"}})
	disk := s.probe.Inject(sqlprobe.Fault{Pattern: "SELECT|COMMIT", Err: errDisk})
	tx, err := s.Begin()
	fine(t, err)
	r := s.probe.Record(func() {
		_, err := tx.Exec("UPDATE orders SET id = 1")
		_, _ = err, ask(tx, "SELECT 1")
	})
	says(t, r.CheckCount(0), `
2 statements ran, and 0 were expected

  1  abort_errors_test.go:N  0 rows  work N  UPDATE orders SET id = ?
  in transaction 1
  failed: 1, first with: broken (SQLSTATE 40P01)
  1  helpers_test.go:N  0 rows  work N  SELECT ?
  in transaction 1
  failed: 1, first with: sqlprobe: current transaction is aborted, commands ignored until end of transaction block (SQLSTATE 25P02)`)
	if got := outcome(tx.Commit()); got != "rolled back" || disk.Fired() != 0 {
		t.Errorf("the commit got %s, and the fault fired %d times; want it rolled back, and none", got, disk.Fired())
	}
}

// A context that ends in an aborted transaction leaves nothing of that behind.
func TestContextEndsInAnAbortedTransaction(t *testing.T) {
	s := newShop(t, 3)
	keep, err := s.Conn(context.Background()) // or the database in memory is gone with its last connection
	fine(t, err)
	defer keep.Close()
	s.probe.Inject(sqlprobe.Fault{Pattern: "^UPDATE", Times: 1, Err: &pgError{"40001"}})
	ctx, cancel := context.WithCancel(context.Background())
	tx, err := s.BeginTx(ctx, nil)
	fine(t, err)
	_, err = tx.ExecContext(ctx, "DELETE FROM lines")
	fine(t, err)
	if _, err := tx.ExecContext(ctx, "UPDATE orders SET id = 1"); outcome(err) != "40001" {
		t.Errorf("got %v, want the injected error", err)
	}
	cancel()
	if err := tx.Commit(); !errors.Is(err, context.Canceled) && !errors.Is(err, sql.ErrTxDone) {
		t.Errorf("got %v, want the end of the context", err)
	}
	if n := s.count(t, "lines"); n != 9 {
		t.Errorf("%d of 9 lines are left", n)
	}
	fine(t, deleteAll(s))
}

// PREPARE is a call of its own, and only a pattern that names it breaks it.
func TestFaultOfPrepare(t *testing.T) {
	ctx := context.Background()
	for _, test := range []struct {
		pattern        string
		prepare, query bool // which fails
	}{
		{"^PREPARE SELECT", true, false},
		{"^PREPARE", true, false},
		{"^SELECT", false, true},
		{"", false, true},
	} {
		s := newShop(t, 3)
		i := s.probe.Inject(sqlprobe.Fault{Pattern: test.pattern, Times: 1, Err: &pgError{"42P01"}})
		st, err := s.PrepareContext(ctx, "SELECT 1")
		if got := outcome(err); got != map[bool]string{true: "42P01", false: "ok"}[test.prepare] {
			t.Errorf("%q: the call to prepare gets %s", test.pattern, got)
		}
		if err == nil {
			var n int
			if err := st.QueryRowContext(ctx).Scan(&n); (err != nil) != test.query {
				t.Errorf("%q: the query gets %v", test.pattern, err)
			}
			fine(t, st.Close()) //nolint:sqlclosecheck // it is closed before the next shop opens
		}
		fine(t, ask(s, "SELECT 1")) // prepares, too, but nobody asked for that
		if i.Fired() != 1 {
			t.Errorf("%q: fired %d times, want once", test.pattern, i.Fired())
		}
		s.Close()
	}
	s := newShop(t, 3)
	keep, err := s.Conn(ctx)
	fine(t, err)
	defer keep.Close()
	s.probe.Inject(sqlprobe.Fault{Pattern: "^PREPARE", Times: 1, Err: sqlprobe.ErrAnswerLost})
	if _, err := s.PrepareContext(ctx, "SELECT 1"); !errors.Is(err, sqlprobe.ErrAnswerLost) { //nolint:sqlclosecheck // there is none
		t.Errorf("got %v, want the answer to be lost", err)
	}
}

// A driver that cannot run a statement without preparing it cannot be asked to raise an error.
func TestAbortedOnAnOldDriver(t *testing.T) {
	l := &log{}
	probe := sqlprobe.New(oldConnector{l}, nil)
	db := sql.OpenDB(probe)
	defer db.Close()
	probe.Inject(sqlprobe.Fault{Pattern: "^UPDATE", Times: 1, Err: sqlprobe.ErrSerialization})
	tx, err := db.Begin()
	fine(t, err)
	for _, step := range []struct{ text, want string }{
		{"UPDATE t", "40001"}, {"UPDATE t", "25P02"}, {"COMMIT", "rolled back"}, {"ROLLBACK TO a", "ok"}, {"UPDATE t", "ok"},
	} {
		if _, err := tx.Exec(step.text); outcome(err) != step.want {
			t.Errorf("%s gets %v, want %s", step.text, err, step.want)
		}
	}
	fine(t, tx.Commit())
}

// A server is a driver whose server aborts transactions by itself.
type (
	server     struct{ log *log }
	serverConn struct {
		newConn

		aborted *bool
	}
	serverTx struct{ c serverConn }
)

func (s server) Connect(context.Context) (driver.Conn, error) {
	return serverConn{newConn{oldConn(s)}, new(bool)}, nil
}
func (s server) Driver() driver.Driver { return nil }

func (c serverConn) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) {
	return serverTx{c}, nil
}

func (c serverConn) ExecContext(_ context.Context, text string, _ []driver.NamedValue) (driver.Result, error) {
	c.log.add("%s", text)
	switch {
	case strings.HasPrefix(text, "ROLLBACK TO"):
		*c.aborted = false
	case *c.aborted:
		return nil, &pgError{"25P02"}
	case strings.HasPrefix(text, "DO "):
		*c.aborted = true
		_, state, _ := strings.Cut(text, "ERRCODE = '")
		return nil, &pgError{state[:5]}
	}
	return driver.RowsAffected(1), nil
}

func (t serverTx) Commit() error {
	t.c.log.add("commit")
	if *t.c.aborted {
		return errors.New("rolled back by the server")
	}
	return nil
}

func (t serverTx) Rollback() error { t.c.log.add("rollback"); return nil }

// A server that can aborts the transaction itself: its answers are then those of the driver.
func TestTheServerAborts(t *testing.T) {
	l := &log{}
	probe := sqlprobe.New(server{l}, nil)
	db := sql.OpenDB(probe)
	defer db.Close()
	probe.Inject(sqlprobe.Fault{Pattern: "^UPDATE", Times: 1, Err: sqlprobe.ErrSerialization})
	tx, err := db.Begin()
	fine(t, err)
	_, err = tx.Exec("UPDATE t")
	var own *pgError
	if !errors.As(err, &own) || own.code != "40001" || !errors.Is(err, sqlprobe.ErrSerialization) {
		t.Errorf("got %v, want the driver's error and this package's", err)
	}
	if err == nil || err.Error() != "broken (SQLSTATE 40001)" {
		t.Errorf("got %v, want the driver's words", err)
	}
	all := probe.Inject(sqlprobe.Fault{Err: errDisk})
	if _, err = tx.Exec("INSERT"); !errors.As(err, &own) || own.code != "25P02" {
		t.Errorf("got %v, want the driver's error", err)
	}
	if all.Fired() != 0 {
		t.Error("no fault was expected to meet an aborted transaction")
	}
	all.Remove()
	_, err = tx.Exec("ROLLBACK TO SAVEPOINT a")
	fine(t, err)
	probe.Inject(sqlprobe.Fault{Pattern: "^INSERT", Times: 1, Err: &pgError{"23505"}})
	if _, err = tx.Exec("INSERT"); !errors.As(err, &own) || own.code != "23505" {
		t.Errorf("got %v, want the injected error", err)
	}
	if err := tx.Commit(); fmt.Sprint(err) != "rolled back by the server" {
		t.Errorf("got %v, want the driver's error", err)
	}
	const do = "DO $sqlprobe$BEGIN RAISE EXCEPTION USING ERRCODE = '%s', MESSAGE = '%s'; END$sqlprobe$"
	want := fmt.Sprint(log{
		fmt.Sprintf(do, "40001", "could not serialize access due to concurrent update"), "INSERT", "ROLLBACK TO SAVEPOINT a",
		fmt.Sprintf(do, "23505", "broken by sqlprobe"), "commit", "valid?",
	})
	if got := fmt.Sprint(*l); got != want {
		t.Errorf("the driver was asked\n%s\nand not\n%s", got, want)
	}
}
