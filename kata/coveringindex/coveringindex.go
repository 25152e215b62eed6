//go:build !solutions

// Package coveringindex is the kata for the question "What is covering index?"
// Its contract is in README.md, in this folder.
package coveringindex

// Indexes returns the indexes of the shop, each as one CREATE INDEX or CREATE UNIQUE INDEX in SQLite's SQL, on orders or
// on customers. They are made in this order. The one set serves all queries, and keeps to the budget.
func Indexes() []string { return nil }

// Rewrite returns the query mine, written so that indexes help. For every customer it returns the same rows in the same
// order as the query below. Its only parameter is the customer's id, as ? or ?1; ?1 may stand more than once.
func Rewrite() string {
	return `
		SELECT id, created, total FROM orders
		WHERE customer_id = ?1 OR recipient_id = ?1
		ORDER BY created DESC, id DESC LIMIT 20`
}
