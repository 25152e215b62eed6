package replicalag_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/replicalag"
	"github.com/backend-kata/dojo/pkg/apart"
	"github.com/backend-kata/dojo/pkg/interleave"
)

// Writes go to the primary, reads to a replica, and whoever has the token of a write sees it, on any device.
func TestReadYourWrites(t *testing.T) {
	with(t, 2, 9, func(c *cluster) {
		c.replicaReads(want{}, on(1, 10), "Both replicas are at 1/10, and nothing is asked")
		token := c.writes("new")
		step.Equal(c, []string{"address=new"}, c.wrote, "One row was written. The primary got:")
		c.primaryReads(want{Token: token}, "Somebody has written 1/11, and both replicas are at 1/10")
		c.replicaReads(want{}, on(1, 10), "The primary is at 1/11, the replicas are at 1/10, and nothing is asked")
		for _, device := range []string{"the phone", "the laptop"} {
			c.r = replicalag.New(c.c)
			c.moves(on(1, 10), on(1, 10))
			c.primaryReads(want{Token: token}, "Somebody has written 1/11, and now reads on "+device+". Both replicas are at 1/10")
			c.moves(on(1, 10), on(1, 11))
			c.replicaReads(want{Token: token}, on(1, 11), "Somebody has written 1/11, and now reads on "+device+". The second replica has it")
			c.standsFor(token, on(1, 11), "Write answered 1/11")
		}
		c.fails = errFull
		_, err := c.r.Write(c.Context(), "address", "lost")
		step.Expect(c, very(err, errFull), "The primary's Write failed: Write should return its error. It returned %v.", err)
		step.Equal(c, 2, len(c.wrote), "Two calls of Write, the second of which failed. The primary got:")
		c.hangs = true
		ctx, cancel := context.WithTimeout(c.Context(), time.Second)
		defer cancel()
		write := step.Start(c.T, func() error { _, err := c.r.Write(ctx, "address", "slow"); return err })
		time.Sleep(time.Second)
		step.Expect(c, !write.Waits(), "The primary's Write takes long, and the context has ended: Write should have returned. It waits.")
	})
	with(t, 1, 9, func(c *cluster) {
		for _, end := range []pos{on(1, 1), on(3, 1<<53+1), on(70_000, math.MaxInt64), on(math.MaxInt, math.MaxInt64)} {
			c.history = make([]int64, min(end.Timeline-1, 100_000))
			c.at = on(end.Timeline, end.Offset-1)
			token := c.writes("new")
			const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
			step.Expect(c, token != "" && len(token) <= 40 && replicalag.MaxToken == 40 && strings.Trim(token, letters) == "",
				"A token for %s should be 1 to 40 bytes of A-Z, a-z, 0-9, -, _ and . It is %q.", told(end), token)
			c.standsFor(token, end, "Write answered "+told(end))
		}
	})
	with(t, 1, 9, func(c *cluster) {
		tokens := []string{""}
		c.at = on(1, 0)
		for range 12 {
			tokens = append(tokens, c.writes("new"))
		}
		for _, m := range [][2]int{{1, 2}, {2, 1}, {12, 9}, {9, 12}, {3, 3}, {0, 4}, {4, 0}} {
			merged, err := c.r.Merge(tokens[m[0]], tokens[m[1]])
			step.NoError(c, err, "Merge of two tokens should return one.")
			c.standsFor(merged, on(1, int64(max(m[0], m[1]))), "Two tokens were merged, and this is the later position")
		}
		token := tokens[12]
		zeros := strings.Repeat("0", 40)
		for _, text := range []string{token + "!", "+" + token, token + " ", token + "\n", "ü", zeros + "1", zeros + token, token + zeros} {
			c.refused(want{Token: text}, replicalag.ErrToken, fmt.Sprintf("%q is not a token", text))
			for _, pair := range [][2]string{{text, ""}, {"", text}, {text, token}, {token, text}} {
				_, err := c.r.Merge(pair[0], pair[1])
				step.Expect(c, very(err, replicalag.ErrToken), "Merge of %q should return ErrToken. It returned %v.", pair, err)
			}
		}
	})
}

