package bubble

import "time"

// Hurry makes the watcher look often and judge soon, for tests of what it says.
func Hurry() {
	pace.every = 20 * time.Millisecond
	pace.patience = 4
	pace.busy = 100 * time.Millisecond
	pace.endless = 200 * time.Millisecond
}
