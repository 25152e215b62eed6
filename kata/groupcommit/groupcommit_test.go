package groupcommit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/backend-kata/dojo/kata/groupcommit"
	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/simdisk"
)

// Records come back in order, also after the log was closed and opened again.
func TestRecordsComeBack(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		d := &simdisk.Disk{}
		records := [][]byte{[]byte("first"), {}, record(3, 100_000), []byte("last")}
		l := open(t, d, groupcommit.Options{})
		buffer := make([]byte, 0, 100_000)
		for i, r := range records {
			buffer = append(buffer[:0], r...)
			add(t, l, buffer, i+1)
			clear(buffer) // it belongs to the caller again
		}
		has(t, l, records, "before the log is closed")
		closes(t, l)
		_, err := l.Append(t.Context(), []byte("late"))
		require.ErrorIs(t, err, groupcommit.ErrClosed, "Append after Close was expected to say ErrClosed")
		require.NoError(t, l.Close(), "a second Close was expected to succeed")

		l = open(t, d, groupcommit.Options{})
		has(t, l, records, "when it is opened again")
		records = append(records, []byte("and one more"))
		add(t, l, records[4], 5)
		for from := range uint64(8) {
			got, err := read(l, from)
			require.NoError(t, err, "Records(%d) was expected to succeed", from)
			want := records[min(max(from, 1)-1, 5):]
			counts(t, got, len(want), "Records(%d) was expected to yield %d of 5 records; it yielded %d", from, len(want), len(got))
			require.NoError(t, differ(got, want), "Records(%d)", from)
		}
		for range l.Records(2) {
			break // a loop can be left
		}
		closes(t, l)
	})
}

// What was acknowledged survives a crash at any moment, also a second crash, and a kill before it; a torn tail is cut.
func TestAcknowledgedSurvives(t *testing.T) {
	appended := [][]byte{record(1, 20), {}, record(3, 700), record(4, 40), record(5, 1300), record(6, 5)}
	bubble.Run(t, func(t *testing.T) {
		l := open(t, &simdisk.Disk{}, groupcommit.Options{})
		add(t, l, appended[0], 1)
		has(t, l, appended[:1], "with the disk in order")
		closes(t, l)

		t.Log(simdisk.Crashes{
			Disk:     &simdisk.Disk{Latency: slow},
			Budget:   500,
			Workload: func(d *simdisk.Disk) error { return appendAll(d, d, appended) },
			Check: func(c *simdisk.Crash) error {
				return goesOn(c.Disk, appended, countAcknowledged(c))
			},
		}.Test(t))
		few := [][]byte{record(1, 20), {}, record(3, 9)}
		t.Log(simdisk.Crashes{
			Disk:     &simdisk.Disk{Latency: slow},
			Budget:   60,
			Workload: func(d *simdisk.Disk) error { return appendAll(d, d, few) },
			Check: func(c *simdisk.Crash) error {
				return survivesAgain(c.Disk, few, countAcknowledged(c))
			},
		}.Test(t))
	})
	for changes := range int64(30) {
		bubble.Run(t, func(t *testing.T) {
			d := &simdisk.Disk{Latency: slow}
			program := &mortal{FS: d}
			program.left.Store(changes)
			appended := [][]byte{record(1, 30), record(2, 600), record(3, 40)}
			_ = appendAll(d, program, appended) // it may well fail, at any point
			killed := d.Count(simdisk.OpNote)
			var found [][]byte
			simdisk.Crashes{
				Disk:   d,
				Budget: 40,
				Workload: func(d *simdisk.Disk) error {
					l, got, err := recovered(d, groupcommit.Options{}, appended, killed)
					if err != nil {
						return fmt.Errorf("the program was killed, and the disk goes on: %w", err)
					}
					found = append(slices.Clip(got), []byte("after the kill"))
					for i := killed; i < len(got); i++ {
						acknowledged(d, i+1) // that Open has found it is as good
					}
					if _, err = l.Append(context.Background(), found[len(got)]); err == nil {
						acknowledged(d, len(found))
					}
					return errors.Join(err, l.Close())
				},
				Check: func(c *simdisk.Crash) error {
					l, _, err := recovered(c.Disk, groupcommit.Options{}, found, countAcknowledged(c))
					if err != nil {
						return fmt.Errorf("the program was killed, the log was opened and had %d records, and then the power went out: %w", len(found)-1, err)
					}
					return l.Close()
				},
			}.Test(t)
		})
	}
}