// Time never runs backwards for a user whose reads go to one replica after the other.
func TestMonotonic(t *testing.T) {
	with(t, 2, 99, func(c *cluster) {
		c.set(func() { c.first(0).at, c.first(1).at, c.first(1).fail = on(1, 8), on(1, 5), "Open" })
		token := c.replicaReads(want{}, on(1, 8), "The first replica is at 1/8, the second is down")
		c.set(func() { c.first(0).fail, c.first(1).fail = "Open", "" })
		c.primaryReads(want{Token: token}, "Somebody has seen 1/8, and the only replica is at 1/5")
		c.set(func() { c.first(1).at = on(1, 9) })
		token = c.replicaReads(want{Token: token}, on(1, 9), "Somebody has seen 1/8, and the only replica is at 1/9")
		c.set(func() { c.first(0).fail, c.first(1).fail = "", "Open" })
		c.primaryReads(want{Token: token}, "Somebody has seen 1/9, and the only replica is at 1/8")
	})
	with(t, 1, 99, func(c *cluster) {
		s := c.first(0)
		s.before = func() { s.at = on(1, 15) }
		token := c.replicaReads(want{}, on(1, 15), "The replica went on from 1/10 to 1/15 just before it read the row")
		s.before = nil
		c.needs(token, on(1, 15), "The row that was read is of 1/15")
		s.at, s.before, s.after = on(1, 15), func() { s.at = on(1, 16) }, func() { s.at = on(1, 18) }
		token = c.replicaReads(want{Token: token}, on(1, 16), "The replica went on from 1/15 to 1/18 while it read the row")
		s.before, s.after = nil, nil
		c.needs(token, on(1, 16), "The row that was read is of 1/16")
		c.at = on(1, 20)
		s.at, s.after = on(1, 15), func() { s.at = on(1, 21) }
		c.primaryReads(want{Token: c.writes("new")}, "Somebody has written 1/21, which the replica gets right after a row is read")
		c.at, s.after = on(1, 30), nil
		token = c.primaryReads(want{Token: c.writes("new")}, "The replica is behind")
		c.standsFor(token, on(1, 31), "The primary returned a row, and 1/31")
	})
	for turn := range 4 {
		with(t, 1, 99, func(c *cluster) {
			c.at = on(1, 19)
			token, seen, at := []string{"", c.writes("new")}[turn/2], int64(turn/2*20), int64(0)
			c.replicas[0].servers = append(c.replicas[0].servers, &server{cluster: c, at: on(1, 20)})
			c.replicas[0].next = turn
			for c.replicas[0].next < 9+turn {
				g := c.begins(c.Context(), want{Token: token})
				c.ends(g, "Two servers are behind the replica's name, at 1/10 and at 1/20")
				_, err := fmt.Sscanf(g.got.Value, "order as of 1/%d", &at)
				step.Expect(c, err == nil && at >= seen, "Two servers are behind the replica's name, and somebody has seen 1/%d. Read returned %q, %v.",
					seen, g.got.Value, g.Result())
				token, seen = g.got.Token, at
			}
		})
	}
}

// What is older than asked is not read, and an idle primary does not look like lag.
func TestAge(t *testing.T) {
	minute := want{MaxAge: time.Minute}
	with(t, 1, 99, func(c *cluster) {
		s := c.first(0)
		s.age, s.idle = time.Minute, time.Minute
		c.replicaReads(minute, on(1, 10), "The last heartbeat is a minute old, and the row may be a minute old")
		s.age, s.idle = time.Minute+1, time.Minute+1
		c.primaryReads(minute, "The last heartbeat is a nanosecond more than a minute old, and the row may be a minute old")
		s.idle = time.Hour
		c.primaryReads(minute, "The replica has all that this Router wrote, and its last heartbeat is more than a minute old")
		s.age = time.Second
		c.replicaReads(minute, on(1, 10), "The primary has written nothing for an hour, but its last heartbeat is a second old")
		s.age = time.Hour
		c.replicaReads(want{}, on(1, 10), "The last heartbeat is an hour old, and the row may be as old as it is")
		c.after(50*time.Millisecond, func() { s.age = time.Second })
		c.replicaReadsAfter(50*time.Millisecond, minute, on(1, 10), "A heartbeat arrives after 50 ms")
		s.age = time.Hour
		c.primaryReads(minute, "The last heartbeat is an hour old, and was a second old just before")
	})
	with(t, 1, 99, func(c *cluster) {
		s := c.first(0)
		s.takes = 30 * time.Millisecond
		for _, s.age = range []time.Duration{time.Minute - 30*time.Millisecond, time.Minute - 20*time.Millisecond} {
			g := c.begins(c.Context(), minute)
			c.ends(g, "State takes 30 ms")
			step.Equal(c, s.age > time.Minute-30*time.Millisecond, len(c.asked) > g.before, "The heartbeat is %v old when State is called, "+
				"and State takes 30 ms. The primary is asked:", s.age)
		}
	})
	with(t, 2, 99, func(c *cluster) {
		c.at = on(1, 19)
		both := want{MaxAge: time.Minute, Token: c.writes("new")}
		c.moves(on(1, 20), on(1, 10))
		c.first(0).age = time.Hour
		c.primaryReads(both, "One replica has the write and is an hour old, the other is young and has not")
		c.after(30*time.Millisecond, func() { c.first(1).at = on(1, 20) })
		c.replicaReadsAfter(30*time.Millisecond, both, on(1, 20), "The young replica gets the write after 30 ms")
	})
}

