package teamserve

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

// A hand is a clock that a test moves.
type hand struct {
	mu sync.Mutex
	at time.Time
}

func newHand() *hand { return &hand{at: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)} }

func (h *hand) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

func (h *hand) move(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = h.at.Add(d)
}

const storyCode = `package idempotency

import "net/http"

// Handler answers each key once.
type Handler struct {
	store Store
	next  http.Handler
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		http.Error(w, "a key is missing", http.StatusBadRequest)
		return
	}
	// try %d
	if answer, ok := h.store.Get(key); ok {
		answer.Write(w)
		return
	}
	h.next.ServeHTTP(w, r)
}
`

const storyFailure = `The card was charged twice for key "k1". Expected: once, and 409 for the other.

     client A                     client B
  1  Get k1 → none
  2                               Get k1 → none
  3  Put k1 running
  4                               Put k1 running
  5  charge 5.00 → ok
  6                               charge 5.00 → ok

idempotency_test.go:118 · schedule 3 of 20, the shortest that fails
again: DOJO_SCHEDULE=ABAB go test -run TestSameKeyAtOnce ./kata/idempotency
`

// play plays 40 minutes of so many pairs.
func play(t *testing.T, pairs int) (*room, *hand) {
	t.Helper()
	clock := newHand()
	r := open(t, func(c *Config) {
		c.Now = clock.now
		c.Ask = func(string) []Question {
			return []Question{{"How long do you keep a key?", "As long as a client may retry: a day is usual.", "a bound, and its reason"}}
		}
	})
	titles := []string{
		"a repeated request gets the first answer", "a key is demanded where one is required", "another payload under the same key is refused",
		"two clients send one key at the same time", "a failure is replayed", "a key outlives a restart",
	}
	names := strings.Fields("Ada Bo Cyd Dee Eli Fay Gus Hal Ivy Jan Kim Lea Max Nia Oli Pia Quin Ray Sam Tia Uli Val Wes Xena Yan Zoe")
	var seats []*seated
	for i := range pairs {
		name := names[i%len(names)] + " and " + names[(i+7)%len(names)]
		if i >= len(names) {
			name += " " + fmt.Sprint(i)
		}
		seats = append(seats, r.join(name))
	}
	if err := r.setPhase(running, 7*minute); err != nil {
		t.Fatal(err)
	}
	for m := range 40 {
		for third := range 3 {
			clock.move(20 * time.Second)
			for i, s := range seats {
				if m >= 14 && m <= 18 || (m*3+third+i*5)%(7+i%3) > 2 { // everybody thinks, or this pair does
					continue
				}
				step := min(6, 1+(m+i)/8)
				v := redAt(step, fmt.Sprintf(storyCode, m*3+third))
				v.Title, v.Failure, v.Predicted = titles[step-1], storyFailure, team.Red
				switch {
				case (m+i)%9 == 4:
					v.Light, v.Reason, v.Step, v.Failure = team.Amber, team.NotBuilt, 0, "idempotency.go:17:2: undefined: anwser"
				case m > 34 && i%3 == 0:
					v.Light, v.Step, v.Failure, v.Passed = team.Green, 0, "", 6
				case (m+i)%11 == 2:
					v.Mistake = "look first, then claim the key"
				}
				v.Race = i%5 != 1
				s.shine(v)
			}
		}
	}
	s := seats[min(1, len(seats)-1)]
	if status, body := r.ask("POST", "/api/moment", team.Moment{Number: 9000, Ago: 300_000, Note: "we saw that the lock was the wrong one"}, s.header()...); status != 204 {
		t.Fatal(status, body)
	}
	return r, clock
}