// appendAll is the life of a log on a file system: it takes records, one after the other, and notes what it acknowledges.
func appendAll(d *simdisk.Disk, fsys simdisk.FS, records [][]byte) error {
	l, err := groupcommit.Open(fsys, dir, groupcommit.Options{})
	if err != nil {
		return err
	}
	for i, r := range records {
		if _, err := l.Append(context.Background(), r); err != nil {
			return errors.Join(err, l.Close())
		}
		acknowledged(d, i+1)
	}
	return l.Close()
}

// Damage is an error and never silence, unless it is to what was appended last, which a crash may have torn.
func TestDamage(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		d := &simdisk.Disk{}
		l := open(t, d, groupcommit.Options{})
		var records [][]byte
		for n := 1; n <= 5; n++ {
			records = append(records, record(n, 70))
			add(t, l, records[n-1], n)
		}
		closes(t, l)
		l = open(t, diskWith(t, files(t, d)), groupcommit.Options{})
		has(t, l, records, "on a copy of the disk without damage")
		closes(t, l)

		for _, damage := range []struct {
			name string
			do   func(data []byte)
			cut  int // records that it can reach at the end of the log
		}{
			{"the lowest bit of byte %d of %s", func(data []byte) { data[0] ^= 1 }, 1},
			{"the highest bit of byte %d of %s", func(data []byte) { data[0] ^= 128 }, 1},
			{"up to 60 zeros from byte %d of %s on", func(data []byte) { clear(data[:min(60, len(data))]) }, 2},
		} {
			errs := 0
			intact := files(t, d)
			for _, name := range slices.Sorted(maps.Keys(intact)) {
				for at := range intact[name] {
					damaged := files(t, d)
					damage.do(damaged[name][at:])
					where := fmt.Sprintf("damage: "+damage.name, at, name)
					errs += opensDamaged(t, diskWith(t, damaged), records, damage.cut, where)
				}
			}
			require.Positive(t, errs, "of all damage to five records ("+damage.name+"), some was expected to be an error: that to the first four", "any", "the files")
		}
	})
	bubble.Run(t, copyOfTheLog)
}

// opensDamaged opens a log with damage, and returns 1 if that is an error. Otherwise the log has all records, but for at
// most cut.
func opensDamaged(t *testing.T, d *simdisk.Disk, records [][]byte, cut int, where string) int {
	t.Helper()
	l, err := groupcommit.Open(d, dir, groupcommit.Options{})
	if err != nil {
		require.ErrorIs(t, err, groupcommit.ErrCorrupt, "%s: the error of Open was expected to have ErrCorrupt in it", where)
		return 1
	}
	got, err := read(l, 1)
	require.NoError(t, err, "%s: Open was expected to find it, not Records", where)
	require.NoError(t, differ(got, records), "%s", where)
	require.GreaterOrEqual(t, len(got), len(records)-cut, "%s: Open said nothing, and %d of %d records are gone; damage that is not at the end was expected to be an error",
		where, len(records)-len(got), len(records))
	closes(t, l)
	return 0
}

// copyOfTheLog appends the log's own files as a record: what looks like a record in a torn one is none.
func copyOfTheLog(t *testing.T) {
	first := [][]byte{record(1, 30), record(2, 30)}
	var appended [][]byte
	t.Log(simdisk.Crashes{
		Budget: 200,
		Workload: func(d *simdisk.Disk) error {
			l, err := groupcommit.Open(d, dir, groupcommit.Options{})
			if err != nil {
				return err
			}
			appended = slices.Clone(first)
			for i := range 3 {
				if i == 2 {
					var all []byte
					for _, data := range files(t, d) {
						all = append(all, data...)
					}
					appended = append(appended, bytes.Repeat(all, 9))
				}
				if _, err := l.Append(context.Background(), appended[i]); err != nil {
					return err
				}
				acknowledged(d, i+1)
			}
			return l.Close()
		},
		Check: func(c *simdisk.Crash) error {
			if err := goesOn(c.Disk, appended, countAcknowledged(c)); err != nil {
				return fmt.Errorf("the last record is a copy of the log's own files: %w", err)
			}
			return nil
		},
	}.Test(t))
}

