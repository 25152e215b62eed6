package simdisk_test

import (
	"testing"

	"github.com/backend-kata/dojo/pkg/simdisk"
)

// What a crash costs, the check left out.
func BenchmarkCrash(b *testing.B) {
	disks := 0
	for b.Loop() {
		summary, err := simdisk.Crashes{Workload: bookings(40), Check: nothingWrong, Budget: 2000}.Explore()
		if err != nil {
			b.Fatal(err)
		}
		disks += summary.Disks
	}
	b.ReportMetric(float64(disks)/b.Elapsed().Seconds(), "disks/s")
}

func BenchmarkWriteAndSync(b *testing.B) {
	d := &simdisk.Disk{}
	f, err := simdisk.Create(d, "f")
	if err != nil {
		b.Fatal(err)
	}
	line := make([]byte, 100)
	for b.Loop() {
		if _, err := f.WriteAt(line, 0); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}
