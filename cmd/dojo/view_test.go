//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The tests of this file sit at a real terminal.

func TestViewOfAnEvening(t *testing.T) {
	b := clone(t)
	b.write(t, "docs/breaker.md", "# What is circuit breaker?\n\nIt **opens**.\n")
	b.body(t, "Second", "", "return 0")
	s := b.onScreen(t, 80, 24, "watch", "breaker")
	first := s.await(t, "breaker · step 2 of 4", "✓1 ✗2 ✓3 ✓4", "The second was expected to be 2, and is 0.", "edit: kata/breaker/breaker.go", "h hint")
	if strings.Contains(first, "answer") || strings.Contains(first, "diff") {
		t.Errorf("the keys of a green kata are offered on a red one:\n%s", first)
	}

	s.press(t, "h")
	s.await(t, "step 2 of breaker has no hints")
	b.body(t, "First", "", "return 0")
	red := s.await(t, "step 1 of 4", "The first was expected to be 1", "This save turned 1 and 4 red again.", "○○")
	if strings.Contains(red, "no hints") {
		t.Errorf("an answer was expected to go with the next save:\n%s", red)
	}
	s.press(t, "h")
	s.await(t, "hint 1 of 2", "Think of one.")
	s.press(t, "h")
	s.await(t, "hint 2 of 2", "It is one.")
	s.press(t, "v")
	s.await(t, "hint 2 of 2", "All that step 1 printed", "esc back")
	s.press(t, "\x1b")
	s.await(t, "hint 2 of 2", "h hint")

	b.body(t, "First", "", "return one")
	s.await(t, "It does not compile:", "undefined: one", "○○×")

	b.write(t, stub, goodStub)
	s.await(t, "complete", "○○×●", "✓ 1 The first is one.", "Green: 4 of 4 steps, 1 of 1 further ones, after", "verdicts", "a read the answer", "d see your code beside the reference")
	back := func() {
		t.Helper()
		s.press(t, "\x1b")
		s.await(t, "Green: 4 of 4 steps")
	}
	s.press(t, "a")
	s.await(t, "What is circuit breaker?", "It opens.")
	back()
	s.press(t, "d")
	s.await(t, "+//go:build solutions")
	back()
	s.press(t, "n")
	s.await(t, "Every other kata here is green.")
	s.press(t, "l")
	s.await(t, "43 questions · 1 katas here", "4/4 +1 complete")
	back()
	s.press(t, "x")
	s.await(t, "Reset breaker to the stub as shipped?")
	s.press(t, "n")
	s.press(t, "x")
	s.press(t, "y")
	s.await(t, "step 1 of 4")
	s.quits(t)
	kept, err := filepath.Glob(filepath.Join(b.root, "kata", "breaker", ".kept", "*", "breaker.go"))
	if err != nil || len(kept) != 1 {
		t.Errorf("after a reset what the learner had was expected to be kept aside: %v, %v", kept, err)
	}
	s.await(t, "breaker · step 1 of 4") // what stays on the terminal
}

func TestViewFitsTheTerminal(t *testing.T) {
	b := clone(t)
	b.body(t, "Second", "import \"fmt\"\n", "for n := range 99 { fmt.Println(\"a line that is quite a bit longer than forty columns are\", n) }\nreturn 0")
	s := b.onScreen(t, 80, 24, "watch")
	s.await(t, "The second was expected to be 2, and is 0.", "printed: a line", "q quit")
	for _, size := range [][2]int{{40, 24}, {40, 10}, {120, 50}, {80, 24}} {
		s.resize(t, size[0], size[1])
		// Redrawn where the keys stand in the last line.
		text := s.awaits(t, func(string) bool {
			lines := strings.Split(strings.TrimRight(s.text(), "\n"), "\n")
			return len(lines) == size[1] && strings.Contains(lines[len(lines)-1], "quit") && strings.Contains(lines[0], "breaker · step 2 of 4")
		}, "the verdict from the first row to the last")
		for line := range strings.Lines(text) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > size[0] {
				t.Errorf("at %d columns a line has %d: %q", size[0], n, line)
			}
		}
	}
	s.press(t, "?")
	s.await(t, "Visual Studio Code")
	s.resize(t, 40, 24)
	s.await(t, "in $VISUAL, $EDITOR or Visual Studio Code") // laid out anew, with nothing cut off
	s.quits(t)
}