// Those who come while the disk is busy share the next sync, as many as fit into a group, and a crash leaves them in order.
func TestGroups(t *testing.T) {
	const disk = 5 * time.Millisecond
	bubble.Run(t, func(t *testing.T) {
		const callers = 1000
		d := &simdisk.Disk{Latency: syncs(disk)}
		l := open(t, d, groupcommit.Options{})
		before, began := d.Count(simdisk.OpSync), time.Now()
		indexes, errs := make([]uint64, callers), make([]error, callers)
		var all sync.WaitGroup
		for n := range callers {
			all.Go(func() { indexes[n], errs[n] = l.Append(t.Context(), record(n, 100)) })
		}
		all.Wait()
		took, times := time.Since(began), d.Count(simdisk.OpSync)-before
		appended := make([][]byte, callers)
		for n, index := range indexes {
			require.NoError(t, errs[n], "%d appends at once were expected to succeed", callers)
			require.True(t, 1 <= index && index <= callers && appended[index-1] == nil, "%d appends at once were expected to have the indexes from 1 to %d, each once; one has %d", callers, callers, index)
			appended[index-1] = record(n, 100)
		}
		require.GreaterOrEqual(t, took, disk, "%d appends were expected to take at least one sync of %v; they took %v", callers, disk, took)
		require.LessOrEqual(t, took, 100*time.Millisecond, "%d appends at once were expected to take at most 100 ms in all, a fiftieth of %d syncs of %v; they took %v and %d syncs",
			callers, callers, disk, took, times)
		has(t, l, appended, "after 1,000 appends at once")
		closes(t, l)
		l = open(t, d, groupcommit.Options{})
		has(t, l, appended, "after 1,000 appends at once, when it is opened again")
		closes(t, l)
	})
	bubble.Run(t, func(t *testing.T) {
		d := &simdisk.Disk{Latency: syncs(disk)}
		l := open(t, d, groupcommit.Options{MaxGroup: 1000})
		var calls []*call
		for n := range 41 {
			size := 100
			if n == 20 {
				size = 5000
			}
			calls = append(calls, appending(t.Context(), l, record(n, size)))
		}
		for n, c := range calls {
			<-c.ended
			require.NoError(t, c.err, "Append %d of 41 was expected to succeed", n+1)
		}
		closes(t, l)
		written := 0
		for _, op := range d.Ops() {
			switch op.Kind {
			case simdisk.OpWrite:
				written += op.Len
			case simdisk.OpSync:
				require.False(t, 2000 < written && written < 5000 || written > 6000,
					"with a MaxGroup of 1,000 bytes at most so many bytes of records, and what you need to find them, were expected between two syncs, or one large record; there were %d bytes", written)
				written = 0
			}
		}
	})
	bubble.Run(t, func(t *testing.T) {
		crashInAGroup(t, []int{30, 600, 10, 900, 0, 20, 50})
		crashInAGroup(t, []int{10, 12, 14, 16, 18, 2000})
	})
	for range 20 {
		bubble.Run(t, intoTheVoid)
	}
}

// crashInAGroup appends the first record alone, all others but the last while that is synced, and the last at the end.
func crashInAGroup(t *testing.T, sizes []int) {
	var appended [][]byte
	for n, size := range sizes {
		appended = append(appended, record(n+1, size))
	}
	t.Log(simdisk.Crashes{
		Disk:   &simdisk.Disk{Latency: syncs(time.Millisecond)},
		Budget: 300,
		Workload: func(d *simdisk.Disk) error {
			l, err := groupcommit.Open(d, dir, groupcommit.Options{})
			if err != nil {
				return err
			}
			last := len(appended) - 1
			var calls []*call
			for _, r := range appended[:last] {
				calls = append(calls, appending(context.Background(), l, r))
			}
			time.Sleep(time.Second) // all of them have their answer
			for i, c := range calls {
				if c.waits() || c.err != nil || c.index != uint64(i+1) {
					return fmt.Errorf("Append %d, in the order in which they came, was expected to have that index; it said %d, %w", i+1, c.index, c.err)
				}
				acknowledged(d, i+1)
			}
			if _, err := l.Append(context.Background(), appended[last]); err != nil {
				return err
			}
			acknowledged(d, last+1)
			return l.Close()
		},
		Check: func(c *simdisk.Crash) error {
			return goesOn(c.Disk, appended, countAcknowledged(c))
		},
	}.Test(t))
}

