package testrun

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// An Explanation says in words why a step is red.
type Explanation struct {
	Lines   []string // the first is a sentence
	Place   string   // file:line of the step, seen from the clone's root, if known
	Yours   string   // file:line in the learner's own code, if the failure has one
	Again   string   // the command that replays it, where the step says one
	Printed []string // the last lines that the program printed for itself
}

// Explain reads a red step's output.
func Explain(k workbook.Kata, r Result) Explanation {
	e := takeAgain(explain(k, r))
	e.Place = fromRoot(k, e.Place)
	e.Yours = fromRoot(k, e.Yours)
	if e.Yours == "" {
		e.Yours = yours(k, append([]string{e.Place}, e.Lines...))
	}
	if e.Yours == e.Place {
		e.Place = ""
	}
	nameErrors(k, e.Lines)
	e.Printed = printed(r.Output)
	return e
}

// fromRoot writes a place as it is seen from the clone's root.
func fromRoot(k workbook.Kata, place string) string {
	place = strings.TrimPrefix(filepath.ToSlash(place), filepath.ToSlash(k.Root)+"/")
	if place == "" || strings.Contains(place, "/") {
		return place
	}
	return k.Rel(k.Dir()) + "/" + place
}

var goPlace = regexp.MustCompile(`([\w./-]+\.go):(\d+)`)

// yours returns the first place in the learner's own code that is named.
func yours(k workbook.Kata, lines []string) string {
	for _, line := range lines {
		for _, m := range goPlace.FindAllStringSubmatch(line, -1) {
			name := filepath.Base(m[1])
			if strings.HasSuffix(name, "_test.go") || strings.Contains(m[1], "/") && fromRoot(k, m[1]) != fromRoot(k, name) {
				continue
			}
			if _, err := os.Stat(filepath.Join(k.Dir(), name)); err == nil {
				return fromRoot(k, name) + ":" + m[2]
			}
		}
	}
	return ""
}

// nameErrors puts the name of an error of the kata's beside its words.
func nameErrors(k workbook.Kata, lines []string) {
	if !slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, "the error ") }) {
		return // most failures name none, and the stub need not be read
	}
	for text, name := range k.Errors() {
		words := fmt.Sprintf("the error %q", text)
		for i, line := range lines {
			lines[i] = strings.ReplaceAll(line, words, fmt.Sprintf("%s (%q)", name, text))
		}
	}
}

// takeAgain sets the replaying command apart, which a step says last.
func takeAgain(e Explanation) Explanation {
	for i, line := range e.Lines {
		if command, ok := strings.CutPrefix(strings.TrimSpace(line), "again: "); ok {
			e.Again = command
			e.Lines = trimBlank(slices.Delete(slices.Clone(e.Lines), i, i+1))
			break
		}
	}
	return e
}

func explain(k workbook.Kata, r Result) Explanation {
	if r.Died {
		return explainDeath(k, r)
	}
	failures := parseFailures(r.Output)
	if r.Skipped && len(failures) > 0 {
		return failures[len(failures)-1] // why it was skipped comes last
	}
	race := parseRace(k, r.Output)
	switch {
	case len(failures) == 0 && race != nil:
		return *race
	case len(failures) == 0:
		return Explanation{Lines: []string{"The step failed, and did not say why."}}
	case race != nil:
		failures[0] = raced(failures[0], *race)
	}
	return withStory(failures)
}

var reportAbove = regexp.MustCompile(`(?:;|: data race)? \(?the (?:race )?detector's report is above\)?`)

// raced adds to what a step says of a race where the race is.
func raced(f, race Explanation) Explanation {
	sentence := reportAbove.ReplaceAllString(f.Lines[0], "")
	if strings.HasSuffix(sentence, "nothing to order them") {
		race.Lines[0] = sentence + ":"
		f.Lines = append(race.Lines, f.Lines[1:]...)
	} else {
		f.Lines = slices.Concat(f.Lines, race.Lines)
	}
	f.Yours = race.Place
	return f
}

// withStory is the first failure, and what was said later of how it came about
// and how to replay it.
func withStory(failures []Explanation) Explanation {
	e := failures[0]
	for _, f := range failures[1:] {
		again := takeAgain(f).Again != ""
		if again || strings.HasPrefix(f.Lines[0], "What happened") {
			e.Lines = slices.Concat(e.Lines, []string{""}, f.Lines)
		}
		if again {
			break
		}
	}
	return e
}

