package idempotency_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/kata/idempotency"
	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/interleave"
)

// A repeated request gets the first one's status, header fields and body, errors too, and the handler runs once.
func TestRepeatIsReplayed(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		first := s.send(payment("k1"))
		s.expectStatus(first, http.StatusCreated, "the key is new, and so the handler answers")
		s.expectRuns(1, 1, "one request came in")
		if want := "payment 1 of 5.00 EUR"; first.body != want {
			t.Fatalf("%v\nwas expected to be answered %q, which is what the handler wrote; got %q.", first.of, want, first.body)
		}
		for range 3 {
			time.Sleep(time.Hour)
			s.expectRepeat(s.send(payment("k1")), first, "the key has an answer")
			s.expectRuns(1, 1, "the first request was answered, and those after it are its repetitions")
		}
		second := s.send(payment("k2"))
		s.expectStatus(second, http.StatusCreated, "another key is another request")
		s.expectRuns(2, 2, "two keys came in")
		s.expectRepeat(s.send(payment("k1")), first, "another key does not change what is kept for this one")
	})
	for _, status := range []int{http.StatusOK, http.StatusNoContent, http.StatusSeeOther, http.StatusPaymentRequired, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusInternalServerError, http.StatusServiceUnavailable} {
		bubble.Run(t, func(t *testing.T) {
			s := open(t)
			s.h = s.server(func(w http.ResponseWriter, r *http.Request) {
				n := s.card.charge(idempotency.Key(r.Context()))
				w.Header()["X-Fee"] = []string{"1", "2"}
				w.WriteHeader(status)
				w.Header().Set("X-Late", strconv.Itoa(n)) // too late to be sent
				if status != http.StatusNoContent {
					_, _ = fmt.Fprintf(w, "\x00\xff run %d", n)
				}
				w.WriteHeader(http.StatusTeapot) // superfluous
			}, calm)
			first := s.send(payment("k1"))
			s.expectStatus(first, status, "that is what the handler answered")
			s.expectRepeat(s.send(payment("k1")), first, fmt.Sprintf("an answer of %d is an answer", status))
			s.expectRuns(1, 1, fmt.Sprintf("the first request was answered with %d, and the second is its repetition", status))
		})
	}
}

