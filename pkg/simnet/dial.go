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

// DialContext connects to a port of a host, such as "prices:80" or "10.0.0.1:80",
// as [net.Dialer.DialContext] does. It takes a round trip. It fails with
// [syscall.ECONNREFUSED] if nobody listens there, with [syscall.ETIMEDOUT] if
// there is no answer for 127 s (as where nobody has the address), with a
// [net.DNSError] if there is no host of that name, and with the error of ctx when
// that ends. The addresses of a name are tried in their order, each with its share
// of the time that ctx leaves, and the error is that of the first. The network is
// "tcp", "tcp4" or "tcp6".
func (h *Host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return (&Dialer{Host: h}).DialContext(ctx, network, address)
}

// dial sends SYNs until one is answered.
func (w *wire) dial(ctx context.Context) (*Conn, error) {
	if w.to.ip.IsValid() {
		w.tell("dials " + w.to.addr().String())
	} else {
		w.tell("dials")
	}
	leaves, wait := w.began, synRetry
	for range synRetries + 1 {
		c, err := w.knock(ctx)
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
func (w *wire) knock(ctx context.Context) (*Conn, error) {
	n := w.net
	there := w.link.fate(n.now(), "SYN")
	if w.to.host == nil {
		there.fault = BlackHole
	}
	if w.vanishes("SYN", there) {
		return nil, nil //nolint:nilnil // no answer is what there is
	}
	if err := w.until(ctx, n.now()+there.latency); err != nil {
		return nil, err
	}
	l := n.lookup(w.to.host.name).listener(w.to, w.link.from) // it may have been restarted
	refused := l == nil || there.fault == Refuse
	back := w.back.fate(n.now(), "SYN-ACK")
	if w.vanishes("the answer to SYN", back) {
		return nil, nil //nolint:nilnil // as above
	}
	if err := w.until(ctx, n.now()+back.latency); err != nil {
		return nil, err
	}
	if !refused {
		port := firstPort + int(w.link.dialled.Add(1)-1)%(lastPort-firstPort+1)
		w.connect(address(w.link.from, w.source, port), l)
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
		return w.dialler.alive()
	}
	alarm := time.NewTimer(at - now)
	defer alarm.Stop()
	select {
	case <-alarm.C:
	case <-ctx.Done():
	}
	if err := w.dialler.alive(); err != nil {
		return err
	}
	return ctx.Err() // if both came in the same instant, the context wins
}
