//go:build solutions

package replicalag

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// MaxToken is how many bytes a token has at most.
const MaxToken = 40

// The errors of a Router.
var (
	ErrToken = errors.New("that is not a token")
	ErrLost  = errors.New("a failover lost what the token stands for")
	ErrStale = errors.New("no replica is fresh enough, and the primary has had its reads")
)

// A Position is a place in the log of writes.
type Position struct {
	Timeline int   // 1 at first; each failover starts the next
	Offset   int64 // it grows with each write, and a failover does not reset it
}

// A Primary takes writes. It is safe for concurrent use, and its calls return when their context ends.
type Primary interface {
	Write(ctx context.Context, key, value string) (Position, error)
	Read(ctx context.Context, key string) (value string, at Position, err error)
}

// A Replica is a name, behind which several servers may stand: each Open may reach another one. It is safe for concurrent
// use.
type Replica interface {
	Open(ctx context.Context) (Conn, error)
}

// A Conn is a connection to one server, on which time never runs backwards. It takes one call at a time, and none after
// Close. Its calls and Open return when their context ends, if not before. After an error it is of no use but for Close.
type Conn interface {
	State(ctx context.Context) (State, error)
	Wait(ctx context.Context, offset int64) error // until the server has come so far, on whatever timeline
	Read(ctx context.Context, key string) (value string, err error)
	Close()
}

// A State is how far a server has come.
type State struct {
	Position  Position
	Heartbeat time.Time // when the primary wrote the last heartbeat that has arrived; it writes one every second, even if idle
	Commit    time.Time // when the last write that has arrived was committed
}

// Config says what a Router stands in front of.
type Config struct {
	Primary  Primary
	Replicas []Replica
	History  func() []int64 // where timelines 1, 2, … ended, without the current one; never smaller than the one before. It is quick
	Patience time.Duration  // how long a Read waits for a replica; more than 0
	Rate     int            // how many reads the primary gets in a second; 0: none
}

// A Want is what a Read demands.
type Want struct {
	Token   string        // what the row must show at least
	MaxAge  time.Duration // how old the row may be; 0: as old as it is
	OrStale bool          // a stale row is better than ErrStale
}

// An Answer is what a Read returns.
type Answer struct {
	Value string
	Token string
	Stale bool
}

// A Router sends writes to the primary and reads to replicas.
type Router struct {
	c     Config
	mu    sync.Mutex  // guards what follows
	reads []time.Time // of the primary, within a second
}

// New returns a Router.
func New(c Config) *Router { return &Router{c: c} }

// Write writes a row.
func (r *Router) Write(ctx context.Context, key, value string) (token string, err error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	at, err := r.c.Primary.Write(ctx, key, value)
	if err != nil {
		return "", err
	}
	return format(at), nil
}

// Merge returns a token for all that two tokens stand for.
func (r *Router) Merge(a, b string) (string, error) {
	first, errFirst := r.parse(a)
	second, errSecond := r.parse(b)
	if err := cmp.Or(errFirst, errSecond); err != nil {
		return "", err
	}
	return format(later(first, second)), nil
}

func format(at Position) string { return fmt.Sprintf("%d-%d", at.Timeline, at.Offset) }

func (r *Router) parse(token string) (at Position, err error) {
	if token == "" {
		return at, nil
	}
	_, _ = fmt.Sscanf(token, "%d-%d", &at.Timeline, &at.Offset)
	if format(at) != token {
		return Position{}, ErrToken
	}
	if r.lost(at) {
		return at, ErrLost
	}
	return at, nil
}

// lost says whether a failover has cut a position off. Offsets of positions that are not lost can be compared.
func (r *Router) lost(at Position) bool {
	ends := r.c.History()
	return at.Timeline > 0 && at.Timeline <= len(ends) && at.Offset > ends[at.Timeline-1]
}

func later(a, b Position) Position {
	return slices.MaxFunc([]Position{a, b}, func(a, b Position) int { return cmp.Compare(a.Offset, b.Offset) })
}

// A row is a value that a server returned, and a position that covers it.
type row struct {
	value string
	at    Position
}

