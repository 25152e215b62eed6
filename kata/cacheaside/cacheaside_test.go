package cacheaside_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/kata/cacheaside"
	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/pkg/apart"
	"github.com/backend-kata/dojo/pkg/interleave"
)

// A value that was found is kept for its time, what was not found for a shorter one, and an error not at all.
func TestKept(t *testing.T) {
	for i, part := range []int64{100, 95} {
		with(t, func(w *world, a, b *server) {
			share := []float64{0, 0.5}[i]
			w.share, w.absent = share, []error{cacheaside.ErrNotFound, errAbsent}[i]
			for n, key := range []string{"k", "m"} {
				kept, kind := []time.Duration{ttl, missing}[n]*time.Duration(part)/100, []string{"It was found", "It was not found"}[n]
				life, why := fmt.Sprintf("%s. Random returns %v, so that is kept for %v, and ", kind, share, kept), "The cache has nothing"
				for range 3 {
					old := []string{w.rows["k"], none}[n]
					a.gets(old, 1, key, why)
					why = life + "that has passed"
					w.row("k", old+"+")
					time.Sleep(kept - time.Millisecond)
					a.gets(old, 0, key, life+"a millisecond of that is left")
					b.gets(old, 0, key, "Another server has put it into the cache, which all share")
					time.Sleep(time.Millisecond)
				}
			}
			w.row("m", "here")
			b.gets("here", 1, "m", "It was not found, and the time for that has passed")
		})
	}
	with(t, func(w *world, a, b *server) {
		for _, fails := range []error{errLoad, context.Canceled, context.DeadlineExceeded} {
			w.set(func() { w.failLoad = fails })
			for _, s := range []*server{a, b, a} {
				got := s.asks(w.Context(), "k")
				step.Expect(w, errors.Is(got.Result(), fails), "The load returned %v, and so should Get. It returned: %s.", fails, got.told())
				step.Expect(w, very(got.Result(), fails), "Get should return the error of a load as it is, %v. It returned: %s.", fails, got.told())
			}
			step.Expect(w, len(w.loads)%3 == 0, "An error is not kept: each of three Gets should load. There were %d loads.", len(w.loads))
		}
		w.set(func() { w.failLoad = nil })
		time.Sleep(soon)
		b.gets("v1", 1, "k", "Loads have failed, and work again")
		loads := w.count()
		late, cancel := context.WithTimeout(w.Context(), 0)
		gone, leave := context.WithCancel(w.Context())
		defer cancel()
		leave()
		for i, ctx := range []context.Context{late, gone, late, gone} {
			got := a.asks(ctx, []string{"k", "k", "new", "new"}[i])
			step.Expect(w, very(got.Result(), ctx.Err()), "Its context had ended: Get should return %v. It returned: %s.", ctx.Err(), got.told())
		}
		step.Equal(w, loads, w.count(), "The context had ended when Get was called, so it should not load. Loads:")
	})
	with(t, func(w *world, a, b *server) {
		w.failLoad = errLoad
		a.asks(w.Context(), "failed")
		w.failLoad = nil
		a.gets("v1", 1, "k", "The cache has nothing")
		a.gets(none, 1, "m", "The database has no such key")
		texts := slices.Compact(slices.Sorted(slices.Values(slices.Concat([]string{"", " ", "k:"}, w.texts))))
		for i, value := range texts {
			key := fmt.Sprint("value", i)
			w.row(key, value)
			a.gets(value, 1, key, "Any text is a value")
			b.gets(value, 0, key, "Any text is a value, and this one is in the cache")
		}
		time.Sleep(ttl)
		for i, key := range texts {
			w.row(key, fmt.Sprint(i))
			a.gets(fmt.Sprint(i), 1, key, "Any text is a key")
		}
		for i, key := range texts {
			b.gets(fmt.Sprint(i), 0, key, "Any text is a key, and the cache has the value of this one")
		}
	})
	step.Bubble(t, func(t *step.T) {
		fresh := func() *cacheaside.Store {
			w := newWorld(t, nil)
			w.blank = true
			return w.server("A").store
		}
		apart.Pairs(t, fresh,
			apart.Call[*cacheaside.Store]{Name: "Get", Do: func(s *cacheaside.Store) { _, _ = s.Get(context.Background(), "k") }},
			apart.Call[*cacheaside.Store]{Name: "Write", Do: func(s *cacheaside.Store) { _ = s.Write(context.Background(), "k", "v") }},
		)
	})
}

