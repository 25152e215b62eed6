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

// A duplicate is in a program that uses pgx a &pgconn.PgError{Code: "23505"}.
type duplicate struct{}

func (duplicate) Error() string    { return "duplicate key (SQLSTATE 23505)" }
func (duplicate) SQLState() string { return "23505" }

// The code takes a duplicate to mean that the tag is there already, and goes on. PostgreSQL aborts
// the transaction at the duplicate, so nothing that follows has any effect. The injected error
// does the same on SQLite. With SAVEPOINT and ROLLBACK TO SAVEPOINT around it, the INSERT may fail alone.
func ExampleFault() {
	probe, err := sqlite.New("file:/fault?vfs=memdb")
	if err != nil {
		panic(err)
	}
	db := sql.OpenDB(probe)
	defer db.Close()
	exec(db, "CREATE TABLE tags (name TEXT); CREATE TABLE posts (title TEXT)")

	probe.Inject(sqlprobe.Fault{Pattern: "^INSERT INTO tags", Times: 1, Err: duplicate{}})
	tx, err := db.Begin()
	if err != nil {
		panic(err)
	}
	_, err = tx.Exec("INSERT INTO tags VALUES ('go')")
	fmt.Println(err)
	_, err = tx.Exec("INSERT INTO posts VALUES ('Channels')")
	fmt.Println(err)
	fmt.Println(tx.Commit())
	// Output:
	// duplicate key (SQLSTATE 23505)
	// sqlprobe: current transaction is aborted, commands ignored until end of transaction block (SQLSTATE 25P02)
	// sqlprobe: commit unexpectedly resulted in rollback
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