// A POST or PATCH without a key, or with a malformed one, is refused with 400, and all other methods pass untouched.
func TestKeyIsDemanded(t *testing.T) {
	long := strings.Repeat("k", 255)
	for _, tt := range []struct {
		keys []string
		why  string
	}{
		{nil, "it has no key"},
		{[]string{""}, "the field is empty"},
		{[]string{`""`}, "a key has at least one character"},
		{[]string{`k1`}, "a key is a String, and so in double quotes"},
		{[]string{`'k1'`}, "a String is in double quotes"},
		{[]string{`"k1`}, "the closing quote is missing"},
		{[]string{`k1"`}, "the opening quote is missing"},
		{[]string{`"`}, "one quote is no String"},
		{[]string{`"k"1"`}, "a quote inside is escaped"},
		{[]string{`"k1\"`}, "the last quote is escaped, so the closing one is missing"},
		{[]string{`"k\1"`}, "only a quote and a backslash can be escaped"},
		{[]string{`"k1";a=1`}, "there are no parameters"},
		{[]string{`"k1", "k2"`}, "there is one key"},
		{[]string{`"k1"`, `"k1"`}, "there is one line"},
		{[]string{"\"k\t1\""}, "a String is printable"},
		{[]string{"\"k\x7f\""}, "a String is printable"},
		{[]string{`"clé"`}, "a String is ASCII"},
		{[]string{`"` + long + `k"`}, "it has 256 characters"},
	} {
		for _, method := range []string{http.MethodPost, http.MethodPatch} {
			bubble.Run(t, func(t *testing.T) {
				s := open(t)
				s.expectProblem(s.send(request{method: method, keys: tt.keys}), http.StatusBadRequest, tt.why)
				s.expectRuns(0, 0, "the request was refused")
				s.expectUntouched(0, "A refused key")
			})
		}
	}
	for _, line := range []string{`"k1"`, `  "k1" `, `"` + long + `"`, `"` + strings.Repeat(`\"`, 255) + `"`, `" !#[]~ \\ \" "`, `"k"`} {
		for _, method := range []string{http.MethodPost, http.MethodPatch} {
			bubble.Run(t, func(t *testing.T) {
				s := open(t)
				q := request{method: method, keys: []string{line}}
				first := s.send(q)
				s.expectStatus(first, http.StatusCreated, "the key is well formed")
				s.expectRepeat(s.send(q), first, "the key has an answer")
				s.expectRuns(1, 1, "the second request is the repetition of the first")
			})
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete} {
		bubble.Run(t, func(t *testing.T) {
			s := open(t)
			for n, keys := range [][]string{nil, {`"k1"`}, {`"k1"`}, {`broken`}} {
				s.expectStatus(s.send(request{method: method, keys: keys}), http.StatusCreated, method+" passes, with or without a key")
				if runs, _ := s.card.counts(); runs != n+1 {
					t.Fatalf("The handler ran %s for %d requests with %s, and was expected to run for each: the method is safe or idempotent.", times(runs), n+1, method)
				}
			}
			s.expectUntouched(0, "A "+method)
		})
	}
}

// The same key with another payload is refused with 422, whether the first request is done or still under way.
func TestOtherPayloadIsRefused(t *testing.T) {
	usual := payment("k1").with(func(q *request) { q.target = "/payments?a=1&b=2" })
	others := []struct {
		name   string
		change func(*request)
	}{
		{"another body", func(q *request) { q.body = "6.00 EUR" }},
		{"a body with one more space", func(q *request) { q.body = "5.00 EUR " }},
		{"another query", func(q *request) { q.target = "/payments?a=1&b=3" }},
		{"the query in another order", func(q *request) { q.target = "/payments?b=2&a=1" }},
		{"no query", func(q *request) { q.target = "/payments" }},
		{"another Content-Type", func(q *request) { q.kind = "application/json" }},
		{"a byte moved from the query to the body", func(q *request) { q.target, q.body = "/payments?a=1&b=", "25.00 EUR" }},
	}
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		first := s.send(usual)
		s.expectStatus(first, http.StatusCreated, "the key is new")
		_, writes := s.store.size()
		for _, other := range others {
			s.expectProblem(s.send(usual.with(other.change)), http.StatusUnprocessableEntity, "the key was used before, and this is "+other.name)
			s.expectRuns(1, 1, "a request with "+other.name+" under a used key is refused")
		}
		s.expectUntouched(writes, "A refused payload")
		s.expectRepeat(s.send(usual), first, "the payload is the first one's again")
	})
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		gate := make(chan struct{})
		s.h = s.server(func(w http.ResponseWriter, r *http.Request) {
			<-gate
			s.pay(w, r)
		}, calm)
		first := s.start(usual)
		for _, other := range others {
			s.expectProblem(s.send(usual.with(other.change)), http.StatusUnprocessableEntity, "the key is in use, and this is "+other.name)
		}
		close(gate)
		s.expectStatus(first.wait(), http.StatusCreated, "nothing was wrong with the first request")
		s.expectRuns(1, 1, "all others were refused")
	})
}

