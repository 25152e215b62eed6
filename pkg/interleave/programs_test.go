package interleave_test

import (
	stdsync "sync"
	stdatomic "sync/atomic"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/interleave"
	"github.com/backend-kata/dojo/pkg/interleave/sync"
	"github.com/backend-kata/dojo/pkg/interleave/sync/atomic"
)

// The programs fail, each in its own way. TestPrograms compares what they print
// with the files in testdata.
var programs = map[string]func(t *testing.T){
	"lost-update": func(t *testing.T) {
		interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
			var n stdatomic.Int32
			for _, name := range []string{"client A", "client B"} {
				s.Go(name, func() { increment(s, &n) })
			}
			s.Run()
			if n.Load() != 2 {
				t.Errorf("two clients added one each, and the sum is %d", n.Load())
			}
		})
	},
	"three-actors": func(t *testing.T) {
		interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
			var n stdatomic.Int32
			for _, name := range []string{"A", "B", "C"} {
				s.Go(name, func() { increment(s, &n) })
			}
			s.Run()
			if n.Load() == 1 {
				t.Error("all three wrote the same")
			}
		})
	},
	"four-actors": func(t *testing.T) {
		interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
			var n stdatomic.Int32
			for _, name := range []string{"A", "B", "C", "D"} {
				s.Go(name, func() { increment(s, &n) })
			}
			s.Run()
			if n.Load() != 4 {
				t.Errorf("the sum is %d, want 4", n.Load())
			}
		})
	},
	"second-exploration": func(t *testing.T) {
		interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) { s.AllowNoPoints(); s.Run() })
		t.Run("sub", func(t *testing.T) {
			interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) { s.AllowNoPoints(); s.Run() })
			interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
				s.Go("A", func() { s.Point("fail") })
				s.Run()
				t.Error("it fails")
			})
		})
	},
	"lock-order": func(t *testing.T) {
		interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
			var a, b sync.Mutex
			s.Go("from a to b", func() { lockBoth(&a, &b) })
			s.Go("from b to a", func() { lockBoth(&b, &a) })
			s.Run()
		})
	},
	"deadlock-on-a-channel": func(t *testing.T) {
		interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
			c := make(chan int)
			s.Go("A", func() {
				s.Point("receive")
				<-c
			})
			s.Go("B", func() { s.Point("leave") })
			s.Run()
		})
	},
	"standard-locks": func(t *testing.T) {
		interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
			var a, b stdsync.Mutex
			both := func(first, second *stdsync.Mutex) {
				first.Lock()
				defer first.Unlock()
				s.Point("lock the second")
				second.Lock()
				defer second.Unlock()
			}
			s.Go("A", func() { both(&a, &b) })
			s.Go("B", func() { both(&b, &a) })
			s.Run()
		})
	},
	"waiting-writer": func(t *testing.T) {
		interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
			var prices struct{ sync.RWMutex }
			s.Go("reader", func() {
				prices.RLock()
				defer prices.RUnlock()
				prices.RLocker().Lock()
				defer prices.RLocker().Unlock()
			})
			s.Go("writer", func() {
				prices.Lock()
				defer prices.Unlock()
			})
			s.Run()
		})
	},
	"never-unlocked": func(t *testing.T) {
		interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
			shelf := struct{ rows []sync.Mutex }{make([]sync.Mutex, 2)}
			s.Go("A", func() { shelf.rows[1].Lock() })
			s.Go("B", func() {
				shelf.rows[0].Lock()
				shelf.rows[1].Lock()
			})
			s.Go("C", func() {
				for {
					shelf.rows[0].Lock()
				}
			})
			s.Run()
		})
	},
	"others-that-wait": func(t *testing.T) {
		interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
			var all sync.WaitGroup
			jobs, full := make(chan int), make(chan int)
			all.Add(1)
			s.Go("A", func() {
				go func() { s.Point("work") }() // and ends
				go func() { full <- <-jobs }()
				all.Wait()
			})
			s.Go("B", func() {
				s.Point("look")
				select {
				case <-full:
				case jobs <- 1:
				}
			})
			s.Run()
		})
	},
	"operands": func(t *testing.T) {
		interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
			var shop struct {
				sold  int64
				open  atomic.Bool
				seats [2]struct{ owner atomic.Pointer[string] }
				seen  sync.Map
				all   sync.WaitGroup
			}
			load := sync.OnceValue(func() int { return 1 })
			var once sync.Once
			s.Go("A", func() {
				s.Point("begin")
				atomic.AddInt64(&shop.sold, 1)
				shop.open.Store(true)
				shop.seats[1].owner.Load()
				shop.seen.LoadOrStore("k", 1)
				shop.all.Add(1)
				shop.all.Done()
				shop.all.Wait()
				once.Do(func() {})
				load()
				shop.open.Store(shop.open.Load())
				func(l sync.Locker) {
					l.Lock()
					defer l.Unlock()
				}(new(sync.Mutex))
			})
			s.Go("B", new(sync.Mutex).Lock)
			s.Run()
			t.Error("shown")
		})
	},
	"forgotten-import": func(t *testing.T) {
		interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
			var mu stdsync.Mutex
			for _, name := range []string{"A", "B"} {
				s.Go(name, func() {
					mu.Lock()
					defer mu.Unlock()
				})
			}
			s.Run()
		})
	},
	"one-actor-with-points": func(t *testing.T) {
		interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
			s.Go("client A", func() { s.Point("begin") })
			s.Go("client B", func() {})
			s.Run()
		})
	},
	"lost-wake-up": func(t *testing.T) {
		interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
			var mu sync.Mutex
			ready, changed := false, sync.NewCond(&mu)
			s.Go("waiter", func() {
				mu.Lock()
				is := ready
				mu.Unlock()
				mu.Lock()
				defer mu.Unlock()
				if !is {
					changed.Wait()
				}
			})
			s.Go("signaller", func() {
				mu.Lock()
				defer mu.Unlock()
				ready = true
				changed.Signal()
			})
			s.Run()
		})
	},
	"crash": func(t *testing.T) {
		interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
			paid, noted := false, false
			s.GoMortal("server", func() {
				s.Point("charge the card")
				paid = true
				s.Point("note it")
				noted = true
			})
			s.Run()
			if paid && !noted {
				t.Error("the card was charged, and nobody noted it")
			}
		})
	},
	"lease": func(t *testing.T) {
		interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
			var until, holders stdatomic.Int64
			s.Go("A", func() {
				s.Point("take the lease for 1m")
				until.Store(time.Now().Add(time.Minute).Unix())
				s.Point("write")
				holders.Add(1)
			})
			s.Go("B", func() {
				s.Pass(time.Minute)
				s.Point("take the lease if it is over")
				if end := until.Load(); end != 0 && time.Now().Unix() >= end {
					s.Note("taken")
					holders.Add(1)
				}
			})
			s.Run()
			if holders.Load() == 2 {
				t.Error("both held the lease and wrote")
			}
		})
	},
	"stranger": func(t *testing.T) {
		interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
			var n atomic.Int32
			s.Go("A", func() {
				done := make(chan bool)
				go func() {
					n.Store(n.Load() + 1)
					close(done)
				}()
				n.Store(n.Load() + 1)
				<-done
			})
			s.Run()
			if got := n.Load(); got != 2 {
				t.Errorf("n is %d, want 2", got)
			}
		})
	},
	"not-deterministic": func(t *testing.T) {
		schedules := 0
		interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
			schedules++
			points := 1 + 2*(schedules%2)
			for _, name := range []string{"A", "B"} {
				s.Go(name, func() {
					for range points {
						s.Point("work")
					}
				})
			}
			s.Run()
		})
	},
	"not-deterministic-and-wrong": func(t *testing.T) {
		schedules := 0
		interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
			schedules++
			var n stdatomic.Int32
			for _, name := range []string{"A", "B"} {
				s.Go(name, func() {
					if schedules%2 == 0 {
						s.Point("work")
						s.Point("work")
					}
					increment(s, &n)
				})
			}
			s.Run()
			if schedules > 12 && n.Load() != 2 {
				t.Errorf("two added one each, and the sum is %d", n.Load())
			}
		})
	},
	"endless": func(t *testing.T) {
		interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
			s.Go("A", func() {
				for {
					s.Point("look")
				}
			})
			s.Run()
		})
	},
	"panic": func(t *testing.T) {
		interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
			s.Go("A", func() {
				s.Point("index")
				_ = []int{}[len(s.String())]
			})
			s.Run()
		})
	},
	"no-run": func(t *testing.T) { interleave.Explore(t, func(*testing.T, *interleave.Schedule) {}) },
	"two-runs": func(t *testing.T) {
		interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) { s.Run(); s.Run() })
	},
	"leftover": func(t *testing.T) {
		interleave.Explore(t, func(_ *testing.T, s *interleave.Schedule) {
			s.Go("A", func() {
				s.Point("start one")
				go func() { <-make(chan int) }()
			})
			s.Run()
		})
	},
	"out-of-time": func(t *testing.T) {
		defer interleave.Within(time.Nanosecond)()
		interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
			s.Go("A", func() { s.Point("go on") })
			s.Go("B", func() { s.Point("go on") })
			s.Run()
			if s.String() == "BA" {
				t.Error("not reached")
			}
		})
		t.Error("shown")
	},
	"out-of-time-and-red": func(t *testing.T) {
		defer interleave.Within(0)()
		interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
			s.Go("A", func() { s.Point("fail") })
			s.Run()
			t.Error("it fails")
		})
	},
	"budget": func(t *testing.T) {
		interleave.ExploreWithin(t, 5, func(_ *testing.T, s *interleave.Schedule) {
			var n stdatomic.Int32
			s.Go("A", func() { increment(s, &n) })
			s.Go("B", func() { increment(s, &n) })
			s.Run()
		})
		t.Error("shown")
	},
}

// increment adds one in two steps, which is wrong and no data race.
func increment(s *interleave.Schedule, n *stdatomic.Int32) {
	s.Point("read n")
	was := n.Load()
	s.Note("%d", was)
	s.Point("write n = %d", was+1)
	n.Store(was + 1)
}

func lockBoth(first, second *sync.Mutex) {
	first.Lock()
	defer first.Unlock()
	second.Lock()
	defer second.Unlock()
}
