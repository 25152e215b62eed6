package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/terminal"
	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

const goodStub = `//go:build !solutions

package breaker

func First() int { return 1 }

func Second() int { return 2 }

func Third() int { return 3 }
`

const tests = `package breaker_test

import (
	"testing"

	"github.com/backend-kata/dojo/kata/breaker"
	"github.com/backend-kata/dojo/pkg/bubble"
)

// The first is one.
func TestFirst(t *testing.T) {
	if got := breaker.First(); got != 1 {
		t.Errorf("The first was expected to be 1, and is %d.", got)
	}
}

// The second is two. It runs as any test does.
func TestSecond(t *testing.T) {
	if got := breaker.Second(); got != 2 {
		t.Errorf("The second was expected to be 2, and is %d.", got)
	}
}

// The third is three. It runs in a bubble.
func TestThird(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		if got := breaker.Third(); got != 3 {
			t.Errorf("The third was expected to be 3, and is %d.", got)
		}
	})
}

// The fourth is the first again.
func TestFourth(t *testing.T) {
	if got := breaker.First(); got != 1 {
		t.Errorf("The fourth was expected to be 1, and is %d.", got)
	}
}

// The sum is six.
func TestFurtherSum(t *testing.T) {
	if got := breaker.First() + breaker.Second() + breaker.Third(); got != 6 {
		t.Errorf("The sum was expected to be 6, and is %d.", got)
	}
}
`

// clone makes a clone with one kata, in a folder whose name has a space.
func clone(t *testing.T) *bench {
	t.Helper()
	book, err := workbook.Open(".")
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "my clone")
	b := &bench{root: root}
	b.write(t, "go.mod", "module github.com/backend-kata/dojo\n\ngo 1.26.0\n")
	b.write(t, "kata/catalog.go", "package kata\n")
	b.write(t, "kata/breaker/README.md", "# What is circuit breaker?\n")
	b.write(t, "kata/breaker/breaker.go", goodStub)
	b.write(t, "kata/breaker/breaker_test.go", tests)
	b.write(t, "solutions/breaker/stub.go.txt", strings.NewReplacer("return 1", "return 0", "return 2", "return 0", "return 3", "return 0").Replace(goodStub))
	b.write(t, "solutions/breaker/breaker.go", strings.Replace(goodStub, "!solutions", "solutions", 1))
	b.write(t, "solutions/breaker/hints.md", "## TestFirst\n\n### 1\n\nThink of one.\n\n### 2\n\nIt is one.\n")
	b.write(t, "solutions/breaker/tests.sum", workbook.Sum([]byte(tests))+"  breaker_test.go\n")
	for _, pkg := range []string{"bubble", "internal/lives", "internal/race", "internal/stack"} {
		folder := filepath.Join("pkg", filepath.FromSlash(pkg))
		if err := os.CopyFS(filepath.Join(root, folder), packageFiles{os.DirFS(filepath.Join(book.Root, folder))}); err != nil {
			t.Fatal(err)
		}
	}
	b.open(t)
	return b
}

// open sits down at the desk of the clone.
func (b *bench) open(t testing.TB) {
	t.Helper()
	clone, err := workbook.Open(filepath.Join(b.root, "kata", "breaker"))
	if err != nil {
		t.Fatal(err)
	}
	tools, err := testrun.NewToolchain(clone.Root)
	if err != nil {
		t.Fatal(err)
	}
	tools.Cache = filepath.Join(t.TempDir(), "cache")
	tools.Limit = 2 * time.Second
	b.desk = &desk{
		screen: &terminal.Screen{Writer: &b.out, Width: 80},
		book:   clone,
		tools:  tools,
		noRace: func() string { return tools.NoRace(t.Context()) },
	}
}

// copy makes another clone that is like this one.
func (b *bench) copy(t *testing.T) *bench {
	t.Helper()
	other := &bench{root: filepath.Join(t.TempDir(), "my clone")}
	if err := os.CopyFS(other.root, os.DirFS(b.root)); err != nil {
		t.Fatal(err)
	}
	other.open(t)
	return other
}

