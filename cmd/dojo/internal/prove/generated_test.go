package prove

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
	"github.com/backend-kata/dojo/kata"
)

func TestSumsOfGivenPackages(t *testing.T) {
	k := workbook.Kata{Question: kata.Question{Folder: "saga"}, Root: t.TempDir()}
	write(t, k.Tests(), "package saga_test\n")
	write(t, filepath.Join(k.Dir(), "shop", "shop.go"), "package shop\n")
	write(t, filepath.Join(k.Dir(), ".kept", "saga.go"), "package saga // the learner's, kept aside\n")
	sums, err := testSums(k)
	if err != nil || !strings.Contains(sums, "  saga_test.go\n") || !strings.Contains(sums, "  shop/shop.go\n") || strings.Contains(sums, "kept") {
		t.Fatalf("the checksums are\n%s%v\nwant those of the steps and of the package below them, and not of what is kept aside", sums, err)
	}
	write(t, k.Sums(), sums)
	write(t, filepath.Join(k.Dir(), "shop", "shop.go"), "package shop // without the hole\n")
	gone, edited, err := k.Changed()
	if want := k.Rel(filepath.Join(k.Dir(), "shop", "shop.go")); err != nil || len(gone) > 0 || len(edited) != 1 || edited[0] != want {
		t.Errorf("gone are %v and edited %v, %v; want %s edited", gone, edited, err, want)
	}
}
