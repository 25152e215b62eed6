// Package workbook reads a clone of the dojo: which katas there are, their
// steps, hints and mistakes, and what the learner changed. It runs nothing.
package workbook

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/backend-kata/dojo/kata"
)

// A Book is a clone of the dojo.
type Book struct {
	Root string // absolute
}

// Open finds the clone that holds dir: the nearest folder upwards with a
// go.mod and a kata/catalog.go.
func Open(dir string) (Book, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Book{}, fmt.Errorf("where is this folder: %w", err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		if isFile(filepath.Join(at, "go.mod")) && isFile(filepath.Join(at, "kata", "catalog.go")) {
			return Book{Root: at}, nil
		}
		if at == filepath.Dir(at) {
			return Book{}, fmt.Errorf("%s is not inside a clone of the dojo: change to the folder you cloned and try again", dir)
		}
	}
}

// Katas returns all 43 in the deck's order, those not written yet included.
func (b Book) Katas() []Kata {
	var katas []Kata
	for _, q := range kata.Questions() {
		katas = append(katas, Kata{Question: q, Root: b.Root})
	}
	return katas
}

// Here returns the katas that exist in this clone, in the deck's order.
func (b Book) Here() []Kata {
	return slices.DeleteFunc(b.Katas(), func(k Kata) bool { return !k.Exists() })
}

// Path returns the katas that exist in the order in which a newcomer meets
// them.
func (b Book) Path() []Kata {
	katas := b.Here()
	slices.SortFunc(katas, func(x, y Kata) int { return x.Path - y.Path })
	return katas
}

// Deck returns the path of the cards of all answer pages.
func (b Book) Deck() string { return filepath.Join(b.Root, "docs", "deck.tsv") }

// Holding returns the kata whose exercise or reference is in dir or around it.
func (b Book) Holding(dir string) (Kata, bool) {
	for _, k := range b.Here() {
		for _, own := range []string{k.Dir(), k.Solutions()} {
			if rel, err := filepath.Rel(own, dir); err == nil && filepath.IsLocal(rel) {
				return k, true
			}
		}
	}
	return Kata{}, false
}

// Kata returns the kata of that name or of that question's number. Its error
// names the nearest one.
func (b Book) Kata(name string) (Kata, error) {
	name = strings.Trim(filepath.ToSlash(name), "./")
	name = strings.TrimPrefix(name, "kata/")
	number, err := strconv.Atoi(name)
	isNumber := err == nil
	var names []string
	for _, k := range b.Katas() {
		if isNumber && k.Number == number {
			name = k.Name()
		}
		switch {
		case k.Name() != name && k.Exists():
			names = append(names, k.Name())
		case k.Name() != name:
		case !k.Exists():
			return Kata{}, fmt.Errorf("the kata %s is not written yet: go tool dojo lists those that are here", name)
		default:
			return k, nil
		}
	}
	if isNumber {
		return Kata{}, fmt.Errorf("there is no question %d: they go from 1 to %d", number, len(b.Katas()))
	}
	if near := nearest(name, names); near != "" {
		return Kata{}, fmt.Errorf("there is no kata %q: did you mean %s?", name, near)
	}
	return Kata{}, fmt.Errorf("there is no kata %q: go tool dojo lists those that are here", name)
}

// A Kata is one question's exercise. Its methods read the file system at each
// call, since the learner edits while they run.
type Kata struct {
	kata.Question
	Root string // of the clone
}

// Name returns the kata's name, which is that of its folders.
func (k Kata) Name() string { return k.Folder }

// Dir returns the folder the learner works in.
func (k Kata) Dir() string { return filepath.Join(k.Root, "kata", k.Folder) }

// Solutions returns the folder of the reference.
func (k Kata) Solutions() string { return filepath.Join(k.Root, "solutions", k.Folder) }

// Stub returns the path of the file the learner edits.
func (k Kata) Stub() string { return filepath.Join(k.Dir(), k.Folder+".go") }

// ShippedStub returns the path of the stub as it was shipped.
func (k Kata) ShippedStub() string { return filepath.Join(k.Solutions(), "stub.go.txt") }

// Forwarder returns the path of the file that stands in for the stub under
// the tag solutions.
func (k Kata) Forwarder() string { return filepath.Join(k.Dir(), "solution.go") }

// Tests returns the path of the steps.
func (k Kata) Tests() string { return filepath.Join(k.Dir(), k.Folder+"_test.go") }

// Shared returns the folder of what the steps of all katas share.
func (k Kata) Shared() string { return filepath.Join(k.Root, "kata", "internal", "step") }

// Readme returns the path of the exercise's text.
func (k Kata) Readme() string { return filepath.Join(k.Dir(), "README.md") }

// Reference returns the path of the reference solution.
func (k Kata) Reference() string { return filepath.Join(k.Solutions(), k.Folder+".go") }

// Answer returns the path of the answer page.
func (k Kata) Answer() string { return filepath.Join(k.Root, "docs", k.Folder+".md") }

// Package returns the import path of the kata.
func (k Kata) Package() string { return "github.com/backend-kata/dojo/kata/" + k.Folder }

// Rel returns path as seen from the clone's root, with forward slashes.
func (k Kata) Rel(path string) string {
	rel, err := filepath.Rel(k.Root, path)
	if err != nil {
		return path
	}
	return filepath.ToSlash(rel)
}

// Exists reports whether the kata is in this clone, whole or not. A learner
// who deletes a file of it does not make it vanish.
func (k Kata) Exists() bool {
	return isDir(k.Dir()) || isDir(k.Solutions())
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// missing reports whether err says that a file is not there.
func missing(err error) bool { return errors.Is(err, os.ErrNotExist) }
