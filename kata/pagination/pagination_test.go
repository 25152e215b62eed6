package pagination_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/kata/pagination"
	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/sqlprobe"
)

// Who follows next from the first page gets every item once, in order, ties by id, and the last page has no next.
func TestPages(t *testing.T) {
	local := time.Local
	time.Local = time.FixedZone("nine hours ahead", 9*60*60) // created is in UTC, wherever the server is
	t.Cleanup(func() { time.Local = local })
	s := open(t)
	s.get("/items").page().has("the only page of an empty listing", []int64{})

	s = open(t, mixed()...)
	for _, v := range []view{{"newest", ""}, {"cheapest", ""}, {"newest", "home & garden"}, {"cheapest", "50% off; +more"}} {
		for _, limit := range []int{2, 4, 25, 100} {
			want := slices.Collect(slices.Chunk(ids(s.rows(v)), limit))
			s.start()
			p := s.get(v.target(limit)).page()
			for n, chunk := range want {
				what := fmt.Sprintf("page %d of %s", n+1, v)
				p.holds(what, chunk)
				p.link(what, "first", true)
				p.link(what, "next", n < len(want)-1)
				if n < len(want)-1 {
					p = p.follow("next")
				}
			}
			p.follow("first").holds(fmt.Sprintf("the page that first leads to from the last of %s", v), want[0])
		}
	}
	sizes := view{category: "größe/xl"}
	s.get(sizes.target(6)).page().follow("next").holds("page 2 of category größe/xl", ids(s.rows(sizes))[6:])
	s.get("/items").page().has("the first page, with neither sort nor limit", ids(s.rows(view{}))[:limits.DefaultLimit], "next")
	s.get(view{category: "nothing"}.target(3)).page().has("a category that no item has", []int64{})

	// Categories that are easily taken for each other, or for something else.
	s = open(t)
	alike := []string{"books", "Books", "book", " books", "books ", "b%", "boo__", "all", "null", "o'clock", "' OR '1'='1", "日本"}
	for i, category := range alike {
		s.add(row{id: int64(i + 1), category: category, created: epoch})
	}
	s.start()
	was := s.state()
	for i, category := range alike {
		s.get(view{category: category}.target(3)).page().has(fmt.Sprintf("category %q, which one item has,", category), []int64{int64(i + 1)})
	}
	if s.state() != was {
		s.fail("requests were expected to change nothing in the database, and have")
	}
}

// Who follows prev gets the items directly before, in the same order, and next leads back again.
func TestBackward(t *testing.T) {
	s := open(t, mixed()...)
	for _, v := range views("home & garden") {
		s.start()
		all := ids(s.rows(v))
		want := slices.Collect(slices.Chunk(all, 3))
		p := s.get(v.target(3)).page().has("page 1 of "+v.String(), want[0], "next")
		for n := 1; n < len(want); n++ {
			p = p.follow("next")
			p.link(fmt.Sprintf("page %d of %s", n+1, v), "prev", true)
		}
		s.start()
		for n := len(want) - 2; n >= 0; n-- {
			links := []string{"prev", "next"}
			if n == 0 {
				links = links[1:]
			}
			p = p.follow("prev").has(fmt.Sprintf("the page before page %d of %s", n+2, v), want[n], links...)
			p.follow("next").holds(fmt.Sprintf("page %d of %s, reached by prev and then next,", n+2, v), want[n+1])
		}

		// Another limit on the way back, so that the pages do not fall together.
		s.start()
		p = s.get(v.target(4)).page().follow("next")
		before := s.get(p.target("prev", 3)).page().has("the page of three before page 2", all[1:4], "prev", "next")
		s.get(before.target("prev", 3)).page().has("the page before the second item", all[:1], "next")
		s.get(p.target("prev", 50)).page().has("the page of fifty before page 2", all[:4], "next")
		s.get(p.target("prev", 4)).page().has("the page of four before page 2", all[:4], "next")
	}
}

