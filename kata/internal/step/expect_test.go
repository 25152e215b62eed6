package step_test

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/internal/step"
)

// A fake keeps what it is told, and ends as t.FailNow does.
type fake struct {
	testing.TB

	said string
}

func (f *fake) Helper() {}

func (f *fake) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// said returns what a check says of a test that it fails, and nothing of one that it passes.
func said(check func(t testing.TB)) string {
	f := &fake{}
	done := make(chan bool)
	go func() {
		defer close(done)
		check(f)
	}()
	<-done
	return f.said
}

type order struct {
	ID    int
	Lines []string
	paid  bool
}

var (
	errFull   = errors.New("full")
	errClosed = errors.New("closed")
)

func TestWhatIsSaid(t *testing.T) {
	long := order{7, []string{"a rather long line of an order", "and another one that is as long", "and a third one"}, true}
	other := long
	other.paid = false
	for name, tt := range map[string]struct {
		check func(t testing.TB)
		want  string // the empty text is a check that passes
	}{
		"true": {func(t testing.TB) { step.Expect(t, true, "not said") }, ""},
		"a claim that does not hold": {
			func(t testing.TB) { step.Expect(t, false, "The card was charged %d times for key %q.", 2, "k1") },
			`The card was charged 2 times for key "k1".`,
		},
		"equal":             {func(t testing.TB) { step.Equal(t, 3, 3, "not said") }, ""},
		"structures":        {func(t testing.TB) { step.Equal(t, long, long, "not said") }, ""},
		"no slice and none": {func(t testing.TB) { step.Equal(t, nil, []int{}, "Jobs:") }, "Jobs: Expected [], got []."},
		"numbers":           {func(t testing.TB) { step.Equal(t, 3, 5, "Of %d jobs accepted, these run:", 9) }, "Of 9 jobs accepted, these run: Expected 3, got 5."},
		"durations":         {func(t testing.TB) { step.Equal(t, time.Second, 0, "Close waits.") }, "Close waits. Expected 1s, got 0s."},
		"text":              {func(t testing.TB) { step.Equal(t, "a b", "a  b", "The body:") }, `The body: Expected "a b", got "a  b".`},
		"the same error":    {func(t testing.TB) { step.Equal(t, errFull, fmt.Errorf("queue: %w", errFull), "not said") }, ""},
		"another error":     {func(t testing.TB) { step.Equal(t, errFull, errClosed, "It is full.") }, `It is full. Expected the error "full", got the error "closed".`},
		"no error":          {func(t testing.TB) { step.Equal(t, errFull, nil, "It is full.") }, `It is full. Expected the error "full", got nil.`},
		"neither fits a line": {func(t testing.TB) {
			step.Equal(t, []int{1111111111, 2222222222, 3333333333}, []int{1111111111, 2222222222, 4444444444}, "Sums:")
		}, "Sums: Expected and got:\n  [1111111111 2222222222 3333333333]\n  [1111111111 2222222222 4444444444]"},
		"an error of a set-up": {func(t testing.TB) { step.NoError(t, errFull, "The queue is empty, so job %d should be taken.", 1) }, "The queue is empty, so job 1 should be taken. Got the error: full"},
		"none":                 {func(t testing.TB) { step.NoError(t, nil, "not said") }, ""},
	} {
		if got := said(tt.check); got != tt.want {
			t.Errorf("%s:\n said %q\n want %q", name, got, tt.want)
		}
	}
	got := said(func(t testing.TB) { step.Equal(t, long, other, "The order of customer 5:") })
	if want := "The order of customer 5: Expected (-), got (+):\n"; len(got) < len(want) || got[:len(want)] != want {
		t.Errorf("two long structures: said %q, want %q and what differs", got, want)
	}
}
