package nplusone_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/backend-kata/dojo/kata/nplusone"
	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/interleave"
	"github.com/backend-kata/dojo/pkg/sqlprobe"
)

// Every id has an entry, in the order of the ids: the order with its lines by position, or nil.
// An order without lines is an order all the same, and an id may come twice.
func TestTheRightAnswer(t *testing.T) {
	s := open(t, 100, `
		INSERT INTO orders VALUES (1, 'ada'), (2, 'bob'), (3, 'cyd'), (9, 'dan');
		INSERT INTO lines VALUES (1, 30, 7, 1), (1, 10, 8, 2), (1, 20, 7, 3), (3, 0, 9, 4), (5, 1, 7, 5), (9, 1, 7, 6)`)
	orders := map[int]*nplusone.Order{
		1: {ID: 1, Customer: "ada", Lines: []nplusone.Line{{Position: 10, ProductID: 8, Quantity: 2}, {Position: 20, ProductID: 7, Quantity: 3}, {Position: 30, ProductID: 7, Quantity: 1}}},
		2: {ID: 2, Customer: "bob"},
		3: {ID: 3, Customer: "cyd", Lines: []nplusone.Line{{Position: 0, ProductID: 9, Quantity: 4}}},
	}
	for _, ids := range [][]int64{
		{1},
		{1, 2, 3},
		{3, 1, 2},       // in the order of the ids
		{2, 5, 1, 4},    // there is no order 4, nor 5, though 5 has a line
		{3, 1, 3, 1, 1}, // twice and more
		{4},
	} {
		s.ask(t, ids, nplusone.With{Lines: true}, func(id int) *nplusone.Order { return orders[id] })
	}
	s.ask(t, []int64{2, 1}, nplusone.With{}, func(id int) *nplusone.Order {
		return &nplusone.Order{ID: int64(id), Customer: orders[id].Customer}
	})
	says(t, s.ask(t, nil, nplusone.With{Lines: true}, nil).CheckCount(0), "without ids there is nothing to ask")
}

// The number of statements is the same for 10 orders and for 1,000, and so is the work for the same orders in a larger table.
func TestStatementCount(t *testing.T) {
	with := nplusone.With{Lines: true}
	want := func(id int) *nplusone.Order { return wanted(id, 3, 0, 50, with) }
	s := many(t, 32766, 1000, 3, 0, 50)
	few := s.ask(t, span(1, 10), with, want)
	says(t, few.CheckAtMost(2), "10 orders with lines are in two tables")
	all := s.ask(t, span(1, 1000), with, want)
	says(t, sqlprobe.CheckSameCount(few, all), "10 orders, and 1,000")
	says(t, s.ask(t, span(1, 10), nplusone.With{}, func(id int) *nplusone.Order { return wanted(id, 0, 0, 50, nplusone.With{}) }).CheckCount(1),
		"10 orders with nothing along are in one table")

	small := many(t, 32766, 100, 3, 0, 50).ask(t, span(1, 10), with, want)
	large := many(t, 32766, 2000, 3, 0, 50).ask(t, span(1, 10), with, want)
	says(t, sqlprobe.CheckWorkGrowth(small, large, 1.5), "the same 10 orders were read out of 100, and then out of 2,000")
}

// One level further down, the products of all lines of all orders take one statement more.
// A line whose product is gone is a line all the same.
func TestNested(t *testing.T) {
	with := nplusone.With{Lines: true, Products: true}
	s := many(t, 32766, 400, 3, 0, 50)
	want := func(id int) *nplusone.Order { return wanted(id, 3, 0, 50, with) }
	few := s.ask(t, span(1, 10), with, want)
	says(t, few.CheckAtMost(3), "10 orders with lines and products are in three tables")
	says(t, sqlprobe.CheckSameCount(few, s.ask(t, span(1, 400), with, want)), "10 orders, and 400")

	_, err := s.DB.Exec("DELETE FROM products WHERE id % 2 = 0")
	require.NoError(t, err)
	s.ask(t, span(1, 20), with, func(id int) *nplusone.Order {
		o := want(id)
		for i := range o.Lines {
			if o.Lines[i].ProductID%2 == 0 {
				o.Lines[i].Product = nil
			}
		}
		return o
	})
	_, err = s.DB.Exec("DELETE FROM lines WHERE order_id = 3")
	require.NoError(t, err)
	s.ask(t, []int64{3}, with, func(id int) *nplusone.Order { return wanted(id, 0, 0, 50, with) })
}