// A read waits a little for a replica before it asks the primary, whatever fails or hangs meanwhile.
func TestPatience(t *testing.T) {
	calls := []string{"Open", "State", "Read", "State after Read"}
	with(t, 2, 99, func(c *cluster) {
		c.moves(on(1, 5), on(1, 5))
		w := want{Token: c.writes("new")}
		for i, d := range []time.Duration{0, time.Millisecond, 37 * time.Millisecond, 80*time.Millisecond - 1} {
			c.moves(on(1, 5), on(1, 5))
			c.after(d, func() { c.first(i % 2).at = on(1, 11) })
			c.replicaReadsAfter(d, w, on(1, 11), fmt.Sprintf("A replica gets the write after %v", d))
		}
		c.moves(on(1, 5), on(1, 5))
		c.at = on(1, 21)
		c.standsFor(c.primaryReads(w, "No replica gets the write"), on(1, 21), "The primary returned a row, and 1/21")
	})
	with(t, 0, 99, func(c *cluster) { c.primaryReads(want{}, "There is no replica") })
	for _, call := range calls {
		with(t, 2, 99, func(c *cluster) {
			c.first(1).fail = "Open"
			c.first(0).fail = call
			c.after(40*time.Millisecond, func() { c.first(0).fail = "" })
			c.replicaReadsAfter(40*time.Millisecond, want{}, on(1, 10), call+" of the only replica failed for 40 ms")
			c.first(0).fail = call
			c.primaryReads(want{}, call+" of the only replica fails")
			c.gives(context.Canceled, 42*time.Millisecond, call+" of the only replica fails")
			for i := range 2 {
				c.first(i).fail, c.first(1-i).fail = "", call
				c.replicaReads(want{}, on(1, 10), call+" of one replica fails, and the other is well")
			}
		})
		with(t, 2, 99, func(c *cluster) {
			for i := range 2 {
				c.first(i).hang, c.first(1-i).hang = call, ""
				c.replicaReads(want{}, on(1, 10), call+" of one replica hangs, and the other is well")
			}
			c.first(0).hang = call
			c.primaryReads(want{}, call+" of both replicas hangs")
			c.gives(context.DeadlineExceeded, 42*time.Millisecond, call+" of both replicas hangs")
			c.gives(context.Canceled, 42*time.Millisecond, call+" of both replicas hangs")
		})
	}
	with(t, 1, 99, func(c *cluster) {
		c.moves(on(1, 5))
		w := want{Token: c.writes("new")}
		c.fails = errFull
		c.refused(w, errFull, "The replica is behind, and the primary's Read failed")
		c.refused(want{Token: w.Token, OrStale: true}, errFull, "The replica is behind, and the primary's Read failed")
		step.Equal(c, 2, len(c.asked), "Two reads came to the primary, and it failed. It was asked:")
		c.first(0).age = time.Hour
		c.gives(context.Canceled, 42*time.Millisecond, "The replica is too old")
		c.fails, c.hangs, c.first(0).hang = nil, true, "State"
		c.gives(context.DeadlineExceeded, 150*time.Millisecond, "The primary's Read hangs")
		c.hangs = false
		opens, asked, wrote := c.opens, len(c.asked), len(c.wrote)
		c.gives(context.Canceled, -1, "Its context had ended when Read was called")
		c.gives(context.DeadlineExceeded, -1, "Its context had ended when Read was called")
		ctx, cancel := context.WithCancel(c.Context())
		cancel()
		_, err := c.r.Write(ctx, "address", "new")
		step.Equal(c, context.Canceled, err, "Its context had ended when Write was called. Write returns:")
		step.Equal(c, wrote, len(c.wrote), "The context had ended when Write was called. Writes of the primary, before and now:")
		step.Expect(c, c.opens == opens && len(c.asked) == asked, "The context had ended when Read was called: it should ask nobody. It did.")
	})
}

