package idempotency_test

import (
	"cmp"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/backend-kata/dojo/kata/idempotency"
	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/pkg/apart"
	"github.com/backend-kata/dojo/pkg/interleave"
)

// A repeated request gets the first one's status, header fields and body, errors too, and the handler runs once.
func TestRepeatIsReplayed(t *testing.T) {
	serve(t, func(s *server) {
		want := answer{201, http.Header{"Content-Type": {"text/plain"}, "Location": {"/payments/1"}}, "payment 1 of 5.00 EUR"}
		first := s.answers(payment("k1"), 201, "the key is new, so the handler answers")
		step.Equal(s, want, first, "The key is new, so the client gets what the handler wrote, and no more.")
		s.ran(1, 1, "One request came in")
		for _, at := range []*server{s, s, s.beside(s.pay)} {
			time.Sleep(time.Hour)
			at.repeats(payment("k1"), want, "the key has an answer, at every server")
			again := payment("k1").http(s.Context())
			again.Header["User-Agent"], again.RemoteAddr, again.Host = []string{"another"}, "192.0.2.9:9", "www.example.com"
			step.Equal(s, want, send(at, again), "Key and payload are the same, whatever else is not. The answer:")
			s.ran(1, 1, "The first request was answered, and those after it repeat it")
		}
	})
	for _, code := range []int{0, 200, 303, 402, 409, 422, 500, 503} {
		serve(t, func(s *server) {
			fields := http.Header{"Content-Type": {"text/plain; name=caf\xe9"}, "Set-Cookie": {"a=1; expires=Mon, 21 Oct 2030", "b=2"}}
			want := answer{status(cmp.Or(code, 200)), fields, "\x00\xff and so on"}
			s = s.beside(func(w http.ResponseWriter, r *http.Request) {
				s.charge(idempotency.Key(r.Context()))
				if maps.Copy(w.Header(), fields.Clone()); code != 0 {
					w.WriteHeader(code)
					w.Header().Set("X-Late", "too late")
				}
				_, _ = io.WriteString(w, want.Body)
				w.Header()["Set-Cookie"][0] = "too=late"
				w.Header().Set("X-Late", "too late")
				w.WriteHeader(http.StatusTeapot) // superfluous
			})
			step.Equal(s, want, s.start(payment("k1")).Result(), "The answer has the fields that the handler had set when it began to write.")
			s.repeats(payment("k1"), want, "the first request has an answer, whatever it is")
			s.ran(1, 1, "The second request repeats the first, whatever its answer was")
		})
	}
	serve(t, func(s *server) {
		var again answer
		w := plug()
		w.first = func() { again = send(s.beside(s.pay), payment("k1").http(s.Context())) }
		s.ServeHTTP(w, payment("k1").http(s.Context()))
		s.ran(1, 1, "One key came in")
		step.Equal(s, "", w.Header().Get("Idempotent-Replayed"), "This is the first answer, not a replay.")
		step.Equal(s, w.answer, again, "The client has the first byte and asks again. The answer should be in the store by then:")
	})
	serve(t, func(s *server) {
		parts := func(r *http.Request) *http.Request { r = r.Clone(context.Background()); r.Body = nil; return r }
		r := payment("k1").http(context.WithValue(s.Context(), http.LocalAddrContextKey, "a value"))
		r.SetPathValue("id", "7")
		want := parts(r)
		s = s.beside(func(w http.ResponseWriter, r *http.Request) {
			step.Equal(s, want, parts(r), "The handler gets the request as it was.")
			step.Equal[any](s, "a value", r.Context().Value(http.LocalAddrContextKey), "The values of its context are still there.")
			s.pay(w, r)
		})
		step.Equal(s, "payment 1 of 5.00 EUR", send(s, r).Body, "The handler gets the request as it was, its body too.")
	})
}

