package interleave

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/pkg/internal/stack"
)

// say logs a text as if from a place of the test. In a deferred function, after a
// t.FailNow or a panic, t.Log would name a line of package runtime or of this one.
func say(t *testing.T, where, text string) {
	if where != "" {
		text = where + ": " + text
	}
	text = strings.TrimRight(text, "\n")
	_, _ = fmt.Fprintln(t.Output(), strings.ReplaceAll(text, "\n", "\n    "))
}

// placeOfTest returns the file and line of the innermost call in a test's file.
func placeOfTest() string {
	places := userPlaces()
	i := slices.IndexFunc(places, func(p string) bool { return strings.Contains(p, "_test.go:") })
	if i < 0 {
		return ""
	}
	return places[i]
}

// userPlaces returns the file and line of the user's calls, the innermost first.
func userPlaces() (places []string) {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		if f.Function != "" && !isHidden(stack.Package(f.Function), f.File) {
			places = append(places, fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line))
		}
		if !more {
			return places
		}
	}
}

// reportPanic fails the test, with the calls that led to the panic. It is called by the
// deferred function that has recovered.
func reportPanic(t *testing.T, actor string, v any) {
	buf := make([]byte, 64<<10)
	calls := userCalls(string(buf[:runtime.Stack(buf, false)]))
	where := ""
	if places := userPlaces(); len(places) > 0 {
		where = places[0]
	}
	say(t, where, fmt.Sprintf("actor %s panicked: %v\n\n%s", actor, v, calls))
	t.Fail()
}
