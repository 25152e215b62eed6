package putpatch_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/putpatch"
)

const (
	jsonType  = "application/json"
	mergeType = "application/merge-patch+json"
	patchType = "application/json-patch+json"
)

// A client talks to one store, without a network.
type client struct {
	t    *testing.T
	h    http.Handler
	last string // the last request that was to change something, and its status
}

func newClient(t *testing.T, cfg putpatch.Config) *client {
	return &client{t: t, h: putpatch.NewHandler(cfg)}
}

// An answer is what came back for one request.
type answer struct {
	t       *testing.T
	request string // the request, as failure messages name it
	path    string
	status  int
	header  http.Header
	body    string
}

// send sends one request to a document and waits for its answer. The header fields are names and values in turn.
func (c *client) send(method, id, body string, header ...string) answer {
	c.t.Helper()
	return c.sendFrom(method, id, strings.NewReader(body), body, header...)
}

// sendFrom is send with a body of any kind, which failure messages describe in the given words.
func (c *client) sendFrom(method, id string, body io.Reader, words string, header ...string) answer {
	c.t.Helper()
	exchange := c.start(method, id, body, words, header...)
	if !exchange.wait() {
		exchange.failBlocked(c.t)
	}
	a := exchange.result(c.t)
	if method != http.MethodGet && method != http.MethodHead {
		c.last = fmt.Sprintf("%s was answered %d", a.request, a.status)
	}
	return a
}

func (c *client) get(id string, header ...string) answer {
	c.t.Helper()
	return c.send(http.MethodGet, id, "", header...)
}

func (c *client) put(id, document string, header ...string) answer {
	c.t.Helper()
	return c.send(http.MethodPut, id, document, append([]string{"Content-Type", jsonType}, header...)...)
}

// merge sends a merge patch.
func (c *client) merge(id, patch string, header ...string) answer {
	c.t.Helper()
	return c.send(http.MethodPatch, id, patch, append([]string{"Content-Type", mergeType}, header...)...)
}

// patch sends a JSON patch.
func (c *client) patch(id, patch string, header ...string) answer {
	c.t.Helper()
	return c.send(http.MethodPatch, id, patch, append([]string{"Content-Type", patchType}, header...)...)
}

// given puts a document that a step starts from. Whether PUT answers as it should is the first step's question, so any
// answer that is no failure will do here.
func (c *client) given(id, document string) {
	c.t.Helper()
	a := c.put(id, document)
	if a.status >= 400 {
		a.fail("The step cannot begin", "needed a document to start from; got %s", a.describe())
	}
}

// reads checks that a GET returns the very bytes.
func (c *client) reads(id, want, why string) answer {
	c.t.Helper()
	a := c.get(id)
	a.request += " after " + c.last
	a.expect(why, http.StatusOK)
	if a.body != want {
		a.fail("GET returned other bytes than it should",
			"expected the very bytes\n  %s\nsince %s; got\n  %s", short(want), why, short(a.body))
	}
	return a
}

// holds checks that a GET returns a document of the same JSON value, whatever its order and white space. Numbers are
// the same only if they are spelled the same.
func (c *client) holds(id, want, why string) answer {
	c.t.Helper()
	a := c.get(id)
	a.request += " after " + c.last
	a.expect(why, http.StatusOK)
	if !sameJSON(want, a.body) {
		a.fail("The document is not as it should be",
			"expected the document\n  %s\nsince %s; got\n  %s", short(want), why, short(a.body))
	}
	return a
}

// expect checks the status. A list of several leaves the choice to the server.
func (a answer) expect(why string, status ...int) answer {
	a.t.Helper()
	if slices.Contains(status, a.status) {
		return a
	}
	a.fail("The answer is "+statusText(a.status), "expected %s, since %s; got %s", statuses(status), why, a.describe())
	return a
}

// fail ends the step. The last line of the message is the command that repeats it.
func (a answer) fail(headline, format string, args ...any) {
	a.t.Helper()
	fail(a.t, headline, a.request+":\n"+fmt.Sprintf(format, args...))
}

func fail(t *testing.T, headline, message string) {
	t.Helper()
	t.Fatalf("%s.\n%s\nagain: go test -run '^%s$' ./kata/putpatch", headline, message, t.Name())
}

// describe gives the status and, if the server said why, its reason.
func (a answer) describe() string {
	var problem struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal([]byte(a.body), &problem) == nil && a.status >= 400 && problem.Detail != "" {
		return fmt.Sprintf("%s (%s)", statusText(a.status), short(problem.Detail))
	}
	return statusText(a.status)
}

func (a answer) accepted() bool { return a.status >= 200 && a.status < 300 }

// strongTag is the syntax of RFC 9110 §8.8.3, without the mark of a weak one.
var strongTag = regexp.MustCompile(`^"[\x21\x23-\x7e\x80-\xff]*"$`)

