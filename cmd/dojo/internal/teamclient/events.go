package teamclient

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

// silence is how long the stream may say nothing: the server sends a comment every 15 s.
const silence = 45 * time.Second

// maxLine is how long a line of the stream may be. An event is a kind, a kata and numbers.
const maxLine = 8 << 10

// A stream is what is known of the session's events while a laptop connects again and again.
type stream struct {
	seat *Seat
	last string // the identity of the last event that has one
}

// listen passes on what the session says until the connection ends, and always returns why it did. It calls
// connected once there is one. What was missed since the last connection comes first.
func (s *stream) listen(ctx context.Context, connected func(), each func(team.Event)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.seat.Address+"/api/events", nil)
	if err != nil {
		return err
	}
	if s.last != "" {
		r.Header.Set("Last-Event-ID", s.last)
	}
	response, err := request(r, s.seat.Token)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // it was read, or has failed before
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		return errors.New("the server's answer is not that of a team dojo")
	}
	connected()
	quiet := time.AfterFunc(silence, func() { cancel(errors.New("the team's server fell silent")) })
	defer quiet.Stop()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(make([]byte, 0, 1<<10), maxLine)
	for lines.Scan() {
		quiet.Reset(silence)
		name, value, _ := strings.Cut(lines.Text(), ":") // a comment has no name
		switch value = strings.TrimPrefix(value, " "); name {
		case "id":
			if !strings.ContainsFunc(value, func(r rune) bool { return r < '0' || r > '9' }) && len(value) < 20 {
				s.last = value
			}
		case "data":
			if e, ok := eventOf(value); ok {
				each(e)
			}
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("the connection to the team's server broke: %w", err)
	}
	return errors.New("the team's server ended the connection")
}

// eventOf reads an event, and leaves out what is of no known kind or has impossible numbers.
func eventOf(data string) (team.Event, bool) {
	var e team.Event
	if json.Unmarshal([]byte(data), &e) != nil {
		return e, false
	}
	switch e.Kind {
	case team.Phase, team.Turn, team.HintAll, team.Reveal, team.Removed:
	default:
		return e, false
	}
	e.Text, e.Kata = clean(e.Text, team.MaxText), clean(e.Kata, team.MaxName)
	e.Left = min(max(e.Left, 0), team.SessionLife.Milliseconds())
	return e, e.Step >= 0 && e.Step < 1000 && e.N >= 0 && e.N < 100_000
}
