package cacheaside_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/kata/cacheaside"
	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/pkg/interleave"
)

const (
	ttl     = time.Minute
	missing = 10 * time.Second // NotFoundTTL
	lease   = 2 * time.Second
	timeout = 100 * time.Millisecond
	places  = 3
	soon    = 50 * time.Millisecond // for one who waits for another server
	none    = "not found"
	some    = -1 // loads, or none
)

var (
	errLoad   = errors.New("the database refuses the load")
	errWrite  = errors.New("the transaction has failed")
	errCache  = errors.New("the cache refuses the connection")
	errAbsent = fmt.Errorf("no rows: %w", cacheaside.ErrNotFound)
)

// What a cache does with a call.
const (
	works   = iota
	refuses // returns an error
	hangs   // until the context ends
	loses   // the answer of a call that it has done
	slow    // almost too slow
)

// A world is the database and the cache that all servers share. It notes what a Store must not do.
type world struct {
	*step.T
	x     *interleave.Schedule
	share float64 // what Random returns
	blank bool    // the cache is down, and nothing is kept: what calls share is the Store alone

	mu    sync.Mutex // guards what follows
	rows  map[string]string
	kept  map[string]entry // what the cache has
	texts []string         // all keys and values that the cache was given
	loads []*load          // all that there were
	fault string           // the first

	hold      bool  // loads take a while, until they are let go
	stubborn  bool  // those do not end with their context
	failLoad  error // what a load returns
	absent    error // what it returns if there is no row
	failWrite error
	commits   bool   // a write that fails has been committed
	written   int    // calls of DB.Write
	during    func() // is called by a write, before the commit
}

type entry struct {
	value string
	until time.Time
}

// A load is a call of DB.Load.
type load struct {
	ctx  context.Context //nolint:containedctx // a record of what the Store gave
	by   *server
	key  string
	end  chan error
	over bool
}

// A server is a Store, with a cache that it reaches or does not.
type server struct {
	*world

	name  string
	store *cacheaside.Store
	calls atomic.Int64 // of the cache
	state int          // what the cache does
	from  int64        // that call on
	hook  func()       // is called by the next call of the cache
}

func newWorld(t *step.T, x *interleave.Schedule) *world {
	return &world{T: t, x: x, absent: errAbsent, rows: map[string]string{"k": "v1"}, kept: map[string]entry{}}
}

// with runs a body in a bubble, with two servers.
func with(t *testing.T, body func(w *world, a, b *server)) {
	t.Helper()
	step.Bubble(t, func(t *step.T) {
		w := newWorld(t, nil)
		body(w, w.server("A"), w.server("B"))
		w.sound()
	})
}

func (w *world) server(name string) *server {
	s := &server{world: w, name: name}
	s.store = cacheaside.New(cacheaside.Config{
		DB: s, Cache: shared{s}, TTL: ttl, NotFoundTTL: missing, Lease: lease, CacheTimeout: timeout, MaxLoads: places,
		Random: func() float64 { return w.share },
	})
	return s
}

func (s *server) does(state int, from int64) {
	s.calls.Store(0)
	s.set(func() { s.state, s.from = state, from })
}

// note keeps the first fault. The caller holds the lock.
func (w *world) note(fault string, args ...any) {
	if w.fault == "" {
		w.fault = fmt.Sprintf(fault, args...)
	}
}

