package bubble

import "time"

// Hurry makes the watcher look often and judge soon, for tests of what it says.
func Hurry() {
	HurryWithClock()
	pace.patience = 4
	pace.busy = 100 * time.Millisecond
	pace.endless = 200 * time.Millisecond
}

// HurryWithClock is Hurry for programs whose clock moves, which takes processor time.
func HurryWithClock() {
	pace.every = 20 * time.Millisecond
	pace.patience = 20
	pace.lost = 100 * time.Hour
}
