package sqlprobe_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/backend-kata/dojo/pkg/sqlprobe"
	"github.com/backend-kata/dojo/pkg/sqlprobe/sqlite"
)

// Two queries of one shape from one line are what the N+1 query problem looks like.
func Example() {
	probe, err := sqlite.New("file:/example?vfs=memdb")
	if err != nil {
		panic(err)
	}
	db := sql.OpenDB(probe)
	defer db.Close()
	exec(db, "CREATE TABLE orders (id INTEGER PRIMARY KEY); CREATE TABLE lines (order_id INTEGER, sku TEXT); INSERT INTO orders VALUES (1), (2), (3)")

	rec := probe.Record(func() {
		for id := range 3 {
			exec(db, "UPDATE lines SET sku = upper(sku) WHERE order_id = ?", id)
		}
	})
	fmt.Println(len(rec.Statements), "statements, of the shape", rec.Statements[0].Shape)
	fmt.Println(rec.CheckNoneRepeated() == nil, rec.CheckConnsReturned() == nil)
	// Output:
	// 3 statements, of the shape UPDATE lines SET sku = upper(sku) WHERE order_id = ?
	// false true
}

// A transfer is tried again when it fails to serialize. The second try works.
func ExampleProbe_Inject() {
	probe, err := sqlite.New("file:/inject?vfs=memdb")
	if err != nil {
		panic(err)
	}
	db := sql.OpenDB(probe)
	defer db.Close()
	exec(db, "CREATE TABLE accounts (id INTEGER PRIMARY KEY, cents INTEGER); INSERT INTO accounts VALUES (1, 500)")

	fault := probe.Inject(sqlprobe.Fault{Pattern: "^UPDATE accounts", Times: 1, Err: sqlprobe.ErrSerialization, Latency: time.Millisecond})
	tries := 0
	for again := true; again; tries++ {
		_, err := db.ExecContext(context.Background(), "UPDATE accounts SET cents = cents - 100 WHERE id = ?", 1)
		var state interface{ SQLState() string }
		again = errors.As(err, &state) && state.SQLState() == "40001"
	}
	fmt.Println(tries, "tries,", fault.Fired(), "fault")
	// Output: 2 tries, 1 fault
}

// An index for the equality and then the order saves both the scan and the sort.
func ExampleExplainSQLite() {
	probe, err := sqlite.New("file:/explain?vfs=memdb")
	if err != nil {
		panic(err)
	}
	db := sql.OpenDB(probe)
	defer db.Close()
	exec(db, "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, placed INTEGER)")

	const query = "SELECT placed FROM orders WHERE customer = ? ORDER BY placed"
	for range 2 {
		plan, err := sqlprobe.ExplainSQLite(context.Background(), db, query, "ada")
		if err != nil {
			panic(err)
		}
		fmt.Println(plan.Accesses[0], plan.Sorts, plan.CheckCovering() == nil)
		exec(db, "CREATE INDEX IF NOT EXISTS by_customer ON orders(customer, placed)")
	}
	// Output:
	// full scan of orders [ORDER BY] false
	// search of orders by covering index by_customer [] true
}

func exec(db *sql.DB, query string, args ...any) {
	if _, err := db.ExecContext(context.Background(), query, args...); err != nil {
		panic(err)
	}
}
