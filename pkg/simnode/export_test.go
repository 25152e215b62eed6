package simnode

import "time"

// Within sets the time limit until the function that it returns is called.
func Within(d time.Duration) (undo func()) {
	old := limit
	limit = d
	return func() { limit = old }
}
