package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/cmd/dojo/internal/patch"
	"github.com/backend-kata/dojo/cmd/dojo/internal/prove"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// wholeKata writes a kata that lacks nothing: five functions that return
// their number, and a step for each.
func wholeKata(t *testing.T) *bench {
	t.Helper()
	b := clone(t)
	numbers := []string{"One", "Two", "Three", "Four", "Five"}
	var code, steps, hints strings.Builder
	code.WriteString("package saga\n\n// Max is a limit.\nconst Max = 5\n\n// A List is generic.\ntype List[T any] struct{ all []T }\n")
	code.WriteString("\n// Of makes a list.\nfunc Of[T any](all ...T) *List[T] { return &List[T]{all: all} }\n")
	steps.WriteString("package saga_test\n\nimport (\n\t\"testing\"\n\n\t\"github.com/backend-kata/dojo/kata/saga\"\n)\n")
	for i, name := range numbers {
		fmt.Fprintf(&code, "\n// %s returns its number.\nfunc %[1]s() int {\n\treturn %d\n}\n", name, i+1)
		fmt.Fprintf(&steps, "\n// The number of %s is right.\nfunc Test%[1]s(t *testing.T) {\n\tif got := saga.%[1]s(); got != %d {\n\t\tt.Errorf(\"%[1]s was expected to be %[2]d, and is %%d.\", got)\n\t}\n}\n", name, i+1)
		fmt.Fprintf(&hints, "## Test%s\n\n### 1\n\nCount.\n\n", name)
	}
	reference := "//go:build solutions\n\n" + code.String()
	stub := "//go:build !solutions\n\n" + code.String()
	for i := range numbers {
		stub = strings.Replace(stub, fmt.Sprintf("return %d\n", i+1), "return 0\n", 1)
	}
	b.write(t, "kata/saga/README.md", "# What is Saga pattern?\n\n## The contract\n\n## Steps\n\n<!-- steps -->\n<!-- /steps -->\n")
	b.write(t, "kata/saga/saga.go", stub)
	b.write(t, "solutions/saga/stub.go.txt", stub)
	b.write(t, "kata/saga/saga_test.go", steps.String())
	b.write(t, "solutions/saga/doc.go", "// Package saga is the reference.\npackage saga\n")
	b.write(t, "solutions/saga/saga.go", reference)
	b.write(t, "solutions/saga/hints.md", hints.String())
	b.write(t, "solutions/saga/unheld.txt", "Max is a limit. A List is generic. Of makes a list.\n    definitions\n"+
		"One returns its number. Two returns its number. Three returns its number. Four returns its number. Five returns its number.\n    it is what the steps are about\n")
	b.writeAnswer(t)
	for i, name := range numbers[2:] {
		b.writeMistake(t, name, workbook.Mistake{
			Title: "count wrong", Why: "it is late.", CaughtBy: "Test" + name, Symptom: "and is 7",
			Patch: patch.Make("solutions/saga/saga.go", reference, strings.Replace(reference, fmt.Sprintf("return %d\n", i+3), "return 7\n", 1)),
		})
	}
	return b
}

// writeAnswer writes the kata's page, and what it shows and links to.
func (b *bench) writeAnswer(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("internal", "prove", "testdata", "answer.md"))
	if err != nil {
		t.Fatal(err)
	}
	b.write(t, "docs/saga.md", strings.ReplaceAll(string(text), "\r\n", "\n"))
	b.write(t, "docs/figures/saga.svg", `<text class="assumptions">two services</text>`)
	b.write(t, "solutions/saga/example_test.go", "//go:build solutions\n\npackage saga\n\nimport \"testing\"\n\nfunc book() {}\n\nfunc undo() {}\n\n"+
		"func TestLoss(t *testing.T) {\n\t// example: wrong\n\tbook()\n\t// end\n\t// example: right\n\tundo()\n\t// end\n\tt.Log(\"3 of 4\")\n\tt.Log(\"\\n| a | b |\\n|---|---|\\n| 1 | 2 |\")\n}\n")
}