// Load reads at once. What it has read may then take a while to arrive.
func (s *server) Load(ctx context.Context, key string) (string, error) {
	if s.blank {
		return "v", nil
	}
	s.x.Point("%s: Load", s.name)
	s.mu.Lock()
	l := &load{ctx, s, key, make(chan error, 1), false}
	s.loads = append(s.loads, l)
	value, found := s.rows[key]
	hold, done, err := s.hold, ctx.Done(), s.failLoad
	if s.stubborn {
		done = nil
	}
	if under := s.under(func(o *load) bool { return o.by == s }); under > places {
		s.note("At most %d loads may be under way at one server. There are %d at %s.", places, under, s.name)
	}
	s.mu.Unlock()
	s.x.Note("%q", value)
	if hold {
		select {
		case err = <-l.end:
		case <-done:
		}
	}
	s.x.Point("%s: Load returns", s.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	l.over = true
	switch {
	case ctx.Err() != nil && done != nil:
		err = ctx.Err()
	case err == nil && !found:
		err = s.absent
	}
	return value, err
}

func (s *server) Write(ctx context.Context, key, value string) error {
	if s.blank {
		return nil
	}
	if s.during != nil {
		s.during()
	}
	s.x.Point("%s: commit %q", s.name, value)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written++
	if s.failWrite == nil || s.commits {
		s.rows[key] = value
	}
	if s.failWrite != nil {
		return s.failWrite
	}
	return ctx.Err()
}

type shared struct{ *server } // the cache, as one server reaches it

func (c shared) call(ctx context.Context, op string, does func()) error {
	if c.blank {
		return errCache
	}
	c.x.Point("%s: cache %s", c.name, op)
	if hook := c.hook; hook != nil {
		c.hook = nil
		hook()
	}
	c.mu.Lock()
	state := c.state
	if c.calls.Add(1) < c.from {
		state = works
	}
	c.mu.Unlock()
	switch state {
	case refuses:
		return errCache
	case hangs:
		<-ctx.Done()
	case slow: // most of that on the way there, the rest on the way back
		time.Sleep(timeout * 6 / 10)
		defer time.Sleep(timeout * 3 / 10)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, e := range c.kept {
		if !time.Now().Before(e.until) {
			delete(c.kept, key)
		}
	}
	does()
	if state == loses {
		return errCache
	}
	return nil
}

func (c shared) Get(ctx context.Context, key string) (string, bool, error) {
	var e entry
	var found bool
	err := c.call(ctx, "Get", func() { e, found = c.kept[key] })
	return e.value, found, err
}

// put sets a value if that is wanted in place of what is there.
func (c shared) put(ctx context.Context, op, key, value string, life time.Duration, wanted func(entry, bool) bool) (put bool, err error) {
	err = c.call(ctx, op, func() {
		if e, found := c.kept[key]; wanted(e, found) {
			c.kept[key] = entry{value, time.Now().Add(life)}
			c.texts = append(c.texts, key, value)
			put = true
		}
	})
	return put && err == nil, err
}

func (c shared) Set(ctx context.Context, key, value string, life time.Duration) error {
	_, err := c.put(ctx, "Set", key, value, life, func(entry, bool) bool { return true })
	return err
}

func (c shared) Add(ctx context.Context, key, value string, life time.Duration) (bool, error) {
	return c.put(ctx, "Add", key, value, life, func(_ entry, found bool) bool { return !found })
}

func (c shared) Replace(ctx context.Context, key, old, value string, life time.Duration) (bool, error) {
	return c.put(ctx, "Replace", key, value, life, func(e entry, found bool) bool { return found && e.value == old })
}

func (c shared) Delete(ctx context.Context, key string) error {
	return c.call(ctx, "Delete", func() { delete(c.kept, key) })
}

// An asked is a call of Get.
type asked struct {
	*step.Call[error]

	key, value string
	leave      func()
}

// asks calls Get. It may wait.
func (s *server) asks(ctx context.Context, key string) *asked {
	ctx, cancel := context.WithCancelCause(ctx)
	a := &asked{key: key, leave: func() { cancel(errCache); synctest.Wait() }}
	a.Call = step.Start(s.T, func() (err error) {
		defer time.AfterFunc(time.Minute, func() { cancel(errCache) }).Stop()
		a.value, err = s.store.Get(ctx, key)
		return err
	})
	s.Tell("%s: Get %q: %q", s.name, key, a.told())
	return a
}

func (a *asked) told() string {
	switch {
	case a.Waits():
		return "waits"
	case errors.Is(a.Result(), cacheaside.ErrNotFound):
		return none
	case a.Result() != nil:
		return a.Result().Error()
	}
	return a.value
}

func very(got, want error) bool { return got == want } //nolint:errorlint // the very one
