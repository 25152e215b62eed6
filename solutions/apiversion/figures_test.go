//go:build solutions

package apiversion_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/solutions/apiversion"
	"github.com/backend-kata/dojo/solutions/internal/figure"
)

// The figure and the numbers of docs/apiversion.md come from here. With -v the tests print the numbers; make figures draws.

func TestFigureVersions(t *testing.T) {
	figure.Drawn(t, "apiversion-versions", figure.Boxes{
		Title:  "The handler knows one version, changes do the rest",
		Assume: "A request of 2023 goes up, oldest change first. Its response comes down, newest change first.",
		Alt: "Four boxes, one above the other. The handler knows only 2026, with given and family name, address and phones. " +
			"Below it, 2025 has one phone, 2024 a city in place of the address, and 2023 one name. " +
			"A request of 2023 goes up through three changes: split the name, put the city into an address, put the phone into a list. " +
			"The response comes down through the same three: first phone only, city only, join the name.",
		Rows: [][]figure.Box{
			{{Name: "2026-01-10", Note: "given, family, address, phones", Role: figure.Right}},
			{{Name: "2025-03-01", Note: "given, family, address, phone"}},
			{{Name: "2024-02-15", Note: "given, family, city, phone"}},
			{{Name: "2023-06-01", Note: "name, city, phone"}},
		},
		Arrows: []figure.Arrow{
			{From: "2023-06-01", To: "2024-02-15", Words: "split the name"},
			{From: "2024-02-15", To: "2025-03-01", Words: "wrap the city"},
			{From: "2025-03-01", To: "2026-01-10", Words: "phone to a list"},
			{From: "2026-01-10", To: "2025-03-01", Words: "first phone only"},
			{From: "2025-03-01", To: "2024-02-15", Words: "city only"},
			{From: "2024-02-15", To: "2023-06-01", Words: "join the name"},
		},
	})
}

type object = map[string]any

// person is stored in the newest version. Nine values count; 2023 sees five of them.
const person = `{"id":7,"given":"Ann","family":"Lee","address":{"street":"Storgata 1","city":"Oslo","zip":"0155"},` +
	`"phones":["555-0100","555-0199"],"consent":true}`

// history has one breaking change a year.
var history = []apiversion.Change{
	{Since: "2024-02-15", Up: onObject(func(o object) {
		if name, ok := o["name"].(string); ok {
			o["given"], o["family"], _ = strings.Cut(name, " ")
			delete(o, "name")
		}
	}), Down: onObject(func(o object) {
		o["name"] = fmt.Sprint(o["given"], " ", o["family"])
		delete(o, "given")
		delete(o, "family")
	})},
	{Since: "2025-03-01", Up: onObject(func(o object) {
		if city, ok := o["city"]; ok {
			o["address"] = object{"city": city}
			delete(o, "city")
		}
	}), Down: onObject(func(o object) {
		if address, ok := o["address"].(object); ok {
			o["city"] = address["city"]
			delete(o, "address")
		}
	})},
	{Since: "2026-01-10", Up: onObject(func(o object) {
		if phone, ok := o["phone"]; ok {
			o["phones"] = []any{phone}
			delete(o, "phone")
		}
	}), Down: onObject(func(o object) {
		if phones, ok := o["phones"].([]any); ok && len(phones) > 0 {
			o["phone"] = phones[0]
		}
		delete(o, "phones")
		delete(o, "consent")
	})},
}

func onObject(change func(object)) func(any) any {
	return func(body any) any {
		if o, ok := body.(object); ok {
			o = maps.Clone(o)
			change(o)
			return o
		}
		return body
	}
}

// transform takes a document from a version to the newest, or back.
func transform(version string, doc any, lift bool) any {
	for i := range history {
		change, f := history[i], history[i].Up
		if !lift {
			change = history[len(history)-1-i]
			f = change.Down
		}
		if change.Since > version {
			doc = f(doc)
		}
	}
	return doc
}

// A client reads a person in its version, changes one thing and puts the whole document back.
type client struct {
	version, does, from, to string // from and to are in the body
}

