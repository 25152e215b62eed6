package groupcommit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/groupcommit"
	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/pkg/apart"
	"github.com/backend-kata/dojo/pkg/interleave"
	"github.com/backend-kata/dojo/pkg/simdisk"
)

// syncTime is how long the disk takes for a sync where time matters.
const syncTime = 5 * time.Millisecond

var syncs = []simdisk.Kind{simdisk.OpSync, simdisk.OpSyncDir}

// Records come back in order, also after the log was closed and opened again.
func TestRecordsComeBack(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		l := open(t, newDisk(nil), options{}, 0)
		all := l.Records(0) // nothing is read before the loop
		buffer := make([]byte, 0, 100_000)
		for _, r := range [][]byte{[]byte("first"), {}, record(3, 100_000), []byte("fourth")} {
			buffer = append(buffer[:0], r...)
			l.add(buffer)
			clear(buffer) // it belongs to the caller again
		}
		l.add(nil)
		l.has(1, "before the log is closed")
		for range all {
			l.has(1, "in a loop over the records")
			l.add([]byte("appended in a loop over the records"))
			break
		}
		var last uint64
		for r := range all {
			last = r.Index
		}
		step.Equal(t, 6, last, "6 records were acknowledged before a loop begins, over an older iterator. It ends with record:")
		l.reopen()
		l.has(1, "when the log is opened again")
		l.add([]byte("and one more"))
		for _, from := range []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, math.MaxUint64} {
			got, err := read(l.log, from)
			step.NoError(t, errors.Join(err, differ(got, l.records)), "Records(%d) should yield the records from there on.", from)
			step.Equal(t, 8-int(min(max(from, 1), 8)), len(got), "How many of 7 records Records(%d) yields:", from)
		}
		for range l.Records(7) {
			l.close() // in the loop
		}
		_, err := l.Append(t.Context(), []byte("late"))
		step.Equal(t, groupcommit.ErrClosed, err, "Append after Close.")
		step.NoError(t, l.Close(), "A second Close should succeed.")
	})
}

// What was acknowledged survives a crash at any moment, also a second crash, and a kill before it; a torn tail is cut.
func TestAcknowledgedSurvives(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		crashes(t, 300, life(t, 20, 0, 700, 40, 1300, 5), goesOn)
		crashes(t, 40, life(t, 20, 0, 9), crashAgain)
	})
	kills(t, options{}, false)
}

// kills ends a program after each of its changes to the disk, or lets each of its syncs fail, and starts it again.
func kills(t *testing.T, opts options, failed bool) {
	for n, killed := 0, true; killed && n < 100; n++ {
		step.Bubble(t, func(t *step.T) {
			d, left, how := newDisk(nil), 1, "A program is killed after %d changes to the disk."
			p := newProgram(d, int64(n))
			fsys := simdisk.FS(p)
			d.Fault = p.kill
			if failed {
				fsys, how, d.Fault = d, "After %d syncs one fails, and the log is opened again.", fails(n, &left, syscall.EIO, syncs...)
			}
			records, acked := [][]byte{record(1, 30), record(2, 600), record(3, 40)}, 0
			if l, err := groupcommit.Open(fsys, dir, opts); err == nil {
				for _, r := range records {
					if _, err := l.Append(t.Context(), r); err == nil {
						acked++ // a program that is dead acknowledges nothing
					}
				}
				_ = l.Close()
			}
			d.Fault, killed = nil, left == 0 || !failed && p.left.Load() <= 0
			step.NoError(t, crashAgain(d, records, acked), how, n)
		})
	}
}

// crashes lets the power go out at each moment of a log's life, which returns what it appended, and then checks the log.
func crashes(t *step.T, budget int, life func(*simdisk.Disk) [][]byte, check func(*simdisk.Disk, [][]byte, int) error) {
	t.Helper()
	d := newDisk(nil)
	d.Latency = takes(time.Millisecond, syncs...)
	var records [][]byte
	workload := func(d *simdisk.Disk) error { records = life(d); return nil }
	after := func(c *simdisk.Crash) error { return check(c.Disk, records, acknowledged(c)) }
	simdisk.Crashes{Disk: d, Budget: budget, Workload: workload, Check: after}.Test(t)
}

