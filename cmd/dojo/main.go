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
	"syscall"

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
  go tool dojo test 3                the same, by the number of its question
  go tool dojo hint                  the first hint for the step you are on
  go tool dojo hint putpatch 2       the second one
  go tool dojo reset putpatch        start again; what you had is kept aside`

type commands struct {
	List     boardCommand    `cmd:"" default:"withargs" group:"learn" help:"Show the katas, where you are and what to do next."`
	Next     nextCommand     `cmd:"" group:"learn" help:"Say what to do next."`
	Watch    watchCommand    `cmd:"" group:"learn" help:"Judge a kata each time you save."`
	Test     testCommand     `cmd:"" group:"learn" help:"Judge a kata once."`
	Hint     hintCommand     `cmd:"" group:"learn" help:"Show a hint for the step you are on."`
	Mistake  mistakeCommand  `cmd:"" group:"learn" help:"Say which known mistake your failure looks like."`
	Answer   answerCommand   `cmd:"" group:"learn" help:"Show the answer to the kata's question."`
	Card     cardCommand     `cmd:"" group:"learn" help:"Ask a question of the deck, and say when it comes back."`
	Diff     diffCommand     `cmd:"" group:"learn" help:"Compare your code with the reference."`
	Solution solutionCommand `cmd:"" group:"learn" help:"Print the reference."`
	Reset    resetCommand    `cmd:"" group:"learn" help:"Start a kata again. What you had is kept aside."`
	Tag      tagCommand      `cmd:"" group:"learn" help:"Put the build line on your files of a kata that lack it."`
	Serve    serveCommand    `cmd:"" group:"team" help:"Serve a session of the team dojo: a board, and a code to join with."`
	Join     joinCommand     `cmd:"" group:"team" help:"Take this clone into a team's session."`
	Take     takeCommand     `cmd:"" group:"team" help:"Bring your pair's last saved code here. What you had is kept aside."`
	Moment   momentCommand   `cmd:"" group:"team" help:"Mark this moment for the team's retrospective."`
	Leave    leaveCommand    `cmd:"" group:"team" help:"Leave the team's session."`
	New      newCommand      `cmd:"" group:"write" help:"Make the files of a new kata from a template."`
	Ship     shipCommand     `cmd:"" group:"write" help:"Make the stub of today the one that is shipped."`
	Prove    proveCommand    `cmd:"" group:"write" help:"Check that katas are whole: stub, reference, mistakes and documents."`
	Contract contractCommand `cmd:"" group:"write" help:"List the sentences of a kata's contract, and the mistakes that break each."`
	Mutate   mutateCommand   `cmd:"" group:"write" help:"Change references in small ways, and list the changes that no step notices."`
	Deck     deckCommand     `cmd:"" group:"write" help:"Write the cards of all answer pages to docs/deck.tsv."`
	Shipped  shippedCommand  `cmd:"" hidden:"" help:"Copy the clone with its stubs as shipped."`
}

var groups = kong.Groups{"learn": "To practise:", "team": "To practise as a team (docs/team.md):", "write": "To write katas (CONTRIBUTING.md):"}

// A desk is what every command works with.
type desk struct {
	screen *terminal.Screen
	book   workbook.Book
	here   string // the folder that the learner stands in
	tools  *testrun.Toolchain
	noRace func() string // why verdicts come without the race detector, if they do
}

// errRed makes the exit code say that a verdict was red, without a message:
// the verdict has been printed.
var errRed = errors.New("red")

func main() {
	signal.Ignore(syscall.SIGPIPE) // whoever reads may have read enough, as head does
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
	for _, line := range terminal.Open(os.Stderr).Lines("dojo: ", "  ", err.Error()) {
		fmt.Fprintln(os.Stderr, line)
	}
	os.Exit(2)
}

// limit is how long a step may take.
var limit = testrun.StepLimit

func run(ctx context.Context, args []string) error {
	var cli commands
	parser, err := kong.New(&cli, kong.Name("go tool dojo"), kong.Description(examples), groups, kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		return err
	}
	if len(args) > 0 && args[0] == "help" {
		args = append(args[1:], "--help")
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
	tools.Limit = limit
	tools.Slow = sync.OnceFunc(func() {
		fmt.Fprintln(os.Stderr, "dojo: building what the steps stand on, which takes a minute the first time")
	})
	call.BindTo(ctx, (*context.Context)(nil))
	return call.Run(&desk{
		screen: terminal.Open(os.Stdout),
		book:   book,
		here:   here,
		tools:  tools,
		noRace: sync.OnceValue(func() string { return tools.NoRace(ctx) }),
	})
}

// race reports whether verdicts come from the race detector here.
func (d *desk) race() bool { return d.noRace() == "" }

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
