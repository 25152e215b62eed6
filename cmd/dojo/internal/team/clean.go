package team

import (
	"strings"
	"unicode"
)

// Clean makes a text of others fit to be shown on one line: white space becomes single spaces, and what moves a
// cursor, turns the direction of writing or cannot be seen becomes a mark that can.
func Clean(text string) string {
	return strings.Join(strings.Fields(CleanLines(text)), " ")
}

// CleanLines does the same to a text of several lines, whose line ends and tabs stay.
// Of marks that pile up on a letter two stay, or they would cover the lines around it.
func CleanLines(text string) string {
	marks := 0
	return strings.Map(func(r rune) rune {
		if !unicode.Is(unicode.Mn, r) {
			marks = 0
		} else if marks++; marks > 2 {
			return -1
		}
		switch {
		case r == '\n' || r == '\t' || unicode.IsGraphic(r):
			return r // IsGraphic holds neither control nor format characters
		case r == '\r':
			return -1
		}
		return unicode.ReplacementChar
	}, text)
}

// Short cuts a text to so many runes, and shows that it did.
func Short(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
