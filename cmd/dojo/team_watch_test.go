//go:build unix

package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
	"github.com/backend-kata/dojo/cmd/dojo/internal/teamclient/teamfake"
)

// awaitVerdicts waits until the server has so many, and returns them.
func awaitVerdicts(t *testing.T, s *teamfake.Server, n int) []team.Verdict {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if verdicts, _ := s.Got(); len(verdicts) >= n {
			return verdicts
		}
	}
	verdicts, _ := s.Got()
	t.Fatalf("after a minute the server has %d verdicts, want %d", len(verdicts), n)
	return nil
}

func TestWatchInATeam(t *testing.T) {
	server := teamfake.Start(t)
	server.Answer.Name = "Ada\x1b[2J"
	b := clone(t)
	b.body(t, "Second", "", "return 0")
	s := b.onScreen(t, 100, 30, "watch", "breaker")
	alone := s.await(t, "The second was expected to be 2, and is 0.", "q quit")
	if strings.Contains(alone, "team:") || strings.Contains(alone, "e expect") {
		t.Errorf("the clone is in no session, and watch speaks of one:\n%s", alone)
	}
	b.onScreen(t, 100, 30, "join", server.URL, "abcd1234").await(t, "You are in the session as blue circle Ada�[2J")
	s.await(t, "team: blue circle Ada�[2J · running", "e expect", "b mark")

	s.press(t, "e")
	s.await(t, "you expect green")
	s.press(t, "e")
	s.await(t, "you expect red")
	b.body(t, "First", "", "return 0")
	s.await(t, "step 1 of 4", "you expected red: right")
	s.press(t, "e")
	s.await(t, "you expect green")
	b.body(t, "First", "", "return one")
	s.await(t, "It does not compile", "you expected green, and it is amber")
	verdicts := awaitVerdicts(t, server, 2)
	if first, second := verdicts[0], verdicts[1]; first.Light != team.Red || first.Predicted != team.Red || first.Step != 1 ||
		second.Light != team.Amber || second.Predicted != team.Green || len(second.Files) != 1 || !strings.Contains(second.Files[0].Text, "return one") {
		t.Errorf("the server got %+v", verdicts)
	}

	s.press(t, "b")
	s.await(t, "This moment is marked for the retrospective.")
	server.Send("data: {\"Kind\":\"phase\",\"Text\":\"running\",\"Left\":90000}\n\n")
	s.await(t, "next driver in 1:")
	server.Send("data: {\"Kind\":\"turn\",\"N\":2,\"Left\":300000}\n\n")
	s.await(t, "turn 2: the driver changes; to another laptop: go tool dojo take", "next driver in 4:")
	server.Send("data: {\"Kind\":\"hint\",\"Kata\":\"breaker\",\"Step\":1,\"N\":2}\n\n")
	s.await(t, "From the facilitator, for all:", "hint 2 of 2", "It is one.")
	b.body(t, "First", "", "return 0")
	s.await(t, "step 1 of 4", "From the facilitator, for all:", "It is one.") // for who types just then, too
	b.body(t, "First", "", "return one")
	s.await(t, "It does not compile", "From the facilitator, for all:")
	server.Send("data: {\"Kind\":\"hint\",\"Kata\":\"breaker\",\"Step\":77,\"N\":2}\n\n")
	s.await(t, "step 77 of breaker, which this clone does not have")
	server.Send("data: {\"Kind\":\"reveal\",\"Kata\":\"../../etc\"}\n\n")
	s.await(t, "a kata that this clone does not have: ../../etc")
	server.Send("data: {\"Kind\":\"reveal\",\"Kata\":\"breaker\"}\n\n")
	s.await(t, "The reference of breaker, as the facilitator reveals it", "//go:build solutions", "func Second() int { return 2 }")
	s.press(t, "\x1b")
	s.await(t, "It does not compile", "q quit")

	server.Lock()
	server.Refuse = func(*http.Request) (int, string) { return http.StatusServiceUnavailable, "Not now." }
	server.Unlock()
	server.Drop()
	s.await(t, "the server is not heard")
	b.write(t, stub, goodStub)
	s.await(t, "complete", "1 wait to be sent")
	server.Lock()
	server.Refuse = nil
	server.Unlock()
	verdicts = awaitVerdicts(t, server, 5)
	if last := verdicts[4]; last.Light != team.Green || last.Predicted != "" {
		t.Errorf("after the network came back the server got %+v", last)
	}
	s.await(t, "· running")
	if text := s.text(); strings.Contains(text, "wait to be sent") {
		t.Errorf("all is sent, and watch says:\n%s", text)
	}

	b.onScreen(t, 100, 30, "leave").await(t, "This clone has left the session.")
	gone := s.awaits(t, func(flat string) bool { return !strings.Contains(flat, "team:") }, "no line of the team")
	if strings.Contains(gone, "e expect") {
		t.Errorf("the clone has left, and watch offers to predict:\n%s", gone)
	}
	s.quits(t)
	if _, moments := server.Got(); len(moments) != 1 || moments[0].Number == 0 {
		t.Errorf("one moment was marked, and the server has %+v", moments)
	}
}

func TestWatchSaysThatThePairWasRemoved(t *testing.T) {
	server := teamfake.Start(t)
	b := clone(t)
	s := b.onScreen(t, 80, 24, "watch", "breaker")
	b.onScreen(t, 80, 24, "join", server.URL, "abcd1234").await(t, "You are in the session")
	s.await(t, "team: blue circle Ada & Bob", "complete")
	server.Send("data: {\"Kind\":\"removed\"}\n\n")
	s.await(t, "team: you are no longer in the session: the facilitator removed this pair")
	s.quits(t)
	b.onScreen(t, 80, 24, "take").await(t, "this clone is in no session")
}
