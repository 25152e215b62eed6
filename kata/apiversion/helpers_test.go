package apiversion_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/apiversion"
	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/pkg/interleave"
)

// The versions of the people's API. In the oldest a person has a name, in 2023 first and last, in 2024 given and family,
// and a phone that older clients do not see; in 2025 the state past_due, which older clients know as active.
const v22, v23, v24, v25 = "2022-11-01", "2023-06-01", "2024-02-15", "2025-03-01"

var changes = []apiversion.Change{
	{Since: v23, Up: each(func(m map[string]any) {
		if name, ok := m["name"].(string); ok {
			m["first"], m["last"], _ = strings.Cut(name, " ")
			delete(m, "name")
		}
	}), Down: each(func(m map[string]any) {
		if first, ok := m["first"].(string); ok {
			m["name"] = fmt.Sprint(first, " ", m["last"])
			delete(m, "first")
			delete(m, "last")
		}
		point(m, "/first", "/name")
	})},
	{Since: v24, Up: renames("first", "forename"), Down: renames("forename", "first")},
	{Since: v24, Up: renames("forename", "given"), Down: renames("given", "forename")},
	{Since: v24, Down: each(func(m map[string]any) { delete(m, "phone") })},
	{Since: v25, Down: each(func(m map[string]any) {
		if m["state"] == "past_due" {
			m["state"] = "active"
		}
	})},
	{Since: v25, Up: renames("last", "family"), Down: renames("family", "last")},
}

func renames(from, to string) func(any) any {
	return each(func(m map[string]any) {
		if value, ok := m[from]; ok {
			m[to] = value
			delete(m, from)
		}
		point(m, "/"+from, "/"+to)
	})
}

func point(m map[string]any, from, to string) {
	if m["pointer"] == from {
		m["pointer"] = to
	}
}

// each changes every object in a value.
func each(change func(m map[string]any)) func(any) any {
	var all func(v any) any
	all = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			for _, inner := range v {
				all(inner)
			}
			change(v)
		case []any:
			for _, inner := range v {
				all(inner)
			}
		}
		return v
	}
	return all
}

// pins are Pins whose calls are points.
type pins struct {
	x        *interleave.Schedule
	mu       sync.Mutex
	kept     map[string]string
	err      error
	fails    string // which call, of an account that another server pins meanwhile
	gets     int
	contexts []context.Context // of all calls
}

func (p *pins) Get(ctx context.Context, account string) (string, error) {
	p.x.Point("Get %s", account)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.contexts = append(p.contexts, ctx)
	if p.gets++; p.fails == "the first Get" && p.gets == 1 || p.fails == "the second Get" && p.gets > 1 {
		return "", errDown
	}
	return p.kept[account], p.err
}

func (p *pins) Add(ctx context.Context, account, version string) (bool, error) {
	p.x.Point("Add %s %s", account, version)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.contexts = append(p.contexts, ctx)
	switch p.fails {
	case "Add":
		p.kept[account] = version // by another server
		return false, errDown
	case "the race", "the second Get":
		return false, nil
	}
	if p.err != nil || p.kept[account] != "" {
		return false, p.err
	}
	p.kept[account] = version
	return true, nil
}

var errDown = errors.New("the pins are down")

// people is the newest handler: one document at a path, with a tag for each state.
type people struct {
	x        *interleave.Schedule
	mu       sync.Mutex
	docs     map[string]string
	n        int
	ran      int
	contexts []context.Context // of all calls
	last     *http.Request     // what it was asked last, with its body
	body     string
	say      http.HandlerFunc // answers instead, if there is one
}

func (p *people) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.x.Point("%s", r.Method)
	body, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ran, p.last, p.body, p.contexts = p.ran+1, r, string(body), append(p.contexts, r.Context())
	if p.say != nil {
		p.say(w, r)
		return
	}
	doc, there := p.docs[r.URL.Path]
	tag := fmt.Sprintf(`"s%d"`, p.n)
	matches := func(field string) bool {
		list := strings.Join(r.Header.Values(field), ",")
		return there && (list == "*" || strings.Contains(list, tag))
	}
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.Header.Get("If-Match") != "" && !matches("If-Match"):
		w.WriteHeader(http.StatusPreconditionFailed)
		_, _ = io.WriteString(w, `{"pointer":"/given"}`)
	case r.Method == http.MethodPut:
		p.n++
		p.docs[r.URL.Path] = string(body)
		w.WriteHeader(http.StatusNoContent)
	case !there:
		w.WriteHeader(http.StatusNotFound)
	case matches("If-None-Match"):
		w.Header().Set("ETag", tag)
		w.WriteHeader(http.StatusNotModified)
	default:
		w.Header().Set("ETag", tag)
		w.Header().Set("Content-Length", fmt.Sprint(len(doc)))
		_, _ = io.WriteString(w, doc)
	}
}

