// Package sqlite gives a [sqlprobe.Probe] for SQLite, by way of
// github.com/ncruces/go-sqlite3, that knows the work of every statement: the steps of
// SQLite's virtual machine.
//
// A step is one instruction of the program that a statement is compiled to: to move a
// cursor, to read a column, to compare. It is exact and the same on every run, whatever
// the machine does meanwhile, and it grows with the rows that are read rather than with
// those that are returned.
//
// # Limits
//
// An instruction that does much is one step: count(*) over a table without a WHERE
// counts its pages in one, and a value is one whether it is short or a megabyte. To
// find a row in an index of any size is a few steps. Steps change with the version of
// SQLite, so compare them with each other rather than with a number. A text of several
// statements is run without being prepared, and its work is not known.
package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"

	"github.com/ncruces/go-sqlite3"
	sqlite3driver "github.com/ncruces/go-sqlite3/driver"
	_ "github.com/ncruces/go-sqlite3/vfs/memdb" // databases in memory that several connections share

	"github.com/backend-kata/dojo/pkg/sqlprobe"
)

// New returns a probe for the database that name means to the driver, such as
// "file:/shop?vfs=memdb", which lives in memory while a connection to it is open. The
// probe keeps one of its own from the first on until the [sql.DB] is closed, so that the
// database outlives a fault that loses a connection. What is given as setup runs on every
// new connection but that one.
func New(name string, setup ...func(*sqlite3.Conn) error) (*sqlprobe.Probe, error) {
	c, err := (&sqlite3driver.SQLite{}).OpenConnector(name)
	if err != nil {
		return nil, err
	}
	return sqlprobe.New(&connector{Connector: c, setup: setup}, Steps), nil
}

// Steps is a [sqlprobe.Meter]: the steps that a prepared statement of the driver has
// taken in its life.
func Steps(s driver.Stmt) (int64, bool) {
	status, ok := s.(interface {
		Status(op sqlite3.StmtStatus, reset bool) int
	})
	if !ok {
		return 0, false
	}
	return int64(status.Status(sqlite3.STMTSTATUS_VM_STEP, false)), true
}

// MaxParameters is a setup that lowers how many parameters a statement may have, from
// SQLite's 32,766. Other databases have limits of their own: PostgreSQL's is 65,535.
func MaxParameters(n int) func(*sqlite3.Conn) error {
	return func(c *sqlite3.Conn) error {
		c.Limit(sqlite3.LIMIT_VARIABLE_NUMBER, n)
		return nil
	}
}

type connector struct {
	driver.Connector

	setup []func(*sqlite3.Conn) error

	mu     sync.Mutex
	keeper driver.Conn // it keeps the database alive
}

// keep opens the connection that nobody uses.
func (c *connector) keep(ctx context.Context) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keeper == nil {
		c.keeper, err = c.Connector.Connect(ctx)
	}
	return err
}

// Close is called when the [sql.DB] is closed.
func (c *connector) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keeper == nil {
		return nil
	}
	keeper := c.keeper
	c.keeper = nil
	return keeper.Close()
}

func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := c.keep(ctx); err != nil {
		return nil, err
	}
	dc, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	own, ok := dc.(sqlite3driver.Conn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("sqlite: the driver's connection is a %T", dc), dc.Close())
	}
	for _, setup := range c.setup {
		if err := setup(own.Raw()); err != nil {
			return nil, errors.Join(err, dc.Close())
		}
	}
	return dc, nil
}
