package testrun

import (
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// ours finds the packages of this module that a file imports. Programs that are
// no Go files yet, patches among them, name them as others do.
var ours = regexp.MustCompile(`"github\.com/backend-kata/dojo/([\w/]+)"`)

// HashSources hashes what the code in dirs is built from: of the files in dirs
// those that keep wants; of the packages of this clone that any of them names, at
// first or second hand, all but the tests; and go.mod and go.sum, which fix all
// else. Clones in different folders with the same files have the same hash.
func (t *Toolchain) HashSources(h hash.Hash, keep func(path string) bool, dirs ...string) error {
	given := len(dirs)
	dirs = append(slices.Clone(dirs), filepath.Join(t.Root, "go.mod"), filepath.Join(t.Root, "go.sum"))
	for n := 0; n < len(dirs); n++ { // more are found on the way
		linked := n >= given
		paths, err := filesIn(dirs[n], !linked)
		if err != nil {
			return err
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, m := range ours.FindAllSubmatch(text, -1) {
				if dir := filepath.Join(t.Root, filepath.FromSlash(string(m[1]))); !slices.Contains(dirs, dir) {
					dirs = append(dirs, dir)
				}
			}
			if linked || keep(path) {
				name := filepath.ToSlash(strings.TrimPrefix(path, t.Root))
				fmt.Fprintln(h, name, len(text))
				_, _ = h.Write(text) // a hash takes all
			}
		}
	}
	return nil
}

// filesIn lists the files in a folder and those below it, with or without tests.
// It takes a single file too, and finds none where there is nothing.
func filesIn(dir string, tests bool) ([]string, error) {
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		return nil, nil
	}
	var paths []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && (tests || !strings.HasSuffix(path, "_test.go")) {
			paths = append(paths, path)
		}
		return err
	})
	return paths, err
}
