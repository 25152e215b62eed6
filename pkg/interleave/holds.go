package interleave

import "github.com/backend-kata/dojo/pkg/internal/stack"

// A hold is a lock of package sync below this one that an actor has, for the story of
// a deadlock. One that is held before Run is not among them.
type hold struct {
	lock any
	by   *actor
	at   *parking // where it was taken
	next *hold
}

// Took notes that the actor that was let go last has the lock.
//
//go:norace
func (s *stage) Took(lock any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == during {
		a := s.actors[s.going]
		s.holds = &hold{lock, a, a.at, s.holds}
	}
}

// Gave notes that the lock is held once less. Of several readers it is the one that was
// let go last, if that is one: what RUnlock undoes is nobody's in particular.
//
// An actor that is given up runs its deferred functions. One that gave the lock back to
// take it again later, as Cond.Wait does, may have been given up in between; the Unlock
// that it deferred would end the program.
//
//go:norace
func (s *stage) Gave(lock any) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == over {
		return s.ends(lock)
	}
	var gave **hold
	for h := &s.holds; *h != nil; h = &(*h).next {
		if (*h).lock == lock && (gave == nil || (*h).by == s.actors[s.going] && (*gave).by != s.actors[s.going]) {
			gave = h
		}
	}
	if gave != nil {
		*gave = (*gave).next
	}
	return true
}

// ends is Gave of a schedule that is over. It reports false for an actor that does not hold
// the lock. It is called with mu held.
//
//go:norace
func (s *stage) ends(lock any) bool {
	a := s.find(stack.Self().ID)
	for h := &s.holds; a != nil && *h != nil; h = &(*h).next {
		if (*h).lock == lock && (*h).by == a {
			*h = (*h).next
			return true
		}
	}
	return a == nil
}
