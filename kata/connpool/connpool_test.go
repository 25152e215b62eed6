package connpool_test

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/connpool"
	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/pkg/apart"
	"github.com/backend-kata/dojo/pkg/interleave"
)

// A connection is used again, the one that came back last first, and no more than the maximum are ever open.
func TestReuse(t *testing.T) {
	with(t, usual(), func(d *desk) {
		for _, ctx := range ended(d.T) {
			d.ends(d.asks(ctx), ctx.Err(), "The context had ended when Get was called")
			step.Equal(d, ctx.Err(), d.p.Do(ctx, nil), "The context had ended when Do was called. Do returns:")
		}
		step.Equal(d, 0, d.dials.Load(), "Nobody has asked but callers whose context had ended. Dials:")
		a := d.gets("The pool is new")
		d.puts(a)
		d.getsThis(a, "One connection is idle")
		b, c := d.getsNew("One connection is lent out, and two places are free"), d.getsNew("Two are lent out, and a place is free")
		for _, order := range [][]*conn{{a, c, b}, {b, a, c}, {c, b, a}} {
			d.puts(order...)
			d.getsThis(order[2], "Three are idle, and this one came back last")
			d.getsThis(order[1], "Two are idle, and this one came back last")
			d.getsThis(order[0], "One is idle")
		}
		d.puts(a, b, c)
		for _, ctx := range ended(d.T) {
			d.ends(d.asks(ctx), ctx.Err(), "The context had ended when Get was called, and connections are idle")
		}
		d.getsThis(c, "Callers whose context had ended came before, and changed nothing")
		d.puts(c)
		time.Sleep(1000 * time.Hour)
		d.getsThis(c, "No limit of time is set")
		d.getsThis(b, "No limit of time is set, and two are idle")
		d.getsThis(a, "No limit of time is set, and one is idle")
		l := d.waits("Three of three connections are lent out")
		d.puts(a)
		d.puts(b, c, d.has(l, "A connection has come back"))
	})
}

// Those who wait are served in the order in which they came, and one who leaves costs nobody a place, in every order.
func TestWaiters(t *testing.T) {
	one := usual()
	one.Max = 1
	for one.MaxIdle = range 2 {
		with(t, one, func(d *desk) {
			a := d.gets("The pool is new")
			var line []*loan
			for range 5 {
				line = append(line, d.waits("The only connection is lent out"))
			}
			line[1].leaves()
			d.ends(line[1], context.Canceled, "Its context was cancelled while it waited")
			for _, i := range []int{0, 2, 3, 4} {
				d.puts(a)
				for j := max(i+1, 2); j < len(line); j++ {
					step.Expect(d, line[j].Waits(), "The first who waits should be served first, and one who came later was.")
				}
				step.Equal(d, a, d.has(line[i], "A connection has come back, and it came first of those who wait"), "Who waits gets:")
			}
			d.puts(a)
		})
	}
	one.MaxIdle = 1
	step.ExploreWithin(t, 400, func(t *step.T, x *interleave.Schedule) {
		d := open(t, x, one)
		a := d.gets("The pool is new")
		leaves, stays := d.waits("The only connection is lent out"), d.waits("The only connection is lent out")
		x.Go("owner", func() { x.Point("Put"); _ = d.returns(a) })
		x.Go("first who waits", func() { x.Point("leaves"); leaves.leave() })
		x.Run()
		if leaves.Result() == nil {
			d.puts(leaves.c)
		}
		d.puts(d.has(stays, "The first who waits left as a connection came back"))
		d.closes(nil, "All connections have come back")
	})
	step.ExploreWithin(t, 400, func(t *step.T, x *interleave.Schedule) {
		d := open(t, x, one)
		for _, name := range []string{"A", "B"} {
			x.Go(name, func() {
				x.Point("Get")
				c, _ := d.p.Get(d.Context())
				lent := d.lends(c)
				x.Point("Put")
				_ = d.returns(lent)
			})
		}
		x.Run()
		d.closes(nil, "Two callers have had a connection, and put it back")
	})
}

