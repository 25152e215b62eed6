package serial

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is generated is the same for a seed, writes no value twice to a key and none before its
// transaction has read a register, and the last transaction reads all that is written.
func TestGenerate(t *testing.T) {
	for w := Appends; w <= Inserts; w++ {
		plan := Generate(w, 5, 1000, 3)
		if len(plan) != 1001 || !cmp.Equal(plan, Generate(w, 5, 1000, 3)) || cmp.Equal(plan, Generate(w, 6, 1000, 3)) {
			t.Errorf("%s: %d transactions, want 1001, the same for the same seed", w, len(plan))
		}
		var h History
		for _, ops := range plan {
			h = append(h, Txn{Ops: slices.Clone(ops)}) // unknown, so reads of nothing prove nothing
		}
		if err := Check(h, Serializable); err != nil {
			t.Error(w, err)
		}
		writes := map[string]int{}
		for _, ops := range plan {
			for i, op := range ops {
				if op.Kind == Read || op.Kind == Scan {
					continue
				}
				writes[op.Key]++
				before := slices.ContainsFunc(ops[:i], func(o Op) bool { return o.Kind == Read && o.Key == op.Key })
				if w == Updates && !before || w == Appends && before {
					t.Errorf("%s: read before it was written is %t: %v", w, before, ops)
				}
			}
		}
		for key, n := range writes {
			if n > writesPerKey {
				t.Errorf("%s: %s is written %d times", w, key, n)
			}
			if !slices.ContainsFunc(plan[1000], func(o Op) bool { return o.Key == key || o.Kind == Scan && o.Key <= key && key < o.To }) {
				t.Errorf("%s: the last transaction does not read %s", w, key)
			}
		}
	}
}
