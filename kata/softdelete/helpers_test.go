package softdelete_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/softdelete"
	"github.com/backend-kata/dojo/pkg/interleave"
	"github.com/backend-kata/dojo/pkg/sqlprobe"
	"github.com/backend-kata/dojo/pkg/sqlprobe/sqlite"
)

const month = 30 * 24 * time.Hour

// A shop is a Store on a database of its own.
type shop struct {
	*softdelete.Store

	t     *step.T
	db    *sql.DB
	probe *sqlprobe.Probe

	ada, bob, street, lane int64 // what fill made
}

var shops atomic.Int64 // so that each has a database of its own

// open makes an empty database and opens a Store on it.
func open(t *step.T) *shop {
	t.Helper()
	probe, err := sqlite.New(fmt.Sprintf("file:/softdelete-%d?vfs=memdb", shops.Add(1)))
	require.NoError(t, err)
	db := sql.OpenDB(probe)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	db.SetMaxOpenConns(1)
	s := &shop{t: t, db: db, probe: probe}
	s.Store = s.again()
	return s
}

// again opens another Store on the same database.
func (s *shop) again() *softdelete.Store {
	s.t.Helper()
	store, err := softdelete.Open(s.t.Context(), s.db)
	step.NoError(s.t, err, "Open should open the database.")
	return store
}

// customer adds one, whose name is the email's first part with a capital letter.
func (s *shop) customer(email string) int64 {
	s.t.Helper()
	name, _, _ := strings.Cut(email, "@")
	return s.named(email, strings.ToUpper(name[:1])+name[1:])
}

func (s *shop) named(email, name string) int64 {
	s.t.Helper()
	id, err := s.AddCustomer(s.t.Context(), email, name)
	return s.added(id, err, "AddCustomer(%q, %q)", email, name)
}

func (s *shop) address(customer int64, text string) int64 {
	s.t.Helper()
	id, err := s.AddAddress(s.t.Context(), customer, text)
	return s.added(id, err, "AddAddress of customer %d, %q,", customer, text)
}

func (s *shop) order(customer, address, cents int64) int64 {
	s.t.Helper()
	id, err := s.PlaceOrder(s.t.Context(), customer, address, cents)
	return s.added(id, err, "PlaceOrder of customer %d to address %d", customer, address)
}

func (s *shop) added(id int64, err error, format string, args ...any) int64 {
	s.t.Helper()
	call := fmt.Sprintf(format, args...)
	step.NoError(s.t, err, "%s should succeed.", call)
	step.Expect(s.t, id > 0, "%s should return an id of more than 0; it returned %d.", call, id)
	s.t.Tell("%s → %d", call, id)
	return id
}

// does expects that a call succeeds.
func (s *shop) does(call string, id int64, f func(*softdelete.Store) error) {
	s.t.Helper()
	s.t.Tell("%s(%d)", call, id)
	step.NoError(s.t, f(s.Store), "%s(%d) should succeed.", call, id)
}

func (s *shop) deletes(customer int64) {
	s.t.Helper()
	s.does("DeleteCustomer", customer, func(x *softdelete.Store) error { return x.DeleteCustomer(s.t.Context(), customer) })
}

func (s *shop) deletesAddress(address int64) {
	s.t.Helper()
	s.does("DeleteAddress", address, func(x *softdelete.Store) error { return x.DeleteAddress(s.t.Context(), address) })
}

func (s *shop) restores(customer int64) {
	s.t.Helper()
	s.does("RestoreCustomer", customer, func(x *softdelete.Store) error { return x.RestoreCustomer(s.t.Context(), customer) })
}

func (s *shop) restoresAddress(address int64) {
	s.t.Helper()
	s.does("RestoreAddress", address, func(x *softdelete.Store) error { return x.RestoreAddress(s.t.Context(), address) })
}

func (s *shop) erases(customer int64) {
	s.t.Helper()
	s.does("Erase", customer, func(x *softdelete.Store) error { return x.Erase(s.t.Context(), customer) })
}

// purges expects so many to be purged.
func (s *shop) purges(want int, age time.Duration, limit int, why string) {
	s.t.Helper()
	n, err := s.Purge(s.t.Context(), age, limit)
	s.t.Tell("Purge of what was deleted %v ago, %d at most → %d", age, limit, n)
	step.NoError(s.t, err, "Purge should succeed.")
	step.Equal(s.t, want, n, "Purge says how many it purged: %s.", why)
}

func (s *shop) refuses(want, got error, call string, args ...any) {
	s.t.Helper()
	name := map[error]string{softdelete.ErrTaken: "ErrTaken", softdelete.ErrNotFound: "ErrNotFound"}[want]
	step.Expect(s.t, errors.Is(got, want), "%s should return %s; it returned: %v", fmt.Sprintf(call, args...), name, got)
}

func (s *shop) usesNot(customer, address int64, why string) {
	s.t.Helper()
	ctx := s.t.Context()
	refused := func(err error, call string, id int64) {
		s.t.Helper()
		s.refuses(softdelete.ErrNotFound, err, "%s(%d), %s,", call, id, why)
	}
	_, err := s.AddAddress(ctx, customer, "1 Nowhere")
	refused(err, "AddAddress", customer)
	_, err = s.PlaceOrder(ctx, customer, address, 1)
	refused(err, "PlaceOrder", customer)
	refused(s.DeleteCustomer(ctx, customer), "DeleteCustomer", customer)
	refused(s.RestoreCustomer(ctx, customer), "RestoreCustomer", customer)
	refused(s.DeleteAddress(ctx, address), "DeleteAddress", address)
	refused(s.RestoreAddress(ctx, address), "RestoreAddress", address)
}

