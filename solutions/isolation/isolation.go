//go:build solutions

package isolation

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// The errors of a transaction.
var (
	ErrConflict = errors.New("another transaction came first")
	ErrDeadlock = errors.New("the transactions wait for each other")
	ErrDone     = errors.New("the transaction has ended")
)

// A Level says what a transaction is kept from seeing.
type Level int

// The levels, the weakest first.
const (
	ReadCommitted Level = iota
	Snapshot
	Serializable
)

// A Row is a key and its value.
type Row struct{ Key, Value string }

// A Store holds rows in memory. It is optimistic: a transaction keeps its changes to
// itself, and Commit looks whether somebody came first. So nobody waits, and a
// transaction that is abandoned holds nothing.
type Store struct {
	mu sync.Mutex // guards what follows

	commits int                  // so far
	rows    map[string][]version // the oldest first; old ones are never dropped
}

// A version is what a commit made of a row.
type version struct {
	commit int
	value  string
}

// New returns a Store without rows.
func New() *Store { return &Store{rows: map[string][]version{}} }

// Begin opens a transaction.
func (s *Store) Begin(ctx context.Context, level Level) *Tx {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Tx{s: s, ctx: ctx, level: level, point: s.commits, changes: map[string]change{}, read: map[string]bool{}}
}

// at returns the value of a row after so many commits. The caller holds the lock.
func (s *Store) at(key string, commits int) (value string, found bool) {
	for _, v := range slices.Backward(s.rows[key]) {
		if v.commit <= commits {
			return v.value, true
		}
	}
	return "", false
}

// changed reports whether a row was changed after so many commits. The caller holds
// the lock. Versions are compared, not values, which may come back.
func (s *Store) changed(key string, commits int) bool {
	versions := s.rows[key]
	return len(versions) > 0 && versions[len(versions)-1].commit > commits
}

// A Tx is a transaction. It belongs to one goroutine at a time, so it has no lock.
type Tx struct {
	s     *Store
	ctx   context.Context //nolint:containedctx // a transaction ends with it
	level Level
	point int // the commits that it sees, but for read committed
	done  bool

	changes map[string]change
	read    map[string]bool // the keys that it asked for, there or not
	scanned []span
}

// A change replaces a value or adds to its end. An Append stays one until the commit:
// at read committed what it adds to may change until then.
type change struct {
	replaces bool
	text     string
}

// A span is a range of keys. If to is empty it has no end.
type span struct{ from, to string }

func (r span) has(key string) bool { return r.from <= key && (r.to == "" || key < r.to) }

func (c change) of(value string) string {
	if c.replaces {
		return c.text
	}
	return value + c.text
}

// ended returns why the transaction is open no more.
func (tx *Tx) ended() error {
	if tx.done {
		return ErrDone
	}
	return tx.ctx.Err()
}

// sees returns how many commits the next call sees. The caller holds the store's lock.
func (tx *Tx) sees() int {
	if tx.level == ReadCommitted {
		return tx.s.commits
	}
	return tx.point
}

// value returns what the transaction sees of a row. The caller holds the store's lock.
func (tx *Tx) value(key string) (value string, found bool) {
	value, found = tx.s.at(key, tx.sees())
	if c, own := tx.changes[key]; own {
		return c.of(value), true
	}
	return value, found
}

// Get returns the value of a row, and whether there is one.
func (tx *Tx) Get(key string) (value string, found bool, err error) {
	if err := tx.ended(); err != nil {
		return "", false, err
	}
	tx.s.mu.Lock()
	defer tx.s.mu.Unlock()
	tx.read[key] = true
	value, found = tx.value(key)
	return value, found, nil
}

// Scan returns the rows with from <= key < to, in the order of their keys. If to is empty, the range has no end.
func (tx *Tx) Scan(from, to string) ([]Row, error) {
	if err := tx.ended(); err != nil {
		return nil, err
	}
	tx.s.mu.Lock()
	defer tx.s.mu.Unlock()
	r := span{from, to}
	tx.scanned = append(tx.scanned, r)
	var rows []Row
	for _, key := range tx.keys(r) {
		if value, found := tx.value(key); found {
			rows = append(rows, Row{key, value})
		}
	}
	return rows, nil
}

// keys returns those of a range, sorted: of the store and of the transaction's own
// changes. The caller holds the store's lock.
func (tx *Tx) keys(r span) []string {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(tx.s.rows)), maps.Keys(tx.changes))
	keys = slices.DeleteFunc(keys, func(key string) bool { return !r.has(key) })
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Put makes a row, or replaces its value.
func (tx *Tx) Put(key, value string) error {
	if err := tx.ended(); err != nil {
		return err
	}
	tx.changes[key] = change{replaces: true, text: value}
	return nil
}

// Append makes a row, or adds to the end of its value.
func (tx *Tx) Append(key, text string) error {
	if err := tx.ended(); err != nil {
		return err
	}
	c := tx.changes[key]
	c.text += text
	tx.changes[key] = c
	return nil
}

// Commit ends the transaction, and keeps its changes.
func (tx *Tx) Commit() error {
	if err := tx.ended(); err != nil {
		return err
	}
	tx.done = true
	if len(tx.changes) == 0 {
		return nil // it is as if it had run at its point in time
	}
	tx.s.mu.Lock()
	defer tx.s.mu.Unlock()
	if tx.late() {
		return ErrConflict
	}
	tx.s.commits++
	for key, c := range tx.changes {
		before, _ := tx.s.at(key, tx.s.commits)
		tx.s.rows[key] = append(tx.s.rows[key], version{tx.s.commits, c.of(before)})
	}
	return nil
}

// late reports whether somebody came first: at snapshot with a change to the same row,
// at serializable to anything that the transaction saw, or would have seen had it been
// there. If not, it is as if the whole transaction ran now. The caller holds the lock.
func (tx *Tx) late() bool {
	if tx.level == ReadCommitted {
		return false
	}
	for key := range tx.changes {
		if tx.s.changed(key, tx.point) {
			return true
		}
	}
	if tx.level == Snapshot {
		return false
	}
	for key := range tx.read {
		if tx.s.changed(key, tx.point) {
			return true
		}
	}
	for key := range tx.s.rows {
		if slices.ContainsFunc(tx.scanned, func(r span) bool { return r.has(key) }) && tx.s.changed(key, tx.point) {
			return true
		}
	}
	return false
}

// Rollback ends the transaction, and drops its changes.
func (tx *Tx) Rollback() error {
	if err := tx.ended(); err != nil {
		return err
	}
	tx.done = true
	return nil
}