// explainDeath reads the output of a step with which the process ended.
func explainDeath(k workbook.Kata, r Result) Explanation {
	text := r.Output
	stacks := parseStacks(text)
	switch {
	case strings.Contains(text, "still runs, and a running goroutine cannot be stopped"):
		if failures := parseFailures(text); len(failures) > 0 {
			return withStory(failures) // the bubble has said for how long, and gave up before the limit
		}
		return explainStuck(k, stacks, r.Limit)
	case strings.Contains(text, "dojo guard: stuck"):
		return explainStuck(k, stacks, r.Limit)
	case strings.Contains(text, "dojo guard: memory"):
		return explainMemory(k, stacks)
	case strings.Contains(text, "goroutine stack exceeds"):
		return died(k, stacks, "A function calls itself without end: the stack overflowed.")
	case strings.Contains(text, "out of memory"), strings.Contains(text, "cannot allocate memory"):
		return died(k, stacks, "The program asked for more memory than there is.")
	case strings.Contains(text, "unexpected call to os.Exit(0)"):
		return died(k, stacks, "The code called os.Exit(0), which ends the whole program.")
	}
	if m := fatalLine.FindStringSubmatch(text); m != nil {
		return died(k, stacks, "The Go runtime ended the program: "+m[1]+".")
	}
	if m := panicLine.FindStringSubmatch(text); m != nil {
		e := died(k, stacks, explainPanic(m[1], stacks))
		if failures := parseFailures(text); len(failures) > 0 {
			e.Lines = append(e.Lines, failures[0].Lines...)
		}
		return e
	}
	if race := parseRace(k, text); race != nil {
		return *race
	}
	if r.Overdue && !r.Begun {
		return Explanation{Lines: []string{fmt.Sprintf("No step began within %v: an init function, or the value of a package's variable, does not end.", r.Limit)}}
	}
	if r.Overdue {
		return Explanation{Lines: []string{fmt.Sprintf("The step did not end within %v.", r.Limit)}}
	}
	if code, ok := strings.CutPrefix(r.Exit, "exit status "); ok {
		return Explanation{Lines: []string{"The code ended the whole program with exit status " + code + ", as os.Exit and log.Fatal do."}}
	}
	return Explanation{Lines: []string{"Something outside ended the program: " + r.Exit + "."}}
}

var (
	fatalLine = regexp.MustCompile(`(?m)^fatal error: (.*)$`)
	panicLine = regexp.MustCompile(`(?m)^panic: (.*)$`)
)

func explainPanic(value string, stacks []goroutine) string {
	value, _, _ = strings.Cut(value, " [recovered")
	if len(stacks) > 0 && !stacks[0].runs("testing.tRunner") {
		return "A goroutine that the code started panicked, which ends the whole program: " + value
	}
	return "It panicked: " + value
}

// died places a death at the first stack that leads into the kata.
func died(k workbook.Kata, stacks []goroutine, sentence string) Explanation {
	for _, g := range stacks {
		if f, ok := g.in(k.Dir()); ok {
			return Explanation{Lines: []string{sentence}, Place: f.place}
		}
	}
	return Explanation{Lines: []string{sentence}}
}

func explainMemory(k workbook.Kata, stacks []goroutine) Explanation {
	return died(k, running(stacks), fmt.Sprintf("The program used more than %d MiB of memory, the most a step may take.", MemoryLimit>>20))
}

// running returns the stacks with those that are not waiting first.
func running(stacks []goroutine) []goroutine {
	var first, last []goroutine
	for _, g := range stacks {
		if isBusy(g) {
			first = append(first, g)
		} else {
			last = append(last, g)
		}
	}
	return append(first, last...)
}

func isBusy(g goroutine) bool {
	return strings.HasPrefix(g.state, "run") || strings.HasPrefix(g.state, "GC assist") || strings.HasPrefix(g.state, "preempted")
}

// explainStuck says what is known of a step that did not end: whether something
// of it still ran, and where. A slow step and a loop without end look alike.
func explainStuck(k workbook.Kata, stacks []goroutine, limit time.Duration) Explanation {
	var e Explanation
	anyBusy := slices.ContainsFunc(stacks, func(g goroutine) bool {
		_, ofKata := g.in(k.Dir())
		return ofKata && isBusy(g)
	})
	for _, g := range running(stacks) {
		f, ok := g.in(k.Dir())
		if !ok || len(e.Lines) > 4 {
			continue
		}
		if e.Place == "" {
			e = Explanation{Place: f.place, Lines: []string{fmt.Sprintf("The step did not end within %v. None of its goroutines was running then; they wait:", limit)}}
			if anyBusy {
				e.Lines[0] = fmt.Sprintf("The step did not end within %v, and was still running: it is slow, or in a loop without end.", limit)
			}
		}
		e.Lines = append(e.Lines, fmt.Sprintf("[%s] at %s", g.state, k.Rel(f.place)))
	}
	if e.Place == "" {
		e.Lines = []string{fmt.Sprintf("The step did not end within %v.", limit)}
	}
	return e
}

var accessLine = regexp.MustCompile(`^\s*(Previous )?(?:atomic )?([Rr]ead|[Ww]rite) at 0x\S+ by (.*):$`)

// parseRace reads the first report of the race detector, if there is one.
func parseRace(k workbook.Kata, text string) *Explanation {
	_, report, ok := strings.Cut(text, "WARNING: DATA RACE")
	if !ok {
		return nil
	}
	report, _, _ = strings.Cut(report, "==================")
	e := &Explanation{Lines: []string{"The race detector found a data race: two goroutines use the same memory, one of them writes, and nothing orders them."}}
	access := ""
	for line := range strings.Lines(report) {
		line = strings.TrimRight(line, "\r\n")
		if m := accessLine.FindStringSubmatch(line); m != nil {
			access = strings.ToLower(m[2])
		}
		m := placeLine.FindStringSubmatch(line)
		if access == "" || m == nil || !strings.HasPrefix(m[1], k.Root) {
			continue
		}
		e.Lines = append(e.Lines, access+" at "+k.Rel(m[1]))
		if e.Place == "" {
			e.Place = m[1]
		}
		access = ""
	}
	return e
}
