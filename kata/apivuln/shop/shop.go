// Package shop is what the kata apivuln is given: the tables, the rows, and how requests are read and answered.
// It is not to be edited.
package shop

import (
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

// The shop's limits.
const (
	MaxQuantity = 10 // pieces of an order
	Page        = 20 // entries of a page, if the client sets no limit
	MaxPage     = 50 // entries of a page
	MaxIDs      = 20 // ids of a batch
	MaxSearch   = 64 // bytes of what is searched for
	MaxBody     = 16 << 10
	PerAccount  = 5  // guesses of a host for an account
	PerHost     = 20 // guesses of a host
	Window      = 15 * time.Minute
)

// Schema makes the tables.
const Schema = `
	CREATE TABLE users    (id INTEGER PRIMARY KEY, email TEXT NOT NULL COLLATE NOCASE UNIQUE, name TEXT NOT NULL,
	                       role TEXT NOT NULL, hash TEXT NOT NULL);
	CREATE TABLE sessions (token TEXT PRIMARY KEY, user_id INTEGER NOT NULL);
	CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, cents INTEGER NOT NULL, cost INTEGER NOT NULL, hidden INTEGER NOT NULL);
	CREATE TABLE orders   (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, product INTEGER NOT NULL, quantity INTEGER NOT NULL,
	                       cents INTEGER NOT NULL, cost INTEGER NOT NULL, note TEXT NOT NULL);
	CREATE INDEX orders_owner ON orders(owner, id);`

// A User is a row of users.
type User struct {
	ID    int64  `json:"id"`
	Email string `json:"email"`
	Name  string `json:"name"`
	Role  string `json:"role"` // "customer" or "admin"
	Hash  string `json:"hash,omitempty"`
}

// A Product is a row of products. Cost is what the shop pays.
type Product struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"`
	Cents  int64  `json:"cents"`
	Cost   int64  `json:"cost,omitempty"`
	Hidden bool   `json:"hidden,omitempty"`
}

// An Order is a row of orders. Cents is its price.
type Order struct {
	ID       int64  `json:"id"`
	Owner    int64  `json:"owner,omitempty"`
	Product  int64  `json:"product"`
	Quantity int64  `json:"quantity"`
	Cents    int64  `json:"cents"`
	Cost     int64  `json:"cost,omitempty"`
	Note     string `json:"note"`
}

// NoHash is a hash for those who have no account.
const NoHash = "hash of nothing"

// NewSession makes a session of a user, and returns its token, which nobody guesses.
func NewSession(db *sql.DB, user int64) (token string, err error) {
	token = rand.Text()
	_, err = db.Exec("INSERT INTO sessions VALUES (?, ?)", token, user)
	return token, err
}

// Caller returns the user of the request's session, and nil if it has none.
func Caller(db *sql.DB, r *http.Request) *User {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	var u User
	err := db.QueryRowContext(r.Context(), `SELECT id, email, name, role, hash FROM users
		WHERE id = (SELECT user_id FROM sessions WHERE token = ?)`, token).Scan(&u.ID, &u.Email, &u.Name, &u.Role, &u.Hash)
	if err != nil {
		return nil
	}
	return &u
}

// Plain returns the request as the routes see it. Old clients depend on that: letters of a path may be large, slashes
// may be doubled, escaped or at the end, and a POST may carry another method in X-HTTP-Method-Override.
func Plain(r *http.Request) *http.Request {
	plain := r.Clone(r.Context())
	plain.URL.Path, plain.URL.RawPath = path.Clean(strings.ToLower(r.URL.Path)), ""
	if method := r.Header.Get("X-Http-Method-Override"); r.Method == http.MethodPost && method != "" {
		plain.Method = strings.ToUpper(method)
	}
	return plain
}

// Read reads the body of a request. If it cannot, it answers, and returns false.
func Read(w http.ResponseWriter, r *http.Request, into any) bool {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		Answer(w, http.StatusRequestEntityTooLarge, nil)
	case err != nil:
		Answer(w, http.StatusBadRequest, nil)
	}
	return err == nil
}

// Answer writes a status and a body. With nil the body tells the status.
func Answer(w http.ResponseWriter, status int, body any) {
	if body == nil {
		body = map[string]string{"message": http.StatusText(status)}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprint(w, Text(body))
}

// Reply answers with a value, or for an error of the database: 404 for a row that is not there, else 500.
func Reply(w http.ResponseWriter, status int, value any, err error) {
	switch {
	case errors.Is(err, sql.ErrNoRows):
		Answer(w, http.StatusNotFound, nil)
	case err != nil:
		Answer(w, http.StatusInternalServerError, nil)
	default:
		Answer(w, status, value)
	}
}

// Users lists the users' emails, for an admin.
func Users(db *sql.DB) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var emails string
		err := db.QueryRowContext(r.Context(), "SELECT json_group_array(email ORDER BY id) FROM users").Scan(&emails)
		Reply(w, http.StatusOK, json.RawMessage(emails), err)
	}
}

// Dismiss removes the user {id}, for an admin.
func Dismiss(db *sql.DB) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var id int64
		err := db.QueryRowContext(r.Context(), "DELETE FROM users WHERE id = ? RETURNING id", r.PathValue("id")).Scan(&id)
		Reply(w, http.StatusOK, nil, err)
	}
}

// A Row is one of sql.Row and sql.Rows.
type Row interface{ Scan(into ...any) error }

// List reads a row after the other.
func List[V any](rows *sql.Rows, err error, scan func(Row) (V, error)) ([]V, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	found := []V{}
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, v)
	}
	return found, rows.Err()
}

// OrderColumns are those that ScanOrder reads.
const OrderColumns = "id, owner, product, quantity, cents, cost, note"

// ScanOrder reads an order.
func ScanOrder(row Row) (Order, error) {
	var o Order
	err := row.Scan(&o.ID, &o.Owner, &o.Product, &o.Quantity, &o.Cents, &o.Cost, &o.Note)
	return o, err
}

// ScanProduct reads id, name, cents, cost and hidden.
func ScanProduct(row Row) (Product, error) {
	var p Product
	err := row.Scan(&p.ID, &p.Name, &p.Cents, &p.Cost, &p.Hidden)
	return p, err
}

// Text is a value as JSON.
func Text(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "null"
	}
	return string(text)
}

// A Counter counts by key, and begins anew when a Window has passed since the first count of a key, or all of it was taken
// back. It forgets what is over. Its zero value is ready, and it is safe for concurrent use.
type Counter struct {
	mu     sync.Mutex // guards what is below
	counts map[string]count
	swept  time.Time
}

type count struct {
	n     int
	until time.Time
}

// Add adds n to the count of the window that runs, and returns it. n may be negative, the count never is.
func (c *Counter) Add(key string, n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.swept) >= Window {
		old := c.counts
		c.counts, c.swept = map[string]count{}, now
		for key, k := range old {
			if now.Before(k.until) {
				c.counts[key] = k
			}
		}
	}
	k, known := c.counts[key]
	if !known || !now.Before(k.until) {
		k = count{until: now.Add(Window)}
	}
	k.n = max(0, k.n+n)
	c.counts[key] = k
	if k.n == 0 {
		delete(c.counts, key)
	}
	return k.n
}