// A thousand callers cost one load, which ends when the last of them has left.
func TestOneLoad(t *testing.T) {
	for _, fails := range []error{nil, errLoad, errAbsent} {
		with(t, func(w *world, a, _ *server) {
			w.holds(true)
			var all []*asked
			for range 1000 {
				all = append(all, a.asks(w.Context(), "k"))
			}
			step.Equal(w, 1, w.count(), "A thousand callers ask for a key at one server. Loads:")
			_, limited := w.load(0).ctx.Deadline()
			step.Expect(w, !limited, "A load should have no deadline. It has one.")
			w.holds(false)
			w.row("other", "v")
			a.gets("v", 1, "other", "The load of another key takes a while, and places are free")
			w.ends(0, fails)
			for _, one := range all {
				step.Expect(w, one.told() == all[0].told(), "All share what came of the load: %s. One got %s.", all[0].told(), one.told())
			}
			want := map[error]string{nil: "v1", errLoad: errLoad.Error(), errAbsent: none}[fails]
			step.Equal(w, want, all[999].told(), "The load has ended. Get returns:")
			step.Equal(w, 2, w.count(), "A thousand callers have shared a load. Loads, with that of another key:")
		})
	}
	for _, stubborn := range []bool{false, true} {
		with(t, func(w *world, a, b *server) {
			w.hold, w.stubborn = true, stubborn
			first, cancel := context.WithTimeout(w.Context(), time.Second)
			defer cancel()
			callers := []*asked{a.asks(first, "k"), a.asks(w.Context(), "k"), a.asks(w.Context(), "k")}
			l := w.load(0)
			time.Sleep(time.Second)
			step.Equal(w, context.DeadlineExceeded.Error(), callers[0].told(), "The context of the caller who came first has ended. Get returns:")
			callers[1].leave()
			step.Equal(w, context.Canceled.Error(), callers[1].told(), "The context of a caller has ended. Get returns:")
			step.Expect(w, l.ctx.Err() == nil && callers[2].Waits(), "Two of three callers have left: the load should go on for the third. "+
				"Its context: %v.", l.ctx.Err())
			callers[2].leave()
			step.Equal(w, context.Canceled.Error(), callers[2].told(), "The last caller has left. Get returns:")
			step.Expect(w, l.ctx.Err() != nil, "All callers have left, so the context of the load should have ended. It has not.")
			w.holds(false)
			next := a.asks(w.Context(), "k")
			if stubborn {
				w.ends(0, context.Canceled)
			}
			step.Expect(w, next.Result() == nil, "It came after a load was cancelled: it should get a value. It got: %s.", next.told())
			b.gets("v1", 0, "k", "A load was cancelled, and another one has ended well")
		})
	}
	step.ExploreWithin(t, 150, func(t *step.T, x *interleave.Schedule) {
		w := newWorld(t, x)
		a := w.server("A")
		ctx, leave := context.WithCancel(t.Context())
		var second error
		x.Go("first caller", func() { x.Point("Get"); _, _ = a.store.Get(ctx, "k") })
		x.Go("its context", func() { x.Point("ends"); leave() })
		x.Go("second caller", func() { x.Point("Get"); _, second = a.store.Get(t.Context(), "k") })
		x.Run()
		step.Expect(w, second == nil, "The first caller has left: the second should get a value all the same. It got: %v.", second)
		w.sound()
	})
}