// read expects a list and writes an entry of it as a line.
func read[T any](s *shop, name string, all []T, err error, line func(T) string) []string {
	s.t.Helper()
	step.NoError(s.t, err, "%s should succeed.", name)
	lines := []string{}
	for _, one := range all {
		lines = append(lines, line(one))
	}
	return lines
}

func ofCustomer(c softdelete.Customer) string { return fmt.Sprintf("%d %s %s", c.ID, c.Email, c.Name) }

func (s *shop) customers() []string {
	s.t.Helper()
	all, err := s.Customers(s.t.Context())
	return read(s, "Customers", all, err, ofCustomer)
}

func (s *shop) finds(text string) []string {
	s.t.Helper()
	all, err := s.Search(s.t.Context(), text)
	lines := read(s, "Search", all, err, ofCustomer)
	step.Equal(s.t, slices.Compact(slices.Clone(lines)), lines, "Search should find a customer once for %q.", text)
	return lines
}

func (s *shop) letters() []string {
	s.t.Helper()
	all, err := s.Letters(s.t.Context())
	return read(s, "Letters", all, err, func(l softdelete.Letter) string { return fmt.Sprintf("%d %s, %s", l.Address, l.Name, l.Text) })
}

func (s *shop) orders() []string {
	s.t.Helper()
	all, err := s.Orders(s.t.Context())
	return read(s, "Orders", all, err, func(o softdelete.Order) string {
		return fmt.Sprintf("%d of %d: %d cents, %q %q", o.ID, o.Customer, o.Cents, o.Name, o.Address)
	})
}

func (s *shop) audit() []string {
	s.t.Helper()
	all, err := s.Audit(s.t.Context())
	return read(s, "Audit", all, err, func(e softdelete.Entry) string { return fmt.Sprintf("%s %d %q", e.Action, e.Customer, e.Email) })
}

func (s *shop) trash() []string {
	s.t.Helper()
	all, err := s.Trash(s.t.Context())
	return read(s, "Trash", all, err, func(t softdelete.Trashed) string { return fmt.Sprintf("%s %d", t.Kind, t.ID) })
}

// state is all that a Store shows.
func (s *shop) state() string {
	s.t.Helper()
	n, err := s.Count(s.t.Context())
	step.NoError(s.t, err, "Count should succeed.")
	text := func(lines []string) string { return strings.Join(lines, "; ") }
	return fmt.Sprintf("%d customers: %s\nletters: %s\ntrash: %s\norders: %s\naudit: %s", n,
		text(s.customers()), text(s.letters()), text(s.trash()), text(s.orders()), text(s.audit()))
}

// same expects that nothing changed since.
func (s *shop) same(before, after string, args ...any) {
	s.t.Helper()
	step.Equal(s.t, before, s.state(), "%s", fmt.Sprintf(after, args...))
}

// isNowhere expects that no table has the texts, whatever the tables are.
func (s *shop) isNowhere(after string, texts ...string) {
	s.t.Helper()
	for _, table := range s.tables() {
		for _, value := range s.values(table) {
			for _, text := range texts {
				step.Expect(s.t, !strings.Contains(strings.ToLower(value), strings.ToLower(text)),
					"%s, %q should be in no table; it is in table %s, in a column with %q", after, text, table, value)
			}
		}
	}
}

func (s *shop) tables() []string {
	s.t.Helper()
	var names string
	ask := s.db.QueryRowContext(s.t.Context(), "SELECT group_concat(name, '\n') FROM sqlite_schema WHERE type = 'table'")
	require.NoError(s.t, ask.Scan(&names))
	return strings.Split(names, "\n")
}

func (s *shop) values(table string) (values []string) {
	s.t.Helper()
	rows, err := s.db.QueryContext(s.t.Context(), `SELECT * FROM "`+table+`"`)
	require.NoError(s.t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(s.t, err)
	row, places := make([]sql.RawBytes, len(columns)), make([]any, len(columns))
	for i := range row {
		places[i] = &row[i]
	}
	for rows.Next() {
		require.NoError(s.t, rows.Scan(places...))
		for _, value := range row {
			values = append(values, string(value))
		}
	}
	require.NoError(s.t, rows.Err())
	return values
}

type call struct {
	name string
	do   func(ctx context.Context, s *shop) error
}

// atOnce makes two calls in an order of their statements.
func atOnce(t *step.T, x *interleave.Schedule, s *shop, first, second call) [2]error {
	t.Helper()
	var errs [2]error
	inside := false // a transaction, in which the other call cannot ask
	gate := s.probe.Inject(sqlprobe.Fault{Before: func(shape string) {
		if !inside {
			x.Point("%.60s", shape)
		}
		inside = shape == "BEGIN" || inside && shape != "COMMIT" && shape != "ROLLBACK"
	}})
	for i, c := range []call{first, second} {
		x.Go(c.name, func() {
			x.Point("begin") // the first call to ask has the connection
			errs[i] = c.do(t.Context(), s)
		})
	}
	x.Run()
	gate.Remove()
	for i, c := range []call{first, second} {
		step.Expect(t, errs[i] == nil || errors.Is(errs[i], softdelete.ErrNotFound) || errors.Is(errs[i], softdelete.ErrTaken),
			"%s should succeed, or return ErrNotFound or ErrTaken; it returned: %v", c.name, errs[i])
	}
	return errs
}

func count(lines []string, prefix string) int {
	return len(slices.DeleteFunc(lines, func(line string) bool { return !strings.HasPrefix(line, prefix) }))
}
