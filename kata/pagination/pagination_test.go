package pagination_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/pagination"
	"github.com/backend-kata/dojo/pkg/apart"
	"github.com/backend-kata/dojo/pkg/sqlprobe"
)

const epoch = 1_700_000_000_000_000_000 // nanoseconds: more digits than a float64 has

// mixed is 25 items in three categories: a few of each price and time, times a nanosecond apart, and the edges of both.
func mixed() []row {
	rows := make([]row, 25)
	for n := range int64(25) {
		category := []string{"home & garden", "50% off; +more", "größe/xl"}[n%3]
		rows[n] = row{id: (n + 1) * 7 % 53, category: category, price: (n*5)%4*100 - 100, created: epoch + n/4} // ids are in no order
	}
	rows[3].created, rows[17].created, rows[9].created, rows[12].created = -1, 0, math.MaxInt64, math.MinInt64
	rows[20].id, rows[21].id = 1<<53, 1<<53+1 // of one time, and alike to a float64
	rows[1].price, rows[2].price, rows[6].price, rows[18].price = 1<<53, 1<<53+1, math.MinInt64, math.MaxInt64
	return rows
}

// many is n items with the ids 10, 20, 30 and so on. There are two prices and two times.
func many(n int) []row {
	rows := make([]row, n)
	for i := range rows {
		k := int64(i + 1)
		category := cmp.Or(map[int64]string{7: "rare"}[k%50], []string{"even", "odd"}[k%2])
		rows[i] = row{id: k * 10, category: category, price: k / 2 % 2 * 100, created: epoch + k*2/int64(n+1)}
	}
	return rows
}

// Who follows next from the first page gets every item once, in order, ties by id, and the last page has no next.
func TestPages(t *testing.T) {
	defer func(local *time.Location) { time.Local = local }(time.Local)
	time.Local = time.FixedZone("nine hours ahead", 9*60*60) // created is in UTC, wherever the server is
	step.Bubble(t, func(t *step.T) {
		s := open(t).first("").s
		s.stock(mixed()...)
		for _, query := range []string{
			"limit=2", "limit=4&sort=newest", "limit=25", "limit=100", "limit=3&sort=cheapest", "", "category=nothing",
			"limit=4&category=größe/xl", "limit=8&category=größe/xl", "limit=3&sort=cheapest&category=home+%26+garden",
			"limit=3&category=50%25+off%3b+%2bmore",
		} {
			s.first(query).end().follow("first")
		}
		s.stock(many(1100)...)
		for _, n := range []int{1, 1_000_000} {
			s.serve(pagination.Config{DefaultLimit: n, MaxLimit: n, CountUpTo: n}, key)
			s.first("category=rare").end().follow("first", "limit", fmt.Sprint(n)).follow("first", "limit")
			s.first("")
		}
		alike := []string{"book", "Book", "books", "book ", "b%", "boo_", "all", "o'clock", "' OR '1'='1", "a\x00b", "a", "é", "e\u0301"}
		s.stock() // with categories that are easily taken for each other, or for something else
		for i, category := range slices.Concat(alike, alike) {
			s.add(row{id: int64(i + 1), category: category})
		}
		for _, category := range alike {
			s.first("limit=1&category=" + url.QueryEscape(category)).follow("next")
		}
	})
}

// first gets the first page of a listing.
func (s *shop) first(query string) page {
	s.t.Helper()
	return s.get("/items?"+query).is(place{}, s.n)
}

// follow gets the page that a link leads to, with a parameter changed, or left out if no value follows.
func (p page) follow(rel string, changed ...string) page {
	p.t.Helper()
	at, n, q := p.beside(rel), p.n, p.links[rel].Query()
	if rel == "first" {
		at, n = place{}, p.s.n
	}
	if len(changed) > 0 {
		q[changed[0]] = changed[1:]
	}
	return p.s.get("/items?"+q.Encode()).is(at, n)
}

// beside is the place to which next or prev leads.
func (p page) beside(rel string) place {
	if len(p.rows) == 0 {
		return place{p.row, rel, !p.with} // the way back has the item that the way there left out
	}
	return place{p.rows[map[string]int{"next": len(p.rows) - 1}[rel]], rel, false}
}

func (p page) end() page {
	p.t.Helper()
	for p.links["next"] != nil {
		p = p.follow("next")
	}
	return p
}

