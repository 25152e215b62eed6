package main

import (
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

func TestABufferIsReadAsItWasWritten(t *testing.T) {
	const program = "//go:build solutions\n\n// Package saga is right.\npackage saga\n"
	m := workbook.Mistake{Title: "count", Why: "it is late", Breaks: []string{"It counts.", "Twice."}, CaughtBy: "TestOne", Symptom: "and is 7"}
	text := bufferOf(m, program)
	if formatted, err := format.Source([]byte(text)); err != nil || string(formatted) != text {
		t.Errorf("an editor that formats on saving makes of the buffer (%v)\n%s", err, formatted)
	}
	broken := strings.Replace(text, "it is", "it\n// is", 1)
	for _, text := range []string{text, broken, strings.ReplaceAll(text, "\n", "\r\n")} {
		got, below, err := readBuffer(text)
		if err != nil || got.Text() != m.Text() || below != program {
			t.Errorf("got %v\n%s\n%s\nfrom\n%s", err, got.Text(), below, text)
		}
	}
	for wrong, want := range map[string]string{
		strings.Replace(text, scissors, "//", 1):       "the line with >8 is gone",
		strings.Replace(text, "Symptom", "Sumptom", 1): `"Sumptom: and is 7" is none of`,
	} {
		if _, _, err := readBuffer(wrong); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// An authorsDesk is a whole kata and an editor that is a shell script.
type authorsDesk struct {
	*bench

	editor string
}

func authors(t *testing.T) *authorsDesk {
	t.Helper()
	b := wholeKata(t)
	if whole, out := b.prove(t, true); !whole {
		t.Fatal(out)
	}
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("VISUAL", "")
	a := &authorsDesk{b, filepath.Join(t.TempDir(), "my editor")}
	t.Setenv("EDITOR", "'"+a.editor+"' --wait")
	return a
}

// edits runs the command with an editor that does what the script says with $2.
func (a *authorsDesk) edits(t *testing.T, from, script string) (string, error) {
	t.Helper()
	if err := os.WriteFile(a.editor, []byte("#!/bin/sh\ntest \"$1\" = --wait || exit 9\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	a.out.Reset()
	err := editCommand{Kata: "saga", Slug: "fresh", From: from}.Run(t.Context(), a.desk)
	return a.out.String(), err
}

// kept returns the file that the output says is kept, and whether it says so.
func (a *authorsDesk) kept(t *testing.T, out string) (string, bool) {
	t.Helper()
	m := regexp.MustCompile(`edit --from (\S+) saga`).FindStringSubmatch(out)
	folders, err := os.ReadDir(os.Getenv("TMPDIR"))
	folders = slices.DeleteFunc(folders, func(e os.DirEntry) bool { return !strings.HasPrefix(e.Name(), "dojo-mistake-") })
	if err != nil || (m == nil) != (len(folders) == 0) {
		t.Errorf("temporary folders that are left: %v, %v; the command said\n%s", folders, err, out)
	}
	if m == nil {
		return "", false
	}
	return m[1], true
}

const (
	titled  = `sed -i.bak -e 's/^.. Title:.*/\/\/ Title: count wrong/' -e 's/^.. Why:.*/\/\/ Why: it is late./' "$2"` + "\n"
	fourIs  = `sed -i.bak 's/return 4/return 44/' "$2"`
	unhappy = "\nexit 3"
)

func TestAMistakeIsTriedAndSaved(t *testing.T) {
	a := authors(t)
	out, err := a.edits(t, "", titled+fourIs)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	expect(t, out, "Step 4 catches it", "Four was expected to be 4, and is 44.", "Saved solutions/saga/mistakes/fresh.patch.")
	k, err := a.desk.book.Kata("saga")
	if err != nil {
		t.Fatal(err)
	}
	m, err := k.Mistake("fresh")
	if err != nil || !strings.Contains(m.Patch, "-\treturn 4\n+\treturn 44\n") {
		t.Errorf("the saved mistake is %+v, %v", m, err)
	}
	m.Path, m.Slug, m.Patch = "", "", ""
	// The stub says "and is 0", and the other mistake of that step "and is 7".
	want := workbook.Mistake{Title: "count wrong", Why: "it is late.", CaughtBy: "TestFour", Symptom: "and is 44."}
	if m.Text() != want.Text() {
		t.Errorf("got\n%s\nwant\n%s", m.Text(), want.Text())
	}
	if _, ok := a.kept(t, out); ok {
		t.Errorf("a file is kept although all was saved:\n%s", out)
	}
	if whole, out := a.prove(t, false); !whole {
		t.Errorf("a mistake that was saved was expected to be proved:\n%s", out)
	}
	out, err = a.edits(t, "", `sed -i.bak -e 's/return 44/return 4/' -e 's/return 2/return 22/' "$2"`)
	expect(t, out, "Caught-by was TestFour, and TestTwo goes red first.", `Symptom was "and is 44."`, "Symptom: and is 22.")
	if err != nil {
		t.Errorf("another step catches it, and it was not saved: %v", err)
	}
}

func TestAnEditThatCannotBeSavedIsKept(t *testing.T) {
	a := authors(t)
	tests := []struct {
		name, script, want string
		kept               bool
	}{
		{"does not compile", titled + `sed -i.bak 's/return 4/return four/' "$2"`, "does not compile", true},
		{"nothing catches it", titled + `sed -i.bak 's/return 4/return 2 + 2/' "$2"`, "no step catches it", true},
		{"no title", fourIs, "the preface has no Title", true},
		{"no change of the program", titled, "the program is the reference itself", true},
		{"the editor fails", fourIs + unhappy, "failed, so nothing was saved", true},
		{"the editor fails, and nothing was edited", unhappy, "failed, so nothing was saved", false},
		{"the editor saves nothing", "", "the editor saved no change", false},
		{"the patch cannot be written", titled + fourIs + "\nrm -r " + filepath.Join("solutions", "saga", "mistakes") + "; : >solutions/saga/mistakes", "making the folder of mistakes", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(a.root)
			t.Setenv("TMPDIR", t.TempDir())
			out, err := a.edits(t, "", test.script)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got the error %v, want one that says %q", err, test.want)
			}
			if _, ok := a.kept(t, out); ok != test.kept {
				t.Errorf("the file is kept: %t, want %t\n%s", ok, test.kept, out)
			}
		})
	}
}

func TestAKeptFileIsGoneOnFrom(t *testing.T) {
	a := authors(t)
	out, err := a.edits(t, "", titled+`sed -i.bak 's/return 4/return four/' "$2"`)
	path, ok := a.kept(t, out)
	if err == nil || !ok {
		t.Fatalf("got %v\n%s", err, out)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	line := 1 + strings.Count(string(text[:strings.Index(string(text), "four")]), "\n")
	expect(t, out, fmt.Sprintf("%s:%d:", path, line))
	out, err = a.edits(t, path, `sed -i.bak 's/return four/return 44/' "$2"`)
	if err != nil {
		t.Errorf("the mended file was expected to be saved: %v\n%s", err, out)
	}
	t.Setenv("EDITOR", "") // a file needs none
	if err := (editCommand{Kata: "saga", Slug: "again", From: path}).Run(t.Context(), a.desk); err == nil || !strings.Contains(err.Error(), "no words that the stub's has not") {
		t.Errorf("the same mistake under another name gives %v", err)
	}
	if err := (editCommand{Kata: "saga", Slug: "again"}).Run(t.Context(), a.desk); err == nil || !strings.Contains(err.Error(), "Set EDITOR") {
		t.Errorf("without an editor the error is %v", err)
	}
	if err := (editCommand{Kata: "saga", Slug: "../again"}).Run(t.Context(), a.desk); err == nil || !strings.Contains(err.Error(), "no file name") {
		t.Errorf("a path for a slug gives %v", err)
	}
}

func TestMistakesThatTemptComeFirst(t *testing.T) {
	b := wholeKata(t)
	b.edit(t, "solutions/saga/mistakes/Five.patch", "Why: it is late.", "Breaks: It counts.")
	if err := (listCommand{Kata: "saga"}).Run(b.desk); err != nil {
		t.Fatal(err)
	}
	const want = `They tempt:
  Four   step 4  count wrong
  Three  step 3  count wrong
They are there for their sentence alone:
  Five   step 5  count wrong
3 in all
`
	if got := b.out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
