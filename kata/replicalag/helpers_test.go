package replicalag_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/replicalag"
)

const patience, soon = 100 * time.Millisecond, 20 * time.Millisecond

var errDown, errFull = errors.New("the server closed the connection"), errors.New("the disk is full")

type (
	pos  = replicalag.Position
	want = replicalag.Want
)

func on(timeline int, offset int64) pos { return pos{Timeline: timeline, Offset: offset} }

// A cluster is a primary, its replicas and a router in front of them.
type cluster struct {
	*step.T

	c        replicalag.Config
	r        *replicalag.Router
	replicas []*replica

	mu      sync.Mutex // guards what follows, and the servers
	history []int64
	at      pos    // of the primary
	fails   error  // what the primary returns
	hangs   bool   // so do its calls
	during  func() // each of its reads
	wrote   []string
	asked   []time.Time // for a read
	open    int         // connections
	opens   int
	fault   string // of the router
}

// A replica is a name in front of servers, which it takes in turn.
type replica struct {
	*cluster

	servers []*server
	next    int
}

type server struct {
	*cluster

	at            pos
	age, idle     time.Duration // since its heartbeat, and since the last write
	takes         time.Duration // for a State
	hang, fail    string        // the call that does
	before, after func()        // a row is read
	life          int           // the next begins when it is rebuilt
}

type conn struct {
	*server

	born       int
	busy, done bool // a call is under way; it is closed
	state      string
}

func with(t *testing.T, replicas, rate int, body func(c *cluster)) {
	t.Helper()
	step.Bubble(t, func(t *step.T) { body(start(t, replicas, rate)) })
}

func start(t *step.T, replicas, rate int) *cluster {
	c := &cluster{T: t, at: on(1, 10)}
	c.c = replicalag.Config{Primary: c, Patience: patience, Rate: rate, History: func() []int64 {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.history
	}}
	for range replicas {
		r := &replica{cluster: c, servers: []*server{{cluster: c, at: on(1, 10)}}}
		c.replicas = append(c.replicas, r)
		c.c.Replicas = append(c.c.Replicas, r)
	}
	c.r = replicalag.New(c.c)
	return c
}

// set changes the cluster.
func (c *cluster) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

func (c *cluster) after(d time.Duration, change func()) { time.AfterFunc(d, func() { c.set(change) }) }

func (c *cluster) first(replica int) *server { return c.replicas[replica].servers[0] }

func (c *cluster) moves(to ...pos) {
	c.set(func() {
		for i, at := range to {
			c.first(i).at = at
		}
	})
	c.Tell("the replicas are at %s", told(to...))
}

func very(got, want error) bool { return got == want } //nolint:errorlint // the very one

func told(all ...pos) (s string) {
	for _, at := range all {
		s += fmt.Sprintf(" %d/%d", at.Timeline, at.Offset)
	}
	return s[min(1, len(s)):]
}

func row(key string, at pos) string { return key + " as of " + told(at) }

func (c *cluster) Write(ctx context.Context, key, value string) (pos, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrote = append(c.wrote, key+"="+value)
	if c.hangs {
		c.stays(ctx)
	} else if c.fails == nil {
		c.at.Offset++
	}
	return c.at, c.fails
}

func (c *cluster) Read(ctx context.Context, key string) (string, pos, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, time.Now())
	if c.hangs {
		c.stays(ctx)
	} else if c.during != nil {
		c.during()
	}
	if ctx.Err() != nil || c.fails != nil {
		return "", pos{}, cmp.Or(c.fails, errDown)
	}
	return row(key, c.at), c.at, nil
}

// stays hangs until the context ends. The caller holds the lock.
func (c *cluster) stays(ctx context.Context) { c.mu.Unlock(); <-ctx.Done(); c.mu.Lock() }

func (r *replica) Open(ctx context.Context) (replicalag.Conn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.servers[r.next%len(r.servers)]
	r.next++
	r.opens++
	c := &conn{server: s, born: s.life, state: "State"}
	if err := c.call(ctx, "Open", func() {}); err != nil {
		return nil, err
	}
	r.open++
	return c, nil
}

