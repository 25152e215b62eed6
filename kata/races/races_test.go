package races_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/backend-kata/dojo/kata/races"
	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/interleave"
)

// A counter gives out each number once, however many ask at the same time.
func TestCounter(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		var c races.Counter
		for want := 1; want <= 3; want++ {
			if got := c.Next(); got != want {
				t.Fatalf("One caller takes numbers, and number %d was expected; got %d.", want, got)
			}
			if got := c.Issued(); got != want {
				t.Fatalf("%d numbers were given out, and Issued says %d.", want, got)
			}
		}
	})
	interleave.Explore(t, func(t *testing.T, x *interleave.Schedule) {
		var c races.Counter
		numbers := make([]int, 3)
		for i := range numbers {
			x.Go("caller "+string(rune('A'+i)), func() {
				numbers[i] = c.Next()
				x.Note("%d", numbers[i])
			})
		}
		x.Run()
		expectEach(t, numbers, len(numbers))
		if got := c.Issued(); got != len(numbers) {
			t.Fatalf("%d numbers were given out, and Issued says %d.", len(numbers), got)
		}
	})
	bubble.Run(t, func(t *testing.T) {
		const callers, rounds = 8, 200
		var busy races.Counter
		var taken [callers][]int
		atOnce(t, callers, func(caller int) {
			for range rounds {
				taken[caller] = append(taken[caller], busy.Next())
				if n := busy.Issued(); n < len(taken[caller]) {
					t.Errorf("A caller has %d numbers, and Issued says that %d were given out.", len(taken[caller]), n)
				}
			}
		})
		expectEach(t, slices.Concat(taken[:]...), callers*rounds)
	})
}

// A seat is never sold twice, and a block of seats is all or nothing.
func TestBooking(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		h := races.NewHall(5)
		expectBooked(t, h, nil, "ann", 1)
		expectSeats(t, h, "", "ann", "", "", "")
		expectBooked(t, h, races.ErrTaken, "ben", 1)
		expectBooked(t, h, races.ErrTaken, "ann", 1)
		expectBooked(t, h, races.ErrTaken, "ben", 0, 1, 2)
		expectBooked(t, h, races.ErrTaken, "ben", 2, 3, 1)
		expectSeats(t, h, "", "ann", "", "", "")
		expectBooked(t, h, nil, "ben", 4, 0)
		expectSeats(t, h, "ben", "ann", "", "", "ben")
		for _, bad := range []struct {
			customer string
			seats    []int
		}{{"cem", nil}, {"cem", []int{2, 2}}, {"cem", []int{2, 5}}, {"cem", []int{-1}}, {"", []int{2}}, {"cem", []int{3, 2, 3}}} {
			expectBooked(t, h, races.ErrRequest, bad.customer, bad.seats...)
		}
		h.Seats()[2] = "a stranger"
		expectSeats(t, h, "ben", "ann", "", "", "ben")
	})

	interleave.Explore(t, func(t *testing.T, x *interleave.Schedule) {
		h := races.NewHall(3)
		errs := map[string]*error{"ann": new(error), "ben": new(error)}
		x.Go("ann: 0 and 1", func() { *errs["ann"] = h.Book("ann", 0, 1); x.Note("%v", *errs["ann"]) })
		x.Go("ben: 1 and 2", func() { *errs["ben"] = h.Book("ben", 1, 2); x.Note("%v", *errs["ben"]) })
		var seen []string
		x.Go("visitor", func() { seen = h.Seats(); x.Note("%q", seen) })
		x.Run()
		switch {
		case *errs["ann"] == nil && *errs["ben"] == nil:
			t.Fatalf("Seat 1 was sold twice: to ann, with seat 0, and to ben, with seat 2. The seats are %q.", h.Seats())
		case *errs["ann"] == nil:
			expectSeats(t, h, "ann", "ann", "")
		case *errs["ben"] == nil:
			expectSeats(t, h, "", "ben", "ben")
		default:
			t.Fatalf("Two customers wanted seat 1, and one of them was expected to get it; ann was told %v, and ben %v.", *errs["ann"], *errs["ben"])
		}
		for _, half := range [][]string{{"ann", "", ""}, {"", "ann", ""}, {"", "ben", ""}, {"", "", "ben"}} {
			if slices.Equal(seen, half) {
				t.Fatalf("A visitor saw a booking by half: %q.", seen)
			}
		}
	})
	bubble.Run(t, func(t *testing.T) {
		const callers, seats = 8, 40
		busy := races.NewHall(seats)
		var got [callers]int
		atOnce(t, callers, func(caller int) {
			for seat := range seats - 1 {
				if busy.Book(fmt.Sprint("customer ", caller), seat, seat+1) == nil {
					got[caller] += 2
				}
				busy.Seats()
			}
		})
		have := map[string]int{}
		for _, customer := range busy.Seats() {
			have[customer]++
		}
		for caller, n := range got {
			if name := fmt.Sprint("customer ", caller); have[name] != n {
				t.Fatalf("%s was told that %d seats are theirs, and has %d.", name, n, have[name])
			}
		}
	})
}

