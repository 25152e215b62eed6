// Package samples holds what the steps of the kata schemaevolution read: the schemas and values of a shop, and others by chance.
package samples

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/backend-kata/dojo/kata/schemaevolution/schema"
)

// The types without parts.
var (
	Whole  = schema.Type{Kind: schema.Int}
	Double = schema.Type{Kind: schema.Double}
	Text   = schema.Type{Kind: schema.String}
)

// Enum is an enum without a fallback.
func Enum(symbols ...string) schema.Type { return schema.Type{Kind: schema.Enum, Symbols: symbols} }

// List is a list.
func List(of schema.Type) schema.Type { return schema.Type{Kind: schema.List, Of: &of} }

// Maybe is an optional.
func Maybe(of schema.Type) schema.Type { return schema.Type{Kind: schema.Optional, Of: &of} }

// Record is a record.
func Record(name string) schema.Type { return schema.Type{Kind: schema.Record, Name: name} }

// Falls is an enum whose first symbol is the fallback.
func Falls(symbols ...string) schema.Type {
	t := Enum(symbols...)
	t.Fallback = symbols[0]
	return t
}

// Field is a field without a default.
func Field(name string, t schema.Type, aliases ...string) schema.Field {
	return schema.Field{Name: name, Type: t, Aliases: aliases}
}

// Or is a field with a default.
func Or(v any, name string, t schema.Type, aliases ...string) schema.Field {
	return schema.Field{Name: name, Type: t, Aliases: aliases, HasDefault: true, Default: v}
}

// With makes a schema of one record.
func With(fields ...schema.Field) *schema.Schema {
	return Of("Order", map[string][]schema.Field{"Order": fields})
}

// Of makes a schema. It panics if it is none.
func Of(root string, records map[string][]schema.Field) *schema.Schema {
	s, err := schema.New(root, records)
	if err != nil {
		panic(err)
	}
	return s
}

type (
	rec   = map[string]any
	items = []any
)

// Now is what a shop writes now, and Old what an old program knows of it.
var (
	Now = Of("Order", map[string][]schema.Field{
		"Order": {
			Field("discount", Double), Field("customer", Record("Customer")), Field("quantity", Whole), Field("price", Whole),
			Field("lines", List(Record("Line"))),
			Field("state", Enum("new", "paid", "sent", "lost")), Field("note", Maybe(Text)), Field("code", Text),
			Field("gift", Maybe(Record("Line"))),
			Field("extra", Maybe(Whole)), Field("mark", Maybe(Enum("x"))), Field("word", Maybe(Text)), Field("weight", Double),
			Field("coupon", Maybe(Text)),
			Field("numbers", List(Whole)), Field("size", Maybe(Enum("x"))),
		},
		"Customer": {Field("vip", Enum("no", "yes")), Field("name", Text), Field("tags", List(Text))},
		"Line":     {Field("tax", Whole), Field("sku", Text), Field("sub", List(Record("Line"))), Field("memo", Maybe(Text))},
	})
	Old = Of("Order", map[string][]schema.Field{
		"Order": {
			Field("count", Whole, "quantity"), Field("customer", Record("Customer")), Field("lines", List(Record("Line"))), Field("price", Double),
			Field("state", Falls("unknown", "new", "paid")), Field("note", Text), Field("code", Maybe(Text)),
			Field("gift", Maybe(Record("Line"))),
			Field("extra", Maybe(Text)), Field("mark", Maybe(Text)), Field("word", Maybe(Enum("x"))), Field("weight", Double),
			Field("coupon", Maybe(Text)),
			Or("EUR", "currency", Text), Or(nil, "phone", Maybe(Text)), Or(rec{"street": "Main"}, "home", Record("Home")),
			Field("numbers", List(Double)),
			Field("size", Maybe(Enum("x", "y"))),
		},
		"Home":     {Field("street", Text)},
		"Customer": {Field("called", Text, "name"), Or(int64(3), "rank", Whole)},
		"Line":     {Field("sub", List(Record("Line"))), Field("sku", Text)},
	})
)

