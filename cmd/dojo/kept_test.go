package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/prove"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// proveWith proves the kata and returns whether it stands on a proof of before,
// and what was printed.
func (b *bench) proveWith(t *testing.T, o prove.Options) (kept bool, out string) {
	t.Helper()
	b.out.Reset()
	k, err := b.desk.book.Kata("saga")
	if err != nil {
		t.Fatal(err)
	}
	o.Runs = max(o.Runs, 1)
	if _, err := b.desk.proveAll(t.Context(), []workbook.Kata{k}, o); err != nil {
		t.Fatal(err)
	}
	out = minutesAgo.ReplaceAllString(b.out.String(), "just now")
	return strings.Contains(out, ", proved before, just now;"), out
}

// minutesAgo is what a busy machine says in place of "just now".
var minutesAgo = regexp.MustCompile(`\d+ min ago`)

func TestProofIsKept(t *testing.T) {
	base := wholeKata(t)
	base.edit(t, "solutions/saga/saga.go", "package saga\n", "package saga\n\nimport _ \"github.com/backend-kata/dojo/pkg/bubble\"\n")
	base.write(t, "docs/figures/saga-load.csv", "load,wait\n")
	if kept, out := base.proveWith(t, prove.Options{Fix: true}); kept || !strings.Contains(out, "1 katas proved in") {
		t.Fatalf("the first proof was expected to run:\n%s", out)
	}
	if kept, out := base.proveWith(t, prove.Options{}); !kept || !strings.Contains(out, "1 of them before") {
		t.Fatalf("the second proof was expected to stand on the first:\n%s", out)
	}
	tests := []struct {
		name    string
		options prove.Options
		change  func(t *testing.T, b *bench)
		kept    bool
		want    string
	}{
		{"--fresh", prove.Options{Fresh: true}, func(*testing.T, *bench) {}, false, "✓"},
		{"another number of runs", prove.Options{Runs: 2}, func(*testing.T, *bench) {}, false, "✓"},
		{"the reference", prove.Options{}, func(t *testing.T, b *bench) {
			b.edit(t, "solutions/saga/saga.go", "return 1", "return 7")
		}, false, "it fails TestOne"},
		{"a mistake", prove.Options{}, func(t *testing.T, b *bench) {
			b.edit(t, "solutions/saga/mistakes/Three.patch", "and is 7", "and is 8")
		}, false, "the failure does not say"},
		{"a package that is linked at second hand", prove.Options{}, func(t *testing.T, b *bench) {
			b.write(t, "pkg/internal/stack/added.go", "package stack\n")
		}, false, "✓"},
		{"a package that is not linked", prove.Options{}, func(t *testing.T, b *bench) {
			b.write(t, "pkg/other/other.go", "package other\n")
		}, true, "✓"},
		{"a figure's numbers", prove.Options{}, func(t *testing.T, b *bench) {
			b.write(t, "docs/figures/saga-load.csv", "load,delay\n")
		}, false, "✓"},
		{"a variable that steps read", prove.Options{}, func(t *testing.T, _ *bench) { t.Setenv("DOJO_SCHEDULE", "AB") }, false, "✓"},
		{"a document, which is checked all the same", prove.Options{}, func(t *testing.T, b *bench) {
			b.edit(t, "docs/saga.md", "## Do not say", "## Never say")
		}, true, "docs/saga.md\n    it has the sections"},
		{"a number of the answer page", prove.Options{}, func(t *testing.T, b *bench) {
			b.edit(t, "docs/saga.md", "3 of 4", "4 of 4")
		}, false, "TestLoss does not log what stands between its marks"},
		{"the Git folder beside it", prove.Options{}, func(t *testing.T, b *bench) { b.write(t, ".git/HEAD", "main\n") }, true, "✓"},
		{"a broken file in the cache", prove.Options{}, func(t *testing.T, b *bench) {
			paths, err := filepath.Glob(filepath.Join(b.desk.tools.Cache, "proofs", "*"))
			if err != nil || len(paths) == 0 {
				t.Fatal("no proof is in the cache folder")
			}
			for _, path := range paths {
				if err := os.WriteFile(path, []byte(`{"At":`), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}, false, "✓"},
		{"a cache that cannot be written", prove.Options{}, func(_ *testing.T, b *bench) {
			b.desk.tools.Cache = filepath.Join(b.root, "go.mod")
		}, false, "✓"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := base.copy(t)
			if err := os.CopyFS(b.desk.tools.Cache, os.DirFS(base.desk.tools.Cache)); err != nil {
				t.Fatal(err)
			}
			test.change(t, b)
			if kept, out := b.proveWith(t, test.options); kept != test.kept || !strings.Contains(out, test.want) {
				t.Errorf("the proof of before was expected to stand: %v, and %q to be printed:\n%s", test.kept, test.want, out)
			}
		})
	}
}

func TestRedProofIsNotKept(t *testing.T) {
	b := wholeKata(t)
	if _, out := b.proveWith(t, prove.Options{Fix: true}); !strings.Contains(out, "✓ saga") {
		t.Fatal(out)
	}
	b.edit(t, "solutions/saga/saga.go", "return 1", "return 7")
	for range 2 {
		if kept, out := b.proveWith(t, prove.Options{}); kept || !strings.Contains(out, "it fails TestOne") {
			t.Errorf("a red proof was expected to be run each time:\n%s", out)
		}
	}
}

func TestProofOfFilesThatChangeMeanwhileIsNotKept(t *testing.T) {
	b := wholeKata(t)
	if kept, out := b.proveWith(t, prove.Options{Fix: true}); kept {
		t.Fatal(out)
	}
	b.write(t, "solutions/saga/figures_test.go", strings.Replace(figureTest(`_ = os.WriteFile("note.txt", nil, 0o644)`),
		"import \"testing\"", "import (\n\"os\"\n\"testing\"\n)", 1))
	for i, want := range []bool{false, false, true} { // the first writes the note, the second runs with it
		if kept, out := b.proveWith(t, prove.Options{}); kept != want || !strings.Contains(out, "✓ saga") {
			t.Errorf("proof %d was expected to stand on one of before: %v\n%s", i+1, want, out)
		}
	}
}

func TestSoakIsRemembered(t *testing.T) {
	b := wholeKata(t)
	b.edit(t, "solutions/saga/stub.go.txt", "return 0", "return -1")
	expect := func(o prove.Options, want string) {
		t.Helper()
		if _, out := b.proveWith(t, o); !strings.Contains(out, "✓ saga") || !strings.Contains(out, want) {
			t.Errorf("the proof was expected to be green and to say %q:\n%s", want, out)
		}
	}
	expect(prove.Options{Fix: true}, "; never soaked here\n")
	expect(prove.Options{Runs: 5, Thorough: true}, "; soaked 5 times just now\n")
	expect(prove.Options{Runs: 4, Thorough: true}, "; soaked 5 times just now\n")
	expect(prove.Options{}, "; soaked 5 times just now\n")
	b.edit(t, "solutions/saga/stub.go.txt", "return -1", "return -2")
	expect(prove.Options{}, "; changed since it was soaked, just now\n")
}

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour: "just now", 59 * time.Second: "just now", time.Minute: "1 min ago", 119 * time.Minute: "119 min ago",
		2 * time.Hour: "2 hours ago", 47*time.Hour + 59*time.Minute: "47 hours ago", 72 * time.Hour: "3 days ago",
	} {
		if got := ago(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
