//go:build solutions

package races

import (
	"errors"
	"maps"
	"slices"

	"github.com/backend-kata/dojo/pkg/interleave/sync"
	"github.com/backend-kata/dojo/pkg/interleave/sync/atomic"
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
	issued atomic.Int64
}

// Next returns the next number.
func (c *Counter) Next() int {
	return int(c.issued.Add(1)) // one operation: after an Add, a Load may see the next one's
}

// Issued returns how many were given out.
func (c *Counter) Issued() int {
	return int(c.issued.Load())
}

// A Hall has numbered seats.
type Hall struct {
	mu    sync.Mutex // guards owner, from the look to the booking
	owner []string   // "" for a free seat
}

// NewHall returns a hall of free seats.
func NewHall(seats int) *Hall {
	return &Hall{owner: make([]string, seats)}
}

// Book books seats for a customer, all or none.
func (h *Hall) Book(customer string, seats ...int) error {
	if customer == "" || len(seats) == 0 {
		return ErrRequest
	}
	for i, seat := range seats {
		if seat < 0 || seat >= len(h.owner) || slices.Contains(seats[:i], seat) {
			return ErrRequest
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, seat := range seats {
		if h.owner[seat] != "" {
			return ErrTaken
		}
	}
	for _, seat := range seats {
		h.owner[seat] = customer
	}
	return nil
}

// Seats returns who has each seat.
func (h *Hall) Seats() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.owner)
}

// A Store holds numbers for all offices. Each call is atomic.
type Store interface {
	// Load returns the value of a key, at first 0.
	Load(key string) int
	// CompareAndSwap sets a value that is old to next, and reports whether it did.
	CompareAndSwap(key string, old, next int) bool
}

// Deposit adds an amount to the value of a key, and returns what it set. It tries until
// nobody was in between. Each time that it fails, somebody else has succeeded.
func Deposit(s Store, key string, amount int) int {
	for {
		old := s.Load(key)
		if s.CompareAndSwap(key, old, old+amount) {
			return old + amount
		}
	}
}

// A Bank moves money between accounts.
type Bank struct {
	journal  func(from, to string, amount int)
	accounts map[string]*account // never changes
	mu       sync.Mutex          // held while money moves, not while the journal is written
}

type account struct {
	mu      sync.Mutex // held for a whole transfer; two are locked in the order of their names
	balance int        // read under this lock or the bank's, written under both
}

// NewBank opens an account for each name, with that balance.
func NewBank(balances map[string]int, journal func(from, to string, amount int)) *Bank {
	b := &Bank{journal: journal, accounts: map[string]*account{}}
	for name, balance := range balances {
		b.accounts[name] = &account{balance: balance}
	}
	return b
}

// Transfer moves an amount from one account to another.
func (b *Bank) Transfer(from, to string, amount int) error {
	source, target := b.accounts[from], b.accounts[to]
	switch {
	case amount <= 0:
		return ErrRequest
	case source == nil || target == nil:
		return ErrNoAccount
	}
	defer b.lock(from, to)()
	if source.balance < amount {
		return ErrFunds
	}
	b.mu.Lock()
	source.balance -= amount
	target.balance += amount
	b.mu.Unlock()
	b.journal(from, to, amount)
	return nil
}

// Balances returns the balances of all accounts at one moment. It has none of their
// locks, so a slow journal does not hold it up, and it holds up no transfer.
func (b *Bank) Balances() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	balances := map[string]int{}
	for name, a := range b.accounts {
		balances[name] = a.balance
	}
	return balances
}

// lock locks accounts, each once, and returns what unlocks them. All callers lock in
// the order of the names, so no two of them ever wait for each other.
func (b *Bank) lock(names ...string) (unlock func()) {
	slices.Sort(names)
	names = slices.Compact(names)
	for _, name := range names {
		b.accounts[name].mu.Lock()
	}
	return func() {
		for _, name := range names {
			b.accounts[name].mu.Unlock()
		}
	}
}

// A Lazy value is made when it is asked for.
type Lazy[T any] struct {
	start func() (T, error)

	mu      sync.Mutex // guards current; not held while start runs
	current *attempt[T]
}

// An attempt is one run of start. Its result may be read once ended is closed.
type attempt[T any] struct {
	ended chan struct{}
	value T
	err   error
}

// NewLazy returns a value that start will make.
func NewLazy[T any](start func() (T, error)) *Lazy[T] {
	return &Lazy[T]{start: start}
}

// Get returns the value.
func (l *Lazy[T]) Get() (T, error) {
	a, mine := l.attempt()
	if mine {
		l.run(a)
	}
	<-a.ended
	return a.value, a.err
}

// attempt returns the attempt that is under way or has succeeded, or else a new one,
// which the caller has to run.
func (l *Lazy[T]) attempt() (a *attempt[T], mine bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current != nil {
		return l.current, false
	}
	l.current = &attempt[T]{ended: make(chan struct{}), err: ErrPanicked}
	return l.current, true
}

// run calls start. It cleans up in a defer, since start may panic or end its
// goroutine: the next Get starts again, and then those who wait are told.
func (l *Lazy[T]) run(a *attempt[T]) {
	defer func() {
		if a.err != nil {
			l.mu.Lock()
			l.current = nil
			l.mu.Unlock()
		}
		close(a.ended)
	}()
	a.value, a.err = l.start()
}

// A Board shows a price list. Its zero value shows an empty one.
type Board struct {
	current atomic.Pointer[PriceList] // replaced, and never changed
}

// Publish replaces the price list.
func (b *Board) Publish(prices map[string]int) {
	b.current.Store(&PriceList{prices: maps.Clone(prices)})
}

// Current returns the price list of now, never nil.
func (b *Board) Current() *PriceList {
	if p := b.current.Load(); p != nil {
		return p
	}
	return &empty
}

var empty PriceList

// A PriceList never changes.
type PriceList struct {
	prices map[string]int // nobody else has it
}

// Price returns the price of a ticket, and whether the list has one.
func (p *PriceList) Price(ticket string) (price int, ok bool) {
	price, ok = p.prices[ticket]
	return price, ok
}

// Len returns how many prices the list has.
func (p *PriceList) Len() int {
	return len(p.prices)
}
