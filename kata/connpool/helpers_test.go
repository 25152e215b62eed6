package connpool_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/kata/connpool"
	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/pkg/interleave"
)

var (
	errDial  = errors.New("the server refuses the connection")
	errOther = errors.New("the server does not know that table")
	errPanic = errors.New("it panics")
	errExit  = errors.New("it calls runtime.Goexit")
)

// A server is what the pool dials. It notes what a pool must not do.
type server struct {
	x *interleave.Schedule

	dials, asked atomic.Int64 // calls of Dial and Random
	open, most   atomic.Int64 // connections, from the start of the dial until Close has returned

	mu    sync.Mutex // guards what follows, and most of the connections
	conns []*conn
	share float64 // what Random returns
	fault string  // the first
	slow  string  // the call that takes a while
	begun []*call // those calls
}

// A call of the pool's takes a while, until it is let go.
type call struct {
	ctx context.Context //nolint:containedctx // a record of what the pool gave
	end chan error
}

// A conn is one of a server's connections.
type conn struct {
	*server

	n      int
	resets atomic.Int64
	closed atomic.Bool
	busy   bool   // a call is under way
	lent   bool   // the step has it
	left   string // behind by its user
	bad    error  // what Reset returns
}

func (c *conn) String() string { return []string{"nil", fmt.Sprint("connection ", c.n)}[min(c.n, 1)] }

// note keeps the first fault. The caller holds the lock.
func (s *server) note(fault string, args ...any) {
	if s.fault == "" {
		s.fault = fmt.Sprintf(fault, args...)
	}
}

// takes is how long a call takes.
func (s *server) takes(ctx context.Context, name string) error {
	s.x.Point("%s", name)
	s.mu.Lock()
	if s.slow != name {
		s.mu.Unlock()
		return nil
	}
	c := &call{ctx, make(chan error, 1)}
	s.begun = append(s.begun, c)
	s.mu.Unlock()
	return <-c.end
}

func (s *server) dial(ctx context.Context) (connpool.Conn, error) {
	s.dials.Add(1)
	s.most.Store(max(s.most.Load(), s.open.Add(1)))
	if err := s.takes(ctx, "Dial"); err != nil {
		s.open.Add(-1)
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &conn{server: s, n: len(s.conns) + 1}
	s.conns = append(s.conns, c)
	return c, nil
}

func (c *conn) called(name string) error {
	c.mu.Lock()
	switch {
	case c.busy:
		c.note("%s is called while another call of %v is under way.", name, c)
	case c.closed.Load():
		c.note("%s is called on %v, which is closed.", name, c)
	case c.lent:
		c.note("%s is called on %v, which is lent out.", name, c)
	}
	c.busy = true
	c.mu.Unlock()
	err := c.takes(context.Background(), name)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
	if name == "Reset" {
		c.left = ""
	}
	return err
}

func (c *conn) Reset() error {
	c.resets.Add(1)
	return errors.Join(c.called("Reset"), c.bad)
}

func (c *conn) Close() error {
	err := c.called("Close")
	c.closed.Store(true)
	c.open.Add(-1)
	return err
}

// A desk borrows from a pool.
type desk struct {
	*step.T
	*server

	p    *connpool.Pool
	most int64
}

func usual() connpool.Config { return connpool.Config{Max: 3, MaxIdle: 3} }

func very(got, want error) bool { return got == want } //nolint:errorlint // the very one

// with runs a body in a bubble with a pool, and closes the pool.
func with(t *testing.T, c connpool.Config, body func(d *desk)) {
	t.Helper()
	step.Bubble(t, func(t *step.T) {
		d := open(t, nil, c)
		body(d)
		d.closes(nil, "Nothing is lent out")
		step.Equal(d, 0, d.open.Load(), "The pool is closed. Open connections:")
	})
}

func open(t *step.T, x *interleave.Schedule, c connpool.Config) *desk {
	d := &desk{T: t, server: &server{x: x}, most: int64(c.Max)}
	c.Dial, c.Random = d.dial, func() float64 { d.asked.Add(1); return d.share }
	d.p = connpool.New(c)
	return d
}

func (d *desk) sound() {
	d.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	step.Expect(d, d.fault == "", "%s", d.fault)
	step.Expect(d, d.server.most.Load() <= d.most, "At most %d connections may be open, from the start of the dial until Close "+
		"has returned. There were %d.", d.most, d.server.most.Load())
}

// ended returns contexts that have ended.
func ended(t *step.T) []context.Context {
	late, cancel := context.WithTimeout(t.Context(), 0)
	cancel()
	gone, leave := context.WithCancel(t.Context())
	leave()
	return []context.Context{gone, late}
}

// A loan is a call of Get.
type loan struct {
	*step.Call[error]

	c     *conn
	leave func()
}

// asks calls Get. It may wait.
func (d *desk) asks(ctx context.Context) *loan {
	l := &loan{}
	ctx, leave := context.WithCancelCause(ctx)
	l.leave = func() { leave(errOther) }
	l.Call = step.Start(d.T, func() error {
		c, err := d.p.Get(ctx)
		if err == nil {
			l.c = d.lends(c)
		}
		return err
	})
	d.Tell("Get: %s", l.told())
	d.sound()
	return l
}

func (l *loan) leaves() { l.leave(); synctest.Wait() }

func (l *loan) told() string {
	switch {
	case l.Waits():
		return "waits"
	case l.Result() != nil:
		return l.Result().Error()
	}
	return l.c.String()
}

// lends notes that the step has a connection.
func (d *desk) lends(got connpool.Conn) *conn {
	c, _ := got.(*conn)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case c == nil:
		d.note("Get should return a connection or an error. It returned neither.")
		return &conn{server: d.server}
	case c.lent:
		d.note("%v is lent out twice.", c)
	case c.closed.Load():
		d.note("%v is lent out, which is closed.", c)
	case c.busy:
		d.note("%v is lent out while a call of it is under way.", c)
	case c.left != "":
		d.note("%v is lent out with what its last user left behind, %s.", c, c.left)
	}
	c.lent = true
	return c
}

