package apiauth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/apiauth"
	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/pkg/apart"
	"github.com/backend-kata/dojo/pkg/interleave"
)

const ms = time.Millisecond

var unavailable = answer{503, ""}

// A good token passes and the handler knows whose it is; any other request is refused, and told no more than it has to be.
func TestGoodToken(t *testing.T) {
	inBubble(t, func(t *step.T, a *api) {
		a.expect(passes, good(), "A good token, signed with Ed25519")
		want := apiauth.Claims{Subject: "ann", Client: "shop", Token: "t1", Session: "s1", Scopes: []string{"orders:read", "profile"}}
		step.Equal(t, want, a.claims, "The handler is told the claims.")
		step.Expect(t, a.told, "The request passed a gate, so FromContext should say that there are claims.")
		a.expect(passes, good().by("p256", p256).claim("sid", "").claim("sub", `"ben"`), "A good token, signed on P-256, of no session")
		want.Subject, want.Session = "ben", ""
		step.Equal(t, want, a.claims, "The handler is told the claims.")
		_, ok := apiauth.FromContext(t.Context())
		step.Expect(t, !ok, "No gate was passed, so FromContext should have no claims.")
		raw, evil := good().String(), good().by("ed", evilEd).String()
		for _, tt := range []struct {
			want  answer
			why   string
			lines []string
		}{
			{answer{401, bare}, "There is no token", nil},
			{answer{401, bare}, "The scheme is Basic", []string{"Basic " + raw}},
			{answer{401, bare}, "The scheme is Bearers", []string{"Bearers " + raw}},
			{passes, "The scheme is bearer, in small letters", []string{"bearer " + raw}},
			{passes, "The scheme is BEARER", []string{"BEARER " + raw}},
			{answer{401, invalid}, "The token is empty", []string{"Bearer "}},
			{answer{401, invalid}, "There is nothing after Bearer", []string{"Bearer"}},
			{answer{400, bare + `, error="invalid_request"`}, "There are two lines, the first is Basic", []string{"Basic eA==", "Bearer " + raw}},
			{answer{400, bare + `, error="invalid_request"`}, "There are two lines, and the last is Basic", []string{"Bearer " + raw, "Basic eA=="}},
			{answer{401, invalid}, "The token is signed by somebody else", []string{"Bearer " + evil}},
			{answer{400, bare + `, error="invalid_request"`}, "There are two lines", []string{"Bearer " + raw, "Bearer " + evil}},
			{answer{400, bare + `, error="invalid_request"`}, "There are two lines that are the same", []string{"Bearer " + raw, "Bearer " + raw}},
		} {
			before := a.passed
			step.Equal(t, tt.want, a.do(t.Context(), "GET", "/orders", tt.lines...), "%s. The answer:", tt.why)
			step.Equal(t, tt.want == passes, a.passed > before, "%s. The handler runs:", tt.why)
		}
		inQuery := a.do(t.Context(), "GET", "/orders?access_token="+raw)
		step.Equal(t, answer{401, bare}, inQuery, "The token is in the address, which every server on the way logs. The answer:")
		w := httptest.NewRecorder()
		ctx, cancel := context.WithCancel(t.Context())
		r := httptest.NewRequestWithContext(ctx, "GET", "/orders", nil)
		r.Header.Set("Authorization", "Bearer "+raw)
		a.gate.Handler(http.HandlerFunc(func(got http.ResponseWriter, r *http.Request) {
			step.Expect(t, got == http.ResponseWriter(w), "The handler should get the same ResponseWriter.")
			cancel()
			step.Equal(t, context.Canceled, r.Context().Err(), "The client has gone, and the handler's context should say so. The error:")
		})).ServeHTTP(w, r)
	})
}