// The work for a page follows its limit, and not how far it is from the first or how long the listing is.
func TestWork(t *testing.T) {
	const limit = 10
	short, long := many(t, 100), many(t, 1000)
	look := func(v view, dearest int64, target, what string, want []int64) {
		t.Helper()
		long.start()
		p, work := long.measure(target)
		p.holds(what, want)
		if most := dearest * 3 / 2; work > most {
			long.fail("%s, %s, was expected to take at most %d steps, 1.5 times the dearest page of a listing of 100; it took %d\n\n%s", what, v, most, work, long.statements(target))
		}
	}
	for _, v := range views("even") {
		dearest := dearestPage(short, v, limit)
		all := ids(long.rows(v))
		look(v, dearest, v.target(limit), "the first page of 1,000 items", all[:limit])
		stride := len(all)/3 + 1
		p := long.get(v.target(stride)).page()
		for at := stride; at < len(all); at += stride { // at is where p ends
			look(v, dearest, p.target("next", limit), fmt.Sprintf("the page after item %d of %d", at, len(all)), all[at:at+limit])
			p = long.get(p.target("next", 0)).page()
			look(v, dearest, p.target("prev", limit), fmt.Sprintf("the page before item %d of %d", at+1, len(all)), all[at-limit:at])
		}

		// One item in 50, with all the others between them.
		rare := view{v.sort, "rare"}
		all = ids(long.rows(rare))
		look(rare, dearest, rare.target(limit), "the first page of a rare category", all[:limit])
		look(rare, dearest, long.get(rare.target(limit)).page().target("next", 0), "page 2 of a rare category", all[limit:2*limit])
	}
}

// dearestPage goes through a short listing forward and backward, and returns the most work that a page took.
func dearestPage(s *shop, v view, limit int) (dearest int64) {
	s.t.Helper()
	s.start()
	pages := slices.Collect(slices.Chunk(ids(s.rows(v)), limit))
	p, dearest := s.measure(v.target(limit))
	look := func(n int, rel string) {
		var work int64
		p, work = s.measure(p.target(rel, 0))
		p.holds(fmt.Sprintf("page %d of a listing of 100 items, %s,", n+1, v), pages[n])
		dearest = max(dearest, work)
	}
	for n := 1; n < len(pages); n++ {
		look(n, "next")
	}
	for n := len(pages) - 2; n >= 0; n-- {
		look(n, "prev")
	}
	return dearest
}

// Items are added and removed between the pages, and each that was there all along comes exactly once.
func TestChanges(t *testing.T) {
	for _, tt := range []struct {
		view   view
		remove func(*shop, ...int64)
	}{
		{view{"newest", ""}, (*shop).mark},
		{view{"newest", "even"}, (*shop).remove},
		{view{"cheapest", ""}, (*shop).remove},
		{view{"cheapest", "even"}, (*shop).mark},
	} {
		removedAtTheEdge(t, tt.view, tt.remove)
		emptyPages(t, tt.view, tt.remove)
	}
	changesAnywhere(t)
}

// removedAtTheEdge takes away the very items that cursors stand beside.
func removedAtTheEdge(t *testing.T, v view, remove func(*shop, ...int64)) {
	t.Helper()
	s := many(t, 16)
	first := s.get(v.target(3)).page().has("the first page", ids(s.rows(v)[:3]), "next")
	first.follow("next").has("page 2", s.after(v, first.last(), 3), "prev", "next")
	remove(s, first.last().id)
	second := first.follow("next").has("page 2, when the last item of page 1 is gone,", s.after(v, first.last(), 3), "prev", "next")
	remove(s, second.first().id)
	second.follow("prev").has("the page before page 2, when the first item of page 2 is gone,", s.before(v, second.first(), 3), "next")

	// Ties before and after the places of both cursors.
	for _, edge := range []row{first.last(), second.first()} {
		edge.category = "even"
		for _, id := range []int64{edge.id - 1, edge.id + 1} {
			edge.id = id
			if !s.listed[id] {
				s.add(edge)
			}
		}
	}
	place := first.last()
	second = first.follow("next")
	second.has("page 2, when there are more items of the same time and price,", s.after(v, place, 3), s.links(v, second)...)
	first.follow("first").has("the first page, after all this,", ids(s.rows(v)[:3]), "next")

	// All of page 1 goes: nothing is before page 2.
	for _, r := range s.rows(v) {
		if v.compare(r, place) <= 0 {
			remove(s, r.id)
		}
	}
	first.follow("next").has("page 2, when all before it is gone,", s.after(v, place, 3), "next")
}

