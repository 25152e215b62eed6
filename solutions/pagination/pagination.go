//go:build solutions

// Package pagination is the reference solution of the kata of that name.
package pagination

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Config says what a handler lists, and how.
type Config struct {
	DB           *sql.DB // has the tables items and sequence
	Keys         []Key   // at least one; no two have the same ID or Secret, and the first has no Until
	DefaultLimit int     // of a request that has none, from 1 to MaxLimit
	MaxLimit     int     // the largest that a request may ask for, from 1 to 1,000,000
	CountUpTo    int     // how far items are counted for count=true, from 1 to 1,000,000
}

// A Key signs cursors.
type Key struct {
	ID     string    // ASCII letters, digits and hyphens, at least one
	Secret []byte    // at least 32 bytes, the last not zero
	Until  time.Time // from this instant on its cursors are bad; zero is never
}

// New returns the handler of GET /items. It is safe for concurrent use, and keeps nothing between two requests.
func New(cfg Config) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /items", func(w http.ResponseWriter, r *http.Request) { // HEAD too; the rest is 405 with Allow
		req, parameter, detail := cfg.parse(r.URL.RawQuery)
		if detail != "" {
			problem(w, http.StatusBadRequest, "bad parameter", detail, parameter)
			return
		}
		page, err := cfg.page(r.Context(), req)
		if err != nil {
			slog.ErrorContext(r.Context(), "items could not be listed", "error", err)
			problem(w, http.StatusInternalServerError, "the items cannot be read", "", "")
			return
		}
		w.Header()["Link"] = page.links
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(page) // fails only if the client is gone
	})
	return mux
}

// A request is what the parameters ask for.
type request struct {
	sort     string
	category string // empty for all
	snapshot bool
	count    bool
	limit    int
	listing  string  // what its cursors are good for
	from     *cursor // nil for the first page
	asOf     int64   // the number of the snapshot
}

// parse reads the query. If something is wrong, it says in detail what, and with which parameter.
func (cfg Config) parse(query string) (req request, parameter, detail string) {
	values, err := url.ParseQuery(query) // (*url.URL).Query would leave out what it cannot parse
	if err != nil {
		return req, "", "the query cannot be parsed: " + err.Error()
	}
	req = request{sort: "newest", limit: cfg.DefaultLimit}
	flags := map[string]bool{"true": true, "false": false}
	for name, all := range values {
		value, ok := all[0], false
		switch name {
		case "sort":
			req.sort, ok = value, columns[value] != ""
		case "category":
			req.category, ok = value, utf8.ValidString(value)
		case "limit":
			req.limit, err = strconv.Atoi(value)
			ok = err == nil && 1 <= req.limit && req.limit <= cfg.MaxLimit
		case "snapshot":
			req.snapshot, ok = flags[value]
		case "count":
			req.count, ok = flags[value]
		case "cursor":
			ok = true // whether it is good depends on the others
		}
		if !ok || value == "" || len(all) > 1 {
			return req, name, fmt.Sprintf("%s=%q is not one value that is taken", name, all)
		}
	}
	req.listing = fmt.Sprintf("%s %t %s", req.sort, req.snapshot, req.category)
	if values.Has("cursor") {
		if req.from = cfg.open(values.Get("cursor"), req.listing); req.from == nil {
			return req, "cursor", "it is not, or no longer, one of this listing: begin with the first page"
		}
		req.asOf = req.from.AsOf
	}
	return req, "", ""
}

// A cursor is a place in a listing, beside an item that may be gone, and the way to read from there.
type cursor struct {
	AsOf    int64
	Key, ID int64 // of the item; Key is what the listing is sorted by
	Back    bool  // towards the beginning
	With    bool  // beginning with the item itself, if it is listed
}

// turned is the same place, read the other way.
func (c cursor) turned() *cursor {
	c.Back, c.With = !c.Back, !c.With
	return &c
}

