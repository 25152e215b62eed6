//go:build !solutions

// Package replicalag is the kata "How do you handle replication lag?". README.md in this folder is the contract.
package replicalag

import (
	"context"
	"errors"
	"time"

	// The standard library's sync, with points at which the steps let another caller go first. Plain "sync" is as right.
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
	mu sync.Mutex // yours to use or to replace
}

// New returns a Router.
func New(c Config) *Router { return &Router{} }

// Write writes a row.
func (r *Router) Write(ctx context.Context, key, value string) (token string, err error) {
	return "", nil
}

// Read reads a row.
func (r *Router) Read(ctx context.Context, key string, w Want) (Answer, error) { return Answer{}, nil }

// Merge returns a token for all that two tokens stand for.
func (r *Router) Merge(a, b string) (string, error) { return "", nil }
