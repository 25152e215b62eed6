package races_test

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/races"
	"github.com/backend-kata/dojo/pkg/apart"
	"github.com/backend-kata/dojo/pkg/interleave"
)

// A counter gives out each number once, however many ask at the same time.
func TestCounter(t *testing.T) {
	step.Outside(t, func(t *step.T) {
		var c, other races.Counter
		step.Equal(t, 0, c.Issued(), "No number was given out yet. Issued:")
		for want := 1; want <= 3; want++ {
			step.Equal(t, want, c.Next(), "One caller takes numbers, one after the other. Next:")
			step.Equal(t, want, c.Issued(), "The number %d was given out last. Issued:", want)
		}
		step.Equal(t, 1, other.Next(), "Another counter begins at 1, whatever the first one gave out. Next:")
	})
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		var c races.Counter
		next := call[int]{text: "Next", make: func() any { return c.Next() }, alone: func(n int) (int, any) { return n + 1, n + 1 }}
		issued := call[int]{text: "Issued", make: func() any { return c.Issued() }, alone: func(n int) (int, any) { return n, n }}
		inSomeOrder(t, x, "A counter gives out 1, 2, 3 and so on, each number once.", 0, issued,
			[]call[int]{next, issued}, []call[int]{next}, []call[int]{next})
	})
	step.Bubble(t, func(t *step.T) {
		apart.Pairs(t.T, func() *races.Counter { return new(races.Counter) },
			apart.Call[*races.Counter]{Name: "Next", Do: func(c *races.Counter) { c.Next() }},
			apart.Call[*races.Counter]{Name: "Issued", Do: func(c *races.Counter) { c.Issued() }},
		)
	})
}

// A seat is never sold twice, and a block of seats is all or nothing.
func TestBooking(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		h := races.NewHall(5)
		step.Equal(t, []string{"", "", "", "", ""}, h.Seats(), "A new hall of 5 seats has 5 free ones.")
		for _, tt := range []struct {
			why      string
			customer string
			seats    []int
			want     error
			owners   []string
		}{
			{"the seat is free", "ann", []int{1}, nil, []string{"", "ann", "", "", ""}},
			{"somebody else has the seat", "ben", []int{1}, races.ErrTaken, nil},
			{"the customer has the seat already", "ann", []int{1}, races.ErrTaken, nil},
			{"the first seat and the last one are free", "ben", []int{4, 0}, nil, []string{"ben", "ann", "", "", "ben"}},
			{"the second of them is taken", "cem", []int{3, 4, 2}, races.ErrTaken, nil},
			{"the last of them is taken", "cem", []int{2, 3, 1}, races.ErrTaken, nil},
			{"no seat is named", "cem", nil, races.ErrRequest, nil},
			{"the customer has no name", "", []int{2}, races.ErrRequest, nil},
			{"a seat is named twice", "cem", []int{2, 2}, races.ErrRequest, nil},
			{"a seat is named twice, with another in between", "cem", []int{3, 2, 3}, races.ErrRequest, nil},
			{"5 seats have the numbers 0 to 4", "cem", []int{2, 5}, races.ErrRequest, nil},
			{"there is no seat -1", "cem", []int{3, -1}, races.ErrRequest, nil},
			{"the two that are left are free", "cem", []int{2, 3}, nil, []string{"ben", "ann", "cem", "cem", "ben"}},
		} {
			before, named := h.Seats(), slices.Clone(tt.seats)
			if tt.owners == nil {
				tt.owners = before
			}
			err := h.Book(tt.customer, named...)
			step.Equal(t, tt.want, err, "%q books the seats %v, and %s. The seats are %q.", tt.customer, tt.seats, tt.why, before)
			step.Equal(t, tt.seats, named, "Book should leave the caller's slice of seats as it was.")
			clear(named)
			step.Equal(t, tt.owners, h.Seats(), "The seats after %q booked %v:", tt.customer, tt.seats)
		}
		err := h.Book("ann", 0, 9)
		step.Expect(t, errors.Is(err, races.ErrTaken) || errors.Is(err, races.ErrRequest),
			"Seat 0 is taken, and there is no seat 9. Book should return ErrTaken or ErrRequest; it returned %v.", err)
		step.Equal(t, races.ErrRequest, races.NewHall(0).Book("ann", 0), "A hall of no seats has no seat 0.")
		step.Equal(t, nil, races.NewHall(99).Book("ann", 0, 64, 98), "A hall of 99 seats is free. Ann books three of them.")
		h.Seats()[2] = "a stranger"
		step.Equal(t, "cem", h.Seats()[2], "The slice of Seats is the caller's own, who wrote into it. Seat 2 belongs to:")
	})
	for _, seats := range [][2][]int{{{0, 1}, {1, 2}}, {{0, 1}, {1, 0}}, {{2, 0}, {0, 1, 2}}} {
		step.Explore(t, func(t *step.T, x *interleave.Schedule) {
			h := races.NewHall(3)
			all := func() any { return h.Seats() }
			look := call[[]string]{text: "Seats", make: all, alone: func(owners []string) ([]string, any) { return owners, owners }}
			inSomeOrder(t, x, "A seat is sold once, and a block of seats is all or nothing.", make([]string, 3), look,
				[]call[[]string]{books(h, "ann", seats[0]...)}, []call[[]string]{books(h, "ben", seats[1]...)}, []call[[]string]{look})
		})
	}
	step.Bubble(t, func(t *step.T) {
		apart.Pairs(t.T, func() *races.Hall { return races.NewHall(3) },
			apart.Call[*races.Hall]{Name: "Book of 0 and 1", Do: func(h *races.Hall) { _ = h.Book("ann", 0, 1) }},
			apart.Call[*races.Hall]{Name: "Book of 1 and 2", Do: func(h *races.Hall) { _ = h.Book("ben", 1, 2) }},
			apart.Call[*races.Hall]{Name: "Seats", Do: func(h *races.Hall) { h.Seats() }},
		)
	})
}

