package teamclient

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// folderOf opens a kata's folder. Nothing outside the clone is reached through it, whatever links say.
func folderOf(k workbook.Kata) (*os.Root, error) {
	clone, err := os.OpenRoot(k.Root)
	if err != nil {
		return nil, err
	}
	defer clone.Close()
	return clone.OpenRoot(filepath.FromSlash("kata/" + k.Name()))
}

// Snapshot reads what the learner's program is built from: the stub and the Go files that the learner added,
// regular files of the kata's folder and no links. Files that are too long are left out, and said.
func Snapshot(k workbook.Kata) (files []team.File, left []string, err error) {
	further, err := k.Further()
	if err != nil {
		return nil, nil, err
	}
	root, err := folderOf(k)
	if err != nil {
		return nil, nil, fmt.Errorf("the code for the team cannot be read: %w", err)
	}
	defer root.Close()
	for _, file := range append([]string{k.Stub()}, further...) {
		name := filepath.Base(file)
		if !IsLearners(k, name) {
			continue
		}
		text, err := readRegular(root, name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, errUnfit), err == nil && len(files) == team.MaxFiles:
			left = append(left, name)
		case err != nil:
			return nil, nil, fmt.Errorf("the code for the team cannot be read: %w", err)
		default:
			files = append(files, team.File{Name: name, Text: text})
		}
	}
	return files, left, nil
}

// errUnfit is of a file that is not sent.
var errUnfit = errors.New("a link, no regular file, or too long")

// readRegular reads a file that is no link and no longer than allowed. What it opens is what it looked at.
func readRegular(root *os.Root, name string) (string, error) {
	looked, err := root.Lstat(name)
	if err != nil {
		return "", err
	}
	if !looked.Mode().IsRegular() || looked.Size() > team.MaxFile {
		return "", errUnfit
	}
	file, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	opened, err := file.Stat()
	if err != nil {
		return "", err
	}
	if !os.SameFile(looked, opened) {
		return "", errUnfit
	}
	text, err := io.ReadAll(io.LimitReader(file, team.MaxFile+1))
	if err == nil && len(text) > team.MaxFile {
		err = errUnfit
	}
	return string(text), err
}

// IsLearners reports whether a name is that of a file which a learner may have in the kata's folder: a plain
// name of a Go file that is none of those which came with the kata.
func IsLearners(k workbook.Kata, name string) bool {
	if path.Base(name) != name || filepath.Base(name) != name || !filepath.IsLocal(name) || len(name) > 100 ||
		!strings.HasSuffix(name, ".go") || strings.ContainsFunc(name, isOdd) || strings.ContainsAny(name[:1], "._-") {
		return false
	}
	shipped := []string{filepath.Base(k.Forwarder()), filepath.Base(k.Tests()), "helpers_test.go"}
	sums, err := k.TestSums()
	_, summed := sums[name]
	// A file system may take names in capitals for the same.
	return err == nil && !summed && !slices.Contains(shipped, strings.ToLower(name))
}

// isOdd reports whether a rune does not belong into the name of a Go file.
func isOdd(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.'
}

// Check reports what is wrong with a pair's state, which another laptop wrote: nothing of it may reach
// beyond the kata's own files.
func Check(k workbook.Kata, state team.State) error {
	if !slices.ContainsFunc(state.Files, func(f team.File) bool { return f.Name == filepath.Base(k.Stub()) }) {
		return errors.New("the pair's last verdict came without the code of this kata, and nothing was changed")
	}
	if len(state.Files) > team.MaxFiles {
		return fmt.Errorf("the pair's code has %d files, and %d are the most", len(state.Files), team.MaxFiles)
	}
	seen := map[string]bool{}
	for _, file := range state.Files {
		lower := strings.ToLower(file.Name)
		switch {
		case !IsLearners(k, file.Name):
			return fmt.Errorf("the pair's code has a file %q, which is none that you may have in kata/%s, and nothing was changed", clean(file.Name, 60), k.Name())
		case len(file.Text) > team.MaxFile:
			return fmt.Errorf("%s of the pair is too long, and nothing was changed", file.Name)
		case seen[lower]:
			return fmt.Errorf("the pair's code has %s twice, and nothing was changed", file.Name)
		}
		seen[lower] = true
	}
	return nil
}

// Write puts a pair's files into the kata's folder, each whole or not at all. It replaces links and does not
// follow them.
func Write(k workbook.Kata, files []team.File) error {
	root, err := folderOf(k)
	if err != nil {
		return fmt.Errorf("the kata's folder cannot be opened: %w", err)
	}
	defer root.Close()
	for _, file := range files {
		if err := replaceIn(root, file); err != nil {
			return fmt.Errorf("%s cannot be written: %w", k.Rel(filepath.Join(k.Dir(), file.Name)), err)
		}
	}
	return nil
}

// replaceIn does in a folder what workbook.Replace does: what it opens is a new file, and so no link.
func replaceIn(root *os.Root, file team.File) error {
	name := ".dojo-take-" + file.Name
	_ = root.Remove(name) // of a take that was cut short; mostly there is none
	temp, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = temp.WriteString(file.Text)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err == nil {
		err = root.Rename(name, file.Name)
	}
	if err != nil {
		return errors.Join(err, root.Remove(name))
	}
	return nil
}
