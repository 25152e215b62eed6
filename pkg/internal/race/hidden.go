// Package race talks to the race detector, which a -race build has. In other builds its functions do nothing.
//
// It is internal/race of the standard library as far as package runtime exports it, and what can be built from that to
// hand over without an order.
package race

import "sync"

// A Mutex is a [sync.Mutex] of which the detector takes no notice: it keeps others out, and orders nothing. The zero value
// is unlocked. What it guards is reported unless the functions that touch it are marked go:norace.
type Mutex struct{ mu sync.Mutex }

// Lock locks m.
func (m *Mutex) Lock() {
	Disable()
	m.mu.Lock()
	Enable()
}

// Unlock unlocks m.
func (m *Mutex) Unlock() {
	Disable()
	m.mu.Unlock()
	Enable()
}

// Send sends v on c, of which the detector takes no notice.
func Send[T any](c chan<- T, v T) {
	Disable()
	c <- v
	Enable()
}

// Receive receives from c, of which the detector takes no notice.
func Receive[T any](c <-chan T) T {
	Disable()
	v := <-c
	Enable()
	return v
}
