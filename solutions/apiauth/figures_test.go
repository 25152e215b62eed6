//go:build solutions

package apiauth_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/solutions/apiauth"
	"github.com/backend-kata/dojo/solutions/internal/figure"
)

// The figure and the numbers of docs/apiauth.md come from here, in virtual time. With -v the tests print the numbers; make figures
// draws.

const (
	maxAge   = 10 * time.Minute
	grace    = time.Hour
	interval = time.Minute
)

// A provider has keys, unless it is down, and counts who asks.
type provider struct {
	keys    map[string]crypto.PublicKey
	down    bool
	fetches int
}

func (p *provider) fetch() (map[string]crypto.PublicKey, error) {
	p.fetches++
	if p.down {
		return nil, errors.New("down")
	}
	return p.keys, nil
}

// A program answers a request whose token has that key id: 200, 401 or 503.
type program struct {
	name string
	role figure.Role
	make func(p *provider) func(kid string) int
}

// cached is a program that keeps keys for an age, and asks again for each unknown id and for each request after that.
func cached(age time.Duration, failed int) func(p *provider) func(kid string) int {
	return func(p *provider) func(kid string) int {
		var keys map[string]crypto.PublicKey
		var asOf time.Time
		return func(kid string) int {
			if keys[kid] == nil || time.Since(asOf) >= age {
				now, err := p.fetch()
				if err != nil {
					return failed
				}
				keys, asOf = now, time.Now()
			}
			if keys[kid] == nil {
				return http.StatusUnauthorized
			}
			return http.StatusOK
		}
	}
}

var signing = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