// A deposit is never lost, although the store that all offices share offers nothing but compare-and-swap.
func TestDeposit(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		for _, tt := range []struct{ has, quicker, sooner, amount int }{
			{0, 0, 0, 5}, {5, 0, 0, -7}, {-2, 0, 0, 2}, {9, 0, 0, 0}, {0, 1, 0, 3}, {0, 1, 0, 1000}, {0, 50, 0, 3}, {0, 0, 1, 3}, {7, 20_000, 1, 3},
		} {
			why := fmt.Sprintf("The store has %d. Others are quicker %d times, by 1000 each, and %d is added.", tt.has, tt.quicker, tt.amount)
			t.Tell("others are quicker %d times, and %d come right after it", tt.quicker, tt.sooner)
			s := &office{values: balances{"ann": tt.has, "ben": 100}, quicker: tt.quicker, sooner: tt.sooner}
			want, got := tt.has+1000*tt.quicker+tt.amount, races.Deposit(s, "ann", tt.amount)
			step.Equal(t, want, got, "%s Deposit returns what it set:", why)
			step.Equal(t, balances{"ann": want + 1000*tt.sooner, "ben": 100}, s.values, "%s The store:", why)
		}
	})
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		s := &office{x: x, values: map[string]int{}}
		has := call[int]{text: "Load", make: func() any { return s.Load("ann") }, alone: func(n int) (int, any) { return n, n }}
		inSomeOrder(t, x, "No deposit is lost or made twice, and each returns the value that it set.", 0, has,
			[]call[int]{deposits(s, "ann", 1), deposits(s, "ann", -100)}, []call[int]{deposits(s, "ann", 10)})
	})
}

var opening = balances{"ann": 10, "ben": 5, "cem": 0}

