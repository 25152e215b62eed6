package terminal

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMarkdown(t *testing.T) {
	const text = `# A title

A paragraph with **weight**, a [link](https://example.com/a/long/address) and ` + "`code`" + `
that goes on.

- one item that is longer than the screen is
- two

<!-- from: TestFigure -->
<!-- from: TestN -->Nine<!-- /from --> in ten,
<!-- from: TestM -->or eight<!-- /from -->
| a | b |
|---|---|
| 1 | **2** |

| the way | its price | where |
|---|---|---|
| a lock | everybody waits for it, however long | |
| a \| b | none | here |
` + "```go" + `
	x := 1 // a line of code that is longer than the screen
` + "```" + `
`
	want := strings.TrimPrefix(`
A title

A paragraph with weight, a
link and `+"`code`"+` that goes on.

- one item that is longer than
  the screen is
- two

Nine in ten, or eight
a  b
1  2

a lock
  its price: everybody waits
    for it, however long

a | b
  its price: none
  where: here
        x := 1 // a line of c…`, "\n")
	got := strings.Join((&Screen{Width: 30}).Markdown(text), "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("at 30 columns, want (-), got (+):\n%s", diff)
	}
}
