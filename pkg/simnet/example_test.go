package simnet_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/rpc"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/simnet"
)

// Without latency a network works outside of a bubble as well. A client and a
// server of net/http need nothing but the host's dialer and listener.
func ExampleNetwork() {
	var network simnet.Network
	prices, shop := network.Host("prices"), network.Host("shop")
	l, err := prices.Listen("tcp", ":80")
	if err != nil {
		fmt.Println(err)
		return
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s costs 7.50", r.URL.Path)
	}))
	client := shop.Client()
	resp, err := client.Get("http://prices/tea")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(string(body), err)
	// Output: /tea costs 7.50 <nil>
}

// A link fails one way at a time. Errors are those of a real network.
func ExampleNetwork_Fail() {
	var network simnet.Network
	network.Fail("shop", "prices", simnet.Refuse)
	network.Host("prices")
	_, err := network.Host("shop").Dial("tcp", "prices:80")
	fmt.Println(err)
	fmt.Println(errors.Is(err, syscall.ECONNREFUSED))
	// Output:
	// dial tcp prices:80: connect: connection refused
	// true
}

// Arith is a service of net/rpc.
type Arith struct{}

// Double answers with twice the number.
func (Arith) Double(n int, answer *int) error {
	*answer = 2 * n
	return nil
}

// Whatever speaks over a net.Conn works, such as net/rpc.
func ExampleHost_Dial() {
	var network simnet.Network
	l, err := network.Host("server").Listen("tcp", ":7000")
	if err != nil {
		fmt.Println(err)
		return
	}
	server := rpc.NewServer()
	if err := server.Register(Arith{}); err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		c, err := l.Accept()
		if err == nil {
			server.ServeConn(c)
		}
	}()
	conn, err := network.Host("client").Dial("tcp", "server:7000")
	if err != nil {
		fmt.Println(err)
		return
	}
	client := rpc.NewClient(conn)
	defer client.Close()
	answer := 0
	err = client.Call("Arith.Double", 21, &answer)
	fmt.Println(conn.LocalAddr(), "→", conn.RemoteAddr(), answer, err)
	// Output: client:49152 → server:7000 42 <nil>
}

// The network heals while the client is still trying, and the trace tells why the
// answer took 7 s: SYNs leave after 0, 1, 3 and 7 s.
func TestExampleTrace(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		network := simnet.Network{Seed: 1, Default: simnet.Link{Latency: 5 * time.Millisecond}}
		shop, prices := network.Host("shop"), network.Host("prices")
		server := simnet.NewTestServer(t, prices, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "7.50")
		}))
		client := shop.Client()
		defer client.CloseIdleConnections()

		network.Partition("shop", "prices")
		time.AfterFunc(5*time.Second, func() { network.Heal("shop", "prices") })
		resp, err := client.Get(server.URL + "/price/1")
		if err != nil {
			t.Fatalf("Get failed: %v\n%s", err, network.Trace())
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		sameTrace(t, &network, `
    0s  network              shop → prices: black hole
    0s  network              prices → shop: black hole
    0s  shop → prices:80 #1  dials
    0s  shop → prices:80 #1  SYN is swallowed
    1s  shop → prices:80 #1  SYN is swallowed
    3s  shop → prices:80 #1  SYN is swallowed
    5s  network              shop → prices: healthy
    5s  network              prices → shop: healthy
 7.01s  shop → prices:80 #1  is connected
 7.01s  shop → prices:80 #1  GET /price/1 HTTP/1.1 · 94 B, arrives at 7.015s
7.015s  prices:80 → shop #1  HTTP/1.1 200 OK · 120 B, arrives at 7.02s
`)
	})
}

// TCP carries bytes, not messages. The first reader takes what one Read returns
// for a message; the second reads to the end of the line.
func TestExampleOneWriteIsNotOneRead(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		network := &simnet.Network{Seed: 2, Default: simnet.Link{Latency: 5 * time.Millisecond}}
		client, server, err := connect(network)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		defer server.Close()
		fmt.Fprint(client, "deposit 100\n")
		buffer := make([]byte, 1024)
		n, err := server.Read(buffer)
		if got := string(buffer[:n]); got != "d" || err != nil {
			t.Errorf("one Read returns %q, %v; with this seed it was a part of the message", got, err)
		}
		line, err := bufio.NewReader(server).ReadString('\n')
		if line != "eposit 100\n" || err != nil {
			t.Errorf("the rest is %q, %v", line, err)
		}
	})
}

