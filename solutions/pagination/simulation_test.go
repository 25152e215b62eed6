//go:build solutions

package pagination_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/backend-kata/dojo/pkg/sqlprobe"
	"github.com/backend-kata/dojo/pkg/sqlprobe/sqlite"
	"github.com/backend-kata/dojo/solutions/internal/numbers"
	"github.com/backend-kata/dojo/solutions/pagination"
)

// The answer page's tables of work: pages of ten from the middle of 5,000 items, of which 1,000 have the same time.
func TestWork(t *testing.T) {
	const list = "SELECT id, name, category, price, created FROM items WHERE removed IS NULL "
	s := open(t, 5000)
	s.fill("rowids", "id INTEGER PRIMARY KEY", 5000)
	at, id := int64(epoch+3), int64(35_000) // in the middle of the fourth time
	table := "| condition | instructions |\n|---|---|\n"
	for _, tt := range []struct {
		name string
		want int64
		run  func()
	}{
		{"none, first page", 129, func() { s.query(list + "ORDER BY created DESC, id DESC LIMIT 11") }},
		{"`(created, id) < (?, ?)`", 222, func() { s.query(list+"AND (created, id) < (?, ?) ORDER BY created DESC, id DESC LIMIT 11", at, id) }},
		{"`created <= ? AND (created < ? OR id < ?)`", 3184, func() {
			s.query(list+"AND created <= ? AND (created < ? OR id < ?) ORDER BY created DESC, id DESC LIMIT 11", at, at, id)
		}},
		{"`created < ? OR (created = ? AND id < ?)`", 10206, func() {
			s.query(list+"AND (created < ? OR (created = ? AND id < ?)) ORDER BY created DESC, id DESC LIMIT 11", at, at, id)
		}},
		{"`LIMIT 11 OFFSET 1500`", 7643, func() { s.query(list + "ORDER BY created DESC, id DESC LIMIT 11 OFFSET 1500") }},
		{"the second, `id INTEGER PRIMARY KEY`", 5221, func() {
			s.query(strings.Replace(list, "items", "rowids", 1)+"AND (created, id) < (?, ?) ORDER BY created DESC, id DESC LIMIT 11", at, id)
		}},
		{"", 28, func() { // the other side, which the table leaves out
			s.query("SELECT id FROM items WHERE removed IS NULL AND (created, id) >= (?, ?) ORDER BY created, id LIMIT 1", at, id)
		}},
		{"`count(*)`, stopped at 1,001", 9023, func() { s.query("SELECT count(*) FROM (SELECT 1 FROM items WHERE removed IS NULL LIMIT 1001)") }},
		{"`count(*)`", 20010, func() { s.query("SELECT count(*) FROM items WHERE removed IS NULL") }},
	} {
		got := s.work(tt.run)
		if got != tt.want {
			t.Errorf("%q: %d steps, and docs/pagination.md says %d", tt.name, got, tt.want)
		}
		if tt.name != "" {
			table += fmt.Sprintf("| %s | %s |\n", tt.name, numbers.Thousands(got))
		}
	}
	t.Log("\n" + table)
}

// A reader goes through 1,000 items in pages of 20 while others add an item at the front after each page, or remove the
// newest.
func TestWhileOthersWrite(t *testing.T) {
	type outcome struct{ twice, missed int }
	table := "| pages by, while others | seen twice | missed |\n|---|---|---|\n"
	for _, tt := range []struct {
		name   string
		write  string
		offset bool
		want   outcome
	}{
		{"OFFSET, add an item after each page", added, true, outcome{twice: 52}},
		{"OFFSET, remove the newest after each page", removed, true, outcome{missed: 45}},
		{"keyset, add an item after each page", added, false, outcome{}},
		{"keyset, remove the newest after each page", removed, false, outcome{}},
	} {
		s := open(t, 1000)
		seen := map[int64]int{}
		target := "/items?limit=20"
		for n := 0; target != ""; n++ {
			var ids []int64
			if tt.offset {
				ids = s.query("SELECT id FROM items WHERE removed IS NULL ORDER BY created DESC, id DESC LIMIT 20 OFFSET ?", 20*n)
				target = map[bool]string{true: target}[len(ids) == 20]
			} else {
				ids, target = s.get(target)
			}
			for _, id := range ids {
				seen[id]++
			}
			s.exec(tt.write)
		}
		var got outcome
		for id := int64(10); id <= 10_000; id += 10 {
			if seen[id] > 1 {
				got.twice++
			}
			if seen[id] == 0 && s.query("SELECT count(*) FROM items WHERE id = ? AND removed IS NULL", id)[0] == 1 {
				got.missed++
			}
		}
		if got != tt.want {
			t.Errorf("%s: got %+v, and docs/pagination.md says %+v", tt.name, got, tt.want)
		}
		table += fmt.Sprintf("| %s | %d | %d |\n", tt.name, got.twice, got.missed)
	}
	t.Log("\n" + table)
}

