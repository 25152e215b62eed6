package interleave_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	stdsync "sync"
	stdatomic "sync/atomic"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/interleave"
	"github.com/backend-kata/dojo/pkg/interleave/sync"
	"github.com/backend-kata/dojo/pkg/interleave/sync/atomic"
	"github.com/backend-kata/dojo/pkg/internal/golden"
	"github.com/backend-kata/dojo/pkg/internal/race"
)

// An account is a number with a lock, of package sync or of the one that stands in for
// it.
type account struct {
	mu stdsync.Locker
	n  int
}

func (a *account) deposit() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n++
}

// pass takes the lock for nothing.
func (a *account) pass() {
	a.mu.Lock()
	a.mu.Unlock() //nolint:staticcheck // that it guards nothing is the fault
}

// lostLocks are what one actor does beside another one's deposit.
var lostLocks = map[string]func(a *account){
	"without":         func(a *account) { a.n++ },
	"read without":    func(a *account) { use(a.n) },
	"before":          func(a *account) { a.n++; a.pass() },
	"after":           func(a *account) { a.pass(); a.n++ },
	"unlocked early":  func(a *account) { a.deposit(); a.n++ },
	"read after":      func(a *account) { a.deposit(); use(a.n) },
	"between":         func(a *account) { a.pass(); a.n++; a.pass() },
	"another lock":    func(a *account) { b := account{mu: new(stdsync.Mutex)}; b.mu.Lock(); a.n++; b.mu.Unlock() },
	"goroutine of it": func(a *account) { go func() { a.n++ }() },
}

func use(int) {}

// explored runs two actors, each with a point at first or without.
func explored(t *testing.T, point bool, fresh func() (f, g func())) {
	interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
		f, g := fresh()
		actor := func(f func()) func() {
			return func() {
				if point {
					s.Point("begin")
				}
				f()
			}
		}
		s.Go("A", actor(f))
		s.Go("B", actor(g))
		s.Run()
	})
}

// wrong are programs with a data race, which each run is to find.
var wrong = func() map[string]func(t *testing.T) {
	all := map[string]func(t *testing.T){
		"both between two sections": func(t *testing.T) {
			explored(t, false, func() (f, g func()) {
				a := &account{mu: new(sync.Mutex)}
				return func() { lostLocks["between"](a) }, func() { lostLocks["between"](a) }
			})
		},
		"written under a reader's lock": func(t *testing.T) {
			explored(t, false, func() (f, g func()) {
				a := &account{mu: new(sync.RWMutex).RLocker()}
				return a.deposit, a.deposit
			})
		},
		"read after Done, which orders nothing": func(t *testing.T) {
			explored(t, true, func() (f, g func()) {
				var wg sync.WaitGroup
				wg.Add(3)
				n := 0
				return func() { n++; wg.Done() }, func() { wg.Done(); use(n) }
			})
		},
		"told by a lock that was looked at": func(t *testing.T) {
			// The explorer looks whether both locks are free. That must not pass on what it saw.
			interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
				var a, b sync.Mutex
				n := 0
				s.Go("A", func() {
					a.Lock()
					n++
					a.Unlock()
					a.Lock()
					defer a.Unlock()
				})
				s.Go("B", func() {
					b.Lock()
					use(n)
					b.Unlock()
				})
				s.Run()
			})
		},
		"sent before it is written": func(t *testing.T) {
			explored(t, true, func() (f, g func()) {
				n, c := 0, make(chan bool, 1)
				return func() { c <- true; n++ }, func() { <-c; use(n) }
			})
		},
		"stored before it is written": func(t *testing.T) {
			explored(t, false, func() (f, g func()) {
				var p atomic.Pointer[account]
				return func() {
						a := new(account)
						p.Store(a)
						a.n = 1
					}, func() {
						if a := p.Load(); a != nil {
							use(a.n)
						}
					}
			})
		},
		"told at a point": func(t *testing.T) {
			// The formatted text must not order the actors, as a pool of package fmt does.
			interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
				n := 0
				s.Go("A", func() {
					n++
					s.Point("%s is %d, %v", "n", 1, time.Second)
					s.Note("%d", 1)
				})
				s.Go("B", func() {
					s.Point("%s is %d, %v", "n", 1, time.Second)
					use(n)
				})
				s.Run()
			})
		},
		"told by a writer that waits": func(t *testing.T) {
			// That a writer waits keeps readers out. It must not pass on what the writer did.
			interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
				var mu sync.RWMutex
				n, looked := 0, make(chan bool)
				s.Go("reader", func() {
					mu.RLock()
					defer mu.RUnlock()
					<-looked
				})
				s.Go("writer", func() {
					n++
					mu.Lock()
					defer mu.Unlock()
				})
				s.Go("other", func() {
					if mu.TryRLock() {
						mu.RUnlock()
					} else {
						use(n)
					}
					close(looked)
				})
				s.Run()
			})
		},
		"crashed": func(t *testing.T) {
			interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
				n := 0
				s.GoMortal("A", func() {
					s.Point("write")
					n++
					s.Point("end")
				})
				s.Go("B", func() {
					s.Point("read")
					use(n)
				})
				s.Run()
			})
		},
	}
	for name, f := range lostLocks {
		for kind, lock := range map[string]func() stdsync.Locker{
			"standard":   func() stdsync.Locker { return new(stdsync.Mutex) },
			"interleave": func() stdsync.Locker { return new(sync.Mutex) },
			"channel":    func() stdsync.Locker { return make(channelLock, 1) },
		} {
			if name == "between" && kind != "interleave" {
				continue // there is no point where the other could go first; see Limits
			}
			all[name+", "+kind] = func(t *testing.T) {
				explored(t, kind != "interleave", func() (_, _ func()) {
					a := &account{mu: lock()}
					return func() { f(a) }, a.deposit
				})
			}
			all[name+", "+kind+", second"] = func(t *testing.T) {
				explored(t, kind != "interleave", func() (_, _ func()) {
					a := &account{mu: lock()}
					return a.deposit, func() { f(a) }
				})
			}
		}
	}
	return all
}()

