package putpatch_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/putpatch"
	"github.com/backend-kata/dojo/pkg/apart"
	"github.com/backend-kata/dojo/pkg/interleave"
)

// PUT creates a document or replaces it whole, and GET returns the very bytes that were put.
func TestPutCreatesAndReplaces(t *testing.T) {
	inBubble(t, putpatch.Config{}, func(c client) {
		first, second := `{ "title": "Plans",  "pages": 1.0, "draft": true }`+"\n", `{"title":"Plans, again"}`
		c.put("1", first).expect("there was no such document, and PUT created it", 201)
		c.reads("1", first, "GET returns what the last PUT sent, white space included").ofType(jsonType)
		c.put("1", second).done("the document existed, and PUT replaced it")
		c.reads("1", second, `PUT replaces the whole document, and the new one has no "pages" and no "draft"`)
		c.put("1", second).done("PUT is idempotent: the same again is no conflict")
		c.do("HEAD", "1", "", "").expect("HEAD answers as GET does", 200).ofType(jsonType)
		c.do("HEAD", "3", "", "").expect("HEAD answers as GET does", 404)
		for i, document := range []string{
			`[1, 2]`, `"plain"`, `""`, `null`, `false`, `12345678901234567890.10`, ` {} `, `{"html":"<b>&</b>", "more":"\u003cb\u003e"}`,
		} {
			id, why := fmt.Sprint("Value-", i), "any JSON value is a document (RFC 8259), and is stored as it was sent"
			c.put(id, document).expect(why, 201)
			c.reads(id, document, why)
			c.get(strings.ToLower(id)).expect("ids are case-sensitive", 404)
		}
		c.reads("1", second, "a PUT to another document is none to this one")
	})
	inBubble(t, putpatch.Config{}, func(c client) { c.get("1").expect("each call of NewHandler makes an empty store", 404) })
}

// A strong ETag names each state of a document, and a client that still has that state is told 304.
func TestValidators(t *testing.T) {
	inBubble(t, putpatch.Config{}, func(c client) {
		const needed, blanks = "a client compares it to see whether the document is still the same", "                                        "
		tag := c.given("1", plans).etag(needed)
		c.given("2", `{"title":"Other plans"}`)
		validates := func(want int, why string, tags ...string) { // several in one text are several lines of the field
			c.t.Helper()
			for _, list := range tags {
				header := strings.Split("If-None-Match|"+strings.ReplaceAll(list, "; ", "|If-None-Match|"), "|")
				for _, method := range []string{"GET", "HEAD"} {
					a := c.do(method, "1", "", "", header...).expect(why, want)
					a.check(a.tag() == tag, "Expected the ETag %s as before, since nobody has written the document; got %s", tag, a.tag())
					a.check(want == 200 || a.body == "", "Expected no body, since the client has it already; got %s", short(a.body))
				}
			}
		}
		validates(304, "the client has this very state", tag)
		validates(304, "If-None-Match compares weakly (RFC 9110 §13.1.2)", "W/"+tag)
		validates(304, "the list has the document's tag", `"other", `+tag, tag+`,"other"`, "\"other\",\t"+tag, `"other"; `+tag)
		validates(304, "the client has some state, and * stands for any", "*")
		validates(200, "none of the client's states is this one", `"other"`, `"other", W/"another"`, `"*"`, "")
		seen := map[string]string{tag: plans}
		for _, tt := range []struct{ document, why string }{
			{`{"title":"Plant"}`, "the document was replaced by another one of the same length"},
			{`{"title":"Platn"}`, "the document was replaced by one of the same letters"},
			{`{"title": "Platn"}`, "a strong ETag changes with every byte, a blank included (RFC 9110 §8.8.1)"},
			{`{"title":1}`, "the document was replaced by another"},
			{`{"title":1.0}`, "1 and 1.0 are different bytes"},
		} {
			c.truthful(c.put("1", blanks+tt.document+blanks))
			now := c.get("1", "If-None-Match", tag).expect("the client's state is an old one: "+tt.why, 200)
			document, old := seen[now.etag(needed)]
			now.check(!old, "Expected a new ETag, since %s; got the ETag of %s", tt.why, document)
			seen[now.tag()] = tt.document
		}
		c.get("none", "If-None-Match", "*").expect("where the answer is 404 anyway, no condition is evaluated (RFC 9110 §13.2.1)", 404)
	})
}

// makes expects what patches make of documents. A case is a document, a patch, and what it makes.
func (c client) makes(kind, why string, cases ...string) {
	c.t.Helper()
	for triple := range slices.Chunk(cases, 3) {
		before := c.given("1", triple[0])
		c.changed(c.do("PATCH", "1", kind, triple[1]), before, triple[2], why)
	}
}

