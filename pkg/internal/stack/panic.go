package stack

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// OfPanic returns the calls that led to the panic which a deferred function has
// recovered from, the innermost first: the place and the function, a line each. It
// ends in front of the function whose name ends with until.
func OfPanic(until string) string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])]) // without Callers, OfPanic and the deferred function
	var b strings.Builder
	for {
		f, more := frames.Next()
		if strings.HasSuffix(f.Function, until) {
			break
		}
		if !strings.HasPrefix(f.Function, "runtime.") {
			fmt.Fprintf(&b, "    %s:%d  %s\n", filepath.Base(f.File), f.Line, f.Function[strings.LastIndexByte(f.Function, '/')+1:])
		}
		if !more {
			break
		}
	}
	return strings.TrimRight(b.String(), "\n")
}
