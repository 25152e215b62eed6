//go:build solutions

package apivuln_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/ncruces/go-sqlite3/driver"
	_ "github.com/ncruces/go-sqlite3/vfs/memdb" // a database in memory that several connections share
)

type order struct {
	ID   int64  `json:"id"`
	Note string `json:"note"`
}

// example: any
func readAny(db *sql.DB, r *http.Request) (o order, err error) {
	err = db.QueryRowContext(r.Context(),
		`SELECT id, note FROM orders WHERE id = ?`,
		r.PathValue("id")).Scan(&o.ID, &o.Note)
	return o, err
}

// end

// example: own
func readOwn(db *sql.DB, r *http.Request) (o order, err error) {
	err = db.QueryRowContext(r.Context(),
		`SELECT id, note FROM orders WHERE id = ? AND owner = ?`,
		r.PathValue("id"), caller(r)).Scan(&o.ID, &o.Note)
	return o, err
}

func status(err error) int {
	if errors.Is(err, sql.ErrNoRows) {
		return http.StatusNotFound // someone else's or none: same answer
	} else if err != nil {
		return http.StatusInternalServerError
	}
	return http.StatusOK
}

// end

// example: control
var outside = net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address) // of this very connection
	if err == nil && !public(to.Addr()) {
		err = fmt.Errorf("%s is not public", to)
	}
	return err
}}

// end

// A name that leads inside is refused when it is connected to, and so is an address.
func TestControl(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("The server was reached.") }))
	t.Cleanup(server.Close)
	client := http.Client{Transport: &http.Transport{DialContext: outside.DialContext}}
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} {
		url := strings.Replace(server.URL, "127.0.0.1", host, 1)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(r)
		if err == nil {
			_ = answer.Body.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "is not public") {
			t.Errorf("A request to %s should fail, as its address is not public. Its error: %v", url, err)
		}
	}
}

type session struct{}

func caller(r *http.Request) int64 {
	id, _ := r.Context().Value(session{}).(int64)
	return id
}

// The example of docs/apivuln.md: Ada, user 1, asks for orders by their ids.
func TestExample(t *testing.T) {
	db, err := driver.Open("file:/apivuln-example?vfs=memdb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE orders (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, note TEXT NOT NULL);
		INSERT INTO orders VALUES (1, 1, 'pens'), (2, 2, 'ink')`); err != nil {
		t.Fatal(err)
	}
	ask := func(read func(*sql.DB, *http.Request) (order, error), path string) string {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
			o, err := read(db, r)
			if code := status(err); code != http.StatusOK {
				http.Error(w, http.StatusText(code), code)
				return
			}
			if err := json.NewEncoder(w).Encode(o); err != nil {
				t.Error(err)
			}
		})
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(context.WithValue(t.Context(), session{}, int64(1)), http.MethodGet, path, nil)
		mux.ServeHTTP(w, r)
		return fmt.Sprintf("%d %s", w.Code, strings.TrimSpace(w.Body.String()))
	}
	var table strings.Builder
	fmt.Fprintf(&table, "%-13s  %-26s  %s\n", "Ada's request", "by id", "by id and owner")
	const missing = "404 Not Found"
	for _, tt := range []struct{ path, byID, own string }{
		{"/orders/1", `200 {"id":1,"note":"pens"}`, `200 {"id":1,"note":"pens"}`},
		{"/orders/2", `200 {"id":2,"note":"ink"}`, missing},
		{"/orders/3", missing, missing},
	} {
		byID, own := ask(readAny, tt.path), ask(readOwn, tt.path)
		fmt.Fprintf(&table, "%-13s  %-26s  %s\n", "GET "+tt.path, byID, own)
		if byID != tt.byID || own != tt.own {
			t.Errorf("GET %s should be answered %s by id, and %s by id and owner. It is answered %s, and %s.", tt.path, tt.byID, tt.own, byID, own)
		}
	}
	t.Log("\n" + table.String())
}
