//go:build solutions

package putpatch_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"github.com/backend-kata/dojo/solutions/putpatch"
)

// The numbers of docs/putpatch.md. With -v the tests print them.

// A pair is what two editors write with, in every combination of which the same
// is to come out.
type pair struct {
	name                           string
	ways                           [][2]string
	lost, refused, lostIfCondition int
}

var pairs = []pair{
	{"PUT and PUT", [][2]string{{"PUT", "PUT"}}, 4, 4, 0},
	{"PUT and a patch", [][2]string{{"PUT", "merge"}, {"PUT", "json"}, {"merge", "PUT"}, {"json", "PUT"}}, 2, 4, 0},
	{
		"two patches of different members",
		[][2]string{{"merge", "merge"}, {"merge", "json"}, {"json", "merge"}, {"json", "json"}},
		0, 4, 0,
	},
	{"two patches of one member", [][2]string{{"title", "title"}}, 4, 4, 0},
}

// orders are those of two editors' requests: each reads, then writes.
var orders = []string{"AABB", "ABAB", "ABBA", "BAAB", "BABA", "BBAA"}

// How often is a change gone that whoever overwrote it had never seen? Played
// against the reference in all orders, without a condition and with If-Match.
func TestOrdersThatLoseAChange(t *testing.T) {
	table := "| the two write with | lost, no condition | lost, `If-Match` | refused, `If-Match` |\n|---|---|---|---|\n"
	for _, p := range pairs {
		for _, ways := range p.ways {
			lost, _ := count(t, ways, false)
			lostIfCondition, refused := count(t, ways, true)
			if lost != p.lost || lostIfCondition != p.lostIfCondition || refused != p.refused {
				t.Errorf("%v: lost %d of 6, with If-Match %d, and %d refused; the table says %+v", ways, lost, lostIfCondition, refused, p)
			}
		}
		table += fmt.Sprintf("| %s | %d of 6 | %d of 6 | %d of 6 |\n", p.name, p.lost, p.lostIfCondition, p.refused)
	}
	t.Log("\n" + table)
}

// The number to remember.
func TestTwoPuts(t *testing.T) {
	lost, _ := count(t, [2]string{"PUT", "PUT"}, false)
	t.Logf("%d of %d", lost, len(orders))
}

func count(t *testing.T, ways [2]string, condition bool) (lost, refused int) {
	t.Helper()
	for _, order := range orders {
		l, r := play(t, ways, order, condition)
		if l {
			lost++
		}
		if r {
			refused++
		}
	}
	return lost, refused
}

// play lets each editor read the document and then write it with a change of
// their own: a member, or the title. It reports whether an accepted change was
// overwritten by somebody who had not seen it, and whether one was refused.
func play(t *testing.T, ways [2]string, order string, condition bool) (lost, refused bool) {
	t.Helper()
	store := putpatch.NewHandler(putpatch.Config{})
	send(t, store, http.MethodPut, "application/json", `{"title":"Plans"}`)
	read, tag, accepted := map[rune]string{}, map[rune]string{}, map[rune]bool{}
	for _, editor := range order {
		if read[editor] == "" {
			w := answer(store, http.MethodGet, "", "", "")
			read[editor], tag[editor] = w.Body.String(), w.Header().Get("ETag")
			continue
		}
		if !condition {
			tag[editor] = ""
		}
		method, kind, body := write(ways[editor-'A'], read[editor], editor)
		switch w := answer(store, method, kind, tag[editor], body); w.Code {
		case http.StatusNoContent:
			accepted[editor] = true
		case http.StatusPreconditionFailed:
			refused = true
		default:
			t.Fatalf("%s %s was answered %d", method, body, w.Code)
		}
	}
	end := answer(store, http.MethodGet, "", "", "").Body.String()
	for _, editor := range "AB" {
		other := 'A' + 'B' - editor
		lost = lost || accepted[editor] && !has(t, end, editor) && !has(t, read[other], editor)
	}
	return lost, refused
}

func write(way, read string, editor rune) (method, kind, body string) {
	switch way {
	case "PUT":
		return http.MethodPut, "application/json", strings.TrimSuffix(read, "}") + fmt.Sprintf(`,"%c":1}`, editor)
	case "merge":
		return http.MethodPatch, "application/merge-patch+json", fmt.Sprintf(`{"%c":1}`, editor)
	case "json":
		return http.MethodPatch, "application/json-patch+json", fmt.Sprintf(`[{"op":"add","path":"/%c","value":1}]`, editor)
	default:
		return http.MethodPatch, "application/merge-patch+json", fmt.Sprintf(`{"title":"%c"}`, editor)
	}
}

// has reports whether a document has the change of an editor.
func has(t *testing.T, document string, editor rune) bool {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal([]byte(document), &members); err != nil {
		t.Fatal(err)
	}
	return members[string(editor)] != nil || members["title"] == string(editor)
}

// A copy of an array into itself doubles the document, and a patch may have
// many. The library has a limit for that, which is off unless it is set.
func TestCopiesDouble(t *testing.T) {
	const copies, limit = 20, 1 << 20
	patch := "[" + strings.TrimSuffix(strings.Repeat(`{"op":"copy","from":"/a","path":"/a/-"},`, copies), ",") + "]"
	operations, err := jsonpatch.DecodePatch([]byte(patch))
	if err != nil {
		t.Fatal(err)
	}
	large, err := operations.ApplyWithOptions([]byte(`{"a":[]}`), jsonpatch.NewApplyOptions())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := operations.ApplyWithOptions([]byte(`{"a":[]}`), &jsonpatch.ApplyOptions{AccumulatedCopySizeLimit: limit}); err == nil {
		t.Error("the library's limit for copies should stop the patch")
	}
	t.Logf("a patch of %d bytes turned 8 bytes into %.1f MB", len(patch), float64(len(large))/1e6)
}

func answer(store http.Handler, method, kind, etag, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/documents/1", bytes.NewBufferString(body))
	r.Header.Set("Content-Type", kind)
	if etag != "" {
		r.Header.Set("If-Match", etag)
	}
	w := httptest.NewRecorder()
	store.ServeHTTP(w, r)
	return w
}

func send(t *testing.T, store http.Handler, method, kind, body string) {
	t.Helper()
	if w := answer(store, method, kind, "", body); w.Code >= http.StatusBadRequest {
		t.Fatalf("%s %s was answered %d", method, body, w.Code)
	}
}
