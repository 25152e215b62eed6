package simdisk

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/pkg/internal/rerun"
)

// replayVariable is the environment variable that has the number of the one crash
// to check.
const replayVariable = "DOJO_CRASH"

// Test fails the test if Explore finds an error, and says on the last line how to
// see that crash again. Check may call t.FailNow. The summary is for a test that
// wants to log how much was tried.
func (x Crashes) Test(t testing.TB) Summary {
	t.Helper()
	if text := os.Getenv(replayVariable); text != "" && x.Only == 0 {
		only, err := strconv.Atoi(text)
		if err != nil || only < 1 {
			t.Fatalf("simdisk: %s is %q, and should be the number of a crash", replayVariable, text)
		}
		x.Only = only
	}
	command := replay(t.Name())
	x.Check = stopping(t, x.Check, command)
	summary, err := x.Explore()
	if crash, ok := err.(*CrashError); ok { //nolint:errorlint // Explore returns it as it is
		t.Fatalf("%v\nagain: %s=%d %s", crash, replayVariable, crash.Crash.Number, command)
	} else if err != nil {
		t.Fatalf("%v\n\nagain: %s", err, command)
	}
	if x.Only > summary.Disks {
		t.Logf("simdisk: there is no crash %d here, and none was checked: %v", x.Only, summary)
	}
	return summary
}

// stopping ends the exploration, with the story of the crash, also where check
// fails the test by itself.
func stopping(t testing.TB, check func(*Crash) error, command string) func(*Crash) error {
	return func(c *Crash) error {
		t.Helper()
		failed, returned := t.Failed(), false
		defer func() {
			if !returned && t.Failed() { // t.FailNow has ended the goroutine
				t.Errorf("%v\nagain: %s=%d %s", c, replayVariable, c.Number, command)
			}
		}()
		err := check(c)
		returned = true
		if err == nil && t.Failed() && !failed {
			return errors.New("the check failed the test, see above")
		}
		return err
	}
}

// replay is the command that runs one test. The package is the one of the first
// caller in a test file, if there is one.
func replay(name string) string {
	callers := make([]uintptr, 64)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	where := ""
	for more := true; more && where == ""; {
		var frame runtime.Frame
		frame, more = frames.Next()
		if strings.HasSuffix(frame.File, "_test.go") {
			where = packageOf(frame.Function)
		}
	}
	return fmt.Sprintf("go test -run '%s' %s", rerun.Pattern(name), cmp.Or(where, "."))
}

// packageOf returns the import path in a function's name. A package of tests
// beside another has that one's path.
func packageOf(function string) string {
	slash := strings.LastIndex(function, "/") + 1
	dot := strings.Index(function[slash:], ".")
	return strings.TrimSuffix(function[:slash+max(dot, 0)], "_test")
}
