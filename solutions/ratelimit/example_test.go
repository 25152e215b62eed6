//go:build solutions

package ratelimit_test

import (
	"fmt"
	"testing"
	"time"
)

// example: window
type window struct{ minute, count int64 }

func (w *window) allow(now time.Time, limit int64) bool {
	if minute := now.Unix() / 60; minute != w.minute {
		w.minute, w.count = minute, 0 // everybody starts again at once
	}
	w.count++
	return w.count <= limit
}

// end

// example: bucket
type bucket struct{ full time.Time } // when all tokens are back

func (b *bucket) allow(now time.Time, every time.Duration, burst int) (wait time.Duration) {
	full := b.full
	if full.Before(now) {
		full = now
	}
	full = full.Add(every) // one more token to come back
	if wait = full.Sub(now) - time.Duration(burst)*every; wait > 0 {
		return wait // nothing is taken
	}
	b.full = full
	return 0
}

// end

// The example of docs/ratelimit.md: 100 requests on either side of a full minute.
func TestExample(t *testing.T) {
	minute := time.Date(2027, time.March, 5, 12, 1, 0, 0, time.UTC)
	var w window
	var b bucket
	var passed [2][2]int
	var wait time.Duration
	for i, now := range []time.Time{minute.Add(-100 * time.Millisecond), minute.Add(100 * time.Millisecond)} {
		for range 100 {
			if w.allow(now, 100) {
				passed[0][i]++
			}
			if wait = b.allow(now, 600*time.Millisecond, 100); wait == 0 {
				passed[1][i]++
			}
		}
	}
	t.Log("\n" + fmt.Sprintf("%-15s %10s %10s   %s\n", "100 a minute", "12:00:59.9", "12:01:00.1", "the next one waits") +
		fmt.Sprintf("%-15s %10d %10d\n", "window", passed[0][0], passed[0][1]) +
		fmt.Sprintf("%-15s %10d %10d   %v\n", "bucket", passed[1][0], passed[1][1], wait))
	if passed != [2][2]int{{100, 100}, {100, 0}} || wait != 400*time.Millisecond {
		t.Errorf("The window should let 200 pass within 200 ms, and the bucket 100. They let pass: %v. The wait is %v.", passed, wait)
	}
}
