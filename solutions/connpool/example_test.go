//go:build solutions

package connpool_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/sqlprobe/sqlite"
)

// example: wrong
func addOrder(ctx context.Context, db *sql.DB, n int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO orders VALUES (?)`, n); err != nil {
		return err // and the transaction stays open
	}
	return tx.Commit()
}

// end

// example: right
func addOrderOrRollBack(ctx context.Context, db *sql.DB, n int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	if _, err := tx.ExecContext(ctx, `INSERT INTO orders VALUES (?)`, n); err != nil {
		return err
	}
	return tx.Commit()
}

// end

// The example of docs/connpool.md: a transaction that nobody ends keeps its connection.
func TestExample(t *testing.T) {
	var log strings.Builder
	calls := func(name string, add func(context.Context, *sql.DB, int) error) (late bool) {
		bubble.Run(t, func(t *testing.T) {
			probe, err := sqlite.New("file:/connpool?vfs=memdb")
			if err != nil {
				t.Fatal(err)
			}
			db := sql.OpenDB(probe)
			defer db.Close()
			db.SetMaxOpenConns(1)
			if _, err := db.ExecContext(t.Context(), `CREATE TABLE orders (n CHECK (n > 0))`); err != nil {
				t.Fatal(err)
			}
			for call := 1; call <= 2; call++ {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(3-call)*time.Second)
				defer cancel() // at the end: when its context ends, a transaction is rolled back
				err := add(ctx, db, 0)
				late = errors.Is(err, context.DeadlineExceeded)
				fmt.Fprintf(&log, "%s, call %d: %v\n%*s connections in use: %d of 1\n", name, call, err, len(name)+9, "", db.Stats().InUse)
			}
		})
		return late
	}
	if !calls("wrong", addOrder) {
		t.Error("the second call has a connection, although the first one keeps it")
	}
	if calls("right", addOrderOrRollBack) {
		t.Error("the second call waits, although the first one has rolled back")
	}
	t.Log("\n" + log.String())
}
