package simdisk_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/simdisk"
)

// The numbers of a crash are what survives, in order, and the last stands for all
// beyond it.
func TestCrashOfADiskInUse(t *testing.T) {
	left := func(number int) string {
		d := &simdisk.Disk{}
		script{t, d}.put("f", 0, "a")
		c := d.Crash(number)
		return fmt.Sprintf("%d: %s", c.Number, strings.ReplaceAll(content(c.Disk, "."), "\n", " "))
	}
	var got []string
	for number := range 7 {
		got = append(got, left(number))
	}
	want := []string{"1: ", "1: ", "2: f=a", "3: f=", "4: f=_", "4: f=_", "4: f=_"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is left, by number (-want +got):\n%s", diff)
	}
}

// Nobody gets an answer from a disk without power, and Release ends who waits.
func TestNothingIsDoneWithoutPower(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		d := &simdisk.Disk{Latency: func(op simdisk.Op) time.Duration {
			if op.Kind == simdisk.OpSync {
				return time.Second
			}
			return 0
		}}
		f, err := simdisk.Create(d, "f")
		if err != nil {
			t.Fatal(err)
		}
		var answers, ended atomic.Int32
		ask := func(what func()) {
			go func() {
				defer func() { ended.Add(1) }()
				what()
				answers.Add(1)
			}()
			synctest.Wait()
		}
		ask(func() { _ = f.Sync() }) // is under way when the power goes
		crash := d.Crash(2)
		ask(func() { _, _ = f.Write([]byte("x")) })
		ask(func() { _, _ = f.Stat() })
		ask(func() { _ = f.Close() })
		ask(func() { _, _ = d.Stat("f") })
		ask(func() { d.Note("here") })
		ask(func() { defer func() { _ = d.Remove("f") }(); _ = d.MkdirAll("a", 0o777) })
		time.Sleep(time.Hour)
		if answers.Load() != 0 || ended.Load() != 0 {
			t.Errorf("a disk without power answered %d calls, and %d goroutines ended", answers.Load(), ended.Load())
		}
		if ops := d.Ops(); len(ops) != 1 {
			t.Errorf("a disk without power did something: %v", ops)
		}
		d.Release()
		d.Release()
		synctest.Wait()
		if answers.Load() != 0 || ended.Load() != 7 {
			t.Errorf("after Release %d goroutines of 7 had ended, and %d had got an answer", ended.Load(), answers.Load())
		}
		if _, err := crash.Disk.Stat("f"); err != nil {
			t.Errorf("the disk that was left: %v", err)
		}
	})
}

// Done hears of what was done, before whoever asked does, who hears nothing if the
// power goes in between.
func TestDone(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		var d *simdisk.Disk
		var crash *simdisk.Crash
		var told []string
		d = &simdisk.Disk{Done: func(op simdisk.Op) {
			told = append(told, op.String())
			if op.Kind == simdisk.OpWrite {
				crash = d.Crash(2)
			}
		}}
		returned := false
		go func() {
			f, err := simdisk.Create(d, "f")
			if err != nil {
				t.Error(err)
			}
			d.Note("created")
			_, _ = f.Write([]byte("abc"))
			returned = true
		}()
		synctest.Wait()
		d.Release()
		if diff := cmp.Diff([]string{"create f", "note: created", "write f, 3 bytes at 0"}, told); diff != "" {
			t.Errorf("Done was told (-want +got):\n%s", diff)
		}
		if returned {
			t.Error("a write returned on a disk that had crashed")
		}
		if got, err := simdisk.ReadFile(crash.Disk, "f"); string(got) != "abc" {
			t.Errorf("what was written before the crash: %q, %v\n%v", got, err, crash)
		}
	})
}
