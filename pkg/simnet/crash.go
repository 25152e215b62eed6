package simnet

import (
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/backend-kata/dojo/pkg/internal/lives"
)

// Crash stops the host at once, with all its connections and listeners. The fault
// says what the others notice. [Reset] is a process that is killed: the kernel
// resets its connections and refuses new ones. [BlackHole] is a machine without
// power: what is sent to it is swallowed, and its peers wait. Crash panics on any
// other fault. What the host had sent still arrives.
//
// From then on the host does nothing: calls of its methods, of its connections' and of
// its listeners', those under way included, fail with [net.ErrClosed], a dial after one
// second. What a goroutine asks after such an answer, but for closing, ends it, as
// [runtime.Goexit] does. [Host.Restart] is how the machine comes back. A host that has
// crashed does not crash again.
func (h *Host) Crash(f Fault) {
	if f != Reset && f != BlackHole {
		panic(fmt.Sprintf("simnet: a host crashes with Reset or BlackHole, and not with %v", f))
	}
	listeners, ok := h.goDown(f)
	if !ok {
		return
	}
	for _, l := range listeners {
		l.crash()
	}
	h.net.eachWire(func(w *wire) {
		if w.crash(h, f) {
			h.net.finish(w)
		}
	})
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.net.changes = append(h.net.changes, event{at: h.net.now(), text: fmt.Sprintf("%s crashes, %v", h.name, f)})
	if f == BlackHole {
		h.net.reach(h.name, false)
	}
}

// Restart returns the machine as it comes back after a crash: a host of the same
// name and addresses that listens nowhere. What is sent on a connection from before is
// answered by a reset. The old host stays dead. Restart panics if the host has not
// crashed, or was restarted before.
func (h *Host) Restart() *Host {
	n := h.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if h.state().dead == nil || n.hosts[h.name] != h {
		panic("simnet: " + h.name + " has not crashed, or was restarted before")
	}
	fresh := &Host{name: h.name, net: n, ips: h.ips}
	n.hosts[h.name] = fresh
	for _, ip := range h.ips {
		n.ips[ip] = fresh
	}
	n.changes = append(n.changes, event{at: n.now(), text: h.name + " starts again"})
	probes := map[*Conn]time.Duration{}
	for w := range n.wires {
		w.probes(h, probes)
	}
	n.reach(h.name, true)
	for c, at := range probes {
		c.answerProbe(at)
	}
	return fresh
}

// A power says whether a host runs.
type power struct {
	fault Fault       // how it crashed; Healthy before
	dead  *lives.Dead // not nil once it has
}

// state takes no lock, since it is asked with that of the network held and with the
// host's own.
func (h *Host) state() power {
	if p := h.power.Load(); p != nil {
		return *p
	}
	return power{}
}

// goDown reports false if the host is down already.
func (h *Host) goDown(f Fault) (listeners []*Listener, ok bool) {
	if !h.power.CompareAndSwap(nil, &power{fault: f, dead: &lives.Dead{}}) {
		return nil, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	listeners, h.listeners = h.listeners, nil
	return listeners, true
}

// alive begins a call that only a host that runs can answer.
func (h *Host) alive() error {
	dead := h.state().dead
	if dead == nil {
		return nil
	}
	dead.Ask()
	return net.ErrClosed
}

// unreachable is how long a dial from a dead host takes to fail: who tries again at once
// would try for ever in no time.
const unreachable = time.Second

// eachWire calls f for all wires of which something is still kept.
func (n *Network) eachWire(f func(*wire)) {
	n.mu.Lock()
	wires := slices.Clone(n.finished)
	for w := range n.wires {
		wires = append(wires, w)
	}
	n.mu.Unlock()
	for _, w := range wires {
		f(w)
	}
}

// reach makes a host one that packets reach, or not. The network is locked.
func (n *Network) reach(host string, yes bool) {
	for key, l := range n.links {
		if key[0] == host || key[1] == host {
			n.alter(l, func(c conditions) conditions { c.down = !yes; return c })
		}
	}
}

// isDown reports whether a host is without power. The network is locked.
func (n *Network) isDown(name string) bool {
	h := n.hosts[name]
	return h != nil && h.state().fault == BlackHole
}

// crash stops a listener.
func (l *Listener) crash() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.waiting = nil
	l.changed.Broadcast()
}

// crash stops the ends of a wire that are the host's. It reports whether nobody has
// the connection open any more.
func (w *wire) crash(h *Host, f Fault) (over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ends[0] == nil {
		return w.dialler == h
	}
	now := w.net.now()
	for _, c := range w.ends {
		if c.host() != h || c.gone {
			continue
		}
		c.gone = true
		c.out.forget(now)
		c.in.lose(now)
		if !c.closed && f == Reset {
			c.bounced = true
			c.out.send(packet{kind: reset}, now)
			w.note(event{at: now, side: c.side, text: "resets: the host has crashed"})
		}
		c.closed = true // what comes is answered by a reset, once there is somebody to answer
	}
	w.news.Broadcast()
	return w.ends[0].closed && w.ends[1].closed
}

// forget drops what has not left yet, and what cannot be read without it.
func (p *pipe) forget(now time.Duration) {
	p.dropBacklog()
	if from := slices.IndexFunc(p.queue, func(pk packet) bool { return pk.leaves > now }); from >= 0 {
		p.queue = p.queue[:from]
	}
	p.last = p.before
	if n := len(p.queue); n > 0 {
		p.last = p.queue[n-1].arrives
	}
	p.heldSince, p.unacked = never, never
}

// lose drops what has arrived, and was not read. What is under way finds nobody,
// and is sent again.
func (p *pipe) lose(now time.Duration) {
	p.queue = slices.DeleteFunc(p.queue, func(pk packet) bool { return pk.arrives <= now })
	for i := range p.queue {
		pk := &p.queue[i]
		pk.leaves, pk.arrives = never, never
		p.heldSince, p.unacked = min(p.heldSince, pk.sent), min(p.unacked, pk.sent)
	}
	p.last = min(p.last, now)
}

// probes notes when the peers of the host's connections will next ask whether it is
// still there. Those that have something to send do not ask.
func (w *wire) probes(h *Host, at map[*Conn]time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.net.now()
	for _, c := range w.ends {
		if c == nil || c.host() != h || c.bounced || len(c.in.queue) > 0 {
			continue
		}
		peer := c.peer()
		if peer.closed || peer.givenUp(now) || peer.heard == never || peer.keepAlive.idle == 0 {
			continue
		}
		next := peer.heard + peer.keepAlive.idle
		for next < now {
			next += peer.keepAlive.interval
		}
		at[c] = next
	}
}

// answerProbe answers the question that is sent at an instant by a reset, since the
// machine knows nothing of the connection.
func (c *Conn) answerProbe(at time.Duration) {
	w := c.wire
	time.AfterFunc(at+c.in.link.load().Latency-w.net.now(), func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if c.bounced || c.peer().closed {
			return
		}
		c.bounced = true
		now := w.net.now()
		c.out.send(packet{kind: reset}, now)
		w.note(event{at: now, side: c.side, text: "resets: a probe came for a connection that the host does not know"})
		w.news.Broadcast()
	})
}

// host returns the host of an end.
func (c *Conn) host() *Host {
	if c.listener != nil {
		return c.listener.host
	}
	return c.wire.dialler
}

// enter begins a call of a connection that moves data. The wire is locked.
func (c *Conn) enter() {
	if c.gone {
		c.host().state().dead.Ask()
	}
}
