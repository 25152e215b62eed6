package serial

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// A toy is a store that keeps what it is told to, and no more. Clients take turns by a seed.
type toy struct {
	level toyLevel
	rand  *rand.Rand
	clock int
	data  map[string][]toyValue // in the order in which they came
}

type toyLevel int

const (
	anything toyLevel = iota // writes are there at once, and in the middle of a list if the seed says so
	committed
	snapshots
	serializable
)

type toyValue struct {
	value string
	at    int // the time of the commit, or of the write where anything goes
	put   bool
}

type toyTxn struct {
	began  int
	ops    []Op // that are left
	writes []Op
	reads  []Op
	rec    *Tx
}

// runToy runs all transactions but the last on the store, some of them at a time, and then the last.
func runToy(level toyLevel, seed uint64, plan [][]Op, clients int) History {
	s := &toy{level: level, rand: rand.New(rand.NewPCG(seed, 2)), data: map[string][]toyValue{}}
	var rec Recorder
	running := make([]*toyTxn, clients)
	next, last := 0, len(plan)-1
	for next < last || slices.ContainsFunc(running, func(t *toyTxn) bool { return t != nil }) {
		c := s.rand.IntN(clients)
		switch t := running[c]; {
		case t == nil && next < last:
			running[c] = s.begin(rec.Begin(c+1), plan[next])
			next++
		case t != nil && len(t.ops) > 0:
			s.step(t)
		case t != nil:
			s.end(t, s.rand.IntN(40))
			running[c] = nil
		}
	}
	t := s.begin(rec.Begin(0), plan[last])
	for len(t.ops) > 0 {
		s.step(t)
	}
	s.end(t, 10)
	return rec.History()
}

func (s *toy) begin(rec *Tx, ops []Op) *toyTxn {
	return &toyTxn{began: s.clock, ops: ops, rec: rec}
}

func (s *toy) step(t *toyTxn) {
	op := t.ops[0]
	t.ops = t.ops[1:]
	s.clock++
	switch op.Kind {
	case Read:
		t.rec.Read(op.Key, s.read(t, op.Key)...)
		t.reads = append(t.reads, op)
	case Scan:
		var rows []Row
		for i := range writesPerKey {
			key := fmt.Sprintf("%s%d", op.Key, i+1)
			if values := s.read(t, key); len(values) > 0 {
				rows = append(rows, Row{key, values})
			}
		}
		t.rec.Scan(op.Key, op.To, rows...)
		t.reads = append(t.reads, op)
	default:
		if op.Kind == Put {
			t.rec.Put(op.Key, op.Values[0])
		} else {
			t.rec.Append(op.Key, op.Values[0])
		}
		t.writes = append(t.writes, op)
		if s.level == anything {
			s.apply(op)
		}
	}
}

// read shows all that was committed before, or all that there is, and the reader's own writes.
func (s *toy) read(t *toyTxn, key string) []string {
	var shown []string
	for _, v := range s.data[key] {
		if s.level == anything || s.level == committed || v.at <= t.began {
			shown = append(shown, v.value)
		}
	}
	put := len(s.data[key]) > 0 && s.data[key][0].put
	for _, op := range t.writes {
		if op.Key == key && s.level != anything {
			shown = append(shown, op.Values[0])
		}
		put = put || op.Kind == Put && op.Key == key
	}
	if len(shown) > 1 && put {
		shown = shown[len(shown)-1:]
	}
	return shown
}

func (s *toy) apply(op Op) {
	s.data[op.Key] = append(s.data[op.Key], toyValue{op.Values[0], s.clock, op.Kind == Put})
}