// etag checks that the answer has a strong ETag, says why if it has none, and returns it.
func (a answer) etag(why string) string {
	a.t.Helper()
	tag := a.header.Get("ETag")
	if !strongTag.MatchString(tag) {
		a.fail("There is no strong ETag", `expected a strong ETag, like "v1" with its quotes and without W/, since %s; got %s`,
			why, short(tag))
	}
	return tag
}

// longTag is a tag that failure messages cut.
var longTag = regexp.MustCompile(`"([^"]{8})[^"]{8,}"`)

// truthful checks what the answer to a write says about the document against what a GET says.
func (c *client) truthful(a answer) {
	c.t.Helper()
	now := c.get(a.path)
	if tag := a.header.Get("ETag"); tag != "" && tag != now.header.Get("ETag") {
		a.fail("The answer has the ETag of no document",
			"an ETag is optional here, and is that of the new document; got ETag %s, and GET says %s",
			tag, now.header.Get("ETag"))
	}
	if a.request != "" && strings.HasPrefix(a.request, http.MethodPatch) && a.status == http.StatusOK &&
		a.body != "" && !sameJSON(now.body, a.body) {
		a.fail("The answer has another document than GET",
			"a body is optional here, and is the new document; got %s, and GET says %s", short(a.body), short(now.body))
	}
}

// problem checks that the answer is a problem of RFC 9457.
func (a answer) problem() {
	a.t.Helper()
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil || kind != "application/problem+json" {
		a.fail("The answer is not a problem", "expected the answer %s to have the type application/problem+json; got %q",
			statusText(a.status), a.header.Get("Content-Type"))
	}
	var members map[string]any
	if err := json.Unmarshal([]byte(a.body), &members); err != nil {
		a.fail("The answer is not a problem", "expected the answer %s to have a JSON object for its body; got %q",
			statusText(a.status), short(a.body))
	}
	if status, ok := members["status"].(float64); !ok || int(status) != a.status {
		a.fail("The problem has another status", `expected "status": %d in the problem, as in the status line; got %s`,
			a.status, short(a.body))
	}
	if title, ok := members["title"].(string); !ok || title == "" {
		a.fail("The problem has no title", `expected a "title" in the problem; got %s`, short(a.body))
	}
	if kind, sent := members["type"]; sent {
		if _, ok := kind.(string); !ok {
			a.fail("The problem's type is no reference", `expected "type" to be left out or a string; got %s`, short(a.body))
		}
	}
}

// An exchange is a request on its way.
type exchange struct {
	done     chan struct{}
	request  string
	path     string
	recorder *httptest.ResponseRecorder
	panicked string
}

// start sends a request in a goroutine of its own.
func (c *client) start(method, id string, body io.Reader, words string, header ...string) *exchange {
	r := httptest.NewRequest(method, "/documents/"+id, body)
	var shown []string
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
		if header[i] == "Content-Type" {
			shown = append(shown, header[i+1])
		} else {
			shown = append(shown, header[i]+": "+longTag.ReplaceAllString(header[i+1], `"$1…"`))
		}
	}
	e := &exchange{
		done:     make(chan struct{}),
		request:  method + " " + r.URL.Path,
		path:     id,
		recorder: httptest.NewRecorder(),
	}
	if len(shown) > 0 {
		e.request += " (" + strings.Join(shown, ", ") + ")"
	}
	switch {
	case words != "":
		e.request += " with " + short(words)
	case method == http.MethodPut || method == http.MethodPatch:
		e.request += " with an empty body"
	}
	go func() {
		defer close(e.done)
		defer func() {
			if p := recover(); p != nil {
				e.panicked = fmt.Sprintf("%v%s", p, places(string(debug.Stack())))
			}
		}()
		c.h.ServeHTTP(e.recorder, r)
	}()
	return e
}

// wait waits for the answer. It returns false if there will be none.
func (e *exchange) wait() bool { return settled(e.done) }

// settled waits until done is closed. It returns false as soon as every other goroutine waits for another, since then it
// never will be. The ticks say when to look; what is found decides, and never the time that has passed.
func settled(done <-chan struct{}) bool {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	var stacks []byte
	for looks := 0; looks < 2; {
		select {
		case <-done:
			return true
		case <-tick.C:
		}
		if stacks = allStacks(stacks); othersWait(stacks) {
			looks++
		} else {
			looks = 0
		}
	}
	select {
	case <-done: // it came just before the last look
		return true
	default:
		return false
	}
}

// result returns the answer of an exchange that is done.
func (e *exchange) result(t *testing.T) answer {
	t.Helper()
	if e.panicked != "" {
		fail(t, "The handler panicked", e.request+":\nexpected an answer; the handler panicked: "+e.panicked)
	}
	return answer{
		t: t, request: e.request, path: e.path,
		status: e.recorder.Code, header: e.recorder.Result().Header, body: e.recorder.Body.String(),
	}
}

