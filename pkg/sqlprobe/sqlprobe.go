// Package sqlprobe shows a test what its code asks of a database, and breaks the
// database on demand.
//
// Code that reads a list and then asks once more for each entry returns the right
// answer, so no test of the answer fails. Nor does one when a query reads the whole
// table, when rows stay open, or when a transaction waits for a payment service.
// What gives them away is how often, how, and when the database was asked. A [Probe]
// sits between database/sql and a driver and knows:
//
//	probe, err := sqlite.New("file:/shop?vfs=memdb") // package sqlprobe/sqlite
//	db := sql.OpenDB(probe)
//	...
//	rec := probe.Record(func() { list, err = orders.List(ctx, db) })
//	sqlprobe.Require(t, rec.CheckCount(2))
//
//	11 statements ran, and 2 were expected
//
//	   1   orders.go:31  10 rows   work 62  SELECT id, customer FROM orders ORDER BY id
//	  10×  orders.go:44  30 rows  work 249  SELECT sku FROM lines WHERE order_id = ?
//	                                        with (1), (2), (3), … (10)
//
// A [Recording] is what ran in one region of a test. Its checks, and those of a
// [Plan], are plain functions that return an error; [Require] fails a test with one.
// An [Injection] makes chosen statements slow, fail, lose their connection or their
// answer, or fail to serialize.
//
// The nearest peers are github.com/ngrok/sqlmw, which hands each driver call to
// functions of your own, and github.com/DATA-DOG/go-sqlmock, which replaces the
// database instead of watching it. Neither counts, groups or reads plans.
//
// # How it is decided
//
// A statement is one that the driver was asked to run: a query or an exec, through a
// prepared statement or not. To prepare one, to begin, to commit and to roll back are
// not counted, and one that cannot be prepared has not run. Two statements are alike if
// they have the same [Shape] and come from the same line.
//
// The line is the first one of the test's own module: not that of an ORM, which asks
// for all. In a program whose module is not known, it is the first one outside
// database/sql and this package. If all queries go through a helper of your own, it is
// the helper's.
//
// Work is what a [Meter] reads from the driver, such as the steps of SQLite's virtual
// machine (package sqlprobe/sqlite). Without a meter, or for a statement that it
// cannot measure, the work is not known, and every check on work fails and says so. A
// count of rows would not do: OFFSET 100000 LIMIT 10 returns ten. For PostgreSQL
// [ExplainPostgres] has the rows and buffers of one statement.
//
// An injected error with a SQLSTATE aborts its transaction, as in PostgreSQL: code that goes
// on as if one statement had failed gets 25P02 from the next, and an error from Commit. If the
// server is PostgreSQL, the probe has it raise an error with that SQLSTATE, so the
// transaction is really aborted, and all later errors are the driver's own, such as
// *pgconn.PgError and pgx.ErrTxCommitRollback. For any other database the probe refuses the
// statements itself, with errors of its own that have the method SQLState. See [Fault].
//
// A check that would hold because nothing happened fails. If no statement ran, none
// was repeated either, but the code under test has most likely not run, or not
// through the probe.
//
// # What is passed on
//
// Whatever a driver can do as of Go 1.26 is passed on: contexts, named arguments,
// the driver's own types of arguments, isolation levels, sessions that are reset,
// several result sets, types of columns. What a driver cannot do looks to database/sql
// as it would without the probe. With a meter, a single statement always goes through
// a prepared one, as only there work can be read.
//
// # Limits
//
// [database/sql.Conn.Raw] gets the probe's connection; [Unwrap] gives the driver's.
// A driver that takes its own types of arguments in one of Query and Exec, has no
// checker for its connection and cannot do the other directly, gets those types
// converted. What a driver does past database/sql, such as to copy rows in bulk, is not
// seen. The RowsColumnScanner that Go 1.27 adds is not passed on: rows go through Next.
//
// Whether a connection is back is learnt from database/sql's calls to the driver. One
// that a context's end returns comes back on a goroutine of its own, soon after.
//
// A transaction is one of [database/sql.DB.BeginTx]. A BEGIN that is sent as text is a
// statement like any other, and only a PostgreSQL server aborts what it began. If the probe
// refuses the statements of an aborted transaction, it refuses a COMMIT that is sent as
// text too, where PostgreSQL rolls back and says so only in its tag.
//
// PostgreSQL is known by its answer to a DO statement, which the probe sends when it
// injects an error with a SQLSTATE; the server's log and the driver's tracer show it. While
// other rows are open on the connection, or if the driver cannot run a statement without preparing
// it, there is no such answer, and the errors are the probe's. The errors of MySQL's driver
// have no method SQLState and abort nothing. What PostgreSQL does besides, such as to end the
// connection after 57P01, or what a driver does when a context ends, the test has to say:
// see [ErrConnectionLost].
//
// A recorded statement costs some microseconds more, most of them to find the line, and
// one that is not recorded costs less than one more (BenchmarkOverhead).
//
// A recording sees all that goes through the probe while its function runs,
// whichever goroutine asks. The probe has a lock, and a lock orders the goroutines
// that take it: a race detector may miss a data race that it would find without.
package sqlprobe