// seal writes a cursor as text. The signature is for the listing too, which is not sent: every request has it.
func (k Key) seal(payload []byte, listing string) string {
	text := k.ID + "." + base64.RawURLEncoding.EncodeToString(payload)
	mac := hmac.New(sha256.New, k.Secret)
	mac.Write([]byte(text + " " + listing))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// open reads a cursor. It seals what the text decodes to again, since other texts decode to the same.
func (cfg Config) open(text, listing string) *cursor {
	id, rest, _ := strings.Cut(text, ".")
	encoded, _, _ := strings.Cut(rest, ".")
	payload, err := base64.RawURLEncoding.DecodeString(encoded)
	for _, k := range cfg.Keys {
		over := !k.Until.IsZero() && !time.Now().Before(k.Until)
		if c := new(cursor); err == nil && k.ID == id && !over &&
			hmac.Equal([]byte(text), []byte(k.seal(payload, listing))) && json.Unmarshal(payload, c) == nil {
			return c
		}
	}
	return nil
}

type item struct {
	ID       int64     `json:"id"`
	Name     string    `json:"name"`
	Category string    `json:"category"`
	Price    int64     `json:"price"`
	Created  time.Time `json:"created"`
	key      int64     // what the listing is sorted by
}

type page struct {
	Items []item `json:"items"`
	Count *count `json:"count,omitempty"`
	links []string
}

// A count is exact (eq), or what the listing has at least (gte).
type count struct {
	Value    int    `json:"value"`
	Relation string `json:"relation"`
}

func (cfg Config) page(ctx context.Context, req request) (p page, err error) {
	if req.snapshot && req.from == nil { // before anything is read, so that all of it is of that moment
		if err := cfg.DB.QueryRowContext(ctx, "SELECT n FROM sequence").Scan(&req.asOf); err != nil {
			return p, err
		}
	}
	items, err := cfg.read(ctx, req, req.from, req.limit+1) // one more tells whether there are more
	if err != nil {
		return p, err
	}
	var behind []item
	if req.from != nil {
		if behind, err = cfg.read(ctx, req, req.from.turned(), 1); err != nil {
			return p, err
		}
	}
	p.Items = items[:min(len(items), req.limit)]
	prev, next := len(behind) > 0, len(items) > req.limit
	if req.from != nil && req.from.Back {
		slices.Reverse(p.Items)
		prev, next = next, prev
	}
	p.links = []string{cfg.link(req, "first", nil)}
	if prev {
		p.links = append(p.links, cfg.link(req, "prev", req.beside(p.Items, 0, true)))
	}
	if next {
		p.links = append(p.links, cfg.link(req, "next", req.beside(p.Items, len(p.Items)-1, false)))
	}
	if req.count {
		p.Count, err = cfg.count(ctx, req)
	}
	return p, err
}

// beside is the place before or after an item of the page, and the way on from there.
func (req request) beside(items []item, i int, back bool) *cursor {
	if len(items) == 0 {
		return req.from.turned() // all that was there has gone, but the place is known
	}
	return &cursor{AsOf: req.asOf, Key: items[i].key, ID: items[i].ID, Back: back}
}

// link is a field value of RFC 8288.
func (cfg Config) link(req request, rel string, to *cursor) string {
	v := url.Values{"sort": {req.sort}, "limit": {strconv.Itoa(req.limit)}, "snapshot": {strconv.FormatBool(req.snapshot)}}
	if req.category != "" {
		v.Set("category", req.category)
	}
	if to != nil {
		payload, _ := json.Marshal(to) //nolint:errchkjson // JSON can hold all that is in a cursor
		v.Set("cursor", cfg.Keys[0].seal(payload, req.listing))
	}
	return fmt.Sprintf("</items?%s>; rel=%q", v.Encode(), rel)
}

// The column of each sort. Together with the id it makes a key without ties, which has an index.
var columns = map[string]string{"newest": "created", "cheapest": "price"}

// listed is the condition for the items of the listing.
func (req request) listed() (where string, args []any) {
	where = "removed IS NULL"
	if req.snapshot {
		where, args = "added <= ? AND (removed IS NULL OR removed > ?)", []any{req.asOf, req.asOf}
	}
	if req.category != "" {
		where, args = where+" AND category = ?", append(args, req.category)
	}
	return where, args
}

// read reads up to limit items that a cursor leads to, the nearest first. Without a cursor these are the first.
func (cfg Config) read(ctx context.Context, req request, from *cursor, limit int) ([]item, error) {
	column := columns[req.sort]
	where, args := req.listed()
	operator, direction := ">", "ASC"
	if (req.sort == "newest") != (from != nil && from.Back) {
		operator, direction = "<", "DESC"
	}
	if from != nil {
		if from.With {
			operator += "="
		}
		// A comparison of rows, which an index answers with one descent. The same in ANDs and ORs would read all ties.
		where += fmt.Sprintf(" AND (%s, id) %s (?, ?)", column, operator)
		args = append(args, from.Key, from.ID)
	}
	//nolint:gosec // what clients send is in args
	rows, err := cfg.DB.QueryContext(ctx, fmt.Sprintf("SELECT id, name, category, price, created, %s FROM items WHERE %s "+
		"ORDER BY %[1]s %[3]s, id %[3]s LIMIT ?", column, where, direction), append(args, limit)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err has what matters
	items := []item{}  // in JSON a nil slice is null
	for rows.Next() {
		i, created := item{}, int64(0)
		if err := rows.Scan(&i.ID, &i.Name, &i.Category, &i.Price, &created, &i.key); err != nil {
			return nil, err
		}
		i.Created = time.Unix(0, created).UTC()
		items = append(items, i)
	}
	return items, rows.Err() // the loop also ends if the connection breaks half-way
}

// count looks at one item more than it counts, and at no other.
func (cfg Config) count(ctx context.Context, req request) (*count, error) {
	where, args := req.listed()
	c := count{Relation: "eq"}
	query := "SELECT count(*) FROM (SELECT 1 FROM items WHERE " + where + " LIMIT ?) AS counted"
	err := cfg.DB.QueryRowContext(ctx, query, append(args, cfg.CountUpTo+1)...).Scan(&c.Value) //nolint:gosec // likewise
	if c.Value > cfg.CountUpTo {
		c = count{cfg.CountUpTo, "gte"}
	}
	return &c, err
}

// problem writes an answer of RFC 9457.
func problem(w http.ResponseWriter, status int, title, detail, parameter string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct { //nolint:errchkjson // fails only if the client is gone
		Type      string `json:"type"`
		Title     string `json:"title"`
		Status    int    `json:"status"`
		Detail    string `json:"detail,omitempty"`
		Parameter string `json:"parameter,omitempty"`
	}{"about:blank", title, status, detail, parameter})
}
