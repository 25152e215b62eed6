package sqlprobe_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	sqlite3driver "github.com/ncruces/go-sqlite3/driver"

	"github.com/backend-kata/dojo/pkg/sqlprobe"
	"github.com/backend-kata/dojo/pkg/sqlprobe/sqlite"
)

// A pgError has the SQLSTATE as a driver for PostgreSQL has it.
type pgError struct{ code string }

func (e *pgError) Error() string    { return "broken (SQLSTATE " + e.code + ")" }
func (e *pgError) SQLState() string { return e.code }

// Injected on SQLite, errors do what they do in PostgreSQL, where the same file was played.
func TestAborted(t *testing.T) {
	script, err := os.ReadFile("testdata/aborted.txt")
	fine(t, err)
	for _, text := range strings.Split(string(script), "\nstory: ")[1:] {
		title, steps, _ := strings.Cut(text, "\n")
		for _, metered := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/metered=%t", title, metered), func(t *testing.T) {
				p := newPlayer(t, metered)
				for step := range strings.SplitSeq(strings.TrimSpace(steps), "\n") {
					what, want, _ := strings.Cut(step, " => ")
					if got := p.play(t, what); got != want {
						t.Errorf("%s: got %q, want %q", what, got, want)
					}
				}
			})
		}
	}
}

// A player plays a story. Tables and the probe are new for each.
type player struct {
	db    *sql.DB
	probe *sqlprobe.Probe
	tx    *sql.Tx
	stmt  *sql.Stmt
}

func newPlayer(t *testing.T, metered bool) *player {
	t.Helper()
	name := fmt.Sprintf("file:/%x?vfs=memdb", t.Name())
	probe, err := sqlite.New(name)
	if !metered {
		c, failed := (&sqlite3driver.SQLite{}).OpenConnector(name)
		probe, err = sqlprobe.New(c, nil), failed
	}
	fine(t, err)
	db := sql.OpenDB(probe)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	for _, table := range []string{"t", "later", "conflict", "deadlock"} {
		_, err := db.ExecContext(t.Context(), "CREATE TABLE "+table+" (n INTEGER)")
		fine(t, err)
	}
	return &player{db: db, probe: probe}
}

func (p *player) play(t *testing.T, step string) string {
	t.Helper()
	word, rest, _ := strings.Cut(step, " ")
	state := ""
	if strings.HasPrefix(word, "break") {
		state, rest, _ = strings.Cut(rest, " ")
		f := sqlprobe.Fault{Times: 1, Err: &pgError{state}}
		if word == "break-rows" {
			f.AfterRows = 1
		}
		i := p.probe.Inject(f)
		defer func() {
			i.Remove()
			if i.Fired() != 1 {
				t.Errorf("%s: fired %d times, want once", step, i.Fired())
			}
		}()
	}
	err := p.do(word, rest)
	var own *pgError
	if state != "" && (!errors.As(err, &own) || errors.Unwrap(err) != nil) {
		t.Errorf("%s: got %T, want the injected error itself", step, err)
	}
	return outcome(err)
}

func (p *player) do(word, rest string) (err error) {
	ctx := context.Background()
	q := sqlprobe.Querier(p.db)
	exec := p.db.ExecContext
	if p.tx != nil {
		q, exec = p.tx, p.tx.ExecContext
	}
	switch word {
	case "begin":
		p.tx, err = p.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: rest == "read only"})
	case "commit", "break-commit":
		err = p.tx.Commit()
		p.tx = nil
	case "rollback":
		err = p.tx.Rollback()
		p.tx = nil
	case "exec", "break":
		_, err = exec(ctx, rest)
	case "query", "break-rows":
		err = ask(q, rest)
	case "prepare":
		var stmt *sql.Stmt
		if stmt, err = p.tx.PrepareContext(ctx, rest); err == nil {
			p.stmt = stmt
		}
	case "run":
		var n int
		err = p.stmt.QueryRowContext(ctx).Scan(&n)
	case "left":
		var n int
		if err = p.db.QueryRowContext(ctx, "SELECT count(*) FROM t").Scan(&n); err == nil && fmt.Sprint(n) != rest {
			err = fmt.Errorf("%d rows are left", n)
		}
	default:
		err = fmt.Errorf("there is no step %q", word)
	}
	return err
}

// outcome is what the stories say of an error.
func outcome(err error) string {
	var state interface{ SQLState() string }
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &state):
		return state.SQLState()
	case strings.Contains(err.Error(), "commit unexpectedly resulted in rollback"):
		return "rolled back"
	}
	return err.Error()
}

// Wherever an error is injected, the caller gets that very error.
func TestInjectedErrorIsItself(t *testing.T) {
	ctx := context.Background()
	for _, test := range []struct {
		why, pattern string
		after        int64
		call         func(db *sql.DB) error
	}{
		{"Begin", "^BEGIN", 0, deleteAllOf},
		{"Exec", "^DELETE", 0, deleteAllOf},
		{"Commit", "^COMMIT", 0, deleteAllOf},
		{"Rollback", "^ROLLBACK", 0, func(db *sql.DB) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			return tx.Rollback()
		}},
		{"Prepare", "^PREPARE SELECT", 0, func(db *sql.DB) error {
			st, err := db.PrepareContext(ctx, "SELECT 1")
			if err != nil {
				return err
			}
			return st.Close() //nolint:sqlclosecheck // its error counts
		}},
		{"Query", "^SELECT", 0, func(db *sql.DB) error { return ask(db, "SELECT 1") }},
		{"Rows.Next", "^SELECT", 1, func(db *sql.DB) error { return ask(db, "SELECT id FROM orders") }},
		{"Row.Scan", "^SELECT", sqlprobe.BeforeFirstRow, func(db *sql.DB) error {
			var n int
			return db.QueryRowContext(ctx, "SELECT 1").Scan(&n)
		}},
	} {
		s := newShop(t, 3)
		s.probe.Inject(sqlprobe.Fault{Pattern: test.pattern, Times: 1, Err: &pgError{"57014"}, AfterRows: test.after})
		if got, ok := test.call(s.DB).(*pgError); !ok || got.code != "57014" { //nolint:errorlint // unwrapped is what is tested
			t.Errorf("%s: got %v, want the injected error itself", test.why, got)
		}
		fine(t, deleteAll(s)) // nothing of it is left
		s.Close()
	}
}

func deleteAllOf(db *sql.DB) error { return deleteAll(shop{DB: db}) }
