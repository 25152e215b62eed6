package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

type resetCommand struct {
	Kata string `arg:"" optional:"" help:"The kata."`
	All  bool   `help:"Every kata that you began."`
}

// Run puts back stubs as shipped. What the learner had is moved to a folder
// beside each, and named.
func (c resetCommand) Run(d *desk) error {
	if c.All == (c.Kata != "") {
		return errors.New("which kata: go tool dojo reset <kata>, or go tool dojo reset --all for every one that you began")
	}
	if !c.All {
		k, err := d.book.Kata(c.Kata)
		if err != nil {
			return err
		}
		return d.reset(k)
	}
	started := d.started()
	if len(started) == 0 {
		d.say("Every kata is as shipped already.")
	}
	for _, k := range started {
		if err := d.reset(k); err != nil {
			return err
		}
	}
	return nil
}

func (d *desk) reset(k workbook.Kata) error {
	shipped, err := os.ReadFile(k.ShippedStub())
	if err != nil {
		return fmt.Errorf("the stub as shipped cannot be read, and nothing was changed: %w", err)
	}
	if !k.Started() {
		d.say(k.Name() + " is as shipped already.")
		return nil
	}
	kept, err := keepAside(k, time.Now())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(k.Dir(), 0o755); err != nil {
		return fmt.Errorf("making the kata's folder: %w", err)
	}
	if err := workbook.Replace(k.Stub(), shipped); err != nil {
		return err
	}
	d.say(k.Rel(k.Stub()) + " is as shipped again.")
	for _, path := range kept {
		d.say("Yours is kept in " + k.Rel(path) + ".")
	}
	return nil
}

// keepAside copies the stub and moves further files into a folder whose name
// starts with a dot, so that the go command passes over it.
func keepAside(k workbook.Kata, now time.Time) ([]string, error) {
	further, err := k.Further()
	if err != nil {
		return nil, err
	}
	aside, err := newFolder(filepath.Join(k.Dir(), ".kept"), now)
	if err != nil {
		return nil, fmt.Errorf("your code could not be kept aside, and nothing was changed: %w", err)
	}
	var kept []string
	for _, path := range append([]string{k.Stub()}, further...) {
		text, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		copied := filepath.Join(aside, filepath.Base(path))
		if err == nil {
			err = workbook.Replace(copied, text)
		}
		if err == nil {
			err = sameText(copied, text)
		}
		if err != nil {
			return nil, fmt.Errorf("your code could not be kept aside, and nothing was changed: %w", err)
		}
		kept = append(kept, copied)
	}
	for _, path := range further { // only now that all is safe
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("%s is copied to %s but could not be moved: %w", k.Rel(path), k.Rel(aside), err)
		}
	}
	return kept, nil
}

// newFolder makes a folder that was not there, named for the time.
func newFolder(parent string, now time.Time) (string, error) {
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	stamp := filepath.Join(parent, now.Format("2006-01-02T15-04-05"))
	dir := stamp
	for n := 2; ; n++ {
		err := os.Mkdir(dir, 0o755)
		if !errors.Is(err, os.ErrExist) {
			return dir, err
		}
		dir = fmt.Sprintf("%s-%d", stamp, n)
	}
}

func sameText(path string, want []byte) error {
	got, err := os.ReadFile(path)
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("%s was not written whole", path)
	}
	return err
}

type tagCommand struct {
	Kata string `arg:"" optional:"" help:"The kata; without it, the one you are on."`
}

// Run puts the build line on the learner's further files.
func (c tagCommand) Run(ctx context.Context, d *desk) error {
	k, err := d.kata(ctx, c.Kata)
	if err != nil {
		return err
	}
	tagged, err := k.Tag()
	if err != nil {
		return err
	}
	if len(tagged) == 0 {
		d.say("Every file of yours in kata/" + k.Name() + " has its build line.")
	}
	for _, path := range tagged {
		d.say(k.Rel(path) + " starts with " + workbook.BuildLine + " now.")
	}
	return nil
}
