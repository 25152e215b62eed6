package simnet

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"syscall"
	"time"
)

// A Conn is one end of a connection, and a [net.Conn] like a [net.TCPConn]. It
// is safe for concurrent use. Writes do not mix.
type Conn struct {
	wire          *wire
	in, out       *pipe
	local, remote net.Addr
	side          int       // its index in wire.ends
	listener      *Listener // where it was accepted, or will be; nil if it dialled
	keepAlive     keepAlive
	born          time.Duration

	gone                        bool // its host has crashed
	closed                      bool
	bounced                     bool          // data came after that, and were answered by a reset
	dead                        bool          // it has given up on its peer
	heard                       time.Duration // when probes were last answered, or never if they are
	readDeadline, writeDeadline time.Duration
}

var _ net.Conn = (*Conn)(nil)

// Read reads what has arrived, or a part of it, which the seed decides: as with
// TCP, one Write is not one Read. It waits until something has arrived, the peer
// has said that it is done ([io.EOF]), the connection is reset, the end gives up on
// its peer, or the deadline passes.
func (c *Conn) Read(b []byte) (int, error) {
	w := c.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	c.enter()
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
		w.sleep(now, min(c.readDeadline, c.in.nextArrival(), c.timeout()))
	}
}

// Write sends b, in packets, and returns when all of them are under way or kept
// until there is room, which says nothing about their arrival. It waits while there
// is no room for the next (see [Link.Buffer]).
func (c *Conn) Write(b []byte) (int, error) {
	w := c.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	c.enter()
	if err := c.startWrite(); err != nil {
		return 0, c.error("write", err)
	}
	defer c.endWrite()
	var (
		cuts   *rand.Rand
		packet = packet{kind: data}
		sent   = 0
	)
	for sent < len(b) {
		now := w.net.now()
		if err := c.writable(now); err != nil {
			return sent, c.error("write", err)
		}
		segment := b[sent:min(len(b), sent+c.out.window.segment())]
		if !c.out.accepts(len(segment), now) {
			w.sleep(now, min(c.writeDeadline, c.out.window.nextSpace(), c.timeout(), c.in.resetAt))
			continue
		}
		if sent == 0 {
			cuts = c.out.link.dice(now, b)
			packet.dice = rand.New(rand.NewPCG(cuts.Uint64(), 0)) // packets that wait for room throw later
			packet.record = &written{line: firstLine(b), bytes: len(b)}
			w.note(event{at: now, side: c.side, written: packet.record})
		}
		w.news.Broadcast()
		if c.out.link.load().fault == Reset {
			c.out.reset(now, packet.record)
			return len(b), nil
		}
		packet.data, packet.cut = slices.Clone(segment), cut(cuts, len(segment))
		c.out.send(packet, now)
		c.peer().bounce(now)
		sent += len(segment)
	}
	return sent, nil
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
		c.wire.sleep(now, min(c.writeDeadline, c.timeout(), c.in.resetAt))
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
	c.out.send(packet{kind: fin}, now)
	c.wire.news.Broadcast()
	c.wire.note(event{at: now, side: c.side, text: text})
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

// bounce answers data for an end that is no more by a reset, once.
func (c *Conn) bounce(now time.Duration) {
	if c.bounced || !c.closed && !c.givenUp(now) {
		return
	}
	if len(c.in.queue) == 0 || c.in.queue[0].kind != data || c.in.queue[0].held() {
		return
	}
	c.bounced = true
	at := max(now, c.in.queue[0].arrives)
	c.out.send(packet{kind: reset}, at)
	why := "it is closed"
	if c.dead {
		why = "it has given up"
	}
	c.wire.note(event{at: at, side: c.side, text: "resets: " + why + ", and there are data that nobody will read"})
}

// LocalAddr returns the address of this end: a [*net.TCPAddr] if the host has IP
// addresses, else an [Addr].
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the address of the other end, likewise.
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