// emptyPages follows links to where nothing is left, and from there back.
func emptyPages(t *testing.T, v view, remove func(*shop, ...int64)) {
	t.Helper()
	s := many(t, 16)
	first := s.get(v.target(3)).page().has("the first page", ids(s.rows(v)[:3]), "next")
	second := first.follow("next").has("page 2", ids(s.rows(v)[3:6]), "prev", "next")
	place := second.last()
	remove(s, s.after(v, place, 100)...)
	end := second.follow("next").has("page 3, when nothing is left after page 2,", []int64{}, "prev")
	end.follow("prev").has("the page before the empty page 3", second.ids, "prev")
	remove(s, place.id)
	end = second.follow("next").has("page 3, when nothing is left from the end of page 2 on,", []int64{}, "prev")
	end.follow("prev").has("the page before the empty page 3, when the last item of page 2 is gone,", []int64{first.ids[2], second.ids[0], second.ids[1]}, "prev")
	remove(s, append(first.ids, second.ids[:2]...)...)
	end.follow("prev").has("the page before the empty page 3, when nothing is left at all,", []int64{})
	second.follow("next").has("page 3, when nothing is left at all,", []int64{})

	s = many(t, 16)
	second = s.get(v.target(3)).page().follow("next").has("page 2", ids(s.rows(v)[3:6]), "prev", "next")
	place = second.first()
	remove(s, s.before(v, place, 100)...)
	start := second.follow("prev").has("the page before page 2, when nothing is left there,", []int64{}, "next")
	start.follow("next").has("the page after the empty one before page 2", second.ids, "next")
	remove(s, place.id)
	start = second.follow("prev").has("the page before page 2, when its first item is gone too,", []int64{}, "next")
	start.follow("next").has("the page after the empty one, when the first item of page 2 is gone,", s.after(v, place, 3), "next")
}

// changesAnywhere reads forward and backward, and between two pages a few items come and go, many beside the cursors.
func changesAnywhere(t *testing.T) {
	t.Helper()
	r := rand.New(rand.NewPCG(28, 1))
	s := many(t, 24)
	for range 10 {
		v := views("even")[r.IntN(4)]
		limit := 1 + r.IntN(4)
		s.start()
		p := s.get(v.target(limit)).page()
		rel, page := "next", s.after
		if r.IntN(2) == 0 {
			rel, page = "prev", s.before
			p = s.get(v.target(len(s.rows(v)) - 1)).page()
			p = s.get(p.target("next", limit)).page()
		}
		s.seen = map[int64]bool{}
		for n := 1; len(p.rows) > 0; n++ {
			for _, id := range p.ids {
				s.seen[id] = true
			}
			edge := p.last()
			if rel == "prev" {
				edge = p.first()
			}
			if p.links[rel] == "" {
				if left := page(v, edge, limit); len(left) > 0 {
					s.fail("a link to %s was expected, since %s follow; there is none", rel, numbers(left))
				}
				break
			}
			s.shake(r, v, p)
			p = s.get(p.target(rel, 0)).page()
			want := page(v, edge, limit)
			p.holds(fmt.Sprintf("page %d on the way %s through %s", n+1, map[string]string{"next": "forward", "prev": "backward"}[rel], v), want)
			if len(want) > 0 {
				p.has(fmt.Sprintf("page %d on the way", n+1), want, s.links(v, p)...)
			}
		}
	}
}

