package workbook

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A Right is a whole program that is right and of another design than the
// reference. No step may refuse it.
type Right struct {
	Path string
	Slug string // its file's name without the ending
}

// Right lists the kata's right programs, by file name.
func (k Kata) Right() ([]Right, error) {
	paths, err := listed(filepath.Join(k.Solutions(), "right"), "*.go.txt", "right programs")
	if err != nil {
		return nil, err
	}
	var all []Right
	for _, path := range paths {
		all = append(all, Right{Path: path, Slug: strings.TrimSuffix(filepath.Base(path), ".go.txt")})
	}
	return all, nil
}

// A Mixed is a known mistake written into a right program by hand, as a learner
// with another design than the reference's would make it. The mistake's symptom is
// to name it there too.
type Mixed struct {
	Path    string // of its patch
	Right   string // the slug of the right program
	Mistake string // the slug of the mistake
	Patch   string // against the right program
}

// Mixed lists right/<right program>+<mistake>.patch, by file name.
func (k Kata) Mixed() ([]Mixed, error) {
	paths, err := listed(filepath.Join(k.Solutions(), "right"), "*+*.patch", "mistakes in right programs")
	if err != nil {
		return nil, err
	}
	var all []Mixed
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading a mistake in a right program: %w", err)
		}
		right, mistake, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), ".patch"), "+")
		all = append(all, Mixed{path, right, mistake, string(unixLines(text))})
	}
	return all, nil
}
