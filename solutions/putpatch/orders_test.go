//go:build solutions

package putpatch_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/solutions/putpatch"
)

// The answer page says in how many orders of two editors' requests one's
// change is gone, where neither sends a condition. This plays them all.
func TestOrdersThatLoseAChange(t *testing.T) {
	want := map[string]int{"PUT and PUT": 4, "PUT and a patch": 2, "two patches": 0}
	for _, ann := range []string{"PUT", "merge", "json"} {
		for _, ben := range []string{"PUT", "merge", "json"} {
			pair := "two patches"
			switch {
			case ann == "PUT" && ben == "PUT":
				pair = "PUT and PUT"
			case ann == "PUT" || ben == "PUT":
				pair = "PUT and a patch"
			}
			lost := 0
			for _, order := range []string{"AABB", "ABAB", "ABBA", "BAAB", "BABA", "BBAA"} {
				if play(t, ann, ben, order) != 2 {
					lost++
				}
			}
			if lost != want[pair] {
				t.Errorf("%s and %s: a change was lost in %d of 6 orders, and docs/putpatch.md says %d", ann, ben, lost, want[pair])
			}
		}
	}
}

// play lets each editor read the document and then write it with a member of
// their own. It returns how many of the two members are there in the end.
func play(t *testing.T, ann, ben, order string) int {
	t.Helper()
	store := putpatch.NewHandler(putpatch.Config{})
	send(t, store, http.MethodPut, "application/json", `{"title":"Plans"}`)
	how := map[rune]string{'A': ann, 'B': ben}
	read := map[rune]string{}
	for _, editor := range order {
		if read[editor] == "" {
			read[editor] = send(t, store, http.MethodGet, "", "")
			continue
		}
		switch how[editor] {
		case "PUT":
			send(t, store, http.MethodPut, "application/json", strings.TrimSuffix(read[editor], "}")+fmt.Sprintf(`,"%c":1}`, editor))
		case "merge":
			send(t, store, http.MethodPatch, "application/merge-patch+json", fmt.Sprintf(`{"%c":1}`, editor))
		case "json":
			send(t, store, http.MethodPatch, "application/json-patch+json", fmt.Sprintf(`[{"op":"add","path":"/%c","value":1}]`, editor))
		}
	}
	var end map[string]any
	if err := json.Unmarshal([]byte(send(t, store, http.MethodGet, "", "")), &end); err != nil {
		t.Fatal(err)
	}
	return len(end) - 1
}

func send(t *testing.T, store http.Handler, method, kind, body string) string {
	t.Helper()
	r := httptest.NewRequest(method, "/documents/1", strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	w := httptest.NewRecorder()
	store.ServeHTTP(w, r)
	if w.Code >= http.StatusBadRequest {
		t.Fatalf("%s %s was answered %d", method, body, w.Code)
	}
	return w.Body.String()
}
