package bubble_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
)

// benchmark runs one bubble an iteration. Neither synctest.Test nor Run takes a
// *testing.B, so a test of its own lends its *testing.T.
func benchmark(b *testing.B, run func(*testing.T, func(*testing.T)), body func(*testing.T)) {
	b.ReportAllocs()
	n := b.N // not b.Loop, which must be called on b's own goroutine
	lend := func(t *testing.T) {
		for range n {
			run(t, body)
		}
		n = 0 // RunTests obeys -count too
	}
	if !testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: b.Name(), F: lend}}) {
		b.Fatal("a bubble failed")
	}
}

func empty(*testing.T) {}

// exchange is a small but usual test: two goroutines, a hand-off, a wait in time.
func exchange(*testing.T) {
	c := make(chan int)
	go func() {
		time.Sleep(time.Second)
		c <- 1
	}()
	<-c
}

func BenchmarkEmpty(b *testing.B) {
	b.Run("synctest", func(b *testing.B) { benchmark(b, synctest.Test, empty) })
	b.Run("bubble", func(b *testing.B) { benchmark(b, bubble.Run, empty) })
}

// BenchmarkFirst is a test that runs one bubble, after which the pools are emptied.
func BenchmarkFirst(b *testing.B) {
	for name, run := range map[string]func(*testing.T, func(*testing.T)){"synctest": synctest.Test, "bubble": bubble.Run} {
		b.Run(name, func(b *testing.B) {
			one := []testing.InternalTest{{Name: b.Name(), F: func(t *testing.T) { run(t, empty) }}}
			for b.Loop() {
				if !testing.RunTests(func(string, string) (bool, error) { return true, nil }, one) {
					b.Fatal("a bubble failed")
				}
			}
		})
	}
}

func BenchmarkExchange(b *testing.B) {
	b.Run("synctest", func(b *testing.B) { benchmark(b, synctest.Test, exchange) })
	b.Run("bubble", func(b *testing.B) { benchmark(b, bubble.Run, exchange) })
}