func TestViewSaysWhatItWaitsFor(t *testing.T) {
	b := clone(t)
	b.body(t, "Second", "", "return 0")
	s := b.onScreen(t, 80, 24, "watch", "breaker")
	s.await(t, "red in", "The second was expected")
	b.write(t, stub, strings.Replace(goodStub, "func First()", "func init() {\n\tfor {\n\t}\n}\n\nfunc First()", 1))
	s.await(t, "judging breaker: the program has started and no step has begun: does an init function", "The second was expected")
	s.await(t, "No step began within", "an init function, or the value of a package's variable, does not end.")
	b.body(t, "Third", "", "for {\n}")
	s.await(t, "judging breaker: step 3 runs")
	s.quits(t)
}

// A folder that goes and comes back, as it does with git stash or checkout, is
// watched on.
func TestViewFollowsTheFolder(t *testing.T) {
	b := clone(t)
	b.body(t, "Second", "", "return 0")
	s := b.onScreen(t, 80, 24, "watch", "breaker")
	s.await(t, "The second was expected")
	dir := filepath.Join(b.root, "kata", "breaker")
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	s.await(t, "kata/breaker/breaker_test.go is gone")
	if err := os.CopyFS(dir, os.DirFS(dir+".away")); err != nil {
		t.Fatal(err)
	}
	b.body(t, "Third", "", "return 0")
	s.await(t, "The third was expected to be 3")
	b.body(t, "First", "", "return 0")
	s.await(t, "The first was expected to be 1")
	s.quits(t)
}

// Until the race detector has looked, nothing is green.
func TestViewIsNotSureBeforeTheRaceDetector(t *testing.T) {
	b := clone(t)
	if !b.desk.race() {
		t.Skip("there is no race detector here")
	}
	b.body(t, "Second", "import \"sync\"\n", "n := 1\nvar g sync.WaitGroup\nfor range 2 {\ng.Go(func() { n = 2 })\n}\ng.Wait()\nreturn n")
	b.cold = true // so that the binary with the detector comes well after the first verdict
	s := b.onScreen(t, 80, 24, "watch", "breaker")
	first := s.await(t, "breaker ", "in ")
	if strings.Contains(first, "✓") || strings.Contains(first, "green") || strings.Contains(first, "complete") {
		t.Errorf("the race detector has not looked, and the view says:\n%s", first)
	}
	s.await(t, "✗2", "The race detector found a data race")
	s.quits(t)
}

func TestViewOfAFreshClone(t *testing.T) {
	b := clone(t)
	b.write(t, stub, strings.NewReplacer("return 1", "return 0", "return 2", "return 0", "return 3", "return 0").Replace(goodStub))
	s := b.onScreen(t, 80, 24)
	s.await(t, "Next is breaker", "go tool dojo watch breaker")
	s = b.onScreen(t, 80, 24, "watch")
	s.await(t, "Red is where everybody starts.")
	s.press(t, "m")
	s.await(t, "as shipped: no step is begun")
	s.quits(t)
}

func TestWordsThatPeopleTry(t *testing.T) {
	for _, words := range [][]string{{"help"}, {"help", "watch"}} {
		b := clone(t)
		s := b.onScreen(t, 100, 60, words...)
		text := s.await(t, "Usage: go tool dojo", "Judge a kata each time you save.")
		if len(words) == 1 {
			learn, write := strings.Index(text, "To practise:"), strings.Index(text, "To write katas")
			if learn < 0 || write < learn || strings.Index(text, "prove ") < write || strings.Index(text, "hint ") > write {
				t.Errorf("the learner's commands were expected first, and the author's apart:\n%s", text)
			}
		}
	}
}