// A world is a server with its pins.
type world struct {
	*step.T
	x    *interleave.Schedule
	pins *pins
	next *people
	cfg  apiversion.Config
	api  *apiversion.API
}

var noon = time.Date(2026, time.May, 4, 12, 0, 0, 0, time.UTC)

func newWorld(t *step.T, x *interleave.Schedule) *world {
	w := &world{T: t, x: x, pins: &pins{x: x, kept: map[string]string{}}, next: &people{x: x, docs: map[string]string{}}}
	w.cfg = apiversion.Config{
		First: v22, Changes: changes, Account: func(r *http.Request) string { return r.Header.Get("X-Key") }, Field: "X-Key",
		Pins: w.pins, Ends: map[string]apiversion.End{}, Now: func() time.Time { return noon },
	}
	return w.with(func(*apiversion.Config) {})
}

// with is another server beside this one, on the same pins and documents.
func (w *world) with(but func(c *apiversion.Config)) *world {
	other := *w
	but(&other.cfg)
	other.api = apiversion.New(w.next, other.cfg)
	return &other
}

// older is a server that knows the versions before the newest.
func (w *world) older() *world {
	return w.with(func(c *apiversion.Config) { c.Changes = changes[:4] })
}

func world1(t *testing.T, body func(w *world)) {
	t.Helper()
	step.Bubble(t, func(t *step.T) { body(newWorld(t, nil)) })
}

// An answer is what came back.
type answer struct {
	*world
	asked  string
	status int
	header http.Header
	body   string
}

// ask sends a request, with names and values of fields in turn.
func (w *world) ask(method, path, body string, fields ...string) answer {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	asked := method + " " + path
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
		asked += " " + body
	}
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] == "Content-Type" {
			r.Header.Del(fields[i])
		}
		r.Header.Add(fields[i], fields[i+1])
		asked += fmt.Sprintf(", %s: %s", fields[i], fields[i+1])
	}
	if w.x == nil {
		w.Tell("%s", asked)
	}
	rec := httptest.NewRecorder()
	w.api.ServeHTTP(rec, r)
	return answer{w, asked, rec.Code, rec.Result().Header, rec.Body.String()}
}

// in is ask for a version by the field.
func (w *world) in(version, method, path, body string, fields ...string) answer {
	return w.ask(method, path, body, append([]string{"API-Version", version}, fields...)...)
}

func (a answer) is(status int, why string) answer {
	a.Helper()
	step.Expect(a, a.status == status, "Expected %d, since %s; got %d %s\nThe request: %s", status, why, a.status, a.body, a.asked)
	return a
}

// says expects a JSON value, digits of numbers included.
func (a answer) says(want, why string) answer {
	a.Helper()
	same(a.T, want, a.body, "the client gets", why)
	return a
}

func (a answer) has(field, want, why string) answer {
	a.Helper()
	got := strings.Join(a.header.Values(field), ", ")
	step.Expect(a, got == want, "%s should be %q, since %s; got %q\nThe request: %s, answered %d", field, want, why, got, a.asked, a.status)
	return a
}

// problem expects a refusal that next knows nothing of.
func (a answer) problem(status int, why string) map[string]any {
	a.Helper()
	a.is(status, why).has("Content-Type", "application/problem+json", "a refusal is problem details")
	m, _ := value(a.body).(map[string]any)
	step.Expect(a, m["status"] == json.Number(fmt.Sprint(status)), "The problem should have the status %d; got %s", status, a.body)
	return m
}

func (w *world) got(want, why string) {
	w.Helper()
	same(w.T, want, w.next.body, "the handler gets", why)
}

func value(text string) (v any) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return "no JSON: " + text
	}
	return v
}
