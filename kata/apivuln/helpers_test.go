package apivuln_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/backend-kata/dojo/kata/apivuln"
	"github.com/backend-kata/dojo/kata/apivuln/shop"
	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/pkg/sqlprobe"
	"github.com/backend-kata/dojo/pkg/sqlprobe/sqlite"
)

// Users 1 ada and 2 bob are customers, 3 is the admin. Orders 1 and 3 are ada's, 2 and 4 are bob's.
const rows = `
	INSERT INTO users VALUES (1, 'ada@shop', 'Ada', 'customer', 'hash of a'), (2, 'bob@shop', 'Bob', 'customer', 'hash of b'),
		(3, 'root@shop', 'Root', 'admin', 'hash of r');
	INSERT INTO sessions VALUES ('ada', 1), ('bob', 2), ('root', 3);
	INSERT INTO products VALUES (1, 'pen', 100, 40, 0), (2, 'ink 100%', 900, 41, 0), (3, 'a_b', 50, 42, 0), (4, 'prototype', 10, 43, 1),
		(5, 'O''Neill\n', 70, 44, 0);
	INSERT INTO orders VALUES (1, 1, 1, 2, 200, 80, 'for ada'), (2, 2, 2, 1, 900, 41, 'secret of bob'), (3, 1, 3, 1, 50, 42, 'again'),
		(4, 2, 1, 1, 100, 40, 'secret of bob');`

// A market is the shop, and what happened behind it.
type market struct {
	http.Handler

	t     *step.T
	db    *sql.DB
	probe *sqlprobe.Probe
	slow  time.Duration // how long Verify takes

	mu       sync.Mutex            // guards what is below
	verified int                   // calls of Verify
	names    map[string][][]string // what a host resolves to, time after time
	dialled  []string
	served   string // what a host says
}

// A webhook through a proxy connects to it. The standard library reads this once in a process.
var _ = os.Setenv("HTTP_PROXY", "http://198.51.100.80:3128")

var markets atomic.Int64 // so that each has a database of its own

func open(t *step.T) *market {
	t.Helper()
	probe, err := sqlite.New(fmt.Sprintf("file:/apivuln-%d?vfs=memdb", markets.Add(1)))
	require.NoError(t, err)
	m := &market{t: t, db: sql.OpenDB(probe), probe: probe, names: map[string][][]string{}}
	t.Cleanup(func() { m.db.Close() })
	m.exec(shop.Schema + rows)
	m.Handler = apivuln.New(apivuln.Config{DB: m.db, Verify: m.verify, Resolve: m.resolve, Dial: m.dial})
	return m
}

func (m *market) exec(script string) {
	m.t.Helper()
	_, err := m.db.Exec(script)
	require.NoError(m.t, err)
}

// read returns what a query finds, a value alone.
func (m *market) read(query string) string {
	m.t.Helper()
	var v string
	require.NoError(m.t, m.db.QueryRow(query).Scan(&v))
	return v
}

func (m *market) verify(hash, password string) bool {
	m.mu.Lock()
	m.verified++
	m.mu.Unlock()
	time.Sleep(m.slow)
	return hash == "hash of "+password
}

// verifies returns how often f makes the shop call Verify.
func (m *market) verifies(f func()) int {
	m.mu.Lock()
	before := m.verified
	m.mu.Unlock()
	f()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.verified - before
}

func (m *market) resolve(_ context.Context, host string) ([]netip.Addr, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.names[host]
	if len(all) == 0 {
		addr, err := netip.ParseAddr(host)
		if err != nil {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
		return []netip.Addr{addr}, nil
	}
	if len(all) > 1 {
		m.names[host] = all[1:]
	}
	var found []netip.Addr
	for _, a := range all[0] {
		found = append(found, netip.MustParseAddr(a))
	}
	return found, nil
}

// hook has ada test a webhook at a URL, and returns the answer and what the shop connected to.
func (m *market) hook(url string) (answer, []string) {
	m.t.Helper()
	m.mu.Lock()
	m.dialled = nil
	m.mu.Unlock()
	a := m.ask("ada", "POST", "/webhook", fmt.Sprintf(`{"url":%q}`, url))
	m.mu.Lock()
	defer m.mu.Unlock()
	return a, m.dialled
}

func (m *market) dial(_ context.Context, _, address string) (net.Conn, error) {
	m.t.Tell("the shop connects to %s", address)
	m.mu.Lock()
	m.dialled = append(m.dialled, address)
	served := m.served
	m.mu.Unlock()
	here, there := net.Pipe()
	go func() {
		defer there.Close()
		r, err := http.ReadRequest(bufio.NewReader(there))
		if err == nil {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(there, served)
		}
	}()
	return here, nil
}

// An answer is what came back.
type answer struct {
	status int
	body   string
}

// ask sends a request in the session of a user, or without one, from the client 192.0.2.1.
func (m *market) ask(as, method, path, body string) answer {
	m.t.Helper()
	return m.send(as, "192.0.2.1:1", method, path, body)
}

func (m *market) send(as, from, method, path, body string, header ...string) answer {
	m.t.Helper()
	r := httptest.NewRequestWithContext(m.t.Context(), method, "http://shop"+path, strings.NewReader(body))
	r.RequestURI, r.URL.Scheme, r.URL.Host = path, "", "" // as a server has it
	if slices.Contains(header, "chunked") {
		r.ContentLength = -1
	}
	r.RemoteAddr = from
	if as != "" {
		r.Header.Set("Authorization", "Bearer "+as)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i+1] != "" {
			r.Header.Set(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	m.ServeHTTP(w, r)
	a := answer{w.Code, w.Body.String()}
	m.t.Tell("%s: %s %s %s %.80s → %d %.160s", as, method, path, strings.Join(header, " "), body, a.status, a.body)
	return a
}

// want asks as ada, and expects the status and the body, which is not compared if it is empty.
func (m *market) want(status int, want, method, path, body, why string) {
	m.t.Helper()
	a := m.ask("ada", method, path, body)
	step.Expect(m.t, a.status == status && (want == "" || canonical(want) == canonical(a.body)),
		"%s\n  %s should be answered %s\n  and was %d %.300s",
		why, strings.TrimSpace(fmt.Sprintf("%s %s %.100s", method, path, body)),
		strings.TrimSpace(fmt.Sprint(status, " ", want)), a.status, a.body)
}

// canonical is JSON with its fields in the order of the alphabet.
func canonical(text string) string {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	return shop.Text(v)
}

// orders returns what was answered: the status, and the ids of the orders in the answer.
func (m *market) orders(method, path, body string) string {
	m.t.Helper()
	a := m.ask("ada", method, path, body)
	var list []shop.Order
	if json.Unmarshal([]byte(a.body), &list) != nil {
		return fmt.Sprintf("%d %s", a.status, a.body)
	}
	ids := []int64{}
	for _, o := range list {
		ids = append(ids, o.ID)
	}
	return fmt.Sprint(a.status, " ", ids)
}

// products returns the status and the names of the products that are found.
func (m *market) products(query string) string {
	m.t.Helper()
	a := m.ask("ada", "GET", "/products?"+strings.ReplaceAll(query, " ", "+"), "")
	var list []shop.Product
	if json.Unmarshal([]byte(a.body), &list) != nil {
		return fmt.Sprintf("%d %s", a.status, a.body)
	}
	names := []string{}
	for _, p := range list {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}

const missing = `{"message":"Not Found"}`
