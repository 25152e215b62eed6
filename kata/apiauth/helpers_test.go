package apiauth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/apiauth"
	"github.com/backend-kata/dojo/kata/internal/step"
)

const (
	bare    = `Bearer realm="api"`
	invalid = `Bearer realm="api", error="invalid_token"`
)

// A signer signs with a key of its own.
type signer struct {
	alg    string
	public crypto.PublicKey
	sign   func(text []byte) []byte
}

func onCurve(alg string, curve elliptic.Curve, seed byte) signer {
	raw := make([]byte, (curve.Params().BitSize+7)/8)
	raw[len(raw)-1] = seed
	key, err := ecdsa.ParseRawPrivateKey(curve, raw)
	if err != nil {
		panic(err)
	}
	return signer{alg, &key.PublicKey, func(text []byte) []byte {
		sum := sha256.Sum256(text)
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			panic(err)
		}
		return append(r.FillBytes(make([]byte, len(raw))), s.FillBytes(make([]byte, len(raw)))...)
	}}
}

func edwards(seed byte) signer {
	key := ed25519.NewKeyFromSeed([]byte(fmt.Sprintf("%032d", seed)))
	return signer{"EdDSA", key.Public(), func(text []byte) []byte { return ed25519.Sign(key, text) }}
}

// withHMAC signs with something that everybody knows.
func withHMAC(secret []byte) signer {
	return signer{"HS256", nil, func(text []byte) []byte {
		mac := hmac.New(sha256.New, secret)
		mac.Write(text)
		return mac.Sum(nil)
	}}
}

// The issuer's keys, and those of an attacker.
var (
	ed, p256, p384   = edwards(1), onCurve("ES256", elliptic.P256(), 7), onCurve("ES256", elliptic.P384(), 9)
	evilEd, evilP256 = edwards(66), onCurve("ES256", elliptic.P256(), 66)
	unsigned         = signer{"none", nil, func([]byte) []byte { return nil }}
	encode           = base64.RawURLEncoding.EncodeToString
	errDown          = errors.New("the issuer is down")
)

// A token is what a client is given. Members are JSON, and nil ones are left out.
type token struct {
	signer
	header, claims map[string]string // values are JSON
	rawHeader      string            // in place of header
	rawClaims      string
}

// good is a token that passes: for an hour, for reading orders.
func good() token {
	now := time.Now().Unix()
	return token{
		signer: ed,
		header: map[string]string{"kid": `"ed"`, "alg": `"EdDSA"`, "typ": `"at+jwt"`},
		claims: map[string]string{
			"iss": `"https://issuer"`, "aud": `"orders"`, "sub": `"ann"`, "client_id": `"shop"`, "jti": `"t1"`, "sid": `"s1"`,
			"exp": fmt.Sprint(now + 3600), "iat": fmt.Sprint(now), "scope": `"orders:read profile"`,
		},
	}
}

// by is the token signed with another key.
func (k token) by(kid string, s signer) token {
	k.signer = s
	return k.head("kid", `"`+kid+`"`).head("alg", `"`+s.alg+`"`)
}

// head is the token with another member in its header; an empty value takes it out.
func (k token) head(name, value string) token {
	k.header = with(k.header, name, value)
	return k
}

// claim is the token with another claim; an empty value takes it out.
func (k token) claim(name, value string) token {
	k.claims = with(k.claims, name, value)
	return k
}

func with(members map[string]string, name, value string) map[string]string {
	members = maps.Clone(members)
	if members[name] = value; value == "" {
		delete(members, name)
	}
	return members
}

func object(members map[string]string) string {
	text := ""
	for _, name := range slices.Sorted(maps.Keys(members)) {
		text += fmt.Sprintf(`,%q:%s`, name, members[name])
	}
	return "{" + text[1:] + "}"
}

// String is the token as it is sent.
func (k token) String() string {
	if k.rawHeader == "" {
		k.rawHeader = object(k.header)
	}
	if k.rawClaims == "" {
		k.rawClaims = object(k.claims)
	}
	text := encode([]byte(k.rawHeader)) + "." + encode([]byte(k.rawClaims))
	return text + "." + encode(k.sign([]byte(text)))
}

