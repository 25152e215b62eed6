package sqlprobe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ExplainPostgres asks PostgreSQL for the plan of a query, and for the rows and buffers
// that it takes. The query is run: give it a transaction to roll back if it writes.
func ExplainPostgres(ctx context.Context, db Querier, query string, args ...any) (p Plan, err error) {
	rows, err := db.QueryContext(ctx, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+query, args...)
	if err != nil {
		return Plan{}, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var text []byte
	if rows.Next() {
		if err := rows.Scan(&text); err != nil {
			return Plan{}, err
		}
	}
	if err := rows.Err(); err != nil {
		return Plan{}, err
	}
	return ParsePostgres(text)
}

// A pgNode is what is read of a node of PostgreSQL's plan.
type pgNode struct {
	Type      string   `json:"Node Type"`
	Relation  string   `json:"Relation Name"`
	Index     string   `json:"Index Name"`
	IndexCond string   `json:"Index Cond"`
	SortKey   []string `json:"Sort Key"`

	Loops       *float64 `json:"Actual Loops"` // there if the query was run
	Rows        float64  `json:"Actual Rows"`  // for each loop
	Filtered    float64  `json:"Rows Removed by Filter"`
	Rechecked   float64  `json:"Rows Removed by Index Recheck"`
	HeapFetches float64  `json:"Heap Fetches"`

	// Of the node and those below it. What is local is a temporary table's.
	SharedHit  int64 `json:"Shared Hit Blocks"`
	SharedRead int64 `json:"Shared Read Blocks"`
	LocalHit   int64 `json:"Local Hit Blocks"`
	LocalRead  int64 `json:"Local Read Blocks"`

	Plans []pgNode `json:"Plans"`
}

func (n *pgNode) buffers() int64 { return n.SharedHit + n.SharedRead + n.LocalHit + n.LocalRead }

// ParsePostgres reads what EXPLAIN (FORMAT JSON) of PostgreSQL writes.
func ParsePostgres(text []byte) (Plan, error) {
	var tops []struct{ Plan *pgNode }
	if err := json.Unmarshal(text, &tops); err != nil {
		return Plan{}, fmt.Errorf("sqlprobe: not a plan in JSON: %w", err)
	}
	if len(tops) != 1 || tops[0].Plan == nil {
		return Plan{}, errors.New("sqlprobe: not a plan of one query")
	}
	root := tops[0].Plan
	r := pgReader{plan: Plan{Measured: root.Loops != nil, Buffers: root.buffers()}}
	r.read(root, 0)
	r.plan.Text = r.text.String()
	return r.plan, nil
}

// A pgReader walks a plan from the top.
type pgReader struct {
	plan Plan
	text strings.Builder
}

// read adds a node and those below it.
func (r *pgReader) read(n *pgNode, depth int) {
	fmt.Fprintf(&r.text, "%s%s\n", strings.Repeat("  ", depth), n)
	switch n.Type {
	case "Seq Scan", "Sample Scan":
		r.add(n, Access{Table: n.Relation, FullScan: true})
	case "Index Scan", "Index Only Scan":
		r.add(n, Access{Table: n.Relation, Index: n.Index, Covering: n.Type == "Index Only Scan", FullScan: n.IndexCond == ""})
	case "Bitmap Heap Scan":
		r.bitmap(n, n)
	case "Tid Scan", "Tid Range Scan":
		r.add(n, Access{Table: n.Relation})
	case "Sort", "Incremental Sort":
		r.plan.Sorts = append(r.plan.Sorts, strings.Join(n.SortKey, ", "))
	}
	for i := range n.Plans {
		r.read(&n.Plans[i], depth+1)
	}
}

// bitmap adds an access for each index whose rows a bitmap heap scan fetches.
func (r *pgReader) bitmap(heap, n *pgNode) {
	for i := range n.Plans {
		switch c := &n.Plans[i]; c.Type {
		case "Bitmap Index Scan":
			r.add(heap, Access{Table: heap.Relation, Index: c.Index, FullScan: c.IndexCond == ""})
			heap = &pgNode{Relation: heap.Relation} // its rows count once
		case "BitmapAnd", "BitmapOr":
			r.bitmap(heap, c)
		}
	}
}

func (r *pgReader) add(n *pgNode, a Access) {
	r.plan.Accesses = append(r.plan.Accesses, a)
	if n.Loops != nil {
		r.plan.Rows += int64((n.Rows + n.Filtered + n.Rechecked) * *n.Loops)
		r.plan.HeapFetches += int64(n.HeapFetches)
	}
}

func (n *pgNode) String() string {
	var b strings.Builder
	b.WriteString(n.Type)
	if n.Index != "" {
		b.WriteString(" using " + n.Index)
	}
	if n.Relation != "" {
		b.WriteString(" on " + n.Relation)
	}
	if n.IndexCond != "" {
		b.WriteString(" " + n.IndexCond)
	}
	if len(n.SortKey) > 0 {
		b.WriteString(" by " + strings.Join(n.SortKey, ", "))
	}
	if n.Loops != nil {
		fmt.Fprintf(&b, " (rows %.0f, loops %.0f, buffers %d)", n.Rows, *n.Loops, n.buffers())
	}
	return b.String()
}
