package pagination_test

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/pagination"
	"github.com/backend-kata/dojo/pkg/sqlprobe"
	"github.com/backend-kata/dojo/pkg/sqlprobe/sqlite"
)

const tables = `
	CREATE TABLE items (id BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, category TEXT NOT NULL, price BIGINT NOT NULL,
		created BIGINT NOT NULL, added BIGINT NOT NULL, removed BIGINT);
	CREATE INDEX items_created ON items(created, id); CREATE INDEX items_category_created ON items(category, created, id);
	CREATE INDEX items_price   ON items(price, id);   CREATE INDEX items_category_price   ON items(category, price, id);
	CREATE TABLE sequence (n BIGINT NOT NULL); INSERT INTO sequence VALUES (0);
	CREATE TRIGGER added   AFTER INSERT ON items            BEGIN UPDATE sequence SET n = n + 1; END;
	CREATE TRIGGER removed AFTER UPDATE OF removed ON items BEGIN UPDATE sequence SET n = n + 1; END;`

var (
	key    = pagination.Key{ID: "2026-1", Secret: []byte("a secret of the steps, 32 bytes.")}
	limits = pagination.Config{DefaultLimit: 5, MaxLimit: 1000, CountUpTo: 20}
	site   = &url.URL{Scheme: "http", Host: "shop.example", Path: "/items"}
	shops  = 0 // so that each has a database of its own
)

// A row is an item as the database has it. Its name follows from its id.
type row struct {
	category           string
	id, price, created int64
	added, removed     int64 // the numbers of the changes; removed is 0 until then
}

// A shop is a database with items, what a step knows of it, and the handler under test.
type shop struct {
	http.Handler
	t     *step.T
	cfg   pagination.Config // of the handler
	probe *sqlprobe.Probe
	rows  []row // as in the table
	n     int64 // the number of the last change
}

func open(t *step.T, rows ...row) *shop {
	t.Helper()
	shops++
	probe, err := sqlite.New(fmt.Sprintf("file:/pagination-%d?vfs=memdb", shops))
	step.NoError(t, err, "The database should open.")
	s := &shop{t: t, probe: probe, cfg: pagination.Config{DB: sql.OpenDB(probe)}}
	t.Cleanup(func() { s.cfg.DB.Close() })
	s.exec(tables)
	s.serve(limits, key)
	return s.stock(rows...)
}

// stock replaces all rows by such as were there before change 1. To open another shop takes much longer.
func (s *shop) stock(rows ...row) *shop {
	s.rows, s.n = slices.Clone(rows), 0
	s.exec("DELETE FROM items")
	for chunk := range slices.Chunk(rows, 100) {
		var args []any
		for _, r := range chunk {
			args = append(args, r.id, fmt.Sprint("item ", r.id), r.category, r.price, r.created)
		}
		s.exec("INSERT INTO items VALUES "+strings.Repeat(", (?, ?, ?, ?, ?, 0, NULL)", len(chunk))[2:], args...)
	}
	s.exec("UPDATE sequence SET n = 0")
	return s
}

func (s *shop) serve(cfg pagination.Config, keys ...pagination.Key) {
	cfg.DB, cfg.Keys = s.cfg.DB, keys
	s.cfg, s.Handler = cfg, pagination.New(cfg)
}

func (s *shop) exec(query string, args ...any) {
	_, err := s.cfg.DB.ExecContext(s.t.Context(), query, args...)
	step.NoError(s.t, err, "The database should do what the step asks of it.")
}

func (s *shop) add(r row) {
	s.exec("INSERT INTO items SELECT ?, 'item ' || ?1, ?, ?, ?, n + 1, NULL FROM sequence", r.id, r.category, r.price, r.created)
	s.n, r.added = s.n+1, s.n+1
	s.rows = append(s.rows, r)
	s.t.Tell("item %d is added", r.id)
}

// remove marks rows as removed, or deletes them.
func (s *shop) remove(mark bool, rows ...row) {
	for _, r := range rows {
		i := slices.IndexFunc(s.rows, func(other row) bool { return other.id == r.id })
		if mark {
			s.exec("UPDATE items SET removed = n + 1 FROM sequence WHERE id = ?", r.id)
			s.n, s.rows[i].removed = s.n+1, s.n+1
		} else {
			s.exec("DELETE FROM items WHERE id = ?", r.id)
			s.rows = slices.Delete(s.rows, i, i+1)
		}
		s.t.Tell("item %d is removed (its row is kept: %t)", r.id, mark)
	}
}