func expectBooked(t *testing.T, h *races.Hall, want error, customer string, seats ...int) {
	t.Helper()
	if err := h.Book(customer, seats...); !errors.Is(err, want) {
		t.Fatalf("%q books %v: expected %v, got %v. The seats are %q.", customer, seats, want, err, h.Seats())
	}
}

func expectSeats(t *testing.T, h *races.Hall, want ...string) {
	t.Helper()
	if got := h.Seats(); !slices.Equal(got, want) {
		t.Fatalf("The seats were expected to be %q, and are %q.", want, got)
	}
}

// A deposit is never lost, although the store that all offices share offers nothing but compare-and-swap.
func TestDeposit(t *testing.T) {
	s := &contested{office: office{values: map[string]int{"ann": 5}}}
	if got := races.Deposit(s, "ann", 3); got != 8 || s.values["ann"] != 8 {
		t.Fatalf("3 were added to 5, and 8 was expected; Deposit returned %d, and the store has %d.", got, s.values["ann"])
	}
	for _, quicker := range []int{1, 2, 50} {
		s := &contested{office: office{values: map[string]int{}}, quicker: quicker}
		if got, want := races.Deposit(s, "ann", 3), 1000*quicker+3; got != want || s.values["ann"] != want {
			t.Fatalf("Others were quicker %d times, with 1000 each, and %d was expected in the end; Deposit returned %d, and the store has %d.", quicker, want, got, s.values["ann"])
		}
	}
	interleave.Explore(t, func(t *testing.T, x *interleave.Schedule) {
		s := &office{x: x, values: map[string]int{}}
		amounts := []int{1, 10, -100}
		results := make([]int, len(amounts))
		for i, amount := range amounts {
			x.Go(fmt.Sprintf("adds %d", amount), func() { results[i] = races.Deposit(s, "ann", amount) })
		}
		x.Run()
		if got := s.values["ann"]; got != -89 {
			t.Fatalf("A deposit is lost: 1, 10 and -100 were added at the same time, and -89 was expected; the store has %d.", got)
		}
		if !slices.Contains(results, -89) {
			t.Fatalf("One of three deposits was the last, and was expected to return -89; they returned %v.", results)
		}
	})
}

