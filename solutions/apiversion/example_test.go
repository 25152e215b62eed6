//go:build solutions

package apiversion_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// The examples of docs/apiversion.md: people, of whom version 1 knows the name and the city.

type people struct {
	mu   sync.Mutex
	docs map[string]map[string]any // in the newest version
	n    map[string]int            // of writes
}

func (p *people) load(id string) (doc map[string]any, version int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.docs[id]), p.n[id]
}

func (p *people) save(id string, doc map[string]any) {
	_, version := p.load(id)
	p.swap(id, version, doc)
}

// swap stores a document if nobody has written since it was loaded.
func (p *people) swap(id string, version int, doc map[string]any) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.n[id] != version {
		return false
	}
	p.docs[id] = doc
	p.n[id]++
	return true
}

// up lifts a document of version 1 to the newest.
func up(doc map[string]any) map[string]any {
	doc = maps.Clone(doc)
	if name, ok := doc["name"].(string); ok {
		doc["given"], doc["family"], _ = strings.Cut(name, " ")
		delete(doc, "name")
	}
	return doc
}

// down lowers a document to version 1, which has no phone.
func down(doc map[string]any) map[string]any {
	doc = maps.Clone(doc)
	doc["name"] = fmt.Sprint(doc["given"], " ", doc["family"])
	for _, name := range []string{"given", "family", "phone"} {
		delete(doc, name)
	}
	return doc
}

// example: whole
func (p *people) putV1(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.save(r.PathValue("id"), up(body)) // erases what version 1 cannot see
	w.WriteHeader(http.StatusNoContent)
}

// end

// example: merged
func (p *people) putV1Merged(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	id := r.PathValue("id")
	for saved := false; !saved; {
		newest, version := p.load(id)
		base := up(down(newest)) // what version 1 could see
		saved = p.swap(id, version, merge(base, up(body), newest))
	}
	w.WriteHeader(http.StatusNoContent)
}

// end

// example: merge
func merge(base, theirs, newest map[string]any) map[string]any {
	merged := maps.Clone(newest)
	for name := range base {
		if _, kept := theirs[name]; !kept {
			delete(merged, name) // the client removed it
		}
	}
	for name, value := range theirs {
		if was, had := base[name]; !had || !reflect.DeepEqual(was, value) {
			merged[name] = value // the client added or changed it
		}
	}
	return merged
}

// end

// TestExample: a client of version 1 changes one letter, and another client then looks for the phone.
func TestExample(t *testing.T) {
	text := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	log := ""
	want := map[string]any{"city": "Oslo", "family": "Lee", "given": "Anne", "phone": "555-0100"}
	for _, way := range []struct {
		name string
		put  func(*people) http.HandlerFunc
		lost string
	}{
		{"putV1", func(p *people) http.HandlerFunc { return p.putV1 }, "phone"},
		{"putV1Merged", func(p *people) http.HandlerFunc { return p.putV1Merged }, ""},
	} {
		p := &people{
			docs: map[string]map[string]any{"7": {"city": "Oslo", "family": "Lee", "given": "Ann", "phone": "555-0100"}},
			n:    map[string]int{},
		}
		mux := http.NewServeMux()
		mux.HandleFunc("GET /v1/people/{id}", func(w http.ResponseWriter, r *http.Request) {
			doc, _ := p.load(r.PathValue("id"))
			_, _ = io.WriteString(w, text(down(doc))) // to a recorder
		})
		mux.HandleFunc("PUT /v1/people/{id}", way.put(p))
		got := httptest.NewRecorder()
		mux.ServeHTTP(got, httptest.NewRequest(http.MethodGet, "/v1/people/7", nil))
		changed := strings.Replace(got.Body.String(), "Ann", "Anne", 1)
		if log == "" {
			log = fmt.Sprintf("GET  /v1/people/7  %s\nPUT  /v1/people/7  %s\n\nBoth are answered %d. What is stored then:\n",
				got.Body, changed, http.StatusNoContent)
		}
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, httptest.NewRequest(http.MethodPut, "/v1/people/7", strings.NewReader(changed)))
		stored, _ := p.load("7")
		log += fmt.Sprintf("%-12s %s\n", way.name, text(stored))

		expected := maps.Clone(want)
		delete(expected, way.lost)
		if !reflect.DeepEqual(stored, expected) || answer.Code != http.StatusNoContent {
			t.Errorf("After %s: %d and %s, want 204 and %s", way.name, answer.Code, text(stored), text(expected))
		}
	}
	t.Log("\n" + log)
}

// TestMerge: what the client removes is gone, and what another client writes meanwhile is kept.
func TestMerge(t *testing.T) {
	newest := map[string]any{"city": "Oslo", "family": "Lee", "given": "Ann", "phone": "555-0100"}
	base := up(down(newest))
	got := merge(base, map[string]any{"family": "Lee", "given": "Ann", "title": nil}, newest)
	if want := (map[string]any{"family": "Lee", "given": "Ann", "phone": "555-0100", "title": nil}); !reflect.DeepEqual(got, want) {
		t.Errorf("merge gives %v, want %v", got, want)
	}
}
