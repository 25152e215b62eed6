package migration_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/migration"
	"github.com/backend-kata/dojo/pkg/interleave"
	"github.com/backend-kata/dojo/pkg/sqlprobe"
)

// Each migration runs once, in order, and a list that does not fit what is applied is refused by name before anything runs.
func TestOnce(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		b := newBase(t)
		step.Equal(t, nil, b.applied(), "Applied of a new database:")
		b.own.migrates(nil, "the list is empty")
		list := migrations("pear", "apple", "fig", "Fig")
		list[1].SQL = strings.ReplaceAll(list[1].SQL, "\n", "\r\n")
		b.own.migrates(list[:2], "the list has two")
		b.is([]string{"pear", "apple"}, "Migrate has run.")
		b.own.migrates(list[:2], "nothing is new")
		b.is([]string{"pear", "apple"}, "Migrate has run again.")
		b.client().migrates(list, "two are new")
		for _, ending := range []string{"\n", "\r\n"} {
			for i, m := range list {
				list[i].SQL = strings.ReplaceAll(strings.ReplaceAll(m.SQL, "\r\n", "\n"), "\n", ending)
			}
			b.own.migrates(list, "only line endings differ")
		}
		b.is([]string{"pear", "apple", "fig", "Fig"}, "Only line endings were others.")
	})
	step.Bubble(t, func(t *step.T) {
		b := newBase(t)
		list := migrations("pear", "apple", "fig", "plum", "lime")
		double := append(slices.Clone(list), list[1])
		b.own.refuses(double, "apple is twice in the list, and nothing is applied", map[string]error{"apple": migration.ErrDoubled})
		b.own.migrates(list[:3], "the list has three")
		type reasons = map[string]error
		old, edited := list[1].SQL, reasons{"apple": migration.ErrEdited}
		for _, r := range []struct {
			why     string
			list    []migration.Migration
			reasons reasons
		}{
			{"apple, which is applied, is twice in the list", double, reasons{"apple": migration.ErrDoubled}},
			{"lime, which is not, is twice in the list", append(list[:5:5], list[4]), reasons{"lime": migration.ErrDoubled}},
			{"lime is twice, with another SQL", append(with(list, 4, "SELECT 1"), list[4]), reasons{"lime": migration.ErrDoubled}},
			{"pear is missing", list[1:], reasons{"pear": migration.ErrMissing}},
			{"apple is missing", append(list[:1:1], list[2:]...), reasons{"apple": migration.ErrMissing}},
			{"fig is missing, the last that is applied", list[:2], reasons{"fig": migration.ErrMissing}},
			{"the list is empty", nil, reasons{"pear": migration.ErrMissing, "apple": migration.ErrMissing, "fig": migration.ErrMissing}},
			{"letters of apple are others", with(list, 1, strings.ToLower(old)), edited},
			{"apple has another statement", with(list, 1, old+"; SELECT 1"), edited},
			{"apple has a space more", with(list, 1, old+" "), edited},
			{"apple has a space more within", with(list, 1, strings.Replace(old, " ", "  ", 1)), edited},
			{"apple has a line more", with(list, 1, old+"\n"), edited},
			{"apple has an empty line within", with(list, 1, strings.Replace(old, "\n", "\n\n", 1)), edited},
			{"two lines of apple are one", with(list, 1, strings.Replace(old, "\n", "", 1)), edited},
			{"apple has a comment", with(list, 1, "-- fruit\n"+old), edited},
			{"fig is another", with(list, 2, "SELECT 1"), reasons{"fig": migration.ErrEdited}},
			{"lime stands before pear", append(list[4:5:5], list[:4]...), reasons{"lime": migration.ErrOutOfOrder}},
			{"plum stands before fig", append(list[:2:2], list[3], list[2], list[4]), reasons{"plum": migration.ErrOutOfOrder}},
			{"plum stands before apple, fig first", append(list[2:3:3], list[0], list[3], list[1]), reasons{"plum": migration.ErrOutOfOrder}},
			{"plum stands before fig, the last", append(list[:2:2], list[3], list[2]), reasons{"plum": migration.ErrOutOfOrder}},
		} {
			b.own.refuses(r.list, r.why, r.reasons)
		}
		b.own.migrates(list, "the list fits again")
		b.is([]string{"pear", "apple", "fig", "plum", "lime"}, "After all that was refused Migrate has run.")
	})
	step.Bubble(t, func(t *step.T) {
		b := newBase(t)
		list := migrations("pear", "apple")
		b.own.migrates(list[:1], "the list has one")
		err := migration.Migrate(ended(), b.own.DB, list)
		step.Expect(t, errors.Is(err, context.Canceled), "The context of Migrate has ended, so it should return that; it returned: %v", err)
		b.is([]string{"pear"}, "The context of Migrate had ended.")
		applied := func(ctx context.Context) error { _, err := migration.Applied(ctx, b.own.DB); return err }
		step.NoError(t, b.own.fails("Applied", applied, func(string) {}), "Applied should succeed.")
		b.own.probe.Inject(sqlprobe.Fault{Pattern: "^SELECT", Err: errDisk, AfterRows: 1})
		for i, err := range []error{applied(t.Context()), migration.Migrate(t.Context(), b.own.DB, list)} {
			step.Expect(t, errors.Is(err, errDisk), "%s cannot read its rows to the end, so it should return that; it returned: %v",
				[]string{"Applied", "Migrate"}[i], err)
		}
	})
}

