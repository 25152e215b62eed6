package sqlprobe

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
)

// PostgreSQL aborts a transaction at its first error. The server below may not be PostgreSQL,
// and if it is, it has not seen the error. So the probe asks it to raise one like it. PostgreSQL
// does, and from then on its answers are the real ones, in the driver's own types. For any other
// server the probe gives PostgreSQL's answers itself.

var (
	serialization = stateError{"40001", "could not serialize access due to concurrent update"}

	errAborted = stateError{"25P02", "current transaction is aborted, commands ignored until end of transaction block"}

	// errRolledBack has no SQLSTATE: to PostgreSQL such a COMMIT is a success with the tag
	// ROLLBACK, and the drivers for Go make an error of their own of it.
	errRolledBack = errors.New("sqlprobe: commit unexpectedly resulted in rollback")
)

type stateError struct{ state, text string }

func (e stateError) Error() string    { return fmt.Sprintf("sqlprobe: %s (SQLSTATE %s)", e.text, e.state) }
func (e stateError) SQLState() string { return e.state }

// A raisedError is an error of this package that the server has raised: errors.Is finds the one,
// and errors.As the driver's.
type raisedError struct{ ours, drivers error }

func (e raisedError) Error() string   { return e.drivers.Error() }
func (e raisedError) Unwrap() []error { return []error{e.ours, e.drivers} }

// sqlState returns the SQLSTATE of an error, or "" if it has none.
func sqlState(err error) string {
	var s interface{ SQLState() string } // jackc/pgx, and lib/pq since 1.10.1
	if errors.As(err, &s) {
		return s.SQLState()
	}
	var g interface{ Get(k byte) string } // lib/pq before
	if errors.As(err, &g) {
		return g.Get('C')
	}
	var f interface{ Field(k byte) string } // uptrace/bun's pgdriver
	if errors.As(err, &f) {
		return f.Field('C')
	}
	return ""
}

// abort aborts the transaction with an error that has a SQLSTATE, and returns the error that
// the statement fails with. The server is asked outside of a transaction too: the probe
// does not see one that was begun by a statement, and the error may be one to be raised.
func (c *conn) abort(err error) error {
	state := sqlState(err)
	raised := c.raise(state)
	c.p.mu.Lock()
	if c.tx != nil {
		c.tx.aborted, c.tx.byServer = true, sqlState(raised) != ""
	}
	c.p.mu.Unlock()
	if errors.Is(err, ErrSerialization) && sqlState(raised) == state {
		return raisedError{err, raised}
	}
	return err
}

// raise returns the server's error with a SQLSTATE. What is sent is SQL to PostgreSQL only:
// another server refuses the text, and nothing has happened. No context is passed, as one that
// ends would cost the connection.
func (c *conn) raise(state string) error {
	e, ok := c.dc.(driver.ExecerContext)
	if !ok {
		return nil
	}
	text := "broken by sqlprobe"
	if state == serialization.state {
		text = serialization.text
	}
	_, err := e.ExecContext(context.Background(), fmt.Sprintf(
		"DO $sqlprobe$BEGIN RAISE EXCEPTION USING ERRCODE = '%s', MESSAGE = '%s'; END$sqlprobe$", state, text), nil)
	return err
}

// refused reports whether the transaction is aborted and the statement does not end that. The
// error is nil if the server gives it. The caller holds mu.
func (c *conn) refused(shape string) (bool, error) {
	switch {
	case c.tx == nil || !c.tx.aborted || rollsBack(shape):
		return false, nil
	case c.tx.byServer:
		return true, nil
	case strings.EqualFold(shape, "COMMIT"):
		return true, errRolledBack
	}
	return true, errAborted
}

// revive notes that a statement has run: ROLLBACK TO SAVEPOINT ends that a transaction is aborted.
func (c *conn) revive(query string) {
	shape := c.p.shape(query)
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if c.tx != nil && rollsBack(shape) {
		c.tx.aborted = false
	}
}

func rollsBack(shape string) bool {
	word, _, _ := strings.Cut(shape, " ")
	return strings.EqualFold(word, "ROLLBACK")
}

// also adds what went wrong after an error. If nothing did, the error stays what it is.
func also(err, after error) error {
	if after == nil {
		return err
	}
	return errors.Join(err, after)
}
