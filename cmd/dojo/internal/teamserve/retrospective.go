package teamserve

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

// away is how long a pair is thought to work on a light at most: who saves nothing for longer is having a break.
const away = 10 * minute

const (
	mostReds      = 10
	mostExamples  = 200     // lights that an exported page holds
	mostCode      = 8 << 20 // bytes of their code
	mostQuestions = 8       // of a kata
)

type retrospectivePage struct {
	Exported  bool
	WithCode  bool
	Pairs     []pairSum
	Steps     []stepSum
	Mistakes  []mistakeSum
	Reds      []redSum
	Moments   []momentSum
	Questions []kataQuestions
	Lights    []example // of an exported page
}

// Link leads to a light: in an exported page to a part of it.
func (p *retrospectivePage) Link(id int64) string {
	if p.Exported {
		return fmt.Sprintf("#light-%d", id)
	}
	return fmt.Sprintf("/light/%d", id)
}

type pairSum struct {
	Name       string
	Colour     team.Colour
	Katas      string
	Lights     int
	Red, Amber int
	Green      int
	Predicted  string
}

type stepSum struct {
	Kata  string
	Step  int
	Title string
	Pairs int
	Spent string
	Share int // of the longest, in percent
	spent int64
}

type mistakeSum struct {
	Kata, Title string
	Pairs       []string
	ID          int64 // the first light with it
	lights      int
}

type redSum struct {
	Pair     string
	Colour   team.Colour
	Kata     string
	Step     int
	Title    string
	Took     string
	Open     bool // nothing has ended it
	From, To int64
	took     int64
}

type momentSum struct {
	Pair   string
	Colour team.Colour
	Minute int64
	Note   string
	ID     int64 // the light that it is about; 0 if none
}

type kataQuestions struct {
	Kata, Title string
	Questions   []Question
}

type example struct {
	lightHead
	Failure failure
	Files   []fileView
}

func (s *Server) getRetrospective(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	page := s.retrospective()
	f := s.frame(r, "retrospective", "Retrospective", &page)
	s.mu.RUnlock()
	page.Questions = s.questions()
	s.show(w, http.StatusOK, f)
}

// getExport answers with the retrospective as a file that needs nothing else.
func (s *Server) getExport(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	page := s.retrospective()
	page.Exported, page.WithCode = true, r.FormValue("code") != "no"
	f := s.frame(r, "retrospective", "Retrospective", &page)
	f.Facilitator, f.Policy, f.Turn = false, exported, ""
	lights := s.examples(page)
	name := "dojo-" + s.born.Name + ".html"
	s.mu.RUnlock()
	page.Questions = s.questions()
	s.diffs <- struct{}{} // it takes memory as well
	err := s.addExamples(&page, lights)
	<-s.diffs
	var text []byte
	if err == nil {
		text, err = f.render()
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", exported+"; frame-ancestors 'none'")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	_, _ = w.Write(text) // whoever is gone gets nothing
}

// retrospective sums the session up. The caller holds s.mu.
func (s *session) retrospective() retrospectivePage {
	var page retrospectivePage
	now := s.clock.read()
	over := min(now, s.standingAt(now).ends)
	steps := map[[2]string]*stepSum{}
	mistakes := map[[2]string]*mistakeSum{}
	for _, p := range s.pairs {
		if p.gone {
			continue
		}
		page.Pairs = append(page.Pairs, p.sum())
		s.addSteps(steps, p, over)
		addMistakes(mistakes, p)
		page.Reds = append(page.Reds, s.redsOf(p, over)...)
	}
	for _, m := range s.moments {
		if m.pair.gone {
			continue
		}
		sum := momentSum{Pair: m.pair.name, Colour: m.pair.colour, Minute: m.at / minute, Note: m.note}
		if l := m.light(); l != nil {
			sum.ID = l.id
		}
		page.Moments = append(page.Moments, sum)
	}
	slices.SortStableFunc(page.Moments, func(x, y momentSum) int { return cmp.Compare(x.Minute, y.Minute) })
	page.Steps = ranked(steps, func(x, y stepSum) int { return cmp.Compare(y.spent, x.spent) })
	for i := range page.Steps {
		page.Steps[i].Spent = ago(page.Steps[i].spent)
		page.Steps[i].Share = int(100 * page.Steps[i].spent / max(1, page.Steps[0].spent))
	}
	page.Mistakes = ranked(mistakes, func(x, y mistakeSum) int {
		return cmp.Or(cmp.Compare(len(y.Pairs), len(x.Pairs)), cmp.Compare(y.lights, x.lights))
	})
	slices.SortStableFunc(page.Reds, func(x, y redSum) int { return cmp.Compare(y.took, x.took) })
	page.Reds = page.Reds[:min(mostReds, len(page.Reds))]
	return page
}

// ranked returns the values in an order, which the keys decide where it does not.
func ranked[T any](of map[[2]string]*T, order func(x, y T) int) []T {
	keys := slices.SortedFunc(maps.Keys(of), func(x, y [2]string) int { return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1])) })
	var all []T
	for _, key := range keys {
		all = append(all, *of[key])
	}
	slices.SortStableFunc(all, order)
	return all
}

