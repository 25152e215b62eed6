package simnet_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/pkg/simnet"
)

// The server has the request, and its answer is swallowed. The client heard the
// last time at 40 ms, and at 45.04 s, when a probe was answered, before the link
// failed; then 150 s pass.
func TestKeepAlive(t *testing.T) {
	for _, test := range []struct {
		name string
		cut  func(n *simnet.Network)
		want time.Duration
	}{
		{"the way back", func(n *simnet.Network) { n.Fail("prices", "shop", simnet.BlackHole) }, 195040 * ms},
		{"the way there", func(n *simnet.Network) { n.Fail("shop", "prices", simnet.BlackHole) }, 195040 * ms},
		{"both ways", func(n *simnet.Network) { n.Partition("shop", "prices") }, 195040 * ms},
		{"healed for a while", func(n *simnet.Network) {
			n.Partition("shop", "prices")
			time.AfterFunc(time.Minute, func() { n.Heal("shop", "prices") })
			time.AfterFunc(2*time.Minute, func() { n.Partition("shop", "prices") })
		}, 315040 * ms}, // probed again from 45.04 s on, and so at 165.04 s
	} {
		t.Run(test.name, func(t *testing.T) {
			inPair(t, far(), func(p *pair) {
				p.write(p.client, "request")
				p.read(p.server, "request")
				time.AfterFunc(50*time.Second, func() { test.cut(p.network) })
				p.fails(p.client, syscall.ETIMEDOUT)
				p.at(test.want, "the client gave up")
				if _, err := p.client.Write([]byte("x")); !errors.Is(err, syscall.ETIMEDOUT) {
					t.Errorf("Write afterwards says %v", err)
				}
				p.says("shop → prices:80 #1  gives up: nothing was heard for 2m30s, and no keep-alive probe was answered\n")
			})
		})
	}
}

// Data that are not acknowledged are sent again, and so long there are no probes:
// the client's answer took its way, but the news of that did not.
func TestNoProbesWhileDataAreNotAcknowledged(t *testing.T) {
	inPair(t, far(), func(p *pair) {
		p.network.Fail("prices", "shop", simnet.BlackHole)
		p.write(p.client, "request")
		p.read(p.server, "request")
		p.fails(p.client, syscall.ETIMEDOUT)
		p.at(924600*ms, "the client gave up")
		p.network.Heal("prices", "shop")
		p.fails(p.server, syscall.ETIMEDOUT)
	})
	inPair(t, far(), func(p *pair) {
		p.write(p.client, "request") // its acknowledgement would leave at 10 ms
		time.Sleep(5 * ms)
		p.network.Fail("prices", "shop", simnet.BlackHole)
		p.read(p.server, "request")
		p.fails(p.client, syscall.ETIMEDOUT)
		p.at(924600*ms, "the client gave up")
	})
}

// What arrives is heard: the way there is broken for an hour, and the server sends
// something every minute.
func TestWhatArrivesKeepsAlive(t *testing.T) {
	inPair(t, far(), func(p *pair) {
		p.network.Fail("shop", "prices", simnet.BlackHole)
		for range 10 {
			time.Sleep(time.Minute)
			p.write(p.server, "x")
			p.read(p.client, "x")
		}
		p.fails(p.client, syscall.ETIMEDOUT)
		p.at(10*time.Minute+10*30*ms+150*time.Second, "the client gave up")
	})
}

// Healed in time, nobody has noticed.
func TestHealedBeforeKeepAlive(t *testing.T) {
	inPair(t, far(), func(p *pair) {
		p.network.Partition("shop", "prices")
		time.AfterFunc(149*time.Second, func() { p.network.Heal("shop", "prices") })
		time.AfterFunc(time.Hour, func() { p.write(p.server, "late") })
		p.read(p.client, "late")
		p.at(time.Hour+30*ms, "the answer arrived")
	})
}

// The answer comes when the client has given up, and is answered by a reset.
func TestHealedAfterKeepAlive(t *testing.T) {
	inPair(t, far(), func(p *pair) {
		p.network.Fail("prices", "shop", simnet.BlackHole)
		p.write(p.server, "answer")
		p.fails(p.client, syscall.ETIMEDOUT)
		p.at(149990*ms, "the client gave up") // it heard the last time when it was connected
		p.network.Heal("prices", "shop")
		p.fails(p.server, syscall.ECONNRESET)
		p.says("shop → prices:80 #1  resets: it has given up, and there are data that nobody will read\n")
	})
}

// The options are read as package net reads them.
func TestKeepAliveOptions(t *testing.T) {
	const second = time.Second
	with := func(idle, interval time.Duration, count int) net.Dialer {
		return net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: idle, Interval: interval, Count: count}}
	}
	for _, test := range []struct {
		name   string
		dialer net.Dialer
		want   time.Duration // zero means never
	}{
		{"default", net.Dialer{}, 150 * second},
		{"a period", net.Dialer{KeepAlive: second}, 10 * second},
		{"none", net.Dialer{KeepAlive: -1}, 0},
		{"a config", with(5*second, second, 3), 8 * second},
		{"its zeros", with(0, 0, 0), 150 * second},
		{"its defaults of the system", with(-1, -1, -1), 7875 * second},
	} {
		t.Run(test.name, func(t *testing.T) {
			inPair(t, far(), func(p *pair) {
				l, err := p.network.Host("prices").Listen("tcp", ":81")
				if err != nil {
					t.Fatal(err)
				}
				c, err := (&simnet.Dialer{Dialer: test.dialer, Host: p.network.Host("shop")}).Dial("tcp", "prices:81")
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				defer l.Close()
				p.network.Partition("shop", "prices")
				p.start = time.Now()
				if test.want == 0 {
					time.AfterFunc(24*time.Hour, func() { _ = c.Close() })
					p.fails(c, net.ErrClosed)
					return
				}
				p.fails(c, syscall.ETIMEDOUT)
				p.at(test.want, "the client gave up")
			})
		})
	}
}

// An idle connection over healthy links sets no timer, so a bubble sees that who
// waits there waits for ever.
func TestKeepAliveIsNotATicker(t *testing.T) {
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, "deadlock") {
			t.Errorf("Read waits for ever, and the bubble says %s", got)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		c, _, err := connect(far())
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Read(make([]byte, 1))
		t.Errorf("Read returned: %v", err)
	})
}
