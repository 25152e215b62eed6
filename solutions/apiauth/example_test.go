//go:build solutions

package apiauth_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"testing"
)

// example: believe
func verify(alg string, key, text, sig []byte) bool {
	if alg == "HS256" { // alg comes from the token's header
		mac := hmac.New(sha256.New, key)
		mac.Write(text)
		return hmac.Equal(sig, mac.Sum(nil))
	}
	return alg == "EdDSA" && ed25519.Verify(key, text, sig)
}

// end

// example: pin
type key struct {
	alg    string // the only one that this key is for
	verify func(text, sig []byte) bool
}

func loadEdDSA(public ed25519.PublicKey) key {
	return key{"EdDSA", func(text, sig []byte) bool { return ed25519.Verify(public, text, sig) }}
}

func (k key) check(alg string, text, sig []byte) bool {
	return alg == k.alg && k.verify(text, sig)
}

// end

// The example of docs/apiauth.md: the provider signs a token, and an attacker who has nothing but its public key.
func TestExample(t *testing.T) {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	public := private.Public().(ed25519.PublicKey)
	k, text := loadEdDSA(public), []byte("header.claims")
	mac := hmac.New(sha256.New, public)
	mac.Write(text)

	word := map[bool]string{true: "passes", false: "refused"}
	log := fmt.Sprintf("%-33s %-12s %s\n", "the token", "alg decides", "key decides")
	for _, c := range []struct {
		what, alg   string
		sig         []byte
		wrong, want bool
	}{
		{"EdDSA, signed by the provider", "EdDSA", ed25519.Sign(private, text), true, true},
		{"HS256, keyed with the public key", "HS256", mac.Sum(nil), true, false},
		{"none, without a signature", "none", nil, false, false},
	} {
		wrong, right := verify(c.alg, public, text, c.sig), k.check(c.alg, text, c.sig)
		log += fmt.Sprintf("%-33s %-12s %s\n", c.what, word[wrong], word[right])
		if wrong != c.wrong || right != c.want {
			t.Errorf("%s: the wrong verifier says %v, the right one %v; want %v, %v.", c.what, wrong, right, c.wrong, c.want)
		}
	}
	t.Log("\n" + log)
}
