package mutate

import (
	"go/ast"
	"go/types"
	"slices"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/variants"
)

func isLock(name string) bool {
	return strings.HasSuffix(name, ").Lock") || strings.HasSuffix(name, ").RLock")
}

func isUnlock(name string) bool {
	return strings.HasSuffix(name, ").Unlock") || strings.HasSuffix(name, ").RUnlock")
}

// A section is a critical section: what one function does to one mutex from a
// Lock to the last Unlock before the next Lock.
type section struct {
	mutex          string
	stmts          []ast.Stmt
	calls          []*ast.CallExpr
	locks, unlocks bool
}

// locks finds mutants of the locking in a function.
func (f *finder) locks(decl *ast.FuncDecl) {
	if decl.Body == nil {
		return
	}
	for _, s := range f.sections(decl.Body) {
		f.lockMutants(s)
	}
}

// isWhole reports whether it is known where the section starts and ends.
func (s *section) isWhole() bool { return s.locks && s.unlocks }

// sections are those of one function, in order.
type sections []*section

// add adds a call, or what a function literal does, to the section that it
// belongs to.
func (all *sections) add(part *section) {
	for _, s := range slices.Backward(*all) {
		if s.mutex == part.mutex {
			if part.locks && s.unlocks {
				break
			}
			s.stmts = append(s.stmts, part.stmts...)
			s.calls = append(s.calls, part.calls...)
			s.locks = s.locks || part.locks
			s.unlocks = s.unlocks || part.unlocks
			return
		}
	}
	*all = append(*all, part)
}

// sections returns the critical sections in body. A function literal that does
// only half of the work, such as a deferred unlock, counts with the function
// around it; other literals are dealt with on the way.
func (f *finder) sections(body *ast.BlockStmt) (all sections) {
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			for _, s := range f.sections(n.Body) {
				if s.isWhole() {
					f.lockMutants(s)
				} else {
					all.add(s)
				}
			}
			return false
		case *ast.ExprStmt:
			if call, ok := n.X.(*ast.CallExpr); ok {
				f.addCall(&all, n, call)
			}
		case *ast.DeferStmt:
			f.addCall(&all, n, n.Call)
		}
		return true
	})
	return all
}

func (f *finder) addCall(all *sections, stmt ast.Stmt, call *ast.CallExpr) {
	if name := f.callee(call); len(call.Args) == 0 && (isLock(name) || isUnlock(name)) {
		all.add(&section{f.text(owner(call)), []ast.Stmt{stmt}, []*ast.CallExpr{call}, isLock(name), isUnlock(name)})
	}
}

func (f *finder) lockMutants(s *section) {
	if !s.isWhole() {
		return
	}
	f.remove("lock", s.stmts...)
	var weaker []variants.Edit
	for i, call := range s.calls {
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok && (sel.Sel.Name == "Lock" || sel.Sel.Name == "Unlock") {
			weaker = append(weaker, f.over(sel.Sel, "R"+sel.Sel.Name))
		}
		if d, ok := s.stmts[i].(*ast.DeferStmt); ok && isUnlock(f.callee(call)) {
			f.add("early-unlock", d, f.text(d), f.text(d.Call), f.span(d.Pos(), d.Call.Pos(), ""))
		}
	}
	mutex := f.Info.TypeOf(owner(s.calls[0]))
	if method, _, _ := types.LookupFieldOrMethod(mutex, true, nil, "RLock"); method != nil && weaker != nil {
		lock := f.text(s.calls[0])
		f.add("rlock", s.stmts[0], lock, strings.Replace(lock, ".Lock", ".RLock", 1), weaker...)
	}
}

// splits finds critical sections in a list of statements, and cuts each in two:
// between two statements another goroutine gets the lock. The race detector has
// nothing to say about that.
func (f *finder) splits(list []ast.Stmt) {
	for i, s := range list {
		expr, ok := s.(*ast.ExprStmt)
		if !ok {
			continue
		}
		call, ok := expr.X.(*ast.CallExpr)
		if !ok || !isLock(f.callee(call)) {
			continue
		}
		lock := f.text(call)
		unlock := strings.NewReplacer(".RLock", ".RUnlock", ".Lock", ".Unlock").Replace(lock)
		inside := false
		for _, next := range list[i+1:] {
			if _, ok := next.(*ast.DeferStmt); ok {
				continue
			}
			if f.text(next) == unlock {
				break
			}
			if inside && !f.indifferent(next) {
				between := insert(f.offset(next.Pos()), unlock+"; mutantYield(); "+lock+"; ")
				f.add("split", next, f.text(next), unlock+"; "+lock+"; "+f.text(next), between)
			}
			inside = true
		}
	}
}

// indifferent reports whether s, an unlock or a return of constants, does the same whenever it happens.
func (f *finder) indifferent(s ast.Stmt) bool {
	switch s := s.(type) {
	case *ast.ExprStmt:
		call, ok := s.X.(*ast.CallExpr)
		return ok && isUnlock(f.callee(call))
	case *ast.ReturnStmt:
		return !slices.ContainsFunc(s.Results, func(e ast.Expr) bool {
			_, ident := e.(*ast.Ident)
			return f.Info.Types[e].Value == nil && !ident
		})
	}
	return false
}
