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

// A Counter gives out ticket numbers. The zero value has given out none. It is safe
// for concurrent use.
type Counter struct {
	mu sync.Mutex // yours to use or to replace
}

// Next returns the next number: 1, 2, 3 and so on, each of them once.
func (c *Counter) Next() int {
	return 0
}

// Issued returns how many numbers were given out.
func (c *Counter) Issued() int {
	return 0
}

// A Hall has numbered seats, from 0. It is safe for concurrent use.
type Hall struct {
	_ struct{} // the fields are yours
}

// NewHall returns a hall with so many free seats.
func NewHall(seats int) *Hall {
	return &Hall{}
}

// Book books seats for a customer, all of them or none.
func (h *Hall) Book(customer string, seats ...int) error {
	return nil
}

// Seats returns who has each seat, or "" for a free one.
func (h *Hall) Seats() []string {
	return nil
}

// A Store holds numbers for all offices. Each call is atomic, and there are no others.
type Store interface {
	// Load returns the value of a key, which is 0 until somebody sets it.
	Load(key string) int
	// CompareAndSwap sets the value of a key to next if it is old, and reports whether it did.
	CompareAndSwap(key string, old, next int) bool
}

// Deposit adds an amount to the value of a key, which others change too, and returns
// the value that it set.
func Deposit(s Store, key string, amount int) int {
	return 0
}

// A Bank moves money between accounts. It is safe for concurrent use.
type Bank struct {
	_ struct{} // the fields are yours
}

// NewBank opens an account for each name, with that balance. The journal is called
// for every transfer that is made.
func NewBank(balances map[string]int, journal func(from, to string, amount int)) *Bank {
	return &Bank{}
}

// Transfer moves an amount from one account to another, which may be the same.
func (b *Bank) Transfer(from, to string, amount int) error {
	return nil
}

// Balances returns the balances of all accounts at one moment.
func (b *Bank) Balances() map[string]int {
	return nil
}

// A Lazy value is made when it is asked for. It is safe for concurrent use.
type Lazy[T any] struct {
	_ struct{} // the fields are yours
}

// NewLazy returns a value that start will make.
func NewLazy[T any](start func() (T, error)) *Lazy[T] {
	return &Lazy[T]{}
}

// Get returns the value. The first call makes it, and those that come meanwhile wait
// for it.
func (l *Lazy[T]) Get() (T, error) {
	var zero T
	return zero, nil
}

// A Board shows the price list of the day. The zero value shows an empty one. It is
// safe for concurrent use.
type Board struct {
	_ struct{} // the fields are yours
}

// Publish replaces the price list, whole.
func (b *Board) Publish(prices map[string]int) {
}

// Current returns the price list as it is now. It is never nil.
func (b *Board) Current() *PriceList {
	return &PriceList{}
}

// A PriceList never changes.
type PriceList struct {
	_ struct{} // the fields are yours
}

// Price returns the price of a kind of ticket, and whether the list has it.
func (p *PriceList) Price(ticket string) (price int, ok bool) {
	return 0, false
}

// Len returns how many kinds of tickets the list has.
func (p *PriceList) Len() int {
	return 0
}
