package mutate

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"regexp"
	"slices"
	"strings"
)

// helpers are added to a mutant that calls one of them, and helperImport to its
// package clause.
const helperImport = `; import mutantruntime "runtime"`

const helpers = `

func mutantYield() { mutantruntime.Gosched() }

func mutantNil[C any](C) (c C) { return }

func mutantAdd[T ~int32 | ~int64 | ~uint32 | ~uint64 | ~uintptr](x interface{ Load() T; Store(T) }, n T) T {
	sum := x.Load() + n
	x.Store(sum)
	return sum
}

func mutantBlind[T any](x interface{ Store(T) }, _, new T) bool {
	x.Store(new)
	return true
}

func mutantCheck[T comparable](x interface{ Load() T; Store(T) }, old, new T) bool {
	if x.Load() != old {
		return false
	}
	x.Store(new)
	return true
}
`

// callOperator names the operator that removes a call statement: other, if nothing
// more special applies.
func (f *finder) callOperator(call *ast.CallExpr, other string) string {
	switch name := f.callee(call); {
	case name == "close":
		return "close"
	case name == "context.CancelFunc" || name == "context.CancelCauseFunc":
		return "cancel"
	case strings.HasPrefix(name, "(*sync.WaitGroup)."):
		return "wg"
	case name == "(*sync.Cond).Signal" || name == "(*sync.Cond).Broadcast":
		return "signal"
	case isUnlock(name):
		return "unlock"
	case isLock(name):
		return "" // removing only this always panics, which tells nothing
	}
	return other
}

// selects finds mutants of a select statement.
func (f *finder) selects(n *ast.SelectStmt) {
	waits := true
	for _, s := range n.Body.List {
		clause, ok := s.(*ast.CommClause)
		waits = waits && ok && clause.Comm != nil
		if !ok || len(n.Body.List) == 1 {
			continue
		}
		head := f.Source[f.offset(clause.Pos()) : f.offset(clause.Colon)+1]
		if clause.Comm == nil {
			f.add("case-del", clause, head, "(never ready)", f.span(clause.Pos(), clause.Colon, "case <-(chan int)(nil)"))
			continue
		}
		var channel ast.Expr
		switch comm := clause.Comm.(type) {
		case *ast.SendStmt:
			channel = comm.Chan
		case *ast.ExprStmt:
			channel = received(comm.X)
		case *ast.AssignStmt:
			channel = received(comm.Rhs[0])
		}
		f.add("case-del", clause, head, "(never ready)", f.over(channel, "mutantNil("+f.text(channel)+")"))
	}
	if waits {
		f.add("default-add", n, "select", "select with default", insert(f.offset(n.Body.Rbrace), "default:\n"))
	}
}

// received returns the channel of <-ch.
func received(e ast.Expr) ast.Expr {
	if unary, ok := ast.Unparen(e).(*ast.UnaryExpr); ok {
		return unary.X
	}
	return e
}

// owner returns x of a call x.f().
func owner(call *ast.CallExpr) ast.Expr {
	if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
		return sel.X
	}
	return call.Fun
}

// call finds mutants of calls into sync and context, and of make(chan).
func (f *finder) call(n *ast.CallExpr, stack []ast.Node) {
	name := f.callee(n)
	args := make([]string, len(n.Args))
	for i, arg := range n.Args {
		args[i] = f.text(arg)
	}
	f.detach(n, name)
	f.atomics(n, name, args)

	// inline puts a call of the first argument in the place of n, whose names stay used.
	_, statement := stack[len(stack)-1].(*ast.ExprStmt)
	inline := func(op string) {
		if statement {
			direct := "(" + args[0] + ")()"
			f.add(op, n, f.text(n), direct, f.over(n, "if false { "+f.text(n)+" }; "+direct))
		}
	}
	switch name {
	case "make":
		if _, ok := f.Info.TypeOf(n).Underlying().(*types.Chan); !ok {
			return
		}
		if len(args) == 1 {
			f.replace("chan-buf", n, "make("+args[0]+", 1)")
		} else if value := f.Info.Types[n.Args[1]].Value; value == nil || value.ExactString() != "0" {
			f.add("chan-buf", n, f.text(n), "make("+args[0]+")", f.over(n.Args[1], "0*("+args[1]+")"))
		}
	case "context.WithTimeout", "context.WithDeadline":
		pkg := f.text(owner(n))
		cancel := pkg + ".WithCancel(" + args[0] + ")"
		f.add("deadline", n, f.text(n), cancel, f.over(n, fmt.Sprintf(
			"func() (%[1]s.Context, %[1]s.CancelFunc) { _ = %[2]s; return %[3]s }()", pkg, args[1], cancel)))
	case "sync.OnceFunc", "sync.OnceValue", "sync.OnceValues":
		f.replace("once", n, "("+args[0]+")")
	case "(*sync.Once).Do":
		inline("once")
	case "(*sync.WaitGroup).Go":
		inline("go")
	case "(*golang.org/x/sync/errgroup.Group).Go":
		f.add("go", n, f.text(n), "run "+args[0]+" inline", f.over(n, fmt.Sprintf(
			"func() { err := (%s)(); %s(func() error { return err }) }()", args[0], f.text(n.Fun))))
	}
}