// A migration is applied with all that it does, or not at all, wherever it fails or the connection is lost.
func TestAllOrNothing(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		b := newBase(t)
		list := migrations("pear", "apple", "fig")
		bad := with(list, 1, list[1].SQL+"; INSERT INTO nowhere VALUES (1)")
		err := migration.Migrate(t.Context(), b.client().DB, bad)
		t.Tell("Migrate, where the last statement of apple is wrong → %v", err)
		step.Expect(t, err != nil && strings.Contains(err.Error(), "nowhere"),
			"The last statement of apple is wrong, so Migrate should return its error; it returned: %v", err)
		got := b.applied()
		b.is(got, "The last statement of apple is wrong, and the migrations that are applied, and no others, have done all that they do.")
		step.Expect(t, len(got) < 2, "Apple failed, so neither it nor fig should be applied; applied are %q.", got)
		time.Sleep(time.Minute)
		b.own.migrates(list, "apple has been mended, a minute after it failed")
		b.is([]string{"pear", "apple", "fig"}, "Apple has been mended.")
	})
	crashes(t, migrations("pear", "apple"))
}

// crashes lets each statement of Migrate go wrong, in each way. A minute later another deployer does the rest, unless alone
// is marked, and has to be mended.
func crashes(t *testing.T, list []migration.Migration) {
	t.Helper()
	for _, f := range failures {
		step.Bubble(t, func(t *step.T) {
			b := newBase(t)
			c := b.client()
			for n, fired := 1, 1; fired > 0; n++ {
				b.empties()
				fault := c.breaks(f.fault, n-1)
				err := migration.Migrate(t.Context(), c.DB, list)
				c.heals()
				fired = fault.Fired()
				t.Tell("Migrate %q, where statement %d %s → %v", names(list), n, f.what, err)
				step.Expect(t, fired == 0 || errors.Is(err, f.fault.Err),
					"Statement %d of Migrate %s, so it should return that; it returned: %v", n, f.what, err)
				if list[0].Name != "alone" {
					b.is(b.applied(), "Statement %d of Migrate %s.", n, f.what)
				}
				time.Sleep(time.Minute)
				came := time.Now()
				err = migration.Migrate(t.Context(), b.own.DB, list)
				t.Tell("Migrate by another deployer, a minute later → %v", err)
				step.Expect(t, time.Since(came) < time.Second, "A minute after statement %d of Migrate %s, "+
					"it should be in nobody's way; another deployer waited for %v.", n, f.what, time.Since(came).Round(time.Second))
				if r := new(migration.Refusal); errors.As(err, &r) && list[0].Name == "alone" {
					b.own.refuses(list, fmt.Sprintf("statement %d of Migrate %s", n, f.what), map[string]error{"alone": migration.ErrMarked})
					step.NoError(t, migration.Mend(t.Context(), b.own.DB, "alone"), "Mend should succeed, as alone is marked.")
					b.own.migrates(list, "alone was mended")
					step.Equal(t, names(list), b.applied(), "Alone was mended, and the rest was done. Applied are:")
					step.Expect(t, len(b.log()) <= 4, "Alone should not run again after it was mended; the migrations have noted %q.", b.log())
					continue
				}
				step.NoError(t, err, "Another deployer comes a minute after statement %d of Migrate %s, and should do the rest.", n, f.what)
				b.is(names(list), "Another deployer has done the rest.")
			}
		})
	}
}

