package schemaevolution_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/schemaevolution"
	"github.com/backend-kata/dojo/kata/schemaevolution/samples"
	"github.com/backend-kata/dojo/kata/schemaevolution/schema"
	"github.com/backend-kata/dojo/pkg/apart"
)

// What one schema wrote is read by the same schema, and bytes that it never writes are corrupt.
func TestOneSchema(t *testing.T) {
	step.Outside(t, func(t *step.T) {
		s := of("Order", records{
			"Order": {
				field("id", whole), field("price", double), field("note", text), field("state", enum("new", "paid", "sent")),
				field("tags", list(text)), field("gift", maybe(text)), field("lines", list(record("Line"))), field("last", maybe(record("Line"))),
			},
			"Line": {field("sku", text), field("counts", list(list(whole)))},
		})
		line := rec{"sku": "A-1", "counts": items{items{int64(1), int64(-2)}, items{}}}
		orders := []rec{
			{"id": int64(1), "price": 2.5, "note": "", "state": "new", "tags": items{}, "gift": nil, "lines": items{}, "last": nil},
			{
				"id": int64(math.MinInt64), "price": math.Inf(-1), "note": "für Zoë", "state": "sent", "tags": items{"", "x"}, "gift": "",
				"lines": items{line, line}, "last": line,
			},
			{
				"id": int64(math.MaxInt64), "price": math.Copysign(0, -1), "note": strings.Repeat("long ", 50), "state": "paid",
				"tags": items{}, "gift": "yes", "lines": items{line}, "last": nil,
			},
		}
		p := pair{t, s, s}
		reader := schemaevolution.NewReader(s, s)
		var all []*schemaevolution.Message
		for _, order := range orders {
			p.reads(order, order, "Writer and reader have one schema")
			m, err := reader.Read(must(s, order))
			step.NoError(t, err, "A Reader should read one value after the other.")
			all = append(all, m)
		}
		for i, m := range all {
			p.sees(m, orders[i], "The same Reader has read other values since")
			m.Value()["tags"] = nil
			if lines, _ := m.Value()["lines"].(items); len(lines) > 0 {
				lines[0].(rec)["sku"], lines[0] = "other", nil
			}
			p.sees(m, orders[i], "The caller has changed what Value returned")
			b := m.Encode()
			clear(b)
			_ = append(b[:0], "what the caller writes there"...)
			p.writes(m, orders[i], "The caller has changed what Encode returned")
		}
		for _, order := range orders[:2] {
			b := must(s, order)
			for n := range b {
				p.corrupt(b[:n], "The end of a value is missing")
			}
			p.corrupt(append(b, 0), "A byte follows a value")
		}
		for _, c := range damaged {
			s := with(field("a", c.t))
			p := pair{t, s, s}
			m, err := p.read([]byte(c.good), c.why)
			step.NoError(t, err, "These bytes are right: %x.", c.good)
			step.Equal(t, c.good, string(m.Encode()), "Encode should return the bytes that were read.")
			for _, bad := range c.bad {
				p.corrupt([]byte(bad), "The bytes are corrupt: "+c.why)
			}
		}
	})
}

