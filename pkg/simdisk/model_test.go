package simdisk_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/simdisk"
)

// A script does plain operations on a disk, and stops the test at an error.
type script struct {
	t *testing.T
	*simdisk.Disk
}

func (s script) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s script) open(name string) simdisk.File {
	s.t.Helper()
	f, err := s.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
	s.must(err)
	return f
}

// put writes text at off, and makes the file if need be.
func (s script) put(name string, off int64, text string) {
	s.t.Helper()
	f := s.open(name)
	_, err := f.WriteAt([]byte(text), off)
	s.must(errors.Join(err, f.Close()))
}

func (s script) cut(name string, size int64) {
	s.t.Helper()
	f := s.open(name)
	s.must(errors.Join(f.Truncate(size), f.Close()))
}

func (s script) sync(names ...string) {
	s.t.Helper()
	for _, name := range names {
		s.must(simdisk.SyncDir(s, name)) // it syncs a file too
	}
}

// content is all names and contents of a file system, as one text.
func content(fsys simdisk.FS, folder string) string {
	entries, _ := fsys.ReadDir(folder)
	var parts []string
	for _, e := range entries {
		name := path.Join(folder, e.Name())
		if e.IsDir() {
			parts = append(parts, fmt.Sprintf("%s(%s)", e.Name(), content(fsys, name)))
			continue
		}
		data, _ := simdisk.ReadFile(fsys, name)
		parts = append(parts, e.Name()+"="+strings.ReplaceAll(string(data), "\x00", "_"))
	}
	return strings.Join(parts, " ")
}

