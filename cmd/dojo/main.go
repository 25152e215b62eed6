// Command dojo runs the katas of this clone: it shows where you are, judges
// your code, watches it as you edit, and gives hints.
//
//	go tool dojo                     the board, and the one thing to do next
//	go tool dojo watch idempotency   judge on every save
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"

	"github.com/alecthomas/kong"

	"github.com/backend-kata/dojo/cmd/dojo/internal/terminal"
	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

const examples = `43 backend questions, answered by tests.

Examples:
  go tool dojo                       where you are, and what to do next
  go tool dojo watch                 judge the kata you are on at every save
  go tool dojo test putpatch         judge one kata once
  go tool dojo hint                  the first hint for the step you are on
  go tool dojo hint putpatch 2       the second one
  go tool dojo reset putpatch        start again; what you had is kept aside`

type commands struct {
	Board    boardCommand    `cmd:"" default:"1" help:"Show all 43 katas, where you are and what to do next."`
	Test     testCommand     `cmd:"" help:"Judge a kata once."`
	Watch    watchCommand    `cmd:"" help:"Judge a kata each time you save."`
	Hint     hintCommand     `cmd:"" help:"Show a hint for the step you are on."`
	Mistake  mistakeCommand  `cmd:"" help:"Say which known mistake your failure looks like."`
	Solution solutionCommand `cmd:"" help:"Print the reference."`
	Diff     diffCommand     `cmd:"" help:"Compare your code with the reference."`
	Reset    resetCommand    `cmd:"" help:"Start a kata again. What you had is kept aside."`
	Tag      tagCommand      `cmd:"" help:"Put the build line on files that you added to a kata."`
	Prove    proveCommand    `cmd:"" help:"Check that katas are whole: stub, reference, mistakes and documents."`
	Contract contractCommand `cmd:"" help:"List the sentences of a kata's contract, and the mistakes that break each."`
	Mutate   mutateCommand   `cmd:"" help:"Change references in small ways, and list the changes that no step notices."`
	New      newCommand      `cmd:"" help:"Make the files of a new kata from a template."`
	Ship     shipCommand     `cmd:"" help:"Make the stub of today the one that is shipped."`
	Shipped  shippedCommand  `cmd:"" hidden:"" help:"Copy the clone with its stubs as shipped."`
}

// A desk is what every command works with.
type desk struct {
	screen *terminal.Screen
	book   workbook.Book
	tools  *testrun.Toolchain
	noRace func() string // why verdicts come without the race detector, if they do
}

// errRed makes the exit code say that a verdict was red, without a message:
// the verdict has been printed.
var errRed = errors.New("red")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case err == nil:
		return
	case errors.Is(err, errRed):
		os.Exit(1)
	case interrupted:
		os.Exit(130)
	}
	fmt.Fprintln(os.Stderr, "dojo:", err)
	os.Exit(2)
}

func run(ctx context.Context, args []string) error {
	var cli commands
	parser, err := kong.New(&cli, kong.Name("go tool dojo"), kong.Description(examples), kong.UsageOnError())
	if err != nil {
		return err
	}
	call, err := parser.Parse(args)
	if err != nil {
		return fmt.Errorf("%w: go tool dojo --help lists the commands", err)
	}
	here, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("this folder is gone: %w", err)
	}
	book, err := workbook.Open(here)
	if err != nil {
		return err
	}
	tools, err := testrun.NewToolchain(book.Root)
	if err != nil {
		return err
	}
	tools.Slow = sync.OnceFunc(func() {
		fmt.Fprintln(os.Stderr, "dojo: building what the steps stand on, which takes a minute the first time")
	})
	call.BindTo(ctx, (*context.Context)(nil))
	return call.Run(&desk{
		screen: terminal.Open(os.Stdout),
		book:   book,
		tools:  tools,
		noRace: sync.OnceValue(func() string { return tools.NoRace(ctx) }),
	})
}

// race reports whether verdicts come from the race detector here.
func (d *desk) race() bool { return d.noRace() == "" }

// kata returns the kata of that name, or the one the learner is on.
func (d *desk) kata(ctx context.Context, name string) (workbook.Kata, error) {
	if name != "" {
		return d.book.Kata(name)
	}
	k, _, err := d.current(ctx)
	return k, err
}

// katas returns the katas of those names, or without any all that are here.
func (d *desk) katas(names []string) ([]workbook.Kata, error) {
	if len(names) == 0 {
		return d.book.Here(), nil
	}
	var katas []workbook.Kata
	for _, name := range names {
		k, err := d.book.Kata(name)
		if err != nil {
			return nil, err
		}
		katas = append(katas, k)
	}
	return katas, nil
}

// say prints lines.
func (d *desk) say(lines ...string) {
	for _, line := range lines {
		fmt.Fprintln(d.screen, line)
	}
}