// intoTheVoid appends to a file system that has no locks, for the race detector.
func intoTheVoid(t *testing.T) {
	l, err := groupcommit.Open(void{}, dir, groupcommit.Options{})
	require.NoError(t, err, "Open was expected to succeed where there is nothing yet")
	const callers, each = 4, 20
	indexes := make([][]uint64, callers)
	var all sync.WaitGroup
	for n := range callers {
		all.Go(func() {
			for range each {
				index, err := l.Append(t.Context(), []byte("a"))
				if err != nil {
					t.Errorf("Append was expected to succeed: %v", err)
				}
				indexes[n] = append(indexes[n], index)
			}
		})
	}
	all.Wait()
	together := slices.Concat(indexes...)
	slices.Sort(together)
	for i, index := range together {
		require.Equal(t, uint64(i+1), index, "%d appends were expected to have the indexes from 1 to %d, each once; one has %d in place of %d", callers*each, callers*each, index, i+1)
	}
	closes(t, l)
}

// Nobody waits for company: an append alone takes one sync, and one that comes during a sync takes the rest of it and one.
func TestLoneAppend(t *testing.T) {
	const disk = 5 * time.Millisecond
	bubble.Run(t, func(t *testing.T) {
		d := &simdisk.Disk{Latency: syncs(disk)}
		l := open(t, d, groupcommit.Options{})
		for n := 1; n <= 5; n++ {
			before, began := d.Count(simdisk.OpSync), time.Now()
			add(t, l, record(n, 100), n)
			took, times := time.Since(began), d.Count(simdisk.OpSync)-before
			require.Equal(t, disk, took, "Append %d came when the disk had nothing to do, and was expected to take one sync of %v; it took %v and %d syncs", n, disk, took, times)
			time.Sleep(time.Duration(n) * time.Hour)
		}
		first := appending(t.Context(), l, record(6, 100))
		time.Sleep(2 * time.Millisecond)
		second := appending(t.Context(), l, record(7, 100))
		third := appending(t.Context(), l, record(8, 100))
		<-first.ended
		<-second.ended
		<-third.ended
		require.NoError(t, errors.Join(first.err, second.err, third.err), "the appends were expected to succeed")
		require.Equal(t, disk, first.took, "the first of three was expected to take one sync")
		require.Equal(t, 8*time.Millisecond, second.took, "an Append that came 2 ms after a sync of 5 ms had begun was expected to wait for the rest of it and a sync of its own, 8 ms")
		require.Equal(t, 8*time.Millisecond, third.took, "another that came at the same time was expected to share that sync, and to take 8 ms too")
		closes(t, l)
	})
}

