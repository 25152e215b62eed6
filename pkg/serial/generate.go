package serial

import (
	"math/rand/v2"
	"slices"
	"strconv"
)

// A Workload is a kind of transactions that [Generate] makes. What a store can show depends on it.
type Workload int

// The workloads.
const (
	Appends Workload = iota // reads of lists, and appends to lists that the transaction has not read
	Updates                 // of registers: each put follows a read of its key
	Inserts                 // scans of ranges, and appends to keys that are new in them
)

func (w Workload) String() string { return [...]string{"appends", "updates", "inserts"}[w] }

// writesPerKey is after how many writes a key or a range is given up for a fresh one. It keeps
// lists short, and what a read shows is most of the work.
const writesPerKey = 32

// Generate returns the operations of so many transactions, without what reads will see. They work
// on so many keys or ranges at a time, one at least. Choose few for many conflicts; each is used
// for 32 writes.
// The same seed makes the same transactions. No value is written twice to a key, so do not run one
// of them again: go on with the next.
//
// There is one transaction more, the last. It reads all that was written, so that the order of all
// appends is known: run it when the others have ended.
func Generate(w Workload, seed uint64, txns, keys int) [][]Op {
	g := generator{workload: w, rand: rand.New(rand.NewPCG(seed, 0)), keys: make([]string, keys), writes: make([]int, keys)}
	for i := range g.keys {
		g.renew(i)
	}
	all := make([][]Op, 0, txns+1)
	for range txns {
		var ops []Op
		for range 1 + g.rand.IntN(3) {
			ops = g.add(ops)
		}
		all = append(all, ops)
	}
	return append(all, g.last)
}

type generator struct {
	workload Workload
	rand     *rand.Rand
	keys     []string // in use
	writes   []int    // to each of them
	last     []Op     // reads all keys that there ever were
}

// renew gives up a key, or a range, for a fresh one.
func (g *generator) renew(i int) {
	g.keys[i], g.writes[i] = "k"+strconv.Itoa(len(g.last)+1), 0
	g.last = append(g.last, g.read(g.keys[i]))
}

// read is a read of a key, or a scan of a range: its keys are k1/1, k1/2 and so on, and a zero is
// the character after the slash.
func (g *generator) read(key string) Op {
	if g.workload == Inserts {
		return Op{Kind: Scan, Key: key + "/", To: key + "0"}
	}
	return Op{Kind: Read, Key: key}
}

// add adds a read or a write, or both, of a key that the transaction may have touched before.
func (g *generator) add(ops []Op) []Op {
	i := g.rand.IntN(len(g.keys))
	write := g.rand.IntN(2) == 0
	if g.workload == Appends && slices.ContainsFunc(ops, func(op Op) bool { return op.Kind == Read && op.Key == g.keys[i] }) {
		write = false
	}
	if g.workload != Appends || !write {
		ops = append(ops, g.read(g.keys[i]))
	}
	if !write {
		return ops
	}
	g.writes[i]++
	op := Op{Kind: Append, Key: g.keys[i], Values: []string{strconv.Itoa(g.writes[i])}}
	switch g.workload {
	case Updates:
		op.Kind = Put
	case Inserts:
		op.Key += "/" + op.Values[0]
	default:
	}
	if g.writes[i] == writesPerKey {
		g.renew(i)
	}
	return append(ops, op)
}