// life returns the life of a log that takes records of these sizes; -1 is a copy of its own files.
func life(t *step.T, sizes ...int) func(d *simdisk.Disk) [][]byte {
	return func(d *simdisk.Disk) [][]byte {
		l := open(t, d, options{}, 0)
		for i, size := range sizes {
			r := record(i+1, max(size, 0))
			if size < 0 {
				r = bytes.Join(slices.Collect(maps.Values(files(t, d))), nil)
			}
			l.take(r)
		}
		l.close()
		return l.records
	}
}

// crashAgain lets the power go out while the log is opened after a crash or a kill, and takes a record.
func crashAgain(d *simdisk.Disk, appended [][]byte, acked int) error {
	d.Latency = takes(time.Millisecond, syncs...)
	var all [][]byte
	workload := func(d *simdisk.Disk) (err error) { all, err = takesOne(d, appended, acked); return err }
	after := func(c *simdisk.Crash) error {
		return recovered(c.Disk, options{}, all, 1, max(acked, acknowledged(c)), nil)
	}
	if _, err := (simdisk.Crashes{Disk: d, Budget: 20, Workload: workload, Check: after}).Explore(); err != nil {
		return fmt.Errorf("the power went out while the log was opened after that, or took a record: %w", err)
	}
	return nil
}

// Damage is an error and never silence, unless it is to what was appended last, which a crash may have torn.
func TestDamage(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		rots(t, options{}, 5, 2)
		crashes(t, 100, life(t, 40, 40, -1), goesOn)
	})
}

// rots damages each byte of a log of n records in turn. If nobody reports it, the last ones may be gone, as many as it can reach.
func rots(t *step.T, opts options, n, zerosReach int) {
	t.Helper()
	l, found := open(t, newDisk(nil), opts, n), 0
	l.has(1, "without damage")
	intact := files(t, l.Disk)
	for _, name := range slices.Sorted(maps.Keys(intact)) {
		for at := range min(len(intact[name]), len(bytes.TrimRight(intact[name], "\x00"))+8) { // a file may be allocated ahead
			for _, damage := range []struct {
				what  string
				do    func(data []byte)
				reach int
			}{
				{"the lowest bit of byte", func(data []byte) { data[0] ^= 1 }, 1},
				{"the highest bit of byte", func(data []byte) { data[0] ^= 128 }, 1},
				{"up to 40 zeros from byte", func(data []byte) { clear(data[:min(40, len(data))]) }, zerosReach},
			} {
				data, where := bytes.Clone(intact[name]), fmt.Sprintf("With damage to %s %d of %s", damage.what, at, name)
				damage.do(data[at:])
				write(l.Disk, name, data)
				got, err := read(l.log, 1)
				step.NoError(t, differ(got, l.records), "%s, what Records of the open log yields should have been appended.", where)
				if err != nil || len(got) < len(l.records) {
					step.Equal(t, groupcommit.ErrCorrupt, err, "%s, how Records of the open log ends.", where)
				}
				p := newProgram(newDisk(files(t, l.Disk)), math.MaxInt64)
				another, err := groupcommit.Open(p, dir, l.opts)
				if got = nil; err == nil {
					got, err = read(another, 0)
					step.NoError(t, another.Close(), "%s, Close should succeed.", where)
				}
				step.Equal(t, 0, p.open.Load(), "%s, how many files are open after Close, or after Open fails:", where)
				step.NoError(t, differ(got, l.records), "%s, what Records yields should have been appended.", where)
				if err != nil {
					step.Equal(t, groupcommit.ErrCorrupt, err, "%s, the error of Open or Records.", where)
					found++
					continue
				}
				lost := len(l.records) - len(got)
				step.Expect(t, lost <= damage.reach, "%s, not at the end, Open or Records should fail, and %d records are gone.", where, lost)
			}
		}
		write(l.Disk, name, intact[name])
	}
	step.Expect(t, found > 0, "Of all damage to %d records, that to the first of them should be an error.", len(l.records))
	l.close()
}

