package testrun

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
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
	fmt.Fprintln(hash, k.Name(), race, runtime.Version(), guardText, MemoryLimit, StepLimit)
	err := hashFile(hash, filepath.Join(t.Root, "go.mod"))
	for _, dir := range []string{k.Dir(), k.Solutions(), filepath.Join(t.Root, "pkg"), k.Shared()} {
		if err != nil {
			return ""
		}
		err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.HasSuffix(path, ".md") || strings.HasSuffix(path, ".patch") {
				return err
			}
			return hashFile(hash, path)
		})
		if os.IsNotExist(err) {
			err = nil
		}
	}
	if err != nil {
		return ""
	}
	return hex.EncodeToString(hash.Sum(nil))
}

func hashFile(hash io.Writer, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	fmt.Fprintln(hash, path, len(text))
	_, err = hash.Write(text)
	return err
}

func (t *Toolchain) verdictPath(key string) string {
	return filepath.Join(t.Cache, "verdicts", key+".json")
}

// recall finds the verdict of an earlier run of the same files.
func (t *Toolchain) recall(key string, v *Verdict) bool {
	text, err := os.ReadFile(t.verdictPath(key))
	if key == "" || err != nil {
		return false
	}
	var old Verdict
	if json.Unmarshal(text, &old) != nil || len(old.Steps) != len(v.Steps) {
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
	return v, err == nil && t.recall(t.key(k, race), &v)
}

// keep stores a verdict. A verdict that a time limit decided is not kept: the
// machine may have been busy.
func (t *Toolchain) keep(key string, v Verdict) {
	for _, s := range v.Steps {
		if strings.Contains(s.Output, "dojo guard: stuck") {
			return
		}
	}
	text, err := json.Marshal(v)
	path := t.verdictPath(key)
	if key == "" || err != nil || os.MkdirAll(filepath.Dir(path), 0o755) != nil {
		return
	}
	_ = workbook.Replace(path, text) // a verdict not kept is found again
}

// Tidy removes what is too old to be asked for again.
func (t *Toolchain) Tidy() {
	for pattern, age := range map[string]time.Duration{"verdicts/*.json": 30 * 24 * time.Hour, "recipes/*.json": 5 * 24 * time.Hour, "build-*": 24 * time.Hour} {
		paths, _ := filepath.Glob(filepath.Join(t.Cache, filepath.FromSlash(pattern))) // only a bad pattern fails
		for _, path := range paths {
			if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > age {
				_ = os.RemoveAll(path) // another run may have been quicker
			}
		}
	}
}