// Read reads a row.
func (r *Router) Read(ctx context.Context, key string, w Want) (Answer, error) {
	if err := ctx.Err(); err != nil {
		return Answer{}, err
	}
	at, err := r.parse(w.Token)
	if err != nil {
		return Answer{}, err
	}
	got, stale, err := r.read(ctx, key, at, w)
	if r.lost(at) { // meanwhile
		err = ErrLost
	}
	if err = cmp.Or(ctx.Err(), err); err != nil {
		return Answer{}, err
	}
	return Answer{got.value, format(later(at, got.at)), stale}, nil
}

func (r *Router) read(ctx context.Context, key string, at Position, w Want) (got row, stale bool, err error) {
	got, ok := r.first(ctx, key, func(s State) bool {
		return s.Position.Offset >= at.Offset && (w.MaxAge == 0 || time.Since(s.Heartbeat) <= w.MaxAge)
	})
	switch {
	case ok || ctx.Err() != nil:
		return got, false, ctx.Err()
	case r.mayAsk():
		got.value, got.at, err = r.c.Primary.Read(ctx, key)
		return got, false, err
	case w.OrStale:
		if got, ok = r.furthest(ctx, key); ok {
			return got, true, nil
		}
	}
	return got, false, ErrStale
}

// mayAsk says whether the primary may get a read now, and counts it.
func (r *Router) mayAsk() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.reads = slices.DeleteFunc(r.reads, func(at time.Time) bool { return now.Sub(at) >= time.Second })
	if len(r.reads) >= r.c.Rate {
		return false
	}
	r.reads = append(r.reads, now)
	return true
}

// first waits for the first replica whose state is good, and reads from it.
func (r *Router) first(ctx context.Context, key string, good func(State) bool) (got row, ok bool) {
	ctx, done := context.WithTimeout(ctx, r.c.Patience)
	defer done()
	rows := make(chan row, len(r.c.Replicas))
	r.each(func(replica Replica) {
		for ctx.Err() == nil {
			if got, ok := r.poll(ctx, replica, key, good); ok {
				rows <- got
				done() // the others need not go on
			}
			pause(ctx)
		}
	})
	<-ctx.Done() // without replicas too
	close(rows)
	got, ok = <-rows
	return got, ok
}

// furthest reads from the replica that is furthest ahead.
func (r *Router) furthest(ctx context.Context, key string) (best row, ok bool) {
	ctx, done := context.WithTimeout(ctx, r.c.Patience)
	defer done()
	rows := make(chan row, len(r.c.Replicas))
	r.each(func(replica Replica) {
		conn, err := replica.Open(ctx)
		if err != nil {
			return
		}
		defer conn.Close()
		if got, ok, _ := r.ask(ctx, conn, key, func(State) bool { return true }); ok {
			rows <- got
		}
	})
	close(rows)
	for got := range rows {
		if !ok || got.at.Offset > best.at.Offset {
			best, ok = got, true
		}
	}
	return best, ok
}

// each calls f for every replica, beside each other, and waits.
func (r *Router) each(f func(Replica)) {
	var all sync.WaitGroup
	for _, replica := range r.c.Replicas {
		all.Go(func() { f(replica) })
	}
	all.Wait()
}

// poll asks one server until its state is good or it fails.
func (r *Router) poll(ctx context.Context, replica Replica, key string, good func(State) bool) (row, bool) {
	conn, err := replica.Open(ctx)
	if err != nil {
		return row{}, false
	}
	defer conn.Close()
	for ctx.Err() == nil {
		if got, ok, err := r.ask(ctx, conn, key, good); ok || err != nil {
			return got, ok
		}
		pause(ctx)
	}
	return row{}, false
}

// ask reads a row if the server's state is good.
func (r *Router) ask(ctx context.Context, conn Conn, key string, good func(State) bool) (got row, ok bool, err error) {
	before, err := conn.State(ctx)
	if err != nil || r.lost(before.Position) || !good(before) {
		return got, false, err
	}
	if got.value, err = conn.Read(ctx, key); err != nil {
		return got, false, err
	}
	after, err := conn.State(ctx) // the server may have gone on, and the row may show it
	got.at = after.Position
	return got, err == nil && !r.lost(got.at), err
}

func pause(ctx context.Context) {
	select {
	case <-time.After(10 * time.Millisecond):
	case <-ctx.Done():
	}
}
