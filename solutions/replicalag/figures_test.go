//go:build solutions && !race

package replicalag_test

import (
	"context"
	"fmt"
	"math"
	"sort"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/solutions/internal/figure"
	"github.com/backend-kata/dojo/solutions/internal/numbers"
	"github.com/backend-kata/dojo/solutions/replicalag"
)

// The figure and the numbers of docs/replicalag.md come from here. With -v the tests print the numbers; make figures draws.

// A fleet is a primary and three replicas. At 30 s the replicas stop for 5 s, and take 5 s more to catch up.
type fleet struct {
	start time.Time

	mu     sync.Mutex  // guards the rest
	writes []time.Time // when each was committed; a position is a number of writes
	asked  []time.Time // reads of the primary
}

const (
	stopAt  = 30 * time.Second
	stopFor = 5 * time.Second
	warm    = 12 * time.Second
	end     = 60 * time.Second
)

// usual is each replica's lag while all is well.
var usual = []time.Duration{60 * time.Millisecond, 80 * time.Millisecond, 100 * time.Millisecond}

// seen is the time up to which a replica has the writes.
func (f *fleet) seen(replica int) time.Time {
	at := time.Since(f.start)
	lag := max(0, min(at-stopAt, stopAt+2*stopFor-at))
	return time.Now().Add(-lag - usual[replica])
}

// upTo counts the writes that were committed up to a time.
func (f *fleet) upTo(at time.Time) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return int64(sort.Search(len(f.writes), func(i int) bool { return f.writes[i].After(at) }))
}

// The rest makes it what the Router wants. A row is a position in decimals, the one that the server has.

func text(offset int64) string { return strconv.FormatInt(offset, 10) }

func (f *fleet) Write(context.Context, string, string) (replicalag.Position, error) {
	time.Sleep(time.Millisecond)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes = append(f.writes, time.Now())
	return replicalag.Position{Timeline: 1, Offset: int64(len(f.writes))}, nil
}

func (f *fleet) Read(context.Context, string) (string, replicalag.Position, error) {
	time.Sleep(time.Millisecond)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, time.Now())
	n := int64(len(f.writes))
	return text(n), replicalag.Position{Timeline: 1, Offset: n}, nil
}

type replica struct {
	*fleet
	number int
}

func (r replica) Open(context.Context) (replicalag.Conn, error) { return r, nil }

// travel differs a little, so that no two replicas answer in one instant and each run is the same.
func (r replica) travel() {
	time.Sleep(time.Millisecond + time.Duration(r.number)*100*time.Microsecond)
}

func (r replica) State(context.Context) (replicalag.State, error) {
	r.travel()
	at := r.seen(r.number)
	return replicalag.State{Position: replicalag.Position{Timeline: 1, Offset: r.upTo(at)}, Heartbeat: at, Commit: at}, nil
}

func (r replica) Read(context.Context, string) (string, error) {
	r.travel()
	return text(r.upTo(r.seen(r.number))), nil
}

func (r replica) Wait(ctx context.Context, _ int64) error { <-ctx.Done(); return ctx.Err() } // nobody calls it here
func (r replica) Close()                                  {}

// A client is one user's session.
type client struct {
	turn    int       // which replica is next
	wrote   time.Time // last
	written int64     // where
	token   string
	highest int64 // that it has been shown
}

// A way is how reads are routed. It returns the position that the row shows, and whether the row is said to be stale.
type way struct {
	name string
	read func(f *fleet, r *replicalag.Router, c *client) (shown int64, stale bool)
	rate int // of the Router
}

func (f *fleet) askPrimary() int64 {
	_, at, _ := f.Read(context.Background(), "")
	return at.Offset
}

func (f *fleet) askReplica(number int) int64 {
	replica{f, number}.travel()
	return f.upTo(f.seen(number))
}

func (c *client) next() int {
	c.turn++
	return c.turn % len(usual)
}

func byRouter(_ *fleet, r *replicalag.Router, c *client) (int64, bool) {
	got, err := r.Read(context.Background(), "", replicalag.Want{Token: c.token, OrStale: true})
	if err != nil {
		panic(err)
	}
	c.token = got.Token
	n, _ := strconv.ParseInt(got.Value, 10, 64)
	return n, got.Stale
}

var ways = []way{
	{name: "any replica", read: func(f *fleet, _ *replicalag.Router, c *client) (int64, bool) {
		return f.askReplica(c.next()), false
	}},
	{name: "primary for 2 s after a write", read: func(f *fleet, _ *replicalag.Router, c *client) (int64, bool) {
		if time.Since(c.wrote) < 2*time.Second {
			return f.askPrimary(), false
		}
		return f.askReplica(c.next()), false
	}},
	{name: "token, else the primary", read: func(f *fleet, _ *replicalag.Router, c *client) (int64, bool) {
		for range usual {
			if n := f.askReplica(c.next()); n >= max(c.written, c.highest) {
				return n, false
			}
		}
		return f.askPrimary(), false
	}},
	{name: "token, wait 150 ms, else the primary", read: byRouter, rate: math.MaxInt},
	{name: "the same, 30 reads/s at most", read: byRouter, rate: 30},
}

// A result is what came of a way.
type result struct {
	reads, missing, backwards, stale, primary int
	perSecond                                 []int // reads of the primary
}

func (r result) highest() (most int) {
	for _, n := range r.perSecond[warm/time.Second:] {
		most = max(most, n)
	}
	return most
}