// The server's answer is swallowed, and the client has no time limit of its own:
// keep-alive ends its wait.
func TestExampleKeepAlive(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		network := &simnet.Network{Default: simnet.Link{Latency: 5 * time.Millisecond}}
		server := simnet.NewTestServer(t, network.Host("prices"), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			time.Sleep(time.Second)
			network.Partition("shop", "prices")
		}))
		client := network.Host("shop").Client()
		defer client.CloseIdleConnections()
		start := time.Now()
		resp, err := client.Get(server.URL)
		if err == nil {
			_ = resp.Body.Close()
		}
		if took := time.Since(start).Round(time.Second); !errors.Is(err, syscall.ETIMEDOUT) || took != 150*time.Second {
			t.Errorf("Get ended after %v with %v", took, err)
		}
	})
}

// Two seconds of a slow line carry 2 MB, whatever the latency.
func TestExampleBandwidth(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		network := &simnet.Network{Default: simnet.Link{Latency: 50 * time.Millisecond, Bandwidth: 1_000_000}}
		server := simnet.NewTestServer(t, network.Host("files"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, 2_000_000))
		}))
		client := network.Host("shop").Client()
		defer client.CloseIdleConnections()
		start := time.Now()
		resp, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		n, err := io.Copy(io.Discard, resp.Body)
		if took := time.Since(start).Round(100 * time.Millisecond); n != 2_000_000 || err != nil || took != 2200*time.Millisecond {
			t.Errorf("%d bytes came within %v: %v", n, took, err)
		}
	})
}

// A failureDetector is the code under test: it hears beats, and takes the peer
// for dead when none has come for a while.
type failureDetector struct {
	patience time.Duration

	mu   sync.Mutex
	last time.Time
}

func (d *failureDetector) beat() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = time.Now()
}

func (d *failureDetector) dead() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Since(d.last) > d.patience
}

// run sends a beat every second, and hears the peer's, until the connection is
// closed.
func (d *failureDetector) run(conn io.ReadWriter) {
	d.beat()
	over := make(chan struct{})
	defer close(over)
	go func() {
		for {
			if _, err := conn.Write([]byte{1}); err != nil {
				return
			}
			select {
			case <-time.After(time.Second):
			case <-over:
				return
			}
		}
	}()
	for {
		if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
			return
		}
		d.beat()
	}
}

// Two nodes watch each other over a connection. When the network fails one way,
// they disagree, which a test with a switch for "the node is down" never shows:
// left takes right for dead, while right hears left and does not know. After the
// link has healed, TCP brings all beats at once, and both agree again.
func TestExampleFailureDetector(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		network := &simnet.Network{Default: simnet.Link{Latency: 20 * time.Millisecond}}
		l, err := network.Host("right").Listen("tcp", ":7000")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		leftConn, err := network.Host("left").Dial("tcp", "right:7000")
		if err != nil {
			t.Fatal(err)
		}
		defer leftConn.Close()
		rightConn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer rightConn.Close()
		left, right := &failureDetector{patience: 5 * time.Second}, &failureDetector{patience: 5 * time.Second}
		bubble.Go(t, func() { left.run(leftConn) })
		bubble.Go(t, func() { right.run(rightConn) })
		expect := func(when string, leftDead, rightDead bool) {
			t.Helper()
			if left.dead() != rightDead || right.dead() != leftDead {
				t.Errorf("%s: left says that right is dead: %t, want %t; right says that left is: %t, want %t\n%s",
					when, left.dead(), rightDead, right.dead(), leftDead, network.Trace())
			}
		}

		time.Sleep(time.Minute)
		expect("after a quiet minute", false, false)
		network.Fail("right", "left", simnet.BlackHole)
		time.Sleep(time.Minute)
		expect("with the way from right to left broken", false, true)
		network.Heal("left", "right")
		time.Sleep(time.Minute)
		expect("after healing", false, false)
	})
}
