//go:build solutions

package migration_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/sqlprobe/sqlite"
)

// example: wrong
const split = `
	ALTER TABLE people RENAME COLUMN name TO first;
	ALTER TABLE people ADD COLUMN last TEXT;
	UPDATE people SET
		last  = substr(first, instr(first || ' ', ' ') + 1),
		first = substr(first, 1, instr(first || ' ', ' ') - 1)`

// end

// example: right
const (
	expand = `ALTER TABLE people ADD COLUMN first TEXT; ALTER TABLE people ADD COLUMN last TEXT`
	// Deploy the program that writes all three and reads name. Once the old one has stopped, fill in every row.
	fill = `
		UPDATE people SET
			last  = substr(name, instr(name || ' ', ' ') + 1),
			first = substr(name, 1, instr(name || ' ', ' ') - 1)
		WHERE id IN (SELECT id FROM people WHERE id > $1 AND id <= $2 ORDER BY id LIMIT 1000)
		RETURNING id` // $1: the highest of these the last time; $2: the highest in the table at the start
	// Deploy the program that reads first and last, then the one that no longer writes name.
	contract = `ALTER TABLE people DROP COLUMN name`
)

// end

// The example of docs/migration.md: what the programs read after each step.
func TestExample(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		var log strings.Builder
		fmt.Fprintf(&log, "%-10s %-24s %s\n", "after", "name", "first | last")
		for _, steps := range [][]string{{split}, {expand, fill, contract}} {
			probe, err := sqlite.New(fmt.Sprintf("file:/migration-%d?vfs=memdb", len(steps)))
			if err != nil {
				t.Fatal(err)
			}
			db := sql.OpenDB(probe)
			defer db.Close()
			if _, err := db.ExecContext(t.Context(), `CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO people VALUES (1, 'Ann Lee')`); err != nil {
				t.Fatal(err)
			}
			for _, step := range steps {
				var args []any
				if step == fill {
					args = []any{0, 1}
				}
				if _, err := db.ExecContext(t.Context(), step, args...); err != nil {
					t.Fatal(err)
				}
				name := map[string]string{split: "split", expand: "expand", fill: "fill", contract: "contract"}[step]
				old, latest := "has been stopped", reads(t, db, `SELECT first || ' | ' || last FROM people`)
				if step != contract {
					old = reads(t, db, `SELECT name FROM people`)
				}
				fmt.Fprintf(&log, "%-10s %-24s %s\n", name, old, latest)
			}
		}
		t.Log("\n" + log.String())
	})
}

func reads(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	var s sql.NullString
	switch err := db.QueryRowContext(t.Context(), query).Scan(&s); {
	case err != nil:
		return strings.TrimPrefix(err.Error(), "sqlite3: SQL logic error: ")
	case !s.Valid:
		return "NULL"
	}
	return s.String
}
