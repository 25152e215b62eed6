package sqlprobe

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
)

// A tx is a transaction that BeginTx began.
type tx struct {
	driver.Tx

	c     *conn
	id    int
	begun string // the caller

	// Guarded by the probe's mu.
	aborted  bool // by an injected error with a SQLSTATE
	byServer bool // the server has aborted it too
}

func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if c.isDead() {
		return nil, driver.ErrBadConn
	}
	var dt driver.Tx
	f, err := c.faultFor(ctx, "BEGIN")
	if err == nil {
		err = c.abide(f, func() (err error) {
			dt, err = begin(ctx, c.dc, opts)
			return err
		})
	}
	if err != nil {
		if dt != nil { // it began, and nobody knows
			err = also(err, dt.Rollback())
		}
		return nil, err
	}
	t := &tx{Tx: dt, c: c, begun: caller()}
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.p.txCount++
	t.id = c.p.txCount
	c.tx, c.last = t, t.begun
	for r := range c.p.recordings {
		r.begun++
	}
	return t, nil
}

// begin does what database/sql does, old drivers included.
func begin(ctx context.Context, dc driver.Conn, opts driver.TxOptions) (driver.Tx, error) {
	if b, ok := dc.(driver.ConnBeginTx); ok {
		return b.BeginTx(ctx, opts)
	}
	if opts.Isolation != driver.IsolationLevel(sql.LevelDefault) {
		return nil, errors.New("sqlprobe: the driver does not support non-default isolation levels")
	}
	if opts.ReadOnly {
		return nil, errors.New("sqlprobe: the driver does not support read-only transactions")
	}
	dt, err := dc.Begin() //nolint:staticcheck // old drivers have no other
	if err == nil && ctx.Err() != nil {
		return nil, errors.Join(ctx.Err(), dt.Rollback())
	}
	return dt, err
}

// Commit ends the transaction. One that is aborted is rolled back, and so is one whose
// commit is broken: to database/sql it is over in any case.
func (t *tx) Commit() error {
	if t.c.isDead() {
		return driver.ErrBadConn
	}
	f, err := t.c.faultFor(context.Background(), "COMMIT")
	committed := false
	if err == nil {
		err = t.c.abide(f, func() error {
			committed = true
			err := t.Tx.Commit()
			t.over() // so that a lost answer finds nothing to roll back
			return err
		})
	}
	if !committed && !t.c.isDead() { // a lost connection is rolled back already
		err = also(err, t.Tx.Rollback())
	}
	t.over()
	return err
}

// Rollback rolls back even where it is broken, and then reports the break.
func (t *tx) Rollback() error {
	if t.c.isDead() {
		return driver.ErrBadConn
	}
	f, err := t.c.faultFor(context.Background(), "ROLLBACK")
	rolled := false
	if err == nil {
		err = t.c.abide(f, func() error {
			rolled = true
			err := t.Tx.Rollback()
			t.over()
			return err
		})
	}
	if !rolled && !t.c.isDead() {
		err = also(err, t.Tx.Rollback())
	}
	t.over()
	return err
}

func (t *tx) over() {
	t.c.p.mu.Lock()
	defer t.c.p.mu.Unlock()
	if t.c.tx == t {
		t.c.tx = nil
	}
}
