//go:build solutions

package apivuln_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3/driver"

	"github.com/backend-kata/dojo/kata/apivuln/shop"
)

// TestRepairs counts the attacks that still work after the repairs that people ship: on routes of admins, on a webhook
// and on a search.
func TestRepairs(t *testing.T) {
	open := guard{forbids: func(_, _ *http.Request, _ string) bool { return false }}
	trusting := search{statement: func(q, sort, limit string) (string, []any) { return concatenated(q, sort, limit), nil }}
	for where, all := range map[string][]string{
		"admin": slices.DeleteFunc(slices.Clone(disguises), func(a string) bool { return servesAdmin(t, open, a) }),
		"hook":  slices.DeleteFunc(slices.Clone(targets), func(a string) bool { return hook{}.connects(t, a) }),
		"q":     slices.DeleteFunc(slices.Clone(injections), func(a string) bool { return trusting.leaks(t, a) }),
	} {
		if len(all) > 0 {
			t.Errorf("Without a check every attack on %s should work, and these do not: %q", where, all)
		}
	}
	var table strings.Builder
	table.WriteString("| Attacked | Check | Attacks that work | Such as |\n|---|---|---|---|\n")
	row := func(where, check string, all []string, works func(attack string) bool) []string {
		found := slices.DeleteFunc(slices.Clone(all), func(a string) bool { return !works(a) })
		one := "—"
		if len(found) > 0 {
			one = "`" + shorten(found[0]) + "`"
		}
		fmt.Fprintf(&table, "| %s | %s | %d of %d | %s |\n", where, check, len(found), len(all), one)
		return found
	}
	last := map[string][]string{}
	for _, g := range guards {
		last["admin"] = row("admin route", g.name, disguises, func(a string) bool { return servesAdmin(t, g, a) })
	}
	for _, h := range hooks {
		last["hook"] = row("webhook", h.name, targets, func(a string) bool { return h.connects(t, a) })
	}
	for _, s := range searches {
		last["search"] = row("search", s.name, injections, func(a string) bool { return s.leaks(t, a) })
	}
	t.Log("\n" + table.String())
	for where, works := range last {
		if len(works) > 0 {
			t.Errorf("The last check of %s should stop every attack, and these still work: %q", where, works)
		}
	}
}

func shorten(attack string) string {
	for _, word := range []string{" WHEN", " SELECT"} {
		if before, _, long := strings.Cut(attack, word); long {
			return before + word + " …"
		}
	}
	return attack
}

// TestGuard prints the number of docs/apivuln.md.
func TestGuard(t *testing.T) {
	count := func(name string) (n int) {
		i := slices.IndexFunc(guards, func(g guard) bool { return g.name == name })
		for _, a := range disguises {
			if servesAdmin(t, guards[i], a) {
				n++
			}
		}
		return n
	}
	decoded, route := count(guardDecoded), count(guardRoute)
	t.Logf("of %d requests for admin routes, %d pass a check of the decoded path, %d a check of the matched route",
		len(disguises), decoded, route)
	if decoded == 0 || route != 0 {
		t.Errorf("A check of the decoded path should let some pass, and one of the matched route none: %d, %d", decoded, route)
	}
}

// disguises are requests for a function of admins, by a customer.
var disguises = []string{
	"GET /admin/users", "HEAD /admin/users", "DELETE /admin/users/2", "GET /admin/users/", "GET /ADMIN/users", "GET //admin/users",
	"GET /admin//users", "GET /admin%2fusers", "GET /%61dmin/users", "GET /me/../admin/users", "GET /products/../admin/users",
	"POST /admin/users override GET", "POST /admin/users/2 override DELETE", "POST /Admin/users/2 override delete",
	"DELETE /Admin/users//2/", "GET /orders/export",
}

// A guard forbids a request. It sees it as it was sent, as the router sees it, and the route that matches.
type guard struct {
	name    string
	forbids func(sent, routed *http.Request, route string) bool
}

const (
	guardDecoded = "prefix of the decoded path"
	guardRoute   = "role at the matched route"
)

