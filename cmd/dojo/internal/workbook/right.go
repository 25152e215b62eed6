package workbook

import (
	"fmt"
	"path/filepath"
	"slices"
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
	paths, err := filepath.Glob(filepath.Join(k.Solutions(), "right", "*.go.txt"))
	if err != nil {
		return nil, fmt.Errorf("listing right programs: %w", err)
	}
	slices.Sort(paths)
	var all []Right
	for _, path := range paths {
		all = append(all, Right{Path: path, Slug: strings.TrimSuffix(filepath.Base(path), ".go.txt")})
	}
	return all, nil
}