// gives expects the end of a context, at this time after the call.
func (c *cluster) gives(err error, at time.Duration, why string) {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), at)
	defer cancel()
	if very(err, context.Canceled) {
		inner, leave := context.WithCancelCause(c.Context())
		defer leave(nil)
		time.AfterFunc(at, func() { leave(errDown) })
		ctx = inner
	}
	time.Sleep(max(-at, 0)) // it has ended before
	g := c.begins(ctx, want{MaxAge: time.Minute})
	c.ends(g, why)
	step.Expect(c, very(g.Result(), err), "%s, and the context ends: Read should return %v. It returned %v.", why, err, g.Result())
	step.Equal(c, max(at, 0), g.Took(), "%s, and the context ends: Read should return at once. It took:", why)
}

// The primary gets no more reads than it can take; what goes beyond is stale and says so, or is refused.
func TestRate(t *testing.T) {
	with(t, 0, 3, func(c *cluster) {
		for range 8 {
			c.begins(c.Context(), want{})
			time.Sleep(time.Millisecond)
		}
		time.Sleep(2 * patience)
		c.set(func() {
			step.Equal(c, 3, len(c.asked), "Eight reads come almost at once, and three may go to the primary. It was asked:")
		})
	})
	with(t, 1, 2, func(c *cluster) {
		c.moves(on(1, 5))
		w := want{Token: c.writes("new")}
		began := time.Now()
		c.primaryReads(w, "The primary may be asked twice in a second")
		delay := c.asked[0].Sub(began)
		time.Sleep(600 * time.Millisecond)
		c.fails = errFull
		c.refused(w, errFull, "The primary may be asked twice in a second, and fails at the second")
		c.fails = nil
		c.refused(w, replicalag.ErrStale, "The primary was asked twice within a second, and failed once")
		time.Sleep(time.Until(c.asked[0].Add(time.Second - 1 - delay)))
		c.refused(w, replicalag.ErrStale, "A nanosecond later the first of two reads of the primary will be a second old")
		time.Sleep(time.Until(c.asked[1].Add(time.Second - delay)))
		c.primaryReads(w, "The second of two reads of the primary is a second old, and others were refused since")
		c.primaryReads(w, "One read of the primary is less than a second old")
		c.refused(w, replicalag.ErrStale, "Two reads of the primary are less than a second old")
		time.Sleep(time.Until(c.asked[2].Add(time.Second - delay)))
		c.primaryReads(w, "The first of two reads of the primary is exactly a second old")
		time.Sleep(time.Hour)
		c.primaryReads(w, "The primary may be asked twice in a second, and was not for an hour")
		c.primaryReads(w, "The primary may be asked twice in a second, and was asked once")
		c.refused(w, replicalag.ErrStale, "After an hour the primary may be asked no more often than before, and was asked twice")
		time.Sleep(time.Hour)
		c.first(0).age, c.hangs = time.Hour, true
		for range 2 {
			c.gives(context.DeadlineExceeded, 150*time.Millisecond, "The primary's Read hangs")
		}
		c.hangs = false
		c.refused(w, replicalag.ErrStale, "The primary was asked twice within a second, for callers who left")
		time.Sleep(time.Until(c.asked[len(c.asked)-2].Add(time.Second - delay)))
		c.primaryReads(w, "The first of two callers who left came to the primary a second ago")
	})
	step.ExploreWithin(t, 300, func(t *step.T, x *interleave.Schedule) {
		c := start(t, 0, 1)
		for _, name := range []string{"reader A", "reader B"} {
			x.Go(name, func() { x.Point("Read"); _, _ = c.r.Read(t.Context(), "order", want{}) })
		}
		x.Run()
		step.Equal(t, 1, len(c.asked), "Two reads at the same time, and one may go to the primary. It was asked:")
	})
	with(t, 3, 1, func(c *cluster) {
		c.moves(on(1, 5), on(1, 8), on(1, 3))
		w := want{Token: c.writes("new"), OrStale: true}
		c.primaryReads(w, "A stale row will do, but the primary may be asked")
		c.first(1).age = time.Hour
		token := c.staleRead(w, on(1, 8), "The primary may not be asked, and the replicas are at 1/5, 1/8 and 1/3")
		c.standsFor(token, on(1, 11), "The read asked for 1/11, and the row is of 1/8")
		c.moves(on(1, 5), on(1, 8), on(1, 11))
		c.replicaReads(w, on(1, 11), "A stale row will do, but a replica has the write")
		c.moves(on(1, 5), on(1, 8), on(1, 3))
		c.after(50*time.Millisecond, func() { c.first(2).at = on(1, 11) })
		c.replicaReadsAfter(50*time.Millisecond, w, on(1, 11), "A stale row will do, but a replica gets the write after 50 ms")
		c.moves(on(1, 5), on(1, 8), on(1, 3))
		c.c.Rate = 0
		c.r = replicalag.New(c.c)
		for _, call := range []string{"Open", "State", "Read", "State after Read"} {
			c.first(1).fail = call
			c.staleRead(w, on(1, 5), call+" of the replica that is furthest ahead fails")
			c.first(1).fail, c.first(1).hang = "", call
			c.staleRead(w, on(1, 5), call+" of the replica that is furthest ahead hangs")
			c.first(1).hang = ""
		}
		c.first(1).takes = 80 * time.Millisecond
		c.staleRead(w, on(1, 5), "The replica that is furthest ahead takes 80 ms for each State")
		c.first(1).takes = 0
		for i := range 3 {
			c.first(i).fail = "Open"
		}
		c.refused(w, replicalag.ErrStale, "All replicas are down, and a stale row will do")
		for i := range 3 {
			c.first(i).fail, c.first(i).hang = "", "Read"
		}
		c.refused(w, replicalag.ErrStale, "All replicas hang, and a stale row will do")
		ctx, cancel := context.WithTimeout(c.Context(), 150*time.Millisecond)
		defer cancel()
		g := c.begins(ctx, w)
		c.ends(g, "All replicas hang")
		step.Expect(c, g.Took() <= 150*time.Millisecond, "All replicas hang, and the context ends after 150 ms: Read should return by then.")
	})
	with(t, 1, 0, func(c *cluster) {
		s := c.first(0)
		s.age = time.Hour
		s.before, s.after = func() { s.at.Offset++ }, func() { s.at.Offset++ }
		g := c.begins(c.Context(), want{MaxAge: time.Minute, OrStale: true})
		c.ends(g, "The replica is an hour old")
		var last int64
		_, err := fmt.Sscanf(g.got.Value, "order as of 1/%d", &last)
		step.Expect(c, err == nil && g.got.Stale, "The replica is an hour old, and a stale row will do. Read returned %v, %v.", g.got, g.Result())
		s.before, s.after = nil, nil
		c.needs(g.got.Token, on(1, last), "A stale row was read while the replica went on")
	})
}