// Transfers in opposite directions never wait for each other for ever, and one to the same account is fine.
func TestTransfer(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		given := maps.Clone(opening)
		var journal []transfer
		b := races.NewBank(given, func(from, to string, amount int) {
			time.Sleep(time.Millisecond)
			journal = append(journal, transfer{from, to, amount})
		})
		given["ann"], given["dan"] = 1_000_000, 1_000_000
		for _, tt := range []struct {
			transfer
			why   string
			want  error
			after balances
		}{
			{transfer{"ann", "ben", 4}, "ann has 10", nil, balances{"ann": 6, "ben": 9, "cem": 0}},
			{transfer{"ben", "cem", 9}, "ben has just 9", nil, balances{"ann": 6, "ben": 0, "cem": 9}},
			{transfer{"ben", "cem", 1}, "ben has nothing", races.ErrFunds, nil},
			{transfer{"ann", "ben", 7}, "ann has only 6", races.ErrFunds, nil},
			{transfer{"ann", "ben", 0}, "nothing is no amount", races.ErrRequest, nil},
			{transfer{"ann", "ben", -1}, "an amount is positive", races.ErrRequest, nil},
			{transfer{"ann", "dan", 1}, "dan has no account", races.ErrNoAccount, nil},
			{transfer{"dan", "ann", 1}, "dan has no account", races.ErrNoAccount, nil},
			{transfer{"dan", "dan", 1}, "dan has no account", races.ErrNoAccount, nil},
			{transfer{"ann", "ann", 6}, "ann has just 6, and keeps them", nil, balances{"ann": 6, "ben": 0, "cem": 9}},
			{transfer{"ann", "ann", 7}, "ann has only 6", races.ErrFunds, nil},
			{transfer{"ann", "ann", 0}, "nothing is no amount", races.ErrRequest, nil},
			{transfer{"cem", "ann", 1}, "cem has 9", nil, balances{"ann": 7, "ben": 0, "cem": 8}},
		} {
			before, written := b.Balances(), slices.Clone(journal)
			if tt.after == nil {
				tt.after = before
			} else {
				written = append(written, tt.transfer)
			}
			t.Tell("%v is asked for", tt.transfer)
			err := b.Transfer(tt.from, tt.to, tt.amount)
			step.Equal(t, tt.want, err, "The transfer %v is asked for, and %s. Transfer returns:", tt.transfer, tt.why)
			step.Equal(t, tt.after, b.Balances(), "The transfer %v was asked for, and %s. The balances:", tt.transfer, tt.why)
			step.Equal(t, written, journal, "The transfer %v was asked for, and %s. The journal:", tt.transfer, tt.why)
		}
		for _, tr := range []transfer{{"ann", "dan", 0}, {"dan", "ann", -1}, {"ann", "dan", 100}} {
			err := b.Transfer(tr.from, tr.to, tr.amount)
			step.Expect(t, errors.Is(err, races.ErrRequest) || errors.Is(err, races.ErrNoAccount) || errors.Is(err, races.ErrFunds),
				"The transfer %v is wrong in two ways, and should be refused for one of them. Transfer returned %v.", tr, err)
		}
	})
	for _, all := range [][]transfer{
		{{"ann", "ben", 4}, {"ben", "ann", 3}},
		{{"ann", "ben", 10}, {"ben", "cem", 12}},
		{{"ann", "cem", 1}, {"ben", "cem", 2}},
		{{"ann", "ben", 1}, {"ben", "cem", 2}, {"cem", "ann", 1}},
		{{"ann", "ben", 7}, {"ann", "cem", 7}, {"ann", "ann", 7}},
	} {
		step.Explore(t, func(t *step.T, x *interleave.Schedule) {
			j := newJournal(x, all...)
			b := races.NewBank(opening, j.write)
			var callers [][]call[balances]
			for _, tr := range all {
				c := transfers(b, tr)
				c.atOnce = len(all) > 2 // three have orders enough at the journal and at locks
				callers = append(callers, []call[balances]{c})
			}
			calls := inSomeOrder(t, x, "Each transfer is made whole or refused.", opening, looks(b), callers...)
			j.agrees(t, opening, calls)
		})
	}
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		b := races.NewBank(opening, func(_, _ string, amount int) {
			if x.Point("journal"); amount == 4 {
				x.Note("the journal panics")
				panic(errBroken)
			}
		})
		var panicked any
		x.Go("ann → ben", func() {
			defer func() { panicked = recover() }()
			_ = b.Transfer("ann", "ben", 4)
		})
		var err error
		x.Go("ben → ann", func() { err = b.Transfer("ben", "ann", 1) })
		x.Run()
		step.Equal(t, any(errBroken), panicked, "The journal panics, and so should Transfer. It panics with:")
		step.NoError(t, err, "While the journal panicked for ann → ben, ben gave 1 back, and has at least 5.")
		step.NoError(t, b.Transfer("ben", "ben", 1), "The journal panicked for ann → ben. Now ben has at least 4, and moves 1.")
		left := b.Balances()
		step.Expect(t, maps.Equal(left, balances{"ann": 7, "ben": 8, "cem": 0}) || maps.Equal(left, balances{"ann": 11, "ben": 4, "cem": 0}),
			"The journal panicked for ann → ben 4, which should have moved or not. Ann had 10, ben 5, and ben gave 1 back. Balances: %v", left)
	})
	slow, chain := transfer{"ann", "ben", 1}, []transfer(nil)
	for i := range 40 {
		chain = append(chain, transfer{fmt.Sprint(i), fmt.Sprint(i + 1), 1})
	}
	whileSlow(t, slow, nil, transfer{"fay", "gus", 1})
	whileSlow(t, slow, nil, chain...)
	for _, waits := range []transfer{{"ben", "cem", 1}, {"cem", "ann", 1}, {"ann", "ann", 1}} {
		ask := func(b *races.Bank) { _ = b.Transfer(waits.from, waits.to, 1) }
		whileSlow(t, slow, ask, transfer{"dan", "eve", 1}, transfer{"eve", "dan", 1})
	}
	step.Bubble(t, func(t *step.T) { apart.Pairs(t.T, newLedger, transferring...) })
}

