package simnet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/simnet"
)

const ms = time.Millisecond

// A pair is a connection in a bubble, from shop to prices, and a clock.
type pair struct {
	t              *testing.T
	network        *simnet.Network
	client, server net.Conn
	start          time.Time
}

// inPair runs a test on a connection that was just made. Unless the test closes
// them, its ends are closed.
func inPair(t *testing.T, network *simnet.Network, body func(p *pair)) {
	t.Helper()
	bubble.Run(t, func(t *testing.T) {
		p := &pair{t: t, network: network}
		var err error
		if p.client, p.server, err = connect(network); err != nil {
			t.Fatal(err)
		}
		p.start = time.Now()
		body(p)
		_, _ = p.client.Close(), p.server.Close()
		if t.Failed() {
			t.Logf("the trace:\n%s", network.Trace())
		}
	})
}

// at checks how much time has passed since the connection was made.
func (p *pair) at(want time.Duration, what string) {
	p.t.Helper()
	if got := time.Since(p.start); got != want {
		p.t.Errorf("%s after %v, want %v", what, got, want)
	}
}

func (p *pair) write(c net.Conn, s string) {
	p.t.Helper()
	if n, err := io.WriteString(c, s); n != len(s) || err != nil {
		p.t.Fatalf("Write(%.20q) = %d, %v", s, n, err)
	}
}

func (p *pair) read(c net.Conn, want string) {
	p.t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		p.t.Fatalf("read %q, %v, want %q", got, err, want)
	}
}

// fails reads and expects an error.
func (p *pair) fails(c net.Conn, want error) {
	p.t.Helper()
	n, err := c.Read(make([]byte, 1))
	if n != 0 || !errors.Is(err, want) {
		p.t.Fatalf("Read = %d, %v, want 0, %v", n, err, want)
	}
}

// says expects a part of the trace.
func (p *pair) says(want string) {
	p.t.Helper()
	if got := p.network.Trace(); !strings.Contains(got, want) {
		p.t.Errorf("the trace does not say %s\n%s", want, got)
	}
}

func far() *simnet.Network {
	n := &simnet.Network{Default: simnet.Link{Latency: 10 * ms}}
	n.SetLink("prices", "shop", simnet.Link{Latency: 30 * ms})
	return n
}

func TestDialTakesARoundTrip(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		n := far()
		l, err := n.Host("prices").Listen("tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		accepted := make(chan time.Duration, 1)
		bubble.Go(t, func() {
			c, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			accepted <- time.Since(start)
			_ = c.Close()
		})
		c, err := n.Host("shop").Dial("tcp", "prices:80")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got := time.Since(start); got != 40*ms {
			t.Errorf("the dial took %v, want 10 ms there and 30 ms back", got)
		}
		if got := <-accepted; got != 50*ms {
			t.Errorf("accepted after %v, want another 10 ms later", got)
		}
		if got := fmt.Sprint(c.LocalAddr(), " ", c.RemoteAddr(), " ", l.Addr(), " ", l.Addr().Network()); got != "shop:49152 prices:80 prices:80 tcp" {
			t.Errorf("the addresses are %s", got)
		}
		_ = l.Close()
	})
}

func TestEachWayHasItsLatency(t *testing.T) {
	inPair(t, far(), func(p *pair) {
		p.write(p.client, "ping")
		p.read(p.server, "ping")
		p.at(10*ms, "the request arrived")
		p.write(p.server, "pong")
		p.read(p.client, "pong")
		p.at(40*ms, "the answer arrived")
		p.network.SetLink("shop", "prices", simnet.Link{Latency: time.Second})
		p.write(p.client, "slow")
		p.network.SetLink("shop", "prices", simnet.Link{})
		p.write(p.client, "quick")
		p.read(p.server, "slowquick")
		p.at(1040*ms, "a packet did not overtake another: both arrived")
	})
}

