package kata_test

import (
	"regexp"
	"slices"
	"testing"

	"github.com/backend-kata/dojo/kata"
)

func TestCatalogueIsWhole(t *testing.T) {
	questions := kata.Questions()
	if len(questions) != 43 {
		t.Fatalf("the catalogue has %d questions, want 43", len(questions))
	}
	folder := regexp.MustCompile(`^[a-z]+$`)
	seen := map[string]bool{}
	for i, q := range questions {
		if q.Number != i+1 {
			t.Errorf("question %q has number %d, want %d: the order is the deck's", q.Text, q.Number, i+1)
		}
		if q.Text == "" || q.Title == "" || q.Exercise == "" {
			t.Errorf("question %d lacks a text, a title or an exercise", q.Number)
		}
		if !folder.MatchString(q.Folder) || seen[q.Folder] {
			t.Errorf("question %d: folder %q is taken already, or is not made of small letters alone", q.Number, q.Folder)
		}
		seen[q.Folder] = true
		if !slices.Contains(kata.Tracks(), q.Track) {
			t.Errorf("question %d: track %q is not among kata.Tracks", q.Number, q.Track)
		}
		if q.Level < 1 || q.Level > 3 {
			t.Errorf("question %d: level %d, want 1 to 3", q.Number, q.Level)
		}
	}
}