// Those who come while the disk is busy share the next sync, as many as fit into a group, and a crash leaves them in order.
func TestGroups(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		l, callers, began := open(t, newDisk(nil), options{}, 0), 1000, time.Now()
		l.Latency = takes(syncTime, simdisk.OpSync)
		answers := make([]answer, callers)
		step.AtOnce(t, callers, func(n int) { answers[n].index, answers[n].err = l.Append(t.Context(), record(n, 100)) })
		took := time.Since(began)
		l.records = make([][]byte, callers)
		for n, a := range answers {
			step.NoError(t, a.err, "%d appends at once should succeed.", callers)
			step.Expect(t, 1 <= a.index && int(a.index) <= callers && l.records[a.index-1] == nil,
				"%d appends at once should have the indexes from 1 to %d, each once. One has %d.", callers, callers, a.index)
			l.records[a.index-1] = record(n, 100)
		}
		step.Expect(t, syncTime <= took && took <= 2*syncTime, "%d appends at once should take one sync or two. They took %v.", callers, took)
		l.reopen()
		l.has(1, "after 1,000 appends at once, when the log is opened again")
		l.close()
	})
	for _, tt := range []struct {
		why   string
		limit int
		sizes []int // of those who come during a sync, one after the other
		want  []int // which sync each waits for; the first is the one under way
	}{
		{"1,000 bytes fit, and one more does not", 1000, []int{250, 250, 250, 250, 1}, []int{2, 2, 2, 2, 3}},
		{"a group has 1 MiB where nothing is said", 0, []int{1 << 19, 1 << 19, 1}, []int{2, 2, 3}},
		{"a record that is larger goes alone", 1000, []int{100, 5000, 100, 100}, []int{2, 3, 4, 4}},
		{"nobody overtakes", 1000, []int{600, 600, 100}, []int{2, 3, 3}},
		{"records without bytes fit", 100, []int{100, 0, 0}, []int{2, 2, 2}},
	} {
		step.Bubble(t, func(t *step.T) {
			l := open(t, newDisk(nil), options{MaxGroup: tt.limit}, 0)
			l.Latency = takes(syncTime, simdisk.OpSync)
			first := l.start(t.Context(), record(1, 10))
			time.Sleep(3 * time.Millisecond)
			var calls []*step.Call[answer]
			for n, size := range tt.sizes {
				calls = append(calls, l.start(t.Context(), record(n+2, size)))
			}
			ends, waited := []time.Duration{first.Took() - 3*time.Millisecond}, []int{}
			for n, c := range calls {
				step.Equal(t, answer{uint64(n + 2), nil}, c.Result(), "Append %d, in the order in which they came.", n+2)
				if c.Took() != ends[len(ends)-1] {
					ends = append(ends, c.Took())
				}
				waited = append(waited, len(ends))
			}
			step.Equal(t, tt.want, waited, "MaxGroup is %d, and records of %v bytes come during a sync: %s. Which sync each waits for:",
				tt.limit, tt.sizes, tt.why)
			l.close()
		})
	}
	for _, sizes := range [][]int{{30, 600, 10, 900, 0, 20, 50}, {10, 12, 14, 16, 18, 2000}} {
		step.Bubble(t, func(t *step.T) {
			crashes(t, 150, func(d *simdisk.Disk) [][]byte {
				l := open(t, d, options{}, 0)
				calls, last := []*step.Call[answer]{}, len(sizes)-1
				for n, size := range sizes[:last] { // the first alone, and the others while that is synced
					calls = append(calls, l.start(t.Context(), record(n+1, size)))
				}
				time.Sleep(time.Second) // all of them have their answer
				for n, c := range calls {
					step.Equal(t, answer{uint64(n + 1), nil}, c.Result(), "Append %d, in the order in which they came.", n+1)
					l.acknowledged(record(n+1, sizes[n]))
				}
				l.add(record(last+1, sizes[last]))
				l.close()
				return l.records
			}, goesOn)
		})
	}
}

