//go:build solutions

package isolation_test

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/backend-kata/dojo/pkg/sqlprobe"
	"github.com/backend-kata/dojo/pkg/sqlprobe/sqlite"
	"github.com/backend-kata/dojo/solutions/isolation"
)

var errLast = errors.New("somebody must stay on call")

// example: sign-off
func signOff(ctx context.Context, tx *sql.Tx, doctor string) error {
	var others int
	err := tx.QueryRowContext(ctx,
		"SELECT count(*) FROM doctors WHERE on_call AND name <> $1", doctor).Scan(&others)
	if err != nil || others == 0 {
		return cmp.Or(err, errLast)
	}
	_, err = tx.ExecContext(ctx, "UPDATE doctors SET on_call = false WHERE name = $1", doctor)
	return err
}

// end

// example: serializable
func serializable(ctx context.Context, db *sql.DB, do func(*sql.Tx) error) error {
	for try := 1; ; try++ {
		tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
		if err != nil {
			return err
		}
		if err = do(tx); err == nil {
			err = tx.Commit() // can be the one that fails
		}
		_ = tx.Rollback() // does nothing after Commit
		if sqlState(err) != "40001" || try == 5 {
			return err
		}
	}
}

// end

func sqlState(err error) string {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		return state.SQLState()
	}
	return ""
}

// The example of docs/isolation.md tries again when it fails to serialize, five times at most. What PostgreSQL says to it is
// in bench, TestPostgresIsolation.
func TestExample(t *testing.T) {
	for failures, want := range map[int]struct {
		tries  int
		err    error
		onCall string
	}{
		0: {tries: 1, onCall: "ben"},
		1: {tries: 2, onCall: "ben"},
		9: {tries: 5, err: sqlprobe.ErrSerialization, onCall: "ann, ben"},
	} {
		probe, db := hospital(t)
		if failures > 0 {
			probe.Inject(sqlprobe.Fault{Pattern: "^COMMIT", Times: failures, Err: sqlprobe.ErrSerialization})
		}
		tries := 0
		err := serializable(t.Context(), db, func(tx *sql.Tx) error {
			tries++
			return signOff(t.Context(), tx, "ann")
		})
		if left := onCall(t, db); !errors.Is(err, want.err) || tries != want.tries || left != want.onCall {
			t.Errorf("%d failures: after %d tries and %v, %s is on call; want %d, %v and %s", failures, tries, err, left, want.tries, want.err, want.onCall)
		}
	}
	_, db := hospital(t)
	for _, doctor := range []string{"ann", "ben"} {
		err := serializable(t.Context(), db, func(tx *sql.Tx) error { return signOff(t.Context(), tx, doctor) })
		if last := doctor == "ben"; errors.Is(err, errLast) != last {
			t.Errorf("%s signs off: %v", doctor, err)
		}
	}
}

// hospital opens a database in which ann and ben are on call.
func hospital(t *testing.T) (*sqlprobe.Probe, *sql.DB) {
	t.Helper()
	probe, err := sqlite.New("file:" + t.TempDir() + "/isolation.db")
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(probe)
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE doctors (name TEXT PRIMARY KEY, on_call BOOLEAN); INSERT INTO doctors VALUES ('ann', true), ('ben', true)"); err != nil {
		t.Fatal(err)
	}
	return probe, db
}

func onCall(t *testing.T, db *sql.DB) (names string) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), "SELECT group_concat(name, ', ') FROM doctors WHERE on_call").Scan(&names); err != nil {
		t.Fatal(err)
	}
	return names
}

// orders lets two doctors sign off in every order of their calls, and counts in how many nobody is left, and in how many one
// has to try again.
func orders(t *testing.T, level isolation.Level) (all, nobody, again int) {
	var order func(ann, ben int, calls []int)
	order = func(ann, ben int, calls []int) {
		if ann+ben > 0 {
			if ann > 0 {
				order(ann-1, ben, append(calls, 0))
			}
			if ben > 0 {
				order(ann, ben-1, append(calls, 1))
			}
			return
		}
		store := isolation.New()
		tx := store.Begin(t.Context(), level)
		if err := errors.Join(tx.Put("ann", "on call"), tx.Put("ben", "on call"), tx.Commit()); err != nil {
			t.Fatal(err)
		}
		doctors := [2]*shift{{me: "ann", other: "ben"}, {me: "ben", other: "ann"}}
		refused := false
		for _, who := range calls {
			if err := doctors[who].next(t.Context(), store, level); errors.Is(err, isolation.ErrConflict) {
				refused = true
			} else if err != nil {
				t.Fatal(err)
			}
		}
		all++
		if refused {
			again++
		}
		tx = store.Begin(t.Context(), level)
		defer func() { _ = tx.Rollback() }()
		rows, err := tx.Scan("", "")
		if err != nil {
			t.Fatal(err)
		}
		if rows[0].Value != "on call" && rows[1].Value != "on call" {
			nobody++
		}
	}
	order(4, 4, nil)
	return all, nobody, again
}

// A shift is the transaction of a doctor who signs off if the other one is on call.
type shift struct {
	me, other string
	tx        *isolation.Tx
	call      int
	stay      bool
}

// next does the transaction's next call.
func (s *shift) next(ctx context.Context, store *isolation.Store, level isolation.Level) error {
	s.call++
	switch s.call {
	case 1:
		s.tx = store.Begin(ctx, level)
		return nil
	case 2:
		value, _, err := s.tx.Get(s.other)
		s.stay = value != "on call"
		return err
	case 3:
		if s.stay {
			return nil
		}
		return s.tx.Put(s.me, "at home")
	default:
		return s.tx.Commit()
	}
}

func TestNumber(t *testing.T) {
	all, committed, _ := orders(t, isolation.ReadCommitted)
	_, snapshot, _ := orders(t, isolation.Snapshot)
	_, serial, again := orders(t, isolation.Serializable)
	if all != 70 || committed == 0 || snapshot == 0 || serial != 0 || again == 0 {
		t.Errorf("%d orders leave nobody on call %d times at read committed, %d at snapshot, %d at serializable with %d conflicts", all, committed, snapshot, serial, again)
	}
	t.Logf("two doctors each check that the other stays on call: of %d interleavings, both leave in %d at read committed, %d at snapshot isolation, %d at serializable",
		all, committed, snapshot, serial)
}
