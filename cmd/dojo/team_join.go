package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"os/user"
	"strings"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
	"github.com/backend-kata/dojo/cmd/dojo/internal/teamclient"
)

type joinCommand struct {
	Address string   `arg:"" help:"Where the session is, as go tool dojo serve printed it."`
	Code    string   `arg:"" help:"The session's code: 8 letters and digits."`
	Pair    []string `arg:"" optional:"" help:"The pair's name; without it, yours on this laptop."`
	Key     string   `help:"The pair's key, on its second laptop; the first one printed it."`
}

// Run takes this clone into a team's session. From then on watch and test report to it.
func (c joinCommand) Run(ctx context.Context, d *desk) error {
	base, err := teamclient.BaseOf(c.Address)
	if err != nil {
		return err
	}
	code := team.NormalCode(c.Code)
	if len(code) != 8 {
		return fmt.Errorf("the code %q has not 8 letters and digits: type it as the board shows it", team.Short(team.Clean(c.Code), 40))
	}
	folder := d.seats()
	seat, err := folder.Seat()
	if err != nil {
		return err
	}
	fresh := seat == nil || seat.Address != base
	if fresh {
		seat = &teamclient.Seat{Address: base, Laptop: rand.Text()}
	}
	version, err := team.Version(d.book.Root)
	if err != nil {
		version = "unknown" // the server's is another one, and the board says that they differ
	}
	joined, err := teamclient.Join(ctx, base, seat.Token, team.Join{
		Code: code, Pair: c.name(seat), Key: team.NormalCode(c.Key), Laptop: seat.Laptop, Version: version,
	})
	if err != nil {
		return err
	}
	if asked := team.Short(team.Clean(strings.Join(c.Pair, " ")), team.MaxName); !fresh && asked != "" && !strings.EqualFold(asked, joined.Name) {
		return fmt.Errorf("this clone is in the session as %s: go tool dojo leave, and then join as another pair", joined.Name)
	}
	seat.Joined, seat.Until = joined, time.Now().Add(time.Duration(joined.Ends)*time.Millisecond)
	if err := folder.Sit(*seat); err != nil {
		return err
	}
	d.saysJoined(seat, c, fresh)
	return nil
}

// name is what the pair is called.
func (c joinCommand) name(seat *teamclient.Seat) string {
	name := cmp.Or(strings.Join(c.Pair, " "), seat.Name)
	if u, err := user.Current(); err == nil {
		name = cmp.Or(name, u.Name, u.Username)
	}
	return team.Short(cmp.Or(team.Clean(name), "somebody"), team.MaxName)
}

func (d *desk) saysJoined(seat *teamclient.Seat, c joinCommand, fresh bool) {
	d.say("You are in the session as " + pairOf(seat) + ", until " + seat.Until.Format("15:04") + " at the latest.")
	if fresh {
		d.say("")
		d.say(d.screen.Lines("", "", "From now on, watch and test in this clone send each verdict to the team: its kata and step, the failure, and your .go files of that kata as they were judged. Nothing else of this laptop is sent. Everybody in the session can read it.")...)
		if strings.HasPrefix(seat.Address, "http://") {
			d.say(d.screen.Lines("", "", "It is sent over plain HTTP, so others in your network can read it too.")...)
		}
	}
	if !seat.Same {
		d.say("")
		d.say(d.screen.Lines("", "", "Your clone is of another version than the server's, and the board says so at your lights: git pull --rebase in both makes them alike.")...)
	}
	d.say("")
	d.say("  report               go tool dojo watch")
	d.say("  the driver changes   go tool dojo take")
	d.say("  worth remembering    go tool dojo moment what happened")
	d.say("  end it               go tool dojo leave")
	if seat.Key != "" {
		d.say("", "The pair's other laptop joins with the pair's key:")
		d.say("  go tool dojo join --key " + seat.Key + " " + quoted(c.Address) + " " + c.Code + " " + quoted(seat.Name))
	}
}

// letters are those that no shell takes for something else.
const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/ "

// quoted makes a name one word of a command line, if it is not one.
func quoted(name string) string {
	if plain := strings.Trim(name, letters) == "" && !strings.HasPrefix(name, "-"); !plain {
		return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
	}
	return name
}

type leaveCommand struct{}

// Run ends the reports of this clone. The pair and its lights stay on the board.
func (leaveCommand) Run(ctx context.Context, d *desk) error {
	folder := d.seats()
	seat, err := folder.Seat()
	if err == nil && seat == nil {
		d.say("This clone is in no session.")
		return folder.Leave() // of what is left of one that is over
	}
	unsent := 0
	if seat != nil {
		ctx, cancel := context.WithTimeout(ctx, promptly)
		defer cancel()
		_ = folder.Send(ctx, seat) // what is not sent is said below
		unsent = folder.Waiting()
		_ = seat.Leave(ctx) // without an answer the server keeps a token that nobody has
	}
	if err := folder.Leave(); err != nil {
		return err
	}
	d.say("This clone has left the session. watch and test report nothing any more.")
	if unsent > 0 {
		d.say(fmt.Sprintf("Not sent, and gone: %d of your verdicts and moments.", unsent))
	}
	return nil
}

type momentCommand struct {
	Note []string `arg:"" optional:"" help:"What happened, in a few words."`
}

// Run marks the moment for the retrospective.
func (c momentCommand) Run(ctx context.Context, d *desk) error {
	folder := d.seats()
	seat, err := d.mustSit(folder)
	if err != nil {
		return err
	}
	note := team.Short(team.Clean(strings.Join(c.Note, " ")), team.MaxText)
	if err := folder.QueueMoment(seat, note); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, promptly)
	defer cancel()
	if err := folder.Send(ctx, seat); err != nil {
		if waits := folder.Waiting(); waits > 0 {
			d.say("Marked; " + waitsFor(waits) + ".")
			return nil
		}
		return err
	}
	d.say("Marked for the retrospective.")
	return nil
}

// mustSit returns the clone's seat.
func (d *desk) mustSit(folder *teamclient.Folder) (*teamclient.Seat, error) {
	seat, err := folder.Seat()
	if err == nil && seat == nil {
		err = fmt.Errorf("this clone is in no session: go tool dojo join ADDRESS CODE, as go tool dojo serve printed them")
	}
	return seat, err
}