import (
	"context"
	"database/sql/driver"
	"io"
	"sync"
)

// A Meter reads how much work a driver's prepared statement has done since it was
// prepared. It returns false if it cannot tell, as for a statement of another
// driver. It is called by whoever holds the connection.
type Meter func(driver.Stmt) (work int64, known bool)

// A Probe is a [driver.Connector] that passes all on to another and keeps book. Give it
// to [database/sql.OpenDB]. It is safe for concurrent use.
type Probe struct {
	connector driver.Connector
	meter     Meter

	mu         sync.Mutex // guards what follows, and the fields of conn, tx and call that say so
	conns      map[*conn]bool
	connCount  int
	txCount    int
	takes      int // how often a connection was taken from the pool
	recordings map[*Recording]bool
	injections []*Injection
	faulty     bool // there was an injection, so a transaction may be aborted
	shapes     map[string]string
}

// New returns a probe around a connector. The meter may be nil: work is not known then.
func New(c driver.Connector, m Meter) *Probe {
	return &Probe{
		connector: c, meter: m,
		conns: map[*conn]bool{}, recordings: map[*Recording]bool{}, shapes: map[string]string{},
	}
}

// Connect opens a connection. It is for database/sql.
func (p *Probe) Connect(ctx context.Context) (driver.Conn, error) {
	dc, err := p.connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.connCount++
	c := &conn{p: p, dc: dc, id: p.connCount}
	p.conns[c] = true
	c.take()
	return c, nil
}

// Driver returns the driver of the connector within.
func (p *Probe) Driver() driver.Driver { return p.connector.Driver() }

// Close closes the connector within if it can be closed. It is for database/sql.
func (p *Probe) Close() error {
	if c, ok := p.connector.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Call notes that the code under test calls something other than the database: put it
// into the fake of the payment service. See [Recording.CheckNoTxAcrossCalls].
func (p *Probe) Call(name string) {
	at := caller()
	p.mu.Lock()
	defer p.mu.Unlock()
	held := p.openTxs()
	for r := range p.recordings {
		r.calls = append(r.calls, otherCall{name: name, caller: at, held: held})
	}
}

// Unwrap returns the driver's own connection, where x is what [database/sql.Conn.Raw]
// hands out on a database that is opened through a probe. It returns anything else as it is.
func Unwrap(x any) any {
	if c, ok := x.(*conn); ok {
		return c.dc
	}
	return x
}

// shape is Shape, remembered. It takes mu.
func (p *Probe) shape(query string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.shapes[query]
	if !ok {
		if len(p.shapes) == 1000 { // texts with values in them have no end
			clear(p.shapes)
		}
		s = Shape(query)
		p.shapes[query] = s
	}
	return s
}

// wanted reports whether anybody wants to know of statements, or to break them.
func (p *Probe) wanted() (recording, faults bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faulty = p.faulty || len(p.injections) > 0
	return len(p.recordings) > 0, p.faulty
}