func TestDialErrors(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(n *simnet.Network)
		network string
		address string
		want    string
		is      error
		after   time.Duration
	}{
		{
			name: "nobody listens", address: "prices:81",
			want: "dial tcp prices:81: connect: connection refused", is: syscall.ECONNREFUSED, after: 40 * ms,
		},
		{
			name: "refused", address: "prices:80", prepare: func(n *simnet.Network) { n.Fail("shop", "prices", simnet.Refuse) },
			want: "dial tcp prices:80: connect: connection refused", is: syscall.ECONNREFUSED, after: 40 * ms,
		},
		{
			name: "the SYN is swallowed", address: "prices:80", prepare: func(n *simnet.Network) { n.Fail("shop", "prices", simnet.BlackHole) },
			want: "dial tcp prices:80: connect: connection timed out", is: syscall.ETIMEDOUT, after: 127 * time.Second,
		},
		{
			name: "the answer is swallowed", address: "prices:80", prepare: func(n *simnet.Network) { n.Fail("prices", "shop", simnet.BlackHole) },
			want: "dial tcp prices:80: connect: connection timed out", is: syscall.ETIMEDOUT, after: 127 * time.Second,
		},
		{
			name: "no such host", address: "nowhere:80",
			want: "dial tcp: lookup nowhere: no such host", is: nil,
		},
		{name: "no such port", address: "prices:http", want: "dial tcp: address prices:http: unknown port"},
		{name: "no port", address: "prices", want: "dial tcp: address prices: missing port in address"},
		{name: "another network", network: "udp", address: "prices:80", want: "dial udp: unknown network udp"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T) {
				n := far()
				l, err := n.Host("prices").Listen("tcp", ":80")
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				if test.prepare != nil {
					test.prepare(n)
				}
				network := test.network
				if network == "" {
					network = "tcp"
				}
				start := time.Now()
				c, err := n.Host("shop").Dial(network, test.address)
				if err == nil || c != nil {
					t.Fatalf("Dial = %v, %v, want an error", c, err)
				}
				if err.Error() != test.want {
					t.Errorf("Dial says %q, want %q", err, test.want)
				}
				if test.is != nil && !errors.Is(err, test.is) {
					t.Errorf("Dial says %#v, which is not %v", err, test.is)
				}
				if got := time.Since(start); got != test.after {
					t.Errorf("it took %v, want %v", got, test.after)
				}
				if open := n.OpenConns(); len(open) > 0 {
					t.Errorf("open: %v, want none", open)
				}
			})
		})
	}
}

func TestDialObeysItsContext(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		n := far()
		n.Host("prices")
		n.Partition("shop", "prices")
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := n.Host("shop").DialContext(ctx, "tcp", "prices:80")
		var timeout net.Error
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("the deadline passed, and DialContext says %v", err)
		}
		if got := time.Since(start); got != 5*time.Second {
			t.Errorf("it took %v, want 5s", got)
		}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err = n.Host("shop").DialContext(cancelled, "tcp", "prices:80"); !errors.Is(err, context.Canceled) {
			t.Errorf("the context had ended before, and DialContext says %v", err)
		}
	})
}

func TestDialAgainAfterHealing(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		n := far()
		l, err := n.Host("prices").Listen("tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		n.Partition("shop", "prices")
		start := time.Now()
		time.AfterFunc(10*time.Second, func() { n.Heal("shop", "prices") })
		c, err := n.Host("shop").Dial("tcp", "prices:80")
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Since(start); got != 15*time.Second+40*ms {
			t.Errorf("connected after %v, want 15.04s: SYNs leave after 0, 1, 3, 7 and 15 s", got)
		}
		_ = l.Close() // and with it the connection that was not accepted
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the listener was closed, and Read says %v", err)
		}
		_ = c.Close()
		const want = `
    0s  network              shop → prices: black hole
    0s  network              prices → shop: black hole
    0s  shop → prices:80 #1  dials
    0s  shop → prices:80 #1  SYN is swallowed
    1s  shop → prices:80 #1  SYN is swallowed
    3s  shop → prices:80 #1  SYN is swallowed
    7s  shop → prices:80 #1  SYN is swallowed
   10s  network              shop → prices: healthy
   10s  network              prices → shop: healthy
15.04s  shop → prices:80 #1  is connected
15.04s  prices:80 → shop #1  closes
15.07s  shop → prices:80 #1  closes
`
		sameTrace(t, n, want)
	})
}

