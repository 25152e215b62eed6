//go:build solutions

package softdelete

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// The errors of a Store. They may be wrapped.
var (
	ErrNotFound = errors.New("there is no such customer or address")
	ErrTaken    = errors.New("another customer has the email")
)

type (
	// A Customer buys.
	Customer struct {
		ID          int64
		Email, Name string
	}
	// A Letter is an address, by its id and text, with its customer's name.
	Letter struct {
		Address    int64
		Name, Text string
	}
	// An Order is history, with its customer's name and the address.
	Order struct {
		ID, Customer  int64
		Name, Address string
		Cents         int64
	}
	// A Trashed is in the trash: a customer or an address.
	Trashed struct {
		Kind string
		ID   int64
	}
	// An Entry of the audit says what was done, and to whom.
	Entry struct {
		Action   string
		Customer int64
		Email    string
	}
)

// A deletion is a row of its own. What has its number was deleted by it and comes back with it, since times may
// be equal. Orders and audit copy what they show, so they refer to no row that may go.
const schema = `
	CREATE TABLE IF NOT EXISTS deletions (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL);
	CREATE TABLE IF NOT EXISTS customers (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL, name TEXT NOT NULL, deletion INTEGER);
	CREATE TABLE IF NOT EXISTS addresses (id INTEGER PRIMARY KEY AUTOINCREMENT, customer INTEGER, text TEXT NOT NULL, deletion INTEGER);
	CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, customer INTEGER, name TEXT NOT NULL, address TEXT NOT NULL, cents INTEGER);
	CREATE TABLE IF NOT EXISTS audit (id INTEGER PRIMARY KEY, action TEXT NOT NULL, customer INTEGER NOT NULL, email TEXT NOT NULL);
	CREATE UNIQUE INDEX IF NOT EXISTS customers_email ON customers(email) WHERE deletion IS NULL;
	CREATE INDEX IF NOT EXISTS addresses_customer ON addresses(customer);
	CREATE VIEW IF NOT EXISTS live_customers AS SELECT id, email, name FROM customers WHERE deletion IS NULL;
	CREATE VIEW IF NOT EXISTS live_addresses AS SELECT id, customer, text FROM addresses WHERE deletion IS NULL;
	CREATE VIEW IF NOT EXISTS trash AS
		SELECT 'customer' AS kind, id, deletion FROM customers WHERE deletion IS NOT NULL UNION ALL
		SELECT 'address', id, deletion FROM addresses WHERE deletion IS NOT NULL AND customer IN (SELECT id FROM live_customers)`

// A Store keeps customers, addresses and orders in a database.
type Store struct{ db *sql.DB }

// Open returns a Store on a SQLite database.
func Open(ctx context.Context, db *sql.DB) (*Store, error) {
	s := &Store{db}
	return s, s.change(ctx, func(tx *tx) { tx.do(schema) })
}

// AddCustomer adds a customer and returns the id.
func (s *Store) AddCustomer(ctx context.Context, email, name string) (id int64, err error) {
	err = s.change(ctx, func(tx *tx) {
		tx.get(ErrTaken, &id, `INSERT INTO customers (email, name) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING id`, email, name)
		tx.note("added", id)
	})
	return id, err
}

// AddAddress adds an address of a customer and returns its id.
func (s *Store) AddAddress(ctx context.Context, customer int64, text string) (int64, error) {
	return s.one(ctx, `INSERT INTO addresses (customer, text) SELECT id, ? FROM live_customers WHERE id = ? RETURNING id`, text, customer)
}

// PlaceOrder adds an order and returns its id.
func (s *Store) PlaceOrder(ctx context.Context, customer, address, cents int64) (int64, error) {
	return s.one(ctx, `INSERT INTO orders (customer, name, address, cents)
		SELECT c.id, c.name, a.text, ? FROM live_customers AS c JOIN live_addresses AS a ON a.customer = c.id
		WHERE c.id = ? AND a.id = ? RETURNING id`, cents, customer, address)
}