// A cursor that was changed, put together, made for another listing or signed by somebody else is refused.
func TestCursors(t *testing.T) {
	s := open(t, mixed()...)
	home := view{"cheapest", "home & garden"}
	with := func(v view, cursor string, more ...string) answer {
		s.start()
		q := v.query(2)
		q.Set("cursor", cursor)
		for i := 0; i < len(more); i += 2 {
			q.Set(more[i], more[i+1])
		}
		return s.get("/items?" + q.Encode())
	}
	first := s.get(home.target(2)).page()
	second := first.follow("next").has("page 2", ids(s.rows(home)[2:4]), "prev", "next")
	cursor := first.cursor("next")
	if strings.Trim(cursor, letters+".~") != "" {
		s.fail("a cursor was expected to have letters, digits, -, _, . and ~ only; it is %s", cursor)
	}
	with(home, cursor).page().holds("the page at a cursor", second.ids)
	with(home, cursor, "snapshot", "false").page().holds("the page at a cursor, with snapshot=false,", second.ids)
	with(home, cursor, "limit", "1").page().holds("the page at a cursor, with another limit,", second.ids[:1])
	s.Handler = s.with(limits)
	with(home, cursor).page().holds("the page at a cursor of another handler with the same key", second.ids)
	plain := s.get("/items?limit=2").page()
	with(view{sort: "newest"}, plain.cursor("next")).page().holds("the page at a cursor of the default sort, with sort=newest,", plain.follow("next").ids)

	with(view{"newest", home.category}, cursor).refused("cursor", "the cursor is one of sort=cheapest, and is used with sort=newest")
	with(view{"", home.category}, cursor).refused("cursor", "the cursor is one of sort=cheapest, and is used without sort")
	with(view{sort: "cheapest"}, cursor).refused("cursor", "the cursor is one of a category, and is used without")
	with(view{"cheapest", "größe/xl"}, cursor).refused("cursor", "the cursor is one of a category, and is used with another")
	with(view{"newest", home.category}, plain.cursor("next")).refused("cursor", "the cursor is one of all categories, and is used with one")
	with(view{sort: "cheapest"}, plain.cursor("next")).refused("cursor", "the cursor is one of the default sort, and is used with sort=cheapest")
	with(home, cursor, "snapshot", "true").refused("cursor", "the cursor is not one of a snapshot, and is used with snapshot=true")

	for at := range cursor {
		for _, c := range likely(cursor, at) {
			with(home, cursor[:at]+string(c)+cursor[at+1:]).refused("cursor", fmt.Sprintf("character %d of %d of a cursor, %c, is changed into %c", at+1, len(cursor), cursor[at], c))
		}
	}
	for at := range cursor {
		with(home, cursor[:at]+cursor[at+1:]).refused("cursor", fmt.Sprintf("character %d of %d of a cursor is left out", at+1, len(cursor)))
		with(home, cursor[:at]).refused("cursor", fmt.Sprintf("a cursor is cut after %d of its %d characters", at, len(cursor)))
		with(home, cursor[:at]+"\n"+cursor[at:]).refused("cursor", fmt.Sprintf("a line feed is put into a cursor after %d of its %d characters", at, len(cursor)))
	}
	for _, more := range []string{"=", "==", "A", ".", " ", "\n", "\r", "\x00", "." + cursor, cursor} {
		with(home, cursor+more).refused("cursor", fmt.Sprintf("%.4q is added to the end of a cursor", more))
	}
	for _, other := range []struct{ what, cursor string }{
		{"the cursor of the next page", second.cursor("next")},
		{"the cursor back", second.cursor("prev")},
		{"the cursor of another listing", plain.cursor("next")},
	} {
		for at := range min(len(cursor), len(other.cursor)) {
			for _, spliced := range []string{cursor[:at] + other.cursor[at:], other.cursor[:at] + cursor[at:]} {
				if spliced != cursor && spliced != other.cursor {
					with(home, spliced).refused("cursor", fmt.Sprintf("a cursor and %s are cut after %d characters, and swap their ends", other.what, at))
				}
			}
		}
	}
	for _, text := range []string{"0", "1", "2", "-1", "abc", "null", "e30", "e30.", "..", "%", "ü", key.ID, strings.Repeat("A", 1000), strings.Repeat(".", 1000)} {
		with(home, text).refused("cursor", fmt.Sprintf("%.20q is no cursor", text))
	}

	forger := limits
	forger.Keys = []pagination.Key{{ID: key.ID, Secret: []byte("a secret of the steps, 32 bytes!")}} // its last byte is another
	s.Handler = s.with(forger)
	forged := s.get(home.target(2)).page().cursor("next")
	s.Handler = s.with(limits)
	with(home, forged).refused("cursor", "a cursor is signed with another secret")

	// At once, and with nothing of the step between them, so that the race detector sees what they share.
	s.start()
	targets := []string{"/items?cursor=" + forged, first.target("next", 0), plain.target("next", 0), "/items?limit=0"}
	answers := make([]string, 8)
	ask := func(target string) string {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody))
		return fmt.Sprintf("%d %s", w.Code, w.Body)
	}
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			for range 10 {
				answers[i] = ask(targets[i%len(targets)])
			}
		})
	}
	all.Wait()
	for i, got := range answers {
		if want := ask(targets[i%len(targets)]); got != want {
			s.fail("8 requests came at once, and %s was expected to be answered as when it comes alone, %s; the answer is %s", targets[i%len(targets)], want, got)
		}
	}
}

