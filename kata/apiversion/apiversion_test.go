package apiversion_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/apiversion"
	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/pkg/apart"
	"github.com/backend-kata/dojo/pkg/interleave"
)

const ann = `{"given":"Ann","family":"Lee","phone":"555","state":"past_due","owes":12345678901234567890.10}`

// An account keeps the version that was the newest at its first request, and another account gets its own.
func TestPinned(t *testing.T) {
	world1(t, func(w *world) {
		newest, lowered := `{"given":"Ann","family":"Lee"}`, `{"given":"Ann","last":"Lee"}`
		w.next.docs["/1"] = newest
		w.older().ask("GET", "/1", "", "X-Key", "ann").is(200, "the account is new and gets the newest version").
			says(newest, "the handler's version is the newest of this server")
		step.Equal(w, v24, w.pins.kept["ann"], "The first request pins the account to the newest version. Its pin:")
		w.ask("GET", "/1", "", "X-Key", "ann").says(lowered, "the account stays in its version when there is a newer one")
		w.ask("GET", "/1", "", "X-Key", "ben").says(newest, "another account begins with the newest version")
		step.Equal(w, v25, w.pins.kept["ben"], "Another account is pinned to what is the newest now. Its pin:")
		w.ask("GET", "/1", "").says(newest, "nobody has no pin and gets the newest version")
		_, pinned := w.pins.kept[""]
		step.Expect(w, !pinned, "Nobody should not be pinned, but there is a pin for the empty account.")
	})
}

// A field overrides the version for one request, and anything but a version is refused.
func TestField(t *testing.T) {
	world1(t, func(w *world) {
		w.next.docs["/1"] = `{"given":"Ann","family":"Lee"}`
		w.in(v24, "GET", "/1", "", "X-Key", "ann").is(200, "the field names a version").
			says(`{"given":"Ann","last":"Lee"}`, "the field overrides the version of a first request")
		step.Equal(w, v25, w.pins.kept["ann"], "The account is pinned to the newest version, whatever the field says. Its pin:")
		w.ask("GET", "/1", "", "X-Key", "ann").says(`{"given":"Ann","family":"Lee"}`, "the field was for one request")
		w.pins.kept["old"] = v22
		w.in(v25, "GET", "/1", "", "X-Key", "old").says(`{"given":"Ann","family":"Lee"}`, "the field overrides an old pin too")
		step.Equal(w, v22, w.pins.kept["old"], "The field is for one request. The pin:")
		ran := w.next.ran
		w.cfg.Ends[v23] = apiversion.End{Sunset: noon.Add(-time.Hour)}
		w = w.with(func(*apiversion.Config) {})
		for _, bad := range []string{"", "newest", "2023-06-02", "2021-01-01", "2027-01-01", "2023-6-1", v24 + "T00:00:00Z", v24 + ", " + v25} {
			m := w.in(bad, "GET", "/1", "", "X-Key", "new"+bad).problem(400, "this is not exactly a version")
			step.Equal(w, fmt.Sprint([]string{v22, v24, v25}), fmt.Sprint(m["supported"]),
				"The refusal lists the versions that are not over, oldest first.")
			step.Equal(w, v25, w.pins.kept["new"+bad], "A first request pins the account, malformed or not. Its pin:")
		}
		w.in(v24, "GET", "/1", "", "API-Version", v24).problem(400, "two lines are not exactly a version")
		step.Equal(w, ran, w.next.ran, "A request that is refused does not reach the handler. Its runs:")
		for _, version := range []string{v22, v24, v25} {
			w.cfg.Ends[version] = w.cfg.Ends[v23]
		}
		m := w.with(func(*apiversion.Config) {}).in("bad", "GET", "/1", "").problem(400, "this is no version")
		step.Equal(w, "[]", fmt.Sprint(m["supported"]), "All versions are over, so the refusal lists none:")
	})
}