// A sync that fails is final: nothing is acknowledged any more, nothing is written, and the log says why.
func TestFailedSync(t *testing.T) {
	appended := [][]byte{record(1, 100), record(2, 100), record(3, 100), record(4, 100), record(5, 100)}
	run := func(t *testing.T, d *simdisk.Disk) {
		d.Latency = syncs(5 * time.Millisecond)
		l := open(t, d, groupcommit.Options{})
		add(t, l, appended[0], 1)
		acknowledged(d, 1)
		failing := false
		d.Fault = func(op simdisk.Op) error {
			if op.Kind == simdisk.OpSync && !failing {
				failing = true // once: the next sync would say that all is well
				return syscall.EIO
			}
			return nil
		}
		calls := []*call{appending(t.Context(), l, appended[1]), appending(t.Context(), l, appended[2]), appending(t.Context(), l, appended[3])}
		time.Sleep(time.Second)
		calls = append(calls, appending(t.Context(), l, appended[4]))
		time.Sleep(time.Second)
		for i, c := range calls {
			require.False(t, c.waits(), "after a sync had failed, Append of record %d was expected to return", i+2)
			require.Error(t, c.err, "after a sync had failed, Append of record %d was expected to return an error, since the next sync says that all is well and writes nothing; it acknowledged the record", i+2)
			require.ErrorIs(t, c.err, groupcommit.ErrFailed, "after a sync had failed, the error of Append was expected to have ErrFailed in it")
			require.ErrorIs(t, c.err, syscall.EIO, "after a sync had failed, the error of Append was expected to have that of the sync in it")
		}
		failed := false
		for _, op := range d.Ops() {
			require.False(t, failed && (op.Kind == simdisk.OpWrite || op.Kind == simdisk.OpSync), "after a sync had failed, the log was expected to leave the file alone; it did this: %v", op)
			failed = failed || op.Err != nil
		}
		has(t, l, appended[:1], "after a sync had failed")
		err := l.Close()
		require.ErrorIs(t, err, groupcommit.ErrFailed, "Close was expected to say that the log has failed")
		require.ErrorIs(t, err, syscall.EIO, "Close was expected to say how the sync failed")
		require.ErrorIs(t, l.Close(), groupcommit.ErrFailed, "a second Close was expected to say so too")
	}
	bubble.Run(t, func(t *testing.T) {
		t.Log(simdisk.Crashes{
			Budget:   300,
			Workload: func(d *simdisk.Disk) error { run(t, d); return nil },
			Check: func(c *simdisk.Crash) error {
				return goesOn(c.Disk, appended, countAcknowledged(c))
			},
		}.Test(t))
	})
	bubble.Run(t, func(t *testing.T) {
		d := &simdisk.Disk{Fault: func(op simdisk.Op) error {
			if op.Kind == simdisk.OpSyncDir {
				return syscall.EIO
			}
			return nil
		}}
		_, err := groupcommit.Open(d, dir, groupcommit.Options{})
		require.ErrorIs(t, err, syscall.EIO, "where folders cannot be synced, Open was expected to return that error, since no name is certain")
	})
}

// A caller that gives up gets away at once and harms nobody, and Close lets the appends under way come to their end.
func TestGivingUpAndClosing(t *testing.T) {
	const disk = 5 * time.Millisecond
	bubble.Run(t, func(t *testing.T) {
		d := &simdisk.Disk{Latency: syncs(disk)}
		l := open(t, d, groupcommit.Options{})
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		ended = unhurried{ended}
		for range 50 {
			_, err := l.Append(ended, []byte("never"))
			require.ErrorIs(t, err, context.Canceled, "Append was expected to refuse a context that has ended")
		}
		add(t, l, record(1, 50), 1)
		has(t, l, [][]byte{record(1, 50)}, "after 50 appends whose contexts had ended before")

		// Both give up 2 ms after the sync has begun: one in the sync, the other in the line.
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Millisecond)
		defer cancel()
		buffers := [][]byte{[]byte("gave up in the sync"), []byte("gave up in the line")}
		calls := []*call{appending(ctx, l, buffers[0]), appending(ctx, l, buffers[1])}
		stays := appending(t.Context(), l, []byte("stays"))
		for i, c := range calls {
			<-c.ended
			require.Equal(t, 2*time.Millisecond, c.took, "Append was expected to return when its context ended, after 2 ms, though the disk was busy; it took %v", c.took)
			require.ErrorIs(t, c.err, context.DeadlineExceeded, "Append was expected to return the error of its context")
			copy(buffers[i], "XXXXXXXXXXXXXXXXXXXX") // the record is the caller's again
		}
		<-stays.ended
		require.NoError(t, stays.err, "the caller that stayed was expected to have its record acknowledged")
		require.LessOrEqual(t, stays.took, 2*disk, "the caller that stayed was expected to wait for two syncs at most")
		closes(t, l)
		l = open(t, d, groupcommit.Options{})
		got, err := read(l, 1)
		require.NoError(t, err, "Records was expected to succeed")
		for _, r := range got[1:] {
			require.Contains(t, []string{"gave up in the sync", "gave up in the line", "stays"}, string(r), "the record of a caller that gave up was expected to be in the log as it was, or not at all")
		}
		require.True(t, slices.ContainsFunc(got, func(r []byte) bool { return string(r) == "stays" }), "a record was acknowledged, and is not in the log")
		closes(t, l)
	})
	bubble.Run(t, func(t *testing.T) {
		d := &simdisk.Disk{Latency: syncs(disk)}
		l := open(t, d, groupcommit.Options{})
		calls := []*call{appending(t.Context(), l, record(1, 50)), appending(t.Context(), l, record(2, 50)), appending(t.Context(), l, record(3, 50))}
		closings := []*call{closing(l), closing(l)}
		late := appending(t.Context(), l, []byte("late"))
		require.False(t, late.waits(), "after Close was called, Append was expected to return at once")
		require.ErrorIs(t, late.err, groupcommit.ErrClosed, "after Close was called, Append was expected to say ErrClosed")
		for i, c := range append(calls, closings...) {
			<-c.ended
			what := "Append of a record that was under way"
			if i >= len(calls) {
				what = "each call of Close"
			}
			require.NoError(t, c.err, "when Close was called, %s was expected to go on and succeed", what)
		}
		for _, c := range closings {
			require.GreaterOrEqual(t, c.took, calls[2].took, "Close was expected to wait until all that was under way had its answer")
		}
		l = open(t, d, groupcommit.Options{})
		has(t, l, [][]byte{record(1, 50), record(2, 50), record(3, 50)}, "after a Close with appends under way")
		closes(t, l)
	})
	for round := range 30 {
		bubble.Run(t, func(t *testing.T) { closeInTheMiddle(t, round) })
	}
}

