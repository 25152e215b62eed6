package step_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/pkg/interleave"
)

// program names the step that TestProgram is to be, in a process of its own.
const program = "STEP_PROGRAM"

// programs are steps that fail, and what each says.
var programs = map[string]struct {
	run  func(t *testing.T)
	says string
}{
	"bubble": {
		func(t *testing.T) {
			step.Bubble(t, func(t *step.T) {
				t.Tell("job %d starts", 1)
				time.Sleep(90 * time.Minute)
				t.Tell("job %d ends", 1)
				step.Equal(t, 2, 1, "Jobs handled:")
			})
		}, `
step_test.go:N: Jobs handled: Expected 2, got 1.

What happened:
          0s  job 1 starts
     1h30m0s  job 1 ends

again: go test -run '^TestProgram$' ./kata/internal/step`,
	},
	"nothing was told": {
		func(t *testing.T) {
			step.Bubble(t, func(t *step.T) { step.Expect(t, false, "The queue should take job 1.") })
		}, `
step_test.go:N: The queue should take job 1.

again: go test -run '^TestProgram$' ./kata/internal/step`,
	},
	"a deadlock has its story": {
		func(t *testing.T) {
			step.Bubble(t, func(t *step.T) {
				t.Tell("Submit waits")
				<-make(chan int)
			})
		}, `
step_test.go:N: deadlock: every goroutine of the bubble waits, and nothing is left that could wake one

    the body waits to receive from a channel
        step_test.go:N  step_test.init.funcN.1
        step.go:N       step.Bubble.func2

What happened:
          0s  Submit waits

again: go test -run '^TestProgram$' ./kata/internal/step`,
	},
	"what comes several times": {
		func(t *testing.T) {
			step.Bubble(t, func(t *step.T) {
				for range 1000 {
					t.Tell("Get waits")
				}
				t.Tell("the load ends")
				t.Tell("Get waits")
				t.Error("Too many loads.")
			})
		}, `
step_test.go:N: Too many loads.

What happened:
          0s  Get waits (1000 times)
          0s  the load ends
          0s  Get waits

again: go test -run '^TestProgram$' ./kata/internal/step`,
	},
	"a long story": {
		func(t *testing.T) {
			step.Bubble(t, func(t *step.T) {
				for i := range 20 {
					t.Tell("line %d", i+1)
				}
				t.Error("Too many lines.")
			})
		}, `
step_test.go:N: Too many lines.

What happened, without the first 4 lines:
` + lines(5, 20) + `

again: go test -run '^TestProgram$' ./kata/internal/step`,
	},
	"explore": {
		func(t *testing.T) {
			step.Explore(t, func(t *step.T, x *interleave.Schedule) {
				var mu sync.Mutex
				charged := 0
				for _, name := range []string{"A", "B"} {
					x.Go(name, func() {
						x.Point("Get")
						mu.Lock()
						seen := charged
						mu.Unlock()
						x.Point("Put")
						mu.Lock()
						charged = seen + 1
						mu.Unlock()
					})
				}
				x.Run()
				t.Tell("both are done")
				step.Equal(t, 2, charged, "Both count.")
			})
		}, `
step_test.go:N: Both count. Expected 2, got 1.

What happened:
          0s  both are done
step_test.go:N: schedule 3 fails; it has 1 preemption, and none with fewer fails

           A    B
        1  Get
        2       Get
        3       Put
        4  Put

    again: DOJO_SCHEDULE=ABBA go test -run '^TestProgram$' ./kata/internal/step`,
	},
	"a goroutine is left over": {
		func(t *testing.T) {
			step.Outside(t, func(*step.T) { go func() { select {} }() })
		}, `
step_test.go:N: The step is over, and a goroutine that it started is not.
found unexpected goroutines:
[Goroutine`,
	},
	"a caller panics": {
		func(t *testing.T) {
			step.Bubble(t, func(t *step.T) {
				step.AtOnce(t, 3, func(caller int) {
					if caller == 2 {
						panic("broken")
					}
				})
			})
		}, `
step_test.go:N: a goroutine started by bubble.Go panicked: broken`,
	},
}

func lines(first, last int) string {
	var all []string
	for i := first; i <= last; i++ {
		all = append(all, fmt.Sprintf("          0s  line %d", i))
	}
	return strings.Join(all, "\n")
}

func TestProgram(t *testing.T) {
	if name := os.Getenv(program); name != "" {
		programs[name].run(t)
	}
}

func TestWhatAStepPrints(t *testing.T) {
	for name, p := range programs {
		cmd := exec.Command(os.Args[0], "-test.run=^TestProgram$")
		cmd.Env = append(os.Environ(), program+"="+name)
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Errorf("%s: the step passes", name)
		}
		got := tidy(string(out))
		want := tidy(p.says)
		if diff := cmp.Diff(want, got[:min(len(got), len(want))]); diff != "" {
			t.Errorf("%s: (-want +got)\n%s\nwhole:\n%s", name, diff, got)
		}
	}
}

var place = regexp.MustCompile(`(\.go:|init\.func)\d+`)

// tidy takes off the frame of package testing and the numbers of lines.
func tidy(out string) string {
	var kept []string
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "--- FAIL") || line == "FAIL" || line == "" && len(kept) == 0 {
			continue
		}
		kept = append(kept, strings.TrimLeft(place.ReplaceAllString(line, "${1}N"), " "))
	}
	return strings.TrimRight(strings.Join(kept, "\n"), "\n")
}

func TestCalls(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		at := time.Now()
		gate := make(chan string)
		c := step.Start(t, func() string {
			time.Sleep(time.Second)
			return <-gate
		})
		step.Expect(t, c.Waits(), "It sleeps.")
		step.Equal(t, at, time.Now(), "To look whether a call waits takes no time.")
		time.Sleep(2 * time.Second)
		step.Expect(t, c.Waits(), "It waits for the gate.")
		gate <- "open"
		step.Expect(t, !c.Waits(), "It has returned.")
		step.Equal(t, "open", c.Result(), "It returned:")
		step.Equal(t, 2*time.Second, c.Took(), "It took:")
	})
}

func TestAtOnce(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		var came [5]int
		step.AtOnce(t, len(came), func(caller int) { came[caller]++ })
		step.Equal(t, [5]int{1, 1, 1, 1, 1}, came, "Each caller came once, and all have returned.")
	})
}
