package races_test

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/races"
	"github.com/backend-kata/dojo/pkg/interleave"
)

// A call is one that an actor makes, and what a system in the state S would answer
// if nothing else went on.
type call[S any] struct {
	text   string
	make   func() any
	alone  func(S) (next S, answer any)
	atOnce bool // it comes to points by itself, and needs none before it
}

// A returned call has its answer, and the ticks between which it was made.
type returned[S any] struct {
	call[S]

	caller       string
	began, ended int64
	answer       any
}

// inSomeOrder lets callers make their calls at the same time, each its own in turn,
// with a point before each call, and makes the last call when all is over. What the
// calls return must be what they would return one after the other, in some order
// that puts none before a call that was over when it began.
func inSomeOrder[S any](
	t *step.T, x *interleave.Schedule, promise string, state S, last call[S], callers ...[]call[S],
) []returned[S] {
	t.Helper()
	each := make([][]returned[S], len(callers)+1) // by caller, who writes nothing else
	one := func(caller int, name string, c call[S]) {
		r := returned[S]{call: c, caller: name, began: x.Tick()}
		r.answer = c.make()
		r.ended = x.Tick()
		each[caller] = append(each[caller], r)
	}
	for i, calls := range callers {
		name := string(rune('A' + i))
		x.Go(name, func() {
			for _, c := range calls {
				if !c.atOnce {
					x.Point("%s", c.text)
				}
				one(i, name, c)
				x.Note("%s", show(each[i][len(each[i])-1].answer))
			}
		})
	}
	x.Run()
	one(len(callers), "then", last)

	all := slices.Concat(each...)
	if !explained(state, all) {
		var b strings.Builder
		for _, r := range all {
			fmt.Fprintf(&b, "\n  %s: %s → %s", r.caller, r.text, show(r.answer))
		}
		t.Fatalf("%s These calls were made at the same time, and in no order of them would they return this:%s", promise, b.String())
	}
	return all
}

// explained reports whether the calls could have been made one after the other.
func explained[S any](state S, calls []returned[S]) bool {
	for i, c := range calls {
		later := slices.ContainsFunc(calls, func(other returned[S]) bool { return other.ended < c.began })
		if later {
			continue
		}
		next, answer := c.alone(state)
		if same(answer, c.answer) && explained(next, slices.Delete(slices.Clone(calls), i, i+1)) {
			return true
		}
	}
	return len(calls) == 0
}

func same(want, got any) bool {
	if err, ok := got.(error); ok {
		wanted, _ := want.(error)
		return wanted != nil && errors.Is(err, wanted)
	}
	return reflect.DeepEqual(want, got)
}

func show(answer any) string {
	switch answer := answer.(type) {
	case nil:
		return "nil"
	case []string:
		return fmt.Sprintf("%q", answer)
	}
	return fmt.Sprint(answer)
}

// books is a call of Book.
func books(h *races.Hall, customer string, seats ...int) call[[]string] {
	return call[[]string]{
		text: fmt.Sprintf("%s books %v", customer, seats),
		make: func() any { return h.Book(customer, seats...) },
		alone: func(owners []string) ([]string, any) {
			next := slices.Clone(owners)
			for _, seat := range seats {
				if owners[seat] != "" {
					return owners, races.ErrTaken
				}
				next[seat] = customer
			}
			return next, nil
		},
	}
}

// deposits is a call of Deposit.
func deposits(s races.Store, key string, amount int) call[int] {
	return call[int]{
		text:   fmt.Sprintf("Deposit %d", amount),
		make:   func() any { return races.Deposit(s, key, amount) },
		alone:  func(value int) (int, any) { return value + amount, value + amount },
		atOnce: true,
	}
}

// An office is a store that all offices share. Each of its calls is a point.
type office struct {
	x *interleave.Schedule

	mu      sync.Mutex
	values  map[string]int
	quicker int // how many others add 1000 before the next swaps
	sooner  int // how many others add 1000 right after the next swaps
	calls   int // while nobody is quicker
}

func (o *office) Load(key string) int {
	o.x.Point("Load %s", key)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.x.Note("%d", o.values[key])
	return o.values[key]
}

