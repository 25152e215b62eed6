//go:build solutions

package groupcommit_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/solutions/internal/numbers"
)

// The examples and numbers of docs/groupcommit.md.

// A syncer is the part of *os.File that the examples need.
type syncer interface {
	io.Writer
	Sync() error
}

// A lockedLog syncs each record by itself.
type lockedLog struct {
	mu   sync.Mutex
	file syncer
}

func (l *lockedLog) Append(record []byte) error {
	// example: sync-each
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.file.Write(record); err != nil {
		return err
	}
	return l.file.Sync() // meanwhile everyone else waits for the lock
	// end
}

type request struct {
	record []byte
	done   chan error
}

// A groupedLog syncs together what arrived during the sync before.
type groupedLog struct {
	file    syncer
	appends chan request
}

// run serves appends until the channel is closed.
func (l *groupedLog) run() {
	var failed error
	// example: group-commit
	for r := range l.appends { // buffered: during a sync, requests gather here
		group, buf := []request{r}, slices.Clone(r.record)
		for len(l.appends) > 0 && len(buf) < 1<<20 {
			r = <-l.appends
			group, buf = append(group, r), append(buf, r.record...)
		}
		if failed == nil { // a failed sync is final
			failed = writeAndSync(l.file, buf)
		}
		for _, r := range group {
			r.done <- failed
		}
	}
	// end
}

func (l *groupedLog) Append(record []byte) error {
	// example: wait-for-the-group
	r := request{record, make(chan error, 1)}
	l.appends <- r
	return <-r.done // after the sync that covers the record
	// end
}

func writeAndSync(file syncer, p []byte) error {
	if _, err := file.Write(p); err != nil {
		return err
	}
	return file.Sync()
}

const syncTime = 5 * time.Millisecond

// A countedDisk takes time to sync if it is told to, and fails the sync of that number.
type countedDisk struct {
	mu             sync.Mutex
	slow           bool
	fails          int
	written, saved []byte
	syncs          int
}

func (d *countedDisk) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.written = append(d.written, p...)
	return len(p), nil
}

var errDisk = errors.New("input/output error")

func (d *countedDisk) Sync() error {
	d.mu.Lock()
	covered := len(d.written) // what is written later waits for the next one
	d.syncs++
	n := d.syncs
	d.mu.Unlock()
	if d.slow {
		time.Sleep(syncTime)
	}
	if n == d.fails {
		return errDisk
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.saved = d.written[:covered:covered]
	return nil
}

// has says whether a record would survive a power cut.
func (d *countedDisk) has(record []byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return bytes.Contains(d.saved, record)
}

// TestExample lets one writer begin and 99 come during its sync.
func TestExample(t *testing.T) {
	const writers = 100
	record := func(i int) []byte { return fmt.Appendf(nil, "payment %02d;", i) }
	write := func(t *testing.T, d *countedDisk, i int, appendTo func([]byte) error) {
		t.Helper()
		if err := appendTo(record(i)); err != nil {
			t.Error(err)
		}
		if !d.has(record(i)) {
			t.Errorf("%q was acknowledged before it was synced", record(i))
		}
	}

	each := &countedDisk{}
	locked := &lockedLog{file: each}
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() { write(t, each, i, locked.Append) })
	}
	all.Wait()

	together := &countedDisk{slow: true}
	bubble.Run(t, func(t *testing.T) {
		grouped := &groupedLog{file: together, appends: make(chan request, 1000)}
		go grouped.run()
		began := time.Now()
		var all sync.WaitGroup
		for i := range writers {
			all.Go(func() {
				if i > 0 {
					time.Sleep(time.Millisecond)
				}
				write(t, together, i, grouped.Append)
			})
		}
		all.Wait()
		if took, busy := time.Since(began), time.Duration(together.syncs)*syncTime; took != busy {
			t.Errorf("the last answer came after %v, want it when the disk has been busy for %v", took, busy)
		}
		close(grouped.appends)
	})

	if each.syncs != writers {
		t.Errorf("a sync for each record: %d syncs for %d records", each.syncs, writers)
	}
	if together.syncs != 2 {
		t.Errorf("group commit: %d syncs, want one for the first writer and one for all others", together.syncs)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%-22s %8s %18s", "100 writers", "syncs", "last answer after")
	for _, way := range []struct {
		name string
		disk *countedDisk
	}{{"a sync for each", each}, {"group commit", together}} {
		fmt.Fprintf(&out, "\n%-22s %8d %15d ms", way.name, way.disk.syncs, (time.Duration(way.disk.syncs) * syncTime).Milliseconds())
	}
	t.Log("\n" + out.String())
}

// TestExampleFails lets the second sync of the example fail. The third would succeed.
func TestExampleFails(t *testing.T) {
	d := &countedDisk{fails: 2}
	l := &groupedLog{file: d, appends: make(chan request, 1000)}
	go l.run()
	for i, want := range []error{nil, errDisk, errDisk, errDisk} {
		if err := l.Append([]byte("a payment;")); !errors.Is(err, want) {
			t.Errorf("append %d returned %v, want %v", i+1, err, want)
		}
	}
	if d.syncs != 2 {
		t.Errorf("there were %d syncs, want none after the one that failed", d.syncs)
	}
	close(l.appends)
}

// TestByWriters logs some of what TestFigureByWriters draws.
func TestByWriters(t *testing.T) {
	head, line := "| writers |", "|---|"
	for _, way := range ways {
		head += fmt.Sprintf(" %s, records/s | longest wait |", way.name)
		line += "---|---|"
	}
	rows := []string{head, line}
	for _, writers := range []int{1, 10, 100, 1000} {
		row := fmt.Sprintf("| %s |", numbers.Thousands(writers))
		for _, way := range ways {
			perSecond, longest := simulate(t, writers, way.open)
			row += fmt.Sprintf(" %s | %s ms |", numbers.Thousands(int(perSecond+0.5)), numbers.Thousands(int(longest.Milliseconds())))
		}
		rows = append(rows, row)
	}
	t.Log("\n" + strings.Join(rows, "\n"))
}

// TestThousandWriters logs the number worth remembering.
func TestThousandWriters(t *testing.T) {
	each, _ := simulate(t, 1000, ways[0].open)
	group, _ := simulate(t, 1000, ways[2].open)
	t.Logf("%s records a second instead of %s", numbers.Thousands(int(group+0.5)), numbers.Thousands(int(each+0.5)))
	if group < 400*each {
		t.Errorf("with 1,000 writers, group commit stores %.0f records a second and a sync for each %.0f", group, each)
	}
}
