// Package terminal knows what the screen can show and which key was pressed.
package terminal

import (
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"
)

// A Screen is where the runner writes.
type Screen struct {
	io.Writer
	Colour      bool
	Interactive bool // a person sees it as it is written
	Width       int
	Height      int // in rows; 0 where lines scroll by
}

// Open looks at a file that the runner writes to. NO_COLOR (no-color.org) and
// TERM=dumb are obeyed.
func Open(file *os.File) *Screen {
	s := &Screen{Writer: file, Width: 80}
	fd := int(file.Fd())
	if !term.IsTerminal(fd) {
		return s
	}
	s.Interactive = true
	s.Colour = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if width, _, err := term.GetSize(fd); err == nil && width > 0 {
		s.Width = width
	}
	return s
}

// A Style is how a piece of text looks.
type Style string

// The styles, by what they say.
const (
	Good  Style = "32"
	Bad   Style = "31"
	Doing Style = "33"
	Quiet Style = "2"
	Loud  Style = "1"
)

// In returns text in a style, or as it is where there is no colour.
func (s *Screen) In(style Style, text string) string {
	if !s.Colour || text == "" {
		return text
	}
	return "\x1b[" + string(style) + "m" + text + "\x1b[0m"
}

// Wrap breaks text into lines that fit the screen behind an indent, at most
// 100 columns, since longer lines are hard to read.
func (s *Screen) Wrap(indent, text string) string {
	return strings.Join(s.Lines(indent, indent, text), "\n")
}

// hyphen does not end a line: flags of a command and words with a hyphen stay whole.
const hyphen = "\u2011"

// Lines breaks text into lines that fit the screen, the first behind another
// indent than the rest.
func (s *Screen) Lines(first, rest, text string) []string {
	room := max(8, min(s.Width, 100)-ansi.StringWidth(rest))
	text = strings.Join(strings.Fields(text), " ")
	text = strings.ReplaceAll(text, "-", hyphen)
	taken := strings.Repeat("x", max(0, ansi.StringWidth(first)-ansi.StringWidth(rest))) // of the first line
	var lines []string
	for i, line := range strings.Split(ansi.Wrap(taken+text, room, ""), "\n") {
		line = strings.ReplaceAll(line, hyphen, "-")
		if i == 0 {
			lines = append(lines, first+strings.TrimPrefix(line, taken))
		} else {
			lines = append(lines, rest+line)
		}
	}
	return lines
}

// Link makes text lead to a file, in terminals that know how (OSC 8).
func (s *Screen) Link(path, text string) string {
	if !s.Colour {
		return text
	}
	return ansi.SetHyperlink("file://"+filepath.ToSlash(path)) + text + ansi.ResetHyperlink()
}

// IsTerminal reports whether a person is at the other end of a file.
func IsTerminal(file *os.File) bool { return term.IsTerminal(int(file.Fd())) }
