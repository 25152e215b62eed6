package interleave

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/backend-kata/dojo/pkg/internal/stack"
)

// calls are those that led to a point in package sync, innermost first: enough of them
// to leave that package. To take them down costs 0.4 µs, where a point costs 4; what they
// say is looked up when a story is told.
type calls [7]uintptr

//go:norace
func newCalls() *calls {
	c := new(calls)
	runtime.Callers(4, c[:]) // without Callers, newCalls and the two of Park
	return c
}

// String says what a goroutine does after its point. Of an operation of package sync
// it also says on what, and where:
//
//	Lock seats at hall.go:31
func (p *parking) String() string {
	what := p.what.String()
	if p.calls == nil {
		return what
	}
	through := "" // the function that the user's code calls
	frames := runtime.CallersFrames(p.calls[:])
	user, more := frames.Next()
	for dir := filepath.Dir(user.File); more && isMirror(user, dir); user, more = frames.Next() {
		through = user.Function
	}
	if isHidden(stack.Package(user.Function), user.File) {
		return what // a method value, which package bubble calls
	}
	if strings.HasSuffix(through, "Cond).Wait") && what != "Wait" {
		what += " again after Wait"
	}
	if name := operand(user.File, user.Line, through); name != "" {
		what += " " + name
	}
	return fmt.Sprintf("%s at %s:%d", what, filepath.Base(user.File), user.Line)
}

// isMirror reports whether a call is of package sync, of the one that stands in for it,
// or of a generic function of that, which is compiled into the user's package.
func isMirror(f runtime.Frame, dir string) bool {
	return stack.Package(f.Function) == "sync" || filepath.Dir(f.File) == dir && !strings.HasSuffix(f.File, "_test.go")
}

// operand returns the variable or field that a line of source calls the function on,
// without what comes before its last dot: seats in h.seats.Lock(). It returns the empty
// text if the source is not there, or the line leaves it open.
func operand(file string, line int, function string) string {
	source, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	lines := strings.Split(string(source), "\n")
	if line > len(lines) {
		return ""
	}
	code := strings.ReplaceAll(lines[line-1], ".RLocker().", ".")
	name := function[strings.LastIndexByte(function, '.')+1:]
	if strings.Contains(function, ").") || strings.Contains(function, "reader.") {
		return receiver(code, name)
	}
	_, arguments, ok := strings.Cut(code, "."+name+"(&")
	if !ok {
		return ""
	}
	end := 0 // of the first argument
	for depth := 0; end < len(arguments); end++ {
		switch c := arguments[end]; {
		case depth == 0 && (c == ',' || c == ')'):
			return last(arguments[:end])
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			depth--
		}
	}
	return ""
}

// receiver returns what the method is called on, if the line calls it once.
func receiver(code, method string) string {
	before, after, ok := strings.Cut(code, "."+method+"(")
	if !ok || strings.Contains(after, "."+method+"(") {
		return ""
	}
	return last(before)
}

// last returns the last element of the expression that the code ends with.
func last(code string) string {
	depth, start := 0, len(code)
	for start > 0 {
		c, size := utf8.DecodeLastRuneInString(code[:start])
		switch {
		case c == ')' || c == ']':
			depth++
		case depth > 0 && (c == '(' || c == '['):
			depth--
		case depth == 0 && c != '_' && !unicode.IsLetter(c) && !unicode.IsDigit(c):
			return code[start:]
		}
		start -= size
	}
	return code[start:]
}

// ownPackage is this package's import path.
var ownPackage = reflect.TypeFor[Schedule]().PkgPath()

// goroot is where the standard library's files are; "" under -trimpath.
var goroot = func() string {
	gc := runtime.FuncForPC(reflect.ValueOf(runtime.GC).Pointer())
	file, _ := gc.FileLine(gc.Entry())
	dir, _, _ := strings.Cut(file, "runtime/mgc.go")
	return dir
}()

// isHidden reports whether a call is of the standard library or of what runs the test.
func isHidden(pkg, file string) bool {
	instruments, _ := strings.CutSuffix(ownPackage, "/interleave")
	root, _, _ := strings.Cut(pkg, "/")
	switch pkg {
	case "", ownPackage, ownPackage + "/sync", ownPackage + "/sync/atomic", ownPackage + "/internal/hook",
		instruments + "/bubble", instruments + "/internal/race":
		return true
	}
	if goroot == "" {
		return !strings.Contains(root, ".") && !filepath.IsAbs(file)
	}
	return strings.HasPrefix(file, goroot)
}
