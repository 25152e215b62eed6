package sqlprobe_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/backend-kata/dojo/pkg/sqlprobe"
)

// A log is what a fake driver was asked.
type log []string

func (l *log) add(format string, args ...any) { *l = append(*l, fmt.Sprintf(format, args...)) }

// An old driver can do only what every driver must.
type (
	oldConnector struct{ log *log }
	oldConn      struct{ log *log }
	oldStmt      struct {
		log  *log
		text string
	}
	oldTx   struct{ log *log }
	oldRows struct{ left int }
)

func (c oldConnector) Connect(context.Context) (driver.Conn, error) { return oldConn(c), nil }
func (c oldConnector) Driver() driver.Driver                        { return nil }

func (c oldConn) Prepare(text string) (driver.Stmt, error) {
	c.log.add("prepare %s", text)
	return oldStmt{c.log, text}, nil
}
func (c oldConn) Close() error              { c.log.add("close"); return nil }
func (c oldConn) Begin() (driver.Tx, error) { c.log.add("begin"); return oldTx(c), nil }

func (s oldStmt) Close() error  { s.log.add("close %s", s.text); return nil }
func (s oldStmt) NumInput() int { return -1 }
func (s oldStmt) Exec(args []driver.Value) (driver.Result, error) {
	s.log.add("exec %s %v", s.text, args)
	return driver.RowsAffected(1), nil
}

func (s oldStmt) Query(args []driver.Value) (driver.Rows, error) {
	s.log.add("query %s %v", s.text, args)
	return &oldRows{left: 2}, nil
}

func (t oldTx) Commit() error   { t.log.add("commit"); return nil }
func (t oldTx) Rollback() error { t.log.add("rollback"); return nil }

func (r *oldRows) Columns() []string { return []string{"a"} }
func (r *oldRows) Close() error      { return nil }
func (r *oldRows) Next(dest []driver.Value) error {
	if r.left == 0 {
		return io.EOF
	}
	r.left--
	dest[0] = int64(r.left)
	return nil
}

// A new driver can do all there is.
type (
	newConnector struct{ log *log }
	newConn      struct{ oldConn }
	newStmt      struct{ oldStmt }
	newRows      struct {
		oldRows

		set int
	}
)

// point is a type that only the new driver takes.
type point struct{ x, y int }

func (c newConnector) Connect(context.Context) (driver.Conn, error) {
	return newConn{oldConn(c)}, nil
}
func (c newConnector) Driver() driver.Driver { return nil }
func (c newConnector) Close() error          { c.log.add("close connector"); return nil }

func (c newConn) Ping(context.Context) error         { c.log.add("ping"); return nil }
func (c newConn) ResetSession(context.Context) error { c.log.add("reset"); return nil }
func (c newConn) IsValid() bool                      { c.log.add("valid?"); return true }
func (c newConn) CheckNamedValue(v *driver.NamedValue) error {
	if p, ok := v.Value.(point); ok {
		v.Value = fmt.Sprintf("(%d,%d)", p.x, p.y)
		return nil
	}
	return driver.ErrSkip
}

func (c newConn) BeginTx(_ context.Context, opts driver.TxOptions) (driver.Tx, error) {
	c.log.add("begin %d %t", opts.Isolation, opts.ReadOnly)
	return oldTx(c.oldConn), nil
}

func (c newConn) ExecContext(_ context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	if strings.HasPrefix(text, "skip") {
		return nil, driver.ErrSkip
	}
	c.log.add("exec directly %s %v", text, args)
	return driver.RowsAffected(1), nil
}

func (c newConn) QueryContext(_ context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	c.log.add("query directly %s %v", text, args)
	return &newRows{oldRows: oldRows{left: 1}}, nil
}

func (c newConn) PrepareContext(_ context.Context, text string) (driver.Stmt, error) {
	c.log.add("prepare %s", text)
	return newStmt{oldStmt{c.log, text}}, nil
}

func (s newStmt) ExecContext(_ context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.log.add("exec with context %s %v", s.text, args)
	return driver.RowsAffected(1), nil
}

func (s newStmt) QueryContext(_ context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.log.add("query with context %s %v", s.text, args)
	return &newRows{oldRows: oldRows{left: 1}}, nil
}

func (s newStmt) ColumnConverter(int) driver.ValueConverter { return driver.String }

func (r *newRows) HasNextResultSet() bool { return r.set == 0 }
func (r *newRows) NextResultSet() error {
	if r.set++; r.set > 1 {
		return io.EOF
	}
	r.left = 2
	return nil
}
func (r *newRows) ColumnTypeDatabaseTypeName(int) string             { return "POINT" }
func (r *newRows) ColumnTypeLength(int) (int64, bool)                { return 7, true }
func (r *newRows) ColumnTypeNullable(int) (bool, bool)               { return true, true }
func (r *newRows) ColumnTypePrecisionScale(int) (int64, int64, bool) { return 5, 2, true }
func (r *newRows) ColumnTypeScanType(int) reflect.Type               { return reflect.TypeFor[point]() }

