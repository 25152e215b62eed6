//go:build solutions

package races_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	_ "github.com/ncruces/go-sqlite3/driver"
)

// The numbers of docs/races.md: what two buyers of one seat get in every order of what they send.

// A way is what each of two buyers sends, in one round trip or two.
type way struct {
	name string
	look string // returns first whether the buyer may go on; a way of one round trip has none
	book string
}

const (
	free    = "SELECT owner IS NULL FROM seats WHERE id = 7"
	take    = "UPDATE seats SET owner = :buyer WHERE id = 7"
	noneYet = "SELECT count(*) = 0 FROM seats WHERE owner = 'cem'" // cem has two tabs, and wants a seat in each
	takeOwn = "UPDATE seats SET owner = 'cem' WHERE id = :seat AND owner IS NULL"
)

var ways = []way{
	{"no protection", free, take},
	{"unique constraint", "", "INSERT INTO bookings (seat, buyer) VALUES (7, :buyer)"},
	{"one `UPDATE`", "", take + " AND owner IS NULL"},
	{"version", "SELECT owner IS NULL, version FROM seats WHERE id = 7", "UPDATE seats SET owner = :buyer, version = version + 1 WHERE id = 7 AND version = :version"},
	{"lock first", "BEGIN IMMEDIATE; " + free, take + "; COMMIT"},
	{"snapshot", "BEGIN; " + free, take + "; COMMIT"},
	{"limit of one seat", noneYet, takeOwn},
	{"limit, serializable", "BEGIN; " + noneYet, takeOwn + "; COMMIT"},
}

// The statements of the answer page.
func TestLadder(t *testing.T) {
	var all strings.Builder
	for _, w := range ways[1:7] {
		fmt.Fprintf(&all, "-- %s\n", strings.ReplaceAll(w.name, "`", ""))
		for _, trip := range []string{w.look, w.book} {
			if trip != "" {
				all.WriteString(strings.NewReplacer(":buyer", "'ann'", ":version", "1", ":seat", "7").Replace(trip) + ";\n")
			}
		}
	}
	t.Log("\n" + all.String())
}

// What becomes of the buyer who comes second.
const (
	both       = "buys too"
	late       = "sees it taken"
	constraint = "constraint error"
	noRows     = "0 rows"
	waited     = "waits, sees it taken"
	refused    = "serialization error, retries"
)

// wrong says in how many orders of how many each way sells the seat twice, or a customer two.
var wrong = [][2]int{{4, 6}, {0, 2}, {0, 2}, {0, 6}, {0, 6}, {0, 6}, {4, 6}, {0, 6}}

// SQLite stands in for the databases that do the same: with a write-ahead log its transactions read a snapshot, and one that
// writes after another has committed is refused. So they are serializable.
func TestOrders(t *testing.T) {
	var table strings.Builder
	table.WriteString("| what each buyer sends | orders | broken | the second, if they overlap |\n|---|---|---|---|\n")
	for i, w := range ways {
		orders, twice, second := w.try(t)
		fmt.Fprintf(&table, "| %s | %d | %d | %s |\n", w.name, orders, twice, second)
		if got := [2]int{twice, orders}; got != wrong[i] {
			t.Errorf("%s sells twice in %d of %d orders, and not in %d of %d", w.name, twice, orders, wrong[i][0], wrong[i][1])
		}
	}
	t.Log("\n" + table.String())
}

func TestSoldTwice(t *testing.T) {
	of, twice, _ := ways[0].try(t)
	_, once, _ := ways[2].try(t)
	if once != 0 {
		t.Errorf("A conditional UPDATE sells the seat twice in %d orders", once)
	}
	t.Logf("%d of %d orders sell the seat twice; with a conditional `UPDATE`, none", twice, of)
}

// try runs the way in every order. Where the two overlap, what becomes of the second is the same.
func (w way) try(t *testing.T) (orders, twice int, second string) {
	for _, order := range w.orders() {
		orders++
		sold, becomes := w.in(t, order)
		if sold > 1 {
			twice++
		}
		if w.look != "" && order[0] == order[1] {
			becomes = "" // the first was done before the second began
		}
		switch {
		case second == "":
			second = becomes
		case becomes != "" && becomes != second:
			t.Errorf("%s: in the order %v the second buyer %s, and in another %s", w.name, order, becomes, second)
		}
	}
	return orders, twice, second
}

