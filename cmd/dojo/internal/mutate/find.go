package mutate

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/variants"
)

// A finder collects the mutants of a reference. Edits are made to the text, so that
// line numbers stay, and are written so that variables stay used: a statement is
// removed by wrapping it in "if false".
type finder struct {
	*variants.Program

	function string // around the node that is visited
	found    []*Mutant
}

// Find returns the mutants of a reference, by line. Those that do not compile are
// left out, and so is what is the same program as another.
func Find(p *variants.Program) []*Mutant {
	f := &finder{Program: p}
	for _, decl := range p.Syntax.Decls {
		f.function = ""
		if decl, ok := decl.(*ast.FuncDecl); ok {
			f.function = variants.FuncName(decl)
		}
		ast.PreorderStack(decl, nil, f.visit)
	}
	slices.SortStableFunc(f.found, func(a, b *Mutant) int { return cmp.Compare(a.Line, b.Line) })
	sources, names := map[string]bool{}, map[string]int{}
	return slices.DeleteFunc(f.found, func(m *Mutant) bool {
		if sources[m.source] || !f.compiles(m) {
			return true
		}
		sources[m.source] = true
		names[m.Name]++
		if n := names[m.Name]; n > 1 {
			m.Name += fmt.Sprintf(" (%d)", n)
		}
		return false
	})
}

// compiles reports whether a mutant type-checks. It first blanks imports that the
// mutant no longer uses.
func (f *finder) compiles(m *Mutant) bool {
	for range 2 {
		file, errs := f.Check(m.source)
		if len(errs) == 0 {
			return true
		}
		var blanks []variants.Edit
		for _, err := range errs {
			at, ok := errors.AsType[types.Error](err)
			if !ok || !strings.Contains(at.Msg, "imported and not used") {
				return false
			}
			i := slices.IndexFunc(file.Imports, func(s *ast.ImportSpec) bool { return s.Pos() <= at.Pos && at.Pos < s.End() })
			blanks = append(blanks, f.span(file.Imports[i].Pos(), file.Imports[i].Path.Pos(), "_ "))
		}
		m.source = variants.Apply(m.source, blanks)
	}
	return false
}

// add records a mutant at n.
func (f *finder) add(op string, n ast.Node, before, after string, edits ...variants.Edit) {
	if slices.ContainsFunc(edits, func(e variants.Edit) bool { return strings.Contains(e.Text, "mutant") }) {
		edits = append(edits, insert(f.offset(f.Syntax.Name.End()), helperImport), insert(len(f.Source), helpers))
	}
	before, after = oneLine(before), oneLine(after)
	where := ""
	if f.function != "" {
		where = f.function + " "
	}
	f.found = append(f.found, &Mutant{
		Name: where + op + ": " + before + " → " + after, Line: f.Files.PositionFor(n.Pos(), false).Line,
		Concurrency: isConcurrency(op), source: variants.Apply(f.Source, edits),
	})
}

// replace records a mutant that has text in the place of n.
func (f *finder) replace(op string, n ast.Node, text string) {
	f.change(op, n, f.over(n, text))
}

// change records a mutant that is one edit, and shows it in its line.
func (f *finder) change(op string, n ast.Node, e variants.Edit) {
	start := strings.LastIndexByte(f.Source[:e.Start], '\n') + 1
	before, after := f.Source[start:e.Start], f.Source[e.End:]
	if far := len(before) - 40; far > 0 {
		if space := strings.IndexByte(before[far:], ' '); space >= 0 {
			before = "…" + before[far+space:]
		}
	}
	after, _, _ = strings.Cut(after, "\n")
	after, _, _ = strings.Cut(after, " // ")
	f.add(op, n, before+f.Source[e.Start:e.End]+after, before+e.Text+after, e)
}

// remove records a mutant without the statements.
func (f *finder) remove(op string, stmts ...ast.Stmt) {
	var before []string
	var edits []variants.Edit
	for _, s := range stmts {
		before = append(before, f.text(s))
		edits = append(edits, insert(f.offset(s.Pos()), "if false { "), insert(f.offset(s.End()), " }"))
	}
	f.add(op, stmts[0], strings.Join(before, " … "), "(removed)", edits...)
}

func (f *finder) text(n ast.Node) string { return f.Source[f.offset(n.Pos()):f.offset(n.End())] }

func (f *finder) offset(pos token.Pos) int { return f.Files.PositionFor(pos, false).Offset }

// insert is an edit that takes nothing away.
func insert(at int, text string) variants.Edit { return variants.Edit{Start: at, End: at, Text: text} }

func (f *finder) span(from, to token.Pos, text string) variants.Edit {
	return variants.Edit{Start: f.offset(from), End: f.offset(to), Text: text}
}

func (f *finder) over(n ast.Node, text string) variants.Edit {
	return f.span(n.Pos(), n.End(), text)
}

