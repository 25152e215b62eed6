package teamserve

import (
	"slices"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

// The phases of a session, as clients are told.
const (
	waiting = "waiting"
	running = "running"
	paused  = "paused"
	ended   = "ended"
)

const life = int64(team.SessionLife / 1e6) // in milliseconds, as all times of a session

// A moodNow is where a session stands at a moment.
type standing struct {
	phase string
	since int64 // when the phase began
	every int64 // how long a turn is; 0 if there is no timer
	turn  int64 // from 1
	left  int64 // until the driver changes; 0 unless a timer runs
	ends  int64 // when all is over at the latest, or was
}

// standingAt says how things stand. The caller holds s.mu.
func (s *session) standingAt(now int64) standing {
	at := standing{phase: waiting, ends: life}
	for _, r := range s.phases {
		at.phase, at.since, at.every = r.Phase, r.At, r.Turn
	}
	if at.phase != ended && now >= life {
		at.phase, at.since = ended, life
	}
	if at.phase == ended {
		at.ends = at.since
	}
	if at.every > 0 {
		ran := s.ran(now)
		at.turn = ran/at.every + 1
		if at.phase == running {
			at.left = at.every - ran%at.every
		}
	}
	return at
}

// ran is for how long the session has been running until a moment.
func (s *session) ran(until int64) int64 {
	var ran int64
	s.eachPhase(until, func(phase string, from, to int64) {
		if phase == running {
			ran += to - from
		}
	})
	return ran
}

// worked is how much of the time between two moments was no pause.
func (s *session) worked(from, to int64) int64 {
	worked := max(0, to-from)
	s.eachPhase(to, func(phase string, began, over int64) {
		if phase == paused || phase == ended {
			worked -= max(0, min(over, to)-max(began, from))
		}
	})
	return worked
}

func (s *session) eachPhase(until int64, each func(phase string, from, to int64)) {
	for i, r := range s.phases {
		to := until
		if i+1 < len(s.phases) {
			to = min(to, s.phases[i+1].At)
		}
		if r.At < to {
			each(r.Phase, r.At, to)
		}
	}
}

// setPhase changes the phase. To set the one that is there changes nothing.
func (s *session) setPhase(to string, every int64) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	now := s.clock.read()
	s.mu.RLock()
	at := s.standingAt(now)
	s.mu.RUnlock()
	allowed := map[string][]string{waiting: {running, ended}, running: {paused, ended}, paused: {running, ended}}
	if !slices.Contains(allowed[at.phase], to) {
		return nil // pressed twice, or in two windows
	}
	if to != running || at.phase == paused {
		every = at.every
	}
	return s.write(record{At: now, Kind: phase, Phase: to, Turn: every})
}

// tell tells all clients something: a hint or a reveal.
func (s *session) tell(r record) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	r.At = s.clock.read()
	return s.write(r)
}

// remove takes a pair out of the session.
func (s *session) remove(number int) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.RLock()
	there := 0 < number && number <= len(s.pairs) && !s.pairs[number-1].gone
	s.mu.RUnlock()
	if !there {
		return nil // removed already
	}
	return s.write(record{At: s.clock.read(), Kind: removed, Pair: number})
}
