package sync_test

import (
	"reflect"
	"runtime"
	stdsync "sync"
	stdatomic "sync/atomic"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/interleave"
	"github.com/backend-kata/dojo/pkg/interleave/sync"
	"github.com/backend-kata/dojo/pkg/interleave/sync/atomic"
)

// explore expects so many schedules, all of which pass.
func explore(t *testing.T, schedules int, body func(t *testing.T, s *interleave.Schedule)) {
	t.Helper()
	r := interleave.Explore(t, body)
	if r.Schedules != schedules || !r.Exhausted {
		t.Errorf("the report is %+v, want all of %d schedules", r, schedules)
	}
}

// fails reports whether an exploration of body finds a failure. The failure goes
// to a flag, since a test that is expected to fail would be red.
func fails(t *testing.T, body func(s *interleave.Schedule) (wrong bool)) bool {
	t.Helper()
	found := false
	interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
		found = body(s) || found
	})
	return found
}

func TestMutex(t *testing.T) {
	explore(t, 2, func(t *testing.T, s *interleave.Schedule) {
		var mu sync.Mutex
		n := 0
		for _, name := range []string{"A", "B"} {
			s.Go(name, func() {
				mu.Lock()
				defer mu.Unlock()
				n++
			})
		}
		s.Run()
		if n != 2 {
			t.Errorf("n is %d, want 2", n)
		}
	})
	if !fails(t, func(s *interleave.Schedule) bool {
		var mu sync.Mutex
		n := 0
		for _, name := range []string{"A", "B"} {
			s.Go(name, func() {
				mu.Lock()
				was := n
				mu.Unlock()
				mu.Lock()
				defer mu.Unlock()
				n = was + 1
			})
		}
		s.Run()
		return n != 2
	}) {
		t.Error("a check and an act under two locks was expected to be found")
	}
}

// An actor that is given up while it waits for a lock again runs the Unlock that it deferred, and
// the program lives.
func TestGivenUpWithoutTheLock(t *testing.T) {
	ended, whole := 0, 0
	interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
		var mu sync.Mutex
		s.GoMortal("A", func() {
			defer func() { ended++ }()
			mu.Lock()
			defer mu.Unlock()
			mu.Unlock()
			mu.Lock()
			whole++
		})
		s.Go("B", func() {
			mu.Lock()
			defer mu.Unlock()
		})
		s.Run()
	})
	if whole == 0 || ended <= whole {
		t.Errorf("of %d actors that ended %d came to their end, want some but not all", ended, whole)
	}
}

// One that holds the lock gives it back, to whoever else ends.
func TestGivenUpWithTheLock(t *testing.T) {
	crashed := 0
	interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
		var mu sync.RWMutex
		s.GoMortal("A", func() {
			mu.RLock()
			defer func() {
				mu.RUnlock()
				if mu.TryLock() {
					crashed++
				}
			}()
			s.Point("work")
		})
		s.Go("B", func() { s.Point("work") })
		s.Run()
	})
	if crashed == 0 {
		t.Error("nobody gave the lock back")
	}
}

func TestTryLock(t *testing.T) {
	var mu sync.Mutex
	if !mu.TryLock() || mu.TryLock() {
		t.Error("TryLock was expected to lock once")
	}
	var rw sync.RWMutex
	if !rw.TryRLock() || rw.TryLock() || !rw.TryRLock() {
		t.Error("readers were expected to be let in together, and no writer")
	}
}

func TestRWMutex(t *testing.T) {
	var together stdatomic.Bool
	interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
		var rw sync.RWMutex
		var readers, writers stdatomic.Int32 // whoever is in; what a lock orders is not the question here
		for _, name := range []string{"A", "B"} {
			s.Go(name, func() {
				rw.RLocker().Lock()
				readers.Add(1)
				s.Point("read")
				if readers.Load() == 2 {
					together.Store(true)
				}
				if writers.Load() > 0 {
					t.Error("a reader met a writer")
				}
				readers.Add(-1)
				rw.RLocker().Unlock()
			})
		}
		s.Go("W", func() {
			rw.Lock()
			writers.Add(1)
			s.Point("write")
			if readers.Load() > 0 {
				t.Error("a writer met a reader")
			}
			writers.Add(-1)
			rw.Unlock()
		})
		s.Run()
	})
	if !together.Load() {
		t.Error("two readers were expected to read together in some schedule")
	}
}

