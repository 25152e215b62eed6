package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// shippedCommand is for the Makefile: tests and lint of the project run on a
// copy that has the stubs as shipped, whatever the learner wrote.
type shippedCommand struct {
	Dir string `arg:"" help:"The folder to make, which is removed first if it is a copy."`
}

// copyMark is a file that says a folder is such a copy.
const copyMark = ".dojo-copy"

// Run copies the clone, with shipped stubs and without the learner's files.
func (c shippedCommand) Run(d *desk) error {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return fmt.Errorf("where is %s: %w", c.Dir, err)
	}
	if err := emptyCopy(dir); err != nil {
		return err
	}
	if err := copyTree(d.book.Root, dir); err != nil {
		return err
	}
	for _, k := range d.book.Here() {
		if err := ship(k, workbook.Kata{Question: k.Question, Root: dir}); err != nil {
			return err
		}
	}
	return nil
}

// emptyCopy makes an empty folder. One that is in the way is removed only if
// it was made here.
func emptyCopy(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		if _, err := os.Stat(filepath.Join(dir, copyMark)); err != nil {
			return fmt.Errorf("%s is in the way, and no copy made by this command: name another folder", dir)
		}
	}
	err := os.RemoveAll(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, copyMark), nil, 0o644)
	}
	if err != nil {
		return fmt.Errorf("making the copy: %w", err)
	}
	return nil
}

// copyTree copies files, but none whose name starts with a dot except the
// linter's settings.
func copyTree(from, to string) error {
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == from {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".golangci.yml" {
			if entry.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if entry.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), text, 0o644)
	})
	if err != nil {
		return fmt.Errorf("copying the clone: %w", err)
	}
	return nil
}

// ship undoes in a copy what the learner did to a kata.
func ship(from, to workbook.Kata) error {
	further, err := from.Further()
	if err != nil {
		return err
	}
	for _, path := range further {
		if err := os.Remove(filepath.Join(to.Dir(), filepath.Base(path))); err != nil {
			return fmt.Errorf("leaving out a file of yours: %w", err)
		}
	}
	stub, err := os.ReadFile(from.ShippedStub())
	if errors.Is(err, os.ErrNotExist) {
		return nil // a kata in the making
	}
	if err != nil {
		return fmt.Errorf("reading the stub as shipped: %w", err)
	}
	return workbook.Replace(to.Stub(), stub)
}
