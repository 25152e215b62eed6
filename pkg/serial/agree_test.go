package serial

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// all is for whoever has changed what counts as proven: it takes ten minutes.
var all = flag.Bool("all", false, "hold the package against the brute force on millions of histories, not on tens of thousands")

// tell writes a history for the one who has to find out why a test of it fails.
func tell(h History) string {
	var out strings.Builder
	for i, txn := range named(h) {
		fmt.Fprintf(&out, "%d  %s: %s\n", i, txn.Name, sayTxn(txn))
	}
	return out.String()
}

// disagreement says where the package and the brute force differ on what every order of versions
// shows, or is empty.
func disagreement(h History) (string, *facts) {
	f := newBruteforce(h).tryAll()
	r, err := Analyze(h)
	if err != nil {
		return err.Error(), f
	}
	has := func(kinds ...Kind) bool {
		return slices.ContainsFunc(r.Anomalies, func(x Anomaly) bool { return slices.Contains(kinds, x.Kind) })
	}
	var differ []string
	same := func(what string, got, want bool) {
		if got != want {
			differ = append(differ, fmt.Sprintf("%s: the package says %t, the brute force %t", what, got, want))
		}
	}
	if !f.fits {
		same("nothing fits, so all levels are ruled out", r.RulesOut(ReadUncommitted), true)
	} else {
		same("impossible", has(Impossible), false)
		same("G0", has(G0), f.g0)
		same("G1a", has(G1a), f.g1a)
		same("G1b", has(G1b), f.g1b)
		same("G0 or G1c", has(G0, G1c), f.dependency)
		same("lost update", has(LostUpdate), f.lost)
		for _, x := range r.Anomalies {
			same(x.Kind.String()+" has the edges that it should", rightEdges(x, f, len(h)), true)
		}
		// An aborted value in a register leaves open which one was put over it. Then, or if two were
		// put over one, more may be true in every order, of one transaction or of another.
		undone := f.g1a && f.register
		certain := !undone && !f.branch
		g1 := f.g1a || f.g1b || f.dependency
		if single := has(G0, G1c, LostUpdate, GSingle); single || !f.open && certain {
			same("at most one rw edge", single, f.single)
		}
		if has(LongFork) {
			same("rw edges apart", true, f.apart)
		}
		if !undone {
			same("any cycle", has(G0, G1c, LostUpdate, GSingle, LongFork, G2Item, G2), f.cycle)
		}
		same("rules out read uncommitted", r.RulesOut(ReadUncommitted), f.g0)
		same("rules out read committed", r.RulesOut(ReadCommitted), g1)
		if out := r.RulesOut(Snapshot); out || !f.open {
			same("rules out snapshot isolation", out, g1 || f.apart)
		}
		same("rules out serializable", r.RulesOut(Serializable), g1 || f.cycle)
		if stale := has(StaleOwn); stale || certain {
			same("stale", stale, f.stale)
		}
		if backwards := has(Backwards); backwards || certain {
			same("backwards", backwards, f.backwards)
		}
	}
	if len(differ) == 0 {
		return "", f
	}
	return fmt.Sprintf("%s\n%s\n%s\n%s", strings.Join(differ, "\n"), f, tell(h), r), f
}

// rightEdges says whether the edges of a cycle join one another, are in every order, and are of
// the kinds that the anomaly is named for. Those of a lost update may depend on the order.
func rightEdges(x Anomaly, f *facts, n int) bool {
	count, neighbours := [3]int{}, false
	for i, e := range x.Edges {
		kind := slices.Index([]string{"ww", "wr", "rw"}, e.Type)
		next := x.Edges[(i+1)%len(x.Edges)]
		if e.To != next.From || x.Kind != LostUpdate && !f.edges[e.From*n+e.To][kind] {
			return false
		}
		count[kind]++
		neighbours = neighbours || e.Type == "rw" && next.Type == "rw"
	}
	switch x.Kind {
	case G0:
		return count[0] > 1 && count[1]+count[2] == 0
	case G1c:
		return count[1] > 0 && count[2] == 0
	case GSingle:
		return count[2] == 1
	case LongFork:
		return count[2] > 1 && !neighbours
	case G2Item, G2:
		return count[2] > 1 && neighbours
	case LostUpdate:
		return len(x.Edges) == 2 && count[2] > 0
	default:
		return len(x.Edges) == 0
	}
}