func sameTrace(t *testing.T, n *simnet.Network, want string) {
	t.Helper()
	if got := "\n" + n.Trace(); got != want {
		t.Errorf("the trace is%swant%s", got, want)
	}
}

func TestListenErrors(t *testing.T) {
	var n simnet.Network
	h := n.Host("prices")
	n.Host("shop")
	if h.Name() != "prices" || n.Host("prices") != h {
		t.Error("Host was expected to return the same host again")
	}
	l, err := h.Listen("tcp", "localhost:80")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ network, address, want string }{
		{"tcp", ":80", "listen tcp prices:80: bind: address already in use"},
		{"tcp", "shop:80", "listen tcp: bind: cannot assign requested address"},
		{"tcp", "10.0.0.1:80", "listen tcp: bind: cannot assign requested address"},
		{"tcp", "nowhere:80", "listen tcp: lookup nowhere: no such host"},
		{"tcp", ":70000", "listen tcp: address :70000: unknown port"},
		{"unix", "/run/x", "listen unix: unknown network unix"},
	} {
		if l, err := h.Listen(test.network, test.address); err == nil || err.Error() != test.want {
			t.Errorf("Listen(%s, %s) = %v, %v, want %s", test.network, test.address, l, err, test.want)
		}
	}
	for want := 49152; want < 49155; want++ {
		l, err := h.Listen("tcp", ":0")
		if err != nil || l.Addr() != (simnet.Addr{Host: "prices", Port: want}) {
			t.Errorf("a free port: got %v, %v, want %d", l.Addr(), err, want)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err == nil || err.Error() != "close tcp prices:80: use of closed network connection" {
		t.Errorf("the second Close says %v", err)
	}
	if _, err := l.Accept(); err == nil || err.Error() != "accept tcp prices:80: use of closed network connection" {
		t.Errorf("Accept after Close says %v", err)
	}
	if _, err = h.Listen("tcp", ":80"); err != nil {
		t.Errorf("the port was expected to be free again: %v", err)
	}
}

// Loss is seen as delay alone: all arrives, in order, and at an instant at which
// TCP sends again.
func TestLoss(t *testing.T) {
	n := &simnet.Network{Seed: 5, Default: simnet.Link{Latency: 10 * ms}}
	inPair(t, n, func(p *pair) {
		n.SetLink("shop", "prices", simnet.Link{Latency: 10 * ms, Loss: 0.3})
		delays := map[time.Duration]int{}
		for i := range 1000 {
			sent := time.Now()
			text := fmt.Sprintf("%03d", i)
			p.write(p.client, text)
			p.read(p.server, text)
			delays[time.Since(sent)]++
		}
		for _, test := range []struct {
			delay       time.Duration
			least, most int
		}{
			{10 * ms, 650, 750}, // 0.7
			{210 * ms, 160, 260},
			{610 * ms, 35, 95},
			{1410 * ms, 5, 40},
		} {
			if got := delays[test.delay]; got < test.least || got > test.most {
				t.Errorf("%d of 1000 packets took %v, want %d to %d; all: %v", got, test.delay, test.least, test.most, delays)
			}
		}
		if delays[0] > 0 {
			t.Errorf("%d packets took no time", delays[0])
		}
	})
}

func TestJitter(t *testing.T) {
	n := &simnet.Network{Default: simnet.Link{Latency: 10 * ms, Jitter: 10 * ms}}
	inPair(t, n, func(p *pair) {
		total := time.Duration(0)
		for range 1000 {
			sent := time.Now()
			p.write(p.client, "x")
			p.read(p.server, "x")
			took := time.Since(sent)
			total += took
			if took < 10*ms || took > 20*ms {
				t.Fatalf("a packet took %v, want 10 to 20 ms", took)
			}
		}
		if mean := total / 1000; mean < 14*ms || mean > 16*ms {
			t.Errorf("packets took %v on average, want about 15 ms", mean)
		}
	})
}

func TestPartitionOfAnOpenConnection(t *testing.T) {
	inPair(t, far(), func(p *pair) {
		p.write(p.client, "before")
		p.network.Partition("shop", "prices")
		p.write(p.client, " during")
		p.read(p.server, "before")
		p.at(10*ms, "what was on its way arrived")
		time.AfterFunc(990*ms, func() { p.network.Heal("shop", "prices") })
		p.read(p.server, " during")
		p.at(1410*ms, "what was swallowed arrived") // tries after 0.2, 0.6 and 1.4 s
		p.write(p.server, "answer")
		p.read(p.client, "answer")
		p.at(1440*ms, "the answer arrived")
	})
}

func TestPartitionedAgainBeforeTheNextTry(t *testing.T) {
	inPair(t, far(), func(p *pair) {
		p.network.Fail("shop", "prices", simnet.BlackHole)
		p.write(p.client, "x")
		time.Sleep(time.Second)
		p.network.Heal("shop", "prices") // it would leave after 1.4 s
		p.write(p.client, "y")
		time.Sleep(200 * ms)
		p.network.Fail("shop", "prices", simnet.BlackHole)
		time.Sleep(time.Second)
		p.network.Heal("shop", "prices")
		p.read(p.server, "xy")
		p.at(3010*ms, "both arrived") // 0.2, 0.6, 1.4, 3.0
	})
}

func TestOneWayPartition(t *testing.T) {
	inPair(t, far(), func(p *pair) {
		p.network.Fail("prices", "shop", simnet.BlackHole)
		p.write(p.client, "question")
		p.read(p.server, "question")
		p.at(10*ms, "the question arrived")
		p.write(p.server, "answer")
		if err := p.client.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		p.fails(p.client, os.ErrDeadlineExceeded)
		p.at(1010*ms, "the deadline passed")
		if err := p.client.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		p.network.Fail("prices", "shop", simnet.Healthy)
		p.read(p.client, "answer")
		p.at(1440*ms, "the answer arrived") // sent at 10 ms, again 1.4 s later
	})
}

func TestUnacknowledged(t *testing.T) {
	const giveUp = 924600 * ms
	inPair(t, far(), func(p *pair) {
		p.network.Partition("shop", "prices")
		p.write(p.client, "anybody there?")
		p.fails(p.client, syscall.ETIMEDOUT)
		p.at(giveUp, "it gave up")
		if _, err := p.client.Write([]byte("x")); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("Write afterwards says %v", err)
		}
		p.network.Heal("shop", "prices")
		p.fails(p.server, syscall.ETIMEDOUT) // no keep-alive probe was answered
		p.at(giveUp, "the server knew already")
		p.says("15m24.65s  shop → prices:80 #1  gives up: nothing was acknowledged for 15m24.6s\n")
	})
}