// Fields are added, removed, moved and renamed, and types widened: the reader sees its own schema.
func TestFields(t *testing.T) {
	step.Outside(t, func(t *step.T) {
		old := with(field("id", whole), field("name", text), field("city", text))
		ada := rec{"id": int64(7), "name": "Ada", "city": "Ulm"}
		for _, c := range []struct {
			why  string
			w, r *schema.Schema
			v    rec
			want rec
		}{
			{
				"Fields were added, each with a default, and the record has another name", old, of("Client", records{"Client": {
					or("DE", "country", text), field("id", whole), or(nil, "phone", maybe(text)), field("name", text),
					or(items{int64(1)}, "marks", list(whole)), field("city", text),
				}}),
				ada,
				rec{"id": int64(7), "name": "Ada", "city": "Ulm", "country": "DE", "phone": nil, "marks": items{int64(1)}},
			},
			{"Fields were removed", old, with(field("name", text)), ada, rec{"name": "Ada"}},
			{"The order was changed", old, with(field("city", text), field("id", whole), field("name", text)), ada, ada},
			{
				"The writer has the field, so the default does not matter", old, with(or("none", "name", text), or(int64(1), "id", whole)), ada,
				rec{"name": "Ada", "id": int64(7)},
			},
			{
				"The reader has renamed a field, and knows the old name", old, with(field("place", text, "town", "city"), field("id", whole)), ada,
				rec{"place": "Ulm", "id": int64(7)},
			},
			{"The writer has both the name and an alias", old, with(field("name", text, "city")), ada, rec{"name": "Ada"}},
			{
				"The writer has two aliases, and the later one comes first with it", with(field("b", whole), field("a", whole)),
				with(field("c", whole, "x", "a", "b")),
				rec{"a": int64(1), "b": int64(2)},
				rec{"c": int64(1)},
			},
			{
				"The writer has an alias of a field, and it is the reader's that counts", with(field("town", text, "city")),
				with(or("none", "city", text)),
				rec{"town": "Ulm"},
				rec{"city": "none"},
			},
			{
				"Two fields have changed names", with(field("a", whole), field("b", whole)), with(field("b", whole), field("d", whole, "a")),
				rec{"a": int64(1), "b": int64(2)},
				rec{"b": int64(2), "d": int64(1)},
			},
			{
				"An int has become a double", with(field("a", whole), field("b", whole), field("c", maybe(whole)), field("d", list(whole))),
				with(field("a", double), field("b", double), field("c", maybe(double)), field("d", list(double))),
				rec{"a": int64(-3), "b": int64(1<<53 + 1), "c": int64(math.MaxInt64), "d": items{int64(1<<40 + 1)}},
				rec{"a": -3.0, "b": float64(1 << 53), "c": float64(1 << 63), "d": items{float64(1<<40 + 1)}},
			},
			{
				"The reader has other symbols, in another order", with(field("a", enum("new", "sent")), field("b", enum("new", "paid", "sent"))),
				with(field("a", falls("sent", "new", "none")), field("b", enum("paid"))),
				rec{"a": "sent", "b": "paid"},
				rec{"a": "sent", "b": "paid"},
			},
			{
				"The reader does not know a symbol, and has a fallback and a default",
				with(field("a", enum("new", "paid")), field("b", list(enum("x", "y"))), field("c", falls("p", "q"))),
				with(or("new", "a", falls("other", "new")), field("b", list(falls("z", "y"))), field("c", falls("r", "p"))),
				rec{"a": "paid", "b": items{"x", "y"}, "c": "q"},
				rec{"a": "other", "b": items{"z", "y"}, "c": "r"},
			},
			{
				"What was there always is optional now", with(field("a", text), field("b", list(whole)), number("c")),
				with(field("a", maybe(text)), field("b", maybe(list(maybe(whole)))), field("c", maybe(double))),
				rec{"a": "x", "b": items{int64(1)}, "c": int64(1)},
				rec{"a": "x", "b": items{int64(1)}, "c": 1.0},
			},
			{
				"What was optional has to be there now, and is", with(field("a", maybe(text)), field("b", maybe(whole))),
				with(or("none", "a", text), field("b", double)),
				rec{"a": "x", "b": int64(4)},
				rec{"a": "x", "b": 4.0},
			},
			{
				"The items are of another type, and there are none", with(field("a", list(text)), field("b", maybe(text)), field("c", whole)),
				with(field("a", list(whole)), field("b", maybe(whole)), field("c", whole)),
				rec{"a": items{}, "b": nil, "c": int64(1)},
				rec{"a": items{}, "b": nil, "c": int64(1)},
			},
		} {
			p := pair{t, c.w, c.r}
			m := p.reads(c.v, c.want, c.why)
			if marks, ok := m.Value()["marks"].(items); ok {
				marks[0] = int64(99)
				p.reads(c.v, c.want, "The caller has changed a default that Value returned")
			}
		}
		for _, c := range []struct {
			why  string
			w, r schema.Field
			v    any
			rule schema.Rule
			at   string
		}{
			{"A field was added without a default", number("b"), number("a"), int64(1), schema.RuleMissing, "a"},
			{"An optional field was added without a default", number("b"), field("a", maybe(text)), int64(1), schema.RuleMissing, "a"},
			{"The writer knows another name, the reader not", field("a", text, "b"), field("b", text), "x", schema.RuleMissing, "b"},
			{"The writer's optional is nil", field("a", maybe(text)), or("none", "a", text), nil, schema.RuleNone, "a"},
			{"The writer's optional is nil, and it was renamed", field("a", maybe(text)), field("b", text, "a"), nil, schema.RuleNone, "b"},
			{"The reader does not know the symbol", field("a", enum("x", "y")), or("x", "a", enum("x", "z")), "y", schema.RuleSymbol, "a"},
			{"The writer has a fallback, the reader not", field("a", falls("x", "y")), field("a", enum("x")), "y", schema.RuleSymbol, "a"},
		} {
			pair{t, with(c.w), with(c.r)}.refuses(rec{c.w.Name: c.v}, c.rule, c.why, c.at)
		}
		kinds := []schema.Type{whole, double, text, enum("x"), list(whole), record("Order")}
		for i, from := range kinds {
			for j, to := range kinds {
				if i == j || i == 0 && j == 1 {
					continue
				}
				w := of("Root", records{"Root": {field("a", from), field("z", text)}, "Order": {number("q")}})
				r := of("Root", records{"Root": {field("z", text), field("a", to)}, "Order": {number("q")}})
				p := pair{t, w, r}
				p.refuses(rec{"a": w.Least(&from), "z": "x"}, schema.RuleType, "A type was changed", "a")
				b := must(w, rec{"a": w.Least(&from), "z": "x"})
				p.corrupt(b[:len(b)-1], "A type was changed, and the end is missing")
				p.corrupt(append(b, 1), "A type was changed, and a byte follows the value")
			}
		}
	})
}