// An old request is lifted one version after the other before the handler validates it.
func TestUp(t *testing.T) {
	world1(t, func(w *world) {
		lifted := func(version, body, want, why string, fields ...string) {
			t.Helper()
			w.in(version, "POST", "/1", body, fields...)
			w.got(want, why)
		}
		w.next.say = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }
		lifted(v22, `{"name":"Ann Lee","n":[{"name":"Ben Li"}]}`, `{"given":"Ann","family":"Lee","n":[{"given":"Ben","family":"Li"}]}`,
			"all later changes lift it, oldest first")
		lifted(v23, `{"first":"Ann","last":"Lee"}`, `{"given":"Ann","family":"Lee"}`, "only later changes lift it")
		lifted(v24, `{"given":"Ann","last":"Lee"}`, `{"given":"Ann","family":"Lee"}`, "only the last change lifts it")
		lifted(v22, `{"name":"Ann Lee","n":9007199254740993,"m":1.0,"e":1E400}`,
			`{"given":"Ann","family":"Lee","n":9007199254740993,"m":1.0,"e":1E400}`, "numbers keep their digits")
		lifted(v22, `[{"name":"Ann Lee"}]`, `[{"given":"Ann","family":"Lee"}]`, "a list is JSON like any other")
		for _, kind := range []string{"application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json", "a/x+JSON;a=b"} {
			lifted(v22, `{"name":"Ann Lee"}`, `{"given":"Ann","family":"Lee"}`, kind+" is JSON", "Content-Type", kind)
		}
		more := w.with(func(c *apiversion.Config) { c.Changes = slices.Concat(changes, []apiversion.Change{later}) })
		more.in(v25, "POST", "/1", `{"given":"Ann"}`)
		w.got(`{"given":"Ann","tel":"none"}`, "a change may return a new value")
		more.in(v25, "POST", "/1", "null")
		w.got(`{"tel":"none"}`, "null is JSON like any other")
		w.in(v22, "POST", "/1?q=1", `{"name":"Ann Lee"}`, "Content-Length", "18", "X-Trace", "t1")
		length := int64(len(w.next.body))
		step.Equal(w, length, w.next.last.ContentLength, "ContentLength fits the lifted body.")
		step.Equal(w, fmt.Sprint(length), w.next.last.Header.Get("Content-Length"), "The Content-Length of the request fits the lifted body.")
		step.Equal(w, "t1 q=1", w.next.last.Header.Get("X-Trace")+" "+w.next.last.URL.RawQuery, "The rest of the request passes.")
		for _, tt := range []struct{ version, kind, body, why string }{
			{v25, "application/json", `{ "name" : "<Ann>" }`, "in the newest version bytes pass untouched"},
			{v22, "text/plain", `{"name":"Ann Lee"}`, "this is text"},
			{v22, "application/jsonl", `{"name":"Ann Lee"}`, "this is not JSON"},
			{v22, "application/json", `{"name":"Ann Lee"} {"name":"Ann Lee"}`, "two values are not one JSON value"},
			{v22, "application/json", `{"name":`, "it is not exactly one JSON value"},
			{v22, "application/json", ``, "an empty body is none"},
		} {
			w.in(tt.version, "POST", "/1", tt.body, "Content-Type", tt.kind)
			step.Equal(w, tt.body, w.next.body, "The body passes as it is, since %s.", tt.why)
		}
	})
}

