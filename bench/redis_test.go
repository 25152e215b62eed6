//go:build solutions && unix

package bench_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/backend-kata/dojo/solutions/cacheaside"
)

// connectRedis returns a client of the Redis that DOJO_REDIS names, or of one that is started for the test.
func connectRedis(t *testing.T) *redis.Client {
	t.Helper()
	options := &redis.Options{Network: "tcp", Addr: os.Getenv("DOJO_REDIS")}
	switch options.Addr {
	case "":
		t.Skip("DOJO_REDIS names no server: give it host:port, or start")
	case "start":
		options.Network, options.Addr = "unix", startRedis(t)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	for began := time.Now(); client.Ping(t.Context()).Err() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatalf("Redis at %s does not answer: %v", options.Addr, client.Ping(t.Context()).Err())
		}
	}
	return client
}

// startRedis starts a Redis that keeps nothing on disk, and returns its socket: there is no port to collide with.
func startRedis(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("redis-server was not found: install Redis (Debian: apt-get install redis-server)")
	}
	folder, err := os.MkdirTemp("", "dojo-redis-") //nolint:usetesting // short: a socket's path has 100 bytes
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(folder, "socket")
	server := exec.Command(program, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", folder)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		_ = os.RemoveAll(folder)
	})
	for range 1000 { // the client logs each dial that fails
		if _, err := os.Stat(socket); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return socket
}

// A redisCache is the kata's cache on Redis. From Redis 8.4 on SET has IFEQ, and needs no script.
type redisCache struct{ client *redis.Client }

var replace = redis.NewScript(`
	if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
	redis.call("SET", KEYS[1], ARGV[2], "PX", ARGV[3])
	return 1`)

func (c redisCache) Get(ctx context.Context, key string) (string, bool, error) {
	value, err := c.client.Get(ctx, key).Result()
	if errors.Is(err, redis.Nil) {
		return "", false, nil
	}
	return value, err == nil, err
}

func (c redisCache) Set(ctx context.Context, key, value string, ttl time.Duration) error {
	return c.client.Set(ctx, key, value, ttl).Err()
}

func (c redisCache) Add(ctx context.Context, key, value string, ttl time.Duration) (bool, error) {
	return c.client.SetNX(ctx, key, value, ttl).Result()
}

func (c redisCache) Replace(ctx context.Context, key, old, value string, ttl time.Duration) (bool, error) {
	return replace.Run(ctx, c.client, []string{key}, old, value, ttl.Milliseconds()).Bool()
}

func (c redisCache) Delete(ctx context.Context, key string) error {
	return c.client.Del(ctx, key).Err()
}

// A takingTurns says whose turn it is, by a letter for each operation.
type takingTurns struct {
	mu   sync.Mutex
	turn *sync.Cond
	left []byte
}

func newTurns(turns string) *takingTurns {
	o := &takingTurns{left: []byte(turns)}
	o.turn = sync.NewCond(&o.mu)
	return o
}

// do runs an operation when it is the actor's turn. One who has had all its turns, or one of no name, does not wait.
func (o *takingTurns) do(actor byte, operation func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for slices.Contains(o.left, actor) && o.left[0] != actor {
		o.turn.Wait()
	}
	operation()
	if slices.Contains(o.left, actor) {
		o.left = o.left[1:]
	}
	o.turn.Broadcast()
}

// done gives up the turns that an actor did not need.
func (o *takingTurns) done(actor byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.left = slices.DeleteFunc(o.left, func(b byte) bool { return b == actor })
	o.turn.Broadcast()
}

type asActor struct{}

func actor(ctx context.Context) byte {
	name, _ := ctx.Value(asActor{}).(byte)
	return name
}

// A market is a database of one row, and a cache whose calls take turns.
type market struct {
	cacheaside.Cache

	o    *takingTurns
	row  string
	sets bool // Replace does not compare
}

func (s *market) Load(ctx context.Context, _ string) (value string, err error) {
	s.o.do(actor(ctx), func() { value = s.row })
	return value, nil
}

func (s *market) Write(ctx context.Context, _, value string) error {
	s.o.do(actor(ctx), func() { s.row = value })
	return nil
}

func (s *market) Get(ctx context.Context, key string) (value string, found bool, err error) {
	s.o.do(actor(ctx), func() { value, found, err = s.Cache.Get(ctx, key) })
	return value, found, err
}

func (s *market) Add(ctx context.Context, key, value string, ttl time.Duration) (added bool, err error) {
	s.o.do(actor(ctx), func() { added, err = s.Cache.Add(ctx, key, value, ttl) })
	return added, err
}

