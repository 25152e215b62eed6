//go:build solutions

package schemaevolution

import (
	"bytes"
	"errors"
	"maps"
	"slices"

	"github.com/backend-kata/dojo/kata/schemaevolution/schema"
)

// A Reader reads what one schema wrote as another.
type Reader struct{ writer, reader *schema.Schema }

// NewReader returns the Reader of two schemas, which may be incompatible.
func NewReader(writer, reader *schema.Schema) *Reader { return &Reader{writer, reader} }

// source returns the field of the writer's that one of the reader's is read from, or nil.
func (r *Reader) source(record string, f *schema.Field) *schema.Field {
	from := r.writer.Field(record, f.Name)
	for i := 0; i < len(f.Aliases) && from == nil; i++ {
		from = r.writer.Field(record, f.Aliases[i])
	}
	return from
}

// Read reads one value.
func (r *Reader) Read(b []byte) (*Message, error) {
	d := &decoder{writer: r.writer, b: b}
	value := d.value(&r.writer.Root, 0)
	if d.err != nil || len(d.b) > 0 {
		return nil, schema.ErrCorrupt
	}
	v := &view{Reader: r, sparse: true}
	if v.of(&r.writer.Root, &r.reader.Root, value); v.refused != nil {
		return nil, v.refused
	}
	return &Message{r, value}, nil
}

// A decoder takes the writer's value off the bytes. What it makes grows with what it has read, never with what is said to come.
type decoder struct {
	writer *schema.Schema
	b      []byte // what is left
	err    error
}

func (d *decoder) number(most int) (n uint64) {
	n, d.b, d.err = schema.TakeNumber(d.b, uint64(most))
	return n
}

func (d *decoder) value(t *schema.Type, depth int) (v any) {
	if t.Kind == schema.Optional && d.number(1) == 0 {
		return nil
	}
	switch t = t.Bare(); t.Kind {
	case schema.List:
		items := []any{}
		for n := d.number(len(d.b)); n > 0 && d.err == nil; n-- {
			items = append(items, d.value(t.Of, depth))
		}
		return items
	case schema.Record:
		record := map[string]any{}
		if depth == schema.MaxDepth {
			d.b, d.err = nil, schema.ErrCorrupt
		}
		for i := 0; i < len(d.writer.Records[t.Name]) && d.err == nil; i++ {
			f := &d.writer.Records[t.Name][i]
			record[f.Name] = d.value(&f.Type, depth+1)
		}
		return record
	default:
		v, d.b, d.err = schema.TakeScalar(d.b, t)
		return v
	}
}

// A view of a value of the writer's is one of the reader's, or refused.
type view struct {
	*Reader

	sparse  bool // without defaults
	path    []any
	refused *schema.Refused // the first
}

func (s *view) of(w, r *schema.Type, v any) any {
	optional := r.Kind == schema.Optional
	w, r = w.Bare(), r.Bare()
	number, _ := v.(int64)
	symbol, _ := v.(string)
	switch {
	case v == nil && optional:
		return nil
	case v == nil:
		return s.refuse(schema.RuleNone)
	case w.Kind == schema.Int && r.Kind == schema.Double:
		return float64(number)
	case w.Kind != r.Kind:
		return s.refuse(schema.RuleType)
	case w.Kind == schema.Enum && !slices.Contains(r.Symbols, symbol) && r.Fallback == "":
		return s.refuse(schema.RuleSymbol)
	case w.Kind == schema.Enum && !slices.Contains(r.Symbols, symbol):
		return r.Fallback
	}
	switch v := v.(type) {
	case []any:
		items := []any{}
		for i := range v {
			items = append(items, s.part(i, w.Of, r.Of, v[i]))
		}
		return items
	case map[string]any:
		record := map[string]any{}
		for i := range s.reader.Records[r.Name] {
			f := &s.reader.Records[r.Name][i]
			from := s.source(w.Name, f)
			switch {
			case from != nil:
				record[f.Name] = s.part(f.Name, &from.Type, &f.Type, v[from.Name])
			case !f.HasDefault:
				return s.refuse(schema.RuleMissing, f.Name)
			case !s.sparse:
				record[f.Name] = schema.Copy(f.Default)
			}
		}
		return record
	}
	return v
}

func (s *view) part(at any, w, r *schema.Type, v any) any {
	s.path = append(s.path, at)
	part := s.of(w, r, v)
	s.path = s.path[:len(s.path)-1]
	return part
}

func (s *view) refuse(rule schema.Rule, at ...any) any {
	if s.refused == nil {
		s.refused = &schema.Refused{Path: append(slices.Clone(s.path), at...), Rule: rule}
	}
	return nil
}

// A Message is a value that was read.
type Message struct {
	by    *Reader
	value any // the writer's
}

// Value returns it as the reader sees it.
func (m *Message) Value() map[string]any {
	v, _ := (&view{Reader: m.by}).of(&m.by.writer.Root, &m.by.reader.Root, m.value).(map[string]any)
	return v
}

