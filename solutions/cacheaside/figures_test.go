//go:build solutions && !race

package cacheaside_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/solutions/cacheaside"
	"github.com/backend-kata/dojo/solutions/internal/figure"
	"github.com/backend-kata/dojo/solutions/internal/numbers"
)

// The figure and the numbers of docs/cacheaside.md come from here. With -v the tests print the numbers; make figures draws.

// A busyDB runs so many loads at once, each of which takes its time. Others wait.
type busyDB struct {
	cores chan struct{}

	mu      sync.Mutex // guards the rest
	changes []change   // of the loads that run or wait
}

type change struct {
	at time.Time
	by int
}

const (
	servers  = 8
	apart    = 1_253 * time.Microsecond // requests: 800 a second, and none comes as a load ends
	takes    = 200 * time.Millisecond   // a load
	coreN    = 20
	watching = 2 * time.Second
)

func (d *busyDB) Load(context.Context, string) (string, error) {
	d.changed(1)
	d.cores <- struct{}{}
	time.Sleep(takes)
	<-d.cores
	d.changed(-1)
	return "value", nil
}

func (*busyDB) Write(context.Context, string, string) error { return errors.New("nobody writes") }

func (d *busyDB) changed(by int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changes = append(d.changes, change{time.Now(), by})
}

// A sharedCache has one key.
type sharedCache struct {
	mu    sync.Mutex
	value string
	ends  time.Time
}

func (c *sharedCache) Get(context.Context, string) (string, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.value, c.there(), nil
}

// there is called with mu held.
func (c *sharedCache) there() bool { return time.Now().Before(c.ends) }

func (c *sharedCache) set(value string, ttl time.Duration, allowed func() bool) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !allowed() {
		return false, nil
	}
	c.value, c.ends = value, time.Now().Add(ttl)
	return true, nil
}

func (c *sharedCache) Set(_ context.Context, _, value string, ttl time.Duration) error {
	_, err := c.set(value, ttl, func() bool { return true })
	return err
}

func (c *sharedCache) Add(_ context.Context, _, value string, ttl time.Duration) (bool, error) {
	return c.set(value, ttl, func() bool { return !c.there() })
}

func (c *sharedCache) Replace(_ context.Context, _, old, value string, ttl time.Duration) (bool, error) {
	return c.set(value, ttl, func() bool { return c.there() && c.value == old })
}

func (c *sharedCache) Delete(ctx context.Context, key string) error { return c.Set(ctx, key, "", 0) }

// A strategy makes the Get of one server.
type strategy func(db *busyDB, cache *sharedCache) func(ctx context.Context, key string) (string, error)

func plain(db *busyDB, cache *sharedCache) func(ctx context.Context, key string) (string, error) {
	return func(ctx context.Context, key string) (string, error) {
		if value, found, err := cache.Get(ctx, key); found || err != nil {
			return value, err
		}
		value, err := db.Load(ctx, key)
		if err != nil {
			return "", err
		}
		return value, cache.Set(ctx, key, value, time.Hour)
	}
}

func oneAServer(db *busyDB, cache *sharedCache) func(ctx context.Context, key string) (string, error) {
	var group singleflight.Group
	get := plain(db, cache)
	return func(ctx context.Context, key string) (string, error) {
		value, err, _ := group.Do(key, func() (any, error) { return get(ctx, key) })
		text, _ := value.(string)
		return text, err
	}
}

func lease(db *busyDB, cache *sharedCache) func(ctx context.Context, key string) (string, error) {
	return cacheaside.New(cacheaside.Config{
		DB: db, Cache: cache, TTL: time.Hour, NotFoundTTL: time.Minute, Lease: 10 * time.Second, CacheTimeout: time.Second,
		MaxLoads: 50, Random: func() float64 { return 0 },
	}).Get
}

// A herd is what came of an expired key.
type herd struct {
	loads   int
	most    int // at once
	busy    time.Duration
	longest time.Duration // a request
	points  [][2]float64  // loads under way by milliseconds
}