type channelLock chan bool

func (c channelLock) Lock()   { c <- true }
func (c channelLock) Unlock() { <-c }

// right are programs without a data race, about which no run is to say anything.
var right = map[string]func(t *testing.T){
	"standard lock":   func(t *testing.T) { deposits(t, new(stdsync.Mutex)) },
	"interleave lock": func(t *testing.T) { deposits(t, new(sync.Mutex)) },
	"writer's lock":   func(t *testing.T) { deposits(t, new(sync.RWMutex)) },
	"channel for a lock": func(t *testing.T) {
		interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) { deposit(t, s, make(channelLock, 1)) })
	},
	"readers": func(t *testing.T) {
		interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
			var mu sync.RWMutex
			n := 0
			for range 2 {
				s.Go("reader", func() {
					mu.RLock()
					defer mu.RUnlock()
					use(n)
				})
			}
			s.Go("writer", func() {
				mu.Lock()
				defer mu.Unlock()
				n++
			})
			s.Run()
		})
	},
	"TryLock": func(t *testing.T) {
		explored(t, false, func() (f, g func()) {
			var mu sync.Mutex
			n := 0
			try := func() {
				if mu.TryLock() {
					n++
					mu.Unlock()
				}
			}
			return try, try
		})
	},
	"Once": func(t *testing.T) {
		explored(t, false, func() (f, g func()) {
			n := 0
			once := sync.OnceFunc(func() { n++ })
			get := func() { once(); use(n) }
			return get, get
		})
	},
	"WaitGroup": func(t *testing.T) {
		interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
			s.AllowNoPoints() // of the goroutines
			s.Go("A", func() {
				var wg sync.WaitGroup
				var n [2]int
				for i := range n {
					wg.Go(func() { n[i]++ })
				}
				wg.Wait()
				if n[0]+n[1] != 2 {
					t.Errorf("n is %v", n)
				}
			})
			s.Run()
		})
	},
	"Cond": func(t *testing.T) {
		explored(t, false, func() (f, g func()) {
			var mu sync.Mutex
			n, changed := 0, sync.NewCond(&mu)
			return func() {
					mu.Lock()
					defer mu.Unlock()
					for n == 0 {
						changed.Wait()
					}
					n++
				}, func() {
					mu.Lock()
					defer mu.Unlock()
					n++
					changed.Signal()
				}
		})
	},
	"Cond of readers": func(t *testing.T) {
		interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
			var mu sync.RWMutex
			ready, changed := false, sync.NewCond(mu.RLocker())
			for _, name := range []string{"A", "B"} {
				s.Go(name, func() {
					changed.L.Lock()
					defer changed.L.Unlock()
					for !ready {
						changed.Wait()
					}
				})
			}
			s.Go("C", func() {
				mu.Lock()
				ready = true
				mu.Unlock()
				changed.Broadcast()
			})
			s.Run()
		})
	},
	"a writer that waits": func(t *testing.T) {
		interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
			var mu sync.RWMutex
			n := 0
			s.Go("reader", func() {
				mu.RLock()
				defer mu.RUnlock()
				s.Point("read")
				use(n)
			})
			for range 2 {
				s.Go("writer", func() {
					mu.Lock()
					defer mu.Unlock()
					s.Point("write")
					n++
				})
			}
			s.Run()
		})
	},
	"atomics": func(t *testing.T) {
		explored(t, false, func() (f, g func()) {
			var p atomic.Pointer[account]
			return func() { p.Store(&account{n: 1}) }, func() {
				if a := p.Load(); a != nil {
					use(a.n)
				}
			}
		})
	},
	"standard atomics": func(t *testing.T) {
		explored(t, true, func() (f, g func()) {
			var p stdatomic.Pointer[account]
			return func() { p.Store(&account{n: 1}) }, func() {
				if a := p.Load(); a != nil {
					use(a.n)
				}
			}
		})
	},
	"Map": func(t *testing.T) {
		explored(t, false, func() (f, g func()) {
			var m sync.Map
			return func() { m.Store("k", &account{n: 1}) }, func() {
				if a, ok := m.Load("k"); ok {
					use(a.(*account).n)
				}
			}
		})
	},
	"channel": func(t *testing.T) {
		explored(t, true, func() (f, g func()) {
			n, c := 0, make(chan bool)
			return func() { n++; close(c) }, func() { <-c; n++ }
		})
	},
	"a variable each, read by the body": func(t *testing.T) {
		interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
			n := map[string]*int{"A": new(int), "B": new(int), "goroutine": new(int)}
			done := make(chan bool)
			s.Go("A", func() {
				s.Point("A")
				*n["A"] = 1
				go func() { *n["goroutine"] = 1; <-done }()
			})
			s.GoMortal("B", func() {
				*n["B"] = 1
				s.Point("B")
				defer func() { *n["B"] = 2 }()
				s.Point("end")
			})
			s.Run()
			if *n["A"]+*n["goroutine"] != 2 || *n["B"] == 0 {
				t.Error("the body does not see what actors did")
			}
			close(done)
		})
	},
	"fmt, testing and the story": func(t *testing.T) {
		interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
			for _, name := range []string{"A", "B", "C"} {
				s.Go(name, func() {
					s.Point("%s looks at %v", name, []int{1})
					s.Note("%d", s.Tick())
					use(len(fmt.Sprint(name, s)))
					t.Log(name)
					if t.Failed() {
						t.Error("never")
					}
				})
			}
			s.Run()
		})
	},
	"time": func(t *testing.T) {
		interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			for range 2 {
				s.Go("A", func() {
					s.Pass(time.Second)
					time.Sleep(time.Second)
					select {
					case <-time.After(time.Second):
					case <-ctx.Done():
					}
				})
			}
			s.Go("B", func() { <-ctx.Done() })
			s.Run()
		})
	},
	"strangers": func(t *testing.T) {
		interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
			a := &account{mu: new(sync.Mutex)}
			for range 2 {
				s.Go("A", func() {
					a.deposit()
					go a.deposit()
				})
			}
			s.Run()
			use(a.n)
		})
	},
}

