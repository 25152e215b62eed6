package sqlprobe_test

import (
	"database/sql"
	"testing"

	sqlite3driver "github.com/ncruces/go-sqlite3/driver"

	"github.com/backend-kata/dojo/pkg/sqlprobe"
)

// What a query of one row costs without a probe, with one, and in a recording.
func BenchmarkOverhead(b *testing.B) {
	s := newShop(b, 100) // keeps the database that the other one opens
	plain, err := sqlite3driver.Open("file:/BenchmarkOverhead100?vfs=memdb")
	if err != nil {
		b.Fatal(err)
	}
	defer plain.Close()
	query := func(b *testing.B, db *sql.DB) {
		for b.Loop() {
			if err := ask(db, "SELECT customer FROM orders WHERE id = ?", 7); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("without", func(b *testing.B) { query(b, plain) })
	b.Run("idle", func(b *testing.B) { query(b, s.DB) })
	b.Run("recording", func(b *testing.B) { s.probe.Record(func() { query(b, s.DB) }) })
	b.Run("fault", func(b *testing.B) {
		s.probe.Inject(sqlprobe.Fault{Pattern: "FROM lines"})
		query(b, s.DB)
	})
}
