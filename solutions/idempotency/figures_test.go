//go:build solutions

package idempotency_test

import (
	"testing"

	"github.com/backend-kata/dojo/solutions/internal/figure"
)

func TestFigureStates(t *testing.T) {
	figure.Drawn(t, "idempotency-states", figure.States{
		Title:  "The life of an idempotency key",
		Assume: "The lease is 60 s, answers are kept for 24 h. Another payload under the key: 422.",
		Alt: "A new key is taken with one atomic write and is then under way; a retry meanwhile is answered 409. " +
			"If the server dies, the lease runs out, and a retry takes the key and runs again. " +
			"When the answer is stored the key is answered, and a retry gets that answer. After 24 hours the key is new.",
		States: []figure.Box{
			{Name: "new", Note: "not in the table"},
			{Name: "under way", Note: "leased to one run", Role: figure.Halfway},
			{Name: "abandoned", Note: "the lease is over, outcome unknown", Role: figure.Wrong},
			{Name: "answered", Note: "the answer is stored", Role: figure.Right},
		},
		Arrows: []figure.Arrow{
			{From: "new", To: "under way", Words: "request: one atomic write"},
			{From: "under way", To: "under way", Words: "retry: 409"},
			{From: "under way", To: "abandoned", Words: "the server dies; 60 s pass", Role: figure.Wrong},
			{From: "abandoned", To: "under way", Words: "retry runs again, same key to provider"},
			{From: "under way", To: "answered", Words: "store, then send", Role: figure.Right},
			{From: "answered", To: "answered", Words: "retry: the same answer", Role: figure.Right},
			{From: "answered", To: "new", Words: "24 h"},
		},
	})
}
