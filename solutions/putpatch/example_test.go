//go:build solutions

package putpatch_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sqlite3driver "github.com/ncruces/go-sqlite3/driver"

	"github.com/backend-kata/dojo/solutions/putpatch"
)

// The examples of docs/putpatch.md.

func putThePriceAlone(ctx context.Context, client *http.Client, url string) (*http.Response, error) {
	// example: put-for-a-part
	body := strings.NewReader(`{"price":12}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, url, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return client.Do(req)
	// end
}

// The ETag is that of the GET which showed the client what it is about to change.
func patchThePrice(ctx context.Context, client *http.Client, url, etag, patch string) (*http.Response, error) {
	// example: patch-if-match
	body := strings.NewReader(patch) // such as {"price":12}
	req, err := http.NewRequestWithContext(ctx, http.MethodPatch, url, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/merge-patch+json")
	req.Header.Set("If-Match", etag) // from the GET that the client has edited
	return client.Do(req)
	// end
}

var errStale = errors.New("412: another version is stored")

// save stores a document in place of the version that the client read.
func save(ctx context.Context, db *sql.DB, body []byte, id, etag string) error {
	// example: compare-and-write
	done, err := db.ExecContext(ctx, `
		UPDATE items SET body = ?, version = version + 1
		WHERE  id = ? AND version = ?`, body, id, etag)
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return errStale // or 404: look which
	// end
}

// Each request is made of the same document, the second PATCH with a tag that
// the first has made stale.
func TestExample(t *testing.T) {
	const before = `{"name":"Tea","price":10,"stock":3}`
	ctx := t.Context()
	store := putpatch.NewHandler(putpatch.Config{})
	server := httptest.NewServer(store)
	t.Cleanup(server.Close)
	client, url := server.Client(), server.URL+"/documents/1"
	var log strings.Builder
	shows := func(line string, resp *http.Response, err error, status int, after string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		_, body := get(t, client, url)
		if resp.StatusCode != status || body != after {
			t.Errorf("%s was answered %s, and then there is %s; the page says %d and %s", line, resp.Status, body, status, after)
		}
		fmt.Fprintf(&log, "\n%s\n  %s, then GET: %s\n", line, resp.Status, body)
	}

	send(t, store, http.MethodPut, "application/json", before)
	fmt.Fprintf(&log, "GET\n  200 OK: %s\n", before)
	resp, err := putThePriceAlone(ctx, client, url) //nolint:bodyclose // shows closes it
	shows(`PUT    {"price":12}`, resp, err, http.StatusNoContent, `{"price":12}`)

	send(t, store, http.MethodPut, "application/json", before)
	etag, _ := get(t, client, url)
	short := etag[:5] + `…"`
	resp, err = patchThePrice(ctx, client, url, etag, `{"price":12}`) //nolint:bodyclose // shows closes it
	shows(`PATCH  {"price":12}   If-Match: `+short, resp, err, http.StatusNoContent, `{"name":"Tea","price":12,"stock":3}`)
	resp, err = patchThePrice(ctx, client, url, etag, `{"price":11}`) //nolint:bodyclose // shows closes it
	shows(`PATCH  {"price":11}   If-Match: `+short, resp, err, http.StatusPreconditionFailed, `{"name":"Tea","price":12,"stock":3}`)
	t.Log("\n" + log.String())
}

func get(t *testing.T, client *http.Client, url string) (etag, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Header.Get("ETag"), string(text)
}

// Of two writes that began with the same version, the database lets one through.
func TestExampleCompareAndWrite(t *testing.T) {
	ctx := t.Context()
	db, err := sqlite3driver.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1) // each connection has a memory of its own
	if _, err := db.ExecContext(ctx, `
		CREATE TABLE items (id TEXT PRIMARY KEY, body BLOB NOT NULL, version INTEGER NOT NULL);
		INSERT INTO items VALUES ('tea', '{"price":10}', 7)`); err != nil {
		t.Fatal(err)
	}
	if err := save(ctx, db, []byte(`{"price":12}`), "tea", "7"); err != nil {
		t.Errorf("the first write of version 7 failed: %v", err)
	}
	if err := save(ctx, db, []byte(`{"price":11}`), "tea", "7"); !errors.Is(err, errStale) {
		t.Errorf("the second write of version 7 should be told that it is stale; got %v", err)
	}
	var body string
	var version int
	if err := db.QueryRowContext(ctx, `SELECT body, version FROM items`).Scan(&body, &version); err != nil {
		t.Fatal(err)
	}
	if body != `{"price":12}` || version != 8 {
		t.Errorf("the first write should be there as version 8; there is %s as version %d", body, version)
	}
}
