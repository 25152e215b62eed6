// Package simdisk is a file system in memory that crashes, to test whether a
// program finds its data again after the power went out.
//
// What a program writes is in the page cache, and reads see it there, whether it
// is on the disk or not. So a test that opens the file again proves nothing: a
// store that forgets to sync passes it. A [Disk] remembers what was synced, and
// [Crashes] takes the power away after each operation of a workload, with each
// choice of what may have survived, and lets the test start its program again on
// what is left:
//
//	func TestSettingsSurvive(t *testing.T) {
//		simdisk.Crashes{
//			Workload: func(d *simdisk.Disk) error {
//				if err := save(d, "old"); err != nil {
//					return err
//				}
//				d.Note("old is saved")
//				return save(d, "new")
//			},
//			Check: func(c *simdisk.Crash) error {
//				got, err := load(c.Disk)
//				if len(c.Notes) > 0 && got != "old" && got != "new" {
//					return fmt.Errorf("the settings are %q, %v", got, err)
//				}
//				return nil
//			},
//		}.Test(t)
//	}
//
// If save writes a file and renames it without a sync in between, this fails:
//
//	the settings are "", <nil>
//
//	Crash 22 came after operation 5, and of what was not certain this survived:
//
//	    1  create settings.tmp               certain
//	    2  write settings.tmp, 3 bytes at 0  lost
//	    3  rename settings.tmp to settings   certain
//	    4  sync dir .
//	    5  note: old is saved
//	       ---- crash ----
//
//	This was left:
//
//	       settings, 0 bytes
//
//	again: DOJO_CRASH=22 go test -run '^TestSettingsSurvive$' ./settings
//
// The program under test uses the interface [FS]; [OS] is the real file system.
//
// # What a crash leaves
//
// Each operation is cut into changes that survive as one thing. A change is
// certain to survive once a sync of its file or folder has returned that began
// after it was made. Until then it is in doubt, and any choice is possible among
// all that is in doubt, whatever the order in which it was done:
//
//   - The bytes of a write are cut at the bounds of sectors (512 bytes, or
//     SectorSize). Each piece survives, or is lost, or is torn: its first n bytes
//     survive, for any n. What was lost reads as what was there before, or as
//     zeros where nothing was.
//   - The size of a file is a change of its own when Truncate sets it, and when a
//     write makes the file longer: it grows sector by sector, and the last of it may
//     be torn too. Bytes beyond the size that survives are not seen; a size without
//     its bytes shows zeros. A size that is cut takes the bytes beyond with it.
//   - A name that comes or goes is a change of the folder: create, mkdir, remove,
//     and a rename within the folder, which is one change. A rename from one
//     folder to another is two, one in each folder, and each needs its own sync.
//   - To sync a file makes neither its name nor its folder's name certain.
//   - A sync that fails leaves its changes in doubt for good. The page cache takes
//     them for written, as Linux does (Rebello et al., Can Applications Recover
//     from fsync Failures?, USENIX ATC 2020): reads show them, and the next sync
//     writes nothing and returns nil. Only bytes that are written again are
//     written by a later sync.
//
// A process that is killed loses nothing of this: it is the crash after which all
// survived.
//
// # Which crashes are tried
//
// The workload runs once, and its operations are kept. A crash comes before the
// first of them and after each, or at as many moments drawn by lot as the budget has
// two disks for. At each of these moments nothing that is in doubt survives, and
// then all of it, and then the choices are tried in turns from these families: the
// first k changes; all but one; only one; one write torn in the middle, near its
// ends and, if it is short, everywhere; only bytes, sizes or names, or two of the
// three; only what is on one file, or all but that; and at last every choice there
// is, or if these are too many, some drawn by lot with a fixed seed. Of disks with
// the same content only the first is checked, as long as nothing new was noted. What
// is tried depends on the record alone, so it is the same in every run.
//
// [Disk.Crash] takes the power from a disk while the program runs and others go on,
// and leaves what one of these choices leaves. Package simnode does so to whole
// machines.
//
// # Where it comes from
//
// The way to work, a record that is replayed in part, and to check each distinct
// state once, is that of ALICE (Pillai et al., All File Systems Are Not Created
// Equal, OSDI 2014), and so is most of the model: its default one too cuts writes
// into blocks, sets the size apart from the bytes, and orders nothing but by syncs.
// [Disk.Note] is ALICE's output to the terminal. What differs: ALICE traces the
// system calls of a real program, in C or Python or whatever, and finds out which
// property of a file system the program needs. It leaves blocks filled with random
// data where this package leaves zeros, and takes a rename apart where this package
// keeps it whole within a folder. That a write may be torn within a sector is what
// SQLite assumes (Atomic Commit In SQLite, section 2: a sector is written from one
// end to the other, not in one step; here, from the front).
//
// The nearest peer in Go is the crashable MemFS of package vfs in
// github.com/cockroachdb/pebble, from which comes the idea of a whole file system
// behind an interface, and a disk that starts again as a disk like any other. Its
// CrashClone draws one state by lot, at a moment that the test chooses, and keeps
// or loses blocks of 4 KiB and names. There a removed file that was certain always
// comes back, a file never gets shorter, a write is never torn, and a failed sync
// leaves nothing in doubt.
//
// # Limits
//
// There are no links, no permissions that are enforced, no locks, no O_SYNC, no
// memory maps. Modes and times survive every crash. Folders cannot be read through
// a File. A disk is one file system: a working directory, and names with ".." that
// lead out of the root, there are not.
//
// A failed sync is the only way in which the page cache and the disk differ before a
// crash; the cache is never dropped, so what a failed sync has lost is seen until
// the crash. Space is given back at once when a file is removed and closed. A hole
// takes as much space as bytes do.
//
// A workload with several goroutines has the operations in the order in which they
// came. If that differs from run to run, so do the crashes.
//
// The record grows with each operation and is never cut. A crash takes time in
// proportion to it and to what the files hold, so an exploration takes the budget
// times that: 100 appends of 200 bytes, each with a sync, take 0.3 s at the default budget,
// 1,000 take 1.5 s, and 10,000 take 6 s (BenchmarkAppends).
//
// On Windows, [OS] cannot sync a folder.
package simdisk