// packageFiles are the files of a package without its tests.
type packageFiles struct{ fs.FS }

func (p packageFiles) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(p.FS, name)
	var files []fs.DirEntry
	for _, entry := range entries {
		if !entry.IsDir() && !strings.HasSuffix(entry.Name(), "_test.go") {
			files = append(files, entry)
		}
	}
	return files, err
}

// A bench is a clone to break things in.
type bench struct {
	root string
	desk *desk
	out  bytes.Buffer
	cold bool // on a screen, the go command has built nothing yet
}

func (b *bench) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(b.root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(b.root, filepath.FromSlash(name))); err != nil {
		t.Fatal(err)
	}
}

// body replaces what a function of the stub does.
func (b *bench) body(t *testing.T, function, imports, body string) {
	t.Helper()
	head := "func " + function + "() int {"
	before, after, ok := strings.Cut(goodStub, head)
	if !ok {
		t.Fatalf("the stub has no %q", head)
	}
	_, after, _ = strings.Cut(after, "}\n")
	text := before + head + "\n" + body + "\n}\n" + after
	b.write(t, "kata/breaker/breaker.go", strings.Replace(text, "package breaker\n", "package breaker\n\n"+imports, 1))
}

// test runs the test command and returns what it prints.
func (b *bench) test(t *testing.T) string {
	t.Helper()
	b.out.Reset()
	if err := (testCommand{Kata: "breaker"}).Run(t.Context(), b.desk); err != nil && !errors.Is(err, errRed) {
		t.Fatalf("the verdict broke: %v", err)
	}
	return b.out.String()
}

