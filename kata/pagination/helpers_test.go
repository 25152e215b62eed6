package pagination_test

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/backend-kata/dojo/kata/pagination"
	"github.com/backend-kata/dojo/pkg/sqlprobe"
	"github.com/backend-kata/dojo/pkg/sqlprobe/sqlite"
)

const (
	tables = `
		CREATE TABLE items (
			id       BIGINT  NOT NULL PRIMARY KEY,
			name     TEXT    NOT NULL,
			category TEXT    NOT NULL,
			price    BIGINT  NOT NULL,
			created  BIGINT  NOT NULL,
			added    BIGINT  NOT NULL,
			removed  BIGINT
		);
		CREATE TABLE sequence (n BIGINT NOT NULL);
		INSERT INTO sequence VALUES (0);`
	indexes = `
		CREATE INDEX items_created          ON items(created, id);
		CREATE INDEX items_price            ON items(price, id);
		CREATE INDEX items_category_created ON items(category, created, id);
		CREATE INDEX items_category_price   ON items(category, price, id);`
	numbering = `
		CREATE TRIGGER added   AFTER INSERT ON items            BEGIN UPDATE sequence SET n = n + 1; END;
		CREATE TRIGGER removed AFTER UPDATE OF removed ON items BEGIN UPDATE sequence SET n = n + 1; END;`

	epoch = 1_700_000_000_000_000_000 // nanoseconds: more digits than a float64 has
	site  = "http://shop.example"
)

// A row is an item as the database has it, apart from what the changes write.
type row struct {
	id       int64
	category string
	price    int64
	created  int64
}

func (r row) name() string { return fmt.Sprintf("item %d", r.id) }

// A shop is a database with items, what a step knows of it, and the handler under test.
type shop struct {
	http.Handler

	t      *testing.T
	db     *sql.DB
	probe  *sqlprobe.Probe
	known  map[int64]row // all that were ever added
	listed map[int64]bool
	story  []string       // the requests and the changes, for failures
	asked  int            // how many requests are in the story
	seen   map[int64]bool // on an earlier page of the walk
}

var (
	shops atomic.Int64 // so that each has a database of its own

	key    = pagination.Key{ID: "k1", Secret: []byte("a secret of the steps, 32 bytes.")}
	limits = pagination.Config{Keys: []pagination.Key{key}, DefaultLimit: 5, MaxLimit: 1000, CountUpTo: 50}
)

// open makes a shop whose handler has the limits above.
func open(t *testing.T, rows ...row) *shop {
	t.Helper()
	s := bare(t)
	s.exec(indexes + numbering)
	for _, r := range rows {
		s.add(r)
	}
	s.start()
	return s
}

// bare is open without rows and without the indexes, which are quicker to make when the rows are there.
func bare(t *testing.T) *shop {
	t.Helper()
	probe, err := sqlite.New(fmt.Sprintf("file:/pagination-%d?vfs=memdb", shops.Add(1)))
	require.NoError(t, err)
	db := sql.OpenDB(probe)
	t.Cleanup(func() { db.Close() })
	s := &shop{t: t, db: db, probe: probe, known: map[int64]row{}, listed: map[int64]bool{}}
	s.exec(tables)
	s.Handler = s.with(limits)
	return s
}

// with makes another handler on the same database.
func (s *shop) with(cfg pagination.Config) http.Handler {
	cfg.DB = s.db
	return pagination.New(cfg)
}

func (s *shop) exec(query string, args ...any) {
	s.t.Helper()
	_, err := s.db.ExecContext(s.t.Context(), query, args...)
	require.NoError(s.t, err)
}

func (s *shop) add(r row) {
	s.t.Helper()
	s.exec("INSERT INTO items (id, name, category, price, created, added) SELECT ?, ?, ?, ?, ?, n + 1 FROM sequence", r.id, r.name(), r.category, r.price, r.created)
	s.known[r.id], s.listed[r.id] = r, true
	s.tell("     item %d is added", r.id)
}

