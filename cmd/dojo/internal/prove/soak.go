package prove

import (
	"path/filepath"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// A Soak is a thorough proof that was green: how often it ran, and when. One
// that ran a hundred times says more than today's single run, as long as it ran
// the same.
type Soak struct {
	Runs int // none if the kata was never soaked here
	At   time.Time
	Ran  string // a hash of what it ran, and what with
	Same bool   `json:"-"` // what it ran is what is proved now
}

func (p *Prover) soakPath(k workbook.Kata) string {
	return filepath.Join(p.Tools.Cache, "soaked", k.Name()+".json")
}

// lastSoak returns the last soak of the kata here.
func (p *Prover) lastSoak(k workbook.Kata) Soak {
	var s Soak
	if !recall(p.soakPath(k), &s) {
		return Soak{}
	}
	return s
}

// soaked records a thorough proof, unless more runs of the same are on record.
func (p *proof) soaked(ran string) {
	if last := p.report.Soak; !p.Options.Thorough || ran == "" || last.Same && last.Runs > p.Options.Runs {
		return
	}
	p.report.Soak = Soak{Runs: p.Options.Runs, At: time.Now(), Ran: ran, Same: true}
	store(p.soakPath(p.kata), p.report.Soak)
}
