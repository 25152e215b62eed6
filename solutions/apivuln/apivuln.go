//go:build solutions

package apivuln

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
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

	guesses shop.Counter
}

// Of the routes some are everyone's, and some those of whoever has a session. All others are the admins'.
var (
	everyone  = []string{"POST /login", "GET /products"}
	customers = []string{
		"GET /me", "PATCH /me", "GET /orders", "POST /orders", "POST /orders/batch",
		"GET /orders/{id}", "PATCH /orders/{id}", "DELETE /orders/{id}", "POST /webhook",
	}
)

// New returns the shop.
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
		plain.Body = http.MaxBytesReader(w, plain.Body, shop.MaxBody)
		u := shop.Caller(a.DB, r)
		_, route := mux.Handler(plain)
		switch open := slices.Contains(everyone, route); {
		case u == nil && !open:
			shop.Answer(w, http.StatusUnauthorized, nil)
		case !open && u.Role != "admin" && !slices.Contains(customers, route):
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
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	account := host + " " + strings.ToLower(in.Email)
	if a.guesses.Add(account, 1) > shop.PerAccount { // before Verify: others are at it too
		a.guesses.Add(account, -1)
		shop.Answer(w, http.StatusTooManyRequests, nil)
		return
	}
	if a.guesses.Add(host, 1) > shop.PerHost {
		a.guesses.Add(account, -1)
		a.guesses.Add(host, -1)
		shop.Answer(w, http.StatusTooManyRequests, nil)
		return
	}
	var id int64
	hash := shop.NoHash
	err := a.DB.QueryRow("SELECT id, hash FROM users WHERE email = ?", in.Email).Scan(&id, &hash)
	if known := err == nil; !a.Verify(hash, in.Password) || !known {
		shop.Answer(w, http.StatusUnauthorized, nil)
		return
	}
	a.guesses.Add(account, -1)
	a.guesses.Add(host, -1)
	token, err := shop.NewSession(a.DB, id)
	shop.Reply(w, http.StatusOK, map[string]string{"token": token}, err)
}

func (a *api) products(w http.ResponseWriter, r *http.Request) {
	order, known := orderings[cmp.Or(r.FormValue("sort"), "name")]
	limit, ok := page(r)
	q := r.FormValue("q")
	if !known || !ok || len(q) > shop.MaxSearch {
		shop.Answer(w, http.StatusBadRequest, nil)
		return
	}
	rows, err := a.DB.Query(`SELECT id, name, cents, 0, 0 FROM products
		WHERE name LIKE ? ESCAPE '\' AND NOT hidden ORDER BY `+order+", id LIMIT ?", "%"+literal.Replace(q)+"%", limit)
	found, err := shop.List(rows, err, shop.ScanProduct)
	shop.Reply(w, http.StatusOK, found, err)
}

