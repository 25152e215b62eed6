package teamserve

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

// A refusal is what a client is told that asked for what it cannot have: a status and a sentence.
type refusal struct {
	status int
	text   string
}

func (r refusal) Error() string { return r.text }

// What one pair may send, so that it cannot use up everybody's file and time: 12 hours hold a light every five seconds.
const (
	maxPair    = team.MaxSession / 8 // bytes of the session's file
	maxLights  = 9000
	maxMoments = 100
)

var errPair = refusal{http.StatusInsufficientStorage, "This pair has sent as much as one pair may in a session."}

var (
	laptopName = regexp.MustCompile(`^[0-9A-Za-z]{16,64}$`)
	kataName   = regexp.MustCompile(`^[a-z][a-z0-9]{0,39}$`)
	fileName   = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_.-]{0,98}\.go$`)
)

// enter gives a laptop a place and a token. The caller has compared the code.
func (s *session) enter(ask team.Join) (team.Joined, error) {
	ask.Pair = team.Short(team.Clean(ask.Pair), team.MaxName)
	switch {
	case ask.Pair == "":
		return team.Joined{}, refusal{http.StatusBadRequest, "A pair needs a name."}
	case !laptopName.MatchString(ask.Laptop):
		return team.Joined{}, refusal{http.StatusBadRequest, "The laptop's own name must be 16 to 64 letters and digits."}
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	r := record{At: s.clock.read(), Kind: joined, Laptop: ask.Laptop, Join: &place{Name: ask.Pair, Version: team.Short(team.Clean(ask.Version), 64)}}
	s.mu.RLock()
	err := s.seat(&r, team.NormalCode(ask.Key))
	s.mu.RUnlock()
	if err != nil {
		return team.Joined{}, err
	}
	token := make([]byte, 16)
	_, _ = rand.Read(token) // never fails: package crypto/rand says so
	hash := sha256.Sum256(token)
	r.Join.Token = hash[:]
	if err := s.write(r); err != nil {
		return team.Joined{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	answer := s.joinedAs(s.tokens[hash])
	answer.Token = hex.EncodeToString(token)
	return answer, nil
}

// seat finds the pair that a laptop may be of. The caller holds s.mu.
func (s *session) seat(r *record, key string) error {
	if s.standingAt(r.At).phase == ended {
		return refusal{http.StatusGone, "This session has ended."}
	}
	for _, p := range s.pairs {
		if !strings.EqualFold(p.name, r.Join.Name) {
			continue
		}
		was := p.laptop(r.Laptop)
		switch {
		case p.gone:
			return refusal{http.StatusGone, "The facilitator has removed the pair of that name."}
		case was == nil && key == "":
			return refusal{http.StatusForbidden, "A pair of that name is here. To join it, give the key that its first laptop was shown, or else choose another name."}
		case was == nil && subtle.ConstantTimeCompare([]byte(key), []byte(p.key)) == 0:
			return refusal{http.StatusForbidden, "That is not the key of the pair of that name. Its first laptop was shown the line to type."}
		case was == nil && len(p.laptops) == maxLaptops:
			return refusal{http.StatusConflict, "That pair has as many laptops as a pair may have."}
		case p.bytes > maxPair:
			return errPair
		}
		r.Pair, r.Join.Name, r.Join.Key = p.number, p.name, p.key
		return nil
	}
	if key != "" {
		return refusal{http.StatusForbidden, "No pair of that name is here, and a key is of a pair. Type the line that its first laptop was shown, name included."}
	}
	if len(s.pairs) == team.MaxPairs {
		return refusal{http.StatusConflict, "This session is full: it has 40 pairs."}
	}
	r.Pair, r.Join.Key = len(s.pairs)+1, team.NewCode(4)
	return nil
}

// maxLaptops is two and those that were started afresh without their cache.
const maxLaptops = 8

// joinedAs is what a laptop that is in the session is told. The caller holds s.mu.
func (s *session) joinedAs(l *laptop) team.Joined {
	now := s.clock.read()
	return team.Joined{
		Session: s.born.Name, Pair: l.pair.number, Name: l.pair.name, Key: l.pair.key, Colour: l.pair.colour,
		Ends: max(0, s.standingAt(now).ends-now),
	}
}

// whose returns the laptop that has a token.
func (s *session) whose(token string) (*laptop, error) {
	raw, err := hex.DecodeString(token)
	s.mu.RLock()
	defer s.mu.RUnlock()
	l := s.tokens[sha256.Sum256(raw)]
	switch {
	case err != nil || l == nil:
		return nil, refusal{http.StatusUnauthorized, "This session does not know this laptop: join it again."}
	case l.pair.gone:
		return nil, refusal{http.StatusGone, "The facilitator has removed this pair from the session."}
	}
	return l, nil
}

// leave gives a laptop's place back.
func (s *session) leave(l *laptop) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.write(record{At: s.clock.read(), Kind: left, Pair: l.pair.number, Laptop: l.name})
}

// takeVerdict takes a light, once.
func (s *session) takeVerdict(l *laptop, v team.Verdict) error {
	if err := tidy(&v); err != nil {
		return err
	}
	return s.take(l, v.Number, v.Ago, record{Kind: verdict, Light: &v})
}

// takeMoment takes a moment, once.
func (s *session) takeMoment(l *laptop, m team.Moment) error {
	m.Note = team.Short(team.Clean(m.Note), team.MaxText)
	return s.take(l, m.Number, m.Ago, record{Kind: moment, Moment: &m})
}

// take makes last what a laptop has numbered, unless it was taken already: then that is on the disk.
func (s *session) take(l *laptop, number int, ago int64, r record) error {
	if number < 1 || number > 1e6 {
		return refusal{http.StatusBadRequest, "A number from 1 to 1000000 is missing."}
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.RLock()
	again := l.taken[number]
	now := s.clock.read()
	r.At = l.pair.between(l, number, min(now, max(0, now-max(0, ago))))
	at := s.standingAt(now)
	full := l.pair.full()
	s.mu.RUnlock()
	switch {
	case again:
		return nil
	case at.phase == ended && r.At > at.ends:
		return refusal{http.StatusGone, "This session has ended."}
	case full:
		return errPair
	}
	r.Pair, r.Laptop = l.pair.number, l.name
	return s.write(r)
}

// full reports whether a pair has sent as much as it may.
func (p *pair) full() bool {
	return p.bytes > maxPair || len(p.lights) >= maxLights || p.marks >= maxMoments
}

// tidy holds a verdict to its limits. What is text is cut and cleaned; what makes no sense is refused.
func tidy(v *team.Verdict) error {
	bad := func(text string) error { return refusal{http.StatusBadRequest, text} }
	switch {
	case !kataName.MatchString(v.Kata):
		return bad("That is no kata's name.")
	case v.Light != team.Red && v.Light != team.Amber && v.Light != team.Green:
		return bad("A light is red, amber or green.")
	case v.Predicted != "" && v.Predicted != team.Red && v.Predicted != team.Green:
		return bad("A prediction is red or green.")
	case (v.Light == team.Amber) != (v.Reason != ""):
		return bad("Amber has a reason, and no other light has one.")
	case v.Light == team.Amber && v.Reason != team.NotBuilt && v.Reason != team.Blocked && v.Reason != team.NoEnd && v.Reason != team.NoMemory:
		return bad("That is none of the reasons for amber.")
	case min(v.Step, v.Steps, v.Passed) < 0 || max(v.Step, v.Steps, v.Passed) > 99:
		return bad("A kata has at most 99 steps.")
	case len(v.Files) > team.MaxFiles:
		return bad("A verdict has at most 16 files.")
	}
	names := map[string]bool{}
	for i, f := range v.Files {
		switch {
		case !fileName.MatchString(f.Name) || path.Base(f.Name) != f.Name || names[f.Name]:
			return bad("A file's name is letters, digits and .go, without a folder, and each name comes once.")
		case len(f.Text) > team.MaxFile:
			return bad("A file is larger than 64 KiB.")
		}
		names[f.Name] = true
		v.Files[i].Text = strings.ToValidUTF8(f.Text, string(utf8.RuneError))
	}
	v.Title, v.Mistake = team.Short(team.Clean(v.Title), team.MaxText), team.Short(team.Clean(v.Mistake), team.MaxText)
	if len(v.Failure) > team.MaxFailure {
		v.Failure = strings.ToValidUTF8(v.Failure[:team.MaxFailure], "") + "\n… cut here"
	}
	v.Failure = team.CleanLines(v.Failure)
	return nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return team.Short(team.Clean(line), team.MaxText)
}

// stateOf returns what a pair saved last, as one of its laptops sees it.
func (s *session) stateOf(l *laptop) (team.State, error) {
	s.mu.RLock()
	var last *light
	for _, at := range l.pair.lights {
		if !at.bare {
			last = at
		}
	}
	now := s.clock.read()
	s.mu.RUnlock()
	if last == nil {
		return team.State{}, refusal{http.StatusNotFound, "This pair has sent no code yet."}
	}
	r, err := s.journal.load(last.where)
	if err != nil {
		return team.State{}, err
	}
	by := "the other laptop"
	if last.laptop == l {
		by = "this laptop"
	}
	return team.State{Kata: last.Kata, Files: r.Light.Files, Ago: now - last.at, By: by}, nil
}
