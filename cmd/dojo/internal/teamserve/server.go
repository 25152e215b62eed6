// Package teamserve is the server of a team dojo: it takes the verdicts of pairs, keeps them in one file, and shows
// them on a board.
//
// Everything that comes to it is hostile until it was looked at: names, code, sizes, speeds, hosts. It builds and runs
// nothing of it. What it sends to clients is data of the kinds in package team.
package teamserve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

// A Config is what a server needs to know.
type Config struct {
	File    string                       // of the session; made if it is not there
	Version string                       // of the serving clone
	Hosts   []string                     // the addresses that were printed: other Host and Origin headers are refused
	Join    []string                     // those of them at which others join
	Katas   []Kata                       // of the serving clone
	Now     func() time.Time             // nil for time.Now
	Trouble func(err error)              // called when the disk refuses, and with nil when it takes again; nil for nobody
	Ask     func(kata string) []Question // the questions of a kata's answer page; nil for none
}

// A Kata is what the server knows of one.
type Kata struct {
	Name, Title string
	Steps       int // 0 if that is not known
}

// A Question is one to talk about after a kata.
type Question struct{ Text, Answer, Seeks string }

// A Server serves a session.
type Server struct {
	*session
	config Config
	tries  tries
	boards boards
	http   http.Server
	closed chan struct{}
	diffs  chan struct{} // a place for each diff that is computed at once

	once    sync.Once
	trouble sync.Mutex
	refused bool // whether Trouble was told that the disk refuses; guarded by trouble
}

// New goes on with the session in the file, or begins one.
func New(config Config) (*Server, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	s, err := openSession(config.File, config.Now)
	if err != nil {
		return nil, err
	}
	srv := &Server{
		session: s, config: config, closed: make(chan struct{}), diffs: make(chan struct{}, 2),
		tries: tries{now: config.Now, wrong: map[netip.Addr][]time.Time{}},
	}
	srv.http = http.Server{
		Handler:           srv.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second, // of a verdict over a bad network
		WriteTimeout:      30 * time.Second, // streams set their own
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // it would print what strangers send
	}
	return srv, nil
}

// Code is what admits to the session.
func (s *Server) Code() string { return s.born.Code }

// Word is what administers it, from this laptop.
func (s *Server) Word() string { return s.born.Word }

// Began says when the session began.
func (s *Server) Began() time.Time { return s.clock.began }

// Over reports whether the session has ended.
func (s *Server) Over() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.standingAt(s.clock.read()).phase == ended
}

// Serve serves on all listeners until the context ends.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	doors := newDoors()
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { failed <- s.http.Serve(doors.limit(l)) }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.once.Do(func() { close(s.closed) }) // streams end
	grace, stop := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer stop()
	_ = s.http.Shutdown(grace) // whoever is slower than that is cut off
	_ = s.http.Close()
	s.writing.Lock() // until the last record is on the disk
	defer s.writing.Unlock()
	return errors.Join(ignoreClosed(err), s.journal.file.Close())
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Handler answers all requests. Nothing but POST changes anything.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/join", s.postJoin)
	mux.HandleFunc("POST /api/verdict", s.laptops(s.postVerdict))
	mux.HandleFunc("POST /api/moment", s.laptops(s.postMoment))
	mux.HandleFunc("POST /api/leave", s.laptops(s.postLeave))
	mux.HandleFunc("GET /api/state", s.laptops(s.getState))
	mux.HandleFunc("GET /api/events", s.laptops(s.getEvents))

	mux.HandleFunc("GET /{$}", s.getBoard)
	mux.HandleFunc("POST /enter", s.postEnter)
	mux.HandleFunc("GET /stream", s.viewers(s.getStream))
	mux.HandleFunc("GET /light/{id}", s.viewers(s.getLight))
	mux.HandleFunc("GET /retrospective", s.viewers(s.getRetrospective))
	mux.HandleFunc("GET /export", s.viewers(s.getExport))
	mux.HandleFunc("GET /facilitate", s.facilitators(s.getFacilitate))
	mux.HandleFunc("POST /facilitate/{what}", s.facilitators(s.postFacilitate))
	return s.guard(mux)
}

// guard refuses what no part of the server should see, and sets what every answer needs.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		origin := r.Header.Get("Origin")
		switch {
		case !slices.Contains(s.config.Hosts, r.Host):
			refuse(w, http.StatusMisdirectedRequest, "This server answers only at the addresses that it printed.")
		case origin != "" && origin != "http://"+r.Host:
			refuse(w, http.StatusForbidden, "Another site's page may not ask this server.")
		case r.ContentLength > team.MaxBody:
			w.Header().Set("Connection", "close")
			refuse(w, http.StatusRequestEntityTooLarge, tooLarge)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

const tooLarge = "That is larger than a verdict may be."

func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, text)
}

// fail answers with what went wrong.
func (s *Server) fail(w http.ResponseWriter, err error) {
	var r refusal
	var many tooManyError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &many):
		w.Header().Set("Retry-After", strconv.Itoa(many.seconds()))
		refuse(w, http.StatusTooManyRequests, many.Error())
	case errors.As(err, &r):
		refuse(w, r.status, r.text)
	case errors.As(err, &large):
		refuse(w, http.StatusRequestEntityTooLarge, tooLarge)
	case errors.Is(err, errBudget), errors.Is(err, errDisk):
		refuse(w, http.StatusInsufficientStorage, "The server cannot keep more: "+err.Error()+".")
	default:
		refuse(w, http.StatusInternalServerError, "The server failed: "+err.Error()+".")
	}
}

// noteTrouble tells the facilitator's terminal once when the disk begins to refuse, and once when it takes again.
func (s *Server) noteTrouble() {
	err := s.journal.trouble()
	s.trouble.Lock()
	defer s.trouble.Unlock()
	if now := err != nil; now != s.refused {
		s.refused = now
		if s.config.Trouble != nil {
			s.config.Trouble(err)
		}
	}
}