// A cursor outlives the rotation of its key, until the very instant that is stated for the old key.
func TestRotation(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		s := open(t, mixed()...)
		rotate := func(keys ...pagination.Key) {
			cfg, names := limits, []string{}
			cfg.Keys = keys
			for _, k := range keys {
				name := k.ID
				if !k.Until.IsZero() {
					name += " until " + k.Until.UTC().Format("15:04")
				}
				names = append(names, name)
			}
			s.Handler = s.with(cfg)
			s.tell("     %s: the keys are now %s", time.Now().UTC().Format("15:04:05.999999999"), strings.Join(names, ", "))
		}
		second, third := key, key
		second.ID, second.Secret = "k2", []byte("the second secret of these steps")
		third.ID, third.Secret = "k3", []byte("the third secret, and that's all")
		first, renamed := key, key
		first.Until = time.Now().Add(time.Hour + time.Second/2)
		renamed.ID = "k4"

		rotate(key)
		old := s.get("/items?limit=2").page()
		next := old.target("next", 0)
		want := old.follow("next").ids
		past := key
		past.Until = time.Now().Add(-time.Hour)
		rotate(second, past)
		s.get(next).refused("cursor", "the time of the cursor's key was over when the handler was made")
		rotate(second, first)
		fresh := s.get(next)
		if fresh.status != http.StatusOK {
			s.fail("the old key is good for another hour, and its cursor was expected to be taken; the answer is %s", fresh)
		}
		fresh.page().holds("the page at a cursor of the old key", want)
		rotate(second)
		fresh.page().follow("next") // the new key alone is enough for it
		s.get(next).refused("cursor", "the key of the cursor is not in the list any more")
		rotate(second, renamed)
		s.get(next).refused("cursor", "the key of the cursor is not in the list, and another ID has its secret")
		rotate(third, second, first)
		time.Sleep(time.Hour + time.Second/2 - time.Nanosecond)
		s.tell("     %s", time.Now().UTC().Format("15:04:05.999999999"))
		s.get(next).page().holds("the page at a cursor of the old key, a nanosecond before its end,", want)
		fresh.page().follow("next")
		time.Sleep(time.Nanosecond)
		s.tell("     %s", time.Now().UTC().Format("15:04:05.999999999"))
		s.get(next).refused("cursor", "the time of the cursor's key has come to its end in this very instant")
		fresh.page().follow("next")
		time.Sleep(24 * time.Hour)
		s.get(next).refused("cursor", "the time of the cursor's key is over")
		rotate(third, second)
		fresh.page().follow("next")
		rotate(third, key, second)
		s.get(next).page().holds("the page at a cursor of the old key, which is back without an end,", want)
	})
}

