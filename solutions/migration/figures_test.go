//go:build solutions && !race

package migration_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/solutions/internal/figure"
	"github.com/backend-kata/dojo/solutions/internal/numbers"
)

// The table has ten million rows. What is assumed of the database: it rewrites or updates 200,000 of them a second,
// indexes 500,000 and reads a million.
const (
	rewriting = 50 * time.Second
	indexing  = 20 * time.Second
	scanning  = 10 * time.Second
	instant   = 10 * time.Millisecond // a change of the catalog alone
)

func changes() []*change {
	all := []*change{
		{
			name: "`ADD COLUMN` behind a report", locks: "`ACCESS EXCLUSIVE`", report: true,
			run: func(s *server, done func()) { s.hold(accessExclusive, instant, done) },
		},
		{
			name: "… with a `lock_timeout` of 1 s", locks: "the same", report: true,
			run: func(s *server, done func()) { s.tryFor(accessExclusive, time.Second, 5*time.Second, instant, done) },
		},
		{
			name: "`ALTER COLUMN TYPE`, a rewrite", locks: "`ACCESS EXCLUSIVE`",
			run: func(s *server, done func()) { s.hold(accessExclusive, rewriting, done) },
		},
		{
			name: "… by shadow table and swap", locks: "one chunk, then the table",
			run: func(s *server, done func()) {
				s.inBatches(none, 0, 10_000, 5*time.Millisecond, 5*time.Millisecond, func() {
					s.hold(accessExclusive, 500*time.Millisecond, done)
				})
			},
		},
		{
			name: "One `UPDATE`", locks: "`ROW EXCLUSIVE`, every row",
			run: func(s *server, done func()) { s.update(rowExclusive, 0, 1, rewriting, done) },
		},
		{
			name: "… in batches of 10,000", locks: "one batch's rows",
			run: func(s *server, done func()) {
				s.inBatches(rowExclusive, 0, 1000, 50*time.Millisecond, 50*time.Millisecond, done)
			},
		},
		{
			name: "`CREATE INDEX`", locks: "`SHARE`",
			run: func(s *server, done func()) { s.hold(share, indexing, done) },
		},
		{
			name: "… `CONCURRENTLY`", locks: "`SHARE UPDATE EXCLUSIVE`",
			run: func(s *server, done func()) { s.hold(shareUpdateExclusive, 2*indexing, done) },
		},
		{
			name: "`ADD CHECK`", locks: "`ACCESS EXCLUSIVE`",
			run: func(s *server, done func()) { s.hold(accessExclusive, scanning, done) },
		},
		{
			name: "… `NOT VALID`, then `VALIDATE`", locks: "the same, then `SHARE UPDATE EXCLUSIVE`",
			run: func(s *server, done func()) {
				s.hold(accessExclusive, instant, func() { s.hold(shareUpdateExclusive, scanning, done) })
			},
		},
	}
	for _, c := range all {
		c.measure()
	}
	return all
}

// seconds writes a time with as many digits as matter.
func seconds(d time.Duration) string {
	if d = d.Round(time.Millisecond); d == 0 {
		return "0"
	}
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return strconv.FormatFloat(d.Seconds(), 'f', 0, 64) + " s"
}

func TestLocks(t *testing.T) {
	rows := [][]string{{"change", "locks", "a read waits", "a write waits", "statements that wait", "done after"}}
	for _, c := range changes() {
		rows = append(rows, []string{
			c.name, c.locks, seconds(c.reads.longest), seconds(c.writes.longest),
			numbers.Thousands(c.reads.count + c.writes.count), seconds(c.took),
		})
	}
	t.Log("\n" + numbers.Table(rows))
}

func TestNumber(t *testing.T) {
	all := changes()
	stuck, polite := all[0], all[1]
	t.Logf("in a model with 200 statements a second, an `ADD COLUMN` waits %s for a report, and %s statements queue; with `lock_timeout = '1s'` none waits longer than %s",
		seconds(stuck.took), numbers.Thousands(stuck.reads.count+stuck.writes.count), seconds(max(polite.reads.longest, polite.writes.longest)))
}

func TestFigureLocks(t *testing.T) {
	all := changes()
	drawn := func(i int, words string, role figure.Role) figure.Way {
		c := all[i]
		spans := c.writes.spans
		for j := range spans {
			spans[j][0], spans[j][1] = spans[j][0]-began.Seconds(), spans[j][1]-began.Seconds()
		}
		return figure.Way{Name: strings.ReplaceAll(words, "…", seconds(c.writes.longest)), Role: role, Calls: spans}
	}
	figure.Drawn(t, "migration-locks", figure.Waterfall{
		Title:  "Every change that blocks has a way that hardly does",
		Assume: "When statements wait. A model of PostgreSQL's locks: 10 million rows, 200,000 rewritten a second.",
		Alt: "When statements wait, in five pairs. ADD COLUMN behind a report 20 s, with a lock timeout 1 s; a rewrite 50 s, a shadow table 500 ms; " +
			"one UPDATE 49 s, batches 40 ms; CREATE INDEX 20 s, CONCURRENTLY none; ADD CHECK 10 s, NOT VALID 10 ms.",
		X: figure.Axis{Label: "seconds since the change began", Scale: figure.Linear(0, 102), Ticks: figure.Even(0, 100, 20, "%g")},
		Ways: []figure.Way{
			drawn(0, "ADD COLUMN behind a report: all wait …", figure.Wrong),
			drawn(1, "with lock_timeout: all wait …, four times", figure.Right),
			drawn(2, "ALTER COLUMN TYPE: all wait …", figure.Wrong),
			drawn(3, "shadow table: all wait … at its swap", figure.Right),
			drawn(4, "one UPDATE: writes wait up to …", figure.Wrong),
			drawn(5, "in batches: writes wait up to …", figure.Right),
			drawn(6, "CREATE INDEX: writes wait …", figure.Wrong),
			drawn(7, "CONCURRENTLY: nobody waits", figure.Right),
			drawn(8, "ADD CHECK: all wait …", figure.Wrong),
			drawn(9, "NOT VALID, then VALIDATE: all wait …", figure.Right),
		},
	})
}
