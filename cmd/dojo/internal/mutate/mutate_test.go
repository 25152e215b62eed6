package mutate

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/variants"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
	"github.com/backend-kata/dojo/kata"
)

// mutants finds the mutants of a reference, in a module of its own.
func mutants(t *testing.T, reference string) []*Mutant {
	t.Helper()
	k := workbook.Kata{Question: kata.Question{Folder: "saga"}, Root: t.TempDir()}
	if err := os.MkdirAll(k.Solutions(), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		filepath.Join(k.Root, "go.mod"): "module example.com/dojo\n\ngo 1.26.0\n",
		k.Reference():                   reference,
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tools, err := testrun.NewToolchain(k.Root)
	if err != nil {
		t.Fatal(err)
	}
	program, err := variants.Load(t.Context(), tools, k)
	if err != nil {
		t.Fatal(err)
	}
	return Find(program)
}

// TestOperators compares the operators that apply to each line of a file with its
// comments "want".
func TestOperators(t *testing.T) {
	source, err := os.ReadFile(filepath.Join("testdata", "operators.go.txt"))
	if err != nil {
		t.Fatal(err)
	}
	unused := map[string]bool{}
	for _, op := range operators {
		unused[op.id] = true
	}
	got := map[int][]string{}
	for _, m := range mutants(t, string(source)) {
		what, _, _ := strings.Cut(m.Name, ":")
		op := what[strings.LastIndexByte(what, ' ')+1:]
		got[m.Line] = append(got[m.Line], op)
		delete(unused, op)
	}
	for i, line := range strings.Split(string(source), "\n") {
		var want []string
		if m := regexp.MustCompile(`// want (.*)`).FindStringSubmatch(line); m != nil {
			want = strings.Fields(m[1])
		}
		slices.Sort(want)
		slices.Sort(got[i+1])
		if !slices.Equal(got[i+1], want) {
			t.Errorf("line %d: %s\n got %v\nwant %v", i+1, strings.TrimSpace(line), got[i+1], want)
		}
	}
	if len(unused) > 0 {
		t.Errorf("no mutant by %v", unused)
	}
}

func TestNames(t *testing.T) {
	const reference = "package saga\n\ntype T struct{ n int }\n\nfunc (t *T) Set(n int) {\n\tt.n = 2*n + 2*n // doubled, and again\n}\n"
	var got []string
	for _, m := range mutants(t, reference) {
		got = append(got, m.Name)
	}
	for _, want := range []string{
		"(*T).Set del-assign: t.n = 2*n + 2*n → (removed)",
		"(*T).Set arith: t.n = 2*n + 2*n → t.n = 2*n - 2*n",
		"(*T).Set const: t.n = 2*n + 2*n → t.n = 2*n + 3*n",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no mutant is named %q; there are:\n%s", want, strings.Join(got, "\n"))
		}
	}
	same := mutants(t, "package saga\n\nfunc f(n int) int {\n\tn++\n\tn++\n\treturn n\n}\n")
	if name := "f del-incdec: n++ → (removed)"; !slices.ContainsFunc(same, func(m *Mutant) bool { return m.Name == name+" (2)" }) {
		t.Errorf("the second of two that change the same is to be named %q and a number", name)
	}
}

// An operand that is taken out is taken out whole, a chain of its own as well.
func TestOperandOfAChain(t *testing.T) {
	all := mutants(t, "package saga\n\nfunc f(a, b, c bool) bool { return a || b || c }\n")
	for _, want := range []string{"return (false && (a || b)) || c", "return a || b || (false && (c))"} {
		if !slices.ContainsFunc(all, func(m *Mutant) bool { return strings.Contains(m.source, want) }) {
			t.Errorf("no mutant has %q", want)
		}
	}
}

func TestSpared(t *testing.T) {
	got, err := parseSpared("# the locks\n\nequivalent f lock: mu.Lock() → (removed)\n    Nobody else\n    has it.\n" +
		"open f split: x → y\n\tEither is right.\n")
	want := []Spared{{true, "f lock: mu.Lock() → (removed)", "Nobody else has it."}, {false, "f split: x → y", "Either is right."}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for text, want := range map[string]string{
		"equal f lock: x → y\n  Why.\n": `line 1 starts with "equal"`,
		"open f lock: x → y\n":          "has no reason",
		"  A reason.\n":                 "a reason without a mutant",
	} {
		if _, err := parseSpared(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want %q", text, err, want)
		}
	}
}

func TestCount(t *testing.T) {
	killed := func(name string, concurrency bool) *Mutant {
		return &Mutant{Name: name, Concurrency: concurrency, Runs: 1, Kills: 1}
	}
	sometimes := &Mutant{Name: "sometimes", Concurrency: true, Runs: 2, Kills: 1}
	equal := &Mutant{Name: "equal", Concurrency: true, Runs: 1}
	either := &Mutant{Name: "either", Concurrency: true, Runs: 1}
	other := &Mutant{Name: "other", Runs: 1}
	all := []*Mutant{killed("a", true), killed("b", true), sometimes, equal, either, other, killed("c", false)}
	s := Count(all, all, []Spared{{true, "equal", "-"}, {false, "either", "-"}, {false, "a", "-"}, {true, "gone", "-"}, {true, "other", "-"}})
	if s.Mutants != 5 || s.Killed != 2 || s.Equivalent != 1 || s.Open != 1 || s.Others != 2 || s.OthersKilled != 1 || s.Raw() != "50 %" {
		t.Errorf("counts %+v", s)
	}
	if len(s.Unlisted) != 1 || s.Unlisted[0] != sometimes || len(s.Survivors) != 1 || s.Survivors[0] != other {
		t.Errorf("survivors %v and %v", s.Unlisted, s.Survivors)
	}
	if !slices.Equal(s.KilledSpared, []string{"a"}) || !slices.Equal(s.GoneSpared, []string{"gone", "other"}) {
		t.Errorf("stale %v and %v; of operators that are not of concurrency none is spared", s.KilledSpared, s.GoneSpared)
	}
}

func TestRecord(t *testing.T) {
	races := workbook.Kata{Question: kata.Question{Folder: "races"}}
	saga := workbook.Kata{Question: kata.Question{Folder: "saga"}}
	page := "before\n" + open + "\n" + end + "\nafter\n"
	for _, row := range []struct {
		k    workbook.Kata
		hash string
	}{{saga, "1"}, {races, "2"}, {saga, "3"}} {
		var err error
		if page, err = Record(page, row.k, Score{Mutants: 3, Killed: 2, Open: 1, Others: 4, OthersKilled: 3}, row.hash); err != nil {
			t.Fatal(err)
		}
	}
	want := "before\n" + open + "\n" + head + "| [races](../kata/races) | 3 | 2 | 0 | 1 | 0 | 4 | 75 % | 2 |\n" +
		"| [saga](../kata/saga) | 3 | 2 | 0 | 1 | 0 | 4 | 75 % | 3 |\n" + end + "\nafter\n"
	if page != want {
		t.Errorf("got\n%s\nwant\n%s", page, want)
	}
	if _, err := Record("no marks", saga, Score{}, ""); err == nil {
		t.Error("a page without marks was expected to be refused")
	}
}
