//go:build solutions

package apiversion

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"mime"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Change is one change of the API. A nil function changes nothing.
type Change struct {
	Since string             // the version that has it first, a date such as 2024-02-15
	Up    func(body any) any // from the version before
	Down  func(body any) any // to the version before
}

// An End says when a version ends.
type End struct {
	Deprecated, Sunset time.Time
	Link               string // what to read about it
}

// Pins keep the version of each account, for all servers. They are safe for concurrent use.
type Pins interface {
	Get(ctx context.Context, account string) (version string, err error)
	Add(ctx context.Context, account, version string) (added bool, err error)
}

// Config says which versions there are.
type Config struct {
	First   string                     // the oldest version
	Changes []Change                   // by Since, oldest first; several may have the same
	Account func(*http.Request) string // who sent the request, "" for nobody
	Field   string                     // the field that names the account, such as Authorization
	Pins    Pins
	Ends    map[string]End   // by version
	Now     func() time.Time // the clock
}

// An API serves all versions of a handler. It is safe for concurrent use.
type API struct {
	c        Config
	next     http.Handler
	versions []string // oldest first
}

// New puts all versions in front of a handler, which knows the newest.
func New(next http.Handler, c Config) *API {
	a := &API{c: c, next: next, versions: []string{c.First}}
	for _, change := range c.Changes {
		if change.Since != a.newest() {
			a.versions = append(a.versions, change.Since)
		}
	}
	return a
}

func (a *API) newest() string { return a.versions[len(a.versions)-1] }

// ServeHTTP answers a request in the version of its account.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, version := a.answer(r)
	h, end := answer.header, a.c.Ends[version]
	if !end.Deprecated.IsZero() {
		h.Set("Deprecation", "@"+strconv.FormatInt(end.Deprecated.Unix(), 10))
	}
	if !end.Sunset.IsZero() {
		h.Set("Sunset", end.Sunset.UTC().Format(http.TimeFormat))
	}
	if end.Link != "" {
		h.Add("Link", "<"+end.Link+`>; rel="deprecation"`)
	}
	h.Add("Vary", "API-Version, "+a.c.Field)
	maps.Copy(w.Header(), h)
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body) // the client may be gone
}

// answer returns the answer and its version, which is "" if the request has none.
func (a *API) answer(r *http.Request) (*response, string) {
	version, err := a.pinned(r.Context(), a.c.Account(r))
	if err != nil {
		return problem(http.StatusServiceUnavailable, nil), ""
	}
	if field, ok := r.Header["Api-Version"]; ok {
		if len(field) != 1 || !slices.Contains(a.versions, field[0]) {
			return problem(http.StatusBadRequest, slices.DeleteFunc(slices.Clone(a.versions), a.over)), ""
		}
		version = field[0]
	}
	if !slices.Contains(a.versions, version) {
		return problem(http.StatusServiceUnavailable, nil), "" // another server is newer
	}
	if a.over(version) {
		return problem(http.StatusGone, nil), version
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return problem(http.StatusBadRequest, nil), version
	}
	return a.serve(r, version, body), version
}

// pinned returns the version of an account, which it gets if it has none.
func (a *API) pinned(ctx context.Context, account string) (string, error) {
	if account == "" {
		return a.newest(), nil
	}
	version, err := a.c.Pins.Get(ctx, account)
	if err != nil || version != "" {
		return version, err
	}
	added, err := a.c.Pins.Add(ctx, account, a.newest())
	if err != nil || added {
		return a.newest(), err
	}
	return a.c.Pins.Get(ctx, account) // another request was first
}

func (a *API) over(version string) bool {
	sunset := a.c.Ends[version].Sunset
	return !sunset.IsZero() && !a.c.Now().Before(sunset)
}

// serve asks next for an answer in a version.
func (a *API) serve(r *http.Request, version string, body []byte) *response {
	r = r.Clone(r.Context())
	suffix := "-" + version + `"` // of a tag in this version
	for _, field := range []string{"If-Match", "If-None-Match"} {
		for i, list := range r.Header[field] {
			r.Header[field][i] = tags.ReplaceAllStringFunc(list, func(tag string) string {
				if own, ok := strings.CutSuffix(tag, suffix); ok {
					return own + `"`
				}
				return `"of-another-version"`
			})
		}
	}
	up, down := a.transforms(version)
	answer := a.ask(r, through(r.Header, body, up), up, down)
	answer.body = through(answer.header, answer.body, down)
	fit(answer.header, len(answer.body))
	if tag, ok := strings.CutSuffix(answer.header.Get("ETag"), `"`); ok {
		answer.header.Set("ETag", tag+suffix)
	}
	return answer
}

