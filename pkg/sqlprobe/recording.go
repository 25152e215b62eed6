package sqlprobe

import (
	"bytes"
	"database/sql/driver"
	"slices"
)

// A Statement is one that the driver was asked to run.
type Statement struct {
	Query string // as it was sent
	Shape string // see [Shape]
	Args  []driver.NamedValue

	// Caller is the file and line that it came from, or "" if no such code is on the
	// stack.
	Caller string

	Rows int64 // that were returned so far, for a query
	Open bool  // a query whose rows are not closed
	Err  error // of the driver or of an injection

	Conn int // the number of the connection, from 1 on
	Tx   int // the number of the transaction, or 0 outside of one

	// Work is what the meter read, if it could. While rows are open it is not known.
	Work      int64
	WorkKnown bool
}

// A Recording is what ran while the function that was given to [Probe.Record] did. It
// does not change afterwards.
type Recording struct {
	// Statements are in the order in which the driver answered. One that is still under
	// way when the function returns is not among them.
	Statements []Statement

	live  []*call
	calls []otherCall
	begun int // transactions
	taken int // connections
	from  int // the probe's takes at the start
	held  []heldConn
}

// otherCall is one that Probe.Call noted, with the transactions that were open.
type otherCall struct {
	name, caller string
	held         []heldTx
}

type heldTx struct {
	id    int
	begun string
}

// heldConn is a connection that was taken and not returned.
type heldConn struct {
	id   int
	tx   heldTx
	last string // the caller of the last statement, or of BeginTx
}

// Record runs f and returns what went through the probe meanwhile, on any goroutine.
// Recordings may overlap.
func (p *Probe) Record(f func()) *Recording {
	r := &Recording{}
	p.mu.Lock()
	r.from = p.takes
	p.recordings[r] = true
	p.mu.Unlock()
	defer p.finish(r) // f may end by runtime.Goexit, as t.FailNow does
	f()
	return r
}

func (p *Probe) finish(r *Recording) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.recordings, r)
	for _, k := range r.live {
		r.Statements = append(r.Statements, k.s)
	}
	r.live = nil
	r.taken = p.takes - r.from
	for c := range p.conns {
		if c.taken <= r.from {
			continue // in the pool, or taken before
		}
		h := heldConn{id: c.id, last: c.last}
		if c.tx != nil {
			h.tx = heldTx{c.tx.id, c.tx.begun}
		}
		r.held = append(r.held, h)
	}
	slices.SortFunc(r.held, func(a, b heldConn) int { return a.id - b.id })
}

// openTxs lists the transactions that are under way. The caller holds mu.
func (p *Probe) openTxs() []heldTx {
	var open []heldTx
	for c := range p.conns {
		if c.tx != nil {
			open = append(open, heldTx{c.tx.id, c.tx.begun})
		}
	}
	slices.SortFunc(open, func(a, b heldTx) int { return a.id - b.id })
	return open
}

// A call is a statement that is being run. All methods take a nil one, of which
// nothing is recorded.
type call struct {
	c  *conn
	ds driver.Stmt // nil if it is not a prepared one
	at int64       // what the meter read before

	s Statement // guarded by the probe's mu
}

func (c *conn) newCall(query string, args []driver.NamedValue, ds driver.Stmt) *call {
	k := &call{c: c, ds: ds}
	k.s = Statement{Query: query, Shape: c.p.shape(query), Args: copied(args), Caller: caller(), Conn: c.id}
	if c.p.meter != nil && ds != nil {
		k.at, _ = c.p.meter(ds)
	}
	return k
}

// copied keeps arguments as they are now: bytes may be the caller's buffer.
func copied(args []driver.NamedValue) []driver.NamedValue {
	args = slices.Clone(args)
	for i := range args {
		if b, ok := args[i].Value.([]byte); ok {
			args[i].Value = bytes.Clone(b)
		}
	}
	return args
}

// opened notes that rows are there to be read.
func (k *call) opened() {
	if k != nil {
		k.s.Open = true // nobody else knows of the call yet
	}
}

// record notes that the driver has answered.
func (k *call) record(err error) {
	if k == nil {
		return
	}
	work, known := int64(0), false
	if err != nil || !k.s.Open {
		work, known = k.read()
	}
	p := k.c.p
	p.mu.Lock()
	defer p.mu.Unlock()
	k.s.Err = err
	k.s.Work, k.s.WorkKnown = work, known
	if k.c.tx != nil {
		k.s.Tx = k.c.tx.id
	}
	k.c.last = k.s.Caller
	for r := range p.recordings {
		r.live = append(r.live, k)
	}
}

// read returns the work since the statement was started.
func (k *call) read() (int64, bool) {
	if k == nil || k.ds == nil || k.c.p.meter == nil {
		return 0, false
	}
	now, known := k.c.p.meter(k.ds)
	return now - k.at, known
}

// returned notes one more row.
func (k *call) returned() {
	if k == nil {
		return
	}
	k.c.p.mu.Lock()
	defer k.c.p.mu.Unlock()
	k.s.Rows++
}

// closed notes that the rows are closed.
func (k *call) closed(work int64, known bool) {
	if k == nil {
		return
	}
	k.c.p.mu.Lock()
	defer k.c.p.mu.Unlock()
	if k.s.Open {
		k.s.Open = false
		k.s.Work, k.s.WorkKnown = work, known
	}
}
