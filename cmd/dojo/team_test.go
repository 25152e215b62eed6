package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
	"github.com/backend-kata/dojo/cmd/dojo/internal/teamclient/teamfake"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// joins takes the bench's clone into the session of a fake server, and returns what join says.
func (b *bench) joins(t *testing.T, s *teamfake.Server, pair ...string) string {
	t.Helper()
	b.out.Reset()
	if err := (joinCommand{Address: s.URL, Code: "abcd-1234", Pair: pair}).Run(t.Context(), b.desk); err != nil {
		t.Fatal(err)
	}
	return b.out.String()
}

// flat is what a command printed, line breaks aside.
func (b *bench) flat() string { return strings.Join(strings.Fields(b.out.String()), " ") }

func TestTestReportsToTheTeam(t *testing.T) {
	s := teamfake.Start(t)
	b := clone(t)
	b.write(t, "solutions/breaker/mistakes/zero.patch", "Title: forget the second\nBreaks: nothing\nCaught-by: TestSecond\nSymptom: expected to be 2, and is 0\n\n--- a/x\n+++ b/x\n")
	b.test(t)
	if verdicts, _ := s.Got(); len(verdicts) > 0 {
		t.Fatalf("before it joined, the clone reported %+v", verdicts)
	}
	b.joins(t, s, "Ada", "&", "Bob")
	expect(t, b.flat(), "You are in the session as blue circle Ada & Bob, until", "your .go files of that kata", "over plain HTTP",
		"go tool dojo join --key K3Y4 "+s.URL+" abcd-1234 'Ada & Bob'", "go tool dojo leave")
	if len(s.Joins) != 1 || s.Joins[0].Pair != "Ada & Bob" || len(s.Joins[0].Laptop) < 16 || s.Joins[0].Code != teamfake.Code {
		t.Errorf("the server was asked for %+v", s.Joins)
	}
	b.body(t, "Second", "", "return 0")
	b.write(t, "kata/breaker/extra.go", workbook.BuildLine+"\n\npackage breaker\n")
	expect(t, b.test(t), "step 2 of 4", "Reported to the team as blue circle Ada & Bob.")
	b.body(t, "Second", "", "return two")
	b.test(t)
	b.body(t, "Second", "", "ch := make(chan int)\nreturn <-ch")
	b.test(t)
	b.body(t, "Second", "", "for {\n}")
	b.test(t)
	b.body(t, "Second", "", "println(\"\\x1b[2J\")\npanic(\"\\x1b[31mred\")")
	b.test(t)
	b.write(t, stub, goodStub)
	b.test(t)
	b.write(t, "kata/breaker/breaker_test.go", tests+"\n// mine\n")
	b.test(t)

	verdicts, _ := s.Got()
	want := []team.Verdict{
		{Light: team.Red, Step: 2, Title: "The second is two.", Passed: 3, Mistake: "forget the second", Failure: "The second was expected to be 2, and is 0."},
		{Light: team.Amber, Reason: team.NotBuilt, Failure: "It does not compile:"},
		{Light: team.Amber, Reason: team.Blocked, Step: 2, Passed: 3, Failure: "goroutine"},
		{Light: team.Amber, Reason: team.NoEnd, Step: 2, Passed: 3, Failure: "did not end within"},
		{Light: team.Red, Step: 2, Passed: 3, Failure: "It panicked"},
		{Light: team.Green, Passed: 4},
		{Light: team.Green, Passed: 4, Altered: true},
	}
	if len(verdicts) != len(want) {
		t.Fatalf("%d verdicts came, want %d: %+v", len(verdicts), len(want), verdicts)
	}
	for i, w := range want {
		got := verdicts[i]
		if got.Number != i+1 || got.Kata != "breaker" || got.Light != w.Light || got.Reason != w.Reason || got.Step != w.Step || got.Steps != 4 ||
			got.Passed != w.Passed || got.Mistake != w.Mistake || got.Altered != w.Altered || !got.Race || !strings.Contains(got.Failure, w.Failure) ||
			w.Title != "" && got.Title != w.Title || got.Ago > time.Minute.Milliseconds() || strings.Contains(got.Failure, "\x1b") {
			t.Errorf("verdict %d is\n%+v, want\n%+v", i+1, got, w)
		}
	}
	mine, err := os.ReadFile(filepath.Join(b.root, stub))
	if err != nil {
		t.Fatal(err)
	}
	if files := verdicts[5].Files; len(files) != 2 || files[0] != (team.File{Name: "breaker.go", Text: string(mine)}) || files[1].Name != "extra.go" {
		t.Errorf("the code of the green verdict is %+v", files)
	}
}

func TestWithoutTheServerVerdictsWait(t *testing.T) {
	s := teamfake.Start(t)
	b := clone(t)
	b.joins(t, s)
	s.Lock()
	s.Refuse = func(*http.Request) (int, string) { return http.StatusServiceUnavailable, "Not now." }
	s.Unlock()
	b.test(t)
	expect(t, b.flat(), "complete", "Not now; a message waits, and is sent later")
	b.out.Reset()
	if err := (momentCommand{Note: []string{"green", "at", "last"}}).Run(t.Context(), b.desk); err != nil {
		t.Fatal(err)
	}
	expect(t, b.flat(), "Marked; 2 messages wait, and are sent later.")
	s.Lock()
	s.Refuse = nil
	s.Unlock()
	b.test(t)
	verdicts, moments := s.Got()
	if len(verdicts) != 2 || verdicts[0].Number != 1 || verdicts[1].Number != 3 || len(moments) != 1 || moments[0].Number != 2 || moments[0].Note != "green at last" {
		t.Errorf("after the server came back it has %+v and %+v", verdicts, moments)
	}
	b.out.Reset()
	if err := (testCommand{Kata: "breaker", JSON: true}).Run(t.Context(), b.desk); err != nil {
		t.Fatal(err)
	}
	if verdicts, _ := s.Got(); len(verdicts) != 3 || strings.Contains(b.out.String(), "eported") {
		t.Errorf("with --json a verdict is reported in silence; the server has %d, and printed was\n%s", len(verdicts), b.out.String())
	}
}

