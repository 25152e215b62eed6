//go:build solutions

package idempotency_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	sqlite3driver "github.com/ncruces/go-sqlite3/driver"
)

// The examples of docs/idempotency.md.

// Each of these is a statement without the lines that mark the example.
var schema, takeKey, storeResponse = unmarked(`
// example: schema
CREATE TABLE idempotency_keys (
	client       text    NOT NULL, -- from the credentials
	key          text    NOT NULL, -- from the header
	fingerprint  blob    NOT NULL, -- SHA-256 of the request
	run          text    NOT NULL, -- random; may store the response
	leased_until integer NOT NULL,
	point        text    NOT NULL DEFAULT 'started', -- see below
	status       integer,          -- NULL until there is a response
	body         blob,
	created_at   integer NOT NULL DEFAULT (unixepoch()),
	PRIMARY KEY (client, key)
)
// end
`), unmarked(`
// example: take-key
INSERT INTO idempotency_keys (client, key, fingerprint, run, leased_until)
VALUES (?, ?, ?, ?, unixepoch() + 60)
ON CONFLICT (client, key) DO UPDATE
SET    run = excluded.run, leased_until = excluded.leased_until
WHERE  status IS NULL AND leased_until <= unixepoch()
AND    fingerprint = excluded.fingerprint
// end
`), unmarked(`
// example: store-response
UPDATE idempotency_keys SET status = 201, body = ?
WHERE  client = ? AND key = ? AND run = ?
// end
`)

func unmarked(text string) string {
	return regexp.MustCompile(`(?m)^//.*$`).ReplaceAllString(text, "")
}

func lookThenPay(ctx context.Context, db *sql.DB, card *provider, key string, cents int) (charge string, err error) {
	// example: look-then-pay
	const find = `SELECT charge FROM payments WHERE key = ?`
	err = db.QueryRowContext(ctx, find, key).Scan(&charge)
	if !errors.Is(err, sql.ErrNoRows) {
		return charge, err // it was paid before
	}
	if charge, err = card.Charge(ctx, cents, ""); err != nil {
		return "", err
	}
	return charge, insert(ctx, db, key, charge)
	// end
}

func insert(ctx context.Context, db *sql.DB, key, charge string) error {
	_, err := db.ExecContext(ctx, `INSERT INTO payments VALUES (?, ?)`, key, charge)
	return err
}

func takeThenPay(ctx context.Context, db *sql.DB, card *provider, client, key, run string, cents int) (response, error) {
	hash := sha256.Sum256(fmt.Appendf(nil, "%d", cents))
	// example: take-then-pay
	took, err := db.ExecContext(ctx, takeKey, client, key, hash[:], run)
	if err != nil {
		return response{}, err
	}
	if n, err := took.RowsAffected(); err != nil || n == 0 {
		return look(ctx, db, client, key, hash[:]) // the response, 409 or 422
	}
	charge, err := card.Charge(ctx, cents, fmt.Sprintf("%q %q", client, key))
	if err != nil {
		return response{}, err // the outcome is unknown: keep the key
	}
	_, err = db.ExecContext(ctx, storeResponse, charge, client, key, run)
	return response{http.StatusCreated, charge}, err
	// end
}

// A run of a request has the key, unless its lease is over and a later run has begun.
type run struct {
	db      *sql.DB
	key, id string
}

// fulfil orders, charges and books a parcel, from wherever the run before it came to.
func (r run) fulfil(ctx context.Context, card, carrier *provider, point string) error {
	var err error
	// example: recovery-points
	for err == nil {
		switch point {
		case "started":
			point, err = r.move(ctx, "ordered",
				`INSERT INTO orders (key) VALUES (?)`, r.key)
		case "ordered":
			var charge string
			charge, err = card.Charge(ctx, 500, r.key+"/charge")
			if err == nil {
				point, err = r.move(ctx, "charged",
					`UPDATE orders SET charge = ? WHERE key = ?`, charge, r.key)
			}
		case "charged":
			var parcel string
			parcel, err = carrier.Book(ctx, r.key+"/parcel")
			if err == nil {
				point, err = r.move(ctx, "booked",
					`UPDATE orders SET parcel = ? WHERE key = ?`, parcel, r.key)
			}
		case "booked":
			return nil // the response can be stored
		}
	}
	return err // the next run starts at this point
	// end
}

var errLate = errors.New("a later run has the key")

