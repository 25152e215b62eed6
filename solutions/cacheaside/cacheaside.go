//go:build solutions

package cacheaside

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// ErrNotFound is the error for a key that the database does not have.
var ErrNotFound = errors.New("the key is not found")

// A DB is the database.
type DB interface {
	// Load returns the value that is committed.
	Load(ctx context.Context, key string) (string, error)
	// Write sets the value in a transaction, and commits it.
	Write(ctx context.Context, key, value string) error
}

// A Cache is the cache that all servers share. What a failed call was to do may have been done.
type Cache interface {
	Get(ctx context.Context, key string) (value string, found bool, err error)
	Set(ctx context.Context, key, value string, ttl time.Duration) error
	// Add sets the value only if the key is absent, and says whether it did.
	Add(ctx context.Context, key, value string, ttl time.Duration) (bool, error)
	// Replace sets the value only if the key has the value old, and says whether it did.
	Replace(ctx context.Context, key, old, value string, ttl time.Duration) (bool, error)
	Delete(ctx context.Context, key string) error
}

// Config says what a Store works with. All numbers are more than 0.
type Config struct {
	DB    DB
	Cache Cache

	TTL          time.Duration // how long a value is kept
	NotFoundTTL  time.Duration // how long it is kept that a key is not found
	Lease        time.Duration // how long the other servers wait for a load that does not end
	CacheTimeout time.Duration // for each call of the cache
	MaxLoads     int           // loads at once, at one server

	Random func() float64 // from 0 to 1, 1 not included; safe for concurrent use
}

// What the cache has under a key begins with one of these.
const (
	isValue   = "="
	isMissing = "!"
	isLease   = "?" // and the holder's token: the key is being loaded
	isFree    = "/" // the load has failed
)

// again is how long a caller waits before it looks again for what another server loads.
const again = 25 * time.Millisecond

// A Store reads and writes the database, and keeps what it reads in the cache.
type Store struct {
	c      Config
	places chan struct{} // has room for one token for each load under way

	mu      sync.Mutex         // guards what follows
	flights map[string]*flight // by key: those that a caller may join
}

// A flight is what callers of one key share.
type flight struct {
	callers int // guarded by the Store's lock
	cancel  context.CancelFunc

	ended chan struct{} // closed when what follows is written
	value string
	err   error
}

// New returns a Store.
func New(c Config) *Store {
	return &Store{c: c, places: make(chan struct{}, c.MaxLoads), flights: map[string]*flight{}}
}

// Get returns the value of a key.
func (s *Store) Get(ctx context.Context, key string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	f := s.join(ctx, key)
	defer s.leave(key, f)
	select {
	case <-f.ended:
		return f.value, f.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// join joins the flight of a key, or begins one. The caller's context must not end it.
func (s *Store) join(ctx context.Context, key string) *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.flights[key]
	if f == nil {
		f = &flight{ended: make(chan struct{})}
		ctx, f.cancel = newContext(ctx)
		s.flights[key] = f
		go s.fly(ctx, key, f)
	}
	f.callers++
	return f
}

func (s *Store) fly(ctx context.Context, key string, f *flight) {
	f.value, f.err = s.fetch(ctx, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(key, f)
	close(f.ended)
}

// newContext returns a context that has the values of another one, and nothing of its end.
func newContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(context.WithoutCancel(ctx))
}

// leave ends the flight if no caller is left, and lets nobody join it any more.
func (s *Store) leave(key string, f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.callers--
	if f.callers == 0 {
		f.cancel()
		s.forget(key, f)
	}
}

// forget lets nobody join this flight any more. The caller holds the lock.
func (s *Store) forget(key string, f *flight) {
	if s.flights[key] == f {
		delete(s.flights, key)
	}
}

// fetch gets a value from the cache, from another server's load, or from a load.
func (s *Store) fetch(ctx context.Context, key string) (string, error) {
	for {
		kept, found, err := s.look(ctx, key)
		switch {
		case err != nil:
			return s.loadAlone(ctx, key)
		case !found:
			if value, isMine, err := s.lead(ctx, key); isMine {
				return value, err
			}
		case strings.HasPrefix(kept, isValue):
			return kept[len(isValue):], nil
		case kept == isMissing:
			return "", ErrNotFound
		default:
			select {
			case <-time.After(again):
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
	}
}

// lead loads a value for all servers, unless another one does.
func (s *Store) lead(ctx context.Context, key string) (_ string, isMine bool, _ error) {
	if err := s.enter(ctx); err != nil {
		return "", true, err
	}
	defer s.exit()
	lease := isLease + rand.Text()
	added, err := s.add(ctx, key, lease)
	if err != nil {
		value, err := s.c.DB.Load(ctx, key)
		return value, true, err
	}
	if !added {
		return "", false, nil
	}
	value, err := s.c.DB.Load(ctx, key)
	s.keep(ctx, key, lease, value, err)
	return value, true, err
}

// loadAlone loads a value without the cache.
func (s *Store) loadAlone(ctx context.Context, key string) (string, error) {
	if err := s.enter(ctx); err != nil {
		return "", err
	}
	defer s.exit()
	return s.c.DB.Load(ctx, key)
}

// enter waits for a place for a load.
func (s *Store) enter(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	select {
	case s.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) exit() { <-s.places }

// keep puts what came of a load in the place of its lease. If a write has taken the lease away, it keeps nothing.
func (s *Store) keep(ctx context.Context, key, lease, value string, err error) {
	ctx, cancel := s.forCache(context.WithoutCancel(ctx))
	defer cancel()
	share := 1 - s.c.Random()/10
	switch {
	case err == nil:
		_, _ = s.c.Cache.Replace(ctx, key, lease, isValue+value, time.Duration(float64(s.c.TTL)*share))
	case errors.Is(err, ErrNotFound):
		_, _ = s.c.Cache.Replace(ctx, key, lease, isMissing, time.Duration(float64(s.c.NotFoundTTL)*share))
	default: // not Delete, which might hit what another server has kept since
		_, _ = s.c.Cache.Replace(ctx, key, lease, isFree, time.Millisecond)
	}
}

func (s *Store) look(ctx context.Context, key string) (string, bool, error) {
	ctx, cancel := s.forCache(ctx)
	defer cancel()
	return s.c.Cache.Get(ctx, key)
}

func (s *Store) add(ctx context.Context, key, lease string) (bool, error) {
	ctx, cancel := s.forCache(ctx)
	defer cancel()
	return s.c.Cache.Add(ctx, key, lease, s.c.Lease)
}

func (s *Store) forCache(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.c.CacheTimeout)
}

// Write sets the value of a key. The cache is told whatever came of it: a transaction that failed may have been committed.
func (s *Store) Write(ctx context.Context, key, value string) error {
	err := s.c.DB.Write(ctx, key, value)
	ctx, cancel := s.forCache(context.WithoutCancel(ctx))
	defer cancel()
	_ = s.c.Cache.Delete(ctx, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.flights, key) // what is under way may have an old value
	return err
}