// With more keys than the database takes parameters, there is one statement for each MaxParameters different keys.
func TestManyKeys(t *testing.T) {
	const limit = 40
	with := nplusone.With{Lines: true, Products: true}
	s := many(t, limit, 200, 2, 0, 100)
	_, err := s.DB.Exec("UPDATE lines SET product_id = order_id % 10 + 1 WHERE order_id <= 100") // ten products
	require.NoError(t, err)
	want := func(id int) *nplusone.Order {
		o := wanted(id, 2, 0, 100, with)
		for i := range o.Lines {
			if id <= 100 {
				n := int64(id%10 + 1)
				o.Lines[i].ProductID = n
				o.Lines[i].Product = &nplusone.Product{ID: n, Name: fmt.Sprintf("product %d", n), Cents: 100 * n}
			}
		}
		return o
	}
	twice := append(span(1, 40), span(1, 40)...)
	for _, tt := range []struct {
		ids  []int64
		most int
		why  string
	}{
		{span(1, 1), 3, "one statement for each of three tables"},
		{span(1, 39), 3, "39 orders of ten products are one chunk each"},
		{span(1, 40), 3, "40 orders of ten products are one chunk each, just"},
		{twice, 3, "40 orders that are asked for twice are 40 keys"},
		{span(1, 41), 5, "41 orders are two chunks, and so are the keys of their lines; ten products are one"},
		{span(1, 80), 5, "80 orders are two chunks, and so are the keys of their lines; ten products are one"},
		{span(1, 100), 7, "100 orders are three chunks, and so are the keys of their lines; ten products are one"},
		{span(1, 200), 13, "200 orders are five chunks, and so are the keys of their lines; 100 products are three"},
	} {
		rec := s.ask(t, tt.ids, with, want)
		says(t, rec.CheckAtMost(tt.most), "%d ids, and %d parameters to a statement: %s", len(tt.ids), limit, tt.why)
	}
}

// Two collections of one order do not multiply: the work follows the sum of lines and payments, not the product.
func TestTwoCollections(t *testing.T) {
	with := nplusone.With{Lines: true, Products: true, Payments: true}
	read := func(n int) *sqlprobe.Recording {
		t.Helper()
		s := many(t, 32766, 5, n, n, 50)
		rec := s.ask(t, span(1, 5), with, func(id int) *nplusone.Order { return wanted(id, n, n, 50, with) })
		says(t, rec.CheckAtMost(4), "5 orders with lines, products and payments are in four tables")
		return rec
	}
	few, many := read(20), read(200)
	says(t, sqlprobe.CheckWorkGrowth(few, many, 12), "5 orders with 20 lines and 20 payments each, and then with 200 and 200")

	s := open(t, 100, `
		INSERT INTO orders VALUES (1, 'ada'), (2, 'bob'), (3, 'cyd');
		INSERT INTO lines VALUES (1, 1, 7, 1), (1, 2, 7, 1), (2, 1, 7, 1);
		INSERT INTO payments VALUES (1, 1, 500), (1, 2, 500), (3, 2, 30), (3, 1, 40)`)
	orders := map[int]*nplusone.Order{
		1: {ID: 1, Customer: "ada", Lines: []nplusone.Line{{Position: 1, ProductID: 7, Quantity: 1}, {Position: 2, ProductID: 7, Quantity: 1}}, Payments: []nplusone.Payment{{Position: 1, Cents: 500}, {Position: 2, Cents: 500}}},
		2: {ID: 2, Customer: "bob", Lines: []nplusone.Line{{Position: 1, ProductID: 7, Quantity: 1}}},
		3: {ID: 3, Customer: "cyd", Payments: []nplusone.Payment{{Position: 1, Cents: 40}, {Position: 2, Cents: 30}}},
	}
	s.ask(t, []int64{1, 2, 3}, nplusone.With{Lines: true, Payments: true}, func(id int) *nplusone.Order { return orders[id] })
	s.ask(t, []int64{3}, nplusone.With{Payments: true}, func(id int) *nplusone.Order { return orders[id] })
}