// views are both sorts, with all categories and with one.
func views(category string) []string {
	return []string{"sort=newest", "sort=cheapest", "sort=newest&category=" + category, "sort=cheapest&category=" + category}
}

// Who follows prev gets the items directly before, in the same order, and next leads back again.
func TestBackward(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		s := open(t, mixed()...)
		for _, v := range views("home+%26+garden") {
			p := s.first(v + "&limit=4").end()
			for p.links["prev"] != nil {
				p = p.follow("prev")
				p.follow("next")
			}
			p = s.first(v + "&limit=5").follow("next") // with another limit on the way back the pages do not fall together
			p.follow("prev", "limit", "3").follow("prev").follow("next")
			p.follow("prev", "limit", "50").follow("next", "limit")
		}
	})
}

// The work for a page follows its limit, and not how far it is from the first or how long the listing is.
func TestWork(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		short, long := open(t, many(100)...), open(t, many(600)...)
		for _, v := range views("even") {
			dearest := int64(0)
			p := short.first(v + "&limit=10")
			for _, rel := range []string{"next", "prev"} {
				for ; p.links[rel] != nil; p = p.follow(rel) {
					dearest = max(dearest, p.work())
				}
			}
			first := long.first(v + "&limit=10").takes(dearest)
			first.follow("next").follow("prev").takes(dearest)
			p = long.first(fmt.Sprintf("%s&limit=%d", v, len(long.list(first.listing, 0))-15))
			p.follow("next", "limit", "10").takes(dearest).follow("prev").takes(dearest)
			long.first("limit=10&category=rare&sort=" + first.sort).takes(dearest).follow("next").takes(dearest) // one item in 50
		}
	})
}

// work is what the database did for the answer.
func (p page) work() int64 { work, _ := p.rec.Work(); return work } // known, since all rows are closed

// takes checks that a page took at most 1.5 times as much work as another one, of a shorter listing.
func (p page) takes(other int64) page {
	p.t.Helper()
	step.Expect(p.t, p.work() <= other*3/2,
		"%s of %d items, %+v, should take at most 1.5 times the %d steps of a shorter listing. It takes %d:\n\n%v",
		p.place, len(p.s.rows), p.listing, other, p.work(), p.rec)
	return p
}

// Items are added and removed between the pages, and each that was there all along comes exactly once.
func TestChanges(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		s := open(t)
		for _, id := range []int64{80, math.MaxInt64} { // of the item at the edge of page 2
			rows := many(16)
			rows[0].category, rows[7].id = "even", id
			for i, v := range views("even")[1:3] {
				gone(s.stock(rows...), v+"&limit=4", "next", "prev", i == 0)
				gone(s.stock(rows...), v+"&limit=4", "prev", "next", i == 1)
			}
		}
		s.stock(many(24)...)
		for n, r := 0, rand.New(rand.NewPCG(28, 1)); n < 6; n++ {
			p, rel, back := s.first(fmt.Sprintf("%s&limit=%d", views("even")[n%4], 2+n/4)), "next", "prev"
			if n%2 == n/4 { // each sort once in each direction, and the categories too
				p, rel, back = p.end(), back, rel
			}
			for p.links[rel] != nil {
				s.shake(r, p, r.IntN(2) == 0)
				if p.links[back] != nil {
					p.follow(back)
				}
				p = p.follow(rel)
			}
		}
	})
}

// gone follows a link to where nothing is left, and from there back.
func gone(s *shop, query, rel, back string, mark bool) {
	first := s.first(query)
	second := first.follow("next")
	edge, all := second.beside(rel), s.list(second.listing, 0)
	from, to := edge.span("100", second.listing, all)
	s.remove(mark, all[from:to]...)
	first.follow("next") // for prev: nothing is before page 2
	empty := second.follow(rel)
	empty.follow(back).follow("first")
	s.remove(mark, edge.row)
	empty = second.follow(rel)
	empty.follow(back, "limit", "2")
	side := map[string]int64{"next": 1, "prev": -1}[rel]
	s.add(row{id: 1, category: "even", price: edge.price + side, created: edge.created - side}) // and now something is there
	second.follow(rel)
	empty.follow(back).follow(rel)
	s.remove(mark, s.list(second.listing, 0)...)
	empty.follow(back)
	second.follow(rel)
}