func TestBrokenPrograms(t *testing.T) {
	tests := []struct {
		name     string
		function string // of the stub, that is broken
		imports  string
		body     string
		want     []string
	}{
		{"panic", "Second", "", "var m map[string]int\nm[\"a\"] = 1\nreturn 2", []string{
			"✓1", "✗  2  The second is two.", "It panicked: assignment to entry in nil map", "edit:    kata/breaker/breaker.go:10", "✓3", "✓4",
		}},
		{"panic of a goroutine", "Second", "", "go func() { panic(\"boom\") }()\nselect {}", []string{
			"✓1", "✗  2", "A goroutine that the code started panicked, which ends the whole program: boom", "edit:    kata/breaker/breaker.go:9", "✓3", "✓4",
		}},
		{"exit 0", "Second", "import \"os\"\n", "os.Exit(0)\nreturn 2", []string{
			"✓1", "✗  2", "The code called os.Exit(0), which ends the whole program.", "edit:    kata/breaker/breaker.go:10", "✓3",
		}},
		{"exit 3", "Second", "import \"os\"\n", "os.Exit(3)\nreturn 2", []string{
			"✓1", "✗  2", "The code ended the whole program with exit status 3, as os.Exit and log.Fatal\n  do.", "✓3",
		}},
		{"log.Fatal", "Second", "import \"log\"\n", "log.SetFlags(0)\nlog.Fatal(\"no money left\")\nreturn 2", []string{
			"✓1", "✗  2", "exit status 1, as os.Exit and log.Fatal", "printed: no money left", "✓3",
		}},
		{"its own prints", "Second", "import \"fmt\"\n", "for n := range 9 {\nfmt.Println(\"n is\", n)\n}\nreturn 0", []string{
			"✗  2", "expected to be 2, and is 0.", "printed: n is 6\n           n is 7\n           n is 8\n",
		}},
		{"an empty loop", "Second", "", "for {\n}", []string{
			"✓1", "✗  2", "edit:    kata/breaker/breaker.go:8", "✓3",
		}},
		{"loop", "Second", "", "for n := 0; ; n++ {\n}", []string{
			"✓1", "✗  2", "The step did not end within 4s, and was still running: it is slow, or in a\n  loop without end.", "edit:    kata/breaker/breaker.go:", "✓3",
		}},
		{"loop in a bubble", "Third", "", "for n := 0; ; n++ {\n}", []string{
			"✓1", "✓2", "✗  3", "kata/breaker/breaker.go:", "✓4",
		}},
		{"deadlock on a channel", "Second", "", "<-make(chan int)\nreturn 2", []string{
			"✓1", "✗  2", "The step did not end within 4s. None of its goroutines was running then; they\n  wait:", "[chan receive] at kata/breaker/breaker.go:9", "✓3",
		}},
		{"deadlock on a channel in a bubble", "Third", "", "<-make(chan int)\nreturn 3", []string{
			"✓1", "✓2", "✗  3", "breaker.go:11", "✓4",
		}},
		{"deadlock on a mutex", "Second", "import \"sync\"\n", "var mu sync.Mutex\nmu.Lock()\nmu.Lock()\nreturn 2", []string{
			"✓1", "✗  2", "None of its goroutines was running then", "[sync.Mutex.Lock] at kata/breaker/breaker.go:12", "✓3",
		}},
		{"deadlock on a mutex in a bubble", "Third", "import \"sync\"\n", "var mu sync.Mutex\nmu.Lock()\nmu.Lock()\nreturn 3", []string{
			"✓1", "✓2", "✗  3", "sync.Mutex", "breaker.go:14", "✓4",
		}},
		{"goroutine left over", "Third", "import \"time\"\n", "go func() { for { time.Sleep(time.Hour) } }()\nreturn 3", []string{
			"✓1", "✓2", "✗  3", "breaker.go:12", "✓4",
		}},
		{"data race", "Second", "import \"sync\"\n", "n := 0\nvar g sync.WaitGroup\nfor range 2 {\ng.Go(func() { n++ })\n}\ng.Wait()\nreturn n", []string{
			"✓1", "✗  2", "The race detector found a data race", "at kata/breaker/breaker.go:13", "✓3",
		}},
		{"concurrent map writes", "Second", "import \"sync\"\n", "m := map[int]int{}\nvar g sync.WaitGroup\nfor range 8 {\ng.Go(func() { for n := range 100000 { m[n] = n } })\n}\ng.Wait()\nreturn 2", []string{
			"✓1", "✗  2", "breaker.go:13", "✓3",
		}},
		{"stack overflow", "Second", "", "return 1 + Second()", []string{
			"✓1", "✗  2", "A function calls itself without end: the stack overflowed.", "edit:    kata/breaker/breaker.go:9", "✓3",
		}},
		{"memory without end", "Second", "", "var all [][]byte\nfor {\nb := make([]byte, 1<<20)\nb[0] = 1\nall = append(all, b)\nif len(all) < 0 { return 2 }\n}", []string{
			"✓1", "✗  2", "The program used more than 512 MiB of memory, the most a step may take.", "kata/breaker/breaker.go:", "✓3",
		}},
		{"20 MB printed", "Second", "import (\n\"fmt\"\n\"strings\"\n)\n", "line := strings.Repeat(\"x\", 1<<20)\nfor range 20 {\nfmt.Println(line)\n}\nreturn 0", []string{
			"✓1", "✗  2", "The second was expected to be 2, and is 0.", "printed: 20 MiB, most of it left out", "✓3",
		}},
		{"text without a line's end", "Second", "import \"fmt\"\n", "fmt.Print(\"no line's end\")\nreturn 2", []string{
			"✓1", "✓2", "✓3", "complete",
		}},
	}
	b := clone(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b.body(t, test.function, test.imports, test.body)
			out := b.test(t)
			expect(t, out, test.want...)
			if strings.Contains(out, "breaker.go:1\n") {
				t.Error("the verdict places the failure on line 1, which holds no code")
			}
			if lines := strings.Count(out, "\n"); lines > verdictLines {
				t.Errorf("the verdict has %d lines, want %d at most", lines, verdictLines)
			}
			if t.Failed() {
				t.Logf("the verdict:\n%s", out)
			}
		})
	}
}

// expect checks that the words are in a verdict.
func expect(t *testing.T, out string, words ...string) {
	t.Helper()
	for _, want := range words {
		if !strings.Contains(out, want) {
			t.Errorf("the verdict lacks %q", want)
		}
	}
}