// staleRead expects a stale row.
func (c *cluster) staleRead(w want, at pos, why string) (token string) {
	c.Helper()
	g := c.begins(c.Context(), w)
	c.ends(g, why)
	step.NoError(c, g.Result(), "%s, and a stale row will do: Read should return one.", why)
	step.Expect(c, len(c.asked) == g.before, "%s: the primary should not be asked. It was.", why)
	step.Equal(c, row("order", at), g.got.Value, "%s, and a stale row will do. Read returns:", why)
	step.Expect(c, g.got.Stale, "%s: the answer is stale, and should say so. It does not.", why)
	step.Expect(c, g.Took() >= patience, "%s: Read should wait for a replica before it settles for a stale row. It did not.", why)
	return g.got.Token
}

// A failover lost the last writes, and a token of these is recognised, never met in silence.
func TestFailover(t *testing.T) {
	with(t, 1, 99, func(c *cluster) {
		c.at = on(1, 99)
		kept, lost := c.writes("kept"), c.writes("lost")
		c.moves(on(1, 101))
		c.replicaReads(want{Token: lost}, on(1, 101), "There was no failover yet")
		c.history, c.at = []int64{100}, on(2, 104)
		newer := c.writes("newer")
		_, err := c.r.Merge(lost, lost)
		step.Equal(c, replicalag.ErrLost, err, "Since the Router was made timeline 1 ended at 100. A token for 1/101 merged with itself:")
		for _, at := range []pos{on(1, 100), on(1, 101), on(2, 105), on(2, 101)} {
			c.moves(at)
			c.refused(want{Token: lost}, replicalag.ErrLost, "Timeline 1 ended at 100, and the token is for 1/101")
		}
		for _, pair := range [][2]string{{lost, newer}, {newer, lost}, {lost, kept}, {kept, lost}, {lost, ""}, {"", lost}} {
			_, err := c.r.Merge(pair[0], pair[1])
			step.Expect(c, very(err, replicalag.ErrLost), "Timeline 1 ended at 100, and one token is for 1/101: "+
				"Merge should return ErrLost. It returned %v.", err)
		}
		c.moves(on(1, 100))
		c.replicaReads(want{Token: kept}, on(1, 100), "Timeline 1 ended at 100, and token and replica are just there")
		c.primaryReads(want{Token: newer}, "The token is for 2/105, and the replica is at 1/100")
		c.moves(on(2, 102))
		c.replicaReads(want{Token: kept}, on(2, 102), "Timeline 1 ended at 100, the token is for 1/100, and the replica is at 2/102")
		c.primaryReads(want{Token: newer}, "The token is for 2/105, and the replica is at 2/102")
		c.moves(on(1, 101))
		for _, token := range []string{"", kept} {
			c.primaryReads(want{Token: token}, "Timeline 1 ended at 100, and the replica is at 1/101")
		}
		c.moves(on(1, 200))
		c.primaryReads(want{Token: newer}, "The token is for 2/105, timeline 1 ended at 100, and the replica is at 1/200")
		for _, pair := range [][2]string{{kept, newer}, {newer, kept}} {
			merged, err := c.r.Merge(pair[0], pair[1])
			step.NoError(c, err, "Neither token is lost: Merge should return one.")
			c.standsFor(merged, on(2, 105), "1/100 and 2/105 were merged, and timeline 1 ended at 100")
		}
		c.history, c.at = []int64{100, 104}, on(3, 110)
		c.moves(on(3, 110))
		c.refused(want{Token: newer}, replicalag.ErrLost, "Timeline 2 ended at 104, and the token is for 2/105")
		c.refused(want{Token: lost}, replicalag.ErrLost, "Timelines 1 and 2 ended at 100 and 104, and the token is for 1/101")
		c.replicaReads(want{Token: kept}, on(3, 110), "Timelines 1 and 2 ended at 100 and 104, and the token is for 1/100")
		c.moves(on(2, 105))
		c.primaryReads(want{Token: kept}, "Timeline 2 ended at 104, and the replica is at 2/105")
	})
	for _, rate := range []int{99, 0} {
		with(t, 1, rate, func(c *cluster) {
			c.at = on(1, 109)
			lost := want{Token: c.writes("lost")}
			failover := func() { c.history, c.at = []int64{100}, on(2, 200) }
			c.after(50*time.Millisecond, failover)
			c.refused(lost, replicalag.ErrLost, fmt.Sprintf("While Read waited for 1/110, a failover ended timeline 1 at 100. With Rate %d", rate))
			c.history = nil
			c.after(50*time.Millisecond, failover)
			lost.OrStale = true
			c.refused(lost, replicalag.ErrLost, "While Read waited for 1/110, a failover ended timeline 1 at 100, and a stale row would do")
			c.history, c.during = nil, failover
			lost.OrStale = false
			if rate > 0 {
				c.refused(lost, replicalag.ErrLost, "While the primary was asked, a failover ended timeline 1 at 100")
			}
			c.history = nil
			s := c.first(0)
			s.at, s.before = on(1, 110), func() { failover(); s.at = on(2, 150) }
			c.refused(lost, replicalag.ErrLost, "While the row was read, a failover ended timeline 1 at 100")
			if s.at, c.history, lost.OrStale = on(1, 90), nil, true; rate == 0 {
				c.refused(lost, replicalag.ErrLost, "While a stale row was read, a failover ended timeline 1 at 100")
			}
		})
	}
	with(t, 1, 99, func(c *cluster) {
		c.at = on(1, 99)
		kept := want{Token: c.writes("kept")}
		s := c.first(0)
		c.after(30*time.Millisecond, func() { c.history, c.at, s.at = []int64{100}, on(2, 200), on(1, 120) })
		c.primaryReads(kept, "While Read waited for 1/100, timeline 1 ended there, and the replica went on to 1/120")
		c.after(40*time.Millisecond, func() { s.rebuilt(on(1, 100)) })
		c.replicaReadsAfter(40*time.Millisecond, kept, on(1, 100), "The replica was lost, and was rebuilt at 1/100 after 40 ms")
	})
	with(t, 1, 99, func(c *cluster) {
		s := c.first(0)
		c.at = on(2, 120)
		s.before = func() { s.at, c.history = on(1, 101), []int64{100} }
		c.primaryReads(want{}, "Timeline 1 ended at 100, and the replica went on to 1/101 before it read the row")
	})
	with(t, 2, 0, func(c *cluster) {
		c.history = []int64{100}
		w := want{OrStale: true, MaxAge: time.Second}
		c.first(1).age = time.Hour
		c.moves(on(1, 101), on(1, 95))
		c.staleRead(w, on(1, 95), "Timeline 1 ended at 100, and the replicas are at 1/101 and 1/95")
		c.moves(on(2, 101), on(1, 100))
		c.first(0).age = time.Hour
		c.staleRead(w, on(2, 101), "Timeline 1 ended at 100, and the replicas are at 2/101 and 1/100")
		s := c.first(0)
		s.before = func() { s.at, c.history = on(2, 130), []int64{100, 120} }
		c.staleRead(w, on(1, 100), "Timeline 2 ended at 120, and the replica that is ahead went on to 2/130 before it read the row")
		c.moves(on(1, 101), on(1, 102))
		c.refused(w, replicalag.ErrStale, "Timeline 1 ended at 100, the replicas are at 1/101 and 1/102, and a stale row will do")
	})
}

