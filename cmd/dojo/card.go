package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/deck"
	"github.com/backend-kata/dojo/cmd/dojo/internal/fsrs"
	"github.com/backend-kata/dojo/cmd/dojo/internal/terminal"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

type cardCommand struct {
	Kata string `arg:"" optional:"" help:"Cards of this kata alone."`
}

// Run asks the cards that are due, one after the other, and then new ones.
func (c cardCommand) Run(ctx context.Context, d *desk) error {
	katas := d.book.Path()
	if c.Kata != "" {
		k, err := d.book.Kata(c.Kata)
		if err != nil {
			return err
		}
		katas = []workbook.Kata{k}
	}
	var cards []deck.Card
	for _, k := range katas {
		some, err := deck.Cards(k)
		if err != nil {
			return err
		}
		cards = append(cards, some...)
	}
	if len(cards) == 0 {
		return errors.New("there are no cards yet: the answer pages are not written")
	}
	memory, err := openMemories()
	if err != nil {
		return err
	}
	return d.drill(ctx, os.Stdin, cards, memory, time.Now)
}

const (
	askAnswer = "Enter shows what to say, q ends."
	askRating = "How well did you know it? Type 1 not at all, 2 barely, 3 well or 4 at once, and Enter; q ends."
)

// A prompt asks a line of the learner, who may interrupt it.
type prompt struct {
	*desk
	interrupted <-chan struct{}
	typed       chan string
}

func newPrompt(ctx context.Context, d *desk, in io.Reader) *prompt {
	p := &prompt{d, ctx.Done(), make(chan string)}
	go func() { // it may wait for a line that never comes
		defer close(p.typed)
		for lines := bufio.NewScanner(in); lines.Scan(); {
			select {
			case p.typed <- strings.TrimSpace(lines.Text()):
			case <-p.interrupted:
				return
			}
		}
	}()
	return p
}

// ask reports false for a learner who has had enough.
func (p *prompt) ask(question string) (text string, on bool) {
	p.say("", p.screen.In(terminal.Quiet, question))
	select {
	case text, on = <-p.typed:
		return text, on && !strings.EqualFold(text, "q")
	case <-p.interrupted:
		p.say("")
		return "", false
	}
}

// drill asks until nothing is left, or the learner has had enough.
func (d *desk) drill(ctx context.Context, in io.Reader, cards []deck.Card, memory *memories, now func() time.Time) error {
	learner := newPrompt(ctx, d, in)
	for {
		c, due, unseen := memory.next(cards, now())
		if c == nil {
			d.say("", "Nothing is due. The next card comes "+when(memory.earliest(cards), now())+".")
			return nil
		}
		d.say("", d.screen.In(terminal.Quiet, fmt.Sprintf("%s · %s · %d due, %d new", c.Kata.Track, c.Kata.Title, due, unseen)), "")
		d.say(d.screen.Lines("", "", d.screen.In(terminal.Loud, c.Question))...)
		if _, on := learner.ask(askAnswer); !on {
			return nil
		}
		d.say(d.back(*c)...)
		rating := fsrs.Rating(0)
		for rating == 0 {
			text, on := learner.ask(askRating)
			if !on {
				return nil
			}
			if len(text) == 1 && text >= "1" && text <= "4" {
				rating = fsrs.Rating(text[0] - '0')
			}
		}
		next, err := memory.rate(c.ID, rating, now())
		if err != nil {
			return err
		}
		d.say("It comes back " + when(next.Due, now()) + ".")
	}
}

// back is the other side of a card.
func (d *desk) back(c deck.Card) []string {
	lines := append([]string{""}, d.screen.Lines("", "", c.Answer)...)
	if c.Number != "" {
		lines = append(lines, "")
		lines = append(lines, d.screen.Lines("The number: ", "", c.Number)...)
	}
	if c.Seeks != "" {
		lines = append(lines, "")
		lines = append(lines, d.screen.Lines("Looking for: ", "", c.Seeks)...)
	}
	return append(lines, "", d.screen.In(terminal.Quiet, "The whole answer: "+c.Kata.Rel(c.Kata.Answer())))
}

// when says how long it is until then, in the largest unit that fits.
func when(then, now time.Time) string {
	left := then.Sub(now)
	switch {
	case left <= time.Minute:
		return "in a minute"
	case left < time.Hour:
		return fmt.Sprintf("in %d minutes", int(left.Round(time.Minute).Minutes()))
	case left < 24*time.Hour:
		return fmt.Sprintf("in %d hours", int(left.Round(time.Hour).Hours()))
	case left < 36*time.Hour:
		return "tomorrow"
	}
	return fmt.Sprintf("in %d days", int(left.Round(24*time.Hour).Hours()/24))
}