var swapped = map[token.Token]string{token.ADD_ASSIGN: "-=", token.SUB_ASSIGN: "+=", token.MUL_ASSIGN: "/=", token.QUO_ASSIGN: "*="}

// visit finds the mutants at one node; stack holds the nodes around it.
func (f *finder) visit(n ast.Node, stack []ast.Node) bool {
	if s, ok := n.(ast.Stmt); ok && inList(s, stack[len(stack)-1]) {
		f.statement(s, stack[len(stack)-1])
	}
	switch n := n.(type) {
	case *ast.GenDecl:
		return n.Tok != token.IMPORT
	case *ast.FuncDecl:
		f.locks(n)
	case *ast.BlockStmt:
		f.splits(n.List)
	case *ast.CaseClause:
		f.splits(n.Body)
	case *ast.CommClause:
		f.splits(n.Body)
	case *ast.BinaryExpr:
		f.binary(n)
	case *ast.UnaryExpr:
		if n.Op == token.SUB && f.Info.Types[n].Value == nil {
			f.replace("arith", n, "+"+f.text(n.X))
		}
	case *ast.AssignStmt:
		if swap, ok := swapped[n.Tok]; ok && !f.isString(n.Lhs[0]) {
			f.operator("arith", n, n.TokPos, n.Tok, swap)
		}
	case *ast.IncDecStmt:
		f.operator("incdec", n, n.TokPos, n.Tok, map[token.Token]string{token.INC: "--", token.DEC: "++"}[n.Tok])
	case *ast.BasicLit:
		f.literal(n, stack)
	case *ast.Ident:
		if obj := f.Info.Uses[n]; obj != nil && obj.Parent() == types.Universe && (n.Name == "true" || n.Name == "false") {
			f.replace("bool", n, strconv.FormatBool(n.Name == "false"))
		}
	case *ast.IfStmt:
		f.branch(n)
	case *ast.ReturnStmt:
		f.returns(n, stack)
	case *ast.GoStmt:
		f.add("go", n, f.text(n), f.text(n.Call), f.span(n.Pos(), n.Call.Pos(), ""))
	case *ast.SelectStmt:
		f.selects(n)
	case *ast.CallExpr:
		f.call(n, stack)
	}
	return true
}

// inList reports whether s is one of a list of statements, where it can be removed.
func inList(s ast.Stmt, parent ast.Node) bool {
	switch parent := parent.(type) {
	case *ast.BlockStmt, *ast.CaseClause:
		return true
	case *ast.CommClause:
		return s != parent.Comm
	}
	return false
}

// statement finds what can be removed.
func (f *finder) statement(s ast.Stmt, parent ast.Node) {
	switch s := s.(type) {
	case *ast.AssignStmt:
		blank := !slices.ContainsFunc(s.Lhs, func(e ast.Expr) bool { id, ok := e.(*ast.Ident); return !ok || id.Name != "_" })
		if s.Tok != token.DEFINE && !blank {
			f.remove("del-assign", s)
		}
	case *ast.IncDecStmt:
		f.remove("del-incdec", s)
	case *ast.SendStmt:
		f.remove("send", s)
	case *ast.BranchStmt:
		if _, block := parent.(*ast.BlockStmt); s.Tok == token.CONTINUE || s.Tok == token.BREAK && (block || s.Label != nil) {
			f.remove("del-branch", s)
		}
	case *ast.DeferStmt:
		if op := f.callOperator(s.Call, "del-defer"); op != "" {
			f.remove(op, s)
		}
	case *ast.ExprStmt:
		switch x := s.X.(type) {
		case *ast.CallExpr:
			if op := f.callOperator(x, "del-call"); op != "" {
				f.remove(op, s)
			}
		case *ast.UnaryExpr:
			f.remove("recv", s)
		}
	}
}

// steered is the import path of the package that stands in for sync.
const steered = "github.com/backend-kata/dojo/pkg/interleave/sync"

// callee names what a call calls, such as "make", "context.WithTimeout" or "(*sync.Once).Do".
func (f *finder) callee(call *ast.CallExpr) string {
	fun := ast.Unparen(call.Fun)
	if index, ok := fun.(*ast.IndexExpr); ok {
		fun = index.X
	}
	var id *ast.Ident
	switch fun := fun.(type) {
	case *ast.Ident:
		id = fun
	case *ast.SelectorExpr:
		id = fun.Sel
	default:
		return ""
	}
	switch obj := f.Info.Uses[id].(type) {
	case *types.Builtin:
		return obj.Name()
	case *types.Func:
		return strings.ReplaceAll(obj.Origin().FullName(), steered, "sync")
	case nil:
		return ""
	default:
		return fmt.Sprint(obj.Type())
	}
}

// oneLine shortens code for the report.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 90 {
		s = string(r[:89]) + "…"
	}
	return s
}
