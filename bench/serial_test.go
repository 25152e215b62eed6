//go:build solutions && unix

package bench_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/backend-kata/dojo/pkg/serial"
	"github.com/backend-kata/dojo/pkg/sqlprobe/sqlite"
)

// mostRounds is how often a workload of 200 transactions is run, unless all that is expected was
// found before.
const mostRounds = 20

// A contender is a database at one of its levels, and what it is expected to show.
type contender struct {
	name     string
	open     func(t *testing.T) *sql.DB
	level    sql.IsolationLevel
	setup    string // of each transaction
	promised []serial.Level
	shows    map[serial.Workload][]serial.Kind
}

var sessions = []serial.Level{serial.ReadYourWrites, serial.MonotonicReads}

var contenders = []contender{
	{
		name: "PostgreSQL, READ UNCOMMITTED", open: openPostgres, level: sql.LevelReadUncommitted, setup: waitBriefly,
		promised: append([]serial.Level{serial.ReadCommitted}, sessions...), shows: readCommitted,
	},
	{
		name: "PostgreSQL, READ COMMITTED", open: openPostgres, level: sql.LevelReadCommitted, setup: waitBriefly,
		promised: append([]serial.Level{serial.ReadCommitted}, sessions...), shows: readCommitted,
	},
	{
		name: "PostgreSQL, REPEATABLE READ", open: openPostgres, level: sql.LevelRepeatableRead, setup: waitBriefly,
		promised: append([]serial.Level{serial.Snapshot}, sessions...),
		shows: map[serial.Workload][]serial.Kind{
			serial.Appends: {serial.G2Item},
			serial.Updates: {serial.G2Item},
			serial.Inserts: {serial.G2},
		},
	},
	{
		name: "PostgreSQL, SERIALIZABLE", open: openPostgres, level: sql.LevelSerializable, setup: waitBriefly,
		promised: append([]serial.Level{serial.Serializable}, sessions...),
	},
	{
		name: "SQLite, WAL", open: openSQLite,
		promised: append([]serial.Level{serial.Serializable}, sessions...),
	},
}

// At READ COMMITTED an update is lost only where a transaction reads a row and writes it later. The
// appends have not read: the UPDATE itself does, as the row is then.
var readCommitted = map[serial.Workload][]serial.Kind{
	serial.Appends: {serial.GSingle, serial.G2Item},
	serial.Updates: {serial.LostUpdate, serial.GSingle, serial.G2Item},
	serial.Inserts: {serial.GSingle, serial.G2},
}

// Two transactions that wait for each other would wait a second for PostgreSQL to notice.
const waitBriefly = "SET LOCAL lock_timeout = '20ms'"

// Which anomalies databases show at each of their levels, and that they keep what they promise.
func TestPostgresSerial(t *testing.T) {
	workloads := []serial.Workload{serial.Appends, serial.Updates, serial.Inserts}
	table := "| | appends | updates | inserts |\n|---|---|---|---|\n"
	for _, c := range contenders {
		table += "| " + c.name
		db := c.open(t)
		for _, w := range workloads {
			table += " | " + c.cell(t, db, w)
		}
		table += " |\n"
	}
	t.Log("\n" + table)
}

