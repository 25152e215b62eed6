package nplusone_test

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/nplusone"
	"github.com/backend-kata/dojo/pkg/sqlprobe"
	"github.com/backend-kata/dojo/pkg/sqlprobe/sqlite"
)

const schema = `
	CREATE TABLE orders   (id INTEGER PRIMARY KEY, customer TEXT NOT NULL);
	CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, cents INTEGER NOT NULL);
	CREATE TABLE lines    (order_id INTEGER NOT NULL, position INTEGER NOT NULL,
	                       product_id INTEGER NOT NULL, quantity INTEGER NOT NULL);
	CREATE TABLE payments (order_id INTEGER NOT NULL, position INTEGER NOT NULL, cents INTEGER NOT NULL);
	CREATE INDEX lines_order    ON lines(order_id);
	CREATE INDEX payments_order ON payments(order_id);`

// far are positions of one order, which may be any int64, and mixed is a table of them in another order.
var far = []int64{math.MinInt64, -1, 0, 1 << 33, math.MaxInt64 - 1, math.MaxInt64}

const mixed = "json_each('[8589934592, 9223372036854775807, 9223372036854775806, 0, -1, -9223372036854775808]')"

// A shop is a database behind a probe, and the store that reads it.
type shop struct {
	nplusone.Store

	probe *sqlprobe.Probe
}

var shops atomic.Int64 // so that each has a database of its own

// open makes a database with the tables, and with what the script puts in.
func open(t *step.T, maxParameters int, script string, args ...any) shop {
	t.Helper()
	probe, err := sqlite.New(fmt.Sprintf("file:/nplusone-%d?vfs=memdb", shops.Add(1)), sqlite.MaxParameters(maxParameters))
	require.NoError(t, err)
	db := sql.OpenDB(probe)
	t.Cleanup(func() { db.Close() })
	_, err = db.Exec(schema + fmt.Sprintf(script, args...))
	require.NoError(t, err)
	return shop{nplusone.Store{DB: db, MaxParameters: maxParameters}, probe}
}

// many makes orders 1 to n, each with lines and payments at positions 10, 20, …, and products 1 to p.
// Line j of order i has product (i*7+j) % p + 1.
func many(t *step.T, maxParameters, n, lines, payments, p int) shop {
	t.Helper()
	return open(t, maxParameters, `
		CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT %d) SELECT i FROM n;
		INSERT INTO orders SELECT i, 'customer ' || i FROM n WHERE i <= %d;
		INSERT INTO products SELECT i, 'product ' || i, 100*i FROM n WHERE i <= %d;
		INSERT INTO lines SELECT o.id, 10*n.i, (o.id*7 + n.i) %% %d + 1, n.i FROM orders AS o, n WHERE n.i <= %d;
		INSERT INTO payments SELECT o.id, 10*n.i, o.id + n.i FROM orders AS o, n WHERE n.i <= %d;
		DROP TABLE n`, max(n, lines, payments, p), n, p, p, lines, payments)
}

// wanted is the order that many made.
func wanted(id, lines, payments, p int, with nplusone.With) *nplusone.Order {
	o := &nplusone.Order{ID: int64(id), Customer: fmt.Sprintf("customer %d", id)}
	for j := 1; j <= lines && with.Lines; j++ {
		product := (id*7+j)%p + 1
		line := nplusone.Line{Position: int64(10 * j), ProductID: int64(product), Quantity: int64(j)}
		if with.Products {
			line.Product = &nplusone.Product{ID: int64(product), Name: fmt.Sprintf("product %d", product), Cents: int64(100 * product)}
		}
		o.Lines = append(o.Lines, line)
	}
	for j := 1; j <= payments && with.Payments; j++ {
		o.Payments = append(o.Payments, nplusone.Payment{Position: int64(10 * j), Cents: int64(id + j)})
	}
	return o
}

// ask calls Orders, holds the answer against what is wanted, and returns the record of the statements.
func (s shop) ask(t *step.T, ids []int64, with nplusone.With, want func(id int) *nplusone.Order) *sqlprobe.Recording {
	t.Helper()
	var got []*nplusone.Order
	var err error
	asked := slices.Clone(ids)
	rec := s.probe.Record(func() { got, err = s.Orders(t.Context(), asked, with) })
	step.Expect(t, err == nil, "Orders should read %d orders with %s, where a statement may have %d parameters; it failed: %v%s",
		len(ids), named(with), s.MaxParameters, err, story(rec))
	step.Expect(t, len(got) == len(ids), "Orders should return an entry for each of %d ids; it returned %d%s", len(ids), len(got), story(rec))
	step.Equal(t, ids, asked, "The list of ids stays as it is.")
	for i, id := range ids {
		w, g := text(want(int(id))), text(got[i])
		if w != g { // the list of statements is long, and is written for a failure only
			t.Fatalf("Entry %d is for order %d, and should be\n%s\nit is\n%s%s", i, id, w, g, story(rec))
		}
	}
	if len(rec.Statements) > 0 {
		closed(t, rec, "Orders has returned")
	}
	return rec
}

// says fails the step with what a check has to say, and why it matters.
func says(t *step.T, err error, format string, args ...any) {
	t.Helper()
	step.Expect(t, err == nil, "%s: %v", fmt.Sprintf(format, args...), err)
}

// closed expects that Orders left nothing open.
func closed(t *step.T, rec *sqlprobe.Recording, format string, args ...any) {
	t.Helper()
	says(t, rec.CheckRowsClosed(), format, args...)
	says(t, rec.CheckConnsReturned(), format, args...)
}

func story(rec *sqlprobe.Recording) string { return "\n\nthe statements:\n" + rec.String() }

