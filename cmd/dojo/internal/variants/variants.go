// Package variants puts many versions of a kata's reference into one program,
// of which the environment chooses one at the start ("mutant schemata", Untch,
// Offutt and Harrold, 1993). A build costs a second or more and a run of the
// steps less, so that what differs only in bodies of functions is built once.
//
// A function that some variants change calls theirs first thing:
//
//	func (a *Account) Deposit(n int) { switch dojoVariant { case 3: a.Deposit_dojo3(n); return };
//
// Each keeps its own scope and labels that way, and a line directive before it
// the place in the source that it came from. What a call more could change is
// not merged: a function that recovers, which only works in the function that
// was deferred itself.
package variants

import (
	"fmt"
	"go/ast"
	"maps"
	"slices"
	"strings"
)

// Env is the environment variable that chooses a variant.
const Env = "DOJO_VARIANT"

// A Merged is a program with many variants.
type Merged struct {
	Source string
	In     []bool // which of the variants are in it; each of the others is built alone
}

// Setting returns the environment that chooses the variant with that index, or
// the reference for -1.
func Setting(index int) []string { return []string{fmt.Sprintf("%s=%d", Env, index+1)} }

// Merge puts those of the sources into one program that compile and differ from
// the reference only in bodies of functions, in imports, and in declarations
// that the others do not see.
func (p *Program) Merge(sources []string) Merged {
	reference := newOutline(p.Files, p.Source, p.Syntax)
	m := merger{
		reference: reference, imports: maps.Clone(reference.imports),
		idents: maps.Clone(reference.idents), added: map[string]string{}, cases: map[string][]int{},
	}
	merged := Merged{In: make([]bool, len(sources))}
	for i, source := range sources {
		file, errs := p.Check(source)
		if errs != nil {
			continue
		}
		variant := newOutline(p.Files, source, file)
		c, ok := compare(reference, variant)
		merged.In[i] = ok && m.add(i, variant, c)
	}
	merged.Source = m.source()
	if _, errs := p.Check(merged.Source); errs != nil {
		clear(merged.In) // names met that nobody thought of, and each is built alone
	}
	return merged
}

// A merger collects variants.
type merger struct {
	reference *outline
	imports   map[string]string // all, by name
	idents    map[string]bool   // all that the reference and the variants so far mention
	added     map[string]string // declarations that the reference lacks, by name
	cases     map[string][]int  // the variants of each function
	bodies    strings.Builder
}

// add takes a variant in, unless its names and those of others meet.
func (m *merger) add(index int, v *outline, c change) bool {
	for name, path := range c.imports {
		if other, taken := m.imports[name]; taken && other != path {
			return false
		}
	}
	for name, text := range c.added {
		if other, ours := m.added[name]; ours && other != text || !ours && m.idents[name] {
			return false
		}
	}
	for name := range m.added {
		if _, too := c.added[name]; !too && v.idents[name] {
			return false
		}
	}
	maps.Copy(m.imports, c.imports)
	maps.Copy(m.added, c.added)
	maps.Copy(m.idents, v.idents)
	for _, key := range c.bodies {
		m.cases[key] = append(m.cases[key], index)
		decl := v.funcs[key]
		name := decl.Name.Name
		rest := v.text(decl)
		at := v.offset(decl.Name.Pos()) - v.offset(decl.Pos())
		m.bodies.WriteString(v.placed(decl, rest[:at]+variantName(name, index)+rest[at+len(name):]))
	}
	return true
}

func variantName(name string, index int) string { return fmt.Sprintf("%s_dojo%d", name, index+1) }

// source returns the program. Lines of the reference keep their numbers.
func (m *merger) source() string {
	r := m.reference
	var imports strings.Builder
	imports.WriteString(`; import dojoos "os"; import dojostrconv "strconv"`)
	for _, name := range slices.Sorted(maps.Keys(m.imports)) {
		if _, ours := r.imports[name]; !ours {
			imports.WriteString("; import " + spec(name, m.imports[name]))
		}
	}
	edits := []Edit{
		{r.offset(r.file.Name.End()), r.offset(r.file.Name.End()), imports.String()},
		{r.afterImports(), r.afterImports(), `; var dojoVariant, _ = dojostrconv.Atoi(dojoos.Getenv("` + Env + `"))`},
	}
	for _, key := range slices.Sorted(maps.Keys(m.cases)) {
		edits = append(edits, r.switched(r.funcs[key], m.cases[key])...)
	}
	texts := slices.Sorted(maps.Values(m.added)) // one declaration may have several names
	return Apply(r.src, edits) + m.bodies.String() + strings.Join(slices.Compact(texts), "")
}

// switched are the edits that make a function call its variants.
func (o *outline) switched(decl *ast.FuncDecl, cases []int) []Edit {
	var edits []Edit
	called := ""
	if decl.Recv != nil {
		names, naming := o.names("dojoreceiver", decl.Recv)
		called, edits = names[0]+".", naming
	}
	names, naming := o.names("dojoparam", decl.Type.Params)
	edits = append(edits, naming...)
	args := strings.Join(names, ", ")
	if last := len(decl.Type.Params.List) - 1; last >= 0 {
		if _, dots := decl.Type.Params.List[last].Type.(*ast.Ellipsis); dots {
			args += "..."
		}
	}
	typeArgs := ""
	if decl.Type.TypeParams != nil {
		names, naming := o.names("dojotype", decl.Type.TypeParams)
		edits = append(edits, naming...)
		typeArgs = "[" + strings.Join(names, ", ") + "]"
	}
	var text strings.Builder
	for _, index := range cases {
		call := called + variantName(decl.Name.Name, index) + typeArgs + "(" + args + ")"
		if decl.Type.Results.NumFields() > 0 {
			call = "return " + call
		} else {
			call += "; return"
		}
		fmt.Fprintf(&text, " case %d: %s;", index+1, call)
	}
	start := o.offset(decl.Body.Lbrace) + 1
	return append(edits, Edit{start, start, " switch dojoVariant {" + text.String() + " };"})
}

// names returns the names of parameters, and the edits that give a name to
// those without.
func (o *outline) names(prefix string, list *ast.FieldList) (names []string, edits []Edit) {
	fresh := func(start, end int, space string) {
		name := fmt.Sprintf("%s%d", prefix, len(names))
		names = append(names, name)
		edits = append(edits, Edit{start, end, name + space})
	}
	for _, field := range list.List {
		if field.Names == nil {
			fresh(o.offset(field.Pos()), o.offset(field.Pos()), " ")
		}
		for _, name := range field.Names {
			if name.Name == "_" {
				fresh(o.offset(name.Pos()), o.offset(name.End()), "")
			} else {
				names = append(names, name.Name)
			}
		}
	}
	return names, edits
}
