//go:build solutions

package schemaevolution_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/kata/schemaevolution/schema"
	"github.com/backend-kata/dojo/solutions/schemaevolution"
)

// The example of docs/schemaevolution.md: an order as a service of last year knows it. Today's has a discount.
type order struct {
	ID       int64  `json:"id"`
	Quantity int    `json:"quantity"`
	Status   string `json:"status"`
}

// example: whole
func setQuantity(stored []byte, n int) ([]byte, error) {
	var o order // as this service knows it
	if err := json.Unmarshal(stored, &o); err != nil {
		return nil, err
	}
	o.Quantity = n
	return json.Marshal(o) // without the fields it does not know
}

// end

// example: kept
func setQuantityOnly(stored []byte, n int) ([]byte, error) {
	var o order
	if err := json.Unmarshal(stored, &o); err != nil {
		return nil, err // it is not an order
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(stored, &all); err != nil {
		return nil, err
	}
	if all == nil {
		return nil, errors.New("null is no order")
	}
	all["quantity"] = strconv.AppendInt(nil, int64(n), 10)
	return json.Marshal(all)
}

// end

func TestExample(t *testing.T) {
	const stored = `{"discount":{"code":"MAY","percent":10},"id":1042,"quantity":2,"status":"paid"}`
	log := fmt.Sprintf("stored           %s\n", stored)
	for _, way := range []struct {
		name string
		set  func([]byte, int) ([]byte, error)
		want string
	}{
		{"setQuantity", setQuantity, `{"id":1042,"quantity":3,"status":"paid"}`},
		{"setQuantityOnly", setQuantityOnly, `{"discount":{"code":"MAY","percent":10},"id":1042,"quantity":3,"status":"paid"}`},
	} {
		b, err := way.set([]byte(stored), 3)
		if err != nil || string(b) != way.want {
			t.Errorf("%s returns %s and %v, want %s", way.name, b, err, way.want)
		}
		log += fmt.Sprintf("%-16s %s\n", way.name, b)
	}
	t.Log("\n" + log)
	if b, err := setQuantityOnly([]byte("null"), 3); err == nil {
		t.Errorf("setQuantityOnly makes %s of null", b)
	}
}

// TestPlainJSON is what the page says of JSON in Go.
func TestPlainJSON(t *testing.T) {
	const newer = `{"ID":1042,"quantity":2,"status":"refunded","discount":10}`
	var o order
	if err := json.Unmarshal([]byte(newer), &o); err != nil || o != (order{ID: 1042, Quantity: 2, Status: "refunded"}) {
		t.Errorf("Unmarshal makes %+v of %s, and returns %v", o, newer, err)
	}
	strict := json.NewDecoder(strings.NewReader(newer))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&o); err == nil {
		t.Errorf("A strict decoder takes %s", newer)
	}
}

// A change makes version 2 of an order out of version 1. Without more, version 1 is id, quantity, status and note.
type change struct {
	name        string
	first, next []schema.Field
	value       func(version, i int) map[string]any
}

func field(name string, kind schema.Kind, aliases ...string) schema.Field {
	return schema.Field{Name: name, Type: schema.Type{Kind: kind}, Aliases: aliases}
}

func withDefault(f schema.Field, v any) schema.Field {
	f.HasDefault, f.Default = true, v
	return f
}

func status(fallback string, symbols ...string) schema.Field {
	return schema.Field{Name: "status", Type: schema.Type{Kind: schema.Enum, Symbols: symbols, Fallback: fallback}}
}