// cell runs rounds of a workload and says what was found.
func (c contender) cell(t *testing.T, db *sql.DB, w serial.Workload) string {
	t.Helper()
	found := map[serial.Kind]bool{}
	missing := func() []serial.Kind {
		return slices.DeleteFunc(slices.Clone(c.shows[w]), func(k serial.Kind) bool { return found[k] })
	}
	for round := 0; round < mostRounds && (round == 0 || len(c.shows[w]) == 0 || len(missing()) > 0); round++ {
		run(t, db, "DELETE FROM serial_kv")
		h := c.round(t, db, serial.Generate(w, uint64(round), 200, 4))
		r, err := serial.Analyze(h)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range r.Anomalies {
			found[x.Kind] = true
		}
		for _, l := range c.promised {
			if err := serial.Check(h, l); err != nil {
				t.Errorf("%s, %s, round %d: %v", c.name, w, round, err)
			}
		}
		committed := 0
		for _, txn := range h {
			if txn.Outcome == serial.Committed {
				committed++
			}
		}
		if committed < 40 || h[len(h)-1].Outcome != serial.Committed {
			t.Errorf("%s, %s, round %d: only %d of %d transactions committed, or not the last", c.name, w, round, committed, len(h))
		}
	}
	if w == serial.Appends && found[serial.LostUpdate] {
		t.Errorf("%s: a lost update was found among appends that have not read", c.name)
	}
	if m := missing(); len(m) > 0 {
		t.Errorf("%s, %s: no %v in %d rounds", c.name, w, m, mostRounds)
	}
	if len(c.shows[w]) == 0 {
		return "none"
	}
	var names []string
	for _, k := range c.shows[w] {
		name, _, _ := strings.Cut(k.String(), " (") // without Adya's
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// round runs all transactions but the last by six clients, and then the last.
func (c contender) round(t *testing.T, db *sql.DB, plan [][]serial.Op) serial.History {
	t.Helper()
	var rec serial.Recorder
	var clients sync.WaitGroup
	todo := make(chan []serial.Op)
	for client := range 6 {
		clients.Go(func() {
			for ops := range todo {
				if err := c.transact(t.Context(), db, rec.Begin(client+1), ops); err != nil {
					t.Errorf("%s: %v", c.name, err)
				}
			}
		})
	}
	for _, ops := range plan[:len(plan)-1] {
		todo <- ops
	}
	close(todo)
	clients.Wait()
	if err := c.transact(t.Context(), db, rec.Begin(0), plan[len(plan)-1]); err != nil {
		t.Errorf("%s: %v", c.name, err)
	}
	return rec.History()
}

// transact runs one transaction and records it. That the database rolls it back is no error.
func (c contender) transact(ctx context.Context, db *sql.DB, rec *serial.Tx, ops []serial.Op) error {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: c.level})
	if err != nil && refused(err) {
		rec.Abort()
		return nil
	}
	if err != nil {
		return err
	}
	if c.setup != "" {
		if _, err := tx.ExecContext(ctx, c.setup); err != nil {
			return err
		}
	}
	for _, op := range ops {
		if err := do(ctx, tx, rec, op); err != nil {
			rec.Abort()
			return tx.Rollback()
		}
	}
	switch err := tx.Commit(); {
	case err == nil:
		rec.Commit()
	case refused(err):
		rec.Abort()
		_ = tx.Rollback()
	default:
		rec.Unknown()
	}
	return nil
}

// refused says whether an error is the answer of a database that is there.
func refused(err error) bool {
	var state interface{ SQLState() string }
	return errors.As(err, &state) || strings.Contains(err.Error(), "locked")
}

func do(ctx context.Context, tx *sql.Tx, rec *serial.Tx, op serial.Op) error {
	switch op.Kind {
	case serial.Append:
		rec.Append(op.Key, op.Values[0])
		_, err := tx.ExecContext(ctx, "INSERT INTO serial_kv VALUES ($1, $2) ON CONFLICT (k) DO UPDATE SET v = serial_kv.v || ' ' || excluded.v", op.Key, op.Values[0])
		return err
	case serial.Put:
		rec.Put(op.Key, op.Values[0])
		_, err := tx.ExecContext(ctx, "INSERT INTO serial_kv VALUES ($1, $2) ON CONFLICT (k) DO UPDATE SET v = excluded.v", op.Key, op.Values[0])
		return err
	case serial.Read:
		var v string
		err := tx.QueryRowContext(ctx, "SELECT v FROM serial_kv WHERE k = $1", op.Key).Scan(&v)
		if err == nil || errors.Is(err, sql.ErrNoRows) {
			rec.Read(op.Key, strings.Fields(v)...)
			return nil
		}
		return err
	default:
		return scan(ctx, tx, rec, op)
	}
}

func scan(ctx context.Context, tx *sql.Tx, rec *serial.Tx, op serial.Op) error {
	rows, err := tx.QueryContext(ctx, "SELECT k, v FROM serial_kv WHERE k >= $1 AND k < $2 ORDER BY k", op.Key, op.To)
	if err != nil {
		return err
	}
	defer rows.Close()
	var seen []serial.Row
	for rows.Next() {
		var k, v string
		if err := rows.Scan(&k, &v); err != nil {
			return err
		}
		seen = append(seen, serial.Row{Key: k, Values: strings.Fields(v)})
	}
	if err := rows.Err(); err != nil {
		return err
	}
	rec.Scan(op.Key, op.To, seen...)
	return nil
}

func openPostgres(t *testing.T) *sql.DB {
	t.Helper()
	db, _ := connect(t)
	db.SetMaxOpenConns(6)
	run(t, db, `DROP TABLE IF EXISTS serial_kv; CREATE TABLE serial_kv (k text COLLATE "C" PRIMARY KEY, v text NOT NULL)`)
	t.Cleanup(func() {
		if _, err := db.ExecContext(context.Background(), "DROP TABLE IF EXISTS serial_kv"); err != nil {
			t.Error(err)
		}
	})
	return db
}

func openSQLite(t *testing.T) *sql.DB {
	t.Helper()
	probe, err := sqlite.New("file:" + t.TempDir() + "/serial.db?_pragma=busy_timeout(100)&_pragma=journal_mode(wal)&_pragma=synchronous(off)")
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(probe)
	db.SetMaxOpenConns(6)
	t.Cleanup(func() { _ = db.Close() })
	run(t, db, "CREATE TABLE serial_kv (k TEXT PRIMARY KEY, v TEXT NOT NULL)")
	return db
}