// A replica that was rebuilt starts again, further back, and nobody who reads sees it.
func TestRebuilt(t *testing.T) {
	with(t, 1, 99, func(c *cluster) {
		c.at = on(1, 19)
		w, s := want{Token: c.writes("new")}, c.first(0)
		c.moves(on(1, 20))
		c.replicaReads(w, on(1, 20), "The replica has the write")
		c.set(func() { s.rebuilt(on(1, 5)) })
		c.primaryReads(w, "The replica had the write, and was rebuilt at 1/5")
		c.after(40*time.Millisecond, func() { s.at = on(1, 21) })
		c.replicaReadsAfter(40*time.Millisecond, w, on(1, 21), "The replica was rebuilt, and has the write again after 40 ms")
		once := func() {
			s.rebuilt(on(1, 5))
			s.before, s.after = nil, nil
			c.after(40*time.Millisecond, func() { s.at = on(1, 22) })
		}
		for _, s.before = range []func(){once, nil} {
			if s.before == nil {
				s.after = once
			}
			c.moves(on(1, 21))
			c.replicaReadsAfter(40*time.Millisecond, w, on(1, 22), "While the row was read the replica was rebuilt at 1/5, and is at 1/22 later")
		}
	})
	step.Bubble(t, func(t *step.T) {
		still := start(t, 0, 2).c
		still.Primary, still.Replicas, still.History = calm{}, []replicalag.Replica{calm{}}, func() []int64 { return nil }
		read := func(w want) func(r *replicalag.Router) {
			return func(r *replicalag.Router) { _, _ = r.Read(context.Background(), "order", w) }
		}
		token, _ := replicalag.New(still).Write(t.Context(), "address", "new")
		apart.Pairs(t.T, func() *replicalag.Router { return replicalag.New(still) },
			apart.Call[*replicalag.Router]{Name: "Write", Do: func(r *replicalag.Router) { _, _ = r.Write(context.Background(), "address", "new") }},
			apart.Call[*replicalag.Router]{Name: "Merge", Do: func(r *replicalag.Router) { _, _ = r.Merge(token, token) }},
			apart.Call[*replicalag.Router]{Name: "Read of a replica", Do: read(want{})},
			apart.Call[*replicalag.Router]{Name: "Read of the primary", Do: read(want{Token: token})},
			apart.Call[*replicalag.Router]{Name: "Read of a stale row", Do: func(r *replicalag.Router) {
				for range 3 {
					read(want{Token: token, OrStale: true})(r)
				}
			}},
		)
	})
}