// Once a write has returned, no order of loads and invalidations leaves the old value, at two servers.
func TestWrite(t *testing.T) {
	with(t, func(w *world, a, b *server) {
		for i, s := range []*server{a, b, b, a} {
			old, value, key := w.rows["k"], fmt.Sprint("new", i), fmt.Sprint("key", i)
			a.gets(old, 1, "k", "The cache has nothing, or has had its time")
			b.gets(old, 0, "k", "The other server has loaded it")
			s.writes("k", value)
			b.gets(value, some, "k", "Write has returned")
			a.gets(value, 0, "k", "Write has returned, and the other server has had the value since")
			a.gets(none, 1, key, "The key does not exist")
			b.gets(none, 0, key, "The other server has not found it")
			s.writes(key, value)
			a.gets(value, some, key, "It was created since")
			b.gets(value, 0, key, "It was created since, and the other server has had the value since")
			time.Sleep(ttl)
		}
		step.Equal(w, 8, w.written, "Each of 8 Writes should write once. Writes of the database:")
		a.does(slow, 0)
		b.gets("new3", 1, "k", "The cache has nothing")
		a.writes("k", "v4")
		b.gets("v4", some, "k", "The cache was slow for a Write, but in time")
		first := step.Start(w.T, func() error { return a.store.Write(w.Context(), "k", "v5") })
		b.writes("k", "v6")
		step.NoError(w, first.Result(), "The database works, so Write should succeed.")
		b.gets(w.rows["k"], some, "k", "Of two writes the one that committed first returned last")
	})
	for _, pause := range []time.Duration{time.Second, 0} {
		with(t, func(w *world, a, b *server) {
			w.during = func() { a.gets("v1", 1, "k", "The cache has nothing, and a write has not committed yet") }
			b.writes("k", "v2")
			time.Sleep(pause)
			a.gets("v2", some, "k", fmt.Sprintf("A Get began and ended in the middle of a Write, before the commit. Write returned %v ago", pause))
		})
	}
	for i := range 16 {
		with(t, func(w *world, a, b *server) {
			if w.hold = true; i/8 == 1 {
				delete(w.rows, "k")
			}
			var early *asked
			begins := func() { early = a.asks(w.Context(), "k"); w.load(0) }
			writer, where := []*server{a, b}[i%2], []string{"the same", "another"}[i%2]
			when := []string{"before Write", "during Write, but before its commit"}[i/2%2]
			if w.during = begins; i/2%2 == 0 {
				begins()
				w.during = nil
			}
			writer.writes("k", "v2")
			next := writer.asks(w.Context(), "k")
			step.Equal(w, 2, w.count(), "A load began %s. Get began after Write had returned, at the writer's server, and should load. Loads:", when)
			first := i / 4 % 2 // of the two who ends
			w.ends(first, nil)
			w.ends(1-first, nil)
			w.holds(false)
			why := fmt.Sprintf("The load %d ended first. It was load 1 that had read before the commit, at %s server", first+1, where)
			step.Equal(w, "v2", next.now(), "Get began after Write had returned. %s. It returns:", why)
			step.Expect(w, !early.Waits(), "Its load has ended: Get should have returned. It waits.")
			a.gets("v2", 0, "k", why)
			b.gets("v2", 0, "k", why)
		})
	}
	for i := range 2 {
		with(t, func(w *world, a, b *server) {
			w.holds(true)
			early := a.asks(w.Context(), "k")
			w.load(0)
			time.Sleep(lease + soon)
			a.writes("k", "v2")
			if i == 0 {
				w.ends(0, nil)
			}
			early.leave()
			step.Expect(w, i == 0 || w.load(0).ctx.Err() != nil, "The last caller of a load from before a Write has left. The load goes on.")
			w.holds(false)
			b.gets("v2", some, "k", "A load had read before the commit, and took longer than its lease")
			done := make(chan struct{})
			a.hook = func() {
				a.does(slow, 0)
				go func() { defer close(done); _, _ = a.store.Get(w.Context(), "k") }()
				time.Sleep(time.Millisecond)
				a.does(works, 0)
				time.Sleep(timeout * 7 / 10) // it has read, and its answer is on the way
			}
			a.writes("k", "v3")
			a.gets("v3", some, "k", "A Get had read the cache after the commit, and before the cache was told of it")
			<-done
		})
	}
	for i := range 4 { // a writer at the reader's server, and at the other one, of a key that exists, and of one that does not
		step.ExploreWithin(t, 150, func(t *step.T, x *interleave.Schedule) {
			w := newWorld(t, x)
			if i/2 == 1 {
				delete(w.rows, "k")
			}
			a, b := w.server("A"), w.server("B")
			writer, after := []*server{a, b}[i%2], ""
			x.Go("reader at A", func() { _, _ = a.store.Get(t.Context(), "k") })
			x.Go("writer at "+writer.name, func() {
				x.Point("Write")
				_ = writer.store.Write(t.Context(), "k", "v2")
				after, _ = writer.store.Get(t.Context(), "k")
			})
			x.Run()
			step.Expect(w, after == "v2", "Get began after Write had returned at the same server: it should return \"v2\". It returned %q.", after)
			for _, s := range []*server{a, b, a} {
				step.Equal(w, "v2", s.asks(w.Context(), "k").now(), "All calls have returned. Get at %s returns:", s.name)
			}
		})
	}
}

