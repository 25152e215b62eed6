package serial

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/backend-kata/dojo/pkg/internal/golden"
)

// history reads the short form of the cases: a transaction a line, its operations with semicolons
// between, and ok, abort or unknown at the end. A number at the start is the session.
func history(text string) History {
	var h History
	for line := range strings.Lines(strings.TrimSpace(text)) {
		var txn Txn
		for i, part := range strings.Split(strings.TrimSpace(line), ";") {
			words := strings.Fields(part)
			if n, err := strconv.Atoi(words[0]); i == 0 && err == nil {
				txn.Session, words = n, words[1:]
			}
			switch words[0] {
			case "ok":
				txn.Outcome = Committed
			case "abort":
				txn.Outcome = Aborted
			case "unknown":
				txn.Outcome = Unknown
			case "r":
				txn.Ops = append(txn.Ops, Op{Kind: Read, Key: words[1], Values: words[2:]})
			case "a":
				txn.Ops = append(txn.Ops, Op{Kind: Append, Key: words[1], Values: words[2:]})
			case "p":
				txn.Ops = append(txn.Ops, Op{Kind: Put, Key: words[1], Values: words[2:]})
			case "s":
				op := Op{Kind: Scan, Key: words[1], To: words[2]}
				for _, row := range words[3:] {
					key, values, _ := strings.Cut(row, "=")
					op.Rows = append(op.Rows, Row{key, strings.Split(values, ",")})
				}
				txn.Ops = append(txn.Ops, op)
			default:
				panic("no such operation: " + part)
			}
		}
		h = append(h, txn)
	}
	return h
}