// Records lie in records, in lists and in themselves, and each is read as the reader's.
func TestNested(t *testing.T) {
	step.Outside(t, func(t *step.T) {
		w := of("Order", records{
			"Order": {
				field("customer", record("Customer")), field("lines", list(record("Line"))), field("gift", maybe(record("Line"))), number("old"),
			},
			"Customer": {field("name", text), field("town", text)},
			"Line":     {field("sku", text), number("n"), field("parts", list(list(maybe(record("Line")))))},
		})
		home := func() rec { return rec{"street": "Main", "tags": items{rec{"x": int64(1)}}} }
		r := of("O", records{
			"O":    {field("rows", list(record("L")), "lines"), field("buyer", record("C"), "customer"), field("gift", maybe(record("Gift")))},
			"C":    {or(home(), "home", record("H")), field("city", text, "town")},
			"H":    {field("street", text), field("tags", list(record("Tag")))},
			"Tag":  {number("x")},
			"L":    {field("count", double, "n"), field("sku", text), field("parts", list(list(maybe(record("L")))))},
			"Gift": {field("sku", text), or("yes", "wrapped", enum("yes", "no"))},
		})
		part := func(sku string, n int64, parts ...any) rec { return rec{"sku": sku, "n": n, "parts": parts} }
		read := func(sku string, n float64, parts ...any) rec { return rec{"sku": sku, "count": n, "parts": parts} }
		p := pair{t, w, r}
		written := rec{
			"customer": rec{"name": "Ada", "town": "Ulm"}, "old": int64(3), "gift": part("G", 1),
			"lines": items{part("A", 2), part("B", 3, items{nil, part("C", 4, items{part("D", 5)})}, items{})},
		}
		want := rec{
			"buyer": rec{"home": home(), "city": "Ulm"}, "gift": rec{"sku": "G", "wrapped": "yes"},
			"rows": items{read("A", 2), read("B", 3, items{nil, read("C", 4, items{read("D", 5)})}, items{})},
		}
		m := p.reads(written, want, "Records were renamed, at each depth, and their fields")
		if buyer, ok := m.Value()["buyer"].(rec); ok {
			buyer["home"].(rec)["tags"].(items)[0].(rec)["x"] = int64(9)
		}
		p.sees(m, want, "The caller has changed a record in a default that Value returned")

		ring := of("A", records{"A": {number("v"), field("n", maybe(record("B")))}, "B": {field("n", maybe(record("A"))), number("v")}})
		three := of("X", records{
			"X": {number("v"), field("n", maybe(record("Y")))}, "Y": {field("n", maybe(record("Z"))), field("v", double)},
			"Z": {or(int64(8), "z", whole), field("n", maybe(record("X")))},
		})
		var a, x any
		for i := int64(11); i >= 0; i-- {
			a = rec{"v": i, "n": a}
			x = []rec{{"v": i, "n": x}, {"v": float64(i), "n": x}, {"z": int64(8), "n": x}}[i%3]
		}
		pair{t, ring, three}.reads(a.(rec), x.(rec), "The writer's records contain each other in a ring of two, the reader's in one of three")

		for _, c := range []struct {
			why  string
			r    *schema.Schema
			v    rec
			rule schema.Rule
			path []any
		}{
			{"In the second line's parts a field is missing", of("O", records{
				"O": {field("rows", list(record("L")), "lines")}, "L": {field("parts", list(list(maybe(record("P")))))}, "P": {number("price")},
			}), written, schema.RuleMissing, []any{"rows", 1, "parts", 0, 1, "price"}},
			{"Two records deep an optional is nil", of("O", records{
				"O": {field("lines", list(record("L")))}, "L": {field("stuff", list(list(record("P"))), "parts")}, "P": {field("sku", text)},
			}), written, schema.RuleNone, []any{"lines", 1, "stuff", 0, 0}},
		} {
			pair{t, w, c.r}.refuses(c.v, c.rule, c.why, c.path...)
		}

		chain := records{"Node": {field("next", maybe(record("Node")))}, "Tree": {field("k", list(record("Tree")))}}
		for _, c := range []struct {
			why   string
			w, r  *schema.Schema
			more  string // a level more
			last  string
			outer int
		}{
			{"in optionals", of("Node", chain), of("Node", chain), "\x01", "\x00", 0},
			{"in lists", of("Tree", chain), of("Tree", chain), "\x01", "\x00", 0},
			{
				"in a field that the reader does not see",
				of("Root", records{"Root": {field("a", maybe(record("Node"))), number("b")}, "Node": chain["Node"]}), with(number("b")),
				"\x01", "\x00\x02", 1,
			},
		} {
			p := pair{t, c.w, c.r}
			most := strings.Repeat(c.more, schema.MaxDepth-1) + c.last
			m, err := p.read([]byte(most), "As many records as may lie in each other, "+c.why)
			step.NoError(t, err, "As many records lie in each other as may, %s.", c.why)
			step.Equal(t, most, string(m.Encode()), "As many records lie in each other as may, %s: Encode should return what was read.", c.why)
			depth := strings.Count(writes(m.Value()), "{") - c.outer
			step.Expect(t, depth == schema.MaxDepth*(1-c.outer), "As many records lie in each other as may, %s: Value should show all. "+
				"It shows %d.", c.why, depth)
			p.corrupt([]byte(c.more+most), "One record more than may lie in each other, "+c.why)
			p.corrupt([]byte(strings.Repeat(c.more, 10_000)+most), "Far more records than may lie in each other, "+c.why)
		}
	})
}

