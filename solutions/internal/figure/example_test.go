package figure_test

import (
	"fmt"

	"github.com/backend-kata/dojo/solutions/internal/figure"
)

// On a page's own test it is figure.Drawn(t, "putpatch-editors", figure.Lanes{…}).
func ExampleLanes() {
	fmt.Println(figure.Sample("lanes", figure.Lanes{
		Title:   "The second save is refused, not lost",
		Assume:  "Two editors of one document; the server compares If-Match with the ETag it holds.",
		Alt:     "Ann and Bob read version 7. Ann saves version 8. Bob's save of what he made of 7 gets 412.",
		Parties: []string{"Ann", "server", "Bob"},
		Steps: []figure.Step{
			{From: "Ann", To: "server", Words: "GET"},
			{From: "server", To: "Ann", Words: `200, ETag "7"`},
			{From: "server", To: "Bob", Words: `200, ETag "7"`},
			{From: "Bob", Words: "edits", Over: 5},
			{From: "Ann", To: "server", Words: `PUT, If-Match: "7"`, Role: figure.Right},
			{From: "server", Words: "version is now 8", Role: figure.Right},
			{From: "server", To: "Ann", Words: `204, ETag "8"`, Role: figure.Right, Lost: true},
			{From: "Bob", To: "server", Words: `PUT, If-Match: "7"`, Role: figure.Wrong},
			{From: "server", To: "Bob", Words: "412 Precondition Failed", Role: figure.Wrong},
		},
	}))
	// Output: as in testdata/lanes.svg
}

func ExampleStates() {
	fmt.Println(figure.Sample("states", figure.States{
		Title:  "A breaker lets one call try",
		Assume: "Opens after five failures in a row, for 30 s.",
		Alt:    "Closed leads to open after five failures, open to half-open after 30 s, half-open to closed or back to open.",
		States: []figure.Box{
			{Name: "closed", Note: "calls go through", Role: figure.Right},
			{Name: "open", Note: "calls fail at once", Role: figure.Wrong},
			{Name: "half-open", Note: "one call goes through", Role: figure.Halfway},
		},
		Arrows: []figure.Arrow{
			{From: "closed", To: "closed", Words: "success: the count starts again"},
			{From: "closed", To: "open", Words: "five failures in a row", Role: figure.Wrong},
			{From: "open", To: "half-open", Words: "after 30 s", Role: figure.Halfway},
			{From: "half-open", To: "open", Words: "the call fails", Role: figure.Wrong},
			{From: "half-open", To: "closed", Words: "the call succeeds", Role: figure.Right},
		},
	}))
	// Output: as in testdata/states.svg
}

func ExampleBoxes() {
	fmt.Println(figure.Sample("boxes", figure.Boxes{
		Title:  "Each hop gets what is left of the budget",
		Assume: "The client waits for one second; each service keeps 50 ms for its own work.",
		Alt:    "A client gives the gateway 1,000 ms, which gives 950 ms to orders and to prices; orders give 400 ms to payment.",
		Rows: [][]figure.Box{
			{{Name: "client", Note: "waits for 1 s"}},
			{{Name: "gateway", Note: "keeps 50 ms"}},
			{{Name: "orders", Note: "used 500 ms", Role: figure.Halfway}, {Name: "prices"}},
			{{Name: "payment"}, {Name: "bank", Note: "takes 2 s", Role: figure.Wrong}},
		},
		Arrows: []figure.Arrow{
			{From: "client", To: "gateway", Words: "1,000 ms left"},
			{From: "gateway", To: "orders", Words: "950 ms left"},
			{From: "gateway", To: "prices", Words: "950 ms left"},
			{From: "orders", To: "payment", Words: "400 ms left"},
			{From: "payment", To: "bank", Words: "350 ms left", Role: figure.Wrong},
			{From: "bank", To: "payment", Words: "too late", Role: figure.Wrong},
			{From: "orders", To: "client", Words: "202", Role: figure.Right},
		},
	}))
	// Output: as in testdata/boxes.svg
}

