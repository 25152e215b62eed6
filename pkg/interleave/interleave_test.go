package interleave_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	stdsync "sync"
	stdatomic "sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/backend-kata/dojo/pkg/interleave"
	"github.com/backend-kata/dojo/pkg/interleave/sync"
	"github.com/backend-kata/dojo/pkg/internal/golden"
)

const programVar = "INTERLEAVE_TEST_PROGRAM"

// TestProgram is the test that fails, in a child process.
func TestProgram(t *testing.T) {
	if run := programs[os.Getenv(programVar)]; run != nil {
		run(t)
	}
}

func TestPrograms(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(programs)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden.Check(t, name, output(name))
		})
	}
}

// A schedule that a failure prints fails alone, in the same way.
func TestReplay(t *testing.T) {
	for _, name := range []string{"lost-update", "three-actors", "crash", "lease", "stranger", "lock-order", "second-exploration"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := output(name)
			m := regexp.MustCompile(`DOJO_SCHEDULE=(\S+) `).FindStringSubmatch(found)
			if m == nil {
				t.Fatalf("the program prints no schedule:\n%s", found)
			}
			again := output(name, "DOJO_SCHEDULE="+m[1])
			again = strings.Replace(again, "the schedule of DOJO_SCHEDULE fails", "", 1)
			found = regexp.MustCompile(`schedule \d+ fails; it has .*`).ReplaceAllString(found, "")
			if diff := cmp.Diff(found, again); diff != "" {
				t.Errorf("the schedule %s was expected to fail in the same way (-found +again):\n%s", m[1], diff)
			}
		})
	}
}

// A schedule of another version of the code is told, and not taken for a failure of it.
func TestReplayOfAnotherVersion(t *testing.T) {
	const want = "choice 3 of 3 of DOJO_SCHEDULE cannot be made: it is of another version of the code"
	if got := output("lost-update", "DOJO_SCHEDULE=AAA"); !strings.Contains(got, want) {
		t.Errorf("want %q in:\n%s", want, got)
	}
}

var neutralities = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`github\.com/backend-kata/dojo/pkg/interleave/`), ""},
	{regexp.MustCompile(`goroutine \d+ waits`), "goroutine N waits"},
	{regexp.MustCompile(`init\.func\d+`), "init.funcN"},                                     // by place in programs
	{regexp.MustCompile(`\(\*Schedule\)\.Run\.\(\*Schedule\)\.start`), "(*Schedule).start"}, // where it is inlined
	{regexp.MustCompile(`(\w+\.go):\d+ *`), "$1:N "},
}

// output runs a program in a child process and returns what it prints, without
// what differs from run to run.
func output(name string, env ...string) string {
	return neutral(golden.Child(append(env, programVar+"="+name), "-test.timeout=60s", "-test.run=^TestProgram$"))
}

func neutral(text string) string {
	for _, n := range neutralities {
		text = n.pattern.ReplaceAllString(text, n.with)
	}
	return text
}

// The number of schedules is that of the multinomial coefficient.
func TestEverySchedule(t *testing.T) {
	for _, tt := range []struct{ actors, points, want int }{
		{1, 3, 1}, {2, 1, 2}, {2, 2, 6}, {2, 4, 70}, {3, 1, 6}, {3, 2, 90}, {3, 3, 1680},
	} {
		seen := map[string]bool{}
		r := interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
			var mu stdsync.Mutex
			var order strings.Builder
			for a := range tt.actors {
				s.Go(fmt.Sprint(a), func() {
					for range tt.points {
						s.Point("go on")
						mu.Lock()
						fmt.Fprint(&order, a)
						mu.Unlock()
					}
				})
			}
			s.Run()
			seen[order.String()] = true
			s.AllowNoPoints() // or one actor alone would be a forgotten import
		})
		if r.Schedules != tt.want || len(seen) != tt.want || !r.Exhausted {
			t.Errorf("%d actors of %d points: %+v and %d orders, want all %d", tt.actors, tt.points, r, len(seen), tt.want)
		}
	}
}

// Schedules with fewer preemptions come first.
func TestFewestPreemptionsFirst(t *testing.T) {
	most := 0
	interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
		var mu stdsync.Mutex
		left := []int{3, 3}
		last, preemptions := -1, 0
		for a := range 2 {
			s.Go(fmt.Sprint(a), func() {
				for range 3 {
					s.Point("go on")
					mu.Lock()
					if last >= 0 && last != a && left[last] > 0 {
						preemptions++
					}
					last = a
					left[a]--
					mu.Unlock()
				}
			})
		}
		s.Run()
		if preemptions < most {
			t.Errorf("a schedule with %d preemptions came after one with %d", preemptions, most)
		}
		most = preemptions
	})
	if most != 4 {
		t.Errorf("the last schedule has %d preemptions, want 4", most)
	}
}

