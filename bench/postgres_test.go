//go:build solutions && unix

package bench_test

import (
	"database/sql"
	"errors"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/backend-kata/dojo/pkg/sqlprobe"
	"github.com/backend-kata/dojo/solutions/nplusone"
)

// shop is a database with the tables of nplusone.
func shop(t *testing.T) (*sql.DB, *sqlprobe.Probe) {
	t.Helper()
	db, probe := connect(t)
	run(t, db, `
		CREATE TEMP TABLE orders   (id INTEGER PRIMARY KEY, customer TEXT NOT NULL);
		CREATE TEMP TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, cents INTEGER NOT NULL);
		CREATE TEMP TABLE lines    (order_id INTEGER NOT NULL, position INTEGER NOT NULL, product_id INTEGER NOT NULL, quantity INTEGER NOT NULL);
		CREATE TEMP TABLE payments (order_id INTEGER NOT NULL, position INTEGER NOT NULL, cents INTEGER NOT NULL);
		CREATE INDEX lines_order    ON lines(order_id);
		CREATE INDEX payments_order ON payments(order_id);
		INSERT INTO orders SELECT i, 'customer ' || i FROM generate_series(1, 5000) AS i;
		INSERT INTO products SELECT i, 'product ' || i, 100 FROM generate_series(1, 50) AS i;
		INSERT INTO lines SELECT o, p, (o + p) % 50 + 1, 1 FROM generate_series(1, 4999) AS o, generate_series(10, 1, -1) AS p;
		INSERT INTO payments SELECT o, 1, 100 FROM generate_series(1, 5000) AS o;
		ANALYZE orders, products, lines, payments;`)
	return db, probe
}

// The reference of nplusone, with the SQL that the kata's steps run on SQLite.
func TestPostgresNPlusOne(t *testing.T) {
	db, probe := shop(t)
	store := nplusone.Store{DB: db, MaxParameters: 100}
	var got []*nplusone.Order
	rec := probe.Record(func() {
		var err error
		got, err = store.Orders(t.Context(), []int64{7, 5000, 3, 9999, 7}, nplusone.With{Lines: true, Products: true, Payments: true})
		if err != nil {
			t.Fatal(err)
		}
	})
	sqlprobe.Require(t, rec.CheckCount(4))
	sqlprobe.Require(t, rec.CheckRowsClosed())
	sqlprobe.Require(t, rec.CheckConnsReturned())
	if got[0].ID != 7 || len(got[0].Lines) != 10 || got[0].Lines[0].Position != 1 || got[0].Lines[9].Product.Name != "product 18" || len(got[0].Payments) != 1 {
		t.Errorf("order 7 is %+v", got[0])
	}
	if got[1].ID != 5000 || len(got[1].Lines) != 0 || got[2].ID != 3 || got[3] != nil || got[4].ID != 7 {
		t.Errorf("got %+v", got)
	}
	if shape := rec.Statements[0].Shape; shape != "SELECT id, customer FROM orders WHERE id IN (?, …)" {
		t.Errorf("the shape is %q", shape)
	}
	if _, err := rec.Work(); err == nil {
		t.Error("there is no meter for PostgreSQL, and work was expected to be refused")
	}
}

func TestPostgresPlan(t *testing.T) {
	db, _ := shop(t)
	run(t, db, "CREATE INDEX lines_covering ON lines(order_id, position) INCLUDE (quantity)")
	run(t, db, "VACUUM ANALYZE lines")
	p, err := sqlprobe.ExplainPostgres(t.Context(), db, "SELECT position, quantity FROM lines WHERE order_id = $1 ORDER BY position", 7)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{p.CheckCovering(), p.CheckNoFullScan(), p.CheckNoSort(), p.CheckUses("lines_covering")} {
		if err != nil {
			t.Error(err)
		}
	}
	if !p.Measured || p.Rows != 10 {
		t.Errorf("ten rows were expected to be read: %+v", p)
	}
	p, err = sqlprobe.ExplainPostgres(t.Context(), db, "SELECT customer FROM orders WHERE customer LIKE '%9' ORDER BY customer")
	if err != nil {
		t.Fatal(err)
	}
	if p.CheckNoFullScan() == nil || p.CheckNoSort() == nil || p.Rows != 5000 {
		t.Errorf("a full scan of 5000 rows and a sort were expected:\n%s", p.Text)
	}
}

// An injected failure to serialize looks like a real one, and what pgx offers past
// database/sql is in reach.
func TestPostgresPassesOn(t *testing.T) {
	db, probe := shop(t)
	state := func(err error) string {
		var s interface{ SQLState() string }
		if errors.As(err, &s) {
			return s.SQLState()
		}
		return "none"
	}
	for _, injected := range []bool{false, true} {
		query := "SELECT 1"
		if injected {
			probe.Inject(sqlprobe.Fault{Pattern: "^SELECT .$", Times: 1, Err: sqlprobe.ErrSerialization})
		} else {
			query = "DO $$ BEGIN RAISE EXCEPTION SQLSTATE '40001'; END $$"
		}
		tx, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelSerializable})
		if err != nil {
			t.Fatal(err)
		}
		_, first := tx.ExecContext(t.Context(), query)
		_, second := tx.ExecContext(t.Context(), "SELECT 2")
		third := tx.Commit()
		if got := []string{state(first), state(second)}; !slices.Equal(got, []string{"40001", "25P02"}) || third == nil {
			t.Errorf("injected: %t: got %v, then %v", injected, got, third)
		}
	}
	var names []string
	if err := db.QueryRowContext(t.Context(), "SELECT array_agg(name ORDER BY id) FROM products WHERE id = ANY($1)", []int64{1, 2}).Scan(pgtype.NewMap().SQLScanner(&names)); err != nil || len(names) != 2 {
		t.Errorf("an array as an argument and as a value: got %v and %v", names, err)
	}
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = c.Raw(func(x any) error {
		own, ok := sqlprobe.Unwrap(x).(numberedConn)
		if !ok {
			return errors.New("not pgx's connection")
		}
		return own.Conn.Conn().Ping(t.Context()) // of pgx itself
	})
	if err != nil {
		t.Error(err)
	}
}