// An answer comes down to the version of its client, errors included.
func TestDown(t *testing.T) {
	world1(t, func(w *world) {
		status, kind, body := 200, "application/json", ann
		w.next.say = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			w.Header().Set("X-Trace", "t1")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
		body = `{"first":"Ann","family":"Lee"}`
		w.in(v22, "GET", "/1", "").says(`{"name":"Ann Lee"}`, "the change of a later version comes off before that of an earlier one")
		body = ann
		for _, tt := range []struct{ version, want string }{
			{v22, `{"name":"Ann Lee","state":"active","owes":12345678901234567890.10}`},
			{v23, `{"first":"Ann","last":"Lee","state":"active","owes":12345678901234567890.10}`},
			{v24, `{"given":"Ann","last":"Lee","phone":"555","state":"active","owes":12345678901234567890.10}`},
		} {
			a := w.in(tt.version, "GET", "/1", "").is(200, "that is what the handler said").
				says(tt.want, "the later changes lower it, newest first").has("X-Trace", "t1", "other fields pass")
			a.has("Content-Length", fmt.Sprint(len(a.body)), "it fits the new body")
		}
		body = `{"data":[{"given":"Ann","family":"Lee"},{"friend":{"given":"Ben","family":"Li"}}]}`
		w.in(v22, "GET", "/", "").says(`{"data":[{"name":"Ann Lee"},{"friend":{"name":"Ben Li"}}]}`, "lists come down whole")
		body = `{"given":"Ann","tel":"1"}`
		w.with(func(c *apiversion.Config) { c.Changes = slices.Concat(changes, []apiversion.Change{later}) }).
			in(v25, "GET", "/1", "").says(`{"given":"Ann"}`, "a change may return a new value")
		status, kind, body = 422, "application/problem+json", `{"title":"empty","pointer":"/given"}`
		w.in(v22, "POST", "/1", `{"name":""}`).is(422, "the status passes").
			says(`{"title":"empty","pointer":"/name"}`, "an error names the member as the client's version does")
		w.in(v23, "POST", "/1", `{"first":""}`).says(`{"title":"empty","pointer":"/first"}`, "an error comes down as well")
		for _, tt := range []struct {
			status              int
			version, kind, body string
		}{
			{204, v22, "application/json", ""},
			{304, v22, "application/json", ""},
			{200, v22, "text/csv", `{"given":"a"}`},
			{200, v22, "application/json", `{"given":`},
			{200, v22, "application/json", `{"given":"a"}{}`},
			{200, v25, "application/json", `{ "given" : "<a>" }`},
			{500, v22, "image/png", "\x00\xff"},
		} {
			status, kind, body = tt.status, tt.kind, tt.body
			a := w.in(tt.version, "GET", "/1", "").is(status, "the status passes")
			step.Equal(w, tt.body, a.body, "%d of type %s passes as it is in version %s.", status, kind, tt.version)
		}
		w.next.say = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
			_, _ = io.WriteString(w, `{"given":"Ann",`)
			w.Header().Set("X-Late", "1")
			_, _ = io.WriteString(w, `"family":"Lee"}`)
		}
		w.in(v22, "GET", "/1", "").is(200, "the handler says no other").says(`{"name":"Ann Lee"}`, "the handler writes its answer in two parts").
			has("Set-Cookie", "a=1, b=2", "both lines pass").has("X-Late", "", "the handler set it after it had begun to write")
	})
}