// ask sends a lifted request to next, and spares what the version cannot see.
func (a *API) ask(r *http.Request, body []byte, up, down []func(any) any) *response {
	mine, ok := decode(r.Header, body)
	if r.Method != http.MethodPut || len(up) == 0 || !ok {
		return a.call(r, body)
	}
	match := r.Header.Get("If-Match")
	free := (match == "" || match == "*") && r.Header.Get("If-None-Match") == ""
	for try := 1; ; try++ {
		get := r.Clone(r.Context())
		get.Method = http.MethodGet
		maps.DeleteFunc(get.Header, func(field string, _ []string) bool {
			return strings.HasPrefix(field, "Content-") || strings.HasPrefix(field, "If-")
		})
		stored := a.call(get, nil)
		document, ok := decode(stored.header, stored.body)
		if stored.status != http.StatusOK || !ok {
			return a.call(r, body)
		}
		base, _ := decode(stored.header, through(stored.header, through(stored.header, stored.body, down), up))
		put := r.Clone(r.Context())
		if tag := stored.header.Get("ETag"); free && tag != "" {
			put.Header.Set("If-Match", tag)
		}
		merged, _ := json.Marshal(merge(base, mine, document)) //nolint:errchkjson // it was decoded
		answer := a.call(put, merged)
		if answer.status != http.StatusPreconditionFailed || !free || try == 10 {
			return answer
		}
	}
}

// call calls next with a body.
func (a *API) call(r *http.Request, body []byte) *response {
	r = r.Clone(r.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	fit(r.Header, len(body))
	answer := &response{header: http.Header{}}
	a.next.ServeHTTP(answer, r)
	answer.WriteHeader(http.StatusOK) // unless it has
	answer.header = answer.sent
	return answer
}

// fit makes a Content-Length, if there is one, that of a new body.
func fit(h http.Header, length int) {
	if h.Get("Content-Length") != "" && length > 0 {
		h.Set("Content-Length", strconv.Itoa(length))
	}
}

// merge returns the document with what the client changed since base.
func merge(base, mine, stored any) any {
	b, isB := base.(map[string]any)
	m, isM := mine.(map[string]any)
	s, isS := stored.(map[string]any)
	if reflect.DeepEqual(base, mine) {
		return stored
	} else if !isB || !isM || !isS {
		return mine
	}
	merged := maps.Clone(s)
	for name, was := range b {
		if is, has := m[name]; !has {
			delete(merged, name)
		} else if kept, keeps := s[name]; keeps || !reflect.DeepEqual(was, is) {
			merged[name] = merge(was, is, kept)
		}
	}
	for name, is := range m {
		if _, had := b[name]; !had {
			merged[name] = is
		}
	}
	return merged
}

// transforms returns what lifts a version to the newest, and what lowers the newest to it.
func (a *API) transforms(version string) (up, down []func(any) any) {
	for _, change := range a.c.Changes {
		if change.Since > version {
			up, down = append(up, change.Up), append(down, change.Down)
		}
	}
	slices.Reverse(down)
	return up, down
}

// through returns the body after all transforms, or as it is if it is not JSON.
func through(h http.Header, body []byte, all []func(any) any) []byte {
	value, ok := decode(h, body)
	if !ok || len(all) == 0 {
		return body
	}
	for _, transform := range all {
		if transform != nil {
			value = transform(value)
		}
	}
	body, _ = json.Marshal(value) //nolint:errchkjson // it was decoded, and a Change makes JSON of JSON
	return body
}

func decode(h http.Header, body []byte) (value any, ok bool) {
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	ok = (kind == "application/json" || strings.HasSuffix(kind, "+json")) && json.Valid(body) && dec.Decode(&value) == nil
	return value, ok
}

var tags = regexp.MustCompile(`"[^"]*"`)

func problem(status int, supported []string) *response {
	body, _ := json.Marshal(struct { //nolint:errchkjson // a number and strings
		Status    int      `json:"status"`
		Supported []string `json:"supported,omitzero"`
	}{status, supported})
	return &response{status: status, header: http.Header{"Content-Type": {"application/problem+json"}}, body: body}
}

// A response keeps an answer.
type response struct {
	status       int
	header, sent http.Header
	body         []byte
}

func (a *response) Header() http.Header { return a.header }

func (a *response) WriteHeader(status int) {
	if a.status == 0 {
		a.status, a.sent = status, a.header.Clone()
	}
}

func (a *response) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.body = append(a.body, p...)
	return len(p), nil
}
