//go:build !solutions

// Package apivuln is the kata "What are common API vulnerabilities?". README.md in this folder is the contract.
package apivuln

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/backend-kata/dojo/kata/apivuln/shop"
)

// Config is what the shop is given.
type Config struct {
	DB *sql.DB // with the tables of shop.Schema

	// Verify reports whether the password has that hash. It is slow.
	Verify func(hash, password string) bool

	// Resolve returns the addresses of a host's name, as getaddrinfo does: that of "2130706433" is 127.0.0.1.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)

	// Dial connects to an address and port such as "192.0.2.1:80".
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

type api struct {
	Config
}

// New returns the shop. It works, and has holes.
func New(cfg Config) http.Handler {
	a := &api{Config: cfg}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", a.login)
	mux.HandleFunc("GET /products", a.products)
	mux.HandleFunc("GET /me", a.me)
	mux.HandleFunc("PATCH /me", a.changeMe)
	mux.HandleFunc("GET /orders", a.orders)
	mux.HandleFunc("POST /orders", a.order)
	mux.HandleFunc("POST /orders/batch", a.batch)
	mux.HandleFunc("GET /orders/{id}", a.readOrder)
	mux.HandleFunc("PATCH /orders/{id}", a.changeOrder)
	mux.HandleFunc("DELETE /orders/{id}", a.cancel)
	mux.HandleFunc("POST /webhook", a.webhook)
	mux.HandleFunc("GET /admin/users", shop.Users(a.DB))
	mux.HandleFunc("DELETE /admin/users/{id}", shop.Dismiss(a.DB))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		plain := shop.Plain(r)
		u := shop.Caller(a.DB, r)
		switch open := plain.URL.Path == "/login" || plain.URL.Path == "/products"; {
		case u == nil && !open:
			shop.Answer(w, http.StatusUnauthorized, nil)
		case r.Method == http.MethodGet && strings.HasPrefix(r.RequestURI, "/admin/") && (u == nil || u.Role != "admin"):
			shop.Answer(w, http.StatusForbidden, nil)
		default:
			mux.ServeHTTP(w, plain.WithContext(context.WithValue(r.Context(), caller{}, u)))
		}
	})
}

type caller struct{}

func user(r *http.Request) *shop.User {
	u, _ := r.Context().Value(caller{}).(*shop.User)
	return u
}

func (a *api) login(w http.ResponseWriter, r *http.Request) {
	var in struct{ Email, Password string }
	if !shop.Read(w, r, &in) {
		return
	}
	var id int64
	var hash string
	err := a.DB.QueryRow(fmt.Sprintf("SELECT id, hash FROM users WHERE email = '%s'", in.Email)).Scan(&id, &hash)
	if err == nil && !a.Verify(hash, in.Password) {
		shop.Answer(w, http.StatusUnauthorized, nil)
		return
	}
	token := ""
	if err == nil {
		token, err = shop.NewSession(a.DB, id)
	}
	shop.Reply(w, http.StatusOK, map[string]string{"token": token}, err)
}

func (a *api) products(w http.ResponseWriter, r *http.Request) {
	sort, limit := cmp.Or(r.FormValue("sort"), "name"), cmp.Or(r.FormValue("limit"), fmt.Sprint(shop.Page))
	rows, err := a.DB.Query(fmt.Sprintf(`SELECT id, name, cents, cost, hidden FROM products
		WHERE name LIKE '%%%s%%' ORDER BY %s, id LIMIT %s`, r.FormValue("q"), sort, limit))
	found, err := shop.List(rows, err, shop.ScanProduct)
	found = slices.DeleteFunc(found, func(p shop.Product) bool { return p.Hidden })
	shop.Reply(w, http.StatusOK, found, err)
}

func (a *api) me(w http.ResponseWriter, r *http.Request) { shop.Answer(w, http.StatusOK, user(r)) }

func (a *api) changeMe(w http.ResponseWriter, r *http.Request) {
	u := *user(r)
	if shop.Read(w, r, &u) {
		_, err := a.DB.Exec("UPDATE users SET name = ?, role = ?, email = ? WHERE id = ?", u.Name, u.Role, u.Email, u.ID)
		shop.Reply(w, http.StatusOK, u, err)
	}
}

