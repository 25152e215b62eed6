package isolation_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/isolation"
	"github.com/backend-kata/dojo/pkg/apart"
	"github.com/backend-kata/dojo/pkg/interleave"
	"github.com/backend-kata/dojo/pkg/serial"
)

// A transaction sees its own changes, and others see them when it has committed, all at once, or never.
func TestCommit(t *testing.T) {
	for _, level := range names {
		alone := "A begins " + level
		play(t, "What was committed is there", "", alone, "A put x 1, A commit, B begins "+level+", B get x, B scan, B commit")
		play(t, "A transaction sees its own changes", "", alone,
			"A put x 1, A get x, A append x 2, A get x, A append y 3, A get y, A scan, A put x 4, A get x, A get z, A put z, A get z",
			"A commit")
		play(t, "A transaction sees its own changes to rows that were there", "x=1 y=1 z=1", alone,
			"A append x 2, A get x, A append x 3, A get x, A put y 2, A append y 3, A get y, A scan, A append z 4, A put z 5",
			"A get z, A commit")
		play(t, "A range has its first key, and not its last", "a=1 b=1 c=1 d=1 e=1", alone,
			"A scan b d, A scan - c, A scan c -, A scan b b, A scan bb cc, A scan d b, A put bc 2, A put d 2, A put f 2, A scan b d",
			"A scan c, A commit")
		play(t, "Rolled back changes are gone", "x=1", alone, "A put x 2, A append y 2, A rollback",
			"B begins "+level+", B scan, B append x 3, B get x, B append y 3, B get y, B commit")
		play(t, "A transaction that has ended does nothing", "x=1", alone, "A append x 2, A commit",
			"A get x, A scan, A put x 3, A append x 4, A commit, A rollback, A commit, B begins "+level+", B put x 5, B rollback",
			"B get x, B scan, B put x 6, B append x 7, B commit, B rollback, B commit")
		play(t, "One after the other all commit", "x=1 y=1", alone, "A get x, A scan, A put x 2, A commit",
			"B begins "+level+", B get x, B scan, B put x 3, B append y 2, B commit",
			"C begins "+level+", C get y, C scan, C append y 3, C put z 1, C rollback",
			"D begins "+level+", D get y, D scan, D append y 4, D put z 2, D commit, E begins "+level+", E scan, E get x, E commit")
		for _, other := range names {
			play(t, "Nobody sees what is not committed", "x=1 y=1", alone, "A put x 2, A append y 2, A append z 2, B begins "+other,
				"B get x, B get y, B get z, B scan, B commit, A put x 3, C begins "+other+", C get x, C scan, C commit, A commit",
				"D begins "+other+", D get x, D get z, D scan, D commit")
			play(t, "Nobody sees what was rolled back", "x=1", alone, "A put x 2, A put y 2, B begins "+other+", A rollback",
				"B get x, B get y, B scan, B put z 1, B commit")
		}
	}
	explore(t, "A commit is seen as a whole", "x=a y=a", serial.ReadCommitted, "committed: append x b, append y b, commit",
		"committed: scan, commit")
}

