package migration_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	sqlite3driver "github.com/ncruces/go-sqlite3/driver"
	"github.com/stretchr/testify/require"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/migration"
	"github.com/backend-kata/dojo/pkg/interleave"
	"github.com/backend-kata/dojo/pkg/sqlprobe"
	"github.com/backend-kata/dojo/pkg/sqlprobe/sqlite"
)

var errDisk = errors.New("the disk is full")

// failures are what may go wrong at a statement. COMMIT loses its connection, or SQLite's transaction would stay open.
var failures = []struct {
	what  string
	fault sqlprobe.Fault
}{
	{"fails", sqlprobe.Fault{Pattern: "^[^RC]|^R[^O]|^C[^O]", Times: 1, Err: errDisk}},
	{"(counting commits alone) loses its connection", sqlprobe.Fault{Pattern: "^COMMIT", Times: 1, Err: sqlprobe.ErrConnectionLost}},
	{"is the last of a program that dies", sqlprobe.Fault{Pattern: statement, Times: 1, Err: sqlprobe.ErrAnswerLost}},
}

const statement = "^[^R]|^R[^O]" // all but ROLLBACK

type base struct {
	t    *step.T
	name string
	own  *client // the step's own
}

type client struct {
	*sql.DB

	b      *base
	probe  *sqlprobe.Probe
	broken []*sqlprobe.Injection // by breaks
}

var bases atomic.Int64 // so that each has a name of its own

func newBase(t *step.T) *base {
	b := &base{t: t, name: fmt.Sprintf("file:/migration-%d?vfs=memdb&_pragma=busy_timeout(250)", bases.Add(1))}
	b.own = b.client()
	b.empties() // in memory the database lives as long as this connection
	return b
}

func (b *base) client() *client {
	connector, err := (&sqlite3driver.SQLite{}).OpenConnector(b.name)
	require.NoError(b.t, err)
	probe := sqlprobe.New(connector, sqlite.Steps)
	db := sql.OpenDB(probe)
	db.SetMaxOpenConns(1)
	b.t.Cleanup(func() { require.NoError(b.t, db.Close()) })
	return &client{DB: db, b: b, probe: probe}
}

// empties drops all that is in the base, and makes an empty log.
func (b *base) empties() {
	for _, text := range append(b.rows(`SELECT 'DROP ' || type || ' "' || name || '"' FROM sqlite_schema
		WHERE type <> 'index' AND name NOT LIKE 'sqlite_%' ORDER BY type DESC`), `CREATE TABLE log (note TEXT)`) {
		_, err := b.own.ExecContext(b.t.Context(), text)
		require.NoError(b.t, err)
	}
}

// breaks lets statement n go wrong, from 0. After one without an answer every other loses the connection. heals ends it.
func (c *client) breaks(f sqlprobe.Fault, n int) *sqlprobe.Injection {
	if f.Skip = n; errors.Is(f.Err, sqlprobe.ErrAnswerLost) {
		f.Before = func(string) { c.inject(sqlprobe.Fault{Pattern: statement, Err: sqlprobe.ErrConnectionLost}) }
	}
	return c.inject(f)
}

func (c *client) inject(f sqlprobe.Fault) *sqlprobe.Injection {
	c.broken = append(c.broken, c.probe.Inject(f))
	return c.broken[len(c.broken)-1]
}

func (c *client) heals() {
	for _, i := range c.broken {
		i.Remove()
	}
	c.broken = nil
}

func (b *base) rows(query string) (all []string) {
	rows, err := b.own.QueryContext(context.Background(), query)
	require.NoError(b.t, err)
	defer rows.Close()
	for rows.Next() {
		var one sql.NullString
		require.NoError(b.t, rows.Scan(&one))
		all = append(all, one.String)
	}
	require.NoError(b.t, rows.Err())
	return all
}

func (b *base) log() []string { return b.rows(`SELECT note FROM log ORDER BY rowid`) }

func (b *base) applied() []string {
	b.t.Helper()
	names, err := migration.Applied(b.t.Context(), b.own.DB)
	step.NoError(b.t, err, "Applied should succeed.")
	return names
}

func (b *base) is(names []string, why string, args ...any) {
	b.t.Helper()
	why = fmt.Sprintf(why, args...)
	step.Equal(b.t, notes(names), b.log(), "%s The migrations have noted:", why)
	step.Equal(b.t, names, b.applied(), "%s Applied are:", why)
}

func notes(names []string) (all []string) {
	for _, name := range names {
		all = append(all, name+" begins", name+" ends")
	}
	return all
}

// migrations makes one for each name. One called alone runs without a transaction.
func migrations(names ...string) (all []migration.Migration) {
	for _, name := range names {
		text := fmt.Sprintf("INSERT INTO log (note) VALUES ('%s begins');\nINSERT INTO log (note) VALUES ('%s ends')", name, name)
		if name == "alone" {
			text = "-- no transaction\n" + text
		}
		all = append(all, migration.Migration{Name: name, SQL: text})
	}
	return all
}

func names(list []migration.Migration) (all []string) {
	for _, m := range list {
		all = append(all, m.Name)
	}
	return all
}

func with(list []migration.Migration, i int, text string) []migration.Migration {
	list = slices.Clone(list)
	list[i].SQL = text
	return list
}

func (c *client) migrates(list []migration.Migration, why string) {
	c.b.t.Helper()
	err := migration.Migrate(c.b.t.Context(), c.DB, list)
	c.b.t.Tell("Migrate %q → %v", names(list), err)
	step.NoError(c.b.t, err, "Migrate should succeed: %s.", why)
}