// A writer that waits keeps new readers out, as the standard one does, and those who
// only try do not get in before it.
func TestWaitingWriter(t *testing.T) {
	var keptOut stdatomic.Bool
	interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
		var rw sync.RWMutex
		var reads, writes, wrote stdatomic.Bool
		s.Go("reader", func() {
			rw.RLock()
			reads.Store(true)
			s.Point("read")
			reads.Store(false)
			rw.RUnlock()
		})
		s.Go("writer", func() {
			rw.Lock()
			writes.Store(true)
			s.Point("write")
			writes.Store(false)
			wrote.Store(true)
			rw.Unlock()
		})
		s.Go("other", func() {
			if rw.TryRLock() {
				if writes.Load() {
					t.Error("a reader met a writer")
				}
				rw.RUnlock()
			} else if reads.Load() {
				keptOut.Store(true)
				if rw.TryLock() {
					if !wrote.Load() {
						t.Error("one that tries came before a writer that waits")
					}
					rw.Unlock()
				}
			}
			rw.RLock()
			rw.RUnlock() //nolint:staticcheck // that it gets in at last is the test
		})
		s.Run()
		if !rw.TryLock() {
			t.Error("the lock is free, and TryLock does not get it")
		}
	})
	if !keptOut.Load() {
		t.Error("while one reads and a writer waits, another reader was expected to be kept out in some schedule")
	}
}

// What is right with the standard types is right here, and the other way round.
func TestMisuse(t *testing.T) {
	for name, f := range map[string]func(){
		"sync: negative WaitGroup counter": func() { new(sync.WaitGroup).Done() },
		"sync.Cond is copied": func() {
			c, d := sync.Cond{L: new(sync.Mutex)}, new(sync.Cond)
			c.Signal()
			reflect.ValueOf(d).Elem().Set(reflect.ValueOf(&c).Elem()) // go vet sees *d = c
			d.Signal()
		},
	} {
		func() {
			defer func() {
				if v := recover(); v != name {
					t.Errorf("recovered %v, want %q", v, name)
				}
			}()
			f()
		}()
	}
	var all sync.WaitGroup
	all.Go(runtime.Goexit)
	all.Wait()
}

// A count that begins beside a Wait may come too late for it.
func TestWaitGroupThatBeginsTooLate(t *testing.T) {
	for name, begin := range map[string]func(all *sync.WaitGroup, work func()){
		"Go":             func(all *sync.WaitGroup, work func()) { all.Go(work) },
		"Add":            func(all *sync.WaitGroup, work func()) { all.Add(1); work(); all.Done() },
		"Add, goroutine": func(all *sync.WaitGroup, work func()) { go func() { all.Add(1); defer all.Done(); work() }() },
	} {
		if !fails(t, func(s *interleave.Schedule) (early bool) {
			var all sync.WaitGroup
			var mu sync.Mutex
			var worked stdatomic.Bool
			closed, accepted := false, false
			s.Go("handler", func() {
				mu.Lock()
				accepted = !closed
				ok := accepted
				mu.Unlock()
				if ok {
					begin(&all, func() { worked.Store(true) })
				}
			})
			s.Go("shutdown", func() {
				mu.Lock()
				closed = true
				was := accepted
				mu.Unlock()
				all.Wait()
				early = was && !worked.Load()
			})
			s.Run()
			return early
		}) {
			t.Errorf("%s: in some schedule Wait was expected to return before the count begins", name)
		}
	}
}

// A count that begins again before all that wait have returned is a panic, as in the
// standard package, where it takes luck.
func TestWaitGroupThatIsReused(t *testing.T) {
	var panics stdatomic.Int32
	interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
		var all sync.WaitGroup
		all.Add(1)
		s.Go("waiter", func() {
			defer func() {
				if v := recover(); v == "sync: WaitGroup is reused before previous Wait has returned" {
					panics.Add(1)
				} else if v != nil {
					panic(v)
				}
			}()
			all.Wait()
		})
		s.Go("user", func() {
			s.Point("begin")
			all.Done()
			all.Add(1)
			s.Point("end")
			all.Done()
		})
		s.Run()
	})
	if panics.Load() == 0 {
		t.Error("in some schedule Wait was expected to panic")
	}
}

