//go:build solutions

package idempotency_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/interleave"
	"github.com/backend-kata/dojo/solutions/idempotency"
)

// The numbers of docs/idempotency.md. With -v the tests print them.

// A design is a way to keep keys: the reference, but with a store or a handler that
// makes the mistake. It is played against a card that may not know keys.
type design struct {
	name        string
	lookThenPut bool // takes a key that it found free, whoever has taken it since
	mutex       bool // one for each server, from the look to the put
	alone       bool // there is one server
	forever     bool // takes the key without a lease
	chain       bool // hands the key on to the card

	races, orders, twice, stuck int // what the page says
}

var designs = []design{
	{name: "look, then store", lookThenPut: true, races: 40, orders: 46, twice: 1},
	{name: "under a mutex, one server", lookThenPut: true, mutex: true, alone: true, orders: 8, twice: 1},
	{name: "under a mutex, two servers", lookThenPut: true, mutex: true, races: 40, orders: 46, twice: 1},
	{name: "one atomic write, no lease", forever: true, orders: 30, stuck: 2},
	{name: "one atomic write, with a lease", orders: 30, twice: 1},
	{name: "the same, and a key for the provider", chain: true, orders: 30},
}

// How often is the card charged twice? Two requests with one key come at the same
// time, in every order of what they do; and a server dies before each thing that it does.
func TestDesigns(t *testing.T) {
	table := "| how the key is taken | two requests at once: charged twice | after a crash: charged twice | after a crash: 409 forever |\n|---|---|---|---|\n"
	for _, d := range designs {
		races, orders := d.race(t, 2)
		twice, stuck := 0, 0
		for i := range deaths {
			charges, status := d.die(t, i+1)
			if charges > 1 {
				twice++
			}
			if status == http.StatusConflict {
				stuck++
			}
		}
		have := d
		have.races, have.orders, have.twice, have.stuck = races, orders, twice, stuck
		if have != d {
			t.Errorf("it comes out as %+v, and the page says %+v", have, d)
		}
		table += fmt.Sprintf("| %s | %d of %d orders | %d of %d | %d of %[5]d |\n", d.name, races, orders, twice, deaths, stuck)
	}
	t.Log("\n" + table)
}

// The number to remember.
func TestLookThenPut(t *testing.T) {
	races, orders := designs[0].race(t, 2)
	t.Logf("%d of %d", races, orders)
}

// Three clients at once, with the reference.
func TestThreeClients(t *testing.T) {
	races, orders := designs[len(designs)-1].race(t, 3)
	if races != 0 || orders != 2016 {
		t.Errorf("the card was charged twice in %d of %d orders, and the page says 0 of 2016", races, orders)
	}
	t.Log("2,016 orders")
}

const (
	lease  = time.Minute
	deaths = 5 // before each call of the store, the charge, and the answer to the client
)

// race sends a request from each client at the same time, each to a server of its
// own unless there is only one, and counts the orders in which the card was charged more than once.
func (d design) race(t *testing.T, clients int) (twice, orders int) {
	t.Helper()
	r := interleave.ExploreWithin(t, 3000, func(_ *testing.T, s *interleave.Schedule) {
		shared, card := &store{values: map[string]value{}}, &card{}
		one := d.server(shared, card, s.Point)
		for c := range clients {
			h := one
			if !d.alone {
				h = d.server(shared, card, s.Point)
			}
			s.Go(fmt.Sprint(c), func() { h.ServeHTTP(httptest.NewRecorder(), request(t.Context())) })
		}
		s.Run()
		if card.charges > 1 {
			twice++
		}
	})
	if r.OutOfTime {
		t.Skipf("%s: this machine is too busy to try all orders in %v", d.name, interleave.TimeLimit)
	}
	if !r.Exhausted {
		t.Errorf("%s: %+v, want all orders", d.name, r)
	}
	return twice, r.Schedules
}

var errDied = errors.New("the server died")