func (b *bench) writeMistake(t *testing.T, slug string, m workbook.Mistake) {
	t.Helper()
	b.write(t, "solutions/saga/mistakes/"+slug+".patch", m.Text())
}

// writeRight makes a program of another design of the reference.
func (b *bench) writeRight(t *testing.T, from, to string) {
	t.Helper()
	reference, err := os.ReadFile(filepath.Join(b.root, "solutions", "saga", "saga.go"))
	if err != nil {
		t.Fatal(err)
	}
	b.write(t, "solutions/saga/right/other.go.txt", strings.Replace(string(reference), from, to, 1))
}

// mix writes a mistake into the third function of that program.
func (b *bench) mix(t *testing.T, mistake, three string) {
	t.Helper()
	b.writeRight(t, "return 1", "return 2 - 1")
	right, err := os.ReadFile(filepath.Join(b.root, "solutions", "saga", "right", "other.go.txt"))
	if err != nil {
		t.Fatal(err)
	}
	b.write(t, "solutions/saga/right/other+"+mistake+".patch", patch.Make("other.go.txt", string(right), strings.Replace(string(right), "return 3", three, 1)))
}

func (b *bench) edit(t *testing.T, name, from, to string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), from) {
		t.Fatalf("%s has no %q to replace", name, from)
	}
	b.write(t, name, strings.Replace(string(text), from, to, 1))
}

// prove proves the kata and returns what was printed.
func (b *bench) prove(t *testing.T, fix bool) (whole bool, out string) {
	t.Helper()
	b.out.Reset()
	k, err := b.desk.book.Kata("saga")
	if err != nil {
		t.Fatal(err)
	}
	whole, err = b.desk.proveAll(t.Context(), []workbook.Kata{k}, prove.Options{Runs: 1, Fix: fix})
	if err != nil {
		t.Fatal(err)
	}
	return whole, b.out.String()
}

