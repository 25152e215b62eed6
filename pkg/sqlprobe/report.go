package sqlprobe

import (
	"cmp"
	"database/sql/driver"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/backend-kata/dojo/pkg/internal/rerun"
)

// A list shows no more than this, and says how many it left out.
const (
	maxGroups = 20
	maxShape  = 300 // characters
	maxArgs   = 3   // statements of a group, and values of a statement
)

// Require fails the test if a check said no, with the command that runs it again.
func Require(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v\n\nagain: %s", err, rerun.Command(t.Name()))
	}
}

// String lists the statements: those that are alike together, with their number.
func (r *Recording) String() string { return r.list() }

// A group is statements of one shape from one line.
type group struct {
	shape, caller string
	all           []Statement
}

func (r *Recording) groups() []group {
	var groups []group
	index := map[[2]string]int{}
	for _, s := range r.Statements {
		key := [2]string{s.Shape, s.Caller}
		i, ok := index[key]
		if !ok {
			i = len(groups)
			index[key] = i
			groups = append(groups, group{shape: s.Shape, caller: s.Caller})
		}
		groups[i].all = append(groups[i].all, s)
	}
	return groups
}

func (r *Recording) list() string {
	if len(r.Statements) == 0 {
		return "  no statement ran"
	}
	groups := r.groups()
	width := [3]int{}
	var lines [][4]string
	for _, g := range groups[:min(len(groups), maxGroups)] {
		line := [4]string{g.times(), short(g.caller), g.figures(), clip(g.shape, maxShape)}
		for i := range width {
			width[i] = max(width[i], utf8.RuneCountInString(line[i]))
		}
		lines = append(lines, line)
	}
	var b strings.Builder
	for i, line := range lines {
		fmt.Fprintf(&b, "  %*s  %-*s  %*s  %s\n", width[0], line[0], width[1], line[1], width[2], line[2], line[3])
		for _, note := range groups[i].notes() {
			fmt.Fprintf(&b, "  %*s  %s\n", width[0]+width[1]+width[2]+4, "", note)
		}
	}
	if left := len(groups) - maxGroups; left > 0 {
		fmt.Fprintf(&b, "  and %s\n", count(left, "other", "others"))
	}
	return strings.TrimRight(b.String(), "\n")
}

func (g group) times() string {
	if len(g.all) == 1 {
		return "1 "
	}
	return fmt.Sprintf("%d×", len(g.all))
}

// figures is rows and work, summed up.
func (g group) figures() string {
	var rows, work int64
	known := true
	for _, s := range g.all {
		rows += s.Rows
		work += s.Work
		known = known && s.WorkKnown
	}
	text := count(int(rows), "row", "rows")
	if known {
		text += fmt.Sprintf("  work %d", work)
	}
	return text
}

// notes tells arguments, transactions, and what went wrong.
func (g group) notes() []string {
	var notes []string
	var args []string
	open, failed := 0, 0
	var err error
	txs := map[int]bool{}
	for _, s := range g.all {
		if len(s.Args) > 0 {
			args = append(args, values(s.Args))
		}
		if s.Open {
			open++
		}
		if s.Err != nil {
			failed++
			err = cmp.Or(err, s.Err)
		}
		txs[s.Tx] = true
	}
	if n := len(args); n > 0 {
		text := "with " + strings.Join(args[:min(n, maxArgs)], ", ")
		if n > maxArgs {
			text += ", … " + args[n-1]
		}
		notes = append(notes, text)
	}
	if tx := g.all[0].Tx; tx != 0 && len(txs) == 1 {
		notes = append(notes, fmt.Sprintf("in transaction %d", tx))
	}
	if open > 0 {
		notes = append(notes, fmt.Sprintf("rows not closed: %d", open))
	}
	if failed > 0 {
		notes = append(notes, fmt.Sprintf("failed: %d, first with: %v", failed, err))
	}
	return notes
}

func values(args []driver.NamedValue) string {
	var texts []string
	for i, a := range args {
		if i == maxArgs && len(args) > maxArgs+1 {
			texts = append(texts, fmt.Sprintf("… %d in all", len(args)))
			break
		}
		var text string
		switch v := a.Value.(type) {
		case string:
			text = fmt.Sprintf("%q", clip(v, 40))
		case []byte:
			text = count(len(v), "byte", "bytes")
		case nil:
			text = "NULL"
		default:
			text = fmt.Sprint(v)
		}
		if a.Name != "" {
			text = a.Name + "=" + text
		}
		texts = append(texts, text)
	}
	return "(" + strings.Join(texts, ", ") + ")"
}

func clip(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit]) + "…"
}