// A merge patch changes what it names and leaves every other value as it was spelled.
func TestMergePatch(t *testing.T) {
	inBubble(t, putpatch.Config{}, func(c client) {
		c.makes(mergeType, "a member is replaced or added", `{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`, `{"a":"b"}`, `{"b":1}`, `{"a":"b","b":1}`)
		c.makes(mergeType, "null removes one member", `{"a":"b"}`, `{"a":null}`, `{}`, `{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`)
		c.makes(mergeType, "arrays and other values take each other's place",
			`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`, `{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`, `{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`,
			`["a","b"]`, `["c","d"]`, `["c","d"]`, `{"a":"b"}`, `["c"]`, `["c"]`)
		c.makes(mergeType, "objects are merged, and to remove nothing is fine", `{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`,
			`{"a":{"b":"d"}}`, `{"a":{"b":1},"c":null}`, `{"a":{},"c":{"d":1}}`, `{"a":{"b":1},"c":{"d":1}}`)
		c.makes(mergeType, "a patch that is no object is the new document", `{"a":"foo"}`, `null`, `null`, `{"a":"foo"}`, `"bar"`, `"bar"`)
		c.makes(mergeType, "a null that was in the document stays", `{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`)
		c.makes(mergeType, "an array is taken as it is, so a null inside an array stays",
			`{}`, `{"a":[{"b":null}]}`, `{"a":[{"b":null}]}`, `{"a":1}`, `[{"b":null},null]`, `[{"b":null},null]`)
		c.makes(mergeType, "an object is merged into an empty one where there was none",
			`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`, `null`, `{"a":1}`, `{"a":1}`, `"text"`, `{"a":null}`, `{}`, `[]`, `{}`, `{}`)
		c.makes(mergeType, "null is not stored, however deep in new objects", `{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`)
		c.makes(mergeType, "false, 0 and the empty string are not null", `{"a":1}`, `{"a":false,"b":0,"c":""}`, `{"a":false,"b":0,"c":""}`)
		c.makes(mergeType, "white space around a JSON value means nothing", ` {"a":1}`+"\n", ` {"b":2} `, `{"a":1,"b":2}`)
		c.makes(mergeType, "text may be escaped in any way", `{"é":"\u00e9\ud83d\ude00"}`, `{"b":"<ü>&"}`, `{"é":"é😀","b":"<ü>&"}`)
		for _, n := range []string{"9007199254740993", "1.0", "1E2", "-0.0", "1E400", "123456789012345678901234567890.12345"} {
			c.makes(mergeType, "a number keeps its spelling, at any depth", `{"n":`+n+`,"deep":[{"n":`+n+`}],"other":1}`, `{"other":`+n+`}`,
				`{"n":`+n+`,"deep":[{"n":`+n+`}],"other":`+n+`}`)
		}
		c.refused(c.merge("none", `{"a":1}`), c.get("none"), 404, "PATCH changes documents and creates none")
	})
}