// The key decides which algorithm checks a signature, and nothing that the token says about itself.
func TestSignature(t *testing.T) {
	inBubble(t, func(t *step.T, a *api) {
		bad := answer{401, invalid}
		der, err := x509.MarshalPKIXPublicKey(p256.public)
		step.NoError(t, err, "A public key is written.")
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		public, _ := ed.public.(ed25519.PublicKey)
		jwk := fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","kid":"ed","x":%q}`, encode(evilEd.public.(ed25519.PublicKey)))
		k, es := good(), good().by("p256", p256)
		a.keys["ecdh"], err = p256.public.(*ecdsa.PublicKey).ECDH()
		step.NoError(t, err, "A public key is converted.")
		parts, esParts := strings.Split(k.String(), "."), strings.Split(es.String(), ".")
		for _, tt := range []struct {
			want answer
			why  string
			token
		}{
			{passes, "Ed25519, and the issuer's key", k},
			{passes, "P-256, and the issuer's key", es},
			{bad, "Ed25519, and a key of the attacker", k.by("ed", evilEd)},
			{bad, "P-256, and a key of the attacker", es.by("p256", evilP256)},
			{bad, "alg is none, without a signature", k.by("ed", unsigned)},
			{bad, "alg is None, without a signature", k.by("ed", unsigned).head("alg", `"None"`)},
			{bad, "an HMAC with the public key of Ed25519 as its secret", k.by("ed", withHMAC(public))},
			{bad, "an HMAC with the PEM of the public key as its secret", k.by("p256", withHMAC(text))},
			{bad, "an HMAC with the DER of the public key as its secret", k.by("p256", withHMAC(der))},
			{bad, "alg is ES256, but the key is one of Ed25519", k.head("alg", `"ES256"`)},
			{bad, "alg is EdDSA, but the key is one on P-256", es.head("alg", `"EdDSA"`)},
			{bad, "there is no alg", k.head("alg", "")},
			{bad, "alg is in small letters", es.head("alg", `"es256"`)},
			{bad, "alg is ES384", es.head("alg", `"ES384"`)},
			{bad, "the key is on P-384", k.by("p384", p384)},
			{bad, "the key is on P-256, but of a kind that is not in the contract", k.by("ecdh", evilP256)},
			{bad, "the signature is that of the key p256, but kid says ed", k.by("ed", p256)},
			{bad, "there is no kid", k.head("kid", "")},
			{bad, "kid is a number", k.head("kid", "1")},
			{passes, "a jku is there, and the issuer's key has signed", k.head("jku", `"https://evil/keys"`)},
			{bad, "the header brings the attacker's key as jwk", k.by("ed", evilEd).head("jwk", jwk)},
			{passes, "the header brings a key as jwk, but the issuer's has signed", k.head("jwk", jwk)},
			{bad, "crit names an extension", k.head("crit", `["exp"]`).head("exp", "1")},
			{bad, "crit is an empty list", k.head("crit", `[]`)},
			{bad, "crit is null", k.head("crit", `null`)},
			{passes, "typ has the long form", k.head("typ", `"application/at+jwt"`)},
			{passes, "typ is in capitals", k.head("typ", `"AT+JWT"`)},
			{bad, "typ is JWT, as an ID token's may be", k.head("typ", `"JWT"`)},
			{bad, "typ is logout+jwt", k.head("typ", `"logout+jwt"`)},
			{bad, "there is no typ", k.head("typ", "")},
			{bad, "the name of typ is in capitals", k.head("typ", "").head("TYP", `"at+jwt"`)},
			{bad, "the name of iss is in capitals", k.claim("iss", "").claim("ISS", k.claims["iss"])},
			{bad, "kid is there twice", token{signer: ed, rawHeader: `{"kid":"p256","alg":"EdDSA","typ":"at+jwt","kid":"ed"}`, claims: k.claims}},
			{bad, "sub is there twice", token{signer: ed, header: k.header, rawClaims: `{"sub":"bob",` + object(k.claims)[1:]}},
			{bad, "kid is there twice, once with an escape", token{
				signer: ed, claims: k.claims,
				rawHeader: `{"k\u0069d":"ed","alg":"EdDSA","typ":"at+jwt","kid":"ed"}`,
			}},
			{bad, "sub is there twice, once with an escape", token{
				signer: ed, header: k.header,
				rawClaims: `{"s\u0075b":"bob",` + object(k.claims)[1:],
			}},
			{bad, "something follows the claims", token{signer: ed, header: k.header, rawClaims: object(k.claims) + "{}"}},
			{bad, "the claims are a list", token{signer: ed, header: k.header, rawClaims: "[]"}},
			{bad, "the header is null", token{signer: ed, rawHeader: "null", claims: k.claims}},
			{bad, "the claims end in the middle", token{signer: ed, header: k.header, rawClaims: strings.TrimSuffix(object(k.claims), "}")}},
		} {
			a.expect(tt.want, tt.token, "The token: %s", tt.why)
		}
		for _, tt := range [][2]string{
			{"only two parts", strings.Join(parts[:2], ".")},
			{"four parts", strings.Join(parts, ".") + "." + parts[2]},
			{"an empty signature", parts[0] + "." + parts[1] + "."},
			{"an empty signature, of ES256", esParts[0] + "." + esParts[1] + "."},
			{"the claims of another", parts[0] + "." + encode([]byte(object(k.claim("sub", `"root"`).claims))) + "." + parts[2]},
			{"a signature with padding", strings.Join(esParts, ".") + "=="},
			{"a signature of 63 bytes", strings.Join(esParts[:2], ".") + "." + encode([]byte(esParts[2])[:63])},
			{"a carriage return in the signature", parts[0] + "." + parts[1] + "." + parts[2][:8] + "\r" + parts[2][8:]},
			{"a line feed in the signature", parts[0] + "." + parts[1] + "." + parts[2][:8] + "\n" + parts[2][8:]},
			{"a character not in base64url", parts[0] + "." + parts[1] + "." + parts[2][1:] + "*"},
		} {
			step.Equal(t, bad, a.do(t.Context(), "GET", "/orders", "Bearer "+tt[1]), "The token has %s. The answer:", tt[0])
		}
		for _, size := range []int{apiauth.MaxToken - 1, apiauth.MaxToken, apiauth.MaxToken + 1} {
			k, want := k, bad
			for n := (size-len(k.String()))*3/4 - 20; len(k.String()) < size; n++ {
				for x := range 3 { // not every length can be had with the claims alone
					if k = good().head("x", `"`+strings.Repeat("x", x)+`"`).claim("more", `"`+strings.Repeat("x", n)+`"`); len(k.String()) == size {
						break
					}
				}
			}
			if size <= apiauth.MaxToken {
				want = passes
			}
			a.expect(want, k, "The token has %d bytes, and MaxToken is %d", len(k.String()), apiauth.MaxToken)
		}
	})
}

