package prove

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// checkBuildLine finds a program that would not be built where it is to be: line
// is the first of the file, or none for a file that is always built.
func checkBuildLine(k workbook.Kata, path, line string) []Finding {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil // that it is missing is said elsewhere
	}
	first, _, _ := strings.Cut(string(text), "\n")
	first = strings.TrimSpace(first)
	switch {
	case line != "" && first != line:
		return []Finding{found(k, path, "it does not start with the line %s", line)}
	case line == "" && strings.Contains(string(text), "\n//go:build ") || line == "" && strings.HasPrefix(first, "//go:build "):
		return []Finding{found(k, path, "it has a build line, and is to be built with every tag")}
	}
	return nil
}

// checkBuildLines looks at all Go files of a kata that nobody generates.
func checkBuildLines(k workbook.Kata, right []workbook.Right) []Finding {
	const solutions = "//go:build solutions"
	findings := checkBuildLine(k, k.ShippedStub(), workbook.BuildLine)
	findings = append(findings, checkBuildLine(k, k.Reference(), solutions)...)
	for _, r := range right {
		findings = append(findings, checkBuildLine(k, r.Path, solutions)...)
	}
	for _, path := range []string{filepath.Join(k.Solutions(), "doc.go"), k.Tests(), helpersFile(k)} {
		findings = append(findings, checkBuildLine(k, path, "")...)
	}
	return findings
}

func helpersFile(k workbook.Kata) string { return filepath.Join(k.Dir(), "helpers_test.go") }

// A stepCode is the syntax of a kata's steps and their helpers.
type stepCode struct {
	kata      workbook.Kata
	positions *token.FileSet
	files     []*ast.File
	functions map[string]*ast.FuncDecl // those that are no methods, by name
}

// checkStepCode finds what no step may do. What cannot be parsed is left to the
// compiler.
func checkStepCode(k workbook.Kata) []Finding {
	code := stepCode{kata: k, positions: token.NewFileSet(), functions: map[string]*ast.FuncDecl{}}
	for _, path := range []string{k.Tests(), helpersFile(k)} {
		file, err := parser.ParseFile(code.positions, path, nil, parser.SkipObjectResolution)
		if err != nil {
			continue
		}
		code.files = append(code.files, file)
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Body != nil {
				code.functions[f.Name.Name] = f
			}
		}
	}
	return append(code.calls(), code.realTime()...)
}

// found makes a finding of a place in the code.
func (c stepCode) found(pos token.Pos, format string, args ...any) Finding {
	place := c.positions.Position(pos)
	return found(c.kata, place.Filename, fmt.Sprintf("line %d: ", place.Line)+format, args...)
}

// calls finds calls that are wrong wherever they stand.
func (c stepCode) calls() []Finding {
	var findings []Finding
	find := func(n ast.Node, format string, args ...any) {
		findings = append(findings, c.found(n.Pos(), format, args...))
	}
	for _, file := range c.files {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			switch name := callee(call); {
			case strings.HasSuffix(name, ".Parallel") && len(call.Args) == 0:
				find(call, "%s: steps run one after the other", name)
			case strings.HasPrefix(name, "assert."):
				find(call, "%s: a step claims with step.Expect, step.Equal and step.NoError", name)
			case strings.HasPrefix(name, "require.") && name != "require.NoError":
				find(call, "%s: only require.NoError is for set-up; a step claims with step.Expect, step.Equal and step.NoError", name)
			}
			return true
		})
	}
	return findings
}

// clock is what takes real time, or tells it, outside a bubble.
var clock = map[string]bool{
	"time.Sleep": true, "time.After": true, "time.AfterFunc": true, "time.NewTimer": true, "time.NewTicker": true, "time.Tick": true,
	"time.Now": true, "time.Since": true, "time.Until": true,
}

// realTime finds steps that use the clock outside a bubble, by themselves or
// through a function beside them.
func (c stepCode) realTime() []Finding {
	ticking := map[string]bool{}
	for changed := true; changed; {
		changed = false
		for name, f := range c.functions {
			if !ticking[name] && ticks(f.Body, ticking) != nil {
				ticking[name], changed = true, true
			}
		}
	}
	var findings []Finding
	for _, file := range c.files {
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv != nil || f.Body == nil || !strings.HasPrefix(f.Name.Name, "Test") {
				continue
			}
			if call := ticks(f.Body, ticking); call != nil {
				const text = "%s calls %s on the real clock: step.Bubble has one of its own"
				findings = append(findings, c.found(call.Pos(), text, f.Name.Name, callee(call)))
			}
		}
	}
	return findings
}

// ticks returns the first call in the body that uses the real clock. A function
// literal is what a bubble runs, or a fake, and nobody knows on which clock; but
// step.Outside and t.Run call theirs here and now. Methods are left out: without
// types nobody knows which one is called.
func ticks(body ast.Node, ticking map[string]bool) (first *ast.CallExpr) {
	ast.Inspect(body, func(n ast.Node) bool {
		if _, ok := n.(*ast.FuncLit); ok || first != nil {
			return false
		}
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		name := callee(call)
		if clock[name] || ticking[name] {
			first = call
			return false
		}
		if name == "step.Outside" || name == "t.Run" {
			if f, ok := call.Args[len(call.Args)-1].(*ast.FuncLit); ok {
				first = ticks(f.Body, ticking)
			}
		}
		return true
	})
	return first
}

// callee names what is called, as the source has it: f or pkg.F.
func callee(call *ast.CallExpr) string {
	fun := call.Fun
	switch generic := fun.(type) {
	case *ast.IndexExpr:
		fun = generic.X
	case *ast.IndexListExpr:
		fun = generic.X
	}
	switch f := fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name + "." + f.Sel.Name
		}
	}
	return ""
}
