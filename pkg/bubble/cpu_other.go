//go:build !unix && !windows

package bubble

import "time"

var processStart = time.Now()

// cpuTime stands in where the standard library cannot tell: real time, which
// is no less than what one goroutine can have used.
func cpuTime() time.Duration { return time.Since(processStart) }