// Loads that come within the window become one statement, with each key once, and a batch that is full is sent at once.
// Each load has its own answer: a value, or that there is none; an error is that of one batch.
func TestLoaderBatches(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		l, c := loader(t, 100)
		rec := c.probe.Record(func() {
			loads := startAll(l, t.Context(), 1, 2, 3)
			time.Sleep(window - 1)
			loads = append(loads, startAll(l, t.Context(), 2, 4, 1)...)
			names(t, c, loads...)
			require.Equal(t, window, loads[0].took, "the first load opened the batch, and was expected to wait for the window of %v; it took %v%s", window, loads[0].took, c.timeline())
		})
		says(t, rec.CheckCount(1), "six loads came within the window")
		require.ElementsMatch(t, []int64{1, 2, 3, 4}, c.batches()[0], "four keys were loaded, two of them twice, and each was expected to be asked for once%s", c.timeline())

		time.Sleep(time.Hour)
		late := startAll(l, t.Context(), 5)
		time.Sleep(window + 1)
		later := startAll(l, t.Context(), 6)
		names(t, c, append(late, later...)...)
		require.Equal(t, [][]int64{{5}, {6}}, c.batches()[1:], "two loads came %v apart, with a window of %v, and were expected to be two batches%s", window+1, window, c.timeline())
	})
	bubble.Run(t, func(t *testing.T) {
		l, c := loader(t, 5)
		loads := startAll(l, t.Context(), 1, 2, 1, 3, 4)
		require.Empty(t, c.batches(), "four different keys are no full batch of five, and the window is not over; nothing was expected to be asked yet%s", c.timeline())
		loads = append(loads, startAll(l, t.Context(), 5)...)
		require.False(t, loads[0].waits(), "the fifth key fills the batch, and it was expected to be sent at once%s", c.timeline())
		time.Sleep(window / 2)
		loads = append(loads, startAll(l, t.Context(), span(6, 17)...)...)
		names(t, c, loads...)
		require.Equal(t, []int{5, 5, 5, 2}, sizes(c.batches()), "17 keys in batches of at most five were expected to be asked for as 5, 5, 5 and 2%s", c.timeline())
		require.Equal(t, window/2+window, c.seen()[3].at, "the window of the last batch began with its first load, after %v, and was expected to end %v later%s", window/2, window, c.timeline())
	})
	bubble.Run(t, func(t *testing.T) {
		l, c := loader(t, 100)
		broken := errors.New("the database is away")
		c.fails[2] = broken
		loads := startAll(l, t.Context(), 1, 777, 2)
		names(t, c, loads[0], loads[2])
		require.False(t, loads[1].waits(), "there is no product 777, and Load was expected to say so with the others' answers%s", c.timeline())
		require.ErrorIs(t, loads[1].err, nplusone.ErrNotFound, "there is no product 777, and Load was expected to say ErrNotFound%s", c.timeline())

		c.slow(time.Second)
		second := startAll(l, t.Context(), 3, 4)
		time.Sleep(window + 1) // the second batch is sent, and fails in a second
		third := startAll(l, t.Context(), 3, 5)
		names(t, c, third...)
		require.Equal(t, window+time.Second, third[0].took, "the third batch was expected to take its window and its Fetch, and not to wait for the second; its first load took %v%s", third[0].took, c.timeline())
		for _, d := range second {
			<-d.ended
			require.ErrorIs(t, d.err, broken, "the second Fetch failed, and every load of its batch was expected to hear of it%s", c.timeline())
			require.Equal(t, window+time.Second, d.took, "the loads of the second batch were expected to hear at once that Fetch failed%s", c.timeline())
		}
	})
}