// At read committed each call sees what was committed last, and appends are not lost.
func TestReadCommitted(t *testing.T) {
	for _, other := range names {
		play(t, "Each call sees what was committed last", "x=1 y=1", "A begins committed, A get x, B begins "+other,
			"B put x 2, B append y 2, A get x, A scan, B append z 2, B commit, A get x, A get y, A get z, A scan",
			"C begins "+other+", C put x 3, C put y 3, C rollback, A get x, A scan, D begins "+other,
			"D put x 4, D commit, A get x, A scan, A commit")
	}
	play(t, "Somebody has changed the row since, and that is no conflict", "x=1 y=1", "A begins committed, A get x, A scan",
		"B begins committed, B put x 2, B commit, A get x, A put x 3, A append y 3, A commit")
	everyOrder(t, "Two append to one row", "x=1", "committed: append x 2, commit", "committed: append x 3, commit")
	play(t, "A row is changed and read, while others commit", "x=1 y=1", "A begins committed, A put x 2, A get x",
		"B begins committed, B append y 2, B commit, A get y, A scan, A get x, A append y 3, A get y, A commit")
	everyOrder(t, "Two append to a row that is new", "", "committed: append x 2, append x 3, commit", "committed: append x 4, commit")
	everyOrder(t, "One appends, the other is rolled back", "x=1", "committed: append x 2, get x, commit",
		"committed: append x 3, rollback")
	everyOrder(t, "One replaces, the other appends", "x=1", "committed: get x, put x 2, commit", "committed: append x 3, put y 3, commit")
	everyOrder(t, "Two change two rows", "x=1 y=1", "committed: put x 2, put y 2, commit", "committed: put x 3, put y 3, commit")
	everyOrder(t, "Two change two rows crosswise", "x=1 y=1", "committed: put x 2, put y 2, commit",
		"committed: put y 3, put x 3, commit")
	explore(t, "Two append to one row", "x=a", serial.ReadCommitted, "committed: append x b, commit", "committed: append x c, commit")
	random(t, "committed: get scan put append")
}

// At snapshot a transaction sees one point in time, and who reads neither waits nor fails.
func TestSnapshot(t *testing.T) {
	for _, other := range names {
		play(t, "A snapshot is one point in time", "x=1 y=1", "A begins snapshot, A get x, B begins "+other,
			"B put x 2, B append y 2, B append z 2, A get y, B commit, A get y, A get z, A scan, A get x",
			"C begins "+other+", C put x 3, C put y 3, C commit, D begins "+other,
			"D put x 4, D commit, A get x, A scan, A get y, A commit")
	}
	many := "A begins snapshot, A get x"
	for i := range 120 {
		many += fmt.Sprintf(", B%[1]d begins committed, B%[1]d put x %[1]d, B%[1]d commit", i)
		many += map[int]string{40: ", Y begins snapshot, Y get x", 80: ", Y get x, Y commit"}[i]
	}
	play(t, "Many commit after it", "x=1 y=1", many, "A get y, A get x, A scan, A commit")
	play(t, "A snapshot with changes of its own", "x=1 y=1",
		"A begins snapshot, A put x 2, B begins committed, B put y 2, B put z 2, B commit",
		"A get x, A get y, A get z, A scan, A append w 2, A scan, A commit")
	everyOrder(t, "Of a commit a snapshot shows all or nothing", "x=1 y=1", "snapshot: get x, get y, scan, commit",
		"committed: put x 2, put y 2, put z 2, commit")
	explore(t, "Of a commit a snapshot shows all or nothing", "x=a y=a", serial.Snapshot,
		"snapshot: get x, get y, commit", "snapshot: append x b, append y b, commit")
	random(t, "snapshot: get scan", "committed: put append")
}