// closeInTheMiddle calls Close while four callers append, on all processors at once.
func closeInTheMiddle(t *testing.T, round int) {
	const callers, each = 4, 10
	d := &simdisk.Disk{}
	l := open(t, d, groupcommit.Options{})
	answers := make([][]uint64, callers)
	var all sync.WaitGroup
	for n := range callers {
		all.Go(func() {
			for i := range each {
				index, err := l.Append(t.Context(), fmt.Appendf(nil, "caller %d, record %d", n, i))
				if err != nil {
					if !errors.Is(err, groupcommit.ErrClosed) {
						t.Errorf("round %d: Append was expected to succeed or to say ErrClosed: %v", round, err)
					}
					return
				}
				answers[n] = append(answers[n], index)
			}
		})
	}
	for range round {
		runtime.Gosched()
	}
	closes(t, l)
	all.Wait()
	l = open(t, d, groupcommit.Options{})
	got, err := read(l, 1)
	require.NoError(t, err, "round %d: Records was expected to succeed", round)
	count := 0
	for n, indexes := range answers {
		for i, index := range indexes {
			require.LessOrEqual(t, int(index), len(got), "round %d: record %d was acknowledged, and Close came; it is lost", round, index)
			require.Equal(t, fmt.Sprintf("caller %d, record %d", n, i), string(got[index-1]), "round %d: the log has another record with the index %d", round, index)
			count++
		}
	}
	counts(t, got, count, "round %d: the log was expected to have the %d records that were acknowledged", round, count)
	closes(t, l)
}

// The log rolls to a new file when one is large, and old ones can be dropped; a crash in the middle leaves no gap.
func TestFurtherSegments(t *testing.T) {
	opts := groupcommit.Options{SegmentSize: 400}
	var appended [][]byte
	for n := 1; n <= 20; n++ {
		appended = append(appended, record(n, 100))
	}
	bubble.Run(t, func(t *testing.T) {
		d := &simdisk.Disk{}
		l := open(t, d, opts)
		for i, r := range appended {
			add(t, l, r, i+1)
		}
		has(t, l, appended, "in several files")
		before := files(t, d)
		require.GreaterOrEqual(t, len(before), 4, "20 records of 100 bytes with a SegmentSize of 400 were expected to be in 4 files at least; there are %d", len(before))
		require.NoError(t, l.DropBefore(1), "DropBefore(1) was expected to succeed, and to drop nothing")
		has(t, l, appended, "after DropBefore(1)")
		require.NoError(t, l.DropBefore(11), "DropBefore was expected to succeed")
		got, err := read(l, 11)
		require.NoError(t, err, "Records(11) was expected to succeed after DropBefore(11)")
		counts(t, got, 10, "after DropBefore(11) the log was expected to have the records from 11 to 20")
		require.NoError(t, differ(got, appended[10:]))
		kept, err := read(l, 0)
		require.NoError(t, err, "Records was expected to succeed after DropBefore")
		require.LessOrEqual(t, len(kept), 15, "DropBefore(11) was expected to remove the files that have only records before 11; of 20 records %d are left", len(kept))
		require.NoError(t, l.DropBefore(1000), "DropBefore was expected to succeed, and to leave the last file")
		add(t, l, []byte("and on"), 21)
		closes(t, l)
		l = open(t, d, opts)
		add(t, l, []byte("and on"), 22)
		closes(t, l)
	})
	bubble.Run(t, func(t *testing.T) {
		dropped := 0
		t.Log(simdisk.Crashes{
			Budget: 600,
			Workload: func(d *simdisk.Disk) error {
				l := open(t, d, opts)
				for i, r := range appended {
					add(t, l, r, i+1)
					acknowledged(d, i+1)
				}
				if err := l.DropBefore(15); err != nil {
					return err
				}
				for r := range l.Records(0) {
					dropped = int(r.Index) - 1
					break
				}
				d.Note("files are dropped")
				return l.Close()
			},
			Check: func(c *simdisk.Crash) error {
				least := 0
				if slices.Contains(c.Notes, "files are dropped") {
					least = dropped
				}
				return recoveredPart(c.Disk, opts, appended, least, countAcknowledged(c))
			},
		}.Test(t))
	})
}

