package isolation_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/isolation"
	"github.com/backend-kata/dojo/pkg/interleave"
	"github.com/backend-kata/dojo/pkg/serial"
)

var names = []string{"committed", "snapshot", "serializable"}

var levels = map[string]isolation.Level{
	"committed": isolation.ReadCommitted, "snapshot": isolation.Snapshot, "serializable": isolation.Serializable,
}

func name(l isolation.Level) string {
	for name, level := range levels {
		if level == l {
			return name
		}
	}
	return ""
}

var (
	errAway  = errors.New("its user went away")
	errWaits = errors.New("it waits")
)

// An op is what a transaction does: begins, get, scan, put, append, commit, rollback, or
// leaves, which ends its context.
type op struct{ who, do, key, arg string }

func (o op) String() string { return strings.TrimSpace(o.do + " " + o.key + " " + o.arg) }

// ops reads what is written as "A begins snapshot, A put x 1, B scan - c"; - is an empty key.
func ops(text string) []op {
	var all []op
	for one := range strings.SplitSeq(text, ",") {
		f := append(strings.Fields(one), "", "", "")
		all = append(all, op{f[0], f[1], strings.Trim(f[2], "-"), f[3]})
	}
	return all
}

// An answer is what a call returned.
type answer struct {
	op

	rows []isolation.Row // what was seen
	err  error
}

func (a answer) String() string {
	switch {
	case a.err != nil:
		return a.err.Error()
	case a.do != "get" && a.do != "scan":
		return "ok"
	case len(a.rows) == 0:
		return "nothing"
	}
	var b strings.Builder
	for _, r := range a.rows {
		b.WriteString(" " + r.Key + "=" + r.Value)
	}
	return b.String()[1:]
}

func (a answer) shows(key, text string) bool {
	return slices.ContainsFunc(a.rows, func(r isolation.Row) bool { return r.Key == key && strings.Contains(r.Value, text) })
}

// A state is the rows of a store.
type state map[string]string

// does returns what an operation on the rows alone should show.
func (s state) does(o op) answer {
	a := answer{op: o}
	switch o.do {
	case "put":
		s[o.key] = o.arg
	case "append":
		s[o.key] += o.arg
	case "get", "scan":
		for _, key := range slices.Sorted(maps.Keys(s)) {
			if o.do == "get" && key == o.key || o.do == "scan" && o.key <= key && (o.arg == "" || key < o.arg) {
				a.rows = append(a.rows, isolation.Row{Key: key, Value: s[key]})
			}
		}
	default:
	}
	return a
}

// with returns the rows with a transaction's own changes.
func (s state) with(changes []answer) state {
	s = maps.Clone(s)
	for _, a := range changes {
		s.does(a.op)
	}
	return s
}

// A client has one transaction.
type client struct {
	name  string
	level isolation.Level
	tx    *isolation.Tx
	leave func()
	log   []answer // of its calls that returned no error

	began, ended int            // when; 0 is not yet
	changed      map[string]int // when first
	touched      map[string]bool
	scans        bool
	tries        bool  // to commit
	committed    bool  // it is
	err          error // what its calls return since it has ended
	failed       bool  // since one of its calls returned an error

	points []int // the commits after which it may see the store, of a snapshot
	call   *step.Call[answer]
	waits  []op // the one that waits, and those that follow
}

func (c *client) begin(s *isolation.Store, o op) {
	ctx, leave := context.WithCancelCause(context.Background())
	c.leave = func() { leave(errAway) }
	if o.arg == "ended" {
		c.leave()
	}
	c.level = levels[o.key]
	c.tx = s.Begin(ctx, c.level)
}

func (c *client) does(o op) (a answer) {
	a.op = o
	switch o.do {
	case "get":
		value, found, err := c.tx.Get(o.key)
		if a.err = err; found {
			a.rows = []isolation.Row{{Key: o.key, Value: value}}
		}
	case "scan":
		a.rows, a.err = c.tx.Scan(o.key, o.arg)
	case "put":
		a.err = c.tx.Put(o.key, o.arg)
	case "append":
		a.err = c.tx.Append(o.key, o.arg)
	case "commit":
		a.err = c.tx.Commit()
	case "rollback":
		a.err = c.tx.Rollback()
	default:
		c.leave()
	}
	return a
}

