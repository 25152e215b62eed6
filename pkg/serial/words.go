package serial

import (
	"fmt"
	"slices"
	"strings"
)

// say writes a list of values as people do, of a long one the end.
func say(values []string) string { return sayAt(values, len(values)) }

// sayAt writes of a long list what stands around a place in it.
func sayAt(values []string, place int) string {
	const around, most = 4, 12
	if len(values) == 0 {
		return "nothing"
	}
	if len(values) <= most {
		return strings.Join(values, " ")
	}
	from, to := max(0, place-around), min(len(values), place+around)
	text := strings.Join(values[from:to], " ")
	if from > 0 {
		text = "… " + text
	}
	if to < len(values) {
		text += " …"
	}
	return fmt.Sprintf("%s (%d values)", text, len(values))
}

// values are what a read saw.
func (a *analysis) values(x *access) []string {
	op := a.h[x.txn].Ops[x.op]
	if op.Kind == Read {
		return op.Values
	}
	for _, row := range op.Rows {
		if row.Key == a.keys[x.key].name {
			return row.Values
		}
	}
	return nil
}

// sayRead tells what a read saw, as in "T1 read x → 1 2".
func (a *analysis) sayRead(x *access) string { return a.sayReadAt(x, len(a.values(x))) }

// sayReadOf tells of a long list what stands around a value.
func (a *analysis) sayReadOf(x *access, value string) string {
	return a.sayReadAt(x, slices.Index(a.values(x), value))
}

// sayReadAt tells of a long list what stands around a place in it.
func (a *analysis) sayReadAt(x *access, place int) string {
	name, op := a.h[x.txn].Name, a.h[x.txn].Ops[x.op]
	switch {
	case x.missed:
		return fmt.Sprintf("%s scanned %s and saw no %s", name, sayRange(op), a.keys[x.key].name)
	case op.Kind == Scan:
		return fmt.Sprintf("%s scanned %s and saw %s → %s", name, sayRange(op), a.keys[x.key].name, sayAt(a.values(x), place))
	default:
		return fmt.Sprintf("%s read %s → %s", name, op.Key, sayAt(op.Values, place))
	}
}

func sayRange(op Op) string {
	if op.To == "" {
		return "all from " + op.Key
	}
	return op.Key + " to " + op.To
}

// sayWrite tells a write, as in "T2 appended 1 to x".
func (a *analysis) sayWrite(v int) string {
	w := a.versions[v]
	format := "%s put %s into %s"
	if a.keys[w.key].list {
		format = "%s appended %s to %s"
	}
	return fmt.Sprintf(format, a.h[w.writer].Name, w.value, a.keys[w.key].name)
}

// sayEdge tells what proves an edge.
func (a *analysis) sayEdge(e arrow) string {
	switch w := a.versions[e.version]; e.kind {
	case wr:
		return fmt.Sprintf("%s, and %s", a.sayReadOf(e.read, w.value), a.sayWrite(e.version))
	case rw:
		return fmt.Sprintf("%s, and %s later", a.sayRead(e.read), a.sayWrite(e.version))
	default:
		return fmt.Sprintf("%s after %s of %s%s", a.sayWrite(e.version), a.versions[e.over].value, a.h[e.from].Name, a.sayOrder(w, e.over))
	}
}

// sayOrder tells why a version came after another.
func (a *analysis) sayOrder(w version, over int) string {
	longest := a.keys[w.key].longest
	switch {
	case w.trunk:
		return ": " + a.sayReadOf(longest, w.value)
	case a.keys[w.key].list:
		return ": no read shows it, and " + a.sayReadOf(longest, a.versions[over].value)
	case w.parent == over:
		return ", which it had read"
	default:
		return ", through values in between, each put over the one before"
	}
}

func (a *analysis) sayCycle(kind Kind, cycle []arrow) Anomaly {
	names := map[int]string{ww: "ww", wr: "wr", rw: "rw"}
	x := Anomaly{Kind: kind}
	for _, e := range cycle {
		x.Edges = append(x.Edges, Edge{From: e.from, To: e.to, Type: names[e.kind], Why: a.sayEdge(e)})
		x.Txns = append(x.Txns, e.from)
	}
	return x
}

