package simnet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/simnet"
)

// crashing is a client that has a connection to a server, which is about to crash.
type crashing struct {
	t        *testing.T
	network  *simnet.Network
	server   *simnet.Host
	client   *simnet.Host
	conn     net.Conn // the client's end
	accepted net.Conn // the server's
	began    time.Time
}

func newCrashing(t *testing.T) *crashing {
	network := &simnet.Network{Default: simnet.Link{Latency: 10 * time.Millisecond}}
	c := &crashing{t: t, network: network, server: network.Host("server"), client: network.Host("client")}
	c.server.AddIP("10.0.0.1")
	l, err := c.server.Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- conn
	}()
	if c.conn, err = c.client.Dial("tcp", "server:80"); err != nil {
		t.Fatal(err)
	}
	c.accepted = <-accepted
	c.began = time.Now()
	return c
}

// read is how the client's next Read ends, and after how long.
func (c *crashing) read() string {
	c.t.Helper()
	var b [100]byte
	n, err := c.conn.Read(b[:])
	return fmt.Sprintf("%q %v after %v", b[:n], short(err), time.Since(c.began))
}

func short(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return net.ErrClosed
	}
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number
	}
	return err
}

func (c *crashing) want(got, want string) {
	c.t.Helper()
	if got != want {
		c.t.Errorf("got  %s\nwant %s\n%s", got, want, c.network.Trace())
	}
}

func TestWhatThePeersNoticeOfACrash(t *testing.T) {
	for _, test := range []struct {
		name, want, why string
		does            func(c *crashing)
	}{
		{
			"killed", `"" connection reset by peer after 10ms`, "the kernel resets the connections of a process that dies",
			func(c *crashing) { c.server.Crash(simnet.Reset) },
		},
		{
			"what was sent arrives", `"!" <nil> after 10ms`, "it was on its way",
			func(c *crashing) {
				_, _ = c.accepted.Write([]byte("!"))
				c.server.Crash(simnet.BlackHole)
			},
		},
		{
			"never comes back", `"" connection timed out after 2m29.99s`, "nine probes, 15 s apart, 15 s after the client heard of the server last",
			func(c *crashing) { c.server.Crash(simnet.BlackHole) },
		},
		{
			"comes back, and the peer is quiet", `"" connection reset by peer after 15.01s`, "the next probe is answered by a reset",
			func(c *crashing) {
				c.server.Crash(simnet.BlackHole)
				time.Sleep(time.Second)
				c.server.Restart()
			},
		},
		{
			"comes back, and the peer has written", `"" connection reset by peer after 1.42s`, "the data are sent again, after 0.2, 0.6 and 1.4 s",
			func(c *crashing) {
				c.server.Crash(simnet.BlackHole)
				_, _ = c.conn.Write([]byte("are you there"))
				time.Sleep(time.Second)
				c.server.Restart()
			},
		},
		{
			"comes back, and the peer had written", `"" connection reset by peer after 1.42s`, "the data were under way and found nobody",
			func(c *crashing) {
				_, _ = c.conn.Write([]byte("are you there"))
				c.server.Crash(simnet.BlackHole)
				time.Sleep(time.Second)
				c.server.Restart()
			},
		},
		{
			"writes after it came back", `"" connection reset by peer after 1.02s`, "the machine does not know the connection",
			func(c *crashing) {
				c.server.Crash(simnet.BlackHole)
				time.Sleep(time.Second)
				c.server.Restart()
				_, _ = c.conn.Write([]byte("are you there"))
			},
		},
		{
			"the peer crashes too", `"" use of closed network connection after 0s`, "a host that has crashed reads nothing",
			func(c *crashing) {
				c.server.Crash(simnet.BlackHole)
				c.client.Crash(simnet.Reset)
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T) {
				c := newCrashing(t)
				test.does(c)
				if got := c.read(); got != test.want {
					t.Errorf("%s\ngot  %s\nwant %s\n%s", test.why, got, test.want, c.network.Trace())
				}
				_ = c.conn.Close()
				if open := c.network.OpenConns(); len(open) > 0 {
					t.Errorf("open after all: %q", open)
				}
			})
		})
	}
}

