package teamserve

import (
	"bufio"
	"net/http"
	"strings"
	"time"
)

// An ear is a laptop's stream of events.
type ear struct {
	room  *room
	lines chan string
}

// listen opens a laptop's stream; last is the id of the last event that it got, if any.
func (r *room) listen(s *seated, last string) *ear {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+r.host+"/api/events", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.Token)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	answer, err := http.DefaultClient.Do(req) //nolint:bodyclose // at the test's end, below
	if err != nil || answer.StatusCode != http.StatusOK {
		r.t.Fatal(answer, err)
	}
	e := &ear{r, make(chan string, 1000)}
	go func() {
		defer close(e.lines)
		for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
			e.lines <- lines.Text()
		}
	}()
	r.t.Cleanup(func() { answer.Body.Close() })
	return e
}

// expect waits for a line that holds a text.
func (e *ear) expect(text string) string {
	e.room.t.Helper()
	late := time.After(time.Minute)
	var heard []string
	for {
		select {
		case line, open := <-e.lines:
			if strings.Contains(line, text) {
				return line
			}
			if heard = append(heard, line); open {
				continue
			}
		case <-late:
		}
		e.room.t.Fatalf("%s never came, but:\n%s", text, strings.Join(heard, "\n"))
	}
}

// ends waits until the server has closed the stream.
func (e *ear) ends() {
	e.room.t.Helper()
	late := time.After(time.Minute)
	for {
		select {
		case _, open := <-e.lines:
			if !open {
				return
			}
		case <-late:
			e.room.t.Fatal("the stream goes on")
		}
	}
}
