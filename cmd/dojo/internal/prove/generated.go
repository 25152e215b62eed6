package prove

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// generated is a file of which all or part is made by prove --fix.
type generated struct {
	path string
	make func(old string) (string, error)
}

// mendAll compares generated files with what they should be, and writes them
// where fix is set.
func mendAll(root string, files []generated, fix bool) ([]Finding, error) {
	var findings []Finding
	for _, g := range files {
		text, err := g.mend(fix)
		rel := filepath.ToSlash(strings.TrimPrefix(g.path, root+string(filepath.Separator)))
		if err != nil {
			return findings, fmt.Errorf("%s: %w", rel, err)
		}
		if text != "" {
			findings = append(findings, Finding{File: rel, Text: text})
		}
	}
	return findings, nil
}

// mend says what is wrong with the file, if something is that was not mended.
func (g generated) mend(fix bool) (string, error) {
	old, err := os.ReadFile(g.path)
	if err != nil && !os.IsNotExist(err) {
		return "", err
	}
	want, err := g.make(string(old))
	switch {
	case err != nil:
		return fmt.Sprintf("it cannot be generated: %v", err), nil
	case want == string(old):
		return "", nil
	case !fix:
		return "it is not current: go tool dojo prove --fix writes it", nil
	}
	return "", workbook.Replace(g.path, []byte(want))
}

// between replaces what stands between <!-- name --> and <!-- /name -->.
func between(text, name, inner string) (string, error) {
	open, end := "<!-- "+name+" -->", "<!-- /"+name+" -->"
	before, rest, ok := strings.Cut(text, open)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", fmt.Errorf("the marks %s and %s are not there", open, end)
	}
	return before + open + "\n" + inner + end + after, nil
}

// testSums lists the checksums of the test files, of what they share with those
// of other katas, and of the packages below the kata's folder, which a learner is
// given too. Files that a learner added to the folder itself are not among them.
func testSums(k workbook.Kata) (string, error) {
	further, err := k.Further()
	if err != nil {
		return "", err
	}
	shared, err := filepath.Glob(filepath.Join(k.Shared(), "*.go"))
	if err != nil {
		return "", err
	}
	shared = slices.DeleteFunc(shared, func(path string) bool { return strings.HasSuffix(path, "_test.go") })
	tests, err := filepath.Glob(filepath.Join(k.Dir(), "*_test.go"))
	if err != nil {
		return "", err
	}
	given, err := filepath.Glob(filepath.Join(k.Dir(), "[^.]*", "*.go"))
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, path := range slices.Concat(shared, tests, given) {
		if slices.Contains(further, path) {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		name, err := filepath.Rel(k.Dir(), path)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "%s  %s\n", workbook.Sum(text), filepath.ToSlash(name))
	}
	return out.String(), nil
}