func (s *market) Replace(ctx context.Context, key, old, value string, ttl time.Duration) (replaced bool, err error) {
	s.o.do(actor(ctx), func() {
		if s.sets {
			replaced, err = true, s.Set(ctx, key, value, ttl)
			return
		}
		replaced, err = s.Cache.Replace(ctx, key, old, value, ttl)
	})
	return replaced, err
}

func (s *market) Delete(ctx context.Context, key string) (err error) {
	s.o.do(actor(ctx), func() { err = s.Cache.Delete(ctx, key) })
	return err
}

// turnsOfTwo are all ways to put the writer's two operations among the reader's four.
func turnsOfTwo() (all []string) {
	for first := range 6 {
		for second := first + 1; second < 6; second++ {
			turns := []byte("RRRRRR")
			turns[first], turns[second] = 'W', 'W'
			all = append(all, string(turns))
		}
	}
	return all
}

// The reference of cacheaside on a real Redis, in the orders of the kata's third step: a reader that misses, and a writer at
// the same server or at another one. As a control the same orders run with a plain SET in place of the script.
func TestRedisCacheaside(t *testing.T) {
	client := connectRedis(t)
	stale := map[bool]int{}
	for _, sets := range []bool{false, true} {
		for i, turns := range append(turnsOfTwo(), turnsOfTwo()...) {
			key := fmt.Sprintf("dojo:%d:%d:%t", os.Getpid(), i, sets)
			s := &market{Cache: redisCache{client}, o: newTurns(turns), row: "old", sets: sets}
			servers := [2]*cacheaside.Store{}
			for n := range servers {
				servers[n] = cacheaside.New(cacheaside.Config{
					DB: s, Cache: s, TTL: time.Minute, NotFoundTTL: time.Second, Lease: 10 * time.Second,
					CacheTimeout: 5 * time.Second, MaxLoads: 10, Random: func() float64 { return 0 },
				})
			}
			writer := servers[i/len(turnsOfTwo())]
			var both sync.WaitGroup
			both.Go(func() {
				defer s.o.done('R')
				if _, err := servers[0].Get(context.WithValue(t.Context(), asActor{}, byte('R')), key); err != nil {
					t.Errorf("%s: Get: %v", turns, err)
				}
			})
			both.Go(func() {
				defer s.o.done('W')
				if err := writer.Write(context.WithValue(t.Context(), asActor{}, byte('W')), key, "new"); err != nil {
					t.Errorf("%s: Write: %v", turns, err)
				}
			})
			both.Wait()
			for n, server := range servers {
				got, err := server.Get(t.Context(), key)
				if err != nil || got != "new" {
					stale[sets]++
					if !sets {
						t.Errorf("order %s: server %d returned %q, %v after both had ended, want what was written", turns, n+1, got, err)
					}
					break
				}
			}
			client.Del(t.Context(), key)
		}
	}
	if stale[true] == 0 {
		t.Error("a plain SET was expected to leave the old value in some order")
	}
	t.Logf("of %d orders of a reader and a writer on %s, the old value stayed in %d with the script, and in %d with a plain SET",
		2*len(turnsOfTwo()), version(t, client), stale[false], stale[true])
}

// The adapter does what the kata says of its cache.
func TestRedisCache(t *testing.T) {
	client := connectRedis(t)
	c, ctx, key := redisCache{client}, t.Context(), fmt.Sprintf("dojo:%d:cache", os.Getpid())
	defer client.Del(ctx, key)
	said := func(ok bool, err error) string { return fmt.Sprint(ok, err) }
	_, found, err := c.Get(ctx, key)
	got := []string{
		said(found, err), said(c.Replace(ctx, key, "", "x", time.Minute)), said(c.Add(ctx, key, "\x00\xff", time.Minute)),
		said(c.Add(ctx, key, "b", time.Minute)), said(c.Replace(ctx, key, "b", "c", time.Minute)),
		said(c.Replace(ctx, key, "\x00\xff", "c", 30*time.Millisecond)),
	}
	want := []string{"false <nil>", "false <nil>", "true <nil>", "false <nil>", "false <nil>", "true <nil>"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if _, found, err = c.Get(ctx, key); !found || time.Since(began) > 10*time.Second {
			break
		}
	}
	if found || err != nil {
		t.Errorf("a key of 30 ms was expected to be gone: found: %t, %v", found, err)
	}
}

func version(t *testing.T, client *redis.Client) string {
	t.Helper()
	info, err := client.InfoMap(t.Context(), "server").Result()
	if err != nil {
		return "Redis"
	}
	return "Redis " + info["Server"]["redis_version"]
}