func TestResetByALink(t *testing.T) {
	inPair(t, far(), func(p *pair) {
		p.network.Fail("shop", "prices", simnet.Reset)
		p.write(p.server, "one")
		p.read(p.client, "one") // the other way works
		p.at(30*ms, "the other way")
		p.write(p.client, "two")
		p.fails(p.server, syscall.ECONNRESET)
		p.at(40*ms, "the server's end was reset")
		p.fails(p.client, syscall.ECONNRESET)
		p.at(70*ms, "the client's end was reset")
		_, err := p.client.Write([]byte("x"))
		if err == nil || err.Error() != "write tcp shop:49152->prices:80: write: connection reset by peer" {
			t.Errorf("Write afterwards says %v", err)
		}
	})
}

// A connection that is refused now was not when it was made.
func TestRefuseLeavesOpenConnections(t *testing.T) {
	inPair(t, far(), func(p *pair) {
		p.network.Fail("shop", "prices", simnet.Refuse)
		p.write(p.client, "still here")
		p.read(p.server, "still here")
		p.at(10*ms, "it arrived")
	})
}

func TestBuffersPushBack(t *testing.T) {
	n := far()
	n.SetLink("shop", "prices", simnet.Link{Latency: 10 * ms, Buffer: 1000})
	inPair(t, n, func(p *pair) {
		payload := bytes.Repeat([]byte("0123456789"), 250)
		wrote := make(chan time.Duration, 1)
		bubble.Go(t, func() {
			if n, err := p.client.Write(payload); n != len(payload) || err != nil {
				t.Errorf("Write = %d, %v", n, err)
			}
			wrote <- time.Since(p.start)
		})
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(wrote) > 0 {
			t.Fatal("2,500 bytes were written into a buffer of 1,000, and nobody reads")
		}
		got, buffer := []byte{}, make([]byte, 4096)
		for len(got) < len(payload) {
			n, err := p.server.Read(buffer)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, buffer[:n]...)
		}
		if !bytes.Equal(got, payload) {
			t.Error("other bytes arrived than were sent")
		}
		if at := <-wrote; at != time.Hour+70*ms {
			t.Errorf("the writer was done after %v, want an hour and 70 ms: it hears of room 30 ms later, and writes in three parts", at)
		}
		p.at(time.Hour+80*ms, "all was read")
	})
}