// One server loads for all, and one that has died or is slow keeps the others waiting for its lease at most.
func TestServers(t *testing.T) {
	with(t, func(w *world, a, b *server) {
		w.holds(true)
		first := a.asks(w.Context(), "k")
		time.Sleep(lease / 3)
		second, c := b.asks(w.Context(), "k"), w.server("C")
		third := c.asks(w.Context(), "k")
		time.Sleep(lease / 3)
		step.Equal(w, 1, w.count(), "Three servers want a key, and one of them loads it. Loads:")
		w.ends(0, nil)
		step.Equal(w, "v1", first.told(), "Its load has ended. Get returns:")
		time.Sleep(soon)
		for _, one := range []*asked{second, third} {
			step.Equal(w, "v1", one.told(), "The other server's load ended 50ms ago, and its value is in the cache. Get returns:")
		}
		step.Equal(w, 1, w.count(), "Three servers have shared a load. Loads:")
	})
	step.ExploreWithin(t, 100, func(t *step.T, x *interleave.Schedule) {
		w := newWorld(t, x)
		for _, s := range []*server{w.server("A"), w.server("B")} {
			x.Go("reader at "+s.name, func() { x.Point("Get"); _, _ = s.store.Get(t.Context(), "k") })
		}
		x.Run()
		step.Equal(w, 1, w.count(), "Two servers want a key, and one should load it for both. Loads:")
		w.sound()
	})
	for _, name := range []string{"has failed", "was cancelled", "was cancelled, and has found a value", "has found nothing"} {
		with(t, func(w *world, a, b *server) {
			w.hold, w.stubborn = true, strings.HasSuffix(name, "a value")
			first := a.asks(w.Context(), "k")
			time.Sleep(time.Millisecond)
			second := b.asks(w.Context(), "k")
			w.load(0)
			w.holds(false)
			switch name {
			case "has failed":
				w.ends(0, errLoad)
			case "was cancelled":
				first.leave()
			case "was cancelled, and has found a value":
				first.leave()
				w.ends(0, nil)
			default:
				w.ends(0, errAbsent)
			}
			time.Sleep(soon)
			want := map[bool]string{true: none, false: "v1"}[name == "has found nothing"]
			step.Equal(w, want, second.told(), "The other server's load %s 50ms ago. Get returns:", name)
			step.Expect(w, w.count() <= 2, "The first load %s, and another server waited. Loads: %d.", name, w.count())
		})
	}
	for _, dies := range []bool{false, true} {
		with(t, func(w *world, a, b *server) {
			w.holds(true)
			first := a.asks(w.Context(), "k")
			if dies {
				a.does(refuses, 0)
				w.load(0)
				w.ends(0, errLoad)
			}
			time.Sleep(lease / 4)
			second := b.asks(w.Context(), "k")
			time.Sleep(lease / 4)
			c := w.server("C")
			third := c.asks(w.Context(), "k")
			time.Sleep(lease/2 - time.Millisecond)
			step.Equal(w, 1, w.count(), "A load began a lease ago but for a millisecond, and has not told how it ended. Loads:")
			time.Sleep(soon + time.Millisecond)
			step.Equal(w, 2, w.count(), "A load began a lease and 50ms ago, and did not end. Two servers wait, and one should load. Loads:")
			time.Sleep(lease / 2)
			w.ends(1, nil)
			time.Sleep(soon)
			for _, one := range []*asked{second, third} {
				step.Equal(w, "v1", one.told(), "A load did not end, and the next one ended 50ms ago. Get returns:")
			}
			if !dies {
				step.Expect(w, first.Waits() && w.load(0).ctx.Err() == nil, "A load takes longer than the lease: it should go on for its own "+
					"callers. It ended.")
				w.ends(0, errLoad)
				step.Equal(w, errLoad.Error(), first.told(), "A load took longer than the lease, and has failed. Get returns:")
			}
			w.holds(false)
			b.gets("v1", 0, "k", "A load that took longer than the lease has failed, after another one was kept")
		})
	}
	with(t, func(w *world, a, b *server) {
		w.holds(true)
		var waits *asked
		for i := range 2 * places {
			waits = a.asks(w.Context(), fmt.Sprint("key", i))
		}
		step.Equal(w, places, w.count(), "Callers want %d keys at a server with %d places for loads. Loads:", 2*places, places)
		step.Expect(w, waits.Waits(), "All places for loads are taken at this server, so Get should wait. It returned: %s.", waits.told())
		for i := range places {
			b.asks(w.Context(), fmt.Sprint("key", places+i))
		}
		step.Equal(w, 2*places, w.count(), "Who asked first waits for a place, at another server. Places are free at this one. Loads at both:")
		for i := range places {
			w.ends(i, nil)
		}
		w.holds(false)
		time.Sleep(soon)
		step.Equal(w, "v1", a.asks(w.Context(), "k").told(), "All places are free. Callers wait for loads of another server. Get returns:")
		for i := range places {
			w.ends(places+i, errAbsent)
		}
		time.Sleep(soon)
		step.Equal(w, none, waits.told(), "It waited for another server's load, which ended 50ms ago. Get returns:")
	})
}

