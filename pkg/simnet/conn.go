package simnet

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// A wire is a connection, from the dial on: two ends, and a pipe each way. Its
// lock guards all of it. No two wires share one, and while a wire is locked no
// other lock is taken.
type wire struct {
	net     *Network
	link    *link // from the end that dialled to the other
	back    *link
	address Addr // that was dialled
	began   time.Duration

	mu      sync.Mutex
	news    sync.Cond // something has changed
	ends    [2]*Conn  // the one that dialled, and the one that was accepted; nil before
	events  []event
	dropped time.Duration // events up to here were left out
}

// A Conn is one end of a connection, and a [net.Conn] like a [net.TCPConn]. It
// is safe for concurrent use. Writes do not mix.
type Conn struct {
	wire          *wire
	in, out       *pipe
	local, remote Addr
	side          int // its index in wire.ends

	closed                      bool
	bounced                     bool // data came after that, and were answered by a reset
	dead                        bool // it has given up on its peer
	readDeadline, writeDeadline time.Duration
}

var _ net.Conn = (*Conn)(nil)

// connect makes the two ends of a wire.
func (w *wire) connect(local Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	there, back := newPipe(w.link, w.back), newPipe(w.back, w.link)
	w.ends[0] = &Conn{wire: w, side: 0, in: back, out: there, local: local, remote: w.address, readDeadline: never, writeDeadline: never}
	w.ends[1] = &Conn{wire: w, side: 1, in: there, out: back, local: w.address, remote: local, readDeadline: never, writeDeadline: never}
}

// Read reads what has arrived. It waits until something has, the peer has said
// that it is done ([io.EOF]), the connection is reset, or the deadline passes.
func (c *Conn) Read(b []byte) (int, error) {
	w := c.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		now := w.net.now()
		switch {
		case c.closed:
			return 0, c.error("read", net.ErrClosed)
		case now >= c.readDeadline:
			return 0, c.error("read", os.ErrDeadlineExceeded)
		case len(b) == 0:
			return 0, nil
		}
		if n, ok, err := c.in.take(b, now); ok {
			w.news.Broadcast()
			return n, c.error("read", err)
		}
		if c.givenUp(now) {
			return 0, c.error("read", syscall.ETIMEDOUT)
		}
		w.sleep(now, min(c.readDeadline, c.in.nextArrival(), c.out.timeout()))
	}
}

// Write sends b and returns when all of it is under way, which says nothing
// about its arrival. It waits while the buffer is full.
func (c *Conn) Write(b []byte) (int, error) {
	w := c.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := c.startWrite(); err != nil {
		return 0, c.error("write", err)
	}
	defer c.endWrite()
	f := c.out.link.fate(w.net.now(), b)
	for sent := 0; ; {
		if sent == len(b) {
			return sent, nil
		}
		now := w.net.now()
		if err := c.writable(now); err != nil {
			return sent, c.error("write", err)
		}
		n := min(len(b)-sent, c.out.space(now))
		if n == 0 {
			w.sleep(now, min(c.writeDeadline, c.out.nextSpace(), c.out.timeout(), c.in.resetAt))
			continue
		}
		arrives := c.transmit(b[sent:sent+n], now, f)
		if sent == 0 {
			w.note(now, c.side, describe(b, f, arrives))
		}
		sent += n
		f = fate{fault: c.out.link.load().fault, latency: f.latency} // the rest is not lost once more
	}
}

// transmit sends data, and is where a link resets a connection.
func (c *Conn) transmit(b []byte, now time.Duration, f fate) time.Duration {
	c.wire.news.Broadcast()
	if f.fault == Reset {
		f.fault = Healthy
		arrives := c.out.send(reset, nil, now, f)
		c.in.send(reset, nil, arrives, c.in.link.fate(arrives, nil))
		return arrives
	}
	arrives := c.out.send(data, b, now, f)
	c.peer().bounce(now)
	return arrives
}

// startWrite waits until no other Write is under way. A lock would do, but not in
// a bubble, where time stands still while somebody waits for one.
func (c *Conn) startWrite() error {
	for {
		now := c.wire.net.now()
		if err := c.writable(now); err != nil {
			return err
		}
		if !c.out.busy {
			c.out.busy = true
			return nil
		}
		c.wire.sleep(now, min(c.writeDeadline, c.out.timeout(), c.in.resetAt))
	}
}

