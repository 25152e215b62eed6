package teamclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
	"github.com/backend-kata/dojo/cmd/dojo/internal/teamclient/teamfake"
)

// seated joins a fake server's session.
func seated(t *testing.T) (*teamfake.Server, *Folder, *Seat) {
	t.Helper()
	s := teamfake.Start(t)
	f := At(t.TempDir(), filepath.Join("home", "ada", "dojo"))
	joined, err := Join(t.Context(), s.URL, "", team.Join{Code: teamfake.Code, Pair: "Ada & Bob", Laptop: "L1"})
	if err != nil {
		t.Fatal(err)
	}
	seat := Seat{Address: s.URL, Laptop: "L1", Until: time.Now().Add(time.Hour), Joined: joined}
	if err := f.Sit(seat); err != nil {
		t.Fatal(err)
	}
	return s, f, &seat
}

// another is the folder as another process has it.
func another(f *Folder) *Folder { return &Folder{dir: f.dir, judged: map[int]time.Time{}} }

func TestASeatIsKept(t *testing.T) {
	_, f, seat := seated(t)
	again := another(f)
	got, err := again.Seat()
	if err != nil || got == nil || got.Token != "token-1" || got.Name != "Ada & Bob" || got.Address != seat.Address {
		t.Errorf("another process finds the seat %+v, %v; want that of the first", got, err)
	}
	info, err := os.Stat(f.dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder with the token is %v, %v; want one for its owner alone", info.Mode(), err)
	}
	over := *seat
	over.Until = time.Now().Add(-time.Second)
	if err := f.Sit(over); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Seat(); got != nil || err != nil {
		t.Errorf("the session is over, and the seat is %+v, %v; want none", got, err)
	}
	if err := os.WriteFile(f.seatFile(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seat(); err == nil || !strings.Contains(err.Error(), "go tool dojo leave removes it") {
		t.Errorf("a damaged seat gives the error %v; want what to do", err)
	}
}

func TestAddresses(t *testing.T) {
	for typed, want := range map[string]string{
		"192.168.1.7:4242":          "http://192.168.1.7:4242",
		"http://laptop.local:4242/": "http://laptop.local:4242",
		"[fe80::1]:4242":            "http://[fe80::1]:4242",
		"https://dojo.example":      "https://dojo.example",
		"laptop.local":              "",
		"file:///etc/passwd":        "",
		"http://a:b@host:4242":      "",
		"host:4242/board?x=1":       "",
		"":                          "",
	} {
		got, err := BaseOf(typed)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q is taken for %q, %v; want %q", typed, got, err, want)
		}
	}
}

func TestJoinIsRefused(t *testing.T) {
	s := teamfake.Start(t)
	_, err := Join(t.Context(), s.URL, "", team.Join{Code: "WRONG"})
	if err == nil || err.Error() != "That is not the session's code" {
		t.Errorf("a wrong code gives %v; want the server's sentence", err)
	}
	hostile := []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"escapes", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no\x1b[2J\x1b]0;mine\x07"+strings.Repeat("x", 5000), http.StatusForbidden)
		}, "no�[2J�]0;mine�xxx"},
		{"a page", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, "<html>")
		}, "the team's server refused: Not Found"},
		{"elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusTemporaryRedirect)
		}, "the team's server refused: Temporary Redirect"},
		{"no token", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }, "not that of a team dojo"},
		{"a token of two lines", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"Token":"a\r\nX-Evil: 1"}`) }, "not that of a team dojo"},
		{"no JSON", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }, "not that of a team dojo"},
	}
	for _, h := range hostile {
		t.Run(h.name, func(t *testing.T) {
			server := httptest.NewServer(h.answer)
			defer server.Close()
			_, err := Join(t.Context(), server.URL, "secret", team.Join{})
			if err == nil || !strings.Contains(err.Error(), h.want) || strings.Contains(err.Error(), "\x1b") || len(err.Error()) > 700 {
				t.Errorf("the error is %q; want %q in one short line", err, h.want)
			}
		})
	}
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	_, err = Join(t.Context(), "http://"+nobody.Addr().String(), "", team.Join{})
	if err == nil || !strings.HasPrefix(err.Error(), "the team's server at "+nobody.Addr().String()+" cannot be reached") {
		t.Errorf("where nobody listens the error is %v", err)
	}
}

func TestWhatIsJoinedIsCleaned(t *testing.T) {
	s := teamfake.Start(t)
	s.Answer.Name, s.Answer.Ends = "\x1b[31mred", (99 * time.Hour).Milliseconds()
	joined, err := Join(t.Context(), s.URL, "", team.Join{Code: teamfake.Code})
	if err != nil || strings.Contains(joined.Name, "\x1b") || joined.Ends != team.SessionLife.Milliseconds() {
		t.Errorf("joined as %q for %d ms, %v; want no escapes, and 12 hours at most", joined.Name, joined.Ends, err)
	}
}

func TestNumbersAreTakenOnce(t *testing.T) {
	s, f, seat := seated(t)
	const processes, each = 4, 25
	var all sync.WaitGroup
	for range processes {
		all.Go(func() {
			mine := another(f)
			for range each {
				if err := mine.QueueVerdict(seat, team.Verdict{Kata: "breaker"}); err != nil {
					t.Error(err)
				}
				if err := mine.Send(t.Context(), seat); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := f.Send(t.Context(), seat); err != nil {
		t.Fatal(err)
	}
	verdicts, _ := s.Got()
	var numbers []int
	for _, v := range verdicts {
		numbers = append(numbers, v.Number)
	}
	slices.Sort(numbers)
	if numbers = slices.Compact(numbers); len(numbers) != processes*each { // one may be sent twice, and the server takes it once
		t.Errorf("%d verdicts were queued, and the server knows %d numbers", processes*each, len(numbers))
	}
	entries, err := os.ReadDir(f.queueDir())
	if err != nil || f.Waiting() != 0 || len(entries) > processes {
		t.Errorf("all is sent, and %d wait in %d files, %v", f.Waiting(), len(entries), err)
	}
}

func TestTheQueueOutlivesServerAndProcess(t *testing.T) {
	s, f, seat := seated(t)
	s.Refuse = func(*http.Request) (int, string) { return http.StatusInsufficientStorage, "The disk is full." }
	for _, kata := range []string{"a", "b"} {
		if err := f.QueueVerdict(seat, team.Verdict{Kata: kata}); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.QueueMoment(seat, "we saw it"); err != nil {
		t.Fatal(err)
	}
	if err := f.Send(t.Context(), seat); err == nil || f.Waiting() != 3 {
		t.Errorf("the server's disk is full: the error is %v, and %d wait; want 3", err, f.Waiting())
	}
	s.Lock()
	s.Refuse = nil
	s.Unlock()
	after := another(f) // another process, after a crash
	text, err := os.ReadFile(after.messageFile(1))
	if err != nil {
		t.Fatal(err)
	}
	hourAgo := strings.Replace(string(text), fmt.Sprintf(`"Judged":%d`, judgedOf(t, string(text))), fmt.Sprintf(`"Judged":%d`, time.Now().Add(-time.Hour).UnixMilli()), 1)
	if err := os.WriteFile(after.messageFile(1), []byte(hourAgo), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := after.Send(t.Context(), seat); err != nil {
		t.Fatal(err)
	}
	verdicts, moments := s.Got()
	if len(verdicts) != 2 || verdicts[0].Kata != "a" || verdicts[0].Number != 1 || verdicts[1].Number != 2 || len(moments) != 1 || moments[0].Number != 3 || moments[0].Note != "we saw it" {
		t.Fatalf("the server got %+v and %+v; want two verdicts and a moment in order", verdicts, moments)
	}
	if ago := time.Duration(verdicts[0].Ago) * time.Millisecond; ago < time.Hour || ago > time.Hour+time.Minute {
		t.Errorf("judged an hour ago, and sent as %v ago", ago)
	}
	if err := after.QueueVerdict(seat, team.Verdict{}); err != nil {
		t.Fatal(err)
	}
	if err := after.Send(t.Context(), seat); err != nil {
		t.Fatal(err)
	}
	if verdicts, _ := s.Got(); verdicts[2].Number != 4 {
		t.Errorf("after all was sent, the next number is %d; want 4", verdicts[2].Number)
	}
}

func judgedOf(t *testing.T, text string) int64 {
	t.Helper()
	var judged int64
	_, after, _ := strings.Cut(text, `"Judged":`)
	if _, err := fmt.Sscan(strings.SplitN(after, ",", 2)[0], &judged); err != nil {
		t.Fatal(err)
	}
	return judged
}

func TestAClockThatIsSetChangesNoTime(t *testing.T) {
	_, f, seat := seated(t)
	if err := f.QueueVerdict(seat, team.Verdict{}); err != nil {
		t.Fatal(err)
	}
	hour := time.Hour.Milliseconds()
	if got := f.elapsed(1, time.Now().UnixMilli()+hour); got > time.Minute || got < 0 {
		t.Errorf("the clock was set back by an hour, and the verdict is %v old", got)
	}
	if got := another(f).elapsed(1, time.Now().UnixMilli()+hour); got != 0 {
		t.Errorf("likewise in another process, and the verdict is %v old; want 0", got)
	}
}

func TestWhatTheServerRefuses(t *testing.T) {
	s, f, seat := seated(t)
	queue := func(v team.Verdict) {
		t.Helper()
		if err := f.QueueVerdict(seat, v); err != nil {
			t.Fatal(err)
		}
	}
	first := true
	s.Refuse = func(r *http.Request) (int, string) {
		if r.URL.Path == "/api/verdict" && first {
			first = false
			return http.StatusBadRequest, "There is no such kata."
		}
		return 0, ""
	}
	queue(team.Verdict{Kata: "bad"})
	queue(team.Verdict{Kata: "good"})
	err := f.Send(t.Context(), seat)
	if verdicts, _ := s.Got(); err == nil || !strings.Contains(err.Error(), "There is no such kata") || len(verdicts) != 1 || verdicts[0].Kata != "good" || f.Waiting() != 0 {
		t.Errorf("one verdict is refused for good: %v, then %+v came, and %d wait", err, verdicts, f.Waiting())
	}
	s.Lock()
	s.Refuse = func(r *http.Request) (int, string) {
		if r.ContentLength > 1000 {
			return http.StatusRequestEntityTooLarge, "Too large."
		}
		return 0, ""
	}
	s.Unlock()
	queue(team.Verdict{Kata: "large", Files: []team.File{{Name: "x.go", Text: strings.Repeat("x", 2000)}}})
	if err := f.Send(t.Context(), seat); err != nil {
		t.Error(err)
	}
	if verdicts, _ := s.Got(); len(verdicts) != 2 || verdicts[1].Kata != "large" || verdicts[1].Files != nil {
		t.Errorf("a verdict whose code is too large was expected without it, and the server has %+v", verdicts)
	}
	s.Lock()
	s.Refuse = func(*http.Request) (int, string) { return http.StatusGone, "The session has ended." }
	s.Unlock()
	queue(team.Verdict{})
	err = f.Send(t.Context(), seat)
	if seat, _ := f.Seat(); err == nil || err.Error() != "The session has ended" || seat != nil {
		t.Errorf("the session has ended: the error is %v, and the seat %+v; want none", err, seat)
	}
}

func TestAnotherSessionGetsNothingOfTheFirst(t *testing.T) {
	s, f, seat := seated(t)
	if err := f.QueueVerdict(seat, team.Verdict{Kata: "old"}); err != nil {
		t.Fatal(err)
	}
	other := *seat
	other.Session = "two"
	if err := f.Sit(other); err != nil {
		t.Fatal(err)
	}
	if err := f.QueueVerdict(&other, team.Verdict{Kata: "new"}); err != nil {
		t.Fatal(err)
	}
	if err := f.Send(t.Context(), &other); err != nil {
		t.Fatal(err)
	}
	if verdicts, _ := s.Got(); len(verdicts) != 1 || verdicts[0].Kata != "new" {
		t.Errorf("the second session got %+v; want its own verdict alone", verdicts)
	}
}

// told collects what a member tells.
type told struct {
	mu     sync.Mutex
	status Status
	events []team.Event
}

// member runs one until the test ends.
func member(t *testing.T, f *Folder) (*told, *Member) {
	t.Helper()
	got := &told{}
	m := NewMember(f, func(now Status, e *team.Event) {
		got.mu.Lock()
		defer got.mu.Unlock()
		got.status = now
		if e != nil {
			got.events = append(got.events, *e)
		}
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); m.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Error("the member still runs ten seconds after its end")
		}
	})
	return got, m
}

func (g *told) await(t *testing.T, what string, is func(Status, []team.Event) bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		g.mu.Lock()
		ok := is(g.status, g.events)
		g.mu.Unlock()
		if ok {
			return
		}
	}
	t.Fatalf("after 20 s %s was expected, and there is %+v with %+v", what, g.status, g.events)
}

func TestAMemberSendsAndHears(t *testing.T) {
	s, f, seat := seated(t)
	got, m := member(t, f)
	got.await(t, "a session that runs", func(now Status, _ []team.Event) bool { return now.Online && now.Phase == "running" })
	if err := f.QueueVerdict(seat, team.Verdict{Kata: "breaker"}); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	m.Wake()
	got.await(t, "the verdict at the server", func(Status, []team.Event) bool { v, _ := s.Got(); return len(v) == 1 })
	if took := time.Since(start); took > time.Second/2 {
		t.Errorf("from verdict to server it took %v", took)
	}
	s.Send(": a comment\n\nid: 7\ndata: {\"Kind\":\"turn\",\"N\":2,\"Left\":60000}\n\n")
	s.Send("data: {\"Kind\":\"run\",\"Text\":\"rm -rf\"}\n\ndata: {nonsense\n\ndata: {\"Kind\":\"hint\",\"N\":-1}\n\n")
	s.Send("data:{\"Kind\":\"hint\",\"Kata\":\"bre\\u001b[2Jaker\",\"Step\":1,\"N\":1}\n\n")
	got.await(t, "a turn and a hint, and nothing else", func(now Status, events []team.Event) bool {
		return len(events) == 3 && events[1].N == 2 && time.Until(now.Turn) > 50*time.Second && events[2].Kata == "bre�[2Jaker"
	})
	s.Drop()
	got.await(t, "another connection", func(now Status, events []team.Event) bool { return len(events) == 4 && now.Online })
	s.Lock()
	if last := s.Lasts[len(s.Lasts)-1]; last != "7" {
		t.Errorf("connected again after event 7, and asked for what follows %q", last)
	}
	s.Unlock()
	s.Send("data: {\"Kind\":\"removed\"}\n\n")
	got.await(t, "no seat", func(now Status, _ []team.Event) bool {
		return now.Seat == nil && now.Left == "the facilitator removed this pair"
	})
}

func TestAMemberTakesUpWhatOthersDo(t *testing.T) {
	s, f, seat := seated(t)
	if err := f.Leave(); err != nil {
		t.Fatal(err)
	}
	got, _ := member(t, f)
	if err := f.Sit(*seat); err != nil { // dojo join in another terminal
		t.Fatal(err)
	}
	got.await(t, "the seat", func(now Status, _ []team.Event) bool { return now.Online })
	if err := f.QueueMoment(seat, ""); err != nil { // by dojo moment, which could not send it
		t.Fatal(err)
	}
	got.await(t, "the moment at the server", func(Status, []team.Event) bool { _, m := s.Got(); return len(m) == 1 })
	if err := f.Leave(); err != nil {
		t.Fatal(err)
	}
	got.await(t, "no seat", func(now Status, _ []team.Event) bool { return now.Seat == nil && now.Left == "" })
}

func TestASessionEnds(t *testing.T) {
	s, f, seat := seated(t)
	got, _ := member(t, f)
	got.await(t, "a session that runs", func(now Status, _ []team.Event) bool { return now.Online })
	if err := f.QueueMoment(seat, "the last"); err != nil {
		t.Fatal(err)
	}
	s.Send("data: {\"Kind\":\"phase\",\"Text\":\"ended\"}\n\n")
	got.await(t, "no seat", func(now Status, _ []team.Event) bool { return now.Seat == nil && now.Left == "it has ended" })
	if _, moments := s.Got(); len(moments) != 1 {
		t.Errorf("what was marked before the end was expected at the server, which has %+v", moments)
	}
}

func TestAMemberWaitsForTheServer(t *testing.T) {
	s, f, seat := seated(t)
	down := true
	s.Refuse = func(*http.Request) (int, string) {
		if down {
			return http.StatusServiceUnavailable, "Not now."
		}
		return 0, ""
	}
	got, m := member(t, f)
	if err := f.QueueVerdict(seat, team.Verdict{}); err != nil {
		t.Fatal(err)
	}
	m.Wake()
	got.await(t, "a verdict that waits", func(now Status, _ []team.Event) bool {
		return !now.Online && now.Waiting == 1 && now.Problem == "Not now"
	})
	s.Lock()
	down = false
	s.Unlock()
	got.await(t, "all sent", func(now Status, _ []team.Event) bool { return now.Online && now.Waiting == 0 && now.Problem == "" })
	s.Lock()
	s.Answer.Token = "another" // the server was started again
	s.Unlock()
	s.Drop()
	got.await(t, "no seat", func(now Status, _ []team.Event) bool {
		return now.Seat == nil && strings.Contains(now.Left, "No laptop of this session")
	})
}

func TestAStreamOfOneEndlessLine(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	err := (&stream{seat: &Seat{Address: server.URL}}).listen(t.Context(), func() {}, func(team.Event) {})
	if err == nil || errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "token too long") {
		t.Errorf("a line without end ends with %v; want that it is too long", err)
	}
}