// A JSON patch is applied as a whole or not at all, and the status says what stood in the way.
func TestJSONPatch(t *testing.T) {
	inBubble(t, putpatch.Config{}, func(c client) {
		c.makes(patchType, "add replaces what is there", `{"a":1,"b":2}`, `replace /a 3; add /b 4; add /c 5`, `{"a":3,"b":4,"c":5}`)
		c.makes(patchType, "add inserts; the end of an array is its length, and also -", `[1,2]`, `add /2 3; add /- 4; add /0 5`, `[5,1,2,3,4]`)
		c.makes(patchType, "each sees the result of the one before", `{"t":[1,2]}`, `remove /t/0; replace /t/0 3; test /t [3]`, `{"t":[3]}`)
		c.makes(patchType, "move removes first, then adds", `{"t":[1,2,3]}`, `move /t/0 /t/2`, `{"t":[2,3,1]}`)
		c.makes(patchType, "neither /a nor /ab/c lies within /a", `{"a":1,"ab":{}}`, `move /a /a; copy /a /a; move /a /ab/c`, `{"ab":{"c":1}}`)
		c.makes(patchType, "a copy is independent of its original", `{"a":{"n":1}}`, `copy /a /b; replace /b/n 2`, `{"a":{"n":1},"b":{"n":2}}`,
			`{"a":{"n":1}}`, `copy /a /b; replace /a/n 2`, `{"a":{"n":2},"b":{"n":1}}`, `{"a":[]}`, `copy /a /b; add /b/- 2`, `{"a":[],"b":[2]}`,
			`{}`, `add /b {"c":[]}; copy /b /d; add /b/c/0 1`, `{"b":{"c":[1]},"d":{"c":[]}}`)
		c.makes(patchType, "~1 is / and ~0 is ~ in a path, and null is stored", `{}`, `add /a~1b~0c null`, `{"a/b~c":null}`,
			`{"a/b/c":{"d~e~f":1}}`, `remove /a~1b~1c/d~0e~0f`, `{"a/b/c":{}}`)
		c.makes(patchType, "~01 is ~1, and not / (RFC 6901 §4)", `{"~1":1,"/":2}`, `copy /~01 /c; replace /~01 9`, `{"~1":9,"/":2,"c":1}`)
		c.makes(patchType, "from is a path like any other", `{"a/b":1,"c~d":2}`, `move /a~1b /e; copy /c~0d /f`, `{"c~d":2,"e":1,"f":2}`)
		c.makes(patchType, "in an object, 0 and - are names", `{"0":1,"-":2}`, `remove /0; replace /- 3`, `{"-":3}`)
		c.makes(patchType, "a number keeps its spelling", `{"n":9007199254740993}`, `add /m 1E400`, `{"n":9007199254740993,"m":1E400}`)
		c.makes(patchType, "the empty path is the whole document", `{"a":1}`, `replace  {"b":2}; add /c 3`, `{"b":2,"c":3}`)
		c.makes(patchType, "a document may be an array, with white space before it", "\n[1]", `add /0 0`, `[0,1]`)
		c.makes(patchType, "order and spelling mean nothing to a test",
			` {"a":[{"b":1,"c":"é"}]}`, `test /a/0 {"c":"\u00e9","b":1}; test  {"a":[{"b":1,"c":"é"}]}; remove /a`, `{}`)
		c.makes(patchType, "other members are ignored (RFC 6902 §4), and an empty patch changes nothing",
			`{"a":1}`, `[{"op":"remove","path":"/a","value":1,"why":"?"}]`, `{}`, `{"a":1}`, `[]`, `{"a":1}`)
		c.makes(patchType, "from is a member of move and copy alone", `{"a":{},"b":1}`, `[{"op":"remove","path":"/b","from":7},`+
			`{"op":"add","path":"/b","value":2,"from":null},{"op":"test","path":"/b","value":2,"from":"no"},{"op":"replace","path":"/b",`+
			`"value":3,"from":[]},{"op":"copy","path":"/c","from":"/b","value":null},{"op":"add","path":"/a/x","value":4,"from":"/a"}]`,
			`{"a":{"x":4},"b":3,"c":3}`)
	})
	inBubble(t, putpatch.Config{Validate: titled}, func(c client) {
		before := c.given("1", `{"title":"Plans","tags":["a","b"],"f":1.0,"by":{"name":"Ann"},"on":true}`)
		refuses := func(want int, why string, patches ...string) {
			c.t.Helper()
			for _, patch := range patches {
				c.refused(c.patch("1", patch), before, want, why)
			}
		}
		const bad = `remove PATH|replace PATH 1|move PATH /x|move PATH PATH|copy PATH /x|test PATH "b"`
		nowhere := func(why string, paths ...string) {
			for _, path := range paths {
				refuses(409, why, strings.Split(strings.ReplaceAll(bad, "PATH", path), "|")...)
			}
		}
		nowhere("there is no such place", `/no`, `/no/x`, `/title/x`, `/tags/2`, `/tags/9223372036854775808`)
		nowhere("an array has no place of that name", `/tags/-`, `/tags/first`, `/tags/1.5`, `/tags/a/b`)
		nowhere("an array has no place -1 (RFC 6901 §4)", `/tags/-1`)
		refuses(409, "there is no such place", `add /no/x 1`, `add /tags/3 "d"`, `add /tags/1.5 "d"`, `add /tags/-1 "d"`, `move /tags/0 /tags/2`)
		refuses(409, "no value is moved into itself (RFC 6902 §4.4)", `move /by /by/self`, `add /x [[1,2],[3]]; move /x/0 /x/0/0`, `move  /x`)
		refuses(409, "the value is another", `test /no 1`, `test /title "plans"`, `test /f 2`, `test /f "1.0"`, `test /on "true"`, `test /on 1`)
		refuses(409, "the value is another", `test /tags ["b","a"]`, `test /tags ["a"]`, `test /by {}`, `test /by {"name":"Ann","n":1}`)
		refuses(409, "the last operation does not fit, so none is applied", `replace /title "Lost"; remove /tags/0; test /f 2`)
		refuses(422, "the result has no title, which Validate demands", `replace /f 2; remove /title`, `replace  {"tags":[]}`)
		refuses(400, "a JSON patch is an array of objects", `{"title":"Merged"}`, `null`, `"[]"`, `[null]`, `["remove"]`, `[[]]`)
		refuses(400, "the patch is not one JSON value", `[{"op":"remove","path":"/f"}`, `[] []`, ``)
		refuses(400, "there is no such operation", `increment /f 1`, `Replace /f 1`, `[{"path":"/f"}]`, `[{"OP":"remove","path":"/f"}]`)
		refuses(400, "a path is a string", `[{"op":"remove"}]`, `[{"op":"remove","path":7}]`, `[{"op":"add","path":null,"value":{"title":""}}]`)
		refuses(400, "move and copy need a from, which is a string", `[{"op":"move","path":"/x"}]`, `[{"op":"copy","path":"/x","from":7}]`)
		refuses(400, "a value is missing", `[{"op":"add","path":"/x"}]`, `[{"op":"replace","path":"/f"}]`, `[{"op":"test","path":"/no"}]`)
		refuses(400, "the second is malformed", `remove /f; inc /f 1`, `[{"op":"move","from":"/f","path":"/f/x"},{"op":"test","path":"/f"}]`)
		c.changed(c.patch("1", `remove /title; add /title "New"`), before, strings.Replace(before.body, "Plans", "New", 1),
			"only the result need be a valid document, not what it was half way")
		c.refused(c.patch("none", `replace  {"title":"x"}`), c.get("none"), 404, "PATCH changes documents and creates none")
	})
}

var editors = []string{"ann", "ben"}

// A way is how an editor changes a document: renames it, or adds a member with the editor's NAME to what was SEEN.
type way struct{ name, method, kind, renames, adds string }

var ways = []way{
	{"PUT", "PUT", jsonType, renamed, `SEEN,"NAME":"was here"}`},
	{"merge patch", "PATCH", mergeType, renamed, `{"NAME":"was here"}`},
	{"JSON patch", "PATCH", patchType, `replace  ` + renamed, `add /NAME "was here"`},
}