// At snapshot, of two who change one row the first to commit wins, and who change different rows all commit.
func TestFirstCommitter(t *testing.T) {
	for _, other := range []string{"snapshot", "committed", "serializable"} {
		play(t, "Another has changed the row and committed, at "+other, "x=1 y=1", "A begins snapshot, A get x, B begins "+other,
			"B get x, B put x 2, B commit, A put x 3, A commit, C begins snapshot, C get x, C put x 4, C commit")
		play(t, "Another has changed the row back", "x=1", "A begins snapshot, A get x, B begins "+other,
			"B put x 2, B commit, C begins "+other+", C put x 1, C commit, A put x 3, A commit")
		play(t, "It puts the value that was there", "x=1", "A begins snapshot, A get x, B begins "+other,
			"B put x 2, B commit, A put x 1, A commit")
		play(t, "Another has put the value that was there", "x=1", "A begins snapshot, A get x, B begins "+other,
			"B put x 1, B commit, A put x 3, A commit")
		play(t, "Another has made the row that it makes", "x=1", "A begins snapshot, A get y, B begins "+other,
			"B put y 2, B commit, A put y 3, A commit")
		play(t, "Another has changed the row, and a third one another since", "x=1 y=1", "A begins snapshot, A get x, B begins "+other,
			"B put x 2, B commit, C begins "+other+", C put y 2, C commit, A put x 3, A commit")
		play(t, "It changes the row without having read it", "x=1 y=1", "A begins snapshot, A get y, B begins "+other,
			"B append x 2, B commit, A append x 3, A commit")
		play(t, "What was rolled back is no conflict", "x=1 y=1", "A begins snapshot, A get x, B begins "+other,
			"B put x 2, B append y 2, B rollback, A put x 3, A append y 3, A commit, C begins snapshot, C append x 4, C append y 4",
			"C commit")
	}
	play(t, "It has read what another changed, and changes another row", "x=1 y=1", "A begins snapshot, A get x, A scan",
		"B begins snapshot, B scan, B put x 2, B put z 2, B commit, A put y 3, A commit")
	everyOrder(t, "Both change one row that they have read", "x=1", "snapshot: get x, put x 2, commit",
		"snapshot: get x, put x 3, commit")
	everyOrder(t, "Both add to one row", "x=1", "snapshot: append x 2, commit", "snapshot: append x 3, commit")
	everyOrder(t, "Each reads both rows and changes another", "x=1 y=1", "snapshot: scan, put x 2, commit",
		"snapshot: scan, put y 3, commit")
	everyOrder(t, "One changes two rows, one of them the other changes", "x=1 y=1", "snapshot: put x 2, put y 2, commit",
		"snapshot: put y 3, put x 3, commit")
	everyOrder(t, "One is rolled back", "x=1", "snapshot: put x 2, commit", "snapshot: put x 3, rollback")
	explore(t, "Both add to one row", "x=a", serial.Snapshot, "snapshot: get x, append x b, commit",
		"snapshot: get x, append x c, commit")
	random(t, "snapshot: get put append", "snapshot: put append scan", "committed: put append")
}

// At serializable it is as if those that commit had run one after the other, in every order.
func TestWriteSkew(t *testing.T) {
	everyOrder(t, "Each reads both rows and changes another", "x=1 y=1", "serializable: get x, get y, put x 2, commit",
		"serializable: get x, get y, put y 3, commit")
	everyOrder(t, "Each makes the row that the other has not found", "", "serializable: get x, put y 2, commit",
		"serializable: get y, put x 3, commit")
	everyOrder(t, "Both add to what they have read", "x=1", "serializable: get x, append x 2, commit",
		"serializable: get x, append x 3, commit")
	everyOrder(t, "They touch different rows", "x=1 y=1", "serializable: get x, put x 2, commit",
		"serializable: get y, append y 3, commit")
	everyOrder(t, "They read one row, and change different ones", "x=1 y=1 z=1", "serializable: get z, put x 2, commit",
		"serializable: get z, append y 3, commit")
	everyOrder(t, "One only reads two rows that the other changes", "x=1 y=1",
		"serializable: get x, get y, commit", "serializable: put x 2, put y 3, commit")
	everyOrder(t, "One is rolled back", "x=1", "serializable: get x, put x 2, commit", "serializable: get x, put x 3, rollback")
	play(t, "What it read was changed, and changed back", "x=1 y=1",
		"A begins serializable, A get x, B begins serializable, B get y, B put x 2, B commit",
		"C begins serializable, C put x 1, C commit, A put y 3, A commit")
	play(t, "Three have read, each what the next one changes", "x=1 y=1 z=1",
		"A begins serializable, B begins serializable, C begins serializable, A get x, B get y, C get z",
		"A append z 2, B append x 2, C append y 2, A commit, B commit, C commit")
	play(t, "Who only reads has seen one change, and not the one before it", "x=1 y=1", // Fekete, O'Neil and O'Neil, 2004
		"A begins serializable, A get x, A get y, B begins serializable, B get y, B put y 2, B commit",
		"C begins serializable, C get x, C get y, C commit, A put x 3, A commit")
	explore(t, "Each reads both rows and changes another", "x=a y=a", serial.Serializable,
		"serializable: get y, append x b, commit", "serializable: get x, append y c, commit")
	random(t, "serializable: get put append")
}