// changes returns those of its calls that were some.
func (c *client) changes() []answer {
	return slices.DeleteFunc(slices.Clone(c.log), func(a answer) bool { return a.do != "put" && a.do != "append" })
}

// A world is a store, and what is known of it.
type world struct {
	*step.T

	why     string
	store   *isolation.Store
	now     int
	clients []*client
	loaded  state
	story   []told
	states  []state          // after each commit
	kept    []map[string]int // the keys that it changed
}

// open makes a store with rows, such as "x=1 y=2".
func open(t *step.T, why, rows string) *world {
	w := &world{T: t, why: why, store: isolation.New(), states: []state{{}}, kept: []map[string]int{nil}}
	load := "0 begins committed"
	for row := range strings.FieldsSeq(rows) {
		load += ", 0 append " + strings.Replace(row, "=", " ", 1)
	}
	for _, o := range ops(load + ", 0 commit") {
		w.does(o)
	}
	w.loaded = w.states[len(w.states)-1]
	return w
}

// play runs transactions in the order of the text. A call that has to wait does so, and
// what its transaction does next waits with it.
func play(t *testing.T, why, rows string, text ...string) {
	step.Bubble(t, func(t *step.T) { run(t, why, rows, text...) })
}

func run(t *step.T, why, rows string, text ...string) {
	w := open(t, why, rows)
	defer func() {
		for _, line := range w.story {
			t.Tell("%s %v → %v", line.name, line.op, line.answer)
		}
	}()
	for _, o := range ops(strings.Join(text, ", ")) {
		w.does(o)
	}
	w.ends()
	w.story = nil // it went well
}

// told is a line of the story.
type told struct {
	name string
	answer
}

// everyOrder plays scripts such as "snapshot: get x, commit" side by side, in every order in
// which the first begins first: most are alike.
func everyOrder(t *testing.T, why, rows string, scripts ...string) {
	step.Bubble(t, func(t *step.T) {
		all := script(scripts...)
		first := all[0][:1]
		all[0] = all[0][1:]
		orders(all, first, func(order []string) { run(t, why, rows, order...) })
	})
}

// script is what each of the clients A, B, C does.
func script(scripts ...string) [][]string {
	var all [][]string
	for i, text := range scripts {
		level, calls, _ := strings.Cut(text, ": ")
		one := []string{"begins " + level}
		one = append(one, strings.Split(calls, ", ")...)
		for j := range one {
			one[j] = string(rune('A'+i)) + " " + one[j]
		}
		all = append(all, one)
	}
	return all
}

func orders(left [][]string, done []string, f func([]string)) {
	over := true
	for i, one := range left {
		if len(one) > 0 {
			over = false
			next := slices.Clone(left)
			next[i] = one[1:]
			orders(next, append(slices.Clip(done), one[0]), f)
		}
	}
	if over {
		f(done)
	}
}

// explore runs scripts side by side in every order, that of the locks included. Then all
// that was committed is there, and the history shows no anomaly of the level.
func explore(t *testing.T, why, rows string, promised serial.Level, scripts ...string) {
	step.ExploreWithin(t, 120, func(t *step.T, x *interleave.Schedule) {
		w := open(t, why, rows)
		for _, one := range script(scripts...) {
			c := &client{name: one[0][:1]}
			w.clients = append(w.clients, c)
			x.Go(c.name, func() {
				for _, o := range ops(strings.Join(one, ",")) {
					x.Point("%s", o.String())
					if o.do == "begins" {
						c.begin(w.store, o)
						continue
					}
					a := c.does(o)
					x.Note("%s", a.String())
					c.committed = o.do == "commit" && a.err == nil
					if a.err != nil {
						return
					}
					c.log = append(c.log, a)
				}
			})
		}
		x.Run()
		w.judge(promised)
	})
}