// call makes a call. The caller holds the lock.
func (c *conn) call(ctx context.Context, name string, f func()) error {
	if c.done {
		c.fault = name + " is called on a connection that is closed."
	}
	if c.busy {
		c.fault = name + " is called on a connection while another call of it is under way."
	}
	c.busy = true
	defer func() { c.busy = false }()
	if c.hang == name {
		c.stays(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case c.born != c.life || c.fail == name:
		c.born = -1 // it is of no use any longer
		return errDown
	}
	f()
	return ctx.Err()
}

func (c *conn) State(ctx context.Context) (s replicalag.State, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	err = c.call(ctx, c.state, func() {
		s = replicalag.State{Position: c.at, Heartbeat: time.Now().Add(-c.age), Commit: time.Now().Add(-c.idle)}
		c.mu.Unlock()
		slow, done := context.WithTimeout(ctx, c.takes)
		<-slow.Done()
		done()
		c.mu.Lock()
	})
	return s, err
}

func (c *conn) Wait(ctx context.Context, offset int64) error {
	for {
		s, err := c.State(ctx)
		if err != nil || s.Position.Offset >= offset {
			return err
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (c *conn) Read(ctx context.Context, key string) (value string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = "State after Read"
	err = c.call(ctx, "Read", func() {
		if c.before != nil {
			c.before()
		}
		if c.born == c.life {
			value = row(key, c.at)
		}
		if c.after != nil {
			c.after()
		}
	})
	if err == nil && value == "" {
		err = errDown
	}
	return value, err
}

func (c *conn) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.call(context.Background(), "Close", func() {})
	c.done = true
	c.open--
}

// A reading is a call of Read.
type reading struct {
	*step.Call[error]

	began  time.Time
	before int // how many reads the primary had had
	got    replicalag.Answer
}

func (c *cluster) begins(ctx context.Context, w want) *reading {
	g := &reading{began: time.Now()}
	c.set(func() { g.before = len(c.asked) })
	g.Call = step.Start(c.T, func() (err error) {
		g.got, err = c.r.Read(ctx, "order", w)
		c.Tell("Read: %q %v", g.got.Value, err)
		return err
	})
	return g
}

// ends waits for the end of a Read, two patiences long.
func (c *cluster) ends(g *reading, why string) {
	c.Helper()
	for g.Waits() && time.Since(g.began) < 2*patience+soon {
		time.Sleep(10 * time.Millisecond)
	}
	step.Expect(c, !g.Waits(), "%s: Read should have returned by now. It waits.", why)
	step.Expect(c, c.fault == "", "%s", c.fault)
	step.Equal(c, 0, c.open, "Read has returned. Connections that it left open:")
}

// replicaReads expects a row from a replica, and the primary left alone.
func (c *cluster) replicaReads(w want, at pos, why string) (token string) {
	c.Helper()
	return c.replicaReadsAfter(0, w, at, why)
}

// replicaReadsAfter expects it after some time, which a replica needs to meet the read.
func (c *cluster) replicaReadsAfter(d time.Duration, w want, at pos, why string) (token string) {
	c.Helper()
	g := c.begins(c.Context(), w)
	c.ends(g, why)
	step.NoError(c, g.Result(), "%s: Read should return a row.", why)
	step.Expect(c, len(c.asked) == g.before, "%s: the row should come from a replica. The primary was asked.", why)
	step.Equal(c, row("order", at), g.got.Value, "%s: Read returns:", why)
	step.Expect(c, !g.got.Stale, "%s, and it meets the read: the answer is not stale. It says so.", why)
	step.Expect(c, g.Took() >= d, "%s: no replica met the read before. It was done before.", why)
	step.Expect(c, g.Took() <= d+soon, "%s: Read should return within %v. It took %v longer.", why, soon, g.Took()-d)
	return g.got.Token
}
