package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

const stub = "kata/breaker/breaker.go"

func TestWhatDoesNotBuild(t *testing.T) {
	tests := []struct {
		name   string
		damage func(t *testing.T, b *bench)
		want   []string
	}{
		{"does not compile", func(t *testing.T, b *bench) {
			b.body(t, "Second", "", "return two")
		}, []string{"✗ It does not compile:", stub + ":9:8: undefined: two"}},
		{"changed signature", func(t *testing.T, b *bench) {
			b.write(t, stub, strings.Replace(goodStub, "Second() int { return 2 }", "Second(n int) int { return 2 }", 1))
		}, []string{
			"What the kata exports is not as the steps need it:",
			"Second was: func Second() int", "is: func Second(n int) int", "kata/breaker/breaker_test.go:19:12: not enough arguments",
		}},
		{"a name is gone", func(t *testing.T, b *bench) {
			b.write(t, stub, strings.Replace(goodStub, "func Second() int { return 2 }", "", 1))
		}, []string{"Second is gone: func Second() int", "undefined: breaker.Second"}},
		{"not in go.mod", func(t *testing.T, b *bench) {
			b.body(t, "Second", "import \"example.com/other\"\n", "return other.Two")
		}, []string{"✗ It does not compile:", "example.com/other"}},
		{"stub deleted", func(t *testing.T, b *bench) { b.remove(t, stub) }, []string{
			"kata/breaker/breaker.go is gone, the file you edit.", "go tool dojo reset breaker",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := clone(t)
			test.damage(t, b)
			out := b.test(t)
			expect(t, out, append(test.want, "breaker", "red")...)
			if strings.Count(out, "\n") > 14 || t.Failed() {
				t.Errorf("the verdict, of 14 lines at most:\n%s", out)
			}
		})
	}
}

func TestTestFilesGoneOrEdited(t *testing.T) {
	b := clone(t)
	b.write(t, "kata/breaker/breaker_test.go", tests+"\n// mine\n")
	if err := (testCommand{Kata: "breaker"}).Run(t.Context(), b.desk); !errors.Is(err, errRed) {
		t.Errorf("the steps are not as shipped, and the command ended with %v; want it to fail", err)
	}
	out := strings.Join(strings.Fields(b.test(t)), " ")
	expect(t, out, "steps not as shipped", "○1", "kata/breaker/breaker_test.go is not as shipped, so this verdict means nothing.")
	if strings.Contains(out, "complete") || strings.Contains(out, "✓") {
		t.Errorf("the steps are not as shipped, and some are green:\n%s", out)
	}
	b.out.Reset()
	if err := (boardCommand{}).Run(t.Context(), b.desk); err != nil {
		t.Fatal(err)
	}
	expect(t, b.out.String(), "steps edited", "0 of 1 katas green · 0 of 4 steps")
	b.remove(t, "kata/breaker/breaker_test.go")
	err := testCommand{Kata: "breaker"}.Run(t.Context(), b.desk)
	if err == nil || !strings.Contains(err.Error(), "git checkout -- kata/breaker/breaker_test.go") {
		t.Errorf("the steps are gone, and the error is %v; want how to bring them back", err)
	}
}

func TestFurtherFile(t *testing.T) {
	b := clone(t)
	b.write(t, stub, strings.Replace(goodStub, "return 2", "return two", 1))
	const further = "package breaker\n\nconst two = 2\n"
	b.write(t, "kata/breaker/two.go", further)
	const note = "kata/breaker/two.go lacks the line //go:build !solutions"
	flat := strings.Join(strings.Fields(b.test(t)), " ")
	expect(t, flat, "✓2", note, "go tool dojo tag breaker")
	if err := (tagCommand{Kata: "breaker"}).Run(t.Context(), b.desk); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(b.root, "kata", "breaker", "two.go"))
	if err != nil || string(got) != "//go:build !solutions\n\n"+further {
		t.Errorf("the tagged file is %q, %v", got, err)
	}
	if out := strings.Join(strings.Fields(b.test(t)), " "); strings.Contains(out, note) {
		t.Errorf("the verdict still asks for a build line that is there:\n%s", out)
	}
}