// Transfers in opposite directions never wait for each other for ever, and one to the same account is fine.
func TestTransfer(t *testing.T) {
	opening := map[string]int{"ann": 10, "ben": 5, "cem": 0}
	bubble.Run(t, func(t *testing.T) {
		given := maps.Clone(opening)
		book := &journal{}
		b := races.NewBank(given, book.add)
		given["ann"] = 1_000_000
		for _, tt := range []struct {
			from, to string
			amount   int
			want     error
		}{
			{"ann", "ben", 4, nil},
			{"ben", "cem", 9, nil},
			{"ben", "cem", 1, races.ErrFunds},
			{"ann", "ben", 7, races.ErrFunds},
			{"ann", "ben", 0, races.ErrRequest},
			{"ann", "ben", -1, races.ErrRequest},
			{"ann", "dan", 1, races.ErrNoAccount},
			{"dan", "ann", 1, races.ErrNoAccount},
			{"cem", "ann", 9, nil},
			{"ann", "ann", 15, nil},
			{"ann", "ann", 16, races.ErrFunds},
		} {
			err := b.Transfer(tt.from, tt.to, tt.amount)
			if !errors.Is(err, tt.want) {
				t.Fatalf("The transfer %v was expected to give %v; got %v. The balances are %v.", transfer{tt.from, tt.to, tt.amount}, tt.want, err, b.Balances())
			}
		}
		if want := []transfer{{"ann", "ben", 4}, {"ben", "cem", 9}, {"cem", "ann", 9}, {"ann", "ann", 15}}; !slices.Equal(book.entries, want) {
			t.Fatalf("The journal was expected to say %v, and says %v.", want, book.entries)
		}
		book.audit(t, opening, b)
	})

	for _, transfers := range [][]transfer{
		{{"ann", "ben", 4}, {"ben", "ann", 3}},
		{{"ann", "ben", 10}, {"ben", "cem", 12}},
		{{"ann", "ben", 1}, {"ben", "cem", 1}, {"cem", "ann", 1}},
		{{"ann", "ben", 7}, {"ann", "cem", 7}, {"ann", "ann", 7}},
	} {
		interleave.Explore(t, func(t *testing.T, x *interleave.Schedule) {
			book := &journal{}
			b := races.NewBank(opening, func(from, to string, amount int) {
				x.Point("journal")
				book.add(from, to, amount)
			})
			made := make([]bool, len(transfers)) // by actor, since one that waited goes on at the same time
			for i, tr := range transfers {
				x.Go(tr.String(), func() { made[i] = move(t, b, tr.from, tr.to, tr.amount) })
			}
			x.Run()
			made = slices.DeleteFunc(made, func(m bool) bool { return !m })
			if len(made) != len(book.entries) {
				t.Fatalf("%d transfers were made, and the journal has %d.", len(made), len(book.entries))
			}
			book.audit(t, opening, b)
		})
	}
	overlap := false
	interleave.Explore(t, func(t *testing.T, x *interleave.Schedule) {
		writing := false
		b := races.NewBank(map[string]int{"ann": 1, "ben": 1, "cem": 1, "dan": 1}, func(from, _ string, _ int) {
			if from == "ann" {
				writing = true
				x.Point("a journal that takes long")
				writing = false
			}
		})
		x.Go("ann → ben", func() { move(t, b, "ann", "ben", 1) })
		x.Go("cem → dan", func() {
			x.Point("begin")
			began := writing
			move(t, b, "cem", "dan", 1)
			overlap = overlap || began && writing
		})
		x.Run()
	})
	if !overlap {
		t.Fatal("The journal of ann → ben takes long, and meanwhile cem → dan was expected to be made, since they share no account; in no order was it.")
	}
}

// The sum over all accounts is the same at every moment.
func TestBalances(t *testing.T) {
	opening := map[string]int{"ann": 10, "ben": 5, "cem": 0}
	bubble.Run(t, func(t *testing.T) {
		if got := races.NewBank(opening, func(string, string, int) {}).Balances(); !maps.Equal(got, opening) {
			t.Fatalf("Nothing was moved, and the balances were expected to be %v; they are %v.", opening, got)
		}
	})
	interleave.Explore(t, func(t *testing.T, x *interleave.Schedule) {
		b := races.NewBank(opening, func(string, string, int) { x.Point("journal") })
		var seen map[string]int
		x.Go("ann → ben 4", func() { move(t, b, "ann", "ben", 4) })
		x.Go("ben → cem 2", func() { move(t, b, "ben", "cem", 2) })
		x.Go("auditor", func() { seen = b.Balances(); x.Note("%v", seen) })
		x.Run()
		if got := sum(seen); got != 15 {
			t.Fatalf("The accounts hold 15 together, and an auditor saw %d: %v.", got, seen)
		}
	})
	bubble.Run(t, func(t *testing.T) {
		const callers = 6
		names := []string{"ann", "ben", "cem"}
		book := &journal{}
		busy := races.NewBank(opening, book.add)
		atOnce(t, callers, func(caller int) {
			for round := range 50 {
				move(t, busy, names[(caller+round)%3], names[(caller*2+round)%3], 1+round%4)
				balances := busy.Balances()
				if got := sum(balances); got != 15 {
					t.Errorf("The accounts hold 15 together, and an auditor saw %d: %v.", got, balances)
					return
				}
				balances["ann"] = -1 // the caller's own
			}
		})
		book.audit(t, opening, busy)
	})
}