// A dial keeps nobody else waiting; one that fails frees its place, and one whose caller has left is not wasted.
func TestDials(t *testing.T) {
	with(t, usual(), func(d *desk) {
		a, b := d.gets("The pool is new"), d.gets("Two places are free")
		d.hold("Dial")
		slow := d.waits("The third dial takes a while")
		d.puts(a, b)
		c := d.gets("One dial takes a while, two connections have come back")
		d.letGo(0, nil)
		d.puts(c, d.has(slow, "Its dial has succeeded"))
	})
	one := usual()
	one.Max = 1
	with(t, one, func(d *desk) {
		d.hold("Dial")
		first := d.waits("Its dial takes a while")
		second, third := d.waits("The only place is taken by a dial"), d.waits("The only place is taken by a dial")
		d.letGo(0, errDial)
		d.ends(first, errDial, "The dial that was made for it has failed")
		step.Expect(d, second.Waits() && third.Waits(), "The dial of the first has failed: the others should still wait.")
		step.Equal(d, 2, d.dials.Load(), "A dial has failed, and two wait: the place is the first one's, who dials. Dials:")
		d.letGo(1, errDial)
		d.ends(second, errDial, "The dial that was made for it has failed")
		d.letGo(2, errDial)
		d.ends(third, errDial, "The dial that was made for it has failed")
		d.hold("")
		d.puts(d.getsNew("All dials have failed, so the only place is free"))
		step.Equal(d, 4, d.dials.Load(), "Three dials have failed, and one has succeeded. Dials:")
	})
	for _, fails := range []error{nil, errDial} {
		with(t, one, func(d *desk) {
			d.hold("Dial")
			ctx, cancel := context.WithTimeout(d.Context(), time.Second)
			defer cancel()
			l := d.asks(ctx)
			time.Sleep(time.Second)
			d.ends(l, context.DeadlineExceeded, "Its context has ended during its dial")
			dial := d.held(0).ctx
			_, limited := dial.Deadline()
			step.Expect(d, dial.Err() == nil && !limited, "A dial should not end with its caller's context. Its own context: %v.", dial)
			next := d.waits("The only place is taken by a dial whose caller has left")
			if fails == nil {
				d.hold("")
			}
			d.letGo(0, fails)
			if fails != nil {
				step.Expect(d, next.Waits(), "A dial that was made for another has failed: who waits should not be told. It was: %s.", next.told())
				d.letGo(1, nil)
			}
			c := d.has(next, "A dial whose caller has left has ended, and who waited is first")
			step.Expect(d, fails != nil || d.dials.Load() == 1, "What was dialled for one who left should go to who waits. It dialled anew.")
			d.puts(c)
		})
	}
	step.ExploreWithin(t, 400, func(t *step.T, x *interleave.Schedule) {
		d := open(t, x, one)
		d.hold("Dial")
		leaves, stays := d.waits("Its dial takes a while"), d.waits("The only place is taken by a dial")
		dial := d.held(0)
		x.Go("server", func() { x.Point("answers"); dial.end <- nil })
		x.Go("caller", func() { x.Point("leaves"); leaves.leave() })
		x.Run()
		if leaves.Result() == nil {
			d.puts(leaves.c)
		}
		d.puts(d.has(stays, "The one for whom the dial was made left as it ended"))
		d.closes(nil, "All connections have come back")
	})
}