// rebuilt starts a server again. The caller holds the lock.
func (s *server) rebuilt(at pos) { s.at, s.life = at, s.life+1 }

// A calm one is a primary, a replica and a connection that never change.
type calm struct{}

func (calm) Write(context.Context, string, string) (pos, error) { return on(1, 11), nil }
func (calm) Open(context.Context) (replicalag.Conn, error)      { return calmConn{}, nil }
func (calm) Read(context.Context, string) (string, pos, error)  { return "", on(1, 11), nil }

type calmConn struct{}

func (calmConn) Read(context.Context, string) (string, error) { return "", nil }
func (calmConn) Close()                                       {}
func (calmConn) State(context.Context) (replicalag.State, error) {
	return replicalag.State{Position: on(1, 10)}, nil
}
func (calmConn) Wait(ctx context.Context, _ int64) error { <-ctx.Done(); return ctx.Err() }

// writes writes a new address.
func (c *cluster) writes(value string) (token string) {
	c.Helper()
	token, err := c.r.Write(c.Context(), "address", value)
	step.NoError(c, err, "The primary took the write, so Write should return a token.")
	step.Expect(c, token != "", "The primary took the write, so Write should return a token. It returned none.")
	return token
}

// needs expects that a token is not met just before a position.
func (c *cluster) needs(token string, at pos, why string) {
	c.Helper()
	c.ends(c.short(token, at, why), why)
}

