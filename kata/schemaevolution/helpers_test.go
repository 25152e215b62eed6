package schemaevolution_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/schemaevolution"
	"github.com/backend-kata/dojo/kata/schemaevolution/samples"
	"github.com/backend-kata/dojo/kata/schemaevolution/schema"
)

type (
	rec     = map[string]any
	items   = []any
	records = map[string][]schema.Field
)

var (
	whole, double, text, enum, falls = samples.Whole, samples.Double, samples.Text, samples.Enum, samples.Falls
	list, maybe, record, field, or   = samples.List, samples.Maybe, samples.Record, samples.Field, samples.Or
	of, with, line, row              = samples.Of, samples.With, samples.Line, samples.Row
	long, ring                       = samples.Long, samples.Ring
)

// must returns the bytes of a value.
func must(s *schema.Schema, v rec) []byte {
	b, err := s.Encode(v)
	if err != nil {
		panic(fmt.Sprint(err, show{v})) // the step is wrong
	}
	return b
}

// show is a value as a reader of Go would write it, and a double with its point. It is written when a step fails.
type show struct{ any }

func (s show) String() string {
	text := writes(s.any)
	return text[:min(len(text), 400)]
}

func writes(v any) string {
	var all []string
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("%.60q", v)
	case float64:
		return fmt.Sprintf("%#v", v)
	case items:
		for _, item := range v {
			all = append(all, writes(item))
		}
		return "[" + strings.Join(all, " ") + "]"
	case rec:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			all = append(all, name+": "+writes(v[name]))
		}
		return "{" + strings.Join(all, ", ") + "}"
	}
	return fmt.Sprint(v)
}

// without is a record without the fields that the other has too.
func without(v, other rec) rec {
	v = maps.Clone(v)
	maps.DeleteFunc(v, func(name string, part any) bool {
		o, ok := other[name]
		return ok && writes(part) == writes(o)
	})
	return v
}

// hex is bytes, not too many.
type hex []byte

func (h hex) String() string { return fmt.Sprintf("%x", []byte(h)[:min(len(h), 150)]) }

// A pair is what a writer writes and a reader reads.
type pair struct {
	*step.T

	w, r *schema.Schema
}

// read reads bytes, which are overwritten then.
func (p pair) read(b []byte, why string) (*schemaevolution.Message, error) {
	p.Helper()
	own := slices.Clone(b)
	m, err := schemaevolution.NewReader(p.w, p.r).Read(own)
	for i := range own {
		own[i] = 0xff
	}
	step.Expect(p, m != nil || err != nil, "%s: Read should return a message or an error. It returned neither.", why)
	return m, err
}

func number(name string) schema.Field { return field(name, whole) }

// reads writes a value, and expects what the reader sees.
func (p pair) reads(written, want rec, why string) *schemaevolution.Message {
	p.Helper()
	b := must(p.w, written)
	m, err := p.read(b, why)
	step.Expect(p, err == nil, "%s: it wrote %s. Read should read it. It returned the error %q.", why, show{written}, fmt.Sprint(err))
	p.sees(m, want, why)
	p.writes(m, written, why)
	return m
}

func (p pair) sees(m *schemaevolution.Message, want rec, why string) {
	p.Helper()
	got := m.Value()
	b, err := p.r.Encode(got)
	step.Expect(p, err == nil && bytes.Equal(b, must(p.r, want)), "%s: the reader should see\n  %s\nIt sees\n  %s", why,
		show{without(want, got)}, show{without(got, want)})
}

func (p pair) writes(m *schemaevolution.Message, want rec, why string) {
	p.Helper()
	got, b := m.Encode(), must(p.w, want)
	step.Expect(p, bytes.Equal(got, b), "%s: Encode should write what was read, and what was set, as the writer's schema has it, "+
		"in the bytes\n  %v\nIt wrote\n  %v", why, hex(b), hex(got))
}