func deposits(t *testing.T, mu stdsync.Locker) {
	interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) { deposit(t, s, mu) })
}

func deposit(t *testing.T, s *interleave.Schedule, mu stdsync.Locker) {
	a := &account{mu: mu}
	for _, name := range []string{"A", "B", "C"} {
		s.Go(name, func() {
			s.Point("begin")
			a.deposit()
		})
	}
	s.Run()
	if a.n != 3 {
		t.Errorf("n is %d, want 3", a.n)
	}
}

const raceVar = "INTERLEAVE_TEST_RACE"

// TestRace is a program of wrong or right, in a child process; it is TestRaces that looks at what it says.
func TestRace(t *testing.T) {
	for _, programs := range []map[string]func(*testing.T){wrong, right} {
		if run := programs[os.Getenv(raceVar)]; run != nil {
			run(t)
		}
	}
}

// Each data race is found in each of five runs, and none is where there is none.
func TestRaces(t *testing.T) {
	if !race.Enabled {
		t.Skip("only a test binary that was built with -race sees data races")
	}
	for _, name := range slices.Sorted(maps.Keys(wrong)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := runs(name, 5)
			if n := strings.Count(out, "--- FAIL: TestRace"); n != 5 {
				t.Errorf("the race was found in %d of 5 runs:\n%s", n, out)
			}
			if n := strings.Count(out, "two actors touched the same memory"); n != 5 {
				t.Errorf("%d of 5 runs said what it is:\n%s", n, out)
			}
		})
	}
	for _, name := range slices.Sorted(maps.Keys(right)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if out := runs(name, 5); out != "PASS\n" {
				t.Errorf("the program is right, and was said to be wrong:\n%s", out)
			}
		})
	}
}

// What a test says that has found a race.
func TestRaceStory(t *testing.T) {
	if !race.Enabled {
		t.Skip("only a test binary that was built with -race sees data races")
	}
	report := regexp.MustCompile(`(?s)==================\n.*?==================\n`)
	for _, name := range []string{"read after, interleave", "without, standard", "between, interleave"} {
		golden.Check(t, "race-"+strings.ReplaceAll(name, ", ", "-"), report.ReplaceAllString(runs(name, 1), "(the race detector's report)\n"))
	}
}

// runs makes n runs of a program in one process.
func runs(name string, n int) string {
	return neutral(golden.Child([]string{raceVar + "=" + name}, "-test.timeout=60s", "-test.run=^TestRace$", fmt.Sprint("-test.count=", n)))
}