// changes are what an order may go through. Every value of an order is another.
func changes() []change {
	id, quantity, note := field("id", schema.Int), field("quantity", schema.Int), field("note", schema.String)
	values := func(more map[string]any) func(version, i int) map[string]any {
		return func(version, i int) map[string]any {
			v := map[string]any{"id": int64(1000 + i), "quantity": int64(2)}
			if version == 2 {
				for name, value := range more {
					if name == "qty" {
						delete(v, "quantity")
					}
					v[name] = value
				}
			}
			return v
		}
	}
	statuses := func(version, i int) map[string]any {
		v := map[string]any{"id": int64(1000 + i), "quantity": int64(2), "status": "paid"}
		if version == 2 && i%4 == 3 {
			v["status"] = "refunded"
		}
		return v
	}
	plain := []schema.Field{id, quantity}
	return []change{
		{
			name: "add a field with a default", first: plain,
			next:  []schema.Field{id, quantity, withDefault(field("discount", schema.Int), int64(0))},
			value: values(map[string]any{"discount": int64(10)}),
		},
		{
			name: "add a field without a default", first: plain, next: []schema.Field{id, quantity, field("discount", schema.Int)},
			value: values(map[string]any{"discount": int64(10)}),
		},
		{
			name: "remove a field that had no default", first: []schema.Field{id, quantity, note}, next: plain,
			value: func(version, i int) map[string]any {
				v := values(nil)(version, i)
				if version == 1 {
					v["note"] = "ring twice"
				}
				return v
			},
		},
		{
			name: "rename a field", first: plain, next: []schema.Field{id, field("qty", schema.Int)},
			value: values(map[string]any{"qty": int64(2)}),
		},
		{
			name: "rename it, with an alias", first: plain, next: []schema.Field{id, field("qty", schema.Int, "quantity")},
			value: values(map[string]any{"qty": int64(2)}),
		},
		{
			name: "integer to double", first: plain, next: []schema.Field{id, field("quantity", schema.Double)},
			value: values(map[string]any{"quantity": 2.0}),
		},
		{
			name: "new enum value, in a quarter of the orders", first: append(plain, status("", "new", "paid")),
			next: append(plain, status("", "new", "paid", "refunded")), value: statuses,
		},
		{
			name: "the same, with a fallback", first: append(plain, status("new", "new", "paid")),
			next: append(plain, status("new", "new", "paid", "refunded")), value: statuses,
		},
	}
}

// schemas returns both versions of an order; version 1 is at 1.
func (c change) schemas(t *testing.T) [3]*schema.Schema {
	var all [3]*schema.Schema
	for version, fields := range [][]schema.Field{1: c.first, 2: c.next} {
		if version == 0 {
			continue
		}
		s, err := schema.New("Order", map[string][]schema.Field{"Order": fields})
		if err != nil {
			t.Fatal(err)
		}
		all[version] = s
	}
	return all
}

// rollout replaces ten instances, one a minute: five readers and five writers, one side first. Each minute brings 100 orders, and
// each writer's go to all readers alike. For each order, seen is told of the writer's version, the order's number and what Read returned.
func (c change) rollout(t *testing.T, readersFirst bool, seen func(writer, i int, m *schemaevolution.Message, err error)) {
	s := c.schemas(t)
	version := func(instance, minute int, first bool) int {
		if !first {
			minute -= 5
		}
		if instance < minute {
			return 2
		}
		return 1
	}
	for i := range 1000 {
		minute := 1 + i/100
		w, r := version(i%5, minute, !readersFirst), version(i/5%5, minute, readersFirst)
		b, err := s[w].Encode(c.value(w, i/25))
		if err != nil {
			t.Fatal(err)
		}
		m, err := schemaevolution.NewReader(s[w], s[r]).Read(b)
		seen(w, i, m, err)
	}
}

// refused counts the orders of a rollout that are refused.
func (c change) refused(t *testing.T, readersFirst bool) (n int) {
	c.rollout(t, readersFirst, func(_, _ int, _ *schemaevolution.Message, err error) {
		if refused := (*schema.Refused)(nil); errors.As(err, &refused) {
			n++
		} else if err != nil {
			t.Fatal(err)
		}
	})
	return n
}

// replayed counts the orders of last year that a new reader refuses.
func (c change) replayed(t *testing.T) (n int) {
	s := c.schemas(t)
	for i := range 1000 {
		b, err := s[1].Encode(c.value(1, i))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := schemaevolution.NewReader(s[1], s[2]).Read(b); err != nil {
			n++
		}
	}
	return n
}

func (c change) order(t *testing.T) schema.Order {
	s := c.schemas(t)
	registry := schemaevolution.NewRegistry(nil)
	var order schema.Order
	for _, version := range s[1:] {
		var err error
		if order, err = registry.Add("order", version); err != nil {
			t.Fatal(err)
		}
	}
	return order
}

func TestRollout(t *testing.T) {
	table := "| change | who goes first | refused, readers first | refused, writers first | refused in a replay |\n|---|---|---|---|---|\n"
	for _, c := range changes() {
		order, first, last := c.order(t), c.refused(t, true), c.refused(t, false)
		want := schema.Together
		switch {
		case first == 0 && last == 0:
			want = schema.AnyOrder
		case first == 0:
			want = schema.ReadersFirst
		case last == 0:
			want = schema.WritersFirst
		}
		if order != want {
			t.Errorf("%s: Add says %s, and the rollout says %s", c.name, order, want)
		}
		table += fmt.Sprintf("| %s | %s | %d | %d | %s |\n", c.name, order, first, last, thousands(c.replayed(t)))
	}
	t.Log("\n" + table)
}

func thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

func TestNumber(t *testing.T) {
	renamed, alias := changes()[3], changes()[4]
	if first, last := renamed.refused(t, true), renamed.refused(t, false); first != last {
		t.Errorf("The renamed field is refused in %d orders with readers first, and in %d with writers first", first, last)
	}
	t.Logf("a renamed field makes readers refuse %d of 1,000 orders in a rolling deployment; "+
		"with an alias, %d if readers are deployed first, and %d if writers are", renamed.refused(t, true), alias.refused(t, true), alias.refused(t, false))
}

// TestErased: an old reader changes the quantity and writes the order back, as its own schema has it or by Encode.
func TestErased(t *testing.T) {
	erased := func(c change) (whole, kept, all int) {
		s := c.schemas(t)
		c.rollout(t, false, func(w, i int, m *schemaevolution.Message, err error) {
			if err != nil {
				t.Fatal(err)
			}
			value := c.value(w, i/25)
			if _, ok := value["discount"]; !ok && value["status"] != "refunded" {
				return
			}
			all++
			if err := m.Set(int64(3), "quantity"); err != nil {
				t.Fatal(err)
			}
			own := m.Value()
			if own["discount"] != value["discount"] || own["status"] != value["status"] {
				whole++
			}
			back, err := schemaevolution.NewReader(s[w], s[w]).Read(m.Encode())
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range value {
				if name == "quantity" {
					want = int64(3)
				}
				if back.Value()[name] != want {
					kept++
				}
			}
		})
		return whole, kept, all
	}
	all := changes()
	discounts, lost, n := erased(all[0])
	statuses, lostToo, m := erased(all[len(all)-1])
	t.Logf("%d of %d discounts and %d of %d refunds are gone; if unknown fields and symbols are kept, %d",
		discounts, n, statuses, m, lost+lostToo)
}

// TestNotTransitive: a field goes and comes back with another type. Each version reads the one before it, and the third not the first.
func TestNotTransitive(t *testing.T) {
	id := field("id", schema.Int)
	versions := [][]schema.Field{
		{id, field("discount", schema.Int)}, {id}, {id, withDefault(field("discount", schema.String), "")},
	}
	registry := schemaevolution.NewRegistry(map[string]schema.Mode{
		"last": {Backward: true}, "all": {Backward: true, Transitive: true},
	})
	for i, fields := range versions {
		s, err := schema.New("Order", map[string][]schema.Field{"Order": fields})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := registry.Add("last", s); err != nil {
			t.Errorf("Version %d, compared with the last: %v", i+1, err)
		}
		if _, err := registry.Add("all", s); (err != nil) != (i == 2) {
			t.Errorf("Version %d, compared with all: %v", i+1, err)
		}
	}
}

// TestBytes writes one order as JSON, as Protocol Buffers would with the field numbers 1 to 6, and as package schema does.
func TestBytes(t *testing.T) {
	value := map[string]any{"id": int64(1042), "sku": "TEA-500", "quantity": int64(2), "status": "paid", "price": 12.5, "note": "ring twice"}
	s, err := schema.New("Order", map[string][]schema.Field{"Order": {
		field("id", schema.Int), field("sku", schema.String), field("quantity", schema.Int),
		status("", "new", "paid"), field("price", schema.Double), field("note", schema.String),
	}})
	if err != nil {
		t.Fatal(err)
	}
	ours, err := s.Encode(value)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	const varint, fixed64, length = 0, 1, 2 // wire types
	var numbered []byte
	tag := func(number, wire uint64) { numbered = binary.AppendUvarint(numbered, number<<3|wire) }
	tag(1, varint)
	numbered = binary.AppendUvarint(numbered, 1042)
	tag(2, length)
	numbered = append(append(numbered, byte(len("TEA-500"))), "TEA-500"...)
	tag(3, varint)
	numbered = binary.AppendUvarint(numbered, 2)
	tag(4, varint)
	numbered = binary.AppendUvarint(numbered, 1)
	tag(5, fixed64)
	numbered = binary.LittleEndian.AppendUint64(numbered, math.Float64bits(12.5))
	tag(6, length)
	numbered = append(append(numbered, byte(len("ring twice"))), "ring twice"...)
	t.Logf("%d bytes as JSON, %d with field numbers, %d by position, %d with Confluent's 5-byte prefix",
		len(text), len(numbered), len(ours), 5+len(ours))
}
