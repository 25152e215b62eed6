//go:build solutions

package groupcommit_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/simdisk"
	"github.com/backend-kata/dojo/solutions/groupcommit"
)

// The table of docs/groupcommit.md comes from here:
//
//	go test -tags solutions ./solutions/groupcommit                # checks it
//	go test -tags solutions ./solutions/groupcommit -args -update  # writes it
var update = flag.Bool("update", false, "write docs/figures/groupcommit.csv")

const figure = "../../docs/figures/groupcommit.csv"

// Writers do something else for 1 ms when they have their answer and then append again, for 1 s, to a disk that takes 5 ms
// for a sync.
func TestThroughputByWriters(t *testing.T) {
	var csv strings.Builder
	csv.WriteString("writers,way,appends_per_second,median_ms,longest_ms,syncs_per_second\n")
	for _, writers := range []int{1, 2, 5, 10, 50, 100, 500, 1000} {
		for _, way := range []string{"sync each", "sync by timer", "group commit"} {
			fmt.Fprintf(&csv, "%d,%s,%s\n", writers, way, simulate(t, writers, way))
		}
	}
	if *update {
		if err := os.WriteFile(figure, []byte(csv.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(figure)
	if err != nil || string(want) != csv.String() {
		t.Errorf("%s is not what the simulation says (%v):\n%s", figure, err, csv.String())
	}
}

// An appender is a way to write a record down.
type appender interface {
	Append(ctx context.Context, record []byte) (uint64, error)
	Close() error
}

func open(t *testing.T, d *simdisk.Disk, way string) appender {
	switch way {
	case "sync each":
		return must(groupcommit.Open(d, "log", groupcommit.Options{MaxGroup: 1}))(t)
	case "sync by timer":
		return newTimed(t, d)
	default:
		return must(groupcommit.Open(d, "log", groupcommit.Options{}))(t)
	}
}

func simulate(t *testing.T, writers int, way string) (row string) {
	bubble.Run(t, func(t *testing.T) {
		d := &simdisk.Disk{Latency: func(op simdisk.Op) time.Duration {
			if op.Kind == simdisk.OpSync {
				return 5 * time.Millisecond
			}
			return 0
		}}
		l := open(t, d, way)
		before, began := d.Count(simdisk.OpSync), time.Now()
		took := make([][]time.Duration, writers)
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				time.Sleep(time.Duration(w) * time.Microsecond) // so that no two come first
				for time.Since(began) < time.Second {
					start := time.Now()
					if _, err := l.Append(context.Background(), make([]byte, 100)); err != nil {
						t.Error(err)
					}
					took[w] = append(took[w], time.Since(start))
					time.Sleep(time.Millisecond)
				}
			})
		}
		all.Wait()
		seconds := time.Since(began).Seconds()
		each := slices.Concat(took...)
		slices.Sort(each)
		row = fmt.Sprintf("%.0f,%d,%d,%.0f", float64(len(each))/seconds, each[len(each)/2].Milliseconds(), each[len(each)-1].Milliseconds(),
			float64(d.Count(simdisk.OpSync)-before)/seconds)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return row
}

// A timed log syncs every 50 ms, if there is anything.
type timed struct {
	file    simdisk.File
	stop    chan struct{}
	mu      sync.Mutex
	waiting []chan error
}

func newTimed(t *testing.T, d *simdisk.Disk) *timed {
	l := &timed{file: must(simdisk.Create(d, "timed"))(t), stop: make(chan struct{})}
	go func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				l.mu.Lock()
				group := l.waiting
				l.waiting = nil
				l.mu.Unlock()
				if len(group) > 0 {
					l.answer(group)
				}
			case <-l.stop:
				return
			}
		}
	}()
	return l
}

func (l *timed) answer(group []chan error) {
	_, err := l.file.Write(make([]byte, 100*len(group)))
	if err == nil {
		err = l.file.Sync()
	}
	for _, answer := range group {
		answer <- err
	}
}

func (l *timed) Append(context.Context, []byte) (uint64, error) {
	answer := make(chan error, 1)
	l.mu.Lock()
	l.waiting = append(l.waiting, answer)
	l.mu.Unlock()
	return 0, <-answer
}

func (l *timed) Close() error {
	close(l.stop)
	return l.file.Close()
}
