//go:build solutions

package idempotency_test

import (
	"testing"

	"github.com/backend-kata/dojo/solutions/internal/figure"
)

func TestFigureStates(t *testing.T) {
	figure.Drawn(t, "idempotency-states", figure.Boxes{
		Title:  "A retry runs again only after the lease",
		Assume: "One atomic write takes a key for 60 s, longer than a request may run. Another payload: 422.",
		Alt: "A new key is taken with one atomic write and is then under way; a retry is told 409. " +
			"If the server dies, the lease runs out and the key is abandoned: the next retry takes it and runs, with the same key for the provider. " +
			"When the answer is stored, the key is answered: a retry gets that answer. After 24 hours the key is new.",
		Rows: [][]figure.Box{
			{{Name: "new", Note: "unused, or forgotten after 24 h"}},
			{
				{Name: "under way", Note: "retry: 409", Role: figure.Halfway},
				{Name: "abandoned", Note: "outcome unknown", Role: figure.Wrong},
			},
			{{Name: "answered", Note: "retry: the same answer", Role: figure.Right}},
		},
		Arrows: []figure.Arrow{
			{From: "new", To: "under way", Words: "first request"},
			{From: "under way", To: "abandoned", Words: "dies, 60 s", Role: figure.Wrong},
			{From: "abandoned", To: "under way", Words: "retry runs"},
			{From: "under way", To: "answered", Words: "store, then send", Role: figure.Right},
			{From: "answered", To: "new"},
		},
	})
}
