package sqlprobe

import (
	"errors"
	"fmt"
)

// CheckCount returns an error unless exactly n statements ran.
func (r *Recording) CheckCount(n int) error {
	if got := len(r.Statements); got != n {
		return r.failure("%s, and %d %s expected", ran(got), n, was(n))
	}
	return nil
}

// CheckAtMost returns an error if no statement ran or more than n did.
func (r *Recording) CheckAtMost(n int) error {
	if got := len(r.Statements); got > n {
		return r.failure("%s, and at most %d %s expected", ran(got), n, was(n))
	}
	return r.ranAny()
}

// CheckSameCount returns an error unless as many statements ran for much data as for little: run
// the code at two sizes, and record each. What grows with the data is what is wrong.
func CheckSameCount(small, large *Recording) error {
	if err := small.ranAny(); err != nil {
		return err
	}
	s, l := len(small.Statements), len(large.Statements)
	if s == l {
		return nil
	}
	return fmt.Errorf("%s for much data and %d for little, and the same number was expected\n\nlittle data:\n%s\n\nmuch data:\n%s",
		ran(l), s, small.list(), large.list())
}

// CheckNoneRepeated returns an error if two statements had the same shape and came from the same
// line: one that asks for all would have done. The arguments do not matter.
func (r *Recording) CheckNoneRepeated() error {
	most := group{}
	for _, g := range r.groups() {
		if len(g.all) > len(most.all) {
			most = g
		}
	}
	if len(most.all) > 1 {
		return r.failure("one statement ran %d times, and none was expected to be repeated", len(most.all))
	}
	return r.ranAny()
}

// CheckRowsClosed returns an error if the rows of a query were still open at the end.
func (r *Recording) CheckRowsClosed() error {
	open, at := 0, ""
	for _, s := range r.Statements {
		if s.Open {
			open++
			at = s.Caller
		}
	}
	if open > 0 {
		return r.failure("the rows of %s were not closed, the last from %s", count(open, "query", "queries"), short(at))
	}
	return r.ranAny()
}

// CheckConnsReturned returns an error if a connection that was taken from the pool was not given
// back: rows, a transaction or a sql.Conn were not closed.
func (r *Recording) CheckConnsReturned() error {
	if len(r.held) == 0 {
		if r.taken == 0 {
			return errors.New("no connection was taken, so whether they are returned is not known; does the code use the database of this probe?")
		}
		return nil
	}
	h := r.held[0]
	why := "last used at " + short(h.last)
	switch {
	case h.tx.id != 0:
		why = fmt.Sprintf("transaction %d, begun at %s, was not ended", h.tx.id, short(h.tx.begun))
	case h.last == "":
		why = "no statement ran on it"
	}
	return r.failure("%s not returned to the pool: connection %d, %s", count(len(r.held), "connection was", "connections were"), h.id, why)
}

// CheckNoTxAcrossCalls returns an error if a transaction was open while something other than the
// database was called, as [Probe.Call] notes, or if there was no such call. Which
// goroutine holds the transaction is not known, so the test should run one at a time.
func (r *Recording) CheckNoTxAcrossCalls() error {
	if len(r.calls) == 0 {
		return errors.New("no call was noted, so whether a transaction was held across one is not known; does the fake call Probe.Call?")
	}
	for _, c := range r.calls {
		if len(c.held) > 0 {
			h := c.held[0]
			return r.failure("transaction %d, begun at %s, was held across a call: %s, at %s", h.id, short(h.begun), c.name, short(c.caller))
		}
	}
	return nil
}

// Work is the sum of the statements' work. It is an error if that of one is not known.
func (r *Recording) Work() (int64, error) {
	if err := r.ranAny(); err != nil {
		return 0, err
	}
	var sum int64
	for _, s := range r.Statements {
		switch {
		case s.Open:
			return 0, r.failure("the work is not known: the rows of the query from %s are not closed", short(s.Caller))
		case !s.WorkKnown:
			return 0, r.failure("the work is not known: the probe has no meter for the statement from %s", short(s.Caller))
		}
		sum += s.Work
	}
	return sum, nil
}

// CheckWork returns an error if the work was more than limit, or is not known.
func (r *Recording) CheckWork(limit int64) error {
	work, err := r.Work()
	if err != nil {
		return err
	}
	if work > limit {
		return r.failure("the work was %d, and at most %d was expected", work, limit)
	}
	return nil
}

// CheckWorkGrowth returns an error if the second recording's work was more than factor times
// the first's, or either is not known. For ten times the data, 11 or 12 allows linear
// growth and a little more; 1.1 allows none.
func CheckWorkGrowth(small, large *Recording, factor float64) error {
	s, err := small.Work()
	if err != nil {
		return err
	}
	l, err := large.Work()
	if err != nil {
		return err
	}
	if float64(l) <= factor*float64(s) {
		return nil
	}
	return fmt.Errorf("the work grew from %d to %d, %.1f times, and at most %.1f times was expected\n\nfirst:\n%s\n\nthen:\n%s",
		s, l, float64(l)/float64(s), factor, small.list(), large.list())
}

// ranAny returns an error if a check would hold only because nothing ran.
func (r *Recording) ranAny() error {
	if len(r.Statements) == 0 {
		return errors.New("no statement ran; does the code use the database of this probe?")
	}
	return nil
}

// failure is a sentence, and then the statements.
func (r *Recording) failure(format string, args ...any) error {
	return fmt.Errorf("%s\n\n%s", fmt.Sprintf(format, args...), r.list())
}

func ran(n int) string {
	if n == 0 {
		return "no statement ran"
	}
	return count(n, "statement", "statements") + " ran"
}

func was(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