// Nobody waits for company: an append alone takes one sync, and one that comes during a sync takes the rest of it and one.
func TestLoneAppend(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		l := open(t, newDisk(nil), options{}, 1)
		l.Latency = takes(syncTime, syncs...) // no other file begins
		for n := 2; n <= 5; n++ {
			before, c := l.Count(simdisk.OpSync)+l.Count(simdisk.OpSyncDir), l.start(t.Context(), record(n, 100))
			step.Equal(t, syncTime, c.Took(), "The disk has nothing to do, and an Append takes one sync. It has asked for %d, and takes:",
				l.Count(simdisk.OpSync)+l.Count(simdisk.OpSyncDir)-before)
			step.Equal(t, answer{uint64(n), nil}, c.Result(), "Append to a log in order.")
			time.Sleep(time.Duration(n) * time.Hour)
		}
		first := l.start(t.Context(), record(6, 100))
		time.Sleep(2 * time.Millisecond)
		second, third := l.start(t.Context(), record(7, 100)), l.start(t.Context(), record(8, 100))
		step.Equal(t, syncTime, first.Took(), "An Append alone takes one sync, whoever comes meanwhile:")
		step.Equal(t, 8*time.Millisecond, second.Took(), "An Append comes 2 ms into a sync of 5 ms. It takes the rest and one of its own:")
		step.Equal(t, second.Took(), third.Took(), "Another comes at the same time, and shares that sync:")
		l.close()
	})
}

// A sync that fails is final: nothing is acknowledged any more, nothing is written, and the log says why. Any other error passes.
func TestFailedSync(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		crashes(t, 100, func(d *simdisk.Disk) [][]byte {
			l, one := open(t, d, options{}, 1), 1
			d.Fault = fails(0, &one, syscall.EIO, simdisk.OpSync) // the next sync would say that all is well
			var calls []*step.Call[answer]
			for n := 2; n <= 4; n++ {
				calls = append(calls, l.start(t.Context(), record(n, 100)))
			}
			time.Sleep(time.Second)
			step.Expect(t, one == 0, "Three appends are under way, and no sync was asked for, which would fail.")
			calls = append(calls, l.start(t.Context(), record(5, 100)))
			for i, c := range calls {
				l.isFinal(c.Result().err, fmt.Sprintf("Append of record %d", i+2))
			}
			l.has(1, "after a sync has failed")
			l.isFinal(l.Close(), "Close")
			l.isFinal(l.Close(), "A second Close")
			return append(l.records, record(2, 100), record(3, 100), record(4, 100), record(5, 100))
		}, goesOn)
		l, one := open(t, newDisk(nil), options{}, 1), 1
		l.Latency, l.Fault = takes(syncTime, simdisk.OpSync), fails(0, &one, syscall.EIO, simdisk.OpSync)
		under := l.start(t.Context(), record(2, 40))
		closing := step.Start(t, func() answer { return calls["Close"](l.log) })
		l.isFinal(under.Result().err, "Append, with Close waiting for it,")
		l.isFinal(closing.Result().err, "Close, called while the sync was under way,")
		for _, kind := range []simdisk.Kind{"open", "create", "mkdir", "read dir", "read", "write", "truncate", "rename", "sync", "sync dir"} {
			for n := range 2 { // without a log, and with one
				l, left := open(t, newDisk(nil), options{}, n), math.MaxInt
				l.close()
				p := newProgram([]*simdisk.Disk{newDisk(nil), l.Disk}[n], math.MaxInt64)
				p.Fault = fails(0, &left, syscall.EIO, kind)
				opened, err := groupcommit.Open(p, dir, options{})
				if left < math.MaxInt {
					step.Equal(t, error(syscall.EIO), err, "Each %q fails, and so does Open.", kind)
				} else {
					step.NoError(t, opened.Close(), "Close should succeed.")
				}
				step.Equal(t, 0, p.open.Load(), "How many files are open after Close, or after Open fails since each %q does:", kind)
			}
		}
		l, left := open(t, newDisk(nil), options{SegmentSize: 300}, 1), math.MaxInt
		l.Latency = takes(syncTime, simdisk.OpSync)
		busy := l.start(t.Context(), record(2, 40))
		l.Fault = fails(0, &left, simdisk.Short(150, syscall.ENOSPC), simdisk.OpWrite)
		for _, c := range []*step.Call[answer]{l.start(t.Context(), record(3, 400)), l.start(t.Context(), record(4, 20))} {
			step.Equal(t, error(syscall.ENOSPC), c.Result().err, "The disk is full in the middle of a write. Append, one of two:")
		}
		l.acknowledged(record(int(busy.Result().index), 40))
		l.Fault = nil
		l.has(1, "after a write has failed")
		for n := 3; n < 10; n++ {
			l.add(record(n, 40))
		}
		l.Fault = fails(0, &left, syscall.EIO, simdisk.OpRead)
		if got, err := read(l.log, 1); err != nil || len(got) < 9 { // it may have all in memory
			step.Equal(t, error(syscall.EIO), err, "A read fails. How Records ends:")
		}
		l.Fault = nil
		l.reopen()
		l.has(1, "after a write and a read have failed, when the log is opened again")
		l.close()
	})
	kills(t, options{}, true)
}

