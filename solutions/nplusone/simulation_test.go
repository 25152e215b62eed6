//go:build solutions

package nplusone_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/sqlprobe"
	"github.com/backend-kata/dojo/pkg/sqlprobe/sqlite"
	"github.com/backend-kata/dojo/solutions/internal/numbers"
	"github.com/backend-kata/dojo/solutions/nplusone"
)

// The tables of docs/nplusone.md come from here: a page of 20 orders with ten lines each, out
// of 1,000, each line with its product, by a database that is 1 ms away; and one order with
// 100 lines and 100 payments. Work is in steps of SQLite's virtual machine.

var wayInLoops = way{"a query in each loop", func(ctx context.Context, db *sql.DB) error { return inLoops(ctx, db, onPage()) }, outcome{221, 420, 55, 221 * time.Millisecond}}

var wayByKeys = way{"one query per table, by keys", func(ctx context.Context, db *sql.DB) error {
	_, err := nplusone.Store{DB: db, MaxParameters: 1000}.Orders(ctx, onPage(), nplusone.With{Lines: true, Products: true})
	return err
}, outcome{3, 270, 51, 3 * time.Millisecond}}

var wayJoined = way{"one join", func(ctx context.Context, db *sql.DB) error {
	return readAll(ctx, db, `SELECT o.id, o.customer, l.position, l.quantity, p.id, p.name, p.cents FROM json_each(?) AS k
		JOIN orders AS o ON o.id = k.value LEFT JOIN lines AS l ON l.order_id = o.id LEFT JOIN products AS p ON p.id = l.product_id`, list(onPage()))
}, outcome{1, 200, 36, time.Millisecond}}

func TestThePage(t *testing.T) {
	table := "| 20 orders, 200 lines | round trips | rows | work | time on the network |\n|---|---|---|---|---|\n"
	for _, w := range []way{wayInLoops, wayByKeys, wayJoined} {
		o := w.measure(t)
		table += fmt.Sprintf("| %s | %d | %d | %s | %d ms |\n", w.name, o.statements, o.rows, numbers.Thousands(100*o.work), o.took.Milliseconds())
	}
	t.Log("\n" + table)
}

func TestThePageNumber(t *testing.T) {
	t.Logf("%d round trips in loops, and %d by keys", wayInLoops.measure(t).statements, wayByKeys.measure(t).statements)
}

func TestCartesianProduct(t *testing.T) {
	apart := way{"one query per table, by keys", func(ctx context.Context, db *sql.DB) error {
		_, err := nplusone.Store{DB: db, MaxParameters: 1000}.Orders(ctx, []int64{1001}, nplusone.With{Lines: true, Payments: true})
		return err
	}, outcome{3, 201, 38, 3 * time.Millisecond}}
	joined := way{"one join", func(ctx context.Context, db *sql.DB) error {
		return readAll(ctx, db, `SELECT o.id, l.position, p.position FROM orders AS o LEFT JOIN lines AS l ON l.order_id = o.id
			LEFT JOIN payments AS p ON p.order_id = o.id WHERE o.id = ?`, 1001)
	}, outcome{1, 10000, 807, time.Millisecond}}
	table := "| 1 order, 100 lines, 100 payments | round trips | rows | work |\n|---|---|---|---|\n"
	for _, w := range []way{apart, joined} {
		o := w.measure(t)
		table += fmt.Sprintf("| %s | %d | %s | %s |\n", w.name, o.statements, numbers.Thousands(o.rows), numbers.Thousands(100*o.work))
	}
	t.Log("\n" + table)
}

// A way is one of reading the same.
type way struct {
	name string
	read func(context.Context, *sql.DB) error
	want outcome
}

// measure reads in this way, and expects what the page says of it.
func (w way) measure(t *testing.T) outcome {
	t.Helper()
	var got outcome
	bubble.Run(t, func(t *testing.T) {
		db, probe := page(t)
		probe.Inject(sqlprobe.Fault{Latency: time.Millisecond})
		start := time.Now()
		rec := probe.Record(func() {
			if err := w.read(t.Context(), db); err != nil {
				t.Fatal(err)
			}
		})
		work, err := rec.Work()
		if err != nil {
			t.Fatal(err)
		}
		got = outcome{len(rec.Statements), 0, (work + 50) / 100, time.Since(start)}
		for _, s := range rec.Statements {
			got.rows += s.Rows
		}
	})
	if got != w.want {
		t.Errorf("%s: got %+v, and docs/nplusone.md says %+v", w.name, got, w.want)
	}
	return got
}