// refuses expects a rule and a path. What stands in the path for any position is -1.
func (p pair) refuses(written rec, rule schema.Rule, why string, path ...any) {
	p.Helper()
	_, err := p.read(must(p.w, written), why)
	var refused *schema.Refused
	step.Expect(p, errors.As(err, &refused), "%s: it wrote %s. Read should return a *schema.Refused. It returned %v.", why, show{written}, err)
	p.is(refused, rule, path, why)
}

func (p pair) is(refused *schema.Refused, rule schema.Rule, path []any, why string) {
	p.Helper()
	step.Expect(p, refused.Rule == rule, "%s: it is refused, and the rule should be %q. It is %q.", why, rule, refused.Rule)
	same := len(path) == len(refused.Path)
	for i := 0; same && i < len(path); i++ {
		_, isItem := refused.Path[i].(int)
		same = path[i] == refused.Path[i] || path[i] == -1 && isItem
	}
	step.Expect(p, same, "%s: it is refused, and the path should be %v (-1: any position). It is %v.", why, path, refused.Path)
}

func (p pair) corrupt(b []byte, why string) {
	p.Helper()
	_, err := p.read(b, why)
	step.Expect(p, errors.Is(err, schema.ErrCorrupt), "%s: Read of the bytes %v should return ErrCorrupt. It returned %v.", why, hex(b), err)
}

// incompatible looks whether what is returned is what the reader refuses.
func (p pair) incompatible(why string) *schema.Refused {
	p.Helper()
	refused := schemaevolution.Incompatible(p.w, p.r)
	if refused == nil {
		return nil
	}
	b, err := p.w.Encode(refused.Value)
	step.Expect(p, err == nil, "%s: Incompatible should return a value of the writer's. It returned\n  %s", why, show{refused.Value})
	_, err = p.read(b, why)
	var again *schema.Refused
	step.Expect(p, errors.As(err, &again), "%s: Read should refuse the value that Incompatible returned,\n  %s\nIt returned the error %v.",
		why, show{refused.Value}, err)
	return refused
}

