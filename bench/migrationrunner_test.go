//go:build solutions && unix

package bench_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/backend-kata/dojo/solutions/migration"
)

// The runner of migration: deployers at once, a migration that cannot run in a transaction, one that fails half-way.
func TestPostgresMigration(t *testing.T) {
	db, _ := connect(t)
	emptySchema(t, db)
	run(t, db, "SET search_path = migration")
	list := []migration.Migration{
		{Name: "table", SQL: "CREATE TABLE log (note TEXT); INSERT INTO log VALUES ('table')"},
		{Name: "index", SQL: "-- no transaction\nCREATE INDEX CONCURRENTLY log_note ON log (note)"},
		{Name: "note", SQL: "INSERT INTO log VALUES ('note')"},
	}
	if err := migration.Migrate(t.Context(), db, list[:1]); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		other, _ := connect(t)
		run(t, other, "SET search_path = migration")
		all.Go(func() { errs[i] = migration.Migrate(t.Context(), other, list) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	bad := append(slices.Clone(list), migration.Migration{Name: "bad", SQL: "INSERT INTO log VALUES ('bad'); INSERT INTO nowhere VALUES (1)"})
	if err := migration.Migrate(t.Context(), db, bad); err == nil {
		t.Error("a migration with a statement that is wrong has no error")
	}
	names, err := migration.Applied(t.Context(), db)
	if err != nil || !slices.Equal(names, []string{"table", "index", "note"}) {
		t.Errorf("applied are %q, %v", names, err)
	}
	var notes string
	if err := db.QueryRowContext(t.Context(), "SELECT string_agg(note, ' ') FROM log").Scan(&notes); err != nil || notes != "table note" {
		t.Errorf("the migrations have noted %q, %v; want each once", notes, err)
	}
	run(t, db, "UPDATE migrations SET marked = TRUE WHERE name = 'note'")
	if err := migration.Migrate(t.Context(), db, list); !errors.Is(err, migration.ErrMarked) {
		t.Errorf("a migration is marked, and Migrate returned %v", err)
	}
	if err := errors.Join(migration.Mend(t.Context(), db, "note"), migration.Migrate(t.Context(), db, list)); err != nil {
		t.Error(err)
	}
}
