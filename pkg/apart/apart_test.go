package apart_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/pkg/apart"
	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/internal/golden"
	"github.com/backend-kata/dojo/pkg/internal/race"
)

// A box has a number and a lock, and methods that use it rightly and wrongly.
type box struct {
	mu sync.Mutex
	n  int
}

func newBox() *box { return new(box) }

func (b *box) inc() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n++
}

// pass takes the lock for nothing.
func (b *box) pass() {
	b.mu.Lock()
	b.mu.Unlock() //nolint:staticcheck // that it guards nothing is the fault
}

// between is what a lock does not help against, and this package does not find.
func (b *box) between() {
	b.pass()
	b.n++
	b.pass()
}

func use(int) {}

func marshal(v any) {
	if _, err := json.Marshal(v); err != nil {
		panic(err)
	}
}

var inc = apart.Call[*box]{Name: "Inc", Do: (*box).inc}

// lostLocks race with inc.
var lostLocks = map[string]func(b *box){
	"without":        func(b *box) { b.n++ },
	"read without":   func(b *box) { use(b.n) },
	"before":         func(b *box) { b.n++; b.pass() },
	"after":          func(b *box) { b.pass(); b.n++ },
	"unlocked early": func(b *box) { b.inc(); b.n++ },
	"read after":     func(b *box) { b.inc(); use(b.n) },
	"beside fmt":     func(b *box) { _ = fmt.Sprint(1); b.n++; _ = fmt.Sprint(2) },
	"beside json":    func(b *box) { marshal(1); b.n++; marshal(2) },
	"in a goroutine": func(b *box) {
		done := make(chan bool)
		go func() { b.n++; close(done) }()
		<-done
	},
}

// right are types without a data race.
var right = map[string]func() error{
	"lock": func() error { return apart.Check(newBox, inc, apart.Call[*box]{Name: "pass", Do: (*box).pass}) },
	"atomic": func() error {
		return apart.Check(func() *atomic.Int32 { return new(atomic.Int32) },
			apart.Call[*atomic.Int32]{Name: "Add", Do: func(n *atomic.Int32) { n.Add(1) }},
			apart.Call[*atomic.Int32]{Name: "Load", Do: func(n *atomic.Int32) { n.Load() }},
		)
	},
	"channel": func() error {
		return apart.Check(func() chan int { return make(chan int, 2) }, apart.Call[chan int]{Name: "send", Do: func(c chan int) { c <- 1 }})
	},
	"map": func() error {
		return apart.Check(func() *sync.Map { return new(sync.Map) },
			apart.Call[*sync.Map]{Name: "Store", Do: func(m *sync.Map) { m.Store(1, 2) }},
			apart.Call[*sync.Map]{Name: "Load", Do: func(m *sync.Map) { m.Load(1) }},
		)
	},
	"once": func() error {
		return apart.Check(func() func() int { return sync.OnceValue(func() int { return 7 }) },
			apart.Call[func() int]{Name: "Get", Do: func(get func() int) { get() }})
	},
	"fmt and json": func() error {
		return apart.Check(func() []int { return []int{1} },
			apart.Call[[]int]{Name: "Sprint", Do: func(s []int) { _ = fmt.Sprint(s) }},
			apart.Call[[]int]{Name: "Marshal", Do: func(s []int) { marshal(s) }})
	},
	"reads": func() error {
		return apart.Check(newBox, apart.Call[*box]{Name: "read", Do: func(b *box) { use(b.n) }})
	},
}

// The programs are tests that mostly fail, each in a process of its own. What they
// print is in testdata, in <name>.txt without and <name>-race.txt with the race
// detector.
var programs = map[string]func(t *testing.T){
	"lost-locks": func(t *testing.T) {
		apart.Pairs(t, newBox, inc,
			apart.Call[*box]{Name: "Peek", Do: lostLocks["read without"]},
			apart.Call[*box]{Name: "Reset", Do: lostLocks["after"]},
			apart.Call[*box]{Name: "Pass", Do: (*box).pass},
		)
		t.Error("not reached")
	},
	"in-a-bubble": func(t *testing.T) {
		bubble.Run(t, func(t *testing.T) {
			apart.Pairs(t, newBox, inc, apart.Call[*box]{Name: "Peek", Do: func(b *box) { time.Sleep(time.Hour); use(b.n) }})
		})
		t.Error("not reached")
	},
	"in-synctest": func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			apart.Pairs(t, newBox, inc, apart.Call[*box]{Name: "Peek", Do: lostLocks["read without"]})
		})
	},
	"right-in-a-bubble": func(t *testing.T) {
		bubble.Run(t, func(t *testing.T) { apart.Pairs(t, newBox, inc) })
	},
	"failed-before": func(t *testing.T) {
		t.Error("the failure of interest")
		apart.Pairs(t, newBox, inc)
	},
	"panic": func(t *testing.T) {
		apart.Pairs(t, newBox, inc, apart.Call[*box]{Name: "Index", Do: func(*box) { use([]int{}[seven]) }})
	},
	"closed-twice": func(t *testing.T) {
		apart.Pairs(t, func() chan int { return make(chan int) }, apart.Call[chan int]{Name: "Close", Do: func(c chan int) { close(c) }})
	},
	"goexit": func(t *testing.T) {
		apart.Pairs(t, newBox, apart.Call[*box]{Name: "Exit", Do: func(*box) { runtime.Goexit() }})
	},
	"fail-now": func(t *testing.T) {
		apart.Pairs(t, newBox, apart.Call[*box]{Name: "Get", Do: func(*box) { t.Fatal("no value") }})
	},
	"run-fail-now": func(t *testing.T) {
		apart.Run(func() { t.Fatal("it fails") }, func() { t.Error("not reached") })
		t.Error("not reached")
	},
	"deadlock": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			c := make(chan bool)
			apart.Run(func() { <-c }, func() { c <- true })
		})
	},
}