// onPage is the ids of the 20 orders.
func onPage() []int64 {
	ids := make([]int64, 20)
	for i := range ids {
		ids[i] = int64(40 * (i + 1))
	}
	return ids
}

// The same page by a database in the same process, where a statement is a function call.
func BenchmarkThePage(b *testing.B) {
	db, _ := page(b)
	b.Run("in loops", func(b *testing.B) {
		for b.Loop() {
			if err := inLoops(b.Context(), db, onPage()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("by keys", func(b *testing.B) {
		for b.Loop() {
			if _, err := (nplusone.Store{DB: db, MaxParameters: 1000}).Orders(b.Context(), onPage(), nplusone.With{Lines: true, Products: true}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

type outcome struct {
	statements int
	rows       int64
	work       int64 // in hundreds of steps
	took       time.Duration
}

func page(t testing.TB) (*sql.DB, *sqlprobe.Probe) {
	t.Helper()
	probe, err := sqlite.New("file:/page?vfs=memdb")
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(probe)
	t.Cleanup(func() { db.Close() })
	_, err = db.Exec(`
		CREATE TABLE orders   (id INTEGER PRIMARY KEY, customer TEXT NOT NULL);
		CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, cents INTEGER NOT NULL);
		CREATE TABLE lines    (order_id INTEGER NOT NULL, position INTEGER NOT NULL,
		                       product_id INTEGER NOT NULL, quantity INTEGER NOT NULL);
		CREATE TABLE payments (order_id INTEGER NOT NULL, position INTEGER NOT NULL, cents INTEGER NOT NULL);
		CREATE INDEX lines_order    ON lines(order_id);
		CREATE INDEX payments_order ON payments(order_id);
		CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 1001) SELECT i FROM n;
		INSERT INTO orders SELECT i, 'customer ' || i FROM n;
		INSERT INTO products SELECT i, 'product ' || i, 100 FROM n WHERE i <= 50;
		INSERT INTO lines SELECT o.id, n.i, (o.id * 7 / 40 + n.i) % 50 + 1, 1 FROM orders AS o, n WHERE n.i <= 10 AND o.id <= 1000;
		INSERT INTO lines SELECT 1001, i, 1, 1 FROM n WHERE i <= 100;
		INSERT INTO payments SELECT 1001, i, 1 FROM n WHERE i <= 100;`)
	if err != nil {
		t.Fatal(err)
	}
	return db, probe
}

// inLoops is N+1 on two levels.
func inLoops(ctx context.Context, db *sql.DB, ids []int64) error {
	if err := readAll(ctx, db, "SELECT id, customer FROM orders WHERE id IN (SELECT value FROM json_each(?))", list(ids)); err != nil {
		return err
	}
	for _, id := range ids {
		products, err := column(ctx, db, "SELECT product_id, position, quantity FROM lines WHERE order_id = ? ORDER BY position", id)
		if err != nil {
			return err
		}
		for _, product := range products {
			if err := readAll(ctx, db, "SELECT id, name, cents FROM products WHERE id = ?", product); err != nil {
				return err
			}
		}
	}
	return nil
}

func readAll(ctx context.Context, db *sql.DB, query string, arg any) error {
	_, err := column(ctx, db, query, arg)
	return err
}

// column reads all rows and returns their first column.
func column(ctx context.Context, db *sql.DB, query string, arg any) ([]int64, error) {
	rows, err := db.QueryContext(ctx, query, arg)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var first []int64
	for rows.Next() {
		var id int64
		dest := []any{&id}
		for range columns[1:] {
			dest = append(dest, new(any))
		}
		if err := rows.Scan(dest...); err != nil {
			return nil, err
		}
		first = append(first, id)
	}
	return first, rows.Err()
}

// list writes ids as JSON.
func list(ids []int64) string { return strings.ReplaceAll(fmt.Sprint(ids), " ", ",") }