func TestDialsToAHostThatHasCrashed(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		c := newCrashing(t)
		dial := func(address string) string {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			conn, err := c.client.DialContext(ctx, "tcp", address)
			if err == nil {
				_ = conn.Close()
			}
			return fmt.Sprint(short(err))
		}
		c.server.Crash(simnet.BlackHole)
		c.want(dial("server:80"), "dial tcp 10.0.0.1:80: context deadline exceeded")
		c.want(dial("10.0.0.1:80"), "dial tcp 10.0.0.1:80: context deadline exceeded")
		again := c.server.Restart()
		c.want(dial("server:80"), "connection refused")
		if _, err := again.Listen("tcp", ":80"); err != nil {
			t.Fatal(err)
		}
		c.want(dial("server:80"), "<nil>")
		c.want(dial("10.0.0.1:80"), "<nil>")
		again.Crash(simnet.Reset)
		c.want(dial("server:80"), "connection refused")
	})
}

// A host that has crashed refuses each goroutine of its own program, and ends it if it
// goes on asking.
func TestAHostThatHasCrashedDoesNothing(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		c := newCrashing(t)
		l, err := c.server.Listen("tcp", ":81")
		if err != nil {
			t.Fatal(err)
		}
		var refused, ended atomic.Int32
		ask := func(what func() error) {
			go func() {
				defer ended.Add(1)
				for {
					if err := what(); !errors.Is(err, net.ErrClosed) {
						t.Errorf("a host that has crashed answered %v", err)
						return
					}
					refused.Add(1)
				}
			}()
			synctest.Wait()
		}
		accept := func() error { _, err := l.Accept(); return err }
		read := func() error { _, err := c.accepted.Read(make([]byte, 1)); return err }
		dial := func() error { _, err := c.server.Dial("tcp", "10.9.9.9:80"); return err }
		ask(accept) // is under way, as are the next two
		ask(read)
		ask(dial)
		c.server.Crash(simnet.Reset)
		c.server.Crash(simnet.BlackHole) // it has crashed already
		ask(accept)
		ask(read)
		ask(dial)
		ask(func() error { _, err := c.server.Listen("tcp", ":82"); return err })
		ask(func() error { _, err := c.accepted.Write([]byte("x")); return err })
		time.Sleep(time.Hour)
		if ended.Load() != 8 || refused.Load() < 8 || refused.Load() > 16 {
			t.Errorf("of 8 goroutines that ask again and again %d have ended, after %d refusals", ended.Load(), refused.Load())
		}
		for range 3 { // to clean up is no question
			if err := errors.Join(c.accepted.SetDeadline(time.Now()), c.accepted.Close(), l.Close()); !errors.Is(err, net.ErrClosed) {
				t.Errorf("closing what is dead: %v", err)
			}
		}
		_ = c.conn.Close()
	})
}

func TestHTTPServerThatCrashes(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		network := &simnet.Network{Default: simnet.Link{Latency: time.Millisecond}}
		serve := func(h *simnet.Host, takes time.Duration) *http.Server {
			l, err := h.Listen("tcp", ":80")
			if err != nil {
				t.Fatal(err)
			}
			s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(takes)
				_, _ = io.WriteString(w, "done")
			})}
			go func() { _ = s.Serve(l) }()
			return s
		}
		host := network.Host("server")
		serve(host, time.Second)
		client := network.Host("client").Client()
		defer client.CloseIdleConnections()
		time.AfterFunc(500*time.Millisecond, func() { host.Crash(simnet.Reset) })
		resp, err := client.Get("http://server")
		if err == nil {
			_ = resp.Body.Close()
			t.Error("a request to a server that was killed in the middle was answered")
		}
		s := serve(host.Restart(), 0)
		resp, err = client.Get("http://server")
		if err != nil {
			t.Fatalf("after the restart: %v", err)
		}
		if body, err := io.ReadAll(resp.Body); string(body) != "done" {
			t.Errorf("after the restart: %q, %v", body, err)
		}
		_ = resp.Body.Close()
		_ = s.Close()
		time.Sleep(time.Second) // until the handler in the dead server has ended
	})
}

func TestCrashesThatCannotBe(t *testing.T) {
	var network simnet.Network
	h := network.Host("a")
	panics(t, "simnet: a host crashes with Reset or BlackHole, and not with healthy", func() { h.Crash(simnet.Healthy) })
	panics(t, "simnet: a has not crashed, or was restarted before", func() { h.Restart() })
	h.Crash(simnet.Reset)
	h.Restart()
	panics(t, "simnet: a has not crashed, or was restarted before", func() { h.Restart() })
}

func panics(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got := fmt.Sprint(recover()); got != want {
			t.Errorf("got the panic %q, want %q", got, want)
		}
	}()
	f()
}