// add sends an editor's addition, with the tag as its condition unless that is empty. Halfway something may happen.
func (c client) add(w way, name string, seen answer, tag string, halfway func()) answer {
	body := ops(strings.NewReplacer("NAME", name, "SEEN", strings.TrimSuffix(strings.TrimSpace(seen.body), "}")).Replace(w.adds))
	pause := reader(func([]byte) (int, error) { halfway(); return 0, io.EOF }) // the end of this part
	arriving := io.MultiReader(strings.NewReader(body[:10]), pause, strings.NewReader(body[10:]))
	return c.send(w.method, "1", arriving, body, "Content-Type", w.kind, "If-Match", tag)
}

// twoEditors lets two editors read a document and add to it, in every order, if it is still as it was seen or in any case.
func twoEditors(t *testing.T, w [2]way, document string, conditional bool, judge func(c client, seen, got []answer)) {
	t.Helper()
	inEveryOrder(t, func(c client) {
		c.given("1", document).etag("a condition needs one")
		seen, got := make([]answer, 2), make([]answer, 2)
		for i, name := range editors {
			c.x.Go(name+": "+w[i].name, func() {
				seen[i] = c.get("1")
				tag := map[bool]string{true: seen[i].tag()}
				got[i] = c.add(w[i], name, seen[i], tag[conditional], func() { c.x.Point("half of the body is there") })
			})
		}
		c.x.Run()
		judge(c, seen, got)
	})
}

// Two editors never overwrite each other's work unseen, in whatever order their requests come.
// A condition holds at the moment of the change, not only when the request begins.
func TestLostUpdate(t *testing.T) {
	condition := func(exists, holds bool, why string, fields ...string) { // TAG is the document's ETag, and TA begins like it
		for _, w := range map[bool][]way{true: ways, false: ways[:1]}[exists] { // PATCH is a 404 there, see the next step
			for _, field := range fields {
				inBubble(t, putpatch.Config{}, func(c client) {
					before := c.given("1", map[bool]string{true: plans}[exists])
					header := strings.NewReplacer("TAG", before.tag(), "TA", strings.TrimRight(before.tag(), `"`), ": ", "|", "; ", "|").Replace(field)
					if a := c.do(w.method, "1", w.kind, w.renames, strings.Split(header, "|")...); !holds {
						c.refused(a, before, 412, why)
					} else {
						a.expect(why, 200, 201, 204)
						c.holds("1", renamed, "the condition held")
					}
				})
			}
		}
	}
	condition(true, true, "the document exists, and is what the client saw", `If-Match: *`,
		`If-Match: TAG`, `If-Match: "other", TAG`, `If-Match: TAG,"other"`, `If-Match: "other"; If-Match: TAG`)
	condition(true, false, "the client saw another state", `If-Match: "other"`, `If-Match: "*"`, `If-Match: "other"; If-None-Match: "other"`)
	condition(true, false, "this tag only begins like the document's", `If-Match: TA-gzip"`)
	condition(true, false, "If-Match compares strongly, and a weak tag matches nothing", `If-Match: W/TAG`, `If-Match: "other", W/TAG`)
	condition(true, false, "the client wants to create the document, and it exists", `If-None-Match: *`, `If-Match: TAG; If-None-Match: *`)
	condition(true, false, "the client does not want to change this state, and If-None-Match compares weakly",
		`If-None-Match: TAG`, `If-None-Match: W/TAG`, `If-None-Match: "other"; If-None-Match: TAG`)
	condition(true, true, "the document is in another state", `If-None-Match: "other"`, `If-Match: TAG; If-None-Match: "other"`)
	condition(false, true, "nobody has created the document yet", `If-None-Match: *`, `If-None-Match: "other"`)
	condition(false, false, "there is no document, so not any state of it", `If-Match: *`, `If-Match: "other"`)
	inBubble(t, putpatch.Config{RequireCondition: true}, func(c client) {
		const demanded, held = "this server demands a condition (RFC 6585 §3)", "the request has a condition, and it holds"
		c.refused(c.put("1", plans), c.get("1"), 428, demanded)
		c.put("1", plans, "If-None-Match", "*").expect(held, 201)
		for _, w := range ways {
			before := c.get("1").expect("a GET needs no condition", 200)
			c.refused(c.do(w.method, "1", w.kind, w.renames), before, 428, demanded)
			c.do(w.method, "1", w.kind, w.renames, "If-Match", before.etag("a condition needs one")).done(held)
			c.do(w.method, "1", w.kind, w.renames, "If-None-Match", `"other"`).done(held)
		}
	})
	for i, w := range ways { // the body of the one takes its time, and then all orders
		inBubble(t, putpatch.Config{}, func(c client) {
			seen := c.given("1", plans)
			c.add(w, "ann", seen, seen.tag(), func() {
				c.t.Tell("Half of the body of Ann's %s has arrived. Everybody else should be answered meanwhile.", w.name)
				c.get("1").expect("nobody has changed the document yet", 200)
				c.put("2", plans).expect("a slow client stops nobody", 201)
				c.merge("1", `{"ben":"was here"}`, "If-Match", seen.tag()).done("nobody has changed the document yet")
			}).expect("Ben changed the document while Ann's body was still arriving", 412)
			c.holds("1", `{"title":"Plans","ben":"was here"}`, "Ben's change was accepted and Ann's was refused")
		})
		for _, other := range ways[i:] {
			twoEditors(t, [2]way{w, other}, plans, true, func(c client, seen, got []answer) {
				want := 1 + min(1, strings.Count(seen[0].body+seen[1].body, "was here")) // 2 if one came after the other
				accepted, document, now := 0, strings.TrimSuffix(plans, "}"), c.get("1").body
				for i, name := range editors {
					if got[i].expect("this is a change on a condition", 200, 204, 412).accepted() {
						accepted++
						document += `,"` + name + `":"was here"`
					}
				}
				step.Expect(c.t, accepted <= want, "An update was lost: Ann and Ben had read the same state, and both changes were accepted.")
				step.Expect(c.t, accepted >= want, "A good change was refused with 412, although its editor had read the document as it was.")
				step.Expect(c.t, sameJSON(now, document+"}"), "The document should have what was accepted, %s}; it is %s.", document, short(now))
			})
		}
	}
}