// use calls everything that database/sql offers, and returns what came of it.
func use(db *sql.DB, l *log) log {
	ctx := context.Background()
	say := func(what string, err error) { l.add("→ %s: %v", what, err) }
	say("ping", db.PingContext(ctx))
	for _, args := range [][]any{nil, {1, "b"}, {sql.Named("n", 1)}, {point{1, 2}}} {
		_, err := db.ExecContext(ctx, "e", args...)
		say("exec", err)
		_, err = db.ExecContext(ctx, "skip", args...)
		say("exec that is skipped", err)
		rows, err := db.QueryContext(ctx, "q", args...)
		say("query", err)
		if err != nil {
			continue
		}
		types, _ := rows.ColumnTypes()
		length, isLong := types[0].Length()
		null, isNull := types[0].Nullable()
		precision, scale, isDecimal := types[0].DecimalSize()
		l.add("→ %s %v %d %t %t %t %d %d %t", types[0].DatabaseTypeName(), types[0].ScanType(), length, isLong, null, isNull, precision, scale, isDecimal)
		for set := true; set; set = rows.NextResultSet() {
			for rows.Next() {
				var a int
				say("scan", rows.Scan(&a))
			}
		}
		say("close", errors.Join(rows.Err(), rows.Close())) //nolint:sqlclosecheck // the order of calls is what is tested
		st, err := db.PrepareContext(ctx, "p")
		say("prepare", err)
		_, err = st.ExecContext(ctx, args...)
		say("exec", err)
		var n int
		say("query", st.QueryRowContext(ctx, args...).Scan(&n))
		say("close", st.Close()) //nolint:sqlclosecheck // likewise
	}
	for _, opts := range []*sql.TxOptions{nil, {ReadOnly: true}, {Isolation: sql.LevelSerializable}} {
		tx, err := db.BeginTx(ctx, opts)
		say("begin", err)
		if err == nil {
			say("rollback", tx.Rollback())
		}
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	_, err := db.ExecContext(over, "late")
	say("late", err)
	tx, _ := db.Begin()
	say("commit", tx.Commit())
	say("close", db.Close())
	return *l
}

// With a probe and without, a driver is asked the same and answers the same.
func TestPassesOn(t *testing.T) {
	drivers := map[string]func(*log) driver.Connector{
		"that can do little": func(l *log) driver.Connector { return oldConnector{l} },
		"that can do all":    func(l *log) driver.Connector { return newConnector{l} },
	}
	for name, connector := range drivers {
		plain, probed, recorded := &log{}, &log{}, &log{}
		want := use(sql.OpenDB(connector(plain)), plain)
		got := use(sql.OpenDB(sqlprobe.New(connector(probed), nil)), probed)
		if d := cmp.Diff(want, got, cmp.Transformer("text", sameWords)); d != "" {
			t.Errorf("a driver %s (-without +with a probe):\n%s", name, d)
		}
		probe := sqlprobe.New(connector(recorded), nil)
		probe.Record(func() { got = use(sql.OpenDB(probe), recorded) })
		if d := cmp.Diff(want, got, cmp.Transformer("text", sameWords)); d != "" {
			t.Errorf("a driver %s (-without +with a recording):\n%s", name, d)
		}
	}
}

// sameWords makes this package's refusals those of database/sql.
func sameWords(s string) string {
	s = strings.ReplaceAll(s, "sqlprobe: the driver does not support named parameters", "sql: driver does not support the use of Named Parameters")
	s = strings.ReplaceAll(s, "sqlprobe: the driver does not support non-default isolation levels", "sql: driver does not support non-default isolation level")
	return strings.ReplaceAll(s, "sqlprobe: the driver does not support read-only", "sql: driver does not support read-only")
}

// What database/sql never calls, but other callers of a driver may.
func TestOldMethods(t *testing.T) {
	l := &log{}
	probe := sqlprobe.New(newConnector{l}, nil)
	if probe.Driver() != nil {
		t.Error("the driver is the connector's own, and the fake has none")
	}
	c, err := probe.Connect(context.Background())
	fine(t, err)
	st, err := c.Prepare("p")
	fine(t, err)
	fine(t, st.Close())
	tx, err := c.Begin() //nolint:staticcheck // the old method is what is tested
	fine(t, err)
	fine(t, tx.Rollback())
	fine(t, c.Close())
	if d := cmp.Diff(log{"prepare p", "close p", "begin 0 false", "rollback", "close"}, *l); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestUnwrap(t *testing.T) {
	db := sql.OpenDB(sqlprobe.New(oldConnector{&log{}}, nil))
	defer db.Close()
	c, err := db.Conn(context.Background())
	fine(t, err)
	defer c.Close()
	err = c.Raw(func(x any) error {
		if _, ok := sqlprobe.Unwrap(x).(oldConn); !ok {
			return fmt.Errorf("got %T", sqlprobe.Unwrap(x))
		}
		return nil
	})
	fine(t, err)
	if got := sqlprobe.Unwrap(5); got != 5 {
		t.Errorf("what is no connection was expected to stay as it is, got %v", got)
	}
}

// A meter that cannot tell makes work unknown, not zero.
func TestMeterThatCannotTell(t *testing.T) {
	l := &log{}
	probe := sqlprobe.New(newConnector{l}, func(driver.Stmt) (int64, bool) { return 0, false })
	db := sql.OpenDB(probe)
	defer db.Close()
	r := probe.Record(func() {
		_, err := db.Exec("e", point{1, 2})
		fine(t, err)
	})
	fine(t, r.CheckCount(1))
	says(t, r.CheckWork(5), "the work is not known: the probe has no meter for the statement from driver_test.go:N\n\n  1  driver_test.go:N  0 rows  e\n  with (\"(1,2)\")")
	if want := "exec with context e [{ 1 (1,2)}]"; !strings.Contains(strings.Join(*l, "\n"), want) {
		t.Errorf("with a meter %q was expected, got %q", want, *l)
	}
}
