package interleave

import "time"

// Within sets another time limit for the length of a test.
func Within(d time.Duration) (undo func()) {
	limit = d
	return func() { limit = TimeLimit }
}
