package simdisk_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/backend-kata/dojo/pkg/simdisk"
)

// Without a crash the disk is to do what the real file system does: the same
// operations have the same results and errors on both. Syncs are left to
// TestHelpersOnBoth, since real ones take their time.
func TestLikeTheRealOne(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the error numbers are those of Linux")
	}
	for seed := range uint64(100) {
		lot := rand.New(rand.NewPCG(seed, 1))
		d := &simdisk.Disk{}
		disk := player{fsys: d}
		host := player{fsys: simdisk.OS, root: t.TempDir()}
		var story []string
		for range 150 {
			m := draw(lot)
			got, want := disk.play(m), host.play(m)
			story = append(story, fmt.Sprintf("%v: %s", m, want))
			if got != want {
				t.Fatalf("seed %d: the disk says %q\n\n%s", seed, got, strings.Join(story, "\n"))
			}
		}
		for i, f := range disk.files {
			if f != nil {
				f.Close()
				host.files[i].Close()
			}
		}
		if used, have := simdisk.Space(d); used != have {
			t.Fatalf("seed %d: the disk counts %d bytes, and its files have %d\n\n%s", seed, used, have, strings.Join(story, "\n"))
		}
		if got, want := disk.tree("."), host.tree("."); got != want {
			t.Fatalf("seed %d: the disk has %s, and the real one %s\n\n%s", seed, got, want, strings.Join(story, "\n"))
		}
	}
}

// A move is one operation, by name and arguments.
type move struct {
	what     string
	a, b     string
	file     int
	n, flags int
}

var moves = []string{
	"open", "open", "open", "mkdir", "rename", "rename", "remove", "readdir", "stat", "write", "write", "writeat",
	"read", "readat", "seek", "truncate", "fstat", "close",
}

var flags = []int{
	os.O_RDONLY, os.O_RDWR | os.O_CREATE, os.O_RDWR | os.O_CREATE, os.O_WRONLY | os.O_CREATE | os.O_APPEND,
	os.O_RDWR | os.O_TRUNC, os.O_RDWR | os.O_CREATE | os.O_EXCL, os.O_WRONLY, os.O_RDWR | os.O_APPEND, os.O_RDONLY | os.O_CREATE,
}

func draw(lot *rand.Rand) move {
	names := []string{"a", "b", "d", "d/a", "d/b", "d/e", "d/e/f", "a/x", "nowhere/x", "."}
	name := func() string { return names[lot.IntN(len(names))] }
	return move{moves[lot.IntN(len(moves))], name(), name(), lot.IntN(4), lot.IntN(40) - 4, flags[lot.IntN(len(flags))]}
}

// A player plays moves on a file system. It has four places for open files.
type player struct {
	fsys  simdisk.FS
	root  string
	files [4]simdisk.File
}

func (p *player) play(m move) string {
	a, b := p.path(m.a), p.path(m.b)
	switch m.what {
	case "open":
		f, err := p.fsys.OpenFile(a, m.flags, 0o644)
		if err != nil {
			return answer(err)
		}
		if old := p.files[m.file]; old != nil {
			old.Close()
		}
		p.files[m.file] = f
		return "opened"
	case "mkdir":
		return answer(p.fsys.MkdirAll(a, 0o755))
	case "rename":
		if m.a == "." || m.b == "." {
			return "not tried"
		}
		return answer(p.fsys.Rename(a, b))
	case "remove":
		if m.a == "." {
			return "not tried" // the root has another name in the real one
		}
		return answer(p.fsys.Remove(a))
	case "readdir":
		entries, err := p.fsys.ReadDir(a)
		names := []string{}
		for _, e := range entries {
			names = append(names, fmt.Sprint(e.Name(), e.IsDir()))
		}
		return answer(err, names)
	case "stat":
		info, err := p.fsys.Stat(a)
		return answer(err, about(info, m.a))
	}
	f := p.files[m.file]
	if f == nil {
		return "no file"
	}
	return p.playFile(f, m)
}