func (o *office) CompareAndSwap(key string, old, next int) bool {
	o.x.Point("CompareAndSwap %s, %d, %d", key, old, next)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.quicker > 0 {
		o.quicker--
		o.values[key] += 1000
	} else if o.calls++; o.calls > 5_000 {
		panic(fmt.Sprintf("Deposit should get on when nobody else is quicker; it swaps %d for %d again and again, and the store has %d",
			old, next, o.values[key]))
	}
	swapped := o.values[key] == old
	if swapped {
		o.values[key] = next
	}
	if swapped && o.sooner > 0 {
		o.sooner--
		o.values[key] += 1000
	}
	o.x.Note("%v", swapped)
	return swapped
}

type transfer struct {
	from, to string
	amount   int
}

func (e transfer) String() string { return fmt.Sprintf("%s → %s %d", e.from, e.to, e.amount) }

func (e transfer) shares(other transfer) bool {
	return e.from == other.from || e.from == other.to || e.to == other.from || e.to == other.to
}

type balances = map[string]int

// transfers is a call of Transfer, which is refused for want of money only.
func transfers(b *races.Bank, tr transfer) call[balances] {
	return call[balances]{
		text: tr.String(),
		make: func() any { return b.Transfer(tr.from, tr.to, tr.amount) },
		alone: func(old balances) (balances, any) {
			if old[tr.from] < tr.amount {
				return old, races.ErrFunds
			}
			next := maps.Clone(old)
			next[tr.from] -= tr.amount
			next[tr.to] += tr.amount
			return next, nil
		},
	}
}

func looks(b *races.Bank) call[balances] {
	return call[balances]{
		text:  "Balances",
		make:  func() any { return b.Balances() },
		alone: func(old balances) (balances, any) { return old, old },
	}
}

// A journal takes long to write a line, and has a line for each transfer of an
// exploration. No two of these are alike, so each line is written by one caller.
type journal struct {
	x     *interleave.Schedule
	lines []*line
}

type line struct {
	transfer

	times        int
	began, ended int64
}

func newJournal(x *interleave.Schedule, all ...transfer) *journal {
	j := &journal{x: x}
	for _, tr := range all {
		j.lines = append(j.lines, &line{transfer: tr})
	}
	return j
}

func (j *journal) write(from, to string, amount int) {
	tr := transfer{from, to, amount}
	for _, l := range j.lines {
		if l.transfer == tr {
			l.times++
			l.began = j.x.Tick()
			j.x.Point("journal %v", tr)
			l.ended = j.x.Tick()
			return
		}
	}
	panic(fmt.Sprintf("the journal was called for %v, which nobody asked for", tr))
}

// agrees holds the journal against what the callers of Transfer were told.
func (j *journal) agrees(t *step.T, opening balances, calls []returned[balances]) {
	t.Helper()
	var made []*line
	for _, l := range j.lines {
		for _, c := range calls {
			if c.text != l.String() {
				continue
			}
			if c.answer != nil {
				step.Equal(t, 0, l.times, "The transfer %v was refused, and the journal should not have it. Calls:", l)
				continue
			}
			step.Equal(t, 1, l.times, "The transfer %v was made, and the journal should be called once for it. Calls:", l)
			step.Expect(t, l.ended < c.ended, "The journal should have been written for %v when Transfer returned. It was under way.", l)
			made = append(made, l)
		}
	}
	slices.SortFunc(made, func(a, b *line) int { return int(a.began - b.began) })
	left := maps.Clone(opening)
	for i, l := range made {
		left[l.from] -= l.amount
		left[l.to] += l.amount
		step.Expect(t, left[l.from] >= 0, "The journal should be in the order in which the transfers happened. "+
			"Read from the top, %v overdraws %s. It says %v.", l, l.from, made)
		for _, before := range made[:i] {
			step.Expect(t, before.ended < l.began || !l.shares(before.transfer), "The journal should be written for one transfer of "+
				"an account after the other. It was called for %v before it had returned for %v.", l, before)
		}
	}
}

var tickets = []string{"stalls", "gallery", "box", "child", ""}

// contents reads a list.
func contents(p *races.PriceList) map[string]int {
	prices := map[string]int{}
	for _, ticket := range tickets {
		if price, ok := p.Price(ticket); ok {
			prices[ticket] = price
		}
	}
	if len(prices) != p.Len() {
		prices["Len"] = p.Len()
	}
	return prices
}