func TestJoinAgainAndLeave(t *testing.T) {
	s := teamfake.Start(t)
	b := clone(t)
	for _, c := range []struct {
		command joinCommand
		want    string
	}{
		{joinCommand{Address: s.URL, Code: "short"}, "has not 8 letters and digits"},
		{joinCommand{Address: s.URL, Code: "ZZZZ-ZZZZ"}, "That is not the session's code"},
		{joinCommand{Address: "somewhere", Code: teamfake.Code}, "has no port"},
	} {
		if err := c.command.Run(t.Context(), b.desk); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("join %+v gives %v, want %q", c.command, err, c.want)
		}
	}
	for _, command := range []interface {
		Run(ctx context.Context, d *desk) error
	}{takeCommand{}, momentCommand{}} {
		if err := command.Run(t.Context(), b.desk); err == nil || !strings.Contains(err.Error(), "this clone is in no session: go tool dojo join") {
			t.Errorf("without a session %T gives %v", command, err)
		}
	}
	s.Answer.Same = false
	expect(t, strings.Join(strings.Fields(b.joins(t, s, "first")), " "), "of another version than the server's", "From now on, watch and test")
	if out := b.joins(t, s); strings.Contains(out, "From now on, watch and test") {
		t.Errorf("joined again, and what is sent is told again:\n%s", out)
	}
	other := joinCommand{Address: s.URL, Code: teamfake.Code, Pair: []string{"Eve"}}
	if err := other.Run(t.Context(), b.desk); err == nil || !strings.Contains(err.Error(), "this clone is in the session as Ada & Bob: go tool dojo leave") {
		t.Errorf("joined as another pair, it gives %v", err)
	}
	if len(s.Joins) != 3 || s.Joins[0].Laptop != s.Joins[1].Laptop || s.Joins[1].Pair != "Ada & Bob" {
		t.Errorf("joined again as %+v; want the same laptop, in the pair it is in", s.Joins)
	}
	b.out.Reset()
	for range 2 {
		if err := (leaveCommand{}).Run(t.Context(), b.desk); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, b.flat(), "This clone has left the session.", "This clone is in no session.")
	if seat, err := b.desk.seats().Seat(); seat != nil || err != nil || s.Left != 1 {
		t.Errorf("after leave the seat is %+v, %v, and the server was told %d times", seat, err, s.Left)
	}
}

func TestTakeKeepsWhatWasThere(t *testing.T) {
	s := teamfake.Start(t)
	b := clone(t)
	b.joins(t, s)
	take := func() error {
		b.out.Reset()
		return takeCommand{}.Run(t.Context(), b.desk)
	}
	if err := take(); err == nil || err.Error() != "Your pair has saved nothing yet" {
		t.Errorf("before the first verdict take gives %v", err)
	}
	theirs := strings.Replace(goodStub, "return 2", "return 1 + 1", 1)
	s.Lock()
	s.State = &team.State{Kata: "breaker", By: "\x1b[2Jthe other laptop", Ago: 120_000, Files: []team.File{{Name: "breaker.go", Text: theirs}, {Name: "theirs.go", Text: "package breaker\n"}}}
	s.Unlock()
	b.write(t, "kata/breaker/mine.go", "package breaker // mine\n")
	if err := take(); err != nil {
		t.Fatal(err)
	}
	expect(t, b.flat(), "kata/breaker is as your pair saved it on the other laptop, 2 minutes ago:", "kata/breaker/theirs.go", "Yours is kept in kata/breaker/.kept/")
	got, err := os.ReadFile(filepath.Join(b.root, stub))
	if err != nil || string(got) != theirs {
		t.Errorf("after take the stub is %q, %v", got, err)
	}
	if _, err := os.Stat(filepath.Join(b.root, "kata/breaker/mine.go")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("mine.go would be built with the pair's code, and is still there: %v", err)
	}
	for name, want := range map[string]string{"breaker.go": goodStub, "mine.go": "package breaker // mine\n"} {
		kept, _ := filepath.Glob(filepath.Join(b.root, "kata", "breaker", ".kept", "*", name))
		if len(kept) != 1 {
			t.Fatalf("%s was expected to be kept aside once: %v", name, kept)
		}
		if text, err := os.ReadFile(kept[0]); err != nil || string(text) != want {
			t.Errorf("kept as %s is %q, %v", name, text, err)
		}
	}
	if err := take(); err != nil || !strings.Contains(b.out.String(), "Your kata/breaker is as your pair saved it.") {
		t.Errorf("taken again: %v, %s", err, b.out.String())
	}
	for kata, want := range map[string]string{"../breaker": "a kata that this clone does not have", "BREAKER": "does not have", "8\x1b[2J": "does not have"} {
		s.Lock()
		s.State.Kata = kata
		s.Unlock()
		if err := take(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("a state of kata %q gives %v", kata, err)
		}
	}
	s.Lock()
	s.State.Kata, s.State.Files[1].Name = "breaker", "../../evil.go"
	s.Unlock()
	if err := take(); err == nil || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("a path that climbs gives %v", err)
	}
	kept, _ := filepath.Glob(filepath.Join(b.root, "kata", "breaker", ".kept", "*"))
	if len(kept) != 1 {
		t.Errorf("takes that changed nothing kept %d states aside, want the first alone", len(kept))
	}
}