func (c *Conn) endWrite() {
	c.out.busy = false
	c.wire.news.Broadcast()
}

// writable says why nothing can be written, if so.
func (c *Conn) writable(now time.Duration) error {
	switch {
	case c.closed:
		return net.ErrClosed
	case now >= c.writeDeadline:
		return os.ErrDeadlineExceeded
	case c.in.resetAt <= now:
		return syscall.ECONNRESET
	case c.out.finished:
		return syscall.EPIPE
	case c.givenUp(now):
		return syscall.ETIMEDOUT
	}
	return nil
}

// givenUp reports whether data went unacknowledged for so long that the
// connection is dead for this end.
func (c *Conn) givenUp(now time.Duration) bool {
	if !c.dead && now >= c.out.timeout() {
		c.dead = true
		c.wire.note(now, c.side, "gives up: nothing was acknowledged for "+dataTimeout.String())
	}
	return c.dead
}

// CloseWrite says that nothing more will be sent. Reading goes on.
func (c *Conn) CloseWrite() error {
	w := c.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.closed {
		return c.error("close", net.ErrClosed)
	}
	c.sayFin("is done sending")
	return nil
}

// sayFin sends a FIN, once.
func (c *Conn) sayFin(text string) {
	if c.out.finished {
		return
	}
	now := c.wire.net.now()
	f := c.out.link.fate(now, []byte("FIN"))
	c.out.send(fin, nil, now, f)
	c.wire.news.Broadcast()
	c.wire.note(now, c.side, text)
}

// Close closes this end. The peer still gets what was sent before, unless this
// end has data that it did not read. Calls that are waiting return
// [net.ErrClosed].
func (c *Conn) Close() error {
	w := c.wire
	over, err := c.close()
	if over {
		w.net.finish(w)
	}
	return err
}

// close reports whether the other end is closed too.
func (c *Conn) close() (over bool, err error) {
	w := c.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.closed {
		return false, c.error("close", net.ErrClosed)
	}
	now := w.net.now()
	c.closed = true
	w.news.Broadcast()
	if unread := c.in.hasArrived(now) && c.in.queue[0].kind == data; !unread {
		c.sayFin("closes")
	}
	c.bounce(now)
	return c.peer().closed, nil
}

// bounce answers data for an end that was closed by a reset, once.
func (c *Conn) bounce(now time.Duration) {
	if !c.closed || c.bounced {
		return
	}
	if len(c.in.queue) == 0 || c.in.queue[0].kind != data || c.in.queue[0].held() {
		return
	}
	c.bounced = true
	at := max(now, c.in.queue[0].arrives)
	c.out.send(reset, nil, at, c.out.link.fate(at, []byte("RST")))
	c.wire.note(at, c.side, "resets: it is closed, and there are data that nobody will read")
}

// changed tells the wire that one of its links is broken, or no longer.
func (w *wire) changed(l *link, from, to Fault) {
	if (from == BlackHole) == (to == BlackHole) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.net.now()
	for _, c := range w.ends {
		if c == nil {
			continue
		}
		if c.out.link == l && to == BlackHole {
			c.out.hold(now)
		}
		if c.out.link == l && from == BlackHole {
			c.out.release(now)
			c.peer().bounce(now)
		}
		if c.out.back == l && from == BlackHole {
			c.out.releaseCredits(now)
		}
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

// LocalAddr returns the [Addr] of this end.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the [Addr] of the other end.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	return c.setDeadlines(t, &c.readDeadline, &c.writeDeadline)
}

// SetReadDeadline sets from when on Read fails, a Read that is waiting included. A
// zero time means never.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadlines(t, &c.readDeadline) }

// SetWriteDeadline does the same for Write, which may have sent a part by then.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(t, &c.writeDeadline) }

func (c *Conn) setDeadlines(t time.Time, which ...*time.Duration) error {
	w := c.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.closed {
		return c.error("set", net.ErrClosed)
	}
	for _, d := range which {
		*d = never
		if !t.IsZero() {
			*d = t.Sub(w.net.start)
		}
	}
	w.news.Broadcast()
	return nil
}

func (c *Conn) peer() *Conn { return c.wire.ends[1-c.side] }

// error wraps an error as package net does.
func (c *Conn) error(op string, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		err = os.NewSyscallError(op, number)
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}