// Bad input is answered 400 with a problem that names the parameter, and another method 405.
func TestBadInput(t *testing.T) {
	s := open(t, mixed()...)
	s.get("/items?limit=1").page().has("the page with the smallest limit", ids(s.rows(view{})[:1]), "next")
	s.get(fmt.Sprintf("/items?limit=%d", limits.MaxLimit)).page().has("the page with the largest limit", ids(s.rows(view{})))
	for _, tt := range []struct{ query, parameter, why string }{
		{"limit=0", "limit", "a page of no items is none"},
		{"limit=-1", "limit", "a limit is at least 1"},
		{fmt.Sprintf("limit=%d", limits.MaxLimit+1), "limit", "the limit is larger than the largest"},
		{"limit=99999999999999999999", "limit", "the limit is larger than any integer"},
		{"limit=18446744073709551617", "limit", "the limit is larger than any integer, and 1 in 64 bits"},
		{"limit=4294967297", "limit", "the limit is larger than the largest, and 1 in 32 bits"},
		{"limit=ten", "limit", "a limit is a number"},
		{"limit=1e1", "limit", "a limit is in decimal digits"},
		{"limit=0x10", "limit", "a limit is in decimal digits"},
		{"limit=2.0", "limit", "a limit is in decimal digits"},
		{"limit=5%20", "limit", "a limit is in decimal digits"},
		{"limit=", "limit", "a limit is not empty"},
		{"limit=5&limit=6", "limit", "a parameter comes once"},
		{"limit=5&limit=5", "limit", "a parameter comes once"},
		{"sort=oldest", "sort", "there is no such sort"},
		{"sort=Newest", "sort", "there is no such sort"},
		{"sort=created%20DESC", "sort", "there is no such sort"},
		{"sort=", "sort", "a sort is not empty"},
		{"sort=newest&sort=cheapest", "sort", "a parameter comes once"},
		{"category=", "category", "a category is not empty"},
		{"category=even&category=odd", "category", "a parameter comes once"},
		{"cursor=", "cursor", "a cursor is not empty"},
		{"cursor", "cursor", "a cursor is not empty"},
		{"cursor=2", "cursor", "a cursor is a text of ours"},
		{"snapshot=yes", "snapshot", "snapshot is true or false"},
		{"snapshot=1", "snapshot", "snapshot is true or false"},
		{"count=all", "count", "count is true or false"},
		{"count=", "count", "count is not empty"},
		{"offset=40", "offset", "there is no such parameter"},
		{"page=2", "page", "there is no such parameter"},
		{"Limit=5", "Limit", "parameters are in small letters"},
		{"limit=%zz", "", "the query cannot be parsed"},
		{"category=a;b", "", "the query cannot be parsed"},
		{"cursor=%", "", "the query cannot be parsed"},
	} {
		s.start()
		s.get("/items?"+tt.query).refused(tt.parameter, tt.why)
	}
	good := s.get("/items?limit=5").page().cursor("next")
	s.get("/items?cursor="+good+"&cursor="+good).refused("cursor", "a parameter comes once")

	s.start()
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		a := s.send(s.Handler, t.Context(), method, "/items")
		if allow := strings.Join(a.header.Values("Allow"), ","); a.status != http.StatusMethodNotAllowed || !strings.Contains(allow, http.MethodGet) {
			s.fail("%s was expected to be answered with 405 and an Allow field that has GET; the answer is %d with %q", method, a.status, allow)
		}
	}
	head := s.send(s.Handler, t.Context(), http.MethodHead, "/items?limit=5")
	if links, _ := parseLinks(head.header.Values("Link")); head.status != http.StatusOK || links["first"] == "" || links["next"] == "" {
		s.fail("HEAD was expected to be answered with the status and the links of GET; the answer is %d with %q", head.status, head.header.Values("Link"))
	}
	if bad := s.send(s.Handler, t.Context(), http.MethodHead, "/items?limit=0"); bad.status != http.StatusBadRequest {
		s.fail("HEAD with a bad limit was expected to be answered as GET is, with 400; the answer is %d", bad.status)
	}
}