func (a *api) orders(w http.ResponseWriter, r *http.Request) {
	owner, limit := cmp.Or(r.FormValue("owner"), fmt.Sprint(user(r).ID)), cmp.Or(r.FormValue("limit"), fmt.Sprint(shop.Page))
	rows, err := a.DB.Query("SELECT "+shop.OrderColumns+` FROM orders
		WHERE +owner = CAST(? AS INTEGER) ORDER BY id DESC LIMIT ?`, owner, limit)
	found, err := shop.List(rows, err, shop.ScanOrder)
	shop.Reply(w, http.StatusOK, found, err)
}

func (a *api) batch(w http.ResponseWriter, r *http.Request) {
	var in struct{ IDs []int64 }
	if !shop.Read(w, r, &in) {
		return
	}
	rows, err := a.DB.Query("SELECT "+shop.OrderColumns+` FROM orders
		WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id`, shop.Text(in.IDs))
	found, err := shop.List(rows, err, shop.ScanOrder)
	shop.Reply(w, http.StatusOK, found, err)
}

func (a *api) order(w http.ResponseWriter, r *http.Request) {
	o := shop.Order{Owner: user(r).ID}
	if !shop.Read(w, r, &o) {
		return
	}
	p, err := shop.ScanProduct(a.DB.QueryRow("SELECT id, name, cents, cost, hidden FROM products WHERE id = ?", o.Product))
	if err == nil {
		o.Cents, o.Cost = cmp.Or(o.Cents, p.Cents*o.Quantity), p.Cost*o.Quantity
		o, err = shop.ScanOrder(a.DB.QueryRow(`INSERT INTO orders (owner, product, quantity, cents, cost, note)
			VALUES (?, ?, ?, ?, ?, ?) RETURNING `+shop.OrderColumns, o.Owner, o.Product, o.Quantity, o.Cents, o.Cost, o.Note))
	}
	shop.Reply(w, http.StatusCreated, o, err)
}

func (a *api) readOrder(w http.ResponseWriter, r *http.Request) {
	o, err := shop.ScanOrder(a.DB.QueryRow("SELECT "+shop.OrderColumns+" FROM orders WHERE id = ?", r.PathValue("id")))
	shop.Reply(w, http.StatusOK, o, err)
}

func (a *api) changeOrder(w http.ResponseWriter, r *http.Request) {
	var in struct{ Note string }
	if !shop.Read(w, r, &in) {
		return
	}
	o, err := shop.ScanOrder(a.DB.QueryRow(fmt.Sprintf("UPDATE orders SET note = '%s' WHERE id = ? RETURNING "+shop.OrderColumns, in.Note),
		r.PathValue("id")))
	shop.Reply(w, http.StatusOK, o, err)
}

func (a *api) cancel(w http.ResponseWriter, r *http.Request) {
	o, err := shop.ScanOrder(a.DB.QueryRow("DELETE FROM orders WHERE id = ? RETURNING "+shop.OrderColumns, r.PathValue("id")))
	shop.Reply(w, http.StatusOK, o, err)
}

func (a *api) webhook(w http.ResponseWriter, r *http.Request) {
	var in struct{ URL string }
	if !shop.Read(w, r, &in) {
		return
	}
	target, err := url.Parse(in.URL)
	if err != nil || target.Hostname() == "localhost" || strings.HasPrefix(target.Hostname(), "127.") {
		shop.Answer(w, http.StatusBadRequest, nil)
		return
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: a.dial}}
	answer, err := client.Post(target.String(), "application/json", strings.NewReader(`{"event":"test"}`))
	if err != nil {
		shop.Answer(w, http.StatusBadRequest, nil)
		return
	}
	body, _ := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	shop.Answer(w, http.StatusOK, map[string]any{"status": answer.StatusCode, "body": string(body)})
}

func (a *api) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	found, err := a.Resolve(ctx, host)
	if err != nil || len(found) == 0 {
		return nil, fmt.Errorf("no address of %s: %w", host, err)
	}
	return a.Dial(ctx, network, net.JoinHostPort(found[0].String(), port))
}