// A method or media type that is not served is refused before conditions are evaluated, and a broken body after them.
func TestTypesMethodsAndOrder(t *testing.T) {
	inBubble(t, putpatch.Config{}, func(c client) {
		states := []answer{c.given("1", plans), c.get("none").expect("nothing was put there", 404)}
		const another = "this is another type, or none"
		for _, row := range [][]string{ // the method, why, and the types
			{"PATCH", "application/json says nothing about how to patch (RFC 5789, erratum 3169)", jsonType},
			{"PATCH", another, "application/json-patch", "application/json-patch+xml", "application/vnd.api+json", "text/plain", "*/*", ""},
			{"PUT", "a patch is not the document; PUT takes " + jsonType, mergeType, patchType},
			{"PUT", another, "application/jsonl", "application/vnd.api+json", "json", "text/plain", "*/*", ""},
		} {
			for _, kind := range row[2:] {
				for _, before := range states {
					a := c.do(row[0], before.id, kind, `{"title":"Lost"}`)
					c.refused(a, before, 415, row[1])
					a.check(row[0] == "PUT" || a.lists("Accept-Patch", mergeType, patchType),
						"Expected Accept-Patch to list both patch types (RFC 5789 §3.1); got %q", a.header.Get("Accept-Patch"))
				}
			}
		}
		const letters = "a type is the same in upper and lower case (RFC 9110 §8.3.1), and with a parameter"
		c.do("PATCH", "1", mergeType+"; charset=utf-8", `{}`).done(letters)
		c.do("PATCH", "1", "Application/JSON-Patch+JSON;charset=UTF-8", `[]`).done(letters)
		c.do("PUT", "1", `APPLICATION/JSON; charset="utf-8"`, plans).done(letters)
		for _, before := range []answer{c.get("1"), states[1]} {
			for _, method := range []string{"POST", "DELETE"} {
				a := c.do(method, before.id, mergeType, plans)
				c.refused(a, before, 405, "a document has no such method")
				a.check(a.lists("Allow", "GET", "HEAD", "PUT", "PATCH") && !a.lists("Allow", method),
					"Expected Allow to list GET, HEAD, PUT and PATCH, and not %s (RFC 9110 §15.5.6); got %q", method, a.header.Get("Allow"))
			}
			c.refused(c.do("UPSERT", before.id, jsonType, plans), before, 501, "no RFC defines UPSERT (RFC 9110 §15.6.2)")
			c.refused(c.do("patch", before.id, mergeType, `{}`), before, 501, "method names are case-sensitive (RFC 9110 §9.1)")
		}
	})
	invalid := map[string]string{jsonType: `{"name":"untitled"}`, mergeType: `{"title":null}`, patchType: `remove /title`}
	statuses := []int{405, 501, 415, 404, 412, 428, 400, 409, 422} // in the order in which flaws are to be found
	for _, w := range ways {
		flaws := map[int][2]string{
			405: {"method", "DELETE"}, 501: {"method", "UPSERT"}, 415: {"kind", "text/plain"}, 404: {"id", "none"},
			412: {"match", `"stale"`}, 428: {"demands", "yes"}, 400: {"body", `{`}, 409: {"body", `remove /no`}, 422: {"body", invalid[w.kind]},
		}
		for i, first := range statuses {
			for _, second := range statuses[i+1:] {
				if w.method == "PUT" && (first == 404 || second == 404) || w.kind != patchType && (first == 409 || second == 409) {
					continue // PUT creates what is not there, and only a JSON patch says where
				}
				r := map[string]string{"method": w.method, "id": "1", "kind": w.kind, "body": w.renames}
				r[flaws[second][0]] = flaws[second][1]
				r[flaws[first][0]] = flaws[first][1]
				inBubble(t, putpatch.Config{RequireCondition: r["demands"] != "", Validate: titled}, func(c client) {
					c.put("1", plans, "If-None-Match", "*")
					before := c.get(r["id"])
					a := c.do(r["method"], r["id"], r["kind"], r["body"], "If-Match", r["match"])
					c.refused(a, before, first, fmt.Sprintf("%d comes before %d (RFC 9110 §13.2.1)", first, second))
				})
			}
		}
	}
}