// One caller starts, the others wait for its result, and a start that failed or panicked can be tried again.
func TestLazy(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		starts := 0
		l := races.NewLazy(func() (int, error) {
			switch starts++; starts {
			case 1:
				return 0, errors.New("not yet")
			case 2:
				panic("broken")
			}
			return 7 + starts, nil
		})
		if starts != 0 {
			t.Fatalf("Nobody asked for the value, and start was called %d times.", starts)
		}
		for i, want := range []struct {
			value  int
			err    string
			starts int
		}{{err: "not yet", starts: 1}, {err: "panicked: broken", starts: 2}, {value: 10, err: "<nil>", starts: 3}, {value: 10, err: "<nil>", starts: 3}} {
			r := get(l)
			if r.value != want.value || fmt.Sprint(r.err) != want.err || starts != want.starts {
				t.Fatalf("The first start fails, the second panics, the third returns 10. Call %d of Get was expected to give %d, %s, after %d starts; it gave %d, %v, after %d.",
					i+1, want.value, want.err, want.starts, r.value, r.err, starts)
			}
		}
	})
	exploreLazy(t, false)
	exploreLazy(t, true)
	bubble.Run(t, func(t *testing.T) {
		const callers = 8
		started := 0
		busy := races.NewLazy(func() (*int, error) { started++; return &started, nil })
		atOnce(t, callers, func(int) {
			for range 100 {
				if p, err := busy.Get(); err != nil || p == nil || *p != 1 {
					t.Errorf("Eight callers asked at the same time, and each was expected to see one start; got %v, %v.", p, err)
					return
				}
			}
		})
	})
}

// A price list never changes once it is published, whoever holds the map that it came from.
func TestFurtherBoard(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		var b races.Board
		if p := b.Current(); p == nil || p.Len() != 0 {
			t.Fatalf("Nothing was published, and an empty list was expected; it is %v.", p)
		}
		prices := map[string]int{"stalls": 40, "gallery": 15}
		b.Publish(prices)
		first := b.Current()
		expectPrice(t, first, "stalls", 40, true)
		expectPrice(t, first, "box", 0, false)
		prices["stalls"] = 1
		delete(prices, "gallery")
		expectPrice(t, first, "stalls", 40, true)
		expectPrice(t, b.Current(), "gallery", 15, true)
		b.Publish(prices)
		expectPrice(t, b.Current(), "stalls", 1, true)
		expectPrice(t, first, "stalls", 40, true)
		if first.Len() != 2 || b.Current().Len() != 1 {
			t.Fatalf("The lists were expected to have 2 and 1 prices, and have %d and %d.", first.Len(), b.Current().Len())
		}
		if n := testing.AllocsPerRun(100, func() { b.Current().Price("stalls") }); n != 0 {
			t.Fatalf("To look up a price was expected to allocate nothing, and allocates %v times.", n)
		}
	})
	bubble.Run(t, func(t *testing.T) {
		var busy races.Board
		busy.Publish(map[string]int{"stalls": 0, "gallery": 0})
		atOnce(t, 6, func(caller int) {
			mine := map[string]int{}
			for round := range 100 {
				if caller == 0 {
					mine["stalls"], mine["gallery"] = round, round
					busy.Publish(mine)
					continue
				}
				list := busy.Current()
				stalls, _ := list.Price("stalls")
				gallery, _ := list.Price("gallery")
				if stalls != gallery {
					t.Errorf("Both prices are always published alike, and a reader saw %d and %d.", stalls, gallery)
					return
				}
			}
		})
	})
}

func expectPrice(t *testing.T, p *races.PriceList, ticket string, want int, wantOK bool) {
	t.Helper()
	if got, ok := p.Price(ticket); got != want || ok != wantOK {
		t.Fatalf("The price of %q was expected to be %d, %v; got %d, %v.", ticket, want, wantOK, got, ok)
	}
}
