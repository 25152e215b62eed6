package bubble_test

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/internal/lives"
	"github.com/backend-kata/dojo/pkg/simdisk"
)

// These are programs of TestPrograms in which something is under way.

// silent is the client of a server that never reads.
func silent() *http.Client {
	dial := func(context.Context, string, string) (net.Conn, error) {
		client, _ := net.Pipe()
		return client, nil
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: 5 * time.Second}
}

func get(c *http.Client) {
	if resp, err := c.Get("http://shop/"); err == nil {
		_ = resp.Body.Close()
	}
}

func requestUnderWay(t *testing.T) {
	bubble.Run(t, func(*testing.T) {
		c := silent()
		defer c.CloseIdleConnections()
		go get(c)
		synctest.Wait()
	})
}

func dialUnderWay(t *testing.T) {
	bubble.Run(t, func(*testing.T) {
		c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}}
		go get(c)
		synctest.Wait()
	})
}

func requestsUnderWay(t *testing.T) {
	bubble.Run(t, func(*testing.T) {
		for range 2 {
			go get(silent())
		}
		go func() {
			req, _ := http.NewRequest(http.MethodGet, "http://shop/", nil)
			if resp, err := silent().Transport.RoundTrip(req); err == nil {
				_ = resp.Body.Close()
			}
		}()
		synctest.Wait()
	})
}

func timerLeft(t *testing.T) {
	bubble.Run(t, func(*testing.T) {
		go func() { <-time.After(time.Millisecond) }()
	})
}

func diskLatency(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		d := &simdisk.Disk{Latency: func(simdisk.Op) time.Duration { return time.Millisecond }}
		var mu sync.Mutex
		save := func() {
			mu.Lock()
			defer mu.Unlock()
			if err := d.MkdirAll("orders", 0o700); err != nil {
				t.Error(err)
			}
		}
		go save()
		time.Sleep(time.Microsecond)
		go save()
		time.Sleep(time.Minute)
	})
}

// The goroutine that sleeps belongs to a program that was cut off.
func cutOffSleeper(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		life := lives.New()
		life.Start(t.Context(), func(context.Context) { time.Sleep(time.Hour) })
		synctest.Wait()
		life.End()
		var mu sync.Mutex
		mu.Lock()
		go mu.Lock()
		<-time.After(time.Minute)
	})
}
