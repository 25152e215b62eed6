// Package schema is what the kata schemaevolution gives: schemas, their values, the bytes of these, and the words of the answers.
package schema

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"unicode/utf8"
)

// What New, and what Encode, Append and the functions that take bytes return.
var (
	ErrSchema = errors.New("it is not a schema")
	ErrValue  = errors.New("it is not a value of this type")
)

// What a Reader and a Message return; ErrValue is another.
var (
	ErrCorrupt = errors.New("no value of the writer's schema has these bytes")
	ErrPath    = errors.New("nothing to set is at this path")
	ErrLost    = errors.New("the writer's schema cannot hold this value")
)

// MaxDepth is how many records may lie in each other in a value, the outermost counted.
const MaxDepth = 1000

// A Kind of type.
type Kind int

// The kinds, the Go values of each, and their bytes. A length, a position and a number of items are written as by
// [binary.AppendUvarint].
const (
	Int      Kind = iota + 1 // int64, written as by binary.AppendVarint
	Double                   // float64: its 8 bytes, the lowest first
	String                   // string of valid UTF-8: its length in bytes, then it
	Enum                     // string, one of the symbols: its position in the list, from 0
	List                     // []any: the number of items, then each
	Optional                 // nil: a byte 0; or a value of Of: a byte 1, then the value
	Record                   // map[string]any, its fields and no others: each, in the schema's order
)

// A Type says what a value is.
type Type struct {
	Kind     Kind
	Symbols  []string // of an Enum
	Fallback string   // of an Enum: what a symbol that the reader does not have is read as; "": nothing
	Of       *Type    // of a List or an Optional; no Optional in an Optional
	Name     string   // of a Record
}

// Bare returns the type without the Optional around it, if there is one; of nil nil.
func (t *Type) Bare() *Type {
	if t != nil && t.Kind == Optional {
		return t.Of
	}
	return t
}

// A Field of a record. Names and aliases of one record are all different.
type Field struct {
	Name       string
	Aliases    []string // other names that a writer may have for it
	Type       Type
	HasDefault bool
	Default    any
}

// A Schema is a record, with those in it. It does not change, and is safe for concurrent use.
type Schema struct {
	Root    Type               // a Record
	Records map[string][]Field // by name, at least one field each

	fields map[string]map[string]*Field // by the names of the record and the field
	least  map[string]any               // a value of each record
}

// A Rule says why a value is refused.
type Rule string

// The rules.
const (
	RuleMissing Rule = "the writer has no such field, and it has no default"
	RuleType    Rule = "it is of another type"
	RuleNone    Rule = "it is nil, and not optional"
	RuleSymbol  Rule = "the symbol is unknown, and there is no fallback"
)

// Refused says what a reader refuses.
type Refused struct { //nolint:errname // the word of the contract
	Path  []any          // where, as Set takes it; of RuleMissing the field
	Rule  Rule           // why
	Value map[string]any // a value of the writer's; nil if Read returns it
}

func (r *Refused) Error() string { return string(r.Rule) }

// A Mode says what a new version must keep to.
type Mode struct{ Backward, Forward, Transitive bool }

// An Order says who is deployed first with a new version.
type Order string

// The orders.
const (
	AnyOrder     Order = "any order"
	ReadersFirst Order = "readers first"
	WritersFirst Order = "writers first"
	Together     Order = "together"
)

// New makes the schema of the record root. It keeps what it is given. It returns an ErrSchema if a default is no value of its
// type, or if no value fits one of the records: one that always contains itself.
func New(root string, records map[string][]Field) (*Schema, error) {
	s := &Schema{Root: Type{Kind: Record, Name: root}, Records: records, fields: map[string]map[string]*Field{}, least: map[string]any{}}
	for name, fields := range records {
		s.fields[name] = map[string]*Field{}
		for i := range fields {
			s.fields[name][fields[i].Name] = &fields[i]
		}
		if err := s.check(fields); err != nil {
			return nil, fmt.Errorf("record %s: %w", name, err)
		}
	}
	for depth, n := 0, -1; depth < MaxDepth && n < len(s.least); depth++ { // each turn finds values that are one record deeper
		n = len(s.least)
		found := map[string]any{}
		for name, fields := range records {
			if s.least[name] != nil {
				continue
			}
			if v, ok := s.leastRecord(fields); ok {
				found[name] = v
			}
		}
		maps.Copy(s.least, found)
	}
	if len(s.least) < len(records) || records[root] == nil {
		return nil, fmt.Errorf("%w: no value fits one of its records", ErrSchema)
	}
	return s, nil
}

// Field returns a field of a record by its name, or nil if there is none.
func (s *Schema) Field(record, name string) *Field { return s.fields[record][name] }

func (s *Schema) check(fields []Field) error {
	var names []string
	for _, f := range fields {
		names = append(append(names, f.Name), f.Aliases...)
		if err := s.checkType(f.Type); err != nil {
			return fmt.Errorf("field %s: %w", f.Name, err)
		}
		if _, err := s.Append(nil, &f.Type, f.Default); f.HasDefault && err != nil {
			return fmt.Errorf("%w: the default of %s: %w", ErrSchema, f.Name, err)
		}
	}
	if !distinct(names) {
		return fmt.Errorf("%w: its fields are %q", ErrSchema, names)
	}
	return nil
}