// withoutCCompiler leaves the go command alone on the PATH.
func withoutCCompiler(t *testing.T) {
	t.Helper()
	goPath, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(goPath, filepath.Join(bin, "go")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	t.Setenv("PATH", bin)
}

func TestWithoutCCompiler(t *testing.T) {
	withoutCCompiler(t)
	b := clone(t)
	expect(t, strings.Join(strings.Fields(b.test(t)), " "), "complete", "Without -race: there is no C compiler")
}

func TestAStepThatCouldNotJudgeAll(t *testing.T) {
	b := clone(t)
	const why = "TestSecond has not judged data races: only a build with -race sees them"
	skipping := strings.Replace(tests, "func TestThird(", "func TestUnseen(t *testing.T) {\n\tif breaker.Second() != 2 {\n\t\tt.Fatal(\"no\")\n\t}\n\tt.Skip(\""+why+"\")\n}\n\n// The third is three.\nfunc TestThird(", 1)
	b.write(t, "kata/breaker/breaker_test.go", skipping)
	b.write(t, "solutions/breaker/tests.sum", workbook.Sum([]byte(skipping))+"  breaker_test.go\n")
	if err := (testCommand{Kata: "breaker"}).Run(t.Context(), b.desk); !errors.Is(err, errRed) {
		t.Errorf("a step has not judged all, and the command ended with %v; want it to fail", err)
	}
	out := strings.Join(strings.Fields(b.test(t)), " ")
	expect(t, out, "not judged whole", "○3", why, "✓4", "✓5", "✓+6")
	if strings.Contains(out, "complete") || strings.Contains(out, "green") {
		t.Errorf("a step has not judged all, and the kata is called green:\n%s", out)
	}
	b.body(t, "Second", "", "return 0")
	expect(t, b.test(t), "✗  2", "✗3")
}

func TestGOFLAGS(t *testing.T) {
	t.Setenv("GOFLAGS", "-mod=vendor -tags=solutions")
	b := clone(t)
	b.body(t, "Second", "", "return 0")
	expect(t, b.test(t), "step 2 of 4", "GOFLAGS is set, and left out of this run.")
}

func TestAScheduleLeftBehind(t *testing.T) {
	t.Setenv("DOJO_SCHEDULE", "AAB")
	b := clone(t)
	b.body(t, "Second", "", "return 0")
	expect(t, strings.Join(strings.Fields(b.test(t)), " "), "step 2 of 4", "DOJO_SCHEDULE=AAB is set, and leaves out all other runs.")
}

func TestTheStubsOwnBuildLine(t *testing.T) {
	b := clone(t)
	b.write(t, stub, strings.TrimPrefix(goodStub, workbook.BuildLine+"\n\n"))
	expect(t, strings.Join(strings.Fields(b.test(t)), " "), stub+" lacks the line "+workbook.BuildLine)
	if err := (tagCommand{Kata: "breaker"}).Run(t.Context(), b.desk); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(b.root, stub)); err != nil || string(got) != goodStub {
		t.Errorf("after tag the stub is %q, %v", got, err)
	}
}

func TestNoGoCommand(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	t.Setenv("PATH", t.TempDir())
	err := run(t.Context(), []string{"test"})
	if err == nil || !strings.Contains(err.Error(), "the go command is not on the PATH") {
		t.Errorf("without a go command the error is %v", err)
	}
}

func TestOutsideAClone(t *testing.T) {
	t.Chdir(t.TempDir())
	err := run(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "is not inside a clone of the dojo") {
		t.Errorf("outside a clone the error is %v", err)
	}
}

func TestUnknownKata(t *testing.T) {
	b := clone(t)
	for name, want := range map[string]string{
		"braker":           "did you mean breaker?",
		"saga":             "the kata saga is not written yet",
		"xyzzy":            `there is no kata "xyzzy": go tool dojo lists those that are here`,
		"../kata/breaker/": "",
	} {
		err := hintCommand{Kata: name}.Run(t.Context(), b.desk)
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("kata %q gives the error %v, want %q", name, err, want)
		}
	}
}

func TestResetKeepsWhatYouHad(t *testing.T) {
	b := clone(t)
	mine, extra := "package breaker // mine\n", "package breaker // extra\n"
	b.write(t, stub, mine)
	b.write(t, "kata/breaker/extra.go", extra)
	for range 2 {
		if err := (resetCommand{Kata: "breaker"}).Run(b.desk); err != nil {
			t.Fatal(err)
		}
		b.write(t, stub, mine)
	}
	kept := map[string]int{}
	err := filepath.WalkDir(filepath.Join(b.root, "kata", "breaker", ".kept"), func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			text, readErr := os.ReadFile(path)
			kept[filepath.Base(path)+": "+string(text)]++
			err = readErr
		}
		return err
	})
	if err != nil || kept["breaker.go: "+mine] != 2 || kept["extra.go: "+extra] != 1 {
		t.Errorf("kept aside were %v, %v; want both files, the stub twice", kept, err)
	}
	expect(t, b.out.String(), "kata/breaker/breaker.go is as shipped again.", "Yours is kept in kata/breaker/.kept/")
}

func TestResetThatCannotKeepChangesNothing(t *testing.T) {
	b := clone(t)
	b.write(t, stub, "package breaker // mine\n")
	b.write(t, "kata/breaker/.kept", "a file where the folder would be")
	err := resetCommand{Kata: "breaker"}.Run(b.desk)
	if err == nil || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("the error is %v, want one that says that nothing was changed", err)
	}
	if text, err := os.ReadFile(filepath.Join(b.root, stub)); err != nil || string(text) != "package breaker // mine\n" {
		t.Errorf("the stub is %q, %v; want what the learner had", text, err)
	}
}

