package teamserve

import (
	"bytes"
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

const (
	minute     = 60_000
	cellLights = 3 // lights of a cell that a board shows unless all are asked for
)

// A size is how large rows are, and how many columns then stand beside them on a screen of 1080 lines.
type size struct {
	Name  string
	pairs int // at most
	span  int
}

var sizes = []size{{"few", 8, 10}, {"some", 16, 12}, {"many", team.MaxPairs, 14}}

type boardPage struct {
	Size    size
	ByRed   bool // the longest red comes first
	All     bool // every column
	Cut     bool // there are earlier columns
	Columns []column
	Rows    []row
	Join    []string // how others come in; whoever sees the board has the code
}

// A column is a minute, or a gap in which nobody saved.
type column struct {
	minute int64
	gap    int64 // so many minutes, from that one; 0 of a minute
	Label  string
	Gap    bool
}

type row struct {
	Name      string
	Colour    team.Colour
	Kata      string
	Light     team.Light // the last one
	ID        int64      // its
	Step      string     // large
	Title     string     // of the step
	Sentence  string     // what the last light says
	Remarks   string     // for how long it has been red, and what else to know
	Predicted string
	Cells     []cell
	stuck     int64
}

type cell struct {
	Gap    bool
	More   int // earlier lights of that minute
	Lights []spot
}

type spot struct {
	ID    int64
	Light team.Light
	Label string
	Mark  bool // a moment was marked on it
}

// getBoard shows the board, or asks for the code.
func (s *Server) getBoard(w http.ResponseWriter, r *http.Request) {
	if s.role(r) == "" {
		s.askForCode(w, r, http.StatusOK, "")
		return
	}
	board, err := s.boards.render(s, boardChoice{byRed: r.FormValue("order") == "red", all: r.FormValue("columns") == "all"})
	if err != nil {
		s.fail(w, err)
		return
	}
	s.mu.RLock()
	f := s.frame(r, "board", "Board", board)
	s.mu.RUnlock()
	s.show(w, http.StatusOK, f)
}

// A boardChoice is what a viewer chooses of a board.
type boardChoice struct{ byRed, all bool }

// boards keeps the boards as they were rendered last: forty browsers ask at once for the same one, which takes 7 ms.
type boards struct {
	mu   sync.Mutex // guards what follows, and is held while one is rendered
	seq  int64
	at   int64
	html map[boardChoice]template.HTML
}

func (b *boards) render(s *Server, choice boardChoice) (template.HTML, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.mu.RLock()
	seq, now := s.seq, s.clock.read()
	if seq != b.seq || now-b.at >= 1000 { // a second: of times that are told in minutes
		b.seq, b.at, b.html = seq, now, map[boardChoice]template.HTML{}
	}
	html, known := b.html[choice]
	if known {
		s.mu.RUnlock()
		return html, nil
	}
	page := s.board(choice)
	s.mu.RUnlock()
	var text bytes.Buffer
	if err := layouts.ExecuteTemplate(&text, "board", page); err != nil {
		return "", fmt.Errorf("the board cannot be made: %w", err)
	}
	b.html[choice] = template.HTML(text.String()) //nolint:gosec // a template made it
	return b.html[choice], nil
}

// board lays the board out. The caller holds s.mu.
func (s *Server) board(choice boardChoice) boardPage {
	now := s.clock.read()
	b := boardPage{Join: s.joinCommands(), ByRed: choice.byRed, All: choice.all, Columns: s.columns(now)}
	here := 0
	for _, p := range s.pairs {
		if !p.gone {
			here++
		}
	}
	b.Size = sizes[slices.IndexFunc(sizes, func(s size) bool { return here <= s.pairs })]
	if cut := len(b.Columns) - b.Size.span; !choice.all && cut > 0 {
		b.Cut, b.Columns = true, b.Columns[cut:]
	}
	marked := s.marked()
	for _, p := range s.pairs {
		if !p.gone {
			b.Rows = append(b.Rows, s.row(p, b, marked, now))
		}
	}
	if choice.byRed {
		slices.SortStableFunc(b.Rows, func(x, y row) int { return cmp.Compare(y.stuck, x.stuck) })
	}
	return b
}

func (s *Server) joinCommands() []string {
	var commands []string
	for _, host := range s.config.Join {
		commands = append(commands, "go tool dojo join "+host+" "+team.Grouped(s.born.Code))
	}
	return commands
}

// columns returns the minutes in which somebody saved, with the gaps between folded.
func (s *session) columns(now int64) []column {
	saved := map[int64]bool{}
	for _, l := range s.lights {
		if !l.pair.gone {
			saved[l.at/minute] = true
		}
	}
	if len(saved) == 0 {
		return nil
	}
	var columns []column
	empty := int64(0)
	for at := s.firstMinute(); at <= now/minute; at++ {
		if !saved[at] {
			empty++
			continue
		}
		columns = append(folded(columns, at, empty), column{minute: at, Label: fmt.Sprint(at)})
		empty = 0
	}
	return folded(columns, now/minute+1, empty)
}

// folded adds the empty minutes before one: a single one as it is, more as a gap.
func folded(columns []column, before, empty int64) []column {
	switch empty {
	case 0:
		return columns
	case 1:
		return append(columns, column{minute: before - 1, Label: fmt.Sprint(before - 1)})
	}
	return append(columns, column{minute: before - empty, gap: empty, Gap: true, Label: fmt.Sprintf("%d min", empty)})
}

func (s *session) firstMinute() int64 {
	first := s.clock.read()
	for _, p := range s.pairs {
		if len(p.lights) > 0 && !p.gone {
			first = min(first, p.lights[0].at)
		}
	}
	return first / minute
}

// marked returns the lights on which a moment was marked: the last one of the pair before it.
func (s *session) marked() map[int64]bool {
	marked := map[int64]bool{}
	for _, m := range s.moments {
		if l := m.light(); l != nil {
			marked[l.id] = true
		}
	}
	return marked
}

func (m mark) light() *light {
	var last *light
	for _, l := range m.pair.lights {
		if l.at <= m.at {
			last = l
		}
	}
	return last
}

func (s *Server) row(p *pair, b boardPage, marked map[int64]bool, now int64) row {
	r := row{Name: p.name, Colour: p.colour}
	notes := s.notes(p)
	if right, of := p.predictions(); of > 0 {
		r.Predicted = fmt.Sprintf("%d/%d", right, of)
	}
	if n := len(p.lights); n > 0 {
		last := p.lights[n-1]
		r.Kata, r.Light, r.ID, r.Title = last.Kata, last.Light, last.id, last.Title
		r.Step, r.Sentence = stepOf(last), sentence(last)
		if reds := p.reds(); len(reds) > 0 && last.Light != team.Green {
			r.stuck = s.worked(reds[len(reds)-1].from.at, min(now, s.standingAt(now).ends)) + 1
			what := "red for "
			if last.Light == team.Amber {
				what = "amber or red for "
			}
			notes = slices.Insert(notes, 0, what+ago(r.stuck))
		}
	}
	r.Remarks = strings.Join(notes, " · ")
	at := 0
	for _, c := range b.Columns {
		var in cell
		in.Gap = c.Gap
		for ; at < len(p.lights) && p.lights[at].at/minute <= c.minute; at++ {
			if l := p.lights[at]; l.at/minute == c.minute {
				in.Lights = append(in.Lights, spot{l.id, l.Light, label(l), marked[l.id]})
			}
		}
		if n := len(in.Lights); !b.All && n > cellLights {
			in.More, in.Lights = n-cellLights, in.Lights[n-cellLights:]
		}
		r.Cells = append(r.Cells, in)
	}
	return r
}

// stepOf is where a pair is, for the back of the room.
func stepOf(l *light) string {
	switch {
	case l.Light == team.Green:
		return "✓"
	case l.step == 0:
		return "–"
	case l.Steps == 0:
		return fmt.Sprint(l.step)
	}
	return fmt.Sprintf("%d/%d", l.step, l.Steps)
}

// sentence is what a light says in a line.
func sentence(l *light) string {
	switch {
	case l.Light == team.Green:
		return "green"
	case l.Light == team.Amber:
		return string(l.Reason)
	case l.Mistake != "":
		return "known mistake: " + l.Mistake
	case l.Failure != "":
		return l.Failure
	}
	return l.Title
}

// label is a light for those who do not see it.
func label(l *light) string {
	text := fmt.Sprintf("%s, %s at minute %d", l.pair.name, l.Light, l.at/minute)
	if l.step > 0 {
		text += fmt.Sprintf(", step %d of %s", l.step, l.Kata)
	}
	return text
}

// notes says what to know of a pair before its lights are compared with others'. The caller holds s.mu.
func (s *Server) notes(p *pair) []string {
	var notes []string
	for _, l := range p.laptops {
		if !l.left && l.version != s.config.Version {
			notes = append(notes, "another version of the clone")
			break
		}
	}
	if n := len(p.lights); n > 0 {
		notes = append(notes, remarks(p.lights[n-1])...)
	}
	return notes
}

// remarks says what to know of a light before it is compared with another.
func remarks(l *light) []string {
	var notes []string
	if l.Altered {
		notes = append(notes, "its steps are not as shipped")
	}
	if !l.Race && l.Light != team.Amber {
		notes = append(notes, "judged without the race detector")
	}
	return notes
}