func (d *desk) returns(c *conn) error {
	d.mu.Lock()
	c.lent = false
	d.mu.Unlock()
	return d.p.Put(c)
}

// puts gives connections back. It waits for none of them.
func (d *desk) puts(all ...*conn) {
	d.Helper()
	for _, c := range all {
		put := step.Start(d.T, func() error { return d.returns(c) })
		d.Tell("Put %v", c)
		step.Expect(d, put.Waits() || put.Result() == nil, "%v was lent out: Put should return nil.", c)
		d.sound()
	}
}

func (d *desk) hold(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.slow = name
}

// held is the nth call that takes a while.
func (d *desk) held(n int) *call {
	d.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	step.Expect(d, n < len(d.begun), "There should be %d slow calls of the pool by now, of %s. There are %d.", n+1, d.slow, len(d.begun))
	return d.begun[n]
}

// letGo ends the nth call that takes a while.
func (d *desk) letGo(n int, err error) {
	d.Helper()
	c := d.held(n)
	d.Tell("the slow %s ends: %v", d.slow, err)
	c.end <- err
	synctest.Wait()
}

// isClosed looks once all is quiet.
func (d *desk) isClosed(c *conn, want bool, why string) {
	d.Helper()
	d.sound()
	word := map[bool]string{true: "closed", false: "open"}
	step.Expect(d, c.closed.Load() == want, "%s: the connection should be %s. It is %s.", why, word[want], word[!want])
}

// closes expects what Close returns within a minute.
func (d *desk) closes(want error, why string) {
	d.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.Context()), time.Minute)
	defer cancel()
	call := step.Start(d.T, func() error { return d.p.Close(ctx) })
	time.Sleep(time.Minute)
	step.Expect(d, !call.Waits(), "%s, and the context of Close ended after a minute: Close should have returned. It waits.", why)
	d.sound()
	step.Equal(d, want, call.Result(), "%s. Close, with a minute's time, returns:", why)
}