// An old client that reads, changes and puts back erases nothing that its version cannot see, not even at the same time.
func TestPut(t *testing.T) {
	for _, tt := range []struct{ was, version, put, want, why string }{
		{
			ann, v22, `{"name":"Ann Li","state":"active","owes":12345678901234567890.10}`, strings.Replace(ann, "Lee", "Li", 1),
			"the client has changed the name, and sees neither the phone nor past_due",
		},
		{
			ann, v22, `{"name":"Ann Lee","state":"closed"}`, `{"given":"Ann","family":"Lee","phone":"555","state":"closed"}`,
			"the client changed the state and removed what it owes",
		},
		{
			ann, v24, `{"given":"Ann","last":"Lee","state":"active","new":1}`, `{"given":"Ann","family":"Lee","state":"past_due","new":1}`,
			"this version sees the phone, and the client removed it",
		},
		{ann, v25, `{"given":"Ben"}`, `{"given":"Ben"}`, "the newest version replaces all"},
		{`{"a":{"phone":"1","x":1}}`, v22, `{"a":{"x":2}}`, `{"a":{"phone":"1","x":2}}`, "objects are merged member by member"},
		{
			`{"a":[{"given":"A","family":"L","phone":"1"}],"b":1}`, v22, `{"a":[{"name":"A L"}],"b":2}`,
			`{"a":[{"given":"A","family":"L","phone":"1"}],"b":2}`,
			"the list is as the client saw it",
		},
		{`{"a":[{"phone":"1","x":1}]}`, v22, `{"a":[{"x":2}]}`, `{"a":[{"x":2}]}`, "a list is one value"},
		{`{"phone":"1"}`, v22, `{"phone":"2"}`, `{"phone":"2"}`, "the client set it"},
		{`{"n":"a","phone":"1"}`, v22, `{"n":null}`, `{"n":null,"phone":"1"}`, "null is a value like others"},
		{
			`{"n":9007199254740993,"phone":"1"}`, v22, `{"n":9007199254740992}`, `{"n":9007199254740992,"phone":"1"}`,
			"the client has changed the last digit",
		},
		{`{"a":1,"phone":"1"}`, v22, `{"a":{"x":1}}`, `{"a":{"x":1},"phone":"1"}`, "the client put an object in place of a number"},
		{"", v22, `{"name":"Ann Lee"}`, `{"given":"Ann","family":"Lee"}`, "there was no document"},
	} {
		world1(t, func(w *world) {
			if tt.was != "" {
				w.next.docs["/1"] = tt.was
			}
			w.in(tt.version, "PUT", "/1", tt.put).is(204, "the document is put")
			same(w.T, tt.want, w.next.docs["/1"], "the document is", tt.why)
		})
	}
	world1(t, func(w *world) {
		w.next.docs["/1"] = ann
		tag := w.in(v22, "GET", "/1", "").header.Get("ETag")
		w.in(v22, "PUT", "/1", `{"name":"Ann Li"}`, "If-Match", `"other"`).is(412, "the client's condition does not hold").
			says(`{"pointer":"/name"}`, "412 is an answer like others")
		w.in(v22, "PUT", "/1", `{"name":"Ann Li"}`, "If-Match", tag).is(204, "the client's condition holds")
		w.in(v22, "PUT", "/1", `{"name":"Ann Lo"}`, "If-Match", tag).is(412, "the document has changed since")
		gets := 0
		w.next.say = func(rw http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				gets++
				var all []string
				for field := range r.Header {
					if strings.HasPrefix(field, "If-") || strings.HasPrefix(field, "Content-") {
						all = append(all, field)
					}
				}
				slices.Sort(all)
				step.Equal(w, "ann []", fmt.Sprint(r.Header.Get("X-Key"), " ", all),
					"The GET before a PUT has the fields of the request but no condition or Content-*.")
				step.Equal(w, "0 ", fmt.Sprint(r.ContentLength, " ", w.next.body), "The GET before a PUT has no body.")
				rw.Header().Set("Content-Type", "application/json")
				rw.WriteHeader(http.StatusNotFound)
				_, _ = io.WriteString(rw, `{"phone":"1"}`)
			}
		}
		date := noon.Format(http.TimeFormat)
		w.in(v22, "PUT", "/1", `{"name":"Ann Li"}`, "X-Key", "ann", "If-Match", tag, "Content-Language", "en",
			"If-Modified-Since", date, "If-Unmodified-Since", date, "If-Range", tag, "If-None-Match", `"x"`)
		w.got(`{"given":"Ann","family":"Li"}`, "a GET that is answered 404, with JSON, leaves the PUT as other requests")
		step.Equal(w, 1, gets, "The document is asked for before the PUT. GETs:")
		w.in(v22, "PUT", "/1", `{"name":`, "X-Key", "ann")
		w.in(v22, "PUT", "/1", `{"name":"Ann"}`, "X-Key", "ann", "Content-Type", "text/plain")
		w.in(v22, "POST", "/1", `{"name":"Ann"}`, "X-Key", "ann")
		step.Equal(w, 1, gets, "Nothing is asked for before a PUT that is no JSON, or before a POST. GETs:")
		gets = 0
		own := false
		w.next.say = func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			if r.Method == http.MethodGet {
				gets++
				_, _ = io.WriteString(rw, `{"phone":"1"}`)
				return
			}
			_, has := r.Header["If-Match"]
			step.Expect(w, has == own, "The document has no tag, so the PUT should have no If-Match of its own; it has %q", r.Header["If-Match"])
			rw.WriteHeader(http.StatusPreconditionFailed)
		}
		w.in(v22, "PUT", "/1", `{"name":"Ann Li"}`).is(412, "the handler refuses each time")
		w.got(`{"given":"Ann","family":"Li","phone":"1"}`, "a document without a tag is merged as well")
		step.Equal(w, 10, gets, "A PUT that the handler refuses each time is tried ten times. GETs:")
		gets, own = 0, true
		w.in(v22, "PUT", "/1", `{"name":"Ann Li"}`, "If-Match", tag).is(412, "the client's condition does not hold, says the handler")
		step.Equal(w, 1, gets, "A client's own condition is not tried again. GETs:")
		gets, own = 0, false
		w.in(v22, "PUT", "/1", `{"name":"Ann Li"}`, "If-None-Match", "*").is(412, "the client's condition does not hold, says the handler")
		step.Equal(w, 1, gets, "A client's own If-None-Match is not tried again. GETs:")
	})
	world1(t, func(w *world) {
		w.next.docs["/1"] = `{"given":"Ann"}`
		w.with(func(c *apiversion.Config) { c.Changes = slices.Concat(changes, []apiversion.Change{later}) }).
			in(v25, "PUT", "/1", `{"given":"Ben"}`).is(204, "the document is put")
		same(w.T, `{"given":"Ben"}`, w.next.docs["/1"], "the document is", "a change put tel into the base and the lifted PUT, and nobody set it")
		puts := 0
		w.next.docs["/1"] = `{"n":"a","phone":"1"}`
		w.next.say = func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			if r.Method == http.MethodGet {
				_, _ = io.WriteString(rw, w.next.docs["/1"])
			} else if puts++; puts < 10 {
				w.next.docs["/1"] = `{"n":"c","phone":"2"}`
				rw.WriteHeader(http.StatusPreconditionFailed)
			}
		}
		w.in(v22, "PUT", "/1", `{"n":"a","x":1}`).is(200, "the handler takes the tenth PUT")
		w.got(`{"n":"a","x":1,"phone":"2"}`, "another changed n from a to c before the first PUT, and this client wants a")
	})
	world1(t, func(w *world) {
		w.next.docs["/1"] = `{"given":"Ann"}`
		ctx, cancel := context.WithCancel(w.Context())
		cancel()
		for _, account := range []string{"new", "lost", "new"} {
			w.pins.fails, w.pins.gets = map[string]string{"lost": "the race"}[account], 0
			r := httptest.NewRequestWithContext(ctx, "PUT", "/1", strings.NewReader(`{"name":"Ann Li"}`))
			r.Header = http.Header{"X-Key": {account}, "Api-Version": {v22}, "Content-Type": {"application/json"}}
			w.api.ServeHTTP(httptest.NewRecorder(), r)
		}
		for what, all := range map[string][]context.Context{"the handler": w.next.contexts, "the pins": w.pins.contexts} {
			for _, called := range all {
				step.Expect(w, called.Err() != nil, "The request's context has ended, so that of a call of %s should have, too.", what)
			}
		}
	})
	putBeside(t, "who sent no condition")
	putBeside(t, "who sent If-Match: *", "If-Match", "*")
}