// Idle connections are few and not old, and none is closed while it is lent out.
func TestIdle(t *testing.T) {
	c := usual()
	for _, c.MaxIdle = range []int{2, 1, 0} {
		with(t, c, func(d *desk) {
			d.puts(d.gets("The pool is new"), d.gets("Two places are free"), d.gets("One place is free"))
			for i, one := range d.conns {
				d.isClosed(one, i >= c.MaxIdle, fmt.Sprintf("It came back when %d were idle, and %d may be", min(i, c.MaxIdle), c.MaxIdle))
			}
		})
	}
	c.Max, c.MaxIdle = 1, 0
	with(t, c, func(d *desk) {
		d.hold("Dial")
		l := d.waits("Its dial takes a while")
		dial := d.held(0)
		l.leave()
		dial.end <- nil
		d.ends(l, context.Canceled, "Its context ended, and its dial in the same instant")
		l = d.waits("Its dial takes a while")
		l.leaves()
		d.ends(l, context.Canceled, "Its context has ended during its dial")
		d.hold("Close")
		d.letGo(1, nil)
		next := d.waits("None may be idle, and the Close of what was dialled takes a while")
		d.hold("")
		d.letGo(2, nil)
		d.puts(d.has(next, "The Close has returned, so the place is free"))
	})
	c = usual()
	c.IdleTime = 10 * time.Second
	with(t, c, func(d *desk) {
		a := d.gets("The pool is new")
		time.Sleep(time.Minute)
		for range 5 {
			d.puts(a)
			time.Sleep(10*time.Second - 1)
			d.getsThis(a, "It has been idle for a nanosecond less than it may")
		}
		d.puts(a)
		time.Sleep(11 * time.Second)
		d.isClosed(a, true, "It was idle for as long as it may a second ago, and nobody has called")
		a = d.gets("Places are free")
		d.puts(a)
		time.Sleep(10 * time.Second)
		b := d.getsNew("The only connection has been idle for as long as it may")
		c := d.gets("Places are free")
		d.puts(b)
		time.Sleep(5 * time.Second)
		d.puts(c)
		time.Sleep(6 * time.Second)
		d.isClosed(b, true, "It has been idle for 11s, and may be for 10s, whatever came back later")
		d.isClosed(c, false, "It has been idle for 6s, and may be for 10s")
		time.Sleep(5 * time.Second)
		d.isClosed(c, true, "It has been idle for 11s, and may be for 10s")
	})
	c.Max, c.MaxIdle = 2, 1
	for _, c.IdleTime = range []time.Duration{0, time.Millisecond} {
		with(t, c, func(d *desk) {
			d.hold("Dial")
			d.waits("Its dial takes a while").leaves()
			d.waits("Its dial takes a while").leaves()
			d.hold("")
			d.letGo(0, nil)
			d.letGo(1, nil)
			d.isClosed(d.conns[1], true, "It was dialled for one who left, and one is idle, as many as may be")
			time.Sleep(time.Second)
			d.isClosed(d.conns[0], c.IdleTime > 0, fmt.Sprintf("It was dialled for one who left, and is idle for 1s; the limit is %v", c.IdleTime))
			d.puts(d.gets("What was dialled for one who left is idle, or its place is free"))
		})
	}
	c = usual()
	c.Lifetime, c.IdleTime = time.Minute, time.Hour
	for share, life := range map[float64]time.Duration{0: time.Minute, 0.5: 57 * time.Second} {
		with(t, c, func(d *desk) {
			d.share = share
			why := fmt.Sprintf("Random returned %v, so its life is %v, and ", share, life)
			d.hold("Dial")
			l := d.waits("Its dial takes a while")
			time.Sleep(10 * time.Second)
			d.letGo(0, nil)
			a := d.has(l, "Its dial took 10s")
			time.Sleep(life - 1)
			d.puts(a)
			d.getsThis(a, why+"a nanosecond of it is left")
			time.Sleep(time.Hour)
			d.isClosed(a, false, why+"is long over, but it is lent out")
			d.hold("")
			d.puts(a)
			d.isClosed(a, true, why+"was over when it came back")
			b := d.gets("Places are free")
			d.puts(b)
			time.Sleep(life)
			c := d.getsNew(why + "is over for the only connection")
			time.Sleep(time.Second)
			d.isClosed(b, true, why+"was over a second ago, and it is idle")
			d.puts(c)
			step.Equal(d, 3, d.asked.Load(), "Three connections were dialled. Random was asked:")
		})
	}
}

