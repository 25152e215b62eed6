package sqlprobe

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
)

// self is how the names of this package's functions begin.
var self = reflect.TypeFor[Probe]().PkgPath() + "."

// caller is the first line on the stack that is neither of this package nor of
// database/sql, or "" if there is none, as on a goroutine of the pool.
func caller() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		switch {
		case f.Function == "" || strings.HasPrefix(f.Function, "runtime."):
		case strings.HasPrefix(f.Function, self), strings.HasPrefix(f.Function, "database/sql."):
		default:
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		if !more {
			return ""
		}
	}
}

// short makes a caller readable: relative to the test's folder if it is below it,
// otherwise the last folder and the file.
func short(caller string) string {
	if caller == "" {
		return "(no caller)"
	}
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, caller); err == nil && !strings.HasPrefix(rel, "..") {
			return rel
		}
	}
	folder, file := filepath.Split(caller)
	return filepath.ToSlash(filepath.Join(filepath.Base(folder), file))
}