// mark removes items and keeps their rows.
func (s *shop) mark(ids ...int64) {
	s.t.Helper()
	for _, id := range ids {
		s.exec("UPDATE items SET removed = n + 1 FROM sequence WHERE id = ?", id)
		delete(s.listed, id)
		s.tell("     item %d is marked as removed", id)
	}
}

// remove deletes the rows of items.
func (s *shop) remove(ids ...int64) {
	s.t.Helper()
	for _, id := range ids {
		s.exec("DELETE FROM items WHERE id = ?", id)
		delete(s.listed, id)
		s.tell("     item %d is removed, with its row", id)
	}
}

// start begins another story.
func (s *shop) start() { s.story, s.asked, s.seen = nil, 0, nil }

func (s *shop) tell(format string, args ...any) {
	s.story = append(s.story, fmt.Sprintf(format, args...))
}

// A view is a listing as the step means it.
type view struct {
	sort     string // empty for the default
	category string // empty for all
}

func (v view) query(limit int) url.Values {
	q := url.Values{"limit": {fmt.Sprint(limit)}}
	if v.sort != "" {
		q.Set("sort", v.sort)
	}
	if v.category != "" {
		q.Set("category", v.category)
	}
	return q
}

func (v view) target(limit int) string { return "/items?" + v.query(limit).Encode() }

func (v view) String() string {
	text := v.sort
	if text == "" {
		text = "the default sort"
	}
	if v.category != "" {
		text += " in category " + v.category
	}
	return text
}

// compare orders two items as the view does.
func (v view) compare(a, b row) int {
	if v.sort == "cheapest" {
		return cmp.Or(cmp.Compare(a.price, b.price), cmp.Compare(a.id, b.id))
	}
	return cmp.Or(cmp.Compare(b.created, a.created), cmp.Compare(b.id, a.id))
}