// A signal that no lock guards may come between the look and the wait.
func TestSignalTooEarly(t *testing.T) {
	if !fails(t, func(s *interleave.Schedule) (lost bool) {
		var mu sync.Mutex
		var ready stdatomic.Bool
		var woken stdatomic.Bool
		c := sync.NewCond(&mu)
		s.Go("waiter", func() {
			mu.Lock()
			for !ready.Load() {
				c.Wait()
			}
			mu.Unlock()
			woken.Store(true)
		})
		s.Go("signaller", func() {
			s.Point("store and signal")
			ready.Store(true)
			c.Signal()
		})
		s.Go("rescuer", func() {
			time.Sleep(time.Hour) // which passes when nobody can go on
			lost = !woken.Load()
			c.Broadcast()
		})
		s.Run()
		return lost
	}) {
		t.Error("in some schedule the signal was expected to be lost")
	}
}

func TestWaitGroup(t *testing.T) {
	run := func(t *testing.T) {
		var wg sync.WaitGroup
		var n atomic.Int32
		for range 2 {
			wg.Go(func() { n.Add(1) })
		}
		wg.Wait()
		if n.Load() != 2 {
			t.Errorf("n is %d after Wait, want 2", n.Load())
		}
	}
	run(t)
	interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
		s.Go("A", func() { run(t) })
		s.Run()
	})
}

func TestCond(t *testing.T) {
	run := func(start func(f func())) {
		var mu sync.Mutex
		c := sync.NewCond(&mu)
		ready, woken := false, 0
		for range 2 {
			start(func() {
				mu.Lock()
				defer mu.Unlock()
				for !ready {
					c.Wait()
				}
				woken++
			})
		}
		start(func() {
			mu.Lock()
			defer mu.Unlock()
			ready = true
			c.Broadcast()
		})
	}
	bubble.Run(t, func(*testing.T) { run(func(f func()) { go f() }) })
	interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
		run(func(f func()) { s.Go("A", f) })
		s.Run()
	})
	// A signal that comes before the wait is lost, which a test must be able to see.
	c := sync.NewCond(&sync.Mutex{})
	c.Signal()
	c.L.Lock()
	done := make(chan bool)
	go func() { c.L.Lock(); c.Signal(); c.L.Unlock(); close(done) }()
	c.Wait()
	c.L.Unlock()
	<-done
}

func TestOnce(t *testing.T) {
	interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
		runs := 0
		value := sync.OnceValue(func() int { runs++; return 7 })
		for _, name := range []string{"A", "B", "C"} {
			s.Go(name, func() {
				if got := value(); got != 7 {
					t.Errorf("got %d, want 7", got)
				}
			})
		}
		s.Run()
		if runs != 1 {
			t.Errorf("it ran %d times, want once", runs)
		}
	})
	f := sync.OnceFunc(func() { panic("boom") })
	for range 2 {
		func() {
			defer func() {
				if v := recover(); v != "boom" {
					t.Errorf("recovered %v, want boom each time", v)
				}
			}()
			f()
		}()
	}
}

func TestMapAndAtomics(t *testing.T) {
	if !fails(t, func(s *interleave.Schedule) bool {
		var m sync.Map
		var winners stdatomic.Int32
		for _, name := range []string{"A", "B"} {
			s.Go(name, func() {
				if _, ok := m.Load("k"); !ok {
					m.Store("k", name)
					winners.Add(1)
				}
			})
		}
		s.Run()
		return winners.Load() != 1
	}) {
		t.Error("Load, then Store was expected to let both win in some schedule")
	}
	if !fails(t, func(s *interleave.Schedule) bool {
		var n atomic.Int64
		for _, name := range []string{"A", "B"} {
			s.Go(name, func() { n.Store(n.Load() + 1) })
		}
		s.Run()
		return n.Load() != 2
	}) {
		t.Error("Load, then Store was expected to lose an update in some schedule")
	}
	if fails(t, func(s *interleave.Schedule) bool {
		var n atomic.Int64
		for _, name := range []string{"A", "B"} {
			s.Go(name, func() {
				for old := n.Load(); !n.CompareAndSwap(old, old+1); old = n.Load() {
				}
			})
		}
		s.Run()
		return n.Load() != 2
	}) {
		t.Error("CompareAndSwap was expected to lose nothing")
	}
}

func BenchmarkMutex(b *testing.B) {
	b.Run("standard", func(b *testing.B) {
		var mu stdsync.Mutex
		for b.Loop() {
			mu.Lock()
			mu.Unlock() //nolint:staticcheck // an empty section is what is measured
		}
	})
	b.Run("interleave", func(b *testing.B) {
		var mu sync.Mutex
		for b.Loop() {
			mu.Lock()
			mu.Unlock() //nolint:staticcheck // likewise
		}
	})
}
