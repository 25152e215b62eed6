package mutate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// A Score is what became of a kata's mutants.
type Score struct {
	Mutants, Killed          int // of concurrency
	Equivalent, Open         int // spared
	Others, OthersKilled     int
	Unlisted, Survivors      []*Mutant // of concurrency, and of the others
	KilledSpared, GoneSpared []string  // entries of the list that are stale
}

// Count counts judged mutants; known are all of the kata.
func Count(judged, known []*Mutant, spared []Spared) Score {
	var s Score
	for _, m := range judged {
		listed := slices.IndexFunc(spared, func(one Spared) bool { return m.Concurrency && one.Name == m.Name })
		switch {
		case !m.Concurrency && m.Killed():
			s.OthersKilled++
		case !m.Concurrency:
			s.Survivors = append(s.Survivors, m)
		case m.Killed():
			s.Killed++
			if listed >= 0 {
				s.KilledSpared = append(s.KilledSpared, m.Name)
			}
		case listed < 0:
			s.Unlisted = append(s.Unlisted, m)
		case spared[listed].Equivalent:
			s.Equivalent++
		default:
			s.Open++
		}
	}
	s.Others = s.OthersKilled + len(s.Survivors)
	s.Mutants = s.Killed + s.Equivalent + s.Open + len(s.Unlisted)
	for _, one := range spared {
		if !slices.ContainsFunc(known, func(m *Mutant) bool { return m.Concurrency && m.Name == one.Name }) {
			s.GoneSpared = append(s.GoneSpared, one.Name)
		}
	}
	return s
}

// Raw is the share of the others that were killed, in percent.
func (s Score) Raw() string {
	if s.Others == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100*float64(s.OthersKilled)/float64(s.Others))
}

// Hash names the reference, steps and helpers of a kata as they are.
func Hash(k workbook.Kata) (string, error) {
	hash := sha256.New()
	for _, path := range []string{k.Reference(), k.Tests(), filepath.Join(k.Dir(), "helpers_test.go")} {
		text, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			return "", fmt.Errorf("reading what the mutants depend on: %w", err)
		}
		fmt.Fprintln(hash, filepath.Base(path), workbook.Sum(text))
	}
	return hex.EncodeToString(hash.Sum(nil))[:12], nil
}

// Table returns the path of the page that has the scores, in a table between marks.
func Table(k workbook.Kata) string { return filepath.Join(k.Root, "docs", "README.md") }

const (
	open = "<!-- mutants -->"
	end  = "<!-- /mutants -->"
	head = "| kata | of concurrency | killed | equivalent | open | not killed | others | killed | taken at |\n" +
		"|---|---|---|---|---|---|---|---|---|\n"
)

func rowStart(k workbook.Kata) string { return "| [" + k.Name() + "]" }

// Record returns the page with the kata's score in the table.
func Record(page string, k workbook.Kata, s Score, hash string) (string, error) {
	before, rest, ok := strings.Cut(page, open)
	inner, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", fmt.Errorf("the marks %s and %s are not there", open, end)
	}
	rows := slices.DeleteFunc(slices.Collect(strings.Lines(inner)), func(row string) bool {
		return !strings.HasPrefix(row, "| [") || strings.HasPrefix(row, rowStart(k))
	})
	rows = append(rows, fmt.Sprintf("%s(../kata/%s) | %d | %d | %d | %d | %d | %d | %s | %s |\n", rowStart(k), k.Name(),
		s.Mutants, s.Killed, s.Equivalent, s.Open, len(s.Unlisted), s.Others, s.Raw(), hash))
	slices.Sort(rows)
	return before + open + "\n" + head + strings.Join(rows, "") + end + after, nil
}

// Stale reports whether the page has a score of the kata's that was taken before
// its reference, steps or helpers changed.
func Stale(k workbook.Kata) bool {
	page, err := os.ReadFile(Table(k))
	if err != nil {
		return false
	}
	hash, err := Hash(k)
	_, row, here := strings.Cut(string(page), "\n"+rowStart(k)+"(../kata/"+k.Name()+") |")
	row, _, _ = strings.Cut(row, "\n")
	return here && err == nil && !strings.HasSuffix(row, " "+hash+" |")
}