// orders are those in which the two buyers, 0 and 1, can send what they send.
func (w way) orders() [][]int {
	if w.look == "" {
		return [][]int{{0, 1}, {1, 0}}
	}
	return [][]int{{0, 0, 1, 1}, {0, 1, 0, 1}, {0, 1, 1, 0}, {1, 0, 0, 1}, {1, 0, 1, 0}, {1, 1, 0, 0}}
}

// in runs the way in one order. It returns how many were sold a seat, and what became of the second.
func (w way) in(t *testing.T, order []int) (sold int, second string) {
	ctx := t.Context()
	db, err := sql.Open("sqlite3", "file:"+filepath.ToSlash(filepath.Join(t.TempDir(), "seats.db"))+"?_pragma=busy_timeout(0)&_pragma=journal_mode(wal)&_pragma=synchronous(off)")
	must(t, err)
	defer db.Close()
	_, err = db.ExecContext(ctx, `CREATE TABLE seats (id INTEGER PRIMARY KEY, owner TEXT, version INTEGER);
		INSERT INTO seats VALUES (7, NULL, 1), (8, NULL, 1);
		CREATE TABLE bookings (seat INTEGER UNIQUE, buyer TEXT)`)
	must(t, err)
	var two [2]*buyer
	for i := range two {
		conn, err := db.Conn(ctx)
		must(t, err)
		defer conn.Close()
		two[i] = &buyer{way: w, name: buyers[i], seat: 7 + i, conn: conn, left: len(order) / 2}
	}
	for _, i := range order {
		must(t, two[i].send(ctx))
	}
	for _, b := range two { // who had to wait or to begin again
		for b.left > 0 {
			must(t, b.send(ctx))
		}
		if b.has {
			sold++
		}
	}
	if sold == 2 {
		return sold, both
	}
	for _, b := range two {
		if !b.has {
			return sold, b.stopped
		}
	}
	return sold, ""
}

// A buyer sends what the way says, one round trip at a time.
type buyer struct {
	way
	name    string
	seat    int // in the ways with a limit each has its own
	conn    *sql.Conn
	left    int // round trips
	version int
	has     bool
	stopped string // by what it was first
}

func (b *buyer) send(ctx context.Context) error {
	if b.left == 0 {
		return nil // it knows that it is late
	}
	looks := b.look != "" && b.left == 2
	statements := strings.Split(b.book, "; ")
	if looks {
		statements = strings.Split(b.look, "; ")
	}
	b.left--
	for _, s := range statements {
		var n int64
		var err error
		if strings.HasPrefix(s, "SELECT") {
			to := []any{&n, &b.version}
			if !strings.Contains(s, "version") {
				to = to[:1]
			}
			err = b.conn.QueryRowContext(ctx, s).Scan(to...)
		} else {
			n, err = b.exec(ctx, s)
		}
		switch {
		case errors.Is(err, sqlite3.BUSY_SNAPSHOT): // somebody has committed since the look
			b.stop(refused)
			b.left = 2
			_, err = b.conn.ExecContext(ctx, "ROLLBACK")
			return err
		case errors.Is(err, sqlite3.BUSY): // somebody has the lock
			b.stop(waited)
			b.left++
			return nil
		case errors.Is(err, sqlite3.CONSTRAINT_UNIQUE):
			b.stop(constraint)
			return nil
		case err != nil:
			return err
		case looks && strings.HasPrefix(s, "SELECT") && n == 0:
			b.stop(late)
			b.left = 0
			if len(statements) > 1 {
				_, err = b.conn.ExecContext(ctx, "ROLLBACK")
			}
			return err
		case !looks && n == 0 && s != "COMMIT":
			b.stop(noRows)
			return nil
		case !looks && s != "COMMIT":
			b.has = true
		}
	}
	return nil
}

func (b *buyer) exec(ctx context.Context, s string) (int64, error) {
	var args []any
	for name, value := range map[string]any{"buyer": b.name, "seat": b.seat, "version": b.version} {
		if strings.Contains(s, ":"+name) {
			args = append(args, sql.Named(name, value))
		}
	}
	result, err := b.conn.ExecContext(ctx, s, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (b *buyer) stop(reason string) {
	if b.stopped == "" {
		b.stopped = reason
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
