package coveringindex_test

// The shop of the README: its tables, what is in them, its queries, and what an hour of it writes.

const tables = `
	CREATE TABLE customers (
		id           INTEGER PRIMARY KEY,
		name         TEXT NOT NULL,
		email        TEXT NOT NULL,
		company      TEXT
	);
	CREATE TABLE orders (
		id           INTEGER PRIMARY KEY,
		customer_id  INTEGER,
		recipient_id INTEGER,
		country      TEXT NOT NULL,
		status       TEXT NOT NULL,
		created      INTEGER NOT NULL,
		total        INTEGER NOT NULL,
		updated      INTEGER NOT NULL,
		note         TEXT NOT NULL
	);`

// rows fills the tables so that one condition alone is of little use: customer 2 has ordered a lot, but not lately, and
// France buys a lot, but seldom for much. Among the latest orders of customer 1 are gifts, some by guests and some for the buyer.
const rows = `
	WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 500)
	INSERT INTO customers SELECT i, 'Person ' || i, 'Person.' || i || '@Example.com',
		CASE WHEN i % 2 = 0 THEN 'Company ' || (i/2 % 50) END FROM n;

	WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 4000)
	INSERT INTO orders SELECT i,
		CASE WHEN i % 12 < 2 THEN 1
			WHEN i % 12 = 2 THEN CASE WHEN i < 1600 OR i % 600 = 2 THEN 2 ELSE 3 + i/12 % 4 END
			WHEN i % 10 = 3 THEN NULL
			ELSE i*37 % 494 + 7 END,
		CASE WHEN i % 60 = 0 OR i % 40 = 23 OR i % 40 = 24 THEN 1 WHEN i % 10 = 4 OR i % 20 = 3 THEN i*53 % 500 + 1 END,
		CASE WHEN i % 100 < 70 THEN 'DE' WHEN i % 100 < 95 THEN 'FR' WHEN i % 100 < 99 THEN 'NL' ELSE 'LU' END,
		CASE WHEN i % 100 = 7 THEN 'open' WHEN i % 100 < 9 THEN 'paid' WHEN i % 100 = 10 THEN 'cancelled' ELSE 'shipped' END,
		1700000000 + i/2 * 21600,
		CASE WHEN i % 1000 = 72 THEN 94
			WHEN i % 100 BETWEEN 70 AND 94 THEN (i/100 * 31 + i*i) % 49
			ELSE (i/100 * 31 + i*i) % 97 END * 1000 + 999,
		1700000000 + i/2 * 21600 + i % 50 * 3600,
		'Note ' || i || ': ' || printf('%.*c', 90 + i % 100, '.') FROM n;`

// A query is one of the product's, with arguments to try it with.
type query struct {
	sql  string
	args [][]any

	// counts asks for the rows that count for its work, where these are not those that it returns.
	counts string

	// unordered says that no order of its rows is asked for.
	unordered bool
}

var queries = map[string]query{
	"history": {
		sql:  "SELECT id, created, total FROM orders WHERE customer_id = ? ORDER BY created DESC, id DESC LIMIT 20",
		args: [][]any{{1}, {77}},
	},
	"year": {
		sql:    "SELECT count(*), sum(total) FROM orders WHERE customer_id = ? AND created >= ? AND created < ?",
		args:   [][]any{{1, 1730000000, 1730200000}, {2, 1722000000, 1800000000}, {77, 1700000000, 1800000000}},
		counts: "SELECT count(*) FROM orders WHERE customer_id = ? AND created >= ? AND created < ?",
	},
	"team": {
		sql: `SELECT c.id, c.name, sum(o.total) FROM customers AS c JOIN orders AS o ON o.customer_id = c.id
			WHERE c.company = ? AND o.created >= ? GROUP BY c.id`,
		args:      [][]any{{"Company 1", 1720000000}, {"Company 7", 1700000000}},
		counts:    "SELECT count(*) FROM customers AS c JOIN orders AS o ON o.customer_id = c.id WHERE c.company = ? AND o.created >= ?",
		unordered: true,
	},
	"queue": {
		sql:  "SELECT id, customer_id, created FROM orders WHERE status = 'open' ORDER BY created, id LIMIT 20",
		args: [][]any{{}},
	},
	"large": {
		sql:  "SELECT id, customer_id, total FROM orders WHERE country = ? AND total >= ? ORDER BY created, id",
		args: [][]any{{"LU", 70000}, {"DE", 95999}, {"FR", 90000}},
	},
	"ranking": {
		sql:  "SELECT id, created, total FROM orders WHERE country = ? ORDER BY total DESC, created, id LIMIT 10",
		args: [][]any{{"DE"}, {"LU"}},
	},
	"login": {
		sql:       "SELECT id, name FROM customers WHERE lower(email) = ?",
		args:      [][]any{{"person.17@example.com"}, {"nobody@example.com"}},
		unordered: true,
	},
	"mine": {
		sql:  "SELECT id, created, total FROM orders WHERE customer_id = ?1 OR recipient_id = ?1 ORDER BY created DESC, id DESC LIMIT 20",
		args: [][]any{{1}, {2}, {24}, {77}, {9999}, {nil}},
	},
}

// A write is a part of the hour that the budget is for.
type write struct {
	what  string
	sql   string
	table string
	rows  string // the rows that it writes, before and after
}

var hour = []write{
	{
		"100 orders come in", `
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 100)
		INSERT INTO orders SELECT 4000 + i,
			CASE WHEN i % 10 = 0 THEN NULL WHEN i < 3 THEN 7 ELSE i*37 % 500 + 1 END,
			CASE WHEN i % 10 = 5 THEN i END,
			CASE WHEN i % 10 < 7 THEN 'DE' ELSE 'FR' END,
			'open', 1743300000 + i/3*60, 1999, 1743300000 + i/3*60, 'Note' FROM n`,
		"orders", "id > 4000",
	},
	{
		"these 100 are paid", `UPDATE orders SET status = 'paid', updated = updated + 60 WHERE id > 4000`,
		"orders", "id > 4000",
	},
	{
		"100 old orders get another note", `UPDATE orders SET note = note || ' Called back.', updated = updated + 60
		WHERE id BETWEEN 2011 AND 2120 AND status = 'shipped'`,
		"orders", "id BETWEEN 2011 AND 2120 AND status = 'shipped'",
	},
	{
		"20 people become customers", `
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 20)
		INSERT INTO customers SELECT 500 + i, 'Person ' || (500 + i),
			CASE WHEN i < 3 THEN 'PERSON.' || (16 + i) || '@example.com' ELSE 'Person.' || (500 + i) || '@Example.com' END,
			CASE WHEN i % 2 = 0 THEN 'Company 1' END FROM n`,
		"customers", "id > 500",
	},
}