// refuses expects a refusal for one of the reasons, by name, which changes nothing.
func (c *client) refuses(list []migration.Migration, why string, reasons map[string]error) {
	c.b.t.Helper()
	log, applied, r := c.b.log(), c.b.applied(), &migration.Refusal{}
	err := migration.Migrate(c.b.t.Context(), c.DB, list)
	c.b.t.Tell("Migrate %q → %v", names(list), err)
	step.Expect(c.b.t, errors.As(err, &r), "Migrate should return a *Refusal: %s; it returned: %v", why, err)
	step.Expect(c.b.t, reasons[r.Name] != nil && errors.Is(err, reasons[r.Name]),
		"Migrate should refuse one of %q for its reason: %s; it refused %q: %v", slices.Sorted(maps.Keys(reasons)), why, r.Name, r.Err)
	step.Equal(c.b.t, log, c.b.log(), "Migrate refused, since %s, and should run nothing. The migrations have noted:", why)
	step.Equal(c.b.t, applied, c.b.applied(), "Migrate refused, since %s. Applied are:", why)
}

// The programs. Each reads a name, or that there is none, as the old one has it.
type program struct {
	c *client
	v migration.Version // 0 is the old one
}

func (p program) String() string {
	return []string{"The old program", "Both", "Switched", "Contracted"}[p.v]
}

func (c *client) program(v migration.Version) program { return program{c, v} }

func person(id int64, name string) migration.Person {
	first, last, _ := strings.Cut(name, " ")
	return migration.Person{ID: id, First: first, Last: last}
}

// writes saves a name; fresh says that there is none.
func (p program) writes(ctx context.Context, id int64, name string, fresh bool) (err error) {
	switch {
	case p.v != 0:
		return migration.Save(ctx, p.c.DB, p.v, person(id, name))
	case fresh:
		_, err = p.c.ExecContext(ctx, `INSERT INTO people (id, name) VALUES (?, ?)`, id, name)
	default:
		_, err = p.c.ExecContext(ctx, `UPDATE people SET name = ? WHERE id = ?`, name, id)
	}
	return err
}

func (p program) deletes(ctx context.Context, id int64) error {
	_, err := p.c.ExecContext(ctx, `DELETE FROM people WHERE id = ?`, id)
	return err
}

func (p program) reads(ctx context.Context, id int64) (name string, err error) {
	if p.v == 0 {
		err = p.c.QueryRowContext(ctx, `SELECT coalesce((SELECT name FROM people WHERE id = ?), '')`, id).Scan(&name)
		return name, err
	}
	q, found, err := migration.Load(ctx, p.c.DB, p.v, id)
	if name = strings.TrimSuffix(q.First+" "+q.Last, " "); found == (name == "") || found && q != person(id, name) {
		name = fmt.Sprintf("%t, %+v", found, q)
	}
	return name, err
}

const columns = `SELECT name FROM pragma_table_info('people')`

func (b *base) people(ids ...int64) []migration.Migration {
	b.t.Helper()
	const table = `CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT '')`
	list := []migration.Migration{{Name: "the table of the steps", SQL: table}}
	b.own.migrates(list, "it makes the table people")
	step.Equal(b.t, []string{"id", "name"}, b.rows(columns), "Migrate should have made the table people, with the columns:")
	for _, id := range ids {
		step.NoError(b.t, b.own.program(0).writes(b.t.Context(), id, named(id)[id], true), "The old program should be able to add a person.")
	}
	return list
}

// expanded makes people, and runs the migrations of Expand.
func (b *base) expanded(ids ...int64) *base {
	b.t.Helper()
	b.own.migrates(append(b.people(ids...), migration.Expand()...), "it runs the migrations of Expand")
	step.Equal(b.t, []string{"first", "id", "last", "name"},
		b.rows(columns+` WHERE name IN ('first', 'id', 'last', 'name') ORDER BY name`), "After Expand people has the columns:")
	return b
}

func named(ids ...int64) map[int64]string {
	names := map[int64]string{}
	for _, id := range ids {
		names[id] = []string{"Ada", "Ada Lovelace", "Ada King Lovelace"}[uint64(id)%3] + strings.Repeat("x", int(uint64(id)%7))
	}
	return names
}

func (b *base) split() []string {
	return b.rows(`SELECT id || ' ' || coalesce(first, '?') || ', ' || coalesce(last, '?') FROM people ORDER BY id`)
}

func (b *base) filled() int {
	return len(b.rows(`SELECT id FROM people WHERE coalesce(first, '') <> ''`))
}

func wantSplit(names map[int64]string) (all []string) {
	for _, id := range slices.Sorted(maps.Keys(names)) {
		all = append(all, fmt.Sprintf("%d %s, %s", id, person(id, names[id]).First, person(id, names[id]).Last))
	}
	return all
}

// sees expects that each of the programs reads a name.
func sees(t *step.T, programs []program, id int64, want, why string) {
	t.Helper()
	for _, p := range programs {
		got, err := p.reads(t.Context(), id)
		step.NoError(t, err, "%s should be able to read.", p)
		step.Equal(t, want, got, "%s should read what was written last, %s. Person %d:", p, why, id)
	}
}

// gated has a point before each statement of a client, but inside of a transaction, where others cannot ask.
func (c *client) gated(x *interleave.Schedule) *sqlprobe.Injection {
	inside := false
	return c.probe.Inject(sqlprobe.Fault{Before: func(shape string) {
		if !inside {
			x.Point("%.60s", shape)
		}
		word, _, _ := strings.Cut(shape, " ")
		inside = word == "BEGIN" || inside && word != "COMMIT" && word != "ROLLBACK" && word != "END"
	}})
}

func upTo(n int64) (ids []int64) {
	for id := range n {
		ids = append(ids, id+1)
	}
	return ids
}