func (e *exchange) failBlocked(t *testing.T) {
	t.Helper()
	var blocked strings.Builder
	for stack := range strings.SplitSeq(string(allStacks(nil)), "\n\n") {
		if where := places(stack); where != "" {
			header, _, _ := strings.Cut(stack, "\n")
			fmt.Fprintf(&blocked, "\n  %s%s", header, where)
		}
	}
	fail(t, "The request got no answer", e.request+":\nexpected an answer; all goroutines wait for each other: "+
		"is a lock still held, or a channel never served?"+blocked.String())
}

// places returns the lines of a stack that are in the solution.
func places(stack string) string {
	var found strings.Builder
	for line := range strings.Lines(stack) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " +0x")
		_, file, ok := strings.Cut(line, "/putpatch/")
		if ok && strings.Contains(file, ".go:") && !strings.Contains(file, "_test.go:") {
			found.WriteString("\n  at " + file)
		}
	}
	return found.String()
}

// waiting are the states of a goroutine, in the runtime's words, that only another goroutine can end. A state of
// "semacquire" is not one, since the runtime's own locks show as it.
var waiting = [][]byte{[]byte("chan "), []byte("select"), []byte("sync.")}

// othersWait reports whether every goroutine but the caller's, whose stack comes first, waits for another.
func othersWait(stacks []byte) bool {
	_, others, _ := bytes.Cut(stacks, []byte("\n\n"))
	for stack := range bytes.SplitSeq(others, []byte("\n\n")) {
		_, state, _ := bytes.Cut(stack, []byte("["))
		waits := slices.ContainsFunc(waiting, func(w []byte) bool { return bytes.HasPrefix(state, w) })
		// Two goroutines are in settled when a request waits in the middle for another one. The step waits, even while
		// it looks; the request in the middle goes on when it has looked often enough.
		if bytes.Contains(stack, []byte("putpatch_test.settled(")) {
			waits = bytes.Contains(stack, []byte("testing.tRunner("))
		}
		if !waits {
			return false
		}
	}
	return true
}

// allStacks returns the stacks of all goroutines, in buf if it is large enough.
func allStacks(buf []byte) []byte {
	for buf = buf[:cap(buf)]; ; buf = make([]byte, 2*len(buf)+1<<16) {
		if n := runtime.Stack(buf, true); n < len(buf) {
			return buf[:n]
		}
	}
}

// An endless body counts what is read of it. It ends after a megabyte all the same, lest a server that reads everything
// takes the test with it.
type endless struct{ read int }

const endlessBytes = 1 << 20

func (b *endless) Read(p []byte) (int, error) {
	if b.read == 0 && len(p) > 0 {
		p[0] = '"'
		b.read = 1
		return 1, nil
	}
	if b.read >= endlessBytes {
		return 0, io.EOF
	}
	n := copy(p, bytes.Repeat([]byte("x"), min(len(p), endlessBytes-b.read)))
	b.read += n
	return n, nil
}

// A broken body is cut off by a lost connection after the text.
func broken(text string) io.Reader {
	return io.MultiReader(strings.NewReader(text), errorReader{})
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// A pausing body calls pause once, when half of it has arrived.
func pausing(text string, pause func()) io.Reader {
	half := len(text) / 2
	return io.MultiReader(strings.NewReader(text[:half]), &hook{pause: pause}, strings.NewReader(text[half:]))
}

type hook struct{ pause func() }

func (h *hook) Read([]byte) (int, error) {
	h.pause()
	return 0, io.EOF // the end of this part
}

// A timeline is what two clients did, in two columns.
type timeline struct {
	left, right string
	lines       []string
}

func newTimeline(left, right string) *timeline {
	return &timeline{left: left, right: right}
}

func (l *timeline) add(who, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if who == l.right {
		text = strings.Repeat(" ", 38) + text
	}
	l.lines = append(l.lines, fmt.Sprintf("  %2d  %s", len(l.lines)+1, text))
}

func (l *timeline) String() string {
	return fmt.Sprintf("\n      %-38s%s\n%s", l.left, l.right, strings.Join(l.lines, "\n"))
}

// sameJSON reports whether two texts are the same JSON value, with numbers compared as they are spelled.
func sameJSON(a, b string) bool {
	x, errX := decodeJSON(a)
	y, errY := decodeJSON(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

func decodeJSON(text string) (any, error) {
	if !json.Valid([]byte(text)) {
		return nil, fmt.Errorf("no JSON value: %q", short(text))
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	return v, err
}

// member returns a member of a JSON object as it is spelled.
func member(object, name string) string {
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(object), &members); err != nil {
		return ""
	}
	return string(members[name])
}

func statuses(list []int) string {
	var words []string
	for _, s := range list {
		words = append(words, statusText(s))
	}
	return strings.Join(words, " or ")
}

func statusText(status int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
}

// short makes a text fit a line.
func short(text string) string {
	const longest = 100
	text = strings.ReplaceAll(text, "\n", "⏎")
	if text == "" {
		return "(nothing)"
	}
	if len(text) <= longest {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(text[:longest], ""), len(text))
}
