package workbook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"go/build/constraint"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// BuildLine is what each further file of the learner starts with, so that it
// stays out of the way of the reference.
const BuildLine = "//go:build !solutions"

// Started reports whether the learner changed the stub or added a file.
func (k Kata) Started() bool {
	mine, err := os.ReadFile(k.Stub())
	shipped, shippedErr := os.ReadFile(k.ShippedStub())
	if err != nil || shippedErr != nil {
		return true
	}
	further, err := k.Further()
	return err != nil || len(further) > 0 || !bytes.Equal(unixLines(mine), unixLines(shipped))
}

// Edited returns when the learner last saved a file of the kata.
func (k Kata) Edited() time.Time {
	var last time.Time
	further, _ := k.Further() // what cannot be listed was not edited
	for _, path := range append(further, k.Stub()) {
		if info, err := os.Stat(path); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last
}

// Further returns the Go files that the learner added to the kata's folder.
func (k Kata) Further() ([]string, error) {
	sums, err := k.TestSums()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(k.Dir())
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the kata's folder: %w", err)
	}
	shipped := []string{filepath.Base(k.Stub()), filepath.Base(k.Forwarder()), filepath.Base(k.Tests()), "helpers_test.go"}
	var further []string
	for _, entry := range entries {
		name := entry.Name()
		_, summed := sums[name]
		if strings.HasSuffix(name, ".go") && !entry.IsDir() && !summed && !slices.Contains(shipped, name) {
			further = append(further, filepath.Join(k.Dir(), name))
		}
	}
	return further, nil
}

// Untagged returns those of the learner's files that would be built together
// with the reference, and break it.
func (k Kata) Untagged() ([]string, error) {
	further, err := k.Further()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(append(further, k.Stub()), func(path string) bool {
		text, err := os.ReadFile(path)
		return err != nil || leavesSolutions(string(text))
	}), nil
}

// leavesSolutions reports whether the file's build line keeps it out of a
// build with the tag solutions.
func leavesSolutions(text string) bool {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if constraint.IsGoBuild(line) {
			expr, err := constraint.Parse(line)
			return err == nil && !expr.Eval(func(string) bool { return true })
		}
		if strings.HasPrefix(line, "package ") {
			break
		}
	}
	return false
}

// Tag puts the build line at the top of each of the learner's files that
// lacks it, and returns their paths.
func (k Kata) Tag() ([]string, error) {
	untagged, err := k.Untagged()
	if err != nil {
		return nil, err
	}
	for _, path := range untagged {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading a file of yours: %w", err)
		}
		if err := Replace(path, append([]byte(BuildLine+"\n\n"), text...)); err != nil {
			return nil, err
		}
	}
	return untagged, nil
}

// Replace writes a file whole or not at all: a full disk leaves the old one.
func Replace(path string, text []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".dojo-*")
	if err != nil {
		return fmt.Errorf("cannot write beside %s: %w", path, err)
	}
	_, err = temp.Write(text)
	err = errors.Join(err, temp.Sync(), temp.Chmod(0o644), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cannot write %s, which is as it was: %w", path, err), os.Remove(temp.Name()))
	}
	return nil
}

// Sums returns the path of the checksums of the test files as shipped.
func (k Kata) Sums() string { return filepath.Join(k.Solutions(), "tests.sum") }

// TestSums reads the checksums of the test files as shipped, and of what the
// steps share, by path seen from the kata's folder.
// It is empty for a kata that has none yet.
func (k Kata) TestSums() (map[string]string, error) {
	text, err := os.ReadFile(k.Sums())
	sums := map[string]string{}
	if missing(err) {
		return sums, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading checksums: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			return nil, fmt.Errorf("%s: %q is not a checksum and a file name", k.Rel(k.Sums()), strings.TrimSpace(line))
		}
		sums[name] = sum
	}
	return sums, nil
}

// Changed returns the shipped test files that are gone, and those that are
// not as shipped, seen from the clone's root.
func (k Kata) Changed() (gone, edited []string, err error) {
	sums, err := k.TestSums()
	if err != nil {
		return nil, nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		path := filepath.Join(k.Dir(), filepath.FromSlash(name))
		text, err := os.ReadFile(path)
		switch {
		case missing(err):
			gone = append(gone, k.Rel(path))
		case err != nil:
			return nil, nil, fmt.Errorf("reading a test file: %w", err)
		case Sum(text) != sums[name]:
			edited = append(edited, k.Rel(path))
		}
	}
	return gone, edited, nil
}

// Sum returns the checksum of a text file, the same whether its lines end as
// they do on Unix or as they do on Windows.
func Sum(text []byte) string {
	sum := sha256.Sum256(unixLines(text))
	return hex.EncodeToString(sum[:])
}

func unixLines(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")) }
