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
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config says what a handler lists, and how.
type Config struct {
	// DB has the tables items and sequence.
	DB *sql.DB

	// Keys sign cursors. The first signs; each is taken until its Until. There is at least one, their IDs differ, and
	// the first has no Until.
	Keys []Key

	// DefaultLimit is how many items a page has at most if the request does not say, from 1 to MaxLimit.
	DefaultLimit int

	// MaxLimit is the largest limit that a request may ask for, at least 1.
	MaxLimit int

	// CountUpTo is how far items are counted for a request with count=true, at least 1.
	CountUpTo int
}

// A Key signs cursors.
type Key struct {
	ID     string    // letters, digits and hyphens, at least one
	Secret []byte    // at least 32 bytes
	Until  time.Time // from this instant on its cursors are bad; zero is never
}

// New returns the handler of GET /items, which lists items page by page. It is safe for concurrent use, changes nothing
// in the database, and keeps nothing between two requests.
func New(cfg Config) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /items", func(w http.ResponseWriter, r *http.Request) { // HEAD too; the rest is 405 with Allow
		req, p := cfg.parse(r.URL.RawQuery)
		if p != nil {
			p.write(w)
			return
		}
		page, err := cfg.page(r.Context(), req)
		if err != nil {
			slog.ErrorContext(r.Context(), "items could not be listed", "error", err)
			problem{Title: "the items cannot be read", Status: http.StatusInternalServerError}.write(w)
			return
		}
		for _, l := range page.links {
			w.Header().Add("Link", l)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(page) // fails only if the client is gone
	})
	return mux
}

// A listing is what is paged through. A cursor is good for the listing that it was made for.
type listing struct {
	Sort     string
	Category string `json:",omitempty"` // empty for all
	Snapshot bool   `json:",omitempty"`
}

// A request is what the parameters ask for.
type request struct {
	listing

	limit int
	count bool
	from  *cursor // nil for the first page
	asOf  int64   // the number of the snapshot
}

func (cfg Config) parse(query string) (request, *problem) {
	values, err := url.ParseQuery(query) // (*url.URL).Query would leave out what it cannot parse
	if err != nil {
		return request{}, bad("", "the query cannot be parsed: %v", err)
	}
	req := request{listing: listing{Sort: "newest"}, limit: cfg.DefaultLimit}
	text := ""
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := values[name][0]
		if len(values[name]) > 1 || value == "" {
			return req, bad(name, "%s must have one value", name)
		}
		ok := true
		switch name {
		case "sort":
			_, ok = sorts[value]
			req.Sort = value
		case "category":
			req.Category = value
		case "limit":
			req.limit, err = strconv.Atoi(value)
			ok = err == nil && 1 <= req.limit && req.limit <= cfg.MaxLimit
		case "snapshot":
			req.Snapshot, ok = value == "true", value == "true" || value == "false"
		case "count":
			req.count, ok = value == "true", value == "true" || value == "false"
		case "cursor":
			text = value
		default:
			ok = false
		}
		if !ok {
			return req, bad(name, "%s=%s is not among what this listing takes", name, value)
		}
	}
	if text == "" {
		return req, nil
	}
	c, err := cfg.open(text)
	if err != nil || c.Listing != req.listing {
		return req, bad("cursor", "the cursor is not, or no longer, one of this sort, category and snapshot: begin with the first page")
	}
	req.from, req.asOf = &c, c.AsOf
	return req, nil
}

// A cursor is a place in a listing, beside an item that may be gone, and the way to read from there.
type cursor struct {
	Listing listing
	AsOf    int64
	Key, ID int64 // of the item; Key is what the listing is sorted by
	Back    bool  // towards the beginning
	With    bool  // beginning with the item itself, if it is listed
}

// turned is the same place, read the other way.
func (c cursor) turned() cursor {
	c.Back, c.With = !c.Back, !c.With
	return c
}

