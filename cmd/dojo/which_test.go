package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

const secondStub = "kata/saga/saga.go"

// twoKatas is a clone with two katas: breaker, and behind it on the path saga.
func twoKatas(t *testing.T) *bench {
	t.Helper()
	b := clone(t)
	for _, folder := range []string{"kata", "solutions"} {
		from := filepath.Join(b.root, folder, "breaker")
		to := filepath.Join(b.root, folder, "saga")
		err := filepath.WalkDir(from, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name := strings.ReplaceAll(filepath.Base(path), "breaker", "saga")
			b.write(t, filepath.ToSlash(filepath.Join(folder, "saga", name)), strings.ReplaceAll(string(text), "breaker", "saga"))
			return nil
		})
		if err != nil {
			t.Fatalf("copying %s to %s: %v", from, to, err)
		}
	}
	k, err := b.desk.book.Kata("saga")
	if err != nil {
		t.Fatal(err)
	}
	test, err := os.ReadFile(k.Tests())
	if err != nil {
		t.Fatal(err)
	}
	b.write(t, "solutions/saga/tests.sum", workbook.Sum(test)+"  saga_test.go\n")
	b.desk.here = b.root
	b.ship(t, stub)
	b.ship(t, secondStub)
	return b
}

// ship makes a stub as it was shipped.
func (b *bench) ship(t *testing.T, path string) {
	t.Helper()
	name := filepath.Base(filepath.Dir(path))
	text, err := os.ReadFile(filepath.Join(b.root, "solutions", name, "stub.go.txt"))
	if err != nil {
		t.Fatal(err)
	}
	b.write(t, path, string(text))
}

// solve writes code that is complete, edited at that time.
func (b *bench) solve(t *testing.T, path string, edited time.Time) {
	t.Helper()
	name := filepath.Base(filepath.Dir(path))
	b.write(t, path, strings.ReplaceAll(goodStub, "breaker", name))
	at := filepath.Join(b.root, filepath.FromSlash(path))
	if err := os.Chtimes(at, edited, edited); err != nil {
		t.Fatal(err)
	}
}

func TestWhichKataWithoutAName(t *testing.T) {
	b := twoKatas(t)
	ctx, now := t.Context(), time.Now()
	on := func(why, want string) {
		t.Helper()
		k, err := b.desk.kata(ctx, "")
		if err != nil || k.Name() != want {
			t.Errorf("%s: the kata is %q, %v; want %s", why, k.Name(), err, want)
		}
	}
	shows := func(why, command, want string) {
		t.Helper()
		k, err := Reveal{}.kata(ctx, b.desk, command)
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), "go tool dojo "+command+" -f") {
				t.Errorf("%s: %s was expected to ask for -f, and gives %v", why, command, err)
			}
		} else if err != nil || k.Name() != want {
			t.Errorf("%s: %s shows %q, %v; want %s", why, command, k.Name(), err, want)
		}
	}

	on("nothing is begun, and breaker is first on the path", "breaker")
	shows("nothing is green", "solution", "")

	b.write(t, secondStub, strings.ReplaceAll(strings.Replace(goodStub, "return 2", "return 0", 1), "breaker", "saga"))
	on("saga is begun and red", "saga")

	b.solve(t, stub, now.Add(-time.Hour))
	on("breaker is complete, and saga was edited last", "saga")
	shows("breaker alone is green", "diff", "breaker")

	b.solve(t, secondStub, now.Add(-2*time.Hour))
	b.write(t, stub, strings.Replace(goodStub, "return 3 }", "return 3 + calls() }\n\nvar n int\n\nfunc calls() int { n++; return max(0, n-1) }", 1))
	on("breaker is green, and its further step is red", "breaker")
	shows("both are green, and breaker was edited last", "diff", "breaker")

	b.desk.here = filepath.Join(b.root, "kata", "saga")
	on("the learner stands in saga's folder", "saga")
	shows("the learner stands in saga's folder", "solution", "saga")
	b.ship(t, secondStub)
	shows("the learner stands in a folder that is red", "solution", "")
}

func TestNumbersNameQuestions(t *testing.T) {
	b := clone(t)
	for name, want := range map[string]string{"39": "", "99": "there is no question 99: they go from 1 to 43", "17": "the kata saga is not written yet"} {
		_, err := b.desk.book.Kata(name)
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("question %s gives %v, want %q", name, err, want)
		}
	}
}

func TestResetAll(t *testing.T) {
	b := twoKatas(t)
	b.solve(t, stub, time.Now())
	b.solve(t, secondStub, time.Now())
	if err := (resetCommand{}).Run(b.desk); err == nil || !strings.Contains(err.Error(), "reset --all") {
		t.Errorf("a reset of nothing gives %v, want the choice", err)
	}
	if err := (resetCommand{All: true}).Run(b.desk); err != nil {
		t.Fatal(err)
	}
	if left := b.desk.started(); len(left) > 0 {
		t.Errorf("after a reset of all, %v are begun", left)
	}
	expect(t, b.out.String(), stub+" is as shipped again.", secondStub+" is as shipped again.", "kept in kata/saga/.kept/")
}
