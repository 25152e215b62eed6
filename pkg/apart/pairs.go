package apart

import (
	"errors"
	"fmt"
	"testing"

	"github.com/backend-kata/dojo/pkg/internal/race"
	"github.com/backend-kata/dojo/pkg/internal/rerun"
)

// A Call is a call of a method of T, or of several, with its arguments.
type Call[T any] struct {
	Name string  // as a failure names it
	Do   func(T) // makes the call, on a goroutine of its own; what it returns is not looked at
}

// Pairs calls every ordered pair of calls, each with itself too, with [Run] on an object made anew, and fails t if any of
// them race, or if a call panics or ends its goroutine. The failure names each pair once, and Pairs then stops the test, as
// t.FailNow does. Call it on the test's own goroutine.
//
// Built without -race, Pairs makes the calls all the same and then skips the test, as t.Skip does: see [ErrNotJudged]. So it
// is the last thing of its test.
func Pairs[T any](t testing.TB, fresh func() T, calls ...Call[T]) {
	t.Helper()
	switch err := Check(fresh, calls...); {
	case errors.Is(err, ErrNotJudged):
		t.Skip(err)
	case err != nil:
		t.Fatalf("%v\nagain: %s", err, rerun.WithRace(t.Name()))
	}
}

// ErrNotJudged is what Check returns if all calls returned and the program was built without -race. Its text is the one with
// which [Pairs] skips a test, and by which a runner of tests can tell that.
var ErrNotJudged = errors.New("not judged: whether these calls race is seen by the race detector alone, and this test was built without -race")

// Check is [Pairs] for those who want the error: one line for each pair that races, in the order of the calls. At the first
// call that does not return, Check makes no more of them, and its error is the last of the lines.
func Check[T any](fresh func() T, calls ...Call[T]) error {
	var found []error
	for i, a := range calls {
		for j, b := range calls[i:] {
			before := race.Errors()
			err := pair(fresh, a, b)
			if err == nil && j > 0 {
				err = pair(fresh, b, a)
			}
			if race.Errors() > before {
				found = append(found, fmt.Errorf("%s touched the same memory with nothing to order them: data race (the detector's report is above)", both(a.Name, b.Name)))
			}
			if err != nil {
				return errors.Join(append(found, err)...)
			}
		}
	}
	if !race.Enabled {
		return ErrNotJudged
	}
	return errors.Join(found...)
}

// pair makes two calls, and says which of them did not return.
func pair[T any](fresh func() T, first, second Call[T]) error {
	object := fresh()
	which, err := run([]func(){func() { first.Do(object) }, func() { second.Do(object) }})
	switch {
	case err == nil:
		return nil
	case which == 0:
		return fmt.Errorf("%s %w", first.Name, err)
	}
	return fmt.Errorf("%s, after %s, %w", second.Name, first.Name, err)
}

func both(a, b string) string {
	if a == b {
		return "two calls of " + a
	}
	return a + " and " + b
}
