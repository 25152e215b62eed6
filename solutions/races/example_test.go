//go:build solutions

package races_test

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/sqlprobe"
	"github.com/backend-kata/dojo/pkg/sqlprobe/sqlite"
)

var errTaken = errors.New("taken")

// example: look-then-book
func book(ctx context.Context, db *sql.DB, seat int, buyer string) error {
	var free bool
	err := db.QueryRowContext(ctx,
		"SELECT owner IS NULL FROM seats WHERE id = $1", seat).Scan(&free)
	if err != nil || !free {
		return cmp.Or(err, errTaken)
	}
	_, err = db.ExecContext(ctx, "UPDATE seats SET owner = $1 WHERE id = $2", buyer, seat)
	return err
}

// end

// example: book-if-free
func bookIfFree(ctx context.Context, db *sql.DB, seat int, buyer string) error {
	result, err := db.ExecContext(ctx,
		"UPDATE seats SET owner = $1 WHERE id = $2 AND owner IS NULL", buyer, seat)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return cmp.Or(err, errTaken)
	}
	return nil
}

// end

// The example of docs/races.md: two buyers of one seat, half a round trip apart.
func TestExample(t *testing.T) {
	wrong := sell(t, book)
	right := sell(t, bookIfFree)
	t.Log("\nbook\n" + wrong.story + "\nbookIfFree\n" + right.story)
	if wrong.sold != 2 || wrong.owner != "ben" {
		t.Errorf("book: %d buyers are told that the seat is theirs, and it is %s's. Both should be told so, and the second should have it.", wrong.sold, wrong.owner)
	}
	if right.sold != 1 || right.owner != "ann" {
		t.Errorf("bookIfFree: %d buyers are told that the seat is theirs, and it is %s's. Only the first should be told so.", right.sold, right.owner)
	}
}

type sale struct {
	sold         int    // buyers who were told that the seat is theirs
	owner, story string // who has it, and how that came
}

// sell lets ann and ben book seat 7. Each statement takes 10 ms to reach the database, and ben clicks 5 ms after ann.
func sell(t *testing.T, book func(ctx context.Context, db *sql.DB, seat int, buyer string) error) (s sale) {
	bubble.Run(t, func(t *testing.T) {
		probe, err := sqlite.New("file:/races?vfs=memdb")
		if err != nil {
			t.Fatal(err)
		}
		db := sql.OpenDB(probe)
		defer db.Close()
		if _, err := db.ExecContext(t.Context(), "CREATE TABLE seats (id INTEGER PRIMARY KEY, owner TEXT); INSERT INTO seats VALUES (7, NULL)"); err != nil {
			t.Fatal(err)
		}
		probe.Inject(sqlprobe.Fault{Pattern: "SELECT|UPDATE", Latency: 10 * time.Millisecond})
		told := map[string]chan error{"ann": make(chan error, 1), "ben": make(chan error, 1)}
		var errs [2]error
		seen := probe.Record(func() {
			for _, buyer := range []string{"ann", "ben"} {
				go func() { told[buyer] <- book(t.Context(), db, 7, buyer) }()
				time.Sleep(5 * time.Millisecond)
			}
			errs = [2]error{<-told["ann"], <-told["ben"]}
		})
		var story strings.Builder
		for _, statement := range seen.Statements {
			fmt.Fprintf(&story, "  %s  %s\n", buyers[statement.Conn-seen.Statements[0].Conn], text(statement))
		}
		for i, buyer := range buyers {
			if errs[i] == nil {
				s.sold++
			}
			fmt.Fprintf(&story, "  %s is told: %s\n", buyer, cmp.Or(errs[i], errors.New("the seat is yours")))
		}
		if err := db.QueryRowContext(t.Context(), "SELECT owner FROM seats").Scan(&s.owner); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&story, "  seat 7 is %s's\n", s.owner)
		s.story = story.String()
	})
	return s
}

var buyers = [2]string{"ann", "ben"}

// text is a statement with its arguments in place.
func text(s sqlprobe.Statement) string {
	all := s.Query
	for _, a := range s.Args {
		value := fmt.Sprint(a.Value)
		if _, ok := a.Value.(string); ok {
			value = "'" + value + "'"
		}
		all = strings.ReplaceAll(all, fmt.Sprintf("$%d", a.Ordinal), value)
	}
	return all
}