// A cache that fails or hangs costs one time-out, and never more loads at once than there are places.
func TestCacheFails(t *testing.T) {
	for _, state := range []int{refuses, hangs, loses} {
		for from := int64(1); from <= 10; from++ {
			for i := range 3 {
				with(t, func(w *world, a, b *server) {
					want := "v1"
					switch i {
					case 1:
						b.gets("v1", 1, "k", "The cache works, and has nothing")
					case 2:
						w.failLoad, want = errLoad, errLoad.Error()
					}
					why := fmt.Sprintf("The cache %s from call %d on", []string{"", "refuses", "hangs", "loses answers"}[state], from)
					a.does(state, from)
					got := a.asks(w.Context(), "k")
					step.Expect(w, got.now() == want, "%s: Get should return what a load does. It returned: %q.", why, got.told())
					step.Expect(w, got.Took() <= timeout, "%s. Get should wait for one call that fails, %v. It took %v.", why, timeout, got.Took())
					a.does(state, from)
					write := step.Start(w.T, func() error { return a.store.Write(w.Context(), "k", "v2") })
					step.Expect(w, write.Result() == nil, "%s: Write has committed, and should return nil. It returned: %v.", why, write.Result())
					step.Expect(w, write.Took() <= timeout, "%s. Write should wait for one call that fails, %v. It took %v.",
						why, timeout, write.Took())
					a.does(works, 0)
					w.failLoad = nil
					time.Sleep(ttl)
					a.gets("v2", some, "k", why+", and the old value has had its time")
				})
			}
		}
	}
	with(t, func(w *world, a, b *server) {
		a.does(slow, 0)
		step.NoError(w, a.asks(w.Context(), "k").Result(), "The cache is slow, but in time. Get should succeed.")
		b.gets("v1", 0, "k", "The cache was slow for the other server, but in time")
		a.does(hangs, 0)
		hung := a.asks(w.Context(), "k")
		a.does(works, 0)
		w.row("other", "v")
		a.gets("v", 1, "other", "A call of the cache hangs for another key")
		step.Expect(w, hung.Waits(), "The cache hangs, and Get should wait %v for it. It returned: %s.", timeout, hung.told())
		hung.leave()
		step.Equal(w, context.Canceled, hung.Result(), "The context ends while the cache hangs. Get returns:")
	})
	with(t, func(w *world, a, b *server) {
		w.holds(true)
		a.asks(w.Context(), "k")
		w.load(0)
		waits := b.asks(w.Context(), "k")
		b.does(hangs, 0)
		w.holds(false)
		time.Sleep(soon + timeout)
		step.Equal(w, "v1", waits.told(), "The cache hangs while Get waits for another server's load. Get returns, after one time-out:")
		w.ends(0, nil)
	})
	for _, state := range []int{works, refuses, hangs} {
		with(t, func(w *world, a, _ *server) {
			w.holds(true)
			a.does(state, 0)
			var all []*asked
			for i := range 3 * places {
				key := fmt.Sprint("key", i)
				w.row(key, "v")
				all = append(all, a.asks(w.Context(), key), a.asks(w.Context(), key))
			}
			time.Sleep(timeout)
			step.Equal(w, places, w.count(), "Callers want %d keys at one server, which has %d places for loads. Loads:", 3*places, places)
			ctx, cancel := context.WithTimeout(w.Context(), time.Second)
			defer cancel()
			got := a.asks(ctx, "k")
			step.Equal(w, context.DeadlineExceeded, got.Result(), "It waits for a place, and its context ends. Get returns:")
			step.Equal(w, time.Second, got.Took(), "It waits for a place until its context ends. It took:")
			w.ends(0, nil)
			step.Equal(w, places+1, w.count(), "A load has ended, so its place is free, and others wait. Loads:")
			w.ends(1, errLoad)
			w.ends(2, errAbsent)
			step.Equal(w, places+3, w.count(), "Three loads have ended, one of them badly. Their places are free. Loads:")
			for _, one := range all {
				if one.key == w.load(3).key {
					one.leave()
				}
			}
			step.Equal(w, places+4, w.count(), "A load was cancelled, so its place is free. Loads:")
			for i := 4; i < 3*places; i++ {
				w.ends(i, nil)
			}
			for _, one := range all {
				step.Expect(w, !one.Waits(), "All loads have ended: Get should have returned. It waits.")
			}
			step.Equal(w, 3*places, w.count(), "Two callers shared each load. Loads of %d keys:", 3*places)
		})
	}
}

