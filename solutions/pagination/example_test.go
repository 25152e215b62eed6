//go:build solutions

package pagination_test

import (
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backend-kata/dojo/solutions/internal/numbers"
)

// The examples of docs/pagination.md.

func pageByNumber(ctx context.Context, db *sql.DB, page, limit int) (*sql.Rows, error) {
	// example: offset
	// GET /items?page=2
	return db.QueryContext(ctx, `
		SELECT id, name, created FROM items
		ORDER BY created DESC
		LIMIT ? OFFSET ?`, limit, limit*(page-1))
	// end
}

// A row is what a cursor has to hold of one.
type row struct{ created, id int64 }

func pageAfter(ctx context.Context, db *sql.DB, last row, limit int) (*sql.Rows, error) {
	// example: keyset
	// CREATE INDEX items_created ON items (created, id)
	return db.QueryContext(ctx, `
		SELECT id, name, created FROM items
		WHERE  (created, id) < (?, ?)
		ORDER BY created DESC, id DESC
		LIMIT ?`, last.created, last.id, limit+1)
	// end
}

func pageOfRange(ctx context.Context, db *sql.DB, from int64, last row) (*sql.Rows, error) {
	// example: split
	// One of several readers. Its first page begins at (to, 0): ids are positive.
	return db.QueryContext(ctx, `
		SELECT id, name, created FROM items
		WHERE  created >= ? AND (created, id) < (?, ?)
		ORDER BY created DESC, id DESC
		LIMIT 100`, from, last.created, last.id)
	// end
}

// rowsOf reads a page to its end.
func rowsOf(t *testing.T, rows *sql.Rows, err error) (all []row) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		var name string
		if err := rows.Scan(&r.id, &name, &r.created); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func ids(page []row) string {
	var all []string
	for _, r := range page {
		all = append(all, fmt.Sprint(r.id))
	}
	return strings.Join(all, ", ")
}

const noon = 1_767_268_800_000_000_000 // 2026-01-01T12:00:00Z

// household has five items, of which the third and the fourth have the same time.
func household(t *testing.T) shop {
	t.Helper()
	s := open(t, 1)
	s.exec("DELETE FROM items")
	for i, name := range []string{"chair", "kettle", "lamp", "mug", "rug"} {
		at := int64(noon) + int64([]int{0, 1, 2, 2, 3}[i])*time.Minute.Nanoseconds()
		s.exec(fmt.Sprintf("INSERT INTO items VALUES (%d, '%s', 'home', %d, %d, 0, NULL)", i+1, name, 900+100*i, at))
	}
	return s
}

// Someone adds an item between the pages: by number, one item comes twice.
func TestExample(t *testing.T) {
	s, ctx := household(t), t.Context()
	rows, err := pageByNumber(ctx, s.db, 1, 2)
	first := rowsOf(t, rows, err)
	s.exec(fmt.Sprintf("INSERT INTO items VALUES (6, 'sofa', 'home', 1500, %d, 0, NULL)", int64(noon)+time.Hour.Nanoseconds()))
	var second, next []row
	plans := [2]string{}
	for i, read := range []func(){
		func() { rows, err := pageByNumber(ctx, s.db, 2, 2); second = rowsOf(t, rows, err) },
		func() { rows, err := pageAfter(ctx, s.db, first[1], 2); next = rowsOf(t, rows, err)[:2] },
	} {
		query := s.probe.Record(read).Statements[0].Query
		var id, parent, unused int
		args := []any{1, 1, 1}[:strings.Count(query, "?")]
		if err := s.db.QueryRowContext(ctx, "EXPLAIN QUERY PLAN "+query, args...).Scan(&id, &parent, &unused, &plans[i]); err != nil {
			t.Fatal(err)
		}
	}
	if ids(first) != "5, 4" || ids(second) != "4, 3" || ids(next) != "3, 2" {
		t.Errorf("the pages were %s, then %s with OFFSET and %s with a keyset, and the page says 5, 4, then 4, 3 and 3, 2", ids(first), ids(second), ids(next))
	}
	if !strings.HasPrefix(plans[0], "SCAN ") || !strings.HasPrefix(plans[1], "SEARCH ") {
		t.Errorf("the page says that OFFSET scans and a keyset searches: %q", plans)
	}
	t.Logf("\npage 1             %s\n                   item 6 is added\npage 2, OFFSET     %s   4 again\n    %s\npage 2, keyset     %s\n    %s",
		ids(first), ids(second), plans[0], ids(next), plans[1])
}

