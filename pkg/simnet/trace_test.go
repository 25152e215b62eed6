package simnet_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/simnet"
)

// storm lets clients on two hosts call two services over a bad network, all at
// once, and returns the trace.
func storm(t *testing.T, seed uint64) (trace string) {
	bubble.Run(t, func(t *testing.T) {
		n := &simnet.Network{Seed: seed, Default: simnet.Link{Latency: 5 * ms, Jitter: 5 * ms, Loss: 0.05}}
		for _, name := range []string{"prices", "stock"} {
			simnet.NewTestServer(t, n.Host(name), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(w, r.Body)
			}))
		}
		time.AfterFunc(20*ms, func() { n.Partition("shop", "stock") })
		time.AfterFunc(time.Second, func() { n.Heal("shop", "stock") })
		var calls sync.WaitGroup
		for _, from := range []string{"shop", "admin"} {
			for _, to := range []string{"prices", "stock"} {
				for i := range 5 {
					client := n.Host(from).Client()
					calls.Go(func() {
						defer client.CloseIdleConnections()
						for k := range 4 {
							resp, err := client.Post(fmt.Sprintf("http://%s/%d/%d", to, i, k), "text/plain", strings.NewReader(strings.Repeat("x", 10000)))
							if err != nil {
								t.Error(err)
								return
							}
							_, _ = io.Copy(io.Discard, resp.Body)
							_ = resp.Body.Close()
						}
					})
				}
			}
		}
		calls.Wait()
		time.Sleep(time.Minute)
		trace = n.Trace()
	})
	return trace
}

func TestOneSeedOneTrace(t *testing.T) {
	first := storm(t, 1)
	for _, want := range []string{"in 3 packets, 1 lost and sent again, arrives from ", "is swallowed", "closes"} {
		if !strings.Contains(first, want) {
			t.Errorf("the storm was expected to have a line with %q:\n%s", want, first)
		}
	}
	for run := range 20 {
		again := strings.Split(storm(t, 1), "\n")
		for i, line := range strings.Split(first, "\n") {
			if i >= len(again) || again[i] != line {
				t.Fatalf("run %d has another trace: line %d is\n%s\nwant\n%s", run, i, again[min(i, len(again)-1)], line)
			}
		}
	}
	if storm(t, 2) == first {
		t.Error("two seeds have the same trace")
	}
}

func TestWhatTheTraceShows(t *testing.T) {
	inPair(t, far(), func(p *pair) {
		p.write(p.client, "\x00\x01\x02")
		p.write(p.client, strings.Repeat("long", 20)+"\nnext")
		p.network.Fail("shop", "prices", simnet.Reset)
		p.write(p.client, "PING\r\n")
		sameTrace(t, p.network, `
  0s  shop → prices:80 #1  dials
40ms  shop → prices:80 #1  is connected
50ms  network              shop → prices: resets
50ms  shop → prices:80 #1  3 B, arrives at 60ms
50ms  shop → prices:80 #1  longlonglonglonglonglonglonglonglonglonglonglonglonglonglong… · 85 B, arrives at 60ms
50ms  shop → prices:80 #1  PING · 6 B, is answered by a reset
`)
	})
}

// However many packets a Write takes, it is one line.
func TestTheTraceOfManyPackets(t *testing.T) {
	n := &simnet.Network{Seed: 6, Default: simnet.Link{Latency: 10 * ms, Buffer: 5000}}
	inPair(t, n, func(p *pair) {
		n.SetLink("shop", "prices", simnet.Link{Latency: 10 * ms, Loss: 0.6})
		p.write(p.client, strings.Repeat("a", 1448))
		p.write(p.client, strings.Repeat("b", 1449))
		n.SetLink("shop", "prices", simnet.Link{Latency: 10 * ms})
		bubble.Go(t, func() { p.write(p.client, strings.Repeat("\x00", 3000)) })
		synctest.Wait()
		p.says("3000 B, 1448 B of it until now, arrives at")
		if _, err := io.ReadFull(p.server, make([]byte, 1448+1449+3000)); err != nil {
			t.Fatal(err)
		}
		n.Fail("shop", "prices", simnet.BlackHole)
		p.write(p.client, strings.Repeat("\x00", 3000))
		sameTrace(t, n, `
   0s  shop → prices:80 #1  dials
 20ms  shop → prices:80 #1  is connected
 30ms  shop → prices:80 #1  aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa… · 1448 B, lost once, sent again after 200ms, arrives at 240ms
 30ms  shop → prices:80 #1  bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb… · 1449 B in 2 packets, 1 lost and sent again, arrives from 240ms to 640ms
 30ms  shop → prices:80 #1  3000 B in 3 packets, arrives at 640ms
640ms  network              shop → prices: black hole
640ms  shop → prices:80 #1  3000 B in 3 packets, is swallowed
`)
	})
}

