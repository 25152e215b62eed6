// Package deck makes cards of the answer pages: the question with what to say, and
// each follow-up.
package deck

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/page"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// A Card is a question and its answer.
type Card struct {
	ID       string // the kata's name, and for a follow-up its question
	Question string
	Answer   string
	Number   string // worth remembering; a follow-up has none
	Seeks    string // what the interviewer is after; the question itself has none
	Tags     string // with spaces between them, as Anki has them
	Kata     workbook.Kata
}

// Cards returns those of a kata's page, the question itself first. There are none where
// the page is not written.
func Cards(k workbook.Kata) ([]Card, error) {
	answer, err := page.Read(k.Answer())
	if errors.Is(err, fs.ErrNotExist) || err == nil && answer.Say() == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	track, _, _ := strings.Cut(strings.ToLower(string(k.Track)), " ")
	tags := fmt.Sprintf("dojo::%s dojo::level-%d", track, k.Level)
	cards := []Card{{ID: k.Name(), Question: k.Text, Answer: answer.Say(), Number: answer.Number(), Tags: tags, Kata: k}}
	for _, f := range answer.FollowUps() {
		cards = append(cards, Card{
			ID: k.Name() + ": " + f.Question, Question: f.Question,
			Answer: strings.Join(strings.Fields(f.Answer), " "), Seeks: f.Seeks, Tags: tags + " dojo::follow-up", Kata: k,
		})
	}
	return cards, nil
}

// site is where a card's reader finds the whole answer.
const site = "https://github.com/backend-kata/dojo/blob/main/docs/"

// TSV writes the cards of all pages, one a line: what is asked, what to say, and the
// tags, with a tab between them. Anki takes the file as it is (manual, Importing: Text
// Files); Quizlet and StudyStack take the first two columns. A field begins with no
// quote and holds no tab, so that none of them reads a line otherwise.
func TSV(book workbook.Book) (string, error) {
	var out strings.Builder
	for _, k := range book.Here() {
		cards, err := Cards(k)
		if err != nil {
			return "", err
		}
		for _, c := range cards {
			question, back := c.Question, c.Answer
			if c.Number != "" {
				back += " The number: " + strings.TrimRight(c.Number, ".") + "."
			}
			if c.Seeks != "" {
				question = k.Title + ": " + question // alone it may not say what it is about
				back += " (Looking for: " + strings.TrimRight(c.Seeks, ".") + ".)"
			}
			back += " " + site + k.Name() + ".md"
			fmt.Fprintf(&out, "%s\t%s\t%s\n", field(question), field(back), c.Tags)
		}
	}
	return out.String(), nil
}

func field(text string) string {
	text = strings.ReplaceAll(text, "`", "")
	return strings.TrimLeft(strings.Join(strings.Fields(text), " "), "\"# ")
}