// The model in full: what exactly a crash may leave after some operations.
func TestWhatACrashLeaves(t *testing.T) {
	tests := []struct {
		name   string
		sector int
		fault  func(simdisk.Op) error // of do
		before func(s script)         // all of it is certain
		do     func(s script)
		want   []string
		why    string
	}{
		{
			name:   "overwrite",
			before: func(s script) { s.put("f", 0, "aaa") },
			do:     func(s script) { s.put("f", 0, "bbb") },
			want:   []string{"f=aaa", "f=baa", "f=bba", "f=bbb"},
			why:    "within a sector a write is torn at any byte, from the front on",
		},
		{
			name:   "append",
			before: func(s script) { s.put("f", 0, "a") },
			do:     func(s script) { s.put("f", 1, "bb") },
			want:   []string{"f=a", "f=a_", "f=a__", "f=ab", "f=ab_", "f=abb"},
			why:    "the file may be too short, and where the size has come without the bytes there are zeros",
		},
		{
			name:   "sectors",
			sector: 2,
			before: func(s script) { s.put("f", 0, "aaaa") },
			do:     func(s script) { s.put("f", 0, "bbbb") },
			want:   []string{"f=aaaa", "f=aaba", "f=aabb", "f=baaa", "f=baba", "f=babb", "f=bbaa", "f=bbba", "f=bbbb"},
			why:    "each sector has its own fate",
		},
		{
			name:   "two writes",
			before: func(s script) { s.put("f", 0, "aa") },
			do:     func(s script) { s.put("f", 0, "b"); s.put("f", 1, "c") },
			want:   []string{"f=aa", "f=ac", "f=ba", "f=bc"},
			why:    "the second may survive without the first",
		},
		{
			name:   "sync",
			before: func(s script) { s.put("f", 0, "aa") },
			do:     func(s script) { s.put("f", 0, "bb"); s.sync("f"); s.put("f", 1, "c") },
			want:   []string{"f=bb", "f=bc"},
			why:    "what came before the sync is certain, and what came after it is not",
		},
		{
			name: "create",
			do:   func(s script) { s.open("f") },
			want: []string{"", "f="},
			why:  "a name may come or not",
		},
		{
			name: "sync without the name",
			do:   func(s script) { s.put("f", 0, "a"); s.sync("f") },
			want: []string{"", "f=a"},
			why:  "to sync a file does not make its name certain",
		},
		{
			name: "name without the bytes",
			do:   func(s script) { s.put("f", 0, "a"); s.sync(".") },
			want: []string{"f=", "f=_", "f=a"},
			why:  "to sync a folder does not make the bytes certain",
		},
		{
			name: "folder in a folder",
			do: func(s script) {
				s.must(s.MkdirAll("d/e", 0o777))
				s.open("d/e/f")
				s.sync("d/e")
			},
			want: []string{"", "d()", "d(e(f=))"},
			why:  "a name is as certain as those above it",
		},
		{
			name:   "rename over",
			before: func(s script) { s.put("f", 0, "old"); s.put("tmp", 0, "new") },
			do:     func(s script) { s.must(s.Rename("tmp", "f")) },
			want:   []string{"f=new", "f=old tmp=new"},
			why:    "within a folder a rename happens or not",
		},
		{
			name:   "rename across",
			before: func(s script) { s.must(s.MkdirAll("d", 0o777)); s.put("f", 0, "a") },
			do:     func(s script) { s.must(s.Rename("f", "d/g")) },
			want:   []string{"d()", "d() f=a", "d(g=a)", "d(g=a) f=a"},
			why:    "two folders are two changes",
		},
		{
			name:   "rename across with a sync",
			before: func(s script) { s.must(s.MkdirAll("d", 0o777)); s.put("f", 0, "a") },
			do:     func(s script) { s.must(s.Rename("f", "d/g")); s.sync("d") },
			want:   []string{"d(g=a)", "d(g=a) f=a"},
			why:    "the new name is certain then, and that the old one is gone is not",
		},
		{
			name:   "remove",
			before: func(s script) { s.put("f", 0, "a") },
			do:     func(s script) { s.must(s.Remove("f")) },
			want:   []string{"", "f=a"},
			why:    "a removed file may come back",
		},
		{
			name:   "remove and sync",
			before: func(s script) { s.put("f", 0, "a") },
			do:     func(s script) { s.must(s.Remove("f")); s.sync(".") },
			want:   []string{""},
			why:    "or not, after a sync",
		},
		{
			name:   "remove and create",
			before: func(s script) { s.put("f", 0, "a") },
			do:     func(s script) { s.must(s.Remove("f")); s.open("f") },
			want:   []string{"", "f=", "f=a"},
			why:    "a new file of the old name is another file",
		},
		{
			name:   "truncate",
			before: func(s script) { s.put("f", 0, "abc") },
			do:     func(s script) { s.cut("f", 1) },
			want:   []string{"f=a", "f=abc"},
			why:    "a size is set or not",
		},
		{
			name:   "truncate and write",
			before: func(s script) { s.put("f", 0, "abc") },
			do:     func(s script) { s.cut("f", 1); s.put("f", 1, "x") },
			want:   []string{"f=a", "f=a_", "f=ab", "f=abc", "f=ax", "f=axc"},
			why:    "old bytes come back where the cut did not survive, and what did not survive the cut is zero",
		},
		{
			name:   "O_TRUNC",
			before: func(s script) { s.put("f", 0, "abc") },
			do:     func(s script) { _, err := simdisk.Create(s, "f"); s.must(err) },
			want:   []string{"f=", "f=abc"},
			why:    "Create cuts a file that is there",
		},
		{
			name:   "failed sync",
			fault:  failingOnce(simdisk.OpSync),
			before: func(s script) { s.put("f", 0, "a") },
			do: func(s script) {
				s.put("f", 0, "b")
				f := s.open("f")
				if err := f.Sync(); !errors.Is(err, syscall.EIO) {
					s.t.Errorf("Sync gave %v", err)
				}
				s.must(f.Sync())
			},
			want: []string{"f=a", "f=b"},
			why:  "the second sync has nothing to write, says so, and makes nothing certain",
		},
		{
			name:   "failed sync, written again",
			fault:  failingOnce(simdisk.OpSync),
			before: func(s script) { s.put("f", 0, "a") },
			do: func(s script) {
				s.put("f", 0, "b")
				_ = s.open("f").Sync()
				s.put("f", 0, "b")
				s.sync("f")
			},
			want: []string{"f=b"},
			why:  "bytes that are written again are written by the next sync",
		},
		{
			name:  "failed sync of a folder",
			fault: failingOnce(simdisk.OpSyncDir),
			do: func(s script) {
				s.open("f")
				_ = simdisk.SyncDir(s, ".")
				s.sync(".")
			},
			want: []string{"", "f="},
			why:  "names are no better off than bytes",
		},
		{
			name:   "bit rot",
			before: func(s script) { s.put("f", 0, "aa") },
			do:     func(s script) { s.must(s.FlipBit("f", 1)); s.put("f", 0, "b") },
			want:   []string{"f=a`", "f=b`"},
			why:    "what is rotten is rotten after every crash",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := script{t, &simdisk.Disk{SectorSize: test.sector}}
			if test.before != nil {
				test.before(s)
				everything(s, ".")
			}
			s.Fault = test.fault
			test.do(s)
			got, summary := left(t, s.Disk)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.why, diff)
			}
			if !summary.All {
				t.Error("the summary says that there are others")
			}
		})
	}
}

