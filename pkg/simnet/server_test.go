package simnet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/simnet"
)

// get returns the status and body of an answer, or the error.
func get(client *http.Client, url string) string {
	resp, err := client.Get(url)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(resp.StatusCode, " ", string(body))
}

func TestHTTP(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		n := far()
		server := simnet.NewTestServer(t, n.Host("prices"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(5 * ms)
			fmt.Fprintf(w, "%s asks for %s", r.RemoteAddr, r.URL.Path)
		}))
		client := n.Host("shop").Client()
		defer client.CloseIdleConnections()
		start := time.Now()
		if got := get(client, server.URL+"/1"); got != "200 shop:49152 asks for /1" {
			t.Error(got)
		}
		if took := time.Since(start); took != 85*ms {
			t.Errorf("the first request took %v, want 85ms: two round trips and the handler", took)
		}
		if got := get(client, server.URL+"/2"); got != "200 shop:49152 asks for /2" {
			t.Error(got, " (the connection was expected to be used again)")
		}
		if took := time.Since(start); took != 130*ms {
			t.Errorf("both took %v, want 130ms: the second saves a round trip", took)
		}
		sameTrace(t, n, `
   0s  shop → prices:80 #1  dials
 40ms  shop → prices:80 #1  is connected
 40ms  shop → prices:80 #1  GET /1 HTTP/1.1 · 88 B, arrives at 50ms
 55ms  prices:80 → shop #1  HTTP/1.1 200 OK · 139 B, arrives at 85ms
 85ms  shop → prices:80 #1  GET /2 HTTP/1.1 · 88 B, arrives at 95ms
100ms  prices:80 → shop #1  HTTP/1.1 200 OK · 139 B, arrives at 130ms
`)
	})
}

func TestServerCloses(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		n := far()
		saw := make(chan error, 1)
		server := simnet.NewTestServer(t, n.Host("prices"), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			saw <- r.Context().Err()
		}))
		client := n.Host("shop").Client()
		defer client.CloseIdleConnections()
		time.AfterFunc(time.Second, server.Close)
		if got := get(client, server.URL); got != `Get "http://prices": EOF` {
			t.Errorf("the server died in the middle of a request, and Get says %q", got)
		}
		if err := <-saw; !errors.Is(err, context.Canceled) {
			t.Errorf("the handler's context says %v", err)
		}
		if _, err := n.Host("shop").Dial("tcp", "prices:80"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("the server is dead, and Dial says %v", err)
		}
		simnet.NewTestServer(t, n.Host("prices"), http.NotFoundHandler())
		if got := get(client, server.URL); got != "404 404 page not found\n" {
			t.Errorf("another server was started, and Get says %q", got)
		}
	})
}

// A handler that takes over its connection dies with the server.
func TestServerClosesHijackedConnections(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		n := far()
		server := simnet.NewTestServer(t, n.Host("prices"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
			_, err = io.Copy(c, c)
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("the server died, and its echo ends with %v", err)
			}
		}))
		c, err := n.Host("shop").Dial("tcp", "prices:80")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: prices\r\n\r\n")
		time.AfterFunc(time.Minute, server.Close)
		start := time.Now()
		if got, err := io.ReadAll(c); err != nil || string(got) != "HTTP/1.1 101 Switching Protocols\r\n\r\n" {
			t.Errorf("the server died, and the connection that was hijacked says %q, %v", got, err)
		}
		if took := time.Since(start); took != time.Minute+30*ms {
			t.Errorf("the end came after %v, want a minute and 30 ms", took)
		}
		server.Close()
	})
}

func TestTransportGivesUpItsDials(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		n := far()
		n.Host("prices")
		n.Partition("shop", "prices")
		start := time.Now()
		if got := get(n.Host("shop").Client(), "http://prices"); got != `Get "http://prices": dial tcp prices:80: context deadline exceeded` {
			t.Error(got)
		}
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("the dial was given up after %v, want 30s", took)
		}
	})
}

// A tb records what a test would say.
type tb struct {
	testing.TB // nil: no other method is called

	said     []string
	cleanups []func()
}

func (t *tb) Helper()          {}
func (t *tb) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }
func (t *tb) Errorf(format string, args ...any) {
	t.said = append(t.said, fmt.Sprintf(format, args...))
}

func (t *tb) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	panic("FailNow")
}

func TestServerFailures(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		n, record := far(), &tb{}
		server := simnet.NewTestServer(record, n.Host("prices"), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/abort" {
				panic(http.ErrAbortHandler)
			}
			panic("no price")
		}))
		client := n.Host("shop").Client()
		if got := get(client, server.URL+"/abort"); !strings.HasSuffix(got, "EOF") || len(record.said) > 0 {
			t.Errorf("the handler aborted: got %q, and the test says %q", got, record.said)
		}
		get(client, server.URL+"/1")
		if len(record.said) != 1 || !strings.HasPrefix(record.said[0], "simnet: the handler of prices panicked at GET /1: no price\ngoroutine ") {
			t.Errorf("the handler panicked, and the test says %q", record.said)
		}
		func() {
			defer func() { _ = recover() }()
			simnet.NewTestServer(record, n.Host("prices"), nil)
		}()
		if want := "simnet: no server for prices: listen tcp prices:80: bind: address already in use"; len(record.said) != 2 || record.said[1] != want {
			t.Errorf("there was a server already, and the test says %q, want %q", record.said, want)
		}
		for _, f := range record.cleanups {
			f()
		}
	})
}
