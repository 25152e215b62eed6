package teamserve

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

type facilitatePage struct {
	Phase string
	Turn  int64 // minutes
	Pairs []pairPlace
	Katas []Kata
	Kata  string   // where most pairs are
	Step  int      // likewise
	Said  []string // what everybody was told
	Join  []string
}

type pairPlace struct {
	Number int
	Name   string
	Colour team.Colour
}

func (s *Server) getFacilitate(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	at := s.standingAt(s.clock.read())
	page := facilitatePage{Phase: at.phase, Turn: at.every / minute, Katas: s.config.Katas, Join: s.joinCommands()}
	page.Kata, page.Step = s.crowd()
	for _, p := range s.pairs {
		if !p.gone {
			page.Pairs = append(page.Pairs, pairPlace{p.number, p.name, p.colour})
		}
	}
	for _, t := range s.told {
		switch t.Kind {
		case hint:
			page.Said = append(page.Said, "minute "+strconv.FormatInt(t.At/minute, 10)+": hint "+strconv.Itoa(t.N)+" of step "+strconv.Itoa(t.Step)+" of "+t.Kata)
		case reveal:
			page.Said = append(page.Said, "minute "+strconv.FormatInt(t.At/minute, 10)+": the reference of "+t.Kata+" is revealed")
		case removed:
			page.Said = append(page.Said, "minute "+strconv.FormatInt(t.At/minute, 10)+": "+s.pairs[t.Pair-1].name+" was removed")
		}
	}
	f := s.frame(r, "facilitate", "Facilitate", page)
	s.mu.RUnlock()
	s.show(w, http.StatusOK, f)
}

// crowd is the kata and the step where most pairs are. The caller holds s.mu.
func (s *session) crowd() (kata string, step int) {
	type place struct {
		kata string
		step int
	}
	pairs := map[place]int{}
	best := place{step: 1}
	for _, p := range s.pairs {
		if n := len(p.lights); n > 0 && !p.gone && p.lights[n-1].step > 0 {
			at := place{p.lights[n-1].Kata, p.lights[n-1].step}
			if pairs[at]++; pairs[at] > pairs[best] {
				best = at
			}
		}
	}
	return best.kata, best.step
}

// postFacilitate does what the facilitator asked for.
func (s *Server) postFacilitate(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	if err := r.ParseForm(); err != nil {
		refuse(w, http.StatusBadRequest, "That is not a form of this page.")
		return
	}
	number := func(name string, least, most int) int {
		n, _ := strconv.Atoi(r.PostForm.Get(name)) // 0 if it is none
		return max(least, min(most, n))
	}
	kata, known := s.kata(r.PostForm.Get("kata"))
	var err error
	switch what := r.PathValue("what"); what {
	case "start", "resume":
		err = s.setPhase(running, int64(number("turn", 0, 120))*minute)
	case "pause":
		err = s.setPhase(paused, 0)
	case "end":
		err = s.setPhase(ended, 0)
	case "hint", "reveal":
		switch {
		case !known:
			err = refusal{http.StatusBadRequest, "This clone has no such kata."}
		case what == "hint" && kata.Steps > 0 && number("step", 1, 99) > kata.Steps:
			err = refusal{http.StatusBadRequest, fmt.Sprintf("The kata %s has %d steps.", kata.Name, kata.Steps)}
		case what == "hint":
			err = s.tell(record{Kind: hint, Kata: kata.Name, Step: number("step", 1, 99), N: number("hint", 1, 9)})
		default:
			err = s.tell(record{Kind: reveal, Kata: kata.Name})
		}
	case "remove":
		err = s.remove(number("pair", 0, team.MaxPairs))
	default:
		err = refusal{http.StatusNotFound, "A facilitator cannot do that."}
	}
	s.noteTrouble()
	if err != nil {
		s.fail(w, err)
		return
	}
	http.Redirect(w, r, "/facilitate", http.StatusSeeOther)
}

func (s *Server) kata(name string) (Kata, bool) {
	for _, k := range s.config.Katas {
		if k.Name == name {
			return k, true
		}
	}
	return Kata{}, false
}