// try has 240 sessions that write every 12 s, and read 50 ms and 1, 3, 5, 7 and 9 s later: 120 reads a second.
func try(t *testing.T, w way) (got result) {
	bubble.Run(t, func(t *testing.T) {
		f := &fleet{start: time.Now()}
		var replicas []replicalag.Replica
		for i := range usual {
			replicas = append(replicas, replica{f, i})
		}
		router := replicalag.New(replicalag.Config{
			Primary: f, Replicas: replicas, History: func() []int64 { return nil }, Patience: 150 * time.Millisecond, Rate: w.rate,
		})
		var mu sync.Mutex // guards got
		read := func(c *client) {
			at := time.Since(f.start)
			shown, stale := w.read(f, router, c)
			mu.Lock()
			defer mu.Unlock()
			if at < warm || at >= end {
				return
			}
			got.reads++
			switch {
			case stale:
				got.stale++
			case shown < c.written:
				got.missing++
			case shown < c.highest:
				got.backwards++
			}
			c.highest = max(c.highest, shown)
		}
		var all sync.WaitGroup
		for i := range 240 {
			all.Go(func() {
				c := &client{turn: i}
				time.Sleep(time.Duration(i) * 50_007 * time.Microsecond) // apart, so that each run is the same
				for time.Since(f.start) < end {
					began := time.Now()
					token, _ := router.Write(t.Context(), "", "")
					c.token, _ = router.Merge(c.token, token)
					c.wrote = time.Now()
					c.written = f.upTo(c.wrote)
					for _, after := range []time.Duration{50 * time.Millisecond, time.Second, 3 * time.Second, 5 * time.Second, 7 * time.Second, 9 * time.Second} {
						time.Sleep(time.Until(began.Add(after)))
						read(c)
					}
					time.Sleep(time.Until(began.Add(12 * time.Second)))
				}
			})
		}
		all.Wait()
		got.perSecond = make([]int, end/time.Second)
		for _, at := range f.asked {
			if second := int(at.Sub(f.start) / time.Second); second < len(got.perSecond) {
				got.perSecond[second]++
				if second >= int(warm/time.Second) {
					got.primary++
				}
			}
		}
	})
	return got
}

func TestWays(t *testing.T) {
	rows := [][]string{{"reads go to", "own write missing", "time ran backwards", "said to be stale", "on the primary", "most in a second"}}
	for _, w := range ways {
		r := try(t, w)
		rows = append(rows, []string{
			w.name, numbers.Thousands(int64(r.missing)), numbers.Thousands(int64(r.backwards)), numbers.Thousands(int64(r.stale)),
			fmt.Sprintf("%.0f %%", 100*float64(r.primary)/float64(r.reads)), strconv.Itoa(r.highest()),
		})
	}
	t.Log("\n" + numbers.Table(rows))
}

func TestNumber(t *testing.T) {
	sticky, token := try(t, ways[1]), try(t, ways[3])
	bad := sticky.missing + sticky.backwards
	if bad == 0 || token.missing+token.backwards > 0 {
		t.Errorf("sticking to the primary shows %d rows that are too old, the token %d", bad, token.missing+token.backwards)
	}
	share := func(r result) float64 { return 100 * float64(r.primary) / float64(r.reads) }
	t.Logf("sticking to the primary for 2 s puts %.0f %% of reads there, and %d of %s are still too old; a token puts %.0f %% there, and none is",
		share(sticky), bad, numbers.Thousands(int64(sticky.reads)), share(token))
}

func TestFigurePrimary(t *testing.T) {
	const from, to = 24, 42 // seconds
	stop := int(stopAt / time.Second)
	rows := [][]string{{"second", "sticky", "token", "limited"}}
	lines := []result{try(t, ways[1]), try(t, ways[2]), try(t, ways[4])}
	points := make([][][2]float64, len(lines))
	for second := from; second < to; second++ {
		row := []string{strconv.Itoa(second - stop)}
		for i, l := range lines {
			points[i] = append(points[i], [2]float64{float64(second-stop) + 0.5, float64(l.perSecond[second])})
			row = append(row, strconv.Itoa(l.perSecond[second]))
		}
		rows = append(rows, row)
	}
	figure.Current(t, "replicalag-primary", rows, figure.Chart{
		Title:  "When all replicas stall, the primary needs a limit",
		Assume: "120 reads a second, replicas 60 to 100 ms behind, and a stall of 5 s. Sessions read 50 ms to 9 s after their write.",
		Alt: "Reads of the primary by second. With a token and no limit they rise from 20 to about 100 of 120 while the replicas stand still and catch up. " +
			"Sticking to the primary for 2 s takes 40 all the time. A token with a wait and a limit takes none, and 30 during the stall.",
		X: figure.Axis{Label: "seconds since the replicas stopped", Scale: figure.Linear(-6, 12), Ticks: figure.Even(-5, 10, 5, "%g")},
		Y: figure.Axis{Label: "reads of the primary, per second", Scale: figure.Linear(0, 135), Ticks: figure.Even(0, 120, 40, "%g")},
		Lines: []figure.Line{
			{Name: "all reads", Role: figure.Offered, Points: [][2]float64{{-6, 120}, {12, 120}}, Label: figure.Place{X: -5.7, Y: 124}},
			{Name: "token, else the primary", Role: figure.Wrong, Points: points[1], Label: figure.Place{X: -5.7, Y: 84}},
			{Name: "sticky for 2 s", Role: figure.Halfway, Points: points[0], Label: figure.Place{X: -5.7, Y: 46}},
			{Name: "token, 30 at most", Role: figure.Right, Points: points[2], Label: figure.Place{X: 1.1, Y: 10}},
		},
		Spans: []figure.Span{{Name: "lag up to 5 s", From: 0, To: 10}},
	})
}