// fails makes operations of these kinds fail, some later than the next, and counts how many are left of them.
func fails(skip int, left *int, err error, kinds ...simdisk.Kind) func(simdisk.Op) error {
	return func(op simdisk.Op) error {
		if slices.Contains(kinds, op.Kind) && *left > 0 {
			if skip--; skip < 0 {
				*left--
				return err
			}
		}
		return nil
	}
}

// isFinal expects the error of a log whose sync has failed, and that the disk was left alone since.
func (l *ledger) isFinal(err error, what string) {
	l.t.Helper()
	step.Expect(l.t, err != nil, "A sync has failed, and the next one says that all is well and writes nothing. %s succeeds.", what)
	both := errors.Is(err, groupcommit.ErrFailed) && errors.Is(err, syscall.EIO)
	step.Expect(l.t, both, "A sync has failed. %s should return ErrFailed and the error of the sync: %q, %v.", what, syscall.EIO, err)
	failed := false
	for _, op := range l.Ops() {
		step.Expect(l.t, !failed || !changes(op), "A sync has failed, and the log should write and sync no more. It did this: %v.", op)
		failed = failed || op.Err != nil && slices.Contains(syncs, op.Kind)
	}
}

// A caller that gives up gets away at once and harms nobody, Close lets the appends under way come to their end, and all may
// be called at once.
func TestGivingUpAndClosing(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		l := open(t, newDisk(nil), options{}, 0)
		l.Latency = takes(syncTime, simdisk.OpSync)
		ended, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("the till is closed"))
		for range 50 {
			_, err := l.Append(ended, []byte("never"))
			step.Equal(t, context.Canceled, err, "Append with a context that has ended before.")
		}
		l.add(record(1, 50))
		l.has(1, "after 50 appends whose contexts had ended before")
		// Both give up 2 ms after the sync has begun: one in the sync, the other in the queue.
		ctx, cancel2 := context.WithTimeoutCause(t.Context(), 2*time.Millisecond, errors.New("the customer left"))
		defer cancel2()
		buffers := [][]byte{[]byte("gave up in the sync"), []byte("gave up in the queue")}
		gaveUp := []*step.Call[answer]{l.start(ctx, buffers[0]), l.start(ctx, buffers[1])}
		stays := l.start(t.Context(), []byte("stays"))
		for i, c := range gaveUp {
			step.Equal(t, context.DeadlineExceeded, c.Result().err, "Append whose context has ended.")
			step.Equal(t, 2*time.Millisecond, c.Took(), "The disk is busy, and a context ends after 2 ms. Append takes:")
			copy(buffers[i], "XXXXXXXXXXXXXXXXXXXX") // the record is the caller's again
		}
		step.NoError(t, stays.Result().err, "Append of the one who stays should succeed.")
		step.Expect(t, stays.Took() <= 2*syncTime, "The caller that stays should wait for two syncs at most, 10 ms: %v.", stays.Took())
		l.reopen()
		got, err := read(l.log, 2)
		step.NoError(t, err, "Records should succeed.")
		for _, r := range got {
			step.Expect(t, slices.Contains([]string{"gave up in the sync", "gave up in the queue", "stays"}, string(r.Data)),
				"The record of a caller that gave up should be in the log as it was, or not at all. It is %q.", r.Data)
		}
		at := int(stays.Result().index) - 2
		step.Expect(t, at < len(got) && string(got[at].Data) == "stays", "Record %d was acknowledged, and is not in the log.", at+2)
		l.close()
	})
	step.Bubble(t, func(t *step.T) {
		l := open(t, newDisk(nil), options{MaxGroup: 1}, 0)
		l.Latency = takes(syncTime, simdisk.OpSync)
		var appends, closings []*step.Call[answer]
		for n := 1; n <= 3; n++ {
			appends = append(appends, l.start(t.Context(), record(n, 50)))
		}
		for range 2 {
			closings = append(closings, step.Start(t, func() answer { return calls["Close"](l.log) }))
		}
		late := l.start(t.Context(), []byte("late"))
		step.Expect(t, !late.Waits(), "Append after Close was called should return at once. It waits.")
		step.Equal(t, groupcommit.ErrClosed, late.Result().err, "Append after Close was called.")
		for i, c := range appends {
			step.Equal(t, answer{uint64(i + 1), nil}, c.Result(), "Close comes while Append of record %d is under way.", i+1)
			l.acknowledged(record(i+1, 50))
		}
		for _, c := range closings {
			step.NoError(t, c.Result().err, "Each call of Close should succeed.")
			step.Expect(t, c.Took() >= 3*syncTime, "Close should wait until all have their answer, %v. It took %v.", 3*syncTime, c.Took())
		}
		l.reopen()
		l.has(1, "after a Close with appends under way")
		l.close()
	})
	for _, two := range [][2]string{{"Append", "Append"}, {"Append", "Close"}, {"Append", "Records"}, {"Close", "Close"}} {
		atOnce(t, options{}, two)
	}
	neverRace(t, options{}, "Append", "Records", "Close")
}

