//go:build race

package race

import (
	"runtime"
	"unsafe"
)

// Enabled reports whether the program was built with -race.
const Enabled = true

// Disable lets the detector take no notice of what the calling goroutine synchronizes with, until Enable. The calls
// nest. Accesses of memory still count.
func Disable() { runtime.RaceDisable() }

// Enable undoes a Disable.
func Enable() { runtime.RaceEnable() }

// Errors returns how many races the detector has reported so far.
func Errors() int { return runtime.RaceErrors() }

// An Edge orders what came before each Release before what comes after an Acquire, and the calls of Release not at all.
// The zero value is one. It is safe for concurrent use.
type Edge struct{ address byte }

// Release lets all that the caller did so far be seen by whoever acquires.
func (e *Edge) Release() { runtime.RaceReleaseMerge(unsafe.Pointer(&e.address)) }

// Acquire takes in what others did before their Release.
func (e *Edge) Acquire() { runtime.RaceAcquire(unsafe.Pointer(&e.address)) }