const (
	epoch   = 1_700_000_000_000_000_000
	added   = "INSERT INTO items SELECT max(id) + 10, 'another', 'odd', 0, max(created) + 1, 0, NULL FROM items"
	removed = "UPDATE items SET removed = 1 WHERE id = (SELECT max(id) FROM items WHERE removed IS NULL)"
)

// A shop is items with ids 10, 20, 30 and so on, the larger ones newer; a fifth of them have the same time.
type shop struct {
	t     *testing.T
	db    *sql.DB
	probe *sqlprobe.Probe

	handler http.Handler
}

var shops atomic.Int64 // so that each has a database of its own

func open(t *testing.T, n int) shop {
	t.Helper()
	probe, err := sqlite.New(fmt.Sprintf("file:/%s-%d?vfs=memdb", t.Name(), shops.Add(1)))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(probe)
	t.Cleanup(func() { db.Close() })
	s := shop{t, db, probe, pagination.New(pagination.Config{
		DB: db, Keys: []pagination.Key{{ID: "k", Secret: []byte(strings.Repeat("secret", 6))}}, DefaultLimit: 20, MaxLimit: 2 * n, CountUpTo: 1000,
	})}
	s.fill("items", "id BIGINT NOT NULL PRIMARY KEY", n)
	return s
}

// fill makes a table with an index for the newest first.
func (s shop) fill(table, id string, n int) {
	s.t.Helper()
	s.exec(fmt.Sprintf(`
		CREATE TABLE %[1]s (%[2]s, name TEXT NOT NULL, category TEXT NOT NULL, price BIGINT NOT NULL, created BIGINT NOT NULL, added BIGINT NOT NULL, removed BIGINT);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %[3]d)
		INSERT INTO %[1]s SELECT i * 10, 'item', 'odd', 0, %[4]d + (i - 1) * 5 / %[3]d, 0, NULL FROM n;
		CREATE INDEX %[1]s_created ON %[1]s(created, id);`, table, id, n, int64(epoch)))
}

func (s shop) exec(query string) {
	s.t.Helper()
	if _, err := s.db.ExecContext(s.t.Context(), query); err != nil {
		s.t.Fatal(err)
	}
}

// query reads all rows and returns their first column.
func (s shop) query(query string, args ...any) (first []int64) {
	s.t.Helper()
	rows, err := s.db.QueryContext(s.t.Context(), query, args...)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		s.t.Fatal(err)
	}
	for rows.Next() {
		var id int64
		dest := []any{&id}
		for range columns[1:] {
			dest = append(dest, new(any))
		}
		if err := rows.Scan(dest...); err != nil {
			s.t.Fatal(err)
		}
		first = append(first, id)
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	return first
}

// work is what the database does while f runs.
func (s shop) work(f func()) int64 {
	s.t.Helper()
	work, err := s.probe.Record(f).Work()
	if err != nil {
		s.t.Fatal(err)
	}
	return work
}

// get asks the reference for a page, and returns its items and the target of its link to next.
func (s shop) get(target string) (ids []int64, next string) {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, target, http.NoBody))
	var page struct {
		Items []struct {
			ID int64 `json:"id"`
		} `json:"items"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != http.StatusOK {
		s.t.Fatalf("%s: %d %s", target, w.Code, w.Body)
	}
	for _, i := range page.Items {
		ids = append(ids, i.ID)
	}
	if m := nextLink.FindStringSubmatch(strings.Join(w.Header().Values("Link"), ", ")); m != nil {
		next = m[1]
	}
	return ids, next
}

var nextLink = regexp.MustCompile(`<([^>]*)>; rel="next"`)
