package putpatch_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/putpatch"
	"github.com/backend-kata/dojo/pkg/interleave"
)

const (
	jsonType       = "application/json"
	mergeType      = "application/merge-patch+json"
	patchType      = "application/json-patch+json"
	plans, renamed = `{"title":"Plans"}`, `{"title":"New"}`
)

// A client talks to one store, without a network.
type client struct {
	t    *step.T
	h    http.Handler
	x    *interleave.Schedule // nil unless the orders of requests are explored
	slow bool                 // whether the answer has points too
}

// inBubble runs a part of a step with an empty store.
func inBubble(t *testing.T, cfg putpatch.Config, body func(c client)) {
	t.Helper()
	step.Bubble(t, func(t *step.T) { body(client{t: t, h: putpatch.NewHandler(cfg)}) })
}

// inEveryOrder tells a story in every order of its requests, each with an empty store. They come to points when they are
// sent, in the middle of an editor's body, and when Validate, which wants a title, is asked about something of an editor's.
func inEveryOrder(t *testing.T, story func(c client)) {
	t.Helper()
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		story(client{t: t, x: x, h: putpatch.NewHandler(putpatch.Config{Validate: func(document []byte) error {
			if bytes.Contains(document, []byte("was here")) {
				x.Point("Validate")
			}
			return titled(document)
		}})})
	})
}

// titled is a Validate that wants a title, and no two editors where there is room for one.
func titled(document []byte) error {
	is := func(name string) bool { return member(string(document), name) != "" }
	if !is("title") || is("room") && is("ann") && is("ben") {
		return errors.New("a document needs a title, and one editor where there is room for one")
	}
	return nil
}

// An answer is what came back for one request.
type answer struct {
	t           *step.T
	request, id string // the request as failures name it, and its document
	status      int
	header      http.Header
	body        string
}

// send sends a request, with words for its body in failures, and names and values of fields in turn, but no empty ones.
func (c client) send(method, id string, body io.Reader, words string, header ...string) answer {
	r := httptest.NewRequest(method, "/documents/"+id, body)
	request := method + " " + r.URL.Path
	for i := 0; i+1 < len(header); i += 2 {
		if header[i+1] != "" {
			r.Header.Add(header[i], header[i+1])
			request += fmt.Sprintf(", %s: %.30s", header[i], header[i+1])
		}
	}
	if method != http.MethodGet && method != http.MethodHead {
		request += ", with the body " + short(words)
	}
	recorder := httptest.NewRecorder()
	var w http.ResponseWriter = recorder
	if c.slow {
		w = slowWriter{recorder, c.x}
	}
	if c.x == nil { // else the schedule is the story
		c.t.Tell("%s", request)
	}
	c.x.Point("%s", method)
	c.h.ServeHTTP(w, r)
	c.x.Note("%d", recorder.Code)
	return answer{c.t, request, id, recorder.Code, recorder.Result().Header, recorder.Body.String()}
}

// A slowWriter has a point wherever the handler sets a field.
type slowWriter struct {
	http.ResponseWriter
	x *interleave.Schedule
}

func (w slowWriter) Header() http.Header {
	w.x.Point("a field of the answer")
	return w.ResponseWriter.Header()
}

// do is send with a body of a type, in which a JSON patch may be short.
func (c client) do(method, id, kind, body string, header ...string) answer {
	body = ops(body)
	return c.send(method, id, strings.NewReader(body), body, append([]string{"Content-Type", kind}, header...)...)
}

func (c client) get(id string, h ...string) answer      { return c.do("GET", id, "", "", h...) }
func (c client) put(id, doc string, h ...string) answer { return c.do("PUT", id, jsonType, doc, h...) }

func (c client) merge(id, p string, h ...string) answer { return c.do("PATCH", id, mergeType, p, h...) }
func (c client) patch(id, p string) answer              { return c.do("PATCH", id, patchType, p) }

// given puts a document to start from, unless it is "", and returns what GET says of it. Any answer but a failure will do.
func (c client) given(id, document string) answer {
	c.t.Helper()
	if document != "" {
		a := c.put(id, document)
		a.check(a.status < 400, "A document to start from should be taken; got %s", a.outcome())
	}
	return c.get(id)
}

// cheap is do for document 1, and expects that it allocates no more than its size allows.
func (c client) cheap(method, kind, body string) answer {
	c.t.Helper()
	size := len(ops(body)) + len(c.get("1").body)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	a := c.do(method, "1", kind, body)
	runtime.ReadMemStats(&after)
	cost, limit := after.TotalAlloc-before.TotalAlloc, uint64(16<<20+size<<10)
	a.check(cost <= limit, "Expected at most %d MiB of memory to be allocated, which is 16 MiB and 1 KiB for each byte of "+
		"body and document (%d bytes); it was %d MiB", limit>>20, size, cost>>20)
	return a
}

// reads expects that GET returns these very bytes.
func (c client) reads(id, want, why string) answer {
	c.t.Helper()
	a := c.get(id).expect(why, 200)
	a.check(a.body == want, "Since %s, GET should return the bytes\n  %s\nIt returns\n  %s", why, short(want), short(a.body))
	return a
}

// holds expects that GET returns a document of the same JSON value, in any order and layout.
func (c client) holds(id, want, why string) answer {
	c.t.Helper()
	a := c.get(id).expect(why, 200)
	a.check(sameJSON(want, a.body), "Since %s, GET should return the document\n  %s\nIt returns\n  %s", why, short(want), short(a.body))
	a.ofType(jsonType)
	return a
}

