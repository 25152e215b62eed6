// Package teamfake is a server of team sessions for tests: it takes what comes, and can be told to misbehave.
package teamfake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

// Code is what the server wants to be told.
const Code = "ABCD1234"

// A Server takes verdicts and moments. Its fields may be changed under Lock.
type Server struct {
	*httptest.Server
	sync.Mutex
	Joins    []team.Join
	Verdicts []team.Verdict
	Moments  []team.Moment
	Lasts    []string // Last-Event-ID of each connection to the stream
	Refuse   func(r *http.Request) (status int, sentence string)
	State    *team.State // what take gets
	Answer   team.Joined
	Left     int

	t      *testing.T
	events chan string   // raw text for whoever listens
	drop   chan struct{} // closed to end the streams
}

// Start starts one that the test's end ends.
func Start(t *testing.T) *Server {
	t.Helper()
	s := &Server{
		t: t, events: make(chan string, 16), drop: make(chan struct{}),
		Answer: team.Joined{
			Session: "one", Token: "token-1", Pair: 1, Name: "Ada & Bob", Key: "K3Y4",
			Colour: team.Colour{Name: "blue", Hex: "#0072B2", Shape: "circle"}, Ends: time.Hour.Milliseconds(), Same: true,
		},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/join", s.join)
	mux.HandleFunc("POST /api/verdict", func(w http.ResponseWriter, r *http.Request) {
		var v team.Verdict
		s.take(w, r, &v, func() { s.Verdicts = append(s.Verdicts, v) })
	})
	mux.HandleFunc("POST /api/moment", func(w http.ResponseWriter, r *http.Request) {
		var m team.Moment
		s.take(w, r, &m, func() { s.Moments = append(s.Moments, m) })
	})
	mux.HandleFunc("POST /api/leave", func(w http.ResponseWriter, _ *http.Request) {
		s.Lock()
		defer s.Unlock()
		s.Left++
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /api/state", s.state)
	mux.HandleFunc("GET /api/events", s.stream)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status, sentence := s.refuses(r); status != 0 {
			http.Error(w, sentence, status)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { s.Drop(); s.CloseClientConnections(); s.Close() })
	return s
}

func (s *Server) refuses(r *http.Request) (int, string) {
	s.Lock()
	defer s.Unlock()
	if r.URL.Path != "/api/join" && r.Header.Get("Authorization") != "Bearer "+s.Answer.Token {
		return http.StatusUnauthorized, "No laptop of this session has that token."
	}
	if s.Refuse == nil {
		return 0, ""
	}
	return s.Refuse(r)
}

func (s *Server) join(w http.ResponseWriter, r *http.Request) {
	s.Lock()
	defer s.Unlock()
	var j team.Join
	if err := json.NewDecoder(r.Body).Decode(&j); err != nil || j.Code != Code {
		http.Error(w, "That is not the session's code.", http.StatusForbidden)
		return
	}
	s.Joins = append(s.Joins, j)
	s.reply(w, s.Answer)
}

func (s *Server) reply(w http.ResponseWriter, answer any) {
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		s.t.Errorf("the fake server's answer was not read: %v", err)
	}
}

// take takes a message in.
func (s *Server) take(w http.ResponseWriter, r *http.Request, into any, keep func()) {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.Lock()
	defer s.Unlock()
	keep()
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) state(w http.ResponseWriter, _ *http.Request) {
	s.Lock()
	defer s.Unlock()
	if s.State == nil {
		http.Error(w, "Your pair has saved nothing yet.", http.StatusNotFound)
		return
	}
	s.reply(w, s.State)
}

func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	s.Lock()
	s.Lasts = append(s.Lasts, r.Header.Get("Last-Event-ID"))
	drop := s.drop
	s.Unlock()
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, "data: {\"Kind\":\"phase\",\"Text\":\"running\"}\n\n")
	for {
		_ = http.NewResponseController(w).Flush() // a client that is gone ends the request
		select {
		case text := <-s.events:
			fmt.Fprint(w, text)
		case <-drop:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// Send sends text as it is to one that listens.
func (s *Server) Send(text string) { s.events <- text }

// Drop ends the streams there are.
func (s *Server) Drop() {
	s.Lock()
	defer s.Unlock()
	close(s.drop)
	s.drop = make(chan struct{})
}

// Got returns copies of what came.
func (s *Server) Got() ([]team.Verdict, []team.Moment) {
	s.Lock()
	defer s.Unlock()
	return append([]team.Verdict(nil), s.Verdicts...), append([]team.Moment(nil), s.Moments...)
}
