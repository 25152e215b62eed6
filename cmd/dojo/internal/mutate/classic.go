package mutate

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/variants"
)

func (f *finder) binary(n *ast.BinaryExpr) {
	swap := func(op string, to string) { f.operator(op, n, n.OpPos, n.Op, to) }
	switch n.Op {
	case token.LSS, token.LEQ, token.GTR, token.GEQ:
		swap("boundary", map[token.Token]string{token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">"}[n.Op])
		swap("compare", map[token.Token]string{token.LSS: ">=", token.LEQ: ">", token.GTR: "<=", token.GEQ: "<"}[n.Op])
	case token.EQL:
		swap("compare", "!=")
	case token.NEQ:
		swap("compare", "==")
	case token.LAND, token.LOR:
		other, skip := "||", "true || "
		if n.Op == token.LOR {
			other, skip = "&&", "false && "
		}
		swap("logic", other)
		f.add("operand", n, f.text(n), f.text(n.X), f.over(n.Y, "("+skip+"("+f.text(n.Y)+"))"))
		f.add("operand", n, f.text(n), f.text(n.Y), f.over(n.X, "("+skip+"("+f.text(n.X)+"))"))
	case token.ADD, token.SUB, token.MUL, token.QUO, token.REM:
		if f.Info.Types[n].Value == nil && !f.isString(n) {
			swap("arith", map[token.Token]string{token.ADD: "-", token.SUB: "+", token.MUL: "/", token.QUO: "*", token.REM: "*"}[n.Op])
		}
	}
}

// operator records a mutant of n with another operator at pos.
func (f *finder) operator(op string, n ast.Node, pos token.Pos, old token.Token, to string) {
	start := f.offset(pos)
	f.change(op, n, variants.Edit{Start: start, End: start + len(old.String()), Text: to})
}

func (f *finder) isString(e ast.Expr) bool {
	b, ok := f.Info.TypeOf(e).Underlying().(*types.Basic)
	return ok && b.Info()&types.IsString != 0
}

func (f *finder) literal(n *ast.BasicLit, stack []ast.Node) {
	value, err := strconv.ParseInt(n.Value, 0, 64)
	if n.Kind != token.INT || err != nil {
		return
	}
	if call, ok := stack[len(stack)-1].(*ast.CallExpr); ok && f.callee(call) == "make" && f.isHint(call, n) {
		return
	}
	f.replace("const", n, strconv.FormatInt(value+1, 10))
	if value != 0 {
		f.replace("const", n, "0")
	}
}

// isHint reports whether an argument of make is a capacity, which no test should see, or a channel's, which has its own operator.
func (f *finder) isHint(call *ast.CallExpr, arg ast.Expr) bool {
	_, slice := f.Info.TypeOf(call).Underlying().(*types.Slice)
	return !slice || len(call.Args) == 3 && call.Args[2] == arg
}

func (f *finder) branch(n *ast.IfStmt) {
	cond := f.text(n.Cond)
	comparison := false
	if b, ok := n.Cond.(*ast.BinaryExpr); ok {
		comparison = b.Op != token.LAND && b.Op != token.LOR
	}
	if !comparison {
		f.add("negate", n, "if "+cond, "if !("+cond+")", f.over(n.Cond, "!("+cond+")"))
	}
	f.add("guard", n, f.text(n), "(branch never taken)", f.over(n.Cond, "("+cond+") && false"))
	if block, ok := n.Else.(*ast.BlockStmt); ok {
		f.add("else", block, "else "+f.text(block), "(removed)", insert(f.offset(block.Pos()), "if false "))
	}
}

// returns finds results to replace by zero values.
func (f *finder) returns(n *ast.ReturnStmt, stack []ast.Node) {
	if len(n.Results) == 0 {
		return
	}
	results := resultTypes(stack)
	record := func(op, before, text string) {
		f.add(op, n, before, "return "+text, f.over(n, "{ if false { "+f.text(n)+" }; return "+text+" }"))
	}
	if len(n.Results) == 1 && len(results) > 1 {
		var zeros []string
		for _, typ := range results {
			zeros = append(zeros, f.zero(typ))
		}
		record("ret-zero", f.text(n), strings.Join(zeros, ", "))
		return
	}
	for i, result := range n.Results {
		zero := f.zero(results[i])
		tv := f.Info.Types[result]
		text := f.text(result)
		if text == zero || strings.HasSuffix(text, "{}") || tv.IsNil() || tv.Value != nil && tv.Value.ExactString() == zero {
			continue
		}
		if _, literal := result.(*ast.BasicLit); literal && !f.isString(result) || zero == "false" && tv.Value != nil {
			continue // const and bool do the same
		}
		var texts []string
		for _, other := range n.Results {
			texts = append(texts, f.text(other))
		}
		texts[i] = zero
		op := "ret-zero"
		if types.Identical(f.Info.TypeOf(results[i]), types.Universe.Lookup("error").Type()) {
			op = "ret-err"
		}
		record(op, f.text(n), strings.Join(texts, ", "))
	}
}

// resultTypes returns the types of the results of the innermost function.
func resultTypes(stack []ast.Node) []ast.Expr {
	for _, outer := range slices.Backward(stack) {
		var typ *ast.FuncType
		switch outer := outer.(type) {
		case *ast.FuncLit:
			typ = outer.Type
		case *ast.FuncDecl:
			typ = outer.Type
		default:
			continue
		}
		var results []ast.Expr
		for _, field := range typ.Results.List {
			results = append(results, slices.Repeat([]ast.Expr{field.Type}, max(1, len(field.Names)))...)
		}
		return results
	}
	return nil
}

// zero returns the zero value of a type.
func (f *finder) zero(typ ast.Expr) string {
	t := f.Info.TypeOf(typ)
	if _, ok := types.Unalias(t).(*types.TypeParam); ok {
		return "*new(" + f.text(typ) + ")"
	}
	switch u := t.Underlying().(type) {
	case *types.Basic:
		switch {
		case u.Info()&types.IsBoolean != 0:
			return "false"
		case u.Info()&types.IsString != 0:
			return `""`
		case u.Info()&types.IsNumeric != 0:
			return "0"
		}
	case *types.Struct, *types.Array:
		return "*new(" + f.text(typ) + ")"
	}
	return "nil"
}