func named(with nplusone.With) string { return cmp.Or(parts(with, true, ", "), "nothing else") }

// parts names the tables of what is asked for along with the orders, or of what is not.
func parts(with nplusone.With, asked bool, separator string) string {
	var tables []string
	for i, on := range []bool{with.Lines, with.Products, with.Payments} {
		if on == asked {
			tables = append(tables, []string{"lines", "products", "payments"}[i])
		}
	}
	return strings.Join(tables, separator)
}

// text writes an order so that two that are alike have the same, and at most eight parts of each kind.
func text(o *nplusone.Order) string {
	if o == nil {
		return "  none"
	}
	s := fmt.Sprintf("  order %d of %s, %d lines, %d payments", o.ID, o.Customer, len(o.Lines), len(o.Payments))
	for _, l := range o.Lines {
		s += fmt.Sprintf("\n    line at %d: %d of product %d", l.Position, l.Quantity, l.ProductID)
		if l.Product != nil {
			s += fmt.Sprintf(" (%d %s, %d cents)", l.Product.ID, l.Product.Name, l.Product.Cents)
		}
	}
	for _, p := range o.Payments {
		s += fmt.Sprintf("\n    payment at %d: %d cents", p.Position, p.Cents)
	}
	return s
}

func span(first, last int) []int64 {
	var ids []int64
	for id := first; id <= last; id++ {
		ids = append(ids, int64(id))
	}
	return ids
}

const window = 10 * time.Millisecond // of every loader here

var errBroken = errors.New("the database is away")

// A counter is a Fetch: it asks the database for the names of products, and keeps a record.
type counter struct {
	shop

	t *step.T

	mu    sync.Mutex
	takes time.Duration
	fails map[int]error // by number of the batch, from 1 on
	calls []fetched
}

// fetched is one call of Fetch.
type fetched struct {
	keys []int64
	at   time.Time
	ctx  context.Context //nolint:containedctx // a record of what Fetch was given
	over bool            // it had ended when Fetch was called
}

func (c *counter) fetch(ctx context.Context, ids []int64) (map[int64]string, error) {
	c.t.Tell("Fetch of %d keys: %v", len(ids), ids[:min(len(ids), 12)])
	c.mu.Lock()
	c.calls = append(c.calls, fetched{slices.Clone(ids), time.Now(), ctx, ctx.Err() != nil})
	takes, err := c.takes, c.fails[len(c.calls)]
	c.mu.Unlock()
	if time.Sleep(takes); err != nil { // a driver may be late to look at its context
		return nil, err
	}
	list := strings.ReplaceAll(fmt.Sprint(ids), " ", ",") // [1,2,3]
	const query = "SELECT json_group_object(id, name) FROM products WHERE id IN (SELECT value FROM json_each(?))"
	var found []byte
	if err := c.DB.QueryRowContext(ctx, query, list).Scan(&found); err != nil {
		return nil, err
	}
	names := map[int64]string{}
	return names, json.Unmarshal(found, &names)
}

// seen returns the calls of Fetch so far, once all is quiet.
func (c *counter) seen() []fetched {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.calls)
}

// batches returns the keys of the calls so far.
func (c *counter) batches() [][]int64 {
	var keys [][]int64
	for _, f := range c.seen() {
		keys = append(keys, f.keys)
	}
	return keys
}

// slow makes every later Fetch take a while.
func (c *counter) slow(takes time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.takes = takes
}

// loader makes one that asks for the names of 100 products.
func loader(t *step.T, maxBatch int) (*nplusone.Loader[int64, string], *counter) {
	t.Helper()
	c := &counter{shop: many(t, 1000, 0, 0, 0, 100), t: t, fails: map[int]error{}}
	return nplusone.NewLoader(nplusone.LoaderConfig[int64, string]{Window: window, MaxBatch: maxBatch, Fetch: c.fetch}), c
}

// A load is a call of Load under way.
type load struct {
	*step.Call[answer]

	key int64
}

// An answer is what Load returned.
type answer struct {
	name string
	err  error
}

func start(t *step.T, l *nplusone.Loader[int64, string], ctx context.Context, key int64) load {
	return load{step.Start(t, func() answer {
		name, err := l.Load(ctx, key)
		return answer{name, err}
	}), key}
}

// startAll starts one load after the other, so that they come in this order. Their context never ends.
func startAll(t *step.T, l *nplusone.Loader[int64, string], keys ...int64) []load {
	var loads []load
	for _, key := range keys {
		loads = append(loads, start(t, l, context.WithoutCancel(t.Context()), key))
	}
	return loads
}

// names waits for loads and holds each answer against the product's name.
func names(t *step.T, loads ...load) {
	t.Helper()
	for _, d := range loads {
		step.NoError(t, d.Result().err, "Load(%d) should return its product's name.", d.key)
		step.Equal(t, fmt.Sprintf("product %d", d.key), d.Result().name, "Load(%d) returns its own product's name.", d.key)
	}
}

// within is a context that ends after d.
func within(t *step.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeoutCause(t.Context(), d, errors.New("the browser was closed"))
	t.Cleanup(cancel)
	return ctx
}

// givesUp expects that a load whose context has ended has returned, with the context's error.
func givesUp(t *step.T, d load, what string) {
	t.Helper()
	step.Expect(t, !d.Waits(), "%s, and should return at once.", what)
	step.Equal(t, context.DeadlineExceeded, d.Result().err, "%s, and returns its context's error.", what)
}

func sizes(batches [][]int64) []int {
	var n []int
	for _, b := range batches {
		n = append(n, len(b))
	}
	return n
}
