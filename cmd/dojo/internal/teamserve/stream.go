package teamserve

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

const (
	beat  = 15 * time.Second       // between signs of life on a stream
	pause = 100 * time.Millisecond // in which what a board is told of comes together
)

// A stream is a response that goes on. Whoever reads too slowly loses it, and comes back by itself.
type stream struct {
	w    http.ResponseWriter
	ctrl *http.ResponseController
}

func openStream(w http.ResponseWriter) *stream {
	w.Header().Set("Content-Type", "text/event-stream")
	s := &stream{w, http.NewResponseController(w)}
	_ = s.ctrl.SetReadDeadline(time.Time{}) // nothing more is read
	return s
}

// send writes one event or comment, and reports whether it went out.
func (s *stream) send(text string) bool {
	_ = s.ctrl.SetWriteDeadline(time.Now().Add(10 * time.Second)) // real time; a recorder in a test has none
	_, err := fmt.Fprint(s.w, text)
	return err == nil && s.ctrl.Flush() == nil
}

// getStream tells a browser when its board has changed. The page is the same for all who ask for it, so that is all.
func (s *Server) getStream(w http.ResponseWriter, r *http.Request) {
	out := openStream(w)
	for {
		s.mu.RLock()
		changed, seq, wake := s.changed, s.seq, s.nextTurn()
		s.mu.RUnlock()
		if !out.send(fmt.Sprintf("data: %d\n\n", seq)) {
			return
		}
		if !s.sleep(r, changed, wake) || !s.sleep(r, nil, pause) {
			return
		}
	}
}

// sleep waits for a change, or so long. It reports whether there is anybody to go on for.
func (s *Server) sleep(r *http.Request, changed <-chan struct{}, most time.Duration) bool {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-r.Context().Done():
		return false
	case <-s.closed:
		return false
	}
	return true
}

// nextTurn is how long a stream may sleep. The caller holds s.mu.
func (s *session) nextTurn() time.Duration {
	at := s.standingAt(s.clock.read())
	wake := beat
	if at.left > 0 {
		wake = min(wake, time.Duration(at.left)*time.Millisecond)
	}
	return wake
}

// getEvents tells a laptop what it should know: how things stand first, then what it has missed, then what comes.
func (s *Server) getEvents(w http.ResponseWriter, r *http.Request, l *laptop) {
	out := openStream(w)
	last, err := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64)
	if err != nil {
		last = math.MaxInt64 // it has missed nothing
	}
	var told standing
	for {
		s.mu.RLock()
		last = min(last, s.seq)
		now := s.standingAt(s.clock.read())
		changed, wake := s.changed, s.nextTurn()
		text := s.missed(last, l.pair)
		id := s.seq
		if text != "" {
			id = 0 // the events have identities of their own
		}
		text = news(id, told, now) + text
		last = s.seq
		gone := l.pair.gone || s.tokens[l.token] != l
		s.mu.RUnlock()
		told = now
		if text == "" {
			text = ": still here\n\n"
		}
		if !out.send(text) || gone || !s.sleep(r, changed, wake) {
			return
		}
	}
}

// news is how things stand, if that is not what was told. Its identity is that of the last record: a laptop that
// comes back misses nothing since.
func news(id int64, told, now standing) string {
	switch {
	case now.phase != told.phase || now.since != told.since || now.every != told.every:
		return event(id, team.Event{Kind: team.Phase, Text: now.phase, N: int(now.turn), Left: now.left})
	case now.turn > told.turn:
		return event(id, team.Event{Kind: team.Turn, N: int(now.turn), Left: now.left})
	}
	return ""
}

// missed is what everybody, or this pair, was told after a record. The caller holds s.mu.
func (s *session) missed(last int64, p *pair) string {
	var text strings.Builder
	for _, r := range s.told {
		switch {
		case r.Seq <= last:
		case r.Kind == hint:
			text.WriteString(event(r.Seq, team.Event{Kind: team.HintAll, Kata: r.Kata, Step: r.Step, N: r.N}))
		case r.Kind == reveal:
			text.WriteString(event(r.Seq, team.Event{Kind: team.Reveal, Kata: r.Kata}))
		case r.Kind == removed && r.Pair == p.number:
			text.WriteString(event(r.Seq, team.Event{Kind: team.Removed}))
		}
	}
	return text.String()
}

func event(id int64, e team.Event) string {
	text, err := json.Marshal(e)
	if err != nil {
		return "" // strings and numbers always can be written
	}
	if id == 0 {
		return fmt.Sprintf("data: %s\n\n", text)
	}
	return fmt.Sprintf("id: %d\ndata: %s\n\n", id, text)
}
