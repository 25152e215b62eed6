package sqlprobe_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/backend-kata/dojo/pkg/sqlprobe"
)

func TestSQLitePlans(t *testing.T) {
	s := newShop(t, 50)
	_, err := s.Exec(`
		CREATE INDEX orders_customer ON orders(customer, id);
		CREATE TABLE prices (sku TEXT PRIMARY KEY, cents INTEGER) WITHOUT ROWID;
		CREATE TABLE loose (a INTEGER, b INTEGER);`)
	fine(t, err)
	tests := []struct {
		why, query string
		accesses   string
		sorts      string
	}{
		{"no index", "SELECT * FROM lines WHERE quantity = 1", "full scan of lines", ""},
		{"an index", "SELECT * FROM lines WHERE order_id = ?", "search of lines by index lines_order", ""},
		{"an index that has all", "SELECT id FROM orders WHERE customer = ?", "search of orders by covering index orders_customer", ""},
		{"an index read from end to end", "SELECT order_id FROM lines", "full scan of lines by covering index lines_order", ""},
		{"an index for the order alone", "SELECT * FROM lines ORDER BY order_id", "full scan of lines by index lines_order", ""},
		{"the rowid", "SELECT * FROM orders WHERE id = ?", "search of orders by its primary key", ""},
		{"a table that is its index", "SELECT cents FROM prices WHERE sku = ?", "search of prices by its primary key", ""},
		{"a sort", "SELECT * FROM lines WHERE order_id = 1 ORDER BY sku", "search of lines by index lines_order", "ORDER BY"},
		{"a sort of the last term", "SELECT * FROM lines ORDER BY order_id, sku", "full scan of lines by index lines_order", "LAST TERM OF ORDER BY"},
		{"groups", "SELECT sku, sum(quantity) FROM lines GROUP BY sku", "full scan of lines", "GROUP BY"},
		{"a join, by aliases", "SELECT 1 FROM orders AS o JOIN lines AS l ON l.order_id = o.id WHERE o.id > 5", "search of l by covering index lines_order; search of o by its primary key", ""},
		{"an index that SQLite makes", "SELECT * FROM loose AS x JOIN loose AS y ON x.a = y.b", "full scan of x; full scan of y by index AUTOMATIC", ""},
		{"OR", "SELECT * FROM lines WHERE order_id = 1 OR rowid = 2", "search of lines by index lines_order; search of lines by its primary key", ""},
		{"json_each is no table", "SELECT * FROM lines WHERE order_id IN (SELECT value FROM json_each(?))", "search of lines by index lines_order", ""},
		{"a subquery is no table", "WITH n AS MATERIALIZED (SELECT sku, count(*) AS c FROM lines WHERE order_id < 9 GROUP BY sku) SELECT * FROM n WHERE c > 1", "search of lines by index lines_order", "GROUP BY"},
		{"constants", "VALUES (1), (2)", "", ""},
	}
	for _, test := range tests {
		var args []any
		for range strings.Count(test.query, "?") {
			args = append(args, 1)
		}
		p, err := sqlprobe.ExplainSQLite(context.Background(), s, test.query, args...)
		fine(t, err)
		var got []string
		for _, a := range p.Accesses {
			got = append(got, a.String())
		}
		if strings.Join(got, "; ") != test.accesses || strings.Join(p.Sorts, "; ") != test.sorts {
			t.Errorf("%s: got %q and sorts %q, want %q and %q\n%s", test.why, got, p.Sorts, test.accesses, test.sorts, p.Text)
		}
	}
	if _, err := sqlprobe.ExplainSQLite(context.Background(), s, "SELECT * FROM nowhere"); err == nil {
		t.Error("a query that is wrong has no plan")
	}
}

func TestPlanChecks(t *testing.T) {
	s := newShop(t, 5)
	explain := func(query string) sqlprobe.Plan {
		p, err := sqlprobe.ExplainSQLite(context.Background(), s, query)
		fine(t, err)
		return p
	}
	good := explain("SELECT order_id FROM lines WHERE order_id = 1 ORDER BY order_id")
	for _, err := range []error{good.CheckNoFullScan(), good.CheckNoSort(), good.CheckCovering(), good.CheckUses("lines_order")} {
		fine(t, err)
	}
	bad := explain("SELECT sku FROM lines WHERE quantity = 1 ORDER BY sku")
	const plan = "\n\n  SCAN lines\n  USE TEMP B-TREE FOR ORDER BY"
	says(t, bad.CheckNoFullScan(), "full scan of lines, and none was expected"+plan)
	says(t, bad.CheckNoSort(), "rows are sorted for ORDER BY, and were expected to come in order from an index"+plan)
	says(t, bad.CheckCovering(), "full scan of lines, and a covering index was expected"+plan)
	says(t, bad.CheckUses("lines_sku"), "index lines_sku is not used, and was expected to be"+plan)
	none := explain("VALUES (1), (2)")
	for _, err := range []error{none.CheckNoFullScan(), none.CheckNoSort(), none.CheckCovering()} {
		says(t, err, "the plan reads no table\n\n  SCAN 2-ROW VALUES CLAUSE")
	}
	fetches := sqlprobe.Plan{Accesses: []sqlprobe.Access{{Table: "lines", Index: "i", Covering: true}}, HeapFetches: 7, Text: "Index Only Scan"}
	says(t, fetches.CheckCovering(), "an index-only scan looked at the table for 7 rows; VACUUM marks pages as visible to all\n\n  Index Only Scan")
}

// The plans were written by PostgreSQL 15.
func TestPostgresPlans(t *testing.T) {
	tests := []struct {
		file string
		want sqlprobe.Plan
	}{
		{"index-only", sqlprobe.Plan{
			Accesses: []sqlprobe.Access{{Table: "orders", Index: "orders_customer", Covering: true}},
			Measured: true, Rows: 100, Buffers: 3,
			Text: "Index Only Scan using orders_customer on orders ((customer = 'c3'::text) AND (placed > 9000)) (rows 100, loops 1, buffers 3)\n",
		}},
		{"join-and-sort", sqlprobe.Plan{
			Accesses: []sqlprobe.Access{{Table: "lines", FullScan: true}, {Table: "orders", FullScan: true}},
			Sorts:    []string{"l.sku, o.id"},
			Measured: true, Rows: 20000,
		}},
		{"bitmap", sqlprobe.Plan{
			Accesses: []sqlprobe.Access{{Table: "orders", Index: "orders_customer"}, {Table: "orders", Index: "orders_pkey"}},
			Text: "Bitmap Heap Scan on orders\n  BitmapOr\n    Bitmap Index Scan using orders_customer ((customer = 'c3'::text) AND (placed < 100))\n" +
				"    Bitmap Index Scan using orders_pkey (id < 100)\n",
		}},
	}
	for _, test := range tests {
		text, err := os.ReadFile(filepath.Join("testdata", "postgres15-"+test.file+".json"))
		fine(t, err)
		got, err := sqlprobe.ParsePostgres(text)
		fine(t, err)
		if test.want.Text == "" { // long, and of no more interest
			got.Text, got.Buffers = "", 0
		}
		if d := cmp.Diff(test.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", test.file, d)
		}
	}
	for _, bad := range []string{"", "Seq Scan on t", "[]", "[{}]"} {
		if _, err := sqlprobe.ParsePostgres([]byte(bad)); err == nil {
			t.Errorf("%q is no plan, and an error was expected", bad)
		}
	}
}
