package sqlprobe

import (
	"context"
	"database/sql/driver"
	"errors"
)

// A conn passes on what the driver's connection can do. Where it cannot, conn answers
// so that database/sql does what it would without the probe: ErrSkip, nil or true.
type conn struct {
	p  *Probe
	dc driver.Conn
	id int

	// Guarded by the probe's mu.
	taken int // the number of the take, or 0 while the connection is in the pool
	last  string
	tx    *tx
	dead  bool

	// pending is the fault of a statement that the driver did not want to run
	// directly, for the prepared one that follows. Owned by whoever holds the connection.
	pending *fault

	// skipped is the text of a statement that is going to be prepared only because it is not
	// run directly. Owned likewise.
	skipped string
}

var (
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.SessionResetter    = (*conn)(nil)
	_ driver.Validator          = (*conn)(nil)
)

// take notes that somebody has the connection now. The caller holds mu.
func (c *conn) take() {
	c.p.takes++
	c.taken = c.p.takes
	c.last = ""
}

// ResetSession is called when the pool hands out a connection again.
func (c *conn) ResetSession(ctx context.Context) error {
	if c.isDead() {
		return driver.ErrBadConn
	}
	if r, ok := c.dc.(driver.SessionResetter); ok {
		if err := r.ResetSession(ctx); err != nil {
			return err
		}
	}
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.take()
	return nil
}

// IsValid is called when a connection comes back to the pool.
func (c *conn) IsValid() bool {
	c.p.mu.Lock()
	c.taken = 0
	dead := c.dead
	c.p.mu.Unlock()
	if v, ok := c.dc.(driver.Validator); ok {
		return v.IsValid() && !dead
	}
	return !dead
}

func (c *conn) Close() error {
	c.p.mu.Lock()
	c.taken = 0
	delete(c.p.conns, c)
	c.p.mu.Unlock()
	return c.dc.Close()
}

func (c *conn) Ping(ctx context.Context) error {
	if c.isDead() {
		return driver.ErrBadConn
	}
	if p, ok := c.dc.(driver.Pinger); ok {
		return p.Ping(ctx)
	}
	return nil
}

func (c *conn) isDead() bool {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return c.dead
}

// CheckNamedValue checks the arguments of a statement that is run directly. If none
// is going to be, they pass: the prepared statement checks them.
func (c *conn) CheckNamedValue(v *driver.NamedValue) error {
	if c.p.meter != nil || !c.direct() {
		return nil
	}
	if ch, ok := c.dc.(driver.NamedValueChecker); ok {
		return ch.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// direct reports whether the driver can run statements without preparing them.
func (c *conn) direct() bool {
	switch c.dc.(type) {
	case driver.ExecerContext, driver.QueryerContext,
		driver.Execer, driver.Queryer: //nolint:staticcheck // old drivers have no other
		return true
	}
	return false
}

// skip has database/sql prepare a statement, and run that.
func (c *conn) skip(query string) error {
	c.skipped = query
	return driver.ErrSkip
}

// prefersPrepared reports whether a statement is to be prepared so that its work can
// be read. A text of several statements cannot be.
func (c *conn) prefersPrepared(query string, args []driver.NamedValue) bool {
	return c.p.meter != nil && (len(args) > 0 || isSingle(query))
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if c.prefersPrepared(query, args) {
		return nil, c.skip(query)
	}
	var run func() (driver.Result, error)
	switch e := c.dc.(type) {
	case driver.ExecerContext:
		run = func() (driver.Result, error) { return e.ExecContext(ctx, query, args) }
	case driver.Execer: //nolint:staticcheck // old drivers have no other
		run = func() (driver.Result, error) {
			values, err := positional(ctx, args)
			if err != nil {
				return nil, err
			}
			return e.Exec(query, values)
		}
	default:
		return nil, c.skip(query)
	}
	var res driver.Result
	err := c.perform(ctx, query, args, nil, func(*call, fault) (err error) {
		res, err = run()
		return err
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if c.prefersPrepared(query, args) {
		return nil, c.skip(query)
	}
	var run func() (driver.Rows, error)
	switch q := c.dc.(type) {
	case driver.QueryerContext:
		run = func() (driver.Rows, error) { return q.QueryContext(ctx, query, args) }
	case driver.Queryer: //nolint:staticcheck // old drivers have no other
		run = func() (driver.Rows, error) {
			values, err := positional(ctx, args)
			if err != nil {
				return nil, err
			}
			return q.Query(query, values)
		}
	default:
		return nil, c.skip(query)
	}
	return c.query(ctx, query, args, nil, run)
}

// query performs a statement that returns rows.
func (c *conn) query(ctx context.Context, query string, args []driver.NamedValue, ds driver.Stmt, run func() (driver.Rows, error)) (driver.Rows, error) {
	var got *rows
	err := c.perform(ctx, query, args, ds, func(k *call, f fault) error {
		dr, err := run()
		if err != nil {
			return err
		}
		got = &rows{Rows: dr, c: c, call: k, fault: f}
		k.opened()
		return nil
	})
	if err != nil {
		if got != nil { // it ran, and its answer is lost
			err = also(err, got.Close())
		}
		return nil, err
	}
	return got, nil
}

// perform runs a statement, or breaks it as an injection says, and keeps book.
// ErrSkip leaves no trace but the
// pending fault. The call is nil if nothing is recorded.
func (c *conn) perform(ctx context.Context, query string, args []driver.NamedValue, ds driver.Stmt, run func(*call, fault) error) error {
	if c.isDead() {
		return driver.ErrBadConn
	}
	recording, faults := c.p.wanted()
	var f fault
	var err error
	if faults {
		f, err = c.faultFor(ctx, query)
	}
	var k *call
	if recording {
		k = c.newCall(query, args, ds)
	}
	if err == nil {
		err = c.abide(f, func() error { return run(k, f) })
	}
	if errors.Is(err, driver.ErrSkip) {
		c.pending = &f
		return c.skip(query)
	}
	if err == nil && faults {
		c.revive(query)
	}
	k.record(err)
	return err
}

// positional gives an old driver what it takes: values without names.
func positional(ctx context.Context, named []driver.NamedValue) ([]driver.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	values := make([]driver.Value, len(named))
	for i, v := range named {
		if v.Name != "" {
			return nil, errors.New("sqlprobe: the driver does not support named parameters")
		}
		values[i] = v.Value
	}
	return values, nil
}