// shake adds and removes up to three items. Most are beside the page, or have the time or the price of one on it.
func (s *shop) shake(r *rand.Rand, p page, mark bool) {
	for range r.IntN(4) {
		now := s.list(listing{sort: p.sort, category: p.category}, 0)
		near := now
		if r.IntN(4) > 0 && len(p.rows) > 0 {
			near = []row{p.rows[0], p.rows[len(p.rows)-1]} // the items beside which cursors are
		}
		beside := near[r.IntN(len(near))]
		fresh := row{id: max(1, beside.id+r.Int64N(15)-7), category: []string{"even", "odd"}[r.IntN(2)]}
		fresh.price, fresh.created = beside.price+(r.Int64N(5)-2)/2, beside.created+(r.Int64N(5)-2)/2
		switch {
		case r.IntN(2) == 0 && len(now) > 9 && slices.Contains(now, beside):
			s.remove(mark, beside)
		case len(now) < 24 && !slices.ContainsFunc(s.rows, func(other row) bool { return other.id == fresh.id }):
			s.add(fresh)
		}
	}
}

// A cursor that was changed, put together, made for another listing or signed by somebody else is refused.
func TestCursors(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		s := open(t, mixed()...)
		const garden, home = "category=home+%26+garden", "sort=cheapest&category=home+%26+garden"
		ask := func(cursor, query string) page {
			return s.get("/items?" + query + "&cursor=" + url.QueryEscape(cursor))
		}
		first, plain, explicit := s.first(home+"&limit=2"), s.first("limit=2"), s.first("sort=newest&snapshot=false")
		second := first.follow("next")
		cursor, all := first.cursor("next"), plain.cursor("next")
		const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		some := cursor + second.cursor("prev") + all + explicit.cursor("next")
		step.Equal(t, "", regexp.MustCompile(`[\w.~-]`).ReplaceAllString(some, ""), "Characters that cursors should not have:")
		for _, cfg := range []pagination.Config{limits, {DefaultLimit: 1, MaxLimit: 3, CountUpTo: 1}} {
			s.serve(cfg, key)
			for _, more := range []string{"&snapshot=false", "&count=false", "&limit=1", "&limit=3", ""} {
				ask(cursor, home+more).is(first.beside("next"), 0)
			}
			step.Equal(t, http.StatusOK, ask(cursor, home+"&count=true").Code, "A cursor is good with any count. The status with count=true:")
			ask(all, "sort=newest&snapshot=false").is(plain.beside("next"), 0)
			ask(explicit.cursor("next"), "").is(explicit.beside("next"), 0)
		}
		s.serve(limits, key)
		for _, tt := range []struct{ why, cursor, query string }{
			{"of sort=cheapest, and used with sort=newest", cursor, "sort=newest&" + garden},
			{"of sort=cheapest, and used without sort", cursor, garden},
			{"of a category, and used without", cursor, "sort=cheapest"},
			{"of a category, and used with another", cursor, "sort=cheapest&category=größe/xl"},
			{"of a category, and used with one that begins like it", cursor, home + "+"},
			{"of all categories, and used with one", all, garden},
			{"not of a snapshot, and used with snapshot=true", cursor, home + "&snapshot=true"},
			{"of the default sort, and used with sort=cheapest", all, "sort=cheapest"},
		} {
			ask(tt.cursor, tt.query).problem(400, "cursor", "The cursor is "+tt.why)
		}
		refused := func(text, why string, args ...any) {
			t.Helper()
			ask(text, home).problem(400, "cursor", fmt.Sprintf(why, args...))
		}
		for at := range cursor {
			was := max(0, strings.IndexByte(letters, cursor[at])) // a decoder of base64 may not look at the last bits of that
			for _, c := range []byte{letters[was^1], letters[was^32], cursor[at] ^ ' '} {
				changed := cursor[:at] + string(rune(c)) + cursor[at+1:]
				refused(changed, "Character %d of %d of a cursor, %c, becomes %q", at+1, len(cursor), cursor[at], c)
			}
			refused(cursor[:at]+cursor[at+1:], "Character %d of %d of a cursor is left out", at+1, len(cursor))
			refused(cursor[:at], "All after %d of %d characters of a cursor is left out", at, len(cursor))
			refused(cursor[:at]+"\n"+cursor[at:], "A line feed is put into a cursor after %d of its %d characters", at, len(cursor))
		}
		for i, other := range []string{second.cursor("next"), second.cursor("prev"), all} {
			what := []string{"of the next page", "that leads back", "of all items"}[i]
			for at := range min(len(cursor), len(other)) {
				if cursor[:at] != other[:at] && cursor[at:] != other[at:] {
					refused(cursor[:at]+other[at:], "The first %d characters of a cursor are before the rest of one %s", at, what)
					refused(other[:at]+cursor[at:], "The rest of a cursor is behind the first %d characters of one %s", at, what)
				}
			}
		}
		for _, text := range []string{
			cursor + "=", cursor + "==", cursor + "A", cursor + ".", cursor + " ", " " + cursor, cursor + "\n", cursor + "\x00",
			cursor + cursor, cursor + "." + cursor, "0", "-1", "null", "e30.", "..", ".", "%", "ü", key.ID, key.ID + ".", "A.A.A.A",
		} {
			refused(text, "A text that ends in %q is no cursor", text[max(0, len(text)-9):])
		}
		for _, secret := range []string{"a secret of the steps, 32 bytes!", string(key.Secret) + "x"} {
			s.serve(limits, pagination.Key{ID: key.ID, Secret: []byte(secret)})
			forged := s.first(home + "&limit=2").cursor("next")
			s.serve(limits, key)
			refused(forged, "A cursor is signed with another secret, %q", secret)
		}
		var calls []apart.Call[http.Handler] // safe for concurrent use: each pair of these, on a handler of its own
		next := "GET " + second.url.String() + "&count=true"
		for _, what := range []string{"GET /items?snapshot=true", next, "HEAD /items?cursor=2026-1.2.3", "GET /items?limit=x", "POST /items"} {
			method, to, _ := strings.Cut(what, " ")
			calls = append(calls, apart.Call[http.Handler]{Name: what, Do: func(h http.Handler) {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, to, http.NoBody))
			}})
		}
		apart.Pairs(t, func() http.Handler { s.serve(limits, key); return s.Handler }, calls...)
	})
}

