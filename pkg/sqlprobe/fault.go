package sqlprobe

import (
	"context"
	"database/sql/driver"
	"errors"
	"regexp"
	"time"
)

// Errors that do more than to be returned when they are a [Fault]'s Err.
var (
	// ErrConnectionLost loses the connection before the statement runs. Its transaction
	// is rolled back, and the connection is not used again. database/sql does not try
	// the statement again on another one, as it does for driver.ErrBadConn, which loses it
	// too. To lose it with an error of the driver's, inject errors.Join of the two.
	ErrConnectionLost = errors.New("sqlprobe: the connection was lost")

	// ErrAnswerLost loses the connection after the statement has run: the caller cannot
	// know that it did. If it is COMMIT, the transaction is committed.
	ErrAnswerLost = errors.New("sqlprobe: the connection was lost after the statement had run")

	// ErrSerialization is the failure of a transaction that could not be put in an order
	// with others. It has the SQLSTATE 40001, which errors.As finds as an
	// interface{ SQLState() string }, and aborts the transaction; see [Fault]. On a real
	// PostgreSQL errors.As finds the driver's own type too, such as *pgconn.PgError.
	ErrSerialization error = serialization
)

// A Fault says which statements to break, and how.
//
// An error with a SQLSTATE aborts the transaction that it is injected into, as in PostgreSQL,
// whatever the database. Every later statement fails with 25P02 until ROLLBACK or ROLLBACK TO
// SAVEPOINT, and so does Prepare. Other faults do not meet them. Commit rolls back and
// returns an error. An error has a SQLSTATE if errors.As finds a method SQLState() string
// in it, as in *pgconn.PgError and *pq.Error; the methods Get and Field by which other
// drivers tell it count too.
//
// Any other error aborts nothing, as in SQLite, where a statement fails alone. Join an error
// that ends the connection with [ErrConnectionLost].
type Fault struct {
	// Pattern is a regular expression that has to be found in a statement's [Shape],
	// whatever the case of letters. BEGIN, COMMIT and ROLLBACK stand for the calls that
	// begin and end a transaction, and PREPARE with a shape after it for the call that
	// prepares a statement. A pattern that fits the shape alone, as the empty one does, means
	// the statement when it runs, and not when it is prepared.
	Pattern string

	// Skip is how many statements that fit go through first.
	Skip int

	// Times is how many are broken then. Zero means all.
	Times int

	// Latency goes by before the statement runs or fails; in a bubble it is virtual.
	// If the statement's context ends first, it does not run.
	Latency time.Duration

	// Before is called when the latency has gone by, on the goroutine that runs the statement
	// and with no lock of the probe's held, if it is not nil. What it gets is the statement's
	// [Shape], or BEGIN, COMMIT or ROLLBACK. It is where a test lets others go first, as at a
	// Point of package interleave.
	Before func(shape string)

	// Err is returned, as it is or so that errors.Is and errors.As find it. The statement
	// does not run, unless Err is [ErrAnswerLost]. With nil the statement is only slow, or is
	// only waited for.
	Err error

	// AfterRows lets a query run and return so many rows before Err, which Rows.Err has
	// then; [BeforeFirstRow] is none of them. Zero is no such thing: the query itself fails.
	// It means nothing to a statement without rows, which runs.
	AfterRows int64
}

// BeforeFirstRow is AfterRows for a query that begins well, and fails in place of its first
// row. A driver that does not wait for the answer has only that way to fail.
const BeforeFirstRow = -1

// An Injection is a fault in force. Of several that fit a statement the first counts.
type Injection struct {
	p       *Probe
	fault   Fault
	pattern *regexp.Regexp

	seen, fired int // guarded by the probe's mu
}

// Inject puts a fault in force. It panics if the pattern is not a regular expression.
func (p *Probe) Inject(f Fault) *Injection {
	i := &Injection{p: p, fault: f, pattern: regexp.MustCompile("(?i)" + f.Pattern)}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.injections = append(p.injections, i)
	return i
}

// Fired returns how many statements it has broken. A test whose fault never fired has
// tested nothing.
func (i *Injection) Fired() int {
	i.p.mu.Lock()
	defer i.p.mu.Unlock()
	return i.fired
}

// Remove ends it.
func (i *Injection) Remove() {
	i.p.mu.Lock()
	defer i.p.mu.Unlock()
	for n, other := range i.p.injections {
		if other == i {
			i.p.injections = append(i.p.injections[:n:n], i.p.injections[n+1:]...)
			return
		}
	}
}

// A fault is what becomes of one statement: an error, or none. Its latency has gone by.
type fault struct {
	text string
	err  error
	rows int64 // AfterRows
}

// amid reports whether the error comes when the statement has begun.
func (f fault) amid() bool { return f.err != nil && f.rows != 0 }

// faultFor finds the fault of a statement that is about to run, and lets its latency go
// by. The error is that of a context that ended meanwhile, or of a transaction that
// is aborted. A server that has aborted it gives the error itself.
func (c *conn) faultFor(ctx context.Context, text string) (fault, error) {
	if f := c.pending; f != nil {
		c.pending = nil
		if f.text == text {
			return *f, nil
		}
	}
	return c.choose(ctx, text, false)
}

// choose is faultFor without what is pending; preparing is about the statement's Prepare.
func (c *conn) choose(ctx context.Context, text string, preparing bool) (fault, error) {
	shape := c.p.shape(text)
	c.p.mu.Lock()
	if refused, err := c.refused(shape); refused {
		c.p.mu.Unlock()
		return fault{text: text}, err
	}
	var chosen *Injection
	for _, i := range c.p.injections {
		if i.fits(shape, preparing) && chosen == nil {
			chosen = i
			i.fired++
		}
	}
	c.p.mu.Unlock()
	if chosen == nil {
		return fault{text: text}, nil
	}
	if d := chosen.fault.Latency; d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return fault{}, ctx.Err()
		}
	}
	if before := chosen.fault.Before; before != nil {
		before(shape)
	}
	return fault{text: text, err: chosen.fault.Err, rows: chosen.fault.AfterRows}, nil
}

// fits counts a statement that fits, and reports whether it is one to break. The
// caller holds mu.
func (i *Injection) fits(shape string, preparing bool) bool {
	if i.pattern.MatchString(shape) == preparing {
		return false
	}
	if preparing && !i.pattern.MatchString("PREPARE "+shape) {
		return false
	}
	i.seen++
	n := i.seen - i.fault.Skip
	return n > 0 && (i.fault.Times == 0 || n <= i.fault.Times)
}

// abide runs a statement as its fault says.
func (c *conn) abide(f fault, run func() error) error {
	if f.err == nil || f.amid() {
		return run()
	}
	if errors.Is(f.err, ErrAnswerLost) {
		if err := run(); err != nil {
			return err
		}
	}
	return c.strike(f.err)
}

// strike does what comes with an error, and returns it.
func (c *conn) strike(err error) error {
	switch {
	case errors.Is(err, ErrAnswerLost), errors.Is(err, ErrConnectionLost), errors.Is(err, driver.ErrBadConn):
		c.lose()
	case sqlState(err) != "":
		return c.abort(err)
	}
	return err
}

// lose makes the connection useless. The server rolls back what was under way.
func (c *conn) lose() {
	c.p.mu.Lock()
	c.dead = true
	open := c.tx
	c.tx = nil
	c.p.mu.Unlock()
	if open != nil {
		_ = open.Tx.Rollback() // the caller hears that the connection is lost, not of this
	}
}