func TestBudget(t *testing.T) {
	r := interleave.ExploreWithin(t, 5, func(_ *testing.T, s *interleave.Schedule) {
		var n stdatomic.Int32
		s.Go("A", func() { increment(s, &n) })
		s.Go("B", func() { increment(s, &n) })
		s.Run()
	})
	if want := (interleave.Report{Schedules: 5, Exhausted: false, Preemptions: 1}); r != want {
		t.Errorf("the report is %+v, want %+v", r, want)
	}
	r = interleave.ExploreWithin(t, 6, func(_ *testing.T, s *interleave.Schedule) {
		var n stdatomic.Int32
		s.Go("A", func() { increment(s, &n) })
		s.Go("B", func() { increment(s, &n) })
		s.Run()
	})
	if want := (interleave.Report{Schedules: 6, Exhausted: true, Preemptions: 2}); r != want {
		t.Errorf("the report is %+v, want %+v", r, want)
	}
}

// A limit of time ends an exploration, and never makes a failure pass.
func TestTimeLimit(t *testing.T) {
	defer interleave.Within(0)()
	r := interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
		var n stdatomic.Int32
		s.Go("A", func() { increment(s, &n) })
		s.Go("B", func() { increment(s, &n) })
		s.Run()
	})
	if want := (interleave.Report{Schedules: 1, OutOfTime: true, Preemptions: -1}); r != want {
		t.Errorf("no time is left, and one schedule is always tried: the report is %+v, want %+v", r, want)
	}
	r = interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) { s.AllowNoPoints(); s.Run() })
	if want := (interleave.Report{Schedules: 1, Exhausted: true}); r != want {
		t.Errorf("no time is left, and there is no other schedule: the report is %+v, want %+v", r, want)
	}
}

func TestReportSaysHowFarItCame(t *testing.T) {
	for _, tt := range []struct {
		r    interleave.Report
		want string
	}{
		{interleave.Report{Schedules: 6, Exhausted: true, Preemptions: 2}, "6 schedules were tried, and there are no more"},
		{interleave.Report{Schedules: 1, Exhausted: true}, "1 schedule was tried, and there are no more"},
		{interleave.Report{Schedules: 1204, OutOfTime: true, Preemptions: 2}, "1,204 schedules were tried in 5s, and there are more; all with up to 2 preemptions were among them"},
		{interleave.Report{Schedules: 2000, Preemptions: 1}, "2,000 schedules were tried, as many as the budget allows, and there are more; all with up to 1 preemption were among them"},
		{interleave.Report{Schedules: 7, OutOfTime: true}, "7 schedules were tried in 5s, and there are more; all without preemption were among them"},
		{interleave.Report{Schedules: 1, OutOfTime: true, Preemptions: -1}, "1 schedule was tried in 5s, and there are more, also without preemption"},
	} {
		if got := tt.r.String(); got != tt.want {
			t.Errorf("it says %q, want %q", got, tt.want)
		}
	}
}

// Points of the body's own goroutine, and points after Run, are passed.
func TestPointsOutsideOfRun(t *testing.T) {
	interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
		s.AllowNoPoints()
		var mu sync.Mutex
		s.Point("before")
		mu.Lock()
		mu.Unlock() //nolint:staticcheck // that it returns is the test
		stop, stopped := make(chan bool), make(chan bool)
		s.Go("A", func() {
			go func() { // outlives the actor
				<-stop
				s.Point("after")
				close(stopped)
			}()
		})
		s.Run()
		close(stop)
		<-stopped
		s.Note("nobody's")
		if time.Now().IsZero() {
			t.Error("never")
		}
	})
}

// Actors that wait for each other are no deadlock, and sleeping is waiting.
func TestWaitingIsNoDeadlock(t *testing.T) {
	r := interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
		start := time.Now()
		jobs, got := make(chan int), 0
		s.Go("producer", func() {
			for i := range 2 {
				s.Point("send")
				jobs <- i + 1
			}
			close(jobs)
		})
		s.Go("consumer", func() {
			for job := range jobs {
				s.Point("work")
				time.Sleep(time.Second)
				got += job
			}
		})
		s.Run()
		if got != 3 {
			t.Errorf("the consumer got %d, want 3", got)
		}
		if d := time.Since(start); d != 2*time.Second {
			t.Errorf("it took %v of virtual time, want 2s", d)
		}
	})
	if !r.Exhausted || r.Schedules < 2 {
		t.Errorf("the report is %+v, want several schedules and all of them", r)
	}
}