// changed expects that GET returns a new document with an ETag of its own.
func (c client) changed(a, before answer, want, why string) {
	c.t.Helper()
	a.done(why)
	now := c.holds(a.id, want, fmt.Sprintf("it was %s, and %s", short(before.body), why))
	now.check(now.body == before.body || now.etag("it is new") != before.tag(), "Expected a new ETag; got %s as before", now.tag())
	c.truthful(a)
}

// truthful expects that an ETag in the answer to a PUT or PATCH is the one that GET shows.
func (c client) truthful(a answer) {
	c.t.Helper()
	now := c.get(a.id).tag()
	a.check(a.tag() == "" || a.tag() == now, "The ETag is optional here, and is the new document's; got %s, and GET says %s", a.tag(), now)
}

// refused expects a status, and that the document is as it was before, or absent if it was.
func (c client) refused(a, before answer, want int, why string) {
	c.t.Helper()
	a.expect(why, want)
	now := c.get(a.id)
	a.check(now.status == before.status && (now.status == 404 || now.body == before.body && now.tag() == before.tag()),
		"Expected that a change is made as a whole or not at all. After %d the document should be as it was,\n  %s %s\nIt is\n  %s %s",
		a.status, before.outcome(), before.tag(), now.outcome(), now.tag())
}

// check stops the step unless ok, and names the request.
func (a answer) check(ok bool, sentence string, args ...any) {
	a.t.Helper()
	step.Expect(a.t, ok, "%s\nThe request: %s", fmt.Sprintf(sentence, args...), a.request)
}

// expect expects one of these statuses.
func (a answer) expect(why string, status ...int) answer {
	a.t.Helper()
	want := strings.Join(strings.Fields(strings.Trim(fmt.Sprint(status), "[]")), " or ")
	a.check(slices.Contains(status, a.status), "Expected %s, since %s; got %s", want, why, a.outcome())
	return a
}

// done expects that a document which was there has been replaced or patched.
func (a answer) done(why string) {
	a.t.Helper()
	a.expect(why, 200, 204)
}

func (a answer) accepted() bool { return a.status >= 200 && a.status < 300 }
func (a answer) tag() string    { return a.header.Get("ETag") }

func (a answer) outcome() string {
	return fmt.Sprintf("%d %s: %s", a.status, http.StatusText(a.status), short(a.body))
}

// etag expects a strong ETag (RFC 9110 §8.8.3), and returns it.
func (a answer) etag(why string) string {
	a.t.Helper()
	inner := strings.TrimSuffix(strings.TrimPrefix(a.tag(), `"`), `"`)
	a.check(a.tag() == `"`+inner+`"` && !strings.ContainsAny(inner, "\" \t"),
		`Expected a strong ETag, like "v1" with its quotes and without W/, since %s; got %s`, why, short(a.tag()))
	return a.tag()
}

// ofType expects a media type.
func (a answer) ofType(want string) {
	a.t.Helper()
	kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	a.check(kind == want, "Expected %d to have the type %s; got %q", a.status, want, a.header.Get("Content-Type"))
}

// problem expects that the answer is a problem of RFC 9457.
func (a answer) problem() answer {
	a.t.Helper()
	a.ofType("application/problem+json")
	status, title := member(a.body, "status"), member(a.body, "title")
	a.check(status == fmt.Sprint(a.status) && strings.HasPrefix(title, `"`) && title != `""`,
		`Expected a problem with "status": %d and a "title"; got %s`, a.status, short(a.body))
	return a
}

// lists reports whether a list field has all these elements.
func (a answer) lists(field string, elements ...string) bool {
	list := strings.ToLower("," + strings.ReplaceAll(strings.Join(a.header.Values(field), ","), " ", "") + ",")
	return !slices.ContainsFunc(elements, func(e string) bool { return !strings.Contains(list, ","+strings.ToLower(e)+",") })
}

type reader func(p []byte) (int, error)

func (r reader) Read(p []byte) (int, error) { return r(p) }

// ops writes out a JSON patch in short: operations are apart by "; ", and each is "op path", "op path value", or "move from
// path". What has not this form stays as it is.
func ops(list string) string {
	if !strings.Contains(list, " ") || strings.ContainsAny(list[:1], ` [{"`) {
		return list
	}
	var all []string
	for one := range strings.SplitSeq(list, "; ") {
		words, format := append(strings.SplitN(one, " ", 3), ""), `{"op":%q,"path":%q,"value":%s}`
		switch words[0] {
		case "move", "copy":
			format = `{"op":%q,"from":%q,"path":%q}`
		case "remove":
			format = `{"op":%q,"path":%q}%s`
		}
		all = append(all, fmt.Sprintf(format, words[0], words[1], words[2]))
	}
	return "[" + strings.Join(all, ",") + "]"
}

// sameJSON reports whether two texts are the same JSON value, with numbers compared as they are spelled.
func sameJSON(a, b string) bool {
	decode := func(text string) (v any) {
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		_ = dec.Decode(&v) // it is valid
		return v
	}
	return json.Valid([]byte(a)) && json.Valid([]byte(b)) && reflect.DeepEqual(decode(a), decode(b))
}

// member returns a member of a JSON object as it is spelled, or "".
func member(object, name string) string {
	var members map[string]json.RawMessage
	_ = json.Unmarshal([]byte(object), &members) // none if it is no object
	return string(members[name])
}

// short makes a text fit a line.
func short(text string) string {
	if text = strings.ReplaceAll(text, "\n", "⏎"); len(text) <= 100 {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(text[:100], ""), len(text))
}