var cases = []struct {
	name string
	why  string
	h    string
	want []Kind
}{
	{
		name: "nothing", why: "each sees all that was there before", want: nil,
		h: `a x 1; ok
		    r x 1; a x 2; ok
		    r x 1 2; ok`,
	},
	{
		name: "dirty write", why: "two lists have the two appends in the one order and in the other", want: []Kind{G0},
		h: `a x 1; a y 1; ok
		    a x 2; a y 2; ok
		    r x 1 2; ok
		    r y 2 1; ok`,
	},
	{
		name: "dirty write within a list", why: "the append of the one stands between two of the other", want: []Kind{G0},
		h: `a x 1; a x 2; ok
		    a x 3; ok
		    r x 1 3 2; ok`,
	},
	{
		name: "aborted read", why: "what was rolled back was seen", want: []Kind{G1a},
		h: `a x 1; abort
		    r x 1; ok`,
	},
	{
		name: "intermediate read", why: "one of two writes was seen; the other, too, is one that was missed", want: []Kind{G1b, GSingle},
		h: `r x; p x 1; p x 2; ok
		    r x 1; ok`,
	},
	{
		name: "circular information flow", why: "each saw what the other wrote", want: []Kind{G1c},
		h: `a x 1; r y 1; ok
		    a y 1; r x 1; ok`,
	},
	{
		name: "lost update of a register", why: "both put a value over the same one", want: []Kind{LostUpdate},
		h: `r x; p x 10; ok
		    r x 10; p x 11; ok
		    r x 10; p x 12; ok`,
	},
	{
		name: "lost update of a list", why: "the list shows who was first", want: []Kind{LostUpdate},
		h: `a x 1; ok
		    r x 1; a x 2; ok
		    r x 1; a x 3; ok
		    r x 1 2 3; ok`,
	},
	{
		name: "a blind append in between", why: "to lose an update takes one that read", want: []Kind{LostUpdate},
		h: `r x; a x 2; ok
		    a x 1; ok
		    r x 1 2; ok`,
	},
	{
		name: "blind appends lose nothing", why: "nobody knows who was first, and one of the orders is fine", want: nil,
		h: `r x; a x 1; ok
		    a x 2; ok`,
	},
	{
		name: "read skew", why: "the reader has seen one of two writes", want: []Kind{GSingle},
		h: `r x; p x 1; r y; p y 1; ok
		    r x 1; p x 2; r y 1; p y 2; ok
		    r x 1; r y 2; ok`,
	},
	{
		name: "a read that does not repeat", why: "it is read skew with one key", want: []Kind{GSingle},
		h: `r x; r x 1; ok
		    a x 1; ok`,
	},
	{
		name: "long fork", why: "two readers saw two writes in two orders", want: []Kind{LongFork},
		h: `a x 1; ok
		    a y 1; ok
		    r x 1; r y; ok
		    r x; r y 1; ok`,
	},
	{
		name: "write skew", why: "each read what the other wrote then", want: []Kind{G2Item},
		h: `r x; r y; a x 1; ok
		    r x; r y; a y 1; ok`,
	},
	{
		name: "phantom", why: "each scanned the range before the other's insert", want: []Kind{G2},
		h: `s d1 d9; a d1 on; ok
		    s d1 d9; a d2 on; ok`,
	},
	{
		name: "an insert that was missed", why: "the scan shows the second insert, and not the first", want: []Kind{GSingle},
		h: `r a; p a 1; ok
		    r a 1; r b; p b 1; ok
		    s a  z b=1; ok`,
	},
	{
		name: "a cycle of three", why: "the shortest one is told, though others go through it", want: []Kind{G2Item},
		h: `r x; a y 1; ok
		    r y; a z 1; ok
		    r z; a x 1; ok
		    r x 1; r y 1; r z 1; ok`,
	},
	{
		name: "registers far apart", why: "what lies between two versions of one register is left out", want: []Kind{GSingle},
		h: `r x; p x 1; ok
		    r x 1; p x 2; ok
		    r x 2; p x 3; ok
		    r x 3; p x 4; r y; p y 1; ok
		    r x 1; r y 1; ok`,
	},
	{
		name: "lists far apart", why: "who has seen the last element has seen the first", want: []Kind{G1c},
		h: `a x 1; r y 1; ok
		    a x 2; ok
		    a x 3; ok
		    r x 1 2 3; a y 1; ok`,
	},
	{
		name: "a register far away", why: "who has seen the last value has not seen the first", want: []Kind{G1c},
		h: `r x 2; r y; p y 1; ok
		    r x; p x 1; r y 1; ok
		    r x 1; p x 2; ok`,
	},
	{
		name: "a register put over again and again", why: "each had read the one before", want: []Kind{G1c},
		h: `r z 1; r y; p y 1; ok
		    r x; p x 1; r y 1; ok
		    r x 1; p x 2; ok
		    r x 2; p x 3; r z; p z 1; ok`,
	},
	{
		name: "one of each", why: "anomalies of transactions that have nothing to do with each other are all told", want: []Kind{G1a, LostUpdate, GSingle, G2Item},
		h: `a a 1; abort
		    r a 1; ok
		    r b; a b 1; ok
		    r b; a b 2; ok
		    a c 1; a d 1; ok
		    r c 1; r d; ok
		    r e; a f 1; ok
		    r f; a e 1; ok`,
	},
	{
		name: "unknown and seen", why: "one that was seen has happened", want: []Kind{GSingle},
		h: `a x 1; a y 1; unknown
		    r x 1; r y; ok`,
	},
	{
		name: "unknown and unseen", why: "it may not have happened", want: nil,
		h: `r x; r y 1; ok
		    a x 1; a y 2; unknown
		    a y 1; ok`,
	},
	{
		name: "unknown and seen by one unseen", why: "neither may have happened", want: nil,
		h: `a x 1; a y 1; unknown
		    r x 1; r y; a z 1; unknown`,
	},
	{
		name: "a reader that was rolled back", why: "nobody acts on what it saw", want: nil,
		h: `a x 1; a y 1; ok
		    r x 1; r y; abort`,
	},
	{
		name: "own writes", why: "a read shows what its own transaction wrote, and that proves nothing of others", want: nil,
		h: `a x 1; r x 1; a x 2; r x 1 2; ok
		    a x 3; r x 1 2 3; ok
		    r x 1 2 3; ok`,
	},
	{
		name: "an own write in another place", why: "the reader had appended to a list without 1, and 1 came before it", want: []Kind{GSingle},
		h: `a x 1; ok
		    a x 3; r x 3; ok
		    r x 1 3; ok`,
	},
	{
		name: "an own write that is missing", why: "no level allows it", want: []Kind{Impossible},
		h: `a x 1; r x; ok`,
	},
	{
		name: "an own write of the future", why: "no level allows it", want: []Kind{Impossible},
		h: `r x 1; a x 1; ok`,
	},
	{
		name: "a value that nobody wrote", why: "the store made it up, or the loading was not recorded", want: []Kind{Impossible},
		h: `r x 7; ok`,
	},
	{
		name: "an element twice", why: "it was appended once", want: []Kind{Impossible},
		h: `a x 1; ok
		    r x 1 1; ok`,
	},
	{
		name: "two lists of which neither begins with the other", why: "an append was lost", want: []Kind{Impossible},
		h: `a x 1; ok
		    r x 1; a x 2; ok
		    r x 1; a x 3; ok
		    r x 1 2; ok
		    r x 1 3; ok`,
	},
	{
		name: "appends of one transaction in the wrong order", why: "no level allows it", want: []Kind{Impossible},
		h: `a x 1; a x 2; ok
		    r x 2 1; ok`,
	},
	{
		name: "two values put over each other", why: "each had read the other", want: []Kind{G0, G1c},
		h: `r x 2; p x 1; ok
		    r x 1; p x 2; ok`,
	},
	{
		name: "a session that does not see its own write", why: "it went to a replica", want: []Kind{StaleOwn},
		h: `1 a x 1; ok
		    1 r x; ok
		    2 r x; ok`,
	},
	{
		name: "a session that sees less than before", why: "it went to another replica", want: []Kind{Backwards},
		h: `1 r x; p x 5; ok
		    2 r x 5; ok
		    2 r x; ok`,
	},
	{
		name: "no session", why: "what two clients saw one after the other is no session", want: nil,
		h: `a x 1; ok
		    r x 1; ok
		    r x; ok`,
	},
}