// An old program changes one value, and writes back all that it does not know.
func TestKeep(t *testing.T) {
	step.Outside(t, func(t *step.T) {
		p := pair{t, samples.Now, samples.Old}
		for _, c := range []struct {
			why     string
			v       any
			path    []any
			now     func(w, r rec) // what changes
			refused error
		}{
			{"a text in a record", "Bob", []any{"customer", "called"}, func(w, r rec) {
				w["customer"].(rec)["name"], r["customer"].(rec)["called"] = "Bob", "Bob"
			}, nil},
			{"a field that was renamed", int64(5), []any{"count"}, func(w, r rec) { w["quantity"], r["count"] = int64(5), int64(5) }, nil},
			{"one of two equal lines", "Z", []any{"lines", 1, "sku"}, func(w, r rec) {
				w["lines"].(items)[1], r["lines"].(items)[1] = line("Z", 1), row("Z")
			}, nil},
			{"a line in a line in a line", "Z", []any{"lines", 2, "sub", 0, "sub", 0, "sku"}, func(w, r rec) {
				w["lines"].(items)[2], r["lines"].(items)[2] = line("B", 2, line("C", 3, line("Z", 4))), row("B", row("C", row("Z")))
			}, nil},
			{"a record that is optional", "Z", []any{"gift", "sku"}, func(w, r rec) { w["gift"], r["gift"] = line("Z", 5), row("Z") }, nil},
			{"a symbol that both know", "paid", []any{"state"}, func(w, r rec) { w["state"], r["state"] = "paid", "paid" }, nil},
			{"a symbol that the reader saw in place of one that only the writer knows", "unknown", []any{"state"}, func(_, _ rec) {}, nil},
			{"a double where the writer has an int, and it is what the reader saw", float64(1 << 53), []any{"price"}, func(_, _ rec) {}, nil},
			{"a double that is an int of the writer's", -4.0, []any{"price"}, func(w, r rec) { w["price"], r["price"] = int64(-4), -4.0 }, nil},
			{"the least int", float64(math.MinInt64), []any{"price"}, func(w, r rec) {
				w["price"], r["price"] = int64(math.MinInt64), float64(math.MinInt64)
			}, nil},
			{"an item", 7.0, []any{"numbers", 1}, func(w, r rec) { w["numbers"].(items)[1], r["numbers"].(items)[1] = int64(7), 7.0 }, nil},
			{"a double", math.NaN(), []any{"weight"}, func(w, r rec) { w["weight"], r["weight"] = math.NaN(), math.NaN() }, nil},
			{"a double that is less than nothing", math.Copysign(0, -1), []any{"weight"}, func(w, r rec) {
				w["weight"], r["weight"] = math.Copysign(0, -1), math.Copysign(0, -1)
			}, nil},
			{"a text where it was nil", "x", []any{"coupon"}, func(w, r rec) { w["coupon"], r["coupon"] = "x", "x" }, nil},
			{"nil where it is nil", nil, []any{"extra"}, func(_, _ rec) {}, nil},
			{"a text that only the writer takes for optional", "x", []any{"note"}, func(w, r rec) { w["note"], r["note"] = "x", "x" }, nil},
			{"a text that only the reader takes for optional", "x", []any{"code"}, func(w, r rec) { w["code"], r["code"] = "x", "x" }, nil},

			{"nil, which the writer does not know", nil, []any{"code"}, nil, schema.ErrLost},
			{"a fraction where the writer has an int", 4.5, []any{"price"}, nil, schema.ErrLost},
			{"a fraction in a list of ints", 4.5, []any{"numbers", 0}, nil, schema.ErrLost},
			{"more than any int", 1e300, []any{"price"}, nil, schema.ErrLost},
			{"less than any int", -1e19, []any{"price"}, nil, schema.ErrLost},
			{"no number, where the writer has an int", math.NaN(), []any{"price"}, nil, schema.ErrLost},
			{"a text where the writer has an int or nil", "x", []any{"extra"}, nil, schema.ErrLost},
			{"a text where the writer has an enum or nil", "x", []any{"mark"}, nil, schema.ErrLost},
			{"a symbol where the writer has a text or nil", "x", []any{"word"}, nil, schema.ErrLost},
			{"a symbol where the writer has others, or nil", "y", []any{"size"}, nil, schema.ErrLost},
			{"a double that is less than nothing, where the writer has an int", math.Copysign(0, -1), []any{"price"}, nil, schema.ErrLost},
			{"a field that the writer does not have", "USD", []any{"currency"}, nil, schema.ErrLost},
			{"a field that the writer does not have, to its default", "EUR", []any{"currency"}, nil, schema.ErrLost},
			{"a field in a record that the writer does not have", "Side", []any{"home", "street"}, nil, schema.ErrLost},
			{"a field that a nested record of the writer's does not have", int64(4), []any{"customer", "rank"}, nil, schema.ErrLost},

			{"a text, to an int", int64(1), []any{"note"}, nil, schema.ErrValue},
			{"a text, to nil", nil, []any{"note"}, nil, schema.ErrValue},
			{"a text, to no UTF-8", "\xff", []any{"customer", "called"}, nil, schema.ErrValue},
			{"an int, to a Go int", 1, []any{"count"}, nil, schema.ErrValue},
			{"an int, to a double", 1.0, []any{"count"}, nil, schema.ErrValue},
			{"a double, to an int", int64(1), []any{"price"}, nil, schema.ErrValue},
			{"an enum, to a symbol that only the writer knows", "sent", []any{"state"}, nil, schema.ErrValue},
			{"an optional text, to a list", items{}, []any{"coupon"}, nil, schema.ErrValue},

			{"everything", samples.Seen(), nil, nil, schema.ErrPath},
			{"a record", rec{"called": "Bob", "rank": int64(3)}, []any{"customer"}, nil, schema.ErrPath},
			{"an optional record", nil, []any{"gift"}, nil, schema.ErrPath},
			{"a list", items{}, []any{"lines"}, nil, schema.ErrPath},
			{"a field that is not there", "x", []any{"nothing"}, nil, schema.ErrPath},
			{"a field by the writer's name", int64(1), []any{"quantity"}, nil, schema.ErrPath},
			{"a field that only the writer has", 0.1, []any{"discount"}, nil, schema.ErrPath},
			{"a field that only the writer has, in a line", int64(1), []any{"lines", 0, "tax"}, nil, schema.ErrPath},
			{"an item after the last", "x", []any{"lines", 3, "sku"}, nil, schema.ErrPath},
			{"a number after the last", 3.0, []any{"numbers", 2}, nil, schema.ErrPath},
			{"an item before the first", "x", []any{"lines", -1, "sku"}, nil, schema.ErrPath},
			{"an item by a name", "x", []any{"lines", "0", "sku"}, nil, schema.ErrPath},
			{"an item by an int64", "x", []any{"lines", int64(0), "sku"}, nil, schema.ErrPath},
			{"a field by its position", "x", []any{0}, nil, schema.ErrPath},
			{"a part of a text", "x", []any{"note", 0}, nil, schema.ErrPath},
			{"a part of nil", "x", []any{"coupon", "x"}, nil, schema.ErrPath},
		} {
			m := p.reads(samples.Written(), samples.Seen(), "Nothing has been set")
			twin := p.reads(samples.Written(), samples.Seen(), "Nothing has been set")
			before := m.Value()
			err := m.Set(c.v, c.path...)
			wantW, wantR, why := samples.Written(), samples.Seen(), fmt.Sprintf("Set of %s, at %v", c.why, c.path)
			if c.refused != nil {
				step.Expect(t, errors.Is(err, c.refused), "%s, to %s: it should return %q. It returned %v.", why, show{c.v}, c.refused, err)
				why += ", which was refused"
			} else {
				step.NoError(t, err, "%s, to %s, should succeed.", why, show{c.v})
				c.now(wantW, wantR)
			}
			p.writes(m, wantW, why)
			p.sees(m, wantR, why)
			p.sees(twin, samples.Seen(), why+", in another message of the same bytes")
			p.writes(twin, samples.Written(), why+", in another message of the same bytes")
			step.Expect(t, bytes.Equal(must(p.r, before), must(p.r, samples.Seen())), "%s: what Value returned before should stay.", why)
		}
		m := p.reads(samples.Written(), samples.Seen(), "Nothing has been set")
		for _, v := range []any{"one", nil, "", "two"} {
			step.NoError(t, m.Set(v, "coupon"), "Set to %s after others should succeed.", show{v})
			now := samples.Written()
			now["coupon"] = v
			p.writes(m, now, "An optional was set several times")
		}
		step.NoError(t, m.Set("Z", "lines", 0, "sku"), "Set after others should succeed.")
		now := samples.Written()
		now["coupon"], now["lines"].(items)[0] = "two", line("Z", 1)
		p.writes(m, now, "Two values were set, one after the other")
	})
}

