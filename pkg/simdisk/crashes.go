package simdisk

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/backend-kata/dojo/pkg/internal/stack"
)

// Crashes runs a workload on a disk, and then lets the disk crash after each of
// the workload's operations, with each choice of what survives, up to a budget.
// Workload and Check must be given.
type Crashes struct {
	// Disk is what the workload runs on, an empty one if it is nil. What was done
	// to it before may be in doubt too, but the crash comes later.
	Disk *Disk

	// Workload does what is to be interrupted. It runs once, to its end, and
	// crashes are worked out from the record. It should call [Disk.Note] when it
	// has promised something to somebody. Its operations should come in the same
	// order in every run, or the crashes differ from run to run. In a bubble, and
	// with a Latency for syncs, a program that promises too early does it in front
	// of the sync, every time.
	Workload func(d *Disk) error

	// Check starts the program under test again on what a crash has left, and
	// returns an error if that is not right. It is called for one crash after
	// the other, and may do with the disk what it likes.
	Check func(c *Crash) error

	// Budget is how many disks are checked at most, 2,000 if it is 0. It is shared
	// out among the moments of a crash; each has two at least, the one on which
	// nothing in doubt survived and the one on which all did. Where the budget is
	// too small for that, it goes to moments drawn by lot with a fixed seed, the
	// same in every run, and [Summary.Points] says how many they are.
	Budget int

	// Only is the number of the one crash to check, to see a failure again. 0
	// means all. If there is no such crash, none is checked, and Test fails.
	Only int
}

const defaultBudget = 2000

// A Crash is one crash of a disk.
type Crash struct {
	// Disk is what the crash has left, started again: all of it is certain. It
	// has the sector size and capacity of the disk that crashed, neither faults
	// nor latency, and an empty record.
	Disk *Disk

	// Notes are the remarks that the workload made before the crash, in order.
	Notes []string

	// Number tells it apart from the other crashes of the exploration, from 1 on.
	Number int

	before []Op // the record up to the crash
	point  *point
	choice choice
}

// A Summary says what an exploration has seen.
type Summary struct {
	Operations int  // in the workload; a crash can come before the first and after each
	Points     int  // moments at which the disk crashed
	Disks      int  // that were checked, one at most with Only; they differ in content or in what was noted before
	All        bool // whether there are no others, by the model
}

// String is the summary in words.
func (s Summary) String() string {
	all := "a selection"
	if s.All {
		all = "all there are"
	}
	points := fmt.Sprint(s.Points)
	if there := s.Operations + 1; s.Points < there {
		points = fmt.Sprintf("%d of %d", s.Points, there)
	}
	return fmt.Sprintf("%d operations, %s crash points, %d disks (%s)", s.Operations, points, s.Disks, all)
}

// Explore runs the workload and checks the crashes, the plain ones first at each
// moment. It returns the first error of Check, together with the list of
// operations up to the crash and what became of each. A panic in Check counts as
// an error.
func (x Crashes) Explore() (Summary, error) {
	d := x.Disk
	if d == nil {
		d = &Disk{}
	}
	d.lock()
	first := len(d.ops)
	d.mu.Unlock()
	if x.Workload == nil || x.Check == nil {
		return Summary{}, errors.New("simdisk: Workload and Check must be given")
	}
	if err := x.Workload(d); err != nil {
		return Summary{}, fmt.Errorf("the workload failed, before any crash: %w\n\n%s", err, list(d.Ops()))
	}
	if x.Disk == nil && len(d.Ops()) == 0 { // a program that starts on a disk of before may have nothing to do
		return Summary{}, errors.New("simdisk: nothing was tried, since the workload did nothing on its disk: let it use the one that it is given")
	}
	return x.explore(d, first)
}

// An exploration is a run of Explore.
type exploration struct {
	Crashes
	disk    *Disk
	ops     []Op
	atoms   []*atom
	left    int // of the budget
	number  int // of the disk
	seen    map[uint64]bool
	summary Summary
}

func (x Crashes) explore(d *Disk, first int) (Summary, error) {
	e := &exploration{Crashes: x, disk: d, left: x.Budget, seen: map[uint64]bool{}}
	if e.left == 0 {
		e.left = defaultBudget
	}
	e.ops, e.atoms = d.record()
	there := len(e.ops) - first + 1
	points := drawn(there, max(e.left/2, 1)) // after which operation
	for i := range points {
		points[i] += first
	}
	e.summary = Summary{Operations: there - 1, Points: len(points)}
	// What one point leaves of its share is for those after it, and what is left at
	// the end for those that could use more.
	for least := min(2, e.left); len(points) > 0; least = 0 {
		var more []int
		before := e.number
		for i, op := range points {
			all, err := e.crash(op, max(least, e.left/(len(points)-i)))
			if err != nil {
				return e.summary, err
			}
			if !all {
				more = append(more, op)
			}
		}
		points = more
		if e.left <= 0 || e.number == before {
			break
		}
	}
	e.summary.All = len(points) == 0 && e.summary.Points == there
	return e.summary, nil
}

// drawn returns the numbers below n if these are at most so many, or so many of them
// by lot, in order.
func drawn(n, most int) []int {
	numbers := rand.New(rand.NewPCG(uint64(n), uint64(most))).Perm(n)[:min(n, most)]
	slices.Sort(numbers)
	return numbers
}

func (d *Disk) record() ([]Op, []*atom) {
	d.lock()
	defer d.mu.Unlock()
	return d.ops, d.atoms
}

// crash checks up to quota disks that a crash after one operation may leave. It
// reports whether these are all that have not been seen.
func (e *exploration) crash(op, quota int) (all bool, err error) {
	p := pointAfter(op, e.disk.root, e.atoms)
	before := e.ops[:op]
	notes := notesOf(before)
	families, all := p.families(4 * quota)
	for c := range distinct(inTurns(families)) {
		root := p.tree(c)
		digest := digestOf(root, len(notes))
		if e.seen[digest] {
			continue
		}
		if quota == 0 {
			return false, nil
		}
		quota--
		e.left--
		e.seen[digest] = true
		e.number++
		if e.Only != 0 && e.Only != e.number {
			continue
		}
		e.summary.Disks++
		if err := e.check(&Crash{Disk: e.disk.restart(root), Notes: notes, Number: e.number, before: before, point: p, choice: c}); err != nil {
			return false, err
		}
	}
	return all, nil
}

func notesOf(ops []Op) []string {
	var notes []string
	for _, op := range ops {
		if op.Kind == OpNote {
			notes = append(notes, op.Name)
		}
	}
	return notes
}

// restart returns a disk that starts with a tree.
func (d *Disk) restart(root *inode) *Disk {
	return &Disk{SectorSize: d.SectorSize, Capacity: d.Capacity, root: root, used: size(root, map[*inode]bool{})}
}

// check calls Check, and adds the story to its error.
func (e *exploration) check(c *Crash) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n\n%s", v, stack.OfPanic("simdisk.(*exploration).check"))
		}
		if err != nil {
			err = &CrashError{Crash: c, Err: err}
		}
	}()
	return e.Check(c)
}

// A CrashError is what [Crashes.Explore] returns when Check has found an error.
type CrashError struct {
	Crash *Crash
	Err   error
}

// Error returns the error of Check and the story of the crash.
func (e *CrashError) Error() string { return e.Err.Error() + "\n\n" + e.Crash.String() }

// Unwrap returns the error of Check.
func (e *CrashError) Unwrap() error { return e.Err }
