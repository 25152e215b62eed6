package serial_test

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/backend-kata/dojo/pkg/serial"
	"github.com/backend-kata/dojo/pkg/sqlprobe/sqlite"
)

// Two doctors are on call. Each goes home if the other one stays, and looks before the other has
// gone. Snapshot isolation allows that.
func Example() {
	var rec serial.Recorder
	clinic := rec.Begin(0)
	clinic.Append("anna", "on call")
	clinic.Append("ben", "on call")
	clinic.Commit()

	anna, ben := rec.Begin(1), rec.Begin(2)
	anna.Read("ben", "on call")
	ben.Read("anna", "on call")
	anna.Append("anna", "at home")
	ben.Append("ben", "at home")
	anna.Commit()
	ben.Commit()

	fmt.Println(serial.Check(rec.History(), serial.Snapshot))
	fmt.Println(serial.Check(rec.History(), serial.Serializable))
	// Output:
	// <nil>
	// the store promises serializable, and the history of 3 transactions rules it out
	//
	// write skew (G2-item)
	//
	//     T2  session 1, read ben → on call, append at home to anna, committed
	//     T3  session 2, read anna → on call, append at home to ben, committed
	//
	//     T2 → T3  rw  T2 read ben → on call, and T3 appended at home to ben later
	//     T3 → T2  rw  T3 read anna → on call, and T2 appended at home to anna later
	//
	// The history rules out: serializable.
	// It does not rule out, and does not prove: read uncommitted, read committed, snapshot isolation, read your writes, monotonic reads.
}

// A sale reads the stock, and later writes what is left. There is no transaction in the database
// around both, so two sales at once are a lost update. A version beside the stock makes the values
// differ.
func ExampleRecorder() {
	db := open("file:/stock?vfs=memdb")
	defer db.Close()
	var rec serial.Recorder

	load := rec.Begin(0)
	load.Read("stock")
	load.Put("stock", write(db, 0, 10))
	load.Commit()

	a, b := rec.Begin(1), rec.Begin(2)
	left, version := read(db, a)
	alsoLeft, alsoVersion := read(db, b)
	a.Put("stock", write(db, version+1, left-1))
	a.Commit()
	b.Put("stock", write(db, alsoVersion+2, alsoLeft-3))
	b.Commit()

	report, err := serial.Analyze(rec.History())
	fmt.Println(report.RulesOut(serial.ReadCommitted), report.RulesOut(serial.Snapshot), err)
	fmt.Println(report.Anomalies[0].Text)
	// Output:
	// false true <nil>
	// T2 and T3 wrote stock, and whichever came first, the other had not seen it
}

func open(name string) *sql.DB {
	probe, err := sqlite.New(name)
	if err != nil {
		panic(err)
	}
	db := sql.OpenDB(probe)
	if _, err := db.ExecContext(context.Background(), "CREATE TABLE stock (version INTEGER, pieces INTEGER); INSERT INTO stock VALUES (0, 0)"); err != nil {
		panic(err)
	}
	return db
}

func read(db *sql.DB, tx *serial.Tx) (pieces, version int) {
	if err := db.QueryRowContext(context.Background(), "SELECT version, pieces FROM stock").Scan(&version, &pieces); err != nil {
		panic(err)
	}
	tx.Read("stock", value(version, pieces))
	return pieces, version
}

func write(db *sql.DB, version, pieces int) string {
	if _, err := db.ExecContext(context.Background(), "UPDATE stock SET version = ?, pieces = ?", version, pieces); err != nil {
		panic(err)
	}
	return value(version, pieces)
}

func value(version, pieces int) string {
	return fmt.Sprintf("%d pieces at version %d", pieces, version)
}

// Transactions of a workload are run by as many clients as there should be, and their reads
// recorded. Here the store is a map, and there is one client.
func ExampleGenerate() {
	store := map[string][]string{}
	var rec serial.Recorder
	for _, ops := range serial.Generate(serial.Appends, 1, 100, 3) {
		tx := rec.Begin(1)
		for _, op := range ops {
			if op.Kind == serial.Append {
				store[op.Key] = append(store[op.Key], op.Values...)
				tx.Append(op.Key, op.Values[0])
			} else {
				tx.Read(op.Key, store[op.Key]...)
			}
		}
		tx.Commit()
	}
	report, err := serial.Analyze(rec.History())
	fmt.Println(report, err)
	// Output:
	// The history shows no anomaly.
	// It does not rule out, and does not prove: read uncommitted, read committed, snapshot isolation, serializable, read your writes, monotonic reads.
	//  <nil>
}