var seven = 7

const programVar = "APART_TEST_PROGRAM"

// TestProgram is the test that fails, in a child process.
func TestProgram(t *testing.T) {
	name := os.Getenv(programVar)
	if run := programs[name]; run != nil {
		run(t)
	}
	if do := lostLocks[name]; do != nil {
		apart.Pairs(t, newBox, inc, apart.Call[*box]{Name: "Lost", Do: do})
	}
}

func TestPrograms(t *testing.T) {
	report := regexp.MustCompile(`(?s)==================\n.*?==================\n`)
	for _, name := range slices.Sorted(maps.Keys(programs)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := name
			if race.Enabled {
				file += "-race"
			}
			golden.Check(t, file, report.ReplaceAllString(output(name, 1), "(the race detector's report)\n"))
		})
	}
}

var neutralities = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`(?s)goroutine \d+ \[running\]:.*?\n +again:`), "(the stack)\n    again:"},
	{regexp.MustCompile(`(\w+\.go):\d+ *`), "$1:N "},
	{regexp.MustCompile(`goroutine \d+`), "goroutine N"},
	{regexp.MustCompile(`init\.func\d+`), "init.funcN"}, // by place in programs
	{regexp.MustCompile(`github\.com/backend-kata/dojo/pkg/`), ""},
}

// output makes n runs of a program in a child process, and returns what it prints
// without what differs from run to run.
func output(name string, n int) string {
	text := golden.Child([]string{programVar + "=" + name}, "-test.v", "-test.timeout=60s", "-test.run=^TestProgram$", fmt.Sprint("-test.count=", n))
	for _, n := range neutralities {
		text = n.pattern.ReplaceAllString(text, n.with)
	}
	return text
}

// Each lost lock is found in each of five runs.
func TestLostLocks(t *testing.T) {
	needRace(t)
	for _, name := range slices.Sorted(maps.Keys(lostLocks)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := output(name, 5)
			if n := strings.Count(out, "Inc and Lost touched the same memory"); n != 5 {
				t.Errorf("the race was found in %d of 5 runs:\n%s", n, out)
			}
			if strings.Contains(out, "two calls of Inc") {
				t.Errorf("Inc was said to race with itself:\n%s", out)
			}
		})
	}
}

func TestRight(t *testing.T) {
	for name, check := range right {
		for range 5 {
			err := check()
			if err != nil && (race.Enabled || !errors.Is(err, apart.ErrNotJudged)) {
				t.Errorf("%s is right, and was said to be wrong: %v", name, err)
			}
		}
	}
}

// What Limits says.
func TestBetweenTwoSectionsIsNotFound(t *testing.T) {
	needRace(t)
	if err := apart.Check(newBox, inc, apart.Call[*box]{Name: "between", Do: (*box).between}); err != nil {
		t.Errorf("it is found, so Limits should not say otherwise: %v", err)
	}
}

func needRace(t *testing.T) {
	t.Helper()
	if !race.Enabled {
		t.Skip("only a test binary that was built with -race sees data races")
	}
}

// Each ordered pair is called, on an object of its own.
func TestCheckCallsEachPair(t *testing.T) {
	var calls []string
	call := func(name string) apart.Call[*string] {
		return apart.Call[*string]{Name: name, Do: func(s *string) {
			if *s += name; len(*s) == 2 {
				calls = append(calls, *s)
			}
		}}
	}
	if race.Enabled {
		t.Skip("the calls race, since they write where they were made")
	}
	if err := apart.Check(func() *string { return new(string) }, call("a"), call("b")); !errors.Is(err, apart.ErrNotJudged) {
		t.Errorf("without -race it says %v, want ErrNotJudged", err)
	}
	if want := []string{"aa", "ab", "ba", "bb"}; !slices.Equal(calls, want) {
		t.Errorf("the calls were %v, want %v", calls, want)
	}
}

func TestRun(t *testing.T) {
	apart.Run()
	before, after := 1, [2]int{}
	apart.Run(func() { after[0] = before }, func() { after[1] = before })
	if after != [2]int{1, 1} {
		t.Errorf("the functions wrote %v, want 1 each", after)
	}
}

func TestRunPassesAPanicOn(t *testing.T) {
	cause, reached := errors.New("out of stock"), false
	defer func() {
		err, _ := recover().(error)
		if !errors.Is(err, cause) || !strings.Contains(err.Error(), "panicked: out of stock") || !strings.Contains(err.Error(), "TestRunPassesAPanicOn") {
			t.Errorf("it panicked with %v, want an error that wraps the value and has the stack", err)
		}
		if reached {
			t.Error("a function was called after one that panicked")
		}
	}()
	apart.Run(func() { panic(cause) }, func() { reached = true })
}

// BenchmarkPair is the time of one pair of calls.
func BenchmarkPair(b *testing.B) {
	for b.Loop() {
		if err := apart.Check(newBox, inc); err != nil && !errors.Is(err, apart.ErrNotJudged) {
			b.Fatal(err)
		}
	}
}