// A token is good for this API, from this issuer, and in its time, with the same leeway at both ends.
func TestClaims(t *testing.T) {
	inBubble(t, func(_ *step.T, a *api) {
		bad, k := answer{401, invalid}, good()
		at := func(seconds float64) string { return fmt.Sprintf("%.3f", float64(time.Now().Unix())+seconds) }
		for _, tt := range []struct {
			want        answer
			name, value string
		}{
			{passes, "nbf", ""}, // which a good token does not have
			{passes, "exp", at(1)},
			{passes, "exp", at(-29)},
			{passes, "exp", at(-29.999)},
			{passes, "exp", "1e300"},
			{passes, "exp", "4e9"},
			{bad, "exp", ""},
			{bad, "exp", `null`},
			{bad, "exp", fmt.Sprintf("%q", k.claims["exp"])},
			{bad, "exp", "1e400"},
			{bad, "exp", "true"},
			{bad, "exp", "-1e400"},
			{bad, "exp", at(-30)},
			{bad, "exp", at(-30.001)},
			{bad, "exp", at(-31)},
			{bad, "exp", "0"},
			{bad, "exp", "-1e300"},
			{bad, "iat", ""},
			{bad, "iat", "null"},
			{bad, "iat", `"now"`},
			{passes, "iat", "0"},
			{passes, "iat", at(30)},
			{passes, "iat", at(29)},
			{bad, "iat", at(30.001)},
			{bad, "iat", at(31)},
			{bad, "iat", "1e300"},
			{bad, "iat", "1e400"},
			{passes, "nbf", at(0)},
			{passes, "nbf", at(30)},
			{bad, "nbf", at(30.001)},
			{bad, "nbf", at(31)},
			{bad, "nbf", "null"},
			{bad, "nbf", `"0"`},
			{bad, "nbf", "-1e400"},
			{bad, "nbf", "1e300"},
			{bad, "iss", ""},
			{bad, "iss", `"https://issuer/"`},
			{bad, "iss", `"HTTPS://issuer"`},
			{bad, "iss", `"https://issuer.evil"`},
			{bad, "iss", `""`},
			{bad, "iss", `["https://issuer"]`},
			{bad, "aud", ""},
			{bad, "aud", `"payments"`},
			{bad, "aud", `"orders payments"`},
			{bad, "aud", `"ORDERS"`},
			{bad, "aud", `[]`},
			{bad, "aud", `null`},
			{passes, "aud", `["orders"]`},
			{passes, "aud", `["payments","orders"]`},
			{bad, "aud", `["payments"]`},
			{passes, "aud", `["orders","payments"]`},
			{bad, "aud", `["orders",7]`},
			{bad, "aud", `{"orders":true}`},
			{bad, "aud", `["orders2"]`},
			{bad, "sub", ""},
			{bad, "sub", `""`},
			{bad, "sub", "7"},
			{bad, "client_id", ""},
			{bad, "client_id", `""`},
			{bad, "client_id", "7"},
			{bad, "jti", ""},
			{bad, "jti", `""`},
			{bad, "jti", "7"},
			{bad, "sid", "7"},
			{bad, "sid", "null"},
			{bad, "scope", `["orders:read"]`},
			{bad, "scope", "null"},
			{passes, "admin", "true"},
		} {
			why := fmt.Sprintf("now is %s; %s of the token is %s", at(0), tt.name, tt.value)
			if tt.value == "" {
				why = "the token has no " + tt.name
			}
			a.expect(tt.want, k.claim(tt.name, tt.value), "Leeway is 30s, and %s", why)
		}
	})
	for _, tt := range []struct {
		want    answer
		name    string
		seconds int
	}{{answer{401, invalid}, "exp", -28}, {passes, "iat", 32}, {passes, "nbf", 32}} {
		inBubble(t, func(_ *step.T, a *api) {
			a.takes = 4 * time.Second
			k := good().claim(tt.name, fmt.Sprint(time.Now().Unix()+int64(tt.seconds)))
			a.expect(tt.want, k, "Leeway is 30s, %s is %ds from now, and the keys come after 4s", tt.name, tt.seconds)
		})
	}
}

