//go:build solutions

package connpool

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// The errors of a Pool, and of a connection.
var (
	ErrBadConn = errors.New("the connection is bad, and nothing was sent")
	ErrNotLent = errors.New("the connection is not lent out")
	ErrClosed  = errors.New("the pool is closed")
)

// A Conn is a connection. It can be compared with ==.
type Conn interface {
	Reset() error // clears what its user left behind, such as an open transaction
	Close() error // its error does not matter
}

// Config says what a Pool may do.
type Config struct {
	Dial func(ctx context.Context) (Conn, error)

	Max      int            // connections that may be open; at least 1
	MaxIdle  int            // connections that may be idle; 0: none
	IdleTime time.Duration  // how long one may be idle; 0: for ever
	Lifetime time.Duration  // how long one may live; 0: for ever
	Random   func() float64 // from 0 to 1, 1 not included
}

// A Pool lends connections out.
type Pool struct {
	c     Config
	dials context.Context //nolint:containedctx // of dials; it ends when the pool is closed, and not before
	end   context.CancelCauseFunc
	empty chan struct{} // closed when the pool is, and nothing is open

	mu      sync.Mutex // guards what follows
	places  int        // taken by connections, from the start of the dial until their Close has returned
	idle    []*member  // the one that came back last is the last
	lent    map[Conn]*member
	waiting []*request // first come, first served
}

// A member is a connection of the pool.
type member struct {
	conn  Conn
	dies  time.Time
	since time.Time   // when it became idle
	timer *time.Timer // retires it while it is idle
}

// A request is a caller who waits for a connection.
type request struct {
	ready chan struct{} // closed when there is a member or an error
	m     *member
	err   error
	gone  bool
}

func (r *request) is(m *member, err error) {
	r.m, r.err = m, err
	close(r.ready)
}

// New returns a Pool without connections.
func New(c Config) *Pool {
	for _, limit := range []*time.Duration{&c.IdleTime, &c.Lifetime} {
		*limit = cmp.Or(*limit, 100*365*24*time.Hour)
	}
	p := &Pool{c: c, empty: make(chan struct{}), lent: map[Conn]*member{}}
	p.dials, p.end = context.WithCancelCause(context.Background())
	return p
}

// Get lends a connection out.
func (p *Pool) Get(ctx context.Context) (Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return p.wait(ctx, p.ask())
}

// ask asks for an idle connection, else for a new one, else for the next that comes back.
func (p *Pool) ask() *request {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &request{ready: make(chan struct{})}
	for i, m := range slices.Backward(p.idle) {
		if !p.stale(m) { // else its timer is about to retire it
			p.idle = slices.Delete(p.idle, i, i+1)
			m.timer.Stop()
			r.is(m, nil)
			return r
		}
	}
	switch {
	case p.dials.Err() != nil: // nobody comes for it
	case p.places < p.c.Max:
		p.places++
		go p.dial(r)
	default:
		p.waiting = append(p.waiting, r)
	}
	return r
}

// wait waits for what was asked for, and lends it out. A caller who has left hands it on.
func (p *Pool) wait(ctx context.Context, r *request) (Conn, error) {
	select {
	case <-r.ready:
	case <-ctx.Done():
	case <-p.dials.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r.gone = true
	p.waiting = slices.DeleteFunc(p.waiting, func(other *request) bool { return other == r })
	err := cmp.Or(ctx.Err(), context.Cause(p.dials), r.err)
	if err == nil {
		p.lent[r.m.conn] = r.m
		return r.m.conn, nil
	}
	if r.m != nil {
		p.hand(r.m, nil)
	}
	return nil, err
}

// dial dials in a place that is taken.
func (p *Pool) dial(r *request) {
	conn, err := p.c.Dial(p.dials)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		r.is(nil, err)
		p.free()
		return
	}
	p.hand(&member{conn: conn, dies: time.Now().Add(time.Duration(float64(p.c.Lifetime) * (1 - p.c.Random()/10)))}, r)
}

// hand gives a connection to the one for whom it was dialled, to the first who waits, or to nobody. The caller holds the lock.
func (p *Pool) hand(m *member, r *request) {
	m.since = time.Now()
	if p.dials.Err() != nil || p.stale(m) {
		go p.drop(m)
		return
	}
	if r == nil || r.gone {
		r = p.first()
	}
	switch {
	case r != nil:
		r.is(m, nil)
	case len(p.idle) < p.c.MaxIdle:
		p.idle = append(p.idle, m)
		m.timer = time.AfterFunc(min(p.c.IdleTime, time.Until(m.dies)), func() { p.retire(m) })
	default:
		go p.drop(m)
	}
}

// first removes the first who waits, if there is one.
func (p *Pool) first() *request {
	if len(p.waiting) == 0 {
		return nil
	}
	r := p.waiting[0]
	p.waiting = p.waiting[1:]
	return r
}

// stale says whether a connection must not be idle any longer.
func (p *Pool) stale(m *member) bool {
	return time.Until(m.dies) <= 0 || time.Since(m.since) >= p.c.IdleTime
}

// retire closes a connection unless it was lent out in the same instant.
func (p *Pool) retire(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.idle, m); i >= 0 && p.stale(m) {
		p.idle = slices.Delete(p.idle, i, i+1)
		go p.drop(m)
	}
}

// drop closes a connection. Its place is free after that.
func (p *Pool) drop(m *member) {
	_ = m.conn.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free()
}

// free gives a place to the first who waits. The caller holds the lock.
func (p *Pool) free() {
	if r := p.first(); r != nil {
		go p.dial(r)
		return
	}
	p.places--
	if p.dials.Err() != nil && p.places == 0 {
		close(p.empty)
	}
}

// Put gives a connection back.
func (p *Pool) Put(c Conn) error {
	m := p.unlend(c)
	if m == nil {
		return ErrNotLent
	}
	p.back(m)
	return nil
}

func (p *Pool) unlend(c Conn) *member {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.lent[c]
	delete(p.lent, c)
	return m
}

func (p *Pool) back(m *member) {
	if m.conn.Reset() != nil {
		p.drop(m)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hand(m, nil)
}

// Do calls f with a connection.
func (p *Pool) Do(ctx context.Context, f func(ctx context.Context, c Conn) error) error {
	c, err := p.Get(ctx)
	if err != nil {
		return err
	}
	err = p.use(ctx, c, f, func(m *member) { _ = m.conn.Close() })
	if !errors.Is(err, ErrBadConn) {
		return err
	}
	r := &request{ready: make(chan struct{})}
	go p.dial(r) // in the place of the bad one
	if c, err = p.wait(ctx, r); err != nil {
		return err
	}
	return p.use(ctx, c, f, p.drop)
}

// use calls f and ends the loan. It calls bad with a bad connection.
func (p *Pool) use(ctx context.Context, c Conn, f func(ctx context.Context, c Conn) error, bad func(*member)) error {
	then := p.drop // if f does not return
	defer func() { then(p.unlend(c)) }()
	err := f(ctx, c)
	then = p.back
	if errors.Is(err, ErrBadConn) {
		then = bad
	}
	return err
}

// Close ends the pool.
func (p *Pool) Close(ctx context.Context) error {
	p.mu.Lock()
	if p.dials.Err() == nil && p.places == 0 {
		close(p.empty)
	}
	p.end(ErrClosed)
	for _, m := range p.idle {
		m.timer.Stop()
		go p.drop(m)
	}
	p.idle, p.waiting = nil, nil
	p.mu.Unlock()
	select {
	case <-p.empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
