package mutate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// A Spared is a mutant of concurrency that need not be killed.
type Spared struct {
	Equivalent bool   // the same program in other words; else the contract leaves it open
	Name       string // of the mutant
	Reason     string
}

// SparedFile returns the path of the list of mutants to spare, which a kata need
// not have.
func SparedFile(k workbook.Kata) string { return filepath.Join(k.Solutions(), "spared.txt") }

// ReadSpared reads that list. An entry is a line with the verdict and the mutant as
// the command prints it, and below it, indented, the reason.
func ReadSpared(k workbook.Kata) ([]Spared, error) {
	text, err := os.ReadFile(SparedFile(k))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the list of spared mutants cannot be read: %w", err)
	}
	all, err := parseSpared(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.Rel(SparedFile(k)), err)
	}
	return all, nil
}

func parseSpared(text string) ([]Spared, error) {
	var all []Spared
	n := 0
	for line := range strings.Lines(text) {
		n++
		word, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case word == "" || line[0] == '#':
		case line[0] == ' ' || line[0] == '\t':
			if len(all) == 0 {
				return nil, fmt.Errorf("line %d is a reason without a mutant before it", n)
			}
			last := &all[len(all)-1]
			last.Reason = strings.TrimSpace(last.Reason + " " + strings.TrimSpace(line))
		case word == "equivalent" || word == "open":
			all = append(all, Spared{Equivalent: word == "equivalent", Name: strings.TrimSpace(name)})
		default:
			return nil, fmt.Errorf("line %d starts with %q, want equivalent or open and the mutant as dojo mutate prints it", n, word)
		}
	}
	if i := slices.IndexFunc(all, func(s Spared) bool { return s.Reason == "" }); i >= 0 {
		return nil, fmt.Errorf("%q has no reason: an indented line below it", all[i].Name)
	}
	return all, nil
}