func putBeside(t *testing.T, who string, fields ...string) {
	t.Helper()
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		w := newWorld(t, x)
		w.next.docs["/1"] = `{"given":"Ann","family":"Lee","phone":"1"}`
		var old, young int
		x.Go("old client", func() { old = w.in(v22, "PUT", "/1", `{"name":"Ann Li"}`, fields...).status })
		x.Go("new client", func() {
			young = w.in(v25, "PUT", "/1", `{"given":"Ann","family":"Lee","phone":"2"}`).status
		})
		x.Run()
		step.Equal(t, "204 204", fmt.Sprint(old, " ", young), "Both may put. They are told:")
		m, _ := value(w.next.docs["/1"]).(map[string]any)
		step.Expect(t, m["phone"] == "2",
			"The new client's phone 2 should not be lost to an old client %s and cannot see it; the document is %v", who, m)
	})
}

// A version that ends says so in every answer, and is gone from its day on.
func TestEnd(t *testing.T) {
	world1(t, func(w *world) {
		w.next.docs["/1"] = `{}`
		end := apiversion.End{
			Deprecated: noon.Add(time.Hour), Sunset: time.Date(2026, 6, 30, 23, 59, 59, 0, time.FixedZone("", 7200)), Link: "https://example.com/v",
		}
		w.cfg.Ends[v23], w.cfg.Ends[v24] = end, apiversion.End{Deprecated: noon}
		clock := noon
		w = w.with(func(c *apiversion.Config) { c.Now = func() time.Time { return clock } })
		told := func(a answer) {
			w.Helper()
			a.has("Sunset", "Tue, 30 Jun 2026 21:59:59 GMT", "the version ends at that time")
			a.has("Deprecation", fmt.Sprint("@", end.Deprecated.Unix()), "the version is deprecated, in seconds since 1970")
			step.Expect(w, strings.Contains(strings.Join(a.header.Values("Link"), ","), `<https://example.com/v>; rel="deprecation"`),
				"Link should say where to read about the end; got %q", a.header.Values("Link"))
		}
		told(w.in(v23, "GET", "/1", "").is(200, "the version has not ended"))
		told(w.in(v23, "GET", "/2", "").is(404, "errors say so too"))
		w.pins.kept["ann"] = v23
		told(w.ask("GET", "/1", "", "X-Key", "ann").is(200, "the pin is as good as the field"))
		for _, version := range []string{v22, v25} {
			w.in(version, "GET", "/1", "").has("Deprecation", "", "this version has no end").
				has("Sunset", "", "it has no end").has("Link", "", "it has no end")
		}
		w.in(v24, "GET", "/1", "").is(200, "no day has been set").has("Deprecation", fmt.Sprint("@", noon.Unix()), "it is deprecated").
			has("Sunset", "", "no day has been set").has("Link", "", "there is nothing to read")
		clock = end.Sunset.Add(-time.Nanosecond)
		told(w.in(v23, "GET", "/1", "").is(200, "the version ends in a moment"))
		w.next.say = func(rw http.ResponseWriter, _ *http.Request) { rw.Header().Set("Link", "</x>; rel=next") }
		told(w.in(v23, "GET", "/1", ""))
		link := strings.Join(w.in(v23, "GET", "/1", "").header.Values("Link"), ",")
		step.Expect(w, strings.Contains(link, "rel=next"), "The handler's own Link should stay; got %s", link)
		ran := w.next.ran
		clock = end.Sunset
		for range 2 {
			a := w.in(v23, "GET", "/1", "")
			a.problem(410, "the version is over, that instant included")
			told(a)
			w.ask("GET", "/1", "", "X-Key", "ann").problem(410, "the account's version is over")
			clock = clock.Add(time.Nanosecond)
		}
		step.Equal(w, ran, w.next.ran, "A version that is over does not reach the handler. Its runs:")
		w.in(v22, "GET", "/1", "").is(200, "only versions with an end are over")
	})
}