// Keys are fetched once for all who wait, again for an id that is not known but not at every one, and a removed key stops.
func TestKeys(t *testing.T) {
	bad := answer{401, invalid}
	inBubble(t, func(t *step.T, a *api) {
		a.takes = 2 * time.Second
		step.Equal(t, answer{401, bare}, a.do(t.Context(), "GET", "/orders"), "A request without a token. The answer:")
		a.fetched(0, "Nobody had a token")
		twice := token{signer: ed, rawHeader: `{"kid":"x","alg":"EdDSA","typ":"at+jwt","kid":"y"}`, claims: good().claims}
		for _, tt := range []struct {
			why string
			token
		}{
			{"alg is none", good().by("x", unsigned)},
			{"typ is JWT", good().head("typ", `"JWT"`)},
			{"crit is there", good().head("crit", `["x"]`)},
			{"alg is HS256", good().by("x", withHMAC(nil))},
			{"there is no kid", good().head("kid", "")},
			{"kid is there twice", twice},
		} {
			a.expect(bad, tt.token, "The header is bad: %s", tt.why)
		}
		a.fetched(0, "No token came whose header is good")
		var calls []*step.Call[answer]
		for range 3 {
			calls = append(calls, step.Start(t, func() answer { return a.get(good()) }))
		}
		for _, c := range calls {
			step.Equal(t, passes, c.Result(), "Three come at once, and wait for the first fetch. The answer:")
		}
		a.fetched(1, "Three came at once")
		a.expect(passes, good(), "The key is known")
		a.fetched(1, "The key is known")
		a.issuer(func(a *api) { a.keys["new"] = evilP256.public })
		time.Sleep(2 * a.Interval)
		a.expect(passes, good().by("new", evilP256), "A key was added, and twice Interval has passed")
		a.fetched(2, "An unknown id came, and had Interval behind it")
		a.expect(passes, good(), "Both keys are good in a rotation")
		time.Sleep(a.Interval - a.takes - ms)
		for i := range 5 {
			a.expect(bad, good().by(fmt.Sprint("random", i), evilEd), "An unknown key id, and less than Interval after the last fetch began")
		}
		a.fetched(2, "Interval is 1m, and the last fetch began less than that ago")
		a.issuer(func(a *api) { a.keys["newer"] = p256.public })
		time.Sleep(ms)
		a.expect(passes, good().by("newer", p256), "Another key was added, and Interval has passed since the last fetch began")
		a.fetched(3, "An unknown id came after Interval")
		for i := range 5 {
			a.expect(bad, good().by(fmt.Sprint("other", i), evilEd), "An unknown key id, right after a fetch")
		}
		a.fetched(3, "Interval is 1m, whatever ids come")
	})
	inBubble(t, func(_ *step.T, a *api) {
		a.expect(passes, good(), "The key is there")
		a.issuer(func(a *api) { delete(a.keys, "ed") })
		time.Sleep(2 * a.MaxAge)
		a.expect(bad, good(), "The key was removed, and twice MaxAge has passed")
		a.issuer(func(a *api) { a.keys["ed"] = ed.public })
		time.Sleep(a.Interval)
		a.expect(passes, good(), "The key is back, and Interval has passed")
		a.issuer(func(a *api) { delete(a.keys, "ed") })
		time.Sleep(a.Interval)
		a.expect(bad, good().by("x", evilEd), "An unknown key id, and Interval has passed")
		a.expect(bad, good(), "The key was removed, and a fetch for another id came after that")
	})
	inBubble(t, func(_ *step.T, a *api) { // the fetch reads the keys after 1 s, and ends after 2 s
		a.takes = 2 * time.Second
		a.expect(passes, good(), "The key is there")
		a.issuer(func(a *api) { delete(a.keys, "ed") })
		time.Sleep(a.MaxAge - 2*time.Second - ms)
		a.expect(passes, good(), "The keys are 1ms less than MaxAge old")
		a.fetched(1, "The keys are not MaxAge old")
		time.Sleep(ms)
		a.expect(bad, good(), "The key was removed, and MaxAge has passed since its fetch began")
		a.fetched(2, "The keys are MaxAge old")
	})
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		a := newAPI(t)
		a.gate = apiauth.New(a.Config)
		a.handler = a.gate.Handler(a)
		got := a.askAtOnce(x, "Bearer "+good().String())
		step.Equal(t, [2]int{204, 204}, got, "Two come at once with good tokens. The answers:")
		a.fetched(1, "Two came at once")
	})
	step.Bubble(t, func(t *step.T) {
		keys := map[string]crypto.PublicKey{"ed": ed.public}
		k, other := "Bearer "+good().String(), "Bearer "+good().by("other", evilEd).String()
		fresh := func() *apiauth.Gate {
			cfg := newAPI(t).Config
			cfg.Keys = func(context.Context) (map[string]crypto.PublicKey, error) { return keys, nil }
			return apiauth.New(cfg)
		}
		ask := func(name, line string) apart.Call[*apiauth.Gate] {
			return apart.Call[*apiauth.Gate]{Name: name, Do: func(g *apiauth.Gate) {
				r := httptest.NewRequestWithContext(context.Background(), "GET", "/orders", nil)
				r.Header.Set("Authorization", line)
				time.Sleep(time.Minute) // Interval, so that one fetch comes after another
				g.Handler(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
			}}
		}
		revoke := apart.Call[*apiauth.Gate]{Name: "Revoke", Do: func(g *apiauth.Gate) {
			g.Revoke(apiauth.Revocation{Token: "t0", Session: "s0", User: "ann", Before: time.Unix(1, 0)})
		}}
		apart.Pairs(t.T, fresh, ask("a good token", k), ask("an unknown key", other), revoke)
	})
}

