package interleave_test

import (
	"slices"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/backend-kata/dojo/pkg/interleave"
	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// A Stock is code under test: it sells what there is. It would import
// pkg/interleave/sync in place of sync, and no more.
type Stock struct {
	mu   sync.Mutex
	left int
}

// Sell takes n pieces if there are so many, and reports whether it did.
func (s *Stock) Sell(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left < n {
		return false
	}
	s.left -= n
	return true
}

// Explore a type at its own locks: three customers want two pieces each, and
// there are four. Explore takes a *testing.T, so this example is a test.
func TestStock(t *testing.T) {
	r := interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
		stock := &Stock{left: 4}
		var got [3]bool // one for each customer: actors race for the test's own variables, too
		for i, name := range []string{"ann", "ben", "cem"} {
			s.Go(name, func() { got[i] = stock.Sell(2) })
		}
		s.Run()
		if got[0] && got[1] && got[2] || stock.left != 0 {
			t.Errorf("served are %v and %d pieces are left, want two customers and none", got, stock.left)
		}
	})
	if want := (interleave.Report{Schedules: 6, Exhausted: true}); r != want {
		t.Errorf("the report is %+v, want %+v: three actors with a lock each", r, want)
	}
}

// Code that has channels where other code has locks comes to no points of its own. The
// test gives its actors one before each call. Without those the exploration would try one
// order and fail, unless the body says AllowNoPoints.
func TestTill(t *testing.T) {
	r := interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
		till := make(chan int, 1) // holds the sum while nobody counts
		till <- 0
		for _, name := range []string{"ann", "ben"} {
			s.Go(name, func() {
				for range 2 {
					s.Point("pay 5")
					sum := <-till
					till <- sum + 5
				}
			})
		}
		s.Run()
		if sum := <-till; sum != 20 {
			t.Errorf("the till holds %d, want 20", sum)
		}
	})
	if want := (interleave.Report{Schedules: 6, Exhausted: true, Preemptions: 2}); r != want {
		t.Errorf("the report is %+v, want %+v: two actors with two points each", r, want)
	}
}

// Where the right result depends on the order, check each history with porcupine.
// It wants to know what overlapped: number the calls and the returns as they
// come with Tick, since virtual times would tie.
func TestLinearizable(t *testing.T) {
	type op struct {
		write bool
		value int
	}
	register := porcupine.Model{
		Init: func() any { return 0 },
		Step: func(state, input, output any) (bool, any) {
			if in, ok := input.(op); ok && in.write {
				return true, in.value
			}
			return output == state, state
		},
	}
	r := interleave.Explore(t, func(t *testing.T, s *interleave.Schedule) {
		var (
			mu      sync.RWMutex
			value   int
			history [3][]porcupine.Operation // by client
		)
		do := func(client int, in op, f func() any) {
			call := s.Tick()
			out := f()
			history[client] = append(history[client], porcupine.Operation{ClientId: client, Input: in, Call: call, Output: out, Return: s.Tick()})
		}
		for client := range 3 {
			s.Go(string(rune('a'+client)), func() {
				s.Point("begin")
				do(client, op{write: true, value: client + 1}, func() any {
					mu.Lock()
					defer mu.Unlock()
					value = client + 1
					return nil
				})
				do(client, op{}, func() any {
					mu.RLock()
					defer mu.RUnlock()
					return value
				})
			})
		}
		s.Run()
		if !porcupine.CheckOperations(register, slices.Concat(history[:]...)) {
			t.Errorf("no order of the operations explains what was read: %+v", history)
		}
	})
	if !r.Exhausted || r.Schedules != 1680 {
		t.Errorf("the report is %+v, want all of 1680 schedules", r)
	}
}