// A cache or a condition never mixes two versions.
func TestCaches(t *testing.T) {
	world1(t, func(w *world) {
		w.next.docs["/1"] = ann
		w.cfg.Ends[v23] = apiversion.End{Sunset: noon}
		w = w.with(func(*apiversion.Config) {})
		tags := map[string]string{}
		for _, version := range []string{v22, v24, v25} {
			a := w.in(version, "GET", "/1", "")
			a.varies()
			tag := a.header.Get("ETag")
			step.Expect(w, len(tag) > 2 && tag[0] == '"' && tag[len(tag)-1] == '"', "The ETag should be strong, as the handler's is; got %s", tag)
			for other, t := range tags {
				step.Expect(w, t != tag, "The ETag of version %s should differ from that of %s, since the bytes do; both are %s", version, other, tag)
			}
			tags[version] = tag
		}
		w.in("bad", "GET", "/1", "").is(400, "there is no such version").varies()
		w.in(v23, "GET", "/1", "").is(410, "the version is over").varies()
		w.in(v22, "GET", "/2", "").is(404, "there is no such document").varies()
		for _, version := range []string{v22, v24, v25} {
			for _, from := range []string{v22, v24, v25} {
				for _, list := range []string{"%s", "W/%s", `"x", %s`, `%s,"x"`} {
					want, why := 200, "a tag from version "+from+" matches nothing in version "+version
					if version == from {
						want, why = 304, "the client has this very answer"
					}
					a := w.in(version, "GET", "/1", "", "If-None-Match", fmt.Sprintf(list, tags[from])).is(want, why)
					a.varies()
					a.has("ETag", tags[version], "the tag is that of the version")
				}
				if version != from {
					w.in(version, "PUT", "/1", `{}`, "If-Match", tags[from]).is(412, "a tag from another version matches nothing")
				}
			}
			w.in(version, "GET", "/1", "", "If-None-Match", "*").is(304, "* stands for any tag")
			for _, lines := range [][2]string{{`"x"`, tags[version]}, {tags[version], `"x"`}} {
				w.in(version, "GET", "/1", "", "If-None-Match", lines[0], "If-None-Match", lines[1]).is(304, "one of two lines has the tag")
			}
		}
		old := w.older()
		old.in(v24, "GET", "/1", "").has("ETag", tags[v24], "a tag stays the same when the API gets newer versions")
		w.next.say = func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Vary", "Accept")
			if r.URL.Path == "/weak" {
				rw.Header().Set("ETag", `W/"a,b"`)
			}
		}
		w.in(v22, "GET", "/weak", "", "If-None-Match", w.in(v22, "GET", "/weak", "").header.Get("ETag"))
		step.Equal(w, `W/"a,b"`, w.next.last.Header.Get("If-None-Match"), "The client sends the handler's tag back. The handler gets:")
		a := w.in(v22, "GET", "/none", "").has("ETag", "", "the handler has none")
		a.varies()
		step.Expect(w, strings.Contains(strings.Join(a.header.Values("Vary"), ","), "Accept"),
			"The handler's own Vary should stay; got %q", a.header.Values("Vary"))
		weak := w.in(v22, "GET", "/weak", "").header.Get("ETag")
		step.Expect(w, strings.HasPrefix(weak, `W/"`), "A weak ETag stays weak; got %s", weak)
		step.Expect(w, weak != w.in(v24, "GET", "/weak", "").header.Get("ETag"), "A weak ETag differs in each version; got %s in both", weak)
	})
}

