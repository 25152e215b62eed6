//go:build solutions

// Package nplusone is the reference solution of the kata of that name.
package nplusone

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// An Order is a row of orders, with what was asked for along with it.
type Order struct {
	ID       int64
	Customer string
	Lines    []Line
	Payments []Payment
}

// A Line is a row of lines.
type Line struct {
	Position  int64
	ProductID int64
	Quantity  int64
	Product   *Product
}

// A Product is a row of products.
type Product struct {
	ID    int64
	Name  string
	Cents int64
}

// A Payment is a row of payments.
type Payment struct {
	Position int64
	Cents    int64
}

// With says what to read along with the orders.
type With struct {
	Lines    bool
	Products bool // of the lines
	Payments bool
}

// A Store reads orders from a database.
type Store struct {
	DB *sql.DB

	// MaxParameters is how many parameters a statement may have, at least 1.
	MaxParameters int
}

// Orders returns the orders with those ids, in few statements.
func (s Store) Orders(ctx context.Context, ids []int64, with With) ([]*Order, error) {
	found, err := s.orders(ctx, ids)
	if err == nil && with.Lines {
		err = s.addLines(ctx, found)
	}
	if err == nil && with.Products {
		err = s.addProducts(ctx, found)
	}
	if err == nil && with.Payments {
		err = s.addPayments(ctx, found)
	}
	if err != nil {
		return nil, err
	}
	result := make([]*Order, len(ids))
	for i, id := range ids {
		result[i] = found[id]
	}
	return result, nil
}

func (s Store) orders(ctx context.Context, ids []int64) (map[int64]*Order, error) {
	found := map[int64]*Order{}
	err := s.each(ctx, "SELECT id, customer FROM orders WHERE id IN (…)", ids, func(row *sql.Rows) error {
		var o Order
		err := row.Scan(&o.ID, &o.Customer)
		found[o.ID] = &o
		return err
	})
	return found, err
}

func (s Store) addLines(ctx context.Context, orders map[int64]*Order) error {
	const query = "SELECT order_id, position, product_id, quantity FROM lines WHERE order_id IN (…) ORDER BY order_id, position"
	return s.each(ctx, query, slices.Collect(maps.Keys(orders)), func(row *sql.Rows) error {
		var order int64
		var l Line
		if err := row.Scan(&order, &l.Position, &l.ProductID, &l.Quantity); err != nil {
			return err
		}
		orders[order].Lines = append(orders[order].Lines, l)
		return nil
	})
}

// addProducts is one level further down: the keys are those of all lines of all orders.
func (s Store) addProducts(ctx context.Context, orders map[int64]*Order) error {
	var ids []int64
	for _, o := range orders {
		for _, l := range o.Lines {
			ids = append(ids, l.ProductID)
		}
	}
	found := map[int64]*Product{}
	err := s.each(ctx, "SELECT id, name, cents FROM products WHERE id IN (…)", ids, func(row *sql.Rows) error {
		var p Product
		if err := row.Scan(&p.ID, &p.Name, &p.Cents); err != nil {
			return err
		}
		found[p.ID] = &p
		return nil
	})
	for _, o := range orders {
		for i := range o.Lines {
			o.Lines[i].Product = found[o.Lines[i].ProductID]
		}
	}
	return err
}

func (s Store) addPayments(ctx context.Context, orders map[int64]*Order) error {
	const query = "SELECT order_id, position, cents FROM payments WHERE order_id IN (…) ORDER BY order_id, position"
	return s.each(ctx, query, slices.Collect(maps.Keys(orders)), func(row *sql.Rows) error {
		var order int64
		var p Payment
		if err := row.Scan(&order, &p.Position, &p.Cents); err != nil {
			return err
		}
		orders[order].Payments = append(orders[order].Payments, p)
		return nil
	})
}

// each runs a query whose IN (…) stands for the keys, each once, as often as they need. It calls scan with every row.
func (s Store) each(ctx context.Context, query string, keys []int64, scan func(*sql.Rows) error) error {
	keys = slices.Compact(slices.Sorted(slices.Values(keys)))
	for chunk := range slices.Chunk(keys, s.MaxParameters) {
		if err := s.one(ctx, query, chunk, scan); err != nil {
			return err
		}
	}
	return nil
}