// Clients send one key at the same time: the payment runs once, and the others are told 409 or get its answer.
// It is so at one server and at several that share the store, in every order of what they do there.
func TestSameKeyAtOnce(t *testing.T) {
	explore(t, 2, 1, "at one server")
	explore(t, 2, 2, "at two servers that share the store")
	explore(t, 3, 2, "at two servers that share the store")
	bubble.Run(t, func(t *testing.T) { // freely, for the race detector
		store := &shards{}
		for i := range store {
			store[i] = &memory{entries: map[string]entry{}}
		}
		const clients = 8
		var ran [clients]int
		h := serve(func(w http.ResponseWriter, r *http.Request) {
			client, err := strconv.Atoi(r.Header.Get("Authorization"))
			if err != nil {
				t.Error(err)
				return
			}
			ran[client]++
			_, _ = fmt.Fprintf(w, "done for %d", client)
		}, store)
		var group sync.WaitGroup
		for client := range clients {
			group.Go(func() {
				q := payment(fmt.Sprintf("key %d", client)).with(func(q *request) { q.client = strconv.Itoa(client) })
				for range 5 {
					a := sendTo(h, q)
					if want := fmt.Sprintf("done for %d", client); a.status != http.StatusOK || a.body != want || ran[client] != 1 {
						t.Errorf("Eight clients pay at the same time, each with a key of its own: client %d was expected to get %q and to be served once; it got %d %q and was served %s.", client, want, a.status, a.body, times(ran[client]))
						return
					}
				}
			})
		}
		group.Wait()
	})
}

// explore lets clients send the same request at the same time, in every order of what the servers do at the store and the
// provider.
func explore(t *testing.T, clients, servers int, where string) {
	t.Helper()
	interleave.Explore(t, func(t *testing.T, x *interleave.Schedule) {
		s := open(t)
		at := seam{
			before: func(what string) error { x.Point("%s", what); return nil },
			after:  func(outcome string) { x.Note("%s", outcome) },
		}
		var handlers []http.Handler
		for range servers {
			handlers = append(handlers, s.server(func(w http.ResponseWriter, r *http.Request) {
				x.Point("charge")
				s.pay(w, r)
			}, at))
		}
		answers := make([]answer, clients)
		for i := range clients {
			x.Go("client "+string(rune('A'+i)), func() {
				answers[i] = sendTo(handlers[i%servers], payment("k1"))
				x.Note("%d", answers[i].status)
			})
		}
		x.Run()
		if runs, _ := s.card.counts(); runs != 1 {
			t.Fatalf("%d clients sent one key at the same time %s. The handler was expected to run once, and ran %s.", clients, where, times(runs))
		}
		final := s.send(payment("k1"))
		s.expectStatus(final, http.StatusCreated, "one of the requests before has charged the card")
		for _, a := range answers {
			if a.status == http.StatusConflict {
				s.expectRetryAfter(a, int(lease.Seconds()))
				continue
			}
			s.expectRepeat(a, final, "one request charged the card, and what is not refused with 409 gets its answer")
		}
		s.expectRuns(1, 1, "all requests had one key")
	})
}

// Keys of one client are never seen by another, nor on another route.
func TestKeysAreTheClientsOwn(t *testing.T) {
	for _, tt := range []struct {
		a, b func(*request)
		why  string
	}{
		{func(q *request) { q.client = "ann" }, func(q *request) { q.client = "ben" }, "they are two clients"},
		{func(q *request) { q.client = "ann" }, func(q *request) { q.client = "ann " }, "they are two clients"},
		{func(q *request) { q.target = "/payments" }, func(q *request) { q.target = "/refunds" }, "they are two routes"},
		{func(q *request) { q.target = "/payments" }, func(q *request) { q.target = "/payments/" }, "they are two paths"},
		{func(q *request) { q.target = "/a%2Fb" }, func(q *request) { q.target = "/a/b" }, "they are two paths"},
		{func(q *request) { q.method = http.MethodPost }, func(q *request) { q.method = http.MethodPatch }, "they are two methods"},
		{
			func(q *request) { q.client, q.target = "ann", "/a/b" },
			func(q *request) { q.client, q.target = "ann/a", "/b" }, "client and path together spell the same, and are not",
		},
		{
			func(q *request) { q.client, q.keys = "ann", []string{`"x:k1"`} },
			func(q *request) { q.client, q.keys = "ann:x", []string{`"k1"`} }, "client and key together spell the same, and are not",
		},
		{
			func(q *request) { q.client, q.keys = "ann", []string{`"x|k1"`} },
			func(q *request) { q.client, q.keys = "ann|x", []string{`"k1"`} }, "client and key together spell the same, and are not",
		},
		{
			func(q *request) { q.client, q.target = "ann\x00POST", "/b" },
			func(q *request) { q.client, q.target = "ann", "/b" }, "a client's name may hold any characters",
		},
	} {
		bubble.Run(t, func(t *testing.T) {
			s := open(t)
			a, b := payment("k1").with(tt.a), payment("k1").with(tt.b)
			first := s.send(a)
			s.expectStatus(first, http.StatusCreated, "the key is new")
			second := s.send(b)
			s.expectStatus(second, http.StatusCreated, "the key is the same text as in "+a.String()+", but "+tt.why)
			s.expectRuns(2, 2, fmt.Sprintf("%v and %v are two requests: %s", a, b, tt.why))
			s.expectRepeat(s.send(a), first, "the key has an answer")
			s.expectRepeat(s.send(b), second, "the key has an answer")
			s.expectRuns(2, 2, "both were repeated")
		})
	}
}