// Two servers of a roll-out pin an account once, and none serves it in a version that it did not ask for.
func TestFurtherRollOut(t *testing.T) {
	world1(t, func(w *world) {
		w.pins.kept["ann"] = v25
		w.next.docs["/1"] = `{}`
		old := w.older()
		old.ask("GET", "/1", "", "X-Key", "ann").varies().problem(503, "this server does not know the account's version")
		old.in(v24, "GET", "/1", "", "X-Key", "ann").is(200, "the field names a version that this server knows")
		ran := w.next.ran
		w.pins.err = errDown
		w.ask("GET", "/1", "", "X-Key", "ann").varies().problem(503, "the pins are down")
		w.ask("GET", "/1", "", "X-Key", "ben").varies().problem(503, "the pins are down")
		w.in("bad", "GET", "/1", "", "X-Key", "ann").varies().problem(503, "the pins are down, whatever the field says")
		w.in(v24, "GET", "/1", "", "X-Key", "ann").varies().problem(503, "the pins are down, whatever the field says")
		w.pins.err = nil
		old.in("bad", "GET", "/1", "", "X-Key", "ann").problem(400, "the field names no version")
		step.Equal(w, ran, w.next.ran, "Without a pin nothing runs. Runs of the handler:")
	})
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		w := newWorld(t, x)
		w.next.docs["/1"] = `{"given":"Ann","family":"Lee"}`
		servers, answers := []*world{w.older(), w}, [2]answer{}
		for i, s := range servers {
			x.Go([]string{"old server", "new server"}[i], func() { answers[i] = s.ask("GET", "/1", "", "X-Key", "ann") })
		}
		x.Run()
		pin := w.pins.kept["ann"]
		step.Expect(t, pin == v24 || pin == v25, "One of the two requests should have pinned the account; its pin is %q", pin)
		if pin == v25 {
			step.Expect(t, answers[0].status == 503,
				"The account is pinned to a version that the old server does not know. It should answer 503; got %d", answers[0].status)
			return
		}
		answers[0].is(200, "the old server knows the version")
		answers[1].says(`{"given":"Ann","last":"Lee"}`, "both requests run in the version that was pinned, "+pin)
	})
	world1(t, func(w *world) {
		for _, call := range []string{"the first Get", "Add", "the second Get"} {
			w.pins.fails, w.pins.gets = call, 0
			w.ask("GET", "/1", "", "X-Key", call).varies().problem(503, call+" of the pins fails")
		}
	})
	step.Bubble(t, func(t *step.T) {
		get := func(a *apiversion.API) {
			a.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/1", http.NoBody))
		}
		apart.Pairs(t.T, func() *apiversion.API { return newWorld(t, nil).api }, apart.Call[*apiversion.API]{Name: "ServeHTTP", Do: get})
	})
}

// later is one more change: a person has a tel, which is none where nobody says it.
var later = apiversion.Change{Since: "2026-01-01", Up: func(body any) any {
	m := map[string]any{"tel": "none"}
	if old, ok := body.(map[string]any); ok {
		maps.Copy(m, old)
	}
	return m
}, Down: func(body any) any {
	m, _ := body.(map[string]any)
	m = maps.Clone(m)
	delete(m, "tel")
	return m
}}

// varies expects that caches tell versions and accounts apart.
func (a answer) varies() answer {
	a.Helper()
	list := "," + strings.ToLower(strings.ReplaceAll(strings.Join(a.header.Values("Vary"), ","), " ", "")) + ","
	step.Expect(a, strings.Contains(list, ",api-version,") && strings.Contains(list, ",x-key,"),
		"Vary should name API-Version and the account's field X-Key; got %q\nThe request: %s", a.header.Values("Vary"), a.asked)
	return a
}

func same(t *step.T, want, got, who, why string) {
	t.Helper()
	step.Expect(t, reflect.DeepEqual(value(want), value(got)), "Expected that %s\n  %s\nsince %s. It is\n  %s",
		who, want, why, cmp.Or(got, "nothing"))
}
