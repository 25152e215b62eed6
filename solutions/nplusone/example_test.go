//go:build solutions

package nplusone_test

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/sqlprobe"
)

// The examples of docs/nplusone.md.

type order struct {
	ID    int64
	Lines []line
}

type line struct {
	OrderID, Product, Quantity int64
}

func linesInLoop(ctx context.Context, db *sql.DB, orders []*order) error {
	// example: in-a-loop
	for _, o := range orders { // read with one query
		rows, err := db.QueryContext(ctx, `SELECT product_id, quantity
			FROM lines WHERE order_id = ? ORDER BY position`, o.ID)
		if err != nil {
			return err
		}
		if o.Lines, err = scanLines(rows); err != nil {
			return err
		}
	}
	// end
	return nil
}

func scanLines(rows *sql.Rows) ([]line, error) {
	defer rows.Close()
	var lines []line
	for rows.Next() {
		var l line
		if err := rows.Scan(&l.Product, &l.Quantity); err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
	return lines, rows.Err()
}

func linesByKeys(ctx context.Context, db *sql.DB, orders []*order) error {
	if len(orders) == 0 {
		return nil
	}
	var ids []any
	byID := map[int64]*order{}
	for _, o := range orders {
		ids = append(ids, o.ID)
		byID[o.ID] = o
	}
	in := "?" + strings.Repeat(", ?", len(ids)-1)
	// example: by-keys
	rows, err := db.QueryContext(ctx, `SELECT order_id, product_id, quantity
		FROM lines WHERE order_id IN (`+in+`) ORDER BY position`, ids...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var l line
		if err := rows.Scan(&l.OrderID, &l.Product, &l.Quantity); err != nil {
			return err
		}
		o := byID[l.OrderID] // a map from id to order
		o.Lines = append(o.Lines, l)
	}
	return rows.Err() // Next is also false when the connection breaks
	// end
}

// Both ways read the same lines, and the number of statements tells them apart.
func TestExample(t *testing.T) {
	var log strings.Builder
	read := func(name string, add func(context.Context, *sql.DB, []*order) error, want int) []*order {
		var orders []*order
		bubble.Run(t, func(t *testing.T) {
			db, probe := page(t)
			probe.Inject(sqlprobe.Fault{Latency: time.Millisecond})
			start := time.Now()
			rec := probe.Record(func() {
				ids, err := column(t.Context(), db, "SELECT id FROM orders ORDER BY id LIMIT ?", 20)
				if err != nil {
					t.Fatal(err)
				}
				for _, id := range ids {
					orders = append(orders, &order{ID: id})
				}
				if err := add(t.Context(), db, orders); err != nil {
					t.Fatal(err)
				}
			})
			if err := rec.CheckCount(want); err != nil {
				t.Error(err)
			}
			fmt.Fprintf(&log, "%s: %d statements, %d ms\n", name, len(rec.Statements), time.Since(start).Milliseconds())
			var shapes []string
			times := map[string]int{}
			for _, s := range rec.Statements {
				if times[s.Shape]++; times[s.Shape] == 1 {
					shapes = append(shapes, s.Shape)
				}
			}
			for _, shape := range shapes {
				fmt.Fprintf(&log, "%4d × %s\n", times[shape], strings.Replace(shape, " FROM lines ", "\n         FROM lines ", 1))
			}
		})
		return orders
	}
	looped := read("in a loop", linesInLoop, 21)
	log.WriteString("\n")
	keyed := read("by keys", linesByKeys, 2)
	for _, o := range keyed {
		for i := range o.Lines {
			o.Lines[i].OrderID = 0 // the loop does not ask for it
		}
	}
	if len(looped) != 20 || len(looped[0].Lines) != 10 || !reflect.DeepEqual(looped, keyed) {
		t.Error("both ways should read 20 orders with the same ten lines each")
	}
	t.Log("\n" + log.String())
}
