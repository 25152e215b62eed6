package serial

import (
	"fmt"
	"slices"
)

// orderLists takes the read that shows most for the order, of which every other read must be the
// beginning.
func (a *analysis) orderLists() {
	for t := range a.accesses {
		for i := range a.accesses[t] {
			if x := &a.accesses[t][i]; !x.write && a.keys[x.key].list && !a.inOrder(x, a.keys[x.key].longest) {
				return
			}
		}
	}
	for k := range a.keys {
		key := &a.keys[k]
		if key.longest == nil {
			continue
		}
		for _, v := range key.longest.seen {
			a.versions[v].trunk, a.versions[v].parent = true, key.last
			key.last = v
		}
	}
	a.orderUnseen()
}

func (a *analysis) inOrder(x, longest *access) bool {
	for i, v := range x.seen {
		if v != longest.seen[i] {
			a.report(Anomaly{Kind: Impossible, Txns: []int{longest.txn, x.txn}, Text: fmt.Sprintf(
				"%s, and %s: neither list begins with the other, so an append was lost, or the order changed",
				a.sayReadAt(longest, i), a.sayReadAt(x, i))})
			return false
		}
	}
	return true
}

// orderUnseen orders the elements that no read shows: they came later than all that one shows. More
// is not known.
func (a *analysis) orderUnseen() {
	for i := range a.versions {
		v := &a.versions[i]
		if !v.trunk && a.keys[v.key].list {
			v.parent = a.keys[v.key].last
		}
	}
}

// orderRegisters puts each value after the one that its transaction read or wrote last.
func (a *analysis) orderRegisters() {
	for t := range a.accesses {
		saw := map[int]int{}
		for _, x := range a.accesses[t] {
			if !a.keys[x.key].register {
				continue
			}
			if parent, ok := saw[x.key]; ok && x.write {
				a.versions[x.version].parent = parent
			}
			saw[x.key] = x.version
		}
	}
}

// link gives each version its children, and numbers all by a walk, so that descendants are told
// at once.
func (a *analysis) link() {
	for i := range a.versions {
		v := &a.versions[i]
		if !a.happened[v.writer] {
			continue
		}
		siblings := a.children(v.key, v.parent)
		*siblings = append(*siblings, i)
	}
	clock := 1
	for k := range a.keys {
		path := slices.Clone(a.keys[k].roots)
		for len(path) > 0 {
			v := &a.versions[path[len(path)-1]]
			if v.enter > 0 { // all below it have been numbered
				v.exit = clock
				path = path[:len(path)-1]
			} else {
				v.enter = clock
				path = append(path, v.children...)
			}
			clock++
		}
	}
}

// children of a version are those that came after it, and of which no order is known.
func (a *analysis) children(k, parent int) *[]int {
	if parent == initial {
		return &a.keys[k].roots
	}
	return &a.versions[parent].children
}

// before says that one version of a key came before another in every order that fits.
func (a *analysis) before(v, w int) bool {
	if v == initial || w == initial {
		return v != w && v == initial
	}
	x, y := &a.versions[v], &a.versions[w]
	return x.enter < y.enter && y.enter < x.exit
}

// lostUpdates finds transactions that read a version and wrote the key later, while another
// wrote it in between. If two read the same version and wrote, it is so whichever came first.
func (a *analysis) lostUpdates() {
	type place struct{ key, version int }
	over := map[place]*access{}
	for t := range a.accesses {
		for _, u := range a.updates(t) {
			if parent := a.versions[u.version].parent; parent != u.read.version {
				u.read.lost = true
				a.report(a.lostUpdate(u.read, parent, u.version))
				continue
			}
			at := place{u.read.key, u.read.version}
			other, ok := over[at]
			if !ok {
				over[at] = u.read
				continue
			}
			u.read.lost, other.lost = true, true
			a.report(a.lostOneOfTwo(other, u.read))
		}
	}
}

// An update is the first write of a transaction to a key, and its last read of the key before.
type update struct {
	read    *access
	version int
}

func (a *analysis) updates(t int) []update {
	var all []update
	read := map[int]*access{} // by key that it writes
	for _, x := range a.accesses[t] {
		if x.write {
			read[x.key] = nil
		}
	}
	for i := range a.accesses[t] {
		x := &a.accesses[t][i]
		r, writes := read[x.key]
		switch {
		case writes && !x.write:
			read[x.key] = x
		case r != nil && a.versions[x.version].prev == none:
			all = append(all, update{r, x.version})
		}
	}
	return all
}

// firstWrite is what a transaction wrote first to the key that it had read.
func (a *analysis) firstWrite(r *access) int {
	for _, x := range a.accesses[r.txn] {
		if x.write && x.key == r.key {
			return x.version
		}
	}
	return none
}

// A place is a key as one session knows it.
type place struct{ session, key int }

// sessions finds reads that miss what their session wrote, or show less than it has seen. Only
// committed transactions count: of the others no client was told.
func (a *analysis) sessions() {
	wrote, saw := map[place]int{}, map[place]*access{}
	for t, txn := range a.h {
		if txn.Session == 0 || txn.Outcome != Committed {
			continue
		}
		for i := range a.accesses[t] {
			if x := &a.accesses[t][i]; !x.write {
				a.judgeInSession(x, wrote, saw)
			}
		}
		for _, x := range a.accesses[t] {
			at := place{txn.Session, x.key}
			if v, ok := wrote[at]; x.write && (!ok || !a.before(x.version, v)) {
				wrote[at] = x.version
			}
		}
	}
}

func (a *analysis) judgeInSession(x *access, wrote map[place]int, saw map[place]*access) {
	at := place{a.h[x.txn].Session, x.key}
	if v, ok := wrote[at]; ok && a.before(x.version, v) {
		a.report(Anomaly{Kind: StaleOwn, Txns: []int{a.versions[v].writer, x.txn}, Text: fmt.Sprintf(
			"%s, and before that, in the same session, %s", a.sayRead(x), a.sayWrite(v))})
	}
	if y, ok := saw[at]; ok && a.before(x.version, y.version) {
		a.report(Anomaly{Kind: Backwards, Txns: []int{y.txn, x.txn}, Text: fmt.Sprintf(
			"%s, and before that, in the same session, %s", a.sayRead(x), a.sayRead(y))})
	}
	saw[at] = x
}
