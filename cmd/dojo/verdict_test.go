package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// However small the screen is, one line says how many are cut, and is right.
func TestSheetSaysOnceWhatItCuts(t *testing.T) {
	lines := func(name string, n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf("%s %d", name, i))
		}
		return all
	}
	s := sheet{
		head: "head", strip: lines("strip", 1), title: lines("title", 3), more: lines("comment", 2),
		failure: lines("failure", 28), places: lines("place", 5), notes: lines("note", 2),
	}
	short := s
	short.more = nil // gives way first
	for height := 2; height < 60; height++ {
		got := s.fit(height, "… %d more lines")
		whole := len(short.with(s.failure))
		if slices.Contains(got, "comment 0") {
			whole = len(s.with(s.failure))
		}
		cut, counts := 0, 0
		for _, line := range got {
			if strings.HasPrefix(line, "…") {
				counts++
				_, _ = fmt.Sscanf(line, "… %d", &cut)
			}
		}
		if len(got) > height || counts > 1 || len(got)-counts+cut != whole {
			t.Errorf("a sheet of %d lines in %d rows: %d counts, which say that %d are cut:\n%s", whole, height, counts, cut, strings.Join(got, "\n"))
		}
	}
}

// On a narrow screen the question has the room of the state, which the symbol says.
func TestBoardOfANarrowScreen(t *testing.T) {
	b := clone(t)
	k, err := b.desk.book.Kata("breaker")
	if err != nil {
		t.Fatal(err)
	}
	b.desk.screen.Width = 40
	if text := b.desk.rowText(row{kata: k}); !strings.Contains(text, "What is") || strings.Contains(text, "\n") {
		t.Errorf("a row of the board at 40 columns: %q", text)
	}
}