// At serializable a range stays as it was read, with the rows that are not there.
func TestPhantom(t *testing.T) {
	everyOrder(t, "Each changes a row in the range that both have read", "a=1 b=1",
		"serializable: scan - c, put b 2, commit", "serializable: scan - c, put a 3, commit")
	everyOrder(t, "Each makes a row in the range that both have read", "a=1", "serializable: scan a c, put b 2, commit",
		"serializable: scan a c, put bb 3, commit")
	everyOrder(t, "Each makes a row in the range that the other has read", "a=1 m=1", "serializable: scan a c, put n 2, commit",
		"serializable: scan m p, put b 3, commit")
	everyOrder(t, "Each makes a row beyond the last in a range without end", "a=1", "serializable: scan a, put y 2, commit",
		"serializable: scan b, put z 3, commit")
	everyOrder(t, "Each makes the first row of the range that the other has read", "c=1", "serializable: scan a c, put m 2, commit",
		"serializable: scan m p, put a 3, commit")
	everyOrder(t, "One reads a range, the other a row in it", "b=1", "serializable: scan - c, put n 2, commit",
		"serializable: get n, put b 3, commit")
	everyOrder(t, "One reads two ranges, and the other makes a row in the first", "", "serializable: scan a b, scan c d, put c 2, commit",
		"serializable: get c, put a 3, commit")
	explore(t, "Each makes a row in the range that both have read", "a=a", serial.Serializable,
		"serializable: scan a c, append b b, commit", "serializable: scan a c, append bb c, commit")
	random(t, "serializable: get scan scan put append")
}

