package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/deck"
	"github.com/backend-kata/dojo/cmd/dojo/internal/fsrs"
	"github.com/backend-kata/dojo/cmd/dojo/internal/terminal"
)

// A student is somebody who drills, on a day of their own.
type student struct {
	desk   *desk
	out    bytes.Buffer
	memory *memories
	now    time.Time
}

func newStudent(t *testing.T) *student {
	t.Helper()
	s := &student{memory: &memories{path: filepath.Join(t.TempDir(), "of mine", "cards.json"), cards: map[string]fsrs.Memory{}}, now: time.Date(2026, 11, 27, 20, 0, 0, 0, time.UTC)}
	s.desk = &desk{screen: &terminal.Screen{Writer: &s.out, Width: 80}}
	return s
}

var saga = []deck.Card{
	{ID: "saga", Question: "What is Saga pattern?", Answer: "A row of steps.", Number: "3 of 4"},
	{ID: "saga: Why?", Question: "Why?", Answer: "It blocks.", Seeks: "the in-doubt state"},
}

// types drills with what is typed, and returns what was printed.
func (s *student) types(t *testing.T, lines ...string) string {
	t.Helper()
	s.out.Reset()
	if err := s.memory.read(); err != nil {
		t.Fatal(err)
	}
	if err := s.desk.drill(t.Context(), strings.NewReader(strings.Join(lines, "\n")), saga, s.memory, func() time.Time { return s.now }); err != nil {
		t.Fatal(err)
	}
	return s.out.String()
}

func TestCardsAreAskedAndComeBack(t *testing.T) {
	s := newStudent(t)
	out := s.types(t, "", "3", "", "x", "1", "q")
	expect(t, out, "0 due, 2 new", "What is Saga pattern?", "Enter shows what to say", "A row of steps.", "The number: 3 of 4",
		"It comes back in 2 days.", "0 due, 1 new", "Looking for: the in-doubt state", "It comes back in 10 minutes.", "Nothing is due. The next card comes in 10 minutes.")
	if strings.Count(out, askRating) != 3 {
		t.Errorf("x is no rating, and the question for one was expected again:\n%s", out)
	}
	if i, j := strings.Index(out, "It blocks."), strings.LastIndex(out, askAnswer); i < j {
		t.Errorf("the answer was shown before it was asked for:\n%s", out)
	}
	s.now = s.now.Add(49 * time.Hour)
	out = s.types(t, "", "4", "", "4")
	expect(t, out, "2 due, 0 new", "Nothing is due")
	if strings.Index(out, "Why?") > strings.Index(out, "What is Saga pattern?") {
		t.Errorf("what is due longest was expected first:\n%s", out)
	}
}

func TestDrillEnds(t *testing.T) {
	s := newStudent(t)
	for _, typed := range [][]string{{"q"}, {"Q"}, {}, {"", "q"}, {""}} {
		if out := s.types(t, typed...); strings.Contains(out, "comes back") || !strings.Contains(out, "2 new") {
			t.Errorf("typed %q, and nothing was rated:\n%s", typed, out)
		}
	}
	if _, err := os.Stat(s.memory.path); err == nil {
		t.Error("nothing was rated, and a file was written")
	}
}

func TestDrillIsInterrupted(t *testing.T) {
	s := newStudent(t)
	silent, typist := io.Pipe()
	defer func() { _ = typist.Close() }()
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	if err := s.desk.drill(ctx, silent, saga, s.memory, func() time.Time { return s.now }); err != nil {
		t.Error(err)
	}
}

func TestAnotherTerminalRatesToo(t *testing.T) {
	s := newStudent(t)
	other := &memories{path: s.memory.path, cards: map[string]fsrs.Memory{}}
	for i, m := range []*memories{s.memory, other} {
		if _, err := m.rate(saga[i].ID, fsrs.Good, s.now); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, s.types(t), "Nothing is due. The next card comes in 2 days.")
}

func TestDamagedMemories(t *testing.T) {
	s := newStudent(t)
	if err := os.MkdirAll(filepath.Dir(s.memory.path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.memory.path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.memory.read(); err == nil || !strings.Contains(err.Error(), "is damaged, and was left alone; move it away to start again") {
		t.Errorf("a damaged file gives %v", err)
	}
	if _, err := s.memory.rate("saga", fsrs.Good, s.now); err == nil {
		t.Error("a damaged file was written over")
	}
	if err := os.WriteFile(s.memory.path, []byte(`{"saga": {"stability": 0, "seen": "2026-01-01T00:00:00Z"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, s.types(t, "q"), "0 due, 2 new")
}

func TestWhereRatingsCannotBeKept(t *testing.T) {
	s := newStudent(t)
	if err := os.WriteFile(filepath.Dir(s.memory.path), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.memory.rate("saga", fsrs.Good, s.now); err == nil || !strings.Contains(err.Error(), "cannot be") {
		t.Errorf("a file is where the folder should be, and rating gives %v", err)
	}
}

func TestWhen(t *testing.T) {
	now := time.Date(2026, 11, 27, 20, 0, 0, 0, time.UTC)
	for left, want := range map[time.Duration]string{
		-time.Hour: "in a minute", 10 * time.Minute: "in 10 minutes", 5 * time.Hour: "in 5 hours", 24 * time.Hour: "tomorrow", 49 * time.Hour: "in 2 days",
	} {
		if got := when(now.Add(left), now); got != want {
			t.Errorf("%v is %q, want %q", left, got, want)
		}
	}
}