func ExampleQueues() {
	fmt.Println(figure.Sample("queues", figure.Queues{
		Title:  "A bound turns waiting into refusals",
		Assume: "Jobs arrive at 12 a second, and workers do 10 a second.",
		Alt:    "A queue without a bound holds twelve jobs and grows. One with a bound of six is full, and two jobs a second are refused.",
		Queues: []figure.Queue{
			{
				Name: "No bound", Role: figure.Wrong, Arrivals: "12 jobs/s", Waiting: 12,
				Words: "2 more every second, each waits longer", Workers: "two workers\n10 jobs/s",
			},
			{
				Name: "Room for six", Role: figure.Right, Arrivals: "12 jobs/s", Waiting: 6, Bound: 6,
				Words: "full: the last one waits 0.6 s", Refused: "2 jobs/s: 429", Workers: "two workers\n10 jobs/s",
			},
			{
				Name: "Half the load", Role: figure.Halfway, Arrivals: "5 jobs/s", Waiting: 1, Bound: 6,
				Words: "seldom more than one waits", Workers: "two workers\n10 jobs/s",
			},
		},
	}))
	// Output: as in testdata/queues.svg
}

func ExamplePages() {
	fmt.Println(figure.Sample("pages", figure.Pages{
		Title:  "A covering index never opens the table",
		Assume: "SELECT total FROM orders WHERE customer = 7; four rows of a page are shown.",
		Alt:    "Without the total in the index each of three entries leads to another page of the table. With it, none does.",
		Lookups: []figure.Lookup{
			{
				Name: "INDEX (customer)", Role: figure.Wrong, Index: "leaf entries", Table: "pages of the table", Pages: 4,
				Entries: []figure.Entry{
					{Key: "6"},
					{Key: "7", Read: true, Page: 3, Row: 1},
					{Key: "7", Read: true, Page: 1, Row: 4},
					{Key: "7", Read: true, Page: 4, Row: 2},
					{Key: "8"},
				},
				Words: "three entries, three pages",
			},
			{
				Name: "INDEX (customer) INCLUDE (total)", Role: figure.Right, Index: "leaf entries", Table: "pages of the table", Pages: 4,
				Entries: []figure.Entry{
					{Key: "6 · 12.00"}, {Key: "7 · 80.00", Read: true}, {Key: "7 · 15.50", Read: true}, {Key: "7 · 9.99", Read: true}, {Key: "8 · 3.20"},
				},
				Words: "three entries, no page",
			},
		},
	}))
	// Output: as in testdata/pages.svg
}

func ExampleWaterfall() {
	var loop [][2]float64
	for i := range 41 {
		loop = append(loop, [2]float64{float64(i), float64(i) + 1})
	}
	fmt.Println(figure.Sample("waterfall", figure.Waterfall{
		Title:  "Forty-one round trips or two",
		Assume: "A page of 40 posts with their authors; 1 ms from the server to the database and back.",
		Alt:    "One query for the posts and forty for their authors take 41 ms one after the other; two queries take 2 ms.",
		X:      figure.Axis{Label: "ms", Scale: figure.Linear(0, 41), Ticks: figure.Even(0, 40, 10, "%g")},
		Ways: []figure.Way{
			{Name: "a query for each author: 41 ms", Role: figure.Wrong, Calls: loop},
			{Name: "one query for all authors: 2 ms", Role: figure.Right, Calls: [][2]float64{{0, 1}, {1, 2}}},
		},
	}))
	// Output: as in testdata/waterfall.svg
}

func ExampleChart() {
	fmt.Println(figure.Sample("chart", figure.Chart{
		Title:  "Past its capacity the server does less",
		Assume: "One server that does 100 requests a second.",
		Alt:    "Answers in time by offered load: they follow the load up to 100 a second, and fall to nothing at 150.",
		X:      figure.Axis{Label: "requests a second", Scale: figure.Linear(0, 200), Ticks: figure.Even(0, 200, 50, "%g")},
		Y:      figure.Axis{Label: "answers in time, a second", Scale: figure.Linear(0, 125), Ticks: figure.Even(0, 125, 25, "%g")},
		Lines: []figure.Line{
			{Name: "offered", Role: figure.Offered, Points: [][2]float64{{0, 0}, {125, 125}}, Label: figure.Place{X: 108, Y: 118, End: true}},
			{
				Name: "no limit", Role: figure.Wrong, Points: [][2]float64{{0, 0}, {50, 50}, {100, 100}, {110, 30}, {150, 0}, {200, 0}},
				Dots: true, Label: figure.Place{X: 142, Y: 9},
			},
			{Name: "with a limit", Role: figure.Right, Points: [][2]float64{{0, 0}, {100, 100}, {200, 97}}, Label: figure.Place{X: 140, Y: 104}},
		},
		Marks: []figure.Mark{{X: 110, Y: 30, Name: "30 at 110", Role: figure.Wrong}},
		Spans: []figure.Span{{Name: "overload", From: 100, To: 200}},
	}))
	// Output: as in testdata/chart.svg
}
