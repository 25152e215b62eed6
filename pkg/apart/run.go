package apart

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/backend-kata/dojo/pkg/internal/race"
)

// Run runs the functions one after the other, each on its own goroutine, with nothing between them that orders memory in
// the race detector's eyes. What came before Run is in order before each function, and each function before what comes
// after Run.
//
// If a function panics, or ends by [runtime.Goexit] as t.FailNow does, Run calls none after it and ends in the same way, on
// the caller's goroutine. The value of the panic is then an error which tells the function's stack, and which wraps the
// value if that is an error. A function that waits for a later one waits forever; in a bubble that is a deadlock.
//
// Run is safe for concurrent use. Built without -race, it just calls the functions.
func Run(functions ...func()) {
	_, err := run(functions)
	switch {
	case err == nil:
	case errors.Is(err, errGoexit):
		runtime.Goexit()
	default:
		panic(err)
	}
}

// run is Run. It returns which function did not return, and how it ended.
func run(functions []func()) (which int, err error) {
	var ends race.Edge
	defer ends.Acquire()
	for i, f := range functions {
		if i > 0 {
			emptyPools()
		}
		ended := make(chan error, 1)
		go call(f, &ends, ended)
		if err := race.Receive(ended); err != nil {
			return i, err
		}
	}
	return 0, nil
}

// call calls f, and says how it ended.
func call(f func(), ends *race.Edge, ended chan<- error) {
	err := errGoexit
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{v, debug.Stack()}
		}
		ends.Release()
		race.Send(ended, err)
	}()
	f()
	err = nil
}

// emptyPools lets no sync.Pool hand to the next function what an earlier one gave back, which would put the two in order.
// What is in a pool outlives one garbage collection, and not two.
func emptyPools() {
	if race.Enabled {
		runtime.GC()
		runtime.GC()
	}
}

var errGoexit = errors.New("ended by runtime.Goexit, or by FailNow or SkipNow of a test")

// A panicError is what a function panicked with.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panicked: %v\n\n%s", e.value, e.stack) }

func (e *panicError) Unwrap() error {
	err, _ := e.value.(error)
	return err
}
