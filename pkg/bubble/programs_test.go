package bubble_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
)

// programs are tests that mostly fail. TestPrograms runs each in a process of
// its own and compares what it prints with testdata/<name>.txt.
var programs = map[string]func(t *testing.T){
	"passes": func(t *testing.T) {
		start := time.Now()
		bubble.Run(t, func(t *testing.T) {
			time.Sleep(time.Hour)
			time.AfterFunc(time.Hour, func() { t.Error("time went on after the body") })
		})
		t.Logf("took less than a minute: %v", time.Since(start) < time.Minute)
	},
	"channel": func(t *testing.T) {
		bubble.Run(t, func(t *testing.T) {
			t.Log("logged before")
			jobs := make(chan int)
			done := make(chan int)
			go worker(jobs, done)
			<-done
		})
		t.Error("not reached")
	},
	"failed-before": func(t *testing.T) {
		bubble.Run(t, func(t *testing.T) {
			t.Error("first failure")
			<-make(chan int)
		})
	},
	"cond": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			var mu sync.Mutex
			cond := sync.NewCond(&mu)
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					mu.Lock()
					defer mu.Unlock()
					cond.Wait()
				})
			}
			wg.Wait()
		})
	},
	"nil-channel": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			var c chan int
			go func() { select {} }()
			c <- 1
		})
	},
	"mutex": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			var mu sync.Mutex
			mu.Lock()
			mu.Lock()
		})
		t.Error("not reached")
	},
	"lock-order": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			var a, b sync.Mutex
			var wg sync.WaitGroup
			wg.Go(func() { lockBoth(&a, &b) })
			wg.Go(func() { lockBoth(&b, &a) })
			wg.Wait()
		})
	},
	"rwmutex": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			var mu sync.RWMutex
			mu.Lock()
			go mu.RLock()
			mu.Lock()
		})
	},
	"sleeps-with-lock": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			var mu sync.Mutex
			go func() {
				time.Sleep(time.Second)
				mu.Lock()
				defer mu.Unlock()
			}()
			mu.Lock()
			defer mu.Unlock()
			time.Sleep(time.Minute)
		})
	},
	"waits-with-lock": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			var mu sync.Mutex
			mu.Lock()
			go mu.Lock()
			<-time.After(time.Minute)
		})
	},
	"waitgroup-outside": func(t *testing.T) {
		globalGroup.Add(1)
		bubble.Run(t, func(*testing.T) { globalGroup.Wait() })
	},
	"channel-outside": func(t *testing.T) {
		c := make(chan int)
		bubble.Run(t, func(*testing.T) { <-c })
	},
	"helped-by-real-timer": func(t *testing.T) { // which has no goroutine to be seen; at the usual pace
		fires := time.After(time.Second)
		bubble.Run(t, func(*testing.T) { <-fires })
	},
	"leak": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			jobs := make(chan int)
			for range 3 {
				go worker(jobs, nil)
			}
			go func() { time.Sleep(time.Hour) }()
			time.Sleep(time.Minute)
		})
		t.Error("not reached")
	},
	"leak-on-lock": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			var mu sync.Mutex
			mu.Lock()
			go mu.Lock()
		})
	},
	"leak-after-fatal": func(t *testing.T) {
		bubble.Run(t, func(t *testing.T) {
			go worker(make(chan int), nil)
			t.Fatal("the only failure of interest")
		})
	},
	"http-server": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			l := newListener()
			go func() { _ = new(http.Server).Serve(l) }()
			synctest.Wait()
		})
	},
	"http-server-socket": func(t *testing.T) {
		bubble.Run(t, func(t *testing.T) {
			go func() { _ = new(http.Server).Serve(localListener(t)) }()
		})
	},
	"http-client": func(t *testing.T) {
		bubble.Run(t, func(t *testing.T) {
			l := newListener()
			srv := &http.Server{Handler: http.NotFoundHandler()}
			go func() { _ = srv.Serve(l) }()
			tr := &http.Transport{DialContext: l.dial}
			resp, err := (&http.Client{Transport: tr}).Get("http://shop/")
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		})
	},
	"http-request":  requestUnderWay,
	"http-dial":     dialUnderWay,
	"http-requests": requestsUnderWay,
	"timer-left":    timerLeft,
	"disk-latency":  diskLatency,
	"cut-off":       cutOffSleeper,
	"sql-db": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) { sql.OpenDB(noDatabase{}) })
	},
	"socket": func(t *testing.T) {
		bubble.Run(t, func(t *testing.T) {
			l := localListener(t)
			go func() { _, _ = l.Accept() }()
			time.Sleep(time.Second)
		})
	},
	"connection": func(t *testing.T) {
		bubble.Run(t, func(t *testing.T) {
			l := localListener(t)
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			_, _ = conn.Read(make([]byte, 1))
		})
	},
	"pipe": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer runtime.KeepAlive(w)
			_, _ = r.Read(make([]byte, 1))
		})
	},
	"busy": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			stop := make(chan bool)
			go spin(stop)
			<-make(chan int)
		})
	},
	"busy-body": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) { spin(nil) })
	},
	"busy-leak": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) { go spin(nil) })
	},
	"endless": func(t *testing.T) {
		bubble.RunWithin(t, math.MaxInt64, func(*testing.T) {
			go func() {
				for range time.Tick(time.Microsecond) {
				}
			}()
			<-make(chan int)
		})
	},
	"livelock": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			c := make(chan int)
			go func() {
				for {
					c <- 1
				}
			}()
			go func() {
				for {
					<-c
				}
			}()
			<-make(chan int)
		})
	},
	"ten-years": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) { time.Sleep(10 * 365 * 24 * time.Hour) })
		t.Error("not reached")
	},
	"ten-years-timer": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) { <-time.After(10 * 365 * 24 * time.Hour) })
	},
	"polls-for-ever": func(t *testing.T) {
		bubble.RunWithin(t, 90*time.Minute, func(*testing.T) {
			go func() {
				for range time.Tick(10 * time.Second) {
				}
			}()
			<-make(chan int)
		})
	},
	"slow-tickers": func(t *testing.T) {
		for _, every := range []time.Duration{time.Hour, 24 * time.Hour, 10_000 * time.Hour} {
			for _, limit := range []time.Duration{24 * time.Hour, 365 * 24 * time.Hour, math.MaxInt64} {
				t.Run(fmt.Sprintf("every %v", every), func(t *testing.T) {
					bubble.RunWithin(t, limit, func(*testing.T) {
						go func() {
							for range time.Tick(every) {
							}
						}()
						<-make(chan int)
					})
				})
			}
		}
	},
	"stopped-ticker": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			tick := time.NewTicker(time.Hour)
			tick.Stop()
			<-tick.C
		})
	},
	"lost-beside-ticker": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			go poll()
			<-make(chan int)
		})
	},
	"lost-cond-beside-ticker": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			go poll()
			time.AfterFunc(time.Second, again(time.Second))
			var mu sync.Mutex
			mu.Lock()
			sync.NewCond(&mu).Wait()
		})
	},
	"sleeps-beside-ticker": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			go poll()
			time.Sleep(300 * time.Hour)
			endPolls()
		})
	},
	"helper-sleeps-beside-ticker": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			go poll()
			done := make(chan int)
			go func() {
				time.Sleep(300 * time.Hour)
				close(done)
			}()
			<-done
			endPolls()
		})
	},
	"at-the-limit": func(t *testing.T) {
		bubble.RunWithin(t, time.Hour, func(*testing.T) { time.Sleep(time.Hour) })
	},
	"past-the-limit": func(t *testing.T) {
		bubble.RunWithin(t, time.Hour, func(*testing.T) { time.Sleep(time.Hour + time.Second) })
	},
	"panic": func(t *testing.T) {
		bubble.Run(t, func(t *testing.T) {
			t.Cleanup(func() { t.Log("cleanup, failed:", t.Failed()) })
			panic("out of stock")
		})
		t.Error("not reached")
	},
	"panic-runtime": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			var table map[string]int
			write(table)
		})
	},
	"panic-in-defer": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			defer func() { panic("second") }()
			panic("first")
		})
	},
	"panic-error":  func(t *testing.T) { bubble.Run(t, func(*testing.T) { panic(errors.New("two\nlines")) }) },
	"panic-nil":    func(t *testing.T) { bubble.Run(t, func(*testing.T) { panic(nil) }) },
	"panic-custom": func(t *testing.T) { bubble.Run(t, func(*testing.T) { panic(custom{7}) }) },
	"panic-leak": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			go worker(make(chan int), nil)
			panic("with a worker running")
		})
	},
	"go-panic": func(t *testing.T) {
		bubble.Run(t, func(t *testing.T) {
			bubble.Go(t, func() { write(nil) })
			time.Sleep(time.Second)
			t.Log("the body goes on")
		})
		t.Error("not reached")
	},
	"go-panic-deadlock": func(t *testing.T) {
		bubble.Run(t, func(t *testing.T) {
			done := make(chan int)
			bubble.Go(t, func() {
				write(nil)
				done <- 1
			})
			<-done
		})
	},
	"fatal": func(t *testing.T) {
		bubble.Run(t, func(t *testing.T) { t.Fatal("the body's own failure") })
		t.Error("not reached")
	},
	"error": func(t *testing.T) {
		bubble.Run(t, func(t *testing.T) { t.Error("the body's own failure") })
		t.Error("not reached")
	},
	"skip": func(t *testing.T) {
		bubble.Run(t, func(t *testing.T) { t.Skip("not today") })
		t.Error("not reached")
	},
	"goexit": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) { runtime.Goexit() })
	},
	"goexit-after-error": func(t *testing.T) {
		bubble.Run(t, func(t *testing.T) {
			t.Error("the body's own failure")
			runtime.Goexit()
		})
	},
	"outer-fatal": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) { t.Fatal("by the wrong t") })
	},
	"cleanup-blocks": func(t *testing.T) {
		bubble.Run(t, func(t *testing.T) { t.Cleanup(func() { <-make(chan int) }) })
	},
	"nested": func(t *testing.T) {
		bubble.Run(t, func(t *testing.T) { bubble.Run(t, func(*testing.T) {}) })
	},
	"nested-outer": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) { bubble.Run(t, func(*testing.T) {}) })
	},
	"subtest": func(t *testing.T) {
		bubble.Run(t, func(t *testing.T) { t.Run("inner", func(*testing.T) {}) })
	},
	"helper": func(t *testing.T) { runInHelper(t) },
	"parallel": func(t *testing.T) {
		for i := range 4 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				bubble.Run(t, func(*testing.T) {
					if i == 0 {
						time.Sleep(time.Hour)
						return
					}
					c := make(chan int, i)
					for range i {
						c <- 1
					}
					c <- 1
				})
			})
		}
	},
	"parallel-locks": func(t *testing.T) {
		for i := range 3 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				bubble.Run(t, func(*testing.T) {
					var mu sync.Mutex
					mu.Lock()
					mu.Lock()
				})
			})
		}
	},
	"helped-from-outside": func(t *testing.T) {
		// At the usual pace, since the help comes after several looks.
		var mu sync.Mutex
		mu.Lock()
		release := make(chan bool)
		go func() {
			time.Sleep(600 * time.Millisecond)
			mu.Unlock()
			time.Sleep(600 * time.Millisecond)
			close(release)
		}()
		bubble.Run(t, func(*testing.T) {
			mu.Lock()
			<-release
		})
	},
	"late-help": func(t *testing.T) {
		// Help comes after the verdict: nothing may be reported to a test that is over.
		var mu sync.Mutex
		mu.Lock()
		t.Run("inner", func(t *testing.T) {
			bubble.Run(t, func(t *testing.T) {
				mu.Lock()
				t.Error("too late to be reported")
			})
		})
		mu.Unlock()
		time.Sleep(50 * time.Millisecond)
	},
	"computes": func(t *testing.T) {
		bubble.Run(t, func(*testing.T) {
			for range 20 {
				spinFor(30 * time.Millisecond)
				time.Sleep(time.Second)
			}
		})
	},
	"pool-of-timers":            poolOfTimers,
	"pool-of-timers-in-loop":    poolOfTimersInLoop,
	"pool-of-channels":          poolOfChannels,
	"look-up":                   lookUp,
	"finalizers-after-leak":     finalizersAfterLeak,
	"finalizers-after-deadlock": finalizersAfterDeadlock,
	"finalizers-go-on":          finalizersGoOn,
}