// Who waits goes on when the others have ended, is told of a circle, and leaves with its context.
func TestWaiting(t *testing.T) {
	for _, level := range names {
		begin := func(who string) string { return who + " begins " + level }
		for _, end := range []string{"commit", "rollback", "leaves"} {
			play(t, "One after another changes a row, and the first ends by "+end, "x=1 y=1", begin("A"), begin("B"), begin("C"),
				"A append x 2, B append x 3, C append x 4, A "+end+", B commit, C commit",
				begin("D"), "D append x 5, D append y 5, D commit")
			play(t, "One after another reads and changes, and the first ends by "+end, "x=1 y=1", begin("A"), begin("B"),
				"A get x, A scan, A put y 2, B get x, B scan, B append y 3, A "+end+", B append x 3, B commit",
				begin("C"), "C scan, C put x 4, C commit")
			play(t, "The second ends by leaves, while it may wait, and the first by "+end, "x=1 y=1", begin("A"), begin("B"), begin("C"),
				"A append x 2, B append x 3, C append x 4, B leaves, B append x 5, B get y, B commit, B rollback, A "+end,
				"C append y 4, C commit", begin("D"), "D append x 5, D append y 5, D commit")
		}
		play(t, "All have read the row that they change", "x=1", begin("A"), begin("B"), begin("C"), "A get x, B get x, C get x",
			"A put x 2, B put x 3, C put x 4, A commit, B commit, C commit", begin("D"), "D get x, D put x 5, D commit")
		for n := 2; n < 7; n++ { // A changes a and b, B changes b and c, and so on
			var text [4][]string
			for i := range n {
				who := string(rune('A' + i))
				text[0] = append(text[0], begin(who))
				text[1] = append(text[1], fmt.Sprintf("%s put %c 2", who, 'a'+i))
				text[2] = append(text[2], fmt.Sprintf("%s put %c 3", who, 'a'+(i+1)%n))
				text[3] = append(text[3], who+" commit")
			}
			play(t, fmt.Sprintf("%d change as many rows in a circle", n), "a=1 b=1 c=1",
				append(slices.Concat(text[:]...), begin("Z"), "Z put a 4, Z put b 4, Z put c 4, Z commit")...)
		}
		play(t, "Who waited for the first waits for the second, who changes what it has changed", "x=1 y=1 z=1",
			begin("A"), begin("B"), begin("C"), "A put x 2, B put y 3, C put z 4, B put x 3, C put x 4, A rollback",
			"B put z 3, C put y 4, B commit, C commit")
		for _, end := range []string{"leaves", "commit, A leaves", "rollback, A leaves"} {
			play(t, "Its context ends", "x=1", begin("A"), "A get x, A put x 2, A append y 2, A "+end,
				"A get x, A scan, A put x 3, A append x 3, A commit, A rollback, A commit", begin("B"), "B scan, B put x 4, B append y 4, B commit")
		}
		for _, call := range []string{"get x", "scan", "put x 2", "append y 2", "commit", "rollback"} {
			play(t, "Its context has ended before it begins", "x=1", begin("A")+" ended", "A "+call+", A put x 3, A commit",
				begin("B"), "B scan, B put x 4, B commit")
		}
	}
	step.Bubble(t, func(t *step.T) {
		for _, o := range ops("- get x, - scan, - put x 2, - append x 2, - rollback, - commit") {
			for range 20 {
				w, c := open(t, "", "x=1"), &client{}
				c.begin(w.store, op{key: "snapshot"})
				c.does(op{do: "put", key: "x", arg: "2"})
				c.leave()
				step.Equal(t, context.Canceled, c.does(o).err, "Its context has ended the instant before. Its %s returns:", o.do)
				step.Equal(t, "x=1", w.last().String(), "Its context ended the instant before its %s. The rows are:", o.do)
			}
		}
	})
	step.ExploreWithin(t, 120, func(t *step.T, x *interleave.Schedule) {
		w := open(t, "A context ends as another changes the row", "x=1")
		a, b := &client{}, &client{}
		a.begin(w.store, op{key: "snapshot"})
		b.begin(w.store, op{key: "committed"})
		var lost, kept answer
		x.Go("A", func() {
			a.does(op{do: "append", key: "x", arg: "2"})
			x.Point("commit")
			lost = a.does(op{do: "commit"})
		})
		x.Go("B", func() {
			x.Point("append")
			b.does(op{do: "append", key: "x", arg: "3"})
			kept = b.does(op{do: "commit"})
		})
		x.Go("context of A", func() { x.Point("ends"); a.leave() })
		x.Run()
		synctest.Wait()
		step.NoError(w, kept.err, "%s, who should commit.", w.why)
		got, both := w.last().String(), lost.err == nil
		step.Expect(w, both && (got == "x=123" || got == "x=132") || !both && got == "x=13",
			"%s. The one whose context ended returned %v, and the rows are %s.", w.why, lost, got)
	})
	do := func(level, calls string) apart.Call[*isolation.Store] {
		return apart.Call[*isolation.Store]{Name: calls + " at " + level, Do: func(s *isolation.Store) {
			c := &client{}
			c.begin(s, op{key: level})
			for _, o := range ops("A " + strings.ReplaceAll(calls, ", ", ", A ")) {
				c.does(o)
			}
		}}
	}
	apart.Pairs(t, isolation.New, do("committed", "put x 1, commit"), do("snapshot", "get x, append x 1, commit"), do("serializable",
		"scan, put y 1, rollback"),
		do("committed", "get x, scan, rollback"), do("serializable", "get y, append x 1, leaves, commit"))
}

// random plays 2 to 4 transactions, such as "snapshot: get scan", in random orders.
func random(t *testing.T, kinds ...string) {
	step.Bubble(t, func(t *step.T) {
		for seed := range uint64(60) {
			r := rand.New(rand.NewPCG(seed, 0))
			pick := func(of ...string) string { return of[r.IntN(len(of))] }
			left := make([][]string, 2+seed/20)
			value := '2'
			for i := range left {
				who := string(rune('A' + i))
				level, does, _ := strings.Cut(pick(kinds...), ": ")
				left[i] = append(left[i], who+" begins "+level)
				for range 1 + r.IntN(3) {
					value++
					call := who + " " + pick(strings.Fields(does)...) + " " + pick("x", "y", "z")
					if strings.Contains(call, "put") || strings.Contains(call, "append") {
						call += " " + string(value)
					}
					left[i] = append(left[i], call)
				}
				left[i] = append(left[i], who+" "+pick("commit", "commit", "commit", "rollback"))
			}
			var all []string
			for len(left) > 0 {
				i := r.IntN(len(left))
				all = append(all, left[i][0])
				if left[i] = left[i][1:]; len(left[i]) == 0 {
					left = slices.Delete(left, i, i+1)
				}
			}
			run(t, fmt.Sprintf("Case %d", seed+1), "x=1 y=1", all...)
		}
	})
}