func TestVerdictsAreRemembered(t *testing.T) {
	b := clone(t)
	k, err := b.desk.book.Kata("breaker")
	if err != nil {
		t.Fatal(err)
	}
	b.body(t, "Second", "", "return 0")
	b.test(t)
	v, ok := b.desk.tools.Recall(k, b.desk.race())
	if !ok || v.FirstRed() != 1 {
		t.Fatalf("a red verdict was not remembered: %v, first red step %d", ok, v.FirstRed()+1)
	}
	for _, changed := range []string{stub, "kata/breaker/breaker_test.go", "pkg/bubble/bubble.go", "go.mod"} {
		path := filepath.Join(b.root, filepath.FromSlash(changed))
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b.write(t, changed, string(text)+"\n// changed\n")
		if _, ok := b.desk.tools.Recall(k, b.desk.race()); ok {
			t.Errorf("the verdict was recalled although %s changed", changed)
		}
		b.write(t, changed, string(text))
	}
}

// A step that hung is not waited for again by whoever only asks where things stand.
func TestVerdictOfAHangIsRemembered(t *testing.T) {
	b := clone(t)
	k, err := b.desk.book.Kata("breaker")
	if err != nil {
		t.Fatal(err)
	}
	b.body(t, "Second", "", "for {\n}")
	b.test(t)
	for _, test := range []struct {
		name    string
		waits   bool
		guessed bool
	}{{"the board", false, true}, {"watch", true, false}} {
		v, err := b.desk.tools.Judge(t.Context(), k, testrun.Judgement{Race: b.desk.race(), Waits: test.waits})
		if err != nil || v.Guessed != test.guessed || !v.Steps[1].Overdue {
			t.Errorf("%s: taken from before %v, overdue %v, %v; want %v, true", test.name, v.Guessed, v.Steps[1].Overdue, err, test.guessed)
		}
	}
	if _, ok := b.desk.tools.Recall(k, b.desk.race()); ok {
		t.Error("the first frame of watch shows a hang that a busy machine may have made")
	}
}

func TestHints(t *testing.T) {
	b := clone(t)
	b.body(t, "First", "", "return 0")
	for n, want := range map[int]string{0: "hint 1 of 2\n\nThink of one.", 2: "hint 2 of 2\n\nIt is one."} {
		b.out.Reset()
		if err := (hintCommand{Kata: "breaker", N: n}).Run(t.Context(), b.desk); err != nil || !strings.Contains(b.out.String(), want) {
			t.Errorf("hint %d: %v\n%s", n, err, b.out.String())
		}
	}
	if err := (hintCommand{Kata: "breaker", N: 3}).Run(t.Context(), b.desk); err == nil || !strings.Contains(err.Error(), "has 2 hints") {
		t.Errorf("hint 3: %v, want how many there are", err)
	}
}

func TestDiffIsASpoiler(t *testing.T) {
	b := clone(t)
	b.body(t, "First", "", "return 0")
	if err := (diffCommand{Reveal{Kata: "breaker"}}).Run(t.Context(), b.desk); err == nil || !strings.Contains(err.Error(), "not green yet") {
		t.Errorf("before the kata is green the diff gives %v", err)
	}
	b.out.Reset()
	if err := (diffCommand{Reveal{Kata: "breaker", Force: true}}).Run(t.Context(), b.desk); err != nil {
		t.Fatal(err)
	}
	expect(t, b.out.String(), "--- kata/breaker/breaker.go", "+++ solutions/breaker/breaker.go")
}

func TestJSON(t *testing.T) {
	b := clone(t)
	b.body(t, "Second", "", "return 0")
	if err := (testCommand{Kata: "breaker", JSON: true}).Run(t.Context(), b.desk); !errors.Is(err, errRed) {
		t.Errorf("a red verdict ends with %v, want %v", err, errRed)
	}
	var got struct {
		Kata  string
		Green bool
		Steps []struct {
			Name    string
			Passed  bool
			Failure []string
			Place   string
		}
	}
	if err := json.Unmarshal(b.out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Kata != "breaker" || got.Green || len(got.Steps) != 5 || !got.Steps[0].Passed || got.Steps[1].Passed ||
		got.Steps[1].Place != "kata/breaker/breaker_test.go:20" {
		t.Errorf("the verdict for programs is %+v", got)
	}
	if further := got.Steps[4]; further.Passed || further.Failure != nil {
		t.Errorf("a further step was expected not to run before the kata is green: %+v", further)
	}
}

func TestBoard(t *testing.T) {
	b := clone(t)
	b.body(t, "Second", "", "return 0")
	if err := (boardCommand{}).Run(t.Context(), b.desk); err != nil {
		t.Fatal(err)
	}
	expect(t, b.out.String(), "43 questions · 1 katas here", "breaker         step 2 of 4", "42 more: go tool dojo list --all",
		"0 of 1 katas green · 3 of 4 steps", "Today: breaker, 3 of 4 steps", "You are on breaker, step 2: The second is two.", "go tool dojo watch breaker")
	if lines := strings.Count(b.out.String(), "\n"); lines > 24 {
		t.Errorf("the board has %d lines, want 24 at most", lines)
	}
	for line := range strings.Lines(b.out.String()) {
		if n := len([]rune(strings.TrimSpace(line))); n > 80 {
			t.Errorf("a line of %d columns does not fit 80: %q", n, line)
		}
	}
}