// problem checks that the answer is one, about that parameter; an empty name is any.
func (p page) problem(status int, parameter any, why string) {
	p.t.Helper()
	step.Equal(p.t, status, p.Code, "%s, so %s should be answered with a problem, not %.200s\nThe status:", why, p.asked, p.Body)
	var problem map[string]any
	err := json.Unmarshal(p.Body.Bytes(), &problem)
	_, typed := problem["type"].(string)
	title, _ := problem["title"].(string)
	detail, _ := problem["detail"].(string)
	ok := err == nil && typed && title != "" && problem["status"] == float64(status) && (detail != "" || status == 500)
	step.Expect(p.t, ok && p.kind() == "application/problem+json" && (parameter == "" || problem["parameter"] == parameter),
		"%s, so %s should be answered with a problem: type, title, status %d, detail if that is 400, and parameter %v. It is %q, %s",
		why, p.asked, status, parameter, p.kind(), p.Body)
}

// A cursor outlives the rotation of its key, until the very instant that is stated for the old key.
func TestRotation(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		s := open(t, mixed()...)
		second := pagination.Key{ID: "2026-10", Secret: []byte("the second secret, which is longer than what SHA-256 takes at once")}
		third := pagination.Key{ID: "2026", Secret: []byte(string(second.Secret) + ", and one more")}
		past, first, soon, renamed, other, endless := key, key, key, key, key, key
		past.Until, first.Until, soon.Until = time.Unix(0, 0), time.Now().Add(time.Hour+time.Second/2), time.Now().Add(time.Minute)
		renamed.ID, other.Secret, endless.Until = "2026-", third.Secret, time.Time{}.Local() // no time is zero there too
		old, fresh := s.first("limit=2"), page{}
		for _, tt := range []struct {
			keys  []pagination.Key // of the next handler
			after time.Duration
			good  bool
			why   string
		}{
			{[]pagination.Key{second, first}, 0, true, "The key of the cursor is the second of the list, for an hour"},
			{[]pagination.Key{second}, 0, false, "The key of the cursor is not in the list any more"},
			{[]pagination.Key{second, past}, 0, false, "The time of the cursor's key was over when the handler was made"},
			{[]pagination.Key{second, renamed}, 0, false, "The key of the cursor is not in the list, and another ID has its secret"},
			{[]pagination.Key{second, other}, 0, false, "The key of the cursor is not in the list, and its ID has another secret"},
			{[]pagination.Key{second, soon}, 2 * time.Minute, false, "The time of the cursor's key came to its end while the handler was there"},
			{[]pagination.Key{third, second, first}, 58*time.Minute + time.Second/2 - 1, true, "The cursor's key has a nanosecond left"},
			{[]pagination.Key{third, second, first}, 1, false, "The time of the cursor's key has come to its end in this very instant"},
			{[]pagination.Key{third, endless, second}, 24 * time.Hour, true, "The cursor is a day old, and the Until of its key is zero"},
		} {
			s.serve(limits, tt.keys...)
			time.Sleep(tt.after)
			if p := s.get(old.links["next"].String()); !tt.good {
				p.problem(400, "cursor", tt.why)
			} else if p = p.is(old.beside("next"), 0, tt.why+": "); fresh.links == nil {
				fresh = p // whose links are signed with the second key
			}
			s.get(fresh.links["next"].String()).is(fresh.beside("next"), 0, "The cursor's key has no Until, and is one of ", len(tt.keys), ": ")
		}
	})
}