// Bad input is answered with problem details, costs no more than it must, and leaves the document untouched.
func TestBadInput(t *testing.T) {
	exact := `{"title":"` + strings.Repeat("x", 88) + `"}` // 100 bytes
	inBubble(t, putpatch.Config{MaxBytes: 100, Validate: titled}, func(c client) {
		states := map[string]answer{"1": c.given("1", plans), "none": c.get("none").problem()}
		problem := func(want int, why string, answers ...answer) {
			c.t.Helper()
			for _, a := range answers {
				c.refused(a, states[a.id], want, why)
				a.problem()
			}
		}
		bad := func(want int, why string, bodies ...string) {
			c.t.Helper()
			for _, body := range bodies {
				problem(want, why, c.put("1", body), c.put("none", body), c.merge("1", body), c.patch("1", body))
			}
		}
		bad(400, "the body is two JSON values, or one and something more", `{"title":"x"} {"title":"y"}`, `{"title":"x"},`, `{"title":"x"}}`)
		bad(400, "that is not JSON", ``, `  `, `{"title":`, `{title:"x"}`, `title=x`, `{"title":"x","n":01}`, `{"title":"x","n":NaN}`)
		bad(413, "the body has more than the 100 bytes of MaxBytes", exact+" ", exact+exact)
		problem(404, "there is no such document", c.merge("none", `{}`))
		problem(409, "there is no such member", c.patch("1", `remove /no`))
		problem(412, "the document is not what the client saw", c.put("1", plans, "If-Match", `"stale"`), c.put("none", plans, "If-Match", "*"))
		problem(415, "the method takes another type", c.do("PATCH", "1", jsonType, `{}`), c.do("PUT", "none", "", plans))
		problem(405, "DELETE is a method that documents here do not have", c.do("DELETE", "none", "", ""))
		problem(501, "no RFC defines UPSERT", c.do("UPSERT", "1", jsonType, plans))
		problem(422, "Validate refuses a document without a title",
			c.put("1", `{"n":1}`), c.put("none", `{}`), c.merge("1", `{"title":null}`), c.merge("1", `"no object"`))
		c.merge("1", `{"n":2}`).done("the result has a title, although the patch has none")
		states["1"] = c.holds("1", `{"title":"Plans","n":2}`, "what was refused has left nothing behind")
		c.put("2", exact).expect("the document has 100 bytes, as many as MaxBytes allows", 201)
		c.merge("2", plans+strings.Repeat(" ", 100-len(plans))).done("the body has 100 bytes, as many as MaxBytes allows")
		for _, w := range ways {
			broken := io.MultiReader(strings.NewReader(plans), iotest.ErrReader(io.ErrUnexpectedEOF))
			a, read := c.send(w.method, "1", broken, plans+" and then a lost connection", "Content-Type", w.kind), 0
			problem(400, "the body broke off, and who knows what was to come", a)
			endless := reader(func(p []byte) (int, error) { read += len(p); return len(p), nil })
			a = c.send(w.method, "1", io.LimitReader(endless, 1<<20), "without an end", "Content-Type", w.kind)
			problem(413, "the body has more than the 100 bytes of MaxBytes", a)
			a.check(read <= 100+64<<10, "Expected it to stop reading soon after the 100 bytes of MaxBytes; it read %d bytes", read)
		}
		c.put("none", plans).expect("whatever was refused at this address, no document has been there", 201)
	})
	inBubble(t, putpatch.Config{RequireCondition: true}, func(c client) { c.put("1", plans).expect("no condition came", 428).problem() })
	for _, w := range ways[1:] {
		size := 0 // of the result, in the layout that the server has stored it in
		for _, less := range []int{0, 0, 1} {
			inBubble(t, putpatch.Config{MaxBytes: int64(max(size-less, 0))}, func(c client) {
				before := c.given("1", exact)
				a := c.add(w, "ann", before, "", func() {})
				if less == 1 {
					c.refused(a, before, 422, fmt.Sprintf("the result has %d bytes, and MaxBytes is one less", size))
					return
				}
				a.done("the result is not larger than MaxBytes")
				size = len(c.get("1").body)
			})
		}
	}
	inBubble(t, putpatch.Config{}, func(c client) {
		c.put("1", `"`+strings.Repeat("x", 1<<20-2)+`"`).expect("1 MiB is fine if MaxBytes is zero", 201)
		c.put("2", `"`+strings.Repeat("x", 1<<20-1)+`"`).expect("one byte more than 1 MiB is too much if MaxBytes is zero", 413)
		const large = "the result has more than 1 MiB, and MaxBytes is zero"
		before := c.given("2", `{"a":"`+strings.Repeat("x", 600_000)+`"}`)
		c.refused(c.merge("2", strings.Replace(before.body, "a", "b", 1)), before, 422, large)
		c.refused(c.patch("2", `add /b `+before.body), before, 422, large)
	})
}

