package simdisk

import (
	"errors"

	"github.com/backend-kata/dojo/pkg/internal/lives"
)

// Crash takes the power from the disk while the program runs, and returns what is
// left: a disk for the program to be started on again. The number says what of
// that in doubt survives. 1 is nothing, 2 is all of it, and the others come in
// the order of [Crashes], without those that leave the same as one before. If there
// are not so many, the last is taken, and [Crash.Number] says which that is.
//
// From then on the disk does nothing. What a goroutine asks of it first, or has under
// way, fails with [ErrPower], so that locks are given back; what it asks next ends it, as
// [runtime.Goexit] does. What was done already returns, and whoever asked for it
// should find that nobody hears of it. What a test looks at, such as [Disk.Ops], still
// answers.
//
// To ask again with another number shows what else the same crash could have left.
func (d *Disk) Crash(number int) *Crash {
	d.lock()
	defer d.mu.Unlock()
	if d.dead == nil {
		d.dead = &lives.Dead{}
	}
	p := pointAfter(len(d.ops), d.root, d.atoms)
	families, _ := p.families(defaultBudget)
	var crash *Crash
	seen := map[uint64]bool{}
	for c := range distinct(inTurns(families)) {
		root := p.tree(c)
		digest := digestOf(root, 0)
		if seen[digest] {
			continue
		}
		seen[digest] = true
		crash = &Crash{Disk: d.restart(root), Notes: notesOf(d.ops), Number: len(seen), before: d.ops, point: p, choice: c}
		if len(seen) >= number {
			break
		}
	}
	return crash
}

// ErrPower is what the operations of a disk fail with that has crashed.
var ErrPower = errors.New("simdisk: the power is gone")

// power returns ErrPower once the power is gone, and ends a goroutine that has been
// told.
func (d *Disk) power() error {
	d.mu.Lock()
	dead := d.dead
	d.mu.Unlock()
	if dead == nil {
		return nil
	}
	dead.Ask()
	return ErrPower
}