// Bad input is answered 400 with a problem that names the parameter, and another method 405.
func TestBadInput(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		s := open(t, mixed()...)
		good := s.first(fmt.Sprintf("limit=%d&snapshot=false&count=false", limits.MaxLimit)).follow("first", "limit").cursor("next")
		for _, tt := range []struct{ parameter, why, queries string }{
			{"limit", "A limit is at least 1, also with a cursor", "limit=0 limit=-1 limit=0&cursor=" + good},
			{"limit", "A limit is at most MaxLimit", "limit=1001 limit=4294967297 limit=18446744073709551617 limit=99999999999999999999"},
			{"limit", "A limit is a number in decimal digits", "limit=ten limit=1e1 limit=0x10 limit=1_0 limit=2.0 limit=5%20"},
			{"sort", "There is no such sort", "sort=oldest sort=Newest sort=created%20DESC sort=oldest&limit=5"},
			{"category", "A category is text in UTF-8", "category=%FF category=a%C3 category=%ED%A0%80&limit=5"},
			{"snapshot", "It is true or false", "snapshot=yes snapshot=1 snapshot=TRUE"},
			{"count", "It is true or false", "count=all count=1"},
			{"offset", "There is no such parameter", "offset=40 limit=5&offset=40 offset"},
			{"", "The query is wrong in another way", "limit=%zz category=a;b cursor=% =5 limit=0&sort=oldest Limit=5"},
		} {
			for query := range strings.FieldsSeq(tt.queries) {
				s.get("/items?"+query).problem(400, tt.parameter, tt.why)
			}
		}
		for _, pair := range []string{"limit=5", "sort=newest", "category=even", "cursor=" + good, "snapshot=true", "count=false"} {
			name, _, _ := strings.Cut(pair, "=")
			s.get("/items?"+name+"=").problem(400, name, "A value is not empty")
			s.get("/items?"+name).problem(400, name, "A value is not left out")
			s.get("/items?"+pair+"&"+pair).problem(400, name, "A parameter comes once")
			s.get("/items?"+pair+"&"+name).problem(400, name, "A parameter comes once, and is not empty then")
		}
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE", "get"} {
			a := s.send(t.Context(), method, "/items")
			step.Equal(t, 405, a.Code, "%s is no method of a listing, so it should be answered:", method)
			allow := strings.Join(a.Result().Header.Values("Allow"), ",")
			step.Expect(t, strings.Contains(allow, "GET"), "The answer to %s should have an Allow field with GET, not %q.", method, allow)
		}
		for _, query := range []string{"limit=5", "limit=5&cursor=" + good, "limit=0"} {
			get, head := s.get("/items?"+query), s.send(t.Context(), http.MethodHead, "/items?"+query)
			step.Equal(t, get.brief(), head.brief(), "HEAD with %s should have the status, the type and the links of GET.", query)
		}
	})
}

// An export sees exactly what was listed when it began, whatever comes and goes until it ends.
func TestFurtherSnapshot(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		few, more := open(t), open(t, many(250)...)
		exports(few.stock(many(30)...), "sort=newest&limit=6")
		exports(few.stock(many(30)...), "sort=cheapest&category=even&limit=4")
		few.stock(many(50)...)
		for _, v := range views("even") {
			v += "&limit=10&snapshot=true"
			more.first(v).follow("next").takes(few.first(v).follow("next").work())
		}
		for slow := range 5 {
			changedMeanwhile(few.stock(many(9)...), slow)
		}
	})
}

