//go:build !solutions

// Package coveringindex is the kata for the question "What is covering index?"
// Its contract is in README.md, in this folder.
package coveringindex

// Indexes returns the shop's indexes, each as one CREATE INDEX or CREATE UNIQUE INDEX statement.
func Indexes() []string { return nil }

// Rewrite returns the query mine, written so that indexes help.
func Rewrite() string {
	return `
		SELECT id, created, total FROM orders
		WHERE customer_id = ?1 OR recipient_id = ?1
		ORDER BY created DESC, id DESC LIMIT 20`
}