// Before anybody deploys, a check finds a value that the reader would refuse, if there is one.
func TestIncompatible(t *testing.T) {
	step.Outside(t, func(t *step.T) {
		node := func(next schema.Type, more ...schema.Field) *schema.Schema {
			return of("Node", records{"Node": append(more, field("next", next))})
		}
		a := []any{"a"}
		two := of("X", records{"X": {field("n", maybe(record("Y"))), number("v")}, "Y": {field("n", maybe(record("X"))), number("v")}})
		for _, c := range []struct {
			why  string
			w, r *schema.Schema
			rule schema.Rule // "": nothing is refused
			path []any
		}{
			{"It is one schema", samples.Now, samples.Now, "", nil},
			{
				"All that has changed has a default, an alias or a fallback", with(number("a"), field("b", enum("x", "y")), number("c"), number("d")),
				with(field("z", double, "a"), field("b", falls("y", "w")), or("", "e", text), field("d", maybe(double))), "", nil,
			},
			{"The record contains itself", node(maybe(record("Node")), number("v")), node(maybe(record("Node")), or(int64(1), "w", whole)), "", nil},
			{"The record is a list of itself", node(list(record("Node"))), node(list(record("Node"))), "", nil},
			{"The schemas contain themselves in rings of two and three", two, ring(field("v", double)), "", nil},
			{"The reader does not see a field", with(number("a"), field("b", enum("x"))), with(number("a")), "", nil},

			{"A field has no default", with(number("a")), with(number("a"), number("b")), schema.RuleMissing, []any{"b"}},
			{"A type has changed", with(field("a", double)), with(field("x", whole, "a")), schema.RuleType, []any{"x"}},
			{"A symbol in an optional is gone", with(field("a", maybe(enum("x", "y")))), with(field("a", maybe(enum("x")))), schema.RuleSymbol, a},
			{
				"A type in lists has changed", with(field("a", list(list(text)))), with(field("a", list(list(whole)))), schema.RuleType,
				[]any{"a", -1, -1},
			},
			{"An optional has to be there", with(field("a", list(maybe(whole)))), with(field("a", list(double))), schema.RuleNone, []any{"a", -1}},
			{
				"The last of the symbols is unknown", with(field("a", list(falls("x", "y", "z")))), with(field("a", list(enum("y", "x")))),
				schema.RuleSymbol,
				[]any{"a", -1},
			},
			{
				"A field is missing in a record that contains itself", of("N", records{"N": {field("k", list(record("N")))}}),
				of("N", records{"N": {field("k", list(record("M")))}, "M": {number("v")}}), schema.RuleMissing,
				[]any{"k", -1, "v"},
			},
			{
				"What differs lies 100 records deep, in values of 1,000", long(field("d", record("D899")), field("x", text)), long(field("x", whole)),
				schema.RuleType, append(slices.Repeat([]any{"n"}, 99), "x"),
			},
			{
				"What differs is only in values of 1,001 records in each other", long(field("d", record("D900")), field("x", text)),
				long(field("x", whole)), "", nil,
			},
			{"Of rings of three and two only the sixth pair of records differs", ring(field("q", text)), of("X", records{
				"X": {field("n", maybe(record("Y")))}, "Y": {field("n", maybe(record("X"))), or(int64(1), "q", whole)},
			}), schema.RuleType, []any{"n", "n", "n", "n", "n", "q"}},
		} {
			p := pair{t, c.w, c.r}
			for range 2 {
				refused := p.incompatible(c.why)
				if c.rule == "" {
					step.Expect(t, refused == nil, "%s: Incompatible should return nil. It returned %+v.", c.why, refused)
					continue
				}
				step.Expect(t, refused != nil, "%s: Incompatible should return a value that the reader refuses. It returned nil.", c.why)
				p.is(refused, c.rule, c.path, c.why)
				wreck(refused.Value) // it is the caller's
			}
		}
		for seed := range 120 {
			m := samples.ByChance(seed + 1)
			w := m.Schema()
			p := pair{t, w, m.Next(w, 1+seed%3)}
			why := fmt.Sprintf("Schemas by chance, seed %d, %v and %v", seed+1, p.w.Records, p.r.Records)
			if refused := p.incompatible(why); refused != nil {
				continue
			}
			for range 10 {
				v := m.Root(w)
				read, err := p.read(must(w, v), why)
				step.Expect(t, err == nil, "%s: Incompatible returned nil, so Read should read\n  %s\nIt returned %v.", why, show{v}, err)
				p.writes(read, v, why)
			}
		}
	})
}

