package variants

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/scanner"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
)

// An outline is what a source declares.
type outline struct {
	files   *token.FileSet
	src     string
	file    *ast.File
	imports map[string]string        // name to path, as quoted
	funcs   map[string]*ast.FuncDecl // by receiver and name
	others  map[string]*ast.GenDecl  // by their tokens
	idents  map[string]bool          // every name in the source
}

func newOutline(files *token.FileSet, src string, file *ast.File) *outline {
	o := &outline{
		files: files, src: src, file: file, imports: map[string]string{},
		funcs: map[string]*ast.FuncDecl{}, others: map[string]*ast.GenDecl{}, idents: map[string]bool{},
	}
	for _, spec := range file.Imports {
		o.imports[importName(spec)] = spec.Path.Value
	}
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			o.funcs[FuncName(decl)] = decl
		case *ast.GenDecl:
			if decl.Tok != token.IMPORT {
				o.others[o.tokens(decl.Pos(), decl.End())] = decl
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			o.idents[id.Name] = true
		}
		return true
	})
	return o
}

// importName is the name by which a file knows an import. Several blank ones
// are told apart by their paths.
func importName(spec *ast.ImportSpec) string {
	whole, err := strconv.Unquote(spec.Path.Value)
	switch {
	case err != nil:
		return spec.Path.Value
	case spec.Name == nil:
		return path.Base(whole)
	case spec.Name.Name == "_":
		return "_ " + whole
	}
	return spec.Name.Name
}

func spec(name, path string) string {
	if strings.HasPrefix(name, "_ ") {
		return "_ " + path
	}
	return name + " " + path
}

// FuncName names a function as in Deposit, or (*Account).Deposit.
func FuncName(decl *ast.FuncDecl) string {
	if decl.Recv == nil || len(decl.Recv.List) == 0 {
		return decl.Name.Name
	}
	typ, star := decl.Recv.List[0].Type, ""
	if pointer, ok := typ.(*ast.StarExpr); ok {
		typ, star = pointer.X, "*"
	}
	switch generic := typ.(type) {
	case *ast.IndexExpr:
		typ = generic.X
	case *ast.IndexListExpr:
		typ = generic.X
	}
	name := fmt.Sprint(typ)
	if star != "" {
		name = "(*" + name + ")"
	}
	return name + "." + decl.Name.Name
}

func (o *outline) offset(pos token.Pos) int { return o.files.PositionFor(pos, false).Offset }

// text returns a declaration without its comment.
func (o *outline) text(decl ast.Decl) string { return o.src[o.offset(decl.Pos()):o.offset(decl.End())] }

// placed returns a text that stands where decl does, for the end of another file.
func (o *outline) placed(decl ast.Decl, text string) string {
	at := o.files.PositionFor(decl.Pos(), false)
	return fmt.Sprintf("\n//line %s:%d\n%s\n", at.Filename, at.Line, text)
}

// tokens returns code without its comments and spaces.
func (o *outline) tokens(from, to token.Pos) string {
	src := []byte(o.src[o.offset(from):o.offset(to)])
	var s scanner.Scanner
	s.Init(token.NewFileSet().AddFile("", -1, len(src)), src, nil, 0)
	var out strings.Builder
	for {
		_, tok, literal := s.Scan()
		switch {
		case tok == token.EOF:
			return out.String()
		case tok == token.SEMICOLON:
			literal = ";" // written, or a new line
		case literal == "":
			literal = tok.String()
		}
		out.WriteString(literal + " ")
	}
}

// directives are the lines of a comment that speak to the compiler.
func directives(comment *ast.CommentGroup) string {
	var lines []string
	if comment != nil {
		for _, c := range comment.List {
			if strings.HasPrefix(c.Text, "//go:") {
				lines = append(lines, c.Text)
			}
		}
	}
	return strings.Join(lines, "\n")
}

// constraints are the directives before the package clause.
func (o *outline) constraints() string {
	var lines []string
	for _, group := range o.file.Comments {
		if group.Pos() < o.file.Package {
			lines = append(lines, directives(group))
		}
	}
	return strings.Join(lines, "\n")
}

// afterImports is the offset of the end of the last import, or of the package
// clause.
func (o *outline) afterImports() int {
	end := o.file.Name.End()
	for _, decl := range o.file.Decls {
		if general, ok := decl.(*ast.GenDecl); ok && general.Tok == token.IMPORT {
			end = general.End()
		}
	}
	return o.offset(end)
}

// declared returns the names that a declaration declares, blank ones left out.
func declared(decl *ast.GenDecl) []string {
	var names []string
	for _, spec := range decl.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			names = append(names, spec.Name.Name)
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				names = append(names, name.Name)
			}
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "_" })
}

// An Edit replaces the bytes from Start to End.
type Edit struct {
	Start, End int
	Text       string
}

// Apply makes edits, which do not overlap, to a source.
func Apply(src string, edits []Edit) string {
	edits = slices.SortedStableFunc(slices.Values(edits), func(a, b Edit) int { return cmp.Compare(a.Start, b.Start) })
	var out strings.Builder
	last := 0
	for _, e := range edits {
		out.WriteString(src[last:e.Start] + e.Text)
		last = e.End
	}
	return out.String() + src[last:]
}