// whileSlow lets the journal be slow for one transfer until others are made. Meanwhile somebody asks for what may wait.
func whileSlow(t *testing.T, slow transfer, ask func(*races.Bank), others ...transfer) {
	t.Helper()
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		accounts := balances{"cem": 1}
		for _, tr := range append([]transfer{slow}, others...) {
			accounts[tr.from], accounts[tr.to] = 1, 1
		}
		writing, made := make(chan bool), make(chan bool)
		b := races.NewBank(accounts, func(from, to string, amount int) {
			if slow == (transfer{from, to, amount}) {
				close(writing)
				<-made
			}
		})
		x.Go(slow.String(), func() { _ = b.Transfer(slow.from, slow.to, slow.amount) })
		if ask != nil {
			x.Go("who may wait", func() { <-writing; x.Point("ask, and perhaps wait"); ask(b) })
		}
		var err error
		x.Go("others", func() {
			<-writing
			for _, tr := range others {
				x.Point("%v is slow, %v should be made", slow, tr)
				err = errors.Join(err, b.Transfer(tr.from, tr.to, tr.amount))
			}
			close(made)
		})
		x.Run()
		step.NoError(t, err, "While the journal is written for %v, others are made.", slow)
	})
}

// A ledger is a bank whose journal counts the lines of each account without a lock.
type ledger struct{ *races.Bank }

func newLedger() ledger {
	lines := map[string]*int{"ann": new(int), "ben": new(int), "cem": new(int)}
	return ledger{races.NewBank(opening, func(from, to string, _ int) {
		*lines[from]++
		*lines[to]++
	})}
}

var transferring = []apart.Call[ledger]{
	{Name: "Transfer ann → ben", Do: func(l ledger) { _ = l.Transfer("ann", "ben", 4) }},
	{Name: "Transfer ben → cem", Do: func(l ledger) { _ = l.Transfer("ben", "cem", 5) }},
	{Name: "Transfer ben → ben", Do: func(l ledger) { _ = l.Transfer("ben", "ben", 5) }},
	{Name: "Transfer cem → ann, refused", Do: func(l ledger) { _ = l.Transfer("cem", "ann", 99) }},
}

