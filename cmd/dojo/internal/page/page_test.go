package page

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const text = `# Sagas

*What is Saga pattern?* · Distributed · [kata](../kata/saga)

## Say this

A saga is a row of **local** transactions,
each with its [undoing](https://example.com/undo "why").

**The number:** <!-- from: TestNumber -->3 of 4<!-- /from --> come back
(` + "`go test -v -run TestNumber ./solutions/saga`" + ` prints it).

![a saga](figures/saga.svg)

## Example

<!-- example: undo -->
` + "```go" + `
old()

## not a heading
` + "```" + `

<!-- from: TestTable -->
| a | b |
|---|---|
| 1 | 2 |
<!-- /from -->

## Follow-ups

<details><summary>Why not two phases?</summary>

They block.

And they fail.

*Looking for:* the in-doubt state.

</details>
`

func TestParse(t *testing.T) {
	p := Parse(text)
	type seen struct {
		Title, Asked, Say, Number string
		Sections                  []string
		FollowUps                 []FollowUp
		Excerpts                  []Excerpt
		Logged                    []Logged
		Commands                  []string
	}
	got := seen{Title: p.Title, Asked: p.Asked, Say: p.Say(), Number: p.Number(), FollowUps: p.FollowUps(), Excerpts: p.Excerpts(), Logged: p.Logged(), Commands: p.Commands()}
	for _, s := range p.Sections {
		got.Sections = append(got.Sections, s.Title)
	}
	want := seen{
		Title: "Sagas", Asked: "*What is Saga pattern?* · Distributed · [kata](../kata/saga)",
		Say:       `A saga is a row of local transactions, each with its [undoing](https://example.com/undo "why").`,
		Number:    "3 of 4 come back",
		Sections:  []string{"Say this", "Example", "Follow-ups"},
		FollowUps: []FollowUp{{"Why not two phases?", "They block.\n\nAnd they fail.", "the in-doubt state."}},
		Excerpts:  []Excerpt{{"undo", "old()\n\n## not a heading\n"}},
		Logged:    []Logged{{"TestNumber", "3 of 4"}, {"TestTable", "| a | b |\n|---|---|\n| 1 | 2 |"}},
		Commands:  []string{"go test -v -run TestNumber ./solutions/saga"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
	if windows := Parse(strings.ReplaceAll(text, "\n", "\r\n")); windows.Text != p.Text {
		t.Error("a page with the line ends of Windows reads otherwise")
	}
}

func TestWrittenAgain(t *testing.T) {
	p := Parse(text)
	got := p.WithExcerpts(map[string]string{"undo": "today()\n", "other": "no()\n"})
	if want := strings.Replace(text, "old()\n\n## not a heading\n", "today()\n", 1); got != want {
		t.Errorf("with the code of today:\n%s", cmp.Diff(want, got))
	}
	got = p.WithLogs(map[string][]string{"TestNumber": {"4 of 4"}, "TestTable": {"| one |", "| two |"}})
	if want := strings.Replace(text, "3 of 4", "4 of 4", 1); got != want {
		t.Errorf("with the one number that is clear:\n%s", cmp.Diff(want, got))
	}
}

func TestWrittenForTheFirstTime(t *testing.T) {
	p := Parse("<!-- example: undo -->\n```go\n```\n\n<!-- from: TestSeen -->\n```http\n```\n<!-- /from -->\n<!-- from: TestTable --><!-- /from -->\nIt is <!-- from: TestN --><!-- /from -->.\n")
	got := Parse(p.WithExcerpts(map[string]string{"undo": "x()\n"})).WithLogs(map[string][]string{"TestSeen": {"GET /\n200"}, "TestTable": {"| a |\n|---|"}, "TestN": {"7"}})
	want := "<!-- example: undo -->\n```go\nx()\n```\n\n<!-- from: TestSeen -->\n```http\nGET /\n200\n```\n<!-- /from -->\n<!-- from: TestTable -->\n| a |\n|---|\n<!-- /from -->\nIt is <!-- from: TestN -->7<!-- /from -->.\n"
	if got != want {
		t.Errorf("want (-), got (+):\n%s", cmp.Diff(want, got))
	}
}

func TestMarkThatIsNotClosed(t *testing.T) {
	p := Parse("a <!-- from: TestA -->1<!--\n/from --> b <!-- from: TestB -->2<!-- /from -->")
	if got := p.Unclosed(); !cmp.Equal(got, []string{"TestA"}) {
		t.Errorf("found %v, want TestA", got)
	}
	if got := p.WithLogs(map[string][]string{"TestA": {"7"}}); got != p.Text {
		t.Errorf("what the mark swallows was replaced: %s", got)
	}
}

func TestCut(t *testing.T) {
	got, err := Cut("package a\n\nfunc b() {\n\t// example: one\n\tif x {\n\t\ty()\n\t}\n\n\t// end\n}\n\n// example: two\n\nfunc c() {}\n\n// end\n")
	if want := map[string]string{"one": "if x {\n    y()\n}\n", "two": "func c() {}\n"}; err != nil || !cmp.Equal(got, want) {
		t.Errorf("cut %v, %v:\n%s", got, err, cmp.Diff(want, got))
	}
	for text, want := range map[string]string{
		"// example: a\n":                              "the example a has no // end",
		"// example: a\n// example: b\n// end\n":       "the example a has no // end",
		"// example: a\n// end\n// example: a\n// end": "there are two examples a",
	} {
		if _, err := Cut(text); err == nil || err.Error() != want {
			t.Errorf("%q gives %v, want %s", text, err, want)
		}
	}
}

func TestLogs(t *testing.T) {
	got := Logs("=== RUN   TestA\n    a_test.go:7: \n        | x | y |\n        |---|---|\n        | 1 |   |\n    a_test.go:9: 45 times\n=== RUN   TestB\n=== RUN   TestB/sub\nprinted\n    b_test.go:3: inside\nnot a log\n        nor this\n--- PASS: TestA (0.00s)\n")
	want := map[string][]string{"TestA": {"| x | y |\n|---|---|\n| 1 |   |", "45 times"}, "TestB": {"inside"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

func TestBare(t *testing.T) {
	for in, want := range map[string]string{
		" 45 times ":                 "45 times",
		"\n```\na  \n b\n```\n":      "a\n b",
		"\n| a |\n|---|\n\n":         "| a |\n|---|",
		"\n```http\nGET / \n\n```\n": "GET /",
	} {
		if got := Bare(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

func TestLinks(t *testing.T) {
	got := Links("[a](b.md#c), ![d](e.svg), [`F`](https://go.dev/ref/mem#x), [here](#top)\n```\n[no](code)\n```\n")
	want := []Link{{"a", "b.md", "c", false}, {"d", "e.svg", "", true}, {"`F`", "https://go.dev/ref/mem#x", "", false}, {"here", "", "top", false}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
	if anchors := Anchors("# PUT, and `PATCH`\n```\n# no\n```\n### In_your stack\n"); !cmp.Equal(anchors, map[string]bool{"put-and-patch": true, "in_your-stack": true}) {
		t.Errorf("anchors: %v", anchors)
	}
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"A ![a picture](x.svg) [link](y.md).":      "A link.",
		"Send `If-None-Match: *`, **not** `a<b>`.": "Send `If-None-Match: *`, not `a<b>`.",
	} {
		if got := Plain(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	for in, want := range map[string]int{
		"One **two** [three](four) `five`.":             4,
		"a – b <!-- c d --> 40 %":                       3,
		"```\ncode\n```\n| x | y |\n|---|---|\n":        2,
		"<details><summary>Why?</summary>So.</details>": 2,
	} {
		if got := Words(in); got != want {
			t.Errorf("%q has %d words, want %d", in, got, want)
		}
	}
	prose, spans := Prose("Use `Put`, not [`Get`](x.md) in step 3. <!-- `Del` -->")
	if prose != "Use , not  in step 3. " || !cmp.Equal(spans, []string{"Put"}) {
		t.Errorf("prose %q, spans %q", prose, spans)
	}
}