// A bad connection is thrown away and the call made once more, on a fresh one, only if nothing was sent.
func TestBad(t *testing.T) {
	wrapped := fmt.Errorf("query: %w", connpool.ErrBadConn)
	with(t, usual(), func(d *desk) {
		for _, end := range []error{nil, errOther, context.DeadlineExceeded} {
			used, err := d.do(end)
			step.Expect(d, very(err, end), "Do should return what f returned, %v. It returned %v.", end, err)
			step.Equal(d, 1, len(used), "f does not return that nothing was sent, but %v. Calls of f:", end)
		}
		step.Equal(d, 1, d.dials.Load(), "Each call should put its connection back. Dials:")
	})
	c := usual()
	c.Lifetime = time.Minute
	for i, end := range []error{nil, nil, errOther, wrapped} {
		with(t, c, func(d *desk) {
			a, b := d.gets("The pool is new"), d.gets("Two places are free")
			d.puts(b, a)
			used, err := d.do([]error{connpool.ErrBadConn, wrapped, wrapped, wrapped}[i], end)
			step.Expect(d, very(err, end), "f said that nothing was sent, then it returned %v: Do should return that. It returned %v.", end, err)
			step.Equal(d, 2, len(used), "f said that nothing was sent, so it is called once more. Calls of f:")
			step.Expect(d, used[1] != a && used[1] != b, "f should be called again with a connection that was dialled for it. It was idle.")
			d.isClosed(a, true, "It was bad")
			d.isClosed(b, false, "It was idle, and another one was bad")
			d.isClosed(used[1], very(end, wrapped), fmt.Sprintf("It was dialled for the second call, which returned %v", end))
			time.Sleep(time.Minute)
			d.isClosed(used[1], true, "It was dialled for the second call, and its life is over")
			step.Equal(d, 3, d.asked.Load(), "Three connections were dialled. Random was asked:")
		})
	}
	one := usual()
	one.Max = 1
	with(t, one, func(d *desk) {
		used, err := d.do(wrapped, nil)
		step.Expect(d, err == nil && len(used) == 2, "A new one can be bad, too. f was called %d times, and Do returned %v.", len(used), err)
		goOn := make(chan struct{})
		do := step.Start(d.T, func() error {
			return d.p.Do(d.Context(), func(context.Context, connpool.Conn) error { <-goOn; return connpool.ErrBadConn })
		})
		line := d.waits("The only connection is with Do")
		close(goOn)
		step.Expect(d, !do.Waits(), "Do should keep its place while it dials. One who waited got the place.")
		step.Equal(d, connpool.ErrBadConn, do.Result(), "Both connections were bad. Do returns:")
		d.puts(d.has(line, "Do has returned, and its connections are closed"))
		ctx, leave := context.WithTimeout(d.Context(), time.Second)
		dials := func() error {
			return d.p.Do(ctx, func(context.Context, connpool.Conn) error { d.hold("Dial"); return connpool.ErrBadConn })
		}
		do = step.Start(d.T, dials)
		line = d.waits("The only place is with Do, whose second dial takes a while")
		_, limited := d.held(0).ctx.Deadline()
		step.Expect(d, !limited, "The dial for the second call of f should not have its caller's deadline.")
		d.hold("")
		d.letGo(0, errDial)
		step.Expect(d, very(do.Result(), errDial), "The dial for the second call of f failed: Do should return its error. It returned "+
			"%v.", do.Result())
		d.puts(d.has(line, "The dial for the second call of f failed, so the place is free"))
		do = step.Start(d.T, dials)
		leave()
		d.hold("")
		step.Equal(d, context.Canceled, do.Result(), "The context ended during the dial for the second call of f. Do returns:")
		d.letGo(1, nil)
		d.getsThis(d.conns[len(d.conns)-1], "It was dialled for a Do whose context ended, and is idle")
		d.puts(d.conns[len(d.conns)-1])
	})
	for i, end := range []error{errPanic, errExit, errPanic, errExit} {
		with(t, one, func(d *desk) {
			used, got := d.do([]error{end, end, wrapped, wrapped}[i], end)
			step.Expect(d, very(end, errExit) || very(got, errPanic), "A panic of f should go on to the caller. It got: %v.", got)
			d.isClosed(used[len(used)-1], true, fmt.Sprintf("f did not return, at call %d: %v", len(used), end))
			d.puts(d.getsNew("f did not return: " + end.Error() + ", so its connection is closed and the place free"))
		})
	}
}

