package teamserve

import (
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

// A session is what its file tells: pairs, lights, phases. Whatever changes it becomes a record, is appended to the
// file, and only then applied; so a server that was killed comes back as it was.
type session struct {
	clock   clock
	journal *journal

	writing sync.Mutex // held from the check of a change until it is applied, while the disk works too

	mu      sync.RWMutex // guards what follows; held for moments only, so that boards do not wait for the disk
	born    birth
	seq     int64
	pairs   []*pair
	tokens  map[[sha256.Size]byte]*laptop
	lights  map[int64]*light
	moments []mark
	phases  []record
	told    []record      // what clients are told: hints, reveals, removals
	changed chan struct{} // closed at the next change
}

// A pair has a row on the board.
type pair struct {
	number  int
	name    string
	key     string
	colour  team.Colour
	since   int64
	laptops []*laptop
	lights  []*light // in order
	marks   int      // moments
	bytes   int64    // of the session's file
	gone    bool     // removed
}

// A laptop is one of a pair's.
type laptop struct {
	name    string
	pair    *pair
	token   [sha256.Size]byte
	version string
	left    bool
	taken   map[int]bool // the numbers that have come
}

// A light is a verdict without what is long, which stays in the file.
type light struct {
	id     int64 // the record's
	at     int64
	pair   *pair
	laptop *laptop
	step   int // the verdict's, or of amber the one that the pair was on
	team.Verdict
	bare  bool // came without its code
	where span
}

// A mark is a moment that a pair has marked.
type mark struct {
	at   int64
	pair *pair
	note string
}

// openSession goes on with the session in the file, or begins one.
func openSession(path string, now func() time.Time) (*session, error) {
	s := &session{tokens: map[[sha256.Size]byte]*laptop{}, lights: map[int64]*light{}, changed: make(chan struct{})}
	s.clock.now = now
	var err error
	if s.journal, err = openJournal(path, func(r record, at span) error { s.apply(r, at); return nil }); err != nil {
		return nil, err
	}
	if s.seq > 0 {
		return s, nil
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails: package crypto/rand says so
	began := now()
	return s, s.write(record{Kind: opened, Opened: &birth{
		Name: team.NewCode(6), Began: began.UnixMilli(), Code: team.NewCode(8), Word: team.NewCode(12), Secret: secret,
	}})
}

// write makes a record last, and applies it. The caller holds s.writing.
func (s *session) write(r record) error {
	s.mu.RLock()
	r.Seq = s.seq + 1
	s.mu.RUnlock()
	at, err := s.journal.append(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apply(r, at)
	close(s.changed)
	s.changed = make(chan struct{})
	return nil
}

// apply does what a record says. Records are the server's own, and right.
func (s *session) apply(r record, at span) {
	s.seq = r.Seq
	if 0 < r.Pair && r.Pair <= len(s.pairs) {
		s.pairs[r.Pair-1].bytes += at.length
	}
	switch r.Kind {
	case opened:
		s.born = *r.Opened
		s.clock.began = time.UnixMilli(r.Opened.Began)
	case joined:
		s.join(r)
	case left:
		l := s.pairs[r.Pair-1].laptop(r.Laptop)
		l.left = true
		delete(s.tokens, l.token)
	case verdict:
		s.shine(r, at)
	case moment:
		p := s.pairs[r.Pair-1]
		p.laptop(r.Laptop).taken[r.Moment.Number] = true
		p.marks++
		s.moments = append(s.moments, mark{r.At, p, r.Moment.Note})
	case phase:
		s.phases = append(s.phases, r)
	case hint, reveal:
		s.told = append(s.told, r)
	case removed:
		s.told = append(s.told, r)
		s.pairs[r.Pair-1].gone = true
	}
}

func (s *session) join(r record) {
	if r.Pair > len(s.pairs) {
		s.pairs = append(s.pairs, &pair{number: r.Pair, name: r.Join.Name, key: r.Join.Key, colour: colourOf(r.Pair), since: r.At})
	}
	p := s.pairs[r.Pair-1]
	l := p.laptop(r.Laptop)
	if l == nil {
		l = &laptop{name: r.Laptop, pair: p, taken: map[int]bool{}}
		p.laptops = append(p.laptops, l)
	}
	delete(s.tokens, l.token)
	l.token, l.version, l.left = [sha256.Size]byte(r.Join.Token), r.Join.Version, false
	s.tokens[l.token] = l
}

func (p *pair) laptop(name string) *laptop {
	for _, l := range p.laptops {
		if l.name == name {
			return l
		}
	}
	return nil
}

// shine puts a light where it belongs: by time, and among those of one laptop by number, whenever it came.
func (s *session) shine(r record, at span) {
	p := s.pairs[r.Pair-1]
	l := &light{id: r.Seq, at: r.At, pair: p, laptop: p.laptop(r.Laptop), Verdict: *r.Light, bare: len(r.Light.Files) == 0, where: at}
	l.Files, l.Failure = nil, firstLine(l.Failure)
	l.laptop.taken[l.Number] = true
	i := len(p.lights)
	for i > 0 && p.lights[i-1].at > l.at {
		i--
	}
	for j, other := range p.lights[:i] {
		if other.laptop == l.laptop && other.Number > l.Number {
			i = j
			break
		}
	}
	p.lights = slices.Insert(p.lights, i, l)
	s.lights[l.id] = l
	for ; i < len(p.lights); i++ { // amber says no step: the pair is where it was
		at := p.lights[i]
		at.step = at.Step
		if i > 0 && at.Light == team.Amber && at.Step == 0 && p.lights[i-1].Kata == at.Kata {
			at.step = p.lights[i-1].step
		}
	}
}

// between returns the time at, moved so that it contradicts no number of the same laptop.
func (p *pair) between(l *laptop, number int, at int64) int64 {
	for _, other := range p.lights {
		switch {
		case other.laptop != l:
		case other.Number < number:
			at = max(at, other.at)
		case other.Number > number:
			return min(at, other.at)
		}
	}
	return at
}

// A clock tells the session's time. It counts while the laptop sleeps, which a monotonic clock does not, and it never
// goes back when somebody sets the laptop's.
type clock struct {
	now   func() time.Time
	began time.Time
	mu    sync.Mutex
	last  int64
}

// read returns the milliseconds since the session began.
func (c *clock) read() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last, c.now().Round(0).Sub(c.began.Round(0)).Milliseconds())
	return c.last
}
