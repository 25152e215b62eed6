package patch_test

import (
	"strings"
	"testing"

	"github.com/backend-kata/dojo/cmd/dojo/internal/patch"
)

const reference = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n"

func TestApply(t *testing.T) {
	mistake := strings.Replace(reference, "five\n", "fünf\n", 1)
	diff := patch.Make("x.go", reference, mistake)
	tests := []struct{ name, reference, want, why string }{
		{"as made", reference, mistake, "a patch fits what it was made from"},
		{"moved", "zero\n" + reference, "zero\n" + mistake, "a line added above moves the hunk"},
		{"a neighbour changed", strings.Replace(reference, "two", "2", 1), "", "the hunk's own context is no longer there"},
		{"empty", "", "", "there is nothing to patch"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := patch.Apply(test.reference, diff)
			if (err == nil) != (test.want != "") || got != test.want {
				t.Errorf("Apply gave %q, %v; want %q, since %s", got, err, test.want, test.why)
			}
		})
	}
}

func TestRebaseIgnoresOuterContextOnly(t *testing.T) {
	diff := patch.Make("x.go", reference, strings.Replace(reference, "five\n", "fünf\n", 1))
	near := strings.Replace(reference, "two", "2", 1)
	got, err := patch.Rebase(near, diff)
	if want := strings.Replace(near, "five", "fünf", 1); err != nil || got != want {
		t.Errorf("Rebase gave %q, %v; want %q", got, err, want)
	}
	if got, err := patch.Rebase(strings.Replace(reference, "five", "5", 1), diff); err == nil {
		t.Errorf("Rebase gave %q where the changed line itself is gone; want an error", got)
	}
}

func TestApplyRefusesWhatIsNoPatch(t *testing.T) {
	for _, diff := range []string{"", "hello\n", "--- a/x\n+++ b/x\n@@ broken @@\n"} {
		if got, err := patch.Apply(reference, diff); err == nil {
			t.Errorf("Apply of %q gave %q, want an error", diff, got)
		}
	}
}