// do calls Do with an f that returns these, one after the other.
func (d *desk) do(ends ...error) (used []*conn, err error) {
	d.Helper()
	ctx := d.Context()
	do := step.Start(d.T, func() (err error) {
		defer func() {
			if value, ok := recover().(error); ok {
				err = value
			}
		}()
		return d.p.Do(ctx, func(got context.Context, c connpool.Conn) error {
			used = append(used, d.lends(c))
			n := len(used)
			d.mu.Lock()
			defer d.mu.Unlock()
			used[n-1].lent = false // from now on the pool may have it
			if got != ctx {
				d.note("Do called f with a context that is not the caller's.")
			}
			if n > len(ends) {
				d.note("f was called %d times.", n)
				return nil
			}
			if very(ends[n-1], errPanic) {
				panic(errPanic)
			} else if very(ends[n-1], errExit) {
				runtime.Goexit()
			}
			return ends[n-1]
		})
	})
	step.Expect(d, !do.Waits(), "A connection is there, and f returns at once: Do should return. It waits.")
	d.Tell("Do with an f that returns %v: %v", ends, do.Result())
	d.sound()
	return used, do.Result()
}

// What a user left behind is cleared before the next one gets the connection, and only what is lent out comes back.
func TestPut(t *testing.T) {
	two := usual()
	two.Max = 2
	with(t, two, func(d *desk) {
		a := d.gets("The pool is new")
		a.left = "an open transaction"
		d.puts(a)
		d.getsThis(a, "It is idle")
		step.Equal(d, 1, a.resets.Load(), "A connection came back once. Resets:")
		b := d.gets("One place is free")
		l := d.waits("Both connections are lent out")
		b.left = "an open transaction"
		d.puts(b)
		d.has(l, "A connection has come back")
		first, second := d.waits("Both connections are lent out"), d.waits("Both connections are lent out")
		a.bad = errOther
		d.puts(a)
		d.isClosed(a, true, "Reset has failed")
		c := d.has(first, "What came back is closed, so its place is free")
		step.Expect(d, second.Waits(), "One place is free: only the first of two who wait should be served, by a dial.")
		second.leaves()
		d.puts(c)
		used, _ := d.do(nil)
		used[0].bad = errOther
		_, err := d.do(nil)
		step.Expect(d, err == nil, "f has succeeded, and Reset fails after it: Do should return nil. It returned %v.", err)
		d.isClosed(used[0], true, "Reset has failed at the end of Do")
		d.puts(b)
	})
	for _, life := range []time.Duration{time.Hour, time.Minute} {
		two.Lifetime = life
		with(t, two, func(d *desk) {
			a, b := d.gets("The pool is new"), d.gets("One place is free")
			d.puts(b)
			d.hold("Reset")
			d.puts(a)
			d.getsThis(b, "The Reset of one connection takes a while, and another one is idle")
			l := d.waits("One connection is lent out, and the Reset of the other takes a while")
			time.Sleep(time.Minute)
			d.hold("")
			d.letGo(0, nil)
			d.isClosed(a, life == time.Minute, fmt.Sprintf("Its Reset took a minute, and its life is %v", life))
			d.puts(d.has(l, "The Reset has returned"), b)
		})
	}
	with(t, two, func(d *desk) {
		a, b := d.gets("The pool is new"), d.gets("One place is free")
		d.puts(a)
		other := open(d.T, nil, two)
		stranger := other.gets("Another pool is new")
		for i, c := range []connpool.Conn{a, &conn{server: d.server}, stranger, nil} {
			why := []string{"It was put back already", "It was never lent out", "It is another pool's", "It is nil"}[i]
			step.Equal(d, connpool.ErrNotLent, d.p.Put(c), "%s. Put returns:", why)
		}
		step.Equal(d, 1, a.resets.Load(), "It was put back once. Resets:")
		d.getsThis(a, "It is idle")
		d.waits("Both connections are lent out, though one was put back twice").leaves()
		d.puts(a, b)
		other.puts(stranger)
		other.closes(nil, "Nothing is lent out")
	})
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		d := open(t, x, two)
		a := d.gets("The pool is new")
		a.lent = false
		var first, second error
		x.Go("A", func() { x.Point("Put"); first = d.p.Put(a) })
		x.Go("B", func() { x.Point("Put"); second = d.p.Put(a) })
		x.Run()
		ok := (first == nil) != (second == nil) && very(cmp.Or(first, second), connpool.ErrNotLent)
		step.Expect(d, ok, "Two put one connection back at the same time: one should get ErrNotLent. They get %v and %v.", first, second)
		d.puts(d.gets("It was put back"), d.gets("It was put back once, and a place is free"))
		d.closes(nil, "All connections have come back")
	})
}