// rows is what the view lists now.
func (s *shop) rows(v view) []row {
	var rows []row
	for id := range s.listed {
		if r := s.known[id]; v.category == "" || r.category == v.category {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, v.compare)
	return rows
}

// after is the page that follows an item's place, and before the one that precedes it.
func (s *shop) after(v view, place row, limit int) []int64 {
	rows := slices.DeleteFunc(s.rows(v), func(r row) bool { return v.compare(r, place) <= 0 })
	return ids(rows[:min(limit, len(rows))])
}

func (s *shop) before(v view, place row, limit int) []int64 {
	rows := slices.DeleteFunc(s.rows(v), func(r row) bool { return v.compare(r, place) >= 0 })
	return ids(rows[max(0, len(rows)-limit):])
}

func ids(rows []row) []int64 {
	list := []int64{}
	for _, r := range rows {
		list = append(list, r.id)
	}
	return list
}

// links are those that a page has by what is listed now, apart from first. The page is not empty.
func (s *shop) links(v view, p page) []string {
	var links []string
	if len(s.before(v, p.first(), 1)) > 0 {
		links = append(links, "prev")
	}
	if len(s.after(v, p.last(), 1)) > 0 {
		links = append(links, "next")
	}
	return links
}

// shake adds and removes up to three items. Most are beside the page, or have the time or the price of one on it.
func (s *shop) shake(r *rand.Rand, v view, p page) {
	s.t.Helper()
	s.comeAndGo(r, v, p, []func(*shop, ...int64){(*shop).mark, (*shop).remove}[r.IntN(2)])
}

// shakeMarking is shake by changes that a snapshot can see through.
func (s *shop) shakeMarking(r *rand.Rand, v view, p page) {
	s.t.Helper()
	s.comeAndGo(r, v, p, (*shop).mark)
}

func (s *shop) comeAndGo(r *rand.Rand, v view, p page, remove func(*shop, ...int64)) {
	s.t.Helper()
	near := append(slices.Clone(p.some()), s.rows(v)...)
	for range r.IntN(4) {
		beside := near[r.IntN(len(near))]
		if r.IntN(2) == 0 && len(p.rows) > 0 {
			beside = p.rows[r.IntN(len(p.rows))]
		}
		if r.IntN(2) == 0 && s.listed[beside.id] && len(s.rows(v)) > 9 {
			remove(s, beside.id)
			continue
		}
		fresh := row{id: 1 + r.Int64N(100_000), category: []string{"even", "odd"}[r.IntN(2)], price: beside.price, created: beside.created}
		if _, taken := s.known[fresh.id]; taken || len(s.rows(v)) > 24 {
			continue
		}
		if r.IntN(2) == 0 {
			fresh.price += r.Int64N(3) - 1
			fresh.created += r.Int64N(3) - 1
		}
		s.add(fresh)
	}
}

// mixed is 25 items in three categories. Four or more have the same price, and up to four the same time; times are
// a nanosecond apart, but for one before 1970 and one at its beginning.
func mixed() []row {
	rows := make([]row, 25)
	for i := range rows {
		n := int64(i)
		rows[i] = row{
			id:       (n + 1) * 7 % 53, // in no order
			category: []string{"home & garden", "50% off; +more", "größe/xl"}[i%3],
			price:    (n*5)%4*100 - 100,
			created:  epoch + n/4,
		}
	}
	rows[3].created, rows[17].created = -1, 0
	rows[20].id, rows[21].id = 1<<53, 1<<53+1 // of one time, and alike to a float64
	return rows
}

// many makes a shop with n items, whose ids are 10, 20, 30 and so on. There are two prices and two times.
func many(t *testing.T, n int) *shop {
	t.Helper()
	s := bare(t)
	s.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
		INSERT INTO items (id, name, category, price, created, added)
		SELECT i * 10, 'item ' || (i * 10), CASE WHEN i % 50 = 7 THEN 'rare' WHEN i % 2 = 0 THEN 'even' ELSE 'odd' END, i / 2 % 2 * 100, ?2 + i * 2 / (?1 + 1), 0
		FROM n WHERE i <= ?1`, n, int64(epoch))
	s.exec(indexes + numbering)
	for i := int64(1); i <= int64(n); i++ {
		category := []string{"even", "odd"}[i%2]
		if i%50 == 7 {
			category = "rare"
		}
		s.known[i*10] = row{i * 10, category, i / 2 % 2 * 100, epoch + i*2/int64(n+1)}
		s.listed[i*10] = true
	}
	return s
}

// views are both sorts, with all categories and with each of some.
func views(categories ...string) []view {
	var list []view
	for _, category := range append([]string{""}, categories...) {
		list = append(list, view{"newest", category}, view{"cheapest", category})
	}
	return list
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// likely are the characters that another is changed into: three of them, and where a part of the cursor ends, every one,
// since the last character of base64 has bits that a decoder may not look at.
func likely(cursor string, at int) []rune {
	was := strings.IndexByte(letters, cursor[at])
	if at == len(cursor)-1 || cursor[at+1] == '.' || cursor[at+1] == '~' || was < 0 {
		return []rune(strings.ReplaceAll(letters, cursor[at:at+1], ""))
	}
	return []rune{rune(letters[was^1]), rune(letters[was^32]), rune(letters[(was+13)%64])}
}

var errDisk = errors.New("disk I/O error in items")

// An answer is what came back for one request.
type answer struct {
	s      *shop
	url    *url.URL
	asked  string // the request, as failures name it
	status int
	header http.Header
	body   []byte
}

// get sends a GET to the shop's handler. The target is resolved as a client would, against the address of the shop.
func (s *shop) get(target string) answer {
	s.t.Helper()
	return s.send(s.Handler, s.t.Context(), http.MethodGet, target)
}

func (s *shop) send(h http.Handler, ctx context.Context, method, target string) answer {
	s.t.Helper()
	base, err := url.Parse(site + "/items")
	require.NoError(s.t, err)
	u, err := base.Parse(target)
	require.NoError(s.t, err)
	// A server's request has its target in origin form; httptest.NewRequest would refuse some that steps send.
	r := &http.Request{
		Method: method, URL: &url.URL{Path: u.Path, RawQuery: u.RawQuery}, RequestURI: u.RequestURI(), Host: u.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody,
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(ctx))
	a := answer{s, u, method + " " + short(u), w.Code, w.Header(), w.Body.Bytes()}
	s.asked++
	s.tell("%3d  %s → %s", s.asked, a.asked, a)
	return a
}

// short is a target whose cursor is cut, since nobody can read it.
func short(u *url.URL) string {
	var parts []string
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		if len(part) > 40 {
			part = part[:14] + "…" + part[len(part)-6:]
		}
		parts = append(parts, part)
	}
	return strings.TrimSuffix(u.Path+"?"+strings.Join(parts, "&"), "?")
}

// String says what the answer is, for the story.
func (a answer) String() string {
	if a.status != http.StatusOK {
		return fmt.Sprintf("%d %s", a.status, strings.TrimSpace(string(a.body)))
	}
	var body struct {
		Items []struct {
			ID int64 `json:"id"`
		} `json:"items"`
	}
	if err := json.Unmarshal(a.body, &body); err != nil {
		return fmt.Sprintf("200 %.100s", a.body)
	}
	var list []int64
	for _, i := range body.Items {
		list = append(list, i.ID)
	}
	text := fmt.Sprintf("items %.80s", numbers(list))
	links, _ := parseLinks(a.header.Values("Link"))
	for _, rel := range []string{"first", "prev", "next", "last"} {
		if _, ok := links[rel]; ok {
			text += ", " + rel
		}
	}
	return text
}

// fail ends the step, with what was asked last and what changed.
func (s *shop) fail(format string, args ...any) {
	s.t.Helper()
	told, cut := s.story, ""
	if len(told) > 16 {
		told, cut = told[len(told)-16:], "       …\n"
	}
	require.FailNow(s.t, fmt.Sprintf(format, args...)+"\n\nwhat happened:\n"+cut+strings.Join(told, "\n"))
}

// A page is an answer of 200.
type page struct {
	answer

	ids   []int64
	rows  []row
	links map[string]string
	count string // as JSON; empty if there is none
}

// page reads the answer as a page, and holds each item against the row that was added.
func (a answer) page() page {
	s := a.s
	s.t.Helper()
	if a.status != http.StatusOK {
		s.fail("%s was expected to be answered with 200 and a page; the answer is %s", a.asked, a)
	}
	type item struct {
		ID       int64           `json:"id"`
		Name     string          `json:"name"`
		Category string          `json:"category"`
		Price    json.RawMessage `json:"price"`
		Created  string          `json:"created"`
	}
	var body struct {
		Items *[]item         `json:"items"`
		Count json.RawMessage `json:"count"`
	}
	if err := json.Unmarshal(a.body, &body); err != nil {
		s.fail("%s was expected to be answered with a page, one JSON object with items; the body is %.300q (%v)", a.asked, a.body, err)
	}
	if kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type")); kind != "application/json" {
		s.fail("a page was expected to have the Content-Type application/json; it has %q", a.header.Get("Content-Type"))
	}
	if body.Items == nil {
		s.fail("items was expected to be a list, [] when there are none; the answer is %.300s", a.body)
	}
	p := page{answer: a, ids: []int64{}, count: string(body.Count)}
	for _, i := range *body.Items {
		r, ok := s.known[i.ID]
		if !ok {
			s.fail("there never was an item %d, and it is on the page", i.ID)
		}
		got := fmt.Sprintf("%s, %s, %s, %s", i.Name, i.Category, i.Price, nanos(i.Created))
		want := fmt.Sprintf("%s, %s, %d, %s", r.name(), r.category, r.price, time.Unix(0, r.created).UTC().Format(time.RFC3339Nano))
		if got != want {
			s.fail("item %d was expected to have the name, category, price and time\n  %s\nit has\n  %s", i.ID, want, got)
		}
		p.ids, p.rows = append(p.ids, i.ID), append(p.rows, r)
	}
	var err error
	if p.links, err = parseLinks(a.header.Values("Link")); err != nil {
		s.fail("the Link fields %q were expected to be as in RFC 8288: %v", a.header.Values("Link"), err)
	}
	for _, rel := range slices.Sorted(maps.Keys(p.links)) {
		if rel == "first" || rel == "prev" || rel == "next" {
			p.carries(rel, p.links[rel])
		}
	}
	if _, ok := p.links["last"]; ok {
		s.fail("a page was expected to have no link to the last one, which nobody can tell without counting; it has %s", p.links["last"])
	}
	return p
}

// nanos drops trailing zeros of the fraction, as a time may have or not. A text that is no time in UTC stays as it is.
func nanos(text string) string {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || !strings.HasSuffix(text, "Z") {
		return text
	}
	return at.Format(time.RFC3339Nano)
}

// has checks the items of the page and its links but first, which is always there. The page is named by what.
func (p page) has(what string, want []int64, links ...string) page {
	p.s.t.Helper()
	p.holds(what, want)
	for _, rel := range []string{"first", "prev", "next"} {
		p.link(what, rel, rel == "first" || slices.Contains(links, rel))
	}
	return p
}

// link checks that there is a link, or that there is none.
func (p page) link(what, rel string, wanted bool) {
	p.s.t.Helper()
	what = strings.TrimSuffix(what, ",")
	target, ok := p.links[rel]
	switch {
	case ok && !wanted && rel == "prev":
		p.s.fail("nothing is listed before %s, and no link to prev was expected; there is one", what)
	case ok && !wanted:
		p.s.fail("nothing is listed after %s, and no link to next was expected; there is one", what)
	case !ok && wanted:
		p.s.fail("%s was expected to have a link to %s; its Link fields are %q", what, rel, p.header.Values("Link"))
	case ok:
		u, err := p.url.Parse(target)
		if err != nil || u.Host != p.url.Host || u.Path != p.url.Path {
			p.s.fail("the link to %s was expected to lead to /items of this host; its target is %s", rel, target)
		}
	}
}

// holds checks the items alone.
func (p page) holds(what string, want []int64) {
	p.s.t.Helper()
	if !slices.Equal(p.ids, want) {
		p.s.fail("%s was expected to have the items %s; it has %s%s", what, numbers(want), numbers(p.ids), p.difference(want))
	}
}

// difference says what is wrong with the items first.
func (p page) difference(want []int64) string {
	text := ""
	if i := slices.IndexFunc(want, func(id int64) bool { return !slices.Contains(p.ids, id) }); i >= 0 {
		text += fmt.Sprintf("\nitem %d is not on it", want[i])
	}
	for i, id := range p.ids {
		switch {
		case slices.Contains(p.ids[:i], id):
			return text + fmt.Sprintf("\nitem %d is on it twice", id)
		case p.s.seen[id]:
			return text + fmt.Sprintf("\nitem %d was on a page before", id)
		case !slices.Contains(want, id):
			return text + fmt.Sprintf("\nitem %d does not belong there", id)
		}
	}
	if text == "" {
		text = "\nthe order is another"
	}
	return text
}

// target is where a link leads to, its limit changed to another one if that is not zero.
func (p page) target(rel string, limit int) string {
	p.s.t.Helper()
	target, ok := p.links[rel]
	if !ok {
		p.s.fail("%s was expected to have a link to %s; its Link fields are %q", p.asked, rel, p.header.Values("Link"))
	}
	u, err := p.url.Parse(target)
	if err != nil {
		p.s.fail("the link to %s was expected to have a URI reference as its target: %v", rel, err)
	}
	if limit > 0 {
		q := u.Query()
		q.Set("limit", fmt.Sprint(limit))
		u.RawQuery = q.Encode()
	}
	return u.String()
}

func (p page) first() row { p.s.t.Helper(); return p.some()[0] }
func (p page) last() row  { p.s.t.Helper(); return p.some()[len(p.rows)-1] }

func (p page) some() []row {
	p.s.t.Helper()
	if len(p.rows) == 0 {
		p.s.fail("%s was expected to be answered with a page that has items; it has none", p.asked)
	}
	return p.rows
}

// counts checks the count. None is empty.
func (p page) counts(want, why string) {
	p.s.t.Helper()
	if want == "" && p.count != "" {
		p.s.fail("%s, and a page without a count was expected; it has %s", why, p.count)
	}
	if want == "" {
		return
	}
	type count struct {
		Value    int    `json:"value"`
		Relation string `json:"relation"`
	}
	var got, wanted count
	require.NoError(p.s.t, json.Unmarshal([]byte(want), &wanted))
	if err := json.Unmarshal([]byte(p.count), &got); err != nil || got != wanted {
		p.s.fail("%s, and the count was expected to be %s; it is %q", why, want, p.count)
	}
}

// follow gets the page that a link leads to.
func (p page) follow(rel string) page { p.s.t.Helper(); return p.s.get(p.target(rel, 0)).page() }

// cursor is the cursor in a link.
func (p page) cursor(rel string) string {
	p.s.t.Helper()
	u, err := url.Parse(p.target(rel, 0))
	require.NoError(p.s.t, err)
	c := u.Query().Get("cursor")
	if c == "" {
		p.s.fail("the link to %s was expected to have a cursor; its target is %s", rel, u)
	}
	return c
}

// refused checks that the answer is a problem about a parameter. An empty name is any.
func (a answer) refused(parameter, why string) {
	a.s.t.Helper()
	if a.status != http.StatusBadRequest {
		a.s.fail("%s: 400 was expected; the answer is %s", why, a)
	}
	var p struct {
		Type, Title, Detail, Parameter *string
		Status                         int
	}
	a.problem(&p, why)
	switch {
	case p.Type == nil || p.Title == nil || *p.Title == "" || p.Detail == nil || *p.Detail == "" || p.Status != http.StatusBadRequest:
		a.s.fail("%s: a problem with type, title, status 400 and detail was expected; it is %s", why, a.body)
	case parameter != "" && (p.Parameter == nil || *p.Parameter != parameter):
		a.s.fail("%s: the problem was expected to have %q as its parameter; it is %s", why, parameter, a.body)
	}
}

func (a answer) problem(into any, why string) {
	a.s.t.Helper()
	if kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type")); kind != "application/problem+json" {
		a.s.fail("%s: a problem of the type application/problem+json was expected; the Content-Type is %q", why, a.header.Get("Content-Type"))
	}
	if err := json.Unmarshal(a.body, into); err != nil {
		a.s.fail("%s: a problem in JSON was expected; reading %.300q: %v", why, a.body, err)
	}
}

// measure is a GET and what the database did for it.
func (s *shop) measure(target string) (page, int64) {
	s.t.Helper()
	var a answer
	rec := s.probe.Record(func() { a = s.get(target) })
	p := a.page()
	if err := rec.CheckAtMost(5); err != nil {
		s.fail("a page was expected to take at most 5 statements: %v", err)
	}
	s.closed(rec, "a page was answered")
	work, err := rec.Work()
	require.NoError(s.t, err)
	return p, work
}

// statements are those of one request, for a failure.
func (s *shop) statements(target string) string {
	s.t.Helper()
	return s.probe.Record(func() { s.get(target) }).String()
}

// state is all that a request must not change, as text.
func (s *shop) state() (text string) {
	s.t.Helper()
	require.NoError(s.t, s.db.QueryRowContext(s.t.Context(), `
		SELECT (SELECT group_concat(sql, ';') FROM sqlite_schema) || (SELECT group_concat(n) FROM sequence) ||
			(SELECT count(*) || ' ' || count(removed) || ' ' || sum(id) || ' ' || sum(price) || ' ' || sum(added) FROM items)`).Scan(&text))
	return text
}

// carries says no if a link leads to another listing than that of the request.
func (p page) carries(rel, target string) {
	p.s.t.Helper()
	u, err := p.url.Parse(target)
	if err != nil {
		return // who follows it says so
	}
	without := map[string]string{"sort": "newest", "category": "", "limit": fmt.Sprint(limits.DefaultLimit), "snapshot": "false"}
	for _, name := range slices.Sorted(maps.Keys(without)) {
		asked, linked := cmp.Or(p.url.Query().Get(name), without[name]), cmp.Or(u.Query().Get(name), without[name])
		if asked != linked {
			p.s.fail("the link to %s was expected to have the %s of the request, %q; it has %q: %s", rel, name, asked, linked, short(u))
		}
	}
}

func (s *shop) closed(rec *sqlprobe.Recording, when string) {
	s.t.Helper()
	for _, err := range []error{rec.CheckRowsClosed(), rec.CheckConnsReturned()} {
		if err != nil {
			s.fail("%s: %v", when, err)
		}
	}
}

func numbers(list []int64) string {
	if len(list) == 0 {
		return "(none)"
	}
	return strings.Trim(fmt.Sprint(list), "[]")
}

// parseLinks reads Link fields as RFC 8288 §3 has them: several links in a field, several relations in a link, commas
// and semicolons within quotes. It returns the target of each relation.
func parseLinks(fields []string) (map[string]string, error) {
	links := map[string]string{}
	rest := strings.Join(fields, ",")
	for {
		rest = strings.TrimLeft(rest, " \t,")
		if rest == "" {
			return links, nil
		}
		if rest[0] != '<' {
			return nil, fmt.Errorf("a link begins with <, not with %.20q", rest)
		}
		target, after, ok := strings.Cut(rest[1:], ">")
		if !ok || strings.ContainsAny(target, " \"<") {
			return nil, fmt.Errorf("the target in %.80q is no URI reference in < and >", rest)
		}
		params, after, err := parseParams(after)
		if err != nil {
			return nil, err
		}
		if _, elsewhere := params["anchor"]; !elsewhere { // else the link is that of another resource
			for rel := range strings.FieldsSeq(strings.ToLower(params["rel"])) {
				if other, twice := links[rel]; twice && other != target && slices.Contains([]string{"first", "prev", "next", "last"}, rel) {
					return nil, fmt.Errorf("two links have the relation %s", rel)
				}
				links[rel] = target
			}
		}
		rest = after
	}
}

// parseParams reads the parameters of one link, and returns what stands behind them. Of several with one name the first
// counts.
func parseParams(rest string) (params map[string]string, after string, err error) {
	params = map[string]string{}
	for {
		rest = strings.TrimLeft(rest, " \t")
		if rest == "" || rest[0] == ',' {
			return params, rest, nil
		}
		if rest[0] != ';' {
			return nil, "", fmt.Errorf("a parameter begins with ;, not with %.20q", rest)
		}
		rest = strings.TrimLeft(rest[1:], " \t")
		end := strings.IndexAny(rest+",", "=;, \t")
		name := strings.ToLower(rest[:end])
		value := ""
		rest = strings.TrimLeft(rest[end:], " \t")
		if strings.HasPrefix(rest, "=") {
			value, rest, err = parseValue(strings.TrimLeft(rest[1:], " \t"))
			if err != nil {
				return nil, "", err
			}
		}
		if _, twice := params[name]; !twice && name != "" {
			params[name] = value
		}
	}
}

// parseValue reads a token or a quoted string.
func parseValue(rest string) (value, after string, err error) {
	if !strings.HasPrefix(rest, `"`) {
		end := strings.IndexAny(rest+",", ";, \t")
		return rest[:end], rest[end:], nil
	}
	var b strings.Builder
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '"':
			return b.String(), rest[i+1:], nil
		case '\\':
			i++
			if i == len(rest) {
				continue
			}
		}
		b.WriteByte(rest[i])
	}
	return "", "", fmt.Errorf("the quotes in %.80q do not end", rest)
}