// exports reads a snapshot forward and backward while items come and go.
func exports(s *shop, live string) {
	query, r := live+"&snapshot=true", rand.New(rand.NewPCG(28, 2))
	plain := s.first(live).cursor("next")
	p := s.first(query) // before change 1
	s.add(row{id: 1, category: "even", price: -1, created: epoch + 1000})
	p.follow("next").follow("prev")
	s.remove(true, s.list(p.listing, s.n)[4]) // the last change before the snapshot
	p = s.first(query)
	for _, rel := range []string{"next", "prev"} {
		s.first(query) // somebody else begins an export
		for p.links[rel] != nil {
			s.shake(r, p, true)
			s.serve(limits, key) // another server goes on with it
			p = p.follow(rel, "count", "true")
		}
	}
	s.add(row{id: 200_000, category: "even", price: -2, created: epoch + 2000}) // the next snapshot sees all, to the very last
	p = p.follow("first")
	s.remove(true, s.list(listing{sort: p.sort}, 0)...)
	p.follow("next").follow("prev") // it has what is gone from the listing
	s.first(live)
	s.get("/items?"+live+"&cursor="+p.cursor("next")).problem(400, "cursor", "The cursor is of a snapshot, and used without snapshot")
	s.get("/items?"+query+"&cursor="+plain).problem(400, "cursor", "The cursor is not of a snapshot, and used with snapshot=true")
}

// changedMeanwhile removes an item of page 1 and then adds one to page 2, while a statement of page 1 is on its way.
func changedMeanwhile(s *shop, slow int) {
	defer s.probe.Inject(sqlprobe.Fault{Pattern: "SELECT", Skip: slow, Times: 1, Latency: time.Second}).Remove()
	begun := step.Start(s.t, func() page { return s.get("/items?sort=cheapest&limit=4&snapshot=true&count=true") })
	s.remove(true, s.rows[3]) // which may have to wait for a transaction of the handler's
	s.add(row{id: 15, price: 100, created: epoch})
	a := begun.Result()
	n := map[bool]int64{false: s.n}[strings.Contains(find(anID, a.Body.String()), "40")] // of a moment: before both, or after both
	a.rec = s.get("/items").rec                                                          // some of what ran was the step's
	a.is(place{}, n).follow("next", "count", "true").follow("prev", "count", "true")
}

// A count is exact up to a stated number and says so beyond it, and costs no more in a longer listing.
func TestFurtherCount(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		few, more := open(t), open(t, many(250)...)
		for _, tt := range []struct{ items, upTo int }{{0, 1}, {1, 1}, {2, 1}, {19, 20}, {20, 20}, {21, 20}, {42, 20}} {
			s := few.stock(many(tt.items)...)
			s.cfg.CountUpTo = tt.upTo
			s.serve(s.cfg, key)
			for _, v := range []string{"", "sort=cheapest&category=even&snapshot=true"} {
				p := s.first(v + "&limit=1&count=true")
				s.first(v + "&limit=1&count=false")
				if p.links["next"] != nil {
					p.follow("next", "count", "true").follow("prev", "count")
				}
			}
		}
		s := few.stock(many(20)...)
		for i := range 3 { // the next count is of what is listed then
			s.first("count=true")
			s.first("count=true&snapshot=true")
			s.remove(i == 0, s.rows[i])
		}
		few.stock(many(50)...)
		for _, v := range views("even") {
			v += "&limit=10&count=true"
			more.first(v).takes(few.first(v).work())
		}
	})
}

