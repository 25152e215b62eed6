package simdisk

import "runtime"

// Crash takes the power from the disk while the program runs, and returns what is
// left: a disk for the program to be started on again. The number says what of
// that in doubt survives. 1 is nothing, 2 is all of it, and the others come in
// the order of [Crashes], without those that leave the same as one before. If there
// are not so many, the last is taken, and [Crash.Number] says which that is.
//
// From then on the disk does nothing. Whoever asks it for anything, and whoever has an
// operation under way, waits until [Disk.Release]. Only what a test looks at, such as
// [Disk.Ops], still answers.
//
// To ask again with another number shows what else the same crash could have left.
func (d *Disk) Crash(number int) *Crash {
	d.look()
	defer d.mu.Unlock()
	if d.off == nil {
		d.off = make(chan struct{})
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

// Release ends the goroutines that wait for a disk that has crashed, as
// [runtime.Goexit] does, and those that ask it for something later. Their deferred
// functions run. A test calls it when it has seen what it wanted to see, so that
// they are no leak. It does nothing to a disk that has not crashed.
func (d *Disk) Release() {
	d.look()
	defer d.mu.Unlock()
	if d.off == nil {
		return
	}
	select {
	case <-d.off:
	default:
		close(d.off)
	}
}

// stay lets nobody pass who asks a disk without power for something. The lock is
// held.
func (d *Disk) stay() {
	off := d.off
	if off == nil {
		return
	}
	d.mu.Unlock()
	<-off
	runtime.Goexit()
}
