package sqlprobe_test

import (
	"testing"

	"github.com/backend-kata/dojo/pkg/sqlprobe"
)

func TestShape(t *testing.T) {
	tests := []struct{ why, query, want string }{
		{"a number", "SELECT * FROM t WHERE id = 42", "SELECT * FROM t WHERE id = ?"},
		{"kinds of numbers", "SELECT 1.5, .5, 1e-9, 0xFF, 1_000", "SELECT ?, ?, ?, ?, ?"},
		{"digits in a name stay", "SELECT c1 FROM t2", "SELECT c1 FROM t2"},
		{"a text with a doubled quote", "SELECT 'it''s' || name", "SELECT ? || name"},
		{"a backslash means nothing in standard SQL", `SELECT 'a\' || name`, "SELECT ? || name"},
		{"and escapes in PostgreSQL's E strings", `SELECT E'a\'b' || name`, "SELECT ? || name"},
		{"bytes", "SELECT x'00ff'", "SELECT ?"},
		{"dollar quotes", "SELECT $q$it's$q$ || name", "SELECT ? || name"},
		{"SQLite's parameters", "SELECT ?, ?2, :name, @name, $name", "SELECT ?, ?, ?, ?, ?"},
		{"PostgreSQL's parameters", "SELECT $1 + $2", "SELECT ? + ?"},
		{"a cast is no parameter", "SELECT id::text FROM t", "SELECT id::text FROM t"},
		{"names in quotes stay", "SELECT \"a'1\", `b 2`, [c 3] FROM t", "SELECT \"a'1\", `b 2`, [c 3] FROM t"},
		{"a list of any length", "SELECT a FROM t WHERE id IN (?, ?, ?) AND b = 1", "SELECT a FROM t WHERE id IN (?, …) AND b = ?"},
		{"a list of one", "SELECT a FROM t WHERE id IN (7)", "SELECT a FROM t WHERE id IN (?, …)"},
		{"a call with one argument is no list", "SELECT abs(-7)", "SELECT abs(-?)"},
		{"nor is an expression", "SELECT a FROM t WHERE b = (7)", "SELECT a FROM t WHERE b = (?)"},
		{"rows of VALUES", "INSERT INTO t(a, b) VALUES (?, ?), (?, ?),(?, ?)", "INSERT INTO t(a, b) VALUES (?, …)"},
		{"rows of one value", "INSERT INTO t VALUES (1), (2)", "INSERT INTO t VALUES (?, …)"},
		{"white space and comments", "SELECT a -- the first\n\tFROM /* which? */ t ;\n", "SELECT a FROM t"},
		{"a text that never ends", "SELECT 'a", "SELECT ?"},
		{"a comment that never ends", "SELECT a /* b", "SELECT a"},
		{"letters beyond ASCII", "SELECT größe FROM t", "SELECT größe FROM t"},
		{"nothing", "", ""},
	}
	for _, test := range tests {
		if got := sqlprobe.Shape(test.query); got != test.want {
			t.Errorf("%s: the shape of %q is %q, want %q", test.why, test.query, got, test.want)
		}
	}
}

func FuzzShape(f *testing.F) {
	f.Add("SELECT E'a\\'b', $q$x$q$, [c] FROM t WHERE id IN (?, ?) -- end")
	f.Fuzz(func(t *testing.T, query string) {
		once := sqlprobe.Shape(query)
		if len(once) > 4*len(query)+8 {
			t.Errorf("the shape of %q is longer than it: %q", query, once)
		}
	})
}