// A caller that gives up gets its context's error at once, and the others of its batch get their values.
func TestLoaderCancellation(t *testing.T) {
	for _, tt := range []struct {
		gaveUp time.Duration
		when   string
	}{
		{window / 2, "while the batch was open"},
		{window + time.Second/2, "while the batch was being fetched"},
	} {
		for who := range 3 {
			bubble.Run(t, func(t *testing.T) {
				l, c := loader(t, 100)
				c.slow(time.Second)
				impatient, cancel := context.WithTimeout(t.Context(), tt.gaveUp)
				defer cancel()
				var loads []*load
				for i := range 3 {
					ctx := t.Context()
					if i == who {
						ctx = impatient
					}
					loads = append(loads, start(l, ctx, int64(i+1)))
				}
				time.Sleep(tt.gaveUp)
				require.False(t, loads[who].waits(), "load %d of 3 gave up %s, and was expected to return at once%s", who+1, tt.when, c.timeline())
				require.ErrorIs(t, loads[who].err, context.DeadlineExceeded, "load %d of 3 gave up %s, and was expected to return its context's error%s", who+1, tt.when, c.timeline())
				for i, d := range loads {
					if i != who {
						<-d.ended
						require.NoError(t, d.err, "load %d of 3 gave up %s, and load %d was expected to get its value all the same%s", who+1, tt.when, i+1, c.timeline())
					}
				}
				names(t, c, slices.Delete(loads, who, who+1)...)
				require.Len(t, c.batches(), 1, "the loads that go on were expected to stay in their batch%s", c.timeline())
			})
		}
	}
	bubble.Run(t, func(t *testing.T) {
		l, c := loader(t, 100)
		over, cancel := context.WithCancel(t.Context())
		cancel()
		for key := range int64(20) {
			d := start(l, over, 100+key)
			require.False(t, d.waits(), "the context had ended before Load was called, and Load was expected to return at once%s", c.timeline())
			require.ErrorIs(t, d.err, context.Canceled, "the context had ended before Load was called, and Load was expected to return its error")
		}
		loads := startAll(l, t.Context(), 1)
		for key := range int64(20) {
			loads = append(loads, start(l, over, 200+key))
		}
		names(t, c, loads[0])
		require.Equal(t, [][]int64{{1}}, c.batches(), "loads whose context had ended were expected not to be asked for%s", c.timeline())
	})
	bubble.Run(t, func(t *testing.T) {
		l, c := loader(t, 2)
		c.slow(time.Second)
		first := start(l, t.Context(), 1)
		impatient, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		filler := start(l, impatient, 2)
		time.Sleep(time.Second / 2)
		require.False(t, filler.waits(), "the load that filled the batch gave up while it was being fetched, and was expected to return at once%s", c.timeline())
		require.ErrorIs(t, filler.err, context.DeadlineExceeded, "the load that filled the batch gave up, and was expected to return its context's error%s", c.timeline())
		names(t, c, first)
	})
	bubble.Run(t, func(t *testing.T) { // two callers want one key, and one of them gives up
		l, c := loader(t, 100)
		impatient, cancel := context.WithTimeout(t.Context(), window/2)
		defer cancel()
		first, second := start(l, impatient, 1), start(l, t.Context(), 1)
		names(t, c, second)
		require.ErrorIs(t, first.err, context.DeadlineExceeded, "the first of two loads of one key gave up, and was expected to return its context's error%s", c.timeline())
	})
}

// Nothing is kept: a load after its batch was sent asks again, and sees what has changed.
func TestFurtherNothingKept(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		l, c := loader(t, 100)
		names(t, c, startAll(l, t.Context(), 1)...)
		_, err := c.DB.Exec("UPDATE products SET name = 'another' WHERE id = 1")
		require.NoError(t, err)
		again := start(l, t.Context(), 1)
		<-again.ended
		require.NoError(t, again.err, "the second load of key 1 was expected to return its product's name%s", c.timeline())
		require.Equal(t, "another", again.name, "the product got another name after the first load, and the second was expected to see it%s", c.timeline())

		c.slow(time.Minute)
		loads := startAll(l, t.Context(), 2)
		time.Sleep(time.Second) // its batch is being fetched
		loads = append(loads, startAll(l, t.Context(), 2)...)
		names(t, c, loads...)
		require.Equal(t, [][]int64{{1}, {1}, {2}, {2}}, c.batches(), "a load that comes while its key is being fetched was expected to ask again%s", c.timeline())
	})
}