// does does an operation, unless its transaction waits or has failed, and holds what
// comes of it against the contract.
func (w *world) does(o op) {
	w.now++
	if o.do == "begins" {
		c := &client{name: o.who, began: w.now, changed: map[string]int{}, touched: map[string]bool{}, points: []int{len(w.states) - 1}}
		w.clients = append(w.clients, c)
		w.story = append(w.story, told{c.name, answer{op: o}})
		begin := step.Start(w.T, func() error { c.begin(w.store, o); return nil })
		step.Expect(w, !begin.Waits(), "%s. Begin should wait for nobody. It waits.", w.why)
		if o.arg == "ended" {
			c.ended, c.err = w.now, context.Canceled
		}
		return
	}
	c := w.clients[slices.IndexFunc(w.clients, func(c *client) bool { return c.name == o.who })]
	switch {
	case o.do == "leaves":
		w.story = append(w.story, told{c.name, answer{op: o}})
		if c.leave(); c.ended == 0 {
			c.ended, c.err = w.now, context.Canceled
		}
		stays := len(c.waits) > 0 && c.call.Waits()
		step.Expect(w, !stays, "%s. The context of %s has ended, and its call still waits.", w.why, c.name)
	case len(c.waits) > 0:
		c.waits = append(c.waits, o)
		return
	case !c.failed:
		w.calls(c, o)
	}
	w.goOn()
}

func (w *world) calls(c *client, o op) {
	changes := o.do == "put" || o.do == "append"
	if c.ended == 0 {
		c.tries = c.tries || o.do == "commit"
		c.scans = c.scans || o.do == "scan"
		if o.do == "get" || changes {
			c.touched[o.key] = true
		}
		if _, before := c.changed[o.key]; changes && !before {
			c.changed[o.key] = w.now
		}
	}
	c.call, c.waits = step.Start(w.T, func() answer { return c.does(o) }), []op{o}
	if !c.call.Waits() {
		w.returned(c)
		return
	}
	w.story = append(w.story, told{c.name, answer{op: o, err: errWaits}})
	may := changes || c.level == isolation.Serializable && (o.do == "get" || o.do == "scan")
	step.Expect(w, may, "%s. %v at %v should wait for nobody. It waits.", w.why, o, name(c.level))
}

// goOn lets those go on that wait no longer, until all is quiet.
func (w *world) goOn() {
	synctest.Wait()
	for again := true; again; {
		again = false
		for _, c := range w.clients {
			if len(c.waits) > 0 && !c.call.Waits() {
				again = true
				w.returned(c)
			}
		}
	}
	var waits, open int
	for _, c := range w.clients {
		if len(c.waits) > 0 {
			waits++
		}
		if c.ended == 0 || len(c.waits) > 0 {
			open++
		}
	}
	step.Expect(w, waits == 0 || waits < open || open > 1, "%s. A call still waits, and all other transactions have ended.", w.why)
	step.Expect(w, waits == 0 || waits < open, "%s. All transactions that are open wait, for each other or for one that has ended.", w.why)
}

// returned looks at what a client's call has returned, and goes on with what follows.
func (w *world) returned(c *client) {
	a, left := c.call.Result(), c.waits[1:]
	c.waits = nil
	w.now++
	w.story = append(w.story, told{c.name, a})
	switch {
	case c.ended > 0:
		step.Equal(w, c.err, a.err, "%s. %s has ended. Its %s returns:", w.why, c.name, a.do)
		step.Expect(w, len(a.rows) == 0, "%s. %s has ended. Its %s should show nothing. It shows: %v", w.why, c.name, a.do, a.rows)
	case a.err != nil:
		w.failed(c, a)
	default:
		w.worked(c, a)
	}
	for _, o := range left {
		w.does(o)
	}
}