// A migration that runs outside of a transaction stays marked when it fails, and nothing runs until somebody has mended it.
func TestNoTransaction(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		b := newBase(t)
		list := migrations("pear", "alone", "fig")
		list[1].SQL = strings.ReplaceAll(list[1].SQL, "\n", "\r\n")
		list = append(list, migrations("vacuum", "within")...)
		list[3].SQL = "-- no transaction\nVACUUM;\n" + list[3].SQL
		b.own.migrates(list[:4], "VACUUM runs outside of a transaction only")
		b.is([]string{"pear", "alone", "fig", "vacuum"}, "All have run.")
		b.own.migrates(list[:4], "nothing is new")
		b.is([]string{"pear", "alone", "fig", "vacuum"}, "Migrate has run again.")
		for _, text := range []string{"-- 1\n-- no transaction\n", "-- no transactions\n", "-- no transaction yet\n", "\n-- no transaction\n"} {
			err := migration.Migrate(t.Context(), b.own.DB, with(list, 4, text+list[4].SQL+"; INSERT INTO nowhere VALUES (1)"))
			step.Expect(t, err != nil, "Migrate should return the error of a statement that is wrong; it returned none.")
			b.is([]string{"pear", "alone", "fig", "vacuum"}, "The last statement is wrong, and these are not the marker: %q.", text)
			time.Sleep(time.Minute)
		}
	})
	step.Bubble(t, func(t *step.T) {
		b := newBase(t)
		list := migrations("pear", "alone", "fig")
		good := list[1].SQL
		list[1].SQL = strings.Replace(good, ";", "; INSERT INTO nowhere VALUES (1);", 1)
		err := migration.Migrate(t.Context(), b.own.DB, list)
		t.Tell("Migrate, where a statement of alone is wrong → %v", err)
		step.Expect(t, err != nil && strings.Contains(err.Error(), "nowhere"),
			"A statement of alone is wrong, so Migrate should return its error; it returned: %v", err)
		done := []string{"pear begins", "pear ends", "alone begins"}
		step.Equal(t, done, b.log(), "Alone runs outside of a transaction, so what it did before it failed stays.")
		marked := func(wait time.Duration, list []migration.Migration, why string) {
			t.Helper()
			time.Sleep(wait)
			b.own.refuses(list, why, map[string]error{"alone": migration.ErrMarked})
			step.Equal(t, []string{"pear"}, b.applied(), "Alone is marked, and not applied. Applied are:")
		}
		marked(time.Minute, list, "alone has failed")
		marked(100*24*time.Hour, list, "alone has failed, a hundred days ago")
		for _, name := range []string{"pear", "fig", "nobody", "", "ALONE"} {
			err := migration.Mend(t.Context(), b.own.DB, name)
			step.Expect(t, err != nil, "Mend(%q) should return an error, as that is not marked.", name)
			marked(0, list, "alone has failed, and Mend was called for "+name)
		}
		err = migration.Migrate(t.Context(), b.own.DB, with(list, 1, good))
		step.Expect(t, err != nil, "Alone is marked, so Migrate should refuse it with another SQL, too.")
		mend := func(ctx context.Context) error { return migration.Mend(ctx, b.own.DB, "alone") }
		err = b.own.fails("Mend", mend, func(string) { marked(0, list, "alone has failed, and so has Mend") })
		step.NoError(t, err, "Mend should succeed, as alone is marked.")
		step.Equal(t, []string{"pear", "alone"}, b.applied(), "Alone was mended. Applied are:")
		step.Expect(t, migration.Mend(t.Context(), b.own.DB, "alone") != nil, "Mend should return an error, as alone was mended before.")
		b.own.refuses(with(list, 1, good), "alone was mended, and its SQL is another", map[string]error{"alone": migration.ErrEdited})
		b.own.migrates(list, "alone was mended")
		step.Equal(t, append(done, "fig begins", "fig ends"), b.log(), "Alone was mended, and does not run again.")
	})
	step.Bubble(t, func(t *step.T) {
		b := newBase(t)
		list := with(migrations("alone"), 0, "-- no transaction\nBEGIN; INSERT INTO log (note) VALUES ('lost'); INSERT INTO nowhere VALUES (1)")
		_ = migration.Migrate(t.Context(), b.client().DB, list)
		time.Sleep(time.Minute)
		step.NoError(t, migration.Mend(t.Context(), b.own.DB, "alone"),
			"Alone failed in a transaction that it began itself. A minute later it should be in nobody's way, and Mend succeed.")
		step.Equal(t, nil, b.log(), "Alone failed in a transaction that it began itself. The migrations have noted:")
	})
	crashes(t, migrations("alone", "fig"))
}