// A channel for a lock, or a standard lock, held at a point blocks the others and
// is no failure.
func TestOtherLocks(t *testing.T) {
	channel, mutex := make(chan bool, 1), new(stdsync.Mutex)
	for _, tt := range []struct {
		name         string
		lock, unlock func()
	}{
		{"channel", func() { channel <- true }, func() { <-channel }},
		{"mutex", mutex.Lock, mutex.Unlock},
	} {
		r := interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
			channel = make(chan bool, 1) // of this bubble
			var n stdatomic.Int32
			for _, name := range []string{"A", "B", "C"} {
				s.Go(name, func() {
					s.Point("begin")
					tt.lock()
					increment(s, &n)
					tt.unlock()
				})
			}
			s.Run()
			if n.Load() != 3 {
				t.Errorf("%s: n is %d, want 3", tt.name, n.Load())
			}
		})
		if !r.Exhausted || r.Schedules < 6 {
			t.Errorf("%s: the report is %+v, want all schedules, and at least the 6 orders of three actors", tt.name, r)
		}
	}
}

// A loop that looks again and again for what another has yet to do is no endless
// one.
func TestLoopsGiveWay(t *testing.T) {
	r := interleave.ExploreWithin(t, 200, func(t *testing.T, s *interleave.Schedule) {
		var a, b sync.Mutex
		n := 0
		for _, locks := range [][2]*sync.Mutex{{&a, &b}, {&b, &a}} {
			s.Go("mover", func() {
				for locks[0].Lock(); !locks[1].TryLock(); locks[0].Lock() {
					locks[0].Unlock()
				}
				n++
				locks[0].Unlock()
				locks[1].Unlock()
			})
		}
		s.Run()
		if n != 2 {
			t.Errorf("n is %d, want 2", n)
		}
	})
	if r.Schedules != 200 {
		t.Errorf("the report is %+v, want 200 schedules", r)
	}
}

// In all schedules of a crash somebody else can go on, and time can pass.
func TestCrashAndTime(t *testing.T) {
	outcomes := map[string]int{}
	r := interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
		var (
			mu      stdsync.Mutex
			until   time.Time
			outcome string
		)
		locked := func(f func()) {
			mu.Lock()
			defer mu.Unlock()
			f()
		}
		s.GoMortal("A", func() {
			s.Point("take the lease")
			locked(func() { until = time.Now().Add(time.Minute) })
			s.Point("work")
			locked(func() { outcome += "A" })
		})
		s.Go("B", func() {
			s.Point("look")
			var wait time.Duration
			locked(func() { wait = time.Until(until) })
			if wait > 0 {
				s.Pass(wait)
			}
			locked(func() { outcome += "B" })
		})
		s.Run()
		synctest.Wait()
		outcomes[outcome]++
	})
	if !r.Exhausted || outcomes["AB"] == 0 || outcomes["BA"] == 0 || outcomes["B"] == 0 || outcomes["A"] != 0 || outcomes[""] != 0 {
		t.Errorf("the outcomes are %v after %+v", outcomes, r)
	}
}

// Who comes to a point is never mistaken: not where one goroutine ends as another
// is born, and not where one was there before Run.
func TestWhoIsAtAPoint(t *testing.T) {
	interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
		leave := make(chan bool)
		go func() { <-leave }()
		s.Go("A", func() {
			s.Point("begin")
			close(leave)
			runtime.Gosched()
			done := make(chan bool)
			go func() {
				s.Point("child")
				close(done)
			}()
			runtime.Gosched()
			s.Point("wait")
			<-done
		})
		s.Go("B", func() { s.Point("begin") })
		s.Run()
	})
	interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
		jobs, worked := make(chan int), 0
		go func() {
			for range jobs {
				s.Point("work")
				worked++
			}
		}()
		s.Go("A", func() {
			for job := range 3 {
				jobs <- job // the second waits for the worker, which is at its point
			}
			s.Point("close")
			close(jobs)
		})
		s.Run()
		synctest.Wait()
		if worked != 3 {
			t.Errorf("the worker did %d jobs, want 3", worked)
		}
	})
}

func TestANilScheduleHasNoPoints(*testing.T) {
	var s *interleave.Schedule
	s.Point("Get %s", "k1")
	s.Note("none")
}
