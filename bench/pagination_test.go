//go:build solutions && unix

package bench_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/pkg/sqlprobe"
	"github.com/backend-kata/dojo/solutions/pagination"
)

// The reference of the kata pagination lists the same on PostgreSQL, forward and backward.
func TestPostgresPagination(t *testing.T) {
	s := items(t, 500)
	for _, listing := range []string{"sort=newest", "sort=cheapest", "sort=newest&category=c2", "sort=cheapest&category=c3"} {
		want := s.inOrder(listing)
		var forward, backward []int64
		target := "/items?limit=7&" + listing
		for next := target; next != ""; {
			p := s.get(next)
			forward = append(forward, p.ids...)
			target, next = next, p.links["next"]
		}
		for prev := target; prev != ""; {
			p := s.get(prev)
			backward = append(slices.Clone(p.ids), backward...)
			prev = p.links["prev"]
		}
		if !slices.Equal(forward, want) {
			t.Errorf("%s: forward were\n%v\nand expected\n%v", listing, forward, want)
		}
		if !slices.Equal(backward, want) {
			t.Errorf("%s: backward were\n%v\nand expected\n%v", listing, backward, want)
		}
	}
}

// A snapshot, a count and the way back from an empty page are the same on PostgreSQL.
func TestPostgresPaginationFurther(t *testing.T) {
	s := items(t, 500)
	want := s.inOrder("sort=newest")
	first := s.get("/items?limit=300&snapshot=true&count=true")
	if first.count != `{"value":100,"relation":"gte"}` {
		t.Errorf("500 items were expected to be counted to 100: %s", first.count)
	}
	plain := s.get("/items?limit=300")
	run(t, s.db, "UPDATE items SET removed = 1 WHERE id <= 2000; UPDATE sequence SET n = 1")
	if got := slices.Concat(first.ids, s.get(first.links["next"]).ids); !slices.Equal(got, want) {
		t.Errorf("the snapshot was expected to have all 500 items, and has %d", len(got))
	}
	run(t, s.db, "DELETE FROM items WHERE id <= 2010")
	empty := s.get(plain.links["next"])
	if len(empty.ids) != 0 || empty.links["next"] != "" {
		t.Errorf("nothing was expected behind the first page: %v", empty)
	}
	if got := s.get(empty.links["prev"]).ids; !slices.Equal(got, want[:299]) {
		t.Errorf("the way back was expected to have the 299 items that are left, and has %d", len(got))
	}
}

// A page deep in a large table reads no more rows than the second. In a category it may be some more, since PostgreSQL is free to take
// the index without the category and to pass over the items of others.
func TestPostgresPaginationDepth(t *testing.T) {
	s := items(t, 50_000)
	for _, listing := range []string{"sort=newest", "sort=cheapest", "sort=newest&category=c2", "sort=cheapest&category=c3"} {
		jump := 1000
		most := s.rows(s.get("/items?limit=10&" + listing).links["next"])
		if strings.Contains(listing, "category") {
			most += 100
		}
		p := s.get(fmt.Sprintf("/items?limit=%d&%s", jump, listing))
		for page := 1; p.links["next"] != ""; page++ {
			for _, rel := range []string{"next", "prev"} {
				if p.links[rel] == "" {
					continue
				}
				target := strings.Replace(p.links[rel], fmt.Sprint("limit=", jump), "limit=10", 1)
				if got := s.rows(target); got > most {
					t.Errorf("%s: %s of the items up to %d read %d rows, and at most %d were expected", listing, rel, page*jump, got, most)
				}
			}
			p = s.get(p.links["next"])
		}
	}
}

// OFFSET and the comparison in ANDs and ORs read more the deeper they are, on PostgreSQL too.
func TestPostgresPaginationOtherwise(t *testing.T) {
	s := items(t, 50_000)
	const list = "SELECT id, name, category, price, created FROM items WHERE removed IS NULL "
	at := s.inOrder("sort=newest")[25_499] // in the middle of a time
	var created int64
	if err := s.db.QueryRowContext(t.Context(), "SELECT created FROM items WHERE id = ?", at).Scan(&created); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		want  int64
		query string
		args  []any
	}{
		{"the other side", 1, "SELECT 1 FROM items WHERE removed IS NULL AND (created, id) >= (?, ?) ORDER BY created, id LIMIT 1", []any{created, at}},
		{"the other side, with EXISTS", 24_501, "SELECT EXISTS (SELECT 1 FROM items WHERE removed IS NULL AND (created, id) >= (?, ?) ORDER BY created, id LIMIT 1)", []any{created, at}},
		{"rows", 11, list + "AND (created, id) < (?, ?) ORDER BY created DESC, id DESC LIMIT 11", []any{created, at}},
		{"and, or", 510, list + "AND created <= ? AND (created < ? OR id < ?) ORDER BY created DESC, id DESC LIMIT 11", []any{created, created, at}},
		{"or", 25_511, list + "AND (created < ? OR created = ? AND id < ?) ORDER BY created DESC, id DESC LIMIT 11", []any{created, created, at}},
		{"offset", 25_511, list + "ORDER BY created DESC, id DESC LIMIT 11 OFFSET 25500", nil},
	} {
		p, err := sqlprobe.ExplainPostgres(t.Context(), s.db, tt.query, tt.args...)
		if err != nil {
			t.Fatal(err)
		}
		if p.Rows != tt.want {
			t.Errorf("%s: %d rows were read, and docs/pagination.md says %d\n%s", tt.name, p.Rows, tt.want, p.Text)
		}
		t.Logf("%s: %d rows", tt.name, p.Rows)
	}
}