// reference is the reference, which gets tokens.
func reference(p *provider) func(kid string) int {
	g := apiauth.New(apiauth.Config{
		Issuer: "https://issuer", Audience: "orders", Timeout: 5 * time.Second, MaxAge: maxAge, Grace: grace, Interval: interval,
		Keys:   func(context.Context) (map[string]crypto.PublicKey, error) { return p.fetch() },
		Routes: map[string][]string{"GET /orders": nil},
	})
	h := g.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	start := time.Now().Unix()
	encode := base64.RawURLEncoding.EncodeToString
	return func(kid string) int {
		text := encode(fmt.Appendf(nil, `{"alg":"EdDSA","typ":"at+jwt","kid":%q}`, kid)) + "." + encode(fmt.Appendf(nil,
			`{"iss":"https://issuer","aud":"orders","sub":"ann","client_id":"shop","jti":"1","iat":%d,"exp":%d}`, start, start+86400))
		r := httptest.NewRequest(http.MethodGet, "/orders", nil)
		r.Header.Set("Authorization", "Bearer "+text+"."+encode(ed25519.Sign(signing, []byte(text))))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
}

var programs = []program{
	{"no cache, 401", figure.Wrong, cached(0, http.StatusUnauthorized)},
	{"cache, then 401", figure.Wrong, cached(maxAge, http.StatusUnauthorized)},
	{"cache, then 503", figure.Halfway, cached(maxAge, http.StatusServiceUnavailable)},
	{"cache for ever", figure.Halfway, cached(1<<62, http.StatusServiceUnavailable)},
	{"cache, grace, then 503", figure.Right, reference},
}

// The provider is down from minute 5 to minute 125, and a request comes in every second for 140 minutes.
const (
	failsAt, backAt, end = 5 * time.Minute, 125 * time.Minute, 140 * time.Minute
)

// An outage is what became of the requests.
type outage struct {
	passed  [][2]float64 // from minute to minute
	refused int
	first   time.Duration // refused
	status  int           // of those
	fetches int           // while the provider was down
	stolen  time.Duration // how long a key passed that was removed when the outage began
}

func simulate(t *testing.T, a program) (o outage) {
	t.Helper()
	run := func(stolen bool, each func(at time.Duration, p *provider, status int)) {
		synctest.Test(t, func(*testing.T) {
			p := &provider{keys: map[string]crypto.PublicKey{"old": signing.Public(), "new": signing.Public()}}
			ask, kid := a.make(p), "new"
			if stolen {
				kid = "old"
			}
			for at := time.Duration(0); at < end; at += time.Second {
				if p.down = failsAt <= at && at < backAt; at == failsAt {
					p.keys = map[string]crypto.PublicKey{"new": signing.Public()}
				}
				each(at, p, ask(kid))
				time.Sleep(time.Second)
			}
		})
	}
	before := 0
	run(false, func(at time.Duration, p *provider, status int) {
		switch at {
		case failsAt - time.Second:
			before = p.fetches
		case backAt - time.Second:
			o.fetches = p.fetches - before
		}
		if status != http.StatusOK {
			if o.refused++; o.refused == 1 {
				o.first, o.status = at-failsAt, status
			}
			return
		}
		if n := len(o.passed); n > 0 && o.passed[n-1][1] == at.Minutes() {
			o.passed[n-1][1] = (at + time.Second).Minutes()
		} else {
			o.passed = append(o.passed, [2]float64{at.Minutes(), (at + time.Second).Minutes()})
		}
	})
	run(true, func(at time.Duration, _ *provider, status int) {
		if status == http.StatusOK {
			o.stolen = at + time.Second - failsAt
		}
	})
	return o
}

func TestFigureOutage(t *testing.T) {
	chart := figure.Waterfall{
		Title:  "Grace bridges the first hour of an outage",
		Assume: "Bars: requests pass. The provider is down from minute 5 to 125. Keys are cached for 10 min; grace is 60 min.",
		Alt: "When requests pass while the identity provider is down from minute 5 to minute 125. Without a cache they stop at once. With keys " +
			"cached for 10 minutes they stop at minute 10. With 60 minutes of grace they stop at minute 70, with 503. A cache for ever never stops, " +
			"for stolen keys either.",
		X: figure.Axis{Label: "minutes", Scale: figure.Linear(0, 140), Ticks: figure.Even(0, 140, 20, "%.0f")},
		Ways: []figure.Way{{Name: "the provider is up", Role: figure.Plain, Calls: [][2]float64{
			{0, failsAt.Minutes()}, {backAt.Minutes(), end.Minutes()},
		}}},
	}
	rows := [][]string{{"program", "from_min", "to_min"}}
	for _, a := range programs {
		if a.name == "cache, then 503" {
			continue // passes as long as the one with 401
		}
		o := simulate(t, a)
		name := a.name
		if o.stolen+failsAt == end {
			name += ", stolen keys too"
		}
		chart.Ways = append(chart.Ways, figure.Way{Name: name, Role: a.role, Calls: o.passed})
		for _, span := range o.passed {
			rows = append(rows, []string{a.name, fmt.Sprintf("%.2f", span[0]), fmt.Sprintf("%.2f", span[1])})
		}
	}
	figure.Current(t, "apiauth-outage", rows, chart)
}

// comma writes a number of less than a million with a comma for its thousands.
func comma(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

func TestOutage(t *testing.T) {
	table := "| keys | first refusal | refused of 7,200 | with | fetches meanwhile | a key removed at the start still passes |\n|---|---|---|---|---|---|\n"
	for _, a := range programs {
		o := simulate(t, a)
		first, with, stolen := "at once", fmt.Sprint(o.status), fmt.Sprintf("%.0f min", o.stolen.Minutes())
		if o.first > 0 {
			first = fmt.Sprintf("after %.0f min", o.first.Minutes())
		}
		if o.refused == 0 {
			first, with = "none", "–"
		}
		if o.stolen+failsAt == end {
			stolen = "for ever"
		}
		table += fmt.Sprintf("| %s | %s | %s | %s | %s | %s |\n", a.name, first, comma(o.refused), with, comma(o.fetches), stolen)
	}
	t.Log("\n" + table)
}

// A script sends 10,000 tokens with random key ids within ten minutes.
func TestRandomIDs(t *testing.T) {
	count := func(a program) (fetches int) {
		synctest.Test(t, func(*testing.T) {
			p := &provider{keys: map[string]crypto.PublicKey{"new": signing.Public()}}
			ask := a.make(p)
			for i := range 10_000 {
				if status := ask(fmt.Sprintf("%x", 1_000_003*i)); status != http.StatusUnauthorized {
					t.Errorf("A token with an unknown key id got %d, want 401.", status)
				}
				time.Sleep(10 * time.Minute / 10_000)
			}
			fetches = p.fetches
		})
		return fetches
	}
	t.Logf("10,000 tokens with random key ids in ten minutes cause %s fetches of the keys if each unknown id triggers one, and %s with a "+
		"minute between fetches", comma(count(programs[1])), comma(count(programs[4])))
}
