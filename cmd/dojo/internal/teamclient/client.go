package teamclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

// A RefusalError is what the server says no with.
type RefusalError struct {
	Status   int
	Sentence string
}

func (r *RefusalError) Error() string { return r.Sentence }

// out reports whether the laptop has no place in the session any more.
func (r *RefusalError) out() bool {
	return r.Status == http.StatusUnauthorized || r.Status == http.StatusGone
}

// final reports whether what was sent would be refused each time.
func (r *RefusalError) final() bool {
	switch r.Status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// BaseOf makes the base of all addresses from what a person types: a host and a port, or an address with a scheme.
func BaseOf(address string) (string, error) {
	text := strings.TrimSuffix(strings.TrimSpace(address), "/")
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Hostname() == "", u.Scheme != "http" && u.Scheme != "https", u.Path != "", u.RawQuery != "", u.Fragment != "", u.User != nil:
		return "", fmt.Errorf("%q is not an address: type it as dojo serve printed it, such as 192.168.1.7:4242", clean(address, 80))
	case u.Port() == "" && u.Scheme == "http" && !strings.Contains(address, "://"):
		return "", fmt.Errorf("%s has no port: type the address as dojo serve printed it, such as %[1]s:4242", clean(u.Host, 80))
	}
	return u.Scheme + "://" + u.Host, nil
}

// direct goes to the server and nowhere else: a proxy would see the token, and no answer sends it elsewhere.
var direct = &http.Client{
	Transport: &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: 10 * time.Second,
		IdleConnTimeout:       time.Minute,
	},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Limits of what a server may answer.
const (
	maxSentence = 500         // bytes
	maxAnswer   = 8 << 20     // bytes of a state, whose code is escaped
	patience    = time.Minute // for all of a call but the stream of events
)

// Join asks for a place. A laptop that was there before names its token.
func Join(ctx context.Context, base, token string, ask team.Join) (team.Joined, error) {
	var j team.Joined
	if err := call(ctx, http.MethodPost, base+"/api/join", token, ask, &j); err != nil {
		return j, err
	}
	if j.Token == "" || len(j.Token) > 200 || strings.ContainsFunc(j.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return j, errors.New("the server's answer is not that of a team dojo: is the address right?")
	}
	j.Session, j.Key = clean(j.Session, team.MaxName), clean(j.Key, team.MaxName)
	j.Name = clean(j.Name, team.MaxName)
	j.Colour = team.Colour{Name: clean(j.Colour.Name, 20), Hex: clean(j.Colour.Hex, 7), Shape: clean(j.Colour.Shape, 20)}
	j.Ends = min(max(j.Ends, 0), team.SessionLife.Milliseconds())
	return j, nil
}

// Leave gives the place back.
func (s *Seat) Leave(ctx context.Context) error {
	return call(ctx, http.MethodPost, s.Address+"/api/leave", s.Token, nil, nil)
}

// State returns the pair's last saved code.
func (s *Seat) State(ctx context.Context) (team.State, error) {
	var state team.State
	err := call(ctx, http.MethodGet, s.Address+"/api/state", s.Token, nil, &state)
	return state, err
}

// call sends a body, if there is one, and reads the answer, if one is wanted.
func call(ctx context.Context, method, address, token string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var text []byte
	if body != nil {
		var err error
		if text, err = encode(body); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(text))
	if err != nil {
		return err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := request(r, token)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // it was read, or has failed before
	if answer == nil {
		_, _ = io.CopyN(io.Discard, response.Body, maxSentence) // so that the connection is used again
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(answer); err != nil {
		return fmt.Errorf("the server's answer is not that of a team dojo: %w", err)
	}
	return nil
}

// request returns an answer that is not a refusal.
func request(r *http.Request, token string) (*http.Response, error) {
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := direct.Do(r)
	if err != nil {
		return nil, unreachable(err)
	}
	if response.StatusCode/100 == 2 {
		return response, nil
	}
	defer response.Body.Close() //nolint:errcheck // it was read, or has failed before

	text, _ := io.ReadAll(io.LimitReader(response.Body, maxSentence)) // what was read of it
	sentence := clean(string(text), maxSentence)
	if sentence == "" || !strings.HasPrefix(response.Header.Get("Content-Type"), "text/plain") {
		sentence = "the team's server refused: " + http.StatusText(response.StatusCode)
	}
	return nil, &RefusalError{response.StatusCode, strings.TrimSuffix(sentence, ".")}
}

// clean makes a text from another laptop fit to be shown.
func clean(text string, most int) string { return team.Short(team.Clean(text), most) }

// unreachable says in a sentence why there is no answer.
func unreachable(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		host := e.URL
		if u, err := url.Parse(e.URL); err == nil {
			host = u.Host
		}
		if e.Timeout() {
			return fmt.Errorf("the team's server at %s does not answer in time: are both laptops in one network, and does a firewall stand between them? (%w)", host, e.Err)
		}
		return fmt.Errorf("the team's server at %s cannot be reached: %w", host, e.Err)
	}
	return err
}

// encode writes code as it is: escaping < and & would make it longer.
func encode(body any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		return nil, fmt.Errorf("putting a message for the team into words: %w", err)
	}
	return out.Bytes(), nil
}