func sorted[T any](of map[string]T) []string { return slices.Sorted(maps.Keys(of)) }

func (p *pair) sum() pairSum {
	sum := pairSum{Name: p.name, Colour: p.colour, Lights: len(p.lights)}
	katas := map[string]bool{}
	for _, l := range p.lights {
		katas[l.Kata] = true
		switch l.Light {
		case team.Red:
			sum.Red++
		case team.Amber:
			sum.Amber++
		case team.Green:
			sum.Green++
		}
	}
	for _, kata := range sorted(katas) {
		if sum.Katas != "" {
			sum.Katas += ", "
		}
		sum.Katas += kata
	}
	if right, of := p.predictions(); of > 0 {
		sum.Predicted = fmt.Sprintf("%d of %d", right, of)
	}
	return sum
}

// addSteps adds the time that a pair spent on each step: from each light on which it stood there to the next light.
func (s *session) addSteps(steps map[[2]string]*stepSum, p *pair, over int64) {
	seen := map[[2]string]bool{}
	for i, l := range p.lights {
		if l.step == 0 || l.Light == team.Green {
			continue
		}
		until := over
		if i+1 < len(p.lights) {
			until = p.lights[i+1].at
		}
		key := [2]string{l.Kata, fmt.Sprintf("%02d", l.step)}
		sum := steps[key]
		if sum == nil {
			sum = &stepSum{Kata: l.Kata, Step: l.step}
			steps[key] = sum
		}
		if title := titleOf(l); title != "" {
			sum.Title = title
		}
		if !seen[key] {
			seen[key] = true
			sum.Pairs++
		}
		sum.spent += min(away, s.worked(l.at, until))
	}
}

func addMistakes(mistakes map[[2]string]*mistakeSum, p *pair) {
	for _, l := range p.lights {
		if l.Mistake == "" {
			continue
		}
		key := [2]string{l.Kata, l.Mistake}
		sum := mistakes[key]
		if sum == nil {
			sum = &mistakeSum{Kata: l.Kata, Title: l.Mistake, ID: l.id}
			mistakes[key] = sum
		}
		sum.lights++
		if !slices.Contains(sum.Pairs, p.name) {
			sum.Pairs = append(sum.Pairs, p.name)
		}
	}
}

func (s *session) redsOf(p *pair, over int64) []redSum {
	var sums []redSum
	for _, r := range p.reds() {
		until := over
		if r.until != nil {
			until = r.until.at
		}
		took := s.worked(r.from.at, until)
		title := cmp.Or(titleOf(r.from), titleOf(r.to))
		sums = append(sums, redSum{
			Pair: p.name, Colour: p.colour, Kata: r.from.Kata, Step: r.from.step, Title: title, Took: ago(took), took: took,
			Open: r.until == nil, From: r.from.id, To: r.to.id,
		})
	}
	return sums
}

// questions returns those of the katas that were practised. Their pages are read without a lock.
func (s *Server) questions() []kataQuestions {
	s.mu.RLock()
	seen := map[string]bool{}
	for _, l := range s.lights {
		seen[l.Kata] = true
	}
	s.mu.RUnlock()
	var all []kataQuestions
	for _, k := range s.config.Katas { // a name that this clone does not have is nobody's file
		if !seen[k.Name] || s.config.Ask == nil {
			continue
		}
		if asked := s.config.Ask(k.Name); len(asked) > 0 {
			all = append(all, kataQuestions{k.Name, k.Title, asked[:min(mostQuestions, len(asked))]})
		}
	}
	return all
}

// examples returns the lights that the page speaks of. The caller holds s.mu.
func (s *session) examples(page retrospectivePage) []*light {
	wanted := map[int64]bool{}
	for _, m := range page.Moments {
		wanted[m.ID] = true
	}
	for _, m := range page.Mistakes {
		wanted[m.ID] = true
	}
	for _, r := range page.Reds {
		wanted[r.From], wanted[r.To] = true, true
	}
	for _, p := range s.pairs {
		if n := len(p.lights); n > 0 && !p.gone {
			wanted[p.lights[n-1].id] = true
		}
	}
	var lights []*light
	for _, id := range slices.Sorted(maps.Keys(wanted)) {
		if l := s.lights[id]; l != nil && len(lights) < mostExamples {
			lights = append(lights, l)
		}
	}
	return lights
}

// addExamples adds lights to a page that is exported, with their code if it is wanted.
func (s *Server) addExamples(page *retrospectivePage, lights []*light) error {
	left := mostCode
	for _, l := range lights {
		s.mu.RLock()
		e := example{lightHead: s.head(l)}
		s.mu.RUnlock()
		r, err := s.journal.load(l.where)
		if err != nil {
			return err
		}
		e.Failure = failureOf(r.Light.Failure)
		for _, f := range r.Light.Files {
			if left -= len(f.Text); !page.WithCode || left < 0 {
				break
			}
			view := fileView{Name: f.Name}
			view.Lines, view.More = lines(team.CleanLines(f.Text))
			e.Files = append(e.Files, view)
		}
		page.Lights = append(page.Lights, e)
	}
	return nil
}