func (p *player) playFile(f simdisk.File, m move) string {
	data := []byte(strings.Repeat(fmt.Sprint(m.n%10), max(m.n, 0)))
	switch m.what {
	case "write":
		n, err := f.Write(data)
		return answer(err, n)
	case "writeat":
		n, err := f.WriteAt(data, int64(m.n))
		return answer(err, n)
	case "read":
		n, err := f.Read(data)
		return answer(err, n, data)
	case "readat":
		n, err := f.ReadAt(data, int64(m.n))
		return answer(err, n, data)
	case "seek":
		if info, err := f.Stat(); err == nil && info.IsDir() {
			return "not tried" // what a folder's offsets are is up to the file system
		}
		n, err := f.Seek(int64(m.n), m.n&3%3)
		return answer(err, n)
	case "truncate":
		return answer(f.Truncate(int64(m.n)))
	case "fstat":
		info, err := f.Stat()
		return answer(err, about(info, ""))
	default:
		return answer(f.Close())
	}
}

func (p *player) path(name string) string {
	if p.root == "" {
		return name
	}
	return filepath.Join(p.root, name)
}

func about(info fs.FileInfo, name string) string {
	switch {
	case info == nil:
		return ""
	case info.IsDir() && name == ".":
		return "root"
	case info.IsDir():
		return fmt.Sprint("folder ", info.IsDir(), info.Mode()&fs.ModeDir)
	default:
		return fmt.Sprint(info.Name(), info.Size(), info.Mode().IsRegular())
	}
}

// answer puts results and the error into words, without the file's name.
func answer(err error, results ...any) string {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case err == nil:
		return fmt.Sprint(results...)
	case errors.As(err, &path):
		return fmt.Sprint(path.Op, ": ", path.Err, number(err), results)
	case errors.As(err, &link):
		return fmt.Sprint(link.Op, ": ", link.Err, number(err))
	default:
		return fmt.Sprint(err, results)
	}
}

func number(err error) syscall.Errno {
	var errno syscall.Errno
	errors.As(err, &errno)
	return errno
}

// tree is all names and contents below a folder.
func (p *player) tree(name string) string {
	entries, err := p.fsys.ReadDir(p.path(name))
	if err != nil {
		return answer(err)
	}
	var b strings.Builder
	for _, e := range entries {
		full := filepath.Join(name, e.Name())
		if e.IsDir() {
			fmt.Fprintf(&b, "%s(%s) ", e.Name(), p.tree(full))
			continue
		}
		data, err := simdisk.ReadFile(p.fsys, p.path(full))
		fmt.Fprintf(&b, "%s=%q %v ", e.Name(), data, err)
	}
	return b.String()
}

// What Create, ReadFile and SyncDir do, they do on both.
func TestHelpersOnBoth(t *testing.T) {
	for name, fsys := range map[string]simdisk.FS{"real": simdisk.OS, "disk": &simdisk.Disk{}} {
		dir := "store"
		if name == "real" {
			dir = filepath.Join(t.TempDir(), "store")
		}
		if err := fsys.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(name, err)
		}
		f, err := simdisk.Create(fsys, filepath.Join(dir, "a"))
		if err != nil {
			t.Fatal(name, err)
		}
		_, err = io.WriteString(f, "hello")
		if err := errors.Join(err, f.Sync(), f.Close(), simdisk.SyncDir(fsys, dir)); err != nil {
			t.Fatal(name, err)
		}
		if err := f.Sync(); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%s: Sync of a closed file gave %v", name, err)
		}
		data, err := simdisk.ReadFile(fsys, filepath.Join(dir, "a"))
		if err != nil || string(data) != "hello" {
			t.Errorf("%s: ReadFile gave %q and %v", name, data, err)
		}
		if _, err := simdisk.ReadFile(fsys, filepath.Join(dir, "b")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: ReadFile of nothing gave %v", name, err)
		}
		if err := simdisk.SyncDir(fsys, filepath.Join(dir, "b")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: SyncDir of nothing gave %v", name, err)
		}
	}
}
