package simnode_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/internal/race"
	"github.com/backend-kata/dojo/pkg/simdisk"
	"github.com/backend-kata/dojo/pkg/simnet"
	"github.com/backend-kata/dojo/pkg/simnode"
)

func inBubble(t *testing.T, body func(t *testing.T)) {
	t.Helper()
	bubble.Run(t, body)
}

// The right counter passes, and every single crash is tried; with -race as many as there
// is time for.
func TestRightCounter(t *testing.T) {
	defer simnode.Within(time.Hour)()
	r := counts(t, flaws{})
	if !r.Exhausted && !race.Enabled || r.Single < 200 || r.Double == 0 || r.Moments < 30 {
		t.Errorf("the report is %v", r)
	}
}

// A node that is down is nobody's to crash or to restart twice.
func TestNodeByHand(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := simnode.New(t)
		var lives, ended atomic.Int32
		n := c.Start("a", func(ctx context.Context, host *simnet.Host, disk *simdisk.Disk) error {
			lives.Add(1)
			defer ended.Add(1)
			if _, err := simdisk.Create(disk, "f"); err != nil {
				return err
			}
			return idle(ctx, host, disk)
		})
		time.Sleep(time.Second)
		if n.Name() != "a" || !n.Up() {
			t.Errorf("%s is up: %v", n.Name(), n.Up())
		}
		if crash := n.Crash(simnet.BlackHole, 2); crash == nil || crash.Number != 2 {
			t.Errorf("the first crash left %v", crash)
		}
		if crash := n.Crash(simnet.BlackHole, 2); crash != nil || n.Up() {
			t.Errorf("a node that is down crashed again, or is up: %v", crash)
		}
		time.Sleep(time.Hour)
		if lives.Load() != 1 || ended.Load() != 1 {
			t.Errorf("the context of a node that crashed ends: %d lives began and %d ended", lives.Load(), ended.Load())
		}
		n.Restart()
		n.Restart()
		time.Sleep(time.Second)
		if lives.Load() != 2 || !n.Up() {
			t.Errorf("after the restart there were %d lives, and the node is up: %v", lives.Load(), n.Up())
		}
	})
}

// What a node that has crashed leaves behind is no leak, wherever it waits.
func TestGoroutinesOfANodeThatCrashed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := simnode.New(t)
		n := c.Start("a", func(ctx context.Context, host *simnet.Host, disk *simdisk.Disk) error {
			go func() { <-make(chan int) }()
			context.AfterFunc(ctx, func() { <-make(chan int) })
			go func() {
				for range time.Tick(time.Minute) {
					_ = disk.MkdirAll("tick", 0o777)
				}
			}()
			go func() {
				for {
					time.Sleep(time.Hour)
				}
			}()
			return idle(ctx, host, disk)
		})
		time.Sleep(time.Minute)
		n.Crash(simnet.Reset, 1)
		time.Sleep(time.Hour)
	})
}

// A crash comes before an operation if the node did something on the network since the
// one before; otherwise it is the same as after that.
func TestMoments(t *testing.T) {
	defer simnode.Within(time.Hour)()
	r := simnode.Explore(t, func(t *testing.T, c *simnode.Cluster) {
		if _, err := c.Network.Host("test").Listen("tcp", ":80"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		c.Start("a", func(ctx context.Context, host *simnet.Host, disk *simdisk.Disk) error {
			for range 3 {
				if err := disk.MkdirAll("d", 0o777); err != nil {
					return err
				}
				_ = disk.Remove("d")
				time.Sleep(time.Millisecond)
				if conn, err := host.Dial("tcp", "test:80"); err == nil {
					_ = conn.Close()
				}
				time.Sleep(time.Millisecond)
			}
			return idle(ctx, host, disk)
		})
		time.Sleep(time.Minute)
		c.Wait()
	})
	if want := 6 + 1 + 2 + 1; r.Moments != want {
		t.Errorf("%d moments, want %d: after each of 6 operations, before the first and after each of 2 dials, and at the end", r.Moments, want)
	}
}

// A program may hold a lock over a sync, as most logs do, and unlock it without defer:
// requests that wait for the lock when the node crashes do not stop the clock.
func TestLockHeldOverASync(t *testing.T) {
	defer simnode.Within(time.Hour)()
	r := simnode.ExploreWithin(t, 150, func(_ *testing.T, c *simnode.Cluster) {
		c.Latency = nil
		c.Start("a", func(ctx context.Context, host *simnet.Host, disk *simdisk.Disk) error {
			f, err := simdisk.Create(disk, "log")
			if err != nil {
				return err
			}
			var mu sync.Mutex
			for range 3 {
				go func() {
					mu.Lock()
					_, err := f.Write([]byte("x"))
					if err == nil {
						err = f.Sync()
					}
					mu.Unlock()
					if err == nil {
						_, _ = host.Dial("tcp", "a:80")
					}
				}()
			}
			return idle(ctx, host, disk)
		})
		time.Sleep(time.Second)
		c.Wait()
		time.Sleep(2 * time.Second) // until the dials of the last life have ended
	})
	if r.Single == 0 {
		t.Errorf("the report is %v", r)
	}
}
