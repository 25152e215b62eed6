package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

func TestShip(t *testing.T) {
	const today, shipped = "kata/saga/saga.go", "solutions/saga/stub.go.txt"
	base := wholeKata(t)
	if whole, out := base.prove(t, true); !whole {
		t.Fatal(out)
	}
	tests := []struct {
		name, from, to string
		refusal        string // none if it is shipped
		want           []string
	}{
		{"a comment", "// One returns", "// One gives", "", []string{"+// One gives its number.", "Shipped: " + shipped, "go tool dojo prove saga"}},
		{"no change", "", "", "", []string{today + " is what saga ships already."}},
		{"does not compile", "return 0", "return zero", today + "\n    it does not compile\n      " + today, nil},
		{"panics", "return 0", "panic(0)", "it takes the process with it at TestOne", nil},
		{"hangs", "return 0", "select {}", "it takes the process with it at TestOne", nil},
		{"a learner's code", "return 0", "return 1", "it passes TestOne", nil},
		{"another limit", "Max = 5", "Max = 6", "it and solutions/saga/saga.go export different things", []string{"Max was: const Max = 6"}},
		{"no build line", "//go:build !solutions\n", "", "it does not start with the line //go:build !solutions", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := base.copy(t)
			b.edit(t, today, test.from, test.to)
			b.write(t, "kata/saga/mine.go", "package saga\n\nconst Mine = 1\n") // is no part of the stub
			before, err := os.ReadFile(filepath.Join(b.root, shipped))
			if err != nil {
				t.Fatal(err)
			}
			err = shipCommand{Kata: "saga"}.Run(t.Context(), b.desk)
			expect(t, b.out.String(), append(test.want, test.refusal)...)
			after, readErr := os.ReadFile(filepath.Join(b.root, shipped))
			if readErr != nil {
				t.Fatal(readErr)
			}
			if test.refusal != "" {
				if !errors.Is(err, errRed) || string(after) != string(before) {
					t.Errorf("the stub was expected to be refused: %v\n%s", err, b.out.String())
				}
				return
			}
			if err != nil || string(after) != strings.Replace(string(before), test.from, test.to, 1) {
				t.Errorf("the stub was expected to be shipped: %v\n%s", err, b.out.String())
			}
		})
	}
}

func TestWhatLearnersLoseByAStub(t *testing.T) {
	const before, after = "package saga\n\nconst One, Two = 1, 2\n", "package saga\n\nconst Two, Three = 2, 3\n"
	changes := apiChange(workbook.Kata{}, []byte(before), []byte(after))
	if len(changes) == 0 || !strings.HasPrefix(changes[0], "One is gone") || strings.Contains(strings.Join(changes, "\n"), "Three is new") {
		t.Errorf("a name is gone and another is new, and the changes are %q", changes)
	}
	if changes := apiChange(workbook.Kata{}, nil, []byte(after)); changes != nil {
		t.Errorf("nothing was shipped before, and the changes are %q", changes)
	}
}
