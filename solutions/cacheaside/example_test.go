//go:build solutions

package cacheaside_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
)

// The example of docs/cacheaside.md: a read that began before a write ends after it.

// example: wrong
func get(ctx context.Context, key string) string {
	value, found := cache.Get(key)
	if !found {
		value = db.Load(ctx, key)
		cache.Set(key, value, time.Hour) // a write may have come between
	}
	return value
}

// end

// example: right
func getWithLease(ctx context.Context, key string) string {
	value, found := cache.Get(key)
	for ; !found || strings.HasPrefix(value, "lease "); value, found = cache.Get(key) {
		lease := "lease " + rand.Text()
		if cache.Add(key, lease, time.Second) { // SET NX PX
			value := db.Load(ctx, key)
			cache.Replace(key, lease, value, time.Hour) // only if the lease is still there
			return value
		}
		time.Sleep(25 * time.Millisecond)
	}
	return value
}

// end

// A write commits, then deletes.
func write(key, value string) {
	db.Write(key, value)
	cache.Delete(key)
}

var (
	db    *slowRows
	cache *entries
)

// slowRows takes a while between the read of a row and its answer.
type slowRows struct {
	mu  sync.Mutex
	row string
}

func (d *slowRows) Load(context.Context, string) string {
	d.mu.Lock()
	row := d.row
	d.mu.Unlock()
	time.Sleep(100 * time.Millisecond)
	return row
}

func (d *slowRows) Write(_, value string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.row = value
}

// entries is a cache of one key that does not forget by itself.
type entries struct {
	mu    sync.Mutex
	value string
}

func (c *entries) Get(string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.value, c.value != ""
}

func (c *entries) Set(_, value string, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.value = value
}

func (c *entries) Add(_, value string, _ time.Duration) bool { return c.Replace("", "", value, 0) }

func (c *entries) Replace(_, old, value string, _ time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.value != old {
		return false
	}
	c.value = value
	return true
}

func (c *entries) Delete(string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.value = ""
}

func TestExample(t *testing.T) {
	var log strings.Builder
	race := func(name string, get func(context.Context, string) string) (last string) {
		bubble.Run(t, func(t *testing.T) {
			db, cache = &slowRows{row: "5 EUR"}, &entries{}
			var reader sync.WaitGroup
			reader.Go(func() { get(t.Context(), "price") })
			time.Sleep(50 * time.Millisecond) // the reader has the old row, and not answered yet
			write("price", "6 EUR")
			reader.Wait()
			last = get(t.Context(), "price")
			fmt.Fprintf(&log, "%s: the database has %s, and a new reader gets %s\n", name, db.row, last)
		})
		return last
	}
	if got := race("wrong", get); got != "5 EUR" {
		t.Errorf("the wrong one returned %s", got)
	}
	if got := race("right", getWithLease); got != "6 EUR" {
		t.Errorf("the right one returned %s", got)
	}
	t.Log("\n" + log.String())
}
