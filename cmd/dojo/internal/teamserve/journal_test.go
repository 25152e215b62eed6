package teamserve

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

func at(n int64) record { return record{Seq: n, Kind: hint, Kata: "idempotency", Step: int(n), N: 1} }

func reopen(t *testing.T, path string) (*journal, []int64) {
	t.Helper()
	var seqs []int64
	j, err := openJournal(path, func(r record, _ span) error { seqs = append(seqs, r.Seq); return nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.file.Close() })
	return j, seqs
}

func TestALineThatWasCutOffIsRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", "session.jsonl")
	j, _ := reopen(t, path)
	var last span
	long := at(3)
	long.Laptop = strings.Repeat("a", 60) // so that what is left of it is longer than what is written over it
	for _, r := range []record{at(1), at(2), long} {
		var err error
		if last, err = j.append(r); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := last.at; cut < int64(len(whole)); cut++ { // the server was killed anywhere in the last line
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		j, seqs := reopen(t, path)
		if len(seqs) != 2 {
			t.Fatalf("cut at %d: %v", cut, seqs)
		}
		where, err := j.append(at(3))
		if err != nil {
			t.Fatal(err)
		}
		if r, err := j.load(where); err != nil || r.Step != 3 {
			t.Fatalf("cut at %d: what was written then reads %v, %v", cut, r, err)
		}
		short, err := json.Marshal(at(3))
		if err != nil {
			t.Fatal(err)
		}
		if now, _ := os.ReadFile(path); string(now) != string(whole[:last.at])+string(short)+"\n" {
			t.Fatalf("cut at %d: the file is\n%s", cut, now)
		}
	}
}

func TestADamagedFileIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "session.jsonl")
	j, _ := reopen(t, path)
	for n := range 3 {
		if _, err := j.append(at(int64(n + 1))); err != nil {
			t.Fatal(err)
		}
	}
	text, _ := os.ReadFile(path)
	text[len(text)/2] = 0
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := openJournal(path, func(record, span) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "line 2 of the session's file is damaged") || !strings.Contains(err.Error(), "--new") {
		t.Errorf("%v", err)
	}
	if now, _ := os.ReadFile(path); !bytes.Equal(now, text) {
		t.Error("it was changed")
	}
}

// A full disk takes a part of what is written, then nothing; or it fails to sync.
type fullDisk struct {
	disk
	room  int // bytes that it takes; -1 for any
	syncs bool
}

func (d *fullDisk) WriteAt(p []byte, at int64) (int, error) {
	if d.room >= 0 && len(p) > d.room {
		n, _ := d.disk.WriteAt(p[:d.room], at)
		return n, syscall.ENOSPC
	}
	return d.disk.WriteAt(p, at)
}

func (d *fullDisk) Sync() error {
	if !d.syncs {
		return syscall.EIO
	}
	return d.disk.Sync()
}

func TestAFullDiskIsSaidAndTheSessionGoesOn(t *testing.T) {
	for name, broken := range map[string]fullDisk{"full": {room: 10, syncs: true}, "cannot sync": {room: -1}} {
		t.Run(name, func(t *testing.T) {
			var said []error
			r := open(t, func(c *Config) { c.Trouble = func(err error) { said = append(said, err) } })
			ada := r.join("Ada")
			ada.shine(redAt(1, "package one\n"))
			cookie := r.browser(r.Code())
			whole := r.journal.file
			r.journal.file = &fullDisk{whole, broken.room, broken.syncs}
			ada.shine(redAt(2, "package two\n"))
			ada.shine(redAt(3, "package three\n"))
			r.expect(cookie, "/", "3/6", "The session goes on in memory, and is lost if the server stops.")
			r.expect(cookie, "/light/5", "package three")
			if len(said) != 1 || said[0] == nil {
				t.Errorf("the terminal was told %v", said)
			}
			kept := func() int {
				text, err := os.ReadFile(r.config.File)
				if err != nil {
					t.Fatal(err)
				}
				return strings.Count(string(text), `"Kind":"verdict"`)
			}
			if n := kept(); n != 1 {
				t.Errorf("the disk holds %d whole verdicts, of which one was synced", n)
			}
			r.journal.file = whole
			ada.shine(redAt(4, "package four\n"))
			if page := r.expect(cookie, "/light/4", "package two"); strings.Contains(page, "in memory") {
				t.Error("the page still says that the disk refuses")
			}
			if len(said) != 2 || said[1] != nil {
				t.Errorf("the terminal was told %v", said)
			}
			if n := kept(); n != 4 {
				t.Errorf("the disk holds %d verdicts of 4", n)
			}
		})
	}
}

