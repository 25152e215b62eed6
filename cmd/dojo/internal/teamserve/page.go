package teamserve

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"strings"
)

//go:embed pages
var pages embed.FS

var (
	style  = embedded("pages/style.css")
	script = embedded("pages/script.js")

	layouts = template.Must(template.New("").Funcs(template.FuncMap{"ago": ago, "coded": coded, "paragraphs": paragraphs}).ParseFS(pages, "pages/*.html"))

	// policy lets a page have this style and this script, talk to this server, and nothing else.
	policy = "default-src 'none'; style-src " + hashed(style) + "; script-src " + hashed(script) +
		"; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	// exported is the policy of a page that nobody serves, which has no script.
	exported = "default-src 'none'; style-src " + hashed(style) + "; base-uri 'none'; form-action 'none'"
)

func embedded(name string) string {
	text, err := pages.ReadFile(name)
	if err != nil {
		panic(err) // it is part of the program
	}
	return string(text)
}

func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// A frame is what stands around every page.
type frame struct {
	Title       string
	Page        string // which, for the style and the navigation
	Facilitator bool
	Standing    string // how the session stands, in words
	Turn        string // when the driver changes
	Trouble     string
	Policy      string // of an exported page
	Style       template.CSS
	Script      template.JS
	Main        any
}

// frame returns a page's frame. The caller holds s.mu.
func (s *Server) frame(r *http.Request, page, title string, main any) frame {
	now := s.clock.read()
	at := s.standingAt(now)
	f := frame{Title: title, Page: page, Facilitator: s.role(r) == facilitator, Main: main}
	switch at.phase {
	case waiting:
		f.Standing = "not started yet"
	case ended:
		f.Standing = "ended after " + ago(at.since)
	default:
		f.Standing = at.phase + ", " + ago(s.ran(now))
	}
	if at.every > 0 && at.phase != ended {
		f.Turn = fmt.Sprintf("turn %d", at.turn)
		if at.left > 0 {
			f.Turn += ", the driver changes in " + ago(at.left)
		}
	}
	if err := s.journal.trouble(); err != nil {
		f.Trouble = "The server's disk refuses (" + err.Error() + "). The session goes on in memory, and is lost if the server stops."
	}
	return f
}

// show answers with a page.
func (s *Server) show(w http.ResponseWriter, status int, f frame) {
	text, err := f.render()
	if err != nil {
		s.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy)
	w.WriteHeader(status)
	_, _ = w.Write(text) // whoever is gone gets nothing
}

// render makes a page whole before any of it is sent.
func (f frame) render() ([]byte, error) {
	f.Style, f.Script = template.CSS(style), template.JS(script) //nolint:gosec // they are part of the program
	var text bytes.Buffer
	if err := layouts.ExecuteTemplate(&text, "frame", f); err != nil {
		return nil, fmt.Errorf("the page cannot be made: %w", err)
	}
	return text.Bytes(), nil
}

// ago is a time of the session in words.
func ago(ms int64) string {
	minutes := ms / 60_000
	switch {
	case minutes == 0:
		return "less than a minute"
	case minutes < 60:
		return fmt.Sprintf("%d min", minutes)
	}
	return fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
}

var code = regexp.MustCompile("`([^`]+)`")

// coded is a text of an answer page, in which code stands between backticks.
func coded(text string) template.HTML {
	return template.HTML(code.ReplaceAllString(template.HTMLEscapeString(text), "<code>$1</code>")) //nolint:gosec // it is escaped
}

func paragraphs(text string) []string { return strings.Split(text, "\n\n") }