// An export sees exactly what was listed when it began, whatever comes and goes until it ends.
func TestFurtherSnapshot(t *testing.T) {
	r := rand.New(rand.NewPCG(28, 2))
	for _, v := range []view{{"newest", ""}, {"cheapest", "even"}} {
		s := many(t, 30)
		s.mark(s.rows(v)[4].id) // the last change before the snapshot
		want := ids(s.rows(v))
		s.start()
		p := s.get(v.target(4) + "&snapshot=true").page()
		exported := p.ids
		for n := 0; p.links["next"] != "" && n < len(want); n++ {
			s.shakeMarking(r, v, p)
			s.get(v.target(1) + "&snapshot=true").page() // somebody else begins an export
			if n == 2 {
				s.Handler = s.with(limits) // another server goes on with it
			}
			p = p.follow("next")
			exported = append(exported, p.ids...)
		}
		if !slices.Equal(exported, want) {
			s.fail("%d items were listed when the export began, %s:\n%s\nand the export was expected to have these; it has\n%s%s", len(want), v, numbers(want), numbers(exported), (page{ids: exported, answer: answer{s: s}}).difference(want))
		}
		for at := len(want) - len(p.ids); at > 0; at = max(0, at-4) { // at is how many items are before p
			s.shakeMarking(r, v, p)
			links := []string{"prev", "next"}
			if at <= 4 {
				links = links[1:]
			}
			p = p.follow("prev").has("the page before, in the same snapshot,", want[max(0, at-4):at], links...)
		}

		// The next snapshot sees all that has changed, to the very last.
		s.add(row{id: 200_000, category: "even", price: -1, created: epoch + 1000})
		begun := p.follow("first")
		begun.holds("the first page of the next snapshot", ids(s.rows(v)[:4]))
		s.get(v.target(100)).page().holds("the listing itself", ids(s.rows(v)))

		// All is gone, and the snapshot has it.
		want = ids(s.rows(v))
		s.mark(want...)
		last := begun.follow("next").has("page 2 of a snapshot, when all its items are gone,", want[4:8], "prev", "next")
		last.follow("prev").has("page 1 of a snapshot, when all its items are gone,", want[:4], "next")
		s.get(v.target(4)).page().has("the listing itself, when all is gone,", []int64{})
		s.add(row{id: 200_001, category: "even", price: 1, created: epoch})
		s.add(row{id: 200_002, category: "even", price: 2, created: epoch})

		plain, text := s.get(v.target(1)).page().cursor("next"), begun.cursor("next")
		s.get(v.target(4)+"&cursor="+text).refused("cursor", "the cursor is one of a snapshot, and is used without snapshot")
		s.get(v.target(4)+"&snapshot=false&cursor="+text).refused("cursor", "the cursor is one of a snapshot, and is used with snapshot=false")
		s.get(v.target(4)+"&snapshot=true&cursor="+plain).refused("cursor", "the cursor is not one of a snapshot, and is used with snapshot=true")
	}
	few, more := many(t, 100), many(t, 500)
	for _, v := range views("even") {
		page2 := func(s *shop) (string, int64) {
			s.start()
			target := s.get(v.target(10)+"&snapshot=true").page().target("next", 0)
			_, work := s.measure(target)
			return target, work
		}
		_, small := page2(few)
		target, large := page2(more)
		if large > small*3/2 {
			more.fail("page 2 of a snapshot took %d steps in a listing of 100 items and %d in one of 500, %s; at most 1.5 times as many were expected\n\n%s", small, large, v, more.statements(target))
		}
	}
}