// A server that dies in the handler leaves the key taken until its lease is over; the retry then runs with the same key.
// One that was slow and not dead does not overwrite the answer of the retry.
func TestUnknownOutcome(t *testing.T) {
	for _, wakes := range []time.Duration{lease + 10*time.Second, 2 * lease} { // while the retry runs, and after it
		for _, nothing := range []bool{false, true} {
			bubble.Run(t, func(t *testing.T) { open(t).comesBackLate(wakes, nothing) })
		}
	}
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		boom := s.server(func(w http.ResponseWriter, r *http.Request) {
			s.pay(w, r)
			panic(http.ErrAbortHandler)
		}, calm)
		func() {
			defer func() {
				if v := recover(); v != http.ErrAbortHandler { //nolint:errorlint // a panic's value, not an error that was wrapped
					t.Fatalf("The handler panicked, and the panic was expected to go on to the server; what came was %v.", v)
				}
			}()
			sendTo(boom, payment("k1"))
		}()
		s.expectProblem(s.send(payment("k1")), http.StatusConflict, "the handler panicked, so nobody knows what happened until the lease is over")
		time.Sleep(lease)
		s.expectStatus(s.send(payment("k1")), http.StatusCreated, "the lease of the request that panicked is over")
		s.expectRuns(2, 1, "the second run uses the string that the first one gave to the provider")
	})
	for call, ended := 1, false; !ended; call++ { // a server dies before each thing that it does, in turn
		bubble.Run(t, func(t *testing.T) { ended = open(t).dies(call) })
	}
}