var guards = []guard{
	{"`GET`, and prefix of the path sent", func(sent, _ *http.Request, _ string) bool {
		return sent.Method == http.MethodGet && strings.HasPrefix(sent.RequestURI, "/admin/")
	}},
	{guardDecoded, func(sent, _ *http.Request, _ string) bool { return strings.HasPrefix(sent.URL.Path, "/admin/") }},
	{"prefix of the routed path", func(_, routed *http.Request, _ string) bool { return strings.HasPrefix(routed.URL.Path, "/admin/") }},
	{guardRoute, func(_, _ *http.Request, route string) bool { return route != "GET /orders/{id}" }},
}

// servesAdmin reports whether a function of admins runs for a customer.
func servesAdmin(t *testing.T, g guard, request string) (ran bool) {
	t.Helper()
	admin := func(http.ResponseWriter, *http.Request) { ran = true }
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /orders/export", admin) // everybody's orders
	mux.HandleFunc("GET /admin/users", admin)
	mux.HandleFunc("DELETE /admin/users/{id}", admin)
	words := strings.Fields(request)
	sent := httptest.NewRequestWithContext(t.Context(), words[0], "http://shop"+words[1], nil)
	sent.RequestURI = words[1]
	if len(words) > 2 {
		sent.Header.Set("X-Http-Method-Override", words[3])
	}
	routed := shop.Plain(sent)
	if _, route := mux.Handler(routed); !g.forbids(sent, routed, route) {
		mux.ServeHTTP(httptest.NewRecorder(), routed)
	}
	return ran
}

// targets are hosts of webhooks that lead inside. A name has the addresses that names gives it.
var targets = []string{
	"127.0.0.1", "169.254.169.254", "10.0.0.1", "0.0.0.0", "100.64.0.1", "localhost", "inside.example", "2130706433",
	"[::ffff:10.0.0.1]", "[::ffff:100.64.0.1]", "[64:ff9b::a9fe:a9fe]", "rebind.example", "redirect.example",
}

func names() map[string][]string { // one address after the other
	return map[string][]string{
		"localhost": {"127.0.0.1"}, "inside.example": {"10.1.2.3"}, "2130706433": {"127.0.0.1"}, // so getaddrinfo
		"rebind.example": {"198.51.100.7", "169.254.169.254"}, "redirect.example": {"198.51.100.9"},
	}
}

// A hook checks a URL before the request, or an address before the connection.
type hook struct {
	name    string
	url     func(host string, resolve func(string) netip.Addr) bool
	address func(netip.Addr) bool
}

var inside = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("2002::/16"),
}

func byMethods(a netip.Addr) bool { return a.IsGlobalUnicast() && !a.IsPrivate() }

func public(a netip.Addr) bool {
	a = a.Unmap()
	return byMethods(a) && !slices.ContainsFunc(inside, func(p netip.Prefix) bool { return p.Contains(a) })
}

var hooks = []hook{
	{name: "deny-list of host names, in the URL", url: func(host string, _ func(string) netip.Addr) bool {
		return host != "localhost" && !strings.HasPrefix(host, "127.") && !strings.HasPrefix(host, "10.") && host != "169.254.169.254"
	}},
	{name: "resolve, check, connect by name", url: func(host string, resolve func(string) netip.Addr) bool {
		return public(resolve(host))
	}},
	{name: "at connect, by `IsGlobalUnicast` and `IsPrivate`", address: byMethods},
	{name: "at connect, with the reserved ranges", address: public},
}

var errRefused = errors.New("refused")

// connects reports whether a webhook reaches a host inside, in two calls.
func (h hook) connects(t *testing.T, host string) (reached bool) {
	t.Helper()
	known := names()
	resolve := func(host string) netip.Addr {
		all, ok := known[host]
		if !ok {
			return netip.MustParseAddr(host)
		}
		known[host] = all[min(1, len(all)-1):]
		return netip.MustParseAddr(all[0])
	}
	dial := func(_ context.Context, _, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		a := resolve(host)
		if h.address != nil && !h.address(a) {
			return nil, errRefused
		}
		location := ""
		if a == netip.MustParseAddr("198.51.100.9") {
			location = "Location: http://169.254.169.254/latest/meta-data\r\n"
		}
		reached = reached || !public(a)
		return serve("HTTP/1.1 302 Found\r\n" + location + "Content-Length: 0\r\nConnection: close\r\n\r\n"), nil
	}
	target, err := url.Parse("http://" + host + "/")
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: dial}}
	for range 2 { // a webhook is called again and again
		if h.url != nil && !h.url(target.Hostname(), resolve) {
			continue
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target.String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if answer, err := client.Do(r); err == nil {
			_ = answer.Body.Close()
		}
	}
	return reached
}