// The sum over all accounts is the same at every moment.
func TestBalances(t *testing.T) {
	step.Outside(t, func(t *step.T) {
		b := races.NewBank(opening, func(string, string, int) {})
		first := b.Balances()
		step.Equal(t, opening, first, "Nothing was moved. The balances:")
		first["dan"] = 1
		step.Equal(t, opening, b.Balances(), "The map of Balances is the caller's own, who wrote into it. The balances:")
		first = b.Balances()
		step.NoError(t, b.Transfer("ann", "cem", 3), "ann has 10, and gives 3 to cem.")
		step.Equal(t, opening, first, "The map of Balances is of one moment, and then ann gave 3 to cem. The balances of before:")
		step.Equal(t, balances{}, races.NewBank(nil, func(string, string, int) {}).Balances(), "A bank without accounts. The balances:")
	})
	one, other := transfer{"ann", "ben", 1}, transfer{"cem", "dan", 1}
	whileSlow(t, one, func(b *races.Bank) { b.Balances() }, other)
	whileSlow(t, other, func(b *races.Bank) { b.Balances() }, one)
	for _, pair := range [][2]transfer{{{"ann", "ben", 4}, {"ben", "cem", 2}}, {{"ann", "cem", 4}, {"cem", "ann", 3}}} {
		step.Explore(t, func(t *step.T, x *interleave.Schedule) {
			j := newJournal(x, pair[:]...)
			b := races.NewBank(opening, j.write)
			inSomeOrder(t, x, "The accounts hold 15 together at every moment.", opening, looks(b),
				[]call[balances]{transfers(b, pair[0])}, []call[balances]{transfers(b, pair[1])}, []call[balances]{looks(b)})
		})
	}
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		b := races.NewBank(opening, func(string, string, int) {})
		inSomeOrder(t, x, "Two look at the accounts while money moves.", opening, looks(b),
			[]call[balances]{transfers(b, transfer{"ann", "cem", 4})}, []call[balances]{looks(b)}, []call[balances]{looks(b)})
	})
	step.Bubble(t, func(t *step.T) {
		look := apart.Call[ledger]{Name: "Balances", Do: func(l ledger) { l.Balances()["ann"] = 0 }}
		apart.Pairs(t.T, newLedger, append(slices.Clone(transferring), look)...)
	})
}

// One caller starts, the others wait for its result, and a start that failed or panicked can be tried again.
func TestLazy(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		l := races.NewLazy(func() (any, error) { return nil, nil }) //nolint:nilnil // nil is a value like any other
		for range 2 {
			value, err := l.Get()
			step.Equal(t, []any{nil, nil}, []any{value, err}, "Start returns no value and no error, and so should Get.")
		}
	})
	for _, first := range endings {
		step.Bubble(t, func(t *step.T) { tryAgain(t, first) })
	}
	for _, first := range endings {
		exploreLazy(t, first, 3, interleave.Budget, false, false)
		exploreLazy(t, first, 2, interleave.Budget, true, false)
		exploreLazy(t, first, 2, interleave.Budget, true, true)
	}
	for _, first := range endings {
		exploreLazy(t, first, 9, 20, false, true)
	}
	for _, first := range endings { // last, since without -race they skip the rest
		if first.own.how != "exited" { // a call of Pairs may not end its goroutine
			fresh := func() *races.Lazy[int] { return races.NewLazy(first.start) }
			ask := apart.Call[*races.Lazy[int]]{Name: "Get", Do: func(l *races.Lazy[int]) { get(l, new(result)) }}
			step.Bubble(t, func(t *step.T) { apart.Pairs(t.T, fresh, ask) })
		}
	}
}

// A result is how a call of Get ended.
type result struct {
	how      string // returned, panicked or exited
	value    int
	err      error
	panicked any
}

// is reports whether the result is as wanted. Its error may wrap the one wanted.
func (r result) is(want result) bool {
	return r.how == want.how && r.value == want.value && errors.Is(r.err, want.err) && reflect.DeepEqual(r.panicked, want.panicked)
}

func (r result) String() string {
	switch {
	case r.how == "panicked":
		return fmt.Sprintf("a panic with %v", r.panicked)
	case r.how == "exited":
		return "the end of its goroutine"
	case r.err != nil:
		return fmt.Sprintf("the error %q", r.err)
	}
	return fmt.Sprint(r.value)
}

// get calls Get. It does not return if Get ends the goroutine.
func get(l *races.Lazy[int], r *result) {
	r.how = "exited"
	defer func() {
		if v := recover(); v != nil {
			*r = result{how: "panicked", panicked: v}
		}
	}()
	r.value, r.err = l.Get()
	r.how = "returned"
}

var (
	errBroken = errors.New("broken")
	seven     = result{how: "returned", value: 7}
	notYet    = result{how: "returned", err: errors.New("not yet")}
	noResult  = result{how: "returned", err: races.ErrPanicked}
)

// An ending is a way in which start can end: what becomes of the Get that calls it, and of those that wait meanwhile.
type ending struct {
	what       string
	start      func() (int, error)
	own, waits result
}

var endings = []ending{
	{"returns an error", func() (int, error) { return 0, notYet.err }, notYet, notYet},
	{"panics", func() (int, error) { panic(errBroken) }, result{how: "panicked", panicked: errBroken}, noResult},
	{"ends its goroutine", func() (int, error) { runtime.Goexit(); return 0, nil }, result{how: "exited"}, noResult},
	{"returns 7", func() (int, error) { return 7, nil }, seven, seven},
}