// recoveredPart opens a log after a crash of which files may have been dropped: it may begin after least records or more,
// has no gap, and goes up to acked at least.
func recoveredPart(d *simdisk.Disk, opts groupcommit.Options, appended [][]byte, least, acked int) error {
	l, err := groupcommit.Open(d, dir, opts)
	if err != nil {
		return fmt.Errorf("Open was expected to succeed after a crash; it said: %w", err)
	}
	first, last := 0, 0
	for r, err := range l.Records(0) {
		if err != nil {
			return fmt.Errorf("Records was expected to succeed after a crash; it said: %w", err)
		}
		if first == 0 {
			first, last = int(r.Index), int(r.Index)-1
		}
		if int(r.Index) != last+1 || int(r.Index) > len(appended) || !bytes.Equal(r.Data, appended[last]) {
			return fmt.Errorf("after record %d, the log was expected to have record %d; it has %s as record %d", last, last+1, short(r.Data), r.Index)
		}
		last++
	}
	switch {
	case last < acked:
		return fmt.Errorf("%d records were acknowledged before the crash, and the log ends with record %d after it", acked, last)
	case least > 0 && first <= least:
		return fmt.Errorf("DropBefore had removed the records up to %d, and after the crash the log begins with %d", least, first)
	case first > 15:
		return fmt.Errorf("DropBefore(15) was to keep the records from 15 on, and after the crash the log begins with %d", first)
	}
	return l.Close()
}

// A full disk refuses what does not fit and loses nothing, and when there is room the log goes on.
func TestFurtherFullDisk(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		for i := range 40 {
			room, opts := 1000+i%4*150, groupcommit.Options{SegmentSize: 250 + int64(i/4)*40}
			d := &simdisk.Disk{Capacity: 3000}
			appended := fillUp(t, d, opts, room)
			l := open(t, d, opts)
			has(t, l, appended, fmt.Sprintf("after the disk was full, with %d bytes of room and a SegmentSize of %d, and the log was opened again", room, opts.SegmentSize))
			closes(t, l)
		}
	})
	bubble.Run(t, func(t *testing.T) {
		var appended [][]byte
		t.Log(simdisk.Crashes{
			Disk:     &simdisk.Disk{Capacity: 3000},
			Budget:   300,
			Workload: func(d *simdisk.Disk) error { appended = fillUp(t, d, groupcommit.Options{}, 1500); return nil },
			Check: func(c *simdisk.Crash) error {
				l, _, err := recovered(c.Disk, groupcommit.Options{}, appended, countAcknowledged(c))
				if err != nil {
					return err
				}
				return l.Close()
			},
		}.Test(t))
	})
}