// sample makes a history of up to four transactions, mostly one that could have been. Half of them
// are of a store whose transactions write one after the other and read what is old: only there are
// cycles with several rw edges, and no worse ones, more than rare.
func sample(r *rand.Rand, list func(key string) bool) History {
	h := make(History, 1+r.IntN(4))
	keys := []string{"x", "y", "z"}[:1+r.IntN(3)]
	values := map[string][]string{}
	roles := r.IntN(8) == 0 // two that write, and others that read
	for t := range h {
		txn := &h[t]
		txn.Session = r.IntN(3)
		txn.Outcome = []Outcome{Unknown, Aborted, Committed, Committed, Committed, Committed, Committed, Committed}[r.IntN(8)]
		for range 1 + r.IntN(3) {
			key := keys[r.IntN(len(keys))]
			if roles && t < 2 {
				key = keys[t%len(keys)]
			}
			op := Op{Kind: Read, Key: key}
			switch {
			case roles && t >= 2:
			case r.IntN(8) == 0:
				op = Op{Kind: Scan, Key: "x", To: []string{"y", "z", ""}[r.IntN(3)]}
			case r.IntN(2) == 0 && len(values[key]) < 5:
				value := fmt.Sprint(len(values[key]) + 1)
				values[key] = append(values[key], value)
				op = Op{Kind: Append, Key: key, Values: []string{value}}
				if !list(key) {
					op.Kind = Put
					txn.Ops = append(txn.Ops, Op{Kind: Read, Key: key})
				}
			}
			txn.Ops = append(txn.Ops, op)
		}
	}
	stale := r.IntN(2) == 0
	for _, key := range keys {
		if stale {
			break
		}
		r.Shuffle(len(values[key]), func(i, j int) { values[key][i], values[key][j] = values[key][j], values[key][i] })
	}
	for t := range h {
		own, before := map[string][]string{}, values
		if stale {
			before = writtenBy(h[:t])
		}
		for o := range h[t].Ops {
			op := &h[t].Ops[o]
			switch op.Kind {
			case Read:
				op.Values = show(r, before[op.Key], own[op.Key], list(op.Key))
			case Scan:
				for _, key := range keys {
					if shown := show(r, before[key], own[key], list(key)); (len(shown) > 0) && key >= op.Key && (op.To == "" || key < op.To) {
						op.Rows = append(op.Rows, Row{key, shown})
					}
				}
			default:
				own[op.Key] = append(own[op.Key], op.Values[0])
			}
		}
	}
	r.Shuffle(len(h), func(i, j int) { h[i], h[j] = h[j], h[i] })
	return h
}

func writtenBy(h History) map[string][]string {
	values := map[string][]string{}
	for _, txn := range h {
		for _, op := range txn.Ops {
			if op.Kind == Append || op.Kind == Put {
				values[op.Key] = append(values[op.Key], op.Values[0])
			}
		}
	}
	return values
}

// show makes up what a read shows: a beginning of the list and the reader's own elements, or one
// value, and now and then anything.
func show(r *rand.Rand, order, own []string, list bool) []string {
	shown := slices.Clone(order[:r.IntN(len(order)+1)])
	if r.IntN(16) == 0 {
		r.Shuffle(len(shown), func(i, j int) { shown[i], shown[j] = shown[j], shown[i] })
	}
	if r.IntN(32) > 0 {
		for _, v := range own {
			if !slices.Contains(shown, v) {
				shown = append(shown, v)
			}
		}
	}
	if r.IntN(64) == 0 && len(shown) > 0 {
		shown[r.IntN(len(shown))] = "9"
	}
	if !list && len(shown) > 1 {
		shown = shown[len(shown)-1:]
	}
	return shown
}