// Encode returns the bytes of it.
func (m *Message) Encode() []byte {
	b, _ := m.by.writer.Append(nil, &m.by.writer.Root, m.value) // what was read, and then set, is a value
	return b
}

// Set changes what is at a path of the reader's field names and of positions in lists (int).
func (m *Message) Set(v any, path ...any) error {
	w, r, old, put := &m.by.writer.Root, &m.by.reader.Root, m.value, func(any) {}
	for _, key := range path {
		w, r = w.Bare(), r.Bare()
		i, isItem := key.(int)
		name, _ := key.(string) // no field has the name ""
		switch at := old.(type) {
		case []any:
			if !isItem || i < 0 || i >= len(at) {
				return schema.ErrPath
			}
			w, r, old, put = w.Of, r.Of, at[i], func(v any) { at[i] = v }
		case map[string]any:
			f := m.by.reader.Field(r.Name, name)
			if f == nil {
				return schema.ErrPath
			}
			from := m.by.source(w.Name, f)
			if from == nil {
				return schema.ErrLost
			}
			w, r, old, put = &from.Type, &f.Type, at[from.Name], func(v any) { at[from.Name] = v }
		default:
			return schema.ErrPath
		}
	}
	if slices.Contains([]schema.Kind{schema.List, schema.Record}, r.Bare().Kind) {
		return schema.ErrPath
	}
	want, err := m.by.reader.Append(nil, r, v)
	if err != nil || m.by.reads(w, r, old, want) {
		return err // or it has that value already
	}
	if f, ok := v.(float64); ok && w.Bare().Kind == schema.Int {
		v = int64(f)
	}
	if _, err := m.by.writer.Append(nil, w, v); err != nil || !m.by.reads(w, r, v, want) {
		return schema.ErrLost
	}
	put(v)
	return nil
}

// reads reports whether the reader sees these bytes of its own in v.
func (r *Reader) reads(w, t *schema.Type, v any, want []byte) bool {
	b, _ := r.reader.Append(nil, t, (&view{Reader: r}).of(w, t, v))
	return bytes.Equal(b, want)
}

// Incompatible returns what the reader refuses of what the writer writes.
func Incompatible(writer, reader *schema.Schema) *schema.Refused {
	type place struct {
		w, r *schema.Type
		in   func(v any) any // a value of the writer's that has v there
	}
	d, known := NewReader(writer, reader), map[[2]string]bool{}
	for queue := []place{{&writer.Root, &reader.Root, func(v any) any { return v }}}; len(queue) > 0; queue = queue[1:] {
		p := queue[0]
		w, r := p.w.Bare(), p.r.Bare()
		samples := []any{writer.Least(p.w), writer.Least(w)}
		for _, symbol := range w.Symbols {
			samples = append(samples, symbol)
		}
		for _, v := range samples {
			b, _ := writer.Append(nil, &writer.Root, p.in(v)) // none, if it is too deep
			var refused *schema.Refused
			if _, err := d.Read(b); errors.As(err, &refused) {
				refused.Value, _ = schema.Copy(p.in(v)).(map[string]any)
				return refused
			}
		}
		if w.Kind == schema.List {
			queue = append(queue, place{w.Of, r.Of, func(v any) any { return p.in([]any{v}) }})
		}
		for i := range reader.Records[r.Name] {
			f := &reader.Records[r.Name][i]
			if from := d.source(w.Name, f); from != nil && !known[[2]string{w.Name, r.Name}] {
				queue = append(queue, place{&from.Type, &f.Type, func(v any) any {
					record := maps.Clone(writer.Least(w).(map[string]any)) //nolint:forcetypeassert // it is a record
					record[from.Name] = v
					return p.in(record)
				}})
			}
		}
		known[[2]string{w.Name, r.Name}] = true
	}
	return nil
}

// A Registry keeps the versions of each subject. It is for one caller at a time.
type Registry struct {
	modes    map[string]schema.Mode
	versions map[string][]*schema.Schema
}

// NewRegistry returns a Registry with the modes of its subjects; one without has the zero Mode.
func NewRegistry(modes map[string]schema.Mode) *Registry {
	return &Registry{modes, map[string][]*schema.Schema{}}
}

// Add adds a version.
func (r *Registry) Add(subject string, s *schema.Schema) (schema.Order, error) {
	mode, compared := r.modes[subject], r.versions[subject]
	if !mode.Transitive {
		compared = compared[max(0, len(compared)-1):]
	}
	reads, read := true, true
	for _, old := range compared {
		backward, forward := Incompatible(old, s), Incompatible(s, old)
		switch {
		case mode.Backward && backward != nil:
			return "", backward
		case mode.Forward && forward != nil:
			return "", forward
		}
		reads, read = reads && backward == nil, read && forward == nil
	}
	r.versions[subject] = append(r.versions[subject], s)
	return map[[2]bool]schema.Order{
		{true, true}:   schema.AnyOrder,
		{true, false}:  schema.ReadersFirst,
		{false, true}:  schema.WritersFirst,
		{false, false}: schema.Together,
	}[[2]bool{reads, read}], nil
}
