package teamserve

import (
	"errors"
	"net/http"
)

// viewers admits browsers that have the code. Others are asked for it.
func (s *Server) viewers(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.role(r) == "" {
			s.askForCode(w, r, http.StatusUnauthorized, "")
			return
		}
		next(w, r)
	}
}

// facilitators admits the browser on the serving laptop that has the word.
func (s *Server) facilitators(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case s.role(r) != facilitator:
			refuse(w, http.StatusForbidden, "Only the facilitator may do this, on the laptop that serves.")
		case r.Method == http.MethodPost && r.Header.Get("Origin") == "": // guard has compared it if it is there
			refuse(w, http.StatusForbidden, "A browser says which page a form was on, and this one did not.")
		default:
			next(w, r)
		}
	}
}

type enterPage struct{ Wrong string }

func (s *Server) askForCode(w http.ResponseWriter, r *http.Request, status int, wrong string) {
	s.mu.RLock()
	f := s.frame(r, "enter", "Team dojo", enterPage{wrong})
	s.mu.RUnlock()
	f.Standing, f.Turn, f.Trouble = "", "", "" // not for strangers
	s.show(w, status, f)
}

// postEnter gives a browser its cookie for the code, or for the word.
func (s *Server) postEnter(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<10)
	typed := r.PostFormValue("code") // "" if the form is too large or none
	role := ""
	switch {
	case same(typed, s.born.Code):
		role = viewer
	case same(typed, s.born.Word) && fromHere(r):
		role = facilitator
	}
	if err := s.admit(r, role != ""); err != nil {
		status := http.StatusForbidden
		if _, many := errors.AsType[tooManyError](err); many {
			status = http.StatusTooManyRequests
		}
		s.askForCode(w, r, status, err.Error())
		return
	}
	if role == viewer && s.role(r) == facilitator {
		role = facilitator // to type the code takes nothing away
	}
	http.SetCookie(w, s.cookie(role))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