// A count is exact up to a stated number and says so beyond it, and costs no more in a longer listing.
func TestFurtherCount(t *testing.T) {
	for _, tt := range []struct {
		items    int
		category string
		want     string
		why      string
	}{
		{0, "", `{"value":0,"relation":"eq"}`, "there are no items"},
		{49, "", `{"value":49,"relation":"eq"}`, "there are 49 items"},
		{50, "", `{"value":50,"relation":"eq"}`, "there are 50 items, just as many as are counted"},
		{51, "", `{"value":50,"relation":"gte"}`, "there are 51 items, and 50 are counted"},
		{51, "even", `{"value":25,"relation":"eq"}`, "25 of 51 items are in the category"},
		{102, "even", `{"value":50,"relation":"gte"}`, "51 of 102 items are in the category, and 50 are counted"},
	} {
		s := many(t, tt.items)
		p := s.get(view{category: tt.category}.target(3) + "&count=true").page()
		p.counts(tt.want, tt.why)
		if p.links["next"] != "" {
			q := p.target("next", 3)
			if !strings.Contains(q, "count=true") {
				q += "&count=true"
			}
			s.get(q).page().counts(tt.want, tt.why+", and the page is the second")
		}
	}
	s := many(t, 40)
	s.get("/items?count=false").page().counts("", "count=false asks for none")
	s.get("/items").page().counts("", "a count was not asked for")
	s.mark(10, 20, 30)
	s.remove(40)
	s.get("/items?count=true").page().counts(`{"value":36,"relation":"eq"}`, "four of 40 items are gone")
	s = many(t, 40)
	frozen := s.get("/items?snapshot=true").page().target("next", 0)
	s.mark(10, 20, 30)
	s.add(row{id: 1001, category: "even", created: epoch})
	s.get(frozen+"&count=true").page().counts(`{"value":40,"relation":"eq"}`, "40 items were listed when the snapshot was taken")

	few, more := many(t, 120), many(t, 600)
	for _, v := range views("even") {
		_, small := few.measure(v.target(10) + "&count=true")
		_, large := more.measure(v.target(10) + "&count=true")
		if large > small*3/2 {
			more.fail("a page with a count up to %d took %d steps in a listing of 120 items and %d in one of 600, %s; at most 1.5 times as many were expected\n\n%s", limits.CountUpTo, small, large, v, more.statements(v.target(10)+"&count=true"))
		}
	}
}

// A failure of the database is a 500 without its words, and nothing stays open.
func TestFurtherErrors(t *testing.T) {
	bubble.Run(t, func(t *testing.T) { // a goroutine left over would fail it
		log.SetOutput(io.Discard) // a handler may write the error to its log
		defer log.SetOutput(os.Stderr)
		s := open(t, mixed()...)
		begin := "/items?limit=3&snapshot=true&count=true"
		for _, target := range []string{begin, s.get("/items?limit=3").page().target("next", 0), s.get(begin).page().target("next", 0)} {
			var good answer
			clean := s.probe.Record(func() { good = s.get(target) })
			good.page()
			s.closed(clean, "a page was answered")
			for n, statement := range clean.Statements {
				for _, tt := range []struct {
					rows int64
					when string
				}{{0, "at once"}, {sqlprobe.BeforeFirstRow, "in place of its first row"}, {1, "after its first row"}} {
					if tt.rows >= statement.Rows && tt.rows > 0 {
						continue // all that was asked for has come before the failure
					}
					s.start()
					how := fmt.Sprintf("statement %d of %d failed %s", n+1, len(clean.Statements), tt.when)
					fault := s.probe.Inject(sqlprobe.Fault{Pattern: "SELECT", Skip: n, Times: 1, Err: errDisk, AfterRows: tt.rows})
					var a answer
					rec := s.probe.Record(func() { a = s.get(target) })
					fault.Remove()
					if a.status != http.StatusInternalServerError {
						s.fail("%s, and 500 was expected; the answer is %s", how, a)
					}
					var p struct {
						Status    int
						Parameter *string
					}
					a.problem(&p, how)
					if p.Status != http.StatusInternalServerError || p.Parameter != nil || len(a.header.Values("Link")) > 0 {
						s.fail("%s, and a problem with status 500, without parameter and without links was expected; it is %s, with the links %q", how, a.body, a.header.Values("Link"))
					}
					if said := fmt.Sprint(string(a.body), a.header); strings.Contains(said, "disk") {
						s.fail("%s, and an answer without the words of the database was expected; it is %s", how, said)
					}
					s.closed(rec, how)
				}
			}
			hurried, cancel := context.WithTimeout(t.Context(), time.Second)
			slow := s.probe.Inject(sqlprobe.Fault{Pattern: "SELECT", Latency: time.Hour})
			asked := time.Now()
			rec := s.probe.Record(func() {
				s.send(s.Handler, hurried, http.MethodGet, target)
				synctest.Wait() // database/sql ends a transaction whose context has ended on a goroutine of its own
			})
			if took := time.Since(asked); took > time.Second {
				s.fail("the client gave up after 1s, while the database was slow, and the handler was expected to return then; it returned after %v", took)
			}
			slow.Remove()
			cancel()
			s.closed(rec, "the client gave up")
		}
	})
}
