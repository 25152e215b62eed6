package serial

import (
	"fmt"
	"slices"
	"strings"
)

const (
	initial = -1 // the version of a key before anybody wrote it
	none    = -1 // no version
	nobody  = -2 // the version of a value that no transaction wrote
)

// A version is one write, also of a transaction that did not happen. They are numbered in the
// order of transactions, and within one in that of its operations.
type version struct {
	key, writer int
	value       string
	prev, next  int // the writer's write to the key before and after this one, or none

	shown    int   // the number of the read that showed it last
	trunk    bool  // of a list: a read of another transaction shows where it stands
	parent   int   // the version that it came after in every order, or initial
	children []int // the versions of which it is the parent
	enter    int   // of a walk through parents and children, from 1: a descendant of v
	exit     int   // has v.enter < enter < v.exit
}

// An access is one read or write of one key. A scan is a read of each key in its range.
type access struct {
	txn, op, key int
	write        bool
	version      int   // what was written; of a read, the last that it shows of others
	seen         []int // of a read, the versions that it shows, in order
	missed       bool  // of a scan, which does not show the key
	void         bool  // of a read, which shows its own or an aborted value in a register
	lost         bool  // of a read, which a lost update begins with
}

type key struct {
	name           string
	list, register bool
	byValue        map[string]int
	roots          []int   // versions whose parent is initial
	longest        *access // of a list, the read that shows most
	last           int     // of a list, the last version that it shows
}

// An analysis has all that one history says.
type analysis struct {
	h        History
	keys     []key
	byName   map[string]int
	versions []version
	accesses [][]access // by transaction, in order; none of one that did not happen
	happened []bool     // by transaction: committed, or unknown and seen
	reads    int        // judged so far
	found    map[Kind]Anomaly
}

// analyze goes through the stages: what was written and read, which transactions happened, what
// each read says of them, in which order the versions came, and who depends on whom.
func analyze(h History) (*analysis, error) {
	a := &analysis{
		h: named(h), byName: map[string]int{}, accesses: make([][]access, len(h)),
		happened: make([]bool, len(h)), found: map[Kind]Anomaly{},
	}
	if err := a.index(); err != nil {
		return nil, err
	}
	if err := a.observe(); err != nil {
		return nil, err
	}
	a.settle()
	a.judge()
	a.orderLists()
	if _, ok := a.found[Impossible]; ok {
		return a, nil // what cannot be proves nothing further
	}
	a.orderRegisters()
	a.link()
	a.lostUpdates()
	a.sessions()
	a.cycles()
	return a, nil
}

func named(h History) History {
	h = slices.Clone(h)
	for i := range h {
		if h[i].Name == "" {
			h[i].Name = fmt.Sprintf("T%d", i+1)
		}
	}
	return h
}

// report keeps the first anomaly of each kind.
func (a *analysis) report(x Anomaly) {
	if _, ok := a.found[x.Kind]; !ok {
		a.found[x.Kind] = x
	}
}

// index makes a key of each name, and a version of each write.
func (a *analysis) index() error {
	for t, txn := range a.h {
		if txn.Outcome < Unknown || txn.Outcome > Aborted {
			return fmt.Errorf("serial: %s has an outcome of %d, which is none of the three", txn.Name, int(txn.Outcome))
		}
		last := map[int]int{}
		for _, op := range txn.Ops {
			switch op.Kind {
			case Append, Put:
				if err := a.indexWrite(t, op, last); err != nil {
					return err
				}
			case Read:
				a.key(op.Key)
			case Scan:
				for _, row := range op.Rows {
					a.key(row.Key)
				}
			default:
				return fmt.Errorf("serial: %s has an operation of kind %d, which is none of the four", txn.Name, int(op.Kind))
			}
		}
	}
	return nil
}

func (a *analysis) key(name string) int {
	k, ok := a.byName[name]
	if !ok {
		k = len(a.keys)
		a.byName[name] = k
		a.keys = append(a.keys, key{name: name, byValue: map[string]int{}, last: initial})
	}
	return k
}

