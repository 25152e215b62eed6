//go:build solutions

package migration

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"
)

// Why a migration is refused.
var (
	ErrDoubled    = errors.New("it is twice in the list")
	ErrMissing    = errors.New("it is applied, and not in the list")
	ErrEdited     = errors.New("it was edited after it was applied")
	ErrOutOfOrder = errors.New("it stands before one that is applied")
	ErrMarked     = errors.New("it has begun, and did not end")
	errBusy       = errors.New("another deployer is at work")
	errNotMarked  = errors.New("no such migration is marked")
)

type (
	// A Refusal says which migration is refused, and why.
	Refusal struct { //nolint:errname // the contract's word
		Name string
		Err  error
	}
	// A Migration is one change of the schema or of the data, in one statement or several.
	Migration struct{ Name, SQL string }
	// A record is a migration that is applied, or marked.
	record struct {
		name, lines string
		marked      bool
	}
	// A Version is one of the new program's.
	Version int
	// A Person has a name in two parts.
	Person struct {
		ID          int64
		First, Last string
	}
)

// The versions, in the order in which they are deployed.
const (
	Both Version = iota + 1
	Switched
	Contracted
)

func (r *Refusal) Error() string { return r.Name + ": " + r.Err.Error() }
func (r *Refusal) Unwrap() error { return r.Err }

// lines is the SQL that counts: an editor may have changed how its lines end.
func (m Migration) lines() string { return strings.ReplaceAll(m.SQL, "\r\n", "\n") }

func (m Migration) alone() bool { return strings.HasPrefix(m.lines()+"\n", "-- no transaction\n") }

// A lease is how long a deployer that is gone keeps others waiting, and so does one that failed.
const lease = 30 * time.Second

const tables = `
	CREATE TABLE IF NOT EXISTS migrations (n BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE, lines TEXT NOT NULL, marked BOOLEAN NOT NULL);
	CREATE TABLE IF NOT EXISTS deployer (id BIGINT PRIMARY KEY, owner TEXT NOT NULL, until BIGINT NOT NULL);
	INSERT INTO deployer (id, owner, until) VALUES (1, '', 0) ON CONFLICT DO NOTHING`

// Migrate runs the migrations that are not applied.
func Migrate(ctx context.Context, db *sql.DB, list []Migration) error {
	for me := rand.Text(); ; {
		m, err := migrateNext(ctx, db, me, list)
		switch {
		case errors.Is(err, errBusy):
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
			}
		case err != nil || m == nil:
			return err
		case m.alone():
			if err := runAlone(ctx, db, *m); err != nil {
				return err
			}
		}
	}
}

// migrateNext runs the next migration and records it, in one transaction, or marks one that has to run outside. It
// returns nil if none is left. The lease is taken in the same transaction: it is the first to write, so on any
// database the next one waits here, and sees what this one did. One that has lost its lease finds nothing to do.
func migrateNext(ctx context.Context, db *sql.DB, me string, list []Migration) (m *Migration, err error) {
	err = change(ctx, db, func(tx *tx) {
		tx.do(tables)
		tx.must(errBusy, `UPDATE deployer SET owner = $1, until = $2 WHERE owner = $1 OR until <= $3`,
			me, time.Now().Add(lease).UnixNano(), time.Now().UnixNano())
		records := tx.records()
		if tx.err == nil {
			m, tx.err = next(list, records)
		}
		switch {
		case m == nil:
			tx.do(`UPDATE deployer SET until = 0`)
			return
		case !m.alone():
			tx.do(m.SQL)
		}
		tx.do(`INSERT INTO migrations (n, name, lines, marked) VALUES ($1, $2, $3, $4)`, len(records), m.Name, m.lines(), m.alone())
	})
	return m, err
}

// runAlone runs a marked migration, and takes the mark away.
func runAlone(ctx context.Context, db *sql.DB, m Migration) error {
	if _, err := db.ExecContext(ctx, m.SQL); err != nil {
		_, _ = db.ExecContext(context.WithoutCancel(ctx), `ROLLBACK`) // it may have begun one itself
		return err
	}
	return Mend(ctx, db, m.Name)
}

// next compares the list with what is recorded, and returns the first migration that is not.
func next(list []Migration, records []record) (first *Migration, err error) {
	at := map[string]int{}
	for i, m := range list {
		if _, ok := at[m.Name]; ok {
			return nil, &Refusal{m.Name, ErrDoubled}
		}
		at[m.Name] = i
	}
	last, done := -1, make([]bool, len(list))
	for _, r := range records {
		i, ok := at[r.name]
		switch {
		case !ok:
			return nil, &Refusal{r.name, ErrMissing}
		case list[i].lines() != r.lines:
			return nil, &Refusal{r.name, ErrEdited}
		case r.marked:
			return nil, &Refusal{r.name, ErrMarked}
		}
		last, done[i] = max(last, i), true
	}
	i := slices.Index(done, false)
	switch {
	case i < 0:
		return nil, nil //nolint:nilnil // none is left
	case i < last:
		return nil, &Refusal{list[i].Name, ErrOutOfOrder}
	}
	return &list[i], nil
}

// Applied returns the names of the migrations that are applied.
func Applied(ctx context.Context, db *sql.DB) (names []string, err error) {
	err = change(ctx, db, func(tx *tx) {
		tx.do(tables)
		for _, r := range tx.records() {
			if !r.marked {
				names = append(names, r.name)
			}
		}
	})
	return names, err
}