// Line is a line of an order, as it is written now.
func Line(sku string, tax int64, sub ...any) rec {
	return rec{"sku": sku, "tax": tax, "sub": sub, "memo": "m"}
}

// Row is the same as an old program sees it.
func Row(sku string, sub ...any) rec { return rec{"sku": sku, "sub": sub} }

// Written is an order as it is written now.
func Written() rec {
	return rec{
		"discount": 0.5, "customer": rec{"vip": "yes", "name": "Ada", "tags": items{"t"}}, "quantity": int64(2), "price": int64(1<<53 + 1),
		"lines": items{Line("A", 1), Line("A", 1), Line("B", 2, Line("C", 3, Line("D", 4)))}, "state": "lost", "note": "n", "code": "c",
		"gift": Line("G", 5), "extra": nil, "mark": nil, "word": nil, "weight": 1.5, "coupon": nil,
		"numbers": items{int64(1), int64(2)}, "size": nil,
	}
}

// Seen is the same as an old program sees it.
func Seen() rec {
	return rec{
		"count": int64(2), "customer": rec{"called": "Ada", "rank": int64(3)}, "price": float64(1 << 53), "state": "unknown",
		"note": "n", "code": "c",
		"lines": items{Row("A"), Row("A"), Row("B", Row("C", Row("D")))}, "gift": Row("G"), "extra": nil, "mark": nil, "word": nil, "weight": 1.5,
		"coupon": nil, "currency": "EUR", "phone": nil, "home": rec{"street": "Main"}, "numbers": items{1.0, 2.0}, "size": nil,
	}
}

// Long has 100 optional records in each other. In the last of them may lie 900 more, one in the other, D899 the outermost, and
// one more than that, D900.
func Long(last ...schema.Field) *schema.Schema {
	all := map[string][]schema.Field{"R0": last, "D0": {Field("z", Whole)}}
	for i := range 901 * (len(last) - 1) {
		all[fmt.Sprint("D", i+1)] = []schema.Field{Field("d", Record(fmt.Sprint("D", i)))}
	}
	for i := range 99 {
		all[fmt.Sprint("R", i+1)] = []schema.Field{Field("n", Maybe(Record(fmt.Sprint("R", i))))}
	}
	return Of("R99", all)
}

// Ring has three records that contain each other in a ring.
func Ring(last ...schema.Field) *schema.Schema {
	return Of("A", map[string][]schema.Field{
		"A": {Field("n", Maybe(Record("B"))), Field("v", Whole)},
		"B": {Field("n", Maybe(Record("C"))), Field("v", Whole)},
		"C": append(last, Field("n", Maybe(Record("A")))),
	})
}

// A Maker makes schemas and values by chance.
type Maker struct{ *rand.Rand }

// ByChance returns the Maker of a seed.
func ByChance(seed int) Maker { return Maker{rand.New(rand.NewPCG(uint64(seed), 16))} }

var symbols = []string{"new", "paid", "sent", "lost"}

// scalar is a type without parts.
func (m Maker) scalar() schema.Type {
	switch m.IntN(4) {
	case 0:
		return schema.Type{Kind: schema.Int}
	case 1:
		return schema.Type{Kind: schema.Double}
	case 2:
		return schema.Type{Kind: schema.String}
	}
	n := 1 + m.IntN(len(symbols))
	of := slices.Clone(symbols)
	m.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
	t := schema.Type{Kind: schema.Enum, Symbols: of[:n]}
	if m.IntN(2) == 0 {
		t.Fallback = of[0]
	}
	return t
}

// kind is a type, whose records may only be those after the nth, or stand in lists and optionals.
func (m Maker) kind(n int, names []string, free bool) schema.Type {
	switch c := m.IntN(8); {
	case c == 0:
		of := m.kind(n, names, true)
		return schema.Type{Kind: schema.List, Of: &of}
	case c == 1:
		if t := m.kind(n, names, true); t.Kind != schema.Optional {
			return schema.Type{Kind: schema.Optional, Of: &t}
		}
	case c < 4 && free:
		return schema.Type{Kind: schema.Record, Name: names[m.IntN(len(names))]}
	case c < 4 && n+1 < len(names):
		return schema.Type{Kind: schema.Record, Name: names[n+1+m.IntN(len(names)-n-1)]}
	}
	return m.scalar()
}