// A registry refuses the version that would stop somebody, and says who is deployed first.
func TestRegistry(t *testing.T) {
	step.Outside(t, func(t *step.T) {
		base := with(number("a"), or("x", "b", text))
		for _, c := range []struct {
			why         string
			s           *schema.Schema
			reads, read bool // whether it reads what the last version writes, and the other way round
			order       schema.Order
		}{
			{"a field was added with a default", with(number("a"), or("x", "b", text), or("x", "c", text)), true, true, schema.AnyOrder},
			{"a field without a default was removed", with(or("x", "b", text)), true, false, schema.ReadersFirst},
			{"a field was added without a default", with(number("a"), or("x", "b", text), number("c")), false, true, schema.WritersFirst},
			{"a type was changed", with(number("b"), number("a")), false, false, schema.Together},
		} {
			for mode := range 8 {
				mode := schema.Mode{Backward: mode&1 > 0, Forward: mode&2 > 0, Transitive: mode&4 > 0}
				why := fmt.Sprintf("The mode is %+v, and %s", mode, c.why)
				g := schemaevolution.NewRegistry(map[string]schema.Mode{"orders": mode})
				for _, subject := range []string{"orders", "other"} {
					order, err := g.Add(subject, base)
					step.Expect(t, err == nil && order == schema.AnyOrder, "It is a first version: Add should return any order. "+
						"It returned %q and %v.", order, err)
				}
				order, err := g.Add("orders", c.s)
				if (c.reads || !mode.Backward) && (c.read || !mode.Forward) {
					step.Expect(t, err == nil && order == c.order, "%s: Add should return %q. It returned %q and %v.", why, c.order, order, err)
				} else {
					var refused *schema.Refused
					step.Expect(t, errors.As(err, &refused), "%s: Add should return a *schema.Refused. It returned %q and %v.", why, order, err)
					backward := !c.reads && mode.Backward && refuses(base, c.s, refused.Value)
					forward := !c.read && mode.Forward && refuses(c.s, base, refused.Value)
					step.Expect(t, backward || forward, "%s: Add should return a value that stops somebody, as Incompatible does. "+
						"It returned %v.", why, show{refused.Value})
				}
				order, err = g.Add("other", c.s)
				step.Expect(t, err == nil && order == c.order, "The subject has no mode, and %s: Add should return %q. "+
					"It returned %q and %v.", c.why, c.order, order, err)
			}
		}
		one, two, three := with(number("a")), with(number("a"), or(int64(1), "b", whole)), with(number("a"), number("b"))
		is := map[byte]schema.Order{'a': schema.AnyOrder, 'r': schema.ReadersFirst, 'w': schema.WritersFirst, '-': ""}
		for _, c := range []struct {
			why  string
			mode schema.Mode
			list []*schema.Schema
			want string // the orders; -: refused
		}{
			{"Each version is compared with the last one", schema.Mode{Backward: true}, []*schema.Schema{one, two, three, one}, "aaar"},
			{"Each version is compared with the last one", schema.Mode{Forward: true}, []*schema.Schema{three, two, one, three}, "aaaw"},
			{"Each version reads all", schema.Mode{Backward: true, Transitive: true}, []*schema.Schema{one, two, three, two}, "aa-a"},
			{"Each version is read by all", schema.Mode{Forward: true, Transitive: true}, []*schema.Schema{one, two, three, three}, "aaww"},
			{"Each version is read by all", schema.Mode{Forward: true, Transitive: true}, []*schema.Schema{three, two, one, two}, "aa-a"},
			{"Each version reads all", schema.Mode{Backward: true, Transitive: true}, []*schema.Schema{three, two, one, one}, "aarr"},
			{"Nothing is asked for", schema.Mode{Transitive: true}, []*schema.Schema{one, two, three, two}, "aawa"},
			{"A version that was refused is none", schema.Mode{Backward: true}, []*schema.Schema{one, three, three, two, three}, "a--aa"},
			{"A version that was refused is none", schema.Mode{Forward: true}, []*schema.Schema{three, one, one, two, one}, "a--aa"},
		} {
			g := schemaevolution.NewRegistry(map[string]schema.Mode{"orders": c.mode})
			for i, s := range c.list {
				order, err := g.Add("orders", s)
				step.Expect(t, order == is[c.want[i]] && (err != nil) == (c.want[i] == '-'), "%s (mode %+v): version %d of %d, with the orders %q "+
					"(-: refused), should have %q. It has %q, and the error %v.", c.why, c.mode, i+1, len(c.list), c.want, is[c.want[i]], order, err)
			}
		}
	})
}