// fillUp appends until a disk of 3,000 bytes is full that has some room for the log, makes room, and appends more. It
// returns what was acknowledged.
func fillUp(t *testing.T, d *simdisk.Disk, opts groupcommit.Options, room int) (appended [][]byte) {
	t.Helper()
	ballast, err := simdisk.Create(d, "ballast")
	require.NoError(t, err)
	_, err = ballast.Write(make([]byte, 3000-room))
	require.NoError(t, errors.Join(err, ballast.Close()))
	l := open(t, d, opts)
	for full := false; !full; {
		n := len(appended) + 1
		require.LessOrEqual(t, n, 10, "10 records of 230 bytes do not fit on a disk with %d bytes of room, and an error was expected", room)
		index, err := l.Append(t.Context(), record(n, 230))
		if full = err != nil; full {
			require.ErrorIs(t, err, syscall.ENOSPC, "Append to a full disk was expected to return an error with ENOSPC in it")
			break
		}
		require.Equal(t, uint64(n), index, "record %d of 230 bytes was appended, and Append was expected to return the index %d; it returned %d", n, n, index)
		appended = append(appended, record(n, 230))
		acknowledged(d, n)
	}
	_, err = l.Append(t.Context(), record(0, 230))
	require.ErrorIs(t, err, syscall.ENOSPC, "the disk is still full, and Append was expected to say so")
	has(t, l, appended, "on a full disk")
	require.NoError(t, d.Remove("ballast"))
	for _, size := range []int{30, 200} {
		n := len(appended) + 1
		appended = append(appended, record(n, size))
		add(t, l, appended[n-1], n)
		acknowledged(d, n)
	}
	has(t, l, appended, "when there was room again")
	closes(t, l)
	return appended
}

// Bit rot under an open log is found when it is read, and in any file but the last it is found by Open.
func TestFurtherBitRot(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		d := &simdisk.Disk{}
		l := open(t, d, groupcommit.Options{SegmentSize: 1})
		var records [][]byte
		for n := 1; n <= 4; n++ {
			records = append(records, record(n, 40))
			add(t, l, records[n-1], n)
		}
		intact := files(t, d)
		require.GreaterOrEqual(t, len(intact), 4, "with a SegmentSize of 1 each record was expected to have a file of its own; there are %d files", len(intact))
		errs := 0
		for _, name := range slices.Sorted(maps.Keys(intact)) {
			for at := range intact[name] {
				where := fmt.Sprintf("damage: the lowest bit of byte %d of %s", at, name)
				flip := func() { require.NoError(t, d.FlipBit(path.Join(dir, name), int64(at))) }
				flip()
				readsDamaged(t, l, records, where)
				errs += opensDamaged(t, diskWith(t, files(t, d)), records, 1, where)
				flip()
			}
		}
		require.Positive(t, errs, "of all damage to four records in files of their own, that to the first three was expected to be an error")
		closes(t, l)

		missing := 0
		for _, name := range slices.Sorted(maps.Keys(intact)) {
			rest := maps.Clone(intact)
			delete(rest, name)
			missing += opensWithout(t, diskWith(t, rest), name)
		}
		require.GreaterOrEqual(t, missing, 2, "of four files with a record each, one in the middle was gone, and Open was expected to return an error; it did so for %d of them", missing)
	})
}

// readsDamaged reads an open log with damage: it yields what was appended, and then an error, or all.
func readsDamaged(t *testing.T, l *groupcommit.Log, records [][]byte, where string) {
	t.Helper()
	got, err := read(l, 1)
	require.NoError(t, differ(got, records), "%s, while the log is open", where)
	if err != nil {
		require.ErrorIs(t, err, groupcommit.ErrCorrupt, "%s, while the log is open: the error of Records was expected to have ErrCorrupt in it", where)
		return
	}
	counts(t, got, len(records), "%s, while the log is open: Records ended without an error", where)
}

// opensWithout opens a log of which a file is gone, and returns 1 if that is an error. Otherwise the records follow each
// other.
func opensWithout(t *testing.T, d *simdisk.Disk, name string) int {
	t.Helper()
	l, err := groupcommit.Open(d, dir, groupcommit.Options{SegmentSize: 1})
	if err != nil {
		require.ErrorIs(t, err, groupcommit.ErrCorrupt, "%s is gone: the error of Open was expected to have ErrCorrupt in it", name)
		return 1
	}
	_, err = read(l, 1)
	require.NoError(t, err, "%s is gone: Open was expected to find a gap, not Records", name)
	closes(t, l)
	return 0
}