// Several deployers at once run each migration once, whoever stops for however long.
func TestDeployers(t *testing.T) {
	for _, third := range []string{"fig", "alone"} {
		list := migrations("pear", third)
		step.ExploreWithin(t, map[string]int{"fig": 24, "alone": 12}[third], func(t *step.T, x *interleave.Schedule) {
			b := newBase(t)
			other := b.client()
			var errs [2]error
			for i, name := range []string{"deployer A", "deployer B"} {
				c := []*client{b.own, other}[i]
				gate := c.gated(x)
				x.Go(name, func() {
					defer gate.Remove()
					x.Point("begin")
					errs[i] = migration.Migrate(t.Context(), c.DB, list)
				})
			}
			x.Run()
			b.afterTwo(list, errs, "They came at once.")
		})
	}
	for _, third := range []string{"fig", "alone"} {
		list := migrations("pear", third)
		for _, timeout := range map[string][]time.Duration{"fig": {time.Hour, time.Second / 10}, "alone": {time.Hour}}[third] {
			step.Bubble(t, func(t *step.T) {
				b := newBase(t)
				c := b.client()
				for n, fired := 1, 1; fired > 0; n++ {
					b.empties()
					stop := c.breaks(sqlprobe.Fault{Pattern: statement, Times: 1, Latency: 10 * time.Minute}, n-1)
					first := step.Start(t, func() error { return migration.Migrate(t.Context(), c.DB, list) })
					t.Tell("the first deployer stops at its statement %d for 10 minutes, and the second comes, for %v at most", n, timeout)
					ctx, cancel := context.WithTimeout(t.Context(), timeout)
					second := step.Start(t, func() error { return migration.Migrate(ctx, b.own.DB, list) })
					took := second.Took().Round(time.Millisecond)
					step.Expect(t, took < 2*timeout, "The second's context ends after %v, so its Migrate should return then; it took %v.", timeout, took)
					cancel()
					errs := [2]error{first.Result(), second.Result()}
					step.Expect(t, errs[1] != nil || second.Took() < timeout, "The second's context ended while it waited, and its Migrate returned nil.")
					fired = stop.Fired()
					stop.Remove()
					b.afterTwo(list, errs, "One stopped for 10 minutes.")
				}
			})
		}
	}
}

// afterTwo expects that two deployers have run each migration once.
func (b *base) afterTwo(list []migration.Migration, errs [2]error, why string) {
	b.t.Helper()
	b.t.Tell("the deployers' Migrate → %v, and %v", errs[0], errs[1])
	step.Expect(b.t, errs[0] == nil || errs[1] == nil, "One deployer's Migrate should return nil; they returned: %v; %v", errs[0], errs[1])
	step.Equal(b.t, notes(names(list)), b.log(), "%s Two deployers should have run each migration once. Noted:", why)
	time.Sleep(time.Minute)
	b.own.migrates(list, "two deployers were at it, and nothing is left")
	b.is(names(list), "Two deployers were at it, and then a third.")
}

// The old program and the versions of the new one run beside each other at every stage, none fails, and no write is lost.
func TestStages(t *testing.T) {
	for seed := range uint64(3) {
		step.Bubble(t, func(t *step.T) {
			b := newBase(t)
			list := b.people()
			w := &world{b: b, draw: rand.New(rand.NewPCG(seed+1, 0)), names: map[int64]string{}, by: map[int64]string{}}
			c := b.client()
			old, both := c.program(0), c.program(migration.Both)
			switched, contracted := c.program(migration.Switched), c.program(migration.Contracted)
			w.run(4, old)
			for _, m := range migration.Expand() {
				list = append(list, m)
				b.own.migrates(list, "it runs the migrations of Expand one by one")
				w.run(2, old)
			}
			w.run(10, old, both)
			w.run(2, old)
			b.own.fills(len(w.names), 2, func(int) { w.run(2, both) })
			w.run(2, both)
			w.columns("Backfill is done")
			w.run(8, both, switched)
			w.columns("Switched runs beside Both")
			w.run(10, switched, contracted)
			w.columns("Contracted runs beside Switched")
			for _, m := range migration.Contract() {
				list = append(list, m)
				b.own.migrates(list, "it runs the migrations of Contract one by one")
				w.run(2, contracted)
			}
			step.Equal(t, []string{"first", "id", "last"}, b.rows(columns+` ORDER BY name`), "After Contract the columns of people:")
			w.run(4, contracted)
			w.columns("Contract is over")
		})
	}
	atOnce(t)
}