var globalGroup sync.WaitGroup

var endOfPolls atomic.Bool

// poll looks every second whether it may end.
func poll() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for !endOfPolls.Load() {
		<-tick.C
	}
}

// endPolls waits until the only one that polls every second has ended.
func endPolls() {
	endOfPolls.Store(true)
	time.Sleep(2 * time.Second)
	endOfPolls.Store(false)
}

// again is a function that is called every so often from now on.
func again(every time.Duration) func() {
	var f func()
	f = func() { time.AfterFunc(every, f) }
	return f
}

func worker(jobs <-chan int, done chan<- int) {
	for j := range jobs {
		done <- j
	}
}

func lockBoth(a, b *sync.Mutex) {
	a.Lock()
	defer a.Unlock()
	time.Sleep(time.Second)
	b.Lock()
	defer b.Unlock()
}

func spin(stop <-chan bool) {
	for {
		select {
		case <-stop:
			return
		default: // and look again at once
			runtime.Gosched()
		}
	}
}

// spinFor uses about d of a processor; the clock of a bubble would not tell.
func spinFor(d time.Duration) {
	const stepsPerMillisecond = 300_000
	var n int
	for range int(d.Milliseconds()) * stepsPerMillisecond {
		n++
	}
	sink = n
}

var sink int

type custom struct{ code int }

func write(m map[string]int) { m["a"] = 1 }

func runInHelper(t *testing.T) {
	t.Helper()
	bubble.Run(t, func(*testing.T) { <-make(chan int) })
}

// A listener gives out the server's ends of in-memory connections.
type listener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newListener() *listener {
	return &listener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *listener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *listener) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	l.conns <- server
	return client, nil
}

func localListener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip("no local network:", err)
	}
	return l
}

type noDatabase struct{}

func (noDatabase) Connect(context.Context) (driver.Conn, error) { return nil, errors.New("none") }
func (noDatabase) Driver() driver.Driver                        { return nil }
