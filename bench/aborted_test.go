//go:build solutions && unix

package bench_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/backend-kata/dojo/pkg/sqlprobe"
)

// The stories of aborted transactions that sqlprobe's own tests play on SQLite. Here PostgreSQL
// fails by itself, and then by injection: both are as the file says, in pgx's own types.
func TestPostgresAborted(t *testing.T) {
	script, err := os.ReadFile("../pkg/sqlprobe/testdata/aborted.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range strings.Split(string(script), "\nstory: ")[1:] {
		title, steps, _ := strings.Cut(text, "\n")
		for _, injected := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/injected=%t", title, injected), func(t *testing.T) {
				p := newPlayer(t, injected)
				for step := range strings.SplitSeq(strings.TrimSpace(steps), "\n") {
					what, want, _ := strings.Cut(step, " => ")
					if got := outcome(p.play(t, what)); got != want {
						t.Errorf("%s: got %q, want %q", what, got, want)
					}
				}
			})
		}
	}
}

// sqlprobe's own error is one of pgx's too.
func TestPostgresErrSerialization(t *testing.T) {
	for _, pattern := range []string{"^INSERT", "^COMMIT", "^BEGIN", "^PREPARE"} {
		t.Run(pattern, func(t *testing.T) {
			p := newPlayer(t, true)
			i := p.probe.Inject(sqlprobe.Fault{Pattern: pattern, Times: 1, Err: sqlprobe.ErrSerialization})
			var err error
			for _, step := range []string{"begin", "exec INSERT INTO t VALUES (1)", "prepare SELECT n FROM t", "commit"} {
				if err = p.play(t, step); err != nil {
					break
				}
			}
			var own *pgconn.PgError
			if !errors.Is(err, sqlprobe.ErrSerialization) || !errors.As(err, &own) || own.Code != "40001" {
				t.Errorf("got %#v, want both sqlprobe's error and pgx's", err)
			}
			if want := "ERROR: could not serialize access due to concurrent update (SQLSTATE 40001)"; err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
			if i.Fired() != 1 {
				t.Errorf("fired %d times, want once", i.Fired())
			}
			if p.tx != nil {
				_ = p.tx.Rollback()
			}
		})
	}
}

// A player plays a story. Its tables are new.
type player struct {
	db       *sql.DB
	probe    *sqlprobe.Probe
	injected bool
	tx       *sql.Tx
	stmt     *sql.Stmt
}

func newPlayer(t *testing.T, injected bool) *player {
	t.Helper()
	db, probe := connect(t)
	unique := ""
	if !injected {
		run(t, db, `
			CREATE FUNCTION pg_temp.fail() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION USING ERRCODE = TG_ARGV[0]; END$$;
			CREATE TEMP TABLE conflict (n INTEGER);
			CREATE TEMP TABLE deadlock (n INTEGER);
			CREATE TRIGGER fail BEFORE INSERT ON conflict EXECUTE FUNCTION pg_temp.fail('40001');
			CREATE TRIGGER fail BEFORE INSERT ON deadlock EXECUTE FUNCTION pg_temp.fail('40P01');`)
		unique = "UNIQUE"
	}
	deferred := unique
	if deferred != "" {
		deferred += " DEFERRABLE INITIALLY DEFERRED"
	}
	// A temporary table may be written in a read-only transaction, so t is in a schema of its own.
	run(t, db, `
		CREATE SCHEMA sqlprobe_aborted;
		SET search_path = sqlprobe_aborted;
		CREATE TABLE t (n INTEGER `+unique+`);
		CREATE TEMP TABLE later (n INTEGER `+deferred+`);`)
	t.Cleanup(func() {
		if _, err := db.ExecContext(context.Background(), "DROP SCHEMA sqlprobe_aborted CASCADE"); err != nil {
			t.Error(err)
		}
	})
	return &player{db: db, probe: probe, injected: injected}
}

func (p *player) play(t *testing.T, step string) error {
	t.Helper()
	word, rest, _ := strings.Cut(step, " ")
	var want *pgconn.PgError
	if strings.HasPrefix(word, "break") {
		var state string
		state, rest, _ = strings.Cut(rest, " ")
		if p.injected {
			want = &pgconn.PgError{Code: state}
			f := sqlprobe.Fault{Times: 1, Err: want}
			if word == "break-rows" {
				f.AfterRows = 1
			}
			defer p.probe.Inject(f).Remove()
		}
	}
	err := p.do(word, rest)
	var own *pgconn.PgError
	switch {
	case err == nil, errors.Is(err, pgx.ErrTxCommitRollback):
	case !errors.As(err, &own):
		t.Errorf("%s: got %T, want pgx's own error", step, err)
	case want != nil && errors.Unwrap(err) != nil:
		t.Errorf("%s: got %v, want the injected error itself", step, err)
	}
	return err
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
		var rows *sql.Rows
		if rows, err = q.QueryContext(ctx, rest); err == nil {
			defer rows.Close()
			for rows.Next() {
			}
			err = rows.Err()
		}
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
	var own *pgconn.PgError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &own):
		return own.Code
	case errors.Is(err, pgx.ErrTxCommitRollback):
		return "rolled back"
	}
	return err.Error()
}
