package teamserve

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

// A room is a server that really listens, for a test.
type room struct {
	*Server
	t    *testing.T
	host string
	stop func()
}

func open(t *testing.T, configure ...func(*Config)) *room {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := Config{
		File: filepath.Join(t.TempDir(), "session.jsonl"), Version: "v1", Hosts: []string{l.Addr().String()}, Join: []string{l.Addr().String()},
		Katas: []Kata{{"idempotency", "Preventing duplicate requests", 6}, {"ratelimit", "Rate limiting", 7}},
	}
	for _, c := range configure {
		c(&config)
	}
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	r := &room{Server: s, t: t, host: l.Addr().String()}
	r.stop = func() {
		cancel()
		if err, first := <-done; first && err != nil {
			t.Error(err)
		}
		close(done)
	}
	var once bool
	stop := r.stop
	r.stop = func() {
		if !once {
			once = true
			stop()
		}
	}
	t.Cleanup(func() { r.stop() })
	return r
}

// ask sends a request as a program does, and returns status and body.
func (r *room) ask(method, path string, body any, header ...string) (int, string) {
	r.t.Helper()
	var text io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		text = strings.NewReader(b)
	case url.Values:
		text = strings.NewReader(b.Encode())
		header = append(header, "Content-Type", "application/x-www-form-urlencoded")
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			r.t.Fatal(err)
		}
		text = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, "http://"+r.host+path, text)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	client := http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer.StatusCode, string(got)
}

// A seated laptop sends verdicts.
type seated struct {
	team.Joined
	room *room
	next int
}

func laptopOf(pair string) string {
	return fmt.Sprintf("%x", pair+"-a-laptop-of-its-own")[:32]
}

func (r *room) join(pair string) *seated {
	r.t.Helper()
	status, body := r.ask("POST", "/api/join", team.Join{Code: r.Code(), Pair: pair, Laptop: laptopOf(pair), Version: "v1"})
	s := &seated{room: r}
	if err := json.Unmarshal([]byte(body), &s.Joined); err != nil || status != http.StatusOK {
		r.t.Fatalf("joining: %d %s", status, body)
	}
	return s
}

func (s *seated) header() []string { return []string{"Authorization", "Bearer " + s.Token} }

// shine sends a verdict with the next number.
func (s *seated) shine(v team.Verdict) {
	s.room.t.Helper()
	s.next++
	v.Number = s.next
	if status, body := s.send(v); status != http.StatusNoContent {
		s.room.t.Fatalf("a verdict: %d %s", status, body)
	}
}

func (s *seated) send(v team.Verdict) (int, string) {
	s.room.t.Helper()
	return s.room.ask("POST", "/api/verdict", v, s.header()...)
}

// redAt is a verdict that is red at a step, of such code.
func redAt(step int, code string) team.Verdict {
	return team.Verdict{
		Kata: "idempotency", Light: team.Red, Step: step, Steps: 6, Passed: max(0, step-1), Race: true, Title: fmt.Sprintf("title of step %d", step),
		Failure: "the card was charged twice\nexpected once", Files: []team.File{{Name: "idempotency.go", Text: code}},
	}
}

// browser returns the cookie of a browser that has typed a code, as headers.
func (r *room) browser(code string) []string {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://"+r.host+"/enter", strings.NewReader(url.Values{"code": {code}}.Encode()))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	if len(answer.Cookies()) != 1 {
		text, _ := io.ReadAll(answer.Body)
		r.t.Fatalf("no cookie for the code: %s %s", answer.Status, text)
	}
	return []string{"Cookie", answer.Cookies()[0].Name + "=" + answer.Cookies()[0].Value}
}

// expect holds that a page is answered and shows texts.
func (r *room) expect(cookie []string, path string, texts ...string) string {
	r.t.Helper()
	status, body := r.ask("GET", path, nil, cookie...)
	if status != http.StatusOK {
		r.t.Fatalf("%s: %d %s", path, status, body)
	}
	for _, text := range texts {
		if !strings.Contains(body, text) {
			_, main, _ := strings.Cut(body, "<main")
			r.t.Errorf("%s does not show %q:\n%s", path, text, main)
		}
	}
	return body
}

// lastLight is the light that a pair gave last.
func (r *room) lastLight(s *seated) *light {
	r.mu.RLock()
	defer r.mu.RUnlock()
	lights := r.pairs[s.Pair-1].lights
	return lights[len(lights)-1]
}