// An api is a Gate in front of a handler, and the issuer whose keys it fetches.
type api struct {
	apiauth.Config // until the first request
	t              *step.T
	gate           *apiauth.Gate
	handler        http.Handler

	mu       sync.Mutex
	keys     map[string]crypto.PublicKey
	takes    time.Duration
	fails    error
	gives    bool // up, where the context ends it, with what it has: nothing
	failures int  // of so many fetches; then fails is over. 0 is no limit
	fetches  int
	claims   apiauth.Claims // of the latest request that passed
	told     bool           // there were some
	passed   int
}

func inBubble(t *testing.T, body func(t *step.T, a *api)) {
	t.Helper()
	step.Bubble(t, func(t *step.T) { body(t, newAPI(t)) })
}

func newAPI(t *step.T) *api {
	a := &api{t: t, keys: map[string]crypto.PublicKey{"ed": ed.public, "p256": p256.public, "p384": p384.public}}
	a.Config = apiauth.Config{
		Issuer: "https://issuer", Audience: "orders", Leeway: 30 * time.Second, Keys: a.fetch, Timeout: 5 * time.Second,
		MaxAge: 10 * time.Minute, Grace: time.Hour, Interval: time.Minute,
		Routes: map[string][]string{"GET /orders": {"orders:read"}},
	}
	return a
}

// fetch is the issuer's: it reads its keys after half of the time that it takes.
func (a *api) fetch(ctx context.Context) (map[string]crypto.PublicKey, error) {
	a.mu.Lock()
	a.fetches++
	if a.failures > 0 && a.fetches > a.failures {
		a.fails = nil
	}
	takes, gives := a.takes, a.gives
	a.mu.Unlock()
	a.t.Tell("the keys are asked for")
	if err := pause(ctx, takes/2); err != nil {
		if gives {
			err = nil
		}
		return nil, err
	}
	a.mu.Lock()
	keys, err := maps.Clone(a.keys), a.fails
	a.mu.Unlock()
	if err := pause(ctx, takes-takes/2); err != nil {
		return nil, err
	}
	a.t.Tell("the issuer answers with %d keys, and the error %v", len(keys), err)
	if err != nil {
		return nil, err
	}
	return keys, nil
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// issuer changes the issuer.
func (a *api) issuer(change func(a *api)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(a)
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.claims, a.told = apiauth.FromContext(r.Context())
	a.passed++
	w.WriteHeader(http.StatusNoContent)
}

// An answer is what the client got.
type answer struct {
	status    int
	challenge string
}

var passes = answer{204, ""}

func (a answer) String() string {
	if a.challenge == "" {
		return fmt.Sprintf("%d without a challenge", a.status)
	}
	return fmt.Sprintf("%d, %s", a.status, a.challenge)
}

// do sends a request with these Authorization lines.
func (a *api) do(ctx context.Context, method, path string, lines ...string) answer {
	if a.gate == nil {
		a.gate = apiauth.New(a.Config)
		a.handler = a.gate.Handler(a)
	}
	r := httptest.NewRequestWithContext(ctx, method, path, nil)
	for _, line := range lines {
		r.Header.Add("Authorization", line)
	}
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	got := answer{w.Code, w.Header().Get("WWW-Authenticate")}
	if got.status != 204 {
		step.Equal(a.t, "", w.Body.String(), "A refusal has no body, since an attacker would learn from it.")
	}
	return got
}

func (a *api) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.passed
}

// get reads the orders with a token.
func (a *api) get(k token) answer { return a.do(a.t.Context(), "GET", "/orders", "Bearer "+k.String()) }

// expect reads the orders with a token, and expects that answer.
func (a *api) expect(want answer, k token, why string, args ...any) {
	a.t.Helper()
	why = fmt.Sprintf(why, args...)
	a.t.Tell("a request: %s", why)
	before := a.count()
	got := a.get(k)
	step.Equal(a.t, want, got, "%s. The answer:", why)
	step.Equal(a.t, want == passes, a.count() > before, "%s. The handler runs:", why)
}

// fetched expects that the keys were fetched so many times since the gate was made.
func (a *api) fetched(want int, why string) {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	step.Equal(a.t, want, a.fetches, "%s. Fetches of the keys:", why)
}
