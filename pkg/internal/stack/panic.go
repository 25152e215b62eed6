package stack

import (
	"fmt"
	"path/filepath"
	"strings"
)

// OfPanic writes the calls of [Panic], a line each: the place and the function. It ends
// in front of the function whose name ends with until.
func OfPanic(until string) string {
	var b strings.Builder
	for _, f := range Panic() {
		if strings.HasSuffix(f.Function, until) {
			break
		}
		fmt.Fprintf(&b, "    %s:%d  %s\n", filepath.Base(f.File), f.Line, f.Function[strings.LastIndexByte(f.Function, '/')+1:])
	}
	return strings.TrimRight(b.String(), "\n")
}
