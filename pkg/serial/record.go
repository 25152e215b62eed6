package serial

import (
	"slices"
	"strconv"
	"sync"
)

// A History is what transactions did, in the order in which they began. It is plain data:
// write it by hand, or let a [Recorder] do it. The zero value is a history of nothing.
type History []Txn

// A Txn is one transaction of a history.
type Txn struct {
	Name    string  // for the failure text; "T1", "T2", … by position if empty
	Session int     // of the client whose transactions come one after the other; 0 is none
	Outcome Outcome // as the client knows it
	Ops     []Op    // in the order in which the client did them
}

// An Outcome says how a transaction ended. The zero value is Unknown, which claims least.
type Outcome int

// The outcomes of a transaction.
const (
	Unknown   Outcome = iota // never ended, or the answer to its commit was lost: it may have happened or not
	Committed                // it happened
	Aborted                  // nobody should ever see what it wrote
)

func (o Outcome) String() string {
	return [...]string{"outcome unknown", "committed", "aborted"}[o]
}

// An OpKind says what an operation does.
type OpKind int

// The kinds of operations.
const (
	Read   OpKind = iota // of a key: the elements of its list, or the one value of its register
	Append               // of one element to the list of a key
	Put                  // of one value into the register of a key
	Scan                 // of all keys of a range
)

// An Op is one operation of a transaction. A key is either a list, to which values are appended,
// or a register, into which they are put; no value is written twice to one key.
type Op struct {
	Kind   OpKind
	Key    string   // of a Scan: the first key of the range
	To     string   // of a Scan: the first key beyond the range, or "" if it has no end
	Values []string // what a Read saw, nothing if there was nothing; the one value that is written
	Rows   []Row    // what a Scan saw
}

// A Row is a key that a Scan saw, with its value or the elements of its list.
type Row struct {
	Key    string
	Values []string
}

// A Recorder collects a history while the transactions run. The zero value is ready, and it is
// safe for concurrent use, as are the transactions that it begins. Its lock is a lock like any
// other: what two clients do around it looks ordered to the race detector.
type Recorder struct {
	mu   sync.Mutex // guards all that was recorded, also what Tx records
	txns []*Txn
}

// Begin records that a transaction begins. A session is the number of a client that waits for
// each of its transactions to end before it begins the next, or 0.
func (r *Recorder) Begin(session int) *Tx {
	r.mu.Lock()
	defer r.mu.Unlock()
	txn := &Txn{Name: "T" + strconv.Itoa(len(r.txns)+1), Session: session}
	r.txns = append(r.txns, txn)
	return &Tx{recorder: r, txn: txn}
}

// History returns a copy of what was recorded so far. Transactions that have not ended are in
// it with an unknown outcome.
func (r *Recorder) History() History {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := make(History, len(r.txns))
	for i, txn := range r.txns {
		h[i] = *txn
		h[i].Ops = slices.Clone(txn.Ops)
	}
	return h
}

// A Tx records one transaction of a [Recorder]. Record each operation after it was done, and
// with what it returned. An operation that failed, so that nobody knows what it did, is recorded
// if it is a write, and left out if it is a read.
type Tx struct {
	recorder *Recorder
	txn      *Txn
}

// Read records what a read of a key saw: the elements of a list in their order, the value of a
// register, or nothing.
func (t *Tx) Read(key string, values ...string) {
	t.record(Op{Kind: Read, Key: key, Values: slices.Clone(values)})
}

// Get is Read for a register that is found or not.
func (t *Tx) Get(key, value string, found bool) {
	if found {
		t.Read(key, value)
	} else {
		t.Read(key)
	}
}

// Append records that an element was appended to the list of a key.
func (t *Tx) Append(key, value string) {
	t.record(Op{Kind: Append, Key: key, Values: []string{value}})
}

// Put records that a value was put into the register of a key. What it was put over is the value
// that the transaction saw last, so read the key first: of a blind write no order is proven.
func (t *Tx) Put(key, value string) {
	t.record(Op{Kind: Put, Key: key, Values: []string{value}})
}

// Scan records which rows a read of all keys from one up to, but without, another saw. If to is
// empty the range has no end.
func (t *Tx) Scan(from, to string, rows ...Row) {
	rows = slices.Clone(rows)
	for i := range rows {
		rows[i].Values = slices.Clone(rows[i].Values)
	}
	t.record(Op{Kind: Scan, Key: from, To: to, Rows: rows})
}

// Commit records that the transaction is committed.
func (t *Tx) Commit() { t.end(Committed) }

// Abort records that the transaction is rolled back, for certain.
func (t *Tx) Abort() { t.end(Aborted) }

// Unknown records that nobody knows whether the transaction is committed, as after a connection
// that broke before the answer. It is what is taken of one that never ends.
func (t *Tx) Unknown() { t.end(Unknown) }

func (t *Tx) end(outcome Outcome) {
	t.recorder.mu.Lock()
	defer t.recorder.mu.Unlock()
	t.txn.Outcome = outcome
}

func (t *Tx) record(op Op) {
	t.recorder.mu.Lock()
	defer t.recorder.mu.Unlock()
	t.txn.Ops = append(t.txn.Ops, op)
}