// Bytes of an attacker cost no more memory than they are worth, and no bytes make a reader panic.
func TestHostile(t *testing.T) {
	step.Outside(t, func(t *step.T) {
		for _, c := range attacks() {
			p := pair{t, c.w, c.r}
			reader := schemaevolution.NewReader(p.w, p.r)
			var m *schemaevolution.Message
			var err error
			got, most := allocated(func() { m, err = reader.Read([]byte(c.b)) }), uint64(1<<20+(len(c.b)+c.records)*2<<10)
			step.Expect(t, got <= most, "%s: of %d bytes and %d records Read should allocate %d bytes at most. "+
				"It allocated %d.", c.why, len(c.b), c.records, most, got)
			if c.right {
				step.NoError(t, err, "%s: Read should read it.", c.why)
				step.Expect(t, c.b == string(m.Encode()), "%s: Encode should return the bytes that were read. It does not.", c.why)
			} else {
				step.Expect(t, errors.Is(err, schema.ErrCorrupt), "%s: Read should return ErrCorrupt. It returned %v.", c.why, err)
			}
		}
		for seed := range 120 {
			damages(t, seed+1)
		}
		order := must(samples.Now, samples.Written())
		apart.Pairs(t.T, func() *schemaevolution.Reader { return schemaevolution.NewReader(samples.Now, samples.Old) },
			apart.Call[*schemaevolution.Reader]{Name: "Read", Do: func(r *schemaevolution.Reader) { _, _ = r.Read(order) }},
			apart.Call[*schemaevolution.Reader]{Name: "Read, Set, Value and Encode", Do: func(r *schemaevolution.Reader) {
				if m, err := r.Read(order); err == nil {
					_, _, _ = m.Set("x", "note"), m.Value(), m.Encode()
				}
			}},
		)
	})
}
