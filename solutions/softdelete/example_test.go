//go:build solutions

package softdelete_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/backend-kata/dojo/pkg/sqlprobe"
	"github.com/backend-kata/dojo/pkg/sqlprobe/sqlite"
	"github.com/backend-kata/dojo/solutions/internal/numbers"
)

// The example and the numbers of docs/softdelete.md come from here. With -v the tests print them.

// example: wrong
const wrong = `
    CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT UNIQUE, deleted_at INTEGER);
    CREATE TABLE addresses (id INTEGER PRIMARY KEY, text TEXT, deleted_at INTEGER,
        customer INTEGER REFERENCES customers ON DELETE CASCADE)` // which an UPDATE never fires

const wrongDelete = `UPDATE customers SET deleted_at = unixepoch() WHERE id = ?`

// end

// example: right
const right = `
    CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT NOT NULL, deletion INTEGER);
    CREATE UNIQUE INDEX customers_email ON customers (email) WHERE deletion IS NULL;
    CREATE TABLE addresses (id INTEGER PRIMARY KEY, text TEXT NOT NULL, deletion INTEGER,
        customer INTEGER NOT NULL REFERENCES customers);
    CREATE VIEW live_addresses AS SELECT id, text, customer FROM addresses WHERE deletion IS NULL`

// Run in one transaction. ?2 is the number of the deletion: a row of its own, with the time.
var rightDelete = []string{
	`UPDATE customers SET deletion = ?2 WHERE id = ?1 AND deletion IS NULL`,
	`UPDATE addresses SET deletion = ?2 WHERE customer = ?1 AND deletion IS NULL`,
}

// end

var rightRestore = []string{
	`UPDATE customers SET deletion = NULL WHERE deletion = ?`,
	`UPDATE addresses SET deletion = NULL WHERE deletion = ?`,
}

// transact runs statements in one transaction.
func transact(ctx context.Context, db *sql.DB, statements []string, args ...any) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s, args...); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

// outcome says what came of a statement.
func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	return strings.TrimPrefix(err.Error(), "sqlite3: constraint failed: ")
}

// TestExample deletes a customer who has moved house once, and signs her up again.
func TestExample(t *testing.T) {
	const signup = `INSERT INTO customers (email) VALUES ('ann@example.com')`
	const taken = "UNIQUE constraint failed: customers.email"
	var log strings.Builder
	line := func(who, what, got, want string) {
		fmt.Fprintf(&log, "%-7s%-31s%s\n", who, what, got)
		if got != want {
			t.Errorf("%s %s: got %s, want %s", who, what, got, want)
		}
	}
	letters := func(db *sql.DB, query string) string {
		var all sql.NullString
		if err := db.QueryRowContext(t.Context(), query).Scan(&all); err != nil {
			t.Fatal(err)
		}
		if !all.Valid {
			return "to nobody"
		}
		return "to " + all.String
	}
	add := func(db *sql.DB, query string) string {
		_, err := db.ExecContext(t.Context(), query)
		return outcome(err)
	}

	db, _ := memory(t)
	exec(t, db, wrong)
	exec(t, db, signup)
	exec(t, db, `INSERT INTO addresses (text, customer, deleted_at) VALUES ('Elm Street 1', 1, unixepoch()), ('Oak Lane 2', 1, NULL)`)
	exec(t, db, wrongDelete, 1)
	line("wrong:", "letters after the deletion", letters(db, `SELECT group_concat(text) FROM addresses WHERE deleted_at IS NULL`), "to Oak Lane 2")
	line("", "she signs up again", add(db, signup), taken)

	db, _ = memory(t)
	exec(t, db, right)
	exec(t, db, signup)
	exec(t, db, `INSERT INTO addresses (text, customer, deletion) VALUES ('Elm Street 1', 1, 1), ('Oak Lane 2', 1, NULL)`)
	const live = `SELECT group_concat(text) FROM live_addresses`
	line("right:", "the same deletion, number 2", outcome(transact(t.Context(), db, rightDelete, 1, 2)), "ok")
	line("", "letters after the deletion", letters(db, live), "to nobody")
	line("", "she signs up again", add(db, signup), "ok")
	line("", "deletion 2 is restored", outcome(transact(t.Context(), db, rightRestore, 2)), taken)
	line("", "the new account is deleted", outcome(transact(t.Context(), db, rightDelete, 2, 3)), "ok")
	line("", "deletion 2 is restored", outcome(transact(t.Context(), db, rightRestore, 2)), "ok")
	line("", "letters after the restore", letters(db, live), "to Oak Lane 2")
	t.Log("\n" + log.String())
}

var databases atomic.Int64 // so that each has one of its own

// memory makes an empty database.
func memory(t *testing.T) (*sql.DB, *sqlprobe.Probe) {
	t.Helper()
	return open(t, fmt.Sprintf("file:/softdelete-example-%d?vfs=memdb", databases.Add(1)))
}

func open(t *testing.T, name string) (*sql.DB, *sqlprobe.Probe) {
	t.Helper()
	probe, err := sqlite.New(name)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(probe)
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	return db, probe
}

