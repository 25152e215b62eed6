package simnet

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// A wire is a connection, from the dial on: two ends, and a pipe each way. Its
// lock guards all of it. No two wires share one, and while a wire is locked no
// other lock is taken.
type wire struct {
	net        *Network
	dialler    *Host
	link, back *link // from the end that dialled to the other, and back
	to         target
	source     netip.Addr // of the end that dialled; none if its host has a name alone
	keepAlive  keepAlive  // of that end
	began      time.Duration

	mu      sync.Mutex
	news    sync.Cond // something has changed
	ends    [2]*Conn  // the one that dialled, and the one that was accepted; nil before
	events  []event
	dropped time.Duration // events up to here were left out
}

// connect makes the two ends of a wire.
func (w *wire) connect(local net.Addr, l *Listener) {
	now := w.net.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	there, back := newPipe(w.link, w.back), newPipe(w.back, w.link)
	there.other, back.other = back, there
	w.ends[0] = &Conn{wire: w, side: 0, in: back, out: there, local: local, remote: w.to.addr(), keepAlive: w.keepAlive}
	w.ends[1] = &Conn{wire: w, side: 1, in: there, out: back, local: w.to.addr(), remote: local, keepAlive: defaultKeepAlive(), listener: l}
	for _, c := range w.ends {
		c.born, c.heard, c.readDeadline, c.writeDeadline = now, never, never, never
		c.listenFor(now)
	}
}

// conns returns the ends of open connections that are chosen.
func (n *Network) conns(chosen func(*Conn) bool) []*Conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []*Conn
	for w := range n.wires {
		w.mu.Lock()
		for _, c := range w.ends {
			if c != nil && chosen(c) {
				all = append(all, c)
			}
		}
		w.mu.Unlock()
	}
	return all
}

// changed tells the wire that one of its links became a black hole, or is none
// any more.
func (w *wire) changed(l *link, black bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.net.now()
	for _, c := range w.ends {
		if c == nil {
			continue
		}
		c.givenUp(now) // by what was until now
		if c.out.link == l {
			if black {
				c.out.hold(now)
			} else {
				c.out.release(now)
				c.peer().bounce(now)
			}
		}
		if c.out.back == l {
			if black {
				c.out.unanswered(now)
			} else {
				c.out.window.release(now, l.load().Latency)
				c.out.drain(now)
			}
		}
		c.listenFor(now)
	}
	w.news.Broadcast()
}

// sleep waits until something has changed, or an instant has come.
func (w *wire) sleep(now, until time.Duration) { wait(&w.news, now, until) }

// wait waits for a condition, whose lock is held, until somebody wakes its
// waiters or an instant has come.
func wait(c *sync.Cond, now, until time.Duration) {
	if until == never {
		c.Wait()
		return
	}
	alarm := time.AfterFunc(until-now, func() {
		c.L.Lock() // so that the waiter waits by now
		defer c.L.Unlock()
		c.Broadcast()
	})
	c.Wait()
	alarm.Stop()
}
