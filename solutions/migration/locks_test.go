//go:build solutions && !race

package migration_test

import (
	"slices"
	"time"
)

// A model of PostgreSQL's locks on one table, in virtual time, for the figure and the numbers of docs/migration.md. Its
// modes are those of PostgreSQL 15; bench/migration_test.go looks which statement takes which.

type mode int

const (
	none                 mode = iota // rows alone are locked
	accessShare                      // SELECT
	rowExclusive                     // INSERT, UPDATE, DELETE
	shareUpdateExclusive             // VALIDATE, CREATE INDEX CONCURRENTLY
	share                            // CREATE INDEX
	accessExclusive                  // most of ALTER TABLE
	modes
)

// inConflict says which modes may not be held together.
var inConflict = [modes][]mode{
	accessShare:          {accessExclusive},
	rowExclusive:         {share, accessExclusive},
	shareUpdateExclusive: {shareUpdateExclusive, share, accessExclusive},
	share:                {rowExclusive, shareUpdateExclusive, accessExclusive},
	accessExclusive:      {accessShare, rowExclusive, shareUpdateExclusive, share, accessExclusive},
}

// A server runs what is due, in order of time, and grants locks in the order in which they were asked for: who asks
// waits for whoever holds a lock in conflict, and for whoever waits for one.
type server struct {
	now     time.Duration
	due     []event    // in order
	held    [modes]int // locks of each mode
	waiting []*lock

	// The rows that the change has locked, of those from 0 to 1, and until when.
	rowsFrom, rowsTo func() float64
	rowsUntil        time.Duration
}

type lock struct {
	mode    mode
	held    bool
	granted func()
}

type event struct {
	at time.Duration
	do func()
}

func (s *server) after(d time.Duration, do func()) {
	at := s.now + d
	i, _ := slices.BinarySearchFunc(s.due, at, func(e event, at time.Duration) int {
		if e.at <= at {
			return -1 // first come, first served
		}
		return 1
	})
	s.due = slices.Insert(s.due, i, event{at, do})
}

func (s *server) run() {
	for len(s.due) > 0 {
		next := s.due[0]
		s.due = s.due[1:]
		s.now = next.at
		next.do()
	}
}

func (s *server) lock(m mode, granted func()) *lock {
	l := &lock{mode: m, granted: granted}
	if s.free(m, s.held) && !slices.ContainsFunc(s.waiting, func(other *lock) bool { return slices.Contains(inConflict[m], other.mode) }) {
		s.grant(l)
	} else {
		s.waiting = append(s.waiting, l)
	}
	return l
}

func (s *server) free(m mode, locks [modes]int) bool {
	return !slices.ContainsFunc(inConflict[m], func(other mode) bool { return locks[other] > 0 })
}

func (s *server) grant(l *lock) {
	l.held = true
	s.held[l.mode]++
	s.after(0, l.granted)
}

// unlock gives back a lock, or no longer waits for it.
func (s *server) unlock(l *lock) {
	if l.held {
		s.held[l.mode]--
	} else {
		s.waiting = slices.DeleteFunc(s.waiting, func(other *lock) bool { return other == l })
	}
	var ahead [modes]int
	s.waiting = slices.DeleteFunc(s.waiting, func(l *lock) bool {
		if !s.free(l.mode, s.held) || !s.free(l.mode, ahead) {
			ahead[l.mode]++
			return false
		}
		s.grant(l)
		return true
	})
}

// hold takes a lock, holds it so long, and goes on.
func (s *server) hold(m mode, d time.Duration, then func()) {
	var l *lock
	l = s.lock(m, func() {
		s.after(d, func() {
			s.unlock(l)
			then()
		})
	})
}

// tryFor is hold with a lock_timeout, after which it is tried again.
func (s *server) tryFor(m mode, timeout, pause, d time.Duration, then func()) {
	got := false
	var l *lock
	l = s.lock(m, func() {
		got = true
		s.after(d, func() {
			s.unlock(l)
			then()
		})
	})
	s.after(timeout, func() {
		if got {
			return
		}
		s.unlock(l)
		s.after(pause, func() { s.tryFor(m, timeout, pause, d, then) })
	})
}

// update locks rows from one to another, one after the other, until all of them are done.
func (s *server) update(m mode, from, to float64, d time.Duration, then func()) {
	var l *lock
	l = s.lock(m, func() {
		began := s.now
		s.rowsFrom = func() float64 { return from }
		s.rowsTo = func() float64 { return from + (to-from)*float64(s.now-began)/float64(d) }
		s.rowsUntil = began + d
		s.after(d, func() {
			s.unlock(l)
			then()
		})
	})
}

// inBatches updates all rows so many times a part, with a pause after each.
func (s *server) inBatches(m mode, batch, count int, d, pause time.Duration, then func()) {
	if batch == count {
		then()
		return
	}
	part := func(n int) float64 { return float64(n) / float64(count) }
	s.update(m, part(batch), part(batch+1), d, func() {
		s.after(pause, func() { s.inBatches(m, batch+1, count, d, pause, then) })
	})
}

// waits is what a kind of statement had to wait.
type waits struct {
	longest time.Duration
	count   int
	spans   [][2]float64 // in seconds
}

func (w *waits) add(from, to time.Duration) {
	if to-from < 2*time.Millisecond { // waits for other statements of the load
		return
	}
	w.count++
	w.longest = max(w.longest, to-from)
	a, b := from.Seconds(), to.Seconds()
	if last := len(w.spans) - 1; last >= 0 && a <= w.spans[last][1]+0.02 {
		w.spans[last][1] = max(b, w.spans[last][1])
		return
	}
	w.spans = append(w.spans, [2]float64{a, b})
}

// A change is one way of changing the table, and what came of it.
type change struct {
	name, locks   string
	report        bool
	run           func(s *server, done func())
	took          time.Duration
	reads, writes waits
}

const began = 10 * time.Second

// measure runs the change, begun after ten seconds, under a load of 100 reads and 100 writes a second. A report begins
// before it and reads the table for 30 seconds.
func (c *change) measure() {
	s := &server{}
	running := true
	if c.report {
		s.after(0, func() { s.hold(accessShare, 30*time.Second, func() {}) })
	}
	s.after(began, func() {
		c.run(s, func() {
			c.took = s.now - began
			running = false
		})
	})
	var load func(n int)
	load = func(n int) {
		asked := s.now
		s.read(asked, &c.reads)
		s.after(211*time.Microsecond, func() { s.write(s.now, float64(n*7919%10007)/10007, &c.writes) })
		if running {
			s.after(10*time.Millisecond, func() { load(n + 1) })
		}
	}
	s.after(137*time.Microsecond, func() { load(0) })
	s.run()
}

func (s *server) read(asked time.Duration, w *waits) {
	var l *lock
	l = s.lock(accessShare, func() {
		w.add(asked, s.now)
		s.after(time.Millisecond, func() { s.unlock(l) })
	})
}

func (s *server) write(asked time.Duration, row float64, w *waits) {
	var l *lock
	l = s.lock(rowExclusive, func() {
		free := s.now
		if s.now < s.rowsUntil && s.rowsFrom() <= row && row < s.rowsTo() {
			free = s.rowsUntil
		}
		s.after(free-s.now, func() {
			w.add(asked, s.now)
			s.after(time.Millisecond, func() { s.unlock(l) })
		})
	})
}