func (s Store) one(ctx context.Context, query string, keys []int64, scan func(*sql.Rows) error) (err error) {
	args := make([]any, len(keys))
	for i, key := range keys {
		args[i] = key
	}
	marks := strings.TrimSuffix(strings.Repeat("?,", len(keys)), ",")
	rows, err := s.DB.QueryContext(ctx, strings.Replace(query, "…", marks, 1), args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err() // the loop also ends if the connection breaks half-way
}

// ErrNotFound says that Fetch does not know a key.
var ErrNotFound = errors.New("nplusone: not found")

// LoaderConfig says how a Loader makes batches.
type LoaderConfig[K comparable, V any] struct {
	// Window is how long a batch waits for more keys, more than 0.
	Window time.Duration

	// MaxBatch is how many different keys a batch has at most, at least 1.
	MaxBatch int

	// Fetch returns the values of those keys that it knows. It is safe for concurrent use.
	Fetch func(ctx context.Context, keys []K) (map[K]V, error)
}

// A Loader turns many calls of Load into one call of Fetch. All its methods are safe for concurrent use.
type Loader[K comparable, V any] struct {
	cfg  LoaderConfig[K, V]
	mu   sync.Mutex
	open *batch[K, V] // takes keys until it is sent; nil if no batch does
}

// A batch is the loads that one Fetch answers.
type batch[K comparable, V any] struct {
	keys    map[K]bool      // guarded by the loader's mu, and not changed once the batch is sent
	waiting int             // callers; guarded by the loader's mu
	timer   *time.Timer     // sends the batch
	ctx     context.Context //nolint:containedctx // of the one Fetch; it is no caller's
	cancel  context.CancelFunc
	done    chan struct{} // closed when values and err are there
	values  map[K]V
	err     error
}

// NewLoader returns a Loader, which need not be closed.
func NewLoader[K comparable, V any](cfg LoaderConfig[K, V]) *Loader[K, V] {
	return &Loader[K, V]{cfg: cfg}
}

// Load returns the value of a key once its batch is fetched, unless ctx ends first.
func (l *Loader[K, V]) Load(ctx context.Context, key K) (V, error) {
	var zero V
	if err := ctx.Err(); err != nil { // nobody waits for the answer
		return zero, err
	}
	b := l.join(key)
	defer l.leave(b)
	select {
	case <-ctx.Done():
		return zero, ctx.Err()
	case <-b.done:
	}
	value, ok := b.values[key]
	if b.err == nil && !ok {
		return zero, ErrNotFound
	}
	return value, b.err
}

// join puts the key into the open batch, and sends the batch if that makes it full.
func (l *Loader[K, V]) join(key K) *batch[K, V] {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		b := &batch[K, V]{keys: map[K]bool{}, done: make(chan struct{})}
		// Not the context of the first caller: it would take the others with it.
		b.ctx, b.cancel = context.WithCancel(context.Background()) //nolint:gosec // leave calls it
		b.timer = time.AfterFunc(l.cfg.Window, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.send(b)
		})
		l.open = b
	}
	b := l.open
	b.waiting++
	b.keys[key] = true
	if len(b.keys) == l.cfg.MaxBatch {
		l.send(b)
	}
	return b
}

// send starts the Fetch of a batch, unless that is done or nobody waits for it. The caller holds mu.
func (l *Loader[K, V]) send(b *batch[K, V]) {
	if l.open == b {
		l.close(b)
		go l.fetch(b)
	}
}

// close lets no more keys into the batch. The caller holds mu.
func (l *Loader[K, V]) close(b *batch[K, V]) {
	if l.open == b {
		l.open = nil
		b.timer.Stop()
	}
}

// leave is called when a caller has its answer or gives up. When the last one does, the batch is over.
func (l *Loader[K, V]) leave(b *batch[K, V]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b.waiting--
	if b.waiting == 0 {
		l.close(b)
		b.cancel()
	}
}

func (l *Loader[K, V]) fetch(b *batch[K, V]) {
	defer close(b.done)
	b.err = errors.New("nplusone: Fetch ended its goroutine") // if it does not return
	defer func() {
		if v := recover(); v != nil {
			b.err = fmt.Errorf("nplusone: Fetch panicked: %v\n\n%s", v, debug.Stack())
		}
	}()
	b.values, b.err = l.cfg.Fetch(b.ctx, slices.Collect(maps.Keys(b.keys)))
}