// Close waits for what is lent out, refuses who comes, and sends away who waits.
func TestClose(t *testing.T) {
	refuses := func(d *desk) {
		d.Helper()
		dials := d.dials.Load()
		d.ends(d.asks(d.Context()), connpool.ErrClosed, "The pool is closed")
		used, err := d.do()
		step.Expect(d, very(err, connpool.ErrClosed) && used == nil, "The pool is closed: Do should return ErrClosed. It returned %v.", err)
		step.Equal(d, 0, d.dials.Load()-dials, "The pool is closed. Dials since then:")
	}
	with(t, usual(), func(d *desk) {
		a, b, c := d.gets("The pool is new"), d.gets("Two places are free"), d.gets("One place is free")
		l := d.waits("Three connections are lent out")
		d.closes(context.DeadlineExceeded, "Three connections are lent out")
		d.ends(l, connpool.ErrClosed, "The pool was closed while it waited")
		refuses(d)
		d.isClosed(a, false, "The pool is closed, but it is lent out")
		closing := step.Start(d.T, func() error { return d.p.Close(d.Context()) })
		d.puts(a, b)
		d.isClosed(b, true, "It came back when the pool was closed")
		step.Expect(d, closing.Waits(), "One connection is still lent out: Close should wait. It has returned.")
		d.puts(c)
		step.Expect(d, !closing.Waits() && closing.Result() == nil, "All connections have come back: Close should return nil.")
		step.Equal(d, connpool.ErrNotLent, d.p.Put(c), "It was put back already. Put returns:")
	})
	with(t, usual(), func(d *desk) {
		d.puts(d.gets("The pool is new"))
		d.hold("Close")
		d.closes(context.DeadlineExceeded, "The Close of an idle connection takes a while")
		d.hold("")
		d.letGo(0, errOther)
		d.closes(nil, "No connection is open")
		refuses(d)
	})
	with(t, usual(), func(d *desk) {
		d.hold("Dial")
		l := d.waits("Its dial takes a while")
		gone := d.waits("Its dial takes a while")
		gone.leaves()
		d.ends(gone, context.Canceled, "Its context has ended during its dial")
		d.closes(context.DeadlineExceeded, "A dial takes a while, and does not look at its context")
		d.ends(l, connpool.ErrClosed, "The pool was closed during its dial")
		for n := range 2 {
			step.Expect(d, d.held(n).ctx.Err() != nil, "The pool is closed: the context of each dial should have ended. One has not.")
			d.letGo(n, nil)
		}
		d.isClosed(d.conns[0], true, "It was dialled when the pool was closed")
		refuses(d)
	})
	with(t, usual(), func(d *desk) {
		calls := 0
		err := d.p.Do(d.Context(), func(context.Context, connpool.Conn) error {
			calls++
			d.closes(context.DeadlineExceeded, "f has a connection")
			return connpool.ErrBadConn
		})
		step.Expect(d, very(err, connpool.ErrClosed) && calls == 1, "The pool was closed while f ran: Do should return ErrClosed after "+
			"one call of f. It returned %v after %d.", err, calls)
	})
	c := usual()
	for _, c.MaxIdle = range []int{0, 1} {
		step.ExploreWithin(t, 400, func(t *step.T, x *interleave.Schedule) {
			d := open(t, x, c)
			d.puts(d.gets("The pool is new"))
			var err, closed error
			x.Go("caller", func() {
				x.Point("Do")
				err = d.p.Do(t.Context(), func(context.Context, connpool.Conn) error { return nil })
			})
			x.Go("closer", func() { x.Point("Close"); closed = d.p.Close(t.Context()) })
			x.Run()
			step.Expect(d, err == nil || very(err, connpool.ErrClosed), "Close comes at the same time: Do may return ErrClosed. Got: %v.", err)
			d.sound()
			step.Expect(d, closed == nil && d.open.Load() == 0, "Close should close all. It returned %v, and %d are open.", closed, d.open.Load())
		})
	}
	step.Bubble(t, func(t *step.T) {
		borrow := func(p *connpool.Pool) {
			if c, err := p.Get(context.Background()); err == nil {
				_ = p.Put(c)
			}
		}
		s := &server{}
		apart.Pairs(t.T, func() *connpool.Pool {
			return connpool.New(connpool.Config{Dial: s.dial, Max: 1, MaxIdle: 1, Random: func() float64 { return 0 }, Lifetime: time.Second})
		},
			apart.Call[*connpool.Pool]{Name: "Get and Put", Do: borrow},
			apart.Call[*connpool.Pool]{Name: "Get, Put and a while", Do: func(p *connpool.Pool) { borrow(p); time.Sleep(2 * time.Second) }},
			apart.Call[*connpool.Pool]{Name: "Do", Do: func(p *connpool.Pool) {
				_ = p.Do(context.Background(), func(context.Context, connpool.Conn) error { return connpool.ErrBadConn })
			}},
			apart.Call[*connpool.Pool]{Name: "Close", Do: func(p *connpool.Pool) { _ = p.Close(context.Background()) }},
		)
	})
}

