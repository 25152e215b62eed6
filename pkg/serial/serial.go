// Package serial finds which isolation anomalies a history of transactions shows.
//
// Transactions that are right one after the other can lose money when they overlap. What a
// database promises about that is two words in its manual, and a test hardly sees it broken: run
// alone, transactions pass at every isolation level, and run together, they mostly pass. When a
// total is wrong at last, it does not say which two transactions did it.
//
// Here each client records what it did and saw, and the package says what that proves:
//
//	var rec serial.Recorder
//	...                                // in each client, for each transaction:
//	tx := rec.Begin(client)            // the client's number, or 0
//	stock, found := store.Get("stock")
//	tx.Get("stock", stock, found)
//	store.Put("stock", next)
//	tx.Put("stock", next)
//	tx.Commit()                        // once the store has confirmed it
//	...
//	serial.Test(t, rec.History(), serial.Snapshot)
//
// The test fails with the shortest cycle of each kind of anomaly, and with what proves it:
//
//	the store promises snapshot isolation, and the history of 3 transactions rules it out
//
//	lost update: T2 and T3 wrote stock, and whichever came first, the other had not seen it
//
//	    T2  session 1, read stock → 10 pieces, put 9 pieces into stock, committed
//	    T3  session 2, read stock → 10 pieces, put 7 pieces into stock, committed
//
//	    T2 → T3  rw  T2 read stock → 10 pieces, and T3 put 7 pieces into stock
//	    T3 → T2  rw  T3 read stock → 10 pieces, and T2 put 9 pieces into stock
//
//	The history rules out: snapshot isolation, serializable.
//	It does not rule out, and does not prove: read uncommitted, read committed, read your writes, monotonic reads.
//
// [Analyze] returns the anomalies, [Check] an error, and [Test] fails a test. [Generate] makes
// transactions to run on a store. A [History] can also be written by hand.
//
// # Anomalies
//
// An edge from one transaction to another says that it comes first in any serial order. A ww edge:
// both wrote a key, and the second wrote the later version. A wr edge: the second read what the
// first wrote. An rw edge: the first read a version older than the one that the second wrote. A
// cycle of edges leaves no serial order, and its edges tell how bad that is.
//
//   - [G0], dirty write: a cycle of ww edges.
//   - [G1a], aborted read: a transaction saw a write of another that was rolled back.
//   - [G1b], intermediate read: it saw one write of another to a key, but not its next one.
//   - [G1c], circular information flow: a cycle of ww and wr edges.
//   - [LostUpdate]: it read a key and wrote it later, and another wrote the key in between.
//   - [GSingle], read skew: a cycle with one rw edge.
//   - [LongFork]: a cycle with several rw edges, none next to another. Two readers saw two writes
//     in different orders.
//   - [G2Item], write skew: a cycle with two rw edges next to each other.
//   - [G2], phantom: the same, and a scan of a range missed an insert.
//   - [StaleOwn]: a session did not see its own committed write.
//   - [Backwards]: a session saw an older version than before.
//   - [Impossible]: a read that no level allows. It shows a value that nobody wrote, it does not
//     show what its own transaction wrote, or it contradicts another read of the same list.
//
// A lost update is a case of read skew, and is not reported as both.
//
// [ReadUncommitted] forbids G0, [ReadCommitted] G1 as well, [Snapshot] all cycles but those with
// two rw edges next to each other, and [Serializable] all cycles. PostgreSQL calls snapshot
// isolation REPEATABLE READ; elsewhere that name means something else.
//
// PostgreSQL 15 and SQLite show this within 20 rounds of 200 generated transactions
// (TestPostgresSerial in bench, which make postgres runs):
//
//	                 Appends                Updates                             Inserts
//	READ COMMITTED   read skew, write skew  lost update, read skew, write skew  read skew, phantom
//	REPEATABLE READ  write skew             write skew                          phantom
//
// PostgreSQL at SERIALIZABLE and SQLite with a write-ahead log show nothing. READ UNCOMMITTED is
// READ COMMITTED in PostgreSQL. At that level an update is lost only where a transaction reads a
// row and writes it in a later statement.
//
// # What is proven
//
// Two kinds of keys reveal the order of their versions. A list grows by [Tx.Append], and each read
// shows the order of all appends before it. A register is replaced by [Tx.Put]. Its transaction must
// have read it before, and the new value counts as later than the one that it read.
//
// Some of the order may stay open: nobody saw which of two appends came first. It may also be open
// whether a transaction happened, because the answer to its commit was lost. It counts as soon as
// a transaction that counts has seen one of its writes, and is left out otherwise.
//
// An anomaly is reported only if the history has it, or a worse one, in every order of versions
// that fits all reads. The converse holds, too: an anomaly that every such order has is reported,
//
//   - always, if it is a lost update, or rules out ReadUncommitted, ReadCommitted or Serializable;
//   - if it rules out Snapshot, unless two transactions appended to one list what no read shows.
//     Whether one of the orders is then free of read skew is a search that can take forever. Let
//     a last transaction read every list, and nothing is open;
//   - if it is one of a session, unless the same register has a lost update, or a transaction put a
//     value over an aborted one.
//
// The tests TestAgreesOnAll and TestAgreesOnSamples hold this against a brute force that tries every
// order. With the flag -all these are all 13,176 histories of one and two transactions with up to two
// operations on two lists, all 4,596,588 of three transactions on one list, and 3,000,000 samples of up
// to four transactions on three keys: lists, registers and scans.
//
// A history without an anomaly proves no level. The next one may show it.
//
// # Cost
//
// Everything but the search for cycles is linear in what the operations show; a scan shows every
// key in its range. 1,000, 10,000 and 100,000 transactions on lists or registers take 5, 50 and 500
// milliseconds of one core, and those that scan up to 32 keys 0.03, 0.5 and 8 seconds (BenchmarkAnalyze).
// An append that no read shows has an edge from each reader of the version before it, so many of
// them are quadratic.
//
// The search goes through transactions that all depend on each other. It finds a shortest cycle of
// edges between neighbouring versions; edges along one key are then drawn together. After 5 million
// steps it settles for the shortest cycle so far.
//
// # Limits
//
// No value may be written to a key twice, since a read would not tell whose write it shows. A
// balance that goes from 100 to 90 and back needs a version, or the writer's number, beside it.
//
// There are no deletes. Before the first transaction there is nothing: record the one that loads
// the data, too. A scan is a range of keys, so a WHERE clause has to be expressed as one.
//
// One anomaly of each kind is reported. If transactions depend on each other in a worse cycle, a
// milder one among them may go unreported. The levels ruled out are the same either way. After an
// impossible read nothing else is looked for.
//
// Real time does not count: a store that shows everybody an old snapshot is serializable. To check
// that a single object is linearizable, use github.com/anishathalye/porcupine.
//
// # Sources
//
// The anomalies are those of Adya, Weak Consistency, MIT 1999, and of Adya, Liskov and O'Neil,
// Generalized Isolation Level Definitions, ICDE 2000. The lost update is P4 of Berenson et al., A
// Critique of ANSI SQL Isolation Levels, SIGMOD 1995. Snapshot isolation is characterized by
// neighbouring rw edges in Cerone and Gotsman, Analysing Snapshot Isolation, PODC 2016. Lists that
// reveal the order of their versions are from Kingsbury and Alvaro, Elle, VLDB 2020.
//
// The nearest peers are github.com/jepsen-io/elle, in Clojure, which knows more data types, levels
// and real time, and its partial port to Go in pkg/elle of github.com/pingcap/tipocket, part of a
// test tool for TiDB. The port has no ranges, and exits the process if a value was appended twice.
package serial

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/pkg/internal/rerun"
)

