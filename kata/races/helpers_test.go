package races_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/backend-kata/dojo/kata/races"
	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/interleave"
)

// atOnce runs f for many callers at the same time, freely, for the race detector. What the callers share is under test, so
// nothing here may order them. It is called in a bubble, in which all that they use was made.
func atOnce(t *testing.T, callers int, f func(caller int)) {
	t.Helper()
	var group sync.WaitGroup
	for caller := range callers {
		group.Add(1)
		bubble.Go(t, func() {
			defer group.Done()
			f(caller)
		})
	}
	group.Wait()
}

// An office is a store that all offices share, with a point before each call.
type office struct {
	x *interleave.Schedule

	mu     sync.Mutex
	values map[string]int
	calls  int
}

func (o *office) Load(key string) int {
	if o.x != nil {
		o.x.Point("Load %s", key)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls++
	if o.x != nil {
		o.x.Note("%d", o.values[key])
	}
	return o.values[key]
}

func (o *office) CompareAndSwap(key string, old, next int) bool {
	if o.x != nil {
		o.x.Point("CompareAndSwap %s, %d, %d", key, old, next)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls++
	swapped := o.values[key] == old
	if swapped {
		o.values[key] = next
	}
	if o.x != nil {
		o.x.Note("%v", swapped)
	}
	return swapped
}

// A contested store changes under the caller's hands before each of its first swaps.
type contested struct {
	office

	quicker int // how many others are quicker
}

func (c *contested) CompareAndSwap(key string, old, next int) bool {
	if c.quicker > 0 {
		c.quicker--
		c.values[key] += 1000
	}
	return c.office.CompareAndSwap(key, old, next)
}

// A journal is the book of a bank.
type journal struct {
	mu      sync.Mutex
	entries []transfer
}

type transfer struct {
	from, to string
	amount   int
}

func (e transfer) String() string { return fmt.Sprintf("%s → %s %d", e.from, e.to, e.amount) }

func (j *journal) add(from, to string, amount int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, transfer{from, to, amount})
}

// audit reads the journal from the top, and compares what comes of it with the bank.
func (j *journal) audit(t *testing.T, opening map[string]int, b *races.Bank) {
	t.Helper()
	for name, balance := range b.Balances() {
		if balance < 0 {
			t.Fatalf("The account of %s is overdrawn: the balances are %v after %v.", name, b.Balances(), j.entries)
		}
	}
	balances := maps.Clone(opening)
	for _, e := range j.entries {
		balances[e.from] -= e.amount
		if balances[e.from] < 0 {
			t.Fatalf("The journal is not in the order in which the transfers happened: read from the top, %v overdraws %s. It says %v.", e, e.from, j.entries)
		}
		balances[e.to] += e.amount
	}
	if got := b.Balances(); !maps.Equal(got, balances) {
		t.Fatalf("The journal says %v, which makes %v of %v. The bank's balances are %v.", j.entries, balances, opening, got)
	}
}

// move makes a transfer that may be refused for want of money only.
func move(t *testing.T, b *races.Bank, from, to string, amount int) (made bool) {
	t.Helper()
	err := b.Transfer(from, to, amount)
	if err != nil && !errors.Is(err, races.ErrFunds) {
		t.Errorf("The transfer %v was expected to be made, or refused with ErrFunds; got %v.", transfer{from, to, amount}, err)
	}
	return err == nil
}

func sum(balances map[string]int) int {
	total := 0
	for _, b := range balances {
		total += b
	}
	return total
}

// each returns the numbers from 1 to n.
func each(n int) []int {
	var all []int
	for i := range n {
		all = append(all, i+1)
	}
	return all
}

// expectEach fails the step unless the numbers are 1 to n, each once, in any order.
func expectEach(t *testing.T, numbers []int, n int) {
	t.Helper()
	sorted := slices.Sorted(slices.Values(numbers))
	if slices.Equal(sorted, each(n)) {
		return
	}
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] {
			t.Fatalf("%d numbers were taken at the same time, and number %d was given out twice: %v.", n, sorted[i], sorted)
		}
	}
	t.Fatalf("%d numbers were taken at the same time, and were expected to be 1 to %d, each once; they are %v.", n, n, sorted)
}

// A result is what Get gave.
type result struct {
	value int
	err   error
}

// get calls Get, and turns a panic into an error that says so.
func get(l *races.Lazy[int]) (r result) {
	defer func() {
		if v := recover(); v != nil {
			r.err = fmt.Errorf("panicked: %v", v)
		}
	}()
	r.value, r.err = l.Get()
	return r
}

// exploreLazy lets three callers ask at the same time for a value whose first start fails or panics. The second succeeds.
func exploreLazy(t *testing.T, panics bool) {
	t.Helper()
	shared := 0 // the most callers who heard of one failure
	interleave.Explore(t, func(t *testing.T, x *interleave.Schedule) {
		starts, running := 0, 0 // how many there were, and which is under way
		l := races.NewLazy(func() (int, error) {
			starts++
			if running != 0 {
				t.Errorf("Start %d ran while start %d was under way.", starts, running)
			}
			running = starts
			x.Point("start %d", starts)
			running = 0
			switch {
			case starts > 1:
				return 7, nil
			case panics:
				panic("broken")
			}
			return 0, errors.New("not yet")
		})
		first := result{err: errors.New("not yet")} // what those get who wait for the first start
		if panics {
			first.err = races.ErrPanicked
		}
		var failed [3]bool // by caller, since those who waited go on at the same time
		for i := range failed {
			x.Go("caller "+string(rune('A'+i)), func() {
				x.Point("Get")
				waitsFor := running
				r := get(l)
				x.Note("%d, %v", r.value, r.err)
				switch {
				case r.err == nil && r.value == 7:
				case r.err != nil && (r.err.Error() == first.err.Error() || panics && r.err.Error() == "panicked: broken"):
					failed[i] = true
					if waitsFor == 2 {
						t.Errorf("A caller came while the second start was under way, and was expected to get its value, 7; it got %v.", r.err)
					}
				default:
					t.Errorf("The first start ends with %v, and the second with 7. A caller got neither, but %d, %v.", first.err, r.value, r.err)
				}
			})
		}
		x.Run()
		heard := 0
		for _, f := range failed {
			if f {
				heard++
			}
		}
		shared = max(shared, heard)
		if starts > 2 || heard == 0 {
			t.Errorf("The first start failed and the second succeeded. There were %d starts, and %d callers heard of the failure.", starts, heard)
		}
		if r := get(l); r.value != 7 || r.err != nil {
			t.Errorf("In the end the value was expected to be 7; got %d, %v.", r.value, r.err)
		}
	})
	if shared < 3 {
		t.Fatalf("Two callers who come while the first start is under way were expected to get what comes of it, as the one who runs it; in every order they started again, and at most %d callers heard of the failure.", shared)
	}
}
