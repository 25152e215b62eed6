//go:build solutions

package races_test

import (
	"testing"

	"github.com/backend-kata/dojo/solutions/internal/figure"
)

// The example of docs/races.md, above as it goes wrong, below as it goes right.
func TestFigureSeat(t *testing.T) {
	figure.Drawn(t, "races-seat", figure.Lanes{
		Title:  "The check belongs in the UPDATE",
		Assume: "Two buyers of seat 7. PostgreSQL or MySQL at the default isolation level; BEGIN is not drawn.",
		Alt: "Ann and Ben both read that seat 7 is free. Ann's UPDATE makes it hers, and Ben's UPDATE makes it his: it is sold twice. " +
			"Then the same with UPDATE … WHERE owner IS NULL: Ann's changes one row; Ben's waits for her commit, changes no row, and Ben is told that the seat is taken.",
		Parties: []string{"Ann", "seats", "Ben"},
		Steps: []figure.Step{
			{From: "seats", To: "Ann", Words: "SELECT: it is free"},
			{From: "seats", To: "Ben", Words: "SELECT: it is free"},
			{From: "Ben", Words: "a stale answer", Role: figure.Wrong, Over: 2},
			{From: "Ann", To: "seats", Words: "UPDATE, COMMIT"},
			{From: "Ben", To: "seats", Words: "UPDATE, COMMIT", Role: figure.Wrong},
			{From: "seats", Words: "sold twice", Role: figure.Wrong},
			{From: "Ann", To: "seats", Words: "UPDATE WHERE owner IS NULL", Role: figure.Right},
			{From: "Ben", To: "seats", Words: "UPDATE WHERE owner IS NULL", Role: figure.Right},
			{From: "Ben", Words: "waits for Ann's row lock", Over: 3},
			{From: "seats", To: "Ann", Words: "1 row", Role: figure.Right},
			{From: "Ann", To: "seats", Words: "COMMIT", Role: figure.Right},
			{From: "seats", To: "Ben", Words: "0 rows: taken", Role: figure.Right},
			{From: "seats", Words: "sold once", Role: figure.Right},
		},
	})
}
