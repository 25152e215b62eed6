//go:build !solutions

// Package softdelete is the kata "What is soft delete vs hard delete?". README.md in this folder is the contract.
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

// A Customer buys.
type Customer struct {
	ID          int64
	Email, Name string
}

// A Letter is an address with its customer's name.
type Letter struct {
	Address    int64 // its id
	Name, Text string
}

// An Order is history.
type Order struct {
	ID, Customer  int64
	Name, Address string // its customer's name, and the address
	Cents         int64
}

// A Trashed is a customer or an address in the trash.
type Trashed struct {
	Kind string // customer or address
	ID   int64
}

// An Entry of the audit says what was done.
type Entry struct {
	Action   string // added, deleted, restored, purged or erased
	Customer int64
	Email    string // the customer's
}

// A Store keeps customers, addresses and orders in a database.
type Store struct{}

// Open returns a Store on a SQLite database.
func Open(ctx context.Context, db *sql.DB) (*Store, error) { return &Store{}, nil }

// AddCustomer adds a customer and returns the id.
func (s *Store) AddCustomer(ctx context.Context, email, name string) (id int64, err error) {
	return 0, nil
}

// AddAddress adds an address of a customer and returns its id.
func (s *Store) AddAddress(ctx context.Context, customer int64, text string) (int64, error) {
	return 0, nil
}

// PlaceOrder adds an order and returns its id.
func (s *Store) PlaceOrder(ctx context.Context, customer, address, cents int64) (int64, error) {
	return 0, nil
}

// Customers returns all customers.
func (s *Store) Customers(ctx context.Context) ([]Customer, error) { return nil, nil }

// Count returns how many customers there are.
func (s *Store) Count(ctx context.Context) (n int, err error) { return 0, nil }

// Search returns the customers with a text.
func (s *Store) Search(ctx context.Context, text string) ([]Customer, error) { return nil, nil }

// Letters returns all addresses.
func (s *Store) Letters(ctx context.Context) ([]Letter, error) { return nil, nil }

// DeleteCustomer puts a customer into the trash, with all addresses.
func (s *Store) DeleteCustomer(ctx context.Context, customer int64) error { return nil }

// DeleteAddress puts an address into the trash.
func (s *Store) DeleteAddress(ctx context.Context, address int64) error { return nil }

// RestoreCustomer takes a customer out of the trash.
func (s *Store) RestoreCustomer(ctx context.Context, customer int64) error { return nil }

// RestoreAddress takes an address out of the trash.
func (s *Store) RestoreAddress(ctx context.Context, address int64) error { return nil }

// Orders returns all orders.
func (s *Store) Orders(ctx context.Context) ([]Order, error) { return nil, nil }

// Audit returns what was done, the first at the top.
func (s *Store) Audit(ctx context.Context) ([]Entry, error) { return nil, nil }

// Trash returns what is in the trash.
func (s *Store) Trash(ctx context.Context) ([]Trashed, error) { return nil, nil }

// Purge empties the trash of what was deleted at least age ago.
func (s *Store) Purge(ctx context.Context, age time.Duration, limit int) (n int, err error) {
	return 0, nil
}

// Erase forgets a customer.
func (s *Store) Erase(ctx context.Context, customer int64) error { return nil }
