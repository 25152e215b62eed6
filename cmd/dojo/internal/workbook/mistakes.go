package workbook

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Mistake is a wrong solution that tempts, as a patch of the reference.
type Mistake struct {
	Path     string // of its file
	Slug     string // its file's name without the ending
	Title    string
	Why      string
	Breaks   []string // sentences of the contract that it does not keep, as they stand there
	CaughtBy string   // the step that it turns red first
	Symptom  string   // words of that failure that no other mistake causes
	Patch    string   // the unified diff
}

// MistakesDir returns the folder of the kata's mistakes.
func (k Kata) MistakesDir() string { return filepath.Join(k.Solutions(), "mistakes") }

// Mistake reads the mistake of that slug.
func (k Kata) Mistake(slug string) (Mistake, error) {
	path := filepath.Join(k.MistakesDir(), slug+".patch")
	m, err := k.ReadMistake(path)
	if err != nil {
		return Mistake{}, fmt.Errorf("%s: %w", k.Rel(path), err)
	}
	return m, nil
}

// ReadMistake reads the mistake in a file. Its error does not name the file.
func (k Kata) ReadMistake(path string) (Mistake, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Mistake{}, fmt.Errorf("it cannot be read: %w", err)
	}
	m, err := ParseMistake(string(unixLines(text)))
	m.Path, m.Slug = path, strings.TrimSuffix(filepath.Base(path), ".patch")
	return m, err
}

// MistakePaths lists the files of the kata's mistakes, by name.
func (k Kata) MistakePaths() ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(k.MistakesDir(), "*.patch"))
	if err != nil {
		return nil, fmt.Errorf("listing mistakes: %w", err)
	}
	slices.Sort(paths)
	return paths, nil
}

// Mistakes reads all of the kata's mistakes, by file name.
func (k Kata) Mistakes() ([]Mistake, error) {
	paths, err := k.MistakePaths()
	if err != nil {
		return nil, err
	}
	var mistakes []Mistake
	for _, path := range paths {
		m, err := k.ReadMistake(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k.Rel(path), err)
		}
		mistakes = append(mistakes, m)
	}
	return mistakes, nil
}

// ParseMistake reads a mistake's preface and patch. A line that starts with
// white space continues the one before.
func ParseMistake(text string) (Mistake, error) {
	start := strings.Index("\n"+text, "\n--- ")
	if start < 0 {
		return Mistake{}, fmt.Errorf("there is no patch: a line that starts with --- opens it")
	}
	m := Mistake{Patch: text[start:]}
	fields := map[string]*string{"Title": &m.Title, "Why": &m.Why, "Caught-by": &m.CaughtBy, "Symptom": &m.Symptom}
	var field *string
	for line := range strings.Lines(text[:start]) {
		name, value, ok := strings.Cut(line, ":")
		switch {
		case strings.TrimSpace(line) == "":
			field = nil
		case field != nil && (line[0] == ' ' || line[0] == '\t'):
			*field += " " + strings.TrimSpace(line)
		case ok && name == "Breaks":
			m.Breaks = append(m.Breaks, strings.TrimSpace(value))
			field = &m.Breaks[len(m.Breaks)-1]
		case ok && fields[name] != nil:
			field = fields[name]
			*field = strings.TrimSpace(value)
		default:
			return Mistake{}, fmt.Errorf("%q is none of Title, Why, Breaks, Caught-by and Symptom", strings.TrimSpace(line))
		}
	}
	for _, name := range []string{"Title", "Why", "Caught-by", "Symptom"} {
		if *fields[name] == "" {
			return Mistake{}, fmt.Errorf("the preface has no %s", name)
		}
	}
	return m, nil
}

// Text returns the mistake as its file holds it.
func (m Mistake) Text() string {
	var breaks strings.Builder
	for _, sentence := range m.Breaks {
		fmt.Fprintf(&breaks, "Breaks: %s\n", sentence)
	}
	return fmt.Sprintf("Title: %s\nWhy: %s\n%sCaught-by: %s\nSymptom: %s\n\n%s", m.Title, m.Why, &breaks, m.CaughtBy, m.Symptom, m.Patch)
}
