//go:build solutions && unix

package bench_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// A people is the table that docs/migration.md changes, and three connections to its server.
type people struct{ change, others, look *sql.DB }

func newPeople(t *testing.T) people {
	t.Helper()
	var p people
	for _, db := range []**sql.DB{&p.change, &p.others, &p.look} {
		*db, _ = connect(t)
	}
	emptySchema(t, p.look)
	run(t, p.look, `
		CREATE TABLE migration.people (id INTEGER PRIMARY KEY, name TEXT, age INTEGER);
		INSERT INTO migration.people SELECT i, 'Ann Lee', i % 90 FROM generate_series(1, 1000) AS i`)
	return p
}

// emptySchema makes the schema migration, for as long as the test runs.
func emptySchema(t *testing.T, db *sql.DB) {
	t.Helper()
	run(t, db, "DROP SCHEMA IF EXISTS migration CASCADE; CREATE SCHEMA migration")
	t.Cleanup(func() {
		if _, err := db.ExecContext(context.WithoutCancel(t.Context()), "DROP SCHEMA migration CASCADE"); err != nil {
			t.Error(err)
		}
	})
}

// waits says whether a statement is still waiting for a lock after a tenth of a second.
func waits(t *testing.T, db *sql.DB, statement string) bool {
	t.Helper()
	run(t, db, "SET lock_timeout = '100ms'")
	_, err := db.ExecContext(t.Context(), statement)
	run(t, db, "SET lock_timeout = 0")
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "55P03" {
		return true
	}
	if err != nil {
		t.Fatal(err)
	}
	return false
}

// state says which lock the change holds on the table, and whether others can read and write it.
func (p people) state(t *testing.T, pid int) string {
	t.Helper()
	var modes string
	if err := p.look.QueryRowContext(t.Context(), `SELECT string_agg(mode, ', ' ORDER BY mode) FROM pg_locks
		WHERE relation = 'migration.people'::regclass AND granted AND mode <> 'AccessShareLock' AND pid = $1`, pid).Scan(&modes); err != nil {
		t.Fatal(err)
	}
	word := map[bool]string{false: "no", true: "yes"}
	return fmt.Sprintf("%s | %s | %s", modes, word[waits(t, p.look, "SELECT name FROM migration.people WHERE id = 7")],
		word[waits(t, p.look, "UPDATE migration.people SET age = 30 WHERE id = 7")])
}

// Which lock each way of docs/migration.md holds until it commits, whether reads and writes wait for it, and whether the
// table is rewritten. It is what the model in solutions/migration/locks_test.go assumes.
func TestPostgresMigrationLocks(t *testing.T) {
	p := newPeople(t)
	pid := ask[int](t, p.change, "SELECT pg_backend_pid()")
	const file = "SELECT pg_relation_filenode('migration.people')"
	var log strings.Builder
	log.WriteString("| statement | lock on the table | reads wait | writes wait | rewritten |\n|---|---|---|---|---|\n")
	for _, tt := range []struct{ statement, want string }{
		{"ALTER TABLE migration.people ADD COLUMN first TEXT", "AccessExclusiveLock | yes | yes | false"},
		{"ALTER TABLE migration.people ADD COLUMN score INTEGER NOT NULL DEFAULT 0", "AccessExclusiveLock | yes | yes | false"},
		{"ALTER TABLE migration.people RENAME COLUMN name TO first", "AccessExclusiveLock | yes | yes | false"},
		{"ALTER TABLE migration.people DROP COLUMN name", "AccessExclusiveLock | yes | yes | false"},
		{"ALTER TABLE migration.people ALTER COLUMN age TYPE BIGINT", "AccessExclusiveLock, ShareLock | yes | yes | true"},
		{"ALTER TABLE migration.people ALTER COLUMN name SET NOT NULL", "AccessExclusiveLock | yes | yes | false"},
		{"ALTER TABLE migration.people ADD CONSTRAINT old CHECK (age >= 0)", "AccessExclusiveLock | yes | yes | false"},
		{"ALTER TABLE migration.people ADD CONSTRAINT old CHECK (age >= 0) NOT VALID", "AccessExclusiveLock | yes | yes | false"},
		{"ALTER TABLE migration.people VALIDATE CONSTRAINT old", "ShareUpdateExclusiveLock | no | no | false"},
		{"CREATE INDEX ON migration.people (name)", "ShareLock | no | yes | false"},
		{"UPDATE migration.people SET name = name", "RowExclusiveLock | no | yes | false"},
		{"UPDATE migration.people SET name = name WHERE id > 100 AND id <= 200", "RowExclusiveLock | no | no | false"},
	} {
		validates := strings.Contains(tt.statement, "VALIDATE")
		if validates {
			run(t, p.change, "ALTER TABLE migration.people ADD CONSTRAINT old CHECK (age >= 0) NOT VALID")
		}
		before := ask[int](t, p.change, file)
		tx, err := p.change.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), tt.statement); err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprintf("%s | %t", p.state(t, pid), ask[int](t, tx, file) != before)
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.statement, got, tt.want)
		}
		fmt.Fprintf(&log, "| %s | %s |\n", strings.ReplaceAll(tt.statement, "migration.", ""), got)
	}
	t.Log("\n" + log.String())
}

