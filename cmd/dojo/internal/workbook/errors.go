package workbook

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
)

// Errors returns the names of the errors that the kata declares, by their words.
func (k Kata) Errors() map[string]string {
	names := map[string]string{}
	file, err := parser.ParseFile(token.NewFileSet(), k.ShippedStub(), nil, parser.SkipObjectResolution)
	if err != nil {
		return names // their words are good enough
	}
	for _, decl := range file.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.VAR {
			continue
		}
		for _, spec := range group.Specs {
			spec, ok := spec.(*ast.ValueSpec)
			if !ok || len(spec.Names) != len(spec.Values) {
				continue
			}
			for i, value := range spec.Values {
				if words, ok := newError(value); ok {
					names[words] = spec.Names[i].Name
				}
			}
		}
	}
	return names
}

// newError returns the words of a call of errors.New.
func newError(value ast.Expr) (string, bool) {
	call, ok := value.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return "", false
	}
	fn, ok := call.Fun.(*ast.SelectorExpr)
	words, isText := call.Args[0].(*ast.BasicLit)
	if !ok || !isText || fn.Sel.Name != "New" {
		return "", false
	}
	text, err := strconv.Unquote(words.Value)
	return text, err == nil
}