// A listing is what a request asks for, whatever the page.
type listing struct{ sort, category, limit, snapshot string }

func (s *shop) listing(q url.Values) listing {
	limit := cmp.Or(q.Get("limit"), strconv.Itoa(s.cfg.DefaultLimit))
	return listing{cmp.Or(q.Get("sort"), "newest"), q.Get("category"), limit, cmp.Or(q.Get("snapshot"), "false")}
}

func (l listing) compare(a, b row) int {
	if l.sort == "cheapest" {
		return cmp.Or(cmp.Compare(a.price, b.price), cmp.Compare(a.id, b.id))
	}
	return cmp.Or(cmp.Compare(b.created, a.created), cmp.Compare(b.id, a.id))
}

// list is what a listing has, in order: now, or for a snapshot after change n.
func (s *shop) list(l listing, n int64) []row {
	rows := slices.DeleteFunc(slices.Clone(s.rows), func(r row) bool {
		then := l.snapshot == "true" // what came after change n has not happened
		gone := r.removed != 0 && (!then || r.removed <= n)
		return gone || then && r.added > n || l.category != "" && l.category != r.category
	})
	slices.SortFunc(rows, l.compare)
	return rows
}

// A place is where a page begins: beside an item, which may be gone. The first page has none.
type place struct {
	row
	rel  string // the link that led there: next or prev
	with bool   // on the page is the item itself too, if it is listed
}

// span returns where the page begins and ends in a listing.
func (p place) span(limit string, l listing, all []row) (from, to int) {
	n, _ := strconv.Atoi(limit)
	at, listed := slices.BinarySearchFunc(all, p.row, l.compare)
	if p.rel == "" {
		at = 0
	} else if listed && p.with == (p.rel == "prev") {
		at++
	}
	if p.rel == "prev" {
		return max(0, at-n), at
	}
	return at, min(at+n, len(all))
}

func (p place) String() string {
	if p.rel == "" {
		return "The first page"
	}
	return fmt.Sprintf("The page to which %s leads from item %d (itself included: %t)", p.rel, p.id, p.with)
}

// A page is the answer to a request, and, if that is 200, what a step knows of it.
type page struct {
	*httptest.ResponseRecorder
	listing
	place
	t     *step.T
	s     *shop
	url   *url.URL
	asked string // the request, as failures name it
	rec   *sqlprobe.Recording
	n     int64 // of its snapshot
	rows  []row
	links map[string]*url.URL
}

func (s *shop) get(target string) page { return s.send(s.t.Context(), http.MethodGet, target) }

func (s *shop) send(ctx context.Context, method, target string) page {
	s.t.Helper()
	u, err := site.Parse(target)
	step.NoError(s.t, err, "The target %q should be a URI reference.", target)
	r := httptest.NewRequestWithContext(ctx, method, "/items", http.NoBody) // would panic at some targets
	r.URL, r.RequestURI, r.Host = &url.URL{Path: u.Path, RawQuery: u.RawQuery}, u.RequestURI(), u.Host
	p := page{ResponseRecorder: httptest.NewRecorder(), t: s.t, s: s, url: u, links: map[string]*url.URL{}}
	p.asked = method + " " + longCursor.ReplaceAllString(strings.TrimSuffix(u.RequestURI(), "?"), "$1…$2")
	p.rec = s.probe.Record(func() {
		s.ServeHTTP(p, r)
		if ctx.Err() != nil {
			synctest.Wait() // its transaction is rolled back on a goroutine of database/sql
		}
	})
	s.t.Tell("%s → %d%s%s", p.asked, p.Code, find(anID, p.Body.String()), p.rels())
	return p
}

var (
	longCursor = regexp.MustCompile(`(cursor=[^&]{6})[^&]*([^&]{6})`) // nobody can read it
	anID       = regexp.MustCompile(`"id": *(\d+)`)
	aWrite     = regexp.MustCompile(`(?i)^\s*(INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|ALTER|ANALYZE)\b`)
	aLink      = regexp.MustCompile(`<([^>]*)>[^,<]*; *rel *= *"?(\w+)`)
	zeros      = regexp.MustCompile(`(\.\d*[1-9])0+Z$|\.0+Z$`) // at the end of a fraction
)

func find(re *regexp.Regexp, text string) (found string) {
	for _, match := range re.FindAllStringSubmatch(text, 12) {
		found += " " + match[len(match)-1]
	}
	return found
}

