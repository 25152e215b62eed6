//go:build solutions

// The connection pool of the kata connpool beside two well-kept libraries:
//
//	make bench
//
// or, in this folder, GOWORK=off go test -tags solutions -run Connpool -bench Connpool -benchmem .
package bench_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"

	"github.com/jackc/puddle/v2"

	"github.com/backend-kata/dojo/solutions/connpool"
)

const connections = 4

// A poolUse borrows a connection and gives it back.
type poolUse func(ctx context.Context) error

var pools = []struct {
	name string
	make func(tb testing.TB) poolUse
}{
	{"dojo", func(tb testing.TB) poolUse {
		tb.Helper()
		pool := connpool.New(connpool.Config{
			Dial: func(context.Context) (connpool.Conn, error) { return &idleConn{}, nil },
			Max:  connections, MaxIdle: connections, Random: func() float64 { return 0 },
		})
		tb.Cleanup(func() { _ = pool.Close(context.Background()) })
		return func(ctx context.Context) error {
			c, err := pool.Get(ctx)
			if err != nil {
				return err
			}
			return pool.Put(c)
		}
	}},
	{"puddle", func(tb testing.TB) poolUse {
		tb.Helper()
		pool, err := puddle.NewPool(&puddle.Config[*idleConn]{
			Constructor: func(context.Context) (*idleConn, error) { return &idleConn{}, nil },
			Destructor:  func(*idleConn) {}, MaxSize: connections,
		})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(pool.Close)
		return func(ctx context.Context) error {
			r, err := pool.Acquire(ctx)
			if err != nil {
				return err
			}
			r.Release()
			return nil
		}
	}},
	{"database-sql", func(tb testing.TB) poolUse {
		tb.Helper()
		db := sql.OpenDB(idleConnector{})
		db.SetMaxOpenConns(connections)
		db.SetMaxIdleConns(connections)
		tb.Cleanup(func() { _ = db.Close() })
		return func(ctx context.Context) error {
			c, err := db.Conn(ctx)
			if err != nil {
				return err
			}
			return c.Close()
		}
	}},
}

// An idleConn is a connection to nothing, for all three. It has a size, or the pointers to two of them might be equal.
type idleConn struct{ _ byte }

func (*idleConn) Reset() error              { return nil }
func (*idleConn) Close() error              { return nil }
func (*idleConn) Begin() (driver.Tx, error) { return nil, errIdle }

func (*idleConn) Prepare(string) (driver.Stmt, error) { return nil, errIdle }

var errIdle = errors.New("nothing is asked of this connection")

type idleConnector struct{}

func (idleConnector) Connect(context.Context) (driver.Conn, error) { return &idleConn{}, nil }
func (idleConnector) Driver() driver.Driver                        { return nil }

// Each pool lends what it has, and a caller who finds nothing waits.
func TestConnpool(t *testing.T) {
	for _, p := range pools {
		use := p.make(t)
		done := make(chan error)
		for range 4 * connections {
			go func() { done <- use(context.Background()) }()
		}
		for range 4 * connections {
			if err := <-done; err != nil {
				t.Errorf("%s: %v", p.name, err)
			}
		}
	}
}

func BenchmarkConnpool(b *testing.B) {
	for _, p := range pools {
		b.Run(p.name+"/alone", func(b *testing.B) {
			use := p.make(b)
			for b.Loop() {
				if err := use(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(p.name+"/more callers than connections", func(b *testing.B) {
			use := p.make(b)
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := use(context.Background()); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
