//go:build !race

package race

// Enabled reports whether the program was built with -race.
const Enabled = false

// Disable does nothing.
func Disable() {}

// Enable does nothing.
func Enable() {}

// Errors returns 0.
func Errors() int { return 0 }

// An Edge is nothing: what runs has an order without it.
type Edge struct{}

// Release does nothing.
func (*Edge) Release() {}

// Acquire does nothing.
func (*Edge) Acquire() {}