// lostUpdate tells of a transaction that read a version and wrote mine later, and of another that
// wrote theirs in between.
func (a *analysis) lostUpdate(r *access, theirs, mine int) Anomaly {
	other := a.versions[theirs].writer
	return Anomaly{
		Kind: LostUpdate, Txns: []int{r.txn, other}, Edges: []Edge{
			{From: r.txn, To: other, Type: "rw", Why: fmt.Sprintf("%s, and %s later", a.sayRead(r), a.sayWrite(theirs))},
			{From: other, To: r.txn, Type: "ww", Why: a.sayWrite(mine) + " after that"},
		},
		Text: fmt.Sprintf("%s wrote %s without having seen what %s wrote in between", a.h[r.txn].Name, a.keys[r.key].name, a.h[other].Name),
	}
}

// lostOneOfTwo tells of two transactions that read the same version and wrote, nobody knows in
// which order.
func (a *analysis) lostOneOfTwo(r, s *access) Anomaly {
	edge := func(r, s *access) Edge {
		return Edge{From: r.txn, To: s.txn, Type: "rw", Why: fmt.Sprintf("%s, and %s", a.sayRead(r), a.sayWrite(a.firstWrite(s)))}
	}
	return Anomaly{
		Kind: LostUpdate, Txns: []int{r.txn, s.txn}, Edges: []Edge{edge(r, s), edge(s, r)},
		Text: fmt.Sprintf("%s and %s wrote %s, and whichever came first, the other had not seen it", a.h[r.txn].Name, a.h[s.txn].Name, a.keys[r.key].name),
	}
}

// describe writes an anomaly for people: what each transaction did, and the edges.
func (r *Report) describe(x Anomaly) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s", x.Kind)
	if x.Text != "" {
		fmt.Fprintf(&out, ": %s", x.Text)
	}
	out.WriteString("\n\n")
	width := 0
	for _, t := range x.Txns {
		width = max(width, len(r.History[t].Name))
	}
	txns := slices.Clone(x.Txns)
	slices.Sort(txns)
	for _, t := range slices.Compact(txns) {
		txn := r.History[t]
		fmt.Fprintf(&out, "    %-*s  %s\n", width, txn.Name, sayTxn(txn))
	}
	if len(x.Edges) > 0 {
		out.WriteString("\n")
	}
	for _, e := range x.Edges {
		fmt.Fprintf(&out, "    %-*s → %-*s  %s  %s\n", width, r.History[e.From].Name, width, r.History[e.To].Name, e.Type, e.Why)
	}
	return out.String()
}

// sayTxn tells all that a transaction did, in one line.
func sayTxn(txn Txn) string {
	const most = 8
	var parts []string
	if txn.Session != 0 {
		parts = append(parts, fmt.Sprintf("session %d", txn.Session))
	}
	for i, op := range txn.Ops {
		if i == most && len(txn.Ops) > most+1 {
			parts = append(parts, fmt.Sprintf("… %d more", len(txn.Ops)-most))
			break
		}
		parts = append(parts, sayOp(op))
	}
	return strings.Join(append(parts, txn.Outcome.String()), ", ")
}

func sayOp(op Op) string {
	switch op.Kind {
	case Append:
		return fmt.Sprintf("append %s to %s", say(op.Values), op.Key)
	case Put:
		return fmt.Sprintf("put %s into %s", say(op.Values), op.Key)
	case Scan:
		return fmt.Sprintf("scan %s → %s", sayRange(op), sayRows(op.Rows))
	default:
		return fmt.Sprintf("read %s → %s", op.Key, say(op.Values))
	}
}

func sayRows(rows []Row) string {
	const most = 4
	if len(rows) == 0 {
		return "nothing"
	}
	var parts []string
	for i, row := range rows {
		if i == most && len(rows) > most+1 {
			parts = append(parts, fmt.Sprintf("… %d more", len(rows)-most))
			break
		}
		parts = append(parts, fmt.Sprintf("%s: %s", row.Key, say(row.Values)))
	}
	return strings.Join(parts, "; ")
}