// What was refused before the handler ran changes nothing, and a handler that did nothing frees the key.
func TestNoTrace(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		large := payment("k1").with(func(q *request) { q.body = strings.Repeat("x", 1001) })
		s.expectProblem(s.send(large), http.StatusRequestEntityTooLarge, "its body has 1,001 bytes, and at most 1,000 are allowed")
		s.expectUntouched(0, "A body that is too large")
		endless := &meter{}
		r := payment("k1").http(t.Context())
		r.Body, r.ContentLength = io.NopCloser(endless), -1
		w := httptest.NewRecorder()
		s.h.ServeHTTP(w, r)
		s.expectProblem(received(payment("k1"), w), http.StatusRequestEntityTooLarge, "its body has no end")
		if endless.n > 1001 {
			t.Fatalf("%d bytes of an endless body were read, and 1,001 tell that it has more than 1,000.", endless.n)
		}
		s.expectProblem(s.send(large.with(func(q *request) { q.keys = nil })), http.StatusBadRequest, "it has no key, which is looked at before the body")
		s.expectRuns(0, 0, "all were refused")
		fits := payment("k1").with(func(q *request) { q.body = strings.Repeat("x", 1000) })
		first := s.send(fits)
		s.expectStatus(first, http.StatusCreated, "1,000 bytes are allowed, and what was refused before has not used the key")
		if want := "payment 1 of " + fits.body; first.body != want {
			t.Fatalf("The handler was expected to read the whole body; it answered %q.", first.body)
		}
	})
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		sold := true
		s.h = s.server(func(w http.ResponseWriter, r *http.Request) {
			if sold {
				idempotency.NothingHappened(r.Context())
				w.Header().Set("X-Why", "sold out")
				http.Error(w, "nothing left", http.StatusServiceUnavailable)
				return
			}
			s.pay(w, r)
		}, calm)
		for range 2 {
			a := s.send(payment("k1"))
			s.expectStatus(a, http.StatusServiceUnavailable, "that is what the handler answered")
			if a.header.Get("X-Why") != "sold out" || a.body != "nothing left\n" {
				t.Fatalf("A handler to which nothing happened was expected to be heard; the client got %v and %q.", a.header, a.body)
			}
			if keys, _ := s.store.size(); keys != 0 {
				t.Fatalf("Nothing happened, so the key was expected to be free; %d keys are in the store.", keys)
			}
		}
		sold = false
		other := payment("k1").with(func(q *request) { q.body = "7.00 EUR" })
		first := s.send(other)
		s.expectStatus(first, http.StatusCreated, "nothing had happened under this key, so it is free, for another payload too")
		s.expectRepeat(s.send(other), first, "the key has an answer now")
		s.expectRuns(1, 1, "only the third request was for the card")
	})
	bubble.Run(t, func(t *testing.T) {
		idempotency.NothingHappened(t.Context())
		if key := idempotency.Key(t.Context()); key != "" {
			t.Fatalf("A context without a key was expected to give \"\"; Key gave %q.", key)
		}
		s := open(t)
		s.h = s.server(func(w http.ResponseWriter, r *http.Request) {
			idempotency.NothingHappened(r.Context())
			_, _ = io.WriteString(w, idempotency.Key(r.Context()))
		}, calm)
		if a := s.send(request{method: http.MethodGet, keys: []string{`"k1"`}}); a.body != "" {
			t.Fatalf("A GET takes no part, so its key was expected to be \"\"; Key gave %q.", a.body)
		}
	})
}

// An answer is repeated for 24 hours, and then nothing is left of it.
func TestFurtherRetention(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		s.h = s.server(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(30 * time.Second)
			s.pay(w, r)
		}, calm)
		first := s.send(payment("k1"))
		s.expectStatus(first, http.StatusCreated, "the key is new")
		time.Sleep(keep - 1)
		s.expectRepeat(s.send(payment("k1")), first, "24 hours since the answer are not over")
		time.Sleep(time.Nanosecond)
		if keys, _ := s.store.size(); keys != 0 {
			t.Fatalf("24 hours have passed since the answer, and nothing was expected to be left in the store; there are %d keys.", keys)
		}
		s.expectStatus(s.send(payment("k1")), http.StatusCreated, "after 24 hours the key is new")
		runs, _ := s.card.counts()
		if runs != 2 {
			t.Fatalf("After 24 hours the key is new, and the handler was expected to run again; it ran %s in all.", times(runs))
		}
	})
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		const flood = 2000
		before := heap()
		for n := range flood {
			q := payment(fmt.Sprintf("key %d", n)).with(func(q *request) { q.body = strings.Repeat("x", 1000) })
			s.expectStatus(s.send(q), http.StatusCreated, "the key is new")
		}
		time.Sleep(keep)
		if keys, _ := s.store.size(); keys != 0 {
			t.Fatalf("A day after a flood of %d keys nothing was expected to be left in the store; there are %d keys.", flood, keys)
		}
		s.card.forget()
		if grown := heap() - before; grown > 1<<20 {
			t.Fatalf("A day after a flood of %d keys nothing was expected to be left in memory; it grew by %d KiB.", flood, grown>>10)
		}
	})
}