// Mend makes a marked migration count as applied.
func Mend(ctx context.Context, db *sql.DB, name string) error {
	return change(ctx, db, func(tx *tx) {
		tx.must(errNotMarked, `UPDATE migrations SET marked = FALSE WHERE name = $1 AND marked`, name)
	})
}

// A tx is a transaction. After its first error it does nothing.
type tx struct {
	*sql.Tx

	ctx context.Context //nolint:containedctx // of the call that the transaction is
	err error
}

// change makes all of f's changes, or none.
func change(ctx context.Context, db *sql.DB, f func(tx *tx)) error {
	t, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer t.Rollback() //nolint:errcheck // after Commit it does nothing
	tx := &tx{Tx: t, ctx: ctx}
	if f(tx); tx.err != nil {
		return tx.err
	}
	return t.Commit()
}

func (tx *tx) do(query string, args ...any) (r sql.Result) {
	if tx.err == nil {
		r, tx.err = tx.ExecContext(tx.ctx, query, args...)
	}
	return r
}

// must runs a statement that has to change a row, or else the transaction ends with an error.
func (tx *tx) must(none error, query string, args ...any) {
	if r := tx.do(query, args...); tx.err == nil {
		var n int64
		if n, tx.err = r.RowsAffected(); tx.err == nil && n == 0 {
			tx.err = none
		}
	}
}

// get reads one row.
func (tx *tx) get(query string, args []any, values ...any) {
	if tx.err == nil {
		tx.err = tx.QueryRowContext(tx.ctx, query, args...).Scan(values...)
	}
}

// records are in the order in which they ran.
func (tx *tx) records() (all []record) {
	if tx.err != nil {
		return nil
	}
	rows, err := tx.QueryContext(tx.ctx, `SELECT name, lines, marked FROM migrations ORDER BY n`)
	if err != nil {
		tx.err = err
		return nil
	}
	defer rows.Close() //nolint:errcheck // rows.Err says what went wrong
	for err == nil && rows.Next() {
		var r record
		err = rows.Scan(&r.name, &r.lines, &r.marked)
		all = append(all, r)
	}
	tx.err = errors.Join(err, rows.Err())
	return all
}

// Expand returns the migrations that come before the new program.
func Expand() []Migration {
	return []Migration{{"people: add first and last", `
		ALTER TABLE people ADD COLUMN first TEXT; ALTER TABLE people ADD COLUMN last TEXT;
		CREATE TABLE people_backfill (done_to INTEGER NOT NULL, up_to INTEGER NOT NULL)`}}
}

// Contract returns the migrations that come after the last program that needs the old column.
func Contract() []Migration {
	return []Migration{{"people: drop name", `ALTER TABLE people DROP COLUMN name; DROP TABLE people_backfill`}}
}

// Save adds or replaces a person.
func Save(ctx context.Context, db *sql.DB, v Version, p Person) (err error) {
	if v == Contracted {
		_, err = db.ExecContext(ctx, `INSERT INTO people (id, first, last) VALUES ($1, $2, $3)
			ON CONFLICT (id) DO UPDATE SET first = excluded.first, last = excluded.last`, p.ID, p.First, p.Last)
		return err
	}
	_, err = db.ExecContext(ctx, `INSERT INTO people (id, first, last, name) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET first = excluded.first, last = excluded.last, name = excluded.name`,
		p.ID, p.First, p.Last, strings.TrimSuffix(p.First+" "+p.Last, " "))
	return err
}

// Load returns a person, if there is one. While the old program writes, only its column has what was written last.
func Load(ctx context.Context, db *sql.DB, v Version, id int64) (p Person, found bool, err error) {
	p.ID = id
	if v == Both {
		var name string
		err = db.QueryRowContext(ctx, `SELECT name FROM people WHERE id = $1`, id).Scan(&name)
		p.First, p.Last, _ = strings.Cut(name, " ")
	} else {
		err = db.QueryRowContext(ctx, `SELECT first, last FROM people WHERE id = $1`, id).Scan(&p.First, &p.Last)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return Person{}, false, nil
	}
	return p, err == nil, err
}

// Backfill fills in the new columns of the next rows, and says whether all are done. It goes by key from where the last
// call committed, up to the last row of the first call: who came later was written by a program that writes both. One
// statement reads the name and writes its parts, so nobody's write comes between.
func Backfill(ctx context.Context, db *sql.DB, limit int) (done bool, err error) {
	err = change(ctx, db, func(tx *tx) {
		tx.do(`INSERT INTO people_backfill
			SELECT coalesce((SELECT min(id) FROM people), 0) - 1, coalesce((SELECT max(id) FROM people), 0)
			WHERE NOT EXISTS (SELECT 1 FROM people_backfill)`)
		var from, to int64
		tx.get(`SELECT done_to, coalesce((SELECT id FROM people WHERE id > done_to AND id <= up_to ORDER BY id LIMIT 1 OFFSET $1 - 1), up_to)
			FROM people_backfill`, []any{limit}, &from, &to)
		tx.do(`UPDATE people SET first = substr(name, 1, instr(name || ' ', ' ') - 1), last = substr(name, instr(name || ' ', ' ') + 1)
			WHERE id > $1 AND id <= $2`, from, to)
		tx.get(`UPDATE people_backfill SET done_to = $1 RETURNING done_to = up_to`, []any{to}, &done)
	})
	return done && err == nil, err
}