var (
	signed    = regexp.MustCompile(`cursor=k\.(.{8})[^.&]*\.(.{6})[^.&> ]*`)
	otherwise = regexp.MustCompile(`&snapshot=false|&sort=newest`)
)

// The first two pages of the reference, as a client sees them.
func TestExchange(t *testing.T) {
	s := household(t)
	var log strings.Builder
	var first string
	target := "/items?limit=2"
	for _, want := range []string{"5, 4", "3, 2"} {
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody))
		fmt.Fprintf(&log, "GET %s HTTP/1.1\n\nHTTP/1.1 %d %s\nContent-Type: %s\n", target, w.Code, http.StatusText(w.Code), w.Header().Get("Content-Type"))
		for _, link := range w.Header().Values("Link") {
			fmt.Fprintf(&log, "Link: %s\n", link)
		}
		body := strings.NewReplacer(`":[{`, "\":[\n  {", "},{", "},\n  {").Replace(strings.TrimSpace(w.Body.String()))
		fmt.Fprintf(&log, "\n%s\n\n", body)
		got, next := s.get(target)
		if s := strings.Trim(strings.ReplaceAll(fmt.Sprint(got), " ", ", "), "[]"); s != want {
			t.Errorf("%s has the items %s, and the page says %s", target, s, want)
		}
		if target == "/items?limit=2" {
			first = next
		}
		target = next
	}
	cursor := regexp.MustCompile(`cursor=([^&]*)`).FindStringSubmatch(first)[1]
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(cursor, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&log, "cursor=%s is\n  k, %s, HMAC-SHA256\n", cursor, payload)
	t.Log("\n" + otherwise.ReplaceAllString(signed.ReplaceAllString(log.String(), "cursor=k.$1….$2…"), ""))
}

// Four readers, each with its own range of times, read every item once.
func TestParallelReaders(t *testing.T) {
	s := open(t, 1000)
	s.exec("UPDATE items SET created = 1000 + id / 100") // ten items of each time
	const readers, first, last = 4, 1000, 1101
	var mu sync.Mutex
	var wg sync.WaitGroup
	seen := map[int64]int{}
	for i := range int64(readers) {
		from, to := first+(last-first)*i/readers, first+(last-first)*(i+1)/readers
		wg.Go(func() {
			for at := (row{created: to}); ; {
				rows, err := pageOfRange(t.Context(), s.db, from, at)
				page := rowsOf(t, rows, err)
				if len(page) == 0 {
					return
				}
				mu.Lock()
				for _, r := range page {
					seen[r.id]++
				}
				mu.Unlock()
				at = page[len(page)-1]
			}
		})
	}
	wg.Wait()
	for _, id := range s.query("SELECT id FROM items") {
		if seen[id] != 1 {
			t.Errorf("item %d was read %d times, and the page says once", id, seen[id])
		}
	}
}

// What page 5,000 costs, two items a page, as in the figure.
func TestPageCost(t *testing.T) {
	const page = 5000
	s := open(t, perPage*deepest)
	skipped := s.work(func() {
		s.query("SELECT id, name, category, price, created FROM items WHERE removed IS NULL ORDER BY created DESC, id DESC LIMIT ? OFFSET ?", perPage+1, perPage*(page-1))
	})
	_, target := s.get(fmt.Sprintf("/items?limit=%d", perPage*(page-1)))
	found := s.work(func() { s.get(withLimit(target, perPage)) })
	t.Logf("%s instructions with OFFSET and %s with a cursor", numbers.Thousands(skipped), numbers.Thousands(found))
}
