//go:build solutions

package putpatch_test

import (
	"testing"

	"github.com/backend-kata/dojo/solutions/internal/figure"
)

// TestOrdersThatLoseAChange plays what is drawn here, and all other orders.
func TestFigureEditors(t *testing.T) {
	figure.Drawn(t, "putpatch-editors", figure.Lanes{
		Title:  "If-Match turns a lost update into a 412",
		Assume: "Two editors PUT the whole document, each with a change of their own. Ann's arrives first.",
		Alt: "Ann and Ben both read version 7. Without a condition both PUTs are answered 204, and Ben's version 9 lacks Ann's change. " +
			"With If-Match, Ben's PUT of what he made of version 7 is answered 412, and Ann's version 8 stays.",
		Parties: []string{"Ann", "server", "Ben"},
		Steps: []figure.Step{
			{From: "server", To: "Ann", Words: `200, ETag "7"`},
			{From: "server", To: "Ben", Words: `200, ETag "7"`},
			{From: "server", Words: "no condition"},
			{From: "Ann", To: "server", Words: "PUT"},
			{From: "server", To: "Ann", Words: "204"},
			{From: "Ben", To: "server", Words: "PUT", Role: figure.Wrong},
			{From: "server", To: "Ben", Words: "204", Role: figure.Wrong},
			{From: "server", Words: "Ann's change is gone", Role: figure.Wrong},
			{From: "server", Words: "again, with If-Match"},
			{From: "Ann", To: "server", Words: `PUT, If-Match: "7"`},
			{From: "server", To: "Ann", Words: `204, ETag "8"`},
			{From: "Ben", To: "server", Words: `PUT, If-Match: "7"`, Role: figure.Right},
			{From: "server", To: "Ben", Words: "412 Precondition Failed", Role: figure.Right},
			{From: "Ben", Words: "reads version 8, merges", Role: figure.Right},
			{From: "Ben", To: "server", Words: `PUT, If-Match: "8"`, Role: figure.Right},
			{From: "server", To: "Ben", Words: `204, ETag "9"`, Role: figure.Right},
		},
	})
}