// end commits, or not: now and then a client gives up, or is not told.
func (s *toy) end(t *toyTxn, dice int) {
	s.clock++
	fails := dice < 2
	newer := func(key string) bool {
		return slices.ContainsFunc(s.data[key], func(v toyValue) bool { return v.at > t.began })
	}
	if s.level >= snapshots {
		fails = fails || slices.ContainsFunc(t.writes, func(op Op) bool { return newer(op.Key) })
	}
	if s.level == serializable {
		for _, op := range t.reads {
			fails = fails || op.Kind == Read && newer(op.Key)
			for key := range s.data {
				fails = fails || op.Kind == Scan && strings.HasPrefix(key, op.Key) && newer(key)
			}
		}
	}
	for _, op := range t.writes {
		if s.level == anything && fails {
			s.data[op.Key] = slices.DeleteFunc(s.data[op.Key], func(v toyValue) bool { return v.value == op.Values[0] })
		} else if s.level != anything && !fails {
			s.apply(op)
		}
	}
	switch {
	case dice == 0 || dice == 3:
		t.rec.Unknown()
	case fails:
		t.rec.Abort()
	default:
		t.rec.Commit()
	}
}

// A store that keeps a level never shows what the level forbids, and does show what it allows.
func TestToyStores(t *testing.T) {
	for _, tt := range []struct {
		level    toyLevel
		workload Workload
		promised []Level
		want     []Kind // are shown by one of the seeds
	}{
		{anything, Appends, nil, []Kind{G0, G1a, G1c, GSingle}},
		{anything, Updates, nil, []Kind{Impossible, G1a, G1b}},
		{committed, Appends, []Level{ReadCommitted, ReadYourWrites, MonotonicReads}, []Kind{GSingle, G2Item}},
		{committed, Updates, []Level{ReadCommitted, ReadYourWrites, MonotonicReads}, []Kind{LostUpdate, GSingle, G2Item}},
		{committed, Inserts, []Level{ReadCommitted, ReadYourWrites, MonotonicReads}, []Kind{GSingle, G2}},
		{snapshots, Appends, []Level{Snapshot, ReadYourWrites, MonotonicReads}, []Kind{G2Item}},
		{snapshots, Updates, []Level{Snapshot, ReadYourWrites, MonotonicReads}, []Kind{G2Item}},
		{snapshots, Inserts, []Level{Snapshot, ReadYourWrites, MonotonicReads}, []Kind{G2}},
		{serializable, Appends, []Level{Serializable, ReadYourWrites, MonotonicReads}, nil},
		{serializable, Updates, []Level{Serializable, ReadYourWrites, MonotonicReads}, nil},
		{serializable, Inserts, []Level{Serializable, ReadYourWrites, MonotonicReads}, nil},
	} {
		found := map[Kind]int{}
		for seed := range uint64(100) {
			h := runToy(tt.level, seed, Generate(tt.workload, seed, 40, 3), 4)
			r, err := Analyze(h)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range r.Anomalies {
				found[x.Kind]++
			}
			for _, l := range tt.promised {
				if r.RulesOut(l) {
					t.Fatalf("level %d, %s, seed %d: %s is ruled out\n%s\n%s", tt.level, tt.workload, seed, l, tell(h), r)
				}
			}
		}
		for _, k := range tt.want {
			if found[k] == 0 {
				t.Errorf("level %d, %s: no %s, but %v", tt.level, tt.workload, k, found)
			}
		}
		t.Logf("level %d, %s: %v", tt.level, tt.workload, found)
	}
}

func BenchmarkAnalyze(b *testing.B) {
	for _, level := range []struct {
		name  string
		level toyLevel
	}{{"read committed", committed}, {"snapshot", snapshots}, {"serializable", serializable}} {
		for _, txns := range []int{1_000, 10_000, 100_000} {
			for w := Appends; w <= Inserts; w++ {
				b.Run(fmt.Sprintf("%s/%s/%d", level.name, w, txns), func(b *testing.B) {
					if level.level == serializable && w == Inserts {
						b.Skip("the toy store looks through all it has")
					}
					h := runToy(level.level, 1, Generate(w, 1, txns, 20), 10)
					b.ReportAllocs()
					for b.Loop() {
						if _, err := Analyze(h); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}
