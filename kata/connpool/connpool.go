//go:build !solutions

// Package connpool is the kata "What is connection pooling?". README.md in this folder is the contract.
package connpool

import (
	"context"
	"errors"
	"time"

	// The standard library's sync, with points at which the steps let another caller go first. Plain "sync" is as right.
	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// The errors of a Pool, and of a connection.
var (
	ErrBadConn = errors.New("the connection is bad, and nothing was sent")
	ErrNotLent = errors.New("the connection is not lent out")
	ErrClosed  = errors.New("the pool is closed")
)

// A Conn is a connection. It can be compared with ==, and its methods do not panic.
type Conn interface {
	Reset() error // clears what its user left behind, such as an open transaction
	Close() error // its error does not matter
}

// Config says what a Pool may do. Its functions do not panic, and they are safe for concurrent use.
type Config struct {
	Dial     func(ctx context.Context) (Conn, error)
	Max      int            // connections that may be open; at least 1
	MaxIdle  int            // connections that may be idle; 0: none
	IdleTime time.Duration  // how long one may be idle; 0: for ever
	Lifetime time.Duration  // how long one may live; 0: for ever
	Random   func() float64 // from 0 to 1, 1 not included
}

// A Pool lends connections out.
type Pool struct {
	mu sync.Mutex // yours to use or to replace
}

// New returns a Pool without connections.
func New(c Config) *Pool { return &Pool{} }

// Get lends a connection out.
func (p *Pool) Get(ctx context.Context) (Conn, error) {
	var c Conn
	return c, nil
}

// Put gives a connection back.
func (p *Pool) Put(c Conn) error { return nil }

// Do calls f with a connection.
func (p *Pool) Do(ctx context.Context, f func(ctx context.Context, c Conn) error) error { return nil }

// Close ends the pool.
func (p *Pool) Close(ctx context.Context) error { return nil }
