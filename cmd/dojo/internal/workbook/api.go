package workbook

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strings"
)

// API returns what a Go file exports: each declaration as text, without
// comments, bodies and what is not exported, by its name.
func API(path string, text []byte) (map[string]string, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("does not parse: %w", err)
	}
	ast.FileExports(file)
	api := map[string]string{}
	for _, decl := range file.Decls {
		for name, node := range declarations(decl) {
			var out bytes.Buffer
			if err := format.Node(&out, files, node); err != nil {
				return nil, fmt.Errorf("printing %s: %w", name, err)
			}
			text := strings.Join(strings.Fields(out.String()), " ")
			api[name] = strings.ReplaceAll(text, unexported, "{}")
		}
	}
	return api, nil
}

// unexported is what go/ast leaves in place of fields that are not exported.
const unexported = " { // contains filtered or unexported fields }"

// declarations takes a declaration apart, so that grouping makes no
// difference.
func declarations(decl ast.Decl) map[string]ast.Node {
	nodes := map[string]ast.Node{}
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		name := decl.Name.Name
		decl.Body = nil
		if decl.Recv != nil {
			if !ast.IsExported(receiver(decl.Recv.List[0].Type)) {
				return nil // a method of what nobody can name is no API
			}
			name = receiver(decl.Recv.List[0].Type) + "." + name
			decl.Recv.List[0].Names = nil // what the method calls itself is its own affair
		}
		nodes[name] = decl
	case *ast.GenDecl:
		if decl.Tok == token.IMPORT {
			return nil
		}
		for _, spec := range decl.Specs {
			single := &ast.GenDecl{Tok: decl.Tok, Specs: []ast.Spec{spec}}
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				nodes[spec.Name.Name] = single
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					nodes[name.Name] = single
				}
			}
		}
	}
	return nodes
}

func receiver(expr ast.Expr) string {
	switch expr := expr.(type) {
	case *ast.StarExpr:
		return receiver(expr.X)
	case *ast.IndexExpr:
		return receiver(expr.X)
	case *ast.IndexListExpr:
		return receiver(expr.X)
	case *ast.Ident:
		return expr.Name
	}
	return "?"
}

// Differences lists in words what one API has and the other has not, or has
// otherwise.
func Differences(want, got map[string]string) []string {
	names := maps.Clone(want)
	maps.Copy(names, got)
	var all []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		switch {
		case got[name] == "":
			all = append(all, fmt.Sprintf("%s is gone: %s", name, want[name]))
		case want[name] == "":
			all = append(all, fmt.Sprintf("%s is new: %s", name, got[name]))
		case got[name] != want[name]:
			all = append(all, fmt.Sprintf("%s was: %s", name, want[name]), fmt.Sprintf("%*s is: %s", len(name), "", got[name]))
		}
	}
	return all
}
