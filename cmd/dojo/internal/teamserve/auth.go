package teamserve

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

// The roles of a browser.
const (
	viewer      = "viewer"      // has the code: sees everything, changes nothing
	facilitator = "facilitator" // has the word, and sits at the serving laptop
)

// cookieName is the session's own: a browser sends one host's cookies to all its ports, and two sessions may run.
func (s *session) cookieName() string { return "dojo-" + s.born.Name }

// cookie makes a role last in a browser. It is signed, not kept: it outlives a crash of the server.
func (s *session) cookie(role string) *http.Cookie {
	nonce := make([]byte, 12)
	_, _ = rand.Read(nonce) // never fails: package crypto/rand says so
	text := role + "." + base64.RawURLEncoding.EncodeToString(nonce)
	return &http.Cookie{ //nolint:gosec // not Secure: a room has plain HTTP, and the server says so
		Name: s.cookieName(), Value: text + "." + s.sign(text), Path: "/", MaxAge: int(team.SessionLife.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}

func (s *session) sign(text string) string {
	mac := hmac.New(sha256.New, s.born.Secret)
	mac.Write([]byte(s.born.Name + "." + text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// role returns what the browser may do that sent a request; "" if nothing.
func (s *session) role(r *http.Request) string {
	c, err := r.Cookie(s.cookieName())
	if err != nil {
		return ""
	}
	i := strings.LastIndexByte(c.Value, '.')
	if i < 0 || !hmac.Equal([]byte(c.Value[i+1:]), []byte(s.sign(c.Value[:i]))) {
		return ""
	}
	role, _, _ := strings.Cut(c.Value, ".")
	if role == facilitator && !fromHere(r) {
		return viewer
	}
	return role
}

// fromHere reports whether a request comes from the serving laptop, and was sent to it by that name.
func fromHere(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		return false
	}
	named, err := netip.ParseAddr(host)
	return sourceOf(r).IsLoopback() && (host == "localhost" || err == nil && named.IsLoopback())
}

// sourceOf returns where a request comes from. Of an IPv6 address only what a provider hands out counts, since its
// holder has all the rest.
func sourceOf(r *http.Request) netip.Addr { return sourceAt(r.RemoteAddr) }

func sourceAt(remote string) netip.Addr {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	addr := at.Addr().Unmap().WithZone("")
	if addr.Is6() && !addr.IsLoopback() {
		prefix, _ := addr.Prefix(64) // 64 is a length that every IPv6 address has
		return prefix.Addr()
	}
	return addr
}

// same compares codes in constant time.
func same(typed, code string) bool {
	return subtle.ConstantTimeCompare([]byte(team.NormalCode(typed)), []byte(code)) == 1
}

// tries counts wrong codes by source: five a minute. Right ones are free, since a whole room may be one address.
type tries struct {
	now func() time.Time

	mu    sync.Mutex
	wrong map[netip.Addr][]time.Time // guarded by mu
}

const (
	maxTries   = 5
	tryWindow  = time.Minute
	maxSources = 4096
)

// admit says how long a source must wait before its next try; 0 if this one counts. Whether it was right is decided
// before, and is not said to a source that must wait.
func (t *tries) admit(from netip.Addr, right bool) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	recent := t.recent(from)
	if len(recent) >= maxTries {
		return tryWindow - t.now().Sub(recent[0])
	}
	if right {
		return 0
	}
	if len(t.wrong) >= maxSources {
		t.forget()
	}
	t.wrong[from] = append(recent, t.now())
	return 0
}

// forget drops the sources whose minute is over, and if none is, any one.
func (t *tries) forget() {
	for from := range t.wrong {
		if len(t.recent(from)) == 0 {
			delete(t.wrong, from)
		}
	}
	for from := range t.wrong {
		if len(t.wrong) < maxSources {
			return
		}
		delete(t.wrong, from)
	}
}

func (t *tries) recent(from netip.Addr) []time.Time {
	recent := t.wrong[from]
	for len(recent) > 0 && t.now().Sub(recent[0]) >= tryWindow {
		recent = recent[1:]
	}
	return recent
}