// Many clients patch one document at once, and no change that was accepted is lost.
func TestFurtherConcurrentPatches(t *testing.T) {
	for i, w := range ways {
		for _, other := range ways[max(i, 1):] {
			twoEditors(t, [2]way{w, other}, plans, false, func(c client, _, got []answer) {
				got[0].done("it has no condition")
				got[1].done("it has no condition")
				now := c.get("1").body
				both := sameJSON(now, `{"title":"Plans","ann":"was here","ben":"was here"}`)
				step.Expect(c.t, both || w.method == "PUT" && sameJSON(now, `{"title":"Plans","ann":"was here"}`),
					"A change was lost: both were accepted, and neither names what the other changes. The document is now %s.", short(now))
			})
		}
	}
	for i, w := range slices.Concat(ways, ways[:1]) {
		inEveryOrder(t, func(c client) {
			c.slow = true
			match, got := map[int]string{3: "*"}[i], make([]answer, 2)
			c.given("1", map[string]string{"PATCH": plans}[w.method])
			body := func(name string) string { return strings.Replace(w.renames, "New", name+" was here", 1) }
			for i, name := range editors {
				c.x.Go(name, func() { got[i] = c.do(w.method, "1", w.kind, body(name), "If-None-Match", match) })
			}
			c.x.Run()
			last := map[bool]int{true: 1}[strings.Contains(c.get("1").body, editors[1])]
			if w.method == "PUT" {
				first := slices.IndexFunc(got, func(a answer) bool { return a.status == 201 })
				step.Expect(c.t, first >= 0, "One of two PUTs creates the document: 201; got %d and %d.", got[0].status, got[1].status)
				got[1-first].expect("the other had created the document", map[string][]int{"*": {412}, "": {200, 204}}[match]...)
				last = map[string]int{"*": first, "": 1 - first}[match]
			}
			now := c.holds("1", strings.TrimPrefix(body(editors[last]), "replace  "), "that "+w.name+" was the last one to be accepted")
			for i, a := range got {
				a.check(!a.accepted() || a.tag() == "" || (a.tag() == now.tag()) == (i == last),
					"An ETag in the answer should be that of the state that this %s made; got %s", w.name, a.tag())
			}
		})
	}
	step.ExploreWithin(t, 1, func(t *step.T, x *interleave.Schedule) { // in one order: somebody comes whenever Validate is asked
		asked, turns, c := 0, make(chan bool, 20), client{t: t, x: x}
		c.h = putpatch.NewHandler(putpatch.Config{Validate: func(document []byte) error {
			if bytes.Contains(document, []byte("was here")) && asked < cap(turns) {
				asked++
				turns <- true
				bell := make(chan bool) // which rings when the others have come, or wait for a lock
				go func() { x.Point("a while"); close(bell) }()
				<-bell
			}
			return nil
		}})
		before, ann := c.given("1", plans), answer{}
		x.Go("others", func() {
			for range turns {
				c.put("1", fmt.Sprintf(`{"n":%d}`, asked))
			}
		})
		x.Go("ann", func() { ann = c.add(ways[1], "ann", before, "", func() {}); close(turns) })
		x.Run()
		ann.done("it has no condition, however often the document changes meanwhile")
	})
	for _, first := range []string{plans, ""} {
		inEveryOrder(t, func(c client) {
			before, last, seen := c.given("1", first), `{"title":"Ann was here"}`, answer{}
			c.x.Go("reader", func() { seen = client{c.t, c.h, c.x, true}.get("1") })
			c.x.Go("writer", func() { c.put("1", `{"refused":"for it only says: was here"}`); c.put("1", last) })
			c.x.Run()
			after := c.reads("1", last, "it was put last")
			is := func(s answer) bool {
				return seen.status == s.status && seen.tag() == s.tag() && (s.status == 404 || seen.body == s.body)
			}
			seen.check(is(before) || is(after), "Expected a state before or after the change with its ETag; got %s, %q", seen.outcome(), seen.tag())
		})
	}
	twoEditors(t, [2]way{ways[1], ways[1]}, `{"title":"Plans","room":"for one"}`, false, func(c client, _, got []answer) {
		refused := slices.IndexFunc(got, func(a answer) bool { return a.status == 422 })
		step.Expect(c.t, refused >= 0, "Validate accepts each change and refuses both: 422 for one; got %d and %d.", got[0].status, got[1].status)
		got[1-refused].done("Validate accepts one change")
		c.holds("1", `{"title":"Plans","room":"for one","`+editors[1-refused]+`":"was here"}`, "the other change was refused")
	})
	ends := map[string]func(){`"panic"`: func() { panic("Validate panics") }, `"exit"`: runtime.Goexit, "": func() {}}
	for i, end := range strings.Fields(strings.Repeat("panic exit ", 4)) {
		inBubble(t, putpatch.Config{Validate: func(doc []byte) error { ends[member(string(doc), "end")](); return nil }}, func(c client) {
			w, before := ways[i/2%3], c.given("1", []string{plans, plans, plans, ""}[i/2])
			step.Start(c.t, func() (recovered any) {
				defer func() { recovered = recover() }() // as net/http does
				return c.do(w.method, "1", w.kind, strings.Replace(w.renames, `"title"`, `"end":"`+end+`","title"`, 1))
			}).Result()
			c.refused(c.put("1", plans, "If-Match", `"other"`), before, 412, "the store goes on, although Validate has ended a request")
			c.put("1", plans).expect("the store goes on", map[int][]int{200: {200, 204}, 404: {201}}[before.status]...)
			c.merge("1", `{"n":1}`).done("the store goes on")
		})
	}
	call := func(name, method, id, kind, body string) apart.Call[http.Handler] {
		return apart.Call[http.Handler]{Name: name, Do: func(h http.Handler) {
			r := httptest.NewRequest(method, "/documents/"+id, strings.NewReader(body))
			r.Header.Set("Content-Type", kind)
			h.ServeHTTP(httptest.NewRecorder(), r)
		}}
	}
	put := call("PUT", "PUT", "1", jsonType, plans)
	with := func() http.Handler { h := putpatch.NewHandler(putpatch.Config{}); put.Do(h); return h }
	apart.Pairs(t, with, put, call("PUT of another", "PUT", "2", jsonType, plans), call("GET", "GET", "1", "", ""),
		call("HEAD", "HEAD", "1", "", ""), call("GET of none", "GET", "none", "", ""), call("DELETE", "DELETE", "1", "", ""),
		call("PUT of text", "PUT", "1", "text/plain", plans), call("PUT of no JSON", "PUT", "1", jsonType, "{"),
		call("merge patch", "PATCH", "1", mergeType, `{"a":1}`), call("JSON patch", "PATCH", "1", patchType, `add /a 1`))
}

