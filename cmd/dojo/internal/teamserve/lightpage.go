package teamserve

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/patch"
	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

// maxLines bounds what a page shows of a file: 64 KiB of line ends would be a page that no browser likes.
const maxLines = 3000

type lightPage struct {
	lightHead
	Before  int64 // the pair's light before this one; 0 if none, as all of these
	After   int64
	Above   int64 // the light of the pair above at that time
	Below   int64
	Failure failure
	Same    string // that no file has changed
	Files   []fileView
}

// A failure is a sentence and what explains it, such as a schedule in columns.
type failure struct{ Head, Rest string }

func failureOf(text string) failure {
	head, rest, _ := strings.Cut(text, "\n")
	return failure{team.Clean(head), strings.Trim(rest, "\n")}
}

// A lightHead is a light without its code.
type lightHead struct {
	ID        int64
	Pair      string
	Colour    team.Colour
	Light     team.Light
	Reason    team.Reason
	Kata      string
	Step      string
	Title     string
	Minute    int64
	Passed    string
	Mistake   string
	Predicted string
	Notes     []string
	Moments   []string
}

// A fileView is a file, and how it came to be.
type fileView struct {
	Name  string
	Lines []string
	More  int // lines that are not shown
	Diff  []diffLine
	New   bool // it was not there before
	Gone  bool // it is not there any more
}

type diffLine struct {
	Kind string // added, removed, place or kept
	Text string
}

func (s *Server) getLight(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	s.mu.RLock()
	l := s.lights[id]
	if err != nil || l == nil || l.pair.gone {
		s.mu.RUnlock()
		refuse(w, http.StatusNotFound, "There is no such light.")
		return
	}
	page := lightPage{lightHead: s.head(l)}
	before := s.neighbours(&page, l)
	f := s.frame(r, "light", fmt.Sprintf("%s, minute %d", l.pair.name, page.Minute), &page)
	s.mu.RUnlock()

	select { // a diff of what somebody made up to be slow takes a while, so only a few are computed at once
	case s.diffs <- struct{}{}:
	case <-r.Context().Done():
		return
	}
	page.Failure, page.Files, err = s.code(l, before)
	<-s.diffs
	if err != nil {
		s.fail(w, err)
		return
	}
	if before != nil && len(page.Files) > 0 && !slices.ContainsFunc(page.Files, func(f fileView) bool { return len(f.Diff) > 0 || f.New || f.Gone }) {
		page.Same = "The code is the same as at the light before."
	}
	s.show(w, http.StatusOK, f)
}

// head describes a light. The caller holds s.mu.
func (s *session) head(l *light) lightHead {
	h := lightHead{
		ID: l.id, Pair: l.pair.name, Colour: l.pair.colour, Light: l.Light, Reason: l.Reason, Kata: l.Kata,
		Title: titleOf(l), Minute: l.at / minute, Mistake: l.Mistake, Notes: remarks(l),
	}
	if l.step > 0 {
		h.Step = fmt.Sprintf("step %d of %d", l.step, l.Steps)
	}
	if l.Light != team.Amber && l.Steps > 0 {
		h.Passed = fmt.Sprintf("%d of %d steps pass", l.Passed, l.Steps)
	}
	switch l.Predicted {
	case "":
	case l.Light:
		h.Predicted = "as the pair predicted"
	default:
		h.Predicted = "the pair predicted " + string(l.Predicted)
	}
	for _, m := range s.moments {
		if m.light() == l {
			h.Moments = append(h.Moments, m.note)
		}
	}
	return h
}

// titleOf is the title of a light's step. That of an amber one is of another.
func titleOf(l *light) string {
	if l.Step == 0 {
		return ""
	}
	return l.Title
}

// neighbours finds where the arrow keys lead, and returns the light before that the code is compared with.
func (s *session) neighbours(page *lightPage, l *light) *light {
	var before *light
	for i, at := range l.pair.lights {
		if at == l {
			if i > 0 {
				page.Before = l.pair.lights[i-1].id
			}
			if i+1 < len(l.pair.lights) {
				page.After = l.pair.lights[i+1].id
			}
			break
		}
		if at.Kata == l.Kata && !at.bare {
			before = at
		}
	}
	for n := l.pair.number - 1; n > 0 && page.Above == 0; n-- {
		page.Above = s.pairs[n-1].nearest(l.at)
	}
	for n := l.pair.number + 1; n <= len(s.pairs) && page.Below == 0; n++ {
		page.Below = s.pairs[n-1].nearest(l.at)
	}
	return before
}

// nearest is the light of a pair that a moment is nearest to; 0 if it has none.
func (p *pair) nearest(at int64) int64 {
	if p.gone {
		return 0
	}
	id, best := int64(0), int64(0)
	for _, l := range p.lights {
		if apart := max(l.at-at, at-l.at); id == 0 || apart < best {
			id, best = l.id, apart
		}
	}
	return id
}

// code reads what a light was given for, and compares it with the light before.
func (s *Server) code(l, before *light) (says failure, files []fileView, err error) {
	now, err := s.journal.load(l.where)
	if err != nil {
		return failure{}, nil, err
	}
	was := map[string]string{}
	if before != nil {
		r, err := s.journal.load(before.where)
		if err != nil {
			return failure{}, nil, err
		}
		for _, f := range r.Light.Files {
			was[f.Name] = team.CleanLines(f.Text)
		}
	}
	for _, f := range now.Light.Files {
		text := team.CleanLines(f.Text)
		view := fileView{Name: f.Name}
		view.Lines, view.More = lines(text)
		old, there := was[f.Name]
		switch {
		case there:
			view.Diff = diff(old, text)
		case before != nil:
			view.New = true
		}
		delete(was, f.Name)
		files = append(files, view)
	}
	for _, name := range sorted(was) {
		files = append(files, fileView{Name: name, Gone: true, Diff: diff(was[name], "")})
	}
	return failureOf(now.Light.Failure), files, nil
}

func lines(text string) (shown []string, more int) {
	shown = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(shown) > maxLines {
		return shown[:maxLines], len(shown) - maxLines
	}
	return shown, 0
}

// diff is how one text became another, without the names of files.
func diff(from, to string) []diffLine {
	if from == to {
		return nil
	}
	if max(strings.Count(from, "\n"), strings.Count(to, "\n")) > maxLines { // no learner writes that, and it would take seconds
		return []diffLine{{"place", "This file has too many lines to be compared."}}
	}
	all, more := lines(patch.Between("before", "now", from, to))
	var out []diffLine
	for i, line := range all {
		if i < 2 || line == "" { // the names
			continue
		}
		kind := map[byte]string{'+': "added", '-': "removed", '@': "place"}[line[0]]
		out = append(out, diffLine{kind, line})
	}
	if more > 0 {
		out = append(out, diffLine{"place", fmt.Sprintf("… %d more lines", more)})
	}
	return out
}
