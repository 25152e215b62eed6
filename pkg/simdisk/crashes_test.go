package simdisk_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/backend-kata/dojo/pkg/simdisk"
)

// bookings writes n lines to a file, two lines a sync.
func bookings(n int) func(d *simdisk.Disk) error {
	return func(d *simdisk.Disk) error {
		f, err := simdisk.Create(d, "book")
		if err != nil {
			return err
		}
		if err := simdisk.SyncDir(d, "."); err != nil {
			return err
		}
		for i := range n {
			if _, err := fmt.Fprintf(f, "line %d\n", i); err != nil {
				return err
			}
			if i%2 == 1 {
				if err := f.Sync(); err != nil {
					return err
				}
				d.Note("%d", i)
			}
		}
		return f.Close()
	}
}

func nothingWrong(*simdisk.Crash) error { return nil }

// Two explorations of one workload see the same disks in the same order, and no
// disk twice.
func TestSameInEveryRun(t *testing.T) {
	explore := func() (seen []string) {
		_, err := simdisk.Crashes{Workload: bookings(6), Budget: 300, Check: func(c *simdisk.Crash) error {
			seen = append(seen, fmt.Sprintf("%d %v %x", c.Number, c.Notes, sha256.Sum256([]byte(content(c.Disk, ".")))))
			return nil
		}}.Explore()
		if err != nil {
			t.Fatal(err)
		}
		return seen
	}
	first, second := explore(), explore()
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("two runs differ:\n%s", diff)
	}
	distinct := map[string]bool{}
	for _, s := range first {
		_, s, _ = strings.Cut(s, " ")
		if distinct[s] {
			t.Errorf("tried twice: %s", s)
		}
		distinct[s] = true
	}
}