// seal writes a cursor as text. What is signed is the text and not what it decodes to, so that no other text passes.
func (cfg Config) seal(c cursor) string {
	payload, err := json.Marshal(c)
	if err != nil {
		panic(err) // there is nothing in a cursor that JSON could not hold
	}
	signed := cfg.Keys[0].ID + "." + base64.RawURLEncoding.EncodeToString(payload)
	return signed + "." + cfg.Keys[0].sign(signed)
}

var errCursor = errors.New("not a cursor of ours")

// open reads what seal has written, after it has made sure that seal has.
func (cfg Config) open(text string) (c cursor, err error) {
	dot := max(0, strings.LastIndexByte(text, '.'))
	signed, signature := text[:dot], text[min(dot+1, len(text)):]
	id, payload, _ := strings.Cut(signed, ".")
	i := slices.IndexFunc(cfg.Keys, func(k Key) bool { return k.ID == id })
	if i < 0 || cfg.Keys[i].over() || !hmac.Equal([]byte(signature), []byte(cfg.Keys[i].sign(signed))) {
		return c, errCursor
	}
	plain, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return c, err
	}
	err = json.Unmarshal(plain, &c)
	return c, err
}

func (k Key) sign(text string) string {
	mac := hmac.New(sha256.New, k.Secret)
	mac.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (k Key) over() bool { return !k.Until.IsZero() && !time.Now().Before(k.Until) }

// An item is a row of items.
type item struct {
	ID       int64     `json:"id"`
	Name     string    `json:"name"`
	Category string    `json:"category"`
	Price    int64     `json:"price"`
	Created  time.Time `json:"created"`
}

// A page is the answer to a request.
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

func (cfg Config) page(ctx context.Context, req request) (page, error) {
	if req.Snapshot && req.from == nil {
		if err := cfg.one(ctx, &req.asOf, "SELECT n FROM sequence"); err != nil {
			return page{}, err
		}
	}
	items, more, err := cfg.items(ctx, req)
	if err != nil {
		return page{}, err
	}
	prev, next := false, more
	if req.from != nil {
		behind, err := cfg.any(ctx, req, req.from.turned())
		if err != nil {
			return page{}, err
		}
		prev = behind
		if req.from.Back {
			slices.Reverse(items)
			prev, next = more, behind
		}
	}
	p := page{Items: items, links: []string{req.link("first", "")}}
	if req.count {
		if p.Count, err = cfg.count(ctx, req); err != nil {
			return page{}, err
		}
	}
	if prev {
		p.links = append(p.links, req.link("prev", cfg.seal(req.beside(items, true))))
	}
	if next {
		p.links = append(p.links, req.link("next", cfg.seal(req.beside(items, false))))
	}
	return p, nil
}

// beside is the place before or after a page, and the way on from there.
func (req request) beside(items []item, back bool) cursor {
	if len(items) == 0 {
		return req.from.turned() // all that was there has gone, but the place is known
	}
	edge := items[len(items)-1]
	if back {
		edge = items[0]
	}
	return cursor{Listing: req.listing, AsOf: req.asOf, Key: sorts[req.Sort].key(edge), ID: edge.ID, Back: back}
}

// link is a field value of RFC 8288.
func (req request) link(rel, cursor string) string {
	v := url.Values{"sort": {req.Sort}, "limit": {strconv.Itoa(req.limit)}}
	if req.Category != "" {
		v.Set("category", req.Category)
	}
	if req.Snapshot {
		v.Set("snapshot", "true")
	}
	if cursor != "" {
		v.Set("cursor", cursor)
	}
	return fmt.Sprintf("</items?%s>; rel=%q", v.Encode(), rel)
}

// A sorting is one of the orders. Its column and then the id make a key without ties, which has an index.
type sorting struct {
	column     string
	descending bool
	key        func(item) int64
}

var sorts = map[string]sorting{
	"newest":   {"created", true, func(i item) int64 { return i.Created.UnixNano() }},
	"cheapest": {"price", false, func(i item) int64 { return i.Price }},
}

// listed is the condition for the items of the listing.
func (req request) listed() (where string, args []any) {
	where = "removed IS NULL"
	if req.Snapshot {
		where, args = "added <= ? AND (removed IS NULL OR removed > ?)", []any{req.asOf, req.asOf}
	}
	if req.Category != "" {
		where, args = where+" AND category = ?", append(args, req.Category)
	}
	return where, args
}

// seek is the query for up to limit items that a cursor leads to, the nearest first. Without a cursor these are the first.
func (req request) seek(columns string, from *cursor, limit int) (query string, args []any) {
	s := sorts[req.Sort]
	where, args := req.listed()
	operator, direction := ">", "ASC"
	if s.descending != (from != nil && from.Back) {
		operator, direction = "<", "DESC"
	}
	if from != nil {
		if from.With {
			operator += "="
		}
		// A comparison of rows, which an index answers with one descent. The same in ANDs and ORs would read all ties.
		where += fmt.Sprintf(" AND (%s, id) %s (?, ?)", s.column, operator)
		args = append(args, from.Key, from.ID)
	}
	query = fmt.Sprintf("SELECT %s FROM items WHERE %s ORDER BY %s %s, id %[4]s LIMIT ?", columns, where, s.column, direction)
	return query, append(args, limit)
}

// items reads the items of the page, the nearest to the cursor first, and tells whether there are more.
func (cfg Config) items(ctx context.Context, req request) (items []item, more bool, err error) {
	query, args := req.seek("id, name, category, price, created", req.from, req.limit+1)
	rows, err := cfg.DB.QueryContext(ctx, query, args...) //nolint:gosec // what clients send is in args
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	items = []item{} // in JSON a nil slice is null
	for rows.Next() {
		var i item
		var created int64
		if err := rows.Scan(&i.ID, &i.Name, &i.Category, &i.Price, &created); err != nil {
			return nil, false, err
		}
		i.Created = time.Unix(0, created).UTC()
		items = append(items, i)
	}
	more = len(items) > req.limit
	return items[:min(len(items), req.limit)], more, rows.Err() // the loop also ends if the connection breaks half-way
}

// any tells whether the cursor leads to any item. It does not ask EXISTS, for which PostgreSQL drops the order, and may
// then read the table from its beginning until an item fits.
func (cfg Config) any(ctx context.Context, req request, from cursor) (bool, error) {
	var id int64
	query, args := req.seek("id", &from, 1)
	err := cfg.one(ctx, &id, query, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// count looks at one item more than it counts, and at no other.
func (cfg Config) count(ctx context.Context, req request) (*count, error) {
	where, args := req.listed()
	c := count{Relation: "eq"}
	query := "SELECT count(*) FROM (SELECT 1 FROM items WHERE " + where + " LIMIT ?) AS counted"
	err := cfg.one(ctx, &c.Value, query, append(args, cfg.CountUpTo+1)...)
	if c.Value > cfg.CountUpTo {
		c = count{cfg.CountUpTo, "gte"}
	}
	return &c, err
}

// one reads one value.
func (cfg Config) one(ctx context.Context, into any, query string, args ...any) error {
	return cfg.DB.QueryRowContext(ctx, query, args...).Scan(into) //nolint:gosec // what clients send is in args
}

// A problem is an answer of RFC 9457.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail,omitempty"`
	Parameter string `json:"parameter,omitempty"`
}

func bad(parameter, format string, args ...any) *problem {
	return &problem{Title: "bad parameter", Status: http.StatusBadRequest, Detail: fmt.Sprintf(format, args...), Parameter: parameter}
}

func (p problem) write(w http.ResponseWriter) {
	p.Type = "about:blank"
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) //nolint:errchkjson // fails only if the client is gone
}