// everything makes all that is on a disk certain.
func everything(s script, folder string) {
	s.sync(folder)
	entries, err := s.ReadDir(folder)
	s.must(err)
	for _, e := range entries {
		if name := path.Join(folder, e.Name()); e.IsDir() {
			everything(s, name)
		} else {
			s.sync(name)
		}
	}
}

// left returns, sorted, what a crash may leave on a disk now.
func left(t *testing.T, d *simdisk.Disk) ([]string, simdisk.Summary) {
	t.Helper()
	found := map[string]bool{}
	summary := simdisk.Crashes{
		Disk:     d,
		Workload: func(*simdisk.Disk) error { return nil },
		Check: func(c *simdisk.Crash) error {
			found[content(c.Disk, ".")] = true
			return nil
		},
	}.Test(t)
	return slices.Sorted(maps.Keys(found)), summary
}

// failingOnce makes the first operation of a kind fail.
func failingOnce(kind simdisk.Kind) func(simdisk.Op) error {
	failed := false
	return func(op simdisk.Op) error {
		if failed || op.Kind != kind {
			return nil
		}
		failed = true
		return syscall.EIO
	}
}

// After a rename across folders of which both halves are in doubt, a file that
// has both names is one file.
func TestTwoNames(t *testing.T) {
	d := &simdisk.Disk{}
	s := script{t, d}
	s.must(d.MkdirAll("d", 0o777))
	s.put("f", 0, "a")
	everything(s, ".")
	s.must(d.Rename("f", "d/f"))
	simdisk.Crashes{
		Disk:     d,
		Workload: func(*simdisk.Disk) error { return nil },
		Check: func(c *simdisk.Crash) error {
			after := script{t, c.Disk}
			if content(c.Disk, ".") == "d(f=a) f=a" {
				after.put("f", 0, "b")
				if got := content(c.Disk, "."); got != "d(f=b) f=b" {
					return errors.New(got)
				}
			}
			return nil
		},
	}.Test(t)
}

// A folder cannot have two names, and cannot be in itself, whatever renames have
// survived.
func TestFoldersStayATree(t *testing.T) {
	d := &simdisk.Disk{}
	s := script{t, d}
	s.must(d.MkdirAll("a", 0o777))
	s.must(d.MkdirAll("b", 0o777))
	everything(s, ".")
	s.must(d.Rename("a", "b/a"))
	s.must(d.Rename("b/a", "a"))
	s.must(d.Rename("b", "a/b"))
	got, _ := left(t, d)
	want := []string{"", "a() b()", "a(b())", "b(a())"}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("%q was not tried; these were: %q", w, got)
		}
	}
}

// A sync covers what was written before it began, and no more.
func TestSyncCoversWhatCameBefore(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		d := &simdisk.Disk{Latency: syncTakes(time.Second)}
		s := script{t, d}
		s.put("f", 0, "aa")
		everything(s, ".")
		s.put("f", 0, "b")
		bubble.Go(t, func() { s.sync("f") })
		synctest.Wait()
		s.put("f", 1, "b")
		time.Sleep(time.Second)
		synctest.Wait()
		got, _ := left(t, d)
		if diff := cmp.Diff([]string{"f=ba", "f=bb"}, got); diff != "" {
			t.Errorf("after a write in the middle of a sync (-want +got):\n%s", diff)
		}
	})
}

func syncTakes(d time.Duration) func(simdisk.Op) time.Duration {
	return func(op simdisk.Op) time.Duration {
		if op.Kind == simdisk.OpSync {
			return d
		}
		return 0
	}
}

// The disk serves one operation after another, and the page cache does not wait.
func TestLatency(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		d := &simdisk.Disk{Latency: syncTakes(5 * time.Millisecond)}
		s := script{t, d}
		start := time.Now()
		ended := make(chan time.Duration, 10)
		for i := range 10 {
			f := s.open(fmt.Sprint(i))
			bubble.Go(t, func() {
				s.must(f.Sync())
				ended <- time.Since(start)
			})
		}
		synctest.Wait()
		s.put("f", 0, "a")
		if time.Since(start) != 0 {
			t.Error("a write to the page cache waited for the disk")
		}
		for i := range 10 {
			if got, want := <-ended, time.Duration(i+1)*5*time.Millisecond; got != want {
				t.Errorf("sync %d ended after %v, want %v", i+1, got, want)
			}
		}
	})
}