// A POST or PATCH without a key, or with a malformed one, is refused with 400, and all other methods pass untouched.
func TestKeyIsDemanded(t *testing.T) {
	long := strings.Repeat("k", 255)
	malformed := map[string][]string{ // header fields, some of several lines
		"it is empty":                         {"", "  ", `""`},
		"a String is in double quotes":        {`k1`, `'k1'`, `"k1`, `k1"`, `"`, `"k1\"`},
		"a quote and a backslash are escaped": {`"k"1"`, `"k\"`, `"\\\"`, `"k\1"`},
		"there is one key without parameters": {`"k1";a=1`, `"k1", "k2"`},
		"there is one line":                   {"\"k1\"\n\"k1\"", "\"k1\"\n"},
		"only spaces may be around it":        {"\"k1\"\t"},
		"a String is printable ASCII":         {"\"k\x1f1\"", "\"k\x7f\"", `"clé"`},
		"it has 256 characters":               {`"` + long + `k"`},
	}
	for _, method := range []string{http.MethodPost, http.MethodPatch} {
		q := payment("").but(func(q *request) { q.method, q.keys = method, nil })
		for _, why := range slices.Sorted(maps.Keys(malformed)) {
			for _, field := range malformed[why] {
				serve(t, func(s *server) {
					s.refuses(q, 400, "there is no key")
					s.refuses(q.but(func(q *request) { q.keys = strings.Split(field, "\n") }), 400, why)
					s.ran(0, 0, "All requests were refused")
				})
			}
		}
		for _, key := range []string{`"k1"`, `"k"`, `" "`, `"` + long + `"`, `"` + strings.Repeat(`\"`, 255) + `"`, `" !#[]~ \\ \" "`} {
			serve(t, func(s *server) {
				first := s.answers(q.but(func(q *request) { q.keys = []string{key} }), 201, "the key is well formed")
				s.repeats(q.but(func(q *request) { q.keys = []string{"  " + key + " "} }), first, "spaces around a key are no part of it")
				s.ran(1, 1, "The second request repeats the first")
			})
		}
	}
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "PROPFIND"} {
		serve(t, func(s *server) {
			for n, keys := range [][]string{nil, {`"k1"`}, {`"k1"`}, {`broken`}} {
				q := payment("").but(func(q *request) { q.method, q.keys, q.body = method, keys, strings.Repeat("x", 1000) })
				client, r := plug(), q.http(s.Context())
				none := func(string, func() string) error { s.Fatalf("%v: only POST and PATCH touch a store.", q); return nil }
				s.with(usual, none, func(w http.ResponseWriter, got *http.Request) {
					step.Expect(s, w == http.ResponseWriter(client) && got == r, "%v: the handler should get w and r, not others.", q)
					s.pay(w, r)
					step.Expect(s, strings.HasSuffix(client.Body, q.body), "%v: it passes as it is, the whole body too.", q)
					step.Equal(s, "", idempotency.Key(r.Context()), "%v: it takes no part. What Key returns:", q)
					idempotency.NothingHappened(r.Context()) // does nothing
				}).ServeHTTP(client, r)
				step.Equal(s, 201, client.Status, "%v: it passes, with or without a key, however large. The answer:", q)
				s.ran(n+1, n+1, method+" is safe or idempotent, and passes each time")
			}
		})
	}
}