func TestWhatNeitherDiskNorMemoryTakesIsNotAcknowledged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "session.jsonl")
	j, _ := reopen(t, path)
	j.file = &fullDisk{j.file, 0, true}
	j.wants = bytes.Repeat([]byte("x"), maxWants)
	if _, err := j.append(at(1)); !errors.Is(err, errDisk) {
		t.Errorf("%v", err)
	}
	if len(j.wants) != maxWants {
		t.Error("it is kept nevertheless")
	}
}

func TestASessionComesBackAsItWas(t *testing.T) {
	clock := newHand()
	file := filepath.Join(t.TempDir(), "session.jsonl")
	r := open(t, func(c *Config) { c.Now, c.File = clock.now, file })
	ada, bo := r.join("Ada"), r.join("Bo")
	if err := r.setPhase(running, 7*minute); err != nil {
		t.Fatal(err)
	}
	clock.move(3 * time.Minute)
	for n := range 5 {
		v := redAt(n+1, "package a\n")
		v.Ago = int64(10 - n)
		ada.shine(v)
	}
	bo.shine(redAt(1, "package b\n"))
	if err := r.setPhase(paused, 0); err != nil {
		t.Fatal(err)
	}
	if err := r.tell(record{Kind: hint, Kata: "idempotency", Step: 2, N: 1}); err != nil {
		t.Fatal(err)
	}
	if status, _ := r.ask("POST", "/api/moment", team.Moment{Number: 100, Note: "here"}, ada.header()...); status != 204 {
		t.Fatal(status)
	}
	if status, _ := r.ask("POST", "/api/leave", nil, bo.header()...); status != 204 {
		t.Fatal(status)
	}
	cookie := r.browser(r.Word())
	var before []string
	paths := []string{"/", "/light/5", "/retrospective", "/facilitate"}
	for _, path := range paths {
		before = append(before, strings.ReplaceAll(r.expect(cookie, path), r.host, "HOST"))
	}
	r.stop()

	again := open(t, func(c *Config) { c.Now, c.File = clock.now, file })
	for i, path := range paths {
		if now := strings.ReplaceAll(again.expect(cookie, path), again.host, "HOST"); now != before[i] {
			t.Errorf("%s is another page:\n%s\nand was\n%s", path, now, before[i])
		}
	}
	ada.room, bo.room = again, again
	ada.shine(redAt(6, "package a\n"))
	if status, _ := bo.send(redAt(1, "")); status != 401 {
		t.Errorf("a laptop that has left sends: %d", status)
	}
	v := redAt(1, "")
	v.Number = 3
	ada.send(v) // a request that was acknowledged before, sent again
	if n := len(again.pairs[0].lights); n != 6 {
		t.Errorf("%d lights", n)
	}
}

func TestTheFileHoldsNoToken(t *testing.T) {
	r := open(t)
	ada := r.join("Ada")
	text, err := os.ReadFile(r.config.File)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte(ada.Token)) {
		t.Error("whoever reads the file can be the laptop")
	}
	info, err := os.Stat(r.config.File)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for line := range bytes.Lines(text) {
		if !json.Valid(line) {
			t.Errorf("no JSON: %s", line)
		}
	}
}
