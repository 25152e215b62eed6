//go:build solutions

package groupcommit_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/simdisk"
	"github.com/backend-kata/dojo/solutions/groupcommit"
	"github.com/backend-kata/dojo/solutions/internal/figure"
)

// The figures and the table of docs/groupcommit.md come from here. make figures draws.

// The three ways that are compared.
var ways = []struct {
	name string
	role figure.Role
	open func(*testing.T, *simdisk.Disk) appender
}{
	{"sync each", figure.Wrong, func(t *testing.T, d *simdisk.Disk) appender {
		return must(groupcommit.Open(d, "log", groupcommit.Options{MaxGroup: 1}))(t)
	}},
	{"sync every 50 ms", figure.Halfway, func(t *testing.T, d *simdisk.Disk) appender { return newTimed(t, d) }},
	{"group commit", figure.Right, func(t *testing.T, d *simdisk.Disk) appender {
		return must(groupcommit.Open(d, "log", groupcommit.Options{}))(t)
	}},
}

// Writers do something else for 1 ms when they have their answer and then append again, for 1 s, to a disk that takes 5 ms
// for a sync.
func TestFigureByWriters(t *testing.T) {
	header := []string{"writers"}
	for _, way := range ways {
		header = append(header, way.name)
	}
	rates, waits := [][]string{header}, [][]string{header}
	rateLines, waitLines := make([]figure.Line, len(ways)), make([]figure.Line, len(ways))
	for _, writers := range []int{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000} {
		rate, wait := []string{strconv.Itoa(writers)}, []string{strconv.Itoa(writers)}
		for i, way := range ways {
			perSecond, longest := simulate(t, writers, way.open)
			rate = append(rate, fmt.Sprintf("%.0f", perSecond))
			wait = append(wait, strconv.FormatInt(longest.Milliseconds(), 10))
			rateLines[i].Points = append(rateLines[i].Points, [2]float64{float64(writers), perSecond})
			waitLines[i].Points = append(waitLines[i].Points, [2]float64{float64(writers), float64(longest.Milliseconds())})
		}
		rates, waits = append(rates, rate), append(waits, wait)
	}
	for i, way := range ways {
		rateLines[i].Name, rateLines[i].Role, rateLines[i].Dots = way.name, way.role, true
		waitLines[i].Name, waitLines[i].Role, waitLines[i].Dots = way.name, way.role, true
	}
	rateLines[0].Label = figure.Place{X: 900, Y: 115, End: true}
	rateLines[1].Label = figure.Place{X: 900, Y: 420, End: true}
	rateLines[2].Label = figure.Place{X: 100, Y: 30_000, End: true}
	waitLines[0].Label = figure.Place{X: 150, Y: 2_000, End: true}
	waitLines[1].Label = figure.Place{X: 900, Y: 80, End: true}
	waitLines[2].Label = figure.Place{X: 900, Y: 13, End: true}
	const assume = "A sync takes 5 ms. Each writer pauses for 1 ms between one append and the next."
	writers := figure.Axis{Label: "concurrent writers", Scale: figure.Log(1, 1000), Ticks: figure.Tens(1, 1000)}
	figure.Current(t, "groupcommit-throughput", rates, figure.Chart{
		Title: "With group commit, throughput grows with the number of writers", Assume: assume,
		Alt: "Records a second by number of writers, both on logarithmic axes. With a sync for each record there are never more than 200. " +
			"With a sync every 50 ms there are 20 per writer. With group commit there are 100 per writer: 99,000 with 1,000 writers.",
		X: writers, Y: figure.Axis{Label: "records a second", Scale: figure.Log(10, 100_000), Ticks: figure.Tens(10, 100_000)}, Lines: rateLines,
	})
	figure.Current(t, "groupcommit-wait", waits, figure.Chart{
		Title: "With group commit, nobody waits for more than two syncs", Assume: assume,
		Alt: "The longest wait for an append by number of writers. With a sync for each record it grows with the writers to 5 seconds. With a sync " +
			"every 50 ms it is 55 ms, even for a single writer. With group commit it is 5 ms for one writer and 9 ms for any larger number.",
		X: writers, Y: figure.Axis{Label: "longest wait, ms", Scale: figure.Log(1, 10_000), Ticks: figure.Tens(1, 10_000)}, Lines: waitLines,
	})
}

// An appender is a way to write a record down.
type appender interface {
	Append(ctx context.Context, record []byte) (uint64, error)
	Close() error
}

// simulate returns the records a second, and the longest wait for one.
func simulate(t *testing.T, writers int, open func(*testing.T, *simdisk.Disk) appender) (perSecond float64, longest time.Duration) {
	t.Helper()
	bubble.Run(t, func(t *testing.T) {
		d := &simdisk.Disk{Latency: func(op simdisk.Op) time.Duration {
			if op.Kind == simdisk.OpSync {
				return 5 * time.Millisecond
			}
			return 0
		}}
		l := open(t, d)
		began := time.Now()
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
		each := slices.Concat(took...)
		perSecond, longest = float64(len(each))/time.Since(began).Seconds(), slices.Max(each)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return perSecond, longest
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