// move makes a change and sets the recovery point, in one transaction.
func (r run) move(ctx context.Context, to, change string, args ...any) (point string, err error) {
	if dies(ctx) {
		return "", errDied
	}
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	mine, err := tx.ExecContext(ctx, `UPDATE idempotency_keys SET point = ? WHERE key = ? AND run = ?`, to, r.key, r.id)
	if err != nil {
		return "", err
	}
	if n, err := mine.RowsAffected(); err != nil || n == 0 {
		return "", cmp.Or(err, errLate)
	}
	if _, err := tx.ExecContext(ctx, change, args...); err != nil {
		return "", err
	}
	return to, tx.Commit()
}

// look finds the answer to a request whose key is taken.
func look(ctx context.Context, db *sql.DB, client, key string, hash []byte) (response, error) {
	var have []byte
	var status sql.NullInt64
	var body sql.NullString
	err := db.QueryRowContext(ctx, `SELECT fingerprint, status, body FROM idempotency_keys WHERE client = ? AND key = ?`, client, key).
		Scan(&have, &status, &body)
	switch {
	case err != nil:
		return response{}, err
	case string(have) != string(hash):
		return response{http.StatusUnprocessableEntity, "used before"}, nil
	case !status.Valid:
		return response{http.StatusConflict, "under way"}, nil
	}
	return response{int(status.Int64), body.String}, nil
}

type response struct {
	status int
	body   string
}

func (r response) String() string {
	return fmt.Sprintf("%d %s: %s", r.status, http.StatusText(r.status), r.body)
}

// A provider charges a card once for each key, and each time without one.
type provider struct {
	meanwhile func() // while the first charge is under way; may be nil
	after     error  // what a charge that was made fails with

	mu      sync.Mutex // guards the rest
	charges int
	calls   int
	byKey   map[string]string
}

func (p *provider) Charge(ctx context.Context, _ int, key string) (string, error) {
	if dies(ctx) {
		return "", errDied
	}
	p.mu.Lock()
	p.calls++
	charge := p.byKey[key]
	if charge == "" {
		p.charges++
		charge = fmt.Sprintf("charge %d", p.charges)
	}
	if p.byKey == nil {
		p.byKey = map[string]string{}
	}
	if key != "" {
		p.byKey[key] = charge
	}
	meanwhile := p.meanwhile
	p.meanwhile = nil
	p.mu.Unlock()
	if meanwhile != nil {
		meanwhile()
	}
	if p.after != nil {
		return "", p.after
	}
	return charge, nil
}

func (p *provider) Book(ctx context.Context, key string) (string, error) {
	return p.Charge(ctx, 0, key)
}

func open(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sqlite3driver.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1) // each connection has a memory of its own
	for _, table := range []string{schema, `CREATE TABLE payments (key TEXT, charge TEXT)`, `CREATE TABLE orders (key TEXT, charge TEXT, parcel TEXT)`} {
		if _, err := db.ExecContext(t.Context(), table); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// Somebody clicks twice: the second request comes while the first is at the provider.
func TestExample(t *testing.T) {
	ctx := t.Context()
	var log strings.Builder
	say := func(who string, have response, want string) {
		t.Helper()
		if have.String() != want {
			t.Errorf("%s is answered %q, and the page says %q", who, have, want)
		}
		fmt.Fprintf(&log, "  %-34s %s\n", who, have)
	}
	charged := func(card *provider, want int) {
		t.Helper()
		if card.charges != want {
			t.Errorf("the card was charged %d times, and the page says %d", card.charges, want)
		}
		fmt.Fprintf(&log, "  charged: %d\n", card.charges)
	}

	db, card := open(t), &provider{}
	wrong := func() response {
		charge, err := lookThenPay(ctx, db, card, "k1", 500)
		if err != nil {
			t.Fatal(err)
		}
		return response{http.StatusCreated, charge}
	}
	log.WriteString("look, then pay\n")
	var second response
	card.meanwhile = func() { second = wrong() }
	first := wrong()
	say("first click", first, "201 Created: charge 1")
	say("second click, at the same time", second, "201 Created: charge 2")
	charged(card, 2)

	db, card = open(t), &provider{}
	runs := 0
	right := func(key string, cents int) (response, error) {
		runs++
		return takeThenPay(ctx, db, card, "ann", key, fmt.Sprint(runs), cents)
	}
	pay := func(key string, cents int) response {
		t.Helper()
		r, err := right(key, cents)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	log.WriteString("\ntake the key, then pay\n")
	card.meanwhile = func() { second = pay("k1", 500) }
	first = pay("k1", 500)
	say("first click", first, "201 Created: charge 1")
	say("second click, at the same time", second, "409 Conflict: under way")
	say("retry", pay("k1", 500), "201 Created: charge 1")
	say("same key, another amount", pay("k1", 900), "422 Unprocessable Entity: used before")
	charged(card, 1)

	db, card = open(t), &provider{}
	log.WriteString("\nthe server dies after the charge\n")
	card.after = errors.New("the server died")
	if _, err := right("k1", 500); !errors.Is(err, card.after) {
		t.Fatalf("the first run should die; got %v", err)
	}
	card.after = nil
	say("retry within the lease", pay("k1", 500), "409 Conflict: under way")
	endLease(t, db)
	say("retry after it", pay("k1", 500), "201 Created: charge 1")
	charged(card, 1)
	t.Log("\n" + log.String())
}

// A run that comes back after its lease leaves the answer of a later run alone.
func TestExampleComesBackLate(t *testing.T) {
	db, card := open(t), &provider{}
	pay := func(run string) {
		if r, err := takeThenPay(t.Context(), db, card, "ann", "k1", run, 500); err != nil || r.status != http.StatusCreated {
			t.Errorf("run %s: %v, %v", run, r, err)
		}
	}
	card.meanwhile = func() {
		endLease(t, db)
		pay("retry")
		if _, err := db.ExecContext(t.Context(), `UPDATE idempotency_keys SET body = 'of the retry'`); err != nil {
			t.Fatal(err)
		}
	}
	pay("slow")
	var run, body string
	if err := db.QueryRowContext(t.Context(), `SELECT run, body FROM idempotency_keys`).Scan(&run, &body); err != nil {
		t.Fatal(err)
	}
	if run != "retry" || body != "of the retry" || card.charges != 1 {
		t.Errorf("the answer of the retry should stand, with one charge; there is %q of run %s, with %d", body, run, card.charges)
	}
}

type countdown struct{}

// dies reports whether the server that has this context dies now.
func dies(ctx context.Context) bool {
	n, ok := ctx.Value(countdown{}).(*int)
	if ok {
		*n--
	}
	return ok && *n == 0
}

// begin takes the key, and goes on from the recovery point.
func begin(ctx context.Context, t *testing.T, db *sql.DB, card, carrier *provider, id string) error {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), takeKey, "ann", "k1", []byte{}, id); err != nil {
		t.Fatal(err)
	}
	var point string
	if err := db.QueryRowContext(t.Context(), `SELECT point FROM idempotency_keys WHERE run = ?`, id).Scan(&point); err != nil {
		t.Fatal(err)
	}
	return run{db, "k1", id}.fulfil(ctx, card, carrier, point)
}