// A handler that streams, flushes or writes nothing is repeated as well.
func TestFurtherStreams(t *testing.T) {
	handlers := map[string]http.HandlerFunc{
		"writes in pieces and flushes": func(w http.ResponseWriter, _ *http.Request) {
			for i := range 5 {
				_, _ = fmt.Fprintf(w, "part %d\n", i)
				if f, ok := w.(http.Flusher); ok {
					f.Flush()
				}
				w.Header().Set("X-Late", "too late")
			}
		},
		"flushes through a ResponseController": func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush() // an error is right too
			_, _ = io.WriteString(w, "done")
		},
		"writes nothing":       func(http.ResponseWriter, *http.Request) {},
		"writes a status only": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) },
		"sends hints first": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, "done")
		},
	}
	wants := map[string]string{
		"writes in pieces and flushes": "part 0\npart 1\npart 2\npart 3\npart 4\n", "flushes through a ResponseController": "done", "sends hints first": "done",
	}
	for _, name := range slices.Sorted(maps.Keys(handlers)) {
		bubble.Run(t, func(t *testing.T) {
			s := open(t)
			s.h = s.server(func(w http.ResponseWriter, r *http.Request) {
				s.card.charge(idempotency.Key(r.Context()))
				handlers[name](w, r)
			}, calm)
			first := s.send(payment("k1"))
			s.expectRuns(1, 1, "the key is new")
			if first.body != wants[name] || first.header.Get("X-Late") != "" {
				t.Fatalf("A handler that %s was expected to be heard; the client got %v and %q.", name, first.header, first.body)
			}
			s.expectRepeat(s.send(payment("k1")), first, "a handler that "+name+" has answered")
			s.expectRuns(1, 1, "the second request is the repetition of the first")
		})
	}
}

// A client that goes away does not stop what has begun, and its retry gets the answer.
func TestFurtherClientGoesAway(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		cancelled := false
		s.h = s.server(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(10 * time.Second):
				s.pay(w, r)
			case <-r.Context().Done():
				cancelled = true
				http.Error(w, "the client is gone", http.StatusServiceUnavailable)
			}
		}, calm)
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		w := httptest.NewRecorder()
		s.h.ServeHTTP(w, payment("k1").http(ctx))
		synctest.Wait()
		time.Sleep(time.Minute)
		if cancelled {
			t.Fatal("The context of the handler was expected to go on when the client went away in the middle of a payment, and it ended.")
		}
		s.expectRuns(1, 1, "the payment had begun when the client went away")
		s.expectStatus(s.send(payment("k1")), http.StatusCreated, "the payment that had begun has an answer by now")
		s.expectRuns(1, 1, "the retry gets the answer of the first run")
	})
}

// A store that fails before the handler ran means 503 and no run; one that fails afterwards costs the client nothing.
func TestFurtherStoreDown(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		s.store.fail(errDown)
		s.expectProblem(s.send(payment("k1")), http.StatusServiceUnavailable, "the store is down, so nobody can tell whether this is a repetition")
		s.expectRuns(0, 0, "the store is down")
		s.store.fail(nil)
		s.expectStatus(s.send(payment("k1")), http.StatusCreated, "the store is back")
		s.expectRuns(1, 1, "the store is back")
	})
	bubble.Run(t, func(t *testing.T) {
		s := open(t)
		s.h = s.server(func(w http.ResponseWriter, r *http.Request) {
			s.pay(w, r)
			s.store.fail(errDown)
		}, calm)
		s.expectStatus(s.send(payment("k1")), http.StatusCreated, "the card was charged before the store failed")
		s.store.fail(nil)
		time.Sleep(lease)
		s.expectStatus(s.send(payment("k1")), http.StatusCreated, "the store is back, and the lease of the first run is over")
		s.expectRuns(2, 1, "the second run uses the string that the first one gave to the provider")
	})
	for allowed := 1; allowed <= 3; allowed++ { // calls to the store before it fails
		bubble.Run(t, func(t *testing.T) {
			s := open(t)
			calls, ran := 0, false
			h := s.server(func(w http.ResponseWriter, r *http.Request) { ran = true; s.pay(w, r) }, seam{after: calm.after, before: func(string) error {
				if calls++; calls > allowed {
					return errDown
				}
				return nil
			}})
			a := sendTo(h, payment("k1"))
			want := http.StatusServiceUnavailable
			if ran {
				want = http.StatusCreated
			}
			s.expectStatus(a, want, fmt.Sprintf("the store failed after %d calls; did the handler run: %v", allowed, ran))
		})
	}
}
