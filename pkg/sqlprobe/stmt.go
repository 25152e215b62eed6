package sqlprobe

import (
	"context"
	"database/sql/driver"
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
