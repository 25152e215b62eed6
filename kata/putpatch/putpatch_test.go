package putpatch_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/backend-kata/dojo/kata/putpatch"
)

// PUT creates a document or replaces it whole, and GET returns the very bytes that were put.
// To repeat a PUT changes nothing.
func TestPutCreatesAndReplaces(t *testing.T) {
	c := newClient(t, putpatch.Config{})
	first := `{ "title": "Plans",  "pages": 1.0, "draft": true }` + "\n"
	second := `{"title":"Plans, again"}`

	a := c.put("1", first).expect("there was no such document, and PUT created it", http.StatusCreated)
	if location := a.header.Get("Location"); location != "" {
		base := &url.URL{Scheme: "http", Host: "example.com", Path: "/documents/1"} // the host of the request
		if at, err := base.Parse(location); err != nil || at.Host != base.Host || at.Path != base.Path {
			a.fail("The Location is of another document",
				"a Location is optional, and is /documents/1; got %q", location)
		}
	}
	got := c.reads("1", first, "GET returns what the last PUT sent, white space included")
	if kind := got.header.Get("Content-Type"); !strings.HasPrefix(kind, jsonType) {
		got.fail("The document has another type", "expected Content-Type %s; got %q", jsonType, kind)
	}

	replaced := []int{http.StatusOK, http.StatusNoContent}
	c.put("1", second).expect("the document existed, and PUT replaced it", replaced...)
	c.reads("1", second, `PUT replaces the whole document, and the new one has no "pages" and no "draft"`)
	for range 3 {
		c.put("1", second).expect("PUT is idempotent: the same again is no conflict", replaced...)
		c.reads("1", second, "PUT is idempotent: the same again changes nothing")
	}

	c.get("2").expect("only /documents/1 was put", http.StatusNotFound)
	c.put("2", first).expect("there was no /documents/2, and PUT created it", http.StatusCreated)
	c.reads("2", first, "each document has its own state")
	c.reads("1", second, "a PUT to /documents/2 is none to /documents/1")

	newClient(t, putpatch.Config{}).get("1").expect("each call of NewHandler makes an empty store", http.StatusNotFound)

	head := c.send(http.MethodHead, "1", "").expect("HEAD answers as GET does", http.StatusOK)
	if kind := head.header.Get("Content-Type"); kind != got.header.Get("Content-Type") {
		head.fail("HEAD has other fields than GET", "expected Content-Type %q as GET has; got %q",
			got.header.Get("Content-Type"), kind)
	}
	c.send(http.MethodHead, "3", "").expect("HEAD answers as GET does", http.StatusNotFound)

	for i, tt := range []struct{ document, why string }{
		{`[1, 2]`, "an array is a JSON value"},
		{`"plain"`, "a string is a JSON value (RFC 8259 §2)"},
		{`null`, "null is a JSON value, and not the same as no document"},
		{`12345678901234567890.10`, "a number is a JSON value, and stays as it is spelled"},
		{`{"html":"<b>&</b>", "more":"\u003cb\u003e"}`, "what a server escapes is up to whoever sent the document"},
		{` {} `, "an empty object is a JSON value"},
	} {
		id := fmt.Sprintf("value-%d", i)
		c.put(id, tt.document).expect(tt.why, http.StatusCreated)
		c.reads(id, tt.document, tt.why)
	}
}

// A strong ETag names each state of a document, and a client that still has that state is told 304.
// An answer to PUT carries an ETag only if it is the one that GET will show.
func TestValidators(t *testing.T) {
	c := newClient(t, putpatch.Config{})
	one, other := `{"title":"Plans"}`, `{"title":"Other plans"}`
	c.given("1", one)

	const needed = "a client compares it to see whether the document is still the same"
	tag := c.get("1").etag(needed)
	if again := c.get("1").etag(needed); again != tag {
		c.get("1").fail("The ETag changed by itself", "expected ETag %s, since nobody changed the document; got %s", tag, again)
	}
	for _, tt := range []struct {
		header []string
		want   int
		why    string
	}{
		{[]string{"If-None-Match", tag}, 304, "the client has this very state"},
		{[]string{"If-None-Match", "W/" + tag}, 304, "If-None-Match compares weakly (RFC 9110 §13.1.2)"},
		{[]string{"If-None-Match", `"other", ` + tag}, 304, "the list has the document's tag"},
		{[]string{"If-None-Match", tag + `,"other"`}, 304, "the list has the document's tag"},
		{[]string{"If-None-Match", `"other"`, "If-None-Match", tag}, 304, "several lines of a field are one list (RFC 9110 §5.3)"},
		{[]string{"If-None-Match", "*"}, 304, "the client has some state, and * stands for any"},
		{[]string{"If-None-Match", `"other"`}, 200, "the client has another state"},
		{[]string{"If-None-Match", `"other", W/"another"`}, 200, "none of the client's states is this one"},
		{nil, 200, "the client has nothing"},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			a := c.send(method, "1", "", tt.header...).expect(tt.why, tt.want)
			if got := a.etag("304 has the fields that 200 would have (RFC 9110 §15.4.5)"); got != tag {
				a.fail("The answer has another ETag", "expected ETag %s, with status %d too; got %s", tag, tt.want, got)
			}
			if tt.want == http.StatusNotModified && a.body != "" {
				a.fail("304 has a body", "expected no body, since the client has it already; got %s", short(a.body))
			}
		}
	}

	tags := map[string]string{one: tag}
	for _, tt := range []struct{ document, why string }{
		{`{"title":"Plant"}`, "the document was replaced by another one of the same length"},
		{other, "the document was replaced by another"},
		{`{"title": "Other plans"}`, "a strong ETag changes with every byte, a blank included (RFC 9110 §8.8.1)"},
		{`{"title":"Other plans","n":1}`, "the document has one member more"},
		{`{"title":"Other plans","n":1.0}`, "1 and 1.0 are different bytes"},
	} {
		a := c.put("1", tt.document)
		now := c.get("1", "If-None-Match", tag).expect("the client's state is an old one: "+tt.why, http.StatusOK)
		if now.body != tt.document {
			now.fail("GET returned other bytes than it should", "expected %s; got %s", short(tt.document), short(now.body))
		}
		for document, old := range tags {
			if now.etag(needed) == old {
				now.fail("Two states have one ETag", "expected a new ETag, since %s; got %s, which is the ETag of %s too",
					tt.why, old, document)
			}
		}
		tags[tt.document] = now.etag(needed)
		c.truthful(a)
	}
	c.truthful(c.put("2", one))
	c.get("3", "If-None-Match", "*").expect("conditions are not looked at where the answer is 404 anyway (RFC 9110 §13.2.1)",
		http.StatusNotFound)
}