// damaged are bytes that are right, and some that are not.
var damaged = []struct {
	why  string
	t    schema.Type
	good string
	bad  []string
}{
	{"a number is longer than it need be, or too long", whole, "\x80\x01", []string{
		"\x80\x00", "\x81\x80\x00", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "\x80",
	}},
	{"a text is no UTF-8, or its length is wrong", text, "\x02\xc3\xa9", []string{
		"\x02\xc3\x28", "\x01\xc3", "\x03\xc3\xa9", "\x82\x00\xc3\xa9",
	}},
	{"an enum has no such position", enum("a", "b"), "\x01", []string{"\x02", "\x81\x00", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"}},
	{"an optional is neither nil nor there", maybe(whole), "\x01\x02", []string{"\x02\x02", "\x81\x00\x02", "\x00\x02", "\x80\x00", "\x01"}},
	{"a list has another number of items", list(whole), "\x02\x02\x04", []string{
		"\x03\x02\x04", "\x01\x02\x04", "\x82\x00\x02\x04", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02",
	}},
	{"a double has not eight bytes", double, "12345678", []string{"1234567", "123456789"}},
}

// An attack is bytes that are to cost a reader much.
type attack struct {
	why     string
	w, r    *schema.Schema
	b       string
	records int // in the bytes
	right   bool
}

func attacks() []attack {
	var wide []schema.Field
	for i := range 1000 {
		wide = append(wide, or(int64(i), fmt.Sprint("f", i), whole))
	}
	tree := of("Node", records{"Node": {field("kids", list(record("Node")))}})
	deep := of("Node", records{"Node": append([]schema.Field{field("next", maybe(record("Node")))}, wide...)})
	lines := of("Order", records{"Order": {field("lines", list(record("Line")))}, "Line": {number("a")}})
	more := of("Order", records{"Order": {field("lines", list(record("Line")))}, "Line": append([]schema.Field{number("a")}, wide...)})
	numbers := with(field("a", list(whole)))
	nested := records{"Root": {field("a", list(record("B989")))}, "B0": {number("v")}}
	for i := range 989 {
		nested[fmt.Sprint("B", i+1)] = []schema.Field{field("b", record(fmt.Sprint("B", i)))}
	}
	boxes := of("Root", nested)
	huge := "\xff\xff\xff\xff\xff\xff\xff\xff\x0f" // 2⁶⁰ - 1
	return []attack{
		{
			"A list has 400 records of one byte, and the reader 1,000 more fields with defaults in each", lines, more,
			"\x90\x03" + strings.Repeat("\x02", 400), 401, true,
		},
		{"A list is long", lines, lines, "\x90\x4e" + strings.Repeat("\x02", 10_000), 10_001, true},
		{"A list says that it has 2⁶⁰ records", lines, lines, huge + "\x02\x02", 3, false},
		{"A list says that it has 300,000 numbers", numbers, numbers, "\xe0\xa7\x12" + "\x02\x02", 1, false},
		{"A text says that it has 2⁶⁰ bytes", with(field("a", text)), with(field("a", text)), huge + "x", 1, false},
		{"A text says that it has 32 MiB", with(field("a", text)), with(number("b")), "\x80\x80\x80\x10" + "x", 1, false},
		{
			"Each of 999 nested lists says that it has 2,000 records", tree, tree,
			strings.Repeat("\xd0\x0f", 999) + strings.Repeat("\x00", 2000), 3000, false,
		},
		{"Of each of 999 nested records the other 1,000 fields are missing", deep, deep, strings.Repeat("\x01", 999), 1000, false},
		{"Each of 5 items has 990 records in each other, in one byte", boxes, boxes, "\x05\x02\x02\x02\x02\x02", 4951, true},
	}
}

// wreck changes all that lies in a value.
func wreck(v any) {
	list, _ := v.(items)
	fields, _ := v.(rec)
	for _, part := range slices.Concat(list, slices.Collect(maps.Values(fields))) {
		wreck(part)
	}
	clear(list)
	clear(fields)
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// refuses reports whether a value of w's is refused by r.
func refuses(w, r *schema.Schema, v rec) bool {
	b, err := w.Encode(v)
	_, no := schemaevolution.NewReader(w, r).Read(b)
	var refused *schema.Refused
	return err == nil && errors.As(no, &refused)
}

// damages reads the bytes of a few values that have been damaged, and of some that have not.
func damages(t *step.T, seed int) {
	t.Helper()
	m := samples.ByChance(seed)
	w := m.Schema()
	r := m.Next(w, seed%4)
	same, other := schemaevolution.NewReader(w, w), schemaevolution.NewReader(w, r)
	for range 8 {
		b := m.Damaged(must(w, m.Root(w)))
		why := fmt.Sprintf("Bytes by chance, seed %d, %x, of %v", seed, b, w.Records)
		read, err := same.Read(b)
		step.Expect(t, err == nil || errors.Is(err, schema.ErrCorrupt), "%s: Read by the writer's own schema should return "+
			"ErrCorrupt or no error. It returned %v.", why, err)
		if err == nil {
			v := read.Value()
			again, wrong := w.Encode(v)
			step.Expect(t, wrong == nil && bytes.Equal(again, b), "%s: Read should return ErrCorrupt, or a value that has these bytes. "+
				"It returned %v.", why, show{v})
		}
		read, no := other.Read(b)
		var refused *schema.Refused
		switch {
		case err != nil:
			step.Expect(t, errors.Is(no, schema.ErrCorrupt), "%s, which are corrupt, by %v: Read should return ErrCorrupt. It returned %v.",
				why, r.Records, no)
		case no != nil:
			step.Expect(t, errors.As(no, &refused), "%s, which are right, by %v: Read should return a *schema.Refused or no error. "+
				"It returned %v.", why, r.Records, no)
		default:
			step.Expect(t, bytes.Equal(read.Encode(), b), "%s, by %v: Encode should return what was read. It returned %x.",
				why, r.Records, read.Encode())
		}
	}
}