// failed looks whether a call may fail.
func (w *world) failed(c *client, a answer) {
	c.ended, c.err, c.failed = w.now, isolation.ErrDone, true
	conflict, deadlock := errors.Is(a.err, isolation.ErrConflict), errors.Is(a.err, isolation.ErrDeadlock)
	reads := a.do == "get" || a.do == "scan"
	may := conflict && a.do != "rollback" && (c.level == isolation.Serializable || c.level == isolation.Snapshot && !reads) ||
		deadlock && (a.do == "put" || a.do == "append" || c.level == isolation.Serializable && reads)
	step.Expect(w, may, "%s. %v at %v should not return this error: %v", w.why, a.op, name(c.level), a.err)
	step.Expect(w, slices.ContainsFunc(w.clients, func(d *client) bool { return c.meets(d) }),
		"%s. %v of %s returned the error %q, and no transaction beside it is a reason.", w.why, a.op, c.name, a.err)
}

// meets reports whether a transaction may fail because of another.
func (c *client) meets(d *client) bool {
	if c == d || d.ended > 0 && d.ended < c.began {
		return false
	}
	gone := d.ended > 0 && !d.committed
	strict := d.level == isolation.Serializable // it may keep others from what it reads
	switch c.level {
	case isolation.Serializable:
		if c.scans && len(d.changed) > 0 || d.scans && len(c.changed) > 0 {
			return true
		}
		for key := range c.touched {
			if c.changed[key] > 0 && d.touched[key] || d.changed[key] > 0 {
				return true
			}
		}
	case isolation.Snapshot:
		for key, when := range c.changed {
			if (d.changed[key] > 0 || strict && (d.touched[key] || d.scans)) && (!gone || when < d.ended) {
				return true
			}
		}
	case isolation.ReadCommitted:
		return len(c.changed) > 0 && (len(d.changed) > 0 || strict)
	}
	return false
}

// worked looks at what a call returned that succeeded.
func (w *world) worked(c *client, a answer) {
	latest := len(w.states) - 1
	if len(c.log) == 0 {
		for len(w.states) > c.points[len(c.points)-1]+1 {
			c.points = append(c.points, c.points[len(c.points)-1]+1)
		}
	}
	sees := c.points
	switch beside := slices.ContainsFunc(w.clients, func(d *client) bool { return d != c && (d.ended == 0 || d.ended > c.began) }); {
	case c.level == isolation.ReadCommitted, c.level == isolation.Serializable && !beside:
		sees = []int{latest}
	case c.level == isolation.Serializable:
		sees = nil // what it sees is looked at when all have ended
	}
	switch a.do {
	case "get", "scan":
		var want string
		sees = slices.DeleteFunc(slices.Clone(sees), func(i int) bool {
			want = w.states[i].with(c.changes()).does(a.op).String()
			return want != a.String()
		})
		if c.level == isolation.Snapshot {
			c.points = sees
		}
		step.Expect(w, len(sees) > 0 || want == "", "%s. At %v, %s shows %s: expected %s, got %s.",
			w.why, name(c.level), c.name, a.op, want, a)
	case "rollback":
		c.ended, c.err = w.now, isolation.ErrDone
	case "commit":
		c.ended, c.err, c.committed = w.now, isolation.ErrDone, true
		if len(c.changed) == 0 {
			break
		}
		wins := slices.ContainsFunc(sees, func(i int) bool {
			return !slices.ContainsFunc(w.kept[i+1:], func(since map[string]int) bool {
				return slices.ContainsFunc(slices.Collect(maps.Keys(since)), func(key string) bool { return c.changed[key] > 0 })
			})
		})
		step.Expect(w, c.level != isolation.Snapshot || wins,
			"%s. %s commits, and a row that it changes was changed since its point in time: it should have got ErrConflict.", w.why, c.name)
		w.states, w.kept = append(w.states, w.states[latest].with(c.changes())), append(w.kept, c.changed)
	}
	c.log = append(c.log, a)
}