// atOnce makes two calls of a log in every order of what they do at its locks, and at the disk where no lock should be held.
func atOnce(t *testing.T, opts options, two [2]string) {
	drops, closed := slices.Contains(two[:], "DropBefore"), slices.Contains(two[:], "Close")
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		l := open(t, newDisk(nil), opts, 3)
		l.Fault = func(op simdisk.Op) error {
			if slices.Contains(syncs, op.Kind) || op.Kind == simdisk.OpRemove || drops && op.Kind == simdisk.OpOpen && op.Name != dir {
				x.Point("%v", op)
			}
			return nil
		}
		var answers [2]answer
		for i, name := range two {
			x.Go(name, func() {
				x.Point("call")
				answers[i] = calls[name](l.log)
			})
		}
		x.Run()
		next := []uint64{}
		for i, a := range answers {
			if closed && errors.Is(a.err, groupcommit.ErrClosed) || drops && two[i] == "Records" && !errors.Is(a.err, errOrder) {
				continue // it came after Close, or what it reads was dropped meanwhile
			}
			step.NoError(t, a.err, "%q at once: %s should succeed.", two, two[i])
			if two[i] == "Append" {
				l.records, next = append(l.records, []byte("at the same time")), append(next, a.index)
			}
			step.Expect(t, two[i] != "Records" || a.index >= 3, "Records should yield the 3 records that were acknowledged before.")
		}
		slices.Sort(next)
		step.Equal(t, []uint64{4, 5}[:len(next)], next, "3 records are in the log. The indexes of those that are appended at once:")
		l.reopen()
		l.has(map[bool]uint64{false: 1, true: 3}[drops], fmt.Sprintf("after %q at once, when the log is opened again", two))
		l.close()
	})
}

// neverRace expects that no two calls of a log race, nor one with another that waits for a sync. It is the last of its step.
func neverRace(t *testing.T, opts options, names ...string) {
	step.Bubble(t, func(t *step.T) {
		var alone, all []apart.Call[*log]
		for _, name := range names {
			alone = append(alone, apart.Call[*log]{Name: name, Do: func(l *log) { calls[name](l) }})
			for busy := time.Millisecond; name != "Records" && name != "Close" && busy < 7*time.Millisecond; busy += syncTime {
				all = append(all, apart.Call[*log]{Name: name + " under way", Do: func(l *log) {
					go calls[name](l)
					time.Sleep(busy)
				}})
			}
		}
		fresh := func(err error) *log {
			l, faults := open(t, newDisk(nil), opts, 2), map[simdisk.Kind]error{simdisk.OpSync: err, simdisk.OpSyncDir: err}
			t.Cleanup(func() { _ = l.Close() })
			l.Latency = takes(syncTime, syncs...)
			l.Fault = func(op simdisk.Op) error { return faults[op.Kind] }
			return l.log
		}
		err := apart.Check(func() *log { return fresh(syscall.EIO) }, alone...)
		step.Expect(t, err == nil || errors.Is(err, apart.ErrNotJudged), "While a sync fails: %v", err)
		apart.Pairs(t, func() *log { return fresh(nil) }, append(alone, all...)...)
	})
}

