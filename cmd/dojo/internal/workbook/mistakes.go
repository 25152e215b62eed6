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
	Why      string   // the story; one that is there for its sentence alone has none
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
	return listed(k.MistakesDir(), "*.patch", "mistakes")
}

// listed returns the files of a folder whose names are so, by name. What says in
// an error what they are.
func listed(dir, names, what string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, names))
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", what, err)
	}
	slices.Sort(paths)
	return paths, nil
}

// Mistakes reads all of the kata's mistakes: those that tempt first, which have
// a story, and then those that are there for their sentence alone; each by file
// name.
func (k Kata) Mistakes() ([]Mistake, error) {
	paths, err := k.MistakePaths()
	if err != nil {
		return nil, err
	}
	var tempting, others []Mistake
	for _, path := range paths {
		m, err := k.ReadMistake(path)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: %w", k.Rel(path), err)
		case m.Why != "":
			tempting = append(tempting, m)
		default:
			others = append(others, m)
		}
	}
	return append(tempting, others...), nil
}

// ParseMistake reads a mistake's preface and patch.
func ParseMistake(text string) (Mistake, error) {
	start := strings.Index("\n"+text, "\n--- ")
	if start < 0 {
		return Mistake{}, fmt.Errorf("there is no patch: a line that starts with --- opens it")
	}
	m, err := ParsePreface(text[:start])
	if err != nil {
		return Mistake{}, err
	}
	m.Patch = text[start:]
	return m, m.whole()
}

// ParsePreface reads a mistake's preface, which may lack fields. A line that
// starts with white space continues the one before.
func ParsePreface(text string) (Mistake, error) {
	var m Mistake
	fields := map[string]*string{"Title": &m.Title, "Why": &m.Why, "Caught-by": &m.CaughtBy, "Symptom": &m.Symptom}
	var field *string
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(line, ":")
		switch {
		case strings.TrimSpace(line) == "":
			field = nil
		case field != nil && (line[0] == ' ' || line[0] == '\t'):
			*field = strings.TrimSpace(*field + " " + strings.TrimSpace(line))
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
	m.Breaks = slices.DeleteFunc(m.Breaks, func(sentence string) bool { return sentence == "" })
	return m, nil
}

// whole says what the preface lacks.
func (m Mistake) whole() error {
	for _, field := range []struct{ name, value string }{
		{"Title", m.Title},
		{"Why, nor a sentence that it Breaks", m.Why + strings.Join(m.Breaks, "")},
		{"Caught-by", m.CaughtBy},
		{"Symptom", m.Symptom},
	} {
		if field.value == "" {
			return fmt.Errorf("the preface has no %s", field.name)
		}
	}
	return nil
}

// Text returns the mistake as its file holds it.
func (m Mistake) Text() string { return m.Preface() + "\n" + m.Patch }

// Preface returns what stands above the patch.
func (m Mistake) Preface() string {
	var out strings.Builder
	fmt.Fprintf(&out, "Title: %s\n", m.Title)
	if m.Why != "" {
		fmt.Fprintf(&out, "Why: %s\n", m.Why)
	}
	for _, sentence := range m.Breaks {
		fmt.Fprintf(&out, "Breaks: %s\n", sentence)
	}
	fmt.Fprintf(&out, "Caught-by: %s\nSymptom: %s\n", m.CaughtBy, m.Symptom)
	return out.String()
}

// Likely returns the mistakes that fail as a step did: those that it catches, and
// whose symptom is in what it said.
func Likely(mistakes []Mistake, step, output string) []Mistake {
	var likely []Mistake
	for _, m := range mistakes {
		if m.CaughtBy == step && m.Shows(output) {
			likely = append(likely, m)
		}
	}
	return likely
}

// Shows reports whether a failure has the mistake's symptom.
func (m Mistake) Shows(output string) bool {
	return strings.Contains(oneSpace(output), oneSpace(m.Symptom))
}

// oneSpace makes all white space alike: a table's columns are as wide as what
// stands in them.
func oneSpace(text string) string { return strings.Join(strings.Fields(text), " ") }