func exec(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

// count runs a query for a number.
func count(t *testing.T, db *sql.DB, query string, args ...any) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// The indexes that come to mind for the latest of a list.
const (
	onDeletedAt = `(deleted_at)`
	onCreated   = `(created)`
	onBoth      = `(deleted_at, created)`
	partial     = `(created) WHERE deleted_at IS NULL`
)

// latest returns what the latest 20 customers take by an index, in steps of SQLite's virtual machine, and how many
// entries the index has. Of 20,000 customers nine in ten are deleted, evenly.
func latest(t *testing.T, index string) (steps int64, entries int) {
	t.Helper()
	db, probe := memory(t)
	exec(t, db, `CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT NOT NULL, created INTEGER NOT NULL, deleted_at INTEGER)`)
	exec(t, db, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 20000)
		INSERT INTO customers SELECT i, i || '@example.com', i, CASE WHEN i * 37 % 100 < 90 THEN i + 5 END FROM n`)
	exec(t, db, `CREATE INDEX latest ON customers `+index)
	exec(t, db, `ANALYZE`)
	found := 0
	rec := probe.Record(func() {
		rows, err := db.QueryContext(t.Context(), `SELECT id, email FROM customers WHERE deleted_at IS NULL ORDER BY created DESC LIMIT 20`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			found++
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	})
	if found != 20 {
		t.Errorf("by %s there are %d customers, want 20", index, found)
	}
	steps, err := rec.Work()
	if err != nil {
		t.Fatal(err)
	}
	_, where, ok := strings.Cut(index, " WHERE ")
	if !ok {
		where = "true"
	}
	return steps, count(t, db, `SELECT count(*) FROM customers WHERE `+where)
}

// TestNumber logs the number worth remembering.
func TestNumber(t *testing.T) {
	slow, _ := latest(t, onDeletedAt)
	fast, _ := latest(t, partial)
	if slow < 200*fast {
		t.Errorf("%d steps by %s, and %d by %s", slow, onDeletedAt, fast, partial)
	}
	t.Logf("with 90 %% of 20,000 rows deleted, the latest 20 of the rest cost %s steps by an index on `deleted_at`, and %s by a partial index",
		numbers.Thousands(slow), numbers.Thousands(fast))
}

// TestIndexes logs what the other indexes take.
func TestIndexes(t *testing.T) {
	created, _ := latest(t, onCreated)
	both, all := latest(t, onBoth)
	part, few := latest(t, partial)
	if created < 5*part || both < part || all != 10*few {
		t.Errorf("%d steps by %s, %d by %s with %d entries, %d by %s with %d", created, onCreated, both, onBoth, all, part, partial, few)
	}
	t.Logf("%s steps by an index on `created`, %s by one on both columns with %s entries, and %s by the partial one with %s",
		numbers.Thousands(created), numbers.Thousands(both), numbers.Thousands(all), numbers.Thousands(part), numbers.Thousands(few))
}

// A place counts the copies of an email in a database file and in its write-ahead log.
type place struct {
	db   *sql.DB
	file string
}

const email = "ann@example.com"

// file makes a database of a thousand customers in a file, with a write-ahead log.
func file(t *testing.T, secure string) place {
	t.Helper()
	p := place{file: filepath.Join(t.TempDir(), "shop.db")}
	p.db, _ = open(t, "file:"+p.file)
	for _, s := range []string{
		`PRAGMA journal_mode = WAL`,
		`PRAGMA secure_delete = ` + secure,
		`CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT NOT NULL, deleted_at INTEGER)`,
		`CREATE UNIQUE INDEX customers_email ON customers (email) WHERE deleted_at IS NULL`,
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 1000)
			INSERT INTO customers SELECT i, iif(i = 500, '` + email + `', i || '@example.org'), NULL FROM n`,
		checkpoint,
	} {
		exec(t, p.db, s)
	}
	return p
}

const checkpoint = `PRAGMA wal_checkpoint(TRUNCATE)`

// copies counts rows, then copies in the file and in the log.
func (p place) copies(t *testing.T) (n [3]int) {
	t.Helper()
	n[0] = count(t, p.db, `SELECT count(*) FROM customers WHERE email = ?`, email)
	n[1], n[2] = within(t, p.file), within(t, p.file+"-wal")
	return n
}

// within counts the copies in a file.
func within(t *testing.T, file string) int {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return bytes.Count(data, []byte(email))
}

// TestCopies logs how many copies of an email are left after each way to delete it, one after the other.
func TestCopies(t *testing.T) {
	off, on := file(t, "OFF"), file(t, "ON")
	backup := filepath.Join(t.TempDir(), "backup.db")
	exec(t, off.db, `VACUUM INTO ?`, backup)
	rows := [][]string{{"what was done, in this order", "rows", "file", "log", "file, `secure_delete`", "log, `secure_delete`", "backup"}}
	look := func(what string, off, on place, want [5]int) {
		o, s := off.copies(t), on.copies(t)
		got := [5]int{o[0], o[1], o[2], s[1], s[2]}
		if got != want {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
		row := []string{what}
		for _, n := range append(got[:], within(t, backup)) {
			row = append(row, strconv.Itoa(n))
		}
		rows = append(rows, row)
	}
	look("stored", off, on, [5]int{1, 2, 0, 2, 0})
	for _, step := range []struct {
		what, statement string
		want            [5]int
	}{
		{"`deleted_at` is set", `UPDATE customers SET deleted_at = 1 WHERE id = 500`, [5]int{1, 2, 2, 2, 1}},
		{"`DELETE`", `DELETE FROM customers WHERE id = 500`, [5]int{0, 2, 3, 2, 1}},
		{"checkpoint", checkpoint, [5]int{0, 2, 0, 0, 0}},
		{"`VACUUM`, checkpoint", `VACUUM`, [5]int{0, 0, 0, 0, 0}},
	} {
		for _, p := range []place{off, on} {
			exec(t, p.db, step.statement)
			if step.statement == `VACUUM` {
				exec(t, p.db, checkpoint)
			}
		}
		look(step.what, off, on, step.want)
	}
	db, _ := open(t, "file:"+backup)
	restored := place{db, backup}
	look("the backup is restored", restored, restored, [5]int{1, 2, 0, 2, 0})
	t.Log("\n" + numbers.Table(rows))
}
