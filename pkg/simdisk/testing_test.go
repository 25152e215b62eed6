package simdisk_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/pkg/simdisk"
)

// A recorder is a testing.TB that keeps what it is told.
type recorder struct {
	testing.TB // nil: what is not defined below is not used
	failed     bool
	text       strings.Builder
}

func (r *recorder) Helper()      {}
func (r *recorder) Name() string { return "TestBook/a.b" }
func (r *recorder) Failed() bool { return r.failed }

func (r *recorder) Logf(format string, args ...any) { fmt.Fprintf(&r.text, format+"\n", args...) }

func (r *recorder) Errorf(format string, args ...any) {
	r.failed = true
	r.Logf(format, args...)
}

func (r *recorder) FailNow() {
	r.failed = true
	runtime.Goexit()
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	r.FailNow()
}

// run runs a test to its end, whatever that is.
func run(test func(tb testing.TB)) string {
	r := &recorder{}
	done := make(chan bool)
	go func() {
		defer close(done)
		test(r)
	}()
	<-done
	return r.text.String()
}

// The layer above testing.TB: each way to fail ends with the command that shows
// the crash again.
func TestTheTestingLayer(t *testing.T) {
	const command = "go test -run '^TestBook$/^a\\.b$' ./pkg/simdisk\n"
	tests := []struct {
		name, env string
		workload  func(*simdisk.Disk) error
		check     func(tb testing.TB, c *simdisk.Crash) error
		want      []string // in this order; the last one is the end
	}{
		{
			name: "passes", workload: bookings(1),
			check: func(testing.TB, *simdisk.Crash) error { return nil },
			want:  []string{""},
		},
		{
			name: "returns an error", workload: bookings(1),
			check: func(_ testing.TB, c *simdisk.Crash) error {
				if c.Number == 3 {
					return errors.New("broken")
				}
				return nil
			},
			want: []string{"broken\n\nCrash 3 came after operation 3", "---- crash ----", "7 bytes\n\nagain: DOJO_CRASH=3 " + command},
		},
		{
			name: "ends by FailNow", workload: bookings(1),
			check: func(tb testing.TB, c *simdisk.Crash) error {
				if c.Number == 3 {
					tb.Errorf("broken")
					tb.FailNow()
				}
				return nil
			},
			want: []string{"broken\nCrash 3 came after operation 3", "\n\nagain: DOJO_CRASH=3 " + command},
		},
		{
			name: "goes on after Errorf", workload: bookings(1),
			check: func(tb testing.TB, _ *simdisk.Crash) error {
				tb.Errorf("broken")
				return nil
			},
			want: []string{"broken\nthe check failed the test, see above\n\nCrash 1 came after operation 0", "\n\nagain: DOJO_CRASH=1 " + command},
		},
		{
			name:     "the workload fails",
			workload: func(*simdisk.Disk) error { return errors.New("no") },
			want:     []string{"the workload failed, before any crash: no\n\n", "\nagain: " + command},
		},
		{
			name: "one crash alone", env: "3", workload: bookings(1),
			check: func(_ testing.TB, c *simdisk.Crash) error { return fmt.Errorf("number %d", c.Number) },
			want:  []string{"number 3\n\n", "\n\nagain: DOJO_CRASH=3 " + command},
		},
		{
			name: "no such crash", env: "300", workload: bookings(1),
			check: func(testing.TB, *simdisk.Crash) error { return errors.New("checked") },
			want:  []string{"simdisk: there is no crash 300 here, so none was checked: 3 operations, 4 crash points, 0 disks (all there are)\n"},
		},
		{
			name: "no number", env: "three", workload: bookings(1),
			want: []string{"simdisk: DOJO_CRASH is \"three\", and should be the number of a crash\n"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("DOJO_CRASH", test.env)
			got := run(func(tb testing.TB) {
				simdisk.Crashes{Workload: test.workload, Check: func(c *simdisk.Crash) error { return test.check(tb, c) }}.Test(tb)
			})
			rest := got
			for _, want := range test.want {
				_, after, found := strings.Cut(rest, want)
				if !found {
					t.Fatalf("it should say %q:\n%s", want, got)
				}
				rest = after
			}
			if rest != "" {
				t.Errorf("it should end with %q:\n%s", test.want[len(test.want)-1], got)
			}
		})
	}
}