// A document or patch of many levels is stored or refused, at a cost in step with its size.
func TestFurtherDeepNesting(t *testing.T) {
	nested := func(levels int, core string) string {
		return strings.Repeat(`{"a":`, levels) + core + strings.Repeat(`}`, levels)
	}
	arrays := func(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }
	inBubble(t, putpatch.Config{}, func(c client) {
		const why = "nothing has more than 128 levels"
		for i, document := range []string{
			nested(128, "1"), arrays(128), strings.Repeat(`[{"a":`, 64) + "1" + strings.Repeat("}]", 64),
			"[" + strings.Repeat("[],", 300) + "{}" + strings.Repeat(",{}", 300) + "]",
			`["` + strings.Repeat("[", 300) + `","\"` + strings.Repeat("{", 300) + `","\\",[]]`,
		} {
			id := fmt.Sprint(i)
			c.put(id, document).expect(why, 201)
			c.merge(id, document).done(why)
			c.patch(id, `[]`).done(why)
			c.holds(id, document, why)
		}
		c.given("1", nested(127, `{}`))
		c.patch("1", `add `+strings.Repeat("/a", 127)+`/b 1; add /c `+arrays(126)).done(why)
		c.holds("1", `{"a":`+nested(126, `{"b":1}`)+`,"c":`+arrays(126)+`}`, why)
	})
	for _, levels := range []int{3_000, 10_000, 100_000} {
		deep := nested(levels-1, "1")
		for r := range slices.Chunk([]string{
			"PUT", jsonType, deep, "PATCH", mergeType, deep, "PATCH", mergeType, nested(levels, "null"), "PATCH", patchType, `test /a ` + deep,
			"PATCH", patchType, `add /b ` + deep, "PATCH", patchType, `add ` + strings.Repeat("/a", levels-1) + `/b 2`,
		}, 3) {
			inBubble(t, putpatch.Config{}, func(c client) {
				c.given("1", nested(100, "1"))
				c.put("1", nested(levels, "1")) // which may be refused
				before := c.get("1")
				if a := c.cheap(r[0], r[1], r[2]); !a.accepted() {
					c.refused(a.expect("many levels may be refused, as a bad request", 400, 409, 413, 422), before, a.status, "it was refused")
				}
			})
		}
	}
	inBubble(t, putpatch.Config{}, func(c client) { // each patch copies the document into its own depths
		for i, part := range []string{"/a", "/0"} {
			c.given("1", []string{nested(100, "{}"), arrays(101)}[i])
			for n, accepted := 101, true; accepted && n <= 20_000; n += n - 1 {
				accepted = c.cheap("PATCH", patchType, "copy "+part+" "+strings.Repeat(part, n)).accepted()
			}
		}
	})
}

// A patch that is made to do harm is refused, and the server goes on.
func TestFurtherHostilePatches(t *testing.T) {
	inBubble(t, putpatch.Config{MaxBytes: 10_000}, func(c client) {
		before := c.given("1", `{"a":["0123456789"],"empty":[null]}`)
		double := strings.TrimSuffix(strings.Repeat(`copy /a /a/-; `, 20), "; ")
		c.refused(c.cheap("PATCH", patchType, double), before, 422, "twenty times a copy of all there is makes more than MaxBytes")
		c.refused(c.patch("1", `[{"op":"test","path":""}]`), before, 400, "a test needs a value")
		if a := c.patch("1", `replace /a []; test /empty [null]`); a.accepted() {
			c.holds("1", `{"a":[],"empty":[null]}`, "the patch was accepted")
		} else {
			c.refused(a.problem(), before, max(a.status, 400), "the test holds, or a library cannot tell")
		}
		c.patch("1", `add /b 1`).done("the server goes on")
	})
	inBubble(t, putpatch.Config{MaxBytes: 1 << 28}, func(c client) {
		c.cheap("PUT", jsonType, plans).expect("a small document costs little, however large one may be", 201)
		c.given("1", `{"n":0,"list":[`+strings.Repeat("[0],", 10_000)+`0]}`)
		before, many := c.get("1"), strings.TrimSuffix(strings.Repeat(`replace /n 1; `, 1000), "; ")
		c.changed(c.cheap("PATCH", patchType, many), before, strings.Replace(before.body, ":0", ":1", 1), "n is replaced")
	})
}
