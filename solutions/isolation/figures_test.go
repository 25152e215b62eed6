//go:build solutions && !race

package isolation_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/solutions/internal/figure"
	"github.com/backend-kata/dojo/solutions/isolation"
)

// The example of docs/isolation.md, above at snapshot isolation, below at serializable.
func TestFigureSkew(t *testing.T) {
	figure.Drawn(t, "isolation-skew", figure.Lanes{
		Title:  "At snapshot isolation, two correct transactions can be wrong together",
		Assume: "Two doctors are on call, and one must stay. PostgreSQL, above at REPEATABLE READ, below at SERIALIZABLE.",
		Alt: "At REPEATABLE READ Ann's snapshot shows Ben on call, and Ben's shows Ann. Each updates a row of their own and commits: nobody is on call. " +
			"At SERIALIZABLE Ben's commit fails with 40001. He tries again, sees that Ann has left, and stays.",
		Parties: []string{"Ann", "doctors", "Ben"},
		Steps: []figure.Step{
			{From: "doctors", To: "Ann", Words: "1 other on call"},
			{From: "doctors", To: "Ben", Words: "1 other on call"},
			{From: "Ann", To: "doctors", Words: "UPDATE Ann's row, COMMIT"},
			{From: "Ben", To: "doctors", Words: "UPDATE Ben's row, COMMIT", Role: figure.Wrong},
			{From: "doctors", Words: "nobody is on call", Role: figure.Wrong},
			{From: "doctors", To: "Ann", Words: "1 other on call", Role: figure.Right},
			{From: "doctors", To: "Ben", Words: "1 other on call", Role: figure.Right},
			{From: "Ann", To: "doctors", Words: "UPDATE Ann's row, COMMIT", Role: figure.Right},
			{From: "Ben", To: "doctors", Words: "UPDATE Ben's row, COMMIT", Role: figure.Right},
			{From: "doctors", To: "Ben", Words: "error 40001", Role: figure.Right},
			{From: "Ben", Words: "tries again", Role: figure.Right},
			{From: "doctors", To: "Ben", Words: "0 others on call", Role: figure.Right},
			{From: "doctors", Words: "Ben stays on call", Role: figure.Right},
		},
	})
}

// An effort is what came of clients that run transactions one after the other.
type effort struct{ tries, conflicts int }

func (e effort) percent() float64 { return 100 * float64(e.conflicts) / float64(e.tries) }

// work lets 20 clients read four rows of many and change one of them, for two seconds. Each call takes a millisecond. Who
// gets a conflict tries again at once.
func work(t *testing.T, level isolation.Level, rows int) (e effort) {
	bubble.Run(t, func(t *testing.T) {
		store := isolation.New()
		tx := store.Begin(t.Context(), level)
		for row := range rows {
			if err := tx.Put(strconv.Itoa(row), "0"); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var clients sync.WaitGroup
		start := time.Now()
		for client := range 20 {
			clients.Go(func() {
				random := rand.New(rand.NewPCG(1, uint64(client)))
				time.Sleep(time.Duration(client) * 47_993) // apart, so that each run is the same
				for time.Since(start) < 2*time.Second {
					keys := four(random, rows)
					for conflict := true; conflict; {
						err := readFourChangeOne(t.Context(), store, level, keys)
						conflict = errors.Is(err, isolation.ErrConflict)
						if err != nil && !conflict {
							t.Error(err)
						}
						mu.Lock()
						e.tries++
						if conflict {
							e.conflicts++
						}
						mu.Unlock()
					}
				}
			})
		}
		clients.Wait()
	})
	return e
}

// four returns four rows of so many, each once.
func four(random *rand.Rand, rows int) (keys []string) {
	for len(keys) < 4 {
		if key := strconv.Itoa(random.IntN(rows)); !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

func readFourChangeOne(ctx context.Context, store *isolation.Store, level isolation.Level, keys []string) error {
	tx := store.Begin(ctx, level)
	defer func() { _ = tx.Rollback() }()
	for _, key := range keys {
		time.Sleep(time.Millisecond)
		if _, _, err := tx.Get(key); err != nil {
			return err
		}
	}
	time.Sleep(time.Millisecond)
	if err := tx.Put(keys[0], "1"); err != nil {
		return err
	}
	time.Sleep(time.Millisecond)
	return tx.Commit()
}

func TestPrice(t *testing.T) {
	many := [2]effort{work(t, isolation.Snapshot, 1000), work(t, isolation.Serializable, 1000)}
	few := [2]effort{work(t, isolation.Snapshot, 100), work(t, isolation.Serializable, 100)}
	if many[0].percent() >= many[1].percent() || few[0].percent() >= few[1].percent() || many[1].percent() >= few[1].percent() {
		t.Errorf("of 1,000 rows: %v, of 100: %v", many, few)
	}
	t.Logf("on 1,000 rows %.0f %% of attempts fail at snapshot isolation and %.0f %% at serializable, on 100 rows %.0f %% and %.0f %%",
		many[0].percent(), many[1].percent(), few[0].percent(), few[1].percent())
}
