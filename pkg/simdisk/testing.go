package simdisk

import (
	"errors"
	"os"
	"strconv"
	"testing"

	"github.com/backend-kata/dojo/pkg/internal/rerun"
)

// replayVariable is the environment variable that has the number of the one crash
// to check.
const replayVariable = "DOJO_CRASH"

// Test fails the test if Explore finds an error, and says on the last line how to
// see that crash again: with the environment variable DOJO_CRASH only the crash of that
// number is checked, and if there is none the test fails. Check may call t.FailNow. The summary is for a test that
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
	command := rerun.Command(t.Name())
	x.Check = stopping(t, x.Check, command)
	summary, err := x.Explore()
	if crash, ok := err.(*CrashError); ok { //nolint:errorlint // Explore returns it as it is
		t.Fatalf("%v\nagain: %s=%d %s", crash, replayVariable, crash.Crash.Number, command)
	} else if err != nil {
		t.Fatalf("%v\n\nagain: %s", err, command)
	}
	if x.Only != 0 && summary.Disks == 0 {
		t.Fatalf("simdisk: there is no crash %d here, so none was checked: %v", x.Only, summary)
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
