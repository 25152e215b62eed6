package simnet

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// A Listener is a [net.Listener]. There is no limit to the connections that wait
// to be accepted.
type Listener struct {
	host    *Host
	network string
	ip      netip.Addr // none if it listens at all addresses of the network
	port    int
	addr    net.Addr

	mu      sync.Mutex
	changed sync.Cond
	waiting []arrival
	closed  bool
}

var _ net.Listener = (*Listener)(nil)

// An arrival is a connection that can be accepted from an instant on.
type arrival struct {
	conn *Conn
	at   time.Duration
}

// offer puts a connection in the line, and reports whether the listener is open.
func (l *Listener) offer(c *Conn, at time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.waiting = append(l.waiting, arrival{c, at})
	slices.SortStableFunc(l.waiting, func(a, b arrival) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.conn.wire.link.from, b.conn.wire.link.from))
	})
	l.changed.Broadcast()
	return true
}

// Accept waits for the next connection. Once the listener is closed it returns
// [net.ErrClosed].
func (l *Listener) Accept() (net.Conn, error) {
	if err := l.host.alive(); err != nil {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.addr, Err: err}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if l.closed {
			return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
		}
		now := l.host.net.now()
		if len(l.waiting) > 0 && l.waiting[0].at <= now {
			c := l.waiting[0].conn
			l.waiting = slices.Delete(l.waiting, 0, 1)
			return c, nil
		}
		next := never
		if len(l.waiting) > 0 {
			next = l.waiting[0].at
		}
		wait(&l.changed, now, next)
	}
}

// Close stops listening. Connections that were not accepted are closed; those that
// were are not touched.
func (l *Listener) Close() error {
	waiting, err := l.close()
	for _, a := range waiting {
		_ = a.conn.Close()
	}
	return err
}

func (l *Listener) close() ([]arrival, error) {
	l.host.mu.Lock()
	l.host.listeners = slices.DeleteFunc(l.host.listeners, func(other *Listener) bool { return other == l })
	l.host.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, &net.OpError{Op: "close", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
	}
	l.closed = true
	l.changed.Broadcast()
	waiting := l.waiting
	l.waiting = nil
	return waiting, nil
}

// Addr returns where it listens: a [*net.TCPAddr] if the host has IP addresses or it
// listens at one, else an [Addr].
func (l *Listener) Addr() net.Addr { return l.addr }
