package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A build by recipe must not be told from one by the go command, but by its
// speed.
func TestRecipeChangesNoVerdict(t *testing.T) {
	changes := []struct {
		name   string
		change func(t *testing.T, b *bench)
	}{
		{"as it was", func(*testing.T, *bench) {}},
		{"red", func(t *testing.T, b *bench) { b.body(t, "Second", "", "return 0") }},
		{"panic", func(t *testing.T, b *bench) { b.body(t, "Second", "", "panic(7)") }},
		{"does not compile", func(t *testing.T, b *bench) { b.body(t, "Second", "", "return two") }},
		{"does not parse", func(t *testing.T, b *bench) { b.body(t, "Second", "", "return (") }},
		{"too many errors", func(t *testing.T, b *bench) { b.body(t, "Second", "", strings.Repeat("x()\n", 12)) }},
		{"changed signature", func(t *testing.T, b *bench) {
			b.write(t, stub, strings.Replace(goodStub, "Second() int", "Second(n int) int", 1))
		}},
		{"an import that was not there", func(t *testing.T, b *bench) {
			b.body(t, "Second", "import \"container/ring\"\n", "return ring.New(2).Len()")
		}},
		{"an import that is nowhere", func(t *testing.T, b *bench) {
			b.body(t, "Second", "import \"example.com/other\"\n", "return other.Two")
		}},
		{"a further file", func(t *testing.T, b *bench) {
			b.body(t, "Second", "", "return two")
			b.write(t, "kata/breaker/two.go", "//go:build !solutions\n\npackage breaker\n\nconst two = 2\n")
		}},
		{"a file for another system", func(t *testing.T, b *bench) {
			b.write(t, "kata/breaker/two_plan9.go", "package breaker\n\nfunc First() int { return 2 }\n")
		}},
		{"a test inside the package", func(t *testing.T, b *bench) {
			b.write(t, "kata/breaker/mine_test.go", "//go:build !solutions\n\npackage breaker\n\nvar _ = First()\n")
		}},
		{"a changed instrument", func(t *testing.T, b *bench) {
			b.write(t, "pkg/bubble/more.go", "package bubble\n\nvar _ = 1\n")
		}},
	}
	base := clone(t)
	k, err := base.desk.book.Kata("breaker")
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		t.Run(change.name, func(t *testing.T) {
			t.Parallel()
			slow, fast := base.copy(t), base.copy(t)
			fastKata, err := fast.desk.book.Kata(k.Name())
			if err != nil {
				t.Fatal(err)
			}
			fast.desk.tools.LearnRecipe(t.Context(), fastKata, fast.desk.race())
			if recipes, err := filepath.Glob(filepath.Join(fast.desk.tools.Cache, "recipes", "*.json")); err != nil || len(recipes) != 1 {
				t.Fatalf("there are the recipes %q, %v; want one", recipes, err)
			}
			change.change(t, slow)
			change.change(t, fast)
			want, got := verdictOnly(slow.test(t)), verdictOnly(fast.test(t))
			if want != got {
				t.Errorf("by the go command the verdict is\n%s\nand by recipe\n%s", want, got)
			}
		})
	}
}

// verdictOnly leaves out how long it took.
func verdictOnly(out string) string {
	first, rest, _ := strings.Cut(out, "\n")
	first, _, _ = strings.Cut(first, " in ")
	return first + "\n" + rest
}

func TestRecipeWhoseArchivesAreGone(t *testing.T) {
	b := clone(t)
	k, err := b.desk.book.Kata("breaker")
	if err != nil {
		t.Fatal(err)
	}
	b.desk.tools.LearnRecipe(t.Context(), k, b.desk.race())
	recipes, err := filepath.Glob(filepath.Join(b.desk.tools.Cache, "recipes", "*.json"))
	if err != nil || len(recipes) != 1 {
		t.Fatalf("there are the recipes %q, %v; want one", recipes, err)
	}
	text, err := os.ReadFile(recipes[0])
	if err != nil {
		t.Fatal(err)
	}
	gone := strings.ReplaceAll(string(text), filepath.Join("go-build", ""), "go-build-gone")
	if err := os.WriteFile(recipes[0], []byte(gone), 0o644); err != nil {
		t.Fatal(err)
	}
	expect(t, b.test(t), "complete")
}
