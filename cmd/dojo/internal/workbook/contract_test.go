package workbook

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func texts(promises []Promise) []string {
	var all []string
	for _, p := range promises {
		all = append(all, fmt.Sprintf("%d %s", p.Line, p.Text))
	}
	return all
}

func TestCutAContract(t *testing.T) {
	const readme = `# A kata

Not asked. It tells a story.

## Contract

` + "`New(n)` returns an empty list. It has room for n items, e.g. five:\nnil is none. `Add` returns 1.5 or\n`ErrFull` (RFC 9110 §9.3.4). Why?" + `

### Types

| call | answer |
|---|---|
| Len | how many |

- The first. And the second,
  over two lines.
1. A third

` + "```go\n// Code. Is none.\n```" + `

<!-- A remark. -->

## Contract: for the further steps

More.

## Steps

Nothing.
`
	got := texts(cut("README.md", contractLines(readme)))
	want := []string{
		"7 `New(n)` returns an empty list.",
		"7 It has room for n items, e.g. five: nil is none.",
		"8 `Add` returns 1.5 or `ErrFull` (RFC 9110 §9.3.4).",
		"9 Why?",
		"15 | Len | how many |",
		"17 The first.",
		"17 And the second, over two lines.",
		"19 A third",
		"29 More.",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the promises of the README (-want +got):\n%s", diff)
	}
}

func TestCutComments(t *testing.T) {
	const stub = `//go:build !solutions

// Package queue is not asked.
package queue

// ErrFull says that. It is wrapped.
var ErrFull = errors.New("full")

// A Queue is safe. The zero value
// is ready:
//
//	var q Queue // Code. Is none.
//
// It ends.
type Queue struct {
	// Max is a limit.
	Max int
	Min int // is another
	// hidden is not asked.
	hidden int
}

// Len counts.
//
//go:noinline
func (q *Queue) Len() int {
	// Not asked.
	return 0
}

// help is not asked.
func help() {}
`
	lines, err := commentLines([]byte(stub))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"6 ErrFull says that.", "6 It is wrapped.", "9 A Queue is safe.", "9 The zero value is ready:", "14 It ends.",
		"16 Max is a limit.", "18 is another", "23 Len counts.",
	}
	if diff := cmp.Diff(want, texts(cut("queue.go", lines))); diff != "" {
		t.Errorf("the promises of the stub (-want +got):\n%s", diff)
	}
	if _, err := commentLines([]byte("package")); err == nil || !strings.Contains(err.Error(), "does not parse") {
		t.Errorf("a stub that does not parse: %v", err)
	}
}

func TestFindAQuote(t *testing.T) {
	q := NewQuote([]Promise{
		{"a", 1, "The `zero` value is [ready](https://x)."},
		{"a", 2, "It is **safe**."},
		{"b", 3, "It is safe."},
		{"b", 4, "| 200 | `ETag` |"},
	})
	for words, want := range map[string][]int{
		"The zero value is ready.":    {0},
		"zero value":                  {0},
		"The `zero`\n value":          {0},
		"It is safe.":                 {1, 2},
		"is ready. It is":             {0, 1},
		"| 200 |":                     {3},
		"It is safe. | 200":           {2, 3},
		"is ready. It is safe. It is": nil, // from one file to the other
		"It was safe.":                nil,
		"":                            nil,
	} {
		if diff := cmp.Diff(want, q.Find(words)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", words, diff)
		}
	}
}