// A world is people whom programs write, and what they should read.
type world struct {
	b         *base
	draw      *rand.Rand
	names, by map[int64]string // by whom they were written last
}

// run lets one of the programs write, so many times, and then each of them read.
func (w *world) run(times int, programs ...program) {
	w.b.t.Helper()
	for range times {
		p, id := programs[w.draw.IntN(len(programs))], int64(1+w.draw.IntN(5))
		name := strings.Join([]string{"Ada", "Augusta", "King", "Noel"}[w.draw.IntN(2):][:1+w.draw.IntN(3)], " ") + fmt.Sprint(w.draw.IntN(10))
		var err error
		what := fmt.Sprintf("writes %q to", name)
		if w.names[id] != "" && w.draw.IntN(4) == 0 {
			what = "deletes"
			err = p.deletes(w.b.t.Context(), id)
			delete(w.names, id)
		} else {
			err = p.writes(w.b.t.Context(), id, name, w.names[id] == "")
			w.names[id] = name
		}
		w.by[id] = "by " + p.String()
		w.b.t.Tell("%s %s person %d", p, what, id)
		step.NoError(w.b.t, err, "%s should be able to write at every stage that it runs at.", p)
		for id := range int64(5) {
			sees(w.b.t, programs, id+1, w.names[id+1], cmp.Or(w.by[id+1], "by nobody"))
		}
	}
}

func (w *world) columns(why string) {
	w.b.t.Helper()
	step.Equal(w.b.t, wantSplit(w.names), w.b.split(), "%s. The columns first and last of each person:", why)
}

// atOnce expects that a call that fails has changed nothing, and that two writes at once leave one state for all.
func atOnce(t *testing.T) {
	t.Helper()
	for _, v := range []migration.Version{migration.Both, migration.Switched, migration.Contracted} {
		step.Bubble(t, func(t *step.T) {
			b := staged(t, v)
			c := b.client()
			p := c.program(v)
			all := []program{p, b.own.program(v)}
			for _, id := range []int64{1, 9} {
				want, _ := all[1].reads(t.Context(), id)
				save := func(ctx context.Context) error { return p.writes(ctx, id, "Zoe Zett", false) }
				err := c.fails("Save by "+p.String(), save, func(string) { sees(t, all, id, want, "as a Save that fails changes nothing") })
				step.NoError(t, err, "%s: Save should succeed.", p)
				sees(t, all, id, "Zoe Zett", "as a Save succeeded")
				load := func(ctx context.Context) error { _, err := p.reads(ctx, id); return err }
				step.NoError(t, c.fails("Load by "+p.String(), load, func(string) {}), "%s: Load should succeed.", p)
			}
		})
	}
	for _, c := range []struct {
		first, other migration.Version
		id           int64
	}{
		{0, migration.Both, 1},
		{migration.Both, migration.Switched, 1},
		{migration.Both, migration.Switched, 9},
		{migration.Switched, migration.Contracted, 1},
	} {
		step.ExploreWithin(t, 20, func(t *step.T, x *interleave.Schedule) {
			b := staged(t, c.first)
			programs, errs := []program{b.own.program(c.first), b.client().program(c.other)}, [2]error{}
			for i, p := range programs {
				gate := p.c.gated(x)
				x.Go(fmt.Sprintf("%d: %s", i+1, p), func() {
					defer gate.Remove()
					x.Point("begin")
					errs[i] = p.writes(t.Context(), c.id, []string{"Eve Adams", "Zoe Zett"}[i], false)
				})
			}
			x.Run()
			for i, err := range errs {
				step.NoError(t, err, "%s should be able to write while another does.", programs[i])
			}
			got, err := programs[0].reads(t.Context(), c.id)
			step.NoError(t, err, "%s should be able to read.", programs[0])
			step.Expect(t, got == "Eve Adams" || got == "Zoe Zett", "Two wrote at once, so one of their names should be there; it is %q.", got)
			sees(t, programs, c.id, got, "whichever of two writes at once came last")
		})
	}
}