// Once nobody waits for a batch any more, the context of its Fetch ends, and not before.
func TestFurtherAllGiveUp(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		l, c := loader(t, 100)
		c.slow(time.Hour)
		short, cancelShort := context.WithTimeout(t.Context(), time.Second)
		defer cancelShort()
		long, cancelLong := context.WithTimeout(t.Context(), time.Minute)
		defer cancelLong()
		loads := []*load{start(l, short, 1), start(l, long, 2), start(l, short, 2)}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Len(t, c.seen(), 1, "three loads within the window were expected to be one batch%s", c.timeline())
		require.NoError(t, c.seen()[0].ctx.Err(), "one of three still waits, and the context of Fetch was expected to go on%s", c.timeline())
		time.Sleep(time.Minute)
		synctest.Wait()
		require.ErrorIs(t, c.seen()[0].ctx.Err(), context.Canceled, "nobody waits any more, and the context of Fetch was expected to be cancelled%s", c.timeline())
		for _, d := range loads {
			<-d.ended
			require.ErrorIs(t, d.err, context.DeadlineExceeded, "each load was expected to return its context's error")
		}

		// The same before the batch is sent: the next load is as if they had never been.
		c.slow(0)
		brief, cancel := context.WithTimeout(t.Context(), window/2)
		defer cancel()
		gone := start(l, brief, 3)
		time.Sleep(window / 2)
		require.False(t, gone.waits(), "the load gave up, and was expected to return")
		after := start(l, t.Context(), 4)
		<-after.ended
		require.NoError(t, after.err, "all loads gave up before their batch was sent, and the next one was expected to open a batch of its own and return its product's name%s", c.timeline())
		names(t, c, after)
	})
}

