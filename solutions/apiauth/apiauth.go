//go:build solutions

package apiauth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// MaxToken is the length of the longest token that is looked at, in bytes.
const MaxToken = 4096

// A Config says which tokens are good, and what they may do.
type Config struct {
	Issuer   string
	Audience string        // this API
	Leeway   time.Duration // how far clocks may be apart

	// Keys asks the issuer for its public keys, by their ids. The map is yours. It is slow, and returns at once when ctx is done.
	Keys     func(ctx context.Context) (map[string]crypto.PublicKey, error)
	Timeout  time.Duration       // of a fetch
	MaxAge   time.Duration       // of fetched keys
	Grace    time.Duration       // what they have on top while the issuer is down
	Interval time.Duration       // the least time between two fetches; less than MaxAge
	Routes   map[string][]string // the scopes that a request needs, by a pattern of http.ServeMux
}

// Claims are what the handler is told about a good token.
type Claims struct {
	Subject string   // sub
	Client  string   // client_id
	Token   string   // jti
	Session string   // sid, or empty
	Scopes  []string // scope, or none
}

const realm = `Bearer realm="api"`

var errInvalid, errUnavailable = errors.New("invalid token"), errors.New("keys unavailable")

type contextKey struct{}

// FromContext returns the claims of the request's token.
func FromContext(ctx context.Context) (c Claims, ok bool) {
	c, ok = ctx.Value(contextKey{}).(Claims)
	return c, ok
}

// A Revocation names tokens that are good no longer. Empty fields name nothing.
type Revocation struct {
	Token   string    // the one with this jti
	Session string    // those with this sid
	User    string    // those with this sub whose iat is before Before
	Before  time.Time // for User
}

// A Gate stands in front of an API. It is safe for concurrent use.
type Gate struct {
	cfg    Config
	routes *http.ServeMux

	mu      sync.Mutex // guards what follows, and is never held while keys are fetched
	keys    map[string]crypto.PublicKey
	asOf    time.Time     // when the fetch of keys began
	began   time.Time     // when the latest fetch began
	down    bool          // the latest fetch failed
	pending chan struct{} // closed when the fetch under way has ended; nil if there is none

	tokens, sessions map[string]bool
	users            map[string]time.Time
}

// A scopes is a route's handler in a ServeMux that is only asked which route it is.
type scopes []string

func (scopes) ServeHTTP(http.ResponseWriter, *http.Request) {}

// New returns a Gate. It fetches nothing yet.
func New(cfg Config) *Gate {
	g := &Gate{cfg: cfg, routes: http.NewServeMux(), tokens: map[string]bool{}, sessions: map[string]bool{}, users: map[string]time.Time{}}
	for pattern, needed := range cfg.Routes {
		g.routes.Handle(pattern, scopes(needed))
	}
	return g
}

// Handler lets requests with a good token through to next.
func (g *Gate) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, status, challenge := g.admit(r)
		if status == http.StatusOK {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, claims)))
			return
		}
		if challenge != "" {
			w.Header().Set("WWW-Authenticate", challenge)
		}
		w.WriteHeader(status)
	})
}

// admit returns 200 and the claims, or the status and the challenge of a refusal.
func (g *Gate) admit(r *http.Request) (claims Claims, status int, challenge string) {
	if len(r.Header.Values("Authorization")) > 1 {
		return claims, http.StatusBadRequest, realm + `, error="invalid_request"`
	}
	scheme, raw, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return claims, http.StatusUnauthorized, realm
	}
	claims, err := g.check(r.Context(), raw)
	handler, _ := g.routes.Handler(r)
	needed, ok := handler.(scopes)
	switch {
	case errors.Is(err, errUnavailable):
		return claims, http.StatusServiceUnavailable, ""
	case err != nil:
		return claims, http.StatusUnauthorized, realm + `, error="invalid_token"`
	case !ok: // no route, another method, or a redirect of the ServeMux
		return claims, http.StatusForbidden, ""
	case slices.ContainsFunc(needed, func(scope string) bool { return !slices.Contains(claims.Scopes, scope) }):
		return claims, http.StatusForbidden, realm + `, error="insufficient_scope", scope="` + strings.Join(needed, " ") + `"`
	}
	return claims, http.StatusOK, ""
}

// check returns the claims of a good token.
func (g *Gate) check(ctx context.Context, raw string) (Claims, error) {
	parts := strings.Split(raw, ".")
	if len(raw) > MaxToken || len(parts) != 3 || strings.ContainsAny(raw, "\r\n") { // which package base64 ignores
		return Claims{}, errInvalid
	}
	header, claims := decode(parts[0]), decode(parts[1])
	alg, kid := header.text("alg"), header.text("kid")
	typ := strings.TrimPrefix(strings.ToLower(header.text("typ")), "application/")
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || claims == nil || header["crit"] != nil || kid == "" || alg != "ES256" && alg != "EdDSA" || typ != "at+jwt" {
		return Claims{}, errInvalid
	}
	key, err := g.key(ctx, kid)
	if err != nil {
		return Claims{}, err
	}
	if !signed(key, alg, parts[0]+"."+parts[1], signature) {
		return Claims{}, errInvalid
	}
	return g.accept(claims)
}

