package simdisk_test

import (
	"fmt"
	"testing"

	"github.com/backend-kata/dojo/pkg/simdisk"
)

// How time grows with the length of a workload: appends of 200 bytes, each with a
// sync and a note, and a check that reads the whole file.
func BenchmarkAppends(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				summary, err := simdisk.Crashes{Workload: appends(n), Check: allThere}.Explore()
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(summary.Disks), "disks")
			}
		})
	}
}

const entry = 200

func appends(n int) func(*simdisk.Disk) error {
	return func(d *simdisk.Disk) error {
		f, err := simdisk.Create(d, "log")
		if err != nil {
			return err
		}
		if err := simdisk.SyncDir(d, "."); err != nil {
			return err
		}
		for i := range n {
			if _, err := fmt.Fprintf(f, "%0*d", entry, i); err != nil {
				return err
			}
			if err := f.Sync(); err != nil {
				return err
			}
			d.Note("%d", i)
		}
		return f.Close()
	}
}

func allThere(c *simdisk.Crash) error {
	data, err := simdisk.ReadFile(c.Disk, "log")
	if len(c.Notes) > 0 && (err != nil || len(data) < entry*len(c.Notes)) {
		return fmt.Errorf("%d bytes of %d: %w", len(data), entry*len(c.Notes), err)
	}
	return nil
}