// While the issuer is down the known keys go on for a while, and then it is the API's fault, not the client's.
func TestIssuerIsDown(t *testing.T) {
	inBubble(t, func(t *step.T, a *api) {
		a.fails = errDown
		step.Equal(t, answer{401, bare}, a.do(t.Context(), "GET", "/orders"), "A request without a token. The answer:")
		a.expect(unavailable, good(), "The issuer is down from the start")
		a.expect(unavailable, good(), "The issuer is down from the start, and the fetch failed just now")
		a.fetched(1, "A failed fetch counts for Interval too")
		time.Sleep(a.Interval)
		a.issuer(func(a *api) { a.fails = nil })
		a.expect(passes, good(), "The issuer is up, and Interval has passed")
		began := time.Now()
		a.issuer(func(a *api) { a.fails = errDown })
		a.expect(answer{401, invalid}, good().by("new", evilEd), "The latest fetch succeeded, and had no such key")
		time.Sleep(a.Interval)
		a.expect(unavailable, good().by("new", evilEd), "The issuer may have a new key, but is down")
		a.expect(unavailable, good().by("new", evilEd).claim("exp", "0"), "The issuer is down, and an old token may be signed with a new key")
		a.expect(passes, good(), "The issuer is down, but the key is known")
		a.expect(answer{401, invalid}, good().by("p384", p384), "The issuer is down, and the key is known, and is on P-384")
		time.Sleep(a.MaxAge - a.Interval)
		k := good()
		a.expect(passes, k, "The issuer is down, and the keys are MaxAge old")
		a.expect(passes, k, "The issuer is down, the keys are MaxAge old, and a fetch failed just now")
		a.fetched(4, "The keys are MaxAge old, and a fetch failed just now")
		time.Sleep(a.Grace - ms)
		a.expect(passes, good(), "The issuer is down, and the keys are 1ms less than MaxAge + Grace old")
		time.Sleep(ms)
		step.Equal(t, a.MaxAge+a.Grace, time.Since(began), "The keys' age:")
		a.expect(unavailable, good(), "The issuer is down, and the keys are MaxAge + Grace old")
		a.issuer(func(a *api) { a.fails = nil })
		time.Sleep(a.Interval)
		a.expect(passes, good(), "The issuer is up again")
	})
	inBubble(t, func(t *step.T, a *api) {
		a.takes = time.Hour
		c := step.Start(t, func() answer { return a.get(good()) })
		step.Equal(t, unavailable, c.Result(), "The issuer hangs, and Timeout is 5s. The answer:")
		step.Equal(t, a.Timeout, c.Took(), "The issuer hangs. The answer comes after Timeout:")
	})
	inBubble(t, func(_ *step.T, a *api) {
		a.expect(passes, good(), "The issuer is up")
		a.issuer(func(a *api) { a.takes, a.gives = time.Hour, true })
		time.Sleep(a.MaxAge)
		a.expect(passes, good(), "The keys are MaxAge old, and the next answer had no key and came after Timeout")
		a.expect(passes, good(), "The keys are MaxAge old, and an answer without a key came after Timeout")
	})
	inBubble(t, func(t *step.T, a *api) {
		a.takes = 2 * time.Second
		ctx, cancel := context.WithCancel(t.Context())
		k := "Bearer " + good().String()
		first := step.Start(t, func() answer { return a.do(ctx, "GET", "/orders", k) })
		second := step.Start(t, func() answer { return a.do(t.Context(), "GET", "/orders", k) })
		time.Sleep(500 * ms)
		cancel()
		step.Equal(t, unavailable, first.Result(), "The request that caused the fetch is cancelled. Its answer:")
		step.Equal(t, 500*ms, first.Took(), "The request that caused the fetch is cancelled after 500ms. It is answered after:")
		step.Equal(t, passes, second.Result(), "Another request waits for the fetch of one that was cancelled. The answer:")
		a.fetched(1, "The fetch goes on for those who wait")
	})
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		a := newAPI(t)
		a.Interval, a.failures, a.fails = 0, 1, errDown
		a.gate = apiauth.New(a.Config)
		a.handler = a.gate.Handler(a)
		got := a.askAtOnce(x, "Bearer "+good().String())
		for _, status := range got {
			step.Expect(t, status == 204 || status == 503, "Interval is 0, one fetch fails, and the next succeeds. "+
				"A good token should pass or get 503. The answer: %d", status)
		}
	})
}

