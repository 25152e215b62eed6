//go:build solutions && unix

package bench_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
)

// The example of docs/isolation.md, statement by statement: two doctors are on call, one must stay, and both sign off.
func TestPostgresIsolation(t *testing.T) {
	db, _ := connect(t)
	db.SetMaxOpenConns(2)
	run(t, db, "DROP TABLE IF EXISTS doctors; CREATE TABLE doctors (name text PRIMARY KEY, on_call boolean NOT NULL); INSERT INTO doctors VALUES ('ann', true), ('ben', true)")
	t.Cleanup(func() {
		if _, err := db.ExecContext(context.Background(), "DROP TABLE doctors"); err != nil {
			t.Error(err)
		}
	})
	var log strings.Builder
	for _, level := range []sql.IsolationLevel{sql.LevelRepeatableRead, sql.LevelSerializable} {
		run(t, db, "UPDATE doctors SET on_call = true")
		fmt.Fprintf(&log, "\n%s\n", strings.ToUpper(level.String()))
		ann, ben := begin(t, db, &log, "ann", level), begin(t, db, &log, "ben", level)
		ann.count()
		ben.count()
		ann.signOff()
		ben.signOff()
		ann.commit()
		ben.commit()
		if ben.failed {
			ben = begin(t, db, &log, "ben", level)
			ben.count()
			_ = ben.tx.Rollback()
		}
		var left int
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM doctors WHERE on_call").Scan(&left); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&log, "  on call: %d\n", left)
		if want := map[bool]int{true: 1, false: 0}[level == sql.LevelSerializable]; left != want {
			t.Errorf("%s: %d doctors are on call, want %d", level, left, want)
		}
	}
	t.Log(log.String())
}

// A shift is the transaction of a doctor who signs off.
type shift struct {
	t      *testing.T
	log    *strings.Builder
	doctor string
	tx     *sql.Tx
	failed bool
}

func begin(t *testing.T, db *sql.DB, log *strings.Builder, doctor string, level sql.IsolationLevel) *shift {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: level})
	if err != nil {
		t.Fatal(err)
	}
	return &shift{t: t, log: log, doctor: doctor, tx: tx}
}

func (s *shift) tell(what string, result any, err error) {
	if err != nil {
		s.failed = true
		result = strings.Replace(err.Error(), " due to", "\n       due to", 1) // two lines on the page
	}
	fmt.Fprintf(s.log, "  %s  %s → %v\n", s.doctor, what, result)
}

func (s *shift) count() {
	var others int
	err := s.tx.QueryRowContext(s.t.Context(), "SELECT count(*) FROM doctors WHERE on_call AND name <> $1", s.doctor).Scan(&others)
	s.tell(fmt.Sprintf("SELECT count(*) … name <> '%s'", s.doctor), others, err)
}

func (s *shift) signOff() {
	_, err := s.tx.ExecContext(s.t.Context(), "UPDATE doctors SET on_call = false WHERE name = $1", s.doctor)
	s.tell(fmt.Sprintf("UPDATE … WHERE name = '%s'", s.doctor), "done", err)
}

func (s *shift) commit() {
	s.tell("COMMIT", "done", s.tx.Commit())
}