func (a *analysis) indexWrite(t int, op Op, last map[int]int) error {
	if len(op.Values) != 1 {
		return fmt.Errorf("serial: %s writes %d values to %s in one operation, and must write one", a.h[t].Name, len(op.Values), op.Key)
	}
	k, value := a.key(op.Key), op.Values[0]
	key := &a.keys[k]
	key.list = key.list || op.Kind == Append
	key.register = key.register || op.Kind == Put
	if key.list && key.register {
		return fmt.Errorf("serial: %s is appended to and put into; a key is a list or a register", op.Key)
	}
	if v, ok := key.byValue[value]; ok {
		return fmt.Errorf("serial: %s and %s both write %s to %s, so a read does not tell whose write it shows; write each value once, also when a transaction is tried again",
			a.h[a.versions[v].writer].Name, a.h[t].Name, value, op.Key)
	}
	v := len(a.versions)
	key.byValue[value] = v
	prev, ok := last[k]
	if ok {
		a.versions[prev].next = v
	} else {
		prev = none
	}
	last[k] = v
	a.versions = append(a.versions, version{key: k, writer: t, value: value, prev: prev, next: none, parent: initial})
	return nil
}

// observe makes the accesses of each transaction that may have happened.
func (a *analysis) observe() error {
	sorted := make([]int, len(a.keys)) // by name
	for k := range sorted {
		sorted[k] = k
	}
	slices.SortFunc(sorted, func(k, l int) int { return strings.Compare(a.keys[k].name, a.keys[l].name) })
	for t, txn := range a.h {
		if txn.Outcome == Aborted {
			continue
		}
		for o, op := range txn.Ops {
			if err := a.observeOp(access{txn: t, op: o, key: a.byName[op.Key]}, op, sorted); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *analysis) observeOp(x access, op Op, sorted []int) error {
	switch op.Kind {
	case Read:
		return a.observeRead(x, op.Values)
	case Scan:
		return a.observeScan(x, op, sorted)
	default:
		x.write, x.version = true, a.keys[x.key].byValue[op.Values[0]]
	}
	accesses := a.accesses[x.txn]
	if op.Kind == Put && !slices.ContainsFunc(accesses, func(y access) bool { return y.key == x.key }) {
		return fmt.Errorf("serial: %s puts %s into %s and has not read it before, so nothing tells which value it replaced; read first, or use lists",
			a.h[x.txn].Name, op.Values[0], op.Key)
	}
	a.accesses[x.txn] = append(accesses, x)
	return nil
}

func (a *analysis) observeRead(x access, values []string) error {
	key := &a.keys[x.key]
	if key.register && len(values) > 1 {
		return fmt.Errorf("serial: %s read %d values of the register %s, which has one or none", a.h[x.txn].Name, len(values), key.name)
	}
	x.seen = make([]int, len(values))
	for i, value := range values {
		v, ok := key.byValue[value]
		if !ok {
			v = nobody
		}
		x.seen[i] = v
	}
	a.accesses[x.txn] = append(a.accesses[x.txn], x)
	return nil
}

func (a *analysis) observeScan(x access, op Op, sorted []int) error {
	rows := make(map[string][]string, len(op.Rows))
	for _, row := range op.Rows {
		if _, twice := rows[row.Key]; twice || row.Key < op.Key || op.To != "" && row.Key >= op.To {
			return fmt.Errorf("serial: %s scanned %s and saw %s, which is outside the range or is there twice", a.h[x.txn].Name, sayRange(op), row.Key)
		}
		rows[row.Key] = row.Values
	}
	byName := func(k int, name string) int { return strings.Compare(a.keys[k].name, name) }
	from, _ := slices.BinarySearchFunc(sorted, op.Key, byName)
	to, _ := slices.BinarySearchFunc(sorted, op.To, byName)
	if op.To == "" {
		to = len(sorted)
	}
	a.accesses[x.txn] = slices.Grow(a.accesses[x.txn], max(0, to-from))
	for _, k := range sorted[from:max(from, to)] {
		values, ok := rows[a.keys[k].name]
		x.key, x.missed = k, !ok
		if err := a.observeRead(x, values); err != nil {
			return err
		}
	}
	return nil
}

// settle finds out who happened: the committed transactions, and of the unknown ones those of
// which one that happened saw a write. The others may have left no trace, so they prove nothing.
func (a *analysis) settle() {
	var todo []int
	for t, txn := range a.h {
		if txn.Outcome == Committed {
			a.happened[t] = true
			todo = append(todo, t)
		}
	}
	for len(todo) > 0 {
		t := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, w := range a.unknownSeenBy(t) {
			if !a.happened[w] {
				a.happened[w] = true
				todo = append(todo, w)
			}
		}
	}
	for t := range a.accesses {
		if !a.happened[t] {
			a.accesses[t] = nil
		}
	}
}

// unknownSeenBy are the writers of unknown outcome that a transaction saw.
func (a *analysis) unknownSeenBy(t int) []int {
	var all []int
	for _, x := range a.accesses[t] {
		for _, v := range x.seen {
			if v != nobody && a.h[a.versions[v].writer].Outcome == Unknown {
				all = append(all, a.versions[v].writer)
			}
		}
	}
	return all
}

// judge compares each read with what its own transaction wrote before, and with what the others
// wrote in all.
func (a *analysis) judge() {
	for t := range a.accesses {
		wrote := map[int]int{} // by key, the last version so far
		for i := range a.accesses[t] {
			x := &a.accesses[t][i]
			if x.write {
				wrote[x.key] = x.version
				continue
			}
			own, ok := wrote[x.key]
			if !ok {
				own = none
			}
			if why := a.impossible(x, own); why != "" {
				a.report(Anomaly{Kind: Impossible, Txns: []int{t}, Text: a.sayRead(x) + ", " + why})
				x.void = true
				continue
			}
			a.judgeWriters(x)
			a.keepProof(x, own)
		}
		a.accesses[t] = slices.DeleteFunc(a.accesses[t], func(x access) bool { return x.void })
	}
}

// impossible says why no store could have shown this, or nothing. Own is the last that the
// reader had written to the key, or none. It notes which versions the read shows.
func (a *analysis) impossible(x *access, own int) string {
	a.reads++
	for i, v := range x.seen {
		if v == nobody {
			return fmt.Sprintf("and no transaction wrote %s; if it was there from the start, record the transaction that loaded it", a.values(x)[i])
		}
		w := &a.versions[v]
		switch {
		case w.shown == a.reads:
			return fmt.Sprintf("which shows %s twice", w.value)
		case w.writer == x.txn && v > own:
			return fmt.Sprintf("and wrote %s only later", w.value)
		case a.keys[x.key].list && a.happened[w.writer] && w.prev != none && a.versions[w.prev].shown != a.reads:
			return fmt.Sprintf("and %s had appended %s before %s", a.h[w.writer].Name, a.versions[w.prev].value, w.value)
		}
		w.shown = a.reads
	}
	if own != none && a.versions[own].shown != a.reads {
		return fmt.Sprintf("without its own %s", a.versions[own].value)
	}
	return ""
}

// judgeWriters finds reads of what was aborted (G1a) or not final (G1b).
func (a *analysis) judgeWriters(x *access) {
	for _, v := range x.seen {
		w := &a.versions[v]
		if w.writer == x.txn {
			continue
		}
		if !a.happened[w.writer] {
			a.report(Anomaly{Kind: G1a, Txns: []int{w.writer, x.txn}, Text: fmt.Sprintf(
				"%s, and %s, which wrote %s, was aborted", a.sayRead(x), a.h[w.writer].Name, w.value)})
		} else if w.next != none && a.versions[w.next].shown != a.reads {
			a.report(Anomaly{Kind: G1b, Txns: []int{w.writer, x.txn}, Text: fmt.Sprintf(
				"%s, but not %s, which %s wrote after %s", a.sayRead(x), a.versions[w.next].value, a.h[w.writer].Name, w.value)})
		}
	}
}

// keepProof leaves in a read what it proves of the others. What the reader itself appended at the
// end, other readers may find elsewhere.
func (a *analysis) keepProof(x *access, own int) {
	shown := len(x.seen)
	x.seen = slices.DeleteFunc(x.seen, func(v int) bool { return !a.happened[a.versions[v].writer] })
	x.void = a.keys[x.key].register && (own != none || len(x.seen) < shown)
	for len(x.seen) > 0 && a.versions[x.seen[len(x.seen)-1]].writer == x.txn {
		x.seen = x.seen[:len(x.seen)-1]
	}
	x.version = initial
	if len(x.seen) > 0 {
		x.version = x.seen[len(x.seen)-1]
	}
	if key := &a.keys[x.key]; key.list && (key.longest == nil || len(x.seen) > len(key.longest.seen)) {
		longest := *x // the slice that holds x may yet change
		key.longest = &longest
	}
}
