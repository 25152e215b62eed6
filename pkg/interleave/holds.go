package interleave

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
//go:norace
func (s *stage) Gave(lock any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var gave **hold
	for h := &s.holds; *h != nil; h = &(*h).next {
		if (*h).lock == lock && (gave == nil || (*h).by == s.actors[s.going] && (*gave).by != s.actors[s.going]) {
			gave = h
		}
	}
	if gave != nil {
		*gave = (*gave).next
	}
}