// Callers at the same time: in every order of their turns each gets its own value, no batch is too large, and no key comes twice in one.
func TestFurtherAtOnce(t *testing.T) {
	for _, tt := range []struct {
		keys []int
		late bool // the window may end at any moment
	}{
		{keys: []int{1, 2, 3}},
		{keys: []int{1, 1, 2}},
		{keys: []int{1, 2}, late: true},
	} {
		interleave.Explore(t, func(t *testing.T, x *interleave.Schedule) {
			var batches [][]int
			l := nplusone.NewLoader(nplusone.LoaderConfig[int, string]{Window: window, MaxBatch: 2, Fetch: func(_ context.Context, keys []int) (map[int]string, error) {
				keys = slices.Sorted(slices.Values(keys))
				x.Point("Fetch %v", keys)
				batches = append(batches, keys)
				values := map[int]string{}
				for _, key := range keys {
					values[key] = fmt.Sprintf("product %d", key)
				}
				return values, nil
			}})
			got, errs := make([]string, len(tt.keys)), make([]error, len(tt.keys))
			for i, key := range tt.keys {
				x.Go(fmt.Sprintf("Load(%d)", key), func() {
					got[i], errs[i] = l.Load(t.Context(), key)
					x.Note("%q, %v", got[i], errs[i])
				})
			}
			if tt.late {
				x.Go("the clock", func() { x.Pass(window) })
			}
			x.Run()
			for i, key := range tt.keys {
				require.NoError(t, errs[i], "callers load %v at the same time, and Load(%d) was expected to return its product's name", tt.keys, key)
				require.Equal(t, fmt.Sprintf("product %d", key), got[i], "callers load %v at the same time, and Load(%d) was expected to return its own product's name", tt.keys, key)
			}
			for _, b := range batches {
				require.LessOrEqual(t, len(b), 2, "callers load %v at the same time, and a batch was expected to have at most 2 keys; one was %v", tt.keys, b)
				require.Len(t, slices.Compact(slices.Clone(b)), len(b), "callers load %v at the same time, and a batch was expected to have each key once; one was %v", tt.keys, b)
			}
			require.LessOrEqual(t, len(slices.Concat(batches...)), len(tt.keys), "callers load %v at the same time, and no batch was expected to be sent twice; they were %v", tt.keys, batches)
		})
	}

	// The same freely, on all processors, for the race detector.
	const callers, rounds, maxBatch = 16, 40, 7
	// Fetch tells each caller what its batch was like, and each caller has a place
	// of its own for the answer: nothing but the loader orders the goroutines.
	type answer struct{ square, keys, different int }
	fetch := func(_ context.Context, keys []int) (map[int]answer, error) {
		answers := map[int]answer{}
		for _, k := range keys {
			answers[k] = answer{square: k * k, keys: len(keys)}
		}
		for k, a := range answers {
			a.different = len(answers)
			answers[k] = a
		}
		return answers, nil
	}
	for round := range 10 {
		var wrong [callers]string
		bubble.Run(t, func(t *testing.T) {
			l := nplusone.NewLoader(nplusone.LoaderConfig[int, answer]{Window: time.Millisecond, MaxBatch: maxBatch, Fetch: fetch})
			var all sync.WaitGroup
			for c := range callers {
				all.Go(func() {
					for n := range rounds {
						key := 1 + (c*n+round)%23
						got, err := l.Load(t.Context(), key)
						switch {
						case err != nil || got.square != key*key:
							wrong[c] = fmt.Sprintf("Load(%d) was expected to return the square of its key; it returned %d and %v", key, got.square, err)
						case got.keys > maxBatch:
							wrong[c] = fmt.Sprintf("a batch was expected to have at most %d keys, and had %d", maxBatch, got.keys)
						case got.keys != got.different:
							wrong[c] = fmt.Sprintf("a batch was expected to have each key once, and had %d keys of which %d differ", got.keys, got.different)
						}
					}
				})
			}
			all.Wait()
		})
		for _, w := range wrong {
			require.Empty(t, w, "%d callers load at once, round %d: %s", callers, round+1, w)
		}
	}
}

// An error of the database is returned, whichever statement fails, and nothing stays open.
func TestFurtherErrors(t *testing.T) {
	bubble.Run(t, func(t *testing.T) { // a goroutine left over would fail it
		s := many(t, 10, 30, 2, 2, 50)
		with := nplusone.With{Lines: true, Products: true, Payments: true}
		rec := s.ask(t, span(1, 30), with, func(id int) *nplusone.Order { return wanted(id, 2, 2, 50, with) })
		keep, err := s.DB.Conn(t.Context()) // a database in memory lives as long as a connection to it
		require.NoError(t, err)
		defer keep.Close()
		total := len(rec.Statements)
		for _, tt := range []struct {
			rows int64
			how  string
		}{{0, "in place of its rows"}, {sqlprobe.BeforeFirstRow, "in place of its first row"}, {1, "after its first row"}} {
			for n := range total {
				fault := s.probe.Inject(sqlprobe.Fault{Pattern: "SELECT", Skip: n, Times: 1, Err: sqlprobe.ErrConnectionLost, AfterRows: tt.rows})
				var err error
				rec := s.probe.Record(func() { _, err = s.Orders(t.Context(), span(1, 30), with) })
				require.ErrorIs(t, err, sqlprobe.ErrConnectionLost, "the connection was lost at statement %d of %d, %s, and Orders was expected to return the error%s", n+1, total, tt.how, story(rec))
				says(t, rec.CheckRowsClosed(), "statement %d of %d failed", n+1, total)
				says(t, rec.CheckConnsReturned(), "statement %d of %d failed", n+1, total)
				fault.Remove()
			}
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = s.Orders(over, span(1, 30), with)
		require.ErrorIs(t, err, context.Canceled, "the context had ended, and Orders was expected to return its error")
	})
}

func sizes(batches [][]int64) []int {
	var n []int
	for _, b := range batches {
		n = append(n, len(b))
	}
	return n
}