func endLease(t *testing.T, db *sql.DB) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), `UPDATE idempotency_keys SET leased_until = unixepoch()`); err != nil {
		t.Fatal(err)
	}
}

// A server dies before each thing that it does, and a retry goes on from the recovery point.
func TestRecoveryPoints(t *testing.T) {
	const steps = 5 // three transactions and two calls
	most := 0
	for n := 1; n <= steps; n++ {
		db, card, carrier := open(t), &provider{}, &provider{}
		left := n
		if err := begin(context.WithValue(t.Context(), countdown{}, &left), t, db, card, carrier, "first"); !errors.Is(err, errDied) {
			t.Fatalf("the server should die before step %d of %d; got %v", n, steps, err)
		}
		endLease(t, db)
		if err := begin(t.Context(), t, db, card, carrier, "retry"); err != nil {
			t.Fatal(err)
		}
		isFulfilled(t, db, card, carrier)
		most = max(most, card.calls+carrier.calls-2)
	}
	if most != 1 {
		t.Errorf("a retry made %d calls again, and the page says one", most)
	}
	t.Logf("each of %d deaths ended in one order, one charge and one parcel", steps)
}

// A run that comes back after its lease moves nothing.
func TestRecoveryPointsComeBackLate(t *testing.T) {
	db, card, carrier := open(t), &provider{}, &provider{}
	card.meanwhile = func() {
		endLease(t, db)
		if err := begin(t.Context(), t, db, card, carrier, "retry"); err != nil {
			t.Error(err)
		}
	}
	if err := begin(t.Context(), t, db, card, carrier, "slow"); !errors.Is(err, errLate) {
		t.Errorf("the slow run should learn that it is late; got %v", err)
	}
	isFulfilled(t, db, card, carrier)
}

func isFulfilled(t *testing.T, db *sql.DB, card, carrier *provider) {
	t.Helper()
	var orders int
	var charge, parcel string
	if err := db.QueryRowContext(t.Context(), `SELECT count(*), max(charge), max(parcel) FROM orders`).Scan(&orders, &charge, &parcel); err != nil {
		t.Fatal(err)
	}
	if orders != 1 || card.charges != 1 || carrier.charges != 1 || charge == "" || parcel == "" {
		t.Errorf("%d orders, %d charges, %d parcels; want one of each", orders, card.charges, carrier.charges)
	}
}