// Each route and method needs its scopes, and what is on no list is forbidden.
func TestScopes(t *testing.T) {
	inBubble(t, func(t *step.T, a *api) {
		a.Routes = map[string][]string{
			"GET /orders": {"orders:read"}, "POST /orders": {"orders:write", "orders:read"}, "GET /orders/{id}": {"orders:read"},
			"GET /me": {}, "DELETE /orders/{id}": {"orders"}, "GET /static/": {"static"},
		}
		none := answer{403, ""}
		lacks := func(scopes string) answer {
			return answer{403, bare + `, error="insufficient_scope", scope="` + scopes + `"`}
		}
		for _, tt := range []struct {
			want                answer
			method, path, scope string
		}{
			{passes, "GET", "/orders", "orders:read"},
			{passes, "GET", "/orders?all=1", "profile orders:read"},
			{passes, "HEAD", "/orders", "orders:read"},
			{lacks("orders:read"), "GET", "/orders", ""},
			{lacks("orders:read"), "GET", "/orders", "orders:read2"},
			{lacks("orders:read"), "GET", "/orders", "orders"},
			{lacks("orders:read"), "GET", "/orders", "ORDERS:READ"},
			{lacks("orders:read"), "GET", "/orders", "orders:*"},
			{lacks("orders:write orders:read"), "POST", "/orders", "profile"},
			{lacks("orders:write orders:read"), "POST", "/orders", "orders:read"},
			{lacks("orders:write orders:read"), "POST", "/orders", "orders:write"},
			{passes, "POST", "/orders", "orders:read orders:write"},
			{passes, "GET", "/orders/7", "orders:read"},
			{lacks("orders"), "DELETE", "/orders/7", "orders:read"},
			{passes, "DELETE", "/orders/7", "orders"},
			{passes, "GET", "/me", ""},
			{none, "POST", "/me", "orders:write orders:read"},
			{none, "GET", "/orders/7/items", "orders:read"},
			{none, "GET", "/", "orders:read"},
			{none, "PUT", "/orders", "orders:read orders:write"},
			{none, "GET", "/orders/", "orders:read"},
			{none, "GET", "//orders", "orders:read"},
			{none, "GET", "/x/../orders", "orders:read"},
			{passes, "GET", "/static/a/b", "static"},
			{none, "GET", "/static", "static"},
		} {
			k, before := good().claim("scope", `"`+tt.scope+`"`), a.passed
			got := a.do(t.Context(), tt.method, tt.path, "Bearer "+k.String())
			step.Equal(t, tt.want, got, "%s %s with the scopes %q. The answer:", tt.method, tt.path, tt.scope)
			step.Equal(t, tt.want == passes, a.passed > before, "%s %s with the scopes %q. The handler runs:", tt.method, tt.path, tt.scope)
		}
		bad := "Bearer " + good().by("ed", evilEd).String()
		step.Equal(t, answer{401, invalid}, a.do(t.Context(), "GET", "/nowhere", bad), "A bad token, and no route. The answer:")
		step.Equal(t, answer{401, bare}, a.do(t.Context(), "GET", "/me"), "No token, and a route without scopes. The answer:")
		a.expect(lacks("orders:read"), good().claim("scope", ""), "The token has no scope")
	})
}