// standsFor expects that a token is met at a position, and not before.
func (c *cluster) standsFor(token string, at pos, why string) {
	c.Helper()
	g := c.short(token, at, why)
	c.set(func() { c.all(at) })
	time.Sleep(soon)
	step.Expect(c, !g.Waits() && g.got.Value == row("order", at), "%s: a row as of %s should meet the token. Got %q.",
		why, told(at), g.got.Value)
	c.ends(g, why)
}

// short begins a Read with a token, and expects that it waits just before a position.
func (c *cluster) short(token string, at pos, why string) *reading {
	c.Helper()
	before := on(at.Timeline, at.Offset-1)
	c.set(func() { c.all(before) })
	g := c.begins(c.Context(), want{Token: token})
	time.Sleep(soon)
	step.Expect(c, g.Waits(), "%s: the token should not be met before that. It was, at %s.", why, told(before))
	return g
}

// all brings the first server of each replica to a position. The caller holds the lock.
func (c *cluster) all(at pos) {
	for i := range c.replicas {
		c.first(i).at = at
	}
}

// primaryReads expects a row from the primary, once patience is over.
func (c *cluster) primaryReads(w want, why string) (token string) {
	c.Helper()
	g := c.begins(c.Context(), w)
	c.ends(g, why)
	step.NoError(c, g.Result(), "%s: Read should return a row.", why)
	step.Equal(c, row("order", c.at), g.got.Value, "%s: the row should be the primary's. Read returns:", why)
	step.Equal(c, 1, len(c.asked)-g.before, "%s. Reads of the primary:", why)
	step.Expect(c, !g.got.Stale, "%s: a row of the primary is not stale. The answer says so.", why)
	step.Expect(c, c.asked[g.before].Sub(g.began) >= patience, "%s: the primary should be asked after Patience. It was asked before.", why)
	step.Expect(c, g.Took() <= patience+soon, "%s: the primary should be asked once Patience is over. It was asked later.", why)
	return g.got.Token
}

// refused expects an error.
func (c *cluster) refused(w want, err error, why string) {
	c.Helper()
	g := c.begins(c.Context(), w)
	c.ends(g, why)
	step.Expect(c, very(g.Result(), err), "%s: Read should return the error %q. It returned %v.", why, err, g.Result())
}
