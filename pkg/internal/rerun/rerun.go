// Package rerun writes how a failed test is run again.
package rerun

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Command is the command that runs just the test of that name, from the root of its module.
func Command(name string) string { return "go test" + only(name) }

// WithRace is [Command] for a failure that only the race detector sees.
func WithRace(name string) string { return "go test -race" + only(name) }

func only(name string) string { return " -run '" + pattern(name) + "' " + folder }

func pattern(name string) string {
	return "^" + strings.ReplaceAll(regexp.QuoteMeta(name), "/", "$/^") + "$"
}

// folder is that of the package under test, in which its tests are started. It is looked up before one of them can go
// elsewhere.
var folder = fromRoot()

// fromRoot returns the working directory as the go command takes it in the module's root, or the dot that is right where
// the test is.
func fromRoot() string {
	here, err := os.Getwd()
	if err != nil {
		return "."
	}
	for root := here; ; root = filepath.Dir(root) {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			rel, err := filepath.Rel(root, here)
			if err != nil || rel == "." {
				return "."
			}
			return "./" + filepath.ToSlash(rel)
		}
		if root == filepath.Dir(root) {
			return "."
		}
	}
}