// Customers returns all customers.
func (s *Store) Customers(ctx context.Context) ([]Customer, error) {
	return list(ctx, s.db.QueryContext, customer, `SELECT id, email, name FROM live_customers ORDER BY id`)
}

// Count returns how many customers there are.
func (s *Store) Count(ctx context.Context) (n int, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT count(*) FROM live_customers`).Scan(&n)
	return n, err
}

// Search returns the customers with a text.
func (s *Store) Search(ctx context.Context, text string) ([]Customer, error) {
	return list(ctx, s.db.QueryContext, customer, `SELECT id, email, name FROM live_customers AS c
		WHERE instr(email, ?1) OR instr(name, ?1)
		OR EXISTS (SELECT 1 FROM live_addresses AS a WHERE a.customer = c.id AND instr(a.text, ?1)) ORDER BY id`, text)
}

func customer(c *Customer) []any { return []any{&c.ID, &c.Email, &c.Name} }

// Letters returns all addresses.
func (s *Store) Letters(ctx context.Context) ([]Letter, error) {
	return list(ctx, s.db.QueryContext, func(l *Letter) []any { return []any{&l.Address, &l.Name, &l.Text} }, `
		SELECT a.id, c.name, a.text FROM live_addresses AS a JOIN live_customers AS c ON c.id = a.customer ORDER BY a.id`)
}

// DeleteCustomer puts a customer into the trash, with all addresses.
func (s *Store) DeleteCustomer(ctx context.Context, customer int64) error {
	return s.change(ctx, func(tx *tx) {
		if tx.deletion(`customers`, customer).Valid {
			return
		}
		deletion := tx.delete()
		tx.do(`UPDATE customers SET deletion = ? WHERE id = ?`, deletion, customer)
		tx.do(`UPDATE addresses SET deletion = ? WHERE customer = ? AND deletion IS NULL`, deletion, customer)
		tx.note("deleted", customer)
	})
}

// DeleteAddress puts an address into the trash.
func (s *Store) DeleteAddress(ctx context.Context, address int64) error {
	return s.change(ctx, func(tx *tx) {
		tx.get(ErrNotFound, &address, `UPDATE addresses SET deletion = coalesce(deletion, ?) WHERE id = ? RETURNING id`, tx.delete(), address)
	})
}

// RestoreCustomer takes a customer out of the trash.
func (s *Store) RestoreCustomer(ctx context.Context, customer int64) error {
	return s.change(ctx, func(tx *tx) {
		deletion := tx.deletion(`customers`, customer)
		if !deletion.Valid {
			return
		}
		tx.get(ErrTaken, &customer, `UPDATE OR IGNORE customers SET deletion = NULL WHERE id = ? RETURNING id`, customer)
		tx.do(`UPDATE addresses SET deletion = NULL WHERE deletion = ?`, deletion)
		tx.note("restored", customer)
	})
}

// RestoreAddress takes an address out of the trash.
func (s *Store) RestoreAddress(ctx context.Context, address int64) error {
	_, err := s.one(ctx, `UPDATE addresses SET deletion = NULL
		WHERE id = ? AND customer IN (SELECT id FROM live_customers) RETURNING id`, address)
	return err
}

// Orders returns all orders.
func (s *Store) Orders(ctx context.Context) ([]Order, error) {
	return list(ctx, s.db.QueryContext, func(o *Order) []any { return []any{&o.ID, &o.Customer, &o.Name, &o.Address, &o.Cents} },
		`SELECT id, customer, name, address, cents FROM orders ORDER BY id`)
}

// Audit returns what was done, the first at the top.
func (s *Store) Audit(ctx context.Context) ([]Entry, error) {
	return list(ctx, s.db.QueryContext, func(e *Entry) []any { return []any{&e.Action, &e.Customer, &e.Email} },
		`SELECT action, customer, email FROM audit ORDER BY id`)
}

// Trash returns what is in the trash.
func (s *Store) Trash(ctx context.Context) ([]Trashed, error) {
	return list(ctx, s.db.QueryContext, trashed, `SELECT kind, id FROM trash ORDER BY deletion`)
}

func trashed(t *Trashed) []any { return []any{&t.Kind, &t.ID} }

// Purge empties the trash of what was deleted at least age ago.
func (s *Store) Purge(ctx context.Context, age time.Duration, limit int) (n int, err error) {
	err = s.change(ctx, func(tx *tx) {
		old, err := list(ctx, tx.QueryContext, trashed, `SELECT kind, trash.id FROM trash JOIN deletions AS d ON d.id = deletion
			WHERE at <= ? ORDER BY d.id LIMIT ?`, time.Now().Add(-age).UnixNano(), limit)
		n, tx.err = len(old), err
		for _, t := range old {
			if t.Kind == "address" {
				tx.do(`DELETE FROM addresses WHERE id = ?`, t.ID)
			} else {
				tx.remove(t.ID, "purged")
			}
		}
	})
	return n, err
}

// Erase forgets a customer.
func (s *Store) Erase(ctx context.Context, customer int64) error {
	return s.change(ctx, func(tx *tx) {
		var last string // of whom nothing is known there was nobody
		tx.get(ErrNotFound, &last, `SELECT action FROM audit WHERE customer = ? ORDER BY id DESC LIMIT 1`, customer)
		if last == "erased" {
			return
		}
		tx.do(`UPDATE orders SET name = '', address = '' WHERE customer = ?`, customer)
		tx.remove(customer, "erased")
		tx.do(`UPDATE audit SET email = '' WHERE customer = ?`, customer)
	})
}

// one writes one row in one statement, and returns its id.
func (s *Store) one(ctx context.Context, query string, args ...any) (id int64, err error) {
	err = s.change(ctx, func(tx *tx) { tx.get(ErrNotFound, &id, query, args...) })
	return id, err
}

// A tx is a transaction. After its first error it does nothing.
type tx struct {
	*sql.Tx

	ctx context.Context //nolint:containedctx // of the call that the transaction is
	err error
}

// change makes all of f's changes, or none.
func (s *Store) change(ctx context.Context, f func(tx *tx)) error {
	t, err := s.db.BeginTx(ctx, nil)
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

func (tx *tx) do(query string, args ...any) {
	if tx.err == nil {
		_, tx.err = tx.ExecContext(tx.ctx, query, args...)
	}
}

// get reads one value, or ends the transaction with none if there is no row.
func (tx *tx) get(none error, value any, query string, args ...any) {
	if tx.err == nil {
		tx.err = tx.QueryRowContext(tx.ctx, query, args...).Scan(value)
	}
	if errors.Is(tx.err, sql.ErrNoRows) {
		tx.err = none
	}
}

// deletion returns by which deletion a row is gone, if it is.
func (tx *tx) deletion(table string, id int64) (number sql.NullInt64) {
	tx.get(ErrNotFound, &number, `SELECT deletion FROM `+table+` WHERE id = ?`, id)
	return number
}

// delete makes a deletion and returns its number.
func (tx *tx) delete() (number int64) {
	tx.get(ErrNotFound, &number, `INSERT INTO deletions (at) VALUES (?) RETURNING id`, time.Now().UnixNano())
	return number
}

// remove deletes a customer for good, and notes why.
func (tx *tx) remove(customer int64, action string) {
	tx.note(action, customer)
	tx.do(`DELETE FROM addresses WHERE customer = ?`, customer)
	tx.do(`DELETE FROM customers WHERE id = ?`, customer)
}

// note adds an entry to the audit.
func (tx *tx) note(action string, customer int64) {
	tx.do(`INSERT INTO audit (action, customer, email)
		VALUES (?1, ?2, coalesce((SELECT email FROM customers WHERE id = ?2), ''))`, action, customer)
}

// list reads rows into values, of which fields gives the places.
func list[T any](
	ctx context.Context, ask func(context.Context, string, ...any) (*sql.Rows, error), fields func(*T) []any, query string, args ...any,
) (all []T, err error) {
	rows, err := ask(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err says what went wrong
	for err == nil && rows.Next() {
		var one T
		err = rows.Scan(fields(&one)...)
		all = append(all, one)
	}
	return all, errors.Join(err, rows.Err())
}