// The link fails in the middle of a Write that waits for room.
func TestTheTraceOfAPartThatIsSwallowed(t *testing.T) {
	n := &simnet.Network{Default: simnet.Link{Latency: 10 * ms, Buffer: 2000}}
	inPair(t, n, func(p *pair) {
		bubble.Go(t, func() { p.write(p.client, strings.Repeat("\x00", 3000)) })
		time.Sleep(10 * ms)
		n.Fail("shop", "prices", simnet.BlackHole)
		p.read(p.server, strings.Repeat("\x00", 1448))
		time.Sleep(10 * ms)
		synctest.Wait()
		p.says("30ms  shop → prices:80 #1  3000 B in 3 packets, 2 swallowed\n")
	})
}

// Connections of one instant are numbered by what passed on them, whichever was
// first.
func TestNumbersDoNotDependOnTheOrder(t *testing.T) {
	traces := map[string]bool{}
	for range 20 {
		bubble.Run(t, func(t *testing.T) {
			n := far()
			simnet.NewTestServer(t, n.Host("prices"), http.NotFoundHandler())
			var calls sync.WaitGroup
			for _, i := range rand.Perm(5) {
				calls.Go(func() {
					client := n.Host("shop").Client()
					defer client.CloseIdleConnections()
					get(client, fmt.Sprint("http://prices/", i))
				})
			}
			calls.Wait()
			traces[n.Trace()] = true
		})
	}
	if len(traces) != 1 {
		t.Errorf("there were %d traces: %v", len(traces), traces)
	}
	for trace := range traces {
		if !strings.Contains(trace, " shop → prices:80 #3  GET /2 HTTP/1.1") {
			t.Errorf("the third connection was expected to be that for /2:\n%s", trace)
		}
	}
}

func TestTheTraceIsBounded(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		var n simnet.Network
		n.Host("prices")
		shop := n.Host("shop")
		for range 1500 {
			time.Sleep(time.Second)
			if _, err := shop.Dial("tcp", "prices:80"); err == nil {
				t.Fatal("a dial succeeded")
			}
		}
		lines := strings.Split(strings.TrimSpace(n.Trace()), "\n")
		if len(lines) != 2001 || lines[0] != "what happened before 8m19.000000001s is forgotten" {
			t.Errorf("1,500 dials have %d lines: %s", len(lines), lines[0])
		}
	})
	bubble.Run(t, func(t *testing.T) {
		var n simnet.Network
		n.SetAddrs("db", "10.0.0.1")
		for range 1500 {
			time.Sleep(time.Second)
			if _, err := n.Host("shop").LookupHost(t.Context(), "db"); err != nil {
				t.Fatal(err)
			}
		}
		lines := strings.Split(strings.TrimSpace(n.Trace()), "\n")
		if len(lines) != 1001 || lines[0] != "what happened before 8m19.000000001s is forgotten" {
			t.Errorf("1,500 look-ups have %d lines: %s", len(lines), lines[0])
		}
	})
	inPair(t, &simnet.Network{}, func(p *pair) {
		for i := range 1500 {
			time.Sleep(time.Second)
			p.write(p.client, fmt.Sprint(i))
			p.read(p.server, fmt.Sprint(i))
		}
		lines := strings.Split(strings.TrimSpace(p.network.Trace()), "\n")
		if len(lines) != 1001 || lines[0] != "what happened before 8m20.000000001s is forgotten" {
			t.Errorf("1,500 writes have %d lines: %s", len(lines), lines[0])
		}
	})
}

func TestTwoClocks(t *testing.T) {
	var n simnet.Network
	n.Fail("a", "b", simnet.Reset)
	bubble.Run(t, func(t *testing.T) {
		defer func() {
			if got := fmt.Sprint(recover()); got != "simnet: the network was used both inside and outside a bubble, which have different clocks: make it and its servers in the body of the bubble" {
				t.Errorf("a network with two clocks panics with %s", got)
			}
		}()
		n.Fail("a", "b", simnet.Refuse)
	})
}