func TestCases(t *testing.T) {
	var told strings.Builder
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Analyze(history(tt.h))
			if err != nil {
				t.Fatal(err)
			}
			var got []Kind
			for _, x := range r.Anomalies {
				got = append(got, x.Kind)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v: %s\n%s", got, tt.want, tt.why, r)
			}
			fmt.Fprintf(&told, "# %s: %s\n\n%s\n", tt.name, tt.why, r)
			if len(r.History) <= 4 {
				if text, _ := disagreement(history(tt.h)); text != "" {
					t.Error(text)
				}
			}
		})
	}
	golden.Check(t, "cases", told.String())
}

// What cannot be judged is an error, and says what to do.
func TestErrors(t *testing.T) {
	for _, tt := range []struct{ name, h, want string }{
		{"a value twice", "a x 1; ok\n a x 1; abort", "serial: T1 and T2 both write 1 to x, so a read does not tell whose write it shows; write each value once, also when a transaction is tried again"},
		{"a blind put", "p x 1; ok", "serial: T1 puts 1 into x and has not read it before, so nothing tells which value it replaced; read first, or use lists"},
		{"a list and a register", "a x 1; ok\n r x 1; p x 2; ok", "serial: x is appended to and put into; a key is a list or a register"},
		{"two values of a register", "r x; p x 1; ok\n r x 1 2; ok", "serial: T2 read 2 values of the register x, which has one or none"},
		{"two values at once", "a x 1 2; ok", "serial: T1 writes 2 values to x in one operation, and must write one"},
		{"a row out of range", "s a c d=1; ok", "serial: T1 scanned a to c and saw d, which is outside the range or is there twice"},
	} {
		if err := Check(history(tt.h), ReadCommitted); err == nil || err.Error() != tt.want {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
	for _, h := range []History{{{Outcome: 9}}, {{Ops: []Op{{Kind: 9}}}}} {
		if _, err := Analyze(h); err == nil {
			t.Errorf("%v was taken", h)
		}
	}
	if err := Check(nil, levels); err == nil {
		t.Error("a level that there is not was taken")
	}
}

// A level is ruled out by its own anomalies and by those of milder levels, and those of sessions
// apart from both.
func TestRulesOut(t *testing.T) {
	got := map[string]string{}
	for k := Impossible; k <= Backwards; k++ {
		var out []string
		for l := range levels {
			if k.rulesOut(l) {
				out = append(out, l.String())
			}
		}
		got[k.String()] = strings.Join(out, ", ")
	}
	want := map[string]string{
		"impossible read":                      "read uncommitted, read committed, snapshot isolation, serializable, read your writes, monotonic reads",
		"dirty write (G0)":                     "read uncommitted, read committed, snapshot isolation, serializable",
		"aborted read (G1a)":                   "read committed, snapshot isolation, serializable",
		"intermediate read (G1b)":              "read committed, snapshot isolation, serializable",
		"circular information flow (G1c)":      "read committed, snapshot isolation, serializable",
		"lost update":                          "snapshot isolation, serializable",
		"read skew (G-single)":                 "snapshot isolation, serializable",
		"long fork (G-nonadjacent)":            "snapshot isolation, serializable",
		"write skew (G2-item)":                 "serializable",
		"phantom (G2)":                         "serializable",
		"a session does not see its own write": "read your writes",
		"a session sees less than before":      "monotonic reads",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A fake keeps the text that a test fails with.
type fake struct {
	testing.TB

	said string
}

func (f *fake) Helper()                           {}
func (f *fake) Name() string                      { return "TestBank" }
func (f *fake) Fatalf(format string, args ...any) { f.said = fmt.Sprintf(format, args...) }

func TestFailure(t *testing.T) {
	h := history(`r x; r y; a x 1; ok
	              r x; r y; a y 1; ok`)
	f := &fake{TB: t}
	Test(f, h, Snapshot)
	if f.said != "" {
		t.Errorf("write skew was told of a promise of snapshot isolation: %s", f.said)
	}
	Test(f, h, Serializable)
	golden.Check(t, "failure", f.said+"\n")
}
