package nplusone_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/nplusone"
	"github.com/backend-kata/dojo/pkg/apart"
	"github.com/backend-kata/dojo/pkg/interleave"
	"github.com/backend-kata/dojo/pkg/sqlprobe"
)

// Every id has an entry, in the order of the ids: the order with its lines by position, or nil.
// An order without lines is an order all the same, and an id may come twice.
func TestTheRightAnswer(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		s := open(t, 100, `
			INSERT INTO orders VALUES (1, 'ada'), (0, 'Bö, "b"|;:\'), (-3, ''), (9, 'dan'), (4611686018427387905, 'eve'), (2, 'fay');
			INSERT INTO lines VALUES (1, 30, 7, 1), (1, -9, 8, 2), (1, -10, 7, 3), (-3, 0, 9, 4), (5, 1, 7, 5), (9, 1, 7, 6),
				(4611686018427387905, 4611686018427387905, 4611686018427387905, 4611686018427387905);
			INSERT INTO lines SELECT 2, value, 7, 1 FROM `+mixed+`;
			INSERT INTO products VALUES (7, 'pen', 100);
			INSERT INTO payments VALUES (1, 1, 500)`) // which nobody asks for here
		const large = 4611686018427387905
		orders := map[int]*nplusone.Order{
			1: {ID: 1, Customer: "ada", Lines: []nplusone.Line{
				{Position: -10, ProductID: 7, Quantity: 3}, {Position: -9, ProductID: 8, Quantity: 2}, {Position: 30, ProductID: 7, Quantity: 1},
			}},
			0:     {ID: 0, Customer: `Bö, "b"|;:\`},
			-3:    {ID: -3, Lines: []nplusone.Line{{Position: 0, ProductID: 9, Quantity: 4}}},
			large: {ID: large, Customer: "eve", Lines: []nplusone.Line{{Position: large, ProductID: large, Quantity: large}}},
			2:     {ID: 2, Customer: "fay"},
		}
		for _, position := range far {
			orders[2].Lines = append(orders[2].Lines, nplusone.Line{Position: position, ProductID: 7, Quantity: 1})
		}
		for _, ids := range [][]int64{
			{1},
			{-3, 0, 1},
			{0, -3, 1},            // in the order of the ids
			{0, 5, 1, 4},          // there is no order 4, nor 5, though 5 has a line
			{-3, 1, -3, 1, 1},     // twice and more
			{large - 1, large, 1}, // two that are one as a float64
			{4},
			{2}, // whose positions are far apart
		} {
			s.ask(t, ids, nplusone.With{Lines: true}, func(id int) *nplusone.Order { return orders[id] })
		}
		s.ask(t, []int64{0, 1}, nplusone.With{}, func(id int) *nplusone.Order {
			return &nplusone.Order{ID: int64(id), Customer: orders[id].Customer}
		})
		for _, with := range []nplusone.With{{}, {Lines: true}, {Lines: true, Products: true, Payments: true}} {
			says(t, s.ask(t, nil, with, nil).CheckCount(0), "without ids there is nothing to query")
			says(t, s.ask(t, []int64{}, with, nil).CheckCount(0), "without ids there is nothing to query")
		}
	})
}

// The number of statements is the same for 10 orders and for 1,000, and so is the work for the same orders in a larger table.
func TestStatementCount(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		with := nplusone.With{Lines: true}
		want := func(id int) *nplusone.Order { return wanted(id, 3, 0, 50, with) }
		s := many(t, 32766, 1000, 3, 0, 50)
		says(t, s.ask(t, span(1, 10), with, want).CheckAtMost(2), "10 orders with lines are in two tables")
		says(t, s.ask(t, span(1, 1000), with, want).CheckAtMost(2), "1,000 orders with lines are in two tables")
		bare := s.ask(t, span(1, 10), nplusone.With{}, func(id int) *nplusone.Order { return wanted(id, 0, 0, 50, nplusone.With{}) })
		says(t, bare.CheckAtMost(1), "10 orders with nothing else are in one table")

		small := many(t, 32766, 100, 3, 0, 50).ask(t, span(1, 10), with, want)
		large := many(t, 32766, 2000, 3, 0, 50).ask(t, span(1, 10), with, want)
		says(t, sqlprobe.CheckWorkGrowth(small, large, 1.5), "the same 10 orders were read out of 100, and then out of 2,000")
	})
}

// One level further down, the products of all lines of all orders take one statement more.
// A line whose product is gone is a line all the same.
func TestNested(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		with := nplusone.With{Lines: true, Products: true}
		s := many(t, 32766, 400, 3, 0, 50)
		want := func(id int) *nplusone.Order { return wanted(id, 3, 0, 50, with) }
		says(t, s.ask(t, span(1, 10), with, want).CheckAtMost(3), "10 orders with lines and products are in three tables")
		says(t, s.ask(t, span(1, 400), with, want).CheckAtMost(3), "400 orders with lines and products are in three tables")

		_, err := s.DB.Exec("DELETE FROM products WHERE id % 2 = 0; DELETE FROM lines WHERE order_id = 30")
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
		bare := s.ask(t, []int64{30}, with, func(id int) *nplusone.Order { return wanted(id, 0, 0, 50, with) })
		says(t, bare.CheckAtMost(2), "an order without lines has no products to ask for")

		_, err = s.DB.Exec(`UPDATE lines SET product_id = 10 - position WHERE order_id = 4;
			INSERT INTO products VALUES (0, 'sample', 0), (-10, 'voucher', -5)`)
		require.NoError(t, err)
		s.ask(t, []int64{4}, with, func(id int) *nplusone.Order {
			o := wanted(id, 3, 0, 50, nplusone.With{Lines: true})
			o.Lines[0].ProductID, o.Lines[1].ProductID, o.Lines[2].ProductID = 0, -10, -20
			o.Lines[0].Product, o.Lines[1].Product = &nplusone.Product{Name: "sample"}, &nplusone.Product{ID: -10, Name: "voucher", Cents: -5}
			return o
		})

		read := func(n int) *sqlprobe.Recording {
			return many(t, 32766, n, 3, 0, n).ask(t, span(1, 10), with, func(id int) *nplusone.Order { return wanted(id, 3, 0, n, with) })
		}
		says(t, sqlprobe.CheckWorkGrowth(read(100), read(2000), 1.5), "the same 10 orders were read out of 100, and then out of 2,000")
	})
}

// With more keys than the database takes parameters, there is one statement for each MaxParameters different keys.
func TestManyKeys(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		const limit = 40
		with := nplusone.With{Lines: true, Products: true}
		s := many(t, limit, 200, 2, 0, 100)
		_, err := s.DB.Exec("UPDATE lines SET product_id = order_id % 40 + 1 WHERE order_id <= 100") // 40 products
		require.NoError(t, err)
		want := func(id int) *nplusone.Order {
			o := wanted(id, 2, 0, 100, with)
			for i := range o.Lines {
				if id <= 100 {
					n := int64(id%40 + 1)
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
			{span(1, 39), 3, "39 orders of 39 products are one chunk each"},
			{span(1, 40), 3, "40 orders of 40 products are one chunk each, just"},
			{twice, 3, "40 orders that are asked for twice are 40 keys"},
			{span(1, 41), 5, "41 orders are two chunks, and so are the keys of their lines; 40 products are one"},
			{span(1, 80), 5, "80 orders are two chunks, and so are the keys of their lines; 40 products are one"},
			{span(1, 100), 7, "100 orders are three chunks, and so are the keys of their lines; 40 products are one"},
			{span(1, 200), 13, "200 orders are five chunks, and so are the keys of their lines; 100 products are three"},
		} {
			rec := s.ask(t, tt.ids, with, want)
			says(t, rec.CheckAtMost(tt.most), "%d ids, and %d parameters to a statement: %s", len(tt.ids), limit, tt.why)
		}
		one := many(t, 1, 3, 1, 0, 9).ask(t, span(1, 3), with, func(id int) *nplusone.Order { return wanted(id, 1, 0, 9, with) })
		says(t, one.CheckAtMost(9), "3 orders with a line each of a product of its own, and one parameter to a statement")
	})
}

// Two collections of one order do not multiply: the work follows the sum of the lines and payments that are asked for.
func TestTwoCollections(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		with := nplusone.With{Lines: true, Products: true, Payments: true}
		read := func(n int) *sqlprobe.Recording {
			t.Helper()
			s := many(t, 32766, 5, n, n, 50)
			rec := s.ask(t, span(1, 5), with, func(id int) *nplusone.Order { return wanted(id, n, n, 50, with) })
			says(t, rec.CheckAtMost(4), "5 orders with lines, products and payments are in four tables")
			return rec
		}
		says(t, sqlprobe.CheckWorkGrowth(read(20), read(200), 12), "5 orders with 20 lines and 20 payments each, and then with 200 and 200")

		only := nplusone.With{Payments: true}
		want := func(id int) *nplusone.Order { return wanted(id, 0, 2, 50, only) }
		small, large := many(t, 40, 100, 0, 2, 0), many(t, 40, 2000, 0, 2, 0)
		says(t, small.ask(t, span(1, 40), only, want).CheckAtMost(2), "40 orders with payments, and 40 parameters to a statement")
		says(t, small.ask(t, span(1, 81), only, want).CheckAtMost(6), "81 orders with payments, and 40 parameters to a statement")
		says(t, sqlprobe.CheckWorkGrowth(small.ask(t, span(1, 10), only, want), large.ask(t, span(1, 10), only, want), 1.5),
			"the same 10 orders with payments were read out of 100, and then out of 2,000")

		for _, with := range []nplusone.With{{}, {Lines: true}, {Payments: true}, {Lines: true, Payments: true}, {Lines: true, Products: true}} {
			s := many(t, 100, 5, 3, 3, 50)
			_, err := s.DB.Exec("DROP TABLE " + parts(with, false, "; DROP TABLE "))
			require.NoError(t, err)
			t.Tell("orders with %s are asked for; what is not asked for has no table: %s", named(with), parts(with, false, ", "))
			s.ask(t, span(1, 5), with, func(id int) *nplusone.Order { return wanted(id, 3, 3, 50, with) })
		}

		s := open(t, 100, `
			INSERT INTO orders VALUES (1, 'ada'), (2, 'bob'), (3, 'cyd'), (5, 'dot');
			INSERT INTO lines VALUES (1, 1, 7, 1), (1, 2, 7, 1), (2, 1, 7, 1);
			INSERT INTO payments VALUES (1, 1, 500), (1, 2, 500), (3, 2, 30), (3, 1, 40), (4, 1, 50); -- 4 is gone
			INSERT INTO payments SELECT 5, value, 60 FROM `+mixed)
		orders := map[int]*nplusone.Order{
			1: {
				ID: 1, Customer: "ada",
				Lines:    []nplusone.Line{{Position: 1, ProductID: 7, Quantity: 1}, {Position: 2, ProductID: 7, Quantity: 1}},
				Payments: []nplusone.Payment{{Position: 1, Cents: 500}, {Position: 2, Cents: 500}},
			},
			2: {ID: 2, Customer: "bob", Lines: []nplusone.Line{{Position: 1, ProductID: 7, Quantity: 1}}},
			3: {ID: 3, Customer: "cyd", Payments: []nplusone.Payment{{Position: 1, Cents: 40}, {Position: 2, Cents: 30}}},
			5: {ID: 5, Customer: "dot"},
		}
		for _, position := range far {
			orders[5].Payments = append(orders[5].Payments, nplusone.Payment{Position: position, Cents: 60})
		}
		s.ask(t, []int64{1, 2, 3, 4, 5}, nplusone.With{Lines: true, Payments: true}, func(id int) *nplusone.Order { return orders[id] })
		s.ask(t, []int64{3}, nplusone.With{Payments: true}, func(id int) *nplusone.Order { return orders[id] })
	})
}

// Loads that come within the window become one statement, with each key once, and a batch that is full is sent at once.
// Each load has its own answer: a value, or that there is none; an error is that of one batch.
func TestLoaderBatches(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		l, c := loader(t, 100)
		rec := c.probe.Record(func() {
			loads := startAll(t, l, 1, 2, 3)
			time.Sleep(window - 1)
			loads = append(loads, startAll(t, l, 2, 4, 1)...)
			names(t, loads...)
			step.Equal(t, window, loads[0].Took(), "The first load opened the batch, and waits for the window.")
		})
		says(t, rec.CheckCount(1), "Six loads came within the window")
		step.Equal(t, []int64{1, 2, 3, 4}, slices.Sorted(slices.Values(c.batches()[0])), "Four keys, two of them twice: each is asked for once.")

		time.Sleep(time.Hour)
		late := startAll(t, l, 5)
		time.Sleep(window + 1)
		later := startAll(t, l, 6)
		names(t, append(late, later...)...)
		step.Equal(t, [][]int64{{5}, {6}}, c.batches()[1:], "Two loads came after each other's window, so they are two batches.")
		step.Equal(t, window, later[0].Took(), "Each batch has a window of its own, which begins with its first load.")
	})
	step.Bubble(t, func(t *step.T) {
		l, c := loader(t, 5)
		loads := startAll(t, l, 1, 2, 1, 3, 4)
		step.Equal(t, 0, len(c.batches()), "Four different keys do not fill a batch of five, and the window is not over. Batches sent:")
		loads = append(loads, startAll(t, l, 5)...)
		step.Expect(t, !loads[0].Waits(), "The fifth key fills the batch, and it should be sent at once.")
		time.Sleep(window / 2)
		began := time.Now()
		loads = append(loads, startAll(t, l, span(6, 17)...)...)
		names(t, loads...)
		step.Equal(t, []int{5, 5, 5, 2}, sizes(c.batches()), "17 keys are asked for in batches of at most five.")
		step.Equal(t, window, c.seen()[3].at.Sub(began), "The window of the last batch begins with its own first load, and ends after:")
		l, _ = loader(t, 1)
		load := start(t, l, t.Context(), 1)
		step.Expect(t, !load.Waits(), "MaxBatch is 1, so the first key fills the batch, and it should be sent at once.")
		names(t, load)
	})
	step.Bubble(t, func(t *step.T) { // what Fetch may return
		type key [2]string
		known, broken := map[key]string{{"a b", "c"}: "", {"a", "b c"}: "another"}, error(nil)
		fetch := func(context.Context, []key) (map[key]string, error) { return known, broken }
		l := nplusone.NewLoader(nplusone.LoaderConfig[key, string]{Window: window, MaxBatch: 2, Fetch: fetch})
		load := func(a, b string) answer {
			name, err := l.Load(t.Context(), key{a, b})
			return answer{name, err}
		}
		empty := step.Start(t, func() answer { return load("a b", "c") })
		step.Equal(t, "another", load("a", "b c").name, "Two keys that print the same are two, and each has its value.")
		step.NoError(t, empty.Result().err, "The key is in the map, with an empty value, and Load should return that.")
		step.Equal(t, "", empty.Result().name, "The key is in the map, with an empty value.")
		step.Equal(t, 0, empty.Took(), "Two keys that print the same are two, and fill a batch of two. The first one waited:")
		known, broken = map[key]string{{"d", "e"}: "a value"}, errBroken
		step.Equal(t, errBroken, load("d", "e").err, "Fetch returned an error along with a map.")
		known, broken = nil, nil
		step.Equal(t, nplusone.ErrNotFound, load("f", "g").err, "Fetch returned a nil map and no error.")
	})
	step.Bubble(t, func(t *step.T) {
		l, c := loader(t, 100)
		c.fails[2] = errBroken
		loads := startAll(t, l, 1, 777, 2)
		names(t, loads[0], loads[2])
		step.Expect(t, !loads[1].Waits(), "There is no product 777, and Load should say so with the others' answers.")
		step.Equal(t, nplusone.ErrNotFound, loads[1].Result().err, "There is no product 777.")

		c.slow(time.Second)
		second := startAll(t, l, 3, 4)
		time.Sleep(window + 1) // the second batch is sent, and fails in a second
		third := startAll(t, l, 5, 3)
		names(t, third...)
		step.Equal(t, window+time.Second, third[0].Took(), "The third batch has its window and its Fetch, and does not wait for the second.")
		for _, d := range second {
			step.Equal(t, errBroken, d.Result().err, "The second Fetch failed, and every load of its batch gets the error.")
			step.Equal(t, window+time.Second, d.Took(), "The loads of the second batch learn at once that Fetch failed.")
		}
	})
	for _, tt := range []struct {
		how string
		end func()
	}{
		{"panicked", func() { panic("broken") }},
		{"panicked with an error around ErrNotFound", func() { panic(fmt.Errorf("the map has no such key: %w", nplusone.ErrNotFound)) }},
		{"called runtime.Goexit", runtime.Goexit},
	} {
		step.Bubble(t, func(t *step.T) {
			fetch := func(_ context.Context, keys []int64) (map[int64]string, error) {
				if slices.Contains(keys, 1) {
					tt.end()
				}
				return map[int64]string{2: "product 2"}, nil
			}
			l := nplusone.NewLoader(nplusone.LoaderConfig[int64, string]{Window: window, MaxBatch: 9, Fetch: fetch})
			loads := startAll(t, l, 1, 3)
			time.Sleep(window)
			for _, d := range loads {
				step.Expect(t, !d.Waits(), "Fetch %s, and Load(%d) of its batch should return an error. It still waits.", tt.how, d.key)
				step.Expect(t, d.Result().err != nil && !errors.Is(d.Result().err, nplusone.ErrNotFound),
					"Fetch %s, and Load(%d) of its batch should return an error that is no ErrNotFound. It returned: %v", tt.how, d.key, d.Result().err)
			}
			names(t, startAll(t, l, 2)...)
		})
	}
}

// A caller that gives up gets its context's error at once, and the others of its batch get their values.
// Any number of callers may load at the same time.
func TestLoaderCancellation(t *testing.T) {
	for _, tt := range []struct {
		gaveUp time.Duration
		when   string
	}{
		{window / 2, "while the batch was open"},
		{window + time.Second/2, "while the batch was being fetched"},
	} {
		for who := range 3 {
			step.Bubble(t, func(t *step.T) {
				l, c := loader(t, 100)
				c.slow(time.Second)
				var loads []load
				for i := range 3 {
					ctx := t.Context()
					if i == who {
						ctx = within(t, tt.gaveUp)
					}
					loads = append(loads, start(t, l, ctx, int64(i+1)))
				}
				time.Sleep(tt.gaveUp)
				what := fmt.Sprintf("Load %d of 3 gave up %s", who+1, tt.when)
				t.Tell("load %d of 3 gives up %s", who+1, tt.when)
				givesUp(t, loads[who], what)
				for i, d := range loads {
					if i != who {
						step.NoError(t, d.Result().err, "%s, and load %d should get its value all the same.", what, i+1)
						step.Equal(t, window+time.Second, d.Took(), "%s, and the others' batch has its window and its Fetch as before.", what)
					}
				}
				names(t, slices.Delete(loads, who, who+1)...)
				step.Equal(t, 1, len(c.batches()), "The loads that go on stay in their batch. Batches sent:")
			})
		}
	}
	step.Bubble(t, func(t *step.T) {
		l, c := loader(t, 100)
		over, cancel := context.WithCancel(t.Context())
		cancel()
		for key := range int64(20) {
			d := start(t, l, over, 100+key)
			step.Expect(t, !d.Waits(), "The context had ended before Load was called, and Load should return at once.")
			step.Equal(t, context.Canceled, d.Result().err, "The context had ended before Load was called.")
		}
		loads := startAll(t, l, 1)
		for key := range int64(20) {
			loads = append(loads, start(t, l, over, 200+key))
		}
		names(t, loads[0])
		step.Equal(t, [][]int64{{1}}, c.batches(), "Loads whose context had ended are not asked for.")
	})
	step.Bubble(t, func(t *step.T) {
		l, c := loader(t, 2)
		c.slow(time.Second)
		first := start(t, l, t.Context(), 1)
		filler := start(t, l, within(t, time.Second/2), 2)
		time.Sleep(time.Second / 2)
		givesUp(t, filler, "The load that filled the batch gave up while it was being fetched")
		names(t, first)
		c.slow(0)
		brief, second := start(t, l, within(t, window/2), 3), start(t, l, t.Context(), 3)
		time.Sleep(window / 2)
		givesUp(t, brief, "The first of two loads of one key gave up")
		time.Sleep(window / 2)
		step.Expect(t, !second.Waits(), "The first of two loads of one key gave up, and the second should get its value. It still waits.")
		names(t, second)
	})
	step.Bubble(t, func(t *step.T) {
		type loader = *nplusone.Loader[int, int]
		fetch := func(_ context.Context, keys []int) (map[int]int, error) { return map[int]int{keys[0]: 1}, nil }
		apart.Pairs(t.T, func() loader {
			return nplusone.NewLoader(nplusone.LoaderConfig[int, int]{Window: window, MaxBatch: 2, Fetch: fetch})
		},
			apart.Call[loader]{Name: "a Load whose window ends", Do: func(l loader) { l.Load(t.Context(), 1) }},
			apart.Call[loader]{Name: "a Load that gives up", Do: func(l loader) { l.Load(within(t, window/2), 1) }},
			apart.Call[loader]{Name: "two Loads that fill a batch", Do: func(l loader) {
				go l.Load(within(t, window/2), 1)
				synctest.Wait()
				l.Load(t.Context(), 2)
			}},
		)
	})
}

// Nothing is kept: a load after its batch was sent asks again, and sees what has changed.
func TestFurtherNothingKept(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		l, c := loader(t, 100)
		names(t, startAll(t, l, 1)...)
		_, err := c.DB.Exec("UPDATE products SET name = 'another' WHERE id = 1")
		require.NoError(t, err)
		again := start(t, l, t.Context(), 1)
		step.NoError(t, again.Result().err, "The second load of key 1 should return its product's name.")
		step.Equal(t, "another", again.Result().name, "The product got another name after the first load, and the second sees it.")

		step.Equal(t, nplusone.ErrNotFound, start(t, l, t.Context(), 777).Result().err, "There is no product 777.")
		_, err = c.DB.Exec("INSERT INTO products VALUES (777, 'product 777', 1)")
		require.NoError(t, err)
		names(t, startAll(t, l, 777)...) // there is one now

		c.slow(time.Minute)
		var loads []load
		for _, key := range []int64{2, 3, 2} {
			loads = append(loads, startAll(t, l, key)...)
			time.Sleep(time.Second) // the batch is being fetched, and so are those before
		}
		names(t, loads...)
		step.Equal(t, [][]int64{{2}, {3}, {2}}, c.batches()[4:], "A load that comes while its key is being fetched asks again.")
	})
}

// Once nobody waits for a batch any more, the context of its Fetch ends, and not before.
func TestFurtherAllGiveUp(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		l, c := loader(t, 100)
		c.slow(time.Hour)
		for n, early := range []time.Duration{time.Second, window / 2} {
			var loads []load
			for i, patience := range []time.Duration{early, time.Second, time.Minute, time.Second, early, 0} {
				loads = append(loads, start(t, l, within(t, patience), int64(i/2+1)))
			}
			time.Sleep(2 * time.Second)
			step.Equal(t, n+1, len(c.seen()), "The loads within the window are one batch. Batches sent:")
			step.NoError(t, c.seen()[n].ctx.Err(), "One load of the batch still waits, so the context of Fetch should go on.")
			time.Sleep(time.Minute)
			step.Expect(t, c.seen()[n].ctx.Err() != nil, "The first loads gave up after %v, the last one after a minute. "+
				"Nobody waits any more, and the context of Fetch should end. It goes on.", early)
			for _, d := range loads {
				givesUp(t, d, "Each load gave up")
			}
		}

		// The same before the batch is sent: the next load is as if they had never been.
		c.slow(0)
		first, last := start(t, l, within(t, window/4), 3), start(t, l, within(t, window/2), 3)
		time.Sleep(window / 2)
		givesUp(t, first, "The first of two loads gave up")
		givesUp(t, last, "The second of two loads gave up")
		after := start(t, l, t.Context(), 4)
		const what = "All loads gave up before their batch was sent, and the next one"
		step.NoError(t, after.Result().err, what+" should open a batch of its own.")
		step.Equal(t, window, after.Took(), what+" opens a batch of its own, with a window of its own.")
		calls := c.seen()
		step.Equal(t, []int64{4}, calls[len(calls)-1].keys, what+" opens a batch without their keys.")
		for _, f := range calls[2 : len(calls)-1] {
			step.Expect(t, f.over, "All loads of %v gave up before Fetch was called, so its context should have ended. It had not.", f.keys)
		}
		c.slow(24 * time.Hour)
		names(t, startAll(t, l, 5)...) // the context of Fetch lasts as long as somebody waits
	})
}

// Callers at the same time: in every order of their turns each gets its own value, no batch is too large, and no key comes twice in one.
func TestFurtherAtOnce(t *testing.T) {
	for _, tt := range []struct {
		keys   []int
		late   bool // the window may end at any moment
		gaveUp bool // the first caller may give up at any moment
	}{
		{keys: []int{1, 2, 3}},
		{keys: []int{1, 1, 2}},
		{keys: []int{1, 2}, late: true},
		{keys: []int{1, 2}, gaveUp: true},
	} {
		step.Explore(t, func(t *step.T, x *interleave.Schedule) {
			var mu sync.Mutex // two batches may be fetched at a time
			var batches [][]int
			fetch := func(ctx context.Context, keys []int) (map[int]string, error) {
				keys = slices.Sorted(slices.Values(keys))
				x.Point("Fetch %v", keys)
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				mu.Lock()
				batches = append(batches, keys)
				mu.Unlock()
				values := map[int]string{}
				for _, key := range keys {
					values[key] = fmt.Sprintf("product %d", key)
				}
				return values, nil
			}
			l := nplusone.NewLoader(nplusone.LoaderConfig[int, string]{Window: window, MaxBatch: 2, Fetch: fetch})
			got, errs := make([]string, len(tt.keys)), make([]error, len(tt.keys))
			first, giveUp := context.WithCancel(t.Context())
			defer giveUp()
			contexts := []context.Context{first, t.Context(), t.Context()}
			for i, key := range tt.keys {
				x.Go(fmt.Sprintf("Load(%d)", key), func() {
					got[i], errs[i] = l.Load(contexts[i], key)
					x.Note("%q, %v", got[i], errs[i])
				})
			}
			if tt.late {
				x.Go("the clock", func() { x.Pass(window) })
			}
			if tt.gaveUp {
				x.Go("the first one's context", func() {
					x.Point("ends")
					giveUp()
				})
			}
			x.Run()
			what := fmt.Sprintf("Callers load %v at the same time", tt.keys)
			for i, key := range tt.keys {
				if i == 0 && tt.gaveUp && errors.Is(errs[i], context.Canceled) {
					continue
				}
				step.NoError(t, errs[i], "%s, and Load(%d) should return its product's name.", what, key)
				step.Equal(t, fmt.Sprintf("product %d", key), got[i], "%s, and Load(%d) returns its own product's name.", what, key)
			}
			for _, b := range batches {
				step.Expect(t, len(b) <= 2, "%s, and a batch should have at most 2 keys; one was %v.", what, b)
				step.Expect(t, len(slices.Compact(slices.Clone(b))) == len(b), "%s, and a batch should have each key once; one was %v.", what, b)
			}
			step.Expect(t, len(slices.Concat(batches...)) <= len(tt.keys), "%s, and no batch should be sent twice; they were %v.", what, batches)
		})
	}
}

// An error of the database, of a row or of the context is returned, whichever statement it comes from, and nothing stays open.
func TestFurtherErrors(t *testing.T) {
	step.Bubble(t, func(t *step.T) { // a goroutine left over would fail it
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
				step.Expect(t, errors.Is(err, sqlprobe.ErrConnectionLost),
					"The connection was lost at statement %d of %d, %s, and Orders should return the error. It returned %v%s",
					n+1, total, tt.how, err, story(rec))
				closed(t, rec, "Statement %d of %d failed", n+1, total)
				fault.Remove()
			}
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = s.Orders(over, span(1, 30), with)
		step.Equal(t, context.Canceled, err, "The context had ended, and Orders returns its error.")
		for n := range total {
			fault := s.probe.Inject(sqlprobe.Fault{Pattern: "SELECT", Skip: n, Times: 1, Latency: time.Hour})
			began := time.Now()
			rec := s.probe.Record(func() { _, err = s.Orders(within(t, time.Second), span(1, 30), with) })
			what := fmt.Sprintf("The context ended while statement %d of %d ran", n+1, total)
			step.Equal(t, context.DeadlineExceeded, err, "%s, and Orders returns its error.", what)
			step.Equal(t, time.Second, time.Since(began), "%s, and Orders returns at once, after:", what)
			says(t, rec.CheckRowsClosed(), "%s", what)
			fault.Remove()
		}
		for _, column := range [][2]string{{"lines", "quantity"}, {"products", "cents"}, {"payments", "cents"}} {
			set := func(value string) {
				_, err := s.DB.Exec(fmt.Sprintf("UPDATE %s SET %s = %s", column[0], column[1], value))
				require.NoError(t, err)
			}
			set("'many'")
			rec := s.probe.Record(func() { _, err = s.Orders(t.Context(), span(1, 30), with) })
			step.Expect(t, err != nil, "No %s of %s can be scanned, and Orders should return an error.%s", column[1], column[0], story(rec))
			closed(t, rec, "The %s of %s could not be scanned", column[1], column[0])
			set("1")
		}
	})
}
