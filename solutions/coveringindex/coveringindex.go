//go:build solutions

// Package coveringindex is the reference solution of the kata of that name.
package coveringindex

// Indexes returns the shop's indexes, each as one CREATE INDEX or CREATE UNIQUE INDEX statement.
func Indexes() []string {
	return []string{
		// history, year and team: equality, then range or order, then what is only read. Their order ends in id, so that id
		// stands before total: else orders of one second would come by total. Guests are NULL, which is equal to nobody.
		`CREATE INDEX orders_customer ON orders(customer_id, created, id, total) WHERE customer_id IS NOT NULL`,

		// The other half of mine. Five orders in six are no gift, and have no entry.
		`CREATE INDEX orders_recipient ON orders(recipient_id, created, id, total) WHERE recipient_id IS NOT NULL`,

		// queue. The status would be the same in every entry, and so is no column. An order that is paid leaves the index,
		// and nothing is written.
		`CREATE INDEX orders_open ON orders(created, id, customer_id) WHERE status = 'open'`,

		// ranking by its order, and large by its first two columns. large sorts what these leave, which is little.
		`CREATE INDEX orders_country ON orders(country, total DESC, created, id, customer_id)`,

		// Not unique: no address comes twice today, and nobody has promised that it never will.
		`CREATE INDEX customers_email ON customers(lower(email))`,

		`CREATE INDEX customers_company ON customers(company) WHERE company IS NOT NULL`,
	}
}

// Rewrite returns the query mine, written so that indexes help.
//
// Each half has its own index, in the order that is asked for, so that SQLite merges the two and stops after 20 rows. UNION
// keeps an order that is in both halves once.
func Rewrite() string {
	return `
		SELECT id, created, total FROM orders WHERE customer_id = ?1
		UNION
		SELECT id, created, total FROM orders WHERE recipient_id = ?1
		ORDER BY created DESC, id DESC LIMIT 20`
}
