package sqlprobe

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
)

// self is how the names of this package's functions begin.
var self = reflect.TypeFor[Probe]().PkgPath() + "."

// mine is the module whose tests these are, or "" if the binary does not say.
var mine = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return info.Main.Path
})

// caller is the line that asked: the first one on the stack that is of the test's own
// module, since an ORM asks from one line of its own for all places that use it. If
// there is none, it is the first one that is neither of this package nor of
// database/sql, or "" if there is none of those either, as on a goroutine of the pool.
func caller() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	first := ""
	for {
		f, more := frames.Next()
		switch {
		case f.Function == "" || strings.HasPrefix(f.Function, "runtime."):
		case strings.HasPrefix(f.Function, self), strings.HasPrefix(f.Function, "database/sql."):
		case isOf(f.Function, mine()):
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		case first == "":
			first = fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		if !more {
			return first
		}
	}
}

// isOf reports whether a function is of a package of the module. In the name of a
// function the last element of the package's path has its dots escaped.
func isOf(function, module string) bool {
	if module == "" {
		return false
	}
	escaped := path.Join(path.Dir(module), strings.ReplaceAll(path.Base(module), ".", "%2e"))
	for _, prefix := range []string{module + "/", escaped + ".", escaped + "_test."} {
		if strings.HasPrefix(function, prefix) {
			return true
		}
	}
	return false
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
