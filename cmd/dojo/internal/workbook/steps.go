package workbook

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Step is one test of a kata, in the order of the file.
type Step struct {
	Name    string // of the test function
	Number  int    // from 1, in the order of the file
	Title   string // the first sentence of its comment
	Doc     string // the whole comment, on one line
	Further bool   // beyond what a green kata needs
}

// Steps reads the kata's steps off its test file.
func (k Kata) Steps() ([]Step, error) {
	file, err := parser.ParseFile(token.NewFileSet(), k.Tests(), nil, parser.ParseComments|parser.SkipObjectResolution)
	if missing(err) {
		return nil, fmt.Errorf("%s is gone, and the steps with it: git checkout -- %s brings it back", k.Rel(k.Tests()), k.Rel(k.Tests()))
	}
	if err != nil {
		return nil, fmt.Errorf("%s does not parse, so its steps cannot be read: %w", k.Rel(k.Tests()), err)
	}
	var steps []Step
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || !isTest(f) {
			continue
		}
		text := strings.Join(strings.Fields(f.Doc.Text()), " ")
		steps = append(steps, Step{
			Name:    f.Name.Name,
			Number:  len(steps) + 1,
			Title:   new(doc.Package).Synopsis(text),
			Doc:     text,
			Further: strings.HasPrefix(f.Name.Name, "TestFurther"),
		})
	}
	return steps, nil
}

// isTest reports whether go test would run f.
func isTest(f *ast.FuncDecl) bool {
	rest, ok := strings.CutPrefix(f.Name.Name, "Test")
	if !ok || f.Recv != nil || rest == "Main" || f.Type.Params.NumFields() != 1 {
		return false
	}
	first, _ := utf8.DecodeRuneInString(rest)
	return rest != "" && !unicode.IsLower(first)
}
