package variants

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
	"github.com/backend-kata/dojo/kata"
)

const reference = `//go:build solutions

// Package saga is the reference.
package saga

import (
	"errors"
	"fmt"
)

// A Pair is generic.
type Pair[K comparable, V any] struct {
	key K
	val V
}

// String has a receiver without a name.
func (Pair[K, V]) String() string { return "pair" }

func (p *Pair[K, _]) set(key K, _ int) { p.key = key }

func join[T any, _ any](first T, more ...T) (out string, err error) {
	defer func() { out += "." }()
	if len(more) == 0 {
		return "", errors.New("none")
	}
	return fmt.Sprint(first, more), nil
}

func find(int, string) int {
outer:
	for i := range 3 {
		for range 3 {
			if i == 2 {
				break outer
			}
			continue outer
		}
	}
	return 1
}

func guard() {
	recover()
}

var start = find(0, "")

// All calls all of them.
func All() string {
	defer guard()
	p := &Pair[string, int]{}
	p.set("a", 1)
	out, err := join[int, bool](1, 2, 3)
	return fmt.Sprintln(p, p.key, out, err, find(1, "x"), start)
}
`

// program loads a reference in a module of its own.
func program(t *testing.T, text string) (*Program, string) {
	t.Helper()
	root := filepath.Join(t.TempDir(), "my clone")
	write(t, root, "go.mod", "module example.com/dojo\n\ngo 1.26.0\n")
	write(t, root, "solutions/saga/saga.go", text)
	tools, err := testrun.NewToolchain(root)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Load(t.Context(), tools, workbook.Kata{Question: kata.Question{Folder: "saga"}, Root: root})
	if err != nil {
		t.Fatal(err)
	}
	return p, root
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestMergedBehavesAsEach compares what each variant does, chosen in one program,
// with what it is to do.
func TestMergedBehavesAsEach(t *testing.T) {
	tests := []struct{ name, from, to, want string }{
		{"a receiver without a name", `{ return "pair" }`, `{ return "two" }`, "two a 1 [2 3]. <nil> 1 1"},
		{"a parameter without a name", "{ p.key = key }", "{ p.key = *new(K) }", "pair  1 [2 3]. <nil> 1 1"},
		{"a deferred function and named results", `out += "."`, `out += "!"`, "pair a 1 [2 3]! <nil> 1 1"},
		{"a result that is shadowed", "return fmt.Sprint(first, more), nil", "one, err := more[0], err\n\treturn fmt.Sprint(one), err", "pair a 2. <nil> 1 1"},
		{"labels, and a variable of the package", "return 1", "goto end\nend:\n\treturn 7", "pair a 1 [2 3]. <nil> 7 7"},
		{"no return at the end", "return 1", "for {\n\t\treturn 3\n\t}", "pair a 1 [2 3]. <nil> 3 3"},
		{"an import more", `import (`, "import (\n\t\"strings\"", "PAIR a 1 [2 3]. <nil> 1 1"},
		{"an import less", `errors.New("none")`, `fmt.Errorf("none")`, "pair a [2 3]. <nil> 1 1"},
		{"a function more", "return 1", "return extra()", "pair a 1 [2 3]. <nil> 40 40"},
		{"a panic", "return 1", "panic(\"here\")", "saga.go:40"},
	}
	p, root := program(t, reference)
	var sources []string
	for _, test := range tests {
		source := strings.Replace(reference, test.from, test.to, 1)
		switch test.name {
		case "an import more":
			source = strings.Replace(source, `return "pair"`, `return strings.ToUpper("pair")`, 1)
		case "an import less":
			source = strings.Replace(strings.Replace(source, "\t\"errors\"\n", "", 1), "fmt.Sprint(first, more)", "fmt.Sprint(more)", 1)
		case "a function more":
			source += "\nconst forty = 40\n\nfunc extra() int { return forty }\n"
		}
		sources = append(sources, source)
	}
	merged := p.Merge(sources)
	write(t, root, "solutions/saga/saga.go", merged.Source)
	write(t, root, "main.go", "package main\n\nimport \"example.com/dojo/solutions/saga\"\n\nfunc main() { print(saga.All()) }\n")
	binary := filepath.Join(root, "all")
	if out, err := p.tools.Command(t.Context(), "build", "-tags=solutions", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%s\n%s", out, merged.Source)
	}
	run := func(index int) string {
		cmd := exec.Command(binary)
		cmd.Env = append(os.Environ(), Setting(index)...)
		out, _ := cmd.CombinedOutput() // one panics
		return string(out)
	}
	if got := run(-1); got != "pair a 1 [2 3]. <nil> 1 1\n" {
		t.Errorf("the reference says %q", got)
	}
	for i, test := range tests {
		if got := run(i); !merged.In[i] || !strings.Contains(got, test.want) {
			t.Errorf("%s: merged %v, it says %q, want %q", test.name, merged.In[i], got, test.want)
		}
	}
}

func TestWhatIsBuiltAlone(t *testing.T) {
	tests := []struct{ name, from, to, why string }{
		{"a signature", "find(int, string) int", "find(int, any) int", "callers would not fit"},
		{"a type", "val V", "val []V", "every function sees it"},
		{"a variable's value", `start = find(0, "")`, "start = 1", "it is no body"},
		{"a build line", "//go:build solutions", "//go:build solutions && linux", "it is for the whole file"},
		{"what recovers", "recover()\n", "recover()\n\tprintln()\n", "recover works in the deferred function alone"},
		{"an exported method more", "var start", "func (Pair[K, V]) GoString() string { return \"\" }\n\nvar start", "fmt would call it"},
		{"a name that is in use elsewhere", "var start", "func outer() {}\n\nvar start", "the reference could mean it"},
		{"what does not compile", "return 1", "return one", "undefined"},
		{"what does not parse", "return 1", "return (", "syntax"},
		{"an import under a name that is taken", `"errors"`, "errors \"fmt\"", "the reference means the other"},
	}
	p, _ := program(t, reference)
	for _, test := range tests {
		source := strings.Replace(reference, test.from, test.to, 1)
		if merged := p.Merge([]string{source}); source == reference || merged.In[0] {
			t.Errorf("%s was merged, though %s", test.name, test.why)
		}
	}
}

// TestVariantsDoNotSeeEachOther has one declare a function under the name of what
// the other takes from the universe.
func TestVariantsDoNotSeeEachOther(t *testing.T) {
	p, _ := program(t, reference)
	mine := strings.Replace(reference, "return 1", "return max(1)", 1) + "\nfunc max(n int) int { return -n }\n"
	builtin := strings.Replace(reference, "return 1", "return max(1, 2)", 1)
	for _, order := range [][]string{{mine, builtin}, {builtin, mine}} {
		if merged := p.Merge(order); !merged.In[0] || merged.In[1] {
			t.Errorf("merged %v, want the first alone", merged.In)
		}
	}
	if merged := p.Merge([]string{mine, mine}); !merged.In[0] || !merged.In[1] {
		t.Errorf("merged %v, though the two declare the same", merged.In)
	}
}