// The same key with another payload is refused with 422, whether the first request is done or still under way.
func TestOtherPayloadIsRefused(t *testing.T) {
	const body = "{\"eur\": 5, \"to\": \"Jos\xe9\"}" // in Latin-1
	usual := request{http.MethodPost, "/payments?a=1&b=2", "application/json", body, "ann", []string{`"k1"`}}
	others := map[string]func(*request){
		"another body":                                 func(q *request) { q.body = strings.ReplaceAll(body, "5", "6") },
		"another letter that is not UTF-8":             func(q *request) { q.body = strings.ReplaceAll(body, "\xe9", "\xe8") },
		"a line feed at the end":                       func(q *request) { q.body += "\n" },
		"the same JSON with one space less":            func(q *request) { q.body = strings.Replace(body, " ", "", 1) },
		"no body":                                      func(q *request) { q.body = "" },
		"another query":                                func(q *request) { q.target = "/payments?a=1&b=3" },
		"the query in another spelling":                func(q *request) { q.target = "/payments?a=%31&b=2" },
		"the query in another order":                   func(q *request) { q.target = "/payments?b=2&a=1" },
		"the Content-Type in another spelling":         func(q *request) { q.kind = "Application/json" },
		"a byte moved from the query to the body":      func(q *request) { q.target, q.body = "/payments?a=1&b=", "2"+body },
		"a byte moved from the Content-Type to a body": func(q *request) { q.kind, q.body = "application/jso", "n"+body },
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		other := usual.but(others[name])
		serve(t, func(s *server) {
			gate := make(chan struct{})
			s = s.beside(func(w http.ResponseWriter, r *http.Request) { <-gate; s.pay(w, r) })
			first := s.start(usual)
			s.refuses(other, 422, "the key is under way, and this is "+name)
			close(gate)
			step.Equal(s, 201, first.Result().Status, "Nothing was wrong with the first request. Its answer:")
			s.refuses(other, 422, "the key has an answer, and this is "+name)
			s.repeats(usual, first.Result(), "the payload is the first one's again")
			s.ran(1, 1, "A used key with "+name+" is refused")
		})
	}
}

// Clients send one key at the same time: the payment runs once, and the others are told 409 or get its answer.
// It is so at one server and at several that share the store, in every order of what they do there.
func TestSameKeyAtOnce(t *testing.T) {
	one := payment("k1")
	serve(t, func(s *server) {
		gate := make(chan struct{})
		s = s.beside(func(w http.ResponseWriter, r *http.Request) { s.pay(w, r); <-gate })
		first := s.start(one)
		s.isUnderWay(one, 30, "the first request is under way")
		s.beside(s.pay).isUnderWay(one, 30, "the first request is under way at another server")
		s.start(payment("k2"))
		s.ran(2, 2, "Another key came in, and waits for nobody")
		close(gate)
		s.repeats(one, first.Result(), "the first request is done")
	})
	explore(t, "at one server", false, 1, one, one)
	explore(t, "at two servers", false, 2, one, one)
	explore(t, "with two payloads", false, 2, one, payment("k1").but(func(q *request) { q.body = "6.00 EUR" }))
	explore(t, "three times", false, 2, one, one, one)
	var calls []apart.Call[http.Handler]
	for _, q := range []request{
		payment("answered"), payment("answered").but(func(q *request) { q.body = "6.00 EUR" }),
		payment("new"), payment("new too").but(func(q *request) { q.client = "ben" }),
		payment("").but(func(q *request) { q.keys = nil }), payment("").but(func(q *request) { q.method = http.MethodGet }),
	} {
		calls = append(calls, apart.Call[http.Handler]{Name: q.String(), Do: func(h http.Handler) { send(h, q.http(t.Context())) }})
	}
	apart.Pairs(t, func() http.Handler {
		config := usual
		config.Store = parts()
		echo := func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, idempotency.Key(r.Context())) }
		h := idempotency.New(http.HandlerFunc(echo), config)
		calls[0].Do(h)
		return h
	}, calls...)
}

// explore sends requests with one key at the same time, in every order, maybe after the lease of a server that died.
func explore(t *testing.T, where string, died bool, servers int, requests ...request) {
	step.ExploreWithin(t, 200, func(t *step.T, x *interleave.Schedule) { // some designs have more orders; wrong ones fail early
		s := open(t)
		if died {
			ends(s.beside(s.late(0, "panics")), plug(), requests[0])
			time.Sleep(lease)
		}
		answers, several := make([]answer, len(requests)), make([]*server, servers)
		for i := range several {
			several[i] = s.with(usual, at(x), func(w http.ResponseWriter, r *http.Request) { x.Point("charge"); s.pay(w, r) })
		}
		for i, q := range requests {
			x.Go(fmt.Sprintf("client %c", 'A'+i), func() {
				answers[i] = send(several[i%servers], q.http(context.Background()))
				x.Note("%v", answers[i].Status)
			})
		}
		runs := s.runs
		x.Run()
		s.ran(runs+1, 1, "One key was sent at the same time "+where)
		for i, q := range requests {
			again := s.start(q).Result() // the one answer that there is, or 422
			if again.Status == http.StatusUnprocessableEntity {
				step.Equal(s, again.Status, answers[i].Status, "%v: sent at the same time with another payload. The answer:", q)
			} else if answers[i].Status != http.StatusConflict {
				step.Equal(s, again, answers[i], "%v: sent at the same time %s. The answer, which all who are not told 409 should get:", q, where)
			}
		}
	})
}