// A revoked token, session or user is out at once, and nobody else is.
func TestRevocation(t *testing.T) {
	inBubble(t, func(_ *step.T, a *api) {
		bad := answer{401, invalid}
		time.Sleep(time.Hour)
		a.expect(passes, good(), "Nothing is revoked")
		a.gate.Revoke(apiauth.Revocation{})
		a.expect(passes, good().claim("sid", ""), "A revocation named nothing, and the token has no session")
		a.gate.Revoke(apiauth.Revocation{Token: "t2"})
		a.expect(bad, good().claim("jti", `"t2"`), "The token t2 is revoked")
		a.expect(passes, good(), "Another token of the same session is revoked")
		a.gate.Revoke(apiauth.Revocation{Session: "s2"})
		a.expect(bad, good().claim("sid", `"s2"`), "The session s2 is revoked")
		a.expect(passes, good(), "Another session is revoked")
		a.expect(passes, good().claim("sid", ""), "A session is revoked, and the token has none")
		a.expect(bad, good().claim("jti", `"t2"`), "The token t2 is revoked, and then a session was")
		now := time.Now().Truncate(time.Second)
		a.gate.Revoke(apiauth.Revocation{User: "ann", Before: now})
		iat := func(d time.Duration) token {
			return good().claim("iat", fmt.Sprintf("%.3f", float64(now.Add(d).UnixMilli())/1000))
		}
		a.expect(bad, iat(-ms), "All of ann's before 1ms after its iat are revoked")
		a.expect(passes, iat(0), "All of ann's before its iat are revoked")
		a.expect(passes, iat(-ms).claim("sub", `"ben"`), "All of ann's are revoked, and this is one of ben's")
		a.gate.Revoke(apiauth.Revocation{User: "ann", Before: now.Add(-time.Minute)})
		a.expect(bad, iat(-ms), "All of ann's before 1ms after its iat are revoked, and then those before an earlier instant")
		a.gate.Revoke(apiauth.Revocation{User: "ann", Before: now.Add(time.Second)})
		a.expect(bad, iat(0), "All of ann's before an instant are revoked, and then those before a later one")
		a.gate.Revoke(apiauth.Revocation{Token: "t3", Session: "s3", User: "cem", Before: now.Add(time.Second)})
		a.expect(bad, iat(time.Second).claim("jti", `"t3"`), "Token, session and user are revoked in one, and it is the token")
		a.expect(bad, iat(time.Second).claim("sid", `"s3"`), "Token, session and user are revoked in one, and it is the session")
		a.expect(bad, iat(0).claim("sub", `"cem"`), "Token, session and user are revoked in one, and it is the user")
		time.Sleep(time.Hour)
		a.expect(bad, good().claim("jti", `"t2"`), "The token t2 was revoked an hour ago")
	})
	inBubble(t, func(t *step.T, a *api) {
		a.expect(passes, good(), "Nothing is revoked")
		time.Sleep(a.MaxAge)
		a.takes = 2 * time.Second
		c := step.Start(t, func() answer { return a.get(good()) })
		step.Expect(t, c.Waits(), "The keys are MaxAge old, so the request should wait for a fetch.")
		a.gate.Revoke(apiauth.Revocation{Token: "t1"})
		step.Equal(t, answer{401, invalid}, c.Result(), "Its token is revoked while a request waits for keys. The answer:")
	})
}

// askAtOnce has two clients read the orders, in every order of their points.
func (a *api) askAtOnce(x *interleave.Schedule, line string) (statuses [2]int) {
	for i, name := range []string{"A", "B"} {
		x.Go(name, func() {
			x.Point("asks")
			r := httptest.NewRequestWithContext(context.Background(), "GET", "/orders", nil)
			r.Header.Set("Authorization", line)
			w := httptest.NewRecorder()
			a.handler.ServeHTTP(w, r)
			statuses[i] = w.Code
		})
	}
	x.Run()
	return statuses
}
