package loadgen

import (
	"sync"
	"time"
)

// A Station is a simulated server: a number of workers, and a line in front of
// them that has no bound and forgets nobody, first come, first served. It
// stands behind what is tested. Its methods may be called at the same time.
type Station struct {
	mu   sync.Mutex // guards what follows
	free int        // idle workers; negative while more work than there should be
	line []chan struct{}
}

// NewStation returns a station with so many workers.
func NewStation(workers int) *Station { return &Station{free: workers} }

// Do waits for a worker and keeps it for a while. It does not look whether
// anybody still wants the result.
func (s *Station) Do(takes time.Duration) {
	if turn := s.queue(); turn != nil {
		<-turn
	}
	time.Sleep(takes)
	s.Add(1)
}

// queue takes a worker, or returns what to wait for.
func (s *Station) queue() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free > 0 {
		s.free--
		return nil
	}
	turn := make(chan struct{})
	s.line = append(s.line, turn)
	return turn
}

// Add makes so many workers more, or fewer if n is negative. One that goes
// finishes what it is at.
func (s *Station) Add(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free += n
	for s.free > 0 && len(s.line) > 0 {
		s.free--
		close(s.line[0])
		s.line[0] = nil
		s.line = s.line[1:]
	}
}

// Waiting returns the length of the line.
func (s *Station) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.line)
}