// signed reports whether the signature is the key's. The key decides on the algorithm, and the header has to agree.
func signed(key crypto.PublicKey, alg, text string, signature []byte) bool {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		if alg != "ES256" || key.Curve != elliptic.P256() || len(signature) != 64 {
			return false
		}
		sum := sha256.Sum256([]byte(text))
		return ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
	case ed25519.PublicKey:
		return alg == "EdDSA" && ed25519.Verify(key, []byte(text), signature)
	}
	return false
}

// accept checks the claims of a token whose signature is good.
func (g *Gate) accept(claims object) (Claims, error) {
	now, leeway := float64(time.Now().UnixMicro())/1e6, g.cfg.Leeway.Seconds()
	exp, hasExp := claims.number("exp")
	iat, hasIat := claims.number("iat")
	nbf, hasNbf := claims.number("nbf")
	if hasNbf != (claims["nbf"] != nil) || !hasExp || !hasIat || now >= exp+leeway || now < iat-leeway || hasNbf && now < nbf-leeway {
		return Claims{}, errInvalid
	}
	c := Claims{
		Subject: claims.text("sub"), Client: claims.text("client_id"), Token: claims.text("jti"),
		Session: claims.text("sid"), Scopes: strings.Fields(claims.text("scope")),
	}
	if c.Subject == "" || c.Client == "" || c.Token == "" || claims.text("iss") != g.cfg.Issuer || !claims.isFor(g.cfg.Audience) ||
		claims["sid"] != nil && claims["sid"][0] != '"' || claims["scope"] != nil && claims["scope"][0] != '"' {
		return Claims{}, errInvalid
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	before, named := g.users[c.Subject]
	if g.tokens[c.Token] || g.sessions[c.Session] || named && iat < float64(before.UnixMicro())/1e6 {
		return Claims{}, errInvalid
	}
	return c, nil
}

// Revoke makes tokens bad, for good.
func (g *Gate) Revoke(r Revocation) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tokens[r.Token], g.sessions[r.Session] = r.Token != "", r.Session != ""
	if r.User != "" && r.Before.After(g.users[r.User]) {
		g.users[r.User] = r.Before
	}
}

// key returns the issuer's key of that id. It waits for a fetch where one is due.
func (g *Gate) key(ctx context.Context, id string) (crypto.PublicKey, error) {
	g.mu.Lock()
	if key, ok := g.keys[id]; ok && time.Since(g.asOf) < g.cfg.MaxAge {
		g.mu.Unlock()
		return key, nil
	}
	if g.pending == nil && (g.began.IsZero() || time.Since(g.began) >= g.cfg.Interval) {
		g.began, g.pending = time.Now(), make(chan struct{})
		go g.fetch(context.WithoutCancel(ctx))
	}
	if pending := g.pending; pending != nil {
		g.mu.Unlock()
		select {
		case <-pending:
		case <-ctx.Done():
			return nil, errUnavailable
		}
		g.mu.Lock()
	}
	defer g.mu.Unlock()
	if key, ok := g.keys[id]; ok && time.Since(g.asOf) < g.cfg.MaxAge+g.cfg.Grace {
		return key, nil
	}
	if g.down {
		return nil, errUnavailable
	}
	return nil, errInvalid
}

// fetch asks for the keys, for all who wait for them.
func (g *Gate) fetch(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Timeout)
	defer cancel()
	keys, err := g.cfg.Keys(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.down = err != nil || ctx.Err() != nil; !g.down { // what comes after the time-out may be half an answer
		g.keys, g.asOf = keys, g.began
	}
	close(g.pending)
	g.pending = nil
}

// An object is a JSON object whose names are exact, and there once.
type object map[string]json.RawMessage

// decode returns nil if a part is no such object.
func decode(part string) (o object) {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil || json.Unmarshal(text, &o) != nil {
		return nil
	}
	d, members := json.NewDecoder(bytes.NewReader(text)), 0
	for _, _ = d.Token(); d.More(); members++ { // text is valid, so nothing fails
		var value json.RawMessage
		_, _ = d.Token()
		_ = d.Decode(&value)
	}
	if members != len(o) {
		return nil
	}
	return o
}

// text returns the member of that name if it is a text, and else "".
func (o object) text(name string) (s string) {
	_ = json.Unmarshal(o[name], &s) // which leaves "" where it fails
	return s
}

// number returns the member of that name, if it is a number that a float64 holds.
func (o object) number(name string) (float64, bool) {
	n, err := strconv.ParseFloat(string(o[name]), 64) // which fails for true, null and "1"
	return n, err == nil
}

// isFor reports whether the audience is the one in aud, or one of a list.
func (o object) isFor(audience string) bool {
	var list []string
	return json.Unmarshal(o["aud"], &list) == nil && slices.Contains(list, audience) || o.text("aud") == audience
}
