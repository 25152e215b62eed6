package team

import (
	"crypto/rand"
	"strings"
)

// letters are Crockford's 32: none of them is taken for another one when it is read aloud.
const letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewCode draws so many of the letters.
func NewCode(n int) string {
	code := make([]byte, n)
	_, _ = rand.Read(code) // never fails: package crypto/rand says so
	for i, b := range code {
		code[i] = letters[int(b)%len(letters)] // 256 is a multiple of 32: no letter is drawn more often
	}
	return string(code)
}

// NormalCode is a code as it was drawn, however it was typed.
func NormalCode(typed string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case 'O':
			return '0'
		case 'I', 'L':
			return '1'
		case '-', ' ':
			return -1
		}
		return r
	}, strings.ToUpper(strings.TrimSpace(typed)))
}

// Grouped is a code in groups of four, to be read and typed.
func Grouped(code string) string {
	var groups []string
	for len(code) > 4 {
		groups, code = append(groups, code[:4]), code[4:]
	}
	return strings.Join(append(groups, code), "-")
}
