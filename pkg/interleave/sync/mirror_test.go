package sync_test

import (
	"go/importer"
	"go/token"
	"go/types"
	"testing"
)

// Everything that the standard packages export is here too, methods and fields included.
func TestMirrorIsComplete(t *testing.T) {
	const here = "github.com/backend-kata/dojo/pkg/interleave/"
	from := importer.ForCompiler(token.NewFileSet(), "source", nil)
	for _, path := range []string{"sync", "sync/atomic"} {
		want, err := from.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := from.Import(here + path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range want.Scope().Names() {
			if !token.IsExported(name) {
				continue
			}
			mirror := got.Scope().Lookup(name)
			if mirror == nil {
				t.Errorf("%s.%s is missing", path, name)
				continue
			}
			if fields, ok := want.Scope().Lookup(name).Type().Underlying().(*types.Struct); ok {
				for field := range fields.Fields() {
					if f, _, _ := types.LookupFieldOrMethod(mirror.Type(), true, got, field.Name()); field.Exported() && f == nil {
						t.Errorf("%s.%s.%s is missing", path, name, field.Name())
					}
				}
			}
			methods := types.NewMethodSet(types.NewPointer(mirror.Type()))
			for method := range types.NewMethodSet(types.NewPointer(want.Scope().Lookup(name).Type())).Methods() {
				if method.Obj().Exported() && methods.Lookup(nil, method.Obj().Name()) == nil {
					t.Errorf("%s.%s.%s is missing", path, name, method.Obj().Name())
				}
			}
		}
	}
}