// A write that fails changes nothing, unless it was committed all the same.
func TestFailedWrite(t *testing.T) {
	for i := range 4 {
		with(t, func(w *world, a, b *server) {
			if i/2 == 1 {
				a.gets("v1", 1, "k", "The cache has nothing")
			}
			want, why := "v1", "DB.Write has failed before the commit"
			if i%2 == 1 {
				want, why = "v2", "DB.Write has committed, and then failed"
			}
			w.failWrite, w.commits = errWrite, i%2 == 1
			goOn := make(chan struct{})
			w.during = func() { <-goOn }
			write := step.Start(w.T, func() error { return a.store.Write(w.Context(), "k", "v2") })
			for _, s := range []*server{a, b} {
				step.Equal(w, "v1", s.asks(w.Context(), "k").now(), "A transaction has not committed yet. Get at %s returns:", s.name)
			}
			close(goOn)
			step.Expect(w, very(write.Result(), errWrite), "Write should return what DB.Write returned, %v. It returned: %v.",
				errWrite, write.Result())
			step.Equal(w, 1, w.written, "DB.Write has failed. It was called:")
			for _, s := range []*server{b, a} {
				step.Equal(w, want, s.asks(w.Context(), "k").now(), "%s. Get at %s returns:", why, s.name)
			}
		})
	}
	with(t, func(w *world, a, _ *server) {
		w.holds(true)
		a.asks(w.Context(), "k")
		w.load(0)
		w.set(func() { w.hold, w.failWrite, w.commits = false, errWrite, true })
		_ = a.store.Write(w.Context(), "k", "v2")
		a.gets("v2", some, "k", "A load had read before a Write that has committed, and then failed, at the same server")
		w.ends(0, nil)
	})
	for _, fails := range []error{nil, context.Canceled} {
		with(t, func(w *world, a, b *server) {
			a.gets("v1", 1, "k", "The cache has nothing")
			ctx, leave := context.WithCancel(w.Context())
			w.failWrite, w.commits, w.during = fails, true, leave
			err := a.store.Write(ctx, "k", "v2")
			step.Equal(w, context.Canceled, err, "The context ended during the commit, and DB.Write returned its error. So does Write:")
			b.gets("v2", some, "k", "The context of Write ended during the commit")
			a.gets("v2", 0, "k", "The context of Write ended during the commit, and the other server has had the value since")
		})
	}
}

func (s *server) gets(want string, loads int, key, why string) {
	s.Helper()
	before := s.count()
	got := s.asks(s.Context(), key)
	step.Expect(s, got.now() == want, "%s. Get %q at %s should return %q. It returned %q.", why, key, s.name, want, got.told())
	cost := s.count() - before
	step.Expect(s, loads == some || cost == loads, "%s. Get %q at %s should cost %d loads. It cost %d.", why, key, s.name, loads, cost)
	s.sound()
}

func (s *server) writes(key, value string) {
	s.Helper()
	s.Tell("%s: Write %q, %q", s.name, key, value)
	step.NoError(s, s.store.Write(s.Context(), key, value), "The database works, so Write should succeed.")
	s.sound()
}

func (w *world) load(n int) *load {
	w.Helper()
	step.Expect(w, n < w.count(), "There should be %d loads by now. There are %d.", n+1, w.count())
	return w.loads[n]
}

func (w *world) ends(n int, err error) {
	w.Helper()
	l := w.load(n)
	w.Tell("the load %d, of %q, ends: %v", n+1, l.key, err)
	l.end <- err
	synctest.Wait()
	w.sound()
}

func (w *world) sound() {
	w.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	step.Expect(w, w.fault == "", "%s", w.fault)
}

func (w *world) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *world) holds(on bool)         { w.set(func() { w.hold = on }) }
func (w *world) row(key, value string) { w.set(func() { w.rows[key] = value }) }

func (w *world) under(which func(*load) bool) (n int) {
	for _, l := range w.loads {
		if !l.over && which(l) {
			n++
		}
	}
	return n
}

func (w *world) count() int {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.loads)
}

func (a *asked) now() string {
	_ = a.Result()
	return a.told()
}