// A Level is what a store promises.
type Level int

// The levels: four of isolation, each with all that the ones before it forbid, and two promises
// to one session.
const (
	ReadUncommitted Level = iota // Adya's PL-1: no G0
	ReadCommitted                // PL-2: no G1 either
	Snapshot                     // snapshot isolation: every cycle has two rw edges in a row
	Serializable                 // PL-3: no cycle at all
	ReadYourWrites               // a session sees what it wrote
	MonotonicReads               // a session never sees less than it has seen
	levels
)

func (l Level) String() string {
	return [...]string{"read uncommitted", "read committed", "snapshot isolation", "serializable", "read your writes", "monotonic reads"}[l]
}

// A Kind is a kind of anomaly. The package comment says what each is.
type Kind int

// The kinds of anomalies, the worst first.
const (
	Impossible Kind = iota
	G0
	G1a
	G1b
	G1c
	LostUpdate
	GSingle
	LongFork
	G2Item
	G2
	StaleOwn
	Backwards
)

var kinds = [...]struct {
	name string
	out  Level // the mildest level that it rules out
}{
	Impossible: {"impossible read", ReadUncommitted},
	G0:         {"dirty write (G0)", ReadUncommitted},
	G1a:        {"aborted read (G1a)", ReadCommitted},
	G1b:        {"intermediate read (G1b)", ReadCommitted},
	G1c:        {"circular information flow (G1c)", ReadCommitted},
	LostUpdate: {"lost update", Snapshot},
	GSingle:    {"read skew (G-single)", Snapshot},
	LongFork:   {"long fork (G-nonadjacent)", Snapshot},
	G2Item:     {"write skew (G2-item)", Serializable},
	G2:         {"phantom (G2)", Serializable},
	StaleOwn:   {"a session does not see its own write", ReadYourWrites},
	Backwards:  {"a session sees less than before", MonotonicReads},
}

