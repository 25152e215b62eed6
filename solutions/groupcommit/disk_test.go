//go:build solutions

package groupcommit_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/backend-kata/dojo/pkg/simdisk"
	"github.com/backend-kata/dojo/solutions/groupcommit"
)

// The same log on the real disk: many callers, several files, opened again.
func TestRealDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	opts := groupcommit.Options{SegmentSize: 4096}
	const callers, each = 50, 4
	l := must(groupcommit.Open(simdisk.OS, dir, opts))(t)
	records := map[uint64]string{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for n := range callers {
		all.Go(func() {
			for i := range each {
				r := fmt.Sprintf("caller %d, record %d", n, i)
				index, err := l.Append(t.Context(), []byte(r))
				if err != nil {
					t.Errorf("Append: %v", err)
				}
				mu.Lock()
				records[index] = r
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	l = must(groupcommit.Open(simdisk.OS, dir, opts))(t)
	if err := l.DropBefore(callers); err != nil {
		t.Fatal(err)
	}
	last := uint64(0)
	for r, err := range l.Records(callers) {
		if err != nil {
			t.Fatal(err)
		}
		if string(r.Data) != records[r.Index] {
			t.Errorf("record %d is %q, want %q", r.Index, r.Data, records[r.Index])
		}
		last = r.Index
	}
	if last != callers*each {
		t.Errorf("the last record is %d, want %d", last, callers*each)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}