func (d *desk) gets(why string) *conn {
	d.Helper()
	return d.has(d.asks(d.Context()), why)
}

func (d *desk) getsThis(want *conn, why string) {
	d.Helper()
	got := d.gets(why)
	step.Expect(d, got == want, "%s: Get should return %v. It returned %v.", why, want, got)
}

func (d *desk) getsNew(why string) *conn {
	d.Helper()
	dials := d.dials.Load()
	c := d.gets(why)
	step.Expect(d, d.dials.Load() > dials, "%s: Get should dial. It returned %v.", why, c)
	return c
}

func (d *desk) has(l *loan, why string) *conn {
	d.Helper()
	defer l.leave()
	step.Expect(d, !l.Waits(), "%s: Get should return a connection. It waits.", why)
	step.NoError(d, l.Result(), "%s: Get should return a connection.", why)
	return l.c
}

func (d *desk) waits(why string) *loan {
	d.Helper()
	l := d.asks(d.Context())
	step.Expect(d, l.Waits(), "%s: Get should wait. It returned %s.", why, l.told())
	return l
}

func (d *desk) ends(l *loan, want error, why string) {
	d.Helper()
	step.Expect(d, !l.Waits(), "%s: Get should return an error at once. It waits.", why)
	step.Expect(d, very(l.Result(), want), "%s: Get should return the error %q. It returned %v.", why, want, l.Result())
}