var atomicFunc = regexp.MustCompile(`^sync/atomic\.(Add|CompareAndSwap)(\w+)$`)

// atomics finds mutants of atomic operations: two atomic steps instead of one,
// which is no data race.
func (f *finder) atomics(n *ast.CallExpr, name string, args []string) {
	sel, ok := ast.Unparen(n.Fun).(*ast.SelectorExpr)
	if !ok {
		return
	}
	x := f.text(sel.X)
	if m := atomicFunc.FindStringSubmatch(name); m != nil {
		load := fmt.Sprintf("%s.Load%s(%s)", x, m[2], args[0])
		store := func(value string) string { return fmt.Sprintf("%s.Store%s(%s, %s)", x, m[2], args[0], value) }
		if m[1] == "Add" {
			f.add("atomic", n, f.text(n), store(load+" + "+args[1]), f.over(n, fmt.Sprintf(
				"func() %s { sum := %s + %s; %s; return sum }()", strings.ToLower(m[2]), load, args[1], store("sum"))))
			return
		}
		f.add("cas", n, f.text(n), store(args[2])+", true", f.over(n, fmt.Sprintf(
			"func() bool { _ = %s; %s; return true }()", args[1], store(args[2]))))
		f.add("cas", n, f.text(n), load+" == "+args[1]+" && "+store(args[2]), f.over(n, fmt.Sprintf(
			"func() bool { if %s != %s { return false }; %s; return true }()", load, args[1], store(args[2]))))
		return
	}
	if !strings.HasPrefix(name, "(*sync/atomic.") {
		return
	}
	pointer := x
	if _, ok := f.Info.TypeOf(sel.X).Underlying().(*types.Pointer); !ok {
		pointer = "&" + x
	}
	all := "(" + strings.Join(append([]string{pointer}, args...), ", ") + ")"
	switch sel.Sel.Name {
	case "Add":
		f.add("atomic", n, f.text(n), x+".Store("+x+".Load() + "+args[0]+")", f.over(n, "mutantAdd"+all))
	case "CompareAndSwap":
		f.add("cas", n, f.text(n), x+".Store("+args[1]+"), true", f.over(n, "mutantBlind"+all))
		f.add("cas", n, f.text(n), x+".Load() == "+args[0]+" && "+x+".Store("+args[1]+")", f.over(n, "mutantCheck"+all))
	}
}

// detach finds contexts that a call passes on.
func (f *finder) detach(n *ast.CallExpr, name string) {
	i := slices.IndexFunc(f.Syntax.Imports, func(s *ast.ImportSpec) bool { return s.Path.Value == `"context"` })
	if i < 0 || name == "context.WithoutCancel" || name == "context.Cause" || f.Info.Types[n.Fun].IsType() {
		return
	}
	pkg := "context"
	if alias := f.Syntax.Imports[i].Name; alias != nil {
		pkg = alias.Name
	}
	for _, arg := range n.Args {
		if id, ok := arg.(*ast.Ident); ok && id.Name == "nil" {
			continue
		}
		if t := f.Info.TypeOf(arg); t != nil && t.String() == "context.Context" && !token.IsKeyword(f.text(arg)) {
			f.replace("ctx-detach", arg, pkg+".WithoutCancel("+f.text(arg)+")")
		}
	}
}
