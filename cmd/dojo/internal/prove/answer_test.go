package prove

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/cmd/dojo/internal/page"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
	"github.com/backend-kata/dojo/kata"
)

// wholeAnswer writes a kata with an answer page that lacks nothing.
func wholeAnswer(t *testing.T) workbook.Kata {
	t.Helper()
	k := workbook.Kata{Question: kata.Question{Folder: "saga", Text: "What is Saga pattern?", Track: kata.Distributed, Level: 2}, Root: t.TempDir()}
	write(t, k.ShippedStub(), "package saga\n\n// A Ledger is.\ntype Ledger struct{}\n\n// Post posts.\nfunc (*Ledger) Post() {}\n")
	write(t, filepath.Join(k.MistakesDir(), "never-undo.patch"), "")
	write(t, filepath.Join(k.MistakesDir(), "Three.patch"), "")
	write(t, filepath.Join(k.Solutions(), "example_test.go"), "package saga\n\n// example: wrong\nbook()\n// end\n\n// example: right\nundo()\n// end\n\nfunc TestLoss(t *testing.T) {}\n")
	write(t, k.Reference(), "package saga\n")
	write(t, k.Readme(), "# Sagas\n\n## The contract\n")
	write(t, filepath.Join(k.Root, "docs", "figures", "saga.svg"), `<text class="assumptions">two services</text>`)
	write(t, k.Answer(), wholePage(t))
	return k
}

// wholePage is a page of the kata saga that lacks nothing.
func wholePage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "answer.md"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

func TestAnswerPage(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"whole", "", "", ""},
		{"a question as its title", "# Sagas", "# What is Saga pattern?", "its title is the subject"},
		{"another question", "*What is Saga pattern?*", "*What is a saga?*", "below the title it says"},
		{"another level", "level 2", "level 3", "below the title it says"},
		{"a section less", "## Do not say", "## Never say", "it has the sections"},
		{"too much to say", "## Say this\n\nword", "## Say this\n\nword word word word word word word word word word word word", "words of Say this, without the number: 111, want 90 to 110"},
		{"no number", "**The number:**", "**A number:**", "Say this has no line that begins with **The number:**"},
		{"a number that no test logs", "<!-- from: TestLoss -->3 of 4<!-- /from -->", "3 of 4", "the number is not between the marks"},
		{"a mark that swallows its line", "**A lead.** word", "**A lead.**\n<!-- from: TestLoss -->3<!-- /from --> word", "a line begins with a mark and goes on"},
		{"no picture", "![Two services]", "[Two services]", "Say this has no picture"},
		{"a picture without words", "![Two services]", "![]", "the picture figures/saga.svg has no words"},
		{"an old example", "```go\nundo()\n", "```go\nredo()\n", "the example right is not what the file says: go tool dojo prove --fix writes it"},
		{"an example of nothing", "<!-- example: right -->", "<!-- example: rigth -->", "it shows the example rigth, which no Go file"},
		{"code that nobody compiles", "<!-- example: right -->\n", "", "it shows 1 pieces of code from files that are compiled"},
		{"nothing to see", "```\nundone\n```\n", "", "the example has 2 pieces of code"},
		{"a narrow table", "| b | c | d |\n\n", "| b | c |\n\n", "a row of The ways has fewer than four columns"},
		{"a long paragraph", "**A lead.**", "**A lead.** one two three four", "a paragraph has 81 words, want 80 at most: A lead. one two three four…"},
		{"a failure without its mistake", "[Mistake](../solutions/saga/mistakes/Three.patch)", "", "a failure links to no mistake of the kata: A failure."},
		{"no measured table", "<!-- from: TestLoss -->\n| a |", "<!-- of: TestLoss -->\n| a |", "What goes wrong has no table that a test logs"},
		{"a long follow-up", "<details><summary>Why?</summary>\n\n", "<details><summary>Why?</summary>\n\nword word word word word word word word word word word ", "a follow-up's answer has 61 words, want 60 at most: Why?"},
		{"a follow-up for nothing", "*Looking for:* sense.", "", "a follow-up lacks its answer, or the line *Looking for:*"},
		{"a source without a link", "[A paper](https://example.com/paper)", "A paper", "a source has no link: A paper: what it is."},
		{"a dead link", "../kata/saga/README.md#", "nowhere.md#", "it links to nowhere.md, which is not there"},
		{"a section that is not there", "#the-contract", "#contract", "it links to the section #contract of kata/saga/README.md, which is not there"},
		{"a step's number", "**A lead.** word", "**A lead.** In step 3", `"step 3" says nothing to whoever has not seen the kata`},
		{"a name of the stub's", "**A lead.** word", "**A lead.** `Ledger`", "only the kata knows `Ledger`"},
		{"a method of the stub's", "**A lead.** word", "**A lead.** `Ledger.Post()`", "only the kata knows `Ledger.Post`"},
		{"a name that is linked", "**A lead.** word", "**A lead.** [`Ledger`](../solutions/saga/saga.go)", ""},
		{"a mistake's file name", "**A lead.** word", "**A lead.** never-undo", "never-undo is the file name of a mistake"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := wholeAnswer(t)
			text := wholePage(t)
			if !strings.Contains(text, test.old) {
				t.Fatalf("the page has no %q", test.old)
			}
			write(t, k.Answer(), strings.Replace(text, test.old, test.new, 1))
			expectFinding(t, checkAnswer(k, false), test.want)
		})
	}
}

