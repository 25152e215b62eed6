//go:build solutions

package softdelete_test

import (
	"testing"

	"github.com/backend-kata/dojo/solutions/internal/figure"
)

// TestFigureStates draws the life of a customer's row, from the first deletion until no copy is left.
func TestFigureStates(t *testing.T) {
	figure.Drawn(t, "softdelete-states", figure.States{
		Title:  "Deletion has stages, and only the last leaves no copy",
		Assume: "The trash is kept for 30 days, and so are backups. Orders stay, because tax law asks for them.",
		Alt: "Five states, one below the other: live, in the trash, purged, erased, gone. Delete leads to the trash, which hides the row and frees the email, " +
			"and restore leads back. After 30 days a purge removes the row, but orders and audit keep copies. Erase leaves amounts only. " +
			"30 days later the last backup expires, and no copy is left. Until then a restored backup leads back to live.",
		States: []figure.Box{
			{Name: "live", Note: "in every list; the email is taken"},
			{Name: "in the trash", Note: "in no list; the email is free; all data remains", Role: figure.Halfway},
			{Name: "purged", Note: "no row; orders and audit keep copies", Role: figure.Halfway},
			{Name: "erased", Note: "orders keep amounts only; backups keep all", Role: figure.Halfway},
			{Name: "gone", Note: "no copy of name or email", Role: figure.Right},
		},
		Arrows: []figure.Arrow{
			{From: "live", To: "in the trash", Words: "delete"},
			{From: "in the trash", To: "live", Words: "restore"},
			{From: "in the trash", To: "purged", Words: "30 days"},
			{From: "live", To: "erased", Words: "erase"},
			{From: "purged", To: "erased", Words: "erase"},
			{From: "erased", To: "gone", Words: "30 days: the last backup expires"},
			{From: "erased", To: "live", Words: "a backup is restored", Role: figure.Wrong},
		},
	})
}
