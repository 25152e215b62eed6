package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/deck"
	"github.com/backend-kata/dojo/cmd/dojo/internal/fsrs"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// memories is what is known of the learner and the cards. It is kept in the user's
// own folder, since it is not of this clone.
type memories struct {
	path  string
	cards map[string]fsrs.Memory
}

func openMemories() (*memories, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return nil, fmt.Errorf("there is no folder of yours to keep what you know in: %w", err)
	}
	m := &memories{path: filepath.Join(dir, "dojo", "cards.json")}
	return m, m.read()
}

func (m *memories) read() error {
	m.cards = map[string]fsrs.Memory{}
	text, err := os.ReadFile(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("what you know of the cards cannot be read: %w", err)
	}
	if err := json.Unmarshal(text, &m.cards); err != nil {
		return fmt.Errorf("%s is damaged, and was left alone; move it away to start again: %w", m.path, err)
	}
	maps.DeleteFunc(m.cards, func(_ string, of fsrs.Memory) bool { return of.New() || !(of.Stability > 0) })
	return nil
}

// next returns the card that is due longest, or else the first new one; and how many
// there are of either.
func (m *memories) next(cards []deck.Card, now time.Time) (next *deck.Card, due, unseen int) {
	var fresh *deck.Card
	for i := range cards {
		known := m.cards[cards[i].ID]
		switch {
		case known.New():
			unseen++
			if fresh == nil {
				fresh = &cards[i]
			}
		case !known.Due.After(now):
			due++
			if next == nil || known.Due.Before(m.cards[next.ID].Due) {
				next = &cards[i]
			}
		}
	}
	if next == nil {
		next = fresh
	}
	return next, due, unseen
}

// earliest returns when the first of the cards is due.
func (m *memories) earliest(cards []deck.Card) time.Time {
	var first time.Time
	for _, c := range cards {
		if due := m.cards[c.ID].Due; first.IsZero() || due.Before(first) {
			first = due
		}
	}
	return first
}

// rate keeps a rating. Another terminal may have kept some meanwhile, so the file is
// read again.
func (m *memories) rate(id string, r fsrs.Rating, now time.Time) (fsrs.Memory, error) {
	if err := m.read(); err != nil {
		return fsrs.Memory{}, err
	}
	m.cards[id] = m.cards[id].Review(r, now)
	text, err := json.MarshalIndent(m.cards, "", "\t")
	if err != nil {
		return fsrs.Memory{}, err
	}
	if err := os.MkdirAll(filepath.Dir(m.path), 0o700); err != nil {
		return fsrs.Memory{}, fmt.Errorf("your rating cannot be kept: %w", err)
	}
	if err := workbook.Replace(m.path, append(text, '\n')); err != nil {
		return fsrs.Memory{}, fmt.Errorf("your rating cannot be kept: %w", err)
	}
	return m.cards[id], nil
}