func (s *Schema) checkType(t Type) error {
	var ok bool
	switch t.Kind {
	case Int, Double, String:
		ok = true
	case Enum:
		ok = distinct(t.Symbols) && (t.Fallback == "" || slices.Contains(t.Symbols, t.Fallback))
	case List, Optional:
		if t.Of != nil && (t.Kind == List || t.Of.Kind != Optional) {
			return s.checkType(*t.Of)
		}
	case Record:
		ok = s.Records[t.Name] != nil
	}
	if !ok {
		return fmt.Errorf("%w: %+v", ErrSchema, t)
	}
	return nil
}

func distinct(names []string) bool {
	sorted := slices.Sorted(slices.Values(names))
	return len(names) > 0 && sorted[0] != "" && len(slices.Compact(sorted)) == len(names)
}

// Least returns a value of a type of this schema, as small and flat as can be. Do not change it.
func (s *Schema) Least(t *Type) any {
	switch t.Kind {
	case Int:
		return int64(0)
	case Double:
		return 0.0
	case String:
		return ""
	case Enum:
		return t.Symbols[0]
	case List:
		return []any{}
	case Record:
		return s.least[t.Name]
	case Optional:
	}
	return nil
}

func (s *Schema) leastRecord(fields []Field) (any, bool) {
	for _, f := range fields {
		if f.Type.Kind == Record && s.least[f.Type.Name] == nil {
			return nil, false
		}
	}
	v := map[string]any{}
	for _, f := range fields {
		v[f.Name] = s.Least(&f.Type)
	}
	return v, true
}

// Encode returns the bytes of a value, or an ErrValue.
func (s *Schema) Encode(v map[string]any) ([]byte, error) { return s.Append(nil, &s.Root, v) }

// Append appends the bytes of a value of the type, which is of this schema. It returns an ErrValue if v is none.
func (s *Schema) Append(b []byte, t *Type, v any) ([]byte, error) { return s.append(b, t, v, 0) }

func (s *Schema) append(b []byte, t *Type, v any, depth int) ([]byte, error) {
	if t.Kind == Optional {
		if v == nil {
			return append(b, 0), nil
		}
		b, t = append(b, 1), t.Of
	}
	switch v := v.(type) {
	case int64:
		if t.Kind == Int {
			return binary.AppendVarint(b, v), nil
		}
	case float64:
		if t.Kind == Double {
			return binary.LittleEndian.AppendUint64(b, math.Float64bits(v)), nil
		}
	case string:
		if t.Kind == String && utf8.ValidString(v) {
			return append(binary.AppendUvarint(b, uint64(len(v))), v...), nil
		}
		if i := slices.Index(t.Symbols, v); t.Kind == Enum && i >= 0 {
			return binary.AppendUvarint(b, uint64(i)), nil
		}
	case []any:
		if t.Kind == List {
			return s.appendList(b, t.Of, v, depth)
		}
	case map[string]any:
		if t.Kind == Record && depth < MaxDepth {
			return s.appendRecord(b, s.Records[t.Name], v, depth+1)
		}
	}
	return nil, fmt.Errorf("%w: a %T", ErrValue, v)
}

func (s *Schema) appendList(b []byte, of *Type, v []any, depth int) (_ []byte, err error) {
	b = binary.AppendUvarint(b, uint64(len(v)))
	for i := 0; i < len(v) && err == nil; i++ {
		b, err = s.append(b, of, v[i], depth)
	}
	return b, err
}

func (s *Schema) appendRecord(b []byte, fields []Field, v map[string]any, depth int) ([]byte, error) {
	if len(v) != len(fields) {
		return nil, fmt.Errorf("%w: it has %d fields, not %d", ErrValue, len(v), len(fields))
	}
	for i := range fields {
		item, ok := v[fields[i].Name]
		if !ok {
			return nil, fmt.Errorf("%w: it has no field %s", ErrValue, fields[i].Name)
		}
		var err error
		if b, err = s.append(b, &fields[i].Type, item, depth); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// TakeNumber takes a length, a position or a number of items off the bytes, and returns it with the others. It returns an
// ErrValue for one that Append writes in another way, and for one that is greater than most.
func TakeNumber(b []byte, most uint64) (uint64, []byte, error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > most || size > 1 && b[size-1] == 0 {
		return 0, nil, fmt.Errorf("%w: no number up to %d", ErrValue, most)
	}
	return n, b[size:], nil
}

// TakeScalar takes an Int, a Double, a String or an Enum off the bytes, and returns it with the others. It returns an ErrValue if
// there is none. A String is a copy.
func TakeScalar(b []byte, t *Type) (any, []byte, error) {
	switch t.Kind {
	case Int:
		n, b, err := TakeNumber(b, math.MaxUint64)
		return int64(n>>1) ^ -int64(n&1), b, err
	case Double:
		if len(b) >= 8 {
			return math.Float64frombits(binary.LittleEndian.Uint64(b)), b[8:], nil
		}
	case String:
		n, b, err := TakeNumber(b, uint64(len(b)))
		if err == nil && n <= uint64(len(b)) && utf8.Valid(b[:n]) {
			return string(b[:n]), b[n:], nil
		}
	case Enum:
		n, b, err := TakeNumber(b, uint64(len(t.Symbols)-1))
		if err == nil {
			return t.Symbols[n], b, nil
		}
	case List, Optional, Record:
	}
	return nil, nil, fmt.Errorf("%w: no %v", ErrValue, t.Kind)
}

// Copy returns a copy of a value.
func Copy(v any) any {
	switch v := v.(type) {
	case []any:
		c := make([]any, len(v))
		for i := range v {
			c[i] = Copy(v[i])
		}
		return c
	case map[string]any:
		c := map[string]any{}
		for name := range v {
			c[name] = Copy(v[name])
		}
		return c
	}
	return v
}
