package teamclient

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

// A Status is how a clone stands to its session.
type Status struct {
	Seat    *Seat // nil where it has joined none
	Online  bool  // the server is heard
	Waiting int   // messages that are not sent
	Phase   string
	Turn    time.Time // when the driver changes; zero where no timer runs
	Problem string    // why the last call failed, or what was dropped
	Left    string    // why the clone has no seat any more
}

// A Member keeps a clone's seat in view: it sends what is queued, and listens. It takes up a seat that
// another process of the clone found, and lets go of one that was left.
type Member struct {
	folder *Folder
	tell   func(Status, *team.Event)
	wake   chan struct{}

	mu     sync.Mutex
	status Status
}

const (
	phaseEnded = "ended" // as the server says it

	look      = time.Second      // how often it sees whether another process joined, left or queued
	firstWait = time.Second      // before a failed call is tried again
	longWait  = 20 * time.Second // likewise, after many
)

// NewMember returns a member of the session in whose seat the clone is. It calls tell, from one
// goroutine at a time, as the status changes and as each event comes.
func NewMember(f *Folder, tell func(Status, *team.Event)) *Member {
	return &Member{folder: f, tell: tell, wake: make(chan struct{}, 1)}
}

// Wake makes it send at once what was queued.
func (m *Member) Wake() {
	select {
	case m.wake <- struct{}{}:
	default: // it is awake
	}
}

// Run keeps the seat in view until ctx ends.
func (m *Member) Run(ctx context.Context) {
	for ctx.Err() == nil {
		s, err := m.folder.Seat()
		if err != nil {
			m.change(nil, func(now *Status) { now.Problem = err.Error() })
		}
		if s != nil {
			m.attend(ctx, s)
			continue
		}
		m.pause(ctx, look)
	}
}

// attend sends and listens until the seat is another one, or none.
func (m *Member) attend(ctx context.Context, s *Seat) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	m.change(nil, func(now *Status) { *now = Status{Seat: s, Waiting: m.folder.Waiting()} })
	var listening sync.WaitGroup
	defer listening.Wait()
	defer stop()
	listening.Go(func() { m.listen(ctx, s) })
	wait, next := firstWait, time.Now()
	for ctx.Err() == nil {
		if now, err := m.folder.Seat(); err != nil || now == nil || now.Token != s.Token {
			if ctx.Err() == nil {
				m.change(nil, func(now *Status) { *now = Status{Left: now.Left} })
			}
			return
		}
		if waits := m.folder.Waiting(); waits > 0 && !time.Now().Before(next) {
			err := m.folder.Send(ctx, s)
			if err == nil {
				wait = firstWait
			} else {
				next = time.Now().Add(wait/2 + rand.N(wait)) // all laptops lose the network at the same time
				wait = min(2*wait, longWait)
			}
			m.sent(err)
		} else if m.ended() && waits == 0 {
			m.change(nil, func(now *Status) { now.Left = "it has ended" })
			m.folder.leave(s.Token)
			continue
		} else {
			m.change(nil, func(now *Status) { now.Waiting = waits })
		}
		if m.pause(ctx, look) {
			next = time.Time{} // something new was queued, or the server is heard again
		}
	}
}

// ended reports whether the session is over. What waits is still sent: it was judged before the end.
func (m *Member) ended() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.status.Phase == phaseEnded
}

// sent takes in what became of sending.
func (m *Member) sent(err error) {
	m.change(nil, func(now *Status) {
		now.Waiting, now.Problem = m.folder.Waiting(), ""
		if err != nil {
			now.Problem = err.Error()
		}
		if refusal, ok := errors.AsType[*RefusalError](err); ok && refusal.out() {
			now.Left = refusal.Error()
		}
	})
}

// listen hears the session, and connects again where the connection is lost.
func (m *Member) listen(ctx context.Context, s *Seat) {
	wait, events := firstWait, &stream{seat: s}
	for {
		err := events.listen(ctx, func() {
			wait = firstWait
			m.change(nil, func(now *Status) { now.Online, now.Problem = true, "" })
			m.Wake()
		}, func(e team.Event) { m.heard(s, e) })
		if ctx.Err() != nil {
			return
		}
		refusal, refused := errors.AsType[*RefusalError](err)
		out := refused && refusal.out()
		m.change(nil, func(now *Status) {
			now.Online, now.Problem = false, err.Error()
			if out {
				now.Left = err.Error()
			}
		})
		if out {
			m.folder.leave(s.Token)
			m.Wake()
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait/2 + rand.N(wait)):
		}
		wait = min(2*wait, longWait)
	}
}

// heard takes in an event.
func (m *Member) heard(s *Seat, e team.Event) {
	m.change(&e, func(now *Status) {
		switch e.Kind {
		case team.Phase, team.Turn:
			if e.Kind == team.Phase {
				now.Phase = e.Text
			}
			now.Turn = time.Time{}
			if e.Left > 0 {
				now.Turn = time.Now().Add(time.Duration(e.Left) * time.Millisecond)
			}
		case team.Removed:
			now.Left = "the facilitator removed this pair"
		}
	})
	if e.Kind == team.Removed {
		m.folder.leave(s.Token)
	}
	if e.Kind != team.Turn {
		m.Wake()
	}
}

// change changes the status, and tells of it if it is another one or an event came. It tells one after the
// other, so that the last one told is the last.
func (m *Member) change(e *team.Event, how func(*Status)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.status
	how(&m.status)
	if m.status != before || e != nil {
		m.tell(m.status, e)
	}
}

// pause waits, and reports whether it was woken.
func (m *Member) pause(ctx context.Context, long time.Duration) bool {
	select {
	case <-ctx.Done():
	case <-m.wake:
		return true
	case <-time.After(long):
	}
	return false
}
