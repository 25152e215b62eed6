package simdisk_test

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/simdisk"
)

// save replaces the settings. The file gets its name when it is whole, so that
// nobody sees half of it. careful is what it takes to survive a crash, too.
func save(fsys simdisk.FS, text string, careful bool) error {
	f, err := simdisk.Create(fsys, "settings.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write([]byte(text))
	if careful {
		err = errors.Join(err, f.Sync())
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := fsys.Rename("settings.tmp", "settings"); err != nil {
		return err
	}
	return simdisk.SyncDir(fsys, ".")
}

// saves is a workload, and check what must hold after every crash of it.
func saves(careful bool) simdisk.Crashes {
	return simdisk.Crashes{
		Workload: func(d *simdisk.Disk) error {
			if err := save(d, "old", careful); err != nil {
				return err
			}
			d.Note("old is saved")
			return save(d, "new", careful)
		},
		Check: func(c *simdisk.Crash) error {
			if len(c.Notes) == 0 {
				return nil // nothing was promised yet
			}
			got, err := simdisk.ReadFile(c.Disk, "settings")
			if s := string(got); s != "old" && s != "new" {
				return fmt.Errorf("the settings are %q, %w", s, errors.Join(errors.New("neither old nor new"), err))
			}
			return nil
		},
	}
}

// Settings that are replaced by a rename are empty after a crash, unless the file
// is synced before it.
func ExampleCrashes_Explore() {
	_, err := saves(false).Explore()
	fmt.Println(err)
	summary, err := saves(true).Explore()
	fmt.Println(summary, err)
	// Output:
	// the settings are "", neither old nor new
	//
	// Crash 22 came after operation 5, and of what was not certain this survived:
	//
	//     1  create settings.tmp               certain
	//     2  write settings.tmp, 3 bytes at 0  lost
	//     3  rename settings.tmp to settings   certain
	//     4  sync dir .
	//     5  note: old is saved
	//        ---- crash ----
	//
	// This was left:
	//
	//        settings, 0 bytes
	//
	// 11 operations, 12 crash points, 24 disks (all there are) <nil>
}

// In a test, one line does it.
func TestExampleTest(t *testing.T) {
	saves(true).Test(t)
}

// A sync that fails is told once. The next one has nothing to write.
func ExampleDisk_fault() {
	failed := false
	d := &simdisk.Disk{Fault: func(op simdisk.Op) error {
		if op.Kind != simdisk.OpSync || failed {
			return nil
		}
		failed = true
		return syscall.EIO
	}}
	f, _ := simdisk.Create(d, "log")
	_, _ = f.Write([]byte("hello"))
	fmt.Println(f.Sync())
	fmt.Println(f.Sync())
	// Output:
	// sync log: input/output error
	// <nil>
}

// In a bubble, a slow disk takes virtual time: here a second of syncs.
func TestExampleLatency(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		d := &simdisk.Disk{Latency: func(op simdisk.Op) time.Duration {
			if op.Kind == simdisk.OpSync {
				return 5 * time.Millisecond
			}
			return 0
		}}
		f, err := simdisk.Create(d, "log")
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for range 200 {
			if err := f.Sync(); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("200 syncs of 5 ms took %v", took)
		}
	})
}
