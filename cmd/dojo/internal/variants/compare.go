package variants

import (
	"go/ast"
	"go/token"
	"slices"
)

// A change is what a variant has that the reference has not.
type change struct {
	bodies  []string          // functions with another body
	added   map[string]string // new declarations, by each name that they declare
	imports map[string]string // new imports, name to path
}

// compare returns the change, if it can be switched: all else that the variant
// declares is as in the reference, and what is new or gone is mentioned nowhere
// in the other of the two.
func compare(reference, variant *outline) (change, bool) {
	c := change{added: map[string]string{}, imports: map[string]string{}}
	ok := reference.constraints() == variant.constraints() && c.importing(reference, variant)
	for key, decl := range variant.funcs {
		ok = ok && c.function(key, decl, reference, variant)
	}
	slices.Sort(c.bodies)
	for key, decl := range reference.funcs {
		if _, here := variant.funcs[key]; !here {
			ok = ok && isApart(decl, variant)
		}
	}
	return c, ok && c.others(reference, variant)
}

// function notes a function that is new, or has a new body.
func (c *change) function(key string, decl *ast.FuncDecl, reference, variant *outline) bool {
	was, here := reference.funcs[key]
	switch {
	case !here:
		c.added[decl.Name.Name] = variant.placed(decl, variant.text(decl))
		return isApart(decl, reference)
	case reference.head(was) != variant.head(decl):
		return false
	case reference.tokens(was.Pos(), was.End()) == variant.tokens(decl.Pos(), decl.End()):
		return true
	}
	c.bodies = append(c.bodies, key)
	return key != "init" && key != "_" && !recovers(decl)
}

// others notes new types, variables and constants.
func (c *change) others(reference, variant *outline) bool {
	for tokens, decl := range variant.others {
		if reference.others[tokens] != nil {
			continue
		}
		for _, name := range declared(decl) {
			if reference.idents[name] {
				return false
			}
			c.added[name] = "\n" + variant.text(decl) + "\n"
		}
	}
	for tokens, decl := range reference.others {
		isMentioned := func(name string) bool { return variant.idents[name] }
		if variant.others[tokens] == nil && slices.ContainsFunc(declared(decl), isMentioned) {
			return false
		}
	}
	return true
}

// importing notes new imports.
func (c *change) importing(reference, variant *outline) bool {
	paths := map[string]bool{}
	for _, path := range reference.imports {
		paths[path] = true
	}
	for name, path := range variant.imports {
		was, here := reference.imports[name]
		switch {
		case here && was != path, name == ".":
			return false
		case !here && (name[0] != '_' || !paths[path]):
			c.imports[name] = path
		}
	}
	return true
}

// isApart reports whether a function that one of two sources lacks is no
// concern of that one: it is not mentioned there, and no interface of another
// package's asks for it.
func isApart(decl *ast.FuncDecl, other *outline) bool {
	name := decl.Name.Name
	return name != "init" && name != "_" && !other.idents[name] && (decl.Recv == nil || !token.IsExported(name))
}

// head returns all of a function but its body, in tokens.
func (o *outline) head(decl *ast.FuncDecl) string {
	end := decl.End()
	if decl.Body != nil {
		end = decl.Body.Pos()
	}
	return directives(decl.Doc) + " " + o.tokens(decl.Pos(), end)
}

// recovers reports whether a function itself calls recover.
func recovers(decl *ast.FuncDecl) bool {
	found := false
	ast.Inspect(decl, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			id, ok := call.Fun.(*ast.Ident)
			found = found || ok && id.Name == "recover"
		}
		_, closure := n.(*ast.FuncLit)
		return !closure
	})
	return found
}
