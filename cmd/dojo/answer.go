package main

import (
	"context"
	"fmt"
	"os"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

type answerCommand struct{ Reveal }

// Run shows the answer to the kata's question, once it is green.
func (c answerCommand) Run(ctx context.Context, d *desk) error {
	k, err := c.kata(ctx, d, "answer")
	if err != nil {
		return err
	}
	return d.showAnswer(k)
}

func (d *desk) showAnswer(k workbook.Kata) error {
	text, err := os.ReadFile(k.Answer())
	if err != nil {
		return fmt.Errorf("the answer cannot be read: %w", err)
	}
	d.say(d.screen.Markdown(string(text))...)
	return nil
}