// ends ends the transactions that are open, and looks at what is left.
func (w *world) ends() {
	for _, c := range w.clients {
		if c.ended == 0 && len(c.waits) == 0 {
			w.does(op{who: c.name, do: "rollback"})
		}
	}
	for _, o := range ops("c get x, c scan, c put x 9, c append x 9, c commit, c rollback") {
		for _, c := range w.clients {
			if c.failed {
				step.Equal(w, c.err, c.does(o).err, "%s. An error has ended %s. Its %s then returns:", w.why, c.name, o.do)
			}
		}
	}
	last := w.last()
	two := w.clients[1:]
	if len(two) == 2 && two[0].tries && two[1].tries {
		step.Expect(w, two[0].committed || two[1].committed, "%s. Both transactions called Commit: one of them should commit.", w.why)
	}
	if !slices.ContainsFunc(two, func(c *client) bool { return c.level != isolation.Serializable }) {
		step.Expect(w, oneByOne(w.loaded, last, two), "%s. Whatever the order, had those that committed run one after the other, "+
			"they would have seen or left something else.", w.why)
		return
	}
	want := w.states[len(w.states)-1].does(last.op).String()
	step.Equal(w, want, last.String(), "%s. All have ended. The rows are:", w.why)
}

// oneByOne reports whether the transactions that committed may have run one after the
// other, in some order.
func oneByOne(rows state, last answer, left []*client) bool {
	over := true
	for i, c := range left {
		if !c.committed {
			continue
		}
		over = false
		after, same := maps.Clone(rows), true
		for _, a := range c.log {
			same = same && after.does(a.op).String() == a.String()
		}
		if same && oneByOne(after, last, slices.Delete(slices.Clone(left), i, i+1)) {
			return true
		}
	}
	return over && rows.does(last.op).String() == last.String()
}

// judge holds the transactions against what a level promises.
func (w *world) judge(promised serial.Level) {
	h, last, committed := serial.History{}, w.last(), 0
	for _, c := range append(w.clients, &client{name: "at last", committed: true, log: []answer{last}}) {
		txn := serial.Txn{Name: c.name, Outcome: serial.Aborted}
		if c.committed {
			txn.Outcome = serial.Committed
			committed++
		}
		for _, a := range c.log {
			o := serial.Op{Key: a.key, To: a.arg}
			for _, r := range a.rows {
				o.Values = strings.Split(r.Value, "")
				o.Rows = append(o.Rows, serial.Row{Key: r.Key, Values: o.Values})
			}
			kind, is := map[string]serial.OpKind{"append": serial.Append, "get": serial.Read, "scan": serial.Scan}[a.do]
			if o.Kind = kind; kind == serial.Append {
				o.Values = []string{a.arg}
			}
			if is {
				txn.Ops = append(txn.Ops, o)
			}
		}
		h = append(h, txn)
	}
	for _, c := range w.clients {
		for _, a := range c.log {
			half := a.do == "scan" && !slices.ContainsFunc(w.clients, func(d *client) bool {
				return w.loaded.with(d.changes()).does(a.op).String() == a.String()
			})
			lost := a.do == "append" && c.committed && !last.shows(a.key, a.arg)
			step.Expect(w, !lost, "%s. %s has committed, and what it appended to %s is not there.", w.why, c.name, a.key)
			step.Expect(w, !half || len(c.changes()) > 0, "%s. Scan saw half of a commit: %s.", w.why, a)
		}
	}
	err := serial.Check(h, promised)
	step.Expect(w, err == nil, "%s. %v", w.why, err)
	step.Expect(w, committed > 2, "%s. Of transactions that run side by side one at least should commit. None did.", w.why)
}

// last is what a new transaction sees.
func (w *world) last() answer {
	c := &client{}
	call := step.Start(w.T, func() answer {
		c.begin(w.store, op{key: "committed"})
		return c.does(op{do: "scan"})
	})
	step.Expect(w, !call.Waits(), "%s. Scan at read committed should wait for nobody. It waits.", w.why)
	return call.Result()
}