func TestProveFindsWhatIsMissing(t *testing.T) {
	const (
		tests     = "kata/saga/saga_test.go"
		shipped   = "solutions/saga/stub.go.txt"
		reference = "solutions/saga/saga.go"
		mistake   = "solutions/saga/mistakes/Three.patch"
	)
	findings := []struct {
		name   string
		damage func(t *testing.T, b *bench)
		want   string
	}{
		{"whole", func(*testing.T, *bench) {}, ""},
		{"what a learner wrote", func(t *testing.T, b *bench) {
			b.write(t, "kata/saga/saga.go", "nonsense")
			b.write(t, "kata/saga/further.go", "package saga\n\nfunc One() int { return 1 }\n")
		}, ""},
		{"a line moved in the reference", func(t *testing.T, b *bench) { b.edit(t, reference, "// Max", "//\n// Max") }, ""},
		{"no reference", func(t *testing.T, b *bench) { b.remove(t, reference) }, "solutions/saga/saga.go\n    it is missing"},
		{"no hints", func(t *testing.T, b *bench) { b.edit(t, "solutions/saga/hints.md", "## TestTwo", "## TestTow") }, "solutions/saga/hints.md\n    there are no hints for step 2"},
		{"no answer", func(t *testing.T, b *bench) { b.remove(t, "docs/saga.md") }, "docs/saga.md\n    it is missing"},
		{"an answer of another form", func(t *testing.T, b *bench) { b.edit(t, "docs/saga.md", "## Do not say", "## Never say") }, "docs/saga.md\n    it has the sections"},
		{"another number than the test logs", func(t *testing.T, b *bench) { b.edit(t, "docs/saga.md", "3 of 4", "4 of 4") }, "docs/saga.md\n    TestLoss does not log what stands between its marks: 4 of 4…\n      3 of 4"},
		{"a red test behind a number", func(t *testing.T, b *bench) {
			b.edit(t, "solutions/saga/example_test.go", "t.Log(\"3 of 4\")", "t.Error(\"it is 2\")")
		}, "the tests whose numbers the answer page takes are red"},
		{"an old example", func(t *testing.T, b *bench) {
			b.edit(t, "solutions/saga/example_test.go", "\tundo()", "\tundo() // all")
		}, "the example right is not what the file says"},
		{"an old list of steps", func(t *testing.T, b *bench) { b.edit(t, "kata/saga/README.md", "1. ", "1. Once, ") }, "kata/saga/README.md\n    it is not current"},
		{"an old forwarder", func(t *testing.T, b *bench) { b.remove(t, "kata/saga/solution.go") }, "kata/saga/solution.go\n    it is not current"},
		{"another API", func(t *testing.T, b *bench) { b.edit(t, shipped, "const Max = 5", "const Max = 6") }, "solutions/saga/stub.go.txt\n    it and solutions/saga/saga.go export different things; from the one to the other:\n      Max was: const Max = 6\n          is: const Max = 5\n    kata/saga/saga.go is another one by now: go tool dojo ship saga ships it"},
		{"a step without a comment", func(t *testing.T, b *bench) { b.edit(t, tests, "// The number of Two is right.\n", "") }, "TestTwo has no comment"},
		{"an unknown step", func(t *testing.T, b *bench) { b.edit(t, mistake, "TestThree", "TestTree") }, "names TestTree, which is no step"},
		{"two mistakes", func(t *testing.T, b *bench) { b.remove(t, mistake) }, "mistakes: there are 2, want 3 at least"},
		{"a stub that passes", func(t *testing.T, b *bench) { b.edit(t, shipped, "return 0", "return 1") }, "solutions/saga/stub.go.txt\n    it passes TestOne"},
		{"a stub that panics", func(t *testing.T, b *bench) { b.edit(t, shipped, "return 0", "panic(0)") }, "it takes the process with it at TestOne"},
		{"a reference that fails", func(t *testing.T, b *bench) { b.edit(t, reference, "return 1", "return 7") }, "solutions/saga/saga.go\n    it fails TestOne\n      One was expected to be 1, and is 7."},
		{"a mistake that none catches", func(t *testing.T, b *bench) { b.edit(t, mistake, "+	return 7", "+	return 3 + 0") }, "Three.patch\n    no step catches it"},
		{"a mistake that another catches", func(t *testing.T, b *bench) { b.edit(t, mistake, "TestThree", "TestFour") }, "Three.patch\n    TestThree goes red first, want TestFour"},
		{"another symptom", func(t *testing.T, b *bench) { b.edit(t, mistake, "and is 7", "and is 8") }, `the failure does not say "and is 8"`},
		{"a symptom of the stub's", func(t *testing.T, b *bench) { b.edit(t, mistake, "and is 7", "was expected to be 3") }, "the stub's failure says"},
		{"a patch that does not fit", func(t *testing.T, b *bench) { b.edit(t, mistake, "-	return 3", "-	return 33") }, "hunk 1 does not fit the reference"},
		{"words that the contract does not say", func(t *testing.T, b *bench) {
			b.edit(t, mistake, "Caught-by", "Breaks: It counts.\nCaught-by")
		}, `Three.patch
    it breaks "It counts.", which the contract does not say, or no longer`},
		{"promises that nothing holds", func(t *testing.T, b *bench) {
			b.edit(t, mistake, "Caught-by", "Breaks: returns its number.\nCaught-by")
			b.write(t, "solutions/saga/unheld.txt", "# Remarks.\nA List is generic.\n    a definition\n")
		}, `solutions/saga/stub.go.txt
    no mistake breaks line 5, "Max is a limit.": write one, give the reason in unheld.txt, or take the promise back
    no mistake breaks line 11, "Of makes a list."`},
		{"promises that are held", func(t *testing.T, b *bench) {
			b.edit(t, mistake, "Caught-by", "Breaks: returns its number.\nCaught-by")
			b.write(t, "solutions/saga/unheld.txt", "Max is a limit. A List is generic. Of makes a list.\n    definitions,\n    all three\n")
		}, ""},
		{"reasons for nothing", func(t *testing.T, b *bench) {
			b.edit(t, mistake, "Caught-by", "Breaks: One returns its number.\nCaught-by")
			b.write(t, "solutions/saga/unheld.txt", "It counts.\n    a joke\nOne returns its number.\n    why not\nMax is a limit.\n")
		}, `solutions/saga/unheld.txt
    line 1: the contract does not say "It counts.", or no longer
    line 3: "One returns its number." is held after all, by Three
    line 5: there is no reason below "Max is a limit."`},
		{"a reason without words", func(t *testing.T, b *bench) { b.write(t, "solutions/saga/unheld.txt", "\n  because\n") }, "line 2 is a reason, and there are no words of the contract above it"},
		{"a figure", func(t *testing.T, b *bench) { b.write(t, "solutions/saga/figures_test.go", figureTest("")) }, ""},
		{"an old figure", func(t *testing.T, b *bench) {
			b.write(t, "solutions/saga/figures_test.go", figureTest(`t.Error("saga.csv is not current")`))
		}, "    saga.csv is not current\n"},
		{"a figure that does not compile", func(t *testing.T, b *bench) { b.write(t, "solutions/saga/figures_test.go", figureTest("x")) }, "the figures cannot be made"},
		{"a long line", func(t *testing.T, b *bench) {
			b.edit(t, reference, "// Max is a limit.", "// Max is a limit."+strings.Repeat(" Indeed.", 20))
		}, "solutions/saga/saga.go\n    line 5 has 178 columns, want 140 at most"},
		{"a mistake without a patch beside others", func(t *testing.T, b *bench) { b.write(t, mistake, "Title: none\n") }, "Three.patch\n    there is no patch"},
		{"papers that lack something keep no code from being run", func(t *testing.T, b *bench) {
			b.remove(t, "docs/saga.md")
			b.edit(t, shipped, "return 0", "return 1")
		}, "it passes TestOne: begin with a claim that it cannot meet\n    kata/saga/saga.go is another one by now: go tool dojo ship saga ships it\n  docs/saga.md\n    it is missing"},
		{"a right program", func(t *testing.T, b *bench) { b.writeRight(t, "return 1", "return 2 - 1") }, ""},
		{"a right program that is refused", func(t *testing.T, b *bench) { b.writeRight(t, "return 1", "return 2") }, "solutions/saga/right/other.go.txt\n    it fails TestOne\n      One was expected to be 1, and is 2."},
		{"a mistake in a right program", func(t *testing.T, b *bench) { b.mix(t, "Three", "return 7") }, ""},
		{"a mistake in a right program that its symptom does not name", func(t *testing.T, b *bench) { b.mix(t, "Three", "return 8") }, "solutions/saga/right\n    symptoms name 0 of 1 known mistakes in right programs, want four of five\n      other+Three: TestThree says: Three was expected to be 3, and is 8."},
		{"a mistake in a right program that no step catches", func(t *testing.T, b *bench) { b.mix(t, "Three", "return 4 - 1") }, "solutions/saga/right/other+Three.patch\n    no step catches it"},
		{"a mistake in a right program that nobody knows", func(t *testing.T, b *bench) { b.mix(t, "Nine", "return 7") }, "there is no mistake Nine.patch"},
		{"a mistake that does not compile", func(t *testing.T, b *bench) { b.edit(t, mistake, "+	return 7", "+	return seven") }, "Three.patch\n    it does not compile\n      "},
	}
	base := wholeKata(t)
	if whole, out := base.prove(t, true); !whole {
		t.Fatalf("the kata was expected to be whole:\n%s", out)
	}
	for _, test := range findings {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := base.copy(t)
			test.damage(t, b)
			whole, out := b.prove(t, false)
			if whole != (test.want == "") || !strings.Contains(out, test.want) {
				t.Errorf("the proof was expected to find %q, and printed:\n%s", test.want, out)
			}
		})
	}
}