// CREATE INDEX CONCURRENTLY waits for a transaction that has written, and meanwhile nobody waits for it.
func TestPostgresMigrationConcurrently(t *testing.T) {
	p := newPeople(t)
	pid := ask[int](t, p.change, "SELECT pg_backend_pid()")
	run(t, p.others, "BEGIN; UPDATE migration.people SET age = 31 WHERE id = 8") // open until this connection is used again
	done := make(chan error, 1)
	go func() {
		_, err := p.change.ExecContext(t.Context(), "CREATE INDEX CONCURRENTLY ON migration.people (name)")
		done <- err
	}()
	await(t, func() bool {
		return ask[int](t, p.look, fmt.Sprintf("SELECT count(*) FROM pg_stat_activity WHERE pid = %d AND wait_event_type = 'Lock'", pid)) == 1
	})
	if got, want := p.state(t, pid), "ShareUpdateExclusiveLock | no | no"; got != want {
		t.Errorf("while it waits: %s, want %s", got, want)
	}
	run(t, p.others, "COMMIT")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Behind an ALTER TABLE that waits for a report, reads wait too. With a lock_timeout it gives up, and they go on.
func TestPostgresMigrationQueue(t *testing.T) {
	p := newPeople(t)
	pid := ask[int](t, p.change, "SELECT pg_backend_pid()")
	var unset string
	if err := p.look.QueryRowContext(t.Context(), "SHOW lock_timeout").Scan(&unset); err != nil || unset != "0" {
		t.Errorf("lock_timeout is %q by default (%v), and the page says 0", unset, err)
	}
	run(t, p.others, "BEGIN; SELECT count(*) FROM migration.people") // the report, which has read and does not commit
	done := make(chan error, 1)
	go func() {
		_, err := p.change.ExecContext(t.Context(), "SET lock_timeout = '3s'; ALTER TABLE migration.people ADD COLUMN first TEXT")
		done <- err
	}()
	await(t, func() bool {
		return ask[int](t, p.look, fmt.Sprintf("SELECT count(*) FROM pg_locks WHERE pid = %d AND NOT granted", pid)) == 1
	})
	const read = "SELECT name FROM migration.people WHERE id = 7"
	if !waits(t, p.look, read) {
		t.Error("a read goes on although an ALTER TABLE waits before it")
	}
	var pg *pgconn.PgError
	if err := <-done; !errors.As(err, &pg) || pg.Code != "55P03" {
		t.Errorf("the ALTER TABLE returned %v, want 55P03, lock_not_available", err)
	}
	if waits(t, p.look, read) {
		t.Error("a read waits although the ALTER TABLE has given up")
	}
	run(t, p.others, "COMMIT")
}

// await calls until it is true, for ten seconds at most.
func await(t *testing.T, done func() bool) {
	t.Helper()
	for began := time.Now(); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatal("what was awaited has not happened in ten seconds")
		}
	}
}

// Two deployers and one advisory lock: while one waits for it inside a statement, the other's CREATE INDEX CONCURRENTLY
// waits for that statement's snapshot, and PostgreSQL ends one of the two as a deadlock.
func TestPostgresMigrationAdvisoryLock(t *testing.T) {
	p := newPeople(t)
	pid := ask[int](t, p.others, "SELECT pg_backend_pid()")
	run(t, p.change, "SELECT pg_advisory_lock(42)")
	second := make(chan error, 1)
	go func() {
		_, err := p.others.ExecContext(t.Context(), "SELECT pg_advisory_lock(42)")
		second <- err
	}()
	await(t, func() bool {
		return ask[int](t, p.look, fmt.Sprintf("SELECT count(*) FROM pg_locks WHERE pid = %d AND NOT granted", pid)) == 1
	})
	_, first := p.change.ExecContext(t.Context(), "CREATE INDEX CONCURRENTLY ON migration.people (name)")
	run(t, p.change, "SELECT pg_advisory_unlock_all()")
	var pg *pgconn.PgError
	if err := errors.Join(first, <-second); !errors.As(err, &pg) || pg.Code != "40P01" {
		t.Errorf("got %v, want 40P01, deadlock_detected", err)
	}
}
