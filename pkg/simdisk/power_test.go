package simdisk_test

import (
	"errors"
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

// A disk without power refuses each goroutine once, and ends it if it asks again. So a
// lock that is held over a sync is given back, and no loop asks for ever.
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
		var refused, ended atomic.Int32
		ask := func(what func() error) {
			go func() {
				defer ended.Add(1)
				for {
					if err := what(); !errors.Is(err, simdisk.ErrPower) {
						t.Errorf("a disk without power answered %v", err)
						return
					}
					refused.Add(1)
				}
			}()
			synctest.Wait()
		}
		ask(f.Sync) // is under way when the power goes
		crash := d.Crash(2)
		ask(func() error { _, err := f.Write([]byte("x")); return err })
		ask(func() error { _, err := f.Read(make([]byte, 1)); return err })
		ask(func() error { return f.Truncate(0) })
		ask(func() error { _, err := d.Stat("f"); return err })
		ask(func() error { _, err := d.ReadDir("."); return err })
		ask(func() error { return d.Rename("f", "g") })
		ask(func() error { return d.Remove("f") })
		ask(func() error { return d.MkdirAll("a", 0o777) })
		time.Sleep(time.Hour)
		if refused.Load() != 9 || ended.Load() != 9 {
			t.Errorf("of 9 goroutines that ask again and again %d were refused once, and %d have ended", refused.Load(), ended.Load())
		}
		if _, err := crash.Disk.Stat("f"); err != nil {
			t.Errorf("the disk that was left: %v", err)
		}
	})
}

// Done hears of what was done, before whoever asked does.
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
		go func() {
			f, err := simdisk.Create(d, "f")
			if err != nil {
				t.Error(err)
			}
			d.Note("created")
			_, _ = f.Write([]byte("abc"))
		}()
		synctest.Wait()
		if diff := cmp.Diff([]string{"create f", "note: created", "write f, 3 bytes at 0"}, told); diff != "" {
			t.Errorf("Done was told (-want +got):\n%s", diff)
		}
		if got, err := simdisk.ReadFile(crash.Disk, "f"); string(got) != "abc" {
			t.Errorf("what was written before the crash: %q, %v\n%v", got, err, crash)
		}
	})
}
