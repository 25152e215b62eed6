package deck

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

const text = "# Sagas\n\n*asked*\n\n## Say this\n\n\"A saga\" is\ta row of **steps**.\n\n**The number:** 3 of 4 (`go test -v`)\n\n## Follow-ups\n\n" +
	"<details><summary>#1, or `2`?</summary>\n\nOne.\n\nAnd two.\n\n*Looking for:* sense.\n\n</details>\n"

func book(t *testing.T, page string) workbook.Book {
	t.Helper()
	b := workbook.Book{Root: t.TempDir()}
	for name, content := range map[string]string{"kata/saga/README.md": "", "docs/saga.md": page} {
		path := filepath.Join(b.Root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestTSV(t *testing.T) {
	got, err := TSV(book(t, text))
	const link = "https://github.com/backend-kata/dojo/blob/main/docs/saga.md"
	want := "What is Saga pattern?\tA saga\" is a row of steps. The number: 3 of 4. " + link + "\tdojo::distributed dojo::level-2\n" +
		"Saga pattern: #1, or 2?\tOne. And two. (Looking for: sense.) " + link + "\tdojo::distributed dojo::level-2 dojo::follow-up\n"
	if err != nil || got != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
	}
}

func TestPageWithoutCards(t *testing.T) {
	b := book(t, "# What is Saga pattern?\n\n## In one breath\n\nIt is.\n")
	if got, err := TSV(b); err != nil || got != "" {
		t.Errorf("a page in the old form gives %q, %v", got, err)
	}
	if err := os.Remove(filepath.Join(b.Root, "docs", "saga.md")); err != nil {
		t.Fatal(err)
	}
	if got, err := TSV(b); err != nil || got != "" {
		t.Errorf("no page gives %q, %v", got, err)
	}
}

// Whoever imports the deck splits lines at tabs, and takes a quote or # at the start
// for something else.
func TestFields(t *testing.T) {
	for in, want := range map[string]string{"\"a\tb\"": `a b"`, "# c": "c", "`d`  e": "d e"} {
		if got := strings.TrimSpace(field(in)); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}
