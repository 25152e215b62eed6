package sqlprobe

import "strings"

// Shape is the text of a statement without what varies from run to run: every literal
// and parameter is ?, a list of them is (?, …) however long it is, and so are the rows
// of VALUES; comments are gone and white space is one space. What is in quotes as a
// name stays, and so does the case of letters.
//
// It reads the common core of SQLite's and PostgreSQL's SQL, and does not parse it: a
// text that is wrong has a shape too.
func Shape(query string) string {
	var out []string // tokens, each with the space before it
	space := false
	for rest := query; rest != ""; {
		tok, kind := next(rest)
		rest = rest[len(tok):]
		switch kind {
		case blank:
			space = true
			continue
		case value:
			tok = "?"
		case other:
		}
		if space && len(out) > 0 {
			tok = " " + tok
		}
		space = false
		out = fold(append(out, tok))
	}
	return strings.TrimRight(strings.Join(out, ""), "; ")
}

const list = "(?, …)"

// fold shortens a list that the last token has closed.
func fold(out []string) []string {
	if strings.TrimSpace(out[len(out)-1]) != ")" {
		return out
	}
	start := len(out) - 2
	for start >= 0 && (strings.TrimSpace(out[start]) == "?" || strings.TrimSpace(out[start]) == ",") {
		start--
	}
	values := len(out) - 2 - start
	if start < 0 || values == 0 || strings.TrimSpace(out[start]) != "(" {
		return out
	}
	before := ""
	if start > 0 {
		before = strings.ToUpper(strings.TrimSpace(out[start-1]))
	}
	if values == 1 && before != "IN" && before != "VALUES" && before != "," {
		return out // a call with one argument, or an expression in parentheses
	}
	lead := strings.TrimSuffix(out[start], "(")
	out = append(out[:start], lead+list)
	if n := len(out); n >= 3 && strings.TrimSpace(out[n-2]) == "," && strings.TrimSpace(out[n-3]) == list {
		out = out[:n-2] // one more row of VALUES
	}
	return out
}

type kind int

const (
	blank kind = iota // white space or a comment
	value             // a literal or a parameter
	other
)

// next cuts the first token off a text that is not empty.
func next(s string) (string, kind) {
	c := s[0]
	switch {
	case c == ' ' || c == '\t' || c == '\n' || c == '\r':
		return s[:1], blank
	case strings.HasPrefix(s, "--"):
		return through(s, 2, "\n"), blank
	case strings.HasPrefix(s, "/*"):
		return through(s, 2, "*/"), blank
	case c == '\'':
		return quoted(s, 0, '\'', false), value
	case len(s) > 1 && s[1] == '\'' && strings.IndexByte("xXeEbBnN", c) >= 0:
		return quoted(s, 1, '\'', c == 'e' || c == 'E'), value
	case c == '"' || c == '`':
		return quoted(s, 0, c, false), other
	case c == '[' && len(s) > 1 && isLetter(s[1]):
		return through(s, 1, "]"), other
	case isDigit(c) || c == '.' && len(s) > 1 && isDigit(s[1]):
		return number(s), value
	case isLetter(c):
		return s[:word(s, 1)], other
	case strings.HasPrefix(s, "::"):
		return "::", other
	case c == '?':
		return s[:digits(s, 1)], value
	case c == '$':
		return dollar(s), value
	case (c == ':' || c == '@') && len(s) > 1 && isLetter(s[1]):
		return s[:word(s, 1)], value
	}
	return s[:1], other
}

func through(s string, from int, end string) string {
	if i := strings.Index(s[from:], end); i >= 0 {
		return s[:from+i+len(end)]
	}
	return s
}

// quoted is a text in quotes that starts at from; a doubled quote does not end it,
// nor does one after a backslash where that escapes.
func quoted(s string, from int, quote byte, backslash bool) string {
	for i := from + 1; i < len(s); i++ {
		switch {
		case backslash && s[i] == '\\':
			i++
		case s[i] == quote && i+1 < len(s) && s[i+1] == quote:
			i++
		case s[i] == quote:
			return s[:i+1]
		}
	}
	return s
}

// dollar is a parameter ($1, $name) or a text in PostgreSQL's dollar quotes.
func dollar(s string) string {
	end := word(s, 1)
	if end < len(s) && s[end] == '$' {
		return through(s, end+1, s[:end+1])
	}
	return s[:end]
}

func number(s string) string {
	i := 1
	for i < len(s) && (isLetter(s[i]) || isDigit(s[i]) || s[i] == '.' ||
		(s[i] == '-' || s[i] == '+') && (s[i-1] == 'e' || s[i-1] == 'E') && !strings.HasPrefix(s, "0x")) {
		i++
	}
	return s[:i]
}

func word(s string, i int) int {
	for i < len(s) && (isLetter(s[i]) || isDigit(s[i])) {
		i++
	}
	return i
}

func digits(s string, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isLetter takes every byte of a character beyond ASCII for a letter, as both databases do.
func isLetter(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' || c >= 0x80
}

// isSingle reports whether a text is one statement, so that it can be prepared. It may
// take one for several, as one that creates a trigger is, but not the reverse.
func isSingle(query string) bool {
	ended, some := false, false
	for rest := query; rest != ""; {
		tok, kind := next(rest)
		rest = rest[len(tok):]
		switch {
		case kind == blank:
		case tok == ";":
			ended = true
		case ended:
			return false
		default:
			some = true
		}
	}
	return some
}
