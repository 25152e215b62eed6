package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/backend-kata/dojo/cmd/dojo/internal/patch"
	"github.com/backend-kata/dojo/cmd/dojo/internal/prove"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

type shipCommand struct {
	Kata string `arg:"" help:"The kata."`
}

// Run makes the stub of today the one that is shipped, if it can be one.
func (c shipCommand) Run(ctx context.Context, d *desk) error {
	k, err := d.book.Kata(c.Kata)
	if err != nil {
		return err
	}
	today, err := os.ReadFile(k.Stub())
	if err != nil {
		return fmt.Errorf("the stub of %s cannot be read: %w", k.Name(), err)
	}
	shipped, err := os.ReadFile(k.ShippedStub())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the stub as shipped cannot be read: %w", err)
	}
	if err == nil && bytes.Equal(today, shipped) {
		d.say(fmt.Sprintf("%s is what %s ships already.", k.Rel(k.Stub()), k.Name()))
		return nil
	}
	d.sayDiff(patch.Between(k.Rel(k.ShippedStub()), k.Rel(k.Stub()), string(shipped), string(today)))
	findings, err := prove.New(d.tools, prove.Options{Race: d.race()}, 1).Stub(ctx, k)
	if err != nil {
		return err
	}
	if len(findings) > 0 {
		d.say("")
		d.showFindings("this stub is not shipped", findings)
		d.say("", fmt.Sprintf("%s is as it was. Mend what is found and ship again.", k.Rel(k.ShippedStub())))
		return errRed
	}
	if err := workbook.Replace(k.ShippedStub(), today); err != nil {
		return err
	}
	d.say("", fmt.Sprintf("Shipped: %s is the stub of today.", k.Rel(k.ShippedStub())))
	if changes := apiChange(k, shipped, today); len(changes) > 0 {
		d.say("Code that learners have begun no longer builds, since what the stub exports has changed:")
		d.say(changes...)
	}
	d.say("Next: go tool dojo prove " + k.Name())
	return nil
}

// apiChange lists what a stub exports otherwise than the one before it, if there
// was one.
func apiChange(k workbook.Kata, before, after []byte) []string {
	was, err := workbook.API(k.ShippedStub(), before)
	is, errAfter := workbook.API(k.Stub(), after)
	if len(before) == 0 || err != nil || errAfter != nil {
		return nil
	}
	for name := range is {
		if was[name] == "" {
			delete(is, name) // what is new is in nobody's way
		}
	}
	return workbook.Differences(was, is)
}
