//go:build solutions && unix

package bench_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	applyDelay = 2 * time.Second
	idle       = 3 * time.Second
)

// A pair is a primary, and a standby that applies each commit 2 s late.
type pair struct {
	primary, standby *sql.DB
	second           *cluster // the standby's
}

func startPair(t *testing.T) pair {
	t.Helper()
	if os.Getenv("DOJO_POSTGRES") != "start" {
		t.Skip("a primary and a standby are needed: set DOJO_POSTGRES to start")
	}
	first, second := &cluster{}, &cluster{}
	for _, c := range []*cluster{first, second} {
		t.Cleanup(func() {
			if err := c.stop(); err != nil {
				t.Error(err)
			}
		})
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("A primary and a standby were to be started: %v", err)
		}
	}
	must(first.prepare())
	must(first.run("initdb", "-D", first.folder, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"))
	primary, err := first.serve("autovacuum=off") // idle is to mean idle
	must(err)
	must(second.prepare())
	must(second.run("pg_basebackup", "-D", second.folder, "-h", first.folder, "-U", "postgres", "-R", "-c", "fast", "--no-sync"))
	must(os.Remove(filepath.Join(second.folder, ".s.PGSQL.5432.lock"))) // the primary's, copied with the rest
	standby, err := second.serve(fmt.Sprintf("recovery_min_apply_delay=%d", applyDelay.Milliseconds()), "wal_retrieve_retry_interval=100ms")
	must(err)
	open := func(address string) *sql.DB {
		db, err := sql.Open("pgx", address)
		must(err)
		db.SetMaxOpenConns(1)
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	return pair{open(primary), open(standby), second}
}

func ask[T any](t *testing.T, db interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, query string, args ...any,
) (answer T) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return answer
}

const (
	name     = "SELECT name FROM users WHERE id = 1"
	position = "SELECT pg_current_wal_insert_lsn()::text"
	caughtUp = "SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn"
	timeline = "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)::int"

	// Three ways to ask for a lag in seconds.
	byReplay = "SELECT extract(epoch FROM now() - pg_last_xact_replay_timestamp())"
	byBoth   = "SELECT CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 " +
		"ELSE extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END"
	byHeartbeat = "SELECT extract(epoch FROM now() - at) FROM heartbeat"
)

// wait polls the standby until it has replayed a position.
func (p pair) wait(t *testing.T, lsn string) time.Duration {
	t.Helper()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if ask[bool](t, p.standby, caughtUp, lsn) {
			return time.Since(began)
		}
		if time.Since(began) > 30*time.Second {
			t.Fatalf("The standby has not replayed %s in 30 s", lsn)
		}
	}
}

// cutOff ends the standby's connection to the primary.
func (p pair) cutOff(t *testing.T) {
	t.Helper()
	run(t, p.standby, "ALTER SYSTEM SET primary_conninfo = ''")
	run(t, p.standby, "SELECT pg_reload_conf()")
	for ask[int](t, p.standby, "SELECT count(*) FROM pg_stat_wal_receiver") > 0 {
		time.Sleep(10 * time.Millisecond)
	}
}

// A report is what the page shows, checked line by line.
type report struct {
	*testing.T
	text strings.Builder
}

func (r *report) head(words string) { fmt.Fprintf(&r.text, "%s\n", words) }

func (r *report) is(what string, want, got any) {
	r.Helper()
	fmt.Fprintf(&r.text, "  %-50s %v\n", what, got)
	if got != want {
		r.Errorf("%s: %v, and %v was expected", what, got, want)
	}
}

// about allows for a slow machine, and says whole seconds.
func (r *report) about(what string, seconds int, got float64) {
	r.Helper()
	fmt.Fprintf(&r.text, "  %-50s %.0f s\n", what, got)
	if low := float64(seconds); got < low-0.5 || got > low+3 {
		r.Errorf("%s: %.3f s, and %d was expected", what, got, seconds)
	}
}

// What a standby answers right after a write; what its clocks say when nothing is written, and when it is cut off; and
// what becomes of a position when it is promoted without the write.
func TestPostgresReplicaLag(t *testing.T) {
	p := startPair(t)
	r := &report{T: t}
	run(t, p.primary, "CREATE TABLE users (id int, name text); INSERT INTO users VALUES (1, 'Ann')")
	run(t, p.primary, "CREATE TABLE heartbeat (at timestamptz); INSERT INTO heartbeat VALUES (now())")
	p.wait(t, ask[string](t, p.primary, position))

	r.head("The primary: BEGIN; UPDATE users SET name = 'Bo'; COMMIT")
	tx, err := p.primary.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var inside string
	if _, err = tx.ExecContext(t.Context(), "UPDATE users SET name = 'Bo'"); err == nil {
		err = tx.QueryRowContext(t.Context(), position).Scan(&inside)
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
	after := ask[string](t, p.primary, position)
	p.wait(t, inside)
	r.is("name", "Ann", ask[string](t, p.standby, name))
	r.is("replayed the LSN read before COMMIT", true, ask[bool](t, p.standby, caughtUp, inside))
	r.is("replayed the LSN read after COMMIT", false, ask[bool](t, p.standby, caughtUp, after))
	r.about("replays that one after", 2, p.wait(t, after).Seconds())
	r.is("name", "Bo", ask[string](t, p.standby, name))

	r.head("\nThe primary is idle for 3 s. The standby lacks nothing.")
	time.Sleep(idle)
	r.about("now() - pg_last_xact_replay_timestamp()", 5, ask[float64](t, p.standby, byReplay))
	r.about("0 if received = replayed, else the same", 0, ask[float64](t, p.standby, byBoth))

	for range 12 {
		run(t, p.primary, "UPDATE heartbeat SET at = now()")
		time.Sleep(200 * time.Millisecond)
	}
	beat := ask[float64](t, p.standby, byHeartbeat)
	p.wait(t, ask[string](t, p.primary, position))
	p.cutOff(t)
	run(t, p.primary, "UPDATE users SET name = 'Cy'")
	lost := ask[string](t, p.primary, position)
	time.Sleep(idle)
	r.head("\nCut off for 3 s. The standby lacks a write.")
	r.is("name", "Bo", ask[string](t, p.standby, name))
	r.about("0 if received = replayed, else the same", 0, ask[float64](t, p.standby, byBoth))
	r.about("the age of a heartbeat row", 5, ask[float64](t, p.standby, byHeartbeat))
	if beat < 1.5 || beat > 4 {
		t.Errorf("The heartbeat was %.3f s old before, and 2 s were expected", beat)
	}

	if err := p.second.run("pg_ctl", "-D", p.second.folder, "-w", "promote"); err != nil {
		t.Fatal(err)
	}
	run(t, p.standby, "CREATE TABLE others AS SELECT generate_series(1, 1000)")
	r.head("\nIt is promoted without that write, and takes others.")
	r.is("LSN >= that of the lost write", true, ask[bool](t, p.standby, "SELECT pg_current_wal_lsn() >= $1::pg_lsn", lost))
	r.is("name", "Bo", ask[string](t, p.standby, name))
	r.is("timeline of the lost write", 1, ask[int](t, p.primary, timeline))
	r.is("timeline now", 2, ask[int](t, p.standby, timeline))
	t.Log("\n" + r.text.String())
}
