package variants

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// A Program is a kata's reference, parsed and type-checked. It is for one
// goroutine at a time.
type Program struct {
	Path   string // of the reference
	Source string
	Files  *token.FileSet
	Syntax *ast.File
	Info   *types.Info

	ctx     context.Context //nolint:containedctx // for the go command, which the importer may call at any time
	tools   *testrun.Toolchain
	exports map[string]string // import path to the file that says what it exports
	imports types.Importer
}

// Load reads the reference of k.
func Load(ctx context.Context, tools *testrun.Toolchain, k workbook.Kata) (*Program, error) {
	source, err := os.ReadFile(k.Reference())
	if err != nil {
		return nil, fmt.Errorf("reading the reference: %w", err)
	}
	p := &Program{
		Path: k.Reference(), Source: string(source), Files: token.NewFileSet(),
		ctx: ctx, tools: tools, exports: map[string]string{},
	}
	p.imports = importer.ForCompiler(p.Files, "gc", p.export)
	if err := p.list("./" + filepath.ToSlash(k.Rel(k.Solutions()))); err != nil {
		return nil, err
	}
	p.Info = &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	if p.Syntax, err = p.parse(p.Source); err == nil {
		err = errors.Join(p.check(p.Syntax, p.Info)...)
	}
	if err != nil {
		return nil, fmt.Errorf("the reference does not compile: %w", err)
	}
	return p, nil
}

// list asks the go command for the export data of a package and of all that it
// imports.
func (p *Program) list(pattern string) error {
	out, err := p.tools.Command(p.ctx, "list", "-export", "-deps", "-tags=solutions", "-json=ImportPath,Export", pattern).Output()
	if p.ctx.Err() != nil {
		return context.Cause(p.ctx)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("the packages that the reference imports cannot be listed: %s", exit.Stderr)
	}
	if err != nil {
		return fmt.Errorf("running the go command: %w", err)
	}
	for packages := json.NewDecoder(bytes.NewReader(out)); packages.More(); {
		var item struct{ ImportPath, Export string }
		if err := packages.Decode(&item); err != nil {
			return fmt.Errorf("reading what go list says: %w", err)
		}
		p.exports[item.ImportPath] = item.Export
	}
	return nil
}

// export opens the export data of a package, which the reference need not import.
func (p *Program) export(path string) (io.ReadCloser, error) {
	if p.exports[path] == "" {
		if err := p.list(path); err != nil {
			return nil, err
		}
	}
	return os.Open(p.exports[path])
}

func (p *Program) parse(source string) (*ast.File, error) {
	return parser.ParseFile(p.Files, p.Path, source, parser.ParseComments|parser.SkipObjectResolution)
}

func (p *Program) check(file *ast.File, info *types.Info) (errs []error) {
	config := types.Config{
		Importer: p.imports, Sizes: types.SizesFor("gc", runtime.GOARCH),
		Error: func(err error) { errs = append(errs, err) },
	}
	_, _ = config.Check(file.Name.Name, p.Files, []*ast.File{file}, info) // what it returns is errs[0]
	return errs
}

// Check type-checks a changed source, and returns what the compiler would say,
// each a types.Error where the source parses.
func (p *Program) Check(source string) (*ast.File, []error) {
	file, err := p.parse(source)
	if err != nil {
		return nil, []error{err}
	}
	return file, p.check(file, nil)
}
