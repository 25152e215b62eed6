package bubble

import (
	"fmt"
	"slices"
	"strings"
)

func leakReport(all []goroutine, bubble int) string {
	s := newScene(all, bubble)
	return s.leakReport()
}

// leftovers are what people forget to close, known by the goroutines that each has.
var leftovers = []struct {
	sentence string
	sign     string
	also     []string
}{
	{"an http.Server was left running: call Close or Shutdown", "net/http.(*Server).Serve", []string{"net/http.(*conn)", "net/http.(*connReader)"}},
	{idleConnections, "net/http.(*persistConn)", nil},
	{"a sql.DB was left open: call Close", "database/sql.(*DB).connectionOpener", []string{"database/sql."}},
}

const idleConnections = "idle http client connections were left open: close the response bodies and call CloseIdleConnections"

// leakReport explains goroutines that are there when the body has returned.
func (s *scene) leakReport() string {
	var sentences []string
	rest := slices.Clone(s.own)
	requests := slices.DeleteFunc(slices.Clone(s.own), func(g goroutine) bool { return !g.requests() })
	if len(requests) > 0 {
		rest = slices.DeleteFunc(rest, func(g goroutine) bool { return g.requests() || g.calls("net/http.(*Transport).dial") })
		sentences = append(sentences, s.underWay(requests))
	}
	for _, l := range leftovers {
		if !slices.ContainsFunc(rest, func(g goroutine) bool { return g.calls(l.sign) }) {
			continue
		}
		if l.sentence != idleConnections || len(requests) == 0 { // else they are those of the requests
			sentences = append(sentences, l.sentence)
		}
		rest = slices.DeleteFunc(rest, func(g goroutine) bool {
			return slices.ContainsFunc(append(l.also, l.sign), g.calls)
		})
	}
	if len(rest) > 0 || len(sentences) == 0 {
		sentences = append(sentences, count(len(rest), "goroutine was", "goroutines were")+" left over when the body had returned")
	}
	advice := ""
	if slices.ContainsFunc(append(rest, requests...), s.mayAwaitTime) {
		advice = "The clock stands still once the body has returned, so no sleep and no timer ends after that. " +
			"Let the body wait for what is to end by itself."
	}
	return s.report("leak: "+strings.Join(sentences, "; "), s.own, advice, requests...)
}

// requests reports whether g is about to make an HTTP request as a client.
func (g *goroutine) requests() bool { return slices.ContainsFunc(g.frames, isRequest) }

func isRequest(f frame) bool {
	return strings.HasPrefix(f.fn, "net/http.(*Client).") ||
		f.fn == "net/http.(*Transport).RoundTrip" || f.fn == "net/http.(*Transport).roundTrip"
}

// underWay says where the first request was made.
func (s *scene) underWay(requests []goroutine) string {
	g := requests[0]
	outer := len(g.frames)
	for i, f := range g.frames {
		if isRequest(f) {
			outer = i + 1
		}
	}
	g.frames = g.frames[outer:]
	if n := len(requests); n > 1 {
		return fmt.Sprintf("%d HTTP requests were still under way, the first made%s: cancel them or wait for them", n, s.at(g))
	}
	return fmt.Sprintf("an HTTP request was still under way, made%s: cancel it or wait for it", s.at(g))
}

// mayAwaitTime reports whether g sleeps, or may wait for a timer.
func (s *scene) mayAwaitTime(g goroutine) bool {
	switch g.state {
	case "sleep", "select":
		return true
	case "chan receive":
		frames, _ := s.paths.visible(g)
		return len(frames) > 0 && s.paths.namesTimer(frames[0], false)
	}
	return false
}