func (k Kind) String() string { return kinds[k].name }

// rulesOut says whether a history with such an anomaly rules out a level. Each level of isolation
// forbids all that the milder ones do, and one of a session only its own anomaly.
func (k Kind) rulesOut(l Level) bool {
	out := kinds[k].out
	return k == Impossible || l == out || out < l && l <= Serializable
}

// An Anomaly is what a history has in every order of versions that fits it.
type Anomaly struct {
	Kind  Kind
	Txns  []int  // the transactions, as indices into the history
	Edges []Edge // of a cycle, in its order
	Text  string // what is to be said beside the edges
}

// An Edge of a cycle says that one transaction comes before another in any serial order.
type Edge struct {
	From, To int
	Type     string // ww: both wrote; wr: the second read it; rw: the first did not see it
	Why      string // the values that prove it, in words
}

// A Report says which anomalies a history shows.
type Report struct {
	History   History
	Anomalies []Anomaly // one of each kind found, the worst first; of cycles the shortest
}

// Analyze finds the anomalies of a history. The error is about a history that cannot be judged,
// such as one that writes a value twice.
func Analyze(h History) (*Report, error) {
	a, err := analyze(h)
	if err != nil {
		return nil, err
	}
	r := &Report{History: a.h, Anomalies: slices.Collect(maps.Values(a.found))}
	slices.SortFunc(r.Anomalies, func(x, y Anomaly) int { return cmp.Compare(x.Kind, y.Kind) })
	return r, nil
}

// RulesOut says whether the history shows that the store does not keep a level. If not, nothing
// is proven.
func (r *Report) RulesOut(l Level) bool {
	return slices.ContainsFunc(r.Anomalies, func(x Anomaly) bool { return x.Kind.rulesOut(l) })
}

// String tells all anomalies, and which levels they rule out.
func (r *Report) String() string {
	var out strings.Builder
	if len(r.Anomalies) == 0 {
		out.WriteString("The history shows no anomaly.\n")
	}
	for _, x := range r.Anomalies {
		fmt.Fprintf(&out, "%s\n", r.describe(x))
	}
	var ruled, open []string
	for l := range levels {
		if r.RulesOut(l) {
			ruled = append(ruled, l.String())
		} else {
			open = append(open, l.String())
		}
	}
	if len(ruled) > 0 {
		fmt.Fprintf(&out, "The history rules out: %s.\n", strings.Join(ruled, ", "))
	}
	if len(open) > 0 {
		fmt.Fprintf(&out, "It does not rule out, and does not prove: %s.\n", strings.Join(open, ", "))
	}
	return out.String()
}

// Check returns an error if the history rules out the level, or cannot be judged, and else nil.
// That is no proof of the level: other transactions may show more.
func Check(h History, promised Level) error {
	if promised < 0 || promised >= levels {
		return fmt.Errorf("serial: there is no level %d", int(promised))
	}
	r, err := Analyze(h)
	if err != nil {
		return err
	}
	if !r.RulesOut(promised) {
		return nil
	}
	return fmt.Errorf("the store promises %s, and the history of %d transactions rules it out\n\n%s",
		promised, len(h), strings.TrimSuffix(r.String(), "\n"))
}

// Test fails the test with what [Check] returns, and says how to run it again.
func Test(t testing.TB, h History, promised Level) {
	t.Helper()
	if err := Check(h, promised); err != nil {
		t.Fatalf("%v\n\nagain: %s", err, rerun.Command(t.Name()))
	}
}