// The package and the brute force agree on samples of histories of up to 4 transactions, 3 keys
// and 3 operations.
func TestAgreesOnSamples(t *testing.T) {
	for _, tt := range []struct {
		name string
		list func(string) bool
	}{
		{"lists", func(string) bool { return true }},
		{"registers", func(string) bool { return false }},
		{"both", func(key string) bool { return key == "x" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var fits, cycles, skews, forks, lost, open int
			samples := uint64(20_000)
			if *all {
				samples = 1_000_000
			}
			for seed := range samples {
				h := sample(rand.New(rand.NewPCG(seed, 1)), tt.list)
				text, f := disagreement(h)
				if text != "" {
					t.Fatalf("seed %d:\n%s", seed, text)
				}
				for _, c := range []struct {
					count *int
					is    bool
				}{{&fits, f.fits}, {&cycles, f.cycle}, {&skews, f.cycle && !f.apart}, {&forks, f.apart && !f.single}, {&lost, f.lost}, {&open, f.open}} {
					if c.is {
						*c.count++
					}
				}
			}
			t.Logf("%d samples: %d fit, %d have a cycle in every order, %d of them only with rw edges next to each other and %d only with several apart, %d a lost update, %d an order left open",
				samples, fits, cycles, skews, forks, lost, open)
		})
	}
}

// The package and the brute force agree on all histories of up to two transactions of up to two
// operations on two lists, and of three on one: each outcome of each, and each read of any values.
// Of the last, every 101st is looked at, or with -all every one.
func TestAgreesOnAll(t *testing.T) {
	for _, tt := range []struct {
		txns, every int
		keys        []string
		want        int
	}{
		{txns: 1, every: 1, keys: []string{"x", "y"}, want: 72},
		{txns: 2, every: 1, keys: []string{"x", "y"}, want: 13_104},
		{txns: 3, every: 101, keys: []string{"x"}, want: 4_596_588},
	} {
		count, looked, fits := 0, 0, 0
		allHistories(tt.txns, tt.keys, func(h History) {
			if count++; count%tt.every > 0 && !*all {
				return
			}
			text, f := disagreement(h)
			if text != "" {
				t.Fatal(text)
			}
			if looked++; f.fits {
				fits++
			}
		})
		if count != tt.want {
			t.Errorf("%d transactions: %d histories, want %d", tt.txns, count, tt.want)
		}
		t.Logf("%d transactions, %d keys: %d histories, %d looked at, of which %d fit", tt.txns, len(tt.keys), count, looked, fits)
	}
}

// allHistories calls back with each history of so many transactions of one or two operations.
func allHistories(txns int, keys []string, found func(History)) {
	var ops []Op
	for _, key := range keys {
		ops = append(ops, Op{Kind: Read, Key: key}, Op{Kind: Append, Key: key})
	}
	h := make(History, txns)
	var fill func(t int)
	var outcomes func(t int)
	outcomes = func(t int) {
		if t == txns {
			found(h)
			return
		}
		for h[t].Outcome = Unknown; h[t].Outcome <= Aborted; h[t].Outcome++ {
			outcomes(t + 1)
		}
	}
	fill = func(t int) {
		if t == txns {
			shapes(h, outcomes)
			return
		}
		for _, first := range ops {
			h[t].Ops = []Op{first}
			fill(t + 1)
			for _, second := range ops {
				h[t].Ops = []Op{first, second}
				fill(t + 1)
			}
		}
	}
	fill(0)
}

// shapes gives each append its value, and goes through all that the reads can show.
func shapes(h History, next func(int)) {
	values := map[string][]string{}
	var reads []*Op
	for t := range h {
		h[t].Ops = slices.Clone(h[t].Ops)
		for o := range h[t].Ops {
			op := &h[t].Ops[o]
			if op.Kind == Read {
				reads = append(reads, op)
				continue
			}
			value := fmt.Sprint(len(values[op.Key]) + 1)
			values[op.Key] = append(values[op.Key], value)
			op.Values = []string{value}
		}
	}
	var show func(i int)
	show = func(i int) {
		if i == len(reads) {
			next(0)
			return
		}
		var extend func(shown []string)
		extend = func(shown []string) {
			reads[i].Values = shown
			show(i + 1)
			for _, v := range values[reads[i].Key] {
				if !slices.Contains(shown, v) {
					extend(append(slices.Clone(shown), v))
				}
			}
		}
		extend(nil)
	}
	show(0)
}