// The log rolls to a new file when one is large, and old ones can be dropped; a crash in the middle leaves no gap.
func TestFurtherSegments(t *testing.T) {
	each := options{SegmentSize: 1} // a file for each record
	step.Bubble(t, func(t *step.T) {
		for _, index := range []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, math.MaxUint64} {
			for per := uint64(1); per <= 3; per += 2 { // so many records of 400 bytes are in a file
				l := open(t, newDisk(nil), options{SegmentSize: int64(per)*400 - 200}, 0)
				for n := range 7 {
					l.take(record(n+1, 400))
				}
				step.NoError(t, l.DropBefore(index), "DropBefore(%d) should succeed.", index)
				first := (min(max(index, 1), 7)-1)/per*per + 1
				l.has(first, fmt.Sprintf("after DropBefore(%d), with %d in a file", index, per))
				l.add([]byte("and on"))
				l.reopen()
				l.has(first, fmt.Sprintf("after DropBefore(%d), when the log is opened again", index))
				l.add([]byte("and on"))
				l.close()
			}
		}
		for _, name := range []string{"DropBefore", "Append"} {
			l, left := open(t, newDisk(nil), each, 4), []int{1, 1, 1}
			l.Fault = fails(0, &left[0], syscall.EIO, simdisk.OpCreate)
			step.Equal(t, error(syscall.EIO), calls["Append"](l.log).err, "A file cannot be made. Append:")
			l.Capacity = 1
			step.Equal(t, error(syscall.ENOSPC), calls["Append"](l.log).err, "The disk is full where a file begins. Append:")
			l.Capacity = 0
			l.Fault = fails(0, &left[1], syscall.EIO, simdisk.OpRemove)
			step.Equal(t, error(syscall.EIO), l.DropBefore(2), "A file cannot be removed. DropBefore:")
			l.add(record(5, 40))
			step.NoError(t, l.DropBefore(2), "DropBefore should succeed, after it has failed once.")
			l.has(2, "after a file could not be removed, and then could")
			l.Fault = fails(0, &left[2], syscall.EIO, simdisk.OpSyncDir)
			l.isFinal(calls[name](l.log).err, name+", which has to sync the folder,")
			l.isFinal(calls["Append"](l.log).err, "The next Append")
			l.isFinal(l.DropBefore(5), "The next DropBefore")
			got, err := read(l.log, 4)
			step.NoError(t, errors.Join(err, differ(got, l.records)), "Records should yield what was acknowledged before a sync failed.")
			step.Equal(t, 2, len(got), "How many records from 4 on, of 5 that were acknowledged before a sync failed, Records yields:")
			l.isFinal(l.Close(), "Close")
		}
		crashes(t, 250, func(d *simdisk.Disk) [][]byte {
			l, one := open(t, d, each, 8), 1
			d.Fault = fails(1, &one, syscall.EIO, simdisk.OpRemove)
			step.Equal(t, error(syscall.EIO), l.DropBefore(6), "The second file cannot be removed. DropBefore:")
			for _, index := range []int{2, 6} {
				step.NoError(t, l.DropBefore(uint64(index)), "DropBefore(%d) should succeed, after one has failed half-way.", index)
				note(d, 100+index) // the others are gone
			}
			l.has(6, "after DropBefore(6)")
			l.close()
			return l.records
		}, func(d *simdisk.Disk, records [][]byte, acked int) error {
			return recovered(d, each, records, 6, min(acked, 8), func(_ *log, n int) error {
				if n > 109-acked {
					return fmt.Errorf("DropBefore(%d) had succeeded before the crash, and the log of 8 has %d records after it", acked-100, n)
				}
				return nil
			})
		})
	})
	kills(t, each, false)
	kills(t, each, true)
}

// Bit rot is found in any file, when the log is opened or read, and only the end of the last file may go without a word.
func TestFurtherBitRot(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		rots(t, options{SegmentSize: 1}, 4, 1)
	})
}

// All methods may be called at once, also while files come and go.
func TestFurtherAllAtOnce(t *testing.T) {
	for _, name := range []string{"DropBefore", "Append", "Records"} {
		atOnce(t, options{SegmentSize: 1}, [2]string{"DropBefore", name})
	}
	neverRace(t, options{SegmentSize: 1}, "Append", "Records", "DropBefore", "Close")
}