func TestAnswerPageIsFixed(t *testing.T) {
	k := wholeAnswer(t)
	write(t, k.Answer(), strings.Replace(wholePage(t), "```go\nundo()\n", "```go\nredo()\n", 1))
	expectFinding(t, checkAnswer(k, true), "")
	if text, err := os.ReadFile(k.Answer()); err != nil || string(text) != wholePage(t) {
		t.Errorf("the example was expected to be written as the file has it: %v\n%s", err, text)
	}
}

func TestNumbersHaveTheirTestAndCommand(t *testing.T) {
	for _, test := range []struct{ name, old, new, want string }{
		{"whole", "", "", ""},
		{"no such test", "<!-- from: TestLoss -->3", "<!-- from: TestGain -->3", "it takes a number from TestGain, which is no test"},
		{"a command that prints nothing", "go test -v -run", "go test -run", "it gives no command that prints what TestLoss logs"},
		{"a command of another test", "-run TestLoss", "-run TestGain", "it gives no command that prints what TestLoss logs"},
		{"a mark that is not closed", "3 of 4<!-- /from -->", "3 of 4<!--\n/from -->", "the mark <!-- from: TestLoss --> is not closed"},
		{"a command of all tests", "-run TestLoss ", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, findings := loggers(wholeAnswer(t), page.Parse(strings.Replace(wholePage(t), test.old, test.new, 1)))
			expectFinding(t, findings, test.want)
		})
	}
}

func TestLinksAreSorted(t *testing.T) {
	got := sortedLinks("# b\nhttps://z x\n\n# a\nhttps://y x\nhttps://z x\n")
	if want := "# b\n# a\nhttps://y x\nhttps://z x\n"; got != want {
		t.Errorf("sorted:\n%s", got)
	}
}

func TestLinksOutward(t *testing.T) {
	const paper = "https://example.com/paper"
	for _, test := range []struct{ name, list, want string }{
		{"a copy", paper + "  a stored copy\n", ""},
		{"a repository", "# links\n\n" + paper + " golang/go at commit 0123abcd\n", ""},
		{"not opened", paper + " not opened\n", ""},
		{"nowhere", "", "it links to " + paper + ", which is not in docs/links.txt"},
		{"no word of where", paper + " trust me\n", "it does not say where the text was read"},
		{"another one", paper + " not opened\nhttps://example.com/x not opened\n", "https://example.com/x: no answer page links to it"},
		{"twice", paper + " not opened\n" + paper + " a stored copy\n", "it is there twice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			k := wholeAnswer(t)
			write(t, filepath.Join(k.Root, "docs", "links.txt"), test.list)
			expectFinding(t, outward(workbook.Book{Root: k.Root}), test.want)
		})
	}
}
