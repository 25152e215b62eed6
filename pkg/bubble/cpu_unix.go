//go:build unix

package bubble

import (
	"syscall"
	"time"
)

// cpuTime returns the processor time that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // never busy, rather than wrongly so
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