// A merge patch changes what it names and leaves every other value as it was spelled.
// It follows RFC 7396, in arrays and at the top of a document too.
func TestMergePatch(t *testing.T) {
	c := newClient(t, putpatch.Config{})
	patched := []int{http.StatusOK, http.StatusNoContent}
	c.given("1", `{"title":"Plans","author":{"name":"Ann","mail":"ann@example.com"},"tags":["a","b"]}`)
	before := c.get("1").header.Get("ETag")
	a := c.merge("1", `{"title":"Our plans","author":{"mail":null,"phone":"1"},"tags":["c"]}`)
	a.expect("the document exists, and the patch fits any", patched...)
	now := c.holds("1", `{"title":"Our plans","author":{"name":"Ann","phone":"1"},"tags":["c"]}`,
		`it was {"title":"Plans","author":{"name":"Ann","mail":"ann@example.com"},"tags":["a","b"]}, and a merge patch `+
			"replaces members that it names, removes those that it names null, and keeps the others")
	if now.etag("PATCH made a new state") == before {
		now.fail("Two states have one ETag", "expected a new ETag after the PATCH; got %s as before", before)
	}
	c.truthful(a)

	for i, tt := range []struct{ document, patch, want, why string }{
		// RFC 7396, appendix A, in its order.
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`, "a member that exists is replaced"},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`, "a member that does not exist is added"},
		{`{"a":"b"}`, `{"a":null}`, `{}`, "null removes a member"},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`, "null removes the one member that it is given for"},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`, "a string takes the place of an array"},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`, "an array takes the place of a string"},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`, "objects are merged, and to remove nothing is fine"},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`, "an array is replaced whole"},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`, "a document that is an array is replaced whole"},
		{`{"a":"b"}`, `["c"]`, `["c"]`, "an array takes the place of the document"},
		{`{"a":"foo"}`, `null`, `null`, "a patch that is null is no object, so it is the new document"},
		{`{"a":"foo"}`, `"bar"`, `"bar"`, "a patch that is a string is no object, so it is the new document"},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`, "a null that was in the document stays"},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`, "an object is merged into an empty one where there was none"},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`, "null is not stored, however deep in new objects"},
		// What the appendix leaves to the text.
		{`{}`, `{"a":[{"b":null}]}`, `{"a":[{"b":null}]}`, "an array is taken as it is, so a null inside an array stays"},
		{`{"a":[]}`, `[{"b":null}]`, `[{"b":null}]`, "an array is taken as it is, so a null inside an array stays"},
		{`null`, `{"a":1}`, `{"a":1}`, "null is a document, and no object"},
		{`{"a":{"b":1}}`, `{"a":{}}`, `{"a":{"b":1}}`, "an empty object names nothing"},
		{`{"a":null}`, `{"a":{"b":1}}`, `{"a":{"b":1}}`, "an object is merged into an empty one where there was null"},
		{` {"a":1}` + "\n", ` {"b":2} `, `{"a":1,"b":2}`, "white space around a JSON value means nothing"},
		{`{"a":1}`, `{"html":"<b>&"}`, `{"a":1,"html":"<b>&"}`, "a string may be escaped in any way"},
	} {
		id := fmt.Sprintf("case-%d", i)
		c.given(id, tt.document)
		a := c.merge(id, tt.patch).expect(tt.why, patched...)
		c.holds(id, tt.want, fmt.Sprintf("%s was patched with %s, and %s", tt.document, tt.patch, tt.why))
		c.truthful(a)
	}

	numbers := []string{"9007199254740993", "1.0", "1E2", "-0.0", "123456789012345678901234567890.12345"}
	for i, number := range numbers {
		id := fmt.Sprintf("number-%d", i)
		c.given(id, `{"n":`+number+`,"deep":[{"n":`+number+`}],"other":1}`)
		a := c.merge(id, `{"other":`+number+`}`).expect("the patch fits", patched...)
		now := c.get(id)
		for _, name := range []string{"n", "other"} {
			if got := member(now.body, name); got != number {
				a.fail("A number is spelled otherwise", "expected %q to be the number %s as it was sent; got %s", name, number, got)
			}
		}
		c.holds(id, `{"n":`+number+`,"deep":[{"n":`+number+`}],"other":`+number+`}`,
			"a number stays as it is spelled, at any depth")
	}

	c.merge("none", `{"a":1}`).expect("PATCH changes documents and creates none", http.StatusNotFound)
	c.get("none").expect("PATCH creates none", http.StatusNotFound)
}

// A JSON patch is applied as a whole or not at all, and the status says what stood in the way.
// It follows RFC 6902; the errors follow RFC 5789 §2.2.
func TestJSONPatch(t *testing.T) {
	titled := func(document []byte) error {
		if member(string(document), "title") == "" {
			return errors.New("a document needs a title")
		}
		return nil
	}
	c := newClient(t, putpatch.Config{Validate: titled})
	patched := []int{http.StatusOK, http.StatusNoContent}
	document := `{"title":"Plans","tags":["a","b"],"n":9007199254740993,"f":1.0,"author":{"name":"Ann"}}`

	for i, tt := range []struct{ patch, want, why string }{
		{
			`[{"op":"replace","path":"/title","value":"Our plans"},{"op":"add","path":"/tags/-","value":"c"}]`,
			`{"title":"Our plans","tags":["a","b","c"],"n":9007199254740993,"f":1.0,"author":{"name":"Ann"}}`,
			"operations apply in turn, and - is the end of an array",
		},
		{
			`[{"op":"test","path":"/author/name","value":"Ann"},{"op":"add","path":"/tags/1","value":"x"},{"op":"remove","path":"/tags/0"}]`,
			`{"title":"Plans","tags":["x","b"],"n":9007199254740993,"f":1.0,"author":{"name":"Ann"}}`,
			"add to an array inserts, and each operation sees what the one before has made",
		},
		{
			`[{"op":"move","from":"/author","path":"/by"},{"op":"copy","from":"/by/name","path":"/owner"}]`,
			`{"title":"Plans","tags":["a","b"],"n":9007199254740993,"f":1.0,"by":{"name":"Ann"},"owner":"Ann"}`,
			"move and copy take a value from elsewhere",
		},
		{
			`[{"op":"add","path":"/a~1b~0c","value":null},{"op":"add","path":"/n","value":12345678901234567890.10}]`,
			`{"title":"Plans","tags":["a","b"],"n":12345678901234567890.10,"f":1.0,"author":{"name":"Ann"},"a/b~c":null}`,
			"~1 is / and ~0 is ~ in a path, null is stored, and a number stays as it is spelled",
		},
		{
			`[{"op":"remove","path":"/title"},{"op":"add","path":"/title","value":"New"}]`,
			`{"title":"New","tags":["a","b"],"n":9007199254740993,"f":1.0,"author":{"name":"Ann"}}`,
			"only the result need be a valid document, not what it was half way",
		},
		{`[{"op":"replace","path":"","value":{"title":"All new"}}]`, `{"title":"All new"}`, "the empty path is the whole document"},
		{`[]`, document, "a patch without operations changes nothing"},
	} {
		id := fmt.Sprintf("case-%d", i)
		c.given(id, " "+document)
		before := c.get(id).header.Get("ETag")
		a := c.patch(id, tt.patch).expect(tt.why, patched...)
		now := c.holds(id, tt.want, fmt.Sprintf("it was %s, and %s", document, tt.why))
		if tt.want != document && now.etag("PATCH made a new state") == before {
			now.fail("Two states have one ETag", "expected a new ETag after the PATCH; got %s as before", before)
		}
		c.truthful(a)
	}
	list := newClient(t, putpatch.Config{})
	list.given("1", "\n[1]")
	list.patch("1", `[{"op":"add","path":"/0","value":0}]`).expect("a document may be an array", patched...)
	list.holds("1", `[0,1]`, "a document may be an array")

	c.given("1", document)
	tag := c.get("1").header.Get("ETag")
	for _, tt := range []struct {
		patch string
		want  int
		why   string
	}{
		{`[{"op":"remove","path":"/nothing"}]`, 409, "there is no such member to remove"},
		{`[{"op":"replace","path":"/nothing","value":1}]`, 409, "there is no such member to replace"},
		{`[{"op":"add","path":"/nothing/x","value":1}]`, 409, "there is no object to add to"},
		{`[{"op":"add","path":"/title/x","value":1}]`, 409, "a string has no members to add to"},
		{`[{"op":"move","from":"/nothing","path":"/x"}]`, 409, "there is no such member to move"},
		{`[{"op":"copy","from":"/nothing","path":"/x"}]`, 409, "there is no such member to copy"},
		{`[{"op":"add","path":"/tags/3","value":"d"}]`, 409, "the array has two elements, so 2 is the last place to add at"},
		{`[{"op":"replace","path":"/tags/2","value":"d"}]`, 409, "the array has two elements"},
		{`[{"op":"remove","path":"/tags/first"}]`, 409, "an array has no place of that name"},
		{`[{"op":"remove","path":"/tags/-1"}]`, 409, "an array has no place -1 (RFC 6901 §4)"},
		{`[{"op":"test","path":"/title","value":"Other"}]`, 409, "the title is another"},
		{`[{"op":"test","path":"/f","value":2}]`, 409, "the number is another"},
		{
			`[{"op":"replace","path":"/title","value":"Lost"},{"op":"remove","path":"/tags/0"},{"op":"test","path":"/f","value":2}]`, 409,
			"the last operation does not fit, so none is applied",
		},
		{`[{"op":"replace","path":"/title","value":"Lost"},{"op":"remove","path":"/title"}]`, 422, "the result has no title, which Validate demands"},
		{`[{"op":"replace","path":"","value":{"tags":[]}}]`, 422, "the result has no title, which Validate demands"},
		{`{"title":"Merged"}`, 400, "a JSON patch is an array"},
		{`null`, 400, "a JSON patch is an array"},
		{`[{"op":"replace","path":"/title","value":"Lost"}`, 400, "the patch is no JSON"},
		{`[] []`, 400, "the patch is two JSON values"},
		{`[null]`, 400, "an operation is an object"},
		{`["remove"]`, 400, "an operation is an object"},
		{`[{"op":"increment","path":"/f","value":1}]`, 400, "there is no such operation"},
		{`[{"path":"/f","value":1}]`, 400, "an operation needs its op"},
		{`[{"op":"remove"}]`, 400, "an operation needs a path"},
		{`[{"op":"remove","path":7}]`, 400, "a path is a string"},
		{`[{"op":"add","path":"/x"}]`, 400, "an add needs a value"},
		{`[{"op":"replace","path":"/f"}]`, 400, "a replace needs a value"},
		{`[{"op":"test","path":"/nothing"}]`, 400, "a test needs a value"},
		{`[{"op":"move","path":"/x"}]`, 400, "a move needs a from"},
		{`[{"op":"replace","path":"/title","value":"Lost"},{"op":"increment","path":"/f"}]`, 400, "the second operation is malformed, so none is applied"},
	} {
		a := c.patch("1", tt.patch).expect(tt.why, tt.want)
		now := c.get("1").expect("the document was there before", http.StatusOK)
		if now.body != document || now.header.Get("ETag") != tag {
			a.fail("A refused patch left something behind",
				"expected the document to be untouched after %s, since a patch is applied as a whole or not at all; it is now %s",
				statusText(tt.want), short(now.body))
		}
	}

	c.patch("none", `[{"op":"add","path":"/title","value":"x"}]`).expect("PATCH changes documents and creates none", http.StatusNotFound)
	c.patch("none", `[{"op":"replace","path":"","value":{"title":"x"}}]`).expect("PATCH changes documents and creates none", http.StatusNotFound)
	c.get("none").expect("PATCH creates none", http.StatusNotFound)
}

// Two editors never overwrite each other's work unseen, in whatever order their requests come.
// A condition holds at the moment of the change, not only when the request begins.
func TestLostUpdate(t *testing.T) {
	written := []int{http.StatusOK, http.StatusNoContent}
	for _, ann := range edits {
		for _, ben := range edits {
			for _, order := range orders("AABB") {
				twoEditors(t, ann, ben, order)
			}
		}
	}

	document := `{"title":"Plans"}`
	for _, tt := range []struct {
		exists bool
		field  string // TAG stands for the document's ETag
		want   int
		why    string
	}{
		{true, "If-Match: TAG", 204, "the document is still what the client saw"},
		{true, `If-Match: "other", TAG`, 204, "the list has the document's tag"},
		{true, "If-Match: \"other\"\nIf-Match: TAG", 204, "several lines of a field are one list (RFC 9110 §5.3)"},
		{true, "If-Match: *", 204, "the document exists"},
		{true, `If-Match: "other"`, 412, "the document is not what the client saw"},
		{true, "If-Match: W/TAG", 412, "If-Match compares strongly, and a weak tag matches nothing (RFC 9110 §13.1.1)"},
		{true, `If-Match: "other", W/TAG`, 412, "If-Match compares strongly, and a weak tag matches nothing (RFC 9110 §13.1.1)"},
		{true, "If-None-Match: *", 412, "the client wants to create the document, and it exists"},
		{true, "If-None-Match: TAG", 412, "the client does not want to change this state"},
		{true, "If-None-Match: W/TAG", 412, "If-None-Match compares weakly (RFC 9110 §13.1.2)"},
		{true, `If-None-Match: "other"`, 204, "the document is in another state than that"},
		{true, "If-Match: TAG\nIf-None-Match: *", 412, "both conditions must hold, and the document exists"},
		{true, "If-Match: \"other\"\nIf-None-Match: \"other\"", 412, "both conditions must hold, and the tag is another"},
		{false, "If-None-Match: *", 201, "nobody has created the document yet"},
		{false, `If-None-Match: "other"`, 201, "nobody has created the document yet"},
		{false, "If-Match: *", 412, "there is no document, so not any state of it"},
		{false, `If-Match: "other"`, 412, "there is no document, so not that state of it"},
	} {
		for _, write := range []string{"PUT", "merge patch", "JSON patch"} {
			if !tt.exists && write != "PUT" {
				continue // a PATCH of no document is a 404 whatever its conditions, see the next step
			}
			c := newClient(t, putpatch.Config{})
			var tag string
			if tt.exists {
				c.given("1", document)
				tag = c.get("1").etag("a condition needs one")
			}
			var header []string
			for line := range strings.SplitSeq(tt.field, "\n") {
				name, value, _ := strings.Cut(line, ": ")
				header = append(header, name, strings.ReplaceAll(value, "TAG", tag))
			}
			want := []int{tt.want}
			if tt.want == http.StatusNoContent {
				want = written
			}
			c.write(write, "1", `{"title":"New"}`, header...).expect(tt.why, want...)
			switch {
			case tt.want != http.StatusPreconditionFailed:
				c.holds("1", `{"title":"New"}`, "the condition held")
			case tt.exists:
				c.reads("1", document, "412 means that nothing was changed")
			default:
				c.get("1").expect("412 means that nothing was created", http.StatusNotFound)
			}
		}
	}

	c := newClient(t, putpatch.Config{RequireCondition: true})
	c.put("1", document).expect("this server demands a condition (RFC 6585 §3)", http.StatusPreconditionRequired)
	c.get("1").expect("428 means that nothing was created, and a GET needs no condition", http.StatusNotFound)
	c.put("1", document, "If-None-Match", "*").expect("the request has a condition, and it holds", http.StatusCreated)
	for _, write := range []string{"PUT", "merge patch", "JSON patch"} {
		c.write(write, "1", `{"title":"Careless"}`).expect("this server demands a condition (RFC 6585 §3)", http.StatusPreconditionRequired)
		now := c.holds("1", document, "428 means that nothing was changed")
		c.write(write, "1", document, "If-Match", now.etag("a condition needs one")).expect("the request has a condition, and it holds", written...)
	}

	for _, ann := range edits {
		whileArriving(t, ann)
	}
}

// A method or media type that is not served is refused before conditions are looked at, a broken body after.
// The refusal says what is served instead.
func TestTypesMethodsAndOrder(t *testing.T) {
	c := newClient(t, putpatch.Config{})
	done := []int{http.StatusOK, http.StatusNoContent}
	document := `{"title":"Plans"}`
	c.given("1", document)
	untouched := func(why string) { t.Helper(); c.reads("1", document, why) }

	for _, tt := range []struct{ kind, why string }{
		{"application/json", "application/json says nothing about how to patch (RFC 5789, erratum 3169)"},
		{"application/json-patch", "the type ends in +json"},
		{"application/json-patch+xml", "this is another type"},
		{"text/plain", "text is no patch"},
		{"*/*", "a body has one type"},
		{"", "the request does not say what its body is"},
	} {
		header := []string{"Content-Type", tt.kind}
		if tt.kind == "" {
			header = nil
		}
		a := c.send(http.MethodPatch, "1", `{"title":"Lost"}`, header...).expect(tt.why, http.StatusUnsupportedMediaType)
		offered := listed(a.header, "Accept-Patch")
		for _, kind := range []string{mergeType, patchType} {
			if !slices.Contains(offered, kind) {
				a.fail("415 does not say what is served", "expected Accept-Patch to list %s and %s (RFC 5789 §3.1); got %q",
					mergeType, patchType, a.header.Get("Accept-Patch"))
			}
		}
		untouched("415 means that nothing was changed")
	}
	for _, tt := range []struct{ kind, why string }{
		{mergeType, "a patch is not the document; PUT takes " + jsonType},
		{patchType, "a patch is not the document; PUT takes " + jsonType},
		{"text/plain", "PUT takes " + jsonType},
		{"", "the request does not say what its body is"},
	} {
		header := []string{"Content-Type", tt.kind}
		if tt.kind == "" {
			header = nil
		}
		c.send(http.MethodPut, "1", `{"title":"Lost"}`, header...).expect(tt.why, http.StatusUnsupportedMediaType)
		untouched("415 means that nothing was changed")
		c.send(http.MethodPut, "none", `{"title":"Lost"}`, header...).expect(tt.why, http.StatusUnsupportedMediaType)
		c.get("none").expect("415 means that nothing was created", http.StatusNotFound)
	}
	for _, tt := range []struct{ method, kind, body, why string }{
		{"PATCH", "application/merge-patch+json; charset=utf-8", `{"title":"Plans"}`, "a parameter does not change the type"},
		{"PATCH", "Application/Merge-Patch+JSON", `{"title":"Plans"}`, "a type is the same in upper and lower case (RFC 9110 §8.3.1)"},
		{"PATCH", "application/JSON-patch+json;charset=UTF-8", `[]`, "a type is the same in upper and lower case (RFC 9110 §8.3.1)"},
		{"PUT", `application/json; charset="utf-8"`, document, "a parameter does not change the type"},
		{"PUT", "APPLICATION/JSON", document, "a type is the same in upper and lower case (RFC 9110 §8.3.1)"},
	} {
		c.send(tt.method, "1", tt.body, "Content-Type", tt.kind).expect(tt.why, done...)
	}
	c.put("1", document)

	for _, tt := range []struct {
		method string
		want   int
		why    string
	}{
		{http.MethodPost, 405, "POST is a method that documents do not have"},
		{http.MethodDelete, 405, "DELETE is a method that documents here do not have"},
		{"UPSERT", 501, "no RFC defines UPSERT, so this server cannot know it (RFC 9110 §15.6.2)"},
		{"patch", 501, "method names are case-sensitive, and patch is not PATCH (RFC 9110 §9.1)"},
	} {
		a := c.send(tt.method, "1", document, "Content-Type", mergeType).expect(tt.why, tt.want)
		if tt.want == http.StatusMethodNotAllowed {
			served := listed(a.header, "Allow")
			for _, method := range []string{"get", "head", "put", "patch"} {
				if !slices.Contains(served, method) || slices.Contains(served, strings.ToLower(tt.method)) {
					a.fail("405 does not say what is served",
						"expected Allow to list GET, HEAD, PUT and PATCH, and not %s (RFC 9110 §15.5.6); got %q", tt.method, a.header.Get("Allow"))
				}
			}
		}
		untouched(statusText(tt.want) + " means that nothing was changed")
	}

	strict := newClient(t, putpatch.Config{RequireCondition: true})
	strict.put("1", document, "If-None-Match", "*")
	const stale = `"stale"`
	for _, tt := range []struct {
		c                 *client
		method, id        string
		kind, match, body string
		want              int
		why               string
	}{
		{c, "DELETE", "1", jsonType, stale, document, 405, "a method that is refused is refused whatever the condition"},
		{c, "UPSERT", "1", jsonType, stale, document, 501, "a method that is unknown is refused whatever the condition"},
		{c, "PATCH", "1", jsonType, stale, document, 415, "the type can be judged without the document, so it comes before the condition"},
		{c, "PUT", "1", "text/plain", stale, document, 415, "the type can be judged without the document, so it comes before the condition"},
		{c, "PUT", "none", "text/plain", "*", document, 415, "the type can be judged without the document, so it comes before the condition"},
		{c, "PATCH", "none", mergeType, "*", `{}`, 404, "without its condition the answer would be 404, so the condition is ignored"},
		{c, "PATCH", "none", patchType, stale, `[]`, 404, "without its condition the answer would be 404, so the condition is ignored"},
		{c, "PATCH", "none", mergeType, "", `{broken`, 404, "there is nothing that the body could be applied to"},
		{strict, "DELETE", "1", jsonType, "", document, 405, "a method that is refused is refused whatever the condition"},
		{strict, "PATCH", "1", jsonType, "", document, 415, "no condition would help a type that is not served"},
		{strict, "PATCH", "none", mergeType, "", `{}`, 404, "no condition would help a document that does not exist"},
		{strict, "PATCH", "1", mergeType, "", `{broken`, 428, "the body is looked at after the condition"},
		{strict, "PUT", "1", jsonType, "", `{broken`, 428, "the body is looked at after the condition"},
		{c, "PATCH", "1", mergeType, stale, `{broken`, 412, "the body is looked at after the condition"},
		{c, "PATCH", "1", patchType, stale, `{broken`, 412, "the body is looked at after the condition"},
		{c, "PATCH", "1", patchType, stale, `[{"op":"test","path":"/title","value":"Other"}]`, 412, "the body is looked at after the condition"},
		{c, "PUT", "1", jsonType, stale, `{broken`, 412, "the body is looked at after the condition"},
		{c, "PUT", "none", jsonType, stale, `{broken`, 412, "the body is looked at after the condition"},
	} {
		header := []string{"Content-Type", tt.kind}
		if tt.match != "" {
			header = append(header, "If-Match", tt.match)
		}
		tt.c.send(tt.method, tt.id, tt.body, header...).expect(tt.why, tt.want)
		tt.c.reads("1", document, "a refused request changes nothing")
	}
}

// Bad input is answered with problem details, costs no more than it must, and leaves the document untouched.
// A document is never larger than the limit, whether it was put or patched.
func TestBadInput(t *testing.T) {
	document := `{"title":"Plans"}`
	titled := func(document []byte) error {
		if member(string(document), "title") == "" {
			return errors.New("a document needs a title")
		}
		return nil
	}
	c := newClient(t, putpatch.Config{MaxBytes: 100, Validate: titled})
	strict := newClient(t, putpatch.Config{RequireCondition: true})
	c.given("1", document)
	tag := c.get("1").header.Get("ETag")
	untouched := func(a answer) {
		t.Helper()
		now := c.get("1").expect("the document was there before", http.StatusOK)
		if now.body != document || now.header.Get("ETag") != tag {
			a.fail("A refused request changed the document", "expected %s to leave the document untouched; it is now %s",
				statusText(a.status), short(now.body))
		}
	}

	for _, tt := range []struct{ body, why string }{
		{``, "nothing is not a JSON value"},
		{`  `, "nothing is not a JSON value"},
		{`{"title":`, "the JSON ends too early"},
		{`{title:"x"}`, "names are in double quotes"},
		{`{"title":"x"} {"title":"y"}`, "the body is two JSON values"},
		{`{"title":"x"},`, "something comes after the JSON value"},
		{`{"n":01}`, "a number has no leading zero"},
		{`{"n":NaN}`, "NaN is not JSON"},
		{`title=x`, "a form is not JSON"},
	} {
		for _, a := range []answer{c.put("1", tt.body), c.merge("1", tt.body), c.patch("1", tt.body)} {
			a.expect(tt.why, http.StatusBadRequest).problem()
			untouched(a)
		}
		c.put("none", tt.body).expect(tt.why, http.StatusBadRequest)
		c.get("none").expect("400 means that nothing was created", http.StatusNotFound)
	}
	for _, a := range []answer{
		c.sendFrom("PUT", "1", broken(`{"title":"Half"}`), `{"title":"Half"} and then a lost connection`, "Content-Type", jsonType),
		c.sendFrom("PATCH", "1", broken(`{"title":"Half"}`), `{"title":"Half"} and then a lost connection`, "Content-Type", mergeType),
	} {
		a.expect("the body broke off, and who knows what was to come", http.StatusBadRequest).problem()
		untouched(a)
	}
	for _, a := range []answer{
		c.put("1", `{"name":"untitled"}`), c.merge("1", `{"title":null}`), c.merge("1", `"no object"`),
		c.patch("1", `[{"op":"remove","path":"/title"}]`),
	} {
		a.expect("Validate refuses a document without a title", http.StatusUnprocessableEntity).problem()
		untouched(a)
	}
	c.put("none", `{"name":"untitled"}`).expect("Validate refuses a document without a title", http.StatusUnprocessableEntity)
	c.get("none").expect("422 means that nothing was created", http.StatusNotFound)

	for _, tt := range []struct {
		a    answer
		want int
		why  string
	}{
		{c.get("none"), 404, "there is no such document"},
		{c.merge("none", `{}`), 404, "there is no such document"},
		{c.send("DELETE", "1", ""), 405, "DELETE is a method that documents here do not have"},
		{c.patch("1", `[{"op":"remove","path":"/nothing"}]`), 409, "there is no such member"},
		{c.put("1", document, "If-Match", `"stale"`), 412, "the document is not what the client saw"},
		{c.merge("1", `{}`, "If-None-Match", `*`), 412, "the document exists"},
		{c.send("PATCH", "1", `{}`, "Content-Type", jsonType), 415, "application/json is no patch"},
		{c.send("PUT", "1", document, "Content-Type", "text/plain"), 415, "PUT takes application/json"},
		{strict.put("1", document), 428, "this server demands a condition"},
		{c.send("UPSERT", "1", document), 501, "no RFC defines UPSERT"},
	} {
		tt.a.expect(tt.why, tt.want).problem()
		untouched(tt.a)
	}

	// The limit, at its edge and far beyond.
	exact := `{"title":"` + strings.Repeat("x", 100-len(`{"title":""}`)) + `"}`
	c.put("2", exact).expect("the document has 100 bytes, as many as MaxBytes allows", http.StatusCreated)
	tooLarge := strings.Replace(exact, "x", "xx", 1)
	for _, a := range []answer{
		c.put("1", tooLarge), c.merge("1", tooLarge),
		c.patch("1", `[{"op":"add","path":"/x","value":"`+strings.Repeat("x", 101)+`"}]`),
	} {
		a.expect("the body has more than the 100 bytes of MaxBytes", http.StatusRequestEntityTooLarge).problem()
		untouched(a)
	}
	for _, method := range []string{"PUT", "PATCH"} {
		body := new(endless)
		kind := map[string]string{"PUT": jsonType, "PATCH": mergeType}[method]
		a := c.sendFrom(method, "1", io.NopCloser(body), "a body that does not end", "Content-Type", kind)
		a.expect("the body has more than the 100 bytes of MaxBytes", http.StatusRequestEntityTooLarge).problem()
		if body.read > 100+64<<10 {
			a.fail("The server read more than it must",
				"expected it to stop reading soon after the 100 bytes of MaxBytes; it read %d bytes and would have read on", body.read)
		}
		untouched(a)
	}
	c.merge("1", `{"text":"`+strings.Repeat("x", 85)+`"}`).expect("the patched document would have more than the 100 bytes of MaxBytes",
		http.StatusUnprocessableEntity).problem()
	untouched(c.get("1"))

	roomy := newClient(t, putpatch.Config{})
	roomy.put("1", `"`+strings.Repeat("x", 1<<20-2)+`"`).expect("the document has 1 MiB, which is the limit if MaxBytes is zero", http.StatusCreated)
	roomy.put("2", `"`+strings.Repeat("x", 1<<20-1)+`"`).expect("the document has more than 1 MiB, which is the limit if MaxBytes is zero",
		http.StatusRequestEntityTooLarge)
}

// Many clients patch one document at once, and no change that was accepted is lost.
func TestFurtherConcurrentPatches(t *testing.T) {
	whileValidating(t, "PUT")
	whileValidating(t, "merge patch")
	whileValidating(t, "JSON patch")

	const clients, changes = 4, 20
	c := newClient(t, putpatch.Config{})
	c.given("1", `{"n":0}`)
	var all sync.WaitGroup
	trouble := make([]string, clients) // an element each, so that nothing but the handler orders the clients
	for i := range clients {
		all.Go(func() { trouble[i] = count(c.h, i, changes, 2*clients*changes) })
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	if !settled(done) {
		(&exchange{request: "a PATCH of many at once"}).failBlocked(t)
	}
	for i, s := range trouble {
		if s != "" {
			fail(t, "A client could not change the document", fmt.Sprintf("client %d of %d: %s", i+1, clients, s))
		}
	}
	now := c.get("1")
	if got, want := member(now.body, "n"), fmt.Sprint(clients*changes); got != want {
		now.fail("An accepted change was lost", "expected n to be %s, since %d clients each raised it %d times, always with If-Match; got %s",
			want, clients, changes, got)
	}
	for i := range clients {
		name := fmt.Sprintf("client%d", i)
		if got, want := member(now.body, name), fmt.Sprint(changes); got != want {
			now.fail("An accepted change was lost", "expected %q to be %s, which only that client changes, with merge patches of just this member; got %s",
				name, want, short(got))
		}
	}
}

// A document or patch of many levels is stored or refused, at a cost in step with its size.
func TestFurtherDeepNesting(t *testing.T) {
	nested := func(levels int, core string) string {
		return strings.Repeat(`{"a":`, levels) + core + strings.Repeat(`}`, levels)
	}
	for _, levels := range []int{100, 3_000, 10_000, 100_000} {
		for _, tt := range []struct{ kind, body, want string }{
			{jsonType, nested(levels, "2"), nested(levels, "2")},
			{mergeType, nested(levels, "2"), nested(levels, "2")},
			{mergeType, nested(levels, "null"), nested(levels-1, "{}")},
			{patchType, `[{"op":"test","path":"/a","value":` + nested(levels-1, "1") + `}]`, nested(levels, "1")},
			{patchType, `[{"op":"add","path":"` + strings.Repeat("/a", levels-1) + `/b","value":2}]`, nested(levels-1, `{"a":1,"b":2}`)},
			{patchType, `[{"op":"add","path":"/b","value":` + nested(levels-1, "1") + `}]`, `{"a":` + nested(levels-1, "1") + `,"b":` + nested(levels-1, "1") + `}`},
		} {
			c := newClient(t, putpatch.Config{})
			document := nested(levels, "1")
			stored := c.put("1", document).accepted()
			if !stored {
				document = nested(100, "1")
				c.given("1", document)
			}
			method := http.MethodPatch
			if tt.kind == jsonType {
				method = http.MethodPut
			}
			var a answer
			cost := allocated(func() { a = c.send(method, "1", tt.body, "Content-Type", tt.kind) })
			switch {
			case levels == 100:
				a.expect("100 levels are few enough for every server", http.StatusOK, http.StatusNoContent)
			case a.accepted(), a.status == http.StatusConflict && !stored: // a deep path in a document that is not
			default:
				a.expect(fmt.Sprintf("%d levels may be refused, but only as a bad request", levels),
					http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity)
			}
			if limit := uint64(16<<20 + (len(tt.body)+len(document))<<10); cost > limit {
				a.fail("The request cost far more than its size",
					"expected at most %d MiB of memory to be allocated, which is 16 MiB and 1 KiB for each byte of body and document; it was %d MiB, for %d levels",
					limit>>20, cost>>20, levels)
			}
			switch {
			case !a.accepted():
				c.reads("1", document, "a refused request changes nothing")
			case stored && levels <= 10_000: // what is deeper, encoding/json cannot compare
				c.holds("1", tt.want, fmt.Sprintf("the server accepted the %s with %d levels", method, levels))
			}
		}
	}
}

// A patch that is made to do harm is refused, and the server goes on.
func TestFurtherHostilePatches(t *testing.T) {
	c := newClient(t, putpatch.Config{MaxBytes: 10_000})
	document := `{"a":["0123456789"],"empty":[null]}`
	c.given("1", document)

	double := strings.TrimSuffix(strings.Repeat(`{"op":"copy","from":"/a","path":"/a/-"},`, 20), ",")
	var a answer
	cost := allocated(func() { a = c.patch("1", "["+double+"]") })
	a.expect("twenty times a copy of all there is makes a document of more than MaxBytes", http.StatusUnprocessableEntity)
	if limit := uint64(16<<20 + (len(double)+2+len(document))<<10); cost > limit {
		a.fail("The request cost far more than its size",
			"expected at most %d MiB of memory to be allocated, since the patch has %d bytes and each copy doubles the document; it was %d MiB",
			limit>>20, len(double)+2, cost>>20)
	}
	c.reads("1", document, "a refused patch changes nothing")

	c.patch("1", `[{"op":"test","path":""}]`).expect("a test needs a value", http.StatusBadRequest)
	c.reads("1", document, "a refused patch changes nothing")

	a = c.patch("1", `[{"op":"replace","path":"/a","value":[]},{"op":"test","path":"/empty","value":[null]}]`)
	switch {
	case a.accepted():
		c.holds("1", `{"a":[],"empty":[null]}`, "the patch was accepted")
	case a.status >= 400:
		a.problem()
		c.reads("1", document, "a refused patch changes nothing")
	default:
		a.expect("the test holds; a server whose library cannot tell answers with a problem", http.StatusOK, http.StatusNoContent)
	}
	c.patch("1", `[{"op":"add","path":"/b","value":1}]`).expect("the server goes on", http.StatusOK, http.StatusNoContent)
}

// edits are the ways in which an editor changes a document.
var edits = []string{"PUT", "merge patch", "JSON patch"}

// write makes an object the document, in one of these ways. A merge patch does so only if it names every member.
func (c *client) write(how, id, object string, header ...string) answer {
	c.t.Helper()
	switch how {
	case "PUT":
		return c.put(id, object, header...)
	case "merge patch":
		return c.merge(id, object, header...)
	default:
		return c.patch(id, `[{"op":"replace","path":"","value":`+object+`}]`, header...)
	}
}

// An edit adds a member with an editor's name to a document, in one of these ways. What is seen is the document as the
// editor has read it.
func edit(how, who, seen string) (method, kind, body string) {
	member := `"` + strings.ToLower(who) + `":"was here"`
	switch how {
	case "PUT":
		return http.MethodPut, jsonType, strings.TrimSuffix(seen, "}") + "," + member + "}"
	case "merge patch":
		return http.MethodPatch, mergeType, "{" + member + "}"
	default:
		return http.MethodPatch, patchType, `[{"op":"add","path":"/` + strings.ToLower(who) + `","value":"was here"}]`
	}
}

// An editor reads the document, then writes it on the condition that it is still as it was read.
type editor struct {
	name, how string
	read      bool
	seen, tag string
}

// twoEditors plays one order of Ann's and Ben's requests, A standing for Ann's next one and B for Ben's. A write is
// accepted if and only if nobody's was accepted since its editor read the document.
func twoEditors(t *testing.T, ann, ben, order string) {
	t.Helper()
	c := newClient(t, putpatch.Config{})
	want := `{"title":"Plans"}`
	c.given("1", want)
	story := newTimeline("Ann", "Ben")
	editors := map[rune]*editor{'A': {name: "Ann", how: ann}, 'B': {name: "Ben", how: ben}}
	var states []string // the tags, in the order in which they were seen
	name := func(tag string) string {
		if !slices.Contains(states, tag) {
			states = append(states, tag)
		}
		return fmt.Sprintf("tag %d", slices.Index(states, tag)+1)
	}
	for _, who := range order + "AABB" { // who was refused starts again
		e := editors[who]
		if e.how == "" {
			continue // done
		}
		if !e.read {
			a := c.get("1")
			e.read, e.seen, e.tag = true, a.body, a.etag(e.name+" needs it to change only what "+e.name+" has seen")
			story.add(e.name, "GET: %s", name(e.tag))
			continue
		}
		method, kind, body := edit(e.how, e.name, e.seen)
		a := c.send(method, "1", body, "Content-Type", kind, "If-Match", e.tag)
		story.add(e.name, "%s, if it is %s: %d", e.how, name(e.tag), a.status)
		current := sameJSON(e.seen, want)
		switch {
		case current && !a.accepted():
			a.fail("A good change was refused", "expected %s's change to be accepted, since nobody has changed the document since %s read it; got %s%s",
				e.name, e.name, a.describe(), story)
		case !current && a.accepted():
			a.fail("An update was lost", "expected %s's change to be refused with 412, since the other has changed the document since %s read it; got %s, and the document is now %s%s",
				e.name, e.name, a.describe(), short(c.get("1").body), story)
		case !current:
			a.expect("the document is not what "+e.name+" has read", http.StatusPreconditionFailed)
			e.read = false
		default:
			want = strings.TrimSuffix(want, "}") + `,"` + strings.ToLower(e.name) + `":"was here"}`
			e.how = ""
		}
		if now := c.get("1"); !sameJSON(want, now.body) {
			a.fail("The document is not as it should be", "expected the document %s after this order of requests; it is %s%s", want, short(now.body), story)
		}
	}
}

// whileArriving lets Ben change the document while the body of Ann's request is arriving.
func whileArriving(t *testing.T, how string) {
	t.Helper()
	document := `{"title":"Plans"}`
	for _, conditional := range []bool{true, false} {
		c := newClient(t, putpatch.Config{})
		c.given("1", document)
		tag := c.get("1").etag("a condition needs one")
		method, kind, body := edit(how, "Ann", document)
		header := []string{"Content-Type", kind}
		if conditional {
			header = append(header, "If-Match", tag)
		}
		var ben *exchange
		inTime := false
		a := c.sendFrom(method, "1", pausing(body, func() {
			patch := `{"ben":"was here"}`
			ben = c.start(http.MethodPatch, "1", strings.NewReader(patch), patch, "Content-Type", mergeType, "If-Match", tag)
			inTime = ben.wait()
		}), body, header...)
		if ben == nil {
			a.fail("The body was not read", "expected the body to be read before it is answered; got %s", a.describe())
		}
		if !inTime {
			a.fail("The server answers nobody while a body arrives", "expected Ben's %s to be answered while Ann's body was still arriving; "+
				"it had to wait for Ann's, and a client that sends slowly stops the whole server", ben.request)
		}
		ben.result(t).expect("nobody had changed the document yet", http.StatusOK, http.StatusNoContent)
		switch {
		case conditional:
			if a.status != http.StatusPreconditionFailed {
				a.fail("An update was lost", "expected Ann's change to be refused with 412, since Ben changed the document while Ann's body was still arriving; got %s, and the document is now %s",
					a.describe(), short(c.get("1").body))
			}
			c.holds("1", `{"title":"Plans","ben":"was here"}`, "Ben's change was accepted and Ann's was refused")
		case how == "PUT":
			a.expect("a PUT without a condition replaces whatever is there", http.StatusOK, http.StatusNoContent)
		default:
			a.expect("a PATCH without a condition applies to whatever is there", http.StatusOK, http.StatusNoContent)
			c.holds("1", `{"title":"Plans","ben":"was here","ann":"was here"}`,
				"Ben changed the document while Ann's body was still arriving, and Ann's PATCH applies to what is there then")
		}
	}
}

// whileValidating lets Ben's request come while Ann's new document is being validated, which lies between the moment
// when the server looks at the condition and the moment when it stores the document. Either the server lets Ben wait, or
// it notices that the document has changed.
func whileValidating(t *testing.T, how string) {
	t.Helper()
	document := `{"title":"Plans"}`
	for _, conditional := range []bool{true, false} {
		if !conditional && how == "PUT" {
			continue // the last one wins, as it should
		}
		var c *client
		var ben *exchange
		var came atomic.Bool
		var header []string
		c = newClient(t, putpatch.Config{Validate: func(candidate []byte) error {
			if member(string(candidate), "ann") != "" && came.CompareAndSwap(false, true) {
				method, kind, body := edit(how, "Ben", document)
				ben = c.start(method, "1", strings.NewReader(body), body, append([]string{"Content-Type", kind}, header...)...)
				ben.wait()
			}
			return nil
		}})
		c.given("1", document)
		if conditional {
			header = []string{"If-Match", c.get("1").etag("a condition needs one")}
		}
		method, kind, body := edit(how, "Ann", document)
		ann := c.send(method, "1", body, append([]string{"Content-Type", kind}, header...)...)
		if ben == nil {
			ann.fail("Validate was not called", "expected Validate to be asked about the new document; got %s without", ann.describe())
		}
		if !ben.wait() {
			ben.failBlocked(t)
		}
		other := ben.result(t)
		if !conditional {
			ann.expect("the patch fits, and has no condition", http.StatusOK, http.StatusNoContent)
			other.expect("the patch fits, and has no condition", http.StatusOK, http.StatusNoContent)
			c.holds("1", `{"title":"Plans","ann":"was here","ben":"was here"}`,
				"two patches of different members came at once, and both were accepted")
			continue
		}
		switch {
		case ann.accepted() && other.accepted():
			ann.fail("An update was lost", "expected one of two changes on the same condition to be refused with 412, since Ben's came while Ann's was being validated; "+
				"both were accepted, and the document is now %s", short(c.get("1").body))
		case ann.accepted():
			other.expect("Ann's change came first", http.StatusPreconditionFailed)
			c.holds("1", `{"title":"Plans","ann":"was here"}`, "Ann's change was accepted and Ben's was refused")
		default:
			ann.expect("Ben's change came first", http.StatusPreconditionFailed)
			other.expect("nobody had changed the document yet", http.StatusOK, http.StatusNoContent)
			c.holds("1", `{"title":"Plans","ben":"was here"}`, "Ben's change was accepted and Ann's was refused")
		}
	}
}

// count raises the member n of the document by one, again and again, and counts in a member of its own, which needs no
// condition. It says what went wrong, if anything. A retry is due only if another client's change came in between, and
// there are only so many of those.
func count(h http.Handler, client, changes, most int) (trouble string) {
	exchange := func(method, body string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/documents/1", strings.NewReader(body))
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	defer func() {
		if p := recover(); p != nil {
			trouble = fmt.Sprint("the handler panicked: ", p)
		}
	}()
	attempts := 0
	for done := 0; done < changes; {
		if attempts++; attempts > most {
			return fmt.Sprintf("412 came %d times, more often than all others changed the document", attempts-1-done)
		}
		seen := exchange(http.MethodGet, "")
		n, err := strconv.Atoi(member(seen.Body.String(), "n"))
		if err != nil {
			return "GET answered " + short(seen.Body.String())
		}
		w := exchange(http.MethodPatch, fmt.Sprintf(`{"n":%d}`, n+1), "Content-Type", mergeType, "If-Match", seen.Header().Get("ETag"))
		switch w.Code {
		case http.StatusOK, http.StatusNoContent:
			done++
			own := exchange(http.MethodPatch, fmt.Sprintf(`{"client%d":%d}`, client, done), "Content-Type", mergeType)
			if own.Code != http.StatusOK && own.Code != http.StatusNoContent {
				return "a PATCH without a condition was answered with " + statusText(own.Code)
			}
		case http.StatusPreconditionFailed:
		default:
			return "a PATCH with If-Match was answered with " + statusText(w.Code)
		}
	}
	return ""
}

// listed returns the elements of a list field in lower case.
func listed(header http.Header, field string) []string {
	var list []string
	for _, line := range header.Values(field) {
		for element := range strings.SplitSeq(line, ",") {
			list = append(list, strings.ToLower(strings.TrimSpace(element)))
		}
	}
	return list
}

// orders returns every order of the letters.
func orders(letters string) []string {
	if letters == "" {
		return []string{""}
	}
	var all []string
	for i, letter := range letters {
		if strings.ContainsRune(letters[:i], letter) {
			continue
		}
		for _, rest := range orders(letters[:i] + letters[i+1:]) {
			all = append(all, string(letter)+rest)
		}
	}
	return all
}

// allocated returns how many bytes f makes the process allocate.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
