package serial

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is recorded is there as it was done, and what the caller does with its slices later, or with
// the history, changes nothing.
func TestRecorder(t *testing.T) {
	var rec Recorder
	a, b, c, d := rec.Begin(7), rec.Begin(0), rec.Begin(0), rec.Begin(0)
	values, rows := []string{"1", "2"}, []Row{{"k", []string{"3"}}}
	a.Append("x", "1")
	a.Read("x", values...)
	a.Scan("k", "", rows...)
	values[0], rows[0].Values[0] = "9", "9"
	a.Commit()
	b.Get("y", "", false)
	b.Get("y", "4", true)
	b.Put("y", "5")
	b.Abort()
	c.Unknown()
	early := rec.History()
	d.Read("z")
	early[0].Ops[0].Key = "changed"
	want := History{
		{Name: "T1", Session: 7, Outcome: Committed, Ops: []Op{
			{Kind: Append, Key: "x", Values: []string{"1"}},
			{Kind: Read, Key: "x", Values: []string{"1", "2"}},
			{Kind: Scan, Key: "k", Rows: []Row{{"k", []string{"3"}}}},
		}},
		{Name: "T2", Outcome: Aborted, Ops: []Op{
			{Kind: Read, Key: "y"},
			{Kind: Read, Key: "y", Values: []string{"4"}},
			{Kind: Put, Key: "y", Values: []string{"5"}},
		}},
		{Name: "T3", Outcome: Unknown},
		{Name: "T4", Outcome: Unknown, Ops: []Op{{Kind: Read, Key: "z"}}},
	}
	if diff := cmp.Diff(want, rec.History()); diff != "" {
		t.Error(diff)
	}
	if len(early) != 4 || len(early[3].Ops) != 0 {
		t.Errorf("the history that was taken before has grown: %v", early)
	}
}

func TestRecorderConcurrently(t *testing.T) {
	var rec Recorder
	var clients sync.WaitGroup
	for client := range 4 {
		clients.Go(func() {
			for range 50 {
				tx := rec.Begin(client + 1)
				tx.Read("x")
				_ = rec.History()
				tx.Commit()
			}
		})
	}
	clients.Wait()
	h := rec.History()
	if len(h) != 200 || Check(h, Serializable) != nil {
		t.Errorf("%d transactions, want 200 that read nothing", len(h))
	}
}