func figureTest(body string) string {
	return "//go:build solutions\n\npackage saga\n\nimport \"testing\"\n\nfunc TestFigure(t *testing.T) { " + body + " }\n\nfunc TestNoFigure(t *testing.T) { t.Error(\"is not asked for\") }\n"
}

func TestProveFixDrawsFigures(t *testing.T) {
	b := wholeKata(t)
	b.write(t, "solutions/saga/figures_test.go", strings.Replace(figureTest(`if !*update { t.Error("old") }`),
		"import \"testing\"", "import (\n\"flag\"\n\"testing\"\n)\n\nvar update = flag.Bool(\"update\", false, \"\")", 1))
	if whole, out := b.prove(t, true); !whole {
		t.Errorf("--fix was expected to draw the figures:\n%s", out)
	}
}

func TestProveFixRefitsAPatch(t *testing.T) {
	b := wholeKata(t)
	b.edit(t, "solutions/saga/unheld.txt", "Three returns its number.", "Three returns 3.")
	b.edit(t, "solutions/saga/saga.go", "// Three returns its number.", "// Three returns 3.")
	b.edit(t, "solutions/saga/stub.go.txt", "// Three returns its number.", "// Three returns 3.")
	if whole, out := b.prove(t, true); !whole {
		t.Errorf("a neighbour line changed, and --fix was expected to mend the patch:\n%s", out)
	}
	if whole, out := b.prove(t, false); !whole {
		t.Errorf("the mended patch was expected to be saved:\n%s", out)
	}
}

