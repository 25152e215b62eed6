//go:build solutions

package schemaevolution

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/backend-kata/dojo/kata/schemaevolution/samples"
	"github.com/backend-kata/dojo/kata/schemaevolution/schema"
)

// chain is a schema of so many records, each of which always has the next in it.
func chain(n int) map[string][]schema.Field {
	all := map[string][]schema.Field{"0": {samples.Field("v", samples.Whole)}}
	for i := range n - 1 {
		all[fmt.Sprint(i+1)] = []schema.Field{samples.Field("n", samples.Record(fmt.Sprint(i)))}
	}
	return all
}

// What package schema promises, the learner has no part in.
func TestNoSchema(t *testing.T) {
	one := func(f ...schema.Field) map[string][]schema.Field { return map[string][]schema.Field{"R": f} }
	whole, field := samples.Whole, samples.Field
	for why, records := range map[string]map[string][]schema.Field{
		"the root is missing":                  {"Q": {field("a", whole)}},
		"a record is missing":                  one(field("a", samples.List(samples.Record("Q")))),
		"no fields":                            one(),
		"no name":                              one(field("", whole)),
		"two of one name":                      one(field("a", whole), field("a", whole)),
		"an alias that is a name":              one(field("a", whole), field("b", whole, "a")),
		"no kind":                              one(field("a", schema.Type{})),
		"no items":                             one(field("a", schema.Type{Kind: schema.List})),
		"no symbols":                           one(field("a", samples.Enum())),
		"a symbol twice":                       one(field("a", samples.Enum("x", "x"))),
		"a fallback that is no symbol":         one(field("a", schema.Type{Kind: schema.Enum, Symbols: []string{"x"}, Fallback: "y"})),
		"an optional in an optional":           one(field("a", samples.Maybe(samples.Maybe(whole)))),
		"a default of another type":            one(samples.Or("x", "a", whole)),
		"a default that is nil":                one(samples.Or(nil, "a", whole)),
		"it contains itself":                   one(field("a", samples.Record("R"))),
		"a record that it may have is endless": {"R": {field("a", samples.Maybe(samples.Record("Q")))}, "Q": {field("a", samples.Record("Q"))}},
	} {
		if _, err := schema.New("R", records); !errors.Is(err, schema.ErrSchema) {
			t.Errorf("%s: New returned %v, want ErrSchema", why, err)
		}
	}
	for n, fits := range map[int]bool{schema.MaxDepth: true, schema.MaxDepth + 1: false} {
		s, err := schema.New(fmt.Sprint(n-1), chain(n))
		if fits != (err == nil) {
			t.Errorf("%d records in each other: New returned %v", n, err)
		}
		if err != nil {
			continue
		}
		if _, err := s.Append(nil, &s.Root, s.Least(&s.Root)); err != nil {
			t.Errorf("%d records in each other: Append of Least returned %v", n, err)
		}
	}
}

func TestWhatIsTakenIsWhatWasAppended(t *testing.T) {
	s := samples.With(samples.Field("a", samples.Whole))
	for _, c := range []struct {
		t schema.Type
		v any
	}{
		{samples.Whole, int64(-1 << 63)},
		{samples.Whole, int64(300)},
		{samples.Double, -0.5},
		{samples.Text, "é"},
		{samples.Enum("x", "y"), "y"},
	} {
		b, err := s.Append(nil, &c.t, c.v)
		if err != nil {
			t.Fatal(err)
		}
		v, rest, err := schema.TakeScalar(append(bytes.Clone(b), 7), &c.t)
		if err != nil || v != c.v || !bytes.Equal(rest, []byte{7}) {
			t.Errorf("%v: TakeScalar returned %v, %v, %v", c.v, v, rest, err)
		}
		for n := range b {
			if _, _, err := schema.TakeScalar(b[:n], &c.t); !errors.Is(err, schema.ErrValue) {
				t.Errorf("%v, of which only %d bytes are there: TakeScalar returned %v", c.v, n, err)
			}
		}
	}
	for _, v := range []any{1, "x", nil, []any{}, map[string]any{}, map[string]any{"b": int64(1)}, map[string]any{"a": int64(1), "b": int64(1)}} {
		if _, err := s.Append(nil, &s.Root, v); !errors.Is(err, schema.ErrValue) {
			t.Errorf("%v: Append returned %v, want ErrValue", v, err)
		}
	}
}