func expire(t *testing.T, s strategy) herd {
	var h herd
	bubble.Run(t, func(t *testing.T) {
		db, cache := &busyDB{cores: make(chan struct{}, coreN)}, &sharedCache{}
		var gets []func(context.Context, string) (string, error)
		for range servers {
			gets = append(gets, s(db, cache))
		}
		start := time.Now()
		var mu sync.Mutex
		var all sync.WaitGroup
		for n := 0; time.Since(start) < watching; n++ {
			all.Go(func() {
				began := time.Now()
				if _, err := gets[n%servers](t.Context(), "front page"); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				h.longest = max(h.longest, time.Since(began))
			})
			time.Sleep(apart)
		}
		all.Wait()
		now := 0
		for at := range slices.Values(db.changes) {
			ms := float64(at.at.Sub(start).Microseconds()) / 1000
			h.points = append(h.points, [2]float64{ms, float64(max(now, 1))}, [2]float64{ms, float64(max(now+at.by, 1))})
			now += at.by
			h.loads += max(0, at.by)
			h.most, h.busy = max(h.most, now), at.at.Sub(start)
		}
	})
	return h
}

func TestFigureHerd(t *testing.T) {
	rows := [][]string{{"strategy", "ms", "loads_under_way"}}
	var lines []figure.Line
	for _, s := range []struct {
		name  string
		role  figure.Role
		make  strategy
		label figure.Place
	}{
		{"each request loads", figure.Wrong, plain, figure.Place{X: 700, Y: 190}},
		{"one load a server", figure.Halfway, oneAServer, figure.Place{X: 260, Y: 9}},
		{"a lease", figure.Right, lease, figure.Place{X: 260, Y: 1.25}},
	} {
		points := expire(t, s.make).points
		for _, p := range points {
			rows = append(rows, []string{s.name, strconv.FormatFloat(p[0], 'f', 2, 64), strconv.FormatFloat(p[1], 'f', 0, 64)})
		}
		lines = append(lines, figure.Line{Name: s.name, Role: s.role, Points: points, Label: s.label})
	}
	figure.Current(t, "cacheaside-herd", rows, figure.Chart{
		Title:  "One expired key, and the database works for 1.6 s",
		Assume: "8 servers, 800 requests a second for the key, a load of 200 ms, 20 loads at once in the database.",
		Alt: "Loads under way after a popular key has expired. If each request loads, they rise to 160 in 200 ms, and the last ends after 1.6 s. " +
			"With one load a server they are 8, with a lease 1, and end after 200 ms.",
		X:     figure.Axis{Label: "milliseconds since the key expired", Scale: figure.Linear(0, 1700), Ticks: figure.Even(0, 1600, 400, "%g")},
		Y:     figure.Axis{Label: "loads that run or wait in the database", Scale: figure.Log(0.9, 300), Ticks: figure.Tens(1, 100)},
		Lines: lines,
	})
}

func TestHerd(t *testing.T) {
	rows := [][]string{{"a missing key is loaded by", "loads", "most at once", "database busy for", "longest request"}}
	for _, s := range []struct {
		name string
		make strategy
	}{{"each request", plain}, {"one request a server", oneAServer}, {"the holder of a lease", lease}} {
		h := expire(t, s.make)
		rows = append(rows, []string{
			s.name, strconv.Itoa(h.loads), strconv.Itoa(h.most),
			fmt.Sprintf("%d ms", h.busy.Milliseconds()), fmt.Sprintf("%d ms", h.longest.Milliseconds()),
		})
	}
	t.Log("\n" + numbers.Table(rows))
}

func TestNumber(t *testing.T) {
	all, one := expire(t, plain), expire(t, lease)
	if all.loads < 100 || one.loads != 1 {
		t.Errorf("each request: %d loads, a lease: %d", all.loads, one.loads)
	}
	t.Logf("one key expires under 800 requests a second, on %d servers: %d loads without protection, %d with a lease", servers, all.loads, one.loads)
}
