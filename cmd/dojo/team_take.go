package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
	"github.com/backend-kata/dojo/cmd/dojo/internal/teamclient"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

type takeCommand struct{}

// Run brings the pair's last saved code into this clone. What was there is kept aside, as reset does.
func (takeCommand) Run(ctx context.Context, d *desk) error {
	seat, err := d.mustSit(d.seats())
	if err != nil {
		return err
	}
	state, err := seat.State(ctx)
	if err != nil {
		return err
	}
	k, err := d.kataOfTeam(state.Kata)
	if err != nil {
		return err
	}
	if err := teamclient.Check(k, state); err != nil {
		return err
	}
	mine, left, err := teamclient.Snapshot(k)
	if err != nil {
		return err
	}
	if len(left) == 0 && sameFiles(mine, state.Files) {
		d.say("Your kata/" + k.Name() + " is as your pair saved it.")
		return nil
	}
	return d.takes(k, state)
}

func (d *desk) takes(k workbook.Kata, state team.State) error {
	var kept []string
	if k.Started() {
		var err error
		if kept, err = keepAside(k, time.Now()); err != nil {
			return err
		}
	}
	err := teamclient.Write(k, state.Files)
	if err == nil {
		ago := time.Duration(min(max(state.Ago, 0), team.SessionLife.Milliseconds())) * time.Millisecond
		from := "the other laptop"
		if state.By == "this laptop" {
			from = state.By
		}
		d.say(fmt.Sprintf("kata/%s is as your pair saved it on %s, %s ago:", k.Name(), from, inWords(ago)))
		for _, file := range state.Files {
			d.say("  " + k.Rel(filepath.Join(k.Dir(), file.Name)))
		}
	}
	for _, path := range kept {
		d.say("Yours is kept in " + k.Rel(path) + ".")
	}
	return err
}

// kataOfTeam returns the kata of exactly that name: it was not typed by a person, but came over the network.
func (d *desk) kataOfTeam(name string) (workbook.Kata, error) {
	for _, k := range d.book.Here() {
		if k.Name() == name {
			return k, nil
		}
	}
	return workbook.Kata{}, errors.New("the team is at a kata that this clone does not have: " + team.Short(team.Clean(name), team.MaxName))
}

// sameFiles reports whether two states are alike, in whatever order.
func sameFiles(x, y []team.File) bool {
	byName := func(a, b team.File) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	}
	return slices.Equal(slices.SortedFunc(slices.Values(x), byName), slices.SortedFunc(slices.Values(y), byName))
}