func TestNewKataLacksWhatIsStillToWrite(t *testing.T) {
	b := clone(t)
	whole, err := workbook.Open(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(whole.Root, name))
		if err != nil {
			t.Fatal(err)
		}
		b.write(t, name, string(text))
	}
	for _, folder := range []string{
		"pkg/apart", "pkg/interleave", "pkg/interleave/internal/hook", "pkg/internal/rerun", "kata/internal/step",
	} {
		folder = filepath.FromSlash(folder)
		if err := os.CopyFS(filepath.Join(b.root, folder), packageFiles{os.DirFS(filepath.Join(whole.Root, folder))}); err != nil {
			t.Fatal(err)
		}
	}
	b.write(t, "docs/README.md", "# Answers\n")
	if err := (newCommand{Kata: "saga"}).Run(b.desk); err != nil {
		t.Fatal(err)
	}
	const want = `✗ saga             2 steps +0, 1 mistakes, 1 right designs, 6 of 10 promises held,  s of work; never soaked here
  solutions/saga/stub.go.txt
    no mistake breaks line 16, "New returns a counter that counts in the store.": write one, give the reason in unheld.txt, or take the promise back
    no mistake breaks line 19, "Add adds n to what the store has, and returns the sum.": write one, give the reason in unheld.txt, or take the promise back
  kata/saga/saga_test.go
    steps: there are 2, want 5 to 7
  solutions/saga/mistakes
    mistakes: there are 1, want 3 at least
  kata/saga/README.md
    no mistake breaks line 18, "` + "`New(store)`" + ` returns a counter that counts in the store.": write one, give the reason in unheld.txt, or take the promise back
    no mistake breaks line 18, "` + "`Add(n)`" + ` adds n to what the store has, and returns the sum.": write one, give the reason in unheld.txt, or take the promise back
  docs/saga.md
    it takes a number from TestNumber, which is no test of the kata's, its reference's or bench's
    its title is the subject, not the question: # Covering indexes
    it says nothing under "Example"
    it says nothing under "How it works"
    it says nothing under "What goes wrong"
    it says nothing under "In your stack"
    it says nothing under "Do not say"
    it says nothing under "Sources"
    words: 59, want 1200 to 1600
    words of Say this, without the number: 0, want 90 to 110
    Say this has no picture
    the example has 0 pieces of code, want what is wrong, what is right, and what you see
    rows of The ways: 0, want 4 to 12
    paragraphs of How it works that begin in bold: 0, want 4 to 6
    failures under What goes wrong that begin in bold: 0, want 4 to 6
    What goes wrong has no table that a test logs
    products of In your stack: 0, want 4 at least
    follow-ups in <details>: 1, want 6 to 8
    a follow-up lacks its answer, or the line *Looking for:* …: A question?
    sentences not to say: 0, want 3
    sources: 0, want 1 to 8
`
	_, out := b.prove(t, true)
	out, _, _ = strings.Cut(out, "1 katas proved")
	if got := regexp.MustCompile(`[0-9.]+ s of`).ReplaceAllString(out, " s of"); got != want {
		t.Errorf("the proof of a new kata says\n%s\nwant\n%s", got, want)
	}
	if err := (newCommand{Kata: "saga"}).Run(b.desk); err == nil || !strings.Contains(err.Error(), "is here already") {
		t.Errorf("a second call gives %v, want a refusal", err)
	}
	if err := (newCommand{Kata: "sage"}).Run(b.desk); err == nil || !strings.Contains(err.Error(), "no question named") {
		t.Errorf("an unknown name gives %v, want a refusal", err)
	}
}