// serve returns a connection to a host that gives one answer.
func serve(answer string) net.Conn {
	here, there := net.Pipe()
	go func() {
		defer func() { _ = there.Close() }()
		if _, err := http.ReadRequest(bufio.NewReader(there)); err == nil {
			_, _ = io.WriteString(there, answer)
		}
	}()
	return here
}

// injections are parameters of a search. %d is a guess of the first letter of a secret.
var injections = []string{
	"q=' UNION SELECT hash FROM users --", "q=' UnIoN SELECT hash FROM users, products WHERE '1'<'2", "q=zz' OR hidden OR 'x'='",
	"sort=CASE WHEN (SELECT unicode(hash) FROM users)=%d THEN cents ELSE -cents END", "limit=(SELECT unicode(hash)=%d FROM users)",
	"limit=-1", "q=%", "q=_",
}

// A search makes a statement of three parameters.
type search struct {
	name      string
	statement func(q, sort, limit string) (string, []any)
}

var searches = []search{
	{"delete `UNION`, `--` and `;`", func(q, sort, limit string) (string, []any) {
		q = strings.NewReplacer("UNION", "", "--", "", ";", "").Replace(q)
		return concatenated(q, sort, limit), nil
	}},
	{"bind the values, not the sort", func(q, sort, limit string) (string, []any) {
		return "SELECT name FROM products WHERE name LIKE ? AND NOT hidden ORDER BY " + sort + " LIMIT CAST(? AS INTEGER)", []any{"%" + q + "%", limit}
	}},
	{"bind, escape, list sorts, bound the limit", func(q, sort, limit string) (string, []any) {
		var n int
		if _, err := fmt.Sscanf(limit, "%d", &n); err != nil || n < 1 || n > shop.MaxPage || sort != "name" && sort != "cents" {
			return "", nil
		}
		q = strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(q)
		return `SELECT name FROM products WHERE name LIKE ? ESCAPE '\' AND NOT hidden ORDER BY ` + sort + " LIMIT ?", []any{"%" + q + "%", n}
	}},
}

func concatenated(q, sort, limit string) string {
	return fmt.Sprintf("SELECT name FROM products WHERE name LIKE '%%%s%%' AND NOT hidden ORDER BY %s LIMIT %s", q, sort, limit)
}

// leaks reports whether a search returns what it should not, or an answer that depends on the secret.
func (s search) leaks(t *testing.T, injection string) bool {
	t.Helper()
	db, err := driver.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE products (name TEXT, cents INTEGER, hidden INTEGER); CREATE TABLE users (hash TEXT);
		INSERT INTO products VALUES ('ink', 900, 0), ('pen', 100, 0), ('prototype', 10, 1); INSERT INTO users VALUES ('secret')`); err != nil {
		t.Fatal(err)
	}
	ask := func(text string) []string {
		in := map[string]string{"q": "", "sort": "name", "limit": "1"}
		key, value, _ := strings.Cut(text, "=")
		if key != "limit" {
			in["limit"] = "10"
		}
		in[key] = value
		statement, args := s.statement(in["q"], in["sort"], in["limit"])
		return find(t, db, statement, args)
	}
	if strings.Contains(injection, "%d") {
		return !slices.Equal(ask(strings.ReplaceAll(injection, "%d", "115")), ask(strings.ReplaceAll(injection, "%d", "0")))
	}
	return len(ask(injection)) > 0 // no name contains such a text, and no limit is below one
}

// find returns the names that a statement finds; if it fails, none.
func find(t *testing.T, db *sql.DB, statement string, args []any) (found []string) {
	t.Helper()
	if statement == "" {
		return nil // refused
	}
	rows, err := db.QueryContext(t.Context(), statement, args...)
	if err != nil {
		return nil
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		found = append(found, name)
	}
	if rows.Err() != nil {
		return nil
	}
	return found
}