// Schema returns a schema of up to three records.
func (m Maker) Schema() *schema.Schema {
	names := []string{"A", "B", "C"}[:1+m.IntN(3)]
	all := map[string][]schema.Field{}
	for n, name := range names {
		for i := range 1 + m.IntN(4) {
			all[name] = append(all[name], schema.Field{Name: string(rune('p' + i)), Type: m.kind(n, names, false)})
		}
	}
	return Of("A", all)
}

// Next returns what a schema may be a year later. Few changes are compatible with all that was written.
func (m Maker) Next(s *schema.Schema, changes int) *schema.Schema {
	all := map[string][]schema.Field{}
	for name, fields := range s.Records {
		all[name] = slices.Clone(fields)
	}
	names := slices.Sorted(maps.Keys(all))
	for i := range changes {
		name := names[m.IntN(len(names))]
		fields := all[name]
		f := &fields[m.IntN(len(fields))]
		c := m.IntN(8)
		if f.HasDefault { // its type stays
			c = 7
		}
		switch {
		case c == 0 && len(f.Aliases) == 0:
			f.Aliases, f.Name = []string{f.Name}, f.Name+"2"
		case c == 1 && f.Type.Kind == schema.Int:
			f.Type = schema.Type{Kind: schema.Double}
		case c == 2 && f.Type.Kind != schema.Optional:
			of := f.Type
			f.Type = schema.Type{Kind: schema.Optional, Of: &of}
		case c == 3 && f.Type.Kind == schema.Enum:
			f.Type = m.scalar()
		case c == 4 && f.Type.Kind == schema.Optional && f.Type.Of.Kind != schema.Record:
			f.Type = *f.Type.Of
		case c == 5 && len(fields) > 1:
			all[name] = slices.DeleteFunc(fields, func(g schema.Field) bool { return g.Name == f.Name })
		case c == 6:
			all[name] = append(fields, Or(int64(7), fmt.Sprint("z", i), Whole))
		default:
			m.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
		}
	}
	return Of("A", all)
}

// value is a value of a type, with about so many parts.
func (m Maker) value(s *schema.Schema, t *schema.Type, size int) any {
	if size < 0 {
		return s.Least(t)
	}
	switch t.Kind {
	case schema.Int:
		return int64(m.Uint64()) >> m.IntN(64)
	case schema.Double:
		return math.Round(m.NormFloat64()*100) / 4
	case schema.String:
		return "né"[:m.IntN(2)*3]
	case schema.Enum:
		return t.Symbols[m.IntN(len(t.Symbols))]
	case schema.List:
		all := []any{}
		for range m.IntN(4) {
			all = append(all, m.value(s, t.Of, size/3-1))
		}
		return all
	case schema.Optional:
		if m.IntN(3) == 0 {
			return nil
		}
		return m.value(s, t.Of, size-1)
	case schema.Record:
		v := map[string]any{}
		for _, f := range s.Records[t.Name] {
			v[f.Name] = m.value(s, &f.Type, size/2-1)
		}
		return v
	}
	return nil
}

// Root returns a value of a schema.
func (m Maker) Root(s *schema.Schema) map[string]any {
	v, _ := m.value(s, &s.Root, 40).(map[string]any)
	return v
}

// Damaged returns bytes of which a few are others, more or missing. Of four it leaves one as it is.
func (m Maker) Damaged(b []byte) []byte {
	b = slices.Clone(b)
	for range m.IntN(4) {
		at := m.IntN(len(b) + 1)
		switch c := m.IntN(5); {
		case c == 0 && at < len(b):
			b = slices.Delete(b, at, at+1)
		case c == 1:
			b = slices.Insert(b, at, byte(m.IntN(3)))
		case c == 2:
			b = b[:at]
		case at < len(b):
			b[at] = []byte{0, 1, 2, 0x7f, 0x80, 0xff, b[at] + 1, b[at] ^ 0x80}[m.IntN(8)]
		}
	}
	return b
}