func TestABadPatchIsOneFindingAndHidesNoOther(t *testing.T) {
	b := wholeKata(t)
	if whole, out := b.prove(t, true); !whole {
		t.Fatal(out)
	}
	b.write(t, "solutions/saga/mistakes/Bad.patch", "Title: none\n")
	b.write(t, "solutions/saga/mistakes/Mad.patch", "Title: a\nWhy: b\nCaught-by: TestOne\nSymptom: c\n\n--- a/x\n+++ b/x\n@@ nonsense\n")
	b.edit(t, "solutions/saga/mistakes/Three.patch", "TestThree", "TestTree")
	b.edit(t, "solutions/saga/mistakes/Four.patch", "-	return 4", "-	return 44")
	b.edit(t, "solutions/saga/mistakes/Five.patch", "and is 7", "and is 8")
	_, out := b.prove(t, true)
	for _, want := range []string{
		"Bad.patch\n    there is no patch", "Mad.patch\n    a mistake is a patch of one file", "Three.patch\n    Caught-by names TestTree",
		"Four.patch\n    hunk 1 does not fit", "Five.patch\n    the failure does not say",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the proof was expected to find %q", want)
		}
	}
	if n := len(regexp.MustCompile(`(?m)^ {4}\S`).FindAllString(out, -1)); n != 5 || t.Failed() {
		t.Errorf("5 patches are bad, and there are %d findings:\n%s", n, out)
	}
}

func TestProveFixListsTheKata(t *testing.T) {
	b := wholeKata(t)
	b.write(t, "README.md", "# Dojo\n\n<!-- questions -->\n<!-- /questions -->\n")
	b.write(t, "docs/README.md", "# Answers\n\n<!-- answers -->\n<!-- /answers -->\n")
	b.write(t, "docs/links.txt", "https://example.com/paper  not opened\n")
	err := proveCommand{Katas: []string{"saga"}, Runs: 1}.Run(t.Context(), b.desk)
	expect(t, b.out.String(), "✗ documents\n  README.md\n    it is not current", "docs/README.md\n    it is not current")
	if !errors.Is(err, errRed) {
		t.Errorf("old lists are found, and the command ends with %v", err)
	}
	if err := (proveCommand{Katas: []string{"saga"}, Runs: 1, Fix: true}).Run(t.Context(), b.desk); err != nil {
		t.Errorf("--fix was expected to write the lists: %v\n%s", err, b.out.String())
	}
	for name, want := range map[string]string{"README.md": "[saga](kata/saga)", "docs/README.md": "[What is Saga pattern?](saga.md)"} {
		text, err := os.ReadFile(filepath.Join(b.root, name))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s was expected to list %s: %v\n%s", name, want, err, text)
		}
	}
}

func TestMistakeIsNamed(t *testing.T) {
	b := wholeKata(t)
	if whole, out := b.prove(t, true); !whole {
		t.Fatal(out)
	}
	reference, err := os.ReadFile(filepath.Join(b.root, "solutions", "saga", "saga.go"))
	if err != nil {
		t.Fatal(err)
	}
	code := strings.Replace(string(reference), "go:build solutions", "go:build !solutions", 1)
	for wrong, want := range map[string]string{"return 7": "as it does for those who count wrong", "return 9": "none of the 3 known mistakes"} {
		b.write(t, "kata/saga/saga.go", strings.Replace(code, "return 3", wrong, 1))
		b.out.Reset()
		if err := (whichCommand{Kata: "saga"}).Run(t.Context(), b.desk); err != nil || !strings.Contains(b.out.String(), want) {
			t.Errorf("%s was expected to be told as %q: %v\n%s", wrong, want, err, b.out.String())
		}
	}
}