func (p page) fields() string           { return strings.Join(p.Result().Header.Values("Link"), ", ") }
func (p page) rels() string             { return find(aLink, p.fields()) }
func (p page) brief() string            { return fmt.Sprint(p.Code, " ", p.kind(), p.rels()) }
func (p page) kind() string             { return strings.Split(p.Result().Header.Get("Content-Type"), ";")[0] }
func (p page) cursor(rel string) string { return p.links[rel].Query().Get("cursor") }

// closed checks that the database was asked little, was not changed, and that nothing of it is held.
func (p page) closed() {
	p.t.Helper()
	step.NoError(p.t, errors.Join(p.rec.CheckAtMost(5), p.rec.CheckRowsClosed()), "%s should run few statements and close all rows.", p.asked)
	step.Equal(p.t, 0, p.s.cfg.DB.Stats().InUse, "%s has been answered. Connections that the handler holds:", p.asked)
	for _, s := range p.rec.Statements {
		step.Expect(p.t, !aWrite.MatchString(s.Query), "%s should change nothing in the database. It runs %s", p.asked, s.Query)
	}
}

// is checks the page by what is listed: its items in order, its count, and its links.
func (p page) is(at place, n int64, why ...any) page {
	p.t.Helper()
	step.Expect(p.t, p.Code == 200, "%s%s should be answered with a page, not %d, %.300s", fmt.Sprint(why...), p.asked, p.Code, p.Body)
	p.listing = p.s.listing(p.url.Query())
	all := p.s.list(p.listing, n)
	from, to := at.span(p.limit, p.listing, all)
	p.place, p.n, p.rows = at, n, all[from:to]
	p.holds(len(all))
	p.leads(map[string]bool{"first": true, "prev": from > 0, "next": to < len(all)})
	p.closed()
	return p
}

// holds checks the body of a page of a listing of so many items.
func (p page) holds(listed int) {
	p.t.Helper()
	body, want, got := map[string]any{"count": "none"}, "", ""
	decoder := json.NewDecoder(strings.NewReader(p.Body.String()))
	decoder.UseNumber() // a float64 has too few digits
	err := decoder.Decode(&body)
	items, ok := body["items"].([]any)
	step.Expect(p.t, err == nil && ok && json.Valid(p.Body.Bytes()) && p.kind() == "application/json",
		"%s should have one object of application/json, with a list of items. Type: %q, body: %.99q", p.asked, p.kind(), p.Body)
	for _, item := range items {
		i, _ := item.(map[string]any)
		created, _ := i["created"].(string)
		got += line([]any{i["id"], i["name"], i["category"], i["price"], zeros.ReplaceAllString(created, "${1}Z")})
	}
	for _, r := range p.rows {
		want += line([]any{r.id, fmt.Sprint("item ", r.id), r.category, r.price, time.Unix(0, r.created).UTC()})
	}
	step.Equal(p.t, want, got, "%s, %+v, should have these items: id, name, category, price and time.", p.place, p.listing)
	want = line("none")
	if upTo := p.s.cfg.CountUpTo; p.url.Query().Get("count") == "true" {
		want = line(map[string]any{"value": min(listed, upTo), "relation": map[bool]string{false: "eq", true: "gte"}[listed > upTo]})
	}
	step.Equal(p.t, want, line(body["count"]), "%s is for a listing of %d items, and the count should be:", p.asked, listed)
}

func line(v any) string {
	text, _ := json.Marshal(v) //nolint:errchkjson // it came from JSON
	return string(text) + "\n"
}

// leads checks the links.
func (p page) leads(wanted map[string]bool) {
	p.t.Helper()
	for _, link := range aLink.FindAllStringSubmatch(p.fields(), -1) {
		to, err := p.url.Parse(link[1])
		step.Expect(p.t, err == nil && to.Host+to.Path == site.Host+site.Path, "%s should lead to the items of this shop.", link[0])
		step.Equal(p.t, p.listing, p.s.listing(to.Query()), "The link to %s should keep the parameters of %s.", link[2], p.asked)
		step.Expect(p.t, p.links[link[2]] == nil && link[2] != "last", "There should be one link each, none to last: %s", p.fields())
		p.links[link[2]] = to
	}
	for _, rel := range []string{"first", "next", "prev"} {
		if has := p.links[rel] != nil; has != wanted[rel] && (rel != "prev" || p.t.Name() != "TestPages") { // not asked for in step 1
			why := map[bool]string{true: "a link to %s, for items are listed there", false: "no link to %s, for nothing is listed there"}
			p.t.Fatalf("%s, %+v, should have "+why[wanted[rel]]+". Its links:%s", p.place, p.listing, rel, p.rels())
		}
	}
}
