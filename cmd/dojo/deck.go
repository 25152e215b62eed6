package main

import (
	"fmt"

	"github.com/backend-kata/dojo/cmd/dojo/internal/deck"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

type deckCommand struct{}

// Run writes docs/deck.tsv.
func (deckCommand) Run(d *desk) error {
	text, err := deck.TSV(d.book)
	if err != nil {
		return err
	}
	if err := workbook.Replace(d.book.Deck(), []byte(text)); err != nil {
		return fmt.Errorf("the deck cannot be written: %w", err)
	}
	return nil
}