var (
	orderings = map[string]string{"name": "name", "cents": "cents", "-cents": "cents DESC"}
	literal   = strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`)
)

func page(r *http.Request) (int, bool) {
	n, err := strconv.Atoi(cmp.Or(r.FormValue("limit"), strconv.Itoa(shop.Page)))
	return n, err == nil && n >= 1 && n <= shop.MaxPage
}

// An account is what a user sees of its row.
type account struct {
	ID    int64  `json:"id"`
	Email string `json:"email"`
	Name  string `json:"name"`
	Role  string `json:"role"`
}

func (a *api) me(w http.ResponseWriter, r *http.Request) {
	u := user(r)
	shop.Answer(w, http.StatusOK, account{u.ID, u.Email, u.Name, u.Role})
}

func (a *api) changeMe(w http.ResponseWriter, r *http.Request) {
	u := user(r)
	in := struct{ Name string }{u.Name}
	if shop.Read(w, r, &in) {
		_, err := a.DB.Exec("UPDATE users SET name = ? WHERE id = ?", in.Name, u.ID)
		shop.Reply(w, http.StatusOK, account{u.ID, u.Email, in.Name, u.Role}, err)
	}
}

// columns are those of an order that its owner sees.
const columns = "id, 0, product, quantity, cents, 0, note"

func (a *api) orders(w http.ResponseWriter, r *http.Request) {
	limit, ok := page(r)
	if !ok {
		shop.Answer(w, http.StatusBadRequest, nil)
		return
	}
	rows, err := a.DB.Query("SELECT "+columns+" FROM orders WHERE owner = ? ORDER BY id DESC LIMIT ?", user(r).ID, limit)
	found, err := shop.List(rows, err, shop.ScanOrder)
	shop.Reply(w, http.StatusOK, found, err)
}

func (a *api) batch(w http.ResponseWriter, r *http.Request) {
	var in struct{ IDs []int64 }
	if !shop.Read(w, r, &in) {
		return
	}
	if len(in.IDs) > shop.MaxIDs {
		shop.Answer(w, http.StatusBadRequest, nil)
		return
	}
	rows, err := a.DB.Query("SELECT "+columns+` FROM orders
		WHERE id IN (SELECT value FROM json_each(?)) AND owner = ? ORDER BY id`, shop.Text(in.IDs), user(r).ID)
	found, err := shop.List(rows, err, shop.ScanOrder)
	shop.Reply(w, http.StatusOK, found, err)
}

func (a *api) order(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Product, Quantity int64
		Note              string
	}
	if !shop.Read(w, r, &in) {
		return
	}
	if in.Quantity < 1 || in.Quantity > shop.MaxQuantity {
		shop.Answer(w, http.StatusBadRequest, nil)
		return
	}
	o, err := shop.ScanOrder(a.DB.QueryRow(`INSERT INTO orders (owner, product, quantity, cents, cost, note)
		SELECT ?1, id, ?2, cents * ?2, cost * ?2, ?3 FROM products WHERE id = ?4 AND NOT hidden RETURNING `+columns,
		user(r).ID, in.Quantity, in.Note, in.Product))
	shop.Reply(w, http.StatusCreated, o, err)
}

func (a *api) readOrder(w http.ResponseWriter, r *http.Request) {
	o, err := shop.ScanOrder(a.DB.QueryRow("SELECT "+columns+" FROM orders WHERE id = ? AND owner = ?", r.PathValue("id"), user(r).ID))
	shop.Reply(w, http.StatusOK, o, err)
}

func (a *api) changeOrder(w http.ResponseWriter, r *http.Request) {
	var in struct{ Note string }
	if !shop.Read(w, r, &in) {
		return
	}
	o, err := shop.ScanOrder(a.DB.QueryRow("UPDATE orders SET note = ? WHERE id = ? AND owner = ? RETURNING "+columns,
		in.Note, r.PathValue("id"), user(r).ID))
	shop.Reply(w, http.StatusOK, o, err)
}

func (a *api) cancel(w http.ResponseWriter, r *http.Request) {
	o, err := shop.ScanOrder(a.DB.QueryRow("DELETE FROM orders WHERE id = ? AND owner = ? RETURNING "+columns, r.PathValue("id"), user(r).ID))
	shop.Reply(w, http.StatusOK, o, err)
}

func (a *api) webhook(w http.ResponseWriter, r *http.Request) {
	var in struct{ URL string }
	if !shop.Read(w, r, &in) {
		return
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, DialContext: a.dial},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Post(in.URL, "application/json", strings.NewReader(`{"event":"test"}`))
	if err != nil {
		shop.Answer(w, http.StatusBadRequest, nil)
		return
	}
	_ = answer.Body.Close()
	shop.Answer(w, http.StatusOK, map[string]any{"status": answer.StatusCode})
}

// dial looks at the address that it connects to, whatever the name resolves to at another time.
func (a *api) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	found, err := a.Resolve(ctx, host)
	if err != nil || len(found) == 0 {
		return nil, fmt.Errorf("no address of %s: %w", host, err)
	}
	addr := found[0].Unmap()
	if !public(addr) {
		return nil, fmt.Errorf("%s is not a public address", addr)
	}
	return a.Dial(ctx, network, net.JoinHostPort(addr.String(), port))
}

// inside are ranges that package netip has no method for.
var inside = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("2002::/16"),
}

func public(addr netip.Addr) bool {
	return addr.IsGlobalUnicast() && !addr.IsPrivate() && !slices.ContainsFunc(inside, func(p netip.Prefix) bool { return p.Contains(addr) })
}