// tryAgain has one caller after the other. Two starts end as the first is to, the third fails otherwise, and
// the fourth returns 0, a value like any other. Each needs another value that is lazy.
func tryAgain(t *step.T, first ending) {
	starts := 0
	other := races.NewLazy(func() (int, error) { return 1, nil })
	l := races.NewLazy(func() (int, error) {
		_, _ = other.Get()
		if starts++; starts > 2 {
			return 0, map[int]error{3: errBroken}[starts]
		}
		t.Tell("start %d %s", starts, first.what)
		return first.start()
	})
	step.Equal(t, 0, starts, "Nobody asked for the value yet. Calls of start:")
	want := []result{first.own, first.own, {how: "returned", err: errBroken}, {how: "returned"}, {how: "returned"}}
	calls := []int{1, 2, 3, 4, 4}
	if first.own == seven {
		want, calls = []result{seven, seven}, []int{1, 1}
	}
	for i := range want {
		var r result
		c := step.Start(t, func() bool { get(l, &r); return true })
		step.Expect(t, !c.Waits(), "Start 1 %s, and call %d of Get should not wait. It does.", first.what, i+1)
		why := fmt.Sprintf("A start %s, twice, the third is broken, and the fourth returns 0.", first.what)
		step.Equal(t, want[i], r, "%s Call %d of Get gives:", why, i+1)
		step.Equal(t, calls[i], starts, "%s Get was called %d times. Calls of start:", why, i+1)
	}
}

// exploreLazy lets callers ask at the same time, and again at once if they are told
// of a failure. The second start returns 7. A slow start ends when all others wait.
func exploreLazy(t *testing.T, first ending, callers, budget int, again, slow bool) {
	t.Helper()
	starts := map[bool]int{true: 1, false: 2}[first.own == seven] // expected in the end
	step.ExploreWithin(t, budget, func(t *step.T, x *interleave.Schedule) {
		var runs []span // nothing guards it: start is never called while it runs
		l := races.NewLazy(func() (int, error) {
			runs = append(runs, span{began: x.Tick()})
			n := len(runs)
			if x.Point("start %d", n); slow && n == 1 {
				time.Sleep(time.Second)
			}
			runs[n-1].ended = x.Tick()
			if n == 1 {
				return first.start()
			}
			return 7, nil
		})
		each := make([][]span, callers) // by caller
		for i := range each {
			ask := func() {
				a := span{began: x.Tick()}
				defer func() {
					a.ended = x.Tick()
					x.Note("%v", a.result)
					each[i] = append(each[i], a)
				}()
				get(l, &a.result)
			}
			x.Go("caller "+string(rune('A'+i)), func() {
				if again {
					x.Point("Get")
				}
				if ask(); again && !each[i][0].is(seven) {
					x.Point("Get again")
					ask()
				}
			})
		}
		x.Run()
		var told []span // of the first start
		own := 0
		for _, a := range slices.Concat(each...) {
			if a.is(first.own) {
				own++
			}
			if a.is(first.own) || a.is(first.waits) {
				told = append(told, a)
				continue
			}
			step.Equal(t, seven, a.result, "The first start %s, and a second one returns 7. Get gives:", first.what)
		}
		if first.own != first.waits {
			step.Equal(t, 1, own, "The first start %s, and so should the Get that called it. Calls of Get that did:", first.what)
		}
		step.Expect(t, !slow || len(told) == callers, "The first start %s. %d calls of Get came while it ran, and should all wait "+
			"and be told of that. Calls that were: %d.", first.what, callers, len(told))
		for _, a := range told {
			early := !slices.ContainsFunc(told, func(b span) bool { return b.ended < a.began })
			step.Expect(t, starts == 1 || early, "The first start %s, and a Get had ended with that. The next Get should call "+
				"start again. It gave %v.", first.what, a.result)
			step.Expect(t, len(runs) == 1 || a.began < runs[1].began, "A Get that comes while the second start is under way should "+
				"wait for it. It was told of the first, which %s.", first.what)
		}
		var last result
		get(l, &last)
		step.Equal(t, seven, last, "The first start %s, and a second one returns 7. In the end Get gives:", first.what)
		step.Equal(t, starts, len(runs), "The first start %s, and a second one returns 7. Calls of start:", first.what)
		step.Expect(t, starts == 1 || runs[0].ended < runs[1].began, "Start should not run twice at the same time. Start 2 began during start 1.")
	})
}

