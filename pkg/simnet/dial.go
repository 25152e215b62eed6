package simnet

import (
	"context"
	"net"
	"os"
	"syscall"
	"time"
)

// Dial is [Host.DialContext] without a context.
func (h *Host) Dial(network, address string) (net.Conn, error) {
	return h.DialContext(context.Background(), network, address)
}

// DialContext connects to a port of a host, such as "prices:80", as
// [net.Dialer.DialContext] does. It takes a round trip. It fails with
// [syscall.ECONNREFUSED] if nobody listens there, with [syscall.ETIMEDOUT] if
// there is no answer for 127 s, with a [net.DNSError] if there is no host of that
// name, and with the error of ctx when that ends. The network is "tcp".
func (h *Host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	addr, err := h.parse(network, address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	server := h.net.lookup(addr.Host)
	if server == nil {
		err := &net.DNSError{Err: "no such host", Name: addr.Host, IsNotFound: true}
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	w := h.net.wire(h.name, addr)
	c, err := w.dial(ctx, server)
	if err != nil {
		h.net.finish(w)
		return nil, &net.OpError{Op: "dial", Net: network, Addr: addr, Err: err}
	}
	return c, nil
}

// dial sends SYNs until one is answered.
func (w *wire) dial(ctx context.Context, server *Host) (*Conn, error) {
	w.tell("dials")
	leaves, wait := w.began, synRetry
	for range synRetries + 1 {
		c, err := w.knock(ctx, server)
		if err != nil {
			w.tell("the dial fails: " + err.Error())
			return nil, err
		}
		if c != nil {
			w.tell("is connected")
			return c, nil
		}
		leaves += wait
		wait *= 2
		if err := w.until(ctx, leaves); err != nil {
			w.tell("the dial fails: " + err.Error())
			return nil, err
		}
	}
	w.tell("the dial fails: there was no answer")
	return nil, os.NewSyscallError("connect", syscall.ETIMEDOUT)
}

// knock sends one SYN. It returns nil and no error if there is no answer.
func (w *wire) knock(ctx context.Context, server *Host) (*Conn, error) {
	n := w.net
	there := w.link.fate(n.now(), []byte("SYN"))
	if w.vanishes("SYN", there) {
		return nil, nil //nolint:nilnil // no answer is what there is
	}
	if err := w.until(ctx, n.now()+there.latency); err != nil {
		return nil, err
	}
	l := server.listener(w.address.Port)
	refused := l == nil || there.fault == Refuse
	back := w.back.fate(n.now(), []byte("SYN-ACK"))
	if w.vanishes("the answer to SYN", back) {
		return nil, nil //nolint:nilnil // as above
	}
	if err := w.until(ctx, n.now()+back.latency); err != nil {
		return nil, err
	}
	if !refused {
		w.connect(Addr{w.link.from, firstPort + int(w.link.dialled.Add(1)-1)%(lastPort-firstPort+1)})
		refused = !l.offer(w.ends[1], n.now()+w.link.load().Latency)
	}
	if refused {
		return nil, os.NewSyscallError("connect", syscall.ECONNREFUSED)
	}
	return w.ends[0], nil
}

// vanishes reports, and notes, that a packet of the dial does not arrive.
func (w *wire) vanishes(what string, f fate) bool {
	switch {
	case f.fault == BlackHole:
		w.tell(what + " is swallowed")
	case f.lost > 0:
		w.tell(what + " is lost")
	default:
		return false
	}
	return true
}

// until waits for an instant, or for the end of the context.
func (w *wire) until(ctx context.Context, at time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now := w.net.now()
	if at <= now {
		return nil
	}
	alarm := time.NewTimer(at - now)
	defer alarm.Stop()
	select {
	case <-alarm.C:
		return ctx.Err() // both came in the same instant: the context wins
	case <-ctx.Done():
		return ctx.Err()
	}
}