// A failure of the database is a 500 without its words, and nothing stays open.
func TestFurtherErrors(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		defer log.SetOutput(log.Writer())
		log.SetOutput(new(strings.Builder)) // a handler may write the error to its log
		s := open(t, mixed()...)
		begin := s.first("limit=3&snapshot=true&count=true")
		second := begin.follow("next", "count", "true") // with all statements that there are
		back := s.first("sort=cheapest&category=größe/xl&limit=3").end().links["prev"]
		for _, to := range []*url.URL{begin.url, s.first("limit=100").url, s.first("limit=23").links["next"], second.url, back} {
			good := s.get(to.String())
			seen := map[string]int{}
			for i, statement := range good.rec.Statements {
				good.breaks(sqlprobe.Fault{Pattern: "^PREPARE ", Times: 1, Skip: i})
				fault := sqlprobe.Fault{Pattern: "^" + regexp.QuoteMeta(statement.Shape) + "$", Times: 1, Skip: seen[statement.Shape]}
				seen[statement.Shape]++
				whole := statement.Rows > 1 && !strings.Contains(good.rels(), "next") // then the end of the rows is waited for
				for _, rows := range []int64{0, sqlprobe.BeforeFirstRow, 1, statement.Rows} {
					if fault.AfterRows = rows; rows < statement.Rows || rows == statement.Rows && whole || rows == 0 {
						good.breaks(fault)
					}
				}
				fault.AfterRows, fault.Latency = 0, time.Hour
				good.hurried(time.Second, "while a statement was slow", func() func() { return s.probe.Inject(fault).Remove })
			}
			good.hurried(0, "before the request came", func() func() { return func() {} })
			good.hurried(time.Second, "while all connections of the pool were taken", s.taken)
		}
		s.alone(0)
		s.alone(1)
		s.cfg.DB.Close()
		s.get("/items").problem(500, nil, "The database is closed")
	})
}

// breaks lets a statement of the first request of a new handler fail. Where none is prepared, none fails at that.
func (p page) breaks(fault sqlprobe.Fault) {
	p.s.serve(p.s.cfg, p.s.cfg.Keys...)
	fault.Err = fmt.Errorf("spindle jammed: %w", context.DeadlineExceeded)                            // of the database, not of the request
	broken, others := p.s.probe.Inject(fault), p.s.probe.Inject(sqlprobe.Fault{Latency: time.Second}) // which should not go on
	a := p.s.get(p.url.String())
	broken.Remove()
	others.Remove()
	how := fmt.Sprintf("A statement failed after %d rows (-1: before any, 0: at once), %s", fault.AfterRows, fault.Pattern)
	if broken.Fired() > 0 {
		a.problem(500, nil, how)
		said := find(regexp.MustCompile("spindle|deadline"), fmt.Sprint(a.Body, a.Header()))
		step.Equal(p.t, "", a.fields()+said, "%s, so there should be no links, and no words of the database:", how)
	}
	p.again(how)
}

// again checks that the next request is answered as this one was, and that nothing is held.
func (p page) again(why string) {
	p.t.Helper()
	step.Equal(p.t, 0, p.s.cfg.DB.Stats().InUse, "%s. Connections that are not back:", why)
	a := p.s.get(p.url.String())
	step.Equal(p.t, p.brief()+find(anID, p.Body.String()), a.brief()+find(anID, a.Body.String()),
		"%s. Now the database works again, and %s should be answered as ever: status, items, links.", why, p.asked)
}

// hurried is a client of a new handler, and gives up.
func (p page) hurried(patience time.Duration, why string, slow func() (end func())) {
	p.s.serve(p.s.cfg, p.s.cfg.Keys...)
	ctx, cancel := context.WithTimeout(p.s.t.Context(), patience)
	defer cancel()
	asked, end := time.Now(), slow()
	p.s.send(ctx, http.MethodGet, p.url.String())
	took := time.Since(asked)
	end()
	step.Expect(p.t, took <= patience, "A client gave up after %v, %s, and the handler took %v: %s", patience, why, took, p.asked)
	p.again("A client gave up " + why)
}

// alone asks for a page while somebody else asks for it, who gives up before a statement is through.
func (s *shop) alone(slow int) {
	second := s.stock(many(12)...).first("sort=cheapest&limit=4").follow("next")
	defer s.probe.Inject(sqlprobe.Fault{Pattern: "SELECT", Skip: slow, Times: 1, Latency: 2 * time.Second}).Remove()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
	defer cancel()
	other := step.Start(s.t, func() page { return s.send(ctx, http.MethodGet, second.url.String()) })
	s.add(row{id: second.id + 1, price: second.price})
	p := s.get(second.url.String())
	other.Result()
	p.rec = s.get("/items").rec // some of what ran was the other's
	p.is(second.place, s.n, "Somebody else asked for this page too, and gave up, which is no matter here: ")
}

// taken takes all connections of the pool.
func (s *shop) taken() (free func()) {
	s.cfg.DB.SetMaxOpenConns(1)
	only, err := s.cfg.DB.Conn(s.t.Context())
	step.NoError(s.t, err, "The pool should have a connection.")
	time.AfterFunc(time.Hour, func() { only.Close() })
	return func() { only.Close(); s.cfg.DB.SetMaxOpenConns(0) }
}