// die lets a server die before the nth thing that it does. It returns how often the
// card has been charged when the client has sent the request again, and the last answer.
func (d design) die(t *testing.T, n int) (charges, status int) {
	t.Helper()
	bubble.Run(t, func(t *testing.T) {
		shared, card := &store{values: map[string]value{}}, &card{}
		point := func(string, ...any) {
			if n--; n == 0 {
				panic(errDied)
			}
		}
		func() {
			defer func() {
				if v, _ := recover().(error); !errors.Is(v, errDied) {
					t.Fatalf("%s: the server should die, and %v", d.name, v)
				}
			}()
			w := httptest.NewRecorder()
			d.server(shared, card, point).ServeHTTP(w, request(t.Context()))
			point("answer")
		}()
		time.Sleep(lease)
		w := httptest.NewRecorder()
		d.server(shared, card, func(string, ...any) {}).ServeHTTP(w, request(t.Context()))
		charges, status = card.charges, w.Code
	})
	return charges, status
}

func (d design) server(shared *store, card *card, point func(string, ...any)) http.Handler {
	return idempotency.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		point("charge")
		key := ""
		if d.chain {
			key = idempotency.Key(r.Context())
		}
		card.charge(key)
		w.WriteHeader(http.StatusCreated)
	}), idempotency.Config{Store: &connection{store: shared, design: d, point: point}, Lease: lease})
}

func request(ctx context.Context) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/payments", strings.NewReader("5.00 EUR"))
	r.Header.Set("Idempotency-Key", `"k1"`)
	return r
}

// A card is charged once for each key that it gets, and each time without one.
type card struct {
	mu      sync.Mutex // guards the rest
	charges int
	keys    map[string]bool
}

func (c *card) charge(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if key != "" && c.keys[key] {
		return
	}
	if c.keys == nil {
		c.keys = map[string]bool{}
	}
	c.keys[key] = true
	c.charges++
}

// A connection is the store as one server sees it, with a point before each operation
// and with the mistakes of the design.
type connection struct {
	*store
	design

	point func(format string, args ...any)
	lock  sync.Mutex // from a look that finds nothing to the put
}

func (c *connection) Get(_ context.Context, key string) ([]byte, int64, error) {
	c.point("Get")
	if c.mutex {
		c.lock.Lock()
	}
	v := c.get(key)
	if c.mutex && v.version != 0 {
		c.lock.Unlock()
	}
	return v.bytes, v.version, nil
}

func (c *connection) Put(_ context.Context, key string, bytes []byte, ttl time.Duration) (int64, error) {
	c.point("Put")
	return c.put(key, -1, bytes, ttl)
}

func (c *connection) PutIf(_ context.Context, key string, version int64, bytes []byte, ttl time.Duration) (int64, error) {
	if c.mutex && version == 0 {
		defer c.lock.Unlock()
	}
	c.point("PutIf")
	if c.lookThenPut && version == 0 {
		version = -1
	}
	if c.forever && ttl == lease {
		ttl = 1000 * time.Hour
	}
	return c.put(key, version, bytes, ttl)
}

func (c *connection) DeleteIf(context.Context, string, int64) error { return errors.ErrUnsupported }

// A store keeps values until their time is over.
type store struct {
	mu     sync.Mutex // guards the rest
	values map[string]value
	last   int64
}

type value struct {
	bytes   []byte
	version int64
	until   time.Time
}

func (s *store) get(key string) value {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.locked(key)
}

func (s *store) locked(key string) value {
	if v := s.values[key]; time.Now().Before(v.until) {
		return v
	}
	return value{}
}

// put stores a value if the key has the version, of which -1 is any.
func (s *store) put(key string, version int64, bytes []byte, ttl time.Duration) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if version != -1 && s.locked(key).version != version {
		return 0, idempotency.ErrChanged
	}
	s.last++
	s.values[key] = value{bytes, s.last, time.Now().Add(ttl)}
	return s.last, nil
}
