package sqlite_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	sqlite3driver "github.com/ncruces/go-sqlite3/driver"

	"github.com/backend-kata/dojo/pkg/sqlprobe"
	"github.com/backend-kata/dojo/pkg/sqlprobe/sqlite"
)

func open(t *testing.T, setup ...func(*sqlite3.Conn) error) (*sql.DB, *sqlprobe.Probe) {
	t.Helper()
	probe, err := sqlite.New("file:/"+t.Name()+"?vfs=memdb", setup...)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(probe)
	t.Cleanup(func() { db.Close() })
	return db, probe
}

// Steps follow the rows that are read, are the same on every run, and belong to one
// run of a statement rather than to its life.
func TestStepsFollowTheRowsRead(t *testing.T) {
	db, probe := open(t)
	_, err := db.Exec("CREATE TABLE t (a INTEGER PRIMARY KEY, b INTEGER); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 2000) INSERT INTO t SELECT i, i FROM n")
	if err != nil {
		t.Fatal(err)
	}
	st, err := db.Prepare("SELECT a FROM t ORDER BY a LIMIT 10 OFFSET ?")
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	work := func(offset int) int64 {
		t.Helper()
		r := probe.Record(func() {
			rows, err := st.Query(offset)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			for rows.Next() {
			}
			if err := rows.Err(); err != nil {
				t.Error(err)
			}
		})
		w, err := r.Work()
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	first, last, again := work(0), work(1900), work(0)
	if first != again {
		t.Errorf("the same query took %d steps and then %d", first, again)
	}
	if last < 1900 || first > 200 {
		t.Errorf("ten rows took %d steps, and %d after 1900 others; at most 200 and at least 1900 were expected", first, last)
	}
}

// What the package comment says under Limits.
func TestLimits(t *testing.T) {
	db, probe := open(t)
	_, err := db.Exec("CREATE TABLE t (a INTEGER); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 2000) INSERT INTO t SELECT i FROM n")
	if err != nil {
		t.Fatal(err)
	}
	r := probe.Record(func() {
		var n int
		if err := db.QueryRow("SELECT count(*) FROM t").Scan(&n); err != nil || n != 2000 {
			t.Errorf("got %d rows and %v", n, err)
		}
	})
	if w, err := r.Work(); err != nil || w > 20 {
		t.Errorf("counting a table took %d steps (%v); a few were expected", w, err)
	}
	script := probe.Record(func() {
		if _, err := db.Exec("DELETE FROM t; DELETE FROM t"); err != nil {
			t.Error(err)
		}
	})
	if _, err := script.Work(); err == nil {
		t.Error("the work of a text of several statements is not known, and an error was expected")
	}
	if _, known := sqlite.Steps(otherStmt{}); known {
		t.Error("the steps of another driver's statement are not known")
	}
}

type otherStmt struct{ driver.Stmt }

func TestMaxParameters(t *testing.T) {
	ask := func(db *sql.DB, n int) error {
		rows, err := db.Query("SELECT "+strings.TrimSuffix(strings.Repeat("?,", n), ","), make([]any, n)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		rows.Next()
		return rows.Err()
	}
	var before int
	db, _ := open(t, func(c *sqlite3.Conn) error {
		before = c.Limit(sqlite3.LIMIT_VARIABLE_NUMBER, -1)
		return sqlite.MaxParameters(10)(c)
	})
	if err := ask(db, 10); err != nil {
		t.Errorf("10 parameters were expected to be right: %v", err)
	}
	if before != 32766 {
		t.Errorf("the limit was %d, and the comment of MaxParameters says 32,766", before)
	}
	if err := ask(db, 11); err == nil || !strings.Contains(err.Error(), "too many SQL variables") {
		t.Errorf("11 parameters were expected to be too many, got %v", err)
	}
}

func TestSetupThatFails(t *testing.T) {
	bad := errors.New("no")
	db, _ := open(t, func(*sqlite3.Conn) error { return bad })
	if err := db.Ping(); !errors.Is(err, bad) {
		t.Errorf("got %v, want the error of the setup", err)
	}
	if _, err := sqlite.New("file:x?_txlock=never"); err == nil {
		t.Error("a name that the driver refuses was expected to be an error")
	}
}

// What the driver offers past database/sql works through a probe.
func TestDriverExtras(t *testing.T) {
	db, _ := open(t)
	if _, err := db.Exec("CREATE TABLE t (a INTEGER)"); err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	save := sqlite3driver.Savepoint(tx)
	if _, err := tx.Exec("INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	if err := save.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := db.QueryRow("SELECT count(*) FROM t").Scan(&n); err != nil || n != 0 {
		t.Errorf("got %d rows and %v; the savepoint was rolled back", n, err)
	}
	c, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = c.Raw(func(x any) error {
		if sqlprobe.Unwrap(x).(sqlite3driver.Conn).Raw() == nil {
			return errors.New("no connection of SQLite")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	var blob []byte
	if err := db.QueryRow("SELECT ?", sqlite3.ZeroBlob(3)).Scan(&blob); err != nil || len(blob) != 3 {
		t.Errorf("an argument of the driver's own type was expected to arrive, got %v and %v", blob, err)
	}
}

// The database outlives the only connection, as one on a server does.
func TestDatabaseOutlivesALostConnection(t *testing.T) {
	db, probe := open(t)
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE t (a)"); err != nil {
		t.Fatal(err)
	}
	probe.Inject(sqlprobe.Fault{Pattern: "^COMMIT", Times: 1, Err: sqlprobe.ErrAnswerLost})
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); !errors.Is(err, sqlprobe.ErrAnswerLost) {
		t.Errorf("Commit returned %v", err)
	}
	var rows int
	if err := db.QueryRow("SELECT count(*) FROM t").Scan(&rows); err != nil || rows != 1 {
		t.Errorf("after a COMMIT whose answer was lost there are %d rows, %v, want the one", rows, err)
	}
}
