package teamserve

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

// laptops admits to what only laptops may do that have joined.
func (s *Server) laptops(next func(http.ResponseWriter, *http.Request, *laptop)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		l, err := s.whose(bearer(r))
		if err != nil {
			s.fail(w, err)
			return
		}
		next(w, r, l)
	}
}

func bearer(r *http.Request) string {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return token
}

// postJoin admits a laptop: with the code, or with the token that it has.
func (s *Server) postJoin(w http.ResponseWriter, r *http.Request) {
	if l, err := s.whose(bearer(r)); err == nil {
		s.mu.RLock()
		answer := s.joinedAs(l)
		answer.Token, answer.Same = bearer(r), l.version == s.config.Version
		s.mu.RUnlock()
		reply(w, answer)
		return
	}
	var ask team.Join
	if err := read(w, r, 4<<10, &ask); err != nil {
		s.fail(w, err)
		return
	}
	if err := s.admit(r, same(ask.Code, s.born.Code)); err != nil {
		s.fail(w, err)
		return
	}
	answer, err := s.enter(ask)
	s.noteTrouble()
	var no refusal
	if ask.Key != "" && errors.As(err, &no) && no.status == http.StatusForbidden {
		var many tooManyError
		if tried := s.admit(r, false); errors.As(tried, &many) { // a wrong key is a wrong try as well
			err = tried
		}
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	answer.Same = ask.Version == s.config.Version
	reply(w, answer)
}

// A tooManyError says how long a source must wait.
type tooManyError struct{ wait time.Duration }

func (t tooManyError) Error() string {
	return fmt.Sprintf("Too many wrong codes from your address: wait %d seconds.", t.seconds())
}

func (t tooManyError) seconds() int { return int(math.Ceil(t.wait.Seconds())) }

// admit lets a right code in, and counts a wrong one.
func (s *Server) admit(r *http.Request, right bool) error {
	if wait := s.tries.admit(sourceOf(r), right); wait > 0 {
		return tooManyError{wait}
	}
	if !right {
		return refusal{http.StatusForbidden, "That is not this session's code."}
	}
	return nil
}

func (s *Server) postVerdict(w http.ResponseWriter, r *http.Request, l *laptop) {
	var v team.Verdict
	err := read(w, r, team.MaxBody, &v)
	if err == nil {
		err = s.takeVerdict(l, v)
	}
	s.done(w, err)
}

func (s *Server) postMoment(w http.ResponseWriter, r *http.Request, l *laptop) {
	var m team.Moment
	err := read(w, r, 8<<10, &m)
	if err == nil {
		err = s.takeMoment(l, m)
	}
	s.done(w, err)
}

func (s *Server) postLeave(w http.ResponseWriter, _ *http.Request, l *laptop) {
	s.done(w, s.leave(l))
}

func (s *Server) getState(w http.ResponseWriter, _ *http.Request, l *laptop) {
	state, err := s.stateOf(l)
	if err != nil {
		s.fail(w, err)
		return
	}
	reply(w, state)
}

func (s *Server) done(w http.ResponseWriter, err error) {
	s.noteTrouble()
	if err != nil {
		s.fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// read reads a request's body, of which no more than most bytes come into memory.
func read(w http.ResponseWriter, r *http.Request, most int64, into any) error {
	if r.ContentLength > most {
		w.Header().Set("Connection", "close")
		return &http.MaxBytesError{Limit: most}
	}
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, most))
	err := body.Decode(into)
	if err == nil {
		if _, err = body.Token(); errors.Is(err, io.EOF) {
			return nil
		}
	}
	if large := new(http.MaxBytesError); errors.As(err, &large) {
		return large
	}
	return refusal{http.StatusBadRequest, "That is not what a client sends."}
}

func reply(w http.ResponseWriter, answer any) {
	text, err := json.Marshal(answer)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "The server failed: "+err.Error()+".")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text) // whoever is gone gets nothing
}
