//go:build !solutions

// Package races is the kata "How do you handle race conditions?". README.md in this
// folder is the contract.
package races

import (
	"errors"

	// The standard library's sync, with points at which the steps let another goroutine
	// go first. Keep it, and the steps find every race at your locks. With plain "sync"
	// the same code is right, and the steps see less.
	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// The errors of this package, to be found with [errors.Is].
var (
	ErrRequest   = errors.New("this cannot be booked or transferred by anybody")
	ErrTaken     = errors.New("a seat is taken")
	ErrFunds     = errors.New("there is not enough money in the account")
	ErrNoAccount = errors.New("there is no such account")
	ErrPanicked  = errors.New("the start panicked")
)

// A Counter gives out ticket numbers. Its zero value has given out none.
type Counter struct {
	mu sync.Mutex // yours to use or to replace
}

// Next returns the next number.
func (c *Counter) Next() int {
	return 0
}

// Issued returns how many were given out.
func (c *Counter) Issued() int {
	return 0
}

// A Hall has numbered seats.
type Hall struct {
	_ struct{} // the fields are yours
}

// NewHall returns a hall of free seats.
func NewHall(seats int) *Hall {
	return &Hall{}
}

// Book books seats for a customer, all or none.
func (h *Hall) Book(customer string, seats ...int) error {
	return nil
}

// Seats returns who has each seat.
func (h *Hall) Seats() []string {
	return nil
}

// A Store holds numbers for all offices. Each call is atomic.
type Store interface {
	// Load returns the value of a key, at first 0.
	Load(key string) int
	// CompareAndSwap sets a value that is old to next, and reports whether it did.
	CompareAndSwap(key string, old, next int) bool
}

// Deposit adds an amount to the value of a key, and returns what it set.
func Deposit(s Store, key string, amount int) int {
	return 0
}

// A Bank moves money between accounts.
type Bank struct {
	_ struct{} // the fields are yours
}

// NewBank opens an account for each name, with that balance.
func NewBank(balances map[string]int, journal func(from, to string, amount int)) *Bank {
	return &Bank{}
}

// Transfer moves an amount from one account to another.
func (b *Bank) Transfer(from, to string, amount int) error {
	return nil
}

// Balances returns the balances of all accounts at one moment.
func (b *Bank) Balances() map[string]int {
	return nil
}

// A Lazy value is made when it is asked for.
type Lazy[T any] struct {
	_ struct{} // the fields are yours
}

// NewLazy returns a value that start will make.
func NewLazy[T any](start func() (T, error)) *Lazy[T] {
	return &Lazy[T]{}
}

// Get returns the value.
func (l *Lazy[T]) Get() (T, error) {
	var zero T
	return zero, nil
}

// A Board shows a price list. Its zero value shows an empty one.
type Board struct {
	_ struct{} // the fields are yours
}

// Publish replaces the price list.
func (b *Board) Publish(prices map[string]int) {
}

// Current returns the price list of now, never nil.
func (b *Board) Current() *PriceList {
	return &PriceList{}
}

// A PriceList never changes.
type PriceList struct {
	_ struct{} // the fields are yours
}

// Price returns the price of a ticket, and whether the list has one.
func (p *PriceList) Price(ticket string) (price int, ok bool) {
	return 0, false
}

// Len returns how many prices the list has.
func (p *PriceList) Len() int {
	return 0
}