// staged makes people at the stage that a version of the new program runs at, and before Backfill for the old one.
func staged(t *step.T, v migration.Version) *base {
	t.Helper()
	b := newBase(t).expanded(1, 2)
	if v != 0 {
		b.own.fills(2, 100, nil)
	}
	return b
}

// The backfill takes few rows at a time, goes on after a crash at every statement, and ends while others write.
func TestBackfill(t *testing.T) {
	ids := []int64{-7, 0, 1, 2, 3, 5, 8, 1000, 1001, 1 << 40, 1<<40 + 1, 1<<40 + 2, 1 << 50}
	for _, limit := range []int{1, 4, 13, 1000} {
		step.Bubble(t, func(t *step.T) {
			b := newBase(t).expanded(ids...)
			before := b.filled()
			step.Equal(t, 0, before, "Before Backfill, rows with something in the column first:")
			b.own.fills(len(ids), limit, func(int) {
				step.Expect(t, b.filled()-before <= limit, "One call should fill in %d rows at most; it filled in %d.", limit, b.filled()-before)
				before = b.filled()
			})
			step.Equal(t, wantSplit(named(ids...)), b.split(), "Backfill is done. The columns first and last of each person:")
		})
	}
	step.Bubble(t, func(t *step.T) {
		b := newBase(t).expanded()
		b.own.fills(0, 3, nil)
		b.empties()
		b.expanded(4)
		fill := func(ctx context.Context) error { _, err := migration.Backfill(ctx, b.own.DB, 3); return err }
		step.Equal(t, []any{true, 0}, []any{errors.Is(fill(ended()), context.Canceled), b.filled()},
			"The context of Backfill has ended. Whether it returned that, and rows that are filled in:")
		err := b.own.fails("Backfill", fill, func(string) {})
		step.NoError(t, err, "Backfill should succeed.")
	})
	step.Bubble(t, func(t *step.T) {
		small, large := newBase(t).expanded(upTo(40)...).own.fills(40, 10, nil), newBase(t).expanded(upTo(150)...).own.fills(150, 10, nil)
		for i := range len(large) - 2 {
			step.Expect(t, large[i+1] <= 2*small[1], "Call %d should take as much work as the second one in a table of 40 rows, "+
				"%d steps of SQLite's machine; in a table of 150 it took %d.", i+2, small[1], large[i+1])
		}
	})
	for _, f := range failures {
		step.Bubble(t, func(t *step.T) {
			b := newBase(t)
			c := b.client()
			for n, fired := 0, 1; fired > 0; n++ {
				b.empties()
				b.expanded(upTo(7)...)
				fault := c.breaks(f.fault, n)
				c.fills(7, 3, nil)
				fired = fault.Fired()
				c.heals()
				step.Equal(t, 7, b.filled(), "Statement %d of Backfill %s, and it was done later. Rows that are filled in:", n+1, f.what)
			}
		})
	}
	step.Bubble(t, func(t *step.T) {
		ids := []int64{10, 20, 30, 40, 50, 60, 70}
		b, names := newBase(t).expanded(ids...), named(ids...)
		both := b.own.program(migration.Both)
		writes := func(id int64, name string) {
			names[id] = name
			step.NoError(t, both.writes(t.Context(), id, name, true), "Save should succeed.")
		}
		b.own.fills(7, 3, func(call int) {
			for i := range int64(7) {
				writes(100+10*i+int64(call), "Zoe Zett") // there are more to come than a call takes
			}
			for _, id := range []int64{5, 20, 70} {
				writes(id, fmt.Sprintf("Eve Adams %d", call))
			}
			delete(names, int64(call*30))
			step.NoError(t, both.deletes(t.Context(), int64(call*30)), "To delete should succeed.")
		})
		step.Equal(t, wantSplit(names), b.split(), "Backfill was done while others wrote. The columns first and last of each person:")
	})
}

// fills calls Backfill until it is done, for a table of n rows, and then something after each call. A call may fail since
// its connection is lost, or as the step wants it to. It returns the work of each call that succeeds.
func (c *client) fills(n, limit int, then func(call int)) (works []int64) {
	c.b.t.Helper()
	for done := false; !done; {
		var err error
		recording := c.probe.Record(func() { done, err = migration.Backfill(c.b.t.Context(), c.DB, limit) })
		c.b.t.Tell("Backfill of %d rows → %t, %v", limit, done, err)
		if len(c.broken) > 0 && c.broken[0].Fired() > 0 && err != nil {
			c.heals()
			done = false
			continue
		}
		step.NoError(c.b.t, err, "Backfill should succeed.")
		work, err := recording.Work()
		step.NoError(c.b.t, err, "Backfill should run its statements one by one, or their work is not known.")
		works = append(works, work)
		step.Expect(c.b.t, done || len(works) < n/limit+2, "There were %d rows, and the limit is %d, so Backfill should be done after %d calls "+
			"that succeed; it is not.", n, limit, n/limit+2)
		if then != nil {
			then(len(works))
		}
	}
	return works
}