func TestBudget(t *testing.T) {
	for _, test := range []struct {
		budget int
		want   simdisk.Summary
		why    string
	}{
		{1, simdisk.Summary{Operations: 14, Points: 1, Disks: 1}, "a budget is a bound"},
		{10, simdisk.Summary{Operations: 14, Points: 5, Disks: 10}, "points are drawn where not each can have two disks"},
		{30, simdisk.Summary{Operations: 14, Points: 15, Disks: 30}, "each point has two disks where there are two"},
		{100, simdisk.Summary{Operations: 14, Points: 15, Disks: 100}, "what one point does not use goes to others"},
		{100000, simdisk.Summary{Operations: 14, Points: 15, Disks: 950, All: true}, "two lines in doubt have so many outcomes"},
	} {
		got, err := simdisk.Crashes{Workload: bookings(6), Check: nothingWrong, Budget: test.budget}.Explore()
		if err != nil || got != test.want {
			t.Errorf("a budget of %d (%s): got %+v, %v, want %+v", test.budget, test.why, got, err, test.want)
		}
	}
	for budget, want := range map[int]string{
		10: "14 operations, 5 of 15 crash points, 10 disks (a selection)",
		30: "14 operations, 15 crash points, 30 disks (a selection)",
	} {
		got, _ := simdisk.Crashes{Workload: bookings(6), Check: nothingWrong, Budget: budget}.Explore()
		if got.String() != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Only one crash is checked, the same as in the whole exploration.
func TestOnly(t *testing.T) {
	var all, only []string
	note := func(seen *[]string) func(c *simdisk.Crash) error {
		return func(c *simdisk.Crash) error {
			*seen = append(*seen, c.String())
			return nil
		}
	}
	_, err := simdisk.Crashes{Workload: bookings(6), Check: note(&all)}.Explore()
	_, err2 := simdisk.Crashes{Workload: bookings(6), Check: note(&only), Only: 42}.Explore()
	if err != nil || err2 != nil || len(only) != 1 || only[0] != all[41] {
		t.Errorf("got %q, %v, %v", only, err, err2)
	}
}

// What was done before the exploration may be in doubt in it, but it is no crash
// point.
func TestCrashesOfAUsedDisk(t *testing.T) {
	d := &simdisk.Disk{}
	s := script{t, d}
	s.put("old", 0, "a")
	summary, err := simdisk.Crashes{Disk: d, Check: nothingWrong, Workload: func(d *simdisk.Disk) error {
		return simdisk.SyncDir(d, ".")
	}}.Explore()
	if want := (simdisk.Summary{Operations: 1, Points: 2, Disks: 4, All: true}); err != nil || summary != want {
		t.Errorf("got %+v, %v, want %+v", summary, err, want)
	}
}

// A crash in the middle of the start after a crash is another exploration, on what
// the first has left.
func TestCrashWhileStartingAgain(t *testing.T) {
	disks := 0
	simdisk.Crashes{Workload: bookings(2), Check: func(c *simdisk.Crash) error {
		summary, err := simdisk.Crashes{
			Disk:     c.Disk,
			Workload: func(d *simdisk.Disk) error { return bookings(1)(d) },
			Check:    nothingWrong,
			Budget:   50,
		}.Explore()
		disks += summary.Disks
		return err
	}}.Test(t)
	if disks < 1000 {
		t.Errorf("only %d disks were checked", disks)
	}
}

// The texts of what fails.
func TestWhatFails(t *testing.T) {
	broken := errors.New("the book is broken")
	tests := []struct {
		name string
		x    simdisk.Crashes
		want string
	}{
		{
			name: "a check",
			x: simdisk.Crashes{Workload: bookings(4), Check: func(c *simdisk.Crash) error {
				if data, _ := simdisk.ReadFile(c.Disk, "book"); len(c.Notes) == 1 && len(data) == 18 {
					return broken
				}
				return nil
			}},
			want: `
the book is broken

Crash 136 came after operation 7, and of what was not certain this survived:

    1  create book                certain
    2  sync dir .
    3  write book, 7 bytes at 0   certain
    4  write book, 7 bytes at 7   certain
    5  sync book
    6  note: 1
    7  write book, 7 bytes at 14  bytes lost, size 18 survived
       ---- crash ----

This was left:

       book, 18 bytes
`,
		},
		{
			name: "a workload",
			x: simdisk.Crashes{
				Disk: &simdisk.Disk{Fault: failingOnce(simdisk.OpSync)}, Workload: bookings(2), Check: nothingWrong,
			},
			want: `
the workload failed, before any crash: sync book: input/output error

    1  create book
    2  sync dir .
    3  write book, 7 bytes at 0
    4  write book, 7 bytes at 7
    5  sync book; failed: input/output error
`,
		},
	}
	for _, test := range tests {
		_, err := test.x.Explore()
		if err == nil {
			t.Errorf("%s: no error", test.name)
		} else if diff := cmp.Diff(strings.TrimPrefix(test.want, "\n"), err.Error()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// A panic in Check is an error, with the part of the stack that matters.
func TestPanicInCheck(t *testing.T) {
	_, err := simdisk.Crashes{Workload: bookings(2), Check: func(c *simdisk.Crash) error {
		data, _ := simdisk.ReadFile(c.Disk, "book")
		_ = data[9]
		return nil
	}}.Explore()
	if err == nil {
		t.Fatal("no error")
	}
	head, story, _ := strings.Cut(err.Error(), "\n\nCrash 1 came after operation 0")
	if !strings.HasPrefix(head, "panic: runtime error: index out of range [9] with length 0") || !strings.Contains(head, "crashes_test.go:") ||
		strings.Contains(head, "simdisk/crashes.go") || !strings.Contains(story, "---- crash ----") {
		t.Errorf("got %s", err)
	}
}

// What a failed write leaves in doubt, and how the list of operations puts it.
func TestStories(t *testing.T) {
	tests := []struct {
		name string
		do   func(s script)
		want []string // parts of the stories of all crashes
	}{
		{
			name: "short write",
			do: func(s script) {
				s.Fault = func(op simdisk.Op) error {
					if op.Kind == simdisk.OpWrite {
						return simdisk.Short(1, nil)
					}
					return nil
				}
				_, _ = s.open("f").Write([]byte("abc"))
			},
			want: []string{"write f, 3 bytes at 0; failed: no space left on device  survived\n", "  lost\n", "bytes lost, size 1 survived\n"},
		},
		{
			name: "sectors",
			do: func(s script) {
				s.SectorSize = 4
				s.put("f", 0, "abcdefgh")
			},
			want: []string{"torn: bytes 0-3, 4-5 survived, size 8 survived\n", "torn: bytes 4-7 survived, size 8 survived\n", "bytes survived, size 6 survived\n"},
		},
		{
			name: "names",
			do: func(s script) {
				s.must(s.MkdirAll("d", 0o777))
				s.open("f")
				everything(s, ".")
				s.must(s.Rename("f", "d/f"))
				s.must(s.Rename("d", "e"))
			},
			want: []string{
				"rename f to d/f  new name there, old name still there\n",
				"rename f to d/f  new name lost, old name gone\n",
				"rename d to e    survived\n", "This was left:\n\n       e/\n", "This was left:\n\n       d/f, 0 bytes\n",
			},
		},
		{
			name: "long",
			do: func(s script) {
				for range 50 {
					s.Note("on and on")
				}
			},
			want: []string{"       10 operations before these\n   11  note: on and on\n", "This was left:\n\n       nothing\n"},
		},
		{
			name: "other operations",
			do: func(s script) {
				s.put("f", 0, "abc")
				s.cut("f", 1)
				s.must(s.FlipBit("f", 0))
				s.must(s.Remove("f"))
			},
			want: []string{"truncate f to 1 bytes  ", "bit rot f, a bit of byte 0  certain\n", "remove f"},
		},
	}
	for _, test := range tests {
		d := &simdisk.Disk{}
		test.do(script{t, d})
		var stories strings.Builder
		simdisk.Crashes{Disk: d, Workload: func(*simdisk.Disk) error { return nil }, Check: func(c *simdisk.Crash) error {
			stories.WriteString(c.String())
			return nil
		}}.Test(t)
		for _, want := range test.want {
			if !strings.Contains(stories.String(), want) {
				t.Errorf("%s: none of these says %q:\n%s", test.name, want, stories.String())
			}
		}
	}
}

func TestFaults(t *testing.T) {
	s := script{t, &simdisk.Disk{}}
	f := s.open("f")
	for kind, do := range map[simdisk.Kind]func() error{
		simdisk.OpCreate:   func() error { _, err := simdisk.Create(s, "g"); return err },
		simdisk.OpOpen:     func() error { _, err := simdisk.Open(s, "f"); return err },
		simdisk.OpMkdir:    func() error { return s.MkdirAll("d", 0o777) },
		simdisk.OpRename:   func() error { return s.Rename("f", "g") },
		simdisk.OpRemove:   func() error { return s.Remove("f") },
		simdisk.OpReadDir:  func() error { _, err := s.ReadDir("."); return err },
		simdisk.OpStat:     func() error { _, err := s.Stat("f"); return err },
		simdisk.OpWrite:    func() error { _, err := f.Write([]byte("a")); return err },
		simdisk.OpRead:     func() error { _, err := f.ReadAt([]byte("a"), 0); return err },
		simdisk.OpTruncate: func() error { return f.Truncate(1) },
		simdisk.OpSync:     f.Sync,
		simdisk.OpSyncDir:  func() error { return simdisk.SyncDir(s, ".") },
	} {
		s.Fault = failingOnce(kind)
		if err := do(); !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: got %v", kind, err)
		}
	}
	if got := content(s, "."); got != "f=" {
		t.Errorf("after operations that all failed there is %s", got)
	}
	s.Fault = func(simdisk.Op) error { return simdisk.Short(2, syscall.EIO) }
	if n, err := f.Write([]byte("abc")); n != 2 || !errors.Is(err, syscall.EIO) {
		t.Errorf("a short write gave %d, %v", n, err)
	}
}

func TestFullDisk(t *testing.T) {
	s := script{t, &simdisk.Disk{Capacity: 10}}
	s.put("a", 0, "123456")
	f := s.open("b")
	if n, err := f.Write([]byte("12345")); n != 4 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a write of five bytes where there is room for four gave %d, %v", n, err)
	}
	if n, err := f.Write([]byte("5")); n != 0 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a write to a full disk gave %d, %v", n, err)
	}
	if err := f.Truncate(5); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a longer file on a full disk gave %v", err)
	}
	s.put("a", 0, "abcdef") // it takes no more space
	a := s.open("a")
	s.must(s.Remove("a"))
	if n, err := f.Write([]byte("5")); n != 0 || err == nil {
		t.Errorf("a write while a removed file is still open gave %d, %v", n, err)
	}
	s.must(a.Close())
	if n, err := f.Write([]byte("567890")); n != 6 || err != nil {
		t.Errorf("a write with room gave %d, %v", n, err)
	}
	s.must(s.Rename("b", "c"))
	if n, err := s.open("d").Write([]byte("1")); n != 0 || err == nil {
		t.Errorf("a write to a full disk after a rename gave %d, %v", n, err)
	}
	everything(s, ".")
	simdisk.Crashes{Disk: s.Disk, Workload: func(*simdisk.Disk) error { return nil }, Check: func(c *simdisk.Crash) error {
		if n, err := (script{t, c.Disk}).open("e").Write([]byte("1")); n != 0 || err == nil {
			return fmt.Errorf("a write to a full disk that was started again gave %d, %w", n, err)
		}
		return nil
	}}.Test(t)
}

func TestRefusals(t *testing.T) {
	d := &simdisk.Disk{}
	if _, err := d.OpenFile("f", os.O_RDWR|os.O_CREATE|os.O_SYNC, 0o666); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("O_SYNC gave %v", err)
	}
	if err := d.FlipBit("f", 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a bit of no file gave %v", err)
	}
	script{t, d}.put("f", 0, "a")
	if err := d.FlipBit("f", 1); err == nil || !strings.Contains(err.Error(), "there is no byte 1") {
		t.Errorf("a bit after the end gave %v", err)
	}
	for _, err := range []error{d.Remove("."), d.Rename(".", "a"), d.Rename("f", "/")} {
		if !errors.Is(err, syscall.EBUSY) {
			t.Errorf("what the root is not made for gave %v", err)
		}
	}
}

// An exploration of nothing is no green.
func TestNothingToTry(t *testing.T) {
	for name, x := range map[string]simdisk.Crashes{
		"the workload did nothing on its disk": {Workload: func(*simdisk.Disk) error { return nil }, Check: nothingWrong},
		"Workload and Check must be given":     {Workload: bookings(1)},
	} {
		if _, err := x.Explore(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want an error that says %q", err, name)
		}
	}
	d := &simdisk.Disk{}
	if _, err := (simdisk.Crashes{Disk: d, Workload: func(*simdisk.Disk) error { return nil }, Check: nothingWrong}).Explore(); err != nil {
		t.Errorf("a program that starts on a disk of before may do nothing: %v", err)
	}
}