// A span is the time of a call, in ticks, and what Get gave.
type span struct {
	result

	began, ended int64
}

// A price list never changes once it is published, whoever holds the map that it came from.
func TestFurtherBoard(t *testing.T) {
	step.Outside(t, func(t *step.T) {
		var b races.Board
		isList(t, b.Current(), nil, "nothing was published")
		prices := map[string]int{"stalls": 40, "gallery": 15, "child": 0, "": 9}
		four := maps.Clone(prices)
		b.Publish(prices)
		first := b.Current()
		isList(t, first, four, "four prices were published, one of them 0")
		prices["stalls"] = 1
		delete(prices, "gallery")
		delete(prices, "")
		isList(t, first, four, "four prices were published, and then the caller changed its map")
		isList(t, b.Current(), four, "four prices were published, and then the caller changed its map")
		b.Publish(prices)
		second := b.Current()
		isList(t, second, map[string]int{"stalls": 1, "child": 0}, "the changed map was published")
		b.Publish(nil)
		isList(t, b.Current(), nil, "no prices were published")
		isList(t, first, four, "it is the first list, and others were published later")
		isList(t, second, map[string]int{"stalls": 1, "child": 0}, "it is the second list, and another was published later")
	})
	step.Outside(t, func(t *step.T) {
		var list *races.PriceList // kept, so that it cannot stay on the stack
		empty, full := new(races.Board), new(races.Board)
		full.Publish(map[string]int{"stalls": 40})
		for name, b := range map[string]*races.Board{"an empty board": empty, "a board with prices": full} {
			n := testing.AllocsPerRun(100, func() { list = b.Current() })
			step.Equal(t, 0, n, "Current of %s should allocate nothing. Allocations:", name)
			for _, ticket := range []string{"stalls", "box"} {
				n := testing.AllocsPerRun(100, func() { list.Price(ticket) })
				step.Equal(t, 0, n, "The price of %q on %s should allocate nothing. Allocations:", ticket, name)
			}
		}
	})
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		var b races.Board
		type list = map[string]int
		publish := func(prices list) call[list] {
			return call[list]{
				text:  fmt.Sprintf("Publish %v", prices),
				make:  func() any { b.Publish(prices); return nil },
				alone: func(list) (list, any) { return prices, nil },
			}
		}
		current := call[list]{
			text:  "Current",
			make:  func() any { return contents(b.Current()) },
			alone: func(prices list) (list, any) { return prices, prices },
		}
		inSomeOrder(t, x, "A list is replaced whole.", list{}, current,
			[]call[list]{publish(list{"stalls": 1, "gallery": 1})},
			[]call[list]{publish(list{"stalls": 2, "box": 2})},
			[]call[list]{current, current})
	})
	for _, prices := range []map[string]int{nil, {"stalls": 40, "gallery": 15}} {
		step.Bubble(t, func(t *step.T) {
			fresh := func() *races.Board {
				b := new(races.Board)
				if prices != nil {
					b.Publish(prices)
				}
				return b
			}
			apart.Pairs(t.T, fresh,
				apart.Call[*races.Board]{Name: "Publish", Do: func(b *races.Board) { b.Publish(map[string]int{"stalls": 1}) }},
				apart.Call[*races.Board]{Name: "Current, Price and Len", Do: func(b *races.Board) { contents(b.Current()) }},
			)
		})
	}
}

func isList(t *step.T, p *races.PriceList, want map[string]int, why string) {
	t.Helper()
	step.Expect(t, p != nil, "Current should never return nil. It did when %s.", why)
	list := contents(p)
	for _, ticket := range tickets {
		_, has := list[ticket]
		step.Equal(t, want[ticket], list[ticket], "The price of %q, when %s:", ticket, why)
		_, wanted := want[ticket]
		step.Equal(t, wanted, has, "Whether the list has a price of %q, when %s:", ticket, why)
	}
	step.Equal(t, len(want), p.Len(), "How many prices the list has, when %s:", why)
}