// Who cannot hear that there is room stops, although all arrives.
func TestOneWayPartitionStopsTheWriter(t *testing.T) {
	n := far()
	n.SetLink("shop", "prices", simnet.Link{Latency: 10 * ms, Buffer: 4})
	inPair(t, n, func(p *pair) {
		n.Fail("prices", "shop", simnet.BlackHole)
		p.write(p.client, "four")
		p.read(p.server, "four")
		if err := p.client.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := p.client.Write([]byte("more")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write says %v, want the deadline: the news of room is swallowed", err)
		}
		n.Heal("prices", "shop")
		if err := p.client.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		p.write(p.client, "more")
		p.at(time.Minute+40*ms, "there was room")
		p.read(p.server, "more")
	})
}

func TestHalfClose(t *testing.T) {
	inPair(t, far(), func(p *pair) {
		p.write(p.client, "all I have")
		closer, ok := p.client.(interface{ CloseWrite() error })
		if !ok {
			t.Fatal("there is no CloseWrite")
		}
		if err := closer.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := p.client.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("Write after CloseWrite says %v", err)
		}
		if got, err := io.ReadAll(p.server); err != nil || string(got) != "all I have" {
			t.Errorf("read %q, %v", got, err)
		}
		p.write(p.server, "thanks")
		p.read(p.client, "thanks")
		p.at(40*ms, "the answer came after the goodbye")
	})
}

func TestCloseSaysGoodbyeBehindTheData(t *testing.T) {
	inPair(t, far(), func(p *pair) {
		p.write(p.client, "last words")
		if err := p.client.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(p.server); err != nil || string(got) != "last words" {
			t.Errorf("read %q, %v", got, err)
		}
		p.at(10*ms, "the end")
		p.write(p.server, "hello?") // goes out, and is answered by a reset
		time.Sleep(39 * ms)
		p.write(p.server, "hello?")
		time.Sleep(ms)
		if _, err := p.server.Write([]byte("hello?")); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("Write to an end that was closed a round trip ago says %v", err)
		}
		if err := p.client.Close(); err == nil || err.Error() != "close tcp shop:49152->prices:80: use of closed network connection" {
			t.Errorf("the second Close says %v", err)
		}
		if err := p.client.SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("SetDeadline after Close says %v", err)
		}
		p.fails(p.client, net.ErrClosed)
	})
}

func TestCloseWithUnreadDataResets(t *testing.T) {
	inPair(t, far(), func(p *pair) {
		p.write(p.client, "request")
		time.Sleep(10 * ms)
		_ = p.server.Close()
		p.fails(p.client, syscall.ECONNRESET)
		p.at(40*ms, "the reset arrived")
		sameTrace(p.t, p.network, `
  0s  shop → prices:80 #1  dials
40ms  shop → prices:80 #1  is connected
50ms  shop → prices:80 #1  request · 7 B, arrives at 60ms
60ms  prices:80 → shop #1  resets: it is closed, and there are data that nobody will read
`)
	})
}