var clients = []client{
	{"2023-06-01", "the name", "Ann", "Anne"},
	{"2023-06-01", "the city", "Oslo", "Rome"},
	{"2023-06-01", "the phone", "0100", "0142"},
	{"2024-02-15", "the name", "Ann", "Anne"},
	{"2025-03-01", "the name", "Ann", "Anne"},
	{"2026-01-10", "the name", "Ann", "Anne"},
}

// puts are ways to store what an old client puts; theirs is lifted already.
var puts = []struct {
	name  string
	store func(base, theirs, newest object) object
}{
	{"PUT whole", func(_, theirs, _ object) object { return theirs }},
	{"keep what the PUT lacks", func(_, theirs, newest object) object {
		kept := maps.Clone(newest)
		maps.Copy(kept, theirs)
		return kept
	}},
	{"three-way, top members", merge},
}

// leaves returns the values of a document by their path.
func leaves(path string, value any) map[string]string {
	all := map[string]string{}
	switch v := value.(type) {
	case object:
		for name := range v {
			maps.Copy(all, leaves(path+"/"+name, v[name]))
		}
	case []any:
		for i := range v {
			maps.Copy(all, leaves(path+"/"+strconv.Itoa(i), v[i]))
		}
	default:
		all[path] = fmt.Sprint(v)
	}
	return all
}

func decode(t *testing.T, text string) object {
	var o object
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func encode(t *testing.T, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// lost counts the values that were stored before a client's PUT and are gone after it.
func lost(t *testing.T, c client, store func(base, theirs, newest object) object) (gone, all int) {
	newest := decode(t, person)
	body := strings.Replace(encode(t, transform(c.version, newest, false)), c.from, c.to, 1)
	theirs, _ := transform(c.version, decode(t, body), true).(object)
	base, _ := transform(c.version, transform(c.version, newest, false), true).(object)
	return missing(newest, store(base, theirs, newest))
}

func missing(before, after object) (gone, all int) {
	was, is := leaves("", before), leaves("", after)
	for path := range was {
		if _, ok := is[path]; !ok {
			gone++
		}
	}
	return gone, len(was)
}

type pins struct{}

func (pins) Get(context.Context, string) (string, error)                 { return "2023-06-01", nil }
func (pins) Add(context.Context, string, string) (added bool, err error) { return false, nil }

// reference does a client's GET and PUT against the reference solution, and counts what is gone.
func reference(t *testing.T, c client) (gone int) {
	stored := person
	newest := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			stored = string(body)
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, stored) // to a recorder
	})
	api := apiversion.New(newest, apiversion.Config{
		First: "2023-06-01", Changes: history, Pins: pins{}, Now: time.Now, Field: "Authorization",
		Account: func(*http.Request) string { return "shop" },
	})
	ask := func(method, body string) string {
		r := httptest.NewRequest(method, "/people/7", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Api-Version", c.version)
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		if w.Code >= 300 {
			t.Errorf("%s in %s is answered %d", method, c.version, w.Code)
		}
		return w.Body.String()
	}
	ask(http.MethodPut, strings.Replace(ask(http.MethodGet, ""), c.from, c.to, 1))
	if !strings.Contains(stored, c.to) {
		t.Errorf("The client of %s changed %s, but the document is %s", c.version, c.does, stored)
	}
	gone, _ = missing(decode(t, person), decode(t, stored))
	return gone
}

func TestOldPut(t *testing.T) {
	gone, all := lost(t, clients[0], puts[0].store)
	t.Logf("an old client that corrects one letter and PUTs the document back erases %d of %d stored values, or %d with a three-way merge",
		gone, all, reference(t, clients[0]))
}

func TestLost(t *testing.T) {
	table := "| client's version | it changes |"
	for _, put := range puts {
		table += " " + put.name + " |"
	}
	table += " three-way, nested |\n|---|---|---|---|---|---|\n"
	for _, c := range clients {
		table += fmt.Sprintf("| %s | %s |", c.version, c.does)
		for _, put := range puts {
			gone, _ := lost(t, c, put.store)
			table += fmt.Sprintf(" %d |", gone)
		}
		table += fmt.Sprintf(" %d |\n", reference(t, c))
	}
	t.Log("\n" + table)
}
