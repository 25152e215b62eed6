package teamserve

import "github.com/backend-kata/dojo/cmd/dojo/internal/team"

// predictions counts how often a pair said what would come, and how often it was right.
func (p *pair) predictions() (right, of int) {
	for _, l := range p.lights {
		if l.Predicted == "" {
			continue
		}
		of++
		if l.Predicted == l.Light {
			right++
		}
	}
	return right, of
}

// A red is a stretch in which a pair was not green and came no further: lights of one kata and one step.
type red struct {
	from, to *light // to is the last light of it
	until    *light // what ended it; nil if nothing has
}

// reds returns a pair's, in order.
func (p *pair) reds() []red {
	var reds []red
	open := false
	for _, l := range p.lights {
		last := len(reds) - 1
		if open && (l.Light == team.Green || l.Kata != reds[last].from.Kata || l.step != reds[last].from.step) {
			reds[last].until, open = l, false
		}
		switch {
		case l.Light == team.Green:
		case open:
			reds[last].to = l
		default:
			reds = append(reds, red{from: l, to: l})
			open = true
		}
	}
	return reds
}