// The backfill never puts an old value over a newer one, whatever the order of its statements and of others' writes.
func TestNewerStays(t *testing.T) {
	for _, write := range []string{"replaces", "deletes", "deletes and adds", "adds"} {
		step.ExploreWithin(t, 20, func(t *step.T, x *interleave.Schedule) {
			b := newBase(t).expanded(1, 2, 3)
			both := b.client().program(migration.Both)
			want, errs := named(1, 2, 3), [3]error{}
			if strings.HasPrefix(write, "deletes") {
				delete(want, 2)
			}
			if id := map[string]int64{"replaces": 2, "deletes and adds": 2, "adds": 9}[write]; id != 0 {
				want[id] = "Zoe Zett"
			}
			gates := []*sqlprobe.Injection{b.own.gated(x), both.c.gated(x)}
			x.Go("Backfill", func() {
				x.Point("begin")
				_, errs[0] = migration.Backfill(t.Context(), b.own.DB, 3)
			})
			x.Go("Both "+write, func() {
				x.Point("begin")
				if strings.HasPrefix(write, "deletes") {
					errs[1] = both.deletes(t.Context(), 2)
				}
				for _, id := range []int64{2, 9} {
					if want[id] == "Zoe Zett" {
						errs[2] = both.writes(t.Context(), id, want[id], true)
					}
				}
			})
			x.Run()
			gates[0].Remove()
			gates[1].Remove()
			step.NoError(t, errors.Join(errs[:]...), "Backfill should succeed, and so should what Both does.")
			b.own.fills(4, 3, nil)
			step.Equal(t, wantSplit(want), b.split(), "Both %s while Backfill runs. The columns first and last of each person:", write)
			for _, id := range slices.Sorted(maps.Keys(want)) {
				sees(t, []program{both, b.own.program(migration.Switched)}, id, want[id], "Backfill or Both")
			}
		})
	}
	step.Bubble(t, func(t *step.T) {
		b := newBase(t).expanded(1, 2, 3, 4)
		b.own.fills(4, 2, nil)
		for _, v := range []migration.Version{migration.Both, migration.Switched, migration.Contracted} {
			p := b.own.program(v)
			name := "Zoe " + p.String()
			for _, id := range []int64{1, 4, 5 + int64(v)} {
				step.NoError(t, p.writes(t.Context(), id, name, true), "Save should succeed.")
			}
			before := b.split()
			done, err := migration.Backfill(t.Context(), b.own.DB, 2)
			step.NoError(t, err, "Backfill should succeed.")
			step.Expect(t, done, "Backfill was done before, so it should say so again.")
			step.Equal(t, before, b.split(), "Backfill was done before, and should change nothing at %s. The columns first and last:", p)
			sees(t, []program{p}, 4, name, "though Backfill is called again")
		}
	})
}

// fails expects that a call returns an ended context's error and that of each of its statements, and has changed nothing
// then. It returns what the call returns when nothing fails.
func (c *client) fails(name string, call func(ctx context.Context) error, unchanged func(why string)) error {
	c.b.t.Helper()
	err := call(ended())
	step.Expect(c.b.t, errors.Is(err, context.Canceled), "The context of %s has ended, so it should return that; it returned: %v", name, err)
	unchanged(fmt.Sprintf("The context of %s had ended.", name))
	for n := 1; ; n++ {
		fault := c.breaks(failures[0].fault, n-1)
		err := call(c.b.t.Context())
		fault.Remove()
		if fault.Fired() == 0 {
			step.Expect(c.b.t, n > 1, "%s should ask the database; it asked nothing.", name)
			return err
		}
		step.Expect(c.b.t, errors.Is(err, errDisk), "Statement %d of %s failed, so it should return that; it returned: %v", n, name, err)
		unchanged(fmt.Sprintf("Statement %d of %s failed.", n, name))
	}
}

func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
