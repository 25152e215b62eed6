//go:build solutions

package bench_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tidwall/wal"

	"github.com/backend-kata/dojo/pkg/simdisk"
	"github.com/backend-kata/dojo/solutions/groupcommit"
)

// A log is opened in a folder, and hands out what appends a record and what closes it.
// An append returns when the record is synced, and is safe for concurrent use.
type log func(b *testing.B, folder string) (appendTo func(record []byte) error, closeIt func() error)

func dojoLog(maxGroup int) log {
	return func(b *testing.B, folder string) (func([]byte) error, func() error) {
		l, err := groupcommit.Open(simdisk.OS, folder, groupcommit.Options{MaxGroup: maxGroup})
		if err != nil {
			b.Fatal(err)
		}
		return func(record []byte) error {
			_, err := l.Append(b.Context(), record)
			return err
		}, l.Close
	}
}

// tidwall's log syncs each record, and leaves the numbers to its user.
func tidwallLog(b *testing.B, folder string) (func([]byte) error, func() error) {
	l, err := wal.Open(folder, nil)
	if err != nil {
		b.Fatal(err)
	}
	var mu sync.Mutex
	index := uint64(0)
	return func(record []byte) error {
		mu.Lock()
		defer mu.Unlock()
		index++
		return l.Write(index, record)
	}, l.Close
}

// Logs on the real disk, with records of 100 bytes and callers that append one after the other.
func BenchmarkLog(b *testing.B) {
	for _, way := range []struct {
		name string
		open log
	}{
		{"group-commit", dojoLog(0)},
		{"sync-each", dojoLog(1)},
		{"tidwall-wal", tidwallLog},
	} {
		for _, callers := range []int{1, 10, 100, 1000} {
			b.Run(fmt.Sprintf("%s/callers=%d", way.name, callers), func(b *testing.B) {
				appendTo, closeIt := way.open(b, filepath.Join(b.TempDir(), "log"))
				record := make([]byte, 100)
				work := make(chan struct{})
				var all sync.WaitGroup
				for range callers {
					all.Go(func() {
						for range work {
							if err := appendTo(record); err != nil {
								b.Error(err)
							}
						}
					})
				}
				for b.Loop() {
					work <- struct{}{}
				}
				close(work)
				all.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
				if err := closeIt(); err != nil {
					b.Error(err)
				}
			})
		}
	}
}