// at is a wire whose operations are points of a schedule.
func at(x *interleave.Schedule) wire {
	return func(what string, operation func() string) error {
		x.Point("%s", what)
		x.Note("%s", operation())
		return nil
	}
}

// ends sends a request to a handler that may end by a panic, and returns how it ended.
func ends(h http.Handler, w *socket, q request) (how any) {
	defer func() { how = cmp.Or(recover(), how) }()
	h.ServeHTTP(w, q.http(context.Background()))
	return "it returned"
}

// parts is a store in parts, so that requests with different keys share no lock: it would order them, and hide a data race.
func parts() connection {
	var all [64]memory
	for i := range all {
		all[i].entries = map[string]entry{}
	}
	return connection{func(key string) *memory { return &all[crc32.ChecksumIEEE([]byte(key))%64] }, quiet}
}

// quiet is a wire of which nothing is told.
func quiet(_ string, operation func() string) error { operation(); return nil }

// Keys of one client are never seen by another, nor on another route.
func TestKeysAreTheClientsOwn(t *testing.T) {
	of := func(client, method, target, key string) request {
		return payment(key).but(func(q *request) { q.client, q.method, q.target = client, method, target })
	}
	pairs := [][2]request{{of("ann", "POST", "/a%2Fb", "k1"), of("ann", "POST", "/a/b", "k1")}}
	for _, q := range []request{
		of("ben", "POST", "/a", `k"`), of("ann ", "POST", "/a", `k"`), of("", "POST", "/a", `k"`), of("ann", "POST", "/b", `k"`),
		of("ann", "POST", "/a/", `k"`), of("ann", "PATCH", "/a", `k"`), of("ann", "POST", "/a", `k\`),
		of("Ann", "POST", "/a", `k"`), of("ann", "POST", "/A", `k"`), of("ann", "POST", "/a", `K"`),
	} {
		pairs = append(pairs, [2]request{of("ann", "POST", "/a", `k"`), q})
	}
	pairs = append(pairs, [2]request{of("Jos\xe9", "POST", "/a", "k1"), of("Jos\xe8", "POST", "/a", "k1")})
	for by := range strings.FieldsSeq(`: | / - _ , . ; # % = & \`) { // joined by it, the two of each pair spell the same
		pairs = append(pairs,
			[2]request{of("a"+by+"b", "POST", "/a", "c"), of("a", "POST", "/a", "b"+by+"c")},
			[2]request{of("c", "POST", "/a", "a"+by+"b"), of("b"+by+"c", "POST", "/a", "a")},
			[2]request{of("a"+by+"POST"+by+"/a"+by+"b", "POST", "/a", "c"), of("a", "POST", "/a", "b"+by+"POST"+by+"/a"+by+"c")})
		if strings.ContainsAny(by, ":/-_,.;=&") {
			pairs = append(pairs,
				[2]request{of("a"+by+"/b", "POST", "/c", "k1"), of("a", "POST", "/b"+by+"/c", "k1")},
				[2]request{of("a"+by+"POST"+by+"/b", "POST", "/c", "k1"), of("a", "POST", "/b"+by+"POST"+by+"/c", "k1")},
				[2]request{of("c", "POST", "/a"+by+"b", "k1"), of("b"+by+"c", "POST", "/a", "k1")},
				[2]request{of("a", "POST", "/a"+by+"b", "c"), of("a", "POST", "/a", "b"+by+"c")})
		}
	}
	for _, pair := range pairs {
		serve(t, func(s *server) {
			a := s.answers(pair[0], 201, "the key is new")
			b := s.answers(pair[1], 201, fmt.Sprintf("%v is another request", pair[0]))
			s.repeats(pair[0], a, "the key has an answer")
			s.repeats(pair[1], b, "the key has an answer")
			s.ran(2, 2, fmt.Sprintf("%v and %v are two requests, and each was repeated", pair[0], pair[1]))
		})
	}
	serve(t, func(s *server) {
		s = s.with(idempotency.Config{}, s.told, s.pay)
		first := s.answers(payment("k1"), 201, "the key is new")
		s.repeats(payment("k1").but(func(q *request) { q.client = "ben" }), first, "Client is nil, so there is one client only")
	})
}

// A server that dies in the handler leaves the key taken until its lease is over; the retry then runs with the same key.
// One that was slow and not dead does not overwrite the answer of the retry.
func TestUnknownOutcome(t *testing.T) {
	q := payment("k1")
	for _, end := range []string{"answers", nothing, "panics"} {
		for _, wakes := range []time.Duration{time.Minute, 5 * time.Second} { // after the retry, and while it runs
			serve(t, func(s *server) { s.comesBackLate(usual, lease, wakes, end) })
		}
	}
	serve(t, func(s *server) { s.comesBackLate(idempotency.Config{}, time.Minute, time.Minute, "answers") })
	explore(t, "after the lease of a server that died", true, 2, q, q)
	step.ExploreWithin(t, 200, func(t *step.T, x *interleave.Schedule) {
		s := open(t)
		slow := s.with(usual, at(x), func(w http.ResponseWriter, r *http.Request) { x.Point("charge"); s.pay(w, r); x.Pass(lease) })
		fresh := s.with(usual, at(x), s.late(0, "retries"))
		var retry answer
		x.GoMortal("slow server", func() { send(slow, q.http(context.Background())) }) // it may die before all that it does
		x.Go("retry", func() { retry = send(fresh, q.http(context.Background())) })
		x.Run()
		if s.start(q).Result().Status == http.StatusConflict {
			s.isUnderWay(q, 30, "the slow server died, and its lease is not over")
		}
		time.Sleep(lease)
		last := s.start(q).Result()
		step.Expect(s, last.Status < 300, "%v: all leases are over, so a retry should run. The answer is %v.", q, last.Status)
		if retry.Body == "retries" {
			step.Equal(s, retry, last, "A server that came back after its lease leaves the answer of the retry alone. What is repeated:")
		}
		s.ran(s.runs, 1, "One key came in, and gives the provider one string in each run")
	})
	end := map[string]func(context.Context){"panics": func(context.Context) { panic(http.ErrAbortHandler) }}
	end["ends its goroutine"] = func(context.Context) { runtime.Goexit() }
	end[nothing+" and panics"] = func(ctx context.Context) { idempotency.NothingHappened(ctx); end["panics"](ctx) }
	for _, how := range []string{"panics", "ends its goroutine", nothing + " and panics"} {
		serve(t, func(s *server) {
			s = s.beside(func(w http.ResponseWriter, r *http.Request) {
				if s.pay(w, r); s.runs == 1 {
					end[how](r.Context())
				}
			})
			w := plug()
			call := step.Start(s.T, func() any { return ends(s, w, q) })
			step.Expect(s, !call.Waits(), "The handler %s, and so your handler should end at once. It waits.", how)
			want := map[bool]any{true: http.ErrAbortHandler}[strings.HasSuffix(how, "panics")]
			step.Equal(s, want, call.Result(), "The handler %s, and so should yours. What came of it:", how)
			step.Equal(s, answer{}, w.answer, "The handler %s, and nobody knows what happened. The client is told nothing:", how)
			s.isUnderWay(q, 30, "the handler "+how+", and nobody knows what happened until the lease is over")
			s.answers(payment("k2"), 201, "another key is free, although the handler "+how)
			time.Sleep(lease)
			s.answers(q, 201, "the handler "+how+", and its lease is over")
			s.ran(3, 2, "Two keys came in, and the second run of the first gives the provider the same string")
		})
	}
	serve(t, func(s *server) {
		slow := func(what string, do func() string) error { time.Sleep(time.Second / 10); return s.told(what, do) }
		r := q.http(context.Background())
		rest, end := io.Pipe()
		r.Body, r.ContentLength = io.NopCloser(io.MultiReader(r.Body, rest)), -1
		time.AfterFunc(40*time.Second, func() { _ = end.Close() })
		first := step.Start(s.T, func() answer { return send(s.with(usual, slow, s.late(2*lease, "answers")), r) })
		time.Sleep(40*time.Second + lease - time.Second)
		s.isUnderWay(q, 2, "the first body took 40 s to come, then the key was taken, and its lease has a second to go")
		time.Sleep(time.Second)
		for range 10 { // when a retry runs is up to you: the key is taken while the server talks to the store
			time.Sleep(50 * time.Millisecond)
			if s.start(q).Result().Status == http.StatusConflict {
				s.isUnderWay(q, 1, "the store is slow, and the lease all but over")
			}
		}
		first.Result()
		s.ran(2, 1, "The lease of the first request was over, so one retry ran")
	})
}

// comesBackLate pauses a server in the handler until a retry took over. It comes back that much later, and must not touch the key.
func (s *server) comesBackLate(config idempotency.Config, lease, late time.Duration, end string) {
	slow := s.with(config, s.told, s.late(lease+late, end))
	fresh := s.with(config, s.told, func(w http.ResponseWriter, r *http.Request) { s.pay(w, r); time.Sleep(20 * time.Second) })
	q, seconds := payment("k1"), int(lease.Seconds())
	first := step.Start(s.T, func() any { return ends(slow, plug(), q) })
	runs := s.runs
	fresh.isUnderWay(q, seconds, "the first request was sent just now")
	time.Sleep(lease - 1)
	fresh.isUnderWay(q, 1, "the lease of the first request has a nanosecond to go")
	time.Sleep(time.Nanosecond)
	retry := fresh.start(q)
	s.ran(runs+1, 1, "The lease of the first request is over, so a retry runs, and gives the provider the same string")
	time.Sleep(10 * time.Second)
	fresh.isUnderWay(q, seconds-10, "the retry is under way")
	step.Equal(s, 201, retry.Result().Status, "The lease of the first request is over, so a retry runs. Its answer:")
	first.Result()
	slow.repeats(q, retry.Result(), "a server that comes back after its lease and "+end+" leaves the answer of the retry alone")
	s.ran(runs+1, 1, "The first request and one retry ran")
}

// late is a handler that charges the card, unless it is to do nothing, waits, and ends in a way.
func (s *server) late(wakes time.Duration, end string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if end != nothing {
			s.charge(idempotency.Key(r.Context()))
		}
		switch time.Sleep(wakes); end {
		case "panics":
			panic("the handler panics")
		case nothing:
			idempotency.NothingHappened(context.WithoutCancel(r.Context())) // a context of its own
		}
		_, _ = io.WriteString(w, end)
	}
}

// What was refused before the handler ran changes nothing, and a handler that did nothing frees the key.
func TestNoTrace(t *testing.T) {
	q := payment("k1")
	for _, tt := range []struct{ given, most int }{{999, 999}, {0, 1 << 20}} {
		serve(t, func(s *server) {
			config := usual
			config.MaxBody = int64(tt.given)
			s = s.with(config, s.told, s.pay)
			large := q.but(func(q *request) { q.body = strings.Repeat("x", tt.most+1) })
			s.refuses(large, 413, "its body is a byte too large")
			s.refuses(large.but(func(q *request) { q.keys = nil }), 400, "it has no key, which is checked before the body")
			r, huge := q.http(s.Context()), strings.NewReader(strings.Repeat("x", 4*tt.most))
			r.Body, r.ContentLength = io.NopCloser(huge), -1
			step.Equal(s, 413, send(s, r).Status, "The body is four times too large. The answer:")
			read := 4*tt.most - huge.Len()
			step.Expect(s, read <= tt.most+1, "Of a body that is too large %d bytes should be read at most. %d were.", tt.most+1, read)
			r.Body = io.NopCloser(io.MultiReader(strings.NewReader("5.00"), iotest.ErrReader(io.ErrUnexpectedEOF)))
			broken := send(s, r)
			step.Expect(s, broken.Status >= 400, "A body that ends early should be refused, not taken for a whole one.")
			s.isProblem(broken)
			s.ran(0, 0, "All requests were refused")
			step.Equal(s, 0, len(s.contents()), "All requests were refused. Keys in the store:")
			fits := q.but(func(q *request) { q.body = strings.Repeat("x", tt.most) })
			body := s.answers(fits, 201, "a body of this size is allowed, and the refused requests have not used the key").Body
			step.Expect(s, body == "payment 1 of "+fits.body, "The handler should get the whole body. It answered %.200q.", body)
		})
	}
	serve(t, func(s *server) {
		none := s.beside(s.late(0, nothing))
		for range 2 {
			step.Equal(s, nothing, none.answers(q, 200, "the key is free").Body, "The handler did nothing. Its answer:")
			step.Equal(s, 0, len(s.contents()), "Nothing happened, so the key is free. Keys in the store:")
		}
		slow := s.beside(s.late(2*lease, "answers")).start(q)
		time.Sleep(lease)
		none.answers(q, 200, "the lease of the first request is over, so a retry runs")
		slow.Result()
		step.Equal(s, 0, len(s.contents()), "A retry freed the key, and a server that comes back then leaves it so. Keys:")
		other := q.but(func(q *request) { q.body = "7.00 EUR" })
		first := s.answers(other, 201, "nothing had happened under this key, so it is free, for another payload too")
		s.repeats(other, first, "the key has an answer now")
		s.ran(2, 1, "The slow request charged the card, and so did the last one")
	})
}

// An answer is repeated for 24 hours, and then nothing is left of it.
func TestFurtherRetention(t *testing.T) {
	q := payment("k1")
	for _, tt := range []struct{ given, want time.Duration }{{usual.Keep, usual.Keep}, {0, 24 * time.Hour}} {
		serve(t, func(s *server) {
			config := usual
			config.Keep = tt.given
			s = s.with(config, s.told, func(w http.ResponseWriter, r *http.Request) { time.Sleep(20 * time.Second); s.pay(w, r) })
			first := s.start(q).Result()
			time.Sleep(tt.want - 1)
			s.repeats(q, first, "the time to keep the answer is not over")
			time.Sleep(time.Nanosecond)
			step.Equal(s, 0, len(s.contents()), "The time to keep the answer is over. Keys in the store:")
			step.Equal(s, 201, s.start(q).Result().Status, "The time to keep the answer is over, so the key is new. The answer:")
			s.ran(2, 1, "The time to keep the answer is over, so the key is new")
		})
	}
	serve(t, func(s *server) {
		s = s.with(usual, quiet, s.pay)
		for _, keys := range []int{10, 3000} { // after the first few, what is kept for all is there
			before := heap()
			for i := range keys {
				step.Equal(s, 201, send(s, payment(fmt.Sprintf("key %d", i)).http(s.Context())).Status, "A new key. The answer:")
			}
			time.Sleep(usual.Keep)
			step.Equal(s, 0, len(s.contents()), "The time to keep the answers is over. Keys in the store:")
			s.tokens, s.entries = nil, map[string]entry{}
			grown := heap() - before
			step.Expect(s, keys < 100 || grown < 64*keys, "Nothing should be left of %d keys in memory. %d bytes are.", keys, grown)
		}
	})
}

// heap returns how much memory is in use.
func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// A handler that streams, flushes or writes nothing is repeated as well.
func TestFurtherStreams(t *testing.T) {
	pieces := func(w http.ResponseWriter) {
		piece := []byte("part 0\n")
		for range 3 {
			if http.NewResponseController(w).Flush() == nil { // where it can
				w.Header().Set("X-Late", "too late")
			}
			if n, err := w.Write(piece); n < len(piece) || err != nil {
				panic(cmp.Or(err, io.ErrShortWrite))
			}
			piece[5]++ // the handler may use its memory again
		}
	}
	hints := func(w http.ResponseWriter) {
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Content-Type")
		w.Header().Set("Location", "/payments/1")
		w.WriteHeader(http.StatusCreated)
	}
	plain := http.Header{"Content-Type": {"text/plain"}}
	for _, tt := range []struct {
		does  string
		write func(http.ResponseWriter)
		want  answer
	}{
		{"flushes and writes in pieces", pieces, answer{200, plain, "part 0\npart 1\npart 2\n"}},
		{"sends hints first", hints, answer{201, http.Header{"Location": {"/payments/1"}}, ""}},
		{"writes nothing", func(w http.ResponseWriter) { w.Header().Del("Content-Type") }, answer{200, http.Header{}, ""}},
	} {
		serve(t, func(s *server) {
			s = s.beside(func(w http.ResponseWriter, r *http.Request) {
				s.charge(idempotency.Key(r.Context()))
				w.Header().Set("Content-Type", "text/plain")
				tt.write(w)
			})
			step.Equal(s, tt.want, s.start(payment("k1")).Result(), "A handler that %s is heard.", tt.does)
			s.repeats(payment("k1"), tt.want, "a handler that "+tt.does+" has answered")
			s.ran(1, 1, "The second request repeats the first")
		})
	}
}

// A client that goes away does not stop what has begun, and its retry gets the answer.
func TestFurtherClientGoesAway(t *testing.T) {
	for _, end := range []string{"answers", nothing} {
		serve(t, func(s *server) {
			runs, late := 0, s.late(10*time.Second, end)
			s = s.beside(func(w http.ResponseWriter, r *http.Request) {
				late(w, r)
				step.NoError(s, r.Context().Err(), "The client went away in the middle of a payment. The context of the handler goes on.")
				runs++
			})
			ctx, leave := context.WithTimeout(s.Context(), time.Second)
			defer leave()
			send(s, payment("k1").http(ctx))
			step.Equal(s, 200, s.start(payment("k1")).Result().Status, "The client went away, and the handler %s. A retry:", end)
			step.Equal(s, map[string]int{"answers": 1, nothing: 2}[end], runs, "The client left and came back. The handler %s. Runs:", end)
		})
	}
}

// A store that fails before the handler ran means 503 and no run; one that fails afterwards costs the client nothing.
func TestFurtherStoreDown(t *testing.T) {
	q := payment("k1")
	for n := range 20 { // in the second half the store fails once
		serve(t, func(s *server) {
			handlers, said := []http.HandlerFunc{s.pay, s.late(0, nothing)}, []string{"payment 1 of 5.00 EUR", nothing}
			calls, allowed, ran, early := 0, n/2%5, false, false // allowed are the operations before the store fails
			shaky := s.with(usual, func(what string, operation func() string) error {
				if calls++; calls > allowed && (n < 10 || calls == allowed+1) {
					early = early || !ran
					s.Tell("    %s → error", what)
					return io.ErrClosedPipe
				}
				return s.told(what, operation)
			}, func(w http.ResponseWriter, r *http.Request) { ran = true; handlers[n%2](w, r) })
			if a := shaky.start(q).Result(); early || !ran {
				how := []string{"is down", "failed once"}[n/10]
				step.Equal(s, 503, a.Status, "The store %s, so nobody can tell whether this is a repetition. The answer:", how)
				step.Expect(s, !ran, "The client is told 503, and the handler should not run.")
				s.isProblem(a)
			} else {
				step.Equal(s, said[n%2], a.Body, "The store failed when the handler had run, so the client gets its answer.")
				s.start(q).Result()
				step.Expect(s, s.runs < 2, "The handler ran, so the key was taken before that. A retry at once should not run it again.")
			}
			time.Sleep(lease)
			s.answers(q, 201, "the store is back, and a lease is over if there was one")
			s.ran(s.runs, 1, "One key came in, and the store failed meanwhile")
			calls = allowed
			shaky.refuses(q, 503, "the store is down again, so nobody can tell whether this is a repetition")
		})
	}
}
