package main

import (
	"embed"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

//go:embed template
var templates embed.FS

type newCommand struct {
	Kata string `arg:"" help:"The name of a question in the catalogue that has no kata yet."`
}

// Run makes the files of a kata. It overwrites nothing.
func (c newCommand) Run(d *desk) error {
	k, err := newKata(d.book, c.Kata)
	if err != nil {
		return err
	}
	for _, file := range []struct{ template, path string }{
		{"README.md", k.Readme()},
		{"stub.go", k.Stub()},
		{"stub.go", k.ShippedStub()},
		{"steps_test.go", k.Tests()},
		{"helpers_test.go", filepath.Join(k.Dir(), "helpers_test.go")},
		{"doc.go", filepath.Join(k.Solutions(), "doc.go")},
		{"reference.go", k.Reference()},
		{"mistake.patch", filepath.Join(k.MistakesDir(), "no-lock.patch")},
		{"right.go", filepath.Join(k.Solutions(), "right", "channel.go.txt")},
		{"unheld.txt", k.UnheldPath()},
		{"hints.md", k.HintsFile()},
		{"answer.md", k.Answer()},
	} {
		if err := fill(k, file.template, file.path); err != nil {
			return err
		}
		d.say("made " + k.Rel(file.path))
	}
	d.say("",
		"They are a kata of two steps, which passes; make it yours, in the order of CONTRIBUTING.md.",
		"What is still to do: go tool dojo prove --fix "+k.Name())
	return nil
}

// newKata returns a kata of the catalogue that is not in the clone.
func newKata(book workbook.Book, name string) (workbook.Kata, error) {
	for _, k := range book.Katas() {
		if k.Name() == name && k.Exists() {
			return k, fmt.Errorf("the kata %s is here already: go tool dojo prove %[1]s says what it lacks", name)
		}
		if k.Name() == name {
			return k, nil
		}
	}
	return workbook.Kata{}, fmt.Errorf("the catalogue has no question named %q: kata/catalog.go lists them", name)
}

func fill(k workbook.Kata, template, path string) error {
	text, err := templates.ReadFile("template/" + template + ".txt")
	if err != nil {
		return fmt.Errorf("reading a template: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("making a folder of the kata: %w", err)
	}
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("%s is there already, and was left alone", k.Rel(path))
	}
	words := strings.NewReplacer("NAME", k.Name(), "QUESTION", k.Text, "EXERCISE", k.Exercise, "TRACK", string(k.Track), "LEVEL", strconv.Itoa(k.Level))
	text = []byte(words.Replace(string(text)))
	if strings.HasSuffix(template, ".go") {
		if text, err = format.Source(text); err != nil { // the place of an import depends on the name
			return fmt.Errorf("formatting %s: %w", k.Rel(path), err)
		}
	}
	return workbook.Replace(path, text)
}
