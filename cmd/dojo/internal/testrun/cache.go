package testrun

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// The go command remembers green verdicts and never red ones, and a learner's
// are mostly red. So both are kept here, under a hash of all that the test
// binary is built from. Nothing breaks where they cannot be kept.

// key hashes what the verdict depends on, or returns nothing where a file
// cannot be read.
func (t *Toolchain) key(k workbook.Kata, race bool) string {
	hash := sha256.New()
	fmt.Fprintln(hash, k.Name(), race, t.Root, runtime.Version(), guardText, MemoryLimit, StepLimit)
	for _, name := range steering {
		fmt.Fprintln(hash, os.Getenv(name))
	}
	code := func(path string) bool { return !strings.HasSuffix(path, ".md") && !strings.HasSuffix(path, ".patch") }
	if err := t.HashSources(hash, code, k.Dir(), k.Solutions()); err != nil {
		return ""
	}
	return hex.EncodeToString(hash.Sum(nil))
}

func (t *Toolchain) verdictPath(key string) string {
	return filepath.Join(t.Cache, "verdicts", key+".json")
}

// recall finds the verdict of an earlier run of the same files. One that a time limit
// decided is found only by those who do not mean to wait for another: the machine may
// have been busy.
func (t *Toolchain) recall(key string, v *Verdict, overdue bool) bool {
	text, err := os.ReadFile(t.verdictPath(key))
	if key == "" || err != nil {
		return false
	}
	var old Verdict
	if json.Unmarshal(text, &old) != nil || len(old.Steps) != len(v.Steps) {
		return false
	}
	if !overdue && slices.ContainsFunc(old.Steps, func(s StepVerdict) bool { return s.Overdue }) {
		return false
	}
	old.Guessed = true
	*v = old
	return true
}

// Recall returns the verdict of an earlier run of the same files, if there
// was one.
func (t *Toolchain) Recall(k workbook.Kata, race bool) (Verdict, bool) {
	steps, err := k.Steps()
	v := Verdict{Steps: make([]StepVerdict, len(steps))}
	return v, err == nil && t.recall(t.key(k, race), &v, false)
}

// Forget drops the verdicts of the files as they are, so that they are judged
// again.
func (t *Toolchain) Forget(k workbook.Kata) {
	for _, race := range []bool{false, true} {
		_ = os.Remove(t.verdictPath(t.key(k, race))) // there may be none
	}
}

// keep stores a verdict.
func (t *Toolchain) keep(key string, v Verdict) {
	text, err := json.Marshal(v)
	path := t.verdictPath(key)
	if key == "" || err != nil || os.MkdirAll(filepath.Dir(path), 0o755) != nil {
		return
	}
	_ = workbook.Replace(path, text) // a verdict not kept is found again
}

// Tidy removes what is too old to be asked for again.
func (t *Toolchain) Tidy() {
	const day = 24 * time.Hour
	for pattern, age := range map[string]time.Duration{
		"verdicts/*.json": 30 * day, "proofs/*.json": 30 * day, "recipes/*.json": 5 * day, "build-*": day,
	} {
		paths, _ := filepath.Glob(filepath.Join(t.Cache, filepath.FromSlash(pattern))) // only a bad pattern fails
		for _, path := range paths {
			if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > age {
				_ = os.RemoveAll(path) // another run may have been quicker
			}
		}
	}
}
