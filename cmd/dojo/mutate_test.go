package main

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// TestMutate has a reference with a lock that no step needs, and a list that no
// step makes.
func TestMutate(t *testing.T) {
	b := wholeKata(t)
	b.write(t, "docs/README.md", "<!-- mutants -->\n<!-- /mutants -->\n")
	const reference = "solutions/saga/saga.go"
	b.edit(t, reference, "package saga\n", "package saga\n\nimport \"sync\"\n\nvar mu sync.Mutex\n")
	b.edit(t, reference, "return 1\n", "mu.Lock()\n\tdefer mu.Unlock()\n\treturn 1\n")
	if whole, out := b.prove(t, true); !whole {
		t.Fatal(out)
	}
	mutate := func(c mutateCommand) (string, error) {
		b.out.Reset()
		c.Katas = []string{"saga"}
		err := c.Run(t.Context(), b.desk)
		return b.out.String(), err
	}
	const (
		lock   = "One lock: mu.Lock() … defer mu.Unlock() → (removed)"
		early  = "One early-unlock: defer mu.Unlock() → mu.Unlock()"
		unlock = "One unlock: defer mu.Unlock() → (removed)"
	)
	out, err := mutate(mutateCommand{Only: "concurrency"})
	if !errors.Is(err, errRed) {
		t.Errorf("an unlisted mutant survives, and the error is %v", err)
	}
	expect(t, out, "✗ saga", "3 mutants of concurrency: 0 killed", reference+":20  "+lock, early, unlock)

	b.write(t, "solutions/saga/spared.txt", "equivalent "+lock+"\n  One goroutine calls it.\nopen "+early+"\n  Likewise.\nopen "+unlock+
		"\n  One calls it once.\nopen One lock: gone\n  It was there.\n")
	out, err = mutate(mutateCommand{Only: "all", Write: true})
	if err != nil {
		t.Errorf("all that survive are listed, and the error is %v:\n%s", err, out)
	}
	expect(t, out, "✓ saga", "0 killed, 1 equivalent, 2 open; of 13 others 10 killed, 77 %",
		reference+":10  const: const Max = 5 → const Max = 6", "spares what is no mutant: One lock: gone")
	if _, out := b.prove(t, false); strings.Contains(out, "stale") {
		t.Errorf("a score that was just taken is stale:\n%s", out)
	}
	b.edit(t, reference, "// Max is a limit.", "// Max is the limit.")
	if whole, out := b.prove(t, false); !whole || !strings.Contains(out, "its score in docs/README.md is stale") {
		t.Errorf("the reference changed, and a note on the score was expected:\n%s", out)
	}

	out, err = mutate(mutateCommand{Only: "all", Sample: 2})
	if strings.Count(out, "killed") < 2 || err != nil {
		t.Errorf("a sample gives %v:\n%s", err, out)
	}
	if _, err := mutate(mutateCommand{Only: "all", Sample: 2, Write: true}); err == nil || errors.Is(err, errRed) {
		t.Errorf("the score of a sample is to be written, and the error is %v", err)
	}
	interrupted, stop := context.WithCancel(t.Context())
	stop()
	if err := (mutateCommand{Katas: []string{"saga"}, Only: "all"}).Run(interrupted, b.desk); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted, it says %v", err)
	}
}

func TestMutateNeedsAGreenReference(t *testing.T) {
	b := wholeKata(t)
	if whole, out := b.prove(t, true); !whole {
		t.Fatal(out)
	}
	b.edit(t, "solutions/saga/saga.go", "return 1\n", "return 7\n")
	err := mutateCommand{Katas: []string{"saga"}, Only: "all"}.Run(t.Context(), b.desk)
	if err == nil || !strings.Contains(err.Error(), "the reference of saga fails TestOne") {
		t.Errorf("the error is %v", err)
	}
}
