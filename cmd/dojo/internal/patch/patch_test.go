package patch_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
	"github.com/google/go-cmp/cmp"

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

// Each hunk stands where its numbers say, in the old text and in the new one.
func TestHunksAreWhereTheySay(t *testing.T) {
	var long []string
	for n := range 40 {
		long = append(long, fmt.Sprint("line ", n))
	}
	without := func(from, to int) []string { return slices.Delete(slices.Clone(long), from, to) }
	tests := map[string][2][]string{
		"the first line goes":                             {long, slices.Insert(without(0, 1), 20, "new", "newer")},
		"the first line goes, and one near it is another": {long, slices.Replace(slices.Insert(without(0, 1), 20, "new"), 5, 6, "other")},
		"two lines come":                                  {long, slices.Insert(without(30, 31), 5, "new", "newer")},
		"lines go in the middle":                          {long, without(10, 13)},
		"all is new":                                      {nil, long},
		"all is gone":                                     {long, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			from, to := text(test[0]), text(test[1])
			files, _, err := gitdiff.Parse(strings.NewReader(patch.Between("a", "b", from, to)))
			if err != nil || len(files) != 1 {
				t.Fatalf("the diff does not parse: %v", err)
			}
			for _, hunk := range files[0].TextFragments {
				var before, after []string
				for _, line := range hunk.Lines {
					if line.Old() {
						before = append(before, strings.TrimSuffix(line.Line, "\n"))
					}
					if line.New() {
						after = append(after, strings.TrimSuffix(line.Line, "\n"))
					}
				}
				stands(t, "old", test[0], before, hunk.OldPosition)
				stands(t, "new", test[1], after, hunk.NewPosition)
			}
		})
	}
}

func stands(t *testing.T, side string, all, lines []string, at int64) {
	t.Helper()
	if len(lines) == 0 {
		return
	}
	if diff := cmp.Diff(all[at-1:][:len(lines)], lines); diff != "" {
		t.Errorf("at line %d of the %s text stand other lines than in the hunk (-text +hunk):\n%s", at, side, diff)
	}
}

func text(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}