func TestWritesDoNotMix(t *testing.T) {
	inPair(t, &simnet.Network{Default: simnet.Link{Latency: ms, Buffer: 7}}, func(p *pair) {
		for i := range 10 {
			bubble.Go(t, func() {
				if _, err := p.client.Write(bytes.Repeat([]byte{byte('0' + i)}, 100)); err != nil {
					t.Error(err)
				}
			})
		}
		all := make([]byte, 1000)
		if _, err := io.ReadFull(p.server, all); err != nil {
			t.Fatal(err)
		}
		for i := 0; i < 1000; i += 100 {
			if part := all[i : i+100]; !bytes.Equal(part, bytes.Repeat(part[:1], 100)) {
				t.Fatalf("writes are mixed: %s", all)
			}
		}
	})
}

// Whatever the weather, each end reads what the other wrote, in order and once.
func TestStreamsSurviveTheWeather(t *testing.T) {
	for seed := range uint64(20) {
		n := &simnet.Network{Seed: seed}
		inPair(t, n, func(p *pair) {
			weather := rand.New(rand.NewPCG(seed, 0))
			var ends sync.WaitGroup
			for _, ways := range []struct{ from, to net.Conn }{{p.client, p.server}, {p.server, p.client}} {
				sent := make([]byte, 20_000)
				for i := range sent {
					sent[i] = byte(weather.Uint32())
				}
				size := 1 + weather.IntN(3000)
				ends.Go(func() {
					for chunk := range slices.Chunk(sent, size) {
						if _, err := ways.from.Write(chunk); err != nil {
							t.Error(err)
						}
						time.Sleep(100 * ms)
					}
				})
				ends.Go(func() {
					got := make([]byte, len(sent))
					if _, err := io.ReadFull(ways.to, got); err != nil || !bytes.Equal(got, sent) {
						t.Errorf("seed %d: other bytes arrived than were sent, or not all: %v", seed, err)
					}
				})
			}
			for range 50 {
				time.Sleep(time.Duration(weather.Int64N(int64(2 * time.Second))))
				from, to := "shop", "prices"
				if weather.IntN(2) == 0 {
					from, to = to, from
				}
				switch weather.IntN(3) {
				case 0:
					n.Fail(from, to, simnet.BlackHole)
				case 1:
					n.Heal(from, to)
				case 2:
					n.SetLink(from, to, simnet.Link{Latency: time.Duration(weather.Int64N(int64(time.Second))), Jitter: 50 * ms, Loss: 0.2})
				}
			}
			n.Heal("shop", "prices")
			ends.Wait()
		})
	}
}

func TestOpenConns(t *testing.T) {
	inPair(t, far(), func(p *pair) {
		if got := fmt.Sprint(p.network.OpenConns()); got != "[shop:49152 → prices:80]" {
			t.Errorf("open: %s", got)
		}
		_ = p.client.Close()
		if got := p.network.OpenConns(); len(got) != 1 {
			t.Errorf("one end is closed, and open is %v", got)
		}
		_ = p.server.Close()
		if got := p.network.OpenConns(); len(got) != 0 {
			t.Errorf("both ends are closed, and open is %v", got)
		}
	})
}

func TestBadLinks(t *testing.T) {
	for _, l := range []simnet.Link{{Latency: -1}, {Jitter: -1}, {Bandwidth: -1}, {Buffer: -1}, {Loss: -0.1}, {Loss: 1}} {
		func() {
			defer func() {
				text := fmt.Sprint(recover())
				if !strings.HasPrefix(text, "simnet: {Latency:") || !strings.HasSuffix(text, "no field can be negative, and Loss must be below 1 (a link that loses all is a BlackHole)") {
					t.Errorf("SetLink(%+v) panics with %s", l, text)
				}
			}()
			new(simnet.Network).SetLink("a", "b", l)
		}()
	}
	if got := fmt.Sprint(simnet.Reset, simnet.Refuse, simnet.Fault(9)); got != "resets refuses Fault(9)" {
		t.Errorf("faults print as %s", got)
	}
}