// A listed is items in PostgreSQL, and the reference on them.
type listed struct {
	t       *testing.T
	db      *sql.DB
	probe   *sqlprobe.Probe
	handler http.Handler
}

// items makes items with ids 10, 20, 30 and so on, in ten categories, added in the order of
// their times. A fiftieth have the same price, and a fiftieth the same time.
func items(t *testing.T, n int) listed {
	t.Helper()
	db, probe := connect(t)
	run(t, db, fmt.Sprintf(`
		CREATE TEMP TABLE items (id BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, category TEXT NOT NULL, price BIGINT NOT NULL,
			created BIGINT NOT NULL, added BIGINT NOT NULL, removed BIGINT);
		CREATE INDEX items_created          ON items(created, id);
		CREATE INDEX items_price            ON items(price, id);
		CREATE INDEX items_category_created ON items(category, created, id);
		CREATE INDEX items_category_price   ON items(category, price, id);
		CREATE TEMP TABLE sequence (n BIGINT NOT NULL);
		INSERT INTO sequence VALUES (0);
		INSERT INTO items SELECT i * 10, 'item ' || i, 'c' || i %% 10, i * 7 %% 50 * 100,
			1700000000000000000 + i * 50 / %[1]d, 0, NULL FROM generate_series(1, %[1]d::bigint) AS i;
		SET default_statistics_target = 1000; -- so that ANALYZE looks at every row, and plans do not depend on a sample
		ANALYZE items;`, n))
	return listed{t, db, probe, pagination.New(pagination.Config{
		DB: db, Keys: []pagination.Key{{ID: "k", Secret: []byte(strings.Repeat("secret", 6))}}, DefaultLimit: 20, MaxLimit: n, CountUpTo: 100,
	})}
}

// inOrder is what a listing has, by a query that has nothing of pages.
func (s listed) inOrder(listing string) []int64 {
	s.t.Helper()
	q, err := url.ParseQuery(listing)
	if err != nil {
		s.t.Fatal(err)
	}
	order := map[string]string{"newest": "created DESC, id DESC", "cheapest": "price, id"}[q.Get("sort")]
	rows, err := s.db.QueryContext(s.t.Context(), "SELECT id FROM items WHERE removed IS NULL AND category LIKE '%"+q.Get("category")+"' ORDER BY "+order)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	var all []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, id)
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	return all
}

// An itemsPage is an answer of the reference.
type itemsPage struct {
	ids   []int64
	count string
	links map[string]string
}

var oneLink = regexp.MustCompile(`<([^>]*)>; rel="([a-z]+)"`)

func (s listed) get(target string) itemsPage {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, target, http.NoBody))
	var body struct {
		Items []struct {
			ID int64 `json:"id"`
		} `json:"items"`
		Count json.RawMessage `json:"count"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != http.StatusOK {
		s.t.Fatalf("%s: %d %s", target, w.Code, w.Body)
	}
	p := itemsPage{count: string(body.Count), links: map[string]string{}}
	for _, i := range body.Items {
		p.ids = append(p.ids, i.ID)
	}
	for _, m := range oneLink.FindAllStringSubmatch(strings.Join(w.Header().Values("Link"), ", "), -1) {
		p.links[m[2]] = m[1]
	}
	return p
}

// rows is how many rows the statements of a request read.
func (s listed) rows(target string) (sum int64) {
	s.t.Helper()
	rec := s.probe.Record(func() { s.get(target) })
	for _, statement := range rec.Statements {
		var args []any
		for _, a := range statement.Args {
			args = append(args, a.Value)
		}
		p, err := sqlprobe.ExplainPostgres(s.t.Context(), s.db, statement.Query, args...)
		if err != nil {
			s.t.Fatal(err)
		}
		if err := p.CheckNoSort(); err != nil {
			s.t.Error(err)
		}
		sum += p.Rows
	}
	return sum
}
