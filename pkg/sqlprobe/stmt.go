package sqlprobe

import (
	"context"
	"database/sql/driver"
	"errors"
)

// A stmt is a prepared statement. The text may be run many times.
type stmt struct {
	driver.Stmt

	c    *conn
	text string
}

// A convertingStmt is one of an old driver that converts arguments by column.
type convertingStmt struct {
	*stmt
	driver.ColumnConverter
}

var (
	_ driver.StmtExecContext   = (*stmt)(nil)
	_ driver.StmtQueryContext  = (*stmt)(nil)
	_ driver.NamedValueChecker = (*stmt)(nil)
)

func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if c.isDead() {
		return nil, driver.ErrBadConn
	}
	ds, err := c.prepareOrBreak(ctx, query)
	if err != nil {
		return nil, err
	}
	s := &stmt{Stmt: ds, c: c, text: query}
	if cc, ok := ds.(driver.ColumnConverter); ok { //nolint:staticcheck // old drivers have no other
		return convertingStmt{s, cc}, nil
	}
	return s, nil
}

// prepareOrBreak prepares a statement, or breaks that as an injection says. What is prepared
// only to be run at once breaks when it runs.
func (c *conn) prepareOrBreak(ctx context.Context, query string) (driver.Stmt, error) {
	skipped := c.skipped
	c.skipped = ""
	if _, faults := c.p.wanted(); !faults || skipped == query {
		return prepare(ctx, c.dc, query)
	}
	f, err := c.choose(ctx, query, true)
	if err != nil {
		return nil, err
	}
	var ds driver.Stmt
	prepared := false
	err = c.abide(f, func() (err error) {
		ds, err = prepare(ctx, c.dc, query)
		prepared = err == nil
		return err
	})
	if err != nil && prepared { // nobody knows
		err = also(err, ds.Close())
	}
	return ds, err
}

func prepare(ctx context.Context, dc driver.Conn, query string) (driver.Stmt, error) {
	if p, ok := dc.(driver.ConnPrepareContext); ok {
		return p.PrepareContext(ctx, query)
	}
	ds, err := dc.Prepare(query)
	if err == nil && ctx.Err() != nil {
		return nil, errors.Join(ctx.Err(), ds.Close())
	}
	return ds, err
}

// CheckNamedValue asks whom database/sql would ask: the statement, else the connection.
func (s *stmt) CheckNamedValue(v *driver.NamedValue) error {
	if ch, ok := s.Stmt.(driver.NamedValueChecker); ok {
		return ch.CheckNamedValue(v)
	}
	if ch, ok := s.c.dc.(driver.NamedValueChecker); ok {
		return ch.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	var res driver.Result
	err := s.c.perform(ctx, s.text, args, s.Stmt, func(*call, fault) (err error) {
		if e, ok := s.Stmt.(driver.StmtExecContext); ok {
			res, err = e.ExecContext(ctx, args)
			return err
		}
		values, err := positional(ctx, args)
		if err != nil {
			return err
		}
		res, err = s.Stmt.Exec(values) //nolint:staticcheck // old drivers have no other
		return err
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.c.query(ctx, s.text, args, s.Stmt, func() (driver.Rows, error) {
		if q, ok := s.Stmt.(driver.StmtQueryContext); ok {
			return q.QueryContext(ctx, args)
		}
		values, err := positional(ctx, args)
		if err != nil {
			return nil, err
		}
		return s.Stmt.Query(values) //nolint:staticcheck // old drivers have no other
	})
}
